//! What scripts, and people at another terminal, are told of a deployment under way.

use crate::stage::Stage;

const STEPS: &str = "  - {id: close, title: Close it, owner: ann, takes: 2m, run: {shell: mv down up}, effect: opaque, verify: {file: {path: up}}}\n";
const STAGES: &str = "stages:\n  - {id: open, title: Open it, owner: ann, takes: 5m, run: {shell: mv up down && echo x >> opened}, effect: opaque, verify: {file: {path: down}}, undone_by: [close]}\n";
const WATCHED: &str = "watch: {window: 1h, grace: 1s}\ntriggers:\n  portal: {title: The portal answers, severity: critical, every: 100ms, recovers_after: 200ms, probe: {file: {path: up}}}\ndecision:\n  critical: {action: back-out, by: lead, within: 30m}\n";

fn stage() -> Stage {
    let stage = Stage::new();
    stage.plan_with(STEPS, &format!("{STAGES}{WATCHED}"));
    stage.write("up", "");
    stage
}

/// Two who begin at the same moment know of each other.
#[test]
fn only_one_of_several_deployments_begins() {
    let stage = stage();
    let mut running: Vec<_> =
        (0..4).map(|_| stage.start(&["deploy", "plan.backout.yaml", "--as", "lead"])).collect();
    stage.until("it is asked", |stage| stage.say("status").out.contains("to decide"));
    stage.say("decide CHG7 back-out --reason enough --as lead").expect(0);
    let mut codes: Vec<_> = running.iter_mut().map(|running| running.code()).collect();
    codes.sort();
    assert_eq!(codes, [Some(11), Some(30), Some(30), Some(30)], "{}", stage.errors());
    assert_eq!(stage.lines("opened"), 1);
    let runs = stage.say("runs --json").json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1));
}

/// Whoever has no terminal is told what is asked, and how it is answered; and waits for as
/// long as they said.
#[test]
fn a_script_is_told_what_is_asked() {
    let stage = Stage::new();
    let failing = STAGES.replace("mv up down && echo x >> opened", "exit 3");
    stage.plan_with(STEPS, &format!("{failing}{WATCHED}"));
    stage.write("up", "");
    let told = stage.tell(&["deploy", "plan.backout.yaml", "--as", "lead", "--wait=300ms"]);
    told.expect(20)
        .says("open (Open it), failed:")
        .says("backout retry CHG7-1 open")
        .says("backout decide CHG7-1 back-out --reason \"…\"");
    let told = stage.tell(&["resume", "CHG7", "--as", "lead", "--wait=300ms", "--json"]).expect(20);
    let mut waits = told.out.lines().filter(|line| line.contains("\"event\":\"waiting\""));
    let last: serde_json::Value =
        serde_json::from_str(waits.next_back().expect("it waits")).expect("JSON");
    assert_eq!(last["questions"][0]["kind"], "failed");
    // Nobody watches, and nobody backs out by themselves.
    stage
        .say("status")
        .says("No coordinator is at work on this run")
        .says("nothing is watched, and no deadline does anything");
    let step = stage.step("open");
    assert!(step["ended"].is_string(), "it is over, although it failed: {step}");
    let watched = stage.say("watch CHG7 --json").expect(0).json();
    assert_eq!(watched["coordinator"], serde_json::Value::Null);
    assert!(watched["triggers"][0]["looked_at"].is_string());
}

/// A hold does not swallow a decision, and a run that is over takes none.
#[test]
fn a_decision_ends_a_hold_and_says_so() {
    let stage = stage();
    let mut running = stage.start(&["deploy", "plan.backout.yaml", "--as", "lead"]);
    stage.until("it is asked", |stage| stage.say("status").out.contains("to decide"));
    stage.say("hold CHG7 --reason evidence --as ann").expect(0);
    stage
        .say("decide CHG7 fix-forward --for 0s --reason so --as lead")
        .expect(64)
        .says("--for must be longer than 0");
    stage
        .say("decide CHG7 back-out --reason enough --as lead")
        .expect(0)
        .says("Ann (ann) had held the run (evidence)");
    assert_eq!(running.code(), Some(11));
    assert!(stage.path("up").exists());
    for verb in ["back-out", "fix-forward", "continue"] {
        stage
            .tell(&["decide", "CHG7", verb, "--reason", "so", "--as", "lead"])
            .expect(30)
            .says("CHG7-1 is finished: there is nothing to decide");
    }
}

/// A folder nobody can look into is not an empty one.
#[test]
fn a_state_folder_that_cannot_be_read_is_not_empty() {
    let stage = stage();
    stage.write("file", "");
    for words in [["runs", "--json"], ["status", "CHG7"]] {
        let mut command = stage.command(&words);
        command.env("BACKOUT_STATE", stage.path("file"));
        let told = crate::stage::told(command);
        assert!(!matches!(told.code, Some(0)), "{told:?}");
        assert!(told.err.contains("file"), "{told:?}");
        assert!(!told.err.contains("there are no runs"), "{told:?}");
    }
}

/// What a stage brings is another after another try, also for a coordinator that takes over
/// in the middle of it; and once the run goes back no stage is tried again.
#[test]
fn another_try_is_looked_at_anew_whoever_watches() {
    let stage = Stage::new();
    let stages = "stages:\n  - {id: open, title: Open it, owner: ann, takes: 5m, run: {shell: until test -e go; do sleep 0.05; done; rm go; echo o >> opened}, effect: opaque, verify: {file: {path: opened}}, undone_by: [close], bake: 500ms}\n";
    let watched = "watch: {window: 500ms, grace: 1s}\ntriggers:\n  new: {severity: major, from: open, every: 100ms, recovers_after: 200ms, probe: {file: {path: good}}}\ndecision:\n  major: {action: ask, by: lead, within: 30m}\n";
    let steps = "  - {id: close, title: Close it, owner: ann, takes: 2m, run: {shell: echo c >> closed}, effect: opaque, verify: {file: {path: closed}}}\n";
    stage.plan_with(steps, &format!("{stages}{watched}"));
    stage.write("go", "");
    let mut running = stage.start(&["deploy", "plan.backout.yaml", "--as", "lead"]);
    stage.until("it is asked", |stage| stage.say("status").out.contains("to decide"));
    stage.say("retry CHG7 open --reason fixed --as lead").expect(0);
    stage.say("decide CHG7 continue --question 1 --reason retried --as lead").expect(0);
    stage.until_step("open", "running");
    running.kill_9();
    stage.write("good", "");
    let mut running = stage.start(&["resume", "CHG7", "--as", "lead"]);
    stage.until("it is taken over", |stage| stage.say("log CHG7").out.contains("took over"));
    stage.write("go", "");
    assert_eq!(running.code(), Some(10), "it fired once, and stays");
    let log = stage.say("log CHG7").out;
    assert_eq!(log.matches("→ FIRING").count(), 1, "{log}");
    assert_eq!(stage.lines("opened"), 2);
    // Another run, which goes back by hand.
    let by_hand = steps.replace("run: {shell: echo c >> closed}", "manual: Close it by hand");
    let by_hand = by_hand
        .replace("effect: opaque, verify: {file: {path: closed}}", "verify: {confirm: Closed}");
    // It is under watch until somebody decides.
    let stages = stages.replace("bake: 500ms", "bake: 1h");
    stage.plan_with(&by_hand, &format!("{stages}{watched}"));
    stage.write("go", "");
    let mut running = stage.start(&["deploy", "plan.backout.yaml", "--as", "lead", "--wait"]);
    stage.until("the second run", |stage| stage.say("status CHG7-2").code == Some(0));
    stage.until("it is done", |stage| stage.step("open")["state"] == "succeeded");
    stage.say("decide CHG7 back-out --reason enough --as lead").expect(0);
    stage.say("retry CHG7 open --reason oops --as lead").expect(30).says("does not go forward");
    stage.until_step("close", "running");
    stage.say("ack CHG7 close --as ann").expect(0);
    assert_eq!(running.code(), Some(11));
}
