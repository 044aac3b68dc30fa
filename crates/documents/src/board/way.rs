//! The way back: options, steps, schedule, what is restored from where.

use backout_core::graph::Graph;
use backout_core::plan::{Action, Baseline, Plan, RestoreTested, Step};
use backout_forecast::outlook::Row;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::{Material, clock, pictures, rounded};
use crate::make::{Make, maybe, plain};
use crate::saying;
use crate::tree::{Cell, Inline, Tone};

/// Graphs of more steps than this make no picture that anybody reads.
const MOST: usize = 60;

pub(super) fn stages(plan: &Plan, make: &mut Make) {
    if plan.stages.is_empty() {
        return;
    }
    make.heading(2, "Deployment stages");
    let rows = plan.stages.iter().enumerate().map(|(index, stage)| {
        let undone: Vec<&str> = stage.undone_by.iter().map(|step| step.as_str()).collect();
        let undone = match &stage.irreversible {
            Some(why) => format!("NO WAY BACK: {}", why.trim()),
            None => undone.join(", "),
        };
        let approval = stage.approval.as_ref().map(|grant| {
            let by: Vec<&str> = grant.by.iter().map(|role| role.as_str()).collect();
            match grant.quorum {
                1 => by.join(" or "),
                count => format!("{count} of {}", by.join(", ")),
            }
        });
        vec![
            plain((index + 1).to_string()),
            plain(stage.label()),
            plain(saying::action(stage).join("; ")),
            maybe(stage.owner.as_ref()),
            maybe(stage.takes.map(saying::estimate)),
            maybe(stage.bake.map(saying::span)),
            plain(undone),
            maybe(approval),
        ]
    });
    let head = [
        ("No.", 1),
        ("Stage", 4),
        ("What it does", 6),
        ("Owner", 3),
        ("Duration", 3),
        ("Watched for", 2),
        ("Undone by", 4),
        ("Approval", 3),
    ];
    make.table(&head, rows.collect());
    make.text("Backing out undoes the stages that took place and no others, last first.");
}

pub(super) fn options(plan: &Plan, make: &mut Make) {
    if plan.options.is_empty() {
        return;
    }
    make.heading(2, "Ways back");
    let rows = plan.options.iter().map(|(id, way)| {
        let steps = match &way.steps {
            None => "all steps".to_owned(),
            Some(steps) => steps.iter().map(|step| step.as_str()).collect::<Vec<_>>().join(", "),
        };
        let title = if way.default {
            format!("{} (unless said otherwise)", way.title)
        } else {
            way.title.clone()
        };
        vec![
            plain(id.as_str()),
            plain(title),
            maybe(way.when.as_ref()),
            plain(steps),
            maybe(way.by.as_ref()),
            maybe(way.total.map(saying::span)),
        ]
    });
    let head = [
        ("Way", 3),
        ("What it does", 4),
        ("Choose it when", 6),
        ("Its steps", 6),
        ("Chosen by", 3),
        ("Stated length", 3),
    ];
    make.table(&head, rows.collect());
}

pub(super) fn steps(material: &Material<'_>, make: &mut Make) {
    let plan = material.plan;
    make.heading(2, "Backout procedure");
    if plan.steps.is_empty() {
        make.notice(Tone::Warning, vec![Inline::strong("This plan has no way back.")]);
        return;
    }
    let graph = Graph::of_all(&plan.steps).unwrap_or_default();
    make.heading(3, "Steps");
    let mut before: Option<usize> = None;
    let rows: Vec<Vec<Cell>> = plan
        .steps
        .iter()
        .enumerate()
        .map(|(index, step)| {
            // Said only where it is not the step above.
            let natural = step.after.is_none();
            let after = match (&step.after, before) {
                (None, _) => String::new(),
                (Some(after), _) if after.is_empty() => "start at once".to_owned(),
                (Some(after), _) => after
                    .iter()
                    .map(|id| number_of(plan, id.as_str()))
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            let _ = natural;
            before = Some(index);
            let verify: Vec<String> = step.verify.iter().map(verification).collect();
            let mut cells = vec![
                plain((index + 1).to_string()),
                plain(step.label()),
                maybe(step.owner.as_ref()),
                maybe(step.takes.map(saying::estimate)),
                plain(after),
                maybe(step.component.as_ref()),
                plain(verify.join("\n")),
            ];
            if material.working {
                cells.extend([plain("☐"), plain(" "), plain(" ")]);
            }
            cells
        })
        .collect();
    let mut head = vec![
        ("Step", 2),
        ("Action", 7),
        ("Owner", 4),
        ("Duration", 4),
        ("After", 3),
        ("Component", 5),
        ("Verify", 8),
    ];
    if material.working {
        head.extend([("Done", 2), ("Started", 3), ("Ended", 3)]);
    }
    make.table(&head, rows);
    if plan.steps.len() <= MOST {
        let path: Vec<usize> =
            material.outlook.as_ref().map_or_else(|_| Vec::new(), |outlook| outlook.path.clone());
        let (scene, mermaid, said) = pictures::steps(plan, &graph, &path);
        make.figure(
            match path.is_empty() {
                true => "What waits for what.",
                false => "What waits for what. The orange steps are the critical path.",
            },
            said,
            scene,
            Some(mermaid),
        );
    } else {
        make.quiet(format!(
            "A graph of {} steps is too large for a picture; the table says what waits for what.",
            plan.steps.len()
        ));
    }
    make.heading(3, "Detailed steps");
    for (index, step) in plan.steps.iter().enumerate() {
        detail(index, step, material, make);
    }
}

fn number_of(plan: &Plan, id: &str) -> String {
    let at = plan.steps.iter().position(|step| step.id.as_str() == id);
    at.map_or_else(|| id.to_owned(), |at| (at + 1).to_string())
}

/// What a verification looks at, for people.
fn verification(verification: &backout_core::plan::Verification) -> String {
    match &verification.check {
        backout_core::plan::Check::Confirm(text) => text.trim().to_owned(),
        check => check.shown(),
    }
}

fn detail(index: usize, step: &Step, material: &Material<'_>, make: &mut Make) {
    make.heading(4, format!("Step {}: {}", index + 1, step.label()));
    let lines = saying::action(step).join("\n");
    match &step.action {
        // An instruction may be many lines; how they stand is part of it.
        Action::Manual(_) if !lines.contains('\n') => make.text(&lines),
        Action::Manual(_) => make.code(None, lines),
        Action::Run(_) => make.code(Some("sh"), lines),
        Action::Sql(_) => make.code(Some("sql"), lines),
        Action::Http(_) => make.code(Some("http"), lines),
        Action::External(_) => make.text(format!("By another system: {lines}.")),
        Action::RestoreTree(_) | Action::Copy(_) | Action::Wait(_) => {
            make.text(format!("Automatically: {lines}."));
        }
    }
    let mut more: Vec<String> = Vec::new();
    if !step.action.is_manual() {
        let timeout = step
            .action
            .timeout()
            .map(|timeout| format!("stopped after {}; ", saying::span(timeout)))
            .unwrap_or_default();
        more.push(format!(
            "Carried out by the machine: {timeout}after a crash {}.",
            saying::after_a_crash(step)
        ));
    }
    if let Some(retry) = step.retry {
        more.push(format!(
            "Tried up to {} times, {} apart.",
            retry.attempts,
            saying::span(retry.pause)
        ));
    }
    if let Some(time) = step.not_before {
        more.push(format!("Not before {time}."));
    }
    if let Some(lane) = &step.exclusive {
        more.push(format!("Never at the same time as other steps of lane {lane}."));
    }
    if step.optional {
        more.push("May be left out.".to_owned());
    }
    if step.on_failure == backout_core::plan::OnFailure::HaltAll {
        more.push("If it fails, nothing else starts.".to_owned());
    }
    if !step.access.is_empty() {
        more.push(format!("Needs access: {}.", step.access.0.join(", ")));
    }
    if let Some(text) = &step.if_in_doubt {
        more.push(format!("If nobody knows whether it happened: {}", text.trim()));
    }
    if !more.is_empty() {
        make.quiet(more.join(" "));
    }
    if let Some(why) = &step.irreversible {
        make.notice(
            Tone::Warning,
            vec![Inline::strong("There is no way on from here: "), Inline::plain(why.trim())],
        );
    }
    if material.working {
        make.text("☐ done   by ____________   started ______   ended ______");
    }
}

pub(super) fn minute_down(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap_or(at)
}

fn minute_up(at: Timestamp) -> Timestamp {
    Timestamp::from_second((at.as_second() + 59).div_euclid(60) * 60).unwrap_or(at)
}

pub(super) fn schedule(material: &Material<'_>, make: &mut Make) {
    let plan = material.plan;
    make.heading(2, "Schedule and point of no return");
    let outlook = match &material.outlook {
        Ok(outlook) => *outlook,
        Err(why) => {
            make.notice(
                Tone::Warning,
                vec![Inline::strong("There is no forecast: "), Inline::plain(format!("{why}."))],
            );
            return;
        }
    };
    let zone = plan.window.as_ref().and_then(backout_plan::times::zone_of);
    let per = format!("{:.0}", outlook.confidence * 100.0);
    let sure = outlook.finish.quantile(outlook.confidence).high;
    let told = |at: Timestamp| clock(at, zone.as_ref());
    let mut rows: Vec<Vec<Cell>> = vec![
        vec![plain("An ordinary night"), plain(rounded(outlook.planned_end))],
        vec![plain("Even chance"), plain(rounded(outlook.finish.quantile(0.5).high))],
        vec![plain(format!("{per} of 100 nights")), plain(rounded(sure))],
    ];
    if let Some(deadline) = outlook.deadline {
        rows.push(vec![plain("Must be done by"), plain(told(deadline))]);
        if let Some(chance) = &outlook.in_time {
            rows.push(vec![
                plain(format!("In time, invoked {}", told(outlook.at))),
                plain(format!("{:.0} of 100 nights", (chance.value * 100.0 + 1e-9).floor())),
            ]);
        }
    }
    match outlook.point_of_no_return {
        Some([_, last, _]) => rows.push(vec![
            vec![Inline::strong("Point of no return")],
            vec![Inline::strong(told(minute_down(last)))],
        ]),
        None if outlook.never => rows.push(vec![
            vec![Inline::strong("Point of no return")],
            vec![Inline::strong("always too late")],
        ]),
        None => {}
    }
    if let Some(decide) = outlook.decide_by {
        rows.push(vec![plain("Ask for the decision by"), plain(told(minute_down(decide)))]);
    }
    make.table(&[("Measure", 4), ("Time", 6)], rows);
    make.text(format!(
        "Worked out from the durations in the plan, over {} simulated nights; each step on whoever does it, in the order of the least time that is sure.",
        outlook.finish.nights()
    ));
    let (scene, said) = pictures::schedule(plan, outlook, zone.as_ref());
    make.figure(format!("The schedule of an ordinary night. The orange steps are the critical path; the dashed line is where {per} of 100 nights are done."), said, scene, None);
    // The day and the clock's name stand where they are not the same all along.
    let ends = |row: &Row| outlook.after(row.end);
    let offset_of = |at: Timestamp| zone.as_ref().map(|zone| zone.to_offset(at));
    let last = outlook.rows.iter().map(ends).max().unwrap_or(outlook.at);
    let shifts = offset_of(outlook.at) != offset_of(last);
    let begins = local(outlook.at, zone.as_ref()).date();
    let brief = |at: Timestamp| {
        let at = local(at, zone.as_ref());
        let day = if at.date() == begins { "" } else { "%a %-d %b " };
        let name = if shifts { " %Z" } else { "" };
        plain(at.strftime(&format!("{day}%H:%M{name}")).to_string())
    };
    let rows = outlook.rows.iter().map(|row| {
        let step = &plan.steps[row.step];
        vec![
            plain(step.label()),
            maybe(step.owner.as_ref()),
            plain(format!("+{}", offset((row.start / 60.0 + 1e-9).floor()))),
            plain(format!("+{}", offset((row.end / 60.0 - 1e-9).ceil()))),
            brief(minute_down(outlook.after(row.start))),
            brief(minute_up(outlook.after(row.end))),
        ]
    });
    let clocks = outlook.deadline.is_some();
    let rows: Vec<Vec<Cell>> =
        rows.map(|row: Vec<Cell>| if clocks { row } else { row[..4].to_vec() }).collect();
    let mut head = vec![("Scheduled", 7), ("With", 4), ("From", 3), ("Until", 3)];
    if clocks {
        head.extend([("On the clock", 3), ("Ends at", 3)]);
    }
    make.table(&head, rows);
}

fn local(at: Timestamp, zone: Option<&TimeZone>) -> Zoned {
    at.to_zoned(zone.cloned().unwrap_or(TimeZone::UTC))
}

/// Whole minutes as `1:42`, hours and minutes.
fn offset(minutes: f64) -> String {
    let minutes = minutes.max(0.0) as u64;
    format!("{}:{:02}", minutes / 60, minutes % 60)
}

pub(super) fn data(plan: &Plan, make: &mut Make) {
    if plan.components.is_empty() && plan.baselines.is_empty() {
        return;
    }
    make.heading(2, "What is restored, and from where");
    if !plan.components.is_empty() {
        make.heading(3, "Components and backups");
        let rows = plan.components.iter().map(|(id, component)| {
            let backup = component.backup.as_ref();
            let tested =
                backup.and_then(|backup| backup.restore_tested).map(|tested| match tested {
                    RestoreTested::On(day) => day.to_string(),
                    RestoreTested::Rehearsal => "rehearsal".to_owned(),
                });
            vec![
                plain(id.as_str()),
                maybe(component.title.as_ref()),
                maybe(backup.map(|backup| &backup.location)),
                maybe(backup.and_then(|backup| backup.max_age).map(saying::span)),
                maybe(tested),
                maybe(component.previous.as_ref()),
                maybe(component.data.as_ref().map(saying::data)),
                maybe(component.irreversible.as_ref()),
            ]
        });
        let head = [
            ("Component", 4),
            ("Means", 4),
            ("Backup location", 6),
            ("At most old", 2),
            ("Restore tested", 3),
            ("Goes back to", 3),
            ("Data written since", 6),
            ("Cannot be restored", 4),
        ];
        make.table(&head, rows.collect());
    }
    if !plan.baselines.is_empty() {
        make.heading(3, "Baselines");
        make.text("Captured before the deployment and compared after the way back.");
        let rows = plan.baselines.iter().map(|(id, baseline)| {
            let said = match baseline {
                Baseline::Sql(sql) => format!("{} on {}", sql.query.trim(), sql.source),
                Baseline::Tree(path) => format!("everything below {path}"),
                Baseline::File(path) => path.clone(),
                Baseline::Http(http) => {
                    format!(
                        "{}{}",
                        http.source.as_ref().map(|source| format!("{source}:")).unwrap_or_default(),
                        http.url
                    )
                }
                Baseline::Run(run) => run.command_line(),
            };
            vec![plain(id.as_str()), plain(said)]
        });
        make.table(&[("Baseline", 3), ("Captured from", 8)], rows.collect());
    }
}
