//! Triggers: how often they cry wolf, how soon they cry, how fast they count.

mod decision;
mod fleet;
mod rivals;
mod world;

use std::time::{Duration, Instant};

use backout_core::plan::Missing;
use backout_trigger::dispersion;
use backout_trigger::evidence::Detector;
use backout_trigger::machine::{Sample, State, Watched};
use backout_trigger::rule::{Kind, Rule, least, looks, short_window, threshold};
use jiff::{SignedDuration, Timestamp};

use crate::rivals::{Rival, rivals};
use crate::world::Dice;

/// A limit of 5 %, looked at each minute for four hours.
const LIMIT: f64 = 0.05;
const LOOKS: u32 = 240;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let all = wanted.is_empty();
    let wants = |name: &str| all || wanted.iter().any(|word| word == name);
    if wants("alarms") {
        alarms();
        delays();
    }
    if wants("updates") {
        updates();
    }
    if wants("fleet") {
        fleet::fleet();
    }
    if wants("decision") {
        decision::decision();
    }
}

fn rule(alpha: f64, rho: Option<f64>) -> Rule {
    let (window, every) = (Duration::from_secs(60 * u64::from(LOOKS)), Duration::from_secs(60));
    Rule {
        kind: Kind::Share {
            detector: Detector::new(LIMIT, rho),
            threshold: threshold(looks(window, every), alpha, None),
            least: least(LIMIT),
        },
        every,
        lasting: Duration::ZERO,
        recovers_after: every * 2,
        max_gap: every,
        grace: every * 3,
        error_after: every * 2,
        short: short_window(window, every),
        on_no_data: Missing::Breach,
        on_error: Missing::Inconclusive,
        required: true,
        prometheus: false,
    }
}

/// The first look at which ours fires.
fn ours(rule: &Rule, samples: &[(f64, f64)]) -> Option<usize> {
    let began = Timestamp::from_second(1_780_000_000).unwrap_or_default();
    let mut watched = Watched::new(began);
    samples.iter().enumerate().position(|(look, (bad, total))| {
        let at = began + SignedDuration::from_secs(60 * (look as i64 + 1));
        watched.look(rule, at, &Sample::Counts { bad: *bad, total: *total });
        watched.state == State::Firing
    })
}

/// Traffic, share of failures, bursts (correlation within a look), waves (from look to look).
const FAMILIES: [(&str, u32, f64, f64, f64); 7] = [
    ("5 a minute, 1 % fail", 5, 0.01, 0.0, 0.0),
    ("20 a minute, 3 % fail", 20, 0.03, 0.0, 0.0),
    ("100 a minute, 3 % fail", 100, 0.03, 0.0, 0.0),
    ("1000 a minute, 4.5 % fail", 1000, 0.045, 0.0, 0.0),
    ("1000 a minute, 3 %, bursts 0.02", 1000, 0.03, 0.02, 0.0),
    ("1000 a minute, 3 %, bursts 0.06", 1000, 0.03, 0.06, 0.0),
    ("100 a minute, 3 %, waves 0.95", 100, 0.03, 0.005, 0.95),
];

fn alarms() {
    const RUNS: u32 = 1000;
    println!(
        "False alarms: share of {RUNS} quiet four-hour watches that raise one (limit 5 %, a look a minute)\n"
    );
    let rivals = rivals();
    print!("{:<34}{:>9}{:>9}", "", "unmeas.", "measured");
    rivals.iter().for_each(|rival| print!("{:>15}", rival.name));
    println!();
    let assumed = rule(0.01, None);
    for (name, total, share, bursts, waves) in FAMILIES {
        let mut dice = Dice::new(7);
        let mut counts = vec![0_u32; rivals.len() + 2];
        for _ in 0..RUNS {
            // The hour before the deployment says how bursty it is.
            let before = dice.night(60, total, share, bursts, waves);
            let measured = rule(0.01, dispersion::measured(&before, 0.05));
            let samples = dice.night(LOOKS, total, share, bursts, waves);
            counts[1] += u32::from(ours(&assumed, &samples).is_some());
            counts[0] += u32::from(ours(&measured, &samples).is_some());
            for (count, rival) in counts[2..].iter_mut().zip(&rivals) {
                *count += u32::from((rival.fires)(&samples).is_some());
            }
        }
        let part = |count: u32| f64::from(count) / f64::from(RUNS);
        print!("{name:<34}{:>9.3}{:>9.3}", part(counts[1]), part(counts[0]));
        for (count, _) in counts[2..].iter().zip(&rivals) {
            let ratio = part(*count) / part(counts[0]).max(1.0 / f64::from(RUNS));
            print!("{:>8.3} {:>5.0}x", part(*count), ratio);
        }
        println!();
    }
    println!(
        "\nOur budget is 0.010. `measured`: how bursty it is was measured on the hour before, as `deploy` does. A ratio is against `measured`, or against one alarm in {RUNS} where ours had none.\n"
    );
}

fn delays() {
    const RUNS: u32 = 300;
    const QUIET: usize = 60;
    println!(
        "Delay: median minutes from the breach (1 % before it) to the alarm, alarms before the breach left out\n"
    );
    let rivals = rivals();
    print!("{:<34}{:>9}", "", "backout");
    rivals.iter().for_each(|rival| print!("{:>15}", rival.name));
    println!();
    let rule = rule(0.01, None);
    for (total, share) in [
        (5, 0.5),
        (20, 0.2),
        (20, 0.5),
        (100, 0.1),
        (100, 0.2),
        (100, 0.5),
        (1000, 0.1),
        (1000, 0.5),
    ] {
        let mut dice = Dice::new(11);
        let mut found: Vec<Vec<usize>> = vec![Vec::new(); rivals.len() + 1];
        for _ in 0..RUNS {
            let mut samples = dice.night(QUIET as u32, total, 0.01, 0.01, 0.0);
            samples.extend(dice.night(180, total, share, 0.01, 0.0));
            let mut note = |at: usize, fired: Option<usize>| {
                if let Some(fired) = fired.filter(|fired| *fired >= QUIET) {
                    found[at].push(fired - QUIET + 1);
                }
            };
            note(0, ours(&rule, &samples));
            for (at, rival) in rivals.iter().enumerate() {
                note(at + 1, (rival.fires)(&samples));
            }
        }
        let shown = |fired: &mut Vec<usize>| {
            fired.sort_unstable();
            let part = fired.len() as f64 / f64::from(RUNS);
            match fired.get(fired.len() / 2) {
                Some(median) if part > 0.995 => format!("{median}"),
                Some(median) => format!("{median} ({:.0} %)", part * 100.0),
                None => "never".to_owned(),
            }
        };
        print!("{:<34}", format!("{total} a minute, {:.0} % fail", share * 100.0));
        for (at, fired) in found.iter_mut().enumerate() {
            let width = if at == 0 { 9 } else { 15 };
            print!("{:>width$}", shown(fired));
        }
        println!();
    }
    println!(
        "\n(x %): in so many nights there was an alarm behind the breach and none before it.\n"
    );
}

fn updates() {
    const TRIGGERS: usize = 1000;
    const ROUNDS: u32 = 1000;
    let rule = rule(0.01, None);
    let began = Timestamp::from_second(1_780_000_000).unwrap_or_default();
    let mut all: Vec<Watched> = (0..TRIGGERS).map(|_| Watched::new(began)).collect();
    let mut dice = Dice::new(3);
    let samples: Vec<Sample> = (0..997)
        .map(|_| Sample::Counts { bad: f64::from(dice.bad(100, 0.03, 0.0)), total: 100.0 })
        .collect();
    let start = Instant::now();
    for round in 0..ROUNDS {
        let at = began + SignedDuration::from_secs(60 * i64::from(round + 1));
        for (index, watched) in all.iter_mut().enumerate() {
            watched.look(&rule, at, &samples[(index + round as usize) % samples.len()]);
        }
    }
    let took = start.elapsed().as_secs_f64();
    let rate = f64::from(ROUNDS) * TRIGGERS as f64 / took;
    // The same loop with a fixed threshold instead of evidence.
    let start = Instant::now();
    let mut beyond = 0_u64;
    for round in 0..ROUNDS as usize {
        for index in 0..TRIGGERS {
            if let Sample::Counts { bad, total } = samples[(index + round) % samples.len()] {
                beyond += u64::from(std::hint::black_box(bad / total) > LIMIT);
            }
        }
    }
    let plain = f64::from(ROUNDS) * TRIGGERS as f64 / start.elapsed().as_secs_f64();
    std::hint::black_box(beyond);
    println!("Updates: state machine and evidence, one core");
    println!(
        "  {rate:.0} a second (goal 500,000: {:.1} x); a bare comparison does {plain:.0}, {:.0} x ours\n",
        rate / 500_000.0,
        plain / rate
    );
}

/// A rival by its name, for the tables.
impl std::fmt::Debug for Rival {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
