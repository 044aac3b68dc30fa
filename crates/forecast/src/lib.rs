//! How long, how likely, until when.
#![doc = include_str!("../README.md")]

mod attempts;
pub mod finish;
pub mod fix;
pub mod learning;
pub mod network;
pub mod outlook;
pub mod partial;
mod random;
pub mod schedule;
pub mod sensitivity;
pub mod shape;
pub mod simulate;
mod special;
pub mod table;
