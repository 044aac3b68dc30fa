//! What was usual before the deployment, on the safe side.

/// An upper confidence bound for the `share`-quantile of the values: the smallest
/// order statistic that is at or above the true quantile with probability
/// `1 − alpha`. `None` where there are too few values for any bound.
///
/// The number of values below the true quantile is binomial, whatever they are
/// distributed like, so the order statistic follows from its distribution alone.
#[must_use]
pub fn upper_bound(values: &[f64], share: f64, alpha: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len();
    let mut below = 0.0;
    // P(at most `rank` values below the quantile) ≥ 1 − alpha: the next one is a bound.
    for (rank, value) in sorted.iter().enumerate() {
        below += libm::exp(log_binomial(count, rank, share));
        if below >= 1.0 - alpha {
            return Some(*value);
        }
    }
    None
}

fn log_binomial(count: usize, hits: usize, share: f64) -> f64 {
    let (count, hits) = (count as f64, hits as f64);
    libm::lgamma(count + 1.0) - libm::lgamma(hits + 1.0) - libm::lgamma(count - hits + 1.0)
        + hits * libm::log(share)
        + (count - hits) * libm::log1p(-share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_the_binomials() {
        let values: Vec<f64> = (1..=20).map(f64::from).collect();
        // P(Bin(20, 1/2) ≤ 13) = 0.942, ≤ 14 = 0.979: the fifteenth value at 5 %.
        assert_eq!(upper_bound(&values, 0.5, 0.05), Some(15.0));
        assert_eq!(upper_bound(&values, 0.5, 0.06), Some(14.0));
    }

    #[test]
    fn too_few_values_have_no_bound() {
        assert_eq!(upper_bound(&[1.0, 2.0, 3.0, 4.0], 0.5, 0.05), None);
        assert_eq!(upper_bound(&[], 0.5, 0.05), None);
        // 1 − 0.99^n ≥ 0.95 from 299 values on.
        let many: Vec<f64> = (0..298).map(f64::from).collect();
        assert_eq!(upper_bound(&many, 0.99, 0.05), None);
        let many: Vec<f64> = (0..299).map(f64::from).collect();
        assert_eq!(upper_bound(&many, 0.99, 0.05), Some(298.0));
    }
}
