//! Time, as an argument.

use std::time::Duration;

use backout_core::moment::Moment;
use jiff::Timestamp;

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// This moment, on the wall and on a clock that does not jump.
    fn moment(&self) -> Moment;

    /// The time on the wall. May jump.
    fn now(&self) -> Timestamp {
        self.moment().wall
    }

    /// Waits, on a clock that does not jump and counts while the machine sleeps. Ends early when
    /// the clock on the wall is set meanwhile.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}
