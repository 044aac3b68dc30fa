//! What calls for a decision: what is known to be wrong, or what nobody can see.

use std::collections::BTreeSet;

use super::standing::{is_accepted, is_there, only_logged, required};
use crate::ids::{OptionId, SourceId, TriggerId};
use crate::plan::Severity;
use crate::release::{Open, Release};
use crate::state::RunState;
use crate::watch::{Meaning, State};

/// Why a decision is needed.
pub(super) struct Call {
    pub(super) severity: Severity,
    pub(super) because: Vec<TriggerId>,
    /// The sources nobody can read.
    pub(super) sources: Vec<SourceId>,
    pub(super) why: String,
    pub(super) option: Option<OptionId>,
    /// Whether it is known that something is wrong; else nobody knows.
    pub(super) certain: bool,
}

/// Whether what calls for a decision now is more than what is being decided about:
/// something known instead of something nobody can see, something worse, something else
/// that is as bad. Whoever answers must have seen it.
pub(super) fn is_news(open: &Open, call: &Call) -> bool {
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
        .filter(|(id, seen)| seen.alarm && !only_logged(plan, id))
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
        let said: Vec<String> = because.iter().map(|id| said(release, id)).collect();
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
            why: said.join("; "),
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
    let mut why: Vec<String> = lost()
        .map(|(source, lost)| {
            let hidden = plan.triggers.values().filter(|t| t.condition.source() == Some(source));
            format!(
                "{source} cannot be read ({}), which {} triggers need",
                lost.error,
                hidden.count()
            )
        })
        .collect();
    // One dead source is one finding: its triggers are not listed again.
    let of_lost = |id: &TriggerId| {
        let source = plan.triggers.get(id).and_then(|trigger| trigger.condition.source());
        source.is_some_and(|source| release.lost.contains_key(source))
    };
    why.extend(blind.iter().filter(|id| !of_lost(id)).map(|id| said(release, id)));
    let open_bake = release.baked.iter().find(|(_, baked)| !baked.is_passed());
    if let Some((stage, _)) = open_bake {
        why.push(format!(
            "{stage} was watched, and nobody can say that it went well{}",
            unseen(state)
        ));
    }
    if release.watched.is_some_and(|watched| !watched.is_passed()) {
        why.push(format!(
            "the watch is over, and nobody can say that it went well{}",
            unseen(state)
        ));
    }
    if why.is_empty() {
        return None;
    }
    let worst = because.iter().map(|id| severity(id)).min();
    Some(Call {
        severity: worst.unwrap_or(Severity::Discretionary),
        because: because.into_iter().cloned().collect(),
        sources: lost().map(|(source, _)| source.clone()).collect(),
        why: why.join("; "),
        option: None,
        certain: false,
    })
}

pub(super) fn said(release: &Release, id: &TriggerId) -> String {
    release.triggers.get(id).map_or_else(
        || id.to_string(),
        |seen| match seen.reading.limit.as_str() {
            "" => format!("{id}: {}", seen.reading.shown),
            limit => format!("{id}: {} ({limit})", seen.reading.shown),
        },
    )
}

/// The required triggers that were not seen to be well, for people.
fn unseen(state: &RunState) -> String {
    let names: Vec<String> = required(state)
        .filter(|id| {
            let seen = state.release.triggers.get(*id);
            seen.is_none_or(|seen| !seen.answered && seen.meaning != Meaning::Well)
        })
        .map(|id| {
            // Nothing is written down before anything changes.
            let seen = state.release.triggers.get(id);
            let stands = seen.map_or(State::Insufficient, |seen| seen.state);
            format!("{id} ({})", stands.shown())
        })
        .collect();
    match names.is_empty() {
        true => ", because nobody has looked at the triggers since".to_owned(),
        false => format!(": {}", names.join(", ")),
    }
}
