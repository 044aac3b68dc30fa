//! Evidence that a share of bad events is beyond its limit, valid however often
//! one looks.
//!
//! The statistic is the Shiryaev–Roberts e-detector (Shin, Ramdas, Rinaldo:
//! *E-detectors*, arXiv 2203.03532): for each alternative `q > p0`
//!
//! ```text
//!   R_t = (1 + R_{t-1}) · LR_t(q)        M_t = Σ w_q R_t(q)        R_0 = 0
//! ```
//!
//! As long as the true share is at most `p0`, `E[M_t] ≤ t`; so for `T` looks
//! `P(M reaches T/α) ≤ α` (Markov's inequality at the stopping time), without any
//! correction for looking more than once. The `1 +` is what lets it react after a
//! long good period: evidence for "all was well for hours" does not have to be
//! paid back first.
//!
//! An interval has to end for a reason other than what is in it: looks are on a clock, and
//! the next one may depend on everything before. An interval that is ended as soon as
//! something bad is in it proves nothing.
//!
//! Two likelihood ratios are used:
//!
//! - **Beta-binomial.** Bad events come in bursts: within one interval they are
//!   correlated by `rho`. With `k = 1/rho − 1`,
//!   `LR = B(b+qk, n−b+(1−q)k)/B(qk,(1−q)k) ÷ B(b+p0·k, n−b+(1−p0)k)/B(p0·k,(1−p0)k)`.
//!   Where the truth is *less* bursty than assumed, its mean stays at most 1 only
//!   if `p0·k ≥ 2`; hence [`most_rho`].
//! - **Betting**, where bursts are worse than that (Waudby-Smith, Ramdas: *Estimating
//!   means of bounded random variables by betting*, arXiv 2010.09686): with
//!   `x = b/n`, `LR = 1 + λ(x − p0)`. It needs nothing but a mean of at most `p0`,
//!   and is slower.

use serde::{Deserialize, Serialize};

/// The largest correlation the beta-binomial detector may assume for a limit:
/// `p0/(p0+2)`, which is `p0·k = 2`.
#[must_use]
pub fn most_rho(limit: f64) -> f64 {
    limit / (limit + 2.0)
}

/// How evidence is gathered: the constants of one trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct Detector {
    limit: f64,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    BetaBinomial {
        /// `(q·k, (1−q)·k, ln Γ(qk) + ln Γ((1−q)k))` for each alternative.
        alternatives: Vec<Shape>,
        null: Shape,
    },
    Betting {
        stakes: Vec<f64>,
    },
}

#[derive(Debug, Clone, PartialEq)]
struct Shape {
    bad: f64,
    good: f64,
    constant: f64,
}

impl Shape {
    fn new(share: f64, k: f64) -> Self {
        let (bad, good) = (share * k, (1.0 - share) * k);
        Self { bad, good, constant: libm::lgamma(bad) + libm::lgamma(good) }
    }

    /// `ln B(b+bad, n−b+good) − ln B(bad, good)`, less the terms that depend on `n`
    /// and `k` alone: they are the same in every shape and cancel in a ratio.
    fn log(&self, bad: f64, good: f64) -> f64 {
        libm::lgamma(bad + self.bad) + libm::lgamma(good + self.good) - self.constant
    }
}

/// The shares the detector looks for: multiples of the limit, and plain breakage.
fn alternatives(limit: f64) -> Vec<f64> {
    let multiples = [1.5, 2.0, 3.0, 5.0, 10.0].map(|factor| (factor * limit).min(0.9));
    let mut all: Vec<f64> = multiples.into_iter().chain([0.5, 0.9]).collect();
    all.retain(|share| *share > limit);
    all.sort_by(f64::total_cmp);
    all.dedup();
    // A limit of 90 % and more: what is left is between it and everything.
    if all.is_empty() {
        all.push(f64::midpoint(limit, 1.0));
    }
    all
}

impl Detector {
    /// A detector for shares above `limit` (0 < limit < 1), where bad events of one
    /// interval are correlated by `rho`. Without a measured `rho` the largest
    /// admissible one is assumed: slower, never a false alarm more.
    #[must_use]
    pub fn new(limit: f64, rho: Option<f64>) -> Self {
        let most = most_rho(limit);
        match rho {
            Some(rho) if rho > most => {
                let stakes =
                    [0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95].map(|part| part / limit).to_vec();
                Self { limit, kind: Kind::Betting { stakes } }
            }
            _ => Self::beta_binomial(limit, rho.unwrap_or(most), &alternatives(limit)),
        }
    }

    /// The beta-binomial detector with these alternatives.
    #[must_use]
    pub fn beta_binomial(limit: f64, rho: f64, alternatives: &[f64]) -> Self {
        // Below this the beta-binomial is the binomial to all digits there are.
        let k = 1.0 / rho.max(1e-9) - 1.0;
        let alternatives = alternatives.iter().map(|share| Shape::new(*share, k)).collect();
        Self { limit, kind: Kind::BetaBinomial { alternatives, null: Shape::new(limit, k) } }
    }

    /// The share it guards, 0 to 1.
    #[must_use]
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// `beta-binomial` or `betting`, for people who check the figures.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self.kind {
            Kind::BetaBinomial { .. } => "beta-binomial",
            Kind::Betting { .. } => "betting",
        }
    }

    /// No evidence yet.
    #[must_use]
    pub fn start(&self) -> Evidence {
        let count = match &self.kind {
            Kind::BetaBinomial { alternatives, .. } => alternatives.len(),
            Kind::Betting { stakes } => stakes.len(),
        };
        Evidence { logs: vec![None; count] }
    }

    /// Takes in one interval: `bad` of `total` events. Counts are whole numbers of
    /// events; an interval without events says nothing and changes nothing.
    pub fn update(&self, evidence: &mut Evidence, bad: f64, total: f64) {
        if !(total > 0.0 && bad >= 0.0 && total.is_finite()) {
            return;
        }
        let bad = bad.min(total);
        if evidence.logs.len() != self.start().logs.len() {
            *evidence = self.start();
        }
        match &self.kind {
            Kind::BetaBinomial { alternatives, null } => {
                let under_null = null.log(bad, total - bad);
                for (log, shape) in evidence.logs.iter_mut().zip(alternatives) {
                    let ratio = shape.log(bad, total - bad) - under_null;
                    *log = Some(log_one_plus(*log) + ratio);
                }
            }
            Kind::Betting { stakes } => {
                let share = bad / total;
                for (log, stake) in evidence.logs.iter_mut().zip(stakes) {
                    *log = Some(log_one_plus(*log) + libm::log1p(stake * (share - self.limit)));
                }
            }
        }
    }
}

/// What the samples so far say: the logarithm of `R` for each alternative.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// `None` before the first sample, which stands for `R = 0`.
    logs: Vec<Option<f64>>,
}

impl Evidence {
    /// `ln M`: the logarithm of the mean over the alternatives. `None` before the
    /// first sample.
    #[must_use]
    pub fn log(&self) -> Option<f64> {
        let known: Vec<f64> = self.logs.iter().copied().flatten().collect();
        let largest = known.iter().copied().reduce(f64::max)?;
        let sum: f64 = known.iter().map(|log| libm::exp(log - largest)).sum();
        Some(largest + libm::log(sum) - libm::log(self.logs.len() as f64))
    }
}

/// `ln(1 + e^log)`, where `None` stands for the logarithm of 0.
fn log_one_plus(log: Option<f64>) -> f64 {
    match log {
        None => 0.0,
        // Beyond this the 1 is lost in the last digit.
        Some(log) if log > 40.0 => log,
        Some(log) => libm::log1p(libm::exp(log)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed independently with SciPy's `betaln`.
    #[test]
    fn agrees_with_the_reference() {
        let detector = Detector::beta_binomial(0.05, 0.02, &[0.075, 0.1, 0.15, 0.25, 0.5, 0.9]);
        let mut evidence = detector.start();
        assert_eq!(evidence.log(), None);
        let samples = [
            (1.0, 40.0),
            (0.0, 40.0),
            (2.0, 50.0),
            (5.0, 50.0),
            (9.0, 50.0),
            (12.0, 60.0),
            (30.0, 60.0),
        ];
        let expected = [
            0.211_918_234_1,
            0.188_836_991_9,
            0.409_450_369_5,
            1.606_468,
            14.302_397_46,
            222.233_228_3,
            11_482_037.32,
        ];
        for ((bad, total), expected) in samples.into_iter().zip(expected) {
            detector.update(&mut evidence, bad, total);
            let found = libm::exp(evidence.log().expect("samples"));
            assert!((found / expected - 1.0).abs() < 1e-6, "{found} is not {expected}");
        }
    }

    #[test]
    fn nothing_says_nothing() {
        let detector = Detector::new(0.05, None);
        let mut evidence = detector.start();
        for (bad, total) in
            [(0.0, 0.0), (f64::NAN, 5.0), (1.0, f64::NAN), (-1.0, 5.0), (1.0, f64::INFINITY)]
        {
            detector.update(&mut evidence, bad, total);
        }
        assert_eq!(evidence, detector.start());
    }

    #[test]
    fn bursts_beyond_what_the_model_bears_are_left_to_betting() {
        assert_eq!(Detector::new(0.05, Some(0.02)).method(), "beta-binomial");
        assert_eq!(Detector::new(0.05, Some(0.03)).method(), "betting");
        assert_eq!(Detector::new(0.05, None).method(), "beta-binomial");
    }

    #[test]
    fn every_limit_has_an_alternative() {
        for limit in [0.000_1, 0.01, 0.5, 0.89, 0.9, 0.95, 0.999] {
            assert!(alternatives(limit).iter().all(|share| *share > limit && *share < 1.0));
            assert!(!alternatives(limit).is_empty());
        }
    }
}
