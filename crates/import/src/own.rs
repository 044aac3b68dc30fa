//! Documents that `render` made. Their annex holds the plan file, byte for byte; so
//! what nobody touched comes back without loss, with the same digest. What
//! somebody changed by hand is found by reading the visible part twice: as it
//! stands now, and as it stood when it was made from the annex. Only the
//! difference between the two is carried over into the plan, and each piece of it
//! is reported; what cannot be carried over is reported too.

use std::collections::{BTreeMap, BTreeSet};

use backout_core::ids::Digest;
use backout_core::plan::Plan;
use backout_documents::board::{Material, Section, board, footing};
use backout_documents::read::{Format, read};
use backout_documents::tree::{text_of, text_of_blocks};
use backout_documents::write::{Page, html, markdown, word};
use backout_documents::{Block, Document, Kind};
use backout_plan::{ReadPlan, read_bytes};
use serde_json::{Map, Value};

use crate::altered::{Said, accounts, altered};
use crate::report::{Report, Source};
use crate::topics::{Topic, topic};
use crate::{Imported, visible};

/// The plan file in a document's annex, if it has one; and if it does not read, why.
pub(crate) fn annex(document: &Document) -> Option<Result<Annexed, String>> {
    let mut blocks = document.blocks.iter().skip_while(|block| {
        !matches!(&block.kind, Kind::Heading(_, text) if topic(&text_of(text)) == Some(Topic::Annex))
    });
    let mut near = String::new();
    let code = blocks.find_map(|block| match &block.kind {
        Kind::Code(_, text) => Some(text.clone()),
        _ => {
            near.push_str(&block.text());
            None
        }
    })?;
    let said = digests(&near).or_else(|| digests(&text_of_blocks(&document.blocks)));
    // Formats drop the last line end, and some of them the kind of line ends.
    let bare = code.trim_end_matches('\n');
    let ends = ["\n", "", "\n\n", "\n\n\n"];
    let mut candidates: Vec<String> = ends.iter().map(|end| format!("{bare}{end}")).collect();
    candidates.extend(ends.iter().map(|end| format!("{bare}{end}").replace('\n', "\r\n")));
    let exact = said.and_then(|said| {
        candidates.iter().find(|text| Digest::of(text.as_bytes()).to_string() == said)
    });
    let text = exact.unwrap_or(&candidates[0]);
    Some(match read_bytes(text.as_bytes()) {
        Ok(read) => Ok(Annexed { read, as_printed: exact.is_some() }),
        Err((_, errors)) => Err(errors.first().map_or_else(
            || "it is no plan".to_owned(),
            |error| error.message.trim_end_matches('.').to_owned(),
        )),
    })
}

/// The plan file of an annex.
pub(crate) struct Annexed {
    read: ReadPlan,
    /// Whether it has the digest that is printed beside it.
    as_printed: bool,
}

/// The first digest in a text.
pub(crate) fn digests(text: &str) -> Option<String> {
    let at = text.find("sha256:")?;
    let hex: String = text[at + 7..].chars().take_while(char::is_ascii_hexdigit).collect();
    (hex.len() == 64).then(|| format!("sha256:{hex}"))
}

/// Reads a document of ours: the plan of its annex, with what was changed by hand.
pub(crate) fn restore(document: &Document, format: Format, annexed: Annexed) -> Imported {
    let Annexed { read: annexed, as_printed } = annexed;
    let mut report = Report::default();
    if !as_printed {
        report.changed.push(Source {
            field: "the plan file".to_owned(),
            place: "the annex".to_owned(),
            why: Some("it is not the file whose digest is printed beside it: no approval of the document covers it. It counts; the text above it was not compared".to_owned()),
        });
        return Imported { plan: annexed.plan, source: Some(annexed.source), report };
    }
    // A report shows what happened, not the plan: only its annex is one.
    let title =
        document.title.clone().into_iter().chain(document.blocks.iter().find_map(|block| {
            match &block.kind {
                Kind::Heading(_, text) => Some(text_of(text)),
                _ => None,
            }
        }));
    if title.into_iter().any(|title| title.starts_with(backout_documents::report::TITLE)) {
        return Imported { plan: annexed.plan, source: Some(annexed.source), report };
    }
    let now = visible(document, "");
    // A page to work from has more columns than one to read; it was made as the one
    // that differs less.
    let present = present(document, &annexed);
    let understood: BTreeSet<&str> =
        now.report.found.iter().map(|source| source.field.as_str()).collect();
    let compared = [false, true].into_iter().filter_map(|working| {
        let base = made(&annexed, format, working, &present)?;
        let then = visible(&base, "");
        let mut plan = json(&annexed.plan);
        let names = names(&then.plan, &annexed.plan);
        let (then, theirs) = (renamed(json(&then.plan), &names), renamed(json(&now.plan), &names));
        let mut merge = Merge { understood: &understood, changed: Vec::new(), kept: Vec::new() };
        merge.value("", &then, &theirs, &mut plan);
        let texts = altered(&base, document);
        Some((merge, plan, texts))
    });
    let least = compared.min_by_key(|(_, _, (written, gone))| written.len() + gone.len());
    // Without the comparison nobody knows what was changed: the annex counts.
    let Some((merge, plan, texts)) = least else {
        return Imported { plan: annexed.plan, source: Some(annexed.source), report };
    };
    let places: BTreeMap<&str, &str> = now
        .report
        .found
        .iter()
        .chain(&now.report.guessed)
        .map(|source| (source.field.as_str(), source.place.as_str()))
        .collect();
    let place_of = |field: &str| -> String {
        let near =
            places.iter().find(|(known, _)| field.starts_with(**known) || known.starts_with(field));
        near.map_or_else(|| "the document".to_owned(), |(_, place)| (*place).to_owned())
    };
    for (field, was, is) in &merge.changed {
        let command = merge.stays_a_command(field, &plan);
        report.changed.push(Source {
            field: field.clone(),
            place: place_of(field),
            why: Some(format!("{} became {}{command}", cut(was), cut(is))),
        });
    }
    for (field, why) in &merge.kept {
        report.not_taken_over.push(Source {
            field: field.clone(),
            place: place_of(field),
            why: Some(why.clone()),
        });
    }
    merge.unaccounted(&texts, &mut report);
    if merge.changed.is_empty() {
        return Imported { plan: annexed.plan, source: Some(annexed.source), report };
    }
    match serde_json::from_value::<Plan>(plan) {
        Ok(plan) => Imported { plan, source: None, report },
        Err(error) => {
            // A change that makes no plan is reported and not made.
            for change in std::mem::take(&mut report.changed) {
                let why = format!(
                    "{}; with the changes by hand it is no plan: {error}",
                    change.why.clone().unwrap_or_default()
                );
                report.not_taken_over.push(Source { why: Some(why), ..change });
            }
            Imported { plan: annexed.plan, source: Some(annexed.source), report }
        }
    }
}

/// The sections a document was made with: those whose headings it has.
fn present(document: &Document, read_plan: &ReadPlan) -> Vec<Section> {
    let heading = |block: &Block| match &block.kind {
        Kind::Heading(_, text) => Some(text_of(text).trim().to_owned()),
        _ => None,
    };
    let there: BTreeSet<String> = document.blocks.iter().filter_map(heading).collect();
    let material = Material {
        plan: &read_plan.plan,
        source: &read_plan.source,
        digest: read_plan.digest.to_string(),
        outlook: Err(String::new()),
        findings: &[],
        working: false,
    };
    let has = |section: &Section| {
        let alone = board(&material, &[*section]);
        alone.blocks.iter().find_map(heading).is_none_or(|heading| there.contains(&heading))
    };
    Section::ALL.into_iter().filter(has).collect()
}

/// The document as it was made from a plan, read back.
fn made(
    read_plan: &ReadPlan,
    format: Format,
    working: bool,
    sections: &[Section],
) -> Option<Document> {
    if working && format != Format::Html {
        return None;
    }
    let digest = read_plan.digest.to_string();
    let material = Material {
        plan: &read_plan.plan,
        source: &read_plan.source,
        digest: digest.clone(),
        outlook: Err(String::new()),
        findings: &[],
        working,
    };
    let tree = board(&material, sections);
    let bytes = match format {
        Format::Markdown => markdown(&tree).ok()?.into_bytes(),
        Format::Html => {
            html(&tree, if working { Page::Working } else { Page::Reading }).into_bytes()
        }
        Format::Word => word(&tree, &footing(&read_plan.plan, &digest)).ok()?,
        Format::Excel => {
            backout_documents::workbook::workbook(&read_plan.plan, &read_plan.source, &digest, &[])
                .ok()?
        }
        Format::Ods | Format::Csv | Format::ServiceNow | Format::Jira => return None,
    };
    read(format, &bytes, None).ok()
}

fn json(plan: &Plan) -> Value {
    let mut value = serde_json::to_value(plan).unwrap_or_default();
    if let Some(sections) = value.as_object_mut() {
        sections.shift_remove("notes");
    }
    value
}

/// What the visible part calls a thing, and what the plan calls it: both stand in
/// the same order.
fn names(visible: &Plan, plan: &Plan) -> BTreeMap<String, String> {
    fn pair<A: ToString, B: ToString>(a: Vec<A>, b: Vec<B>, map: &mut BTreeMap<String, String>) {
        if a.len() == b.len() {
            map.extend(a.iter().map(ToString::to_string).zip(b.iter().map(ToString::to_string)));
        }
    }
    let mut map = BTreeMap::new();
    pair(
        visible.steps.iter().map(|s| &s.id).collect(),
        plan.steps.iter().map(|s| &s.id).collect(),
        &mut map,
    );
    pair(visible.roles.keys().collect(), plan.roles.keys().collect(), &mut map);
    pair(visible.components.keys().collect(), plan.components.keys().collect(), &mut map);
    pair(visible.triggers.keys().collect(), plan.triggers.keys().collect(), &mut map);
    pair(visible.readiness.keys().collect(), plan.readiness.keys().collect(), &mut map);
    pair(visible.messages.keys().collect(), plan.messages.keys().collect(), &mut map);
    pair(visible.options.keys().collect(), plan.options.keys().collect(), &mut map);
    map.retain(|from, to| from != to);
    map
}

/// A value with the plan's names for things, where names stand.
fn renamed(value: Value, names: &BTreeMap<String, String>) -> Value {
    const NAMES: [&str; 14] = [
        "id",
        "owner",
        "by",
        "tell",
        "after",
        "steps",
        "component",
        "deputies",
        "option",
        "requested_by",
        "reviewed_by",
        "retrospective_approval",
        "behind",
        "role",
    ];
    fn walk(value: Value, named: bool, names: &BTreeMap<String, String>) -> Value {
        let new = |name: String| names.get(&name).cloned().unwrap_or(name);
        match value {
            Value::String(text) if named => Value::String(new(text)),
            Value::Array(items) => {
                Value::Array(items.into_iter().map(|item| walk(item, named, names)).collect())
            }
            Value::Object(entries) => Value::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| {
                        let named = NAMES.contains(&key.as_str());
                        (new(key), walk(value, named, names))
                    })
                    .collect(),
            ),
            value => value,
        }
    }
    walk(value, false, names)
}

struct Merge<'a> {
    /// The fields that the text states and that were understood.
    understood: &'a BTreeSet<&'a str>,
    /// What changed: the field, what it was, what it is.
    changed: Vec<(String, String, String)>,
    /// What could not be carried over, and why.
    kept: Vec<(String, String)>,
}

impl Merge<'_> {
    /// A step with a new title does what it did.
    fn stays_a_command(&self, field: &str, plan: &Value) -> &'static str {
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

    /// What was written in or taken out by hand and is neither taken over nor
    /// reported yet.
    fn unaccounted(&self, (written, gone): &(Vec<Said>, Vec<Said>), report: &mut Report) {
        let known = |text: &str, was: bool| {
            self.changed
                .iter()
                .any(|(_, before, after)| accounts(if was { before } else { after }, text))
                || self.kept.iter().any(|(_, why)| accounts(why, text))
        };
        // A step that is new in the plan has its number there.
        let numbers = |text: &str| text.chars().all(|c| c.is_ascii_digit() || ", .".contains(c));
        let grown =
            self.changed.iter().any(|(field, was, _)| field.ends_with(']') && was == "nothing");
        for (said, all, what) in written
            .iter()
            .map(|said| (said, false, "was written in"))
            .chain(gone.iter().map(|said| (said, true, "was taken out")))
        {
            if known(&said.text, all) || grown && numbers(&said.text) {
                continue;
            }
            report.not_taken_over.push(Source {
                field: "the text".to_owned(),
                place: if all { "the document".to_owned() } else { said.place.to_string() },
                why: Some(format!("{} {what}", short(&Value::String(said.text.clone())))),
            });
        }
    }

    /// Carries the difference between `then` and `now` over into `plan`.
    fn value(&mut self, field: &str, then: &Value, now: &Value, plan: &mut Value) {
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
fn cut(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{} …", &text[..at]),
        None => text.to_owned(),
    }
}
