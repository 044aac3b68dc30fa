//! Marks in another place: whatever name the machine, the folder or the place has, the run is
//! compared with what was noted of it, and what it could not be compared with is said.

use std::process::Command;

use crate::stage::{Stage, Told, told};

/// A run that waits for a person, with its marks in `other` too.
fn waiting() -> Stage {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, run: {shell: echo a >> effects}, verify: {file: {path: effects}}}\n  - {id: m, owner: ann, after: [], manual: do it}\n  - {id: n, owner: bob, after: [], manual: do it}\n");
    std::fs::create_dir(stage.path("other")).expect("a folder");
    with_marks(&stage, "other", "invoke plan.backout.yaml --as lead --reason why --plain")
        .expect(20);
    stage
}

/// A command whose marks go to this place, too.
fn with_marks(stage: &Stage, place: &str, line: &str) -> Told {
    let mut command = stage.command(&line.split_whitespace().collect::<Vec<_>>());
    command.env("BACKOUT_MARKS", stage.path(place));
    told(command)
}

fn copy(stage: &Stage, from: &str, to: &str) {
    let (from, to) = (stage.path(from).join("."), stage.path(to));
    std::fs::create_dir_all(&to).expect("a folder");
    for entry in std::fs::read_dir(&to).expect("readable") {
        let path = entry.expect("an entry").path();
        let gone = if path.is_dir() {
            std::fs::remove_dir_all(&path)
        } else {
            std::fs::remove_file(&path)
        };
        gone.expect("removed");
    }
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(done.is_ok_and(|done| done.success()), "it could not be copied");
}

#[track_caller]
fn says_nothing_of_marks(told: &Told) {
    assert!(!told.err.contains("could not be compared"), "{}", told.err);
}

/// The state folder was given another name, and is reached by a link: its marks are those of one
/// run, and an older copy of the folder is seen by what was noted under the old name.
#[test]
fn another_name_of_the_folder_begins_no_marks_anew() {
    let mut stage = waiting();
    with_marks(&stage, "other", "ack CHG7 m --as ann").expect(0);
    let renamed = stage.path("renamed");
    std::fs::rename(&stage.state, &renamed).expect("renamed");
    let link = stage.path("link");
    std::os::unix::fs::symlink(&renamed, &link).expect("a link");
    for state in [renamed, link] {
        stage.state = state;
        says_nothing_of_marks(&with_marks(&stage, "other", "verify CHG7").expect(0));
        says_nothing_of_marks(&with_marks(&stage, "other", "status CHG7").expect(0));
    }
    copy(&stage, "renamed", "snapshot");
    with_marks(&stage, "other", "ack CHG7 n --as bob").expect(0);
    says_nothing_of_marks(&with_marks(&stage, "other", "verify CHG7").expect(0));
    let names = std::fs::read_dir(stage.path("other")).expect("readable").count();
    assert_eq!(names, 2, "one under each name, the link is none");
    copy(&stage, "snapshot", "renamed");
    with_marks(&stage, "other", "verify CHG7").expect(1).says("it ends at record");
    with_marks(&stage, "other", "resume CHG7 --as lead").expect(30).says("has lost its end");
}

/// With a copy the run went on, and where it was copied from, too: the one that writes second
/// sees it by the place that both note their records in.
#[test]
fn a_run_that_goes_on_twice_is_seen_by_a_mark_elsewhere() {
    let stage = waiting();
    copy(&stage, "state", "copy");
    let there = |line: &str| {
        let mut command = stage.command(&line.split_whitespace().collect::<Vec<_>>());
        command.env("BACKOUT_STATE", stage.path("copy"));
        told(command)
    };
    there("resume CHG7 --as lead --yes --reason moved").expect(20);
    there("ack CHG7 m --as ann").expect(0);
    stage.say("ack CHG7 m --as ann").expect(30).says("goes on elsewhere, too").says("copy");
    stage.say("resume CHG7 --as lead").expect(30);
    // The copy knows all that was noted, and goes on.
    there("ack CHG7 n --as bob").expect(0);
    there("resume CHG7 --as lead").expect(0);
    there("verify CHG7").expect(0);
    assert_eq!(stage.lines("effects"), 1);
}

/// Marks that were deleted and go on, and a place that is new: neither is taken for a comparison.
#[test]
fn marks_that_begin_late_compare_nothing_before_them() {
    let stage = waiting();
    std::fs::create_dir(stage.path("new")).expect("a folder");
    let noted = with_marks(&stage, "new", "ack CHG7 m --as ann").expect(0);
    noted.says("could not be compared with").says("nothing is there");
    // Where one place ends the other one goes on.
    says_nothing_of_marks(&with_marks(&stage, "new", "verify CHG7").expect(0));
    // The place it began with is compared with all the same.
    copy(&stage, "state", "snapshot");
    with_marks(&stage, "other", "ack CHG7 n --as bob").expect(0);
    copy(&stage, "snapshot", "state");
    with_marks(&stage, "new", "verify CHG7").expect(1).says("it ends at record").says("other");
    with_marks(&stage, "new", "resume CHG7 --as lead").expect(30);
}

#[test]
fn marks_of_this_machine_that_were_deleted_are_missed() {
    let stage = Stage::new();
    stage.plan("  - {id: m, owner: ann, after: [], manual: do it}\n  - {id: n, owner: bob, after: [], manual: do it}\n");
    stage.say("invoke plan.backout.yaml --as lead --reason why --plain").expect(20);
    says_nothing_of_marks(&stage.say("status CHG7").expect(0));
    std::fs::remove_file(stage.state.join("marks/CHG7-1")).expect("there");
    stage.say("status CHG7").expect(0).says("nothing is there");
    stage.say("ack CHG7 m --as ann").expect(0);
    stage.say("status CHG7").expect(0).says("its first mark is of record");
}

/// What is no file can be waited for without an end, and is not.
#[test]
fn a_pipe_where_marks_should_be_stops_nothing() {
    let stage = waiting();
    let name = std::fs::read_dir(stage.path("other")).expect("readable").next();
    let place = name.expect("a folder").expect("readable").path().join("CHG7-1");
    for mark in [place, stage.state.join("marks/CHG7-1")] {
        std::fs::remove_file(&mark).expect("there");
        let made = Command::new("mkfifo").arg(&mark).status();
        assert!(made.is_ok_and(|made| made.success()));
        for line in ["status CHG7", "runs", "log CHG7"] {
            stage.say(line).expect(0);
        }
        stage.say("status CHG7").says("it is no file");
        stage.say("verify CHG7").expect(1).says("it is no file");
    }
}

/// Both coordinators were at work already: the one that writes second stops before its next step.
#[test]
fn a_coordinator_at_work_sees_that_a_copy_goes_on() {
    let stage = Stage::new();
    std::fs::create_dir(stage.path("other")).expect("a folder");
    stage.plan("  - {id: a, owner: ann, effect: opaque, run: {shell: 'echo begin >> effects; while [ ! -e go ]; do sleep 0.02; done; echo a >> effects'}, verify: {file: {path: effects}}}\n  - {id: b, owner: ann, effect: opaque, run: {shell: echo b >> effects}, verify: {file: {path: effects}}}\n");
    let mut command = stage.command(&["invoke", "plan.backout.yaml", "--as", "lead", "--plain"]);
    command.env("BACKOUT_MARKS", stage.path("other"));
    command.stdout(std::process::Stdio::null());
    command.stderr(std::fs::File::create(stage.path("background.err")).expect("a file"));
    let mut original = crate::stage::Running(command.spawn().expect("started"));
    stage.until("it is at work", |stage| stage.lines("effects") == 1);
    copy(&stage, "state", "copy");
    let there = |line: &str| {
        let mut command = stage.command(&line.split_whitespace().collect::<Vec<_>>());
        command.env("BACKOUT_STATE", stage.path("copy"));
        told(command)
    };
    there("resume CHG7 --as lead --yes").expect(20);
    there("resolve CHG7 a happened --as lead --reason seen").expect(0);
    there("resume CHG7 --as lead").expect(0);
    assert_eq!(stage.read("effects"), "begin\nb\n");
    stage.write("go", "");
    assert_eq!(original.code(), Some(30), "{}", stage.errors());
    assert!(stage.errors().contains("goes on elsewhere, too"), "{}", stage.errors());
    assert_eq!(stage.read("effects"), "begin\nb\na\n", "it started no second b");
}
