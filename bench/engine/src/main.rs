//! What the engine costs: durable no-op steps, one after the other and side by
//! side; the time from a restart to the next effect; ten thousand steps.
//!
//! Prints one JSON object with the keys the peers' scripts print. The hands do
//! nothing, as the peers' steps do nothing; journal, chain and decisions are real.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use backout_core::attempt::AttemptId;
use backout_core::command::{Command, Request};
use backout_core::doubt::Observation;
use backout_core::event::Evidence;
use backout_core::ids::{Epoch, RoleId, RunId, StepId};
use backout_core::people::{Account, PersonId};
use backout_core::plan::Step;
use backout_core::policy::Policy;
use backout_core::record::{Actor, Record};
use backout_core::state::RunState;
use backout_engine::clock::Clock;
use backout_engine::command::{Sender, Submitted, submit};
use backout_engine::conductor::Observer;
use backout_engine::hands::{Hands, Patience as AskFor, Report, Task, Unreadable, Verdict, World};
use backout_engine::{Conductor, Control, End, Patience, RunLog, start};
use backout_exec::clock::SystemClock;
use backout_sqlite::SqliteJournal;
use backout_testkit::{StatedForecast, plans};
use serde_json::json;
use tokio::sync::mpsc;

/// Hands that do nothing, and tell when they did it first.
#[derive(Default)]
struct Idle {
    first: std::sync::OnceLock<Instant>,
}

impl Hands for Idle {
    async fn perform(&self, _: Task) -> Report {
        self.first.get_or_init(Instant::now);
        Report::Done(Evidence::default())
    }
    async fn observe(&self, _: &AttemptId, _: Epoch) -> Result<Observation, Unreadable> {
        Ok(Observation::NeverAccepted)
    }
    async fn noted(&self, _: &RunId) -> Result<Vec<AttemptId>, Unreadable> {
        Ok(Vec::new())
    }
    async fn accepted(&self, _: &AttemptId) -> Option<jiff::Timestamp> {
        None
    }
    async fn attach(&self, _: &AttemptId) -> Report {
        Report::Done(Evidence::default())
    }
    async fn verify(&self, _: Step, _: Arc<World>, _: AskFor) -> Verdict {
        Verdict::default()
    }
    async fn stop(&self, _: &AttemptId) {}
}

struct Silent;

impl Observer for Silent {
    fn record(&mut self, _: &Record, _: &RunState) {}
}

fn chain(steps: usize, stop_before: Option<usize>) -> backout_core::plan::Plan {
    let steps: Vec<_> = (0..steps)
        .map(|i| match Some(i) == stop_before {
            true => json!({"id": format!("s{i}"), "owner": "ann", "manual": "Wait here."}),
            false => json!({"id": format!("s{i}"), "owner": "ann", "run": {"argv": ["true"]}}),
        })
        .collect();
    plans::plan(&json!(steps))
}

/// The holder of a role, with an account of the same name.
fn person(role: &str) -> Actor {
    let id = PersonId::Role(RoleId::new(role).expect("a name"));
    Actor::Person { id, role: None, account: Account::named(role) }
}

async fn begin(
    journal: &Arc<SqliteJournal>,
    plan: backout_core::plan::Plan,
) -> RunLog<SqliteJournal> {
    let planned = plans::planned(plan);
    start::begin(journal, person("lead"), SystemClock.now(), planned, Vec::new(), None)
        .await
        .expect("begun")
}

async fn conduct(log: RunLog<SqliteJournal>, hands: Arc<Idle>) -> End {
    let (_keep, control) = mpsc::channel::<Control>(1);
    let forecaster = Arc::new(StatedForecast::default());
    let mut conductor = Conductor::new(log, hands, SystemClock, forecaster, "bench".to_owned());
    conductor.run(&mut Silent, control, Patience::None).await.expect("conducted")
}

fn quantiles(mut samples: Vec<f64>) -> serde_json::Value {
    samples.sort_by(f64::total_cmp);
    let rank = |q: f64| {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank"
        )]
        let index = ((samples.len() as f64 * q).ceil() as usize).clamp(1, samples.len()) - 1;
        samples[index]
    };
    json!({"p50_us": rank(0.5), "p99_us": rank(0.99)})
}

async fn sequential(folder: &Path, steps: usize, reps: usize) -> serde_json::Value {
    let journal = Arc::new(SqliteJournal::open(folder).expect("opened"));
    let mut samples = Vec::new();
    for _ in 0..reps {
        // As with the peers: one invocation, from the call to its answer, per step.
        let began = Instant::now();
        let log = begin(&journal, chain(steps, None)).await;
        let end = conduct(log, Arc::default()).await;
        assert!(matches!(end, End::Finished(_)));
        #[expect(clippy::cast_precision_loss, reason = "a few hundred steps")]
        samples.push(began.elapsed().as_secs_f64() * 1e6 / steps as f64);
    }
    quantiles(samples)
}

async fn concurrent(folder: &Path, runs: usize, steps: usize) -> f64 {
    let journal = Arc::new(SqliteJournal::open(folder).expect("opened"));
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for run in 0..runs {
        let journal = Arc::clone(&journal);
        tasks.spawn(async move {
            let mut plan = chain(steps, None);
            plan.change.id = Some(format!("CHG{run}"));
            let log = begin(&journal, plan).await;
            conduct(log, Arc::default()).await
        });
    }
    while let Some(end) = tasks.join_next().await {
        assert!(matches!(end, Ok(End::Finished(_))));
    }
    #[expect(clippy::cast_precision_loss, reason = "a few hundred steps")]
    let rate = (runs * steps) as f64 / began.elapsed().as_secs_f64();
    rate
}

/// A run with `steps` finished steps that waits for a person; then a process
/// that starts over, until its next effect.
async fn restart(folder: &Path, steps: usize) -> (f64, u64) {
    let journal = Arc::new(SqliteJournal::open(folder).expect("opened"));
    let log = begin(&journal, chain(steps + 2, Some(steps))).await;
    let run = log.state().run().clone();
    assert_eq!(conduct(log, Arc::default()).await, End::Waiting);
    // The person answers while nobody is at work.
    let mut log = RunLog::open(Arc::clone(&journal), &run).await.expect("opened");
    let step = StepId::new(format!("s{steps}")).expect("a name");
    let command = Command::Acknowledge { step, note: None, attached: Vec::new() };
    let (actor, account) = (person("ann"), Account::named("ann"));
    let sender =
        Sender { actor: &actor, account: &account, at: SystemClock.moment(), location: None };
    let request = Request { command, reason: None, confirmed: false };
    let (forecast, policy) = (StatedForecast::default(), Policy::default());
    let said = submit(&mut log, sender, &request, &forecast, &policy).await.expect("written");
    assert!(matches!(said, Submitted::Done(_)), "{said:?}");
    let events = log.state().seq().0;
    drop((log, journal));
    let began = Instant::now();
    let journal = Arc::new(SqliteJournal::open(folder).expect("opened"));
    let log = RunLog::open(journal, &run).await.expect("opened");
    let hands = Arc::new(Idle::default());
    conduct(log, Arc::clone(&hands)).await;
    let first = *hands.first.get().expect("an effect");
    (first.duration_since(began).as_secs_f64() * 1e3, events)
}

async fn large(folder: &Path, steps: usize) -> f64 {
    let journal = Arc::new(SqliteJournal::open(folder).expect("opened"));
    let began = Instant::now();
    let log = begin(&journal, chain(steps, None)).await;
    assert!(matches!(conduct(log, Arc::default()).await, End::Finished(_)));
    began.elapsed().as_secs_f64()
}

/// Resident memory of this process in MB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let option = |name: &str, default: usize| {
        let at = words.iter().position(|word| word == name);
        at.and_then(|at| words.get(at + 1)).and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let (reps, big) = (option("--reps", 20), option("--big", 10_000));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // On the disk the peers use, not in memory.
    let scratch = tempfile::Builder::new().prefix("bench-").tempdir_in(".").expect("a folder");
    let folder = |name: &str| scratch.path().join(name);
    if words.iter().any(|word| word == "--only-500") {
        runtime.block_on(sequential(&folder("only"), 500, 1));
        return;
    }
    let result = runtime.block_on(async {
        let mut seq = serde_json::Map::new();
        for steps in [1, 40, 500] {
            let name = format!("seq{steps}");
            seq.insert(steps.to_string(), sequential(&folder(&name), steps, reps).await);
        }
        let rate = concurrent(&folder("concurrent"), 16, 40).await;
        let (restart_ms, events) = restart(&folder("restart"), big / 2).await;
        let before = resident();
        let seconds = large(&folder("large"), big).await;
        json!({
            "peer": "backout", "version": env!("CARGO_PKG_VERSION"), "seq": seq,
            "concurrent_steps_per_s": rate, "restart_ms": restart_ms, "restart_events": events,
            "steps10k_s": seconds, "rss_mb": resident(), "rss_before_mb": before,
        })
    });
    println!("{result}");
}
