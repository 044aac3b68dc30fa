//! The spawner: a process with one thread, one for each coordinator, that forks the supervisors.
//!
//! A fork of a small process takes a fraction of what the start of a program takes. The
//! coordinator has threads and must not fork, so it starts the spawner and asks it, over a
//! socket, for each attempt: the folder of its dispatch, and the writing end of a pipe.
//!
//! | on the pipe | means |
//! |---|---|
//! | `f` | the spawner forked a supervisor |
//! | text after `e` | it was not accepted, and why |
//! | its end | nothing of the spawner or of the supervisor works on this attempt any more |
//!
//! The death of the spawner touches no supervisor. What it had not forked yet is asked for
//! again, of another spawner: the claim in the ledger is the fence, whoever asks how often.

mod client;
mod server;

pub(crate) use client::{Program, Spawner};
pub use server::serve;

/// The longest path that the system takes, in bytes.
const LONGEST_PATH: usize = 4096;
const FORKED: u8 = b'f';
const REFUSED: u8 = b'e';
