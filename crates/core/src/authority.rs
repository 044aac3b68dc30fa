//! Who may do what.
//!
//! [`may`] is a pure function of the plan, the run so far and the person. Its
//! answer always carries a sentence; the sentence goes to the screen and to the
//! log. The defaults, which a plan's `authority` section can replace act by act:
//!
//! | act | who |
//! |---|---|
//! | acknowledge, fail | the step's owner, their deputies, or whoever it was handed to |
//! | stop, retry, resolve | the same, and the leads |
//! | invoke, deploy, escalate, skip, add, replace, assign, abandon | the leads |
//! | decide | whoever is asked, and their deputies; to go back, the leads too |
//! | approve | whom the stage names, else the leads; two where there is no way back |
//! | hold, go on, write down a defect | anyone with a role: stopping must be cheap |
//!
//! The leads are the plan's owner, everybody named in its decision section, and
//! their deputies. A plan that names neither has no leads; then anyone with a
//! role may act, because a plan for two people must not lock both out. In a plan
//! without roles anyone may do anything, and the log says who did.

use std::collections::BTreeSet;

use crate::act::Act;
use crate::ids::{RoleId, StepId};
use crate::plan::{Plan, Severity};
use crate::state::RunState;

/// A person who wants to do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their name.
    pub name: String,
    /// Every role they hold in the plan.
    pub roles: BTreeSet<RoleId>,
}

/// The answer to "may they?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Allowed {
        /// Why.
        because: String,
    },
    /// Yes, but not alone.
    Needs {
        /// Whose word counts, for people.
        who: String,
        /// How many more people must ask for the same.
        more: u32,
        /// Who has asked already.
        have: Vec<String>,
    },
    /// No.
    Denied {
        /// Why.
        why: String,
    },
}

/// Whether `person` may do `act`, given the plan and, if there is one, the run.
#[must_use]
pub fn may(plan: &Plan, run: Option<&RunState>, person: &Person, act: &Act) -> Verdict {
    if plan.roles.is_empty() {
        return Verdict::Allowed { because: "the plan names no roles".to_owned() };
    }
    if let Some((allowed, quorum)) = of_the_release(plan, run, act) {
        if allowed.is_disjoint(&person.roles) {
            return Verdict::Denied {
                why: format!(
                    "only {} may {} now; {} is {}",
                    list(plan, &allowed),
                    act.shown(),
                    person.name,
                    roles(person)
                ),
            };
        }
        return self::quorum(plan, run, person, act, quorum, &allowed);
    }
    let grant = act.permission().filter(|_| !matches!(act, Act::Stop { .. } | Act::LogDefect));
    let grant = grant.and_then(|permission| plan.authority.0.get(&permission));
    if let Some(grant) = grant {
        let allowed = with_deputies(plan, grant.by.iter());
        if allowed.is_disjoint(&person.roles) {
            return Verdict::Denied {
                why: format!(
                    "the plan lets only {} {}; {} is {}",
                    list(plan, &allowed),
                    act.shown(),
                    person.name,
                    roles(person)
                ),
            };
        }
        return quorum(plan, run, person, act, grant.quorum, &allowed);
    }
    if let Some(step) = act.step()
        && let Some(because) = owns(plan, run, person, step)
    {
        let owner_is_enough = matches!(
            act,
            Act::Stop { .. }
                | Act::Acknowledge { .. }
                | Act::Fail { .. }
                | Act::Retry { .. }
                | Act::Resolve { .. }
        );
        if owner_is_enough {
            return Verdict::Allowed { because };
        }
    }
    if act.permission().is_none() {
        let owner = act.step().map_or_else(String::new, |step| owner_shown(plan, run, step));
        return Verdict::Denied {
            why: format!("{} is for {owner}; {} is {}", act.shown(), person.name, roles(person)),
        };
    }
    if person.roles.is_empty() {
        return Verdict::Denied { why: format!("{} holds no role in this plan", person.name) };
    }
    let leads = leads(plan);
    let anyone = matches!(act, Act::Hold | Act::Release | Act::LogDefect) || leads.is_empty();
    match person.roles.iter().find(|role| anyone || leads.contains(*role)) {
        Some(role) => {
            Verdict::Allowed { because: format!("{} holds the role {role}", person.name) }
        }
        None => Verdict::Denied {
            why: format!(
                "only {} may {}; {} is {}",
                list(plan, &leads),
                act.shown(),
                person.name,
                roles(person)
            ),
        },
    }
}

/// Who may decide about a deployment, and how many of them it takes.
///
/// Whoever is asked decides; to go back, any lead may: stopping must be cheap. What
/// there is no way back from takes two people.
fn of_the_release(
    plan: &Plan,
    run: Option<&RunState>,
    act: &Act,
) -> Option<(BTreeSet<RoleId>, u32)> {
    let granted = |grant: &crate::plan::Grant| (with_deputies(plan, grant.by.iter()), grant.quorum);
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
pub fn agreeing(state: &RunState, act: &Act) -> u32 {
    let plan = &state.planned.plan;
    if plan.roles.is_empty() {
        return 1;
    }
    of_the_release(plan, Some(state), act).map_or(1, |(_, quorum)| quorum)
}

fn quorum(
    plan: &Plan,
    run: Option<&RunState>,
    person: &Person,
    act: &Act,
    quorum: u32,
    allowed: &BTreeSet<RoleId>,
) -> Verdict {
    let mut have: Vec<String> = Vec::new();
    for (proposed, by) in run.map_or(&[][..], |run| &run.proposals) {
        let new = |name: &String| name.to_lowercase() != by.to_lowercase();
        if proposed == act && new(&person.name) && have.iter().all(new) {
            have.push(by.clone());
        }
    }
    let with_this_one = u32::try_from(have.len()).unwrap_or(u32::MAX).saturating_add(1);
    if with_this_one >= quorum {
        have.push(person.name.clone());
        Verdict::Allowed { because: format!("asked for by {}", have.join(" and ")) }
    } else {
        Verdict::Needs { who: list(plan, allowed), more: quorum - with_this_one, have }
    }
}

/// Whether the step is this person's to do, and why.
fn owns(plan: &Plan, run: Option<&RunState>, person: &Person, step: &StepId) -> Option<String> {
    let found = run.and_then(|run| run.step(step));
    if let Some(assigned) = found.and_then(|(_, known)| known.assigned.clone())
        && assigned == person.name
    {
        return Some(format!("{step} was handed to {assigned}"));
    }
    let owner = found.map(|(step, _)| step).or_else(|| plan.step(step))?.owner.as_ref();
    let Some(owner) = owner else {
        // Nobody owns it: anyone with a role may.
        let role = person.roles.first()?;
        return Some(format!("{step} has no owner; {} holds the role {role}", person.name));
    };
    if person.roles.contains(owner) {
        return Some(format!("{} owns {step} as {owner}", person.name));
    }
    let deputies = with_deputies(plan, std::iter::once(owner));
    let deputy = person.roles.iter().find(|role| deputies.contains(*role))?;
    Some(format!("{} is {deputy}, deputy of {owner}", person.name))
}

fn owner_shown(plan: &Plan, run: Option<&RunState>, step: &StepId) -> String {
    let found = run.and_then(|run| run.step(step));
    let assigned = found.and_then(|(_, known)| known.assigned.clone());
    let owner =
        found.map(|(step, _)| step).or_else(|| plan.step(step)).and_then(|s| s.owner.clone());
    match (assigned, owner) {
        (Some(assigned), _) => format!("{assigned}, to whom the step was handed"),
        (None, Some(owner)) => list(plan, &with_deputies(plan, std::iter::once(&owner))),
        (None, None) => "anyone with a role in the plan".to_owned(),
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

fn list(plan: &Plan, roles: &BTreeSet<RoleId>) -> String {
    let shown = |role: &RoleId| match plan.person(role) {
        name if name == role.as_str() => name,
        name => format!("{name} ({role})"),
    };
    let mut names: Vec<String> = roles.iter().map(shown).collect();
    match names.pop() {
        None => "nobody".to_owned(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} or {last}", names.join(", ")),
    }
}

fn roles(person: &Person) -> String {
    match person.roles.iter().map(RoleId::as_str).collect::<Vec<_>>() {
        none if none.is_empty() => "nobody in this plan".to_owned(),
        some => some.join(" and "),
    }
}

/// Who a person is in a plan, from what they gave as `--as` and their account.
///
/// `as_who` is a role (`dba`), a name (`Mike Brown`), or both (`dba/Ann Other`).
///
/// # Errors
/// A sentence that says why nobody in the plan is meant.
pub fn identify(plan: &Plan, as_who: Option<&str>, account: &str) -> Result<Person, String> {
    let held_by = |name: &str| -> BTreeSet<RoleId> {
        let holds = |role: &crate::plan::Role| role.name.as_deref() == Some(name);
        plan.roles.iter().filter(|(_, role)| holds(role)).map(|(id, _)| id.clone()).collect()
    };
    let known = || {
        let roles: Vec<&str> = plan.roles.keys().map(RoleId::as_str).collect();
        if roles.is_empty() {
            "the plan has no roles".to_owned()
        } else {
            format!("the plan's roles are {}", roles.join(", "))
        }
    };
    if plan.roles.is_empty() {
        let name = as_who.unwrap_or(account).to_owned();
        return Ok(Person { name, roles: BTreeSet::new() });
    }
    let Some(as_who) = as_who else {
        let mine = plan.roles.iter().filter(|(_, role)| role.user.as_deref() == Some(account));
        let mut roles: BTreeSet<RoleId> = mine.map(|(id, _)| id.clone()).collect();
        let Some(first) = roles.first() else {
            return Err(format!(
                "who are you? no role of the plan belongs to the account `{account}`; {}",
                known()
            ));
        };
        let name = plan.person(first);
        roles.extend(held_by(&name));
        return Ok(Person { name, roles });
    };
    let (role, name) = match as_who.split_once('/') {
        Some((role, name)) => (role.trim(), Some(name.trim())),
        None => (as_who.trim(), None),
    };
    let role_id = RoleId::new(role).ok().filter(|id| plan.roles.contains_key(id));
    // A role that belongs to an account belongs to no other account.
    let claimed = role_id.iter().cloned().chain(held_by(name.unwrap_or(role)));
    for id in claimed {
        let bound = plan.roles.get(&id).and_then(|role| role.user.as_deref());
        if let Some(user) = bound.filter(|user| *user != account) {
            return Err(format!(
                "the plan gives {id} to the account `{user}`, and this is `{account}`"
            ));
        }
    }
    match (role_id, name) {
        (Some(id), None) => {
            let name = plan.person(&id);
            let mut roles = held_by(&name);
            roles.insert(id);
            Ok(Person { name, roles })
        }
        // A named person acts in the role only if the plan gives it to them;
        // otherwise they are that person and nothing else.
        (Some(id), Some(name)) if !name.is_empty() => {
            let mut roles = held_by(name);
            if plan.roles.get(&id).is_some_and(|role| role.name.is_none() || role.team.is_some()) {
                roles.insert(id);
            }
            Ok(Person { name: name.to_owned(), roles })
        }
        (None, None) if !held_by(role).is_empty() => {
            Ok(Person { name: role.to_owned(), roles: held_by(role) })
        }
        _ => Err(format!("`{as_who}` is neither a role nor a person of the plan; {}", known())),
    }
}
