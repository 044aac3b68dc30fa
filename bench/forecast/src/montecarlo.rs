//! Step-samples a second.

use std::time::Instant;

use backout_forecast::network::{Activity, Duration, Network};
use backout_forecast::shape::normal_quantile;
use backout_forecast::simulate::{Settings, simulate};
use backout_forecast::table::Table;

/// A network like a plan: every step waits for up to two of the ten before it.
pub(crate) fn network(steps: usize) -> Network {
    let mut dice = 12_345_u64;
    let mut roll = move |end: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % end
    };
    let activities = (0..steps).map(|index| {
        let mut before: Vec<usize> = (0..2)
            .filter(|_| index > 0)
            .map(|_| index - 1 - (roll(10) as usize).min(index - 1))
            .collect();
        before.sort_unstable();
        before.dedup();
        let (middle, spread) = (60.0 + roll(1740) as f64, 0.2 + roll(40) as f64 / 100.0);
        let table = Table::new(|tail| libm::exp(spread * normal_quantile(tail)));
        let duration = Duration {
            scale: middle,
            cap: 20.0 * middle,
            feels_the_night: true,
            ..Duration::of(table)
        };
        Activity::new(index as u64, before, duration)
    });
    let night = Table::new(|tail| libm::exp(0.15 * normal_quantile(tail)));
    Network::new(activities.collect(), night).expect("a network")
}

pub(crate) fn main() {
    for (steps, samples) in [(100, 100_000), (500, 100_000), (10_000, 10_000)] {
        let network = network(steps);
        for criticality in [false, true] {
            let settings = Settings { seed: 1, samples, threads: 1, criticality };
            let mut best = f64::INFINITY;
            for _ in 0..9 {
                let before = Instant::now();
                let simulated = simulate(&network, settings);
                best = best.min(before.elapsed().as_secs_f64());
                assert!(simulated.finishes[0] > 0.0);
            }
            let rate = (steps * samples) as f64 / best / 1e9;
            println!(
                "{steps:>6} steps, criticality {criticality}: {:.2} ms, {rate:.2} G step-samples/s",
                best * 1e3
            );
        }
    }
}
