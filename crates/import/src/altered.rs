//! What stands in one text of a document and not in another: the net below the
//! merge. A change by hand that no field of the plan takes up must not vanish.

use std::collections::HashMap;

use backout_documents::board::NOT_READY;
use backout_documents::tree::text_of;
use backout_documents::{Block, Document, Kind, Place};

use crate::topics::{Topic, topic};
use crate::values;

/// A stretch of text: a paragraph, an item, a cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    pub(crate) place: Place,
    pub(crate) text: String,
    /// What it says, however it is spelled.
    key: String,
}

/// How many texts differ between two documents.
pub(crate) fn altered(then: &Document, now: &Document) -> usize {
    let (written, gone) = ignored(then, then, now);
    written.len() + gone.len()
}

/// What was written into a document or taken out of it, and is not so in the
/// document that the merged plan makes: what was written in, and what was taken out.
pub(crate) fn ignored(
    then: &Document,
    merged: &Document,
    now: &Document,
) -> (Vec<Said>, Vec<Said>) {
    let (then, merged, now) = (said(then), said(merged), said(now));
    let (before, after, found) = (counted(&then), counted(&merged), counted(&now));
    let of = |counts: &HashMap<&str, usize>, key: &str| counts.get(key).copied().unwrap_or(0);
    // More often than before, by more than the merged plan has it more often.
    let more = |key: &str| {
        let before = of(&before, key);
        of(&found, key)
            .saturating_sub(before)
            .saturating_sub(of(&after, key).saturating_sub(before))
    };
    let less = |key: &str| {
        let before = of(&before, key);
        before
            .saturating_sub(of(&found, key))
            .saturating_sub(before.saturating_sub(of(&after, key)))
    };
    (last(&now, more), last(&then, less))
}

/// Rows of tables that stand otherwise than in the document the merged plan makes,
/// although every text of them is there: cells that changed places, rows in another
/// order. Each with what is the matter.
pub(crate) fn moved(merged: &Document, now: &Document) -> Vec<(Said, &'static str)> {
    let (merged, now) = (rows(merged), rows(now));
    let mut left: HashMap<&(String, Vec<String>), usize> = HashMap::new();
    merged.iter().for_each(|(key, _)| *left.entry(key).or_default() += 1);
    let mut found = Vec::new();
    let mut same: HashMap<&str, Vec<(&Vec<String>, &Said)>> = HashMap::new();
    for (key, said) in &now {
        match left.get_mut(key).filter(|left| **left > 0) {
            Some(left) => {
                *left -= 1;
                same.entry(&key.0).or_default().push((&key.1, said));
            }
            None => found.push((said.clone(), "stands together otherwise than it did")),
        }
    }
    for (head, rows) in same {
        let wanted = merged.iter().filter(|(key, _)| key.0 == head).map(|(key, _)| &key.1);
        let wanted = wanted.filter(|cells| rows.iter().any(|(known, _)| known == cells));
        let out = rows.iter().zip(wanted).find(|((cells, _), wanted)| cells != wanted);
        if let Some(((_, said), _)) = out {
            found.push(((*said).clone(), "and rows near it stand in another order"));
        }
    }
    found.sort_by_key(|(said, _)| said.place.number);
    found
}

/// The rows of all tables: their head and their cells, however they are spelled, and
/// without the numbers that only count them.
fn rows(document: &Document) -> Vec<((String, Vec<String>), Said)> {
    let mut found = Vec::new();
    for block in parts(document) {
        let Kind::Table(table) = &block.kind else { continue };
        let head: Vec<String> = table.head.iter().map(|cell| text_of(cell)).collect();
        for row in &table.rows {
            let mut cells = Vec::new();
            for cell in &row.cells {
                add(&row.place, &text_of(cell), &mut cells);
            }
            if cells.first().is_some_and(|cell| cell.text.chars().all(|c| c.is_ascii_digit())) {
                cells.remove(0);
            }
            let text: Vec<&str> = cells.iter().map(|cell| cell.text.as_str()).collect();
            let said =
                Said { place: row.place.clone(), text: text.join(" | "), key: String::new() };
            let cells = cells.into_iter().map(|cell| cell.key).collect();
            found.push(((head.join(" | "), cells), said));
        }
    }
    found
}

fn counted(all: &[Said]) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    all.iter().for_each(|said| *counts.entry(said.key.as_str()).or_default() += 1);
    counts
}

/// Of each text as many as are wanted, the last ones; those of one row together.
fn last(all: &[Said], wanted: impl Fn(&str) -> usize) -> Vec<Said> {
    let mut left: HashMap<&str, usize> = HashMap::new();
    let mut found: Vec<Said> = Vec::new();
    for said in all.iter().rev() {
        let left = left.entry(said.key.as_str()).or_insert_with(|| wanted(&said.key));
        if *left == 0 {
            continue;
        }
        *left -= 1;
        match found.last_mut().filter(|known| known.place == said.place) {
            Some(known) => known.text = format!("{} | {}", said.text, known.text),
            None => found.push(said.clone()),
        }
    }
    found.reverse();
    found
}

/// Everything people can have changed: not the plan file, not what is computed anew
/// each time (the forecast, the check), not pictures.
fn said(document: &Document) -> Vec<Said> {
    let mut all = Vec::new();
    parts(document).into_iter().for_each(|block| block_said(block, &mut all));
    all
}

fn parts(document: &Document) -> Vec<&Block> {
    let mut all = Vec::new();
    let mut skipped: Option<u8> = None;
    let mut annex = false;
    for block in &document.blocks {
        if let Kind::Heading(level, text) = &block.kind {
            if skipped.is_some_and(|skipped| *level <= skipped) {
                skipped = None;
            }
            let text = text_of(text);
            let computed = ["Schedule and point of no return", "Check of this plan"];
            annex |= topic(&text) == Some(Topic::Annex);
            if skipped.is_none() && computed.contains(&text.trim()) {
                skipped = Some(*level);
            }
        }
        // The plan file itself has a digest beside it.
        let file = annex && matches!(block.kind, Kind::Code(..));
        if skipped.is_none() && !file {
            all.push(block);
        }
    }
    all
}

fn block_said(block: &Block, all: &mut Vec<Said>) {
    match &block.kind {
        Kind::Heading(_, text) | Kind::Paragraph(text) => add(&block.place, &text_of(text), all),
        Kind::List(_, items) => {
            for item in items {
                item.blocks.iter().for_each(|block| block_said(block, all));
            }
        }
        Kind::Table(table) => {
            table.head.iter().for_each(|cell| add(&block.place, &text_of(cell), all));
            for row in &table.rows {
                row.cells.iter().for_each(|cell| add(&row.place, &text_of(cell), all));
            }
        }
        Kind::Code(language, text) if language.as_deref() != Some("mermaid") => {
            add(&block.place, text, all);
        }
        Kind::Notice(_, blocks) => blocks.iter().for_each(|block| block_said(block, all)),
        Kind::Code(..) | Kind::Figure(_) | Kind::PageBreak => {}
    }
}

fn add(place: &Place, text: &str, all: &mut Vec<Said>) {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    const COMPUTED: [&str; 5] = [
        NOT_READY,
        "Going back takes ",
        "How long going back takes",
        "There is no forecast",
        "What waits for what.",
    ];
    // The heading word of a notice, where a format writes it out.
    if matches!(text.as_str(), "" | "Warning" | "Note") {
        return;
    }
    if !COMPUTED.iter().any(|start| text.starts_with(start)) {
        // `45 minutes` is `45 min`.
        let length = values::length(&text, None).filter(|_| !values::says_more(&text));
        let key = length.map_or_else(|| text.clone(), |length| length.to_string());
        all.push(Said { place: place.clone(), text, key });
    }
}
