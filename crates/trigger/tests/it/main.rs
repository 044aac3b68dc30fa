//! What triggers promise.

mod alarms;
mod low_traffic;
mod oracle;
mod prometheus;
mod states;
