//! How short it can be at best.

use super::Problem;

/// A lower bound on the end: the longest chain; for each resource the work on
/// it, with the least that must come before and behind; and the same for every
/// set of tasks that hold a whole resource one after the other.
#[must_use]
pub fn lower_bound(problem: &Problem) -> u32 {
    let chains = (0..problem.len())
        .map(|index| problem.head[index] + problem.tasks[index].duration + problem.tail[index]);
    let chain = chains.max().unwrap_or(0);
    let resources = (0..problem.capacity.len()).map(|resource| on_resource(problem, resource));
    chain.max(resources.max().unwrap_or(0))
}

/// Tasks on one resource, as (head, duration, tail).
struct Work {
    head: u32,
    duration: u32,
    tail: u32,
}

fn on_resource(problem: &Problem, resource: usize) -> u32 {
    let capacity = u64::from(problem.capacity[resource].max(1));
    let (mut whole, mut energy) = (Vec::new(), 0_u64);
    let (mut head, mut tail) = (u32::MAX, u32::MAX);
    for (index, task) in problem.tasks.iter().enumerate() {
        let amount: u32 =
            task.needs.iter().filter(|need| need.resource == resource).map(|n| n.amount).sum();
        if amount == 0 || task.duration == 0 {
            continue;
        }
        energy += u64::from(amount) * u64::from(task.duration);
        head = head.min(problem.head[index]);
        tail = tail.min(problem.tail[index]);
        // Two tasks of more than half exclude each other.
        if u64::from(amount) * 2 > capacity {
            whole.push(Work {
                head: problem.head[index],
                duration: task.duration,
                tail: problem.tail[index],
            });
        }
    }
    if energy == 0 {
        return 0;
    }
    let by_energy = head + u32::try_from(energy.div_ceil(capacity)).unwrap_or(0) + tail;
    by_energy.max(preemptive(whole))
}

/// Jackson's preemptive schedule on one machine: at each moment the task with
/// the longest tail runs (Carlier, EJOR 11(1), 1982).
fn preemptive(mut work: Vec<Work>) -> u32 {
    work.sort_by_key(|work| work.head);
    let mut open: std::collections::BinaryHeap<(u32, u32)> = std::collections::BinaryHeap::new();
    let (mut next, mut now, mut bound) = (0, 0, 0);
    while next < work.len() || !open.is_empty() {
        if open.is_empty() {
            now = now.max(work[next].head);
        }
        while next < work.len() && work[next].head <= now {
            open.push((work[next].tail, work[next].duration));
            next += 1;
        }
        if let Some((tail, left)) = open.pop() {
            let until = work.get(next).map_or(u32::MAX, |work| work.head);
            if now + left <= until {
                now += left;
                bound = bound.max(now + tail);
            } else {
                open.push((tail, left - (until - now)));
                now = until;
            }
        }
    }
    bound
}
