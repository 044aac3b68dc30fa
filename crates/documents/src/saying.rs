//! What plans and logs say, in words for people: one wording for every document.

mod reasons;

use std::time::Duration;

use backout_core::act::Answer;
use backout_core::choice::Choice;
use backout_core::duration::{Estimate, Span};
use backout_core::event::{
    Attested, Direction, Event, Evidence, FailureEffect, Outcome, Reason, ResolvedBy,
};
use backout_core::location::Relocation;
use backout_core::people::PersonId;
use backout_core::plan::{
    Action, DataPolicy, DecisionAction, DecisionRule, Effect, Many, Moment, Permission, Plan,
    Severity, Stdin, Step, Text, Trigger, Unanswered, Watch,
};
use backout_core::record::Actor;
use backout_core::watch::Verdict;
use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use reasons::{
    begun_although, broken_rules, causes, concern, denial, departure, doubt, fault, figure, guard,
    hold, plan_reason, proof, reading, reading_with_limit, reason, relocation, roles, tally,
};

/// A length of time: `45 s`, `30 min`, `1 h 42 min`, `2 d`.
#[must_use]
pub fn length(length: Duration) -> String {
    let millis = length.as_millis();
    if millis == 0 {
        return "0 min".to_owned();
    }
    if millis < 1000 || !millis.is_multiple_of(1000) && millis < 60_000 {
        return format!("{} s", millis as f64 / 1000.0);
    }
    let seconds = (millis / 1000) as u64;
    let mut parts = Vec::new();
    for (unit, size) in [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)] {
        let count = match unit {
            "d" => seconds / 86_400,
            "h" => seconds % 86_400 / 3600,
            "min" => seconds % 3600 / 60,
            _ => seconds % 60,
        };
        let _ = size;
        if count > 0 {
            parts.push(format!("{count} {unit}"));
        }
    }
    parts.join(" ")
}

/// The same for a duration of a plan.
#[must_use]
pub fn span(span: Span) -> String {
    length(span.get())
}

/// An estimate: `30 min`, `30 min (20 min to 50 min)`.
#[must_use]
pub fn estimate(estimate: Estimate) -> String {
    match estimate {
        Estimate::Point(only) => span(only),
        Estimate::Range { low, likely, high } => {
            format!("{} ({} to {})", span(likely), span(low), span(high))
        }
    }
}

/// `Critical`.
#[must_use]
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "Critical",
        Severity::Major => "Major",
        Severity::Minor => "Minor",
        Severity::Discretionary => "Discretionary",
    }
}

/// What happens at a severity.
#[must_use]
pub fn decision(action: DecisionAction) -> &'static str {
    match action {
        DecisionAction::BackOut => "Back out at once",
        DecisionAction::BackOutUnlessFixable => "Back out if not fixable in the window",
        DecisionAction::Ask => "Ask the decision maker",
        DecisionAction::Log => "Log it and go on",
    }
}

/// What happens at a severity, with everything the plan says beside it.
#[must_use]
pub fn rule(rule: &DecisionRule) -> String {
    let mut said = decision(rule.action).to_owned();
    let roles = |roles: &Many<backout_core::ids::RoleId>| {
        roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ")
    };
    if rule.automatic {
        said.push_str("; the plan does it by itself, without asking");
    }
    if rule.quorum > 1 {
        said.push_str(&format!("; it takes {} people", rule.quorum));
    }
    if let Some(window) = rule.fix_window {
        said.push_str(&format!("; a fix may be tried for {}", span(window)));
    }
    if !rule.escalate.is_empty() {
        said.push_str(&format!("; without an answer {} too", roles(&rule.escalate)));
    }
    match rule.if_unanswered {
        Some(Unanswered::BackOut) => said.push_str("; when the time is up: back out"),
        None => {}
    }
    said
}

/// A trigger, and from which stage on it is watched if not all the time.
#[must_use]
pub(crate) fn watched_from(named: String, trigger: &Trigger) -> String {
    match &trigger.from {
        Some(stage) => format!("{named} (from {stage} on)"),
        None => named,
    }
}

/// How the release is watched.
#[must_use]
pub fn watch(watch: &Watch) -> String {
    let mut parts = Vec::new();
    if let Some(window) = watch.window {
        parts.push(format!("The release is watched for {} after its last stage.", span(window)));
    }
    if let Some(grace) = watch.grace {
        parts.push(format!("Data may be missing for {} at first.", span(grace)));
    }
    if let Some(share) = watch.false_alarms {
        parts.push(format!("A false alarm in the whole watch is accepted with {share}."));
    }
    if let Some(before) = watch.baseline {
        parts.push(format!("What is usual is measured on {} before it.", span(before)));
    }
    parts.join(" ")
}

/// What a role may do.
#[must_use]
pub fn permission(permission: Permission) -> &'static str {
    match permission {
        Permission::Invoke => "Start the backout",
        Permission::Deploy => "Start the deployment",
        Permission::Approve => "Agree to a stage",
        Permission::Decide => "Decide how a deployment goes on",
        Permission::SwitchOption => "Switch to another option",
        Permission::Retry => "Run a step again",
        Permission::Skip => "Leave a step out",
        Permission::Add => "Put a step in",
        Permission::Replace => "Change a step",
        Permission::Resolve => "Settle a step in doubt",
        Permission::Assign => "Assign a step to another person",
        Permission::Hold => "Hold the run, and let it go on",
        Permission::Abandon => "Give the run up",
    }
}

/// When a message is due.
#[must_use]
pub fn moment(moment: Moment) -> &'static str {
    match moment {
        Moment::Planned => "Before the deployment",
        Moment::Invoked => "When the backout is invoked",
        Moment::Done => "When the backout is done",
        Moment::Failed => "If the backout failed",
    }
}

/// What happens to data written since the deployment.
#[must_use]
pub fn data(policy: &DataPolicy) -> String {
    match policy {
        DataPolicy::Keep(why) => format!("Stays: {why}"),
        DataPolicy::AcceptLoss(why) => format!("Is lost: {why}"),
        DataPolicy::Reconcile(how) => format!("Is brought over: {how}"),
        DataPolicy::ReverseMigrate(which) => format!("Is migrated back: {which}"),
    }
}

/// What a step does, line by line. Secrets are shown by reference.
#[must_use]
pub fn action(step: &Step) -> Vec<String> {
    match &step.action {
        Action::Manual(text) => text.trim_end().lines().map(str::to_owned).collect(),
        Action::Run(run) => {
            let mut lines: Vec<String> = run.command_line().lines().map(str::to_owned).collect();
            if let Some(cwd) = &run.cwd {
                lines.push(format!("# in {cwd}"));
            }
            for (name, value) in &run.env {
                lines.push(format!("# with {name}={}", shown(value)));
            }
            match &run.stdin {
                Some(Stdin::Text(text)) => {
                    lines.extend(shown(text).lines().map(|line| format!("< {line}")));
                }
                Some(Stdin::File(path)) => lines.push(format!("< {path}")),
                None => {}
            }
            lines
        }
        Action::Http(http) => {
            let source =
                http.source.as_ref().map(|source| format!("{source}:")).unwrap_or_default();
            let mut lines = vec![format!("{} {source}{}", http.method.as_str(), http.url)];
            lines.extend(
                http.headers.iter().map(|(name, value)| format!("{name}: {}", shown(value))),
            );
            if let Some(body) = &http.body {
                lines.extend(shown(body).lines().map(str::to_owned));
            }
            lines
        }
        Action::Sql(sql) => {
            let mut lines = vec![format!("-- on {}, in one transaction", sql.source)];
            lines.extend(sql.execute.trim().lines().map(str::to_owned));
            lines
        }
        Action::RestoreTree(tree) => {
            let extra =
                if tree.keep_extra { "" } else { ", and remove what the backup does not have" };
            vec![format!("make {} equal to {}{extra}", tree.to, tree.from)]
        }
        Action::Copy(copy) => vec![format!("copy {} to {}", copy.from, copy.to)],
        Action::Wait(wait) => {
            vec![format!("wait until it is verified, up to {}", span(wait.up_to))]
        }
        Action::External(what) => vec![what.clone()],
    }
}

/// A value for people. References name a secret and are safe to show.
#[must_use]
pub fn shown(value: &Text) -> String {
    match value {
        Text::Plain(text) => text.clone(),
        Text::Secret(secret) => format!("*** ({secret})"),
    }
}

/// Who or what does a step, and what happens to it after a crash.
#[must_use]
pub fn after_a_crash(step: &Step) -> &'static str {
    match (&step.action, step.effect()) {
        (Action::Manual(_), _) => "it stays with its owner",
        (Action::External(_), _) => "it stays with the other system",
        (_, Effect::Read | Effect::Idempotent) => "it is run again",
        (_, Effect::Keyed) => "it is run again with the same key",
        (_, Effect::Verifiable) => "its verification says whether it happened",
        (_, Effect::Opaque) => "a person is asked whether it happened",
    }
}

/// The processes that a step left running; nothing where it left none.
#[must_use]
pub fn left_running(evidence: &Evidence) -> Option<String> {
    let left = evidence.left_running.iter();
    let names: Vec<String> = left.map(|it| format!("{} (process {})", it.name, it.pid)).collect();
    (!names.is_empty()).then(|| format!("left running: {}", names.join(", ")))
}

/// The same, behind something else.
fn and_left_running(evidence: &Evidence) -> String {
    left_running(evidence).map(|left| format!("; {left}")).unwrap_or_default()
}

fn seen(evidence: &Evidence) -> String {
    let mut parts = Vec::new();
    if !evidence.summary.is_empty() {
        parts.push(evidence.summary.clone());
    }
    parts.extend(left_running(evidence));
    parts.extend(evidence.verified.iter().map(|v| format!("{}: {}", v.check, v.found)));
    match parts.is_empty() {
        true => String::new(),
        false => format!(" — {}", parts.join("; ")),
    }
}

/// `6 Jun 2026 02:14:00 BST`.
fn deadline(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%-d %b %Y %H:%M:%S %Z").to_string()
}

/// What an event says, with its times on this clock; `None` for what people need not read.
/// `plan` is the run's plan, for the names of people; `actor` the one who wrote it.
#[must_use]
pub fn event(
    event: &Event,
    actor: Option<&Actor>,
    plan: Option<&Plan>,
    zone: &TimeZone,
) -> Option<String> {
    let by = &match (actor, plan) {
        (Some(actor), Some(plan)) => actor.name(plan),
        (Some(actor), None) => actor.person().map_or_else(String::new, ToString::to_string),
        (None, _) => String::new(),
    };
    let name = |person: &PersonId| match plan {
        Some(plan) => person.name(plan),
        None => person.to_string(),
    };
    let with = |agreed: &[PersonId]| match agreed.is_empty() {
        true => String::new(),
        false => format!(" with {}", agreed.iter().map(name).collect::<Vec<_>>().join(", ")),
    };
    Some(match event {
        Event::RunPlanned(planned) => {
            let option =
                planned.option.as_ref().map(|o| format!(", option {o}")).unwrap_or_default();
            let reason = planned.reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
            let although = planned.confirmed.iter().map(begun_although);
            let beside = planned.beside.iter().map(|run| format!("beside {run}"));
            let terms: String = although.chain(beside).map(|term| format!("; {term}")).collect();
            match planned.direction {
                Direction::Forward => format!("deployment started by {by}{reason}{terms}"),
                Direction::Back => format!("invoked by {by}{option}{reason}{terms}"),
            }
        }
        Event::BaselinesCaptured { facts, .. } => {
            format!("{} baselines captured by {by}", facts.len())
        }
        Event::OwnerAcquired { epoch, coordinator, .. } => match epoch.0 {
            1 => return None,
            _ => format!("{coordinator} took over (term {epoch})"),
        },
        Event::Relocated { change, reason, .. } => {
            let what = match change {
                Relocation::Machine => "on another machine",
                Relocation::Folder => "in another folder, a copy or moved",
                Relocation::Both => "on another machine and in another folder",
            };
            let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("goes on {what}, as {by} said{reason}")
        }
        Event::ClockChanged { by: None } => "the machine was started anew, or it is another one: what is counted goes on by the clock on the wall".to_owned(),
        Event::ClockChanged { by: Some(by) } => {
            let way = if by.is_negative() { "back" } else { "forward" };
            let far = length(by.unsigned_abs());
            format!("the clock of this machine was set {way} by {far}: what is counted goes on as if it had not been")
        }
        Event::TakenOver { from, silent_for, reason, .. } => {
            let silent = match silent_for {
                Some(silent_for) => format!("silent for {silent_for}"),
                None => "silent for an unknown time".to_owned(),
            };
            format!("taken over from {from} ({silent}) by {by}: {reason}")
        }
        Event::StartAgreed { agreed } => format!("start agreed by {by}{}", with(agreed)),
        Event::RunHeld { cause, reason } => {
            format!("held by {by}: {}", hold(*cause, reason.as_deref()))
        }
        Event::RunResumed { reason } => match reason {
            Some(reason) => format!("resumed by {by}: {reason}"),
            None => format!("resumed by {by}"),
        },
        Event::HoldingReached { option } => {
            format!("holding: option {option} is done and keeps users out; another option goes on")
        }
        Event::OptionSwitched { option, reason } => {
            format!("switched to option {option} by {by}: {reason}")
        }
        Event::OrderFrozen { .. } => "order of work recomputed".to_owned(),
        Event::LogRecovered { after, known, reason, unplaced, .. } => {
            let lost = known.filter(|known| known > after);
            let lost =
                lost.map(|known| format!(" (it went to record {known})")).unwrap_or_default();
            let unplaced: String = unplaced
                .iter()
                .map(|lost| format!("; attempt {} at {} is not in it", lost.attempt, lost.step))
                .collect();
            format!("log rebuilt by {by} after record {after}{lost}{unplaced}: {reason}")
        }
        Event::StepRecovered { attempt, fits: true, .. } => {
            format!("attempt {attempt} was lost from the log and is in the ledger")
        }
        Event::StepRecovered { attempt, .. } => {
            format!("? attempt {attempt} is in the ledger and does not fit this log: in doubt")
        }
        Event::StepInherited { run, attempt, end, .. } => {
            format!("? in doubt: attempt {attempt} in {run}, {}", end.shown())
        }
        Event::RunFinished { outcome } => match outcome {
            Outcome::Deployed => "finished: deployed, watched, healthy".to_owned(),
            Outcome::DeployedUnwatched => "finished: deployed; no trigger watched it".to_owned(),
            Outcome::DeployedWithFindings => "finished: deployed, with findings".to_owned(),
            Outcome::Reverted => "finished: backed out".to_owned(),
            Outcome::Unverified => {
                "finished: every step is done, NOT VERIFIED: some have no check".to_owned()
            }
            Outcome::Partial => "finished in part: not everything is as it was".to_owned(),
            Outcome::Abandoned { reason } => format!("abandoned by {by}: {reason}"),
        },
        Event::StepIntent { attempt: 1, .. } => "started".to_owned(),
        Event::StepIntent { attempt, .. } => format!("started again (attempt {attempt})"),
        Event::StepExecuted { evidence, .. } => match actor {
            Some(Actor::Person { .. }) => format!("done, attested by {by}{}", seen(evidence)),
            // A report is no attestation: another system stands for nothing.
            Some(Actor::System { .. }) => format!("done, reported by {by}{}", seen(evidence)),
            Some(Actor::Coordinator { .. }) | None => {
                format!("done, verifying{}", seen(evidence))
            }
        },
        Event::StepVerified { evidence, .. } => {
            format!("verified, to be confirmed{}", seen(evidence))
        }
        Event::StepConfirmed { note, .. } => {
            let note = note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
            format!("confirmed by {by}{note}")
        }
        Event::StepSucceeded { evidence, .. } => {
            let held = evidence.verified.iter().filter(|seen| seen.holds == Some(true)).count();
            let verified = held > 0 && held == evidence.verified.len();
            format!("✓ done{}{}", if verified { ", verified" } else { "" }, seen(evidence))
        }
        Event::StepFailed { effect, fault: what, evidence, .. } => {
            let effect = match effect {
                FailureEffect::None => "nothing happened",
                FailureEffect::Partial => "a part of it happened",
                FailureEffect::Full => "it was carried out",
                FailureEffect::Unknown => "how much of it happened is unknown",
            };
            format!("✗ failed ({effect}): {}{}", fault(what), and_left_running(evidence))
        }
        Event::StepInDoubt { cause, evidence, .. } => match evidence.summary.trim() {
            "" => format!("! in doubt: {}{}", doubt(*cause), and_left_running(evidence)),
            summary => format!("! in doubt: {summary}{}", and_left_running(evidence)),
        },
        Event::StepCheckRequested { reason, .. } => {
            format!("to be checked again, asked by {by}: {reason}")
        }
        Event::StepProbed { finding, denied: true, early: true, .. } => {
            format!("! its verification does not hold yet: {}", finding.trim())
        }
        Event::StepProbed { finding, denied: true, .. } => {
            format!("! its verification does not hold: {}", finding.trim())
        }
        Event::StepProbed { finding, .. } => {
            format!("! its verification cannot tell: {}", finding.trim())
        }
        Event::StepResolved { answer, by: source, reason, .. } => {
            let who = match source {
                ResolvedBy::Ledger => "the ledger",
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
            match reason {
                Some(reason) => format!("resolved by {who}: {answer} ({})", reason.trim()),
                None => format!("resolved by {who}: {answer}"),
            }
        }
        Event::StepStopRequested { reason, .. } => format!("stop requested by {by}: {reason}"),
        Event::StepRetried { reason, .. } => format!("retry requested by {by}: {reason}"),
        Event::StepSkipped { reason, confirmed, .. } => {
            let although: String =
                confirmed.iter().map(|concern| format!(", {}", begun_although(concern))).collect();
            format!("- skipped by {by}{although}: {reason}")
        }
        Event::StepAttested { result, name, reason, evidence, .. } => {
            let result = match result {
                Attested::Done => "✓ done by hand",
                Attested::Failed => "✗ failed by hand",
            };
            let name = name.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
            format!("{result}{name}, attested afterwards by {by}: {reason}{}", seen(evidence))
        }
        Event::StageApproved { stage, digest, reason } => {
            let what = digest.as_ref().map(|digest| format!(" ({digest})")).unwrap_or_default();
            format!("stage {stage}{what} approved by {by}: {reason}")
        }
        Event::StageBaked { verdict: Verdict::Unwatched, .. } => {
            "bake ended: no trigger watches it".to_owned()
        }
        Event::StageBaked { verdict, .. } => format!("bake ended: {}", verdict.shown()),
        Event::TriggerChanged { trigger, from, to, before, reading, .. } => {
            let before = if *before { ", before the deployment" } else { "" };
            format!(
                "{trigger}: {} → {}, {}{before}",
                from.shown(),
                to.shown(),
                reading_with_limit(reading)
            )
        }
        Event::SourceOutageStarted { source, error } => {
            format!("! source {source} cannot be read: {error}")
        }
        Event::SourceOutageEnded { source } => format!("source {source} can be read again"),
        Event::WatchGap { from, to } => {
            let gap = length(to.duration_since(*from).unsigned_abs());
            format!("! not watched for {gap}; times under watch are extended by that")
        }
        Event::WatchEnded { verdict: Verdict::Unwatched } => {
            "every stage is done; no trigger watches the release".to_owned()
        }
        Event::WatchEnded { verdict } => format!("watch ended: {}", verdict.shown()),
        Event::DecisionRequested(asked) => {
            let who: Vec<&str> = asked.asked.iter().map(|role| role.as_str()).collect();
            match who.is_empty() {
                true => format!("! decision {}: {}", asked.number, causes(&asked.causes)),
                false => format!(
                    "! decision {} requested of {}: {}",
                    asked.number,
                    who.join(", "),
                    causes(&asked.causes)
                ),
            }
        }
        Event::DecisionEscalated { number, to, .. } if to.is_empty() => {
            format!("! decision {number} is still open; every role the plan names was asked")
        }
        Event::DecisionEscalated { number, to, .. } => {
            let who: Vec<&str> = to.iter().map(|role| role.as_str()).collect();
            format!("! decision {number} escalated to {}", who.join(", "))
        }
        Event::DecisionMade { choice, reason: why, agreed, confirmed, .. } => {
            let by = match why {
                Reason::Plan(_) => "the plan".to_owned(),
                Reason::Person(_) => format!("{by}{}", with(agreed)),
            };
            let asked: Vec<String> = confirmed.iter().map(|asked| concern(asked, zone)).collect();
            let asked = match asked.is_empty() {
                true => String::new(),
                false => format!(" (confirmed: {})", asked.join("; ")),
            };
            let until = match choice {
                Choice::FixForward { until } => format!(" until {}", deadline(*until, zone)),
                Choice::BackOut { option: Some(option) } => format!(" ({option})"),
                _ => String::new(),
            };
            format!("decided by {by}: {}{until}: {}{asked}", choice.shown(), reason(why))
        }
        Event::BackoutStarted { option, .. } => match option {
            Some(option) => format!("backout started: option {option}"),
            None => "backout started".to_owned(),
        },
        Event::DefectLogged { title, id, severity: bad, trigger } => {
            let id = id.as_ref().map(|id| format!("{id}, ")).unwrap_or_default();
            let bad = bad.map(|bad| severity(bad).to_lowercase());
            let shown = trigger.as_ref().map(|trigger| format!("shown by {trigger}"));
            let more: Vec<String> = bad.into_iter().chain(shown).collect();
            let more = match more.is_empty() {
                true => String::new(),
                false => format!(" ({})", more.join(", ")),
            };
            format!("defect logged by {by}: {id}{title}{more}")
        }
        Event::StepAdded { reason, .. } => format!("added by {by}: {reason}"),
        Event::StepReplaced { reason, .. } => format!("replaced by {by}: {reason}"),
        Event::StepAssigned { to, reason, .. } => {
            format!("assigned to {} by {by}: {reason}", name(to))
        }
        Event::CommandProposed { act, reason } => match reason {
            Some(reason) => format!("{by} asks to {}: {reason}", act.shown()),
            None => format!("{by} asks to {}", act.shown()),
        },
        Event::CommandRefused { act, denial: why } => {
            format!("{by} may not {}: {}", act.shown(), denial(plan, why))
        }
    })
}
