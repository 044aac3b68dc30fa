//! What this process has under way: steps with the hands, and looks at what they did.

use std::sync::Arc;
use std::time::Duration;

use backout_core::attempt::AttemptId;
use backout_core::duration::Span;
use backout_core::event::Evidence;
use backout_core::ids::StepId;
use backout_core::intent::Purpose;
use backout_core::moment::Moment;
use backout_core::plan::{Action, Effect};

use super::{Conductor, Ended};
use crate::clock::Clock;
use crate::fault::{self, Point};
use crate::hands::{Hands, NOT_RUN_AGAIN, Patience as AskFor, Report, Task, Verdict, World};
use crate::journal::Journal;

impl<J: Journal, H: Hands, C: Clock> Conductor<J, H, C> {
    /// Gives a step whose intent is durable to the hands. A manual step is with
    /// its owner the moment the intent is in the log.
    pub(super) fn dispatch(&mut self, step: &StepId) {
        let state = self.log.state();
        let Ok(index) = state.position(step) else { return };
        let (step, known) = (&state.steps()[index], &state.states()[index]);
        let Some(attempt_id) = state.attempt_id(index) else { return };
        if step.action.is_reported() {
            return;
        }
        let task = Task {
            id: attempt_id,
            epoch: self.epoch,
            step: step.clone(),
            key: known.key.clone(),
            world: Arc::clone(&self.world),
        };
        let (hands, id, attempt) = (Arc::clone(&self.hands), step.id.clone(), known.attempt);
        let (step, world) = (step.clone(), Arc::clone(&self.world));
        let looks_first = known.repeats && step.effect() == Effect::Verifiable;
        self.busy.insert(id.clone(), attempt);
        self.tasks.spawn(async move {
            // What came late has happened all the same.
            if looks_first && let Some(verdict) = holds_already(&*hands, &step, &world).await {
                let done = Evidence::saying(NOT_RUN_AGAIN);
                return Ended::Performed(id, attempt, Box::new(Report::Done(done)), Some(verdict));
            }
            // Waiting has no effect, so there is nothing to accept and to note down.
            let report = match step.action {
                Action::Wait(_) => Report::Done(Default::default()),
                _ => hands.perform(task).await,
            };
            fault::point(Point::Reported, id.as_str());
            let first_look = first_look(&*hands, step, world, &report).await;
            Ended::Performed(id, attempt, Box::new(report), first_look)
        });
    }

    pub(super) fn attach(&mut self, attempt_id: AttemptId) {
        let Some((found, _)) = self.log.state().step(&attempt_id.step) else { return };
        let (hands, step) = (Arc::clone(&self.hands), found.clone());
        let world = Arc::clone(&self.world);
        self.busy.insert(attempt_id.step.clone(), attempt_id.attempt);
        self.tasks.spawn(async move {
            let report = hands.attach(&attempt_id).await;
            let first_look = first_look(&*hands, step, world, &report).await;
            Ended::Performed(attempt_id.step, attempt_id.attempt, Box::new(report), first_look)
        });
    }

    pub(super) fn verify(&mut self, index: usize, purpose: Purpose) {
        let state = self.log.state();
        let (step, attempt) = (state.steps()[index].clone(), state.states()[index].attempt);
        if self.busy.contains_key(&step.id) {
            return;
        }
        let patience = match (&step.action, purpose) {
            // A person is to be asked at once; what comes later is looked for beside that.
            (_, Purpose::Probe { early: true }) => AskFor::Once,
            (Action::Wait(wait), _) => AskFor::UpTo(wait.up_to.get()),
            _ => AskFor::AsWritten,
        };
        let (hands, world, id) =
            (Arc::clone(&self.hands), Arc::clone(&self.world), step.id.clone());
        self.busy.insert(id.clone(), attempt);
        self.tasks.spawn(async move {
            let verdict = hands.verify(step, world, patience).await;
            Ended::Verified(id, attempt, purpose, verdict)
        });
    }

    /// Asks the verifications of a step in doubt once more, or says how long until that is due.
    /// A question is open meanwhile, so this is no work that a person would have to wait for.
    pub(super) fn look_on(&mut self, index: usize, now: &Moment) -> Option<Duration> {
        let state = self.log.state();
        let (step, attempt) = (state.steps()[index].clone(), state.states()[index].attempt);
        if self.looking.contains(&step.id) || self.busy.contains_key(&step.id) {
            return None;
        }
        let every = step.machine_checks().filter_map(|(_, check)| check.every).min();
        let every = every.map_or(LOOK_EVERY, Span::get);
        if let Some(last) = self.looked.get(&step.id) {
            // A clock that went backwards must not turn a pause into an hour.
            let left = Duration::try_from(now.since(last)).unwrap_or(every);
            let left = every.saturating_sub(left);
            if !left.is_zero() {
                return Some(left);
            }
        }
        self.looked.insert(step.id.clone(), now.clone());
        self.looking.insert(step.id.clone());
        let (hands, world, id) =
            (Arc::clone(&self.hands), Arc::clone(&self.world), step.id.clone());
        self.tasks.spawn(async move {
            let verdict = hands.verify(step, world, AskFor::Once).await;
            Ended::Verified(id, attempt, Purpose::LookOn, verdict)
        });
        None
    }

    /// Whether a task is under way that the run waits for.
    pub(super) fn works(&self) -> bool {
        self.tasks.len() > self.looking.len()
    }
}

/// How often to look for what may still appear, if the verification does not say.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the verifications of a step say, if all of them hold before it is run again.
async fn holds_already<H: Hands>(
    hands: &H,
    step: &backout_core::plan::Step,
    world: &Arc<World>,
) -> Option<Verdict> {
    step.machine_checks().next()?;
    let verdict = hands.verify(step.clone(), Arc::clone(world), AskFor::Once).await;
    (verdict.holds() == Some(true)).then_some(verdict)
}

/// Verifications often hold the moment the action is done. Asking once right
/// away saves a commit: the outcome is one record instead of two.
async fn first_look<H: Hands>(
    hands: &H,
    step: backout_core::plan::Step,
    world: Arc<World>,
    report: &Report,
) -> Option<Verdict> {
    let checkable = step.machine_checks().next().is_some();
    match report {
        Report::Done(_) if checkable => Some(hands.verify(step, world, AskFor::Once).await),
        _ => None,
    }
}
