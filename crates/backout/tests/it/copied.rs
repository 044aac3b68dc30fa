//! A state folder that was copied or moved, or is on another machine: the same run could go on
//! twice. It is asked about once; what was begun there is a doubt here, never a second copy.

use std::process::Command;

use crate::stage::{Running, Stage, Told, told};

const INVOKE: [&str; 6] = ["invoke", "plan.backout.yaml", "--as", "lead", "--reason", "x"];

/// A step that says that it began, waits for `go`, and says that it is done.
fn steps(effect: &str) -> String {
    format!(
        "  - {{id: first, owner: ann, run: {{shell: echo x >> first}}, verify: {{file: {{path: first}}}}}}\n  - {{id: victim, owner: ann, effect: {effect}, run: {{shell: 'echo x >> began; while [ ! -e go ]; do sleep 0.02; done; echo x >> effects'}}, verify: {{file: {{path: effects}}, within: 100ms, every: 50ms}}}}\n"
    )
}

/// Copies the state folder of a stage, as a backup or a person does.
fn copied(stage: &Stage) -> String {
    let copy = stage.path("copy").display().to_string();
    let done = Command::new("cp").args(["-a", &stage.state.display().to_string(), &copy]).status();
    assert!(done.is_ok_and(|done| done.success()), "it could not be copied");
    copy
}

/// The same command on a copy.
fn there(stage: &Stage, copy: &str, line: &str) -> Told {
    let mut command = stage.command(&line.split_whitespace().collect::<Vec<_>>());
    command.env("BACKOUT_STATE", copy);
    told(command)
}

/// The same command on another machine, to which the folder of the stage is shared.
fn on_another_machine(stage: &Stage, line: &str) -> Option<Told> {
    stage.write("machine-id", "00112233445566778899aabbccddeeff\n");
    stage.write("boot-id", "11111111-2222-3333-4444-555555555555\n");
    let script = format!(
        "mount --bind machine-id /etc/machine-id && mount --bind boot-id /proc/sys/kernel/random/boot_id && exec '{}' {line}",
        env!("CARGO_BIN_EXE_backout")
    );
    let here = stage.command(&[]);
    let environment: Vec<_> = here
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &script]).env_clear().envs(environment);
    command.current_dir(stage.folder());
    let found = told(command);
    let is_refused = ["not permitted", "ermission denied", "mount point does not exist"]
        .iter()
        .any(|why| found.err.contains(why));
    if is_refused {
        eprintln!("NOT RUN: another machine cannot be shown here: {}", found.err);
        return None;
    }
    Some(found)
}

/// A run whose coordinator waits with its second step at work.
fn at_work(effect: &str) -> (Stage, Running) {
    let stage = Stage::new();
    stage.plan(&steps(effect));
    let coordinator = stage.start(&INVOKE);
    stage.until("the step began", |stage| stage.lines("began") == 1);
    (stage, coordinator)
}

#[test]
fn a_copy_is_asked_about_once() {
    let stage = Stage::new();
    stage.plan("  - {id: tell, owner: ann, manual: Tell them.}\n  - {id: last, owner: ann, run: {shell: echo x >> last}, verify: {file: {path: last}}}\n");
    stage.tell(&INVOKE).expect(20);
    let copy = copied(&stage);
    let status = there(&stage, &copy, "status CHG7 --json").json();
    assert_eq!(
        (&status["elsewhere"], &stage.status()["elsewhere"]),
        (&"folder".into(), &serde_json::Value::Null)
    );
    there(&stage, &copy, "status CHG7").says("cannot be seen from here");
    // What is said in a copy is not heard where the run was at work.
    there(&stage, &copy, "ack CHG7 tell --as ann")
        .expect(30)
        .says("is a copy, or was moved")
        .says("resume CHG7-1");
    let before = there(&stage, &copy, "log CHG7 --json").out;
    there(&stage, &copy, "resume CHG7 --as lead")
        .expect(20)
        .says("is a copy, or was moved")
        .says("--yes");
    assert_eq!(there(&stage, &copy, "log CHG7 --json").out, before, "nothing is written unasked");
    there(&stage, &copy, "resume CHG7 --as lead --yes --reason restored").expect(20);
    there(&stage, &copy, "log CHG7").says("goes on in another folder").says("restored");
    // It was asked about, and that was the end of it.
    there(&stage, &copy, "resume CHG7 --as lead").expect(20);
    there(&stage, &copy, "ack CHG7 tell --as ann").expect(0);
    there(&stage, &copy, "resume CHG7 --as lead").expect(0);
    there(&stage, &copy, "verify CHG7").expect(0);
    assert_eq!(stage.lines("last"), 1);
}

#[test]
fn to_give_a_copy_up_needs_no_answer() {
    let stage = Stage::new();
    stage.plan("  - {id: tell, owner: ann, manual: Tell them.}\n");
    stage.tell(&INVOKE).expect(20);
    let copy = copied(&stage);
    // It would say that nothing starts, and the original goes on.
    there(&stage, &copy, "hold CHG7 --as lead --reason x").expect(30).says("is a copy");
    there(&stage, &copy, "abandon CHG7 --as lead --reason copy").expect(0);
    stage.say("ack CHG7 tell --as ann").expect(0);
    stage.say("resume CHG7 --as lead").expect(0);
}

/// A folder that was only given another name is the same one; so is one on a machine that was
/// started anew.
#[test]
fn what_stayed_the_same_is_not_asked_about() {
    let mut stage = Stage::new();
    stage.plan("  - {id: tell, owner: ann, manual: Tell them.}\n");
    stage.tell(&INVOKE).expect(20);
    let renamed = stage.path("renamed");
    std::fs::rename(&stage.state, &renamed).expect("renamed");
    stage.state = renamed;
    stage.say("ack CHG7 tell --as ann").expect(0);
    stage.say("resume CHG7 --as lead").expect(0);
}

/// The copy is made while the step is at work, and its coordinator and its supervisor stay there.
/// Printed: by class, what came of it in the copy, and how often the step was carried out.
#[test]
fn what_is_at_work_there_is_a_doubt_in_the_copy() {
    let mut table = String::from("effect      in the copy   began  effects\n");
    for effect in ["idempotent", "keyed", "verifiable", "opaque"] {
        let (stage, mut original) = at_work(effect);
        let copy = copied(&stage);
        there(&stage, &copy, "resume CHG7 --as lead").expect(20).says("--yes");
        let resumed = there(&stage, &copy, "resume CHG7 --as lead --yes --wait=1s");
        let status = there(&stage, &copy, "status CHG7 --json").json();
        let state = status["steps"][1]["state"].as_str().expect("a state").to_owned();
        resumed.expect(20).says("copy of");
        assert_eq!(state, "in_doubt", "{effect}");
        assert_eq!(stage.lines("began"), 1, "{effect}: a second copy began");
        stage.write("go", "");
        assert_eq!(original.code(), Some(0), "{}", stage.errors());
        assert_eq!((stage.lines("first"), stage.lines("effects")), (1, 1), "{effect}");
        table.push_str(&format!(
            "{effect:<12}{state:<14}{:>5}{:>9}\n",
            stage.lines("began"),
            stage.lines("effects")
        ));
    }
    println!("{table}");
}

/// An intent is in the log, and in the copy nobody has accepted it: there it may have been since.
#[cfg(feature = "fault-points")]
#[test]
fn what_was_about_to_begin_there_is_a_doubt_in_the_copy() {
    let stage = Stage::new();
    stage.plan(&steps("idempotent"));
    let mut command = stage.command(&INVOKE);
    command.env("BACKOUT_FAULT", "intent-durable@victim");
    let _ = told(command);
    let copy = copied(&stage);
    stage.write("go", "");
    stage.say("resume CHG7 --as lead").expect(0);
    let resumed = there(&stage, &copy, "resume CHG7 --as lead --yes");
    resumed.expect(20).says("copy of");
    assert_eq!((stage.lines("began"), stage.lines("effects")), (1, 1));
}

/// A result that is written down counts wherever it is read.
#[test]
fn a_result_that_was_copied_is_taken() {
    let (stage, mut coordinator) = at_work("opaque");
    coordinator.kill_9();
    stage.write("go", "");
    let exit = stage.state.join("runs/CHG7-1/steps/victim/1.1/exit.json");
    stage.until("the result is written down", |_| exit.exists());
    let copy = copied(&stage);
    there(&stage, &copy, "resume CHG7 --as lead --yes").expect(0);
    assert_eq!((stage.lines("began"), stage.lines("effects")), (1, 1));
}

/// On a shared folder another machine sees the log and no process.
#[test]
fn another_machine_is_asked_about_and_sees_no_process() {
    let (stage, mut coordinator) = at_work("idempotent");
    coordinator.kill_9();
    let supervisor = stage.state.join("runs/CHG7-1/steps/victim/1.1/claim.json");
    assert!(supervisor.exists());
    let Some(asked) = on_another_machine(&stage, "resume CHG7 --as lead") else { return };
    asked.expect(20).says("not the machine the run was on").says("--yes");
    // Its locks are seen where the disk is the same one; where not, it is a doubt.
    stage.write("go", "");
    let exit = stage.state.join("runs/CHG7-1/steps/victim/1.1/exit.json");
    stage.until("it ended there", |_| exit.exists());
    std::fs::remove_file(exit).expect("removed");
    let Some(went_on) = on_another_machine(&stage, "resume CHG7 --as lead --yes") else { return };
    went_on.expect(20).says("begun on another machine");
    assert_eq!((stage.lines("began"), stage.lines("effects")), (1, 1));
    // Back again is another machine again, and the same one after that.
    stage.say("resume CHG7 --as lead").expect(20).says("not the machine");
    stage.say("resolve CHG7 victim happened --as lead --reason seen").expect(0);
    stage.say("resume CHG7 --as lead --yes").expect(0);
    stage.say("log CHG7").says("goes on on another machine");
}

/// A command from another machine reaches the run, wherever its coordinator is.
#[test]
fn a_shared_folder_takes_commands_from_every_machine() {
    let stage = Stage::new();
    stage.plan("  - {id: tell, owner: ann, manual: Tell them.}\n");
    stage.tell(&INVOKE).expect(20);
    let Some(said) = on_another_machine(&stage, "ack CHG7 tell --as ann") else { return };
    said.expect(0);
    stage.say("resume CHG7 --as lead").expect(0);
}

/// The part of the log that named the place is lost: where the run began is known all the same.
#[test]
fn a_log_that_was_rebuilt_in_a_copy_is_asked_about_too() {
    let (stage, mut original) = at_work("verifiable, effects: local");
    let copy = copied(&stage);
    for file in ["journal.db-wal", "journal.db-shm"] {
        let _ = std::fs::remove_file(stage.path("copy").join(file));
    }
    let recover = "recover CHG7 --as lead --reason failover";
    there(&stage, &copy, recover).expect(20).says("is a copy").says("--yes");
    there(&stage, &copy, "recover CHG7 --as lead --yes --reason failover").expect(0);
    there(&stage, &copy, "resume CHG7 --as lead --wait=1s").expect(20).says("copy of");
    assert_eq!(stage.lines("began"), 1, "a second copy began");
    stage.write("go", "");
    assert_eq!(original.code(), Some(0), "{}", stage.errors());
}
