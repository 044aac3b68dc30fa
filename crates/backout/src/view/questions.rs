//! What is asked of people, in words.

use serde_json::{Value, json};

use backout_core::act::Act;
use backout_core::decision::objections;
use backout_core::question::{Asks, Question, questions};
use backout_core::state::RunState;
use backout_documents::saying;
use backout_exec::terminal::printable;

use super::replies;
use super::words::{self, clock, one_line};

/// What waits for people, with the words that answer it from any terminal.
pub(crate) fn lines(state: &RunState) -> Vec<String> {
    let mut lines = Vec::new();
    for question in &questions(state) {
        lines.push(title(state, question));
        for line in printable(&text(state, question)).lines() {
            lines.push(format!("    {line}"));
        }
        for known in evidence(state, question) {
            lines.push(format!("    {}", one_line(&known, 200)));
        }
        let commands: Vec<String> = question
            .answers
            .iter()
            .map(|reply| replies::command(reply, state.run().as_str()))
            .collect();
        let width = commands.iter().map(|command| command.chars().count()).max().unwrap_or(0);
        for (command, reply) in commands.iter().zip(&question.answers) {
            let meaning = replies::meaning(reply.meaning);
            lines.push(format!("  > {command:<width$}   {meaning}"));
        }
    }
    lines
}

/// What waits for people, for scripts.
pub(crate) fn json(state: &RunState) -> Vec<Value> {
    questions(state).iter().map(|question| one_json(state, question)).collect()
}

fn one_json(state: &RunState, question: &Question) -> Value {
    let answers: Vec<Value> = question
        .answers
        .iter()
        .map(|reply| {
            json!({
                "command": replies::command(reply, state.run().as_str()),
                "needs": reply.needs,
                "means": reply.meaning,
                "meaning": replies::meaning(reply.meaning),
                "as": reply.by,
            })
        })
        .collect();
    json!({
        "step": question.step,
        "kind": question.asks.kind(),
        "who": who(state, question),
        "role": only_role(question),
        "roles": question.roles,
        "due": question.due,
        "text": text(state, question),
        "evidence": evidence(state, question),
        "answers": answers,
    })
}

fn only_role(question: &Question) -> Option<&str> {
    match question.roles.as_slice() {
        [role] => Some(role.as_str()),
        _ => None,
    }
}

/// Who is asked: a name, with the role.
pub(crate) fn who(state: &RunState, question: &Question) -> String {
    let plan = &state.planned().plan;
    let named: Vec<String> = question.roles.iter().map(|role| plan.person(role)).collect();
    match (&question.person, only_role(question)) {
        (Some(person), Some(role)) if person.name(plan) != role => {
            format!("{} ({role})", person.name(plan))
        }
        (Some(person), _) => person.name(plan),
        (None, _) if named.is_empty() => "anyone with a role in the plan".to_owned(),
        (None, _) => named.join(", "),
    }
}

/// Who is asked, and about what.
pub(crate) fn title(state: &RunState, question: &Question) -> String {
    let about = match &question.step {
        Some(step) => {
            let title = state.step(step).and_then(|(step, _)| step.title.as_ref());
            let title = title.map(|title| format!(" ({title})")).unwrap_or_default();
            format!("{step}{title}")
        }
        None => "the run".to_owned(),
    };
    let kind = match &question.asks {
        Asks::Do { .. } => "to do",
        Asks::Confirm { .. } => "to confirm",
        Asks::Failed { .. } => "failed",
        Asks::InDoubt { .. } => "in doubt",
        Asks::Held { .. } => "held",
        Asks::Report { .. } => "with another system",
        Asks::Approve { .. } => "to approve",
        Asks::Start => "to agree to the start",
        Asks::Decide => "to decide",
        Asks::NotRecovered { .. } => "not healthy",
        Asks::Holding { .. } => "holding",
    };
    // The deadline has to be seen, however little room there is.
    let by = match question.due {
        // It is not due then: from then on it is known.
        Some(_) if matches!(question.asks, Asks::NotRecovered { .. }) => String::new(),
        Some(due) => format!(" by {}", clock(due, &words::zone(&state.planned().plan))),
        None => String::new(),
    };
    format!("{} — {about}, {kind}{by}:", who(state, question))
}

/// What is asked.
pub(crate) fn text(state: &RunState, question: &Question) -> String {
    let plan = &state.planned().plan;
    match &question.asks {
        Asks::Do { instruction, confirm } => {
            let mut text = instruction.clone();
            for sentence in confirm {
                text.push_str(&format!("\nConfirm: {sentence}"));
            }
            text
        }
        Asks::Confirm { sentences } => sentences.join("\n"),
        Asks::Failed { fault, finding } => {
            let mut text = fault.as_ref().map(saying::fault).unwrap_or_default();
            if let Some(finding) = finding {
                text.push_str(&format!("\nChecked again: {finding}"));
            }
            text
        }
        Asks::InDoubt { cause, summary, how_to_tell, finding, looks_on, until, .. } => {
            let known = match summary.trim() {
                "" => saying::doubt(*cause),
                summary => summary,
            };
            let mut text = format!("Did this happen? {known}");
            if let Some(note) = how_to_tell {
                text.push_str(&format!("\nHow to tell: {}", note.trim_end()));
            }
            if let Some(finding) = finding {
                text.push_str(&format!("\nIts verification: {finding}"));
            }
            let zone = words::zone(plan);
            match until {
                _ if !looks_on => {}
                Some(until) => text.push_str(&format!(
                    "\nIts effect may still appear until {}. Its verification is asked again and again: when it holds, the step is done; if it does not hold by then, it did not happen.",
                    clock(*until, &zone)
                )),
                None => text.push_str(
                    "\nSomething of it may still be alive. Its verification is asked again and again: when it holds, the step is done.",
                ),
            }
            text
        }
        Asks::Held { by, cause, reason } => {
            let reason = saying::hold(*cause, reason.as_deref());
            format!("held by {}: {reason}", by.name(plan))
        }
        Asks::Report { system } => format!("{system} carries it out and reports when it is done"),
        Asks::Approve { irreversible: Some(why) } => {
            format!("There is no backout after it: {}", why.trim())
        }
        Asks::Approve { irreversible: None } => {
            "This stage starts only when it is approved.".to_owned()
        }
        Asks::Start => "Nothing starts before enough people agree.".to_owned(),
        Asks::Decide => {
            let open = state.release().open.as_ref();
            open.map(|open| saying::causes(&open.causes)).unwrap_or_default()
        }
        Asks::NotRecovered { triggers } => {
            let names: Vec<&str> = triggers.iter().map(|id| id.as_str()).collect();
            let names = names.join(", ");
            let zone = words::zone(plan);
            match question.due {
                Some(due) => format!(
                    "The backout is done, and these triggers are not healthy: {names}. Samples from before the last step may show until {}.",
                    clock(due, &zone)
                ),
                None => {
                    format!("The backout is done, and these triggers are not healthy: {names}")
                }
            }
        }
        Asks::Holding { option } => {
            format!(
                "Option {option} is done and keeps users out. Another option goes on from here."
            )
        }
    }
}

/// What is known about it, one line each.
pub(crate) fn evidence(state: &RunState, question: &Question) -> Vec<String> {
    let mut lines: Vec<String> =
        question.seen.iter().map(|seen| format!("seen: {}: {}", seen.check, seen.found)).collect();
    if question.asks == Asks::Decide
        && let Some(open) = &state.release().open
    {
        let now = open
            .because
            .iter()
            .filter_map(|id| Some((id, state.release().triggers.get(id)?)))
            // What it was when it was asked stands in the question.
            .filter(|(id, seen)| !open.was_told(id, &seen.reading))
            .map(|(id, seen)| format!("now {id}: {}", saying::reading(&seen.reading)));
        lines.extend(now);
        lines.extend(
            objections(state, open)
                .iter()
                .map(|guard| format!("not automatic: {}", saying::guard(guard))),
        );
    }
    lines.extend(question.agreement.as_ref().map(|agreement| {
        let so_far: Vec<String> = agreement
            .so_far
            .iter()
            .map(|(act, by)| {
                let name = by.name(&state.planned().plan);
                match (&question.asks, act) {
                    (Asks::Decide, Act::Decide { .. }) => {
                        let wants = act.shown();
                        format!("{name} wants to {}", wants.trim_start_matches("decide to "))
                    }
                    _ => format!("{name} agrees"),
                }
            })
            .collect();
        let so_far = match so_far.is_empty() {
            true => "none so far".to_owned(),
            false => so_far.join(", "),
        };
        format!("{} people have to agree: {so_far}", agreement.quorum)
    }));
    if question.roles.len() > 1 {
        let roles: Vec<String> = question.roles.iter().map(|role| format!("--as {role}")).collect();
        lines.push(format!("any of them may answer: {}", roles.join(", ")));
    }
    lines
}

/// Whether it is for the run and not for one of its steps: then all waits for it.
pub(crate) fn is_decision(question: &Question) -> bool {
    question.asks == Asks::Decide
}
