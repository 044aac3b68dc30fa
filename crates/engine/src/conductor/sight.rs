//! What is watched: news of it into the log, and no verdict on old news.
//!
//! The log says how each trigger stood when it last moved. That is not enough to let a
//! release pass: a trigger that nobody has looked at since stands as it stood. So a stage
//! counts as watched, a release as found well and what fired as recovered only once the
//! watch has really looked, after what is judged and just now. Where it cannot, nobody
//! can say that it went well.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use backout_core::decision::{self, is_there};
use backout_core::event::Event;
use backout_core::ids::TriggerId;
use backout_core::moment::Moment;
use backout_core::release::Attention;
use backout_core::state::RunState;
use backout_core::watch::{Reading, State, Verdict};

use super::{Conductor, Observer, Stopped};
use crate::clock::Clock;
use crate::fault::{self, Point};
use crate::hands::Hands;
use crate::journal::Journal;

/// Where a watch stands at this moment.
pub trait Sight: Send + Sync {
    /// Nothing if each of these triggers stands as given here, was looked at after
    /// `since`, and was looked at just now; else how long at most that may still take.
    fn unseen(
        &self,
        triggers: &[(TriggerId, State)],
        since: Timestamp,
        now: Timestamp,
    ) -> Option<Duration>;

    /// What each trigger measured last.
    fn readings(&self) -> BTreeMap<TriggerId, Reading> {
        BTreeMap::new()
    }

    /// How the run stands: some triggers are about that, too.
    fn stands(&self, _state: &RunState, _now: Timestamp) {}
}

/// How often it is tried again.
const AGAIN: Duration = Duration::from_millis(250);

/// Something that waits for a look: since when.
pub(super) type Postponed = BTreeMap<About, Moment>;

/// What waits for a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    /// A stage's time under watch.
    Stage(usize),
    /// The watch over the whole release.
    Release,
}

impl<J: Journal, H: Hands, C: Clock> Conductor<J, H, C> {
    /// The verdict that may be written down now, or how long to wait before asking again.
    pub(super) fn judged(
        &mut self,
        about: About,
        verdict: Verdict,
        moment: &Moment,
    ) -> Result<Verdict, Duration> {
        let now = moment.wall;
        // What fired has fired, and where nobody watches nobody looks.
        if matches!(verdict, Verdict::Failed | Verdict::Unwatched) {
            return Ok(verdict);
        }
        let state = self.log.state();
        let ended = |index: usize| state.states()[index].ended.or(state.states()[index].since);
        let since = match about {
            About::Stage(index) => ended(index),
            About::Release => state.stages().filter_map(ended).max(),
        };
        let stands = |id: &TriggerId| {
            let seen = state.release().triggers.get(id);
            (id.clone(), seen.map_or(State::Insufficient, |seen| seen.state))
        };
        let mut wanted: Vec<(TriggerId, State)> = decision::required(state).map(stands).collect();
        if wanted.is_empty() {
            wanted = state
                .release()
                .triggers
                .keys()
                .filter(|id| is_there(state, id))
                .map(stands)
                .collect();
        }
        let Some(sight) = &self.sight else { return Ok(Verdict::Inconclusive) };
        let Some(patience) = sight.unseen(&wanted, since.unwrap_or(now), now) else {
            // Only now: what the look has found is on its way before it counts as one.
            if self.news_is_waiting() {
                return Err(AGAIN);
            }
            self.postponed.remove(&about);
            return Ok(verdict);
        };
        match self.postpone(about, patience, moment) {
            Some(left) => Err(left),
            None => Ok(Verdict::Inconclusive),
        }
    }

    /// Whether what fired was seen to be well after the way back; else how long to wait
    /// before asking again. Where it never can be seen, it stops being well by itself.
    pub(super) fn recovery_is_seen(&mut self, now: Timestamp) -> Result<(), Duration> {
        let state = self.log.state();
        let required: BTreeSet<&TriggerId> = decision::required(state).collect();
        let about = state.release().triggers.iter().filter(|(id, seen)| {
            (seen.fired.is_some() || required.contains(id))
                && seen.attention != Attention::Accepted
                && is_there(state, id)
        });
        let wanted: Vec<_> = about.map(|(id, seen)| (id.clone(), seen.state)).collect();
        let since = state.states().iter().filter_map(|known| known.ended).max().unwrap_or(now);
        match &self.sight {
            Some(sight) if sight.unseen(&wanted, since, now).is_some() => Err(AGAIN),
            _ if self.news_is_waiting() => Err(AGAIN),
            _ => Ok(()),
        }
    }

    fn news_is_waiting(&self) -> bool {
        self.news.as_ref().is_some_and(|news| !news.is_empty())
    }

    /// How long to wait for a look that may take so long in all; nothing if it took longer.
    fn postpone(&mut self, about: About, patience: Duration, now: &Moment) -> Option<Duration> {
        let since = self.postponed.entry(about).or_insert_with(|| now.clone());
        let waited = now.since(since);
        // Where only the wall is left to go by, and went backwards, the wait begins anew.
        if waited.is_negative() {
            *since = now.clone();
        }
        let waited = Duration::try_from(waited).unwrap_or_default();
        let left = patience.checked_sub(waited).filter(|left| !left.is_zero())?;
        Some(left.min(AGAIN))
    }

    /// Writes down what was seen, as far as it says something new.
    pub(super) async fn take_in(
        &mut self,
        observer: &mut impl Observer,
        events: Vec<Event>,
    ) -> Result<(), Stopped> {
        let about = events.iter().find_map(|event| match event {
            Event::TriggerChanged { to, .. } => Some(to.shown()),
            _ => None,
        });
        fault::point(Point::Heard, about.unwrap_or_default());
        loop {
            let state = self.log.state();
            let begun = state.has_begun_to_deploy();
            let new: Vec<Event> = events
                .iter()
                .filter(|event| match event {
                    Event::SourceOutageEnded { source } => {
                        state.release().lost.contains_key(source)
                    }
                    Event::SourceOutageStarted { source, .. } => {
                        !state.release().lost.contains_key(source)
                    }
                    Event::WatchGap { .. } => state.release().goes_forward(),
                    _ => true,
                })
                .cloned()
                .map(|event| match event {
                    Event::TriggerChanged { trigger, from, to, meaning, before, reading } => {
                        let fired = to == State::Firing && !begun && state.release().deploys;
                        let before = before || fired;
                        Event::TriggerChanged { trigger, from, to, meaning, before, reading }
                    }
                    event => event,
                })
                .collect();
            if new.is_empty() || state.finished().is_some() {
                return Ok(());
            }
            if self.append(observer, new).await? {
                fault::point(Point::HeardDurable, about.unwrap_or_default());
                return Ok(());
            }
        }
    }
}

/// The next thing that was seen; never, if nothing is watched.
pub(super) async fn hear(news: &mut Option<mpsc::Receiver<Vec<Event>>>) -> Option<Vec<Event>> {
    match news {
        Some(news) => news.recv().await,
        None => std::future::pending().await,
    }
}
