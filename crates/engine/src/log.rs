//! A run's log and the state it adds up to, kept in step.

use std::sync::Arc;

use backout_core::attempt::AttemptId;
use backout_core::event::Event;
use backout_core::ids::{Digest, Epoch, RunId, Seq};
use backout_core::mark::{Judgement, MarkPlace, judge};
use backout_core::moment::Moment;
use backout_core::record::{Actor, BrokenChain, Chain, FORMAT, Record};
use backout_core::state::{Illegal, RunState};

use crate::journal::{AppendError, Journal, ReadError};

/// A log that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is no such run.
    #[error("there is no run `{0}`")]
    NoRun(RunId),
    /// The log was damaged or changed.
    #[error(transparent)]
    Broken(#[from] BrokenChain),
    /// Records that were read before are gone, or are other ones.
    #[error("the log of {run} was changed behind record {seq} while it was open")]
    Shrunk {
        /// The run.
        run: RunId,
        /// The last record that is still the same.
        seq: Seq,
    },
    /// The log holds something that cannot have happened.
    #[error("record {seq} of {run} cannot have happened: {source}")]
    Illegal {
        /// The run.
        run: RunId,
        /// The record.
        seq: Seq,
        /// Why.
        source: Illegal,
    },
}

/// Why nothing was appended to a run, or why nobody knows.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The events are not legal in the present state. Nothing was written.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// The journal's answer.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The log could not be read again.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// A run's log and its state.
pub struct RunLog<J> {
    journal: Arc<J>,
    chain: Chain,
    state: RunState,
}

impl<J: Journal> RunLog<J> {
    /// Reads a run's whole log and checks its chain.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(journal: Arc<J>, run: &RunId) -> Result<Self, OpenError> {
        let stored = journal.read(run, Seq(0)).await?;
        let mut chain = Chain::new(run.clone());
        let illegal = |seq, source| OpenError::Illegal { run: run.clone(), seq, source };
        let mut records = stored.iter();
        let first = records.next().ok_or_else(|| OpenError::NoRun(run.clone()))?;
        let first = chain.read(first)?;
        let mut state = RunState::begin(&first, chain.tail()).map_err(|e| illegal(first.seq, e))?;
        for bytes in records {
            let record = chain.read(bytes)?;
            state.apply(&record, chain.tail()).map_err(|e| illegal(record.seq, e))?;
        }
        Ok(Self { journal, chain, state })
    }

    /// What is true of the run.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// The digest of each record, first to last.
    #[must_use]
    pub fn digests(&self) -> &[Digest] {
        self.chain.digests()
    }

    /// Compares it with what was found elsewhere before it was read up to here: the marks, and
    /// the attempts that a ledger holds.
    #[must_use]
    pub fn judge(&self, places: &[MarkPlace], noted: &[AttemptId]) -> Judgement {
        let unknown: Vec<AttemptId> = self.state.unknown(noted).cloned().collect();
        judge(self.digests(), self.state.planned().keeps_marks, places, &unknown)
    }

    /// The journal it lives in.
    #[must_use]
    pub fn journal(&self) -> &Arc<J> {
        &self.journal
    }

    /// Reads what others appended, and returns it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn refresh(&mut self) -> Result<Vec<Record>, OpenError> {
        let stored = self.journal.read(self.state.run(), self.chain.seq()).await?;
        let mut records = Vec::with_capacity(stored.len());
        for bytes in &stored {
            let record = self.chain.read(bytes)?;
            self.state.apply(&record, self.chain.tail()).map_err(|source| OpenError::Illegal {
                run: record.run.clone(),
                seq: record.seq,
                source,
            })?;
            records.push(record);
        }
        Ok(records)
    }

    /// Waits until somebody else has appended.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn changed(&self) -> Result<(), ReadError> {
        self.journal.changed(self.state.run(), self.chain.seq()).await
    }

    /// Appends events as one record. They are applied to the state first: what
    /// is not legal is never written.
    ///
    /// # Errors
    /// [`WriteError`]. After any error but [`AppendError::Unknown`] the state is
    /// that of the log as it stands.
    pub async fn append(
        &mut self,
        epoch: Epoch,
        actor: Actor,
        at: impl Into<Moment>,
        events: Vec<Event>,
    ) -> Result<Record, WriteError> {
        let Moment { wall: at, steady } = at.into();
        let record = Record {
            v: FORMAT,
            run: self.state.run().clone(),
            seq: self.chain.seq().next(),
            epoch,
            at,
            steady,
            actor,
            events,
            prev: self.chain.tail(),
        };
        let mut sealed = record.seal();
        sealed.is_covered_by_ledger = self.state.is_covered_by_ledger(&record);
        if let Err(illegal) = self.state.apply(&record, sealed.digest) {
            // Some of its events may have been applied already.
            self.reload().await?;
            return Err(illegal.into());
        }
        let expect = self.chain.seq();
        let written = self.journal.append(&record.run, expect, sealed.clone()).await;
        match written {
            Ok(()) => {
                self.chain.pass(&sealed);
                Ok(record)
            }
            Err(error @ AppendError::Unknown(_)) => Err(error.into()),
            Err(error) => {
                self.reload().await?;
                Err(error.into())
            }
        }
    }

    /// Reads it anew. What was read before is still there, or the log is not what was written.
    async fn reload(&mut self) -> Result<(), OpenError> {
        let run = self.state.run().clone();
        let anew = Self::open(Arc::clone(&self.journal), &run).await?;
        let (known, now) = (self.digests(), anew.digests());
        if !now.starts_with(known) {
            let seq = known.iter().zip(now).take_while(|(known, now)| known == now).count();
            return Err(OpenError::Shrunk { run, seq: Seq(seq as u64) });
        }
        *self = anew;
        Ok(())
    }
}
