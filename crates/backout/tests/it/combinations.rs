//! Coordinator, spawner, supervisor and step killed at the same moment, in every combination, in
//! each effect class: while the step has had no effect yet, and when it had its effect and has not
//! ended.

use std::collections::BTreeSet;

use backout_core::plan::Effect;
use serde_json::Value;

use crate::stage::{Running, Stage};

const WHO: [&str; 4] = ["coordinator", "spawner", "supervisor", "step"];

/// When they are killed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum When {
    Before,
    After,
}

fn plan(class: Effect, when: When) -> String {
    let local = if class == Effect::Verifiable { "effects: local, " } else { "" };
    let effect = "echo \"$BACKOUT_KEY\" >> effects";
    // What waits is the shell itself: `exec` leaves nothing else of the step.
    let shell = match when {
        When::Before => format!("echo x >> began; read go < pipe; {effect}"),
        When::After => format!("{effect}; echo x >> began; read go < pipe"),
    };
    format!(
        "  - {{id: victim, owner: ann, effect: {class}, {local}run: {{shell: '{shell}'}}, verify: {{file: {{path: effects}}, within: 100ms, every: 50ms}}}}\n  - {{id: behind, owner: ann, run: {{shell: echo x >> behind}}, verify: {{file: {{path: behind}}}}}}\n"
    )
}

fn signal(pid: &str, name: &str) {
    // What the end of another one has ended already is no error.
    let _ = std::process::Command::new("kill")
        .args([&format!("-{name}"), pid])
        .stderr(std::process::Stdio::null())
        .status();
}

fn parent(pid: &str) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1).map(str::to_owned)
}

fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// The four processes: coordinator, spawner, supervisor, step.
fn processes(stage: &Stage, coordinator: &Running) -> [String; 4] {
    let claim = stage.read("state/runs/CHG7-1/steps/victim/1.1/claim.json");
    let claim: Value = serde_json::from_str(&claim).expect("a claim");
    let supervisor = claim["pid"].to_string();
    let spawner = parent(&supervisor).expect("it lives");
    let entries = std::fs::read_dir("/proc").expect("readable").flatten();
    let mut pids = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let step = pids.find(|pid| parent(pid).as_ref() == Some(&supervisor) && is_alive(pid));
    [coordinator.0.id().to_string(), spawner, supervisor, step.expect("the step lives")]
}

/// Resumes until the run is over, answering by what is true. Returns what was asked.
fn to_the_end(stage: &Stage, story: &str) -> BTreeSet<String> {
    let mut asked = BTreeSet::new();
    for _ in 0..10 {
        let resumed = stage.tell(&["resume", "CHG7", "--as", "lead"]);
        match resumed.code {
            Some(0) => return asked,
            Some(20) => {
                let state = stage.step("victim")["state"].as_str().unwrap_or_default().to_owned();
                asked.insert(state.clone());
                let done = stage.lines("effects") > 0;
                let answer = match (state.as_str(), done) {
                    ("failed", false) => vec!["retry", "CHG7", "victim"],
                    (_, true) => vec!["resolve", "CHG7", "victim", "happened"],
                    (_, false) => vec!["resolve", "CHG7", "victim", "did-not-happen"],
                };
                stage.tell(&[&answer[..], &["--as", "ann", "--reason", "seen"]].concat()).expect(0);
            }
            _ => panic!("{story}: {resumed:?}"),
        }
    }
    panic!("{story}: it never ends: {}", stage.say("status CHG7").out);
}

#[test]
fn every_combination_of_the_killed() {
    println!("killed together, while the step waits x effect class");
    println!(
        "{:<44} {:<7} {:<11} {:>5} {:>6}  asked",
        "killed", "effect", "class", "twice", "losses"
    );
    let mut cells = 0;
    for when in [When::Before, When::After] {
        for class in Effect::ALL {
            for which in 1..16_usize {
                cells += 1;
                cell(when, class, which);
            }
        }
    }
    println!("{cells} cells");
}

fn cell(when: When, class: Effect, which: usize) {
    let killed: Vec<&str> = WHO
        .iter()
        .enumerate()
        .filter(|(at, _)| which & (1 << at) != 0)
        .map(|(_, who)| *who)
        .collect();
    let story = format!("{} {when:?} {class}", killed.join("+"));
    let stage = Stage::new();
    stage.plan(&plan(class, when));
    let made = std::process::Command::new("mkfifo").arg(stage.path("pipe")).status();
    assert!(made.is_ok_and(|made| made.success()));
    let mut coordinator = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead"]);
    stage.until("the step waits", |stage| stage.lines("began") == 1);
    let pids = processes(&stage, &coordinator);
    // All stand still, so that nobody sees another one's end before its own.
    pids.iter().for_each(|pid| signal(pid, "STOP"));
    for (at, pid) in pids.iter().enumerate() {
        if which & (1 << at) != 0 {
            signal(pid, "KILL");
        }
    }
    pids.iter().for_each(|pid| signal(pid, "CONT"));
    if killed.contains(&"step") {
        stage.until("the step is gone", |_| !is_alive(&pids[3]));
    }
    // From here on nothing has to wait for: what lives goes on, and what is repeated is done.
    let opened = std::fs::OpenOptions::new().read(true).write(true).open(stage.path("pipe"));
    let mut pipe = opened.expect("a pipe");
    std::io::Write::write_all(&mut pipe, "go\n".repeat(20).as_bytes()).expect("written");
    if killed.contains(&"coordinator") {
        coordinator.kill_9();
    } else {
        let code = coordinator.code();
        assert!(matches!(code, Some(0 | 20)), "{story}: {code:?} {}", stage.errors());
    }
    let asked = to_the_end(&stage, &story);
    drop(pipe);
    let (effects, behind) = (stage.lines("effects"), stage.lines("behind"));
    let twice = effects.saturating_sub(1);
    let losses = usize::from(effects == 0) + usize::from(behind != 1);
    let asked: Vec<String> = asked.into_iter().collect();
    println!(
        "{:<44} {:<7} {class:<11} {twice:>5} {losses:>6}  {}",
        killed.join("+"),
        format!("{when:?}").to_lowercase(),
        asked.join(", ")
    );
    assert_eq!(losses, 0, "{story}");
    if !class.may_repeat() {
        assert_eq!(twice, 0, "{story}");
    }
    if class == Effect::Keyed {
        let text = stage.read("effects");
        assert_eq!(text.lines().collect::<BTreeSet<_>>().len(), 1, "{story}: one key");
    }
    // Where the step and its supervisor live, nothing is unknown.
    if !killed.contains(&"supervisor") && !killed.contains(&"step") {
        assert_eq!((twice, asked.len()), (0, 0), "{story}: asked needlessly, or repeated");
    }
    stage.say("verify CHG7").expect(0);
}
