//! Taking a run over: becoming its owner, and finding out about what the last one left.

use backout_core::attempt::AttemptId;
use backout_core::cause::StepFault;
use backout_core::doubt::{self, Observation, Recovery};
use backout_core::event::{Event, FailureEffect};
use backout_core::ids::{Epoch, StepId};
use backout_core::status::Status;

use super::{Conductor, Observer, Stopped, outcome};
use crate::clock::Clock;
use crate::hands::Hands;
use crate::journal::{AppendError, Journal};
use crate::log::WriteError;

impl<J: Journal, H: Hands, C: Clock> Conductor<J, H, C> {
    /// Compares the log with what is known of it elsewhere. Before anything is written on it: a
    /// log that lost its end would be made to look whole.
    pub(super) async fn is_whole(&mut self, observer: &mut impl Observer) -> Result<(), Stopped> {
        let run = self.log.state().run().clone();
        let noted = self.hands.noted(&run).await?;
        let places = self.log.journal().marks(&run);
        // Read after both: a record is in the log before anything is noted about it.
        for record in self.log.refresh().await? {
            observer.record(&record, self.log.state());
        }
        let judged = self.log.judge(&places, &noted);
        match judged.suspicions.is_empty() {
            true => Ok(()),
            false => Err(Stopped::Suspect(judged.suspicions)),
        }
    }

    /// Compares the log with what is noted elsewhere, where anything is: with a copy of the state
    /// folder the run may go on there. `false` where others have written meanwhile: then what is to
    /// happen is decided anew.
    pub(super) async fn goes_on_nowhere_else(
        &mut self,
        observer: &mut impl Observer,
    ) -> Result<bool, Stopped> {
        if !self.log.journal().notes_elsewhere() {
            return Ok(true);
        }
        let places = self.log.journal().marks(self.log.state().run());
        // Read after them: a record is in the log before its mark is made.
        if self.catch_up(observer).await? {
            return Ok(false);
        }
        let judged = self.log.judge(&places, &[]);
        match judged.is_suspect() {
            true => Err(Stopped::Suspect(judged.suspicions)),
            false => Ok(true),
        }
    }

    /// Makes this process the owner: by an append, which every earlier owner runs into.
    pub(super) async fn take_over(&mut self, observer: &mut impl Observer) -> Result<(), Stopped> {
        loop {
            for record in self.log.refresh().await? {
                observer.record(&record, self.log.state());
            }
            let frozen = self.log.state().planned().environment.as_ref();
            let others = frozen.map(|frozen| frozen.other_targets(&self.variables));
            if let Some(others) = others.filter(|others| !others.is_empty()) {
                return Err(Stopped::OtherTarget(others));
            }
            let here = self.location.as_ref();
            if let Some(change) = here.and_then(|here| self.log.state().relocation(here)) {
                return Err(Stopped::Relocated(change));
            }
            let epoch = Epoch(self.log.state().epoch().0 + 1);
            let (actor, at) = (self.actor(), self.clock.moment());
            let mut events = vec![Event::OwnerAcquired {
                epoch,
                coordinator: self.id.clone(),
                places: self.places,
                location: self.location.clone(),
            }];
            events.extend(self.log.state().clock_change(&at).map(Event::from));
            match self.log.append(epoch, actor, at, events).await {
                Ok(record) => {
                    self.epoch = epoch;
                    observer.record(&record, self.log.state());
                    return Ok(());
                }
                Err(WriteError::Append(AppendError::Moved)) => {}
                Err(error) => return Err(Stopped::Write(error)),
            }
        }
    }

    /// Looks at every step an earlier coordinator left under way.
    pub(super) async fn recover(&mut self, observer: &mut impl Observer) -> Result<(), Stopped> {
        let state = self.log.state();
        let left: Vec<AttemptId> = state
            .active()
            .filter(|&i| {
                state.states()[i].status == Status::Running
                    && !state.steps()[i].action.is_reported()
            })
            .filter_map(|i| state.attempt_id(i))
            .collect();
        for attempt_id in left {
            self.beat();
            let observation = self.hands.observe(&attempt_id, self.epoch).await?;
            let (step, attempt) = (attempt_id.step.clone(), attempt_id.attempt);
            let begun_elsewhere =
                self.log.state().step(&step).and_then(|(_, known)| known.begun_elsewhere);
            let accepted = match observation {
                Observation::Vanished(_) => self.hands.accepted(&attempt_id).await,
                _ => None,
            };
            // Where another writer was quicker it is judged anew: a doubt that is not written
            // down would leave the step running for ever.
            while self.is_at_work(&step, attempt) {
                let events = match doubt::on_recovery(observation, begun_elsewhere) {
                    // A stage nobody has begun is not begun any more once the run goes back.
                    Recovery::Dispatch if self.is_left_behind(&step) => {
                        let (step, effect) = (step.clone(), FailureEffect::None);
                        let (fault, evidence) = (StepFault::NotStarted, Default::default());
                        vec![Event::StepFailed { step, attempt, effect, fault, evidence }]
                    }
                    Recovery::Dispatch => {
                        self.dispatch(&step);
                        break;
                    }
                    Recovery::Attach | Recovery::TakeResult => {
                        self.attach(attempt_id);
                        break;
                    }
                    Recovery::Doubt(cause) => outcome::in_doubt(&attempt_id, cause, accepted),
                };
                if self.append(observer, events).await? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether the log says that this attempt is under way.
    fn is_at_work(&self, step: &StepId, attempt: u32) -> bool {
        self.log
            .state()
            .step(step)
            .is_some_and(|(_, known)| known.status == Status::Running && known.attempt == attempt)
    }

    /// Whether a step is a stage of a run that goes back.
    fn is_left_behind(&self, step: &StepId) -> bool {
        let state = self.log.state();
        state.release().back.is_some()
            && state.position(step).is_ok_and(|index| state.is_stage(index))
    }
}
