//! A journal in memory, which can be told to fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use backout_core::ids::{RunId, Seq};
use backout_core::record::Sealed;
use backout_engine::journal::{AppendError, Journal, ReadError};

use crate::pace::Pace;

/// What happens to an append that is told to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// Nothing is written, and the writer knows.
    Refused,
    /// Nothing is written, and the writer does not know.
    LostUnknown,
    /// It is written, and the writer does not know.
    WrittenUnknown,
}

/// A journal in memory.
#[derive(Default)]
pub struct MemoryJournal {
    inner: Mutex<Inner>,
    moved: Notify,
    pace: Arc<Pace>,
}

#[derive(Default)]
struct Inner {
    logs: BTreeMap<RunId, Vec<Vec<u8>>>,
    appends: u64,
    failing: Option<(u64, Failing)>,
}

impl MemoryJournal {
    /// A journal that lets others go first before and after each thing it does.
    #[must_use]
    pub fn paced(pace: Arc<Pace>) -> Self {
        Self { pace, ..Self::default() }
    }

    /// How many appends have succeeded.
    #[must_use]
    pub fn appends(&self) -> u64 {
        self.inner().appends
    }

    /// Makes the `nth` append from now on fail (1 is the next).
    pub fn fail(&self, nth: u64, how: Failing) {
        let mut inner = self.inner();
        inner.failing = Some((nth, how));
    }

    /// Cuts a log to its first `records` records, as after the loss of the rest.
    pub fn cut(&self, run: &RunId, records: usize) {
        if let Some(log) = self.inner().logs.get_mut(run) {
            log.truncate(records);
        }
    }

    /// The stored bytes of a log.
    #[must_use]
    pub fn bytes(&self, run: &RunId) -> Vec<Vec<u8>> {
        self.inner().logs.get(run).cloned().unwrap_or_default()
    }

    /// Replaces the stored bytes of one record, as somebody who tampers would.
    pub fn tamper(&self, run: &RunId, index: usize, bytes: Vec<u8>) {
        if let Some(record) = self.inner().logs.get_mut(run).and_then(|log| log.get_mut(index)) {
            *record = bytes;
        }
    }

    fn write(&self, run: &RunId, expect: Seq, record: Sealed) -> Result<(), AppendError> {
        let mut inner = self.inner();
        let failing = match &mut inner.failing {
            Some((left, how)) => {
                *left -= 1;
                let how = *how;
                (*left == 0).then_some(how)
            }
            None => None,
        };
        if failing.is_some() {
            inner.failing = None;
        }
        match failing {
            Some(Failing::Refused) => return Err(AppendError::Refused("told to".to_owned())),
            Some(Failing::LostUnknown) => return Err(AppendError::Unknown("told to".to_owned())),
            Some(Failing::WrittenUnknown) | None => {}
        }
        let log = inner.logs.entry(run.clone()).or_default();
        if log.len() as u64 != expect.0 {
            return Err(AppendError::Moved);
        }
        log.push(record.bytes);
        inner.appends += 1;
        drop(inner);
        self.moved.notify_waiters();
        match failing {
            Some(_) => Err(AppendError::Unknown("told to".to_owned())),
            None => Ok(()),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for MemoryJournal {
    async fn append(&self, run: &RunId, expect: Seq, record: Sealed) -> Result<(), AppendError> {
        self.pace.step().await;
        let written = self.write(run, expect, record);
        self.pace.step().await;
        written
    }

    async fn read(&self, run: &RunId, after: Seq) -> Result<Vec<Vec<u8>>, ReadError> {
        self.pace.step().await;
        let inner = self.inner();
        let from = usize::try_from(after.0).unwrap_or(usize::MAX);
        Ok(inner
            .logs
            .get(run)
            .map(|log| log.iter().skip(from).cloned().collect())
            .unwrap_or_default())
    }

    async fn changed(&self, run: &RunId, after: Seq) -> Result<(), ReadError> {
        loop {
            let moved = self.moved.notified();
            if self.inner().logs.get(run).is_some_and(|log| log.len() as u64 > after.0) {
                return Ok(());
            }
            moved.await;
        }
    }

    async fn runs(&self) -> Result<Vec<(RunId, Seq)>, ReadError> {
        Ok(self
            .inner()
            .logs
            .iter()
            .map(|(run, log)| (run.clone(), Seq(log.len() as u64)))
            .collect())
    }
}
