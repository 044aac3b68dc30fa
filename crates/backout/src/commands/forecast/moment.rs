//! The moment a forecast is made for.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use backout_core::event::Instants;
use backout_plan::times::{self, NotInNight};

use crate::failure::Failure;
use crate::view::words;

/// The moment a forecast is made for, as `--at` says it: `02:30` of the night of the
/// window, `2026-06-06T02:30`, or with an offset. `begun` is when a run began.
pub(super) fn moment(
    said: &str,
    zone: &TimeZone,
    window: &Instants,
    now: Timestamp,
    begun: Option<Timestamp>,
) -> Result<Timestamp, Failure> {
    let bad = || {
        Failure::usage(format!("`{said}` is not a time"))
            .hint("write it like `02:30`, `2026-06-06T02:30`, or `2026-06-06T02:30+01:00`")
    };
    let at = match (said.parse::<Timestamp>(), said.parse::<DateTime>()) {
        (Ok(at), _) => at,
        (_, Ok(local)) if said.contains(':') => times::instant(local, zone).map_err(|error| {
            Failure::usage(error.to_string())
                .hint(format!("write the offset too: {}", quoted(&times::spellings(local, zone))))
        })?,
        _ => {
            let time: Time = said.parse().map_err(|_| bad())?;
            return time_of_day(time, zone, window, now, begun);
        }
    };
    if begun.is_some() && at < now {
        return Err(Failure::usage(format!(
            "{} is in the past, and the run goes on from now",
            words::moment(at, zone)
        ))
        .hint("leave `--at` out, or name a later moment"));
    }
    if begun.is_none()
        && let Some(warning) = beside_the_window(at, zone, window, now)
    {
        crate::warn!("warning: {warning}");
    }
    Ok(at)
}

/// What a moment that is written with its date has to do with the window.
fn beside_the_window(
    at: Timestamp,
    zone: &TimeZone,
    window: &Instants,
    now: Timestamp,
) -> Option<String> {
    let shown = words::moment(at, zone);
    let from = window.deploy_start.or(window.deploy_end);
    if let Some(by) = window.backout_by.filter(|by| at > *by) {
        return Some(format!(
            "{shown} is outside the window: it has to be finished by {}",
            words::moment(by, zone)
        ));
    }
    if let Some(from) = from.filter(|from| at < *from) {
        return Some(format!(
            "{shown} is outside the window: that begins {}",
            words::moment(from, zone)
        ));
    }
    (at < now).then(|| format!("{shown} is in the past: it is {}", words::moment(now, zone)))
}

/// A time of day as an instant: in the night of the window; of a run, from now on; without
/// a window the next one, which is said.
fn time_of_day(
    time: Time,
    zone: &TimeZone,
    window: &Instants,
    now: Timestamp,
    begun: Option<Timestamp>,
) -> Result<Timestamp, Failure> {
    let day = SignedDuration::from_hours(24);
    // One instant less, so that the time of day a night begins with is in it once.
    let (next, last) = (day - SignedDuration::from_secs(1), SignedDuration::from_secs(1) - day);
    let shifted = |at: Timestamp, by: SignedDuration| at.checked_add(by).unwrap_or(at);
    let from = window.deploy_start.or(window.deploy_end);
    let night = match (begun, from, window.backout_by) {
        (Some(begun), from, by) => {
            // A run that is late goes on after its window.
            let to = by.map_or(shifted(now, next), |by| by.max(shifted(now, next / 2)));
            (from.map_or(begun, |from| from.min(begun)), to)
        }
        (None, Some(from), Some(by)) => (from, by),
        (None, Some(from), None) => (from, shifted(from, next)),
        (None, None, Some(by)) => (shifted(by, last), by),
        (None, None, None) => (now, shifted(now, next)),
    };
    let present = (begun.is_some() || (night.0..=night.1).contains(&now)).then_some(now);
    let at = times::of_night(time, zone, night, present).map_err(|error| {
        let failure = Failure::usage(error.to_string());
        match &error {
            NotInNight::Again { spellings, .. } => {
                failure.hint(format!("write which one: {}", quoted(spellings)))
            }
            NotInNight::Skipped { spellings, .. } => {
                failure.hint(format!("write the offset too: {}", quoted(spellings)))
            }
            NotInNight::Outside { .. } => failure.hint(format!(
                "for a moment outside the window write the date too: `{}T{}`",
                night.0.to_zoned(zone.clone()).date(),
                time.strftime("%H:%M")
            )),
            NotInNight::Past { .. } => {
                failure.hint("leave `--at` out for now, or name a later moment")
            }
        }
    })?;
    if (begun, from, window.backout_by) == (None, None, None) {
        crate::warn!(
            "note: the plan has no window; the forecast is for an invocation at {}",
            words::moment(at, zone)
        );
    }
    Ok(at)
}

fn quoted(spellings: &[String]) -> String {
    let quoted: Vec<String> = spellings.iter().map(|spelling| format!("`{spelling}`")).collect();
    quoted.join(" or ")
}
