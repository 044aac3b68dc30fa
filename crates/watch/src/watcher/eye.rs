//! Whether a watch has looked since: what may be judged by it. And how a run stands, which
//! some triggers are about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use backout_core::decision::is_there;
use backout_core::ids::{OptionId, TriggerId};
use backout_core::moment::moved;
use backout_core::state::RunState;
use backout_core::status::Status;
use backout_core::watch::{Reading, State};
use backout_engine::Sight;
use backout_trigger::machine::Watched;
use backout_trigger::rule::{Kind, Rule};
use jiff::{SignedDuration, Timestamp};

use super::{A_MOMENT, Shared};
use crate::composite::Way;
use crate::look::TIMEOUT;

/// Knows when each trigger was last looked at.
pub(super) struct Eye(pub(super) Arc<Shared>);

impl Sight for Eye {
    fn unseen(
        &self,
        triggers: &[(TriggerId, State)],
        since: Timestamp,
        now: Timestamp,
    ) -> Option<Duration> {
        let begun = *self.0.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let board = self.0.board();
        let waits = triggers.iter().filter_map(|(id, state)| {
            let rule = self.0.rules.get(id)?;
            // One look may just be over, the next one may take as long as it may.
            let patience = rule.every * 2 + TIMEOUT * 2;
            // What an earlier watch has seen says nothing about the time in between; nor
            // does a look that is not over say anything yet.
            let fresh = rule.every * 2 + A_MOMENT;
            let earliest = now.checked_sub(fresh).unwrap_or(since).max(since).max(begun);
            let seen = board.triggers.get(id).is_some_and(|standing| {
                let watched = &standing.watched;
                let blind = state.is_blind() || *state == State::Insufficient;
                let at = if blind { watched.looked } else { watched.seen };
                // The clock went back: nobody knows which looks were before what is judged.
                let latest = now.checked_add(A_MOMENT).unwrap_or(now);
                watched.state == *state
                    && at.is_some_and(|at| at >= earliest && at <= latest)
                    && has_events(rule, watched, since)
            });
            (!seen).then_some(patience)
        });
        // What another system said is confirmed already, and waits for its look.
        let heard = board.heard.alerts.iter().filter(|(_, alerts)| alerts.unseen);
        let heard = heard.filter(|(id, _)| !self.0.is_away(id));
        let heard = heard.filter_map(|(id, _)| Some(self.0.rules.get(id)?.every * 2 + TIMEOUT));
        waits.chain(heard).max()
    }

    fn readings(&self) -> BTreeMap<TriggerId, Reading> {
        let board = self.0.board();
        board.triggers.iter().map(|(id, known)| (id.clone(), known.reading.clone())).collect()
    }

    fn stands(&self, state: &RunState, now: Timestamp) {
        // The state is on the clock as it is set now: so is what is moved here.
        self.0.now();
        let ways = ways(state, now);
        *self.0.ways.lock().unwrap_or_else(PoisonError::into_inner) = ways;
        let stage = Disturbance::by_stages(state);
        *self.0.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
        self.0.are_away(away(state), &state.release().triggers);
    }
}

/// That stages restart things: when the last one began or ended, and whether one runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Disturbance {
    /// When the last stage began or ended.
    last: Timestamp,
    /// Whether a stage is carried out now.
    runs: bool,
}

impl Disturbance {
    /// By the stages of a run; `None` before the first of them, and on the way back: what
    /// must be seen to be well again after it must be seen.
    fn by_stages(state: &RunState) -> Option<Self> {
        if !state.release().goes_forward() {
            return None;
        }
        let begun = || {
            let stages = state.stages().map(|index| &state.states()[index]);
            stages.filter(|known| known.attempt > 0)
        };
        let last = begun().flat_map(|stage| [stage.since, stage.ended]).flatten().max()?;
        let runs = begun().any(|stage| matches!(stage.status, Status::Running | Status::Verifying));
        Some(Self { last, runs })
    }

    /// The same on a clock that was set by this much.
    pub(super) fn moved_by(self, by: SignedDuration) -> Self {
        Self { last: moved(self.last, by), ..self }
    }

    /// Until when a trigger may have no data: for the grace from when the stage began or
    /// ended, and from the last data there was while one runs.
    pub(super) fn excuses(
        self,
        watched: &Watched,
        grace: Duration,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let seen = watched.seen.filter(|_| self.runs);
        let from = seen.map_or(self.last, |seen| seen.max(self.last));
        from.min(now).checked_add(grace).ok()
    }
}

/// Whether a share that stands well stands so on events that came after a moment. The
/// window it is measured over may still hold those from before, and nothing else: looks
/// that find none go on all the same.
fn has_events(rule: &Rule, watched: &Watched, since: Timestamp) -> bool {
    let of_events = matches!(rule.kind, Kind::Share { .. }) && watched.state == State::Ok;
    !of_events || watched.counted.is_some_and(|counted| counted >= since)
}

/// The triggers of a run that are about something that is not there.
#[must_use]
pub fn away(state: &RunState) -> BTreeSet<TriggerId> {
    let triggers = state.planned().plan.triggers.iter();
    triggers.map(|(id, _)| id).filter(|id| !is_there(state, id)).cloned().collect()
}

/// The ways back of a run: the one that is gone, since when it is done, and the others.
fn ways(state: &RunState, now: Timestamp) -> BTreeMap<OptionId, Way> {
    let going = state.release().back.as_ref().and(state.option());
    let (settled, all) = state.progress();
    let done = settled == all && state.active().next().is_none();
    let last = state.states().iter().filter_map(|known| known.ended).max();
    let age = last.map_or(0.0, |last| now.duration_since(last).as_secs_f64().max(0.0));
    let way = |id: &OptionId| match going == Some(id) && done {
        true => Way { done: true, age },
        false => Way { done: false, age: 0.0 },
    };
    state.planned().plan.options.keys().map(|id| (id.clone(), way(id))).collect()
}
