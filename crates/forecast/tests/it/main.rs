//! The mathematics, against what is known exactly.

mod exact;
mod networks;
mod schedules;
