//! Low traffic: a breach fires on evidence however few events there are, chance does not, and
//! nothing is said to be well on too few of them.

use backout_core::plan::Plan;
use backout_trigger::machine::{Meaning, Sample, State, Verdict, Watched, verdict};
use backout_trigger::rule::{self, Kind, Measured, Rule, least};
use jiff::Timestamp;

use crate::alarms::Dice;

const LIMITS: [f64; 3] = [0.01, 0.02, 0.05];
/// Requests a minute.
const RATES: [f64; 4] = [1.0, 2.0, 5.0, 10.0];
/// Looks at which the machine may be later than the evidence.
const FEW_LOOKS: usize = 3;

/// The rule of a plan with one ratio and a budget of 1 %.
fn rule_of(limit: f64, window: &str, every: &str, lasting: &str) -> Rule {
    let plan = serde_json::json!({
        "backout": 1, "change": {"title": "A change"},
        "watch": {"window": window, "grace": "3m", "false_alarms": "1%"},
        "triggers": {"errors": {"every": every, "for": lasting, "ratio": {
            "source": "m", "bad": "b", "total": "t", "limit": format!("{}%", limit * 100.0),
        }}},
    });
    let plan: Plan = serde_json::from_value(plan).expect("a plan");
    rule::of(&plan, &plan.triggers[0], &Measured::default()).expect("a rule")
}

fn least_of(rule: &Rule) -> f64 {
    let Kind::Share { least, .. } = &rule.kind else { panic!("it is a share") };
    *least
}

/// How many events come in one look, where `mean` are expected (Knuth).
fn poisson(dice: &mut Dice, mean: f64) -> u32 {
    let (floor, mut product, mut count) = ((-mean).exp(), dice.roll(), 0);
    while product > floor {
        product *= dice.roll();
        count += 1;
    }
    count
}

/// Looks with Poisson traffic: the share that is bad may depend on the look.
fn traffic(
    dice: &mut Dice,
    looks: usize,
    mean: f64,
    share: impl Fn(usize) -> f64,
) -> Vec<(u32, u32)> {
    let one = |look| {
        let total = poisson(dice, mean);
        (dice.bad(total, share(look), 0.0), total)
    };
    (0..looks).map(one).collect()
}

/// One minute apart, all of one watch.
fn run(rule: &Rule, samples: &[(u32, u32)]) -> (Watched, Vec<State>) {
    let samples: Vec<Sample> = samples
        .iter()
        .map(|(bad, total)| Sample::Counts { bad: f64::from(*bad), total: f64::from(*total) })
        .collect();
    look_at(rule, &samples)
}

fn look_at(rule: &Rule, samples: &[Sample]) -> (Watched, Vec<State>) {
    let began = Timestamp::from_second(1_780_700_400).expect("a time");
    let mut watched = Watched::new(began);
    let states = (0..).zip(samples).map(|(look, sample)| {
        let at = began.checked_add(rule.every * look).expect("a time");
        watched.look(rule, at, sample);
        if watched.state == State::Ok {
            assert!(watched.total >= least_of(rule), "ok on {} events", watched.total);
        }
        watched.state
    });
    let states = states.collect();
    (watched, states)
}

fn first(states: &[State], wanted: State) -> Option<usize> {
    states.iter().position(|state| *state == wanted)
}

/// At which look the evidence alone reaches its bound: the formulas written down once more,
/// with nothing of the crate in them. `R = (1 + R)·LR` for each alternative, the mean of
/// them against `looks / 1 %`.
fn reference(limit: f64, looks: usize, samples: &[(u32, u32)]) -> Option<usize> {
    let log_beta = |a: f64, b: f64| libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    let k = (limit + 2.0) / limit - 1.0;
    let mut shares =
        [1.5, 2.0, 3.0, 5.0, 10.0].map(|factor| f64::min(factor * limit, 0.9)).to_vec();
    shares.extend([0.5, 0.9]);
    shares.sort_by(f64::total_cmp);
    shares.dedup();
    let mut evidence = vec![0.0; shares.len()];
    samples.iter().position(|(bad, total)| {
        let (bad, good) = (f64::from(*bad), f64::from(total - bad));
        let log = |share: f64| {
            log_beta(bad + share * k, good + (1.0 - share) * k)
                - log_beta(share * k, (1.0 - share) * k)
        };
        if *total > 0 {
            for (evidence, share) in evidence.iter_mut().zip(&shares) {
                *evidence = (1.0 + *evidence) * (log(*share) - log(limit)).exp();
            }
        }
        evidence.iter().sum::<f64>() / evidence.len() as f64 >= looks as f64 / 0.01
    })
}

/// At a look a minute, from the first look on or after a quiet hour.
#[test]
fn a_breach_fires_as_soon_as_the_evidence_says_so() {
    let mut dice = Dice(3);
    let mut runs = 0;
    for limit in LIMITS {
        for (window, length) in [("4h", 241), ("2h", 121), ("20m", 21)] {
            let rule = rule_of(limit, window, "1m", "0s");
            for rate in RATES {
                for share in [1.0, 0.5] {
                    for quiet in [0, 60] {
                        if quiet > 0 && length < 100 {
                            continue;
                        }
                        for _ in 0..10 {
                            let bad = |look| if look < quiet { 0.0 } else { share };
                            let samples = traffic(&mut dice, length, rate, bad);
                            let proven = reference(limit, length, &samples);
                            let (_, states) = run(&rule, &samples);
                            let fired = first(&states, State::Firing);
                            let case = format!("{limit} {window} {rate}/min {share} {quiet}");
                            match (proven, fired) {
                                (Some(proven), Some(fired)) => assert!(
                                    (proven..=proven + FEW_LOOKS).contains(&fired),
                                    "{case}: evidence at {proven}, fired at {fired}"
                                ),
                                (None, None) => {}
                                other => panic!("{case}: {other:?}"),
                            }
                            // What is broken is proven in half of the watch.
                            let soon = quiet + 20 < length && proven.is_some();
                            assert!(soon || length == 21, "{case}: {proven:?}");
                            runs += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(runs, 3 * 4 * 2 * (2 + 2 + 1) * 10);
}

/// `low.csv`: one request a minute, all of them bad, a limit of 1 %.
#[test]
fn a_total_outage_at_one_request_a_minute_fires_in_minutes() {
    let outage = vec![(1, 1); 240];
    let minutes = LIMITS.map(|limit| {
        let (_, states) = run(&rule_of(limit, "4h", "1m", "0s"), &outage);
        first(&states, State::Firing).map(|look| look + 1)
    });
    let expected = LIMITS.map(|limit| reference(limit, 241, &outage).map(|look| look + 1));
    assert_eq!(minutes, expected);
    assert_eq!(minutes, [Some(3), Some(4), Some(5)]);
}

/// Fifteen seconds between looks: most of them find nothing.
#[test]
fn looks_that_find_nothing_hold_nothing_up() {
    let mut dice = Dice(4);
    for limit in LIMITS {
        let rule = rule_of(limit, "4h", "15s", "0s");
        for rate in RATES {
            for share in [1.0, 0.5] {
                let samples = traffic(&mut dice, 961, rate / 4.0, |_| share);
                let proven = reference(limit, 961, &samples).expect("evidence");
                let (_, states) = run(&rule, &samples);
                assert_eq!(first(&states, State::Firing), Some(proven), "{limit} {rate} {share}");
            }
        }
    }
}

/// With `for`, it fires once both are there: silence and one good event in between are no
/// break in it.
#[test]
fn silence_does_not_start_for_anew() {
    let mut dice = Dice(5);
    for limit in LIMITS {
        // A window of ten minutes makes the short window one look long.
        for (window, length, every, mean) in
            [("4h", 961, "15s", 0.25), ("10m", 11, "1m", 1.0), ("2h", 121, "1m", 1.0)]
        {
            for (share, lasting) in [(1.0, "6m"), (0.5, "6m")] {
                let rule = rule_of(limit, window, every, lasting);
                let looks = (rule.lasting.as_secs() / rule.every.as_secs()) as usize;
                let samples = traffic(&mut dice, length * 2, mean, |_| share);
                let proven = reference(limit, length, &samples).expect("evidence");
                let bad = samples.iter().position(|(bad, _)| *bad > 0).expect("a bad event");
                let due = proven.max(bad + looks);
                let (_, states) = run(&rule, &samples);
                let fired = first(&states, State::Firing).expect("it fires");
                let case = format!("{limit} {window} {share}: due at {due}, fired at {fired}");
                assert!((due..=due + FEW_LOOKS).contains(&fired), "{case}");
                assert_eq!(first(&states, State::Ok), None, "{case}");
            }
        }
    }
    // One request in ten minutes.
    let rare: Vec<(u32, u32)> =
        (0..240).map(|look| if look % 10 == 0 { (1, 1) } else { (0, 0) }).collect();
    for limit in LIMITS {
        let rule = rule_of(limit, "4h", "1m", "15m");
        let proven = reference(limit, 241, &rare).expect("evidence");
        let (_, states) = run(&rule, &rare);
        assert_eq!(first(&states, State::Firing), Some(proven.max(15)), "{limit}");
    }
}

/// Five requests fail, and then nobody comes any more.
#[test]
fn an_outage_that_drives_everybody_away_fires_all_the_same() {
    let rule = rule_of(0.01, "4h", "1m", "15m");
    let samples = [vec![(1, 1); 5], vec![(0, 0); 60]].concat();
    let (watched, states) = run(&rule, &samples);
    assert_eq!(states[..2], [State::Insufficient; 2]);
    assert_eq!(states[2..15], [State::Pending; 13], "the evidence is there, the time is not");
    assert_eq!(states[15..], [State::Firing; 50], "and nothing has shown that it is over");
    assert_eq!(watched.meaning(&rule), Meaning::Breach);
    // What is not proven is not: two failures and silence.
    let (watched, states) = run(&rule, &[vec![(1, 1); 2], vec![(0, 0); 200]].concat());
    assert!(states.iter().all(|state| *state == State::Insufficient));
    assert_eq!(verdict([(&rule, &watched)]), Verdict::Inconclusive);
}

/// What a source could not say for a while takes no evidence away, and starts `for` anew.
#[test]
fn evidence_outlasts_a_gap() {
    let counts = |bad: f64| Sample::Counts { bad, total: 1.0 };
    for nothing in [Sample::Nothing, Sample::Failed] {
        let samples = [vec![counts(1.0); 2], vec![nothing; 30], vec![counts(1.0); 12]].concat();
        let (_, states) = look_at(&rule_of(0.01, "4h", "1m", "0s"), &samples);
        assert_eq!(first(&states, State::Firing), Some(32), "at the third failure");
        let (_, states) = look_at(&rule_of(0.01, "4h", "1m", "10m"), &samples);
        assert_eq!(first(&states, State::Firing), Some(42), "ten minutes after the gap");
    }
}

/// Evidence of a breach that is over says nothing about the next one.
#[test]
fn each_breach_needs_its_own_evidence() {
    let rule = rule_of(0.01, "4h", "1m", "6m");
    let samples = [vec![(1, 1); 3], vec![(0, 1); 60], vec![(1, 1)], vec![(0, 1); 60]].concat();
    let (_, states) = run(&rule, &samples);
    assert_eq!(states[2], State::Pending);
    assert_eq!(states[6], State::Firing, "the last ten events hold three failures");
    // Too short for its `for`, and the evidence is gone by the time of the next failure.
    let rule = rule_of(0.01, "4h", "1m", "15m");
    let (watched, states) = run(&rule, &samples);
    assert_eq!(
        (states[2], states[12], states[20]),
        (State::Pending, State::Pending, State::Insufficient)
    );
    assert_eq!(first(&states, State::Firing), None);
    assert_eq!(watched.breach_since, None);
}

/// Four hours at the limit itself, through the whole machine: with α = 1 %, at most 8 of 150
/// watches of one kind (P < 1 in 10,000), and 36 of all 3,600.
#[test]
fn chance_under_low_traffic_fires_no_more_often_than_accepted() {
    const RUNS: u32 = 150;
    let mut dice = Dice(6);
    let (mut all, mut watches) = (0, 0);
    for limit in LIMITS {
        for (every, length, looks) in [("1m", 241, 1.0), ("15s", 961, 4.0)] {
            let rule = rule_of(limit, "4h", every, "0s");
            for rate in RATES {
                let mut alarms = 0;
                for _ in 0..RUNS {
                    let samples = traffic(&mut dice, length, rate / looks, |_| limit);
                    let (watched, _) = run(&rule, &samples);
                    alarms += u32::from(watched.latched.is_some());
                    watches += 1;
                }
                assert!(alarms <= 8, "{alarms} of {RUNS}: {limit}, {rate}/min, every {every}");
                all += alarms;
            }
        }
    }
    assert_eq!(watches, 3_600);
    assert!(all <= 36, "{all} of {watches}");
}

/// A watch without a failure is well only if it saw enough events.
#[test]
fn ok_takes_events_and_the_end_without_them_is_inconclusive() {
    for limit in LIMITS {
        let rule = rule_of(limit, "4h", "1m", "0s");
        let enough = least(limit) as usize;
        let (watched, states) = run(&rule, &vec![(0, 1); enough - 1]);
        assert!(states.iter().all(|state| *state == State::Insufficient));
        assert_eq!(verdict([(&rule, &watched)]), Verdict::Inconclusive, "{limit}");
        let (watched, states) = run(&rule, &vec![(0, 1); enough]);
        assert_eq!(first(&states, State::Ok), Some(enough - 1));
        assert_eq!(verdict([(&rule, &watched)]), Verdict::Passed, "{limit}");
    }
}

/// What fired on few events and stopped is no breach any more, and not well before there were
/// enough of them either.
#[test]
fn recovering_on_few_events_is_not_ok() {
    let rule = rule_of(0.01, "4h", "1m", "0s");
    let samples = [vec![(1, 1); 4], vec![(0, 1); 400]].concat();
    let (watched, states) = run(&rule, &samples);
    assert_eq!(states[..2], [State::Insufficient; 2]);
    // The last ten events hold a failure until the tenth good one.
    assert_eq!(states[2..13], [State::Firing; 11]);
    assert_eq!(states[13..15], [State::Recovering; 2]);
    assert_eq!(states[15..299], [State::Insufficient; 284]);
    assert!(states[299..].iter().all(|state| *state == State::Ok));
    assert_eq!(verdict([(&rule, &watched)]), Verdict::Failed, "it has fired");
}

/// A failure half an hour ago is no estimate of now.
#[test]
fn the_estimate_reaches_back_only_so_far() {
    let rule = rule_of(0.05, "1h", "1m", "0s");
    // One event in twelve minutes; the short window is five minutes, and the watch an hour.
    let mut samples = vec![(0, 0); 200];
    samples.iter_mut().step_by(12).for_each(|sample| *sample = (0, 1));
    samples[0] = (1, 1);
    let (watched, _) = run(&rule, &samples[..60]);
    assert_eq!(watched.value, Some(0.2), "one of five");
    let (watched, _) = run(&rule, &samples[..61]);
    assert_eq!(watched.value, Some(0.0), "an hour later");
    assert_eq!(watched.share(), Some(0.0));
    let (watched, _) = run(&rule, &samples[..66]);
    assert_eq!(watched.share(), None, "the short window is silent");
}
