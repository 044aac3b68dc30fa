//! What a ledger holds of a run, read back whole: for comparing it with the run's log, and for
//! rebuilding a log that has lost its end.

use std::fs;
use std::io;

use backout_core::attempt::AttemptId;
use backout_core::ids::{Epoch, RunId};
use backout_core::rebuild::{AttemptEnd, ProvenAttempt};
use backout_engine::hands::Report;

use crate::ledger::disk::{folders_of, write_whole};
use crate::ledger::{Claim, Dispatch, Ledger, readable};

/// An attempt that a supervisor accepted, with everything the ledger holds of it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Which attempt.
    pub id: AttemptId,
    /// Its dispatch.
    pub dispatch: Dispatch,
    /// What it was asked to do and how it ended, as far as that is proven.
    pub proven: ProvenAttempt,
    /// How it ended, as it is written down; `None` where it is not, or cannot be read.
    pub report: Option<Report>,
    /// What of it is missing or was changed.
    pub problems: Vec<String>,
}

impl Ledger {
    /// Every attempt of a run that a supervisor accepted, in the order of the terms in which
    /// they were dispatched.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn entries(&self, run: &RunId) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for step in folders_of(&self.run_folder(run).join("steps"))? {
            for folder in folders_of(&step)? {
                let dispatch = Dispatch::at(&folder);
                // What cannot be read is among the problems of the ledger.
                match readable(dispatch.claimed())? {
                    Some(Claim::Supervisor { id: Some(id), key, .. }) => {
                        entries.push(entry(dispatch, *id, key)?);
                    }
                    Some(Claim::Supervisor { .. } | Claim::Fenced) | None => {}
                }
            }
        }
        entries.sort_by(|a, b| {
            let order =
                |entry: &Entry| (entry.proven.epoch, entry.id.step.clone(), entry.id.attempt);
            order(a).cmp(&order(b))
        });
        Ok(entries)
    }

    /// Keeps the first record of a run beside its ledger: a log that is lost as a whole is
    /// rebuilt on it, because the plan stands in it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_first(&self, run: &RunId, record: &[u8]) -> io::Result<()> {
        let path = self.run_folder(run).join("first.json");
        match path.exists() {
            true => Ok(()),
            false => write_whole(&path, record),
        }
    }

    /// The first record of a run, if it was kept.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn first(&self, run: &RunId) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.run_folder(run).join("first.json")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }
}

fn entry(dispatch: Dispatch, id: AttemptId, claimed: Option<String>) -> io::Result<Entry> {
    let mut problems = Vec::new();
    let request = dispatch.request();
    let (key, effect) = match &request {
        Ok(request) if request.id != id => {
            problems.push("its request is about another attempt".to_owned());
            (None, None)
        }
        Ok(request) if request.step.action_digest() != id.action => {
            problems.push("its request is about another action".to_owned());
            (claimed, None)
        }
        Ok(request) if claimed.as_ref().is_some_and(|claimed| *claimed != request.key) => {
            problems.push("its request has another key".to_owned());
            (claimed, Some(request.step.effect()))
        }
        Ok(request) => (Some(request.key.clone()), Some(request.step.effect())),
        Err(error) => {
            problems.push(format!("its request cannot be read: {error}"));
            (claimed, None)
        }
    };
    let report = match dispatch.end(&id) {
        Ok(report) => report,
        Err(error) => {
            problems.push(format!("its result cannot be read: {error}"));
            None
        }
    };
    let end = match &report {
        Some(Report::Done(_)) => AttemptEnd::Done,
        Some(Report::Failed { .. }) => AttemptEnd::Failed,
        Some(Report::Doubt { .. }) => AttemptEnd::Unknown,
        None if dispatch.is_alive()? => AttemptEnd::AtWork,
        None => AttemptEnd::Unknown,
    };
    let epoch = Epoch(dispatch.term().unwrap_or(0));
    let proven = ProvenAttempt { id: id.clone(), key, effect, epoch, end };
    Ok(Entry { id, dispatch, proven, report, problems })
}
