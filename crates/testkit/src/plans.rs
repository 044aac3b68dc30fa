//! Small plans for tests.

use backout_core::event::{Direction, Instants, Mode, RunPlanned};
use backout_core::ids::Digest;
use backout_core::plan::{Effect, Plan};
use backout_core::policy::Policy;
use serde_json::{Value, json};

/// A plan with these steps and a few roles: `lead` decides, `ann` and `bob` do.
#[must_use]
pub fn plan(steps: &Value) -> Plan {
    plan_with(steps, &json!({}))
}

/// The same, with further sections.
///
/// # Panics
/// When the sections are not those of a plan.
#[must_use]
pub fn plan_with(steps: &Value, more: &Value) -> Plan {
    let mut plan = json!({
        "backout": 1,
        "change": {"id": "CHG1", "title": "A change", "owner": "lead"},
        "roles": {
            "lead": {"name": "Lena Lead", "user": "lena"},
            "ann": {"name": "Ann", "deputies": ["bob"]},
            "bob": {"name": "Bob"},
        },
        "steps": steps,
    });
    if let (Some(plan), Some(more)) = (plan.as_object_mut(), more.as_object()) {
        plan.extend(more.clone());
    }
    serde_json::from_value(plan).expect("a plan")
}

/// An automated step of an effect class, with a verification, so that a run of it ends
/// verified. A step that only reads has none: there is nothing to verify.
#[must_use]
pub fn automatic(id: &str, effect: Effect, after: &[&str]) -> Value {
    let mut step = unchecked(id, effect, after);
    if effect != Effect::Read {
        step["verify"] = json!({"file": {"path": id}});
    }
    step
}

/// The same without a verification, unless its class needs one. A `verifiable` one has no effect
/// beyond its processes.
#[must_use]
pub fn unchecked(id: &str, effect: Effect, after: &[&str]) -> Value {
    let mut step = json!({
        "id": id, "owner": "ann", "after": after, "run": {"argv": ["true"]}, "effect": effect,
    });
    if effect == Effect::Verifiable {
        step["verify"] = json!({"file": {"path": id}});
        // What is dead does nothing more.
        step["effects"] = json!("local");
    }
    step
}

/// The first event of a run of this plan.
#[must_use]
pub fn planned(plan: Plan) -> RunPlanned {
    let source = serde_json::to_string(&plan).expect("a plan is data");
    RunPlanned {
        uid: None,
        plan_digest: Digest::of(source.as_bytes()),
        source,
        folder: "/".to_owned(),
        window: Instants::default(),
        mode: Mode::Live,
        option: plan.default_option().cloned(),
        only: Vec::new(),
        order: Vec::new(),
        not_before: Default::default(),
        baselines: None,
        direction: Direction::Back,
        earlier: None,
        file: None,
        keeps_marks: false,
        marks_elsewhere: None,
        location: None,
        environment: None,
        reason: None,
        quorum: None,
        beside: Vec::new(),
        confirmed: Vec::new(),
        policy: Policy::default(),
        plan,
    }
}
