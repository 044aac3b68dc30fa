//! The one door: what follows from a command.
//!
//! ```text
//!   command ──► does it fit the run? ──► may this person? ──► is there anything to
//!                                                             confirm? ──► events
//! ```
//!
//! [`handle`] is a pure function, and the only place with a rule about who may do what when.
//! A front end, a webhook and a test get the same answer. What it returns is legal: it was
//! applied to a copy of the state. Facts that mattered stand in the events.
//!
//! The commands that lead out of a bad night (`invoke`, `resume`, `decide back-out`) are
//! refused only to the wrong person, or where a second copy of a step could run. Everything
//! else about them is one question with a default and a flag.

mod release;
mod start;
mod step;

use jiff::Timestamp;

use crate::act::Act;
use crate::authority::{Authority, Person, agreed_before, check_authority};
use crate::cause::{Concern, Denial, HoldCause};
use crate::choice::ForecastSummary;
use crate::command::{Command, NeedsReason, Request};
use crate::duration::Span;
use crate::event::{Event, Outcome};
use crate::location::{Location, Relocation};
use crate::people::{Account, PersonId};
use crate::plan::Plan;
use crate::policy::Policy;
use crate::question::begins;
use crate::record::Actor;
use crate::refusal::Refusal;
use crate::silence::Silence;
use crate::state::RunState;
use crate::status::Status;

pub use start::{
    AtWork, BrokenRule, OpenRun, Start, Terms, begin_run, captures_beside, first_vote,
    missing_baselines,
};

/// What is known outside the run when a command is judged.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The time on the wall.
    pub now: Timestamp,
    /// What the forecast says about backing out now, if anything.
    pub forecast: Option<&'a ForecastSummary>,
    /// What the organisation asks for.
    pub policy: &'a Policy,
    /// The account of the sender, as the system knows it.
    pub accounts: &'a Account,
    /// Where the state folder is, if that can be told.
    pub location: Option<&'a Location>,
}

/// What follows from a command: the events to append, as one record.
///
/// # Errors
/// [`Refusal`], with what can be done instead.
pub fn handle(
    state: &RunState,
    actor: &Actor,
    request: &Request,
    facts: &Facts<'_>,
) -> Result<Vec<Event>, Refusal> {
    let act = request.command.act(begins(state));
    // The journal can be damaged elsewhere than in the log of a run that is over.
    let mends = matches!(request.command, Command::Recover { contradicted: true, .. });
    if state.finished.is_some() && !mends {
        return Err(Refusal::Finished);
    }
    if is_elsewhere(state, &request.command, facts) {
        return Err(Refusal::OtherFolder);
    }
    if request.reason().is_none() && request.command.needs_reason() == NeedsReason::Always {
        return Err(Refusal::ReasonMissing { act: Box::new(act) });
    }
    let plan = &state.planned.plan;
    let denied = |denial| Refusal::Denied { act: Box::new(act.clone()), denial };
    let person = person_of(plan, actor, facts.accounts).map_err(denied)?;
    let authority = check_authority(plan, Some(state), facts.policy, &person, &act);
    // What it is about may be missing or over: that is said first, to anyone.
    let draft = draft(state, actor, request, facts, &act)?;
    if let Authority::Denied(denial) = authority {
        return Err(Refusal::Denied { act: Box::new(act), denial });
    }
    let confirmed = match draft.concern {
        Some(concern) if !request.confirmed => {
            let question = question_of(&request.command);
            return Err(Refusal::Confirm { concern, act: Box::new(act), question });
        }
        concern => concern,
    };
    if let Authority::NeedsMore { .. } = authority {
        let reason = request.reason().map(str::to_owned);
        return Ok(vec![Event::CommandProposed { act, reason }]);
    }
    let agreed = agreed_before(state, &person, &act);
    let events = draft.events.into_iter().map(|event| with_facts(event, &agreed, &confirmed));
    Ok(events.collect())
}

/// The record of a refusal, where one is kept: that a person tried what they may not do.
#[must_use]
pub fn refusal_event(refusal: &Refusal) -> Option<Event> {
    let Refusal::Denied { act, denial } = refusal else { return None };
    Some(Event::CommandRefused { act: (**act).clone(), denial: denial.clone() })
}

/// Whether a command would be heard by a copy alone: what goes on in the folder it was copied
/// from does not see it. To give a copy up, and to rebuild it, is meant for the copy alone.
fn is_elsewhere(state: &RunState, command: &Command, facts: &Facts<'_>) -> bool {
    let harmless =
        matches!(command, Command::GoOnHere { .. } | Command::Abandon | Command::Recover { .. });
    !harmless && is_in_a_copy(state, facts)
}

fn is_in_a_copy(state: &RunState, facts: &Facts<'_>) -> bool {
    let change = facts.location.and_then(|here| state.relocation(here));
    change.is_some_and(Relocation::is_of_folder)
}

fn question_of(command: &Command) -> Option<u32> {
    match command {
        Command::Decide { question, .. } => *question,
        _ => None,
    }
}

/// What a command comes to if the sender may give it.
struct Draft {
    events: Vec<Event>,
    /// What has to be confirmed before.
    concern: Option<Concern>,
}

impl From<Vec<Event>> for Draft {
    fn from(events: Vec<Event>) -> Self {
        Self { events, concern: None }
    }
}

fn draft(
    state: &RunState,
    actor: &Actor,
    request: &Request,
    facts: &Facts<'_>,
    act: &Act,
) -> Result<Draft, Refusal> {
    let reason = request.reason().unwrap_or_default();
    let optional = || request.reason().map(str::to_owned);
    let draft = match &request.command {
        Command::AgreeToStart => Draft::from(vec![Event::StartAgreed { agreed: Vec::new() }]),
        Command::Hold if state.held.is_some() => return Err(Refusal::HeldAlready),
        Command::Hold => {
            let cause = HoldCause::Person;
            Draft::from(vec![Event::RunHeld { cause, reason: optional() }])
        }
        Command::Recover { contradicted: false, .. } => return Err(Refusal::NothingLost),
        Command::Recover { .. } if state.finished.is_some() => Draft::from(Vec::new()),
        Command::Recover { found, known, ledger_behind, .. } => {
            let behind = *ledger_behind;
            let mut events = crate::rebuild::recovered(state, found, *known, behind, reason);
            // To go back ends a hold of the way forward.
            let turns = events.iter().any(|event| matches!(event, Event::BackoutStarted { .. }));
            if state.held.is_none() || turns {
                events.push(Event::RunHeld { cause: HoldCause::Recovered, reason: None });
            }
            // What is rebuilt in a copy is noted, and contradicts the place it was copied from.
            let here = facts.location.filter(|_| is_in_a_copy(state, facts));
            let draft = here.map(|here| go_on_here(state, here, optional()));
            let draft = draft.unwrap_or_else(|| Draft::from(Vec::new()));
            events.extend(draft.events);
            Draft { events, concern: draft.concern }
        }
        Command::Resume => Draft::from(vec![Event::RunResumed { reason: optional() }]),
        Command::GoOnHere { location } => go_on_here(state, location, optional()),
        Command::TakeOver { coordinator, silent_for } => {
            take_over(coordinator, *silent_for, reason.to_owned())
        }
        Command::Abandon => Draft::from(abandon(state, reason)?),
        Command::SwitchOption { option } => {
            if state.release.goes_forward() {
                return Err(Refusal::GoesForward { option: option.clone() });
            }
            if state.option.as_ref() == Some(option) {
                return Err(Refusal::OnOptionAlready { option: option.clone() });
            }
            let (option, reason) = (option.clone(), reason.to_owned());
            Draft::from(vec![Event::OptionSwitched { option, reason }])
        }
        Command::LogDefect { title, id, severity, trigger } => {
            if title.trim().is_empty() {
                return Err(Refusal::TitleMissing);
            }
            Draft::from(vec![Event::DefectLogged {
                title: title.trim().to_owned(),
                id: id.clone(),
                severity: *severity,
                trigger: trigger.clone(),
            }])
        }
        Command::Skip { .. } => {
            let events = step::events(state, actor, request, act, facts.now)?;
            let then = state.with(&events, actor, facts.now).ok();
            let opened = then.map(|then| step::lets_users_in(state, &then)).unwrap_or_default();
            let concern = (!opened.is_empty()).then_some(Concern::LetsUsersIn { steps: opened });
            Draft { events, concern }
        }
        Command::Decide { .. } | Command::Approve { .. } => {
            release::draft(state, request, facts, act)?
        }
        Command::Acknowledge { .. }
        | Command::Fail { .. }
        | Command::Stop { .. }
        | Command::Retry { .. }
        | Command::CheckAgain { .. }
        | Command::Add { .. }
        | Command::Replace { .. }
        | Command::Resolve { .. }
        | Command::Attest { .. }
        | Command::Assign { .. } => {
            Draft::from(step::events(state, actor, request, act, facts.now)?)
        }
    };
    // What is returned can be written: it is tried on a copy.
    let impossible = |error| Refusal::NotPossible { act: Box::new(act.clone()), error };
    state.with(&draft.events, actor, facts.now).map_err(impossible)?;
    Ok(draft)
}

/// Whether the run is at work elsewhere can be told by nobody but a person.
fn go_on_here(state: &RunState, location: &Location, reason: Option<String>) -> Draft {
    let Some(change) = state.relocation(location) else { return Draft::from(Vec::new()) };
    let coordinator = state.coordinator.clone();
    Draft {
        events: vec![Event::Relocated { change, to: location.clone(), reason }],
        concern: Some(Concern::OtherLocation { change, coordinator }),
    }
}

/// A coordinator that hangs is taken over without a question. A person may know better of one that
/// shows that it lives: they confirm it. No step runs twice in either case: what a coordinator may
/// still start is fenced by the log and by the ledger, not by its silence.
fn take_over(coordinator: &str, silent_for: Option<Span>, reason: String) -> Draft {
    let from = coordinator.to_owned();
    let concern = (Silence::of(silent_for.map(Span::get)) != Silence::Silent)
        .then(|| Concern::NotSilent { coordinator: from.clone(), silent_for });
    Draft {
        events: vec![Event::TakenOver { from, silent_for, reason, confirmed: Vec::new() }],
        concern,
    }
}

/// An abandoned run is watched by no coordinator: nothing of it may be at work.
fn abandon(state: &RunState, reason: &str) -> Result<Vec<Event>, Refusal> {
    let at_work = |&index: &usize| {
        state.states[index].status == Status::Running && !state.steps[index].action.is_reported()
    };
    let steps: Vec<_> =
        state.active().filter(at_work).map(|index| state.steps[index].id.clone()).collect();
    if !steps.is_empty() {
        return Err(Refusal::StepsRunning { steps });
    }
    let outcome = Outcome::Abandoned { reason: reason.to_owned() };
    Ok(vec![Event::RunFinished { outcome }])
}

/// The same event with what was known beside the command.
fn with_facts(mut event: Event, agreed: &[PersonId], confirmed: &Option<Concern>) -> Event {
    match &mut event {
        Event::DecisionMade { agreed: others, confirmed: concerns, .. } => {
            *others = agreed.to_vec();
            concerns.extend(confirmed.clone());
        }
        Event::StepSkipped { confirmed: concerns, .. }
        | Event::TakenOver { confirmed: concerns, .. } => concerns.extend(confirmed.clone()),
        Event::StartAgreed { agreed: others } => *others = agreed.to_vec(),
        _ => {}
    }
    event
}

/// The person behind an actor, with the roles the plan gives them.
///
/// # Errors
/// [`Denial`] when the actor is no person of this run, or claims the role of another account.
pub fn person_of(plan: &Plan, actor: &Actor, account: &Account) -> Result<Person, Denial> {
    match actor {
        Actor::Coordinator { .. } => Err(Denial::NoRole),
        Actor::System { name, role } => {
            Ok(Person { id: PersonId::Name(name.clone()), roles: role.iter().cloned().collect() })
        }
        Actor::Person { id, role, .. } => {
            let held = |role_id: &crate::ids::RoleId| id.holds(plan, role_id);
            let mut roles: std::collections::BTreeSet<_> =
                plan.roles.keys().filter(|role| held(role)).cloned().collect();
            // A team's role is held by each of its people.
            roles.extend(
                role.iter()
                    .filter(|role| {
                        let known = plan.roles.get(*role);
                        known.is_some_and(|role| role.name.is_none() || role.team.is_some())
                    })
                    .cloned(),
            );
            for role in &roles {
                let bound = plan.roles.get(role).and_then(|role| role.user.as_deref());
                if bound.is_some_and(|bound| account.is_other_than(bound)) {
                    return Err(Denial::OtherAccount { role: role.clone() });
                }
            }
            Ok(Person { id: id.clone(), roles })
        }
    }
}
