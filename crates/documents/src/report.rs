//! A run as a document: what happened, against what was planned. Everything in it
//! is computed from the log; what the log cannot say is left as a question.

mod tables;

use std::time::Duration;

use backout_core::event::{Event, Mode, Outcome};
use backout_core::record::Record;
use backout_core::state::RunState;
use backout_core::status::{Status, StepState};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::board::ANNEX;
use crate::make::{Make, maybe, plain};
use crate::saying;
use crate::tree::{Cell, Document, Inline, Tone};

pub use tables::filled;
use tables::{baselines, commands, review, steps};

/// What the title of every report begins with.
pub const TITLE: &str = "Backout report";

/// What a report is made from.
pub struct Log<'a> {
    /// What is true of the run after its last record.
    pub state: &'a RunState,
    /// Its records, from the first.
    pub records: &'a [Record],
}

/// A part of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// How it ended, when, in how long.
    Summary,
    /// Everything that happened, in order.
    Timeline,
    /// Each step's plan and what became of it.
    Steps,
    /// Every command, request and statement that was carried out.
    Commands,
    /// What was decided, by whom; what was asked for and refused.
    Decisions,
    /// Departures from the plan.
    Deviations,
    /// What was compared with before.
    Baselines,
    /// The review's questions.
    Review,
    /// The plan file as it was frozen.
    File,
}

impl Section {
    /// Every section, in the order of the document.
    pub const ALL: [Self; 9] = [
        Self::Summary,
        Self::Timeline,
        Self::Steps,
        Self::Commands,
        Self::Decisions,
        Self::Deviations,
        Self::Baselines,
        Self::Review,
        Self::File,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Timeline => "timeline",
            Self::Steps => "steps",
            Self::Commands => "commands",
            Self::Decisions => "decisions",
            Self::Deviations => "deviations",
            Self::Baselines => "baselines",
            Self::Review => "review",
            Self::File => "file",
        }
    }
}

/// The report of a run.
#[must_use]
pub fn report(log: &Log<'_>, sections: &[Section]) -> Document {
    let state = log.state;
    let plan = &state.planned.plan;
    let mut make = Make::default();
    make.quiet(subtitle(state));
    for section in Section::ALL.into_iter().filter(|section| sections.contains(section)) {
        match section {
            Section::Summary => summary(log, &mut make),
            Section::Timeline => timeline(log, &mut make),
            Section::Steps => steps(log, &mut make),
            Section::Commands => commands(log, &mut make),
            Section::Decisions => decisions(log, &mut make),
            Section::Deviations => deviations(log, &mut make),
            Section::Baselines => baselines(log, &mut make),
            Section::Review => review(log, &mut make),
            Section::File => {
                make.page();
                make.heading(2, ANNEX);
                make.paragraph(vec![
                    Inline::plain("As it was frozen when the run began. Its digest: "),
                    Inline::code(state.planned.plan_digest.to_string()),
                ]);
                make.code(Some("yaml"), &state.planned.source);
            }
        }
    }
    Document {
        title: Some(format!("{TITLE}: {}", plan.change.title)),
        facts: Vec::new(),
        blocks: make.blocks,
    }
}

/// What stands at the foot of each page.
#[must_use]
pub fn footing(state: &RunState) -> String {
    let short: String =
        state.tail.to_string().trim_start_matches("sha256:").chars().take(12).collect();
    format!("{} · log {} records, {short}", subtitle(state), state.seq)
}

fn subtitle(state: &RunState) -> String {
    let mode = match state.planned.mode {
        Mode::Live => "",
        Mode::Demo => " · a demonstration, not a real system",
    };
    let change =
        state.planned.plan.change.id.as_ref().map(|id| format!(" · {id}")).unwrap_or_default();
    format!("Run {}{change}{mode}", state.run)
}

fn zone(state: &RunState) -> TimeZone {
    let named = state.planned.plan.window.as_ref().and_then(backout_plan::times::zone_of);
    named.unwrap_or(TimeZone::UTC)
}

fn clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %-d %b %Y %H:%M:%S %Z").to_string()
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// A measured length: to the second.
fn took(length: Duration) -> String {
    if length < Duration::from_secs(10) {
        return format!("{:.1} s", length.as_secs_f64());
    }
    saying::length(Duration::from_secs(length.as_secs()))
}

/// When the first step began and the last one was settled, as far as known. Without
/// the end of every step that was done, nobody knows which was the last.
fn clocks(state: &RunState) -> (Option<Timestamp>, Option<Timestamp>) {
    let chosen = || {
        state
            .states
            .iter()
            .zip(&state.selected)
            .filter(|(_, selected)| **selected)
            .map(|(state, _)| state)
    };
    let started = chosen().filter_map(|known| known.started).min();
    let known =
        |state: &StepState| state.status.is_settled() && (state.ended.is_some() || !state.attested);
    let ended = chosen().filter_map(|known| known.ended).max().filter(|_| chosen().all(known));
    (started, ended)
}

/// Why the way back counts as gone in part only.
fn in_part(state: &RunState) -> String {
    let left_out = (0..state.steps.len()).filter(|&i| {
        state.selected[i] && state.states[i].status == Status::Skipped && !state.steps[i].optional
    });
    let names = |ids: Vec<&str>| ids.join(", ");
    let left_out = names(left_out.map(|i| state.steps[i].id.as_str()).collect());
    let stays = names(state.left_standing().map(|id| id.as_str()).collect());
    let accepted = state.release.triggers.iter().filter(|(_, seen)| seen.accepted);
    let unwell = names(accepted.map(|(id, _)| id.as_str()).collect());
    let mut said = "The way back was gone to its end, but not everything is as it was.".to_owned();
    for (what, names) in [
        ("Left out, although they matter", left_out),
        ("Stages that stay as they are", stays),
        ("Not seen to be well again, and accepted", unwell),
    ] {
        if !names.is_empty() {
            said.push_str(&format!(" {what}: {names}."));
        }
    }
    said
}

fn summary(log: &Log<'_>, make: &mut Make) {
    let state = log.state;
    let plan = &state.planned.plan;
    let zone = zone(state);
    let (started, ended) = clocks(state);
    let chosen: Vec<Status> = state
        .states
        .iter()
        .zip(&state.selected)
        .filter(|(_, selected)| **selected)
        .map(|(known, _)| known.status)
        .collect();
    let count = |status: Status| chosen.iter().filter(|known| **known == status).count();
    let attested = state
        .states
        .iter()
        .zip(&state.selected)
        .filter(|(known, selected)| **selected && known.attested)
        .count();
    make.heading(2, "What happened");
    let (tone, said) = match &state.finished {
        Some((Outcome::Deployed, _)) => {
            (Tone::Note, "The release was deployed, watched, and found well.".to_owned())
        }
        Some((Outcome::DeployedUnwatched, _)) => (
            Tone::Note,
            "The release was deployed. The plan has no trigger that watches it.".to_owned(),
        ),
        Some((Outcome::DeployedWithFindings, _)) => (
            Tone::Warning,
            "The release was deployed, though not everything was found well.".to_owned(),
        ),
        Some((Outcome::Reverted, _)) if attested > 0 => (
            Tone::Warning,
            format!(
                "The change was backed out. Every step of the chosen way is done: {attested} of {} on a person's word alone, not on a verification.",
                chosen.len()
            ),
        ),
        Some((Outcome::Reverted, _)) => (
            Tone::Note,
            "The change was backed out. Every step of the chosen way is done and verified."
                .to_owned(),
        ),
        Some((Outcome::Partial, _)) => (Tone::Warning, in_part(state)),
        Some((Outcome::Abandoned { reason }, _)) => {
            (Tone::Warning, format!("The run was given up: {reason}"))
        }
        None => (
            Tone::Warning,
            "The run is not finished. This report says how far it has come.".to_owned(),
        ),
    };
    let mut lines = vec![Inline::strong(said)];
    if attested > 0 && !matches!(state.finished, Some((Outcome::Reverted, _))) {
        lines.push(Inline::plain(format!(
            " {attested} of the steps stand on a person's word alone, not on a verification."
        )));
    }
    make.notice(tone, lines);
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    let mut row = |name: &str, value: Cell| {
        if !value.is_empty() {
            rows.push(vec![vec![Inline::strong(name)], value]);
        }
    };
    row("Run", plain(state.run.to_string()));
    row("Change", maybe(plan.change.id.as_ref()));
    row("Title", plain(&plan.change.title));
    row("Way back", maybe(state.option.as_ref()));
    row(
        "Only these components",
        plain(state.planned.only.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    );
    row(
        "Invoked",
        plain(format!("{} by {}", clock(state.started, &zone), state.started_by.shown())),
    );
    row("Reason", maybe(state.planned.reason.as_ref()));
    row("First step began", maybe(started.map(|at| clock(at, &zone))));
    row("Last step settled", maybe(ended.map(|at| clock(at, &zone))));
    row("Run ended", maybe(state.finished.as_ref().map(|(_, at)| clock(*at, &zone))));
    let word = if attested > 0 { ", by the times that people wrote down" } else { "" };
    match (started, ended) {
        (Some(from), Some(to)) => {
            row("The way back took", plain(format!("{}{word}", took(between(from, to)))));
        }
        _ if attested > 0 => row(
            "The way back took",
            plain("not known: steps were attested without the times they began and ended"),
        ),
        _ => {}
    }
    row(
        "Stated total",
        maybe(plan.window.as_ref().and_then(|window| window.stated_total).map(saying::span)),
    );
    if let Some(by) = state.planned.window.backout_by {
        let late = match ended {
            Some(ended) if ended <= by => {
                format!(": in time, {} to spare", took(between(ended, by)))
            }
            Some(ended) => format!(": {} too late", took(between(by, ended))),
            None => String::new(),
        };
        row("To be finished by", plain(format!("{}{late}", clock(by, &zone))));
    }
    row(
        "Steps",
        plain(format!(
            "{} of {} done, {} left out, {} failed, {} in doubt or held, {} open",
            count(Status::Succeeded),
            chosen.len(),
            count(Status::Skipped),
            count(Status::Failed),
            count(Status::InDoubt) + count(Status::Held),
            count(Status::Pending) + count(Status::Running) + count(Status::Acted),
        )),
    );
    row("Departures from the plan", plain(state.deviations.len().to_string()));
    row("Plan digest", vec![Inline::code(state.planned.plan_digest.to_string())]);
    row(
        "Log",
        vec![
            Inline::plain(format!("{} records; the last one is ", state.seq)),
            Inline::code(state.tail.to_string()),
        ],
    );
    make.table(&[("Fact", 3), ("Of this run", 8)], rows);
}

fn timeline(log: &Log<'_>, make: &mut Make) {
    make.heading(2, "Timeline");
    let zone = zone(log.state);
    make.text(format!("Times are on the clock of {}.", zone.iana_name().unwrap_or("UTC")));
    let mut rows = Vec::new();
    let mut day = None;
    for record in log.records {
        let by = record.actor.shown();
        for event in &record.events {
            let Some(mut said) = saying::event(event, &by) else { continue };
            if let Event::StepAttested { started, ended, .. } = event {
                let written = |at: &Option<Timestamp>| {
                    at.map_or_else(
                        || "?".to_owned(),
                        |at| at.to_zoned(zone.clone()).strftime("%H:%M").to_string(),
                    )
                };
                said.push_str(&format!(
                    " (as written down: {} to {})",
                    written(started),
                    written(ended)
                ));
            }
            let at = record.at.to_zoned(zone.clone());
            // The date and the offset where they change, the time everywhere.
            let now = Some((at.date(), at.offset()));
            let shown = match day == now {
                true => at.strftime("%H:%M:%S").to_string(),
                false => at.strftime("%-d %b %Y %H:%M:%S %Z").to_string(),
            };
            day = now;
            let about = event.step().map_or("the run", |step| step.as_str()).to_owned();
            rows.push(vec![plain(shown), plain(about), plain(said)]);
        }
    }
    make.table(&[("At", 3), ("About", 4), ("What happened", 11)], rows);
}

fn decisions(log: &Log<'_>, make: &mut Make) {
    let state = log.state;
    let zone = zone(state);
    make.heading(2, "Decisions");
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for record in log.records {
        let by = record.actor.shown();
        for event in &record.events {
            let decided = matches!(
                event,
                Event::RunPlanned(_)
                    | Event::OptionChosen { .. }
                    | Event::StageApproved { .. }
                    | Event::DecisionAsked(_)
                    | Event::DecisionPassedOn { .. }
                    | Event::DecisionMade { .. }
                    | Event::BackoutBegun { .. }
                    | Event::DefectLogged { .. }
                    | Event::RunHeld { .. }
                    | Event::RunReleased { .. }
                    | Event::ActProposed { .. }
                    | Event::ActRefused { .. }
                    | Event::RunFinished { outcome: Outcome::Abandoned { .. } }
            );
            if decided && let Some(said) = saying::event(event, &by) {
                rows.push(vec![plain(clock(record.at, &zone)), plain(said)]);
            }
        }
    }
    make.table(&[("At", 4), ("Decision taken", 11)], rows);
}

fn deviations(log: &Log<'_>, make: &mut Make) {
    let state = log.state;
    let zone = zone(state);
    make.heading(2, "Departures from the plan");
    if state.deviations.is_empty() {
        make.text("There were none.");
    }
    let rows = state.deviations.iter().map(|deviation| {
        vec![
            plain(clock(deviation.at, &zone)),
            plain(&deviation.what),
            plain(&deviation.by),
            plain(deviation.reason.trim()),
        ]
    });
    make.table(
        &[("At", 4), ("What departed", 5), ("Decided by", 4), ("Why it departed", 6)],
        rows.collect(),
    );
}
