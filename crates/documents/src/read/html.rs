//! Web pages, and the pieces of HTML that stand in other documents.

use std::collections::HashMap;

use scraper::node::Element;
use scraper::{ElementRef, Html, Node};

use super::html_hidden::{Unseen, unseen};
use super::{DEEPEST, MOST_BLOCKS, Unreadable};
use crate::tree::{
    Block, Cell, Document, Hidden, Inline, Item, Kind, Place, Row, Style, Table, Tone, text_of,
};

/// Elements deeper in each other than this are nobody's page, and take the parser
/// time that grows with the square of their depth.
const DEEPEST_PAGE: usize = 1000;

/// Refuses what is nested beyond all measure, before it is parsed.
pub(super) fn guard(text: &str) -> Result<(), Unreadable> {
    // Their ends may be left out, so they say nothing about depth.
    const OPEN_ENDED: [&str; 16] = [
        "p", "li", "td", "th", "tr", "dt", "dd", "option", "tbody", "thead", "br", "hr", "img",
        "input", "meta", "link",
    ];
    let mut depth: HashMap<String, usize> = HashMap::new();
    for piece in text.split('<').skip(1) {
        let (closes, rest) = match piece.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, piece),
        };
        let name: String = rest.chars().take(12).take_while(char::is_ascii_alphanumeric).collect();
        let name = name.to_lowercase();
        if name.is_empty() || OPEN_ENDED.contains(&name.as_str()) {
            continue;
        }
        let open = depth.entry(name).or_default();
        *open = if closes { open.saturating_sub(1) } else { *open + 1 };
        if *open > DEEPEST_PAGE {
            return Err(Unreadable::new("elements are nested too deep in this page").hint(
                "is it a page for people? Save the part about the backout as a file of its own",
            ));
        }
    }
    Ok(())
}

/// Reads a web page.
pub(super) fn read(text: &str) -> Document {
    let page = Html::parse_document(text);
    let unseen = unseen(&page);
    let place = Place { unit: "part".into(), number: 0 };
    let mut reader =
        Reader { place, count: true, blocks: Vec::new(), unseen: &unseen, aside: Vec::new() };
    let title = page
        .tree
        .nodes()
        .filter_map(ElementRef::wrap)
        .find(|element| element.value().name() == "title")
        .map(|title| title.text().collect());
    reader.children(page.root_element(), 0);
    Document { title, blocks: reader.blocks, hidden: reader.aside, ..Document::default() }
}

/// Reads a piece of HTML that begins at a place of another document; what is hidden
/// in it is set aside.
pub(super) fn part(text: &str, place: &Place, aside: &mut Vec<Hidden>) -> Vec<Block> {
    if guard(text).is_err() {
        let text = vec![Inline::plain(one_line(text))];
        return vec![Block { place: place.clone(), kind: Kind::Paragraph(text) }];
    }
    let page = Html::parse_fragment(text);
    let unseen = unseen(&page);
    let place = place.clone();
    let mut reader =
        Reader { place, count: false, blocks: Vec::new(), unseen: &unseen, aside: Vec::new() };
    reader.children(page.root_element(), 0);
    aside.append(&mut reader.aside);
    reader.blocks
}

struct Reader<'a> {
    place: Place,
    /// Whether each part has a number of its own.
    count: bool,
    blocks: Vec<Block>,
    /// The elements that a browser does not show.
    unseen: &'a Unseen,
    aside: Vec<Hidden>,
}

impl Reader<'_> {
    fn add(&mut self, kind: Kind) {
        if self.count {
            self.place.number += 1;
        }
        if self.blocks.len() < MOST_BLOCKS {
            self.blocks.push(Block { place: self.place.clone(), kind });
        }
    }

    fn inside(&self) -> Self {
        Self {
            place: self.place.clone(),
            count: self.count,
            blocks: Vec::new(),
            unseen: self.unseen,
            aside: Vec::new(),
        }
    }

    /// Sets an element aside, if it is hidden, or what is hidden in it.
    fn set_aside(&mut self, element: ElementRef<'_>) {
        let place = self.place.at(self.place.number.max(1));
        for text in self.unseen.texts(element) {
            if self.aside.len() < MOST_BLOCKS {
                self.aside.push(Hidden { place: place.clone(), what: "hidden".to_owned(), text });
            }
        }
    }

    /// The parts below an element. Text between them is a paragraph.
    fn children(&mut self, parent: ElementRef<'_>, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        let mut loose: Vec<Inline> = Vec::new();
        for node in parent.children() {
            match node.value() {
                Node::Text(text) => loose.push(Inline::plain(one_line(text))),
                Node::Element(element) if is_block(element) => {
                    self.flush(&mut loose);
                    if let Some(element) = ElementRef::wrap(node) {
                        self.element(element, depth);
                    }
                }
                Node::Element(_) => {
                    if let Some(element) = ElementRef::wrap(node) {
                        self.set_aside(element);
                        inlines(element, &Style::Plain, &mut loose, (depth, self.unseen));
                    }
                }
                _ => {}
            }
        }
        self.flush(&mut loose);
    }

    fn flush(&mut self, loose: &mut Vec<Inline>) {
        let text = std::mem::take(loose);
        if !text_of(&text).trim().is_empty() {
            self.add(Kind::Paragraph(text));
        }
    }

    fn element(&mut self, element: ElementRef<'_>, depth: usize) {
        let name = element.value().name();
        if self.unseen.has(element) {
            self.set_aside(element);
            return;
        }
        let unseen = self.unseen;
        let text = |element: ElementRef<'_>| {
            let mut out = Vec::new();
            inlines(element, &Style::Plain, &mut out, (depth, unseen));
            out
        };
        // What is read as one text has nothing below that would set itself aside.
        let whole = matches!(
            name,
            "h1" | "h2"
                | "h3"
                | "h4"
                | "h5"
                | "h6"
                | "p"
                | "dt"
                | "dd"
                | "summary"
                | "caption"
                | "figcaption"
                | "address"
                | "table"
        );
        if whole {
            self.set_aside(element);
        }
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                let level = name.as_bytes()[1] - b'0';
                self.add(Kind::Heading(level, text(element)));
            }
            // A figure's description is not part of what the document says twice.
            "script" | "style" | "head" | "template" | "noscript" | "svg" | "nav" | "title" => {}
            "p" | "dt" | "dd" | "summary" | "caption" | "figcaption" | "address" => {
                self.add(Kind::Paragraph(text(element)));
            }
            "pre" => {
                let language = language(element);
                self.add(Kind::Code(language, raw(element)));
            }
            "ul" | "ol" | "menu" => {
                let ordered = name == "ol";
                if self.count {
                    self.place.number += 1;
                }
                let place = self.place.clone();
                let mut items = Vec::new();
                for item in element.child_elements().filter(|item| item.value().name() == "li") {
                    if self.unseen.has(item) {
                        self.set_aside(item);
                        continue;
                    }
                    items.push(self.item(item, depth));
                }
                self.blocks.push(Block { place, kind: Kind::List(ordered, items) });
            }
            "blockquote" | "aside" => {
                let mut inside = self.inside();
                inside.children(element, depth + 1);
                self.aside.append(&mut inside.aside);
                self.place = inside.place.clone();
                let place = self.place.clone();
                let tone = if name == "aside" { Tone::Warning } else { Tone::Note };
                self.blocks.push(Block { place, kind: Kind::Notice(tone, inside.blocks) });
            }
            "table" => self.table(element, depth),
            _ => self.children(element, depth + 1),
        }
    }

    fn item(&mut self, item: ElementRef<'_>, depth: usize) -> Item {
        let mut inside = self.inside();
        inside.children(item, depth + 1);
        self.aside.append(&mut inside.aside);
        self.place = inside.place.clone();
        let boxed = item.descendent_elements().take(8).find(|inner| {
            inner.value().name() == "input" && inner.value().attr("type") == Some("checkbox")
        });
        let ticked = boxed.map(|input| input.value().attr("checked").is_some());
        let place = inside.blocks.first().map_or(self.place.clone(), |block| block.place.clone());
        Item { place, ticked, blocks: inside.blocks }
    }

    fn table(&mut self, element: ElementRef<'_>, depth: usize) {
        let mut table = Table::default();
        // Whether each row has its name in front, and the table no head.
        let mut named_rows = false;
        let start = self.place.plus(usize::from(self.count));
        let mut place = start.clone();
        for row in element.descendent_elements().filter(|row| row.value().name() == "tr") {
            // A table inside a cell is text of that cell.
            let mut above = row.ancestors().filter_map(ElementRef::wrap);
            if above.find(|up| up.value().name() == "table") != Some(element) {
                continue;
            }
            let within = row.ancestors().filter_map(ElementRef::wrap);
            if self.unseen.has(row)
                || within.take_while(|up| *up != element).any(|up| self.unseen.has(up))
            {
                continue;
            }
            let mut cells: Vec<Cell> = Vec::new();
            let mut all_heads = true;
            let mut first_only = false;
            let mut heads: Vec<bool> = Vec::new();
            for cell in row.child_elements() {
                let name = cell.value().name();
                if name != "td" && name != "th" || self.unseen.has(cell) {
                    continue;
                }
                first_only =
                    if cells.is_empty() { name == "th" } else { first_only && name == "td" };
                all_heads &= name == "th";
                heads.push(name == "th");
                let mut text = Vec::new();
                cell_text(cell, &mut text, (depth, self.unseen));
                let span =
                    cell.value().attr("colspan").and_then(|span| span.parse().ok()).unwrap_or(1);
                cells.push(text);
                (1..usize::min(span, 64)).for_each(|_| cells.push(Vec::new()));
            }
            if cells.is_empty() {
                continue;
            }
            // Two names with their values beside each other are two rows.
            if heads == [true, false, true, false] && cells.len() == 4 {
                let second = cells.split_off(2);
                named_rows = true;
                for cells in [cells, second] {
                    place.number += usize::from(self.count);
                    table.rows.push(Row { place: place.clone(), cells });
                }
                continue;
            }
            named_rows |= first_only && cells.len() == 2;
            if all_heads && table.head.is_empty() && table.rows.is_empty() && cells.len() > 1 {
                table.head = cells;
            } else {
                if self.count {
                    place.number += 1;
                }
                table.rows.push(Row { place: place.clone(), cells });
            }
        }
        if table.head.is_empty() && table.rows.len() > 1 && !named_rows {
            table.head = table.rows.remove(0).cells;
        }
        self.place = place;
        self.blocks.push(Block { place: start, kind: Kind::Table(table) });
    }
}

fn is_block(element: &Element) -> bool {
    !matches!(
        element.name(),
        "a" | "abbr"
            | "b"
            | "bdi"
            | "br"
            | "cite"
            | "code"
            | "del"
            | "dfn"
            | "em"
            | "font"
            | "i"
            | "img"
            | "input"
            | "ins"
            | "kbd"
            | "label"
            | "mark"
            | "q"
            | "s"
            | "samp"
            | "small"
            | "span"
            | "strike"
            | "strong"
            | "sub"
            | "sup"
            | "time"
            | "tt"
            | "u"
            | "var"
            | "wbr"
    )
}

fn inlines(
    element: ElementRef<'_>,
    style: &Style,
    out: &mut Vec<Inline>,
    (depth, unseen): (usize, &Unseen),
) {
    let value = element.value();
    if unseen.has(element) {
        return;
    }
    let style = match value.name() {
        "br" => {
            out.push(Inline { text: "\n".to_owned(), style: style.clone() });
            return;
        }
        "script" | "style" | "svg" | "button" => return,
        "b" | "strong" | "th" => Style::Strong,
        "code" | "kbd" | "samp" | "tt" => Style::Code,
        "a" => value.attr("href").map_or(style.clone(), |href| Style::Link(href.to_owned())),
        _ => style.clone(),
    };
    if depth > DEEPEST {
        return;
    }
    // What somebody struck out must not read like what stands.
    let struck = matches!(value.name(), "del" | "s" | "strike");
    let mark = || Inline { text: "~~".to_owned(), style: style.clone() };
    out.extend(struck.then(mark));
    for node in element.children() {
        match node.value() {
            Node::Text(text) if style == Style::Code => {
                out.push(Inline { text: text.to_string(), style: style.clone() });
            }
            Node::Text(text) => out.push(Inline { text: one_line(text), style: style.clone() }),
            Node::Element(_) => {
                if let Some(element) = ElementRef::wrap(node) {
                    inlines(element, &style, out, (depth + 1, unseen));
                }
            }
            _ => {}
        }
    }
    out.extend(struck.then(mark));
}

/// A cell's text; each part in it on a line of its own.
fn cell_text(cell: ElementRef<'_>, out: &mut Vec<Inline>, (depth, unseen): (usize, &Unseen)) {
    if depth > DEEPEST || unseen.has(cell) {
        return;
    }
    for node in cell.children() {
        match node.value() {
            Node::Text(text) => out.push(Inline::plain(one_line(text))),
            Node::Element(element) if is_block(element) => {
                let Some(inner) = ElementRef::wrap(node) else { continue };
                if matches!(element.name(), "script" | "style" | "svg") || unseen.has(inner) {
                    continue;
                }
                if !text_of(out).trim().is_empty() {
                    out.push(Inline::plain("\n"));
                }
                if element.name() == "pre" {
                    out.push(Inline::code(raw(inner)));
                } else {
                    cell_text(inner, out, (depth + 1, unseen));
                }
            }
            Node::Element(_) => {
                if let Some(element) = ElementRef::wrap(node) {
                    inlines(element, &Style::Plain, out, (depth + 1, unseen));
                }
            }
            _ => {}
        }
    }
}

/// Text as it is, line breaks included. A first line break in `pre` does not count.
fn raw(element: ElementRef<'_>) -> String {
    let mut out = String::new();
    for node in element.descendants() {
        match node.value() {
            Node::Text(text) => out.push_str(text),
            Node::Element(element) if element.name() == "br" => out.push('\n'),
            _ => {}
        }
    }
    out
}

fn language(element: ElementRef<'_>) -> Option<String> {
    let code = element.child_elements().find(|inner| inner.value().name() == "code");
    let classes = code.unwrap_or(element).value().attr("class")?;
    classes.split_whitespace().find_map(|class| class.strip_prefix("language-")).map(str::to_owned)
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r', '\t'], " ")
}
