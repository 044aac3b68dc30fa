//! Step-samples a second, and how long whole answers take.

use std::time::Instant;

use backout_forecast::finish::Finish;
use backout_forecast::learning::{Assumptions, Known, Sample, Stated, learn};
use backout_forecast::network::{Activity, Duration, Network};
use backout_forecast::sensitivity::weights;
use backout_forecast::shape::normal_quantile;
use backout_forecast::simulate::{Settings, simulate};
use backout_forecast::table::Table;

/// A step of a network: middle, spread, waits.
type Step = (f64, f64, Vec<usize>);

/// A network like a plan: every step waits for up to two of the ten before it.
fn steps_of(steps: usize) -> Vec<Step> {
    let mut dice = 12_345_u64;
    let mut roll = move |end: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % end
    };
    (0..steps)
        .map(|index| {
            let mut before: Vec<usize> = (0..2)
                .filter(|_| index > 0)
                .map(|_| index - 1 - (roll(10) as usize).min(index - 1))
                .collect();
            before.sort_unstable();
            before.dedup();
            (60.0 + roll(1740) as f64, 0.2 + roll(40) as f64 / 100.0, before)
        })
        .collect()
}

fn network(steps: &[Step]) -> Network {
    let activities = steps.iter().enumerate().map(|(index, (middle, spread, before))| {
        let table = Table::new(|tail| libm::exp(spread * normal_quantile(tail)));
        let duration = Duration {
            scale: *middle,
            cap: 20.0 * middle,
            feels_the_night: true,
            ..Duration::of(table)
        };
        Activity::new(index as u64, before.clone(), duration)
    });
    let night = Table::new(|tail| libm::exp(0.15 * normal_quantile(tail)));
    Network::new(activities.collect(), night).expect("a network")
}

/// The same as a plan would have it: half of the steps stated as three figures,
/// half measured on three nights.
fn learned(steps: &[Step]) -> Network {
    let known: Vec<Known> = steps
        .iter()
        .enumerate()
        .map(|(index, (middle, spread, _))| {
            let night = |night: usize| {
                let seconds = middle * (1.0 + spread * (night as f64 - 1.0));
                Sample { night, seconds }
            };
            let (low, high) = (middle * (1.0 - spread), middle * (1.0 + 2.0 * spread));
            Known {
                samples: if index % 2 == 0 { (0..3).map(night).collect() } else { Vec::new() },
                ..Known::stated(Stated::Range { low, likely: *middle, high })
            }
        })
        .collect();
    let learned = learn(&known, &Assumptions::default());
    let activities = learned.durations.into_iter().zip(steps).enumerate();
    let activities = activities
        .map(|(index, (duration, step))| Activity::new(index as u64, step.2.clone(), duration));
    Network::new(activities.collect(), learned.night).expect("a network")
}

/// The network as text for the peer.
pub(crate) fn write(arguments: &[String]) {
    for (middle, spread, before) in steps_of(arguments[0].parse().expect("a number")) {
        let before: Vec<String> = before.iter().map(ToString::to_string).collect();
        println!("{middle} {spread} {}", before.join(","));
    }
}

/// Median milliseconds of five simulations, and the P95.
pub(crate) fn time(arguments: &[String]) {
    let number = |index: usize| -> usize { arguments[index].parse().expect("a number") };
    let network = network(&steps_of(number(0)));
    let settings = Settings { seed: 1, samples: number(1), threads: 1, criticality: false };
    let mut sure = 0.0;
    let took = median(5, || {
        sure = Finish::from(simulate(&network, settings)).quantile(0.95).value;
    });
    println!("{took:.3} {sure:.1}");
}

fn median(rounds: usize, mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let begin = Instant::now();
            work();
            begin.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Whole answers, from what is known of each step: distributions, quantiles, point of no return, criticality, tornado.
pub(crate) fn answers() {
    for (count, samples, goal) in [(100, 100_000, 25.0), (500, 100_000, 120.0)] {
        let steps = steps_of(count);
        let settings = Settings { seed: 1, samples, threads: 1, criticality: true };
        let mut last = 0.0;
        let took = median(7, || {
            let network = learned(&steps);
            let simulated = simulate(&network, settings);
            let critical = simulated.critical.clone();
            let finish = Finish::from(simulated);
            let weights = weights(&network, &finish, &critical, 0.95, 3, settings);
            last = finish.point_of_no_return(1e6, 0.95).low + weights[0].bad;
        });
        assert!(last.is_finite());
        println!("full answer, {count} steps x {samples} nights: {took:.1} ms (goal {goal:.0})");
    }
    let steps = steps_of(100);
    let mut live = network(&steps);
    live.activities[0].elapsed = Some(300.0);
    let settings = Settings { seed: 1, samples: 20_000, threads: 1, criticality: true };
    let mut times: Vec<f64> = (0..200)
        .map(|_| {
            let begin = Instant::now();
            let finish = Finish::from(simulate(&live, settings));
            assert!(finish.quantile(0.95).value > 0.0);
            begin.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("live re-forecast, 100 steps x 20000 nights: p99 {:.1} ms (goal 50)", times[197]);
}
