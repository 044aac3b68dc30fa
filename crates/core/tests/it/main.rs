//! The core against its promises: one door for every command, offers that hold, logs of
//! every version.

mod begin;
mod door;
mod golden;
mod jump;
mod order;
mod scene;
