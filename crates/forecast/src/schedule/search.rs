//! A genetic search over orders of tasks.
//!
//! Individuals are schedules that went through justification. A child takes the
//! stretch of time in which one parent uses its resources best, and the rest in
//! the other's order (the crossover of Debels & Vanhoucke, Operations Research
//! 55(3), 2007), or two cuts of both orders (Hartmann, NRL 45(7), 1998). It is
//! scheduled, justified, and takes the place of the worst if it is better and
//! not there already. A population that finds nothing new any more is made anew
//! around its best.

use std::collections::HashSet;

use super::bound::lower_bound;
use super::proof::{Answer, ends_by};
use super::serial::{Serial, order_by};
use super::{Problem, check};
use crate::random::Dice;

/// How long to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// What the random choices come from.
    pub seed: u64,
    /// How many schedules to make at most; each pass counts.
    pub schedules: u64,
    /// How many different good orders to keep.
    pub keep: usize,
    /// How many decisions a solver may take to prove that nothing is shorter, or to
    /// find what is; zero not to ask.
    pub proof: u64,
}

impl Budget {
    /// What a plan of this many steps deserves: an answer in well under a second.
    #[must_use]
    pub fn for_size(steps: usize, seed: u64) -> Self {
        let schedules = (4_000_000 / steps.max(1) as u64).clamp(60, 5_000);
        // A proof is for plans people can take in; fleets get a gap.
        let proof = if steps <= 600 { 20_000 } else { 0 };
        Self { seed, schedules, keep: 30, proof }
    }
}

/// A schedule, and how good it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solution {
    /// When each task starts.
    pub starts: Vec<u32>,
    /// When the last one ends.
    pub end: u32,
    /// No schedule ends before this.
    pub bound: u32,
    /// How many schedules were made.
    pub made: u64,
    /// Further good orders, the best first, this one among them: each as the
    /// starts of its tasks.
    pub others: Vec<Vec<u32>>,
}

impl Solution {
    /// Whether nothing can be shorter.
    #[must_use]
    pub fn is_optimal(&self) -> bool {
        self.end <= self.bound
    }

    /// How much shorter it could be at most, as a share of the bound.
    #[must_use]
    pub fn gap(&self) -> f64 {
        if self.bound == 0 { 0.0 } else { f64::from(self.end - self.bound) / f64::from(self.bound) }
    }
}

struct Individual {
    starts: Vec<u32>,
    order: Vec<usize>,
    end: u32,
    hash: u64,
}

/// Searches for a short schedule.
#[must_use]
pub fn solve(problem: &Problem, budget: Budget) -> Solution {
    let mut found = Search::new(problem, budget).run();
    if budget.proof > 0 {
        prove(problem, budget.proof, &mut found);
    }
    found
}

/// Asks for something one unit shorter until there is nothing, or patience ends.
fn prove(problem: &Problem, effort: u64, found: &mut Solution) {
    while found.end > found.bound {
        match ends_by(problem, found.end - 1, effort) {
            Answer::No => found.bound = found.end,
            Answer::Unknown => return,
            Answer::Yes(starts) => match check::check(problem, &starts) {
                Ok(end) if end < found.end => {
                    found.end = end;
                    found.starts.clone_from(&starts);
                    found.others.insert(0, starts);
                }
                // A solver that is wrong is not believed.
                _ => return,
            },
        }
    }
}

struct Search<'a> {
    problem: &'a Problem,
    budget: Budget,
    bound: u32,
    serial: Serial<'a>,
    dice: Dice,
    people: Vec<Individual>,
    seen: HashSet<u64>,
    best: Option<(u32, Vec<u32>)>,
    /// The best ones over all populations, for whoever wants to choose among them.
    hall: Vec<(u32, Vec<u32>)>,
}

impl<'a> Search<'a> {
    fn new(problem: &'a Problem, budget: Budget) -> Self {
        Self {
            problem,
            budget,
            bound: lower_bound(problem),
            serial: Serial::new(problem),
            dice: Dice::new(budget.seed),
            people: Vec::new(),
            seen: HashSet::new(),
            best: None,
            hall: Vec::new(),
        }
    }

    fn run(mut self) -> Solution {
        let first = self.serial.first_order();
        let size = self.size();
        self.admit(first.clone());
        let mut generation = 0_u64;
        while !self.over() {
            self.populate(size, &first, generation);
            self.evolve(size);
            generation += 1;
            self.people.clear();
            self.seen.clear();
        }
        let (end, starts) = self.best.unwrap_or_default();
        debug_assert_eq!(check::check(self.problem, &starts), Ok(end));
        let others = self.hall.into_iter().map(|(_, starts)| starts).collect();
        Solution { starts, end, bound: self.bound.min(end), made: self.serial.made, others }
    }

    fn over(&self) -> bool {
        let enough = self.hall.len() >= self.budget.keep || self.problem.len() < 3;
        self.serial.made >= self.budget.schedules
            || (enough && self.best.as_ref().is_some_and(|(end, _)| *end <= self.bound))
    }

    /// Small budgets want small populations.
    fn size(&self) -> usize {
        match self.budget.schedules {
            0..2_000 => 24,
            2_000..20_000 => 50,
            _ => 250,
        }
    }

    /// Random orders, pulled towards urgency to different degrees.
    fn populate(&mut self, size: usize, first: &[usize], generation: u64) {
        if generation == 0 {
            self.admit(first.to_vec());
        } else if let Some((_, starts)) = self.best.clone() {
            let order = order_by(self.problem, |index| starts[index]);
            self.admit(order);
        }
        let mut tries = 0;
        while self.people.len() < size && tries < 4 * size && !self.over() {
            tries += 1;
            let pull = self.dice.below(4) as u64;
            let urgent: Vec<u64> = (0..self.problem.len())
                .map(|index| {
                    let behind = self.problem.tail[index] + self.problem.tasks[index].duration;
                    let noise = self.dice.below(1 + self.bound as usize) as u64;
                    u64::MAX / 2 - u64::from(behind) * pull - noise
                })
                .collect();
            let order = order_by(self.problem, |index| urgent[index]);
            self.admit(order);
        }
    }

    fn evolve(&mut self, size: usize) {
        if self.people.len() < 4 {
            return;
        }
        let mut barren = 0;
        while !self.over() && barren < 8 * size {
            let (mother, father) = (self.tournament(), self.tournament());
            if mother == father {
                barren += 1;
                continue;
            }
            let order = if self.dice.chance(400) {
                self.best_stretch(mother, father)
            } else {
                self.two_cuts(mother, father)
            };
            let order = self.mutate(order);
            if self.admit(order) {
                barren = 0;
                if self.people.len() > size {
                    let worst = (0..self.people.len()).max_by_key(|&i| (self.people[i].end, i));
                    if let Some(worst) = worst {
                        let gone = self.people.swap_remove(worst);
                        self.seen.remove(&gone.hash);
                    }
                }
            } else {
                barren += 1;
            }
        }
    }

    /// Schedules and justifies an order; takes it in unless it is known or bad.
    fn admit(&mut self, mut order: Vec<usize>) -> bool {
        let mut starts = vec![0; self.problem.len()];
        let mut end = self.serial.forward(&order, &mut starts);
        let mut hash = 0;
        // As long as it gets shorter, once more.
        while self.serial.made < self.budget.schedules {
            let justified = self.serial.justify(end, &mut starts, &mut order);
            let shorter = justified < end;
            end = justified;
            if !shorter {
                break;
            }
        }
        self.serial.by_start(&starts, &mut order);
        for (index, start) in starts.iter().enumerate() {
            hash = crate::random::mix64(hash ^ ((index as u64) << 32 | u64::from(*start)));
        }
        if self.best.as_ref().is_none_or(|(best, _)| end < *best) {
            self.best = Some((end, starts.clone()));
        }
        self.remember(end, &starts);
        let worst = self.people.iter().map(|person| person.end).max();
        if self.people.len() >= self.size() && worst.is_some_and(|worst| end > worst) {
            return false;
        }
        if !self.seen.insert(hash) {
            return false;
        }
        self.people.push(Individual { starts, order, end, hash });
        true
    }

    fn remember(&mut self, end: u32, starts: &[u32]) {
        let keep = self.budget.keep;
        if keep == 0 || (self.hall.len() >= keep && self.hall.last().is_some_and(|l| l.0 <= end)) {
            return;
        }
        if self.hall.iter().any(|(other, known)| *other == end && known == starts) {
            return;
        }
        let at = self.hall.partition_point(|(other, _)| *other <= end);
        self.hall.insert(at, (end, starts.to_vec()));
        self.hall.truncate(keep);
    }

    fn tournament(&mut self) -> usize {
        let (one, other) = (self.dice.below(self.people.len()), self.dice.below(self.people.len()));
        if self.people[one].end <= self.people[other].end { one } else { other }
    }

    /// The mother's order up to a cut, the father's for the middle, the mother's
    /// for the rest.
    fn two_cuts(&mut self, mother: usize, father: usize) -> Vec<usize> {
        let count = self.problem.len();
        let (a, b) = (self.dice.below(count + 1), self.dice.below(count + 1));
        let (from, to) = (a.min(b), a.max(b));
        let (mother, father) = (&self.people[mother].order, &self.people[father].order);
        let mut taken = vec![false; count];
        let mut order = Vec::with_capacity(count);
        let mut take = |order: &mut Vec<usize>, parent: &[usize], until: usize| {
            for &index in parent {
                if order.len() >= until {
                    break;
                }
                if !std::mem::replace(&mut taken[index], true) {
                    order.push(index);
                }
            }
        };
        take(&mut order, mother, from);
        take(&mut order, father, to);
        take(&mut order, mother, count);
        order
    }

    /// The stretch in which the mother uses most of what there is stays together;
    /// around it the father's order.
    fn best_stretch(&mut self, mother: usize, father: usize) -> Vec<usize> {
        let (tasks, capacity) = (&self.problem.tasks, &self.problem.capacity);
        let (parent, other) = (&self.people[mother], &self.people[father]);
        let end = parent.end.max(1);
        let length = (end / 4 + self.dice.below(1 + end as usize / 2) as u32).max(1);
        // What is used in a stretch, for a few places it could have.
        let mut best = (-1.0, 0);
        for _ in 0..4 {
            let from = self.dice.below(1 + end.saturating_sub(length) as usize) as u32;
            let to = from + length;
            let mut used = 0.0;
            for (index, task) in tasks.iter().enumerate() {
                let (start, stop) = (parent.starts[index], parent.starts[index] + task.duration);
                let inside = stop.min(to).saturating_sub(start.max(from));
                if inside > 0 {
                    for need in &task.needs {
                        let whole = f64::from(capacity[need.resource].max(1));
                        used += f64::from(inside) * f64::from(need.amount) / whole;
                    }
                }
            }
            if used > best.0 {
                best = (used, from);
            }
        }
        let (from, to) = (best.1, best.1 + length);
        let far = 4 * i64::from(end);
        order_by(self.problem, |index| {
            let start = parent.starts[index];
            if start >= from && start + tasks[index].duration <= to {
                i64::from(start)
            } else {
                let start = i64::from(other.starts[index]);
                if start < i64::from(from) { start - far } else { start + far }
            }
        })
    }

    /// Now and then a task moves to another place among those it may have.
    fn mutate(&mut self, mut order: Vec<usize>) -> Vec<usize> {
        let count = order.len();
        for position in 0..count {
            if !self.dice.chance(50) {
                continue;
            }
            let index = order[position];
            let before = &self.problem.tasks[index].before;
            let behind = &self.problem.behind[index];
            let low = order[..position]
                .iter()
                .rposition(|other| before.contains(other))
                .map_or(0, |found| found + 1);
            let high = order[position + 1..]
                .iter()
                .position(|other| behind.contains(other))
                .map_or(count - 1, |found| position + found);
            let target = low + self.dice.below(high - low + 1);
            order.remove(position);
            order.insert(target, index);
        }
        order
    }
}
