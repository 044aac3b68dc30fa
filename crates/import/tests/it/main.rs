//! What documents become, and what becomes of documents.

mod care;
mod cases;
mod golden;
mod hidden;
mod hostile;
mod negation;
mod own;
mod shapes;
mod sources;
mod trace;

use std::path::{Path, PathBuf};

use backout_documents::Document;
use backout_documents::read::{self, Format};

/// The folder of example documents.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents")
}

/// An example document, read.
pub(crate) fn document(name: &str, record: Option<&str>) -> (Format, Document) {
    let bytes = std::fs::read(folder().join(name)).expect("readable");
    let format = read::detect(name, &bytes).expect("a format");
    (format, read::read(format, &bytes, record).expect("a document"))
}

/// Every example document, with the record to take from it.
pub(crate) const ALL: [(&str, Option<&str>); 20] = [
    ("change-board.md", None),
    ("checklist.ods", None),
    ("checklist.xlsx", None),
    ("confluence.html", None),
    ("database-migration.md", None),
    ("enhancement.md", None),
    ("escalating.md", None),
    ("gitlab-change.md", None),
    ("government.docx", None),
    ("jira-server.json", None),
    ("jira.json", None),
    ("no-backout.md", None),
    ("phases.md", None),
    ("prose.md", None),
    ("servicenow.json", None),
    ("servicenow-list.json", Some("CHG0030300")),
    ("servicenow-list.json", Some("CHG0030301")),
    ("steps.csv", None),
    ("tables.html", None),
    ("words.md", None),
];
