//! What is gathered from all over a document before it becomes a part of a plan.

use backout_core::duration::{Estimate, Span};
use backout_core::ids::RoleId;
use backout_documents::Place;
use jiff::civil::{Date, DateTime};

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
