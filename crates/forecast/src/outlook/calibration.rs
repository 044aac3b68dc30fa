//! New estimates from what steps took.

use backout_core::duration::{Estimate, Span};
use backout_core::plan::Plan;

use super::history::History;
use super::inputs;
use crate::learning::{Basis, Known, Stated, learn};

/// A new estimate for a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The step, by position.
    pub step: usize,
    /// What the plan says.
    pub old: Option<Estimate>,
    /// What the measurements say: P5, median and P95 of the next time.
    pub new: Estimate,
    /// From how many measurements.
    pub count: usize,
}

/// New estimates for the steps that were measured at least so often. A stress
/// factor stays a factor: it is not worked into the figures.
#[must_use]
pub fn propose(plan: &Plan, history: &History, least: usize) -> Vec<Proposal> {
    // Tries that failed belong to the forecast and not to how long one try takes.
    let assumed = crate::learning::Assumptions { stress: 1.0, ..inputs::assumptions(plan) };
    let known: Vec<Known> = inputs::known(&plan.steps, history, &assumed)
        .into_iter()
        .map(|known| Known { retry: None, failed: 0, stated: Stated::Nothing, ..known })
        .collect();
    let learned = learn(&known, &assumed);
    let figures = learned.durations.iter().zip(&learned.basis).enumerate();
    figures
        .filter_map(|(step, (duration, basis))| match basis {
            Basis::Measured(count) if *count >= least => {
                let [low, likely, high] =
                    [0.05, 0.5, 0.95].map(|share| rounded(duration.quantile(share)));
                let new = Estimate::Range { low, likely: likely.max(low), high: high.max(likely) };
                let old = plan.steps[step].takes;
                (old != Some(new)).then_some(Proposal { step, old, new, count: *count })
            }
            _ => None,
        })
        .collect()
}

/// As people would say it: seconds under two minutes, tens of seconds under ten
/// minutes, minutes above.
fn rounded(seconds: f64) -> Span {
    let grid = match seconds {
        s if s < 120.0 => 1.0,
        s if s < 600.0 => 10.0,
        _ => 60.0,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
    let whole = ((seconds / grid).round() * grid).max(1.0) as u64;
    Span::seconds(whole)
}
