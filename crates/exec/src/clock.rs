//! The clocks of this machine.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use backout_core::moment::{ClockChange, Moment, Steady};
use backout_engine::clock::Clock;
use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

use crate::process::boot_id;

/// The clocks of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn moment(&self) -> Moment {
        let boot = boot();
        for _ in 0..TRIES {
            let before = running_ms();
            let wall = wall();
            // What lies far apart are no two readings of one moment: this process had to wait.
            if !boot.is_empty() && running_ms() - before <= TOGETHER_MS {
                return Moment { wall, steady: Some(Steady { boot: boot.to_owned(), ms: before }) };
            }
        }
        Moment { wall: wall(), steady: None }
    }

    async fn sleep(&self, duration: Duration) {
        let begun = self.moment();
        let is_set = || matches!(self.moment().change_since(&begun), Some(ClockChange::Jumped(_)));
        pass(duration, is_set).await;
    }
}

/// Waits until so much time has passed, that during which the machine sleeps included.
pub(crate) async fn passed(duration: Duration) {
    pass(duration, || false).await;
}

async fn pass(duration: Duration, ends_early: impl Fn() -> bool) {
    let length = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let until = running_ms().saturating_add(length);
    while let Ok(left @ 1..) = u64::try_from(until.saturating_sub(running_ms())) {
        // The runtime's own clock stands still while the machine sleeps.
        tokio::time::sleep(Duration::from_millis(left).min(AT_MOST)).await;
        if ends_early() {
            return;
        }
    }
}

/// The time on the wall. Milliseconds are all that people and reports need.
fn wall() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = now.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

/// How far apart two readings may be to be of one moment, and how often that is tried.
const TOGETHER_MS: i64 = 100;
const TRIES: u32 = 50;

/// How long is slept before looking whether the machine slept, or its clock was set.
const AT_MOST: Duration = Duration::from_secs(1);

/// How long this running of the machine has lasted, sleep included, in milliseconds.
pub(crate) fn running_ms() -> i64 {
    let since = clock_gettime(ClockId::Boottime);
    since.tv_sec.saturating_mul(1000).saturating_add(since.tv_nsec / 1_000_000)
}

/// This running of the machine, short.
pub(crate) fn boot() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| boot_id().chars().take(13).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_clocks_pass_alike() {
        let begun = SystemClock.moment();
        SystemClock.sleep(Duration::from_millis(1_200)).await;
        let now = SystemClock.moment();
        assert!(now.steady.is_some(), "the machine has a clock that does not jump");
        assert_eq!(now.change_since(&begun), None);
        assert!(now.since(&begun) >= jiff::SignedDuration::from_millis(1_200));
    }
}
