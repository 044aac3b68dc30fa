//! `decide`, `stage`, `defect`: what people say about a deployment.

use std::collections::BTreeMap;

use serde_json::json;

use backout_core::choice::Verb;
use backout_core::command::{Command, Request};
use backout_core::duration::{BadDuration, Span};
use backout_core::ids::TriggerId;
use backout_core::plan::Severity;
use backout_core::state::RunState;
use backout_documents::saying;

use super::Done;
use super::invoke::chosen_option;
use super::people::step_of;
use super::submit::{fix_until, open, send, then};
use crate::app::App;
use crate::cli::{ApproveArgs, DecideArgs, DecideVerb, DefectArgs, SeverityArg};
use crate::failure::{Exit, Failure};
use crate::view::{release, words};

pub(super) async fn decide(app: &App, args: &DecideArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    if args.explain {
        return explain(app, log.state(), args.json);
    }
    let Some(verb) = args.verb else {
        return Err(Failure::usage("say what is decided"));
    };
    let verb = match verb {
        DecideVerb::BackOut => Verb::BackOut,
        DecideVerb::FixForward => Verb::FixForward,
        DecideVerb::Continue => Verb::Continue,
        DecideVerb::NotFixable => Verb::NotFixable,
    };
    if args.option.is_some() && verb != Verb::BackOut {
        return Err(Failure::usage("--option belongs to back-out"));
    }
    if args.lasting.is_some() && verb != Verb::FixForward {
        return Err(Failure::usage("--for belongs to fix-forward"));
    }
    let fix_for = args
        .lasting
        .as_ref()
        .map(|text| text.parse::<Span>())
        .transpose()
        .map_err(|error: BadDuration| Failure::usage(format!("--for: {error}")))?;
    let state = log.state();
    let held = state.held().cloned();
    let option = match &args.option {
        Some(said) => chosen_option(&state.planned().plan, Some(said))?,
        None => None,
    };
    // The log may be older than what the decision is based on: what is measured now goes with it.
    let board = super::watch::kept_if_readable(app, state);
    let readings: BTreeMap<_, _> = board
        .into_iter()
        .flat_map(|board| board.triggers)
        .map(|(id, standing)| (id, standing.reading))
        .collect();
    let question = args.question;
    let command = Command::Decide { verb, option, fix_for, question, readings };
    let request = Request { command, reason: args.reason.clone(), confirmed: args.yes };
    let done = send(app, &mut log, args.who.who.as_deref(), &request).await?;
    if done == Exit::Done && log.state().finished().is_some() {
        crate::say!("{} had not begun, and is over: nothing was done.", log.state().run());
    } else if done == Exit::Done {
        let state = log.state();
        let said = match (verb, fix_until(state)) {
            (Verb::FixForward, Some(until)) => format!("Decided: fix forward until {until}."),
            _ => format!("Decided: {}.", verb.shown()),
        };
        then(app, state, &said);
        say_if_late(state);
        match (held, &state.held()) {
            (Some(held), None) => crate::say!(
                "{} had held the run ({}); it is not held any more.",
                held.by.name(&state.planned().plan),
                saying::hold(held.cause, held.reason.as_deref())
            ),
            (Some(_), Some(_)) => crate::say!(
                "The run is held: nothing starts before `backout resume {}`.",
                state.run()
            ),
            (None, _) => {}
        }
        if verb.goes_back() {
            for line in release::way_back(state) {
                crate::say!("{line}");
            }
        }
    }
    Ok(done)
}

/// A fix is tried although the backout is not in time any more: that has to be seen.
fn say_if_late(state: &RunState) {
    let made = state.release().decided.last();
    let Some(latest) = made.and_then(|made| made.latest.filter(|latest| *latest <= made.at)) else {
        return;
    };
    crate::warn!(
        "warning: the backout had to start by {} to finish in time",
        words::clock(latest, &words::zone(&state.planned().plan))
    );
}

pub(super) async fn approve(app: &App, args: &ApproveArgs) -> Done {
    let (args, shown) = (&args.step, args.shown.clone());
    let mut log = open(app, &args.run).await?;
    let stage = step_of(log.state(), &args.step)?;
    let request = Request::new(Command::Approve { stage: stage.clone(), shown }, &args.reason);
    let done = send(app, &mut log, args.who.who.as_deref(), &request).await?;
    if done == Exit::Done {
        then(app, log.state(), &format!("{stage} is approved."));
    }
    Ok(done)
}

pub(super) async fn defect(app: &App, args: &DefectArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let trigger = args.trigger.as_deref().map(|said| trigger_of(log.state(), said)).transpose()?;
    let severity = args.severity.map(|severity| match severity {
        SeverityArg::Critical => Severity::Critical,
        SeverityArg::Major => Severity::Major,
        SeverityArg::Minor => Severity::Minor,
    });
    let (title, id) = (args.title.clone(), args.id.clone());
    let command = Command::LogDefect { title, id, severity, trigger };
    let request = Request { command, reason: None, confirmed: false };
    let done = send(app, &mut log, args.who.who.as_deref(), &request).await?;
    if done == Exit::Done {
        crate::say!("Logged: {}", args.title.trim());
    }
    Ok(done)
}

fn trigger_of(state: &RunState, said: &str) -> Result<TriggerId, Failure> {
    let triggers = &state.planned().plan.triggers;
    triggers.keys().find(|id| id.as_str() == said).cloned().ok_or_else(|| {
        let names: Vec<&str> = triggers.keys().map(|id| id.as_str()).collect();
        Failure::usage(format!("the plan has no trigger `{said}`"))
            .hint(format!("its triggers are {}", names.join(", ")))
    })
}

/// Each decision with everything that was known when it was made.
fn explain(app: &App, state: &RunState, json: bool) -> Done {
    let board = super::watch::kept_if_readable(app, state);
    let standing = board.map(|board| release::as_it_stands(state, &board, app.now()));
    let state = standing.as_ref().unwrap_or(state);
    if json {
        let records: Vec<_> =
            state.release().decided.iter().map(|made| release::record_json(state, made)).collect();
        let value = json!({
            "run": state.run(),
            "decisions": records,
            "open": state.release().open.as_ref().map(release::open_json),
        });
        crate::say!("{}", serde_json::to_string_pretty(&value)?);
        return Ok(Exit::Done);
    }
    let zone = words::zone(&state.planned().plan);
    let lines = release::explained(state, app.now(), &zone);
    if lines.is_empty() {
        crate::say!("Nothing was decided in {}, and nothing is asked.", state.run());
    }
    lines.iter().for_each(|line| crate::say!("{line}"));
    Ok(Exit::Done)
}
