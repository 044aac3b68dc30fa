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
        // Milliseconds are all that people and reports need.
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = now.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        let wall = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX);
        let boot = boot();
        let steady = (!boot.is_empty()).then(|| Steady { boot: boot.to_owned(), ms: running_ms() });
        Moment { wall, steady }
    }

    async fn sleep(&self, duration: Duration) {
        let begun = self.moment();
        let until =
            running_ms().saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX));
        loop {
            let left = until.saturating_sub(running_ms());
            let Ok(left) = u64::try_from(left) else { return };
            // The runtime's own clock stands still while the machine sleeps.
            tokio::time::sleep(Duration::from_millis(left).min(AT_MOST)).await;
            let set = self.moment().change_since(&begun);
            if left == 0 || matches!(set, Some(ClockChange::Jumped(_))) {
                return;
            }
        }
    }
}

/// How long is slept before looking whether the machine slept, or its clock was set.
const AT_MOST: Duration = Duration::from_secs(1);

/// How long this running of the machine has lasted, sleep included, in milliseconds.
pub(crate) fn running_ms() -> i64 {
    let since = clock_gettime(ClockId::Boottime);
    since.tv_sec.saturating_mul(1000).saturating_add(since.tv_nsec / 1_000_000)
}

/// This running of the machine, short.
fn boot() -> &'static str {
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
