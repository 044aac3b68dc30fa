//! Nothing starts before everything it transitively waited for is settled, whatever departs from
//! the plan: steps left out, put in, written anew, done again, attested, in any order.

use std::collections::{BTreeMap, BTreeSet};

use backout_core::act::Answer;
use backout_core::command::{AttestedStep, Command, Request};
use backout_core::decide::decide;
use backout_core::event::{Attested, Event, Evidence, FailureEffect};
use backout_core::handle::{Facts, handle};
use backout_core::ids::{Digest, StepId};
use backout_core::intent::Intent;
use backout_core::plan::{Plan, Step};
use backout_core::policy::Policy;
use backout_core::state::RunState;
use backout_core::status::Status;
use proptest::prelude::*;
use serde_json::json;

use crate::scene::{Run, coordinator, now, person, run_back};

/// What everything has to have waited for, as the plan and the people said it.
#[derive(Default)]
struct Waits(BTreeMap<StepId, BTreeSet<StepId>>);

impl Waits {
    /// A step and what it says it waits for, with all that these wait for.
    fn set(&mut self, step: &StepId, after: &[StepId]) {
        let above: BTreeSet<StepId> = after
            .iter()
            .flat_map(|first| self.of(first).into_iter().chain([first.clone()]))
            .collect();
        self.0.insert(step.clone(), above);
    }

    fn of(&self, step: &StepId) -> BTreeSet<StepId> {
        self.0.get(step).cloned().unwrap_or_default()
    }

    /// Another one comes before a step, and so before what waits for that.
    fn add(&mut self, step: &StepId, first: &StepId) {
        let mut more = self.of(first);
        more.insert(first.clone());
        for (other, above) in &mut self.0 {
            if other == step || above.contains(step) {
                above.extend(more.iter().cloned());
            }
        }
    }
}

fn id(number: usize) -> StepId {
    StepId::new(format!("s{number}")).expect("a name")
}

fn unit(step: &StepId, after: &[StepId]) -> Step {
    let text = json!({"id": step, "owner": "lead", "after": after, "effect": "idempotent", "run": {"argv": ["true"]}});
    serde_json::from_value(text).expect("a step")
}

/// What a person or the world does next.
#[derive(Debug, Clone)]
enum Move {
    /// What is ready starts.
    Start,
    /// A step at work ends: well, or not.
    End(usize, bool),
    Skip(usize),
    Retry(usize),
    Attest(usize, bool),
    /// A step is put in behind one and before another.
    Add(usize, usize),
    /// A step is written anew, to wait for these.
    Replace(usize, Vec<usize>),
}

fn moves() -> impl Strategy<Value = Move> {
    let step = 0..12_usize;
    prop_oneof![
        4 => Just(Move::Start),
        4 => (step.clone(), prop::bool::weighted(0.7)).prop_map(|(at, well)| Move::End(at, well)),
        2 => step.clone().prop_map(Move::Skip),
        2 => step.clone().prop_map(Move::Retry),
        1 => (step.clone(), any::<bool>()).prop_map(|(at, done)| Move::Attest(at, done)),
        1 => (step.clone(), step.clone()).prop_map(|(after, before)| Move::Add(after, before)),
        1 => (step.clone(), prop::collection::vec(step, 0..3)).prop_map(|(at, on)| Move::Replace(at, on)),
    ]
}

/// For each step which earlier ones it waits for.
fn graphs() -> impl Strategy<Value = Vec<Vec<usize>>> {
    prop::collection::vec(prop::collection::vec(0..12_usize, 0..3), 2..9)
}

struct Night {
    run: Run,
    waits: Waits,
    added: usize,
}

impl Night {
    fn begin(graph: &[Vec<usize>]) -> Self {
        let mut waits = Waits::default();
        let mut steps = Vec::new();
        for (number, on) in graph.iter().enumerate() {
            let after: BTreeSet<StepId> =
                on.iter().filter(|_| number > 0).map(|on| id(on % number)).collect();
            let after: Vec<StepId> = after.into_iter().collect();
            waits.set(&id(number), &after);
            steps.push(unit(&id(number), &after));
        }
        let plan: Plan = serde_json::from_value(json!({
            "backout": 1,
            "change": {"id": "CHG1", "title": "A change", "owner": "lead"},
            "roles": {"lead": {"name": "Lena Lead"}},
            "steps": steps,
        }))
        .expect("a plan");
        Self { run: run_back(plan), waits, added: 0 }
    }

    fn state(&self) -> &RunState {
        &self.run.state
    }

    fn at(&self, number: usize) -> Step {
        let steps = self.state().steps();
        steps[number % steps.len()].clone()
    }

    /// A command of the lead, if it is allowed as things stand.
    fn say(&mut self, command: Command) -> bool {
        let (policy, (actor, account)) = (Policy::default(), person("lead"));
        let facts = Facts {
            now: now(),
            forecast: None,
            policy: &policy,
            accounts: &account,
            location: None,
        };
        let request = Request { command, reason: Some("because".to_owned()), confirmed: true };
        match handle(self.state(), &actor, &request, &facts) {
            Ok(events) => {
                events.into_iter().for_each(|event| self.run.write(actor.clone(), event));
                true
            }
            Err(_) => false,
        }
    }

    fn start(&mut self) {
        for intent in decide(self.state(), now()) {
            let Intent::Start { step } = intent else { continue };
            let state = self.state();
            let (step, known) = (state.steps()[step].clone(), &state.states()[step]);
            for first in self.waits.of(&step.id) {
                let (_, known) = state.step(&first).expect("a step");
                assert!(
                    known.status.is_settled(),
                    "{} starts, and {first} is {:?}",
                    step.id,
                    known.status
                );
            }
            let intent = Event::StepIntent {
                step: step.id.clone(),
                attempt: known.attempt + 1,
                key: format!("key {}", known.attempt),
                action: Digest::ZERO,
                effect: step.effect(),
            };
            self.run.write(coordinator(), intent);
        }
    }

    fn end(&mut self, number: usize, well: bool) {
        let state = self.state();
        let running: Vec<usize> =
            state.active().filter(|&i| state.states()[i].status == Status::Running).collect();
        if running.is_empty() {
            return;
        }
        let index = running[number % running.len()];
        let (step, attempt) = (state.steps()[index].id.clone(), state.states()[index].attempt);
        let evidence = Evidence::default();
        let event = match well {
            true => Event::StepSucceeded { step, attempt, evidence },
            false => Event::StepFailed {
                step,
                attempt,
                effect: FailureEffect::None,
                fault: backout_core::cause::StepFault::Action { error: "no".to_owned() },
                evidence,
            },
        };
        self.run.write(coordinator(), event);
    }

    fn do_it(&mut self, next: &Move) {
        match next {
            Move::Start => self.start(),
            Move::End(at, well) => self.end(*at, *well),
            Move::Skip(at) => {
                let step = self.at(*at).id;
                self.say(Command::Skip { step });
            }
            Move::Retry(at) => {
                let step = self.at(*at).id;
                self.say(Command::Retry { step, new_key: false });
            }
            Move::Attest(at, done) => {
                let step = self.at(*at).id;
                let result = if *done { Attested::Done } else { Attested::Failed };
                let evidence = Evidence::default();
                let first = AttestedStep {
                    step: step.clone(),
                    result,
                    name: None,
                    started: None,
                    ended: None,
                    evidence,
                };
                self.say(Command::Attest { first: Box::new(first), also: Vec::new() });
                self.say(Command::Resolve { step, answer: Answer::Happened });
            }
            Move::Add(after, before) => {
                let (after, before) = (self.at(*after).id, self.at(*before).id);
                self.added += 1;
                let new = StepId::new(format!("new{}", self.added)).expect("a name");
                let command = Command::Add {
                    step: Box::new(unit(&new, &[])),
                    after: Some(after.clone()),
                    before: vec![before.clone()],
                    not_before: None,
                };
                if self.say(command) {
                    self.waits.set(&new, &[after]);
                    self.waits.add(&before, &new);
                }
            }
            Move::Replace(at, on) => {
                let step = self.at(*at).id;
                let on: BTreeSet<StepId> = on.iter().map(|on| self.at(*on).id).collect();
                let on: Vec<StepId> = on.into_iter().filter(|on| *on != step).collect();
                let command =
                    Command::Replace { step: Box::new(unit(&step, &on)), not_before: None };
                if self.say(command) {
                    // Of the step itself a person has said what it waits for.
                    self.waits.set(&step, &on);
                    on.iter().for_each(|on| self.waits.add(&step, on));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn nothing_starts_before_all_it_waited_for(
        graph in graphs(),
        moves in prop::collection::vec(moves(), 1..60),
    ) {
        let mut night = Night::begin(&graph);
        for next in &moves {
            night.do_it(next);
        }
    }
}

/// The middle one of three is left out while the first is at work: the third still waits.
#[test]
fn a_step_left_out_passes_on_what_it_waited_for() {
    let mut night = Night::begin(&[vec![], vec![0], vec![1]]);
    night.start();
    assert!(night.say(Command::Skip { step: id(1) }));
    night.start();
    let status = |night: &Night, at: usize| night.state().states()[at].status;
    assert_eq!(status(&night, 2), Status::Pending);
    night.end(0, true);
    night.start();
    assert_eq!(status(&night, 2), Status::Running);
}
