//! Does it fit?

use super::{Facts, Found, Rule};
use crate::diagnostic::Level::{Error, Warning};
use crate::document::Path;
use crate::times;
use backout_core::duration::Span;
use backout_core::plan::weekday_name;
use std::time::Duration;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "BOP-004",
        level: Error,
        title: "There is a time by which the backout must be finished",
        why: "Without it nobody can say until when it is still possible to go back.",
        fix: "add `window: {timezone: …, deploy: …, backout_by: …}`",
        clauses: &["NIST SP 800-53 r5, CP-10"],
        fires: "window: {backout_by: null}",
        silent: "window: {backout_by: 2026-06-06T08:00}",
        look: |facts, found| {
            let complete = facts.plan.window.as_ref().is_some_and(|w| w.backout_by.is_some());
            if !complete && !facts.plan.steps.is_empty() {
                found.plan(
                    Path::root().key("window"),
                    "nothing says by when the backout must be finished",
                );
            }
        },
    },
    Rule {
        id: "BOP-008",
        level: Error,
        title: "The way back fits into the window",
        why: "If going back takes longer than the whole window, the plan promises something that cannot happen, even if the decision is made in the first minute.",
        fix: "shorten the critical path, run steps side by side, or move `backout_by`",
        clauses: &["NIST SP 800-53 r5, CP-2a.2", "NIST SP 800-53 r5, CP-10(4)"],
        fires: "window: {deploy: 2026-06-06T02:00 / 2026-06-06T02:10, backout_by: 2026-06-06T02:20}",
        silent: "window: {deploy: 2026-06-06T02:00 / 2026-06-06T04:00, backout_by: 2026-06-06T06:00}",
        look: |facts, found| {
            let (Some(start), Some(by)) = (facts.window.deploy_start, facts.window.backout_by)
            else {
                return;
            };
            if by <= start {
                let message = "the backout must be finished before the deployment starts";
                found.plan(Path::root().key("window").key("backout_by"), message);
                found.hint("one of the two times is wrong");
                return;
            }
            let room = by.duration_since(start);
            if i128::try_from(facts.schedule.total.as_millis())
                .is_ok_and(|total| total > room.as_millis())
            {
                let room = Span::from(Duration::try_from(room).unwrap_or_default());
                let message = format!(
                    "backing out takes {}, but only {room} lie between the start of the deployment and `backout_by`",
                    Span::from(facts.schedule.total)
                );
                found.plan(Path::root().key("window").key("backout_by"), message);
                found.hint(format!("the critical path is {}", critical(facts)));
                return;
            }
            if let Some((outlook, in_time)) =
                facts.outlook().and_then(|outlook| Some((outlook, outlook.in_time?)))
                && in_time.high < outlook.confidence
            {
                let message = format!(
                    "backing out ends in time on {} of 100 nights if it is invoked as soon as the deployment starts; the plan wants {}",
                    out_of_100(in_time.value),
                    out_of_100(outlook.confidence)
                );
                found.plan(Path::root().key("window").key("backout_by"), message);
                found.hint(format!("the critical path is {}", critical(facts)));
            }
        },
    },
    Rule {
        id: "BOP-102",
        level: Error,
        title: "Each step has a duration",
        why: "A step without a duration makes the whole plan's duration unknown, and with it the last moment to go back.",
        fix: "say how long it takes: `takes: 15m` or `takes: {low: 10m, likely: 15m, high: 30m}`",
        clauses: &["NIST SP 800-53 r5, CP-2a.2"],
        fires: "steps: [{id: announce, title: Announce to the team, owner: owner, manual: Call everybody., verify: {confirm: Everybody answered}}]",
        silent: "steps: [{id: announce, title: Announce to the team, owner: owner, takes: 2m, manual: Call everybody., verify: {confirm: Everybody answered}}]",
        look: |facts, found| {
            for (index, step) in facts.plan.steps.iter().enumerate() {
                if step.takes.is_none() {
                    found.at(
                        Path::step(index),
                        &step.id,
                        format!("step `{}` has no duration", step.id),
                    );
                }
            }
        },
    },
    Rule {
        id: "BOP-108",
        level: Error,
        title: "The stated total is the real total",
        why: "People plan with the number at the bottom of the table. If it is not what the steps add up to, one of them is wrong.",
        fix: "correct `stated_total`, or the steps",
        clauses: &[],
        fires: "window: {stated_total: 25m}",
        silent: "window: {stated_total: 37m}",
        look: |facts, found| {
            let Some(stated) = facts.plan.window.as_ref().and_then(|window| window.stated_total)
            else {
                return;
            };
            let (total, stated) = (facts.schedule.total, stated.get());
            // Seconds are rounding; a minute is one of the two being wrong.
            if total.abs_diff(stated) >= Duration::from_secs(60) {
                let message = format!(
                    "the plan states a total of {}, its steps take {}",
                    Span::from(stated),
                    Span::from(total)
                );
                found.plan(Path::root().key("window").key("stated_total"), message);
            }
        },
    },
    Rule {
        id: "BOP-109",
        level: Error,
        title: "There is time to go back after the deployment window",
        why: "If the backout must be finished when the deployment window ends, a deployment that fails at its end cannot be backed out at all. The real deadline for the decision lies earlier, and the plan hides it.",
        fix: "move `backout_by` behind the end of the deployment window, by at least what backing out takes, or end the deployment earlier",
        clauses: &["NIST SP 800-53 r5, CP-10"],
        fires: "window: {deploy: 2026-06-06T02:00 / 2026-06-06T06:00, backout_by: 2026-06-06T06:00}",
        silent: "window: {deploy: 2026-06-06T02:00 / 2026-06-06T04:00, backout_by: 2026-06-06T06:00}",
        look: |facts, found| {
            let (Some(end), Some(by)) = (facts.window.deploy_end, facts.window.backout_by) else {
                return;
            };
            let sensible = facts.window.deploy_start.is_none_or(|start| by > start);
            if by <= end && sensible {
                let message = format!(
                    "the backout must be finished when the deployment window ends; {}",
                    last_moment(facts)
                );
                found.plan(Path::root().key("window").key("backout_by"), message);
            }
        },
    },
    Rule {
        id: "BOP-110",
        level: Warning,
        title: "A failure at the end of the window can still be backed out",
        why: "Trouble shows late. The last moment to go back should not lie inside the deployment window.",
        fix: "end the deployment earlier, move `backout_by`, or make the way back shorter",
        clauses: &[],
        fires: "window: {deploy: 2026-06-06T02:00 / 2026-06-06T05:45, backout_by: 2026-06-06T06:00}",
        silent: "window: {deploy: 2026-06-06T02:00 / 2026-06-06T04:00, backout_by: 2026-06-06T06:00}",
        look: |facts, found| {
            let (Some(end), Some(by)) = (facts.window.deploy_end, facts.window.backout_by) else {
                return;
            };
            let left = Duration::try_from(by.duration_since(end)).unwrap_or_default();
            let outlook = facts.outlook();
            let too_late = match outlook.and_then(|outlook| outlook.point_of_no_return) {
                Some([_, last, _]) => last < end,
                None => left < facts.bad_night.total,
            };
            if by > end && too_late {
                // With steps that wait for a time of day the share is another each minute.
                let waits = facts.plan.steps.iter().any(|step| step.not_before.is_some());
                let share = outlook.filter(|_| !waits).map(|outlook| {
                    let in_time = outlook.finish.probability(left.as_secs_f64()).value;
                    format!(", enough on {} of 100 nights", out_of_100(in_time))
                });
                let message = format!(
                    "only {} are left after the deployment window{}; {}",
                    Span::from(left),
                    share.unwrap_or_default(),
                    last_moment(facts)
                );
                found.plan(Path::root().key("window").key("backout_by"), message);
            }
        },
    },
    Rule {
        id: "BOP-111",
        level: Error,
        title: "The weekday is the date's weekday",
        why: "\"Saturday 7 June\" in a year in which 7 June is a Sunday means that half the team comes on the wrong night.",
        fix: "find out which one is meant, and correct the other",
        clauses: &[],
        fires: "window: {deploy: Saturday 2026-06-07T02:00 / 2026-06-07T04:00, backout_by: 2026-06-07T06:00}",
        silent: "window: {deploy: Saturday 2026-06-06T02:00 / 2026-06-06T04:00}",
        look: |facts, found| {
            let Some(window) = &facts.plan.window else { return };
            let deploy =
                window.deploy.map(|range| [(range.start, "deploy"), (range.end, "deploy")]);
            let by = window.backout_by.map(|time| (time, "backout_by"));
            for (time, key) in deploy.into_iter().flatten().chain(by) {
                let real = time.at.date().weekday();
                if let Some(claimed) = time.weekday.filter(|claimed| *claimed != real) {
                    let message = format!(
                        "{} is a {}, not a {}",
                        time.at.date().strftime("%-d %B %Y"),
                        weekday_name(real),
                        weekday_name(claimed)
                    );
                    found.plan(Path::root().key("window").key(key), message);
                }
            }
        },
    },
    Rule {
        id: "BOP-117",
        level: Warning,
        title: "Nobody has to do two things at once",
        why: "Two manual steps of one person that may run side by side will not. The plan's time is too short by the shorter of the two.",
        fix: "let one follow the other, give one to somebody else, or give the role a `team`",
        clauses: &[],
        fires: "steps:\n  - {id: call-users, title: Notify users, owner: owner, takes: 5m, after: [], manual: Call the help desk., verify: {confirm: They know}}\n  - {id: call-team, title: Notify the team, owner: owner, takes: 5m, after: [], manual: Call the team., verify: {confirm: They know}}",
        silent: "steps:\n  - {id: call-users, title: Notify users, owner: owner, takes: 5m, manual: Call the help desk., verify: {confirm: They know}}\n  - {id: call-team, title: Notify the team, owner: owner, takes: 5m, manual: Call the team., verify: {confirm: They know}}",
        look: side_by_side,
    },
    Rule {
        id: "BOP-123",
        level: Error,
        title: "A step is not stopped before it can be done",
        why: "A time-out shorter than the step takes turns every good run into a step in doubt.",
        fix: "raise `timeout` well above what the step takes on a bad night",
        clauses: &[],
        fires: "steps: [{id: restore, component: database, owner: dba, takes: {low: 20m, likely: 30m, high: 2h}, run: {argv: [./restore-db.sh], timeout: 90m}, verify: {same_as_baseline: rows}, if_in_doubt: Look at the marker table}]",
        silent: "steps: [{id: restore, component: database, owner: dba, takes: {low: 20m, likely: 30m, high: 50m}, run: {argv: [./restore-db.sh], timeout: 90m}, verify: {same_as_baseline: rows}, if_in_doubt: Look at the marker table}]",
        look: |facts, found| {
            for (index, step) in facts.plan.steps.iter().enumerate() {
                let (kind, Some(timeout)) = (step.action.kind(), step.action.timeout()) else {
                    continue;
                };
                let Some(high) = step.takes.map(backout_core::duration::Estimate::high) else {
                    continue;
                };
                // Web requests are quick; what takes minutes there is the person around it.
                if high > timeout && kind != "http" {
                    let message = format!(
                        "step `{}` may take {high} and is stopped after {timeout}",
                        step.id
                    );
                    found.at(Path::step(index).key(kind).key("timeout"), &step.id, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-133",
        level: Warning,
        title: "The plan is not faster than its rehearsal",
        why: "A rehearsal is the only measurement there is. A plan that promises less time than the rehearsal took is a wish.",
        fix: "take the measured durations into `takes`",
        clauses: &[],
        fires: "change: {rehearsed: {environment: staging, on: 2026-06-02, took: 3h, plan_version: null}}",
        silent: "change: {rehearsed: {environment: staging, on: 2026-06-02, took: 35m, plan_version: null}}",
        look: |facts, found| {
            let Some(took) = facts.plan.change.rehearsed.as_ref().and_then(|r| r.took) else {
                return;
            };
            let total = facts.schedule.total;
            if took.get() > total + total / 10 && !total.is_zero() {
                let message =
                    format!("the rehearsal took {took}, the plan says {}", Span::from(total));
                found.plan(Path::root().key("change").key("rehearsed").key("took"), message);
            }
        },
    },
];

/// The steps that make the total, in words.
fn critical(facts: &Facts<'_>) -> String {
    let named = |index: &usize| {
        let step = &facts.plan.steps[*index];
        let takes = step.takes.map_or(String::new(), |takes| format!(" ({})", takes.likely()));
        format!("{}{takes}", step.id)
    };
    facts.schedule.critical.iter().map(named).collect::<Vec<_>>().join(" → ")
}

/// A share as whole nights of a hundred, never rounded up.
fn out_of_100(share: f64) -> String {
    format!("{:.0}", (share * 100.0 + 1e-9).floor())
}

/// Until when going back is possible, in words.
fn last_moment(facts: &Facts<'_>) -> String {
    let named = facts.plan.window.as_ref().and_then(times::zone_of);
    if let Some(outlook) = facts.outlook()
        && let Some([_, last, _]) = outlook.point_of_no_return
    {
        let minute = jiff::Timestamp::from_second(last.as_second().div_euclid(60) * 60);
        return format!(
            "the point of no return is {}: invoked later, less than {} of 100 nights end in time",
            times::wall_clock(minute.unwrap_or(last), named.as_ref(), facts.window.backout_by),
            out_of_100(outlook.confidence)
        );
    }
    let total = Span::from(facts.bad_night.total);
    let bad = match facts.bad_night.total > facts.schedule.total {
        true => " on a bad night",
        false => "",
    };
    let zone = facts.plan.window.as_ref().and_then(times::zone_of);
    let last = facts.window.backout_by.and_then(|by| by.checked_sub(total.signed()).ok());
    match last {
        Some(last) if !facts.schedule.total.is_zero() => format!(
            "backing out takes {total}{bad}, so after {} it is too late",
            times::wall_clock(last, zone.as_ref(), facts.window.backout_by)
        ),
        _ => "how long backing out takes is unknown".to_owned(),
    }
}

fn side_by_side(facts: &Facts<'_>, found: &mut Found) {
    let steps = &facts.plan.steps;
    let mut by_person = std::collections::BTreeMap::<String, Vec<usize>>::new();
    // In an order that respects all waits, a set of steps is a chain exactly
    // when each one leads to the next.
    for &index in &facts.graph.order {
        let Some(owner) = steps[index].owner.as_ref().filter(|_| steps[index].action.is_manual())
        else {
            continue;
        };
        let team = facts.plan.roles.get(owner).and_then(|role| role.team);
        if team.is_none_or(|team| team.0 <= 1) {
            by_person.entry(facts.plan.person(owner)).or_default().push(index);
        }
    }
    let together = |first: usize, second: usize| {
        let holds = |way: &backout_core::plan::WayBack, step: usize| {
            way.steps.as_ref().is_none_or(|listed| listed.contains(&steps[step].id))
        };
        let options = &facts.plan.options;
        options.is_empty() || options.values().any(|way| holds(way, first) && holds(way, second))
    };
    for (person, mine) in by_person {
        for pair in mine.windows(2) {
            let (first, second) = (pair[0], pair[1]);
            if together(first, second) && !facts.graph.leads_to(first, second) {
                let message = format!(
                    "{person} has to do `{}` and `{}` at the same time",
                    steps[first].id, steps[second].id
                );
                found.at(Path::step(second), &steps[second].id, message);
            }
        }
    }
}
