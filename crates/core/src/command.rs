//! What people and other systems ask a run to do, as data.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::act::{Act, Answer};
use crate::choice::Verb;
use crate::duration::Span;
use crate::evidence::{Attachment, Attested, Evidence};
use crate::ids::{Digest, OptionId, Seq, StepId, TriggerId};
use crate::location::Location;
use crate::people::PersonId;
use crate::plan::{Severity, Step};
use crate::rebuild::ProvenAttempt;
use crate::watch::Reading;

/// A command to a run, with everything that comes with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What is asked for.
    pub command: Command,
    /// Why, in the sender's words.
    pub reason: Option<String>,
    /// Whether the sender confirms what they would otherwise be asked about (`--yes`).
    pub confirmed: bool,
}

impl Request {
    /// A command with a reason, nothing confirmed.
    #[must_use]
    pub fn new(command: Command, reason: impl Into<String>) -> Self {
        Self { command, reason: Some(reason.into()), confirmed: false }
    }

    /// The reason without blanks around it; nothing if there is none.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty())
    }
}

/// A command to a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Agree that a run which takes several people may start.
    AgreeToStart,
    /// Say that a manual step is done, or confirm what only a person can.
    Acknowledge {
        /// The step.
        step: StepId,
        /// What was seen or done.
        note: Option<String>,
        /// Files kept as evidence.
        attached: Vec<Attachment>,
    },
    /// Say that a step failed.
    Fail {
        /// The step.
        step: StepId,
        /// What was seen.
        evidence: Evidence,
    },
    /// Stop a running step, with everything it started.
    Stop {
        /// The step.
        step: StepId,
    },
    /// Run a step again.
    Retry {
        /// The step.
        step: StepId,
        /// Whether with another key, so that the target does not recognise it as a repeat.
        new_key: bool,
    },
    /// Ask the verifications of a failed step, or of one in doubt, again.
    CheckAgain {
        /// The step.
        step: StepId,
    },
    /// Leave a step out.
    Skip {
        /// The step.
        step: StepId,
    },
    /// Put a step in.
    Add {
        /// The step.
        step: Box<Step>,
        /// It stands after this step; at the start if none.
        after: Option<StepId>,
        /// These steps wait for it.
        before: Vec<StepId>,
        /// It does not start before this.
        not_before: Option<Timestamp>,
    },
    /// Change a step.
    Replace {
        /// The new step; it has the id of the one it replaces.
        step: Box<Step>,
        /// It does not start before this.
        not_before: Option<Timestamp>,
    },
    /// Say what happened to a step.
    Resolve {
        /// The step.
        step: StepId,
        /// The answer.
        answer: Answer,
    },
    /// Say after the fact that steps were carried out by hand.
    Attest {
        /// The first of them, with what came of it.
        first: Box<AttestedStep>,
        /// Further steps.
        also: Vec<AttestedStep>,
    },
    /// Hand steps to another person.
    Assign {
        /// The first of them.
        step: StepId,
        /// Further steps.
        also: Vec<StepId>,
        /// To whom.
        to: PersonId,
    },
    /// Start nothing new.
    Hold,
    /// Start steps again.
    Resume,
    /// Go on with the run where its state folder is now.
    GoOnHere {
        /// Where that is.
        location: Location,
    },
    /// Take the run over from a coordinator that holds its lease.
    TakeOver {
        /// The coordinator that holds it.
        coordinator: String,
        /// How long it has shown no sign of life; `None` where that cannot be told.
        silent_for: Option<Span>,
    },
    /// Move to another option.
    SwitchOption {
        /// The option.
        option: OptionId,
    },
    /// Give the run up.
    Abandon,
    /// Rebuild a log that has lost its end.
    Recover {
        /// The attempts that the ledger proves.
        found: Vec<ProvenAttempt>,
        /// The highest record that is known to have been committed, if any is.
        known: Option<Seq>,
        /// Whether something known elsewhere contradicts the log, or it cannot be read.
        contradicted: bool,
        /// Whether the ledger is older than what is known elsewhere, so that it proves less than
        /// was done.
        ledger_behind: bool,
    },
    /// Decide how a release goes on.
    Decide {
        /// What.
        verb: Verb,
        /// With back-out: the option, if not the one that is called for.
        option: Option<OptionId>,
        /// With fix-forward: for how long, if not as long as the plan says.
        fix_for: Option<Span>,
        /// The number of the question that is answered, if one is meant.
        question: Option<u32>,
        /// What the triggers measure at this moment.
        readings: BTreeMap<TriggerId, Reading>,
    },
    /// Agree to a stage.
    Approve {
        /// The stage.
        stage: StepId,
        /// The short digest of the stage as it was shown.
        shown: Option<String>,
    },
    /// Log a defect of the release.
    LogDefect {
        /// What is wrong.
        title: String,
        /// Its number in the tracker.
        id: Option<String>,
        /// How bad it is.
        severity: Option<Severity>,
        /// The trigger that showed it.
        trigger: Option<TriggerId>,
    },
}

/// A step that was carried out by hand.
#[derive(Debug, Clone, PartialEq)]
pub struct AttestedStep {
    /// The step.
    pub step: StepId,
    /// What came of it.
    pub result: Attested,
    /// Who carried it out, as it was written down.
    pub name: Option<String>,
    /// When it began, as it was written down.
    pub started: Option<Timestamp>,
    /// When it ended, as it was written down.
    pub ended: Option<Timestamp>,
    /// What else was written down.
    pub evidence: Evidence,
}

/// How a command treats a missing reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeedsReason {
    /// It has none.
    Never,
    /// It is asked for by the review, and does not hold the command up: the command is
    /// the way out of a bad night.
    Later,
    /// Without one the command is refused.
    Always,
}

impl Command {
    /// How a missing reason is treated.
    #[must_use]
    pub fn needs_reason(&self) -> NeedsReason {
        match self {
            Self::Acknowledge { .. } | Self::LogDefect { .. } => NeedsReason::Never,
            Self::AgreeToStart | Self::Resume | Self::GoOnHere { .. } => NeedsReason::Later,
            Self::Decide { verb, .. } if verb.goes_back() => NeedsReason::Later,
            _ => NeedsReason::Always,
        }
    }

    /// Whether what is left to do, or who does it, may be another afterwards: then the
    /// order of work is made anew.
    #[must_use]
    pub fn departs(&self) -> bool {
        matches!(
            self,
            Self::Add { .. }
                | Self::Replace { .. }
                | Self::Skip { .. }
                | Self::Retry { .. }
                | Self::Resolve { .. }
                | Self::Attest { .. }
                | Self::Assign { .. }
                | Self::SwitchOption { .. }
        )
    }

    /// Whether what the forecast says bears on it.
    #[must_use]
    pub fn needs_forecast(&self) -> bool {
        matches!(self, Self::Decide { verb: Verb::FixForward, .. })
    }

    /// What two people have to ask for alike. `starts` is what begins the run.
    #[must_use]
    pub fn act(&self, starts: Act) -> Act {
        match self {
            Self::AgreeToStart => starts,
            Self::Acknowledge { step, .. } => Act::Acknowledge { step: step.clone() },
            Self::Fail { step, .. } => Act::Fail { step: step.clone() },
            Self::Stop { step } => Act::Stop { step: step.clone() },
            Self::Retry { step, new_key } => Act::Retry { step: step.clone(), new_key: *new_key },
            Self::CheckAgain { step } => Act::CheckAgain { step: step.clone() },
            Self::Skip { step } => Act::Skip { step: step.clone() },
            Self::Add { step, after, before, .. } => {
                Act::Add { step: step.id.clone(), what: digest_of(&(step, after, before)) }
            }
            Self::Replace { step, .. } => {
                Act::Replace { step: step.id.clone(), what: digest_of(step) }
            }
            Self::Resolve { step, answer } => Act::Resolve { step: step.clone(), answer: *answer },
            Self::Attest { first, also } => {
                let said: Vec<_> = std::iter::once(&**first)
                    .chain(also)
                    .map(|r| (&r.step, r.result, &r.name, r.started, r.ended, &r.evidence))
                    .collect();
                Act::Attest {
                    step: first.step.clone(),
                    also: also.iter().map(|result| result.step.clone()).collect(),
                    what: digest_of(&said),
                }
            }
            Self::Assign { step, also, to } => {
                Act::Assign { step: step.clone(), also: also.clone(), to: to.clone() }
            }
            Self::Hold => Act::Hold,
            Self::Resume => Act::Resume,
            Self::GoOnHere { .. } => Act::GoOnHere,
            Self::TakeOver { .. } => Act::TakeOver,
            Self::SwitchOption { option } => Act::SwitchOption { option: option.clone() },
            Self::Abandon => Act::Abandon,
            Self::Recover { .. } => Act::Recover,
            Self::Decide { verb, option, fix_for, .. } => {
                Act::Decide { verb: *verb, option: option.clone(), lasting: *fix_for }
            }
            Self::Approve { stage, .. } => Act::Approve { stage: stage.clone() },
            Self::LogDefect { .. } => Act::LogDefect,
        }
    }
}

fn digest_of(said: &impl serde::Serialize) -> Digest {
    Digest::of(&serde_json::to_vec(said).unwrap_or_default())
}
