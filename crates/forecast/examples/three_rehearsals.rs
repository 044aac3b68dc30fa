//! What three rehearsals of five steps say about the sixth night.
//!
//! The easy ways to predict from few measurements are both wrong. This compares
//! them with what the forecast does, on nights whose truth is known.
//!
//! `cargo run --release -p backout-forecast --example three_rehearsals`

use backout_forecast::finish::Finish;
use backout_forecast::learning::{Assumptions, Known, Sample, Stated, learn};
use backout_forecast::network::{Activity, Duration, Network};
use backout_forecast::shape::normal_quantile;
use backout_forecast::simulate::{Settings, simulate};
use backout_forecast::table::{Table, Tail};

/// Middles in minutes, spreads of the logarithm, and how much nights differ.
const MIDDLES: [f64; 5] = [5.0, 15.0, 60.0, 10.0, 5.0];
const SPREADS: [f64; 5] = [0.3, 0.2, 0.35, 0.25, 0.3];
const NIGHT: f64 = 0.2;

struct Dice(u64);

impl Dice {
    fn normal(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let uniform = ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        normal_quantile(Tail::at(uniform))
    }

    fn night(&mut self) -> Vec<f64> {
        let shared = NIGHT * self.normal();
        let step =
            |(middle, spread): (&f64, &f64)| middle * libm::exp(shared + spread * self.normal());
        MIDDLES.iter().zip(&SPREADS).map(step).collect()
    }
}

fn in_a_row(durations: Vec<Duration>, night: Table) -> f64 {
    let steps = durations.into_iter().enumerate().map(|(index, duration)| {
        let before = if index == 0 { Vec::new() } else { vec![index - 1] };
        Activity::new(index as u64, before, duration)
    });
    let network = Network::new(steps.collect(), night).expect("a network");
    let settings = Settings { samples: 4096, criticality: false, ..Settings::default() };
    Finish::from(simulate(&network, settings)).quantile(0.95).value
}

fn main() {
    const TRIALS: usize = 2000;
    let mut dice = Dice(7);
    let (mut naive_kept, mut pooled_kept) = (0, 0);
    let (mut naive_sum, mut pooled_sum) = (0.0, 0.0);
    for _ in 0..TRIALS {
        let rehearsals: Vec<Vec<f64>> = (0..3).map(|_| dice.night()).collect();
        let earnest: f64 = dice.night().iter().sum();

        // Naive: each step's own mean and spread, steps independent of each other.
        let naive = (0..5).map(|step| {
            let logs: Vec<f64> = rehearsals.iter().map(|night| libm::log(night[step])).collect();
            let mean = logs.iter().sum::<f64>() / 3.0;
            let spread = (logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / 2.0).sqrt();
            Duration::of(Table::new(|tail| libm::exp(mean + spread * normal_quantile(tail))))
        });
        let naive = in_a_row(naive.collect(), Table::point(1.0));

        // As the forecast does it.
        let known: Vec<Known> = (0..5)
            .map(|step| Known {
                samples: (0..3)
                    .map(|night| Sample { night, seconds: rehearsals[night][step] })
                    .collect(),
                ..Known::stated(Stated::Nothing)
            })
            .collect();
        let learned = learn(&known, &Assumptions::default());
        let pooled = in_a_row(learned.durations, learned.night);

        naive_kept += usize::from(earnest <= naive);
        pooled_kept += usize::from(earnest <= pooled);
        naive_sum += naive;
        pooled_sum += pooled;
    }
    let share = |kept: usize| 100.0 * kept as f64 / TRIALS as f64;
    println!("promised with 95 %, kept on {TRIALS} nights");
    println!(
        "  mean and spread of three:  {:.1} %, on average {:.0} minutes",
        share(naive_kept),
        naive_sum / TRIALS as f64
    );
    println!(
        "  pooled, with nights:       {:.1} %, on average {:.0} minutes",
        share(pooled_kept),
        pooled_sum / TRIALS as f64
    );
}
