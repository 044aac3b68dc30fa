//! Commands of people against a run at work: the guards are behind the log, not before it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::stage::Stage;

/// A step that fails again and again, and says when two of it are at work at once: each
/// holds a lock for as long as it lives, and the kernel releases it when it dies.
fn flapping(id: &str, seconds: &str, ends: &str) -> String {
    format!(
        "  - {{id: {id}, owner: ann, after: [], effect: idempotent, retry: {{attempts: 100, pause: 5ms}}, \
         run: {{shell: 'set -e; exec 9>>lock.{id}; flock -n 9 || echo overlap $BACKOUT_ATTEMPT >> marks.{id}; \
         echo start $BACKOUT_ATTEMPT >> marks.{id}; sleep {seconds}; echo end $BACKOUT_ATTEMPT >> marks.{id}; {ends}'}}}}\n"
    )
}

fn marks(stage: &Stage, step: &str) -> Vec<(String, u32)> {
    let text = stage.read(&format!("marks.{step}"));
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(kind, attempt)| (kind.to_owned(), attempt.parse().unwrap_or(0)))
        .collect()
}

fn overlaps(stage: &Stage, step: &str) -> usize {
    marks(stage, step).iter().filter(|(kind, _)| kind == "overlap").count()
}

/// `fail` is judged on the state it is written on: never while an attempt is at work.
#[test]
fn a_person_cannot_fail_an_attempt_that_is_at_work() {
    let stage = Stage::new();
    stage.plan(&flapping("a", "0.2", "exit 1"));
    let running = stage.start(&[
        "invoke",
        "plan.backout.yaml",
        "--as",
        "lead",
        "--reason",
        "x",
        "--wait",
        "--plain",
    ]);
    stage.until("it ran", |stage| marks(stage, "a").len() > 1);
    let (mut refused, mut to_stop) = (BTreeMap::new(), 0);
    for _ in 0..60 {
        let told = stage.tell(&["fail", "CHG7", "a", "--as", "ann", "--reason", "race"]);
        *refused.entry(told.code).or_insert(0) += 1;
        to_stop += usize::from(told.err.contains("backout stop"));
    }
    drop(running);
    // Between two attempts the step is failed already: there is nothing to fail either.
    assert_eq!(refused, BTreeMap::from([(Some(30), 60)]), "each is refused");
    assert_eq!(overlaps(&stage, "a"), 0, "{:?}", marks(&stage, "a"));
    assert!(to_stop > 0, "an attempt at work can be stopped");
}

/// An abandoned run has nothing at work: no attempt begins or goes on after it.
#[test]
fn a_run_is_not_abandoned_over_an_attempt_at_work() {
    let stage = Stage::new();
    stage.plan(&flapping("a", "0.2", "exit 1"));
    let running = stage.start(&[
        "invoke",
        "plan.backout.yaml",
        "--as",
        "lead",
        "--reason",
        "x",
        "--wait",
        "--plain",
    ]);
    stage.until("it ran", |stage| marks(stage, "a").len() > 1);
    stage.until("it is abandoned", |stage| {
        stage.tell(&["abandon", "CHG7", "--as", "lead", "--reason", "race"]).code == Some(0)
    });
    let at_end = marks(&stage, "a");
    let (last, _) = at_end.last().expect("it ran");
    assert_eq!(last, "end", "an attempt was at work when the run was abandoned: {at_end:?}");
    drop(running);
    stage.tell(&["verify", "CHG7"]).expect(0);
    assert_eq!(marks(&stage, "a").len(), at_end.len(), "nothing began afterwards");
}

/// Twenty people send everything at a run whose coordinator is killed again and again. No
/// attempt begins beside a living one, none begins twice, none without its intent, none after
/// the end, and the log is whole.
#[test]
fn twenty_people_against_a_run_that_is_being_killed() {
    const PEOPLE: usize = 20;
    const EACH: usize = 10;
    let stage = Arc::new(Stage::new());
    let steps = [
        flapping("a", "0.1", "exit 1"),
        flapping("b", "0.3", "exit 0"),
        "  - {id: m, owner: bob, after: [], manual: Do it.}\n".to_owned(),
        "  - {id: n, owner: ann, after: [b], run: {argv: [sh, -c, 'echo n >> effects.n; sleep 0.1']}}\n"
            .to_owned(),
    ];
    stage.plan_with(
        &steps.concat(),
        "options:\n  small: {title: Some, steps: [a, m]}\n  full: {title: All, default: true}\n",
    );
    stage.write("extra.yaml", "{id: extra, owner: ann, manual: More.}\n");
    stage.write("again.yaml", "{id: m, owner: bob, manual: Do it otherwise.}\n");
    let invoke =
        ["invoke", "plan.backout.yaml", "--as", "lead", "--reason", "x", "--wait", "--plain"];
    let first = stage.start(&invoke);
    stage.until("it ran", |stage| !marks(stage, "a").is_empty());
    let over = Arc::new(AtomicBool::new(false));
    let killer = {
        let (stage, over) = (Arc::clone(&stage), Arc::clone(&over));
        std::thread::spawn(move || {
            let mut kills = 0;
            let mut running = first;
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(std::time::Duration::from_millis(40 + 35 * (kills % 7)));
                let _ = running.0.kill();
                let _ = running.0.wait();
                kills += 1;
                running = stage.start(&["resume", "CHG7-1", "--as", "lead", "--wait", "--plain"]);
            }
            drop(running);
            kills
        })
    };
    let answered = Arc::new(AtomicUsize::new(0));
    let people: Vec<_> = (0..PEOPLE)
        .map(|person| {
            let (stage, answered) = (Arc::clone(&stage), Arc::clone(&answered));
            std::thread::spawn(move || {
                let mut random = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(person as u64 + 1);
                for _ in 0..EACH {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    let step = ["a", "b", "m", "n"][(random >> 8) as usize % 4];
                    let role = ["lead", "ann", "bob"][(random >> 16) as usize % 3];
                    let words: Vec<&str> = match random % 16 {
                        0 => vec!["ack", "CHG7-1", step],
                        1 => vec!["fail", "CHG7-1", step],
                        2 => vec!["stop", "CHG7-1", step],
                        3 => vec!["retry", "CHG7-1", step],
                        4 => vec!["skip", "CHG7-1", step],
                        5 => vec!["resolve", "CHG7-1", step, "happened"],
                        6 => vec!["resolve", "CHG7-1", step, "did-not-happen"],
                        7 => vec!["resolve", "CHG7-1", step, "hold"],
                        8 => vec!["check-again", "CHG7-1", step],
                        9 => vec!["assign", "CHG7-1", step, "bob"],
                        10 => vec!["hold", "CHG7-1"],
                        11 => vec![
                            "switch-option",
                            "CHG7-1",
                            if random & 64 == 0 { "small" } else { "full" },
                        ],
                        12 => vec!["add", "CHG7-1", "extra.yaml"],
                        13 => vec!["replace", "CHG7-1", "m", "again.yaml"],
                        14 => vec!["decide", "CHG7-1", "back-out"],
                        _ => vec!["defect", "CHG7-1", "broken"],
                    };
                    let mut words = words;
                    words.extend(["--as", role]);
                    if !matches!(words[0], "ack" | "defect") {
                        words.extend(["--reason", "race"]);
                    }
                    let told = stage.tell(&words);
                    // A plain answer each time: done, a question, refused, no use. Never a hang,
                    // a panic or a broken log.
                    assert!(
                        matches!(told.code, Some(0 | 20 | 30 | 64)),
                        "{words:?}: {:?} {}{}",
                        told.code,
                        told.out,
                        told.err
                    );
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for person in people {
        person.join().expect("no answer was wrong");
    }
    over.store(true, Ordering::Relaxed);
    let kills = killer.join().expect("it ends");
    assert_eq!(answered.load(Ordering::Relaxed), PEOPLE * EACH);
    println!("{} commands, {kills} kills", PEOPLE * EACH);
    stage.tell(&["verify", "CHG7-1"]).expect(0);
    let log = stage.tell(&["log", "CHG7-1", "--json"]).expect(0).out;
    let events: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for step in ["a", "b"] {
        assert_eq!(overlaps(&stage, step), 0, "two at once: {:?}", marks(&stage, step));
        let began: Vec<u32> = marks(&stage, step)
            .into_iter()
            .filter(|(kind, _)| kind == "start")
            .map(|(_, attempt)| attempt)
            .collect();
        let once: BTreeSet<u32> = began.iter().copied().collect();
        assert_eq!(began.len(), once.len(), "an attempt began twice: {began:?}");
        let intended: BTreeSet<u32> = events
            .iter()
            .filter(|event| event["event"] == "step_intent" && event["step"] == step)
            .filter_map(|event| event["attempt"].as_u64())
            .map(|attempt| attempt as u32)
            .collect();
        assert!(once.is_subset(&intended), "an effect without its intent: {once:?} {intended:?}");
    }
    let ended = events.iter().position(|event| event["event"] == "run_finished");
    if let Some(ended) = ended {
        let after = events[ended + 1..].iter().filter(|event| event["event"] != "command_refused");
        assert_eq!(after.count(), 0, "something happened after the end");
    }
}
