//! The rehearsal stage: a simulated journal, simulated hands and a simulated
//! clock, to put the conductor through everything that can happen. Development
//! only; nothing here is part of the program.

pub mod conformance;
pub mod forecast;
pub mod memory;
pub mod pace;
pub mod plans;
pub mod postgres;
pub mod sim;

pub use forecast::StatedForecast;
pub use memory::MemoryJournal;
pub use pace::Pace;
pub use sim::{Die, SimClock, SimHands};
