//! Runs a plan through crashes to its end, with a person who answers truthfully.

use std::collections::BTreeMap;
use std::sync::Arc;

use backout_core::act::Answer;
use backout_core::command::{Command, Request};
use backout_core::event::{Outcome, RunPlanned};
use backout_core::ids::{RoleId, RunId, StepId};
use backout_core::people::{Account, PersonId};
use backout_core::plan::Plan;
use backout_core::policy::Policy;
use backout_core::question::{Asks, questions};
use backout_core::record::{Actor, Chain, Record};
use backout_core::state::RunState;
use backout_engine::command::{Sender, Submitted, submit};
use backout_engine::conductor::Observer;
use backout_engine::{Conductor, Control, End, Patience, RunLog, Stopped, start};
use backout_testkit::Pace;
use backout_testkit::{MemoryJournal, SimClock, SimHands, StatedForecast, plans};
use jiff::Timestamp;
use tokio::sync::mpsc;

/// Notes how many records it saw.
#[derive(Default)]
pub(crate) struct Count(pub(crate) usize);

impl Observer for Count {
    fn record(&mut self, _: &Record, _: &RunState) {
        self.0 += 1;
    }
}

pub(crate) struct Stage {
    pub(crate) journal: Arc<MemoryJournal>,
    pub(crate) hands: Arc<SimHands>,
    pub(crate) clock: SimClock,
    pub(crate) run: RunId,
    /// How often a person had to say whether a step happened.
    pub(crate) doubts_asked: u32,
    /// How often a person had to do something about a failed step.
    pub(crate) failures_asked: u32,
    pub(crate) coordinators: u32,
}

/// How one coordinator ended.
#[derive(Debug)]
pub(crate) enum Died {
    Crashed,
    Stopped(Stopped),
    Ended(End),
}

pub(crate) fn lead() -> Actor {
    holder("lead", "lena")
}

/// The holder of a role, logged in with this account.
pub(crate) fn holder(role: &str, account: &str) -> Actor {
    let id = PersonId::Role(RoleId::new(role).expect("a name"));
    Actor::Person { id, role: None, account: Account::named(account) }
}

/// A forecast that knows nothing.
pub(crate) fn no_forecast() -> Arc<StatedForecast> {
    Arc::default()
}

impl Stage {
    pub(crate) async fn new(plan: Plan) -> Self {
        Self::paced(plan, Arc::default()).await
    }

    /// A stage on which everybody lets the others go first now and then.
    pub(crate) async fn paced(plan: Plan, pace: Arc<Pace>) -> Self {
        Self::planned(plans::planned(plan), pace).await
    }

    /// A run whose people and lanes follow this order.
    pub(crate) async fn ordered(plan: Plan, order: Vec<StepId>) -> Self {
        Self::planned(RunPlanned { order, ..plans::planned(plan) }, Arc::default()).await
    }

    /// A run some of whose steps wait for a time.
    pub(crate) async fn at_times(plan: Plan, not_before: BTreeMap<StepId, Timestamp>) -> Self {
        Self::planned(RunPlanned { not_before, ..plans::planned(plan) }, Arc::default()).await
    }

    /// A run that begins in this way.
    pub(crate) async fn of(planned: RunPlanned) -> Self {
        Self::planned(planned, Arc::default()).await
    }

    async fn planned(planned: RunPlanned, pace: Arc<Pace>) -> Self {
        let journal = Arc::new(MemoryJournal::paced(Arc::clone(&pace)));
        let hands = Arc::new(SimHands::paced(Arc::clone(&journal), pace));
        let clock = SimClock::at("2026-06-06T02:00:00Z".parse().expect("a time"));
        let at: Timestamp = "2026-06-06T02:00:00Z".parse().expect("a time");
        let log =
            start::begin(&journal, lead(), at, planned, Vec::new(), None).await.expect("begun");
        let run = log.state().run().clone();
        Self { journal, hands, clock, run, doubts_asked: 0, failures_asked: 0, coordinators: 0 }
    }

    pub(crate) async fn log(&self) -> RunLog<MemoryJournal> {
        RunLog::open(Arc::clone(&self.journal), &self.run).await.expect("a whole log")
    }

    /// Everything in the log.
    pub(crate) async fn records(&self) -> Vec<Record> {
        let mut chain = Chain::new(self.run.clone());
        let stored = self.journal.bytes(&self.run);
        stored.iter().map(|bytes| chain.read(bytes).expect("a whole chain")).collect()
    }

    /// One coordinator, until it ends, stops, or everything dies.
    pub(crate) async fn coordinate(&mut self) -> Died {
        self.coordinators += 1;
        let log = self.log().await;
        let hands = Arc::clone(&self.hands);
        let id = format!("coordinator {}", self.coordinators);
        let mut conductor = Conductor::new(log, hands, self.clock.clone(), no_forecast(), id);
        let (_keep, control) = mpsc::channel::<Control>(1);
        let mut count = Count::default();
        tokio::select! {
            biased;
            () = self.hands.dead.notified() => Died::Crashed,
            ended = conductor.run(&mut count, control, Patience::None) => match ended {
                Ok(end) => Died::Ended(end),
                Err(stopped) => Died::Stopped(stopped),
            }
        }
    }

    /// Coordinators one after the other, and a person who answers, until the run is over.
    pub(crate) async fn run_to_end(&mut self) -> Outcome {
        for _ in 0..200 {
            match self.coordinate().await {
                Died::Ended(End::Finished(outcome)) => return outcome,
                Died::Ended(End::Waiting) => self.answer().await,
                Died::Ended(End::Detached) => panic!("nobody detached"),
                Died::Ended(End::Holding) => panic!("no option keeps users out"),
                Died::Crashed => {}
                Died::Stopped(stopped) => {
                    assert!(!matches!(stopped, Stopped::Fenced(_)), "{stopped}");
                }
            }
        }
        panic!("the run never ends: {:?}", questions(self.log().await.state()));
    }

    /// Answers everything that waits, by what is true in the world.
    async fn answer(&mut self) {
        let mut log = self.log().await;
        let asked = questions(log.state());
        assert!(!asked.is_empty(), "nothing runs, and nobody is asked");
        for question in asked {
            let step = question.step.expect("about a step");
            let answer = match question.asks {
                Asks::InDoubt { .. } => {
                    self.doubts_asked += 1;
                    match self.hands.effects(&step) > 0 {
                        true => Answer::Happened,
                        false => Answer::DidNotHappen,
                    }
                }
                Asks::Failed { .. } => {
                    self.failures_asked += 1;
                    // It failed after its effect: attest it rather than repeat it.
                    Answer::Happened
                }
                other => panic!("unexpected question {other:?}"),
            };
            let said = say(&mut log, Command::Resolve { step, answer }).await;
            assert!(matches!(said, Submitted::Done(_)), "{said:?}");
        }
    }
}

/// The lead sends a command.
pub(crate) async fn say(log: &mut RunLog<MemoryJournal>, command: Command) -> Submitted {
    say_as(log, &lead(), command).await
}

/// A person, or another system, sends a command.
pub(crate) async fn say_as(
    log: &mut RunLog<MemoryJournal>,
    actor: &Actor,
    command: Command,
) -> Submitted {
    let at = "2026-06-06T03:00:00Z".parse().expect("a time");
    let unknown = Account::default();
    let account = match actor {
        Actor::Person { account, .. } => account,
        Actor::Coordinator { .. } | Actor::System { .. } => &unknown,
    };
    let (sender, request) = (
        Sender { actor, account, at: Timestamp::into(at), location: None },
        Request::new(command, "because"),
    );
    submit(log, sender, &request, &*no_forecast(), &Policy::default()).await.expect("written")
}
