//! False alarms stay within their budget, however often one looks.

use backout_core::plan::Plan;
use backout_trigger::evidence::{Detector, most_rho};
use backout_trigger::rule::{self, Kind, Measured, looks, threshold};
use proptest::prelude::*;
use std::time::Duration;

/// `ln P(bad of total)` for the beta-binomial with mean `share` and correlation `rho`.
fn log_probability(bad: u32, total: u32, share: f64, rho: f64) -> f64 {
    let (b, n) = (f64::from(bad), f64::from(total));
    let choose = libm::lgamma(n + 1.0) - libm::lgamma(b + 1.0) - libm::lgamma(n - b + 1.0);
    if share <= 0.0 {
        return if bad == 0 { 0.0 } else { f64::NEG_INFINITY };
    }
    if rho < 1e-9 {
        return choose + b * share.ln() + (n - b) * (-share).ln_1p();
    }
    let k = 1.0 / rho - 1.0;
    let beta = |a: f64, c: f64| libm::lgamma(a) + libm::lgamma(c) - libm::lgamma(a + c);
    choose + beta(b + share * k, n - b + (1.0 - share) * k) - beta(share * k, (1.0 - share) * k)
}

/// The mean of the factor by which one interval multiplies the evidence: exact, as a
/// sum over everything that can happen.
fn mean_factor(detector: &Detector, total: u32, share: f64, rho: f64) -> f64 {
    (0..=total)
        .map(|bad| {
            let mut evidence = detector.start();
            detector.update(&mut evidence, f64::from(bad), f64::from(total));
            let log = evidence.log().expect("one sample");
            (log_probability(bad, total, share, rho) + log).exp()
        })
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    /// The theorem that the bound on false alarms rests on, for every share below
    /// the limit and every burstiness up to the one assumed.
    #[test]
    fn evidence_does_not_grow_while_all_is_well(
        limit in 0.001_f64..0.6,
        total in 1_u32..400,
        below in 0.0_f64..=1.0,
        assumed in 0.0_f64..=1.0,
        bursts in 0.0_f64..=1.0,
    ) {
        let assumed = assumed * most_rho(limit);
        let detector = Detector::new(limit, Some(assumed));
        let mean = mean_factor(&detector, total, below * limit, bursts * assumed);
        prop_assert!(mean <= 1.0 + 1e-7, "{mean}");
    }

    /// Betting needs nothing but the mean.
    #[test]
    fn betting_bears_any_bursts(
        limit in 0.001_f64..0.6,
        total in 1_u32..400,
        below in 0.0_f64..=1.0,
        bursts in 0.0_f64..0.9,
    ) {
        let detector = Detector::new(limit, Some(1.0));
        prop_assert_eq!(detector.method(), "betting");
        let mean = mean_factor(&detector, total, below * limit, bursts);
        prop_assert!(mean <= 1.0 + 1e-7, "{mean}");
    }
}

/// A trigger looks from the first stage on, and every look may raise an alarm.
#[test]
fn all_looks_of_a_release_are_counted() {
    let needed = |stages: serde_json::Value| {
        let ratio = serde_json::json!({"source": "m", "bad": "b", "total": "t", "limit": "5%"});
        let plan = serde_json::json!({
            "backout": 1, "change": {"title": "A change"}, "stages": stages,
            "watch": {"window": "4h", "false_alarms": "1%"},
            "triggers": {"logins": {"every": "15s", "ratio": ratio}},
        });
        let plan: Plan = serde_json::from_value(plan).expect("a plan");
        let rule = rule::of(&plan, &plan.triggers[0], &Measured::default()).expect("a rule");
        let Kind::Share { threshold, .. } = rule.kind else { panic!("it is a share") };
        threshold
    };
    let over = |hours: u64| {
        let count = looks(Duration::from_secs(hours * 3600), Duration::from_secs(15));
        threshold(count, 0.01, None)
    };
    assert_eq!(needed(serde_json::json!([])), over(4));
    let stage = |id: &str, takes: &str, bake: &str| serde_json::json!({"id": id, "owner": "ops", "takes": takes, "bake": bake, "manual": "do it"});
    let stages = [stage("one", "30m", "90m"), stage("two", "1h", "3h")];
    assert_eq!(needed(stages.into_iter().collect()), over(10));
}

/// Numbers that look random and are the same everywhere (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Bad events among `total`, correlated by `rho`: Pólya's urn.
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
}

/// Four hours at a look a minute, with the traffic, the closeness to the limit and
/// the bursts under which fixed thresholds fail.
#[test]
fn a_whole_watch_raises_no_more_alarms_than_its_budget() {
    const RUNS: u32 = 150;
    let (limit, alpha) = (0.05, 0.01);
    let count = looks(Duration::from_secs(240 * 60), Duration::from_secs(60));
    let needed = threshold(count, alpha, None);
    let detector = Detector::new(limit, None);
    let mut dice = Dice(20_260_606);
    let mut all = 0;
    for total in [1, 5, 20, 100, 400] {
        for share in [0.01, 0.03, 0.045, 0.05] {
            for rho in [0.0, most_rho(limit)] {
                let mut alarms = 0;
                for _ in 0..RUNS {
                    let mut evidence = detector.start();
                    let fired = (0..count).any(|_| {
                        let bad = dice.bad(total, share, rho);
                        detector.update(&mut evidence, f64::from(bad), f64::from(total));
                        evidence.log().is_some_and(|log| log >= needed)
                    });
                    alarms += u32::from(fired);
                }
                all += alarms;
                // P(more than 8 of 150 at 1 %) is below 1 in 10,000.
                assert!(alarms <= 8, "{alarms} of {RUNS}: {total} a look, {share}, {rho}");
            }
        }
    }
    // 6,000 watches at 1 %: far fewer than 60 in practice, for Markov is generous.
    assert!(all <= 60, "{all}");
}

/// How many events the next look finds, with everything seen so far known: looks that come
/// at random, that follow the day, of very different sizes, and looks that somebody steers
/// who wants an alarm.
#[derive(Debug, Clone, Copy)]
enum Schedule {
    /// Seldom anything at all.
    Seldom,
    /// More by day than by night.
    Daily,
    /// A few, and now and then thousands.
    Heavy,
    /// Small while the evidence grows, so as not to lose it; large while it falls.
    Chasing,
    /// Until it once looked bad; then no more.
    StopsWhenItLooksBad,
}

impl Schedule {
    fn total(self, dice: &mut Dice, look: u64, last: f64, now: f64) -> u32 {
        let day = (look as f64 / 60.0).sin();
        match self {
            Self::Seldom => u32::from(dice.roll() < 0.4),
            Self::Daily => (20.0 * (1.0 + day) * 2.0 * dice.roll()) as u32,
            Self::Heavy => (1.0 / dice.roll().max(1e-9)).min(2000.0) as u32,
            Self::Chasing => {
                if now > last {
                    1
                } else {
                    50
                }
            }
            Self::StopsWhenItLooksBad => {
                if now > 2.0 {
                    0
                } else {
                    10
                }
            }
        }
    }
}

#[test]
fn no_schedule_of_looks_raises_more_alarms_than_the_budget() {
    const RUNS: u32 = 150;
    let (limit, alpha, count) = (0.05, 0.01, 961);
    let needed = threshold(count, alpha, None);
    let detector = Detector::new(limit, None);
    let mut dice = Dice(20_260_606);
    for schedule in [
        Schedule::Seldom,
        Schedule::Daily,
        Schedule::Heavy,
        Schedule::Chasing,
        Schedule::StopsWhenItLooksBad,
    ] {
        for rho in [0.0, most_rho(limit)] {
            let mut alarms = 0;
            for _ in 0..RUNS {
                let mut evidence = detector.start();
                let (mut last, mut now) = (0.0, 0.0);
                let fired = (0..count).any(|look| {
                    let total = schedule.total(&mut dice, look, last, now);
                    let bad = dice.bad(total, limit, rho);
                    detector.update(&mut evidence, f64::from(bad), f64::from(total));
                    (last, now) = (now, evidence.log().unwrap_or(0.0));
                    now >= needed
                });
                alarms += u32::from(fired);
            }
            // P(more than 8 of 150 at 1 %) is below 1 in 10,000.
            assert!(alarms <= 8, "{alarms} of {RUNS}: {schedule:?}, bursts {rho}");
        }
    }
}

/// What breaks badly is seen at once, at any traffic worth the name.
#[test]
fn a_breach_is_seen_in_a_few_looks() {
    let detector = Detector::new(0.05, None);
    let needed = threshold(961, 0.01, None);
    let looks_until = |total: f64, share: f64| {
        let mut evidence = detector.start();
        for _ in 0..500 {
            detector.update(&mut evidence, (total * 0.01).round(), total);
        }
        (1..500).find(|_| {
            detector.update(&mut evidence, (total * share).round(), total);
            evidence.log().is_some_and(|log| log >= needed)
        })
    };
    assert_eq!(looks_until(1000.0, 0.5), Some(1));
    assert!(looks_until(100.0, 0.5).is_some_and(|looks| looks <= 2));
    assert!(looks_until(100.0, 0.2).is_some_and(|looks| looks <= 6));
    assert!(looks_until(20.0, 0.5).is_some_and(|looks| looks <= 3));
    assert_eq!(looks_until(100.0, 0.04), None, "below the limit nothing is seen");
}
