//! How a release stands by its triggers: what is watched now, what was seen to be well, what
//! keeps the plan from acting by itself.

use std::collections::BTreeSet;

use crate::cause::Guard;
use crate::ids::{StepId, TriggerId};
use crate::plan::{Condition, DecisionAction, Plan, Severity, Trigger};
use crate::release::{Attention, PendingDecision, TriggerStatus, took_place};
use crate::state::RunState;
use crate::watch::{Meaning, State, Verdict};

/// Whether the plan only writes down what a trigger says: it asks nobody and holds
/// nothing up.
pub(super) fn only_logged(plan: &Plan, id: &TriggerId) -> bool {
    let severity = plan.triggers.get(id).and_then(|trigger| trigger.severity);
    let rule = plan.decision.get(&severity.unwrap_or(Severity::Discretionary));
    rule.is_some_and(|rule| rule.action == DecisionAction::Log)
}

/// Whether what a trigger is about is there: what a stage brings is not before that stage
/// is done, and is gone once a way back has begun that undoes it.
#[must_use]
pub fn is_there(state: &RunState, id: &TriggerId) -> bool {
    let trigger = state.planned.plan.triggers.get(id);
    let Some(stage) = trigger.and_then(|trigger| trigger.from.as_ref()) else { return true };
    if !state.release.goes_forward() {
        return state.left_standing().any(|left| left == stage);
    }
    // What was left out brings nothing.
    state.step(stage).is_some_and(|(_, known)| known.status.is_settled() && took_place(known))
}

/// The triggers a machine watches.
pub(super) fn measured(plan: &Plan) -> impl Iterator<Item = (&TriggerId, &Trigger)> {
    plan.triggers.iter().filter(|(_, trigger)| !trigger.condition.is_judged())
}

/// The triggers a machine watches now and without which nothing passes.
pub fn required(state: &RunState) -> impl Iterator<Item = &TriggerId> {
    let plan = &state.planned.plan;
    measured(plan)
        .filter(|(id, _)| is_there(state, id))
        .filter(|(id, trigger)| {
            let unless = !matches!(trigger.condition, Condition::Webhook(_));
            trigger.required.unwrap_or(unless) && !only_logged(plan, id)
        })
        .map(|(id, _)| id)
}

/// Whether somebody has decided to go on without knowing how a trigger stands, or although
/// it is not well.
pub(super) fn is_accepted(state: &RunState, id: &TriggerId) -> bool {
    let (plan, release) = (&state.planned.plan, &state.release);
    let source = plan.triggers.get(id).and_then(|trigger| trigger.condition.source());
    release.triggers.get(id).is_some_and(|seen| seen.attention.is_answered())
        || source.and_then(|id| release.lost.get(id)).is_some_and(|lost| lost.answered)
}

/// How the triggers stand. What somebody has decided about is not found well by that: it
/// is accepted as it is.
#[must_use]
pub fn verdict(state: &RunState) -> Verdict {
    let (plan, release) = (&state.planned.plan, &state.release);
    let calls = |meaning| {
        let mut open = release.unanswered();
        open.any(move |(id, seen)| {
            seen.meaning == meaning && !only_logged(plan, id) && !is_accepted(state, id)
        })
    };
    if calls(Meaning::Breach) {
        return Verdict::Failed;
    }
    let watched = || measured(plan).filter(|(id, _)| is_there(state, id));
    if watched().next().is_none() {
        return Verdict::Unwatched;
    }
    let well = |id: &TriggerId| {
        release.triggers.get(id).is_some_and(|seen| seen.meaning == Meaning::Healthy)
    };
    let settled = |id: &TriggerId| well(id) || is_accepted(state, id);
    // Where no trigger is required, one at least must have seen something.
    let unseen = !required(state).all(settled) || !watched().any(|(id, _)| settled(id));
    let breach = |(id, seen): (&TriggerId, &TriggerStatus)| {
        seen.meaning == Meaning::Breach && !only_logged(plan, id)
    };
    match () {
        () if calls(Meaning::Inconclusive) || unseen => Verdict::Inconclusive,
        () if !required(state).all(well)
            || !watched().any(|(id, _)| well(id))
            || release.triggers.iter().any(breach) =>
        {
            Verdict::Accepted
        }
        () => Verdict::Passed,
    }
}

/// Why the plan does not back out by itself although it would.
#[must_use]
pub fn guards(state: &RunState, because: &[TriggerId]) -> Vec<Guard> {
    let mut guards = Vec::new();
    if state.held.is_some() {
        guards.push(Guard::Held);
    }
    for (stage, why) in irreversible(state) {
        guards.push(Guard::Irreversible { stage: stage.clone(), why: why.to_owned() });
    }
    if let Some(earlier) = &state.planned.earlier {
        guards.push(Guard::EarlierBackout { run: earlier.clone() });
    }
    let before = |id: &TriggerId| state.release.triggers.get(id).is_some_and(|seen| seen.before);
    if !because.is_empty() && because.iter().all(before) {
        guards.push(Guard::FiredBefore);
    }
    let blind = |id: &TriggerId| {
        state
            .release
            .triggers
            .get(id)
            .is_some_and(|seen| seen.state.is_blind() && !seen.is_hidden())
    };
    if !because.is_empty() && because.iter().all(blind) {
        guards.push(Guard::NoData);
    }
    guards
}

/// What keeps the plan from acting by itself on an open question, as far as it still does.
#[must_use]
pub fn objections(state: &RunState, open: &PendingDecision) -> Vec<Guard> {
    if open.guards.is_empty() { Vec::new() } else { guards(state, &open.because) }
}

/// The stages behind which there is no way back, as far as they took place.
pub fn irreversible(state: &RunState) -> impl Iterator<Item = (&StepId, &str)> {
    let stages = state.stages().map(|index| (&state.steps[index], &state.states[index]));
    stages
        .filter(|(_, known)| took_place(known))
        .filter_map(|(stage, _)| Some((&stage.id, stage.irreversible.as_deref()?.trim())))
}

/// What fired, was decided about, or stands beyond its limit or cannot be seen now, and was
/// not seen to be well since.
#[must_use]
pub fn not_recovered(state: &RunState) -> Vec<&TriggerId> {
    let (plan, release) = (&state.planned.plan, &state.release);
    let decided = release.decided.iter().filter_map(|decided| decided.question.as_ref());
    let asked: BTreeSet<&TriggerId> = decided.flat_map(|question| &question.because).collect();
    let required: BTreeSet<&TriggerId> = required(state).collect();
    // What must be seen to be well and cannot be seen; unless somebody knew that already.
    let is_blind = |id: &TriggerId, seen: &TriggerStatus| {
        let blind = seen.state.is_blind() && seen.meaning != Meaning::Healthy;
        blind && required.contains(id) && !is_accepted(state, id)
    };
    let about = |id: &TriggerId, seen: &TriggerStatus| {
        let now = seen.state == State::Pending || seen.meaning == Meaning::Breach;
        seen.fired.is_some() || asked.contains(id) || now || is_blind(id, seen)
    };
    let unwell = release.triggers.iter().filter(|(id, seen)| {
        seen.state != State::Ok && seen.attention != Attention::Accepted && about(id, seen)
    });
    unwell
        .filter(|(id, _)| is_there(state, id) && !only_logged(plan, id))
        .map(|(id, _)| id)
        .collect()
}
