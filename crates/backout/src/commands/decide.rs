//! `decide`, `stage`, `defect`: what people say about a deployment.

use std::collections::BTreeMap;

use serde_json::json;

use backout_core::act::Act;
use backout_core::choice::Choice;
use backout_core::decision::{self, decided};
use backout_core::duration::{BadDuration, Span};
use backout_core::event::Event;
use backout_core::ids::TriggerId;
use backout_core::plan::Severity;
use backout_core::state::{Illegal, RunState};
use backout_engine::log::WriteError;
use backout_forecast::outlook::History;
use jiff::Timestamp;

use super::Done;
use super::invoke::chosen_option;
use super::people::{open, say, step_of, then};
use crate::app::App;
use crate::cli::{ApproveArgs, DecideArgs, DecideVerb, DefectArgs, SeverityArg};
use crate::failure::{Exit, Failure};
use crate::foresight::{history_of_state, numbers};
use crate::view::{release, words};

pub(super) async fn decide(app: &App, args: &DecideArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    if args.explain {
        return explain(app, log.state(), args.json);
    }
    let (Some(verb), Some(reason)) = (args.verb, &args.reason) else {
        return Err(Failure::usage("say what is decided, and why"));
    };
    let state = log.state();
    if state.finished.is_some() {
        return Err(Failure::refused(format!("{} is finished: there is nothing to decide", state.run))
            .hint("`backout decide RUN --explain` shows what was decided; `backout deploy PLAN` or `backout invoke PLAN` begins another run"));
    }
    let held = state.held.clone();
    // Said first: what else is wrong with the answer depends on the question.
    is_asked(state, args.question).map_err(WriteError::Illegal)?;
    let history = history_of_state(app).await?;
    let lasting = fix_lasts(state, args, verb)?;
    let choice = choice(app, state, args, verb, lasting, &history)?;
    let back = matches!(choice, Choice::BackOut { .. } | Choice::NotFixable);
    if back && args.option.is_none() {
        refuse_where_there_is_no_way_back(state)?;
    }
    let option = match &choice {
        Choice::BackOut { option } => option.clone(),
        _ => None,
    };
    // What the log knows may be old: who decides decides by what is measured now.
    let board = super::watch::kept(app, log.state()).unwrap_or(None);
    let readings: BTreeMap<_, _> = board
        .into_iter()
        .flat_map(|board| board.triggers)
        .map(|(id, standing)| (id, standing.reading))
        .collect();
    let act = Act::Decide { verb: choice.verb(), option, lasting };
    let done = say(app, &mut log, args.who.who.as_deref(), &act, reason, |state| {
        is_asked(state, args.question)?;
        Ok(decided(&state.release, choice.clone(), reason.clone(), false, None, readings.clone()))
    })
    .await?;
    if done == Exit::Done {
        then(app, log.state(), &format!("Decided: {}.", choice.shown()));
        match (held, &log.state().held) {
            (Some(held), None) => {
                anstream::println!("{} had held the run ({}); that is over.", held.by, held.reason);
            }
            (Some(held), Some(_)) => anstream::println!(
                "{} holds the run ({}): nothing starts before `backout resume {}`.",
                held.by,
                held.reason,
                log.state().run
            ),
            (None, _) => {}
        }
        if back {
            for line in release::way_back(log.state()) {
                anstream::println!("{line}");
            }
        }
    }
    Ok(done)
}

/// Whether a question, if one is named, is the one that is open.
fn is_asked(state: &RunState, question: Option<u32>) -> Result<(), Illegal> {
    let open = state.release.open.as_ref().map(|open| open.number);
    match question.filter(|_| question != open) {
        Some(question) => Err(Illegal::NotAsked { question, open }),
        None => Ok(()),
    }
}

/// For how long a fix is tried: as was said, else as the plan says; nothing where none is.
fn fix_lasts(
    state: &RunState,
    args: &DecideArgs,
    verb: DecideVerb,
) -> Result<Option<Span>, Failure> {
    if verb != DecideVerb::FixForward {
        return match args.lasting {
            Some(_) => Err(Failure::usage("--for belongs to fix-forward")),
            None => Ok(None),
        };
    }
    if let Some(text) = &args.lasting {
        let said: Result<Span, BadDuration> = text.parse();
        let said = said.map_err(|error| Failure::usage(format!("--for: {error}")))?;
        if said.get().is_zero() {
            return Err(Failure::usage("--for: nothing is fixed in no time").hint(
                "say how long it may be tried, such as `--for 30m`; to go back, `back-out`",
            ));
        }
        return Ok(Some(said));
    }
    let plan = &state.planned.plan;
    let rule = state.release.open.as_ref().and_then(|open| plan.decision.get(&open.severity));
    Ok(Some(rule.and_then(|rule| rule.fix_window).unwrap_or(decision::FIX_WINDOW)))
}

fn choice(
    app: &App,
    state: &RunState,
    args: &DecideArgs,
    verb: DecideVerb,
    lasting: Option<Span>,
    history: &History,
) -> Result<Choice, Failure> {
    let plan = &state.planned.plan;
    if args.option.is_some() && verb != DecideVerb::BackOut {
        return Err(Failure::usage("--option belongs to back-out"));
    }
    if !state.release.goes_forward() && verb != DecideVerb::Continue {
        let going = state.run.as_str();
        return Err(Failure::refused(format!("{going} goes back already"))
            .hint(format!("`backout escalate {going} OPTION` moves to a heavier way back")));
    }
    Ok(match verb {
        DecideVerb::BackOut => {
            let option = match &args.option {
                Some(said) => chosen_option(plan, Some(said))?,
                None => state.release.open.as_ref().and_then(|open| open.option.clone()),
            };
            Choice::BackOut { option }
        }
        DecideVerb::Continue => Choice::Continue,
        DecideVerb::NotFixable => Choice::NotFixable,
        DecideVerb::FixForward => {
            let lasting = lasting.unwrap_or(decision::FIX_WINDOW);
            let now = app.now();
            let until = now
                .checked_add(lasting.signed())
                .map_err(|_| Failure::usage("--for is too long"))?;
            in_time(state, now, until, history)?;
            Choice::FixForward { until }
        }
    })
}

/// A fix may be tried for as long as going back after it still ends in time.
fn in_time(
    state: &RunState,
    now: Timestamp,
    until: Timestamp,
    history: &History,
) -> Result<(), Failure> {
    let latest = numbers(state, history, now).and_then(|numbers| numbers.latest());
    let zone = words::zone(&state.planned.plan);
    match latest {
        Some(latest) if latest <= now => {
            anstream::eprintln!("warning: going back, begun now, does not end in time any more");
            Ok(())
        }
        Some(latest) if latest < until => Err(Failure::refused(format!(
            "going back has to be begun by {}, and the fix would be tried until {}",
            words::clock(latest, &zone),
            words::clock(until, &zone)
        ))
        .hint(format!("`--for {}m` is in time", words::between(now, latest).as_secs() / 60))),
        _ => Ok(()),
    }
}

/// After a stage that cannot be undone, going back is another plan.
fn refuse_where_there_is_no_way_back(state: &RunState) -> Result<(), Failure> {
    let stages: Vec<String> =
        decision::irreversible(state).map(|(stage, why)| format!("{stage}: {why}")).collect();
    if stages.is_empty() {
        return Ok(());
    }
    let mut failure =
        Failure::refused(format!("there is no way back any more behind {}", stages.join("; ")));
    for line in release::instead(&state.planned.plan) {
        failure = failure.hint(line);
    }
    Err(failure.hint("if part of the way back still makes sense, name it: `--option NAME`"))
}

pub(super) async fn approve(app: &App, args: &ApproveArgs) -> Done {
    let (args, seen) = (&args.step, &args.shown);
    let mut log = open(app, &args.run).await?;
    let stage = step_of(log.state(), &args.step)?;
    let act = Act::Approve { stage: stage.clone() };
    let event = Event::StageApproved { stage: stage.clone(), reason: args.reason.clone() };
    let done = say(app, &mut log, args.who.who.as_deref(), &act, &args.reason, |state| {
        let now = state.step(&stage).map(|(step, _)| step.digest().short());
        match seen {
            Some(seen) if now.as_ref() != Some(seen) => Err(Illegal::Replaced(stage.clone())),
            _ => Ok(vec![event.clone()]),
        }
    })
    .await?;
    if done == Exit::Done {
        then(app, log.state(), &format!("{stage} is approved."));
    }
    Ok(done)
}

pub(super) async fn defect(app: &App, args: &DefectArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let trigger = args.trigger.as_deref().map(|said| trigger_of(log.state(), said)).transpose()?;
    if args.title.trim().is_empty() {
        return Err(Failure::usage("say what is wrong"));
    }
    let event = Event::DefectLogged {
        title: args.title.trim().to_owned(),
        id: args.id.clone(),
        severity: args.severity.map(|severity| match severity {
            SeverityArg::Critical => Severity::Critical,
            SeverityArg::Major => Severity::Major,
            SeverityArg::Minor => Severity::Minor,
        }),
        trigger,
    };
    let done = say(app, &mut log, args.who.who.as_deref(), &Act::LogDefect, &args.title, |_| {
        Ok(vec![event.clone()])
    })
    .await?;
    if done == Exit::Done {
        anstream::println!("Written down: {}", args.title.trim());
    }
    Ok(done)
}

fn trigger_of(state: &RunState, said: &str) -> Result<TriggerId, Failure> {
    let triggers = &state.planned.plan.triggers;
    triggers.keys().find(|id| id.as_str() == said).cloned().ok_or_else(|| {
        let names: Vec<&str> = triggers.keys().map(|id| id.as_str()).collect();
        Failure::usage(format!("the plan has no trigger `{said}`"))
            .hint(format!("its triggers are {}", names.join(", ")))
    })
}

/// Each decision with everything that was known when it was made.
fn explain(app: &App, state: &RunState, json: bool) -> Done {
    let board = super::watch::kept(app, state).unwrap_or(None);
    let standing = board.map(|board| release::as_it_stands(state, &board, app.now()));
    let state = standing.as_ref().unwrap_or(state);
    if json {
        let records: Vec<_> = state.release.decided.iter().map(release::record_json).collect();
        let value = json!({
            "run": state.run,
            "decisions": records,
            "open": state.release.open.as_ref().map(release::open_json),
        });
        anstream::println!("{}", serde_json::to_string_pretty(&value)?);
        return Ok(Exit::Done);
    }
    let zone = words::zone(&state.planned.plan);
    let lines = release::explained(state, app.now(), &zone);
    if lines.is_empty() {
        anstream::println!("Nothing was decided in {}, and nothing is asked.", state.run);
    }
    lines.iter().for_each(|line| anstream::println!("{line}"));
    Ok(Exit::Done)
}
