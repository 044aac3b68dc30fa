//! The coordinator of the demonstration: this program in a process of its own, which can
//! be killed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command};

use super::say;
use crate::failure::Failure;

/// A coordinator in a process of its own, its lines shown as they come.
pub(super) struct Coordinator {
    pub(super) child: Child,
    lines: Option<std::thread::JoinHandle<()>>,
}

impl Coordinator {
    pub(super) fn start(mut command: Command) -> Result<Self, Failure> {
        let (reader, writer) = std::io::pipe()?;
        let child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
        // The command holds the pipe's other end; the pipe must close with the child.
        drop(command);
        let lines = std::thread::spawn(move || {
            for line in BufReader::new(reader).lines() {
                let Ok(line) = line else { break };
                say(&format!("     {line}"));
            }
        });
        Ok(Self { child, lines: Some(lines) })
    }

    /// The code it ended with, if it has.
    pub(super) fn ended(&mut self) -> Result<Option<i32>, Failure> {
        Ok(self.child.try_wait()?.map(|status| status.code().unwrap_or(-1)))
    }

    pub(super) fn join(&mut self) {
        let _ = self.child.wait();
        if let Some(lines) = self.lines.take() {
            let _ = lines.join();
        }
    }

    pub(super) fn end(&mut self) {
        let _ = self.child.kill();
        self.join();
    }
}
