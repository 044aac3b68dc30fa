//! Networks of which the answer is known exactly.

use backout_forecast::network::{Activity, Duration, Network};
use backout_forecast::simulate::{Settings, Simulated, simulate};
use backout_forecast::table::{Table, Tail};

fn exponential(rate: f64) -> Duration {
    let table = Table::new(|tail| match tail {
        Tail::Lower(w) => -libm::log1p(-w),
        Tail::Upper(w) => -libm::log(w),
    });
    Duration { scale: 1.0 / rate, ..Duration::of(table) }
}

fn network(before: &[&[usize]], duration: impl Fn(usize) -> Duration) -> Network {
    let activities = before
        .iter()
        .enumerate()
        .map(|(index, before)| Activity::new(index as u64, before.to_vec(), duration(index)));
    Network::new(activities.collect(), Table::point(1.0)).expect("a network")
}

/// Completion times of networks of exponential steps, from their Markov chain
/// (Kulkarni & Adlakha, Operations Research 34(5), 1986): mean and variance as
/// exact fractions, quantiles to sixteen digits.
struct Oracle {
    name: &'static str,
    before: &'static [&'static [usize]],
    rates: &'static [f64],
    mean: f64,
    variance: f64,
    quantiles: [(f64, f64); 4],
}

const ONES: [f64; 10] = [1.0; 10];

const ORACLES: [Oracle; 6] = [
    Oracle {
        name: "bridge",
        before: &[&[], &[], &[0], &[0], &[1, 2]],
        rates: &ONES,
        mean: 83.0 / 24.0,
        variance: 1663.0 / 576.0,
        quantiles: [
            (0.5, 3.161_166_547_184_550_7),
            (0.8, 4.714_519_674_851_988),
            (0.95, 6.664_456_582_928_31),
            (0.99, 8.718_705_851_803_106),
        ],
    },
    Oracle {
        name: "bridge of unlike rates",
        before: &[&[], &[], &[0], &[0], &[1, 2]],
        rates: &[1.0, 2.0, 3.0, 2.0, 1.0],
        mean: 353.0 / 140.0,
        variance: 350_341.0 / 176_400.0,
        quantiles: [
            (0.5, 2.226_775_190_069_844_7),
            (0.8, 3.513_029_668_404_652),
            (0.95, 5.229_312_164_097_46),
            (0.99, 7.102_696_655_633_407),
        ],
    },
    Oracle {
        name: "four side by side",
        before: &[&[], &[], &[], &[]],
        rates: &ONES,
        mean: 25.0 / 12.0,
        variance: 205.0 / 144.0,
        quantiles: [
            (0.5, 1.838_199_812_489_041_5),
            (0.8, 2.913_997_625_769_636),
            (0.95, 4.362_894_420_402_055),
            (0.99, 5.987_699_616_833_118),
        ],
    },
    Oracle {
        name: "four in a row",
        before: &[&[], &[0], &[1], &[2]],
        rates: &ONES,
        mean: 4.0,
        variance: 4.0,
        quantiles: [
            (0.5, 3.672_060_748_851_087),
            (0.8, 5.515_045_715_151_292),
            (0.95, 7.753_656_527_932_718),
            (0.99, 10.045_117_514_831_931),
        ],
    },
    Oracle {
        name: "grid",
        before: &[&[], &[], &[0], &[0, 1], &[2, 3], &[1, 3]],
        rates: &ONES,
        mean: 137.0 / 32.0,
        variance: 3599.0 / 1024.0,
        quantiles: [
            (0.5, 3.990_559_962_959_236),
            (0.8, 5.699_897_115_543_612),
            (0.95, 7.777_652_025_450_52),
            (0.99, 9.920_496_269_158_711),
        ],
    },
    Oracle {
        name: "ladder",
        before: &[&[], &[], &[], &[1, 0], &[2, 1], &[3, 2], &[4, 3], &[5, 4], &[6, 5], &[7, 6]],
        rates: &ONES,
        mean: 1259.0 / 192.0,
        variance: 62_957.0 / 12_288.0,
        quantiles: [
            (0.5, 6.269_387_146_153_78),
            (0.8, 8.314_974_825_261_471),
            (0.95, 10.703_339_906_277_37),
            (0.99, 13.099_803_188_519_823),
        ],
    },
];

fn moments(simulated: &Simulated) -> (f64, f64) {
    let count = simulated.finishes.len() as f64;
    let mean = simulated.finishes.iter().map(|t| f64::from(*t)).sum::<f64>() / count;
    let square = simulated.finishes.iter().map(|t| (f64::from(*t) - mean).powi(2)).sum::<f64>();
    (mean, square / (count - 1.0))
}

/// As many as the promise is about.
const NIGHTS: usize = 10_000_000;

#[test]
fn exact_networks_come_out_within_four_standard_errors() {
    for oracle in &ORACLES {
        let network = network(oracle.before, |index| exponential(oracle.rates[index]));
        let settings =
            Settings { seed: 20_260_606, samples: NIGHTS, threads: 2, criticality: false };
        let simulated = simulate(&network, settings);
        let nights = simulated.finishes.len() as f64;
        let (mean, variance) = moments(&simulated);
        let z = (mean - oracle.mean) / (oracle.variance / nights).sqrt();
        println!("{:<24} mean {mean:.5} exact {:.5} z {z:+.2}", oracle.name, oracle.mean);
        assert!(z.abs() < 4.0, "{}: mean {mean}, z {z}", oracle.name);
        assert!((variance / oracle.variance - 1.0).abs() < 0.02, "{}: {variance}", oracle.name);
        for (probability, exact) in oracle.quantiles {
            // How many nights end before the exact quantile is binomial.
            let before = simulated.finishes.partition_point(|time| f64::from(*time) <= exact);
            let sd = (nights * probability * (1.0 - probability)).sqrt();
            let z = (before as f64 - nights * probability) / sd;
            assert!(z.abs() < 4.0, "{} at {probability}: z {z}", oracle.name);
        }
    }
}
