//! Markdown: GitHub's kind, with front matter and what kramdown adds.

use std::cell::RefCell;

use comrak::nodes::{AstNode, ListType, NodeValue};
use comrak::{Arena, Options, parse_document};

use super::{DEEPEST, html};
use crate::tree::{
    Block, Cell, Document, Fact, Hidden, Inline, Item, Kind, Place, Row, Style, Table, Tone,
    text_of_blocks,
};

fn options() -> Options<'static> {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.tasklist = true;
    options.extension.strikethrough = true;
    options.extension.autolink = true;
    options.extension.footnotes = true;
    options.extension.alerts = true;
    options.extension.front_matter_delimiter = Some("---".to_owned());
    options.parse.relaxed_tasklist_matching = true;
    options
}

/// Reads Markdown whose first line is line `before + 1` of the original.
pub(super) fn read(text: &str, before: usize) -> Document {
    let text = without_attributes(text);
    let arena = Arena::new();
    let root = parse_document(&arena, &text, &options());
    let mut document = Document::default();
    let reader = Reader { start: Place::line(before), aside: RefCell::default() };
    for node in root.children() {
        if let NodeValue::FrontMatter(matter) = &node.data.borrow().value {
            reader.front_matter(matter, &mut document);
        }
    }
    document.blocks = reader.blocks(root, 0);
    document.hidden = reader.aside.into_inner();
    document
}

/// Reads Markdown that is part of something else, such as the field of a ticket.
/// What is hidden in it is set aside.
pub(super) fn read_part(text: &str, unit: &str, aside: &mut Vec<Hidden>) -> Vec<Block> {
    let text = without_attributes(text);
    let arena = Arena::new();
    let mut options = options();
    options.extension.front_matter_delimiter = None;
    let root = parse_document(&arena, &text, &options);
    let start = Place { unit: unit.into(), number: 0 };
    let reader = Reader { start, aside: RefCell::default() };
    let blocks = reader.blocks(root, 0);
    aside.append(&mut reader.aside.into_inner());
    blocks
}

/// kramdown's `{:class="…"}` lines belong to no text, and a diagram between
/// `<div class="mermaid">` and `</div>` is code. No line changes its number.
fn without_attributes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut fence: Option<&str> = None;
    let mut diagram = false;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        let mark = ["```", "~~~"].into_iter().find(|mark| bare.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            _ => {}
        }
        let attribute = fence.is_none()
            && (bare.starts_with("{:") || bare.starts_with("{::"))
            && bare.ends_with('}');
        if fence.is_none()
            && bare.starts_with("<div")
            && bare.contains("mermaid")
            && bare.ends_with("\">")
        {
            diagram = true;
            out.push_str("```mermaid\n");
        } else if diagram && bare == "</div>" {
            diagram = false;
            out.push_str("```\n");
        } else if attribute {
            out.push('\n');
        } else {
            out.push_str(line);
        }
    }
    out
}

struct Reader {
    start: Place,
    aside: RefCell<Vec<Hidden>>,
}

/// Whether a piece of HTML opens a hidden element that it does not close, and which:
/// the Markdown behind it is inside of that element.
fn opens_hidden(html: &str) -> Option<String> {
    let tag = html.trim().strip_prefix('<')?;
    let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).collect();
    let name = name.to_lowercase();
    let inside = tag.split('>').next()?.to_lowercase();
    let bare: String = inside.chars().filter(|c| !c.is_whitespace()).collect();
    let words = || inside.split(|c: char| c.is_whitespace() || c == '=' || c == '/');
    let hidden = bare.contains("display:none")
        || bare.contains("visibility:hidden")
        || words().skip(1).any(|word| word == "hidden");
    let closed = html.to_lowercase().contains(&format!("</{name}"));
    (hidden && !closed && !name.is_empty()).then_some(name)
}

impl Reader {
    fn place(&self, node: &AstNode<'_>) -> Place {
        self.start.plus(node.data.borrow().sourcepos.start.line.max(1))
    }

    /// Front matter is YAML; its plain `name: value` lines are facts.
    fn front_matter(&self, matter: &str, document: &mut Document) {
        for (index, line) in matter.lines().enumerate() {
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim().trim_matches(['"', '\'']);
            let plain =
                !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
            if plain && !value.is_empty() {
                document.facts.push(Fact {
                    place: self.start.plus(index + 1),
                    name: name.to_owned(),
                    value: value.to_owned(),
                });
            }
        }
    }

    fn blocks<'a>(&self, parent: &'a AstNode<'a>, depth: usize) -> Vec<Block> {
        let mut blocks = Vec::new();
        if depth > DEEPEST {
            return blocks;
        }
        let mut inside: Option<(String, usize)> = None;
        for node in parent.children() {
            let place = self.place(node);
            if let NodeValue::HtmlBlock(block) = &node.data.borrow().value {
                let closes = |(name, _): &mut (String, usize)| {
                    block.literal.to_lowercase().contains(&format!("</{name}"))
                };
                if let Some((_, from)) = inside.take_if(closes) {
                    self.set_aside(blocks.split_off(from));
                } else if inside.is_none()
                    && let Some(name) = opens_hidden(&block.literal)
                {
                    inside = Some((name, blocks.len()));
                }
            }
            let kind = match &node.data.borrow().value {
                NodeValue::Heading(heading) => Kind::Heading(heading.level, flowing(inlines(node))),
                NodeValue::Paragraph => Kind::Paragraph(flowing(inlines(node))),
                NodeValue::CodeBlock(code) => {
                    let language = code.info.split_whitespace().next().map(str::to_owned);
                    Kind::Code(language, code.literal.clone())
                }
                NodeValue::HtmlBlock(block) => {
                    let mut aside = self.aside.borrow_mut();
                    blocks.extend(html::part(&block.literal, &place, &mut aside));
                    continue;
                }
                NodeValue::List(list) => {
                    let ordered = list.list_type == ListType::Ordered;
                    let items = node.children().map(|item| self.item(item, depth)).collect();
                    Kind::List(ordered, items)
                }
                NodeValue::BlockQuote | NodeValue::MultilineBlockQuote(_) => {
                    Kind::Notice(Tone::Note, self.blocks(node, depth + 1))
                }
                NodeValue::Alert(_) => Kind::Notice(Tone::Warning, self.blocks(node, depth + 1)),
                NodeValue::Table(_) => Kind::Table(self.table(node)),
                NodeValue::FootnoteDefinition(_) | NodeValue::DescriptionList => {
                    blocks.extend(self.blocks(node, depth + 1));
                    continue;
                }
                _ => continue,
            };
            blocks.push(Block { place, kind });
        }
        if let Some((_, from)) = inside {
            self.set_aside(blocks.split_off(from));
        }
        blocks
    }

    fn set_aside(&self, blocks: Vec<Block>) {
        if let Some(first) = blocks.first() {
            let (place, text) = (first.place.clone(), text_of_blocks(&blocks));
            self.aside.borrow_mut().push(Hidden { place, what: "hidden".to_owned(), text });
        }
    }

    fn item<'a>(&self, node: &'a AstNode<'a>, depth: usize) -> Item {
        let ticked = match &node.data.borrow().value {
            NodeValue::TaskItem(task) => Some(task.symbol.is_some()),
            _ => None,
        };
        Item { place: self.place(node), ticked, blocks: self.blocks(node, depth + 1) }
    }

    fn table<'a>(&self, node: &'a AstNode<'a>) -> Table {
        let mut table = Table::default();
        for line in node.children() {
            let cells: Vec<Cell> = line.children().map(|cell| flowing(inlines(cell))).collect();
            if matches!(line.data.borrow().value, NodeValue::TableRow(true)) {
                table.head = cells;
            } else {
                table.rows.push(Row { place: self.place(line), cells });
            }
        }
        table
    }
}

fn inlines<'a>(parent: &'a AstNode<'a>) -> Vec<Inline> {
    let mut out = Vec::new();
    collect(parent, &Style::Plain, &mut out, 0);
    out
}

/// Where a line ends in the file and goes on in the paragraph.
const WRAP: &str = "\u{2029}";

/// A wrapped line flows on, unless every line is a `Name: value` of its own.
fn flowing(mut all: Vec<Inline>) -> Vec<Inline> {
    let text = crate::tree::text_of(&all);
    let named = |line: &str| line.find(": ").is_some_and(|at| at <= 48);
    let lines = text.contains(WRAP) && text.split(WRAP).all(named);
    let with = if lines { "\n" } else { " " };
    all.iter_mut().for_each(|inline| inline.text = inline.text.replace(WRAP, with));
    all
}

fn collect<'a>(parent: &'a AstNode<'a>, style: &Style, out: &mut Vec<Inline>, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    let made = |text: &str, style: &Style| Inline { text: text.to_owned(), style: style.clone() };
    for node in parent.children() {
        match &node.data.borrow().value {
            NodeValue::Text(text) => out.push(made(text, style)),
            NodeValue::Code(code) => out.push(made(&code.literal, &Style::Code)),
            NodeValue::SoftBreak => out.push(made(WRAP, style)),
            NodeValue::LineBreak => out.push(made("\n", style)),
            NodeValue::HtmlInline(tag) if is_break(tag) => out.push(made("\n", style)),
            NodeValue::Strong | NodeValue::Emph if *style == Style::Plain => {
                let strong = matches!(node.data.borrow().value, NodeValue::Strong);
                let inner = if strong { Style::Strong } else { Style::Plain };
                collect(node, &inner, out, depth + 1);
            }
            // What somebody struck out must not read like what stands.
            NodeValue::Strikethrough => {
                out.push(made("~~", style));
                collect(node, style, out, depth + 1);
                out.push(made("~~", style));
            }
            NodeValue::Link(link) => {
                let inner = Style::Link(link.url.clone());
                collect(node, &inner, out, depth + 1);
            }
            NodeValue::HtmlInline(_) | NodeValue::FootnoteReference(_) => {}
            _ => collect(node, style, out, depth + 1),
        }
    }
}

fn is_break(tag: &str) -> bool {
    let tag = tag.trim_matches(['<', '>', '/', ' ']).to_lowercase();
    tag == "br" || tag.starts_with("br ")
}
