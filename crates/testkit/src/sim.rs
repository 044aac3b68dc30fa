//! Simulated hands: a world that counts effects, a ledger that survives crashes,
//! and places at which everything dies.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use backout_core::attempt::AttemptId;
use backout_core::doubt::Observation;
use backout_core::event::{DoubtCause, Event, Evidence, FailureEffect, Verified};
use backout_core::ids::{Epoch, RunId, Seq, StepId};
use backout_core::moment::{Moment, Steady, moved};
use backout_core::plan::Step;
use backout_core::record::Record;
use backout_engine::clock::Clock;
use backout_engine::hands::{Hands, Patience, Report, Task, Unreadable, Verdict, World};
use backout_engine::journal::Journal;

use crate::memory::MemoryJournal;
use crate::pace::Pace;

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

/// What the ledger knows of an attempt.
#[derive(Default)]
struct Noted {
    accepted: bool,
    /// Somebody looked before it was accepted: it cannot be accepted any more.
    refused: bool,
    ended: Option<Report>,
    /// Its supervisor is alive.
    alive: bool,
    /// Its coordinator died and left it; its effect waits for whoever attaches.
    left: bool,
}

/// What is true of the simulated world.
#[derive(Default)]
struct Simulated {
    effects: BTreeMap<StepId, u32>,
    /// By step, try and term.
    ledger: BTreeMap<(StepId, u32, Epoch), Noted>,
    deaths: BTreeMap<StepId, Die>,
    failures: BTreeSet<StepId>,
    blind: BTreeSet<StepId>,
    without_intent: Vec<StepId>,
    /// Effects that are still in flight, and when they come.
    in_flight: Vec<(StepId, SimClock, Timestamp)>,
    lost: bool,
}

/// Simulated hands over a memory journal. Like the real ones they hand each
/// attempt to a supervisor of its own, which outlives the coordinator.
#[derive(Clone)]
pub struct SimHands {
    journal: Arc<MemoryJournal>,
    world: Arc<Mutex<Simulated>>,
    pace: Arc<Pace>,
    ended: Arc<Notify>,
    /// Told when everything dies.
    pub dead: Arc<Notify>,
}

impl SimHands {
    /// Hands that watch the journal for effects without an intent.
    #[must_use]
    pub fn new(journal: Arc<MemoryJournal>) -> Self {
        Self::paced(journal, Arc::default())
    }

    /// Hands that let others go first between any two things they do.
    #[must_use]
    pub fn paced(journal: Arc<MemoryJournal>, pace: Arc<Pace>) -> Self {
        Self { journal, world: Arc::default(), pace, ended: Arc::default(), dead: Arc::default() }
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

    /// A server still works on what this step asked it for: one effect more from this time on.
    pub fn comes_at(&self, step: &StepId, clock: &SimClock, at: Timestamp) {
        self.world().in_flight.push((step.clone(), clock.clone(), at));
    }

    /// The effects of this step are not there (yet).
    pub fn take_back(&self, step: &StepId) {
        self.world().effects.remove(step);
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

    /// What was in flight and is due now has its effect.
    fn let_come(&self) {
        let mut world = self.world();
        let due = |(_, clock, at): &(StepId, SimClock, Timestamp)| clock.now() >= *at;
        let (come, left) = std::mem::take(&mut world.in_flight).into_iter().partition(due);
        world.in_flight = left;
        for (step, ..) in come {
            *world.effects.entry(step).or_default() += 1;
        }
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
        self.pace.step().await;
    }

    /// What a supervisor does.
    async fn supervise(self, task: Task) -> Report {
        let (step, attempt) = (task.step.id.clone(), task.id.attempt);
        let key = (step.clone(), attempt, task.epoch);
        self.die_if_told(&step, Die::BeforeAccepting).await;
        {
            let mut world = self.world();
            let leaves = world.deaths.get(&step) == Some(&Die::LeavingItRunning);
            let dies = world.deaths.contains_key(&step) && !leaves;
            let noted = world.ledger.entry(key.clone()).or_default();
            if noted.refused {
                return Report::Doubt {
                    cause: DoubtCause::SupervisorLost,
                    evidence: Evidence::saying("refused"),
                };
            }
            noted.accepted = true;
            noted.alive = !dies;
            noted.left = leaves;
        }
        self.die_if_told(&step, Die::LeavingItRunning).await;
        self.die_if_told(&step, Die::BeforeEffect).await;
        self.have_effect(&task.id.run, &step, attempt).await;
        self.die_if_told(&step, Die::AfterEffect).await;
        let report = self.note(&key);
        self.die_if_told(&step, Die::AfterNoting).await;
        report
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

    fn note(&self, key: &(StepId, u32, Epoch)) -> Report {
        let mut world = self.world();
        let report = match world.failures.remove(&key.0) {
            true => Report::Failed {
                effect: FailureEffect::Unknown,
                error: "told to fail".to_owned(),
                evidence: Evidence::default(),
            },
            false => Report::Done(Evidence::saying("done")),
        };
        let noted = world.ledger.entry(key.clone()).or_default();
        noted.ended = Some(report.clone());
        noted.alive = false;
        drop(world);
        self.ended.notify_waiters();
        report
    }
}

impl Hands for SimHands {
    async fn perform(&self, task: Task) -> Report {
        self.pace.step().await;
        let supervisor = tokio::spawn(self.clone().supervise(task));
        supervisor.await.unwrap_or_else(|error| panic!("a supervisor does not panic: {error}"))
    }

    async fn observe(&self, id: &AttemptId, by: Epoch) -> Result<Observation, Unreadable> {
        let (step, attempt) = (&id.step, id.attempt);
        self.pace.step().await;
        let mut world = self.world();
        if world.lost {
            return Ok(Observation::Vanished(DoubtCause::LedgerLost));
        }
        for earlier in 1..by.0 {
            let noted = world.ledger.entry((step.clone(), attempt, Epoch(earlier))).or_default();
            noted.refused |= !noted.accepted;
        }
        let mut dispatches = world.ledger.range(all_terms(step, attempt)).map(|(_, noted)| noted);
        Ok(match dispatches.find(|noted| noted.accepted) {
            None => Observation::NeverAccepted,
            Some(noted) if noted.ended.is_some() => Observation::Ended,
            Some(noted) if noted.alive => Observation::Running,
            Some(_) => Observation::Vanished(DoubtCause::SupervisorLost),
        })
    }

    /// Nothing: tests cut the log of a simulated run on purpose.
    async fn noted(&self, _: &RunId) -> Result<Vec<AttemptId>, Unreadable> {
        Ok(Vec::new())
    }

    /// Not known: what is in flight is over when it is found to be gone and has had its time.
    async fn accepted(&self, _: &AttemptId) -> Option<Timestamp> {
        None
    }

    async fn attach(&self, id: &AttemptId) -> Report {
        let (run, step, attempt) = (&id.run, &id.step, id.attempt);
        self.pace.step().await;
        loop {
            let ended = self.ended.notified();
            let left = {
                let mut world = self.world();
                let mut dispatches = world.ledger.range_mut(all_terms(step, attempt));
                let Some((key, noted)) = dispatches.find(|(_, noted)| noted.accepted) else {
                    panic!("nobody attaches to what was never accepted");
                };
                if let Some(report) = &noted.ended {
                    return report.clone();
                }
                std::mem::take(&mut noted.left).then(|| key.clone())
            };
            if let Some(key) = left {
                self.have_effect(run, step, attempt).await;
                return self.note(&key);
            }
            ended.await;
        }
    }

    async fn verify(&self, step: Step, _: Arc<World>, _: Patience) -> Verdict {
        self.let_come();
        let applied = self.effects(&step.id) > 0;
        let blind = self.world().blind.contains(&step.id);
        let verified = step.machine_checks().map(|(_, verification)| Verified {
            check: verification.check.kind().to_owned(),
            found: if applied { "applied".to_owned() } else { "not applied".to_owned() },
            holds: (!blind).then_some(applied),
        });
        Verdict { verified: verified.collect() }
    }

    async fn stop(&self, _: &AttemptId) {}
}

/// Each term's dispatch of an attempt.
fn all_terms(step: &StepId, attempt: u32) -> RangeInclusive<(StepId, u32, Epoch)> {
    (step.clone(), attempt, Epoch(0))..=(step.clone(), attempt, Epoch(u64::MAX))
}

/// A clock that moves by hand.
#[derive(Debug, Clone)]
pub struct SimClock(Arc<Mutex<SimTime>>);

#[derive(Debug, Clone)]
struct SimTime {
    wall: Timestamp,
    /// The running of the machine, and how long it has lasted, in milliseconds.
    boot: u32,
    ms: i64,
    /// How far the wall is to be set, and at which of these milliseconds.
    to_jump: Option<(i64, SignedDuration)>,
}

impl SimClock {
    /// A clock that shows this time.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(SimTime { wall: now, boot: 1, ms: 0, to_jump: None })))
    }

    /// Time passes until this.
    pub fn set(&self, now: Timestamp) {
        let mut time = self.time();
        time.ms += i64::try_from(now.duration_since(time.wall).as_millis()).unwrap_or(i64::MAX);
        time.wall = now;
    }

    /// The clock on the wall is set; no time passes.
    pub fn jump(&self, by: SignedDuration) {
        let mut time = self.time();
        time.wall = time.wall.saturating_add(by).unwrap_or(time.wall);
    }

    /// The clock on the wall will be set after this many milliseconds, in the middle of a sleep.
    pub fn jump_after(&self, ms: i64, by: SignedDuration) {
        self.time().to_jump = Some((ms, by));
    }

    /// How long it has run, in milliseconds.
    #[must_use]
    pub fn ms(&self) -> i64 {
        self.time().ms
    }

    /// The machine starts anew; nothing but the wall tells how long that took.
    pub fn start_anew(&self, took: SignedDuration) {
        self.jump(took);
        let mut time = self.time();
        (time.boot, time.ms) = (time.boot + 1, 0);
    }

    fn time(&self) -> MutexGuard<'_, SimTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often others go first before time passes.
const READY_FIRST: u32 = 16;

impl Clock for SimClock {
    fn moment(&self) -> Moment {
        let time = self.time();
        let steady = Steady { boot: format!("boot {}", time.boot), ms: time.ms };
        Moment { wall: time.wall, steady: Some(steady) }
    }

    async fn sleep(&self, duration: Duration) {
        // What can be done now takes no time: it goes first, and may call this sleep off.
        for _ in 0..READY_FIRST {
            tokio::task::yield_now().await;
        }
        let now = self.now();
        let Ok(later) = now.checked_add(duration) else { return };
        let to_jump = {
            let mut time = self.time();
            let ends = time.ms.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(0));
            time.to_jump.take_if(|(ms, _)| *ms <= ends).map(|(ms, by)| (ms - time.ms, by))
        };
        match to_jump {
            Some((left, by)) => {
                self.set(moved(now, SignedDuration::from_millis(left)));
                self.jump(by);
            }
            None => self.set(later),
        }
    }
}
