//! What every journal must do. One suite, run against each.

use std::sync::Arc;

use backout_core::cause::HoldCause;
use backout_core::event::Event;
use backout_core::ids::{Digest, Epoch, RunId, Seq};
use backout_core::record::{Actor, Chain, FORMAT, Record, Sealed};
use backout_engine::journal::{AppendError, Journal};

fn run(name: &str) -> RunId {
    RunId::new(name).expect("a name")
}

/// A sealed record at a position, behind a record with this digest.
#[must_use]
pub fn record(run: &RunId, seq: u64, prev: Digest, reason: &str) -> Sealed {
    Record {
        v: FORMAT,
        run: run.clone(),
        seq: Seq(seq),
        epoch: Epoch(1),
        at: jiff::Timestamp::UNIX_EPOCH,
        steady: None,
        actor: Actor::Coordinator { id: "test".to_owned() },
        events: vec![Event::RunHeld { cause: HoldCause::Person, reason: Some(reason.to_owned()) }],
        prev,
    }
    .seal()
}

/// Runs the whole suite on an empty journal.
///
/// # Panics
/// When the journal breaks a promise.
pub async fn suite<J: Journal>(journal: Arc<J>) {
    what_is_appended_is_read(&*journal).await;
    only_the_expected_position_is_written(&*journal).await;
    logs_do_not_mix(&*journal).await;
    bytes_come_back_unchanged(&*journal).await;
    of_many_writers_one_wins_each_position(&journal).await;
    a_waiting_reader_hears_of_a_record(&journal).await;
}

async fn what_is_appended_is_read<J: Journal>(journal: &J) {
    let run = run("read-1");
    assert!(journal.read(&run, Seq(0)).await.expect("readable").is_empty());
    let first = record(&run, 1, Digest::ZERO, "one");
    let second = record(&run, 2, first.digest, "two");
    journal.append(&run, Seq(0), first.clone()).await.expect("appended");
    journal.append(&run, Seq(1), second.clone()).await.expect("appended");
    let stored = journal.read(&run, Seq(0)).await.expect("readable");
    assert_eq!(stored, [first.bytes, second.bytes.clone()]);
    assert_eq!(journal.read(&run, Seq(1)).await.expect("readable"), [second.bytes]);
    let mut chain = Chain::new(run.clone());
    for bytes in stored {
        chain.read(&bytes).expect("a whole chain");
    }
    let runs = journal.runs().await.expect("readable");
    assert!(runs.contains(&(run, Seq(2))), "{runs:?}");
}

async fn only_the_expected_position_is_written<J: Journal>(journal: &J) {
    let run = run("expect-1");
    let first = record(&run, 1, Digest::ZERO, "one");
    for wrong in [1, 2, 100] {
        let refused = journal.append(&run, Seq(wrong), first.clone()).await;
        assert!(matches!(refused, Err(AppendError::Moved)), "{wrong}: {refused:?}");
    }
    journal.append(&run, Seq(0), first.clone()).await.expect("appended");
    let again = journal.append(&run, Seq(0), first).await;
    assert!(matches!(again, Err(AppendError::Moved)), "{again:?}");
    assert_eq!(journal.read(&run, Seq(0)).await.expect("readable").len(), 1);
}

async fn logs_do_not_mix<J: Journal>(journal: &J) {
    let (one, other) = (run("mix-1"), run("mix-2"));
    journal.append(&one, Seq(0), record(&one, 1, Digest::ZERO, "x")).await.expect("appended");
    assert!(journal.read(&other, Seq(0)).await.expect("readable").is_empty());
    journal.append(&other, Seq(0), record(&other, 1, Digest::ZERO, "y")).await.expect("appended");
    assert_eq!(journal.read(&one, Seq(0)).await.expect("readable").len(), 1);
}

async fn bytes_come_back_unchanged<J: Journal>(journal: &J) {
    let run = run("bytes-1");
    let odd = "é\u{0}\u{1b}[31m\u{202e}\n".repeat(20_000);
    let first = record(&run, 1, Digest::ZERO, &odd);
    journal.append(&run, Seq(0), first.clone()).await.expect("appended");
    assert_eq!(journal.read(&run, Seq(0)).await.expect("readable"), [first.bytes]);
}

async fn of_many_writers_one_wins_each_position<J: Journal>(journal: &Arc<J>) {
    let run = run("race-1");
    for position in 0..8 {
        let racers = (0..8).map(|racer| {
            let (journal, run) = (Arc::clone(journal), run.clone());
            tokio::spawn(async move {
                let record = record(&run, position + 1, Digest::ZERO, &format!("racer {racer}"));
                journal.append(&run, Seq(position), record).await.is_ok()
            })
        });
        let mut won = 0;
        for racer in racers.collect::<Vec<_>>() {
            won += u32::from(racer.await.expect("no panic"));
        }
        assert_eq!(won, 1, "position {position}");
    }
    assert_eq!(journal.read(&run, Seq(0)).await.expect("readable").len(), 8);
}

async fn a_waiting_reader_hears_of_a_record<J: Journal>(journal: &Arc<J>) {
    let run = run("wait-1");
    let (waiting, name) = (Arc::clone(journal), run.clone());
    let reader = tokio::spawn(async move { waiting.changed(&name, Seq(0)).await });
    tokio::task::yield_now().await;
    journal.append(&run, Seq(0), record(&run, 1, Digest::ZERO, "x")).await.expect("appended");
    reader.await.expect("no panic").expect("readable");
    // What is there already is heard at once.
    journal.changed(&run, Seq(0)).await.expect("readable");
}
