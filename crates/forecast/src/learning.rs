//! From what is stated and what was measured to distributions.
//!
//! A handful of rehearsals says little about how long a step may take, and the
//! two easy ways to use them are both wrong: the sample's own mean and spread
//! promise 95 % and keep 86 %, and the textbook predictive distribution (a
//! Student's t on the logarithm, with the step's own variance) has tails so long
//! that a plan of a hundred steps becomes thousands of times too late. So:
//!
//! * The logarithms of measured durations are split into what belongs to the
//!   step, what belongs to the night (everything was slow on that night), and the
//!   rest: `ln dⱼᵣ = mⱼ + cᵣ + eⱼᵣ`.
//! * The variance of the rest is *pooled*: each step's own is drawn towards that
//!   of steps of its kind, the more the fewer measurements it has (scaled
//!   inverse-χ² prior fitted by moments of its logarithm; Smyth, SAGMB 3(1), 2004).
//! * The next night is a draw from the nights: a factor all steps share (linear
//!   association; Trietsch et al., EJOR 216(2), 2012). Independence is the most
//!   dangerous default there is: it averages bad luck away.
//! * Nothing takes longer than ten times its middle, so that means exist. An attempt
//!   that was stopped at its time-out is a *censored* measurement: it would have taken
//!   longer than that. It counts as a failure and moves the distribution up, and is
//!   never a short duration.
//!
//! Without measurements the stated low, likely and high make a PERT distribution,
//! and a single figure the middle of a log-normal one. What each step's duration
//! rests on is part of the result.

use std::collections::HashMap;

use crate::network::{Attempts, Duration};
use crate::shape;
use crate::special::{digamma, trigamma, trigamma_inverse};
use crate::table::{Table, Tail};

/// What the plan says about a step's duration, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stated {
    /// Nothing.
    Nothing,
    /// One figure.
    Point(f64),
    /// Three.
    Range {
        /// If all goes well.
        low: f64,
        /// Most of the time.
        likely: f64,
        /// On a bad night.
        high: f64,
    },
}

impl Stated {
    /// The single figure that stands for it.
    #[must_use]
    pub fn likely(self) -> Option<f64> {
        match self {
            Self::Nothing => None,
            Self::Point(likely) | Self::Range { likely, .. } => Some(likely),
        }
    }
}

/// A measured duration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Which run it comes from: steps of one run share its night.
    pub night: usize,
    /// Seconds.
    pub seconds: f64,
}

/// Everything known about a step's duration.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// What the plan says.
    pub stated: Stated,
    /// What was measured.
    pub samples: Vec<Sample>,
    /// After this, seconds, its action is stopped; infinite if it is not.
    pub time_out: f64,
    /// A whole duration beyond this, seconds, means that its action is stopped: the
    /// time-out, and what people and verifications take of the duration beside it.
    pub limit: f64,
    /// Steps of one kind share their variance: people's work, machines' work.
    pub kind: usize,
    /// Attempts that failed in earlier runs, those that were stopped included.
    pub failed: u32,
    /// Of these, attempts that were stopped at their time-out.
    pub stopped: u32,
    /// Attempts in earlier runs.
    pub tried: u32,
    /// How many attempts it has in all, and the pause between, seconds.
    pub retry: Option<(u32, f64)>,
}

impl Known {
    /// What is known of a step that was never measured, never failed, and that
    /// nothing stops.
    #[must_use]
    pub fn stated(stated: Stated) -> Self {
        Self {
            stated,
            samples: Vec::new(),
            time_out: f64::INFINITY,
            limit: f64::INFINITY,
            kind: 0,
            failed: 0,
            stopped: 0,
            tried: 0,
            retry: None,
        }
    }
}

/// What a duration rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Nothing at all: there is no forecast.
    Nothing,
    /// One stated figure, spread as assumed.
    Point,
    /// Three stated figures.
    Range,
    /// This many measurements.
    Measured(usize),
}

/// What is assumed where nothing was measured. All of it can be set in the plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assumptions {
    /// Everything takes this many times as long in earnest.
    pub stress: f64,
    /// The spread of nights: standard deviation of the logarithm of the factor
    /// that all steps of a night share.
    pub night: f64,
    /// The spread of a step whose plan states one figure, of the logarithm.
    pub point_spread: f64,
    /// The spread of repeated measurements of one step, of the logarithm.
    pub spread: f64,
    /// How many measurements that last figure is worth.
    pub spread_worth: f64,
    /// How many nights the spread of nights is worth.
    pub night_worth: f64,
    /// How long until somebody tries again when a step without `retry` fails, seconds.
    pub help: f64,
}

impl Default for Assumptions {
    fn default() -> Self {
        Self {
            stress: 1.0,
            night: 0.15,
            point_spread: 0.5,
            spread: 0.4,
            spread_worth: 8.0,
            night_worth: 8.0,
            help: 300.0,
        }
    }
}

/// Durations, and what they rest on.
#[derive(Debug, Clone)]
pub struct Learned {
    /// One per step: how long an attempt takes that is not stopped.
    pub durations: Vec<Duration>,
    /// One per step: what may make an attempt fail; `None` if nothing does.
    pub attempts: Vec<Option<Attempts>>,
    /// One per step.
    pub basis: Vec<Basis>,
    /// The factor all steps share.
    pub night: Table,
    /// Its spread.
    pub night_spread: f64,
    /// How many earlier nights were measured.
    pub nights: usize,
}

/// The longest a step takes: this many times its middle.
const ENDLESS: f64 = 10.0;

/// How sure we are without measurements that an attempt does not fail by itself: one in
/// twenty, worth ten attempts.
const FAILS: (f64, f64) = (0.5, 9.5);

/// How many attempts the distribution is worth against those that were seen to be
/// stopped at the time-out or not.
const PRIOR_ATTEMPTS: f64 = 2.0;

/// Distributions for each step.
#[must_use]
pub fn learn(known: &[Known], assumed: &Assumptions) -> Learned {
    let split = Split::new(known, assumed);
    let kinds = known.iter().map(|known| known.kind + 1).max().unwrap_or(0);
    let pools: Vec<Pool> = (0..kinds).map(|kind| Pool::new(known, &split, kind, assumed)).collect();
    let mut durations = Vec::with_capacity(known.len());
    let mut basis = Vec::with_capacity(known.len());
    let mut attempts = Vec::with_capacity(known.len());
    let mut cached: Vec<(u64, shape::Deviations)> = Vec::new();
    let mut made = Made::default();
    for (step, known) in known.iter().enumerate() {
        let (duration, rests_on) = match (known.samples.len(), known.stated) {
            (0, Stated::Nothing) => (Duration::exactly(0.0), Basis::Nothing),
            (0, Stated::Point(likely)) => (made.once(likely, assumed), Basis::Point),
            (0, Stated::Range { low, likely, high }) => {
                (made.range(low, likely, high), Basis::Range)
            }
            (count, _) => {
                let pool = &pools[known.kind];
                let freedom = pool.worth + split.freedom[step];
                let variance = (pool.worth * pool.variance
                    + split.freedom[step] * split.variance[step])
                    / freedom;
                // What is stated counts as one measurement more: it keeps a single odd
                // one from being the whole truth.
                let stated = known.stated.likely().filter(|likely| *likely > 0.0);
                let worth = count as f64 + f64::from(u8::from(stated.is_some()));
                let sum = split.middle[step] * count as f64 + stated.map_or(0.0, log);
                let spread = libm::sqrt(variance * (1.0 + 1.0 / worth));
                let deviations = student(&mut cached, freedom);
                let table = exponential_of(&deviations, spread);
                let middle = libm::exp(sum / worth);
                (Duration { scale: middle, ..Duration::of(table) }, Basis::Measured(count))
            }
        };
        let mut duration = raised(duration, known);
        duration.scale *= assumed.stress;
        duration.offset *= assumed.stress;
        duration.feels_the_night = true;
        let middle = duration.quantile(0.5);
        duration.cap = ENDLESS * middle.max(known.stated.likely().unwrap_or(0.0));
        durations.push(duration);
        attempts.push(attempts_of(known, assumed));
        basis.push(rests_on);
    }
    let (night, night_spread) = split.next_night(known, assumed);
    Learned { durations, attempts, basis, night, night_spread, nights: split.nights }
}

/// A duration with the attempts that were stopped taken in: how likely an attempt takes
/// longer than the limit is what the distribution says, worth [`PRIOR_ATTEMPTS`], and
/// what was seen. Where more were stopped than it says, all of it is longer.
fn raised(duration: Duration, known: &Known) -> Duration {
    if known.stopped == 0 || !known.limit.is_finite() {
        return duration;
    }
    let own = (known.limit - duration.offset) / duration.scale.max(1e-9);
    let said = 1.0 - duration.table.probability(own);
    let tried = f64::from(known.tried.max(known.stopped));
    let seen = (PRIOR_ATTEMPTS * said + f64::from(known.stopped)) / (PRIOR_ATTEMPTS + tried);
    if seen <= said {
        return duration;
    }
    let there = duration.quantile(1.0 - seen).max(1e-3);
    let times = (known.limit / there).max(1.0);
    Duration { scale: duration.scale * times, offset: duration.offset * times, ..duration }
}

/// What may make an attempt fail.
fn attempts_of(known: &Known, assumed: &Assumptions) -> Option<Attempts> {
    let by_itself = known.failed.saturating_sub(known.stopped);
    let may_fail = known.retry.is_some() || by_itself > 0;
    if !may_fail && !known.limit.is_finite() {
        return None;
    }
    let held = f64::from(known.tried.saturating_sub(known.failed));
    let (most, pause) = known.retry.unwrap_or((1, 0.0));
    // What takes longer even when all goes well does not end sooner on a good night.
    let always = match (known.samples.is_empty(), known.stated) {
        (true, Stated::Range { low, .. }) => low * assumed.stress > known.limit,
        _ => false,
    };
    Some(Attempts {
        limit: if always { 0.0 } else { known.limit },
        time_out: known.time_out,
        fails: may_fail.then(|| (FAILS.0 + f64::from(by_itself), FAILS.1 + held)),
        most: most.max(1),
        pause,
        help: Duration::exactly(assumed.help),
        ..Attempts::one()
    })
}

/// A factor `exp(spread × z)` with z as given.
fn exponential_of(deviations: &[f64], spread: f64) -> Table {
    let side = |sign: f64| -> Vec<f64> {
        deviations.iter().map(|z| libm::exp(sign * spread * z)).collect()
    };
    Table::from_sides(&side(-1.0), &side(1.0))
}

fn student(cached: &mut Vec<(u64, shape::Deviations)>, freedom: f64) -> shape::Deviations {
    // A hundredth of a degree of freedom is nothing anybody could see.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small, positive")]
    let key = (freedom.min(1e6) * 100.0) as u64;
    if let Some((_, found)) = cached.iter().find(|(known, _)| *known == key) {
        return found.clone();
    }
    let made = if key > 20_000 { shape::normal() } else { shape::student(key as f64 / 100.0) };
    cached.push((key, made.clone()));
    made
}

/// Shapes that were made already: many steps of a plan have the same one.
#[derive(Default)]
struct Made {
    once: Option<Table>,
    ranges: HashMap<u64, Table>,
}

impl Made {
    fn once(&mut self, likely: f64, assumed: &Assumptions) -> Duration {
        let make = || exponential_of(&shape::normal(), assumed.point_spread);
        let table = self.once.get_or_insert_with(make).clone();
        Duration { scale: likely, ..Duration::of(table) }
    }

    fn range(&mut self, low: f64, likely: f64, high: f64) -> Duration {
        if high <= low {
            return Duration::exactly(likely);
        }
        let mode = (likely - low) / (high - low);
        let make = || {
            let (lower, upper) = shape::pert(mode);
            Table::from_sides(&lower, &upper)
        };
        let table = self.ranges.entry(mode.to_bits()).or_insert_with(make).clone();
        Duration { scale: high - low, offset: low, ..Duration::of(table) }
    }
}

/// The measured logarithms, split into steps, nights and the rest.
struct Split {
    middle: Vec<f64>,
    /// Each step's own variance of the rest.
    variance: Vec<f64>,
    /// What that variance is worth.
    freedom: Vec<f64>,
    /// Each night's effect, drawn towards nothing.
    effect: Vec<f64>,
    /// How unsure each effect is, as a variance.
    unsure: Vec<f64>,
    nights: usize,
}

impl Split {
    /// Alternates between the steps' middles and the nights' effects until they
    /// settle. A night seen by few steps is drawn towards an ordinary one.
    fn new(known: &[Known], assumed: &Assumptions) -> Self {
        let all = known.iter().flat_map(|known| &known.samples);
        let nights = all.clone().map(|sample| sample.night + 1).max().unwrap_or(0);
        let mut seen = vec![0_usize; nights];
        all.for_each(|sample| seen[sample.night] += 1);
        let mut effect = vec![0.0; nights];
        let mut middle = vec![0.0; known.len()];
        let noise = assumed.spread * assumed.spread;
        let between = (assumed.night * assumed.night).max(1e-9);
        // Where each step was measured once only, nights and steps cannot be told apart.
        let repeated = known.iter().any(|known| known.samples.len() > 1);
        let rounds = if repeated { 60 } else { 1 };
        for _ in 0..rounds {
            for (step, known) in known.iter().enumerate() {
                let count = known.samples.len().max(1) as f64;
                let logs = known.samples.iter().map(|s| log(s.seconds) - effect[s.night]);
                middle[step] = logs.sum::<f64>() / count;
            }
            if !repeated {
                break;
            }
            let mut sum = vec![0.0; nights];
            for (step, known) in known.iter().enumerate() {
                if known.samples.len() > 1 {
                    known
                        .samples
                        .iter()
                        .for_each(|s| sum[s.night] += log(s.seconds) - middle[step]);
                }
            }
            for night in 0..nights {
                effect[night] = sum[night] / (seen[night] as f64 + noise / between);
            }
            // What all nights share belongs to the steps.
            let mean = effect.iter().sum::<f64>() / nights.max(1) as f64;
            effect.iter_mut().for_each(|effect| *effect -= mean);
        }
        let unsure: Vec<f64> =
            seen.iter().map(|seen| 1.0 / (*seen as f64 / noise + 1.0 / between)).collect();
        let (mut variance, mut freedom) = (vec![0.0; known.len()], vec![0.0; known.len()]);
        for (step, known) in known.iter().enumerate() {
            let count = known.samples.len();
            if count < 2 {
                continue;
            }
            let rest =
                known.samples.iter().map(|s| log(s.seconds) - effect[s.night] - middle[step]);
            let squares: f64 = rest.map(|rest| rest * rest).sum();
            // Each night's effect was fitted to this step too, and used up a part.
            let used = known.samples.iter().map(|s| 1.0 / (seen[s.night] as f64 + noise / between));
            let used = used.sum::<f64>() / count as f64;
            freedom[step] = (count - 1) as f64 * (1.0 - used);
            variance[step] = squares / freedom[step].max(1e-9);
        }
        Self { middle, variance, freedom, effect, unsure, nights }
    }

    /// The factor of the next night, seen from the nights measured: its own
    /// spread, and that the measured nights were not quite average either.
    fn next_night(&self, known: &[Known], assumed: &Assumptions) -> (Table, f64) {
        let worth = assumed.night_worth;
        let mut sum = worth * assumed.night * assumed.night;
        let mut freedom = worth;
        let repeated = known.iter().any(|known| known.samples.len() > 1);
        if repeated && self.nights > 1 {
            let squares = self.effect.iter().zip(&self.unsure).map(|(c, v)| c * c + v);
            sum += squares.sum::<f64>();
            freedom += (self.nights - 1) as f64;
        }
        let variance = sum / freedom;
        // Weighted by how long steps are: the long ones decide.
        let (mut weight, mut unknown) = (0.0, 0.0);
        for (step, known) in known.iter().enumerate() {
            let seconds = match known.samples.len() {
                0 => known.stated.likely().unwrap_or(0.0),
                _ => libm::exp(self.middle[step]),
            };
            weight += seconds;
            if !known.samples.is_empty() {
                unknown += seconds / known.samples.len() as f64;
            }
        }
        let shared = if weight > 0.0 { unknown / weight } else { 0.0 };
        let spread = libm::sqrt(variance * (1.0 + shared));
        if spread <= 0.0 {
            return (Table::point(1.0), 0.0);
        }
        let deviations = student(&mut Vec::new(), freedom);
        (exponential_of(&deviations, spread), spread)
    }
}

fn log(seconds: f64) -> f64 {
    // A step that took no time at all says nothing about how long it may take.
    libm::log(seconds.max(0.1))
}

/// What steps of a kind have in common.
struct Pool {
    variance: f64,
    worth: f64,
}

impl Pool {
    fn new(known: &[Known], split: &Split, kind: usize, assumed: &Assumptions) -> Self {
        let ours: Vec<usize> = (0..known.len())
            .filter(|&step| known[step].kind == kind && split.freedom[step] > 0.2)
            .collect();
        let (mut sum, mut total) =
            (assumed.spread_worth * assumed.spread * assumed.spread, assumed.spread_worth);
        for &step in &ours {
            sum += split.freedom[step] * split.variance[step];
            total += split.freedom[step];
        }
        // Few steps: their own average, drawn towards what is assumed.
        let simple = Self { variance: sum / total, worth: assumed.spread_worth };
        if ours.len() < 8 {
            return simple;
        }
        let half = |step: &usize| 0.5 * split.freedom[*step];
        let logs: Vec<f64> = ours
            .iter()
            .map(|step| {
                libm::log(split.variance[*step].max(1e-8)) - digamma(half(step))
                    + libm::log(half(step))
            })
            .collect();
        let count = logs.len() as f64;
        let mean = logs.iter().sum::<f64>() / count;
        let scatter =
            logs.iter().map(|log| (log - mean) * (log - mean)).sum::<f64>() / (count - 1.0);
        let expected = ours.iter().map(|step| trigamma(half(step))).sum::<f64>() / count;
        // No more scatter than chance gives: the variances are all one.
        let worth = match scatter - expected {
            more if more > 0.02 => (2.0 * trigamma_inverse(more)).clamp(2.5, 100.0),
            _ => 100.0,
        };
        let centre = mean + digamma(0.5 * worth) - libm::log(0.5 * worth);
        Self { variance: libm::exp(centre).clamp(1e-6, 4.0), worth }
    }
}

/// Cells in which the night is weighed anew.
const NIGHTS: usize = 400;

/// A night already under way: each possible factor of `before`, weighed by how
/// likely what was seen is on such a night. `likelihood` gives the logarithm.
#[must_use]
pub fn night_seen(before: &Table, likelihood: impl Fn(f64) -> f64) -> Table {
    let low = libm::log(before.quantile(Tail::Lower(1e-6)).max(1e-9));
    let high = libm::log(before.quantile(Tail::Upper(1e-6)).max(1e-9));
    if high - low < 1e-9 {
        return before.clone();
    }
    let edge = |cell: usize| libm::exp(low + (high - low) * cell as f64 / NIGHTS as f64);
    let below: Vec<f64> = (0..=NIGHTS).map(|cell| before.probability(edge(cell))).collect();
    let seen: Vec<f64> =
        (0..NIGHTS).map(|cell| likelihood(libm::sqrt(edge(cell) * edge(cell + 1)))).collect();
    let most = seen.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    let mut sums = vec![0.0];
    for cell in 0..NIGHTS {
        sum += (below[cell + 1] - below[cell]).max(1e-12) * libm::exp(seen[cell] - most);
        sums.push(sum);
    }
    Table::new(|tail| {
        let wanted = match tail {
            Tail::Lower(w) => w * sum,
            Tail::Upper(w) => (1.0 - w) * sum,
        };
        let cell = sums.partition_point(|s| *s < wanted).clamp(1, NIGHTS) - 1;
        let part = (wanted - sums[cell]) / (sums[cell + 1] - sums[cell]).max(1e-300);
        libm::exp(low + (high - low) * (cell as f64 + part.clamp(0.0, 1.0)) / NIGHTS as f64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(stated: Stated, seconds: &[f64]) -> Known {
        let samples = seconds.iter().enumerate();
        Known {
            samples: samples.map(|(night, seconds)| Sample { night, seconds: *seconds }).collect(),
            ..Known::stated(stated)
        }
    }

    #[test]
    fn what_is_stated_is_used_as_stated() {
        let range = Stated::Range { low: 600.0, likely: 900.0, high: 1800.0 };
        let learned =
            learn(&[known(range, &[]), known(Stated::Point(60.0), &[])], &Assumptions::default());
        assert_eq!(learned.basis, [Basis::Range, Basis::Point]);
        assert!((learned.durations[0].mean() - 1000.0).abs() < 0.1);
        assert!((learned.durations[1].quantile(0.5) - 60.0).abs() < 0.1);
        let p95 = 60.0 * libm::exp(0.5 * 1.6449);
        assert!((learned.durations[1].quantile(0.95) - p95).abs() < 0.5);
    }

    #[test]
    fn few_measurements_mean_wide_predictions() {
        let assumed = Assumptions::default();
        let p95 = |seconds: &[f64]| {
            learn(&[known(Stated::Nothing, seconds)], &assumed).durations[0].quantile(0.95)
        };
        let (one, three, ten) = (p95(&[100.0]), p95(&[90.0, 100.0, 111.0]), {
            let many: Vec<f64> =
                (0..10).map(|i| 100.0 * libm::exp(0.1 * (i as f64 - 4.5) / 4.5)).collect();
            p95(&many)
        });
        assert!(one > three && three > ten && ten > 110.0, "{one} {three} {ten}");
        assert!(one < 400.0, "{one}");
    }

    #[test]
    fn a_slow_night_is_told_from_slow_steps() {
        // Ten steps on three nights; the third was half as slow again.
        let steps: Vec<Known> = (0..10)
            .map(|i| {
                let base = 100.0 + 10.0 * i as f64;
                known(Stated::Nothing, &[base * 0.98, base * 1.02, base * 1.5])
            })
            .collect();
        let learned = learn(&steps, &Assumptions::default());
        assert!(learned.night_spread > 0.17, "{}", learned.night_spread);
        // What is left for each step on its own is small.
        let own = learned.durations[0].quantile(0.95) / learned.durations[0].quantile(0.5);
        assert!(own < 1.45, "{own}");
    }

    /// With a normal prior and normal observations the posterior is normal too:
    /// precision 1/τ² + Σ 1/s², mean Σ rest/s² over precision.
    #[test]
    fn the_night_so_far_is_the_normal_posterior() {
        let before = Table::new(|tail| libm::exp(0.15 * shape::normal_quantile(tail)));
        let seen = [(0.3, 0.04), (0.2, 0.04)];
        let night = night_seen(&before, |factor| {
            let log = libm::log(factor);
            seen.iter().map(|(rest, v): &(f64, f64)| -0.5 * (rest - log).powi(2) / v).sum()
        });
        let precision = 1.0 / 0.0225 + 50.0;
        let (mean, spread) = (0.5 / 0.04 / precision, libm::sqrt(1.0 / precision));
        for share in [0.05, 0.5, 0.95] {
            let exact = libm::exp(mean + spread * shape::normal_quantile(Tail::at(share)));
            assert!((night.quantile(Tail::at(share)) / exact - 1.0).abs() < 0.003, "{share}");
        }
    }
}
