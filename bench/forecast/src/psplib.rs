//! Schedules of the PSPLIB instances (Kolisch & Sprecher, EJOR 96, 1997), against
//! the best known ones. The instances are not part of this project.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use backout_forecast::schedule::{Budget, Need, Problem, Task, check, solve};

/// Reads an instance in the `.sm` (PSPLIB) or `.rcp` (Patterson) format.
fn read(path: &Path) -> Problem {
    let text = std::fs::read_to_string(path).expect("an instance");
    let numbers = |line: &str| -> Vec<u32> {
        line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
    };
    if path.extension().is_some_and(|ext| ext == "rcp") {
        let mut all = text.split_whitespace().map(|word| word.parse::<u32>().expect("a number"));
        let mut take = || all.next().expect("enough numbers");
        let (count, resources) = (take() as usize, take() as usize);
        let capacity: Vec<u32> = (0..resources).map(|_| take()).collect();
        let mut tasks = vec![Task::default(); count];
        for index in 0..count {
            tasks[index].duration = take();
            tasks[index].needs = needs((0..resources).map(|_| take()).collect());
            for _ in 0..take() {
                tasks[take() as usize - 1].before.push(index);
            }
        }
        return Problem::new(tasks, capacity).expect("a sound instance");
    }
    let mut lines = text.lines();
    let mut section = |title: &str, skip: usize| -> Vec<Vec<u32>> {
        let _ = lines.by_ref().find(|line| line.starts_with(title));
        let rows = lines.by_ref().skip(skip).take_while(|line| !line.starts_with("****"));
        rows.map(numbers).filter(|row| !row.is_empty()).collect()
    };
    let precedence = section("PRECEDENCE RELATIONS", 1);
    let requests = section("REQUESTS/DURATIONS", 2);
    let capacity = section("RESOURCEAVAILABILITIES", 1).swap_remove(0);
    let mut tasks = vec![Task::default(); precedence.len()];
    for row in &requests {
        let task = &mut tasks[row[0] as usize - 1];
        task.duration = row[2];
        task.needs = needs(row[3..].to_vec());
    }
    for row in &precedence {
        for next in &row[3..] {
            tasks[*next as usize - 1].before.push(row[0] as usize - 1);
        }
    }
    Problem::new(tasks, capacity).expect("a sound instance")
}

fn needs(amounts: Vec<u32>) -> Vec<Need> {
    let all = amounts.into_iter().enumerate();
    all.filter(|(_, amount)| *amount > 0)
        .map(|(resource, amount)| Need { resource, amount })
        .collect()
}

/// The longest chain.
fn chain(problem: &Problem) -> u32 {
    let free = Problem::new(
        problem.tasks.iter().map(|task| Task { needs: Vec::new(), ..task.clone() }).collect(),
        Vec::new(),
    );
    backout_forecast::schedule::bound::lower_bound(&free.expect("the same without resources"))
}

fn best_known(folder: &Path) -> BTreeMap<String, u32> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let list = folder.with_file_name(format!("{name}-best.csv"));
    let text = std::fs::read_to_string(list).unwrap_or_default();
    let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    rows.map(|row| (row[0].to_owned(), row[3].parse().expect("a makespan"))).collect()
}

pub(crate) fn main(arguments: &[String]) {
    let budgets = [1_000, 5_000, 50_000];
    println!(
        "{:<8} {:>9} {:>6} {:>12} {:>12} {:>10} {:>12}",
        "set", "schedules", "count", "over chain", "over best", "= best", "ms each"
    );
    for folder in arguments {
        let folder = Path::new(folder);
        let best = best_known(folder);
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .expect("a folder of instances")
            .map(|entry| entry.expect("readable").path())
            .filter(|path| path.extension().is_some_and(|ext| ext == "sm" || ext == "rcp"))
            .collect();
        files.sort();
        let problems: Vec<(String, Problem)> = files
            .iter()
            .map(|path| {
                (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), read(path))
            })
            .collect();
        for schedules in budgets {
            let (mut over_chain, mut over_best, mut equal, mut known) = (0.0, 0.0, 0, 0);
            let begin = Instant::now();
            for (name, problem) in &problems {
                let found = solve(problem, Budget { seed: 1, schedules, keep: 0, proof: 0 });
                assert_eq!(check::check(problem, &found.starts), Ok(found.end), "{name}");
                assert!(found.bound <= found.end);
                over_chain += f64::from(found.end) / f64::from(chain(problem)) - 1.0;
                if let Some(best) = best.get(name) {
                    assert!(
                        found.end >= *best,
                        "{name}: {} is better than the best known",
                        found.end
                    );
                    over_best += f64::from(found.end) / f64::from(*best) - 1.0;
                    equal += u32::from(found.end == *best);
                    known += 1;
                }
            }
            let each = begin.elapsed().as_secs_f64() * 1e3 / problems.len() as f64;
            let count = problems.len() as f64;
            println!(
                "{:<8} {schedules:>9} {count:>6} {:>10.3} % {:>10.3} % {equal:>10} {each:>12.2}",
                folder.file_name().unwrap_or_default().to_string_lossy(),
                100.0 * over_chain / count,
                100.0 * over_best / f64::from(known.max(1)),
            );
        }
    }
}
