//! What waits for a person, and what they can answer. Data: each front end words it.

use jiff::Timestamp;
use serde::Serialize;

use crate::act::{Act, Answer};
use crate::authority::{allowed_roles, is_open, release_quorum};
use crate::cause::{HoldCause, StepFault};
use crate::choice::Verb;
use crate::decision::{irreversible, not_recovered, recovery_due};
use crate::doubt::{self, Looked, Next};
use crate::event::Direction;
use crate::evidence::{DoubtCause, Verified};
use crate::ids::{OptionId, RoleId, StepId, TriggerId};
use crate::people::PersonId;
use crate::plan::Action;
use crate::record::Actor;
use crate::reply::{Meaning, Offer, Reply};
use crate::state::RunState;
use crate::status::Status;

/// Something only a person can move.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Question {
    /// The step it is about; none for the run itself.
    pub step: Option<StepId>,
    /// What is asked.
    pub asks: Asks,
    /// The person it is put to; none where anyone with a role may answer.
    pub person: Option<PersonId>,
    /// The roles it is put to; empty where anyone with a role may answer.
    pub roles: Vec<RoleId>,
    /// Until when an answer is due; after that others are asked, or the plan decides.
    pub due: Option<Timestamp>,
    /// What the verifications of the step found so far.
    pub seen: Vec<Verified>,
    /// How many people have to agree, and what was said so far, where one is not enough.
    pub agreement: Option<Agreement>,
    /// The answers.
    pub answers: Vec<Reply>,
}

/// How many people have to agree to an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// So many.
    pub quorum: u32,
    /// Who asked for what so far.
    pub so_far: Vec<(Act, PersonId)>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Asks {
    /// To carry a manual step out.
    Do {
        /// What to do.
        instruction: String,
        /// What to confirm afterwards.
        confirm: Vec<String>,
    },
    /// To confirm something.
    Confirm {
        /// What.
        sentences: Vec<String>,
    },
    /// What to do about a failed step.
    Failed {
        /// What went wrong.
        fault: Option<StepFault>,
        /// What its verifications found when they were asked again.
        finding: Option<String>,
    },
    /// Whether a step happened.
    InDoubt {
        /// Why it is unknown.
        cause: DoubtCause,
        /// What was seen of it.
        summary: String,
        /// How to tell, as the plan says.
        how_to_tell: Option<String>,
        /// What its verifications found, if they could not tell.
        finding: Option<String>,
        /// Whether its effect may still appear, and its verifications are asked again and again.
        looks_on: bool,
        /// Until when it may: if they do not hold by then it did not happen. `None` where
        /// no such time is known.
        until: Option<Timestamp>,
        /// Whether a person keeps it open.
        kept_open: bool,
    },
    /// Whether a held run goes on.
    Held {
        /// Who held it.
        by: Actor,
        /// What held it.
        cause: HoldCause,
        /// Why, in their words.
        reason: Option<String>,
    },
    /// To report when another system is done.
    Report {
        /// The system.
        system: String,
    },
    /// To agree to a stage.
    Approve {
        /// Why it cannot be undone, if so.
        irreversible: Option<String>,
    },
    /// To agree that the run starts.
    Start,
    /// How the release goes on. What it is about stands in the open decision of the run.
    Decide,
    /// Whether it is accepted that triggers are not healthy after the backout. Asked once
    /// their windows hold only samples from after the last step; an answer is taken earlier.
    NotRecovered {
        /// The triggers.
        triggers: Vec<TriggerId>,
    },
    /// With which option a run goes on whose option keeps users out.
    Holding {
        /// The option.
        option: OptionId,
    },
}

impl Asks {
    /// The kind of question, in one word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Do { .. } => "do",
            Self::Confirm { .. } => "confirm",
            Self::Failed { .. } => "failed",
            Self::InDoubt { .. } => "in_doubt",
            Self::Held { .. } => "held",
            Self::Report { .. } => "report",
            Self::Approve { .. } => "approve",
            Self::Start => "start",
            Self::Decide => "decide",
            Self::NotRecovered { .. } => "not_recovered",
            Self::Holding { .. } => "holding",
        }
    }
}

/// Everything that waits for a person, in plan order.
#[must_use]
pub fn questions(state: &RunState) -> Vec<Question> {
    if state.finished.is_some() {
        return Vec::new();
    }
    if state.awaits_agreement {
        return vec![about_start(state)];
    }
    let mut questions: Vec<Question> =
        state.active().filter_map(|index| about_step(state, index)).collect();
    questions.extend(about_decision(state));
    questions.extend(about_approvals(state));
    questions.extend(about_end(state));
    if let Some(held) = &state.held {
        let (by, cause, reason) = (held.by.clone(), held.cause, held.reason.clone());
        let resume = Offer::Resume { run: state.run.clone() };
        let answers = vec![reply(state, resume, Meaning::GoOn, &[])];
        questions.push(Question { answers, ..of_run(Asks::Held { by, cause, reason }) });
    }
    for question in &mut questions {
        put_to_those_who_may(question);
    }
    questions
}

/// A question that names no one is put to the roles that may answer it.
fn put_to_those_who_may(question: &mut Question) {
    let anyone = question.answers.iter().any(|reply| reply.by.is_empty());
    if question.person.is_some() || !question.roles.is_empty() || anyone {
        return;
    }
    for reply in &question.answers {
        for role in &reply.by {
            if !question.roles.contains(role) {
                question.roles.push(role.clone());
            }
        }
    }
}

/// A question about the run, put to anyone.
fn of_run(asks: Asks) -> Question {
    Question {
        step: None,
        asks,
        person: None,
        roles: Vec::new(),
        due: None,
        seen: Vec::new(),
        agreement: None,
        answers: Vec::new(),
    }
}

/// The act behind an offer, for what a person may be refused.
#[must_use]
pub fn act_of(offer: &Offer, run: Option<&RunState>) -> Option<Act> {
    Some(match offer {
        Offer::Acknowledge { step } => Act::Acknowledge { step: step.clone() },
        Offer::Fail { step } => Act::Fail { step: step.clone() },
        Offer::Stop { step } => Act::Stop { step: step.clone() },
        Offer::Retry { step } => Act::Retry { step: step.clone(), new_key: false },
        Offer::CheckAgain { step } => Act::CheckAgain { step: step.clone() },
        Offer::Skip { step, .. } => Act::Skip { step: step.clone() },
        Offer::Replace { step } => {
            Act::Replace { step: step.clone(), what: crate::ids::Digest::ZERO }
        }
        Offer::Resolve { step, answer } => Act::Resolve { step: step.clone(), answer: *answer },
        Offer::Approve { stage, .. } => Act::Approve { stage: stage.clone() },
        Offer::Decide { verb, option, fix_for, .. } => {
            Act::Decide { verb: *verb, option: option.clone(), lasting: *fix_for }
        }
        Offer::BackOut { .. } => decides(Verb::BackOut),
        // Who resumes a run that waits for people to agree, agrees.
        Offer::Resume { .. } => match run.filter(|state| state.awaits_agreement) {
            Some(state) => begins(state),
            None => Act::Resume,
        },
        Offer::GoOnHere { .. } => Act::GoOnHere,
        Offer::TakeOver { .. } => Act::TakeOver,
        Offer::Recover { .. } => Act::Recover,
        Offer::NewRun { direction: Direction::Back } => Act::Invoke,
        Offer::NewRun { direction: Direction::Forward } => Act::Deploy,
        Offer::Hold => Act::Hold,
        Offer::LogDefect => Act::LogDefect,
        Offer::SwitchOption { option } => Act::SwitchOption { option: option.clone() },
        Offer::Abandon { .. } => Act::Abandon,
        Offer::Start { direction: Direction::Back, .. } => Act::Invoke,
        Offer::Start { direction: Direction::Forward, .. } => Act::Deploy,
        Offer::Add
        | Offer::Assign { .. }
        | Offer::CaptureBaselines
        | Offer::CheckPlan
        | Offer::Status { .. }
        | Offer::VerifyLog { .. }
        | Offer::Explain => return None,
    })
}

/// An answer, offered to those of the asked roles that may give it, else to those of others.
/// What is offered is never refused to the person it is offered to.
fn reply(state: &RunState, offer: Offer, meaning: Meaning, asked: &[RoleId]) -> Reply {
    let reply = Reply::new(offer, meaning);
    let Some(act) = act_of(&reply.command, Some(state)) else { return reply };
    let plan = &state.planned.plan;
    let allowed = allowed_roles(plan, Some(state), &act);
    let of_asked: Vec<RoleId> =
        asked.iter().filter(|role| allowed.contains(role)).cloned().collect();
    let anyone = asked.is_empty() && allowed.len() == plan.roles.len();
    reply.by(match () {
        () if anyone => Vec::new(),
        () if of_asked.is_empty() => allowed,
        () => of_asked,
    })
}

/// What begins a run that goes as this one does.
#[must_use]
pub fn begins(state: &RunState) -> Act {
    match state.planned.direction {
        Direction::Forward => Act::Deploy,
        Direction::Back => Act::Invoke,
    }
}

fn decides(verb: Verb) -> Act {
    Act::Decide { verb, option: None, lasting: None }
}

fn decide(verb: Verb, question: Option<u32>) -> Offer {
    Offer::Decide { verb, option: None, fix_for: None, question, confirmed: false }
}

fn about_start(state: &RunState) -> Question {
    let act = begins(state);
    let plan = &state.planned.plan;
    let has_agreed = |role: &RoleId| {
        let id = PersonId::of_role(plan, role);
        state.proposals.iter().any(|(proposed, by)| *proposed == act && by.is_same(&id))
    };
    let mut roles = allowed_roles(plan, Some(state), &act);
    roles.retain(|role| !has_agreed(role) || is_open(plan, role));
    let resume = Reply::new(Offer::Resume { run: state.run.clone() }, Meaning::AgreeToStart);
    let quorum = state.planned.quorum.unwrap_or(1);
    // Only what was said about the start, and each person once.
    let mut so_far: Vec<(Act, PersonId)> = Vec::new();
    for (proposed, by) in state.proposals.iter().filter(|(proposed, _)| *proposed == act) {
        if so_far.iter().all(|(_, known)| !known.is_same(by)) {
            so_far.push((proposed.clone(), by.clone()));
        }
    }
    Question {
        agreement: Some(Agreement { quorum, so_far }),
        answers: vec![resume.by(roles.clone())],
        roles,
        ..of_run(Asks::Start)
    }
}

/// The decision that is open.
fn about_decision(state: &RunState) -> Option<Question> {
    let open = state.release.open.as_ref()?;
    let number = Some(open.number);
    let offer = |offer, meaning| reply(state, offer, meaning, &open.asked);
    let back = |option: Option<OptionId>, confirmed| Offer::Decide {
        verb: Verb::BackOut,
        option,
        fix_for: None,
        question: number,
        confirmed,
    };
    let fix = || offer(decide(Verb::FixForward, number), Meaning::TryFix);
    let go_on = offer(decide(Verb::Continue, number), Meaning::Continue);
    let plan = &state.planned.plan;
    let by_option =
        |option: &OptionId| offer(back(Some(option.clone()), false), Meaning::BackOutByOption);
    let answers = if irreversible(state).next().is_none() {
        let repair = match open.fix_until {
            Some(_) => offer(decide(Verb::NotFixable, number), Meaning::NotFixable),
            None => fix(),
        };
        let usual = open.option.as_ref().or(plan.default_option());
        let others = plan.options.keys().filter(|option| Some(*option) != usual).map(by_option);
        let back_out = offer(back(open.option.clone(), false), Meaning::BackOut);
        std::iter::once(back_out).chain(others).chain([repair, go_on]).collect()
    } else {
        // There is no plain backout any more; an option that still makes sense has a name.
        let options = plan.options.keys().map(by_option);
        let rest = offer(back(None, true), Meaning::BackOutRest);
        std::iter::once(fix()).chain(options).chain([rest, go_on]).collect()
    };
    let step = None;
    let act = decides(Verb::BackOut);
    Some(Question {
        step,
        roles: open.asked.clone(),
        due: open.until,
        agreement: agreement(state, &act),
        answers,
        ..of_run(Asks::Decide)
    })
}

/// Stages that wait for people to agree.
fn about_approvals(state: &RunState) -> Vec<Question> {
    let release = &state.release;
    if !release.goes_forward() || release.open.is_some() || state.held.is_some() {
        return Vec::new();
    }
    let waits = |&index: &usize| {
        let stage = &state.steps[index];
        state.is_stage(index) && stage.needs_approval() && !release.approved.contains(&stage.id)
    };
    let about = |index: usize| {
        let stage = &state.steps[index];
        let by = stage.approval.as_ref().map(|grant| grant.by.0.clone()).unwrap_or_default();
        let approve = Offer::Approve { stage: stage.id.clone(), shown: stage.digest().short() };
        let approve = reply(state, approve, Meaning::LetStart, &by);
        Question {
            step: Some(stage.id.clone()),
            agreement: agreement(state, &Act::Approve { stage: stage.id.clone() }),
            answers: std::iter::once(approve).chain(back_out_instead(state)).collect(),
            roles: by,
            ..of_run(Asks::Approve { irreversible: stage.irreversible.clone() })
        }
    };
    state.ready.iter().copied().filter(waits).map(about).collect()
}

/// The backout is done, and something is left to decide about it.
fn about_end(state: &RunState) -> Option<Question> {
    if state.release.goes_forward() || !state.is_settled() {
        return None;
    }
    // No question is open: without a number it is no answer to one.
    let accept = || reply(state, decide(Verb::Continue, None), Meaning::AcceptAndEnd, &[]);
    if let (Some(option), Some(_)) = (state.holding_option(), state.holding) {
        let others = state.planned.plan.options.keys().filter(|other| *other != option);
        let next = others.map(|option| {
            let switch = Offer::SwitchOption { option: option.clone() };
            reply(state, switch, Meaning::NextOption, &[])
        });
        let answers = next.chain([accept()]).collect();
        let option = option.clone();
        return Some(Question { answers, ..of_run(Asks::Holding { option }) });
    }
    let triggers: Vec<TriggerId> = not_recovered(state).into_iter().cloned().collect();
    (!triggers.is_empty()).then(|| Question {
        due: recovery_due(state),
        agreement: agreement(state, &decides(Verb::Continue)),
        answers: vec![accept()],
        ..of_run(Asks::NotRecovered { triggers })
    })
}

/// To back out instead of going on, where that can be said.
fn back_out_instead(state: &RunState) -> Option<Reply> {
    let can = state.release.goes_forward()
        && state.release.open.is_none()
        && irreversible(state).next().is_none();
    can.then(|| reply(state, decide(Verb::BackOut, None), Meaning::BackOutInstead, &[]))
}

/// How many have to agree, and who has, where one alone is not enough.
fn agreement(state: &RunState, act: &Act) -> Option<Agreement> {
    let quorum = release_quorum(state, act);
    let about = |proposed: &Act| match act {
        Act::Decide { .. } => matches!(proposed, Act::Decide { .. }),
        act => act == proposed,
    };
    (quorum > 1).then(|| Agreement {
        quorum,
        so_far: state.proposals.iter().filter(|(act, _)| about(act)).cloned().collect(),
    })
}

fn about_step(state: &RunState, index: usize) -> Option<Question> {
    let (step, known) = (&state.steps[index], &state.states[index]);
    let asked: Vec<RoleId> = match &known.assigned {
        Some(PersonId::Role(role)) => vec![role.clone()],
        _ => step.owner.iter().cloned().collect(),
    };
    let id = || step.id.clone();
    let offer = |offer, meaning| reply(state, offer, meaning, &asked);
    let resolve = |answer, meaning| offer(Offer::Resolve { step: id(), answer }, meaning);
    let check_again = || {
        let can = step.machine_checks().next().is_some();
        can.then(|| offer(Offer::CheckAgain { step: id() }, Meaning::CheckAgain))
    };
    let done = |meaning| offer(Offer::Acknowledge { step: id() }, meaning);
    let failed = |meaning| offer(Offer::Fail { step: id() }, meaning);
    let (asks, answers) = match known.status {
        Status::Running if step.action.is_reported() => match &step.action {
            Action::Manual(instruction) => (
                Asks::Do {
                    instruction: instruction.trim_end().to_owned(),
                    confirm: step.confirmations().map(str::to_owned).collect(),
                },
                vec![done(Meaning::Done), failed(Meaning::CannotBeDone)],
            ),
            Action::External(system) => (
                Asks::Report { system: system.trim().to_owned() },
                vec![done(Meaning::Done), failed(Meaning::ReportedFailed)],
            ),
            _ => return None,
        },
        Status::Verifying if !known.confirmed && step.confirmations().next().is_some() => {
            if step.machine_checks().next().is_some() && !known.is_checked() {
                return None;
            }
            let sentences = step.confirmations().map(str::to_owned).collect();
            (Asks::Confirm { sentences }, vec![done(Meaning::Confirmed), failed(Meaning::NotSo)])
        }
        Status::Failed => {
            if state.will_retry(index) || known.recheck {
                return None;
            }
            let mut answers = vec![offer(Offer::Retry { step: id() }, Meaning::RunAgain)];
            answers.extend(check_again());
            answers.push(resolve(Answer::Happened, Meaning::AttestDone));
            answers.push(offer(Offer::Skip { step: id(), confirmed: false }, Meaning::LeaveOut));
            answers.push(offer(Offer::Replace { step: id() }, Meaning::DoOtherwise));
            answers.extend(back_out_instead(state).filter(|_| state.is_stage(index)));
            let (fault, finding) = (known.fault.clone(), known.finding());
            (Asks::Failed { fault, finding }, answers)
        }
        Status::InDoubt | Status::Held => {
            if known.recheck {
                return None;
            }
            let cause = known.doubt?;
            let looked = Looked::at(step, known);
            // The same whatever the time: while its last look is under way it stays asked.
            let next = doubt::next(step.effect(), cause, looked, false, known.recoveries);
            let looks_on = known.status == Status::InDoubt && next == Next::AskAndLook;
            if known.status == Status::InDoubt && next != Next::Ask && !looks_on {
                return None;
            }
            let mut answers = vec![
                resolve(Answer::Happened, Meaning::Happened),
                resolve(Answer::DidNotHappen, Meaning::DidNotHappen),
            ];
            answers.extend(check_again());
            if known.status == Status::InDoubt {
                answers.push(resolve(Answer::Hold, Meaning::KeepOpen));
            }
            let asks = Asks::InDoubt {
                cause,
                summary: known.evidence.summary.clone(),
                how_to_tell: step.if_in_doubt.clone(),
                finding: known.finding(),
                looks_on,
                until: looks_on.then(|| doubt::ripe_at(step, known)).flatten(),
                kept_open: known.status == Status::Held,
            };
            (asks, answers)
        }
        _ => return None,
    };
    Some(Question {
        step: Some(step.id.clone()),
        asks,
        person: state.doer_id(index),
        roles: asked,
        due: None,
        seen: known.evidence.verified.clone(),
        agreement: None,
        answers,
    })
}
