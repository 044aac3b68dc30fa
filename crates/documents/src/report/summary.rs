//! How a run ended, when, in how long.

use std::time::Duration;

use backout_core::event::Outcome;
use backout_core::release::Attention;
use backout_core::state::RunState;
use backout_core::status::Status;
use backout_core::watch::{State, Verdict};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::course::{Course, course, trigger, turned};
use super::{Log, between, clock, clocks, clocks_of, took, zone};
use crate::make::{Make, maybe, plain};
use crate::saying;
use crate::tree::{Cell, Inline, Tone};

/// Names in a row.
fn names(ids: impl Iterator<Item = impl ToString>) -> String {
    ids.map(|id| id.to_string()).collect::<Vec<_>>().join(", ")
}

/// Why the way back counts as gone in part only.
fn in_part(state: &RunState) -> String {
    let left_out = (0..state.steps().len()).filter(|&i| {
        state.selected()[i]
            && state.states()[i].status == Status::Skipped
            && !state.steps()[i].optional
    });
    let left_out = names(left_out.map(|i| &state.steps()[i].id));
    let stays = names(state.left_standing());
    let accepted =
        state.release().triggers.iter().filter(|(_, seen)| seen.attention == Attention::Accepted);
    let unwell = names(accepted.map(|(id, _)| id));
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

/// Why a deployment that stayed does not count as found well.
pub(super) fn findings(state: &RunState) -> String {
    let release = state.release();
    let fired = names(release.triggers.iter().filter(|(_, s)| s.fired.is_some()).map(|(id, _)| id));
    let left_out = names(
        state
            .stages()
            .filter(|&i| state.states()[i].status == Status::Skipped)
            .map(|i| &state.steps()[i].id),
    );
    let decided = release.decided.iter().filter(|decided| !decided.reason.is_automatic()).count();
    let mut parts = Vec::new();
    if !fired.is_empty() {
        parts.push(format!("fired: {fired}"));
    }
    if !left_out.is_empty() {
        parts.push(format!("stages left out: {left_out}"));
    }
    if decided > 0 {
        let times = if decided == 1 { "once".to_owned() } else { format!("{decided} times") };
        parts.push(format!("people had to decide how it goes on, {times}"));
    }
    parts.join("; ")
}

/// The stages that changed, or may have changed, anything and are not undone.
fn stays(state: &RunState) -> String {
    let stages = state
        .stages()
        .filter(|&i| backout_core::release::took_place(&state.states()[i]))
        .map(|i| &state.steps()[i].id);
    names(stages)
}

/// The first sentence of the report.
fn headline(log: &Log<'_>, chosen: usize) -> (Tone, String) {
    let state = log.state;
    let course = course(state);
    match state.finished() {
        Some((Outcome::Deployed, _)) => {
            (Tone::Note, "The release was deployed, watched, and found well.".to_owned())
        }
        Some((Outcome::DeployedUnwatched, _)) => (
            Tone::Note,
            "The release was deployed. The plan has no trigger that a machine watches.".to_owned(),
        ),
        Some((Outcome::DeployedWithFindings, _)) => (
            Tone::Warning,
            format!("The release was deployed, but not all was well: {}.", findings(state)),
        ),
        Some((Outcome::Reverted | Outcome::Unverified, _)) => {
            let tally = state.tally();
            let bare = tally.attested + tally.read_only + tally.unverified + tally.skipped;
            let (tone, how) = match bare {
                0 => (Tone::Note, format!("Every one of {chosen} steps is done and verified.")),
                _ => {
                    let every = match tally.skipped {
                        0 => format!("Every one of {chosen} steps is done"),
                        _ => format!("Its {chosen} steps"),
                    };
                    (Tone::Warning, format!("{every}: {}.", saying::tally(tally)))
                }
            };
            (tone, format!("{} {how}", backed_out(state)))
        }
        Some((Outcome::Partial, _)) => (Tone::Warning, in_part(state)),
        Some((Outcome::Abandoned { reason }, _)) => {
            let stays = if course == Course::Forward { stays(state) } else { String::new() };
            let stays = match stays.is_empty() {
                true => String::new(),
                false => format!(" It was not backed out; what took place stays: {stays}."),
            };
            (
                Tone::Warning,
                format!("The run was given up: {}.{stays}", reason.trim().trim_end_matches('.')),
            )
        }
        None => {
            let so_far = match course {
                Course::Invoked => "",
                Course::Turned => ": it goes back",
                Course::Forward => ": it has not gone back",
            };
            let said =
                format!("The run is not finished{so_far}. This report says how far it has come.");
            (Tone::Warning, said)
        }
    }
}

fn backed_out(state: &RunState) -> &'static str {
    match &state.release().back {
        Some(back) if back.undoes.is_empty() => {
            "It was decided to go back before any stage had changed anything."
        }
        _ => "The change was backed out.",
    }
}

/// The rows of the summary, as they are made.
struct Rows(Vec<Vec<Cell>>);

impl Rows {
    fn add(&mut self, name: &str, value: Cell) {
        if !value.is_empty() {
            self.0.push(vec![vec![Inline::strong(name)], value]);
        }
    }
}

pub(super) fn summary(log: &Log<'_>, make: &mut Make) {
    let state = log.state;
    let plan = &state.planned().plan;
    let zone = zone(state);
    let course = course(state);
    let chosen = || state.states().iter().zip(state.selected()).filter(|(_, selected)| **selected);
    let count = |status: Status| chosen().filter(|(known, _)| known.status == status).count();
    let attested = chosen().filter(|(known, _)| known.attested).count();
    make.heading(2, "What happened");
    let (tone, said) = headline(log, chosen().count());
    let mut lines = vec![Inline::strong(said)];
    let proven = matches!(state.finished(), Some((Outcome::Reverted | Outcome::Unverified, _)));
    if !proven && (attested > 0 || state.tally().unverified > 0) {
        lines.push(Inline::plain(format!(" Steps: {}.", saying::tally(state.tally()))));
    }
    make.notice(tone, lines);
    let mut rows = Rows(Vec::new());
    rows.add("Run", plain(state.run().to_string()));
    rows.add("Change", maybe(plan.change.id.as_ref()));
    rows.add("Title", plain(&plan.change.title));
    if course != Course::Forward {
        rows.add("Way back", maybe(state.option().as_ref()));
    }
    rows.add("Only these components", plain(names(state.planned().only.iter())));
    let begun =
        plain(format!("{} by {}", clock(state.started(), &zone), state.started_by().name(plan)));
    if course == Course::Invoked {
        rows.add("Invoked", begun);
        rows.add("Reason", maybe(state.planned().reason.as_ref()));
    } else {
        rows.add("Deployment begun", begun);
        rows.add("Reason of the deployment", maybe(state.planned().reason.as_ref()));
    }
    if let Some(back) = &state.release().back {
        let by = turned(state).map(|decided| match decided.reason.is_automatic() {
            true => ", decided by the plan".to_owned(),
            false => format!(", decided by {}", decided.by.name(plan)),
        });
        let by = by.unwrap_or_default();
        rows.add("Turned round", plain(format!("{}{by}", clock(back.since, &zone))));
        rows.add("What triggered the backout", maybe(trigger(log)));
    }
    times(state, &zone, attested > 0, &mut rows);
    let steps = format!(
        "{} of {} done, {} left out, {} failed, {} in doubt or held, {} open",
        count(Status::Succeeded),
        chosen().count(),
        count(Status::Skipped),
        count(Status::Failed),
        count(Status::InDoubt) + count(Status::Held),
        count(Status::Pending) + count(Status::Running) + count(Status::Verifying),
    );
    match course {
        Course::Invoked => rows.add("Steps", plain(steps)),
        Course::Turned => rows.add("Steps of the way back", plain(steps)),
        Course::Forward => rows.add("Stages", plain(steps)),
    }
    if course != Course::Invoked {
        watched(state, &mut rows);
    }
    rows.add("Departures from the plan", plain(state.deviations().len().to_string()));
    rows.add("Plan digest", vec![Inline::code(state.planned().plan_digest.to_string())]);
    rows.add(
        "Log",
        vec![
            Inline::plain(format!("{} records; the last one is ", state.seq())),
            Inline::code(state.tail().to_string()),
        ],
    );
    make.table(&[("Fact", 3), ("Of this run", 8)], rows.0);
}

/// When it began and ended, and how that fits into what was stated.
fn times(state: &RunState, zone: &TimeZone, on_paper: bool, rows: &mut Rows) {
    let window = state.planned().window;
    let (started, ended) = clocks(state);
    let at = |at: Option<Timestamp>| maybe(at.map(|at| clock(at, zone)));
    let course = course(state);
    let (first, last, whole) = match course {
        Course::Invoked => ("First step began", "Last step settled", "The way back took"),
        Course::Turned => {
            let (stage, _) = clocks_of(state, |index| state.is_stage(index));
            rows.add("First stage began", at(stage));
            ("First step of the way back began", "Its last step settled", "The way back took")
        }
        Course::Forward => ("First stage began", "Last stage settled", "The release took"),
    };
    rows.add(first, at(started));
    rows.add(last, at(ended));
    rows.add("Run ended", maybe(state.finished().as_ref().map(|(_, at)| clock(*at, zone))));
    match (started, ended) {
        (Some(from), Some(to)) => {
            let word = if on_paper { ", by the times that people wrote down" } else { "" };
            rows.add(whole, plain(format!("{}{word}", took(between(from, to)))));
        }
        _ if on_paper => rows.add(
            whole,
            plain("not known: steps were attested without the times they began and ended"),
        ),
        _ => {}
    }
    let due = |by: Timestamp| {
        let late = match ended {
            Some(ended) if ended <= by => {
                format!(": in time, {} to spare", took(between(ended, by)))
            }
            Some(ended) => format!(": {} too late", took(between(by, ended))),
            None => String::new(),
        };
        plain(format!("{}{late}", clock(by, zone)))
    };
    if course == Course::Forward {
        // When a way back would have to end says nothing about a release that stayed.
        rows.add("To be deployed by", window.deploy_end.map(due).unwrap_or_default());
        return;
    }
    let stated = state.planned().plan.window.as_ref().and_then(|window| window.stated_total);
    rows.add("Stated total", maybe(stated.map(saying::span)));
    rows.add("To be finished by", window.backout_by.map(due).unwrap_or_default());
}

/// What is known of a deployment beside its steps.
fn watched(state: &RunState, rows: &mut Rows) {
    let release = state.release();
    if let Some(back) = &release.back {
        let taken = names(back.undoes.iter());
        let none = "none had changed anything";
        rows.add("Stages that had begun", plain(if taken.is_empty() { none } else { &taken }));
        rows.add("Stages that stay as they are", plain(names(state.left_standing())));
    }
    if let Some(watched) = release.watched.filter(|watched| watched.verdict != Verdict::Unwatched) {
        rows.add("Watch over the release", plain(watched.verdict.shown()));
    }
    let fired = release.triggers.iter().filter(|(_, seen)| seen.fired.is_some());
    let fired = fired.map(|(id, seen)| match seen.state {
        State::Ok => format!("{id} (well again)"),
        state => format!("{id} (last seen: {})", state.shown()),
    });
    rows.add("Triggers that fired", plain(names(fired)));
    let gaps: Duration = release.gaps.iter().map(|(from, to)| between(*from, *to)).sum();
    if !gaps.is_zero() {
        rows.add("Nobody watched for", plain(took(gaps)));
    }
    rows.add(
        "Defects written down",
        plain(match release.defects.len() {
            0 => String::new(),
            many => many.to_string(),
        }),
    );
}
