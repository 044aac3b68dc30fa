//! What every reader leaves to be done: characters nobody sees, empty parts,
//! text of several lines in a cell.

use backout_plan::is_invisible;

use crate::tree::{Block, Document, Inline, Kind, Style};

/// Takes out what cannot be seen and what says nothing.
pub(super) fn tidy(document: &mut Document) {
    blocks(&mut document.blocks);
    for fact in &mut document.facts {
        fact.value = visible(&fact.value);
    }
    for hidden in &mut document.hidden {
        hidden.text = visible(&hidden.text).trim().to_owned();
    }
    document.hidden.retain(|hidden| !hidden.text.is_empty());
    document.title =
        document.title.take().map(|title| visible(title.trim())).filter(|t| !t.is_empty());
}

/// A text without the characters that cannot be seen; a hard space is a space.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{a0}' | '\u{202f}' | '\u{2007}' => out.push(' '),
            '\u{2028}' | '\u{2029}' | '\u{85}' | '\u{b}' | '\u{c}' => out.push('\n'),
            c if is_invisible(c) || c == '\u{ad}' => {}
            c => out.push(c),
        }
    }
    out
}

/// Code as it is, but for what cannot be seen. Hard spaces stay: it may be a file.
fn exact(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    lines.chars().filter(|c| !is_invisible(*c)).collect()
}

fn blocks(all: &mut Vec<Block>) {
    for block in all.iter_mut() {
        match &mut block.kind {
            Kind::Heading(_, text) => {
                inlines(text);
                text.iter_mut().for_each(|inline| inline.text = inline.text.replace('\n', " "));
            }
            Kind::Paragraph(text) => inlines(text),
            Kind::List(_, items) => items.iter_mut().for_each(|item| blocks(&mut item.blocks)),
            Kind::Table(table) => {
                table.head.iter_mut().for_each(inlines);
                for row in &mut table.rows {
                    row.cells.iter_mut().for_each(inlines);
                }
                table.rows.retain(|row| row.cells.iter().any(|cell| !cell.is_empty()));
            }
            Kind::Code(_, text) => *text = exact(text),
            Kind::Notice(_, inside) => blocks(inside),
            Kind::Figure(_) | Kind::PageBreak => {}
        }
    }
    all.retain(|block| match &block.kind {
        Kind::Heading(_, text) | Kind::Paragraph(text) => !text.is_empty(),
        Kind::List(_, items) => !items.is_empty(),
        Kind::Table(table) => !table.rows.is_empty() || !table.head.is_empty(),
        Kind::Code(_, text) => !text.trim().is_empty(),
        Kind::Notice(_, inside) => !inside.is_empty(),
        Kind::Figure(_) | Kind::PageBreak => true,
    });
}

/// Joins neighbours of one style, makes blanks single, trims the ends.
fn inlines(all: &mut Vec<Inline>) {
    let mut joined: Vec<Inline> = Vec::with_capacity(all.len());
    for inline in all.drain(..) {
        let text = visible(&inline.text);
        let text = match inline.style {
            Style::Code => text,
            _ => single_blanks(&text),
        };
        match joined.last_mut() {
            Some(last) if last.style == inline.style => last.text.push_str(&text),
            _ => joined.push(Inline { text, style: inline.style }),
        }
    }
    // A blank at the end of one stretch and one at the start of the next are one.
    for index in 1..joined.len() {
        let before = joined[index - 1].text.ends_with([' ', '\n']);
        if before && joined[index].style != Style::Code {
            let trimmed = joined[index].text.trim_start_matches(' ').to_owned();
            joined[index].text = trimmed;
        }
    }
    if let Some(first) = joined.first_mut() {
        first.text = first.text.trim_start().to_owned();
    }
    if let Some(last) = joined.last_mut() {
        last.text = last.text.trim_end().to_owned();
    }
    joined.retain(|inline| !inline.text.is_empty());
    *all = joined;
}

fn single_blanks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' ' | '\t' if out.ends_with([' ', '\n']) => {}
            ' ' | '\t' => out.push(' '),
            '\n' => {
                out.truncate(out.trim_end_matches(' ').len());
                out.push('\n');
            }
            c => out.push(c),
        }
    }
    out
}
