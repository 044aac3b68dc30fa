//! What steps took in earlier runs.

use std::collections::BTreeMap;

use backout_core::event::{Event, Mode};
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
    /// Tries that failed.
    pub failed: u32,
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
        struct Open {
            action: Digest,
            began: Timestamp,
            failed: u32,
            seconds: Option<f64>,
            /// When a person said that it was done.
            said: Option<Timestamp>,
            /// Nobody was coordinating for a while: the end in the log is when
            /// somebody came back, and not when the step ended.
            unwatched: bool,
        }
        let mut steps: BTreeMap<StepId, Open> = BTreeMap::new();
        for record in records {
            for event in &record.events {
                match event {
                    Event::RunPlanned(planned) if planned.mode == Mode::Demo => return,
                    Event::StepIntent { step, action, .. } => {
                        let failed = steps.get(step).map_or(0, |open| open.failed);
                        let open = Open {
                            action: *action,
                            began: record.at,
                            failed,
                            seconds: None,
                            said: None,
                            unwatched: false,
                        };
                        steps.insert(step.clone(), open);
                    }
                    Event::StepFailed { step, .. } => {
                        if let Some(open) = steps.get_mut(step) {
                            open.failed += 1;
                        }
                    }
                    Event::OwnerAcquired { .. } => {
                        let open = steps.values_mut().filter(|open| open.seconds.is_none());
                        open.for_each(|open| open.unwatched = true);
                    }
                    Event::StepExecuted { step, .. } if record.actor.person().is_some() => {
                        if let Some(open) = steps.get_mut(step) {
                            open.said = Some(record.at);
                        }
                    }
                    Event::StepSucceeded { step, .. } => {
                        if let Some(open) = steps.get_mut(step) {
                            let ended = if open.unwatched { open.said } else { Some(record.at) };
                            let took = ended.map(|at| at.duration_since(open.began).as_secs_f64());
                            open.seconds = took.filter(|took| *took >= 0.0);
                        }
                    }
                    // In doubt, attested, skipped: how long it took is not known.
                    Event::StepResolved { step, .. }
                    | Event::StepSkipped { step, .. }
                    | Event::StepAttested { step, .. } => {
                        steps.remove(step);
                    }
                    _ => {}
                }
            }
        }
        let Some(run) = records.first().map(|record| record.run.clone()) else { return };
        for (step, open) in steps {
            if open.seconds.is_some() || open.failed > 0 {
                let (seconds, failed) = (open.seconds, open.failed);
                let run = run.clone();
                self.history.push(Observation { run, step, action: open.action, seconds, failed });
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
