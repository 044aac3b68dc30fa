//! Every small graph, every place to die, every class, every lost append.
//!
//! The world counts effects. After each story: no step that must not repeat had
//! its effect twice, none was lost, every effect had its intent in the log
//! before it, and the run came to its end.

use backout_core::event::Outcome;
use backout_core::ids::StepId;
use backout_core::plan::Effect;
use backout_core::proof::Tally;
use backout_testkit::memory::Failing;
use backout_testkit::{Die, plans};
use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};
use serde_json::{Value, json};

use crate::stage::Stage;

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

pub(crate) fn id(name: &str) -> StepId {
    StepId::new(name).expect("a name")
}

/// The graph whose edges are the bits of `edges`, over `size` steps.
pub(crate) fn graph(size: usize, edges: u32, effect: impl Fn(usize) -> Effect) -> Value {
    let mut bit = 0;
    let mut steps = Vec::new();
    for (step, name) in NAMES.iter().enumerate().take(size) {
        let mut after = Vec::new();
        for before in NAMES.iter().take(step) {
            if edges >> bit & 1 == 1 {
                after.push(*before);
            }
            bit += 1;
        }
        steps.push(plans::automatic(name, effect(step), &after));
    }
    Value::Array(steps)
}

fn edges_of(size: usize) -> u32 {
    1 << (size * (size - 1) / 2)
}

/// What must be true at the end of every story.
pub(crate) fn judge(stage: &Stage, size: usize, effect: impl Fn(usize) -> Effect, story: &str) {
    assert_eq!(stage.hands.without_intent(), [], "{story}");
    for (index, name) in NAMES.iter().enumerate().take(size) {
        let times = stage.hands.effects(&id(name));
        assert!(times >= 1, "{story}: {name} was lost");
        if !effect(index).may_repeat() {
            assert_eq!(
                times,
                1,
                "{story}: {name} ({}) had its effect {times} times",
                effect(index)
            );
        }
    }
}

/// Items 1 and 3 of the proof, without processes: graphs up to four steps, each
/// step dying at each place, in each class. Prints the table.
#[tokio::test]
async fn every_small_graph_dies_everywhere_and_comes_back() {
    let mut stories = 0;
    let mut table: Vec<(Die, Effect, u32, u32, u32, u32)> = Vec::new();
    for die in Die::ALL {
        for class in Effect::ALL {
            let (mut runs, mut repeats, mut losses, mut asked) = (0, 0, 0, 0);
            for size in 1..=4 {
                for edges in 0..edges_of(size) {
                    for (victim, name) in NAMES.iter().enumerate().take(size) {
                        let steps = graph(size, edges, |_| class);
                        let mut stage = Stage::new(plans::plan(&steps)).await;
                        stage.hands.die(&id(name), die);
                        let story =
                            format!("{size} steps, edges {edges:b}, {die:?} at {victim}, {class}");
                        let outcome = stage.run_to_end().await;
                        assert_eq!(outcome, Outcome::Reverted, "{story}");
                        judge(&stage, size, |_| class, &story);
                        for name in NAMES.iter().take(size) {
                            let times = stage.hands.effects(&id(name));
                            repeats += times.saturating_sub(1);
                            losses += u32::from(times == 0);
                        }
                        runs += 1;
                        asked += stage.doubts_asked;
                    }
                }
            }
            stories += runs;
            table.push((die, class, runs, repeats, losses, asked));
        }
    }
    println!("simulated deaths: place x class, over every graph of up to four steps");
    println!(
        "{:<18} {:<11} {:>6} {:>8} {:>7} {:>6}",
        "place", "class", "runs", "repeats", "losses", "asked"
    );
    for (die, class, runs, repeats, losses, asked) in table {
        println!(
            "{:<18} {class:<11} {runs:>6} {repeats:>8} {losses:>7} {asked:>6}",
            format!("{die:?}")
        );
        assert_eq!(losses, 0);
        // A person is only ever asked about an opaque step that may have happened.
        let may_ask =
            class == Effect::Opaque && matches!(die, Die::BeforeEffect | Die::AfterEffect);
        assert_eq!(asked > 0, may_ask, "{die:?} {class}");
    }
    println!("{stories} runs");
}

/// Steps that nothing verifies: what nobody stands for is not called backed out, whatever
/// died on the way.
#[tokio::test]
async fn a_run_without_checks_is_not_called_verified() {
    for class in Effect::ALL {
        for size in 1..=3 {
            let names = || NAMES.iter().take(size);
            let steps: Vec<Value> =
                names().map(|name| plans::unchecked(name, class, &[])).collect();
            let deaths =
                Die::ALL.into_iter().flat_map(|die| names().map(move |at| Some((die, at))));
            for death in deaths.chain([None]) {
                let mut stage = Stage::new(plans::plan(&json!(steps))).await;
                if let Some((die, name)) = death {
                    stage.hands.die(&id(name), die);
                }
                let story = format!("{size} steps, {death:?}, {class}");
                let outcome = stage.run_to_end().await;
                // The person who was asked says that it happened, and stands for that step.
                let asked = class == Effect::Opaque && matches!(death, Some((Die::AfterEffect, _)));
                let proven = match class {
                    Effect::Read | Effect::Verifiable => size,
                    Effect::Idempotent | Effect::Keyed | Effect::Opaque => usize::from(asked),
                };
                let expected = match proven == size {
                    true => Outcome::Reverted,
                    false => Outcome::Unverified,
                };
                assert_eq!(outcome, expected, "{story}");
                let log = stage.log().await;
                let tally = log.state().tally();
                let attested = usize::from(asked);
                let verified = proven - attested;
                let unverified = size - proven;
                let read_only = if class == Effect::Read { verified } else { 0 };
                let verified = verified - read_only;
                let wanted = Tally { verified, read_only, attested, unverified, skipped: 0 };
                assert_eq!(tally, wanted, "{story}");
                judge(&stage, size, |_| class, &story);
            }
        }
    }
}

/// Every append of a run fails in every way, once.
#[tokio::test]
async fn every_append_is_lost_once() {
    for class in Effect::ALL {
        for edges in 0..edges_of(3) {
            for how in [Failing::Refused, Failing::LostUnknown, Failing::WrittenUnknown] {
                for nth in 1..=9 {
                    let mut stage = Stage::new(plans::plan(&graph(3, edges, |_| class))).await;
                    stage.journal.fail(nth, how);
                    let outcome = stage.run_to_end().await;
                    let story = format!("edges {edges:b}, append {nth} {how:?}, {class}");
                    assert_eq!(outcome, Outcome::Reverted, "{story}");
                    judge(&stage, 3, |_| class, &story);
                }
            }
        }
    }
}

/// Every prefix of a whole log is a run that can be resumed.
#[tokio::test]
async fn every_prefix_of_a_log_can_be_resumed() {
    for class in Effect::ALL {
        for edges in 0..edges_of(3) {
            let steps = graph(3, edges, |_| class);
            let mut whole = Stage::new(plans::plan(&steps)).await;
            whole.run_to_end().await;
            let records = whole.journal.bytes(&whole.run).len();
            for keep in 1..=records {
                let mut stage = Stage::new(plans::plan(&steps)).await;
                stage.run_to_end().await;
                // The rest of the log never became durable, but effects happened
                // and the ledger knows of them.
                stage.journal.cut(&stage.run.clone(), keep);
                let outcome = stage.run_to_end().await;
                assert_eq!(outcome, Outcome::Reverted);
                assert_eq!(stage.hands.without_intent(), [], "{class} {edges:b} {keep}");
            }
        }
    }
}

#[tokio::test]
async fn a_lost_ledger_is_a_doubt_and_not_a_repeat() {
    let steps = graph(2, 1, |_| Effect::Opaque);
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.hands.die(&id("a"), Die::BeforeAccepting);
    stage.coordinate().await;
    stage.hands.lose_ledger();
    stage.run_to_end().await;
    assert_eq!(stage.doubts_asked, 1);
    judge(&stage, 2, |_| Effect::Opaque, "lost ledger");
}

#[tokio::test]
async fn a_verification_that_cannot_tell_asks_a_person() {
    let steps = graph(1, 0, |_| Effect::Verifiable);
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.hands.die(&id("a"), Die::AfterEffect);
    stage.coordinate().await;
    stage.hands.blind(&id("a"));
    // The person says that it happened; its verification is still blind, so the
    // step fails, and the person vouches for it.
    stage.run_to_end().await;
    assert_eq!((stage.doubts_asked, stage.failures_asked), (1, 1));
    assert_eq!(stage.hands.effects(&id("a")), 1);
}

#[tokio::test]
async fn a_step_that_kills_its_coordinator_every_time_ends_with_a_person() {
    // A verifiable step dies before its effect, so that its verification sends it again.
    for (class, die) in
        [(Effect::Idempotent, Die::AfterEffect), (Effect::Verifiable, Die::BeforeEffect)]
    {
        let mut stage = Stage::new(plans::plan(&graph(1, 0, |_| class))).await;
        for _ in 0..=backout_core::doubt::MOST_RECOVERIES {
            stage.hands.die(&id("a"), die);
            stage.coordinate().await;
        }
        stage.run_to_end().await;
        assert_eq!(stage.doubts_asked, 1, "{class}");
    }
}

#[tokio::test]
async fn independent_branches_go_on_after_a_failure_and_dependants_wait() {
    let steps = json!([
        plans::automatic("a", Effect::Opaque, &[]),
        plans::automatic("b", Effect::Opaque, &["a"]),
        plans::automatic("c", Effect::Opaque, &[]),
        plans::automatic("d", Effect::Opaque, &["c"]),
    ]);
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.hands.fail(&id("a"));
    stage.coordinate().await;
    let effects = |name| stage.hands.effects(&id(name));
    assert_eq!((effects("a"), effects("b"), effects("c"), effects("d")), (1, 0, 1, 1));
    assert_eq!(stage.run_to_end().await, Outcome::Reverted);
    assert_eq!(stage.hands.effects(&id("b")), 1);
}

#[tokio::test]
async fn halt_all_stops_independent_branches_too() {
    let mut failing = plans::automatic("a", Effect::Opaque, &[]);
    failing["on_failure"] = json!("halt_all");
    let steps = json!([
        failing,
        plans::automatic("b", Effect::Opaque, &[]),
        plans::automatic("c", Effect::Opaque, &["b"]),
    ]);
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.hands.fail(&id("a"));
    stage.coordinate().await;
    assert_eq!(stage.hands.effects(&id("c")), 0);
}

#[tokio::test]
async fn two_commits_a_step_and_no_more() {
    let steps: Vec<Value> = (0..50)
        .map(|i| json!({"id": format!("s{i}"), "owner": "ann", "run": {"argv": ["true"]}}))
        .collect();
    let mut stage = Stage::new(plans::plan(&json!(steps))).await;
    let before = stage.journal.appends();
    stage.run_to_end().await;
    // Taking over and finishing are one commit each.
    assert_eq!(stage.journal.appends() - before, 2 * 50 + 2);
}

#[tokio::test]
async fn an_older_coordinator_is_fenced() {
    let steps = graph(2, 1, |_| Effect::Opaque);
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.hands.die(&id("a"), Die::LeavingItRunning);
    let log = stage.log().await;
    let mut old = backout_engine::Conductor::new(
        log,
        std::sync::Arc::clone(&stage.hands),
        stage.clock.clone(),
        crate::stage::no_forecast(),
        "old".to_owned(),
    );
    let (_keep, control) = tokio::sync::mpsc::channel(1);
    let mut count = crate::stage::Count::default();
    let old_run = old.run(&mut count, control, backout_engine::Patience::Forever);
    tokio::pin!(old_run);
    // The old one gets as far as its step, and hangs there.
    tokio::select! {
        biased;
        () = stage.hands.dead.notified() => {}
        _ = &mut old_run => panic!("it cannot end"),
    }
    assert_eq!(stage.run_to_end().await, Outcome::Reverted);
    let stopped = old_run.await.expect_err("fenced");
    assert!(matches!(stopped, backout_engine::Stopped::Fenced(_)), "{stopped}");
    judge(&stage, 2, |_| Effect::Opaque, "fenced");
}

/// Larger graphs, several deaths, mixed classes.
fn story() -> impl Strategy<Value = (Vec<u8>, u32, Vec<(prop::sample::Index, prop::sample::Index)>)>
{
    let classes = prop::collection::vec(0..5u8, 5..=8);
    let deaths =
        prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..5);
    (classes, any::<u32>(), deaths)
}

proptest! {
    #[test]
    fn larger_graphs_survive_several_deaths((classes, edges, deaths) in story()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let class = |step: usize| Effect::ALL[usize::from(classes[step])];
            let size = classes.len();
            let mut stage = Stage::new(plans::plan(&graph(size, edges, class))).await;
            for (victim, die) in &deaths {
                stage.hands.die(&id(NAMES[victim.index(size)]), Die::ALL[die.index(Die::ALL.len())]);
                stage.coordinate().await;
            }
            let outcome = stage.run_to_end().await;
            prop_assert_eq!(outcome, Outcome::Reverted);
            judge(&stage, size, class, "a larger graph");
            Ok(())
        })?;
    }
}
