//! Every legal transition of a step, and every other one refused: the whole table.

use backout_core::act::Answer;
use backout_core::event::{Attested, DoubtCause, Event, Evidence, FailureEffect, ResolvedBy};
use backout_core::ids::{Digest, StepId};
use backout_core::plan::Effect;
use backout_core::status::{Status, step_transition};

fn events() -> Vec<(&'static str, Event)> {
    let step = StepId::new("a").expect("a name");
    let evidence = Evidence::default;
    let reason = || "because".to_owned();
    let resolved = |answer, by| Event::StepResolved {
        step: step.clone(),
        attempt: 1,
        answer,
        by,
        reason: reason(),
    };
    let replaced: backout_core::plan::Step =
        serde_json::from_value(serde_json::json!({"id": "a", "manual": "x"})).expect("a step");
    let attested = |result| Event::StepAttested {
        step: step.clone(),
        result,
        name: Some("Mike Brown".to_owned()),
        started: None,
        ended: None,
        evidence: evidence(),
        reason: reason(),
    };
    vec![
        (
            "intent",
            Event::StepIntent {
                step: step.clone(),
                attempt: 1,
                key: "k".to_owned(),
                action: Digest::ZERO,
                effect: Effect::Opaque,
            },
        ),
        ("acted", Event::StepActed { step: step.clone(), attempt: 1, evidence: evidence() }),
        ("verified", Event::StepVerified { step: step.clone(), attempt: 1, evidence: evidence() }),
        ("confirmed", Event::StepConfirmed { step: step.clone(), attempt: 1, note: None }),
        (
            "succeeded",
            Event::StepSucceeded { step: step.clone(), attempt: 1, evidence: evidence() },
        ),
        (
            "failed",
            Event::StepFailed {
                step: step.clone(),
                attempt: 1,
                effect: FailureEffect::Unknown,
                error: reason(),
                evidence: evidence(),
            },
        ),
        (
            "in doubt",
            Event::StepInDoubt {
                step: step.clone(),
                attempt: 1,
                cause: DoubtCause::SupervisorLost,
                evidence: evidence(),
            },
        ),
        ("probed", Event::StepProbed { step: step.clone(), attempt: 1, finding: reason() }),
        ("happened", resolved(Answer::Happened, ResolvedBy::Person)),
        ("happened (verification)", resolved(Answer::Happened, ResolvedBy::Verification)),
        ("did not happen", resolved(Answer::DidNotHappen, ResolvedBy::Person)),
        ("hold", resolved(Answer::Hold, ResolvedBy::Person)),
        ("stop asked", Event::StepStopAsked { step: step.clone(), attempt: 1, reason: reason() }),
        ("retried", Event::StepRetried { step: step.clone(), reason: reason() }),
        ("attested done", attested(Attested::Done)),
        ("attested failed", attested(Attested::Failed)),
        ("skipped", Event::StepSkipped { step: step.clone(), reason: reason() }),
        (
            "replaced",
            Event::StepReplaced { step: Box::new(replaced), not_before: None, reason: reason() },
        ),
        ("assigned", Event::StepAssigned { step, to: "Bob".to_owned(), reason: reason() }),
    ]
}

/// The whole table, as the design states it: (from, event, to), automated steps.
const LEGAL: &[(Status, &str, Status)] = &[
    (Status::Pending, "intent", Status::Running),
    (Status::Pending, "skipped", Status::Skipped),
    (Status::Pending, "attested done", Status::Succeeded),
    (Status::Pending, "attested failed", Status::Failed),
    (Status::Pending, "replaced", Status::Pending),
    (Status::Pending, "assigned", Status::Pending),
    (Status::Running, "acted", Status::Acted),
    (Status::Running, "succeeded", Status::Succeeded),
    (Status::Running, "failed", Status::Failed),
    (Status::Running, "in doubt", Status::InDoubt),
    (Status::Running, "stop asked", Status::Running),
    (Status::Running, "assigned", Status::Running),
    (Status::Acted, "verified", Status::Acted),
    (Status::Acted, "confirmed", Status::Acted),
    (Status::Acted, "succeeded", Status::Succeeded),
    (Status::Acted, "failed", Status::Failed),
    (Status::Acted, "assigned", Status::Acted),
    (Status::Succeeded, "retried", Status::Pending),
    (Status::Failed, "intent", Status::Running),
    (Status::Failed, "happened", Status::Succeeded),
    (Status::Failed, "retried", Status::Pending),
    (Status::Failed, "skipped", Status::Skipped),
    (Status::Failed, "replaced", Status::Pending),
    (Status::Failed, "assigned", Status::Failed),
    (Status::InDoubt, "failed", Status::Failed),
    (Status::InDoubt, "probed", Status::InDoubt),
    (Status::InDoubt, "happened", Status::Acted),
    (Status::InDoubt, "happened (verification)", Status::Acted),
    (Status::InDoubt, "did not happen", Status::Pending),
    (Status::InDoubt, "hold", Status::Held),
    (Status::InDoubt, "assigned", Status::InDoubt),
    (Status::Held, "happened", Status::Acted),
    (Status::Held, "happened (verification)", Status::Acted),
    (Status::Held, "did not happen", Status::Pending),
    (Status::Held, "hold", Status::Held),
    (Status::Held, "skipped", Status::Skipped),
    (Status::Held, "assigned", Status::Held),
    (Status::Skipped, "retried", Status::Pending),
];

#[test]
fn the_table_is_exactly_the_legal_transitions() {
    let events = events();
    let mut refused = 0;
    for from in Status::ALL {
        for (name, event) in &events {
            let want = LEGAL.iter().find(|(f, n, _)| *f == from && n == name).map(|(_, _, to)| *to);
            assert_eq!(step_transition(from, event, false), want, "{from:?} --{name}-->");
            refused += usize::from(want.is_none());
        }
    }
    println!("step transitions: {} legal, {refused} refused, none untested", LEGAL.len());
}

#[test]
fn only_a_persons_work_can_be_skipped_while_it_runs_and_only_a_machines_be_stopped() {
    for (name, event) in events() {
        let (manual, machine) = (
            step_transition(Status::Running, &event, true),
            step_transition(Status::Running, &event, false),
        );
        match name {
            "skipped" => assert_eq!((manual, machine), (Some(Status::Skipped), None)),
            "stop asked" => assert_eq!((manual, machine), (None, Some(Status::Running))),
            _ => assert_eq!(manual, machine, "{name}"),
        }
    }
}
