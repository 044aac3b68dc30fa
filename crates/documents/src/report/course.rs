//! Which way a run went, and what turned it round.

use backout_core::event::Direction;
use backout_core::release::{DecisionRecord, PendingDecision};
use backout_core::state::RunState;

use super::Log;
use crate::saying;

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
    match (state.planned().direction, &state.release().back) {
        (Direction::Back, _) => Course::Invoked,
        (Direction::Forward, Some(_)) => Course::Turned,
        (Direction::Forward, None) => Course::Forward,
    }
}

/// What triggered the backout, as far as the log says it; nothing where the run did not
/// go back.
pub(super) fn trigger(log: &Log<'_>) -> Option<String> {
    match course(log.state) {
        Course::Invoked => log.state.planned().reason.clone(),
        Course::Forward => None,
        Course::Turned => turned(log.state).map(|decided| said(log.state, decided)),
    }
}

/// The decision that turned a deployment round.
pub(super) fn turned(state: &RunState) -> Option<&DecisionRecord> {
    let back = state.release().back.as_ref()?;
    let mut decided = state.release().decided.iter().rev();
    decided.find(|decided| decided.at <= back.since && decided.choice.verb().goes_back())
}

fn said(state: &RunState, decided: &DecisionRecord) -> String {
    let plan = &state.planned().plan;
    let automatic = decided.reason.is_automatic();
    let asked = decided.question.as_ref().filter(|open| automatic || !open.is_discretionary());
    let mut parts: Vec<String> = asked.map(about).into_iter().collect();
    let agreed: Vec<String> = decided.agreed.iter().map(|person| person.name(plan)).collect();
    let with = match agreed.is_empty() {
        true => String::new(),
        false => format!(", with {}", agreed.join(", ")),
    };
    let reason = saying::reason(&decided.reason);
    let reason = reason.trim_end_matches('.');
    let own = match asked {
        None if !automatic => " (own judgement: no decision was requested)",
        _ => "",
    };
    parts.push(match automatic {
        true => format!("decided by the plan: {reason}"),
        false => format!("decided by {}{with}: {reason}{own}", decided.by.name(plan)),
    });
    parts.join("; ")
}

/// What was asked.
fn about(open: &PendingDecision) -> String {
    saying::causes(&open.causes).trim().trim_end_matches('.').to_owned()
}
