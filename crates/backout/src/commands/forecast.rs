//! `forecast`: how long, how likely, until when.

mod moment;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use backout_core::duration::{Estimate, Span};
use backout_core::event::Instants;
use backout_core::graph::Graph;
use backout_core::ids::{ComponentId, OptionId};
use backout_core::plan::Plan;
use backout_core::state::select;
use backout_forecast::fix::{FixOrBack, fix_or_back};
use backout_forecast::learning::{Assumptions, Known, learn};
use backout_forecast::outlook::{
    self, History, Outlook, Settings, Situation, better_team, look, rehearsed,
};
use backout_forecast::partial::{Choice, front};
use backout_plan::times;

use self::moment::moment;
use super::Done;
use super::invoke::{chosen_components, chosen_option};
use super::plans::must_read;
use crate::app::App;
use crate::cli::ForecastArgs;
use crate::failure::{Exit, Failure};
use crate::foresight::{history_of_state, threads};
use crate::run_ref;
use crate::view::forecast::{self as view, Shown};
use crate::view::waiting::Working;
use crate::view::{chart, words};

pub(super) async fn forecast(app: &App, args: &ForecastArgs) -> Done {
    let working = Working::on("forecasting");
    let path = Path::new(&args.target);
    let looks_like_a_file = args.target.contains(['/', '.']);
    if path.exists() || looks_like_a_file {
        of_plan(app, args, path, working).await
    } else {
        of_run(app, args, working).await
    }
}

fn settings(args: &ForecastArgs, steps: usize) -> Settings {
    // A fleet needs fewer nights for an answer in seconds; what was asked for is done.
    let fitting = (30_000_000 / steps.max(1)).clamp(2_000, 100_000);
    let nights = args.nights.map_or(fitting, |nights| nights as usize);
    Settings { seed: args.seed, nights, threads: threads(), ..Settings::default() }
}

async fn of_plan(app: &App, args: &ForecastArgs, path: &Path, working: Working) -> Done {
    let mut read = must_read(path)?;
    assume(&mut read.plan, args)?;
    let plan = &read.plan;
    let zone = words::zone(plan);
    let window = times::instants(plan.window.as_ref());
    let history = history(app, args.history.as_ref(), plan).await?;
    let only = chosen_components(plan, &args.only)?;
    let at = match &args.at {
        Some(said) => moment(said, &zone, &window, app.now(), None)?,
        None => natural_moment(app.now(), &window),
    };
    if window.backout_by.is_some_and(|by| by < app.now()) {
        let by = words::moment(window.backout_by.unwrap_or(at), &zone);
        crate::warn!(
            "warning: this window ended {by}; the forecast is for an invocation at {}",
            words::moment(at, &zone)
        );
    }
    // Without --option: every option, the default one in full.
    let main = chosen_option(plan, args.option.as_deref())?;
    let mut ways: Vec<Option<OptionId>> = vec![main.clone()];
    if args.option.is_none() {
        let others = plan.options.keys().filter(|id| Some(*id) != main.as_ref());
        ways.extend(others.cloned().map(Some));
    }
    if !select(plan, main.as_ref(), &only)?.contains(&true) {
        return Err(Failure::new(
            Exit::Failed,
            "there is nothing to forecast: no step is on this way back",
        ));
    }
    certain_enough(plan, settings(args, plan.steps.len()).nights)?;
    let mut looked: Vec<(Option<OptionId>, Outlook)> = Vec::new();
    for (index, way) in ways.iter().enumerate() {
        let selected = select(plan, way.as_ref(), &only)?;
        // A way that does nothing is not one that is done at once.
        if !selected.contains(&true) {
            continue;
        }
        let graph = Graph::new(&plan.steps, &selected, &[]).map_err(|e| Failure::of(&e))?;
        let situation = Situation::of_plan(plan, &graph, at, window, times::not_before(plan));
        let settings = Settings { thorough: index == 0, ..settings(args, plan.steps.len()) };
        looked.push((way.clone(), foretell(look(&situation, &history, settings))?));
    }
    let selected = select(plan, main.as_ref(), &only)?;
    let graph = Graph::new(&plan.steps, &selected, &[]).map_err(|e| Failure::of(&e))?;
    let situation = Situation::of_plan(plan, &graph, at, window, times::not_before(plan));
    let (way, outlook) = looked.remove(0);
    // What more people or rehearsals would buy takes many forecasts.
    let small = plan.steps.len() <= 300;
    let helpers = if !small {
        Vec::new()
    } else {
        foretell(better_team(&situation, &history, settings(args, plan.steps.len()), &outlook))?
    };
    let now = outlook.finish.quantile(outlook.confidence).value;
    let mut rehearsals = Vec::new();
    for times in if small { &[1, 3][..] } else { &[] } {
        let times = *times;
        let then = foretell(rehearsed(
            &situation,
            &history,
            settings(args, plan.steps.len()),
            &outlook,
            times,
        ))?;
        rehearsals.push((times, now - then));
    }
    let fix = args.fix.as_deref().map(|said| compare_fix(said, plan, &outlook)).transpose()?;
    let partial = match args.partial {
        true => Some(parts(plan, main.as_ref(), at, &history, settings(args, plan.steps.len()))?),
        false => None,
    };
    let shown = Shown {
        plan,
        steps: &plan.steps,
        doer: situation.doer.clone(),
        run: None,
        held: false,
        option: way,
        only: only.iter().map(ToString::to_string).collect(),
        outlook,
        others: looked,
        helpers,
        rehearsals,
        fix,
        partial,
        zone,
        window,
    };
    drop(working);
    show(args, &shown)
}

async fn of_run(app: &App, args: &ForecastArgs, working: Working) -> Done {
    if args.partial || args.option.is_some() || !args.only.is_empty() {
        return Err(Failure::usage(format!("`{}` is a run, and its way is chosen", args.target))
            .hint("`--partial`, `--option` and `--only` ask about plans"));
    }
    let run = run_ref::find(app, Some(&args.target)).await?;
    let log = app.open(&run).await?;
    let state = log.state().clone();
    if let Some((_, at)) = &state.finished() {
        return Err(Failure::usage(format!(
            "{run} ended at {}; there is nothing left to forecast",
            words::moment(*at, &words::zone(&state.planned().plan))
        ))
        .hint(format!("`backout log {run}` tells what happened")));
    }
    let state = state.assuming(|plan| assume(plan, args))?;
    let zone = words::zone(&state.planned().plan);
    let history = history(app, args.history.as_ref(), &state.planned().plan).await?;
    let begun = state.states().iter().filter_map(|known| known.started).min();
    let begun = begun.unwrap_or_else(|| app.now());
    let at = match &args.at {
        Some(said) => moment(said, &zone, &state.planned().window, app.now(), Some(begun))?,
        None => app.now(),
    };
    let history = history.without(&run);
    let situation = Situation::of_run(&state, at);
    let outlook = foretell(look(&situation, &history, settings(args, state.steps().len())))?;
    let plan = &state.planned().plan;
    let fix = args.fix.as_deref().map(|said| compare_fix(said, plan, &outlook)).transpose()?;
    let shown = Shown {
        plan,
        steps: state.steps(),
        doer: situation.doer.clone(),
        run: Some(run.to_string()),
        held: state.held().is_some(),
        option: state.option().cloned(),
        only: state.planned().only.iter().map(ToString::to_string).collect(),
        outlook,
        others: Vec::new(),
        helpers: Vec::new(),
        rehearsals: Vec::new(),
        fix,
        partial: None,
        zone,
        window: state.planned().window,
    };
    drop(working);
    show(args, &shown)
}

/// A quantile so far out that fewer than fifty nights lie beyond it is not known.
fn certain_enough(plan: &Plan, nights: usize) -> Result<(), Failure> {
    let wanted = plan.window.as_ref().and_then(|window| window.confidence);
    let Some(wanted) = wanted else { return Ok(()) };
    let beyond = nights as f64 * (1.0 - wanted.0 / 100.0).min(wanted.0 / 100.0);
    if beyond >= 50.0 {
        return Ok(());
    }
    let enough = 50.0 / (1.0 - wanted.0 / 100.0).min(wanted.0 / 100.0);
    let failure = Failure::usage(format!("{nights} nights cannot tell {wanted}"));
    Err(match enough <= 20e6 {
        true => failure.hint(format!("`--nights {enough:.0}` can")),
        false => failure.hint("no simulation can; ask for a confidence that means something"),
    })
}

fn foretell<T>(looked: Result<T, outlook::Unforeseeable>) -> Result<T, Failure> {
    looked.map_err(|why| {
        let failure = Failure::new(Exit::Failed, format!("there is no forecast: {why}"));
        match why {
            outlook::Unforeseeable::NoDuration(_) => {
                failure.hint("say how long it takes: `takes: {low: 10m, likely: 15m, high: 30m}`")
            }
            outlook::Unforeseeable::Nonsense(_) => failure,
        }
    })
}

/// What was said on the command line takes the place of what the plan assumes.
fn assume(plan: &mut Plan, args: &ForecastArgs) -> Result<(), Failure> {
    if args.stress.is_none() && args.bad_night.is_none() {
        return Ok(());
    }
    let mut assumed = plan.forecast.unwrap_or_default();
    if let Some(stress) = args.stress {
        if !(0.1..=10.0).contains(&stress) {
            return Err(Failure::usage(format!("a stress of {stress} makes no sense"))
                .hint("a number from 0.1 to 10; 1 means as stated"));
        }
        assumed.stress = Some(stress);
    }
    if let Some(said) = &args.bad_night {
        let percent = said.parse().map_err(|_| {
            Failure::usage(format!("`{said}` is not a percentage"))
                .hint("above 0% and below 100%: `--bad-night 20%`")
        })?;
        assumed.bad_night = Some(percent);
    }
    plan.forecast = Some(assumed);
    Ok(())
}

/// When somebody who says nothing means: now, if it is the night; else the start
/// of the deployment.
fn natural_moment(now: Timestamp, window: &Instants) -> Timestamp {
    let (from, to) = (window.deploy_start.or(window.deploy_end), window.backout_by);
    match (from, to) {
        // A day after the end somebody is still asking about tonight.
        (Some(from), Some(to))
            if now >= from && now.duration_since(to) < SignedDuration::from_hours(24) =>
        {
            now
        }
        (Some(from), _) => from,
        _ => now,
    }
}

/// What earlier runs took: from a file, which must be about this plan, else from
/// the runs of this state folder.
pub(super) async fn history(
    app: &App,
    file: Option<&PathBuf>,
    plan: &Plan,
) -> Result<History, Failure> {
    let Some(path) = file else { return history_of_state(app).await };
    let history = read_history(path)?;
    if plan.steps.iter().any(|step| history.of(step).next().is_some()) {
        return Ok(history);
    }
    let failure = Failure::new(
        Exit::Failed,
        format!("{}: nothing in it is about a step of this plan", path.display()),
    );
    Err(match history.history.iter().find(|seen| plan.step(&seen.step).is_some()) {
        Some(seen) => failure.hint(format!(
            "`{}` is there, but does something else now: another action is another step",
            seen.step
        )),
        None => failure.hint("it is the history of another plan"),
    })
}

fn read_history(path: &Path) -> Result<History, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))?;
    let history: History = serde_json::from_str(&text).map_err(|error| {
        Failure::new(Exit::Failed, format!("{} is not a history: {error}", path.display()))
            .hint("`backout history --json` writes one")
    })?;
    let absurd = |seconds: f64| !(0.0..=31_622_400.0).contains(&seconds);
    if let Some(bad) = history.history.iter().find(|seen| seen.seconds.is_some_and(absurd)) {
        return Err(Failure::new(
            Exit::Failed,
            format!("{}: step {} of {} took an absurd time", path.display(), bad.step, bad.run),
        ));
    }
    Ok(history)
}

/// `45m`, or `30m/45m/2h`.
fn compare_fix(said: &str, plan: &Plan, outlook: &Outlook) -> Result<FixOrBack, Failure> {
    let bad = |error: String| {
        Failure::usage(error).hint("how long the fix takes: `--fix 45m` or `--fix 30m/45m/2h`")
    };
    let parts: Vec<Span> = said
        .split('/')
        .map(|part| part.trim().parse::<Span>())
        .collect::<Result<_, _>>()
        .map_err(|error| bad(error.to_string()))?;
    let estimate = match parts[..] {
        [likely] => Estimate::Point(likely),
        [low, likely, high] if low <= likely && likely <= high => {
            Estimate::Range { low, likely, high }
        }
        _ => return Err(bad(format!("`{said}` is neither one duration nor three that rise"))),
    };
    if plan.steps.iter().any(|step| step.not_before.is_some()) {
        return Err(Failure::usage("this way back waits for a time of day")
            .hint("leave `--fix` out, and compare `--at` one moment with `--at` another"));
    }
    let Some(deadline) = outlook.deadline else {
        return Err(Failure::usage("the plan has no `backout_by` to make")
            .hint("add `window: {timezone: …, backout_by: …}`"));
    };
    let known = Known::stated(outlook::stated(Some(estimate)));
    // A repair is a guess about the unknown; its spread is that of one figure.
    let assumed = Assumptions { stress: 1.0, ..outlook::assumptions(plan) };
    let repair = learn(&[known], &assumed).durations.remove(0);
    let table = repair.table.map(|value| value * repair.scale + repair.offset);
    let room = deadline.duration_since(outlook.at).as_secs_f64();
    let deciding = outlook.deciding.unwrap_or(0.0);
    Ok(fix_or_back(&table, &outlook.finish, room, deciding, outlook.confidence, 60.0))
}

/// What could stay, against until when.
fn parts(
    plan: &Plan,
    option: Option<&OptionId>,
    at: Timestamp,
    history: &History,
    settings: Settings,
) -> Result<Vec<Choice<ComponentId>>, Failure> {
    let touched: Vec<ComponentId> = plan
        .components
        .keys()
        .filter(|id| plan.steps.iter().any(|step| step.component.as_ref() == Some(*id)))
        .cloned()
        .collect();
    if touched.len() > 12 {
        return Err(Failure::usage(format!(
            "{} components are too many to try all",
            touched.len()
        ))
        .hint("`--only COMPONENT…` forecasts the part you have in mind"));
    }
    let quick = Settings { nights: 10_000, thorough: false, ..settings };
    let window = times::instants(plan.window.as_ref());
    let mut choices = Vec::new();
    for mask in 1_u32..1 << touched.len() {
        let inside = |place: usize| mask >> place & 1 == 1;
        let back: Vec<ComponentId> =
            (0..touched.len()).filter(|&p| inside(p)).map(|p| touched[p].clone()).collect();
        let selected = select(plan, option, &back)?;
        // What this choice really takes back: what it needs comes along.
        let taken = |id: &ComponentId| {
            plan.steps
                .iter()
                .zip(&selected)
                .any(|(step, on)| *on && step.component.as_ref() == Some(id))
        };
        let kept: Vec<ComponentId> = touched.iter().filter(|id| !taken(id)).cloned().collect();
        if touched.len() - kept.len() != back.len() {
            continue;
        }
        let graph = Graph::new(&plan.steps, &selected, &[]).map_err(|e| Failure::of(&e))?;
        let situation = Situation::of_plan(plan, &graph, at, window, times::not_before(plan));
        let outlook = foretell(look(&situation, history, quick))?;
        let needed = outlook.finish.quantile(outlook.confidence).high;
        let latest = outlook
            .point_of_no_return
            .map(|[_, low, _]| low.duration_since(outlook.at).as_secs_f64());
        choices.push(Choice { back, kept, needed, latest });
    }
    Ok(front(choices))
}

fn show(args: &ForecastArgs, shown: &Shown<'_>) -> Done {
    for (path, text) in [
        (&args.svg, args.svg.as_ref().map(|_| chart::svg(shown))),
        (&args.html, args.html.as_ref().map(|_| chart::html(shown))),
    ] {
        if let (Some(path), Some(text)) = (path, text) {
            std::fs::write(path, text).map_err(|error| {
                Failure::usage(format!("{} cannot be written: {error}", path.display()))
            })?;
            crate::warn!("Wrote {}.", path.display());
        }
    }
    if args.json {
        crate::say!("{}", serde_json::to_string_pretty(&view::json(shown))?);
    } else {
        for line in view::lines(shown, words::width()) {
            crate::say!("{line}");
        }
    }
    Ok(Exit::Done)
}

/// `history`: what steps took.
pub(super) async fn show_history(app: &App, json: bool) -> Done {
    let history = history_of_state(app).await?;
    if json {
        crate::say!("{}", serde_json::to_string_pretty(&history)?);
        return Ok(Exit::Done);
    }
    if history.history.is_empty() {
        crate::say!("Nothing was measured yet: no step of a real run has ended.");
        return Ok(Exit::Done);
    }
    let mut by_step: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for seen in &history.history {
        by_step.entry(seen.step.to_string()).or_default().extend(seen.seconds);
    }
    let rows: Vec<Vec<String>> = by_step
        .iter()
        .map(|(step, seconds)| {
            let shown: Vec<String> = seconds.iter().map(|s| view::span(*s)).collect();
            vec![step.clone(), format!("{}×", seconds.len()), shown.join(", ")]
        })
        .collect();
    for line in crate::view::table::columns(&rows) {
        crate::say!("{line}");
    }
    Ok(Exit::Done)
}
