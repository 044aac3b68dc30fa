//! From steps, people and lanes to a scheduling problem, and from an order of
//! work to a network.

use std::collections::{BTreeMap, BTreeSet};

use backout_core::ids::StepId;
use backout_core::parallel::takes_place;

use super::people::{Confirm, confirmations, help_for, responses};
use super::situation::{Now, Situation};
use crate::learning::{Assumptions, Known, Learned, learn};
use crate::network::{Activity, Duration, Network};
use crate::schedule::{Need, Problem, Task};
use crate::table::{Table, Tail};

/// A person, a team, a lane, or the places of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) name: String,
    pub(super) size: u32,
    pub(super) is_lane: bool,
    /// Whether it is the places of the machine.
    pub(super) is_places: bool,
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
    reaches: Vec<Duration>,
    /// Whose they are.
    people: Vec<String>,
    /// Per step of the model, how long until a person confirms what the action did.
    confirms: Vec<Option<Confirm>>,
    keys: Vec<u64>,
}

/// Stands for the places of the machine until it is known which resource they are.
const PLACES: usize = usize::MAX;

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
                resources.push(Resource { name: name.to_owned(), size, is_lane, is_places: false });
                resources.len() - 1
            })
        };
        let (mut holds, mut before, mut release) = (Vec::new(), Vec::new(), Vec::new());
        let of_machines = steps.iter().filter(|&&index| takes_place(&situation.steps[index]));
        let is_scarce = of_machines.count() > situation.places as usize;
        for &index in &steps {
            let step = &situation.steps[index];
            let mut held = Vec::new();
            if let (true, Some(doer)) = (step.action.is_manual(), &situation.doer[index]) {
                held.push(find(doer, situation.size(doer), false));
            }
            if let Some(lane) = &step.exclusive {
                held.push(find(lane, 1, true));
            }
            if is_scarce && takes_place(step) {
                held.push(PLACES);
            }
            holds.push(held);
            before.push(waits_for(situation, index, &place));
            let wait = match situation.now[index] {
                Now::Stuck => assumed.help,
                Now::Again(pause) => pause,
                _ => 0.0,
            };
            let from = situation.not_before.get(&step.id).map(|&at| situation.seconds_to(at));
            release.push(from.unwrap_or(0.0).max(wait));
        }
        if is_scarce {
            let places = resources.len();
            resources.push(Resource {
                name: "places".to_owned(),
                size: situation.places.max(1),
                is_lane: false,
                is_places: true,
            });
            let held = holds.iter_mut().flatten().filter(|held| **held == PLACES);
            held.for_each(|held| *held = places);
        }
        let (reach, reaches, people) = responses(situation, &steps, assumed);
        let confirms = confirmations(situation, &steps, &people, assumed);
        // What this run's steps say about its night.
        if learned.night_spread > 0.0 {
            learned.night = night_of(situation, known, &learned);
        }
        let now = steps.iter().map(|&step| situation.now[step]).collect();
        // A step keeps its random numbers whatever else is on the way.
        let keys = steps.iter().map(|&step| key(&situation.steps[step].id)).collect();
        let mut learned = pick(learned, &steps);
        for (place, &step) in steps.iter().enumerate() {
            if let Some(attempts) = &mut learned.attempts[place] {
                attempts.help = help_for(situation, step, assumed);
                // A person's repeat is one attempt, and then the next needs one again.
                attempts.used = match situation.now[step] {
                    Now::Ahead | Now::Stuck => 0,
                    _ => situation.failed[step],
                };
            }
        }
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
            confirms,
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
                duration: whole(self.middle(place) + self.confirm_middle(place)),
                before,
                release: whole(self.release[place].max(self.reach_middle(place))),
                needs: needs.collect(),
            }
        });
        Problem::new(tasks.collect(), self.resources.iter().map(|r| r.size).collect())
    }

    fn is_running(&self, place: usize) -> bool {
        matches!(self.now[place], Now::Running(_) | Now::Acted { .. })
    }

    fn confirm_middle(&self, place: usize) -> f64 {
        let confirm = self.confirms[place].as_ref();
        let responds = confirm.and_then(|confirm| confirm.responds.as_ref());
        responds.map_or(0.0, |responds| responds.quantile(0.5))
    }

    fn reach_middle(&self, place: usize) -> f64 {
        self.reach[place].map_or(0.0, |reach| self.reaches[reach].quantile(0.5))
    }

    /// What a step still takes on an ordinary night, seconds.
    pub(super) fn middle(&self, place: usize) -> f64 {
        let duration = &self.learned.durations[place];
        match self.now[place] {
            // What is left is the confirmation.
            Now::Acted { .. } if self.confirms[place].is_some() => 0.0,
            Now::Running(elapsed) | Now::Acted { elapsed, .. } => {
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
                    Now::Acted { .. } if self.confirms[place].is_some() => {
                        duration = Duration::exactly(0.0);
                        Some(0.0)
                    }
                    Now::Running(elapsed) | Now::Acted { elapsed, .. } => Some(elapsed),
                    _ => None,
                };
                if elapsed.is_some() {
                    before.clear();
                }
                duration.feels_the_night = true;
                // Nothing stops what comes after the action.
                let attempts = match self.now[place] {
                    Now::Acted { .. } => None,
                    _ => self.learned.attempts[place].clone(),
                };
                Activity {
                    before,
                    release: self.release[place].max(0.0),
                    duration,
                    elapsed,
                    may_hang: elapsed.is_some_and(|elapsed| elapsed > 0.0),
                    attempts,
                    key: self.keys[place],
                }
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
        // The step that was given each place of the machine last.
        let places = self.resources.iter().find(|resource| resource.is_places);
        let mut slots = vec![None::<usize>; places.map_or(0, |places| places.size as usize)];
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
                if self.resources[resource].is_places {
                    // Each place has its own chain of steps: fewer waits than a queue has, and
                    // never sooner than whatever place is free.
                    let free = |slot: &Option<usize>| slot.map_or(0.0, |step| ends[step]);
                    let fits = slots.iter().enumerate().filter(|(_, slot)| free(slot) <= start);
                    let fits = fits.max_by(|(_, a), (_, b)| free(a).total_cmp(&free(b)));
                    let next = || {
                        slots
                            .iter()
                            .enumerate()
                            .min_by(|(_, a), (_, b)| free(a).total_cmp(&free(b)))
                    };
                    let Some(slot) = fits.or_else(next).map(|(slot, _)| slot) else { continue };
                    if let Some(first) = slots[slot].replace(place)
                        && !self.is_running(place)
                    {
                        start = start.max(ends[first]);
                        activities[place].before.push(first);
                    }
                    continue;
                }
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
            ends[place] = if self.is_running(place) { 0.0 } else { start }
                + self.middle(place)
                + self.confirm_middle(place);
        }
        self.add_confirmations(&mut activities);
        Network::new(activities, self.learned.night.clone())
    }

    /// Where a step's confirmation stands in the network, behind steps and reaches.
    fn confirm_at(&self, place: usize) -> Option<usize> {
        self.confirms[place].as_ref()?;
        let earlier = self.confirms[..place].iter().flatten().count();
        Some(self.steps.len() + self.reaches.len() + earlier)
    }

    /// Puts each confirmation behind its step, and behind the confirmation whatever waits
    /// for the step.
    fn add_confirmations(&self, activities: &mut Vec<Activity>) {
        let count = self.steps.len();
        let end: Vec<usize> =
            (0..count).map(|place| self.confirm_at(place).unwrap_or(place)).collect();
        for first in activities.iter_mut().flat_map(|activity| &mut activity.before) {
            *first = end.get(*first).copied().unwrap_or(*first);
        }
        for (place, confirm) in self.confirms.iter().enumerate() {
            let Some(confirm) = confirm else { continue };
            let mut before = vec![place];
            before.extend(confirm.reach.map(|reach| count + reach));
            let duration = confirm.responds.clone().unwrap_or_else(|| Duration::exactly(0.0));
            let mut added = Activity::new(!self.keys[place], before, duration);
            if let (Now::Acted { waits, .. }, true) = (self.now[place], confirm.responds.is_some())
            {
                // The question was asked then.
                added.before.clear();
                added.elapsed = Some(waits);
                added.may_hang = true;
            }
            activities.push(added);
        }
    }

    /// What each activity takes on an ordinary night, seconds: steps, then reaches, then
    /// confirmations.
    fn middles(&self) -> Vec<f64> {
        let steps = (0..self.steps.len()).map(|place| self.middle(place));
        let reaches = self.reaches.iter().map(|reach| reach.quantile(0.5));
        let confirms = (0..self.steps.len()).filter(|&place| self.confirms[place].is_some());
        let confirms = confirms.map(|place| self.confirm_middle(place));
        steps.chain(reaches).chain(confirms).collect()
    }

    /// The planned end in the whole seconds the search counts in.
    pub(super) fn whole_end(&self, network: &Network) -> f64 {
        let middles = self.middles();
        let ends = network.finish_times(|index| f64::from(whole(middles[index])));
        let end = |place: usize| ends[self.confirm_at(place).unwrap_or(place)];
        (0..self.steps.len()).map(end).fold(0.0, f64::max)
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
        let middles = self.middles();
        let ends = network.finish_times(|index| middles[index]);
        let end = |place: usize| self.confirm_at(place).unwrap_or(place);
        let slots: Vec<(f64, f64)> =
            (0..count).map(|place| (ends[place] - middles[place], ends[end(place)])).collect();
        let mut chain = Vec::new();
        let latest = |from: &mut dyn Iterator<Item = usize>| {
            from.max_by(|a, b| ends[*a].total_cmp(&ends[*b]).then(b.cmp(a)))
        };
        let mut last = latest(&mut (0..count).map(end));
        while let Some(index) = last {
            if index < count {
                chain.push(index);
            }
            let activity = &network.activities[index];
            let start = ends[index] - middles[index];
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
    let attempts = steps.iter().map(|&step| learned.attempts[step].clone()).collect();
    let basis = steps.iter().map(|&step| learned.basis[step]).collect();
    Learned { durations, attempts, basis, ..learned }
}

/// What a step waits for of what is ahead. Of a step that is skipped or not on the way,
/// it waits for what that one waited for.
fn waits_for(
    situation: &Situation<'_>,
    index: usize,
    place: &BTreeMap<usize, usize>,
) -> Vec<usize> {
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let mut open: Vec<usize> = situation.graph.before[index].clone();
    while let Some(first) = open.pop() {
        match place.get(&first) {
            Some(&place) => {
                found.insert(place);
            }
            None if seen.insert(first) => open.extend(&situation.graph.before[first]),
            None => {}
        }
    }
    found.into_iter().collect()
}

/// The night, seen from the steps that have ended and from those that have lasted
/// this long.
fn night_of(situation: &Situation<'_>, known: &[Known], learned: &Learned) -> Table {
    let told =
        |step: usize| known[step].stated.likely().is_some() || !known[step].samples.is_empty();
    let late = learned.night.quantile(Tail::at(0.99));
    let ended: Vec<(f64, f64)> = situation
        .took
        .iter()
        .filter(|(step, _)| told(*step))
        // Nor does an acknowledgement that came long after the work.
        .filter(|&&(step, seconds)| {
            let reported = situation.steps[step].action.is_reported();
            !reported || seconds <= learned.durations[step].quantile(0.99) * late
        })
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
    let lasting: Vec<(&Duration, f64)> = (0..situation.steps.len())
        .filter(|&step| told(step))
        // A person's silence says nothing about how slow systems are tonight.
        .filter(|&step| !situation.steps[step].action.is_reported())
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
