//! Three-way merge of plans: what a document said when it was made, what it says now,
//! and the plan it was made from. A change is carried over where the plan says the
//! same as the document did, and named where it does not.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The difference between two readings of a document, carried over into its plan.
pub(crate) struct Merge<'a> {
    /// The fields that the text states and that were understood.
    pub(crate) understood: &'a BTreeSet<&'a str>,
    /// What changed: the field, what it was, what it is.
    pub(crate) changed: Vec<(String, String, String)>,
    /// What could not be carried over, and why.
    pub(crate) kept: Vec<(String, String)>,
}

impl Merge<'_> {
    /// A step with a new title does what it did.
    pub(crate) fn stays_a_command(&self, field: &str, plan: &Value) -> &'static str {
        let machine = || {
            let id = field.strip_prefix("steps[")?.strip_suffix("].title")?;
            let step = plan.get("steps")?.as_array()?.iter().find(|step| step["id"] == id)?;
            Some(step.get("manual").is_none())
        };
        match machine() {
            Some(true) => "; what the machine carries out there stays as it was",
            _ => "",
        }
    }

    /// Carries the difference between `then` and `now` over into `plan`.
    pub(crate) fn value(&mut self, field: &str, then: &Value, now: &Value, plan: &mut Value) {
        if then == now {
            return;
        }
        // An action that nobody understood is not the one to ask.
        if field.starts_with("decision.")
            && field.ends_with(".action")
            && !self.understood.contains(field)
        {
            let why =
                format!("what is written there is no action this knows; it stays {}", short(then));
            self.kept.push((field.to_owned(), why));
            return;
        }
        match (then, now, &mut *plan) {
            (Value::Object(then), Value::Object(now), Value::Object(plan)) => {
                self.object(field, then, now, plan);
            }
            (Value::Array(then), Value::Array(now), Value::Array(plan))
                if keyed(then) && keyed(now) =>
            {
                self.steps(field, then, now, plan);
            }
            // The plan must say the same as its visible part did; else the part
            // showed something else, and what was changed is not this field.
            (then, now, plan) if plan == then => {
                self.changed.push((field.to_owned(), full(then), full(now)));
                *plan = now.clone();
            }
            (then, now, _) => {
                let why = format!(
                    "{} became {}, but the plan holds this in another form",
                    short(then),
                    short(now)
                );
                self.kept.push((field.to_owned(), why));
            }
        }
    }

    fn object(
        &mut self,
        field: &str,
        then: &Map<String, Value>,
        now: &Map<String, Value>,
        plan: &mut Map<String, Value>,
    ) {
        for (key, value) in now {
            let inner = path(field, key);
            match (then.get(key), plan.get_mut(key)) {
                (Some(was), Some(plan)) => self.value(&inner, was, value, plan),
                (None, None) => {
                    self.changed.push((inner, "nothing".to_owned(), full(value)));
                    plan.insert(key.clone(), value.clone());
                }
                (Some(was), None) if was != value => {
                    self.kept.push((
                        inner,
                        format!(
                            "{} became {}, but the plan has no such field",
                            short(was),
                            short(value)
                        ),
                    ));
                }
                (None, Some(_)) => {
                    self.kept.push((
                        inner,
                        format!(
                            "{} was written in, but the plan says something there already",
                            short(value)
                        ),
                    ));
                }
                _ => {}
            }
        }
        for (key, was) in then {
            // A part that is missing as a whole was left out when it was made.
            if !now.contains_key(key)
                && !now.is_empty()
                && !field.is_empty()
                && plan.contains_key(key)
            {
                self.kept
                    .push((path(field, key), format!("{} was taken out; it is kept", short(was))));
            }
        }
    }

    /// Lists of steps: those of one name are one step; between two of them, what has
    /// no partner by name has one by place.
    fn steps(&mut self, field: &str, then: &[Value], now: &[Value], plan: &mut Vec<Value>) {
        let id =
            |value: &Value| value.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let partner = partners(
            &then.iter().map(id).collect::<Vec<_>>(),
            &now.iter().map(id).collect::<Vec<_>>(),
        );
        let mut before: Option<String> = None;
        for (value, was) in now.iter().zip(&partner) {
            let Some(was) = was.map(|at| &then[at]) else {
                let name = id(value);
                // It stands elsewhere now; it is not a second one.
                if plan.iter().any(|step| id(step) == name) {
                    continue;
                }
                self.changed.push((format!("{field}[{name}]"), "nothing".to_owned(), full(value)));
                let behind = before
                    .as_ref()
                    .and_then(|before| plan.iter().position(|step| id(step) == *before));
                plan.insert(behind.map_or(0, |at| at + 1), value.clone());
                before = Some(name);
                continue;
            };
            let name = id(was);
            if let Some(at) = plan.iter().position(|step| id(step) == name) {
                let mut value = value.clone();
                // A new title makes a new slug; the step keeps its name.
                if let Some(entries) = value.as_object_mut() {
                    entries.insert("id".to_owned(), Value::String(name.clone()));
                }
                self.value(&format!("{field}[{name}]"), was, &value, &mut plan[at]);
            }
            before = Some(name);
        }
        for (at, was) in then.iter().enumerate() {
            if !partner.contains(&Some(at)) {
                self.kept.push((
                    format!("{field}[{}]", id(was)),
                    "was taken out or moved; it is kept where it was".to_owned(),
                ));
            }
        }
    }
}

/// For each of `now`, its partner among `then`.
fn partners(then: &[String], now: &[String]) -> Vec<Option<usize>> {
    let mut partner: Vec<Option<usize>> = vec![None; now.len()];
    let mut next = 0;
    for (at, name) in now.iter().enumerate() {
        if let Some(found) = then[next..].iter().position(|known| known == name) {
            partner[at] = Some(next + found);
            next += found + 1;
        }
    }
    let mut at = 0;
    while at < now.len() {
        if partner[at].is_some() {
            at += 1;
            continue;
        }
        let end = (at..now.len()).find(|other| partner[*other].is_some()).unwrap_or(now.len());
        let from =
            at.checked_sub(1).and_then(|before| partner[before]).map_or(0, |before| before + 1);
        let to = partner.get(end).copied().flatten().unwrap_or(then.len());
        // As many as there are without a partner on both sides, in order.
        if to - from == end - at {
            (at..end).zip(from..to).for_each(|(now, then)| partner[now] = Some(then));
        }
        at = end;
    }
    partner
}

fn keyed(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(|item| item.get("id").is_some())
}

fn path(field: &str, key: &str) -> String {
    const NAMED: [&str; 8] = [
        "roles",
        "sources",
        "components",
        "baselines",
        "triggers",
        "readiness",
        "messages",
        "options",
    ];
    match field {
        "" => key.to_owned(),
        field if NAMED.contains(&field) => format!("{field}[{key}]"),
        field => format!("{field}.{key}"),
    }
}

fn full(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{text}\""),
        other => other.to_string(),
    }
}

fn short(value: &Value) -> String {
    cut(&full(value))
}

/// As much of a text as fits a line.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{} …", &text[..at]),
        None => text.to_owned(),
    }
}
