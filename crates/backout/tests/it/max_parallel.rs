//! How many steps of machines are at work at the same time: never more than asked for, and those
//! that wait are shown as waiting.

use std::collections::BTreeSet;

use crate::stage::Stage;

const BRANCHES: usize = 300;
const MOST: usize = 8;

/// Branches that wait for no other. Each counts how many are alive while it is.
fn branches(stage: &Stage) {
    std::fs::create_dir(stage.path("alive")).expect("a folder");
    let steps: String = (0..BRANCHES)
        .map(|branch| {
            format!(
                "  - {{id: s{branch}, owner: ann, after: [], effect: read, run: {{shell: ': > alive/{branch}; set -- alive/*; echo $# >> counts; rm alive/{branch}; echo {branch} >> effects'}}}}\n"
            )
        })
        .collect();
    stage.plan(&steps);
}

#[test]
fn never_more_are_alive_also_after_a_resume() {
    let stage = Stage::new();
    branches(&stage);
    let mut first = stage.start(&[
        "invoke",
        "plan.backout.yaml",
        "--as",
        "lead",
        "--reason",
        "x",
        "--max-parallel",
        "8",
    ]);
    stage.until("some are done", |stage| stage.lines("effects") >= 20);
    first.kill_9();
    // The next one keeps to what was asked for.
    let mut second = stage.start(&["resume", "CHG7", "--as", "lead"]);
    stage.until("all are done", |stage| {
        stage.lines("effects") >= BRANCHES && stage.status()["finished"].is_string()
    });
    assert_eq!(second.code(), Some(0), "{}", stage.errors());
    let counts: Vec<usize> =
        stage.read("counts").lines().map(|line| line.trim().parse().expect("a number")).collect();
    let most = counts.iter().copied().max().expect("counted");
    assert!((2..=MOST).contains(&most), "{most} at the same time");
    let done: BTreeSet<String> = stage.read("effects").lines().map(str::to_owned).collect();
    assert_eq!(done.len(), BRANCHES);
    assert_eq!(stage.status()["max_parallel"], 8);
}

#[test]
fn the_plan_and_the_policy_say_how_many_and_who_waits_is_shown() {
    let stage = Stage::new();
    let step = |id: &str| {
        format!(
            "  - {{id: {id}, owner: ann, after: [], run: {{shell: 'echo {id} >> began; while [ ! -e go ]; do sleep 0.02; done'}}}}\n"
        )
    };
    stage.plan_with(&["a", "b", "c", "d"].map(step).concat(), "max_parallel: 3\n");
    stage.write(".config/backout/backout.toml", "[limits]\nmax_parallel = 2\n");
    let mut run = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead", "--reason", "x"]);
    stage.until("two are at work", |stage| stage.lines("began") == 2);
    let status = stage.status();
    assert_eq!(status["max_parallel"], 2);
    let waits: Vec<bool> = status["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| step["waits_for_place"].as_bool().expect("a flag"))
        .collect();
    assert_eq!(waits, [false, false, true, true]);
    assert_eq!(status["state"], "running", "no one is asked anything");
    stage.say("status CHG7").says("waits for a free place (2 at a time)");
    stage.write("go", "");
    assert_eq!(run.code(), Some(10), "{}", stage.errors());
    assert_eq!(stage.lines("began"), 4);
}

#[test]
fn a_number_that_is_none_is_refused() {
    let stage = Stage::new();
    let step = "  - {id: a, owner: ann, run: {argv: ['true']}}\n";
    stage.plan_with(step, "max_parallel: 0\n");
    stage.say("check plan.backout.yaml").expect(1).says("max_parallel is from 1 to 10000");
    stage.plan(step);
    stage.say("invoke plan.backout.yaml --as lead --max-parallel 0").expect(64);
}

/// A forecast that ignored it would promise an end that cannot be.
#[test]
fn the_forecast_and_the_schedule_know_it() {
    let stage = Stage::new();
    let steps: String = (0..8)
        .map(|step| {
            format!(
                "  - {{id: s{step}, owner: ann, after: [], takes: 10m, run: {{argv: ['true']}}}}\n"
            )
        })
        .collect();
    let planned = |more: &str| {
        stage.plan_with(&steps, more);
        let forecast = stage.say("forecast plan.backout.yaml --json").expect(0).json();
        let finish = forecast["planned_s"].as_f64().expect("seconds").round();
        let middle = forecast["finish"]["p50"]["seconds"]["value"].as_f64().expect("seconds");
        assert!(middle > 0.9 * finish, "simulated, too: {middle}");
        let dry = stage.say("invoke plan.backout.yaml --dry-run --json").expect(0).json();
        (finish, dry["total_seconds"].as_f64().expect("seconds"))
    };
    assert_eq!(planned(""), (600.0, 600.0));
    assert_eq!(planned("max_parallel: 2\n"), (2400.0, 2400.0));
    assert_eq!(planned("max_parallel: 8\n"), (600.0, 600.0));
}
