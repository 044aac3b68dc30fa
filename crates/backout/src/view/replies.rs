//! Answers in words: the command on this command line, and what it means.

use backout_core::act::Answer;
use backout_core::choice::Verb;
use backout_core::event::Direction;
use backout_core::ids::RoleId;
use backout_core::reply::{Meaning, Needs, Offer, Reply};

use crate::failure::state_words;

/// What stands in a command where a reason has to be.
const REASON: &str = " --reason \"…\"";

/// The command of an answer to a question of a run.
pub(crate) fn command(reply: &Reply, run: &str) -> String {
    let command = command_about(reply, &About { run, ..About::default() });
    command.replacen("backout ", &format!("backout {}", state_words()), 1)
}

/// A word as a shell takes it, also where it holds spaces or what a shell would carry out.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/:@%+=,-".contains(c);
    let text = match text.starts_with('-') {
        true => format!("./{text}"),
        false => text.to_owned(),
    };
    match !text.is_empty() && text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// The words of a command to a run, without reason and role.
pub(crate) fn words_of(offer: &Offer, run: &str) -> String {
    words(offer, &About { run, ..About::default() })
}

/// What a command is about, as it is written on the command line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    /// The run.
    pub(crate) run: &'a str,
    /// The plan file.
    pub(crate) plan: &'a str,
    /// Further words with which a run was to begin.
    pub(crate) with: &'a str,
    /// Whether it was to begin beside another one.
    pub(crate) again: bool,
    /// Whether what is asked about was confirmed.
    pub(crate) confirmed: bool,
}

impl Default for About<'_> {
    fn default() -> Self {
        Self { run: "RUN", plan: "PLAN", with: "", again: false, confirmed: false }
    }
}

/// The command of an answer, complete but for reasons and files: `backout ack CHG1-1 tell
/// --as ann`.
pub(crate) fn command_about(reply: &Reply, about: &About<'_>) -> String {
    let words = words(&reply.command, about);
    let file = match (&reply.command, reply.needs) {
        (Offer::Replace { .. } | Offer::Add, Needs::File) => " STEP.yaml",
        _ => "",
    };
    let reason = match reply.needs {
        Needs::Nothing => "",
        Needs::Reason | Needs::OptionalReason | Needs::File => REASON,
    };
    format!("backout {words}{file}{reason}{}", as_role(&reply.by))
}

/// The role to answer in, if there is but one.
pub(crate) fn as_role(by: &[RoleId]) -> String {
    match by {
        [role] => format!(" --as {role}"),
        _ => String::new(),
    }
}

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::BackOut => "back-out",
        Verb::FixForward => "fix-forward",
        Verb::Continue => "continue",
        Verb::NotFixable => "not-fixable",
    }
}

fn words(offer: &Offer, about: &About<'_>) -> String {
    let About { run, plan, with, .. } = about;
    match offer {
        Offer::Acknowledge { step } => format!("ack {run} {step}"),
        Offer::Fail { step } => format!("fail {run} {step}"),
        Offer::Stop { step } => format!("stop {run} {step}"),
        Offer::Retry { step } => format!("retry {run} {step}"),
        Offer::CheckAgain { step } => format!("check-again {run} {step}"),
        Offer::Skip { step, confirmed } => {
            let confirm = if *confirmed { " --yes" } else { "" };
            format!("skip {run} {step}{confirm}")
        }
        Offer::Replace { step } => format!("replace {run} {step}"),
        Offer::Add => format!("add {run}"),
        Offer::Resolve { step, answer } => {
            let answer = match answer {
                Answer::Happened => "happened",
                Answer::DidNotHappen => "did-not-happen",
                Answer::Hold => "hold",
            };
            format!("resolve {run} {step} {answer}")
        }
        Offer::Assign { step } => format!("assign {run} {step} PERSON"),
        Offer::Approve { stage, shown } if shown.is_empty() => {
            format!("stage approve {run} {stage}")
        }
        Offer::Approve { stage, shown } => format!("stage approve {run} {stage} --shown {shown}"),
        Offer::Decide { verb: what, option, fix_for, question, confirmed } => {
            let mut words = format!("decide {run} {}", verb(*what));
            if let Some(option) = option {
                words.push_str(&format!(" --option {option}"));
            }
            if let Some(fix_for) = fix_for {
                words.push_str(&format!(" --for {fix_for}"));
            }
            // With its number an answer never counts for another question, however late it
            // comes.
            if let Some(question) = question {
                words.push_str(&format!(" --question {question}"));
            }
            if *confirmed {
                words.push_str(" --yes");
            }
            words
        }
        Offer::LogDefect => format!("defect {run} TITLE"),
        Offer::Hold => format!("hold {run}"),
        Offer::Resume { run } => format!("resume {run}"),
        Offer::GoOnHere { run, confirmed } => {
            let confirm = if *confirmed { " --yes" } else { "" };
            format!("resume {run}{confirm}")
        }
        Offer::TakeOver { run, confirmed } => {
            let confirm = if *confirmed { " --yes" } else { "" };
            format!("resume {run} --take-over{confirm}")
        }
        Offer::SwitchOption { option } => format!("switch-option {run} {option}"),
        Offer::Abandon { run } => format!("abandon {run}"),
        Offer::BackOut { run } => format!("decide {run} back-out"),
        Offer::Start { direction, again, confirmed } => {
            let (verb, confirm) = match direction {
                Direction::Forward => ("deploy", " --anyway"),
                Direction::Back => ("invoke", " --yes"),
            };
            let again = if *again || about.again { " --again" } else { "" };
            let confirm = if *confirmed || about.confirmed { confirm } else { "" };
            format!("{verb} {plan}{with}{again}{confirm}")
        }
        Offer::NewRun { direction } => {
            let verb = match direction {
                Direction::Forward => "deploy",
                Direction::Back => "invoke",
            };
            format!("{verb} {plan}{with} --new-run")
        }
        Offer::Recover { run, confirmed } => {
            let confirm = if *confirmed { " --yes" } else { "" };
            format!("recover {run}{confirm}")
        }
        Offer::CaptureBaselines => format!("baseline {plan}"),
        Offer::CheckPlan => format!("check {plan}"),
        Offer::VerifyLog { run } => format!("verify {run}"),
        Offer::Status { run } => format!("status {run}"),
        Offer::Explain => format!("decide {run} --explain"),
    }
}

/// What an answer means.
pub(crate) fn meaning(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::Done => "it is done",
        Meaning::CannotBeDone => "it cannot be done",
        Meaning::ReportedFailed => "it failed",
        Meaning::Confirmed => "confirmed",
        Meaning::NotSo => "it is not so",
        Meaning::RunAgain => "run it again",
        Meaning::CheckAgain => "ask its verifications again",
        Meaning::AttestDone => "it is done after all; I attest it",
        Meaning::LeaveOut => "leave it out",
        Meaning::DoOtherwise => "do it another way",
        Meaning::Happened => "it happened: go on after it",
        Meaning::DidNotHappen => "it did not happen: run it now",
        Meaning::KeepOpen => "leave it open for now",
        Meaning::StopIt => "stop it, with everything it started",
        Meaning::BackOut => "back out",
        Meaning::BackOutRest => "back out of what can be undone",
        Meaning::BackOutByOption => "back out by this option",
        Meaning::BackOutInstead => "back out instead",
        Meaning::TryFix => "try a fix, then back out",
        Meaning::TryFixInTime => "try a fix for as long as the backout is still in time",
        Meaning::TryFixAnyway => "try the fix that long all the same",
        Meaning::NotFixable => "it cannot be fixed: back out",
        Meaning::Continue => "go on with the release",
        Meaning::LetStart => "let it start",
        Meaning::AgreeToStart => "agree that it starts",
        Meaning::AcceptAndEnd => "accept it as it is and end the run",
        Meaning::GoOn => "go on",
        Meaning::LeaveOutAnyway => "leave it out, and let users in",
        Meaning::GoOnHere => "it goes on here, and is not at work there any more",
        Meaning::TakeOverAnyway => "take it over all the same",
        Meaning::NextOption => "go on with this option",
        Meaning::GiveUp => "give it up; what was done stays",
        Meaning::SecondRun => "start a second run beside it",
        Meaning::NewRun => "start a new run",
        Meaning::NewRunAsking => "start a new run that asks about each step that may be done",
        Meaning::RebuildLog => "rebuild its log from what is proven",
        Meaning::GiveReason => "give the same command with a reason",
        Meaning::GiveTitle => "give it a title",
        Meaning::AskRole => "for the roles that may",
        Meaning::Look => "see where it stands",
        Meaning::ReadDecisions => "read what was decided",
        Meaning::Capture => "capture them, before the deployment",
        Meaning::SeePlan => "see what is wrong with the plan",
        Meaning::FindDamage => "see where its log is damaged",
        Meaning::DeployAnyway => "deploy anyway",
        Meaning::BackOutWithout => "back out without them",
    }
}
