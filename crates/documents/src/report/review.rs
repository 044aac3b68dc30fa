//! The review's questions, answered as far as the log can.

use backout_core::event::Outcome;
use backout_core::state::RunState;
use backout_core::status::Status;

use super::course::{Course, course, trigger};
use super::summary::findings;
use super::{Log, between, clocks, took};
use crate::make::{Make, maybe, plain};
use crate::saying;
use crate::tree::Cell;

pub(super) fn review(log: &Log<'_>, make: &mut Make) {
    let state = log.state;
    let Some(review) = &state.planned().plan.review else { return };
    make.heading(2, "Review");
    let owner = review
        .owner
        .as_ref()
        .map(|owner| format!("{} holds it", state.planned().plan.person(owner)));
    let within = review.within.map(|within| format!("within {}", saying::span(within)));
    let said: Vec<String> = owner.into_iter().chain(within).collect();
    if !said.is_empty() {
        make.text(format!("{}.", said.join(", ")));
    }
    let rows: Vec<Vec<Cell>> = review
        .questions
        .iter()
        .map(|question| {
            let answer = answer(question, log);
            let by = if answer.is_some() { "the log" } else { "" };
            vec![plain(question), maybe(answer), plain(by)]
        })
        .collect();
    if !rows.is_empty() {
        make.form(&[("Question", 6), ("Answer", 9), ("Answered by", 2)], rows);
        make.quiet(
            "Questions without an answer are for the people in the review: the log cannot know.",
        );
    }
}

/// What the log can say to a question of the review.
fn answer(question: &str, log: &Log<'_>) -> Option<String> {
    let state = log.state;
    let said = question.to_lowercase();
    let has = |words: &[&str]| words.iter().all(|word| said.contains(word));
    let any = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let forward = course(state) == Course::Forward;
    let about_back = any(&[
        "backout",
        "back out",
        "back-out",
        "backed out",
        "backing out",
        "way back",
        "rollback",
        "roll back",
        "rolled back",
        "revert",
    ]);
    let is_asked = any(&["trigger", "duration", "how long", "as planned", "according to plan"])
        || has(&["time", "take"]);
    if forward && about_back && is_asked {
        // While it runs it may still come to that.
        return state.finished().is_some().then(|| "Nothing was backed out.".to_owned());
    }
    if has(&["trigger"]) && !has(&["appropriate"]) {
        return trigger(log);
    }
    if has(&["duration"]) || has(&["how long"]) || has(&["time", "take"]) {
        return duration(state);
    }
    if has(&["as planned"]) || has(&["according to plan"]) {
        return as_planned(state);
    }
    if has(&["attested"]) || has(&["by hand"]) {
        let by_hand = state.states().iter().filter(|known| known.attested).count();
        return Some(format!("{by_hand} steps"));
    }
    None
}

fn duration(state: &RunState) -> Option<String> {
    let (started, ended) = clocks(state);
    let length = took(between(started?, ended?));
    let stated = state.planned().plan.window.as_ref().and_then(|window| window.stated_total);
    let stated =
        stated.map(|stated| format!(", {} stated", saying::span(stated))).unwrap_or_default();
    Some(match course(state) {
        Course::Invoked => format!("{length}{stated}"),
        Course::Turned => format!("The way back took {length}{stated}"),
        Course::Forward => format!("The release took {length}"),
    })
}

/// Whether it went as planned: the way back where the run went back, and no stage that
/// was the very reason for it.
fn as_planned(state: &RunState) -> Option<String> {
    let (outcome, _) = state.finished().as_ref()?;
    let since = state.release().back.as_ref().map(|back| back.since);
    let counts = |index: &usize| since.is_none() || !state.is_stage(*index);
    let departures = state
        .deviations()
        .iter()
        .filter(|known| since.is_none_or(|since| known.at >= since))
        .count();
    let failed = (0..state.steps().len())
        .filter(counts)
        .map(|index| &state.states()[index])
        .filter(|known| known.attempt > 1 || known.status == Status::Failed)
        .count();
    let (one, on) = match course(state) {
        Course::Invoked => ("step", ""),
        Course::Turned => ("step", " on the way back"),
        Course::Forward => ("stage", ""),
    };
    let smooth = departures == 0 && failed == 0;
    let how = match smooth {
        true => format!("no departure from the plan{on}, every {one} at its first try"),
        false => format!(
            "{departures} departures from the plan{on}, {failed} {one}s that failed or took more than one try"
        ),
    };
    Some(match outcome {
        Outcome::Abandoned { reason } => format!("No: the run was given up ({reason}); {how}."),
        Outcome::Partial if smooth => {
            format!("As far as it was gone: {how}; but not everything is as it was.")
        }
        Outcome::DeployedWithFindings if smooth => {
            let found = findings(state);
            format!("As far as the stages go: {how}; but not all was well: {found}.")
        }
        _ if smooth => format!("Yes: {how}."),
        _ => format!("No: {how}."),
    })
}
