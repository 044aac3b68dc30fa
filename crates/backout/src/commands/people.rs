//! What people do to a run, whether a coordinator is at work or not.

use std::io::Read;
use std::path::Path;

use backout_core::act::Act;
use backout_core::act::Answer;
use backout_core::event::{Attachment, Event, Evidence, FailureEffect, Outcome, ResolvedBy};
use backout_core::ids::{Digest, OptionId, RoleId, StepId};
use backout_core::plan::Step;
use backout_core::state::{Illegal, RunState};
use backout_core::status::Status;
use backout_engine::RunLog;
use backout_engine::act::{Acted, act};
use backout_plan::{read_step, times};
use backout_sqlite::SqliteJournal;

use backout_forecast::outlook::History;

use super::Done;
use crate::app::{App, who};
use crate::cli::{
    AckArgs, AddArgs, AssignArgs, EscalateArgs, ReplaceArgs, ResolveArgs, RunActArgs, StepArgs,
    Verdict,
};
use crate::failure::{Exit, Failure, colour};
use crate::foresight::{history_of_state, order_anew};
use crate::run_ref;

/// Carries out an act and says how it ended.
pub(super) async fn say(
    app: &App,
    log: &mut RunLog<SqliteJournal>,
    as_who: Option<&str>,
    what: &Act,
    reason: &str,
    events: impl Fn(&RunState) -> Result<Vec<Event>, Illegal>,
) -> Done {
    if reason.trim().is_empty() {
        return Err(Failure::usage("the reason is empty").hint("it is what the review will read"));
    }
    let (person, actor) = who(&log.state().planned.plan, as_who)?;
    let now = app.now();
    let anew = departs(what) && !log.state().planned.order.is_empty();
    let history = if anew { history_of_state(app).await? } else { History::default() };
    let events = |state: &RunState| {
        let mut events = events(state)?;
        // Whoever departs from the plan gets an order of work for what is left.
        if anew {
            let then = state.with(&events, &actor, now)?;
            events.extend(order_anew(&then, &history, now));
        }
        Ok(events)
    };
    let acted = act(log, &person, &actor, now, what, reason, events).await?;
    match acted {
        Acted::Done { .. } => Ok(Exit::Done),
        Acted::Needs { who, more } => {
            anstream::println!(
                "Noted: {} wants to {}. It takes {more} more of {who}; they give the same command.",
                person.name,
                what.shown()
            );
            Ok(Exit::Waiting)
        }
        Acted::Denied { why } => Err(Failure::refused(why).hint("this was noted in the log")),
    }
}

/// Whether an act changes what is left to do, or who does it.
fn departs(act: &Act) -> bool {
    matches!(
        act,
        Act::Add { .. }
            | Act::Replace { .. }
            | Act::Skip { .. }
            | Act::Retry { .. }
            | Act::Resolve { .. }
            | Act::Attest { .. }
            | Act::Assign { .. }
            | Act::Escalate { .. }
    )
}

/// Tells what happens now that an act is in the log.
pub(super) fn then(app: &App, state: &RunState, said: &str) {
    anstream::println!("{said}");
    if state.finished.is_none() && app.coordinator(&state.run).is_none() {
        anstream::println!("No coordinator is at work: `backout resume {}` goes on.", state.run);
    }
}

pub(super) async fn open(app: &App, run: &str) -> Result<RunLog<SqliteJournal>, Failure> {
    let run = run_ref::find(app, Some(run)).await?;
    app.open(&run).await
}

pub(super) fn step_of(state: &RunState, said: &str) -> Result<StepId, Failure> {
    let found = state.steps.iter().find(|step| step.id.as_str() == said);
    found.map(|step| step.id.clone()).ok_or_else(|| {
        let names: Vec<&str> = state.steps.iter().map(|step| step.id.as_str()).collect();
        Failure::usage(format!("there is no step `{said}` in {}", state.run))
            .hint(format!("its steps are {}", names.join(", ")))
    })
}

fn attempt_of(state: &RunState, step: &StepId) -> Result<u32, Illegal> {
    state.position(step).map(|index| state.states[index].attempt)
}

pub(super) async fn ack(app: &App, args: &AckArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let step = step_of(log.state(), &args.step)?;
    let attached = attach(app, log.state(), &args.attach)?;
    let done = say(
        app,
        &mut log,
        args.who.who.as_deref(),
        &Act::Acknowledge { step: step.clone() },
        "done",
        |state| {
            let index = state.position(&step)?;
            let (found, known) = (&state.steps[index], &state.states[index]);
            let attempt = known.attempt;
            let confirmed =
                Event::StepConfirmed { step: step.clone(), attempt, note: args.note.clone() };
            let acted = Event::StepActed {
                step: step.clone(),
                attempt,
                evidence: Evidence {
                    summary: args.note.clone().unwrap_or_default(),
                    attached: attached.clone(),
                    ..Evidence::default()
                },
            };
            match known.status {
                // Whoever does the step confirms what it asks to confirm.
                Status::Running if found.action.is_reported() => {
                    let asked = found.confirmations().next().is_some();
                    Ok(if asked { vec![acted, confirmed] } else { vec![acted] })
                }
                Status::Acted if found.confirmations().next().is_some() && !known.confirmed => {
                    Ok(vec![confirmed])
                }
                status => Err(Illegal::Status { step: step.clone(), status }),
            }
        },
    )
    .await?;
    if done == Exit::Done {
        then(app, log.state(), &format!("{step} is acknowledged."));
    }
    Ok(done)
}

/// Keeps attached files beside the log, under their digest.
pub(super) fn attach(
    app: &App,
    state: &RunState,
    files: &[std::path::PathBuf],
) -> Result<Vec<Attachment>, Failure> {
    let folder = app.ledger().run_folder(&state.run).join("attachments");
    let mut attached = Vec::new();
    for file in files {
        let bytes = std::fs::read(file).map_err(|error| {
            Failure::usage(format!("{} cannot be read: {error}", file.display()))
        })?;
        let digest = Digest::of(&bytes);
        std::fs::create_dir_all(&folder)?;
        let kept = folder.join(digest.to_string().replace("sha256:", ""));
        let new = kept.with_extension("new");
        std::fs::write(&new, &bytes)?;
        std::fs::File::open(&new)?.sync_all()?;
        std::fs::rename(&new, &kept)?;
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
        attached.push(Attachment {
            name: name.unwrap_or_default(),
            digest,
            bytes: bytes.len() as u64,
        });
    }
    Ok(attached)
}

pub(super) async fn fail(app: &App, args: &StepArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let step = step_of(log.state(), &args.step)?;
    let index = log.state().position(&step)?;
    let running = log.state().states[index].status == Status::Running;
    if running && !log.state().steps[index].action.is_reported() {
        return Err(Failure::refused(format!("{step} is running and may still succeed"))
            .hint(format!("`backout stop {} {step} --reason …` stops it", log.state().run)));
    }
    let done = say(
        app,
        &mut log,
        args.who.who.as_deref(),
        &Act::Fail { step: step.clone() },
        &args.reason,
        |state| {
            let attempt = attempt_of(state, &step)?;
            Ok(vec![Event::StepFailed {
                step: step.clone(),
                attempt,
                effect: FailureEffect::Unknown,
                error: args.reason.clone(),
                evidence: Evidence::default(),
            }])
        },
    )
    .await?;
    if done == Exit::Done {
        then(app, log.state(), &format!("{step} has failed."));
    }
    Ok(done)
}

macro_rules! simple {
    ($name:ident, $act:ident, $event:ident, $said:literal) => {
        pub(super) async fn $name(app: &App, args: &StepArgs) -> Done {
            let mut log = open(app, &args.run).await?;
            let step = step_of(log.state(), &args.step)?;
            let what = Act::$act { step: step.clone() };
            let event = Event::$event { step: step.clone(), reason: args.reason.clone() };
            let done = say(app, &mut log, args.who.who.as_deref(), &what, &args.reason, |_| {
                Ok(vec![event.clone()])
            })
            .await?;
            if done == Exit::Done {
                then(app, log.state(), &format!(concat!("{} ", $said), step));
            }
            Ok(done)
        }
    };
}

simple!(retry, Retry, StepRetried, "will run again.");
simple!(skip, Skip, StepSkipped, "is left out.");

pub(super) async fn stop(app: &App, args: &StepArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let step = step_of(log.state(), &args.step)?;
    let done = say(
        app,
        &mut log,
        args.who.who.as_deref(),
        &Act::Stop { step: step.clone() },
        &args.reason,
        |state| {
            let attempt = attempt_of(state, &step)?;
            Ok(vec![Event::StepStopAsked {
                step: step.clone(),
                attempt,
                reason: args.reason.clone(),
            }])
        },
    )
    .await?;
    if done == Exit::Done {
        then(app, log.state(), &format!("{step} is being stopped, with everything it started."));
    }
    Ok(done)
}

fn read_step_file(path: &Path, state: &RunState) -> Result<Step, Failure> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(path).map_err(|error| {
            Failure::usage(format!("{} cannot be read: {error}", path.display()))
        })?;
    }
    let file = path.display().to_string();
    read_step(&bytes, &state.planned.plan, &state.steps).map_err(|(text, problems)| {
        for problem in &problems {
            anstream::eprintln!("{}\n", problem.render(&file, &text, colour(&std::io::stderr())));
        }
        Failure::new(Exit::Failed, format!("{file} is not a step; nothing was changed"))
    })
}

fn digest_of(step: &Step) -> Result<Digest, Failure> {
    Ok(Digest::of(&serde_json::to_vec(step)?))
}

pub(super) async fn add(app: &App, args: &AddArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let step = read_step_file(&args.step, log.state())?;
    let behind = args.after.as_deref().map(|after| step_of(log.state(), after)).transpose()?;
    let before: Vec<StepId> =
        args.before.iter().map(|before| step_of(log.state(), before)).collect::<Result<_, _>>()?;
    let id = step.id.clone();
    let what = Act::Add { step: id.clone(), what: digest_of(&step)? };
    let not_before = times::release(&step, log.state().planned.plan.window.as_ref());
    let event = Event::StepAdded {
        step: Box::new(step),
        behind,
        before,
        not_before,
        reason: args.reason.clone(),
    };
    let done = say(app, &mut log, args.who.who.as_deref(), &what, &args.reason, |_| {
        Ok(vec![event.clone()])
    })
    .await?;
    if done == Exit::Done {
        then(app, log.state(), &format!("{id} is added."));
    }
    Ok(done)
}

pub(super) async fn replace(app: &App, args: &ReplaceArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let old = step_of(log.state(), &args.step)?;
    let mut step = read_step_file(&args.file, log.state())?;
    step.id = old.clone();
    let what = Act::Replace { step: old.clone(), what: digest_of(&step)? };
    let not_before = times::release(&step, log.state().planned.plan.window.as_ref());
    let event =
        Event::StepReplaced { step: Box::new(step), not_before, reason: args.reason.clone() };
    let done = say(app, &mut log, args.who.who.as_deref(), &what, &args.reason, |_| {
        Ok(vec![event.clone()])
    })
    .await?;
    if done == Exit::Done {
        then(app, log.state(), &format!("{old} is replaced."));
    }
    Ok(done)
}

pub(super) async fn resolve(app: &App, args: &ResolveArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let step = step_of(log.state(), &args.step)?;
    let answer = match args.answer {
        Verdict::Happened => Answer::Happened,
        Verdict::DidNotHappen => Answer::DidNotHappen,
        Verdict::Hold => Answer::Hold,
    };
    let what = Act::Resolve { step: step.clone(), answer };
    let done = say(app, &mut log, args.who.who.as_deref(), &what, &args.reason, |state| {
        let attempt = attempt_of(state, &step)?;
        Ok(vec![Event::StepResolved {
            step: step.clone(),
            attempt,
            answer,
            by: ResolvedBy::Person,
            reason: args.reason.clone(),
        }])
    })
    .await?;
    if done == Exit::Done {
        then(app, log.state(), &format!("{step} is resolved."));
    }
    Ok(done)
}

pub(super) async fn assign(app: &App, args: &AssignArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let state = log.state();
    // A role stands for whoever holds it.
    let as_role = RoleId::new(args.to.as_str())
        .ok()
        .filter(|role| state.planned.plan.roles.contains_key(role));
    let to = as_role.map_or_else(|| args.to.clone(), |role| state.planned.plan.person(&role));
    let steps: Vec<StepId> = match RoleId::new(args.what.as_str()) {
        Ok(role)
            if state.planned.plan.roles.contains_key(&role)
                && state
                    .step(
                        &StepId::new(args.what.as_str())
                            .map_err(|e| Failure::usage(e.to_string()))?,
                    )
                    .is_none() =>
        {
            let open = |i: &usize| {
                state.selected[*i]
                    && state.steps[*i].owner.as_ref() == Some(&role)
                    && !state.states[*i].status.is_settled()
            };
            (0..state.steps.len()).filter(open).map(|i| state.steps[i].id.clone()).collect()
        }
        _ => vec![step_of(state, &args.what)?],
    };
    if steps.is_empty() {
        return Err(Failure::refused(format!("{} has no open steps", args.what)));
    }
    let what = Act::Assign { step: steps[0].clone(), also: steps[1..].to_vec(), to: to.clone() };
    let done = say(app, &mut log, args.who.who.as_deref(), &what, &args.reason, |_| {
        let handed = |step: &StepId| Event::StepAssigned {
            step: step.clone(),
            to: to.clone(),
            reason: args.reason.clone(),
        };
        Ok(steps.iter().map(handed).collect())
    })
    .await?;
    if done == Exit::Done {
        let names: Vec<&str> = steps.iter().map(StepId::as_str).collect();
        then(app, log.state(), &format!("{} now has {}.", to, names.join(", ")));
    }
    Ok(done)
}

pub(super) async fn hold(app: &App, args: &RunActArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let event = Event::RunHeld { reason: args.reason.clone() };
    let done = say(app, &mut log, args.who.who.as_deref(), &Act::Hold, &args.reason, |_| {
        Ok(vec![event.clone()])
    })
    .await?;
    if done == Exit::Done {
        anstream::println!(
            "{0} is held: what runs is finished, nothing starts. `backout resume {0}` goes on.",
            log.state().run
        );
    }
    Ok(done)
}

pub(super) async fn escalate(app: &App, args: &EscalateArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let options = &log.state().planned.plan.options;
    let option: OptionId =
        options.keys().find(|id| id.as_str() == args.option).cloned().ok_or_else(|| {
            let names: Vec<&str> = options.keys().map(|id| id.as_str()).collect();
            Failure::usage(format!("the plan has no option `{}`", args.option))
                .hint(format!("its options are {}", names.join(", ")))
        })?;
    if log.state().option.as_ref() == Some(&option) {
        return Err(Failure::refused(format!("the run is on option {option} already")));
    }
    if log.state().release.goes_forward() {
        let run = log.state().run.as_str();
        return Err(Failure::refused(format!("{run} does not go back yet")).hint(format!(
            "`backout decide {run} back-out --option {option} --reason …` goes back this way"
        )));
    }
    let event = Event::OptionChosen { option: option.clone(), reason: args.reason.clone() };
    let what = Act::Escalate { option: option.clone() };
    let done = say(app, &mut log, args.who.who.as_deref(), &what, &args.reason, |_| {
        Ok(vec![event.clone()])
    })
    .await?;
    if done == Exit::Done {
        then(
            app,
            log.state(),
            &format!("The run goes on with option {option}; what is done stays done."),
        );
    }
    Ok(done)
}

pub(super) async fn abandon(app: &App, args: &RunActArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let running: Vec<String> = log
        .state()
        .active()
        .filter(|&i| {
            log.state().states[i].status == Status::Running
                && !log.state().steps[i].action.is_manual()
        })
        .map(|i| log.state().steps[i].id.to_string())
        .collect();
    if !running.is_empty() {
        return Err(Failure::refused(format!("{} is still running", running.join(", "))).hint(
            "stop it first: `backout stop RUN STEP`; an abandoned run is watched by nobody",
        ));
    }
    let outcome = Outcome::Abandoned { reason: args.reason.clone() };
    let event = Event::RunFinished { outcome };
    let done = say(app, &mut log, args.who.who.as_deref(), &Act::Abandon, &args.reason, |_| {
        Ok(vec![event.clone()])
    })
    .await?;
    if done == Exit::Done {
        anstream::println!("{} is abandoned. What was done stays as it is.", log.state().run);
    }
    Ok(done)
}
