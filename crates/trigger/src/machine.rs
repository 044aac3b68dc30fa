//! The states of a trigger.
//!
//! ```text
//!                    enough events
//!   insufficient ─────────────────► ok ◄───────────── recovering
//!        │                          │ ▲   well for        │ ▲
//!        │ beyond the limit         ▼ │   recovers_after  ▼ │ below the limit
//!        └──────────────────────► pending ──────────► firing
//!                                      evidence, still beyond, `for` elapsed
//!
//!   pending, recovering ── within the limit, too few events for ok ──► insufficient
//!   any ── nothing for longer than max_gap ──► no data ──┐ back to where it was:
//!   any ── cannot be read for error_after ───► error ────┘ evidence is kept
//! ```
//!
//! A trigger that has fired stays *latched*: that it recovers is told to whoever
//! decides, and does not unsay it.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use backout_core::plan::Missing;
pub use backout_core::watch::{Meaning, State, Verdict};

use crate::evidence::Evidence;
use crate::rule::{Kind, Rule};

/// The fewest events the short-window estimate is made of: one of one says nothing about a
/// share. Where the short window holds fewer, the ones before it count, too.
const FEWEST: f64 = 10.0;
/// So many short windows these may reach back.
const REACH: u32 = 12;

/// What looking once gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Sample {
    /// Of `total` events since the last look, `bad` were beyond the limit.
    Counts {
        /// Bad events.
        bad: f64,
        /// All events.
        total: f64,
    },
    /// A value, and whether it is beyond its limit.
    Value {
        /// The value.
        value: f64,
        /// Whether it is beyond the limit.
        beyond: bool,
    },
    /// There is nothing to look at: an empty answer, a value that is no number.
    Nothing,
    /// The source could not be read.
    Failed,
}

/// Everything that is known about a trigger: what a restart needs to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// Where it stands.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// When the watch began.
    pub began: Timestamp,
    /// When it first fired.
    pub latched: Option<Timestamp>,
    /// Since when it has been beyond the limit without a break.
    pub breach_since: Option<Timestamp>,
    /// Since when it has been below the limit without a break.
    pub clean_since: Option<Timestamp>,
    /// When there was last something to look at.
    pub seen: Option<Timestamp>,
    /// Since when the events came that a look found last. A look that finds none is no gap,
    /// and nothing is seen to be well by it.
    #[serde(default)]
    pub counted: Option<Timestamp>,
    /// When it was last looked at.
    pub looked: Option<Timestamp>,
    /// Since when the source cannot be read.
    pub failing_since: Option<Timestamp>,
    /// When a source that could not be read answered again, with no data so far.
    #[serde(default)]
    answered: Option<Timestamp>,
    /// Until when data may be missing, because of a stage.
    #[serde(default)]
    excused: Option<Timestamp>,
    /// All events since the watch began.
    pub total: f64,
    /// All bad events since the watch began.
    pub bad: f64,
    /// The evidence so far.
    pub evidence: Evidence,
    /// The last value.
    pub value: Option<f64>,
    /// The intervals with events that the short-window estimate is made of, oldest first:
    /// when, bad, total. Under low traffic they reach back further than the short window.
    short: VecDeque<(Timestamp, f64, f64)>,
    /// Whether the short window itself holds no event.
    #[serde(default)]
    silent: bool,
    /// Whether the evidence reached its bound during this breach. That chance ever does is
    /// within the budget, so it counts although a few good events take some away again.
    #[serde(default)]
    proven: bool,
    /// Where it stood before it went blind.
    before: State,
}

/// What it means that a look gave nothing.
enum Gap {
    /// A hiccup.
    None,
    /// Data may be missing now.
    Excused,
    /// There is no data.
    NoData,
}

/// Between two states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// From.
    pub from: State,
    /// To.
    pub to: State,
    /// When.
    pub at: Timestamp,
}

impl Watched {
    /// Before the first look.
    #[must_use]
    pub fn new(began: Timestamp) -> Self {
        Self {
            state: State::Insufficient,
            since: began,
            began,
            latched: None,
            breach_since: None,
            clean_since: None,
            seen: None,
            counted: None,
            looked: None,
            failing_since: None,
            answered: None,
            excused: None,
            total: 0.0,
            bad: 0.0,
            evidence: Evidence::default(),
            value: None,
            short: VecDeque::new(),
            silent: true,
            proven: false,
            before: State::Insufficient,
        }
    }

    /// The share of bad events lately, 0 to 1; `None` if the short window holds no event.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        if self.silent { None } else { self.estimate() }
    }

    /// The share of bad events among the last ones: those of the short window, and under
    /// low traffic some before it. `None` if there are none.
    fn estimate(&self) -> Option<f64> {
        let (bad, total) =
            self.short.iter().fold((0.0, 0.0), |(b, n), (_, bad, total)| (b + bad, n + total));
        (total > 0.0).then(|| bad / total)
    }

    /// What the state means for the release.
    #[must_use]
    pub fn meaning(&self, rule: &Rule) -> Meaning {
        let missing = |policy| match policy {
            Missing::Inconclusive => Meaning::Inconclusive,
            Missing::Breach => Meaning::Breach,
            Missing::Hold => Meaning::Open,
            Missing::Ok => Meaning::Healthy,
        };
        let now = match self.state {
            State::Ok => Meaning::Healthy,
            State::Insufficient | State::Pending => Meaning::Open,
            State::Firing | State::Recovering => Meaning::Breach,
            State::NoData => missing(rule.on_no_data),
            State::Error => missing(rule.on_error),
        };
        // What fired while it could be seen has not stopped because it cannot.
        let hidden = self.state.is_blind() && self.latched.is_some();
        if hidden && matches!(self.before, State::Firing | State::Recovering) {
            return Meaning::Breach;
        }
        now
    }

    /// Takes in what looking at `at` gave.
    pub fn look(&mut self, rule: &Rule, at: Timestamp, sample: &Sample) -> Option<Change> {
        if at < self.looked.unwrap_or(self.began) {
            self.back_to(at);
        }
        let from = self.state;
        let sample = normal(sample);
        let to = if rule.prometheus {
            self.as_prometheus(rule, at, &sample)
        } else {
            self.next(rule, at, &sample)
        };
        self.looked = Some(at);
        if to == State::Firing {
            self.latched.get_or_insert(at);
        }
        if to == from {
            return None;
        }
        if to.is_blind() && !from.is_blind() {
            self.before = from;
        }
        self.state = to;
        self.since = at;
        Some(Change { from, to, at })
    }

    /// The clock on the wall was set, by this much: what is counted goes on as if it had not been.
    pub fn move_by(&mut self, by: SignedDuration) {
        let moved = |at: &mut Timestamp| *at = at.saturating_add(by).unwrap_or(*at);
        for known in [
            &mut self.latched,
            &mut self.breach_since,
            &mut self.clean_since,
            &mut self.seen,
            &mut self.counted,
            &mut self.looked,
            &mut self.failing_since,
            &mut self.answered,
            &mut self.excused,
        ] {
            known.iter_mut().for_each(moved);
        }
        moved(&mut self.since);
        moved(&mut self.began);
        self.short.iter_mut().for_each(|(when, ..)| moved(when));
    }

    /// The clock went back: what lies ahead of it now is taken to be of this moment, so
    /// that timers neither run backwards nor wait for the clock to catch up.
    fn back_to(&mut self, at: Timestamp) {
        let clamp = |known: &mut Option<Timestamp>| *known = known.map(|known| known.min(at));
        for known in [
            &mut self.latched,
            &mut self.breach_since,
            &mut self.clean_since,
            &mut self.seen,
            &mut self.counted,
            &mut self.looked,
            &mut self.failing_since,
            &mut self.answered,
        ] {
            clamp(known);
        }
        self.since = self.since.min(at);
        self.began = self.began.min(at);
        self.short.iter_mut().for_each(|(when, ..)| *when = (*when).min(at));
    }

    fn next(&mut self, rule: &Rule, at: Timestamp, sample: &Sample) -> State {
        match sample {
            Sample::Failed => {
                self.answered = None;
                let since = *self.failing_since.get_or_insert(at);
                if lasted(since, at) >= rule.error_after { State::Error } else { self.state }
            }
            Sample::Nothing => match self.gap(rule, at) {
                Gap::None => self.unblinded(),
                Gap::Excused => self.state_in_grace(),
                Gap::NoData => State::NoData,
            },
            Sample::Counts { .. } | Sample::Value { .. } => self.seen(rule, at, sample),
        }
    }

    /// Data may be missing until then, because of a stage; `None` where no stage excuses it.
    pub fn excuse(&mut self, until: Option<Timestamp>) {
        self.excused = until;
    }

    /// What it means that a look at `at` gave nothing. Data may be missing for the grace at
    /// first, where a stage excuses it, and after a source could not be read.
    fn gap(&mut self, rule: &Rule, at: Timestamp) -> Gap {
        let failed = self.failing_since.take().is_some();
        if failed && self.state == State::Error && rule.on_error != Missing::Ok {
            self.answered = Some(at);
        }
        let within = |since: Option<Timestamp>, length| {
            since.is_some_and(|since| lasted(since, at) <= length)
        };
        let first = self.seen.is_none() && within(Some(self.began), rule.grace);
        let stage = self.excused.is_some_and(|until| at <= until);
        let again = (stage || within(self.answered, rule.grace))
            // What means nothing bad needs no excuse.
            && matches!(rule.on_no_data, Missing::Breach | Missing::Inconclusive);
        match () {
            () if within(self.seen, rule.max_gap) => Gap::None,
            () if first || again => Gap::Excused,
            () => Gap::NoData,
        }
    }

    /// Where it stands while data may be missing: without data nothing is seen to be well, and
    /// what cannot be seen is not to be seen again by an empty answer.
    fn state_in_grace(&self) -> State {
        match self.state {
            State::Ok => State::Insufficient,
            state => state,
        }
    }

    /// Where it stood before it went blind.
    fn unblinded(&self) -> State {
        if self.state == State::Error { self.before } else { self.state }
    }

    fn seen(&mut self, rule: &Rule, at: Timestamp, sample: &Sample) -> State {
        // Nobody knows what happened in a gap: what must hold without a break starts anew.
        let gap = self.seen.is_some_and(|seen| lasted(seen, at) > rule.max_gap + rule.every);
        if gap {
            self.end_breach();
            self.clean_since = None;
            self.short.retain(|(then, ..)| lasted(*then, at) < rule.short);
        }
        if matches!(sample, Sample::Counts { total, .. } if total.round() > 0.0) {
            // They came after the look before this one.
            self.counted = self.seen.or_else(|| at.checked_sub(rule.every).ok());
        }
        self.seen = Some(at);
        self.failing_since = None;
        self.answered = None;
        let state = if self.state.is_blind() { self.before } else { self.state };
        let (beyond, enough, proven) = self.take(rule, at, sample);
        let of_share = matches!(rule.kind, Kind::Share { .. });
        // Without events nothing is seen to be well, and no breach begins; one that is under
        // way is not over either.
        let silent = of_share && self.silent;
        let beyond = beyond && (!silent || self.breach_since.is_some());
        if silent {
            self.clean_since = None;
        } else if beyond {
            self.clean_since = None;
            self.breach_since.get_or_insert(at);
        } else {
            self.clean_since.get_or_insert(at);
        }
        self.proven |= proven && beyond;
        let proven = self.proven;
        let held = |since: Option<Timestamp>, length: Duration| {
            since.is_some_and(|since| lasted(since, at) >= length)
        };
        // The fewest events there must be are for `ok` alone: evidence holds with any number.
        let within = if enough { State::Ok } else { State::Insufficient };
        match state {
            State::Firing | State::Recovering if silent => state,
            State::Firing | State::Recovering if beyond => State::Firing,
            State::Firing | State::Recovering => {
                self.end_breach();
                match held(self.clean_since, rule.recovers_after) {
                    true if state == State::Recovering || rule.recovers_after.is_zero() => within,
                    _ => State::Recovering,
                }
            }
            _ if beyond && proven && held(self.breach_since, rule.lasting) => State::Firing,
            _ if beyond && (enough || proven) => State::Pending,
            _ if beyond => State::Insufficient,
            // A share wavers around its limit: one good look does not stop the timer.
            State::Pending if of_share && !silent && !held(self.clean_since, rule.max_gap) => {
                State::Pending
            }
            _ => {
                self.end_breach();
                if silent { State::Insufficient } else { within }
            }
        }
    }

    /// What holds without a break begins anew with the next breach.
    fn end_breach(&mut self) {
        (self.breach_since, self.proven) = (None, false);
    }

    /// Whether the last events are beyond the limit, whether there are enough events to say
    /// that all is well, and whether there is evidence for a breach.
    fn take(&mut self, rule: &Rule, at: Timestamp, sample: &Sample) -> (bool, bool, bool) {
        match (&rule.kind, sample) {
            (Kind::Share { detector, threshold, least }, Sample::Counts { bad, total }) => {
                // Counts that a source interpolated are made whole.
                let total = total.round();
                let bad = bad.round().min(total);
                detector.update(&mut self.evidence, bad, total);
                self.total += total;
                self.bad += bad;
                self.note(rule, at, bad, total);
                let share = self.estimate();
                self.value = share.or(self.value);
                let beyond = share.is_some_and(|share| share > detector.limit());
                let proven = self.evidence.log().is_some_and(|log| log >= *threshold);
                (beyond, self.total >= *least, proven)
            }
            (_, Sample::Value { value, beyond }) => {
                self.value = Some(*value);
                (*beyond, true, true)
            }
            (Kind::Plain, _) | (_, Sample::Nothing | Sample::Failed) => (false, false, false),
        }
    }

    /// Takes one interval into the short-window estimate, and drops what is too old for it.
    fn note(&mut self, rule: &Rule, at: Timestamp, bad: f64, total: f64) {
        if total > 0.0 {
            self.short.push_back((at, bad, total));
        }
        let mut events: f64 = self.short.iter().map(|(.., total)| total).sum();
        while let Some((then, _, total)) = self.short.front() {
            let age = lasted(*then, at);
            let few = events - total < FEWEST && age < rule.short * REACH;
            if age < rule.short || few {
                break;
            }
            events -= total;
            self.short.pop_front();
        }
        let fresh = |(then, _, total): &(Timestamp, f64, f64)| {
            *total > 0.0 && lasted(*then, at) < rule.short
        };
        self.silent = !self.short.iter().any(fresh);
    }

    /// `rules/alerting.go` of Prometheus: a missing sample ends a pending alert and
    /// resolves a firing one (after `keep_firing_for`); an error changes nothing.
    fn as_prometheus(&mut self, rule: &Rule, at: Timestamp, sample: &Sample) -> State {
        let active = match sample {
            // Prometheus says nothing then. That nobody can see is said all the same.
            Sample::Failed => {
                self.answered = None;
                let since = *self.failing_since.get_or_insert(at);
                let blind = lasted(since, at) >= rule.error_after;
                return if blind { State::Error } else { self.state };
            }
            Sample::Value { value, beyond } => {
                self.value = Some(*value);
                *beyond
            }
            Sample::Nothing | Sample::Counts { .. } => false,
        };
        let state = match self.state {
            // An alert whose series is gone is resolved.
            State::NoData => State::Ok,
            State::Error => self.before,
            state => state,
        };
        if !matches!(sample, Sample::Nothing) {
            self.seen = Some(at);
            (self.failing_since, self.answered) = (None, None);
        } else {
            let gap = self.gap(rule, at);
            if !matches!(state, State::Firing | State::Pending) {
                // An alert that is not there says nothing about a series that is not there.
                self.breach_since = None;
                return match gap {
                    _ if self.state == State::NoData => State::NoData,
                    Gap::None => state,
                    Gap::Excused => self.state_in_grace(),
                    Gap::NoData => State::NoData,
                };
            }
        }
        if active {
            self.clean_since = None;
            let since = *self.breach_since.get_or_insert(at);
            let firing = state == State::Firing || lasted(since, at) >= rule.lasting;
            return if firing { State::Firing } else { State::Pending };
        }
        if state == State::Firing && !rule.recovers_after.is_zero() {
            let since = *self.clean_since.get_or_insert(at);
            if lasted(since, at) < rule.recovers_after {
                return State::Firing;
            }
        }
        self.breach_since = None;
        self.clean_since = None;
        // The alert is resolved; that its series is gone is no good news.
        if matches!(sample, Sample::Nothing) { State::NoData } else { State::Ok }
    }
}

/// A sample that is no number is none; one that is infinite is beyond any limit it
/// was held against.
pub(crate) fn normal(sample: &Sample) -> Sample {
    match sample {
        Sample::Counts { bad, total }
            if !bad.is_finite() || !total.is_finite() || *bad < 0.0 || *total < 0.0 =>
        {
            Sample::Nothing
        }
        Sample::Value { value, .. } if value.is_nan() => Sample::Nothing,
        other => other.clone(),
    }
}

fn lasted(since: Timestamp, at: Timestamp) -> Duration {
    let length: SignedDuration = at.duration_since(since);
    Duration::try_from(length).unwrap_or_default()
}

/// How a watch over these triggers ends if it ends now.
pub fn verdict<'a>(triggers: impl IntoIterator<Item = (&'a Rule, &'a Watched)>) -> Verdict {
    let (mut verdict, mut any, mut well) = (Verdict::Passed, false, false);
    for (rule, watched) in triggers {
        any = true;
        match watched.meaning(rule) {
            _ if watched.latched.is_some() => return Verdict::Failed,
            Meaning::Breach => return Verdict::Failed,
            Meaning::Healthy => well = true,
            Meaning::Open | Meaning::Inconclusive if rule.required => {
                verdict = Verdict::Inconclusive;
            }
            Meaning::Open => {}
            Meaning::Inconclusive => verdict = Verdict::Inconclusive,
        }
    }
    match (any, well) {
        (false, _) => Verdict::Unwatched,
        // Where no trigger is required, one at least must have seen something.
        (true, false) => Verdict::Inconclusive,
        (true, true) => verdict,
    }
}
