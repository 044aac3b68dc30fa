//! Whoever reads slowly, or not at all, stops nothing; and is told what they missed.

use std::io::{PipeReader, Read};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::stage::{Running, Stage};

/// Steps, each with as much to show as there can be, so that together they are far more than a
/// pipe and the queue behind it take.
const STEPS: usize = 150;

fn plan(stage: &Stage) {
    let steps: String = (0..STEPS)
        .map(|step| {
            format!(
                "  - {{id: s{step}, owner: ann, run: {{shell: 'cat loud >&2; echo {step} >> effects'}}}}\n"
            )
        })
        .collect();
    stage.write("loud", &format!("{}\n", "🔔".repeat(119)).repeat(5));
    stage.plan(&steps);
}

/// A run whose output goes into a pipe; both outputs into the same one, as with `2>&1`.
fn start(stage: &Stage, form: &str) -> (Running, PipeReader) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut command =
        stage.command(&["invoke", "plan.backout.yaml", "--as", "lead", "--reason", "x", form]);
    command.stdout(writer.try_clone().expect("a handle")).stderr(writer);
    let child: Child = command.spawn().expect("started");
    (Running(child), reader)
}

fn until_over(stage: &Stage) {
    stage.until("every step is done while nobody reads", |stage| {
        stage.known_status().is_some_and(|status| status["finished"].is_string())
    });
    assert_eq!(stage.lines("effects"), STEPS);
}

fn all_of(mut reader: PipeReader) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("UTF-8");
    text
}

/// Every position of the log, once.
fn positions(stage: &Stage) -> Vec<u64> {
    let log = stage.tell(&["log", "--json"]).expect(0);
    let mut all: Vec<u64> = log
        .out
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).expect("JSON")["seq"].as_u64().expect("a position")
        })
        .collect();
    all.dedup();
    all
}

/// What was read, by position, and what is said to be missing.
fn read(stage: &Stage, text: &str) {
    let lines: Vec<Value> = text
        .lines()
        // Warnings for people stand on standard error.
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).expect("whole lines"))
        .collect();
    let gaps: Vec<(u64, u64)> = lines
        .iter()
        .filter(|line| line["event"] == "gap")
        .map(|line| {
            assert_eq!(line["run"], "CHG7-1");
            assert!(line["lines"].as_u64().is_some_and(|lines| lines > 0));
            let at = |end: &str| line["gap"][end].as_u64().expect("a position");
            (at("from"), at("to"))
        })
        .collect();
    assert!(!gaps.is_empty(), "more than fits was printed");
    let mut seen: Vec<u64> = lines.iter().filter_map(|line| line["seq"].as_u64()).collect();
    seen.dedup();
    let missing = gaps.iter().flat_map(|(from, to)| *from..=*to);
    assert!(missing.clone().all(|seq| !seen.contains(&seq)), "{gaps:?}");
    let mut both: Vec<u64> = seen.iter().copied().chain(missing).collect();
    both.sort_unstable();
    assert_eq!(both, positions(stage), "what was read and what is missing is the whole log");
}

#[test]
fn a_script_that_reads_late_knows_what_it_missed() {
    let stage = Stage::new();
    plan(&stage);
    let (mut run, reader) = start(&stage, "--json");
    until_over(&stage);
    let text = all_of(reader);
    assert_eq!(run.code(), Some(10), "the steps have no check");
    read(&stage, &text);
    let last: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["event"], "run_finished", "the last line comes");
}

#[test]
fn a_run_ends_with_its_code_although_nobody_ever_reads() {
    let stage = Stage::new();
    plan(&stage);
    let (mut run, reader) = start(&stage, "--json");
    until_over(&stage);
    assert_eq!(run.code(), Some(10));
    let text = all_of(reader);
    assert!(text.ends_with('\n'), "no half of a line is left");
    let whole = |line: &str| serde_json::from_str::<Value>(line).is_ok();
    assert!(text.lines().filter(|line| line.starts_with('{')).all(whole));
}

#[test]
fn people_who_read_late_see_that_lines_were_left_out() {
    let stage = Stage::new();
    plan(&stage);
    let (mut run, reader) = start(&stage, "--plain");
    until_over(&stage);
    let text = all_of(reader);
    assert_eq!(run.code(), Some(10));
    let left_out: Vec<&str> = text.lines().filter(|line| line.contains("left out")).collect();
    assert!(
        !left_out.is_empty() && left_out.iter().all(|line| line.contains("`backout log CHG7-1`"))
    );
    assert!(text.contains("Steps: "), "the end is there");
}

/// `| head -1`, or a terminal that was closed.
#[test]
fn a_reader_that_goes_away_stops_nothing_and_changes_no_code() {
    for form in ["--json", "--plain"] {
        let stage = Stage::new();
        stage.plan("  - {id: one, owner: ann, run: {shell: 'echo x >> effects'}, verify: {file: {path: effects}}}\n  - {id: two, owner: ann, run: {shell: 'echo x >> effects'}, verify: {file: {path: effects}}}\n");
        let (mut run, reader) = start(&stage, form);
        drop(reader);
        assert_eq!(run.code(), Some(0), "{form}");
        assert_eq!(stage.lines("effects"), 2, "{form}");
    }
}

/// A reader in time misses nothing, and is told of no gap.
#[test]
fn a_reader_in_time_misses_nothing() {
    let stage = Stage::new();
    plan(&stage);
    let mut command =
        stage.command(&["invoke", "plan.backout.yaml", "--as", "lead", "--reason", "x", "--json"]);
    command.stdout(Stdio::piped());
    let told = crate::stage::told(command).expect(10);
    let mut seen: Vec<u64> = told
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter_map(|line| {
            assert_ne!(line["event"], "gap");
            line["seq"].as_u64()
        })
        .collect();
    seen.dedup();
    assert_eq!(seen, positions(&stage));
}
