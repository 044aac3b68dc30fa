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
use backout_trigger::machine::Sample;
use backout_trigger::replay::quiet;
use backout_trigger::rule::{self, Kind, Measured, alpha};
use jiff::Timestamp;

use crate::history::history;

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
        let Ok(samples) = samples else { continue };
        let pairs: Vec<(f64, f64)> = samples
            .iter()
            .filter_map(|(_, sample)| match sample {
                Sample::Counts { bad, total } => Some((bad.round(), total.round())),
                _ => None,
            })
            .collect();
        let Some(limit) = plan.triggers.get(&id).and_then(|t| rule::limit(&t.condition)) else {
            continue;
        };
        let rho = dispersion::measured(&pairs, limit);
        let mut known = Measured { rho, ..Measured::default() };
        let Some(rule) = plan.triggers.get(&id).and_then(|t| rule::of(plan, t, &known)) else {
            continue;
        };
        let Kind::Share { threshold, .. } = rule.kind else { continue };
        let well = quiet(&rule, &samples, window);
        let alpha = alpha(plan);
        (known.watches, known.alarms) = (well.windows, well.alarms);
        if well.rate().is_some_and(|rate| rate > alpha) {
            known.floor = well.floor(alpha).filter(|floor| *floor > threshold);
        }
        measured.insert(id, known);
    }
    measured
}
