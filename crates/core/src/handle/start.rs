//! How a run begins, and what stands in the way of that.

use crate::act::Act;
use crate::authority::{Authority, check_authority, people};
use crate::cause::Concern;
use crate::event::{Direction, Event, UsedBaselines};
use crate::ids::{BaselineId, Digest, OptionId, RunId, StepId};
use crate::plan::{Check, Plan};
use crate::policy::Policy;
use crate::record::Actor;
use crate::refusal::Refusal;

use super::{Facts, person_of};

/// What a person wants to begin.
#[derive(Debug, Clone)]
pub struct Start<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The digest of the plan file.
    pub digest: Digest,
    /// With the deployment or with the backout.
    pub direction: Direction,
    /// The option, if one was named or the plan has a default.
    pub option: Option<&'a OptionId>,
    /// Which steps of the plan the run holds, one flag a step.
    pub selected: &'a [bool],
    /// The baselines that were captured last.
    pub baselines: Option<&'a UsedBaselines>,
    /// Why.
    pub reason: Option<&'a str>,
    /// Whether a second run beside an open one is meant.
    pub again: bool,
    /// Whether a run in the place of one whose log cannot be relied on is meant.
    pub new_run: bool,
    /// The rules that the check of the plan finds broken, at the level of errors.
    pub errors: &'a [BrokenRule],
    /// The parts of the plan file that cannot be used.
    pub left_out: &'a [String],
    /// Whether the sender confirms what is asked about.
    pub confirmed: bool,
}

/// A rule of the check that a plan breaks, at the level of errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRule {
    /// The rule: `BOP-001`.
    pub id: String,
    /// Whether it leaves no way back to rely on.
    pub closes_way_back: bool,
}

/// On what terms a run begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// How many people have to agree before anything starts, if more than the one who begins.
    pub quorum: Option<u32>,
    /// What the one who begins it has confirmed.
    pub confirmed: Vec<Concern>,
}

/// An open run of the same change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    /// The run.
    pub run: RunId,
    /// Where it goes; unknown where its log cannot be read, or cannot be relied on.
    pub direction: Option<Direction>,
    /// Whether it waits for more people to agree that it starts.
    pub awaits_agreement: bool,
    /// Whether steps of the way back were carried out by it, where its log cannot be relied on.
    pub turned: bool,
    /// What of it is at work, where its log cannot be relied on.
    pub at_work: Option<AtWork>,
}

/// What is at work on a run whose log cannot be relied on: it goes on with what it remembers, and
/// beside it a new run would carry out its steps a second time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtWork {
    /// Its coordinator, by host and process.
    Coordinator(String),
    /// A step of it.
    Step(StepId),
}

/// Whether the run may begin, and on what terms.
///
/// Before the night (`deploy`) everything that can be known is refused. On the night
/// (`invoke`) a missing baseline or reason is none of it: the check that needs the baseline
/// has nothing to compare with, and the review asks for the reason. A part of the plan file
/// that cannot be used, and that no step needs, is one question.
///
/// # Errors
/// [`Refusal`], with what can be done instead.
pub fn begin_run(
    start: &Start<'_>,
    actor: &Actor,
    open: &[OpenRun],
    facts: &Facts<'_>,
) -> Result<Terms, Refusal> {
    let forward = start.direction == Direction::Forward;
    let act = if forward { Act::Deploy } else { Act::Invoke };
    if forward && start.plan.stages.is_empty() {
        return Err(Refusal::NoStages);
    }
    let denied = |denial| Refusal::Denied { act: Box::new(act.clone()), denial };
    let person = person_of(start.plan, actor, facts.accounts).map_err(denied)?;
    let quorum = match check_authority(start.plan, None, facts.policy, &person, &act) {
        Authority::Denied(denial) => return Err(Refusal::Denied { act: Box::new(act), denial }),
        Authority::NeedsMore { more, roles } => {
            let quorum = more.saturating_add(1);
            let people = people(start.plan, &roles.into_iter().collect());
            if let Some(people) = people.filter(|people| forward && *people < quorum) {
                return Err(Refusal::TooFewPeople { quorum, people });
            }
            Some(quorum)
        }
        Authority::Allowed => None,
    };
    if !start.selected.iter().any(|selected| *selected) {
        return Err(Refusal::NothingSelected);
    }
    let may_begin = facts.policy.second_run;
    // Of a run that nobody can read up on a second one could repeat everything, unless it asks
    // about each step that may be done.
    let unread = |open: &OpenRun| open.direction.is_none();
    // What was being backed out is not deployed on top of that.
    if let Some(open) = open.iter().find(|open| forward && unread(open) && open.turned) {
        let (run, direction, wanted) = (open.run.clone(), None, Direction::Back);
        return Err(Refusal::SecondRun { run, direction, wanted, may_begin });
    }
    let is_in_the_way = |open: &&OpenRun| match unread(open) {
        true => !start.new_run,
        false => !start.again || !may_begin,
    };
    if start.new_run && open.iter().any(unread) && start.reason.is_none_or(|r| r.trim().is_empty())
    {
        return Err(Refusal::ReasonMissing { act: Box::new(act) });
    }
    let at_work =
        open.iter().find_map(|open| open.at_work.clone().map(|it| (open.run.clone(), it)));
    if let (true, Some((run, at_work))) = (start.new_run, at_work) {
        return Err(Refusal::AtWork { run, at_work });
    }
    if let Some(open) = open.iter().find(is_in_the_way) {
        let run = open.run.clone();
        return Err(match open.awaits_agreement && open.direction == Some(start.direction) {
            true => Refusal::AwaitsAgreement { run },
            false => Refusal::SecondRun {
                run,
                direction: open.direction,
                wanted: start.direction,
                may_begin,
            },
        });
    }
    if forward {
        if start.reason.is_some_and(|reason| reason.trim().is_empty()) {
            return Err(Refusal::ReasonMissing { act: Box::new(act) });
        }
        let names = missing_baselines(start.plan, start.selected, start.baselines);
        if !names.is_empty() {
            return Err(Refusal::BaselinesMissing { names });
        }
    }
    let confirmed = concern_of(start, act, facts.policy)?.into_iter().collect();
    Ok(Terms { quorum, confirmed })
}

/// The open run of a change that has to be confirmed before facts are captured for the change: they
/// would be taken for the state before the deployment, and a run may have changed that already.
#[must_use]
pub fn captures_beside(open: &[OpenRun], confirmed: bool) -> Option<&RunId> {
    let begun = |open: &&OpenRun| !confirmed && !open.awaits_agreement;
    open.iter().find(begun).map(|open| &open.run)
}

/// What is wrong with the plan, once the sender has confirmed it: before the night with a
/// reason, on the night without.
fn concern_of(start: &Start<'_>, act: Act, policy: &Policy) -> Result<Option<Concern>, Refusal> {
    let act = Box::new(act);
    let stops = |rule: &&BrokenRule| rule.closes_way_back || !policy.plan_errors;
    let rules: Vec<String> =
        start.errors.iter().filter(stops).map(|rule| rule.id.clone()).collect();
    match start.direction {
        Direction::Forward if !rules.is_empty() => match (start.confirmed, start.reason) {
            (false, _) => Err(Refusal::PlanErrors { rules }),
            (true, None) => Err(Refusal::ReasonMissing { act }),
            (true, Some(_)) => Ok(Some(Concern::PlanErrors { rules })),
        },
        Direction::Back if !start.left_out.is_empty() => {
            let concern = Concern::PartsLeftOut { parts: start.left_out.to_vec() };
            match start.confirmed {
                false => Err(Refusal::Confirm { concern, act, question: None }),
                true => Ok(Some(concern)),
            }
        }
        _ => Ok(None),
    }
}

/// The first vote, where it takes several: that of the person who begins the run.
#[must_use]
pub fn first_vote(direction: Direction, reason: Option<&str>) -> Event {
    let act = match direction {
        Direction::Forward => Act::Deploy,
        Direction::Back => Act::Invoke,
    };
    Event::CommandProposed { act, reason: reason.map(str::to_owned) }
}

/// The baselines that verifications of these steps compare with and that were not captured.
#[must_use]
pub fn missing_baselines(
    plan: &Plan,
    selected: &[bool],
    captured: Option<&UsedBaselines>,
) -> Vec<BaselineId> {
    let steps = plan.steps.iter().zip(selected).filter(|(_, on)| **on).map(|(step, _)| step);
    let needed: std::collections::BTreeSet<&BaselineId> = steps
        .flat_map(|step| &step.verify)
        .filter_map(|verification| match &verification.check {
            Check::SameAsBaseline(name) => Some(name),
            _ => None,
        })
        .collect();
    let is_missing =
        |name: &&BaselineId| !captured.is_some_and(|used| used.facts.contains_key(*name));
    needed.into_iter().filter(is_missing).cloned().collect()
}
