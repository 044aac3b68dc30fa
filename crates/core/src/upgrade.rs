//! Records of earlier format versions, as records of this one.
//!
//! | version | what was different |
//! |---|---|
//! | 1 | people by display name; reasons, guards, causes and faults as sentences; other names of some events |
//!
//! A sentence cannot be taken apart again: it is kept as text, in the `text` variant of the
//! type that took its place. The record keeps the version it was written with, so that what
//! was legal then stays legal, and a run that was open then goes on as it began.

use serde_json::{Map, Value, json};

use crate::record::Record;

/// Upgrades the records of one log, first to last.
#[derive(Debug, Clone, Default)]
pub struct Upgrade {
    /// The people of the log's plan: name, and the first role with that name.
    people: Vec<(String, String)>,
}

/// The names of events in version 1, and their names now.
const EVENTS: &[(&str, &str)] = &[
    ("run_released", "run_resumed"),
    ("option_chosen", "option_switched"),
    ("step_acted", "step_executed"),
    ("step_stop_asked", "step_stop_requested"),
    ("trigger_moved", "trigger_changed"),
    ("source_lost", "source_outage_started"),
    ("source_found", "source_outage_ended"),
    ("decision_asked", "decision_requested"),
    ("decision_passed_on", "decision_escalated"),
    ("backout_begun", "backout_started"),
    ("act_proposed", "command_proposed"),
    ("act_refused", "command_refused"),
];

impl Upgrade {
    /// Reads a record of an earlier version.
    ///
    /// # Errors
    /// When the bytes are no record of that version.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Record, serde_json::Error> {
        let mut record: Value = serde_json::from_slice(bytes)?;
        self.learn_people(&record);
        if let Some(actor) = record.get_mut("actor") {
            self.actor(actor);
        }
        let automatic = record["actor"]["kind"] == json!("coordinator");
        if let Some(events) = record.get_mut("events").and_then(Value::as_array_mut) {
            for event in events {
                if let Some(event) = event.as_object_mut() {
                    self.event(event, automatic);
                }
            }
        }
        serde_json::from_value(record)
    }

    /// The first record holds the plan, and the plan holds the people.
    fn learn_people(&mut self, record: &Value) {
        let Some(roles) = record["events"][0]["plan"]["roles"].as_object() else { return };
        let mut people: Vec<(String, String)> = roles
            .iter()
            .map(|(role, held)| {
                let name = held["name"].as_str().unwrap_or(role);
                (name.to_owned(), role.clone())
            })
            .collect();
        people.sort_by(|a, b| a.1.cmp(&b.1));
        self.people = people;
    }

    fn person(&self, name: &str) -> Value {
        let known =
            self.people.iter().find(|(known, _)| known.to_lowercase() == name.to_lowercase());
        match known {
            Some((_, role)) => json!({"role": role}),
            None => json!({"name": name}),
        }
    }

    fn actor(&self, actor: &mut Value) {
        if actor["kind"] != json!("person") {
            return;
        }
        let name = actor["name"].as_str().unwrap_or_default().to_owned();
        let account = actor["account"].as_str().unwrap_or_default().to_owned();
        let role = actor["role"].take();
        if account == "signed webhook" {
            *actor = json!({"kind": "system", "name": name, "role": role});
            return;
        }
        // An account without a name was written as its number.
        let number = account.strip_prefix("uid ").and_then(|uid| uid.parse::<u32>().ok());
        let account = match number {
            Some(uid) => json!({"uid": uid}),
            None => json!({"name": account}),
        };
        *actor =
            json!({"kind": "person", "id": self.person(&name), "role": role, "account": account});
    }

    fn event(&self, event: &mut Map<String, Value>, automatic: bool) {
        let old = event.get("event").and_then(Value::as_str).unwrap_or_default().to_owned();
        let new = EVENTS.iter().find(|(before, _)| *before == old).map_or(&*old, |(_, now)| now);
        event.insert("event".to_owned(), json!(new));
        match new {
            "run_planned" => {
                rename(event, "course", "direction");
                if let Some(authority) = event
                    .get_mut("plan")
                    .and_then(|plan| plan.get_mut("authority"))
                    .and_then(Value::as_object_mut)
                {
                    rename(authority, "escalate", "switch-option");
                }
            }
            "run_held" => {
                let reason = text(event, "reason");
                let (cause, reason) = match reason.as_str() {
                    "stopped at the coordinator's terminal" => ("terminal", Value::Null),
                    "carried out by hand; the log follows" => ("by_hand", Value::Null),
                    _ => ("person", json!(reason)),
                };
                event.insert("cause".to_owned(), json!(cause));
                event.insert("reason".to_owned(), reason);
            }
            "step_failed" => {
                let error = text(event, "error");
                let fault = match error.strip_prefix("stopped by a person: ") {
                    Some(reason) => json!({"fault": "stopped", "reason": reason}),
                    None if error == "not begun: the run goes back" => {
                        json!({"fault": "not_started"})
                    }
                    None => json!({"fault": "text", "text": error}),
                };
                event.remove("error");
                event.insert("fault".to_owned(), fault);
            }
            "step_resolved" if event.get("by") != Some(&json!("person")) => {
                event.remove("reason");
            }
            "decision_requested" => {
                let why = text(event, "why");
                event.remove("why");
                event.insert("causes".to_owned(), json!([{"cause": "text", "text": why}]));
                if let Some(guards) = event.get_mut("guards").and_then(Value::as_array_mut) {
                    for guard in guards {
                        *guard = json!({"guard": "text", "text": guard.take()});
                    }
                }
                rename(event, "numbers", "forecast");
                if let Some(forecast) = event.get_mut("forecast").and_then(Value::as_object_mut) {
                    rename(forecast, "give_up_fixing", "fix_deadline");
                }
                readings(event.get_mut("readings"));
            }
            "step_added" => rename(event, "behind", "after"),
            "trigger_changed" => {
                if event.get("meaning") == Some(&json!("well")) {
                    event.insert("meaning".to_owned(), json!("healthy"));
                }
                if let Some(reading) = event.get_mut("reading") {
                    self::reading(reading);
                }
            }
            "decision_made" => {
                let automatic = event.remove("automatic") == Some(json!(true));
                reason(event, automatic);
                if let Some(agreed) = event.get_mut("agreed").and_then(Value::as_array_mut) {
                    for name in agreed {
                        *name = self.person(name.as_str().unwrap_or_default());
                    }
                }
                readings(event.get_mut("readings"));
            }
            "backout_started" => reason(event, automatic),
            "step_assigned" => {
                let to = self.person(&text(event, "to"));
                event.insert("to".to_owned(), to);
            }
            "command_proposed" | "command_refused" => {
                if let Some(act) = event.get_mut("act").and_then(Value::as_object_mut) {
                    self.act(act);
                }
                if new == "command_refused" {
                    let why = text(event, "why");
                    event.remove("why");
                    event.insert("denial".to_owned(), json!({"denied": "text", "text": why}));
                }
            }
            _ => {}
        }
    }

    fn act(&self, act: &mut Map<String, Value>) {
        match act.get("act").and_then(Value::as_str) {
            Some("release") => drop(act.insert("act".to_owned(), json!("resume"))),
            Some("escalate") => drop(act.insert("act".to_owned(), json!("switch_option"))),
            Some("assign") => {
                let to = self.person(&text(act, "to"));
                act.insert("to".to_owned(), to);
            }
            _ => {}
        }
    }
}

/// The reason of a decision: a person's, or the plan's.
fn reason(event: &mut Map<String, Value>, automatic: bool) {
    let said = text(event, "reason");
    let reason = match automatic {
        true => json!({"plan": {"because": "text", "text": said}}),
        false => json!({"person": said}),
    };
    event.insert("reason".to_owned(), reason);
}

fn readings(readings: Option<&mut Value>) {
    if let Some(readings) = readings.and_then(Value::as_object_mut) {
        readings.values_mut().for_each(reading);
    }
}

/// What was measured was kept as a sentence.
fn reading(reading: &mut Value) {
    if let Some(reading) = reading.as_object_mut() {
        let shown = text(reading, "shown");
        reading.remove("shown");
        reading.insert("measured".to_owned(), json!({"measured": "text", "text": shown}));
    }
}

fn text(object: &Map<String, Value>, key: &str) -> String {
    object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn rename(object: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = object.remove(from) {
        object.insert(to.to_owned(), value);
    }
}
