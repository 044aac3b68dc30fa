//! What has to happen next.
//!
//! [`decide`] is a pure function of the state and the time. It names every
//! intent that is due now; the engine writes those that are facts into the log,
//! carries out those that are effects, and asks again after each change. Asking
//! twice without a change gives the same answer, so nothing is lost when the
//! engine dies between asking and doing.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::act::Answer;
use crate::cause::StepFault;
use crate::decision;
use crate::doubt;
use crate::event::{Outcome, ResolvedBy};
use crate::intent::{Intent, Purpose, Timer};
use crate::parallel::{free_places, takes_place};
use crate::plan::Step;
use crate::release::Attention;
use crate::state::RunState;
use crate::status::{Status, StepState, StopCause};

/// What has to happen next. See the module documentation.
#[must_use]
pub fn decide(state: &RunState, now: Timestamp) -> Vec<Intent> {
    if state.finished.is_some() {
        return Vec::new();
    }
    let forward = state.release.goes_forward();
    if state.awaits_agreement {
        return Vec::new();
    }
    if !forward && state.is_settled() {
        return end_of_backout(state, now);
    }
    let mut intents = if forward { decision::next(state, now) } else { Vec::new() };
    // While people decide, nothing goes forward. Nothing goes back while a stage is
    // still at work.
    let decides = intents.iter().any(|intent| !matches!(intent, Intent::Wake { .. }));
    let waits = match forward {
        true => state.release.open.is_some() || decides,
        false => state.active().any(|index| state.is_stage(index)),
    };
    let mut free = free_places(state);
    for index in state.active() {
        let next = next_for_active(state, index, now);
        if let Some(Intent::Verify { purpose: Purpose::LookOn, .. }) = next {
            let ripe = doubt::ripe_at(&state.steps[index], &state.states[index]);
            intents.extend(ripe.map(|at| Intent::Wake { at, of: Timer::Settled }));
        }
        let starts = matches!(next, Some(Intent::Start { .. }));
        if !starts || !waits && has_place(state, index, &mut free) {
            intents.extend(next);
        }
    }
    if state.held.is_none() && !state.is_halted() && !waits {
        let (starts, wake) = startable(state, now, &mut free);
        intents.extend(starts.into_iter().map(|step| Intent::Start { step }));
        intents.extend(wake.map(|at| Intent::Wake { at, of: Timer::Step }));
    }
    intents
}

/// What follows when every step of the option is done. It has helped when what fired is
/// healthy again; an option that keeps users out waits for the next one.
fn end_of_backout(state: &RunState, now: Timestamp) -> Vec<Intent> {
    if let Some(option) = state.holding_option() {
        let accepted = state.holding_accepted;
        return match state.holding {
            None => vec![Intent::Hold { option: option.clone() }],
            Some(_) if accepted => vec![Intent::Finish { outcome: Outcome::Partial }],
            Some(_) => Vec::new(),
        };
    }
    match decision::not_recovered(state).is_empty() {
        true => vec![Intent::Finish { outcome: outcome(state) }],
        false => decision::recovery(state, now),
    }
}

fn outcome(state: &RunState) -> Outcome {
    let left_out = (0..state.steps.len()).any(|i| {
        state.selected[i] && state.states[i].status == Status::Skipped && !state.steps[i].optional
    });
    let unwell = state.release.triggers.values().any(|seen| seen.attention == Attention::Accepted);
    let stays = state.left_standing().next().is_some()
        || state.version >= 2 && state.left_half_done().next().is_some();
    match () {
        () if left_out || unwell || stays => Outcome::Partial,
        () if state.version >= 2 && state.unverified().next().is_some() => Outcome::Unverified,
        () => Outcome::Reverted,
    }
}

fn next_for_active(state: &RunState, index: usize, now: Timestamp) -> Option<Intent> {
    let (step, known) = (&state.steps[index], &state.states[index]);
    let checkable = step.machine_checks().next().is_some();
    match known.status {
        Status::Verifying => {
            let confirmed = known.confirmed || step.confirmations().next().is_none();
            if checkable && !known.is_checked() {
                Some(Intent::Verify { step: index, purpose: Purpose::AfterAction })
            } else if confirmed {
                Some(Intent::Succeed { step: index })
            } else {
                None
            }
        }
        Status::InDoubt | Status::Held | Status::Failed if known.recheck => {
            let early = known.doubt.is_some() && !is_ripe(step, known, now);
            let purpose = Purpose::Probe { early };
            Some(Intent::Verify { step: index, purpose })
        }
        Status::InDoubt => {
            let cause = known.doubt?;
            let ripe = is_ripe(step, known, now);
            let looked = doubt::Looked::at(step, known);
            let next = doubt::next(step.effect(), cause, looked, ripe, known.recoveries);
            match next {
                // A person wanted it stopped: the program does not run it again.
                doubt::Next::Again if known.stop.is_some() => {
                    Some(Intent::Fail { step: index, fault: stopped(known) })
                }
                doubt::Next::Again => Some(Intent::Resolve {
                    step: index,
                    answer: Answer::DidNotHappen,
                    by: ResolvedBy::Class,
                }),
                doubt::Next::Probe => {
                    let purpose = Purpose::Probe { early: !ripe };
                    Some(Intent::Verify { step: index, purpose })
                }
                doubt::Next::AskAndLook => {
                    Some(Intent::Verify { step: index, purpose: Purpose::LookOn })
                }
                doubt::Next::Fail => Some(Intent::Fail {
                    step: index,
                    fault: StepFault::OutcomeUnknown { cause, finding: None },
                }),
                doubt::Next::Ask => None,
            }
        }
        Status::Failed => {
            let retry = step.retry.filter(|_| state.will_retry(index))?;
            if state.held.is_some() || state.is_halted() || !lane_is_free(state, index) {
                return None;
            }
            let since = known.since?;
            let due = since.checked_add(retry.pause.signed()).ok()?;
            // A clock that went backwards must not turn a pause into an hour.
            Some(if due <= now || now < since {
                Intent::Start { step: index }
            } else {
                Intent::Wake { at: due, of: Timer::Step }
            })
        }
        Status::Running | Status::Held | Status::Pending | Status::Succeeded | Status::Skipped => {
            None
        }
    }
}

/// Whether the effect of a try in doubt cannot appear any more.
fn is_ripe(step: &Step, known: &StepState, now: Timestamp) -> bool {
    doubt::ripe_at(step, known).is_some_and(|at| at <= now)
}

/// The fault of a step that was stopped.
#[must_use]
pub fn stopped(known: &StepState) -> StepFault {
    match &known.stop {
        Some(StopCause::Person(reason)) => StepFault::Stopped { reason: reason.clone() },
        Some(StopCause::Backout) => StepFault::StoppedForBackout,
        Some(StopCause::SeenToFail) | None => StepFault::Stopped { reason: String::new() },
    }
}

/// Whether no other step is in this step's lane.
fn lane_is_free(state: &RunState, index: usize) -> bool {
    let Some(lane) = &state.steps[index].exclusive else { return true };
    !state.active().any(|i| {
        i != index && state.steps[i].exclusive.as_ref() == Some(lane) && occupies_lane(state, i)
    })
}

fn occupies_lane(state: &RunState, index: usize) -> bool {
    matches!(state.states[index].status, Status::Running | Status::Verifying | Status::InDoubt)
}

/// Ready steps that may start now, given that people do one manual step at a time,
/// lanes hold one step, and machines have `free` places, all in the frozen order; and when to ask again
/// because a step may not start before then.
fn startable(
    state: &RunState,
    now: Timestamp,
    free: &mut usize,
) -> (Vec<usize>, Option<Timestamp>) {
    let ready = |wanted: fn(&Step) -> bool| state.ready.iter().any(|&i| wanted(&state.steps[i]));
    let hands = ready(|step| step.action.is_manual()).then(|| free_hands(state));
    let lanes = ready(|step| step.exclusive.is_some()).then(|| free_lanes(state));
    let (mut starts, mut wake) = (Vec::new(), None::<Timestamp>);
    for index in ready_in_turn(state, *free) {
        let step = &state.steps[index];
        if let (Some(lane), Some(lanes)) = (step.exclusive.as_deref(), &lanes)
            && lanes.get(lane) != Some(&index)
        {
            continue;
        }
        // A manual step of nobody waits for nobody.
        if let (true, Some(hands), Some(doer)) =
            (step.action.is_manual(), &hands, state.doer(index))
            && hands.get(&doer).is_some_and(|next| !next.contains(&index))
        {
            continue;
        }
        if state.is_stage(index) && !may_go_forward(state, index) {
            continue;
        }
        let not_before = [state.not_before.get(&step.id).copied(), settled_at(state, index)];
        match not_before.into_iter().flatten().max() {
            Some(at) if now < at => wake = Some(wake.map_or(at, |wake| wake.min(at))),
            _ if has_place(state, index, free) => starts.push(index),
            _ => {}
        }
    }
    (starts, wake)
}

/// The steps that are ready: where not each of them has a place, in the frozen order.
fn ready_in_turn(state: &RunState, free: usize) -> Vec<usize> {
    if state.ready.len() <= free {
        return state.ready.iter().copied().collect();
    }
    state.order.iter().copied().filter(|index| state.ready.contains(index)).collect()
}

/// Whether a step has what it takes to start: a place, if it takes one.
fn has_place(state: &RunState, index: usize, free: &mut usize) -> bool {
    if !takes_place(&state.steps[index]) {
        return true;
    }
    let is_free = *free > 0;
    *free = free.saturating_sub(1);
    is_free
}

/// From when on a `verifiable` step that failed may be run again: while the effect of the try
/// before may still appear, that its verification does not hold means nothing.
fn settled_at(state: &RunState, index: usize) -> Option<Timestamp> {
    let (step, known) = (&state.steps[index], &state.states[index]);
    let settles = step.settles.filter(|_| !step.is_local() && !known.key.is_empty())?;
    known.failed_at?.checked_add(settles.signed()).ok()
}

/// Whether a stage that nothing waits for may start: people agreed to it where they
/// have to, and what it builds on was watched for long enough.
fn may_go_forward(state: &RunState, index: usize) -> bool {
    let stage = &state.steps[index];
    let agreed = !stage.needs_approval() || state.release.approved.contains(&stage.id);
    let watched = |&before: &usize| {
        let (stage, known) = (&state.steps[before], &state.states[before]);
        stage.bake.is_none()
            || known.status == Status::Skipped
            || state.release.baked.get(&stage.id).is_some_and(|baked| baked.is_passed())
    };
    agreed && state.graph.before[index].iter().all(watched)
}

/// For each lane, the step whose turn it is: the first of the frozen order that
/// is neither settled nor blocked. A step in the lane keeps it.
fn free_lanes(state: &RunState) -> BTreeMap<&str, usize> {
    let blocked = state.blocked();
    let mut lanes: BTreeMap<&str, usize> = BTreeMap::new();
    for index in state.active().filter(|&i| occupies_lane(state, i)) {
        if let Some(lane) = state.steps[index].exclusive.as_deref() {
            lanes.insert(lane, index);
        }
    }
    for &index in &state.order {
        if state.states[index].status == Status::Pending
            && !blocked.contains(&index)
            && let Some(lane) = state.steps[index].exclusive.as_deref()
        {
            lanes.entry(lane).or_insert(index);
        }
    }
    lanes
}

/// For each person, the manual steps that are theirs to do now: the first ones
/// of their frozen order that are neither settled nor blocked, as many as they
/// can do at once. Steps with them already take up the first places.
fn free_hands(state: &RunState) -> BTreeMap<String, Vec<usize>> {
    let blocked = state.blocked();
    let mut hands: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    for &index in &state.order {
        let (step, status) = (&state.steps[index], state.states[index].status);
        let waits = matches!(status, Status::Pending | Status::Running);
        if !step.action.is_manual() || !waits || blocked.contains(&index) {
            continue;
        }
        let Some(doer) = state.doer(index) else { continue };
        let size = *sizes
            .entry(doer.clone())
            .or_insert_with(|| state.planned.plan.team_of(&doer) as usize);
        let next = hands.entry(doer).or_default();
        if next.len() < size {
            next.push(index);
        } else if status == Status::Running && !next.contains(&index) {
            // Something behind in the order is already with them (handed over
            // after it began): it takes a place.
            next.pop();
            next.insert(0, index);
        }
    }
    hands
}
