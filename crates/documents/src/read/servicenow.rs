//! Change records as ServiceNow's Table API gives them: `{"result": {…}}` or a list.
//! With `sysparm_display_value=all` each field is `{value, display_value}`.

use serde_json::Value;

use super::{Unreadable, html, json, markdown};
use crate::tree::{Block, Document, Fact, Hidden, Inline, Kind, Place};

/// Fields that hold text to read, in the order in which people read them, and
/// the heading each one stands under.
const TEXTS: [(&str, &str); 8] = [
    ("description", "Description"),
    ("justification", "Justification"),
    ("risk_impact_analysis", "Risk and impact analysis"),
    ("implementation_plan", "Implementation plan"),
    ("backout_plan", "Backout plan"),
    ("test_plan", "Test plan"),
    ("communication_plan", "Communication plan"),
    ("close_notes", "Close notes"),
];

pub(super) fn read(bytes: &[u8], wanted: Option<&str>) -> Result<Document, Unreadable> {
    let value = json(bytes)?;
    let value = value.get("result").or_else(|| value.get("records")).unwrap_or(&value);
    let record = match value {
        Value::Array(records) => {
            let number = |record: &Value| {
                field(record, "number").unwrap_or_else(|| "(no number)".to_owned())
            };

            match (records.as_slice(), wanted) {
                ([], _) => return Err(Unreadable::new("there is no record in this answer")),
                ([only], None) => only,
                (several, Some(wanted)) => several
                    .iter()
                    .find(|record| number(record).eq_ignore_ascii_case(wanted))
                    .ok_or_else(|| {
                        choose(&format!("there is no record {wanted}"), several.iter().map(number))
                    })?,
                (several, None) => {
                    return Err(choose("there are several records", several.iter().map(number)));
                }
            }
        }
        record => record,
    };
    let Value::Object(fields) = record else {
        return Err(Unreadable::new("this is not a change record"));
    };
    let mut document =
        Document { title: field(record, "short_description"), ..Document::default() };
    for name in fields.keys() {
        let known = TEXTS.iter().any(|(text, _)| text == name);
        if let Some(value) = field(record, name).filter(|value| !known && !value.trim().is_empty())
        {
            let place = Place { unit: format!("field {name}, line").into(), number: 1 };
            // Without its exact value a time is on whatever clock the reader had.
            let local = is_time(name)
                && record[name.as_str()].is_object()
                && record[name.as_str()].get("value").is_none_or(|value| !value.is_string());
            let name = if local { format!("{name} (display value)") } else { name.clone() };
            document.facts.push(Fact { place, name, value });
        }
    }
    for (name, heading) in TEXTS {
        let Some(text) = field(record, name).filter(|text| !text.trim().is_empty()) else {
            continue;
        };
        let unit = format!("field {name}, line");
        let place = Place { unit: unit.as_str().into(), number: 1 };
        document.blocks.push(Block {
            place: place.clone(),
            kind: Kind::Heading(1, vec![Inline::plain(heading)]),
        });
        let mut blocks = part(&text, &place, &mut document.hidden);
        // Headings inside a field stand below the field's.
        for block in &mut blocks {
            if let Kind::Heading(level, _) = &mut block.kind {
                *level = (*level + 1).min(6);
            }
        }
        document.blocks.extend(blocks);
    }
    Ok(document)
}

fn choose(what: &str, numbers: impl Iterator<Item = String>) -> Unreadable {
    let mut numbers: Vec<String> = numbers.collect();
    let more = numbers.len().saturating_sub(10);
    numbers.truncate(10);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Unreadable::new(what).hint(format!("choose one with `--record`: {}{more}", numbers.join(", ")))
}

/// Text of a ticket's field: HTML where it is, else read as Markdown, which plain
/// text with numbered lines nearly is.
pub(super) fn part(text: &str, place: &Place, aside: &mut Vec<Hidden>) -> Vec<Block> {
    let begins = text.trim_start();
    let tagged = begins.starts_with('<') && begins.contains("</");
    if tagged {
        html::part(text, place, aside)
    } else {
        markdown::read_part(&spaced(text), &place.unit, aside)
    }
}

/// In a plain text field every line is a line.
fn spaced(text: &str) -> String {
    let mut out = String::new();
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        out.push_str(line);
        // Two blanks at its end keep a line from flowing into the next one.
        let table = line.trim_start().starts_with('|');
        if lines.peek().is_some_and(|next| !next.trim().is_empty())
            && !line.trim().is_empty()
            && !table
        {
            out.push_str("  ");
        }
        out.push('\n');
    }
    out
}

fn is_time(name: &str) -> bool {
    name.ends_with("_date") || name.ends_with("_start") || name.ends_with("_end")
}

fn field(record: &Value, name: &str) -> Option<String> {
    match record.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Object(both) => {
            // Times are exact in `value` and local in `display_value`; names are readable in the latter.
            let first =
                if is_time(name) { ["value", "display_value"] } else { ["display_value", "value"] };
            first.iter().find_map(|key| both.get(*key)?.as_str()).map(str::to_owned)
        }
        _ => None,
    }
}
