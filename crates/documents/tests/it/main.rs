//! Promises of the documents that are made of a run.

mod night;
mod report;
mod saying;
