//! Where a step stands, and how it gets from there to somewhere else.
//!
//! ```text
//!            intent         executed         succeeded
//!   pending ───────► running ────► verifying ─────────────► succeeded
//!      ▲  ▲             │  │          │                        ▲
//!      │  │             │  └─────────┬┘                        │ attested
//!      │  │ retried     │ in doubt   │ failed                  │
//!      │  └─────────────┼────────► failed ─────────────────────┤
//!      │                ▼                                      │
//!      └─────────── in doubt ──► held                       skipped
//!   did not happen      └─ happened ─► verifying
//!
//!   failed, in doubt ── checked again: holds ──► verifying; does not ──► as before
//!
//!   pending ─── attested after the fact ───► succeeded, failed
//! ```
//!
//! [`step_transition`] is that picture as one total function; anything it does
//! not list is an error.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::act::Answer;
use crate::cause::StepFault;
use crate::event::{Attested, DoubtCause, Event, Evidence, FailureEffect, ResolvedBy};
use crate::ids::Digest;
use crate::location::Relocation;
use crate::people::PersonId;
use crate::record::Actor;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing has happened.
    Pending,
    /// Its intent is in the log, its outcome is not.
    Running,
    /// The action is done; verifications or confirmations are open.
    Verifying,
    /// Done, and no check of it failed. What stands for it says [`Proof`](crate::proof::Proof).
    Succeeded,
    /// It failed.
    Failed,
    /// Nobody knows.
    InDoubt,
    /// A person keeps a doubt open.
    Held,
    /// A person left it out.
    Skipped,
}

impl Status {
    /// Every status, for tables and exhaustive tests.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Running,
        Self::Verifying,
        Self::Succeeded,
        Self::Failed,
        Self::InDoubt,
        Self::Held,
        Self::Skipped,
    ];

    /// Whether steps behind it may start.
    #[must_use]
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Succeeded | Self::Skipped)
    }

    /// Whether nothing moves until a person (or a repeat) does something.
    #[must_use]
    pub fn is_stuck(self) -> bool {
        matches!(self, Self::Failed | Self::InDoubt | Self::Held)
    }

    /// For people.
    #[must_use]
    pub fn shown(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Verifying => "verifying",
            Self::Succeeded => "done",
            Self::Failed => "failed",
            Self::InDoubt => "in doubt",
            Self::Held => "held",
            Self::Skipped => "skipped",
        }
    }
}

/// The status after an event about a step, or `None` when the event is not
/// legal in this status. `manual` says whether a person carries the step out.
#[must_use]
pub fn step_transition(status: Status, event: &Event, manual: bool) -> Option<Status> {
    use Status::{Failed, Held, InDoubt, Pending, Running, Skipped, Succeeded, Verifying};
    Some(match (status, event) {
        // A failed step starts again by itself only where its `retry` says so.
        (Pending | Failed, Event::StepIntent { .. }) => Running,
        (Running, Event::StepExecuted { .. })
        | (Verifying, Event::StepVerified { .. } | Event::StepConfirmed { .. }) => Verifying,
        (Running, Event::StepStopRequested { .. }) if !manual => Running,
        (Running | Verifying, Event::StepSucceeded { .. }) => Succeeded,
        // A doubt that a deadline caused, and that the verification denied, is a failure.
        (Running | Verifying | InDoubt, Event::StepFailed { .. }) => Failed,
        (Running, Event::StepInDoubt { .. })
        | (InDoubt, Event::StepProbed { .. } | Event::StepCheckRequested { .. }) => InDoubt,
        (Failed, Event::StepProbed { .. } | Event::StepCheckRequested { .. }) => Failed,
        (Held, Event::StepProbed { .. } | Event::StepCheckRequested { .. }) => Held,
        (InDoubt | Held, Event::StepResolved { answer, .. }) => match answer {
            Answer::Happened => Verifying,
            Answer::DidNotHappen => Pending,
            Answer::Hold => Held,
        },
        // Looked at again, and its verifications hold now.
        (
            Failed,
            Event::StepResolved { answer: Answer::Happened, by: ResolvedBy::Verification, .. },
        ) => Verifying,
        // Attested: a person takes responsibility for a step the machine saw fail.
        (Failed, Event::StepResolved { answer: Answer::Happened, by: ResolvedBy::Person, .. }) => {
            Succeeded
        }
        // Done by hand while nobody coordinated. What has begun is settled in other ways.
        (Pending, Event::StepAttested { result: Attested::Done, .. }) => Succeeded,
        (Pending, Event::StepAttested { result: Attested::Failed, .. }) => Failed,
        (Failed | Succeeded | Skipped, Event::StepRetried { .. }) => Pending,
        (Pending | Failed | Held, Event::StepSkipped { .. }) => Skipped,
        // A person's work can be called off; a machine's must end first.
        (Running, Event::StepSkipped { .. }) if manual => Skipped,
        (Pending | Failed, Event::StepReplaced { .. }) => Pending,
        // What it was before is an older part of the truth.
        (_, Event::StepRecovered { fits: true, .. }) if !manual => Running,
        (_, Event::StepRecovered { fits: false, .. })
        | (Pending | Running | Failed, Event::StepInherited { .. }) => InDoubt,
        (Pending | Running | Verifying | Failed | InDoubt | Held, Event::StepAssigned { .. }) => {
            status
        }
        _ => return None,
    })
}

/// Why a try is stopped, or not repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopCause {
    /// A person wants it, for this reason.
    Person(String),
    /// The plan backs out, and the step is a stage.
    Backout,
    /// A person saw it fail.
    SeenToFail,
}

/// What verifications said that settled nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// What they found, for people.
    pub finding: String,
    /// Whether they found that it did not happen; else they could not tell.
    pub denied: bool,
    /// Whether its effect could still appear when they were asked.
    pub early: bool,
}

/// What is known about one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepState {
    /// Where it stands.
    pub status: Status,
    /// The number of the last try; 0 before the first.
    pub attempt: u32,
    /// The key of the last try.
    pub key: String,
    /// Whether the last try repeats one before it, which may have had its effect.
    pub repeats: bool,
    /// Digest of the record in which the intent of the last try stands.
    pub intent: Option<Digest>,
    /// Where the last try was begun, beside where the run goes on, if that is elsewhere.
    pub begun_elsewhere: Option<Relocation>,
    /// How often it was repeated after a crash since a person last looked at it.
    pub recoveries: u32,
    /// How often it failed since a person last looked at it.
    pub failures: u32,
    /// When the status last changed.
    pub since: Option<Timestamp>,
    /// When the first try began.
    pub started: Option<Timestamp>,
    /// When it was settled.
    pub ended: Option<Timestamp>,
    /// Who does it, if not its owner.
    pub assigned: Option<PersonId>,
    /// Whether a person has confirmed what only a person can.
    pub confirmed: bool,
    /// Why it is in doubt.
    pub doubt: Option<DoubtCause>,
    /// Since when it is in doubt.
    pub doubted: Option<Timestamp>,
    /// When the executor accepted the try that is in doubt, as far as it still knew.
    pub accepted: Option<Timestamp>,
    /// What its verification said about a doubt or a failure, if that settled nothing.
    pub probed: Option<Probed>,
    /// When the last try that may have had an effect failed.
    pub failed_at: Option<Timestamp>,
    /// How much of a failure happened.
    pub failure: Option<FailureEffect>,
    /// The last thing said about it: an error, a reason, a finding.
    pub note: Option<String>,
    /// What was last seen.
    pub evidence: Evidence,
    /// Whether a person attested it instead of the machine.
    pub attested: bool,
    /// The person who carried it out, confirmed or attested it, as far as one did.
    pub by: Option<Actor>,
    /// What went wrong, if it failed.
    pub fault: Option<StepFault>,
    /// Whether a person wants its verifications asked again.
    pub recheck: bool,
    /// Why the present try is to be stopped.
    pub stop: Option<StopCause>,
    /// Whether any try that is over changed, or may have changed, anything.
    pub took: bool,
    /// The same of the tries before the present one.
    pub took_earlier: bool,
}

impl StepState {
    /// What its verification said that settled nothing, for people.
    #[must_use]
    pub fn finding(&self) -> Option<String> {
        self.probed.as_ref().map(|probed| probed.finding.clone())
    }

    /// When nothing of it was at work any more: it is done, or this try of it failed.
    #[must_use]
    pub fn over(&self) -> Option<Timestamp> {
        self.ended.or(self.since.filter(|_| self.status == Status::Failed))
    }

    pub(crate) fn new() -> Self {
        Self {
            status: Status::Pending,
            attempt: 0,
            key: String::new(),
            repeats: false,
            begun_elsewhere: None,
            intent: None,
            recoveries: 0,
            failures: 0,
            since: None,
            started: None,
            ended: None,
            assigned: None,
            confirmed: false,
            doubt: None,
            doubted: None,
            accepted: None,
            probed: None,
            failed_at: None,
            failure: None,
            note: None,
            evidence: Evidence::default(),
            attested: false,
            by: None,
            fault: None,
            recheck: false,
            stop: None,
            took: false,
            took_earlier: false,
        }
    }
}

impl StepState {
    /// Whether the verifications a machine can carry out are known to hold.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        let verified = &self.evidence.verified;
        !verified.is_empty() && verified.iter().all(|verified| verified.holds == Some(true))
    }
}
