//! Word documents, read as they are on the screen: deleted text is left out, hidden
//! text is set aside, inserted text is in, text boxes are paragraphs of their own.
//!
//! Read with a pull parser and stacks of our own: the nesting of a hostile file
//! costs memory in proportion to its size, never the program's stack.

use std::collections::HashMap;

use quick_xml::events::BytesStart;

use super::package::{Package, Tag, attribute, walk};
use super::{DEEPEST, MOST_BLOCKS, Unreadable, comments};
use crate::tree::{
    Block, Cell, Document, Hidden, Inline, Item, Kind, Place, Row, Style, Table, Tone, text_of,
};

pub(super) fn read(bytes: &[u8]) -> Result<Document, Unreadable> {
    let mut package = Package::open(bytes)?;
    let styles = styles(&package.part("word/styles.xml")?.unwrap_or_default())?;
    let numbering = numbering(&package.part("word/numbering.xml")?.unwrap_or_default())?;
    let body = package.part("word/document.xml")?.unwrap_or_default();
    let mut reader = Reader {
        styles,
        numbering,
        paragraphs: Vec::new(),
        tables: Vec::new(),
        parts: Vec::new(),
        hidden: 0,
        reads_text: false,
        bold: false,
        mono: false,
        vanish: false,
        struck: false,
        count: 0,
        aside: Vec::new(),
    };
    walk(&body, |tag| reader.visit(&tag))?;
    let title = reader.parts.iter().position(|part| matches!(part, Part::Title(..)));
    let title = title.map(|index| match reader.parts.remove(index) {
        Part::Title(_, text) => text,
        _ => String::new(),
    });
    let mut blocks = fold(reader.parts);
    blocks.extend(comments::read(&mut package)?);
    Ok(Document { title, facts: Vec::new(), blocks, hidden: reader.aside })
}

/// What a paragraph style means.
#[derive(Default, Clone)]
struct Look {
    name: String,
    level: Option<u8>,
    based_on: Option<String>,
    code: bool,
    number: Option<String>,
    /// Whether text in it is hidden, if it says so.
    vanish: Option<bool>,
}

fn styles(xml: &str) -> Result<HashMap<String, Look>, Unreadable> {
    let mut found: HashMap<String, Look> = HashMap::new();
    let mut current: Option<(String, Look)> = None;
    walk(xml, |tag| {
        match tag {
            Tag::Open(start) => match (start.local_name().as_ref(), &mut current) {
                ("style", _) => {
                    current = attribute(start, "styleId").map(|id| (id, Look::default()));
                }
                ("name", Some((_, look))) => {
                    look.name = attribute(start, "val").unwrap_or_default().to_lowercase();
                    let number = look.name.strip_prefix("heading ").and_then(|n| n.parse().ok());
                    look.level = number.or(look.level);
                    look.code |= is_code_style(&look.name);
                }
                ("basedOn", Some((_, look))) => look.based_on = attribute(start, "val"),
                ("outlineLvl", Some((_, look))) => {
                    let level: Option<u8> = attribute(start, "val").and_then(|v| v.parse().ok());
                    look.level = look.level.or(level.filter(|l| *l < 9).map(|l| l + 1));
                }
                ("numId", Some((_, look))) => look.number = attribute(start, "val"),
                ("rFonts", Some((_, look))) => look.code |= is_mono(start),
                ("vanish", Some((_, look))) => look.vanish = Some(is_on(start)),
                _ => {}
            },
            Tag::Close("style") => {
                if let Some((id, look)) = current.take() {
                    found.insert(id, look);
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    // A style inherits what it does not say.
    let known = found.clone();
    for look in found.values_mut() {
        let mut above = look.based_on.clone();
        for _ in 0..12 {
            let Some(parent) = above.and_then(|id| known.get(&id)) else { break };
            look.level = look.level.or(parent.level);
            look.number = look.number.take().or_else(|| parent.number.clone());
            look.code |= parent.code;
            look.vanish = look.vanish.or(parent.vanish);
            above = parent.based_on.clone();
        }
    }
    Ok(found)
}

/// Whether a switch is on: it is where it does not say otherwise.
fn is_on(start: &BytesStart<'_>) -> bool {
    !matches!(attribute(start, "val").as_deref(), Some("0" | "false" | "none" | "off"))
}

fn is_code_style(name: &str) -> bool {
    ["code", "preformatted", "macro text", "console", "terminal", "verbatim"]
        .iter()
        .any(|word| name.contains(word))
}

fn is_mono(fonts: &BytesStart<'_>) -> bool {
    let font = attribute(fonts, "ascii").or_else(|| attribute(fonts, "hAnsi")).unwrap_or_default();
    let font = font.to_lowercase();
    ["courier", "consolas", "mono", "menlo", "monaco", "lucida console"]
        .iter()
        .any(|f| font.contains(f))
}

/// For each list and level, whether it is numbered.
fn numbering(xml: &str) -> Result<HashMap<(String, u8), bool>, Unreadable> {
    let mut shapes: HashMap<(String, u8), bool> = HashMap::new();
    let mut lists: Vec<(String, String)> = Vec::new();
    let (mut shape, mut level, mut list) = (None, 0_u8, None);
    walk(xml, |tag| {
        if let Tag::Open(start) = tag {
            match start.local_name().as_ref() {
                "abstractNum" => shape = attribute(start, "abstractNumId"),
                "lvl" => level = attribute(start, "ilvl").and_then(|l| l.parse().ok()).unwrap_or(0),
                "numFmt" => {
                    if let Some(shape) = &shape {
                        let bullet =
                            matches!(attribute(start, "val").as_deref(), Some("bullet" | "none"));
                        shapes.insert((shape.clone(), level), !bullet);
                    }
                }
                "num" => list = attribute(start, "numId"),
                "abstractNumId" => {
                    if let (Some(list), Some(shape)) = (list.take(), attribute(start, "val")) {
                        lists.push((list, shape));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    })?;
    let mut found = HashMap::new();
    for (list, shape) in lists {
        for level in 0..9 {
            if let Some(ordered) = shapes.get(&(shape.clone(), level)) {
                found.insert((list.clone(), level), *ordered);
            }
        }
    }
    Ok(found)
}

#[derive(Default)]
struct Paragraph {
    text: Vec<Inline>,
    style: Option<String>,
    list: Option<String>,
    level: u8,
    outline: Option<u8>,
    /// Its hidden text.
    unseen: String,
}

#[derive(Default)]
struct OpenTable {
    /// Whether the row that is being read is hidden.
    unseen: bool,
    table: Table,
    row: Vec<Cell>,
    cell: Vec<Inline>,
    span: usize,
    goes_on: bool,
    head: bool,
    start: usize,
}

/// A part of the body, before neighbours are joined.
enum Part {
    Title(Place, String),
    Heading(Place, u8, Vec<Inline>),
    Text(Place, Vec<Inline>),
    Notice(Place, Tone, Vec<Inline>),
    Code(Place, String),
    Item { place: Place, ordered: bool, level: u8, ticked: Option<bool>, text: Vec<Inline> },
    Table(Place, Table),
}

struct Reader {
    styles: HashMap<String, Look>,
    numbering: HashMap<(String, u8), bool>,
    paragraphs: Vec<Paragraph>,
    tables: Vec<OpenTable>,
    parts: Vec<Part>,
    /// Inside how many elements that are not shown.
    hidden: usize,
    reads_text: bool,
    bold: bool,
    mono: bool,
    vanish: bool,
    struck: bool,
    count: usize,
    aside: Vec<Hidden>,
}

const NOT_SHOWN: [&str; 6] = ["Fallback", "del", "moveFrom", "instrText", "delText", "pict"];

impl Reader {
    fn visit(&mut self, tag: &Tag<'_, '_>) -> Result<(), Unreadable> {
        match tag {
            Tag::Open(start) => {
                let name = start.local_name();
                let name = name.as_ref();
                if self.hidden > 0 || NOT_SHOWN.contains(&name) {
                    self.hidden += 1;
                    return Ok(());
                }
                self.open(name, start)
            }
            Tag::Close(name) => {
                if self.hidden > 0 {
                    self.hidden -= 1;
                    return Ok(());
                }
                self.close(name);
                Ok(())
            }
            Tag::Text(text) => {
                if self.hidden == 0 && self.reads_text {
                    self.say(text);
                }
                Ok(())
            }
        }
    }

    fn say(&mut self, text: &str) {
        let style = match (self.mono, self.bold) {
            (true, _) => Style::Code,
            (_, true) => Style::Strong,
            _ => Style::Plain,
        };
        if let Some(paragraph) = self.paragraphs.last_mut() {
            if self.vanish {
                paragraph.unseen.push_str(text);
                return;
            }
            // What somebody struck out must not read like what stands.
            let struck = format!("~~{text}~~");
            let text = if self.struck && !text.trim().is_empty() {
                if let Some(last) = paragraph.text.last_mut().filter(|last| last.style == style)
                    && let Some(before) =
                        last.text.strip_suffix("~~").filter(|text| !text.is_empty())
                {
                    last.text = before.to_owned();
                    &struck[2..]
                } else {
                    &struck
                }
            } else {
                text
            };
            match paragraph.text.last_mut() {
                Some(last) if last.style == style => last.text.push_str(text),
                _ => paragraph.text.push(Inline { text: text.to_owned(), style }),
            }
        }
    }

    fn open(&mut self, name: &str, start: &BytesStart<'_>) -> Result<(), Unreadable> {
        let value = || attribute(start, "val");
        let yes = || is_on(start);
        match name {
            "p" => self.paragraphs.push(Paragraph::default()),
            "r" => {
                (self.bold, self.mono, self.struck) = (false, false, false);
                self.vanish =
                    self.paragraphs.last().is_some_and(|p| self.hides(p.style.as_deref()));
            }
            "rStyle" => self.vanish |= self.hides(value().as_deref()),
            "hidden" => self.table(|t| t.unseen = true),
            "t" => self.reads_text = true,
            "tab" if !self.paragraphs.is_empty() && self.in_run(start) => self.say("\t"),
            "br" | "cr" => self.say("\n"),
            "noBreakHyphen" => self.say("-"),
            "b" => self.bold = yes(),
            "vanish" => self.vanish = yes(),
            "strike" | "dstrike" => self.struck = yes(),
            "rFonts" => self.mono = is_mono(start),
            "pStyle" => self.with(|p| p.style = value()),
            "numId" => self.with(|p| p.list = value()),
            "ilvl" => self.with(|p| p.level = value().and_then(|l| l.parse().ok()).unwrap_or(0)),
            "outlineLvl" => self.with(|p| p.outline = value().and_then(|l| l.parse().ok())),
            "tbl" => {
                if self.tables.len() >= DEEPEST {
                    return Err(Unreadable::new("tables are nested too deep in this document"));
                }
                self.tables.push(OpenTable { start: self.count + 1, ..OpenTable::default() });
            }
            "tr" => self.table(|t| t.row.clear()),
            "tc" => self.table(|t| {
                t.cell.clear();
                (t.span, t.goes_on) = (1, false);
            }),
            "gridSpan" => {
                let span = value().and_then(|span| span.parse().ok()).unwrap_or(1);
                self.table(|t| t.span = usize::clamp(span, 1, 64));
            }
            "vMerge" => {
                let goes_on = value().as_deref() != Some("restart");
                self.table(|t| t.goes_on = goes_on);
            }
            "tblHeader" => {
                let head = yes();
                self.table(|t| t.head = head && t.table.head.is_empty());
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether text in a style is hidden.
    fn hides(&self, style: Option<&str>) -> bool {
        style.and_then(|id| self.styles.get(id)).is_some_and(|look| look.vanish == Some(true))
    }

    fn set_aside(&mut self, what: &str, text: String) {
        if !text.trim().is_empty() && self.aside.len() < MOST_BLOCKS {
            self.aside.push(Hidden { place: self.place(), what: what.to_owned(), text });
        }
    }

    /// A `tab` is a character in a run and a tab stop in properties, where it has a position.
    fn in_run(&self, start: &BytesStart<'_>) -> bool {
        attribute(start, "pos").is_none()
    }

    fn with(&mut self, change: impl FnOnce(&mut Paragraph)) {
        if let Some(paragraph) = self.paragraphs.last_mut() {
            change(paragraph);
        }
    }

    fn table(&mut self, change: impl FnOnce(&mut OpenTable)) {
        if let Some(table) = self.tables.last_mut() {
            change(table);
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "t" => self.reads_text = false,
            "p" => self.end_paragraph(),
            "tc" => self.table(|t| {
                let column = t.row.len();
                let mut cell = std::mem::take(&mut t.cell);
                if t.goes_on
                    && cell.is_empty()
                    && let Some(above) = t.table.rows.last().and_then(|row| row.cells.get(column))
                {
                    cell = above.clone();
                }
                t.row.push(cell);
                (1..t.span).for_each(|_| t.row.push(Vec::new()));
            }),
            "tr" => {
                let place = self.place();
                let unseen = self.tables.last_mut().and_then(|t| {
                    std::mem::take(&mut t.unseen).then(|| std::mem::take(&mut t.row))
                });
                if let Some(cells) = unseen {
                    let cells: Vec<String> = cells.iter().map(|cell| text_of(cell)).collect();
                    self.set_aside("hidden row", cells.join(" | "));
                    return;
                }
                self.table(|t| {
                    let cells = std::mem::take(&mut t.row);
                    if std::mem::take(&mut t.head) {
                        t.table.head = cells;
                    } else {
                        t.table.rows.push(Row { place, cells });
                    }
                });
            }
            "tbl" => self.end_table(),
            _ => {}
        }
    }

    fn place(&self) -> Place {
        Place { unit: "paragraph".into(), number: self.count.max(1) }
    }

    fn end_table(&mut self) {
        let Some(mut done) = self.tables.pop() else { return };
        if let Some(outer) = self.tables.last_mut() {
            // A table in a cell becomes lines of that cell.
            for row in done.table.rows {
                let cells: Vec<String> = row.cells.iter().map(|cell| text_of(cell)).collect();
                outer.cell.push(Inline::plain(format!("\n{}", cells.join(" | "))));
            }
            return;
        }
        if done.table.head.is_empty() && done.table.rows.len() > 1 {
            done.table.head = done.table.rows.remove(0).cells;
        }
        let place = Place { unit: "paragraph".into(), number: done.start };
        self.parts.push(Part::Table(place, done.table));
    }

    fn end_paragraph(&mut self) {
        let Some(mut paragraph) = self.paragraphs.pop() else { return };
        self.count += 1;
        self.set_aside("hidden text", std::mem::take(&mut paragraph.unseen));
        if let Some(table) = self.tables.last_mut() {
            if !table.cell.is_empty() && !paragraph.text.is_empty() {
                table.cell.push(Inline::plain("\n"));
            }
            table.cell.extend(paragraph.text);
            return;
        }
        let place = self.place();
        if self.parts.len() >= MOST_BLOCKS {
            return;
        }
        let look = paragraph
            .style
            .as_ref()
            .and_then(|id| self.styles.get(id))
            .cloned()
            .unwrap_or_default();
        let said = text_of(&paragraph.text);
        let line = said.trim();
        if look.code || (!line.is_empty() && paragraph.text.iter().all(|i| i.style == Style::Code))
        {
            self.parts.push(Part::Code(place, said));
            return;
        }
        if line.is_empty() {
            return;
        }
        if look.name == "title" {
            self.parts.push(Part::Title(place, line.to_owned()));
            return;
        }
        if look.name.starts_with("toc ") {
            return;
        }
        // `Notice` and `Warning` are our own documents' styles.
        if matches!(look.name.as_str(), "notice" | "warning" | "quote" | "intense quote") {
            let tone = if look.name == "warning" { Tone::Warning } else { Tone::Note };
            self.parts.push(Part::Notice(place, tone, paragraph.text));
            return;
        }
        let outline = paragraph.outline.filter(|level| *level < 9).map(|level| level + 1);
        if let Some(level) = outline.or(look.level) {
            self.parts.push(Part::Heading(place, level.clamp(1, 6), paragraph.text));
            return;
        }
        let list = paragraph.list.or(look.number).filter(|list| list != "0");
        let (ticked, text) = ticked(paragraph.text);
        if let Some(list) = list {
            let ordered = self.numbering.get(&(list, paragraph.level)).copied().unwrap_or(false);
            let level = paragraph.level.min(8);
            self.parts.push(Part::Item { place, ordered, level, ticked, text });
        } else if ticked.is_some() {
            self.parts.push(Part::Item { place, ordered: false, level: 0, ticked, text });
        } else if text.iter().all(|inline| inline.style == Style::Strong)
            && line.chars().count() <= 80
            && !line.ends_with(['.', ',', ';'])
            && !line.contains('\n')
        {
            // A bold line of its own is what many people write for a heading.
            self.parts.push(Part::Heading(place, 6, text));
        } else {
            self.parts.push(Part::Text(place, text));
        }
    }
}

/// A box at the start of a text, as the symbol people use for one.
fn ticked(mut text: Vec<Inline>) -> (Option<bool>, Vec<Inline>) {
    let Some(first) = text.first_mut() else { return (None, text) };
    let start = first.text.trim_start();
    let found = [
        ('☐', false),
        ('□', false),
        ('☑', true),
        ('☒', true),
        ('✓', true),
        ('✔', true),
        ('✅', true),
    ]
    .into_iter()
    .find(|(sign, _)| start.starts_with(*sign));
    let Some((sign, on)) = found else { return (None, text) };
    first.text = start[sign.len_utf8()..].trim_start().to_owned();
    (Some(on), text)
}

/// Joins neighbouring list items into lists and neighbouring lines of code into blocks.
fn fold(parts: Vec<Part>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut last_was_code = false;
    for part in parts {
        let is_code = matches!(part, Part::Code(..));
        let block = match part {
            Part::Title(place, text) => {
                Block { place, kind: Kind::Heading(1, vec![Inline::plain(text)]) }
            }
            Part::Heading(place, level, text) => Block { place, kind: Kind::Heading(level, text) },
            Part::Text(place, text) => Block { place, kind: Kind::Paragraph(text) },
            Part::Notice(place, tone, text) => {
                let inside = Block { place: place.clone(), kind: Kind::Paragraph(text) };
                Block { place, kind: Kind::Notice(tone, vec![inside]) }
            }
            Part::Table(place, table) => Block { place, kind: Kind::Table(table) },
            Part::Code(place, line) => {
                if let (true, Some(Kind::Code(_, code))) =
                    (last_was_code, blocks.last_mut().map(|b| &mut b.kind))
                {
                    code.push('\n');
                    code.push_str(&line);
                    continue;
                }
                Block { place, kind: Kind::Code(None, line) }
            }
            Part::Item { place, ordered, level, ticked, text } => {
                let paragraph = Block { place: place.clone(), kind: Kind::Paragraph(text) };
                let item = Item { place: place.clone(), ticked, blocks: vec![paragraph] };
                nest(&mut blocks, ordered, level, item);
                last_was_code = false;
                continue;
            }
        };
        last_was_code = is_code;
        blocks.push(block);
    }
    blocks
}

/// Puts an item at its level: into the list that is open there, or a new one.
fn nest(blocks: &mut Vec<Block>, ordered: bool, level: u8, item: Item) {
    if level > 0
        && let Some(Kind::List(_, items)) = blocks.last_mut().map(|block| &mut block.kind)
        && let Some(last) = items.last_mut()
    {
        return nest(&mut last.blocks, ordered, level - 1, item);
    }
    if let Some(Kind::List(same, items)) = blocks.last_mut().map(|block| &mut block.kind)
        && *same == ordered
    {
        items.push(item);
        return;
    }
    blocks.push(Block { place: item.place.clone(), kind: Kind::List(ordered, vec![item]) });
}
