//! Looking at triggers: what a source answers becomes a sample, samples become
//! states, and a change of state becomes an event of the run.
//!
//! ```text
//!   source ──look──► Sample ──trigger::machine──► Change ──► Event ──► the run's log
//!                                    │
//!                                    └── every state and all evidence, on disk
//! ```
//!
//! Nothing in here decides anything. What a state means is the business of the crate
//! `trigger`, what follows from it that of `core::decision`.

pub mod board;
mod composite;
pub mod heard;
pub mod history;
pub mod look;
pub mod measure;
pub mod prometheus;
mod reading;
pub mod receive;
pub mod watcher;

pub use board::Board;
pub use history::history;
pub use measure::measure;
pub use watcher::{Ear, News, Setting, Watcher};
