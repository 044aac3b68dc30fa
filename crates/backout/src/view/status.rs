//! Where a run stands.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use backout_core::decision::{is_there, required};
use backout_core::duration::Estimate;
use backout_core::event::{Evidence, Mode, Outcome};
use backout_core::ids::{ComponentId, TriggerId};
use backout_core::plan::Effect;
use backout_core::proof::Proof;
use backout_core::question::questions;
use backout_core::record::Actor;
use backout_core::schedule::Schedule;
use backout_core::silence::Silence;
use backout_core::state::{Deviation, RunState};
use backout_core::status::{Status, StepState};
use backout_core::watch::State;
use backout_forecast::outlook::Outlook;
use backout_sqlite::Holder;

use super::words::{between, clock, length, moment, one_line, sign, style, time_left, zone};
use super::{forecast, holders, questions as asked, release};
use backout_documents::saying;

/// A run in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    /// A coordinator is at work.
    Running,
    /// Only a person can go on.
    Waiting,
    /// Somebody stopped it for the moment.
    Held,
    /// There is work to do and nobody at work: `backout resume`.
    Interrupted,
    /// A coordinator holds it and shows no sign of life.
    Silent,
    /// Deployed, and the watch is over.
    Deployed,
    /// An option that keeps users out is done; another one goes on from there.
    Holding,
    /// Done, and a check or a person stands for every step.
    Reverted,
    /// Done, and neither a check nor a person stands for some steps.
    Unverified,
    /// Done in part.
    Partial,
    /// Given up.
    Abandoned,
}

impl Word {
    /// The word for a run, given who coordinates it.
    pub(crate) fn of(state: &RunState, coordinator: Option<&Holder>) -> Self {
        match &state.finished() {
            Some((
                Outcome::Deployed | Outcome::DeployedUnwatched | Outcome::DeployedWithFindings,
                _,
            )) => return Self::Deployed,
            Some((Outcome::Reverted, _)) => return Self::Reverted,
            Some((Outcome::Unverified, _)) => return Self::Unverified,
            Some((Outcome::Partial, _)) => return Self::Partial,
            Some((Outcome::Abandoned { .. }, _)) => return Self::Abandoned,
            None => {}
        }
        if state.held().is_some() {
            return Self::Held;
        }
        if state.holding().is_some() {
            return Self::Holding;
        }
        let asked = !questions(state).is_empty();
        let at_work = state.active().any(|i| match state.states()[i].status {
            Status::Running => !state.steps()[i].action.is_reported(),
            Status::Verifying => !state.states()[i].is_checked(),
            _ => false,
        });
        match (coordinator.map(holders::silence), asked && !at_work) {
            // An answer would not be noticed either.
            (Some(Silence::Silent), _) => Self::Silent,
            (_, true) => Self::Waiting,
            (Some(Silence::AtWork | Silence::Unknown), false) => Self::Running,
            (None, false) => Self::Interrupted,
        }
    }

    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting for a person",
            Self::Held => "held",
            Self::Interrupted => "interrupted: no coordinator is at work",
            Self::Silent => "silent: its coordinator shows no sign of life",
            Self::Deployed => "deployed",
            Self::Holding => "holding: users are kept out until another option goes on",
            Self::Reverted => "backed out",
            Self::Unverified => "backed out, NOT VERIFIED",
            Self::Partial => "backed out in part",
            Self::Abandoned => "abandoned",
        }
    }
}

/// A run's state as a script sees it. Fields are added, never changed.
#[derive(Debug, Serialize)]
pub(crate) struct StatusView<'a> {
    run: &'a str,
    change: &'a str,
    title: &'a str,
    mode: Mode,
    state: Word,
    outcome: Option<&'a Outcome>,
    option: Option<&'a str>,
    only: Vec<&'a str>,
    started: Timestamp,
    started_by: &'a Actor,
    finished: Option<Timestamp>,
    held: Option<HeldView>,
    coordinator: Option<&'a str>,
    /// How long the coordinator has shown no sign of life; null where that cannot be told.
    coordinator_silent_seconds: Option<u64>,
    plan_digest: String,
    log: LogView,
    done: usize,
    steps_total: usize,
    backout_by: Option<Timestamp>,
    planned_end: Option<Timestamp>,
    baselines_captured: Option<Timestamp>,
    steps: Vec<StepView<'a>>,
    questions: Vec<serde_json::Value>,
    deviations: Vec<serde_json::Value>,
    /// How many steps of machines are carried out at the same time.
    max_parallel: u32,
    /// How many steps stand how.
    tally: serde_json::Value,
    forecast: Option<serde_json::Value>,
    /// Of a deployment: its triggers and decisions.
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<serde_json::Value>,
}

#[derive(Debug, Serialize)]
struct HeldView {
    by: String,
    reason: String,
    since: Timestamp,
}

#[derive(Debug, Serialize)]
struct LogView {
    seq: u64,
    tail: String,
}

#[derive(Debug, Serialize)]
struct StepView<'a> {
    id: &'a str,
    title: Option<&'a str>,
    state: Status,
    selected: bool,
    owner: Option<&'a str>,
    doer: Option<String>,
    component: Option<&'a str>,
    action: &'static str,
    effect: Effect,
    attempts: u32,
    planned: Planned,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    took_seconds: Option<f64>,
    waits_for: Vec<&'a str>,
    /// Whether it could start, and as many steps are at work as there may be.
    waits_for_place: bool,
    note: Option<String>,
    attested: bool,
    /// What stands for it once it is done.
    proof: Option<&'static str>,
    evidence: &'a Evidence,
}

#[derive(Debug, Serialize)]
struct Planned {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    takes_seconds: Option<f64>,
}

/// The plain schedule of the steps of a run.
pub(crate) fn schedule(state: &RunState) -> Schedule {
    let (plan, places) = (&state.planned().plan, state.max_parallel());
    Schedule::with_places(plan, state.steps(), state.graph(), Estimate::likely, places)
}

fn planned_at(state: &RunState, offset: Duration) -> Option<Timestamp> {
    state.started().checked_add(offset).ok()
}

impl<'a> StatusView<'a> {
    pub(crate) fn new(
        state: &'a RunState,
        coordinator: Option<&'a Holder>,
        outlook: Option<&Result<Outlook, String>>,
    ) -> Self {
        let planned = &state.planned();
        let schedule = schedule(state);
        let step = |index: usize| {
            let (step, known) = (&state.steps()[index], &state.states()[index]);
            let slot = schedule.slots[index];
            let took =
                known.started.zip(known.over()).map(|(from, to)| between(from, to).as_secs_f64());
            StepView {
                id: step.id.as_str(),
                title: step.title.as_deref(),
                state: known.status,
                selected: state.selected()[index],
                owner: step.owner.as_ref().map(|owner| owner.as_str()),
                doer: state.doer(index),
                component: step.component.as_ref().map(|component| component.as_str()),
                action: step.action.kind(),
                effect: step.effect(),
                attempts: known.attempt,
                planned: Planned {
                    start: state.selected()[index].then(|| planned_at(state, slot.start)).flatten(),
                    end: state.selected()[index].then(|| planned_at(state, slot.end)).flatten(),
                    takes_seconds: step.takes.map(|takes| takes.likely().get().as_secs_f64()),
                },
                started: known.started,
                ended: known.over(),
                took_seconds: took,
                waits_for: match known.status {
                    Status::Pending => {
                        let waits = state.waits_for(index);
                        waits.iter().map(|&first| state.steps()[first].id.as_str()).collect()
                    }
                    _ => Vec::new(),
                },
                waits_for_place: state.waits_for_place(index),
                note: note(known),
                attested: known.attested,
                proof: state.proof(index).map(proof_word),
                evidence: &known.evidence,
            }
        };
        let (done, steps_total) = state.progress();
        Self {
            run: state.run().as_str(),
            change: planned.plan.change.name(),
            title: &planned.plan.change.title,
            mode: planned.mode,
            state: Word::of(state, coordinator),
            outcome: state.finished().as_ref().map(|(outcome, _)| outcome),
            option: state.option().as_ref().map(|option| option.as_str()),
            only: planned.only.iter().map(|component| component.as_str()).collect(),
            started: state.started(),
            started_by: state.started_by(),
            finished: state.finished().as_ref().map(|(_, at)| *at),
            held: state.held().as_ref().map(|held| HeldView {
                by: held.by.name(&planned.plan),
                reason: saying::hold(held.cause, held.reason.as_deref()),
                since: held.since,
            }),
            coordinator: coordinator.map(|holder| holder.id.as_str()),
            coordinator_silent_seconds: coordinator.and_then(holders::silent_seconds),
            plan_digest: planned.plan_digest.to_string(),
            log: LogView { seq: state.seq().0, tail: state.tail().to_string() },
            done,
            steps_total,
            backout_by: planned.window.backout_by,
            planned_end: planned_at(state, schedule.total),
            baselines_captured: planned.baselines.as_ref().map(|used| used.captured),
            steps: (0..state.steps().len()).map(step).collect(),
            questions: asked::json(state),
            deviations: state.deviations().iter().map(|known| deviation(state, known)).collect(),
            max_parallel: state.max_parallel(),
            tally: tally_json(state),
            forecast: outlook.map(|looked| match looked {
                Ok(outlook) => forecast::one_line_json(outlook),
                Err(why) => serde_json::json!({"unknown": why}),
            }),
            release: release::json(state),
        }
    }
}

/// Where a run stands, as lines for people. `rows` bounds the table of steps.
pub(crate) fn lines(
    state: &RunState,
    coordinator: Option<&Holder>,
    now: Timestamp,
    outlook: Option<&Result<Outlook, String>>,
    width: usize,
    rows: usize,
) -> Vec<String> {
    let plan = &state.planned().plan;
    let zone = zone(plan);
    let word = Word::of(state, coordinator);
    let (done, all) = state.progress();
    let schedule = schedule(state);
    let until = state.finished().as_ref().map_or(now, |(_, at)| *at);
    let mut lines = Vec::new();
    let bold = anstyle::Style::new().bold();
    lines.push(format!("{bold}{}{bold:#}  {} — {}", state.run(), plan.change.title, word.shown()));
    let mut facts = vec![format!("{done} of {all} steps")];
    facts.push(format!(
        "{} elapsed, {} planned",
        length(between(state.started(), until)),
        length(schedule.total)
    ));
    if let Some(by) = state.planned().window.backout_by {
        match state.finished() {
            None => facts.push(format!("back by {}, {}", clock(by, &zone), time_left(by, now))),
            Some((_, at)) if *at > by => {
                facts.push(format!("finished {} too late", length(between(by, *at))));
            }
            Some(_) => facts.push("finished in time".to_owned()),
        }
    }
    if let Some(option) = &state.option() {
        facts.push(format!("option {option}"));
    }
    lines.push(facts.join(" · "));
    match outlook {
        Some(Ok(outlook)) => lines.push(forecast::one_line(outlook, state, &zone)),
        Some(Err(why)) => lines.push(format!("forecast: unknown, {why}")),
        None => {}
    }
    if let Some(holder) = coordinator.filter(|_| state.finished().is_none()) {
        lines.extend(holders::lines(holder, state.run().as_str()));
    }
    if let Some(held) = &state.held() {
        let reason = saying::hold(held.cause, held.reason.as_deref());
        lines.push(format!("held by {}: {reason}", held.by.name(plan)));
    }
    lines.push(String::new());
    lines.extend(step_lines(state, &schedule, now, width, rows));
    lines.extend(release::lines(state, now));
    if let Some(back) = state.if_backed_out(now) {
        lines.push(String::new());
        lines.extend(release::way_back(&back));
    }
    lines
}

/// How a run ends for people: questions, deviations, what proves it.
pub(crate) fn footer(state: &RunState) -> Vec<String> {
    let mut lines = Vec::new();
    let zone = zone(&state.planned().plan);
    let asked = asked::lines(state);
    if !asked.is_empty() {
        lines.push(String::new());
        lines.push("Waiting for:".to_owned());
        lines.extend(asked);
    }
    if state.finished().is_some() {
        lines.push(String::new());
        lines.push(format!("Steps: {}", saying::tally(state.tally())));
        let (unchecked, open): (Vec<usize>, Vec<usize>) =
            state.unverified().partition(|&index| state.proof(index) == Some(Proof::NoCheck));
        let ids = |found: &[usize]| -> String {
            let ids: Vec<&str> =
                found.iter().map(|&index| state.steps()[index].id.as_str()).collect();
            ids.join(", ")
        };
        if !unchecked.is_empty() {
            lines.push(format!("NOT VERIFIED, done without a check: {}", ids(&unchecked)));
        }
        if !open.is_empty() {
            let open = ids(&open);
            lines.push(format!("NOT VERIFIED, done, but a check is not known to hold: {open}"));
        }
        let half: Vec<usize> = state.left_half_done().collect();
        if !half.is_empty() {
            lines.push(format!("LEFT HALF DONE, it ran and was not finished: {}", ids(&half)));
        }
        let only = &state.planned().only;
        if !only.is_empty() {
            let only: Vec<&str> = only.iter().map(ComponentId::as_str).collect();
            lines.push(format!("Only these components were backed out: {}", only.join(", ")));
        }
        let confirmed = state.planned().confirmed.iter();
        lines.extend(confirmed.map(|concern| format!("NOTE: {}", saying::begun_although(concern))));
        let unhealthy = unhealthy(state);
        if !unhealthy.is_empty() {
            lines.push(format!("Not healthy: {}", unhealthy.join(", ")));
        }
    }
    if !state.deviations().is_empty() {
        lines.push(String::new());
        lines.push("Departures from the plan:".to_owned());
        for deviation in state.deviations() {
            let at = clock(deviation.at, &zone);
            let plan = &state.planned().plan;
            let text = format!(
                "{} — {}: {}",
                saying::departure(plan, &deviation.what),
                deviation.by.name(plan),
                deviation.reason
            );
            lines.push(format!("  {at}  {}", one_line(&text, 200)));
        }
    }
    lines.push(String::new());
    let started = moment(state.started(), &zone);
    let begun = if state.release().deploys { "deployment started" } else { "invoked" };
    lines.push(format!("{begun} {started} by {}", state.started_by().name(&state.planned().plan)));
    if let Some(used) = &state.planned().baselines {
        let age = length(between(used.captured, state.started()));
        lines.push(format!("baselines captured {age} before"));
    }
    lines.push(format!(
        "plan {} · log {} records, {}",
        state.planned().plan_digest.short(),
        state.seq(),
        state.tail().short()
    ));
    lines
}

/// The triggers that were not seen healthy in a finished run, each with where it stood.
fn unhealthy(state: &RunState) -> Vec<String> {
    let seen = |id: &TriggerId| state.release().triggers.get(id);
    let never =
        required(state).filter(|id| seen(id).is_none()).map(|id| format!("{id} (never seen)"));
    let stood = state.release().triggers.iter();
    let stood = stood.filter(|(id, seen)| seen.state != State::Ok && is_there(state, id));
    let stood = stood.map(|(id, seen)| format!("{id} ({})", seen.state.shown()));
    if state.release().deploys { stood.chain(never).collect() } else { Vec::new() }
}

fn step_lines(
    state: &RunState,
    schedule: &Schedule,
    now: Timestamp,
    width: usize,
    rows: usize,
) -> Vec<String> {
    let shown: Vec<usize> = (0..state.steps().len())
        .filter(|&i| state.selected()[i] || state.states()[i].status != Status::Pending)
        .collect();
    let window = focus(state, &shown, rows);
    let mut cells = Vec::new();
    for &index in &shown[window.clone()] {
        let (step, known) = (&state.steps()[index], &state.states()[index]);
        let takes = schedule.slots[index].end.saturating_sub(schedule.slots[index].start);
        let time = match (known.started, known.over()) {
            (Some(from), Some(to)) => length(between(from, to)),
            (Some(from), None) => length(between(from, now)),
            _ => String::new(),
        };
        let planned = if takes.is_zero() { String::new() } else { format!("/ {}", length(takes)) };
        let tries =
            if known.attempt > 1 { format!("attempt {}", known.attempt) } else { String::new() };
        let note = match known.status {
            Status::Failed | Status::InDoubt | Status::Held | Status::Skipped => {
                note(known).unwrap_or_default()
            }
            Status::Succeeded => {
                let proof = saying::proof(state, index).unwrap_or_default();
                match known.evidence.summary.trim() {
                    "" => proof,
                    summary => format!("{proof}, {summary}"),
                }
            }
            Status::Pending if state.waits_for_place(index) => {
                format!("waits for a free place ({} at a time)", state.max_parallel())
            }
            Status::Pending => waits_for(state, index),
            _ => String::new(),
        };
        let left = match known.status.is_settled() || known.status == Status::Failed {
            true => saying::left_running(&known.evidence).unwrap_or_default(),
            false => String::new(),
        };
        let note = [tries, note, left]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(", ");
        let title = step.title.as_deref().map(|title| one_line(title, 26)).unwrap_or_default();
        cells.push((
            known.status,
            vec![
                known.status.shown().to_owned(),
                one_line(step.id.as_str(), 20),
                title,
                one_line(&state.doer(index).unwrap_or_default(), 16),
                format!("{time:>7} {planned}"),
                note,
            ],
        ));
    }
    let table =
        super::table::columns(&cells.iter().map(|(_, row)| row.clone()).collect::<Vec<_>>());
    let mut lines = Vec::new();
    if window.start > 0 {
        lines.push(format!("  … {} steps before", window.start));
    }
    for ((status, _), row) in cells.iter().zip(table) {
        let style = style(*status);
        let row = one_line_keeping_spaces(&row, width.saturating_sub(3));
        lines.push(format!("{style}{} {row}{style:#}", sign(*status)));
    }
    if window.end < shown.len() {
        lines.push(format!("  … {} steps more", shown.len() - window.end));
    }
    lines
}

fn one_line_keeping_spaces(text: &str, most: usize) -> String {
    match text.chars().count() <= most {
        true => text.to_owned(),
        false => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// The part of the steps to show: around what is going on.
fn focus(state: &RunState, shown: &[usize], rows: usize) -> std::ops::Range<usize> {
    if shown.len() <= rows {
        return 0..shown.len();
    }
    let now = shown.iter().position(|&i| !state.states()[i].status.is_settled()).unwrap_or(0);
    let start = now.saturating_sub(rows / 3).min(shown.len() - rows);
    start..start + rows
}

fn waits_for(state: &RunState, index: usize) -> String {
    let waits = state.waits_for(index);
    let waits: Vec<&str> = waits.iter().map(|&first| state.steps()[first].id.as_str()).collect();
    match waits.len() {
        0 => String::new(),
        1..=3 => format!("after {}", waits.join(", ")),
        more => format!("after {} and {} more", waits[..2].join(", "), more - 2),
    }
}

/// What was last said about a step: a fault, a doubt, a person's words.
fn note(known: &StepState) -> Option<String> {
    match (known.status, &known.fault, known.doubt) {
        (Status::Failed, Some(fault), _) => Some(saying::fault(fault)),
        (Status::InDoubt, _, Some(cause)) => {
            let doubt = match known.evidence.summary.trim() {
                "" => saying::doubt(cause),
                summary => summary,
            };
            let left = saying::left_running(&known.evidence);
            // First: a narrow screen cuts the end.
            let left = left.map(|left| format!("{left}; ")).unwrap_or_default();
            Some(format!("{left}{doubt}"))
        }
        _ => known.note.clone(),
    }
}

fn deviation(state: &RunState, known: &Deviation) -> serde_json::Value {
    let plan = &state.planned().plan;
    serde_json::json!({
        "what": saying::departure(plan, &known.what),
        "by": known.by.name(plan),
        "reason": known.reason,
        "at": known.at,
    })
}

/// How many steps stand how, for scripts.
pub(crate) fn tally_json(state: &RunState) -> serde_json::Value {
    let tally = state.tally();
    serde_json::json!({
        "verified": tally.verified,
        "attested": tally.attested,
        "read_only": tally.read_only,
        "unverified": tally.unverified,
        "skipped": tally.skipped,
    })
}

fn proof_word(proof: Proof) -> &'static str {
    match proof {
        Proof::Verified => "verified",
        Proof::Confirmed => "confirmed",
        Proof::Attested => "attested",
        Proof::ReadOnly => "read_only",
        Proof::NotVerified => "not_verified",
        Proof::NoCheck => "no_check",
    }
}
