//! The envelope of the log, and the chain that makes tampering visible.
//!
//! A record is one atomic batch of events. It names the digest of the record
//! before it, so changing, dropping or inserting one breaks every digest that
//! follows. What is hashed is the exact bytes that are stored; a record is
//! serialised once, when it is sealed, and never again.
//!
//! A chain alone proves nothing to somebody who does not know its end: whoever
//! can rewrite the whole log can rewrite the whole chain. That is why the last
//! digest is printed wherever people look (status, reports, the end of a run).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::ids::{Digest, Epoch, RoleId, RunId, Seq};

/// Version of the record format.
pub const FORMAT: u32 = 1;

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// The coordinator of the run.
    Coordinator {
        /// Host and process.
        id: String,
    },
    /// A person at the command line.
    Person {
        /// Their name.
        name: String,
        /// The role they acted in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<RoleId>,
        /// The account they were logged in with.
        account: String,
    },
}

impl Actor {
    /// For people: a name, with the role if there is one.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Coordinator { .. } => "coordinator".to_owned(),
            Self::Person { name, role: Some(role), .. } if role.as_str() != name => {
                format!("{name} ({role})")
            }
            Self::Person { name, .. } => name.clone(),
        }
    }

    /// The person's name, if it is a person.
    #[must_use]
    pub fn person(&self) -> Option<&str> {
        match self {
            Self::Coordinator { .. } => None,
            Self::Person { name, .. } => Some(name),
        }
    }
}

/// One atomic batch of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Format version; a reader refuses one it does not know.
    pub v: u32,
    /// The log it belongs to.
    pub run: RunId,
    /// Its position.
    pub seq: Seq,
    /// The term of the coordinator at the time.
    pub epoch: Epoch,
    /// When it was written. For people; nothing is decided by it.
    pub at: Timestamp,
    /// Who wrote it.
    pub actor: Actor,
    /// What happened.
    pub events: Vec<Event>,
    /// Digest of the record before; all zero for the first.
    pub prev: Digest,
}

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Its position.
    pub seq: Seq,
    /// The stored bytes: one JSON object.
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes.
    pub digest: Digest,
}

/// A log that is not what was written.
#[derive(Debug, thiserror::Error)]
pub enum BrokenChain {
    /// The bytes are not a record.
    #[error("record {seq} of {run} cannot be read")]
    Unreadable {
        /// The log.
        run: RunId,
        /// The position.
        seq: Seq,
        /// What the reader said.
        source: serde_json::Error,
    },
    /// Written by a newer program.
    #[error("record {seq} of {run} has format {found}; this program reads format {FORMAT}")]
    Format {
        /// The log.
        run: RunId,
        /// The position.
        seq: Seq,
        /// Its format.
        found: u32,
    },
    /// A record is missing, doubled or from another log.
    #[error(
        "record {seq} of {run} is missing or out of place: found record {found} of {found_run}"
    )]
    OutOfPlace {
        /// The log.
        run: RunId,
        /// The position that was expected.
        seq: Seq,
        /// What stands there.
        found_run: RunId,
        /// What stands there.
        found: Seq,
    },
    /// The record before this one was changed.
    #[error("the chain of {run} is broken: record {seq} does not follow from the record before it")]
    Link {
        /// The log.
        run: RunId,
        /// The first record that does not fit.
        seq: Seq,
    },
}

impl Record {
    /// Serialises the record, once.
    ///
    /// # Panics
    /// Never: every type in a record serialises to JSON.
    #[must_use]
    pub fn seal(&self) -> Sealed {
        let bytes = serde_json::to_vec(self).expect("a record is plain data");
        let digest = Digest::of(&bytes);
        Sealed { seq: self.seq, bytes, digest }
    }
}

/// Reads a log record by record and checks that each follows from the last.
#[derive(Debug, Clone)]
pub struct Chain {
    run: RunId,
    seq: Seq,
    tail: Digest,
}

impl Chain {
    /// A chain before its first record.
    #[must_use]
    pub fn new(run: RunId) -> Self {
        Self { run, seq: Seq(0), tail: Digest::ZERO }
    }

    /// Position of the last record read.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// Digest of the last record read.
    #[must_use]
    pub fn tail(&self) -> Digest {
        self.tail
    }

    /// Steps over a record that was just sealed behind this one.
    pub fn pass(&mut self, sealed: &Sealed) {
        self.seq = sealed.seq;
        self.tail = sealed.digest;
    }

    /// Reads the next record.
    ///
    /// # Errors
    /// [`BrokenChain`] when the bytes are not the record that must stand here.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Record, BrokenChain> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let (run, seq) = (self.run.clone(), self.seq.next());
        let unreadable = |source| BrokenChain::Unreadable { run: self.run.clone(), seq, source };
        // Most records are of our version, so it is only looked at when reading fails.
        let record: Record = match serde_json::from_slice(bytes) {
            Ok(record) => record,
            Err(source) => {
                return Err(match serde_json::from_slice::<Version>(bytes) {
                    Ok(Version { v }) if v != FORMAT => BrokenChain::Format { run, seq, found: v },
                    _ => unreadable(source),
                });
            }
        };
        if record.v != FORMAT {
            return Err(BrokenChain::Format { run, seq, found: record.v });
        }
        if record.run != run || record.seq != seq {
            return Err(BrokenChain::OutOfPlace {
                run,
                seq,
                found_run: record.run,
                found: record.seq,
            });
        }
        if record.prev != self.tail {
            return Err(BrokenChain::Link { run, seq });
        }
        self.seq = seq;
        self.tail = Digest::of(bytes);
        Ok(record)
    }
}
