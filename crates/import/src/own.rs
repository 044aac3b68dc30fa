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
use serde_json::Value;

use crate::altered::{Said, altered, ignored, moved};
use crate::merge::{Merge, cut};
use crate::readable::plan_file;
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
    let unseen = document.hidden.iter().any(|hidden| &*hidden.place.unit == HIDDEN_FILE);
    if unseen && exact.is_none() {
        return Some(Err("its sheet is hidden, and it is not the file whose digest is printed \
            in the document"
            .to_owned()));
    }
    let text = exact.unwrap_or(&candidates[0]);
    Some(match read_bytes(text.as_bytes()) {
        Ok(read) => Ok(Annexed { read, as_printed: exact.is_some() }),
        Err((_, errors)) => Err(errors.first().map_or_else(
            || "it is no plan".to_owned(),
            |error| error.message.trim_end_matches('.').to_owned(),
        )),
    })
}

/// Where the plan file of a workbook stands.
const HIDDEN_FILE: &str = "sheet Plan file, row";

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
        return Imported { plan: annexed.plan, text: annexed.source, report };
    }
    // A report shows what happened, not the plan: only its annex is one.
    let title =
        document.title.clone().into_iter().chain(document.blocks.iter().find_map(|block| {
            match &block.kind {
                Kind::Heading(_, text) => Some(text_of(text)),
                _ => None,
            }
        }));
    if title.into_iter().any(|title| backout_documents::report::is_report(&title)) {
        return Imported { plan: annexed.plan, text: annexed.source, report };
    }
    let now = visible(document, "");
    // A page to work from has more columns than one to read; it was made as the one
    // that differs less.
    let present = present(document, &annexed);
    let understood: BTreeSet<&str> =
        now.report.found.iter().map(|source| source.field.as_str()).collect();
    let compared = [false, true].into_iter().filter_map(|working| {
        let base = made(&annexed.plan, &annexed, format, working, &present)?;
        let then = visible(&base, "");
        let mut plan = json(&annexed.plan);
        let names = names(&then.plan, &annexed.plan);
        let (then, theirs) = (renamed(json(&then.plan), &names), renamed(json(&now.plan), &names));
        let mut merge = Merge { understood: &understood, changed: Vec::new(), kept: Vec::new() };
        merge.value("", &then, &theirs, &mut plan);
        let differing = altered(&base, document);
        Some((differing, working, merge, plan, base))
    });
    let least = compared.min_by_key(|(differing, ..)| *differing);
    // Without the comparison nobody knows what was changed: the annex counts.
    let Some((_, working, merge, plan, base)) = least else {
        return Imported { plan: annexed.plan, text: annexed.source, report };
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
    let merged = match merge.changed.is_empty() {
        true => None,
        false => match serde_json::from_value::<Plan>(plan)
            .map_err(|error| error.to_string())
            .and_then(|plan| plan_file(&plan).map(|text| (plan, text)))
        {
            Ok(merged) => Some(merged),
            Err(error) => {
                // A change that makes no plan is reported and not made.
                for change in std::mem::take(&mut report.changed) {
                    let why = change.why.clone().unwrap_or_default();
                    let why = format!("{why}; with the changes by hand it is no plan: {error}");
                    report.not_taken_over.push(Source { why: Some(why), ..change });
                }
                None
            }
        },
    };
    // The merged plan as a document says what was taken over; every other change
    // somebody made would be lost.
    let again =
        merged.as_ref().and_then(|(plan, _)| made(plan, &annexed, format, working, &present));
    let (written, gone) = ignored(&base, again.as_ref().unwrap_or(&base), document);
    for (said, what) in written
        .iter()
        .map(|said| (said, "was written in"))
        .chain(gone.iter().map(|said| (said, "was taken out")))
    {
        if !merge.kept.iter().any(|(_, why)| why.contains(&format!("\"{}\"", said.text))) {
            report.not_taken_over.push(not_taken(said, what));
        }
    }
    let told: BTreeSet<String> = written.iter().map(|said| said.place.to_string()).collect();
    for (said, what) in moved(again.as_ref().unwrap_or(&base), document) {
        let place = said.place.to_string();
        let merged = merge.kept.iter().any(|(_, why)| why.contains(&said.text));
        if !told.contains(&place) && !merged {
            report.not_taken_over.push(not_taken(&said, what));
        }
    }
    match merged {
        Some((plan, text)) => Imported { plan, text, report },
        None => Imported { plan: annexed.plan, text: annexed.source, report },
    }
}

fn not_taken(said: &Said, what: &str) -> Source {
    Source {
        field: "the text".to_owned(),
        place: said.place.to_string(),
        why: Some(format!("\"{}\" {what}", cut(&said.text))),
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

/// The document as it is made from a plan, read back. The plan file is that of
/// `read_plan`, whatever the plan.
fn made(
    plan: &Plan,
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
        plan,
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
        Format::Word => word(&tree, &footing(plan, &digest)).ok()?,
        Format::Excel => {
            backout_documents::workbook::workbook(plan, &read_plan.source, &digest, &[], None)
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
