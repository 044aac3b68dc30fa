//! A log that something known elsewhere contradicts: what is shown of it, and the ways out.

use backout_core::attempt::AttemptId;
use backout_core::ids::{Digest, RunId};
use backout_core::mark::{Judgement, MarkPlace, NotCompared, Suspicion, judge};
use backout_core::state::RunState;
use backout_engine::conductor::listed;
use backout_exec::entries::Entry;

use crate::app::App;
use crate::failure::Failure;

/// Compares a log that was read with everything known elsewhere of it.
pub(crate) fn compared(
    places: &[MarkPlace],
    state: &RunState,
    digests: &[Digest],
    entries: &[Entry],
) -> Judgement {
    let noted: Vec<AttemptId> = entries.iter().map(|entry| entry.id.clone()).collect();
    let unknown: Vec<AttemptId> = state.unknown(&noted).cloned().collect();
    judge(digests, state.planned().keeps_marks, places, &unknown)
}

/// Whether something known elsewhere contradicts a log; that is said before what is shown of it,
/// which is no more than what is left of the log.
pub(crate) async fn is_said(app: &App, run: &RunId) -> Result<bool, Failure> {
    let places = app.places(run).await;
    let entries = app.ledger().entries(run)?;
    // Read after both: a record is in the log before anything is noted about it.
    let log = app.read(run).await?;
    let judged = compared(&places, log.state(), log.digests(), &entries);
    warn(run, &judged.not_compared);
    if judged.is_suspect() {
        failure(app, run, &judged.suspicions).warn();
    }
    Ok(judged.is_suspect())
}

/// Each attempt that a log does not know, and how it ended.
pub(crate) fn attempts(state: &RunState, entries: &[Entry]) -> Vec<String> {
    let noted: Vec<AttemptId> = entries.iter().map(|entry| entry.id.clone()).collect();
    let unknown: Vec<&AttemptId> = state.unknown(&noted).collect();
    let lost = entries.iter().filter(|entry| unknown.contains(&&entry.id));
    lost.map(shown).collect()
}

/// An attempt and how it ended.
pub(crate) fn shown(entry: &Entry) -> String {
    let AttemptId { step, attempt, .. } = &entry.id;
    let mut line = format!("attempt {attempt} at {step}: {}", entry.proven.end.shown());
    for problem in &entry.problems {
        line.push_str(&format!("; {problem}"));
    }
    line
}

/// Why nothing is done on the log of a run, what is known, and the ways out.
pub(crate) fn failure(app: &App, run: &RunId, suspicions: &[Suspicion]) -> Failure {
    let mut message = format!("the log of {run} has lost its end: {}", listed(suspicions));
    let entries = app.ledger().entries(run).unwrap_or_default();
    for suspicion in suspicions {
        let Suspicion::UnknownAttempt(id) = suspicion else { continue };
        let lost = entries.iter().filter(|entry| entry.id == **id).map(shown);
        lost.for_each(|line| message.push_str(&format!("\n  {line}")));
    }
    ways_out(Failure::refused(message), run)
}

/// A run that did something here, and that the journal does not have.
pub(crate) fn lost(app: &App, run: &RunId) -> Failure {
    let mut message = format!("{run} did something here, and its log is gone");
    for entry in app.ledger().entries(run).unwrap_or_default() {
        message.push_str(&format!("\n  {}", shown(&entry)));
    }
    ways_out(Failure::refused(message), run)
}

fn ways_out(failure: Failure, run: &RunId) -> Failure {
    failure
        .hint("nothing was started: what the log forgot could run a second time")
        .hint(format!("rebuild it from what is proven: `backout recover {run} --reason \"…\"`"))
        .hint("begin anew, and be asked about each step that may be done: `backout invoke PLAN --new-run --reason \"…\"`")
        .hint(format!("or put the whole journal back; `backout verify {run}` compares it"))
}

/// Says what a log could not be compared with.
pub(crate) fn warn(run: &RunId, not_compared: &[NotCompared]) {
    for missing in not_compared {
        anstream::eprintln!("warning: {}", not_compared_line(run, missing));
    }
}

/// What a log could not be compared with, in one sentence.
pub(crate) fn not_compared_line(run: &RunId, NotCompared { place, why }: &NotCompared) -> String {
    let why = why.as_deref().unwrap_or("nothing is there");
    format!("the log of {run} could not be compared with {place}: {why}")
}
