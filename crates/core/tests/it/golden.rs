//! Logs of every format version are read, and mean the same for ever.
//!
//! The files hold the stored records of runs, one a line, as the program of that version
//! wrote them: every act of a person, a watched release that turned round, the portal.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use backout_core::event::Event;
use backout_core::ids::RunId;
use backout_core::record::{Chain, FORMAT, Record};
use backout_core::state::RunState;

fn folder(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v{version}"))
}

pub(crate) fn logs(version: u32) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder(version)).expect("a folder of logs");
    let mut logs: Vec<PathBuf> = listed.map(|entry| entry.expect("an entry").path()).collect();
    logs.sort();
    assert!(!logs.is_empty(), "no logs of version {version}");
    logs
}

pub(crate) fn records(path: &Path) -> (Vec<Record>, RunState) {
    let text = std::fs::read(path).expect("a log");
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let first = lines.clone().next().expect("a record");
    let head: serde_json::Value = serde_json::from_slice(first).expect("JSON");
    let run = RunId::new(head["run"].as_str().expect("a run")).expect("a name");
    let mut chain = Chain::new(run);
    let (mut records, mut state) = (Vec::new(), None::<RunState>);
    for line in lines {
        let record = chain.read(line).expect("a record that is read");
        match &mut state {
            None => state = Some(RunState::begin(&record, chain.tail()).expect("a beginning")),
            Some(state) => state.apply(&record, chain.tail()).expect("a legal record"),
        }
        records.push(record);
    }
    (records, state.expect("a run"))
}

/// What a log adds up to, in a few lines.
fn sum(state: &RunState) -> String {
    let plan = &state.planned().plan;
    let mut out =
        format!("{} {:?} option {:?}\n", state.run(), state.planned().direction, state.option());
    for (index, step) in state.steps().iter().enumerate() {
        let known = &state.states()[index];
        writeln!(
            out,
            "{} {:?} attempt {} by {:?} proof {:?} fault {:?} note {:?}",
            step.id,
            known.status,
            known.attempt,
            known.by.as_ref().map(|by| by.name(plan)),
            state.proof(index),
            known.fault,
            known.note,
        )
        .expect("text");
    }
    for deviation in state.deviations() {
        writeln!(out, "{:?} by {}", deviation.what, deviation.by.name(plan)).expect("text");
    }
    for decided in &state.release().decided {
        writeln!(
            out,
            "decided {:?} by {} because {:?} causes {:?}",
            decided.choice.verb(),
            decided.by.name(plan),
            decided.reason,
            decided.question.as_ref().map(|open| open.causes.len()),
        )
        .expect("text");
    }
    for (id, seen) in &state.release().triggers {
        writeln!(out, "{id} {:?} {:?}", seen.state, seen.meaning).expect("text");
    }
    writeln!(out, "finished {:?}", state.finished().as_ref().map(|(outcome, _)| outcome))
        .expect("text");
    out
}

#[test]
fn logs_of_version_1_are_read_and_mean_the_same() {
    for path in logs(1) {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let (records, state) = records(&path);
        assert!(records.iter().all(|record| record.v == 1), "{name}");
        assert_eq!(state.version(), 1, "an open run goes on as it began");
        insta::assert_snapshot!(format!("v1_{name}"), sum(&state));
    }
}

#[test]
fn logs_of_version_2_are_read_mean_the_same_and_are_written_the_same() {
    for path in logs(2) {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a log");
        let (records, state) = records(&path);
        for (record, line) in records.iter().zip(text.lines()) {
            let bytes = record.seal().bytes;
            assert_eq!(String::from_utf8_lossy(&bytes), line, "{name}, record {}", record.seq);
        }
        insta::assert_snapshot!(format!("v2_{name}"), sum(&state));
    }
}

/// Between them the logs of a version hold every event that version can write, so that none
/// of them can change unnoticed.
#[test]
fn the_logs_hold_every_event() {
    let named = |version| {
        let mut names: BTreeSet<String> = BTreeSet::new();
        for path in logs(version) {
            for record in records(&path).0 {
                for event in record.events {
                    let value = serde_json::to_value(&event).expect("data");
                    names.insert(value["event"].as_str().expect("a name").to_owned());
                }
            }
        }
        names
    };
    let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!("events_v1", list(&named(1)));
    insta::assert_snapshot!("events_v2", list(&named(2)));
    // What can be written is what serde says when it is asked for an event that is none.
    let unknown = serde_json::from_value::<Event>(serde_json::json!({"event": "none"}));
    let said = unknown.expect_err("there is no such event").to_string();
    let known: BTreeSet<String> = said
        .split('`')
        .skip(3)
        .step_by(2)
        .map(str::to_owned)
        // Baselines have a log of their own.
        .filter(|name| name != "baselines_captured")
        .collect();
    assert!(known.len() > 30, "{said}");
    assert_eq!(known, named(2), "the logs of version 2 lack an event, or hold one too many");
}

/// What was legal in version 1 stays legal in its logs, and is not any more.
#[test]
fn a_person_could_fail_a_running_machine_step_in_version_1() {
    let (mut records, _) = records(&folder(1).join("acts.jsonl"));
    let at = records
        .iter()
        .position(|record| {
            let mut events = record.events.iter();
            events.any(|event| matches!(event, Event::StepStopRequested { .. }))
        })
        .expect("a step that is stopped while it runs");
    let Event::StepStopRequested { step, attempt, .. } = records[at].events[0].clone() else {
        panic!("a stop");
    };
    let fault = backout_core::cause::StepFault::Reported { reason: "late".to_owned() };
    let effect = backout_core::event::FailureEffect::Unknown;
    let evidence = backout_core::event::Evidence::default();
    records[at].events = vec![Event::StepFailed { step, attempt, effect, fault, evidence }];
    let outcome = |v| {
        let mut state =
            RunState::begin(&records[0], backout_core::ids::Digest::ZERO).expect("begun");
        for record in &records[1..at] {
            state.apply(record, backout_core::ids::Digest::ZERO).expect("legal");
        }
        let record = Record { v, ..records[at].clone() };
        state.apply(&record, backout_core::ids::Digest::ZERO)
    };
    assert_eq!(outcome(1), Ok(()));
    assert!(outcome(FORMAT).is_err());
}

/// There was no version 0: what says so is no log of ours, and is not read as an old one.
#[test]
fn a_record_of_version_0_or_of_a_later_one_is_refused() {
    for path in logs(1) {
        let text = std::fs::read_to_string(&path).expect("a log");
        let line = text.lines().next().expect("a record");
        for v in [0, FORMAT + 1] {
            let other = line.replacen("\"v\":1", &format!("\"v\":{v}"), 1);
            assert_ne!(line, other);
            let run = records(&path).0[0].run.clone();
            let found = Chain::new(run).read(other.as_bytes());
            assert!(
                matches!(found, Err(backout_core::record::BrokenChain::Format { found, .. }) if found == v),
                "{v}: {found:?}"
            );
        }
    }
}

/// The state that records of one run add up to.
pub(crate) fn state_of(records: &[Record]) -> RunState {
    let mut state: Option<RunState> = None;
    for record in records {
        let digest = record.seal().digest;
        match &mut state {
            None => state = Some(RunState::begin(record, digest).expect("a beginning")),
            Some(state) => state.apply(record, digest).expect("a legal record"),
        }
    }
    state.expect("a run")
}
