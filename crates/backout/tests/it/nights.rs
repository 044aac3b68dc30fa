//! Whole nights: from invoking to the end.

use insta::assert_snapshot;

use crate::stage::{Stage, redacted};

const THREE: &str = "
  - {id: stop, title: Stop the service, owner: ann, takes: 5m, run: {shell: echo stopped >> effects}, verify: {file: {path: effects}}}
  - {id: tell, title: Tell the users, owner: bob, takes: 2m, manual: Put the banner up., verify: {confirm: The banner is up}}
  - {id: start, title: Start the service, owner: ann, takes: 5m, run: {shell: echo started >> effects}, verify: {file: {path: effects, contains: started}}}
";

#[test]
fn a_whole_night() {
    let stage = Stage::new();
    stage.plan(THREE);
    let invoked = stage.say("invoke plan.backout.yaml --as lead --reason broken").expect(20);
    assert_snapshot!("invoke_until_somebody_is_needed", redacted(&invoked.out, &stage));
    assert_snapshot!("status_while_waiting", redacted(&stage.say("status").expect(0).out, &stage));
    stage.say("ack CHG7 tell --as bob --note up").expect(0).says("backout resume CHG7-1");
    let resumed = stage.say("resume").expect(0);
    assert_snapshot!("resume_to_the_end", redacted(&resumed.out, &stage));
    assert_snapshot!(
        "status_at_the_end",
        redacted(&stage.say("status CHG7-1").expect(0).out, &stage)
    );
    assert_snapshot!("log_at_the_end", redacted(&stage.say("log CHG7").expect(0).out, &stage));
    stage.say("verify").expect(0).says("whole and unchanged");
    assert_eq!(stage.read("effects"), "stopped\nstarted\n");
    stage.say("resume").expect(0).says("finished");
}

#[test]
fn a_dry_run_shows_everything_and_touches_nothing() {
    let stage = Stage::new();
    stage.plan_with(
        "
  - id: one
    owner: ann
    takes: {low: 1m, likely: 2m, high: 5m}
    run: {argv: [psql, -c, 'SELECT 1'], env: {PGPASSWORD: 'env:SECRET_PASSWORD'}}
    verify: {same_as_baseline: rows}
  - id: two
    owner: ann
    http: {url: 'https://portal.example/x', method: POST, headers: {Authorization: 'env:SECRET_PASSWORD'}, body: 'hello'}
  - {id: three, owner: bob, manual: Look at it., after: [one]}
",
        "sources: {db: {postgres: 'env:SECRET_PASSWORD'}}\nbaselines: {rows: {sql: {source: db, query: SELECT 1}}}\n",
    );
    let mut command = stage.command(&["invoke", "plan.backout.yaml", "--dry-run"]);
    command.env("SECRET_PASSWORD", "hunter2");
    let shown = crate::stage::told(command).expect(0);
    assert!(!shown.out.contains("hunter2"));
    assert_snapshot!("dry_run", shown.out);
    assert!(!stage.state.exists());
}

#[test]
fn secrets_never_reach_the_disk_or_the_screen() {
    let stage = Stage::new();
    stage.plan(
        "
  - {id: one, owner: ann, run: {shell: 'echo \"the password is $PW\"; echo \"$PW\" >&2; exit 3', env: {PW: 'env:SECRET_PASSWORD'}}}
  - {id: two, owner: ann, after: [], run: {shell: 'echo $PW | sed s/^/x/', env: {PW: 'file:secret.txt'}, stdin: {text: 'env:SECRET_PASSWORD'}}}
",
    );
    stage.write("secret.txt", "from-a-file-4711\n");
    let mut command = stage.command(&["invoke", "plan.backout.yaml", "--as", "lead"]);
    command.env("SECRET_PASSWORD", "hunter2-hunter2");
    let told = crate::stage::told(command).expect(20);
    told.says("exit 3: ***");
    let mut everything = told.out + &told.err;
    for line in ["status", "log --json", "status --json", "tail CHG7 one", "tail CHG7 two"] {
        let told = stage.say(line);
        everything.push_str(&told.out);
    }
    for entry in walk(&stage.state) {
        everything.push_str(&String::from_utf8_lossy(&std::fs::read(entry).expect("readable")));
    }
    assert!(!everything.contains("hunter2-hunter2"));
    assert!(!everything.contains("from-a-file-4711"));
    assert!(everything.contains("x***"));
    assert!(everything.contains("the password is ***"));
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("readable").flatten() {
        let path = entry.path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn baselines_are_compared_and_a_person_attests_where_none_was_captured() {
    let stage = Stage::new();
    stage.plan_with(
        "  - {id: restore, owner: ann, copy: {from: old, to: live}, verify: {same_as_baseline: live, within: 1s}}\n",
        "baselines: {live: {file: live}, all: {tree: data}}\n",
    );
    stage.write("old", "v1.9");
    stage.write("live", "v1.9");
    stage.write("data/a", "x");
    // On the night a missing baseline stops nothing: what it would have told, a person says.
    stage
        .say("invoke plan.backout.yaml --as lead --reason broken")
        .expect(20)
        .says("warning: these baselines were never captured: live;")
        .says("done, but it cannot be verified: live as before: nothing to compare with: it was never captured")
        .says("backout resolve CHG7-1 restore happened");
    assert_eq!(stage.status()["outcome"], serde_json::Value::Null, "nothing is called verified");
    stage.say("resolve CHG7 restore happened --as ann --reason looked").expect(0);
    stage.say("resume").expect(0).says("1 attested");
    assert_eq!(stage.step("restore")["proof"], "attested");
    stage.say("baseline plan.backout.yaml --as ann").expect(0).says("1 files");
    stage.write("live", "v2.0");
    stage.say("invoke plan.backout.yaml --as lead").expect(0).says("captured");
    assert_eq!(stage.read("live"), "v1.9");
    // A restore that does not bring back what was there is a failure, not a success.
    stage.write("old", "v1.8");
    let told = stage.say("invoke plan.backout.yaml --as lead");
    told.expect(20).says("does not hold");
}

/// Captures that were lost: an older one is not taken for the last, before the night nothing goes
/// on without, and a new capture settles it.
#[test]
fn a_lost_capture_is_noticed() {
    let stage = Stage::new();
    stage.plan_with(
        "  - {id: restore, owner: ann, copy: {from: old, to: live}, verify: {same_as_baseline: live, within: 1s}}\n",
        "baselines: {live: {file: live}}\nstages:\n  - {id: go, owner: ann, run: {shell: echo v2.0 > live}, undone_by: [restore]}\n",
    );
    stage.write("live", "v1.8");
    stage.say("baseline plan.backout.yaml --as ann").expect(0);
    stage.write("live", "v1.9");
    stage.write("old", "v1.9");
    stage.say("baseline plan.backout.yaml --as ann").expect(0);
    let journal = rusqlite::Connection::open(stage.state.join("journal.db")).expect("opened");
    let cut = journal.execute("DELETE FROM record WHERE seq = 2", []);
    assert_eq!(cut.expect("cut"), 1);
    drop(journal);
    let deploy = "deploy plan.backout.yaml --as lead --anyway --reason x";
    stage.say(deploy).expect(30).says("has lost its end").says("not captured for this change");
    let captured = stage.say("baseline plan.backout.yaml --as ann").expect(0);
    captured.says("were lost").says("this one is the latest");
    assert!(stage.say("baseline plan.backout.yaml --as ann").expect(0).err.is_empty());
    let told = stage.say("invoke plan.backout.yaml --as lead --reason x").expect(0);
    assert!(!told.err.contains("lost its end"), "{}", told.err);
}

/// What is captured while a run of the change is open is not the state before it.
#[test]
fn a_capture_beside_an_open_run_is_one_question() {
    let stage = Stage::new();
    stage.plan_with("  - {id: a, owner: ann, manual: x}\n", "baselines: {live: {file: live}}\n");
    stage.write("live", "v2.0");
    stage.say("invoke plan.backout.yaml --as lead --reason x").expect(20);
    let asked = stage.say("baseline plan.backout.yaml --as ann").expect(20);
    asked.says("CHG7-1 of the same change is open").says("--yes");
    stage.say("baseline plan.backout.yaml --as ann --yes").expect(0);
}

#[test]
fn half_a_capture_is_not_kept() {
    let stage = Stage::new();
    stage.plan_with(
        "  - {id: a, owner: ann, manual: x}\n",
        "baselines: {one: {file: there}, two: {file: missing}}\n",
    );
    stage.write("there", "x");
    stage
        .say("baseline plan.backout.yaml --as ann")
        .expect(1)
        .says("two:")
        .says("nothing was kept");
    assert!(!stage.state.join("journal.db").exists());
}

#[test]
fn a_partial_backout_and_an_option() {
    let stage = Stage::new();
    let steps = "
  - {id: announce, owner: lead, run: {shell: echo announce >> effects}, verify: {file: {path: effects, contains: announce}}}
  - {id: db, component: database, owner: ann, run: {shell: echo db >> effects}, verify: {file: {path: effects, contains: db}}}
  - {id: web, component: web, owner: ann, run: {shell: echo web >> effects}, verify: {file: {path: effects, contains: web}}}
  - {id: traffic, owner: ann, run: {shell: echo traffic >> effects}, verify: {file: {path: effects, contains: traffic}}}
";
    stage.plan_with(steps, "components: {database: {}, web: {}}\noptions:\n  light: {title: Light, steps: [announce, traffic]}\n  full: {title: Full}\n");
    stage.say("invoke plan.backout.yaml --as lead --only web").expect(0);
    assert_eq!(stage.read("effects"), "announce\nweb\ntraffic\n");
    std::fs::remove_file(stage.path("effects")).expect("removed");
    stage.say("invoke plan.backout.yaml --as lead --option light").expect(0);
    assert_eq!(stage.read("effects"), "announce\ntraffic\n");
    stage.say("invoke plan.backout.yaml --as lead --option heavy").expect(64).says("light, full");
    stage.say("invoke plan.backout.yaml --as lead --only cache").expect(64).says("database, web");
}

#[test]
fn the_file_may_change_under_a_run_and_the_run_does_not() {
    let stage = Stage::new();
    stage.plan(THREE);
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    stage.plan("  - {id: other, owner: ann, run: {argv: ['false']}}\n");
    stage.say("ack CHG7 tell --as bob").expect(0);
    stage.say("resume").expect(0);
    assert_eq!(stage.read("effects"), "stopped\nstarted\n");
}

#[test]
fn the_demonstration() {
    let stage = Stage::new();
    for words in [vec!["demo"], vec!["demo", "--kill"]] {
        let told = stage.tell(&words).expect(0);
        assert_eq!(told.out.matches("✓ the same").count(), 5, "{}", told.out);
        assert!(!told.out.contains("✗"), "{}", told.out);
        told.says("login-failures: pending → FIRING").says("Decided: back out");
        told.says("login-failures: recovering → ok");
        assert!(!told.out.contains("warning["), "{}", told.out);
        if words.len() == 2 {
            told.says("kill -9").says("how often it ran: 1 time");
        }
    }
    let runs = stage.say("runs --json").expect(0).json();
    assert_eq!(runs["runs"].as_array().expect("runs").len(), 2);
    assert_eq!(runs["runs"][0]["mode"], "demo");
    stage.say("verify").expect(0);
    let run = runs["runs"][0]["id"].as_str().expect("a run");
    let report = std::fs::read_to_string(stage.path("state").join(format!("{run}.md")));
    assert!(report.expect("a report").contains("customers are locked out"));
}

/// Whoever watches decides otherwise: the release stays, and it is not called well.
#[test]
fn the_demonstration_decided_by_its_audience() {
    let stage = Stage::new();
    let told = stage.tell_with_input(&["demo", "--decide"], "maybe\nc\n").expect(0);
    told.says("Please answer b, f or c.").says("Decided: continue").says("The release stays");
    assert_eq!(stage.status()["outcome"], "deployed_with_findings");
    stage.tell_with_input(&["demo", "--decide"], "").expect(1).says("nobody answered");
    assert_eq!(at_work(&stage), "", "nobody is left at work");
}

/// The processes that work on the state of this stage.
fn at_work(stage: &Stage) -> String {
    let state = stage.path("state").to_string_lossy().into_owned();
    let found = std::process::Command::new("pgrep").args(["-fa", &state]).output();
    String::from_utf8_lossy(&found.expect("pgrep runs").stdout).into_owned()
}

#[test]
fn whoever_has_seen_enough_of_the_demonstration_leaves_nothing_behind() {
    let stage = Stage::new();
    let mut running = stage.start(&["demo"]);
    stage.until("the deployment has begun", |stage| stage.newest_run().is_some());
    running.signal("INT");
    assert_eq!(running.code(), Some(130));
    assert_eq!(at_work(&stage), "", "nobody is left at work");
}

#[test]
fn the_demonstration_by_hand() {
    let stage = Stage::new();
    stage.say("demo up night").expect(0).says("demo down night");
    stage.say("check night/portal.backout.yaml").expect(0).says("sound");
    stage.say("invoke night/portal.backout.yaml --as pm").expect(20).says("announce");
    stage.say("ack CHG0031337 announce --as pm").expect(0);
    stage.say("resume").expect(20);
    stage.say("ack CHG0031337 notify-stakeholders --as pm").expect(0);
    stage.say("resume").expect(0);
    stage.say("demo down night").expect(0);
    assert!(!stage.path("night").exists());
    // Nothing but a demonstration is removed.
    stage.write("precious/file", "x");
    stage.say("demo down precious").expect(30);
    assert!(stage.path("precious/file").exists());
}
