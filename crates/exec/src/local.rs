//! Hands on this machine.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::process::Signal;
use tokio::sync::Semaphore;

use backout_core::attempt::AttemptId;
use backout_core::doubt::Observation;
use backout_core::event::{DoubtCause, Evidence, FailureEffect, LeftRunning};
use backout_core::ids::{Epoch, RunId};
use backout_core::moment::moved;
use backout_core::plan::Step;
use backout_engine::clock::Clock;
use backout_engine::fault::{self, Point};
use backout_engine::hands::{Hands, Patience, Report, Task, Unreadable, Verdict, World};

use crate::clock::SystemClock;
use crate::ledger::{Dispatch, Ledger, Request};
use crate::spawner::{Program, Spawner};
use crate::{limits, probe};

/// Hands on this machine: a supervisor process for each attempt, forked by a spawner.
pub struct LocalHands {
    ledger: Ledger,
    spawner: Spawner,
    room: Semaphore,
    /// What was asked to stop, and when.
    stopping: Mutex<Vec<(AttemptId, Instant)>>,
}

/// What waiting for an attempt came to.
enum Waited {
    /// Its end is written down, or nothing of it is alive; with what was ended here.
    Ended(Vec<LeftRunning>),
    /// Something of it is alive that cannot be ended, and why it should have ended.
    Unended(&'static str),
}

impl LocalHands {
    /// Hands that keep their ledger in a folder and start their spawner as
    /// `program arguments…`. That must call [`crate::spawner::serve`].
    #[must_use]
    pub fn new(ledger: Ledger, program: PathBuf, arguments: Vec<OsString>) -> Self {
        let spawner = Spawner::new(Program { path: program, arguments });
        Self {
            ledger,
            spawner,
            room: limits::room_for_attempts(),
            stopping: Mutex::new(Vec::new()),
        }
    }

    /// Has a supervisor started for a dispatch and waits until it is done. Returns why it was
    /// not accepted, where that is known.
    async fn start(&self, dispatch: &Dispatch, id: &AttemptId) -> Option<String> {
        let mut why = None;
        // The spawner or the supervisor may die before the claim. Then nothing has happened and
        // the same dispatch is tried again: its claim is the fence, whoever is late.
        for pause in PAUSES {
            tokio::select! {
                said = self.spawner.supervise(dispatch.folder()) => match said {
                    Ok(said) => why = said,
                    Err(error) => why = Some(format!("it could not be started: {error}")),
                },
                // Whether it could be ended is seen by whoever waits for it from here on.
                () = self.hung(dispatch, id) => break,
            }
            if dispatch.is_claimed().unwrap_or(true) {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        why
    }

    /// Waits until a supervisor hangs: it lives, and has not ended its action although that is past
    /// its time-out or was to be stopped. Then it is ended.
    async fn hung(&self, dispatch: &Dispatch, id: &AttemptId) {
        let mut late: Option<Instant> = None;
        loop {
            tokio::time::sleep(SELDOM).await;
            if !self.should_have_ended(dispatch, id) {
                continue;
            }
            if late.get_or_insert_with(Instant::now).elapsed() > HUNG {
                dispatch.end_supervisor();
                return;
            }
        }
    }

    /// Whether the supervisor should have ended its action by now. A command is ended as soon as a
    /// person wants it; what else is at work is heard to its end, or to its time-out.
    fn should_have_ended(&self, dispatch: &Dispatch, id: &AttemptId) -> bool {
        let asked = self.asked_to_stop(id).is_some();
        dispatch.overdue().is_some() || asked && dispatch.ends_when_asked()
    }

    /// Waits until the end of an attempt is written down, or nothing of it is alive, or what is
    /// alive cannot be ended.
    async fn wait(&self, dispatch: &Dispatch, id: &AttemptId) -> std::io::Result<Waited> {
        let began = Instant::now();
        let mut ended: Vec<LeftRunning> = Vec::new();
        let (mut ending, mut late): (Option<Instant>, Option<Instant>) = (None, None);
        loop {
            // It may write down its end between the two looks, which is found then.
            if dispatch.has_ended()? || !dispatch.is_alive()? {
                return Ok(Waited::Ended(ended));
            }
            let asked = self.asked_to_stop(id);
            let is_late = asked.is_some() || dispatch.overdue().is_some();
            // A supervisor that was itself stopped, or hangs on a disk, ends nothing.
            let is_supervised = dispatch.is_supervised()?;
            if is_supervised
                && self.should_have_ended(dispatch, id)
                && late.get_or_insert_with(Instant::now).elapsed() > HUNG
            {
                dispatch.end_supervisor();
                ending.get_or_insert_with(Instant::now);
            }
            // Without its supervisor nobody else keeps its time, so it is kept here.
            if !is_supervised && is_late {
                let signalled = dispatch.end_left(Signal::KILL);
                ended.extend(
                    signalled.into_iter().filter(|it| !ended.contains(it)).collect::<Vec<_>>(),
                );
                ending.get_or_insert_with(Instant::now);
            }
            // What cannot be ended is in doubt then, and not running.
            if ending.is_some_and(|since| since.elapsed() > UNENDED) {
                return Ok(Waited::Unended(match asked {
                    Some(_) => {
                        "it was stopped, and something that it may have left cannot be ended"
                    }
                    None => {
                        "it is past its time-out, and something that it may have left cannot be ended"
                    }
                }));
            }
            // Soon at first; what runs for long is looked at less often.
            let pause = (began.elapsed() / 10).clamp(SOON, SELDOM);
            tokio::time::sleep(pause).await;
        }
    }

    /// How long ago it was asked to stop, by this coordinator.
    fn asked_to_stop(&self, id: &AttemptId) -> Option<Duration> {
        let stopping = self.stopping.lock().unwrap_or_else(PoisonError::into_inner);
        stopping.iter().find(|(stopped, _)| stopped == id).map(|(_, at)| at.elapsed())
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

/// A doubt with what of the attempt was ended here, as nobody else says it.
fn with_ended(report: Report, ended: &[LeftRunning]) -> Report {
    match report {
        Report::Doubt { cause, mut evidence } if !ended.is_empty() => {
            let named: Vec<String> =
                ended.iter().map(|it| format!("{} ({})", it.name, it.pid)).collect();
            let said = format!("{}; ended with it: {}", evidence.summary, named.join(", "));
            evidence.summary = said;
            // It was ended because its time was up, or because a person wanted that.
            let cause = match cause {
                DoubtCause::SupervisorLost => DoubtCause::Deadline,
                cause => cause,
            };
            Report::Doubt { cause, evidence }
        }
        report => report,
    }
}

fn vanished(cause: DoubtCause, said: &str) -> Report {
    Report::Doubt { cause, evidence: Evidence::saying(said) }
}

impl Hands for LocalHands {
    async fn perform(&self, task: Task) -> Report {
        let step = task.step.id.clone();
        // Held while a supervisor is waited for. Never closed.
        let _room = self.room.acquire().await.ok();
        let request = Request {
            id: task.id.clone(),
            epoch: task.epoch,
            key: task.key.clone(),
            folder: task.world.folder.clone(),
            environment: task.world.environment.clone(),
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
        let why = self.start(&dispatch, &task.id).await;
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
                let why = why.map_or_else(String::new, |why| format!(": {why}"));
                Report::Failed {
                    effect: FailureEffect::None,
                    error: format!("its supervisor did not accept it{why}"),
                    evidence: Evidence::default(),
                }
            }
            // What is noted nowhere any more may be alive.
            Observation::Vanished(cause @ (DoubtCause::LedgerLost | DoubtCause::LedgerForeign)) => {
                vanished(cause, "what was noted about it is gone, or is about another attempt")
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
        match self.wait(&dispatch, id).await {
            Ok(Waited::Ended(ended)) => with_ended(Self::outcome(&dispatch, id), &ended),
            Ok(Waited::Unended(why)) => {
                let left_running = dispatch.left_running().unwrap_or_default();
                let evidence = Evidence { left_running, ..Evidence::saying(why) };
                Report::Doubt { cause: DoubtCause::Unended, evidence }
            }
            Err(error) => vanished(DoubtCause::LedgerLost, &error.to_string()),
        }
    }

    async fn accepted(&self, id: &AttemptId) -> Option<Timestamp> {
        let dispatches = self.ledger.dispatches(&id.run, &id.step, id.attempt).ok()?;
        let accepted = dispatches.iter().find(|dispatch| !dispatch.is_fenced().unwrap_or(true))?;
        // On the clock as it is set now: what is counted from it is.
        let now = SystemClock.moment();
        Some(moved(now.wall, -now.since(&accepted.accepted_at()?)))
    }

    async fn verify(&self, step: Step, world: Arc<World>, patience: Patience) -> Verdict {
        probe::ask(&step, &world, patience).await
    }

    async fn stop(&self, id: &AttemptId) {
        let mut asked = None;
        let now = (id.clone(), Instant::now());
        self.stopping.lock().unwrap_or_else(PoisonError::into_inner).push(now);
        // Until it has ended: it may not have been accepted yet, or its supervisor
        // may be gone and only what it started be left.
        for _ in 0..MOST_STOPS {
            let dispatches = self.ledger.dispatches(&id.run, &id.step, id.attempt);
            for dispatch in dispatches.unwrap_or_default() {
                if dispatch.is_over().unwrap_or(false) {
                    return;
                }
                match dispatch.supervisor() {
                    Ok(Some(pid)) if asked != Some(pid) => {
                        asked = dispatch.ask_to_stop().then_some(pid);
                    }
                    Ok(None) => drop(dispatch.end_left(Signal::KILL)),
                    Ok(Some(_)) | Err(_) => {}
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// How long what should have ended is waited for, while it is being ended.
const UNENDED: Duration = Duration::from_secs(10);
/// How long a supervisor has to end its action after the time-out or the wish to stop it: what ends a
/// command takes twice [`crate::command::GRACE`] at most.
const HUNG: Duration = Duration::from_secs(30);
/// How often an attempt that another coordinator dispatched is looked at.
const SOON: Duration = Duration::from_millis(20);
const SELDOM: Duration = Duration::from_millis(500);

/// How long to wait before a dispatch that no supervisor accepted is tried again.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(50), Duration::from_millis(400), Duration::ZERO];

/// Ten minutes of trying; a process that lasts longer cannot be killed.
const MOST_STOPS: u32 = 3000;
