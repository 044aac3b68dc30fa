//! Which steps a run has, in which order: what follows from the plan, the chosen
//! way, and what people changed about both.

use std::collections::{BTreeSet, HashMap};

use super::RunState;
use crate::event::RunPlanned;
use crate::graph::{Graph, only_components};
use crate::ids::{OptionId, StepId};
use crate::illegal::Illegal;
use crate::part::Part;
use crate::plan::Step;
use crate::release::needed;
use crate::status::{Status, StepState};

impl RunState {
    /// Computes everything that follows from the list of steps.
    pub(super) fn rebuild(&mut self) -> Result<(), Illegal> {
        self.index = self.steps.iter().enumerate().map(|(i, s)| (s.id.clone(), i)).collect();
        self.graph = Graph::new(&self.steps, &self.selected, &self.extra)?;
        self.order = self.graph.ordered_by(&self.ranks());
        self.open = self.graph.before.iter().map(Vec::len).collect();
        self.cleared = vec![false; self.steps.len()];
        for place in 0..self.graph.order.len() {
            let index = self.graph.order[place];
            self.cleared[index] = self.is_cleared(index);
            if self.cleared[index] {
                self.graph.behind[index].iter().for_each(|&next| self.open[next] -= 1);
            }
        }
        self.ready.clear();
        self.active.clear();
        let chosen = (0..self.steps.len()).filter(|&i| self.selected[i]);
        self.unsettled = chosen.filter(|&i| !self.states[i].status.is_settled()).count();
        (0..self.steps.len()).for_each(|index| self.refile(index));
        Ok(())
    }

    /// The same, after a step was written anew: what waits for it still waits for all that it waited
    /// for before. That it can start earlier itself says nothing about them.
    pub(super) fn rebuild_around(&mut self, index: usize) -> Result<(), Illegal> {
        let (before, behind) = (self.graph.before[index].clone(), self.graph.behind[index].clone());
        self.rebuild()?;
        let dropped = before.into_iter().filter(|first| !self.graph.before[index].contains(first));
        let id = |step: usize| self.steps[step].id.clone();
        let inherited: Vec<(StepId, StepId)> = dropped
            .flat_map(|first| behind.iter().map(move |&then| (first, then)))
            // Where the new step is to come before what the old one waited for.
            .filter(|&(first, then)| first != then && !self.graph.leads_to(then, first))
            .map(|(first, then)| (id(first), id(then)))
            .collect();
        if inherited.is_empty() {
            return Ok(());
        }
        self.extra.extend(inherited);
        self.rebuild()
    }

    /// Each step's place in the frozen order; a step that is not in it comes
    /// right behind the one above it in the list.
    fn ranks(&self) -> Vec<usize> {
        if self.frozen.is_empty() {
            return (0..self.steps.len()).collect();
        }
        let places: HashMap<&StepId, usize> =
            self.frozen.iter().enumerate().map(|(place, id)| (id, place + 1)).collect();
        let mut above = 0;
        let place = |step: &Step| {
            above = places.get(&step.id).copied().unwrap_or(above);
            above
        };
        self.steps.iter().map(place).collect()
    }

    pub(super) fn choose(&mut self, option: &OptionId) -> Result<(), Illegal> {
        self.option = Some(option.clone());
        self.select_way(Some(option), false)
    }

    /// Selects the steps of the way back: those of the option that are needed. Another option
    /// may do without a step that failed; the same one has to see to what it may have changed.
    pub(super) fn select_way(
        &mut self,
        option: Option<&OptionId>,
        failed_stays: bool,
    ) -> Result<(), Illegal> {
        let wanted = selection(&self.planned, option)?;
        let undoes = self.release.back.as_ref().map(|back| &back.undoes);
        let took: Vec<bool> = self
            .stages()
            .map(|i| undoes.is_some_and(|undoes| undoes.contains(&self.steps[i].id)))
            .collect();
        let needed = needed(&self.steps_of(Part::Stage), &took, &self.planned.plan.steps);
        let wanted: BTreeSet<&StepId> = self
            .planned
            .plan
            .steps
            .iter()
            .zip(wanted.into_iter().zip(needed))
            .filter(|(_, (wanted, needed))| *wanted && *needed)
            .map(|(s, _)| &s.id)
            .collect();
        for index in 0..self.steps.len() {
            if self.is_stage(index) {
                self.selected[index] = false;
                continue;
            }
            // What is done stays done, and what is under way is never forgotten.
            // A step that failed is over, unless the new way needs it too.
            let status = self.states[index].status;
            // Of the way that is gone: what another one has left behind stays left.
            let seen_to = failed_stays && self.states[index].took && self.selected[index];
            let failed = status == Status::Failed && !seen_to;
            let touched = status != Status::Pending && !failed;
            let added = self.planned.plan.step(&self.steps[index].id).is_none();
            self.selected[index] = touched || added || wanted.contains(&self.steps[index].id);
        }
        self.rebuild()
    }

    pub(super) fn insert(
        &mut self,
        step: &Step,
        behind: Option<&StepId>,
        before: &[StepId],
    ) -> Result<(), Illegal> {
        let (at, part) = self.place(behind, before)?;
        let forward = self.release.goes_forward();
        if part == Part::Stage {
            // There is something new to watch.
            self.release.watched = None;
        }
        for waits in before {
            let index = self.position(waits)?;
            if self.states[index].status != Status::Pending {
                return Err(Illegal::Status {
                    step: waits.clone(),
                    status: self.states[index].status,
                });
            }
        }
        self.steps.insert(at, step.clone());
        self.states.insert(at, StepState::new());
        self.parts.insert(at, part);
        // A step of a way back that is not gone waits until it is.
        self.selected.insert(at, part == Part::Stage || !forward);
        // Standing between two steps adds an order; it takes none away.
        if let Some(behind) = behind {
            self.extra.push((behind.clone(), step.id.clone()));
            let follower = self.steps.get(at + 1).filter(|follower| follower.after.is_none());
            if let Some(follower) = follower {
                self.extra.push((behind.clone(), follower.id.clone()));
            }
        }
        self.extra.extend(before.iter().map(|waits| (step.id.clone(), waits.clone())));
        self.rebuild()
    }
}

impl RunState {
    /// Where a new step stands, and whether it is a stage. Without a place it comes first: of
    /// the way that is being gone, or of that back where it stands before a step of it. Once
    /// the run goes back nothing new goes forward.
    fn place(&self, behind: Option<&StepId>, before: &[StepId]) -> Result<(usize, Part), Illegal> {
        let forward = self.release.goes_forward();
        // The first step of the backout: stages stand before it.
        let backout = self.stages().last().map_or(0, |last| last + 1);
        if let Some(behind) = behind {
            let index = self.position(behind)?;
            let (at, part) = (index + 1, self.parts[index]);
            return Ok(match forward {
                true => (at, part),
                false => (at.max(backout), Part::Backout),
            });
        }
        let places: Vec<usize> =
            before.iter().map(|waits| self.position(waits)).collect::<Result<_, _>>()?;
        // A stage that is told to wait for it waits.
        let of_the_backout =
            !places.is_empty() && places.iter().all(|place| !self.is_stage(*place));
        Ok(match forward && !of_the_backout {
            true => (0, Part::Stage),
            false => (backout, Part::Backout),
        })
    }
}

/// One flag per step of the plan: whether the chosen way holds it.
pub(super) fn selection(
    planned: &RunPlanned,
    option: Option<&OptionId>,
) -> Result<Vec<bool>, Illegal> {
    select(&planned.plan, option, &planned.only)
}

/// The steps of a plan that an option and a choice of components leave: one
/// flag per step.
///
/// # Errors
/// [`Illegal::NoOption`] when the plan does not have the option.
pub fn select(
    plan: &crate::plan::Plan,
    option: Option<&OptionId>,
    only: &[crate::ids::ComponentId],
) -> Result<Vec<bool>, Illegal> {
    let mut selected = if only.is_empty() {
        vec![true; plan.steps.len()]
    } else {
        only_components(&plan.steps, &only.iter().cloned().collect())
    };
    if let Some(option) = option {
        let way = plan.options.get(option).ok_or_else(|| Illegal::NoOption(option.clone()))?;
        if let Some(steps) = &way.steps {
            let listed: BTreeSet<&StepId> = steps.iter().collect();
            for (selected, step) in selected.iter_mut().zip(&plan.steps) {
                *selected &= listed.contains(&step.id);
            }
        }
    }
    Ok(selected)
}
