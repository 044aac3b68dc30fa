//! Events, one a line: for people and for scripts.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use backout_core::event::Event;
use backout_core::question::{Question, QuestionKind};
use backout_core::record::Record;
use backout_core::state::RunState;
use backout_documents::saying;

use super::words::{self, clock, one_line};

/// A record's events as lines for people: time, step, what happened.
pub(crate) fn lines(record: &Record, zone: &TimeZone) -> Vec<String> {
    let at = clock(record.at, zone);
    let by = record.actor.shown();
    let mut lines = Vec::new();
    for event in &record.events {
        let Some(said) = saying::event_at(event, &by, zone) else { continue };
        // Reasons, names and findings come from outside: one event is one line.
        let said = one_line(&said.replace(['\n', '\r'], " "), 600);
        let about = event.step().map_or("run", |step| step.as_str());
        lines.push(format!("{at}  {about:<20}  {said}"));
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
                "change": planned.plan.change.name(),
                "title": planned.plan.change.title,
                "plan_digest": planned.plan_digest,
                "mode": planned.mode,
                "course": planned.course,
                "option": planned.option,
                "only": planned.only,
                "reason": planned.reason,
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

/// What waits for people, with the words that answer it from any terminal.
pub(crate) fn questions(state: &RunState) -> Vec<String> {
    let mut lines = Vec::new();
    for question in &backout_core::question::questions(state) {
        lines.push(title(state, question));
        for line in backout_exec::terminal::printable(&question.text).lines() {
            lines.push(format!("    {line}"));
        }
        let seen = if is_decided(question) { "" } else { "seen: " };
        for known in &question.evidence {
            lines.push(format!("    {seen}{}", one_line(known, 200)));
        }
        let role = question.role.as_ref().map(|role| format!(" --as {role}")).unwrap_or_default();
        let width =
            question.answers.iter().map(|reply| reply.command.chars().count()).max().unwrap_or(0);
        for reply in &question.answers {
            let command = format!("{}{role}", reply.command);
            let width = width + role.len();
            lines.push(format!("  > {command:<width$}   {}", reply.meaning));
        }
    }
    lines
}

/// What waits for people, for scripts.
pub(crate) fn waiting(state: &RunState) -> Value {
    let questions = backout_core::question::questions(state);
    json!({"run": state.run, "event": "waiting", "questions": questions})
}

/// Who is asked, and about what.
pub(super) fn title(state: &RunState, question: &Question) -> String {
    let about = match &question.step {
        Some(step) => {
            let label = state.step(step).map_or_else(String::new, |(step, _)| match &step.title {
                Some(title) => format!(" ({title})"),
                None => String::new(),
            });
            format!("{step}{label}")
        }
        None => "the run".to_owned(),
    };
    let kind = match question.kind {
        QuestionKind::Do => "to do",
        QuestionKind::Confirm => "to confirm",
        QuestionKind::Failed => "failed",
        QuestionKind::InDoubt => "in doubt",
        QuestionKind::Held => "held",
        QuestionKind::Report => "with another system",
        QuestionKind::Approve => "to approve",
        QuestionKind::Decide => "to decide",
        QuestionKind::NotRecovered => "not well again",
    };
    // Whoever is asked has to see by when, however little room there is.
    let until = state.release.open.as_ref().and_then(|open| open.until);
    let by = match (question.kind, until) {
        (QuestionKind::Decide, Some(until)) => {
            format!(" by {}", clock(until, &words::zone(&state.planned.plan)))
        }
        _ => String::new(),
    };
    format!("{} — {about}, {kind}{by}:", question.who)
}

/// Whether what is known about a question says itself what it is.
pub(super) fn is_decided(question: &Question) -> bool {
    matches!(
        question.kind,
        QuestionKind::Decide | QuestionKind::Approve | QuestionKind::NotRecovered
    )
}
