//! A coordinator that hangs is seen, and is taken over from while it keeps its lock. When it wakes
//! it starts nothing more.

use crate::stage::{Running, Stage};

const STEPS: &str = "  - {id: victim, owner: ann, run: {shell: 'echo x >> began; while [ ! -e go ]; do sleep 0.02; done; echo \"$BACKOUT_KEY\" >> effects'}, verify: {file: {path: effects}, within: 100ms, every: 50ms}}\n  - {id: behind, owner: ann, run: {shell: echo x >> behind}, verify: {file: {path: behind}}}\n";

fn lock(stage: &Stage) -> std::path::PathBuf {
    stage.state.join("runs/CHG7-1/coordinator.lock")
}

/// Makes the coordinator of the run look as if it was last seen to live so many seconds ago.
fn silence(stage: &Stage, seconds: i64) {
    let text = std::fs::read_to_string(lock(stage)).expect("a lease");
    let id = text.lines().next().expect("its holder");
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("a boot");
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let at = (now.tv_sec - seconds) * 1000;
    std::fs::write(lock(stage), format!("{id}\n{at:020} {}\n", boot.trim())).expect("written");
}

/// A coordinator that was stopped in the middle of a step and has been silent since.
fn hanging(stage: &Stage) -> Running {
    // A role that belongs to another account.
    stage.plan_with(STEPS, "  eve: {name: Eve, user: not-this-one}\n");
    let old = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead", "--reason", "x"]);
    stage.until("the step began", |stage| stage.lines("began") == 1);
    old.signal("STOP");
    stage.until("it is stopped", |_| is_stopped(old.0.id()));
    silence(stage, 200);
    old
}

fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['T', 't']))
}

fn log(stage: &Stage) -> String {
    stage.tell(&["log", "CHG7-1", "--json"]).out
}

#[test]
fn a_coordinator_that_hangs_is_shown_and_taken_over() {
    let stage = Stage::new();
    let mut old = hanging(&stage);
    stage.say("status CHG7").says("silent for 3 min").says("resume CHG7-1 --take-over --reason");
    let status = stage.status();
    assert_eq!(status["state"], "silent");
    assert!(status["coordinator_silent_seconds"].as_u64().is_some_and(|silent| silent >= 180));
    stage.say("runs").says("silent for 3 min");
    assert_eq!(stage.say("runs --json").json()["runs"][0]["state"], "silent");

    // Beside it no other one begins, and the refusal names what does.
    stage.say("resume CHG7 --as lead").expect(30).says("--take-over --reason");
    stage.say("resume CHG7 --as lead --take-over").expect(64);
    let new = ["resume", "CHG7", "--as", "lead", "--take-over", "--reason", "it hangs"];
    let mut new = stage.start(&new);
    stage.until("it is taken over", |stage| stage.status()["state"] == "running");
    stage.write("go", "");
    assert_eq!(new.code(), Some(0), "{}", stage.errors());
    // It was attached to: nothing began a second time.
    assert_eq!((stage.lines("began"), stage.lines("effects"), stage.lines("behind")), (1, 1, 1));

    old.signal("CONT");
    assert_eq!(old.code(), Some(30));
    assert!(
        stage.errors().contains("another coordinator took over this run"),
        "{}",
        stage.errors()
    );
    let log = log(&stage);
    assert!(log.contains("\"taken_over\"") && log.contains("it hangs"), "{log}");
    stage.say("log CHG7").says("(silent for 3m2").says("by Lena Lead (lead): it hangs");
    stage.say("render CHG7-1 --to md -o - --sections decisions").says("taken over from process");
    stage.say("verify CHG7").expect(0);
}

/// It may know nothing of it yet while it is at work: it is replaced all the same, for who confirms.
#[test]
fn one_that_shows_that_it_lives_is_one_question() {
    let stage = Stage::new();
    stage.plan(STEPS);
    let mut old = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead", "--reason", "x"]);
    stage.until("the step began", |stage| stage.lines("began") == 1);
    let take = ["resume", "CHG7", "--as", "lead", "--take-over", "--reason", "I know better"];
    stage.tell(&take).expect(20).says("that it lives").says("--take-over --yes --reason");
    assert!(!log(&stage).contains("taken_over"));
    assert_eq!(stage.status()["state"], "running");

    let mut new = stage.start(&[&take[..], &["--yes"]].concat());
    // Nothing has to wake it: it hears of it at once.
    assert_eq!(old.code(), Some(30));
    stage.write("go", "");
    assert_eq!(new.code(), Some(0), "{}", stage.errors());
    assert_eq!((stage.lines("began"), stage.lines("effects"), stage.lines("behind")), (1, 1, 1));
    assert!(log(&stage).contains("\"not_silent\""), "what was confirmed is in the log");
}

#[test]
fn whether_one_is_at_work_may_be_unknown() {
    let stage = Stage::new();
    let _old = hanging(&stage);
    std::fs::write(lock(&stage), "process 1 on here").expect("written");
    stage.say("status CHG7").says("cannot be told");
    assert_eq!(stage.status()["coordinator_silent_seconds"], serde_json::Value::Null);
    let take = ["resume", "CHG7", "--as", "lead", "--take-over", "--reason", "x"];
    stage.tell(&take).expect(20).says("not known whether");
}

#[test]
fn the_wrong_person_takes_nothing_over() {
    let stage = Stage::new();
    let _old = hanging(&stage);
    let take = ["resume", "CHG7", "--as", "eve", "--take-over", "--reason", "x"];
    stage.tell(&take).expect(30).says("you may not take the run over");
    let log = log(&stage);
    assert!(log.contains("command_refused") && !log.contains("\"taken_over\""), "{log}");
    assert_eq!(stage.status()["state"], "silent");
}

#[test]
fn without_a_coordinator_there_is_nothing_to_take_over() {
    let stage = Stage::new();
    stage.plan(STEPS);
    let mut old = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead", "--reason", "x"]);
    stage.until("the step began", |stage| stage.lines("began") == 1);
    old.kill_9();
    stage.write("go", "");
    let take = ["resume", "CHG7", "--as", "lead", "--take-over", "--reason", "x"];
    stage.tell(&take).expect(0).says("nothing to take over");
    assert!(!log(&stage).contains("\"taken_over\""));
    assert_eq!(stage.lines("effects"), 1);
}

/// A coordinator that only waits for a person shows that it lives.
#[test]
fn a_coordinator_with_nothing_to_do_shows_that_it_lives() {
    let stage = Stage::new();
    stage.plan("  - {id: tell, owner: ann, manual: Tell them.}\n");
    let _run = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead", "--wait"]);
    stage.until("it waits", |stage| stage.is_step("tell", "running"));
    silence(&stage, 200);
    stage.until("it beats", |stage| stage.status()["state"] != "silent");
}

#[cfg(feature = "fault-points")]
mod stopped {
    use super::{is_stopped, log};
    use crate::stage::{Running, Stage};
    use backout_core::plan::Effect;
    use backout_engine::fault::Point;

    /// When the one that was stopped goes on.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Wakes {
        /// While the new coordinator recovers the run.
        Early,
        /// Once the new coordinator is done.
        Late,
    }

    /// The points at which a coordinator stops; at the others it is a spawner or a supervisor.
    const OF_COORDINATOR: [Point; 5] = [
        Point::Decided,
        Point::IntentDurable,
        Point::Requested,
        Point::Reported,
        Point::OutcomeDurable,
    ];

    /// Stopped spawners and supervisors of this stage.
    fn supervisors(stage: &Stage) -> Vec<u32> {
        let state = format!("BACKOUT_STATE={}", stage.state.display());
        let processes = std::fs::read_dir("/proc").expect("processes").flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
        pids.filter(|pid| {
            let is = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let of_stage = environment.split(|byte| *byte == 0).any(|it| it == state.as_bytes());
            ["backout-spawner", "backout-attempt"].contains(&is.trim())
                && of_stage
                && is_stopped(*pid)
        })
        .collect()
    }

    fn go_on(pid: u32) {
        let _ = std::process::Command::new("kill").args(["-CONT", &pid.to_string()]).status();
    }

    fn cell(point: Point, class: Effect, wakes: Wakes) {
        let story = format!("{} {class} {wakes:?}", point.name());
        let stage = Stage::new();
        stage.plan(&format!(
            "  - {{id: victim, owner: ann, effect: {class}, run: {{shell: 'echo \"$BACKOUT_KEY\" >> effects'}}, verify: {{file: {{path: effects}}, within: 100ms, every: 50ms}}}}\n  - {{id: behind, owner: ann, run: {{shell: echo x >> behind}}, verify: {{file: {{path: behind}}}}}}\n"
        ));
        let mut command = stage.command(&["invoke", "plan.backout.yaml", "--as", "lead"]);
        command.env("BACKOUT_FAULT", format!("{}@victim", point.name()));
        command.env("BACKOUT_FAULT_BY", "stop");
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut old = Running(command.spawn().expect("started"));
        let of_coordinator = OF_COORDINATOR.contains(&point);
        if !of_coordinator {
            stage.until(&story, |stage| !supervisors(stage).is_empty());
            old.signal("STOP");
        }
        stage.until(&story, |_| is_stopped(old.0.id()));

        let take =
            ["resume", "CHG7", "--as", "lead", "--take-over", "--yes", "--reason", "it hangs"];
        let mut new = stage.start(&take);
        stage.until(&story, |stage| {
            log(stage)
                .lines()
                .any(|line| line.contains("owner_acquired") && line.contains("\"epoch\":2"))
        });
        let ended = (wakes == Wakes::Late && of_coordinator).then(|| new.code());
        supervisors(&stage).into_iter().for_each(go_on);
        old.signal("CONT");
        assert_eq!(old.code(), Some(30), "{story}: it was replaced");
        let ended = ended.unwrap_or_else(|| new.code());
        // A supervisor that was given up before it accepted says so, and a person runs it again.
        if ended == Some(20) {
            stage.say("status").says("did not accept it");
            let again = ["retry", "CHG7", "victim", "--as", "ann", "--reason", "nothing happened"];
            stage.tell(&again).expect(0);
            stage.say("resume CHG7 --as lead").expect(0);
        } else {
            assert_eq!(ended, Some(0), "{story}: {}", stage.errors());
        }
        let (effects, behind) = (stage.lines("effects"), stage.lines("behind"));
        let log = log(&stage);
        let reported = log.lines().filter(|line| line.contains("step_succeeded")).count();
        println!(
            "{:<20} {class:<11} {wakes:?} repeated {} lost {} reported, not run {}",
            point.name(),
            (effects + behind).saturating_sub(2),
            usize::from(effects == 0) + usize::from(behind == 0),
            reported.saturating_sub(effects + behind),
        );
        assert_eq!((effects, behind, reported), (1, 1, 2), "{story}:\n{log}");
        stage.say("verify").expect(0);
    }

    #[test]
    fn at_every_point_and_woken_again() {
        for point in Point::ALL.into_iter().filter(|point| *point != Point::HalfRestored) {
            cell(point, Effect::Opaque, Wakes::Early);
            if OF_COORDINATOR.contains(&point) {
                cell(point, Effect::Opaque, Wakes::Late);
            }
        }
    }

    #[test]
    fn at_every_point_with_an_effect_that_may_repeat() {
        for point in Point::ALL.into_iter().filter(|point| *point != Point::HalfRestored) {
            cell(point, Effect::Idempotent, Wakes::Early);
        }
    }
}
