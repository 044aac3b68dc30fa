//! What carries out steps.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use backout_core::attempt::AttemptId;
use backout_core::doubt::Observation;
use backout_core::environment::Environment;
use backout_core::event::{DoubtCause, Evidence, Fact, FailureEffect, RunPlanned, Verified};
use backout_core::ids::{BaselineId, Epoch, RunId, SourceId};
use backout_core::plan::{Baseline, Source, Step};

/// An attempt at a step, with everything needed to carry it out.
#[derive(Debug, Clone)]
pub struct Task {
    /// Which attempt at which step of which run.
    pub id: AttemptId,
    /// The term of the coordinator that dispatches it.
    pub epoch: Epoch,
    /// The step.
    pub step: Step,
    /// The key a target can recognise a repeat by.
    pub key: String,
    /// What the step talks to.
    pub world: std::sync::Arc<World>,
}

/// What the steps of a run talk to and compare with.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The folder relative paths start from.
    pub folder: String,
    /// The variables that were frozen when the run began.
    pub environment: Option<Environment>,
    /// The plan's sources.
    pub sources: BTreeMap<SourceId, Source>,
    /// How each baseline is captured.
    pub baselines: BTreeMap<BaselineId, Baseline>,
    /// What was captured before the deployment.
    pub facts: BTreeMap<BaselineId, Fact>,
}

impl World {
    /// The world of a run.
    #[must_use]
    pub fn of(planned: &RunPlanned) -> Self {
        let plan = &planned.plan;
        Self {
            folder: planned.folder.clone(),
            environment: planned.environment.clone(),
            sources: plan.sources.iter().map(|(id, source)| (id.clone(), source.clone())).collect(),
            baselines: plan.baselines.iter().map(|(id, b)| (id.clone(), b.clone())).collect(),
            facts: planned.baselines.as_ref().map(|used| used.facts.clone()).unwrap_or_default(),
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The action is done.
    Done(Evidence),
    /// It failed.
    Failed {
        /// How much of it happened, as far as is known.
        effect: FailureEffect,
        /// What went wrong, for people.
        error: String,
        /// What was seen.
        evidence: Evidence,
    },
    /// Nobody knows.
    Doubt {
        /// Why.
        cause: DoubtCause,
        /// What is known.
        evidence: Evidence,
    },
}

/// What the evidence of a repeat says that was not carried out.
pub const NOT_RUN_AGAIN: &str = "not run again: its verification holds already";

/// What a step's verifications say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Each verification a machine can carry out, and what it found.
    pub verified: Vec<Verified>,
}

impl Verdict {
    /// `Some(true)` when all hold, `None` when one could not be told, else `Some(false)`.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        if self.verified.iter().any(|verified| verified.holds.is_none()) {
            return None;
        }
        Some(self.verified.iter().all(|verified| verified.holds == Some(true)))
    }

    /// What does not hold, for people.
    #[must_use]
    pub fn complaint(&self) -> String {
        let wrong = self.verified.iter().filter(|verified| verified.holds != Some(true));
        let said: Vec<String> =
            wrong.map(|verified| format!("{}: {}", verified.check, verified.found)).collect();
        said.join("; ")
    }
}

/// What was noted about a step is there and cannot be read, or not be fenced.
/// Nothing may be concluded from that.
#[derive(Debug, thiserror::Error)]
#[error("what was noted about a step cannot be read: {0}")]
pub struct Unreadable(pub String);

/// What carries out steps.
///
/// The contract that recovery rests on: `perform` notes durably that it accepts
/// an attempt before anything has an effect, and notes durably how it ended
/// before it reports. `observe` tells what was noted, and from then on no
/// attempt that an earlier term dispatches, or has yet to dispatch, is accepted.
pub trait Hands: Send + Sync + 'static {
    /// Carries out an attempt to its end.
    fn perform(&self, task: Task) -> impl Future<Output = Report> + Send;

    /// What is noted about an attempt that a coordinator of an earlier term than
    /// `by` dispatched.
    ///
    /// # Errors
    /// [`Unreadable`]: the coordinator stops, and the run can be resumed.
    fn observe(
        &self,
        id: &AttemptId,
        by: Epoch,
    ) -> impl Future<Output = Result<Observation, Unreadable>> + Send;

    /// Every attempt of a run that was accepted, in any order.
    ///
    /// # Errors
    /// [`Unreadable`]: nothing may be concluded then.
    fn noted(&self, run: &RunId)
    -> impl Future<Output = Result<Vec<AttemptId>, Unreadable>> + Send;

    /// When an attempt was accepted; `None` where that is not known any more.
    fn accepted(&self, id: &AttemptId) -> impl Future<Output = Option<Timestamp>> + Send;

    /// Waits for the end of an attempt that is running, or reads how it ended.
    fn attach(&self, id: &AttemptId) -> impl Future<Output = Report> + Send;

    /// Asks the step's verifications, again and again until they hold or their
    /// time is up. With [`Patience::Once`], once.
    fn verify(
        &self,
        step: Step,
        world: std::sync::Arc<World>,
        patience: Patience,
    ) -> impl Future<Output = Verdict> + Send;

    /// Stops an attempt that is running, with everything it started.
    fn stop(&self, id: &AttemptId) -> impl Future<Output = ()> + Send;
}

/// How long to wait for a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Ask once.
    Once,
    /// As the verification says.
    AsWritten,
    /// This long, for all of them.
    UpTo(Duration),
}
