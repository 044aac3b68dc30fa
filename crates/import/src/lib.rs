//! The translator: what a document means, as a plan, with the place of every word.
//!
//! ```text
//!   Document ──outline──► parts under headings ──reading──► Plan + Report
//!                              │  tables: what the columns hold
//!                              │  lists and prose: what the heading is about
//!                              └─ what nobody understood ──► notes
//! ```
//!
//! One law: nothing is invented. A field that the document does not state stays
//! empty, however likely a value is; `check` then finds the hole, and a person
//! fills it. A field that is worked out from what the document states (initials
//! for a role, a date and a time in two cells for one moment) is a guess, and the
//! report says so and why. Nothing that is imported is ever executable: commands
//! stand in instructions for people until a person makes them `run`.

mod altered;
mod columns;
mod contingency;
mod data;
mod details;
mod draft;
mod duties;
mod fields;
mod headings;
mod hold_off;
mod judgement;
mod last_resort;
mod lists;
mod lost;
mod merge;
mod negation;
mod no_way;
mod outline;
mod own;
mod parts;
mod people;
mod prose;
mod readable;
mod reading;
mod report;
pub mod results;
mod sentences;
mod set_aside;
mod settle;
mod step_text;
mod steps;
mod tables;
mod times;
mod topics;
mod values;
mod way;
mod words;

use backout_core::plan::Plan;
use backout_documents::Document;
use backout_documents::read::Format;

pub use report::{Label, Report, Source, Unread};

/// What became of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The plan, as far as the document states one.
    pub plan: Plan,
    /// The plan file: it was read back, and says this plan.
    pub text: String,
    /// What was found, guessed, not understood, and is missing.
    pub report: Report,
}

/// Reads a plan out of a document. `name` is the file's, without its ending: the
/// title of last resort.
#[must_use]
pub fn import(document: &Document, format: Format, name: &str) -> Imported {
    match own::annex(document) {
        Some(Ok(annexed)) => own::restore(document, format, annexed),
        Some(Err(why)) => {
            let mut imported = visible(document, name);
            imported.report.not_taken_over.push(Source {
                field: "the plan file".to_owned(),
                place: "the annex".to_owned(),
                why: Some(format!(
                    "it does not read ({why}); what is imported is what stands in the text above it"
                )),
            });
            imported
        }
        None => visible(document, name),
    }
}

/// Reads what stands in a document, whoever made it.
#[must_use]
pub fn visible(document: &Document, name: &str) -> Imported {
    reading::Reading::new(document).finish(name)
}
