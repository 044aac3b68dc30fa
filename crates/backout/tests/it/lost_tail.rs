//! A log that loses its end, or has a wrong bit, in the middle of a run and behind it: it is
//! noticed, nothing runs twice, nothing is called done that did not run, and there is a way out.

use std::collections::BTreeMap;
use std::path::Path;

use crate::looking::supervisors;
use crate::stage::Stage;

const STEPS: [&str; 3] = ["one", "two", "three"];

/// A run of three steps whose effects must not repeat: over, or killed with its coordinator
/// while the last step was at work. The step has ended since.
fn run(is_over: bool) -> Stage {
    let stage = Stage::new();
    let step = |id: &str| {
        let wait = if id == "three" && !is_over { "; cat pipe" } else { "" };
        let check = "verify: {file: {path: effects}}";
        format!(
            "  - {{id: {id}, owner: ann, effect: opaque, run: {{shell: 'echo {id} >> effects{wait}'}}, {check}}}\n"
        )
    };
    stage.plan(&STEPS.map(step).concat());
    std::process::Command::new("mkfifo").arg(stage.path("pipe")).status().expect("a pipe");
    let mut coordinator =
        stage.start(&["invoke", "plan.backout.yaml", "--as", "lead", "--reason", "why"]);
    stage.until("the last step has begun", |stage| stage.lines("effects") == 3);
    if is_over {
        assert_eq!(coordinator.code(), Some(0));
    } else {
        coordinator.kill_9();
        std::fs::write(stage.path("pipe"), "").expect("written");
        stage.until("its end is written down", |stage| {
            stage.state.join("runs/CHG7-1/steps/three/1.1/exit.json").exists()
        });
    }
    stage.until("no supervisor is left", |stage| supervisors(&stage.state) == 0);
    // What the wait for the pipe has to do with later is nothing: it is at its end at once.
    std::fs::remove_file(stage.path("pipe")).expect("there");
    std::fs::write(stage.path("pipe"), "").expect("written");
    copy(&stage.state, &stage.path("whole"));
    stage
}

/// Copies what is in a folder to another one, which stays the same one: a copy of the folder itself
/// would be asked about.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(to).expect("readable") {
        let path = entry.expect("an entry").path();
        let removed = if path.is_dir() {
            std::fs::remove_dir_all(&path)
        } else {
            std::fs::remove_file(&path)
        };
        removed.expect("removed");
    }
    let done = std::process::Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status();
    assert!(done.expect("copied").success());
}

/// Puts the state and the effects back as they were.
fn reset(stage: &Stage) {
    copy(&stage.path("whole"), &stage.state);
    stage.write("effects", "one\ntwo\nthree\n");
}

fn database(stage: &Stage) -> rusqlite::Connection {
    rusqlite::Connection::open(stage.state.join("journal.db")).expect("opened")
}

/// Everything in one file, as after a clean end.
fn checkpoint(stage: &Stage) {
    let database = database(stage);
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("written");
}

fn cut(stage: &Stage, records: i64) {
    let database = database(stage);
    let last: i64 =
        database.query_row("SELECT max(seq) FROM record", [], |row| row.get(0)).expect("a record");
    database.execute("DELETE FROM record WHERE seq > ?1", [last - records]).expect("cut");
}

fn delete(stage: &Stage) {
    for file in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let _ = std::fs::remove_file(stage.state.join(file));
    }
}

/// What must be so whatever was damaged. Returns what was noticed, and by what.
fn judged(stage: &Stage, tail: &str, case: &str) -> &'static str {
    let verified = stage.say("verify CHG7-1 --json");
    let shown: serde_json::Value = serde_json::from_str(&verified.out).unwrap_or_default();
    let is_same = verified.code == Some(0) && shown["tail"] == tail;
    assert!(
        verified.code != Some(0) || is_same,
        "{case}: a shorter log is shown as whole: {}",
        verified.out
    );
    let resumed = stage.say("resume CHG7-1 --as lead --plain");
    assert_eq!(stage.read("effects"), "one\ntwo\nthree\n", "{case}: {resumed:?}");
    assert_ne!(resumed.code, Some(70), "{case}: {resumed:?}");
    if resumed.code == Some(0) {
        // Taken for an ordinary crash, or nothing was hit: then it ends as it should.
        let after = stage.say("verify CHG7-1");
        let ended = stage.status();
        let steps = ended["steps"].as_array().expect("steps");
        assert!(steps.iter().all(|step| step["state"] == "succeeded"), "{case}: {steps:?}");
        return match (is_same, after.code) {
            (true, _) => "nothing was hit",
            (false, Some(0)) => panic!("{case}: noticed by verify, and not by resume"),
            (false, _) => "verify",
        };
    }
    match resumed.code {
        Some(30) => "resume asks",
        _ => "resume refuses: unreadable",
    }
}

/// The way out that is offered: afterwards the run goes on to its end.
fn recovers(stage: &Stage, case: &str) {
    let before = stage.say("status CHG7-1");
    assert!(before.err.contains("recover"), "{case}: {before:?}");
    let recovered = stage.tell(&["recover", "CHG7-1", "--as", "lead", "--reason", "disk"]);
    assert_eq!(recovered.code, Some(0), "{case}: {recovered:?}");
    recovered.says("the run is held");
    let first = recovered.out.clone();
    if case != "deleted" {
        recovered.says("the journal as it was is kept");
    }
    let nothing = stage.tell(&["recover", "CHG7-1", "--as", "lead", "--reason", "again"]);
    let is_whole = nothing.code == Some(0) && nothing.err.contains("nothing to rebuild");
    assert!(is_whole, "{case}: {first} {nothing:?}");
    stage.tell(&["resume", "CHG7-1", "--as", "lead", "--plain"]).expect(0);
    assert_eq!(stage.read("effects"), "one\ntwo\nthree\n", "{case}");
    let verified = stage.say("verify CHG7-1");
    assert_eq!(verified.code, Some(0), "{case}: {verified:?}");
    verified.says("A part of it is lost");
    stage.say("log CHG7-1").expect(0).says("log rebuilt by");
}

#[test]
fn no_damage_is_taken_for_the_whole_log() {
    let mut table: BTreeMap<(bool, String, &str), u32> = BTreeMap::new();
    for is_over in [true, false] {
        let stage = run(is_over);
        let tail = stage.say("verify CHG7-1 --json").expect(0).json()["tail"].clone();
        let tail = tail.as_str().expect("a digest").to_owned();
        let mut count = |what: &str, found| {
            *table.entry((is_over, what.to_owned(), found)).or_default() += 1;
        };
        for records in 1..=5 {
            reset(&stage);
            cut(&stage, records);
            let case = format!("{records} records cut, over: {is_over}");
            let found = judged(&stage, &tail, &case);
            assert_eq!(found, "resume asks", "{case}");
            count("1 to 5 records cut", found);
            recovers(&stage, &case);
        }
        reset(&stage);
        delete(&stage);
        let found = judged(&stage, &tail, "deleted");
        count("the log deleted", found);
        assert_eq!(found, "resume asks", "deleted");
        recovers(&stage, "deleted");
        for file in ["journal.db-wal", "journal.db"] {
            reset(&stage);
            if file == "journal.db" {
                checkpoint(&stage);
                copy(&stage.state, &stage.path("whole"));
            }
            let Ok(bytes) = std::fs::read(stage.state.join(file)) else { continue };
            for flip in 0..FLIPS {
                reset(&stage);
                // Spread over the file, and over the bits of a byte.
                let at = bytes.len() * flip / FLIPS + flip % 97;
                let mut bytes = bytes.clone();
                let Some(byte) = bytes.get_mut(at) else { continue };
                *byte ^= 1 << (flip % 8);
                std::fs::write(stage.state.join(file), &bytes).expect("written");
                let _ = std::fs::remove_file(stage.state.join("journal.db-shm"));
                let case = format!("{file}, byte {at}, over: {is_over}");
                let found = judged(&stage, &tail, &case);
                count(&format!("a bit of {file}"), found);
                if file == "journal.db-wal" && found == "resume asks" {
                    // Opening it would end it: what stands behind the wrong bit is kept.
                    let kept = ["journal.db-wal", "journal.damaged-1.db-wal"];
                    let kept = kept.map(|name| std::fs::read(stage.state.join(name)).ok());
                    assert!(kept.contains(&Some(bytes)), "{case}");
                }
                if flip % 8 == 0 && stage.say("verify CHG7-1").code != Some(0) {
                    recovers(&stage, &case);
                }
            }
        }
    }
    println!("{:<8} {:<22} {:<28} {:>5}", "run", "damage", "noticed by", "cases");
    for ((is_over, what, found), cases) in &table {
        let run = if *is_over { "over" } else { "killed" };
        println!("{run:<8} {what:<22} {found:<28} {cases:>5}");
    }
}

/// As many bits of each file.
const FLIPS: usize = 24;

/// A run that nothing is left of but its ledger is not begun anew behind anyone's back.
#[test]
fn a_new_run_asks_about_each_step_of_a_lost_one() {
    let stage = run(false);
    delete(&stage);
    std::fs::remove_file(stage.state.join("runs/CHG7-1/first.json")).expect("it was kept");
    stage
        .tell(&["recover", "CHG7-1", "--as", "lead", "--reason", "x"])
        .expect(30)
        .says("--new-run");
    // A journal that is there and empty is no better than none.
    drop(stage.say("hold CHG7-1 --as lead"));
    for line in ["verify", "resume", "status CHG7", "log CHG7", "resume CHG7", "status CHG7-1"] {
        let told = stage.say(line);
        assert!(
            !told.err.contains("there is no run") && !told.err.contains("no runs yet"),
            "{told:?}"
        );
        told.says("CHG7-1");
    }
    let invoke = "invoke plan.backout.yaml --as lead --plain";
    stage.say(invoke).expect(30).says("--new-run");
    stage.say(&format!("{invoke} --new-run")).expect(64);
    stage.say(&format!("{invoke} --new-run --reason lost")).expect(20).says("attempt 1 in CHG7-1");
    assert_eq!(stage.lines("effects"), 3, "nothing ran by itself");
    assert_eq!(stage.newest_run().as_deref(), Some("CHG7-2"));
    for step in STEPS {
        assert_eq!(stage.step(step)["state"], "in_doubt");
        let words = ["resolve", "CHG7-2", step, "happened", "--as", "ann", "--reason", "seen"];
        stage.tell(&words).expect(0);
    }
    stage.say("resume CHG7-2 --as lead --plain").expect(0);
    assert_eq!(stage.lines("effects"), 3);
}

/// The same from a log whose end is gone; and what never ran is run.
#[test]
fn a_new_run_runs_what_never_ran() {
    let stage = Stage::new();
    stage.plan(
        "  - {id: a, owner: ann, run: {shell: echo a >> effects}}\n  - {id: m, owner: ann, manual: do it}\n  - {id: b, owner: ann, run: {shell: echo b >> effects}}\n",
    );
    let invoke = "invoke plan.backout.yaml --as lead --plain --reason why";
    stage.say(invoke).expect(20);
    cut(&stage, 2);
    stage.say(invoke).expect(30).says("has lost its end").says("recover CHG7-1");
    stage.say(&format!("{invoke} --new-run")).expect(20);
    stage.tell(&["resolve", "CHG7-2", "a", "happened", "--as", "ann", "--reason", "x"]).expect(0);
    stage.say("resume CHG7-2 --as lead --plain").expect(20);
    stage.say("ack CHG7-2 m --as ann").expect(0);
    stage.say("resume CHG7-2 --as lead --plain").expect(10);
    assert_eq!(stage.read("effects"), "a\nb\n");
}

/// An attempt at a step that was changed, or put in, in the lost part is in doubt, or is named:
/// it is not taken for one at the step as the log knows it.
#[test]
fn what_does_not_fit_what_is_left_is_in_doubt() {
    let stage = Stage::new();
    stage.plan(
        "  - {id: a, owner: ann, run: {shell: echo a >> effects}}\n  - {id: m, owner: ann, manual: do it}\n  - {id: b, owner: ann, run: {shell: echo b >> effects}}\n",
    );
    stage.say("invoke plan.backout.yaml --as lead --plain --reason why").expect(20);
    let left = stage.say("verify CHG7-1 --json").expect(0).json()["records"].as_i64();
    stage.write("b.yaml", "{id: b, owner: ann, run: {shell: echo other >> effects}}");
    stage.write("x.yaml", "{id: x, owner: ann, run: {shell: echo x >> effects}}");
    stage.say("replace CHG7-1 b b.yaml --as lead --reason better").expect(0);
    stage.say("add CHG7-1 x.yaml --after m --as lead --reason needed").expect(0);
    stage.say("ack CHG7-1 m --as ann").expect(0);
    stage.say("resume CHG7-1 --as lead --plain").expect(10);
    assert_eq!(stage.read("effects"), "a\nx\nother\n");
    let all = stage.say("verify CHG7-1 --json").expect(0).json()["records"].as_i64();
    cut(&stage, all.zip(left).map(|(all, left)| all - left).expect("counted"));
    stage.say("status CHG7-1").says("attempt 1 at b: done").says("attempt 1 at x: done");
    stage.say("recover CHG7-1 --as lead --reason disk").expect(0);
    stage.say("log CHG7-1").expect(0).says("attempt 1 at x is not in it");
    assert_eq!(stage.step("b")["state"], "in_doubt");
    stage.say("resume CHG7-1 --as lead --plain").expect(20);
    stage.say("ack CHG7-1 m --as ann").expect(0);
    stage.say("resume CHG7-1 --as lead --plain").expect(20).says("about another attempt");
    stage.say("resolve CHG7-1 b happened --as ann --reason seen").expect(0);
    stage.say("resume CHG7-1 --as lead --plain").expect(10);
    assert_eq!(stage.read("effects"), "a\nx\nother\n", "nothing ran again");
    stage.say("verify CHG7-1").expect(0);
}

/// Steps that start together share the record of their intents.
#[test]
fn steps_that_start_together_are_told_apart() {
    let stage = Stage::new();
    stage.plan(
        "  - {id: a, owner: ann, after: [], run: {shell: echo a >> a.done}}\n  - {id: b, owner: ann, after: [], run: {shell: 'echo b >> b.done; exit 1'}}\n",
    );
    stage.say("invoke plan.backout.yaml --as lead --plain --reason why").expect(20);
    let all = stage.say("verify CHG7-1 --json").expect(0).json();
    assert_eq!(all["results"], 2);
    cut(&stage, all["records"].as_i64().expect("a number") - 2);
    stage.say("recover CHG7-1 --as lead --reason disk").expect(0);
    stage.say("resume CHG7-1 --as lead --plain").expect(20);
    assert_eq!((stage.lines("a.done"), stage.lines("b.done")), (1, 1));
    assert_eq!(stage.step("a")["state"], "succeeded");
    assert_eq!(stage.step("b")["state"], "failed");
    stage.say("verify CHG7-1").expect(0);
}

/// A consistent older copy of everything on the device is whole in itself: only a mark elsewhere,
/// or a position that somebody noted, shows it.
#[test]
fn an_older_copy_is_seen_by_a_mark_elsewhere_and_by_a_noted_position() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, run: {shell: echo a >> effects}}\n  - {id: m, owner: ann, manual: do it}\n");
    std::fs::create_dir(stage.path("other")).expect("a folder");
    let with_marks = |words: &[&str]| {
        let mut command = stage.command(words);
        command.env("BACKOUT_MARKS", stage.path("other"));
        crate::stage::told(command)
    };
    let reason = ["--as", "lead", "--reason", "why", "--plain"];
    with_marks(&[&["invoke", "plan.backout.yaml"], &reason[..]].concat()).expect(20);
    copy(&stage.state, &stage.path("snapshot"));
    with_marks(&["ack", "CHG7-1", "m", "--as", "ann"]).expect(0);
    let now = stage.say("verify CHG7-1 --json").expect(0).json();
    let noted = format!("{}:{}", now["records"], now["tail"].as_str().expect("a digest"));
    copy(&stage.path("snapshot"), &stage.state);
    // Without its place elsewhere it is whole: the run itself remembers that place.
    let resumed = stage.say("resume CHG7-1 --as lead --plain").expect(30);
    resumed.says("has lost its end").says("other");
    stage.say("verify CHG7-1").expect(1).says("it ends at record");
    stage.say("ack CHG7-1 m --as ann").expect(30);
    std::fs::rename(stage.path("other"), stage.path("gone")).expect("moved");
    stage.say("verify CHG7-1").expect(1).says("could not be compared");
    stage.tell(&["verify", "CHG7-1", "--expect", &noted]).expect(1).says("which is expected");
    copy(&stage.state, &stage.path("old"));
    std::fs::rename(stage.path("gone"), stage.path("other")).expect("moved");
    let head = stage.say("status CHG7-1 --json").expect(0).json();
    assert_eq!(head["log"]["suspect"], true);
    stage.tell(&["verify", "CHG7-1", "--expect", "x"]).expect(64);
}

/// The ledger and the plan file are part of what is verified.
#[test]
fn the_ledger_and_the_plan_are_compared() {
    let stage = run(true);
    stage
        .say("verify CHG7-1")
        .expect(0)
        .says("3 results of machines")
        .says("is what the run follows");
    stage.write("plan.backout.yaml", "other");
    let differs = stage.say("verify CHG7-1 --json").expect(0).json();
    assert_eq!(differs["plan_file"]["state"], "differs");
    stage.say("verify CHG7-1").expect(0).says("changed since");
    std::fs::remove_file(stage.path("plan.backout.yaml")).expect("there");
    let gone = stage.say("verify CHG7-1 --json").expect(0).json();
    assert_eq!(gone["plan_file"]["state"], "unreadable");
    let attempt = stage.state.join("runs/CHG7-1/steps/two/1.1");
    let exit = std::fs::read_to_string(attempt.join("exit.json")).expect("an end");
    let tampered = [
        ("exit.json", Some(exit.replace("exit 0", "exit 7"))),
        ("exit.json", None),
        ("request.json", None),
        ("claim.json", None),
    ];
    for (file, content) in tampered {
        reset(&stage);
        match content {
            Some(content) => std::fs::write(attempt.join(file), content).expect("written"),
            None => std::fs::remove_file(attempt.join(file)).expect("there"),
        }
        stage.say("verify CHG7-1").expect(1).says("attempt 1 at two");
    }
    reset(&stage);
    std::fs::remove_file(stage.state.join("marks/CHG7-1")).expect("there");
    stage.say("verify CHG7-1").expect(1).says("could not be compared");
}

const RELEASE: &str = "stages:\n  - {id: s1, owner: ann, effect: opaque, run: {shell: echo s1 >> effects}, verify: {file: {path: effects}}, undone_by: [undo1]}\n  - {id: gate, owner: ann, manual: Look at it.}\n  - {id: s2, owner: ann, effect: opaque, run: {shell: echo s2 >> effects}, verify: {file: {path: effects}}, undone_by: [undo2]}\n";
const WAY_BACK: &str = "  - {id: undo1, owner: ann, effect: opaque, run: {shell: echo undo1 >> effects}, verify: {file: {path: effects}}}\n  - {id: undo2, owner: ann, effect: opaque, run: {shell: echo undo2 >> effects}, verify: {file: {path: effects}}}\n";

/// A release that was backed out, whatever of its log is lost, with the decision or without: the
/// ledger proves that the way back was begun, so that no stage starts and nothing is called
/// deployed.
#[test]
fn what_was_backed_out_is_never_deployed_by_a_rebuilt_log() {
    let stage = Stage::new();
    stage.plan_with(WAY_BACK, RELEASE);
    let deploy = "deploy plan.backout.yaml --as lead --reason why --plain --anyway";
    stage.say(deploy).expect(20);
    let said = |words: &[&str]| stage.tell(words).expect(0);
    said(&["decide", "CHG7-1", "back-out", "--as", "lead", "--reason", "bad"]);
    said(&["fail", "CHG7-1", "gate", "--as", "ann", "--reason", "no"]);
    let ended = stage.say("resume CHG7-1 --as lead --plain");
    assert!(matches!(ended.code, Some(10 | 11)), "{ended:?}");
    assert_eq!(stage.read("effects"), "s1\nundo1\n");
    copy(&stage.state, &stage.path("whole"));
    let records: i64 = database(&stage)
        .query_row("SELECT max(seq) FROM record", [], |row| row.get(0))
        .expect("records");
    for lost in 1..=records {
        copy(&stage.path("whole"), &stage.state);
        if lost == records {
            delete(&stage);
        } else {
            cut(&stage, lost);
        }
        let case = format!("{lost} of {records} records lost");
        let refused = stage.say(&format!("{deploy} --new-run"));
        assert_eq!(refused.code, Some(30), "{case}: deployed on top: {refused:?}");
        if stage.say("resume CHG7-1 --as lead --plain").code == Some(30) {
            stage.tell(&["recover", "CHG7-1", "--as", "lead", "--reason", "disk"]).expect(0);
        }
        let mut last = None;
        for _ in 0..4 {
            let resumed = stage.say("resume CHG7-1 --as lead --plain");
            let is_over = resumed.code != Some(20);
            last = Some(resumed);
            if is_over {
                break;
            }
            // What people had said in the lost part is said again.
            for question in stage.questions() {
                let step = question["step"].as_str().unwrap_or_default().to_owned();
                stage.tell(&["fail", "CHG7-1", &step, "--as", "ann", "--reason", "no"]);
            }
        }
        let last = last.expect("resumed");
        assert_eq!(stage.read("effects"), "s1\nundo1\n", "{case}: {last:?}");
        assert!(matches!(last.code, Some(10 | 11)), "{case}: {last:?}");
        let outcome = stage.status()["outcome"].to_string();
        assert!(!outcome.contains("deployed"), "{case}: {outcome}");
    }
}

/// A lost deployment is backed out by a new run that asks about each step of the way back.
#[test]
fn a_lost_deployment_is_backed_out_by_a_new_run() {
    let stage = Stage::new();
    stage.plan_with(WAY_BACK, RELEASE);
    stage.say("deploy plan.backout.yaml --as lead --reason why --plain --anyway").expect(20);
    delete(&stage);
    let invoke = "invoke plan.backout.yaml --as lead --plain --reason bad";
    stage.say(invoke).expect(30).says("--new-run");
    let told = stage.say(&format!("{invoke} --new-run"));
    assert!(matches!(told.code, Some(0 | 10)), "{told:?}");
    assert_eq!(stage.read("effects"), "s1\nundo1\nundo2\n");
}

/// The whole state folder is put back as it was earlier, with its ledger: what was done since is
/// proven by nothing here. A mark elsewhere knows that there was more, so nothing that may have
/// been done is done again unasked.
#[test]
fn what_may_have_been_done_behind_a_snapshot_is_asked_about() {
    let marks = tempfile::tempdir().expect("another place");
    let stage = Stage::new();
    let step = |id: &str| {
        format!("  - {{id: {id}, owner: ann, run: {{shell: 'echo {id} >> effects'}}}}\n")
    };
    let manual = "  - {id: look, owner: ann, manual: Look at it.}\n";
    // To be repeatable is not to be harmless behind what came after it.
    let three = step("three").replace("owner: ann", "owner: ann, effect: idempotent");
    stage.plan(&[step("one"), manual.to_owned(), step("two"), three].concat());
    let tell = |words: &[&str]| {
        let mut command = stage.command(words);
        command.env("BACKOUT_MARKS", marks.path());
        crate::stage::told(command)
    };
    let invoke = ["invoke", "plan.backout.yaml", "--as", "lead", "--plain", "--reason", "why"];
    tell(&invoke).expect(20);
    copy(&stage.state, &stage.path("snapshot"));
    tell(&["ack", "CHG7-1", "look", "--as", "ann"]).expect(0);
    tell(&["resume", "CHG7-1", "--as", "lead", "--plain"]).expect(10);
    assert_eq!(stage.read("effects"), "one\ntwo\nthree\n");
    for by_new_run in [false, true] {
        copy(&stage.path("snapshot"), &stage.state);
        let run = if by_new_run {
            let again = [&invoke[..], &["--new-run"]].concat();
            tell(&again).expect(20);
            "CHG7-2"
        } else {
            let recover = ["recover", "CHG7-1", "--as", "lead", "--reason", "disk"];
            tell(&recover).expect(0).says("older than what is noted elsewhere");
            tell(&["resume", "CHG7-1", "--as", "lead", "--plain"]).expect(20);
            "CHG7-1"
        };
        for id in ["two", "three"] {
            assert_eq!(stage.step(id)["state"], "in_doubt", "{id}, {run}");
        }
        assert_eq!(stage.read("effects"), "one\ntwo\nthree\n", "{run}");
    }
}

/// A coordinator that is at work, or a step that is, would have a second copy beside it.
#[test]
fn a_new_run_never_begins_beside_what_is_at_work() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, run: {shell: 'echo a >> effects; cat pipe'}}\n");
    std::process::Command::new("mkfifo").arg(stage.path("pipe")).status().expect("a pipe");
    let invoke = "invoke plan.backout.yaml --as lead --plain --reason why";
    let mut coordinator = stage.start(&invoke.split_whitespace().collect::<Vec<_>>());
    stage.until("the step is at work", |stage| stage.lines("effects") == 1);
    delete(&stage);
    stage.say(&format!("{invoke} --new-run")).expect(30).says("is at work on CHG7-1");
    coordinator.kill_9();
    stage.say(&format!("{invoke} --new-run")).expect(30).says("a of CHG7-1 is still at work");
    // Nor beside what a supervisor that died has left alive.
    let claim = stage.read("state/runs/CHG7-1/steps/a/1.1/claim.json");
    let claim: serde_json::Value = serde_json::from_str(&claim).expect("a claim");
    let killed =
        std::process::Command::new("kill").args(["-9", &claim["pid"].to_string()]).status();
    assert!(killed.is_ok_and(|killed| killed.success()));
    stage.until("no supervisor is left", |stage| supervisors(&stage.state) == 0);
    stage.say(&format!("{invoke} --new-run")).expect(30).says("a of CHG7-1 is still at work");
    std::fs::write(stage.path("pipe"), "").expect("written");
    stage.until("the step has ended", |stage| {
        stage.say(&format!("{invoke} --new-run")).code == Some(20)
    });
    assert_eq!(stage.newest_run().as_deref(), Some("CHG7-2"));
    assert_eq!(stage.lines("effects"), 1);
}
