//! What matters.

use crate::finish::Finish;
use crate::network::{Activity, Duration, Network};
use crate::simulate::{Settings, simulate};

/// How much a step matters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weight {
    /// The step, by position.
    pub step: usize,
    /// How often it is on the chain that makes the finish, 0 to 1 (criticality index).
    pub critical: f64,
    /// That, times its spread over the whole's: the schedule sensitivity index
    /// (PMI, PMBOK 3rd ed.; Vanhoucke, "Integrated project management", 2013).
    pub sensitivity: f64,
    /// The finish's quantile if this step has one of its good nights (its P10), seconds.
    pub good: f64,
    /// The finish's quantile if this step has one of its bad nights (its P90), seconds.
    pub bad: f64,
}

impl Weight {
    /// By how much the finish differs between the two, seconds; infinite if a bad one
    /// makes the step fail for good.
    #[must_use]
    pub fn swing(&self) -> f64 {
        if self.good.is_finite() { self.bad - self.good } else { 0.0 }
    }
}

/// Its spread on an ordinary night, seconds, with what a stopped attempt costs.
fn spread(activity: &Activity) -> f64 {
    let duration = &activity.duration;
    let own = duration.sd();
    let Some(attempts) = activity.attempts.as_ref().filter(|a| a.limit.is_finite()) else {
        return own;
    };
    let within = (attempts.limit - duration.offset) / duration.scale.max(1e-9);
    let stopped = 1.0 - duration.table.probability(within);
    let costs = attempts.time_out + attempts.help.mean();
    libm::sqrt(own * own + stopped * (1.0 - stopped) * costs * costs)
}

/// Nights for each bar of the tornado. All bars see the same random numbers, so
/// few are enough to tell them apart.
fn nights(steps: usize) -> usize {
    (1_000_000 / steps.max(1)).clamp(1024, 4096)
}

/// The steps that matter most, most first: at most `count`.
#[must_use]
pub fn weights(
    network: &Network,
    finish: &Finish,
    critical: &[f64],
    share: f64,
    count: usize,
    settings: Settings,
) -> Vec<Weight> {
    let whole = finish.sd().max(1e-9);
    let mut all: Vec<Weight> = (0..network.activities.len())
        .map(|step| {
            let spread = spread(&network.activities[step]);
            let sensitivity = critical[step] * spread / whole;
            Weight { step, critical: critical[step], sensitivity, good: 0.0, bad: 0.0 }
        })
        .collect();
    let by = |w: &Weight| (w.sensitivity, w.critical);
    all.sort_by(|a, b| by(b).partial_cmp(&by(a)).unwrap_or(std::cmp::Ordering::Equal));
    all.truncate(count);
    all.retain(|weight| weight.critical > 0.0);
    let samples = nights(network.activities.len());
    let settings = Settings { samples, criticality: false, ..settings };
    let mut changed = network.clone();
    for weight in &mut all {
        let original = changed.activities[weight.step].clone();
        let mut at = |place: f64| {
            let fixed = original.duration.quantile(place);
            let activity = &mut changed.activities[weight.step];
            activity.duration = Duration {
                feels_the_night: original.duration.feels_the_night,
                cap: original.duration.cap,
                ..Duration::exactly(fixed)
            };
            activity.elapsed = original.elapsed.map(|elapsed| elapsed.min(fixed));
            Finish::from(simulate(&changed, settings)).quantile(share).value
        };
        (weight.good, weight.bad) = (at(0.1), at(0.9));
        changed.activities[weight.step] = original;
    }
    all
}
