//! What people do to a run.

use backout_core::act::{Act, Answer};
use backout_core::authority::{Authority, Person, check_authority, identify};
use backout_core::cause::{HoldCause, StepFault};
use backout_core::choice::Verb;
use backout_core::command::Command;
use backout_core::event::{DoubtCause, Evidence, Outcome};
use backout_core::ids::{Digest, OptionId, RoleId, StepId};
use backout_core::people::{Account, PersonId};
use backout_core::plan::{Effect, Step};
use backout_core::policy::Policy;
use backout_core::proof::Proof;
use backout_core::question::{Asks, questions};
use backout_core::refusal::Refusal;
use backout_core::status::Status;
use backout_engine::End;
use backout_engine::command::Submitted;
use backout_testkit::{Die, plans};
use serde_json::json;

use crate::stage::{Died, Stage, holder, lead, say, say_as};

fn id(name: &str) -> StepId {
    StepId::new(name).expect("a name")
}

fn role(name: &str) -> RoleId {
    RoleId::new(name).expect("a name")
}

fn option(name: &str) -> OptionId {
    OptionId::new(name).expect("a name")
}

fn assign(step: &str, to: &str) -> Command {
    Command::Assign { step: id(step), also: Vec::new(), to: PersonId::Role(role(to)) }
}

fn add(step: serde_json::Value, after: &str) -> Command {
    let step: Step = serde_json::from_value(step).expect("a step");
    let (step, after) = (Box::new(step), Some(id(after)));
    Command::Add { step, after, before: Vec::new(), not_before: None }
}

fn manual(id: &str, owner: &str, after: &[&str]) -> serde_json::Value {
    json!({"id": id, "owner": owner, "after": after, "manual": "Do it."})
}

async fn running(stage: &Stage) -> Vec<String> {
    let log = stage.log().await;
    let state = log.state();
    let running = |i: &usize| state.states()[*i].status == Status::Running;
    state.active().filter(running).map(|i| state.steps()[i].id.to_string()).collect()
}

async fn done(stage: &Stage, step: &str) {
    let mut log = stage.log().await;
    // The lead hands it to themselves first: only its owner may acknowledge a step.
    let said = say(&mut log, assign(step, "lead")).await;
    assert!(matches!(said, Submitted::Done(_)), "{said:?}");
    let acknowledge = Command::Acknowledge { step: id(step), note: None, attached: Vec::new() };
    let said = say(&mut log, acknowledge).await;
    assert!(matches!(said, Submitted::Done(_)), "{said:?}");
}

#[tokio::test]
async fn a_person_does_one_manual_step_at_a_time_in_plan_order() {
    let steps = json!([manual("a", "ann", &[]), manual("b", "ann", &[]), manual("c", "bob", &[]),]);
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.coordinate().await;
    assert_eq!(running(&stage).await, ["a", "c"]);
    done(&stage, "a").await;
    stage.coordinate().await;
    assert_eq!(running(&stage).await, ["b", "c"]);
}

#[tokio::test]
async fn a_team_does_as_many_as_it_has_people() {
    let steps = json!([manual("a", "ops", &[]), manual("b", "ops", &[]), manual("c", "ops", &[])]);
    let more =
        json!({"roles": {"lead": {"name": "Lena Lead"}, "ops": {"name": "Operations", "team": 2}}});
    let mut stage = Stage::new(plans::plan_with(&steps, &more)).await;
    stage.coordinate().await;
    assert_eq!(running(&stage).await, ["a", "b"]);
}

/// Handed to one person, a team's steps are done one at a time.
#[tokio::test]
async fn whoever_a_step_is_handed_to_does_as_many_as_they_can() {
    let steps = json!([
        manual("gate", "ann", &[]),
        manual("a", "ops", &["gate"]),
        manual("b", "ops", &["gate"]),
        manual("c", "ops", &["gate"]),
    ]);
    let more = json!({"roles": {"lead": {"name": "Lena Lead"}, "ann": {"name": "Ann"},
        "bob": {"name": "Bob"}, "ops": {"name": "Operations", "team": 3}}});
    let mut stage = Stage::new(plans::plan_with(&steps, &more)).await;
    stage.coordinate().await;
    let mut log = stage.log().await;
    for step in ["a", "b", "c"] {
        let said = say(&mut log, assign(step, "bob")).await;
        assert!(matches!(said, Submitted::Done(_)), "{said:?}");
    }
    done(&stage, "gate").await;
    stage.coordinate().await;
    assert_eq!(running(&stage).await, ["a"]);
}

/// People and lanes take up their steps in the order frozen into the run.
#[tokio::test]
async fn the_frozen_order_is_followed() {
    let mut steps = json!([
        manual("a", "ann", &[]),
        manual("b", "ann", &[]),
        manual("c", "bob", &[]),
        manual("d", "cem", &[]),
    ]);
    steps[2]["exclusive"] = json!("restore");
    steps[3]["exclusive"] = json!("restore");
    let order = ["d", "b", "c", "a"].map(id).to_vec();
    let mut stage = Stage::ordered(plans::plan(&steps), order).await;
    stage.coordinate().await;
    assert_eq!(running(&stage).await, ["b", "d"]);
    done(&stage, "d").await;
    stage.coordinate().await;
    assert_eq!(running(&stage).await, ["b", "c"]);
}

/// A step for the morning does not begin at night, and is not forgotten.
#[tokio::test]
async fn a_step_waits_for_its_time_of_day() {
    let steps = json!([plans::automatic("a", Effect::Read, &[])]);
    let morning: jiff::Timestamp = "2026-06-06T07:00:00Z".parse().expect("a time");
    let mut stage = Stage::at_times(plans::plan(&steps), [(id("a"), morning)].into()).await;
    assert_eq!(stage.run_to_end().await, Outcome::Reverted);
    let began = stage.log().await.state().states()[0].started.expect("it began");
    assert!(began >= morning, "{began}");
}

#[tokio::test]
async fn a_lane_holds_one_step() {
    let mut steps = json!([
        plans::automatic("a", Effect::Opaque, &[]),
        manual("b", "ann", &[]),
        manual("c", "bob", &[]),
    ]);
    for step in steps.as_array_mut().expect("a list") {
        step["exclusive"] = json!("restore");
    }
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.coordinate().await;
    assert_eq!(running(&stage).await, ["b"]);
    done(&stage, "b").await;
    stage.coordinate().await;
    assert_eq!(running(&stage).await, ["c"]);
}

#[tokio::test]
async fn a_skipped_step_makes_the_run_partial_unless_it_is_optional() {
    for (optional, outcome) in [(false, Outcome::Partial), (true, Outcome::Reverted)] {
        let mut step = manual("a", "ann", &[]);
        step["optional"] = json!(optional);
        let mut stage = Stage::new(plans::plan(&json!([step]))).await;
        stage.coordinate().await;
        let mut log = stage.log().await;
        say(&mut log, Command::Skip { step: id("a") }).await;
        assert_eq!(stage.run_to_end().await, outcome);
    }
}

#[tokio::test]
async fn an_added_step_runs_between_its_neighbours() {
    let steps = json!([
        {"id": "a", "owner": "ann", "run": {"argv": ["true"]}, "verify": {"file": {"path": "a"}}},
        {"id": "b", "owner": "ann", "manual": "Do it."},
        {"id": "c", "owner": "ann", "run": {"argv": ["true"]}, "verify": {"file": {"path": "c"}}},
    ]);
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.coordinate().await;
    let mut log = stage.log().await;
    say(&mut log, add(json!({"id": "x", "owner": "bob", "manual": "Look."}), "b")).await;
    done(&stage, "b").await;
    stage.coordinate().await;
    assert_eq!(running(&stage).await, ["x"]);
    assert_eq!(stage.hands.effects(&id("c")), 0);
    done(&stage, "x").await;
    assert_eq!(stage.run_to_end().await, Outcome::Reverted);
    assert_eq!(stage.hands.effects(&id("c")), 1);
}

#[tokio::test]
async fn escalating_keeps_what_is_done() {
    let steps = json!([
        plans::automatic("announce", Effect::Opaque, &[]),
        manual("flag", "ann", &["announce"]),
        plans::automatic("restore", Effect::Opaque, &["announce"]),
    ]);
    let more = json!({"options": {
        "light": {"title": "Flag off", "steps": ["announce", "flag"], "default": true},
        "full": {"title": "Everything", "steps": ["announce", "restore"]},
    }});
    let mut stage = Stage::new(plans::plan_with(&steps, &more)).await;
    stage.coordinate().await;
    assert_eq!(stage.hands.effects(&id("restore")), 0);
    let mut log = stage.log().await;
    say(&mut log, Command::SwitchOption { option: option("full") }).await;
    stage.coordinate().await;
    assert_eq!(stage.hands.effects(&id("announce")), 1);
    assert_eq!(stage.hands.effects(&id("restore")), 1);
    // The step that was with a person is not forgotten.
    assert_eq!(running(&stage).await, ["flag"]);
}

#[tokio::test]
async fn nothing_starts_while_the_run_is_held() {
    let steps = json!([manual("a", "ann", &[]), plans::automatic("b", Effect::Opaque, &["a"])]);
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.coordinate().await;
    let mut log = stage.log().await;
    say(&mut log, Command::Hold).await;
    done(&stage, "a").await;
    stage.coordinate().await;
    assert_eq!(stage.hands.effects(&id("b")), 0);
    let (by, cause, reason) = (lead(), HoldCause::Person, Some("because".to_owned()));
    let held = Asks::Held { by, cause, reason };
    assert!(questions(stage.log().await.state()).iter().any(|question| question.asks == held));
    say(&mut log, Command::Resume).await;
    assert_eq!(stage.run_to_end().await, Outcome::Reverted);
}

#[tokio::test]
async fn a_command_that_makes_no_sense_writes_nothing() {
    let mut stage = Stage::new(plans::plan(&json!([manual("a", "ann", &[])]))).await;
    stage.coordinate().await;
    done(&stage, "a").await;
    stage.run_to_end().await;
    let before = stage.journal.appends();
    let mut log = stage.log().await;
    let refused = say(&mut log, Command::Skip { step: id("a") }).await;
    assert!(matches!(refused, Submitted::Refused(Refusal::Finished)), "{refused:?}");
    assert_eq!(stage.journal.appends(), before);
}

/// Who may do what by default: every role against every act.
#[test]
fn the_default_authority_is_the_table_in_its_documentation() {
    let plan = plans::plan(&json!([manual("a", "ann", &[])]));
    let (answer, what, step) = (Answer::Happened, Digest::ZERO, id("a"));
    let owner = ["ann", "bob"];
    let all = ["lead", "ann", "bob"];
    let decide = Act::Decide { verb: Verb::BackOut, option: None, lasting: None };
    let table: Vec<(Act, Vec<&str>)> = vec![
        (Act::Acknowledge { step: step.clone() }, owner.to_vec()),
        (Act::Fail { step: step.clone() }, owner.to_vec()),
        (Act::Stop { step: step.clone() }, all.to_vec()),
        (Act::Retry { step: step.clone(), new_key: false }, all.to_vec()),
        (Act::CheckAgain { step: step.clone() }, all.to_vec()),
        (Act::Resolve { step: step.clone(), answer }, all.to_vec()),
        (Act::Attest { step: step.clone(), also: Vec::new(), what }, vec!["lead"]),
        (Act::Skip { step: step.clone() }, vec!["lead"]),
        (Act::Add { step: step.clone(), what }, vec!["lead"]),
        (Act::Replace { step: step.clone(), what }, vec!["lead"]),
        (
            Act::Assign { step: step.clone(), also: Vec::new(), to: PersonId::Role(role("bob")) },
            vec!["lead"],
        ),
        (Act::SwitchOption { option: option("full") }, vec!["lead"]),
        (Act::Invoke, vec!["lead"]),
        (Act::Deploy, vec!["lead"]),
        (Act::Approve { stage: step }, vec!["lead"]),
        (decide, vec!["lead"]),
        (Act::Abandon, vec!["lead"]),
        (Act::Hold, all.to_vec()),
        (Act::Resume, all.to_vec()),
        (Act::LogDefect, all.to_vec()),
    ];
    let policy = Policy::default();
    for (act, allowed) in table {
        for role in all {
            let account = Account::named("lena");
            let person = identify(&plan, Some(role), &account).expect("a role of the plan");
            let authority = check_authority(&plan, None, &policy, &person, &act);
            assert_eq!(
                authority == Authority::Allowed,
                allowed.contains(&role),
                "{role} {act:?}: {authority:?}"
            );
        }
        let stranger =
            Person { id: PersonId::Name("Mallory".to_owned()), roles: Default::default() };
        let authority = check_authority(&plan, None, &policy, &stranger, &act);
        assert!(matches!(authority, Authority::Denied(_)), "{act:?}");
    }
}

#[tokio::test]
async fn what_takes_two_people_takes_two_people() {
    let more = json!({
        "authority": {"skip": {"by": ["lead", "ann"], "quorum": 2}},
    });
    let stage = Stage::new(plans::plan_with(&json!([manual("a", "ann", &[])]), &more)).await;
    let mut log = stage.log().await;
    let skip = || Command::Skip { step: id("a") };
    // The same person twice is one person.
    for _ in 0..2 {
        let said = say(&mut log, skip()).await;
        let Submitted::Proposed { roles, more: 1, .. } = said else { panic!("{said:?}") };
        // Who stands in for a role that may also may.
        assert_eq!(roles, [role("ann"), role("bob"), role("lead")]);
    }
    let said = say_as(&mut log, &holder("ann", "ann"), skip()).await;
    assert!(matches!(said, Submitted::Done(_)), "{said:?}");
    assert_eq!(log.state().step(&id("a")).expect("there").1.status, Status::Skipped);
}

/// A policy of the organisation asks for more people than the plan, and never for fewer; what
/// has to be cheap stays cheap.
#[test]
fn a_policy_only_tightens() {
    use backout_core::plan::Permission;
    let plan = plans::plan_with(
        &json!([manual("a", "ann", &[])]),
        &json!({"authority": {"abandon": {"by": "lead", "quorum": 3}}}),
    );
    let quorum = [Permission::Skip, Permission::Hold, Permission::Abandon].map(|p| (p, 2));
    let policy = Policy { quorum: quorum.into(), ..Policy::default() };
    let lead = identify(&plan, None, &Account::named("lena")).expect("mapped");
    let more = |act: &Act| match check_authority(&plan, None, &policy, &lead, act) {
        Authority::Allowed => 0,
        Authority::NeedsMore { more, .. } => more,
        Authority::Denied(denial) => panic!("{denial:?}"),
    };
    assert_eq!(more(&Act::Skip { step: id("a") }), 1);
    assert_eq!(more(&Act::Abandon), 2, "the plan asks for more");
    assert_eq!(more(&Act::Hold), 1);
    assert_eq!(more(&Act::Stop { step: id("a") }), 0);
    assert_eq!(more(&Act::LogDefect), 0);
}

#[test]
fn who_acts_is_never_guessed() {
    let plan = plans::plan(&json!([manual("a", "ann", &[])]));
    let person =
        |claimed: Option<&str>, account: &str| identify(&plan, claimed, &Account::named(account));
    let lead = person(None, "lena").expect("mapped");
    assert_eq!(
        (lead.id.clone(), lead.id.name(&plan)),
        (PersonId::Role(role("lead")), "Lena Lead".to_owned())
    );
    assert!(person(None, "mallory").is_err());
    assert!(person(Some("nobody"), "lena").is_err());
    assert_eq!(person(Some("Ann"), "x").expect("a person").roles.len(), 1);
    // Naming a role does not give it to somebody the plan does not give it to.
    assert!(person(Some("lead/Mallory"), "lena").expect("a name").roles.is_empty());
    // A role that belongs to an account is not acted in from another.
    for who in ["lead", "Lena Lead", "lead/Lena Lead", "ann/Lena Lead"] {
        assert!(person(Some(who), "mallory").is_err(), "{who}");
    }
}

/// A retry of its own: no lane is broken into, no person's stop is overruled, and
/// a step that halts everything does not halt itself.
#[tokio::test]
async fn automatic_repeats_know_their_limits() {
    let flaky = |more: serde_json::Value| {
        let mut step = plans::automatic("a", Effect::Idempotent, &[]);
        step["retry"] = json!({"attempts": 3, "pause": "1s"});
        if let (Some(step), Some(more)) = (step.as_object_mut(), more.as_object()) {
            step.extend(more.clone());
        }
        step
    };
    let mut halting =
        Stage::new(plans::plan(&json!([flaky(json!({"on_failure": "halt_all"}))]))).await;
    halting.hands.fail(&id("a"));
    assert_eq!(halting.run_to_end().await, Outcome::Reverted);
    assert_eq!((halting.hands.effects(&id("a")), halting.failures_asked), (2, 0));

    let mut stopped = Stage::new(plans::plan(&json!([flaky(json!({}))]))).await;
    stopped.hands.die(&id("a"), Die::LeavingItRunning);
    stopped.coordinate().await;
    let mut log = stopped.log().await;
    say(&mut log, Command::Stop { step: id("a") }).await;
    stopped.hands.fail(&id("a"));
    stopped.coordinate().await;
    let log = stopped.log().await;
    assert_eq!(log.state().step(&id("a")).expect("there").1.status, Status::Failed);
    let fault = Some(StepFault::Stopped { reason: "because".to_owned() });
    let failed = Asks::Failed { fault, finding: None };
    assert!(questions(log.state()).iter().any(|question| question.asks == failed));

    let lane = json!({"exclusive": "restore"});
    let other = json!({"id": "b", "owner": "bob", "after": [], "manual": "Use the lane.", "exclusive": "restore"});
    let mut shared = Stage::new(plans::plan(&json!([flaky(lane), other]))).await;
    shared.hands.fail(&id("a"));
    shared.coordinate().await;
    assert_eq!(running(&shared).await, ["b"]);
    assert_eq!(shared.hands.effects(&id("a")), 1, "the lane belongs to b");
}

/// Standing between two steps adds an order and takes none away.
#[tokio::test]
async fn an_added_step_never_lets_its_follower_go_early() {
    let steps = json!([
        {"id": "a", "owner": "ann", "manual": "Do it."},
        {"id": "b", "owner": "ann", "run": {"argv": ["true"]}, "verify": {"file": {"path": "b"}}},
    ]);
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.coordinate().await;
    let added = plans::automatic("n", Effect::Opaque, &[]);
    let mut log = stage.log().await;
    say(&mut log, add(added, "a")).await;
    stage.coordinate().await;
    assert_eq!((stage.hands.effects(&id("n")), stage.hands.effects(&id("b"))), (0, 0));
    done(&stage, "a").await;
    assert_eq!(stage.run_to_end().await, Outcome::Reverted);
}

/// The clock on the wall goes back by a day in the middle of a run, and of a pause.
#[tokio::test]
async fn a_clock_that_goes_backwards_holds_nothing_up() {
    let mut flaky = plans::automatic("a", Effect::Idempotent, &[]);
    flaky["retry"] = json!({"attempts": 3, "pause": "10m"});
    let steps =
        json!([flaky, manual("b", "ann", &["a"]), plans::automatic("c", Effect::Opaque, &["b"])]);
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.hands.fail(&id("a"));
    stage.clock.set("2026-06-06T02:30:00Z".parse().expect("a time"));
    stage.hands.die(&id("c"), Die::AfterNoting);
    stage.coordinate().await;
    stage.clock.set("2026-06-05T02:30:00Z".parse().expect("a time"));
    stage.coordinate().await;
    done(&stage, "b").await;
    stage.clock.set("2026-06-04T02:30:00Z".parse().expect("a time"));
    stage.coordinate().await;
    assert_eq!(stage.run_to_end().await, Outcome::Reverted);
    assert_eq!((stage.hands.effects(&id("a")), stage.hands.effects(&id("c"))), (2, 1));
}

/// A failed step of the lighter option does not stand in the heavier one's way. What it did half
/// is seen to by a step about the same component, or stays so.
#[tokio::test]
async fn a_heavier_option_leaves_a_failed_step_behind() {
    for (component, outcome) in [(Some("portal"), Outcome::Reverted), (None, Outcome::Partial)] {
        let mut steps = [
            plans::automatic("flag", Effect::Opaque, &[]),
            plans::automatic("restore", Effect::Opaque, &["flag"]),
        ];
        for step in &mut steps {
            step["component"] = json!(component);
        }
        let more = json!({"components": {"portal": {}}, "options": {
            "light": {"title": "Flag off", "steps": ["flag"], "default": true},
            "full": {"title": "Restore", "steps": ["restore"]},
        }});
        let mut stage = Stage::new(plans::plan_with(&json!(steps), &more)).await;
        stage.hands.fail(&id("flag"));
        stage.coordinate().await;
        let mut log = stage.log().await;
        say(&mut log, Command::SwitchOption { option: option("full") }).await;
        assert_eq!(stage.run_to_end().await, outcome);
        assert_eq!((stage.hands.effects(&id("restore")), stage.failures_asked), (1, 0));
    }
}

/// What a machine still works on ends by itself: a person's word does not end it, or a second
/// copy could run beside the first.
#[tokio::test]
async fn a_step_at_work_is_neither_failed_nor_left_behind() {
    let steps = json!([plans::automatic("a", Effect::Opaque, &[])]);
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.hands.die(&id("a"), Die::LeavingItRunning);
    stage.coordinate().await;
    let mut log = stage.log().await;
    let before = stage.journal.appends();
    let fail = Command::Fail { step: id("a"), evidence: Evidence::default() };
    let refused = say_as(&mut log, &holder("ann", "ann"), fail.clone()).await;
    let running = Refusal::StepRunning { step: id("a") };
    assert!(matches!(&refused, Submitted::Refused(refusal) if *refusal == running), "{refused:?}");
    let refused = say(&mut log, Command::Abandon).await;
    let running = Refusal::StepsRunning { steps: vec![id("a")] };
    assert!(matches!(&refused, Submitted::Refused(refusal) if *refusal == running), "{refused:?}");
    assert_eq!(stage.journal.appends(), before);
    assert_eq!(stage.run_to_end().await, Outcome::Reverted);
    assert_eq!(stage.hands.effects(&id("a")), 1);
    // What is in doubt is settled and not failed.
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.hands.die(&id("a"), Die::AfterEffect);
    assert!(matches!(stage.coordinate().await, Died::Crashed));
    stage.coordinate().await;
    let mut log = stage.log().await;
    let refused = say_as(&mut log, &holder("ann", "ann"), fail).await;
    let doubt = Refusal::StepInDoubt { step: id("a") };
    assert!(matches!(&refused, Submitted::Refused(refusal) if *refusal == doubt), "{refused:?}");
}

/// The verification of a step that failed, or is in doubt, is asked again: what it finds is
/// taken where it holds, and put to the person where it does not.
#[tokio::test]
async fn a_person_can_have_a_step_checked_again() {
    let again = || Command::CheckAgain { step: id("a") };
    let steps = json!([plans::automatic("a", Effect::Opaque, &[])]);
    // It failed after its effect.
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.hands.fail(&id("a"));
    stage.coordinate().await;
    let mut log = stage.log().await;
    assert!(matches!(say(&mut log, again()).await, Submitted::Done(_)));
    assert!(questions(log.state()).is_empty(), "it is looked at first");
    assert_eq!(stage.run_to_end().await, Outcome::Reverted);
    assert_eq!((stage.hands.effects(&id("a")), stage.failures_asked), (1, 0));
    assert_eq!(stage.log().await.state().proof(0), Some(Proof::Verified));
    // It is in doubt, and did not happen: that is for the person to say.
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.hands.die(&id("a"), Die::BeforeEffect);
    assert!(matches!(stage.coordinate().await, Died::Crashed));
    stage.coordinate().await;
    let mut log = stage.log().await;
    assert!(matches!(say(&mut log, again()).await, Submitted::Done(_)));
    assert!(questions(log.state()).is_empty(), "it is looked at first");
    stage.coordinate().await;
    let asked = questions(stage.log().await.state()).swap_remove(0);
    assert_eq!(
        asked.asks,
        Asks::InDoubt {
            cause: DoubtCause::SupervisorLost,
            summary: String::new(),
            how_to_tell: None,
            finding: Some("file: not applied".to_owned()),
            looks_on: false,
            until: None,
            kept_open: false,
        }
    );
    assert_eq!(stage.run_to_end().await, Outcome::Reverted);
    assert_eq!(stage.hands.effects(&id("a")), 1);
    // There is nothing to ask.
    let unchecked = json!([plans::unchecked("a", Effect::Opaque, &[])]);
    let mut stage = Stage::new(plans::plan(&unchecked)).await;
    stage.hands.fail(&id("a"));
    stage.coordinate().await;
    let refused = say(&mut stage.log().await, again()).await;
    let nothing = Refusal::NothingToCheck { step: id("a") };
    assert!(matches!(&refused, Submitted::Refused(refusal) if *refusal == nothing), "{refused:?}");
}

/// An option that keeps users out is not an end: the run waits for another one, whoever looks
/// after it, unless a person accepts it as it is.
#[tokio::test]
async fn an_option_that_keeps_users_out_waits_for_another() {
    let steps = json!([
        plans::automatic("close", Effect::Opaque, &[]),
        plans::automatic("restore", Effect::Opaque, &["close"]),
    ]);
    let more = json!({"options": {
        "closed": {"title": "Keep users out", "steps": ["close"], "holding": true, "default": true},
        "full": {"title": "Everything"},
    }});
    let held = || async {
        let mut stage = Stage::new(plans::plan_with(&steps, &more)).await;
        for _ in 0..2 {
            let ended = stage.coordinate().await;
            assert!(matches!(ended, Died::Ended(End::Holding)), "{ended:?}");
        }
        let asked = questions(stage.log().await.state()).swap_remove(0);
        assert_eq!(asked.asks, Asks::Holding { option: option("closed") });
        stage
    };
    let mut stage = held().await;
    let mut log = stage.log().await;
    let same = say(&mut log, Command::SwitchOption { option: option("closed") }).await;
    let already = Refusal::OnOptionAlready { option: option("closed") };
    assert!(matches!(&same, Submitted::Refused(refusal) if *refusal == already), "{same:?}");
    say(&mut log, Command::SwitchOption { option: option("full") }).await;
    assert_eq!(stage.run_to_end().await, Outcome::Reverted);
    let effects = ["close", "restore"].map(|name| stage.hands.effects(&id(name)));
    assert_eq!(effects, [1, 1], "what is done stays done");
    let mut stage = held().await;
    let (verb, option, fix_for, question) = (Verb::Continue, None, None, None);
    let accept = Command::Decide { verb, option, fix_for, question, readings: Default::default() };
    say(&mut stage.log().await, accept).await;
    assert_eq!(stage.run_to_end().await, Outcome::Partial);
    assert_eq!(stage.hands.effects(&id("restore")), 0);
}
