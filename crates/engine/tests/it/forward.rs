//! Deployments: what took place is undone, once, last first, whatever dies when.

use backout_core::cause::Denial;
use backout_core::choice::Verb;
use backout_core::command::Command;
use backout_core::event::{Direction, Event, Outcome, RunPlanned};
use backout_core::ids::{RoleId, StepId};
use backout_core::people::{Account, PersonId};
use backout_core::plan::{Effect, Plan};
use backout_core::question::{Asks, questions};
use backout_core::record::Actor;
use backout_core::refusal::Refusal;
use backout_core::status::Status;
use backout_engine::End;
use backout_engine::command::Submitted;
use backout_testkit::{Die, plans};
use serde_json::{Value, json};

use crate::stage::{Died, Stage, say, say_as};

fn id(name: &str) -> StepId {
    StepId::new(name).expect("a name")
}

/// Three stages behind each other, each undone by a step of its own; the order of the
/// undoing is left open.
fn plan(effect: Effect, more: &Value) -> Plan {
    let stage = |name: &str| {
        let mut stage = plans::automatic(name, effect, &[]);
        stage.as_object_mut().expect("a mapping").remove("after");
        stage["undone_by"] = json!([format!("undo-{name}")]);
        stage
    };
    let undo =
        |name: &str| plans::automatic(&format!("undo-{name}"), Effect::Verifiable, &["tell"]);
    let steps =
        json!(
            [plans::automatic("tell", Effect::Idempotent, &[]), undo("a"), undo("b"), undo("c"),]
        );
    let mut sections = json!({"stages": [stage("a"), stage("b"), stage("c")]});
    if let (Some(sections), Some(more)) = (sections.as_object_mut(), more.as_object()) {
        sections.extend(more.clone());
    }
    plans::plan_with(&steps, &sections)
}

pub(crate) fn forward(plan: Plan) -> RunPlanned {
    RunPlanned { direction: Direction::Forward, option: None, ..plans::planned(plan) }
}

/// The lead decides to back out; `false` if the run was over already.
async fn back_out(stage: &Stage) -> bool {
    let mut log = stage.log().await;
    let (option, fix_for, question, readings) = (None, None, None, Default::default());
    let verb = Verb::BackOut;
    let command = Command::Decide { verb, option, fix_for, question, readings };
    matches!(say(&mut log, command).await, Submitted::Done(_))
}

/// Which steps were started, in order, with how often.
async fn started(stage: &Stage) -> Vec<StepId> {
    let records = stage.records().await;
    let events = records.iter().flat_map(|record| &record.events);
    events
        .filter_map(|event| match event {
            Event::StepIntent { step, .. } => Some(step.clone()),
            _ => None,
        })
        .collect()
}

const STAGES: [&str; 3] = ["a", "b", "c"];

/// What must be true once the way back was gone.
async fn nothing_is_left(stage: &Stage, story: &str) {
    let log = stage.log().await;
    let (state, started) = (log.state(), started(stage).await);
    let at = |step: &str| started.iter().position(|started| started.as_str() == step);
    for name in STAGES {
        let undo = format!("undo-{name}");
        let took_place = stage.hands.effects(&id(name)) > 0;
        let undone = stage.hands.effects(&id(&undo));
        assert!(!took_place || undone == 1, "{story}: {name} stays, or is undone twice");
        assert!(
            at(name).is_some() || undone == 0,
            "{story}: {name} was never begun, and is undone"
        );
        let begun = state.release().back.as_ref().map(|back| back.undoes.contains(&id(name)));
        assert_eq!(begun, Some(undone == 1), "{story}: {name}");
    }
    // Last first.
    let order: Vec<usize> =
        ["undo-c", "undo-b", "undo-a"].iter().filter_map(|step| at(step)).collect();
    assert!(order.is_sorted(), "{story}: {started:?}");
    // No stage starts once the way back has begun.
    let records = stage.records().await;
    let begun = records
        .iter()
        .position(|r| r.events.iter().any(|e| matches!(e, Event::BackoutStarted { .. })))
        .expect("begun");
    let late = records[begun + 1..].iter().flat_map(|record| &record.events).find(
        |event| matches!(event, Event::StepIntent { step, .. } if STAGES.contains(&step.as_str())),
    );
    assert_eq!(late, None, "{story}");
    assert_eq!(stage.hands.without_intent(), [], "{story}");
}

#[tokio::test]
async fn a_deployment_without_a_fault_is_deployed() {
    for effect in Effect::ALL {
        let mut stage = Stage::of(forward(plan(effect, &json!({})))).await;
        assert_eq!(stage.run_to_end().await, Outcome::DeployedUnwatched);
        for name in STAGES {
            assert_eq!(stage.hands.effects(&id(name)), 1);
            assert_eq!(stage.hands.effects(&id(&format!("undo-{name}"))), 0);
        }
    }
}

/// Each stage × each place to die × each effect class × the way back is decided on
/// right behind the crash, before anybody has looked what happened.
#[tokio::test]
async fn whatever_dies_what_took_place_is_undone_once() {
    let mut stories = 0;
    for effect in Effect::ALL {
        for name in STAGES {
            for die in Die::ALL {
                let story = format!("{effect} {name} {die:?}");
                let mut stage = Stage::of(forward(plan(effect, &json!({})))).await;
                stage.hands.die(&id(name), die);
                while !matches!(stage.coordinate().await, Died::Crashed) {}
                assert!(back_out(&stage).await, "{story}");
                assert_eq!(stage.run_to_end().await, Outcome::Reverted, "{story}");
                nothing_is_left(&stage, &story).await;
                if die == Die::BeforeAccepting {
                    assert_eq!(stage.hands.effects(&id(name)), 0, "{story}: begun after all");
                }
                stories += 1;
            }
        }
    }
    assert_eq!(stories, 75);
}

/// The log is cut at every record after the decision, and the run goes on from there.
#[tokio::test]
async fn from_every_prefix_of_the_log_the_way_back_is_gone_to_its_end() {
    let build = || async {
        let mut stage = Stage::of(forward(plan(Effect::Verifiable, &json!({})))).await;
        stage.hands.fail(&id("c"));
        while !matches!(stage.coordinate().await, Died::Ended(End::Waiting)) {}
        assert!(back_out(&stage).await);
        stage
    };
    let mut whole = build().await;
    assert_eq!(whole.run_to_end().await, Outcome::Reverted);
    let all = whole.records().await.len();
    let decided = build().await.records().await.len();
    for die in ["tell", "undo-c", "undo-b", "undo-a"] {
        for place in Die::ALL {
            let mut stage = build().await;
            stage.hands.die(&id(die), place);
            assert_eq!(stage.run_to_end().await, Outcome::Reverted, "{die} {place:?}");
            nothing_is_left(&stage, &format!("{die} {place:?}")).await;
        }
    }
    assert!(all > decided + 4);
}

#[tokio::test]
async fn the_plans_own_order_of_steps_wins() {
    // The author wants the database first, whatever the stages say.
    let mut plan = plan(Effect::Verifiable, &json!({}));
    plan.steps[3].after = Some(serde_json::from_value(json!(["undo-a"])).expect("names"));
    let mut stage = Stage::of(forward(plan)).await;
    stage.hands.fail(&id("c"));
    while !matches!(stage.coordinate().await, Died::Ended(End::Waiting)) {}
    assert!(back_out(&stage).await);
    assert_eq!(stage.run_to_end().await, Outcome::Reverted);
    let started = started(&stage).await;
    let at = |step: &str| started.iter().position(|started| started.as_str() == step);
    assert!(at("undo-a") < at("undo-c"), "{started:?}");
}

#[tokio::test]
async fn going_back_before_anything_took_place_undoes_nothing() {
    let mut plan = plan(Effect::Opaque, &json!({}));
    plan.stages[0].approval = Some(serde_json::from_value(json!({"by": "lead"})).expect("a grant"));
    let mut stage = Stage::of(forward(plan)).await;
    while !matches!(stage.coordinate().await, Died::Ended(End::Waiting)) {}
    let log = stage.log().await;
    assert_eq!(questions(log.state())[0].asks, Asks::Approve { irreversible: None });
    assert!(back_out(&stage).await);
    assert_eq!(stage.run_to_end().await, Outcome::Reverted);
    assert_eq!(started(&stage).await, [id("tell")]);
}

#[tokio::test]
async fn where_there_is_no_way_back_two_people_have_to_agree() {
    let mut plan = plan(Effect::Opaque, &json!({}));
    plan.stages[1].irreversible = Some("The old columns are gone.".to_owned());
    // One would do for the plan.
    plan.stages[1].approval =
        Some(serde_json::from_value(json!({"by": ["lead", "bob"]})).expect("a grant"));
    let mut stage = Stage::of(forward(plan)).await;
    while !matches!(stage.coordinate().await, Died::Ended(End::Waiting)) {}
    let mut log = stage.log().await;
    assert_eq!(log.state().states()[1].status, Status::Pending);
    let person = |name: &str, account: &str| Actor::Person {
        id: PersonId::of_name(&log.state().planned().plan, name),
        role: Some(RoleId::new("lead").expect("a name")),
        account: Account::named(account),
    };
    // A role that one person holds is not another's because they say so.
    let stranger = person("Max", "max");
    // The same person twice is one person, however the name is written.
    let people = [
        (person("Lena Lead", "lena"), false),
        (person("lena lead", "lena"), false),
        (person("Bob", "bob"), true),
    ];
    let approve = || Command::Approve { stage: id("b"), shown: None };
    let denied = say_as(&mut log, &stranger, approve()).await;
    assert!(
        matches!(denied, Submitted::Refused(Refusal::Denied { denial: Denial::NoRole, .. })),
        "{denied:?}"
    );
    for (actor, expected) in people {
        let said = say_as(&mut log, &actor, approve()).await;
        let done = matches!(said, Submitted::Done(_));
        let proposed = matches!(said, Submitted::Proposed { more: 1, .. });
        assert_eq!((done, proposed), (expected, !expected), "{actor:?}: {said:?}");
    }
    assert_eq!(stage.run_to_end().await, Outcome::DeployedUnwatched);
}
