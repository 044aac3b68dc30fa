//! What an import found, guessed, did not understand, and missed.

use backout_documents::Place;
use serde::Serialize;

/// The account of one import.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Each field of the plan that stood in the document, and where.
    pub found: Vec<Source>,
    /// Each field that was read out of the document by a guess, and why.
    pub guessed: Vec<Source>,
    /// What was not understood. It is in the plan as notes.
    pub not_understood: Vec<Unread>,
    /// What a backout plan needs and the document does not say.
    pub missing: Vec<String>,
    /// Headings, heads of tables, names of fields and lines above lists: text that says
    /// what other text is. Each with what it was read as.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// In a document that `render` made: what was changed by hand and is in the plan now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Source>,
    /// In a document that `render` made: what was changed by hand and is not in the plan.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_taken_over: Vec<Source>,
}

/// Where a field of the plan comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Source {
    /// The field: `steps[restore-database].owner`.
    pub field: String,
    /// Where it stood: `line 190`.
    pub place: String,
    /// For a guess: why it was taken so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A line that says what stands below it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Label {
    /// Where it stands.
    pub place: String,
    /// What it says.
    pub text: String,
    /// What the part below was read as: `triggers`.
    pub read_as: String,
}

/// Something that was not understood.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unread {
    /// Where it stands.
    pub place: String,
    /// Under which heading.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub heading: String,
    /// What it says.
    pub text: String,
}

impl Report {
    pub(crate) fn found(&mut self, field: impl Into<String>, place: &Place) {
        self.found.push(Source { field: field.into(), place: place.to_string(), why: None });
    }

    /// A field that did not become part of the plan was not found.
    pub(crate) fn forget(&mut self, field: &str) {
        let inside = |known: &str| {
            known
                .strip_prefix(field)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.found.retain(|source| !inside(&source.field));
        self.guessed.retain(|source| !inside(&source.field));
    }

    pub(crate) fn guessed(
        &mut self,
        field: impl Into<String>,
        place: &Place,
        why: impl Into<String>,
    ) {
        let source =
            Source { field: field.into(), place: place.to_string(), why: Some(why.into()) };
        if !self.guessed.contains(&source) {
            self.guessed.push(source);
        }
    }

    /// The report as Markdown.
    #[must_use]
    pub fn markdown(&self, document: &str) -> String {
        let mut out = format!("# Import of {document}\n\n");
        out.push_str(&format!(
            "{} found, {} guessed, {} not understood, {} missing\n",
            self.found.len(),
            self.guessed.len(),
            self.not_understood.len(),
            self.missing.len()
        ));
        for (title, changes) in [
            ("Changed by hand, and taken over", &self.changed),
            ("Changed by hand, and not taken over", &self.not_taken_over),
        ] {
            if !changes.is_empty() {
                out.push_str(&format!("\n## {title}\n\n| field | from | what |\n|---|---|---|\n"));
            }
            for change in changes {
                let what = change
                    .why
                    .as_deref()
                    .unwrap_or_default()
                    .replace('|', "\\|")
                    .replace('\n', " ");
                out.push_str(&format!("| `{}` | {} | {what} |\n", change.field, change.place));
            }
        }
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        if !self.missing.is_empty() {
            out.push_str("\n## Missing\n\nNothing in the document says:\n\n");
            self.missing.iter().for_each(|missing| out.push_str(&format!("- {missing}\n")));
        }
        if !self.guessed.is_empty() {
            out.push_str("\n## Guessed\n\n| field | from | why |\n|---|---|---|\n");
            for guess in &self.guessed {
                let why = guess.why.as_deref().unwrap_or_default();
                out.push_str(&format!(
                    "| `{}` | {} | {} |\n",
                    cell(&guess.field),
                    guess.place,
                    cell(why)
                ));
            }
        }
        if !self.not_understood.is_empty() {
            out.push_str("\n## Not understood\n\nKept under `notes` in the plan.\n\n");
            for unread in &self.not_understood {
                let mut text = cell(unread.text.trim());
                if text.chars().count() > 160 {
                    text = text.chars().take(160).collect::<String>() + " …";
                }
                let under = if unread.heading.is_empty() {
                    String::new()
                } else {
                    format!(", under \"{}\"", unread.heading)
                };
                out.push_str(&format!("- {}{under}: {text}\n", unread.place));
            }
        }
        if !self.found.is_empty() {
            out.push_str("\n## Found\n\n| field | from |\n|---|---|\n");
            for found in &self.found {
                out.push_str(&format!("| `{}` | {} |\n", cell(&found.field), found.place));
            }
        }
        if !self.labels.is_empty() {
            out.push_str("\n## Labels\n\n| label | from | read as |\n|---|---|---|\n");
            for label in &self.labels {
                out.push_str(&format!(
                    "| {} | {} | {} |\n",
                    cell(&label.text),
                    label.place,
                    label.read_as
                ));
            }
        }
        out
    }
}
