//! People at work, from other terminals.

use crate::stage::Stage;

#[test]
fn a_failed_step_can_be_retried_attested_or_left_out() {
    for (answer, code) in [
        ("retry CHG7 flaky --as ann --reason again", 0),
        ("resolve CHG7 flaky happened --as ann --reason looked", 0),
        ("skip CHG7 flaky --as lead --reason unneeded", 10),
    ] {
        let stage = Stage::new();
        stage.plan(
            "  - {id: flaky, owner: ann, run: {shell: 'test -e ok || { echo broken >&2; touch ok; exit 7; }'}, verify: {file: {path: ok}}}\n  - {id: behind, owner: ann, run: {shell: echo x >> effects}, verify: {file: {path: effects}}}\n",
        );
        stage.say("invoke plan.backout.yaml --as lead").expect(20).says("exit 7: broken");
        assert_eq!(stage.lines("effects"), 0);
        stage.say(answer).expect(0);
        stage.say("resume").expect(code);
        assert_eq!(stage.lines("effects"), 1, "{answer}");
    }
}

#[test]
fn answers_reach_a_coordinator_at_work() {
    let stage = Stage::new();
    stage
        .plan("  - {id: a, owner: ann, manual: Do it.}\n  - {id: b, owner: bob, manual: Do it.}\n");
    let mut coordinator = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead", "--wait"]);
    stage.until_step("a", "running");
    stage.say("ack CHG7 a --as ann").expect(0);
    stage.until_step("b", "running");
    stage.say("ack CHG7 b --as bob").expect(0);
    assert_eq!(coordinator.code(), Some(0));
}

#[test]
fn of_two_coordinators_one_is_refused() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, manual: Do it.}\n");
    let mut first = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead", "--wait"]);
    stage.until_step("a", "running");
    stage.say("resume CHG7").expect(30).says("is coordinating CHG7-1 already");
    stage.say("ack CHG7 a --as ann").expect(0);
    assert_eq!(first.code(), Some(0));
}

#[test]
fn authority_is_checked_and_refusals_are_noted() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, manual: Do it.}\n");
    stage
        .say("invoke plan.backout.yaml")
        .expect(30)
        .says("no role of the plan belongs to the account")
        .says("with `--as ROLE`");
    stage
        .say("invoke plan.backout.yaml --as bob")
        .expect(30)
        .says("you may not invoke the backout: only Lena Lead (lead) may");
    stage.say("invoke plan.backout.yaml --as nobody").expect(30).says("lead, ann, bob");
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    stage.say("skip CHG7 a --as bob --reason because").expect(30).says("this was logged");
    stage.say("ack CHG7 a --as lead").expect(30).says("ack");
    stage.say("log").expect(0).says("Bob (bob) may not skip a");
    // A deputy may.
    stage.say("ack CHG7 a --as bob").expect(0);
    stage.say("resume").expect(0);
}

#[test]
fn a_step_is_handed_over() {
    let stage = Stage::new();
    stage
        .plan("  - {id: a, owner: ann, manual: Do it.}\n  - {id: b, owner: ann, manual: Do it.}\n");
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    stage
        .tell(&["assign", "CHG7", "ann", "Lena Lead", "--as", "lead", "--reason", "Ann is asleep"])
        .expect(0)
        .says("a, b");
    stage.say("ack CHG7 a --as lead").expect(0);
    stage.say("resume").expect(20);
    stage.say("ack CHG7 b --as lead").expect(0);
    stage.say("resume").expect(0);
    stage.say("status").expect(0).says("assigned a to Lena Lead").says("Ann is asleep");
}

#[test]
fn hold_resume_and_both_signals() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, run: {shell: 'touch began; while [ ! -e go ]; do sleep 0.02; done; echo a >> effects'}, verify: {file: {path: effects, contains: a}}}\n  - {id: b, owner: ann, run: {shell: echo b >> effects}, verify: {file: {path: effects, contains: b}}}\n");
    let mut coordinator = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead", "--wait"]);
    stage.until("a to begin", |stage| stage.path("began").exists());
    // The first Ctrl-C: what runs is finished, nothing starts.
    coordinator.signal("INT");
    stage.until("held", |stage| stage.status()["state"] == "held");
    stage.write("go", "");
    stage.until_step("a", "succeeded");
    assert_eq!(stage.step("b")["state"], "pending");
    // The second: the coordinator leaves.
    coordinator.signal("INT");
    assert_eq!(coordinator.code(), Some(20));
    stage.say("resume --as lead").expect(0);
    assert_eq!(stage.read("effects"), "a\nb\n");
}

#[test]
fn a_step_outlives_its_coordinator() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, run: {shell: 'touch began; while [ ! -e go ]; do sleep 0.02; done; echo a >> effects'}, verify: {file: {path: effects}}}\n");
    let mut coordinator = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead", "--wait"]);
    stage.until("a to begin", |stage| stage.path("began").exists());
    coordinator.kill_9();
    assert_eq!(stage.status()["state"], "interrupted");
    let mut second = stage.start(&["resume", "--wait"]);
    stage.until("the second to take over", |stage| {
        stage.status()["coordinator"].is_string() && stage.say("log").out.contains("term 2")
    });
    stage.write("go", "");
    assert_eq!(second.code(), Some(0));
    assert_eq!(stage.lines("effects"), 1);
    assert_eq!(stage.step("a")["attempts"], 1);
}

#[test]
fn a_running_step_is_stopped_with_everything_it_started() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, run: {shell: 'sh -c \"trap : TERM; while :; do sleep 0.05; date > beat; done\" & touch began; wait'}}\n");
    let mut coordinator = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead", "--wait"]);
    stage.until("a to begin", |stage| stage.path("began").exists() && stage.path("beat").exists());
    stage.say("fail CHG7 a --as ann --reason x").expect(30).says("backout stop");
    stage.say("abandon CHG7 --as lead --reason x").expect(30).says("still running");
    stage.say("stop CHG7 a --as ann --reason wrong").expect(0);
    stage.until_step("a", "failed");
    stage.say("status").expect(0).says("stopped by a person: wrong");
    // Its grandchild, which ignores the request, is gone too.
    let beat = std::fs::metadata(stage.path("beat")).expect("there").modified().expect("a time");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(
        std::fs::metadata(stage.path("beat")).expect("there").modified().expect("a time"),
        beat
    );
    stage.say("abandon CHG7 --as lead --reason enough").expect(0);
    assert_eq!(coordinator.code(), Some(1));
}

#[test]
fn steps_are_added_and_replaced() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, manual: Do it.}\n  - {id: b, owner: ann, run: {argv: ['false']}}\n");
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    stage.write("x.yaml", "id: x\nowner: bob\nrun: {shell: echo x >> effects}\nverify: {file: {path: effects, contains: x}}\n");
    stage.write("b.yaml", "id: whatever\nowner: bob\nrun: {shell: echo b >> effects}\nverify: {file: {path: effects, contains: b}}\n");
    stage.write("bad.yaml", "id: y\nownr: bob\nrun: {argv: [x]}\n");
    stage
        .say("add CHG7 bad.yaml --after a --as lead --reason x")
        .expect(1)
        .says("did you mean `owner`?")
        .says("nothing was changed");
    stage.say("add CHG7 x.yaml --after a --as lead --reason sure").expect(0);
    stage.say("replace CHG7 b b.yaml --as lead --reason false-does-not-help").expect(0);
    stage.say("ack CHG7 a --as ann").expect(0);
    stage.say("resume").expect(0);
    assert_eq!(stage.read("effects"), "x\nb\n");
    stage.say("status").expect(0).says("added x").says("replaced b");
}

#[test]
fn evidence_is_attached_and_guarded() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, manual: Do it.}\n");
    stage.write("screenshot.png", "not really a picture");
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    stage.say("ack CHG7 a --as ann --attach screenshot.png").expect(0);
    stage.say("resume").expect(0);
    stage.say("verify").expect(0).says("1 attachments");
    let kept =
        std::fs::read_dir(stage.state.join("runs/CHG7-1/attachments")).expect("there").next();
    std::fs::write(kept.expect("one").expect("readable").path(), "forged").expect("written");
    stage.say("verify").expect(1).says("screenshot.png").says("was changed");
}

#[test]
fn moving_to_a_heavier_option() {
    let stage = Stage::new();
    stage.plan_with(
        "  - {id: flag, owner: ann, run: {shell: echo flag >> effects}, verify: {file: {path: effects, contains: flag}}}\n  - {id: look, owner: ann, manual: Look.}\n  - {id: restore, owner: ann, after: [flag], run: {shell: echo restore >> effects}, verify: {file: {path: effects, contains: restore}}}\n",
        "options:\n  light: {title: Light, default: true, steps: [flag, look]}\n  full: {title: Full, steps: [flag, restore]}\n",
    );
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    stage
        .say("escalate CHG7 full --as lead --reason worse")
        .expect(64)
        .says("backout switch-option CHG7 full --as lead --reason worse");
    stage.say("switch-option CHG7 light --as lead --reason x").expect(30);
    stage.say("switch-option CHG7 full --as lead --reason worse").expect(0);
    stage.say("skip CHG7 look --as lead --reason no-time").expect(0);
    stage.say("resume").expect(10);
    assert_eq!(stage.read("effects"), "flag\nrestore\n");
}

#[test]
fn invoking_again_where_resuming_was_meant_is_refused() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, manual: Do it.}\n");
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    stage
        .say("invoke plan.backout.yaml --as lead")
        .expect(30)
        .says("CHG7-1")
        .says("backout resume CHG7-1");
    stage.say("invoke plan.backout.yaml --as lead --again").expect(20);
    stage.say("abandon CHG7-2 --as lead --reason x").expect(0);
    // With nothing said, the run that still needs somebody is meant.
    stage.say("status").expect(0).says("CHG7-1").says("waiting");
}
