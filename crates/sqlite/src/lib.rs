//! The notebook: the journal on one machine, in SQLite.
//!
//! One database per state directory, shared by every `backout` process on the
//! machine. SQLite's own locks order the writers; which of two writers is right
//! is decided by the position each one expects, in the same transaction that
//! writes (see [`journal`]). Who may try to coordinate a run is a lock on a file
//! of that run (see [`lease`]); the kernel releases it when its holder dies.
//! Whoever only looks opens nothing: see [`SqliteJournal::look`].

pub mod journal;
pub mod lease;
mod look;
pub mod mark;
pub mod salvage;
mod wal;

pub use journal::{OpenError, SqliteJournal};
pub use lease::{Holder, Lease, Life, TakeOver, Taken};
pub use mark::MarkFolders;
