//! Between which shares the truth lies, however often one looks.
//!
//! The beta-binomial mixture of Howard, Ramdas, McAuliffe, Sekhon: *Time-uniform,
//! nonparametric, nonasymptotic confidence sequences* (Annals of Statistics 49(2),
//! 2021, proposition 7): a share `p` is ruled out once
//! `B(a+S, b+F) / (B(a, b) · p^S · (1−p)^F) ≥ 1/alpha`. The interval of all shares
//! that are not ruled out holds the truth at every moment with probability
//! `1 − alpha`. Only for people to read: no trigger fires on it.

/// The number of events at which the interval is as narrow as it can be.
const BEST_AT: f64 = 100.0;

/// The shares that are not ruled out after `bad` of `total` events.
#[must_use]
pub fn interval(bad: f64, total: f64, alpha: f64) -> (f64, f64) {
    interval_best_at(bad, total, alpha, BEST_AT)
}

fn interval_best_at(bad: f64, total: f64, alpha: f64, best_at: f64) -> (f64, f64) {
    if !(total > 0.0 && bad >= 0.0 && bad <= total && total.is_finite()) {
        return (0.0, 1.0);
    }
    let threshold = -libm::log(alpha);
    let against = |share: f64| log_evidence(bad, total - bad, share, best_at) - threshold;
    let mean = bad / total;
    // The evidence against a share falls towards the mean and rises behind it.
    let low = if bad == 0.0 { 0.0 } else { root(1e-12, mean, |share| against(share) > 0.0) };
    let high =
        if bad >= total { 1.0 } else { root(1.0 - 1e-12, mean, |share| against(share) > 0.0) };
    (low, high)
}

/// The border between a place where it holds and one where it does not.
fn root(mut holds: f64, mut not: f64, test: impl Fn(f64) -> bool) -> f64 {
    if !test(holds) {
        return holds.round();
    }
    for _ in 0..60 {
        let middle = f64::midpoint(holds, not);
        if test(middle) { holds = middle } else { not = middle }
    }
    f64::midpoint(holds, not)
}

fn log_evidence(bad: f64, good: f64, share: f64, best_at: f64) -> f64 {
    let variance = share * (1.0 - share);
    // The prior that is best after `best_at` events at 5 %.
    let log = -libm::log(0.05);
    let rho = best_at * variance / (2.0 * log + libm::log1p(2.0 * log));
    let weight = (rho - variance).max(1e-3 * variance);
    let (a, b) = (weight / (1.0 - share), weight / share);
    log_beta(a + bad, b + good)
        - log_beta(a, b)
        - bad * libm::log(share)
        - good * libm::log1p(-share)
}

fn log_beta(a: f64, b: f64) -> f64 {
    libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the authors' own implementation (package `confseq`).
    #[test]
    fn agrees_with_the_reference() {
        let expected = [
            (700.0, 1000.0, 100.0, 0.651_629, 0.745_949),
            (15.0, 50.0, 50.0, 0.129_556, 0.511_896),
            (5.0, 50.0, 50.0, 0.013_021, 0.269_264),
            (100.0, 200.0, 1.0, 0.328_923, 0.671_076),
        ];
        for (bad, total, best_at, low, high) in expected {
            let found = interval_best_at(bad, total, 0.05, best_at);
            assert!((found.0 - low).abs() < 1e-5 && (found.1 - high).abs() < 1e-5, "{found:?}");
        }
    }

    #[test]
    fn nothing_known_is_everything_possible() {
        assert_eq!(interval(0.0, 0.0, 0.05), (0.0, 1.0));
        assert_eq!(interval(f64::NAN, 3.0, 0.05), (0.0, 1.0));
        let (low, high) = interval(0.0, 50.0, 0.05);
        assert!(low == 0.0 && high < 0.2);
        let (low, high) = interval(50.0, 50.0, 0.05);
        assert!(low > 0.8 && high == 1.0);
    }
}
