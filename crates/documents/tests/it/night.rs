//! A run told event by event, for the documents made from it.

use std::collections::BTreeMap;

use backout_core::event::{Direction, Event, Instants, Mode, RunPlanned};
use backout_core::ids::{Digest, Epoch, RoleId, RunId, Seq};
use backout_core::people::{Account, PersonId};
use backout_core::policy::Policy;
use backout_core::record::{Actor, FORMAT, Record};
use backout_core::state::RunState;
use backout_documents::report::{Log, Section, report};
use backout_documents::tree::Document;
use backout_documents::write::markdown;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Two stages, their way back, one trigger, and what a review asks.
pub(crate) const PLAN: &str = r#"backout: 1
change: {id: CHG7, title: A change, owner: lead}
window:
  timezone: Europe/London
  deploy: 2026-06-06T02:00 / 2026-06-06T04:00
  backout_by: 2026-06-06T06:00
  stated_total: 37m
roles:
  lead: {name: Lena Lead, user: lena}
  pm: {name: Bob Fox, user: bob}
stages:
  - {id: schema, title: Migrate, owner: lead, takes: 5m, run: {argv: [./migrate]}, effect: opaque, verify: {file: {path: schema}}, undone_by: [old-schema]}
  - {id: open, title: Open it, owner: lead, takes: 5m, approval: {by: pm}, run: {argv: [./open]}, effect: opaque, verify: {file: {path: down}}, undone_by: [close]}
steps:
  - {id: close, title: Close it, owner: lead, takes: 2m, run: {argv: [./close]}, effect: opaque, verify: {file: {path: up}}}
  - {id: old-schema, title: Put it back, owner: lead, takes: 10m, run: {argv: [./back]}, effect: opaque, verify: {file: {path: undone}}}
watch: {window: 2h}
triggers:
  portal: {title: The portal answers, severity: critical, probe: {file: {path: up}}}
decision:
  critical: {action: back-out, by: lead, within: 5m}
review:
  owner: lead
  questions:
    - What triggered the backout?
    - Was the trigger appropriate?
    - Did the backout execute as planned?
    - What was the actual duration?
    - Did it go as planned?
    - What was the root cause?
"#;

/// A run while it is told.
pub(crate) struct Night {
    pub(crate) state: RunState,
    pub(crate) records: Vec<Record>,
    at: Timestamp,
}

fn coordinator() -> Actor {
    Actor::Coordinator { id: "host:1".to_owned() }
}

/// The holder of a role.
pub(crate) fn person(role: &str) -> Actor {
    let role: RoleId = role.parse().expect("a role");
    let account = Account::named(role.as_str());
    Actor::Person { id: PersonId::Role(role.clone()), role: Some(role), account }
}

/// What a verification found that holds.
fn held() -> Value {
    json!([{"check": "file", "found": "as it should be", "holds": true}])
}

fn begun(direction: Direction, reason: &str, plan: &str) -> Event {
    let read = backout_plan::read_bytes(plan.as_bytes()).expect("a plan");
    let window = read.plan.window.as_ref();
    Event::RunPlanned(Box::new(RunPlanned {
        uid: None,
        plan_digest: read.digest,
        source: read.source,
        folder: "/".to_owned(),
        window: backout_plan::times::instants(window),
        mode: Mode::Live,
        direction,
        option: None,
        only: Vec::new(),
        order: Vec::new(),
        not_before: BTreeMap::new(),
        baselines: None,
        reason: Some(reason.to_owned()),
        policy: Policy::default(),
        quorum: None,
        beside: Vec::new(),
        confirmed: Vec::new(),
        earlier: None,
        file: None,
        keeps_marks: false,
        marks_elsewhere: None,
        location: None,
        environment: None,
        plan: read.plan,
    }))
}

impl Night {
    pub(crate) fn new(direction: Direction, reason: &str) -> Self {
        Self::of(PLAN, direction, reason)
    }

    pub(crate) fn of(plan: &str, direction: Direction, reason: &str) -> Self {
        let at: Timestamp = "2026-06-06T01:00:00Z".parse().expect("a time");
        let record = Record {
            v: FORMAT,
            run: RunId::new("CHG7-1").expect("a name"),
            seq: Seq(1),
            epoch: Epoch(0),
            at,
            steady: None,
            actor: person("lead"),
            events: vec![begun(direction, reason, plan)],
            prev: Digest::ZERO,
        };
        let state = RunState::begin(&record, record.seal().digest).expect("a run");
        assert_ne!(state.planned().window, Instants::default());
        let mut night = Self { state, records: vec![record], at };
        let epoch = json!({"event": "owner_acquired", "epoch": 1, "coordinator": "host:1"});
        night.record(Epoch(1), coordinator(), &[epoch]);
        night
    }

    fn record(&mut self, epoch: Epoch, actor: Actor, events: &[Value]) {
        let event = |value: &Value| serde_json::from_value(value.clone()).expect("an event");
        let record = Record {
            v: FORMAT,
            run: self.state.run().clone(),
            seq: self.state.seq().next(),
            epoch,
            at: self.at,
            steady: None,
            actor,
            events: events.iter().map(event).collect(),
            prev: self.state.tail(),
        };
        self.state.apply(&record, record.seal().digest).expect("it can happen");
        self.records.push(record);
    }

    pub(crate) fn later(&mut self, seconds: i64) -> &mut Self {
        self.at = self.at.checked_add(SignedDuration::from_secs(seconds)).expect("a time");
        self
    }

    /// The coordinator writes.
    pub(crate) fn write(&mut self, events: &[Value]) -> &mut Self {
        self.record(self.state.epoch(), coordinator(), events);
        self
    }

    /// The holder of a role writes.
    pub(crate) fn says(&mut self, role: &str, events: &[Value]) -> &mut Self {
        self.record(self.state.epoch(), person(role), events);
        self
    }

    /// A step of the machine that takes so many seconds, and is verified.
    pub(crate) fn step(&mut self, id: &str, seconds: i64) -> &mut Self {
        self.step_with(id, seconds, &held())
    }

    /// The same with what its verification found.
    pub(crate) fn step_with(&mut self, id: &str, seconds: i64, verified: &Value) -> &mut Self {
        let intent = json!({
            "event": "step_intent", "step": id, "attempt": 1, "key": id,
            "action": Digest::ZERO, "effect": "opaque",
        });
        let done = json!({
            "event": "step_succeeded", "step": id, "attempt": 1,
            "evidence": {"summary": "exit 0", "verified": verified},
        });
        self.write(&[intent]).later(seconds).write(&[done])
    }

    /// A step that fails after so many seconds.
    pub(crate) fn fails(&mut self, id: &str, seconds: i64) -> &mut Self {
        let intent = json!({
            "event": "step_intent", "step": id, "attempt": 1, "key": id,
            "action": Digest::ZERO, "effect": "opaque",
        });
        let failed = json!({
            "event": "step_failed", "step": id, "attempt": 1, "effect": "partial",
            "fault": {"fault": "action", "error": "exit 3"}, "evidence": {},
        });
        self.write(&[intent]).later(seconds).write(&[failed])
    }

    pub(crate) fn approved(&mut self) -> &mut Self {
        let approved = json!({"event": "stage_approved", "stage": "open", "reason": "ok"});
        self.says("pm", &[approved])
    }

    pub(crate) fn moved(&mut self, from: &str, to: &str, meaning: &str, shown: &str) -> &mut Self {
        self.write(&[json!({
            "event": "trigger_changed", "trigger": "portal", "from": from, "to": to,
            "meaning": meaning, "reading": measured(shown),
        })])
    }

    /// The trigger fires, and the lead is asked.
    pub(crate) fn asked(&mut self) -> &mut Self {
        self.moved("ok", "firing", "breach", "up is not there").write(&[json!({
            "event": "decision_requested", "number": 1, "severity": "critical", "certain": true,
            "because": ["portal"], "asked": ["lead"], "until": "2026-06-06T02:00:00Z",
            "causes": [
                {"cause": "trigger", "trigger": "portal", "reading": measured("up is not there")},
            ],
        })])
    }

    pub(crate) fn finished(&mut self, outcome: &Value) -> &mut Self {
        self.write(&[json!({"event": "run_finished", "outcome": outcome})])
    }

    pub(crate) fn log(&self) -> Log<'_> {
        Log { state: &self.state, records: &self.records }
    }

    pub(crate) fn report(&self, sections: &[Section]) -> Document {
        report(&self.log(), sections)
    }

    /// The report as text, without the plan and the digests.
    pub(crate) fn told(&self) -> String {
        let sections = Section::ALL.into_iter().filter(|section| *section != Section::File);
        let made = self.report(&sections.collect::<Vec<_>>());
        let text = markdown(&made).expect("text");
        let lines =
            text.lines().filter(|line| !line.contains("digest") && !line.contains("**Log**"));
        lines.map(|line| format!("{line}\n")).collect()
    }
}

/// A reading that is a text.
fn measured(text: &str) -> Value {
    json!({"measured": {"measured": "text", "text": text}})
}

/// The events of a decision that a person made.
pub(crate) fn decided(choice: &Value, reason: &str) -> Vec<Value> {
    made(choice, &json!({"person": reason}))
}

/// The events of a decision that the plan made.
pub(crate) fn automatic(choice: &Value, because: &str) -> Vec<Value> {
    made(choice, &json!({"plan": {"because": because}}))
}

fn made(choice: &Value, reason: &Value) -> Vec<Value> {
    let made = json!({"event": "decision_made", "choice": choice, "reason": reason});
    let back = ["back-out", "not-fixable"].iter().any(|word| choice["choice"] == *word);
    let started = json!({"event": "backout_started", "reason": reason});
    if back { vec![made, started] } else { vec![made] }
}
