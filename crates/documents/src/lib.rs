//! The printer: one document tree, read from and written to every format that
//! people hand around.
//!
//! ```text
//!   Markdown, HTML, Word,        read                       write    Markdown, HTML,
//!   Excel, CSV, tickets   ───────────────►  Document  ───────────────►  Word
//!                                              ▲
//!                       plan, run ── board, report ── figures
//! ```
//!
//! The tree knows headings, paragraphs, lists, tables, code, notices and
//! pictures, and where each of them stood. What a document *means* is not known
//! here: that is the importer's business.

pub mod board;
pub mod figure;
mod make;
pub mod read;
pub mod report;
pub mod saying;
pub mod tree;
pub mod workbook;
pub mod write;

pub use tree::{Block, Cell, Document, Fact, Hidden, Inline, Item, Kind, Place, Row, Style, Table};
