//! Tasks, what they wait for, and what they need.

use crate::network::topological;

/// An amount of a resource a task holds while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Which resource, by position.
    pub resource: usize,
    /// How much of it.
    pub amount: u32,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Task {
    /// How long it takes, in whole units of time.
    pub duration: u32,
    /// What it waits for, by position.
    pub before: Vec<usize>,
    /// It does not start before this.
    pub release: u32,
    /// What it holds while it runs.
    pub needs: Vec<Need>,
}

/// A problem that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadProblem {
    /// Tasks wait for each other.
    Cycle,
    /// A task waits for, or needs, something that is not there.
    NoSuch(usize),
    /// A task needs more of a resource than there is.
    TooMuch(usize),
    /// Its times do not fit into the arithmetic.
    TooLong,
}

impl std::fmt::Display for BadProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cycle => f.write_str("tasks wait for each other in a circle"),
            Self::NoSuch(task) => write!(f, "task {task} needs something that is not there"),
            Self::TooMuch(task) => write!(f, "task {task} needs more than there is"),
            Self::TooLong => f.write_str("the times are too long"),
        }
    }
}

impl std::error::Error for BadProblem {}

/// A scheduling problem, checked.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// How much there is of each resource.
    pub capacity: Vec<u32>,
    pub(crate) behind: Vec<Vec<usize>>,
    /// Each task's position in an order that respects all waits.
    pub(crate) rank: Vec<usize>,
    /// The longest chain behind each task, its own duration left out.
    pub(crate) tail: Vec<u32>,
    /// The earliest start by chains and releases alone.
    pub(crate) head: Vec<u32>,
}

impl Problem {
    /// A problem, checked.
    ///
    /// # Errors
    /// [`BadProblem`].
    pub fn new(tasks: Vec<Task>, capacity: Vec<u32>) -> Result<Self, BadProblem> {
        let mut total: u32 = 0;
        for (index, task) in tasks.iter().enumerate() {
            if task.before.iter().any(|&first| first >= tasks.len())
                || task.needs.iter().any(|need| need.resource >= capacity.len())
            {
                return Err(BadProblem::NoSuch(index));
            }
            if task.needs.iter().any(|need| need.amount > capacity[need.resource]) {
                return Err(BadProblem::TooMuch(index));
            }
            total = total
                .checked_add(task.duration)
                .and_then(|sum| sum.checked_add(task.release))
                .filter(|sum| *sum < u32::MAX / 4)
                .ok_or(BadProblem::TooLong)?;
        }
        let before: Vec<&[usize]> = tasks.iter().map(|task| task.before.as_slice()).collect();
        let order = topological(&before).ok_or(BadProblem::Cycle)?;
        let mut behind = vec![Vec::new(); tasks.len()];
        for (index, task) in tasks.iter().enumerate() {
            task.before.iter().for_each(|&first| behind[first].push(index));
        }
        let mut head = vec![0; tasks.len()];
        for &index in &order {
            let ends = tasks[index].before.iter().map(|&first| head[first] + tasks[first].duration);
            head[index] = ends.fold(tasks[index].release, u32::max);
        }
        let mut tail = vec![0; tasks.len()];
        for &index in order.iter().rev() {
            let chains =
                behind[index].iter().map(|&next: &usize| tail[next] + tasks[next].duration);
            tail[index] = chains.fold(0, u32::max);
        }
        let mut rank = vec![0; tasks.len()];
        order.iter().enumerate().for_each(|(position, &index)| rank[index] = position);
        Ok(Self { tasks, capacity, behind, rank, tail, head })
    }

    /// How many tasks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The order of a schedule: by start, and otherwise as tasks wait.
    #[must_use]
    pub fn order_of(&self, starts: &[u32]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.tasks.len()).collect();
        order.sort_by_key(|&index| (starts[index], self.rank[index]));
        order
    }

    /// The time by which surely everything is done: one task after the other.
    pub(crate) fn horizon(&self) -> u32 {
        let releases = self.tasks.iter().map(|task| task.release).max().unwrap_or(0);
        releases + self.tasks.iter().map(|task| task.duration).sum::<u32>()
    }
}
