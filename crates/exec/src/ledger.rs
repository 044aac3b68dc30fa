//! What is written down about an attempt, where a crash cannot reach it.
//!
//! Each dispatch of an attempt has a folder:
//!
//! | file | written by | says |
//! |---|---|---|
//! | `request.json` | the coordinator, before it starts a supervisor | what to do |
//! | `claim.json` | whoever is first | who decides about this dispatch |
//! | `supervisor.lock` | held by the supervisor while it lives | it lives |
//! | `processes.lock` | held by everything the step started, by inheritance | something lives |
//! | `exit.json` | the supervisor, at the end | how it ended |
//! | `stdout`, `stderr` | the supervisor | what it printed |
//!
//! The claim is the fence. A supervisor *links* a finished file to that name
//! before it does anything; a recovering coordinator that finds no claim links
//! its own. A link succeeds for exactly one of them. So when recovery says
//! "never accepted", a supervisor that is still starting somewhere will find the
//! claim taken and go away, and the attempt can be dispatched again. The folder
//! of each earlier term is made and fenced for the same reason.
//!
//! Liveness is a lock and not a process number: the kernel releases it at the
//! moment of death, and numbers are used again.

pub(crate) mod disk;
mod dispatch;
mod life;
mod notes;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use backout_core::attempt::AttemptId;
use backout_core::doubt::Observation;
use backout_core::event::DoubtCause;
use backout_core::ids::{Epoch, RunId, RunUid, StepId};

use disk::{flush_folder, folders_of, write_whole};
use dispatch::fence;

pub use dispatch::Dispatch;
pub use notes::{Claim, Request};

/// Nothing where what is there cannot be read, and never can be.
pub(crate) fn readable<T>(found: io::Result<Option<T>>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        found => found,
    }
}

/// What marks the ledger of a run.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    run: RunId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<RunUid>,
}

/// The ledger of one machine: a folder with one folder per run.
#[derive(Debug, Clone)]
pub struct Ledger {
    root: PathBuf,
}

impl Ledger {
    /// The ledger in a folder.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Where a run keeps its things.
    #[must_use]
    pub fn run_folder(&self, run: &RunId) -> PathBuf {
        self.root.join(run.as_str())
    }

    /// Marks that a run's ledger exists, before anything of the run is dispatched.
    /// A run that has dispatched something and has no mark has lost its ledger.
    ///
    /// # Errors
    /// When it cannot be written, or is that of another run of this name.
    pub fn begin_run(&self, run: &RunId, uid: Option<&RunUid>) -> io::Result<()> {
        let folder = self.run_folder(run);
        fs::create_dir_all(folder.join("steps"))?;
        // What cannot be read says of no other run that it is its own.
        match readable(self.mark(run))? {
            None => {
                let mark = Mark { run: run.clone(), uid: uid.cloned() };
                let text = serde_json::to_vec(&mark).map_err(io::Error::other)?;
                write_whole(&folder.join("ledger"), &text)?;
                flush_folder(&self.root)
            }
            Some(mark) if mark.uid.as_ref() == uid => Ok(()),
            Some(_) => Err(io::Error::other(format!(
                "{} holds what another run of this name did",
                folder.display()
            ))),
        }
    }

    /// What of a run's ledger as a whole is missing or cannot be read, for people.
    #[must_use]
    pub fn problems(&self, run: &RunId) -> Vec<String> {
        let mut problems = Vec::new();
        match self.mark(run) {
            Ok(Some(_)) => {}
            Ok(None) => problems.push("it is gone".to_owned()),
            Err(error) => problems.push(format!("it cannot be read: {error}")),
        }
        let steps = folders_of(&self.run_folder(run).join("steps")).unwrap_or_default();
        for folder in steps.iter().filter_map(|step| folders_of(step).ok()).flatten() {
            if let Err(error) = Dispatch::at(&folder).claimed() {
                problems.push(format!("{}: {error}", folder.join("claim.json").display()));
            }
        }
        problems
    }

    /// Whether a run has its ledger.
    #[must_use]
    pub fn is_begun(&self, run: &RunId) -> bool {
        self.mark(run).is_ok_and(|mark| mark.is_some())
    }

    /// What marks the ledger of a run, if it has one.
    fn mark(&self, run: &RunId) -> io::Result<Option<Mark>> {
        let bytes = match fs::read(self.run_folder(run).join("ledger")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        // An earlier version wrote the name alone.
        let plain =
            || (bytes == run.as_str().as_bytes()).then(|| Mark { run: run.clone(), uid: None });
        match serde_json::from_slice(&bytes).ok().or_else(plain) {
            Some(mark) => Ok(Some(mark)),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, "its mark cannot be read")),
        }
    }

    /// Every run that began to do something here, by name.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn runs(&self) -> io::Result<Vec<RunId>> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut runs = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let run = name.to_str().and_then(|name| RunId::new(name).ok());
            runs.extend(run.filter(|_| entry.path().join("ledger").exists()));
        }
        runs.sort();
        Ok(runs)
    }

    /// The folder of a dispatch, made new.
    ///
    /// # Errors
    /// When it cannot be written, or the ledger of the run is gone.
    pub fn begin(&self, request: &Request) -> io::Result<Dispatch> {
        if self.mark(&request.id.run)?.is_none() {
            return Err(io::Error::other("the ledger of its run is gone"));
        }
        let step = self.step_folder(&request.id.run, &request.step.id);
        let folder = step.join(format!("{}.{}", request.id.attempt, request.epoch));
        fs::create_dir_all(&folder)?;
        let dispatch = Dispatch { folder };
        let file = dispatch.folder.join("request.json");
        // Only a fence may be there already: what was dispatched is not dispatched again.
        if file.exists() {
            return Err(io::Error::other(format!("{} is there already", file.display())));
        }
        let text = serde_json::to_vec_pretty(request).map_err(io::Error::other)?;
        // Whole, and not yet durable: what nobody claimed has had no effect, and who claims it
        // flushes the folders above.
        let new = file.with_extension("new");
        fs::write(&new, &text)?;
        fs::rename(&new, &file)?;
        Ok(dispatch)
    }

    /// Every dispatch of an attempt, the latest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn dispatches(
        &self,
        run: &RunId,
        step: &StepId,
        attempt: u32,
    ) -> io::Result<Vec<Dispatch>> {
        let folder = self.step_folder(run, step);
        let mut found: Vec<(u64, PathBuf)> = Vec::new();
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let epoch =
                name.strip_prefix(&format!("{attempt}.")).and_then(|epoch| epoch.parse().ok());
            found.extend(epoch.map(|epoch| (epoch, entry.path())));
        }
        found.sort_by_key(|(epoch, _)| std::cmp::Reverse(*epoch));
        Ok(found.into_iter().map(|(_, folder)| Dispatch { folder }).collect())
    }

    /// Every attempt of a run that a supervisor accepted.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn noted(&self, run: &RunId) -> io::Result<Vec<AttemptId>> {
        let mut noted = Vec::new();
        for step in folders_of(&self.run_folder(run).join("steps"))? {
            for dispatch in folders_of(&step)? {
                if let Some(Claim::Supervisor { id: Some(id), .. }) =
                    readable(Dispatch::at(&dispatch).claimed())?
                {
                    noted.push(*id);
                }
            }
        }
        Ok(noted)
    }

    /// The latest dispatch of any attempt at a step that somebody accepted or may
    /// still accept, with the attempt's number.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn latest(&self, run: &RunId, step: &StepId) -> io::Result<Option<(u32, Dispatch)>> {
        let entries = match fs::read_dir(self.step_folder(run, step)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            entries => entries?,
        };
        let mut latest: Option<(u32, u64, PathBuf)> = None;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some((attempt, epoch)) = name.split_once('.') else { continue };
            let (Ok(attempt), Ok(epoch)) = (attempt.parse(), epoch.parse()) else { continue };
            let newer = latest.as_ref().is_none_or(|(a, e, _)| (*a, *e) < (attempt, epoch));
            if newer && !Dispatch::at(&entry.path()).is_fenced()? {
                latest = Some((attempt, epoch, entry.path()));
            }
        }
        Ok(latest.map(|(attempt, _, folder)| (attempt, Dispatch { folder })))
    }

    /// What is noted about an attempt, asked by the coordinator of a term. From
    /// now on no dispatch of an earlier term that was not accepted can be accepted
    /// any more, not even one that its coordinator has yet to make: such a
    /// coordinator may have been held up between its intent and its dispatch.
    ///
    /// # Errors
    /// When the ledger is there and cannot be read or written: then nothing is
    /// known and nothing may be concluded.
    pub fn observe(&self, id: &AttemptId, by: Epoch) -> io::Result<Observation> {
        match readable(self.mark(&id.run))? {
            None => return Ok(Observation::Vanished(DoubtCause::LedgerLost)),
            Some(mark) if mark.uid != id.uid => {
                return Ok(Observation::Vanished(DoubtCause::LedgerForeign));
            }
            Some(_) => {}
        }
        let attempt = id.attempt;
        let folder = self.step_folder(&id.run, &id.step);
        let mut seen = Observation::NeverAccepted;
        for dispatch in self.dispatches(&id.run, &id.step, attempt)? {
            let observed = match dispatch.term() <= Some(by.0) {
                true => dispatch.observe(id)?,
                // A later term is its own coordinator's business.
                false => dispatch.look(id)?.unwrap_or(Observation::NeverAccepted),
            };
            if observed != Observation::NeverAccepted {
                seen = observed;
                break;
            }
        }
        if seen == Observation::NeverAccepted && dispatch::is_at_work(id) {
            return Ok(Observation::Vanished(DoubtCause::LedgerLost));
        }
        if seen == Observation::NeverAccepted {
            for earlier in 1..by.0 {
                fence(&folder.join(format!("{attempt}.{earlier}")))?;
            }
        }
        Ok(seen)
    }

    fn step_folder(&self, run: &RunId, step: &StepId) -> PathBuf {
        self.run_folder(run).join("steps").join(step.as_str())
    }
}
