//! A document as its parts under headings, each with what it is about.

use backout_documents::board::NOT_READY;
use backout_documents::tree::text_of;
use backout_documents::{Block, Document, Kind, Place};

use crate::topics::{Topic, topic};
use crate::words::{is_step, leads_back, leads_forward, plain, without_number};

/// A heading on the way down to a part.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) level: u8,
    pub(crate) text: String,
    pub(crate) place: Place,
    pub(crate) topic: Option<Topic>,
}

/// A part: the headings above it, and what stands right under the last of them.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    pub(crate) heads: Vec<Head>,
    pub(crate) parts: Vec<Part<'a>>,
    /// Whether no heading stands below its own.
    pub(crate) is_leaf: bool,
}

/// A block, and whether somebody has understood it.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) block: &'a Block,
    pub(crate) used: bool,
}

impl Section<'_> {
    /// What the part is about: what its own heading says, else the nearest above.
    /// A document's title lends its topic to nothing but the whole.
    pub(crate) fn topic(&self) -> Option<Topic> {
        // Whatever stands below it, it is for another day.
        if self.heads.iter().any(|head| head.topic == Some(Topic::Prevention)) {
            return Some(Topic::Prevention);
        }
        let own = self.heads.iter().rev().find_map(|head| head.topic.map(|topic| (head, topic)));
        own.map(|(_, topic)| topic)
    }

    /// What the part's own heading says.
    pub(crate) fn own_topic(&self) -> Option<Topic> {
        self.heads.last().and_then(|head| head.topic)
    }

    /// The text of the nearest heading.
    pub(crate) fn heading(&self) -> &str {
        self.heads.last().map_or("", |head| head.text.as_str())
    }

    /// Whether this part is about going back rather than forward.
    pub(crate) fn is_way_back(&self, whole_is: bool) -> bool {
        // What is left when the way back fails is no second way back.
        if matches!(self.topic(), Some(Topic::Prevention | Topic::Contingency)) {
            return false;
        }
        for head in self.heads.iter().rev() {
            if leads_back(&plain(&head.text)) {
                return true;
            }
            let forward = leads_forward(&plain(&head.text)) && !is_step(&head.text);
            if head.topic == Some(Topic::Forward) || forward && head.level > 1 {
                return false;
            }
        }
        whole_is
    }

    /// The headings from the top, for people.
    pub(crate) fn path(&self) -> String {
        let names: Vec<&str> = self.heads.iter().map(|head| head.text.as_str()).collect();
        names[names.len().saturating_sub(2)..].join(" › ")
    }

    pub(crate) fn place(&self) -> Option<Place> {
        self.heads.last().map(|head| head.place.clone())
    }
}

/// The parts of a document, in order.
pub(crate) fn outline(document: &Document) -> Vec<Section<'_>> {
    let blocks: Vec<&Block> = document.blocks.iter().filter(|block| !is_computed(block)).collect();
    let headless = !blocks.iter().any(|block| matches!(block.kind, Kind::Heading(..)));
    let mut sections = vec![Section { heads: Vec::new(), parts: Vec::new(), is_leaf: true }];
    for (index, block) in blocks.iter().copied().enumerate() {
        let next = blocks.get(index + 1).copied();
        let Some((level, text)) = heading(block).or_else(|| line_as_heading(block, next, headless))
        else {
            if let Some(section) = sections.last_mut() {
                section.parts.push(Part { block, used: false });
            }
            continue;
        };
        let mut heads = sections.last().map_or_else(Vec::new, |section| section.heads.clone());
        while heads.last().is_some_and(|head| head.level >= level) {
            heads.pop();
        }
        if let Some(above) = sections.last_mut() {
            above.is_leaf = above.heads.len() > heads.len() || above.heads.is_empty();
        }
        let topic = topic(&text);
        heads.push(Head { level, text, place: block.place.clone(), topic });
        sections.push(Section { heads, parts: Vec::new(), is_leaf: true });
    }
    sections
}

fn heading(block: &Block) -> Option<(u8, String)> {
    match &block.kind {
        Kind::Heading(level, text) => Some((*level, text_of(text))),
        _ => None,
    }
}

/// A sheet knows no headings: a line alone above a list or a table that says what it
/// is about (`Backout plan`) is one. So it is in a text without any heading.
fn line_as_heading(block: &Block, next: Option<&Block>, headless: bool) -> Option<(u8, String)> {
    let text = short_line(block)?;
    let next = next?;
    let above = matches!(next.kind, Kind::List(..) | Kind::Table(_));
    let fits = (headless || block.place.unit.starts_with("sheet"))
        && !block.place.unit.starts_with("field ");
    // `1. Freeze` above a list is a chapter of what stands above it.
    let counted = |text: &str| without_number(text) != text.trim();
    if fits && above && counted(&text) {
        return Some((3, text));
    }
    let over_chapter = short_line(next).is_some_and(|next| counted(&next));
    (fits && (above || over_chapter) && topic(&text).is_some()).then_some((2, text))
}

/// A line of a few words that is no sentence.
fn short_line(block: &Block) -> Option<String> {
    let Kind::Paragraph(inlines) = &block.kind else { return None };
    let text = text_of(inlines);
    let short = text.split_whitespace().count() <= 8
        && !text.trim().contains('\n')
        && !text.trim_end().ends_with(['.', ':', '!', '?', ';', ',']);
    short.then_some(text)
}

/// What our own documents say of a plan with errors is worked out anew each time.
fn is_computed(block: &Block) -> bool {
    matches!(block.kind, Kind::Paragraph(_) | Kind::Notice(..))
        && block.text().trim_start_matches("Warning").trim_start().starts_with(NOT_READY)
}
