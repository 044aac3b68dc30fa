//! Local times of a plan as instants, and the hours that do not exist.
//!
//! Twice a year a clock jumps. A backout window is exactly when that happens:
//! at two in the morning on a weekend. A time that the clock skips is an error;
//! a time that it shows twice is an error too unless the two readings do not
//! matter, and they always matter for a deadline.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, Zoned};

use backout_core::event::Instants;
use backout_core::ids::StepId;
use backout_core::plan::{Plan, Step, Window};

/// A local time that is not exactly one instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnInstant {
    /// The clock skips it.
    #[error("{at} does not exist in {zone}: the clock goes forward from {before} to {after}")]
    Skipped {
        /// The local time.
        at: String,
        /// The zone.
        zone: String,
        /// The last minute before.
        before: String,
        /// The first minute after.
        after: String,
    },
    /// The clock shows it twice.
    #[error("{at} happens twice in {zone}: the clock goes back that night")]
    Twice {
        /// The local time.
        at: String,
        /// The zone.
        zone: String,
    },
    /// Out of the calendar.
    #[error("{0} is out of range")]
    Range(String),
}

/// Finds a time zone.
#[must_use]
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

/// The time zone of a window, if it names one that exists.
#[must_use]
pub fn zone_of(window: &Window) -> Option<TimeZone> {
    zone(window.timezone.as_deref()?)
}

/// The one instant at which a wall clock in `zone` shows `at`.
///
/// # Errors
/// [`NotAnInstant`] when there is none, or two.
pub fn instant(at: DateTime, zone: &TimeZone) -> Result<Timestamp, NotAnInstant> {
    let name = zone.iana_name().unwrap_or("this zone").to_owned();
    let shown = at.strftime("%Y-%m-%d %H:%M").to_string();
    match zone.to_ambiguous_timestamp(at).offset() {
        AmbiguousOffset::Unambiguous { offset } => {
            offset.to_timestamp(at).map_err(|_| NotAnInstant::Range(shown))
        }
        AmbiguousOffset::Gap { before, after } => {
            let range = |_| NotAnInstant::Range(shown.clone());
            // The transition lies where the two offsets meet.
            let late = before.to_timestamp(at).map_err(range)?;
            let change = zone.preceding(late + jiff::SignedDuration::from_secs(1)).next();
            let (from, to) = match change {
                Some(change) => {
                    let at = change.timestamp();
                    (before.to_datetime(at), after.to_datetime(at))
                }
                None => (at, at),
            };
            let clock = |time: DateTime| time.strftime("%H:%M").to_string();
            Err(NotAnInstant::Skipped {
                at: shown,
                zone: name,
                before: clock(from),
                after: clock(to),
            })
        }
        AmbiguousOffset::Fold { .. } => Err(NotAnInstant::Twice { at: shown, zone: name }),
    }
}

/// A window's local times as instants; times that are none are left out.
#[must_use]
pub fn instants(window: Option<&Window>) -> Instants {
    let Some(window) = window else { return Instants::default() };
    let Some(zone) = zone_of(window) else { return Instants::default() };
    let find = |at: DateTime| instant(at, &zone).ok();
    Instants {
        deploy_start: window.deploy.and_then(|range| find(range.start.at)),
        deploy_end: window.deploy.and_then(|range| find(range.end.at)),
        backout_by: window.backout_by.and_then(|time| find(time.at)),
    }
}

/// A window's local times as instants for comparing them with each other: where
/// no zone is named, as if they were all in one without clock changes. Nothing
/// must be done at such an instant.
#[must_use]
pub fn comparable(window: Option<&Window>) -> Instants {
    match window {
        Some(named) if named.timezone.is_none() => {
            instants(Some(&Window { timezone: Some("UTC".to_owned()), ..named.clone() }))
        }
        window => instants(window),
    }
}

/// The instant before which a step does not start, if it has one.
#[must_use]
pub fn release(step: &Step, window: Option<&Window>) -> Option<Timestamp> {
    let zone = zone_of(window?)?;
    step.not_before.and_then(|time| instant(time.at, &zone).ok())
}

/// The instants before which steps do not start.
#[must_use]
pub fn not_before(plan: &Plan) -> BTreeMap<StepId, Timestamp> {
    let releases = plan
        .steps
        .iter()
        .filter_map(|step| release(step, plan.window.as_ref()).map(|at| (step.id.clone(), at)));
    releases.collect()
}

/// An instant as a wall clock in the plan's zone shows it: `04:10 BST`, with the
/// date where it is not that of `today`. Where no zone is known, without one.
#[must_use]
pub fn wall_clock(at: Timestamp, zone: Option<&TimeZone>, today: Option<Timestamp>) -> String {
    let named = zone.is_some();
    let zone = zone.cloned().unwrap_or(TimeZone::UTC);
    let shown: Zoned = at.to_zoned(zone.clone());
    let same_day = today.is_some_and(|today| today.to_zoned(zone).date() == shown.date());
    let format = if same_day { "%H:%M %Z" } else { "%a %d %b %Y %H:%M %Z" };
    let format = if named { format } else { format.trim_end_matches(" %Z") };
    shown.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, zone: &str) -> Result<Timestamp, NotAnInstant> {
        instant(text.parse().expect("a time"), &TimeZone::get(zone).expect("a zone"))
    }

    #[test]
    fn ordinary_times_are_one_instant() {
        let found = at("2026-06-06T02:00", "Europe/London").expect("one instant");
        assert_eq!(found.to_string(), "2026-06-06T01:00:00Z");
    }

    #[test]
    fn the_hour_that_is_skipped() {
        let error = at("2026-03-29T01:30", "Europe/London").expect_err("no such time");
        assert_eq!(
            error.to_string(),
            "2026-03-29 01:30 does not exist in Europe/London: the clock goes forward from 01:00 to 02:00"
        );
    }

    #[test]
    fn the_hour_that_happens_twice() {
        let error = at("2026-10-25T01:30", "Europe/London").expect_err("two instants");
        assert!(error.to_string().contains("happens twice"), "{error}");
        assert!(at("2026-10-25T02:00", "Europe/London").is_ok());
    }
}
