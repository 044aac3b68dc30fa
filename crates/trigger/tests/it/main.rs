//! What triggers promise.

mod alarms;
mod grace;
mod low_traffic;
mod oracle;
mod prometheus;
mod states;
