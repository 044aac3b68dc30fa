//! The plan as a document for those who approve it: everything they sign, in the
//! order in which they ask for it. The columns and headings are the ones people
//! use in their own plans, so that what is written here is understood by the
//! importer too; the annex holds the plan file itself, byte for byte.

mod after;
mod decide;
mod pictures;
mod ready;
mod way;

use backout_core::plan::{ChangeKind, Plan};
use backout_forecast::outlook::Outlook;
use backout_plan::diagnostic::{Diagnostic, Level};
use jiff::tz::TimeZone;

use crate::make::{Make, maybe, plain};
use crate::saying;
use crate::tree::{Cell, Document, Inline, Tone};

pub use ready::{NOT_READY, not_ready};

/// The heading of the annex that holds the plan file.
pub const ANNEX: &str = "Annex: the plan file";

/// What a document is made from.
pub struct Material<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its file, as it was read.
    pub source: &'a str,
    /// SHA-256 of that.
    pub digest: String,
    /// The forecast, or why there is none.
    pub outlook: Result<&'a Outlook, String>,
    /// What `check` found.
    pub findings: &'a [Diagnostic],
    /// Whether the page is to be worked with on a night when nothing else works.
    pub working: bool,
}

/// A part of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// What it is about, in one table, and how long going back takes.
    Summary,
    /// What changes, and when it is a success.
    Change,
    /// Triggers, the decision matrix, who may do what.
    Decision,
    /// The deployment, stage by stage, where the plan has one.
    Stages,
    /// The ways back, where there are several.
    Options,
    /// Every step.
    Steps,
    /// The schedule and the point of no return.
    Schedule,
    /// Components, backups, baselines.
    Data,
    /// What must hold before.
    Readiness,
    /// Who is told what.
    Messages,
    /// Who is who.
    People,
    /// Risks and alternatives.
    Risks,
    /// What is done afterwards.
    After,
    /// What `check` found, and what was accepted.
    Findings,
    /// Who approves.
    Approval,
    /// What was imported and not understood.
    Notes,
    /// The plan file.
    File,
}

impl Section {
    /// Every section, in the order of the document.
    pub const ALL: [Self; 17] = [
        Self::Summary,
        Self::Change,
        Self::Decision,
        Self::Stages,
        Self::Options,
        Self::Steps,
        Self::Schedule,
        Self::Data,
        Self::Readiness,
        Self::Messages,
        Self::People,
        Self::Risks,
        Self::After,
        Self::Findings,
        Self::Approval,
        Self::Notes,
        Self::File,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Change => "change",
            Self::Decision => "decision",
            Self::Stages => "stages",
            Self::Options => "options",
            Self::Steps => "steps",
            Self::Schedule => "schedule",
            Self::Data => "data",
            Self::Readiness => "readiness",
            Self::Messages => "messages",
            Self::People => "people",
            Self::Risks => "risks",
            Self::After => "after",
            Self::Findings => "findings",
            Self::Approval => "approval",
            Self::Notes => "notes",
            Self::File => "file",
        }
    }
}

/// The plan as a document.
#[must_use]
pub fn board(material: &Material<'_>, sections: &[Section]) -> Document {
    let mut make = Make::default();
    make.quiet(subtitle(material.plan));
    // Before every section, whichever are chosen: it stands on the first page.
    if let Some(text) = not_ready(material.findings) {
        let (said, errors) = text.split_once('\n').unwrap_or((text.as_str(), ""));
        make.notice(
            Tone::Warning,
            vec![Inline::strong(said), Inline::plain(format!("\n{errors}"))],
        );
    }
    for section in order(material.working).into_iter().filter(|section| sections.contains(section))
    {
        match section {
            Section::Summary => summary(material, &mut make),
            Section::Change => change(material.plan, &mut make),
            Section::Decision => decide::decision(material.plan, &mut make),
            Section::Stages => way::stages(material.plan, &mut make),
            Section::Options => way::options(material.plan, &mut make),
            Section::Steps => way::steps(material, &mut make),
            Section::Schedule => way::schedule(material, &mut make),
            Section::Data => way::data(material.plan, &mut make),
            Section::Readiness => after::readiness(material, &mut make),
            Section::Messages => after::messages(material, &mut make),
            Section::People => decide::people(material.plan, &mut make),
            Section::Risks => after::risks(material.plan, &mut make),
            Section::After => after::afterwards(material, &mut make),
            Section::Findings => findings(material, &mut make),
            Section::Approval => approval(material, &mut make),
            Section::Notes => notes(material.plan, &mut make),
            Section::File => file(material, &mut make),
        }
    }
    Document {
        title: Some(material.plan.change.title.clone()),
        blocks: make.blocks,
        ..Document::default()
    }
}

/// At night people and steps come first, the approval last.
fn order(working: bool) -> Vec<Section> {
    let mut all = Section::ALL.to_vec();
    if working {
        let rank = |section: &Section| match section {
            Section::Summary => 0,
            Section::People => 1,
            Section::Decision => 2,
            Section::Options => 3,
            Section::Steps => 4,
            Section::Messages => 5,
            Section::Schedule => 6,
            _ => 7,
        };
        all.sort_by_key(rank);
    }
    all
}

/// What stands at the foot of each page.
#[must_use]
pub fn footing(plan: &Plan, digest: &str) -> String {
    let short = digest.trim_start_matches("sha256:").chars().take(12).collect::<String>();
    format!("{} · plan {short}", subtitle(plan))
}

fn subtitle(plan: &Plan) -> String {
    let mut parts = vec!["Backout plan".to_owned()];
    parts.extend(plan.change.id.clone());
    parts.extend(plan.change.plan_version.as_ref().map(|version| format!("version {version}")));
    parts.join(" · ")
}

/// A clock in the plan's zone.
pub(crate) fn clock(at: jiff::Timestamp, zone: Option<&TimeZone>) -> String {
    match zone {
        Some(zone) => at.to_zoned(zone.clone()).strftime("%a %-d %b %Y %H:%M %Z").to_string(),
        None => at.to_zoned(TimeZone::UTC).strftime("%a %-d %b %Y %H:%M").to_string(),
    }
}

fn summary(material: &Material<'_>, make: &mut Make) {
    let plan = material.plan;
    let change = &plan.change;
    let window = plan.window.as_ref();
    make.heading(2, "At a glance");
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    let mut row = |name: &str, value: Cell| {
        if !value.is_empty() {
            rows.push(vec![vec![Inline::strong(name)], value]);
        }
    };
    row("Change", maybe(change.id.as_ref()));
    row("What is being deployed", plain(&change.title));
    if let Some(release) = &change.release {
        row("Release from", plain(&release.from));
        row("Release to", plain(&release.to));
    }
    row("Environment", maybe(change.environment.as_ref()));
    row(
        "Change type",
        maybe(change.kind.map(|kind| match kind {
            ChangeKind::Standard => "Standard",
            ChangeKind::Normal => "Normal",
            ChangeKind::Emergency => "Emergency",
        })),
    );
    row("Plan version", maybe(change.plan_version.as_ref()));
    row("Plan owner", maybe(change.owner.as_ref()));
    row("Requested by", maybe(change.requested_by.as_ref()));
    row("Reviewed by", maybe(change.reviewed_by.as_ref()));
    row(
        "Deployment window",
        maybe(window.and_then(|window| window.deploy).map(|range| {
            let end = if range.start.at.date() == range.end.at.date() {
                range.end.at.strftime("%H:%M").to_string()
            } else {
                day_and_time(&range.end)
            };
            format!("{} to {end}", day_and_time(&range.start))
        })),
    );
    row(
        "Backout finished by",
        maybe(window.and_then(|window| window.backout_by).map(|by| day_and_time(&by))),
    );
    row("Time zone", maybe(window.and_then(|window| window.timezone.as_ref())));
    row("Confidence", maybe(window.and_then(|window| window.confidence)));
    row("Stated total", maybe(window.and_then(|window| window.stated_total).map(saying::span)));
    make.table(&[("Field", 3), ("Content", 7)], rows);
    match &material.outlook {
        Ok(outlook) => {
            let zone = window.and_then(backout_plan::times::zone_of);
            let sure = outlook.finish.quantile(outlook.confidence).high;
            let per = outlook.confidence * 100.0;
            let mut said = vec![
                Inline::strong(format!("Going back takes {} ", rounded(outlook.planned_end))),
                Inline::plain(format!(
                    "on an ordinary night and at most {} on {per:.0} of 100 nights.",
                    rounded(sure)
                )),
            ];
            if let Some([_, last, _]) = outlook.point_of_no_return {
                said.push(Inline::strong(format!(
                    " The point of no return is {}: ",
                    clock(way::minute_down(last), zone.as_ref())
                )));
                said.push(Inline::plain("invoked later, it is no longer sure to end in time."));
            }
            let late = outlook.point_of_no_return.is_some_and(|[_, last, _]| last < outlook.at);
            if late {
                said.push(Inline::strong(format!(
                    " That is before {}, for which this was worked out: it would be too late from the start.",
                    clock(outlook.at, zone.as_ref())
                )));
            }
            if outlook.never {
                said.push(Inline::strong(" It never fits into the window."));
            }
            if zone.is_none() && outlook.deadline.is_some() {
                said.push(Inline::plain(
                    " The window names no time zone, so no clock can be set to this.",
                ));
            }
            let tone = if outlook.never || late { Tone::Warning } else { Tone::Note };
            make.notice(tone, said);
        }
        Err(why) => make.notice(
            Tone::Warning,
            vec![
                Inline::strong("How long going back takes is unknown: "),
                Inline::plain(format!("{why}.")),
            ],
        ),
    }
}

fn day_and_time(time: &backout_core::plan::LocalTime) -> String {
    let weekday = time
        .weekday
        .map(|weekday| format!("{} ", backout_core::plan::weekday_name(weekday)))
        .unwrap_or_default();
    format!("{weekday}{}", time.at.strftime("%Y-%m-%d %H:%M"))
}

fn change(plan: &Plan, make: &mut Make) {
    let change = &plan.change;
    let nothing = change.description.is_none()
        && change.impact.is_none()
        && change.security.is_none()
        && change.depends_on.is_empty()
        && change.success_when.is_empty();
    make.heading(2, "The change");
    if nothing {
        make.quiet("The plan says nothing about it.");
    }
    for (name, text) in [
        ("Description", &change.description),
        ("Impact", &change.impact),
        ("Security", &change.security),
    ] {
        if let Some(text) = text {
            make.heading(3, name);
            make.texts(text);
        }
    }
    if !change.depends_on.is_empty() {
        make.heading(3, "Dependencies");
        make.list(false, change.depends_on.iter().map(|name| (None, name.clone())));
    }
    if !change.success_when.is_empty() {
        make.heading(3, "Success criteria");
        make.list(false, change.success_when.iter().map(|text| (None, text.clone())));
    }
}

fn findings(material: &Material<'_>, make: &mut Make) {
    let plan = material.plan;
    make.heading(2, "Check of this plan");
    let of =
        |level: Level| material.findings.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings) = (of(Level::Error), of(Level::Warning));
    let said = match (errors, warnings) {
        (0, 0) => "`backout check` finds nothing.".to_owned(),
        (errors, warnings) => {
            format!("`backout check` finds {errors} error(s) and {warnings} warning(s).")
        }
    };
    make.text(said.replace('`', ""));
    let rows = material.findings.iter().map(|finding| {
        let level = if finding.level == Level::Error { "Error" } else { "Warning" };
        vec![plain(finding.code), plain(level), plain(&finding.message)]
    });
    make.table(&[("Rule", 2), ("Weight", 2), ("Finding", 10)], rows.collect());
    if !plan.accepted.is_empty() {
        make.heading(3, "Accepted findings");
        let rows = plan.accepted.iter().map(|accepted| {
            vec![
                plain(&accepted.rule),
                maybe(accepted.at.as_ref()),
                plain(accepted.because.trim()),
                maybe(accepted.by.as_ref()),
            ]
        });
        make.table(&[("Rule", 2), ("At", 3), ("Because", 7), ("Accepted by", 3)], rows.collect());
    }
}

fn approval(material: &Material<'_>, make: &mut Make) {
    let plan = material.plan;
    make.heading(2, "Approval");
    make.paragraph(vec![
        Inline::plain("Whoever signs here approves the plan with this digest and no other: "),
        Inline::code(&material.digest),
    ]);
    if let Some(rehearsed) = &plan.change.rehearsed {
        let took = rehearsed
            .took
            .map(|took| format!(", it took {}", saying::span(took)))
            .unwrap_or_default();
        let version = rehearsed
            .plan_version
            .as_ref()
            .map(|version| format!(", version {version}"))
            .unwrap_or_default();
        make.text(format!(
            "Rehearsed in {} on {}{took}{version}.",
            rehearsed.environment, rehearsed.on
        ));
    } else {
        make.text("The way back has not been rehearsed.");
    }
    let mut rows: Vec<Vec<Cell>> = plan
        .change
        .approvals
        .iter()
        .map(|approval| {
            vec![
                plain(approval.by.as_str()),
                plain(plan.person(&approval.by)),
                maybe(approval.plan_version.as_ref()),
                plain("approved"),
                maybe(approval.on),
                Vec::new(),
            ]
        })
        .collect();
    while rows.len() < 3 {
        rows.push(vec![Vec::new(); 6]);
    }
    let head = [
        ("Signed as", 3),
        ("Signatory", 4),
        ("Version signed", 2),
        ("Verdict", 3),
        ("Day", 3),
        ("Signature", 5),
    ];
    make.form(&head, rows);
}

fn notes(plan: &Plan, make: &mut Make) {
    if plan.notes.is_empty() {
        return;
    }
    make.heading(2, "Notes from the imported document");
    make.text("What the original document said and nobody has put into the plan yet.");
    let rows = plan.notes.iter().map(|note| vec![plain(&note.from), plain(&note.text)]);
    make.table(&[("From", 3), ("Text", 8)], rows.collect());
}

fn file(material: &Material<'_>, make: &mut Make) {
    make.page();
    make.heading(2, ANNEX);
    make.paragraph(vec![
        Inline::plain(
            "This is what is carried out; what stands before is made from it. Its digest: ",
        ),
        Inline::code(&material.digest),
    ]);
    make.code(Some("yaml"), material.source);
}

/// Seconds as whole minutes, rounded up: whoever waits is not told too early.
fn rounded(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "never".to_owned();
    }
    let seconds =
        if seconds < 60.0 { seconds.ceil() } else { (seconds / 60.0 - 1e-9).ceil() * 60.0 };
    saying::length(std::time::Duration::from_secs(seconds.max(0.0) as u64))
}
