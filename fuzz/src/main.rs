//! Throws mutated plans, logs and documents at their readers for a while.
//!
//! `cargo run -p backout-fuzz -- --seconds 600 --seed 7`. It mutates real
//! inputs (the example plan, the sound plan, a small log) by bytes, by lines and
//! by splicing them, which on these formats reaches further than random bytes.
//! A panic ends it, with the input written to `fuzz/artifacts/`. No nightly
//! compiler is needed; `docs/testing.md` says how to go further with one.

mod papers;

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use backout_core::ids::RunId;
use backout_core::record::Chain;
use backout_core::state::RunState;

const PLANS: [&str; 5] = [
    include_str!("../../examples/customer-portal/portal.backout.yaml"),
    include_str!("../../examples/canary/plan.backout.yaml"),
    include_str!("../../examples/expand-contract/plan.backout.yaml"),
    include_str!("../../examples/flag-first/plan.backout.yaml"),
    include_str!("../../crates/plan/tests/it/sound.backout.yaml"),
];

/// What the mutations splice in: the words and signs the readers care about.
const WORDS: [&str; 24] = [
    "&a ",
    "*a",
    "!x ",
    "? ",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "|\n",
    ">\n",
    "'",
    "\"",
    "\t",
    "\r",
    "\u{0}",
    "\u{feff}",
    "é",
    "null",
    "99999999999999999999",
    "2026-03-29T01:30",
    "((((((((",
    "0x",
];

/// A small, fast generator (SplitMix64); the same seed gives the same inputs.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end.max(1) as u64).unwrap_or(0)
    }
}

fn mutate(dice: &mut Dice, input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + dice.below(40)).min(bytes.len());
        match dice.below(6) {
            0 if at < bytes.len() => bytes[at] = u8::try_from(dice.below(256)).unwrap_or(0),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let copied = bytes[at..end].to_vec();
                let to = dice.below(bytes.len() + 1);
                bytes.splice(to..to, copied);
            }
            3 => drop(bytes.splice(at..at, WORDS[dice.below(WORDS.len())].bytes())),
            4 => bytes.truncate(at.max(1)),
            _ => drop(bytes.splice(at..end, WORDS[dice.below(WORDS.len())].bytes())),
        }
    }
    bytes
}

fn plan_reader(bytes: &[u8]) {
    match backout_plan::read_bytes(bytes) {
        Ok(read) => {
            let checked = backout_plan::check::check(&read, &BTreeSet::new());
            for finding in checked.findings {
                let _ = finding.render("plan", &read.source, false);
            }
            let json = serde_json::to_string(&read.plan).unwrap_or_default();
            let again = backout_plan::read_bytes(json.as_bytes());
            assert!(
                again.is_ok_and(|again| again.plan == read.plan),
                "a plan does not survive its own JSON"
            );
        }
        Err((text, problems)) => {
            assert!(!problems.is_empty(), "refused without a reason");
            for problem in problems {
                let _ = problem.render("plan", &text, false);
            }
        }
    }
}

/// A small log: a plan, an owner, a step.
fn log_reader(lines: &[Vec<u8>]) {
    let Ok(run) = RunId::new("CHG7-1") else { return };
    let mut chain = Chain::new(run);
    let mut state: Option<RunState> = None;
    for line in lines {
        let Ok(record) = chain.read(line) else { return };
        let applied = match &mut state {
            None => RunState::begin(&record, chain.tail()).map(|begun| state = Some(begun)),
            Some(state) => state.apply(&record, chain.tail()),
        };
        if applied.is_err() {
            return;
        }
    }
    if let Some(state) = state {
        let _ = backout_core::question::questions(&state);
        let _ = backout_core::decide::decide(&state, state.started());
    }
}

fn small_log() -> Vec<u8> {
    let text = PLANS[1].replace('\r', "");
    let Ok(read) = backout_plan::read_bytes(text.as_bytes()) else { return Vec::new() };
    let planned = serde_json::json!({
        "event": "run_planned", "plan_digest": read.digest, "source": "", "folder": "/", "plan": read.plan,
        "window": {}, "mode": "live",
    });
    let zero = format!("sha256:{}", "0".repeat(64));
    let record = serde_json::json!({
        "v": 1, "run": "CHG7-1", "seq": 1, "epoch": 0, "at": "2026-06-06T02:00:00Z",
        "actor": {"kind": "person", "name": "x", "account": "x"}, "events": [planned], "prev": zero,
    });
    record.to_string().into_bytes()
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let option = |name: &str, default: u64| {
        let at = words.iter().position(|word| word == name);
        at.and_then(|at| words.get(at + 1)).and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let (seconds, seed) = (option("--seconds", 10), option("--seed", 1));
    let mut dice = Dice(seed);
    let until = Instant::now() + Duration::from_secs(seconds);
    let log = small_log();
    let papers = papers::papers();
    assert!(!papers.is_empty(), "the example documents are not there");
    assert!(catch_unwind(|| log_reader(std::slice::from_ref(&log))).is_ok());
    let mut inputs = 0_u64;
    while Instant::now() < until {
        let from = PLANS[dice.below(PLANS.len())];
        let plan = mutate(&mut dice, from.as_bytes());
        let record = mutate(&mut dice, &log);
        let (paper, document) = papers::like_one(&mut dice, &papers);
        inputs += 3;
        let good = catch_unwind(|| plan_reader(&plan)).is_ok();
        let good_log = catch_unwind(|| log_reader(std::slice::from_ref(&record))).is_ok();
        let good_paper = catch_unwind(|| papers::importer(&paper, &document)).is_ok();
        let document_name = format!("{paper}-");
        for (name, input, good) in [
            ("plan", &plan, good),
            ("log", &record, good_log),
            (document_name.as_str(), &document, good_paper),
        ] {
            if !good {
                let _ = std::fs::create_dir_all("fuzz/artifacts");
                let path = format!("fuzz/artifacts/{name}-{seed}-{inputs}");
                let _ = std::fs::write(&path, input);
                eprintln!("a reader panicked; the input is in {path}");
                std::process::exit(1);
            }
        }
    }
    println!("fuzz: {inputs} inputs, seed {seed}, no panic");
}
