//! The mathematics, against what is known exactly.

mod attempts;
mod exact;
mod networks;
mod schedules;
