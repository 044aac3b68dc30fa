//! Who may do what.
//!
//! [`check_authority`] is a pure function of the plan, the run so far and the person. The
//! defaults, which a plan's `authority` section can replace permission by permission:
//!
//! | command | who |
//! |---|---|
//! | acknowledge, fail | the step's owner, their deputies, or the person it was handed to |
//! | stop, retry, resolve, check again | the same, and the leads |
//! | invoke, deploy, switch option, skip, add, replace, assign, attest, abandon | the leads |
//! | decide | the roles that are asked, and their deputies; to back out, the leads too |
//! | approve | the roles the stage names, else the leads; two where it is irreversible |
//! | hold, resume, log a defect | anyone with a role: stopping must be cheap |
//!
//! The leads are the plan's owner, every role its decision section names, and their deputies.
//! A plan that names neither has no leads; then anyone with a role may act, because a plan for
//! two people must not lock both out. In a plan without roles anyone may do anything, and the
//! log says who did.
//!
//! A policy of the organisation may ask for more people, never for fewer. To go back it never
//! takes more people than the plan has for it: a way out that no one can take is none.

use std::collections::BTreeSet;

use crate::act::Act;
use crate::cause::Denial;
use crate::ids::{RoleId, StepId};
use crate::people::{Account, PersonId};
use crate::plan::{Grant, Plan, Severity};
use crate::policy::Policy;
use crate::state::RunState;

/// A person who wants to do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// What they are known by.
    pub id: PersonId,
    /// Every role they hold in the plan.
    pub roles: BTreeSet<RoleId>,
}

/// Whether a person may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authority {
    /// Yes.
    Allowed,
    /// Yes, but not alone.
    NeedsMore {
        /// The roles whose holders count.
        roles: Vec<RoleId>,
        /// How many more people must ask for the same.
        more: u32,
    },
    /// No.
    Denied(Denial),
}

/// Whether `person` may do `act`, given the plan and, if there is one, the run.
#[must_use]
pub fn check_authority(
    plan: &Plan,
    run: Option<&RunState>,
    policy: &Policy,
    person: &Person,
    act: &Act,
) -> Authority {
    let is_cheap = is_cheap(act);
    let permission = act.permission().filter(|_| !is_cheap);
    let least = permission.map_or(1, |permission| policy.people(permission));
    if plan.roles.is_empty() {
        return check_quorum(plan, run, person, act, least, &BTreeSet::new());
    }
    if let Some((allowed, quorum)) = release_authority(plan, run, act) {
        return check_roles(plan, run, person, act, quorum.max(least), &allowed);
    }
    let grant = permission.and_then(|permission| plan.authority.0.get(&permission));
    if let Some(grant) = grant {
        let allowed = with_deputies(plan, grant.by.iter());
        return check_roles(plan, run, person, act, grant.quorum.max(least), &allowed);
    }
    if let Some(step) = act.step()
        && owns_step(plan, run, person, step)
        && is_owners(act)
    {
        return check_quorum(plan, run, person, act, least, &circle(plan, run, act));
    }
    if act.permission().is_none() {
        let step = act.step().cloned();
        return Authority::Denied(match step {
            Some(step) => Denial::OnlyOwner { step },
            None => Denial::NoRole,
        });
    }
    if person.roles.is_empty() {
        return Authority::Denied(Denial::NoRole);
    }
    let leads = leads(plan);
    let anyone = matches!(
        act,
        Act::Hold | Act::Resume | Act::GoOnHere | Act::TakeOver | Act::Recover | Act::LogDefect
    ) || leads.is_empty();
    let allowed = if anyone { plan.roles.keys().cloned().collect() } else { leads };
    if is_owners(act) && !allowed.is_disjoint(&person.roles) {
        return check_quorum(plan, run, person, act, least, &circle(plan, run, act));
    }
    check_roles(plan, run, person, act, least, &allowed)
}

/// Everyone who may do to a step what its owner may: the owner, their deputies, and the leads.
fn circle(plan: &Plan, run: Option<&RunState>, act: &Act) -> BTreeSet<RoleId> {
    let mut roles = leads(plan);
    if let Some(step) = act.step() {
        roles.extend(owner_roles(plan, run, step));
    }
    roles
}

/// Stopping a step, looking at it and logging a defect must be cheap: neither a plan nor a
/// policy makes them harder.
fn is_cheap(act: &Act) -> bool {
    // What is rebuilt is held, and a log that cannot be relied on counts no votes.
    matches!(act, Act::Stop { .. } | Act::CheckAgain { .. } | Act::LogDefect | Act::Recover)
}

/// Whether the owner of a step may do this to it without being a lead.
fn is_owners(act: &Act) -> bool {
    matches!(
        act,
        Act::Stop { .. }
            | Act::Acknowledge { .. }
            | Act::Fail { .. }
            | Act::Retry { .. }
            | Act::Resolve { .. }
            | Act::CheckAgain { .. }
    )
}

/// The roles one of which allows `act`, and the quorum; empty where anyone may.
#[must_use]
pub fn allowed_roles(plan: &Plan, run: Option<&RunState>, act: &Act) -> Vec<RoleId> {
    let mut roles = BTreeSet::new();
    for role in plan.roles.keys() {
        let id = PersonId::of_role(plan, role);
        let held = plan.roles.keys().filter(|other| id.holds(plan, other));
        let held = held.chain(std::iter::once(role)).cloned().collect();
        let person = Person { id, roles: held };
        let may = check_authority(plan, run, &Policy::default(), &person, act);
        if !matches!(may, Authority::Denied(_)) {
            roles.insert(role.clone());
        }
    }
    roles.into_iter().collect()
}

/// Who may decide about a deployment, and how many of them it takes.
///
/// The roles that are asked decide; to back out, any lead may: stopping must be cheap. What is
/// irreversible takes two people.
fn release_authority(
    plan: &Plan,
    run: Option<&RunState>,
    act: &Act,
) -> Option<(BTreeSet<RoleId>, u32)> {
    let granted = |grant: &Grant| (with_deputies(plan, grant.by.iter()), grant.quorum);
    let leads_or_anyone = || match leads(plan) {
        leads if leads.is_empty() => plan.roles.keys().cloned().collect(),
        leads => leads,
    };
    let general = act.permission().and_then(|permission| plan.authority.0.get(&permission));
    match act {
        Act::Approve { stage } => {
            let stage = run.and_then(|run| run.step(stage)).map(|(stage, _)| stage)?;
            let (who, quorum) =
                stage.approval.as_ref().or(general).map_or_else(|| (leads_or_anyone(), 1), granted);
            Some((who, if stage.irreversible.is_some() { quorum.max(2) } else { quorum }))
        }
        Act::Decide { verb, .. } => {
            if let Some(grant) = general {
                return Some(granted(grant));
            }
            let open = run.and_then(|run| run.release.open.as_ref());
            let severity = open.map_or(Severity::Discretionary, |open| open.severity);
            let rule = plan.decision.get(&severity);
            let named = rule.and_then(|rule| rule.by.as_ref());
            let asked = open.map_or_else(Vec::new, |open| open.asked.clone());
            let mut who = with_deputies(plan, asked.iter().chain(named));
            if who.is_empty() || verb.goes_back() {
                who.extend(leads_or_anyone());
            }
            Some((who, rule.map_or(1, |rule| rule.quorum)))
        }
        _ => None,
    }
}

/// How many people have to agree to what is done with the release.
#[must_use]
pub fn release_quorum(state: &RunState, act: &Act) -> u32 {
    let plan = &state.planned.plan;
    let least = act.permission().map_or(1, |permission| state.planned.policy.people(permission));
    release_authority(plan, Some(state), act).map_or(1, |(allowed, quorum)| {
        reachable(plan, Some(state), act, quorum.max(least), &allowed)
    })
}

/// How many people it takes, where it leads back, or to the end of the way back: no more than
/// hold one of the roles.
fn reachable(
    plan: &Plan,
    run: Option<&RunState>,
    act: &Act,
    quorum: u32,
    allowed: &BTreeSet<RoleId>,
) -> u32 {
    let backward = run.is_some_and(|run| !run.release.goes_forward());
    let leads_back = match act {
        Act::Decide { verb, .. } => verb.goes_back() || backward,
        Act::Invoke => true,
        Act::Resume
        | Act::GoOnHere
        | Act::TakeOver
        | Act::Recover
        | Act::SwitchOption { .. }
        | Act::Hold => backward,
        // Without them a step in the way back stays stuck.
        Act::Acknowledge { .. }
        | Act::Fail { .. }
        | Act::Stop { .. }
        | Act::Retry { .. }
        | Act::CheckAgain { .. }
        | Act::Resolve { .. }
        | Act::Attest { .. } => backward,
        Act::Deploy
        | Act::Approve { .. }
        | Act::LogDefect
        | Act::Skip { .. }
        | Act::Add { .. }
        | Act::Replace { .. }
        | Act::Assign { .. }
        | Act::Abandon => false,
    };
    match people(plan, allowed).filter(|_| leads_back) {
        Some(people) => quorum.min(people),
        None => quorum,
    }
}

/// How many people hold one of these roles; `None` where that is open: a role without a name,
/// or a team, can be anyone's.
#[must_use]
pub fn people(plan: &Plan, roles: &BTreeSet<RoleId>) -> Option<u32> {
    if roles.is_empty() || roles.iter().any(|role| is_open(plan, role)) {
        return None;
    }
    let people: BTreeSet<String> = roles.iter().map(|role| plan.person(role)).collect();
    Some(u32::try_from(people.len()).unwrap_or(u32::MAX))
}

/// Whether a role can be more than one person's.
#[must_use]
pub fn is_open(plan: &Plan, role: &RoleId) -> bool {
    plan.roles.get(role).is_none_or(|role| role.name.is_none() || role.team.is_some())
}

fn check_roles(
    plan: &Plan,
    run: Option<&RunState>,
    person: &Person,
    act: &Act,
    quorum: u32,
    allowed: &BTreeSet<RoleId>,
) -> Authority {
    if allowed.is_disjoint(&person.roles) {
        return Authority::Denied(match person.roles.is_empty() {
            true => Denial::NoRole,
            false => Denial::OnlyRoles { roles: allowed.iter().cloned().collect() },
        });
    }
    check_quorum(plan, run, person, act, quorum, allowed)
}

/// Whether enough people ask for the very same, this one included.
fn check_quorum(
    plan: &Plan,
    run: Option<&RunState>,
    person: &Person,
    act: &Act,
    quorum: u32,
    allowed: &BTreeSet<RoleId>,
) -> Authority {
    let others = run.map_or_else(Vec::new, |run| agreed_before(run, person, act));
    let all = u32::try_from(others.len()).unwrap_or(u32::MAX).saturating_add(1);
    match reachable(plan, run, act, quorum, allowed).saturating_sub(all) {
        0 => Authority::Allowed,
        more => Authority::NeedsMore { roles: allowed.iter().cloned().collect(), more },
    }
}

/// Who else has asked for the very same.
#[must_use]
pub fn agreed_before(run: &RunState, person: &Person, act: &Act) -> Vec<PersonId> {
    let mut others: Vec<PersonId> = Vec::new();
    for (proposed, by) in &run.proposals {
        let is_new = !by.is_same(&person.id) && !others.iter().any(|other| other.is_same(by));
        if proposed == act && is_new {
            others.push(by.clone());
        }
    }
    others
}

/// Whether the step is this person's to do.
fn owns_step(plan: &Plan, run: Option<&RunState>, person: &Person, step: &StepId) -> bool {
    let found = run.and_then(|run| run.step(step));
    if found.is_some_and(|(_, known)| known.assigned.as_ref() == Some(&person.id)) {
        return true;
    }
    let Some(step) = found.map(|(step, _)| step).or_else(|| plan.step(step)) else { return false };
    match &step.owner {
        // A step without an owner: anyone with a role may.
        None => !person.roles.is_empty(),
        Some(owner) => !with_deputies(plan, std::iter::once(owner)).is_disjoint(&person.roles),
    }
}

/// The roles to which a step belongs: its owner's, and their deputies'.
#[must_use]
pub fn owner_roles(plan: &Plan, run: Option<&RunState>, step: &StepId) -> BTreeSet<RoleId> {
    let found = run.and_then(|run| run.step(step)).map(|(step, _)| step);
    let owner = found.or_else(|| plan.step(step)).and_then(|step| step.owner.as_ref());
    match owner {
        Some(owner) => with_deputies(plan, std::iter::once(owner)),
        None => plan.roles.keys().cloned().collect(),
    }
}

/// The leads of a plan: its owner, its deciders, their deputies.
#[must_use]
pub fn leads(plan: &Plan) -> BTreeSet<RoleId> {
    let deciders = plan.decision.values().filter_map(|rule| rule.by.as_ref());
    with_deputies(plan, plan.change.owner.iter().chain(deciders))
}

fn with_deputies<'a>(plan: &Plan, roles: impl Iterator<Item = &'a RoleId>) -> BTreeSet<RoleId> {
    let mut all = BTreeSet::new();
    for role in roles {
        all.insert(role.clone());
        if let Some(role) = plan.roles.get(role) {
            all.extend(role.deputies.iter().cloned());
        }
    }
    all
}

/// Why it is not known which person of the plan is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unidentified {
    /// No role of the plan belongs to the account, and none was named.
    #[error("no role of the plan belongs to the account `{account}`; {roles}", roles = known_roles(.roles))]
    NoRoleOfAccount {
        /// The account.
        account: Account,
        /// The plan's roles.
        roles: Vec<RoleId>,
    },
    /// What was named is neither a role nor a person of the plan.
    #[error("`{claimed}` is neither a role nor a person of the plan; {roles}", roles = known_roles(.roles))]
    NotInPlan {
        /// What was named.
        claimed: String,
        /// The plan's roles.
        roles: Vec<RoleId>,
    },
    /// The role belongs to another account.
    #[error("the plan gives {role} to the account `{bound}`, and this is `{account}`")]
    OtherAccount {
        /// The role.
        role: RoleId,
        /// Its account.
        bound: String,
        /// The account of the sender.
        account: Account,
    },
}

fn known_roles(roles: &[RoleId]) -> String {
    match roles.is_empty() {
        true => "the plan has no roles".to_owned(),
        false => {
            let roles: Vec<&str> = roles.iter().map(RoleId::as_str).collect();
            format!("the plan's roles are {}", roles.join(", "))
        }
    }
}

/// Who a person is in a plan, from what they gave as `--as` and their account.
///
/// `claimed` is a role (`dba`), a name (`Mike Brown`), or both (`dba/Ann Other`).
///
/// # Errors
/// [`Unidentified`].
pub fn identify(
    plan: &Plan,
    claimed: Option<&str>,
    account: &Account,
) -> Result<Person, Unidentified> {
    let held_by = |name: &str| -> BTreeSet<RoleId> {
        let holds = |role: &crate::plan::Role| role.name.as_deref() == Some(name);
        plan.roles.iter().filter(|(_, role)| holds(role)).map(|(id, _)| id.clone()).collect()
    };
    let known = || plan.roles.keys().cloned().collect::<Vec<_>>();
    let person =
        |name: &str, roles: BTreeSet<RoleId>| Person { id: PersonId::of_name(plan, name), roles };
    if plan.roles.is_empty() {
        let name = claimed.map_or_else(|| account.to_string(), str::to_owned);
        return Ok(person(&name, BTreeSet::new()));
    }
    let Some(claimed) = claimed else {
        let mine = plan
            .roles
            .iter()
            .filter(|(_, role)| role.user.as_deref().is_some_and(|user| account.is_called(user)));
        let mut roles: BTreeSet<RoleId> = mine.map(|(id, _)| id.clone()).collect();
        let Some(first) = roles.first() else {
            let (account, roles) = (account.clone(), known());
            return Err(Unidentified::NoRoleOfAccount { account, roles });
        };
        let name = plan.person(first);
        roles.extend(held_by(&name));
        return Ok(person(&name, roles));
    };
    let (role, name) = match claimed.split_once('/') {
        Some((role, name)) => (role.trim(), Some(name.trim())),
        None => (claimed.trim(), None),
    };
    let role_id = RoleId::new(role).ok().filter(|id| plan.roles.contains_key(id));
    // A role that belongs to an account belongs to no other account.
    for role in role_id.iter().cloned().chain(held_by(name.unwrap_or(role))) {
        let bound = plan.roles.get(&role).and_then(|role| role.user.clone());
        if let Some(bound) = bound.filter(|bound| account.is_other_than(bound)) {
            return Err(Unidentified::OtherAccount { role, bound, account: account.clone() });
        }
    }
    match (role_id, name) {
        (Some(id), None) => {
            let name = plan.person(&id);
            let mut roles = held_by(&name);
            roles.insert(id);
            Ok(person(&name, roles))
        }
        // A named person acts in the role only if the plan gives it to them;
        // otherwise they are that person and nothing else.
        (Some(id), Some(name)) if !name.is_empty() => {
            let mut roles = held_by(name);
            if plan.roles.get(&id).is_some_and(|role| role.name.is_none() || role.team.is_some()) {
                roles.insert(id);
            }
            Ok(person(name, roles))
        }
        (None, None) if !held_by(role).is_empty() => Ok(person(role, held_by(role))),
        _ => Err(Unidentified::NotInPlan { claimed: claimed.to_owned(), roles: known() }),
    }
}
