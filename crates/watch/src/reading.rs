//! What was measured, for the log.

use backout_core::plan::Trigger;
use backout_core::watch::{Measured, Reading};
use backout_trigger::interval::interval;
use backout_trigger::machine::Watched;
use backout_trigger::rule::{Kind, Rule};

/// What a trigger measured at its last look. `said` is what the source said, if anything.
pub(crate) fn reading(
    trigger: &Trigger,
    rule: &Rule,
    watched: &Watched,
    said: &str,
    queries: &[String],
) -> Reading {
    let share = matches!(rule.kind, Kind::Share { .. });
    let measured = match (&rule.kind, watched.share()) {
        _ if !said.is_empty() => Measured::Text { text: said.to_owned() },
        (Kind::Share { .. }, now) => {
            let (low, high) = match now {
                Some(_) => interval(watched.bad, watched.total, 0.05),
                None => (0.0, 1.0),
            };
            Measured::Share { now, low, high }
        }
        (Kind::Plain, _) if watched.value.is_none() => Measured::Nothing,
        (Kind::Plain, _) => Measured::Value,
    };
    let needed = match &rule.kind {
        Kind::Share { threshold, .. } => Some(*threshold),
        Kind::Plain => None,
    };
    Reading {
        measured,
        value: watched.value,
        limit: trigger.shown_limit().unwrap_or_default(),
        bad: share.then_some(watched.bad),
        total: share.then_some(watched.total),
        evidence: watched.evidence.log(),
        needed,
        queries: queries.to_vec(),
    }
}
