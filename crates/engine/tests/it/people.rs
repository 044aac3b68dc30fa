//! What people do to a run.

use backout_core::act::Act;
use backout_core::authority::{Person, Verdict, identify, may};
use backout_core::event::{Event, Outcome};
use backout_core::ids::{RoleId, StepId};
use backout_core::plan::Effect;
use backout_core::question::{QuestionKind, questions};
use backout_core::status::Status;
use backout_engine::act::Acted;
use backout_testkit::plans;
use serde_json::json;

use crate::stage::{Stage, say};

fn id(name: &str) -> StepId {
    StepId::new(name).expect("a name")
}

fn manual(id: &str, owner: &str, after: &[&str]) -> serde_json::Value {
    json!({"id": id, "owner": owner, "after": after, "manual": "Do it."})
}

async fn running(stage: &Stage) -> Vec<String> {
    let log = stage.log().await;
    let state = log.state();
    let running = |i: &usize| state.states[*i].status == Status::Running;
    state.active().filter(running).map(|i| state.steps[i].id.to_string()).collect()
}

async fn done(stage: &Stage, step: &str) {
    let mut log = stage.log().await;
    let step = id(step);
    let acted =
        |attempt| Event::StepActed { step: step.clone(), attempt, evidence: Default::default() };
    // The lead hands it to themselves first: only its owner may acknowledge a step.
    let to = "Lena Lead".to_owned();
    say(&mut log, &Act::Assign { step: step.clone(), also: Vec::new(), to: to.clone() }, |_| {
        Event::StepAssigned {
            step: step.clone(),
            to: to.clone(),
            reason: "they are asleep".to_owned(),
        }
    })
    .await;
    let said = say(&mut log, &Act::Acknowledge { step: step.clone() }, acted).await;
    assert!(matches!(said, Acted::Done { .. }), "{said:?}");
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
        let (step, to) = (id(step), "Bob".to_owned());
        let act = Act::Assign { step: step.clone(), also: Vec::new(), to: to.clone() };
        say(&mut log, &act, |_| Event::StepAssigned {
            step: step.clone(),
            to: to.clone(),
            reason: "ops are asleep".to_owned(),
        })
        .await;
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
    let began = stage.log().await.state().states[0].started.expect("it began");
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
        say(&mut log, &Act::Skip { step: id("a") }, |_| Event::StepSkipped {
            step: id("a"),
            reason: "nobody to tell".to_owned(),
        })
        .await;
        assert_eq!(stage.run_to_end().await, outcome);
    }
}

#[tokio::test]
async fn an_added_step_runs_between_its_neighbours() {
    let steps = json!([
        {"id": "a", "owner": "ann", "run": {"argv": ["true"]}},
        {"id": "b", "owner": "ann", "manual": "Do it."},
        {"id": "c", "owner": "ann", "run": {"argv": ["true"]}},
    ]);
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.coordinate().await;
    let added: backout_core::plan::Step =
        serde_json::from_value(json!({"id": "x", "owner": "bob", "manual": "Look."}))
            .expect("a step");
    let mut log = stage.log().await;
    say(&mut log, &Act::Add { step: id("x"), what: backout_core::ids::Digest::ZERO }, |_| {
        Event::StepAdded {
            not_before: None,
            step: Box::new(added.clone()),
            behind: Some(id("b")),
            before: Vec::new(),
            reason: "to be sure".to_owned(),
        }
    })
    .await;
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
    let full = backout_core::ids::OptionId::new("full").expect("a name");
    say(&mut log, &Act::Escalate { option: full.clone() }, |_| Event::OptionChosen {
        option: full.clone(),
        reason: "the flag does not help".to_owned(),
    })
    .await;
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
    say(&mut log, &Act::Hold, |_| Event::RunHeld { reason: "wait".to_owned() }).await;
    done(&stage, "a").await;
    stage.coordinate().await;
    assert_eq!(stage.hands.effects(&id("b")), 0);
    assert!(questions(stage.log().await.state()).iter().any(|q| q.kind == QuestionKind::Held));
    say(&mut log, &Act::Release, |_| Event::RunReleased { reason: "go".to_owned() }).await;
    assert_eq!(stage.run_to_end().await, Outcome::Reverted);
}

#[tokio::test]
async fn an_act_that_makes_no_sense_writes_nothing() {
    let mut stage = Stage::new(plans::plan(&json!([manual("a", "ann", &[])]))).await;
    stage.coordinate().await;
    done(&stage, "a").await;
    stage.run_to_end().await;
    let before = stage.journal.appends();
    let mut log = stage.log().await;
    let lead = Person {
        name: "Lena Lead".to_owned(),
        roles: [RoleId::new("lead").expect("a name")].into(),
    };
    let refused = backout_engine::act::act(
        &mut log,
        &lead,
        &crate::stage::lead(),
        jiff_now(),
        &Act::Skip { step: id("a") },
        "x",
        |_| Ok(vec![Event::StepSkipped { step: id("a"), reason: "x".to_owned() }]),
    )
    .await;
    assert!(refused.is_err());
    assert_eq!(stage.journal.appends(), before);
}

fn jiff_now() -> jiff::Timestamp {
    "2026-06-06T03:00:00Z".parse().expect("a time")
}

/// Who may do what by default: every role against every act.
#[test]
fn the_default_authority_is_the_table_in_its_documentation() {
    let plan = plans::plan(&json!([manual("a", "ann", &[])]));
    let answer = backout_core::act::Answer::Happened;
    let option = backout_core::ids::OptionId::new("full").expect("a name");
    let step = id("a");
    let owner = ["ann", "bob"];
    let all = ["lead", "ann", "bob"];
    let table: Vec<(Act, Vec<&str>)> = vec![
        (Act::Acknowledge { step: step.clone() }, owner.to_vec()),
        (Act::Fail { step: step.clone() }, owner.to_vec()),
        (Act::Stop { step: step.clone() }, all.to_vec()),
        (Act::Retry { step: step.clone() }, all.to_vec()),
        (Act::Resolve { step: step.clone(), answer }, all.to_vec()),
        (Act::Skip { step: step.clone() }, vec!["lead"]),
        (Act::Add { step: step.clone(), what: backout_core::ids::Digest::ZERO }, vec!["lead"]),
        (Act::Replace { step: step.clone(), what: backout_core::ids::Digest::ZERO }, vec!["lead"]),
        (Act::Assign { step, also: Vec::new(), to: "Bob".to_owned() }, vec!["lead"]),
        (Act::Escalate { option }, vec!["lead"]),
        (Act::Invoke, vec!["lead"]),
        (Act::Abandon, vec!["lead"]),
        (Act::Hold, all.to_vec()),
        (Act::Release, all.to_vec()),
    ];
    for (act, allowed) in table {
        for role in all {
            let person = identify(&plan, Some(role), "lena").expect("a role of the plan");
            let verdict = may(&plan, None, &person, &act);
            assert_eq!(
                matches!(verdict, Verdict::Allowed { .. }),
                allowed.contains(&role),
                "{role} {act:?}: {verdict:?}"
            );
        }
        let stranger = Person { name: "Mallory".to_owned(), roles: Default::default() };
        assert!(matches!(may(&plan, None, &stranger, &act), Verdict::Denied { .. }), "{act:?}");
    }
}

#[tokio::test]
async fn what_takes_two_people_takes_two_people() {
    let more = json!({
        "authority": {"skip": {"by": ["lead", "ann"], "quorum": 2}},
    });
    let stage = Stage::new(plans::plan_with(&json!([manual("a", "ann", &[])]), &more)).await;
    let mut log = stage.log().await;
    let skip = Act::Skip { step: id("a") };
    let event = || Event::StepSkipped { step: id("a"), reason: "why".to_owned() };
    // The same person twice is one person, however it is written.
    for _ in 0..2 {
        let said = say(&mut log, &skip, |_| event()).await;
        assert!(matches!(said, Acted::Needs { more: 1, .. }), "{said:?}");
    }
    let ann =
        Person { name: "Ann".to_owned(), roles: [RoleId::new("ann").expect("a name")].into() };
    let actor = backout_core::record::Actor::Person {
        name: "Ann".to_owned(),
        role: None,
        account: "ann".to_owned(),
    };
    let said = backout_engine::act::act(&mut log, &ann, &actor, jiff_now(), &skip, "why", |_| {
        Ok(vec![event()])
    })
    .await;
    assert!(matches!(said, Ok(Acted::Done { .. })), "{said:?}");
    assert_eq!(log.state().step(&id("a")).expect("there").1.status, Status::Skipped);
}

#[test]
fn who_acts_is_never_guessed() {
    let plan = plans::plan(&json!([manual("a", "ann", &[])]));
    assert_eq!(identify(&plan, None, "lena").expect("mapped").name, "Lena Lead");
    assert!(identify(&plan, None, "mallory").is_err());
    assert!(identify(&plan, Some("nobody"), "lena").is_err());
    assert_eq!(identify(&plan, Some("Ann"), "x").expect("a person").roles.len(), 1);
    // Naming a role does not give it to somebody the plan does not give it to.
    assert!(identify(&plan, Some("lead/Mallory"), "lena").expect("a name").roles.is_empty());
    // A role that belongs to an account is not acted in from another.
    for who in ["lead", "Lena Lead", "lead/Lena Lead", "ann/Lena Lead"] {
        assert!(identify(&plan, Some(who), "mallory").is_err(), "{who}");
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
    stopped.hands.die(&id("a"), backout_testkit::Die::LeavingItRunning);
    stopped.coordinate().await;
    let mut log = stopped.log().await;
    say(&mut log, &Act::Stop { step: id("a") }, |attempt| Event::StepStopAsked {
        step: id("a"),
        attempt,
        reason: "it is wrong".to_owned(),
    })
    .await;
    stopped.hands.fail(&id("a"));
    stopped.coordinate().await;
    let log = stopped.log().await;
    assert_eq!(log.state().step(&id("a")).expect("there").1.status, Status::Failed);
    assert!(questions(log.state()).iter().any(|question| question.kind == QuestionKind::Failed));

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
        {"id": "b", "owner": "ann", "run": {"argv": ["true"]}},
    ]);
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.coordinate().await;
    let added: backout_core::plan::Step = serde_json::from_value(
        json!({"id": "n", "owner": "ann", "after": [], "run": {"argv": ["true"]}}),
    )
    .expect("a step");
    let mut log = stage.log().await;
    let what = backout_core::ids::Digest::ZERO;
    say(&mut log, &Act::Add { step: id("n"), what }, |_| Event::StepAdded {
        not_before: None,
        step: Box::new(added.clone()),
        behind: Some(id("a")),
        before: Vec::new(),
        reason: "to be sure".to_owned(),
    })
    .await;
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
    stage.hands.die(&id("c"), backout_testkit::Die::AfterNoting);
    stage.coordinate().await;
    stage.clock.set("2026-06-05T02:30:00Z".parse().expect("a time"));
    stage.coordinate().await;
    done(&stage, "b").await;
    stage.clock.set("2026-06-04T02:30:00Z".parse().expect("a time"));
    stage.coordinate().await;
    assert_eq!(stage.run_to_end().await, Outcome::Reverted);
    assert_eq!((stage.hands.effects(&id("a")), stage.hands.effects(&id("c"))), (2, 1));
}

/// A failed step of the lighter way does not stand in the heavier one's.
#[tokio::test]
async fn escalating_leaves_a_failed_step_behind() {
    let steps = json!([
        plans::automatic("flag", Effect::Opaque, &[]),
        plans::automatic("restore", Effect::Opaque, &["flag"]),
    ]);
    let more = json!({"options": {
        "light": {"title": "Flag off", "steps": ["flag"], "default": true},
        "full": {"title": "Restore", "steps": ["restore"]},
    }});
    let mut stage = Stage::new(plans::plan_with(&steps, &more)).await;
    stage.hands.fail(&id("flag"));
    stage.coordinate().await;
    let mut log = stage.log().await;
    let full = backout_core::ids::OptionId::new("full").expect("a name");
    say(&mut log, &Act::Escalate { option: full.clone() }, |_| Event::OptionChosen {
        option: full.clone(),
        reason: "the flag cannot be turned off".to_owned(),
    })
    .await;
    assert_eq!(stage.run_to_end().await, Outcome::Reverted);
    assert_eq!((stage.hands.effects(&id("restore")), stage.failures_asked), (1, 0));
}
