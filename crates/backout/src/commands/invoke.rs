//! `invoke` and `resume`: coordinating a run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use backout_core::act::Act;
use backout_core::authority::{Verdict, may};
use backout_core::duration::{Estimate, Span};
use backout_core::event::{Course, Event, Mode, Outcome, RunPlanned, UsedBaselines};
use backout_core::graph::Graph;
use backout_core::ids::{ComponentId, OptionId};
use backout_core::plan::{Check, Plan};
use backout_core::record::Actor;
use backout_core::schedule::Schedule;
use backout_core::state::{RunState, select};
use backout_engine::conductor::Observer;
use backout_engine::journal::AppendError;
use backout_engine::log::WriteError;
use backout_engine::{Conductor, Control, End, Patience, RunLog, start};
use backout_exec::LocalHands;
use backout_plan::diagnostic::Level;
use backout_plan::{ReadPlan, times};
use backout_sqlite::{Lease, SqliteJournal};

use super::Done;
use super::answer::answers;
use super::baseline::folder_of;
use super::plans::must_read;
use super::watch;
use crate::app::{App, coordinator_id, who};
use crate::cli::{InvokeArgs, ResumeArgs, StayArgs};
use crate::failure::{Exit, Failure};
use crate::foresight::{frozen_order, history_of_state};
use crate::run_ref;
use crate::view::answering::Prompt;
use crate::view::keyboard::Keyboard;
use crate::view::live::View;
use crate::view::{dry_run, events, status, words};

pub(super) async fn invoke(app: &App, args: InvokeArgs) -> Done {
    let read = must_read(&args.plan)?;
    let plan = &read.plan;
    let option = chosen_option(plan, args.option.as_deref())?;
    let only = chosen_components(plan, &args.only)?;
    let selected = select(plan, option.as_ref(), &only)?;
    if !selected.iter().any(|selected| *selected) {
        return Err(Failure::refused("there is nothing to do: no step is on this way back"));
    }
    let graph = Graph::new(&plan.steps, &selected, &[]).map_err(|cycle| Failure::of(&cycle))?;
    if args.dry_run {
        let schedule = Schedule::new(plan, &plan.steps, &graph, Estimate::likely);
        if args.stay.json {
            let value = dry_run::json(plan, &selected, &graph, &schedule);
            anstream::println!("{}", serde_json::to_string_pretty(&value)?);
            return Ok(Exit::Done);
        }
        for line in dry_run::lines(plan, &selected, &graph, &schedule) {
            anstream::println!("{line}");
        }
        return Ok(Exit::Done);
    }
    let (person, actor) = who(plan, args.who.who.as_deref())?;
    match may(plan, None, &person, &Act::Invoke) {
        Verdict::Allowed { .. } => {}
        Verdict::Denied { why } => return Err(Failure::refused(why)),
        Verdict::Needs { who, more, .. } => {
            return Err(Failure::refused(format!(
                "{who} have to agree before the backout starts ({more} more), and there is no run yet to agree on"
            )).hint("give `invoke` to one person in the plan's `authority`; the decision itself may still take two"));
        }
    };
    let journal = app.journal()?;
    if !args.again {
        refuse_a_second_run(&journal, plan).await?;
    }
    let baselines = start::latest_baselines(&journal, plan.change.name()).await?;
    require_baselines(plan, &selected, baselines.as_ref())?;
    warn(&args.plan, &read, baselines.as_ref(), app.now());
    let history = history_of_state(app).await?;
    let planned = RunPlanned {
        plan_digest: read.digest,
        source: read.source.clone(),
        folder: folder_of(&args.plan)?,
        window: times::instants(plan.window.as_ref()),
        mode: if args.demo { Mode::Demo } else { Mode::Live },
        option,
        only,
        order: if args.demo { Vec::new() } else { frozen_order(plan, &graph, app.now(), &history) },
        not_before: times::not_before(plan),
        baselines,
        course: Course::Back,
        earlier: None,
        reason: args.reason.clone(),
        plan: plan.clone(),
    };
    let log = begin(app, &journal, actor, planned, Vec::new(), args.again).await?;
    let lease = app.lease(&log.state().run)?;
    coordinate(app, log, lease, &args.stay, args.who.who.as_deref()).await
}

/// Begins a run, alone unless another one beside it is really meant.
pub(super) async fn begin(
    app: &App,
    journal: &Arc<SqliteJournal>,
    actor: Actor,
    planned: RunPlanned,
    further: Vec<Event>,
    again: bool,
) -> Result<RunLog<SqliteJournal>, Failure> {
    loop {
        let newest = match again {
            true => None,
            false => Some(refuse_a_second_run(journal, &planned.plan).await?),
        };
        let (actor, planned, further) = (actor.clone(), planned.clone(), further.clone());
        match start::begin(journal, actor, app.now(), planned, further, newest).await {
            // Somebody has begun a run since: what it is decides.
            Err(WriteError::Append(AppendError::Moved)) => {}
            log => {
                let log = log?;
                app.ledger().begin_run(&log.state().run)?;
                return Ok(log);
            }
        }
    }
}

/// On a bad night, invoking again where resuming was meant would run everything twice. The
/// number of the change's newest run, 0 if there is none.
pub(super) async fn refuse_a_second_run(
    journal: &Arc<SqliteJournal>,
    plan: &Plan,
) -> Result<u64, Failure> {
    use backout_engine::Journal;
    let mut newest = 0;
    for (run, _) in journal.runs().await? {
        let Some(number) = run.number_for(plan.change.name()) else { continue };
        newest = newest.max(number);
        let log = RunLog::open(Arc::clone(journal), &run).await?;
        if log.state().finished.is_none()
            && log.state().planned.plan.change.name() == plan.change.name()
        {
            if log.state().release.goes_forward() {
                return Err(Failure::refused(format!(
                    "{run} deploys the same change and is not finished"
                ))
                .hint(format!(
                    "to go back: `backout decide {run} back-out --reason …`; to go on: `backout resume {run}`"
                )));
            }
            return Err(Failure::refused(format!(
                "{run} backs out the same change and is not finished"
            ))
            .hint(format!(
                "go on with it: `backout resume {run}`; or give it up: `backout abandon {run}`"
            ))
            .hint("`--again` starts a second run beside it, if that is really meant"));
        }
    }
    Ok(newest)
}

pub(super) fn chosen_option(plan: &Plan, said: Option<&str>) -> Result<Option<OptionId>, Failure> {
    let Some(said) = said else { return Ok(plan.default_option().cloned()) };
    let known = plan.options.keys().find(|id| id.as_str() == said);
    known.cloned().map(Some).ok_or_else(|| {
        let names: Vec<&str> = plan.options.keys().map(|id| id.as_str()).collect();
        let hint = match names.is_empty() {
            true => "this plan has one way back; leave --option out".to_owned(),
            false => format!("the plan's options are {}", names.join(", ")),
        };
        Failure::usage(format!("the plan has no option `{said}`")).hint(hint)
    })
}

pub(super) fn chosen_components(plan: &Plan, said: &[String]) -> Result<Vec<ComponentId>, Failure> {
    let mut only = BTreeSet::new();
    for name in said {
        let known = plan.components.keys().find(|id| id.as_str() == name);
        only.insert(known.cloned().ok_or_else(|| {
            let names: Vec<&str> = plan.components.keys().map(|id| id.as_str()).collect();
            let hint = match names.is_empty() {
                true => "it names no components at all; leave `--only` out".to_owned(),
                false => format!("its components are {}", names.join(", ")),
            };
            Failure::usage(format!("the plan has no component `{name}`")).hint(hint)
        })?);
    }
    let touched =
        |id: &&ComponentId| !plan.steps.iter().any(|step| step.component.as_ref() == Some(*id));
    if let Some(idle) = only.iter().find(touched) {
        return Err(Failure::refused(format!("no step backs out the component `{idle}`")));
    }
    Ok(only.into_iter().collect())
}

pub(super) fn require_baselines(
    plan: &Plan,
    selected: &[bool],
    captured: Option<&UsedBaselines>,
) -> Result<(), Failure> {
    let steps = plan.steps.iter().zip(selected).filter(|(_, on)| **on).map(|(step, _)| step);
    let needed: BTreeSet<_> = steps
        .flat_map(|step| &step.verify)
        .filter_map(|verification| match &verification.check {
            Check::SameAsBaseline(name) => Some(name),
            _ => None,
        })
        .collect();
    let missing: Vec<&str> = needed
        .into_iter()
        .filter(|name| !captured.is_some_and(|used| used.facts.contains_key(*name)))
        .map(|name| name.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "these baselines were never captured for {}: {}",
        plan.change.name(),
        missing.join(", ")
    ))
    .hint("they have to be captured before the deployment: `backout baseline PLAN`")
    .hint("if it is too late for that, take `same_as_baseline` out of the plan and verify in another way"))
}

/// What somebody who invokes should know, on standard error.
pub(super) fn warn(
    file: &Path,
    read: &ReadPlan,
    baselines: Option<&UsedBaselines>,
    now: jiff::Timestamp,
) {
    let checked = backout_plan::check::check(read, &BTreeSet::new());
    let errors = checked.count(Level::Error);
    if errors > 0 {
        anstream::eprintln!(
            "warning: this plan has {errors} errors; `backout check {}` names them",
            file.display()
        );
    }
    if let Some(used) = baselines {
        let age = words::length(words::between(used.captured, now));
        anstream::eprintln!("baselines: captured {age} ago");
    }
    let window = times::instants(read.plan.window.as_ref());
    let zone = words::zone(&read.plan);
    if let Some(by) = window.backout_by.filter(|by| *by < now) {
        anstream::eprintln!(
            "warning: the backout had to be finished by {}",
            words::moment(by, &zone)
        );
    }
}

pub(super) async fn resume(app: &App, args: ResumeArgs) -> Done {
    let run = run_ref::find(app, args.run.as_deref()).await?;
    let mut log = app.open(&run).await?;
    if log.state().finished.is_some() {
        anstream::eprintln!("{run} is finished; nothing is left to do.");
        return Ok(exit_of(log.state(), &End::Finished(outcome(log.state()))));
    }
    if log.state().held.is_some() {
        let event = Event::RunReleased { reason: "resumed".to_owned() };
        let said = super::people::say(
            app,
            &mut log,
            args.who.who.as_deref(),
            &Act::Release,
            "resumed",
            |_| Ok(vec![event.clone()]),
        )
        .await?;
        if said != Exit::Done {
            return Ok(said);
        }
        if let Some(coordinator) = app.coordinator(&run) {
            anstream::println!("{coordinator} goes on with {run}.");
            return Ok(Exit::Done);
        }
    }
    let lease = app.lease(&run)?;
    if log.state().states.iter().all(|known| known.attempt == 0) {
        // Nothing was ever dispatched, so there is nothing the ledger could have lost.
        app.ledger().begin_run(&run)?;
    }
    coordinate(app, log, lease, &args.stay, args.who.who.as_deref()).await
}

/// Coordinates a run until it ends, waits, or is left.
pub(super) async fn coordinate(
    app: &App,
    log: RunLog<SqliteJournal>,
    lease: Lease,
    stay: &StayArgs,
    who: Option<&str>,
) -> Done {
    let zone = words::zone(&log.state().planned.plan);
    let history = history_of_state(app).await?;
    let mut view = View::choose(stay.json, stay.plain, zone, history);
    let patience = patience(stay, view.is_live())?;
    // The executable of this process, also after it was replaced on disk.
    let supervisor = PathBuf::from("/proc/self/exe");
    let hands = LocalHands::new(app.ledger(), supervisor, vec!["supervise".into()]);
    if log.state().seq.0 == 1 {
        announce(&log, &mut view).await?;
    }
    let watcher = watch::of_run(app, log.state()).await?;
    let mut conductor = Conductor::new(log, Arc::new(hands), app.clock, coordinator_id());
    let watcher = match watcher {
        Some((watcher, news, receiver)) => {
            conductor = conductor.watching(news, watcher.sight());
            view.watched_by(watcher.boards());
            Some((watcher, receiver))
        }
        None => None,
    };
    let keyboard = if view.is_live() { Keyboard::take() } else { None };
    let prompt = Arc::new(Mutex::new(Prompt::default()));
    if keyboard.is_some() {
        view.answered_by(Arc::clone(&prompt));
    }
    let end = tokio::select! {
        end = conductor.run(&mut view, signals()?, patience) => end?,
        never = answers(app, keyboard, prompt, who) => match never {},
    };
    view.end(conductor.state());
    if let Some((watcher, receiver)) = watcher {
        drop(receiver);
        watcher.end().await?;
    }
    drop(lease);
    say_end(conductor.state(), &end, stay.json);
    Ok(exit_of(conductor.state(), &end))
}

/// Shows the record the run began with, which was there before the coordinator.
async fn announce(log: &RunLog<SqliteJournal>, view: &mut View) -> Result<(), Failure> {
    use backout_engine::Journal;
    let stored = log.journal().read(&log.state().run, backout_core::ids::Seq(0)).await?;
    for bytes in stored {
        view.record(&serde_json::from_slice(&bytes)?, log.state());
    }
    Ok(())
}

fn patience(stay: &StayArgs, live: bool) -> Result<Patience, Failure> {
    match stay.wait.as_deref() {
        Some("forever") => Ok(Patience::Forever),
        Some(duration) => {
            let span: Span =
                duration.parse().map_err(|error: backout_core::duration::BadDuration| {
                    Failure::usage(format!("--wait: {error}"))
                })?;
            Ok(Patience::UpTo(span.get()))
        }
        None if live => Ok(Patience::Forever),
        None => Ok(Patience::None),
    }
}

/// The first Ctrl-C holds, the second detaches; so does the end of the terminal.
fn signals() -> Result<mpsc::Receiver<Control>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let (tell, control) = mpsc::channel(4);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            let wanted = tokio::select! {
                _ = interrupt.recv() => Control::Interrupt,
                _ = terminate.recv() => Control::Detach,
                _ = hangup.recv() => Control::Detach,
            };
            if tell.send(wanted).await.is_err() {
                return;
            }
        }
    });
    Ok(control)
}

fn outcome(state: &RunState) -> Outcome {
    state.finished.as_ref().map_or(Outcome::Partial, |(outcome, _)| outcome.clone())
}

fn exit_of(state: &RunState, end: &End) -> Exit {
    match end {
        // `backout deploy PLAN && announce` must not announce what is gone again.
        End::Finished(Outcome::Reverted) if state.release.stages > 0 => Exit::BackedOut,
        End::Finished(Outcome::Reverted | Outcome::Deployed | Outcome::DeployedUnwatched) => {
            Exit::Done
        }
        End::Finished(Outcome::Partial | Outcome::DeployedWithFindings) => Exit::Partial,
        End::Finished(Outcome::Abandoned { .. }) => Exit::Failed,
        End::Waiting | End::Detached => Exit::Waiting,
    }
}

fn say_end(state: &RunState, end: &End, json: bool) {
    if json {
        if *end == End::Waiting {
            anstream::println!("{}", events::waiting(state));
        }
        return;
    }
    match end {
        End::Finished(_) => {
            for line in status::footer(state) {
                anstream::println!("{line}");
            }
        }
        End::Waiting => {
            anstream::println!("\nWaiting for:");
            for line in events::questions(state) {
                anstream::println!("{line}");
            }
            anstream::println!("\nThen: backout resume {}", state.run);
        }
        End::Detached => {
            let running = state.active().filter(|&i| {
                state.states[i].status == backout_core::status::Status::Running
                    && !state.steps[i].action.is_reported()
            });
            let names: Vec<&str> = running.map(|i| state.steps[i].id.as_str()).collect();
            if !names.is_empty() {
                anstream::println!("\n{} goes on by itself.", names.join(", "));
            }
            anstream::println!(
                "\nLeft {}. Come back with: backout resume {}",
                state.run,
                state.run
            );
        }
    }
}
