//! Local times of a plan as instants, and the hours that do not exist.
//!
//! Twice a year a clock jumps. A backout window is exactly when that happens:
//! at two in the morning on a weekend. A time that the clock skips is an error;
//! a time that it shows twice is an error too unless the two readings do not
//! matter, and they always matter for a deadline.

use std::collections::BTreeMap;

use jiff::civil::{DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
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

/// A time of day that is not exactly one instant of a night.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotInNight {
    /// The clock shows it more than once.
    #[error("{time} happens {} between {from} and {to}", times(spellings.len()))]
    Again {
        /// The time of day.
        time: String,
        /// When the night begins, and ends.
        from: String,
        /// When it ends.
        to: String,
        /// Each of the instants, with its offset.
        spellings: Vec<String>,
    },
    /// The clock skips it.
    #[error("{skipped}")]
    Skipped {
        /// Where the clock goes forward.
        skipped: NotAnInstant,
        /// The two instants it could mean, with their offsets.
        spellings: Vec<String>,
    },
    /// The night does not have it.
    #[error("{time} is outside the window, {from} to {to}")]
    Outside {
        /// The time of day.
        time: String,
        /// When the night begins.
        from: String,
        /// When it ends.
        to: String,
    },
    /// It is over.
    #[error("{time} is in the past: it is {now}")]
    Past {
        /// The time of day.
        time: String,
        /// The present.
        now: String,
    },
}

fn times(count: usize) -> String {
    match count {
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}

/// The instants at which a wall clock in `zone` shows `at`: none where it skips it (then
/// the two it could mean, by the offset before and after), two where it goes back.
fn readings(at: DateTime, zone: &TimeZone) -> (Vec<Timestamp>, Vec<Timestamp>) {
    match zone.to_ambiguous_timestamp(at).offset() {
        AmbiguousOffset::Unambiguous { offset } => {
            (offset.to_timestamp(at).into_iter().collect(), Vec::new())
        }
        AmbiguousOffset::Gap { before, after } => {
            (Vec::new(), [before, after].iter().flat_map(|o| o.to_timestamp(at)).collect())
        }
        AmbiguousOffset::Fold { before, after } => {
            ([before, after].iter().flat_map(|o| o.to_timestamp(at)).collect(), Vec::new())
        }
    }
}

/// How to write a local time so that it is one instant: with each offset it can have.
/// Empty where it is out of range.
#[must_use]
pub fn spellings(at: DateTime, zone: &TimeZone) -> Vec<String> {
    match zone.to_ambiguous_timestamp(at).offset() {
        AmbiguousOffset::Unambiguous { offset } => vec![spelled(at, offset)],
        AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => {
            vec![spelled(at, before), spelled(at, after)]
        }
    }
}

fn spelled(at: DateTime, offset: Offset) -> String {
    let seconds = offset.seconds();
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
    format!("{}{sign}{:02}:{:02}", at.strftime("%Y-%m-%dT%H:%M"), minutes / 60, minutes % 60)
}

/// The one instant of a night, from `from` to `to`, at which a wall clock in `zone` shows
/// `time`. With `now`, what was before is over.
///
/// # Errors
/// [`NotInNight`] when there is none, or more than one.
pub fn of_night(
    time: Time,
    zone: &TimeZone,
    (from, to): (Timestamp, Timestamp),
    now: Option<Timestamp>,
) -> Result<Timestamp, NotInNight> {
    /// Nights are not longer; a window of months has each time too often anyway.
    const DAYS: usize = 400;
    let shown = |at: Timestamp| wall_clock(at, Some(zone), None);
    let name = time.strftime("%H:%M").to_string();
    let first = from.to_zoned(zone.clone()).date();
    let first = first.yesterday().unwrap_or(first);
    let last = to.to_zoned(zone.clone()).date();
    let last = last.tomorrow().unwrap_or(last);
    let inside = |at: &Timestamp| (from..=to).contains(at);
    let (mut found, mut skipped) = (Vec::new(), None);
    for day in first.series(jiff::Span::new().days(1)).take(DAYS).take_while(|day| *day <= last) {
        let at = day.to_datetime(time);
        let (one, in_gap) = readings(at, zone);
        found.extend(one.into_iter().filter(inside));
        if in_gap.iter().any(inside) {
            skipped = Some(at);
        }
    }
    found.sort_unstable();
    let (over, ahead): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|at| now.is_some_and(|now| *at < now));
    match (&ahead[..], skipped) {
        ([only], _) => Ok(*only),
        ([], Some(at)) => Err(NotInNight::Skipped {
            skipped: instant(at, zone).err().unwrap_or(NotAnInstant::Range(name)),
            spellings: spellings(at, zone),
        }),
        ([], None) => Err(match now.filter(|_| !over.is_empty()) {
            Some(now) => NotInNight::Past { time: name, now: shown(now) },
            None => NotInNight::Outside { time: name, from: shown(from), to: shown(to) },
        }),
        (several, _) => Err(NotInNight::Again {
            time: name,
            from: shown(from),
            to: shown(to),
            spellings: several
                .iter()
                .map(|at| {
                    let local = at.to_zoned(zone.clone());
                    spelled(local.datetime(), local.offset())
                })
                .collect(),
        }),
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

    fn night(time: &str, zone: &str, from: &str, to: &str, now: Option<&str>) -> String {
        let zone = TimeZone::get(zone).expect("a zone");
        let instant = |text: &str| -> Timestamp { text.parse().expect("an instant") };
        let night = (instant(from), instant(to));
        match of_night(time.parse().expect("a time"), &zone, night, now.map(instant)) {
            Ok(at) => at.to_string(),
            Err(error @ (NotInNight::Again { .. } | NotInNight::Skipped { .. })) => {
                let (NotInNight::Again { spellings, .. } | NotInNight::Skipped { spellings, .. }) =
                    &error
                else {
                    unreachable!()
                };
                format!("{error}; {}", spellings.join(", "))
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_time_of_day_is_that_of_the_night() {
        // A window from 23:30 to 02:00 BST: each side of midnight, and its two ends.
        let (from, to) = ("2026-06-05T22:30:00Z", "2026-06-06T01:00:00Z");
        let of = |time: &str| night(time, "Europe/London", from, to, None);
        assert_eq!(of("00:15"), "2026-06-05T23:15:00Z");
        assert_eq!(of("23:45"), "2026-06-05T22:45:00Z");
        assert_eq!(of("23:30"), from);
        assert_eq!(of("02:00"), to);
        assert_eq!(
            of("02:01"),
            "02:01 is outside the window, Fri 05 Jun 2026 23:30 BST to Sat 06 Jun 2026 02:00 BST"
        );
        assert!(of("23:29").contains("is outside the window"));
    }

    #[test]
    fn what_is_over_is_said() {
        let (from, to) = ("2026-06-05T22:30:00Z", "2026-06-06T01:00:00Z");
        let at = |time: &str, now: &str| night(time, "Europe/London", from, to, Some(now));
        assert_eq!(
            at("23:45", "2026-06-05T23:10:00Z"),
            "23:45 is in the past: it is Sat 06 Jun 2026 00:10 BST"
        );
        assert_eq!(at("00:15", "2026-06-05T23:10:00Z"), "2026-06-05T23:15:00Z");
    }

    #[test]
    fn a_time_that_comes_twice_in_the_night_is_one_only_with_its_offset() {
        // London goes back at 02:00 BST; New York at 02:00 EDT.
        let (from, to) = ("2026-10-24T22:00:00Z", "2026-10-25T02:10:00Z");
        let of = |time: &str| night(time, "Europe/London", from, to, None);
        let told = of("01:30");
        assert!(told.starts_with("01:30 happens twice between"), "{told}");
        assert!(told.ends_with("; 2026-10-25T01:30+01:00, 2026-10-25T01:30+00:00"), "{told}");
        assert_eq!(of("00:59"), "2026-10-24T23:59:00Z");
        assert_eq!(of("02:05"), "2026-10-25T02:05:00Z");
        let told = night(
            "01:00",
            "America/New_York",
            "2026-11-01T02:00:00Z",
            "2026-11-01T09:00:00Z",
            None,
        );
        assert!(told.ends_with("; 2026-11-01T01:00-04:00, 2026-11-01T01:00-05:00"), "{told}");
        // Once the first is over, or where the window ends between the two, there is one.
        let later = night("01:30", "Europe/London", from, to, Some("2026-10-25T01:00:00Z"));
        assert_eq!(later, "2026-10-25T01:30:00Z");
        let short = night("01:30", "Europe/London", from, "2026-10-25T01:10:00Z", None);
        assert_eq!(short, "2026-10-25T00:30:00Z");
        // A window of days has every time of day several times.
        let long =
            night("03:00", "Europe/London", "2026-06-05T22:00:00Z", "2026-06-08T22:00:00Z", None);
        assert!(long.starts_with("03:00 happens 3 times between"), "{long}");
    }

    #[test]
    fn a_time_the_night_skips_is_said_with_its_two_readings() {
        let told = night(
            "02:30",
            "America/New_York",
            "2026-03-08T03:00:00Z",
            "2026-03-08T10:00:00Z",
            None,
        );
        assert_eq!(
            told,
            "2026-03-08 02:30 does not exist in America/New_York: the clock goes forward from 02:00 to 03:00; 2026-03-08T02:30-05:00, 2026-03-08T02:30-04:00"
        );
    }
}
