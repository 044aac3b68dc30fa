//! Triggers over other triggers: conditions in CEL.

mod named;

use std::collections::{BTreeMap, BTreeSet};

use backout_core::ids::{OptionId, TriggerId};
use backout_core::watch::State;
use cel::{Context, IdedExpr, Program, Value};

use self::named::Named;

/// What is known about a way back, for conditions about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Way {
    /// Whether its steps are done.
    pub done: bool,
    /// For how many seconds.
    pub age: f64,
}

/// How many cases are tried at most of what unknown triggers might be.
const MOST_CASES: usize = 128;

/// Where a trigger nobody can see might stand.
const MIGHT_BE: [State; 4] = [State::Ok, State::Firing, State::Pending, State::Recovering];

/// Whether a condition holds; nothing where that depends on triggers nobody can see; an
/// error where it cannot be told at all.
///
/// What is not there does not fire; how it stands, nobody can say, and nothing holds by that.
/// A condition sees `firing["id"]`, `state["id"]` and `option["id"].done`, `.age` (seconds).
pub(crate) fn holds(
    condition: &str,
    states: &BTreeMap<TriggerId, State>,
    away: &BTreeSet<TriggerId>,
    ways: &BTreeMap<OptionId, Way>,
) -> Result<Option<bool>, String> {
    let program = Program::compile(condition).map_err(|error| error.to_string())?;
    let mut expression = program.expression().clone();
    let unseen: BTreeMap<&TriggerId, State> = states
        .iter()
        .filter(|(_, state)| state.is_blind() || **state == State::Insufficient)
        .filter(|(id, _)| !away.contains(*id))
        .map(|(id, state)| (id, *state))
        .collect();
    let words = unseen.iter().map(|(id, state)| (id.to_string(), word(*state))).collect();
    let named = Named::of(&mut expression, &words);
    // What is the same whatever they are does not depend on them.
    let mut unknown: Vec<(&TriggerId, Vec<State>)> = unseen
        .iter()
        .filter_map(|(id, state)| Some((*id, named.might_be(id.as_str(), *state)?)))
        .collect();
    let only_absent = unknown.is_empty();
    let absent = away.iter().filter(|id| named.asks_how_stands(id.as_str()));
    unknown.extend(absent.map(|id| (id, MIGHT_BE.to_vec())));
    let cases = unknown.iter().try_fold(1, |cases: usize, (_, might)| {
        cases.checked_mul(might.len()).filter(|cases| *cases <= MOST_CASES)
    });
    let Some(cases) = cases else { return Ok(only_absent.then_some(false)) };
    let mut answer = None;
    for case in 0..cases {
        let mut states = states.clone();
        let mut rest = case;
        for (id, might) in &unknown {
            states.insert((*id).clone(), might[rest % might.len()]);
            rest /= might.len();
        }
        let found = one(&expression, &states, away, ways)?;
        if answer.is_some_and(|answer| answer != found) {
            return Ok(only_absent.then_some(false));
        }
        answer = Some(found);
    }
    Ok(answer)
}

fn word(state: State) -> String {
    let word = serde_json::to_value(state).unwrap_or_default();
    word.as_str().unwrap_or_default().to_owned()
}

fn one(
    expression: &IdedExpr,
    states: &BTreeMap<TriggerId, State>,
    away: &BTreeSet<TriggerId>,
    ways: &BTreeMap<OptionId, Way>,
) -> Result<bool, String> {
    let mut context = Context::default();
    let fires = |id: &TriggerId, state| state == State::Firing && !away.contains(id);
    let firing: BTreeMap<String, bool> =
        states.iter().map(|(id, state)| (id.to_string(), fires(id, *state))).collect();
    let state: BTreeMap<String, String> =
        states.iter().map(|(id, state)| (id.to_string(), word(*state))).collect();
    let option: serde_json::Map<String, serde_json::Value> = ways
        .iter()
        .map(|(id, way)| (id.to_string(), serde_json::json!({"done": way.done, "age": way.age})))
        .collect();
    let bad = |error: &dyn std::fmt::Display| error.to_string();
    context.add_variable("firing", firing).map_err(|error| bad(&error))?;
    context.add_variable("state", state).map_err(|error| bad(&error))?;
    context.add_variable("option", serde_json::Value::Object(option)).map_err(|e| bad(&e))?;
    match Value::resolve(expression, &context) {
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
        let many: BTreeMap<TriggerId, State> =
            (0..6).map(|n| (id(&format!("n{n}")), State::Insufficient)).collect();
        let all: Vec<String> =
            many.keys().map(|n| format!("state[\"{n}\"] == \"firing\"")).collect();
        let absent = many.keys().cloned().collect();
        assert_eq!(holds(&all.join(" || "), &many, &absent, &ways), Ok(Some(false)));
        for (asked, holds_) in [
            ("state[\"api-p95\"] != \"ok\"", false),
            ("state[\"api-p95\"] == \"ok\"", false),
            ("firing[\"logins\"] || state[\"api-p95\"] == \"ok\"", true),
            ("firing[\"logins\"] && !firing[\"api-p95\"]", true),
        ] {
            let found = holds(asked, &states, &gone, &ways);
            assert_eq!(found, Ok(Some(holds_)), "{asked}, and it is not there");
        }
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

    /// Whichever way a trigger is named: what depends on one nobody sees is not known.
    #[test]
    fn what_nobody_sees_is_not_well_however_it_is_asked() {
        let id = |name: &str| TriggerId::new(name).expect("a name");
        let states = BTreeMap::from([
            (id("dead"), State::NoData),
            (id("mute"), State::Insufficient),
            (id("up"), State::Ok),
            (id("down"), State::Firing),
        ]);
        let (ways, nothing) = (BTreeMap::new(), BTreeSet::new());
        for (condition, answer) in [
            ("firing.dead", None),
            ("firing . dead", None),
            ("firing[\"de\" + \"ad\"]", None),
            ("firing.exists(id, firing[id] && id == \"dead\")", None),
            ("firing.up && firing.dead", Some(false)),
            ("firing.down || firing.dead", Some(true)),
            ("firing.down", Some(true)),
            ("\"dead\" == \"dead\" && firing.up", Some(false)),
            // What it would be if somebody saw it.
            ("state[\"dead\"] == \"firing\"", None),
            ("state.dead == \"firing\"", None),
            ("\"firing\" == state.dead", None),
            ("state.dead != \"ok\"", None),
            ("state.dead in [\"firing\", \"pending\"]", None),
            ("state.mute == \"pending\"", None),
            ("state.dead == state.up", None),
            ("[\"firing\"].exists(word, state.dead == word)", None),
            // Where it stands, for whoever asks for that.
            ("state.dead == \"no_data\"", Some(true)),
            ("\"no_data\" == state.dead", Some(true)),
            ("state.dead != \"no_data\"", Some(false)),
            ("state.dead in [\"error\", \"no_data\"]", Some(true)),
            ("state.mute == \"insufficient\"", Some(true)),
            ("state.dead == \"error\"", Some(false)),
            ("state.dead == \"no_data\" || state.dead == \"firing\"", Some(true)),
            ("state.dead == \"no_data\" && state.dead == \"firing\"", None),
            ("state.up == \"ok\" && state.down == \"firing\"", Some(true)),
        ] {
            assert_eq!(holds(condition, &states, &nothing, &ways), Ok(answer), "{condition}");
        }
        let gone = BTreeSet::from([id("dead")]);
        assert_eq!(holds("state.dead == \"firing\"", &states, &gone, &ways), Ok(Some(false)));
        // Too many of them to try.
        let many: BTreeMap<TriggerId, State> =
            (0..8).map(|n| (id(&format!("t{n}")), State::Error)).collect();
        let all =
            |n| (0..n).map(|n| format!("firing.t{n}")).collect::<Vec<_>>().join(" && false && ");
        assert_eq!(holds(&all(7), &many, &nothing, &ways), Ok(Some(false)));
        assert_eq!(holds(&all(8), &many, &nothing, &ways), Ok(None));
    }
}
