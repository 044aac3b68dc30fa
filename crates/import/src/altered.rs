//! What stands in one text of a document and not in another: the net below the
//! merge. A change by hand that no field of the plan takes up must not vanish.

use std::collections::HashMap;

use backout_documents::tree::text_of;
use backout_documents::{Block, Document, Kind, Place};

use crate::topics::{Topic, topic};
use crate::values;

/// A stretch of text: a paragraph, an item, a cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    pub(crate) place: Place,
    pub(crate) text: String,
}

/// What was written in, and what was taken out, in the order of the documents.
pub(crate) fn altered(then: &Document, now: &Document) -> (Vec<Said>, Vec<Said>) {
    let (then, now) = (said(then), said(now));
    let without = |of: &[Said], other: &[Said]| -> Vec<Said> {
        let mut left: HashMap<&str, usize> = HashMap::new();
        other.iter().for_each(|said| *left.entry(&said.text).or_default() += 1);
        let gone = of.iter().filter(|said| match left.get_mut(said.text.as_str()) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        });
        gone.cloned().collect()
    };
    (without(&now, &then), without(&then, &now))
}

/// Whether a text is what a change that was found already was made from or into.
pub(crate) fn accounts(change: &str, text: &str) -> bool {
    let bare = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let (change_bare, text_bare) = (bare(change), bare(text));
    // Long values are shown by their beginning.
    let start: String = text_bare.chars().take(50).collect();
    if text_bare.is_empty() || change_bare == text_bare || change_bare.contains(&start) {
        return true;
    }
    if change_bare.len() * 5 >= text_bare.len() * 4 && text_bare.contains(&change_bare) {
        return true;
    }
    if values::length(text, None)
        .is_some_and(|length| length.to_string() == change.trim_matches('"'))
    {
        return true;
    }
    // A moment or a span in another form has the same digits.
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let (one, other) = (digits(change), digits(text));
    other.len() >= 2 && one.contains(&other)
}

/// Everything people can have changed: not the plan file, not what is computed anew
/// each time (the forecast, the check), not pictures.
fn said(document: &Document) -> Vec<Said> {
    let mut all = Vec::new();
    let mut skipped: Option<u8> = None;
    for block in &document.blocks {
        if let Kind::Heading(level, text) = &block.kind {
            if skipped.is_some_and(|skipped| *level <= skipped) {
                skipped = None;
            }
            let text = text_of(text);
            let computed = ["Schedule and point of no return", "Check of this plan"];
            let annex = topic(&text) == Some(Topic::Annex);
            if skipped.is_none() && (annex || computed.contains(&text.trim())) {
                skipped = Some(*level);
            }
        }
        if skipped.is_none() {
            block_said(block, &mut all);
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
    const COMPUTED: [&str; 4] = [
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
        all.push(Said { place: place.clone(), text });
    }
}
