//! How long, how likely, until when.
#![doc = include_str!("../README.md")]

pub mod network;
mod random;
pub mod shape;
pub mod simulate;
pub mod table;
