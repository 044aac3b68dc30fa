//! `status`, `log`, `runs`, `tail`: looking, without touching.

use std::io::{Read, Seek, SeekFrom, Write};
use std::time::Duration;

use serde_json::{Value, json};

use backout_core::event::Event;
use backout_core::ids::{RunId, StepId};
use backout_core::location::Relocation;
use backout_core::plan::Plan;
use backout_core::record::{Chain, Record};
use backout_core::state::RunState;
use backout_documents::saying::relocation;
use backout_engine::{Journal, RunLog};
use backout_exec::ledger::Dispatch;
use backout_exec::terminal::printable;
use backout_forecast::outlook::History;
use backout_sqlite::SqliteJournal;

use super::Done;
use crate::app::App;
use crate::cli::{LogArgs, RunsArgs, StatusArgs, TailArgs};
use crate::failure::{Exit, Failure, as_given};
use crate::foresight::{glance, history_of_state};
use crate::output;
use crate::run_ref;
use crate::suspect;
use crate::view::release::as_it_stands;
use crate::view::status::{StatusView, Word, footer, lines, tally_json};
use crate::view::{events, holders, live, questions, table, words};

pub(super) async fn status(app: &App, args: &StatusArgs) -> Done {
    let history = history_of_state(app).await?;
    if args.run.is_some() {
        let run = run_ref::find(app, args.run.as_deref()).await?;
        let log = app.open(&run).await?;
        let suspect = suspect::is_said(app, &run).await?;
        if args.json {
            let mut view = status_json(app, log.state(), &history)?;
            view["log"]["suspect"] = json!(suspect);
            crate::say!("{}", serde_json::to_string_pretty(&view)?);
        } else {
            show_status(app, log.state(), &history, suspect);
        }
        return Ok(Exit::Done);
    }
    let lost = run_ref::lost_runs(app).await?;
    for lost in &lost {
        anstream::eprintln!(
            "warning: {lost} did something here, and its log is gone: `backout verify {lost}`"
        );
    }
    let open = match SqliteJournal::exists(app.state_folder())? {
        true => run_ref::open_runs(app).await?,
        false => Vec::new(),
    };
    if args.json {
        let mut runs: Vec<Value> = Vec::new();
        for state in &open {
            let mut view = status_json(app, state, &history)?;
            view["log"]["suspect"] = json!(suspect::is_said(app, state.run()).await?);
            runs.push(view);
        }
        crate::say!("{}", serde_json::to_string_pretty(&json!({"runs": runs}))?);
        return Ok(Exit::Done);
    }
    match open.as_slice() {
        [] => {
            let folder = app.state_folder().display();
            match lost.last() {
                None => crate::say!("No run is open in {folder}."),
                Some(lost) => crate::say!(
                    "{}",
                    as_given(&format!(
                        "{lost} may be open: its log in {folder} is gone, and it did something here. `backout recover {lost} --reason \"…\"` rebuilds it.\n"
                    ))
                ),
            }
            // The newest that is over is most likely what is looked for.
            if SqliteJournal::exists(app.state_folder())?
                && let Ok(run) = run_ref::find(app, None).await
            {
                crate::say!("The newest run:\n");
                let suspect = suspect::is_said(app, &run).await?;
                show_status(app, app.open(&run).await?.state(), &history, suspect);
            }
        }
        [state] => {
            let suspect = suspect::is_said(app, state.run()).await?;
            show_status(app, state, &history, suspect);
        }
        many => {
            let mut rows =
                vec![["RUN", "STATE", "STEPS", "STARTED", "TITLE"].map(str::to_owned).to_vec()];
            rows.extend(many.iter().map(|state| row(app, state)));
            table::columns(&rows).iter().for_each(|line| crate::say!("{line}"));
            for state in many {
                suspect::is_said(app, state.run()).await?;
                let asked = backout_core::question::questions(state);
                for question in &asked {
                    crate::say!("{}: {}", state.run(), questions::title(state, question));
                }
            }
            crate::say!("\n`backout status RUN` shows one of them.");
        }
    }
    Ok(Exit::Done)
}

fn status_json(app: &App, state: &RunState, history: &History) -> Result<Value, Failure> {
    let outlook = glance(state, history, app.now());
    let board = super::watch::kept(app, state).unwrap_or(None);
    let standing = board.map(|board| as_it_stands(state, &board, app.now()));
    let state = standing.as_ref().unwrap_or(state);
    let coordinator = app.coordinator(state.run());
    let view = StatusView::new(state, coordinator.as_ref(), outlook.as_ref());
    let mut view = serde_json::to_value(&view)?;
    view["elsewhere"] = json!(elsewhere(app, state));
    Ok(view)
}

/// Whether an open run was at work elsewhere, and what is another there.
fn elsewhere(app: &App, state: &RunState) -> Option<Relocation> {
    state.relocation(&app.location()).filter(|_| state.finished().is_none())
}

fn show_status(app: &App, known: &RunState, history: &History, suspect: bool) {
    let run = &known.run();
    let coordinator = app.coordinator(run);
    let outlook = glance(known, history, app.now());
    // A board that cannot be read hides nothing that is in the log.
    let board = super::watch::kept(app, known).unwrap_or(None);
    let standing = board.map(|board| as_it_stands(known, &board, app.now()));
    let state = standing.as_ref().unwrap_or(known);
    let (width, _) = live::size();
    let (coordinator, outlook) = (coordinator.as_ref(), outlook.as_ref());
    if let Some(change) = elsewhere(app, known) {
        crate::warn!(
            "warning: {}: whether {run} is at work there cannot be seen from here",
            relocation(change)
        );
    }
    for line in lines(state, coordinator, app.now(), outlook, width, usize::MAX) {
        crate::say!("{line}");
    }
    for line in footer(known) {
        crate::say!("{line}");
    }
    // What only waits for an answer goes on by itself afterwards, unless it is a deployment:
    // its deadlines run and its triggers are watched only while a coordinator is at work.
    let interrupted = Word::of(known, coordinator) == Word::Interrupted;
    let watched = known.release().goes_forward() && known.finished().is_none();
    if coordinator.is_none() && suspect {
        crate::say!(
            "{}",
            as_given(&format!(
                "\nNothing starts on it: `backout recover {run} --reason \"…\"` rebuilds its log."
            ))
        );
    } else if coordinator.is_none() && (interrupted || watched) {
        let place = if elsewhere(app, known).is_some() { " in this folder" } else { "" };
        crate::say!(
            "{}",
            as_given(&format!(
                "\nNo coordinator is at work on this run{place}: `backout resume {run}`"
            ))
        );
        if watched {
            crate::say!("Until then nothing is watched, and no deadline does anything.");
        }
    }
}

/// A run in a row of a table.
fn row(app: &App, state: &RunState) -> Vec<String> {
    let (done, all) = state.progress();
    let zone = words::zone(&state.planned().plan);
    let coordinator = app.coordinator(state.run());
    let word = Word::of(state, coordinator.as_ref());
    let word = match coordinator {
        Some(holder) if word == Word::Silent => holders::said(&holder),
        _ => word.shown().split(':').next().unwrap_or_default().to_owned(),
    };
    let tally = state.tally();
    let mut steps = format!("{done}/{all}");
    for (count, what) in [
        (tally.unverified, "not verified"),
        (tally.attested, "attested"),
        (tally.skipped, "skipped"),
    ] {
        if count > 0 {
            steps.push_str(&format!(", {count} {what}"));
        }
    }
    vec![
        state.run().to_string(),
        word,
        steps,
        words::moment(state.started(), &zone),
        words::one_line(&state.planned().plan.change.title, 50),
    ]
}

pub(super) async fn log(app: &App, args: &LogArgs) -> Done {
    let run = run_ref::find(app, args.run.as_deref()).await?;
    suspect::is_said(app, &run).await?;
    let journal = app.existing_journal()?;
    let mut chain = Chain::new(run.clone());
    let mut plan: Option<Plan> = None;
    loop {
        let (mut finished, mut is_read) = (false, true);
        for bytes in journal.read(&run, chain.seq()).await? {
            let record = chain.read(&bytes)?;
            for event in &record.events {
                if let Event::RunPlanned(planned) = event {
                    plan = Some(planned.plan.clone());
                }
                finished |= matches!(event, Event::RunFinished { .. });
            }
            is_read = print_record(&record, args.json, plan.as_ref());
        }
        if !args.follow || finished || !is_read {
            return Ok(Exit::Done);
        }
        journal.changed(&run, chain.seq()).await?;
    }
}

/// Prints a record; `false` when the reader has gone away.
fn print_record(record: &Record, json: bool, plan: Option<&Plan>) -> bool {
    let text: String = match json {
        true => events::json(record).iter().map(|event| format!("{event}\n")).collect(),
        false => events::lines(record, plan).iter().map(|line| format!("{line}\n")).collect(),
    };
    output::print(output::To::Out, text)
}

pub(super) async fn runs(app: &App, args: &RunsArgs) -> Done {
    let mut found: Vec<RunState> = Vec::new();
    let mut unreadable: Vec<(RunId, String)> = Vec::new();
    if SqliteJournal::exists(app.state_folder())? {
        let journal = app.existing_journal()?;
        for (run, _) in journal.runs().await? {
            if run.is_baselines() {
                continue;
            }
            match RunLog::open(std::sync::Arc::clone(&journal), &run).await {
                Ok(log) => found.push(log.state().clone()),
                Err(error) => unreadable.push((run, error.to_string())),
            }
        }
    }
    for run in run_ref::lost_runs(app).await? {
        unreadable.push((run, "its log is gone".to_owned()));
    }
    found.sort_by_key(|state| std::cmp::Reverse((state.started(), state.run().clone())));
    if args.json {
        let mut listed: Vec<_> = found
            .iter()
            .map(|state| {
                let (done, all) = state.progress();
                let coordinator = app.coordinator(state.run());
                json!({
                    "id": state.run(),
                    "change": state.planned().plan.change.name(),
                    "title": state.planned().plan.change.title,
                    "mode": state.planned().mode,
                    "state": Word::of(state, coordinator.as_ref()),
                    "coordinator_silent_seconds": coordinator.as_ref().and_then(holders::silent_seconds),
                    "option": state.option(),
                    "started": state.started(),
                    "finished": state.finished().as_ref().map(|(_, at)| *at),
                    "outcome": state.finished().as_ref().map(|(outcome, _)| outcome),
                    "done": done,
                    "steps": all,
                    "tally": tally_json(state),
                })
            })
            .collect();
        // A log that cannot be read is not left out: it may be the one that matters.
        listed.extend(
            unreadable
                .iter()
                .map(|(run, why)| json!({"id": run, "state": "unreadable", "error": why})),
        );
        crate::say!("{}", serde_json::to_string_pretty(&json!({"runs": listed}))?);
        return Ok(Exit::Done);
    }
    if found.is_empty() && unreadable.is_empty() {
        crate::say!("There are no runs in {}.", app.state_folder().display());
        return Ok(Exit::Done);
    }
    for state in &found {
        suspect::is_said(app, state.run()).await?;
    }
    let mut rows = vec![["RUN", "STATE", "STEPS", "STARTED", "TITLE"].map(str::to_owned).to_vec()];
    rows.extend(found.iter().map(|state| row(app, state)));
    for (run, why) in &unreadable {
        rows.push(vec![
            run.to_string(),
            "unreadable".to_owned(),
            String::new(),
            String::new(),
            why.clone(),
        ]);
    }
    table::columns(&rows).iter().for_each(|line| crate::say!("{line}"));
    Ok(if unreadable.is_empty() { Exit::Done } else { Exit::Failed })
}

pub(super) async fn tail(app: &App, args: &TailArgs) -> Done {
    let run = run_ref::find(app, Some(&args.run)).await?;
    let log = app.open(&run).await?;
    let step =
        StepId::new(args.step.as_str()).map_err(|error| Failure::usage(error.to_string()))?;
    if log.state().step(&step).is_none() {
        return Err(Failure::usage(format!("there is no step `{step}` in {run}")));
    }
    let Some((_, dispatch)) = app.ledger().latest(&run, &step)? else {
        crate::say!("{step} has printed nothing: it has not run as a command.");
        return Ok(Exit::Done);
    };
    let mut at = [0; 2];
    loop {
        // Look at the end first: what is printed before it is then surely on disk.
        let over = dispatch.has_ended()? || dispatch.supervisor()?.is_none();
        for (position, name) in at.iter_mut().zip(["stdout", "stderr"]) {
            *position += show_from(&dispatch, name, *position, args.raw)?;
        }
        if !args.follow || over {
            return Ok(Exit::Done);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn show_from(dispatch: &Dispatch, name: &str, from: u64, raw: bool) -> Result<u64, Failure> {
    let Ok(mut file) = std::fs::File::open(dispatch.folder().join(name)) else { return Ok(0) };
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let mut out = std::io::stdout().lock();
    if raw {
        out.write_all(&bytes)?;
    } else {
        out.write_all(printable(&String::from_utf8_lossy(&bytes)).as_bytes())?;
    }
    Ok(bytes.len() as u64)
}
