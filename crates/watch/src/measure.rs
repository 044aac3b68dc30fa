//! What was usual before the deployment: how bursty bad events are, and how often a
//! trigger would have fired although nothing was wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use backout_core::decision::WATCH_WINDOW;
use backout_core::ids::TriggerId;
use backout_core::plan::Plan;
use backout_engine::hands::World;
use backout_trigger::dispersion;
use backout_trigger::machine::{Sample, State};
use backout_trigger::replay::{quiet, replay};
use backout_trigger::rule::{self, Kind, Measured, alpha};
use jiff::Timestamp;

use crate::history::{Samples, history};

/// How much of the time before the deployment is looked at, if the plan does not say.
pub(crate) const BEFORE: Duration = Duration::from_secs(3600);

/// How long to wait for the sources.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a plan's sources know about the time before a moment. A source that cannot say
/// is left out: then the worst the model bears is assumed.
pub async fn measure(
    plan: &Plan,
    world: &Arc<World>,
    at: Timestamp,
) -> BTreeMap<TriggerId, Measured> {
    let watch = plan.watch.clone().unwrap_or_default();
    let before = watch.baseline.map_or(BEFORE, |before| before.get());
    let window = watch.window.unwrap_or(WATCH_WINDOW).get();
    let from = at.checked_sub(before).unwrap_or(at);
    // A deployment does not wait for a slow source: what it could not say is assumed.
    let asked = tokio::time::timeout(PATIENCE, history(plan, world, from, at)).await;
    let mut measured = BTreeMap::new();
    for (id, samples) in asked.unwrap_or_default() {
        let (Ok(samples), Some(trigger)) = (samples, plan.triggers.get(&id)) else { continue };
        let mut known = Measured::default();
        if let Some(limit) = rule::limit(&trigger.condition) {
            known.rho = dispersion::measured(&counts(&samples), limit);
        }
        let Some(rule) = rule::of(plan, trigger, &known) else { continue };
        if let Kind::Share { threshold, .. } = rule.kind {
            let well = quiet(&rule, &samples, window);
            let alpha = alpha(plan);
            (known.watches, known.alarms) = (well.windows, well.alarms);
            if well.rate().is_some_and(|rate| rate > alpha) {
                known.floor = well.floor(alpha).filter(|floor| *floor > threshold);
            }
        }
        let rule = rule::of(plan, trigger, &known).unwrap_or(rule);
        let last = replay(&rule, &samples).map(|replayed| replayed.last.state);
        known.firing = matches!(last, Some(State::Firing | State::Recovering));
        measured.insert(id, known);
    }
    measured
}

fn counts(samples: &Samples) -> Vec<(f64, f64)> {
    let counts = samples.iter().filter_map(|(_, sample)| match sample {
        Sample::Counts { bad, total } => Some((bad.round(), total.round())),
        _ => None,
    });
    counts.collect()
}
