//! What is left out, and what starts because of it.

use crate::stage::Stage;

fn steps(restore: &str) -> String {
    format!(
        "  - {{id: restore-db, owner: ann, run: {{shell: '{restore}'}}, verify: {{file: {{path: order}}}}}}\n  - {{id: restore-config, owner: bob, run: {{shell: echo config >> order}}, verify: {{file: {{path: order}}}}}}\n  - {{id: resume-traffic, title: Traffic on, owner: bob, run: {{shell: echo traffic-on >> order}}, verify: {{file: {{path: order}}}}}}\n"
    )
}

/// The step in the middle is left out while the one before it is at work, or has failed: traffic
/// is not let in.
#[test]
fn what_waited_for_a_skipped_step_waits_for_what_that_waited_for() {
    let stage = Stage::new();
    stage.plan(&steps(
        "echo begin >> order; while [ ! -e go ]; do sleep 0.02; done; echo end >> order",
    ));
    let mut run =
        stage.start(&["invoke", "plan.backout.yaml", "--as", "lead", "--reason", "x", "--wait"]);
    stage.until("it restores", |stage| stage.lines("order") == 1);
    stage
        .say("skip CHG7 restore-config --as lead --reason x")
        .expect(0)
        .says("what waited for it waits for restore-db");
    let status = stage.status();
    assert_eq!(status["steps"][2]["waits_for"][0], "restore-db");
    stage.write("go", "");
    assert_eq!(run.code(), Some(10), "{}", stage.errors());
    assert_eq!(stage.read("order"), "begin\nend\ntraffic-on\n");

    let stage = Stage::new();
    stage.plan(&steps("echo begin >> order; exit 1"));
    stage.say("invoke plan.backout.yaml --as lead --reason x").expect(20);
    stage.say("skip CHG7 restore-config --as lead --reason x").expect(0);
    stage.say("resume CHG7 --as lead").expect(20);
    assert_eq!(stage.read("order"), "begin\n");
    // To leave that one out, too, lets users in: one question.
    stage
        .say("skip CHG7 restore-db --as lead --reason x")
        .expect(20)
        .says("resume-traffic starts next, which lets users in")
        .says("skip CHG7-1 restore-db --yes");
    stage.say("resume CHG7 --as lead").expect(20);
    assert_eq!(stage.read("order"), "begin\n");
    stage
        .say("skip CHG7 restore-db --yes --as lead --reason x")
        .expect(0)
        .says("ready by that: resume-traffic");
    stage.say("log CHG7").says("although resume-traffic starts next");
    stage.say("resume CHG7 --as lead").expect(10);
    assert_eq!(stage.read("order"), "begin\ntraffic-on\n");
}
