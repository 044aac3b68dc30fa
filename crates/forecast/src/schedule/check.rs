//! Whether a schedule is one. Shares no code with what makes schedules.

use super::Problem;

/// What is wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Infeasible {
    /// Not one start for each task.
    Incomplete,
    /// A task starts before something it waits for has ended.
    Early {
        /// The task.
        task: usize,
        /// What it waits for.
        waits_for: usize,
    },
    /// A task starts before it may.
    BeforeRelease(usize),
    /// More of a resource is held than there is.
    Overload {
        /// The resource.
        resource: usize,
        /// When.
        at: u32,
    },
}

impl std::fmt::Display for Infeasible {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Incomplete => f.write_str("not every task has a start"),
            Self::Early { task, waits_for } => {
                write!(f, "task {task} starts before task {waits_for} has ended")
            }
            Self::BeforeRelease(task) => write!(f, "task {task} starts before it may"),
            Self::Overload { resource, at } => {
                write!(f, "too much of resource {resource} is held at {at}")
            }
        }
    }
}

impl std::error::Error for Infeasible {}

/// Checks starts against the problem, and returns when the last task ends.
///
/// # Errors
/// [`Infeasible`], the first thing that is wrong.
pub fn check(problem: &Problem, starts: &[u32]) -> Result<u32, Infeasible> {
    if starts.len() != problem.tasks.len() {
        return Err(Infeasible::Incomplete);
    }
    for (task, it) in problem.tasks.iter().enumerate() {
        if starts[task] < it.release {
            return Err(Infeasible::BeforeRelease(task));
        }
        for &first in &it.before {
            if starts[task] < starts[first] + problem.tasks[first].duration {
                return Err(Infeasible::Early { task, waits_for: first });
            }
        }
    }
    for (resource, capacity) in problem.capacity.iter().enumerate() {
        // Every change of what is held; at one time, ends before starts.
        let mut changes: Vec<(u32, i64)> = Vec::new();
        for (task, it) in problem.tasks.iter().enumerate() {
            let amount: u32 =
                it.needs.iter().filter(|n| n.resource == resource).map(|n| n.amount).sum();
            if amount > 0 && it.duration > 0 {
                changes.push((starts[task], i64::from(amount)));
                changes.push((starts[task] + it.duration, -i64::from(amount)));
            }
        }
        changes.sort_unstable();
        let mut held = 0;
        for (at, change) in changes {
            held += change;
            if held > i64::from(*capacity) {
                return Err(Infeasible::Overload { resource, at });
            }
        }
    }
    let ends = problem.tasks.iter().zip(starts).map(|(task, start)| start + task.duration);
    Ok(ends.max().unwrap_or(0))
}
