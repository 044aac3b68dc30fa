//! A step that ends well and complains is heard.

use serde_json::Value;

use crate::stage::Stage;

/// What the log keeps of a step's standard error, of the event with which it succeeded.
fn kept(stage: &Stage, step: &str) -> Value {
    let log = stage.say("log --json").expect(0).out;
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut ends =
        events.filter(|event| event["event"] == "step_succeeded" && event["step"] == step);
    let end = ends.next().unwrap_or_else(|| panic!("{step} did not succeed:\n{log}"));
    end["evidence"]["stderr"].clone()
}

#[test]
fn standard_error_of_a_step_that_succeeds_is_in_the_log() {
    let stage = Stage::new();
    stage.plan(
        "  - {id: quiet, owner: lead, run: {shell: 'echo fine'}, verify: {run: {argv: ['true']}}}\n  \
           - {id: loud, owner: lead, run: {shell: 'echo \"ERROR: row 7 was left out\" >&2'}, verify: {run: {argv: ['true']}}}\n  \
           - {id: checked, owner: lead, run: {shell: 'echo half >&2'}, verify: {run: {argv: ['true']}}}\n  \
           - {id: three, owner: lead, run: {shell: 'echo odd >&2; exit 3', exit: [0, 3]}, verify: {run: {argv: ['true']}}}\n",
    );
    stage.say("invoke plan.backout.yaml --as lead").expect(0);
    assert_eq!(kept(&stage, "quiet"), Value::Null);
    assert_eq!(kept(&stage, "loud"), "ERROR: row 7 was left out");
    assert_eq!(kept(&stage, "checked"), "half");
    assert_eq!(kept(&stage, "three"), "odd");
}

#[test]
fn secrets_in_standard_error_are_masked_in_the_log() {
    let stage = Stage::new();
    stage.write("secret", "hunter2\n");
    stage.plan(
        "  - {id: loud, owner: lead, run: {shell: 'echo \"login with $PW failed\" >&2', env: {PW: 'file:secret'}}}\n",
    );
    stage.say("invoke plan.backout.yaml --as lead").expect(10);
    assert_eq!(kept(&stage, "loud"), "login with *** failed");
    assert!(!stage.say("log --json").expect(0).out.contains("hunter2"));
}
