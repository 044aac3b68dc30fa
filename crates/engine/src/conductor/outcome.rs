//! Reports as events. Pure.

use jiff::Timestamp;

use backout_core::act::Answer;
use backout_core::attempt::AttemptId;
use backout_core::cause::StepFault;
use backout_core::decide::stopped;
use backout_core::doubt;
use backout_core::event::{DoubtCause, Event, Evidence, FailureEffect, ResolvedBy};
use backout_core::intent::Purpose;
use backout_core::plan::Step;
use backout_core::status::{Status, StepState};

use crate::hands::{Report, Verdict};

/// An action came to its end. `first_look` is what its verifications said right
/// away; a verification that does not hold yet is not a failure, it gets its time.
pub(super) fn performed(
    step: &Step,
    known: &StepState,
    report: &Report,
    first_look: Option<&Verdict>,
    accepted: Option<Timestamp>,
) -> Vec<Event> {
    let (id, attempt) = (step.id.clone(), known.attempt);
    match report {
        Report::Done(evidence) => {
            let mut evidence = evidence.clone();
            let checkable = step.machine_checks().next().is_some();
            let holds = first_look.filter(|verdict| verdict.holds() == Some(true));
            if let Some(verdict) = holds {
                evidence.verified.clone_from(&verdict.verified);
            }
            let verified = !checkable || holds.is_some();
            let confirmed = step.confirmations().next().is_none();
            vec![match verified && confirmed {
                true => Event::StepSucceeded { step: id, attempt, evidence },
                false => Event::StepExecuted { step: id, attempt, evidence },
            }]
        }
        Report::Failed { effect, error, evidence } => vec![Event::StepFailed {
            step: id,
            attempt,
            effect: *effect,
            fault: match &known.stop {
                Some(_) => stopped(known),
                None => StepFault::Action { error: error.clone() },
            },
            evidence: evidence.clone(),
        }],
        Report::Doubt { cause, evidence } => vec![Event::StepInDoubt {
            step: id,
            attempt,
            cause: *cause,
            evidence: evidence.clone(),
            accepted,
        }],
    }
}

/// A step's verifications came to their verdict.
pub(super) fn verified(
    step: &Step,
    known: &StepState,
    purpose: Purpose,
    verdict: &Verdict,
) -> Vec<Event> {
    let expected = match purpose {
        Purpose::AfterAction => known.status == Status::Verifying,
        Purpose::LookOn => known.status == Status::InDoubt,
        Purpose::Probe { .. } => {
            let again = matches!(known.status, Status::Failed | Status::Held) && known.recheck;
            known.status == Status::InDoubt || again
        }
    };
    if !expected {
        return Vec::new();
    }
    let (id, attempt) = (step.id.clone(), known.attempt);
    let mut evidence = known.evidence.clone();
    evidence.verified.clone_from(&verdict.verified);
    let confirmed = known.confirmed || step.confirmations().next().is_none();
    let settled = |evidence: Evidence| match confirmed {
        true => Event::StepSucceeded { step: id.clone(), attempt, evidence },
        false => Event::StepVerified { step: id.clone(), attempt, evidence },
    };
    let failed = |effect, fault: StepFault, evidence: Evidence| Event::StepFailed {
        step: id.clone(),
        attempt,
        effect,
        fault,
        evidence,
    };
    let resolved = |answer| Event::StepResolved {
        step: id.clone(),
        attempt,
        answer,
        by: ResolvedBy::Verification,
        reason: None,
    };
    let probed = |denied| Event::StepProbed {
        step: id.clone(),
        attempt,
        finding: verdict.complaint(),
        denied,
        early: purpose == (Purpose::Probe { early: true }),
    };
    match (purpose, verdict.holds()) {
        (Purpose::AfterAction, Some(true)) => vec![settled(evidence)],
        (Purpose::AfterAction, Some(false)) => {
            let fault = StepFault::NotVerified { finding: verdict.complaint() };
            vec![failed(FailureEffect::Full, fault, evidence)]
        }
        (Purpose::AfterAction, None) => {
            let fault = StepFault::Unverifiable { finding: verdict.complaint() };
            vec![failed(FailureEffect::Unknown, fault, evidence)]
        }
        (Purpose::Probe { .. } | Purpose::LookOn, Some(true)) => {
            vec![resolved(Answer::Happened), settled(evidence)]
        }
        (Purpose::LookOn, _) => Vec::new(),
        // A person wanted to look; what follows from it is for them to say.
        (Purpose::Probe { .. }, Some(false)) if known.recheck => vec![probed(true)],
        // Its effect may still appear.
        (Purpose::Probe { early: true }, Some(false)) => vec![probed(true)],
        (Purpose::Probe { .. }, Some(false))
            if matches!(known.doubt, Some(DoubtCause::Deadline | DoubtCause::NoAnswer)) =>
        {
            let cause = known.doubt.unwrap_or(DoubtCause::Deadline);
            let finding = Some(verdict.complaint());
            let fault = StepFault::OutcomeUnknown { cause, finding };
            vec![failed(FailureEffect::Unknown, fault, evidence)]
        }
        // A step that dies every time it is run must not be run for ever.
        (Purpose::Probe { .. }, Some(false)) if known.recoveries >= doubt::MOST_RECOVERIES => {
            vec![probed(true)]
        }
        (Purpose::Probe { .. }, Some(false)) => vec![resolved(Answer::DidNotHappen)],
        (Purpose::Probe { .. }, None) => vec![probed(false)],
    }
}

/// Nothing of an attempt is alive, and nothing says how it ended.
pub(super) fn in_doubt(
    id: &AttemptId,
    cause: DoubtCause,
    accepted: Option<Timestamp>,
) -> Vec<Event> {
    let (step, attempt, evidence) = (id.step.clone(), id.attempt, Evidence::default());
    vec![Event::StepInDoubt { step, attempt, cause, evidence, accepted }]
}
