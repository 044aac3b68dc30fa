//! Whether a schedule can be beaten: asked of a solver that learns from every
//! dead end (lazy clause generation; Ohrimenko, Stuckey & Codish, Constraints
//! 14(3), 2009).
//!
//! The question is always "is there a schedule that ends one unit sooner?". A no
//! is a proof; a yes is a better schedule, and the question again. How long it
//! is asked is counted in decisions of the solver and not by the clock, so the
//! answer is the same everywhere.

use pumpkin_conflict_resolvers::resolvers::ResolutionResolver;
use pumpkin_constraints::{cumulative, disjunctive_strict, less_than_or_equals};
use pumpkin_core::Solver;
use pumpkin_core::results::{ProblemSolution, SatisfactionResult};
use pumpkin_core::termination::TerminationCondition;
use pumpkin_core::variables::{DomainId, TransformableVariable};
use pumpkin_propagators::disjunctive::ArgDisjunctiveTask;

use super::Problem;

/// The solver's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing ends that soon.
    No,
    /// These starts do.
    Yes(Vec<u32>),
    /// It was not found out.
    Unknown,
}

/// Ends the search after so many decisions.
struct Decisions(u64);

impl TerminationCondition for Decisions {
    fn should_stop(&mut self) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 == 0
    }
}

/// Is there a schedule that ends by `end`? Asked for at most `effort` decisions.
#[must_use]
pub fn ends_by(problem: &Problem, end: u32, effort: u64) -> Answer {
    let count = problem.len();
    let Ok(horizon) = i32::try_from(end) else { return Answer::Unknown };
    let figure = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let mut solver = Solver::default();
    let mut starts: Vec<DomainId> = Vec::with_capacity(count);
    for (index, task) in problem.tasks.iter().enumerate() {
        let (first, left) = (problem.head[index], problem.tail[index] + task.duration);
        let last = horizon - figure(left);
        if figure(first) > last {
            return Answer::No;
        }
        starts.push(solver.new_bounded_integer(figure(first), last));
    }
    // What cannot be posted contradicts what was: there is no such schedule.
    for (index, task) in problem.tasks.iter().enumerate() {
        for &before in &task.before {
            let tag = solver.new_constraint_tag();
            let apart = vec![starts[before].scaled(1), starts[index].scaled(-1)];
            let takes = figure(problem.tasks[before].duration);
            solver.add_constraint(less_than_or_equals(apart, -takes, tag)).post();
        }
    }
    for (resource, capacity) in problem.capacity.iter().enumerate() {
        let users: Vec<(usize, u32)> = problem
            .tasks
            .iter()
            .enumerate()
            .filter(|(_, task)| task.duration > 0)
            .filter_map(|(index, task)| {
                let of = task.needs.iter().filter(|need| need.resource == resource);
                let amount: u32 = of.map(|need| need.amount).sum();
                (amount > 0).then_some((index, amount))
            })
            .collect();
        let whole: Vec<usize> =
            users.iter().filter(|(_, amount)| 2 * amount > *capacity).map(|(i, _)| *i).collect();
        if whole.len() > 1 {
            let tag = solver.new_constraint_tag();
            let tasks = whole.iter().map(|&index| ArgDisjunctiveTask {
                start_time: starts[index],
                processing_time: figure(problem.tasks[index].duration),
            });
            solver.add_constraint(disjunctive_strict(tasks.collect::<Vec<_>>(), tag)).post();
        }
        if users.len() > 1 {
            let tag = solver.new_constraint_tag();
            let of = |figure: fn(&Problem, usize, u32) -> u32| -> Vec<i32> {
                let figures = users.iter().map(|(i, amount)| figure(problem, *i, *amount));
                figures.map(|value| i32::try_from(value).unwrap_or(i32::MAX)).collect()
            };
            let times: Vec<DomainId> = users.iter().map(|(index, _)| starts[*index]).collect();
            let durations = of(|problem, index, _| problem.tasks[index].duration);
            let amounts = of(|_, _, amount| amount);
            solver
                .add_constraint(cumulative(times, durations, amounts, figure(*capacity), tag))
                .post();
        }
    }
    let mut brancher = solver.default_brancher();
    let mut resolver = ResolutionResolver::default();
    match solver.satisfy(&mut brancher, &mut Decisions(effort), &mut resolver) {
        SatisfactionResult::Satisfiable(found) => {
            let solution = found.solution();
            let start = |of: &DomainId| u32::try_from(solution.get_integer_value(*of)).unwrap_or(0);
            Answer::Yes(starts.iter().map(start).collect())
        }
        SatisfactionResult::Unsatisfiable(..) => Answer::No,
        SatisfactionResult::Unknown(..) => Answer::Unknown,
    }
}
