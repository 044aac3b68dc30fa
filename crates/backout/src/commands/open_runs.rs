//! The open runs of a change, as they stand beside a run that is to begin.

use std::sync::Arc;

use backout_core::event::{Direction, Event, RunPlanned};
use backout_core::handle::{AtWork, OpenRun};
use backout_core::ids::RunId;
use backout_core::mark::is_behind_elsewhere;
use backout_core::plan::Plan;
use backout_core::rebuild::{self, AttemptEnd, ProvenAttempt};
use backout_engine::RunLog;
use backout_engine::conductor::listed;
use backout_sqlite::SqliteJournal;

use crate::app::App;
use crate::failure::Failure;
use crate::run_ref;
use crate::suspect;

/// The open runs of a change, and the number of its newest run, 0 if there is none.
pub(super) async fn open_runs(
    app: &App,
    journal: &Arc<SqliteJournal>,
    plan: &Plan,
) -> Result<(Vec<OpenRun>, u64), Failure> {
    use backout_engine::Journal;
    let (mut open, mut newest) = (Vec::new(), 0);
    let known = journal.runs().await?;
    // What was done under a name that the journal does not have was done by a run whose log is
    // lost. Nothing of it is known, and its name is not given away again.
    for run in run_ref::noted_runs(app)? {
        let Some(number) = run.number_for(plan.change.name()) else { continue };
        if known.iter().all(|(other, _)| *other != run) {
            newest = newest.max(number);
            crate::warn!("warning: {run} did something here, and its log is gone");
            open.push(unread(app, plan, run)?);
        }
    }
    for (run, _) in known {
        let Some(number) = run.number_for(plan.change.name()) else { continue };
        newest = newest.max(number);
        let log = match RunLog::open(Arc::clone(journal), &run).await {
            Ok(log) => log,
            // What cannot be read may be open: a second run is begun only if it is meant.
            Err(error) => {
                crate::warn!("warning: {run} cannot be read: {error}");
                open.push(unread(app, plan, run)?);
                continue;
            }
        };
        let state = log.state();
        if state.finished().is_none() && state.planned().plan.change.name() == plan.change.name() {
            if is_suspect(app, &run).await? {
                open.push(unread(app, plan, run)?);
                continue;
            }
            let direction = match state.release().goes_forward() {
                true => Direction::Forward,
                false => Direction::Back,
            };
            open.push(OpenRun {
                run,
                direction: Some(direction),
                awaits_agreement: state.awaits_agreement(),
                turned: false,
                at_work: None,
            });
        }
    }
    Ok((open, newest))
}

/// What is known of a run whose log cannot be relied on.
fn unread(app: &App, plan: &Plan, run: RunId) -> Result<OpenRun, Failure> {
    let found = proven(app, &run)?;
    let coordinator = app.coordinator_for_sure(&run)?.map(|holder| AtWork::Coordinator(holder.id));
    let at_work = found.iter().find(|proven| proven.end == AttemptEnd::AtWork);
    let at_work = at_work.map(|proven| AtWork::Step(proven.id.step.clone()));
    let turned = rebuild::has_turned(plan, &found);
    let at_work = coordinator.or(at_work);
    Ok(OpenRun { run, direction: None, awaits_agreement: false, turned, at_work })
}

/// Whether something known elsewhere contradicts the log of a run; that is said.
async fn is_suspect(app: &App, run: &RunId) -> Result<bool, Failure> {
    let places = app.places(run).await;
    let entries = app.ledger().entries(run)?;
    // Read after both: a record is in the log before anything is noted about it.
    let log = app.read(run).await?;
    let judged = suspect::compared(&places, log.state(), log.digests(), &entries);
    if judged.is_suspect() {
        let why = listed(&judged.suspicions);
        anstream::eprintln!("warning: the log of {run} has lost its end: {why}");
    }
    Ok(judged.is_suspect())
}

/// The steps that a run whose log cannot be relied on carried out, or may have.
pub(super) async fn inherited(
    app: &App,
    journal: &Arc<SqliteJournal>,
    planned: &RunPlanned,
    run: &RunId,
) -> Result<Vec<Event>, Failure> {
    let (found, left) = (proven(app, run)?, RunLog::open(Arc::clone(journal), run).await.ok());
    let (plan, direction) = (&planned.plan, planned.direction);
    let digests = left.as_ref().map(RunLog::digests).unwrap_or_default();
    let behind = is_behind_elsewhere(&app.places(run).await, digests);
    let left = left.as_ref().map(RunLog::state);
    Ok(rebuild::inherited(plan, direction, run, &found, behind, left))
}

/// The attempts that the ledger of a run proves.
fn proven(app: &App, run: &RunId) -> Result<Vec<ProvenAttempt>, Failure> {
    Ok(app.ledger().entries(run)?.into_iter().map(|entry| entry.proven).collect())
}
