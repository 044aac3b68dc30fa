//! Triggers over other triggers: conditions in CEL.

use std::collections::{BTreeMap, BTreeSet};

use backout_core::ids::{OptionId, TriggerId};
use backout_core::watch::State;
use cel::{Context, Program, Value};

/// What is known about a way back, for conditions about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Way {
    /// Whether its steps are done.
    pub done: bool,
    /// For how many seconds.
    pub age: f64,
}

/// How many triggers may be unknown before it is given up to try what they might be.
const MOST_UNKNOWN: usize = 6;

/// Whether a condition holds; nothing where that depends on triggers nobody can see; an
/// error where it cannot be told at all.
///
/// What is not there does not fire. It sees `firing["id"]`, `state["id"]` and `option["id"].done`, `.age` (seconds).
pub(crate) fn holds(
    condition: &str,
    states: &BTreeMap<TriggerId, State>,
    away: &BTreeSet<TriggerId>,
    ways: &BTreeMap<OptionId, Way>,
) -> Result<Option<bool>, String> {
    let unseen = |state: &State| state.is_blind() || *state == State::Insufficient;
    let named = |id: &TriggerId| {
        let quoted = [format!("\"{id}\""), format!("'{id}'")];
        quoted.iter().any(|quoted| condition.contains(quoted.as_str()))
    };
    let unknown: Vec<&TriggerId> = states
        .iter()
        .filter(|(id, state)| unseen(state) && !away.contains(*id) && named(id))
        .map(|(id, _)| id)
        .collect();
    if unknown.len() > MOST_UNKNOWN {
        return Ok(None);
    }
    // What is the same whatever they are does not depend on them.
    let mut answer = None;
    for case in 0..1_u32 << unknown.len() {
        let firing = |id: &TriggerId, state: &State| {
            let place = unknown.iter().position(|unknown| *unknown == id);
            place.map_or(*state == State::Firing, |place| case >> place & 1 == 1)
        };
        let found = one(condition, states, ways, firing)?;
        if answer.is_some_and(|answer| answer != found) {
            return Ok(None);
        }
        answer = Some(found);
    }
    Ok(answer)
}

fn one(
    condition: &str,
    states: &BTreeMap<TriggerId, State>,
    ways: &BTreeMap<OptionId, Way>,
    firing: impl Fn(&TriggerId, &State) -> bool,
) -> Result<bool, String> {
    let program = Program::compile(condition).map_err(|error| error.to_string())?;
    let mut context = Context::default();
    let firing: BTreeMap<String, bool> =
        states.iter().map(|(id, state)| (id.to_string(), firing(id, state))).collect();
    let word = |state: &State| serde_json::to_value(state).unwrap_or_default();
    let state: serde_json::Map<String, serde_json::Value> =
        states.iter().map(|(id, state)| (id.to_string(), word(state))).collect();
    let option: serde_json::Map<String, serde_json::Value> = ways
        .iter()
        .map(|(id, way)| (id.to_string(), serde_json::json!({"done": way.done, "age": way.age})))
        .collect();
    let bad = |error: &dyn std::fmt::Display| error.to_string();
    context.add_variable("firing", firing).map_err(|error| bad(&error))?;
    context.add_variable("state", serde_json::Value::Object(state)).map_err(|e| bad(&e))?;
    context.add_variable("option", serde_json::Value::Object(option)).map_err(|e| bad(&e))?;
    match program.execute(&context) {
        Ok(Value::Bool(holds)) => Ok(holds),
        Ok(other) => Err(format!("it is {other:?}, neither true nor false")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_see_triggers_and_ways_back() {
        let id = |name: &str| TriggerId::new(name).expect("a name");
        let states = BTreeMap::from([
            (id("logins"), State::Firing),
            (id("api-p95"), State::NoData),
            (id("up"), State::Ok),
        ]);
        let way = OptionId::new("maintenance-page").expect("a name");
        let ways = BTreeMap::from([(way, Way { done: true, age: 7300.0 })]);
        let nothing = BTreeSet::new();
        let gone = BTreeSet::from([id("api-p95")]);
        assert_eq!(
            holds("firing[\"logins\"] && firing[\"api-p95\"]", &states, &gone, &ways),
            Ok(Some(false)),
            "what is not there does not fire"
        );
        let holds = |text: &str| holds(text, &states, &nothing, &ways);
        assert_eq!(holds("firing[\"logins\"] && !firing[\"up\"]"), Ok(Some(true)));
        assert_eq!(holds("state[\"api-p95\"] == \"no_data\""), Ok(Some(true)));
        // What nobody sees is neither firing nor well.
        assert_eq!(holds("firing[\"logins\"] && firing[\"api-p95\"]"), Ok(None));
        assert_eq!(holds("firing[\"logins\"] || firing[\"api-p95\"]"), Ok(Some(true)));
        assert_eq!(holds("firing[\"up\"] && firing['api-p95']"), Ok(Some(false)));
        assert_eq!(
            holds("option[\"maintenance-page\"].done && option[\"maintenance-page\"].age > 7200.0"),
            Ok(Some(true))
        );
        assert!(holds("firing[\"unknown\"]").is_err());
        assert!(holds("1 + 1").is_err());
    }
}
