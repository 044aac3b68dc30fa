//! Attempts that fail: by their time-out, by themselves, for good.

use backout_forecast::finish::Finish;
use backout_forecast::learning::{Assumptions, Known, Learned, Sample, Stated, learn};
use backout_forecast::network::{Activity, Attempts, Duration, Network};
use backout_forecast::shape::normal_quantile;
use backout_forecast::simulate::{Settings, Simulated, simulate};
use backout_forecast::table::Table;

fn known(stated: Stated, seconds: &[f64]) -> Known {
    let samples = seconds.iter().enumerate();
    Known {
        samples: samples.map(|(night, seconds)| Sample { night, seconds: *seconds }).collect(),
        ..Known::stated(stated)
    }
}

fn alone(known: Known, help: f64) -> (Finish, Simulated) {
    let assumed = Assumptions { night: 0.0, help, ..Assumptions::default() };
    let learned = learn(&[known], &assumed);
    let mut only = Activity::new(1, Vec::new(), learned.durations[0].clone());
    only.attempts.clone_from(&learned.attempts[0]);
    let network = Network::new(vec![only], learned.night).expect("a network");
    let settings = Settings { samples: 200_000, ..Settings::default() };
    let simulated = simulate(&network, settings);
    (Finish::from(simulated.clone()), simulated)
}

/// Half of the attempts reach a time-out at the middle; each costs it and the help.
#[test]
fn a_stopped_attempt_has_not_done_its_work() {
    let mut step = known(Stated::Point(100.0), &[]);
    (step.time_out, step.limit) = (100.0, 100.0);
    let (finish, simulated) = alone(step, 300.0);
    // What works takes less than 100; one failure is 100 and five minutes more.
    assert!(finish.quantile(0.45).value < 100.0);
    assert!(finish.quantile(0.55).value > 400.0);
    assert!(finish.quantile(0.8).value > 800.0);
    assert!((simulated.stopped[0] - 0.5).abs() < 0.01, "{:?}", simulated.stopped);
    assert!(simulated.unfinished[0] < 0.01);
}

/// Its fastest attempt is slower than its time-out: no help makes it end.
#[test]
fn a_step_that_is_always_stopped_never_ends() {
    for help in [0.0, 60.0] {
        let mut step = known(Stated::Range { low: 20.0, likely: 25.0, high: 30.0 }, &[]);
        (step.time_out, step.limit) = (10.0, 10.0);
        step.retry = Some((3, 1.0));
        let (finish, simulated) = alone(step, help);
        assert_eq!(finish.probability(1e9).value, 0.0);
        assert_eq!((simulated.stopped[0], simulated.unfinished[0]), (1.0, 1.0));
    }
}

/// A slow night reaches the time-out: 50 × e^(0.3 z) > 60 where z > 0.608, 27.2 %.
#[test]
fn the_slowdown_acts_before_the_time_out() {
    let mut step = Activity::new(1, Vec::new(), Duration::exactly(50.0));
    step.duration.feels_the_night = true;
    step.attempts = Some(Attempts { limit: 60.0, time_out: 60.0, ..Attempts::one() });
    let night = Table::new(|tail| libm::exp(0.3 * normal_quantile(tail)));
    let network = Network::new(vec![step], night).expect("a network");
    let simulated = simulate(&network, Settings { samples: 200_000, ..Settings::default() });
    assert!((simulated.stopped[0] - 0.2717).abs() < 0.005, "{:?}", simulated.stopped);
    // A second attempt on the same night has no better chance.
    assert_eq!(
        simulated.finishes.partition_point(|t| *t <= 60.0),
        simulated.finishes.partition_point(|t| *t < 1e9)
    );
}

/// Two attempts that were stopped at 60 are no measurements of 60 seconds: beside
/// one of 50 they say that most attempts take longer.
#[test]
fn stopped_attempts_are_censored() {
    let mut step = known(Stated::Nothing, &[50.0]);
    (step.time_out, step.limit) = (60.0, 60.0);
    step.tried = 1;
    let before = learn(&[step.clone()], &Assumptions::default());
    (step.failed, step.stopped, step.tried) = (2, 2, 3);
    let after = learn(&[step], &Assumptions::default());
    let beyond = |learned: &Learned| {
        1.0 - learned.durations[0].table.probability(60.0 / learned.durations[0].scale)
    };
    let said = beyond(&before);
    let seen = (2.0 * said + 2.0) / 5.0;
    assert!(said < 0.45 && (beyond(&after) - seen).abs() < 0.01, "{said} {}", beyond(&after));
    assert!(after.durations[0].quantile(0.5) > before.durations[0].quantile(0.5));
    assert_eq!(after.attempts[0].as_ref().map(|a| a.fails.is_none()), Some(true));
}

#[test]
fn attempts_add_up() {
    let mut step = known(Stated::Point(100.0), &[]);
    step.retry = Some((3, 10.0));
    (step.failed, step.tried) = (5, 10);
    let once = learn(&[known(Stated::Point(100.0), &[])], &Assumptions::default());
    let (finish, _) = alone(step, 300.0);
    // 5.5 of 20 fail, then 6.5 of 21, then 7.5 of 22; after the third the usual help
    // of five minutes and three attempts more.
    let chance = |k: u32| (5.5 + f64::from(k)) / (20.0 + f64::from(k));
    let (mut mean, mut reached) = (0.0, 1.0);
    for k in 0..27_u32 {
        mean += reached * once.durations[0].table.mean() * 100.0;
        reached *= chance(k);
        mean += reached * if k % 3 == 2 { 300.0 } else { 10.0 };
    }
    let found = finish.mean();
    assert!((found / mean - 1.0).abs() < 0.01, "{found} {mean}");
}

#[test]
fn a_long_pause_beside_a_moment_is_no_trouble() {
    let mut step = known(Stated::Point(0.0), &[]);
    step.retry = Some((20, 3600.0));
    let (finish, _) = alone(step, 300.0);
    assert!(finish.quantile(0.5).value < 4.0);
    assert!(finish.mean() > 100.0);
}

/// Of an attempt of 50 × e^(0.2 z) that is stopped at 60, 18.1 % are stopped; of those that
/// have lasted 55 already, P(z > 0.912) / P(z > 0.477) = 57.2 %.
#[test]
fn a_running_attempt_is_stopped_more_likely_the_longer_it_lasts() {
    let stopped = |elapsed: Option<f64>| {
        let table = Table::new(|tail| libm::exp(0.2 * normal_quantile(tail)));
        let duration = Duration { scale: 50.0, ..Duration::of(table) };
        let mut step = Activity::new(1, Vec::new(), duration);
        step.attempts = Some(Attempts {
            limit: 60.0,
            time_out: 60.0,
            help: Duration::exactly(1000.0),
            ..Attempts::one()
        });
        step.elapsed = elapsed;
        let network = Network::new(vec![step], Table::point(1.0)).expect("a network");
        let simulated = simulate(&network, Settings { samples: 200_000, ..Settings::default() });
        let soon = simulated.finishes.partition_point(|t| *t <= 5.0) as f64 / 200_000.0;
        (simulated.stopped[0], soon)
    };
    assert!((stopped(None).0 - 0.181).abs() < 0.005, "{:?}", stopped(None));
    let (late, soon) = stopped(Some(55.0));
    assert!((late - 0.572).abs() < 0.01, "{late}");
    // The others end within the five seconds that are left; none that was stopped does.
    assert!((soon + late - 1.0).abs() < 0.01, "{soon} {late}");
    // Past its time-out it is being stopped.
    assert_eq!(stopped(Some(61.0)), (1.0, 0.0));
}

/// A person who has not answered for an hour is as likely as not to stay silent for
/// another one: P(R > r) = e / (e + r).
#[test]
fn silence_is_as_likely_as_not_to_last_as_long_again() {
    let table = Table::new(|tail| libm::exp(0.1 * normal_quantile(tail)));
    let duration = Duration { scale: 60.0, ..Duration::of(table) };
    let mut step = Activity::new(1, Vec::new(), duration);
    (step.elapsed, step.may_hang) = (Some(3600.0), true);
    let network = Network::new(vec![step], Table::point(1.0)).expect("a network");
    let finish =
        Finish::from(simulate(&network, Settings { samples: 200_000, ..Settings::default() }));
    for (within, chance) in [(3600.0, 0.5), (1200.0, 0.25), (10_800.0, 0.75)] {
        assert!((finish.probability(within).value - chance).abs() < 0.005, "{within}");
    }
}

/// The same seed gives the same attempts on any number of threads.
#[test]
fn attempts_do_not_depend_on_threads() {
    let mut step = known(Stated::Point(100.0), &[]);
    (step.time_out, step.limit, step.retry) = (120.0, 120.0, Some((2, 5.0)));
    let learned = learn(&[step], &Assumptions::default());
    let mut only = Activity::new(1, Vec::new(), learned.durations[0].clone());
    only.attempts.clone_from(&learned.attempts[0]);
    let network = Network::new(vec![only], learned.night).expect("a network");
    let run = |threads| simulate(&network, Settings { threads, ..Settings::default() });
    let (one, three) = (run(1), run(3));
    assert_eq!(one.finishes, three.finishes);
    assert_eq!((one.stopped, one.unfinished), (three.stopped, three.unfinished));
}
