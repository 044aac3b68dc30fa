//! Whether a coordinator that holds the lease of a run is at work, or hangs.
//!
//! A coordinator shows that it lives from the loop that decides. A lock of the kernel proves no
//! more than that its process exists: one that was stopped, or waits for a disk that does not
//! answer, holds it for ever.

use std::time::Duration;

/// How often a coordinator shows that it lives.
pub const BEAT: Duration = Duration::from_secs(10);

/// How long a coordinator shows no sign of life before it counts as hanging.
pub const SILENT_AFTER: Duration = Duration::from_secs(3 * 60);

/// What is known of a coordinator that holds a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// It showed that it lives not long ago.
    AtWork,
    /// It has shown no sign of life for [`SILENT_AFTER`] or longer.
    Silent,
    /// When it last showed one cannot be told.
    Unknown,
}

impl Silence {
    /// By the time since the last sign of life, on a clock that counts suspension; `None` where
    /// that cannot be told.
    #[must_use]
    pub fn of(silent_for: Option<Duration>) -> Self {
        match silent_for {
            None => Self::Unknown,
            Some(silent_for) if silent_for >= SILENT_AFTER => Self::Silent,
            Some(_) => Self::AtWork,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinator_is_silent_from_three_minutes_on() {
        let of = |seconds| Silence::of(Some(Duration::from_secs(seconds)));
        assert_eq!((of(0), of(179), of(180)), (Silence::AtWork, Silence::AtWork, Silence::Silent));
    }

    #[test]
    fn what_cannot_be_told_is_neither() {
        assert_eq!(Silence::of(None), Silence::Unknown);
    }

    /// A late beat, or two, is not taken for a hang.
    #[test]
    fn many_beats_fit_into_a_silence() {
        assert!(SILENT_AFTER >= BEAT * 10);
    }
}
