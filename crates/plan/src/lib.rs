//! The reader: text in, a checked plan out, and for everything that is wrong a
//! diagnostic that a tired person understands.
//!
//! ```text
//!   text ──yaml──► tree with places ──read──► Plan ──check──► findings
//!                        └───────────────────── places ──────────┘
//! ```
//!
//! The plan model knows nothing about files. A finding names a *path* in the
//! plan (`steps.4.verify`), and the tree turns the path into a line and a
//! column. That keeps the model clean and lets every rule point at its cause.

pub mod check;
pub mod diagnostic;
pub mod document;
pub mod edit;
pub mod emit;
mod lower;
pub mod read;
pub mod rules;
pub mod sarif;
pub mod schema;
mod shell;
pub mod starter;
pub mod times;
mod yaml;

pub use diagnostic::{Diagnostic, Level};
pub use document::{Document, Path};
pub use read::{LeftOut, ReadPlan, read, read_bytes, read_step, read_to_back_out};
pub use yaml::is_invisible;
