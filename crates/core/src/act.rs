//! What people can ask for, reduced to what two people have to mean alike.

use serde::{Deserialize, Serialize};

use crate::choice::Verb;
use crate::duration::Span;
use crate::ids::{Digest, OptionId, StepId};
use crate::people::PersonId;
use crate::plan::Permission;

/// The answer to a doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It happened.
    Happened,
    /// It did not happen, or may be done again: it will be.
    DidNotHappen,
    /// Leave it open; nothing that depends on it goes on.
    Hold,
}

/// Something a person wants to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// Start the way back.
    Invoke,
    /// Start the deployment.
    Deploy,
    /// Agree to a stage.
    Approve {
        /// The stage.
        stage: StepId,
    },
    /// Decide how it goes on.
    Decide {
        /// What.
        verb: Verb,
        /// The way back, if not the default one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        option: Option<OptionId>,
        /// For how long a fix is tried.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lasting: Option<Span>,
    },
    /// Write down what is wrong with the release.
    LogDefect,
    /// Say that a manual step is done, or confirm one.
    Acknowledge {
        /// The step.
        step: StepId,
    },
    /// Say that a step failed.
    Fail {
        /// The step.
        step: StepId,
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
        /// Whether with another key.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        new_key: bool,
    },
    /// Ask the verifications of a step again.
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
        /// The new step.
        step: StepId,
        /// Digest of what it does: two people must mean the same.
        what: Digest,
    },
    /// Change a step.
    Replace {
        /// The step.
        step: StepId,
        /// Digest of what it does from now on: two people must mean the same.
        what: Digest,
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
        /// The first of them.
        step: StepId,
        /// Further steps.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        also: Vec<StepId>,
        /// Digest of everything that is said: two people must mean the same.
        what: Digest,
    },
    /// Hand a step to somebody else.
    Assign {
        /// The step, the first of several.
        step: StepId,
        /// Further steps.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        also: Vec<StepId>,
        /// To whom.
        to: PersonId,
    },
    /// Start nothing new.
    Hold,
    /// Go on.
    Resume,
    /// Go on with a run in a copy of its state folder, or on another machine.
    GoOnHere,
    /// Take a run over from a coordinator that holds its lease.
    TakeOver,
    /// Rebuild a log that has lost its end.
    Recover,
    /// Move to another option.
    SwitchOption {
        /// The option.
        option: OptionId,
    },
    /// Give the run up.
    Abandon,
}

impl Act {
    /// The step it is about.
    #[must_use]
    pub fn step(&self) -> Option<&StepId> {
        match self {
            Self::Acknowledge { step }
            | Self::Fail { step }
            | Self::Stop { step }
            | Self::Retry { step, .. }
            | Self::CheckAgain { step }
            | Self::Skip { step }
            | Self::Add { step, .. }
            | Self::Replace { step, .. }
            | Self::Resolve { step, .. }
            | Self::Attest { step, .. }
            | Self::Assign { step, .. } => Some(step),
            Self::Approve { stage } => Some(stage),
            Self::Invoke
            | Self::Deploy
            | Self::Decide { .. }
            | Self::LogDefect
            | Self::Hold
            | Self::Resume
            | Self::GoOnHere
            | Self::TakeOver
            | Self::Recover
            | Self::SwitchOption { .. }
            | Self::Abandon => None,
        }
    }

    /// Whether it begins a run.
    #[must_use]
    pub fn begins(&self) -> bool {
        matches!(self, Self::Invoke | Self::Deploy)
    }

    /// The permission a plan can grant for it; `None` for what belongs to the owner alone.
    #[must_use]
    pub fn permission(&self) -> Option<Permission> {
        Some(match self {
            Self::Acknowledge { .. } | Self::Fail { .. } => return None,
            Self::Invoke => Permission::Invoke,
            Self::Deploy => Permission::Deploy,
            Self::Decide { .. } => Permission::Decide,
            Self::Approve { .. } => Permission::Approve,
            Self::LogDefect => Permission::Hold,
            Self::Retry { .. } => Permission::Retry,
            // Stopping and looking must be cheap: no plan makes them harder.
            Self::Stop { .. } | Self::CheckAgain { .. } => Permission::Hold,
            Self::Skip { .. } => Permission::Skip,
            Self::Add { .. } => Permission::Add,
            Self::Replace { .. } => Permission::Replace,
            Self::Resolve { .. } | Self::Attest { .. } => Permission::Resolve,
            Self::Assign { .. } => Permission::Assign,
            Self::Hold | Self::Resume | Self::GoOnHere | Self::TakeOver | Self::Recover => {
                Permission::Hold
            }
            Self::SwitchOption { .. } => Permission::SwitchOption,
            Self::Abandon => Permission::Abandon,
        })
    }

    /// For people: `skip notify-users`.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Invoke => "invoke the backout".to_owned(),
            Self::Deploy => "start the deployment".to_owned(),
            Self::Approve { stage } => format!("approve {stage}"),
            Self::Decide { verb, option, lasting } => {
                let option = option.as_ref().map(|option| format!(" ({option})"));
                let lasting = lasting.map(|lasting| format!(" for {lasting}"));
                let more = option.or(lasting).unwrap_or_default();
                format!("decide to {}{more}", verb.shown())
            }
            Self::LogDefect => "log a defect".to_owned(),
            Self::Acknowledge { step } => format!("acknowledge {step}"),
            Self::Fail { step } => format!("fail {step}"),
            Self::Stop { step } => format!("stop {step}"),
            Self::Retry { step, new_key: false } => format!("retry {step}"),
            Self::Retry { step, new_key: true } => format!("retry {step} with another key"),
            Self::CheckAgain { step } => format!("check {step} again"),
            Self::Skip { step } => format!("skip {step}"),
            Self::Add { step, .. } => format!("add {step}"),
            Self::Replace { step, .. } => format!("replace {step}"),
            Self::Resolve { step, .. } => format!("resolve {step}"),
            Self::Attest { step, also, .. } if also.is_empty() => format!("attest {step}"),
            Self::Attest { step, also, .. } => {
                format!("attest {step} and {} more", also.len())
            }
            Self::Assign { step, to, .. } => format!("assign {step} to {to}"),
            Self::Hold => "hold the run".to_owned(),
            Self::Resume => "resume the run".to_owned(),
            Self::GoOnHere => "go on with the run here".to_owned(),
            Self::TakeOver => "take the run over".to_owned(),
            Self::Recover => "rebuild the log of the run".to_owned(),
            Self::SwitchOption { option } => format!("switch to option {option}"),
            Self::Abandon => "abandon the run".to_owned(),
        }
    }
}
