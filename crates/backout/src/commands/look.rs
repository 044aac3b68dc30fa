//! `status`, `log`, `runs`, `tail`, `verify`: looking, without touching.

use std::io::{Read, Seek, SeekFrom, Write};
use std::time::Duration;

use serde_json::{Value, json};

use backout_core::event::{Attachment, Event};
use backout_core::ids::{Digest, RunId, Seq, StepId};
use backout_core::plan::Plan;
use backout_core::record::{Chain, Record};
use backout_core::state::RunState;
use backout_engine::{Journal, RunLog};
use backout_exec::ledger::Dispatch;
use backout_exec::terminal::printable;
use backout_exec::tree;
use backout_forecast::outlook::History;
use backout_sqlite::SqliteJournal;

use super::Done;
use crate::app::App;
use crate::cli::{LogArgs, RunsArgs, StatusArgs, TailArgs, VerifyArgs};
use crate::failure::{Exit, Failure};
use crate::foresight::{glance, history_of_state};
use crate::output;
use crate::run_ref;
use crate::view::release::as_it_stands;
use crate::view::status::{StatusView, Word, footer, lines, tally_json};
use crate::view::{events, holders, live, questions, table, words};

pub(super) async fn status(app: &App, args: &StatusArgs) -> Done {
    let history = history_of_state(app).await?;
    if args.run.is_some() {
        let run = run_ref::find(app, args.run.as_deref()).await?;
        let log = app.open(&run).await?;
        if args.json {
            let view = status_json(app, log.state(), &history)?;
            crate::say!("{}", serde_json::to_string_pretty(&view)?);
        } else {
            show_status(app, log.state(), &history);
        }
        return Ok(Exit::Done);
    }
    let open = match SqliteJournal::exists(app.state_folder())? {
        true => run_ref::open_runs(app).await?,
        false => Vec::new(),
    };
    if args.json {
        let runs: Vec<Value> =
            open.iter().map(|state| status_json(app, state, &history)).collect::<Result<_, _>>()?;
        crate::say!("{}", serde_json::to_string_pretty(&json!({"runs": runs}))?);
        return Ok(Exit::Done);
    }
    match open.as_slice() {
        [] => {
            crate::say!("No run is open in {}.", app.state_folder().display());
            // The newest that is over is most likely what is looked for.
            if SqliteJournal::exists(app.state_folder())?
                && let Ok(run) = run_ref::find(app, None).await
            {
                crate::say!("The newest run:\n");
                show_status(app, app.open(&run).await?.state(), &history);
            }
        }
        [state] => show_status(app, state, &history),
        many => {
            let mut rows =
                vec![["RUN", "STATE", "STEPS", "STARTED", "TITLE"].map(str::to_owned).to_vec()];
            rows.extend(many.iter().map(|state| row(app, state)));
            table::columns(&rows).iter().for_each(|line| crate::say!("{line}"));
            for state in many {
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
    Ok(serde_json::to_value(&view)?)
}

fn show_status(app: &App, known: &RunState, history: &History) {
    let run = &known.run();
    let coordinator = app.coordinator(run);
    let outlook = glance(known, history, app.now());
    // A board that cannot be read hides nothing that is in the log.
    let board = super::watch::kept(app, known).unwrap_or(None);
    let standing = board.map(|board| as_it_stands(known, &board, app.now()));
    let state = standing.as_ref().unwrap_or(known);
    let (width, _) = live::size();
    let (coordinator, outlook) = (coordinator.as_ref(), outlook.as_ref());
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
    if coordinator.is_none() && (interrupted || watched) {
        crate::say!("\nNo coordinator is at work on this run: backout resume {run}");
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
        let journal = app.journal()?;
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

/// What a verification of a log found.
#[derive(Default)]
struct Checked {
    records: u64,
    problems: Vec<String>,
    outputs: u64,
    attachments: u64,
    /// Outputs that were still being written when their step ended.
    open: u64,
}

pub(super) async fn verify(app: &App, args: &VerifyArgs) -> Done {
    if let Some(lost) = lost_log(app, args.run.as_deref()).await? {
        let noted = app.ledger().noted(&lost)?;
        let problem = format!(
            "{lost}: its log is gone; {} were carried out, and what became of them is not known here",
            super::plans::count(noted.len(), "attempt")
        );
        match args.json {
            true => crate::say!("{}", json!({"run": lost, "whole": false, "problems": [problem]})),
            false => crate::say!("{problem}"),
        }
        return Ok(Exit::Failed);
    }
    let run = run_ref::find(app, args.run.as_deref()).await?;
    let journal = app.existing_journal()?;
    // Read before the log: an intent is in the log before anything is noted about it.
    let noted = app.ledger().noted(&run)?;
    let stored = journal.read(&run, Seq(0)).await?;
    let mut chain = Chain::new(run.clone());
    let mut checked = Checked::default();
    let mut state: Option<RunState> = None;
    for bytes in &stored {
        let record = match chain.read(bytes) {
            Ok(record) => record,
            Err(error) => {
                checked.problems.push(with_cause(&error));
                break;
            }
        };
        checked.records += 1;
        let applied = match &mut state {
            None => RunState::begin(&record, chain.tail()).map(|begun| state = Some(begun)),
            Some(state) => state.apply(&record, chain.tail()),
        };
        if let Err(error) = applied {
            checked.problems.push(format!("record {}: {error}", record.seq));
            break;
        }
        for event in &record.events {
            check_evidence(app, &run, event, &mut checked);
        }
    }
    if let Some(state) = state.as_ref().filter(|_| checked.problems.is_empty()) {
        for id in state.unknown(&noted) {
            checked.problems.push(format!(
                "the log has lost its end: attempt {} at {} was carried out, and it does not know that",
                id.attempt, id.step
            ));
        }
    }
    let (tail, digest) = (chain.tail(), state.as_ref().map(|state| state.planned().plan_digest));
    if args.json {
        let value = json!({
            "run": run, "whole": checked.problems.is_empty(), "records": checked.records, "tail": tail,
            "plan_digest": digest, "outputs": checked.outputs, "attachments": checked.attachments, "outputs_open": checked.open,
            "problems": checked.problems,
        });
        crate::say!("{}", serde_json::to_string_pretty(&value)?);
    } else if checked.problems.is_empty() {
        crate::say!("{run}: whole and unchanged.");
        crate::say!("  {} records, each following from the one before", checked.records);
        if let Some(digest) = digest {
            crate::say!("  plan    {digest}");
        }
        crate::say!("  log     {tail}");
        crate::say!(
            "  {} outputs and {} attachments match their digests",
            checked.outputs,
            checked.attachments
        );
        crate::say!(
            "Compare the log's digest with one that was written down elsewhere: the chain proves order, not origin."
        );
    } else {
        for problem in &checked.problems {
            crate::say!("{run}: {problem}");
        }
    }
    Ok(if checked.problems.is_empty() { Exit::Done } else { Exit::Failed })
}

/// A run that did something here, and that the journal does not have.
async fn lost_log(app: &App, said: Option<&str>) -> Result<Option<RunId>, Failure> {
    let Some(said) = said else { return Ok(None) };
    let Some(run) = app.ledger().runs()?.into_iter().find(|run| run.as_str() == said) else {
        return Ok(None);
    };
    // A journal that is there and cannot be read is damaged, and not gone.
    let known = match app.state_folder().join("journal.db").try_exists()? {
        true => app.existing_journal()?.runs().await?,
        false => Vec::new(),
    };
    Ok(known.iter().all(|(known, _)| *known != run).then_some(run))
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Holds what lies beside the log against the digests inside it.
fn check_evidence(app: &App, run: &RunId, event: &Event, checked: &mut Checked) {
    match event {
        Event::RunPlanned(planned)
            if Digest::of(planned.source.as_bytes()) != planned.plan_digest =>
        {
            checked
                .problems
                .push("the plan in the log is not the plan its digest names".to_owned());
        }
        Event::StepSucceeded { step, attempt, evidence }
        | Event::StepFailed { step, attempt, evidence, .. }
        | Event::StepExecuted { step, attempt, evidence } => {
            // What a person attached stands in their acknowledgement, and again in
            // the outcome that follows from it.
            if !matches!(event, Event::StepExecuted { .. }) {
                for kept in &evidence.outputs {
                    check_output(app, run, step, *attempt, kept, checked);
                }
                return;
            }
            check_attached(app, run, step, &evidence.attached, checked);
        }
        Event::StepAttested { step, evidence, .. } => {
            check_attached(app, run, step, &evidence.attached, checked);
        }
        _ => {}
    }
}

fn check_attached(
    app: &App,
    run: &RunId,
    step: &StepId,
    attached: &[Attachment],
    checked: &mut Checked,
) {
    let folder = app.ledger().run_folder(run).join("attachments");
    for attachment in attached {
        let kept = folder.join(attachment.digest.to_string().replace("sha256:", ""));
        let name = &attachment.name;
        match tree::file_digest(&kept) {
            Ok(found) if found == attachment.digest => checked.attachments += 1,
            Ok(_) => {
                checked.problems.push(format!("the attachment {name} of {step} was changed"));
            }
            Err(error) => {
                checked.problems.push(format!("the attachment {name} of {step} is gone: {error}"));
            }
        }
    }
}

fn check_output(
    app: &App,
    run: &RunId,
    step: &StepId,
    attempt: u32,
    kept: &Attachment,
    checked: &mut Checked,
) {
    let name = &kept.name;
    if kept.digest == Digest::ZERO {
        // A process the step left behind was still writing when it ended.
        checked.open += 1;
        return;
    }
    let dispatches = app.ledger().dispatches(run, step, attempt).unwrap_or_default();
    let same =
        |path: std::path::PathBuf| tree::file_digest(&path).is_ok_and(|found| found == kept.digest);
    let files: Vec<_> = dispatches.iter().map(|dispatch| dispatch.folder().join(name)).collect();
    if files.iter().any(|file| same(file.clone())) {
        checked.outputs += 1;
    } else if files.iter().any(|file| file.exists()) {
        checked.problems.push(format!("the {name} of {step} was changed"));
    } else {
        checked.problems.push(format!("the {name} of {step} is gone"));
    }
}
