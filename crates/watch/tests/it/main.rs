//! Promises of watching: against sources that fail in every way, and against a real
//! Prometheus.

mod databases;
mod faults;
mod grace;
mod hints;
mod messages;
mod real;

use std::collections::BTreeMap;
use std::sync::Arc;

use backout_core::plan::Plan;
use backout_engine::hands::World;
use serde_json::{Value, json};

/// A plan with these triggers over one Prometheus.
pub(crate) fn plan(address: &str, triggers: &Value) -> Plan {
    let plan = json!({
        "backout": 1,
        "change": {"title": "A change"},
        "watch": {"grace": "1s", "window": "1h"},
        "sources": {"metrics": {"prometheus": address}},
        "triggers": triggers,
    });
    serde_json::from_value(plan).expect("a plan")
}

pub(crate) fn world(plan: &Plan) -> Arc<World> {
    Arc::new(World {
        folder: "/".to_owned(),
        environment: None,
        sources: plan.sources.iter().map(|(id, source)| (id.clone(), source.clone())).collect(),
        baselines: BTreeMap::new(),
        facts: BTreeMap::new(),
    })
}
