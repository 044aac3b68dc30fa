//! Commands about steps.

use jiff::Timestamp;

use crate::act::Act;
use crate::cause::StepFault;
use crate::command::{AttestedStep, Command, Request};
use crate::event::{Event, Evidence, FailureEffect, ResolvedBy};
use crate::ids::StepId;
use crate::illegal::Illegal;
use crate::record::Actor;
use crate::refusal::Refusal;
use crate::state::RunState;
use crate::status::Status;

/// What a command about a step comes to.
pub(super) fn events(
    state: &RunState,
    actor: &Actor,
    request: &Request,
    act: &Act,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    let reason = request.reason().unwrap_or_default().to_owned();
    let impossible = |error| Refusal::NotPossible { act: Box::new(act.clone()), error };
    let attempt = |step: &StepId| {
        state.position(step).map(|index| state.states[index].attempt).map_err(impossible)
    };
    Ok(match &request.command {
        Command::Acknowledge { step, note, attached } => {
            let evidence = Evidence {
                summary: note.clone().unwrap_or_default(),
                attached: attached.clone(),
                ..Evidence::default()
            };
            acknowledge(state, actor, step, note.clone(), evidence).map_err(impossible)?
        }
        Command::Fail { step, evidence } => {
            may_be_failed(state, step, act)?;
            vec![Event::StepFailed {
                step: step.clone(),
                attempt: attempt(step)?,
                effect: FailureEffect::Unknown,
                fault: StepFault::Reported { reason },
                evidence: evidence.clone(),
            }]
        }
        Command::Stop { step } => {
            let attempt = attempt(step)?;
            vec![Event::StepStopRequested { step: step.clone(), attempt, reason }]
        }
        Command::CheckAgain { step } => {
            let attempt = attempt(step)?;
            is_on_option(state, step, act)?;
            let found = state.step(step).map(|(step, _)| step);
            let asked = Event::StepCheckRequested { step: step.clone(), attempt, reason };
            // Where the step stands is said first: what can be done instead depends on it.
            state.with(std::slice::from_ref(&asked), actor, now).map_err(impossible)?;
            if found.is_some_and(|step| step.machine_checks().next().is_none()) {
                return Err(Refusal::NothingToCheck { step: step.clone() });
            }
            vec![asked]
        }
        Command::Retry { step, new_key } => {
            goes_on(state, step, act)?;
            is_on_option(state, step, act)?;
            vec![Event::StepRetried { step: step.clone(), new_key: *new_key, reason }]
        }
        Command::Skip { step } => {
            vec![Event::StepSkipped { step: step.clone(), confirmed: Vec::new(), reason }]
        }
        Command::Add { step, after, before, not_before } => vec![Event::StepAdded {
            step: step.clone(),
            after: after.clone(),
            before: before.clone(),
            not_before: *not_before,
            reason,
        }],
        Command::Replace { step, not_before } => {
            goes_on(state, &step.id, act)?;
            vec![Event::StepReplaced { step: step.clone(), not_before: *not_before, reason }]
        }
        Command::Resolve { step, answer } => vec![Event::StepResolved {
            step: step.clone(),
            attempt: attempt(step)?,
            answer: *answer,
            by: ResolvedBy::Person,
            reason: Some(reason),
        }],
        Command::Attest { first, also } => {
            std::iter::once(&**first).chain(also).map(|step| attested(step, &reason)).collect()
        }
        Command::Assign { step, also, to } => std::iter::once(step)
            .chain(also)
            .map(|step| Event::StepAssigned {
                step: step.clone(),
                to: to.clone(),
                reason: reason.clone(),
            })
            .collect(),
        // About the run or the release, not about a step.
        Command::AgreeToStart
        | Command::Hold
        | Command::Resume
        | Command::GoOnHere { .. }
        | Command::TakeOver { .. }
        | Command::Recover { .. }
        | Command::SwitchOption { .. }
        | Command::Abandon
        | Command::Decide { .. }
        | Command::Approve { .. }
        | Command::LogDefect { .. } => Vec::new(),
    })
}

fn attested(step: &AttestedStep, reason: &str) -> Event {
    Event::StepAttested {
        step: step.step.clone(),
        result: step.result,
        name: step.name.clone(),
        started: step.started,
        ended: step.ended,
        evidence: step.evidence.clone(),
        reason: reason.to_owned(),
    }
}

/// A manual step is done, or what a person has to confirm is so. Another system reports and
/// does not confirm.
fn acknowledge(
    state: &RunState,
    actor: &Actor,
    step: &StepId,
    note: Option<String>,
    evidence: Evidence,
) -> Result<Vec<Event>, Illegal> {
    let index = state.position(step)?;
    let (found, known) = (&state.steps[index], &state.states[index]);
    let (step, attempt) = (step.clone(), known.attempt);
    let asks = found.confirmations().next().is_some();
    let confirms = asks && matches!(actor, Actor::Person { .. });
    let confirmed = Event::StepConfirmed { step: step.clone(), attempt, note };
    match known.status {
        // The person who does the step confirms what it asks to confirm.
        Status::Running if found.action.is_reported() => {
            let executed = Event::StepExecuted { step, attempt, evidence };
            Ok(if confirms { vec![executed, confirmed] } else { vec![executed] })
        }
        Status::Verifying if confirms && !known.confirmed => Ok(vec![confirmed]),
        status => Err(Illegal::Status { step, status }),
    }
}

/// A machine's step may still succeed while it runs: a person's word does not end it, or a
/// second attempt could begin beside the first.
fn may_be_failed(state: &RunState, step: &StepId, act: &Act) -> Result<(), Refusal> {
    let impossible = |error| Refusal::NotPossible { act: Box::new(act.clone()), error };
    let index = state.position(step).map_err(impossible)?;
    match state.states[index].status {
        Status::Running if !state.steps[index].action.is_reported() => {
            Err(Refusal::StepRunning { step: step.clone() })
        }
        Status::InDoubt => Err(Refusal::StepInDoubt { step: step.clone() }),
        _ => Ok(()),
    }
}

/// Nothing comes of a step that the option has left behind.
fn is_on_option(state: &RunState, step: &StepId, act: &Act) -> Result<(), Refusal> {
    let impossible = |error| Refusal::NotPossible { act: Box::new(act.clone()), error };
    let index = state.position(step).map_err(impossible)?;
    match state.selected[index] {
        true => Ok(()),
        false => Err(impossible(Illegal::Release("the step is not part of the option in force"))),
    }
}

/// Once the run goes back no stage is done again: what is undone would be there anew.
fn goes_on(state: &RunState, step: &StepId, act: &Act) -> Result<(), Refusal> {
    let impossible = |error| Refusal::NotPossible { act: Box::new(act.clone()), error };
    let index = state.position(step).map_err(impossible)?;
    match state.is_stage(index) && state.release.back.is_some() {
        true => Err(impossible(Illegal::Release("the run does not go forward"))),
        false => Ok(()),
    }
}

/// The steps that become ready by what was changed and let users in.
pub(super) fn lets_users_in(before: &RunState, then: &RunState) -> Vec<StepId> {
    let became = then.ready_steps().filter(|step| !before.is_ready(&step.id));
    became.filter(|step| step.lets_users_in()).map(|step| step.id.clone()).collect()
}
