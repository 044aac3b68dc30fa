//! The arguments of the demonstration.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct DemoArgs {
    /// Kill the coordinator with kill -9 in the middle of the database restore, and resume.
    #[arg(long)]
    pub(crate) kill: bool,
    /// Decide yourself what follows from the failing logins.
    #[arg(long)]
    pub(crate) decide: bool,
    #[command(subcommand)]
    pub(crate) what: Option<DemoCommand>,
}

/// The demonstration by hand.
#[derive(Debug, Subcommand)]
pub(crate) enum DemoCommand {
    /// Set up the portal in a folder, released to a broken v2.0, and leave it running.
    Up {
        /// The folder; it must not exist.
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
        /// Leave it at v1.9, so that you deploy v2.0 yourself.
        #[arg(long)]
        fresh: bool,
    },
    /// Stop the portal in a folder and remove the folder.
    Down {
        /// The folder.
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
}
