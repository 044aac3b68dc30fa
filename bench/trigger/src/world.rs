//! Nights that look random and are the same everywhere.

/// SplitMix64.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A normal deviate (sum of twelve, which is near enough for waves).
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.roll()).sum::<f64>() - 6.0
    }

    /// Bad events among `total`, correlated by `rho` (Pólya's urn).
    pub(crate) fn bad(&mut self, total: u32, share: f64, rho: f64) -> u32 {
        let k = if rho > 0.0 { 1.0 / rho - 1.0 } else { f64::INFINITY };
        let mut bad = 0;
        for drawn in 0..total {
            let next = match k.is_finite() {
                true => (share * k + f64::from(bad)) / (k + f64::from(drawn)),
                false => share,
            };
            bad += u32::from(self.roll() < next);
        }
        bad
    }

    /// `(bad, total)` for each look. `waves` correlates the share from look to look.
    pub(crate) fn night(
        &mut self,
        looks: u32,
        total: u32,
        share: f64,
        bursts: f64,
        waves: f64,
    ) -> Vec<(f64, f64)> {
        let mut level = 0.0;
        (0..looks)
            .map(|_| {
                level = waves * level + (1.0 - waves * waves).sqrt() * self.normal();
                let spread = if waves > 0.0 { 0.3 } else { 0.0 };
                let now = (share * (1.0 + spread * level)).clamp(0.0, 1.0);
                (f64::from(self.bad(total, now, bursts)), f64::from(total))
            })
            .collect()
    }
}
