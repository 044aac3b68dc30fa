//! Every legal transition of a step, and every other one refused: the whole table.

use backout_core::act::Answer;
use backout_core::cause::StepFault;
use backout_core::event::{Attested, DoubtCause, Event, Evidence, FailureEffect, ResolvedBy};
use backout_core::ids::{Digest, StepId};
use backout_core::people::PersonId;
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
        reason: (by == ResolvedBy::Person).then(reason),
    };
    let probed = |denied| Event::StepProbed {
        step: step.clone(),
        attempt: 1,
        finding: "not there".to_owned(),
        denied,
        early: false,
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
        ("executed", Event::StepExecuted { step: step.clone(), attempt: 1, evidence: evidence() }),
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
                fault: StepFault::Action { error: "exit 3".to_owned() },
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
                accepted: None,
            },
        ),
        (
            "check requested",
            Event::StepCheckRequested { step: step.clone(), attempt: 1, reason: reason() },
        ),
        ("probed", probed(false)),
        ("probed, denied", probed(true)),
        ("happened", resolved(Answer::Happened, ResolvedBy::Person)),
        ("happened (verification)", resolved(Answer::Happened, ResolvedBy::Verification)),
        ("happened (ledger)", resolved(Answer::Happened, ResolvedBy::Ledger)),
        ("did not happen", resolved(Answer::DidNotHappen, ResolvedBy::Person)),
        ("hold", resolved(Answer::Hold, ResolvedBy::Person)),
        (
            "stop requested",
            Event::StepStopRequested { step: step.clone(), attempt: 1, reason: reason() },
        ),
        ("retried", Event::StepRetried { step: step.clone(), new_key: false, reason: reason() }),
        ("attested done", attested(Attested::Done)),
        ("attested failed", attested(Attested::Failed)),
        (
            "skipped",
            Event::StepSkipped { step: step.clone(), confirmed: Vec::new(), reason: reason() },
        ),
        (
            "replaced",
            Event::StepReplaced { step: Box::new(replaced), not_before: None, reason: reason() },
        ),
        (
            "assigned",
            Event::StepAssigned { step, to: PersonId::Name("Bob".to_owned()), reason: reason() },
        ),
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
    (Status::Running, "executed", Status::Verifying),
    (Status::Running, "succeeded", Status::Succeeded),
    (Status::Running, "failed", Status::Failed),
    (Status::Running, "in doubt", Status::InDoubt),
    (Status::Running, "stop requested", Status::Running),
    (Status::Running, "assigned", Status::Running),
    (Status::Verifying, "verified", Status::Verifying),
    (Status::Verifying, "confirmed", Status::Verifying),
    (Status::Verifying, "succeeded", Status::Succeeded),
    (Status::Verifying, "failed", Status::Failed),
    (Status::Verifying, "assigned", Status::Verifying),
    (Status::Succeeded, "retried", Status::Pending),
    (Status::Failed, "intent", Status::Running),
    (Status::Failed, "check requested", Status::Failed),
    (Status::Failed, "probed", Status::Failed),
    (Status::Failed, "probed, denied", Status::Failed),
    (Status::Failed, "happened", Status::Succeeded),
    (Status::Failed, "happened (verification)", Status::Verifying),
    (Status::Failed, "retried", Status::Pending),
    (Status::Failed, "skipped", Status::Skipped),
    (Status::Failed, "replaced", Status::Pending),
    (Status::Failed, "assigned", Status::Failed),
    (Status::InDoubt, "failed", Status::Failed),
    (Status::InDoubt, "check requested", Status::InDoubt),
    (Status::InDoubt, "probed", Status::InDoubt),
    (Status::InDoubt, "probed, denied", Status::InDoubt),
    (Status::InDoubt, "happened", Status::Verifying),
    (Status::InDoubt, "happened (verification)", Status::Verifying),
    (Status::InDoubt, "happened (ledger)", Status::Verifying),
    (Status::InDoubt, "did not happen", Status::Pending),
    (Status::InDoubt, "hold", Status::Held),
    (Status::InDoubt, "assigned", Status::InDoubt),
    (Status::Held, "happened", Status::Verifying),
    (Status::Held, "happened (verification)", Status::Verifying),
    (Status::Held, "happened (ledger)", Status::Verifying),
    (Status::Held, "did not happen", Status::Pending),
    (Status::Held, "hold", Status::Held),
    (Status::Held, "check requested", Status::Held),
    (Status::Held, "probed", Status::Held),
    (Status::Held, "probed, denied", Status::Held),
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
            "stop requested" => assert_eq!((manual, machine), (None, Some(Status::Running))),
            _ => assert_eq!(manual, machine, "{name}"),
        }
    }
}
