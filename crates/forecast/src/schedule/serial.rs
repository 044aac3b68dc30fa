//! From an order of tasks to a schedule, and back and forth to a better one.
//!
//! The serial scheme takes the tasks in an order and gives each the earliest
//! start that its waits and what is left of its resources allow; unlike handing
//! out work as people become free, it reaches an optimal schedule from some
//! order (Kolisch, EJOR 90(2), 1996). *Justification* pushes every task as late
//! as it will go, latest end first, and then as early, and never makes a
//! schedule longer (Valls, Ballestín & Quintanilla, EJOR 165(2), 2005).

use super::Problem;
use super::profile::Profile;

/// Makes schedules of one problem. Holds its scratch space.
pub struct Serial<'a> {
    problem: &'a Problem,
    profile: Profile,
    mirrored: Vec<u32>,
    /// How many schedules were made.
    pub made: u64,
}

impl<'a> Serial<'a> {
    /// For one problem.
    #[must_use]
    pub fn new(problem: &'a Problem) -> Self {
        let mirrored = vec![0; problem.len()];
        Self { problem, profile: Profile::new(problem), mirrored, made: 0 }
    }

    /// Each task as early as it will go, in this order, which must name each task
    /// behind everything it waits for. Returns when the last one ends.
    pub fn forward(&mut self, order: &[usize], starts: &mut [u32]) -> u32 {
        self.made += 1;
        self.profile.clear();
        let mut end = 0;
        for &index in order {
            let task = &self.problem.tasks[index];
            let mut from = task.release;
            for &first in &task.before {
                from = from.max(starts[first] + self.problem.tasks[first].duration);
            }
            let start = self.profile.place(index, from, task.duration);
            starts[index] = start;
            end = end.max(start + task.duration);
        }
        end
    }

    /// Each task as late as it will go before `end`, in this order, which must
    /// name each task behind everything that waits for it. Changes `starts`.
    pub fn backward(&mut self, order: &[usize], end: u32, starts: &mut [u32]) {
        self.made += 1;
        self.profile.clear();
        // In mirrored time a task starts where it ends.
        for &index in order {
            let mut from = 0;
            for &next in &self.problem.behind[index] {
                from = from.max(self.mirrored[next] + self.problem.tasks[next].duration);
            }
            let duration = self.problem.tasks[index].duration;
            let start = self.profile.place(index, from, duration);
            self.mirrored[index] = start;
            starts[index] = end.saturating_sub(start + duration);
        }
    }

    /// Latest and then earliest again. Returns the end, which is no later than before.
    pub fn justify(&mut self, end: u32, starts: &mut [u32], order: &mut [usize]) -> u32 {
        self.by_end(starts, order);
        self.backward(order, end, starts);
        self.by_start(starts, order);
        self.forward(order, starts)
    }

    /// Tasks by their ends, latest first.
    fn by_end(&self, starts: &[u32], order: &mut [usize]) {
        let tasks = &self.problem.tasks;
        let rank = self.ranks();
        order.sort_unstable_by_key(|&index| {
            (
                std::cmp::Reverse(starts[index] + tasks[index].duration),
                std::cmp::Reverse(rank[index]),
            )
        });
    }

    /// Tasks by their starts, earliest first.
    pub fn by_start(&self, starts: &[u32], order: &mut [usize]) {
        let rank = self.ranks();
        order.sort_unstable_by_key(|&index| (starts[index], rank[index]));
    }

    /// Positions in an order that respects all waits: it decides among tasks of
    /// no duration.
    fn ranks(&self) -> &[usize] {
        &self.problem.rank
    }

    /// The order by latest start times: the first answer.
    #[must_use]
    pub fn first_order(&self) -> Vec<usize> {
        let problem = self.problem;
        let urgency: Vec<u32> = (0..problem.len())
            .map(|index| u32::MAX - problem.tail[index] - problem.tasks[index].duration)
            .collect();
        order_by(problem, |index| urgency[index])
    }
}

/// An order that respects all waits, smallest key first where free.
pub(crate) fn order_by<K: Ord>(problem: &Problem, key: impl Fn(usize) -> K) -> Vec<usize> {
    use std::cmp::Reverse;
    let mut open: Vec<usize> = problem.tasks.iter().map(|task| task.before.len()).collect();
    let mut free: std::collections::BinaryHeap<Reverse<(K, usize)>> = (0..problem.len())
        .filter(|&index| open[index] == 0)
        .map(|index| Reverse((key(index), index)))
        .collect();
    let mut order = Vec::with_capacity(problem.len());
    while let Some(Reverse((_, index))) = free.pop() {
        order.push(index);
        for &next in &problem.behind[index] {
            open[next] -= 1;
            if open[next] == 0 {
                free.push(Reverse((key(next), next)));
            }
        }
    }
    order
}
