//! Commands of people and of other systems, whether a coordinator is at work or not.
//!
//! A command is one record in the log. It is judged by [`handle`] on the state behind which it
//! is written; when another writer was quicker, it is judged again on the new state. So an
//! answer is never lost between two processes, and never applied to a situation that its
//! rules did not see.

use backout_core::authority::{Authority, check_authority};
use backout_core::command::Request;
use backout_core::event::Event;
use backout_core::handle::{Facts, handle, person_of, refusal_event};
use backout_core::ids::RoleId;
use backout_core::location::Location;
use backout_core::moment::Moment;
use backout_core::people::Account;
use backout_core::policy::Policy;
use backout_core::record::{Actor, Record};
use backout_core::refusal::Refusal;

use crate::forecaster::Forecaster;
use crate::journal::{AppendError, Journal};
use crate::log::{RunLog, WriteError};

/// Who sends a command, and when.
#[derive(Debug, Clone)]
pub struct Sender<'a> {
    /// Who they are in the plan.
    pub actor: &'a Actor,
    /// Their account, as the system knows it.
    pub account: &'a Account,
    /// When.
    pub at: Moment,
    /// Where the state folder is, if that can be told.
    pub location: Option<&'a Location>,
}

/// How a command ended.
#[derive(Debug)]
pub enum Submitted {
    /// It is in the log.
    Done(Record),
    /// It takes more people; this one's word is in the log.
    Proposed {
        /// The record.
        record: Record,
        /// The roles whose holders count; empty where anyone does.
        roles: Vec<RoleId>,
        /// How many more.
        more: u32,
    },
    /// It is not carried out. That the wrong person asked is in the log.
    Refused(Refusal),
}

/// Judges a command and writes what follows from it.
///
/// # Errors
/// [`WriteError`] when the log cannot be read or written.
pub async fn submit<J: Journal>(
    log: &mut RunLog<J>,
    sender: Sender<'_>,
    request: &Request,
    forecaster: &dyn Forecaster,
    policy: &Policy,
) -> Result<Submitted, WriteError> {
    loop {
        log.refresh().await?;
        // What is counted from an earlier moment goes on although the clock was set since.
        let state = &log.state().on_clock(&sender.at);
        let now = sender.at.wall;
        let forecast = match request.command.needs_forecast() {
            true => forecaster.summary(state, now),
            false => None,
        };
        let policy = &policy.clone().tightened_by(&state.planned().policy);
        let facts = Facts {
            now,
            forecast: forecast.as_ref(),
            policy,
            accounts: sender.account,
            location: sender.location,
        };
        let (mut events, refusal) = match handle(state, sender.actor, request, &facts) {
            Ok(events) => (events, None),
            Err(refusal) => match refusal_event(&refusal) {
                Some(event) => (vec![event], Some(refusal)),
                None => return Ok(Submitted::Refused(refusal)),
            },
        };
        let act = match events.first() {
            Some(Event::CommandProposed { act, .. }) => Some(act.clone()),
            _ => None,
        };
        // A departure from the plan gets an order of work for what is left.
        if refusal.is_none() && act.is_none() && request.command.departs() {
            let then = state.with(&events, sender.actor, now)?;
            let order = forecaster.order(&then, now);
            events.extend(order.map(|order| Event::OrderFrozen { order }));
        }
        // Whoever writes first notes that the clock was set.
        if state.finished().is_none() {
            let change = log.state().clock_change(&sender.at).map(Event::from);
            events.splice(0..0, change);
        }
        let epoch = state.epoch();
        match log.append(epoch, sender.actor.clone(), sender.at.clone(), events).await {
            Ok(record) => {
                return Ok(match (refusal, act) {
                    (Some(refusal), _) => Submitted::Refused(refusal),
                    (None, None) => Submitted::Done(record),
                    (None, Some(act)) => {
                        let state = log.state();
                        let plan = &state.planned().plan;
                        let person = person_of(plan, sender.actor, sender.account).ok();
                        let authority = person.map(|person| {
                            check_authority(plan, Some(state), policy, &person, &act)
                        });
                        let (roles, more) = match authority {
                            Some(Authority::NeedsMore { roles, more }) => (roles, more),
                            _ => (Vec::new(), 1),
                        };
                        Submitted::Proposed { record, roles, more }
                    }
                });
            }
            Err(WriteError::Append(AppendError::Moved)) => {}
            Err(error) => return Err(error),
        }
    }
}
