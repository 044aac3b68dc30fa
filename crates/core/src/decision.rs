//! The decision: what follows from how bad it is and how the triggers stand.
//!
//! ```text
//!   a trigger fires ──► how bad is it? ──► the plan's rule for that severity
//!        log                 written down, and on it goes
//!        back-out            at once where the plan says `automatic` and nothing
//!                            objects; else the named person is asked
//!        …-unless-fixable    a fix window opens; its end backs out, and so does
//!                            "not fixable", and anything worse that happens meanwhile
//!        ask                 a person decides freely
//!   nobody knows ──► a person decides, never the plan
//! ```
//!
//! While a decision is open no stage starts. Whoever is asked has until the
//! deadline; then their deputies are asked too, then whom the plan escalates to,
//! and at last the plan's own `if_unanswered` holds, if it has one.
//!
//! [`next`] is a pure function of the state and the time, like
//! [`decide`](crate::decide::decide), of which it is a part.

mod call;
mod standing;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::cause::{DecisionCause, PlanReason};
use crate::choice::{Choice, DecisionRequested, ForecastSummary};
use crate::duration::Span;
use crate::event::{Event, Outcome, Reason};
use crate::ids::{RoleId, TriggerId};
use crate::intent::{Intent, Timer};
use crate::plan::{Condition, DecisionAction, DecisionRule, Plan, Unanswered};
use crate::policy::Policy;
use crate::release::{Attention, PendingDecision, Release, TriggerStatus};
use crate::state::RunState;
use crate::status::Status;
use crate::watch::{Meaning, Reading, State, Verdict};

pub use standing::{guards, irreversible, is_there, not_recovered, objections, required, verdict};

use call::{Call, call, is_news};
use standing::{is_accepted, measured};

/// A decision as it stands in the log: to go back begins the way back with it. Who names
/// no way back takes the one that is called for. Of what is measured now it keeps what it is
/// about.
#[must_use]
pub fn decided(
    release: &Release,
    choice: Choice,
    reason: Reason,
    known: Option<&DecisionRequested>,
    mut readings: BTreeMap<TriggerId, Reading>,
) -> Vec<Event> {
    // What the plan decides by itself is asked and answered at once; what was open before is
    // another question.
    let (question, because, called_for) = match (known, &release.open) {
        (Some(known), _) => (Some(known.number), &known.because[..], known.option.clone()),
        (None, Some(open)) => (Some(open.number), &open.because[..], open.option.clone()),
        (None, None) => (None, &[][..], None),
    };
    readings.retain(|id, _| because.contains(id));
    let back = match &choice {
        Choice::BackOut { option } => Some(option.clone().or(called_for)),
        Choice::NotFixable => Some(called_for),
        Choice::FixForward { .. } | Choice::Continue => None,
    };
    let begun = back.map(|option| Event::BackoutStarted { option, reason: reason.clone() });
    let made = Event::DecisionMade {
        choice,
        reason,
        question,
        readings,
        agreed: Vec::new(),
        confirmed: Vec::new(),
        latest: None,
    };
    std::iter::once(made).chain(begun).collect()
}

/// How long somebody has to answer, if the plan does not say.
const WITHIN: Span = Span::minutes(15);
/// How long a fix may be tried, if the plan does not say.
pub const FIX_WINDOW: Span = Span::minutes(30);

/// For how long a fix is tried if no one says: as the rule of the plan says, and never longer
/// than the policy allows.
#[must_use]
pub fn fix_window(rule: Option<&DecisionRule>, policy: &Policy) -> Span {
    let window = rule.and_then(|rule| rule.fix_window).unwrap_or(FIX_WINDOW);
    policy.fix_at_most.map_or(window, |most| window.min(most))
}
/// How long a release is watched after its last stage, if the plan does not say.
pub const WATCH_WINDOW: Span = Span::minutes(240);

/// What the deployment asks for now, beside its steps.
#[must_use]
pub fn next(state: &RunState, now: Timestamp) -> Vec<Intent> {
    let release = &state.release;
    let call = call(state);
    if let Some(open) = &release.open {
        return match call {
            Some(call) if is_news(open, &call) => worse(state, open, &call, now),
            call => while_open(state, open, call.as_ref(), now),
        };
    }
    if let Some(call) = call {
        return ask(state, &call, now);
    }
    let mut intents = bake(state, now);
    if intents.is_empty() && state.unsettled == 0 && state.active.is_empty() {
        intents = end(state, now);
    }
    intents
}

/// It gets worse than what is being decided about: that is another question. Where a
/// fix was given time, it has lost it.
fn worse(state: &RunState, open: &PendingDecision, call: &Call, now: Timestamp) -> Vec<Intent> {
    let (mut asked, automatic) = question(state, call, now);
    // A person who fixes what they saw themselves is asked, and not run over.
    let fixes = open.fix_until.is_some() && (open.is_discretionary() || open.own_fix);
    asked.own_fix = fixes;
    if automatic && !fixes {
        return by_itself(asked, PlanReason::Automatic);
    }
    let rule = state.planned.plan.decision.get(&call.severity);
    let goes_back = rule.is_some_and(|rule| {
        matches!(rule.action, DecisionAction::BackOut | DecisionAction::BackOutUnlessFixable)
    });
    let given_time = open.fix_until.is_some() && open.certain && call.severity < open.severity;
    if given_time && !fixes && goes_back && guards(state, &call.because).is_empty() {
        return by_itself(asked, PlanReason::GotWorse);
    }
    // Nothing that comes on top gives anybody more time, or unsays what the plan wanted.
    if open.certain && call.certain {
        let release = &state.release;
        let still = open.because.iter().filter(|id| {
            release.triggers.get(*id).is_some_and(|seen| {
                seen.attention == Attention::Alarm || seen.meaning == Meaning::Breach
            })
        });
        let also: Vec<TriggerId> =
            still.filter(|id| !asked.because.contains(id)).cloned().collect();
        if !also.is_empty() {
            if asked.option != open.option {
                asked.option = None;
            }
            asked.causes.extend(also.iter().map(|id| match release.triggers.get(id) {
                Some(seen) if seen.meaning == Meaning::Breach => DecisionCause::StillCalling {
                    trigger: id.clone(),
                    reading: seen.reading.clone(),
                },
                _ => DecisionCause::FiredAndOver { trigger: id.clone() },
            }));
            asked.because.extend(also);
        }
    }
    if goes_back || open.certain && call.certain {
        asked.fix_until = [asked.fix_until, open.fix_until].into_iter().flatten().min();
    }
    asked.until = [asked.until, open.until].into_iter().flatten().min();
    // Whoever was asked already has had their time.
    if open.severity == call.severity {
        for role in &open.asked {
            if !asked.asked.contains(role) {
                asked.asked.push(role.clone());
            }
        }
    }
    vec![Intent::Ask(Box::new(asked))]
}

fn ask(state: &RunState, call: &Call, now: Timestamp) -> Vec<Intent> {
    match question(state, call, now) {
        (asked, true) => by_itself(asked, PlanReason::Automatic),
        (asked, false) => vec![Intent::Ask(Box::new(asked))],
    }
}

/// Backing out without asking anybody, with everything that is known.
fn by_itself(asked: DecisionRequested, reason: PlanReason) -> Vec<Intent> {
    let choice = Choice::BackOut { option: asked.option.clone() };
    let known = DecisionRequested { asked: Vec::new(), until: None, ..asked };
    vec![Intent::Decide { choice, reason, known: Some(Box::new(known)) }]
}

/// The question, and whether the plan answers it by itself.
fn question(state: &RunState, call: &Call, now: Timestamp) -> (DecisionRequested, bool) {
    let plan = &state.planned.plan;
    let rule = plan.decision.get(&call.severity);
    let action = match rule.map(|rule| rule.action) {
        Some(action) if call.certain => action,
        _ => DecisionAction::Ask,
    };
    let goes_back =
        matches!(action, DecisionAction::BackOut | DecisionAction::BackOutUnlessFixable);
    let guards = if goes_back { guards(state, &call.because) } else { Vec::new() };
    let automatic = rule.is_some_and(|rule| rule.automatic);
    let within = rule.and_then(|rule| rule.within).unwrap_or(WITHIN);
    let fix_until = (action == DecisionAction::BackOutUnlessFixable).then(|| {
        let window = fix_window(rule, &state.planned.policy);
        now.checked_add(window.signed()).unwrap_or(now)
    });
    let by_itself = action == DecisionAction::BackOut && automatic && guards.is_empty();
    let asked = DecisionRequested {
        number: state.release.asked + 1,
        severity: call.severity,
        certain: call.certain,
        because: call.because.clone(),
        sources: call.sources.clone(),
        causes: call.causes.clone(),
        option: call.option.clone(),
        asked: rule
            .and_then(|rule| rule.by.clone())
            .or_else(|| plan.change.owner.clone())
            .into_iter()
            .collect(),
        until: now.checked_add(within.signed()).ok(),
        fix_until,
        guards,
        forecast: None,
        readings: BTreeMap::new(),
        own_fix: false,
    };
    (asked, by_itself)
}

fn while_open(
    state: &RunState,
    open: &PendingDecision,
    call: Option<&Call>,
    now: Timestamp,
) -> Vec<Intent> {
    // What nobody could see can be seen again: the question is over, and nothing is
    // answered by that. A watch that must have seen something well still must.
    // Whoever is at work on a fix has their time.
    let fixes = open.fix_until.is_some_and(|end| now < end);
    if call.is_none() && !open.certain && !fixes {
        let well = |id: &TriggerId| {
            state.release.triggers.get(id).is_some_and(|seen| seen.meaning == Meaning::Healthy)
        };
        let reason = match () {
            () if open.because.is_empty() && open.sources.is_empty() => PlanReason::WatchedAnew,
            () => {
                let healthy = !open.because.is_empty() && open.because.iter().all(well);
                PlanReason::SeenAgain { healthy }
            }
        };
        return vec![Intent::Decide { choice: Choice::Continue, reason, known: None }];
    }
    let is_bad = |call: &&Call| {
        let mut seen = call.because.iter().filter_map(|id| state.release.triggers.get(id));
        seen.any(|seen| seen.meaning == Meaning::Breach)
    };
    let was_kept = !open.guards.is_empty() && open.fix_until.is_none();
    if let Some(call) = call.filter(|_| was_kept).filter(is_bad) {
        // What kept the plan from acting by itself is over, and what it would act on is not.
        let (asked, automatic) = question(state, call, now);
        if automatic {
            return by_itself(asked, PlanReason::Automatic);
        }
    }
    let mut intents = Vec::new();
    if let Some(end) = open.fix_until {
        // A guard that objects leaves it to the people who are asked.
        if now >= end && guards(state, &open.because).is_empty() {
            let reason = PlanReason::FixTimeOver;
            let choice = Choice::BackOut { option: open.option.clone() };
            return vec![Intent::Decide { choice, reason, known: None }];
        }
        if now >= end && open.until.is_none() && open.passed_on == 0 && state.held.is_none() {
            return vec![unanswered(state, open, now)];
        }
        if now < end {
            intents.push(Intent::Wake { at: end, of: Timer::Answer });
        }
    }
    match open.until {
        // Who holds the run holds its deadlines, too: they are over when it goes on.
        Some(_) if state.held.is_some() => {}
        Some(until) if now >= until => intents.push(unanswered(state, open, now)),
        Some(until) => intents.push(Intent::Wake { at: until, of: Timer::Answer }),
        None => {}
    }
    intents
}

/// The deadline is over: deputies, then whom the plan names, then the plan's default.
fn unanswered(state: &RunState, open: &PendingDecision, now: Timestamp) -> Intent {
    let plan = &state.planned.plan;
    let rule = plan.decision.get(&open.severity);
    let new = |roles: Vec<RoleId>| -> Vec<RoleId> {
        let known: BTreeSet<&RoleId> = open.asked.iter().collect();
        roles.into_iter().filter(|role| !known.contains(role)).collect()
    };
    let deputies = new(open
        .asked
        .iter()
        .filter_map(|role| plan.roles.get(role))
        .flat_map(|role| role.deputies.iter().cloned())
        .collect());
    let escalated = new(rule.map(|rule| rule.escalate.0.clone()).unwrap_or_default());
    let next = if deputies.is_empty() { escalated } else { deputies };
    let within = rule.and_then(|rule| rule.within).unwrap_or(WITHIN);
    let latest = open.forecast.as_ref().and_then(ForecastSummary::latest);
    // Nobody is asked any more while it becomes too late for what the plan wants then.
    let goes_back = open.certain
        && guards(state, &open.because).is_empty()
        && if_unanswered(plan, open) == Some(Unanswered::BackOut);
    let too_late = goes_back && latest.is_some_and(|latest| latest <= now);
    if !next.is_empty() && !too_late {
        let until = now.checked_add(within.signed()).ok();
        let until = match &open.forecast {
            Some(numbers) => numbers.in_time(until, now),
            None => until,
        };
        return Intent::PassOn { number: open.number, to: next, until };
    }
    let reason = PlanReason::Unanswered;
    match goes_back {
        true => Intent::Decide {
            choice: Choice::BackOut { option: open.option.clone() },
            reason,
            known: None,
        },
        // Where nobody knows, silence decides nothing. Everybody was asked: it stays open, and
        // nothing goes forward.
        false => Intent::PassOn { number: open.number, to: Vec::new(), until: None },
    }
}

/// What holds when nobody answers: as the plan says for what is asked about, or for anything
/// less that is asked about with it.
fn if_unanswered(plan: &Plan, open: &PendingDecision) -> Option<Unanswered> {
    let about = open.because.iter().filter_map(|id| plan.triggers.get(id)?.severity);
    let mut rules = std::iter::once(open.severity).chain(about);
    rules.find_map(|severity| plan.decision.get(&severity)?.if_unanswered)
}

/// Stages whose time under watch is over, and when the next one's is.
fn bake(state: &RunState, now: Timestamp) -> Vec<Intent> {
    let mut intents = Vec::new();
    for index in state.stages() {
        let (stage, known) = (&state.steps[index], &state.states[index]);
        let waits =
            known.status == Status::Succeeded && !state.release.baked.contains_key(&stage.id);
        let Some(bake) = stage.bake.filter(|_| waits) else { continue };
        let ended = known.ended.or(known.since).unwrap_or(now);
        let due = or_twice(state, ended, bake, now);
        intents.push(if now >= due {
            Intent::Bake { step: index, verdict: verdict(state) }
        } else {
            Intent::Wake { at: due, of: Timer::Watch }
        });
    }
    intents
}

/// Every stage is done: the watch over the whole release, and its end.
fn end(state: &RunState, now: Timestamp) -> Vec<Intent> {
    let plan = &state.planned.plan;
    if state.release.watched.is_some() {
        let found = state.release.triggers.values().any(|seen| seen.fired.is_some())
            || state.release.decided.iter().any(|decided| !decided.reason.is_automatic())
            || state.stages().any(|index| state.states[index].status == Status::Skipped);
        let watched = measured(plan).next().is_some();
        let outcome = match found {
            true => Outcome::DeployedWithFindings,
            false if watched => Outcome::Deployed,
            false => Outcome::DeployedUnwatched,
        };
        return vec![Intent::Finish { outcome }];
    }
    let watches = measured(plan).next().is_some();
    let last =
        state.stages().map(|index| &state.states[index]).filter_map(|s| s.ended.or(s.since)).max();
    let window = plan.watch.as_ref().and_then(|watch| watch.window).unwrap_or(WATCH_WINDOW);
    let due = last.map(|last| or_twice(state, last, window, now));
    match due {
        Some(due) if watches && now < due => vec![Intent::Wake { at: due, of: Timer::Watch }],
        _ => vec![Intent::EndWatch { verdict: verdict(state) }],
    }
}

/// When a time under watch ends. Time in which nobody watched does not count. Where a
/// trigger is about to fire just then, or about not to, nobody is asked before it is known:
/// the watch goes on, at most as long again.
fn or_twice(state: &RunState, began: Timestamp, length: Span, now: Timestamp) -> Timestamp {
    let ended = |at: Timestamp| state.release.watched_for(at, length).unwrap_or(now);
    let due = ended(began);
    let undecided = || {
        required(state).any(|id| {
            let seen = state.release.triggers.get(id);
            let open =
                |seen: &TriggerStatus| matches!(seen.state, State::Pending | State::Insufficient);
            seen.is_none_or(open) && !is_accepted(state, id)
        })
    };
    let open = now >= due && verdict(state) == Verdict::Inconclusive && undecided();
    if open { ended(due) } else { due }
}

/// How long the sender of an alert may take to say that it is over; and how long what fired may
/// take to be healthy again in runs that began with version 1.
const RECOVERY: Span = Span::minutes(15);

/// When what is not healthy after a backout is known to be so: when the windows of all these
/// triggers hold only samples from after the last step. Until then they may still be about
/// what was before. Nothing where no step ended.
#[must_use]
pub fn recovery_due(state: &RunState) -> Option<Timestamp> {
    let last = state.states.iter().filter_map(|known| known.ended).max()?;
    if state.version < 2 {
        return last.checked_add(RECOVERY.signed()).ok();
    }
    let plan = &state.planned.plan;
    let window = plan.watch.as_ref().and_then(|watch| watch.window).unwrap_or(WATCH_WINDOW);
    // Samples that no coordinator was there to take are not there either.
    let last = last.max(state.owned_since);
    let longest = plan.triggers.values().map(|trigger| trigger.clears_after(window.get())).max();
    let due = |id: &TriggerId| {
        let trigger = plan.triggers.get(id)?;
        let clears = match trigger.condition {
            // What it is made of has windows of its own.
            Condition::Composite(_) => longest?,
            // Its sender tells in its own time that it is over.
            Condition::Webhook(_) => RECOVERY.get(),
            _ => trigger.clears_after(window.get()),
        };
        let seen = state.release.triggers.get(id);
        // Below its limit already: it is given the time it takes to be healthy again.
        let since = seen.filter(|seen| seen.state == State::Recovering).map(|seen| seen.since);
        last.max(since.unwrap_or(last)).checked_add(Span::from(clears).signed()).ok()
    };
    not_recovered(state).into_iter().filter_map(due).max()
}

/// The backout is done, and what fired is not healthy yet: it may become so by itself.
pub(crate) fn recovery(state: &RunState, now: Timestamp) -> Vec<Intent> {
    let due = recovery_due(state).filter(|due| now < *due);
    due.map(|at| Intent::Wake { at, of: Timer::Recovery }).into_iter().collect()
}
