//! What was planned, carried out, compared and asked, as tables.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use backout_core::event::{Event, Evidence};
use backout_core::ids::StepId;
use backout_core::plan::Check;
use backout_core::state::RunState;
use backout_core::status::Status;
use jiff::Timestamp;

use super::course::{Course, course};
use super::{Log, between, clock, took, zone};
use crate::make::{Make, maybe, plain};
use crate::saying;
use crate::tree::Cell;
use crate::workbook::Filled;

pub(super) fn steps(log: &Log<'_>, make: &mut Make) {
    let state = log.state;
    let zone = zone(state);
    make.heading(2, "Planned against actual");
    let hands = hands(log);
    // Stages are not on the way back, and were planned all the same.
    let timed = |index: usize| state.selected()[index] || state.is_stage(index);
    let mut rows = Vec::new();
    let (mut planned_all, mut actual_all) = (Duration::ZERO, Duration::ZERO);
    for (index, step) in state.steps().iter().enumerate() {
        let known = &state.states()[index];
        let planned = step.takes.map(|takes| takes.likely().get());
        let actual = known.started.zip(known.ended).map(|(from, to)| between(from, to));
        let difference = match (planned, actual) {
            (Some(planned), Some(actual)) if timed(index) && !known.attested => {
                planned_all += planned;
                actual_all += actual;
                match actual.cmp(&planned) {
                    Ordering::Greater => format!("+{}", took(actual - planned)),
                    Ordering::Less => format!("-{}", took(planned - actual)),
                    Ordering::Equal => "as planned".to_owned(),
                }
            }
            _ => String::new(),
        };
        let result = match (state.selected()[index], known.status) {
            (false, Status::Pending) => not_done(state, index).to_owned(),
            (_, Status::Succeeded) if known.attested => "done, attested by a person".to_owned(),
            (_, Status::Succeeded) if is_undone(state, index) => "done, and undone".to_owned(),
            (_, status) => status.shown().to_owned(),
        };
        rows.push(vec![
            plain(step.label()),
            maybe(hands.get(&step.id)),
            maybe(planned.map(saying::length)),
            maybe(actual.map(|actual| {
                let word = if known.attested { ", as written down" } else { "" };
                format!("{}{word}", took(actual))
            })),
            plain(difference),
            maybe(
                known.started.map(|at| at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()),
            ),
            plain(if known.attempt > 1 { known.attempt.to_string() } else { String::new() }),
            plain(result),
        ]);
    }
    let what = match course(state) {
        Course::Invoked => "Step of the way",
        Course::Turned | Course::Forward => "Stage or step",
    };
    let head = [
        (what, 6),
        ("Done by", 4),
        ("Planned", 3),
        ("Actual", 3),
        ("Difference", 3),
        ("Began", 3),
        ("Tries", 2),
        ("Result", 4),
    ];
    make.table(&head, rows);
    if !planned_all.is_zero() {
        make.text(format!(
            "Work in steps that were timed: {} planned, {} measured. Steps that ran beside each other count in full.",
            saying::length(planned_all),
            took(actual_all)
        ));
    }
}

/// Why nothing became of a step.
fn not_done(state: &RunState, index: usize) -> &'static str {
    match course(state) {
        Course::Turned if state.is_stage(index) => "was not begun any more",
        Course::Invoked | Course::Turned => "not on this way",
        Course::Forward if state.finished().is_some() => "way back, which was not gone",
        Course::Forward => "way back",
    }
}

/// Whether a stage was taken back, as far as the plan says what takes it back.
fn is_undone(state: &RunState, index: usize) -> bool {
    let undo = &state.steps()[index].undone_by;
    let done =
        |id: &StepId| state.step(id).is_some_and(|(_, known)| known.status == Status::Succeeded);
    state.is_stage(index) && !undo.is_empty() && undo.iter().all(done)
}

/// Whose hands did each step: the name that was written down, whoever said that it
/// is done, or the machine.
fn hands(log: &Log<'_>) -> BTreeMap<StepId, String> {
    let mut hands = BTreeMap::new();
    for record in log.records {
        let person = record.actor.person().map(|_| record.actor.name(&log.state.planned().plan));
        for event in &record.events {
            let Some(step) = event.step() else { continue };
            let who = match event {
                Event::StepIntent { .. } => {
                    let machine = log
                        .state
                        .position(step)
                        .is_ok_and(|index| !log.state.steps()[index].action.is_reported());
                    machine.then(|| "the machine".to_owned())
                }
                Event::StepExecuted { .. } | Event::StepConfirmed { .. } => person.clone(),
                Event::StepAttested { name, .. } => name.clone().or_else(|| person.clone()),
                Event::StepResolved { .. } => {
                    person.as_ref().map(|person| format!("{person}, who resolved it"))
                }
                _ => None,
            };
            if let Some(who) = who {
                hands.insert(step.clone(), who);
            }
        }
    }
    hands
}

pub(super) fn commands(log: &Log<'_>, make: &mut Make) {
    let state = log.state;
    let zone = zone(state);
    make.heading(2, "Commands executed");
    // The step as it was when each try began: people may have changed it since.
    let plan = &state.planned().plan;
    let units = plan.stages.iter().chain(&plan.steps);
    let mut steps: BTreeMap<StepId, backout_core::plan::Step> =
        units.map(|step| (step.id.clone(), step.clone())).collect();
    let mut rows: Vec<(StepId, u32, Vec<Cell>)> = Vec::new();
    for record in log.records {
        for event in &record.events {
            match event {
                Event::StepAdded { step, .. } | Event::StepReplaced { step, .. } => {
                    steps.insert(step.id.clone(), step.as_ref().clone());
                }
                Event::StepIntent { step, attempt, .. } => {
                    let Some(found) = steps.get(step).filter(|found| !found.action.is_reported())
                    else {
                        continue;
                    };
                    let at = record.at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string();
                    rows.push((
                        step.clone(),
                        *attempt,
                        vec![
                            plain(at),
                            plain(step.as_str()),
                            plain(attempt.to_string()),
                            plain(saying::action(found).join("\n")),
                            Vec::new(),
                        ],
                    ));
                }
                Event::StepExecuted { step, attempt, evidence, .. }
                | Event::StepSucceeded { step, attempt, evidence, .. }
                | Event::StepFailed { step, attempt, evidence, .. } => {
                    let row = rows
                        .iter_mut()
                        .rev()
                        .find(|(known, tried, _)| known == step && tried == attempt);
                    if let Some((.., cells)) = row
                        && cells[4].is_empty()
                    {
                        cells[4] = plain(outcome(event, evidence));
                    }
                }
                _ => {}
            }
        }
    }
    if rows.is_empty() {
        make.text("The machine carried out nothing in this run.");
    }
    let rows = rows.into_iter().map(|(.., cells)| cells).collect();
    make.table(
        &[("At", 3), ("Step", 4), ("Try", 2), ("What was carried out", 9), ("How it ended", 5)],
        rows,
    );
}

pub(super) fn outcome(event: &Event, evidence: &Evidence) -> String {
    let mut parts = Vec::new();
    match event {
        Event::StepFailed { fault, .. } => {
            parts.push(format!("failed: {}", saying::fault(fault)));
        }
        _ => parts.push(if evidence.summary.is_empty() {
            "done".to_owned()
        } else {
            evidence.summary.trim().to_owned()
        }),
    }
    // Most summaries name the code themselves.
    let named = |code: &i64| parts.iter().any(|part| part.ends_with(&format!("code {code}")));
    if let Some(code) = evidence.code.filter(|code| !named(code)) {
        parts.push(format!("code {code}"));
    }
    parts.extend(saying::left_running(evidence));
    if let Some(output) = &evidence.output {
        let short: String =
            output.to_string().trim_start_matches("sha256:").chars().take(12).collect();
        parts.push(format!("output {short}"));
    }
    parts.join(", ")
}

pub(super) fn baselines(log: &Log<'_>, make: &mut Make) {
    let state = log.state;
    let zone = zone(state);
    let compared: Vec<(usize, &str)> = state
        .steps()
        .iter()
        .enumerate()
        .flat_map(|(index, step)| {
            step.verify.iter().filter_map(move |verification| match &verification.check {
                Check::SameAsBaseline(name) => Some((index, name.as_str())),
                _ => None,
            })
        })
        .collect();
    make.heading(2, "Compared with before the deployment");
    let Some(used) = &state.planned().baselines else {
        make.text("No baseline was captured before the deployment: nothing could be compared.");
        return;
    };
    make.text(format!("Captured {}.", clock(used.captured, &zone)));
    let rows = used.facts.iter().map(|(name, fact)| {
        let found = compared.iter().filter(|(_, compared)| *compared == name.as_str()).find_map(
            |(index, _)| {
                let known = &state.states()[*index];
                let shown = Check::SameAsBaseline(name.clone()).shown();
                known
                    .evidence
                    .verified
                    .iter()
                    .find(|verified| verified.check == shown)
                    .map(|verified| (*index, verified))
            },
        );
        let (after, holds, step) = match found {
            Some((index, verified)) => (
                verified.found.clone(),
                match verified.holds {
                    Some(true) => "the same",
                    Some(false) => "DIFFERENT",
                    None => "cannot be told",
                },
                state.steps()[index].id.to_string(),
            ),
            None => (String::new(), "not compared", String::new()),
        };
        vec![plain(name.as_str()), plain(&fact.shown), plain(after), plain(holds), plain(step)]
    });
    make.table(
        &[("Fact", 4), ("Before", 5), ("Afterwards", 5), ("Outcome", 3), ("Compared by", 4)],
        rows.collect(),
    );
}

/// What a run knows of each step of its plan, as the cells of the checklist.
#[must_use]
pub fn filled(log: &Log<'_>) -> Vec<Filled> {
    let state = log.state;
    let hands = hands(log);
    let zone = zone(state);
    let time = |at: Option<Timestamp>| {
        at.map_or_else(String::new, |at| {
            at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
        })
    };
    let known = |step: &backout_core::plan::Step| {
        let index = state.position(&step.id).ok()?;
        let known = &state.states()[index];
        let status = match known.status {
            Status::Succeeded => "done",
            Status::Failed => "failed",
            Status::Skipped => "skipped",
            _ => return None,
        };
        Some(Filled {
            status: status.to_owned(),
            started: time(known.started),
            ended: time(known.ended),
            name: hands.get(&step.id).cloned().unwrap_or_default(),
        })
    };
    state.planned().plan.steps.iter().map(|step| known(step).unwrap_or_default()).collect()
}
