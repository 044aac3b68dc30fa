//! What waits for a person, and what they can answer.

use serde::Serialize;

use crate::ids::StepId;
use crate::state::RunState;
use crate::status::Status;

/// Something only a person can move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// The step it is about; `null` for the run itself.
    pub step: Option<StepId>,
    /// What kind of question it is.
    pub kind: QuestionKind,
    /// Who is asked, for people: a name, with the role.
    pub who: String,
    /// The role to answer as.
    pub role: Option<String>,
    /// What is asked.
    pub text: String,
    /// What was seen so far, if anything.
    pub evidence: Vec<String>,
    /// The answers: the words after `backout`, and what each means.
    pub answers: Vec<Reply>,
}

/// One possible answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reply {
    /// The command, complete but for `--as` and reasons.
    pub command: String,
    /// What it means.
    pub meaning: &'static str,
}

/// What kind of question it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionKind {
    /// A manual step has to be done.
    Do,
    /// Something has to be confirmed.
    Confirm,
    /// A step failed.
    Failed,
    /// A step is in doubt.
    InDoubt,
    /// The run is held.
    Held,
}

/// Everything that waits for a person, in plan order.
#[must_use]
pub fn questions(state: &RunState) -> Vec<Question> {
    if state.finished.is_some() {
        return Vec::new();
    }
    let mut questions: Vec<Question> =
        state.active().filter_map(|index| about_step(state, index)).collect();
    if let Some(held) = &state.held {
        questions.push(Question {
            step: None,
            kind: QuestionKind::Held,
            who: "anyone with a role in the plan".to_owned(),
            role: None,
            text: format!("{} held the run: {}", held.by, held.reason),
            evidence: Vec::new(),
            answers: vec![Reply {
                command: format!("backout resume {}", state.run),
                meaning: "go on",
            }],
        });
    }
    questions
}

fn about_step(state: &RunState, index: usize) -> Option<Question> {
    let (step, known) = (&state.steps[index], &state.states[index]);
    let run = &state.run;
    let reply = |verb: &str, rest: &str, meaning: &'static str| Reply {
        command: format!("backout {verb} {run} {}{rest}", step.id),
        meaning,
    };
    let reason = " --reason \"…\"";
    let (kind, text, answers) = match known.status {
        Status::Running if step.action.is_manual() => {
            let crate::plan::Action::Manual(instruction) = &step.action else { return None };
            let mut text = instruction.trim_end().to_owned();
            for sentence in step.confirmations() {
                text.push_str(&format!("\nConfirm: {sentence}"));
            }
            let answers =
                vec![reply("ack", "", "it is done"), reply("fail", reason, "it cannot be done")];
            (QuestionKind::Do, text, answers)
        }
        Status::Acted if !known.confirmed && step.confirmations().next().is_some() => {
            if step.machine_checks().next().is_some() && !known.is_checked() {
                return None;
            }
            let sentences: Vec<&str> = step.confirmations().collect();
            let answers =
                vec![reply("ack", "", "confirmed"), reply("fail", reason, "it is not so")];
            (QuestionKind::Confirm, sentences.join("\n"), answers)
        }
        Status::Failed => {
            if state.will_retry(index) {
                return None;
            }
            let error = known.note.clone().unwrap_or_default();
            let answers = vec![
                reply("retry", reason, "run it again"),
                reply(
                    "resolve",
                    &format!(" happened{reason}"),
                    "it is done after all; I vouch for it",
                ),
                reply("skip", reason, "leave it out"),
                reply("replace", &format!(" STEP.yaml{reason}"), "do it another way"),
            ];
            (QuestionKind::Failed, error, answers)
        }
        Status::InDoubt | Status::Held => {
            let next = crate::doubt::next(
                step.effect(),
                known.doubt?,
                step.machine_checks().next().is_some(),
                known.probed.is_some(),
                known.recoveries,
            );
            if known.status == Status::InDoubt && next != crate::doubt::Next::Ask {
                return None;
            }
            let mut text = format!("Did this happen? {}", known.note.clone().unwrap_or_default());
            if let Some(note) = &step.if_in_doubt {
                text.push_str(&format!("\nHow to tell: {}", note.trim_end()));
            }
            if let Some(finding) = &known.probed {
                text.push_str(&format!("\nIts verification could not tell: {finding}"));
            }
            let mut answers = vec![
                reply("resolve", &format!(" happened{reason}"), "it happened: go on behind it"),
                reply("resolve", &format!(" did-not-happen{reason}"), "it did not: run it now"),
            ];
            if known.status == Status::InDoubt {
                answers.push(reply("resolve", &format!(" hold{reason}"), "leave it open for now"));
            }
            (QuestionKind::InDoubt, text, answers)
        }
        _ => return None,
    };
    let doer = state.doer(index);
    let role = step.owner.as_ref().map(ToString::to_string);
    let who = match (&doer, &role) {
        (Some(doer), Some(role)) if doer != role => format!("{doer} ({role})"),
        (Some(doer), _) => doer.clone(),
        _ => "anyone with a role in the plan".to_owned(),
    };
    let evidence = known
        .evidence
        .verified
        .iter()
        .map(|seen| format!("{}: {}", seen.check, seen.found))
        .collect();
    Some(Question { step: Some(step.id.clone()), kind, who, role, text, evidence, answers })
}
