//! A journal that is cut or replaced while a coordinator is at work on it.

use crate::stage::Stage;

const INVOKE: [&str; 6] = ["invoke", "plan.backout.yaml", "--as", "lead", "--reason", "why"];

/// A coordinator that waits for its second step, with its first one done.
const STEPS: &str = "  - {id: a, owner: ann, effect: opaque, run: {shell: echo a >> effects}, verify: {file: {path: effects}}}\n  - {id: b, owner: ann, effect: opaque, run: {shell: 'echo b >> effects; while [ ! -e go ]; do sleep 0.02; done'}, verify: {file: {path: effects}}}\n  - {id: c, owner: ann, effect: opaque, run: {shell: echo c >> effects}, verify: {file: {path: effects}}}\n";

fn database(stage: &Stage) -> rusqlite::Connection {
    rusqlite::Connection::open(stage.state.join("journal.db")).expect("opened")
}

/// Nothing more starts on a log that has lost records, whoever has it open.
#[test]
fn a_log_that_is_cut_under_its_coordinator_is_noticed() {
    for (case, cut) in [
        (
            "the last two records",
            "DELETE FROM record WHERE seq > (SELECT max(seq) - 2 FROM record)",
        ),
        ("all but the first", "DELETE FROM record WHERE seq > 1"),
        ("everything", "DELETE FROM record"),
    ] {
        let stage = Stage::new();
        stage.plan(STEPS);
        let mut coordinator = stage.start(&INVOKE);
        stage.until("the second step began", |stage| stage.lines("effects") == 2);
        database(&stage).execute(cut, []).expect("cut");
        stage.write("go", "");
        assert!(coordinator.code().is_some_and(|code| ![0, 70].contains(&code)), "{case}");
        assert_eq!(stage.read("effects"), "a\nb\n", "{case}: something more was started");
        assert!(!stage.errors().is_empty());
        assert_ne!(stage.say("verify CHG7-1").code, Some(0), "{case}");
        let resumed = stage.say("resume CHG7-1 --as lead --plain");
        assert!(![Some(0), Some(70)].contains(&resumed.code), "{case}: {resumed:?}");
        assert_eq!(stage.read("effects"), "a\nb\n", "{case}");
    }
}

/// What is written to a file that has no name any more is in no journal.
#[test]
fn a_journal_that_is_replaced_under_its_coordinator_is_noticed() {
    for with in ["a copy", "nothing"] {
        let stage = Stage::new();
        stage.plan(STEPS);
        let mut coordinator = stage.start(&INVOKE);
        stage.until("the second step began", |stage| stage.lines("effects") == 2);
        database(&stage)
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .expect("written");
        let journal = stage.state.join("journal.db");
        match with {
            "a copy" => {
                std::fs::copy(&journal, stage.path("copy")).expect("copied");
                std::fs::rename(stage.path("copy"), &journal).expect("replaced");
            }
            _ => std::fs::remove_file(&journal).expect("removed"),
        }
        stage.write("go", "");
        assert!(coordinator.code().is_some_and(|code| ![0, 70].contains(&code)), "{with}");
        assert!(stage.errors().contains("replaced"), "{}", stage.errors());
        assert_eq!(stage.read("effects"), "a\nb\n", "{with}: something more was started");
    }
}

/// A command compares the ledger too: where the marks are gone it alone knows what was done.
#[test]
fn a_command_is_refused_where_only_the_ledger_knows_more() {
    let stage = Stage::new();
    stage.plan("  - {id: m, owner: ann, after: [], manual: do it}\n  - {id: a, owner: bob, after: [], run: {shell: echo a >> effects}, verify: {file: {path: effects}}}\n");
    stage.tell(&INVOKE).expect(20);
    stage.until_step("a", "succeeded");
    let cut = "DELETE FROM record WHERE seq > 2";
    database(&stage).execute(cut, []).expect("cut");
    std::fs::remove_dir_all(stage.state.join("marks")).expect("there");
    stage.say("ack CHG7 m --as ann").expect(30).says("does not know attempt 1 at a");
}

/// The first record beside the ledger is what a lost log is rebuilt from.
#[test]
fn a_first_record_that_was_changed_is_noticed() {
    let stage = Stage::new();
    stage.plan("  - {id: m, owner: ann, manual: do it}\n");
    stage.tell(&INVOKE).expect(20);
    stage.say("verify CHG7").expect(0);
    let first = stage.state.join("runs/CHG7-1/first.json");
    let text = std::fs::read_to_string(&first).expect("there");
    std::fs::write(&first, text.replacen("do it", "do yt", 1)).expect("written");
    stage.say("verify CHG7").expect(1).says("first.json");
}

/// A claim that cannot be read closes no way out, and one that is gone starts no second copy.
#[test]
fn a_damaged_or_lost_claim_is_a_doubt_with_ways_out() {
    for (case, damage) in [("garbage", Some("garbage")), ("empty", Some("")), ("gone", None)] {
        let stage = Stage::new();
        stage.plan("  - {id: a, owner: ann, effect: opaque, run: {shell: 'echo a >> effects; while [ ! -e go ]; do sleep 0.02; done'}, verify: {file: {path: effects}}}\n  - {id: b, owner: ann, run: {shell: echo b >> effects}, verify: {file: {path: effects}}}\n");
        let mut coordinator = stage.start(&INVOKE);
        stage.until("it is at work", |stage| stage.lines("effects") == 1);
        coordinator.kill_9();
        let claim = stage.state.join("runs/CHG7-1/steps/a/1.1/claim.json");
        match damage {
            Some(text) => std::fs::write(&claim, text).expect("written"),
            None => std::fs::remove_file(&claim).expect("there"),
        }
        for line in ["status CHG7", "runs", "log CHG7"] {
            stage.say(line).expect(0);
        }
        if damage.is_some() {
            stage.say("verify CHG7").expect(1).says("claim.json");
        }
        stage.say("resume CHG7 --as lead").expect(20).says("ledger entry");
        assert_eq!(stage.read("effects"), "a\n", "{case}: a second copy began");
        stage.write("go", "");
        stage.say("resolve CHG7 a happened --as lead --reason seen").expect(0);
        stage.say("resume CHG7 --as lead").expect(0);
        assert_eq!(stage.read("effects"), "a\nb\n", "{case}");
    }
}

/// The end of a step cannot be read and nothing of it is alive: that is a doubt, and no wait.
#[test]
fn an_end_that_cannot_be_read_is_a_doubt() {
    for is_resumed in [false, true] {
        let stage = Stage::new();
        stage.plan("  - {id: a, owner: ann, effect: opaque, run: {shell: 'echo a >> effects; while [ ! -e go ]; do sleep 0.02; done'}, verify: {file: {path: effects}}}\n");
        let mut coordinator = stage.start(&INVOKE);
        stage.until("it is at work", |stage| stage.lines("effects") == 1);
        let folder = stage.state.join("runs/CHG7-1/steps/a/1.1");
        let claim = std::fs::read_to_string(folder.join("claim.json")).expect("a claim");
        let claim: serde_json::Value = serde_json::from_str(&claim).expect("a claim");
        if is_resumed {
            coordinator.kill_9();
        }
        std::fs::write(folder.join("exit.json"), "garbage").expect("written");
        let killed =
            std::process::Command::new("kill").args(["-9", &claim["pid"].to_string()]).status();
        assert!(killed.is_ok_and(|killed| killed.success()));
        stage.write("go", "");
        if is_resumed {
            stage.say("resume CHG7 --as lead").expect(20);
        } else {
            assert_eq!(coordinator.code(), Some(20), "{}", stage.errors());
        }
        assert!(stage.is_step("a", "in_doubt"));
        stage.say("resolve CHG7 a happened --as lead --reason seen").expect(0);
        stage.say("resume CHG7 --as lead").expect(0);
    }
}

/// Without its ledger a run can go on once everything that was at work is settled.
#[test]
fn a_run_goes_on_after_its_ledger_is_lost() {
    let stage = Stage::new();
    stage.plan(STEPS);
    let mut coordinator = stage.start(&INVOKE);
    stage.until("the second step began", |stage| stage.lines("effects") == 2);
    coordinator.kill_9();
    std::fs::remove_dir_all(stage.state.join("runs/CHG7-1")).expect("there");
    stage.say("resume CHG7 --as lead").expect(20);
    stage.write("go", "");
    stage.say("verify CHG7").expect(1).says("the ledger: it is gone");
    stage.say("resolve CHG7 b happened --as lead --reason seen").expect(0);
    stage.say("resume CHG7 --as lead").expect(0).says("the ledger of CHG7-1 is gone");
    assert_eq!(stage.read("effects"), "a\nb\nc\n");
}

/// The write-ahead log is as much of the journal as the database.
#[test]
fn a_write_ahead_log_that_is_removed_under_its_coordinator_is_noticed() {
    let stage = Stage::new();
    stage.plan(STEPS);
    let mut coordinator = stage.start(&INVOKE);
    stage.until("the second step began", |stage| stage.lines("effects") == 2);
    for file in ["journal.db-wal", "journal.db-shm"] {
        std::fs::remove_file(stage.state.join(file)).expect("there");
    }
    stage.write("go", "");
    assert!(coordinator.code().is_some_and(|code| ![0, 70].contains(&code)));
    assert_eq!(stage.read("effects"), "a\nb\n", "something more was started");
}

/// What became of an attempt is not known; that there was one is, and its entry is missed.
#[test]
fn the_entry_of_an_attempt_in_doubt_is_missed() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, effect: opaque, run: {shell: 'echo a >> effects; sleep 60', timeout: 1s}, verify: {file: {path: effects}}}\n");
    stage.tell(&INVOKE).expect(20);
    stage.say("resolve CHG7 a happened --as lead --reason seen").expect(0);
    stage.say("resume CHG7 --as lead").expect(0);
    stage.say("verify CHG7").expect(0);
    std::fs::remove_dir_all(stage.state.join("runs/CHG7-1/steps/a")).expect("there");
    stage.say("verify CHG7").expect(1).says("the ledger has no such attempt");
}
