//! `semantics: prometheus`, against Prometheus itself: `promtool test rules` says at
//! which evaluations an alert is pending and firing.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use backout_core::plan::Missing;
use backout_core::watch::State;
use backout_trigger::machine::{Sample, Watched};
use backout_trigger::rule::{Kind, Rule};
use jiff::Timestamp;

/// What the series holds at one evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Low,
    High,
    Stale,
    NaN,
}

impl At {
    fn written(self) -> &'static str {
        match self {
            Self::Low => "1",
            Self::High => "9",
            Self::Stale => "stale",
            Self::NaN => "NaN",
        }
    }

    fn sample(self) -> Sample {
        match self {
            Self::Low => Sample::Value { value: 1.0, beyond: false },
            Self::High => Sample::Value { value: 9.0, beyond: true },
            Self::Stale => Sample::Nothing,
            Self::NaN => Sample::Value { value: f64::NAN, beyond: false },
        }
    }
}

/// Series that look random and are the same everywhere.
fn series(seed: u64) -> Vec<At> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..14)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            match state % 10 {
                0..=5 => At::High,
                6 | 7 => At::Low,
                8 => At::Stale,
                _ => At::NaN,
            }
        })
        .collect()
}

fn ours(series: &[At], lasting: u64, keeps: u64) -> Vec<&'static str> {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let rule = Rule {
        kind: Kind::Plain,
        every: minutes(1),
        lasting: minutes(lasting),
        recovers_after: minutes(keeps),
        max_gap: minutes(1),
        grace: minutes(3),
        error_after: minutes(2),
        short: minutes(5),
        on_no_data: Missing::Breach,
        on_error: Missing::Inconclusive,
        required: true,
        prometheus: true,
    };
    let began = Timestamp::from_second(1_780_000_000).expect("a time");
    let mut watched = Watched::new(began);
    let at = |minute: usize| began + jiff::SignedDuration::from_mins(minute as i64);
    let look = |(minute, sample): (usize, &At)| {
        watched.look(&rule, at(minute), &sample.sample());
        match watched.state {
            State::Pending => "pending",
            State::Firing => "firing",
            _ => "none",
        }
    };
    series.iter().enumerate().map(look).collect()
}

#[test]
fn prometheus_agrees_at_every_evaluation() {
    if Command::new("promtool").arg("--version").output().is_err() {
        println!("NOT RUN: the compatible mode against promtool: prometheus");
        return;
    }
    let folder = std::env::temp_dir().join(format!("backout-promtool-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut rules = "groups:\n- name: all\n  interval: 1m\n  rules:\n".to_owned();
    let mut tests = "rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n".to_owned();
    let mut count = 0;
    for (lasting, keeps) in [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (0, 2)] {
        let alert = format!("A{lasting}K{keeps}");
        let keep =
            if keeps > 0 { format!("    keep_firing_for: {keeps}m\n") } else { String::new() };
        writeln!(
            rules,
            "  - alert: {alert}\n    expr: x{{of=\"{alert}\"}} > 5\n    for: {lasting}m\n{keep}"
        )
        .expect("text");
        for seed in 1..=12 {
            let series = series(seed * 7 + lasting + 31 * keeps);
            let values: Vec<&str> = series.iter().map(|at| at.written()).collect();
            writeln!(tests, "- interval: 1m\n  input_series:\n  - series: 'x{{of=\"{alert}\"}}'\n    values: '{}'\n  promql_expr_test:", values.join(" ")).expect("text");
            for (minute, state) in ours(&series, lasting, keeps).iter().enumerate() {
                writeln!(tests, "  - expr: 'sum by (alertstate) (ALERTS{{alertname=\"{alert}\"}})'\n    eval_time: {minute}m").expect("text");
                match *state {
                    "none" => writeln!(tests, "    exp_samples: []"),
                    state => writeln!(
                        tests,
                        "    exp_samples: [{{labels: '{{alertstate=\"{state}\"}}', value: 1}}]"
                    ),
                }
                .expect("text");
                count += 1;
            }
        }
    }
    std::fs::write(folder.join("rules.yml"), rules).expect("written");
    std::fs::write(folder.join("tests.yml"), tests).expect("written");
    let done = Command::new("promtool")
        .args(["test", "rules", "tests.yml"])
        .current_dir(&folder)
        .output()
        .expect("promtool runs");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(done.status.success(), "{}", said.chars().take(4000).collect::<String>());
    assert_eq!(count, 6 * 12 * 14);
    std::fs::remove_dir_all(&folder).expect("removed");
}
