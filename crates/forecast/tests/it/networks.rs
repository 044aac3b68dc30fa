//! What must be true of any network.

use backout_forecast::finish::Finish;
use backout_forecast::network::{Activity, BadNetwork, Duration, Network};
use backout_forecast::shape::normal_quantile;
use backout_forecast::simulate::{Settings, simulate};
use backout_forecast::table::{Table, Tail};
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

fn lognormal(spread: f64) -> Table {
    Table::new(|tail| libm::exp(spread * normal_quantile(tail)))
}

fn step(index: usize, before: Vec<usize>, middle: f64, spread: f64, night: bool) -> Activity {
    let duration =
        Duration { scale: middle, feels_the_night: night, ..Duration::of(lognormal(spread)) };
    Activity::new(index as u64, before, duration)
}

/// Waits as bits, middles and spreads.
fn network(most: usize, night: f64) -> impl Strategy<Value = Network> {
    let drawn = (any::<u64>(), 10.0..1000.0_f64, 0.05..0.6_f64);
    prop::collection::vec(drawn, 2..=most).prop_map(move |drawn| {
        let steps = drawn.iter().enumerate().map(|(index, (waits, middle, spread))| {
            let before = (0..index).filter(|first| waits >> (first * 2 % 63) & 3 == 0).collect();
            step(index, before, *middle, *spread, night > 0.0)
        });
        Network::new(steps.collect(), lognormal(night)).expect("a network")
    })
}

fn settings(samples: usize) -> Settings {
    Settings { seed: 5, samples, threads: 1, criticality: false }
}

fn finish(network: &Network, samples: usize) -> Finish {
    Finish::from(simulate(network, settings(samples)))
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(1000))]

    /// Jensen: the finish of the means is no later than the mean of the finish.
    /// Kleindorfer (Operations Research 19(6), 1971): finishes of independent
    /// steps are associated, so being in time is at least as likely as if all
    /// steps nobody waits for were independent, and at most as likely as for the
    /// one among them that is least likely.
    #[test]
    fn jensen_and_kleindorfer_hold(network in network(12, 0.0)) {
        const NIGHTS: usize = 4096;
        let means = network.finish_times(|index| network.activities[index].duration.mean());
        let whole = finish(&network, NIGHTS);
        let error = 4.0 * whole.sd() / (NIGHTS as f64).sqrt();
        let of_means = means.iter().copied().fold(0.0, f64::max);
        prop_assert!(of_means <= whole.mean() + error, "{} {}", of_means, whole.mean());
        let waited_for: Vec<usize> =
            network.activities.iter().flat_map(|activity| activity.before.clone()).collect();
        let by = whole.quantile(0.7).value;
        let alone: Vec<f64> = (0..network.activities.len())
            .filter(|index| !waited_for.contains(index))
            .map(|index| finish(&upto(&network, index), NIGHTS).probability(by).value)
            .collect();
        let product: f64 = alone.iter().product();
        let least = alone.iter().copied().fold(1.0, f64::min);
        let in_time = whole.probability(by).value;
        prop_assert!(in_time + 0.04 >= product, "{} {}", in_time, product);
        prop_assert!(in_time <= least + 1e-9, "{} {}", in_time, least);
    }
}

/// The part of a network one step needs.
fn upto(network: &Network, last: usize) -> Network {
    let mut needed = vec![false; network.activities.len()];
    let mut open = vec![last];
    while let Some(index) = open.pop() {
        if !std::mem::replace(&mut needed[index], true) {
            open.extend(&network.activities[index].before);
        }
    }
    let place: Vec<usize> = needed
        .iter()
        .scan(0, |count, needed| {
            let place = *count;
            *count += usize::from(*needed);
            Some(place)
        })
        .collect();
    let part = network.activities.iter().enumerate().filter(|(index, _)| needed[*index]);
    let part = part.map(|(_, activity)| Activity {
        before: activity.before.iter().map(|&first| place[first]).collect(),
        ..activity.clone()
    });
    Network::new(part.collect(), network.night.clone()).expect("a network")
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(60))]

    #[test]
    fn any_number_of_threads_gives_the_same_bits(network in network(20, 0.2), threads in 2..9_usize) {
        let settings = Settings { criticality: true, ..settings(20_000) };
        let one = simulate(&network, settings);
        let many = simulate(&network, Settings { threads, ..settings });
        prop_assert_eq!(one.finishes, many.finishes);
        prop_assert_eq!(one.critical, many.critical);
    }

    #[test]
    fn later_deadlines_are_never_less_likely(network in network(20, 0.2)) {
        let finish = finish(&network, 5000);
        let chances: Vec<f64> =
            (0..50).map(|at| finish.probability(f64::from(at) * 200.0).value).collect();
        prop_assert!(chances.is_sorted(), "{:?}", chances);
    }

    /// No step that gets longer ever makes the whole shorter, on any night.
    #[test]
    fn longer_steps_never_help(network in network(15, 0.1), which in any::<prop::sample::Index>()) {
        let mut slower = network.clone();
        slower.activities[which.index(network.activities.len())].duration.scale *= 1.5;
        let (before, after) = (finish(&network, 2000), finish(&slower, 2000));
        for (fast, slow) in before.seconds().iter().zip(after.seconds()) {
            prop_assert!(slow >= fast);
        }
    }

    /// Saying how long a step has been running is the same as keeping only the
    /// nights on which it lasted that long.
    #[test]
    fn conditioning_is_keeping_the_nights_that_fit(
        middle in 100.0..1000.0_f64, spread in 0.1..0.6_f64, share in 0.1..0.8_f64,
    ) {
        const NIGHTS: usize = 200_000;
        let alone = |elapsed: Option<f64>| {
            let mut only = step(0, Vec::new(), middle, spread, false);
            only.elapsed = elapsed;
            let behind = step(1, vec![0], 0.5 * middle, 0.2, false);
            Network::new(vec![only, behind], Table::point(1.0)).expect("a network")
        };
        let elapsed = middle * libm::exp(spread * normal_quantile(Tail::at(share)));
        let asked = finish(&alone(Some(elapsed)), NIGHTS);
        // The other way: both steps sampled plainly, nights filtered.
        let kept = filtered(middle, spread, elapsed, NIGHTS);
        for wanted in [0.1, 0.5, 0.9, 0.95] {
            let found = asked.quantile(wanted).value;
            let place = kept.partition_point(|time| *time <= found) as f64 / kept.len() as f64;
            let sd = (wanted * (1.0 - wanted) / kept.len() as f64).sqrt();
            prop_assert!((place - wanted).abs() < 5.0 * sd + 0.002, "{}: {}", wanted, place);
        }
    }
}

/// Several steps under way tell what night it is: the forecast is that of the
/// nights on which all of them have lasted this long.
#[test]
fn steps_under_way_tell_the_night() {
    const MIDDLES: [f64; 4] = [60.0, 80.0, 100.0, 120.0];
    let (elapsed, spread, nights) = (110.0, 0.15, 0.2);
    let prior = lognormal(nights);
    let own = lognormal(spread);
    let night = backout_forecast::learning::night_seen(&prior, |factor| {
        let lasts = |middle: &f64| 1.0 - own.probability(elapsed / factor / middle);
        MIDDLES.iter().map(|middle| libm::log(lasts(middle).max(1e-12))).sum()
    });
    let mut steps: Vec<Activity> = MIDDLES
        .iter()
        .enumerate()
        .map(|(index, middle)| Activity {
            elapsed: Some(elapsed),
            ..step(index, Vec::new(), *middle, spread, true)
        })
        .collect();
    steps.push(step(4, vec![0, 1, 2, 3], 50.0, spread, true));
    let network = Network::new(steps, night).expect("a network");
    let asked = finish(&network, 200_000);
    // By brute force: nights on which one of them has ended are left out.
    let mut seed = 4_u64;
    let mut normal = move || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        normal_quantile(Tail::at((((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64))
    };
    let mut kept = Vec::new();
    while kept.len() < 20_000 {
        let shared = libm::exp(nights * normal());
        let took: Vec<f64> =
            MIDDLES.iter().map(|m| m * shared * libm::exp(spread * normal())).collect();
        let last = 50.0 * shared * libm::exp(spread * normal());
        if took.iter().all(|took| *took > elapsed) {
            kept.push(took.into_iter().fold(0.0, f64::max) - elapsed + last);
        }
    }
    kept.sort_by(f64::total_cmp);
    for wanted in [0.1, 0.5, 0.9, 0.95] {
        let found = asked.quantile(wanted).value;
        let place = kept.partition_point(|time| *time <= found) as f64 / kept.len() as f64;
        assert!((place - wanted).abs() < 0.012, "{wanted}: {place}");
    }
}

/// Sampled by brute force: the rest of the first step and the second one, on
/// nights on which the first lasts longer than `elapsed`.
fn filtered(middle: f64, spread: f64, elapsed: f64, nights: usize) -> Vec<f64> {
    let mut seed = 77_u64;
    let mut uniform = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut kept = Vec::new();
    for _ in 0..nights {
        let first = middle * libm::exp(spread * normal_quantile(Tail::at(uniform().max(1e-12))));
        let second =
            0.5 * middle * libm::exp(0.2 * normal_quantile(Tail::at(uniform().max(1e-12))));
        if first > elapsed {
            kept.push(first - elapsed + second);
        }
    }
    kept.sort_by(f64::total_cmp);
    kept
}

/// Closed forms: a chain of log-normal steps that share one night is the night's
/// factor times a sum; with no spread of their own it is log-normal itself.
#[test]
fn a_shared_night_is_not_averaged_away() {
    let steps = (0..20).map(|index| {
        let before = if index == 0 { Vec::new() } else { vec![index - 1] };
        let duration = Duration { feels_the_night: true, ..Duration::exactly(60.0) };
        Activity::new(index as u64, before, duration)
    });
    let network = Network::new(steps.collect(), lognormal(0.2)).expect("a network");
    let finish = finish(&network, 1_000_000);
    for share in [0.05, 0.5, 0.95, 0.99] {
        let exact = 1200.0 * libm::exp(0.2 * normal_quantile(Tail::at(share)));
        let found = finish.quantile(share);
        assert!(found.low <= exact && exact <= found.high, "{share}: {found:?} {exact}");
    }
}

/// What waits for whom decides which steps are critical: of two side by side, the
/// longer of two exponentials with rates a and b is the first with b/(a+b).
#[test]
fn criticality_of_two_side_by_side() {
    let exponential = Table::new(|tail| match tail {
        Tail::Lower(w) => -libm::log1p(-w),
        Tail::Upper(w) => -libm::log(w),
    });
    let side = |index: u64, rate: f64| {
        let duration = Duration { scale: 1.0 / rate, ..Duration::of(exponential.clone()) };
        Activity::new(index, Vec::new(), duration)
    };
    let network =
        Network::new(vec![side(0, 1.0), side(1, 3.0)], Table::point(1.0)).expect("a network");
    let settings = Settings { criticality: true, ..settings(1_000_000) };
    let critical = simulate(&network, settings).critical;
    assert!((critical[0] - 0.75).abs() < 4.0 * (0.75_f64 * 0.25 / 1e6).sqrt(), "{critical:?}");
    assert!((critical[0] + critical[1] - 1.0).abs() < 1e-4, "{critical:?}");
}

#[test]
fn a_step_that_has_outlasted_everything_is_not_nearly_done() {
    let mut only = step(0, Vec::new(), 100.0, 0.1, false);
    only.elapsed = Some(1000.0);
    let network = Network::new(vec![only], Table::point(1.0)).expect("a network");
    assert!(finish(&network, 5000).quantile(0.5).value > 90.0);
}

#[test]
fn nonsense_is_refused() {
    let network = |activities| Network::new(activities, Table::point(1.0)).map(|_| ());
    let circle = vec![step(0, vec![1], 1.0, 0.1, false), step(1, vec![0], 1.0, 0.1, false)];
    assert_eq!(network(circle), Err(BadNetwork::Cycle));
    assert_eq!(network(vec![step(0, vec![7], 1.0, 0.1, false)]), Err(BadNetwork::NoSuchStep(0)));
    for bad in [f64::NAN, -1.0, 1e12] {
        assert_eq!(
            network(vec![step(0, Vec::new(), bad, 0.1, false)]),
            Err(BadNetwork::AbsurdDuration(0)),
            "{bad}"
        );
    }
}
