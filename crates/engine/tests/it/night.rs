//! A night on a simulated clock: a run, and what happens to it, minute by minute.

use backout_core::choice::Choice;
use backout_core::command::{Command, Request};
use backout_core::decide::decide;
use backout_core::decision::decided;
use backout_core::duration::Span;
use backout_core::event::{Event, Evidence, Reason, RunPlanned, Verified};
use backout_core::handle::{Facts, handle};
use backout_core::ids::{RoleId, StepId, TriggerId};
use backout_core::intent::{Intent, Timer};
use backout_core::people::{Account, PersonId};
use backout_core::plan::Effect;
use backout_core::policy::Policy;
use backout_core::record::{Actor, Record};
use backout_core::refusal::Refusal;
use backout_core::state::RunState;
use backout_core::watch::{Meaning, Measured, Reading, State};
use backout_testkit::plans;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::forward::forward;
use crate::stage::lead;

pub(crate) fn at(minutes: i64) -> Timestamp {
    let start: Timestamp = "2026-06-06T02:00:00Z".parse().expect("a time");
    start + SignedDuration::from_mins(minutes)
}

pub(crate) fn plan(decision: &Value, more: &Value) -> RunPlanned {
    let mut sections = json!({
        "roles": {
            "lead": {"name": "Lena Lead", "deputies": ["deputy"]},
            "deputy": {"name": "Dee Deputy"},
            "boss": {"name": "Bo Boss"},
            "ann": {"name": "Ann"},
            "bob": {"name": "Bob"},
        },
        "watch": {"window": "1h"},
        "stages": [{"id": "a", "owner": "ann", "run": {"argv": ["true"]}, "bake": "10m", "undone_by": ["undo-a"]}],
        "triggers": {
            "logins": {"severity": "critical", "gauge": {"url": "http://x", "limit": "> 5"}},
            "slow": {"severity": "major", "gauge": {"url": "http://x", "limit": "> 5"}},
            "odd": {"severity": "minor", "gauge": {"url": "http://x", "limit": "> 5"}},
        },
        "decision": decision,
    });
    if let (Some(sections), Some(more)) = (sections.as_object_mut(), more.as_object()) {
        sections.extend(more.clone());
    }
    forward(plans::plan_with(
        &json!([plans::automatic("undo-a", Effect::Verifiable, &[])]),
        &sections,
    ))
}

/// A step begins.
pub(crate) fn intent(name: &str, attempt: u32) -> Event {
    Event::StepIntent {
        step: StepId::new(name).expect("a name"),
        attempt,
        key: "k".to_owned(),
        action: backout_core::ids::Digest::ZERO,
        effect: Effect::Opaque,
    }
}

/// A step is done, and its verification, if it has one, holds.
pub(crate) fn succeeded(name: &str, attempt: u32) -> Event {
    let held = Verified { check: "file".to_owned(), found: "there".to_owned(), holds: Some(true) };
    Event::StepSucceeded {
        step: StepId::new(name).expect("a name"),
        attempt,
        evidence: Evidence { verified: vec![held], ..Evidence::default() },
    }
}

/// The time of something that is due.
pub(crate) fn wake(minutes: i64, of: Timer) -> Intent {
    Intent::Wake { at: at(minutes), of }
}

/// A run, and what happens to it.
pub(crate) struct Night(pub(crate) RunState);

impl Night {
    pub(crate) fn new(planned: RunPlanned) -> Self {
        let record = Record {
            v: backout_core::record::FORMAT,
            run: backout_core::ids::RunId::new("CHG1-1").expect("a name"),
            seq: backout_core::ids::Seq(1),
            epoch: backout_core::ids::Epoch(0),
            at: at(0),
            steady: None,
            actor: lead(),
            events: vec![Event::RunPlanned(Box::new(planned))],
            prev: backout_core::ids::Digest::ZERO,
        };
        let digest = record.seal().digest;
        Self(RunState::begin(&record, digest).expect("a run"))
    }

    pub(crate) fn happens(&mut self, minutes: i64, events: Vec<Event>) {
        let actor = Actor::Coordinator { id: "test".to_owned() };
        self.0 = self.0.with(&events, &actor, at(minutes)).expect("legal");
    }

    /// The lead sends a command.
    pub(crate) fn sends(&mut self, minutes: i64, command: Command) {
        self.sends_as(minutes, &lead(), command).expect("it is carried out");
    }

    /// A person, or another system, sends a command.
    pub(crate) fn sends_as(
        &mut self,
        minutes: i64,
        actor: &Actor,
        command: Command,
    ) -> Result<Vec<Event>, Refusal> {
        let unknown = Account::default();
        let account = match actor {
            Actor::Person { account, .. } => account,
            Actor::Coordinator { .. } | Actor::System { .. } => &unknown,
        };
        let policy = Policy::default();
        let facts = Facts {
            now: at(minutes),
            forecast: None,
            policy: &policy,
            accounts: account,
            location: None,
        };
        let events = handle(&self.0, actor, &Request::new(command, "because"), &facts)?;
        self.0 = self.0.with(&events, actor, at(minutes)).expect("legal");
        Ok(events)
    }

    /// What the lead is told about a command that is not carried out.
    pub(crate) fn refuses(&mut self, minutes: i64, command: Command) -> Refusal {
        self.sends_as(minutes, &lead(), command).expect_err("it is not carried out")
    }

    /// The first of those who are asked decides, or the lead where nobody is asked.
    pub(crate) fn says(&mut self, minutes: i64, choice: Choice) {
        let fix_for = match &choice {
            Choice::FixForward { until } => {
                let length = until.duration_since(at(minutes));
                Some(Span::from(length.unsigned_abs()))
            }
            _ => None,
        };
        let verb = choice.verb();
        let option = match choice {
            Choice::BackOut { option } => option,
            _ => None,
        };
        let (question, readings) = (None, Default::default());
        let command = Command::Decide { verb, option, fix_for, question, readings };
        let asked = self.open().and_then(|open| open.asked.first().cloned());
        let person = match asked {
            Some(asked) => PersonId::of_role(&self.0.planned().plan, &asked),
            None => PersonId::Role(role("lead")),
        };
        let actor = Actor::Person { id: person, role: None, account: Account::default() };
        self.sends_as(minutes, &actor, command).expect("it is decided");
    }

    /// Does what is due: starts nothing, writes everything else.
    pub(crate) fn due(&mut self, minutes: i64) -> Vec<Intent> {
        let intents = decide(&self.0, at(minutes));
        for intent in intents.clone() {
            let events = match intent {
                Intent::Ask(asked) => vec![Event::DecisionRequested(asked)],
                Intent::PassOn { number, to, until } => {
                    vec![Event::DecisionEscalated { number, to, until }]
                }
                Intent::Decide { choice, reason, known } => {
                    let (about, readings) = (known.as_deref(), Default::default());
                    let reason = Reason::Plan(reason);
                    let decided = decided(self.0.release(), choice, reason, about, readings);
                    let known = known.map(Event::DecisionRequested);
                    known.into_iter().chain(decided).collect()
                }
                Intent::Bake { step, verdict } => {
                    vec![Event::StageBaked { stage: self.0.steps()[step].id.clone(), verdict }]
                }
                Intent::EndWatch { verdict } => vec![Event::WatchEnded { verdict }],
                Intent::Hold { option } => vec![Event::HoldingReached { option }],
                Intent::Finish { outcome } => vec![Event::RunFinished { outcome }],
                _ => Vec::new(),
            };
            self.happens(minutes, events);
        }
        intents
    }

    pub(crate) fn stage_is_done(&mut self, minutes: i64) {
        self.stage_named_is_done("a", minutes);
    }

    pub(crate) fn stage_named_is_done(&mut self, name: &str, minutes: i64) {
        let evidence = Evidence::default();
        let step = StepId::new(name).expect("a name");
        let done = Event::StepSucceeded { step, attempt: 1, evidence };
        self.happens(minutes, vec![intent(name, 1), done]);
    }

    pub(crate) fn moves(&mut self, minutes: i64, trigger: &str, to: State, meaning: Meaning) {
        let from =
            self.0.release().triggers.get(&id(trigger)).map_or(State::Insufficient, |s| s.state);
        let reading = Reading { measured: Measured::Value, value: Some(9.0), ..Reading::default() };
        let trigger = id(trigger);
        self.happens(
            minutes,
            vec![Event::TriggerChanged { trigger, from, to, meaning, before: false, reading }],
        );
    }

    pub(crate) fn all_well(&mut self, minutes: i64) {
        for trigger in ["logins", "slow", "odd"] {
            self.moves(minutes, trigger, State::Ok, Meaning::Healthy);
        }
    }

    pub(crate) fn open(&self) -> Option<&backout_core::release::PendingDecision> {
        self.0.release().open.as_ref()
    }

    pub(crate) fn goes_back(&self) -> bool {
        self.0.release().back.is_some()
    }
}

pub(crate) fn id(name: &str) -> TriggerId {
    TriggerId::new(name).expect("a name")
}

pub(crate) fn role(name: &str) -> RoleId {
    RoleId::new(name).expect("a name")
}
