//! Schedules: feasible always, optimal where that can be known.

use backout_forecast::schedule::bound::lower_bound;
use backout_forecast::schedule::{Budget, Need, Problem, Task, check, solve};
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

/// A problem: durations, waits as bits, releases, needs, capacities.
fn problem(most: usize) -> impl Strategy<Value = Problem> {
    let task = (0..12_u32, any::<u64>(), 0..6_u32, 0..4_usize, 1..3_u32);
    let tasks = prop::collection::vec(task, 1..=most);
    (tasks, prop::collection::vec(1..4_u32, 3)).prop_map(|(drawn, capacity)| {
        let tasks =
            drawn.iter().enumerate().map(|(index, (duration, waits, release, on, amount))| {
                let before =
                    (0..index).filter(|first| waits >> (first * 3 % 61) & 7 == 0).collect();
                // One in four needs nothing at all.
                let needs = match capacity.get(*on) {
                    Some(most) => vec![Need { resource: *on, amount: (*amount).min(*most) }],
                    None => Vec::new(),
                };
                Task { duration: *duration, before, release: release * (release % 2), needs }
            });
        Problem::new(tasks.collect(), capacity).expect("a sound problem")
    })
}

fn budget(schedules: u64) -> Budget {
    Budget { seed: 7, schedules, keep: 5, proof: 0 }
}

/// The shortest schedule there is: every order, each task as early as it will go.
fn shortest(problem: &Problem) -> u32 {
    fn place(problem: &Problem, starts: &mut Vec<Option<u32>>, best: &mut u32) {
        let open: Vec<usize> = (0..problem.len())
            .filter(|&task| {
                starts[task].is_none()
                    && problem.tasks[task].before.iter().all(|&first| starts[first].is_some())
            })
            .collect();
        if open.is_empty() {
            let ends = starts.iter().zip(&problem.tasks).map(|(s, t)| s.unwrap_or(0) + t.duration);
            *best = (*best).min(ends.max().unwrap_or(0));
            return;
        }
        for task in open {
            let it = &problem.tasks[task];
            let ends = it
                .before
                .iter()
                .map(|&first| starts[first].unwrap_or(0) + problem.tasks[first].duration);
            let mut start = ends.fold(it.release, u32::max);
            // Minute by minute: nothing here is shared with what is tested.
            while !fits(problem, starts, task, start) {
                start += 1;
            }
            starts[task] = Some(start);
            place(problem, starts, best);
            starts[task] = None;
        }
    }
    fn fits(problem: &Problem, starts: &[Option<u32>], task: usize, start: u32) -> bool {
        let it = &problem.tasks[task];
        (start..start + it.duration).all(|now| {
            it.needs.iter().all(|need| {
                let held: u32 = (0..problem.len())
                    .filter(|&other| {
                        starts[other]
                            .is_some_and(|s| s <= now && now < s + problem.tasks[other].duration)
                    })
                    .flat_map(|other| &problem.tasks[other].needs)
                    .filter(|other| other.resource == need.resource)
                    .map(|other| other.amount)
                    .sum();
                held + need.amount <= problem.capacity[need.resource]
            })
        })
    }
    let mut best = u32::MAX;
    place(problem, &mut vec![None; problem.len()], &mut best);
    best
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(300))]

    #[test]
    fn small_problems_are_solved_to_the_end(problem in problem(6)) {
        let found = solve(&problem, budget(2000));
        let best = shortest(&problem);
        prop_assert_eq!(check::check(&problem, &found.starts), Ok(found.end));
        prop_assert_eq!(found.end, best);
        prop_assert!(lower_bound(&problem) <= best, "{} {}", lower_bound(&problem), best);
    }

    #[test]
    fn every_schedule_is_one(problem in problem(60)) {
        let found = solve(&problem, budget(300));
        prop_assert_eq!(check::check(&problem, &found.starts), Ok(found.end));
        prop_assert!(found.bound <= found.end);
        for other in &found.others {
            let end = check::check(&problem, other).map_err(|wrong| wrong.to_string());
            prop_assert!(end.is_ok(), "{:?}", &end);
            prop_assert!(end.unwrap_or(0) >= found.end);
        }
    }

    #[test]
    fn more_of_a_resource_never_raises_the_bound(problem in problem(40), which in 0..3_usize) {
        let mut more = problem.capacity.clone();
        more[which] += 1;
        let richer = Problem::new(problem.tasks.clone(), more).expect("sound");
        prop_assert!(lower_bound(&richer) <= lower_bound(&problem));
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule(problem in problem(30)) {
        prop_assert_eq!(solve(&problem, budget(500)), solve(&problem, budget(500)));
    }
}

/// Forty owners with a hundred tasks each and hours of work: the form for long
/// horizons, against the checker.
#[test]
fn long_plans_are_feasible_too() {
    let mut seed = 99_u64;
    let mut roll = move |end: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % end
    };
    let tasks = (0..4000_usize).map(|index| {
        let before = (0..2)
            .filter(|_| index > 0)
            .map(|_| index - 1 - (roll(50) as usize).min(index - 1))
            .collect::<std::collections::BTreeSet<_>>();
        let needs = vec![Need { resource: roll(40) as usize, amount: 1 }];
        Task {
            duration: 30 + roll(3600) as u32,
            before: before.into_iter().collect(),
            release: 0,
            needs,
        }
    });
    let problem = Problem::new(tasks.collect(), vec![1; 40]).expect("sound");
    let found = solve(&problem, Budget { seed: 1, schedules: 9, keep: 0, proof: 0 });
    assert_eq!(check::check(&problem, &found.starts), Ok(found.end));
    assert!(found.gap() < 0.5, "{}", found.gap());
}
