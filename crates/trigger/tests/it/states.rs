//! The state machine, against its picture.

use std::time::Duration;

use backout_core::plan::{Limit, Missing};
use backout_trigger::evidence::Detector;
use backout_trigger::machine::{Meaning, Sample, State, Verdict, Watched, verdict};
use backout_trigger::replay::{quiet, replay};
use backout_trigger::rule::{Kind, Rule, beyond, least, looks, short_window, threshold};
use jiff::Timestamp;
use proptest::prelude::*;

const TICK: i64 = 15;

pub(crate) fn at(tick: i64) -> Timestamp {
    Timestamp::from_second(1_780_700_400 + tick * TICK).expect("a time")
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn plain() -> Rule {
    Rule {
        kind: Kind::Plain,
        every: seconds(15),
        lasting: seconds(30),
        recovers_after: seconds(30),
        max_gap: seconds(15),
        grace: seconds(60),
        error_after: seconds(30),
        short: seconds(300),
        on_no_data: Missing::Breach,
        on_error: Missing::Inconclusive,
        required: true,
        prometheus: false,
    }
}

pub(crate) fn share(limit: f64) -> Rule {
    let (window, every) = (seconds(4 * 3600), seconds(15));
    Rule {
        kind: Kind::Share {
            detector: Detector::new(limit, None),
            threshold: threshold(looks(window, every), 0.01, None),
            least: least(limit),
        },
        lasting: Duration::ZERO,
        short: short_window(window, every),
        ..plain()
    }
}

pub(crate) fn value(value: f64) -> Sample {
    Sample::Value { value, beyond: value > 10.0 }
}

fn counts(bad: f64, total: f64) -> Sample {
    Sample::Counts { bad, total }
}

/// The states after each sample, one a tick.
fn states(rule: &Rule, samples: &[Sample]) -> Vec<State> {
    let mut watched = Watched::new(at(0));
    samples
        .iter()
        .enumerate()
        .map(|(tick, sample)| {
            watched.look(rule, at(tick as i64 + 1), sample);
            watched.state
        })
        .collect()
}

#[test]
fn a_value_fires_after_its_time_and_recovers_after_its_time() {
    use State::{Firing, Ok, Pending, Recovering};
    let samples = [1.0, 11.0, 12.0, 13.0, 1.0, 1.0, 1.0, 11.0].map(value);
    // Beyond at ticks 2 to 4: thirty seconds have passed at the fourth.
    let expected = [Ok, Pending, Pending, Firing, Recovering, Recovering, Ok, Pending];
    assert_eq!(states(&plain(), &samples), expected);
    // A good look in between breaks `for`.
    let broken = [11.0, 11.0, 1.0, 11.0, 11.0, 11.0].map(value);
    assert_eq!(states(&plain(), &broken), [Pending, Pending, Ok, Pending, Pending, Firing]);
    // A relapse fires at once.
    let relapse = [11.0, 11.0, 11.0, 1.0, 11.0].map(value);
    assert_eq!(states(&plain(), &relapse), [Pending, Pending, Firing, Recovering, Firing]);
}

#[test]
fn a_hiccup_is_no_gap_and_a_gap_is_no_good_news() {
    use State::{Firing, NoData, Ok, Pending};
    let v = value;
    // One missing sample does not stop the timer, as it would in Prometheus.
    let hiccup = [v(11.0), Sample::Nothing, v(11.0), v(11.0)];
    assert_eq!(states(&plain(), &hiccup), [Pending, Pending, Firing, Firing]);
    // Two do: nobody knows what happened in between.
    let gap = [v(1.0), v(11.0), Sample::Nothing, Sample::Nothing, v(11.0), v(11.0), v(11.0)];
    assert_eq!(states(&plain(), &gap), [Ok, Pending, Pending, NoData, Pending, Pending, Firing]);
    // What fired has not stopped because nobody sees it.
    let mut watched = Watched::new(at(0));
    let blind = [v(11.0), v(11.0), v(11.0), Sample::Nothing, Sample::Nothing, Sample::Nothing];
    for (tick, sample) in blind.iter().enumerate() {
        watched.look(&plain(), at(tick as i64 + 1), sample);
    }
    assert_eq!(watched.state, NoData);
    let lenient = Rule { on_no_data: Missing::Ok, ..plain() };
    assert_eq!(watched.meaning(&lenient), Meaning::Breach);
}

#[test]
fn nothing_ever_seen_is_no_data_after_the_grace() {
    use State::{Insufficient, NoData};
    let nothing = vec![Sample::Nothing; 6];
    let seen = states(&plain(), &nothing);
    assert_eq!(seen, [Insufficient, Insufficient, Insufficient, Insufficient, NoData, NoData]);
}

#[test]
fn what_is_no_number_is_nothing_and_what_is_infinite_is_beyond() {
    let mut rule = plain();
    rule.grace = Duration::ZERO;
    assert_eq!(states(&rule, &[value(f64::NAN)]), [State::NoData]);
    let infinite = Sample::Value { value: f64::INFINITY, beyond: true };
    assert_eq!(states(&rule, &[infinite]), [State::Pending]);
    let rule = Rule { grace: Duration::ZERO, ..share(0.05) };
    for odd in [counts(f64::NAN, 1.0), counts(1.0, f64::INFINITY), counts(-1.0, 5.0)] {
        assert_eq!(states(&rule, &[odd]), [State::NoData]);
    }
}

#[test]
fn lengths_of_time_are_compared_in_seconds() {
    for (limit, within, without) in [
        ("> 500ms", 0.5, 0.501),
        ("> 5s", 5.0, 5.1),
        (">= 1m", 59.9, 60.0),
        ("< 2h", 7200.0, 7199.0),
        ("> 5 calls", 5.0, 6.0),
    ] {
        let limit: Limit = limit.parse().expect("a limit");
        assert!(!beyond(&limit, within) && beyond(&limit, without), "{limit}");
    }
}

#[test]
fn a_source_that_cannot_be_read_is_an_error_and_evidence_survives_it() {
    use State::{Error, Ok, Pending};
    let v = value;
    let samples = [v(1.0), Sample::Failed, Sample::Failed, Sample::Failed, v(11.0)];
    assert_eq!(states(&plain(), &samples), [Ok, Ok, Ok, Error, Pending]);
    let rule = share(0.05);
    let mut watched = Watched::new(at(0));
    for tick in 1..20 {
        watched.look(&rule, at(tick), &counts(6.0, 100.0));
    }
    let before = watched.evidence.clone();
    for tick in 20..40 {
        watched.look(&rule, at(tick), &Sample::Failed);
    }
    assert_eq!((watched.state, &watched.evidence), (Error, &before));
}

#[test]
fn a_share_fires_on_evidence_and_only_while_it_lasts() {
    let rule = share(0.05);
    let good = vec![counts(1.0, 100.0); 40];
    let seen = states(&rule, &good);
    assert_eq!(seen.last(), Some(&State::Ok));
    assert!(!seen.contains(&State::Pending));
    let mut breach = good.clone();
    breach.extend(vec![counts(50.0, 100.0); 8]);
    let seen = states(&rule, &breach);
    assert_eq!(seen.last(), Some(&State::Firing));
    // Two bad events of ten at the very start: too few to say anything.
    assert_eq!(states(&rule, &[counts(2.0, 10.0)]), [State::Insufficient]);
}

#[test]
fn a_release_without_traffic_is_not_well() {
    let rule = share(0.05);
    let mut samples = vec![counts(0.0, 100.0); 10];
    samples.extend(vec![counts(0.0, 0.0); 20]);
    let seen = states(&rule, &samples);
    assert_eq!(seen[9], State::Ok);
    assert_eq!(seen[29], State::Insufficient, "after the short window nothing is known");
    let last = replay(&rule, &timed(&samples)).expect("samples").last;
    assert_eq!(verdict([(&rule, &last)]), Verdict::Inconclusive);
}

/// A look without events is a look, and has found none: what is judged by events is judged by
/// those of a look that found some, and only if they came after what is judged.
#[test]
fn a_look_without_events_is_no_gap_and_shows_nothing() {
    let rule = share(0.05);
    let mut watched = Watched::new(at(0));
    let mut look = |tick, total| {
        watched.look(&rule, at(tick), &counts(0.0, total));
        (watched.seen, watched.counted)
    };
    assert_eq!(look(1, 0.0), (Some(at(1)), None));
    assert_eq!(look(2, 100.0), (Some(at(2)), Some(at(1))), "they came after the look before");
    assert_eq!(look(3, 0.4), (Some(at(3)), Some(at(1))), "less than half an event is none");
    assert_eq!(look(4, 0.0), (Some(at(4)), Some(at(1))));
    assert_eq!(look(5, 3.0), (Some(at(5)), Some(at(4))));
    assert_eq!(watched.state, State::Ok);
    // A clock that goes back takes it along.
    watched.look(&rule, at(2), &counts(0.0, 0.0));
    assert_eq!(watched.counted, Some(at(2)));
    // What was kept before this was known is read all the same.
    let mut kept = serde_json::to_value(&watched).expect("JSON");
    kept.as_object_mut().expect("an object").remove("counted");
    let old: Watched = serde_json::from_value(kept).expect("an old board");
    assert_eq!((old.counted, old.seen), (None, watched.seen));
}

fn timed(samples: &[Sample]) -> Vec<(Timestamp, Sample)> {
    (1..).map(at).zip(samples.iter().cloned()).collect()
}

#[test]
fn passed_means_every_required_trigger_was_seen_to_be_well() {
    let well = replay(&plain(), &timed(&[value(1.0), value(1.0)])).expect("samples").last;
    let fired = [11.0, 11.0, 11.0, 1.0, 1.0, 1.0].map(value);
    let fired = replay(&plain(), &timed(&fired)).expect("samples").last;
    assert_eq!(fired.state, State::Ok);
    let fresh = Watched::new(at(0));
    let rule = plain();
    assert_eq!(verdict([(&rule, &well)]), Verdict::Passed);
    assert_eq!(verdict([(&rule, &well), (&rule, &fresh)]), Verdict::Inconclusive);
    let optional = Rule { required: false, ..plain() };
    assert_eq!(verdict([(&rule, &well), (&optional, &fresh)]), Verdict::Passed);
    // Recovered is told, and does not unsay it.
    assert_eq!(verdict([(&rule, &well), (&rule, &fired), (&rule, &fresh)]), Verdict::Failed);
}

#[test]
fn a_restart_forgets_nothing() {
    let rule = share(0.05);
    let samples: Vec<Sample> =
        (0..60).map(|i| counts(if i < 40 { 1.0 } else { 30.0 }, 100.0)).collect();
    let whole = replay(&rule, &timed(&samples)).expect("samples").last;
    let mut watched = Watched::new(at(1));
    for (time, sample) in timed(&samples) {
        watched.look(&rule, time, &sample);
        let written = serde_json::to_string(&watched).expect("JSON");
        watched = serde_json::from_str(&written).expect("the same");
    }
    assert_eq!(watched, whole);
}

#[test]
fn quiet_times_give_the_rate_of_false_alarms() {
    let rule = share(0.05);
    let samples = timed(&vec![counts(1.0, 100.0); 960 * 3]);
    let found = quiet(&rule, &samples, seconds(4 * 3600));
    assert_eq!((found.windows, found.alarms, found.rate()), (3, 0, Some(0.0)));
    assert_eq!(found.highest.len(), 3);
    // A threshold of no evidence at all fires in every window of noise around it.
    let noisy = timed(&vec![value(11.0); 960 * 3]);
    let found = quiet(&plain(), &noisy, seconds(4 * 3600));
    assert_eq!(found.rate(), Some(1.0));
    assert_eq!(quiet(&plain(), &[], seconds(60)).rate(), None);
}

/// That nothing fired where nobody saw anything is no quiet watch.
#[test]
fn times_in_which_nothing_was_seen_are_not_quiet() {
    let window = seconds(4 * 3600);
    let one = |sample: Sample| vec![sample; 960];
    let half = |sample: Sample, few: usize| {
        [vec![sample; few], one(Sample::Nothing)].concat()[..960].to_vec()
    };
    let found = |rule: &Rule, samples: Vec<Sample>| {
        let found = quiet(rule, &timed(&samples), window);
        (found.windows, found.blind, found.alarms)
    };
    let good = || one(counts(1.0, 100.0));
    for nothing in [one(counts(0.0, 0.0)), one(Sample::Nothing), one(Sample::Failed)] {
        assert_eq!(found(&share(0.05), [good(), nothing, good()].concat()), (2, 1, 0));
    }
    assert_eq!(found(&plain(), one(value(f64::NAN))), (0, 1, 0), "no number is no value");
    assert_eq!(found(&plain(), half(value(1.0), 400)), (0, 1, 0), "blind for most of it");
    assert_eq!(found(&plain(), half(value(1.0), 600)), (1, 0, 0));
    assert_eq!(found(&plain(), half(value(11.0), 400)), (1, 0, 1), "an alarm was seen");
    // Rare events are seen for as long as somebody looks.
    let mut rare = one(counts(0.0, 0.0));
    rare[500] = counts(0.0, 1.0);
    assert_eq!(found(&share(0.05), rare), (1, 0, 0));
    // What is missing between two samples was not seen either.
    let mut gap = timed(&one(value(1.0)));
    gap.retain(|(when, _)| *when < at(200) || *when > at(800));
    let gap = quiet(&plain(), &gap, window);
    assert_eq!((gap.windows, gap.blind), (0, 1));
}

#[test]
fn a_replay_says_for_how_long_it_was_blind() {
    let blind = |samples: &[Sample]| {
        let done = replay(&plain(), &timed(samples)).expect("samples");
        (done.blind, done.seen)
    };
    let nothing = Sample::Nothing;
    assert_eq!(blind(&[value(1.0), value(1.0)]), (seconds(0), true));
    assert_eq!(blind(&[value(1.0), nothing.clone(), value(1.0)]), (seconds(15), true));
    assert_eq!(blind(&[nothing.clone(), nothing]), (seconds(15), false));
    assert_eq!(blind(&[counts(0.0, 0.0), counts(0.0, 0.0)]), (seconds(0), false));
    let gap = [(at(0), value(1.0)), (at(10), value(1.0))];
    assert_eq!(replay(&plain(), &gap).expect("samples").blind, seconds(9 * 15));
}

fn sample() -> impl Strategy<Value = Sample> {
    prop_oneof![
        3 => Just(value(1.0)),
        3 => Just(value(20.0)),
        2 => (0_u32..30, 0_u32..40).prop_map(|(bad, total)| counts(f64::from(bad), f64::from(total))),
        1 => Just(Sample::Nothing),
        1 => Just(Sample::Failed),
        1 => Just(value(f64::NAN)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    /// Whatever comes: no wrong green, no forgotten alarm, no time that runs backwards.
    #[test]
    fn whatever_comes(
        samples in prop::collection::vec((sample(), -2_i64..6), 1..120),
        of_shares in any::<bool>(),
        required in any::<bool>(),
    ) {
        let rule = Rule { required, ..if of_shares { share(0.05) } else { plain() } };
        let mut watched = Watched::new(at(0));
        let mut tick = 0;
        let mut fired = false;
        for (sample, step) in samples {
            tick += step;
            let before = watched.clone();
            let change = watched.look(&rule, at(tick), &sample);
            prop_assert_eq!(change.is_some(), before.state != watched.state);
            prop_assert!(watched.since <= at(tick), "nothing lies ahead of the clock");
            fired |= watched.state == State::Firing;
            prop_assert_eq!(fired, watched.latched.is_some());
            // Well is said only of what was seen just now.
            if watched.state == State::Ok && before.state != State::Ok {
                let seen = !matches!(sample, Sample::Nothing | Sample::Failed);
                prop_assert!(seen || before.state == State::Error, "{sample:?}");
            }
            // Nothing fires on a look that saw nothing.
            if watched.state == State::Firing && before.state != State::Firing {
                prop_assert!(!matches!(sample, Sample::Failed), "{sample:?}");
            }
            if verdict([(&rule, &watched)]) == Verdict::Passed && required {
                prop_assert_eq!(watched.state, State::Ok);
                prop_assert!(!fired);
            }
        }
    }
}

/// Prometheus is silent about what it cannot ask. That nobody can see is said all the
/// same, and where it stood is not forgotten.
#[test]
fn an_unreadable_source_is_said_under_the_rules_of_prometheus_too() {
    let rule = Rule { prometheus: true, ..plain() };
    let failed = || Sample::Failed;
    let samples =
        [value(12.0), value(12.0), value(12.0), failed(), failed(), failed(), value(12.0)];
    use State::{Error, Firing, Pending};
    let wanted = [Pending, Pending, Firing, Firing, Firing, Error, Firing];
    assert_eq!(states(&rule, &samples), wanted);
    let mut watched = Watched::new(at(0));
    for (tick, sample) in samples[..6].iter().enumerate() {
        watched.look(&rule, at(tick as i64 + 1), sample);
    }
    assert_eq!(watched.meaning(&rule), Meaning::Breach, "it fired, and nobody saw it end");
}
