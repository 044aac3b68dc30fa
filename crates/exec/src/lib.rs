//! The hands: everything that touches the world.
//!
//! Each automated step runs in a process of its own, the *supervisor*, in its
//! own session, so that the death of the coordinator, of its terminal or of its
//! login does not touch it. The [`spawner`] forks it. What the two tell each other is on disk, in the
//! *ledger* (see [`ledger`]); the coordinator may die and another one reads it.
//! Verifications only read and run inside the coordinator.

pub mod baseline;
pub mod clock;
pub mod command;
pub mod entries;
pub mod environment;
pub mod files;
pub mod http;
pub mod ledger;
pub mod limits;
pub mod local;
pub mod location;
pub mod output;
pub mod probe;
pub mod process;
pub mod secrets;
pub mod spawner;
pub mod sql;
pub mod supervise;
pub mod terminal;
pub mod tree;
mod unsafe_calls;

pub use local::LocalHands;
