//! `invoke` and `resume`: coordinating a run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use backout_core::command::{Command, Request};
use backout_core::duration::{Estimate, Span};
use backout_core::event::{Direction, Event, Mode, Outcome, RunPlanned, UsedBaselines};
use backout_core::graph::Graph;
use backout_core::handle::{
    BrokenRule, Facts, Start, Terms, begin_run, first_vote, missing_baselines,
};
use backout_core::ids::{ComponentId, OptionId};
use backout_core::people::Account;
use backout_core::plan::Plan;
use backout_core::policy::Policy;
use backout_core::record::{Actor, Chain};
use backout_core::schedule::Schedule;
use backout_core::silence::Silence;
use backout_core::state::{RunState, select};
use backout_documents::saying;
use backout_engine::conductor::Observer;
use backout_engine::journal::AppendError;
use backout_engine::log::WriteError;
use backout_engine::{Conductor, Control, End, Patience, RunLog, Stopped, start};
use backout_exec::{LocalHands, environment, limits};
use backout_plan::check::CLOSES_WAY_BACK;
use backout_plan::diagnostic::Level;
use backout_plan::{ReadPlan, times};
use backout_sqlite::{Lease, SqliteJournal};

use super::Done;
use super::answer::answers;
use super::baseline::{captured, folder_of};
use super::open_runs::{inherited, open_runs};
use super::plans::read_to_back_out;
use super::submit::send;
use super::take_over::{go_on_here, places, take_over};
use super::watch;
use crate::app::{App, coordinator_id, run_uid, who};
use crate::cli::{InvokeArgs, ResumeArgs, StayArgs};
use crate::failure::{Exit, Failure, state_words};
use crate::foresight::{HistoryForecaster, frozen_order, history_of_state};
use crate::output;
use crate::run_ref;
use crate::suspect;
use crate::view::answering::Prompt;
use crate::view::keyboard::Keyboard;
use crate::view::live::View;
use crate::view::replies::{About, shell_word};
use crate::view::{dry_run, events, holders, questions, refusals, status, words};

pub(super) async fn invoke(app: &App, args: InvokeArgs) -> Done {
    let (read, left_out) = read_to_back_out(&args.plan)?;
    let plan = &read.plan;
    let option = chosen_option(plan, args.option.as_deref())?;
    let only = chosen_components(plan, &args.only)?;
    let selected = select(plan, option.as_ref(), &only)?;
    let graph = Graph::new(&plan.steps, &selected, &[]).map_err(|cycle| Failure::of(&cycle))?;
    if args.dry_run {
        let schedule = Schedule::new(plan, &plan.steps, &graph, Estimate::likely);
        if args.stay.json {
            let value = dry_run::json(plan, &selected, &graph, &schedule);
            crate::say!("{}", serde_json::to_string_pretty(&value)?);
            return Ok(Exit::Done);
        }
        for line in dry_run::lines(plan, &selected, &graph, &schedule) {
            crate::say!("{line}");
        }
        return Ok(Exit::Done);
    }
    output::never_wait(args.stay.json);
    let (actor, account) = who(plan, args.who.who.as_deref())?;
    let journal = app.journal()?;
    let baselines = captured(&journal, plan.change.name()).await?;
    let errors = warn(&args.plan, &read, baselines.as_ref(), app.now());
    warn_of_missing_baselines(plan, &selected, baselines.as_ref());
    let reason = given_reason(args.reason.as_deref());
    if reason.is_none() {
        crate::warn!("warning: no reason given; the review will ask for it");
    }
    let history = history_of_state(app).await?;
    let planned = RunPlanned {
        uid: Some(run_uid()?),
        plan_digest: read.digest,
        source: read.source.clone(),
        folder: folder_of(&args.plan)?,
        file: file_name(&args.plan),
        window: times::instants(plan.window.as_ref()),
        mode: if args.demo { Mode::Demo } else { Mode::Live },
        option,
        only,
        order: if args.demo { Vec::new() } else { frozen_order(plan, &graph, app.now(), &history) },
        not_before: times::not_before(plan),
        baselines,
        direction: Direction::Back,
        earlier: None,
        keeps_marks: true,
        marks_elsewhere: app.marks_elsewhere(),
        location: Some(app.location()),
        environment: Some(app.environment(plan)),
        reason,
        quorum: None,
        beside: Vec::new(),
        confirmed: Vec::new(),
        policy: Policy::default(),
        plan: plan.clone(),
    };
    let wanted = Wanted {
        path: &args.plan,
        actor,
        account,
        planned,
        selected,
        again: args.again,
        new_run: args.new_run,
        errors,
        left_out,
        confirmed: args.yes,
    };
    let log = begin(app, &journal, wanted, Vec::new()).await?;
    let lease = app.lease(log.state().run())?;
    coordinate(app, log, lease, &args.stay, args.who.who.as_deref()).await
}

/// A reason that says something.
pub(super) fn given_reason(reason: Option<&str>) -> Option<String> {
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
    reason.map(str::to_owned)
}

/// Checks that have nothing to compare with are settled by a person: that is no reason to
/// refuse a backout, and has to be known.
pub(super) fn warn_of_missing_baselines(
    plan: &Plan,
    selected: &[bool],
    captured: Option<&UsedBaselines>,
) {
    let missing = missing_baselines(plan, selected, captured);
    if missing.is_empty() {
        return;
    }
    let names: Vec<&str> = missing.iter().map(|name| name.as_str()).collect();
    crate::warn!(
        "warning: these baselines were never captured: {}; checks against them have nothing to compare with, and a person has to attest those steps",
        names.join(", ")
    );
}

/// A run that a person wants to begin.
pub(super) struct Wanted<'a> {
    /// The plan file.
    pub(super) path: &'a Path,
    pub(super) actor: Actor,
    pub(super) account: Account,
    pub(super) planned: RunPlanned,
    /// Which steps of the plan it holds, one flag a step.
    pub(super) selected: Vec<bool>,
    /// Whether a second run beside an open one is meant.
    pub(super) again: bool,
    /// Whether a run in the place of one whose log cannot be relied on is meant.
    pub(super) new_run: bool,
    /// The rules that the check of the plan finds broken.
    pub(super) errors: Vec<BrokenRule>,
    /// The parts of the plan file that cannot be used.
    pub(super) left_out: Vec<String>,
    /// Whether the person confirms what is asked.
    pub(super) confirmed: bool,
}

/// Begins a run, alone unless another one beside it is really meant.
pub(super) async fn begin(
    app: &App,
    journal: &Arc<SqliteJournal>,
    wanted: Wanted<'_>,
    further: Vec<Event>,
) -> Result<RunLog<SqliteJournal>, Failure> {
    // Before the night a policy that cannot be read has to be mended; on the night it stops
    // no backout.
    let policy = match wanted.planned.direction {
        Direction::Forward => app.policy()?,
        Direction::Back => app.policy_tonight(),
    };
    loop {
        let (open, newest) = open_runs(app, journal, &wanted.planned.plan).await?;
        let now = app.now();
        let planned = &wanted.planned;
        let facts = Facts {
            now,
            forecast: None,
            policy: &policy,
            accounts: &wanted.account,
            location: None,
        };
        let start = Start {
            plan: &planned.plan,
            digest: planned.plan_digest,
            direction: planned.direction,
            option: planned.option.as_ref(),
            selected: &wanted.selected,
            baselines: planned.baselines.as_ref(),
            reason: planned.reason.as_deref(),
            again: wanted.again,
            new_run: wanted.new_run,
            errors: &wanted.errors,
            left_out: &wanted.left_out,
            confirmed: wanted.confirmed,
        };
        let path = shell_word(&wanted.path.display().to_string());
        let (again, confirmed) = (wanted.again, wanted.confirmed);
        let with = &chosen(planned);
        let about = About { plan: &path, with, again, confirmed, ..About::default() };
        let Terms { quorum, confirmed } = begin_run(&start, &wanted.actor, &open, &facts)
            .map_err(|refusal| refusals::of_plan(&refusal, &planned.plan, &about))?;
        let mut further = further.clone();
        if wanted.new_run {
            let unread = open.iter().filter(|open| open.direction.is_none());
            for open in unread {
                further.extend(inherited(app, journal, planned, &open.run).await?);
            }
        }
        if quorum.is_some() {
            further.push(first_vote(planned.direction, planned.reason.as_deref()));
        }
        let policy = policy.clone();
        let beside = open.iter().map(|open| open.run.clone()).collect();
        let planned = RunPlanned { quorum, confirmed, policy, beside, ..planned.clone() };
        let actor = wanted.actor.clone();
        match start::begin(journal, actor, app.moment(), planned, further, Some(newest)).await {
            // Another run was begun since: what it is decides.
            Err(WriteError::Append(AppendError::Moved)) => {}
            log => {
                let log = log?;
                begin_ledger(app, &log).await?;
                return Ok(log);
            }
        }
    }
}

/// Makes the ledger of a run, with its first record: before anything of it is dispatched.
async fn begin_ledger(app: &App, log: &RunLog<SqliteJournal>) -> Result<(), Failure> {
    use backout_engine::Journal;
    let run = log.state().run();
    app.ledger().begin_run(run, log.state().planned().uid.as_ref())?;
    let stored = log.journal().read(run, backout_core::ids::Seq(0)).await?;
    stored.first().map_or(Ok(()), |first| app.ledger().keep_first(run, first))?;
    Ok(())
}

/// The name of a plan file in its folder, if it can be written down.
pub(super) fn file_name(path: &Path) -> Option<String> {
    path.file_name()?.to_str().map(str::to_owned)
}

/// The arguments with which a run is begun, beside its plan.
fn chosen(planned: &RunPlanned) -> String {
    let mut words = String::new();
    let default = planned.plan.default_option();
    if let Some(option) = planned.option.as_ref().filter(|option| Some(*option) != default) {
        words.push_str(&format!(" --option {option}"));
    }
    if !planned.only.is_empty() {
        let only: Vec<&str> = planned.only.iter().map(ComponentId::as_str).collect();
        words.push_str(&format!(" --only {}", only.join(",")));
    }
    words
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
        return Err(Failure::usage(format!("no step backs out the component `{idle}`"))
            .hint("leave it out of `--only`; without `--only` every step of the option runs"));
    }
    Ok(only.into_iter().collect())
}

/// What has to be known before a run begins, on standard error. Returns the rules that the
/// check of the plan finds broken.
pub(super) fn warn(
    file: &Path,
    read: &ReadPlan,
    baselines: Option<&UsedBaselines>,
    now: jiff::Timestamp,
) -> Vec<BrokenRule> {
    if let Some(used) = baselines {
        let age = words::length(words::between(used.captured, now));
        crate::warn!("baselines: captured {age} ago");
    }
    let window = times::instants(read.plan.window.as_ref());
    let zone = words::zone(&read.plan);
    if let Some(by) = window.backout_by.filter(|by| *by < now) {
        crate::warn!("warning: the backout had to be finished by {}", words::moment(by, &zone));
    }
    let checked = backout_plan::check::check(read, &BTreeSet::new());
    let errors = checked.findings.iter().filter(|finding| finding.level == Level::Error);
    let broken = errors.map(|finding| BrokenRule {
        id: finding.code.to_owned(),
        closes_way_back: CLOSES_WAY_BACK.contains(&finding.code),
    });
    let broken: Vec<BrokenRule> = broken.collect();
    say_errors(file, &broken);
    broken
}

/// Errors of the plan have to be known, whether or not they stop the run.
fn say_errors(file: &Path, errors: &[BrokenRule]) {
    if !errors.is_empty() {
        let rules: Vec<String> = errors.iter().map(|rule| rule.id.clone()).collect();
        crate::warn!(
            "warning: {}; `backout check {}` names them",
            saying::broken_rules(&rules),
            file.display()
        );
    }
}

pub(super) async fn resume(app: &App, args: ResumeArgs) -> Done {
    output::never_wait(args.stay.json);
    let run = match run_ref::find_open(app, args.run.as_deref()).await? {
        run_ref::Open::One(run) => run,
        // The newest run is over: its end is what there is to say.
        run_ref::Open::None => run_ref::find(app, None).await?,
        run_ref::Open::Several(runs) => {
            let mut failure = Failure::usage(format!("{} runs are open: say which", runs.len()));
            for state in runs {
                let title = words::one_line(&state.planned().plan.change.title, 60);
                failure = failure.hint(format!("`backout resume {}`  {title}", state.run()));
            }
            return Err(failure);
        }
    };
    let mut log = app.open(&run).await?;
    if log.state().finished().is_some() {
        crate::warn!("{run} is finished; nothing is left to do.");
        return Ok(exit_of(log.state(), &End::Finished(outcome(log.state()))));
    }
    let as_who = args.who.who.as_deref();
    let taken = match args.take_over {
        true => match take_over(app, &mut log, &args).await? {
            Ok(lease) => lease,
            Err(exit) => return Ok(exit),
        },
        false => None,
    };
    // A coordinator at work here has shown already that the run goes on here.
    if taken.is_some() || app.coordinator(&run).is_none() {
        let sent = go_on_here(app, &mut log, &args).await?;
        if sent != Exit::Done {
            return Ok(sent);
        }
    }
    let command = match log.state() {
        state if state.awaits_agreement() => Some(Command::AgreeToStart),
        state if state.held().is_some() => Some(Command::Resume),
        _ => None,
    };
    if let Some(command) = command {
        let reason = given_reason(args.reason.as_deref());
        let request = Request { command, reason, confirmed: false };
        let sent = send(app, &mut log, as_who, &request).await?;
        if sent != Exit::Done {
            return Ok(sent);
        }
        match app.coordinator(&run).filter(|_| taken.is_none()) {
            // It will not notice what is in the log now.
            Some(holder) if holders::silence(&holder) == Silence::Silent => {
                return Err(holders::refused(&holder, &run));
            }
            Some(holder) => {
                crate::say!("{} goes on with {run}.", holder.id);
                return Ok(Exit::Done);
            }
            None => {}
        }
    }
    let lease = match taken {
        Some(lease) => lease,
        None => app.lease(&run)?,
    };
    let state = log.state();
    let has_dispatched = state.states().iter().any(|known| known.attempt > 0);
    let is_at_work = |&i: &usize| state.states()[i].status == backout_core::status::Status::Running;
    if has_dispatched && !app.ledger().is_begun(&run) && !state.active().any(|i| is_at_work(&i)) {
        crate::warn!(
            "warning: the ledger of {run} is gone: what its steps did is in the log alone; another one is begun"
        );
        begin_ledger(app, &log).await?;
    }
    if !has_dispatched {
        // Nothing was ever dispatched, so there is nothing the ledger could have lost.
        begin_ledger(app, &log).await?;
    }
    coordinate(app, log, lease, &args.stay, as_who).await
}

/// Coordinates a run until it ends, waits, or is left.
pub(super) async fn coordinate(
    app: &App,
    log: RunLog<SqliteJournal>,
    lease: Lease,
    stay: &StayArgs,
    who: Option<&str>,
) -> Done {
    let forecaster = Arc::new(HistoryForecaster::of_state(app).await?);
    let mut view = View::choose(stay.json, stay.plain, Arc::clone(&forecaster));
    let patience = patience(stay, view.is_live())?;
    // The executable of this process, also after it was replaced on disk.
    let program = PathBuf::from("/proc/self/exe");
    // Each attempt under way takes a descriptor.
    limits::raise_descriptor_limit();
    let hands = LocalHands::new(app.ledger(), program, vec!["spawner".into()]);
    if log.state().seq().0 == 1 {
        announce(&log, &mut view).await?;
    }
    let watcher = watch::of_run(app, log.state()).await?;
    let mut conductor =
        Conductor::new(log, Arc::new(hands), app.clock, forecaster, coordinator_id());
    let places = places(app, conductor.state(), stay);
    conductor = conductor.with_places(places).at(app.location()).among(environment::variables());
    say_what_is_frozen(conductor.state());
    let life = lease.life();
    // A sign of life that cannot be written is missed by those who look, and by no one else.
    conductor = conductor.showing_life(move || drop(life.beat()));
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
    let run = conductor.state().run().clone();
    let stopped = |stopped| match stopped {
        Stopped::Suspect(suspicions) => suspect::failure(app, &run, &suspicions),
        other => Failure::from(other),
    };
    let end = tokio::select! {
        end = conductor.run(&mut view, signals()?, patience) => end.map_err(stopped)?,
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

/// Says where this shell chooses other targets than the one the run began in: its steps do not.
fn say_what_is_frozen(state: &RunState) {
    let Some(frozen) = &state.planned().environment else { return };
    let variables = environment::variables();
    let changes = frozen.changes(&variables);
    let short = |value: &String| words::one_line(value, 60);
    let kept = changes.set.iter().map(|(name, value)| format!("{name}={}", short(value)));
    let unset = changes.unset.iter().map(|name| format!("no {name}"));
    let told: Vec<String> = kept.chain(unset).collect();
    if !told.is_empty() {
        crate::warn!(
            "note: this shell differs from the one the run began in; its steps keep {}",
            told.join(", ")
        );
    }
    let missing = frozen.missing(&variables);
    if !missing.is_empty() {
        crate::warn!(
            "warning: {} was set when the run began, and is not now: steps may not be let in",
            missing.join(", ")
        );
    }
}

/// Shows the record the run began with, which was there before the coordinator.
async fn announce(log: &RunLog<SqliteJournal>, view: &mut View) -> Result<(), Failure> {
    use backout_engine::Journal;
    let stored = log.journal().read(log.state().run(), backout_core::ids::Seq(0)).await?;
    let mut chain = Chain::new(log.state().run().clone());
    for bytes in stored {
        view.record(&chain.read(&bytes)?, log.state());
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
    state.finished().as_ref().map_or(Outcome::Partial, |(outcome, _)| outcome.clone())
}

fn exit_of(state: &RunState, end: &End) -> Exit {
    match end {
        // `backout deploy PLAN && announce` must not announce what is gone again.
        End::Finished(Outcome::Reverted) if state.unverified().next().is_some() => Exit::Partial,
        End::Finished(Outcome::Reverted) if state.release().deploys => Exit::BackedOut,
        // Without a trigger, only the stages' own checks stand for the release.
        End::Finished(Outcome::DeployedUnwatched) if state.unverified().next().is_some() => {
            Exit::Partial
        }
        End::Finished(Outcome::Reverted | Outcome::Deployed | Outcome::DeployedUnwatched) => {
            Exit::Done
        }
        End::Finished(Outcome::Unverified | Outcome::Partial | Outcome::DeployedWithFindings) => {
            Exit::Partial
        }
        End::Finished(Outcome::Abandoned { .. }) => Exit::Failed,
        End::Holding => Exit::Holding,
        End::Waiting | End::Detached => Exit::Waiting,
    }
}

fn say_end(state: &RunState, end: &End, json: bool) {
    if json {
        if matches!(end, End::Waiting | End::Holding) {
            crate::say!("{}", events::waiting(state));
        }
        return;
    }
    match end {
        End::Finished(_) => {
            for line in status::footer(state) {
                crate::say!("{line}");
            }
        }
        End::Waiting | End::Holding => {
            crate::say!("\nWaiting for:");
            for line in questions::lines(state) {
                crate::say!("{line}");
            }
            crate::say!("\nThen: backout {}resume {}", state_words(), state.run());
        }
        End::Detached => {
            let running = state.active().filter(|&i| {
                state.states()[i].status == backout_core::status::Status::Running
                    && !state.steps()[i].action.is_reported()
            });
            let names: Vec<&str> = running.map(|i| state.steps()[i].id.as_str()).collect();
            if !names.is_empty() {
                crate::say!("\n{} goes on by itself.", names.join(", "));
            }
            crate::say!(
                "\nLeft {}. Come back with: backout {}resume {}",
                state.run(),
                state_words(),
                state.run()
            );
        }
    }
}
