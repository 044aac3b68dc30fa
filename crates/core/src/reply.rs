//! Answers as data: a command that can be given now, what it needs, and what it means.
//! Each front end words it for itself.

use serde::Serialize;

use crate::act::{Act, Answer};
use crate::choice::Verb;
use crate::duration::Span;
use crate::event::Direction;
use crate::ids::{OptionId, RoleId, RunId, StepId};

/// One possible answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reply {
    /// The command that gives it.
    pub command: Offer,
    /// What the sender has to add.
    pub needs: Needs,
    /// What it means.
    pub meaning: Meaning,
    /// The roles in which it can be given; empty where any will do.
    pub by: Vec<RoleId>,
}

/// What the sender of an answer has to add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// A reason.
    Reason,
    /// A reason; without one it is done all the same, and the review asks for it.
    OptionalReason,
    /// A file with a step, and a reason.
    File,
}

/// A command that can be given now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Offer {
    /// Say that a step is done, or confirm it.
    Acknowledge {
        /// The step.
        step: StepId,
    },
    /// Say that a step failed.
    Fail {
        /// The step.
        step: StepId,
    },
    /// Stop a running step.
    Stop {
        /// The step.
        step: StepId,
    },
    /// Run a step again.
    Retry {
        /// The step.
        step: StepId,
    },
    /// Ask a step's verifications again.
    CheckAgain {
        /// The step.
        step: StepId,
    },
    /// Leave a step out.
    Skip {
        /// The step.
        step: StepId,
        /// Whether it confirms what would otherwise be asked.
        confirmed: bool,
    },
    /// Change a step.
    Replace {
        /// The step.
        step: StepId,
    },
    /// Put a step in.
    Add,
    /// Say what happened to a step.
    Resolve {
        /// The step.
        step: StepId,
        /// The answer.
        answer: Answer,
    },
    /// Hand a step to another person.
    Assign {
        /// The step.
        step: StepId,
    },
    /// Agree to a stage.
    Approve {
        /// The stage.
        stage: StepId,
        /// The short digest of what is agreed to.
        shown: String,
    },
    /// Decide how a release goes on.
    Decide {
        /// What.
        verb: Verb,
        /// The option.
        option: Option<OptionId>,
        /// For how long a fix is tried.
        fix_for: Option<Span>,
        /// The question it answers.
        question: Option<u32>,
        /// Whether it confirms what would otherwise be asked.
        confirmed: bool,
    },
    /// Log a defect.
    LogDefect,
    /// Start nothing new.
    Hold,
    /// Go on with a run.
    Resume {
        /// The run.
        run: RunId,
    },
    /// Go on with a run in a copy of its state folder, or on another machine.
    GoOnHere {
        /// The run.
        run: RunId,
        /// Whether it confirms what would otherwise be asked.
        confirmed: bool,
    },
    /// Take a run over from the coordinator that holds its lease.
    TakeOver {
        /// The run.
        run: RunId,
        /// Whether it confirms what would otherwise be asked.
        confirmed: bool,
    },
    /// Move to another option.
    SwitchOption {
        /// The option.
        option: OptionId,
    },
    /// Give a run up.
    Abandon {
        /// The run.
        run: RunId,
    },
    /// Back out of a run that goes forward.
    BackOut {
        /// The run.
        run: RunId,
    },
    /// Begin a run.
    Start {
        /// With the deployment or with the backout.
        direction: Direction,
        /// Beside an open run of the same change.
        again: bool,
        /// Whether it confirms what would otherwise be asked.
        confirmed: bool,
    },
    /// Begin a run in the place of one whose log cannot be relied on.
    NewRun {
        /// With the deployment or with the backout.
        direction: Direction,
    },
    /// Rebuild the log of a run.
    Recover {
        /// The run.
        run: RunId,
        /// Whether it confirms what would otherwise be asked.
        confirmed: bool,
    },
    /// Capture baselines.
    CaptureBaselines,
    /// Find out what is wrong with the plan.
    CheckPlan,
    /// Find out where the log of a run is damaged.
    VerifyLog {
        /// The run.
        run: RunId,
    },
    /// See where a run stands.
    Status {
        /// The run.
        run: RunId,
    },
    /// Read how decisions came about.
    Explain,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// The step is done.
    Done,
    /// The step cannot be done.
    CannotBeDone,
    /// The other system failed.
    ReportedFailed,
    /// What was asked is so.
    Confirmed,
    /// What was asked is not so.
    NotSo,
    /// Run the step again.
    RunAgain,
    /// Ask the verifications again.
    CheckAgain,
    /// The step is done after all, and the sender stands for it.
    AttestDone,
    /// Leave the step out.
    LeaveOut,
    /// Do it another way.
    DoOtherwise,
    /// It happened: go on after it.
    Happened,
    /// It did not happen: run it now.
    DidNotHappen,
    /// Leave it open for now.
    KeepOpen,
    /// Stop it, with everything it started.
    StopIt,
    /// Back out.
    BackOut,
    /// Back out as far as it can be undone.
    BackOutRest,
    /// Back out by this option.
    BackOutByOption,
    /// Back out instead of going on.
    BackOutInstead,
    /// Try a fix, then back out.
    TryFix,
    /// Try a fix for a time after which the backout is still in time.
    TryFixInTime,
    /// Try the fix all the same.
    TryFixAnyway,
    /// It cannot be fixed: back out.
    NotFixable,
    /// Go on.
    Continue,
    /// Let the stage start.
    LetStart,
    /// Agree that the run starts.
    AgreeToStart,
    /// Accept it as it is, and end the run.
    AcceptAndEnd,
    /// Go on with the run.
    GoOn,
    /// Take it over all the same.
    TakeOverAnyway,
    /// Leave the step out, and let users in.
    LeaveOutAnyway,
    /// The run goes on here: it is not at work elsewhere.
    GoOnHere,
    /// Go on with this option.
    NextOption,
    /// Give the run up; what was done stays.
    GiveUp,
    /// Begin a second run beside the open one.
    SecondRun,
    /// Begin a new run.
    NewRun,
    /// Begin a new run that asks about each step that may be done.
    NewRunAsking,
    /// Rebuild the log from what is proven.
    RebuildLog,
    /// Give the same command with a reason.
    GiveReason,
    /// Give the same command with a title.
    GiveTitle,
    /// Give the same command as one of these roles.
    AskRole,
    /// See where the run stands.
    Look,
    /// Read what was decided.
    ReadDecisions,
    /// Capture what is missing.
    Capture,
    /// See what the plan lacks.
    SeePlan,
    /// See where a log is damaged.
    FindDamage,
    /// Deploy although the plan has errors.
    DeployAnyway,
    /// Back out without the parts of the plan that cannot be used.
    BackOutWithout,
}

impl Offer {
    /// The command behind an act, for a person who may give it. Of an act that carries more than
    /// a name it is the nearest command that does not.
    #[must_use]
    pub fn of_act(act: &Act, run: &RunId, direction: Direction) -> Self {
        match act {
            Act::Invoke | Act::Deploy => Self::Start { direction, again: false, confirmed: false },
            Act::Approve { stage } => Self::Approve { stage: stage.clone(), shown: String::new() },
            Act::Decide { verb, option, lasting } => Self::Decide {
                verb: *verb,
                option: option.clone(),
                fix_for: *lasting,
                question: None,
                confirmed: false,
            },
            Act::LogDefect => Self::LogDefect,
            Act::Acknowledge { step } => Self::Acknowledge { step: step.clone() },
            Act::Fail { step } => Self::Fail { step: step.clone() },
            Act::Stop { step } => Self::Stop { step: step.clone() },
            Act::Retry { step, .. } => Self::Retry { step: step.clone() },
            Act::CheckAgain { step } => Self::CheckAgain { step: step.clone() },
            Act::Skip { step } => Self::Skip { step: step.clone(), confirmed: false },
            Act::Add { .. } => Self::Add,
            Act::Replace { step, .. } => Self::Replace { step: step.clone() },
            Act::Resolve { step, answer } => Self::Resolve { step: step.clone(), answer: *answer },
            Act::Attest { step, .. } => {
                Self::Resolve { step: step.clone(), answer: Answer::Happened }
            }
            Act::Assign { step, .. } => Self::Assign { step: step.clone() },
            Act::Hold => Self::Hold,
            Act::Resume => Self::Resume { run: run.clone() },
            Act::GoOnHere => Self::GoOnHere { run: run.clone(), confirmed: false },
            Act::TakeOver => Self::TakeOver { run: run.clone(), confirmed: false },
            Act::Recover => Self::Recover { run: run.clone(), confirmed: false },
            Act::SwitchOption { option } => Self::SwitchOption { option: option.clone() },
            Act::Abandon => Self::Abandon { run: run.clone() },
        }
    }

    /// What the sender has to add to it.
    #[must_use]
    pub fn needs(&self) -> Needs {
        match self {
            Self::Acknowledge { .. }
            | Self::Resume { .. }
            | Self::GoOnHere { .. }
            | Self::LogDefect
            | Self::Status { .. }
            | Self::VerifyLog { .. }
            | Self::Explain
            | Self::CaptureBaselines
            | Self::CheckPlan => Needs::Nothing,
            Self::Replace { .. } | Self::Add => Needs::File,
            Self::Decide { verb, .. } if verb.goes_back() => Needs::OptionalReason,
            Self::BackOut { .. } | Self::Start { direction: Direction::Back, .. } => {
                Needs::OptionalReason
            }
            // Past errors of the plan only a reason leads.
            Self::Start { direction: Direction::Forward, confirmed: true, .. } => Needs::Reason,
            Self::Start { .. } => Needs::OptionalReason,
            Self::Fail { .. }
            | Self::Stop { .. }
            | Self::Retry { .. }
            | Self::CheckAgain { .. }
            | Self::Skip { .. }
            | Self::Resolve { .. }
            | Self::Assign { .. }
            | Self::Approve { .. }
            | Self::Decide { .. }
            | Self::Hold
            | Self::TakeOver { .. }
            | Self::SwitchOption { .. }
            | Self::NewRun { .. }
            | Self::Recover { .. }
            | Self::Abandon { .. } => Needs::Reason,
        }
    }
}

impl Reply {
    /// An answer that anyone may give.
    #[must_use]
    pub fn new(command: Offer, meaning: Meaning) -> Self {
        let needs = command.needs();
        Self { command, needs, meaning, by: Vec::new() }
    }

    /// The same, in these roles.
    #[must_use]
    pub fn by(mut self, roles: Vec<RoleId>) -> Self {
        self.by = roles;
        self
    }
}
