//! Sending commands to a run. Every command goes through one door; what it comes to is worded
//! here.

use backout_core::command::Request;
use backout_core::state::RunState;
use backout_engine::RunLog;
use backout_engine::command::{Sender, Submitted, submit};
use backout_sqlite::SqliteJournal;

use super::Done;
use crate::app::{App, sender};
use crate::failure::{Exit, as_given};
use crate::foresight::HistoryForecaster;
use crate::run_ref;
use crate::view::{holders, refusals, words};

/// Sends a command and says how it ended, unless it was carried out.
pub(super) async fn send(
    app: &App,
    log: &mut RunLog<SqliteJournal>,
    as_who: Option<&str>,
    request: &Request,
) -> Done {
    let (actor, account) = sender(&log.state().planned().plan, as_who)?;
    let forecaster = match request.command.departs() || request.command.needs_forecast() {
        true => HistoryForecaster::of_state(app).await?,
        false => HistoryForecaster::default(),
    };
    let location = app.location();
    let by =
        Sender { actor: &actor, account: &account, at: app.moment(), location: Some(&location) };
    let policy = app.policy_tonight();
    match submit(log, by, request, &forecaster, &policy).await? {
        Submitted::Done(_) => Ok(Exit::Done),
        Submitted::Proposed { roles, more, .. } => {
            let plan = &log.state().planned().plan;
            let act = request.command.act(backout_core::question::begins(log.state()));
            let roles = backout_documents::saying::roles(plan, &roles);
            crate::say!(
                "Noted: {} asks to {}. It takes {more} more of {roles}; they give the same command.",
                actor.name(plan),
                act.shown()
            );
            Ok(Exit::Waiting)
        }
        Submitted::Refused(refusal) => Err(refusals::of_run(&refusal, log.state())),
    }
}

/// Tells what happens now that a command is in the log.
pub(super) fn then(app: &App, state: &RunState, said: &str) {
    crate::say!("{}", as_given(said));
    if state.finished().is_some() {
        return;
    }
    let hints = match app.coordinator(state.run()) {
        None => {
            vec![format!("No coordinator is at work: `backout resume {}` goes on.", state.run())]
        }
        Some(holder) => holders::lines(&holder, state.run().as_str()),
    };
    hints.iter().for_each(|hint| crate::say!("{}", as_given(hint)));
}

/// The log of the run that is meant.
pub(super) async fn open(
    app: &App,
    run: &str,
) -> Result<RunLog<SqliteJournal>, crate::failure::Failure> {
    let run = run_ref::find(app, Some(run)).await?;
    app.open(&run).await
}

/// The moment until which a fix is tried, where one is.
pub(super) fn fix_until(state: &RunState) -> Option<String> {
    let until = state.release().open.as_ref()?.fix_until?;
    Some(words::clock(until, &words::zone(&state.planned().plan)))
}
