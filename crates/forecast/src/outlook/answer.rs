//! The answers: when, how likely, until when, and what matters.

use std::collections::BTreeSet;

use backout_core::ids::{RoleId, StepId};
use backout_core::plan::{DecisionAction, DecisionRule, Plan};
use jiff::{SignedDuration, Timestamp};

use super::history::History;
use super::inputs;
use super::model::Model;
use super::situation::{Now, Situation};
use crate::finish::{Figure, Finish};
use crate::learning::{Assumptions, Basis, Known, Sample};
use crate::network::Network;
use crate::schedule::{Budget, Solution, solve};
use crate::sensitivity::{Weight, weights};
use crate::simulate::{self, has_outlasted, simulate};

/// How to look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// What the random numbers come from.
    pub seed: u64,
    /// How many nights.
    pub nights: usize,
    /// On how many threads; the answer does not depend on it.
    pub threads: usize,
    /// How sure to be, 0 to 1, if the plan does not say.
    pub confidence: f64,
    /// Whether to work out what matters, which takes longer.
    pub thorough: bool,
    /// How much to do about the order of work.
    pub search: Search,
}

/// How much to do about the order of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// A good order at once: milliseconds.
    Glance,
    /// Many orders, compared by the finish they are sure of.
    Thorough,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            nights: 100_000,
            threads: 1,
            confidence: 0.95,
            thorough: true,
            search: Search::Thorough,
        }
    }
}

/// Why there is no forecast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unforeseeable {
    /// These steps have no duration: nobody knows how long it takes.
    NoDuration(Vec<StepId>),
    /// The figures do not fit together.
    Nonsense(String),
}

impl std::fmt::Display for Unforeseeable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoDuration(steps) => {
                let names: Vec<&str> = steps.iter().map(StepId::as_str).collect();
                write!(f, "no duration is known of {}", names.join(", "))
            }
            Self::Nonsense(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Unforeseeable {}

/// One step of the forecast.
#[derive(Debug, Clone)]
pub struct Row {
    /// The step, by position in the plan or the run.
    pub step: usize,
    /// When it starts on an ordinary night, seconds from now.
    pub start: f64,
    /// When it ends on an ordinary night, seconds from now.
    pub end: f64,
    /// Its duration's median, P80 and P95, seconds.
    pub takes: [f64; 3],
    /// What that rests on.
    pub basis: Basis,
    /// How often it is on the chain that makes the finish, 0 to 1.
    pub critical: f64,
    /// When its action is stopped, seconds; `None` if nothing stops it.
    pub time_out: Option<f64>,
    /// Whether a part of its duration comes after its action, and is not stopped with it.
    pub goes_on_after: bool,
    /// In which share of the simulations the time-out stops it at least once, 0 to 1.
    pub stopped: f64,
    /// In which share of the simulations it never ends, 0 to 1: every attempt fails.
    pub unfinished: f64,
    /// Whether it is on the planned critical path.
    pub on_path: bool,
    /// It has been under way for longer than was thought possible.
    pub outlasted: bool,
    /// Where it stands.
    pub now: Now,
}

/// The probability of finishing in time for an invocation at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Along {
    /// The invocation.
    pub at: Timestamp,
    /// The probability.
    pub in_time: Figure,
}

/// What one more person would buy.
#[derive(Debug, Clone, PartialEq)]
pub struct Helper {
    /// Beside whom.
    pub who: String,
    /// How much sooner the sure finish is, seconds.
    pub gain: f64,
}

/// The forecast.
#[derive(Debug, Clone)]
pub struct Outlook {
    /// The moment it is made for.
    pub at: Timestamp,
    /// How sure it is, 0 to 1.
    pub confidence: f64,
    /// Every step ahead, by planned start.
    pub rows: Vec<Row>,
    /// The chain through time and people that makes the planned end, by position.
    pub path: Vec<usize>,
    /// The order in which people and lanes take up the steps, by position.
    pub order: Vec<usize>,
    /// The planned end, seconds from now.
    pub planned_end: f64,
    /// The same, with each step's duration in whole seconds.
    pub whole_end: f64,
    /// How long people take to be at work: name, middle and P95, seconds.
    pub responses: Vec<(String, f64, f64)>,
    /// Nothing can be planned to end sooner, seconds from now; `None` if the order
    /// was given and not searched for.
    pub bound: Option<f64>,
    /// The finish: seconds from now.
    pub finish: Finish,
    /// When it has to be done.
    pub deadline: Option<Timestamp>,
    /// The probability of that.
    pub in_time: Option<Figure>,
    /// The latest invocation that is still in time, with its error.
    pub point_of_no_return: Option<[Timestamp; 3]>,
    /// Nothing that is invoked from now on ends in time.
    pub never: bool,
    /// The latest moment to ask for the decision; `None` where the plan does not
    /// say how long deciding takes.
    pub decide_by: Option<Timestamp>,
    /// How long deciding may take, seconds, if the plan says so: all who are asked one
    /// after the other.
    pub deciding: Option<f64>,
    /// Along the window.
    pub along: Vec<Along>,
    /// What matters most.
    pub weights: Vec<Weight>,
    /// What was assumed.
    pub assumed: Assumptions,
    /// The spread of nights in force, and how many were measured.
    pub night: (f64, usize),
    /// The simulated network, for further questions.
    pub network: Network,
    /// What the random numbers came from.
    pub seed: u64,
}

impl Outlook {
    /// The moment so many seconds from the forecast's, never later than it is.
    #[must_use]
    pub fn after(&self, seconds: f64) -> Timestamp {
        later(self.at, seconds)
    }

    /// Whether no order of work could end sooner; `None` if none was searched for.
    /// Told in the whole seconds the search counts in.
    #[must_use]
    pub fn is_shortest(&self) -> Option<bool> {
        self.bound.map(|bound| self.whole_end <= bound)
    }
}

/// How many orders are compared by the finish they are sure of.
const ORDERS: usize = 24;
/// Nights for comparing them; all see the same random numbers.
const FEW: usize = 4096;

/// Forecasts a situation.
///
/// # Errors
/// [`Unforeseeable`]: nothing is guessed.
pub fn look(
    situation: &Situation<'_>,
    history: &History,
    settings: Settings,
) -> Result<Outlook, Unforeseeable> {
    let known = inputs::known(situation.steps, history, &inputs::assumptions(situation.plan));
    look_with(situation, &known, settings)
}

fn look_with(
    situation: &Situation<'_>,
    known: &[Known],
    settings: Settings,
) -> Result<Outlook, Unforeseeable> {
    let assumed = inputs::assumptions(situation.plan);
    let model = Model::new(situation, known, &assumed);
    let unknown = |place: &usize| model.learned.basis[*place] == Basis::Nothing;
    let blanks: Vec<StepId> = (0..model.steps.len())
        .filter(unknown)
        .map(|place| situation.steps[model.steps[place]].id.clone())
        .collect();
    if !blanks.is_empty() {
        return Err(Unforeseeable::NoDuration(blanks));
    }
    let confidence = situation.plan.window.as_ref().and_then(|window| window.confidence);
    let confidence = confidence.map_or(settings.confidence, |percent| percent.0 / 100.0);
    let simulation = simulate::Settings {
        seed: settings.seed,
        samples: settings.nights.max(enough(confidence)?),
        threads: settings.threads,
        criticality: true,
    };
    let (order, bound) = order_of(situation, &model, confidence, simulation, settings.search)?;
    let nonsense = |error: crate::network::BadNetwork| Unforeseeable::Nonsense(error.to_string());
    let network = model.network(&order).map_err(nonsense)?;
    let (slots, path) = model.planned(&network);
    let simulated = simulate(&network, simulation);
    let critical = simulated.critical.clone();
    let (stopped, unfinished) = (simulated.stopped.clone(), simulated.unfinished.clone());
    let finish = Finish::from(simulated);
    let count = model.steps.len();
    let mut rows: Vec<Row> = (0..count)
        .map(|place| {
            let duration = &model.learned.durations[place];
            let elapsed = network.activities[place].elapsed;
            Row {
                step: model.steps[place],
                start: slots[place].0,
                end: slots[place].1,
                takes: [0.5, 0.8, 0.95].map(|share| duration.quantile(share)),
                basis: model.learned.basis[place],
                critical: critical[place],
                time_out: model.learned.attempts[place]
                    .as_ref()
                    .map(|attempts| attempts.time_out)
                    .filter(|time_out| time_out.is_finite()),
                goes_on_after: model.learned.attempts[place]
                    .as_ref()
                    .is_some_and(|attempts| attempts.limit > attempts.time_out),
                stopped: stopped[place],
                unfinished: unfinished[place],
                on_path: path.contains(&place),
                outlasted: elapsed
                    .is_some_and(|elapsed| has_outlasted(duration, elapsed, &network.night)),
                now: situation.now[model.steps[place]],
            }
        })
        .collect();
    let rank: Vec<usize> = rank_of(&order);
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|a, b| rows[*a].start.total_cmp(&rows[*b].start).then(rank[*a].cmp(&rank[*b])));
    let planned_end = rows.iter().map(|row| row.end).fold(0.0, f64::max);
    let mut weights = match settings.thorough {
        true => weights(&network, &finish, &critical, confidence, 6, simulation),
        false => Vec::new(),
    };
    weights.retain(|weight| weight.step < count);
    weights.sort_by(|a, b| b.swing().total_cmp(&a.swing()));
    weights.iter_mut().for_each(|weight| weight.step = model.steps[weight.step]);
    rows = places.into_iter().map(|place| rows[place].clone()).collect();
    let mut outlook = Outlook {
        at: situation.at,
        confidence,
        rows,
        path: path.into_iter().map(|place| model.steps[place]).collect(),
        order: order.iter().map(|&place| model.steps[place]).collect(),
        planned_end,
        whole_end: model.whole_end(&network),
        responses: model.responses(),
        bound,
        finish,
        deadline: situation.window.backout_by,
        in_time: None,
        point_of_no_return: None,
        never: false,
        decide_by: None,
        deciding: deciding(situation.plan),
        along: Vec::new(),
        weights,
        assumed,
        night: (model.learned.night_spread, model.learned.nights),
        network,
        seed: settings.seed,
    };
    until_when(situation, known, &order, simulation, &mut outlook)?;
    Ok(outlook)
}

/// How many nights a confidence takes: fifty have to lie beyond it.
fn enough(confidence: f64) -> Result<usize, Unforeseeable> {
    const MOST: f64 = 1_000_000.0;
    let nights = (50.0 / confidence.min(1.0 - confidence).max(1e-12)).ceil();
    if nights > MOST {
        let why = format!("no simulation can tell a confidence of {} %", 100.0 * confidence);
        return Err(Unforeseeable::Nonsense(why));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most a million"
    )]
    Ok(nights as usize)
}

fn rank_of(order: &[usize]) -> Vec<usize> {
    let mut rank = vec![0; order.len()];
    order.iter().enumerate().for_each(|(position, &place)| rank[place] = position);
    rank
}

/// The order of work: the one in force, or the one whose finish is soonest with
/// the confidence wanted. Positions of the model.
fn order_of(
    situation: &Situation<'_>,
    model: &Model,
    confidence: f64,
    simulation: simulate::Settings,
    search: Search,
) -> Result<(Vec<usize>, Option<f64>), Unforeseeable> {
    if let Some(order) = situation.order {
        let mut place = vec![usize::MAX; situation.steps.len()];
        model.steps.iter().enumerate().for_each(|(at, &step)| place[step] = at);
        let known = order.iter().map(|&step| place[step]).filter(|place| *place != usize::MAX);
        return Ok((known.collect(), None));
    }
    let problem = model.problem().map_err(|error| Unforeseeable::Nonsense(error.to_string()))?;
    let mut budget = Budget::for_size(problem.len(), simulation.seed);
    match search {
        Search::Glance => {
            budget.keep = 1;
            budget.proof = 0;
            budget.schedules = (60_000 / problem.len().max(1) as u64).clamp(3, 1000);
        }
        Search::Thorough => budget.keep = (20_000 / problem.len().max(1)).clamp(1, ORDERS),
    }
    let solution: Solution = solve(&problem, budget);
    let bound = Some(f64::from(solution.bound));
    let candidates = solution.others;
    if candidates.len() < 2 {
        let best = problem.order_of(&solution.starts);
        return Ok((best, bound));
    }
    let few = simulate::Settings { samples: FEW, criticality: false, ..simulation };
    let mut best: Option<(f64, f64, Vec<usize>)> = None;
    for starts in candidates {
        let order = problem.order_of(&starts);
        let network =
            model.network(&order).map_err(|error| Unforeseeable::Nonsense(error.to_string()))?;
        let finish = Finish::from(simulate(&network, few));
        let sure = finish.quantile(confidence).value;
        // Where none is sure, the one that is soonest when all goes well.
        let mean = finish.mean();
        let sooner = |(best, of_best, _): &(f64, f64, _)| (sure, mean) < (*best, *of_best);
        if best.as_ref().is_none_or(sooner) {
            best = Some((sure, mean, order));
        }
    }
    Ok((best.map(|(_, _, order)| order).unwrap_or_default(), bound))
}

/// Deadline, point of no return, the window.
fn until_when(
    situation: &Situation<'_>,
    known: &[Known],
    order: &[usize],
    simulation: simulate::Settings,
    outlook: &mut Outlook,
) -> Result<(), Unforeseeable> {
    let Some(by) = outlook.deadline else { return Ok(()) };
    let share = outlook.confidence;
    let room = situation.seconds_to(by);
    outlook.in_time = Some(outlook.finish.probability(room));
    let begun = situation.is_run;
    let fixed_times = situation.not_before.values().any(|at| *at > situation.at);
    // With steps that wait for a time of day, how long it takes depends on when it
    // begins: then each moment is simulated on its own, with the same numbers.
    let at_time = |at: Timestamp| -> Result<(Finish, f64), Unforeseeable> {
        let mut moved = situation.clone();
        moved.at = at;
        let assumed = outlook.assumed;
        let model = Model::new(&moved, known, &assumed);
        let network =
            model.network(order).map_err(|error| Unforeseeable::Nonsense(error.to_string()))?;
        let settings = simulate::Settings { samples: 4 * FEW, criticality: false, ..simulation };
        Ok((Finish::from(simulate(&network, settings)), moved.seconds_to(by)))
    };
    let mut never = false;
    let pnr: Figure = if fixed_times && !begun {
        // The sure finish never comes sooner for starting later: halve.
        let (mut low, mut high) = (0.0_f64, room.max(0.0));
        let in_time = |seconds: f64| -> Result<bool, Unforeseeable> {
            let (finish, room) = at_time(later(situation.at, seconds))?;
            Ok(finish.quantile(share).high <= room)
        };
        if in_time(0.0)? {
            for _ in 0..14 {
                let middle = 0.5 * (low + high);
                if in_time(middle)? { low = middle } else { high = middle }
            }
            Figure { value: low, low, high }
        } else {
            never = true;
            Figure { value: 0.0, low: 0.0, high: 0.0 }
        }
    } else {
        never = !begun && !outlook.finish.quantile(share).high.is_finite();
        outlook.finish.point_of_no_return(room, share)
    };
    outlook.never = never;
    if !begun {
        let instant = |seconds: f64| later(situation.at, seconds);
        if !never {
            outlook.point_of_no_return =
                Some([instant(pnr.value), instant(pnr.low), instant(pnr.high)]);
            outlook.decide_by = outlook.deciding.map(|deciding| instant(pnr.low - deciding));
        }
        let from = outlook.at.min(by);
        for at in moments(from, by) {
            let in_time = if fixed_times {
                let (finish, room) = at_time(at)?;
                finish.probability(room)
            } else {
                outlook.finish.probability(by.duration_since(at).as_secs_f64())
            };
            outlook.along.push(Along { at, in_time });
        }
    }
    Ok(())
}

fn later(at: Timestamp, seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a night")]
    let shift = SignedDuration::from_millis((seconds.clamp(-1e9, 1e9) * 1000.0).floor() as i64);
    at.checked_add(shift).unwrap_or(at)
}

/// Around ten round moments from one time to another.
fn moments(from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    const GRIDS: [i64; 9] = [300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];
    let span = to.duration_since(from).as_secs();
    let grid = GRIDS.into_iter().find(|grid| span / grid <= 10).unwrap_or(span.max(1) / 8);
    let mut all = vec![from];
    let mut next = (from.as_second() / grid + 1) * grid;
    while next < to.as_second() && all.len() < 16 {
        all.extend(Timestamp::from_second(next).ok());
        next += grid;
    }
    all
}

/// How long deciding to back out may take, seconds: the longest that a severity which can
/// lead to it gives all whom it asks one after the other. `None` where the plan does not
/// say how long they have.
fn deciding(plan: &Plan) -> Option<f64> {
    let rules = plan.decision.values().filter(|rule| rule.action != DecisionAction::Log);
    let all = rules.filter_map(|rule| {
        let within = rule.within?.get().as_secs_f64();
        Some(within * asked_in_turn(plan, rule) as f64)
    });
    all.reduce(f64::max)
}

/// How many are asked one after the other while none of them answers: who decides, their
/// deputies and the deputies of these, then whom the plan escalates to, and their deputies.
fn asked_in_turn(plan: &Plan, rule: &DecisionRule) -> usize {
    let mut asked: BTreeSet<&RoleId> = rule.by.iter().collect();
    let mut rounds = 1;
    loop {
        let roles = asked.iter().filter_map(|role| plan.roles.get(*role));
        let deputies: Vec<&RoleId> =
            roles.flat_map(|role| &role.deputies).filter(|role| !asked.contains(role)).collect();
        let next = match deputies.is_empty() {
            true => rule.escalate.iter().filter(|role| !asked.contains(role)).collect(),
            false => deputies,
        };
        if next.is_empty() {
            return rounds;
        }
        asked.extend(next);
        rounds += 1;
    }
}

/// What one more person would buy, for each who has something on the critical
/// path, most first.
///
/// # Errors
/// [`Unforeseeable`], as [`look`].
pub fn better_team(
    situation: &Situation<'_>,
    history: &History,
    settings: Settings,
    outlook: &Outlook,
) -> Result<Vec<Helper>, Unforeseeable> {
    let quick = Settings { nights: FEW, thorough: false, ..settings };
    let mut people: Vec<&String> = outlook
        .path
        .iter()
        .filter(|&&step| situation.steps[step].action.is_manual())
        .filter_map(|&step| situation.doer[step].as_ref())
        .collect();
    people.sort();
    people.dedup();
    let base = look(situation, history, quick)?.finish.quantile(outlook.confidence).value;
    let mut gains = Vec::new();
    for who in people.into_iter().take(8) {
        let mut more = situation.clone();
        *more.more.entry(who.clone()).or_default() += 1;
        let gain = base - look(&more, history, quick)?.finish.quantile(outlook.confidence).value;
        if gain > 0.01 * base {
            gains.push(Helper { who: who.clone(), gain });
        }
    }
    gains.sort_by(|a, b| b.gain.total_cmp(&a.gain));
    Ok(gains)
}

/// The sure finish, seconds from now, had every step been rehearsed so many times
/// more with the durations that are expected now.
///
/// # Errors
/// [`Unforeseeable`], as [`look`].
pub fn rehearsed(
    situation: &Situation<'_>,
    history: &History,
    settings: Settings,
    outlook: &Outlook,
    times: usize,
) -> Result<f64, Unforeseeable> {
    let mut known = inputs::known(situation.steps, history, &inputs::assumptions(situation.plan));
    let nights = known.iter().flat_map(|known| &known.samples).map(|sample| sample.night + 1);
    let first = nights.max().unwrap_or(0);
    let expected: Vec<(usize, f64)> =
        outlook.rows.iter().map(|row| (row.step, row.takes[0] / outlook.assumed.stress)).collect();
    for (step, seconds) in expected {
        for time in 0..times {
            known[step].samples.push(Sample { night: first + time, seconds });
        }
    }
    let quick = Settings { nights: FEW, thorough: false, ..settings };
    Ok(look_with(situation, &known, quick)?.finish.quantile(outlook.confidence).value)
}
