//! How bursty bad events are: their correlation within one interval, measured on
//! the time before the deployment.

use crate::evidence::most_rho;

/// Fewer intervals with events than this say nothing about bursts.
const LEAST_INTERVALS: usize = 20;
/// Fewer bad events than this say nothing about bursts.
const LEAST_BAD: f64 = 5.0;
/// So many intervals may show that bad events are *less* bursty than the model bears: such
/// with two events at least, for one event alone has nothing to be correlated with.
pub const ENOUGH: usize = 200;

/// What to assume about bursts for a limit: see [`rho`]. `None` where there is too little
/// to tell.
#[must_use]
pub fn measured(intervals: &[(f64, f64)], limit: f64) -> Option<f64> {
    let bound = rho(intervals)?;
    let enough = intervals.iter().filter(|(_, total)| *total >= 2.0).count() >= ENOUGH;
    Some(if enough { bound } else { bound.max(most_rho(limit)) })
}

/// An upper bound on the intra-interval correlation `rho` of bad events, from
/// intervals `(bad, total)`. `None` where there is too little to tell.
///
/// The estimate is the analysis-of-variance estimator for proportions (Fleiss,
/// *Statistical Methods for Rates and Proportions*, ch. 15); the bound adds 1.645
/// standard errors of the delete-one jackknife.
///
/// It is no exact bound: rare failures in large bursts (a share of 0.005, `rho` 0.05)
/// leave the truth above it in one of four measurements over 240 intervals, and in four of
/// ten over 40. Over 240 intervals that costs no more false alarms than are accepted,
/// because a bound above [`most_rho`] leads to betting, which needs none; below
/// [`ENOUGH`] intervals it would, so [`measured`] assumes no less than [`most_rho`] there.
#[must_use]
pub fn rho(intervals: &[(f64, f64)]) -> Option<f64> {
    let usable: Vec<(f64, f64)> =
        intervals.iter().copied().filter(|(bad, total)| *total >= 1.0 && *bad >= 0.0).collect();
    let bad: f64 = usable.iter().map(|(bad, _)| bad).sum();
    if usable.len() < LEAST_INTERVALS || bad < LEAST_BAD {
        return None;
    }
    let sums = usable.iter().fold(Sums::default(), |sums, sample| sums.with(*sample, 1.0));
    let estimate = sums.rho()?;
    let without: Vec<f64> =
        usable.iter().filter_map(|sample| sums.with(*sample, -1.0).rho()).collect();
    let count = without.len() as f64;
    let mean = without.iter().sum::<f64>() / count;
    let spread: f64 = without.iter().map(|one| (one - mean).powi(2)).sum();
    let error = libm::sqrt((count - 1.0) / count * spread);
    Some((estimate + 1.645 * error).clamp(0.0, 1.0))
}

/// What the estimator needs of all intervals.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    intervals: f64,
    bad: f64,
    total: f64,
    /// Σ n²
    squares: f64,
    /// Σ b²/n
    shares: f64,
}

impl Sums {
    fn with(self, (bad, total): (f64, f64), sign: f64) -> Self {
        Self {
            intervals: self.intervals + sign,
            bad: self.bad + sign * bad,
            total: self.total + sign * total,
            squares: self.squares + sign * total * total,
            shares: self.shares + sign * bad * bad / total,
        }
    }

    fn rho(&self) -> Option<f64> {
        let within_freedom = self.total - self.intervals;
        let between_freedom = self.intervals - 1.0;
        if within_freedom <= 0.0 || between_freedom <= 0.0 {
            return None;
        }
        let between = (self.shares - self.bad * self.bad / self.total) / between_freedom;
        let within = (self.bad - self.shares) / within_freedom;
        let size = (self.total - self.squares / self.total) / between_freedom;
        let below = between + (size - 1.0) * within;
        (below > 0.0).then(|| (between - within) / below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_says_nothing() {
        assert_eq!(rho(&[(1.0, 10.0); 19]), None);
        assert_eq!(rho(&[(0.0, 10.0); 100]), None);
        assert_eq!(rho(&[]), None);
    }

    #[test]
    fn even_events_have_no_bursts_and_lumps_have() {
        let even: Vec<(f64, f64)> = (0..100).map(|_| (1.0, 20.0)).collect();
        assert!(rho(&even).is_some_and(|rho| rho < 0.001));
        assert!(measured(&even, 0.05).is_some_and(|rho| rho == most_rho(0.05)), "too few");
        let long = even.repeat(2);
        assert!(measured(&long, 0.05).is_some_and(|rho| rho < 0.001), "enough");
        let lumps: Vec<(f64, f64)> =
            (0..100).map(|i| if i % 20 == 0 { (20.0, 20.0) } else { (0.0, 20.0) }).collect();
        assert!(rho(&lumps).is_some_and(|rho| rho > 0.9));
    }

    /// A quiet night before a busy day: hundreds of looks with one event each.
    #[test]
    fn single_events_say_nothing_about_bursts() {
        let single: Vec<(f64, f64)> = (0..400).map(|i| (f64::from(i % 20 == 0), 1.0)).collect();
        assert_eq!(measured(&single, 0.05), None);
        let mixed = [single, vec![(1.0, 20.0); 100]].concat();
        assert!(rho(&mixed).is_some_and(|rho| rho < most_rho(0.05)), "no bursts to be seen");
        assert_eq!(measured(&mixed, 0.05), Some(most_rho(0.05)), "a hundred are too few");
    }

    /// By hand: four groups of five with 0, 1, 2, 3 bad.
    #[test]
    fn the_estimator_is_the_textbooks() {
        let sums = [(0.0, 5.0), (1.0, 5.0), (2.0, 5.0), (3.0, 5.0)]
            .into_iter()
            .fold(Sums::default(), |sums, sample| sums.with(sample, 1.0));
        // MSB = (14/5 − 36/20)/3 = 1/3, MSW = (6 − 14/5)/16 = 0.2, n0 = 5.
        let expected = (1.0 / 3.0 - 0.2) / (1.0 / 3.0 + 4.0 * 0.2);
        assert!((sums.rho().expect("enough") - expected).abs() < 1e-12);
    }
}
