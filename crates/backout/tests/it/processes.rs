//! Whose death touches what: the spawner, the supervisors, and what steps leave running.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::stage::{Running, Stage};

const INVOKE: [&str; 5] = ["invoke", "plan.backout.yaml", "--as", "lead", "--wait"];

/// A step that says that it began, waits for `go`, and says that it is done.
fn patient(id: &str, more: &str) -> String {
    format!(
        "  - {{id: {id}, owner: ann, effect: idempotent{more}, run: {{shell: 'echo {id} >> began; while [ ! -e go ]; do sleep 0.02; done; echo {id} >> effects'}}, verify: {{file: {{path: effects, contains: {id}}}}}}}\n"
    )
}

/// What the kernel says about a process, from its state on; none where it is gone.
fn stat(pid: &str) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields = stat.rsplit_once(") ")?.1;
    Some(fields.split(' ').map(str::to_owned).collect())
}

/// A process that ended may still wait to be collected.
fn is_alive(pid: &str) -> bool {
    stat(pid).is_some_and(|stat| stat[0] != "Z")
}

fn kill_9(pid: &str) {
    let killed = Command::new("kill").args(["-9", pid]).status();
    assert!(killed.is_ok_and(|status| status.success()), "{pid} could not be killed");
}

/// The supervisor of a step's attempt.
fn supervisor(stage: &Stage, step: &str, attempt: u32) -> String {
    let claim = stage.read(&format!("state/runs/CHG7-1/steps/{step}/{attempt}.1/claim.json"));
    let claim: Value = serde_json::from_str(&claim).expect("a claim");
    claim["pid"].to_string()
}

/// The spawner is the parent of the supervisors it forked.
fn spawner(stage: &Stage, step: &str) -> String {
    stat(&supervisor(stage, step, 1)).expect("it lives")[1].clone()
}

/// Each of these, once, in any order.
fn once_each(text: &str, names: &[&str]) -> bool {
    let lines: BTreeSet<&str> = text.lines().collect();
    text.lines().count() == names.len() && names.iter().all(|name| lines.contains(name))
}

#[test]
fn a_killed_supervisor_touches_no_other_attempt() {
    let stage = Stage::new();
    let side_by_side = ["a", "b", "c"].map(|id| patient(id, ", after: []")).concat();
    stage.plan(&side_by_side);
    let mut coordinator = stage.start(&INVOKE);
    stage.until("three to begin", |stage| stage.lines("began") == 3);
    let killed = supervisor(&stage, "b", 1);
    // With its command, so that the attempt is over: held first, or it could write down how its
    // command ended.
    let held = Command::new("kill").args(["-STOP", &killed]).status();
    assert!(held.is_ok_and(|held| held.success()));
    for entry in std::fs::read_dir("/proc").expect("readable").flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        if pid != killed && stat(&pid).is_some_and(|stat| stat[3] == killed && stat[0] != "Z") {
            // What sleeps for a moment may have ended by itself.
            let _ = Command::new("kill").args(["-9", &pid]).status();
        }
    }
    kill_9(&killed);
    stage.until("b to begin again", |stage| stage.lines("began") == 4);
    stage.write("go", "");
    assert_eq!(coordinator.code(), Some(0), "{}", stage.errors());
    assert!(once_each(&stage.read("effects"), &["a", "b", "c"]), "{}", stage.read("effects"));
    let attempts = ["a", "b", "c"].map(|id| stage.step(id)["attempts"].as_u64().expect("a number"));
    assert_eq!(attempts, [1, 2, 1]);
}

#[test]
fn a_killed_spawner_touches_no_attempt_and_is_replaced() {
    let stage = Stage::new();
    stage.plan(
        &[patient("a", ""), patient("b", ", after: []"), patient("c", ", after: [a]")].concat(),
    );
    let mut coordinator = stage.start(&INVOKE);
    stage.until("two to begin", |stage| stage.lines("began") == 2);
    let (first, at_work) = (spawner(&stage, "a"), supervisor(&stage, "a", 1));
    assert_eq!(first, spawner(&stage, "b"), "one spawner for all");
    kill_9(&first);
    stage.until("the spawner to end", |_| !is_alive(&first));
    assert!(is_alive(&at_work), "its supervisors live on");
    stage.write("go", "");
    assert_eq!(coordinator.code(), Some(0), "{}", stage.errors());
    assert!(once_each(&stage.read("began"), &["a", "b", "c"]), "{}", stage.read("began"));
    assert!(once_each(&stage.read("effects"), &["a", "b", "c"]), "{}", stage.read("effects"));
}

/// A spawner that hangs is replaced too: what waits for it waits for nothing.
#[test]
fn a_spawner_that_hangs_is_replaced() {
    let stage = Stage::new();
    stage.plan(&[patient("a", ""), patient("b", ", after: [a]")].concat());
    let mut coordinator = stage.start(&INVOKE);
    stage.until("a to begin", |stage| stage.lines("began") == 1);
    let hangs = spawner(&stage, "a");
    let stopped = Command::new("kill").args(["-STOP", &hangs]).status();
    assert!(stopped.is_ok_and(|status| status.success()));
    stage.write("go", "");
    assert_eq!(coordinator.code(), Some(0), "{}", stage.errors());
    assert!(once_each(&stage.read("effects"), &["a", "b"]), "{}", stage.read("effects"));
    assert!(!is_alive(&hangs), "it is ended");
}

/// The spawner ends with its coordinator; what it forked does not.
#[test]
fn a_spawner_ends_with_its_coordinator_and_its_supervisors_live_on() {
    let stage = Stage::new();
    stage.plan(&patient("a", ""));
    let mut coordinator = stage.start(&INVOKE);
    stage.until("a to begin", |stage| stage.lines("began") == 1);
    let (spawner, supervisor) = (spawner(&stage, "a"), supervisor(&stage, "a", 1));
    coordinator.kill_9();
    stage.until("the spawner to end", |_| !is_alive(&spawner));
    assert!(is_alive(&supervisor));
    stage.write("go", "");
    stage.say("resume CHG7 --as lead").expect(0);
    assert_eq!(stage.read("effects"), "a\n");
}

/// It dies once, before or after the fork: nobody is asked, and nothing happens twice.
#[cfg(feature = "fault-points")]
#[test]
fn a_spawner_that_dies_at_the_fork_costs_nothing() {
    for point in ["spawner-asked", "forked", "supervisor-started"] {
        let stage = Stage::new();
        let opaque = "  - {id: a, owner: ann, run: {shell: echo a >> effects}, verify: {file: {path: effects}}}\n  - {id: b, owner: ann, run: {shell: echo b >> effects}, verify: {file: {path: effects, contains: b}}}\n";
        stage.plan(opaque);
        let mut command = stage.command(&["invoke", "plan.backout.yaml", "--as", "lead"]);
        command.env("BACKOUT_FAULT", format!("{point}@a"));
        command.env("BACKOUT_FAULT_MARK", stage.path("died"));
        crate::stage::told(command).expect(0);
        assert!(stage.path("died").exists(), "{point}: nothing died");
        assert_eq!(stage.read("effects"), "a\nb\n", "{point}");
        assert_eq!(stage.step("a")["attempts"], 1, "{point}");
    }
}

/// Closes every descriptor but the first three; `sh` knows only those of one digit.
pub(crate) const CLOSE: &str =
    "for f in /proc/$$/fd/*; do f=${f##*/}; [ $f -le 2 ] || eval \"exec $f>&-\"; done\n";

/// How a program goes on in the background, in five ways.
const KINDS: [(&str, &str); 5] = [
    ("setsid", "setsid sh -c \"$body\" >/dev/null 2>&1 &"),
    ("forked", "(sh -c \"$body\" >/dev/null 2>&1 &)"),
    ("nohup", "nohup sh -c \"$body\" >/dev/null 2>&1 &"),
    ("closed", "setsid bash -c \". ./close.sh; $body\" </dev/null >/dev/null 2>&1 &"),
    ("cleared", "setsid env -i sh -c \"PATH=$PATH; $body\" >/dev/null 2>&1 &"),
];

/// A script that starts one daemon of each kind, waits for them, and does something more.
fn daemons(stage: &Stage, more: &str) -> Daemons {
    let mut script = "echo x >> effects\n".to_owned();
    for (kind, start) in KINDS {
        script.push_str(&format!("body='echo $$ > {kind}.pid; exec sleep 600'\n{start}\n"));
    }
    for (kind, _) in KINDS {
        script.push_str(&format!("while [ ! -s {kind}.pid ]; do sleep 0.02; done\n"));
    }
    script.push_str(more);
    stage.write("start.sh", &script);
    stage.write("close.sh", CLOSE);
    Daemons(KINDS.map(|(kind, _)| stage.path(&format!("{kind}.pid"))).to_vec())
}

/// The daemons of a story, ended with it.
struct Daemons(Vec<std::path::PathBuf>);

impl Daemons {
    /// Their numbers by kind, as far as they have begun.
    fn pids(&self) -> Vec<(String, String)> {
        let pid = |path: &std::path::PathBuf| {
            let kind = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let pid = std::fs::read_to_string(path).ok()?.trim().to_owned();
            (!pid.is_empty()).then_some((kind, pid))
        };
        self.0.iter().filter_map(pid).collect()
    }

    /// The kinds that are alive.
    fn alive(&self) -> Vec<String> {
        let alive = self.pids().into_iter().filter(|(_, pid)| is_alive(pid));
        alive.map(|(kind, _)| kind).collect()
    }
}

impl Drop for Daemons {
    fn drop(&mut self) {
        for (_, pid) in self.pids().iter().filter(|(_, pid)| is_alive(pid)) {
            let _ = Command::new("kill").args(["-9", pid]).status();
        }
    }
}

const STARTS: &str = "run: {argv: [sh, start.sh]}";

fn under_way(stage: &Stage, daemons: &Daemons) -> Running {
    stage.plan(&format!("  - {{id: a, owner: ann, effect: idempotent, {STARTS}}}\n"));
    let coordinator = stage.start(&INVOKE);
    stage.until("the daemons", |_| daemons.alive().len() == KINDS.len());
    coordinator
}

#[test]
fn a_stop_ends_daemons_of_every_kind() {
    let stage = Stage::new();
    let daemons = daemons(&stage, "while :; do sleep 0.05; done\n");
    let _coordinator = under_way(&stage, &daemons);
    stage.say("stop CHG7 a --as ann --reason wrong").expect(0);
    stage.until_step("a", "failed");
    assert_eq!(daemons.alive(), Vec::<String>::new());
    assert_eq!(stage.lines("effects"), 1);
    assert!(stage.step("a")["evidence"]["left_running"].is_null());
}

#[test]
fn a_time_out_ends_daemons_of_every_kind() {
    let stage = Stage::new();
    let daemons = daemons(&stage, "touch began; while :; do sleep 0.05; done\n");
    stage.plan("  - {id: a, owner: ann, run: {argv: [sh, start.sh], timeout: 3s}}\n");
    let mut coordinator = stage.start(&INVOKE[..4]);
    assert_eq!(coordinator.code(), Some(20), "{}", stage.errors());
    assert_eq!(stage.step("a")["state"], "in_doubt");
    assert_eq!(daemons.alive(), Vec::<String>::new());
}

/// Its end is written down: they are named, block nothing, and no command ends them.
#[test]
fn daemons_of_a_step_that_ended_are_left_running() {
    let stage = Stage::new();
    let daemons = daemons(&stage, "");
    stage.plan(&format!(
        "  - {{id: a, owner: ann, {STARTS}, verify: {{file: {{path: effects}}}}}}\n  - {{id: b, owner: ann, run: {{shell: echo b >> after}}, verify: {{file: {{path: after}}}}}}\n  - {{id: c, owner: ann, manual: Look.}}\n"
    ));
    stage.say("invoke plan.backout.yaml --as lead").expect(20).says("left running: ");
    let left = stage.step("a")["evidence"]["left_running"].clone();
    let left: BTreeSet<String> =
        left.as_array().expect("a list").iter().map(|it| it["pid"].to_string()).collect();
    let all: BTreeSet<String> = daemons.pids().into_iter().map(|(_, pid)| pid).collect();
    assert_eq!(left, all);
    assert_eq!(stage.lines("after"), 1, "what comes behind it is not held up");
    stage.say("status CHG7").expect(0).says("left running: sleep (process ");
    stage.say("render CHG7-1 --to md --output -").expect(0).says("left running: sleep (process ");
    stage.say("resume CHG7 --as lead").expect(20);
    stage.say("ack CHG7 c --as ann").expect(0);
    stage.say("resume CHG7 --as lead");
    assert_eq!(daemons.alive().len(), KINDS.len());
}

/// Nothing says how it ended: what it left is alive, so it is not repeated. A stop ends all that
/// is of the attempt by its environment or by the lock that it inherited.
#[test]
fn daemons_of_a_step_without_an_end_are_ended_by_a_stop() {
    let stage = Stage::new();
    let daemons = daemons(&stage, "while :; do sleep 0.05; done\n");
    let _coordinator = under_way(&stage, &daemons);
    kill_9(&supervisor(&stage, "a", 1));
    stage.say("stop CHG7 a --as ann --reason wrong").expect(0);
    stage.until("the daemons to end", |_| daemons.alive().is_empty());
    stage.until_step("a", "failed");
    assert_eq!(stage.lines("effects"), 1, "a second copy beside a living one");
}

/// Of its session, and by nothing else of the attempt: it is not killed on that alone. It is
/// named, the step is not repeated beside it, and a person settles it.
#[test]
fn what_cannot_be_ended_is_named_and_settled_by_a_person() {
    let stage = Stage::new();
    stage.write("close.sh", CLOSE);
    let hides = "env -i bash -c '. ./close.sh; echo $$ > hidden.pid; exec /bin/sleep 600'";
    stage.write(
        "start.sh",
        &format!(
            "echo x >> effects\n{hides} </dev/null >/dev/null 2>&1 &\nwhile :; do sleep 0.05; done\n"
        ),
    );
    let hidden = Daemons(vec![stage.path("hidden.pid")]);
    stage.plan(&format!("  - {{id: a, owner: ann, effect: idempotent, {STARTS}}}\n"));
    let _coordinator = stage.start(&INVOKE);
    stage.until("it to begin", |_| hidden.alive().len() == 1);
    kill_9(&supervisor(&stage, "a", 1));
    stage.say("stop CHG7 a --as ann --reason wrong").expect(0);
    stage.until_step("a", "in_doubt");
    assert_eq!(hidden.alive().len(), 1);
    let named = format!("left running: sleep (process {})", hidden.pids()[0].1);
    stage.say("status CHG7").expect(0).says(&named);
    stage.say("log CHG7").expect(0).says("cannot be ended").says(&named);
    assert_eq!(stage.lines("effects"), 1, "a second copy beside a living one");
    stage.say("resolve CHG7 a happened --as ann --reason looked").expect(0);
    stage.until_step("a", "succeeded");
}

/// Commands get the limit of open files that the coordinator was started with, checks too.
#[test]
fn steps_and_checks_see_the_former_limit_of_open_files() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, run: {shell: ulimit -n >> limits}, verify: {run: {argv: [sh, -c, 'ulimit -n >> limits']}}}\n");
    let backout = env!("CARGO_BIN_EXE_backout");
    let script = format!("ulimit -Sn 300; exec {backout} invoke plan.backout.yaml --as lead");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(stage.folder()).env("BACKOUT_STATE", &stage.state);
    crate::stage::told(command).expect(0);
    assert_eq!(stage.read("limits"), "300\n300\n");
}

/// Each attempt under way takes a descriptor of its coordinator.
#[test]
fn many_branches_do_not_run_out_of_descriptors() {
    let branches = match std::env::var_os("BACKOUT_TEST_ALL") {
        Some(_) => 2000,
        None => {
            eprintln!("NOT RUN: 2,000 branches side by side, only 400: `./test --all` runs them");
            400
        }
    };
    let stage = Stage::new();
    let steps: String = (0..branches)
        .map(|i| {
            format!("  - {{id: s{i}, owner: ann, after: [], run: {{shell: 'echo x >> began; while [ ! -e go ]; do sleep 1; done; echo s{i} >> effects'}}}}\n")
        })
        .collect();
    stage.plan_with(&steps, &format!("max_parallel: {branches}\n"));
    let backout = env!("CARGO_BIN_EXE_backout");
    let script = format!(
        "ulimit -Sn 256; ulimit -Hn 4096; exec {backout} invoke plan.backout.yaml --as lead --json"
    );
    let mut command = Command::new("sh");
    command
        .args(["-c", &script])
        .current_dir(stage.folder())
        .env("BACKOUT_STATE", &stage.state)
        .stdout(std::process::Stdio::null());
    let mut coordinator = Running(command.spawn().expect("started"));
    // More than the soft limit allows, and fewer than there are places under the hard one.
    let begun = branches.min(400);
    stage.until_within(20, "all to be under way", |stage| stage.lines("began") >= begun);
    stage.write("go", "");
    // Done, and not verified: there is no check.
    stage.until_within(20, "all to end", |stage| stage.lines("effects") == branches);
    assert_eq!(coordinator.code(), Some(10));
    let tally = stage.status()["tally"].clone();
    assert_eq!(tally["unverified"], branches, "{tally}");
}

/// A supervisor that was itself stopped ends nothing at the time-out: it is ended with its command,
/// and the step is in doubt, not running.
#[test]
fn a_supervisor_that_hangs_does_not_run_for_ever() {
    hangs_past_its_time_out(false);
}

#[test]
fn a_supervisor_that_hangs_does_not_run_for_ever_after_a_resume() {
    hangs_past_its_time_out(true);
}

fn hangs_past_its_time_out(is_resumed: bool) {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, effect: opaque, run: {shell: 'echo a >> began; exec sleep 600', timeout: 1s}, verify: {confirm: it is so}}\n");
    let mut coordinator = stage.start(&INVOKE);
    stage.until("it began", |stage| stage.lines("began") == 1);
    let hangs = supervisor(&stage, "a", 1);
    let stopped = Command::new("kill").args(["-STOP", &hangs]).status();
    assert!(stopped.is_ok_and(|stopped| stopped.success()));
    if is_resumed {
        coordinator.kill_9();
        coordinator = stage.start(&["resume", "CHG7", "--as", "lead", "--wait"]);
    }
    stage.until_step("a", "in_doubt");
    assert!(!is_alive(&hangs), "it is ended");
    stage.until("its command to end", |_| sleeps(&stage) == 0);
    assert_eq!(stage.lines("began"), 1);
    stage.say("status CHG7").says("ended with it: sleep (");
    coordinator.kill_9();
}

/// How many commands of steps of this stage sleep.
fn sleeps(stage: &Stage) -> usize {
    let folder = stage.folder().canonicalize().expect("a folder");
    let entries = std::fs::read_dir("/proc").expect("readable").flatten();
    let here = |entry: &std::fs::DirEntry| {
        let comm = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        let at = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        comm.trim() == "sleep" && at == folder && is_alive(&entry.file_name().to_string_lossy())
    };
    entries.filter(here).count()
}
