//! Plans of the shape people have: steps with one owner each, waiting for steps
//! shortly before them.

use std::time::Instant;

use backout_forecast::schedule::{Budget, Need, Problem, Task, check, solve};

/// A plan by its number: the same everywhere.
pub(crate) fn plan(steps: usize, owners: usize, number: u64) -> Problem {
    let mut seed = 0x5eed ^ (number << 20) ^ (steps as u64);
    let mut roll = move |end: usize| {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(z ^ (z >> 31)) * end as u128) >> 64) as usize
    };
    // From hardly any choice to hardly any order: hard ones are between.
    let reach = [3, 6, 12, 25][number as usize % 4] * steps.div_ceil(100);
    let tasks = (0..steps).map(|index| {
        let waits = if index == 0 { 0 } else { roll(3) };
        let mut before: Vec<usize> =
            (0..waits).map(|_| index - 1 - roll(reach).min(index - 1)).collect();
        before.sort_unstable();
        before.dedup();
        let needs = vec![Need { resource: roll(owners), amount: 1 }];
        Task { duration: 5 + u32::try_from(roll(56)).expect("small"), before, release: 0, needs }
    });
    Problem::new(tasks.collect(), vec![1; owners]).expect("a sound plan")
}

/// A plan as text for the peer: one line per task: duration, owner, waits.
pub(crate) fn write(arguments: &[String]) {
    let number = |index: usize| -> u64 { arguments[index].parse().expect("a number") };
    let problem = plan(number(0) as usize, number(1) as usize, number(2));
    for task in &problem.tasks {
        let before: Vec<String> = task.before.iter().map(ToString::to_string).collect();
        println!("{} {} {}", task.duration, task.needs[0].resource, before.join(","));
    }
}

/// One plan: `schedules end bound milliseconds` for each number of schedules, and
/// `proof end bound milliseconds` for the proof behind the last of them.
pub(crate) fn main(arguments: &[String]) {
    let number = |index: usize| -> u64 { arguments[index].parse().expect("a number") };
    let problem = plan(number(0) as usize, number(1) as usize, number(2));
    let effort = number(3);
    let all: Vec<u64> = arguments[4..].iter().map(|text| text.parse().expect("a number")).collect();
    let run = |schedules, proof, name: &str| {
        let begin = Instant::now();
        let found = solve(&problem, Budget { seed: 1, schedules, keep: 0, proof });
        let took = begin.elapsed().as_secs_f64() * 1e3;
        assert_eq!(check::check(&problem, &found.starts), Ok(found.end));
        println!("{name} {} {} {took:.3}", found.end, found.bound);
    };
    for schedules in &all {
        run(*schedules, 0, &schedules.to_string());
    }
    if let (true, Some(last)) = (effort > 0, all.last()) {
        run(*last, effort, "proof");
    }
}
