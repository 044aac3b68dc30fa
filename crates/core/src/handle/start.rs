//! How a run begins, and what stands in the way of that.

use crate::act::Act;
use crate::authority::{Authority, check_authority};
use crate::event::{Direction, Event, UsedBaselines};
use crate::ids::{BaselineId, Digest, OptionId, RunId};
use crate::plan::{Check, Plan};
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
}

/// An open run of the same change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    /// The run.
    pub run: RunId,
    /// Where it goes.
    pub direction: Direction,
    /// Whether it waits for more people to agree that it starts.
    pub awaits_agreement: bool,
}

/// Whether the run may begin: how many people have to agree before anything of it starts, if
/// more than the one who begins it.
///
/// Before the night (`deploy`) everything that can be known is refused. On the night
/// (`invoke`) a missing baseline or reason is none of it: the check that needs the baseline
/// has nothing to compare with, and the review asks for the reason.
///
/// # Errors
/// [`Refusal`], with what can be done instead.
pub fn begin_run(
    start: &Start<'_>,
    actor: &Actor,
    open: &[OpenRun],
    facts: &Facts<'_>,
) -> Result<Option<u32>, Refusal> {
    let forward = start.direction == Direction::Forward;
    let act = if forward { Act::Deploy } else { Act::Invoke };
    if forward && start.plan.stages.is_empty() {
        return Err(Refusal::NoStages);
    }
    let denied = |denial| Refusal::Denied { act: Box::new(act.clone()), denial };
    let person = person_of(start.plan, actor, facts.accounts).map_err(denied)?;
    let quorum = match check_authority(start.plan, None, facts.policy, &person, &act) {
        Authority::Denied(denial) => return Err(Refusal::Denied { act: Box::new(act), denial }),
        Authority::NeedsMore { more, .. } => Some(more.saturating_add(1)),
        Authority::Allowed => None,
    };
    if !start.selected.iter().any(|selected| *selected) {
        return Err(Refusal::NothingSelected);
    }
    let may_begin = facts.policy.second_run;
    if let Some(open) = open.iter().find(|_| !start.again || !may_begin) {
        let run = open.run.clone();
        return Err(match open.awaits_agreement && open.direction == start.direction {
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
    Ok(quorum)
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
