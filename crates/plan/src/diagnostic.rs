//! What is wrong, where, and what to do about it.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level as Style, Renderer, Snippet, renderer::DecorStyle};
use serde::Serialize;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The plan cannot be relied on.
    Error,
    /// An expert would ask about it.
    Warning,
    /// Worth knowing.
    Note,
}

/// Codes of what the reader itself refuses. Each has a page under `docs/errors/`.
pub mod codes {
    /// The file cannot be opened.
    pub const UNREADABLE: &str = "BK101";
    /// The file is not text.
    pub const NOT_TEXT: &str = "BK102";
    /// Larger or deeper than any plan.
    pub const TOO_LARGE: &str = "BK103";
    /// There is nothing in it.
    pub const EMPTY: &str = "BK104";
    /// Not YAML.
    pub const SYNTAX: &str = "BK105";
    /// An anchor, an alias or a tag.
    pub const ALIAS: &str = "BK106";
    /// The same key twice.
    pub const DUPLICATE_KEY: &str = "BK107";
    /// A key that the format does not have.
    pub const UNKNOWN_KEY: &str = "BK108";
    /// A key that is missing.
    pub const MISSING_KEY: &str = "BK109";
    /// A value of the wrong type or form.
    pub const WRONG_VALUE: &str = "BK110";
    /// A name that nothing in the plan has.
    pub const DANGLING: &str = "BK111";
    /// Two steps with one name.
    pub const SAME_NAME: &str = "BK112";
    /// Steps that wait for each other.
    pub const CYCLE: &str = "BK113";
    /// A time zone or a time that does not exist.
    pub const NO_SUCH_TIME: &str = "BK114";
    /// A section this version does not carry out.
    pub const NOT_YET: &str = "BK115";
}

/// A place in the file beside the main one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// Where, in bytes.
    pub span: Range<usize>,
    /// What is there.
    pub label: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A rule (`BOP-…`) or a reader's code (`BK…`).
    pub code: &'static str,
    /// How much it matters.
    pub level: Level,
    /// One sentence that names the thing.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Where, in bytes of the file.
    pub span: Option<Range<usize>>,
    /// Other places that explain it.
    pub asides: Vec<Aside>,
    /// The step, role, component or option it is about.
    pub subject: Option<String>,
}

impl Diagnostic {
    /// An error.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            level: Level::Error,
            message: message.into(),
            hint: None,
            span: None,
            asides: Vec::new(),
            subject: None,
        }
    }

    /// Sets the place.
    #[must_use]
    pub fn at(mut self, span: Range<usize>) -> Self {
        self.span = Some(span);
        self
    }

    /// Sets what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn also(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.asides.push(Aside { span, label: label.into() });
        self
    }

    /// Line and column of the place, both from 1, the column in characters.
    #[must_use]
    pub fn position(&self, text: &str) -> Option<(usize, usize)> {
        self.span.as_ref().map(|span| position(text, span.start))
    }

    /// For people: message, source line with the place underlined, hint.
    #[must_use]
    pub fn render(&self, file: &str, text: &str, colour: bool) -> String {
        let style = match self.level {
            Level::Error => Style::ERROR,
            Level::Warning => Style::WARNING,
            Level::Note => Style::NOTE,
        };
        let mut group =
            annotate_snippets::Group::with_title(style.primary_title(&self.message).id(self.code));
        if let Some(span) = &self.span {
            // Only the lines that are shown: a large file must not be copied for
            // each of its findings.
            let spans = std::iter::once(span).chain(self.asides.iter().map(|aside| &aside.span));
            let first = spans.clone().map(|span| span.start).min().unwrap_or(0).min(text.len());
            let last = spans.map(|span| first_line(text, span).end).max().unwrap_or(0);
            let from =
                text.as_bytes()[..first].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            let to = text.as_bytes()[last..]
                .iter()
                .position(|b| *b == b'\n')
                .map_or(text.len(), |at| last + at);
            let part = &text[from..to];
            let inside = |span: Range<usize>| span.start - from..span.end - from;
            let mut snippet = Snippet::source(part)
                .line_start(position(text, from).0)
                .path(file)
                .annotation(AnnotationKind::Primary.span(inside(first_line(text, span))));
            for aside in &self.asides {
                let span = inside(first_line(text, &aside.span));
                snippet =
                    snippet.annotation(AnnotationKind::Context.span(span).label(&aside.label));
            }
            group = group.element(snippet);
        }
        if let Some(hint) = &self.hint {
            group = group.element(Style::HELP.with_name("hint").message(hint));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let shown = renderer.decor_style(DecorStyle::Ascii).render(&[group]).clone();
        match self.span {
            Some(_) => shown,
            // Without a place there is no header line to name the file.
            None => format!("{file}: {shown}"),
        }
    }
}

/// Line and column of a byte, both from 1, the column in characters.
#[must_use]
pub fn position(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

/// The part of a span that stands on its first line; never empty where the text is not.
fn first_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let boundary = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(span.start);
    let end = boundary(span.end.max(start));
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let mut end = end.min(line_end);
    if end == start {
        end = text[start..].chars().next().map_or(start, |c| start + c.len_utf8());
    }
    start..end
}

/// A diagnostic as a script sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding<'a> {
    /// A rule (`BOP-…`) or a reader's code (`BK…`).
    pub rule: &'a str,
    /// How much it matters.
    pub severity: Level,
    /// One sentence that names the thing.
    pub message: &'a str,
    /// What to do.
    pub hint: Option<&'a str>,
    /// The file.
    pub file: &'a str,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The column in characters, from 1.
    pub column: Option<usize>,
    /// The step, role, component or option it is about.
    pub subject: Option<&'a str>,
}

impl<'a> Finding<'a> {
    /// The diagnostic of a file as a script sees it.
    #[must_use]
    pub fn new(diagnostic: &'a Diagnostic, file: &'a str, text: &str) -> Self {
        let position = diagnostic.position(text);
        Self {
            rule: diagnostic.code,
            severity: diagnostic.level,
            message: &diagnostic.message,
            hint: diagnostic.hint.as_deref(),
            file,
            line: position.map(|(line, _)| line),
            column: position.map(|(_, column)| column),
            subject: diagnostic.subject.as_deref(),
        }
    }
}
