//! Jira issues as its REST API gives them. Descriptions are trees (Atlassian
//! Document Format) in the cloud and wiki text on servers.

use serde_json::Value;

use super::{DEEPEST, Unreadable, json, markdown, wiki};
use crate::tree::{
    Block, Cell, Document, Fact, Inline, Item, Kind, Place, Row, Style, Table, Tone,
};

pub(super) fn read(bytes: &[u8], wanted: Option<&str>) -> Result<Document, Unreadable> {
    let value = json(bytes)?;
    if value.get("type").is_some_and(|kind| kind == "doc") {
        let mut reader = Reader { place: Place { unit: "part".into(), number: 0 } };
        return Ok(Document { blocks: reader.blocks(&value, 0), ..Document::default() });
    }
    let issues = value.get("issues").and_then(Value::as_array).or_else(|| value.as_array());
    let issue = match (issues.map(Vec::as_slice), wanted) {
        (None, _) => &value,
        (Some([]), _) => return Err(Unreadable::new("there is no issue in this answer")),
        (Some([only]), None) => only,
        (Some(several), Some(wanted)) => several
            .iter()
            .find(|issue| key(issue).eq_ignore_ascii_case(wanted))
            .ok_or_else(|| Unreadable::new(format!("there is no issue {wanted} in this answer")))?,
        (Some(several), None) => {
            let keys: Vec<&str> = several.iter().take(10).map(key).collect();
            let hint = format!("choose one with `--record`: {}", keys.join(", "));
            return Err(Unreadable::new("there are several issues").hint(hint));
        }
    };
    let fields = issue.get("fields").unwrap_or(issue);
    let mut document = Document {
        title: fields.get("summary").and_then(Value::as_str).map(str::to_owned),
        ..Document::default()
    };
    let fact = |name: &str, value: String| Fact {
        place: Place { unit: format!("field {name}, part").into(), number: 1 },
        name: name.to_owned(),
        value,
    };
    if !key(issue).is_empty() {
        document.facts.push(fact("key", key(issue).to_owned()));
    }
    let Value::Object(entries) = fields else {
        return Err(Unreadable::new("this is not a Jira issue"));
    };
    for (name, value) in entries {
        match value {
            Value::Object(inner) if inner.get("type").is_some_and(|kind| kind == "doc") => {
                let mut reader = Reader {
                    place: Place { unit: format!("field {name}, part").into(), number: 0 },
                };
                let blocks = reader.blocks(value, 0);
                document.blocks.extend(under(name, blocks));
            }
            Value::String(text)
                if name == "description"
                    || name == "environment"
                    || text.lines().nth(2).is_some() =>
            {
                let unit = format!("field {name}, line");
                let (markdown, origin) = wiki::to_markdown(text);
                let mut blocks = markdown::read_part(&markdown, &unit, &mut document.hidden);
                renumber(&mut blocks, &origin);
                document.blocks.extend(under(name, blocks));
            }
            Value::String(text) if name != "summary" && !text.trim().is_empty() => {
                document.facts.push(fact(name, text.clone()));
            }
            // What people wrote below it may change what it says.
            Value::Object(inner) if name == "comment" => {
                let all = inner.get("comments").and_then(Value::as_array);
                for comment in all.into_iter().flatten() {
                    let text = match comment.get("body") {
                        Some(Value::String(text)) => text.clone(),
                        Some(body) => {
                            let place = Place { unit: "field comment, part".into(), number: 0 };
                            crate::tree::text_of_blocks(&Reader { place }.blocks(body, 0))
                        }
                        None => continue,
                    };
                    document.facts.push(fact(name, text));
                }
            }
            Value::Object(inner) => {
                let said = ["displayName", "name", "value"]
                    .iter()
                    .find_map(|key| inner.get(*key)?.as_str());
                document.facts.extend(said.map(|said| fact(name, said.to_owned())));
            }
            _ => {}
        }
    }
    Ok(document)
}

fn key(issue: &Value) -> &str {
    issue.get("key").and_then(Value::as_str).unwrap_or_default()
}

/// Gives parts the numbers of the lines they come from.
fn renumber(blocks: &mut [Block], origin: &[usize]) {
    let to = |place: &mut Place| {
        place.number = origin.get(place.number.wrapping_sub(1)).copied().unwrap_or(place.number);
    };
    for block in blocks {
        to(&mut block.place);
        match &mut block.kind {
            Kind::Table(table) => table.rows.iter_mut().for_each(|row| to(&mut row.place)),
            Kind::Notice(_, inside) => renumber(inside, origin),
            Kind::List(_, items) => {
                for item in items {
                    to(&mut item.place);
                    renumber(&mut item.blocks, origin);
                }
            }
            _ => {}
        }
    }
}

/// A field other than the description stands under its name.
fn under(name: &str, mut blocks: Vec<Block>) -> Vec<Block> {
    if name == "description" || name.starts_with("customfield") || blocks.is_empty() {
        return blocks;
    }
    let place = blocks[0].place.clone();
    let heading = Kind::Heading(1, vec![Inline::plain(name.replace('_', " "))]);
    blocks.insert(0, Block { place, kind: heading });
    blocks
}

struct Reader {
    place: Place,
}

fn content(node: &Value) -> &[Value] {
    node.get("content").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn attr<'a>(node: &'a Value, name: &str) -> Option<&'a str> {
    node.get("attrs")?.get(name)?.as_str()
}

impl Reader {
    fn blocks(&mut self, parent: &Value, depth: usize) -> Vec<Block> {
        let mut blocks = Vec::new();
        if depth > DEEPEST {
            return blocks;
        }
        for node in content(parent) {
            self.place.number += 1;
            let place = self.place.clone();
            let kind = match node.get("type").and_then(Value::as_str).unwrap_or_default() {
                "heading" => {
                    let level =
                        node.get("attrs").and_then(|a| a.get("level")).and_then(Value::as_u64);
                    let level = u8::try_from(level.unwrap_or(2)).unwrap_or(6);
                    Kind::Heading(level.clamp(1, 6), inlines(node, depth))
                }
                "paragraph" => Kind::Paragraph(inlines(node, depth)),
                "codeBlock" => {
                    let text: String =
                        inlines(node, depth).iter().map(|i| i.text.as_str()).collect();
                    Kind::Code(attr(node, "language").map(str::to_owned), text)
                }
                kind @ ("bulletList" | "orderedList" | "taskList" | "decisionList") => {
                    let mut items = Vec::new();
                    for item in content(node) {
                        items.push(self.item(item, depth));
                    }
                    Kind::List(kind == "orderedList", items)
                }
                "table" => Kind::Table(self.table(node, depth)),
                "panel" => {
                    let loud = matches!(attr(node, "panelType"), Some("warning" | "error"));
                    let tone = if loud { Tone::Warning } else { Tone::Note };
                    Kind::Notice(tone, self.blocks(node, depth + 1))
                }
                "blockquote" => Kind::Notice(Tone::Note, self.blocks(node, depth + 1)),
                "expand" | "nestedExpand" => {
                    // What follows the expand stands where it stood before it.
                    let above =
                        blocks.iter().rev().find(|block| matches!(block.kind, Kind::Heading(..)));
                    let above = above.map(|block| block.kind.clone());
                    if let Some(title) = attr(node, "title").filter(|title| !title.is_empty()) {
                        let heading = Kind::Heading(4, vec![Inline::plain(title)]);
                        blocks.push(Block { place, kind: heading });
                    }
                    blocks.extend(self.blocks(node, depth + 1));
                    if let Some(kind) = above {
                        self.place.number += 1;
                        blocks.push(Block { place: self.place.clone(), kind });
                    }
                    continue;
                }
                _ => {
                    blocks.extend(self.blocks(node, depth + 1));
                    continue;
                }
            };
            blocks.push(Block { place, kind });
        }
        blocks
    }

    fn item(&mut self, item: &Value, depth: usize) -> Item {
        let ticked = attr(item, "state").map(|state| state == "DONE" || state == "DECIDED");
        let place = self.place.plus(1);
        let direct = content(item).first().is_some_and(|first| first.get("text").is_some());
        let blocks = if direct {
            self.place.number += 1;
            vec![Block { place: place.clone(), kind: Kind::Paragraph(inlines(item, depth)) }]
        } else {
            self.blocks(item, depth + 1)
        };
        Item { place, ticked, blocks }
    }

    fn table(&mut self, node: &Value, depth: usize) -> Table {
        let mut table = Table::default();
        for row in content(node) {
            self.place.number += 1;
            let place = self.place.clone();
            let mut cells: Vec<Cell> = Vec::new();
            let heads = content(row)
                .iter()
                .all(|cell| cell.get("type").is_some_and(|t| t == "tableHeader"));
            for cell in content(row) {
                let inside = self.blocks(cell, depth + 1);
                cells.push(vec![Inline::plain(crate::tree::text_of_blocks(&inside))]);
            }
            if heads && table.head.is_empty() && table.rows.is_empty() && cells.len() > 1 {
                table.head = cells;
            } else {
                table.rows.push(Row { place, cells });
            }
        }
        if table.head.is_empty() && table.rows.len() > 1 {
            table.head = table.rows.remove(0).cells;
        }
        table
    }
}

fn inlines(node: &Value, depth: usize) -> Vec<Inline> {
    let mut out = Vec::new();
    if depth > DEEPEST {
        return out;
    }
    for part in content(node) {
        let text = part.get("text").and_then(Value::as_str);
        match part.get("type").and_then(Value::as_str).unwrap_or_default() {
            "text" => {
                let marks =
                    part.get("marks").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                let mut style = Style::Plain;
                let mut text = text.unwrap_or_default().to_owned();
                for mark in marks {
                    match mark.get("type").and_then(Value::as_str) {
                        Some("strong") => style = Style::Strong,
                        Some("code") => style = Style::Code,
                        // What somebody struck out must not read like what stands.
                        Some("strike") => text = format!("~~{text}~~"),
                        Some("link") => {
                            style = Style::Link(attr(mark, "href").unwrap_or_default().to_owned());
                        }
                        _ => {}
                    }
                }
                out.push(Inline { text, style });
            }
            "hardBreak" => out.push(Inline::plain("\n")),
            "mention" | "emoji" | "status" => {
                out.push(Inline::plain(
                    attr(part, "text").unwrap_or_default().trim_start_matches('@'),
                ));
            }
            "date" => {
                let millis = attr(part, "timestamp").and_then(|stamp| stamp.parse().ok());
                let day = millis.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
                out.extend(day.map(|day| Inline::plain(day.strftime("%Y-%m-%d").to_string())));
            }
            "inlineCard" => out.push(Inline::plain(attr(part, "url").unwrap_or_default())),
            _ => out.extend(inlines(part, depth + 1)),
        }
    }
    out
}
