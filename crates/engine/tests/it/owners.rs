//! Several coordinators own one run at the same time, as when a lease is lost
//! or somebody deletes it. In every interleaving the log decides: one of them
//! dispatches a step, the others stop.

use std::sync::Arc;

use backout_core::event::{Event, Outcome};
use backout_core::plan::Effect;
use backout_engine::log::WriteError;
use backout_engine::{Conductor, Control, Patience, RunLog, Stopped};
use backout_testkit::Pace;
use backout_testkit::{MemoryJournal, SimHands, plans};
use proptest::prelude::{Strategy, prop, prop_assert, prop_assert_eq, proptest};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::crashes::{graph, id, judge};
use crate::stage::{Count, Stage, no_forecast};

/// What one coordinator comes to.
#[derive(Debug)]
enum Fate {
    Killed,
    Ended,
    Fenced,
}

/// One coordinator, killed after it was polled this often.
async fn coordinate(
    journal: Arc<MemoryJournal>,
    stage: (Arc<SimHands>, backout_testkit::SimClock, backout_core::ids::RunId),
    name: String,
    life: usize,
) -> Fate {
    let (hands, clock, run) = stage;
    let (_keep, control) = mpsc::channel::<Control>(1);
    let mut count = Count::default();
    let work = async {
        let log = RunLog::open(journal, &run).await.expect("a whole log");
        let mut conductor = Conductor::new(log, hands, clock, no_forecast(), name);
        conductor.run(&mut count, control, Patience::None).await
    };
    let death = async {
        for _ in 0..life {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = death => Fate::Killed,
        ended = work => match ended {
            Ok(_) => Fate::Ended,
            Err(Stopped::Fenced(_)) => Fate::Fenced,
            // Another one finished the run before this one could take it over.
            Err(Stopped::Write(WriteError::Illegal(_))) => Fate::Ended,
            Err(other) => panic!("{other}"),
        }
    }
}

/// Graph, effect classes, pace, and each coordinator's length of life.
fn night() -> impl Strategy<Value = (u32, Vec<u8>, u64, Vec<usize>)> {
    let classes = prop::collection::vec(0..5u8, 4);
    (0..64u32, classes, 1..u64::MAX, prop::collection::vec(1..400usize, 2..=4))
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(600))]
    #[test]
    fn many_owners_do_the_work_of_one((edges, classes, seed, lives) in night()) {
        let class = |step: usize| Effect::ALL[usize::from(classes[step]) % Effect::ALL.len()];
        let steps: Value = graph(4, edges, class);
        let story = format!("{edges:b} {classes:?} {seed} {lives:?}");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut stage = Stage::paced(plans::plan(&steps), Arc::new(Pace::new(seed))).await;
            let owners: Vec<_> = lives.iter().enumerate().map(|(index, life)| {
                let world = (Arc::clone(&stage.hands), stage.clock.clone(), stage.run.clone());
                let journal = Arc::clone(&stage.journal);
                tokio::spawn(coordinate(journal, world, format!("owner {index}"), *life))
            }).collect();
            let mut fenced = 0;
            for owner in owners {
                let fate = owner.await.expect("no panic");
                fenced += u32::from(matches!(fate, Fate::Fenced));
            }
            let outcome = stage.run_to_end().await;
            prop_assert_eq!(outcome, Outcome::Reverted, "{}", story);
            judge(&stage, 4, class, &story);
            // Nobody is asked: every supervisor lived, so every end is on record.
            prop_assert_eq!(stage.doubts_asked, 0, "{}", story);
            // The terms in the log only ever grow, and only the last one dispatches.
            let records = stage.records().await;
            let (mut term, mut owners) = (0, 0);
            for record in &records {
                prop_assert!(record.epoch.0 >= term, "{}: {:?}", story, record);
                let took_over = record.events.iter()
                    .any(|event| matches!(event, Event::OwnerAcquired { .. }));
                owners += u32::from(took_over);
                term = record.epoch.0;
            }
            prop_assert!(owners > fenced, "{}: {} owners, {} fenced", story, owners, fenced);
            for (index, name) in ["a", "b", "c", "d"].iter().enumerate() {
                let intents = records.iter().flat_map(|record| &record.events)
                    .filter(|event| matches!(event, Event::StepIntent { step, .. } if *step == id(name)))
                    .count();
                prop_assert!(intents >= 1, "{}: {} {}", story, index, name);
            }
            Ok(())
        })?;
    }
}
