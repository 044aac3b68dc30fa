//! The steps as one graph of waits and durations.
//!
//! Once each owner's order of work is fixed, a plan is a *max-plus* network: a
//! step starts when the last of what it waits for has ended, and ends its
//! duration later. That is monotone (no step that gets shorter ever makes the
//! whole longer, unlike with people who take whatever is next; Graham 1969),
//! easy to explain, and what the engine follows.

use crate::table::Table;

/// How long a step takes.
#[derive(Debug, Clone)]
pub struct Duration {
    /// Its distribution, before the night has its say; seconds once scaled.
    pub table: Table,
    /// What the table's values are multiplied by.
    pub scale: f64,
    /// What is added after that, seconds.
    pub offset: f64,
    /// The longest it can take before somebody or something stops it, seconds.
    pub cap: f64,
    /// Whether a bad night makes it longer.
    pub feels_the_night: bool,
}

impl Duration {
    /// A duration that is known.
    #[must_use]
    pub fn exactly(seconds: f64) -> Self {
        Self {
            table: Table::point(1.0),
            scale: seconds,
            offset: 0.0,
            cap: f64::INFINITY,
            feels_the_night: false,
        }
    }

    /// A duration by its table of seconds, on its own.
    #[must_use]
    pub fn of(table: Table) -> Self {
        Self { table, scale: 1.0, offset: 0.0, cap: f64::INFINITY, feels_the_night: false }
    }

    /// Its mean on an ordinary night, seconds, the cap left out.
    #[must_use]
    pub fn mean(&self) -> f64 {
        (self.table.mean() * self.scale + self.offset).min(self.cap)
    }

    /// Its standard deviation on an ordinary night, seconds, the cap left out.
    #[must_use]
    pub fn sd(&self) -> f64 {
        self.table.sd() * self.scale
    }

    /// Its quantile on an ordinary night, seconds.
    #[must_use]
    pub fn quantile(&self, probability: f64) -> f64 {
        let drawn = self.table.quantile(crate::table::Tail::at(probability));
        (drawn * self.scale + self.offset).min(self.cap)
    }
}

/// What makes an attempt of a step fail, and what follows a failed one.
///
/// The engine stops an action at its time-out and counts the attempt as failed, or as
/// in doubt where it must not be repeated. `retry` starts it again; when its attempts
/// are used up, a person has to respond and have it repeated.
#[derive(Debug, Clone)]
pub struct Attempts {
    /// An attempt that takes longer than this fails, seconds; infinite if nothing stops it.
    pub limit: f64,
    /// How long an attempt that was stopped has lasted, seconds.
    pub time_out: f64,
    /// Attempts that failed and that held so far: the chance that the next one fails by
    /// itself is `failed / (failed + held)`. `None`: an attempt fails by its time-out only.
    pub fails: Option<(f64, f64)>,
    /// How many attempts start without a person, at least one.
    pub most: u32,
    /// How many of them are used up.
    pub used: u32,
    /// Seconds between them.
    pub pause: f64,
    /// How long until a person has it repeated when they are used up.
    pub help: Duration,
}

impl Attempts {
    /// One attempt that nothing stops and that does not fail.
    #[must_use]
    pub fn one() -> Self {
        Self {
            limit: f64::INFINITY,
            time_out: f64::INFINITY,
            fails: None,
            most: 1,
            used: 0,
            pause: 0.0,
            help: Duration::exactly(0.0),
        }
    }
}

/// One step of a network.
#[derive(Debug, Clone)]
pub struct Activity {
    /// What it waits for, by position.
    pub before: Vec<usize>,
    /// It does not start before this, seconds from now.
    pub release: f64,
    /// How long it takes.
    pub duration: Duration,
    /// How long it has been running already, seconds; `None` if it has not begun.
    pub elapsed: Option<f64>,
    /// Whether what has lasted this long may last much longer: a person who has not
    /// answered, a process that hangs. Only for what is under way.
    pub may_hang: bool,
    /// What may make an attempt fail; `None` if nothing does.
    pub attempts: Option<Attempts>,
    /// What its random numbers belong to: the same key, the same numbers, also in
    /// another network.
    pub key: u64,
}

impl Activity {
    /// A step that has not begun.
    #[must_use]
    pub fn new(key: u64, before: Vec<usize>, duration: Duration) -> Self {
        Self { before, release: 0.0, duration, elapsed: None, may_hang: false, attempts: None, key }
    }
}

/// A network that cannot be simulated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadNetwork {
    /// Steps wait for each other.
    Cycle,
    /// A step waits for one that is not there.
    NoSuchStep(usize),
    /// A duration is not a number, negative, or longer than ten years.
    AbsurdDuration(usize),
}

impl std::fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cycle => f.write_str("steps wait for each other in a circle"),
            Self::NoSuchStep(step) => write!(f, "step {step} waits for a step that is not there"),
            Self::AbsurdDuration(step) => write!(f, "the duration of step {step} makes no sense"),
        }
    }
}

impl std::error::Error for BadNetwork {}

/// Ten years, in seconds.
const LONGEST: f64 = 10.0 * 366.0 * 86_400.0;

/// A network, each step behind everything it waits for.
#[derive(Debug, Clone)]
pub struct Network {
    /// The steps.
    pub activities: Vec<Activity>,
    /// What all of them are multiplied by: the night everybody shares.
    pub night: Table,
    pub(crate) order: Vec<usize>,
}

impl Network {
    /// A network, checked.
    ///
    /// # Errors
    /// [`BadNetwork`].
    pub fn new(activities: Vec<Activity>, night: Table) -> Result<Self, BadNetwork> {
        for (index, activity) in activities.iter().enumerate() {
            if activity.before.iter().any(|&first| first >= activities.len()) {
                return Err(BadNetwork::NoSuchStep(index));
            }
            let duration = &activity.duration;
            let figures = [
                duration.quantile(0.5),
                duration.offset,
                duration.scale,
                duration.cap.min(LONGEST),
                activity.release,
                activity.elapsed.unwrap_or(0.0),
            ];
            if figures.iter().any(|figure| !(0.0..=LONGEST).contains(figure)) {
                return Err(BadNetwork::AbsurdDuration(index));
            }
        }
        let before: Vec<&[usize]> = activities.iter().map(|a| a.before.as_slice()).collect();
        let order = topological(&before).ok_or(BadNetwork::Cycle)?;
        Ok(Self { activities, night, order })
    }

    /// When each step ends if step `index` takes `takes(index)` seconds.
    #[must_use]
    pub fn finish_times(&self, takes: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut ends = vec![0.0_f64; self.activities.len()];
        for &index in &self.order {
            let activity = &self.activities[index];
            let start = activity.before.iter().map(|&first| ends[first]);
            ends[index] = start.fold(activity.release, f64::max) + takes(index);
        }
        ends
    }
}

/// Every position behind all that stand before it, lower positions first where
/// free; `None` when there is a circle.
pub(crate) fn topological(before: &[&[usize]]) -> Option<Vec<usize>> {
    let mut open: Vec<usize> = before.iter().map(|before| before.len()).collect();
    let mut behind = vec![Vec::new(); before.len()];
    for (index, before) in before.iter().enumerate() {
        before.iter().for_each(|&first| behind[first].push(index));
    }
    let mut free: std::collections::BinaryHeap<std::cmp::Reverse<usize>> =
        (0..before.len()).filter(|&index| open[index] == 0).map(std::cmp::Reverse).collect();
    let mut order = Vec::with_capacity(before.len());
    while let Some(std::cmp::Reverse(index)) = free.pop() {
        order.push(index);
        for &next in &behind[index] {
            open[next] -= 1;
            if open[next] == 0 {
                free.push(std::cmp::Reverse(next));
            }
        }
    }
    (order.len() == before.len()).then_some(order)
}
