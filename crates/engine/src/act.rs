//! What people do to a run, whether a coordinator is running or not.
//!
//! A person's act is one record in the log. It is written straight into it,
//! behind the position the person saw; when the coordinator was quicker, the act
//! is judged again on the new state. So an answer is never lost between two
//! processes, and never applied to a situation the person did not see.

use std::collections::BTreeSet;

use jiff::Timestamp;

use backout_core::act::Act;
use backout_core::authority::{self, Person, Verdict};
use backout_core::event::Event;
use backout_core::record::{Actor, Record};
use backout_core::state::{Illegal, RunState};

use crate::journal::{AppendError, Journal};
use crate::log::{RunLog, WriteError};

/// How an act ended.
#[derive(Debug)]
pub enum Acted {
    /// It is in the log.
    Done {
        /// The record.
        record: Record,
        /// Why they may.
        because: String,
    },
    /// It takes more people; this one's word is in the log.
    Needs {
        /// Whose word counts, for people.
        who: String,
        /// How many more.
        more: u32,
    },
    /// They may not; that is in the log.
    Denied {
        /// Why.
        why: String,
    },
}

/// Carries out a person's act: checks authority, builds the events from the
/// present state, appends them.
///
/// # Errors
/// [`WriteError::Illegal`] when the act makes no sense in the present state.
pub async fn act<J: Journal>(
    log: &mut RunLog<J>,
    person: &Person,
    actor: &Actor,
    at: Timestamp,
    act: &Act,
    reason: &str,
    events: impl Fn(&RunState) -> Result<Vec<Event>, Illegal>,
) -> Result<Acted, WriteError> {
    loop {
        log.refresh().await?;
        let state = log.state();
        let epoch = state.epoch;
        let wanted = events(state)?;
        if let Some(first) = wanted.first() {
            state.allows(first)?;
            goes_on(state, first)?;
        }
        let verdict = authority::may(&state.planned.plan, Some(state), person, act);
        let (write, outcome) = match verdict {
            Verdict::Allowed { because } => (agreed_to(wanted, state, person, act), Ok(because)),
            Verdict::Needs { who, more, .. } => {
                let proposed = Event::ActProposed { act: act.clone(), reason: reason.to_owned() };
                (vec![proposed], Err(Acted::Needs { who, more }))
            }
            Verdict::Denied { why } => {
                let refused = Event::ActRefused { act: act.clone(), why: why.clone() };
                (vec![refused], Err(Acted::Denied { why }))
            }
        };
        match log.append(epoch, actor.clone(), at, write).await {
            Ok(record) => {
                return Ok(match outcome {
                    Ok(because) => Acted::Done { record, because },
                    Err(other) => other,
                });
            }
            Err(WriteError::Append(AppendError::Moved)) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Once the run goes back no stage is done again: what is undone would be there anew.
fn goes_on(state: &RunState, event: &Event) -> Result<(), Illegal> {
    let (Event::StepRetried { .. } | Event::StepReplaced { .. }) = event else { return Ok(()) };
    let place = event.step().map(|step| state.position(step)).transpose()?;
    let is_stage = place.is_some_and(|place| place < state.release.stages);
    match is_stage && state.release.back.is_some() {
        true => Err(Illegal::Release("the run does not go forward")),
        false => Ok(()),
    }
}

/// A decision names who had asked for the very same before.
fn agreed_to(mut events: Vec<Event>, state: &RunState, person: &Person, act: &Act) -> Vec<Event> {
    let others = state.proposals.iter().filter(|(proposed, by)| {
        proposed == act && by.to_lowercase() != person.name.to_lowercase()
    });
    let others: BTreeSet<String> = others.map(|(_, by)| by.clone()).collect();
    for event in &mut events {
        if let Event::DecisionMade { agreed, .. } = event {
            *agreed = others.iter().cloned().collect();
        }
    }
    events
}
