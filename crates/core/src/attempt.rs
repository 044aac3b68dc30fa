//! What tells one attempt at a step from every other.

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, RunId, RunUid, StepId};
use crate::state::RunState;

/// An attempt at a step of a run. Names repeat: a journal that is lost gives the name of its
/// runs away again, and a step that is replaced keeps its own. So what an executor notes about an
/// attempt names the run by its random id, too, and the attempt by its action and the record of
/// its intent. What does not fit is about another attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptId {
    /// The run, by its name.
    pub run: RunId,
    /// The run, by its random id; `None` in runs of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<RunUid>,
    /// The step.
    pub step: StepId,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Digest of the action.
    pub action: Digest,
    /// Digest of the record its intent stands in.
    pub intent: Digest,
}

impl RunState {
    /// The last attempt at a step; `None` before the first one.
    #[must_use]
    pub fn attempt_id(&self, index: usize) -> Option<AttemptId> {
        let (step, known) = (&self.steps[index], &self.states[index]);
        Some(AttemptId {
            run: self.run.clone(),
            uid: self.planned.uid.clone(),
            step: step.id.clone(),
            attempt: known.attempt,
            action: step.action_digest(),
            intent: known.intent?,
        })
    }

    /// The attempts that an executor took up and this log does not know: the log has lost its
    /// end, or is an older copy. `noted` is what the executor wrote down about this run.
    pub fn unknown<'a>(
        &self,
        noted: &'a [AttemptId],
    ) -> impl Iterator<Item = &'a AttemptId> + use<'a, '_> {
        let is_known = |id: &AttemptId| {
            let Ok(index) = self.position(&id.step) else { return false };
            let known = &self.states[index];
            match known.attempt == id.attempt {
                true => known.intent == Some(id.intent),
                false => known.attempt > id.attempt,
            }
        };
        let of_this_run = |id: &AttemptId| id.run == self.run && id.uid == self.planned.uid;
        // Steps that start together have one record for their intents.
        let is_set_aside = |id: &AttemptId| self.set_aside.contains(&(id.step.clone(), id.intent));
        noted.iter().filter(move |id| of_this_run(id) && !is_known(id) && !is_set_aside(id))
    }
}
