//! A document as a tree that every format can be read into and written from.

use std::fmt;
use std::sync::Arc;

/// A document.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Document {
    /// What it is called, where the format has a place for that.
    pub title: Option<String>,
    /// Facts the format keeps beside the text: front matter, fields of a ticket.
    pub facts: Vec<Fact>,
    /// What it says.
    pub blocks: Vec<Block>,
    /// What it holds and does not show: hidden rows, columns and sheets, hidden text.
    pub hidden: Vec<Hidden>,
}

/// A part that whoever opens the document does not see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// Where it stands.
    pub place: Place,
    /// What is hidden there: `hidden row`.
    pub what: String,
    /// What it says, one line per paragraph and row.
    pub text: String,
}

/// A fact beside the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Where it stands.
    pub place: Place,
    /// Its name: `last_updated`.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Where something stands in the original: `line 45`, `sheet Steps, row 3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// What is counted: `line`, `paragraph`, `sheet Steps, row`.
    pub unit: Arc<str>,
    /// Counted from 1.
    pub number: usize,
}

impl Place {
    /// A place counted in lines.
    #[must_use]
    pub fn line(number: usize) -> Self {
        Self { unit: "line".into(), number }
    }

    /// The same kind of place with another number.
    #[must_use]
    pub fn at(&self, number: usize) -> Self {
        Self { unit: Arc::clone(&self.unit), number }
    }

    /// This many further on.
    #[must_use]
    pub fn plus(&self, more: usize) -> Self {
        self.at(self.number + more)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.unit, self.number)
    }
}

/// A part of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Where it begins in the original. Made documents count their blocks.
    pub place: Place,
    /// What it is.
    pub kind: Kind,
}

/// The kinds of parts.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A heading, from 1 (largest) to 6.
    Heading(u8, Vec<Inline>),
    /// Running text.
    Paragraph(Vec<Inline>),
    /// A list; numbered or not.
    List(bool, Vec<Item>),
    /// A table.
    Table(Table),
    /// Text that is kept as it is, with the language it says it is in.
    Code(Option<String>, String),
    /// A quotation or a notice: its heading word, and what it says.
    Notice(Tone, Vec<Block>),
    /// A picture.
    Figure(Box<Figure>),
    /// What follows begins on a new page.
    PageBreak,
}

/// How loud a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Good to know.
    Note,
    /// A decision or a duty hangs on it.
    Warning,
}

/// An entry of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Where it begins.
    pub place: Place,
    /// A box to tick, and whether it is ticked.
    pub ticked: Option<bool>,
    /// What it says.
    pub blocks: Vec<Block>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// The names of the columns.
    pub head: Vec<Cell>,
    /// The rows below.
    pub rows: Vec<Row>,
    /// How wide the columns are, relative to each other; empty for even.
    pub widths: Vec<u16>,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Where it stands.
    pub place: Place,
    /// Its cells, as many as the table has columns where the format says so.
    pub cells: Vec<Cell>,
}

/// The content of a cell. A line break is `\n` in a text.
pub type Cell = Vec<Inline>;

/// A stretch of text in one style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inline {
    /// The text.
    pub text: String,
    /// How it is set.
    pub style: Style,
}

/// How text is set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Style {
    /// As it is.
    #[default]
    Plain,
    /// Bold.
    Strong,
    /// Fixed width, kept as it is.
    Code,
    /// Less important.
    Quiet,
    /// Leads somewhere.
    Link(String),
}

/// A picture, in each form a writer may need.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What stands below it.
    pub caption: String,
    /// What it shows, for those who do not see it.
    pub description: String,
    /// The picture.
    pub scene: crate::figure::Scene,
    /// The same as Mermaid text, where that can say it.
    pub mermaid: Option<String>,
}

impl Inline {
    /// Plain text.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: Style::Plain }
    }

    /// Bold text.
    pub fn strong(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: Style::Strong }
    }

    /// Text of fixed width.
    pub fn code(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: Style::Code }
    }

    /// Text that matters less.
    pub fn quiet(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: Style::Quiet }
    }
}

/// What stretches of text say, without their style.
#[must_use]
pub fn text_of(inlines: &[Inline]) -> String {
    inlines.iter().map(|inline| inline.text.as_str()).collect()
}

impl Block {
    /// What the block says, one line per paragraph, item and row.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        self.lines(&mut lines);
        lines.join("\n")
    }

    fn lines(&self, lines: &mut Vec<String>) {
        match &self.kind {
            Kind::Heading(_, text) | Kind::Paragraph(text) => lines.push(text_of(text)),
            Kind::List(ordered, items) => {
                for (index, item) in items.iter().enumerate() {
                    let mark = if *ordered { format!("{}. ", index + 1) } else { "- ".to_owned() };
                    let inside = text_of_blocks(&item.blocks);
                    let mut inside = inside.lines();
                    lines.push(format!("{mark}{}", inside.next().unwrap_or_default()));
                    lines.extend(inside.map(|line| format!("{}{line}", " ".repeat(mark.len()))));
                }
            }
            Kind::Table(table) => {
                let row = |cells: &[Cell]| {
                    let cells: Vec<String> = cells.iter().map(|cell| text_of(cell)).collect();
                    cells.join(" | ")
                };
                if !table.head.is_empty() {
                    lines.push(row(&table.head));
                }
                lines.extend(table.rows.iter().map(|line| row(&line.cells)));
            }
            Kind::Code(_, text) => lines.push(text.trim_end().to_owned()),
            Kind::Notice(_, blocks) => lines.push(text_of_blocks(blocks)),
            Kind::Figure(figure) => lines.push(figure.caption.clone()),
            Kind::PageBreak => {}
        }
    }
}

/// What blocks say, one line per paragraph, item and row.
#[must_use]
pub fn text_of_blocks(blocks: &[Block]) -> String {
    blocks.iter().map(Block::text).collect::<Vec<_>>().join("\n")
}
