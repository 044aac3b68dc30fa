//! What an earlier watch kept and did not tell any more.

use std::collections::BTreeMap;

use backout_core::event::Event;
use backout_core::ids::TriggerId;
use backout_core::watch::{Meaning, State};
use backout_trigger::rule::Rule;

use super::Told;
use crate::board::Board;

/// What the board knows and the log does not.
pub(super) fn untold(
    board: &Board,
    rules: &BTreeMap<TriggerId, Rule>,
    told: &BTreeMap<TriggerId, Told>,
) -> Vec<Event> {
    let mut events = Vec::new();
    for (id, standing) in &board.triggers {
        let Some(rule) = rules.get(id) else { continue };
        let known = told.get(id);
        let before = board.measured.get(id).is_some_and(|measured| measured.firing);
        let mut from = known.map_or(State::Insufficient, |known| known.state);
        let mut moved = |to: State, meaning: Meaning| {
            if from == to {
                return;
            }
            events.push(Event::TriggerChanged {
                trigger: id.clone(),
                from,
                to,
                meaning,
                before,
                reading: standing.reading.clone(),
            });
            from = to;
        };
        // What fired and was well again before anybody was told has fired all the same.
        if standing.watched.latched.is_some() && !known.is_some_and(|known| known.fired) {
            moved(State::Firing, Meaning::Breach);
        }
        moved(standing.watched.state, standing.watched.meaning(rule));
    }
    events
}
