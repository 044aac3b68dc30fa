//! The conductor: owns a run, decides, writes, dispatches, and starts over after any death.
//!
//! The order of things is the whole safety of this program:
//!
//! ```text
//!   decide ──► append intent, durably ──► dispatch ──► report ──► append outcome ──► decide
//! ```
//!
//! No effect happens without its intent being durable first. Whatever lies
//! between an intent and its outcome when the process dies is *in doubt*, and
//! recovery ends the doubt by evidence (see [`backout_core::doubt`]).
//!
//! Two things guard against a second conductor. A lease (a lock, outside of
//! this crate) says who may try. The log says who is: taking over is itself an
//! append, every append names the position it expects, so whoever was there
//! before finds the log moved, reads who moved it, and stops.

pub mod clock;
pub mod command;
pub mod conductor;
pub mod fault;
pub mod forecaster;
pub mod hands;
pub mod journal;
pub mod log;
pub mod start;

pub use conductor::{Conductor, Control, End, Patience, Sight, Stopped};
pub use forecaster::Forecaster;
pub use hands::{Hands, Report, Task, Verdict};
pub use journal::{AppendError, Journal, ReadError};
pub use log::RunLog;
