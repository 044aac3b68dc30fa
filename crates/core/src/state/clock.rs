//! The clock on the wall, followed through a log.

use jiff::{SignedDuration, Timestamp};

use super::RunState;
use crate::choice::ForecastSummary;
use crate::moment::{ClockChange, Moment, moved};
use crate::record::Record;
use crate::release::Release;

impl RunState {
    /// What happened to the clock on the wall since the moment that is counted from.
    #[must_use]
    pub fn clock_change(&self, now: &Moment) -> Option<ClockChange> {
        now.change_since(&self.clock)
    }

    /// The state as it stands on the clock as it is set now.
    #[must_use]
    pub fn on_clock(&self, now: &Moment) -> Self {
        let mut state = self.clone();
        state.follow_clock(now);
        state
    }

    pub(super) fn follow_record(&mut self, record: &Record) {
        self.follow_clock(&record.moment());
    }

    fn follow_clock(&mut self, now: &Moment) {
        match self.clock_change(now) {
            Some(ClockChange::Jumped(by)) => self.move_by(by),
            // What is too small for a jump is measured from the same moment on, so that it adds up.
            None if now.is_on_the_clock_of(&self.clock) => return,
            Some(ClockChange::OtherBoot) | None => {}
        }
        self.clock = now.clone();
    }

    /// Moves every moment from which something is counted. What the plan names as a time of day
    /// stays where it is: when a step may start, when the window ends, and the last moment to back
    /// out, which follows from that.
    fn move_by(&mut self, by: SignedDuration) {
        let moments = self.states.iter_mut().flat_map(|known| {
            [
                &mut known.since,
                &mut known.started,
                &mut known.ended,
                &mut known.doubted,
                &mut known.failed_at,
                &mut known.accepted,
            ]
        });
        moments.flatten().for_each(|at| *at = moved(*at, by));
        self.started = moved(self.started, by);
        self.owned_since = moved(self.owned_since, by);
        self.holding = self.holding.map(|at| moved(at, by));
        if let Some(held) = &mut self.held {
            held.since = moved(held.since, by);
        }
        move_release(&mut self.release, by);
    }
}

fn move_release(release: &mut Release, by: SignedDuration) {
    let move_it = |at: &mut Timestamp| *at = moved(*at, by);
    for seen in release.triggers.values_mut() {
        move_it(&mut seen.since);
        seen.fired.as_mut().map(move_it);
    }
    release.lost.values_mut().for_each(|lost| move_it(&mut lost.since));
    release.decided.iter_mut().for_each(|decision| move_it(&mut decision.at));
    for (from, to) in &mut release.gaps {
        move_it(from);
        move_it(to);
    }
    if let Some(back) = &mut release.back {
        move_it(&mut back.since);
    }
    if let Some(open) = &mut release.open {
        // The last moment to back out is a time of day: people do not get more time than to it.
        let latest = open.forecast.as_ref().and_then(ForecastSummary::latest);
        for until in [&mut open.until, &mut open.fix_until].into_iter().flatten() {
            let was_in_time = latest.filter(|latest| *until <= *latest);
            move_it(until);
            *until = was_in_time.map_or(*until, |latest| latest.min(*until));
        }
        move_it(&mut open.asked_at);
    }
}
