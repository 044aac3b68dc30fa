//! What is true of a run after a prefix of its log.
//!
//! A run changes only by [`RunState::apply`]. What a step may do next is in
//! [`crate::status`]; this module keeps what `decide` needs at
//! hand (which steps are ready, which are stuck), so that deciding costs what
//! is going on and not what the plan holds.

mod clock;
mod fields;
mod forward;
mod step;
mod way;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::act::{Act, Answer};
use crate::cause::HoldCause;
use crate::choice::Choice;
use crate::event::{Direction, Event, Mode, Outcome, ResolvedBy, RunPlanned};
use crate::graph::Graph;
use crate::ids::{Digest, Epoch, OptionId, RunId, Seq, StepId};
pub use crate::illegal::Illegal;
use crate::location::Location;
use crate::moment::Moment;
use crate::parallel::Places;
use crate::part::Part;
use crate::people::PersonId;
use crate::plan::Step;
use crate::record::{Actor, Record};
use crate::release::Release;
use crate::status::{Status, StepState, step_transition};
use jiff::Timestamp;
pub use way::select;
use way::selection;

/// Why nothing new starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Who held the run.
    pub by: Actor,
    /// What held it.
    pub cause: HoldCause,
    /// Why, in their words.
    pub reason: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

/// A departure from the plan, for the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// What was done.
    pub what: Departure,
    /// Who did it.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// What departs from the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Departure {
    /// The run moved to another option.
    SwitchedOption(OptionId),
    /// A step was put in.
    Added(StepId),
    /// A running step was stopped.
    Stopped(StepId),
    /// A person said what happened to a step.
    Resolved(StepId, Answer),
    /// A step was run again.
    RanAgain(StepId),
    /// A step was left out.
    Skipped(StepId),
    /// A step was carried out by hand, and that was attested afterwards.
    Attested(StepId),
    /// A step was changed.
    Replaced(StepId),
    /// A step was handed to another person.
    Assigned(StepId, PersonId),
}

/// What is true of a run.
#[derive(Debug, Clone)]
pub struct RunState {
    /// The run.
    pub(crate) run: RunId,
    /// Its frozen plan and how it was invoked.
    pub(crate) planned: Box<RunPlanned>,
    /// The steps as they are now, deviations included.
    pub(crate) steps: Vec<Step>,
    /// What is known about each.
    pub(crate) states: Vec<StepState>,
    /// Which part of the run each belongs to.
    parts: Vec<Part>,
    /// Which of them belong to the way that was chosen.
    pub(crate) selected: Vec<bool>,
    /// What each waits for.
    pub(crate) graph: Graph,
    /// The chosen steps in the order in which people and lanes take them up: each
    /// behind what it waits for, otherwise as frozen.
    pub(crate) order: Vec<usize>,
    /// Steps that do not start before a time.
    pub(crate) not_before: BTreeMap<StepId, Timestamp>,
    /// The option in force.
    pub(crate) option: Option<OptionId>,
    /// Why nothing new starts, if so.
    pub(crate) held: Option<Held>,
    /// How and when it ended, if so.
    pub(crate) finished: Option<(Outcome, Timestamp)>,
    /// Who started it.
    pub(crate) started_by: Actor,
    /// When it was invoked.
    pub(crate) started: Timestamp,
    /// The coordinator's term.
    pub(crate) epoch: Epoch,
    /// The coordinator, for people.
    pub(crate) coordinator: Option<String>,
    /// How many steps of machines it carries out at the same time, if it says so.
    pub(crate) places: Option<Places>,
    /// Position of the last record.
    pub(crate) seq: Seq,
    /// Digest of the last record.
    pub(crate) tail: Digest,
    /// Open votes: who asked for what.
    pub(crate) proposals: Vec<(Act, PersonId)>,
    /// Whether people still have to agree before anything starts.
    pub(crate) awaits_agreement: bool,
    /// Since when every step of an option that keeps users out is done, if so.
    pub(crate) holding: Option<Timestamp>,
    /// Whether it is accepted that the run ends there.
    pub(crate) holding_accepted: bool,
    /// When the present coordinator took the run over.
    pub(crate) owned_since: Timestamp,
    /// The format version of the record the run began with. What follows from an event, and
    /// what happens next, is judged by it: an open run goes on as it began.
    pub(crate) version: u32,
    /// When the last record was written.
    pub(crate) clock: Moment,
    pub(crate) location: Option<Location>,
    /// Departures from the plan.
    pub(crate) deviations: Vec<Deviation>,
    /// The deployment, if the run is one, and what is watched.
    pub(crate) release: Release,
    /// Attempts at steps that this log does not have, by the record of their intent.
    pub(crate) set_aside: BTreeSet<(StepId, Digest)>,
    /// Steps that wait for no other: pending, and everything before them is settled.
    pub(crate) ready: BTreeSet<usize>,
    /// Steps that are neither pending nor settled.
    pub(crate) active: BTreeSet<usize>,
    /// How many selected steps are not settled.
    pub(crate) unsettled: usize,
    frozen: Vec<StepId>,
    extra: Vec<(StepId, StepId)>,
    open: Vec<usize>,
    /// Whether each step holds back nothing behind it any more.
    cleared: Vec<bool>,
    index: HashMap<StepId, usize>,
}

impl RunState {
    /// The state after the first record of a run.
    ///
    /// # Errors
    /// [`Illegal`] when the record does not begin a run.
    pub fn begin(record: &Record, digest: Digest) -> Result<Self, Illegal> {
        let Some(Event::RunPlanned(planned)) = record.events.first() else {
            return Err(Illegal::NotBegun);
        };
        let stages = match planned.direction {
            Direction::Forward => planned.plan.stages.clone(),
            Direction::Back => Vec::new(),
        };
        let release = Release { deploys: !stages.is_empty(), ..Release::default() };
        let parts = std::iter::repeat_n(Part::Stage, stages.len())
            .chain(std::iter::repeat_n(Part::Backout, planned.plan.steps.len()))
            .collect();
        let steps: Vec<Step> = stages.into_iter().chain(planned.plan.steps.clone()).collect();
        let mut state = Self {
            run: record.run.clone(),
            states: vec![StepState::new(); steps.len()],
            selected: vec![false; steps.len()],
            parts,
            graph: Graph::default(),
            order: Vec::new(),
            not_before: planned.not_before.clone(),
            frozen: planned.order.clone(),
            option: planned.option.clone(),
            steps,
            held: None,
            finished: None,
            started_by: record.actor.clone(),
            started: record.at,
            epoch: record.epoch,
            coordinator: None,
            places: None,
            seq: record.seq,
            tail: digest,
            proposals: Vec::new(),
            awaits_agreement: planned.quorum.is_some_and(|quorum| quorum > 1),
            holding: None,
            holding_accepted: false,
            owned_since: record.at,
            version: record.v,
            clock: record.moment(),
            location: planned.location.clone(),
            deviations: Vec::new(),
            release,
            set_aside: BTreeSet::new(),
            ready: BTreeSet::new(),
            active: BTreeSet::new(),
            unsettled: 0,
            extra: Vec::new(),
            open: Vec::new(),
            cleared: Vec::new(),
            index: HashMap::new(),
            planned: planned.clone(),
        };
        state.selected = match planned.direction {
            Direction::Forward => (0..state.steps.len()).map(|i| state.is_stage(i)).collect(),
            Direction::Back => selection(planned, state.option.as_ref())?,
        };
        state.rebuild()?;
        for event in &record.events[1..] {
            state.event(event, record)?;
        }
        Ok(state)
    }

    /// Applies the next record.
    ///
    /// # Errors
    /// [`Illegal`] when something in it cannot have happened. The state is then
    /// no longer of use.
    pub fn apply(&mut self, record: &Record, digest: Digest) -> Result<(), Illegal> {
        let takes_over = matches!(record.events.first(), Some(Event::OwnerAcquired { .. }));
        let by_coordinator = matches!(record.actor, Actor::Coordinator { .. });
        if by_coordinator && !takes_over && record.epoch != self.epoch {
            return Err(Illegal::Epoch { current: self.epoch, found: record.epoch });
        }
        self.follow_record(record);
        for event in &record.events {
            self.event(event, record)?;
            if let Event::StepIntent { step, .. } = event {
                let index = self.position(step)?;
                self.states[index].intent = Some(digest);
            }
        }
        self.seq = record.seq;
        self.tail = digest;
        Ok(())
    }

    /// The state there would be after these events.
    ///
    /// # Errors
    /// [`Illegal`] when one of them cannot happen.
    pub fn with(&self, events: &[Event], actor: &Actor, at: Timestamp) -> Result<Self, Illegal> {
        let record = Record {
            v: crate::record::FORMAT,
            run: self.run.clone(),
            seq: self.seq.next(),
            epoch: self.epoch,
            at,
            steady: None,
            actor: actor.clone(),
            events: events.to_vec(),
            prev: self.tail,
        };
        let mut then = self.clone();
        then.apply(&record, self.tail)?;
        Ok(then)
    }

    /// Whether an event would be legal now, without applying it.
    ///
    /// # Errors
    /// [`Illegal`], saying why not.
    pub fn check(&self, event: &Event) -> Result<(), Illegal> {
        if self.finished.is_some() && !matches!(event, Event::CommandRefused { .. }) {
            return Err(Illegal::Finished);
        }
        match event {
            Event::StepAdded { step, .. } => match self.index.contains_key(&step.id) {
                true => Err(Illegal::StepExists(step.id.clone())),
                false => Ok(()),
            },
            Event::RunHeld { .. } if self.held.is_some() => {
                Err(Illegal::Hold("the run is held already"))
            }
            Event::RunResumed { .. } if self.held.is_none() => {
                Err(Illegal::Hold("the run is not held"))
            }
            Event::StartAgreed { .. } if !self.awaits_agreement => {
                Err(Illegal::Hold("the run waits for no agreement"))
            }
            Event::HoldingReached { .. } if self.holding.is_some() || !self.is_settled() => {
                Err(Illegal::Hold("not every step of this option is done"))
            }
            Event::OptionSwitched { .. } if self.release.goes_forward() => {
                Err(Illegal::Release("the run does not go back yet"))
            }
            Event::OptionSwitched { option, .. } => {
                match self.planned.plan.options.contains_key(option) {
                    true => Ok(()),
                    false => Err(Illegal::NoOption(option.clone())),
                }
            }
            _ if Release::is_about(event) => self.release_allows(event),
            _ => match event.step() {
                Some(step) => self.next_status(step, event).map(|_| ()),
                None => Ok(()),
            },
        }
    }

    /// Position of a step in the list.
    ///
    /// # Errors
    /// [`Illegal::NoStep`].
    pub fn position(&self, step: &StepId) -> Result<usize, Illegal> {
        self.index.get(step).copied().ok_or_else(|| Illegal::NoStep(step.clone()))
    }

    /// A step and what is known about it.
    #[must_use]
    pub fn step(&self, step: &StepId) -> Option<(&Step, &StepState)> {
        self.index.get(step).map(|&i| (&self.steps[i], &self.states[i]))
    }

    /// Who does a step: the person it was handed to, else its owner's holder.
    #[must_use]
    pub fn doer(&self, index: usize) -> Option<String> {
        self.doer_id(index).map(|person| person.name(&self.planned.plan))
    }

    /// The person who does a step: the one it was handed to, else its owner's holder.
    #[must_use]
    pub fn doer_id(&self, index: usize) -> Option<PersonId> {
        let plan = &self.planned.plan;
        let owner = || self.steps[index].owner.as_ref().map(|role| PersonId::of_role(plan, role));
        self.states[index].assigned.clone().or_else(owner)
    }

    /// The part of the run a step belongs to.
    #[must_use]
    pub fn part(&self, index: usize) -> Part {
        self.parts[index]
    }

    /// Whether a step is a stage of the deployment.
    #[must_use]
    pub fn is_stage(&self, index: usize) -> bool {
        self.parts[index] == Part::Stage
    }

    /// The stages of the deployment, in the order of the list.
    pub fn stages(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.steps.len()).filter(|&index| self.is_stage(index))
    }

    /// Whether any attempt at a stage has begun.
    #[must_use]
    pub fn has_begun_to_deploy(&self) -> bool {
        self.stages().any(|index| self.states[index].attempt > 0)
    }

    /// The steps of a part, in the order of the list.
    fn steps_of(&self, part: Part) -> Vec<Step> {
        let of_part = self.steps.iter().zip(&self.parts).filter(|(_, known)| **known == part);
        of_part.map(|(step, _)| step.clone()).collect()
    }

    /// The option in force, if it ends with users kept out and the run waits for another one.
    #[must_use]
    pub fn holding_option(&self) -> Option<&OptionId> {
        let holds = |option: &&OptionId| self.version >= 2 && self.planned.plan.is_holding(option);
        self.option.as_ref().filter(holds)
    }

    /// Whether every step that is selected is done or left out, and none is at work.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.unsettled == 0 && self.active.is_empty()
    }

    /// An event that only the coordinator may write, or that a person may only write where no
    /// machine is at work on the step: it could end an attempt that is still under way, and
    /// another could begin beside it.
    fn check_of_person(&self, event: &Event) -> Result<(), Illegal> {
        let machine = |index: usize| !self.steps[index].action.is_reported();
        match event {
            Event::StepFailed { step, .. } | Event::StepExecuted { step, .. } => {
                let index = self.position(step)?;
                let status = self.states[index].status;
                let at_work = status == Status::Running && machine(index);
                match at_work || status == Status::InDoubt {
                    true => Err(Illegal::Status { step: step.clone(), status }),
                    false => Ok(()),
                }
            }
            Event::RunFinished { .. } => {
                let running =
                    self.active().find(|&i| self.states[i].status == Status::Running && machine(i));
                match running {
                    Some(index) => Err(Illegal::Status {
                        step: self.steps[index].id.clone(),
                        status: Status::Running,
                    }),
                    None => Ok(()),
                }
            }
            Event::StepResolved { by: ResolvedBy::Person, .. }
            // Whoever writes next notes it: it is about the machine.
            | Event::ClockChanged { .. }
            | Event::Relocated { .. }
            | Event::StartAgreed { .. }
            | Event::RunHeld { .. }
            | Event::RunResumed { .. }
            | Event::TakenOver { .. }
            | Event::OptionSwitched { .. }
            | Event::OrderFrozen { .. }
            | Event::StepConfirmed { .. }
            | Event::StepCheckRequested { .. }
            | Event::StepStopRequested { .. }
            | Event::StepRetried { .. }
            | Event::StepSkipped { .. }
            | Event::StepAttested { .. }
            | Event::StepAdded { .. }
            | Event::StepReplaced { .. }
            | Event::StepAssigned { .. }
            | Event::StageApproved { .. }
            | Event::DecisionMade { .. }
            | Event::BackoutStarted { .. }
            | Event::DefectLogged { .. }
            | Event::LogRecovered { .. }
            | Event::StepRecovered { .. }
            | Event::StepInherited { .. }
            | Event::CommandProposed { .. }
            | Event::CommandRefused { .. } => Ok(()),
            // What machines did, measured, or concluded.
            Event::RunPlanned(_)
            | Event::BaselinesCaptured { .. }
            | Event::OwnerAcquired { .. }
            | Event::HoldingReached { .. }
            | Event::StepIntent { .. }
            | Event::StepSucceeded { .. }
            | Event::StepVerified { .. }
            | Event::StepInDoubt { .. }
            | Event::StepProbed { .. }
            | Event::StepResolved { .. }
            | Event::StageBaked { .. }
            | Event::TriggerChanged { .. }
            | Event::SourceOutageStarted { .. }
            | Event::SourceOutageEnded { .. }
            | Event::WatchGap { .. }
            | Event::WatchEnded { .. }
            | Event::DecisionRequested(_)
            | Event::DecisionEscalated { .. } => {
                Err(Illegal::Hold("only a coordinator can say this"))
            }
        }
    }

    /// Steps that cannot start because something before them is stuck.
    #[must_use]
    pub fn blocked(&self) -> BTreeSet<usize> {
        let mut blocked = BTreeSet::new();
        let stuck = self.active.iter().filter(|&&i| self.states[i].status.is_stuck());
        let mut open: Vec<usize> = stuck.copied().collect();
        while let Some(step) = open.pop() {
            for &next in &self.graph.behind[step] {
                if blocked.insert(next) {
                    open.push(next);
                }
            }
        }
        blocked
    }

    /// Whether a failed step starts again by itself: its `retry` has tries left,
    /// its class allows it, and no person has stopped it.
    #[must_use]
    pub fn will_retry(&self, index: usize) -> bool {
        let (step, known) = (&self.steps[index], &self.states[index]);
        known.status == Status::Failed
            && known.stop.is_none()
            && !known.recheck
            && step.effect().may_repeat()
            && step.retry.is_some_and(|retry| known.failures < retry.attempts)
    }

    /// Whether a failed step stops everything. One that still tries again does not.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.active.iter().any(|&i| {
            self.states[i].status == Status::Failed
                && self.steps[i].on_failure == crate::plan::OnFailure::HaltAll
                && !self.will_retry(i)
        })
    }

    /// Steps that are neither pending nor settled, in plan order.
    pub fn active(&self) -> impl Iterator<Item = usize> + '_ {
        self.active.iter().copied()
    }

    /// How many steps of the chosen way are settled, and how many there are.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        let all = self.selected.iter().filter(|selected| **selected).count();
        (all - self.unsettled, all)
    }

    /// Whether this is the demonstration.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.planned.mode == Mode::Demo
    }

    fn next_status(&self, step: &StepId, event: &Event) -> Result<(usize, Status), Illegal> {
        let index = self.position(step)?;
        let state = &self.states[index];
        if let Some(found) = event.attempt() {
            let expected = match event {
                Event::StepIntent { .. } => state.attempt + 1,
                _ => state.attempt,
            };
            if found != expected {
                let (step, current) = (step.clone(), state.attempt);
                return Err(Illegal::Attempt { step, current, found });
            }
        }
        if let Event::StepRecovered { attempt, .. } = event
            && *attempt < state.attempt
        {
            let (step, current) = (step.clone(), state.attempt);
            return Err(Illegal::Attempt { step, current, found: *attempt });
        }
        let manual = self.steps[index].action.is_reported();
        step_transition(state.status, event, manual)
            .map(|status| (index, status))
            .ok_or(Illegal::Status { step: step.clone(), status: state.status })
    }

    fn event(&mut self, event: &Event, record: &Record) -> Result<(), Illegal> {
        if matches!(event, Event::RunPlanned(_) | Event::BaselinesCaptured { .. }) {
            return Err(Illegal::Misplaced);
        }
        self.check(event)?;
        if record.v >= 2 && !record.actor.is_coordinator() {
            self.check_of_person(event)?;
        }
        match event {
            Event::OwnerAcquired { epoch, coordinator, places, location } => {
                if *epoch <= self.epoch || record.epoch != *epoch {
                    return Err(Illegal::Epoch { current: self.epoch, found: *epoch });
                }
                self.epoch = *epoch;
                self.owned_since = record.at;
                self.coordinator = Some(coordinator.clone());
                self.places = *places;
                self.location = location.clone().or_else(|| self.location.take());
            }
            Event::StartAgreed { .. } => {
                self.awaits_agreement = false;
                self.proposals.clear();
            }
            Event::HoldingReached { .. } => self.holding = Some(record.at),
            Event::LogRecovered { epoch, unplaced, .. } => {
                // What a coordinator of the lost part may still write is fenced.
                self.epoch = self.epoch.max(*epoch);
                let of_step = unplaced.iter().map(|lost| (lost.step.clone(), lost.intent));
                self.set_aside.extend(of_step);
            }
            Event::RunHeld { cause, reason } => {
                self.clear_proposals();
                self.held = Some(Held {
                    by: record.actor.clone(),
                    cause: *cause,
                    reason: reason.clone(),
                    since: record.at,
                });
            }
            Event::RunResumed { .. } => {
                self.held = None;
                self.clear_proposals();
            }
            Event::Relocated { change, to, .. } => {
                self.location = Some(to.clone());
                for known in &mut self.states {
                    let earlier = known.begun_elsewhere;
                    known.begun_elsewhere = Some(earlier.map_or(*change, |it| it.and(*change)));
                }
                self.proposals.retain(|(act, _)| *act != Act::GoOnHere);
            }
            Event::TakenOver { .. } => self.proposals.retain(|(act, _)| *act != Act::TakeOver),
            Event::RunFinished { outcome } => self.finished = Some((outcome.clone(), record.at)),
            Event::OptionSwitched { option, reason } => {
                self.choose(option)?;
                (self.holding, self.holding_accepted) = (None, false);
                self.deviates(Departure::SwitchedOption(option.clone()), reason, record);
            }
            Event::OrderFrozen { order } => {
                self.frozen.clone_from(order);
                self.rebuild()?;
            }
            Event::StepAdded { step, after, before, not_before, reason } => {
                self.not_before.extend(not_before.map(|at| (step.id.clone(), at)));
                self.insert(step, after.as_ref(), before)?;
                (self.holding, self.holding_accepted) = (None, false);
                self.deviates(Departure::Added(step.id.clone()), reason, record);
            }
            Event::CommandProposed { act, .. } => {
                if let Some(person) = record.actor.person() {
                    self.proposals.push((act.clone(), person.clone()));
                }
            }
            Event::CommandRefused { .. } => {}
            Event::BackoutStarted { option, .. } => {
                self.back_out(option.as_ref(), record)?;
            }
            _ if Release::is_about(event) => {
                // Words for one question do not count for another; what is measured
                // takes nobody's word away.
                let settles = matches!(
                    event,
                    Event::DecisionMade { .. }
                        | Event::DecisionRequested(_)
                        | Event::StageApproved { .. }
                );
                if settles {
                    self.proposals.clear();
                }
                let goes_on = matches!(event, Event::DecisionMade { choice: Choice::Continue, .. });
                self.holding_accepted |= goes_on && self.holding.is_some();
                self.release.event(event, record);
            }
            _ => {
                if let Some(step) = event.step() {
                    let (index, status) = self.next_status(step, event)?;
                    self.step_event(index, status, event, record)?;
                }
            }
        }
        Ok(())
    }

    fn deviates(&mut self, what: Departure, reason: &str, record: &Record) {
        let (by, at) = (record.actor.clone(), record.at);
        // Who agreed that the run starts agreed to what it was before.
        self.proposals.clear();
        self.deviations.push(Deviation { what, by, reason: reason.to_owned(), at });
    }

    /// Words for one situation do not count in another; those for the start count while the run
    /// is what it was.
    fn clear_proposals(&mut self) {
        let starts = |act: &Act| matches!(act, Act::Invoke | Act::Deploy);
        let awaits = self.awaits_agreement;
        self.proposals.retain(|(act, _)| awaits && starts(act));
    }

    fn set_status(&mut self, index: usize, status: Status, at: Timestamp) {
        let state = &mut self.states[index];
        let before = std::mem::replace(&mut state.status, status);
        if before == status {
            return;
        }
        state.since = Some(at);
        if status.is_settled() {
            state.ended = Some(at);
        }
        if before.is_settled() != status.is_settled() {
            if self.selected[index] {
                self.unsettled = match status.is_settled() {
                    true => self.unsettled - 1,
                    false => self.unsettled + 1,
                };
            }
            self.clear_behind(index);
        }
        self.refile(index);
    }

    /// The steps that wait for no other.
    pub fn ready_steps(&self) -> impl Iterator<Item = &Step> + '_ {
        self.ready.iter().map(|&index| &self.steps[index])
    }

    /// Whether a step waits for no other.
    #[must_use]
    pub fn is_ready(&self, id: &StepId) -> bool {
        self.position(id).is_ok_and(|index| self.ready.contains(&index))
    }

    /// What a step still waits for: the unsettled steps before it, also where one in between is
    /// settled and passes on what it waited for.
    #[must_use]
    pub fn waits_for(&self, index: usize) -> Vec<usize> {
        let mut found = BTreeSet::new();
        let mut passed = BTreeSet::new();
        let mut open = self.graph.before[index].clone();
        while let Some(first) = open.pop() {
            if !self.states[first].status.is_settled() {
                found.insert(first);
            } else if !self.cleared[first] && passed.insert(first) {
                open.extend(&self.graph.before[first]);
            }
        }
        found.into_iter().collect()
    }

    /// Whether what waits for a step may start as far as that step goes: it is settled, and so is
    /// all that it waited for. A step that was left out, or that is done while one before it is
    /// done again, passes on what it waited for.
    fn is_cleared(&self, index: usize) -> bool {
        self.states[index].status.is_settled() && self.open[index] == 0
    }

    /// Passes on that a step is cleared, or is not any more.
    fn clear_behind(&mut self, index: usize) {
        let mut changed = vec![index];
        while let Some(step) = changed.pop() {
            let cleared = self.is_cleared(step);
            if self.cleared[step] == cleared {
                continue;
            }
            self.cleared[step] = cleared;
            for next in 0..self.graph.behind[step].len() {
                let next = self.graph.behind[step][next];
                match cleared {
                    true => self.open[next] -= 1,
                    false => self.open[next] += 1,
                }
                self.refile(next);
                changed.push(next);
            }
        }
    }

    /// Puts a step into the set its status and its waits ask for.
    fn refile(&mut self, index: usize) {
        let status = self.states[index].status;
        let ready = status == Status::Pending && self.selected[index] && self.open[index] == 0;
        // A failed step of a way that was left waits for nobody any more.
        let left_behind = status == Status::Failed && !self.selected[index];
        // Once the run goes back, of a stage it only matters whether it is still at work:
        // by its process, by somebody's hands, by another system.
        let left_behind = left_behind
            || self.is_stage(index) && self.release.back.is_some() && status != Status::Running;
        let active = status != Status::Pending && !status.is_settled() && !left_behind;
        file(&mut self.ready, index, ready);
        file(&mut self.active, index, active);
    }
}

fn file(set: &mut BTreeSet<usize>, index: usize, wanted: bool) {
    if wanted {
        set.insert(index);
    } else {
        set.remove(&index);
    }
}
