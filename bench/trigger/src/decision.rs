//! From a breach to the decision in the log, with the program itself.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::world::Dice;

/// How often the trigger looks.
const EVERY: Duration = Duration::from_millis(500);
const TRIES: usize = 20;

const PLAN: &str = r#"
backout: 1
change: {id: CHG1, title: A change, release: {from: v1, to: v2}, owner: lead}
roles: {lead: {name: Lena Lead}}
watch: {window: 1h}
triggers:
  up: {severity: critical, every: 500ms, probe: {file: {path: up}}}
decision:
  critical: {action: back-out, automatic: true, by: lead}
stages:
  - {id: open, owner: lead, run: {argv: ["true"]}, effect: idempotent, verify: {run: {argv: ["true"]}}, undone_by: [close]}
steps:
  - {id: close, owner: lead, run: {argv: ["true"]}, effect: idempotent, verify: {run: {argv: ["true"]}}}
"#;

struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn decision() {
    let Some(program) = std::env::var_os("BACKOUT") else {
        println!("NOT RUN: from a breach to the decision: BACKOUT names no program");
        return;
    };
    let folder =
        std::env::temp_dir().join(format!("backout-bench-decision-{}", std::process::id()));
    let mut dice = Dice::new(7);
    let mut delays: Vec<f64> = (0..TRIES)
        .map(|index| once(Path::new(&program), &folder.join(index.to_string()), dice.roll()))
        .collect();
    let _ = std::fs::remove_dir_all(&folder);
    delays.sort_by(f64::total_cmp);
    let (middle, worst) = (delays[TRIES / 2], delays[TRIES - 1]);
    let goal = EVERY.as_secs_f64() * 1000.0 + 250.0;
    println!(
        "From a breach to the decision in the log, looking every {} ms: median {middle:.0} ms, worst of {TRIES} {worst:.0} ms ({:.2} of the goal of {goal:.0} ms)",
        EVERY.as_millis(),
        worst / goal
    );
}

/// One deployment that breaks somewhere between two looks: milliseconds to the decision.
fn once(program: &Path, folder: &Path, part: f64) -> f64 {
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join("plan.backout.yaml"), PLAN).expect("written");
    std::fs::write(folder.join("up"), "").expect("written");
    let backout = |words: &[&str]| {
        let mut command = Command::new(program);
        command.args(words).current_dir(folder).env("BACKOUT_STATE", folder.join("state"));
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    };
    let deploy = ["deploy", "plan.backout.yaml", "--as", "lead", "--reason", "bench", "--plain"];
    let _running = Stopped(backout(&deploy).stdout(Stdio::null()).spawn().expect("it starts"));
    let log = || {
        let told = backout(&["log", "CHG1", "--json"]).output().expect("it runs");
        String::from_utf8_lossy(&told.stdout).into_owned()
    };
    let until = Instant::now() + Duration::from_secs(60);
    while !log().contains("\"to\":\"ok\"") {
        assert!(Instant::now() < until, "the trigger is well within a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(EVERY.mul_f64(part));
    std::fs::remove_file(folder.join("up")).expect("broken");
    let broken = Timestamp::now();
    loop {
        let log = log();
        let made = log.lines().find(|line| line.contains("\"event\":\"decision_made\""));
        if let Some(line) = made {
            let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let at: Timestamp = value["at"].as_str().expect("a time").parse().expect("a time");
            return at.duration_since(broken).as_secs_f64() * 1000.0;
        }
        assert!(Instant::now() < until, "it is decided within a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
}
