//! The real binary, killed at every point of its write order, in every effect
//! class; and killed from outside at arbitrary moments. Nothing may repeat that
//! must not, nothing may be lost.

use crate::stage::{Stage, told};
use backout_core::plan::Effect;

/// A step of a class whose effect is a line in a file.
fn step(class: Effect) -> String {
    // A line in a file is there or not once the shell is dead.
    let local = if class == Effect::Verifiable { "effects: local, " } else { "" };
    let verify = "verify: {file: {path: effects}, within: 100ms, every: 50ms}";
    format!(
        "  - {{id: victim, owner: ann, effect: {class}, {local}run: {{shell: 'echo \"$BACKOUT_KEY\" >> effects'}}, {verify}}}\n  - {{id: behind, owner: ann, run: {{shell: echo x >> behind}}, verify: {{file: {{path: behind}}}}}}\n"
    )
}

/// Resumes until the run is over, answering doubts by what is true. Returns how
/// often a person was asked.
fn to_the_end(stage: &Stage, story: &str) -> u32 {
    let mut asked = 0;
    for _ in 0..10 {
        let resumed = stage.tell(&["resume", "--as", "lead"]);
        match resumed.code {
            Some(0) => return asked,
            Some(20) => {
                asked += 1;
                if stage.step("victim")["state"] == "failed" {
                    // Its supervisor died before it accepted: known not to have happened.
                    stage.say("status").says("did not accept it");
                    stage
                        .tell(&[
                            "retry",
                            "CHG7",
                            "victim",
                            "--as",
                            "ann",
                            "--reason",
                            "nothing happened",
                        ])
                        .expect(0);
                    continue;
                }
                let answer = if stage.lines("effects") > 0 { "happened" } else { "did-not-happen" };
                stage
                    .tell(&[
                        "resolve", "CHG7", "victim", answer, "--as", "ann", "--reason", "I looked",
                    ])
                    .expect(0);
            }
            // Killed again, or nothing was begun yet.
            _ if stage.say("runs --json").json()["runs"].as_array().is_none_or(Vec::is_empty) => {
                stage.tell(&["invoke", "plan.backout.yaml", "--as", "lead"]);
            }
            _ => panic!("{story}: {resumed:?}"),
        }
    }
    panic!("{story}: it never ends");
}

#[cfg(feature = "fault-points")]
#[test]
fn every_fault_point_times_every_class() {
    use backout_engine::fault::Point;
    println!("real crashes: abort at each point x effect class");
    println!("{:<20} {:<11} {:>6} {:>7} {:>6}", "point", "class", "twice", "losses", "asked");
    let mut cells = 0;
    for point in Point::ALL.into_iter().filter(|point| *point != Point::HalfRestored) {
        for class in Effect::ALL {
            let stage = Stage::new();
            stage.plan(&step(class));
            let mut command = stage.command(&["invoke", "plan.backout.yaml", "--as", "lead"]);
            command.env("BACKOUT_FAULT", format!("{}@victim", point.name()));
            let first = told(command);
            let story = format!("{} {class}", point.name());
            // Either the coordinator died, or its supervisor did and it noticed.
            let supervisor_died = matches!(first.code, Some(0 | 20));
            let coordinator_died = first.signal == Some(6);
            assert!(coordinator_died || supervisor_died, "{story}: {first:?}");
            let asked = to_the_end(&stage, &story);
            let (effects, behind) = (stage.lines("effects"), stage.lines("behind"));
            let (twice, losses) =
                (effects.saturating_sub(1), usize::from(effects == 0) + usize::from(behind == 0));
            println!("{:<20} {class:<11} {twice:>6} {losses:>7} {asked:>6}", point.name());
            assert_eq!(losses, 0, "{story}");
            assert_eq!(behind, 1, "{story}");
            if !class.may_repeat() {
                assert_eq!(twice, 0, "{story}");
            }
            if class == Effect::Keyed {
                let keys: std::collections::BTreeSet<String> =
                    stage.read("effects").lines().map(str::to_owned).collect();
                assert_eq!(keys.len(), 1, "{story}: a repeat has the same key");
            }
            stage.say("verify").expect(0);
            cells += 1;
        }
    }
    println!("{cells} cells");
}

#[cfg(feature = "fault-points")]
#[test]
fn a_restore_cut_in_half_is_done_again_and_whole() {
    let stage = Stage::new();
    for i in 0..20 {
        stage.write(&format!("backup/f{i}"), &format!("old {i}"));
        stage.write(&format!("live/f{i}"), &format!("new {i}"));
    }
    stage.write("live/extra", "x");
    stage.plan("  - {id: victim, owner: ann, restore_tree: {from: backup, to: live}, verify: {tree: {path: live, same_as: backup}}}\n");
    let mut command = stage.command(&["invoke", "plan.backout.yaml", "--as", "lead"]);
    command.env("BACKOUT_FAULT", "half-restored:7@victim");
    told(command);
    stage.say("resume").code.expect("it ends");
    stage.until_step("victim", "succeeded");
    assert!(!stage.path("live/extra").exists());
    assert_eq!(stage.read("live/f19"), "old 19");
    assert!(
        std::fs::read_dir(stage.path("live"))
            .expect("there")
            .flatten()
            .all(|entry| !entry.file_name().to_string_lossy().starts_with(".backout"))
    );
}

#[cfg(not(feature = "fault-points"))]
#[test]
fn fault_points_are_not_in_a_release() {
    eprintln!(
        "NOT RUN: crash tests at fault points need `--features fault-points`; `./test` runs them"
    );
    let stage = Stage::new();
    stage.plan(&step(Effect::Opaque));
    let mut command = stage.command(&["invoke", "plan.backout.yaml", "--as", "lead"]);
    command.env("BACKOUT_FAULT", "decided");
    told(command).expect(0);
}

/// Kills the coordinator from outside, later and later, until it is too late to.
#[test]
fn killed_from_outside_at_many_moments() {
    let (mut kills, mut asked) = (0, 0);
    for trial in 0..24_u64 {
        let stage = Stage::new();
        let class = Effect::ALL[usize::try_from(trial).expect("small") % Effect::ALL.len()];
        let slow =
            step(class).replace("echo \"$BACKOUT_KEY\"", "sleep 0.05; echo \"$BACKOUT_KEY\"");
        stage.plan(&slow);
        let mut coordinator = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead"]);
        std::thread::sleep(std::time::Duration::from_millis(trial * 6));
        coordinator.kill_9();
        kills += 1;
        // The step may still run by itself: a resumed coordinator waits for it.
        asked += to_the_end(&stage, &format!("trial {trial} {class}"));
        let effects = stage.lines("effects");
        assert!(effects >= 1, "trial {trial}: lost");
        if !class.may_repeat() {
            assert_eq!(effects, 1, "trial {trial} {class}");
        }
        assert_eq!(stage.lines("behind"), 1, "trial {trial}");
    }
    println!(
        "kill -9 from outside: {kills} kills, 0 forbidden repeats, 0 losses, {asked} questions"
    );
}
