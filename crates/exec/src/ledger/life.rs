//! What of a dispatch is alive, waiting for it, and ending it.

use std::fs::File;
use std::io;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};

use super::disk::{is_locked, open_lock};
use super::dispatch::Dispatch;
use super::notes::Claim;
use crate::process;

/// What waiting for an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// Nothing of it is alive.
    Ended,
    /// It is past its deadline, and something of it is alive that cannot be ended.
    Unended,
}

/// How long what is past its deadline is waited for, while it is being ended.
const UNENDED: Duration = Duration::from_secs(10);

impl Dispatch {
    /// The supervisor's lock, taken.
    ///
    /// # Errors
    /// When another supervisor has it.
    pub fn lock_supervisor(&self) -> io::Result<File> {
        let file = open_lock(&self.folder.join("supervisor.lock"))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(file)
    }

    /// A lock that everything the step starts inherits.
    ///
    /// # Errors
    /// When it cannot be taken.
    pub fn lock_processes(&self) -> io::Result<File> {
        let file = open_lock(&self.folder.join("processes.lock"))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty())?;
        Ok(file)
    }

    /// Waits until nothing of it is alive, or until it is past its deadline and cannot be ended.
    ///
    /// # Errors
    /// When the locks cannot be used.
    pub fn wait(&self) -> io::Result<Waited> {
        let supervisor = open_lock(&self.folder.join("supervisor.lock"))?;
        flock(&supervisor, FlockOperation::LockShared)?;
        drop(supervisor);
        // Once the end is written down, what it left running does not matter.
        // Without its supervisor nobody else keeps its time, so it is kept here.
        let deadline = self.request().ok().and_then(|request| request.deadline());
        while !self.has_ended()?
            && (is_locked(&self.folder.join("processes.lock"))? || self.has_left_something()?)
        {
            let late = deadline.and_then(|deadline| self.age()?.checked_sub(deadline));
            if late.is_some() {
                self.end_session(Signal::KILL);
            }
            // What cannot be ended is in doubt then, and not running.
            if late.is_some_and(|late| late > UNENDED) {
                return Ok(Waited::Unended);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(Waited::Ended)
    }

    /// The supervisor's process, if it is alive.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn supervisor(&self) -> io::Result<Option<i32>> {
        if !is_locked(&self.folder.join("supervisor.lock"))? {
            return Ok(None);
        }
        // It takes its lock before it makes its claim.
        match self.claimed()? {
            Some(Claim::Supervisor { pid, .. }) => Ok(Some(pid)),
            Some(Claim::Fenced) | None => Ok(None),
        }
    }

    /// Whether a process of the supervisor's session is alive, or one that names the attempt in
    /// its environment. A command can close the lock it inherited, as `sudo` does, and leave its
    /// session, as a daemon does; both at once and its environment cleared is rare.
    pub(super) fn has_left_something(&self) -> io::Result<bool> {
        if !self.session()?.is_empty() {
            return Ok(true);
        }
        let Ok(request) = self.request() else { return Ok(false) };
        Ok(!process::all_of(&request.key, request.id.attempt).is_empty())
    }

    /// Living processes of the supervisor's session, the supervisor left out.
    pub(super) fn session(&self) -> io::Result<Vec<i32>> {
        let Some(Claim::Supervisor { pid, birth, .. }) = self.claimed()? else {
            return Ok(Vec::new());
        };
        Ok(birth.session_of(pid))
    }

    /// Ends what is left of a step whose supervisor is gone. Only what says in its environment
    /// that it belongs to this attempt: nothing is killed by its number alone.
    pub fn end_session(&self, signal: Signal) {
        let Ok(request) = self.request() else { return };
        for pid in process::all_of(&request.key, request.id.attempt) {
            if let Some(process) = Pid::from_raw(pid) {
                let _ = kill_process(process, signal);
            }
        }
    }
}
