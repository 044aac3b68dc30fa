//! The rhythm: every trigger at its own steady pace, so many at once, each answer
//! through the state machine, each change told.
//!
//! Looks are due at `began + n · every`; a look that takes long makes none of the
//! later ones late, and one that is missed is not made up for. Looks of one source
//! share a bound, so that a dead one does not keep the others from being read.

mod eye;
mod untold;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backout_core::event::Event;
use backout_core::ids::{OptionId, SourceId, TriggerId};
use backout_core::moment::moved;
use backout_core::plan::{Condition, Plan, Trigger};
use backout_core::release::TriggerStatus;
use backout_core::watch::{Meaning, State};
use backout_engine::Sight;
use backout_engine::clock::Clock;
use backout_engine::hands::World;
use backout_exec::clock::SystemClock;
use backout_trigger::machine::{Sample, Watched};
use backout_trigger::rule::{self, Measured, Rule};
use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

pub use self::eye::away;
use self::eye::{Disturbance, Eye};
use self::untold::untold;
use crate::board::{Board, Standing};
use crate::composite::{self, Way};
use crate::look::{Looked, Looker, Memory, Servers, TIMEOUT};
use crate::measure::before;
use crate::reading::reading;
use crate::receive::Alert;

/// How many looks at one source are under way at the same time.
const AT_ONCE: usize = 16;
/// How long one source must be unreadable before it is said.
const LOST_AFTER: u32 = 2;
/// How often the board is kept at most.
const KEPT_EVERY: Duration = Duration::from_secs(1);
/// How far ahead of whoever judges a look may be.
const A_MOMENT: Duration = Duration::from_secs(2);

/// What a watcher tells.
pub type News = mpsc::Receiver<Vec<Event>>;

/// A watch over the triggers of a plan. It ends when it is dropped.
pub struct Watcher {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

/// What a watch begins with.
#[derive(Debug)]
pub struct Setting<'a> {
    /// Whose triggers are watched.
    pub plan: &'a Plan,
    /// What they talk to.
    pub world: Arc<World>,
    /// What an earlier watch left.
    pub board: Board,
    /// Where the standing is kept.
    pub file: Option<PathBuf>,
    /// What the log says about each trigger: an earlier watch may have died between
    /// keeping its board and telling of it.
    pub told: BTreeMap<TriggerId, Told>,
    /// What nobody looks at yet, or any more: the run says when that changes.
    pub away: BTreeSet<TriggerId>,
}

/// What the log says about a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Where it stands.
    pub state: State,
    /// Whether it has fired.
    pub fired: bool,
}

impl<'a> Setting<'a> {
    /// A watch that begins now and leaves nothing behind.
    #[must_use]
    pub fn new(plan: &'a Plan, world: Arc<World>) -> Self {
        Self {
            plan,
            world,
            board: Board::new(Timestamp::now()),
            file: None,
            told: BTreeMap::new(),
            away: brought(plan),
        }
    }
}

/// What is known about a source.
#[derive(Default)]
struct Failures {
    /// How often each trigger could not read it, one after the other.
    of: BTreeMap<TriggerId, u32>,
    /// Whether it is lost; nothing before anybody was told.
    lost: Option<bool>,
}

struct Shared {
    plan: Plan,
    rules: BTreeMap<TriggerId, Rule>,
    board: Mutex<Board>,
    sources: Mutex<BTreeMap<SourceId, Failures>>,
    /// When anything was last looked at.
    looked: Mutex<Option<Timestamp>>,
    /// When this watch began; an earlier one may have begun before.
    begun: Mutex<Timestamp>,
    /// Whether this watch has looked at anything.
    looking: AtomicBool,
    ways: Mutex<BTreeMap<OptionId, Way>>,
    /// The stage that may have data missing now.
    stage: Mutex<Option<Disturbance>>,
    /// What is not there: nobody looks at it.
    away: Mutex<BTreeSet<TriggerId>>,
    /// How often what each trigger is about has come: what was seen before is another.
    came: Mutex<BTreeMap<TriggerId, u64>>,
    file: Option<PathBuf>,
    kept: Mutex<Option<Instant>>,
    tell: mpsc::Sender<Vec<Event>>,
}

impl Watcher {
    /// Begins to watch.
    #[must_use]
    pub fn begin(setting: Setting<'_>) -> (Self, News) {
        let Setting { plan, world, mut board, file, told, away } = setting;
        // What is not there shows nothing; what it showed was about something else.
        for id in &away {
            board.triggers.remove(id);
            board.heard.is_seen(id);
        }
        let (tell, news) = mpsc::channel(256);
        let fresh = Measured::default();
        let rules: BTreeMap<TriggerId, Rule> = plan
            .triggers
            .iter()
            .filter_map(|(id, trigger)| {
                let measured = board.measured.get(id).unwrap_or(&fresh);
                Some((id.clone(), rule::of(plan, trigger, measured)?))
            })
            .collect();
        // What was kept before the clock was set is taken to be of this clock.
        board.follow(SystemClock.moment());
        let began = board.began;
        let untold = untold(&board, &rules, &told);
        if !untold.is_empty() {
            // The channel is new and holds more than one message.
            let _ = tell.try_send(untold);
        }
        let looked = board.triggers.values().filter_map(|known| known.watched.looked).max();
        let shared = Arc::new(Shared {
            plan: plan.clone(),
            rules,
            board: Mutex::new(board),
            sources: Mutex::default(),
            looked: Mutex::new(looked),
            begun: Mutex::new(Timestamp::now()),
            looking: AtomicBool::new(false),
            ways: Mutex::default(),
            stage: Mutex::default(),
            away: Mutex::new(away),
            came: Mutex::default(),
            file,
            kept: Mutex::default(),
            tell,
        });
        let mut tasks = JoinSet::new();
        let servers = Servers::of_world(&world);
        let mut bounds: BTreeMap<Option<SourceId>, Arc<Semaphore>> = BTreeMap::new();
        let before = before(plan);
        for (index, (id, rule)) in shared.rules.iter().enumerate() {
            let trigger = plan.triggers[id].clone();
            let source = trigger.condition.source().cloned();
            let bound = bounds.entry(source).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE)));
            let looker = Looker::new(
                trigger.clone(),
                Arc::clone(&world),
                &servers,
                began,
                before,
                rule.every,
            );
            let kept = shared.board().triggers.get(id).map(|known| known.memory.clone());
            let looker = looker.map(|looker| Arc::new(looker.remembering(kept)));
            let (shared, bound, id, every) =
                (Arc::clone(&shared), Arc::clone(bound), id.clone(), rule.every);
            // Spread over the first interval, always in the same way.
            let count = u32::try_from(plan.triggers.len().max(1)).unwrap_or(u32::MAX);
            let offset = (every / count) * u32::try_from(index).unwrap_or(0);
            let offset = offset.min(Duration::from_secs(1));
            tasks.spawn(async move {
                let mut pace = tokio::time::interval_at(Instant::now() + offset, every);
                pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
                let mut known = shared.times(&id);
                loop {
                    pace.tick().await;
                    if shared.is_away(&id) {
                        shared.tell_of_a_gap(shared.now());
                        continue;
                    }
                    let times = shared.times(&id);
                    if known != times
                        && let Ok(looker) = &looker
                    {
                        *looker.memory() = Memory::default();
                    }
                    known = times;
                    let looked = match (&trigger.condition, &looker) {
                        (Condition::Composite(condition), _) => shared.composite(condition),
                        (Condition::Webhook(_), _) => shared.heard(&id),
                        (_, Ok(looker)) => {
                            let Ok(_turn) = bound.acquire().await else { return };
                            looker.look().await
                        }
                        (_, Err(why)) => failed(why),
                    };
                    // It went away while it was looked at.
                    if shared.is_away(&id) || shared.times(&id) != known {
                        continue;
                    }
                    let memory = looker.as_ref().map(|looker| looker.memory().clone());
                    if !shared.take(&id, &trigger, looked, memory.ok()).await {
                        return;
                    }
                }
            });
        }
        (Self { shared, tasks }, news)
    }

    /// Where every trigger stands.
    #[must_use]
    pub fn board(&self) -> Board {
        self.shared.board().clone()
    }

    /// The same, whenever it is asked for.
    pub fn boards(&self) -> impl Fn() -> Board + Send + 'static {
        let shared = Arc::clone(&self.shared);
        move || shared.board().clone()
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> &BTreeMap<TriggerId, Rule> {
        &self.shared.rules
    }

    /// When each trigger was last looked at, for whoever judges the release by it.
    #[must_use]
    pub fn sight(&self) -> Arc<dyn Sight> {
        Arc::new(Eye(Arc::clone(&self.shared)))
    }

    /// Whoever hears messages of other systems for this watch.
    #[must_use]
    pub fn ear(&self) -> Ear {
        Ear(Arc::clone(&self.shared))
    }

    /// Ends the watch and keeps where everything stands.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn end(mut self) -> std::io::Result<Board> {
        self.tasks.shutdown().await;
        // Other systems may still be heard, and what they say is kept there, too.
        let _alone = self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let board = self.board();
        if let Some(file) = &self.shared.file {
            board.keep(file)?;
        }
        Ok(board)
    }
}

/// The triggers about what a stage brings: where nothing is deployed, it is not there.
#[must_use]
pub fn brought(plan: &Plan) -> BTreeSet<TriggerId> {
    let brought = plan.triggers.iter().filter(|(_, trigger)| trigger.from.is_some());
    brought.map(|(id, _)| id.clone()).collect()
}

/// Hears messages of other systems.
#[derive(Clone)]
pub struct Ear(Arc<Shared>);

impl Ear {
    /// Another system says which alerts fire, and which do no more. How many of them any
    /// trigger waits for; they are kept before this returns.
    ///
    /// # Errors
    /// They could not be kept.
    pub fn heard(&self, alerts: &[Alert]) -> std::io::Result<usize> {
        let mut known = 0;
        {
            let mut board = self.0.board();
            for alert in alerts {
                let waiting = self.0.plan.triggers.iter().filter(|(_, trigger)| {
                    matches!(&trigger.condition, Condition::Webhook(webhook)
                        if webhook.alert == alert.name
                            && webhook.labels.iter().all(|(name, value)| alert.labels.get(name) == Some(value)))
                });
                let mut any = false;
                for (id, _) in waiting {
                    board.heard.note(id, alert);
                    // What is over by the time its stage is done is about something else.
                    if self.0.is_away(id) {
                        board.heard.is_seen(id);
                    }
                    any = true;
                }
                known += usize::from(any);
            }
        }
        if known > 0 {
            self.keep()?;
        }
        Ok(known)
    }

    /// Whether a signature comes for the first time, at this second of the clock. From
    /// then on it has come, also for a watch that goes on after this one.
    ///
    /// # Errors
    /// It could not be kept.
    pub fn first(&self, signature: &str, now: i64) -> std::io::Result<bool> {
        let first = self.0.board().heard.first(signature, now);
        if first {
            self.keep()?;
        }
        Ok(first)
    }

    fn keep(&self) -> std::io::Result<()> {
        let kept = self.0.keep(true);
        kept.then_some(()).ok_or_else(|| std::io::Error::other("what was said could not be kept"))
    }
}

/// Whether a look shows that its source can be read. A probe that does not hold may have had
/// no answer at all: that is what it is about.
fn has_answered(trigger: &Trigger, sample: &Sample) -> bool {
    match (&trigger.condition, sample) {
        (_, Sample::Failed) => false,
        (Condition::Probe(_), sample) => matches!(sample, Sample::Value { beyond: false, .. }),
        _ => true,
    }
}

fn failed(why: &str) -> Looked {
    Looked { sample: Sample::Failed, note: why.to_owned(), queries: Vec::new(), lost: None }
}

impl Shared {
    /// The time on the wall, which may have been set since it was last asked for.
    fn now(&self) -> Timestamp {
        let moment = SystemClock.moment();
        let now = moment.wall;
        let moved_by = self.board().follow(moment);
        if let Some(by) = moved_by {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            *looked = looked.map(|at| moved(at, by));
            let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
            *stage = stage.map(|stage| stage.moved_by(by));
            let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
            *begun = moved(*begun, by);
        }
        now
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a stage has just brought, and nobody can have seen yet.
    fn just_came(&self) -> BTreeSet<TriggerId> {
        let now = self.now();
        let board = self.board();
        let of_stages = self.plan.triggers.iter().filter(|(_, trigger)| trigger.from.is_some());
        let fresh = of_stages.filter(|(id, _)| {
            let Some(rule) = self.rules.get(*id) else { return false };
            board.triggers.get(*id).is_none_or(|standing| {
                let (stands, began) = (standing.watched.state, standing.watched.began);
                let age = Duration::try_from(now.duration_since(began)).unwrap_or_default();
                stands == State::Insufficient && age <= rule.grace
            })
        });
        fresh.map(|(id, _)| id.clone()).collect()
    }

    fn came(&self) -> MutexGuard<'_, BTreeMap<TriggerId, u64>> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often what a trigger is about has come.
    fn times(&self, id: &TriggerId) -> u64 {
        self.came().get(id).copied().unwrap_or_default()
    }

    /// From now on these are not there. What the others showed before that is forgotten: it
    /// was about something else. Whoever judges by the log is told so.
    fn are_away(&self, away: BTreeSet<TriggerId>, known: &BTreeMap<TriggerId, TriggerStatus>) {
        let before = std::mem::replace(
            &mut *self.away.lock().unwrap_or_else(PoisonError::into_inner),
            away.clone(),
        );
        for id in before.difference(&away) {
            *self.came().entry(id.clone()).or_default() += 1;
            {
                let mut board = self.board();
                board.triggers.remove(id);
                board.heard.is_seen(id);
            }
            let Some(seen) = known.get(id).filter(|seen| seen.state != State::Insufficient) else {
                continue;
            };
            let forgotten = Event::TriggerChanged {
                trigger: id.clone(),
                from: seen.state,
                to: State::Insufficient,
                meaning: Meaning::Open,
                before: false,
                reading: seen.reading.clone(),
            };
            // Full only where nobody has listened for very long: the next look tells more.
            let _ = self.tell.try_send(vec![forgotten]);
        }
    }

    fn is_away(&self, id: &TriggerId) -> bool {
        self.away.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    fn composite(&self, condition: &str) -> Looked {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner).clone();
        away.extend(self.just_came());
        let states: BTreeMap<TriggerId, State> = self
            .rules
            .keys()
            .map(|id| {
                let standing = self.board().triggers.get(id).map(|known| known.watched.state);
                let standing = standing.filter(|_| !away.contains(id));
                (id.clone(), standing.unwrap_or(State::Insufficient))
            })
            .collect();
        let ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match composite::holds(condition, &states, &away, &ways) {
            Ok(None) => Looked {
                sample: Sample::Nothing,
                note: "it depends on triggers nobody can see now".to_owned(),
                queries: vec![condition.to_owned()],
                lost: None,
            },
            Ok(Some(holds)) => {
                let value = if holds { 1.0 } else { 0.0 };
                let note = if holds { "it holds" } else { "it does not hold" }.to_owned();
                let sample = Sample::Value { value, beyond: holds };
                Looked { sample, note, queries: vec![condition.to_owned()], lost: None }
            }
            Err(why) => failed(&why),
        }
    }

    fn heard(&self, id: &TriggerId) -> Looked {
        let (sample, note) = match self.board().heard.fires(id) {
            Some(true) => (Sample::Value { value: 1.0, beyond: true }, "the alert fires"),
            Some(false) => (Sample::Value { value: 0.0, beyond: false }, "the alert is resolved"),
            None => (Sample::Nothing, "nothing was heard yet"),
        };
        Looked { sample, note: note.to_owned(), queries: Vec::new(), lost: None }
    }

    /// Takes in what a look gave and tells what follows; `false` when nobody listens.
    async fn take(
        &self,
        id: &TriggerId,
        trigger: &Trigger,
        looked: Looked,
        memory: Option<Memory>,
    ) -> bool {
        let Some(rule) = self.rules.get(id) else { return true };
        let now = self.now();
        // Before the look itself can be seen on the board: whoever judges by it knows of
        // the gap by then.
        self.tell_of_a_gap(now);
        let mut events = self.source(id, trigger, &looked);
        {
            let mut board = self.board();
            // Data may be missing for a while from when there was something to look at.
            let began = if trigger.from.is_some() { now } else { board.began };
            board.heard.seen(id, &looked.sample);
            let standing = board.triggers.entry(id.clone()).or_insert_with(|| Standing {
                watched: Watched::new(began),
                reading: Default::default(),
                recent: Vec::new(),
                memory: Memory::default(),
            });
            let stage = *self.stage.lock().unwrap_or_else(PoisonError::into_inner);
            let until = stage.and_then(|stage| stage.excuses(&standing.watched, rule.grace, now));
            standing.watched.excuse(until);
            let change = standing.watched.look(rule, now, &looked.sample);
            standing.reading =
                reading(trigger, rule, &standing.watched, &looked.note, &looked.queries);
            standing.note(standing.watched.value);
            standing.memory = memory.unwrap_or_default();
            let (meaning, reading) = (standing.watched.meaning(rule), standing.reading.clone());
            if let Some(change) = change {
                let mut before = false;
                if let Some(measured) = board.measured.get_mut(id) {
                    measured.firing &= change.to != State::Ok;
                    before = measured.firing;
                }
                events.push(Event::TriggerChanged {
                    trigger: id.clone(),
                    from: change.from,
                    to: change.to,
                    meaning,
                    before,
                    reading,
                });
            }
        }
        self.keep(!events.is_empty());
        events.is_empty() || self.tell.send(events).await.is_ok()
    }

    /// Tells that nobody watched for a while: looks come all the time, and none came. Told
    /// under the lock, so that no other look can be seen before it either.
    fn tell_of_a_gap(&self, now: Timestamp) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(before) = looked.replace(now) else { return };
        let soonest = self.rules.values().map(|rule| rule.every).min().unwrap_or_default();
        // All sources may be slow at once; an earlier watch that is over is not slow.
        let first = !self.looking.swap(true, Ordering::Relaxed);
        let usual = soonest * 2 + if first { A_MOMENT } else { TIMEOUT };
        let longer = Duration::try_from(now.duration_since(before)).is_ok_and(|gap| gap > usual);
        let gap = vec![Event::WatchGap { from: before, to: now }];
        if longer && self.tell.try_send(gap).is_err() {
            // Nobody has listened for very long: the next look tells of all of it.
            *looked = Some(before);
        }
    }

    /// That a source is lost, or found again: two looks of one trigger failed, one after
    /// the other, and nobody else could read it in between.
    fn source(&self, id: &TriggerId, trigger: &Trigger, looked: &Looked) -> Vec<Event> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        match (&looked.lost, trigger.condition.source()) {
            (Some((source, error)), _) => {
                let known = sources.entry(source.clone()).or_default();
                let failures = known.of.entry(id.clone()).or_default();
                *failures = failures.saturating_add(1);
                if *failures >= LOST_AFTER && known.lost != Some(true) {
                    known.lost = Some(true);
                    let (source, error) = (source.clone(), error.clone());
                    return vec![Event::SourceOutageStarted { source, error }];
                }
            }
            // The first time it is read, too: an earlier watch may have lost it.
            (None, Some(source)) if has_answered(trigger, &looked.sample) => {
                let known = sources.entry(source.clone()).or_default();
                known.of.clear();
                if known.lost.replace(false) != Some(false) {
                    return vec![Event::SourceOutageEnded { source: source.clone() }];
                }
            }
            (None, _) => {}
        }
        Vec::new()
    }

    /// Keeps the board: when something changed, and now and then. `false` if that failed.
    fn keep(&self, changed: bool) -> bool {
        let Some(file) = &self.file else { return true };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if changed || kept.is_none_or(|at| at.elapsed() >= KEPT_EVERY) {
            *kept = Some(Instant::now());
            let board = self.board().clone();
            // A full disk must not end the watch; the states are in the log as well.
            return board.keep(file).is_ok();
        }
        true
    }
}
