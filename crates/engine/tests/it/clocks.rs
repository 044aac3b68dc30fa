//! The clock on the wall is set, in every phase: what is counted goes on as if it had not been,
//! and the log says so.

use std::sync::Arc;

use backout_core::decide::decide;
use backout_core::event::Event;
use backout_core::ids::{Digest, StepId};
use backout_core::moment::{Moment, Steady};
use backout_core::record::{FORMAT, Record};
use backout_core::state::RunState;
use backout_core::watch::{Meaning, State};
use backout_engine::conductor::Observer;
use backout_engine::{Conductor, Control, End, Patience};
use backout_testkit::{Die, plans};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::night::{Night, at, plan};
use crate::stage::{Stage, lead, no_forecast};

fn id(name: &str) -> StepId {
    StepId::new(name).expect("a name")
}

struct Silent;

impl Observer for Silent {
    fn record(&mut self, _: &Record, _: &RunState) {}
}

/// When the clock is set.
#[derive(Debug, Clone, Copy)]
enum When {
    Never,
    /// While nobody coordinates, behind the crash.
    Between,
    /// So many milliseconds after it all began, under a coordinator.
    During(i64),
}

/// A run whose first coordinator dies; by which time that never jumps each attempt began, and
/// how often the log tells of a jump.
async fn story(
    step: &Value,
    die: Option<Die>,
    when: When,
    by: SignedDuration,
) -> (Vec<i64>, usize) {
    let mut stage = Stage::new(plans::plan(&json!([step]))).await;
    match die {
        Some(die) => stage.hands.die(&id("a"), die),
        None => stage.hands.fail(&id("a")),
    }
    if let When::During(ms) = when {
        stage.clock.jump_after(ms, by);
    }
    if die.is_some() {
        stage.coordinate().await;
    }
    if matches!(when, When::Between) {
        stage.clock.jump(by);
    }
    let (log, hands) = (stage.log().await, Arc::clone(&stage.hands));
    let clock = stage.clock.clone();
    let mut conductor = Conductor::new(log, hands, clock, no_forecast(), "second".to_owned());
    let (_keep, control) = mpsc::channel::<Control>(1);
    let end = conductor.run(&mut Silent, control, Patience::None).await.expect("carried on");
    assert!(matches!(end, End::Finished(_)), "{step} {when:?}: {end:?}");
    let records = stage.records().await;
    let begun = |record: &&Record| {
        record.events.iter().any(|event| matches!(event, Event::StepIntent { .. }))
    };
    let begun = records.iter().filter(begun);
    let begun = begun.map(|record| record.steady.as_ref().expect("it is known").ms).collect();
    let events = records.iter().flat_map(|record| &record.events);
    (begun, events.filter(|event| matches!(event, Event::ClockChanged { by: Some(_) })).count())
}

/// A pause before a retry, and the time in which an effect may still appear: against a clock that
/// is set an hour forward and back, between two coordinators and in the middle of a sleep.
#[tokio::test]
async fn a_pause_is_as_long_as_it_is_whatever_the_wall_shows() {
    let pause = json!({
        "id": "a", "owner": "ann", "effect": "idempotent", "run": {"argv": ["true"]},
        "retry": {"attempts": 3, "pause": "10m"},
    });
    let settles = json!({
        "id": "a", "owner": "ann", "effect": "verifiable", "run": {"argv": ["true"]},
        "verify": {"file": {"path": "a"}}, "settles": "10m",
    });
    println!("clock set      when           step       second try at");
    for (name, step, die) in
        [("pause", &pause, None), ("settles", &settles, Some(Die::BeforeEffect))]
    {
        let (usual, told) = story(step, die, When::Never, SignedDuration::ZERO).await;
        assert_eq!((usual.len(), told), (2, 0), "{name}");
        assert!(usual[1] >= 600_000, "{usual:?}");
        for hours in [1, -1] {
            let by = SignedDuration::from_hours(hours);
            let between = die.map(|_| When::Between);
            let whens = [1, 300_000, 590_000].map(When::During);
            for when in whens.into_iter().chain(between) {
                let (begun, told) = story(step, die, when, by).await;
                println!(
                    "{hours:+} h           {:14} {name:10} {} ms",
                    format!("{when:?}"),
                    begun[1]
                );
                assert_eq!(begun.len(), 2, "{name} {when:?} {by}");
                let off = (begun[1] - usual[1]).abs();
                assert!(off <= 1_000, "{name} {when:?} {by}: {begun:?}, else {usual:?}");
                assert_eq!(told, 1, "{name} {when:?} {by}: the log tells of it once");
            }
        }
    }
}

/// The machine starts anew: nothing but the wall is left, and that is said.
#[tokio::test]
async fn another_running_of_the_machine_is_noted() {
    let step = json!({
        "id": "a", "owner": "ann", "effect": "verifiable", "run": {"argv": ["true"]},
        "verify": {"file": {"path": "a"}}, "settles": "10m",
    });
    let mut stage = Stage::new(plans::plan(&json!([step]))).await;
    stage.hands.die(&id("a"), Die::BeforeEffect);
    stage.coordinate().await;
    stage.clock.start_anew(SignedDuration::from_mins(3));
    stage.coordinate().await;
    let records = stage.records().await;
    let events: Vec<&Event> = records.iter().flat_map(|record| &record.events).collect();
    let changes = events.iter().filter(|event| matches!(event, Event::ClockChanged { by: None }));
    assert_eq!(changes.count(), 1);
    assert_eq!(stage.hands.effects(&id("a")), 1);
}

/// The same state, on a clock that was set this minute.
fn set(night: &Night, minutes: i64, by: SignedDuration) -> RunState {
    let steady = |ms| Some(Steady { boot: "one".to_owned(), ms });
    let mut state = night.0.clone();
    let record = Record {
        v: FORMAT,
        run: state.run().clone(),
        seq: state.seq().next(),
        epoch: state.epoch(),
        at: at(minutes),
        steady: steady(0),
        actor: lead(),
        events: Vec::new(),
        prev: Digest::ZERO,
    };
    state.apply(&record, Digest::ZERO).expect("legal");
    state.on_clock(&Moment { wall: at(minutes) + by, steady: steady(0) })
}

/// What is due, each time in it as what is left until then.
fn due(state: &RunState, now: Timestamp) -> String {
    let said = format!("{:#?}", decide(state, now));
    let relative = |word: &str| {
        let bare = word.trim_end_matches(',');
        bare.parse::<Timestamp>().ok().map(|at| format!("{:#}", at.duration_since(now)))
    };
    let words = said.split_whitespace();
    words
        .map(|word| relative(word).unwrap_or_else(|| word.to_owned()))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Every phase of a release against every minute after: the same is due, in the same time.
#[test]
fn every_phase_of_a_release_goes_on_as_if_the_clock_had_not_been_set() {
    let decision = json!({
        "critical": {"action": "back-out", "by": "lead", "within": "5m", "escalate": ["boss"], "if_unanswered": "back-out"},
        "major": {"action": "back-out-unless-fixable", "by": "lead", "within": "15m", "fix_window": "20m"},
    });
    let begun = || {
        let mut night = Night::new(plan(&decision, &json!({})));
        night.stage_is_done(1);
        night
    };
    let baking = begun();
    let mut asked = begun();
    asked.moves(2, "logins", State::Firing, Meaning::Breach);
    asked.due(2);
    let mut passed_on = begun();
    passed_on.moves(2, "logins", State::Firing, Meaning::Breach);
    passed_on.due(2);
    passed_on.due(7);
    let mut fixing = begun();
    fixing.moves(2, "slow", State::Firing, Meaning::Breach);
    fixing.due(2);
    let mut watched = begun();
    watched.all_well(2);
    watched.due(11);
    let phases = [
        ("bake", baking, 3),
        ("asked", asked, 3),
        ("passed on", passed_on, 8),
        ("fix", fixing, 3),
        ("watch", watched, 12),
    ];
    let mut cases = 0;
    for (phase, night, set_at) in &phases {
        for hours in [1, -1] {
            let by = SignedDuration::from_hours(hours);
            let after = set(night, *set_at, by);
            let before = set(night, *set_at, SignedDuration::ZERO);
            for minute in *set_at..150 {
                let (usual, got) = (due(&before, at(minute)), due(&after, at(minute) + by));
                assert_eq!(got, usual, "{phase}, set by {hours} h, minute {minute}");
                cases += 1;
            }
            // It is no wonder that it is the same: without that it would not be.
            let naive = (*set_at..150)
                .any(|minute| due(&before, at(minute)) != due(&night.0, at(minute) + by));
            assert!(naive, "{phase}: nothing is counted here");
        }
    }
    assert!(cases > 1000, "{cases}");
}
