//! What the sources know about the time before: the samples a trigger would have seen.
//!
//! Only Prometheus keeps a history that can be asked again; what a database or a web page
//! said yesterday is gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use backout_core::ids::TriggerId;
use backout_core::plan::{Condition, Plan, Trigger};
use backout_engine::hands::World;
use backout_trigger::machine::Sample;
use backout_trigger::rule::{beyond, every};
use jiff::Timestamp;
use tokio::task::JoinSet;

use crate::look::{Servers, boundary, queries, since};
use crate::prometheus::{NoAnswer, Prometheus};

/// Samples in the order of their times.
pub type Samples = Vec<(Timestamp, Sample)>;

/// The samples of each trigger between two moments, or why there are none. The triggers
/// that a person watches are left out. What is not answered when patience is over counts
/// as not known; the others are not held up by it.
pub async fn history(
    plan: &Plan,
    world: &Arc<World>,
    from: Timestamp,
    to: Timestamp,
    patience: Duration,
) -> BTreeMap<TriggerId, Result<Samples, String>> {
    let servers = Servers::of_world(world);
    let mut found = BTreeMap::new();
    let mut asked = JoinSet::new();
    for (id, trigger) in &plan.triggers {
        if trigger.condition.is_judged() {
            continue;
        }
        let server = match trigger.condition.source().map(|source| servers.of(source)) {
            Some(Ok(Some(server))) => server,
            Some(Err(why)) => {
                found.insert(id.clone(), Err(why));
                continue;
            }
            Some(Ok(None)) | None => {
                found.insert(id.clone(), Err("its source keeps no history".to_owned()));
                continue;
            }
        };
        found.insert(id.clone(), Err("its source did not tell its history in time".to_owned()));
        let (id, trigger) = (id.clone(), trigger.clone());
        asked.spawn_blocking(move || {
            let samples = of(&trigger, &server, from, to);
            (id, samples)
        });
    }
    let all = async {
        while let Some(answer) = asked.join_next().await {
            if let Ok((id, samples)) = answer {
                found.insert(id, samples);
            }
        }
    };
    let _ = tokio::time::timeout(patience, all).await;
    found
}

fn of(
    trigger: &Trigger,
    server: &Prometheus,
    from: Timestamp,
    to: Timestamp,
) -> Result<Samples, String> {
    let step = every(trigger);
    let values = |query: &str| {
        server.values(query, from, to, step).map_err(|error: NoAnswer| error.to_string())
    };
    match &trigger.condition {
        Condition::Ratio(ratio) => {
            let bad: BTreeMap<Timestamp, f64> = values(&ratio.bad)?.into_iter().collect();
            let samples = values(&ratio.total)?.into_iter().map(|(at, total)| {
                let counts = bad.get(&at).map(|bad| Sample::Counts { bad: *bad, total });
                (at, counts.unwrap_or(Sample::Nothing))
            });
            Ok(samples.collect())
        }
        Condition::Latency(latency) => {
            let boundary = boundary(server, latency)?;
            let (fast, all) = queries(latency, &boundary);
            let fast: BTreeMap<Timestamp, f64> = values(&fast)?.into_iter().collect();
            let mut before = None;
            let counted = values(&all)?.into_iter().filter_map(|(at, total)| {
                let now = ((total - fast.get(&at)?).max(0.0), total);
                let (bad, total) = since(before.replace(now), now);
                Some((at, Sample::Counts { bad, total }))
            });
            Ok(counted.collect())
        }
        Condition::Gauge(gauge) => {
            let Some(query) = &gauge.query else {
                return Err("its source keeps no history".to_owned());
            };
            let value = |value| Sample::Value { value, beyond: beyond(&gauge.limit, value) };
            Ok(values(query)?.into_iter().map(|(at, found)| (at, value(found))).collect())
        }
        Condition::Relative(_) => {
            Err("it compares with the time before a deployment, which there was none of".to_owned())
        }
        Condition::Probe(_)
        | Condition::Webhook(_)
        | Condition::Composite(_)
        | Condition::Judged(_) => Err("its source keeps no history".to_owned()),
    }
}
