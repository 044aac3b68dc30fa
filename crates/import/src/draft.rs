//! What is gathered from all over a document before it becomes a part of a plan.

use backout_core::duration::{Estimate, Span};
use backout_core::ids::RoleId;
use backout_documents::Place;
use jiff::civil::{Date, DateTime};

use crate::negation::{forbids_backout, leads_in};
use crate::no_way::no_way_back;
use crate::step_text::title_of;
use crate::words::plain;

/// A step before it has its name.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) number: Option<u32>,
    pub(crate) title: String,
    pub(crate) place: Place,
    pub(crate) owner: Option<(RoleId, Place)>,
    pub(crate) takes: Option<(Estimate, Place)>,
    /// Why that is a guess, if it is one.
    pub(crate) takes_guess: Option<&'static str>,
    pub(crate) verify: Vec<(String, Place)>,
    /// What to do, in pieces: an instruction beyond the title, commands.
    pub(crate) how: Vec<String>,
    pub(crate) how_place: Option<Place>,
    pub(crate) after: Option<String>,
    pub(crate) irreversible: Option<String>,
    pub(crate) component: Option<String>,
    /// The way back it belongs to, where there are several.
    pub(crate) group: Option<String>,
    pub(crate) guess: Option<&'static str>,
    /// Checks of the whole that stand here because it is the last step.
    pub(crate) of_the_whole: Option<Place>,
    /// Whether it stands in a table, so that its number is its own.
    pub(crate) in_table: bool,
    /// Its title in the form in which texts are compared.
    pub(crate) said: String,
}

impl Draft {
    pub(crate) fn new(title: &str, place: &Place, group: Option<String>) -> Self {
        Self {
            number: None,
            title: title.trim().to_owned(),
            place: place.clone(),
            owner: None,
            takes: None,
            takes_guess: None,
            verify: Vec::new(),
            how: Vec::new(),
            how_place: None,
            after: None,
            irreversible: None,
            component: None,
            group,
            guess: None,
            of_the_whole: None,
            in_table: false,
            said: plain(title),
        }
    }

    /// Gives a step without a title the first line of what is done in it, and takes out
    /// checks that say nothing.
    pub(crate) fn complete(&mut self) {
        self.verify.retain(|(text, _)| !text.trim().is_empty());
        if self.title.trim().is_empty() {
            let told = self.how.iter().flat_map(|how| how.lines()).map(bare);
            let found = told.filter(|line| tells(line)).find(|line| !title_of(line).is_empty());
            if let Some(title) = found.map(title_of) {
                self.said = plain(&title);
                self.title = title;
                self.guess.get_or_insert("the step has no name; this is its first line");
            }
        }
    }

    /// Whether there is something to do: not where a template was never filled in, and
    /// not where the document says that there is no way back.
    pub(crate) fn is_step(&self) -> bool {
        let told = || self.how.iter().flat_map(|how| how.lines()).any(|line| tells(bare(line)));
        let denied =
            no_way_back(&self.title) || forbids_backout(&self.title) && leads_in(&self.title);
        let open = is_placeholder(&self.title);
        !self.title.trim().is_empty()
            && !(denied && (self.how.is_empty() || self.how.iter().all(|how| no_way_back(how))))
            && (!open || told())
    }

    /// All that it says, for a note.
    pub(crate) fn text(&self) -> String {
        let mut lines = vec![self.title.clone()];
        lines.extend(self.how.iter().cloned());
        lines.extend(self.verify.iter().map(|(text, _)| text.clone()));
        lines.extend(self.owner.iter().map(|(role, _)| role.to_string()));
        lines.retain(|line| !line.trim().is_empty());
        lines.join("\n")
    }

    pub(crate) fn add_how(&mut self, text: &str, place: &Place) {
        // A hard space in a command is a space that a word processor made.
        let text = text.replace(['\u{a0}', '\u{202f}'], " ");
        let text = text.trim_matches('\n').trim_end();
        if !text.trim().is_empty() {
            self.how.push(text.to_owned());
            self.how_place.get_or_insert_with(|| place.clone());
        }
    }
}

/// A line of a command or of a list, without what marks it as one.
fn bare(line: &str) -> &str {
    line.trim().trim_start_matches(['$', '-', '*', ' '])
}

/// Whether a line of instructions tells somebody to do something: a comment does not,
/// and neither does a place that nobody filled in.
pub(crate) fn tells(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty()
        && !["#", "//", "--", "<!--", "REM ", "rem ", ";"].iter().any(|sign| line.starts_with(sign))
        && !is_placeholder(line)
}

/// Whether a text is a place to fill in and nothing else: `[Procedure name]`, `<command>`.
fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    let within = |open: char, close: char| {
        text.strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close))
            .is_some_and(|inside| !inside.contains([open, close]))
    };
    within('[', ']') || within('<', '>') || within('{', '}')
}

/// When things happen, as the document says it in several places.
#[derive(Debug, Default)]
pub(crate) struct When {
    pub(crate) date: Option<(Date, Place)>,
    pub(crate) deploy: Option<(String, Place)>,
    pub(crate) start: Option<(DateTime, Place)>,
    pub(crate) end: Option<(DateTime, Place)>,
    pub(crate) by: Option<(String, Place)>,
    pub(crate) zone: Option<(String, Place, Option<&'static str>)>,
    pub(crate) total: Option<(Span, Place)>,
}
