//! One dispatch of an attempt: who accepted it, and how it ended.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use backout_core::attempt::AttemptId;
use backout_core::doubt::Observation;
use backout_core::event::{DoubtCause, Evidence};
use backout_core::moment::Moment;
use backout_core::plan::Action;
use backout_engine::clock::Clock;
use backout_engine::hands::Report;

use crate::clock::SystemClock;
use crate::process::{is_of_attempt, processes};

use super::disk::{flush_folder, read_whole, write_whole};
use super::notes::{Claim, Exit, Request, fits};

/// One dispatch of an attempt.
#[derive(Debug, Clone)]
pub struct Dispatch {
    pub(super) folder: PathBuf,
}

impl Dispatch {
    /// The dispatch in a folder.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What to do.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn request(&self) -> io::Result<Request> {
        read_whole(&self.folder.join("request.json"))
    }

    /// Accepts or fences the dispatch. `false` when somebody was first.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn claim(&self, claim: &Claim) -> io::Result<bool> {
        let text = serde_json::to_vec(claim).map_err(io::Error::other)?;
        let own = self.folder.join(format!("claim.{}", std::process::id()));
        // What a killed process of this number left may be a link to the claim
        // itself: it must not be written through.
        match fs::remove_file(&own) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::options().write(true).create_new(true).open(&own)?;
        file.write_all(&text)?;
        file.sync_all()?;
        let linked = fs::hard_link(&own, self.folder.join("claim.json"));
        fs::remove_file(&own)?;
        // The claim is the first thing of a dispatch that has to last: with it the folders that
        // lead to it, of the dispatch, of its step, of all steps.
        for folder in self.folder.ancestors().take(3) {
            flush_folder(folder)?;
        }
        match linked {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes down how this attempt ended.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_end(&self, id: &AttemptId, report: &Report) -> io::Result<()> {
        let exit = Exit { id: Some(id.clone()), report: report.clone() };
        let text = serde_json::to_vec(&exit).map_err(io::Error::other)?;
        write_whole(&self.folder.join("exit.json"), &text)
    }

    /// How this attempt ended, if that is written down. What is written down about another
    /// attempt is a doubt.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn end(&self, id: &AttemptId) -> io::Result<Option<Report>> {
        Ok(self.exit()?.map(|exit| match fits(exit.id.as_ref(), id) {
            true => exit.report,
            false => Report::Doubt {
                cause: DoubtCause::LedgerForeign,
                evidence: Evidence::saying("the result in the ledger is that of another attempt"),
            },
        }))
    }

    /// Whether an end is written down.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn has_ended(&self) -> io::Result<bool> {
        Ok(self.exit()?.is_some())
    }

    pub(super) fn exit(&self) -> io::Result<Option<Exit>> {
        let path = self.folder.join("exit.json");
        match read_whole(&path) {
            Ok(exit) => Ok(Some(exit)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // An earlier version wrote the report alone.
            Err(error) => match read_whole(&path) {
                Ok(report) => Ok(Some(Exit { id: None, report })),
                Err(_) => Err(error),
            },
        }
    }

    /// A new file for output.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn output(&self, name: &str) -> io::Result<File> {
        File::create(self.folder.join(name))
    }

    /// By how much it is past its time-out, if it has one and is past it.
    #[must_use]
    pub fn overdue(&self) -> Option<Duration> {
        let deadline = self.request().ok()?.deadline()?;
        self.age()?.checked_sub(deadline)
    }

    /// Whether its supervisor ends it as soon as a person wants it stopped. A request that was sent
    /// cannot be called back, and a restore stops between two files.
    #[must_use]
    pub fn ends_when_asked(&self) -> bool {
        self.request().is_ok_and(|request| matches!(request.step.action, Action::Run(_)))
    }

    /// How long ago it was accepted.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let age = SystemClock.moment().since(&self.accepted_at()?);
        Duration::try_from(age).ok()
    }

    /// When it was accepted.
    pub(crate) fn accepted_at(&self) -> Option<Moment> {
        if let Ok(Some(Claim::Supervisor { at: Some(at), .. })) = self.claimed() {
            return Some(at);
        }
        // An earlier version did not write it down.
        let claim = fs::metadata(self.folder.join("claim.json"));
        let made = claim.and_then(|about| about.modified()).ok()?;
        Some(Moment::from(Timestamp::try_from(made).ok()?))
    }

    /// What is noted about it; one that nobody accepted is fenced.
    pub(super) fn observe(&self, id: &AttemptId) -> io::Result<Observation> {
        if let Some(seen) = self.look(id)? {
            return Ok(seen);
        }
        match self.claim(&Claim::Fenced)? {
            true if self.was_carried_out()? || is_at_work(id) => {
                Ok(Observation::Vanished(DoubtCause::LedgerLost))
            }
            true => Ok(Observation::NeverAccepted),
            false => Ok(self.look(id)?.unwrap_or(Observation::NeverAccepted)),
        }
    }

    /// Whether it left what only a dispatch does that was accepted: then its claim is lost. A
    /// supervisor empties the output files before it makes its claim, and writes behind it.
    fn was_carried_out(&self) -> io::Result<bool> {
        let is_written =
            |name: &str| fs::metadata(self.folder.join(name)).is_ok_and(|about| about.len() > 0);
        Ok(self.has_ended()? || is_written("stdout") || is_written("stderr"))
    }

    /// What is noted about it, only looking; `None` when nobody has claimed it.
    ///
    /// What is there and cannot be read never can be: that is a doubt, and no error to wait on.
    pub(super) fn look(&self, id: &AttemptId) -> io::Result<Option<Observation>> {
        match self.look_closely(id) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Ok(Some(Observation::Vanished(DoubtCause::LedgerLost)))
            }
            looked => looked,
        }
    }

    fn look_closely(&self, id: &AttemptId) -> io::Result<Option<Observation>> {
        match self.claimed()? {
            None => return Ok(None),
            Some(Claim::Fenced) => return Ok(Some(Observation::NeverAccepted)),
            Some(Claim::Supervisor { id: claimed, .. }) if !fits(claimed.as_deref(), id) => {
                return Ok(Some(Observation::Vanished(DoubtCause::LedgerForeign)));
            }
            Some(Claim::Supervisor { .. }) => {}
        }
        if self.has_ended()? {
            return Ok(Some(Observation::Ended));
        }
        if self.is_alive()? {
            return Ok(Some(Observation::Running));
        }
        // It may have ended between the two looks.
        Ok(Some(match self.has_ended()? {
            true => Observation::Ended,
            false => Observation::Vanished(DoubtCause::SupervisorLost),
        }))
    }

    /// Who decides about it, if anybody has said so.
    pub(crate) fn claimed(&self) -> io::Result<Option<Claim>> {
        match read_whole(&self.folder.join("claim.json")) {
            Ok(claim) => Ok(Some(claim)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether somebody has said who decides about it.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn is_claimed(&self) -> io::Result<bool> {
        Ok(self.claimed()?.is_some())
    }

    /// Whether it will never be accepted.
    pub(crate) fn is_fenced(&self) -> io::Result<bool> {
        Ok(self.claimed()? == Some(Claim::Fenced))
    }

    /// The term of the coordinator that made it.
    pub(crate) fn term(&self) -> Option<u64> {
        let name = self.folder.file_name()?.to_str()?;
        name.split_once('.')?.1.parse().ok()
    }
}

/// Whether a command of this attempt is alive, by what it says in its environment. One that nobody
/// has accepted has none.
pub(super) fn is_at_work(id: &AttemptId) -> bool {
    processes().into_iter().any(|process| is_of_attempt(process.pid, id))
}

/// Makes sure that the dispatch in this folder, if nobody accepted it, is never accepted.
pub(super) fn fence(folder: &Path) -> io::Result<()> {
    if folder.join("claim.json").exists() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    Dispatch::at(folder).claim(&Claim::Fenced)?;
    Ok(())
}
