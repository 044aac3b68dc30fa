//! The plan as a promise: that it exists, was looked at, approved, rehearsed.

use super::Rule;
use crate::diagnostic::Level::{Error, Warning};
use crate::document::Path;
use backout_core::plan::{ChangeKind, DecisionAction};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "BOP-001",
        level: Error,
        title: "There is a way back",
        why: "A change without a way back is a bet. If there truly is none, the plan must say so and name what happens instead, so that the people who approve it know what they approve.",
        fix: "write the steps that undo the change, or say under `alternatives.cannot_back_out` why there are none and what happens instead",
        clauses: &[
            "PCI DSS 4.0.1, 6.5.1",
            "EU RTS 2024/1774, Art. 17(1)(e)",
            "CSA CCM v4, CCC-09",
            "ISO/IEC 20000-1:2018, 8.5.1.3",
        ],
        fires: "steps: []",
        silent: "steps: []\nalternatives:\n  cannot_back_out:\n    - {scenario: The vendor migrates the tenant one way, instead: Fix forward with the vendor on the call}",
        look: |facts, found| {
            let explained =
                facts.plan.alternatives.as_ref().is_some_and(|a| !a.cannot_back_out.is_empty());
            if facts.plan.steps.is_empty() && !explained {
                found.plan(Path::root().key("change"), "this plan has no way back");
            }
        },
    },
    Rule {
        id: "BOP-002",
        level: Warning,
        title: "It is clear when to back out",
        why: "At three in the morning nobody agrees on how bad is bad. The plan has to say beforehand which severity leads to what.",
        fix: "add `triggers`, and a `decision` section: what happens at critical, major and minor, decided by whom, within how long",
        clauses: &["NIST SP 800-34 r1, 4.2"],
        fires: "decision: null",
        silent: "decision:\n  critical: {action: back-out, by: lead, within: 5m, tell: [owner]}",
        look: |facts, found| {
            let said = facts.plan.options.values().any(|way| way.when.is_some())
                || !facts.plan.triggers.is_empty();
            if facts.plan.decision.is_empty() && !said && !facts.plan.steps.is_empty() {
                found.plan(Path::root().key("decision"), "nothing says when to back out");
            }
        },
    },
    Rule {
        id: "BOP-003",
        level: Error,
        title: "It is clear when the deployment is a success",
        why: "Backing out is the answer to a deployment that did not work. Without a stated success, every deployment worked for somebody.",
        fix: "list measurable sentences under `change.success_when`: \"login error rate under 1 % for 30 minutes\"",
        clauses: &["EU RTS 2024/1774, Art. 17(1)(d)"],
        fires: "change: {success_when: null}",
        silent: "change: {success_when: Error rate under 1 % for 30 minutes}",
        look: |facts, found| {
            if facts.plan.change.success_when.is_empty() {
                found.plan(
                    Path::root().key("change"),
                    "nothing says when the deployment counts as a success",
                );
            }
        },
    },
    Rule {
        id: "BOP-012",
        level: Warning,
        title: "Somebody approved this version",
        why: "The plan that is carried out must be the plan that was approved. A version that nobody approved is a draft.",
        fix: "have it approved and record it under `change.approvals`, with the plan version",
        clauses: &["PCI DSS 4.0.1, 6.5.1", "NIST SP 800-53 r5, CM-3b"],
        fires: "change: {plan_version: \"1.3\"}",
        silent: "change:\n  plan_version: \"1.3\"\n  approvals: [{by: sponsor, on: 2026-06-01, plan_version: \"1.3\"}]",
        look: |facts, found| {
            let change = &facts.plan.change;
            let current = change.approvals.iter().any(|approval| {
                approval.plan_version.is_none() || approval.plan_version == change.plan_version
            });
            let version = change.plan_version.as_deref();
            if change.approvals.is_empty() {
                found.plan(Path::root().key("change"), "nobody has approved this plan yet");
            } else if !current {
                let message =
                    format!("nobody has approved version {} of this plan", version.unwrap_or("?"));
                found.plan(Path::root().key("change").key("approvals"), message);
            }
        },
    },
    Rule {
        id: "BOP-013",
        level: Warning,
        title: "What the backout undoes for security is written down",
        why: "Going back may bring an old weakness back: a patch that is undone, a certificate that has expired since, a firewall rule that was closed for a reason.",
        fix: "say under `change.security` what the change means for security and what the backout undoes of it; \"none\" with a reason is an answer",
        clauses: &["PCI DSS 4.0.1, 6.5.1", "NIST SP 800-53 r5, CM-4"],
        fires: "change: {security: null}",
        silent: "change: {security: None; the release carries no security fixes}",
        look: |facts, found| {
            if facts.plan.change.security.is_none() {
                found.plan(
                    Path::root().key("change"),
                    "the plan does not say what it means for security",
                );
            }
        },
    },
    Rule {
        id: "BOP-014",
        level: Warning,
        title: "Reason, impact and neighbours are described",
        why: "Whoever has to decide at night was rarely in the meetings. They need to know what the change is, who feels it, and which other systems talk to it.",
        fix: "fill in `change.description`, `change.impact` and `change.depends_on`",
        clauses: &["PCI DSS 4.0.1, 6.5.1", "EU RTS 2024/1774, Art. 17(1)(d), (h)"],
        fires: "change: {impact: null}",
        silent: "change: {impact: Customers cannot log in during the deployment}",
        look: |facts, found| {
            let change = &facts.plan.change;
            let missing: Vec<&str> = [
                ("description", change.description.is_none()),
                ("impact", change.impact.is_none()),
                ("depends_on", change.depends_on.is_empty()),
            ]
            .into_iter()
            .filter_map(|(key, missing)| missing.then_some(key))
            .collect();
            if !missing.is_empty() {
                let message = format!("the change has no {}", missing.join(", no "));
                found.plan(Path::root().key("change"), message);
            }
        },
    },
    Rule {
        id: "BOP-015",
        level: Warning,
        title: "Somebody is told",
        why: "Users forgive a failure. They do not forgive silence, and neither does the next team that deploys on top of a half undone change.",
        fix: "name who is told under `decision.….tell` or `messages`, or add a step that tells them",
        clauses: &["NIST SP 800-53 r5, CP-2f"],
        fires: "decision:\n  critical: {action: back-out, by: lead, within: 5m, tell: null}\nsteps:\n  - {id: restore, component: database, owner: dba, takes: 30m, restore_tree: {from: /backup/db, to: /var/db}, verify: {same_as_baseline: rows}}",
        silent: "decision:\n  critical: {action: back-out, by: lead, within: 5m, tell: owner}",
        look: |facts, found| {
            let told = facts.plan.decision.values().any(|rule| !rule.tell.is_empty())
                || !facts.plan.messages.is_empty();
            let word = |text: &str| {
                let text = text.to_lowercase();
                ["announce", "notify", "inform", "tell ", "communicat", "status page"]
                    .iter()
                    .any(|w| text.contains(w))
            };
            let step =
                facts.plan.steps.iter().any(|step| word(step.label()) || word(step.id.as_str()));
            if !told && !step && !facts.plan.steps.is_empty() {
                found.plan(
                    Path::root().key("decision"),
                    "nobody is told that the change is backed out",
                );
            }
        },
    },
    Rule {
        id: "BOP-016",
        level: Warning,
        title: "The way back was rehearsed, in this version",
        why: "A way back that was never walked is a theory. Most first rehearsals find a missing permission, a backup that does not restore, or a step that takes three times as long.",
        fix: "rehearse it where it cannot hurt and record it under `change.rehearsed`, with date, duration and plan version",
        clauses: &[
            "CSA CCM v4, CCC-09",
            "NIST SP 800-53 r5, CP-4",
            "ISO/IEC 20000-1:2018, 8.5.1.3",
        ],
        fires: "change: {rehearsed: null}",
        silent: "change:\n  plan_version: \"1.2\"\n  rehearsed: {environment: staging, on: 2026-06-02, took: 55m, plan_version: \"1.2\"}",
        look: |facts, found| {
            let (change, at) = (&facts.plan.change, Path::root().key("change"));
            match &change.rehearsed {
                None if facts.plan.steps.is_empty() => {}
                None => {
                    found.plan(at, "the way back has never been rehearsed");
                }
                Some(rehearsed)
                    if rehearsed.plan_version.is_some()
                        && rehearsed.plan_version != change.plan_version =>
                {
                    let message = format!(
                        "version {} was rehearsed, this is version {}",
                        rehearsed.plan_version.as_deref().unwrap_or("?"),
                        change.plan_version.as_deref().unwrap_or("?")
                    );
                    found.plan(at.key("rehearsed").key("plan_version"), message);
                }
                Some(_) => {}
            }
        },
    },
    Rule {
        id: "BOP-017",
        level: Warning,
        title: "There is something behind the backout",
        why: "The backout itself can fail. The worst moment to look up the vendor's number or to find out who may declare a disaster is then.",
        fix: "say under `alternatives.if_backout_fails` what happens then: a heavier option, a vendor, disaster recovery, and who calls it",
        clauses: &["EU RTS 2024/1774, Art. 17(1)(e)"],
        fires: "alternatives: null",
        silent: "alternatives: {if_backout_fails: The lead declares a disaster and calls the recovery site}",
        look: |facts, found| {
            let said =
                facts.plan.alternatives.as_ref().is_some_and(|a| a.if_backout_fails.is_some());
            if !said && !facts.plan.steps.is_empty() {
                found.plan(
                    Path::root().key("alternatives"),
                    "nothing says what happens if the backout fails",
                );
            }
        },
    },
    Rule {
        id: "BOP-018",
        level: Warning,
        title: "Each option says when to choose it",
        why: "Several ways back are only better than one if it is clear which to take. Turning a feature off and restoring a database are different decisions, by different people.",
        fix: "give the option a `when`, and a `by` if others decide about it",
        clauses: &[],
        fires: "options:\n  light: {title: Turn the feature off, steps: [announce]}\n  full: {title: Everything, default: true, when: The data is damaged}",
        silent: "options:\n  light: {title: Turn the feature off, when: Only the new feature fails, steps: [announce]}\n  full: {title: Everything, default: true, when: The data is damaged}",
        look: |facts, found| {
            if facts.plan.options.len() < 2 {
                return;
            }
            for (id, way) in facts.plan.options.iter().filter(|(_, way)| way.when.is_none()) {
                let message =
                    format!("option `{id}` ({}) does not say when to choose it", way.title);
                found.at(Path::root().key("options").key(id), id, message);
            }
        },
    },
    Rule {
        id: "BOP-020",
        level: Warning,
        title: "The review has an owner and a date",
        why: "A backout is the most expensive lesson a team can buy. Without an owner and a date nobody collects it.",
        fix: "add `review: {owner: …, within: 24h}`",
        clauses: &["ISO/IEC 20000-1:2018, 8.5.1.3", "NIST SP 800-53 r5, CP-2g"],
        fires: "review: null",
        silent: "review: {owner: owner, within: 24h}",
        look: |facts, found| {
            let at = Path::root().key("review");
            match &facts.plan.review {
                None => {
                    found.plan(at, "nobody reviews what happened afterwards");
                }
                Some(review) if review.owner.is_none() || review.within.is_none() => {
                    let missing = if review.owner.is_none() { "owner" } else { "date" };
                    found.plan(at, format!("the review has no {missing}"));
                }
                Some(_) => {}
            }
        },
    },
    Rule {
        id: "BOP-021",
        level: Warning,
        title: "An emergency change is approved afterwards",
        why: "An emergency change skips the queue, not the approval. Regulators ask for the approval that came afterwards.",
        fix: "name who approves afterwards under `review.retrospective_approval`",
        clauses: &["EU RTS 2024/1774, Art. 17(1)(f), (g)"],
        fires: "change: {kind: emergency}",
        silent: "change: {kind: emergency}\nreview: {retrospective_approval: sponsor}",
        look: |facts, found| {
            let emergency = facts.plan.change.kind == Some(ChangeKind::Emergency);
            let approved =
                facts.plan.review.as_ref().is_some_and(|r| r.retrospective_approval.is_some());
            if emergency && !approved {
                found.plan(
                    Path::root().key("change").key("kind"),
                    "this emergency change is never approved afterwards",
                );
            }
        },
    },
    Rule {
        id: "BOP-024",
        level: Warning,
        title: "Somebody other than its owner reviewed it",
        why: "The author reads what they meant. A second reader reads what it says.",
        fix: "have somebody else read it and name them under `change.reviewed_by`",
        clauses: &["NIST SP 800-53 r5, CP-2h"],
        fires: "change: {reviewed_by: owner}",
        silent: "change: {reviewed_by: dba}",
        look: |facts, found| {
            let (change, at) = (&facts.plan.change, Path::root().key("change"));
            let same = |role| {
                change
                    .owner
                    .as_ref()
                    .is_some_and(|owner| facts.plan.person(owner) == facts.plan.person(role))
            };
            match &change.reviewed_by {
                None => {
                    found.plan(at, "nobody has reviewed this plan");
                }
                Some(reviewer) if same(reviewer) => {
                    let message =
                        format!("{} reviewed their own plan", facts.plan.person(reviewer));
                    found.at(at.key("reviewed_by"), reviewer, message);
                }
                Some(_) => {}
            }
        },
    },
    Rule {
        id: "BOP-126",
        level: Warning,
        title: "Each risk is answered",
        why: "A risk that is only listed is a worry. The plan must say what is done about it.",
        fix: "give the risk a `mitigation`, or take it out",
        clauses: &[],
        fires: "risks: [{risk: The backup is corrupt}]",
        silent: "risks: [{risk: The backup is corrupt, mitigation: It is restored in staging the day before}]",
        look: |facts, found| {
            for (index, risk) in facts.plan.risks.iter().enumerate() {
                if risk.mitigation.is_none() {
                    let at = Path::root().key("risks").index(index).key("risk");
                    found.plan(
                        at,
                        format!("nothing is done about the risk \"{}\"", risk.risk.trim()),
                    );
                }
            }
        },
    },
    Rule {
        id: "BOP-128",
        level: Warning,
        title: "Accepted findings are still findings",
        why: "An exception that outlives its reason will one day hide a new problem.",
        fix: "take it out of `accepted`",
        clauses: &[],
        fires: "accepted: [{rule: BOP-126, because: we live with every risk here}]",
        silent: "risks: [{risk: The backup is corrupt}]\naccepted: [{rule: BOP-126, because: the vendor guarantees the backup}]",
        // Found after all other rules have run.
        look: |_, _| {},
    },
    Rule {
        id: "BOP-132",
        level: Warning,
        title: "A decision has a deadline",
        why: "While nobody decides, the window closes. A decision without a deadline is made by the clock.",
        fix: "say how long they have: `within: 5m`",
        clauses: &[],
        fires: "decision:\n  critical: {action: back-out, by: lead, within: null, tell: owner}",
        silent: "decision:\n  critical: {action: back-out, by: lead, within: 5m, tell: owner}",
        look: |facts, found| {
            for (severity, rule) in &facts.plan.decision {
                if rule.within.is_none() && rule.action != DecisionAction::Log {
                    let key = format!("{severity:?}").to_lowercase();
                    let at = Path::root().key("decision").key(&key);
                    found.at(at, &key, format!("the decision at severity {key} has no deadline"));
                }
            }
        },
    },
];
