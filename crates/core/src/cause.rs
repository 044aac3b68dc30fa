//! Why something is so, as data. What the log keeps here, every front end words for itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::duration::Span;
use crate::evidence::DoubtCause;
use crate::ids::{RoleId, RunId, SourceId, StepId, TriggerId};
use crate::location::Relocation;
use crate::watch::{Reading, State};

/// Why a decision is needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum DecisionCause {
    /// A trigger is where it calls for a decision.
    Trigger {
        /// The trigger.
        trigger: TriggerId,
        /// What it measured.
        reading: Reading,
    },
    /// A trigger that was asked about before still calls for a decision.
    StillCalling {
        /// The trigger.
        trigger: TriggerId,
        /// What it measured.
        reading: Reading,
    },
    /// A trigger fired, and is over before anything was decided about it.
    FiredAndOver {
        /// The trigger.
        trigger: TriggerId,
    },
    /// A source cannot be read.
    SourceOutage {
        /// The source.
        source: SourceId,
        /// What went wrong when it was read.
        error: String,
        /// How many triggers need it.
        triggers: u32,
    },
    /// The time under watch of a stage is over, inconclusive.
    BakeInconclusive {
        /// The stage.
        stage: StepId,
        /// The required triggers that were not seen healthy.
        unseen: Vec<UnseenTrigger>,
    },
    /// The watch over the release is over, inconclusive.
    WatchInconclusive {
        /// The required triggers that were not seen healthy.
        unseen: Vec<UnseenTrigger>,
    },
    /// A person acts on what they saw themselves.
    OwnJudgement {
        /// Why, in their words.
        reason: String,
    },
    /// What an earlier version of the log kept as text.
    Text {
        /// The text.
        text: String,
    },
}

/// A required trigger that was not seen healthy, and where it stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnseenTrigger {
    /// The trigger.
    pub trigger: TriggerId,
    /// Its state.
    pub state: State,
}

/// Why the plan does not back out automatically although it would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "guard", rename_all = "snake_case")]
pub enum Guard {
    /// A person held the run.
    Held,
    /// A stage that cannot be undone took place.
    Irreversible {
        /// The stage.
        stage: StepId,
        /// Why it cannot be undone, as the plan says.
        why: String,
    },
    /// The plan backed out of this release automatically in an earlier run.
    EarlierBackout {
        /// That run.
        run: RunId,
    },
    /// What fires fired before the deployment, too.
    FiredBefore,
    /// There is no data: a missing measurement is no proof that anything is wrong.
    NoData,
    /// What an earlier version of the log kept as text.
    Text {
        /// The text.
        text: String,
    },
}

/// Why the plan decided by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum PlanReason {
    /// Its rule for this severity is automatic.
    Automatic,
    /// It got worse while a fix was tried.
    GotWorse,
    /// The time for a fix is over.
    FixTimeOver,
    /// No answer came in time, and the plan says what holds then.
    Unanswered,
    /// What could not be seen can be seen again.
    SeenAgain {
        /// Whether all of it was seen healthy.
        healthy: bool,
    },
    /// There is something new to watch, so the old verdict is void.
    WatchedAnew,
    /// What an earlier version of the log kept as text.
    Text {
        /// The text.
        text: String,
    },
}

/// What held a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldCause {
    /// A person asked for it.
    Person,
    /// Ctrl-C at the coordinator's terminal.
    Terminal,
    /// The run was carried out by hand, and only its log follows.
    ByHand,
    /// Its log had lost its end: what was said in the lost part has to be said again.
    Recovered,
}

/// What went wrong with a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum StepFault {
    /// The action failed.
    Action {
        /// What the action said.
        error: String,
    },
    /// A person had it stopped.
    Stopped {
        /// Why, in their words.
        reason: String,
    },
    /// A person, or the system that carries it out, says that it failed.
    Reported {
        /// What they say.
        reason: String,
    },
    /// The action is done, and a verification does not hold.
    NotVerified {
        /// What the verification found.
        finding: String,
    },
    /// The action is done, and its verifications could not be asked.
    Unverifiable {
        /// Why not.
        finding: String,
    },
    /// Its outcome was unknown, and its effect class lets it count as failed.
    OutcomeUnknown {
        /// Why it was unknown.
        cause: DoubtCause,
        /// What its verification found, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        finding: Option<String>,
    },
    /// It was stopped because the run goes back.
    StoppedForBackout,
    /// It was not started: the run goes back.
    NotStarted,
    /// What an earlier version of the log kept as text.
    Text {
        /// The text.
        text: String,
    },
}

/// Something a person has to confirm before a command is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "concern", rename_all = "snake_case")]
pub enum Concern {
    /// Backing out leaves these stages as they are: they cannot be undone.
    Irreversible {
        /// Each stage, with why it cannot be undone.
        stages: Vec<IrreversibleStage>,
    },
    /// The fix would be tried for longer than the backout is known to be in time.
    FixOutlastsBackout {
        /// By when the backout has to start, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        latest: Option<Timestamp>,
        /// Whether that has passed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        passed: bool,
        /// Until when the fix would be tried.
        until: Timestamp,
    },
    /// The state folder was copied, or it is another machine: the run could go on twice.
    OtherLocation {
        /// What is another than it was.
        change: Relocation,
        /// The coordinator that was at work there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        coordinator: Option<String>,
    },
    /// The coordinator that a run is taken over from shows that it lives, or it is not known
    /// whether it does.
    NotSilent {
        /// The coordinator.
        coordinator: String,
        /// How long it has shown no sign of life; `None` where that cannot be told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        silent_for: Option<Span>,
    },
    /// Without the step users are let in next.
    LetsUsersIn {
        /// The steps that let them in.
        steps: Vec<StepId>,
    },
    /// The check of the plan finds errors.
    PlanErrors {
        /// The rules that are broken.
        rules: Vec<String>,
    },
    /// Parts of the plan file cannot be used, and the run goes without them.
    PartsLeftOut {
        /// The parts, each with its place in the file.
        parts: Vec<String>,
    },
}

/// A stage that took place and cannot be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IrreversibleStage {
    /// The stage.
    pub stage: StepId,
    /// Why it cannot be undone, as the plan says.
    pub why: String,
}

/// Why a person may not do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "denied", rename_all = "snake_case")]
pub enum Denial {
    /// It belongs to the holders of these roles.
    OnlyRoles {
        /// The roles.
        roles: Vec<RoleId>,
    },
    /// It belongs to the person a step was handed to, or to its owner and their deputies.
    OnlyOwner {
        /// The step.
        step: StepId,
    },
    /// The person holds no role in the plan.
    NoRole,
    /// The role they claim is bound to another account.
    OtherAccount {
        /// The role.
        role: RoleId,
    },
    /// What an earlier version of the log kept as text.
    Text {
        /// The text.
        text: String,
    },
}
