//! Which way a run went, and what turned it round.

use backout_core::act::Act;
use backout_core::event::{self, Event};
use backout_core::ids::Digest;
use backout_core::release::{Decided, Open};
use backout_core::state::RunState;

use super::Log;

/// Which way a run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// The way back, which somebody invoked.
    Invoked,
    /// A deployment that went, or goes, back.
    Turned,
    /// A deployment that goes forward, or ended so.
    Forward,
}

pub(super) fn course(state: &RunState) -> Course {
    match (state.planned.course, &state.release.back) {
        (event::Course::Back, _) => Course::Invoked,
        (event::Course::Forward, Some(_)) => Course::Turned,
        (event::Course::Forward, None) => Course::Forward,
    }
}

/// What triggered the backout, as far as the log says it; nothing where the run did not
/// go back.
pub(super) fn trigger(log: &Log<'_>) -> Option<String> {
    match course(log.state) {
        Course::Invoked => log.state.planned.reason.clone(),
        Course::Forward => None,
        Course::Turned => turned(log.state).map(|decided| said(log, decided)),
    }
}

/// The decision that turned a deployment round.
pub(super) fn turned(state: &RunState) -> Option<&Decided> {
    let back = state.release.back.as_ref()?;
    let mut decided = state.release.decided.iter().rev();
    decided.find(|decided| decided.at <= back.since && verb(decided).goes_back())
}

fn verb(decided: &Decided) -> backout_core::choice::Verb {
    use backout_core::choice::{Choice, Verb};
    match decided.choice {
        Choice::BackOut { .. } => Verb::BackOut,
        Choice::FixForward { .. } => Verb::FixForward,
        Choice::Continue => Verb::Continue,
        Choice::NotFixable => Verb::NotFixable,
    }
}

fn said(log: &Log<'_>, decided: &Decided) -> String {
    let reason = decided.reason.trim().trim_end_matches('.');
    let question = decided.question.as_ref();
    let asked = question.filter(|open| decided.automatic || !open.is_discretionary());
    let mut parts = Vec::new();
    // What the plan decides by itself says in its reason what it was about.
    if let Some(open) = asked.filter(|open| !reason.contains(open.why.trim())) {
        parts.push(about(open));
    }
    let with = agreed(log, decided);
    let with = if with.is_empty() { String::new() } else { format!(", with {}", with.join(", ")) };
    let own = match asked {
        None if !decided.automatic => " (nobody had asked: it was their own judgement)",
        _ => "",
    };
    parts.push(match decided.automatic && reason.contains("the plan") {
        true => reason.to_owned(),
        false => format!("decided by {}{with}: {reason}{own}", decided.by),
    });
    parts.join("; ")
}

/// What was asked, with what it was about where the words for people do not name it.
fn about(open: &Open) -> String {
    let why = open.why.trim().trim_end_matches('.');
    let unnamed: Vec<&str> = open
        .because
        .iter()
        .map(|id| id.as_str())
        .chain(open.sources.iter().map(|id| id.as_str()))
        .filter(|id| !why.contains(id))
        .collect();
    match unnamed.is_empty() {
        true => why.to_owned(),
        false => format!("{why} ({})", unnamed.join(", ")),
    }
}

/// Who had asked for the same where it took several people.
fn agreed(log: &Log<'_>, decided: &Decided) -> Vec<String> {
    let made = |event: &Event| matches!(event, Event::DecisionMade { choice, .. } if *choice == decided.choice);
    let at = log.records.iter().position(|record| {
        record.at == decided.at && !decided.automatic && record.events.iter().any(made)
    });
    let Some(before) = at.and_then(|at| state_before(log, at)) else { return Vec::new() };
    let own = log.records[at.unwrap_or_default()].actor.person().unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for (act, by) in before.proposals {
        let same = matches!(&act, Act::Decide { verb: asked, .. } if *asked == verb(decided));
        if same && !by.eq_ignore_ascii_case(own) && !names.contains(&by) {
            names.push(by);
        }
    }
    names
}

/// The run as it was when this record was written. Digests are not looked at.
fn state_before(log: &Log<'_>, at: usize) -> Option<RunState> {
    let (first, rest) = log.records.get(..at)?.split_first()?;
    let mut state = RunState::begin(first, Digest::ZERO).ok()?;
    for record in rest {
        state.apply(record, Digest::ZERO).ok()?;
    }
    Some(state)
}
