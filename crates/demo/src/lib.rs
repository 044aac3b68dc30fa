//! The practice ground: a small real portal to break and to bring back.
//!
//! It is small, but nothing in it is pretended: two processes that speak HTTP
//! (the application and the traffic switch in front of it), a SQLite database
//! with customers and orders, application files, configuration, and people who use
//! it. Its release v2.0 does what bad releases do: its migration loses customers, and
//! whoever is lost cannot log in any more.
//!
//! The one thing that is paced rather than real is the restore of the database:
//! a file of two megabytes copies too fast to be interrupted, so the copy rests
//! between its parts.

mod application;
mod front;
mod layout;
mod operate;
mod release;
mod traffic;

use std::path::PathBuf;

use clap::Subcommand;

pub use layout::{Layout, Ports};
pub use operate::{start_all, start_traffic, stop_all};
pub use release::{back_up, install, release_v2, summary};

/// The plan of the example, which the portal is backed out with.
pub const PLAN: &str = include_str!("../../../examples/customer-portal/portal.backout.yaml");

/// What the example's plan calls.
#[derive(Debug, Subcommand)]
pub enum PortalCommand {
    /// Serve the application, in the foreground.
    Serve {
        /// The portal's folder.
        folder: PathBuf,
    },
    /// Serve the traffic switch, in the foreground.
    Front {
        /// The portal's folder.
        folder: PathBuf,
    },
    /// Start the application in the background.
    Start {
        /// The portal's folder.
        folder: PathBuf,
    },
    /// Stop the application.
    Stop {
        /// The portal's folder.
        folder: PathBuf,
    },
    /// Use the portal like its customers do, in the foreground and without end.
    Traffic {
        /// The portal's folder.
        folder: PathBuf,
    },
    /// Migrate the database to v2.0.
    Migrate {
        /// The portal's folder.
        folder: PathBuf,
    },
    /// Restore the database from its backup.
    RestoreDb {
        /// The portal's folder.
        folder: PathBuf,
    },
}

/// Carries out a command of the portal.
///
/// # Errors
/// A sentence that says why not.
pub fn portal(command: PortalCommand) -> Result<(), String> {
    let done = match command {
        PortalCommand::Serve { folder } => application::serve(&Layout::at(folder)),
        PortalCommand::Front { folder } => front::serve(&Layout::at(folder)),
        PortalCommand::Start { folder } => operate::start(&Layout::at(folder)),
        PortalCommand::Stop { folder } => operate::stop(&Layout::at(folder)),
        PortalCommand::Traffic { folder } => traffic::come_and_go(&Layout::at(folder)),
        PortalCommand::Migrate { folder } => release::migrate(&Layout::at(folder)),
        PortalCommand::RestoreDb { folder } => operate::restore_db(&Layout::at(folder)),
    };
    done.map_err(|error| error.to_string())
}

type Any = Box<dyn std::error::Error + Send + Sync>;
