//! How long people take to respond: to the call, to a failure, to a question.

use std::collections::BTreeSet;

use super::inputs::stated;
use super::situation::{Now, Situation};
use crate::learning::{Assumptions, Known, learn};
use crate::network::Duration;
use crate::table::Table;

/// A person confirms a step once its action has ended.
pub(super) struct Confirm {
    /// Until they respond to the question; nothing for those who are at work already.
    pub(super) responds: Option<Duration>,
    /// They were called for other work, too: position in the reaches.
    pub(super) reach: Option<usize>,
}

/// How long the person who does or answers for a step takes to respond, as the plan
/// says.
fn responds(situation: &Situation<'_>, index: usize, assumed: &Assumptions) -> Option<Duration> {
    let role = situation.steps[index].owner.as_ref()?;
    let responds = situation.plan.roles.get(role)?.responds?;
    let known = Known::stated(stated(Some(responds)));
    learn(&[known], assumed).durations.pop()
}

/// How long until a person has a step repeated that failed: `forecast.help`, and no
/// sooner than its owner responds. Where the plan says neither, the assumed help.
pub(super) fn help_for(situation: &Situation<'_>, index: usize, assumed: &Assumptions) -> Duration {
    let stated = situation.plan.forecast.is_some_and(|said| said.help.is_some());
    let Some(responds) = responds(situation, index, assumed) else {
        return Duration::exactly(assumed.help);
    };
    let least = if stated { assumed.help } else { 0.0 };
    let seconds = |tail| {
        let drawn = responds.table.quantile(tail) * responds.scale + responds.offset;
        drawn.min(responds.cap).max(least)
    };
    Duration::of(Table::new(seconds))
}

/// Whom the run has seen at work: they have done something, or are doing it.
fn at_work<'a>(situation: &'a Situation<'_>) -> BTreeSet<&'a str> {
    let under_way =
        (0..situation.steps.len()).filter(|&index| matches!(situation.now[index], Now::Running(_)));
    let done = situation.took.iter().map(|(step, _)| *step);
    under_way.chain(done).filter_map(|index| situation.doer[index].as_deref()).collect()
}

/// Until people who have done nothing yet are at work.
pub(super) fn responses(
    situation: &Situation<'_>,
    steps: &[usize],
    assumed: &Assumptions,
) -> (Vec<Option<usize>>, Vec<Duration>, Vec<String>) {
    let mut people: Vec<String> = Vec::new();
    let mut reaches: Vec<Duration> = Vec::new();
    let at_work = at_work(situation);
    let reach = steps
        .iter()
        .map(|&index| {
            let step = &situation.steps[index];
            let doer = situation.doer[index].as_deref().filter(|_| step.action.is_manual())?;
            if at_work.contains(doer) || situation.now[index] != Now::Ahead {
                return None;
            }
            if let Some(place) = people.iter().position(|name| name == doer) {
                return Some(place);
            }
            reaches.push(responds(situation, index, assumed)?);
            people.push(doer.to_owned());
            Some(people.len() - 1)
        })
        .collect();
    (reach, reaches, people)
}

/// Who has to confirm what a machine did, and how long they take to respond: they are
/// asked when the action has ended, unless the run has them at work by then.
pub(super) fn confirmations(
    situation: &Situation<'_>,
    steps: &[usize],
    people: &[String],
    assumed: &Assumptions,
) -> Vec<Option<Confirm>> {
    let manual = |index: usize| situation.steps[index].action.is_manual();
    let done = situation.took.iter().map(|(step, _)| *step);
    let busy =
        (0..situation.steps.len()).filter(|&index| matches!(situation.now[index], Now::Running(_)));
    let at_work: BTreeSet<&str> = done
        .chain(busy)
        .filter(|&index| manual(index))
        .filter_map(|index| situation.doer[index].as_deref())
        .collect();
    steps
        .iter()
        .map(|&index| {
            let step = &situation.steps[index];
            let doer = situation.doer[index].as_deref()?;
            if step.action.is_reported() || step.confirmations().next().is_none() {
                return None;
            }
            if at_work.contains(doer) {
                return None;
            }
            let responds = responds(situation, index, assumed)?;
            Some(match people.iter().position(|name| name == doer) {
                Some(reach) => Confirm { responds: None, reach: Some(reach) },
                None => Confirm { responds: Some(responds), reach: None },
            })
        })
        .collect()
}
