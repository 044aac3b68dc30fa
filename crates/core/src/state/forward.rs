//! What may happen to a deployment, and how it turns round.

use jiff::Timestamp;

use super::RunState;
use crate::choice::Choice;
use crate::event::{Event, Reason};
use crate::ids::{OptionId, StepId};
use crate::illegal::Illegal;
use crate::part::Part;
use crate::people::{Account, PersonId};
use crate::plan::Effect;
use crate::record::{Actor, Record};
use crate::release::{BackoutProgress, reversed, took_place};
use crate::status::{Status, StopCause};

impl RunState {
    pub(super) fn release_allows(&self, event: &Event) -> Result<(), Illegal> {
        let forward = self.release.goes_forward();
        let stage = |id: &StepId, status: Option<Status>| {
            let index = self.position(id)?;
            let found = self.states[index].status;
            if !self.is_stage(index) || status.is_some_and(|status| status != found) {
                return Err(Illegal::Status { step: id.clone(), status: found });
            }
            Ok(())
        };
        match event {
            Event::BackoutStarted { option: Some(option), .. }
                if !self.planned.plan.options.contains_key(option) =>
            {
                Err(Illegal::NoOption(option.clone()))
            }
            Event::StageApproved { .. }
            | Event::StageBaked { .. }
            | Event::WatchEnded { .. }
            | Event::DecisionRequested(_)
            | Event::DecisionEscalated { .. }
            | Event::BackoutStarted { .. }
                if !forward =>
            {
                Err(Illegal::Release("the run does not go forward"))
            }
            Event::StageApproved { stage: id, .. } => {
                stage(id, Some(Status::Pending))?;
                let waits = self.steps[self.position(id)?].needs_approval();
                match waits && !self.release.approved.contains(id) {
                    true => Ok(()),
                    false => Err(Illegal::Release("this stage waits for nobody's approval")),
                }
            }
            Event::StageBaked { stage: id, .. } => stage(id, Some(Status::Succeeded)),
            Event::WatchEnded { .. } if self.unsettled > 0 => {
                Err(Illegal::Release("not every stage is done"))
            }
            Event::DecisionEscalated { number, .. }
                if self.release.open.as_ref().is_none_or(|open| open.number != *number) =>
            {
                Err(Illegal::Release("this decision is not open"))
            }
            Event::DecisionMade { choice: Choice::NotFixable, .. }
                if self.release.open.as_ref().is_none_or(|open| open.fix_until.is_none()) =>
            {
                Err(Illegal::Release("nothing is being fixed"))
            }
            Event::DecisionMade { choice: Choice::Continue, .. }
                if forward && self.release.open.is_none() =>
            {
                Err(Illegal::Release("nothing is asked"))
            }
            Event::DecisionMade { choice: Choice::Continue, .. }
                if !forward && (self.unsettled > 0 || !self.active.is_empty()) =>
            {
                Err(Illegal::Release("the way back is not over, so nothing is asked yet"))
            }
            Event::DecisionMade { choice, .. } if !forward && *choice != Choice::Continue => {
                Err(Illegal::Release("the run does not go forward"))
            }
            _ => Ok(()),
        }
    }

    /// Stages that took place and that the chosen way back leaves as they are: nothing
    /// undoes them, or what does is not on this way or was left out.
    pub fn left_standing(&self) -> impl Iterator<Item = &StepId> {
        let undoes = self.release.back.iter().flat_map(|back| &back.undoes);
        undoes.filter(|id| {
            let Some((stage, _)) = self.step(id) else { return false };
            let done = |undo: &StepId| {
                let Ok(index) = self.position(undo) else { return false };
                let status = self.states[index].status;
                // What undoes a stage that took place matters, optional or not.
                let matters = self.version >= 2 || !self.steps[index].optional;
                let left_out = status == Status::Skipped && matters;
                // Once the run is over, what it did not come to was not done.
                let never = self.finished.is_some() && !status.is_settled();
                self.selected[index] && !left_out && !never
            };
            let undone = !stage.undone_by.0.is_empty() && stage.undone_by.iter().all(done);
            let changes = match self.version {
                1 => stage.effect() != Effect::Read,
                _ => !stage.changes_nothing(),
            };
            changes && !undone
        })
    }

    /// The run as it would be if somebody decided now to back out, by the way that is
    /// called for or else by the default one; nothing where it does not go forward.
    #[must_use]
    pub fn if_backed_out(&self, now: Timestamp) -> Option<Self> {
        if !self.release.goes_forward() || self.finished.is_some() {
            return None;
        }
        let option = self.release.open.as_ref().and_then(|open| open.option.clone());
        let reason = Reason::Person(String::new());
        let event = Event::BackoutStarted { option, reason };
        // Only to see what it would be: nothing of it is written.
        let preview = Actor::Person {
            id: PersonId::Name("preview".to_owned()),
            role: None,
            account: Account::default(),
        };
        self.with(&[event], &preview, now).ok()
    }

    /// Turns round: of the way back, what undoes the stages that took place.
    pub(super) fn back_out(
        &mut self,
        option: Option<&OptionId>,
        record: &Record,
    ) -> Result<(), Illegal> {
        let undoes = self.stages().filter(|&i| took_place(&self.states[i]));
        let undoes = undoes.map(|i| self.steps[i].id.clone()).collect();
        for index in self.stages().collect::<Vec<_>>() {
            let running = self.states[index].status == Status::Running;
            if running && !self.steps[index].action.is_reported() {
                self.states[index].stop = Some(StopCause::Backout);
            }
        }
        let stages = self.steps_of(Part::Stage);
        self.extra.extend(reversed(&stages, &self.planned.plan.steps));
        self.release.back = Some(BackoutProgress { since: record.at, undoes });
        self.release.open = None;
        self.proposals.clear();
        // It was the way forward that was held.
        self.held = None;
        let option = option.or_else(|| self.planned.plan.default_option()).cloned();
        self.option.clone_from(&option);
        self.select_way(option.as_ref(), false)
    }
}
