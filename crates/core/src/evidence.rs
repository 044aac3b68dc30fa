//! What was seen, and how sure that makes us: captured facts, what a step left
//! behind, how much of it happened.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::Digest;

/// A captured fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// When it was captured.
    pub captured: Timestamp,
    /// What two captures are compared by.
    pub digest: Digest,
    /// The fact for people: a row count, a version, `214 files, 8.1 MB`.
    pub shown: String,
}

/// What was seen while a step ran.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// One line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// Exit code of a command, status of an HTTP answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// Digest of everything it printed, after masking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Digest>,
    /// The last lines a command that succeeded wrote to standard error: masked, at
    /// most 5 lines and 600 characters. Text from outside, control characters
    /// included: whatever shows it escapes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// Each verification and what it found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verified: Vec<Verified>,
    /// The files its output is kept in, as they were when it ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Attachment>,
    /// Files a person attached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attached: Vec<Attachment>,
    /// Processes that it started and that were alive when it ended. They block nothing and are
    /// never ended with the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_running: Vec<LeftRunning>,
}

/// A process that a step left running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftRunning {
    /// Its number.
    pub pid: i32,
    /// When it began, in ticks since the machine started: with the number, its identity.
    pub start: u64,
    /// The name of its program, as the kernel shortens it.
    pub name: String,
}

/// A file beside the log: what a step printed, or what a person attached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// Its digest; it is kept under this name beside the log.
    pub digest: Digest,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Evidence {
    /// Evidence that is one sentence.
    #[must_use]
    pub fn saying(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), ..Self::default() }
    }
}

/// A verification and what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// What was checked, for people.
    pub check: String,
    /// What was found, for people.
    pub found: String,
    /// Whether it holds; `null` when it could not be told.
    pub holds: Option<bool>,
}

/// What came of a step that was carried out by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attested {
    /// It is done.
    Done,
    /// It failed.
    Failed,
}

/// How much of a failed step happened, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureEffect {
    /// It never started.
    None,
    /// Some of it.
    Partial,
    /// All of it, but it did not have the result it should.
    Full,
    /// Nobody knows.
    Unknown,
}

/// Why the outcome of a step is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoubtCause {
    /// The coordinator died while the step ran inside it.
    CoordinatorLost,
    /// The supervisor of a command died without writing down how it ended.
    SupervisorLost,
    /// What the executor wrote down is gone or cannot be read.
    LedgerLost,
    /// What the executor wrote down is about another attempt.
    LedgerForeign,
    /// It was begun on another machine, or in the folder that this one is a copy of: its result
    /// is written down there.
    Elsewhere,
    /// It was stopped because its time was up.
    Deadline,
    /// It should have ended, and something of it is alive that cannot be ended.
    Unended,
    /// It was asked for, and no answer came back.
    NoAnswer,
    /// An earlier run, whose log cannot be relied on, carried it out, or may have.
    EarlierRun,
}

/// Who or what ended a doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolvedBy {
    /// What the executor wrote down.
    Ledger,
    /// The effect class allows a repeat.
    Class,
    /// The step's verification.
    Verification,
    /// A person.
    Person,
}
