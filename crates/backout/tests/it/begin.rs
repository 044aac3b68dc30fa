//! How a run begins: what is refused before the night is asked on it.

use crate::stage::Stage;

const CHECKED: &str = ", verify: {run: {argv: ['true']}}";
const STAGES: &str =
    "stages:\n  - {id: ship, owner: lead, run: {argv: ['true']}, undone_by: [a]}\n";

fn machine(id: &str, verify: &str) -> String {
    format!("  - {{id: {id}, owner: ann, run: {{argv: ['touch', '{id}.done']}}{verify}}}\n")
}

/// The command that a hint gives, word for word.
fn hinted(told: &str, verb: &str) -> Vec<String> {
    let line = told.lines().find(|line| line.contains(&format!("`backout {verb}")));
    let line = line.unwrap_or_else(|| panic!("no hint with {verb}: {told}"));
    let command = line.split('`').nth(1).expect("a command").trim_start_matches("backout ");
    let command = command.replace(" --reason \"…\"", " --reason tonight");
    command.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn errors_of_the_plan_stop_a_deployment_and_no_backout() {
    let stage = Stage::new();
    // `undone_by` is missing: what takes place cannot be undone, and the plan does not say so.
    let stages = "stages:\n  - {id: ship, owner: lead, run: {argv: ['touch', 'shipped']}}\n";
    stage.plan_with(&machine("a", CHECKED), stages);
    stage.say("check plan.backout.yaml").expect(1);
    let refused = stage.say("deploy plan.backout.yaml --as lead --reason why --plain").expect(30);
    refused.says("nothing is deployed").says("`backout check plan.backout.yaml`");
    assert!(stage.newest_run().is_none() && !stage.path("shipped").exists());
    stage.say("deploy plan.backout.yaml --as lead --anyway --plain").expect(64).says("reason");
    assert!(stage.newest_run().is_none());
    let words = hinted(&refused.err, "deploy plan.backout.yaml --anyway");
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["--plain"]).collect();
    let told = stage.tell(&words);
    told.says("begun although this plan has");
    assert!(stage.path("shipped").exists());
    let log = stage.say("log CHG7-1 --json").expect(0).out;
    assert!(log.contains("plan_errors"), "{log}");

    let stage = Stage::new();
    stage.plan_with(&machine("a", CHECKED), stages);
    stage
        .say("invoke plan.backout.yaml --as lead --reason why --plain")
        .expect(0)
        .says("errors (BOP");
}

#[test]
fn parts_that_no_step_needs_are_asked_about() {
    for (part, name) in [
        ("triggers:\n  slow: {severity: major, nonsense: 1}\n", "triggers.slow"),
        ("window: {start: yesterday}\n", "window.start"),
        (
            "messages: {done: {to: nobody-knows, say: It is over, when: nonsense}}\n",
            "messages.done",
        ),
        ("readiness: 7\n", "readiness"),
    ] {
        let stage = Stage::new();
        stage.plan_with(&machine("a", CHECKED), part);
        stage.say("check plan.backout.yaml").expect(1);
        let asked = stage.say("invoke plan.backout.yaml --as lead --reason why --plain").expect(20);
        asked.says("question:").says(name);
        assert!(stage.newest_run().is_none() && !stage.path("a.done").exists(), "{part}");
        let words = hinted(&asked.err, "invoke plan.backout.yaml");
        let words: Vec<&str> = words.iter().map(String::as_str).chain(["--plain"]).collect();
        let told = stage.tell(&words).expect(0);
        told.says("begun without parts of the plan").says(name);
        assert!(stage.path("a.done").exists());
        let log = stage.say("log CHG7-1 --json").expect(0).out;
        assert!(log.contains("parts_left_out"), "{log}");
    }
}

#[test]
fn a_step_that_cannot_be_read_is_not_left_out() {
    let stage = Stage::new();
    stage.plan(&[machine("a", CHECKED), machine("b", ", nonsense: 1")].concat());
    stage.say("invoke plan.backout.yaml --as lead --yes --reason why --plain").expect(64);
    assert!(stage.newest_run().is_none() && !stage.path("a.done").exists());
}

/// A run whose log cannot be read may be open, and takes no command itself.
#[test]
fn an_unreadable_run_is_no_closed_one() {
    let stage = Stage::new();
    stage.plan_with(&machine("a", CHECKED), STAGES);
    stage.say("invoke plan.backout.yaml --as lead --reason why --plain").expect(0);
    let db = rusqlite::Connection::open(stage.state.join("journal.db")).expect("opened");
    let changed = db.execute("UPDATE record SET bytes = X'00' WHERE seq = 2", []);
    assert_eq!(changed.expect("changed"), 1);
    drop(db);
    std::fs::remove_file(stage.path("a.done")).expect("it ran");
    for command in ["invoke plan.backout.yaml", "deploy plan.backout.yaml"] {
        let refused = stage.say(&format!("{command} --as lead --reason why --plain")).expect(30);
        refused.says("cannot be read").says("verify CHG7-1").says("--new-run");
        assert!(!refused.err.contains("resume"), "{}", refused.err);
        assert!(!stage.path("a.done").exists());
    }
    let invoke = "invoke plan.backout.yaml --as lead --reason why --plain";
    stage.say(&format!("{invoke} --again")).expect(30);
    stage.say(&format!("{invoke} --new-run")).expect(20).says("CHG7-1");
    assert!(!stage.path("a.done").exists(), "it ran once, and that is asked about");
    stage.say("resolve CHG7-2 a did-not-happen --as ann --reason looked").expect(0);
    stage.say("resume CHG7-2 --as lead --plain").expect(0);
    assert!(stage.path("a.done").exists());
}

/// What is asked for and is so already is no error, and says how it goes on.
#[test]
fn to_back_out_twice_is_no_error() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, manual: Do it.}\n");
    stage.say("invoke plan.backout.yaml --as lead --reason why --plain").expect(20);
    let told = stage.say("decide CHG7 back-out --as lead --reason again").expect(0);
    told.says("note:").says("goes back already").says("resume CHG7-1");
    stage.say("hold CHG7 --as lead --reason wait").expect(0);
    let held = stage.say("decide CHG7 back-out --as lead --reason again").expect(20);
    held.says("is held; go on?").says("resume CHG7-1");
    stage.say("decide CHG7 fix-forward --as lead --reason no").expect(30);
}

/// A deployment that waits for a second person is ended by a decision to go back: nothing began.
#[test]
fn a_deployment_that_waits_is_ended_by_going_back() {
    let stage = Stage::new();
    let authority = "authority: {deploy: {by: [lead, ann], quorum: 2}}\n";
    stage.plan_with(&machine("a", CHECKED), &format!("{authority}{STAGES}"));
    let deploy = "deploy plan.backout.yaml --as lead --reason why --plain";
    stage.say(deploy).expect(20).says("agree");
    stage.say("decide CHG7 back-out --as lead --reason enough").expect(0).says("nothing was done");
    assert_eq!(stage.status()["state"], "abandoned");
    stage.say("invoke plan.backout.yaml --as lead --reason why --plain").expect(0);

    // With fewer people than it takes it does not begin at all.
    let stage = Stage::new();
    let authority = "authority: {deploy: {by: [lead], quorum: 2}}\n";
    stage.plan_with(&machine("a", CHECKED), &format!("{authority}{STAGES}"));
    stage.say(deploy).expect(30).says("2 people have to agree").says("the plan has 1");
    assert!(stage.newest_run().is_none());
}

/// A secret that is not in this shell stops no way back that is under way.
#[test]
fn a_run_that_goes_back_is_resumed_without_its_messages() {
    let stage = Stage::new();
    let receive =
        "watch: {window: 1h, receive: {listen: \"127.0.0.1:0\", secret: \"file:secret\"}}\n";
    let steps =
        format!("  - {{id: tell, owner: ann, manual: Tell them.}}\n{}", machine("a", CHECKED));
    let open = "  - {id: open, owner: lead, run: {argv: ['true']}, approval: {by: lead}, undone_by: [a]}\n";
    stage.plan_with(&steps, &format!("{STAGES}{open}{receive}"));
    stage.write("secret", "correct horse\n");
    let deploy = "deploy plan.backout.yaml --as lead --reason why --plain --wait=1s";
    stage.say(deploy).expect(20);
    stage.say("decide CHG7 back-out --as lead --reason broken").expect(0);
    std::fs::remove_file(stage.path("secret")).expect("it was there");
    stage.say("ack CHG7 tell --as ann");
    let told = stage.say("resume CHG7 --as lead --plain");
    told.says("warning:").says("without messages of other systems");
    stage.say("ack CHG7 tell --as ann");
    stage.say("resume CHG7 --as lead --plain").expect(11);
    assert!(stage.path("a.done").exists());
}

/// What a run did whose log is lost is no outcome of the next one.
#[test]
fn a_lost_journal_makes_no_step_done() {
    let stage = Stage::new();
    let steps = |what: &str| {
        format!("  - {{id: a, owner: ann, run: {{shell: 'echo {what} >> effects'}}{CHECKED}}}\n")
    };
    stage.plan(&steps("wrong"));
    let invoke = "invoke plan.backout.yaml --as lead --reason why --plain";
    stage.say(invoke).expect(0);
    for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let _ = std::fs::remove_file(stage.state.join(name));
    }
    stage.plan(&steps("right"));
    let refused = stage.say(invoke).expect(30);
    refused.says("CHG7-1 did something here, and its log is gone").says("--new-run");
    stage.say(&format!("{invoke} --again")).expect(30).says("recover CHG7-1");
    assert_eq!(stage.read("effects"), "wrong\n");
    // What the lost run did is not done again unless a person says so.
    stage.say(&format!("{invoke} --new-run")).expect(20).says("CHG7-1");
    assert_eq!(stage.newest_run().as_deref(), Some("CHG7-2"), "no name is given away twice");
    assert_eq!(stage.read("effects"), "wrong\n");
    stage.say("resolve CHG7-2 a did-not-happen --as ann --reason looked").expect(0);
    stage.say("resume CHG7-2 --as lead --plain").expect(0);
    assert_eq!(stage.read("effects"), "wrong\nright\n");
}

/// A target that did it and failed to say so recognises each repeat, whoever asks for it.
#[test]
fn every_repeat_has_the_same_key() {
    let stage = Stage::new();
    let run = "shell: 'echo $BACKOUT_KEY >> keys; test $(wc -l < keys) -ge 4'";
    stage.plan(&format!(
        "  - {{id: a, owner: ann, run: {{{run}}}, effect: keyed, retry: {{attempts: 2, pause: 10ms}}}}\n"
    ));
    stage.say("invoke plan.backout.yaml --as lead --reason why --plain").expect(20);
    stage.say("retry CHG7 a --as lead --reason again").expect(0);
    stage.say("resume CHG7 --as lead --plain").expect(10);
    let keys = stage.read("keys");
    let keys: Vec<&str> = keys.lines().collect();
    assert_eq!(keys.len(), 4, "{keys:?}");
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
}

/// A target that keeps its failure for a key is asked with another one.
#[test]
fn a_person_can_give_a_repeat_another_key() {
    let stage = Stage::new();
    let run = "shell: 'echo $BACKOUT_KEY >> keys; test $(wc -l < keys) -ge 2'";
    stage.plan(&format!("  - {{id: a, owner: ann, run: {{{run}}}, effect: keyed}}\n"));
    stage.say("invoke plan.backout.yaml --as lead --reason why --plain").expect(20);
    stage.say("retry CHG7 a --new-key --as lead --reason again").expect(0);
    stage.say("resume CHG7 --as lead --plain").expect(10);
    let keys = stage.read("keys");
    let keys: Vec<&str> = keys.lines().collect();
    assert_ne!(keys[0], keys[1]);
}

/// A log that lost its end does not look whole, and nothing runs again on it.
#[test]
fn a_log_that_lost_its_end_is_noticed() {
    let steps: String = ["a", "b", "c"]
        .map(|id| {
            let run = format!("run: {{shell: 'echo {id} >> effects'}}{CHECKED}");
            format!("  - {{id: {id}, owner: ann, {run}}}\n")
        })
        .concat();
    let invoke = "invoke plan.backout.yaml --as lead --reason why --plain";
    let mut noticed = 0;
    for cut in 1..8 {
        let stage = Stage::new();
        stage.plan(&steps);
        stage.say(invoke).expect(0);
        let db = rusqlite::Connection::open(stage.state.join("journal.db")).expect("opened");
        let last: i64 =
            db.query_row("SELECT max(seq) FROM record", [], |row| row.get(0)).expect("a record");
        db.execute("DELETE FROM record WHERE seq > ?1", [last - cut]).expect("cut");
        drop(db);
        let resumed = stage.say("resume CHG7-1 --as lead --plain");
        let whole = stage.say("verify CHG7-1");
        let effects = stage.read("effects");
        assert_eq!(effects, "a\nb\nc\n", "cut {cut}: {} {}", resumed.out, resumed.err);
        if resumed.code == Some(30) {
            noticed += 1;
            resumed.says("has lost its end").says("recover CHG7-1");
            whole.expect(1).says("the log has lost its end");
        }
    }
    println!("{noticed} of 7 cuts noticed; the others lost no attempt");
    assert!(noticed >= 4, "{noticed} cuts noticed");
}

/// A command that is shown works where it is pasted: on the same runs, with the plan's own path.
#[test]
fn shown_commands_name_the_state_and_the_plan_as_a_shell_takes_them() {
    let stage = Stage::new();
    stage.plan_with(&machine("a", CHECKED), "risks: [{nonsense: 1}]\n");
    let plan = "it's a $(plan).yaml";
    stage.write(plan, &stage.read("plan.backout.yaml"));
    let other = stage.path("other state");
    let state = other.to_str().expect("text");
    let words = ["invoke", plan, "--state", state, "--as", "lead", "--reason", "x", "--plain"];
    let asked = stage.tell(&words).expect(20);
    let line = asked.err.lines().find(|line| line.contains("--yes")).expect("a hint");
    let command = line.split('`').nth(1).expect("a command").replace('…', "tonight");
    let mut shell = std::process::Command::new("sh");
    let program =
        format!("{} {}", env!("CARGO_BIN_EXE_backout"), command.trim_start_matches("backout "));
    shell.args(["-c", &program]).current_dir(stage.folder());
    let done = shell.output().expect("a shell");
    assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
    assert!(stage.newest_run().is_none(), "it ran on the other state");
    assert!(stage.path("a.done").exists());
}
