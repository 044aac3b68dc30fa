//! Promises around the way back: readiness, messages, risks, what comes after.

use backout_core::plan::Plan;

use super::Material;
use crate::make::{Make, maybe, plain};
use crate::saying;
use crate::tree::Cell;

pub(super) fn readiness(material: &Material<'_>, make: &mut Make) {
    let plan = material.plan;
    if plan.readiness.is_empty() {
        return;
    }
    make.heading(2, "Readiness before the deployment");
    let rows = plan
        .readiness
        .values()
        .map(|ready| vec![plain(&ready.attest), maybe(ready.owner.as_ref()), plain("☐")]);
    make.table(&[("Requirement", 9), ("Owner", 4), ("Status", 2)], rows.collect());
}

pub(super) fn messages(material: &Material<'_>, make: &mut Make) {
    let plan = material.plan;
    if plan.messages.is_empty() {
        return;
    }
    make.heading(2, "Communication");
    let rows = plan.messages.values().map(|message| -> Vec<Cell> {
        let when = match (message.when, message.within) {
            (Some(moment), Some(within)) => {
                format!("{}, within {}", saying::moment(moment), saying::span(within))
            }
            (Some(moment), None) => saying::moment(moment).to_owned(),
            (None, Some(within)) => format!("within {}", saying::span(within)),
            (None, None) => String::new(),
        };
        let mut row = vec![
            plain(&message.audience),
            plain(&message.text),
            maybe(message.channel.as_ref()),
            maybe(message.owner.as_ref()),
            plain(when),
        ];
        if material.working {
            row.push(plain("☐"));
        }
        row
    });
    let mut head = vec![("Audience", 3), ("Message", 7), ("Channel", 3), ("Owner", 3), ("When", 4)];
    if material.working {
        head.push(("Sent", 2));
    }
    make.table(&head, rows.collect());
}

pub(super) fn risks(plan: &Plan, make: &mut Make) {
    if !plan.risks.is_empty() {
        make.heading(2, "Risks of going back");
        let rows = plan.risks.iter().map(|risk| {
            vec![plain(&risk.risk), maybe(risk.mitigation.as_ref()), maybe(risk.owner.as_ref())]
        });
        make.table(&[("Risk", 6), ("Mitigation", 7), ("Owner", 3)], rows.collect());
    }
    let Some(alternatives) = &plan.alternatives else { return };
    if let Some(fix) = &alternatives.fix_forward {
        make.heading(2, "Fix forward instead");
        make.texts(&fix.when);
        if let Some(estimate) = fix.estimate {
            make.text(format!("Estimated to take {}.", saying::estimate(estimate)));
        }
    }
    if !alternatives.cannot_back_out.is_empty() {
        make.heading(2, "When backout does not help");
        let rows = alternatives
            .cannot_back_out
            .iter()
            .map(|case| vec![plain(&case.scenario), plain(&case.instead)]);
        make.table(&[("Scenario", 6), ("Alternative", 7)], rows.collect());
    }
    if let Some(text) = &alternatives.if_backout_fails {
        make.heading(2, "If the backout fails");
        make.texts(text);
    }
}

pub(super) fn afterwards(material: &Material<'_>, make: &mut Make) {
    let plan = material.plan;
    if !plan.follow_up.is_empty() {
        make.heading(2, "After the backout");
        let rows = plan.follow_up.iter().map(|later| {
            let mut row = vec![
                plain(&later.what),
                maybe(later.owner.as_ref()),
                maybe(later.within.map(|within| format!("within {}", saying::span(within)))),
            ];
            if material.working {
                row.push(plain("☐"));
            }
            row
        });
        let mut head = vec![("Action", 8), ("Owner", 3), ("Timeframe", 4)];
        if material.working {
            head.push(("Done", 2));
        }
        make.table(&head, rows.collect());
    }
    let Some(review) = &plan.review else { return };
    make.heading(2, "Review");
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for (name, value) in [
        ("Review owner", review.owner.as_ref().map(ToString::to_string)),
        ("Review within", review.within.map(saying::span)),
        ("Approved afterwards by", review.retrospective_approval.as_ref().map(ToString::to_string)),
    ] {
        if let Some(value) = value {
            rows.push(vec![plain(name), plain(value)]);
        }
    }
    make.table(&[("Field", 3), ("Content", 7)], rows);
    let rows: Vec<Vec<Cell>> =
        review.questions.iter().map(|question| vec![plain(question), Vec::new()]).collect();
    if !rows.is_empty() {
        make.form(&[("Question", 6), ("Answer", 6)], rows);
    }
}
