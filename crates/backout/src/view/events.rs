//! Events, one a line: for people and for scripts.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use backout_core::act::Answer;
use backout_core::event::{Attested, Event, Evidence, FailureEffect, Outcome, ResolvedBy};
use backout_core::record::Record;
use backout_core::state::RunState;

use super::words::{clock, one_line};

/// A record's events as lines for people: time, step, what happened.
pub(crate) fn lines(record: &Record, zone: &TimeZone) -> Vec<String> {
    let at = clock(record.at, zone);
    let by = record.actor.shown();
    let mut lines = Vec::new();
    for event in &record.events {
        let Some(said) = said(event, &by) else { continue };
        // Reasons, names and findings come from outside: one event is one line.
        let said = one_line(&said.replace(['\n', '\r'], " "), 600);
        let about = event.step().map_or("run", |step| step.as_str());
        lines.push(format!("{at}  {about:<20}  {said}"));
    }
    lines
}

fn seen(evidence: &Evidence) -> String {
    let mut parts = Vec::new();
    if !evidence.summary.is_empty() {
        parts.push(evidence.summary.clone());
    }
    parts.extend(evidence.verified.iter().map(|v| format!("{}: {}", v.check, v.found)));
    match parts.is_empty() {
        true => String::new(),
        false => format!(" — {}", one_line(&parts.join("; "), 300)),
    }
}

/// What an event says; `None` for what people need not read.
fn said(event: &Event, by: &str) -> Option<String> {
    Some(match event {
        Event::RunPlanned(planned) => {
            let option =
                planned.option.as_ref().map(|o| format!(", option {o}")).unwrap_or_default();
            let reason = planned.reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
            format!("invoked by {by}{option}{reason}")
        }
        Event::BaselinesCaptured { facts, .. } => {
            format!("{} baselines captured by {by}", facts.len())
        }
        Event::OwnerAcquired { epoch, coordinator } => match epoch.0 {
            1 => return None,
            _ => format!("{coordinator} took over (term {epoch})"),
        },
        Event::RunHeld { reason } => format!("held by {by}: {reason}"),
        Event::RunReleased { reason } => format!("goes on, by {by}: {reason}"),
        Event::OptionChosen { option, reason } => {
            format!("moved to option {option} by {by}: {reason}")
        }
        Event::OrderFrozen { .. } => "the order of work was made anew".to_owned(),
        Event::RunFinished { outcome } => match outcome {
            Outcome::Reverted => "finished: everything on this way is done and verified".to_owned(),
            Outcome::Partial => "finished in part: steps that matter were left out".to_owned(),
            Outcome::Abandoned { reason } => format!("abandoned by {by}: {reason}"),
        },
        Event::StepIntent { attempt: 1, .. } => "started".to_owned(),
        Event::StepIntent { attempt, .. } => format!("started again (try {attempt})"),
        Event::StepActed { evidence, .. } => match by {
            "coordinator" => format!("done, verifying{}", seen(evidence)),
            by => format!("done, says {by}{}", seen(evidence)),
        },
        Event::StepVerified { evidence, .. } => {
            format!("verified, to be confirmed{}", seen(evidence))
        }
        Event::StepConfirmed { note, .. } => {
            let note = note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
            format!("confirmed by {by}{note}")
        }
        Event::StepSucceeded { evidence, .. } => format!("✓ done{}", seen(evidence)),
        Event::StepFailed { effect, error, .. } => {
            let effect = match effect {
                FailureEffect::None => "nothing happened",
                FailureEffect::Partial => "a part of it happened",
                FailureEffect::Full => "it was carried out",
                FailureEffect::Unknown => "how much of it happened is unknown",
            };
            format!("✗ failed ({effect}): {}", one_line(error, 300))
        }
        Event::StepInDoubt { evidence, .. } => {
            format!("! in doubt: {}", one_line(&evidence.summary, 300))
        }
        Event::StepProbed { finding, .. } => {
            format!("! its verification cannot tell: {}", one_line(finding, 300))
        }
        Event::StepResolved { answer, by: source, reason, .. } => {
            let who = match source {
                ResolvedBy::Ledger => "what was noted",
                ResolvedBy::Class => "its effect class",
                ResolvedBy::Verification => "its verification",
                ResolvedBy::Person => by,
            };
            let answer = match answer {
                Answer::Happened => "it happened",
                Answer::DidNotHappen if *source == ResolvedBy::Class => "it is run again",
                Answer::DidNotHappen => "it did not happen",
                Answer::Hold => "it is kept open",
            };
            format!("resolved by {who}: {answer} ({})", one_line(reason, 200))
        }
        Event::StepStopAsked { reason, .. } => format!("to be stopped, says {by}: {reason}"),
        Event::StepRetried { reason, .. } => format!("to be run again, says {by}: {reason}"),
        Event::StepSkipped { reason, .. } => format!("- skipped by {by}: {reason}"),
        Event::StepAttested { result, name, reason, evidence, .. } => {
            let result = match result {
                Attested::Done => "✓ done by hand",
                Attested::Failed => "✗ failed by hand",
            };
            let name = name.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
            format!("{result}{name}, attested afterwards by {by}: {reason}{}", seen(evidence))
        }
        Event::StepAdded { reason, .. } => format!("added by {by}: {reason}"),
        Event::StepReplaced { reason, .. } => format!("replaced by {by}: {reason}"),
        Event::StepAssigned { to, reason, .. } => format!("handed to {to} by {by}: {reason}"),
        Event::ActProposed { act, reason } => format!("{by} asks to {}: {reason}", act.shown()),
        Event::ActRefused { act, why } => format!("{by} may not {}: {why}", act.shown()),
    })
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

/// The last words of a coordinator: what waits for people.
pub(crate) fn questions(state: &RunState) -> Vec<String> {
    let mut lines = Vec::new();
    for question in backout_core::question::questions(state) {
        let about = match &question.step {
            Some(step) => {
                let label =
                    state.step(step).map_or_else(String::new, |(step, _)| match &step.title {
                        Some(title) => format!(" ({title})"),
                        None => String::new(),
                    });
                format!("{step}{label}")
            }
            None => "the run".to_owned(),
        };
        let kind = match question.kind {
            backout_core::question::QuestionKind::Do => "to do",
            backout_core::question::QuestionKind::Confirm => "to confirm",
            backout_core::question::QuestionKind::Failed => "failed",
            backout_core::question::QuestionKind::InDoubt => "in doubt",
            backout_core::question::QuestionKind::Held => "held",
        };
        lines.push(format!("{} — {about}, {kind}:", question.who));
        for line in backout_exec::terminal::printable(&question.text).lines() {
            lines.push(format!("    {line}"));
        }
        for seen in &question.evidence {
            lines.push(format!("    seen: {}", one_line(seen, 200)));
        }
        let role = question.role.as_ref().map(|role| format!(" --as {role}")).unwrap_or_default();
        let width =
            question.answers.iter().map(|reply| reply.command.chars().count()).max().unwrap_or(0);
        for reply in &question.answers {
            let command = format!("{:<width$}", format!("{}", reply.command));
            let command = format!("{}{role}{}", reply.command, &command[reply.command.len()..]);
            lines.push(format!("  > {command}   {}", reply.meaning));
        }
    }
    lines
}
