//! What was usual before the deployment: how bursty bad events are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use backout_core::ids::TriggerId;
use backout_core::plan::{Condition, Plan};
use backout_engine::hands::World;
use backout_trigger::dispersion;
use backout_trigger::rule::{Measured, every};
use jiff::Timestamp;
use tokio::task::JoinSet;

use crate::look::Servers;

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
    let before =
        plan.watch.as_ref().and_then(|watch| watch.baseline).map_or(BEFORE, |before| before.get());
    let servers = Servers::of_world(world);
    let mut asked = JoinSet::new();
    for (id, trigger) in &plan.triggers {
        let Condition::Ratio(ratio) = &trigger.condition else { continue };
        let Ok(Some(server)) = servers.of(&ratio.source) else { continue };
        let (bad, total, step) = (ratio.bad.clone(), ratio.total.clone(), every(trigger));
        let id = id.clone();
        asked.spawn_blocking(move || {
            let from = at.checked_sub(before).unwrap_or(at);
            let total = server.values(&total, from, at, step).ok()?;
            let bad = server.values(&bad, from, at, step).ok()?;
            let bad: BTreeMap<Timestamp, f64> = bad.into_iter().collect();
            let pairs: Vec<(f64, f64)> = total
                .into_iter()
                .filter_map(|(at, total)| Some((bad.get(&at)?.round(), total.round())))
                .collect();
            Some((id, dispersion::rho(&pairs)?))
        });
    }
    let mut measured = BTreeMap::new();
    let collect = async {
        while let Some(answer) = asked.join_next().await {
            if let Ok(Some((id, rho))) = answer {
                measured.insert(id, Measured { rho: Some(rho), floor: None });
            }
        }
    };
    // A deployment does not wait for a slow source: what it could not say is assumed.
    let _ = tokio::time::timeout(PATIENCE, collect).await;
    measured
}
