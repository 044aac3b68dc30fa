//! When it will be done, as a sorted sample of nights.

use crate::simulate::Simulated;

/// The standard normal quantile of 99 %.
const Z99: f64 = 2.326_347_874;

/// A figure from a sample, and between what it lies with 98 % confidence given
/// the model: the error of having simulated a finite number of nights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// The figure.
    pub value: f64,
    /// Not below this.
    pub low: f64,
    /// Not above this.
    pub high: f64,
}

/// The distribution of the finish: seconds from now, ascending; infinite where every
/// attempt of a step fails.
#[derive(Debug, Clone)]
pub struct Finish {
    seconds: Vec<f32>,
}

impl From<Simulated> for Finish {
    fn from(simulated: Simulated) -> Self {
        Self { seconds: simulated.finishes }
    }
}

impl Finish {
    /// How many nights it rests on.
    #[must_use]
    pub fn nights(&self) -> usize {
        self.seconds.len()
    }

    /// The time by which this share of nights is done. The limits are order
    /// statistics, so they hold for any distribution.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Figure {
        let nights = self.seconds.len() as f64;
        let spread = Z99 * (nights * share * (1.0 - share)).sqrt();
        Figure {
            value: self.rank(nights * share),
            low: self.rank(nights * share - spread),
            high: self.rank(nights * share + spread),
        }
    }

    fn rank(&self, rank: f64) -> f64 {
        let last = self.seconds.len().saturating_sub(1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let index = (rank.ceil().max(1.0) as usize - 1).min(last);
        self.seconds.get(index).map_or(0.0, |seconds| f64::from(*seconds))
    }

    /// The share of nights done within so many seconds (Wilson's limits).
    #[must_use]
    pub fn probability(&self, seconds: f64) -> Figure {
        let nights = self.seconds.len() as f64;
        let within = self.seconds.partition_point(|time| f64::from(*time) <= seconds) as f64;
        let (share, z2) = (within / nights, Z99 * Z99);
        let centre = (share + z2 / (2.0 * nights)) / (1.0 + z2 / nights);
        let half = Z99 / (1.0 + z2 / nights)
            * (share * (1.0 - share) / nights + z2 / (4.0 * nights * nights)).sqrt();
        Figure { value: share, low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
    }

    /// The simulations in which every step ends, ascending.
    fn ended(&self) -> &[f32] {
        &self.seconds[..self.seconds.partition_point(|time| time.is_finite())]
    }

    /// The share of simulations in which a step fails for good, 0 to 1.
    #[must_use]
    pub fn unfinished(&self) -> f64 {
        1.0 - self.ended().len() as f64 / self.seconds.len().max(1) as f64
    }

    /// The mean of the simulations in which every step ends, seconds; infinite if
    /// there are none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let ended = self.ended();
        if ended.is_empty() {
            return f64::INFINITY;
        }
        ended.iter().map(|time| f64::from(*time)).sum::<f64>() / ended.len() as f64
    }

    /// The standard deviation of the simulations in which every step ends, seconds.
    #[must_use]
    pub fn sd(&self) -> f64 {
        let (ended, mean) = (self.ended(), self.mean());
        let squares = ended.iter().map(|time| (f64::from(*time) - mean).powi(2));
        (squares.sum::<f64>() / ended.len().max(1) as f64).sqrt()
    }

    /// The point of no return: the latest start, seconds from now, at which this
    /// share of nights is done by `deadline`, seconds from now. It is the deadline
    /// less one quantile. Negative when it has passed. Its `low` is the one to act by.
    #[must_use]
    pub fn point_of_no_return(&self, deadline: f64, share: f64) -> Figure {
        let needed = self.quantile(share);
        Figure {
            value: deadline - needed.value,
            low: deadline - needed.high,
            high: deadline - needed.low,
        }
    }

    /// The nights themselves, ascending.
    #[must_use]
    pub fn seconds(&self) -> &[f32] {
        &self.seconds
    }
}
