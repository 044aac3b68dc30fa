//! Running a trigger over recorded data: when would it have fired, and how often
//! does it fire when nothing is wrong?

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::machine::{Change, Sample, State, Watched, normal};
use crate::rule::Rule;

/// What a trigger would have done.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// Every change of state.
    pub changes: Vec<Change>,
    /// When it first fired.
    pub fired: Option<Timestamp>,
    /// The highest `ln M` there was.
    pub highest: Option<f64>,
    /// How it stood at the end.
    pub last: Watched,
    /// For how long in all there was nothing to look at: between samples, and where they
    /// hold no data. A look that found no events is none of it.
    pub blind: Duration,
    /// Whether it ever saw anything: a value, or an event.
    pub seen: bool,
}

/// Runs a trigger over samples, which stand in the order of their times. Where a
/// sample should have been and is not, there was nothing to look at.
#[must_use]
pub fn replay(rule: &Rule, samples: &[(Timestamp, Sample)]) -> Option<Replayed> {
    let began = samples.first()?.0;
    let mut watched = Watched::new(began);
    let (mut changes, mut fired, mut highest) = (Vec::new(), None, None::<f64>);
    let (mut previous, mut blind, mut seen) = (began, Duration::ZERO, false);
    for (at, sample) in samples {
        blind += unseen(rule, previous, *at, sample);
        seen |= shows(sample);
        // Clocks of exporters wander: up to half an interval is no missing look.
        for missing in between(previous, *at, rule.every) {
            changes.extend(watched.look(rule, missing, &Sample::Nothing));
        }
        previous = *at;
        changes.extend(watched.look(rule, *at, sample));
        if watched.state == State::Firing {
            fired = fired.or(Some(*at));
        }
        if let Some(log) = watched.evidence.log() {
            highest = Some(highest.map_or(log, |highest| highest.max(log)));
        }
    }
    Some(Replayed { changes, fired, highest, last: watched, blind, seen })
}

/// How much of the time up to a sample nobody saw anything of.
fn unseen(rule: &Rule, previous: Timestamp, at: Timestamp, sample: &Sample) -> Duration {
    let length = Duration::try_from(at.duration_since(previous)).unwrap_or_default();
    match normal(sample) {
        Sample::Nothing | Sample::Failed => length,
        // The sample is about one interval; the looks of the others are missing.
        _ if between(previous, at, rule.every).is_empty() => Duration::ZERO,
        _ => length.saturating_sub(rule.every),
    }
}

/// Whether a sample holds anything.
fn shows(sample: &Sample) -> bool {
    match normal(sample) {
        Sample::Counts { total, .. } => total.round() > 0.0,
        Sample::Value { .. } => true,
        Sample::Nothing | Sample::Failed => false,
    }
}

/// The looks that gave nothing between two samples. A very long gap is as blind
/// after a thousand looks as it will ever be.
fn between(from: Timestamp, to: Timestamp, every: Duration) -> Vec<Timestamp> {
    let Ok(step) = SignedDuration::try_from(every) else { return Vec::new() };
    let mut missing = Vec::new();
    let mut at = from;
    while !step.is_zero() && missing.len() < 1000 {
        let Ok(next) = at.checked_add(step) else { break };
        at = next;
        if to.duration_since(at) * 2 < step {
            break;
        }
        missing.push(at);
    }
    missing
}

/// How often a trigger fires over times in which nothing was wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Quiet {
    /// How many windows there were in which anything was seen.
    pub windows: usize,
    /// How many more there were, in which nothing was seen, or for less than half of the
    /// time: that it did not fire there says nothing.
    pub blind: usize,
    /// In how many the trigger fired.
    pub alarms: usize,
    /// The highest `ln M` of each window, in ascending order; nothing for triggers
    /// that need no evidence.
    pub highest: Vec<f64>,
}

impl Quiet {
    /// The share of windows with a false alarm; `None` without windows.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        (self.windows > 0).then(|| self.alarms as f64 / self.windows as f64)
    }

    /// The `ln c` below which the measured false-alarm rate is above `alpha`: with
    /// `n` windows the rank `⌈(n+1)(1−alpha)⌉`, the split-conformal quantile; the
    /// highest there was if there are fewer windows than that takes.
    #[must_use]
    pub fn floor(&self, alpha: f64) -> Option<f64> {
        let rank = ((self.highest.len() as f64 + 1.0) * (1.0 - alpha)).ceil() as usize;
        let index = rank.min(self.highest.len()).checked_sub(1)?;
        self.highest.get(index).copied()
    }
}

/// Runs a trigger anew over each window of this length.
#[must_use]
pub fn quiet(rule: &Rule, samples: &[(Timestamp, Sample)], window: Duration) -> Quiet {
    let mut quiet = Quiet { windows: 0, blind: 0, alarms: 0, highest: Vec::new() };
    let mut rest = samples;
    let Ok(length) = SignedDuration::try_from(window) else { return quiet };
    while let Some((began, _)) = rest.first() {
        let inside = rest.partition_point(|(at, _)| at.duration_since(*began) < length);
        let (now, later) = rest.split_at(inside.max(1));
        rest = later;
        // A window that is not whole is quiet for another reason.
        let covered = now.last().map(|(at, _)| at.duration_since(*began)).unwrap_or_default();
        let step = SignedDuration::try_from(rule.every).unwrap_or_default();
        if covered + step * 2 < length {
            continue;
        }
        if let Some(done) = replay(rule, now) {
            // What fired was seen, however little else was.
            if done.fired.is_none() && (!done.seen || done.blind * 2 > window) {
                quiet.blind += 1;
                continue;
            }
            quiet.windows += 1;
            quiet.alarms += usize::from(done.fired.is_some());
            quiet.highest.extend(done.highest);
        }
    }
    quiet.highest.sort_by(f64::total_cmp);
    quiet
}
