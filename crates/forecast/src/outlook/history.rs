//! What steps took in earlier runs.

use std::collections::BTreeMap;

use backout_core::event::{DoubtCause, Event, Mode};
use backout_core::ids::{Digest, RunId, StepId};
use backout_core::plan::Step;
use backout_core::record::Record;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How one step went in one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepId,
    /// Digest of its action: another action is another step.
    pub action: Digest,
    /// From the start of the try that worked to its verified end, seconds;
    /// nothing if no try did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// How much of that the action took, where a verification or a person came after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_seconds: Option<f64>,
    /// Attempts that failed, those that were stopped included.
    pub failed: u32,
    /// Attempts that were stopped at their time-out: they would have taken longer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stopped: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A step of a run while its log is read.
struct Open {
    action: Digest,
    began: Timestamp,
    failed: u32,
    stopped: u32,
    seconds: Option<f64>,
    action_seconds: Option<f64>,
    /// Its action ended.
    acted: Option<Timestamp>,
    /// When a person said that it was done.
    said: Option<Timestamp>,
    /// It was stopped at its time-out, and nothing says yet what it had done.
    in_doubt: bool,
    /// How long it took is not known: a person resolved, skipped or attested it.
    unmeasured: bool,
    /// No coordinator was there for a while: the end in the log is when one came back,
    /// and not when the step ended.
    unwatched: bool,
}

impl Open {
    fn new(action: Digest, began: Timestamp) -> Self {
        Self {
            action,
            began,
            failed: 0,
            stopped: 0,
            seconds: None,
            action_seconds: None,
            acted: None,
            said: None,
            in_doubt: false,
            unmeasured: false,
            unwatched: false,
        }
    }

    fn fail(&mut self, stopped: bool) {
        self.failed += 1;
        self.stopped += u32::from(stopped);
        self.in_doubt = false;
    }

    fn succeed(&mut self, at: Timestamp) {
        let since = |at: Timestamp| at.duration_since(self.began).as_secs_f64();
        let ended = if self.unwatched { self.said } else { Some(at) };
        let took = ended.map(since).filter(|took| *took >= 0.0);
        let acted = self.acted.filter(|_| !self.unwatched && self.said.is_none());
        self.action_seconds = took.and(acted).map(since).filter(|took| *took >= 0.0);
        self.seconds = took;
    }
}

/// What steps took in earlier runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// One entry per step and run.
    pub history: Vec<Observation>,
}

impl History {
    /// Adds what a run's log says. Demonstrations say nothing about real nights,
    /// and a step a person vouched for was not measured.
    pub fn add_run(&mut self, records: &[Record]) {
        let mut steps: BTreeMap<StepId, Open> = BTreeMap::new();
        let mut time_outs: BTreeMap<StepId, f64> = BTreeMap::new();
        for record in records {
            for event in &record.events {
                match event {
                    Event::RunPlanned(planned) if planned.mode == Mode::Demo => return,
                    Event::RunPlanned(planned) => {
                        let all = planned.plan.stages.iter().chain(&planned.plan.steps);
                        time_outs.extend(all.filter_map(|step| {
                            let time_out = step.action.timeout()?.get().as_secs_f64();
                            Some((step.id.clone(), time_out))
                        }));
                    }
                    Event::StepIntent { step, action, .. } => {
                        let (failed, stopped) =
                            steps.get(step).map_or((0, 0), |open| (open.failed, open.stopped));
                        let open = Open { failed, stopped, ..Open::new(*action, record.at) };
                        steps.insert(step.clone(), open);
                    }
                    Event::StepInDoubt { step, cause: DoubtCause::Deadline, .. } => {
                        if let Some(open) = steps.get_mut(step) {
                            open.in_doubt = true;
                        }
                    }
                    Event::StepFailed { step, .. } => {
                        if let Some(open) = steps.get_mut(step) {
                            // Not to the millisecond: what was stopped takes a moment to end.
                            let lasted = record.at.duration_since(open.began).as_secs_f64();
                            let time_out = time_outs.get(step);
                            let action_ended = open.acted.is_some();
                            let stopped = open.in_doubt
                                || !action_ended && time_out.is_some_and(|&at| lasted >= 0.99 * at);
                            open.fail(stopped);
                        }
                    }
                    Event::OwnerAcquired { .. } => {
                        let open = steps.values_mut().filter(|open| open.seconds.is_none());
                        open.for_each(|open| open.unwatched = true);
                    }
                    Event::StepExecuted { step, .. } => {
                        if let Some(open) = steps.get_mut(step) {
                            open.acted = Some(record.at);
                            open.said = record.actor.person().map(|_| record.at);
                        }
                    }
                    Event::StepSucceeded { step, .. } => {
                        if let Some(open) = steps.get_mut(step) {
                            open.succeed(record.at);
                        }
                    }
                    Event::StepResolved { step, .. } => {
                        if let Some(open) = steps.get_mut(step) {
                            // Whatever it had done by then, its time was not enough.
                            if open.in_doubt {
                                open.fail(true);
                            }
                            open.unmeasured = true;
                        }
                    }
                    // Attested, skipped: how long it took is not known.
                    Event::StepSkipped { step, .. } | Event::StepAttested { step, .. } => {
                        if let Some(open) = steps.get_mut(step) {
                            open.unmeasured = true;
                        }
                    }
                    _ => {}
                }
            }
        }
        let Some(run) = records.first().map(|record| record.run.clone()) else { return };
        for (step, mut open) in steps {
            if open.in_doubt {
                open.fail(true);
            }
            let seconds = open.seconds.filter(|_| !open.unmeasured);
            if seconds.is_some() || open.failed > 0 {
                self.history.push(Observation {
                    run: run.clone(),
                    step,
                    action: open.action,
                    seconds,
                    action_seconds: open.action_seconds.filter(|_| seconds.is_some()),
                    failed: open.failed,
                    stopped: open.stopped,
                });
            }
        }
    }

    /// What other runs than this one took: a run's own steps tell what night it is,
    /// and must not be what they are compared with.
    #[must_use]
    pub fn without(&self, run: &RunId) -> Self {
        let other = self.history.iter().filter(|seen| seen.run != *run);
        Self { history: other.cloned().collect() }
    }

    /// What is known of a step with this very action.
    pub fn of<'a>(&'a self, step: &'a Step) -> impl Iterator<Item = &'a Observation> {
        let action = step.action_digest();
        self.history.iter().filter(move |seen| seen.step == step.id && seen.action == action)
    }
}
