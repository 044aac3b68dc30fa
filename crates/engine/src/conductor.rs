//! The loop that owns a run.
//!
//! It holds no truth of its own. What is true is in the log; what it keeps in
//! memory is which tasks of this process are under way, and losing that costs
//! nothing but the time to look again. Each turn of the loop asks
//! [`decide`](backout_core::decide::decide), writes what has to be written,
//! dispatches what has to be dispatched, and waits for the first of: a task's
//! end, somebody else's record, a time, a signal.

mod outcome;
mod recovery;
mod sight;
mod tasks;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use backout_core::attempt::AttemptId;
use backout_core::cause::HoldCause;
use backout_core::choice::DecisionRequested;
use backout_core::decide::decide;
use backout_core::decision::decided;
use backout_core::environment::OtherTarget;
use backout_core::event::{Event, FailureEffect, Outcome, Reason};
use backout_core::ids::{Epoch, RunUid, StepId, TriggerId};
use backout_core::intent::{Intent, Purpose, Timer};
use backout_core::location::{Location, Relocation};
use backout_core::mark::Suspicion;
use backout_core::moment::Moment;
use backout_core::parallel::Places;
use backout_core::question::questions;
use backout_core::record::{Actor, Record};
use backout_core::silence::BEAT;
use backout_core::state::RunState;
use backout_core::status::Status;
use backout_core::upgrade::Upgrade;

use crate::clock::Clock;
use crate::fault::{self, Point};
use crate::forecaster::Forecaster;
use crate::hands::{Hands, Report, Unreadable, Verdict, World};
use crate::journal::{AppendError, Journal};
use crate::log::{OpenError, RunLog, WriteError};
pub use sight::Sight;
use sight::{About, Postponed, hear};

/// What a person at the coordinator's own terminal wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Finish what runs, start nothing; if that is so already, leave.
    Interrupt,
    /// Leave the run as it is.
    Detach,
}

/// Whether to stay when only a person can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Return at once.
    None,
    /// Stay until somebody answers.
    Forever,
    /// Stay this long without an answer.
    UpTo(Duration),
}

/// How a coordinator's work ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The run is over.
    Finished(Outcome),
    /// Only a person can go on.
    Waiting,
    /// The option is done and keeps users out: another one goes on from there.
    Holding,
    /// The person at the terminal left.
    Detached,
}

/// Why a coordinator had to stop. The run is safe: another one goes on from the log.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// Another coordinator took the run over.
    #[error("another coordinator took over this run: {0}")]
    Fenced(String),
    /// The log could not be written, or nobody knows whether it was.
    #[error(transparent)]
    Write(WriteError),
    /// The log could not be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What was noted about a step could not be read.
    #[error(transparent)]
    Hands(#[from] Unreadable),
    /// The state folder was copied, or it is another machine, and nobody has said that the run
    /// goes on here.
    #[error("the run was at work elsewhere, and nobody has said that it goes on here")]
    Relocated(Relocation),
    /// An address in the environment names another target than when the run began.
    #[error("{}", other_targets(.0))]
    OtherTarget(Vec<OtherTarget>),
    /// Something known elsewhere contradicts the log: it has lost its end, or is an older copy.
    /// Nothing starts on it.
    #[error("the log has lost its end: {}", listed(.0))]
    Suspect(Vec<Suspicion>),
}

/// Addresses that name another target, in one line.
fn other_targets(others: &[OtherTarget]) -> String {
    let words = others.iter().map(|OtherTarget { name, was, now }| {
        let now = now.as_deref().unwrap_or("no address");
        format!("{name} named {was} when the run began, and here it names {now}")
    });
    words.collect::<Vec<_>>().join("; ")
}

/// Suspicions in one line.
#[must_use]
pub fn listed(suspicions: &[Suspicion]) -> String {
    let words = suspicions.iter().map(|suspicion| match suspicion {
        Suspicion::Behind { place, mark, end } => {
            format!("it ends at record {end}, and {place} knows record {}", mark.seq)
        }
        Suspicion::OtherRecord { place, seq } => {
            format!("its record {seq} is not the one that {place} knows")
        }
        Suspicion::GoesOnBeside { place, seq } => {
            format!("the run goes on elsewhere, too, from record {seq} on, as {place} knows")
        }
        Suspicion::UnknownAttempt(id) => {
            format!("it does not know attempt {} at {}", id.attempt, id.step)
        }
    });
    words.collect::<Vec<_>>().join("; ")
}

/// Whoever wants to see what happens: a terminal, a script, a test.
pub trait Observer {
    /// A record was written, by this coordinator or by somebody else.
    fn record(&mut self, record: &Record, state: &RunState);

    /// No step is at work: what is asked of people now has to be seen, unless it was already.
    fn waits(&mut self, _state: &RunState) {}

    /// Time has passed.
    fn tick(&mut self, _state: &RunState) {}

    /// How often to be told that time has passed.
    fn pulse(&self) -> Option<Duration> {
        None
    }
}

/// What a task of this process was about.
enum Ended {
    Performed(StepId, u32, Box<Report>, Option<Verdict>),
    Verified(StepId, u32, Purpose, Verdict),
}

/// What people are asked: about which step, and what.
type Asked = Vec<(Option<StepId>, &'static str)>;

/// Owns a run until it ends.
pub struct Conductor<J, H, C> {
    log: RunLog<J>,
    hands: Arc<H>,
    clock: C,
    forecaster: Arc<dyn Forecaster>,
    id: String,
    epoch: Epoch,
    world: Arc<World>,
    tasks: JoinSet<Ended>,
    /// Steps a task of this process is about, with the try.
    busy: HashMap<StepId, u32>,
    /// Steps in doubt of which a look is under way while people are asked.
    looking: HashSet<StepId>,
    /// When the last such look of each began.
    looked: HashMap<StepId, Moment>,
    /// Steps that were already asked to stop.
    stopping: HashMap<StepId, u32>,
    /// What is watched.
    news: Option<mpsc::Receiver<Vec<Event>>>,
    /// When it was last looked at.
    sight: Option<Arc<dyn Sight>>,
    /// What waits for a look.
    postponed: Postponed,
    /// How many steps of machines it carries out at the same time.
    places: Option<Places>,
    /// Where the state folder is.
    location: Option<Location>,
    /// The variables of its own environment.
    variables: BTreeMap<String, String>,
    /// Shows that this coordinator lives.
    life: Option<Box<dyn Fn() + Send + Sync>>,
    /// Since when only people can go on, and what they are asked.
    idle: Option<(Moment, Asked)>,
}

impl<J: Journal, H: Hands, C: Clock> Conductor<J, H, C> {
    /// A conductor for a run. `id` names host and process, for people.
    pub fn new(
        log: RunLog<J>,
        hands: Arc<H>,
        clock: C,
        forecaster: Arc<dyn Forecaster>,
        id: String,
    ) -> Self {
        let world = World::of(log.state().planned());
        Self {
            log,
            hands,
            clock,
            forecaster,
            id,
            epoch: Epoch(0),
            world: Arc::new(world),
            tasks: JoinSet::new(),
            busy: HashMap::new(),
            looking: HashSet::new(),
            looked: HashMap::new(),
            stopping: HashMap::new(),
            news: None,
            sight: None,
            postponed: Postponed::new(),
            places: None,
            location: None,
            variables: BTreeMap::new(),
            life: None,
            idle: None,
        }
    }

    /// The same, with so many steps of machines at the same time.
    #[must_use]
    pub fn with_places(mut self, places: Places) -> Self {
        self.places = Some(places);
        self
    }

    /// The same, with its state folder here: where the run was elsewhere before, a person has to
    /// have said that it goes on here.
    #[must_use]
    pub fn at(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }

    /// The same, with these variables around it: where an address among them names another target
    /// than when the run began, nothing starts.
    #[must_use]
    pub fn among(mut self, variables: BTreeMap<String, String>) -> Self {
        self.variables = variables;
        self
    }

    /// The same, showing that it lives: `beat` is called from the loop that decides, at least
    /// every [`BEAT`] while the loop goes round, and not while the loop hangs.
    #[must_use]
    pub fn showing_life(mut self, beat: impl Fn() + Send + Sync + 'static) -> Self {
        self.life = Some(Box::new(beat));
        self
    }

    fn beat(&self) {
        if let Some(beat) = &self.life {
            beat();
        }
    }

    /// The same, hearing of what is watched: events about triggers and sources, and
    /// when each was last looked at.
    #[must_use]
    pub fn watching(mut self, news: mpsc::Receiver<Vec<Event>>, sight: Arc<dyn Sight>) -> Self {
        self.news = Some(news);
        self.sight = Some(sight);
        self
    }

    /// The run as it stands.
    #[must_use]
    pub fn state(&self) -> &RunState {
        self.log.state()
    }

    /// Takes the run over, recovers it, and carries it on.
    ///
    /// # Errors
    /// [`Stopped`]; the run can be resumed.
    pub async fn run(
        &mut self,
        observer: &mut impl Observer,
        mut control: mpsc::Receiver<Control>,
        patience: Patience,
    ) -> Result<End, Stopped> {
        if let Some((outcome, _)) = self.log.state().finished() {
            return Ok(End::Finished(outcome.clone()));
        }
        self.is_whole(observer).await?;
        self.take_over(observer).await?;
        self.recover(observer).await?;
        loop {
            let due = self.turn(observer).await?;
            if let Some((outcome, _)) = self.log.state().finished() {
                return Ok(End::Finished(outcome.clone()));
            }
            let idle = !self.works();
            // A deadline of people leaves the run waiting for people. What may become healthy by
            // itself is waited for, but no longer than the one who waits wants to.
            let only_people = idle && due.of_steps.is_none();
            let asks = idle && !questions(self.log.state()).is_empty();
            // A deployment that is left is not watched any more: that has to be said.
            let watches = self.news.is_some() && self.log.state().release().goes_forward();
            let state = self.log.state();
            let ended = match state.holding() {
                Some(_) if state.is_settled() => End::Holding,
                _ => End::Waiting,
            };
            let nothing_due = only_people && due.of_people.is_none() && due.recovery.is_none();
            // What is looked at is waited for: what holds needs no person.
            let looks = !self.looking.is_empty();
            if nothing_due && !watches && !looks && patience == Patience::None {
                return Ok(ended);
            }
            if asks || only_people {
                observer.waits(self.log.state());
            }
            let left = self.patience_left(only_people, patience);
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(ended);
            }
            let wake = due.first();
            if let Some(end) = self.wait(observer, &mut control, wake, left).await? {
                let end = if end == End::Waiting { ended } else { end };
                return Ok(end);
            }
        }
    }

    /// Does everything that is due. Returns how long until something else is.
    async fn turn(&mut self, observer: &mut impl Observer) -> Result<Due, Stopped> {
        loop {
            self.beat();
            let moment = self.clock.moment();
            let now = moment.wall;
            if let Some(change) = self.log.state().clock_change(&moment) {
                self.append(observer, vec![Event::from(change)]).await?;
                continue;
            }
            if let Some(sight) = &self.sight {
                sight.stands(self.log.state(), now);
            }
            let intents = decide(self.log.state(), now);
            let mut events = Vec::new();
            let mut starts = Vec::new();
            let mut due = Due::default();
            for intent in intents {
                match intent {
                    Intent::Start { step } => {
                        events.push(self.intent(step));
                        starts.push(self.log.state().steps()[step].id.clone());
                    }
                    Intent::Verify { step, purpose: Purpose::LookOn } => {
                        due.of_looks =
                            [due.of_looks, self.look_on(step, &moment)].into_iter().flatten().min();
                    }
                    Intent::Verify { step, purpose } => self.verify(step, purpose),
                    Intent::Wake { at, of } => {
                        let left = Duration::try_from(at.duration_since(now)).unwrap_or_default();
                        due.add(of, left);
                    }
                    Intent::Bake { step, verdict } => {
                        match self.judged(About::Stage(step), verdict, &moment) {
                            Ok(verdict) => {
                                let stage = self.log.state().steps()[step].id.clone();
                                events.push(Event::StageBaked { stage, verdict });
                            }
                            Err(left) => due.add(Timer::Watch, left),
                        }
                    }
                    Intent::EndWatch { verdict } => {
                        match self.judged(About::Release, verdict, &moment) {
                            Ok(verdict) => events.push(Event::WatchEnded { verdict }),
                            Err(left) => due.add(Timer::Watch, left),
                        }
                    }
                    Intent::Finish {
                        outcome:
                            outcome @ (Outcome::Reverted | Outcome::Unverified | Outcome::Partial),
                    } => match self.recovery_is_seen(now) {
                        Ok(()) => events.push(Event::RunFinished { outcome }),
                        Err(left) => due.add(Timer::Watch, left),
                    },
                    Intent::Ask(asked) => {
                        let numbers = self.forecaster.summary(self.log.state(), now);
                        let asked = self.measured(asked.with(numbers, now));
                        events.push(Event::DecisionRequested(Box::new(asked)));
                    }
                    Intent::Decide { choice, reason, known } => {
                        let readings = self.sight.as_ref().map(|sight| sight.readings());
                        let release = self.log.state().release();
                        let made = decided(
                            release,
                            choice,
                            Reason::Plan(reason),
                            known.as_deref(),
                            readings.unwrap_or_default(),
                        );
                        if let Some(known) = known {
                            let numbers = self.forecaster.summary(self.log.state(), now);
                            let known = self.measured(known.with(numbers, now));
                            events.push(Event::DecisionRequested(Box::new(known)));
                        }
                        events.extend(made);
                    }
                    other => events.extend(self.written(other)),
                }
            }
            if events.is_empty() {
                self.stop_what_is_to_stop();
                return Ok(due);
            }
            let ends = events.iter().any(|event| matches!(event, Event::RunFinished { .. }));
            if (ends || !starts.is_empty()) && !self.goes_on_nowhere_else(observer).await? {
                continue;
            }
            if let Some(step) = starts.first() {
                fault::point(Point::Decided, step.as_str());
            }
            let decides = |event: &Event| {
                matches!(event, Event::DecisionRequested(_) | Event::DecisionMade { .. })
            };
            let decides = events.iter().any(decides);
            if decides {
                fault::point(Point::Deciding, "");
            }
            if !self.append(observer, events).await? {
                // Somebody wrote in between: decide again on what is true now.
                continue;
            }
            if decides {
                fault::point(Point::DecisionDurable, "");
            }
            for step in starts {
                fault::point(Point::IntentDurable, step.as_str());
                self.dispatch(&step);
            }
        }
    }

    /// A question, with what its triggers measure now.
    fn measured(&self, mut asked: DecisionRequested) -> DecisionRequested {
        let about = |id: &TriggerId| asked.because.contains(id);
        let readings = self.sight.as_ref().map(|sight| sight.readings()).unwrap_or_default();
        asked.readings = readings.into_iter().filter(|(id, _)| about(id)).collect();
        asked
    }

    /// The event an intent is written as, for those that are one and have no effect
    /// beside it.
    fn written(&self, intent: Intent) -> Option<Event> {
        let state = self.log.state();
        let about = |index: usize| (state.steps()[index].id.clone(), state.states()[index].attempt);
        Some(match intent {
            Intent::Succeed { step } => {
                let evidence = state.states()[step].evidence.clone();
                let (step, attempt) = about(step);
                Event::StepSucceeded { step, attempt, evidence }
            }
            Intent::Resolve { step, answer, by } => {
                let (step, attempt) = about(step);
                Event::StepResolved { step, attempt, answer, by, reason: None }
            }
            Intent::Hold { option } => Event::HoldingReached { option },
            Intent::Fail { step, fault } => {
                let evidence = state.states()[step].evidence.clone();
                let (step, attempt) = about(step);
                Event::StepFailed { step, attempt, effect: FailureEffect::Unknown, fault, evidence }
            }
            Intent::PassOn { number, to, until } => Event::DecisionEscalated { number, to, until },
            Intent::Finish { outcome } => Event::RunFinished { outcome },
            Intent::Start { .. }
            | Intent::Verify { .. }
            | Intent::Ask(_)
            | Intent::Decide { .. }
            | Intent::Bake { .. }
            | Intent::EndWatch { .. }
            | Intent::Wake { .. } => return None,
        })
    }

    fn intent(&self, index: usize) -> Event {
        let state = self.log.state();
        let (step, known) = (&state.steps()[index], &state.states()[index]);
        // One key for a step and its action, whatever causes the repeat: a server that did it
        // and failed to say so recognises it. In runs of version 1 only a doubt kept the key.
        let repeats = match state.version() {
            1 => known.doubt.is_some(),
            _ => true,
        };
        let key = match repeats && !known.key.is_empty() {
            true => known.key.clone(),
            false => {
                // A lost journal gives the name of a run away again; its random id not.
                let uid = state.planned().uid.as_ref().map_or("", RunUid::as_str);
                let uid = uid.get(..12).unwrap_or(uid);
                let key = format!("{}/{}/{}", state.run(), step.id, known.attempt + 1);
                if uid.is_empty() { key } else { format!("{key}/{uid}") }
            }
        };
        Event::StepIntent {
            step: step.id.clone(),
            attempt: known.attempt + 1,
            key,
            action: step.action_digest(),
            effect: step.effect(),
        }
    }

    /// Stops steps that a person asked to stop since the last turn.
    fn stop_what_is_to_stop(&mut self) {
        let state = self.log.state();
        let wanted: Vec<AttemptId> = state
            .active()
            .filter(|&i| {
                state.states()[i].status == Status::Running && state.states()[i].stop.is_some()
            })
            .filter_map(|i| state.attempt_id(i))
            .filter(|id| self.stopping.get(&id.step) != Some(&id.attempt))
            .collect();
        for id in wanted {
            self.stopping.insert(id.step.clone(), id.attempt);
            let hands = Arc::clone(&self.hands);
            // The hands keep trying until the attempt has ended.
            tokio::spawn(async move { hands.stop(&id).await });
        }
    }

    /// How long people still have before they are not waited for any more, if there is an end
    /// to that.
    fn patience_left(&mut self, only_people: bool, patience: Patience) -> Option<Duration> {
        let Patience::UpTo(patience) = patience else { return None };
        if !only_people {
            self.idle = None;
            return None;
        }
        let now = self.clock.moment();
        let asked = questions(self.log.state());
        let asked: Asked = asked.into_iter().map(|asked| (asked.step, asked.asks.kind())).collect();
        // Whoever answers is at work; what comes next is waited for as long again.
        let since = match &self.idle {
            Some((since, before)) if *before == asked => since.clone(),
            _ => now.clone(),
        };
        let waited = Duration::try_from(now.since(&since)).unwrap_or_default();
        self.idle = Some((since, asked));
        Some(patience.saturating_sub(waited))
    }

    /// Waits for the first thing to happen. `Some` ends the coordinator's work.
    async fn wait(
        &mut self,
        observer: &mut impl Observer,
        control: &mut mpsc::Receiver<Control>,
        wake: Option<Duration>,
        mut left: Option<Duration>,
    ) -> Result<Option<End>, Stopped> {
        loop {
            let pulse = observer.pulse();
            self.beat();
            // With nothing to do it shows all the same that it lives.
            let beat = self.life.as_ref().map(|_| BEAT);
            let nap = [wake, pulse, left, beat].into_iter().flatten().min();
            let begun = self.clock.moment();
            let busy = !self.tasks.is_empty();
            tokio::select! {
                Some(ended) = self.tasks.join_next(), if busy => {
                    match ended {
                        Ok(ended) => self.ended(observer, ended).await?,
                        // A mistake of this program: as after any crash another one goes on.
                        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                        Err(_) => {}
                    }
                    return Ok(None);
                }
                changed = self.log.changed() => {
                    changed.map_err(OpenError::from)?;
                    if self.catch_up(observer).await? {
                        return Ok(None);
                    }
                }
                heard = hear(&mut self.news), if self.news.is_some() => {
                    match heard {
                        Some(events) => self.take_in(observer, events).await?,
                        None => self.news = None,
                    }
                    return Ok(None);
                }
                Some(wanted) = control.recv() => {
                    observer.tick(self.log.state());
                    return match wanted {
                        Control::Detach => Ok(Some(End::Detached)),
                        Control::Interrupt if self.log.state().held().is_some() => Ok(Some(End::Detached)),
                        Control::Interrupt => self.hold(observer).await.map(|()| None),
                    };
                }
                () = self.clock.sleep(nap.unwrap_or(Duration::MAX)), if nap.is_some() => {
                    observer.tick(self.log.state());
                    // It ends early where the clock was set.
                    let nap = self.clock.moment().since(&begun).try_into().unwrap_or_default();
                    left = left.map(|left| left.saturating_sub(nap));
                    if left.is_some_and(|left| left.is_zero()) {
                        return Ok(Some(End::Waiting));
                    }
                    if wake.is_some_and(|wake| wake <= nap) {
                        return Ok(None);
                    }
                    // A pulse: a longer wake has to be counted from now on.
                    if wake.is_some() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    async fn hold(&mut self, observer: &mut impl Observer) -> Result<(), Stopped> {
        // Somebody else may write first; the wish must not get lost over that.
        while self.log.state().held().is_none() && self.log.state().finished().is_none() {
            let held = Event::RunHeld { cause: HoldCause::Terminal, reason: None };
            self.append(observer, vec![held]).await?;
        }
        Ok(())
    }

    async fn ended(&mut self, observer: &mut impl Observer, ended: Ended) -> Result<(), Stopped> {
        let (step, attempt) = match &ended {
            Ended::Performed(step, attempt, ..) | Ended::Verified(step, attempt, ..) => {
                (step.clone(), *attempt)
            }
        };
        match &ended {
            Ended::Verified(_, _, Purpose::LookOn, _) => self.looking.remove(&step),
            _ => self.busy.remove(&step).is_some(),
        };
        let accepted = match &ended {
            Ended::Performed(_, _, report, _) if matches!(**report, Report::Doubt { .. }) => {
                let state = self.log.state();
                match state.position(&step).ok().and_then(|index| state.attempt_id(index)) {
                    Some(id) => self.hands.accepted(&id).await,
                    None => None,
                }
            }
            _ => None,
        };
        loop {
            let Some((found, known)) = self.log.state().step(&step) else { return Ok(()) };
            if known.attempt != attempt {
                return Ok(());
            }
            let events = match &ended {
                Ended::Performed(_, _, report, first_look) => {
                    outcome::performed(found, known, report, first_look.as_ref(), accepted)
                }
                Ended::Verified(_, _, purpose, verdict) => {
                    outcome::verified(found, known, *purpose, verdict)
                }
            };
            // A person may have settled the step meanwhile; then there is nothing to add.
            let Some(first) = events.first() else { return Ok(()) };
            if self.log.state().check(first).is_err() {
                return Ok(());
            }
            if self.append(observer, events).await? {
                fault::point(Point::OutcomeDurable, step.as_str());
                return Ok(());
            }
        }
    }

    /// Appends as the owner. `false` means that somebody else wrote first and
    /// nothing was appended; the state is now theirs.
    async fn append(
        &mut self,
        observer: &mut impl Observer,
        events: Vec<Event>,
    ) -> Result<bool, Stopped> {
        let before = self.log.state().seq();
        match self.log.append(self.epoch, self.actor(), self.clock.moment(), events).await {
            Ok(record) => {
                observer.record(&record, self.log.state());
                Ok(true)
            }
            Err(WriteError::Append(AppendError::Moved)) => {
                // The log has reloaded itself; show what was missed.
                self.still_owner()?;
                let missed = self.missed_since(before).await?;
                missed.iter().for_each(|record| observer.record(record, self.log.state()));
                Ok(false)
            }
            Err(error) => Err(Stopped::Write(error)),
        }
    }

    async fn missed_since(&self, seq: backout_core::ids::Seq) -> Result<Vec<Record>, Stopped> {
        let state = self.log.state();
        let stored = self.log.journal().read(state.run(), seq).await.map_err(OpenError::from)?;
        let parsed = stored.iter().filter_map(|bytes| {
            let record = serde_json::from_slice(bytes);
            record.or_else(|_| Upgrade::default().read(bytes)).ok()
        });
        Ok(parsed.filter(|record: &Record| record.seq <= state.seq()).collect())
    }

    async fn catch_up(&mut self, observer: &mut impl Observer) -> Result<bool, Stopped> {
        let records = self.log.refresh().await?;
        self.still_owner()?;
        records.iter().for_each(|record| observer.record(record, self.log.state()));
        Ok(!records.is_empty())
    }

    fn still_owner(&self) -> Result<(), Stopped> {
        let state = self.log.state();
        if state.epoch() == self.epoch {
            return Ok(());
        }
        Err(Stopped::Fenced(state.coordinator().unwrap_or_default().to_owned()))
    }

    fn actor(&self) -> Actor {
        Actor::Coordinator { id: self.id.clone() }
    }

    /// What waits for people, for the end of a run without a terminal.
    #[must_use]
    pub fn questions(&self) -> Vec<backout_core::question::Question> {
        questions(self.log.state())
    }
}

/// How long until something is due.
#[derive(Debug, Clone, Copy, Default)]
struct Due {
    /// Of the steps and of what is watched.
    of_steps: Option<Duration>,
    /// Of looks for what may still appear.
    of_looks: Option<Duration>,
    /// Of the people: a deadline for an answer.
    of_people: Option<Duration>,
    /// Of what may become healthy by itself after a backout, or settle by itself.
    recovery: Option<Duration>,
}

impl Due {
    fn add(&mut self, of: Timer, left: Duration) {
        let known = match of {
            Timer::Step | Timer::Watch => &mut self.of_steps,
            Timer::Answer => &mut self.of_people,
            Timer::Recovery | Timer::Settled => &mut self.recovery,
        };
        *known = Some(known.map_or(left, |known| known.min(left)));
    }

    fn first(self) -> Option<Duration> {
        [self.of_steps, self.of_looks, self.of_people, self.recovery].into_iter().flatten().min()
    }
}
