//! What is known about each step, from the plan and from earlier runs.

use std::collections::BTreeMap;

use backout_core::duration::Estimate;
use backout_core::ids::RunId;
use backout_core::plan::{Plan, Step};

use super::history::History;
use crate::learning::{Assumptions, Known, Sample, Stated};

/// What the plan assumes.
#[must_use]
pub fn assumptions(plan: &Plan) -> Assumptions {
    let usual = Assumptions::default();
    let Some(said) = plan.forecast else { return usual };
    // A percentage is what lies above the middle on one night of six: one
    // standard deviation of the logarithm.
    let spread = |percent: backout_core::plan::Percent| libm::log1p(percent.0 / 100.0);
    Assumptions {
        stress: said.stress.unwrap_or(usual.stress),
        night: said.bad_night.map_or(usual.night, spread),
        point_spread: said.one_figure.map_or(usual.point_spread, spread),
        help: said.help.map_or(usual.help, |help| help.get().as_secs_f64()),
        ..usual
    }
}

/// An estimate in seconds.
#[must_use]
pub fn stated(estimate: Option<Estimate>) -> Stated {
    let seconds = |span: backout_core::duration::Span| span.get().as_secs_f64();
    match estimate {
        None => Stated::Nothing,
        Some(Estimate::Point(span)) => Stated::Point(seconds(span)),
        Some(Estimate::Range { low, likely, high }) => {
            Stated::Range { low: seconds(low), likely: seconds(likely), high: seconds(high) }
        }
    }
}

/// When a step is stopped, seconds; infinite for people.
fn time_out(step: &Step) -> f64 {
    let seconds = |span: backout_core::duration::Span| span.get().as_secs_f64();
    let Some(action) = step.action.timeout().map(seconds) else { return f64::INFINITY };
    // Where the step is stated to take as long as its action may, or longer, what
    // takes time is not the action but the people around it, and nothing stops those.
    let stated = step.takes.map_or(0.0, |takes| seconds(takes.high()));
    if action < 1.5 * stated { f64::INFINITY } else { action }
}

/// Everything known about these steps. Nights are numbered over all of them.
pub(super) fn known(steps: &[Step], history: &History) -> Vec<Known> {
    let mut nights: BTreeMap<&RunId, usize> = BTreeMap::new();
    let mut all = Vec::with_capacity(steps.len());
    for step in steps {
        let mut known = Known {
            time_out: time_out(step),
            kind: usize::from(step.action.is_manual()),
            retry: step.retry.map(|retry| (retry.attempts, retry.pause.get().as_secs_f64())),
            ..Known::stated(stated(step.takes))
        };
        for seen in history.of(step) {
            known.failed += seen.failed;
            known.tried += seen.failed + u32::from(seen.seconds.is_some());
            // A step of an hour that somebody acknowledged within seconds was not
            // measured; it was clicked away.
            let least = match (step.action.is_manual(), known.stated) {
                (true, Stated::Point(low) | Stated::Range { low, .. }) => 0.1 * low,
                _ => 0.0,
            };
            if let Some(seconds) = seen.seconds.filter(|seconds| *seconds >= least) {
                let next = nights.len();
                let night = *nights.entry(&seen.run).or_insert(next);
                known.samples.push(Sample { night, seconds });
            }
        }
        all.push(known);
    }
    all
}
