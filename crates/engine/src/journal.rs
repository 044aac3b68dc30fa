//! The log a run lives in.

use backout_core::ids::{RunId, Seq};
use backout_core::mark::MarkPlace;
use backout_core::record::Sealed;

/// An append-only log per run with a single writer.
pub trait Journal: Send + Sync + 'static {
    /// Appends one record behind position `expect`, durably, or not at all. A journal that
    /// keeps marks has noted it there, too, before it returns.
    ///
    /// # Errors
    /// See [`AppendError`]. Each caller must face [`AppendError::Unknown`].
    fn append(
        &self,
        run: &RunId,
        expect: Seq,
        record: Sealed,
    ) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// The stored bytes of every record behind position `after`, in order.
    ///
    /// # Errors
    /// [`ReadError`].
    fn read(
        &self,
        run: &RunId,
        after: Seq,
    ) -> impl Future<Output = Result<Vec<Vec<u8>>, ReadError>> + Send;

    /// Waits until there is a record behind position `after`. May return early;
    /// dropping the future loses nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    fn changed(
        &self,
        run: &RunId,
        after: Seq,
    ) -> impl Future<Output = Result<(), ReadError>> + Send;

    /// Every log and the position of its last record, by name.
    ///
    /// # Errors
    /// [`ReadError`].
    fn runs(&self) -> impl Future<Output = Result<Vec<(RunId, Seq)>, ReadError>> + Send;

    /// Whether records are noted in a place that others may note in, too.
    fn notes_elsewhere(&self) -> bool {
        false
    }

    /// What is known of a log outside of this journal. To be read before the log: a mark is
    /// made behind its record. Empty for a journal that keeps no marks.
    fn marks(&self, _run: &RunId) -> Vec<MarkPlace> {
        Vec::new()
    }
}

/// Why nothing was appended, or why nobody knows.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else appended first. Read, and decide again.
    #[error("the log has moved on")]
    Moved,
    /// It is not known whether the record is durable. Write nothing more; start
    /// over from what is on disk.
    #[error("it is not known whether the record was written: {0}")]
    Unknown(String),
    /// Nothing was written.
    #[error("nothing could be written: {0}")]
    Refused(String),
}

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the journal cannot be read: {0}")]
pub struct ReadError(pub String);
