//! Rough nights: full disks, stubborn processes, floods, damage.

use std::path::Path;
use std::process::Command;

use backout_core::plan::Effect;

use crate::stage::{Stage, told};

#[test]
fn a_step_that_ignores_the_request_to_end_is_killed_at_its_deadline() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, run: {shell: 'trap : TERM; echo deaf; while :; do sleep 0.1; done', timeout: 300ms}}\n");
    stage
        .say("invoke plan.backout.yaml --as lead")
        .expect(20)
        .says("in doubt")
        .says("its time was up");
    // Whether an opaque step that was cut off happened, only a person can say.
    stage.say("resolve CHG7 a did-not-happen --as ann --reason looked").expect(0);
    stage.say("replace CHG7 a - --as lead --reason x").expect(1);
    assert_eq!(stage.step("a")["state"], "pending");
}

#[test]
fn a_flood_of_output_is_bounded() {
    let stage = Stage::new();
    // One gigabyte, as fast as the machine gives it.
    stage.plan("  - {id: a, owner: ann, run: {shell: 'head -c 1000000000 /dev/zero; echo; echo the end'}, verify: {run: {argv: [\"true\"]}}}\n");
    stage.say("invoke plan.backout.yaml --as lead").expect(0);
    let kept = size(&stage.state);
    assert!(kept < 8_000_000, "{kept} bytes kept");
    assert!(stage.tell(&["tail", "CHG7", "a", "--raw"]).expect(0).out.ends_with("the end\n"));
    stage.say("verify").expect(0);
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("readable").flatten();
    entries
        .map(|entry| match entry.path().is_dir() {
            true => size(&entry.path()),
            false => entry.metadata().map_or(0, |about| about.len()),
        })
        .sum()
}

#[test]
fn output_cannot_play_with_the_terminal() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, run: {shell: \"printf '\\\\033[2J\\\\377\\\\376\\\\033]0;owned\\\\007 hello'; exit 1\"}}\n");
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    for line in ["status", "log", "tail CHG7 a"] {
        let told = stage.say(line).expect(0);
        assert!(
            !told.out.contains('\u{1b}') && !told.out.contains('\u{7}'),
            "{line}: {:?}",
            told.out
        );
    }
    assert!(stage.say("tail CHG7 a").out.contains("hello"));
    let raw = stage.command(&["tail", "CHG7", "a", "--raw"]).output().expect("run");
    assert!(raw.stdout.contains(&0xff));
}

#[test]
fn what_a_step_leaves_running_is_named_and_does_not_hold_the_run() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, run: {shell: 'setsid sleep 3 & echo started'}, verify: {run: {argv: ['true']}}}\n");
    stage.say("invoke plan.backout.yaml --as lead").expect(0).says("left running: ");
}

#[test]
fn a_program_that_is_not_there_has_had_no_effect() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, run: {argv: [./no-such-program]}}\n");
    stage
        .say("invoke plan.backout.yaml --as lead")
        .expect(20)
        .says("nothing happened")
        .says("no-such-program");
}

#[test]
fn a_missing_secret_stops_a_step_before_it_begins() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, run: {shell: echo x >> effects, env: {PW: 'env:NOT_SET_ANYWHERE'}}}\n");
    stage
        .say("invoke plan.backout.yaml --as lead")
        .expect(20)
        .says("env:NOT_SET_ANYWHERE")
        .says("nothing happened");
    assert_eq!(stage.lines("effects"), 0);
}

#[test]
fn a_changed_log_is_noticed_and_not_gone_on_with() {
    let stage = Stage::new();
    stage.plan(
        "  - {id: a, owner: ann, run: {argv: ['true']}}\n  - {id: b, owner: ann, manual: x}\n",
    );
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    let db = rusqlite::Connection::open(stage.state.join("journal.db")).expect("opened");
    let changed = db.execute(
        "UPDATE record SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"code\":0', '\"code\":1') AS BLOB) WHERE CAST(bytes AS TEXT) LIKE '%step_succeeded%'",
        [],
    );
    assert_eq!(changed.expect("changed"), 1);
    stage.say("verify").expect(1).says("chain of CHG7-1 is broken");
    stage.say("resume").expect(1).says("broken");
    stage.say("ack CHG7 b --as ann").expect(1);
    let runs = stage.say("runs --json").expect(0).json();
    assert_eq!(runs["runs"][0]["state"], "unreadable");
}

#[test]
fn a_lost_ledger_asks_a_person() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, run: {shell: 'touch began; while [ ! -e go ]; do sleep 0.02; done; echo a >> effects'}, verify: {file: {path: effects}}}\n");
    let mut coordinator = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead", "--wait"]);
    stage.until("a to begin", |stage| stage.path("began").exists());
    coordinator.kill_9();
    std::fs::remove_file(stage.state.join("runs/CHG7-1/ledger")).expect("removed");
    stage.say("resume").expect(20).says("Did this happen?");
    stage.write("go", "");
    stage.until("the effect", |stage| stage.lines("effects") == 1);
    stage.say("resolve CHG7 a happened --as ann --reason looked").expect(0);
    stage.say("resume").expect(0);
    assert_eq!(stage.lines("effects"), 1);
}

/// A small file system of its own; needs root.
struct Mount(std::path::PathBuf);

impl Mount {
    fn new(at: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a folder");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_the_run_and_loses_nothing() {
    let stage = Stage::new();
    let Some(_mount) = Mount::new(&stage.state, "size=600k") else {
        eprintln!("NOT RUN: a full disk needs the right to mount a small file system");
        return;
    };
    let steps: String = (0..400)
        .map(|i| format!("  - {{id: s{i}, owner: ann, manual: '{}'}}\n", "x".repeat(20)))
        .collect();
    stage.plan(&format!(
        "  - {{id: first, owner: ann, run: {{shell: echo x >> effects}}, verify: {{file: {{path: effects}}}}}}\n{steps}"
    ));
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    // Now fill the disk.
    let _ = std::fs::write(stage.state.join("filler"), vec![0; 2_000_000]);
    let mut refused = None;
    for i in 0..400 {
        let told = stage.say(&format!("ack CHG7 s{i} --as ann"));
        if told.code != Some(0) {
            refused = Some(told);
            break;
        }
        stage.say("resume");
    }
    let refused = refused.expect("the disk is full at some point");
    refused.says("disk is full");
    std::fs::remove_file(stage.state.join("filler")).expect("removed");
    // With room again, everything acknowledged is there and the run goes on.
    stage.say("verify").expect(0);
    let done = stage.status()["done"].as_u64().expect("a number");
    stage.say("resume").expect(20);
    assert!(stage.status()["done"].as_u64().expect("a number") >= done);
    assert_eq!(stage.lines("effects"), 1);
}

/// The step itself fills the disk that the state is on, before its effect and behind it: what
/// came of it cannot be written down then.
#[test]
fn a_disk_that_is_full_in_the_middle_of_a_step() {
    println!("a full disk in the middle of a step");
    println!("{:<11} {:<8} {:>5} {:>5} {:>5}", "class", "fills", "twice", "lost", "asked");
    for class in Effect::ALL {
        for fills in ["before", "behind"] {
            let story = format!("{class}, {fills}");
            let stage = Stage::new();
            let Some(_mount) = Mount::new(&stage.state, "size=900k") else {
                eprintln!("NOT RUN: a full disk needs the right to mount a small file system");
                return;
            };
            let fill = "head -c 5000000 /dev/zero > state/filler";
            let shell = match fills {
                "before" => format!("{fill}; echo x >> effects"),
                _ => format!("echo x >> effects; {fill}; true"),
            };
            let local = if class == Effect::Verifiable { "effects: local, " } else { "" };
            stage.plan(&format!(
                "  - {{id: victim, owner: ann, effect: {class}, {local}run: {{shell: '{shell}'}}, verify: {{file: {{path: effects}}, within: 100ms, every: 50ms}}}}\n  - {{id: behind, owner: ann, run: {{shell: echo x >> behind}}, verify: {{file: {{path: behind}}}}}}\n"
            ));
            let told = stage.say("invoke plan.backout.yaml --as lead");
            assert_eq!(told.code, Some(1), "{story}: {told:?}");
            told.says("disk is full");
            // What it did is done; another try must not fill the disk again.
            let filler = stage.state.join("filler");
            std::fs::remove_file(&filler).expect("it was filled");
            std::fs::create_dir(&filler).expect("nothing fills it again");
            let mut asked = 0;
            for round in 0.. {
                assert!(round < 5, "{story}: it never ends: {:?}", stage.status());
                match stage.say("resume --as lead").code {
                    Some(0) => break,
                    Some(20) => {
                        asked += 1;
                        let answer = match stage.lines("effects") {
                            0 => "did-not-happen",
                            _ => "happened",
                        };
                        let words = [
                            "resolve", "CHG7-1", "victim", answer, "--as", "lead", "--reason", "x",
                        ];
                        stage.tell(&words).expect(0);
                    }
                    code => panic!("{story}: {code:?}"),
                }
            }
            let effects = stage.lines("effects");
            let (twice, lost) = (effects.saturating_sub(1), usize::from(effects == 0));
            println!("{class:<11} {fills:<8} {twice:>5} {lost:>5} {asked:>5}");
            assert_eq!((lost, stage.lines("behind")), (0, 1), "{story}");
            if !class.may_repeat() {
                assert_eq!(twice, 0, "{story}");
            }
            if class != Effect::Opaque {
                assert_eq!(asked, 0, "{story}: asked needlessly");
            }
            stage.say("verify").expect(0);
        }
    }
}

#[test]
fn a_state_directory_that_cannot_be_written() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, manual: x}\n");
    let Some(_mount) = Mount::new(&stage.state, "size=100k,ro") else {
        eprintln!("NOT RUN: a read-only disk needs the right to mount a file system");
        return;
    };
    let told = stage.say("invoke plan.backout.yaml --as lead").expect(1);
    told.says("journal.db");
}

#[test]
fn a_state_path_that_is_a_file() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, manual: x}\n");
    std::fs::write(&stage.state, "x").expect("written");
    for line in ["invoke plan.backout.yaml --as lead", "status", "runs", "verify"] {
        stage.say(line).expect(1).says("cannot be used").says("/state");
    }
}

#[test]
fn a_journal_of_another_program_is_left_alone() {
    let stage = Stage::new();
    std::fs::create_dir_all(&stage.state).expect("a folder");
    let db = rusqlite::Connection::open(stage.state.join("journal.db")).expect("opened");
    db.execute_batch("PRAGMA application_id = 77; CREATE TABLE theirs (x);").expect("made");
    drop(db);
    stage.plan("  - {id: a, owner: ann, manual: x}\n");
    stage.say("invoke plan.backout.yaml --as lead").expect(1).says("belongs to another program");
}

#[test]
fn a_closed_pipe_does_not_hurt_the_run() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, run: {shell: echo a >> effects}}\n  - {id: b, owner: ann, run: {shell: echo b >> effects}}\n");
    let binary = env!("CARGO_BIN_EXE_backout");
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("'{binary}' invoke plan.backout.yaml --as lead | true"))
        .current_dir(stage.folder())
        .env("BACKOUT_STATE", &stage.state);
    told(command);
    stage.say("resume");
    assert_eq!(stage.read("effects"), "a\nb\n");
}

/// The supervisor's process of a step under way.
fn supervisor(stage: &Stage, step: &str) -> String {
    let claim = stage.read(&format!("state/runs/CHG7-1/steps/{step}/1.1/claim.json"));
    let claim: serde_json::Value = serde_json::from_str(&claim).expect("a claim");
    claim["pid"].to_string()
}

#[test]
fn a_command_whose_supervisor_was_killed_is_never_doubled() {
    let stage = Stage::new();
    // It closes everything it inherited, as sudo does.
    stage.write("close.sh", crate::processes::CLOSE);
    stage.plan("  - {id: a, owner: ann, effect: idempotent, run: {argv: [bash, -c, '. ./close.sh; echo start >> effects; while [ ! -e go ]; do sleep 0.02; done; echo end >> effects']}, verify: {file: {path: effects, contains: end}}}\n");
    let mut coordinator = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead", "--wait"]);
    stage.until("the effect to begin", |stage| stage.lines("effects") == 1);
    assert!(
        Command::new("kill")
            .args(["-9", &supervisor(&stage, "a")])
            .status()
            .is_ok_and(|s| s.success())
    );
    // A person looks; the living command is still seen.
    stage.until("still running", |stage| stage.step("a")["state"] == "running");
    stage.write("go", "");
    // Without its supervisor nobody knows how it ended, so its class repeats it;
    // but only after the first one was gone.
    assert_eq!(coordinator.code(), Some(0));
    assert_eq!(stage.read("effects"), "start\nend\nstart\nend\n");
}

#[test]
fn a_step_without_its_supervisor_can_still_be_stopped_and_is_not_run_again() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, effect: idempotent, run: {shell: 'echo x >> effects; while :; do sleep 0.05; done'}}\n");
    let mut coordinator = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead", "--wait"]);
    stage.until("the effect", |stage| stage.lines("effects") == 1);
    assert!(
        Command::new("kill")
            .args(["-9", &supervisor(&stage, "a")])
            .status()
            .is_ok_and(|s| s.success())
    );
    stage.say("stop CHG7 a --as ann --reason wrong").expect(0);
    stage.until_step("a", "failed");
    assert_eq!(stage.lines("effects"), 1);
    stage.say("abandon CHG7 --as lead --reason enough").expect(0);
    assert_eq!(coordinator.code(), Some(1));
}

#[test]
fn a_restore_that_is_stopped_has_really_stopped() {
    let stage = Stage::new();
    for i in 0..3000 {
        stage.write(&format!("backup/f{i}"), "old");
    }
    stage.plan("  - {id: a, owner: ann, restore_tree: {from: backup, to: live}}\n");
    let mut coordinator = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead", "--wait"]);
    let count = |stage: &Stage| std::fs::read_dir(stage.path("live")).map_or(0, Iterator::count);
    stage.until("some files", |stage| count(stage) > 5);
    stage.say("stop CHG7 a --as ann --reason wrong").expect(0);
    stage.until("an end", |stage| stage.step("a")["state"] != "running");
    let then = count(&stage);
    if stage.step("a")["state"] == "failed" {
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert_eq!(count(&stage), then, "it goes on after it was said to have stopped");
    }
    coordinator.signal("TERM");
    coordinator.code();
}

#[test]
fn outputs_that_were_changed_are_noticed() {
    for forge in ["", "forged\n"] {
        let stage = Stage::new();
        stage.plan("  - {id: a, owner: ann, run: {shell: echo out; echo err >&2}, verify: {run: {argv: ['true']}}}\n");
        stage.say("invoke plan.backout.yaml --as lead").expect(0);
        stage.say("verify").expect(0).says("2 outputs");
        for name in ["stdout", "stderr"] {
            let path = format!("state/runs/CHG7-1/steps/a/1.1/{name}");
            let whole = stage.read(&path);
            stage.write(&path, forge);
            stage.say("verify").expect(1).says(&format!("the {name} of a was changed"));
            stage.write(&path, &whole);
        }
        stage.say("verify").expect(0);
    }
}

#[test]
fn one_event_is_one_line_whatever_people_write() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, manual: x}\n");
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    let reason = "x\n02:00:00  restore-db            ✓ done";
    stage.tell(&["skip", "CHG7", "a", "--as", "lead", "--reason", reason]).expect(0);
    let log = stage.say("log").expect(0).out;
    assert!(!log.lines().any(|line| line.starts_with("02:00:00")), "{log}");
}
