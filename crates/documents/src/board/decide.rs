//! When to back out, who decides, who is who.

use backout_core::plan::Plan;

use super::pictures;
use crate::make::{Make, maybe, plain};
use crate::saying;
use crate::tree::Cell;

pub(super) fn decision(plan: &Plan, make: &mut Make) {
    make.heading(2, "When to back out, and who decides");
    if plan.triggers.is_empty() && plan.decision.is_empty() {
        make.quiet("The plan names neither a trigger nor anybody who decides.");
    }
    if !plan.triggers.is_empty() {
        make.heading(3, "Triggers");
        let rows = plan.triggers.iter().map(|(id, trigger)| {
            // A query is no name for people; the plan's own name of it is.
            let named = trigger.title.is_some() || trigger.condition.is_judged();
            let named = if named { trigger.label() } else { id.to_string() };
            vec![
                plain(saying::watched_from(named, trigger)),
                maybe(trigger.shown_limit()),
                maybe(trigger.lasting.map(saying::span)),
                maybe(trigger.severity.map(saying::severity)),
                maybe(trigger.owner.as_ref()),
                maybe(trigger.option.as_ref()),
            ]
        });
        let head = [
            ("Trigger", 6),
            ("Threshold", 3),
            ("For how long", 3),
            ("Severity", 3),
            ("Owner", 3),
            ("Way back", 3),
        ];
        make.table(&head, rows.collect());
        if let Some(watch) = &plan.watch {
            make.text(saying::watch(watch));
        }
    }
    if !plan.decision.is_empty() {
        make.heading(3, "Decision matrix");
        let rows = plan.decision.iter().map(|(severity, rule)| {
            let tell: Vec<&str> = rule.tell.iter().map(|role| role.as_str()).collect();
            vec![
                plain(saying::severity(*severity)),
                plain(saying::rule(rule)),
                maybe(rule.by.as_ref()),
                maybe(rule.within.map(saying::span)),
                plain(tell.join(", ")),
            ]
        });
        let head = [
            ("Severity", 3),
            ("Action", 6),
            ("Decision maker", 4),
            ("Deadline", 2),
            ("Notification", 4),
        ];
        make.table(&head, rows.collect());
        let (scene, mermaid, said) = pictures::decision(plan);
        make.figure("The decision", said, scene, Some(mermaid));
    }
    if !plan.authority.is_default() {
        make.heading(3, "Who may depart from the plan");
        let rows = plan.authority.0.iter().map(|(permission, grant)| {
            let by: Vec<&str> = grant.by.iter().map(|role| role.as_str()).collect();
            vec![
                plain(saying::permission(*permission)),
                plain(by.join(", ")),
                plain(format!("{} of them", grant.quorum)),
            ]
        });
        make.table(&[("Act", 5), ("By", 5), ("How many", 3)], rows.collect());
    }
}

pub(super) fn people(plan: &Plan, make: &mut Make) {
    make.heading(2, "People");
    if plan.roles.is_empty() {
        make.quiet("The plan names nobody.");
    }
    let rows = plan.roles.iter().map(|(id, role)| -> Vec<Cell> {
        let reach = role.reach.clone().unwrap_or_default();
        let deputies: Vec<&str> = role.deputies.iter().map(|deputy| deputy.as_str()).collect();
        vec![
            plain(id.as_str()),
            maybe(role.name.as_ref()),
            maybe(reach.phone.as_ref()),
            maybe(reach.email.as_ref()),
            maybe(reach.chat.as_ref()),
            maybe(reach.pager.as_ref()),
            maybe(role.availability.as_ref()),
            plain(deputies.join(", ")),
            maybe(reach.verified),
        ]
    });
    let head = [
        ("Role", 4),
        ("Name", 4),
        ("Phone", 5),
        ("E-mail", 5),
        ("Chat", 3),
        ("Pager", 3),
        ("Availability", 3),
        ("Deputies", 4),
        ("Last checked", 3),
    ];
    make.table(&head, rows.collect());
}
