//! What the engine is told to do next, as data.

use jiff::Timestamp;

use crate::act::Answer;
use crate::cause::{PlanReason, StepFault};
use crate::choice::{Choice, DecisionRequested};
use crate::event::{Outcome, ResolvedBy};
use crate::ids::{OptionId, RoleId};
use crate::watch::Verdict;

/// Something that has to happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Intent {
    /// Carry out a step: write the intent, then dispatch it.
    Start {
        /// The step.
        step: usize,
    },
    /// Ask the step's verifications. They only read, so nothing is written first.
    Verify {
        /// The step.
        step: usize,
        /// Why they are asked.
        purpose: Purpose,
    },
    /// The action is done, and there is nothing left to verify or confirm.
    Succeed {
        /// The step.
        step: usize,
    },
    /// End a doubt by the rules.
    Resolve {
        /// The step.
        step: usize,
        /// The answer.
        answer: Answer,
        /// What gives it.
        by: ResolvedBy,
    },
    /// A step in doubt counts as failed.
    Fail {
        /// The step.
        step: usize,
        /// Why.
        fault: StepFault,
    },
    /// Every step of an option that keeps users out is done.
    Hold {
        /// The option.
        option: OptionId,
    },
    /// Ask people for a decision.
    Ask(Box<DecisionRequested>),
    /// Nobody answered: ask others too.
    PassOn {
        /// The decision's number.
        number: u32,
        /// Who is asked too.
        to: Vec<RoleId>,
        /// Until when.
        until: Option<Timestamp>,
    },
    /// The plan itself decides.
    Decide {
        /// What.
        choice: Choice,
        /// Why.
        reason: PlanReason,
        /// What is known, where nobody was asked before.
        known: Option<Box<DecisionRequested>>,
    },
    /// A stage was watched for as long as the plan says.
    Bake {
        /// The stage.
        step: usize,
        /// How the triggers stand.
        verdict: Verdict,
    },
    /// The release was watched for as long as the plan says.
    EndWatch {
        /// How the triggers stand.
        verdict: Verdict,
    },
    /// The run is over.
    Finish {
        /// How.
        outcome: Outcome,
    },
    /// Ask again at this time, even if nothing happens.
    Wake {
        /// When.
        at: Timestamp,
        /// What is due then.
        of: Timer,
    },
}

/// What something that is due at a time is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timer {
    /// A step: its pause or its time of day is over.
    Step,
    /// A time under watch is over.
    Watch,
    /// The time people have for an answer, or for a fix, is over.
    Answer,
    /// What is not healthy after a backout is known to be so.
    Recovery,
    /// The effect of a step in doubt cannot appear any more. A person may answer before.
    Settled,
}

/// Why a step's verifications are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The action is done: did it work?
    AfterAction,
    /// The step is in doubt: did it happen?
    Probe {
        /// Whether its effect may still appear.
        early: bool,
    },
    /// The same, once more while its effect may still appear: only that it holds counts.
    LookOn,
}
