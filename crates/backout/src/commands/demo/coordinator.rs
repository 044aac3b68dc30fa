//! The coordinator of the demonstration: this program in a process of its own, which can
//! be killed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::say;
use crate::failure::Failure;

/// Which coordinator is at work, for whoever has to stop everything at once.
#[derive(Clone, Default)]
pub(super) struct Leash(Arc<AtomicU32>);

impl Leash {
    pub(super) fn kill(&self) {
        let id = i32::try_from(self.0.load(Ordering::Relaxed)).ok();
        if let Some(id) = id.and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
        }
    }
}

/// A coordinator in a process of its own, its lines shown as they come.
pub(super) struct Coordinator {
    pub(super) child: Child,
    lines: Option<std::thread::JoinHandle<()>>,
    leash: Leash,
}

impl Coordinator {
    pub(super) fn start(mut command: Command, leash: &Leash) -> Result<Self, Failure> {
        let (reader, writer) = std::io::pipe()?;
        let child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
        leash.0.store(child.id(), Ordering::Relaxed);
        // The command holds the pipe's other end; the pipe must close with the child.
        drop(command);
        let lines = std::thread::spawn(move || {
            for line in BufReader::new(reader).lines() {
                let Ok(line) = line else { break };
                say(&format!("     {line}"));
            }
        });
        Ok(Self { child, lines: Some(lines), leash: leash.clone() })
    }

    /// The code it ended with, if it has.
    pub(super) fn ended(&mut self) -> Result<Option<i32>, Failure> {
        Ok(self.child.try_wait()?.map(|status| status.code().unwrap_or(-1)))
    }

    pub(super) fn join(&mut self) {
        let _ = self.child.wait();
        self.leash.0.store(0, Ordering::Relaxed);
        if let Some(lines) = self.lines.take() {
            let _ = lines.join();
        }
    }

    pub(super) fn end(&mut self) {
        let _ = self.child.kill();
        self.join();
    }
}

/// However the story ends, nobody is left at work on it.
impl Drop for Coordinator {
    fn drop(&mut self) {
        self.end();
    }
}
