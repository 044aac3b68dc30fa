//! Refusals in words: what happened, why, and the next command.

use backout_core::cause::Concern;
use backout_core::event::Direction;
use backout_core::handle::AtWork;
use backout_core::plan::Plan;
use backout_core::refusal::{Refusal, RefusalKind, StillAsked};
use backout_core::state::RunState;
use backout_documents::saying;
use jiff::tz::TimeZone;

use super::replies::{self, About};
use super::{release, words};
use crate::failure::Failure;

/// A command to a run that was refused.
pub(crate) fn of_run(refusal: &Refusal, state: &RunState) -> Failure {
    let about = About { run: state.run().as_str(), ..About::default() };
    failure(refusal, &state.planned().plan, Some(state), &about)
}

/// The same, where it is judged before anything can be written: a denial is in no log.
pub(crate) fn before_it_is_logged(refusal: &Refusal, state: &RunState) -> Failure {
    let about = About { run: state.run().as_str(), ..About::default() };
    unlogged(refusal, &state.planned().plan, Some(state), &about)
}

/// A run of a plan that may not begin. `about` holds the plan file and the arguments.
pub(crate) fn of_plan(refusal: &Refusal, plan: &Plan, about: &About<'_>) -> Failure {
    failure(refusal, plan, None, about)
}

/// A refusal as the end of a command: every one names the commands that can follow.
fn failure(refusal: &Refusal, plan: &Plan, run: Option<&RunState>, about: &About<'_>) -> Failure {
    let failure = unlogged(refusal, plan, run, about);
    match matches!(refusal, Refusal::Denied { .. }) && run.is_some() {
        true => failure.hint("this was logged"),
        false => failure,
    }
}

fn unlogged(refusal: &Refusal, plan: &Plan, run: Option<&RunState>, about: &About<'_>) -> Failure {
    let text = text(refusal, Some(plan), run, &words::zone(plan));
    let mut failure = match refusal.kind() {
        RefusalKind::Question => Failure::question(text),
        RefusalKind::AlreadySo => Failure::note(text),
        RefusalKind::Refused => Failure::refused(text),
        RefusalKind::Usage => Failure::usage(text),
    };
    for reply in refusal.replies(plan, run) {
        let command = replies::command_about(&reply, about);
        failure = failure.hint(format!("{}: `{command}`", replies::meaning(reply.meaning)));
    }
    if let Refusal::Confirm { concern: Concern::Irreversible { .. }, .. } = refusal {
        for line in release::instead(plan) {
            failure = failure.hint(line);
        }
    }
    if let Refusal::AtWork { at_work, .. } = refusal {
        let first = match at_work {
            AtWork::Coordinator(_) => {
                "Ctrl-C there twice leaves it, and so does ending its process: the steps under way go on"
            }
            AtWork::Step(_) => "wait until it has ended",
        };
        failure = failure.hint(first).hint("then the same command begins the new run");
    }
    failure
}

/// What was refused, and why.
pub(crate) fn text(
    refusal: &Refusal,
    plan: Option<&Plan>,
    run: Option<&RunState>,
    zone: &TimeZone,
) -> String {
    let id = || run.map_or_else(|| "the run".to_owned(), |state| state.run().to_string());
    match refusal {
        Refusal::Denied { act, denial } => {
            format!("you may not {}: {}", act.shown(), saying::denial(plan, denial))
        }
        Refusal::Finished => format!("{} is finished: there is nothing to decide or change", id()),
        Refusal::ReasonMissing { act } => {
            format!("the reason is empty: `{}` needs one for the review", act.shown())
        }
        Refusal::TitleMissing => "the title of the defect is empty".to_owned(),
        Refusal::NothingLost => {
            format!(
                "the log of {} holds all that is known of it: there is nothing to rebuild",
                id()
            )
        }
        Refusal::OtherFolder => format!(
            "this state folder is a copy, or was moved: what is said here is not heard where {} was at work",
            id()
        ),
        Refusal::HeldAlready => format!("{} is held already", id()),
        Refusal::ApprovedAlready { stage } => format!("{stage} is approved already"),
        Refusal::NotPossible { act, error } => format!("cannot {}: {error}", act.shown()),
        Refusal::StepRunning { step } => format!("{step} is running and may still succeed"),
        Refusal::StepInDoubt { step } => {
            format!("the outcome of {step} is unknown: say whether it happened")
        }
        Refusal::StepsRunning { steps } => {
            let steps: Vec<&str> = steps.iter().map(|step| step.as_str()).collect();
            format!(
                "{} still running, and no coordinator watches an abandoned run",
                match steps.len() {
                    1 => format!("{} is", steps[0]),
                    _ => format!("{} are", steps.join(", ")),
                }
            )
        }
        Refusal::NothingToCheck { step } => {
            format!("{step} has no verification that a machine can ask")
        }
        Refusal::StepChanged { step, now } => {
            format!("{step} changed since it was shown; it is {now} now")
        }
        Refusal::Confirm { concern, .. } => saying::concern(concern, zone),
        Refusal::FixTooLong { most } => {
            format!("the policy of this machine lets a fix be tried for {most} at most")
        }
        Refusal::FixForNoTime => "--for must be longer than 0".to_owned(),
        Refusal::GoesBackAlready { left } => match left {
            StillAsked::Option(option) => {
                format!("{} goes back already, by another option; switch to {option}?", id())
            }
            StillAsked::Move if run.is_some_and(RunState::awaits_agreement) => {
                format!("{} goes back once more people agree that it starts; agree?", id())
            }
            StillAsked::Move if run.is_some_and(|state| state.holding().is_some()) => {
                format!("{} holds, with users kept out; go on with another option?", id())
            }
            StillAsked::Move => format!("{} goes back already, and is held; go on?", id()),
            StillAsked::Nothing | StillAsked::Forward => format!("{} goes back already", id()),
        },
        Refusal::GoesForward { option } => {
            format!("{} goes forward: there is no option yet to switch to {option} from", id())
        }
        Refusal::OnOptionAlready { option } => format!("{} is on option {option} already", id()),
        Refusal::AtWork { run, at_work: AtWork::Coordinator(id) } => {
            format!("{id} is at work on {run}")
        }
        Refusal::AtWork { run, at_work: AtWork::Step(step) } => {
            format!("{step} of {run} is still at work")
        }
        Refusal::SecondRun { run, direction, may_begin, .. } => {
            let does = match direction {
                Some(Direction::Forward) => "deploys the same change and is not finished",
                Some(Direction::Back) => "backs out the same change and is not finished",
                None => "is of the same change, and its log is gone, damaged or cut off",
            };
            let policy = match may_begin {
                true => "",
                false => "; the policy of this machine allows no second run",
            };
            format!("{run} {does}: a second run could repeat its steps{policy}")
        }
        Refusal::AwaitsAgreement { run } => {
            format!("{run} of the same change waits for more people to agree that it starts")
        }
        Refusal::NoStages => {
            "this plan has no stages: it says how to back out, not how to deploy".to_owned()
        }
        Refusal::NothingSelected => "there is nothing to do: the option has no steps".to_owned(),
        Refusal::BaselinesMissing { names } => {
            let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            format!("these baselines are not captured for this change: {}", names.join(", "))
        }
        Refusal::TooFewPeople { quorum, people } => format!(
            "{quorum} people have to agree that it starts, and the plan has {people} for it"
        ),
        Refusal::PlanErrors { rules } => {
            format!("{}: nothing is deployed", saying::broken_rules(rules))
        }
    }
}
