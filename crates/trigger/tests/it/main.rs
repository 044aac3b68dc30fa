//! What triggers promise.

mod alarms;
mod prometheus;
mod states;
