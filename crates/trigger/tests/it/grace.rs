//! When data may be missing, and what it means then.

use backout_core::plan::Missing;
use backout_trigger::machine::{Meaning, Sample, State, Verdict, Watched, verdict};
use backout_trigger::rule::Rule;

use crate::states::{at, plain, share, value};
use State::{Error, Firing, Insufficient, NoData, Ok, Pending};

/// The states after each look, one a tick of 15 s; a stage excuses missing data up to a tick.
fn states(rule: &Rule, until: i64, samples: &[Sample]) -> (Watched, Vec<State>) {
    let mut watched = Watched::new(at(0));
    let states = (1..).zip(samples).map(|(tick, sample)| {
        watched.excuse(Some(at(until)));
        watched.look(rule, at(tick), sample);
        watched.state
    });
    let states = states.collect();
    (watched, states)
}

fn nothing(count: usize) -> Vec<Sample> {
    vec![Sample::Nothing; count]
}

/// At the beginning of a watch, the first data may take as long as the grace, a minute.
#[test]
fn the_first_data_may_take_as_long_as_the_grace() {
    let (_, seen) = states(&plain(), 0, &nothing(6));
    assert_eq!(seen, [Insufficient, Insufficient, Insufficient, Insufficient, NoData, NoData]);
    // Once there was some, it is only a hiccup that is none.
    let (_, seen) = states(&plain(), 0, &[vec![value(1.0)], nothing(3)].concat());
    assert_eq!(seen, [Ok, Ok, NoData, NoData]);
}

/// A stage begins or ends: what it restarts has no data for a while.
#[test]
fn a_stage_excuses_missing_data_and_nothing_is_well_by_it() {
    let samples = [vec![value(1.0)], nothing(5), vec![value(1.0)]].concat();
    let (_, seen) = states(&plain(), 6, &samples);
    assert_eq!(seen, [Ok, Ok, Insufficient, Insufficient, Insufficient, Insufficient, Ok]);
    let (watched, seen) = states(&plain(), 4, &samples[..6]);
    assert_eq!(seen, [Ok, Ok, Insufficient, Insufficient, NoData, NoData]);
    assert_eq!(watched.meaning(&plain()), Meaning::Breach);
    let (watched, _) = states(&plain(), 6, &samples[..6]);
    assert_eq!(watched.meaning(&plain()), Meaning::Open);
    assert_eq!(verdict([(&plain(), &watched)]), Verdict::Inconclusive, "never a pass");
    // A share, too.
    let good = Sample::Counts { bad: 0.0, total: 100.0 };
    let (_, seen) = states(&share(0.05), 4, &[vec![good], nothing(5)].concat());
    assert_eq!(seen, [Ok, Ok, Insufficient, Insufficient, NoData, NoData]);
    // What is no data already does not become better by a stage.
    let mut watched = Watched::new(at(0));
    watched.look(&plain(), at(1), &value(1.0));
    watched.look(&plain(), at(9), &Sample::Nothing);
    watched.excuse(Some(at(20)));
    watched.look(&plain(), at(10), &Sample::Nothing);
    assert_eq!(watched.state, NoData);
    // The rules of Prometheus are about alerts; that there is no data is said all the same.
    let rule = Rule { prometheus: true, ..plain() };
    let (_, seen) = states(&rule, 4, &samples[..6]);
    assert_eq!(seen, [Ok, Ok, Insufficient, Insufficient, NoData, NoData]);
}

/// The grace is about missing data. What is beyond its limit is, whatever a stage does.
#[test]
fn a_breach_is_never_excused() {
    let (_, seen) = states(&plain(), 100, &vec![value(11.0); 3]);
    assert_eq!(seen, [Pending, Pending, Firing]);
    let outage = Sample::Counts { bad: 50.0, total: 50.0 };
    let (_, seen) = states(&share(0.05), 100, &[outage]);
    assert_eq!(seen, [Firing]);
    // What fired before the data was gone has not stopped by that.
    let samples = [vec![value(11.0); 3], nothing(4)].concat();
    let (watched, seen) = states(&plain(), 100, &samples);
    assert_eq!(seen[2..], [Firing; 5]);
    assert_eq!(watched.meaning(&plain()), Meaning::Breach);
}

/// A source that could not be read has no data at first when it answers again.
#[test]
fn a_source_that_comes_back_may_have_no_data_for_the_grace() {
    let failed = || vec![Sample::Failed; 4];
    let samples = [vec![value(1.0)], failed(), nothing(6)].concat();
    let (watched, seen) = states(&plain(), 0, &samples);
    assert_eq!(seen[..5], [Ok, Ok, Ok, Error, Error]);
    assert_eq!(seen[5..], [Error, Error, Error, Error, Error, NoData], "a minute from tick 6");
    assert_eq!(watched.meaning(&plain()), Meaning::Breach);
    // Data ends it, good or bad, and what is missing later is missing.
    let back = [vec![value(1.0)], failed(), nothing(2), vec![value(1.0)], nothing(3)].concat();
    let (_, seen) = states(&plain(), 0, &back);
    assert_eq!(seen[5..], [Error, Error, Ok, Ok, NoData, NoData]);
    let back = [vec![value(1.0)], failed(), nothing(1), vec![value(11.0); 3]].concat();
    assert_eq!(states(&plain(), 0, &back).1[5..], [Error, Pending, Pending, Firing]);
    // One that fails again has not come back.
    let again = [vec![value(1.0)], failed(), nothing(1), failed()].concat();
    assert_eq!(states(&plain(), 0, &again).1[4..], [Error; 6]);
    // Where an unreadable source means nothing bad, missing data is not left to look like one.
    let lenient = Rule { on_error: Missing::Ok, ..plain() };
    let gone = [vec![value(1.0)], failed(), nothing(1)].concat();
    assert_eq!(states(&lenient, 0, &gone).1[4..], [Error, NoData]);
    // A failure that was too short to be said changes nothing.
    let short = [vec![value(1.0)], vec![Sample::Failed; 2], nothing(2)].concat();
    assert_eq!(states(&plain(), 0, &short).1, [Ok, Ok, Ok, NoData, NoData]);
}

/// A counter that exists only once something failed needs no excuse, and waits for none.
#[test]
fn what_means_nothing_bad_is_well_at_once() {
    for (on_no_data, meaning) in [(Missing::Ok, Meaning::Healthy), (Missing::Hold, Meaning::Open)] {
        let rule = Rule { on_no_data, ..plain() };
        let (watched, seen) = states(&rule, 100, &[vec![value(1.0)], nothing(2)].concat());
        assert_eq!(seen, [Ok, Ok, NoData]);
        assert_eq!(watched.meaning(&rule), meaning);
    }
}

#[test]
fn a_restart_forgets_no_excuse() {
    let samples = [vec![value(1.0)], nothing(2)].concat();
    let (watched, _) = states(&plain(), 6, &samples);
    let kept = serde_json::to_string(&watched).expect("JSON");
    let mut again: Watched = serde_json::from_str(&kept).expect("the same");
    again.look(&plain(), at(6), &Sample::Nothing);
    assert_eq!(again.state, Insufficient);
    again.look(&plain(), at(7), &Sample::Nothing);
    assert_eq!(again.state, NoData);
}
