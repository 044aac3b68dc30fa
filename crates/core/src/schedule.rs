//! When each step would start and end if everything took its stated time.
//!
//! Every step starts as soon as what it waits for is done; a person does one
//! manual step at a time (a team as many as it has people), in plan order; machines carry
//! out as many as there are places ([`crate::parallel`]).
//! This is the plain schedule: one figure per step, no risk. It is what "planned"
//! means in a status, and what `check` holds against the window.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::graph::Graph;
use crate::parallel::{DEFAULT, takes_place};
use crate::plan::{Plan, Step};

/// Start and end of one step, counted from the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slot {
    /// When it starts.
    pub start: Duration,
    /// When it is done.
    pub end: Duration,
}

/// The plain schedule of a way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// One slot per step of the list; zero for steps that are not selected.
    pub slots: Vec<Slot>,
    /// When the last step is done.
    pub total: Duration,
    /// The chain of steps that makes the total what it is, first to last.
    pub critical: Vec<usize>,
}

/// Which figure of an estimate to count with.
pub type Figure = fn(crate::duration::Estimate) -> crate::duration::Span;

impl Schedule {
    /// Schedules the steps of `graph`. A step without an estimate counts as no time.
    #[must_use]
    pub fn new(plan: &Plan, steps: &[Step], graph: &Graph, figure: Figure) -> Self {
        let places = plan.max_parallel.map_or(DEFAULT, |most| most.0);
        Self::with_places(plan, steps, graph, figure, places)
    }

    /// The same, with so many steps of machines at the same time.
    #[must_use]
    pub fn with_places(
        plan: &Plan,
        steps: &[Step],
        graph: &Graph,
        figure: Figure,
        places: u32,
    ) -> Self {
        let of_machines = graph.order.iter().filter(|&&index| takes_place(&steps[index])).count();
        // When each place is free, and the step that has it until then.
        let mut machine: Vec<(Duration, Option<usize>)> = match places as usize {
            places if places < of_machines => vec![(Duration::ZERO, None); places.max(1)],
            _ => Vec::new(),
        };
        let mut slots = vec![Slot::default(); steps.len()];
        // What the start of each step waited for: a step before it, or its owner's.
        let mut waited_for: Vec<Option<usize>> = vec![None; steps.len()];
        let mut busy: BTreeMap<String, Vec<(Duration, Option<usize>)>> = BTreeMap::new();
        for &index in &graph.order {
            let step = &steps[index];
            let takes = step.takes.map_or(Duration::ZERO, |takes| figure(takes).get());
            let last = graph.before[index].iter().copied().max_by_key(|&first| slots[first].end);
            let mut start = last.map_or(Duration::ZERO, |first| slots[first].end);
            waited_for[index] = last;
            if let (true, Some(owner)) = (step.action.is_manual(), &step.owner) {
                let role = plan.roles.get(owner);
                let team = role.and_then(|role| role.team).map_or(1, |team| team.0.clamp(1, 1000));
                let lanes = busy
                    .entry(plan.person(owner))
                    .or_insert_with(|| vec![(Duration::ZERO, None); team as usize]);
                if let Some(lane) = lanes.iter_mut().min_by_key(|(free, _)| *free) {
                    if lane.0 > start {
                        start = lane.0;
                        waited_for[index] = lane.1;
                    }
                    *lane = (start + takes, Some(index));
                }
            }
            if takes_place(step) && !machine.is_empty() {
                // The one that has been free for the shortest time, else the next to be free.
                let free = machine.iter_mut().filter(|(free, _)| *free <= start);
                let place = match free.max_by_key(|(free, _)| *free) {
                    Some(place) => Some(place),
                    None => machine.iter_mut().min_by_key(|(free, _)| *free),
                };
                if let Some(place) = place {
                    if place.0 > start {
                        start = place.0;
                        waited_for[index] = place.1;
                    }
                    *place = (start + takes, Some(index));
                }
            }
            slots[index] = Slot { start, end: start + takes };
        }
        let last = graph.order.iter().copied().max_by_key(|&index| (slots[index].end, index));
        let mut critical: Vec<usize> =
            std::iter::successors(last, |&index| waited_for[index]).collect();
        critical.reverse();
        let total = last.map_or(Duration::ZERO, |index| slots[index].end);
        Self { slots, total, critical }
    }
}
