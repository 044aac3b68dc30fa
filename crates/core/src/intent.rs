//! What the engine is told to do next, as data.

use jiff::Timestamp;

use crate::act::Answer;
use crate::choice::{Choice, DecisionAsked};
use crate::event::{Outcome, ResolvedBy};
use crate::ids::RoleId;
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
        /// Why, for people.
        reason: &'static str,
    },
    /// A step stopped at its deadline counts as failed.
    Fail {
        /// The step.
        step: usize,
        /// Why, for people.
        reason: &'static str,
    },
    /// Ask people for a decision.
    Ask(Box<DecisionAsked>),
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
        reason: String,
        /// What is known, where nobody was asked before.
        known: Option<Box<DecisionAsked>>,
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
    },
}

/// Why a step's verifications are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The action is done: did it work?
    AfterAction,
    /// The step is in doubt: did it happen?
    Probe,
}
