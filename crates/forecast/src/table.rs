//! A distribution as a table of its quantiles: the one way from a random number
//! to a duration, whatever the distribution is.
//!
//! The cut points are spaced like floating-point numbers from both ends: sixteen
//! segments for each halving of the distance to the end. So the far tail, on
//! which a deadline depends, is as fine as the middle, and finding the segment
//! costs a shift. Inside a segment the quantile is a straight line that has the
//! segment's true mean, so means carry no bias.

use std::sync::Arc;

/// Segments for each halving.
const PARTS: u32 = 16;
/// Halvings from one half down: the last segment ends at 2⁻²¹.
const HALVINGS: u32 = 20;
/// Segments of one side.
pub(crate) const SIDE: usize = (PARTS * HALVINGS) as usize;
/// Room for both sides, a power of two so that an index can be masked.
const ROOM: usize = 1024;
/// Where the upper side begins.
const UPPER: usize = 512;

/// The number of the lowest segment's bit pattern: that of 2⁻²¹.
const LOWEST: u32 = (127 - 21) << 4;

/// A place in a distribution, as its distance from the nearer end, at most one half.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tail {
    /// The probability of being smaller.
    Lower(f64),
    /// The probability of being larger.
    Upper(f64),
}

impl Tail {
    /// The place with this probability of being smaller.
    #[must_use]
    pub fn at(probability: f64) -> Self {
        if probability <= 0.5 { Self::Lower(probability) } else { Self::Upper(1.0 - probability) }
    }

    /// The probability of being smaller.
    #[must_use]
    pub fn probability(self) -> f64 {
        match self {
            Self::Lower(w) => w,
            Self::Upper(w) => 1.0 - w,
        }
    }
}

/// The distance from its end at which a segment begins (`part` 0) or has its
/// middle (`part` 1).
fn cut(segment: usize, part: usize) -> f64 {
    let halving = segment / PARTS as usize;
    let within = (segment % PARTS as usize) as f64 + 0.5 * part as f64;
    libm::ldexp(1.0 + within / f64::from(PARTS), -21 + i32::try_from(halving).unwrap_or(0))
}

/// Quantiles at every cut and every middle of one side, from 2⁻²¹ to one half:
/// `2 × SIDE + 1` values.
pub(crate) const POINTS: usize = 2 * SIDE + 1;

/// The distance from its end of the `index`-th of [`POINTS`].
pub(crate) fn point(index: usize) -> f64 {
    cut(index / 2, index % 2)
}

/// A distribution as a table of its quantiles.
#[derive(Clone)]
pub struct Table {
    lines: Arc<Lines>,
    mean: f64,
    sd: f64,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table {{ mean: {}, sd: {} }}", self.mean, self.sd)
    }
}

/// `base + slope × distance` for each segment.
pub(crate) struct Lines {
    base: [f32; ROOM],
    slope: [f32; ROOM],
}

impl Table {
    /// The table of a quantile function.
    #[must_use]
    pub fn new(quantile: impl Fn(Tail) -> f64) -> Self {
        let side = |tail: fn(f64) -> Tail| -> Vec<f64> {
            (0..POINTS).map(|index| quantile(tail(point(index)))).collect()
        };
        Self::from_sides(&side(Tail::Lower), &side(Tail::Upper))
    }

    /// The table of quantiles at every [`point`] of both sides.
    pub(crate) fn from_sides(lower: &[f64], upper: &[f64]) -> Self {
        let mut lines = Lines { base: [0.0; ROOM], slope: [0.0; ROOM] };
        let (mut mean, mut square) = (0.0, 0.0);
        for (offset, side) in [(0, lower), (UPPER, upper)] {
            for segment in 0..SIDE {
                let (from, to) = (cut(segment, 0), cut(segment + 1, 0));
                let (first, middle, last) =
                    (side[2 * segment], side[2 * segment + 1], side[2 * segment + 2]);
                let slope = (last - first) / (to - from);
                // Simpson's mean of the segment less the straight line's.
                let mend = 2.0 / 3.0 * (middle - 0.5 * (first + last));
                let base = first - slope * from + mend;
                #[expect(clippy::cast_possible_truncation, reason = "seven digits are enough")]
                {
                    lines.base[offset + segment] = base as f32;
                    lines.slope[offset + segment] = slope as f32;
                }
                // The lowest segment reaches down to the end itself.
                let from = if segment == 0 { 0.0 } else { from };
                let (left, right) = (base + slope * from, base + slope * to);
                mean += (to - from) * 0.5 * (left + right);
                square += (to - from) * (left * left + left * right + right * right) / 3.0;
            }
        }
        let sd = libm::sqrt((square - mean * mean).max(0.0));
        Self { lines: Arc::new(lines), mean, sd }
    }

    /// A distribution that is one value.
    #[must_use]
    pub fn point(value: f64) -> Self {
        Self::from_sides(&[value; POINTS], &[value; POINTS])
    }

    /// Its mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Its standard deviation.
    #[must_use]
    pub fn sd(&self) -> f64 {
        self.sd
    }

    /// Its quantile at a place.
    #[must_use]
    pub fn quantile(&self, tail: Tail) -> f64 {
        let (offset, distance) = match tail {
            Tail::Lower(w) => (0, w),
            Tail::Upper(w) => (UPPER, w),
        };
        #[expect(clippy::cast_possible_truncation, reason = "the table is in single precision")]
        let distance = distance as f32;
        f64::from(self.lines.at(offset, distance))
    }

    /// The probability of being smaller than `value`, by halving.
    #[must_use]
    pub fn probability(&self, value: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            if self.quantile(Tail::at(middle)) < value { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    }

    /// The distribution of what is left once `elapsed` has passed:
    /// `Q(F(e) + u (1 − F(e))) − e`.
    #[must_use]
    pub fn remaining(&self, elapsed: f64) -> Self {
        let gone = self.probability(elapsed);
        Self::new(|tail| {
            let beyond = match tail {
                Tail::Lower(w) => (1.0 - w) * (1.0 - gone),
                Tail::Upper(w) => w * (1.0 - gone),
            };
            let place = if beyond <= 0.5 { Tail::Upper(beyond) } else { Tail::Lower(1.0 - beyond) };
            (self.quantile(place) - elapsed).max(0.0)
        })
    }

    /// Each value changed by a function that never falls.
    #[must_use]
    pub fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        Self::new(|tail| change(self.quantile(tail)))
    }

    pub(crate) fn lines(&self) -> &Lines {
        &self.lines
    }
}

impl Lines {
    #[inline(always)]
    fn at(&self, offset: usize, distance: f32) -> f32 {
        let bits = distance.to_bits() >> 19;
        let segment = (bits.max(LOWEST) - LOWEST).min(SIDE as u32 - 1) as usize;
        let index = (offset + segment) & (ROOM - 1);
        self.base[index] + self.slope[index] * distance
    }

    /// The quantile of a random word: its highest bit is the side, the rest the
    /// distance from that side's end.
    #[inline(always)]
    pub(crate) fn draw(&self, word: u32) -> f32 {
        // At most 2³¹ − 1, so the signed conversion, which machines have, is right.
        let distance = ((word & 0x7fff_ffff) as i32 as f32 + 0.5) * (1.0 / 4_294_967_296.0);
        self.at(((word >> 31) as usize) << 9, distance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential(tail: Tail) -> f64 {
        match tail {
            Tail::Lower(w) => -libm::log1p(-w),
            Tail::Upper(w) => -libm::log(w),
        }
    }

    #[test]
    fn cuts_are_where_indexing_finds_them() {
        for segment in 0..SIDE {
            for part in 0..2 {
                #[expect(clippy::cast_possible_truncation, reason = "exact in single precision")]
                let distance = cut(segment, part) as f32;
                let bits = distance.to_bits() >> 19;
                assert_eq!((bits - LOWEST) as usize, segment);
            }
        }
        assert_eq!(point(POINTS - 1), 0.5);
    }

    #[test]
    fn an_exponential_keeps_its_moments_and_quantiles() {
        let table = Table::new(exponential);
        assert!((table.mean() - 1.0).abs() < 1e-5, "{}", table.mean());
        assert!((table.sd() - 1.0).abs() < 1e-4, "{}", table.sd());
        for p in [0.001, 0.05, 0.3, 0.5, 0.7, 0.95, 0.999, 0.999_99] {
            let (found, exact) = (table.quantile(Tail::at(p)), exponential(Tail::at(p)));
            assert!((found - exact).abs() < 3e-4 * (1.0 + exact), "{p}: {found} {exact}");
            assert!((table.probability(exact) - p).abs() < 1e-3 * p.min(1.0 - p) + 1e-6, "{p}");
        }
    }

    #[test]
    fn an_exponential_has_no_memory() {
        let left = Table::new(exponential).remaining(2.0);
        assert!((left.mean() - 1.0).abs() < 1e-3, "{}", left.mean());
        assert!((left.quantile(Tail::at(0.95)) - 2.995_73).abs() < 3e-3);
    }
}
