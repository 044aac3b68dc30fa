//! The figures against other people's: confseq, of the authors of the methods, and SciPy.
//! `oracle.py` says how each is got there.
//!
//! `BACKOUT_TEST_ORACLE` is the Python that has both; `./test` installs one.

use std::io::Write as _;
use std::process::{Command, Stdio};

use backout_trigger::dispersion::rho;
use backout_trigger::evidence::{Detector, most_rho};
use backout_trigger::interval::interval;
use backout_trigger::quantile::upper_bound;
use serde_json::{Value, json};

use crate::alarms::Dice;

/// Digits that a double loses in one operation.
const EPSILON: f64 = f64::EPSILON;

/// A question to the oracle, and what holds of its answer: how far apart the answers
/// are, measured in what is allowed.
struct Case {
    question: Value,
    apart: Box<dyn Fn(&Value) -> f64>,
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

/// How far the numbers are apart at most, in the tolerance of each.
fn apart(ours: &[f64], theirs: &[f64], tolerance: impl Fn(usize) -> f64) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let each = ours.iter().zip(theirs).enumerate();
    each.map(|(at, (ours, theirs))| {
        let apart = (ours - theirs).abs() / tolerance(at);
        if apart.is_nan() { f64::INFINITY } else { apart }
    })
    .fold(0.0, f64::max)
}

/// All answers, in one process.
fn ask(python: &str, cases: &[Case]) -> Vec<Value> {
    let mut asked = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/oracle.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the oracle runs");
    let questions: Vec<&Value> = cases.iter().map(|case| &case.question).collect();
    let questions = serde_json::to_vec(&questions).expect("JSON");
    // It reads everything before it writes anything.
    asked.stdin.take().expect("a pipe").write_all(&questions).expect("asked");
    let done = asked.wait_with_output().expect("answered");
    assert!(done.status.success(), "the oracle fails");
    serde_json::from_slice(&done.stdout).expect("JSON")
}

/// Looks with traffic and shares of every size.
fn samples(dice: &mut Dice, limit: f64, looks: usize, most: f64) -> Vec<(f64, f64)> {
    (0..looks)
        .map(|_| {
            let total = most.powf(dice.roll()).round().max(1.0);
            let share = [0.0, 0.3, 1.0, 1.0, 2.0, 1.0 / limit][(dice.roll() * 6.0) as usize];
            (total, (share * limit * dice.roll() * 2.0).min(1.0))
        })
        .map(|(total, share)| ((total * share).round(), total))
        .collect()
}

/// `ln M` after each look.
fn evidence(detector: &Detector, samples: &[(f64, f64)]) -> Vec<f64> {
    let mut evidence = detector.start();
    let mut log = |(bad, total): &(f64, f64)| {
        detector.update(&mut evidence, *bad, *total);
        evidence.log().expect("samples")
    };
    samples.iter().map(&mut log).collect()
}

/// A likelihood ratio is a difference of eight log-gammas, of which the largest is that
/// of all events and `k`; each has at most its last digit wrong. Errors of looks add up.
fn cancelled(samples: &[(f64, f64)], rho: f64) -> Vec<f64> {
    let k = 1.0 / rho - 1.0;
    let mut sum = 0.0;
    let one = |(_, total): &(f64, f64)| {
        sum += 8.0 * EPSILON * libm::lgamma(total + k).abs().max(1.0);
        sum
    };
    samples.iter().map(one).collect()
}

fn of_evidence(cases: &mut Vec<Case>, dice: &mut Dice) {
    let mut add = |what: &str, mut question: Value, ours: Vec<f64>, tolerance: Vec<f64>| {
        question["what"] = json!(what);
        let apart = move |theirs: &Value| apart(&ours, &numbers(theirs), |at| tolerance[at]);
        cases.push(Case { question, apart: Box::new(apart) });
    };
    for limit in [0.001, 0.01, 0.02, 0.05, 0.2, 0.5, 0.7, 0.95] {
        // The correlations: unknown, and some that may be measured.
        for part in [None, Some(1.0), Some(0.3), Some(0.03), Some(1e-4)] {
            for most in [3.0, 100.0, 30_000.0] {
                let assumed = part.map(|part| part * most_rho(limit));
                let samples = samples(dice, limit, 30, most);
                let ours = evidence(&Detector::new(limit, assumed), &samples);
                let tolerance = cancelled(&samples, assumed.unwrap_or(most_rho(limit)));
                let question = json!({"limit": limit, "rho": assumed, "samples": samples});
                add("evidence_mixture", question.clone(), ours.clone(), tolerance.clone());
                add("evidence_betabinom", question, ours, tolerance);
            }
        }
        // No correlation: the beta-binomial of the smallest stands in for the binomial,
        // and is off by ln Π (1 + i/(share·k)) and the like.
        for most in [3.0, 30.0, 1000.0] {
            let samples = samples(dice, limit, 30, most);
            let ours = evidence(&Detector::new(limit, Some(0.0)), &samples);
            let mut sum = 0.0;
            let off = |(bad, total): &(f64, f64)| {
                sum += (bad * bad / limit + (total - bad).powi(2) / (1.0 - limit).min(0.1)) / 1e9;
                sum
            };
            let off: Vec<f64> = samples.iter().map(off).collect();
            let tolerance = cancelled(&samples, 1e-9).iter().zip(off).map(|(a, b)| a + b).collect();
            add("evidence_binom", json!({"limit": limit, "samples": samples}), ours, tolerance);
        }
        // Burstier than the model bears: betting. The oracle multiplies, it adds no
        // logarithms; a factor may be 1/limit.
        for most in [3.0, 100.0, 30_000.0] {
            let samples = samples(dice, limit, 30, most);
            let detector = Detector::new(limit, Some(1.0));
            assert_eq!(detector.method(), "betting");
            let ours = evidence(&detector, &samples);
            let tolerance = vec![1e-13; 30];
            add("evidence_betting", json!({"limit": limit, "samples": samples}), ours, tolerance);
        }
    }
    // Other alternatives than the usual ones.
    for _ in 0..40 {
        let limit = 0.001 + 0.6 * dice.roll().powi(2);
        let assumed = most_rho(limit) * dice.roll().powi(2).max(1e-4);
        let shares: Vec<f64> = (1..=6).map(|_| limit + (1.0 - limit) * dice.roll()).collect();
        let samples = samples(dice, limit, 20, 2000.0);
        let ours = evidence(&Detector::beta_binomial(limit, assumed, &shares), &samples);
        let tolerance = cancelled(&samples, assumed);
        let question =
            json!({"limit": limit, "rho": assumed, "alternatives": shares, "samples": samples});
        add("evidence_mixture", question, ours, tolerance);
    }
}

/// What the bound on false alarms rests on, with SciPy's probabilities: at the limit the
/// mean of the factor is 1, below it and with fewer bursts it is at most that.
fn of_means(cases: &mut Vec<Case>, dice: &mut Dice) {
    for _ in 0..60 {
        let limit = 0.001 + 0.95 * dice.roll().powi(2);
        let total = 3000.0_f64.powf(dice.roll()).round();
        let assumed = most_rho(limit) * dice.roll().max(0.01);
        for (part, bursts) in [(1.0, 1.0), (dice.roll(), 1.0), (1.0, dice.roll()), (1.0, 0.0)] {
            let detector = Detector::new(limit, Some(assumed));
            let one = |bad: u32| evidence(&detector, &[(f64::from(bad), total)])[0];
            let logs: Vec<f64> = (0..=total as u32).map(one).collect();
            let question = json!({"what": "mean_factor", "log_factors": logs, "total": total as u32,
                "share": part * limit, "rho": bursts * assumed});
            let exact = part == 1.0 && bursts == 1.0;
            cases.push(Case {
                question,
                apart: Box::new(move |mean| {
                    let over = number(mean) - 1.0;
                    (if exact { over.abs() } else { over }) / 1e-10
                }),
            });
        }
    }
}

fn of_intervals(cases: &mut Vec<Case>, dice: &mut Dice) {
    let mut add = |bad: f64, total: f64, alpha: f64| {
        let ours = interval(bad, total, alpha);
        let (low, high) = ours;
        // confseq stops at 40 digits of 2.
        let near = |_| 1e-11;
        cases.push(Case {
            question: json!({"what": "interval", "bad": bad, "total": total, "alpha": alpha}),
            apart: Box::new(move |theirs| apart(&[low, high], &numbers(theirs), near)),
        });
        // Every share inside is possible, every one outside is ruled out.
        let shares: Vec<f64> = (1..200).map(|at| f64::from(at) / 200.0).collect();
        let (asked, mean) = (shares.clone(), bad / total);
        cases.push(Case {
            question: json!({"what": "against", "bad": bad, "total": total, "alpha": alpha,
                "shares": shares}),
            apart: Box::new(move |theirs| {
                let wrong = |(share, over): (&f64, f64)| {
                    let inside = low <= *share && *share <= high;
                    let border = (share - low).abs().min((share - high).abs()) < 1e-9;
                    inside == (over >= 0.0) && !border
                };
                assert!(low <= mean && mean <= high);
                if asked.iter().zip(numbers(theirs)).any(wrong) { f64::INFINITY } else { 0.0 }
            }),
        });
    };
    for total in [1.0_f64, 2.0, 7.0, 60.0, 1000.0, 50_000.0, 1_000_000.0] {
        for share in [0.0, 1e-4, 0.01, 0.3, 0.5, 0.999, 1.0] {
            add((total * share).round(), total, 0.05);
        }
    }
    for _ in 0..60 {
        let total = 1e6_f64.powf(dice.roll()).round();
        let bad = (total * dice.roll().powi(3)).round();
        add(bad, total, [0.001, 0.01, 0.05, 0.2][(dice.roll() * 4.0) as usize]);
    }
}

fn of_bounds(cases: &mut Vec<Case>, dice: &mut Dice) {
    for count in (0..40).chain([60, 100, 299, 500, 2000, 20_000]) {
        for _ in 0..3 {
            let share = [0.5, 0.5, 0.75, 0.9, 0.95, 0.99][(dice.roll() * 6.0) as usize];
            let alpha = [0.01, 0.01, 0.05, 0.001][(dice.roll() * 4.0) as usize];
            // Some values are there more than once.
            let values: Vec<f64> =
                (0..count).map(|_| (dice.roll() * 3.0 * f64::from(count)).round()).collect();
            let ours = upper_bound(&values, share, alpha);
            let question =
                json!({"what": "upper_bound", "values": values, "share": share, "alpha": alpha});
            let apart = move |theirs: &Value| match (ours, theirs.as_f64()) {
                (None, None) => 0.0,
                (Some(ours), Some(theirs)) if ours == theirs => 0.0,
                _ => f64::INFINITY,
            };
            cases.push(Case { question, apart: Box::new(apart) });
        }
    }
    // Values that are their ranks: the rank is enough, and the one before is not.
    for count in [5_u32, 20, 240, 961, 5760] {
        for share in [0.25, 0.5, 0.95] {
            let values: Vec<f64> = (0..count).map(f64::from).collect();
            let Some(rank) = upper_bound(&values, share, 0.01) else { continue };
            cases.push(Case {
                question: json!({"what": "rank_is_enough", "count": count, "rank": rank,
                    "share": share}),
                apart: Box::new(|at_most| match numbers(at_most)[..] {
                    [this, before] if this >= 0.99 && before < 0.99 => 0.0,
                    _ => f64::INFINITY,
                }),
            });
        }
    }
}

fn of_bursts(cases: &mut Vec<Case>, dice: &mut Dice) {
    for at in 0..60 {
        let most = [2.0, 10.0, 60.0, 400.0][at % 4];
        let looks = 20 + (dice.roll() * 30.0) as usize;
        let share = [0.02, 0.1, 0.5, 0.9][(dice.roll() * 4.0) as usize];
        let bursts = [0.0, 0.01, 0.1, 0.5][(dice.roll() * 4.0) as usize];
        let intervals: Vec<(f64, f64)> = (0..looks)
            .map(|_| {
                let total = 1 + (dice.roll() * most) as u32;
                (f64::from(dice.bad(total, share, bursts)), f64::from(total))
            })
            .collect();
        let bad: f64 = intervals.iter().map(|(bad, _)| bad).sum();
        let ours = rho(&intervals);
        let apart = move |theirs: &Value| match (ours, theirs.as_f64()) {
            (None, None) => 0.0,
            // Too little to tell is ours to say.
            (None, Some(_)) if bad < 5.0 => 0.0,
            (Some(ours), Some(theirs)) => (ours - theirs).abs() / 1e-12,
            _ => f64::INFINITY,
        };
        cases.push(Case {
            question: json!({"what": "dispersion", "intervals": intervals}),
            apart: Box::new(apart),
        });
    }
}

/// The one function under all of them that neither the crate nor its oracle can do without.
fn of_gamma(cases: &mut Vec<Case>, dice: &mut Dice) {
    let mut at: Vec<f64> = (1..=200).map(|half| f64::from(half) / 2.0).collect();
    at.extend((0..400).map(|_| 10.0_f64.powf(dice.roll() * 16.0 - 6.0)));
    at.extend((0..100).map(|_| 1.0 + dice.roll()));
    let ours: Vec<f64> = at.iter().map(|at| libm::lgamma(*at)).collect();
    let expected = ours.clone();
    cases.push(Case {
        question: json!({"what": "log_gamma", "at": at}),
        apart: Box::new(move |theirs| {
            apart(&ours, &numbers(theirs), |at| 4.0 * EPSILON * expected[at].abs().max(1.0))
        }),
    });
}

#[test]
fn the_figures_are_those_of_confseq_and_scipy() {
    let python = std::env::var("BACKOUT_TEST_ORACLE").unwrap_or_default();
    if python.is_empty() {
        println!(
            "NOT RUN: statistics against confseq and scipy: BACKOUT_TEST_ORACLE names no Python that has them"
        );
        return;
    }
    let (mut cases, mut dice) = (Vec::new(), Dice(20_260_606));
    for add in [of_evidence, of_means, of_intervals, of_bounds, of_bursts, of_gamma] {
        add(&mut cases, &mut dice);
    }
    let answers = ask(&python, &cases);
    assert_eq!(answers.len(), cases.len());
    let mut worst = std::collections::BTreeMap::new();
    let mut wrong = Vec::new();
    for (case, answer) in cases.iter().zip(&answers) {
        let what = case.question["what"].as_str().expect("a name");
        let apart = (case.apart)(answer);
        let (count, most) = worst.entry(what).or_insert((0, 0.0_f64));
        (*count, *most) = (*count + 1, most.max(apart));
        if apart.is_nan() || apart > 1.0 {
            let text = case.question.to_string();
            wrong.push(format!("{apart:.3}: {}", text.chars().take(400).collect::<String>()));
        }
    }
    for (what, (count, most)) in &worst {
        println!("{what}: {count} cases, at most {most:.1e} of the tolerance");
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases.len() > 700, "{}", cases.len());
}
