//! Runs in every situation, made of events.

use std::collections::BTreeMap;

use backout_core::act::Answer;
use backout_core::cause::{DecisionCause, HoldCause, StepFault};
use backout_core::choice::DecisionRequested;
use backout_core::event::{
    Direction, DoubtCause, Event, Evidence, FailureEffect, Instants, Mode, ResolvedBy, RunPlanned,
};
use backout_core::ids::{Digest, Epoch, OptionId, RoleId, RunId, Seq, StepId};
use backout_core::location::Location;
use backout_core::people::{Account, PersonId};
use backout_core::plan::{Plan, Severity};
use backout_core::record::{Actor, FORMAT, Record};
use backout_core::state::RunState;
use backout_core::status::Status;
use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) fn now() -> Timestamp {
    "2026-06-06T02:00:00Z".parse().expect("a time")
}

pub(crate) fn step(name: &str) -> StepId {
    StepId::new(name).expect("a name")
}

pub(crate) fn role(name: &str) -> RoleId {
    RoleId::new(name).expect("a name")
}

/// A person in a role of the plan, with the account of the same name.
pub(crate) fn person(name: &str) -> (Actor, Account) {
    let account = Account::named(name);
    let id = PersonId::Role(role(name));
    (Actor::Person { id, role: Some(role(name)), account: account.clone() }, account)
}

pub(crate) fn coordinator() -> Actor {
    Actor::Coordinator { id: "test".to_owned() }
}

/// The kinds of step a command meets.
pub(crate) const KINDS: [&str; 3] = ["machine", "manual", "unchecked"];

fn unit(id: &str, kind: &str) -> Value {
    let mut unit = json!({"id": id, "owner": "ann", "after": []});
    match kind {
        "manual" => unit["manual"] = json!("Do it."),
        "machine" => {
            unit["run"] = json!({"argv": ["true"]});
            unit["verify"] = json!({"file": {"path": id}});
        }
        _ => unit["run"] = json!({"argv": ["true"]}),
    }
    unit
}

/// A plan with a stage and a step of this kind, and an option that keeps users out.
pub(crate) fn plan(kind: &str) -> Plan {
    let mut stage = unit("stage", kind);
    stage["undone_by"] = json!(["undo"]);
    let mut last = unit("last", "manual");
    last["undone_by"] = json!(["undo"]);
    last["after"] = json!(["stage"]);
    let plan = json!({
        "backout": 1,
        "change": {"id": "CHG1", "title": "A change", "owner": "lead"},
        "roles": {
            "lead": {"name": "Lena Lead"},
            "ann": {"name": "Ann Other", "deputies": ["bob"]},
            "bob": {"name": "Bob Bee"},
            "guest": {"name": "Gus Guest"},
        },
        "decision": {"critical": {"action": "back-out", "by": "lead", "within": "5m"}},
        "options": {
            "close": {"title": "Keep users out", "steps": ["undo"], "holding": true},
            "full": {"title": "All", "default": true},
        },
        "triggers": {"page": {"severity": "critical", "probe": {"file": {"path": "page"}}}},
        "stages": [stage, last],
        "steps": [unit("undo", kind), {"id": "tell", "owner": "bob", "after": ["undo"], "manual": "Tell them."}],
    });
    serde_json::from_value(plan).expect("a plan")
}

/// What is going on in the run around the step.
pub(crate) const SCENES: [&str; 10] = [
    "back",
    "back, held",
    "back, awaiting agreement",
    "back, holding",
    "forward",
    "forward, awaiting agreement",
    "forward, asked",
    "forward, fixing",
    "forward, irreversible",
    "finished",
];

/// Where the step stands.
pub(crate) const STATUSES: [Status; 8] = Status::ALL;

/// A run in a situation, and the step it is about; nothing where the situation cannot be.
pub(crate) fn run(scene: &str, kind: &str, status: Status) -> Option<(RunState, StepId)> {
    run_of(plan(kind), scene, kind, status)
}

/// The same of a plan whose steps the lead owns, too.
pub(crate) fn run_of_lead(scene: &str, kind: &str, status: Status) -> Option<(RunState, StepId)> {
    let mut plan = plan(kind);
    for step in plan.stages.iter_mut().chain(&mut plan.steps) {
        step.owner = Some(role("lead"));
    }
    run_of(plan, scene, kind, status)
}

/// The same of this plan.
pub(crate) fn run_of(
    mut plan: Plan,
    scene: &str,
    kind: &str,
    status: Status,
) -> Option<(RunState, StepId)> {
    let forward = scene.starts_with("forward");
    if scene == "forward, irreversible" {
        plan.stages[0].irreversible = Some("the old data is gone".to_owned());
    }
    let direction = if forward { Direction::Forward } else { Direction::Back };
    let option = OptionId::new(if scene == "back, holding" { "close" } else { "full" });
    let planned = RunPlanned {
        option: (!forward).then(|| option.expect("a name")),
        quorum: scene.ends_with("awaiting agreement").then_some(2),
        ..planned(plan, direction)
    };
    let mut run = begun(planned);
    let about = step(if forward { "stage" } else { "undo" });
    let awaits = scene.ends_with("awaiting agreement");
    if awaits && status != Status::Pending {
        return None;
    }
    run.bring(&about, kind, status)?;
    match scene {
        "back, held" => {
            let held = Event::RunHeld { cause: HoldCause::Person, reason: Some("wait".to_owned()) };
            run.write(person("lead").0, held);
        }
        "back, holding" => {
            if !run.state.is_settled() {
                return None;
            }
            let option = OptionId::new("close").expect("a name");
            run.write(coordinator(), Event::HoldingReached { option });
        }
        "forward, asked" | "forward, fixing" => {
            run.ask();
            if scene == "forward, fixing" {
                let until = "2026-06-06T02:30:00Z".parse().expect("a time");
                run.decide(backout_core::choice::Choice::FixForward { until });
            }
        }
        "finished" => {
            let outcome = backout_core::event::Outcome::Abandoned { reason: "enough".to_owned() };
            run.write(coordinator(), Event::RunFinished { outcome });
        }
        _ => {}
    }
    Some((run.state, about))
}

fn planned(plan: Plan, direction: Direction) -> RunPlanned {
    RunPlanned {
        uid: None,
        plan_digest: Digest::ZERO,
        source: String::new(),
        folder: "/".to_owned(),
        window: Instants::default(),
        mode: Mode::Live,
        option: None,
        only: Vec::new(),
        order: Vec::new(),
        not_before: BTreeMap::new(),
        baselines: None,
        direction,
        earlier: None,
        file: None,
        keeps_marks: false,
        marks_elsewhere: None,
        location: None,
        environment: None,
        reason: None,
        policy: Default::default(),
        beside: Vec::new(),
        confirmed: Vec::new(),
        quorum: None,
        plan,
    }
}

/// A run with its first coordinator.
fn begun(planned: RunPlanned) -> Run {
    let mut run = Run { state: begin(planned), seq: 1 };
    run.write(
        coordinator(),
        Event::OwnerAcquired {
            epoch: Epoch(1),
            coordinator: "test".to_owned(),
            places: None,
            location: Some(here()),
        },
    );
    run
}

fn begin(planned: RunPlanned) -> RunState {
    let record = Record {
        v: FORMAT,
        run: RunId::new("CHG1-1").expect("a name"),
        seq: Seq(1),
        epoch: Epoch(0),
        at: now(),
        steady: None,
        actor: person("lead").0,
        events: vec![Event::RunPlanned(Box::new(planned))],
        prev: Digest::ZERO,
    };
    RunState::begin(&record, Digest::ZERO).expect("begun")
}

pub(crate) struct Run {
    pub(crate) state: RunState,
    seq: u64,
}

/// A run that goes back by this plan, with a coordinator.
pub(crate) fn run_back(plan: Plan) -> Run {
    let planned = planned(plan, Direction::Back);
    begun(planned)
}

impl Run {
    pub(crate) fn write(&mut self, actor: Actor, event: Event) {
        self.seq += 1;
        let record = Record {
            v: FORMAT,
            run: self.state.run().clone(),
            seq: Seq(self.seq),
            epoch: Epoch(1),
            at: now(),
            steady: None,
            actor,
            events: vec![event],
            prev: Digest::ZERO,
        };
        self.state.apply(&record, Digest::ZERO).expect("a legal event");
    }

    fn ask(&mut self) {
        let mut asked = DecisionRequested::discretionary(1, "");
        asked.severity = Severity::Critical;
        asked.causes = vec![DecisionCause::FiredAndOver {
            trigger: backout_core::ids::TriggerId::new("page").expect("a name"),
        }];
        asked.asked = vec![role("lead")];
        self.write(coordinator(), Event::DecisionRequested(Box::new(asked)));
    }

    fn decide(&mut self, choice: backout_core::choice::Choice) {
        let reason = backout_core::event::Reason::Person("because".to_owned());
        let events = backout_core::decision::decided(
            self.state.release(),
            choice,
            reason,
            None,
            BTreeMap::new(),
        );
        for event in events {
            self.write(person("lead").0, event);
        }
    }

    /// Brings a step to a status by what can really have happened to it.
    fn bring(&mut self, step: &StepId, kind: &str, status: Status) -> Option<()> {
        let (step, attempt, evidence) = (step.clone(), 1, Evidence::default());
        let manual = kind == "manual";
        let intent = Event::StepIntent {
            step: step.clone(),
            attempt,
            key: "key".to_owned(),
            action: Digest::ZERO,
            effect: backout_core::plan::Effect::Opaque,
        };
        if !matches!(status, Status::Pending | Status::Skipped) {
            self.write(coordinator(), intent);
        }
        let doubt = Event::StepInDoubt {
            step: step.clone(),
            attempt,
            cause: DoubtCause::SupervisorLost,
            evidence: evidence.clone(),
            accepted: None,
        };
        match status {
            Status::Pending | Status::Running => {}
            Status::Verifying => {
                let actor = if manual { person("ann").0 } else { coordinator() };
                self.write(actor, Event::StepExecuted { step, attempt, evidence });
            }
            Status::Succeeded => {
                self.write(coordinator(), Event::StepSucceeded { step, attempt, evidence });
            }
            Status::Failed => {
                let fault = StepFault::Action { error: "exit 3".to_owned() };
                let effect = FailureEffect::Unknown;
                self.write(
                    coordinator(),
                    Event::StepFailed { step, attempt, effect, fault, evidence },
                );
            }
            // A manual step is with a person: its outcome is never unknown.
            Status::InDoubt | Status::Held if manual => return None,
            Status::InDoubt => self.write(coordinator(), doubt),
            Status::Held => {
                self.write(coordinator(), doubt);
                let (answer, by) = (Answer::Hold, ResolvedBy::Person);
                let reason = Some("looking".to_owned());
                self.write(
                    person("lead").0,
                    Event::StepResolved { step, attempt, answer, by, reason },
                );
            }
            Status::Skipped => {
                let reason = "not needed".to_owned();
                self.write(
                    person("lead").0,
                    Event::StepSkipped { step, confirmed: Vec::new(), reason },
                );
            }
        }
        Some(())
    }
}

/// Where the last coordinator was.
pub(crate) fn here() -> Location {
    let known = |text: &str| Some(text.to_owned());
    Location { machine: known("here"), boot: known("boot"), folder: known("1@1") }
}

/// A copy of its folder.
pub(crate) fn copy() -> Location {
    Location { folder: Some("2@2".to_owned()), ..here() }
}
