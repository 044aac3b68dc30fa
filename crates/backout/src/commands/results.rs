//! `import --results`: what was done by hand comes into the run's log, as what it
//! is: attested by a person after the fact.

use std::path::Path;

use jiff::Timestamp;
use serde_json::json;

use backout_core::act::Answer;
use backout_core::cause::HoldCause;
use backout_core::command::{AttestedStep, Command, Request};
use backout_core::event::{Attachment, Attested, Direction, Event, Evidence, Mode, RunPlanned};
use backout_core::ids::{Digest, StepId};
use backout_core::plan::{Plan, Step};
use backout_core::policy::Policy;
use backout_core::state::{RunState, select};
use backout_core::status::Status;
use backout_documents::Document;
use backout_engine::RunLog;
use backout_import::results::{self, Night, Written};
use backout_plan::{ReadPlan, times};
use backout_sqlite::SqliteJournal;

use super::Done;
use super::baseline::{captured, folder_of};
use super::invoke::{Wanted, begin, chosen_option, file_name};
use super::people::attach;
use super::plans::{count, must_read};
use super::submit::send;
use crate::app::{App, run_uid, who};
use crate::cli::ImportArgs;
use crate::failure::{Exit, Failure};
use crate::run_ref;

pub(super) async fn results(app: &App, args: &ImportArgs, document: &Document) -> Done {
    let run = args.run.as_deref().unwrap_or_default();
    let path = Path::new(run);
    // Everything is read and judged before anything is written.
    if path.is_file() {
        let read = must_read(path)?;
        same_plan(document, read.digest, run)?;
        let window = times::instants(read.plan.window.as_ref());
        let steps = called(&read.plan.steps);
        let written =
            written(app, args, document, &read.plan, (window.deploy_start, None), &steps)?;
        let mut log = by_hand(app, args, path, read).await?;
        return into(app, args, document, &mut log, written).await;
    }
    let run = run_ref::find(app, Some(run)).await?;
    let mut log = app.open(&run).await?;
    let planned = &log.state().planned();
    same_plan(document, planned.plan_digest, run.as_str())?;
    let from =
        planned.window.deploy_start.unwrap_or(log.state().started()).min(log.state().started());
    let steps = called(log.state().steps());
    let times = (Some(from), Some(log.state().started()));
    let written = written(app, args, document, &planned.plan, times, &steps)?;
    into(app, args, document, &mut log, written).await
}

/// The names of steps, each with what it is called.
fn called(steps: &[Step]) -> Vec<(&str, &str)> {
    steps.iter().map(|step| (step.id.as_str(), step.label())).collect()
}

async fn into(
    app: &App,
    args: &ImportArgs,
    document: &Document,
    log: &mut RunLog<SqliteJournal>,
    written: Vec<Written>,
) -> Done {
    let sheet = attach(app, log.state(), std::slice::from_ref(&args.file))?;
    let mut told = carry_over(app, args, log, written, &sheet).await?;
    told.beside = results::beside(document);
    report(app, args, log.state(), &told)?;
    Ok(match (told.refused.is_empty(), told.proposed.is_empty()) {
        (true, true) => Exit::Done,
        (true, false) => Exit::Waiting,
        (false, _) => Exit::Failed,
    })
}

/// What somebody wrote down, or everything that is wrong with it.
fn written(
    app: &App,
    args: &ImportArgs,
    document: &Document,
    plan: &Plan,
    (from, begun): (Option<Timestamp>, Option<Timestamp>),
    steps: &[(&str, &str)],
) -> Result<Vec<Written>, Failure> {
    let night =
        Night { zone: plan.window.as_ref().and_then(times::zone_of), from, begun, now: app.now() };
    results::results(document, &night, steps).map_err(|wrong| {
        for fault in &wrong {
            crate::warn!("{}: {}\n  {}", fault.place, fault.message, fault.hint);
        }
        let mistakes = count(wrong.len(), "mistake");
        let file = args.file.display();
        Failure::usage(format!("{file} cannot be taken over: {mistakes}; nothing was written"))
    })
}

/// A run for what was done without one: held from its first record on, so that
/// nothing is carried out a second time.
async fn by_hand(
    app: &App,
    args: &ImportArgs,
    path: &Path,
    read: ReadPlan,
) -> Result<RunLog<SqliteJournal>, Failure> {
    let plan = &read.plan;
    let (actor, account) = who(plan, args.who.who.as_deref())?;
    let journal = app.journal()?;
    let planned = RunPlanned {
        uid: Some(run_uid()?),
        plan_digest: read.digest,
        source: read.source.clone(),
        folder: folder_of(path)?,
        file: file_name(path),
        window: times::instants(plan.window.as_ref()),
        mode: Mode::Live,
        option: chosen_option(plan, None)?,
        only: Vec::new(),
        order: Vec::new(),
        not_before: times::not_before(plan),
        baselines: captured(&journal, plan.change.name()).await?,
        direction: Direction::Back,
        earlier: None,
        keeps_marks: true,
        marks_elsewhere: app.marks_elsewhere(),
        location: Some(app.location()),
        environment: Some(app.environment(plan)),
        reason: Some(format!("carried out by hand, from {}", args.file.display())),
        quorum: None,
        beside: Vec::new(),
        confirmed: Vec::new(),
        policy: Policy::default(),
        plan: plan.clone(),
    };
    let selected = select(plan, planned.option.as_ref(), &[])?;
    let held = Event::RunHeld { cause: HoldCause::ByHand, reason: None };
    let wanted = Wanted {
        path,
        actor,
        account,
        planned,
        selected,
        again: false,
        new_run: false,
        errors: Vec::new(),
        left_out: Vec::new(),
        confirmed: false,
    };
    begin(app, &journal, wanted, vec![held]).await
}

fn same_plan(document: &Document, digest: Digest, what: &str) -> Result<(), Failure> {
    match results::digest(document) {
        Some(found) if found == digest.to_string() => Ok(()),
        Some(_) => Err(Failure::refused(format!(
            "this checklist was made from another version of the plan than {what}"
        ))
        .hint("take the checklist that was printed for this run; what it says can also be entered step by step")),
        None => Err(Failure::usage("this workbook does not say which plan it was made from")
            .hint("fill in the workbook that `backout render PLAN --to xlsx` writes, and leave its sheets in place")),
    }
}

#[derive(Default)]
struct Told {
    taken: Vec<(StepId, &'static str)>,
    known: Vec<StepId>,
    /// Steps for which it takes more people.
    proposed: Vec<(StepId, &'static str)>,
    refused: Vec<(String, String)>,
    beside: Vec<(String, usize)>,
}

async fn carry_over(
    app: &App,
    args: &ImportArgs,
    log: &mut RunLog<SqliteJournal>,
    written: Vec<Written>,
    sheet: &[Attachment],
) -> Result<Told, Failure> {
    let mut told = Told::default();
    let reason = format!("from the checklist {}", args.file.display());
    let mut attested: Vec<AttestedStep> = Vec::new();
    let mut single: Vec<(StepId, &'static str, Request)> = Vec::new();
    let state = log.state();
    for row in written {
        let named = state.steps().iter().position(|step| step.id.as_str() == row.step);
        // The checklist was held against these very steps.
        let Some(index) = named else { continue };
        match taken(state, index, &row, &reason, sheet) {
            Taken::Attested(step, said) => {
                told.taken.push((state.steps()[index].id.clone(), said));
                attested.push(*step);
            }
            Taken::Single(request, said) => {
                single.push((state.steps()[index].id.clone(), said, *request));
            }
            Taken::Known => told.known.push(state.steps()[index].id.clone()),
            Taken::Refused(why) => {
                told.refused.push((row.step.clone(), format!("{}: {why}", row.place)));
            }
        }
    }
    let as_who = args.who.who.as_deref();
    if let Some((first, also)) = attested.split_first() {
        let (first, also) = (Box::new(first.clone()), also.to_vec());
        let request = Request::new(Command::Attest { first, also }, &reason);
        let done = send(app, log, as_who, &request).await?;
        if done != Exit::Done {
            told.proposed = std::mem::take(&mut told.taken);
        }
    }
    for (step, said, request) in single {
        match send(app, log, as_who, &request).await {
            Ok(Exit::Done) => told.taken.push((step, said)),
            // It takes more people, and their word is not on paper.
            Ok(_) => told.proposed.push((step, said)),
            Err(failure) => told.refused.push((step.to_string(), failure.message().to_owned())),
        }
    }
    Ok(told)
}

/// What a row means for a step as it stands.
enum Taken {
    Attested(Box<AttestedStep>, &'static str),
    Single(Box<Request>, &'static str),
    Known,
    Refused(String),
}

fn taken(
    state: &RunState,
    index: usize,
    row: &Written,
    reason: &str,
    sheet: &[Attachment],
) -> Taken {
    let (found, known) = (&state.steps()[index], &state.states()[index]);
    let step = found.id.clone();
    let name = row.name.as_deref().map(|name| format!("by {name}"));
    let times = [("from", row.started), ("until", row.ended)]
        .into_iter()
        .filter_map(|(word, at)| at.map(|at| format!("{word} {at}")));
    let said: Vec<String> = name.into_iter().chain(times).chain(row.notes.clone()).collect();
    let reason = match said.is_empty() {
        true => reason.to_owned(),
        false => format!("{reason}: {}", said.join(", ")),
    };
    let evidence = Evidence {
        summary: row.notes.clone().unwrap_or_default(),
        attached: sheet.to_vec(),
        ..Evidence::default()
    };
    let attest = |result| {
        Box::new(AttestedStep {
            step: step.clone(),
            result,
            name: row.name.clone(),
            started: row.started,
            ended: row.ended,
            evidence: evidence.clone(),
        })
    };
    let acknowledge = |note: String| Command::Acknowledge {
        step: step.clone(),
        note: Some(note),
        attached: sheet.to_vec(),
    };
    let manual = found.action.is_manual();
    match (row.status, known.status) {
        (results::Status::Done, Status::Pending) => {
            Taken::Attested(attest(Attested::Done), "done by hand")
        }
        (results::Status::Failed, Status::Pending) => {
            Taken::Attested(attest(Attested::Failed), "failed by hand")
        }
        (results::Status::Done, Status::Succeeded)
        | (results::Status::Failed, Status::Failed)
        | (results::Status::Skipped, Status::Skipped) => Taken::Known,
        (results::Status::Done, Status::Running) if manual => Taken::Single(
            Box::new(Request::new(acknowledge(reason.clone()), reason)),
            "acknowledged",
        ),
        (results::Status::Done, Status::Verifying)
            if !known.confirmed && found.confirmations().next().is_some() =>
        {
            Taken::Single(Box::new(Request::new(acknowledge(reason.clone()), reason)), "confirmed")
        }
        (results::Status::Done, Status::Failed | Status::InDoubt | Status::Held) => {
            let command = Command::Resolve { step, answer: Answer::Happened };
            Taken::Single(Box::new(Request::new(command, reason)), "resolved as happened")
        }
        (results::Status::Failed, Status::Running) if manual => {
            let command = Command::Fail { step, evidence };
            Taken::Single(Box::new(Request::new(command, reason)), "failed")
        }
        (results::Status::Skipped, Status::Pending | Status::Failed | Status::Held) => {
            Taken::Single(Box::new(Request::new(Command::Skip { step }, reason)), "left out")
        }
        (_, Status::Running) => Taken::Refused("it is being carried out right now".to_owned()),
        (wanted, now) => {
            let wanted = match wanted {
                results::Status::Done => "done",
                results::Status::Failed => "failed",
                results::Status::Skipped => "skipped",
            };
            Taken::Refused(format!("the checklist says {wanted}, in the run it is {}", now.shown()))
        }
    }
}

fn report(app: &App, args: &ImportArgs, state: &RunState, told: &Told) -> Result<(), Failure> {
    if args.json {
        let value = json!({
            "run": state.run(),
            "taken": told.taken.iter().map(|(step, said)| json!({"step": step, "as": said})).collect::<Vec<_>>(),
            "known": told.known,
            "proposed": told.proposed.iter().map(|(step, said)| json!({"step": step, "as": said})).collect::<Vec<_>>(),
            "not_taken_over": told.beside.iter().map(|(sheet, rows)| json!({"sheet": sheet, "rows": rows})).collect::<Vec<_>>(),
            "refused": told.refused.iter().map(|(step, why)| json!({"step": step, "why": why})).collect::<Vec<_>>(),
        });
        crate::say!("{}", serde_json::to_string_pretty(&value)?);
        return Ok(());
    }
    for (step, said) in &told.taken {
        crate::say!("{step}: {said}, attested after the fact");
    }
    for (step, said) in &told.proposed {
        crate::say!("{step}: {said}, NOT taken over yet: it takes more people");
    }
    for step in &told.known {
        crate::say!("{step}: the run says the same already");
    }
    for (step, why) in &told.refused {
        crate::say!("{step}: NOT taken over: {why}");
    }
    for (sheet, rows) in &told.beside {
        let rows = count(*rows, "row");
        crate::say!(
            "{sheet}: {rows} filled in, NOT taken over: only steps are; the file is kept with the run"
        );
    }
    let (done, all) = state.progress();
    crate::say!("{}: {done} of {all} steps are settled.", state.run());
    if state.finished().is_none() && app.coordinator(state.run()).is_none() {
        let held =
            if state.held().is_some() { " It is held: what is left starts only then." } else { "" };
        crate::say!("`backout resume {}` goes on.{held}", state.run());
    }
    Ok(())
}
