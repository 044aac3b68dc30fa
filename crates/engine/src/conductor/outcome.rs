//! Reports as events. Pure.

use backout_core::act::Answer;
use backout_core::doubt;
use backout_core::event::{DoubtCause, Event, Evidence, FailureEffect, ResolvedBy};
use backout_core::ids::StepId;
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
                false => Event::StepActed { step: id, attempt, evidence },
            }]
        }
        Report::Failed { effect, error, evidence } => vec![Event::StepFailed {
            step: id,
            attempt,
            effect: *effect,
            error: match &known.stop {
                Some(reason) => format!("stopped by a person: {reason}"),
                None => error.clone(),
            },
            evidence: evidence.clone(),
        }],
        Report::Doubt { cause, evidence } => vec![Event::StepInDoubt {
            step: id,
            attempt,
            cause: *cause,
            evidence: evidence.clone(),
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
        Purpose::AfterAction => Status::Acted,
        Purpose::Probe => Status::InDoubt,
    };
    if known.status != expected {
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
    let failed = |effect, error: String, evidence: Evidence| Event::StepFailed {
        step: id.clone(),
        attempt,
        effect,
        error,
        evidence,
    };
    let resolved = |answer, reason: &str| Event::StepResolved {
        step: id.clone(),
        attempt,
        answer,
        by: ResolvedBy::Verification,
        reason: reason.to_owned(),
    };
    match (purpose, verdict.holds()) {
        (Purpose::AfterAction, Some(true)) => vec![settled(evidence)],
        (Purpose::AfterAction, Some(false)) => {
            let error =
                format!("done, but its verification does not hold: {}", verdict.complaint());
            vec![failed(FailureEffect::Full, error, evidence)]
        }
        (Purpose::AfterAction, None) => {
            let error = format!("done, but it cannot be verified: {}", verdict.complaint());
            vec![failed(FailureEffect::Unknown, error, evidence)]
        }
        (Purpose::Probe, Some(true)) => {
            let reason = "its verification holds";
            vec![resolved(Answer::Happened, reason), settled(evidence)]
        }
        (Purpose::Probe, Some(false))
            if matches!(known.doubt, Some(DoubtCause::Deadline | DoubtCause::NoAnswer)) =>
        {
            let error = format!("{}: {}", known.evidence.summary, verdict.complaint());
            vec![failed(FailureEffect::Unknown, error, evidence)]
        }
        // A step that dies every time it is run must not be run for ever.
        (Purpose::Probe, Some(false)) if known.recoveries >= doubt::MOST_RECOVERIES => {
            let finding = format!(
                "it does not hold, but the step was already run again {} times: {}",
                known.recoveries,
                verdict.complaint()
            );
            vec![Event::StepProbed { step: id, attempt, finding }]
        }
        (Purpose::Probe, Some(false)) => {
            vec![resolved(Answer::DidNotHappen, "its verification does not hold")]
        }
        (Purpose::Probe, None) => {
            vec![Event::StepProbed { step: id, attempt, finding: verdict.complaint() }]
        }
    }
}

/// Nothing of an attempt is alive, and nothing says how it ended.
pub(super) fn in_doubt(step: &StepId, attempt: u32, cause: DoubtCause) -> Vec<Event> {
    let said = match cause {
        DoubtCause::CoordinatorLost => "the coordinator died while it ran",
        DoubtCause::SupervisorLost => "it was running when everything stopped, and left no result",
        DoubtCause::LedgerLost => "what was noted about it is gone or cannot be read",
        DoubtCause::Deadline => "it was stopped because its time was up",
        DoubtCause::NoAnswer => "it was asked for, and no answer came back",
    };
    vec![Event::StepInDoubt {
        step: step.clone(),
        attempt,
        cause,
        evidence: Evidence::saying(said),
    }]
}
