//! From steps, people and lanes to a scheduling problem, and from an order of
//! work to a network.

use std::collections::{BTreeMap, BTreeSet};

use backout_core::event::Instants;
use backout_core::graph::Graph;
use backout_core::ids::StepId;
use backout_core::plan::{Plan, Step};
use backout_core::state::RunState;
use backout_core::status::Status;
use jiff::Timestamp;

use super::inputs::stated;
use crate::learning::{Assumptions, Known, Learned, learn};
use crate::network::{Activity, Network};
use crate::schedule::{Need, Problem, Task};
use crate::table::Table;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Now {
    /// It does not belong to the way, or is settled: it takes no time any more.
    Over,
    /// It has not begun.
    Ahead,
    /// It has been under way for so many seconds.
    Running(f64),
    /// It failed or nobody knows: somebody has to see to it and do it again.
    Stuck,
}

/// What is to be forecast: steps, where each stands, who does it.
#[derive(Debug, Clone)]
pub struct Situation<'a> {
    /// The plan: people, assumptions, decisions.
    pub plan: &'a Plan,
    /// The steps.
    pub steps: &'a [Step],
    /// What each waits for.
    pub graph: &'a Graph,
    /// Where each stands.
    pub now: Vec<Now>,
    /// Who does each, by name.
    pub doer: Vec<Option<String>>,
    /// When each may start at the earliest.
    pub not_before: BTreeMap<StepId, Timestamp>,
    /// The moment the forecast is made for.
    pub at: Timestamp,
    /// The plan's times.
    pub window: Instants,
    /// The order in force, if a run is under way: positions of steps.
    pub order: Option<&'a [usize]>,
    /// How long each finished step took, seconds: they tell what night it is.
    pub took: Vec<(usize, f64)>,
    /// People more than the plan has, by name.
    pub more: BTreeMap<String, u32>,
    /// Whether it was invoked already: then it is too late to ask until when.
    pub is_run: bool,
}

impl<'a> Situation<'a> {
    /// An invocation of a plan at a time.
    #[must_use]
    pub fn of_plan(
        plan: &'a Plan,
        graph: &'a Graph,
        at: Timestamp,
        window: Instants,
        not_before: BTreeMap<StepId, Timestamp>,
    ) -> Self {
        let mut now = vec![Now::Over; plan.steps.len()];
        graph.order.iter().for_each(|&step| now[step] = Now::Ahead);
        let doer = |step: &Step| step.owner.as_ref().map(|role| plan.person(role));
        Self {
            plan,
            steps: &plan.steps,
            graph,
            now,
            doer: plan.steps.iter().map(doer).collect(),
            not_before,
            at,
            window,
            order: None,
            took: Vec::new(),
            more: BTreeMap::new(),
            is_run: false,
        }
    }

    /// A run as it stands.
    #[must_use]
    pub fn of_run(state: &'a RunState, at: Timestamp) -> Self {
        let mut took = Vec::new();
        let now = (0..state.steps.len())
            .map(|index| {
                let known = &state.states[index];
                let since = |then: Timestamp| at.duration_since(then).as_secs_f64().max(0.0);
                if !state.selected[index] {
                    return Now::Over;
                }
                match known.status {
                    Status::Succeeded | Status::Skipped => {
                        if let (Status::Succeeded, false, Some(from), Some(to)) =
                            (known.status, known.attested, known.started, known.ended)
                        {
                            took.push((index, to.duration_since(from).as_secs_f64()));
                        }
                        Now::Over
                    }
                    Status::Pending => Now::Ahead,
                    Status::Running | Status::Verifying => {
                        Now::Running(known.started.map_or(0.0, since))
                    }
                    Status::Failed | Status::InDoubt | Status::Held => Now::Stuck,
                }
            })
            .collect();
        Self {
            plan: &state.planned.plan,
            steps: &state.steps,
            graph: &state.graph,
            now,
            doer: (0..state.steps.len()).map(|index| state.doer(index)).collect(),
            not_before: state.not_before.clone(),
            at,
            window: state.planned.window,
            order: Some(&state.order),
            took,
            more: BTreeMap::new(),
            is_run: true,
        }
    }

    /// Steps that still take time, each behind what it waits for.
    #[must_use]
    pub fn ahead(&self) -> Vec<usize> {
        self.graph.order.iter().copied().filter(|&step| self.now[step] != Now::Over).collect()
    }

    /// Seconds from the moment of the forecast to another.
    #[must_use]
    pub fn seconds_to(&self, then: Timestamp) -> f64 {
        then.duration_since(self.at).as_secs_f64()
    }

    /// How many a person or team counts as.
    fn size(&self, doer: &str) -> u32 {
        self.plan.team_of(doer) + self.more.get(doer).copied().unwrap_or(0)
    }
}

/// A person, a team or a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) name: String,
    pub(super) size: u32,
    pub(super) is_lane: bool,
}

/// A scheduling problem over the steps ahead, and what its parts are.
pub(super) struct Model {
    /// The steps ahead: position in the model to position in the plan.
    pub(super) steps: Vec<usize>,
    pub(super) learned: Learned,
    pub(super) resources: Vec<Resource>,
    /// The resources of each step of the model.
    pub(super) holds: Vec<Vec<usize>>,
    /// What each step of the model waits for, in the model.
    before: Vec<Vec<usize>>,
    now: Vec<Now>,
    release: Vec<f64>,
    /// Per step of the model, how long until its person is at work.
    reach: Vec<Option<usize>>,
    /// How long people take to be at work: positions behind the steps'.
    reaches: Vec<crate::network::Duration>,
    /// Whose they are.
    people: Vec<String>,
    keys: Vec<u64>,
}

impl Model {
    pub(super) fn new(situation: &Situation<'_>, known: &[Known], assumed: &Assumptions) -> Self {
        let steps = situation.ahead();
        let mut learned = learn(known, assumed);
        let place: BTreeMap<usize, usize> =
            steps.iter().enumerate().map(|(place, &step)| (step, place)).collect();
        let mut resources: Vec<Resource> = Vec::new();
        let mut find = |name: &str, size: u32, is_lane: bool| {
            let same = |r: &Resource| r.name == name && r.is_lane == is_lane;
            resources.iter().position(same).unwrap_or_else(|| {
                resources.push(Resource { name: name.to_owned(), size, is_lane });
                resources.len() - 1
            })
        };
        let (mut holds, mut before, mut release) = (Vec::new(), Vec::new(), Vec::new());
        for &index in &steps {
            let step = &situation.steps[index];
            let mut held = Vec::new();
            if let (true, Some(doer)) = (step.action.is_manual(), &situation.doer[index]) {
                held.push(find(doer, situation.size(doer), false));
            }
            if let Some(lane) = &step.exclusive {
                held.push(find(lane, 1, true));
            }
            holds.push(held);
            let waits = situation.graph.before[index].iter();
            before.push(waits.filter_map(|first| place.get(first).copied()).collect());
            let wait = match situation.now[index] {
                Now::Stuck => assumed.help,
                _ => 0.0,
            };
            let from = situation.not_before.get(&step.id).map(|&at| situation.seconds_to(at));
            release.push(from.unwrap_or(0.0).max(wait));
        }
        let (reach, reaches, people) = responses(situation, &steps, assumed);
        // What this run's steps say about its night.
        if learned.night_spread > 0.0 {
            learned.night = night_of(situation, known, &learned);
        }
        let now = steps.iter().map(|&step| situation.now[step]).collect();
        // A step keeps its random numbers whatever else is on the way.
        let keys = steps.iter().map(|&step| key(&situation.steps[step].id)).collect();
        let learned = pick(learned, &steps);
        Self {
            steps,
            learned,
            resources,
            holds,
            before,
            now,
            release,
            reach,
            reaches,
            people,
            keys,
        }
    }

    /// The problem: each step's middle duration, whole seconds.
    pub(super) fn problem(&self) -> Result<Problem, crate::schedule::BadProblem> {
        let count = self.steps.len();
        let running: Vec<usize> = (0..count).filter(|&place| self.is_running(place)).collect();
        let tasks = (0..count).map(|place| {
            let needs = self.holds[place].iter().map(|&resource| Need { resource, amount: 1 });
            let mut before = self.before[place].clone();
            // What is under way keeps what it holds.
            let shares = |other: &&usize| {
                let mut held = self.holds[**other].iter();
                held.any(|r| self.holds[place].contains(r) && self.resources[*r].size == 1)
            };
            if !self.is_running(place) {
                before.extend(running.iter().filter(shares));
            }
            before.sort_unstable();
            before.dedup();
            Task {
                duration: whole(self.middle(place)),
                before,
                release: whole(self.release[place].max(self.reach_middle(place))),
                needs: needs.collect(),
            }
        });
        Problem::new(tasks.collect(), self.resources.iter().map(|r| r.size).collect())
    }

    fn is_running(&self, place: usize) -> bool {
        matches!(self.now[place], Now::Running(_))
    }

    fn reach_middle(&self, place: usize) -> f64 {
        self.reach[place].map_or(0.0, |reach| self.reaches[reach].quantile(0.5))
    }

    /// What a step still takes on an ordinary night, seconds.
    pub(super) fn middle(&self, place: usize) -> f64 {
        let duration = &self.learned.durations[place];
        match self.now[place] {
            Now::Running(elapsed) => {
                let whole = duration.quantile(0.5);
                if whole > elapsed { whole - elapsed } else { 0.25 * whole }
            }
            _ => duration.quantile(0.5),
        }
    }

    /// Each step and person as an activity, with each person's and lane's steps
    /// one behind the other in this order of the model's steps.
    ///
    /// A team of `n` takes up a step when at most `n − 1` of those before it in
    /// the order are unfinished; the network says that all but the `n − 1` that
    /// end last on an ordinary night are done, which is never sooner.
    pub(super) fn network(&self, order: &[usize]) -> Result<Network, crate::network::BadNetwork> {
        let count = self.steps.len();
        let mut activities: Vec<Activity> = (0..count)
            .map(|place| {
                let mut before = self.before[place].clone();
                before.extend(self.reach[place].map(|reach| count + reach));
                let mut duration = self.learned.durations[place].clone();
                let elapsed = match self.now[place] {
                    Now::Running(elapsed) => Some(elapsed),
                    _ => None,
                };
                if elapsed.is_some() {
                    before.clear();
                }
                duration.feels_the_night = true;
                let release = self.release[place].max(0.0);
                let key = self.keys[place];
                Activity { before, release, duration, elapsed, key }
            })
            .collect();
        for (reach, duration) in self.reaches.iter().enumerate() {
            activities.push(Activity::new(
                u64::MAX - 1 - reach as u64,
                Vec::new(),
                duration.clone(),
            ));
        }
        let mut ends = vec![0.0_f64; count];
        let mut queues: Vec<Vec<usize>> = vec![Vec::new(); self.resources.len()];
        // What is under way holds its person and its lane, wherever it stands.
        let under_way = order.iter().filter(|&&place| self.is_running(place));
        let ahead = order.iter().filter(|&&place| !self.is_running(place));
        for &place in under_way.chain(ahead) {
            let mut start = self.release[place].max(self.reach_middle(place));
            for &first in &self.before[place] {
                start = start.max(ends[first]);
            }
            for &resource in &self.holds[place] {
                let queue = &queues[resource];
                let others = self.resources[resource].size as usize - 1;
                let earlier: Vec<usize> = if others == 0 {
                    queue.last().copied().into_iter().collect()
                } else {
                    let mut earlier = queue.clone();
                    earlier.sort_by(|a, b| ends[*a].total_cmp(&ends[*b]));
                    earlier.truncate(earlier.len().saturating_sub(others));
                    earlier
                };
                for &first in &earlier {
                    start = start.max(ends[first]);
                    if !self.is_running(place) {
                        activities[place].before.push(first);
                    }
                }
                queues[resource].push(place);
            }
            activities[place].before.sort_unstable();
            activities[place].before.dedup();
            ends[place] = if self.is_running(place) { 0.0 } else { start } + self.middle(place);
        }
        Network::new(activities, self.learned.night.clone())
    }

    /// The planned end in the whole seconds the search counts in.
    pub(super) fn whole_end(&self, network: &Network) -> f64 {
        let count = self.steps.len();
        let ends = network.finish_times(|index| match index < count {
            true => f64::from(whole(self.middle(index))),
            false => f64::from(whole(self.reaches[index - count].quantile(0.5))),
        });
        ends.into_iter().take(count).fold(0.0, f64::max)
    }

    /// How long each person takes to be at work: name, middle and P95, seconds.
    pub(super) fn responses(&self) -> Vec<(String, f64, f64)> {
        let figures = self.reaches.iter().map(|d| (d.quantile(0.5), d.quantile(0.95)));
        self.people.iter().zip(figures).map(|(name, (p50, p95))| (name.clone(), p50, p95)).collect()
    }

    /// When each step starts and ends on an ordinary night, seconds from now, and
    /// the chain that makes the end: through waits, people and lanes.
    pub(super) fn planned(&self, network: &Network) -> (Vec<(f64, f64)>, Vec<usize>) {
        let count = self.steps.len();
        let takes = |index: usize| match index < count {
            true => self.middle(index),
            false => self.reaches[index - count].quantile(0.5),
        };
        let ends = network.finish_times(takes);
        let slots: Vec<(f64, f64)> =
            (0..count).map(|index| (ends[index] - takes(index), ends[index])).collect();
        let mut chain = Vec::new();
        let latest = |from: &mut dyn Iterator<Item = usize>| {
            from.max_by(|a, b| ends[*a].total_cmp(&ends[*b]).then(b.cmp(a)))
        };
        let mut last = latest(&mut (0..count));
        while let Some(place) = last {
            if place < count {
                chain.push(place);
            }
            let activity = &network.activities[place];
            let start = ends[place] - takes(place);
            let first = latest(&mut activity.before.iter().copied());
            last = first.filter(|&first| ends[first] + 0.5 >= start && start > 0.5);
        }
        chain.reverse();
        (slots, chain)
    }
}

/// Whole seconds.
fn whole(seconds: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let whole = seconds.clamp(0.0, 3e7).round() as u32;
    whole
}

/// A step's own random numbers.
fn key(id: &StepId) -> u64 {
    // FNV-1a: any spread-out number will do, the same on every machine.
    id.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }) >> 1
}

fn pick(learned: Learned, steps: &[usize]) -> Learned {
    let durations = steps.iter().map(|&step| learned.durations[step].clone()).collect();
    let basis = steps.iter().map(|&step| learned.basis[step]).collect();
    Learned { durations, basis, ..learned }
}

/// Until people who have done nothing yet are at work.
fn responses(
    situation: &Situation<'_>,
    steps: &[usize],
    assumed: &Assumptions,
) -> (Vec<Option<usize>>, Vec<crate::network::Duration>, Vec<String>) {
    let mut people: Vec<(String, usize)> = Vec::new();
    let mut known: Vec<Known> = Vec::new();
    let under_way =
        (0..situation.steps.len()).filter(|&index| matches!(situation.now[index], Now::Running(_)));
    let done = situation.took.iter().map(|(step, _)| *step);
    let at_work: BTreeSet<&str> =
        under_way.chain(done).filter_map(|index| situation.doer[index].as_deref()).collect();
    let reach = steps
        .iter()
        .map(|&index| {
            let step = &situation.steps[index];
            let doer = situation.doer[index].as_deref().filter(|_| step.action.is_manual())?;
            if at_work.contains(doer) || situation.now[index] != Now::Ahead {
                return None;
            }
            if let Some((_, place)) = people.iter().find(|(name, _)| name == doer) {
                return Some(*place);
            }
            let role = step.owner.as_ref().and_then(|role| situation.plan.roles.get(role))?;
            let responds = role.responds?;
            people.push((doer.to_owned(), known.len()));
            known.push(Known::stated(stated(Some(responds))));
            Some(known.len() - 1)
        })
        .collect();
    let people = people.into_iter().map(|(name, _)| name).collect();
    (reach, learn(&known, assumed).durations, people)
}

/// The night, seen from the steps that have ended and from those that have lasted
/// this long.
fn night_of(situation: &Situation<'_>, known: &[Known], learned: &Learned) -> Table {
    let told =
        |step: usize| known[step].stated.likely().is_some() || !known[step].samples.is_empty();
    let ended: Vec<(f64, f64)> = situation
        .took
        .iter()
        .filter(|(step, _)| told(*step))
        .filter_map(|&(step, seconds)| {
            let duration = &learned.durations[step];
            let middle = duration.quantile(0.5);
            let spread = libm::log(duration.quantile(0.84) / middle.max(1e-9));
            let rest = libm::log(seconds.max(0.1) / middle.max(1e-9));
            // A step done in a moment, or one that waited for somebody for hours,
            // says little about the night: nothing counts for more than two spreads.
            let limit = 2.0 * (spread + learned.night_spread);
            (middle >= 0.5).then_some((rest.clamp(-limit, limit), spread * spread))
        })
        .collect();
    let lasting: Vec<(&crate::network::Duration, f64)> = (0..situation.steps.len())
        .filter(|&step| told(step))
        .filter_map(|step| match situation.now[step] {
            Now::Running(elapsed) if elapsed < learned.durations[step].cap => {
                Some((&learned.durations[step], elapsed))
            }
            _ => None,
        })
        .collect();
    if ended.is_empty() && lasting.is_empty() {
        return learned.night.clone();
    }
    crate::learning::night_seen(&learned.night, |factor| {
        let logarithm = libm::log(factor);
        let of_ended = ended.iter().map(|(rest, variance)| {
            let off = rest - logarithm;
            -0.5 * off * off / variance.max(1e-4)
        });
        let of_lasting = lasting.iter().map(|(duration, elapsed)| {
            let own = (elapsed / factor - duration.offset) / duration.scale.max(1e-9);
            libm::log((1.0 - duration.table.probability(own)).max(1e-9))
        });
        of_ended.sum::<f64>() + of_lasting.sum::<f64>()
    })
}
