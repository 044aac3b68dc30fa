//! What of a dispatch is alive, and ending it.

use std::fs::File;
use std::io;

use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use backout_core::event::LeftRunning;

use super::disk::{is_locked, open_lock};
use super::dispatch::Dispatch;
use super::notes::Claim;
use super::readable;
use crate::process::{self, Process, processes};

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

    /// Whether its supervisor lives and has not written down the end.
    ///
    /// # Errors
    /// When its lock cannot be used.
    pub fn is_supervised(&self) -> io::Result<bool> {
        is_locked(&self.folder.join("supervisor.lock"))
    }

    /// Whether its end is written down, or a supervisor accepted it and nothing of it is alive.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn is_over(&self) -> io::Result<bool> {
        let accepted = matches!(readable(self.claimed())?, Some(Claim::Supervisor { .. }));
        Ok(self.has_ended()? || (accepted && !self.is_alive()?))
    }

    /// Whether its supervisor is alive, or something that the step started.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn is_alive(&self) -> io::Result<bool> {
        Ok(self.is_supervised()?
            || is_locked(&self.folder.join("processes.lock"))?
            || !self.left()?.is_empty())
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
        match readable(self.claimed())? {
            Some(Claim::Supervisor { pid, .. }) => Ok(Some(pid)),
            Some(Claim::Fenced) | None => Ok(None),
        }
    }

    /// Living processes of the supervisor's session, itself left out, those that name the attempt
    /// in their environment, and those that hold the lock they inherited. A command can close that
    /// lock, as `sudo` does, and leave its session, as a daemon does. One that did both and
    /// cleared its environment, or belongs to another account, is not found.
    fn left(&self) -> io::Result<Vec<Process>> {
        let Some(Claim::Supervisor { pid, birth, .. }) = readable(self.claimed())? else {
            return Ok(self.own());
        };
        let mut left = birth.session_of(pid);
        let known: Vec<i32> = left.iter().map(|process| process.pid).collect();
        // The supervisor may live on for the output of what it left running.
        let others = self.own().into_iter().filter(|it| it.pid != pid && !known.contains(&it.pid));
        left.extend(others);
        Ok(left)
    }

    /// Living processes that are of this attempt by their environment or by the lock.
    fn own(&self) -> Vec<Process> {
        let is_own = self.is_own();
        processes().into_iter().filter(|process| is_own(process.pid)).collect()
    }

    /// What tells whether the process of a number is of this attempt.
    fn is_own(&self) -> impl Fn(i32) -> bool {
        let request = self.request().ok();
        let lock = self.folder.join("processes.lock").canonicalize().ok();
        move |pid| {
            request.as_ref().is_some_and(|it| process::is_of(pid, &it.key, it.id.attempt))
                || lock.as_ref().is_some_and(|lock| process::holds_lock(pid, lock))
        }
    }

    /// The same, for people.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn left_running(&self) -> io::Result<Vec<LeftRunning>> {
        Ok(self.left()?.iter().map(process::left_running).collect())
    }

    /// Asks the supervisor to stop its step. Its lock proves that it lives; that the process of
    /// its number is this one is asked too, as the lock holds in other PID namespaces as well.
    /// `false` when it could not be asked.
    pub fn ask_to_stop(&self) -> bool {
        let Ok(Some(Claim::Supervisor { pid, birth, .. })) = self.claimed() else { return false };
        let is_meant = || self.is_supervised().unwrap_or(false) && birth.is_of(pid);
        process::send_signal(pid, Signal::TERM, is_meant)
    }

    /// Ends the supervisor, where it hangs. As with [`Self::ask_to_stop`] its lock proves that it
    /// lives, and its birth that the process of its number is the one that is meant.
    pub fn end_supervisor(&self) {
        let Ok(Some(Claim::Supervisor { pid, birth, .. })) = self.claimed() else { return };
        let is_meant = || self.is_supervised().unwrap_or(false) && birth.is_of(pid);
        process::send_signal(pid, Signal::KILL, is_meant);
    }

    /// Ends what is left of a step whose supervisor is gone; does nothing while it lives. Only
    /// what says in its environment that it is of this attempt, or holds the lock that was
    /// inherited: nothing is killed by its number alone. Returns what got the signal.
    pub fn end_left(&self, signal: Signal) -> Vec<LeftRunning> {
        // One that is about to accept holds both locks.
        if self.is_supervised().unwrap_or(true) {
            return Vec::new();
        }
        let is_own = self.is_own();
        let mut ended = self.own();
        ended.retain(|found| process::send_signal(found.pid, signal, || is_own(found.pid)));
        ended.iter().map(process::left_running).collect()
    }
}
