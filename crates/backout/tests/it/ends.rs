//! Honest ends: what is said when a run is over, and with which exit code.

use crate::stage::Stage;

const INVOKE: &str = "invoke plan.backout.yaml --as lead --reason why --plain";

fn machine(id: &str, verify: &str) -> String {
    format!("  - {{id: {id}, owner: ann, run: {{argv: ['true']}}{verify}}}\n")
}

const CHECKED: &str = ", verify: {run: {argv: ['true']}}";

#[test]
fn verified_steps_end_with_0_and_say_so() {
    let stage = Stage::new();
    stage.plan(&machine("a", CHECKED));
    let told = stage.say(INVOKE).expect(0);
    told.says("✓ done, verified").says("Steps: 1 verified");
    assert_eq!(stage.status()["outcome"], "reverted");
    assert_eq!(stage.step("a")["proof"], "verified");
}

#[test]
fn a_step_without_a_check_is_done_and_not_verified() {
    let stage = Stage::new();
    stage.plan(&[machine("a", CHECKED), machine("b", "")].concat());
    let told = stage.say(INVOKE).expect(10);
    assert!(!told.out.contains("everything on this way is done and verified"), "{}", told.out);
    told.says("NOT VERIFIED")
        .says("Steps: 1 verified, 1 not verified")
        .says("done without a check: b");
    assert_eq!(stage.status()["outcome"], "unverified");
    assert_eq!(stage.step("b")["proof"], "no_check");
    let runs = stage.tell(&["runs", "--json"]).expect(0).json();
    assert_eq!(runs["runs"][0]["tally"]["unverified"], 1);
    stage.say("runs").expect(0).says("1 not verified");
}

/// A step that may be left out and was run all the same is no greener than another one.
#[test]
fn an_optional_step_without_a_check_is_not_verified_either() {
    let stage = Stage::new();
    stage.plan(&[machine("a", CHECKED), machine("b", ", optional: true")].concat());
    stage.say(INVOKE).expect(10).says("done without a check: b");
    assert_eq!(stage.status()["outcome"], "unverified");
}

/// The last lines of a partial backout say what it was of.
#[test]
fn a_partial_backout_names_its_components() {
    let stage = Stage::new();
    let steps = ["x", "y"].map(|id| machine(id, &format!(", component: {id}{CHECKED}"))).concat();
    stage.plan_with(&steps, "components: {x: {}, y: {}}\n");
    let told = stage.say(&format!("{INVOKE} --only x"));
    told.says("Only these components were backed out: x");
    assert_eq!(stage.step("y")["attempts"], 0);
}

#[test]
fn what_a_person_stands_for_is_attested_by_name() {
    let stage = Stage::new();
    stage.plan(
        &[
            "  - {id: a, owner: ann, manual: Do it.}\n".to_owned(),
            machine("b", ", verify: {run: {argv: ['false']}, within: 100ms, every: 50ms}"),
            "  - {id: c, owner: ann, manual: Tell them., verify: {confirm: They know}}\n"
                .to_owned(),
        ]
        .concat(),
    );
    stage.say(INVOKE).expect(20);
    stage.say("ack CHG7 a --as ann").expect(0);
    stage.say("resume --plain --as lead").expect(20).says("does not hold");
    stage.say("resolve CHG7 b happened --as ann --reason seen").expect(0);
    stage.say("resume --plain --as lead").expect(20);
    stage.say("ack CHG7 c --as ann").expect(0);
    let told = stage.say("resume --plain --as lead").expect(0);
    told.says("Steps: 1 verified, 2 attested");
    assert_eq!(stage.step("a")["proof"], "attested");
    assert_eq!(stage.step("b")["proof"], "attested");
    assert_eq!(stage.step("c")["proof"], "confirmed");
    stage.say("status CHG7").expect(0).says("attested by Ann (ann)").says("confirmed by Ann (ann)");
}

#[test]
fn a_step_that_was_left_out_ends_in_part() {
    let stage = Stage::new();
    stage.plan(
        &[machine("a", CHECKED), "  - {id: b, owner: ann, manual: Do it.}\n".to_owned()].concat(),
    );
    stage.say(INVOKE).expect(20);
    stage.say("skip CHG7 b --as lead --reason no").expect(0);
    stage.say("resume --plain --as lead").expect(10).says("Steps: 1 verified, 1 skipped");
    stage.say("runs").expect(0).says("1 skipped");
}

const TRAFFIC: &str = "options:\n  close: {title: Take traffic off and think, steps: [stop-traffic]}\n  \
                       full: {title: Back to v1, default: true}\n";

fn traffic() -> String {
    [
        machine("stop-traffic", CHECKED),
        machine("restore", CHECKED),
        machine("resume-traffic", CHECKED),
    ]
    .concat()
}

/// An option that ends with traffic off holds, and the next option goes on from there.
#[test]
fn an_option_that_keeps_users_out_holds() {
    let stage = Stage::new();
    stage.plan_with(&traffic(), TRAFFIC);
    let told = stage.say("invoke plan.backout.yaml --option close --as lead --reason why --plain");
    let told = told.expect(12);
    told.says("keeps users out").says("backout switch-option CHG7-1 full");
    assert_eq!(stage.status()["state"], "holding");
    assert!(stage.status()["outcome"].is_null());
    // Coming back changes nothing, and the end is the same.
    stage.say("resume --plain --as lead").expect(12);
    stage.say("switch-option CHG7 full --as lead --reason damaged").expect(0);
    stage.say("resume --plain --as lead").expect(0).says("Steps: 3 verified");
    assert_eq!(stage.status()["outcome"], "reverted");
    let log = stage.tell(&["log", "CHG7", "--json"]).expect(0).out;
    assert_eq!(log.matches("\"event\":\"holding_reached\"").count(), 1);
}

#[test]
fn a_holding_option_can_be_accepted_as_the_end() {
    let stage = Stage::new();
    stage.plan_with(
        &traffic(),
        &TRAFFIC.replace("steps: [stop-traffic]", "steps: [restore], holding: true"),
    );
    stage.say("invoke plan.backout.yaml --option close --as lead --reason why --plain").expect(12);
    stage.say("decide CHG7 continue --as lead --reason enough").expect(0);
    stage.say("resume --plain --as lead").expect(10);
}

#[test]
fn an_option_that_says_it_does_not_hold_ends() {
    let stage = Stage::new();
    stage.plan_with(
        &traffic(),
        &TRAFFIC.replace("steps: [stop-traffic]", "steps: [stop-traffic], holding: false"),
    );
    stage.say("invoke plan.backout.yaml --option close --as lead --reason why --plain").expect(0);
}

/// On the night a backout starts without a baseline and without a reason; before the night a
/// deployment does not.
#[test]
fn a_missing_baseline_stops_a_deployment_and_no_backout() {
    let stage = Stage::new();
    stage.write("live", "x");
    let steps = "  - {id: restore, owner: ann, effect: idempotent, run: {argv: ['true']}, verify: {same_as_baseline: live}}\n";
    let more = "baselines: {live: {file: live}}\nstages:\n  - {id: go, owner: ann, run: {argv: ['true']}, undone_by: [restore]}\n";
    stage.plan_with(steps, more);
    let told = stage.say("deploy plan.backout.yaml --as lead --reason go --plain");
    told.expect(30).says("not captured for this change: live").says("backout baseline");
    let told = stage.say("invoke plan.backout.yaml --as lead --plain").expect(20);
    told.says("nothing to compare with")
        .says("no reason given")
        .says("resolve CHG7-1 restore happened");
    stage.say("resolve CHG7 restore happened --as ann --reason compared-by-hand").expect(0);
    stage.say("resume --plain --as lead").expect(0).says("Steps: 1 attested");
}

#[test]
fn a_start_that_takes_two_people_waits_for_the_second() {
    let stage = Stage::new();
    stage.plan_with(&machine("a", CHECKED), "authority: {invoke: {by: [lead, bob], quorum: 2}}\n");
    let told = stage.say("invoke plan.backout.yaml --as lead --reason why --plain").expect(20);
    told.says("2 people have to agree").says("backout resume CHG7-1");
    assert_eq!(stage.step("a")["attempts"], 0, "nothing starts before");
    // The same person again is no second one, and no one else's word counts.
    stage.say("resume CHG7-1 --plain --as lead").expect(20);
    stage.say("resume CHG7-1 --plain --as ann").expect(30);
    assert_eq!(stage.step("a")["attempts"], 0);
    // Another start of the same thing is pointed to it.
    stage
        .say("invoke plan.backout.yaml --as bob --reason why --plain")
        .expect(30)
        .says("backout resume CHG7-1");
    stage.say("resume CHG7-1 --plain --as bob").expect(0);
    stage.say("log CHG7").expect(0).says("start agreed by Bob (bob) with Lena Lead");
}

/// Without a run named, every open one is listed; with several open, none is guessed.
#[test]
fn several_open_runs_are_listed_and_none_is_guessed() {
    let stage = Stage::new();
    stage.say("status").expect(0).says("No run is open");
    stage.plan("  - {id: a, owner: ann, manual: Do it.}\n");
    stage.say(INVOKE).expect(20);
    stage.say("resume --plain --as lead").expect(20);
    let other = stage.read("plan.backout.yaml").replace("CHG7", "CHG8");
    stage.write("other.yaml", &other);
    stage.say("invoke other.yaml --as lead --reason why --plain").expect(20);
    stage.say("status").expect(0).says("CHG7-1").says("CHG8-1");
    let listed = stage.tell(&["status", "--json"]).expect(0).json();
    assert_eq!(listed["runs"].as_array().expect("a list").len(), 2);
    stage
        .say("resume --plain --as lead")
        .expect(64)
        .says("backout resume CHG7-1")
        .says("backout resume CHG8-1");
    stage.say("ack CHG8 a --as ann").expect(0);
    stage.say("resume CHG8 --plain --as lead").expect(0);
    stage.say("status").expect(0).says("CHG7-1  A change");
}

/// A failed step is looked at again, without being run again.
#[test]
fn a_failed_step_is_checked_again() {
    let stage = Stage::new();
    stage.plan(
        "  - {id: a, owner: ann, run: {argv: [sh, -c, 'echo ran >> ran']}, verify: {file: {path: there}, within: 100ms, every: 50ms}}\n",
    );
    let told = stage.say(INVOKE).expect(20);
    told.says("check-again CHG7-1 a");
    stage.say("check-again CHG7 a --as ann --reason look").expect(0);
    stage.say("resume --plain --as lead").expect(20).says("its verification does not hold");
    stage.write("there", "now");
    stage.say("check-again CHG7 a --as ann --reason look").expect(0);
    stage.say("resume --plain --as lead").expect(0).says("Steps: 1 verified");
    assert_eq!(stage.lines("ran"), 1, "it was not run again");
    assert_eq!(stage.step("a")["proof"], "verified");
}

#[test]
fn the_last_words_of_a_step_on_standard_error_are_seen() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, run: {argv: [sh, -c, 'echo half of it failed >&2']}, verify: {run: {argv: ['true']}}}\n");
    stage.say(INVOKE).expect(0).says("stderr: half of it failed");
}

/// After the backout a trigger that is not healthy is asked about as soon as its window holds
/// only samples from after the last step: with a countdown, and an answer counts earlier, too.
#[test]
fn what_is_not_healthy_after_a_backout_is_asked_about_in_time() {
    let stage = Stage::new();
    stage.write("page", "up");
    let more = "decision: {critical: {action: back-out, by: lead, automatic: true}}\n\
                watch: {window: 60s, grace: 1s}\n\
                triggers:\n  page: {severity: critical, every: 200ms, probe: {file: {path: page}}}\n\
                stages:\n  - {id: s, owner: ann, takes: 1s, run: {argv: [rm, page]}, verify: {run: {argv: ['true']}}, undone_by: [u]}\n";
    let steps = "  - {id: u, owner: ann, takes: 1s, run: {argv: ['true']}, verify: {run: {argv: ['true']}}}\n";
    stage.plan_with(steps, more);
    let told = stage.say("deploy plan.backout.yaml --as lead --reason go --plain").expect(20);
    told.says("these triggers are not healthy: page")
        .says("may show until")
        .says("backout decide CHG7-1 continue");
    let question = &stage.questions()[0];
    assert_eq!(question["kind"], "not_recovered");
    let due: jiff::Timestamp = question["due"].as_str().expect("a time").parse().expect("a time");
    let ended: jiff::Timestamp =
        stage.step("u")["ended"].as_str().expect("a time").parse().expect("a time");
    // Five looks: one for the window, two to be healthy again, and their own distance.
    assert_eq!(due.duration_since(ended), jiff::SignedDuration::from_millis(800));
    stage.say("decide CHG7 continue --as lead --reason known").expect(0);
    stage.say("resume --plain --as lead").expect(10).says("Not healthy: page");
    assert_eq!(stage.status()["outcome"], "partial");
}

/// What a step did half is not undone by asking for it again, by writing it in another way, or by
/// calling it optional.
#[test]
fn what_was_done_half_is_said_however_it_is_left() {
    let half = |id: &str, more: &str| {
        format!("  - {{id: {id}, owner: ann, run: {{shell: 'echo {id} >> half; exit 1'}}{more}}}\n")
    };
    let options = "options:\n  light: {title: L, default: true, steps: [a]}\n  heavy: {title: H, steps: [b]}\n";
    for again in [None, Some("retry CHG7 a"), Some("replace CHG7 a other.yaml")] {
        let stage = Stage::new();
        stage.write("other.yaml", "{id: a, owner: ann, run: {argv: ['true']}}\n");
        stage.plan_with(&[half("a", ""), machine("b", CHECKED)].concat(), options);
        stage.say(INVOKE).expect(20);
        if let Some(again) = again {
            stage.say(&format!("{again} --as lead --reason x")).expect(0);
        }
        stage.say("switch-option CHG7 heavy --as lead --reason x").expect(0);
        let told = stage.say("resume CHG7 --as lead --plain").expect(10);
        told.says("LEFT HALF DONE").says(": a");
    }
    for (more, again) in [
        (", optional: true", None),
        (", optional: true", Some("retry CHG7 a")),
        ("", Some("replace CHG7 a other.yaml")),
    ] {
        let stage = Stage::new();
        stage.write("other.yaml", "{id: a, owner: ann, optional: true, run: {argv: ['false']}}\n");
        stage.plan(&[half("a", more), machine("b", CHECKED)].concat());
        stage.say(INVOKE).expect(20);
        if let Some(again) = again {
            stage.say(&format!("{again} --as lead --reason x")).expect(0);
        }
        stage.say("skip CHG7 a --as lead --reason x").expect(0);
        stage.say("resume CHG7 --as lead --plain").expect(10).says("LEFT HALF DONE");
    }
}
