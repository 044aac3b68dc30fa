//! The forecast of a plan, or of a run of it: what people and programs ask.
//!
//! ```text
//!  plan + state + history ─ inputs ─► Known ─ learn ─► Durations
//!                        └─ model ──► Problem ─ solve ─► orders ─ freeze ─► Network
//!                                                             (the best by P95) │
//!            Outlook ◄─ point of no return, what matters ◄─ simulate ◄──────────┘
//! ```

mod answer;
mod calibration;
pub mod history;
mod inputs;
mod model;
mod people;
mod situation;

pub use answer::{
    Along, Helper, Outlook, Row, Search, Settings, Unforeseeable, better_team, look, rehearsed,
};
pub use calibration::{Proposal, propose};
pub use history::{History, Observation};
pub use inputs::{assumptions, stated};
pub use situation::{Now, Situation};
