//! While the effect of a `verifiable` step may still appear, that its verification does not hold
//! means nothing.

use std::sync::Arc;

use backout_core::command::Command;
use backout_core::event::{Event, Outcome};
use backout_core::ids::StepId;
use backout_core::question::{Asks, questions};
use backout_core::record::Record;
use backout_core::state::RunState;
use backout_core::status::Status;
use backout_engine::conductor::Observer;
use backout_engine::{Conductor, Control, End, Patience};
use backout_testkit::{Die, plans};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::stage::{Stage, no_forecast, say};

fn id(name: &str) -> StepId {
    StepId::new(name).expect("a name")
}

/// A step whose server may be slow, with what the plan says about its time.
fn step(says: &Value) -> Value {
    let mut step = json!({
        "id": "a", "owner": "ann", "effect": "verifiable", "verify": {"file": {"path": "a"}},
        "run": {"argv": ["true"], "timeout": "2m"},
    });
    let says = says.as_object().expect("keys").clone();
    step.as_object_mut().expect("a step").extend(says);
    step
}

/// Notes what people were asked while they could have answered.
#[derive(Debug, Default)]
struct Asked(Vec<(bool, Option<Timestamp>)>);

impl Observer for Asked {
    fn record(&mut self, _: &Record, _: &RunState) {}

    fn waits(&mut self, state: &RunState) {
        for question in questions(state) {
            if let Asks::InDoubt { looks_on, until, .. } = question.asks {
                self.0.push((looks_on, until));
            }
        }
    }
}

/// A coordinator after the crash, until it ends.
async fn carry_on(stage: &mut Stage) -> (End, Asked) {
    let hands = Arc::clone(&stage.hands);
    let log = stage.log().await;
    let clock = stage.clock.clone();
    let mut conductor = Conductor::new(log, hands, clock, no_forecast(), "second".to_owned());
    let (_keep, control) = mpsc::channel::<Control>(1);
    let mut asked = Asked::default();
    let end = conductor.run(&mut asked, control, Patience::None).await.expect("carried on");
    (end, asked)
}

/// A run whose step was accepted and sent, and everything died; the server finishes after this
/// many seconds, if at all.
async fn sent(says: &Value, comes_after: Option<i64>) -> (Stage, Timestamp) {
    let mut stage = Stage::new(plans::plan(&json!([step(says)]))).await;
    stage.hands.die(&id("a"), Die::BeforeEffect);
    stage.coordinate().await;
    let now = backout_engine::clock::Clock::now(&stage.clock);
    if let Some(seconds) = comes_after {
        let at = now + SignedDuration::from_secs(seconds);
        stage.hands.comes_at(&id("a"), &stage.clock, at);
    }
    (stage, now)
}

/// Each time the effect may come at, against each thing the plan says: one effect, and a person
/// is asked from the first look on.
#[tokio::test]
async fn one_effect_whenever_it_comes_before_the_time_that_is_stated() {
    for (says, seconds) in [(json!({"settles": "1m"}), 60), (json!({}), 120)] {
        for comes in (0..seconds).step_by(7) {
            let (mut stage, gone) = sent(&says, Some(comes)).await;
            let (end, asked) = carry_on(&mut stage).await;
            assert_eq!(end, End::Finished(Outcome::Reverted), "{says} {comes}");
            assert_eq!(stage.hands.effects(&id("a")), 1, "{says} {comes}");
            let until = gone + SignedDuration::from_secs(seconds);
            if comes > 0 {
                assert!(!asked.0.is_empty(), "nobody was asked: {says} {comes}");
            }
            assert!(asked.0.iter().all(|asked| *asked == (true, Some(until))), "{asked:?}");
        }
        // It was never sent: known when nothing can be in flight any more, and not before.
        let (mut stage, gone) = sent(&says, None).await;
        let (end, asked) = carry_on(&mut stage).await;
        assert_eq!(end, End::Finished(Outcome::Reverted), "{says}");
        assert_eq!(stage.hands.effects(&id("a")), 1);
        assert!(!asked.0.is_empty());
        let begun: Vec<Timestamp> = stage.records().await.iter().filter_map(intent).collect();
        let [_, again] = begun[..] else { panic!("begun {} times", begun.len()) };
        assert!(again >= gone + SignedDuration::from_secs(seconds), "{again}");
    }
}

fn intent(record: &Record) -> Option<Timestamp> {
    let begins = |event: &Event| matches!(event, Event::StepIntent { .. });
    record.events.iter().any(begins).then_some(record.at)
}

/// What has no effect beyond its processes is over with them.
#[tokio::test]
async fn what_is_local_is_repeated_at_once() {
    for says in [json!({"effects": "local"}), json!({"effects": "local", "settles": "1h"})] {
        let (mut stage, gone) = sent(&says, None).await;
        let (end, asked) = carry_on(&mut stage).await;
        assert_eq!(end, End::Finished(Outcome::Reverted));
        assert!(asked.0.is_empty());
        let now = backout_engine::clock::Clock::now(&stage.clock);
        assert!(now.duration_since(gone) < SignedDuration::from_secs(1), "{now}");
    }
}

/// Where something of it may be alive no time is enough: it waits for a person, and what comes
/// meanwhile settles it.
#[tokio::test]
async fn what_may_be_alive_is_never_repeated_by_itself() {
    for says in [json!({"effects": "local"}), json!({"settles": "1s"}), json!({})] {
        let (mut stage, gone) = sent(&says, None).await;
        stage.hands.lose_ledger();
        let (end, asked) = carry_on(&mut stage).await;
        assert_eq!(end, End::Waiting, "{says}");
        assert!(asked.0.iter().all(|asked| *asked == (true, None)), "{asked:?}");
        stage.clock.set(gone + SignedDuration::from_hours(9));
        let (end, _) = carry_on(&mut stage).await;
        assert_eq!(end, End::Waiting, "{says}");
        let log = stage.log().await;
        let (asked, known) = (questions(log.state()), &log.state().states()[0]);
        assert_eq!(known.status, Status::InDoubt);
        assert!(matches!(asked[0].asks, Asks::InDoubt { looks_on: true, until: None, .. }));
        assert_eq!(stage.hands.effects(&id("a")), 0);

        let now = backout_engine::clock::Clock::now(&stage.clock);
        stage.hands.comes_at(&id("a"), &stage.clock, now);
        let (end, _) = carry_on(&mut stage).await;
        assert_eq!(end, End::Finished(Outcome::Reverted), "it was seen that it holds");
        assert_eq!(stage.hands.effects(&id("a")), 1);
    }
}

/// A person is not made to wait for the look, and their answer counts.
#[tokio::test]
async fn a_look_that_cannot_tell_goes_on_as_well() {
    let (mut stage, gone) = sent(&json!({"settles": "1m"}), None).await;
    stage.hands.blind(&id("a"));
    let (end, asked) = carry_on(&mut stage).await;
    assert_eq!(end, End::Waiting);
    assert!(asked.0.contains(&(true, Some(gone + SignedDuration::from_secs(60)))));
    let log = stage.log().await;
    let asked = questions(log.state());
    assert!(matches!(asked[0].asks, Asks::InDoubt { looks_on: false, .. }), "{asked:?}");
    assert_eq!(stage.hands.effects(&id("a")), 0, "it is not repeated blindly");
}

/// Only what is looked for again has an end of its own: everything else waits for people.
#[tokio::test]
async fn a_doubt_that_only_a_person_ends_leaves_nothing_to_wait_for() {
    for class in ["opaque", "keyed", "verifiable"] {
        let mut step = step(&json!({}));
        step["effect"] = json!(class);
        if class == "verifiable" {
            step["verify"] = json!({"confirm": "It is there"});
        }
        let mut stage = Stage::new(plans::plan(&json!([step]))).await;
        stage.hands.die(&id("a"), Die::BeforeEffect);
        stage.coordinate().await;
        if class == "keyed" {
            stage.hands.lose_ledger();
        }
        let before = backout_engine::clock::Clock::now(&stage.clock);
        let (end, _) = carry_on(&mut stage).await;
        assert_eq!(end, End::Waiting, "{class}");
        let now = backout_engine::clock::Clock::now(&stage.clock);
        assert_eq!(now, before, "{class}: it waited for a time");
    }
}

/// A person has it run again while the effect of the try that failed may still appear: it waits
/// for that, and looks first.
#[tokio::test]
async fn a_retry_waits_until_the_try_before_has_settled() {
    for comes_after in [None, Some(40)] {
        let mut stage = Stage::new(plans::plan(&json!([step(&json!({"settles": "1m"}))]))).await;
        stage.hands.fail(&id("a"));
        stage.coordinate().await;
        let failed = backout_engine::clock::Clock::now(&stage.clock);
        assert_eq!(stage.hands.effects(&id("a")), 1, "it had its effect, and failed");
        // The effect of that try is not there yet, as far as anybody can see.
        stage.hands.take_back(&id("a"));
        if let Some(seconds) = comes_after {
            let at = failed + SignedDuration::from_secs(seconds);
            stage.hands.comes_at(&id("a"), &stage.clock, at);
        }
        let retry = Command::Retry { step: id("a"), new_key: false };
        say(&mut stage.log().await, retry).await;
        let (end, _) = carry_on(&mut stage).await;
        assert_eq!(end, End::Finished(Outcome::Reverted));
        assert_eq!(stage.hands.effects(&id("a")), 1, "{comes_after:?}");
        let begun: Vec<Timestamp> = stage.records().await.iter().filter_map(intent).collect();
        assert!(begun[1] >= failed + SignedDuration::from_secs(60), "{begun:?}");
    }
}
