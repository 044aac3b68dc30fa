//! Simulated hands: a world that counts effects, a ledger that survives crashes,
//! and places at which everything dies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;

use backout_core::doubt::Observation;
use backout_core::event::{DoubtCause, Event, Evidence, FailureEffect, Verified};
use backout_core::ids::{RunId, Seq, StepId};
use backout_core::plan::Step;
use backout_core::record::Record;
use backout_engine::clock::Clock;
use backout_engine::hands::{Hands, Patience, Report, Task, Verdict, World};
use backout_engine::journal::Journal;

use crate::memory::MemoryJournal;

/// Where everything dies while a step is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Die {
    /// Before the attempt is accepted.
    BeforeAccepting,
    /// After it is accepted, before it has an effect.
    BeforeEffect,
    /// After the effect, before the result is noted.
    AfterEffect,
    /// After the result is noted.
    AfterNoting,
    /// Only the coordinator dies; the effect comes later.
    LeavingItRunning,
}

impl Die {
    /// Each place.
    pub const ALL: [Self; 5] = [
        Self::BeforeAccepting,
        Self::BeforeEffect,
        Self::AfterEffect,
        Self::AfterNoting,
        Self::LeavingItRunning,
    ];
}

#[derive(Default)]
struct Noted {
    accepted: bool,
    ended: Option<Report>,
    alive: bool,
}

/// What is true of the simulated world.
#[derive(Default)]
struct Simulated {
    effects: BTreeMap<StepId, u32>,
    ledger: BTreeMap<(StepId, u32), Noted>,
    deaths: BTreeMap<StepId, Die>,
    failures: BTreeSet<StepId>,
    blind: BTreeSet<StepId>,
    without_intent: Vec<StepId>,
    lost: bool,
}

/// Simulated hands over a memory journal.
pub struct SimHands {
    journal: Arc<MemoryJournal>,
    world: Mutex<Simulated>,
    /// Told when everything dies.
    pub dead: Notify,
}

impl SimHands {
    /// Hands that watch the journal for effects without an intent.
    #[must_use]
    pub fn new(journal: Arc<MemoryJournal>) -> Self {
        Self { journal, world: Mutex::default(), dead: Notify::new() }
    }

    /// Everything dies once, when this step comes to this place.
    pub fn die(&self, step: &StepId, at: Die) {
        self.world().deaths.insert(step.clone(), at);
    }

    /// The first attempt at this step fails, after its effect.
    pub fn fail(&self, step: &StepId) {
        self.world().failures.insert(step.clone());
    }

    /// The verification of this step cannot tell.
    pub fn blind(&self, step: &StepId) {
        self.world().blind.insert(step.clone());
    }

    /// The ledger is gone.
    pub fn lose_ledger(&self) {
        self.world().lost = true;
    }

    /// How often a step had its effect.
    #[must_use]
    pub fn effects(&self, step: &StepId) -> u32 {
        self.world().effects.get(step).copied().unwrap_or(0)
    }

    /// Steps that had an effect without an intent in the log.
    #[must_use]
    pub fn without_intent(&self) -> Vec<StepId> {
        self.world().without_intent.clone()
    }

    fn world(&self) -> MutexGuard<'_, Simulated> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn die_if_told(&self, step: &StepId, place: Die) {
        let dies = {
            let mut world = self.world();
            let dies = world.deaths.get(step) == Some(&place);
            if dies {
                world.deaths.remove(step);
            }
            dies
        };
        if dies {
            self.dead.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// The effect itself; only allowed when its intent is in the journal.
    async fn have_effect(&self, run: &RunId, step: &StepId, attempt: u32) {
        let stored = self.journal.read(run, Seq(0)).await.unwrap_or_default();
        let intended = stored.iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).any(
            |record: Record| {
                record.events.iter().any(|event| {
                    matches!(event, Event::StepIntent { step: found, attempt: at, .. }
                        if found == step && *at == attempt)
                })
            },
        );
        let mut world = self.world();
        *world.effects.entry(step.clone()).or_default() += 1;
        if !intended {
            world.without_intent.push(step.clone());
        }
    }

    fn note(&self, step: &StepId, attempt: u32) -> Report {
        let mut world = self.world();
        let report = match world.failures.remove(step) {
            true => Report::Failed {
                effect: FailureEffect::Unknown,
                error: "told to fail".to_owned(),
                evidence: Evidence::default(),
            },
            false => Report::Done(Evidence::saying("done")),
        };
        let noted = world.ledger.entry((step.clone(), attempt)).or_default();
        noted.ended = Some(report.clone());
        noted.alive = false;
        report
    }
}

impl Hands for SimHands {
    async fn perform(&self, task: Task) -> Report {
        let (step, attempt) = (task.step.id.clone(), task.attempt);
        self.die_if_told(&step, Die::BeforeAccepting).await;
        self.world().ledger.entry((step.clone(), attempt)).or_default().accepted = true;
        if self.world().deaths.get(&step) == Some(&Die::LeavingItRunning) {
            self.world().ledger.entry((step.clone(), attempt)).or_default().alive = true;
        }
        self.die_if_told(&step, Die::LeavingItRunning).await;
        self.die_if_told(&step, Die::BeforeEffect).await;
        self.have_effect(&task.run, &step, attempt).await;
        self.die_if_told(&step, Die::AfterEffect).await;
        let report = self.note(&step, attempt);
        self.die_if_told(&step, Die::AfterNoting).await;
        report
    }

    async fn observe(&self, _: &RunId, step: &StepId, attempt: u32) -> Observation {
        let world = self.world();
        if world.lost {
            return Observation::Vanished(DoubtCause::LedgerLost);
        }
        match world.ledger.get(&(step.clone(), attempt)) {
            None => Observation::NeverAccepted,
            Some(noted) if !noted.accepted => Observation::NeverAccepted,
            Some(noted) if noted.ended.is_some() => Observation::Ended,
            Some(noted) if noted.alive => Observation::Running,
            Some(_) => Observation::Vanished(DoubtCause::SupervisorLost),
        }
    }

    async fn attach(&self, run: &RunId, step: &StepId, attempt: u32) -> Report {
        let ended =
            self.world().ledger.get(&(step.clone(), attempt)).and_then(|noted| noted.ended.clone());
        match ended {
            Some(report) => report,
            None => {
                self.have_effect(run, step, attempt).await;
                self.note(step, attempt)
            }
        }
    }

    async fn verify(&self, step: Step, _: Arc<World>, _: Patience) -> Verdict {
        let applied = self.effects(&step.id) > 0;
        let blind = self.world().blind.contains(&step.id);
        let verified = step.machine_checks().map(|(_, verification)| Verified {
            check: verification.check.kind().to_owned(),
            found: if applied { "applied".to_owned() } else { "not applied".to_owned() },
            holds: (!blind).then_some(applied),
        });
        Verdict { verified: verified.collect() }
    }

    async fn stop(&self, _: &RunId, _: &StepId, _: u32) {}
}

/// A clock that moves by hand.
#[derive(Debug, Clone)]
pub struct SimClock(Arc<Mutex<Timestamp>>);

impl SimClock {
    /// A clock that shows this time.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// Shows another time from now on.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sleep(&self, duration: Duration) {
        let now = self.now();
        if let Ok(later) = now.checked_add(duration) {
            self.set(later);
        }
        tokio::task::yield_now().await;
    }
}
