//! `watch`: the triggers of a plan or a run, live, or over recorded data.

pub(super) mod messages;
mod record;
mod replay;

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use backout_core::duration::{BadDuration, Span};
use backout_core::event::Event;
use backout_core::ids::TriggerId;
use backout_core::plan::Plan;
use backout_core::state::RunState;
use backout_core::watch::Verdict;
use backout_engine::hands::World;
use backout_trigger::machine;
use backout_trigger::rule::{self, Kind, Measured, Rule};
use backout_watch::receive::Receiver;
use backout_watch::watcher::{Told, away, brought};
use backout_watch::{Board, News, Setting, Watcher, measure};

use super::Done;
use super::baseline::folder_of;
use super::plans::must_read;
use crate::app::App;
use crate::cli::WatchArgs;
use crate::failure::{Exit, Failure};
use crate::output;
use crate::run_ref;
use crate::view::{holders, watching, words};

pub(super) async fn watch(app: &App, args: &WatchArgs) -> Done {
    let path = Path::new(&args.target);
    if !path.is_file() {
        let of_a_plan = args.replay.is_some() || args.history.is_some();
        if of_a_plan || args.dry_run || args.lasting.is_some() {
            return Err(Failure::usage(format!("{} is no plan file", args.target))
                .hint("--replay, --history, --dry-run and --for take a plan"));
        }
        return follow(app, args).await;
    }
    let read = must_read(path)?;
    let plan = &read.plan;
    let rules = rules(plan);
    if rules.is_empty() {
        return Err(Failure::refused("no trigger of this plan is watched by a machine")
            .hint("give one a `ratio`, `latency`, `relative`, `gauge`, `probe` or `composite`"));
    }
    if let Some(file) = &args.replay {
        return replay::of_file(plan, &rules, file, args);
    }
    if args.dry_run {
        return dry_run(plan, &rules, args.json);
    }
    let lasting: Option<Span> = args
        .lasting
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|error: BadDuration| Failure::usage(format!("--for: {error}")))?;
    let history: Option<Span> = args
        .history
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|error: BadDuration| Failure::usage(format!("--history: {error}")))?;
    let world = World {
        folder: folder_of(path)?,
        environment: None,
        sources: plan.sources.iter().map(|(id, source)| (id.clone(), source.clone())).collect(),
        baselines: plan.baselines.iter().map(|(id, b)| (id.clone(), b.clone())).collect(),
        facts: BTreeMap::new(),
    };
    if let Some(length) = history {
        return replay::of_sources(app, plan, &rules, world, length, args).await;
    }
    let world = Arc::new(world);
    let mut board = Board::new(app.now());
    board.measured = measure(plan, &world, app.now()).await;
    usual(plan, &board);
    let folder = world.folder.clone();
    let (watcher, news) = Watcher::begin(Setting { board, ..Setting::new(plan, world) });
    let _receiver = messages::receive(app, plan, &folder, None, watcher.ear())?;
    look_on(app, plan, watcher, news, lasting.map(Span::get), args.json).await
}

/// The rules of the triggers a machine watches.
fn rules(plan: &Plan) -> BTreeMap<TriggerId, Rule> {
    let fresh = Measured::default();
    let watched = plan.triggers.iter();
    watched.filter_map(|(id, t)| Some((id.clone(), rule::of(plan, t, &fresh)?))).collect()
}

fn dry_run(plan: &Plan, rules: &BTreeMap<TriggerId, Rule>, json: bool) -> Done {
    if json {
        let all: Vec<_> = rules
            .iter()
            .map(|(id, rule)| {
                json!({
                    "trigger": id,
                    "definition": plan.triggers[id],
                    "every_seconds": rule.every.as_secs_f64(),
                    "required": rule.required,
                    "on_no_data": rule.on_no_data,
                    "on_error": rule.on_error,
                })
            })
            .collect();
        crate::say!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(Exit::Done);
    }
    for (id, rule) in rules {
        for line in watching::rule_lines(id.as_str(), &plan.triggers[id], rule) {
            crate::say!("{line}");
        }
    }
    Ok(Exit::Done)
}

/// Watches until it is interrupted or its time is over.
async fn look_on(
    app: &App,
    plan: &Plan,
    watcher: Watcher,
    mut news: News,
    lasting: Option<Duration>,
    json: bool,
) -> Done {
    let zone = words::zone(plan);
    let live = std::io::stdout().is_terminal() && !json;
    let end = async {
        match lasting {
            Some(lasting) => tokio::time::sleep(lasting).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(end);
    let mut pulse = tokio::time::interval(Duration::from_millis(500));
    loop {
        tokio::select! {
            heard = news.recv() => {
                let Some(events) = heard else { break };
                let mut told = true;
                for event in events {
                    if json {
                        let mut value = serde_json::to_value(&event)?;
                        if let Some(value) = value.as_object_mut() {
                            value.insert("at".to_owned(), json!(app.now()));
                        }
                        told &= tell(&value);
                    } else if !live && !matches!(event, Event::SourceOutageEnded { .. })
                        && let Some(said) = backout_documents::saying::event(&event, None, Some(plan), &zone)
                    {
                        told &= tell(&format_args!("{}  {said}", words::clock(app.now(), &zone)));
                    }
                }
                if !told {
                    return Ok(Exit::Done);
                }
            }
            _ = pulse.tick(), if live => output::draw(table(app, plan, &watcher)),
            _ = tokio::signal::ctrl_c() => break,
            () = &mut end => break,
        }
    }
    if live {
        output::draw(table(app, plan, &watcher));
    }
    let rules = watcher.rules().clone();
    let board = watcher.end().await?;
    let fresh = machine::Watched::new(board.began);
    let brought = brought(plan);
    let standing = rules
        .iter()
        .filter(|(id, _)| !brought.contains(*id))
        .map(|(id, rule)| (rule, board.triggers.get(id).map_or(&fresh, |known| &known.watched)));
    let verdict = machine::verdict(standing);
    if json {
        let all: Vec<_> = rules
            .iter()
            .map(|(id, rule)| {
                let known = board.triggers.get(id);
                watching::json(id.as_str(), &plan.triggers[id], rule, known, true, app.now())
            })
            .collect();
        crate::say!("{}", json!({"event": "watch_ended", "verdict": verdict, "triggers": all}));
    } else {
        if !live {
            for line in standing_lines(plan, &rules, &board, &brought, None, true, app.now()) {
                crate::say!("{line}");
            }
        }
        crate::say!("\nSo far: {}.", verdict.shown());
    }
    Ok(match verdict {
        Verdict::Passed => Exit::Done,
        Verdict::Failed => Exit::Failed,
        Verdict::Inconclusive | Verdict::Accepted | Verdict::Unwatched => Exit::Waiting,
    })
}

/// Whether anybody still reads what is said.
fn tell(line: &dyn std::fmt::Display) -> bool {
    output::print(output::To::Out, format!("{line}\n"))
}

fn table(app: &App, plan: &Plan, watcher: &Watcher) -> Vec<String> {
    standing_lines(plan, watcher.rules(), &watcher.board(), &brought(plan), None, false, app.now())
}

fn standing_lines(
    plan: &Plan,
    rules: &BTreeMap<TriggerId, Rule>,
    board: &Board,
    away: &BTreeSet<TriggerId>,
    run: Option<&str>,
    over: bool,
    now: jiff::Timestamp,
) -> Vec<String> {
    let there = rules.iter().filter(|(id, _)| !away.contains(*id));
    let all = there.map(|(id, rule)| (id.as_str(), rule, board.triggers.get(id)));
    let mut lines = watching::lines(plan, all, over, now);
    lines.extend(away.iter().filter_map(|id| watching::not_there(plan, id)));
    lines.extend(watching::by_people(plan, run));
    lines
}

/// The watch of a run, as its coordinator keeps it.
async fn follow(app: &App, args: &WatchArgs) -> Done {
    let run = run_ref::find(app, Some(&args.target)).await?;
    let live = std::io::stdout().is_terminal() && !args.json;
    loop {
        let log = app.open(&run).await?;
        let plan = &log.state().planned().plan;
        let rules = rules(plan);
        let board = kept(app, log.state())?;
        let Some(board) = board else {
            return Err(Failure::refused(format!("nothing is watched in {run}"))
                .hint(format!("`backout status {run}` shows where it stands")));
        };
        let away = away(log.state());
        let over = log.state().finished().is_some();
        let coordinator = app.coordinator(&run);
        if args.json {
            let all: Vec<_> = rules
                .iter()
                .map(|(id, rule)| {
                    let known = board.triggers.get(id);
                    let known = known.filter(|_| !away.contains(id));
                    watching::json(id.as_str(), &plan.triggers[id], rule, known, over, app.now())
                })
                .collect();
            let value = json!({
                "run": run,
                "began": board.began,
                "coordinator": coordinator.as_ref().map(|holder| &holder.id),
                "coordinator_silent_seconds": coordinator.as_ref().and_then(holders::silent_seconds),
                "triggers": all,
            });
            crate::say!("{}", serde_json::to_string_pretty(&value)?);
            return Ok(Exit::Done);
        }
        let mut lines =
            standing_lines(plan, &rules, &board, &away, Some(run.as_str()), over, app.now());
        match &coordinator {
            _ if over => {}
            None => {
                lines.push("NOT WATCHED: no coordinator is at work on this run.".to_owned());
                lines.push(format!("`backout resume {run}` goes on."));
            }
            Some(holder) => lines.extend(holders::lines(holder, run.as_str())),
        }
        if !live {
            lines.iter().for_each(|line| crate::say!("{line}"));
            return Ok(Exit::Done);
        }
        output::draw(lines);
        if log.state().finished().is_some() {
            return Ok(Exit::Done);
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
        }
    }
}

/// Says which triggers need more evidence than the statistics alone would ask for, and
/// which stood beyond their limit before anything was deployed.
fn usual(plan: &Plan, board: &Board) {
    for (id, measured) in &board.measured {
        if measured.firing {
            crate::warn!(
                "note: {id} stands beyond its limit already, before this deployment; until it was well once the plan does not back out by itself for it"
            );
        }
        let (Some(floor), Some(trigger)) = (measured.floor, plan.triggers.get(id)) else {
            continue;
        };
        let plain = rule::of(plan, trigger, &Measured { floor: None, ..measured.clone() });
        if let Some(Kind::Share { threshold, .. }) = plain.map(|rule| rule.kind) {
            crate::warn!(
                "note: {id} would have fired in {} of {} watches before this deployment; it needs evidence of {floor:.1} instead of {threshold:.1}",
                measured.alarms,
                measured.watches
            );
        }
    }
}

/// What the watch of a run has seen, as it was kept.
pub(super) fn kept(app: &App, state: &RunState) -> Result<Option<Board>, Failure> {
    let file = Board::file(&app.ledger().run_folder(state.run()));
    Board::load(&file).map_err(|error| {
        Failure::refused(format!("what was watched so far cannot be read: {error}"))
            .hint(format!("move {} away to begin the watch anew", file.display()))
    })
}

/// The same where it only adds to what is known: that it cannot be read is said.
pub(super) fn kept_if_readable(app: &App, state: &RunState) -> Option<Board> {
    kept(app, state).unwrap_or_else(|failure| {
        crate::warn!("warning: {}; its readings are left out", failure.message());
        None
    })
}

/// The watch of a run that deploys; nothing where no machine watches anything.
pub(super) async fn of_run(
    app: &App,
    state: &RunState,
) -> Result<Option<(Watcher, News, Option<Receiver>)>, Failure> {
    let plan = &state.planned().plan;
    let receives = plan.watch.as_ref().is_some_and(|watch| watch.receive.is_some());
    let watches = receives || !rules(plan).is_empty();
    if !state.release().deploys || !watches || state.finished().is_some() {
        return Ok(None);
    }
    let file = Board::file(&app.ledger().run_folder(state.run()));
    let goes_back = !state.release().goes_forward();
    let kept = match kept(app, state) {
        // The way back does not wait for what was watched; its triggers are unknown then.
        Err(failure) if goes_back => {
            crate::warn!("warning: {}; the watch begins anew", failure.message());
            None
        }
        kept => kept?,
    };
    let world = Arc::new(World::of(state.planned()));
    let told =
        state.release().triggers.iter().map(|(id, seen)| {
            (id.clone(), Told { state: seen.state, fired: seen.fired.is_some() })
        });
    let told = told.collect();
    let board = match kept {
        Some(board) => board,
        None => {
            let mut board = Board::new(app.now());
            board.measured = measure(plan, &world, state.started()).await;
            usual(plan, &board);
            board
        }
    };
    let away = away(state);
    let setting = Setting { board, file: Some(file), told, away, ..Setting::new(plan, world) };
    let (watcher, news) = Watcher::begin(setting);
    let folder = &state.planned().folder;
    let receiver = match messages::receive(app, plan, folder, Some(state.run()), watcher.ear()) {
        // Nor for what other systems would say.
        Err(failure) if goes_back => {
            crate::warn!(
                "warning: {}; the run goes back without messages of other systems, and triggers that wait for them stay as they were last seen",
                failure.message()
            );
            None
        }
        receiver => receiver?,
    };
    Ok(Some((watcher, news, receiver)))
}
