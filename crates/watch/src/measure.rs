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
use backout_trigger::replay::{Quiet, quiet, replay};
use backout_trigger::rule::{self, Kind, Measured, alpha};
use jiff::Timestamp;

use crate::history::{Samples, history};

/// How much of the time before the deployment is looked at, if the plan does not say.
const BEFORE: Duration = Duration::from_secs(3600);

/// How much of the time before the deployment says what is usual.
pub(crate) fn before(plan: &Plan) -> Duration {
    plan.watch.as_ref().and_then(|watch| watch.baseline).map_or(BEFORE, |before| before.get())
}

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
    let window = watch.window.unwrap_or(WATCH_WINDOW).get();
    let from = at.checked_sub(before(plan)).unwrap_or(at);
    // A deployment does not wait for a slow source: what it could not say is assumed.
    let asked = history(plan, world, from, at, PATIENCE).await;
    let mut measured = BTreeMap::new();
    for (id, samples) in asked {
        let (Ok(samples), Some(trigger)) = (samples, plan.triggers.get(&id)) else { continue };
        // What a stage brings was not there before.
        if trigger.from.is_some() {
            continue;
        }
        let mut known = Measured::default();
        if let Some(limit) = rule::limit(&trigger.condition) {
            known.rho = dispersion::measured(&counts(&samples), limit);
        }
        let Some(rule) = rule::of(plan, trigger, &known) else { continue };
        // The hour before may hold the last try of this very release: only what the plan
        // itself calls usual is.
        if let (Kind::Share { threshold, .. }, Some(_)) = (&rule.kind, watch.baseline) {
            let well = quiet(&rule, &samples, window);
            (known.watches, known.alarms) = (well.windows, well.alarms);
            known.floor = usual(&well, alpha(plan), *threshold);
        }
        let rule = rule::of(plan, trigger, &known).unwrap_or(rule);
        // What fell silent since says nothing about now.
        let fresh = samples.last().is_some_and(|(last, _)| {
            Duration::try_from(at.duration_since(*last)).is_ok_and(|age| age <= rule.every * 2)
        });
        let last = replay(&rule, &samples).map(|replayed| replayed.last.state);
        known.firing = fresh && matches!(last, Some(State::Firing | State::Recovering));
        measured.insert(id, known);
    }
    measured
}

/// The evidence it takes where alarms were usual: in a tenth of all watches, and in three
/// at least. One incident is no habit. Never so much that a release that breaks down is not
/// seen: three times of what the statistics ask for is a few looks more.
fn usual(well: &Quiet, alpha: f64, threshold: f64) -> Option<f64> {
    let often = well.alarms >= 3 && well.alarms * 10 >= well.windows;
    well.rate().filter(|rate| often && *rate > alpha)?;
    well.floor(alpha).filter(|floor| *floor > threshold).map(|floor| floor.min(threshold * 3.0))
}

fn counts(samples: &Samples) -> Vec<(f64, f64)> {
    let counts = samples.iter().filter_map(|(_, sample)| match sample {
        Sample::Counts { bad, total } => Some((bad.round(), total.round())),
        _ => None,
    });
    counts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_incident_is_no_habit_and_no_habit_blinds() {
        let quiet = |windows, alarms, highest: f64| {
            let mut all = vec![1.0; windows - alarms];
            all.extend(std::iter::repeat_n(highest, alarms));
            Quiet { windows, blind: 0, alarms, highest: all }
        };
        assert_eq!(usual(&quiet(42, 1, 348.9), 0.01, 10.0), None);
        assert_eq!(usual(&quiet(42, 3, 40.0), 0.01, 10.0), None);
        assert_eq!(usual(&quiet(12, 3, 12.0), 0.01, 10.0), Some(12.0));
        assert_eq!(usual(&quiet(12, 12, 348.9), 0.01, 10.0), Some(30.0));
        assert_eq!(usual(&quiet(12, 12, 9.0), 0.01, 10.0), None, "it would not fire now");
    }
}
