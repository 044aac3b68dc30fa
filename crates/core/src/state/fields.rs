//! Reading a run: its fields are its own.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Deviation, Held, RunState};
use crate::act::Act;
use crate::event::{Outcome, RunPlanned};
use crate::graph::Graph;
use crate::ids::{Digest, Epoch, OptionId, RunId, Seq, StepId, TriggerId};
use crate::location::{Location, Relocation};
use crate::people::PersonId;
use crate::plan::{Plan, Step};
use crate::record::Actor;
use crate::release::{Release, TriggerStatus};
use crate::status::StepState;

/// What a run would be, to show or to forecast it. Nothing of it is written.
impl RunState {
    /// The same run under another plan: other assumptions of a forecast.
    ///
    /// # Errors
    /// What `change` says.
    pub fn assuming<E>(
        mut self,
        change: impl FnOnce(&mut Plan) -> Result<(), E>,
    ) -> Result<Self, E> {
        change(&mut self.planned.plan)?;
        Ok(self)
    }

    /// The same run with what its triggers measured last.
    #[must_use]
    pub fn with_triggers(mut self, triggers: BTreeMap<TriggerId, TriggerStatus>) -> Self {
        self.release.triggers = triggers;
        self
    }
}

/// What is known, field by field. A run changes only by [`RunState::apply`].
impl RunState {
    /// The run.
    #[must_use]
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// Its frozen plan and how it was invoked.
    #[must_use]
    pub fn planned(&self) -> &RunPlanned {
        &self.planned
    }

    /// The steps as they are now, deviations included.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What is known about each.
    #[must_use]
    pub fn states(&self) -> &[StepState] {
        &self.states
    }

    /// Which of them belong to the way that was chosen.
    #[must_use]
    pub fn selected(&self) -> &[bool] {
        &self.selected
    }

    /// What each waits for.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The chosen steps in the order in which people and lanes take them up: each
    /// behind what it waits for, otherwise as frozen.
    #[must_use]
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Steps that do not start before a time.
    #[must_use]
    pub fn not_before(&self) -> &BTreeMap<StepId, Timestamp> {
        &self.not_before
    }

    /// The option in force.
    #[must_use]
    pub fn option(&self) -> Option<&OptionId> {
        self.option.as_ref()
    }

    /// Why nothing new starts, if so.
    #[must_use]
    pub fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// How and when it ended, if so.
    #[must_use]
    pub fn finished(&self) -> Option<&(Outcome, Timestamp)> {
        self.finished.as_ref()
    }

    /// Who started it.
    #[must_use]
    pub fn started_by(&self) -> &Actor {
        &self.started_by
    }

    /// When it was invoked.
    #[must_use]
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// The coordinator's term.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The coordinator, for people.
    #[must_use]
    pub fn coordinator(&self) -> Option<&str> {
        self.coordinator.as_deref()
    }

    /// Whether the run goes on elsewhere than its last coordinator was, and what is another.
    #[must_use]
    pub fn relocation(&self, here: &Location) -> Option<Relocation> {
        self.location.as_ref().and_then(|there| here.change_since(there))
    }

    /// Position of the last record.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// Digest of the last record.
    #[must_use]
    pub fn tail(&self) -> Digest {
        self.tail
    }

    /// Open votes: who asked for what.
    #[must_use]
    pub fn proposals(&self) -> &[(Act, PersonId)] {
        &self.proposals
    }

    /// Whether people still have to agree before anything starts.
    #[must_use]
    pub fn awaits_agreement(&self) -> bool {
        self.awaits_agreement
    }

    /// Since when every step of an option that keeps users out is done, if so.
    #[must_use]
    pub fn holding(&self) -> Option<Timestamp> {
        self.holding
    }

    /// Whether it is accepted that the run ends there.
    #[must_use]
    pub fn holding_accepted(&self) -> bool {
        self.holding_accepted
    }

    /// When the present coordinator took the run over.
    #[must_use]
    pub fn owned_since(&self) -> Timestamp {
        self.owned_since
    }

    /// The format version of the record the run began with. What follows from an event, and
    /// what happens next, is judged by it: an open run goes on as it began.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Departures from the plan.
    #[must_use]
    pub fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    /// The deployment, if the run is one, and what is watched.
    #[must_use]
    pub fn release(&self) -> &Release {
        &self.release
    }
}
