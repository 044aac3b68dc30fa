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
use crate::moment::{Moment, Steady};
use crate::people::{Account, PersonId};
use crate::plan::Plan;
use crate::upgrade::Upgrade;

/// Version of the record format. Records of earlier versions are upgraded when they are read
/// ([`crate::upgrade`]).
pub const FORMAT: u32 = 2;

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// The coordinator of the run.
    Coordinator {
        /// Host and process.
        id: String,
    },
    /// A person.
    Person {
        /// What they are known by in the plan.
        id: PersonId,
        /// The role they acted in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<RoleId>,
        /// The account they were logged in with.
        account: Account,
    },
    /// Another system that reports about a step.
    System {
        /// What it is.
        name: String,
        /// The role it reports for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<RoleId>,
    },
}

impl Actor {
    /// The person, if it is one.
    #[must_use]
    pub fn person(&self) -> Option<&PersonId> {
        match self {
            Self::Person { id, .. } => Some(id),
            Self::Coordinator { .. } | Self::System { .. } => None,
        }
    }

    /// Whether it is the coordinator.
    #[must_use]
    pub fn is_coordinator(&self) -> bool {
        matches!(self, Self::Coordinator { .. })
    }

    /// A name for people: that of the person, with the role if there is one.
    #[must_use]
    pub fn name(&self, plan: &Plan) -> String {
        let with_role = |name: String, role: &Option<RoleId>| match role {
            Some(role) if role.as_str() != name => format!("{name} ({role})"),
            _ => name,
        };
        match self {
            Self::Coordinator { .. } => "coordinator".to_owned(),
            Self::Person { id, role, .. } => with_role(id.name(plan), role),
            Self::System { name, role } => with_role(name.clone(), role),
        }
    }
}

/// One atomic batch of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The format version it was written with; a reader refuses a newer one. What is legal in
    /// a record is judged by its version.
    pub v: u32,
    /// The log it belongs to.
    pub run: RunId,
    /// Its position.
    pub seq: Seq,
    /// The term of the coordinator at the time.
    pub epoch: Epoch,
    /// When it was written, on the clock on the wall.
    pub at: Timestamp,
    /// The same on a clock that does not jump; earlier records do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steady: Option<Steady>,
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
    /// Whether its mark needs no flush of its own: the ledger holds what it says.
    pub is_covered_by_ledger: bool,
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
    /// When it was written.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment { wall: self.at, steady: self.steady.clone() }
    }

    /// Serialises the record, once.
    ///
    /// # Panics
    /// Never: every type in a record serialises to JSON.
    #[must_use]
    pub fn seal(&self) -> Sealed {
        let bytes = serde_json::to_vec(self).expect("a record is plain data");
        let digest = Digest::of(&bytes);
        Sealed { seq: self.seq, bytes, digest, is_covered_by_ledger: false }
    }
}

/// Reads a log record by record and checks that each follows from the last.
#[derive(Debug, Clone)]
pub struct Chain {
    run: RunId,
    seq: Seq,
    tail: Digest,
    digests: Vec<Digest>,
    upgrade: Upgrade,
}

impl Chain {
    /// A chain before its first record.
    #[must_use]
    pub fn new(run: RunId) -> Self {
        let upgrade = Upgrade::default();
        Self { run, seq: Seq(0), tail: Digest::ZERO, digests: Vec::new(), upgrade }
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

    /// The digest of each record read, first to last.
    #[must_use]
    pub fn digests(&self) -> &[Digest] {
        &self.digests
    }

    /// Steps over a record that was just sealed behind this one.
    pub fn pass(&mut self, sealed: &Sealed) {
        self.seq = sealed.seq;
        self.tail = sealed.digest;
        self.digests.push(sealed.digest);
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
        // Most records are of our version, so the version is only looked at when reading fails.
        let record: Record = match serde_json::from_slice::<Record>(bytes) {
            Ok(record) if record.v == FORMAT => record,
            first => match serde_json::from_slice::<Version>(bytes) {
                Ok(Version { v }) if (1..FORMAT).contains(&v) => {
                    self.upgrade.read(bytes).map_err(unreadable)?
                }
                Ok(Version { v }) if v != FORMAT => {
                    return Err(BrokenChain::Format { run, seq, found: v });
                }
                Ok(_) | Err(_) => first.map_err(unreadable)?,
            },
        };
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
        self.digests.push(self.tail);
        Ok(record)
    }
}
