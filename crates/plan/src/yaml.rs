//! YAML text as a tree in which every node knows where it stands.
//!
//! Plans use the plain part of YAML 1.2: mappings, sequences, scalars,
//! comments. Anchors, aliases and tags are refused. An alias makes a file say
//! something in one place and mean it in another, which is the last thing a
//! signed plan should do, and it is how a ten-line file becomes ten gigabytes.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use crate::diagnostic::{Diagnostic, codes};

/// The largest plan that is read, in bytes. A plan of ten thousand steps is 3 MB.
pub(crate) const LARGEST: usize = 16 * 1024 * 1024;
const DEEPEST: usize = 64;

/// A node and where it stands, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// A scalar; `plain` when it was written without quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether nothing was written here: `key:`, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        match &self.kind {
            Kind::Scalar { text, plain: true } => {
                matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
            }
            _ => false,
        }
    }

    /// The entry of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&(Node, Node)> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|(name, _)| name.text() == Some(key)),
            _ => None,
        }
    }

    /// What it is, for people.
    pub(crate) fn shape(&self) -> &'static str {
        match &self.kind {
            _ if self.is_null() => "nothing",
            Kind::Scalar { .. } => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}

/// Reads one document. What can be reported without guessing is collected in
/// `problems`; a syntax error ends the reading and leaves no tree.
pub(crate) fn parse(text: &str, problems: &mut Vec<Diagnostic>) -> Option<Node> {
    let mut builder = Builder { open: Vec::new(), root: None, problems, documents: 0 };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => {
                builder.event(event, range(text, &span))?;
            }
            Err(error) => {
                let at = offset(text, error.marker().line(), error.marker().col());
                let said = error.to_string();
                // The parser appends its own position; ours is shown beside the text.
                let said = said.split(" at byte ").next().unwrap_or(&said);
                let said = said.split(" at char ").next().unwrap_or(said);
                let diagnostic =
                    Diagnostic::error(codes::SYNTAX, format!("this is not YAML: {said}"))
                        .at(at..at + 1)
                        .hint(syntax_hint(text, at, said));
                builder.problems.push(diagnostic);
                return None;
            }
        }
    }
    builder.root
}

fn syntax_hint(text: &str, at: usize, said: &str) -> String {
    let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    let tabbed = text[start..end].trim_start_matches(' ').starts_with('\t');
    let found = text[at..].chars().next();
    match found {
        _ if tabbed || said.contains("found a tab") => {
            "indent with spaces: YAML does not allow tabs".to_owned()
        }
        Some(':') => "put text that contains `: ` in quotes".to_owned(),
        // `{query: rate(x[1m])}`: text that is cut off by a bracket of its own.
        Some(bracket @ ('[' | '{')) if said.contains("did not find expected") => {
            format!("put text that contains `{bracket}` in quotes")
        }
        _ if said.contains("bracket") => {
            "close what is opened, `{` with `}` and `[` with `]`; text that contains one of them goes in quotes".to_owned()
        }
        Some(sign @ ('@' | '`' | '%')) => format!("put text that starts with `{sign}` in quotes"),
        _ => "look at the indentation and the quotes here and on the line before".to_owned(),
    }
}

fn range(text: &str, span: &Span) -> Range<usize> {
    let at = |marker: &granit_parser::Marker| {
        marker.byte_offset().unwrap_or_else(|| offset(text, marker.line(), marker.col()))
    };
    let (start, end) = (at(&span.start), at(&span.end));
    start.min(text.len())..end.clamp(start, text.len())
}

/// Byte offset of a line (from 1) and a column in characters (from 0).
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = &text[start.min(text.len())..];
    start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
}

enum Open {
    List(Range<usize>, Vec<Node>),
    Map {
        span: Range<usize>,
        entries: Vec<(Node, Node)>,
        key: Option<Node>,
        seen: HashMap<String, Range<usize>>,
    },
}

struct Builder<'a> {
    open: Vec<Open>,
    root: Option<Node>,
    problems: &'a mut Vec<Diagnostic>,
    documents: usize,
}

impl Builder<'_> {
    /// `None` when reading has to end.
    fn event(&mut self, event: Event<'_>, span: Range<usize>) -> Option<()> {
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(_, anchor, tag)
            | Event::MappingStart(_, anchor, tag) => (*anchor, tag.is_some()),
            Event::Alias(_) => {
                self.refuse_alias(span);
                return None;
            }
            _ => (0, false),
        };
        if anchor != 0 {
            self.refuse_alias(span.clone());
            return None;
        }
        if tag {
            let diagnostic = Diagnostic::error(codes::ALIAS, "tags are not used in plans")
                .at(span.clone())
                .hint("remove the `!…` before the value");
            self.problems.push(diagnostic);
        }
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents == 2 {
                    let diagnostic =
                        Diagnostic::error(codes::SYNTAX, "a plan file holds one document")
                            .at(span)
                            .hint("remove the second `---` and what follows it");
                    self.problems.push(diagnostic);
                    return None;
                }
            }
            Event::Scalar(text, style, ..) => {
                self.refuse_invisible(&text, &span);
                let plain = style == ScalarStyle::Plain;
                self.add(Node { span, kind: Kind::Scalar { text: text.into_owned(), plain } });
            }
            Event::SequenceStart(..) => self.nest(Open::List(span.clone(), Vec::new()), span)?,
            Event::MappingStart(..) => self.nest(
                Open::Map {
                    span: span.clone(),
                    entries: Vec::new(),
                    key: None,
                    seen: HashMap::new(),
                },
                span,
            )?,
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(start, items)) => {
                    let end = items.last().map_or(span.end, |last| last.span.end.max(span.start));
                    self.add(Node {
                        span: start.start..end.max(start.end),
                        kind: Kind::List(items),
                    });
                }
                Some(Open::Map { span: start, entries, .. }) => {
                    let first = entries.first().map_or(start.start, |(key, _)| key.span.start);
                    let end =
                        entries.last().map_or(span.end, |(_, last)| last.span.end.max(span.start));
                    let span = first.min(start.start)..end.max(start.end);
                    self.add(Node { span, kind: Kind::Map(entries) });
                }
                None => {}
            },
            _ => {}
        }
        Some(())
    }

    fn refuse_alias(&mut self, span: Range<usize>) {
        let diagnostic =
            Diagnostic::error(codes::ALIAS, "anchors (`&name`) and aliases (`*name`) are not used in plans")
                .at(span)
                .hint("write the value out: a plan must say what it means in the place where it says it; text that starts with `&` or `*` goes in quotes");
        self.problems.push(diagnostic);
    }

    /// What is on the screen must be what is run.
    fn refuse_invisible(&mut self, text: &str, span: &Range<usize>) {
        if let Some(found) = text.chars().find(|c| is_invisible(*c)) {
            let message = format!("this holds an invisible character, U+{:04X}", u32::from(found));
            let diagnostic = Diagnostic::error(codes::WRONG_VALUE, message)
                .at(span.clone())
                .hint("take it out: what people read must be what is run");
            self.problems.push(diagnostic);
        }
    }

    fn nest(&mut self, open: Open, span: Range<usize>) -> Option<()> {
        if self.open.len() >= DEEPEST {
            let message = format!("nested more than {DEEPEST} levels deep");
            self.problems.push(Diagnostic::error(codes::TOO_LARGE, message).at(span));
            return None;
        }
        self.open.push(open);
        Some(())
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map { entries, key, seen, .. }) => match key.take() {
                None => *key = Some(node),
                Some(name) => {
                    let first = name.text().and_then(|text| seen.get(text)).cloned();
                    match (name.text(), first) {
                        (None, _) => {
                            let diagnostic =
                                Diagnostic::error(codes::WRONG_VALUE, "a key must be text")
                                    .at(name.span)
                                    .hint("text that starts with `{`, `[` or `?` goes in quotes");
                            self.problems.push(diagnostic);
                        }
                        (Some(text), Some(first)) => {
                            let diagnostic = Diagnostic::error(
                                codes::DUPLICATE_KEY,
                                format!("`{text}` stands here twice"),
                            )
                            .at(name.span.clone())
                            .also(first, "first here")
                            .hint("keep one of them; nothing is merged");
                            self.problems.push(diagnostic);
                        }
                        (Some(text), None) => {
                            seen.insert(text.to_owned(), name.span.clone());
                            entries.push((name, node));
                        }
                    }
                }
            },
        }
    }
}

/// Characters that a plan must not hold: a carriage return or a change of reading
/// direction can make a command look like another one.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
