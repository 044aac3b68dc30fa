//! A log that has lost its end, rebuilt from what the ledger proves.
//!
//! Of what is lost, the ledger holds the attempts of machines: each with the record of its
//! intent, its action, its key, and how it ended. So the log is told of these attempts anew
//! ([`Event::StepRecovered`]), and each is settled as after a crash: by its result, its process,
//! its effect class, its verification, a person. An attempt that does not fit the plan as this
//! log knows it is in doubt. What people said and decided in between is lost, and has to be said
//! again; so the run is held.

use serde::{Deserialize, Serialize};

use crate::attempt::AttemptId;
use crate::event::{Direction, Event, Reason};
use crate::ids::{Digest, Epoch, OptionId, RunId, Seq, StepId};
use crate::part::Part;
use crate::plan::{Effect, Plan, Step};
use crate::state::RunState;
use crate::status::Status;

/// How an attempt ended, as far as the ledger says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// Its action is done.
    Done,
    /// It failed.
    Failed,
    /// A process of it is alive.
    AtWork,
    /// Nothing says how.
    Unknown,
}

impl AttemptEnd {
    /// For people.
    #[must_use]
    pub fn shown(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::AtWork => "at work",
            Self::Unknown => "its end is not known",
        }
    }
}

/// An attempt that the ledger proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenAttempt {
    /// Which attempt at which step of which run.
    pub id: AttemptId,
    /// Its key, where its request can be read.
    pub key: Option<String>,
    /// Its effect class, where its request can be read.
    pub effect: Option<Effect>,
    /// The term of the coordinator that dispatched it.
    pub epoch: Epoch,
    /// How it ended.
    pub end: AttemptEnd,
}

/// An attempt at a step that the rebuilt log does not have: the step was added in the part that
/// is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnplacedAttempt {
    /// The step.
    pub step: StepId,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Digest of the record of its intent.
    pub intent: Digest,
}

/// The events that tell a log of the attempts it has lost: `known` is the highest record that is
/// known to have been committed.
pub(crate) fn recovered(
    state: &RunState,
    found: &[ProvenAttempt],
    known: Option<Seq>,
    ledger_behind: bool,
    reason: &str,
) -> Vec<Event> {
    let ids: Vec<AttemptId> = found.iter().map(|proven| proven.id.clone()).collect();
    let lost: Vec<&AttemptId> = state.unknown(&ids).collect();
    let mut lost: Vec<&ProvenAttempt> =
        found.iter().filter(|proven| lost.contains(&&proven.id)).collect();
    lost.sort_by_key(|proven| (proven.id.attempt, proven.epoch));
    let (placed, unplaced): (Vec<_>, Vec<_>) =
        lost.into_iter().partition(|proven| state.step(&proven.id.step).is_some());
    let unplaced = unplaced.into_iter().map(|proven| UnplacedAttempt {
        step: proven.id.step.clone(),
        attempt: proven.id.attempt,
        intent: proven.id.intent,
    });
    let begun = Event::LogRecovered {
        after: state.seq(),
        known,
        epoch: found.iter().map(|proven| proven.epoch).max().unwrap_or_default(),
        unplaced: unplaced.collect(),
        reason: reason.to_owned(),
    };
    // A step of the way back is only ever carried out once the run has turned: where that is in
    // the part that is lost, the run must not go forward again.
    let turned = placed.iter().any(|proven| {
        let index = state.position(&proven.id.step);
        index.is_ok_and(|index| state.part(index) == Part::Backout)
    });
    let goes_back = (turned && state.release().goes_forward()).then(|| {
        let steps: Vec<&StepId> = placed.iter().map(|proven| &proven.id.step).collect();
        let option = option_of(&state.planned().plan, &steps);
        Event::BackoutStarted { option, reason: Reason::Person(reason.to_owned()) }
    });
    let told = placed.iter().map(|proven| told(state, proven));
    let is_told = |id: &StepId| placed.iter().any(|proven| proven.id.step == *id);
    let unproven = state.steps().iter().enumerate().filter(|(index, step)| {
        let may_have_begun = match state.states()[*index].status {
            Status::Pending | Status::Failed => true,
            // What is written down of the attempt that is known counts, as after any crash.
            Status::Running => !is_known_to_end(state, *index, found),
            _ => false,
        };
        ledger_behind && may_have_begun && changes_anything(step) && !is_told(&step.id)
    });
    let run = || state.run().clone();
    let unproven = unproven.map(|(index, step)| Event::StepInherited {
        step: step.id.clone(),
        run: run(),
        attempt: match state.states()[index].status {
            Status::Running => state.states()[index].attempt,
            _ => state.states()[index].attempt + 1,
        },
        key: None,
        end: AttemptEnd::Unknown,
    });
    std::iter::once(begun).chain(told).chain(unproven).chain(goes_back).collect()
}

/// Whether a machine carries it out, and not only to read. To be repeatable is not to be harmless
/// behind the steps that came after it: a restore undoes what was done on what it had restored.
fn changes_anything(step: &Step) -> bool {
    step.action.is_dispatched() && step.effect() != Effect::Read
}

/// Whether the ledger says how the present attempt at a step ended, or that it is at work.
fn is_known_to_end(state: &RunState, index: usize, found: &[ProvenAttempt]) -> bool {
    let id = state.attempt_id(index);
    let ends = found.iter().filter(|proven| Some(&proven.id) == id.as_ref());
    ends.into_iter().any(|proven| proven.end != AttemptEnd::Unknown)
}

/// The option that was on the way when these steps were carried out: the usual one if it holds
/// each of them that is of the way back, else the first that does.
fn option_of(plan: &Plan, steps: &[&StepId]) -> Option<OptionId> {
    let holds = |option: &&OptionId| {
        let listed = plan.options.get(*option).and_then(|option| option.steps.as_ref());
        let is_of_way_back = |id: &StepId| plan.steps.iter().any(|step| step.id == *id);
        listed
            .is_none_or(|listed| steps.iter().all(|id| !is_of_way_back(id) || listed.contains(id)))
    };
    let usual = plan.default_option().filter(&holds);
    usual.or_else(|| plan.options.keys().find(&holds)).cloned()
}

/// Whether an earlier run of a change had begun to back out, by what its ledger proves.
#[must_use]
pub fn has_turned(plan: &Plan, found: &[ProvenAttempt]) -> bool {
    found.iter().any(|proven| plan.steps.iter().any(|step| step.id == proven.id.step))
}

fn told(state: &RunState, ProvenAttempt { id, key, effect, .. }: &ProvenAttempt) -> Event {
    let step = state.step(&id.step);
    let same_action = step
        .is_some_and(|(step, _)| step.action.is_dispatched() && step.action_digest() == id.action);
    let later = step.is_some_and(|(_, known)| known.attempt < id.attempt);
    Event::StepRecovered {
        step: id.step.clone(),
        attempt: id.attempt,
        key: key.clone().unwrap_or_default(),
        action: id.action,
        intent: id.intent,
        fits: same_action && later && key.is_some() && effect.is_some(),
    }
}

/// The steps of a plan that an earlier run of the change carried out, or may have, as events of
/// the first record of a run that begins in its place. `found` are the attempts its ledger
/// proves; `left` is what is left of its log, if anything.
#[must_use]
pub fn inherited(
    plan: &Plan,
    direction: Direction,
    run: &RunId,
    found: &[ProvenAttempt],
    ledger_behind: bool,
    left: Option<&RunState>,
) -> Vec<Event> {
    // A run that only backs out has no stages.
    let stages = plan.stages.iter().filter(|_| direction == Direction::Forward);
    let events = stages.chain(&plan.steps).filter_map(|step| {
        let of_step = found.iter().filter(|proven| proven.id.step == step.id);
        let last = of_step.max_by_key(|proven| (proven.id.attempt, proven.epoch));
        let known = left.and_then(|left| left.step(&step.id)).map(|(_, known)| known);
        let known = known.filter(|known| known.attempt > 0 || known.status.is_settled());
        let (attempt, key, end) = match (last, known) {
            (Some(proven), _) => {
                let same_action = proven.id.action == step.action_digest();
                (proven.id.attempt, proven.key.clone().filter(|_| same_action), proven.end)
            }
            // A person's step, or one whose ledger is gone: what the log says is all there is.
            (None, Some(known)) => {
                let end = match known.status {
                    Status::Succeeded => AttemptEnd::Done,
                    Status::Failed => AttemptEnd::Failed,
                    _ => AttemptEnd::Unknown,
                };
                (known.attempt, None, end)
            }
            (None, None) if ledger_behind && changes_anything(step) => {
                (1, None, AttemptEnd::Unknown)
            }
            (None, None) => return None,
        };
        let (step, run) = (step.id.clone(), run.clone());
        Some(Event::StepInherited { step, run, attempt, key, end })
    });
    events.collect()
}
