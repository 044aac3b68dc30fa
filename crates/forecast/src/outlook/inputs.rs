//! What is known about each step, from the plan and from earlier runs.

use std::collections::BTreeMap;

use backout_core::duration::{Estimate, Span};
use backout_core::ids::RunId;
use backout_core::plan::{Action, Http, Plan, Step};

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
    let seconds = |span: Span| span.get().as_secs_f64();
    match estimate {
        None => Stated::Nothing,
        Some(Estimate::Point(span)) => Stated::Point(seconds(span)),
        Some(Estimate::Range { low, likely, high }) => {
            Stated::Range { low: seconds(low), likely: seconds(likely), high: seconds(high) }
        }
    }
}

/// When an attempt of a step is stopped: how long its action has lasted then, and beyond
/// which whole duration that happens; seconds, infinite where nothing is stopped.
///
/// `takes` and a measured duration are of the whole step. Only the action's share of it is
/// compared with the time-out: a verification that says how long it may take (`within`)
/// has that much beside the action, and where actions were measured (`share`, the largest
/// part of a duration that the action had), that is known.
fn stopped_at(step: &Step, share: Option<f64>, assumed: &Assumptions) -> (f64, f64) {
    const NEVER: (f64, f64) = (f64::INFINITY, f64::INFINITY);
    let seconds = |span: Span| span.get().as_secs_f64();
    let within = || step.machine_checks().filter_map(|(_, check)| check.within.map(seconds));
    let longest = within().reduce(f64::max);
    let Some(time_out) = step.action.timeout().map(seconds) else { return NEVER };
    if let Action::Wait(_) = step.action {
        // What is waited for are the verifications, each for its own time if it has one.
        let all = within().count() == step.machine_checks().count();
        let limit = longest.map_or(time_out, |w| if all { w } else { w.max(time_out) });
        return (limit, limit);
    }
    if let Some(share) = share {
        return (time_out, time_out / share.clamp(1e-6, 1.0));
    }
    if let Action::Http(Http { timeout: None, .. }) = step.action {
        // Requests are quick. What takes minutes are the verifications and people around
        // them, if there are any.
        if !step.verify.is_empty() {
            return NEVER;
        }
    }
    let mut limit = time_out + longest.unwrap_or(0.0);
    if step.confirmations().next().is_some() {
        // The rest of `takes` is the person's: as stated, the action fits.
        let high = match step.takes {
            Some(Estimate::Range { high, .. }) => seconds(high),
            Some(Estimate::Point(likely)) => {
                seconds(likely) * libm::exp(1.645 * assumed.point_spread)
            }
            None => 0.0,
        };
        limit = limit.max(high);
    }
    (time_out, limit)
}

/// Everything known about these steps. Nights are numbered over all of them.
pub(super) fn known(steps: &[Step], history: &History, assumed: &Assumptions) -> Vec<Known> {
    let mut nights: BTreeMap<&RunId, usize> = BTreeMap::new();
    let mut all = Vec::with_capacity(steps.len());
    for step in steps {
        let mut known = Known {
            kind: usize::from(step.action.is_manual()),
            retry: step.retry.map(|retry| (retry.attempts, retry.pause.get().as_secs_f64())),
            ..Known::stated(stated(step.takes))
        };
        let mut share: Option<f64> = None;
        for seen in history.of(step) {
            known.failed += seen.failed;
            known.stopped += seen.stopped.min(seen.failed);
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
                // Without a moment at which the action ended, all of it was the action;
                // where a person confirms there is one, and not to have it says nothing.
                let part = match seen.action_seconds {
                    Some(action) if seconds > 0.0 => Some(action / seconds),
                    None if step.confirmations().next().is_some() => None,
                    _ => Some(1.0),
                };
                share = part.map_or(share, |part| Some(share.unwrap_or(0.0).max(part)));
            }
        }
        (known.time_out, known.limit) = stopped_at(step, share, assumed);
        all.push(known);
    }
    all
}
