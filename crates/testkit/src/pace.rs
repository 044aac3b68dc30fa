//! Interleavings by a seed.

use std::sync::atomic::{AtomicU64, Ordering};

/// How often a task lets the others go first: the same seed, the same interleaving.
#[derive(Debug, Default)]
pub struct Pace(AtomicU64);

impl Pace {
    /// A pace by a seed; zero never lets anybody go first.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Lets the others go first, some times.
    pub async fn step(&self) {
        let state = self.0.load(Ordering::Relaxed);
        if state == 0 {
            return;
        }
        // Knuth's MMIX generator; its high bits are good enough to shuffle with.
        let next =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0.store(next.max(1), Ordering::Relaxed);
        for _ in 0..next >> 61 {
            tokio::task::yield_now().await;
        }
    }
}
