//! The front door: the command line. The only crate that wires the others.

mod app;
mod cli;
mod commands;
mod errors;
mod failure;
mod foresight;
mod output;
mod policy;
mod run_ref;
mod suspect;
mod view;

use std::process::ExitCode;

use failure::{Exit, Failure};

fn main() -> ExitCode {
    failure::note_given(std::env::args_os());
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    // A panic is a mistake of ours. The log is safe: what is in it is whole, and
    // what is not in it is found by recovery.
    let code = match std::panic::catch_unwind(|| commands::dispatch(cli)) {
        Ok(Ok(code)) => code.into(),
        Ok(Err(failure)) => failure.print(),
        Err(_) => Failure::new(Exit::Bug, "this is a mistake in backout, not in your plan")
            .hint("the run is safe; `backout resume` goes on from its log")
            .print(),
    };
    output::finish();
    code
}
