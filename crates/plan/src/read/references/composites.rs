//! Triggers over other triggers: whom they look at, and that none looks at itself.

use std::collections::BTreeMap;

use backout_core::ids::TriggerId;
use backout_core::plan::Condition;
use serde_json::{Value, json};

use super::conditions::{self, Gives, Seen, Sight, Wrong};
use super::{Checker, did_you_mean, listed};
use crate::diagnostic::codes;
use crate::document::Path;

const SIGHT: Sight<'_> = Sight {
    variables: &["firing", "state", "option"],
    gives: Gives::Truth,
    hint: "it sees `firing`, `state` and `option`: `firing[\"logins\"] && firing[\"errors\"]`, `option[\"maintenance\"].age > 7200`",
};

/// Whom each composite looks at.
type Looks = BTreeMap<TriggerId, Vec<TriggerId>>;

impl Checker<'_> {
    pub(super) fn composites(&mut self) {
        let plan = self.plan;
        let mut looks = Looks::new();
        for (id, trigger) in &plan.triggers {
            let Condition::Composite(condition) = &trigger.condition else { continue };
            let at = Path::root().key("triggers").key(id).key("composite");
            let Some(program) = self.compiled(condition, &at, SIGHT.hint) else { continue };
            let seen = Seen::of(&program);
            let wrong = conditions::look(&program, &seen, &SIGHT);
            if wrong.is_some() {
                self.wrong(wrong, &at, &SIGHT);
                continue;
            }
            if let Some((message, hint)) = self.misnamed(&seen) {
                let hint = hint.unwrap_or_else(|| SIGHT.hint.to_owned());
                self.report(codes::DANGLING, message, &at, hint);
                continue;
            }
            let tried = [false, true]
                .into_iter()
                .find_map(|bad| conditions::tried(&program, &seen, &SIGHT, &self.example(bad)));
            self.wrong(tried, &at, &SIGHT);
            let others = seen.named.iter().filter(|(variable, _)| *variable != "option");
            let others = others.filter_map(|(_, name)| TriggerId::new(*name).ok());
            looks.insert(id.clone(), others.collect());
        }
        self.circle(&looks);
    }

    /// A name that nothing has, or that no machine watches.
    fn misnamed(&self, seen: &Seen<'_>) -> Option<Wrong> {
        if let Some(whole) = ["firing", "state"].into_iter().find(|it| seen.whole.contains(it)) {
            let message = format!("`{whole}` holds every trigger, this one too");
            let hint = format!("name those that are meant: `{whole}[\"logins\"]`");
            return Some((message, Some(hint)));
        }
        seen.named.iter().find_map(|(variable, name)| {
            let (what, known): (_, Vec<&str>) = match *variable {
                "option" => ("option", self.plan.options.keys().map(|id| id.as_str()).collect()),
                _ => ("trigger", self.plan.triggers.keys().map(|id| id.as_str()).collect()),
            };
            if !known.contains(name) {
                let hint = match did_you_mean(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => format!("this plan has no {what} at all"),
                    None => format!("use one of {}", listed(known.iter().copied())),
                };
                return Some((format!("there is no {what} `{name}` in this plan"), Some(hint)));
            }
            let judged = self.plan.triggers.iter().any(|(id, trigger)| {
                what == "trigger" && id.as_str() == *name && trigger.condition.is_judged()
            });
            judged.then(|| {
                let message =
                    format!("`{name}` is judged by people, so no machine knows its state");
                (message, Some("leave it out, or say what is measured instead".to_owned()))
            })
        })
    }

    /// What a composite would see when all is well, or when nothing is.
    fn example(&self, bad: bool) -> BTreeMap<&'static str, Value> {
        let triggers = || {
            let watched = self.plan.triggers.iter().filter(|(_, t)| !t.condition.is_judged());
            watched.map(|(id, _)| id.to_string())
        };
        let word = if bad { "firing" } else { "ok" };
        let way = json!({"done": bad, "age": 0.0});
        let ways = self.plan.options.keys().map(|id| (id.to_string(), way.clone()));
        BTreeMap::from([
            ("firing", triggers().map(|id| (id, json!(bad))).collect()),
            ("state", triggers().map(|id| (id, json!(word))).collect()),
            ("option", ways.collect()),
        ])
    }

    /// Composites that look at each other would keep each other firing.
    fn circle(&mut self, looks: &Looks) {
        for id in looks.keys() {
            let mut open = vec![id];
            let mut known = Vec::new();
            while let Some(next) = open.pop() {
                for other in looks.get(next).into_iter().flatten() {
                    if other == id {
                        let at = Path::root().key("triggers").key(id).key("composite");
                        let message = if next == id {
                            format!("`{id}` looks at itself")
                        } else {
                            format!("`{id}` looks at itself, by way of `{next}`")
                        };
                        let hint = "once it fired it would never end: name only what is measured";
                        self.report(codes::CYCLE, message, &at, hint.to_owned());
                        return;
                    }
                    if !known.contains(&other) {
                        known.push(other);
                        open.push(other);
                    }
                }
            }
        }
    }
}
