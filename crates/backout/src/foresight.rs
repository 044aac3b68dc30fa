//! What commands and views ask the forecast in passing: a run's outlook, the order
//! of work, what earlier runs took.

use jiff::{SignedDuration, Timestamp};

use backout_core::choice::ForecastSummary;
use backout_core::duration::Span;
use backout_core::graph::Graph;
use backout_core::ids::{RunId, Seq, StepId};
use backout_core::plan::Plan;
use backout_core::record::{Chain, Record};
use backout_core::state::RunState;
use backout_engine::log::OpenError;
use backout_engine::{Forecaster, Journal};
use backout_forecast::outlook::{History, Outlook, Settings, Situation, look};
use backout_plan::times;
use backout_sqlite::SqliteJournal;

use crate::app::App;
use crate::failure::Failure;
use crate::view::forecast::spare;

/// How many threads to simulate on. The answer does not depend on it.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A run's outlook for the views that follow it, quickly; or why there is none. Of a
/// run that goes forward: of the way back, if it began now.
/// `None` for a run that is over, and for a demonstration, which has its own pace.
pub(crate) fn glance(
    state: &RunState,
    history: &History,
    at: Timestamp,
) -> Option<Result<Outlook, String>> {
    if state.finished().is_some() || state.is_demo() {
        return None;
    }
    let back = state.if_backed_out(at);
    let state = back.as_ref().unwrap_or(state);
    let nights = (2_000_000 / state.steps().len().max(1)).clamp(1000, 20_000);
    let settings = Settings { nights, thorough: false, ..Settings::default() };
    let looked = look(&Situation::of_run(state, at), &history.without(state.run()), settings);
    Some(looked.map_err(|why| why.to_string()))
}

/// What whoever decides should know: how long going back takes, and until when it can
/// be begun; nothing where the plan does not say enough for a forecast.
fn numbers(state: &RunState, history: &History, now: Timestamp) -> Option<ForecastSummary> {
    let back = state.if_backed_out(now)?;
    let settings =
        Settings { nights: 4096, thorough: false, threads: threads(), ..Settings::default() };
    let outlook =
        look(&Situation::of_run(&back, now), &history.without(state.run()), settings).ok()?;
    // To the next second, and where it is long to the next minute.
    let span = |seconds: f64| {
        if !seconds.is_finite() {
            return None;
        }
        let grid = if seconds > 600.0 { 60.0 } else { 1.0 };
        let seconds = (seconds.max(0.0) / grid).ceil() * grid;
        Some(Span::from(std::time::Duration::from_secs_f64(seconds)))
    };
    // Its careful end; this moment where it has passed already.
    let latest = spare(&outlook).map(|seconds| match outlook.never {
        true => now,
        #[expect(clippy::cast_possible_truncation, reason = "seconds of a night")]
        false => {
            let spare = SignedDuration::from_secs(seconds.max(0.0) as i64);
            now.checked_add(spare).unwrap_or(now)
        }
    });
    Some(ForecastSummary {
        likely: span(outlook.finish.quantile(0.5).high),
        high: span(outlook.finish.quantile(0.95).high),
        in_time: outlook.in_time.map(|figure| figure.low),
        point_of_no_return: latest,
        fix_deadline: latest,
    })
}

/// A forecaster that learns from the runs of this state folder.
#[derive(Default)]
pub(crate) struct HistoryForecaster(History);

impl HistoryForecaster {
    /// The forecaster of a state folder.
    pub(crate) async fn of_state(app: &App) -> Result<Self, Failure> {
        Ok(Self(history_of_state(app).await?))
    }

    /// What it has learned from.
    pub(crate) fn history(&self) -> &History {
        &self.0
    }
}

impl Forecaster for HistoryForecaster {
    fn summary(&self, state: &RunState, now: Timestamp) -> Option<ForecastSummary> {
        numbers(state, &self.0, now)
    }

    fn order(&self, state: &RunState, now: Timestamp) -> Option<Vec<StepId>> {
        if state.planned().order.is_empty() {
            return None;
        }
        let mut situation = Situation::of_run(state, now);
        situation.order = None;
        let settings =
            Settings { nights: 4096, thorough: false, threads: threads(), ..Settings::default() };
        let outlook = look(&situation, &self.0.without(state.run()), settings).ok()?;
        Some(outlook.order.iter().map(|&step| state.steps()[step].id.clone()).collect())
    }
}

/// The order in which people and lanes take up the steps of a new run.
pub(crate) fn frozen_order(
    plan: &Plan,
    graph: &Graph,
    at: Timestamp,
    history: &History,
) -> Vec<StepId> {
    let window = times::instants(plan.window.as_ref());
    let situation = Situation::of_plan(plan, graph, at, window, times::not_before(plan));
    let settings =
        Settings { nights: 4096, thorough: false, threads: threads(), ..Settings::default() };
    match look(&situation, history, settings) {
        Ok(outlook) => outlook.order.iter().map(|&step| plan.steps[step].id.clone()).collect(),
        // Without durations there is nothing to choose by: the plan's own order.
        Err(_) => Vec::new(),
    }
}

/// What the runs of this state folder took. A log that cannot be read is left
/// out, and said so.
pub(crate) async fn history_of_state(app: &App) -> Result<History, Failure> {
    let mut history = History::default();
    if !SqliteJournal::exists(app.state_folder())? {
        return Ok(history);
    }
    let journal = app.clone().looking().existing_journal()?;
    for (run, _) in journal.runs().await? {
        if run.is_baselines() {
            continue;
        }
        match records(&journal, &run).await {
            Ok(records) => history.add_run(&records),
            Err(why) => crate::warn!("warning: {run} does not count: {why}"),
        }
    }
    Ok(history)
}

/// Every record of a run.
pub(crate) async fn records(
    journal: &SqliteJournal,
    run: &RunId,
) -> Result<Vec<Record>, OpenError> {
    let stored = journal.read(run, Seq(0)).await?;
    let mut chain = Chain::new(run.clone());
    Ok(stored.iter().map(|bytes| chain.read(bytes)).collect::<Result<_, _>>()?)
}
