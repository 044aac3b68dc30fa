//! Which steps run, and what each one waits for.
//!
//! A step follows the one before it in the file unless it says `after`. The
//! difference matters for a partial backout. `after: [restore-db]` is a
//! *dependency*: the author says this step needs that one. Merely standing
//! below it is an *order*: whoever restores only the web servers still wants
//! the announcement before and the health check behind, in this order, but not
//! the database in between.
//!
//! So a way back is a selection of steps, and the order between two selected
//! steps is every path between them, also one that leads through steps left
//! out ("bridged"). A dependency is never bridged away by a selection of
//! components: what a selected step explicitly needs is selected with it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::ids::{ComponentId, StepId};
use crate::plan::Step;

/// Steps that wait for each other in a circle, in the order of the circle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("steps wait for each other in a circle: {}", display_circle(.0))]
pub struct Cycle(pub Vec<StepId>);

fn display_circle(steps: &[StepId]) -> String {
    let mut names: Vec<&str> = steps.iter().map(StepId::as_str).collect();
    names.extend(steps.first().map(StepId::as_str));
    names.join(" → ")
}

/// What each step waits for, by position in the list of steps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Graph {
    /// For each step, the selected steps that must be done before it, ascending.
    pub before: Vec<Vec<usize>>,
    /// For each step, the selected steps that wait for it, ascending.
    pub behind: Vec<Vec<usize>>,
    /// Selected steps, each after everything it waits for; plan order where free.
    pub order: Vec<usize>,
}

/// One step's own waits, before any selection.
struct Waits {
    on: Vec<usize>,
    /// Whether the author wrote them down as `after`.
    explicit: bool,
}

fn waits(steps: &[Step], extra: &[(StepId, StepId)]) -> Vec<Waits> {
    let index: BTreeMap<&StepId, usize> =
        steps.iter().enumerate().map(|(i, s)| (&s.id, i)).collect();
    let mut all: Vec<Waits> = steps
        .iter()
        .enumerate()
        .map(|(i, step)| match &step.after {
            Some(after) => Waits {
                on: after.iter().filter_map(|id| index.get(id).copied()).collect(),
                explicit: true,
            },
            None => Waits { on: i.checked_sub(1).into_iter().collect(), explicit: false },
        })
        .collect();
    for (first, then) in extra {
        if let (Some(first), Some(then)) = (index.get(first), index.get(then)) {
            all[*then].on.push(*first);
        }
    }
    all
}

impl Graph {
    /// The graph over the steps for which `selected` is true. `extra` holds
    /// further orders `(first, then)` that deviations added.
    ///
    /// # Errors
    /// [`Cycle`] when steps wait for each other.
    pub fn new(
        steps: &[Step],
        selected: &[bool],
        extra: &[(StepId, StepId)],
    ) -> Result<Self, Cycle> {
        let waits = waits(steps, extra);
        check_for_cycles(steps, &waits)?;
        let before: Vec<Vec<usize>> = (0..steps.len())
            .map(|step| if selected[step] { bridged(step, &waits, selected) } else { Vec::new() })
            .collect();
        let mut behind = vec![Vec::new(); steps.len()];
        for (step, before) in before.iter().enumerate() {
            before.iter().for_each(|&first| behind[first].push(step));
        }
        let order = topological(&before, &behind, selected);
        Ok(Self { before, behind, order })
    }

    /// The graph over all steps.
    ///
    /// # Errors
    /// [`Cycle`] when steps wait for each other.
    pub fn of_all(steps: &[Step]) -> Result<Self, Cycle> {
        Self::new(steps, &vec![true; steps.len()], &[])
    }

    /// The steps in an order that respects all waits and otherwise `rank`, lowest
    /// first.
    #[must_use]
    pub fn ordered_by(&self, rank: &[usize]) -> Vec<usize> {
        let mut open: Vec<usize> = self.before.iter().map(Vec::len).collect();
        let start = self.order.iter().filter(|&&step| open[step] == 0);
        let mut free: BTreeSet<(usize, usize)> = start.map(|&step| (rank[step], step)).collect();
        let mut order = Vec::with_capacity(self.order.len());
        while let Some((_, step)) = free.pop_first() {
            order.push(step);
            for &next in &self.behind[step] {
                open[next] -= 1;
                if open[next] == 0 {
                    free.insert((rank[next], next));
                }
            }
        }
        order
    }

    /// Whether there is a path from `first` to `then`.
    #[must_use]
    pub fn leads_to(&self, first: usize, then: usize) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![first];
        while let Some(step) = open.pop() {
            for &next in &self.behind[step] {
                if next == then {
                    return true;
                }
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
        false
    }
}

/// The nearest selected steps on every path into `step`.
fn bridged(step: usize, waits: &[Waits], selected: &[bool]) -> Vec<usize> {
    let mut found = BTreeSet::new();
    let mut passed = BTreeSet::new();
    let mut open = waits[step].on.clone();
    while let Some(first) = open.pop() {
        if selected[first] {
            found.insert(first);
        } else if passed.insert(first) {
            open.extend(&waits[first].on);
        }
    }
    found.into_iter().collect()
}

fn check_for_cycles(steps: &[Step], waits: &[Waits]) -> Result<(), Cycle> {
    // Depth-first, by hand: a plan of ten thousand steps is a chain that deep.
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; steps.len()];
    for root in 0..steps.len() {
        if marks[root] != Mark::New {
            continue;
        }
        let mut path: Vec<(usize, usize)> = vec![(root, 0)];
        marks[root] = Mark::Open;
        while let Some((step, next)) = path.last_mut() {
            let Some(&first) = waits[*step].on.get(*next) else {
                marks[*step] = Mark::Done;
                path.pop();
                continue;
            };
            *next += 1;
            match marks[first] {
                Mark::Done => {}
                Mark::New => {
                    marks[first] = Mark::Open;
                    path.push((first, 0));
                }
                Mark::Open => {
                    let from = path.iter().position(|(step, _)| *step == first).unwrap_or(0);
                    let circle = path[from..].iter().rev().map(|(step, _)| steps[*step].id.clone());
                    return Err(Cycle(circle.collect()));
                }
            }
        }
    }
    Ok(())
}

fn topological(before: &[Vec<usize>], behind: &[Vec<usize>], selected: &[bool]) -> Vec<usize> {
    let mut open: Vec<usize> = before.iter().map(Vec::len).collect();
    let mut free: BTreeSet<usize> =
        (0..before.len()).filter(|&step| selected[step] && open[step] == 0).collect();
    let mut order = Vec::new();
    while let Some(step) = free.pop_first() {
        order.push(step);
        for &next in &behind[step] {
            open[next] -= 1;
            if open[next] == 0 {
                free.insert(next);
            }
        }
    }
    order
}

/// The steps of a partial backout: those of the given components, what they
/// need, and the steps of no component on the way to and from them.
///
/// Returns one flag per step.
#[must_use]
pub fn only_components(steps: &[Step], components: &BTreeSet<ComponentId>) -> Vec<bool> {
    let waits = waits(steps, &[]);
    let ours = |step: usize| steps[step].component.as_ref().is_some_and(|c| components.contains(c));
    let shared = |step: usize| steps[step].component.is_none();

    let mut selected: Vec<bool> = (0..steps.len()).map(ours).collect();
    // Behind: shared steps that come after ours, such as letting traffic back in.
    let mut behind = vec![Vec::new(); steps.len()];
    for (step, waits) in waits.iter().enumerate() {
        waits.on.iter().for_each(|&first| behind[first].push(step));
    }
    let mut open: VecDeque<usize> = (0..steps.len()).filter(|&step| ours(step)).collect();
    let mut seen: BTreeSet<usize> = open.iter().copied().collect();
    while let Some(step) = open.pop_front() {
        for &next in &behind[step] {
            if seen.insert(next) {
                selected[next] |= shared(next);
                open.push_back(next);
            }
        }
    }
    // Before: what ours explicitly need, whatever its component, and shared
    // steps on the way, passing over the steps of other components.
    let mut open: Vec<(usize, bool)> =
        (0..steps.len()).filter(|&step| selected[step]).map(|step| (step, ours(step))).collect();
    let mut seen: BTreeSet<(usize, bool)> = open.iter().copied().collect();
    while let Some((step, needs)) = open.pop() {
        for &first in &waits[step].on {
            let needed = needs && waits[step].explicit;
            selected[first] |= needed || shared(first);
            let entry = (first, needed || ours(first));
            if seen.insert(entry) {
                open.push(entry);
            }
        }
    }
    selected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Action;

    fn step(id: &str, component: Option<&str>, after: Option<&[&str]>) -> Step {
        let after = after.map(|ids| serde_json::json!(ids));
        let mut value = serde_json::json!({"id": id, "manual": "x"});
        if let Some(component) = component {
            value["component"] = component.into();
        }
        if let Some(after) = after {
            value["after"] = after;
        }
        let step: Step = serde_json::from_value(value).expect("a step");
        assert!(matches!(step.action, Action::Manual(_)));
        step
    }

    fn chosen(steps: &[Step], components: &[&str]) -> Vec<String> {
        let wanted = components.iter().map(|c| ComponentId::new(*c).expect("a name")).collect();
        let flags = only_components(steps, &wanted);
        steps.iter().zip(flags).filter(|(_, on)| *on).map(|(s, _)| s.id.to_string()).collect()
    }

    #[test]
    fn each_step_follows_the_one_before_unless_it_says_after() {
        let steps = [
            step("a", None, None),
            step("b", None, None),
            step("c", None, Some(&["a"])),
            step("d", None, Some(&[])),
        ];
        let graph = Graph::of_all(&steps).expect("no cycle");
        assert_eq!(graph.before, [vec![], vec![0], vec![0], vec![]]);
        assert_eq!(graph.order, [0, 1, 2, 3]);
    }

    #[test]
    fn steps_left_out_are_bridged() {
        let steps = [step("a", None, None), step("b", None, None), step("c", None, None)];
        let graph = Graph::new(&steps, &[true, false, true], &[]).expect("no cycle");
        assert_eq!(graph.before[2], [0]);
        assert_eq!(graph.order, [0, 2]);
    }

    #[test]
    fn a_circle_is_named() {
        let steps = [step("a", None, Some(&["c"])), step("b", None, None), step("c", None, None)];
        let cycle = Graph::of_all(&steps).expect_err("a cycle");
        assert_eq!(cycle.0.len(), 3);
        let alone = [step("a", None, Some(&["a"]))];
        assert_eq!(
            Graph::of_all(&alone).expect_err("a cycle").to_string(),
            "steps wait for each other in a circle: a → a"
        );
    }

    #[test]
    fn a_partial_backout_keeps_the_frame_and_leaves_other_components_out() {
        let steps = [
            step("announce", None, None),
            step("stop", None, None),
            step("db", Some("database"), None),
            step("web", Some("web"), None),
            step("config", Some("config"), None),
            step("start", Some("web"), None),
            step("traffic", None, None),
        ];
        assert_eq!(chosen(&steps, &["web"]), ["announce", "stop", "web", "start", "traffic"]);
        assert_eq!(chosen(&steps, &["database"]), ["announce", "stop", "db", "traffic"]);
    }

    #[test]
    fn what_a_step_explicitly_needs_comes_along() {
        let steps = [
            step("db", Some("database"), None),
            step("cache", Some("cache"), Some(&[])),
            step("web", Some("web"), Some(&["db"])),
            step("check", None, Some(&["web", "cache"])),
        ];
        assert_eq!(chosen(&steps, &["web"]), ["db", "web", "check"]);
        assert_eq!(chosen(&steps, &["cache"]), ["cache", "check"]);
    }
}
