//! Commands about a release: decisions, and approvals of stages.

use jiff::Timestamp;

use super::{Draft, Facts};
use crate::act::Act;
use crate::cause::{Concern, IrreversibleStage};
use crate::choice::{Choice, Verb};
use crate::command::{Command, Request};
use crate::decision::{decided, fix_window, irreversible};
use crate::duration::Span;
use crate::event::{Event, Outcome, Reason};
use crate::ids::OptionId;
use crate::illegal::Illegal;
use crate::refusal::{Refusal, StillAsked};
use crate::state::RunState;

/// What a decision, or an approval, comes to.
pub(super) fn draft(
    state: &RunState,
    request: &Request,
    facts: &Facts<'_>,
    act: &Act,
) -> Result<Draft, Refusal> {
    match &request.command {
        Command::Approve { stage, shown } => {
            let now = state.step(stage).map(|(step, _)| step.digest().short());
            if let (Some(shown), Some(now)) = (shown, now.clone())
                && *shown != now
            {
                return Err(Refusal::StepChanged { step: stage.clone(), now });
            }
            if state.release.approved.contains(stage) {
                return Err(Refusal::ApprovedAlready { stage: stage.clone() });
            }
            let reason = request.reason().unwrap_or_default().to_owned();
            Ok(Draft::from(vec![Event::StageApproved {
                stage: stage.clone(),
                digest: now,
                reason,
            }]))
        }
        Command::Decide { verb, option, fix_for, question, readings } => {
            let impossible = |error| Refusal::NotPossible { act: Box::new(act.clone()), error };
            is_asked(state, *question).map_err(impossible)?;
            if !state.release.goes_forward() && *verb != Verb::Continue {
                let other = option.as_ref().filter(|&option| state.option.as_ref() != Some(option));
                // What waits, or is held, does not go back yet.
                let waits =
                    state.awaits_agreement || state.held.is_some() || state.holding.is_some();
                let left = match (verb.goes_back(), other) {
                    (false, _) => StillAsked::Forward,
                    (true, Some(other)) => StillAsked::Option(other.clone()),
                    (true, None) if waits => StillAsked::Move,
                    (true, None) => StillAsked::Nothing,
                };
                return Err(Refusal::GoesBackAlready { left });
            }
            // Nothing has begun: to go back is to end it.
            if state.awaits_agreement && verb.goes_back() {
                let reason = request.reason().unwrap_or("not started").to_owned();
                let outcome = Outcome::Abandoned { reason };
                return Ok(Draft::from(vec![Event::RunFinished { outcome }]));
            }
            let (choice, concern, latest) = match verb {
                Verb::BackOut => {
                    let option = chosen_option(state, option.as_ref()).map_err(impossible)?;
                    (Choice::BackOut { option }, way_back(state, act), None)
                }
                Verb::NotFixable => (Choice::NotFixable, way_back(state, act), None),
                Verb::Continue => (Choice::Continue, None, None),
                Verb::FixForward => fix_forward(state, *fix_for, facts)?,
            };
            let reason = Reason::Person(request.reason().unwrap_or_default().to_owned());
            let mut events = decided(&state.release, choice, reason, None, readings.clone());
            for event in &mut events {
                if let Event::DecisionMade { latest: noted, .. } = event {
                    *noted = latest;
                }
            }
            Ok(Draft { events, concern })
        }
        // Handled where they belong.
        _ => Err(Refusal::NotPossible {
            act: Box::new(act.clone()),
            error: Illegal::Release("it is not about the release"),
        }),
    }
}

/// Whether a question, if one is named, is the one that is open.
fn is_asked(state: &RunState, question: Option<u32>) -> Result<(), Illegal> {
    let open = state.release.open.as_ref().map(|open| open.number);
    match question.filter(|_| question != open) {
        Some(question) => Err(Illegal::NotAsked { question, open }),
        None => Ok(()),
    }
}

/// The option that is named, else the one that is called for.
fn chosen_option(state: &RunState, named: Option<&OptionId>) -> Result<Option<OptionId>, Illegal> {
    let known = |option: &OptionId| state.planned.plan.options.contains_key(option);
    match named {
        Some(option) if !known(option) => Err(Illegal::NoOption(option.clone())),
        Some(option) => Ok(Some(option.clone())),
        None => Ok(state.release.open.as_ref().and_then(|open| open.option.clone())),
    }
}

/// After an irreversible stage a backout undoes only a part: that is confirmed, unless the
/// option is named, which says the same.
fn way_back(state: &RunState, act: &Act) -> Option<Concern> {
    if matches!(act, Act::Decide { option: Some(_), .. }) {
        return None;
    }
    let stages: Vec<IrreversibleStage> = irreversible(state)
        .map(|(stage, why)| IrreversibleStage { stage: stage.clone(), why: why.to_owned() })
        .collect();
    (!stages.is_empty()).then_some(Concern::Irreversible { stages })
}

type Fix = (Choice, Option<Concern>, Option<Timestamp>);

/// A fix is tried for as long as was said, else as long as the plan says and the backout can
/// still be started in time after it.
fn fix_forward(state: &RunState, fix_for: Option<Span>, facts: &Facts<'_>) -> Result<Fix, Refusal> {
    let now = facts.now;
    if fix_for.is_some_and(|span| span.get().is_zero()) {
        return Err(Refusal::FixForNoTime);
    }
    if let Some(most) = facts.policy.fix_at_most
        && (most.get().is_zero() || fix_for.is_some_and(|wanted| wanted > most))
    {
        return Err(Refusal::FixTooLong { most });
    }
    let plan = &state.planned.plan;
    let rule = state.release.open.as_ref().and_then(|open| plan.decision.get(&open.severity));
    let usual = fix_window(rule, facts.policy);
    let until = now.checked_add(fix_for.unwrap_or(usual).signed()).unwrap_or(Timestamp::MAX);
    let latest = facts.forecast.and_then(|forecast| forecast.latest());
    let has_deadline = state.planned.window.backout_by.is_some();
    let (until, late) = match (latest, fix_for) {
        (Some(latest), None) if latest > now => (until.min(latest), false),
        (Some(latest), _) => (until, latest < until),
        // By when the backout has to start is not known: a fix as long as the plan says is the
        // plan's risk, another one is asked about.
        (None, fix_for) => (until, has_deadline && fix_for.is_some()),
    };
    let concern = late.then_some(Concern::FixOutlastsBackout {
        latest,
        passed: latest.is_some_and(|latest| latest <= now),
        until,
    });
    Ok((Choice::FixForward { until }, concern, latest))
}
