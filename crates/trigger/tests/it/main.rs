//! What triggers promise.

mod alarms;
mod oracle;
mod prometheus;
mod states;
