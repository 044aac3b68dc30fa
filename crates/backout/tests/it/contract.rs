//! JSON is a contract: documented, additive, and looked at here key by key.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use serde_json::Value;

use crate::stage::Stage;

/// Every way into a value, with the type at its end.
fn shape(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            entries.iter().for_each(|(key, value)| shape(value, &format!("{path}.{key}"), into));
        }
        Value::Array(items) => {
            items.iter().for_each(|item| shape(item, &format!("{path}[]"), into));
        }
        other => {
            let kind = match other {
                Value::Null => "null",
                Value::Bool(_) => "bool",
                Value::Number(_) => "number",
                _ => "text",
            };
            into.insert(format!("{path}: {kind}"));
        }
    }
}

fn shape_of(value: &Value) -> String {
    let mut paths = BTreeSet::new();
    shape(value, "", &mut paths);
    paths.into_iter().collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shape_of_json() {
    let stage = Stage::new();
    stage.plan_with(
        "  - {id: a, title: A, component: web, owner: ann, takes: 5m, run: {argv: ['true']}, verify: {file: {path: plan.backout.yaml}}}\n  - {id: b, owner: bob, manual: Do it., verify: {confirm: Really}}\n  - {id: c, owner: bob, manual: Do it.}\n",
        "components: {web: {}}\nwindow: {timezone: UTC, backout_by: 2030-06-01T06:00}\n",
    );
    let events =
        stage.tell(&["invoke", "plan.backout.yaml", "--as", "lead", "--json"]).expect(20).out;
    let mut events: Vec<Value> =
        events.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for event in &mut events {
        // What of it can be told differs from machine to machine.
        if let Some(location) = event.get_mut("location") {
            assert!(location.is_object(), "{location}");
            *location = Value::Null;
        }
    }
    assert_eq!(events.last().expect("an event")["event"], "waiting");
    assert_snapshot!("invoke", shape_of(&Value::Array(events)));
    assert_snapshot!("status", shape_of(&stage.status()));
    // Without a run, every open one, each in the same shape.
    let all = stage.say("status --json").expect(0).json();
    assert_eq!(all["runs"].as_array().map(Vec::len), Some(1), "{all}");
    assert_eq!(shape_of(&all["runs"][0]), shape_of(&stage.status()));
    assert_snapshot!("runs", shape_of(&stage.say("runs --json").expect(0).json()));
    assert_snapshot!("verify", shape_of(&stage.say("verify --json").expect(0).json()));
    assert_snapshot!(
        "check",
        shape_of(&stage.say("check plan.backout.yaml --json").expect(1).json())
    );
    assert_snapshot!(
        "sarif",
        shape_of(&stage.say("check plan.backout.yaml --format sarif").expect(1).json())
    );
}

#[test]
fn the_shape_of_a_forecast() {
    let stage = Stage::new();
    stage.plan_with(
        "  - {id: a, title: A, component: web, owner: ann, takes: 5m, manual: Do it.}\n  - {id: b, owner: bob, takes: {low: 1m, likely: 2m, high: 9m}, manual: Do it.}\n",
        "components: {web: {}}\noptions: {light: {title: L, steps: [a]}, full: {title: F}}\ndecision: {critical: {action: back-out, within: 5m}}\nwindow: {timezone: UTC, deploy: 2030-06-01T04:00 / 2030-06-01T05:00, backout_by: 2030-06-01T06:00}\n",
    );
    let told = stage.say("forecast plan.backout.yaml --json --partial --fix 10m").expect(0).json();
    assert_snapshot!("forecast", shape_of(&told));
    assert_snapshot!("history", shape_of(&stage.say("history --json").expect(0).json()));
}

/// What the events of these lines look like, each kind by itself.
fn events_of(lines: &str, wanted: &[&str]) -> String {
    let mut paths = BTreeSet::new();
    for line in lines.lines() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let name = event["event"].as_str().expect("a name").to_owned();
        if wanted.contains(&name.as_str()) {
            shape(&event, &name, &mut paths);
        }
    }
    let found: BTreeSet<&str> = paths.iter().filter_map(|path| path.split('.').next()).collect();
    assert_eq!(found, wanted.iter().copied().collect(), "{lines}");
    paths.into_iter().collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shape_of_a_deployment() {
    let stage = Stage::new();
    stage.plan_with(
        "  - {id: close, title: Close it, owner: ann, takes: 2m, run: {shell: touch up}, effect: idempotent, verify: {file: {path: up}}}\n",
        "stages:\n  - {id: open, title: Open it, owner: ann, takes: 5m, run: {shell: rm -f up}, effect: idempotent, verify: {run: {argv: ['true']}}, undone_by: [close]}\nwatch: {window: 2s, grace: 1s}\ntriggers:\n  portal: {title: The portal answers, severity: critical, every: 100ms, recovers_after: 200ms, probe: {file: {path: up}}}\ndecision:\n  critical: {action: back-out, by: lead, within: 5m}\n",
    );
    stage.write("up", "");
    let say = |line: &str, code: i32| stage.say(line).expect(code).json();
    assert_snapshot!(
        "deploy_dry_run",
        shape_of(&say("deploy plan.backout.yaml --dry-run --json", 0))
    );
    assert_snapshot!(
        "watch_dry_run",
        shape_of(&say("watch plan.backout.yaml --dry-run --json", 0))
    );
    let looks = stage.say("watch plan.backout.yaml --for 1s --json").expect(0).out;
    assert_snapshot!("watch_plan", events_of(&looks, &["trigger_changed", "watch_ended"]));
    let rows: String = (0..9).map(|at| format!("{},portal,0\n", 1_780_000_000 + at)).collect();
    stage.write("record.csv", &format!("time,trigger,value\n{rows}1780000009,portal,1\n"));
    assert_snapshot!(
        "watch_replay",
        shape_of(&say("watch plan.backout.yaml --replay record.csv --json", 1))
    );

    let mut running = stage.start(&["deploy", "plan.backout.yaml", "--as", "lead"]);
    stage.until("a question", |stage| !stage.questions().is_empty());
    assert_snapshot!("watch_run", shape_of(&say("watch CHG7 --json", 0)));
    assert_snapshot!("explain_open", shape_of(&say("decide CHG7 --explain --json", 0)));
    let decided = ["decide", "CHG7", "back-out", "--reason", "it is down", "--as", "lead"];
    stage.tell(&decided).expect(0);
    assert_eq!(running.code(), Some(11));
    assert_snapshot!("explain", shape_of(&say("decide CHG7 --explain --json", 0)));
    let log = stage.say("log CHG7 --json").expect(0).out;
    assert_snapshot!(
        "deployment_events",
        events_of(
            &log,
            &[
                "trigger_changed",
                "decision_requested",
                "decision_made",
                "backout_started",
                "run_finished"
            ]
        )
    );
}

#[test]
fn runs_are_newest_first() {
    let stage = Stage::new();
    stage.say("runs --json").expect(0);
    stage.plan("  - {id: a, owner: ann, run: {argv: ['true']}, verify: {run: {argv: ['true']}}}\n");
    for _ in 0..3 {
        stage.say("invoke plan.backout.yaml --as lead").expect(0);
    }
    let runs = stage.say("runs --json").expect(0).json();
    let ids: Vec<&str> = runs["runs"]
        .as_array()
        .expect("runs")
        .iter()
        .map(|run| run["id"].as_str().expect("text"))
        .collect();
    assert_eq!(ids, ["CHG7-3", "CHG7-2", "CHG7-1"]);
}

#[test]
fn exit_codes_of_check() {
    let stage = Stage::new();
    let sound = include_str!("../../../plan/tests/it/sound.backout.yaml");
    stage.write("sound.yaml", sound);
    stage.write("warned.yaml", &sound.replace("review: {owner: owner, within: 24h}\n", ""));
    stage.write("wrong.yaml", &sound.replace("    verify: {same_as_baseline: rows}\n", ""));
    stage.write("broken.yaml", &sound.replace("owner: dba\n", "ownr: dba\n"));
    stage.say("check sound.yaml").expect(0).says("sound: no findings");
    stage.say("check warned.yaml").expect(0).says("BOP-020");
    stage.say("check warned.yaml --deny warnings").expect(1);
    stage.say("check warned.yaml --deny warnings --allow BOP-020").expect(0).says("left out");
    stage.say("check wrong.yaml").expect(1).says("BOP-101");
    stage.say("check broken.yaml").expect(1).says("did you mean `owner`?");
    stage.say("check missing.yaml").expect(64).says("BK101");
    stage.say("check sound.yaml wrong.yaml").expect(1);
    stage.say("check sound.yaml --allow BOP-999").expect(64);
    stage.say("check").expect(64);
    stage.say("explain bop-115").expect(0).says("goes back in time");
    stage.say("explain BK108").expect(0).says("Unknown key");
    stage.say("explain BOP-999").expect(64);
}
