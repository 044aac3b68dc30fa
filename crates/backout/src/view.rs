//! What people and scripts see: projections of a run's log, nothing else.

pub(crate) mod answering;
mod asked;
pub(crate) mod chart;
pub(crate) mod dry_run;
pub(crate) mod events;
pub(crate) mod forecast;
pub(crate) mod holders;
pub(crate) mod keyboard;
pub(crate) mod live;
pub(crate) mod questions;
pub(crate) mod refusals;
pub(crate) mod release;
pub(crate) mod replies;
pub(crate) mod status;
pub(crate) mod table;
pub(crate) mod waiting;
pub(crate) mod watching;
pub(crate) mod words;
