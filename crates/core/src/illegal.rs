//! Why an event cannot have happened.

use crate::ids::{Epoch, OptionId, StepId};
use crate::status::Status;

/// An event that cannot have happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// The log does not start with a plan.
    #[error("a run starts with its plan")]
    NotBegun,
    /// The log holds a second plan, or baselines.
    #[error("this event does not belong into a run under way")]
    Misplaced,
    /// The run is over.
    #[error("the run is finished")]
    Finished,
    /// A step that the run does not have.
    #[error("there is no step `{0}` in this run")]
    NoStep(StepId),
    /// A step that exists twice.
    #[error("there is already a step `{0}` in this run")]
    StepExists(StepId),
    /// The event does not fit the step's status.
    #[error("step `{step}` is {status}", status = .status.shown())]
    Status {
        /// The step.
        step: StepId,
        /// Where it stands.
        status: Status,
    },
    /// The event is about another try.
    #[error("step `{step}` is at attempt {current}, not {found}")]
    Attempt {
        /// The step.
        step: StepId,
        /// The last try.
        current: u32,
        /// The event's try.
        found: u32,
    },
    /// An older coordinator wrote after a newer one took over.
    #[error("a coordinator of term {found} wrote after term {current} began")]
    Epoch {
        /// The term in force.
        current: Epoch,
        /// The record's term.
        found: Epoch,
    },
    /// The option does not exist.
    #[error("the plan has no option `{0}`")]
    NoOption(OptionId),
    /// The steps would wait for each other.
    #[error(transparent)]
    Cycle(#[from] crate::graph::Cycle),
    /// It does not fit what the run as a whole is doing: held, waiting for agreement, holding.
    #[error("{0}")]
    Hold(&'static str),
    /// It does not fit the deployment as it stands.
    #[error("{0}")]
    Release(&'static str),
    /// An approval of what a stage was before it was replaced.
    #[error("{0} was replaced meanwhile: what was approved is not what would run")]
    Replaced(StepId),
    /// An answer to another question than the one that is open.
    #[error("question {question} is not open; {open}", open = match .open {
        Some(open) => format!("question {open} is"),
        None => "no question is".to_owned(),
    })]
    NotAsked {
        /// What was answered.
        question: u32,
        /// What is open.
        open: Option<u32>,
    },
}
