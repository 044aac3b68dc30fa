//! The words for what the log keeps as data: causes, guards, faults, readings, denials.

use backout_core::act::Answer;
use backout_core::cause::{
    Concern, DecisionCause, Denial, Guard, HoldCause, PlanReason, StepFault, UnseenTrigger,
};
use backout_core::event::{DoubtCause, Reason};
use backout_core::ids::RoleId;
use backout_core::ids::StepId;
use backout_core::location::Relocation;
use backout_core::plan::Plan;
use backout_core::proof::{Proof, Tally};
use backout_core::state::{Departure, RunState};
use backout_core::watch::{Measured, Reading};
use jiff::tz::TimeZone;

/// `8.4 % now; 32 of 186 since the watch began (9.7 % to 27 %)`, `12.5`, what a source said.
#[must_use]
pub fn reading(reading: &Reading) -> String {
    match &reading.measured {
        Measured::Nothing => "nothing measured".to_owned(),
        Measured::Text { text } => text.clone(),
        Measured::Value => reading.value.map_or_else(|| "no value".to_owned(), figure),
        Measured::Share { now: None, .. } => "no events".to_owned(),
        Measured::Share { now: Some(now), low, high } => format!(
            "{} now; {} of {} since the watch began ({} to {})",
            percent(*now),
            thousands(reading.bad.unwrap_or_default()),
            thousands(reading.total.unwrap_or_default()),
            percent(*low),
            percent(*high)
        ),
    }
}

/// A reading with its limit, if it has one: `8.4 % now; … (limit > 5%)`.
#[must_use]
pub fn reading_with_limit(measured: &Reading) -> String {
    match measured.limit.as_str() {
        "" => reading(measured),
        limit => format!("{} (limit {limit})", reading(measured)),
    }
}

fn percent(share: f64) -> String {
    let value = share * 100.0;
    if value == 0.0 || value >= 9.95 { format!("{value:.0} %") } else { format!("{value:.1} %") }
}

/// A measured value: at most three digits after the point.
#[must_use]
pub fn figure(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "infinite".to_owned() } else { "-infinite".to_owned() };
    }
    let digits = if value.abs() >= 100.0 || value.fract() == 0.0 { 0 } else { 3 };
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn thousands(count: f64) -> String {
    let digits = format!("{count:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Why a decision is needed, in one line.
#[must_use]
pub fn causes(causes: &[DecisionCause]) -> String {
    causes.iter().map(cause).collect::<Vec<_>>().join("; ")
}

fn cause(cause: &DecisionCause) -> String {
    match cause {
        DecisionCause::Trigger { trigger, reading } => {
            format!("{trigger}: {}", reading_with_limit(reading))
        }
        DecisionCause::StillCalling { trigger, reading } => {
            format!("and still {trigger}: {}", reading_with_limit(reading))
        }
        DecisionCause::FiredAndOver { trigger } => {
            format!("and {trigger}, which fired and is over")
        }
        DecisionCause::SourceOutage { source, error, triggers } => {
            format!("source {source} cannot be read ({error}); {triggers} triggers need it")
        }
        DecisionCause::BakeInconclusive { stage, unseen } => {
            format!("bake of {stage} ended: inconclusive{}", unseen_triggers(unseen))
        }
        DecisionCause::WatchInconclusive { unseen } => {
            format!("watch ended: inconclusive{}", unseen_triggers(unseen))
        }
        DecisionCause::OwnJudgement { reason } => reason.clone(),
        DecisionCause::Text { text } => text.clone(),
    }
}

fn unseen_triggers(unseen: &[UnseenTrigger]) -> String {
    if unseen.is_empty() {
        return " (the triggers were not looked at since)".to_owned();
    }
    let names: Vec<String> =
        unseen.iter().map(|seen| format!("{}: {}", seen.trigger, seen.state.shown())).collect();
    format!(" ({})", names.join(", "))
}

/// Why the plan does not act automatically.
#[must_use]
pub fn guard(guard: &Guard) -> String {
    match guard {
        Guard::Held => "the run is held".to_owned(),
        Guard::Irreversible { stage, why } => format!("stage {stage} is irreversible: {why}"),
        Guard::EarlierBackout { run } => {
            format!("the plan backed out of this release automatically before, in {run}")
        }
        Guard::FiredBefore => "it fired before the deployment, too".to_owned(),
        Guard::NoData => "there is no data".to_owned(),
        Guard::Text { text } => text.clone(),
    }
}

/// Why the plan decided.
#[must_use]
pub fn plan_reason(reason: &PlanReason) -> String {
    match reason {
        PlanReason::Automatic => "automatic, as the plan says for this severity".to_owned(),
        PlanReason::GotWorse => "it got worse while a fix was tried".to_owned(),
        PlanReason::FixTimeOver => "the time for a fix is over".to_owned(),
        PlanReason::Unanswered => {
            "no answer came in time, and the plan says what holds then".to_owned()
        }
        PlanReason::SeenAgain { healthy: true } => {
            "what could not be read can be read again, and is healthy".to_owned()
        }
        PlanReason::SeenAgain { healthy: false } => {
            "what could not be read can be read again".to_owned()
        }
        PlanReason::WatchedAnew => "a new stage is watched".to_owned(),
        PlanReason::Text { text } => text.clone(),
    }
}

/// Why something was decided or begun.
#[must_use]
pub fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Person(words) if words.trim().is_empty() => "no reason given".to_owned(),
        Reason::Person(words) => words.trim().to_owned(),
        Reason::Plan(reason) => plan_reason(reason),
    }
}

/// Why the outcome of a step is unknown.
#[must_use]
pub fn doubt(cause: DoubtCause) -> &'static str {
    match cause {
        DoubtCause::CoordinatorLost => "the coordinator died while it ran",
        DoubtCause::SupervisorLost => "its supervisor died and left no result",
        DoubtCause::LedgerLost => "the ledger entry of its attempt is gone or cannot be read",
        DoubtCause::LedgerForeign => "the ledger entry under its name is about another attempt",
        DoubtCause::Elsewhere => {
            "it was begun on another machine, or in the folder that this one is a copy of"
        }
        DoubtCause::Deadline => "it was stopped at its time-out",
        DoubtCause::Unended => "it is past its time-out, and something of it cannot be ended",
        DoubtCause::NoAnswer => "no answer came back",
        DoubtCause::EarlierRun => {
            "it was carried out, or may have been, in a part of the log that is lost"
        }
    }
}

/// What went wrong with a step.
#[must_use]
pub fn fault(fault: &StepFault) -> String {
    match fault {
        StepFault::Action { error } => error.trim().to_owned(),
        StepFault::Stopped { reason } if reason.is_empty() => "stopped by a person".to_owned(),
        StepFault::Stopped { reason } => format!("stopped by a person: {}", reason.trim()),
        StepFault::StoppedForBackout => "stopped: the run goes back".to_owned(),
        StepFault::Reported { reason } if reason.trim().is_empty() => {
            "reported as failed".to_owned()
        }
        StepFault::Reported { reason } => reason.trim().to_owned(),
        StepFault::NotVerified { finding } => {
            format!("done, but its verification does not hold: {}", finding.trim())
        }
        StepFault::Unverifiable { finding } => {
            format!("done, but it cannot be verified: {}", finding.trim())
        }
        StepFault::OutcomeUnknown { cause, finding: None } => {
            format!("its outcome is unknown: {}", doubt(*cause))
        }
        StepFault::OutcomeUnknown { cause, finding: Some(finding) } => {
            format!(
                "its outcome is unknown: {}; its verification: {}",
                doubt(*cause),
                finding.trim()
            )
        }
        StepFault::NotStarted => "not started: the run goes back".to_owned(),
        StepFault::Text { text } => text.trim().to_owned(),
    }
}

/// Names of people in these roles: `Mike Brown (dba) or Lena Lead (lead)`.
#[must_use]
pub fn roles(plan: &Plan, roles: &[RoleId]) -> String {
    let shown = |role: &RoleId| match plan.person(role) {
        name if name == role.as_str() => name,
        name => format!("{name} ({role})"),
    };
    let mut names: Vec<String> = roles.iter().map(shown).collect();
    match names.pop() {
        None => "anyone with a role in the plan".to_owned(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} or {last}", names.join(", ")),
    }
}

/// Why a person may not do something, without what they wanted to do.
#[must_use]
pub fn denial(plan: Option<&Plan>, denial: &Denial) -> String {
    match denial {
        Denial::OnlyRoles { roles: allowed } => match plan {
            Some(plan) => format!("only {} may", roles(plan, allowed)),
            None => {
                let names: Vec<&str> = allowed.iter().map(|role| role.as_str()).collect();
                format!("only {} may", names.join(", "))
            }
        },
        Denial::OnlyOwner { step } => {
            format!(
                "step {step} belongs to its owner, their deputies, or the person it was assigned to"
            )
        }
        Denial::NoRole => "they hold no role in the plan".to_owned(),
        Denial::OtherAccount { role } => format!("role {role} belongs to another account"),
        Denial::Text { text } => text.clone(),
    }
}

/// What a person has to confirm, as a question.
#[must_use]
pub fn concern(concern: &Concern, zone: &TimeZone) -> String {
    let clock = |at: jiff::Timestamp| at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string();
    match concern {
        Concern::Irreversible { stages } => {
            let stages: Vec<String> = stages
                .iter()
                .map(|stage| format!("stage {} is irreversible: {}", stage.stage, stage.why))
                .collect();
            format!("{}; back out of the rest?", stages.join("; "))
        }
        Concern::FixOutlastsBackout { latest: Some(latest), passed: true, until } => format!(
            "the backout had to start by {} to finish in time; try a fix until {} all the same?",
            clock(*latest),
            clock(*until)
        ),
        Concern::FixOutlastsBackout { latest: Some(latest), until, .. } => format!(
            "the backout must start by {} to finish in time, and the fix would be tried until {}; try it that long?",
            clock(*latest),
            clock(*until)
        ),
        Concern::FixOutlastsBackout { latest: None, until, .. } => format!(
            "it is not known by when the backout must start to finish in time, and the fix would be tried until {}; try it that long?",
            clock(*until)
        ),
        Concern::OtherLocation { change, coordinator } => {
            let coordinator = coordinator.as_deref().unwrap_or("a coordinator");
            format!(
                "{}, and {coordinator} was at work there: if it still is, steps run twice; does the run go on here, and nowhere else?",
                relocation(*change)
            )
        }
        Concern::NotSilent { coordinator, silent_for: Some(silent_for) } => format!(
            "{coordinator} showed {silent_for} ago that it lives; take the run over all the same?"
        ),
        Concern::NotSilent { coordinator, silent_for: None } => format!(
            "it is not known whether {coordinator} is at work; take the run over all the same?"
        ),
        Concern::LetsUsersIn { steps } => {
            format!("without it {} next, which lets users in; leave it out?", starts(steps))
        }
        Concern::PlanErrors { rules } => format!("{}; deploy anyway?", broken_rules(rules)),
        Concern::PartsLeftOut { parts } => format!(
            "parts of the plan cannot be used ({}); back out without them?",
            parts.join("; ")
        ),
    }
}

/// That steps start.
fn starts(steps: &[StepId]) -> String {
    let names: Vec<&str> = steps.iter().map(StepId::as_str).collect();
    match names.as_slice() {
        [name] => format!("{name} starts"),
        names => format!("{} start", names.join(", ")),
    }
}

/// What is another than it was.
#[must_use]
pub fn relocation(change: Relocation) -> &'static str {
    match change {
        Relocation::Machine => "this is not the machine the run was on",
        Relocation::Folder => "this state folder is a copy, or was moved to another disk",
        Relocation::Both => {
            "this state folder is a copy, or was moved, and this is not the machine the run was on"
        }
    }
}

/// That the check of the plan finds errors.
#[must_use]
pub fn broken_rules(rules: &[String]) -> String {
    let errors = match rules {
        [_] => "1 error".to_owned(),
        rules => format!("{} errors", rules.len()),
    };
    let distinct: std::collections::BTreeSet<&str> = rules.iter().map(String::as_str).collect();
    let distinct: Vec<&str> = distinct.into_iter().collect();
    format!("this plan has {errors} ({})", distinct.join(", "))
}

/// What the one who began a run has confirmed, as a statement.
#[must_use]
pub fn begun_although(concern: &Concern) -> String {
    match concern {
        Concern::PlanErrors { rules } => format!("begun although {}", broken_rules(rules)),
        Concern::PartsLeftOut { parts } => {
            format!("begun without parts of the plan that cannot be used: {}", parts.join("; "))
        }
        Concern::Irreversible { stages } => {
            let stages: Vec<&str> = stages.iter().map(|stage| stage.stage.as_str()).collect();
            format!("begun although {} cannot be undone", stages.join(", "))
        }
        Concern::FixOutlastsBackout { .. } => {
            "begun although the backout would not be in time".to_owned()
        }
        Concern::OtherLocation { change, .. } => format!("begun although {}", relocation(*change)),
        Concern::LetsUsersIn { steps } => format!("although {} next", starts(steps)),
        Concern::NotSilent { coordinator, .. } => {
            format!("begun although {coordinator} may be at work")
        }
    }
}

/// What departed from the plan.
#[must_use]
pub fn departure(plan: &Plan, departure: &Departure) -> String {
    match departure {
        Departure::SwitchedOption(option) => format!("switched to option {option}"),
        Departure::Added(step) => format!("added {step}"),
        Departure::Stopped(step) => format!("stopped {step}"),
        Departure::Resolved(step, Answer::Happened) => format!("resolved {step} as happened"),
        Departure::Resolved(step, Answer::DidNotHappen) => {
            format!("resolved {step} as not happened")
        }
        Departure::Resolved(step, Answer::Hold) => format!("kept {step} on hold"),
        Departure::RanAgain(step) => format!("ran {step} again"),
        Departure::Skipped(step) => format!("skipped {step}"),
        Departure::Attested(step) => format!("attested {step} after the fact"),
        Departure::Replaced(step) => format!("replaced {step}"),
        Departure::Assigned(step, to) => format!("assigned {step} to {}", to.name(plan)),
    }
}

/// Why a run is held.
#[must_use]
pub fn hold(cause: HoldCause, reason: Option<&str>) -> String {
    match (cause, reason) {
        (HoldCause::Terminal, _) => "paused at the coordinator's terminal".to_owned(),
        (HoldCause::ByHand, _) => "carried out by hand; only its log follows".to_owned(),
        (HoldCause::Recovered, _) => {
            "its log was rebuilt; what people said in the lost part has to be said again".to_owned()
        }
        (HoldCause::Person, Some(reason)) => reason.trim().to_owned(),
        (HoldCause::Person, None) => "no reason given".to_owned(),
    }
}

/// What stands for a step that is done, after "done": `verified`, `attested by Mike Brown (dba)`.
#[must_use]
pub fn proof(state: &RunState, index: usize) -> Option<String> {
    let by = || {
        let by = state.states()[index].by.as_ref();
        by.map_or_else(|| "a person".to_owned(), |by| by.name(&state.planned().plan))
    };
    Some(match state.proof(index)? {
        Proof::Verified => "verified".to_owned(),
        Proof::Confirmed => format!("confirmed by {}", by()),
        Proof::Attested => format!("attested by {}", by()),
        Proof::ReadOnly => "changes nothing".to_owned(),
        Proof::NotVerified => "not verified".to_owned(),
        Proof::NoCheck => "no check".to_owned(),
    })
}

/// How many steps stand how: `5 verified, 1 attested, 1 not verified, 1 skipped`.
#[must_use]
pub fn tally(tally: Tally) -> String {
    let parts = [
        (tally.verified, "verified"),
        (tally.attested, "attested"),
        (tally.read_only, "read only"),
        (tally.unverified, "not verified"),
        (tally.skipped, "skipped"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    match parts.is_empty() {
        true => "no step done".to_owned(),
        false => parts.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_for_people() {
        assert_eq!(thousands(1_234_567.0), "1,234,567");
        assert_eq!(thousands(12.0), "12");
        assert_eq!(percent(0.084), "8.4 %");
        assert_eq!(percent(0.5), "50 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(figure(12.5), "12.5");
        assert_eq!(figure(3.0), "3");
        assert_eq!(figure(f64::INFINITY), "infinite");
    }
}
