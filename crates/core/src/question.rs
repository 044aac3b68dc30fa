//! What waits for a person, and what they can answer.

use serde::Serialize;

use crate::act::Act;
use crate::choice::Verb;
use crate::decision::{irreversible, objections};
use crate::ids::{RoleId, StepId};
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
    /// The role to answer as, if there is but one.
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
    /// Another system is at work on a step and reports when it is done.
    Report,
    /// A stage needs somebody's approval.
    Approve,
    /// It has to be decided how the deployment goes on.
    Decide,
    /// The way back was gone, and what fired is not well again.
    NotRecovered,
}

/// Everything that waits for a person, in plan order.
#[must_use]
pub fn questions(state: &RunState) -> Vec<Question> {
    if state.finished.is_some() {
        return Vec::new();
    }
    let mut questions: Vec<Question> =
        state.active().filter_map(|index| about_step(state, index)).collect();
    questions.extend(about_release(state));
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

/// What the deployment asks of people beside its steps.
fn about_release(state: &RunState) -> Vec<Question> {
    let (run, release) = (&state.run, &state.release);
    let mut questions = Vec::new();
    let answer = |command: String, meaning| Reply { command, meaning };
    let reason = "--reason \"…\"";
    if let Some(open) = &release.open {
        let mut evidence: Vec<String> = open
            .because
            .iter()
            .filter_map(|id| Some((id, release.triggers.get(id)?)))
            .map(|(id, seen)| format!("{id}: {}", seen.reading.shown))
            // What it was when it was asked stands in the question.
            .filter(|now| !open.why.contains(now.as_str()))
            .collect();
        let objections = objections(state, open);
        evidence.extend(objections.iter().map(|guard| format!("not by itself: {guard}")));
        evidence.extend(agreed(state, &decides(Verb::BackOut)));
        evidence.extend(may_answer(&open.asked));
        // With its number an answer never counts for another question, however late it comes.
        let decide = |what: &str, meaning| {
            let number = open.number;
            answer(format!("backout decide {run} {what} --question {number} {reason}"), meaning)
        };
        let option = open.option.as_ref();
        let option = option.map(|option| format!(" --option {option}")).unwrap_or_default();
        let fix = decide("fix-forward --for 30m", "repair it in place, for so long");
        let go_on = decide("continue", "go on as if nothing were");
        let answers = if irreversible(state).next().is_none() {
            let repair = match open.fix_until {
                Some(_) => decide("not-fixable", "it cannot be fixed: go back"),
                None => fix,
            };
            vec![decide(&format!("back-out{option}"), "go back"), repair, go_on]
        } else {
            // There is no plain way back any more; one that still makes sense has a name.
            let ways = state.planned.plan.options.keys();
            let ways = ways.map(|way| {
                decide(&format!("back-out --option {way}"), "go back as far as this way goes")
            });
            std::iter::once(fix).chain(ways).chain([go_on]).collect()
        };
        questions.push(Question {
            step: None,
            kind: QuestionKind::Decide,
            who: names(state, &open.asked),
            role: only(&open.asked),
            text: open.why.clone(),
            evidence,
            answers,
        });
    }
    if release.goes_forward() && release.open.is_none() && state.held.is_none() {
        for index in state.ready.iter().copied().filter(|index| *index < release.stages) {
            let stage = &state.steps[index];
            if !stage.needs_approval() || release.approved.contains(&stage.id) {
                continue;
            }
            let by = stage.approval.as_ref().map(|grant| grant.by.0.clone()).unwrap_or_default();
            let text = match &stage.irreversible {
                Some(why) => format!("There is no way back after it: {}", why.trim()),
                None => "This stage starts only when it is approved.".to_owned(),
            };
            questions.push(Question {
                step: Some(stage.id.clone()),
                kind: QuestionKind::Approve,
                who: names(state, &by),
                role: only(&by),
                text,
                evidence: agreed(state, &Act::Approve { stage: stage.id.clone() })
                    .into_iter()
                    .chain(may_answer(&by))
                    .collect(),
                answers: vec![answer(
                    format!(
                        "backout stage approve {run} {} --shown {} {reason}",
                        stage.id,
                        stage.digest().short()
                    ),
                    "let it start",
                )]
                .into_iter()
                .chain(go_back_instead(state))
                .collect(),
            });
        }
    }
    let over = state.unsettled == 0 && state.active.is_empty();
    let unwell = crate::decision::not_recovered(state);
    if over && !release.goes_forward() && !unwell.is_empty() {
        let unwell: Vec<&str> = unwell.into_iter().map(|id| id.as_str()).collect();
        questions.push(Question {
            step: None,
            kind: QuestionKind::NotRecovered,
            who: "anyone who decides".to_owned(),
            role: None,
            text: format!(
                "Every step of the way back is done, and this is not well again yet: {}",
                unwell.join(", ")
            ),
            evidence: agreed(state, &decides(Verb::Continue)).into_iter().collect(),
            // No question is open: without a number it is no answer to one.
            answers: vec![answer(
                format!("backout decide {run} continue {reason}"),
                "accept it and end the run",
            )],
        });
    }
    questions
}

fn decides(verb: Verb) -> Act {
    Act::Decide { verb, option: None, lasting: None }
}

fn names(state: &RunState, roles: &[RoleId]) -> String {
    let plan = &state.planned.plan;
    match roles {
        [] => "anyone with a role in the plan".to_owned(),
        roles => roles.iter().map(|role| plan.person(role)).collect::<Vec<_>>().join(", "),
    }
}

/// The role to answer as, if there is no choice.
fn only(roles: &[RoleId]) -> Option<String> {
    if let [role] = roles { Some(role.to_string()) } else { None }
}

/// To go back instead of going on, where that can be said.
fn go_back_instead(state: &RunState) -> Option<Reply> {
    let can = state.release.goes_forward()
        && state.release.open.is_none()
        && irreversible(state).next().is_none();
    let command = format!("backout decide {} back-out --reason \"…\"", state.run);
    can.then_some(Reply { command, meaning: "go back instead" })
}

/// As whom it can be answered, if there is a choice.
fn may_answer(roles: &[RoleId]) -> Option<String> {
    let roles: Vec<String> = roles.iter().map(|role| format!("--as {role}")).collect();
    (roles.len() > 1).then(|| format!("any of them may answer: {}", roles.join(", ")))
}

/// How many have to agree, and who has, where one alone is not enough.
fn agreed(state: &RunState, act: &Act) -> Option<String> {
    let quorum = crate::authority::agreeing(state, act);
    if quorum < 2 {
        return None;
    }
    let mut have: Vec<String> = Vec::new();
    for (proposed, by) in &state.proposals {
        let said = match (act, proposed) {
            (Act::Decide { .. }, decided @ Act::Decide { .. }) => {
                let shown = decided.shown();
                format!("{by} wants to {}", shown.strip_prefix("decide to ").unwrap_or(&shown))
            }
            (act, proposed) if act == proposed => format!("{by} has"),
            _ => continue,
        };
        if !have.contains(&said) {
            have.push(said);
        }
    }
    if have.is_empty() {
        have.push("nobody has yet".to_owned());
    }
    Some(format!("{quorum} have to agree; {}", have.join(", ")))
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
        Status::Running if step.action.is_reported() => {
            let crate::plan::Action::External(what) = &step.action else { return None };
            let answers = vec![reply("ack", "", "it is done"), reply("fail", reason, "it failed")];
            (
                QuestionKind::Report,
                format!("{} does it, and reports when it is done.", what.trim()),
                answers,
            )
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
            let mut answers = vec![
                reply("retry", reason, "run it again"),
                reply(
                    "resolve",
                    &format!(" happened{reason}"),
                    "it is done after all; I vouch for it",
                ),
                reply("skip", reason, "leave it out"),
                reply("replace", &format!(" STEP.yaml{reason}"), "do it another way"),
            ];
            answers.extend(go_back_instead(state).filter(|_| index < state.release.stages));
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
