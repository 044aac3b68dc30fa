//! Events, one a line: for people and for scripts.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use backout_core::event::Event;
use backout_core::plan::Plan;
use backout_core::record::Record;
use backout_core::state::RunState;
use backout_core::status::Status;
use backout_documents::saying;

use super::questions;
use super::words::{self, clock, one_line};

/// A record's events as lines for people: time, step, what happened. `plan` is the run's.
pub(crate) fn lines(record: &Record, plan: Option<&Plan>) -> Vec<String> {
    let zone = &plan.map_or(TimeZone::UTC, words::zone);
    let at = clock(record.at, zone);
    let mut lines = Vec::new();
    for event in &record.events {
        let Some(said) = saying::event(event, Some(&record.actor), plan, zone) else { continue };
        // Reasons, names and findings come from outside: one event is one line.
        let said = one_line(&said.replace(['\n', '\r'], " "), 600);
        let about = event.step().map_or("run", |step| step.as_str());
        lines.push(format!("{at}  {about:<20}  {said}"));
        lines.extend(stderr(event).map(|line| format!("{at}  {about:<20}  stderr: {line}")));
    }
    lines
}

/// A record's events as one JSON object each, with the record's own fields.
pub(crate) fn json(record: &Record) -> Vec<Value> {
    let mut events = Vec::new();
    for event in &record.events {
        let mut object = json!({
            "run": record.run,
            "seq": record.seq,
            "at": record.at,
            "epoch": record.epoch,
            "actor": record.actor,
        });
        let value = match event {
            // The whole plan would drown a reader; it stays in the log.
            Event::RunPlanned(planned) => json!({
                "event": "run_planned",
                "uid": planned.uid,
                "change": planned.plan.change.name(),
                "title": planned.plan.change.title,
                "plan_digest": planned.plan_digest,
                "mode": planned.mode,
                "direction": planned.direction,
                "option": planned.option,
                "only": planned.only,
                "reason": planned.reason,
                "confirmed": planned.confirmed,
                "beside": planned.beside,
                "quorum": planned.quorum,
            }),
            event => serde_json::to_value(event).unwrap_or(Value::Null),
        };
        if let (Some(object), Value::Object(value)) = (object.as_object_mut(), value) {
            object.extend(value);
        }
        events.push(object);
    }
    events
}

/// What waits for people, for scripts.
pub(crate) fn waiting(state: &RunState) -> Value {
    json!({"run": state.run(), "event": "waiting", "questions": questions::json(state)})
}

/// What goes on while nothing is written: which steps run, and what is waited for until when.
pub(crate) fn still(state: &RunState, now: Timestamp) -> String {
    let zone = words::zone(&state.planned().plan);
    let running: Vec<String> = state
        .active()
        .filter(|&index| state.states()[index].status == Status::Running)
        .map(|index| {
            let since = state.states()[index].since.unwrap_or(now);
            let took = words::length(words::between(since, now));
            format!("{} runs for {took}", state.steps()[index].id)
        })
        .collect();
    let asked = backout_core::question::questions(state);
    let due = asked.iter().filter_map(|question| question.due).min();
    let waits = match (asked.len(), due) {
        (0, _) => None,
        (_, Some(due)) if due > now => Some(format!(
            "waiting for an answer, {} left until {}",
            words::length(words::between(now, due)),
            clock(due, &zone)
        )),
        _ => Some("waiting for an answer".to_owned()),
    };
    let watched = state.release().goes_forward() && running.is_empty() && waits.is_none();
    let watched = watched.then(|| "the release is watched".to_owned());
    let said: Vec<String> = running.into_iter().chain(waits).chain(watched).collect();
    let said = if said.is_empty() { "at work".to_owned() } else { said.join("; ") };
    format!("{}  {:<20}  {said}", clock(now, &zone), "run")
}

/// What a step that ended well wrote to its standard error.
fn stderr(event: &Event) -> impl Iterator<Item = String> {
    let evidence = match event {
        Event::StepExecuted { evidence, .. } | Event::StepSucceeded { evidence, .. } => {
            evidence.stderr.as_deref()
        }
        _ => None,
    };
    let lines = evidence.unwrap_or_default().lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| one_line(line, 300)).collect::<Vec<_>>().into_iter()
}
