//! Making documents: the few gestures every writer of one needs.

use crate::figure::Scene;
use crate::tree::{Block, Cell, Figure, Inline, Item, Kind, Place, Row, Table, Tone};

/// A document being made.
#[derive(Debug, Default)]
pub(crate) struct Make {
    pub(crate) blocks: Vec<Block>,
}

impl Make {
    fn add(&mut self, kind: Kind) {
        let place = Place { unit: "part".into(), number: self.blocks.len() + 1 };
        self.blocks.push(Block { place, kind });
    }

    pub(crate) fn heading(&mut self, level: u8, text: impl Into<String>) {
        self.add(Kind::Heading(level, vec![Inline::plain(text)]));
    }

    pub(crate) fn text(&mut self, text: impl Into<String>) {
        self.add(Kind::Paragraph(vec![Inline::plain(text)]));
    }

    pub(crate) fn paragraph(&mut self, text: Vec<Inline>) {
        self.add(Kind::Paragraph(text));
    }

    /// Text of several paragraphs; lines within one stay lines.
    pub(crate) fn texts(&mut self, text: &str) {
        for paragraph in text.trim().split("\n\n") {
            self.text(paragraph.trim_matches('\n'));
        }
    }

    pub(crate) fn quiet(&mut self, text: impl Into<String>) {
        self.add(Kind::Paragraph(vec![Inline::quiet(text)]));
    }

    pub(crate) fn notice(&mut self, tone: Tone, text: Vec<Inline>) {
        let place = Place { unit: "part".into(), number: self.blocks.len() + 1 };
        let inside = Block { place, kind: Kind::Paragraph(text) };
        self.add(Kind::Notice(tone, vec![inside]));
    }

    pub(crate) fn code(&mut self, language: Option<&str>, text: impl Into<String>) {
        self.add(Kind::Code(language.map(str::to_owned), text.into()));
    }

    pub(crate) fn list(
        &mut self,
        ordered: bool,
        items: impl IntoIterator<Item = (Option<bool>, String)>,
    ) {
        let place = Place { unit: "part".into(), number: self.blocks.len() + 1 };
        let item = |(ticked, text): (Option<bool>, String)| Item {
            place: place.clone(),
            ticked,
            blocks: vec![Block {
                place: place.clone(),
                kind: Kind::Paragraph(vec![Inline::plain(text)]),
            }],
        };
        let items: Vec<Item> = items.into_iter().map(item).collect();
        if !items.is_empty() {
            self.add(Kind::List(ordered, items));
        }
    }

    /// A table; columns in which no row says anything are left out.
    pub(crate) fn table(&mut self, head: &[(&str, u16)], rows: Vec<Vec<Cell>>) {
        if rows.is_empty() {
            return;
        }
        let says = |column: usize| {
            rows.iter().any(|row| row.get(column).is_some_and(|cell| !cell.is_empty()))
        };
        let kept: Vec<usize> = (0..head.len()).filter(|column| says(*column)).collect();
        let place = Place { unit: "part".into(), number: self.blocks.len() + 1 };
        let pick = |row: &Vec<Cell>| {
            kept.iter().map(|column| row.get(*column).cloned().unwrap_or_default()).collect()
        };
        self.add(Kind::Table(Table {
            head: kept.iter().map(|column| plain(head[*column].0)).collect(),
            rows: rows.iter().map(|row| Row { place: place.clone(), cells: pick(row) }).collect(),
            widths: kept.iter().map(|column| head[*column].1).collect(),
        }));
    }

    /// A table that keeps its empty columns: people fill them in.
    pub(crate) fn form(&mut self, head: &[(&str, u16)], rows: Vec<Vec<Cell>>) {
        let place = Place { unit: "part".into(), number: self.blocks.len() + 1 };
        self.add(Kind::Table(Table {
            head: head.iter().map(|(name, _)| plain(*name)).collect(),
            rows: rows.into_iter().map(|cells| Row { place: place.clone(), cells }).collect(),
            widths: head.iter().map(|(_, width)| *width).collect(),
        }));
    }

    pub(crate) fn figure(
        &mut self,
        caption: impl Into<String>,
        description: String,
        scene: Scene,
        mermaid: Option<String>,
    ) {
        self.add(Kind::Figure(Box::new(Figure {
            caption: caption.into(),
            description,
            scene,
            mermaid,
        })));
    }

    pub(crate) fn page(&mut self) {
        self.add(Kind::PageBreak);
    }
}

/// A cell of plain text.
pub(crate) fn plain(text: impl Into<String>) -> Cell {
    let text = text.into();
    if text.is_empty() { Vec::new() } else { vec![Inline::plain(text)] }
}

/// A cell of text that may be missing.
pub(crate) fn maybe(text: Option<impl ToString>) -> Cell {
    text.map_or_else(Vec::new, |text| plain(text.to_string()))
}
