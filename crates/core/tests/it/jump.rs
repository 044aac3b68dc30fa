//! A clock that jumps moves every moment a run counts from, and nothing else: each field of a state
//! that holds a time is found in what `Debug` shows of it, so a new one cannot be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use backout_core::moment::{Moment, Steady};
use backout_core::state::RunState;
use jiff::{SignedDuration, Timestamp};

use crate::golden::{logs, records};

/// What names a time of day, or says when something was that is over: nothing is counted from it.
const STAYS: &[&str] = &[
    ".finished",
    "baselines.captured",
    "choice.until",
    "defects.at",
    "deviations.at",
    "facts.captured",
    "question.asked_at",
    "question.fix_until",
    "question.until",
    "seen.fired",
    "seen.since",
    "window.backout_by",
    "window.deploy_end",
    "window.deploy_start",
];

/// Every time in a state, with the field it stands in, in order.
fn times(state: &RunState) -> Vec<(String, Timestamp)> {
    let shown = format!("{state:#?}");
    let mut fields: Vec<(usize, String)> = Vec::new();
    let mut found = Vec::new();
    for line in shown.lines() {
        let indent = line.len() - line.trim_start().len();
        let text = line.trim().trim_end_matches(',');
        fields.retain(|(at, _)| *at < indent);
        let (name, value) = match text.split_once(": ") {
            Some((name, value)) if name.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                fields.push((indent, name.to_owned()));
                (name.to_owned(), value)
            }
            _ => (fields.last().map_or_else(String::new, |(_, name)| name.clone()), text),
        };
        if let Ok(at) = value.parse() {
            let above = fields.iter().rev().map(|(_, name)| name).find(|above| **above != name);
            let above = above.map_or("", String::as_str);
            found.push((format!("{above}.{name}"), at));
        }
    }
    found
}

#[test]
fn each_moment_that_is_counted_from_moves_with_the_clock() {
    let far = SignedDuration::from_hours(1);
    let mut moved: BTreeSet<String> = BTreeSet::new();
    let mut stayed: BTreeMap<String, usize> = BTreeMap::new();
    let mut states = Vec::new();
    for path in logs(2) {
        let (all, _) = records(&path);
        for end in 1..=all.len() {
            states.push(crate::golden::state_of(&all[..end]));
        }
    }
    for state in states {
        let steady = Some(Steady { boot: "one".to_owned(), ms: 0 });
        let wall: Timestamp = "2040-01-01T00:00:00Z".parse().expect("a time");
        let before = state.on_clock(&Moment { wall, steady: steady.clone() });
        let after = before.on_clock(&Moment { wall: wall + far, steady });
        let (before, after) = (times(&before), times(&after));
        assert_eq!(before.len(), after.len());
        for ((field, then), (_, now)) in before.iter().zip(&after) {
            match now.duration_since(*then) {
                by if by == far => drop(moved.insert(field.clone())),
                by => {
                    assert_eq!(by, SignedDuration::ZERO, "{field} moved by something else");
                    *stayed.entry(field.clone()).or_default() += 1;
                }
            }
        }
    }
    let unknown: Vec<&String> =
        stayed.keys().filter(|field| !STAYS.contains(&field.as_str())).collect();
    assert!(unknown.is_empty(), "neither moved nor known to stay: {unknown:#?}; moved: {moved:#?}");
    insta::assert_debug_snapshot!(moved);
}

/// A clock that is set a little at a time is set by all of it.
#[test]
fn what_is_too_small_for_a_jump_adds_up() {
    let (_, state) = records(logs(2).first().expect("a log"));
    let start: Timestamp = "2040-01-01T00:00:00Z".parse().expect("a time");
    // Each minute 1.5 s more than have passed.
    let moment = |minute: i64| Moment {
        wall: start + SignedDuration::from_millis(minute * 61_500),
        steady: Some(Steady { boot: "one".to_owned(), ms: minute * 60_000 }),
    };
    let (mut state, mut moved) = (state.on_clock(&moment(0)), SignedDuration::ZERO);
    for minute in 1..=100 {
        if let Some(backout_core::moment::ClockChange::Jumped(by)) =
            state.clock_change(&moment(minute))
        {
            moved += by;
        }
        state = state.on_clock(&moment(minute));
    }
    let left = SignedDuration::from_millis(150_000) - moved;
    assert!(left <= backout_core::moment::SMALLEST_JUMP, "{left:#} were forgotten");
}
