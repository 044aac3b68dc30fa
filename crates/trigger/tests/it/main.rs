//! What triggers promise.

mod alarms;
mod states;
