//! A run as a document: what happened, against what was planned. Everything in it
//! is computed from the log; what the log cannot say is left as a question.

mod course;
mod review;
mod summary;
mod tables;

use std::time::Duration;

use backout_core::event::{Event, Mode, Outcome};
use backout_core::record::Record;
use backout_core::state::RunState;
use backout_core::status::StepState;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::board::ANNEX;
use crate::make::{Make, plain};
use crate::saying;
use crate::tree::{Cell, Document, Inline};

use course::{Course, course};
use review::review;
use summary::summary;
pub use tables::filled;
use tables::{baselines, commands, steps};

/// What the title of the report begins with where the run went back, or was to.
pub const TITLE: &str = "Backout report";

/// What it begins with where a deployment did not go back.
pub const DEPLOYMENT_TITLE: &str = "Deployment report";

/// Whether a document with this title is a report: it shows what happened, and not a plan.
#[must_use]
pub fn is_report(title: &str) -> bool {
    [TITLE, DEPLOYMENT_TITLE].into_iter().any(|begins| title.starts_with(begins))
}

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
    let plan = &state.planned().plan;
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
                    Inline::code(state.planned().plan_digest.to_string()),
                ]);
                make.code(Some("yaml"), &state.planned().source);
            }
        }
    }
    let title = match course(state) {
        Course::Invoked | Course::Turned => TITLE,
        Course::Forward => DEPLOYMENT_TITLE,
    };
    Document {
        title: Some(format!("{title}: {}", plan.change.title)),
        blocks: make.blocks,
        ..Document::default()
    }
}

/// What stands at the foot of each page.
#[must_use]
pub fn footing(state: &RunState) -> String {
    let short: String =
        state.tail().to_string().trim_start_matches("sha256:").chars().take(12).collect();
    format!("{} · log {} records, {short}", subtitle(state), state.seq())
}

fn subtitle(state: &RunState) -> String {
    let mode = match state.planned().mode {
        Mode::Live => "",
        Mode::Demo => " · a demonstration, not a real system",
    };
    let change =
        state.planned().plan.change.id.as_ref().map(|id| format!(" · {id}")).unwrap_or_default();
    format!("Run {}{change}{mode}", state.run())
}

fn zone(state: &RunState) -> TimeZone {
    let named = state.planned().plan.window.as_ref().and_then(backout_plan::times::zone_of);
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
    clocks_of(state, |index| state.selected()[index])
}

/// The same of some of the steps.
fn clocks_of(
    state: &RunState,
    is_meant: impl Fn(usize) -> bool,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let chosen = || {
        let all = state.states().iter().enumerate();
        all.filter(|(index, _)| is_meant(*index)).map(|(_, known)| known)
    };
    let started = chosen().filter_map(|known| known.started).min();
    let known =
        |state: &StepState| state.status.is_settled() && (state.ended.is_some() || !state.attested);
    let ended = chosen().filter_map(|known| known.ended).max().filter(|_| chosen().all(known));
    (started, ended)
}

fn timeline(log: &Log<'_>, make: &mut Make) {
    make.heading(2, "Timeline");
    let zone = zone(log.state);
    make.text(format!("Times are on the clock of {}.", zone.iana_name().unwrap_or("UTC")));
    let mut rows = Vec::new();
    let mut day = None;
    for record in log.records {
        let plan = &log.state.planned().plan;
        for event in &record.events {
            let Some(mut said) = saying::event(event, Some(&record.actor), Some(plan), &zone)
            else {
                continue;
            };
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
        let plan = &state.planned().plan;
        for event in &record.events {
            let decided = matches!(
                event,
                Event::RunPlanned(_)
                    | Event::StartAgreed { .. }
                    | Event::HoldingReached { .. }
                    | Event::OptionSwitched { .. }
                    | Event::StageApproved { .. }
                    | Event::DecisionRequested(_)
                    | Event::DecisionEscalated { .. }
                    | Event::DecisionMade { .. }
                    | Event::BackoutStarted { .. }
                    | Event::DefectLogged { .. }
                    | Event::RunHeld { .. }
                    | Event::RunResumed { .. }
                    | Event::Relocated { .. }
                    | Event::TakenOver { .. }
                    | Event::CommandProposed { .. }
                    | Event::CommandRefused { .. }
                    | Event::RunFinished { outcome: Outcome::Abandoned { .. } }
            );
            if decided
                && let Some(said) = saying::event(event, Some(&record.actor), Some(plan), &zone)
            {
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
    if state.deviations().is_empty() {
        make.text("There were none.");
    }
    let rows = state.deviations().iter().map(|deviation| {
        vec![
            plain(clock(deviation.at, &zone)),
            plain(saying::departure(&state.planned().plan, &deviation.what)),
            plain(deviation.by.name(&state.planned().plan)),
            plain(deviation.reason.trim()),
        ]
    });
    make.table(
        &[("At", 4), ("What departed", 5), ("Decided by", 4), ("Why it departed", 6)],
        rows.collect(),
    );
}
