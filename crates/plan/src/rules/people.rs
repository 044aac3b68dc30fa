//! Who decides, who does, and whether they can be reached.

use std::collections::BTreeSet;

use super::{Facts, Rule};
use crate::diagnostic::Level::{Error, Warning};
use crate::document::Path;
use backout_core::authority;
use backout_core::ids::RoleId;
use backout_core::plan::DecisionAction;

/// Contacts older than this at the deployment are not trusted.
const CONTACTS_MAX_DAYS: i32 = 90;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "BOP-005",
        level: Error,
        title: "Somebody may invoke the backout",
        why: "When it goes wrong, the first question is who may say \"go back\". If the plan does not answer it, the answer takes longer than the backout.",
        fix: "name the decider: `decision: {critical: {action: back-out, by: …}}`, or at least `change.owner`",
        clauses: &["EU RTS 2024/1774, Art. 17(1)(c), (e)", "NIST SP 800-53 r5, CP-2a.3"],
        fires: "change: {owner: null}\ndecision:\n  critical: {action: back-out, by: null, within: 5m, tell: owner}",
        silent: "decision:\n  critical: {action: back-out, by: lead, within: 5m, tell: owner}",
        look: |facts, found| {
            if authority::leads(facts.plan).is_empty() && !facts.plan.steps.is_empty() {
                found
                    .plan(Path::root().key("change"), "nobody is named who may invoke the backout");
            }
            for (severity, rule) in &facts.plan.decision {
                if rule.by.is_none()
                    && rule.action != DecisionAction::Log
                    && facts.plan.change.owner.is_some()
                {
                    let key = format!("{severity:?}").to_lowercase();
                    let at = Path::root().key("decision").key(&key);
                    found.at(at, &key, format!("nobody decides at severity {key}"));
                }
            }
        },
    },
    Rule {
        id: "BOP-006",
        level: Error,
        title: "Nobody approves what they asked for",
        why: "Two people have to agree that a change is worth its risk. One person with two roles is one person.",
        fix: "have somebody else approve it",
        clauses: &["NIST SP 800-53 r5, AC-5", "EU RTS 2024/1774, Art. 17(1)(b)"],
        fires: "change:\n  requested_by: owner\n  approvals: [{by: owner}]",
        silent: "change:\n  requested_by: owner\n  approvals: [{by: sponsor}]",
        look: |facts, found| {
            let change = &facts.plan.change;
            let Some(requester) = &change.requested_by else { return };
            let asked = facts.plan.person(requester);
            for (index, approval) in change.approvals.iter().enumerate() {
                if facts.plan.person(&approval.by) == asked {
                    let at = Path::root().key("change").key("approvals").index(index).key("by");
                    found.at(
                        at,
                        &approval.by,
                        format!("{asked} asked for the change and approved it"),
                    );
                }
            }
        },
    },
    Rule {
        id: "BOP-007",
        level: Error,
        title: "Each step has an owner",
        why: "A step that belongs to everybody is done by nobody, or twice.",
        fix: "name the role that does it or answers for it: `owner: …`",
        clauses: &["NIST SP 800-53 r5, CP-2a.3"],
        fires: "steps: [{id: announce, title: Announce to the team, takes: 2m, manual: Call everybody., verify: {confirm: Everybody answered}}]",
        silent: "steps: [{id: announce, title: Announce to the team, owner: owner, takes: 2m, manual: Call everybody., verify: {confirm: Everybody answered}}]",
        look: |facts, found| {
            for (index, step) in facts.plan.steps.iter().enumerate() {
                if step.owner.is_none() {
                    found.at(
                        Path::step(index),
                        &step.id,
                        format!("step `{}` has no owner", step.id),
                    );
                }
            }
        },
    },
    Rule {
        id: "BOP-023",
        level: Warning,
        title: "The contacts were checked recently",
        why: "People change numbers, shifts and jobs. A contact list is true on the day it is checked.",
        fix: "ring them, then note the day: `reach: {…, verified: 2026-06-01}`; a deputy must be somebody else",
        clauses: &["NIST SP 800-53 r5, CP-2a.3"],
        fires: "roles: {dba: {reach: {verified: 2025-01-01}}}",
        silent: "roles: {dba: {reach: {verified: 2026-06-01}}}",
        look: |facts, found| {
            let deploy = facts.plan.window.as_ref().and_then(|window| window.deploy);
            for (id, role) in &facts.plan.roles {
                let at = Path::root().key("roles").key(id);
                let name = facts.plan.person(id);
                let verified = role.reach.as_ref().and_then(|reach| reach.verified);
                if let (Some(verified), Some(deploy)) = (verified, deploy) {
                    let age = (deploy.start.at.date() - verified).get_days();
                    if age > CONTACTS_MAX_DAYS {
                        let message = format!(
                            "the contacts of {name} were last checked {age} days before the deployment"
                        );
                        found.at(at.key("reach").key("verified"), id, message);
                    }
                }
                for (index, deputy) in role.deputies.iter().enumerate() {
                    if deputy == id || (role.name.is_some() && facts.plan.person(deputy) == name) {
                        let message = format!("{name} is their own deputy");
                        found.at(at.key("deputies").index(index), id, message);
                    }
                }
            }
        },
    },
    Rule {
        id: "BOP-106",
        level: Error,
        title: "Whoever is needed can be reached",
        why: "A name without a number is a hope.",
        fix: "add a way that works at night: `reach: {phone: …}`",
        clauses: &["NIST SP 800-53 r5, CP-2a.3"],
        fires: "roles: {dba: {reach: null}}",
        silent: "roles: {dba: {reach: {phone: \"+44 20 7946 0003\"}}}",
        look: |facts, found| {
            for id in needed(facts) {
                let reachable = facts.plan.roles.get(&id).and_then(|role| role.reach.as_ref());
                let real = |(_, way): (&str, &str)| {
                    way.chars().any(|c| matches!(c, '1'..='9' | '@' | '#')) || way.len() > 6
                };
                if !reachable.is_some_and(|reach| reach.ways().any(real)) {
                    let message =
                        format!("{} is needed and cannot be reached", facts.plan.person(&id));
                    found.at(Path::root().key("roles").key(&id), &id, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-107",
        level: Warning,
        title: "A decider has a deputy",
        why: "The one person who may decide is asleep, on a plane, or the reason for the outage.",
        fix: "name a stand-in: `deputies: […]`",
        clauses: &["NIST SP 800-53 r5, CP-2a.3"],
        fires: "roles: {lead: {deputies: null}}",
        silent: "roles: {lead: {deputies: [owner]}}",
        look: |facts, found| {
            let deciders: BTreeSet<&RoleId> =
                facts.plan.decision.values().filter_map(|rule| rule.by.as_ref()).collect();
            for id in deciders {
                let alone = facts.plan.roles.get(id).is_some_and(|role| role.deputies.is_empty());
                if alone {
                    let message =
                        format!("{} decides alone and has no deputy", facts.plan.person(id));
                    found.at(Path::root().key("roles").key(id), id, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-127",
        level: Warning,
        title: "Each role is held by somebody",
        why: "\"DBA\" does not pick up the phone. Mike does.",
        fix: "name the person or the team: `name: …`",
        clauses: &[],
        fires: "roles: {dba: {name: null}}",
        silent: "roles: {dba: {name: Database team on call}}",
        look: |facts, found| {
            for id in needed(facts) {
                if facts.plan.roles.get(&id).is_some_and(|role| role.name.is_none()) {
                    found.at(
                        Path::root().key("roles").key(&id),
                        &id,
                        format!("nobody holds the role `{id}`"),
                    );
                }
            }
        },
    },
    Rule {
        id: "BOP-150",
        level: Error,
        title: "There are as many people as have to agree",
        why: "Where two people have to say the same and only one can, nobody can, and it is noticed at the worst moment.",
        fix: "name more roles or deputies, or ask for fewer people",
        clauses: &["NIST SP 800-53 r5, AC-5"],
        fires: "authority: {skip: {by: sponsor, quorum: 2}}\nroles: {sponsor: {name: Sue Martin}}",
        silent: "authority: {skip: {by: [sponsor, pm], quorum: 2}}\nroles: {sponsor: {name: Sue Martin}, pm: {name: Pat Moore}}",
        look: |facts, found| {
            let root = Path::root();
            let granted = facts.plan.authority.0.iter();
            let mut asked: Vec<(Path, Vec<&RoleId>, u32)> = granted
                .map(|(permission, grant)| {
                    let key = serde_json::to_value(permission).unwrap_or_default();
                    let at = root.key("authority").key(key.as_str().unwrap_or_default());
                    (at, grant.by.iter().collect(), grant.quorum)
                })
                .collect();
            for (severity, rule) in &facts.plan.decision {
                let at = root.key("decision").key(format!("{severity:?}").to_lowercase());
                let who = rule.by.iter().chain(rule.escalate.iter()).collect();
                asked.push((at, who, rule.quorum));
            }
            for (index, stage) in facts.plan.stages.iter().enumerate() {
                let Some(grant) = &stage.approval else { continue };
                // What there is no way back from takes two people in any case.
                let least = if stage.irreversible.is_some() { 2 } else { 1 };
                let at = root.key("stages").index(index).key("approval");
                asked.push((at, grant.by.iter().collect(), grant.quorum.max(least)));
            }
            for (at, who, quorum) in asked {
                let Some(most) = people(facts, &who).filter(|most| *most < quorum as usize) else {
                    continue;
                };
                let message = format!("{quorum} people have to agree here, and only {most} can");
                found.at(at, who.first().map_or("", |role| role.as_str()), message);
            }
        },
    },
];

/// How many different people can speak for these roles and their deputies; nothing where
/// the plan does not say who that is, as for a team.
fn people(facts: &Facts<'_>, roles: &[&RoleId]) -> Option<usize> {
    let deputies = roles.iter().filter_map(|id| facts.plan.roles.get(*id));
    let deputies = deputies.flat_map(|role| role.deputies.iter());
    let mut names = BTreeSet::new();
    for id in roles.iter().copied().chain(deputies) {
        let role = facts.plan.roles.get(id)?;
        names.insert(role.name.as_ref().filter(|_| role.team.is_none())?.to_lowercase());
    }
    (!names.is_empty()).then_some(names.len())
}

/// Roles that have something to do or to decide.
fn needed(facts: &Facts<'_>) -> BTreeSet<RoleId> {
    let steps = facts.plan.stages.iter().chain(&facts.plan.steps);
    let owners = steps.filter_map(|step| step.owner.clone());
    let deciders = facts.plan.decision.values().filter_map(|rule| rule.by.clone());
    let named: BTreeSet<RoleId> =
        owners.chain(deciders).chain(facts.plan.change.owner.clone()).collect();
    // Whoever stands in is needed as much.
    let deputies = named
        .iter()
        .filter_map(|id| facts.plan.roles.get(id))
        .flat_map(|role| role.deputies.clone());
    named.iter().cloned().chain(deputies).collect()
}
