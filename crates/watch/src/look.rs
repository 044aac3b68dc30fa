//! Looking once: asking a source, and turning its answer into a sample.

mod page;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backout_core::ids::SourceId;
use backout_core::plan::{Condition, Gauge, Latency, Probe, Ratio, Relative, Source, Trigger};
use backout_engine::hands::World;
use backout_exec::probe;
use backout_exec::secrets::Secrets;
use backout_exec::sql::{Databases, Rows, SqlError};
use backout_exec::terminal::{QUOTED, short};
use backout_trigger::machine::Sample;
use backout_trigger::quantile::upper_bound;
use backout_trigger::rule::beyond;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::prometheus::{NoAnswer, Prometheus};

/// How long a source may take to answer.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a probe is tried, and how many of these tries must fail.
const FAILS: (u32, u32) = (2, 2);

/// What is said where the query for all events has no answer, and more where it has a range.
const NO_EVENTS: &str = "the query for all events gives nothing";
const RANGE: &str =
    "; its range must hold two scrapes at least: with a scrape every 15s, `[30s]` and `every: 30s`";
/// What is said where there is less than half an event in all.
const RATE: &str = "less than half an event in all, which counts as none: ask for counts with `increase(…)`, not for a rate";

/// What looking once gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    /// The sample.
    pub sample: Sample,
    /// What there is to say beside the figures: an error, what a probe found.
    pub note: String,
    /// What was asked.
    pub queries: Vec<String>,
    /// The source that could not be read, and why.
    pub lost: Option<(SourceId, String)>,
}

impl Looked {
    fn of(sample: Sample) -> Self {
        Self { sample, note: String::new(), queries: Vec::new(), lost: None }
    }

    /// The same, saying something.
    fn saying(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    fn asking<'q>(mut self, queries: impl IntoIterator<Item = &'q str>) -> Self {
        self.queries = queries.into_iter().map(str::to_owned).collect();
        self
    }

    fn failed(source: Option<&SourceId>, why: String) -> Self {
        let lost = source.map(|source| (source.clone(), why.clone()));
        Self { lost, ..Self::of(Sample::Failed).saying(why) }
    }
}

/// The Prometheus servers of a plan. Triggers of one source share its connections:
/// a server has only so many.
#[derive(Debug, Default)]
pub struct Servers(BTreeMap<SourceId, Result<Prometheus, String>>);

impl Servers {
    /// The servers a world names.
    #[must_use]
    pub fn of_world(world: &World) -> Self {
        let mut servers = BTreeMap::new();
        for (id, source) in &world.sources {
            if let Source::Prometheus(address) = source {
                let mut secrets = Secrets::default();
                let address = secrets.resolve(address, &world.folder).map_err(|e| e.to_string());
                servers.insert(id.clone(), address.map(|at| Prometheus::new(&at, TIMEOUT)));
            }
        }
        Self(servers)
    }

    /// The server of a source, if it is one.
    ///
    /// # Errors
    /// Why it cannot be addressed.
    pub fn of(&self, source: &SourceId) -> Result<Option<Prometheus>, String> {
        self.0.get(source).cloned().transpose()
    }
}

/// What one trigger's looks have in common.
pub struct Looker {
    trigger: Trigger,
    world: Arc<World>,
    prometheus: Option<Prometheus>,
    /// When the deployment began: what was usual is measured before it.
    began: Timestamp,
    /// How much of the time before it says what is usual.
    before: Duration,
    every: Duration,
    memory: Mutex<Memory>,
}

/// What a look leaves for the next one. It is kept on the board: a watch that starts
/// again measures from where the last one stopped.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The boundary of a histogram that is used.
    boundary: Option<String>,
    /// Slow and all requests at the last look.
    counted: Option<(f64, f64)>,
    /// The value beyond which something is worse than before.
    bound: Option<f64>,
}

impl Looker {
    /// Looks at a trigger of a deployment that began at a moment.
    ///
    /// # Errors
    /// Why its source cannot even be addressed.
    pub fn new(
        trigger: Trigger,
        world: Arc<World>,
        servers: &Servers,
        began: Timestamp,
        before: Duration,
        every: Duration,
    ) -> Result<Self, String> {
        let prometheus = match trigger.condition.source() {
            Some(source) => servers.of(source)?,
            None => None,
        };
        Ok(Self { trigger, world, prometheus, began, before, every, memory: Mutex::default() })
    }

    /// The same, going on from what an earlier watch left.
    #[must_use]
    pub fn remembering(self, memory: Option<Memory>) -> Self {
        *self.memory() = memory.unwrap_or_default();
        self
    }

    /// Looks once. Never panics and never takes much longer than [`TIMEOUT`] for each
    /// question.
    pub async fn look(self: &Arc<Self>) -> Looked {
        match &self.trigger.condition {
            Condition::Ratio(ratio) => self.ratio(ratio).await,
            Condition::Latency(latency) => self.latency(latency).await,
            Condition::Relative(relative) => self.relative(relative).await,
            Condition::Gauge(gauge) => self.gauge(gauge).await,
            Condition::Probe(probe) => self.probe(probe).await,
            // Nobody looks: it is told, judged, or follows from others.
            Condition::Webhook(_) | Condition::Composite(_) | Condition::Judged(_) => {
                Looked::of(Sample::Nothing)
            }
        }
    }

    /// One value of a source: PromQL or SQL.
    async fn value(
        self: &Arc<Self>,
        source: &SourceId,
        query: &str,
    ) -> Result<Option<f64>, Looked> {
        if self.prometheus.is_some() {
            let (this, query) = (Arc::clone(self), query.to_owned());
            let asked = blocking(move || {
                this.prometheus.as_ref().map_or(Ok(None), |server| server.value(&query))
            })
            .await;
            return asked.map_err(|error| not_answered(source, error));
        }
        let rows = self.rows(source, query).await.map_err(|error| match error {
            SqlError::Refused(why) => Looked::failed(None, why),
            error => Looked::failed(Some(source), error.to_string()),
        })?;
        match &rows[..] {
            [] => Ok(None),
            [row] => match &row[..] {
                [] => Ok(None),
                [cell] => figure(query, cell),
                more => {
                    let why =
                        format!("`{query}` gives {} columns; a trigger needs one", more.len());
                    Err(Looked::failed(None, why))
                }
            },
            more => {
                let why = format!("`{query}` gives {} rows; a trigger needs one", more.len());
                Err(Looked::failed(None, why))
            }
        }
    }

    async fn rows(&self, source: &SourceId, query: &str) -> Result<Rows, SqlError> {
        let databases = Databases { sources: &self.world.sources, folder: &self.world.folder };
        databases.query(source, query, TIMEOUT, &mut Secrets::default()).await
    }

    /// Two values that belong together: they are asked in one question, so that both are of
    /// the same moment.
    async fn pair(
        self: &Arc<Self>,
        source: &SourceId,
        first: &str,
        second: &str,
    ) -> Result<(Option<f64>, Option<f64>), Looked> {
        if self.prometheus.is_some() {
            let (this, both) = (Arc::clone(self), (first.to_owned(), second.to_owned()));
            let asked = blocking(move || {
                let server = this.prometheus.as_ref();
                server.map_or(Ok((None, None)), |server| server.pair(&both.0, &both.1))
            })
            .await;
            match asked {
                Ok(pair) => return Ok(pair),
                Err(NoAnswer::Lost(why)) => return Err(Looked::failed(Some(source), why)),
                // Not every query can be part of another one. By itself it is answered,
                // or it is said what is wrong with it.
                Err(NoAnswer::Refused(_)) => {}
            }
        }
        if self.prometheus.is_none() {
            let whole = |query: &str| query.trim().trim_end_matches(';').to_owned();
            let (one, other) = (whole(first), whole(second));
            let both = format!("SELECT * FROM ({one}) AS one, ({other}) AS other");
            match self.rows(source, &both).await.as_deref() {
                // By itself it is said what is wrong with the one or the other.
                Err(SqlError::Refused(_)) => {}
                Err(error) => return Err(Looked::failed(Some(source), error.to_string())),
                Ok([row]) => {
                    if let [one, other] = &row[..] {
                        return Ok((figure(first, one)?, figure(second, other)?));
                    }
                }
                Ok(_) => {}
            }
        }
        let second = self.value(source, second).await?;
        Ok((self.value(source, first).await?, second))
    }

    async fn ratio(self: &Arc<Self>, ratio: &Ratio) -> Looked {
        let asked = [ratio.bad.as_str(), ratio.total.as_str()];
        let pair = match self.pair(&ratio.source, &ratio.bad, &ratio.total).await {
            Ok(pair) => pair,
            Err(looked) => return looked.asking(asked),
        };
        match pair {
            (Some(bad), Some(total)) => {
                let looked = Looked::of(Sample::Counts { bad, total }).asking(asked);
                match total > 0.0 && total < 0.5 {
                    true => looked.saying(RATE),
                    false => looked,
                }
            }
            // A counter that exists only once something failed looks like this; so does
            // a misspelled one.
            (None, Some(_)) => Looked::of(Sample::Nothing)
                .saying("the query for bad events gives nothing; if it only exists once something failed, write `… or vector(0)`")
                .asking(asked),
            (_, None) if ratio.total.contains('[') => Looked::of(Sample::Nothing)
                .saying(format!("{NO_EVENTS}{RANGE}"))
                .asking(asked),
            (_, None) => Looked::of(Sample::Nothing).saying(NO_EVENTS).asking(asked),
        }
    }

    async fn latency(self: &Arc<Self>, latency: &Latency) -> Looked {
        let boundary = match self.boundary(latency).await {
            Ok(boundary) => boundary,
            Err(looked) => return looked,
        };
        let (fast, all) = queries(latency, &boundary);
        let asked = [fast.as_str(), all.as_str()];
        let (quick, total) = match self.pair(&latency.source, &fast, &all).await {
            Ok(pair) => pair,
            Err(looked) => return looked.asking(asked),
        };
        let (Some(total), Some(quick)) = (total, quick) else {
            return Looked::of(Sample::Nothing).saying("the histogram has no series").asking(asked);
        };
        let now = ((total - quick).max(0.0), total);
        let (bad, total) = since(self.memory().counted.replace(now), now);
        Looked::of(Sample::Counts { bad, total }).asking(asked)
    }

    /// The boundary of a histogram at the limit, or the next higher one.
    async fn boundary(self: &Arc<Self>, latency: &Latency) -> Result<String, Looked> {
        if let Some(known) = self.memory().boundary.clone() {
            return Ok(known);
        }
        let (this, wanted) = (Arc::clone(self), latency.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let nobody = || NoBoundary::None("it needs a Prometheus".to_owned());
            this.prometheus.as_ref().ok_or_else(nobody).and_then(|server| found(server, &wanted))
        });
        match asked.await {
            Ok(Ok(text)) => {
                self.memory().boundary = Some(text.clone());
                Ok(text)
            }
            Ok(Err(NoBoundary::NoAnswer(error))) => Err(not_answered(&latency.source, error)),
            Ok(Err(NoBoundary::NoHistogram(why))) => Err(Looked::of(Sample::Nothing).saying(why)),
            Ok(Err(NoBoundary::None(why))) => Err(Looked::failed(None, why)),
            Err(error) => Err(Looked::failed(None, error.to_string())),
        }
    }

    async fn relative(self: &Arc<Self>, relative: &Relative) -> Looked {
        let asked = [relative.value.as_str()];
        let bound = match self.bound(relative).await {
            Ok(bound) => bound,
            Err(looked) => return looked.asking(asked),
        };
        match self.value(&relative.source, &relative.value).await {
            Ok(Some(value)) => {
                let beyond = value > bound;
                Looked::of(Sample::Value { value, beyond })
                    .saying(format!("{value:.3}, and {bound:.3} is the bound"))
                    .asking(asked)
            }
            Ok(None) => Looked::of(Sample::Nothing).saying("the query gives nothing").asking(asked),
            Err(looked) => looked.asking(asked),
        }
    }

    /// The value beyond which it is worse than before: the median before the
    /// deployment, on the safe side, and so much more.
    async fn bound(self: &Arc<Self>, relative: &Relative) -> Result<f64, Looked> {
        if let Some(known) = self.memory().bound {
            return Ok(known);
        }
        let (this, query) = (Arc::clone(self), relative.value.clone());
        let asked = blocking(move || {
            let from = this.began.checked_sub(this.before).unwrap_or(this.began);
            let step = this.every.max(Duration::from_secs(15));
            match &this.prometheus {
                Some(server) => server.values(&query, from, this.began, step),
                None => Ok(Vec::new()),
            }
        })
        .await;
        let found = asked.map_err(|error| not_answered(&relative.source, error))?;
        let values: Vec<f64> = found.into_iter().map(|(_, value)| value).collect();
        match upper_bound(&values, 0.5, 0.01) {
            Some(usual) => {
                let bound = bound_above(usual, relative.worse_than.0);
                self.memory().bound = Some(bound);
                Ok(bound)
            }
            // Compared with nothing, nothing is worse; and nothing is well.
            None => Err(Looked::of(Sample::Nothing).saying(format!(
                "too little is known from before the deployment: {} values",
                values.len()
            ))),
        }
    }

    async fn gauge(self: &Arc<Self>, gauge: &Gauge) -> Looked {
        let Some(url) = &gauge.url else {
            let (Some(source), Some(query)) = (&gauge.source, &gauge.query) else {
                return Looked::of(Sample::Nothing);
            };
            return match self.value(source, query).await {
                Ok(Some(value)) => {
                    Looked::of(Sample::Value { value, beyond: beyond(&gauge.limit, value) })
                }
                Ok(None) => Looked::of(Sample::Nothing).saying("the query gives nothing"),
                Err(looked) => looked,
            }
            .asking([query.as_str()]);
        };
        self.page(gauge, url).await
    }

    async fn probe(self: &Arc<Self>, wanted: &Probe) -> Looked {
        let (count, of) = wanted.fails.map_or(FAILS, |fails| (fails.count, fails.of));
        let within = wanted.check.within.map_or(TIMEOUT, |within| within.get());
        let (mut failed, mut last) = (0, String::new());
        // A moment apart: one restart of what is probed is one failure.
        let pause = (self.every / (of + 1)).min(Duration::from_secs(1));
        for tried in 0..of {
            if tried > 0 {
                tokio::time::sleep(pause).await;
            }
            let looked =
                tokio::time::timeout(within, probe::look(&wanted.check.check, &self.world));
            let (holds, found) = match looked.await {
                Ok(answer) => match answer.holds {
                    // The probe itself is wrong, and says nothing about what it probes.
                    None if answer.is_broken => {
                        return Looked::failed(None, answer.found).asking([wanted
                            .check
                            .check
                            .shown()
                            .as_str()]);
                    }
                    holds => (holds == Some(true), answer.found),
                },
                Err(_) => (false, format!("no answer within {} ms", within.as_millis())),
            };
            // No answer is a failure too: that it answers is what a probe is about.
            if !holds {
                failed += 1;
            }
            last = found;
            let left = of - tried - 1;
            if failed >= count || failed + left < count {
                break;
            }
        }
        let beyond = failed >= count;
        Looked::of(Sample::Value { value: f64::from(failed), beyond }).saying(last).asking([wanted
            .check
            .check
            .shown()
            .as_str()])
    }

    pub(crate) fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_answered(source: &SourceId, error: NoAnswer) -> Looked {
    match error {
        NoAnswer::Lost(why) => Looked::failed(Some(source), why),
        // The server is well; the query is not.
        NoAnswer::Refused(why) => Looked::failed(None, why),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NoAnswer> + Send + 'static,
) -> Result<T, NoAnswer> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(NoAnswer::Lost(error.to_string())))
}

/// The value that is so many percent worse than usual. Worse is larger, also below 0.
fn bound_above(usual: f64, percent: f64) -> f64 {
    usual + usual.abs() * percent / 100.0
}

/// A cell of a database as a figure.
fn figure(query: &str, cell: &Option<String>) -> Result<Option<f64>, Looked> {
    let Some(text) = cell else { return Ok(None) };
    text.trim().parse().map(Some).map_err(|_| {
        let text = short(text.trim(), QUOTED);
        Looked::failed(None, format!("`{query}` gives `{text}`, which is no figure"))
    })
}

/// Why a histogram cannot be read at a limit.
enum NoBoundary {
    NoAnswer(NoAnswer),
    NoHistogram(String),
    None(String),
}

/// The boundary of a histogram at the limit, or the next higher one.
fn found(server: &Prometheus, latency: &Latency) -> Result<String, NoBoundary> {
    let (name, labels) = selector(&latency.histogram);
    let buckets = format!("{name}_bucket{{{labels}}}");
    let found = server.label(&buckets, "le").map_err(NoBoundary::NoAnswer)?;
    if found.is_empty() {
        return Err(NoBoundary::NoHistogram(format!("there is no histogram `{name}`")));
    }
    let over = latency.over.get().as_secs_f64();
    let at = found.into_iter().filter_map(|text| {
        let value: f64 = text.parse().ok()?;
        (value.is_finite() && value >= over - 1e-9).then_some((value, text))
    });
    let lowest = at.min_by(|a, b| a.0.total_cmp(&b.0));
    lowest.map(|(_, text)| text).ok_or_else(|| {
        let over = latency.over;
        NoBoundary::None(format!("the histogram `{name}` has no boundary at {over} or above"))
    })
}

/// The same, for whoever only needs to know why not.
pub(crate) fn boundary(server: &Prometheus, latency: &Latency) -> Result<String, String> {
    found(server, latency).map_err(|error| match error {
        NoBoundary::NoAnswer(error) => error.to_string(),
        NoBoundary::NoHistogram(why) | NoBoundary::None(why) => why,
    })
}

/// What is asked about a histogram: the requests within the boundary, and all.
pub(crate) fn queries(latency: &Latency, boundary: &str) -> (String, String) {
    let (name, labels) = selector(&latency.histogram);
    let all = format!("sum({name}_count{{{labels}}})");
    let with = if labels.is_empty() { String::new() } else { format!("{labels},") };
    (format!("sum({name}_bucket{{{with}le=\"{boundary}\"}})"), all)
}

/// Slow and all requests between two looks at the counters themselves, and not at a rate
/// of them: no request is counted twice, and none is made up. Where the slow ones, the
/// others or all fell, a counter was reset, or a server of several went away: nobody knows
/// what of it is new.
pub(crate) fn since(before: Option<(f64, f64)>, now: (f64, f64)) -> (f64, f64) {
    let Some(before) = before else { return (0.0, 0.0) };
    let (bad, total) = (now.0 - before.0, now.1 - before.1);
    // Requests are whole; what a sum loses in its last digits did not fall.
    let fell = [bad, total, total - bad].iter().any(|new| *new < -0.5);
    if fell { (0.0, 0.0) } else { (bad.max(0.0), total.max(0.0)) }
}

/// `name{labels}` as its two parts.
fn selector(text: &str) -> (String, String) {
    match text.trim().split_once('{') {
        Some((name, labels)) => {
            (name.trim().to_owned(), labels.trim_end().trim_end_matches('}').trim().to_owned())
        }
        None => (text.trim().to_owned(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_taken_apart() {
        assert_eq!(selector("a_seconds"), ("a_seconds".to_owned(), String::new()));
        let (name, labels) = selector("a_seconds{job=\"x\", code=~\"2..\"}");
        assert_eq!((name.as_str(), labels.as_str()), ("a_seconds", "job=\"x\", code=~\"2..\""));
    }

    #[test]
    fn worse_is_larger_on_both_sides_of_zero() {
        assert_eq!(bound_above(10.0, 50.0), 15.0);
        assert_eq!(bound_above(-10.0, 50.0), -5.0);
        assert_eq!(bound_above(-10.0, 200.0), 10.0);
        assert_eq!(bound_above(0.0, 50.0), 0.0, "anything at all is worse than nothing");
    }

    #[test]
    fn what_a_database_says_is_not_repeated() {
        let cell = |text: String| figure("SELECT note FROM customers", &Some(text));
        assert_eq!(cell(" 12 ".to_owned()), Ok(Some(12.0)));
        let said = cell("Jane Doe, 12 High Street ".repeat(100_000)).expect_err("no figure").note;
        assert!(said.starts_with("`SELECT note FROM customers` gives `Jane Doe,"), "{said}");
        assert!(said.chars().count() < 160, "{} characters", said.len());
    }

    #[test]
    fn whatever_part_of_a_counter_fell_it_was_reset() {
        let since = |now| since(Some((20.0, 150.0)), now);
        assert_eq!(since((25.0, 170.0)), (5.0, 20.0));
        assert_eq!(since((20.0, 150.0)), (0.0, 0.0));
        assert_eq!(since((5.0, 140.0)), (0.0, 0.0), "all");
        assert_eq!(since((15.0, 160.0)), (0.0, 0.0), "the slow ones, of a total that rose");
        assert_eq!(since((60.0, 160.0)), (0.0, 0.0), "the others, of a total that rose");
        assert_eq!(since((19.999_999_9, 151.0)), (0.0, 1.0), "digits are no request");
    }
}
