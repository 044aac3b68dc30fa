//! GitHub's Markdown. The library that reads it also writes it, so that what is
//! escaped here is understood there.

use comrak::nodes::{
    AstNode, ListDelimType, ListType, NodeCode, NodeCodeBlock, NodeHeading, NodeLink, NodeList,
    NodeTable, NodeTaskItem, NodeValue, TableAlignment,
};
use comrak::{Arena, Options, format_commonmark};

use crate::tree::{Block, Document, Inline, Item, Kind, Style, Table, Tone};

type Arena_<'a> = &'a Arena<'a>;

/// A document as Markdown. Pictures are Mermaid where that can say them.
///
/// # Errors
/// None that a document can cause; writing to memory is fallible by its signature.
pub fn markdown(document: &Document) -> Result<String, std::fmt::Error> {
    let arena = Arena::new();
    let root = arena.alloc(AstNode::from(NodeValue::Document));
    if let Some(title) = &document.title {
        heading(&arena, root, 1, &[Inline::plain(title)]);
    }
    blocks(&arena, root, &document.blocks);
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.tasklist = true;
    options.render.width = 0;
    options.render.prefer_fenced = true;
    let mut out = String::new();
    format_commonmark(root, &options, &mut out)?;
    Ok(out)
}

fn add<'a>(arena: Arena_<'a>, parent: &'a AstNode<'a>, value: NodeValue) -> &'a AstNode<'a> {
    let node = arena.alloc(AstNode::from(value));
    parent.append(node);
    node
}

fn heading<'a>(arena: Arena_<'a>, parent: &'a AstNode<'a>, level: u8, text: &[Inline]) {
    let value =
        NodeValue::Heading(NodeHeading { level: level.clamp(1, 6), setext: false, closed: false });
    let node = add(arena, parent, value);
    inlines(arena, node, text, true);
}

fn blocks<'a>(arena: Arena_<'a>, parent: &'a AstNode<'a>, all: &[Block]) {
    for block in all {
        match &block.kind {
            Kind::Heading(level, text) => heading(arena, parent, *level, text),
            Kind::Paragraph(text) => {
                let node = add(arena, parent, NodeValue::Paragraph);
                inlines(arena, node, text, false);
            }
            Kind::List(ordered, items) => list(arena, parent, *ordered, items),
            Kind::Table(data) => table(arena, parent, data),
            Kind::Code(language, text) => code(arena, parent, language.as_deref(), text),
            Kind::Notice(tone, inside) => {
                let quote = add(arena, parent, NodeValue::BlockQuote);
                if *tone == Tone::Warning {
                    let paragraph = add(arena, quote, NodeValue::Paragraph);
                    inlines(arena, paragraph, &[Inline::strong("Warning")], false);
                }
                blocks(arena, quote, inside);
            }
            Kind::Figure(figure) => {
                if let Some(mermaid) = &figure.mermaid {
                    code(arena, parent, Some("mermaid"), mermaid);
                }
                let node = add(arena, parent, NodeValue::Paragraph);
                let said =
                    if figure.mermaid.is_some() { &figure.caption } else { &figure.description };
                inlines(arena, node, &[Inline::plain(said)], false);
            }
            Kind::PageBreak => {
                add(arena, parent, NodeValue::ThematicBreak);
            }
        }
    }
}

fn code<'a>(arena: Arena_<'a>, parent: &'a AstNode<'a>, language: Option<&str>, text: &str) {
    let mut literal = text.to_owned();
    if !literal.ends_with('\n') {
        literal.push('\n');
    }
    let value = NodeCodeBlock {
        fenced: true,
        fence_char: b'`',
        fence_length: 3,
        fence_offset: 0,
        info: language.unwrap_or_default().to_owned(),
        literal,
        closed: true,
    };
    add(arena, parent, NodeValue::CodeBlock(Box::new(value)));
}

fn list<'a>(arena: Arena_<'a>, parent: &'a AstNode<'a>, ordered: bool, items: &[Item]) {
    let ticks = items.iter().any(|item| item.ticked.is_some());
    let shape = NodeList {
        list_type: if ordered { ListType::Ordered } else { ListType::Bullet },
        marker_offset: 0,
        padding: if ordered { 3 } else { 2 },
        start: 1,
        delimiter: ListDelimType::Period,
        bullet_char: b'-',
        tight: true,
        is_task_list: ticks,
    };
    let node = add(arena, parent, NodeValue::List(shape));
    for item in items {
        let value = match item.ticked {
            Some(on) => NodeValue::TaskItem(NodeTaskItem {
                symbol: on.then_some('x'),
                symbol_sourcepos: (0, 0, 0, 0).into(),
            }),
            None => NodeValue::Item(shape),
        };
        let entry = add(arena, node, value);
        blocks(arena, entry, &item.blocks);
    }
}

fn table<'a>(arena: Arena_<'a>, parent: &'a AstNode<'a>, data: &Table) {
    let columns =
        data.head.len().max(data.rows.iter().map(|row| row.cells.len()).max().unwrap_or(0));
    let value = NodeTable {
        alignments: vec![TableAlignment::None; columns],
        num_columns: columns,
        num_rows: data.rows.len() + 1,
        num_nonempty_cells: 0,
    };
    let node = add(arena, parent, NodeValue::Table(Box::new(value)));
    let row = |head: bool, cells: &[Vec<Inline>]| {
        let line = add(arena, node, NodeValue::TableRow(head));
        for column in 0..columns {
            let cell = add(arena, line, NodeValue::TableCell);
            inlines(arena, cell, cells.get(column).map_or(&[], Vec::as_slice), true);
        }
    };
    row(true, &data.head);
    data.rows.iter().for_each(|line| row(false, &line.cells));
}

/// Text; where there is room for one line only, a line break is a tag.
fn inlines<'a>(arena: Arena_<'a>, parent: &'a AstNode<'a>, all: &[Inline], one_line: bool) {
    let parts: Vec<Inline> = all.iter().flat_map(spaced).collect();
    for inline in &parts {
        let target = match &inline.style {
            Style::Strong if !inline.text.trim().is_empty() => {
                add(arena, parent, NodeValue::Strong)
            }
            Style::Link(url) => {
                let link = NodeLink { url: url.clone(), title: String::new() };
                add(arena, parent, NodeValue::Link(Box::new(link)))
            }
            Style::Code if plain_code(&inline.text) => {
                let code = NodeCode { num_backticks: 1, literal: inline.text.clone() };
                add(arena, parent, NodeValue::Code(code));
                continue;
            }
            _ => parent,
        };
        for (index, line) in inline.text.split('\n').enumerate() {
            if index > 0 {
                let value = if one_line {
                    NodeValue::HtmlInline("<br>".to_owned())
                } else {
                    NodeValue::LineBreak
                };
                add(arena, target, value);
            }
            if !line.is_empty() {
                add(arena, target, NodeValue::Text(line.to_owned().into()));
            }
        }
    }
}

/// Blanks at the ends of bold text stand outside of it: Markdown has no other way.
fn spaced(inline: &Inline) -> Vec<Inline> {
    if inline.style != Style::Strong {
        return vec![inline.clone()];
    }
    let text = inline.text.as_str();
    let core = text.trim_matches(' ');
    let start = text.len() - text.trim_start_matches(' ').len();
    let parts = [
        Inline::plain(&text[..start.min(text.len())]),
        Inline::strong(core),
        Inline::plain(&text[(start + core.len()).min(text.len())..]),
    ];
    parts.into_iter().filter(|part| !part.text.is_empty()).collect()
}

/// What a code span keeps as it is, in a table too.
fn plain_code(text: &str) -> bool {
    !text.is_empty() && !text.contains(['`', '|', '\n']) && text.trim() == text
}
