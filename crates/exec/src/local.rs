//! Hands on this machine.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use backout_core::attempt::AttemptId;
use backout_core::doubt::Observation;
use backout_core::event::{DoubtCause, Evidence, FailureEffect};
use backout_core::ids::{Epoch, RunId};
use backout_core::plan::Step;
use backout_engine::fault::{self, Point};
use backout_engine::hands::{Hands, Patience, Report, Task, Unreadable, Verdict, World};

use crate::ledger::{Dispatch, Ledger, Request, Waited};
use crate::probe;

/// Hands on this machine: a supervisor process for each attempt.
pub struct LocalHands {
    ledger: Ledger,
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl LocalHands {
    /// Hands that keep their ledger in a folder and start supervisors as
    /// `program arguments… FOLDER`.
    #[must_use]
    pub fn new(ledger: Ledger, program: PathBuf, arguments: Vec<OsString>) -> Self {
        Self { ledger, program, arguments }
    }

    async fn start(&self, dispatch: &Dispatch) -> std::io::Result<()> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .arg(dispatch.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        // It never prints. The end of this pipe is the end of its work.
        if let Some(mut stdout) = child.stdout.take() {
            let _ = stdout.read_to_end(&mut Vec::new()).await;
        }
        Ok(())
    }

    /// What became of a dispatch whose supervisor is done.
    fn outcome(dispatch: &Dispatch, id: &AttemptId) -> Report {
        match dispatch.end(id) {
            Ok(Some(report)) => report,
            Ok(None) => vanished(DoubtCause::SupervisorLost, "its supervisor died without a word"),
            Err(error) => {
                vanished(DoubtCause::LedgerLost, &format!("its result cannot be read: {error}"))
            }
        }
    }
}

fn vanished(cause: DoubtCause, said: &str) -> Report {
    Report::Doubt { cause, evidence: Evidence::saying(said) }
}

impl Hands for LocalHands {
    async fn perform(&self, task: Task) -> Report {
        let step = task.step.id.clone();
        let request = Request {
            id: task.id.clone(),
            epoch: task.epoch,
            key: task.key.clone(),
            folder: task.world.folder.clone(),
            sources: task.world.sources.clone(),
            step: task.step,
        };
        let nothing_happened = |error: std::io::Error| Report::Failed {
            effect: FailureEffect::None,
            error: format!("it could not be started: {error}"),
            evidence: Evidence::default(),
        };
        let dispatch = match self.ledger.begin(&request) {
            Ok(dispatch) => dispatch,
            Err(error) => return nothing_happened(error),
        };
        fault::point(Point::Requested, step.as_str());
        if let Err(error) = self.start(&dispatch).await {
            return nothing_happened(error);
        }
        // A supervisor that died may have left its command alive: wait for that too.
        // While the ledger cannot be read nothing may be concluded, so wait.
        let observed = loop {
            match self.ledger.observe(&task.id, task.epoch) {
                Ok(observed) => break observed,
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        };
        match observed {
            Observation::Running => self.attach(&task.id).await,
            Observation::NeverAccepted => {
                nothing_happened(std::io::Error::other("its supervisor did not accept it"))
            }
            Observation::Ended | Observation::Vanished(_) => Self::outcome(&dispatch, &task.id),
        }
    }

    async fn observe(&self, id: &AttemptId, by: Epoch) -> Result<Observation, Unreadable> {
        let observed = self.ledger.observe(id, by);
        observed.map_err(|error| Unreadable(error.to_string()))
    }

    async fn noted(&self, run: &RunId) -> Result<Vec<AttemptId>, Unreadable> {
        self.ledger.noted(run).map_err(|error| Unreadable(error.to_string()))
    }

    async fn attach(&self, id: &AttemptId) -> Report {
        let dispatches = self.ledger.dispatches(&id.run, &id.step, id.attempt).unwrap_or_default();
        let accepted = dispatches.into_iter().find(|dispatch| {
            dispatch.has_ended().unwrap_or(true)
                || dispatch.supervisor().is_ok_and(|pid| pid.is_some())
                || dispatch.folder().join("processes.lock").exists()
        });
        let Some(dispatch) = accepted else {
            return vanished(DoubtCause::LedgerLost, "what was noted about it is gone");
        };
        let waiting = dispatch.clone();
        let waited = tokio::task::spawn_blocking(move || waiting.wait()).await;
        match waited {
            Ok(Ok(Waited::Ended)) => Self::outcome(&dispatch, id),
            Ok(Ok(Waited::Unended)) => vanished(
                DoubtCause::Unended,
                "it is past its time-out, and something that it may have left cannot be ended",
            ),
            Ok(Err(error)) => vanished(DoubtCause::LedgerLost, &error.to_string()),
            Err(error) => vanished(DoubtCause::LedgerLost, &error.to_string()),
        }
    }

    async fn accepted(&self, id: &AttemptId) -> Option<Timestamp> {
        let dispatches = self.ledger.dispatches(&id.run, &id.step, id.attempt).ok()?;
        let accepted = dispatches.iter().find(|dispatch| !dispatch.is_fenced().unwrap_or(true))?;
        Timestamp::try_from(accepted.accepted_at()?).ok()
    }

    async fn verify(&self, step: Step, world: Arc<World>, patience: Patience) -> Verdict {
        probe::ask(&step, &world, patience).await
    }

    async fn stop(&self, id: &AttemptId) {
        use rustix::process::{Pid, Signal, kill_process};
        let mut asked = None;
        // Until it has ended: it may not have been accepted yet, or its supervisor
        // may be gone and only what it started be left.
        for _ in 0..MOST_STOPS {
            let dispatches = self.ledger.dispatches(&id.run, &id.step, id.attempt);
            for dispatch in dispatches.unwrap_or_default() {
                if dispatch.has_ended().unwrap_or(false) {
                    return;
                }
                match dispatch.supervisor() {
                    // The lock proves that the process is still this supervisor.
                    Ok(Some(pid)) if asked != Some(pid) => {
                        asked = Some(pid);
                        if let Some(pid) = Pid::from_raw(pid) {
                            let _ = kill_process(pid, Signal::TERM);
                        }
                    }
                    Ok(None) => dispatch.end_session(Signal::KILL),
                    Ok(Some(_)) | Err(_) => {}
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Ten minutes of trying; a process that lasts longer cannot be killed.
const MOST_STOPS: u32 = 3000;
