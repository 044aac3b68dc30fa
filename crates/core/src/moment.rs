//! A moment on two clocks: the one on the wall, which people read and which may be set, and one
//! that never jumps.
//!
//! Times are kept and shown on the clock on the wall. Where something is counted from a moment (a
//! pause, a time under watch, the time for an answer) a clock that was set in between would make
//! it shorter or longer, so each record also holds the other clock, and a jump moves those
//! moments with it. What the plan names as a time of day moves with nothing.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A clock that counts while the machine sleeps, and never jumps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steady {
    /// The running of the machine it belongs to.
    pub boot: String,
    /// Since when that runs, in milliseconds.
    pub ms: i64,
}

/// A moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// On the wall.
    pub wall: Timestamp,
    /// On the clock that never jumps; `None` where that is not known, as in earlier records.
    pub steady: Option<Steady>,
}

impl From<Timestamp> for Moment {
    fn from(wall: Timestamp) -> Self {
        Self { wall, steady: None }
    }
}

/// What happened to the clock on the wall between two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockChange {
    /// It was set: forward by this much, or back if that is negative.
    Jumped(SignedDuration),
    /// The machine has started anew, or it is another one: only the wall is left to go by.
    OtherBoot,
}

/// Less than this is no jump: both clocks cannot be read at the same instant, and a second is
/// put in or left out now and then.
pub const SMALLEST_JUMP: SignedDuration = SignedDuration::from_secs(2);

impl Moment {
    /// What happened to the clock on the wall since an earlier moment.
    #[must_use]
    pub fn change_since(&self, before: &Self) -> Option<ClockChange> {
        let (now, then) = (self.steady.as_ref()?, before.steady.as_ref()?);
        if now.boot != then.boot {
            return Some(ClockChange::OtherBoot);
        }
        let passed = SignedDuration::from_millis(now.ms.saturating_sub(then.ms));
        let shown = self.wall.duration_since(before.wall);
        let jumped = shown.saturating_sub(passed);
        (jumped.abs() > SMALLEST_JUMP).then_some(ClockChange::Jumped(jumped))
    }

    /// Whether both hold the same clock that never jumps.
    #[must_use]
    pub fn is_on_the_clock_of(&self, other: &Self) -> bool {
        let boot = |moment: &Self| moment.steady.as_ref().map(|steady| steady.boot.clone());
        boot(self).is_some() && boot(self) == boot(other)
    }

    /// How long ago an earlier moment was; on the wall where the other clock cannot say.
    #[must_use]
    pub fn since(&self, before: &Self) -> SignedDuration {
        match (&self.steady, &before.steady) {
            (Some(now), Some(then)) if now.boot == then.boot => {
                SignedDuration::from_millis(now.ms.saturating_sub(then.ms))
            }
            _ => self.wall.duration_since(before.wall),
        }
    }
}

/// The same moment on a clock that was set since.
#[must_use]
pub fn moved(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(wall: i64, boot: &str, ms: i64) -> Moment {
        let wall = Timestamp::from_second(wall).expect("a time");
        Moment { wall, steady: Some(Steady { boot: boot.to_owned(), ms }) }
    }

    #[test]
    fn a_jump_is_what_the_wall_shows_beside_what_has_passed() {
        let before = moment(1000, "a", 50_000);
        let change = |wall, boot: &str, ms| moment(wall, boot, ms).change_since(&before);
        // Time passes, also while the machine sleeps.
        assert_eq!(change(1000, "a", 50_000), None);
        assert_eq!(change(8200, "a", 7_250_000), None);
        assert_eq!(change(1012, "a", 60_000), None, "two seconds are no jump");
        let jumped = |seconds| Some(ClockChange::Jumped(SignedDuration::from_secs(seconds)));
        assert_eq!(change(4610, "a", 60_000), jumped(3600));
        assert_eq!(change(-2590, "a", 60_000), jumped(-3600));
        // Nothing can be said across a start of the machine, and that is said.
        assert_eq!(change(1010, "b", 10), Some(ClockChange::OtherBoot));
        assert_eq!(Moment::from(before.wall).change_since(&before), None);
    }

    #[test]
    fn time_passes_whatever_the_wall_shows() {
        let before = moment(1000, "a", 50_000);
        assert_eq!(moment(1, "a", 60_000).since(&before), SignedDuration::from_secs(10));
        assert_eq!(moment(1100, "b", 1).since(&before), SignedDuration::from_secs(100));
    }
}
