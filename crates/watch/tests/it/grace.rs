//! What a stage restarts has no data for a while; `watch.grace` says for how long.

use backout_core::cause::StepFault;
use backout_core::event::{Direction, DoubtCause, Event, Evidence, FailureEffect, Reason};
use backout_core::ids::{Digest, Epoch, RunId, Seq};
use backout_core::plan::{Effect, Plan};
use backout_core::record::{Actor, FORMAT, Record};
use backout_core::state::RunState;
use backout_core::status::Status;
use backout_core::watch::{Meaning, State};
use backout_testkit::plans::planned;
use backout_watch::{News, Setting, Watcher};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::faults::{Says, SimulatedPrometheus, moved, until};
use crate::world;

const GRACE: SignedDuration = SignedDuration::from_mins(1);

/// A deployment of two stages, under watch of one value every 100 ms.
fn plan_of(address: &str) -> Plan {
    let stage = |id: &str| json!({"id": id, "owner": "ops", "takes": "1m", "manual": "do it"});
    let plan = json!({
        "backout": 1,
        "change": {"id": "CHG1", "title": "A change", "owner": "ops"},
        "roles": {"ops": {"name": "Olga Ops"}},
        "watch": {"grace": "1m", "window": "1h"},
        "sources": {"metrics": {"prometheus": address}},
        "triggers": {"t": {
            "every": "100ms", "for": "0s", "recovers_after": "0s",
            "gauge": {"source": "metrics", "query": "x", "limit": "> 5"},
        }},
        "stages": [stage("one"), stage("two")],
        "steps": [{"id": "back", "owner": "ops", "takes": "1m", "manual": "undo it"}],
    });
    serde_json::from_value(plan).expect("a plan")
}

/// The run before its first stage.
fn run_of(plan: &Plan) -> RunState {
    let mut planned = planned(plan.clone());
    planned.direction = Direction::Forward;
    let record = Record {
        v: FORMAT,
        run: RunId::new("CHG1-1").expect("a name"),
        seq: Seq(1),
        epoch: Epoch(0),
        at: Timestamp::now(),
        steady: None,
        actor: Actor::Coordinator { id: "test".to_owned() },
        events: vec![Event::RunPlanned(Box::new(planned))],
        prev: Digest::ZERO,
    };
    RunState::begin(&record, record.seal().digest).expect("a run")
}

/// The run with its stages in these statuses, each since a while ago.
fn run_at(plan: &Plan, stages: [(Status, SignedDuration); 2]) -> RunState {
    let mut state = run_of(plan);
    for (index, (status, ago)) in stages.into_iter().enumerate() {
        let step = state.steps()[index].id.clone();
        let (attempt, evidence) = (1, Evidence::default());
        let intent = Event::StepIntent {
            step: step.clone(),
            attempt,
            key: "key".to_owned(),
            action: Digest::ZERO,
            effect: Effect::Opaque,
        };
        let then = match status {
            Status::Pending => continue,
            Status::Running => None,
            Status::Verifying => Some(Event::StepExecuted { step, attempt, evidence }),
            Status::Succeeded => Some(Event::StepSucceeded { step, attempt, evidence }),
            Status::Failed => Some(Event::StepFailed {
                step,
                attempt,
                effect: FailureEffect::Unknown,
                fault: StepFault::Action { error: "exit 1".to_owned() },
                evidence,
            }),
            Status::InDoubt => Some(Event::StepInDoubt {
                step,
                attempt,
                cause: DoubtCause::SupervisorLost,
                evidence,
                accepted: None,
            }),
            Status::Held | Status::Skipped => panic!("no stage of this test is {status:?}"),
        };
        let at = Timestamp::now().checked_sub(ago).expect("a time");
        let coordinator = Actor::Coordinator { id: "test".to_owned() };
        let events: Vec<Event> = std::iter::once(intent).chain(then).collect();
        state = state.with(&events, &coordinator, at).expect("what can happen");
    }
    state
}

/// What follows once data is missing: `insufficient` while it is excused, else `no_data`.
async fn data_goes(server: &SimulatedPrometheus, news: &mut News) -> (State, Meaning) {
    server.now_says([Says::Empty]);
    let left = until(news, |event| matches!(event, Event::TriggerChanged { from: State::Ok, .. }));
    let Event::TriggerChanged { to, meaning, .. } = left.await else { panic!("it moved") };
    (to, meaning)
}

async fn data_comes(server: &SimulatedPrometheus, news: &mut News) {
    server.now_says([Says::Value("1")]);
    until(news, |event| moved(event, "t", State::Ok)).await;
}

#[tokio::test]
async fn a_stage_excuses_data_that_is_missing_for_the_grace() {
    let server = SimulatedPrometheus::new([Says::Value("1")]);
    let plan = plan_of(&server.address);
    let (watcher, mut news) = Watcher::begin(Setting::new(&plan, world(&plan)));
    let sight = watcher.sight();
    let (excused, no_data) =
        ((State::Insufficient, Meaning::Open), (State::NoData, Meaning::Breach));
    let (now, long_ago) = (SignedDuration::ZERO, GRACE + SignedDuration::from_secs(5));
    let mut told = 0;
    for (one, two, expected) in [
        // Before the first stage data may not be missing once it was there.
        ((Status::Pending, now), (Status::Pending, now), no_data),
        ((Status::Running, now), (Status::Pending, now), excused),
        // Its grace counts from the last data there was while it runs.
        ((Status::Running, long_ago), (Status::Pending, now), excused),
        ((Status::Verifying, long_ago), (Status::Pending, now), excused),
        ((Status::Succeeded, now), (Status::Pending, now), excused),
        ((Status::Succeeded, long_ago), (Status::Pending, now), no_data),
        // Each stage anew.
        ((Status::Succeeded, long_ago), (Status::Running, now), excused),
        ((Status::Succeeded, long_ago), (Status::Succeeded, now), excused),
        ((Status::Succeeded, long_ago), (Status::Failed, long_ago), no_data),
        ((Status::Succeeded, long_ago), (Status::InDoubt, long_ago), no_data),
    ] {
        data_comes(&server, &mut news).await;
        let state = run_at(&plan, [one, two]);
        sight.stands(&state, Timestamp::now());
        let found = data_goes(&server, &mut news).await;
        assert_eq!(found, expected, "{one:?} {two:?}");
        told += 1;
    }
    assert_eq!(told, 10);
    // A breach counts at once, whatever a stage does.
    data_comes(&server, &mut news).await;
    let done = (Status::Succeeded, long_ago);
    let state = run_at(&plan, [done, (Status::Running, now)]);
    sight.stands(&state, Timestamp::now());
    server.now_says([Says::Value("9")]);
    until(&mut news, |event| moved(event, "t", State::Firing)).await;
    // On the way back nothing is excused: what cannot be seen keeps the run open.
    data_comes(&server, &mut news).await;
    let reason = Reason::Person("it is broken".to_owned());
    let back = Event::BackoutStarted { option: None, reason };
    let coordinator = Actor::Coordinator { id: "test".to_owned() };
    let state = state.with(&[back], &coordinator, Timestamp::now()).expect("it turns round");
    sight.stands(&state, Timestamp::now());
    assert_eq!(data_goes(&server, &mut news).await, no_data);
}
