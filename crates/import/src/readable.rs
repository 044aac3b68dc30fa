//! The plan file that an import writes: what is handed out was read back first, and
//! says the same plan. A part of the plan that the reader refuses (an empty name, a
//! reference to nothing, a wait that turns in a circle) is kept as a note, with the
//! reason, and the rest of the plan stands.

use backout_core::plan::{Note, Plan};
use backout_plan::emit::{emit, fragment};
use backout_plan::{is_invisible, read_bytes};
use serde_json::{Map, Value};

use crate::report::{Report, Source, Unread};

/// The sections of a plan, those that are named by others before those that name them.
const ORDER: [&str; 14] = [
    "window",
    "roles",
    "components",
    "steps",
    "options",
    "triggers",
    "decision",
    "authority",
    "readiness",
    "messages",
    "follow_up",
    "alternatives",
    "risks",
    "review",
];

/// Of a section with more entries than this, the whole is kept as a note: each entry
/// that is tried takes a reading of the plan.
const MOST_TRIED: usize = 100;

/// A plan as a file, if reading the file gives the same plan.
///
/// # Errors
/// Why it does not.
pub(crate) fn plan_file(plan: &Plan) -> Result<String, String> {
    let text = emit(plan, None).map_err(|error| error.to_string())?;
    match read_bytes(text.as_bytes()) {
        Ok(read) if read.plan == *plan => Ok(text),
        Ok(_) => Err("it would be read as another plan".to_owned()),
        Err((_, problems)) => Err(problems.first().map_or_else(
            || "it is no plan".to_owned(),
            |problem| problem.message.trim_end_matches('.').to_owned(),
        )),
    }
}

/// The plan, as far as it can be written and read back, and its file. What cannot is
/// kept as notes, in the plan and in the report.
pub(crate) fn settle(plan: Plan, report: &mut Report) -> (Plan, String) {
    match plan_file(&plan) {
        Ok(text) => (plan, text),
        Err(_) => Rebuild::of(plan, report).finish(),
    }
}

/// A plan that is put together again, part by part.
struct Rebuild<'a> {
    built: Map<String, Value>,
    notes: Vec<Note>,
    report: &'a mut Report,
}

impl<'a> Rebuild<'a> {
    fn of(plan: Plan, report: &'a mut Report) -> Self {
        let mut sections = match serde_json::to_value(&plan) {
            Ok(Value::Object(sections)) => sections,
            _ => Map::new(),
        };
        let mut built = Map::new();
        built.insert("backout".to_owned(), Value::from(1));
        let title = shown(&plan.change.title);
        let title = if title.trim().is_empty() { "Imported plan".to_owned() } else { title };
        let mut change = Map::new();
        change.insert("title".to_owned(), Value::String(title));
        built.insert("change".to_owned(), Value::Object(change));
        let mut rebuild = Self { built, notes: Vec::new(), report };
        let change = sections.shift_remove("change");
        for section in ORDER {
            if let Some(value) = sections.shift_remove(section) {
                rebuild.add(section, value);
            }
        }
        // The change names roles.
        if let Some(Value::Object(change)) = change {
            for (key, value) in change {
                if key != "title" {
                    rebuild.add_entry("change", Some(&key), &format!("change.{key}"), value);
                }
            }
        }
        for note in plan.notes {
            rebuild.notes.push(Note { from: shown(&note.from), text: shown(&note.text) });
        }
        rebuild
    }

    fn reads(built: &Map<String, Value>) -> Result<(Plan, String), String> {
        let plan: Plan = serde_json::from_value(Value::Object(built.clone()))
            .map_err(|error| error.to_string())?;
        plan_file(&plan).map(|text| (plan, text))
    }

    /// Adds a section, or as much of it as reads.
    fn add(&mut self, section: &str, value: Value) {
        let mut with = self.built.clone();
        with.insert(section.to_owned(), value.clone());
        let Err(why) = Self::reads(&with) else {
            self.built = with;
            return;
        };
        match value {
            Value::Array(items) if items.len() <= MOST_TRIED => {
                for (index, item) in items.into_iter().enumerate() {
                    let name = item.get("id").and_then(Value::as_str).map(str::to_owned);
                    let name = name.unwrap_or_else(|| index.to_string());
                    self.add_entry(section, None, &format!("{section}[{name}]"), item);
                }
            }
            Value::Object(entries) if entries.len() <= MOST_TRIED => {
                let fields = matches!(section, "window" | "alternatives" | "review");
                for (key, value) in entries {
                    let field = if fields {
                        format!("{section}.{key}")
                    } else {
                        format!("{section}[{key}]")
                    };
                    self.add_entry(section, Some(&key), &field, value);
                }
            }
            value => self.keep(section, &value, &why),
        }
    }

    /// Adds an entry to a section, or a note of it.
    fn add_entry(&mut self, section: &str, key: Option<&str>, field: &str, value: Value) {
        let mut with = self.built.clone();
        let empty =
            if key.is_some() { Value::Object(Map::new()) } else { Value::Array(Vec::new()) };
        match (with.entry(section.to_owned()).or_insert(empty), key) {
            (Value::Object(entries), Some(key)) => {
                entries.insert(key.to_owned(), value.clone());
            }
            (Value::Array(items), None) => items.push(value.clone()),
            _ => return,
        }
        match Self::reads(&with) {
            Ok(_) => self.built = with,
            Err(why) => self.keep(field, &value, &why),
        }
    }

    fn keep(&mut self, field: &str, value: &Value, why: &str) {
        let text = shown(&fragment(value));
        let from = format!("{field}, which cannot stand in a plan: {why}");
        self.report.forget(field);
        self.notes.push(Note { from: shown(&from), text });
    }

    fn finish(mut self) -> (Plan, String) {
        let notes = std::mem::take(&mut self.notes);
        for note in &notes {
            let known = self.report.not_understood.iter().any(|unread| {
                note.from.starts_with(&unread.place) && shown(&unread.text) == note.text
            });
            if !known {
                self.report.not_understood.push(Unread {
                    place: note.from.clone(),
                    heading: String::new(),
                    text: note.text.clone(),
                });
            }
        }
        self.add_notes(&notes);
        Self::reads(&self.built).unwrap_or_else(|_| {
            let text = "backout: 1\nchange:\n  title: Imported plan\n".to_owned();
            match read_bytes(text.as_bytes()) {
                Ok(read) => (read.plan, text),
                Err(_) => unreachable!("a plan with nothing but a title reads"),
            }
        })
    }

    /// Adds notes: all at once, else each half for itself. One that cannot be kept
    /// stays in the report, which says so.
    fn add_notes(&mut self, notes: &[Note]) {
        let mut with = self.built.clone();
        if let Value::Array(known) = with.entry("notes").or_insert_with(|| Value::Array(Vec::new()))
        {
            known.extend(notes.iter().filter_map(|note| serde_json::to_value(note).ok()));
        }
        match (Self::reads(&with), notes) {
            (_, []) => {}
            (Ok(_), _) => self.built = with,
            (Err(why), [note]) => self.report.not_taken_over.push(Source {
                field: "notes".to_owned(),
                place: note.from.clone(),
                why: Some(format!("it cannot stand in a plan: {why}")),
            }),
            (Err(_), notes) => {
                let (first, second) = notes.split_at(notes.len() / 2);
                self.add_notes(first);
                self.add_notes(second);
            }
        }
    }
}

/// A text without what a plan must not hold.
fn shown(text: &str) -> String {
    text.replace("\r\n", "\n").chars().filter(|c| !is_invisible(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plan of the reader's, with its steps as they are given.
    fn plan(steps: &str) -> Plan {
        let text = format!("backout: 1\nchange: {{title: A change}}\nsteps:\n{steps}");
        read_bytes(text.as_bytes()).expect("a plan").plan
    }

    #[test]
    fn a_plan_that_reads_stays_as_it_is() {
        let whole = plan("  - {id: a, title: Stop it, manual: Stop it.}\n");
        let mut report = Report::default();
        let (kept, text) = settle(whole.clone(), &mut report);
        assert_eq!((kept, report), (whole.clone(), Report::default()));
        assert_eq!(read_bytes(text.as_bytes()).expect("a plan").plan, whole);
    }

    #[test]
    fn what_the_reader_refuses_is_a_note_and_the_rest_stands() {
        let mut odd = plan(
            "  - {id: a, title: Stop it, manual: Stop it.}\n  - {id: b, title: Copy it, manual: Copy it.}\n",
        );
        odd.steps[1].title = Some(" ".to_owned());
        odd.change.title = "\u{202e}".to_owned();
        odd.notes.push(Note { from: "line 1".to_owned(), text: "Ask \u{200b}Ops".to_owned() });
        let mut report = Report::default();
        let (kept, text) = settle(odd, &mut report);
        assert_eq!(read_bytes(text.as_bytes()).expect("a plan").plan, kept);
        assert_eq!(kept.change.title, "Imported plan");
        assert_eq!(kept.steps.iter().map(|step| step.id.as_str()).collect::<Vec<_>>(), ["a"]);
        let notes: Vec<&str> = kept.notes.iter().map(|note| note.text.as_str()).collect();
        assert!(notes[0].contains("Copy it.") && notes[1] == "Ask Ops", "{notes:?}");
        assert!(kept.notes[0].from.contains("this text is empty"), "{:?}", kept.notes[0]);
        assert_eq!(report.not_understood.len(), 2);
    }

    #[test]
    fn a_plan_of_which_nothing_reads_is_all_notes() {
        let mut odd = plan("  - {id: a, title: Stop it, manual: Stop it.}\n");
        odd.steps[0].title = Some(String::new());
        odd.steps[0].after = Some(backout_core::plan::Many(vec![odd.steps[0].id.clone()]));
        let (kept, _) = settle(odd, &mut Report::default());
        assert!(kept.steps.is_empty());
        assert_eq!(kept.notes.len(), 1);
    }
}
