//! What is held when, and where a task still fits.
//!
//! Two forms of the same thing. Few resources over a short horizon are packed,
//! four to a word and one word to a unit of time: one subtraction tests all
//! four. Anything else keeps, for each resource, a list of stretches with what
//! is held in them; a busy owner's day is one stretch, so long plans cost what
//! their gaps cost and not what their seconds do.

use super::{Need, Problem};

pub(crate) enum Profile {
    Packed(Packed),
    Listed(Listed),
}

impl Profile {
    pub(crate) fn new(problem: &Problem) -> Self {
        let horizon = problem.horizon() as usize;
        let small = problem.capacity.len() <= 4
            && horizon <= 8192
            && problem.capacity.iter().all(|capacity| *capacity < 0x7fff);
        if small {
            Self::Packed(Packed::new(problem, horizon))
        } else {
            Self::Listed(Listed::new(problem))
        }
    }

    pub(crate) fn clear(&mut self) {
        match self {
            Self::Packed(packed) => {
                packed.free[..packed.used].fill(packed.all);
                packed.used = 0;
            }
            Self::Listed(listed) => listed.held.iter_mut().for_each(Vec::clear),
        }
    }

    /// Finds the earliest start from `from` on, and takes it.
    #[inline]
    pub(crate) fn place(&mut self, task: usize, from: u32, duration: u32) -> u32 {
        match self {
            Self::Packed(packed) => packed.place(task, from, duration),
            Self::Listed(listed) => listed.place(task, from, duration),
        }
    }
}

/// The highest bit of each of the four parts of a word.
const GUARDS: u64 = 0x8000_8000_8000_8000;

pub(crate) struct Packed {
    /// What is free at each unit of time.
    free: Vec<u64>,
    all: u64,
    needs: Vec<u64>,
    /// Nothing is held from here on.
    used: usize,
}

impl Packed {
    fn new(problem: &Problem, horizon: usize) -> Self {
        let mut all = 0;
        for (part, capacity) in problem.capacity.iter().enumerate() {
            all |= u64::from(*capacity) << (16 * part);
        }
        let pack = |needs: &[Need]| {
            needs.iter().map(|need| u64::from(need.amount) << (16 * need.resource)).sum()
        };
        let needs = problem.tasks.iter().map(|task| pack(&task.needs)).collect();
        Self { free: vec![all; horizon + 1], all, needs, used: 0 }
    }

    fn place(&mut self, task: usize, from: u32, duration: u32) -> u32 {
        let need = self.needs[task];
        if need == 0 || duration == 0 {
            return from;
        }
        let length = duration as usize;
        let mut start = from as usize;
        'again: loop {
            // From the back: the last unit that does not fit says where to go on.
            for time in (start..start + length).rev() {
                let left = (self.free[time] | GUARDS) - need;
                if left & GUARDS != GUARDS {
                    start = time + 1;
                    continue 'again;
                }
            }
            break;
        }
        self.free[start..start + length].iter_mut().for_each(|free| *free -= need);
        self.used = self.used.max(start + length);
        u32::try_from(start).unwrap_or(u32::MAX)
    }
}

/// A stretch of time and what is held in it.
#[derive(Clone, Copy)]
struct Stretch {
    from: u32,
    to: u32,
    amount: u32,
}

pub(crate) struct Listed {
    capacity: Vec<u32>,
    needs: Vec<Vec<Need>>,
    /// Per resource, disjoint and ascending; what is not listed is free.
    held: Vec<Vec<Stretch>>,
}

impl Listed {
    fn new(problem: &Problem) -> Self {
        Self {
            capacity: problem.capacity.clone(),
            needs: problem.tasks.iter().map(|task| task.needs.clone()).collect(),
            held: vec![Vec::new(); problem.capacity.len()],
        }
    }

    fn place(&mut self, task: usize, from: u32, duration: u32) -> u32 {
        if duration == 0 {
            return from;
        }
        let mut start = from;
        loop {
            let before = start;
            for need in &self.needs[task] {
                let room = self.capacity[need.resource] - need.amount;
                start = fit(&self.held[need.resource], room, start, duration);
            }
            if start == before {
                break;
            }
        }
        for index in 0..self.needs[task].len() {
            let need = self.needs[task][index];
            if need.amount > 0 {
                hold(&mut self.held[need.resource], start, start + duration, need.amount);
            }
        }
        start
    }
}

/// The earliest start from `start` on at which never more than `room` is held.
fn fit(held: &[Stretch], room: u32, mut start: u32, duration: u32) -> u32 {
    let first = held.partition_point(|stretch| stretch.to <= start);
    for stretch in &held[first..] {
        if stretch.from >= start + duration {
            break;
        }
        if stretch.amount > room {
            start = stretch.to;
        }
    }
    start
}

/// Adds an amount from `from` to `to`.
fn hold(held: &mut Vec<Stretch>, from: u32, to: u32, amount: u32) {
    let mut at = held.partition_point(|stretch| stretch.to <= from);
    let mut open = from;
    while open < to {
        match held.get(at).copied() {
            Some(stretch) if stretch.from < to => {
                if stretch.from > open {
                    held.insert(at, Stretch { from: open, to: stretch.from, amount });
                    open = stretch.from;
                    at += 1;
                } else if stretch.from < open {
                    // Split what begins before.
                    held[at].to = open;
                    held.insert(at + 1, Stretch { from: open, ..stretch });
                    at += 1;
                } else if stretch.to > to {
                    held[at].from = to;
                    held.insert(at, Stretch { from: open, to, amount: stretch.amount + amount });
                    open = to;
                } else {
                    held[at].amount += amount;
                    open = stretch.to;
                    at += 1;
                }
            }
            _ => {
                held.insert(at, Stretch { from: open, to, amount });
                open = to;
                at += 1;
            }
        }
    }
    // Neighbours that hold the same become one.
    let mut index = at.min(held.len().saturating_sub(1));
    while index > 0 {
        if held[index - 1].to == held[index].from && held[index - 1].amount == held[index].amount {
            held[index - 1].to = held[index].to;
            held.remove(index);
        } else if held[index].to < from {
            break;
        }
        index -= 1;
    }
}
