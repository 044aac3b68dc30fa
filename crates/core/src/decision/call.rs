//! What calls for a decision: what is known to be wrong, or what nobody can see.

use std::collections::BTreeSet;

use super::standing::{is_accepted, is_there, only_logged, required};
use crate::cause::{DecisionCause, UnseenTrigger};
use crate::ids::{OptionId, SourceId, TriggerId};
use crate::plan::Severity;
use crate::release::{Attention, PendingDecision, Release};
use crate::state::RunState;
use crate::watch::{Meaning, State};

/// Why a decision is needed.
pub(super) struct Call {
    pub(super) severity: Severity,
    pub(super) because: Vec<TriggerId>,
    /// The sources nobody can read.
    pub(super) sources: Vec<SourceId>,
    pub(super) causes: Vec<DecisionCause>,
    pub(super) option: Option<OptionId>,
    /// Whether it is known that something is wrong; else nobody knows.
    pub(super) certain: bool,
}

/// Whether what calls for a decision now is more than what is being decided about:
/// something known instead of something nobody can see, something worse, something else
/// that is as bad. Whoever answers must have seen it.
pub(super) fn is_news(open: &PendingDecision, call: &Call) -> bool {
    let more = call.because.iter().any(|id| !open.because.contains(id));
    match (call.certain, open.certain) {
        (true, false) => true,
        (false, true) => false,
        _ => call.severity < open.severity || (call.severity == open.severity && more),
    }
}

/// The worst thing nobody has decided about.
pub(super) fn call(state: &RunState) -> Option<Call> {
    let plan = &state.planned.plan;
    let release = &state.release;
    let severity = |id: &TriggerId| {
        plan.triggers
            .get(id)
            .and_then(|trigger| trigger.severity)
            .unwrap_or(Severity::Discretionary)
    };
    // What fired while something else was decided about and is over again was never
    // decided about.
    let alarmed = release
        .triggers
        .iter()
        .filter(|(id, seen)| seen.attention == Attention::Alarm && !only_logged(plan, id))
        .map(|(id, _)| id);
    let calling: Vec<&TriggerId> = release
        .unanswered()
        .filter(|(id, seen)| seen.meaning == Meaning::Breach && !only_logged(plan, id))
        .map(|(id, _)| id)
        .chain(alarmed)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    if let Some(worst) = calling.iter().map(|id| severity(id)).min() {
        let because: Vec<TriggerId> =
            calling.into_iter().filter(|id| severity(id) == worst).cloned().collect();
        let causes = because.iter().map(|id| of_trigger(release, id)).collect();
        // Several options at once: the plan's default, which is the heaviest.
        let mut options: Vec<Option<&OptionId>> = because
            .iter()
            .map(|id| plan.triggers.get(id).and_then(|t| t.option.as_ref()))
            .collect();
        options.dedup();
        let option = if let [Some(option)] = options[..] { Some(option.clone()) } else { None };
        return Some(Call {
            severity: worst,
            because,
            sources: Vec::new(),
            causes,
            option,
            certain: true,
        });
    }
    let blind: Vec<&TriggerId> = release
        .unanswered()
        .filter(|(id, seen)| seen.meaning == Meaning::Inconclusive && !only_logged(plan, id))
        .filter(|(id, _)| !is_accepted(state, id))
        .map(|(id, _)| id)
        .collect();
    let counts = |source: &SourceId| {
        let mut of = plan.triggers.iter().filter(|(_, t)| t.condition.source() == Some(source));
        of.any(|(id, _)| !only_logged(plan, id))
    };
    let lost = || release.lost.iter().filter(|(source, lost)| !lost.answered && counts(source));
    // What a lost source hides is what the question is about, and how bad it may be.
    let hidden = plan.triggers.iter().filter(|(id, trigger)| {
        let source = trigger.condition.source();
        source.is_some_and(|source| lost().any(|(id, _)| id == source))
            && is_there(state, id)
            && !only_logged(plan, id)
    });
    let because: BTreeSet<&TriggerId> =
        blind.iter().copied().chain(hidden.map(|(id, _)| id)).collect();
    let mut causes: Vec<DecisionCause> = lost()
        .map(|(source, lost)| {
            let hidden = plan.triggers.values().filter(|t| t.condition.source() == Some(source));
            DecisionCause::SourceOutage {
                source: source.clone(),
                error: lost.error.clone(),
                triggers: u32::try_from(hidden.count()).unwrap_or(u32::MAX),
            }
        })
        .collect();
    // One dead source is one finding: its triggers are not listed again.
    let of_lost = |id: &TriggerId| {
        let source = plan.triggers.get(id).and_then(|trigger| trigger.condition.source());
        source.is_some_and(|source| release.lost.contains_key(source))
    };
    causes.extend(blind.iter().filter(|id| !of_lost(id)).map(|id| of_trigger(release, id)));
    let open_bake = release.baked.iter().find(|(_, baked)| !baked.is_passed());
    if let Some((stage, _)) = open_bake {
        let (stage, unseen) = (stage.clone(), unseen(state));
        causes.push(DecisionCause::BakeInconclusive { stage, unseen });
    }
    if release.watched.is_some_and(|watched| !watched.is_passed()) {
        causes.push(DecisionCause::WatchInconclusive { unseen: unseen(state) });
    }
    if causes.is_empty() {
        return None;
    }
    let worst = because.iter().map(|id| severity(id)).min();
    Some(Call {
        severity: worst.unwrap_or(Severity::Discretionary),
        because: because.into_iter().cloned().collect(),
        sources: lost().map(|(source, _)| source.clone()).collect(),
        causes,
        option: None,
        certain: false,
    })
}

/// A trigger that calls for a decision, with what it measured.
fn of_trigger(release: &Release, id: &TriggerId) -> DecisionCause {
    let reading = release.triggers.get(id).map(|seen| seen.reading.clone()).unwrap_or_default();
    DecisionCause::Trigger { trigger: id.clone(), reading }
}

/// The required triggers that were not seen healthy.
fn unseen(state: &RunState) -> Vec<UnseenTrigger> {
    required(state)
        .filter(|id| {
            let seen = state.release.triggers.get(*id);
            seen.is_none_or(|seen| {
                !seen.attention.is_answered() && seen.meaning != Meaning::Healthy
            })
        })
        .map(|id| {
            // Before anything changes nothing is written down.
            let seen = state.release.triggers.get(id);
            let state = seen.map_or(State::Insufficient, |seen| seen.state);
            UnseenTrigger { trigger: id.clone(), state }
        })
        .collect()
}
