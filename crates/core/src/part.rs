//! Which part of a run a step belongs to.

use serde::Serialize;

/// The part of a run that a step belongs to. Its place in the list of steps says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Before the go-live: evidence that the backout works.
    Readiness,
    /// A stage of the deployment.
    Stage,
    /// A step of the backout.
    Backout,
    /// After the end: what is left to do.
    FollowUp,
}
