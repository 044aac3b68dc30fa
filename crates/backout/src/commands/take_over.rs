//! What a coordinator has before it begins: the lease, also from one that hangs, and its places.

use backout_core::command::{Command, Request};
use backout_core::duration::Span;
use backout_core::parallel::{self, Places};
use backout_core::state::RunState;
use backout_engine::RunLog;
use backout_sqlite::{Lease, SqliteJournal};

use super::Done;
use super::invoke::given_reason;
use super::submit::send;
use crate::app::{App, coordinator_id};
use crate::cli::{ResumeArgs, StayArgs};
use crate::failure::{Exit, Failure};

/// Takes the lease of a run from the process that has it, once that is judged and in the log;
/// nothing where no process has it. `Err` ends the command.
///
/// No other take-over begins between the look at that process and the end of this.
pub(super) async fn take_over(
    app: &App,
    log: &mut RunLog<SqliteJournal>,
    args: &ResumeArgs,
) -> Result<Result<Option<Lease>, Exit>, Failure> {
    let run = log.state().run().clone();
    let taking = app.prepare_take_over(&run)?;
    let Some(holder) = taking.holder().cloned() else {
        crate::warn!("note: no coordinator holds {run}: there is nothing to take over");
        return Ok(Ok(None));
    };
    let silent_for = holder.silent_for.map(|silent_for| Span::seconds(silent_for.as_secs()));
    let command = Command::TakeOver { coordinator: holder.id.clone(), silent_for };
    let reason = given_reason(args.reason.as_deref());
    let request = Request { command, reason, confirmed: args.yes };
    let sent = send(app, log, args.who.who.as_deref(), &request).await.map_err(|failure| {
        match failure.is_of_the_system() {
            true => failure.hint(format!(
                "if {} was stopped in the middle of writing, it holds the journal: end it with `kill -9`; that loses nothing",
                holder.id
            )),
            false => failure,
        }
    })?;
    if sent != Exit::Done {
        return Ok(Err(sent));
    }
    taking.take(&coordinator_id()).map(|lease| Ok(Some(lease))).map_err(|taken| Failure::of(&taken))
}

/// Asks whether the run goes on here, where it was elsewhere before.
pub(super) async fn go_on_here(
    app: &App,
    log: &mut RunLog<SqliteJournal>,
    args: &ResumeArgs,
) -> Done {
    let location = app.location();
    if log.state().relocation(&location).is_none() {
        return Ok(Exit::Done);
    }
    let reason = given_reason(args.reason.as_deref());
    let request = Request { command: Command::GoOnHere { location }, reason, confirmed: args.yes };
    send(app, log, args.who.who.as_deref(), &request).await
}

/// How many steps of machines this coordinator carries out at the same time.
pub(super) fn places(app: &App, state: &RunState, stay: &StayArgs) -> Places {
    use rustix::process::{Resource, getrlimit};
    let policy = app.policy_tonight().tightened_by(&state.planned().policy);
    let wanted = parallel::Wanted {
        asked: stay.max_parallel.or_else(|| state.asked_places()),
        plan: state.planned().plan.max_parallel.map(|most| most.0),
        policy: policy.max_parallel,
        descriptors: getrlimit(Resource::Nofile).maximum,
    };
    let places = wanted.places();
    if let Some(asked) = stay.max_parallel.filter(|asked| *asked > places.most) {
        crate::warn!(
            "warning: {asked} steps at a time are more than the policy and the limit of file descriptors allow; it is {}",
            places.most
        );
    }
    places
}
