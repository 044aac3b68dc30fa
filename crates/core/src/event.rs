//! What can happen in a run. One vocabulary: the log holds it, `--json` shows
//! it, every view is computed from it.
//!
//! Only facts that change a decision are events. Output of commands, progress
//! and sizes live beside the log, their digests inside it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::act::{Act, Answer};
use crate::cause::{Concern, Denial, HoldCause, PlanReason, StepFault};
use crate::choice::{Choice, DecisionRequested};
use crate::duration::Span;
use crate::environment::Environment;
pub use crate::evidence::{
    Attachment, Attested, DoubtCause, Evidence, Fact, FailureEffect, LeftRunning, ResolvedBy,
    Verified,
};
use crate::ids::{
    BaselineId, ComponentId, Digest, Epoch, OptionId, RoleId, RunId, RunUid, Seq, SourceId, StepId,
    TriggerId,
};
use crate::location::{Location, Relocation};
use crate::moment::ClockChange;
use crate::parallel::Places;
use crate::people::PersonId;
use crate::plan::{Effect, Plan, Severity, Step};
use crate::policy::Policy;
use crate::rebuild::{AttemptEnd, UnplacedAttempt};
use crate::watch::{Meaning, Reading, State, Verdict};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run began: the plan is frozen from here on.
    RunPlanned(Box<RunPlanned>),
    /// Facts were captured before the deployment.
    BaselinesCaptured {
        /// The change they belong to.
        change: String,
        /// Digest of the plan file they were captured with.
        plan: Digest,
        /// Each fact.
        facts: BTreeMap<BaselineId, Fact>,
    },
    /// A coordinator took over. Everything an earlier one might still write is refused.
    OwnerAcquired {
        /// Its term.
        epoch: Epoch,
        /// Host and process, for people.
        coordinator: String,
        /// How many steps of machines it carries out at the same time; `None` in logs of earlier
        /// versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        places: Option<Places>,
        /// Where it is; `None` in logs of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<Location>,
    },
    /// A person said that the run goes on where its state folder is now: in a copy, or on another
    /// machine.
    Relocated {
        /// What is another than it was.
        change: Relocation,
        /// Where it is now.
        to: Location,
        /// Why, in a person's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The clock on the wall was set, or the machine has started anew. What is counted from an
    /// earlier moment goes on as if it had not been.
    ClockChanged {
        /// By how much, forward if positive; `None` where only the wall is left to go by.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<SignedDuration>,
    },
    /// A person took the run over from a coordinator that held its lease. The next coordinator
    /// becomes the owner right behind it.
    TakenOver {
        /// The coordinator it was taken from.
        from: String,
        /// How long that one had shown no sign of life; `None` where that could not be told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        silent_for: Option<Span>,
        /// Why.
        reason: String,
        /// What the person was asked to confirm, and confirmed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        confirmed: Vec<Concern>,
    },
    /// As many people as it takes have agreed that the run may start.
    StartAgreed {
        /// Who had asked for it before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        agreed: Vec<PersonId>,
    },
    /// Nothing new starts from here on.
    RunHeld {
        /// What held it.
        cause: HoldCause,
        /// Why, in a person's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Steps start again.
    RunResumed {
        /// Why, in a person's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Every step of an option that keeps users out is done: the run waits for the next
    /// option.
    HoldingReached {
        /// The option.
        option: OptionId,
    },
    /// The run moved to another option; what is done stays done.
    OptionSwitched {
        /// The option.
        option: OptionId,
        /// Why.
        reason: String,
    },
    /// The order in which people and lanes take up the steps was made anew,
    /// after a departure from the plan.
    OrderFrozen {
        /// Every step that is not settled, first to last.
        order: Vec<StepId>,
    },
    /// The run ended.
    RunFinished {
        /// How.
        outcome: Outcome,
    },
    /// A step is about to be carried out. Nothing has an effect without this
    /// being durable first.
    StepIntent {
        /// The step.
        step: StepId,
        /// 1 for the first try.
        attempt: u32,
        /// Stays the same when a `keyed` step is repeated after a crash.
        key: String,
        /// Digest of the action as it was dispatched.
        action: Digest,
        /// Its effect class.
        effect: Effect,
    },
    /// The action is done; its verifications are not.
    StepExecuted {
        /// The step.
        step: StepId,
        /// Which try.
        attempt: u32,
        /// What was seen.
        evidence: Evidence,
    },
    /// The verifications a machine can carry out hold; a person has yet to confirm the rest.
    StepVerified {
        /// The step.
        step: StepId,
        /// Which try.
        attempt: u32,
        /// What was seen.
        evidence: Evidence,
    },
    /// A person confirmed what only a person can.
    StepConfirmed {
        /// The step.
        step: StepId,
        /// Which try.
        attempt: u32,
        /// What they said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// The step is done, and no check of it failed.
    StepSucceeded {
        /// The step.
        step: StepId,
        /// Which try.
        attempt: u32,
        /// What was seen.
        evidence: Evidence,
    },
    /// The step failed.
    StepFailed {
        /// The step.
        step: StepId,
        /// Which try.
        attempt: u32,
        /// How much of it happened, as far as is known.
        effect: FailureEffect,
        /// What went wrong.
        fault: StepFault,
        /// What was seen.
        evidence: Evidence,
    },
    /// The outcome of the step is unknown.
    StepInDoubt {
        /// The step.
        step: StepId,
        /// Which try.
        attempt: u32,
        /// Why it is unknown.
        cause: DoubtCause,
        /// What is known.
        evidence: Evidence,
        /// When the executor accepted it, as far as it still knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accepted: Option<Timestamp>,
    },
    /// A person wants the verifications of a failed step, or of one in doubt, asked again.
    StepCheckRequested {
        /// The step.
        step: StepId,
        /// Which try.
        attempt: u32,
        /// Why.
        reason: String,
    },
    /// The verifications were asked about a step that failed or is in doubt, and did not
    /// settle it.
    StepProbed {
        /// The step.
        step: StepId,
        /// Which try.
        attempt: u32,
        /// What they found.
        finding: String,
        /// Whether they found that it did not happen; else they cannot tell.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        denied: bool,
        /// Whether its effect could still appear when they were asked.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        early: bool,
    },
    /// A doubt ended, or a person attested a failed step.
    StepResolved {
        /// The step.
        step: StepId,
        /// Which try.
        attempt: u32,
        /// The answer.
        answer: Answer,
        /// Who or what gave it.
        by: ResolvedBy,
        /// Why, in a person's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A person wants a running step stopped, with everything it started.
    StepStopRequested {
        /// The step.
        step: StepId,
        /// Which try.
        attempt: u32,
        /// Why.
        reason: String,
    },
    /// A person wants the step to run again.
    StepRetried {
        /// The step.
        step: StepId,
        /// Whether the target is not to recognise it as a repeat.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        new_key: bool,
        /// Why.
        reason: String,
    },
    /// A person leaves the step out.
    StepSkipped {
        /// The step.
        step: StepId,
        /// What the person was asked to confirm, and confirmed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        confirmed: Vec<Concern>,
        /// Why.
        reason: String,
    },
    /// A person carried a step out by hand while no coordinator could, and says so
    /// afterwards: nothing but their word stands for it.
    StepAttested {
        /// The step.
        step: StepId,
        /// What they say came of it.
        result: Attested,
        /// Who carried it out, as it was written down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// When it began, as it was written down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        started: Option<Timestamp>,
        /// When it ended, as it was written down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended: Option<Timestamp>,
        /// What else was written down, and the sheet it stands on.
        evidence: Evidence,
        /// Why it was done by hand.
        reason: String,
    },
    /// A person agreed to a stage that needs it.
    StageApproved {
        /// The stage.
        stage: StepId,
        /// The short digest of what was agreed to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
        /// Why.
        reason: String,
    },
    /// A stage was watched for as long as the plan says.
    StageBaked {
        /// The stage.
        stage: StepId,
        /// How the triggers stood at the end.
        verdict: Verdict,
    },
    /// A trigger got from one state to another.
    TriggerChanged {
        /// The trigger.
        trigger: TriggerId,
        /// From.
        from: State,
        /// To.
        to: State,
        /// What that means for the release.
        meaning: Meaning,
        /// Whether it fired, or would have fired, before the first stage began.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        before: bool,
        /// What was measured.
        reading: Reading,
    },
    /// A source cannot be read. Its triggers see nothing, which is one finding.
    SourceOutageStarted {
        /// The source.
        source: SourceId,
        /// Why.
        error: String,
    },
    /// A source can be read again.
    SourceOutageEnded {
        /// The source.
        source: SourceId,
    },
    /// The release was not watched: no coordinator was at work, or it stood still.
    WatchGap {
        /// The last look before.
        from: Timestamp,
        /// The first look behind.
        to: Timestamp,
    },
    /// The release was watched for as long as the plan says.
    WatchEnded {
        /// How the triggers stood at the end.
        verdict: Verdict,
    },
    /// A decision is asked for.
    DecisionRequested(Box<DecisionRequested>),
    /// It is still open when its time, or that of a fix, is over: others are asked too.
    DecisionEscalated {
        /// The decision's number.
        number: u32,
        /// Who is asked too.
        to: Vec<RoleId>,
        /// Until when.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A decision was made.
    DecisionMade {
        /// What was decided.
        choice: Choice,
        /// Why.
        reason: Reason,
        /// The number of the question it answers, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<u32>,
        /// What was measured by then of what it was about.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        readings: BTreeMap<TriggerId, Reading>,
        /// Who had asked for the very same before, where it takes several.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        agreed: Vec<PersonId>,
        /// What the person was asked to confirm, and confirmed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        confirmed: Vec<Concern>,
        /// Until when the backout could be started in time, as the forecast said then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        latest: Option<Timestamp>,
    },
    /// The release is being backed out from here on: no stage starts any more.
    BackoutStarted {
        /// The option, if the plan has several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        option: Option<OptionId>,
        /// Why.
        reason: Reason,
    },
    /// Something is wrong with the release, and is written down.
    DefectLogged {
        /// What is wrong.
        title: String,
        /// Its number in the tracker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// How bad it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        severity: Option<Severity>,
        /// The trigger that showed it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trigger: Option<TriggerId>,
    },
    /// A person put a step in.
    StepAdded {
        /// The new step, in full.
        step: Box<Step>,
        /// It stands after this step; at the start if none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<StepId>,
        /// These steps wait for it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        before: Vec<StepId>,
        /// It does not start before this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Timestamp>,
        /// Why.
        reason: String,
    },
    /// A person changed a step that is not under way.
    StepReplaced {
        /// The new step, in full; it keeps the old one's name.
        step: Box<Step>,
        /// It does not start before this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Timestamp>,
        /// Why.
        reason: String,
    },
    /// A step was handed to another person.
    StepAssigned {
        /// The step.
        step: StepId,
        /// The person.
        to: PersonId,
        /// Why.
        reason: String,
    },
    /// The log had lost its end, and was rebuilt from what the ledger proves.
    LogRecovered {
        /// The last record that was left of it.
        after: Seq,
        /// The highest record that is known to have been committed, if any is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        known: Option<Seq>,
        /// The highest term that the ledger knows.
        epoch: Epoch,
        /// Attempts at steps that this log does not have.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unplaced: Vec<UnplacedAttempt>,
        /// Why.
        reason: String,
    },
    /// An attempt that the ledger proves and that the log had lost.
    StepRecovered {
        /// The step.
        step: StepId,
        /// Which attempt.
        attempt: u32,
        /// Its key.
        key: String,
        /// Digest of its action.
        action: Digest,
        /// Digest of the lost record of its intent.
        intent: Digest,
        /// Whether it is an attempt at the step as this log knows it; else its outcome is unknown.
        fits: bool,
    },
    /// An earlier run of the change, whose log cannot be relied on, carried this step out, or
    /// may have.
    StepInherited {
        /// The step.
        step: StepId,
        /// That run.
        run: RunId,
        /// The last attempt that is known of.
        attempt: u32,
        /// Its key, where its action is that of this step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// How it ended, as far as that is known.
        end: AttemptEnd,
    },
    /// A person asked for something that takes more than one person.
    CommandProposed {
        /// What they asked for.
        act: Act,
        /// Why, in their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A person asked for something they may not do.
    CommandRefused {
        /// What they asked for.
        act: Act,
        /// Why it was refused.
        denial: Denial,
    },
}

/// Why something was decided or begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A person decided, in these words; empty where they gave none.
    Person(String),
    /// The plan decided.
    Plan(PlanReason),
}

impl Reason {
    /// Whether the plan decided and no person.
    #[must_use]
    pub fn is_automatic(&self) -> bool {
        matches!(self, Self::Plan(_))
    }
}

/// The first event of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunPlanned {
    /// The random id of the run; `None` in runs of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<RunUid>,
    /// SHA-256 of the plan file as it was on disk.
    pub plan_digest: Digest,
    /// The plan file, byte for byte: what people signed.
    pub source: String,
    /// The folder relative paths start from.
    pub folder: String,
    /// The plan as it was read: what the engine follows.
    pub plan: Plan,
    /// The plan's times as instants.
    pub window: Instants,
    /// Whether this is the real thing.
    pub mode: Mode,
    /// Whether the run begins with the deployment, or with the way back.
    #[serde(default, skip_serializing_if = "Direction::is_back")]
    pub direction: Direction,
    /// The option that was chosen, if the plan has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub option: Option<OptionId>,
    /// The components of a partial backout; empty for a whole one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<ComponentId>,
    /// The order in which people and lanes take up the steps, frozen from the
    /// forecast's schedule; empty for the plan's own order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<StepId>,
    /// Steps that do not start before a time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub not_before: BTreeMap<StepId, Timestamp>,
    /// The facts steps are verified against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baselines: Option<UsedBaselines>,
    /// Why the run was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the organisation asked for when the run began. Later policies only tighten it.
    #[serde(default, skip_serializing_if = "Policy::is_default")]
    pub policy: Policy,
    /// Open runs of the same change beside which this one was begun (`--again`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<RunId>,
    /// What the one who began it has confirmed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confirmed: Vec<Concern>,
    /// How many people must agree before anything starts, if more than the one who began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u32>,
    /// An earlier run in which the plan backed out of this very release by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<RunId>,
    /// The name of the plan file in the folder; `None` in runs of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Whether its records are noted outside the journal, too ([`crate::mark`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_marks: bool,
    /// The folder beside the state folder in which they are noted too, if one was configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marks_elsewhere: Option<String>,
    /// The variables that choose the targets of its steps; `None` in logs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// Where it began; `None` in logs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

/// Where a run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// With the way back.
    #[default]
    Back,
    /// With the first stage of the deployment.
    Forward,
}

impl Direction {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
    fn is_back(&self) -> bool {
        *self == Self::Back
    }
}

/// The baseline capture a run uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UsedBaselines {
    /// The log it stands in.
    pub log: RunId,
    /// The record it stands in.
    pub seq: Seq,
    /// That record's digest.
    pub digest: Digest,
    /// When it was captured.
    pub captured: Timestamp,
    /// The facts.
    pub facts: BTreeMap<BaselineId, Fact>,
}

/// The window's local times as instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Instants {
    /// When the deployment may start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy_start: Option<Timestamp>,
    /// When it must end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy_end: Option<Timestamp>,
    /// When the backout must be finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backout_by: Option<Timestamp>,
}

/// Whether a run is the real thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// In earnest.
    Live,
    /// On the demonstration system.
    Demo,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every stage is done, and the release was watched and found well.
    Deployed,
    /// Every stage is done; the plan has no trigger that a machine watches.
    DeployedUnwatched,
    /// Every stage is done; a person went on although not everything was found healthy.
    DeployedWithFindings,
    /// Every step of the option is done, and a check or a person stands for each.
    Reverted,
    /// Every step of the option is done, but no check and no person stands for some.
    Unverified,
    /// The option came to its end, but not everything is as it was: steps that matter were
    /// left out, a stage stays, or a trigger is not healthy and that was accepted.
    Partial,
    /// A person gave it up.
    Abandoned {
        /// Why.
        reason: String,
    },
}

impl From<ClockChange> for Event {
    fn from(change: ClockChange) -> Self {
        match change {
            ClockChange::Jumped(by) => Self::ClockChanged { by: Some(by) },
            ClockChange::OtherBoot => Self::ClockChanged { by: None },
        }
    }
}

impl Event {
    /// The step this is about, if it is about one.
    #[must_use]
    pub fn step(&self) -> Option<&StepId> {
        match self {
            Self::StepIntent { step, .. }
            | Self::StepExecuted { step, .. }
            | Self::StepVerified { step, .. }
            | Self::StepStopRequested { step, .. }
            | Self::StepConfirmed { step, .. }
            | Self::StepSucceeded { step, .. }
            | Self::StepFailed { step, .. }
            | Self::StepInDoubt { step, .. }
            | Self::StepProbed { step, .. }
            | Self::StepCheckRequested { step, .. }
            | Self::StepResolved { step, .. }
            | Self::StepRetried { step, .. }
            | Self::StepSkipped { step, .. }
            | Self::StepAttested { step, .. }
            | Self::StepRecovered { step, .. }
            | Self::StepInherited { step, .. }
            | Self::StepAssigned { step, .. } => Some(step),
            Self::StageApproved { stage, .. } | Self::StageBaked { stage, .. } => Some(stage),
            Self::StepAdded { step, .. } | Self::StepReplaced { step, .. } => Some(&step.id),
            Self::RunPlanned(_)
            | Self::BaselinesCaptured { .. }
            | Self::OwnerAcquired { .. }
            | Self::Relocated { .. }
            | Self::ClockChanged { .. }
            | Self::TakenOver { .. }
            | Self::StartAgreed { .. }
            | Self::HoldingReached { .. }
            | Self::RunHeld { .. }
            | Self::RunResumed { .. }
            | Self::OptionSwitched { .. }
            | Self::OrderFrozen { .. }
            | Self::RunFinished { .. }
            | Self::TriggerChanged { .. }
            | Self::SourceOutageStarted { .. }
            | Self::SourceOutageEnded { .. }
            | Self::WatchGap { .. }
            | Self::WatchEnded { .. }
            | Self::DecisionRequested(_)
            | Self::DecisionEscalated { .. }
            | Self::DecisionMade { .. }
            | Self::BackoutStarted { .. }
            | Self::DefectLogged { .. }
            | Self::LogRecovered { .. }
            | Self::CommandProposed { .. }
            | Self::CommandRefused { .. } => None,
        }
    }

    /// The try this is about, if it is about one.
    #[must_use]
    pub fn attempt(&self) -> Option<u32> {
        match self {
            Self::StepIntent { attempt, .. }
            | Self::StepExecuted { attempt, .. }
            | Self::StepVerified { attempt, .. }
            | Self::StepStopRequested { attempt, .. }
            | Self::StepConfirmed { attempt, .. }
            | Self::StepSucceeded { attempt, .. }
            | Self::StepFailed { attempt, .. }
            | Self::StepInDoubt { attempt, .. }
            | Self::StepProbed { attempt, .. }
            | Self::StepCheckRequested { attempt, .. }
            | Self::StepResolved { attempt, .. } => Some(*attempt),
            _ => None,
        }
    }
}
