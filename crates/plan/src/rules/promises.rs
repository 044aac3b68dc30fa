//! What people watch for and promise: triggers, readiness, messages, and what
//! of an imported document is still unread.

use std::collections::BTreeSet;

use super::text::normal;
use super::{Found, Rule};
use crate::diagnostic::Level::{Error, Warning};
use crate::document::Path;
use backout_core::ids::RoleId;
use backout_core::plan::{Action, Check};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "BOP-137",
        level: Warning,
        title: "The change has its number",
        why: "Whoever looks for this change in the change system, in a log or in last year's mail looks for its number.",
        fix: "write it under `change.id`",
        clauses: &["NIST SP 800-53 r5, CM-3e"],
        fires: "change: {id: null}",
        silent: "change: {id: CHG0001}",
        look: |facts, found| {
            if facts.plan.change.id.is_none() {
                found.plan(Path::root().key("change"), "the change has no number");
            }
        },
    },
    Rule {
        id: "BOP-138",
        level: Error,
        title: "The window says whose clock it means",
        why: "\"Done by six\" is a different moment in London, in UTC on the server and in Singapore. Twice a year it is a different moment in the same place. Without a time zone nothing here can be worked out.",
        fix: "name the time zone under `window.timezone`, such as `Europe/London`",
        clauses: &[],
        fires: "window: {timezone: null}",
        silent: "window: {timezone: UTC}",
        look: |facts, found| {
            let Some(window) = &facts.plan.window else { return };
            if window.timezone.is_none() && (window.deploy.is_some() || window.backout_by.is_some())
            {
                found.plan(
                    Path::root().key("window"),
                    "the window's times are in no time zone, so nobody knows when it ends",
                );
            }
        },
    },
    Rule {
        id: "BOP-139",
        level: Warning,
        title: "What was imported has been read",
        why: "A note is a sentence of the old document that found no place in the plan. Some of them matter: a caution, a second way back, a name. Somebody has to read them once.",
        fix: "put what matters where it belongs, and take the note out",
        clauses: &[],
        fires: "notes: [{from: line 12, text: Call the vendor before the restart}]",
        silent: "notes: []",
        look: |facts, found| {
            let count = facts.plan.notes.len();
            if count > 0 {
                let notes = if count == 1 { "1 note" } else { &format!("{count} notes") };
                found.plan(
                    Path::root().key("notes"),
                    format!("{notes} of the imported document still to be read"),
                );
            }
        },
    },
    Rule {
        id: "BOP-140",
        level: Warning,
        title: "Each trigger says how bad it is",
        why: "A trigger without a severity calls nobody: the decision matrix starts from the severity.",
        fix: "give it a `severity`: critical, major or minor",
        clauses: &["NIST SP 800-34 r1, 4.2"],
        fires: "triggers: {logins: {judged: Login failure rate, limit: \"> 5%\", for: 5m}}",
        silent: "triggers: {logins: {judged: Login failure rate, limit: \"> 5%\", for: 5m, severity: critical}}",
        look: |facts, found| {
            for (id, trigger) in &facts.plan.triggers {
                if trigger.severity.is_none() {
                    let at = Path::root().key("triggers").key(id);
                    let message = format!("trigger `{id}` ({}) has no severity", trigger.label());
                    found.at(at, id, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-151",
        level: Warning,
        title: "Each severity a trigger has is decided about",
        why: "A trigger whose severity the decision section does not name asks the owner of the change, with a quarter of an hour and no default, because nobody said anything better.",
        fix: "add the severity to `decision`: `major: {action: back-out-unless-fixable, by: …, within: 15m, fix_window: 30m}`, or `minor: {action: log}`",
        clauses: &["NIST SP 800-34 r1, 4.2"],
        fires: "{decision: {critical: {action: back-out, by: lead, within: 5m, tell: owner}}, triggers: {logins: {judged: Login failure rate, limit: \"> 5%\", for: 5m, severity: major}}}",
        silent: "{decision: {critical: {action: back-out, by: lead, within: 5m, tell: owner}}, triggers: {logins: {judged: Login failure rate, limit: \"> 5%\", for: 5m, severity: critical}}}",
        look: |facts, found| {
            let (plan, mut told) = (&facts.plan, BTreeSet::new());
            for (id, trigger) in &plan.triggers {
                let Some(severity) = trigger.severity else { continue };
                if plan.decision.is_empty() || plan.decision.contains_key(&severity) {
                    continue;
                }
                if told.insert(severity) {
                    let at = Path::root().key("triggers").key(id).key("severity");
                    let severity = format!("{severity:?}").to_lowercase();
                    let message = format!(
                        "`decision` says nothing about severity {severity}, which trigger `{id}` has"
                    );
                    found.at(at, &severity, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-141",
        level: Warning,
        title: "A limit says for how long it is passed",
        why: "One slow page is not a slow portal. Without a duration the first outlier calls for a backout, or everybody waits for somebody else to say that it is enough.",
        fix: "say for how long: `for: 5m`",
        clauses: &[],
        fires: "triggers: {logins: {judged: Login failure rate, limit: \"> 5%\", severity: critical}}",
        silent: "triggers: {logins: {judged: Login failure rate, limit: \"> 5%\", for: 5m, severity: critical}}",
        look: |facts, found| {
            for (id, trigger) in &facts.plan.triggers {
                if let Some(limit) = &trigger.limit
                    && trigger.lasting.is_none()
                {
                    let at = Path::root().key("triggers").key(id);
                    let message = format!(
                        "{} {limit}: for how long, and measured over what time?",
                        trigger.label()
                    );
                    found.at(at, id, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-142",
        level: Warning,
        title: "An instruction says more than its title",
        why: "\"Restore configuration\" tells a person who has done it ten times what to do, and nobody else. That person may be the one who cannot be reached.",
        fix: "write down how: the machine, the command, the screen, and what to expect",
        clauses: &["NIST SP 800-53 r5, CP-2a"],
        fires: "steps: [{id: announce, title: Announce to the team, owner: owner, takes: 2m, manual: Announce to the team, verify: {confirm: Everybody answered}}]",
        silent: "steps: [{id: announce, title: Announce to the team, owner: owner, takes: 2m, manual: Call 0800 1234 and read out the prepared text., verify: {confirm: Everybody answered}}]",
        look: |facts, found| {
            for (index, step) in facts.plan.steps.iter().enumerate() {
                let Action::Manual(text) = &step.action else { continue };
                if normal(text) == normal(step.label()) {
                    let at = Path::step(index).key("manual");
                    found.at(at, &step.id, format!("nothing says how to do \"{}\"", step.label()));
                }
            }
        },
    },
    Rule {
        id: "BOP-143",
        level: Warning,
        title: "A change for the worse says compared with what",
        why: "\"50 % slower\" needs a figure from before, measured the same way at the same time of day. Afterwards everybody remembers another one.",
        fix: "write the figure itself, or say which measurement before the deployment it is compared with",
        clauses: &[],
        fires: "triggers: {slow: {judged: Performance degradation, limit: \"> 50%\", for: 5m, severity: major}}",
        silent: "triggers: {slow: {judged: \"Performance degradation compared with the median page load of the Saturday before\", limit: \"> 50%\", for: 5m, severity: major}}",
        look: |facts, found| {
            for (id, trigger) in &facts.plan.triggers {
                let text = normal(&trigger.label());
                let relative = ["degradation", "increase", "decrease", "drop", "slower", "worse"]
                    .iter()
                    .any(|word| text.split(' ').any(|said| said == *word));
                let against = ["compared", "baseline", "than", "against", "relative", "of the"]
                    .iter()
                    .any(|word| text.contains(word));
                let percent = trigger.limit.as_ref().is_some_and(|limit| limit.unit == "%");
                if relative && percent && !against {
                    let at = Path::root().key("triggers").key(id);
                    found.at(at, id, format!("\"{}\": compared with what?", trigger.label()));
                }
            }
        },
    },
    Rule {
        id: "BOP-144",
        level: Warning,
        title: "A confirmation says what to look at",
        why: "\"All checks pass\" is true of no checks at all. At three in the morning people confirm what they are asked to confirm.",
        fix: "name the checks: the page that opens, the account that logs in, the count that matches",
        clauses: &["NIST SP 800-53 r5, CM-4(2)"],
        fires: "steps: [{id: announce, title: Announce to the team, owner: owner, takes: 2m, manual: Call everybody., verify: {confirm: All checks pass}}]",
        silent: "steps: [{id: announce, title: Announce to the team, owner: owner, takes: 2m, manual: Call everybody., verify: {confirm: Everybody on the list answered}}]",
        look: |facts, found| {
            const EMPTY: [&str; 22] = [
                "all checks pass",
                "all checks passed",
                "all tests pass",
                "all tests passed",
                "all good",
                "all ok",
                "ok",
                "okay",
                "done",
                "complete",
                "completed",
                "success",
                "successful",
                "works",
                "working",
                "everything works",
                "it works",
                "verified",
                "checked",
                "as expected",
                "no errors",
                "system live",
            ];
            for (index, step) in facts.plan.steps.iter().enumerate() {
                for (at, verification) in step.verify.iter().enumerate() {
                    let Check::Confirm(text) = &verification.check else { continue };
                    if EMPTY.contains(&normal(text).as_str()) {
                        let at = Path::step(index).key("verify").index(at).key("confirm");
                        let message = format!("\"{}\" does not say what is looked at", text.trim());
                        found.at(at, &step.id, message);
                    }
                }
            }
        },
    },
    Rule {
        id: "BOP-145",
        level: Warning,
        title: "Each promise has somebody who keeps it",
        why: "What everybody should do before the deployment, nobody has done. What everybody should tell the users, they read in the news.",
        fix: "name the `owner`",
        clauses: &["EU RTS 2024/1774, Art. 17(1)(c)"],
        fires: "readiness: {backup: {attest: The database backup is complete}}",
        silent: "readiness: {backup: {attest: The database backup is complete, owner: dba}}",
        look: |facts, found| {
            let owned = |owner: &Option<RoleId>| owner.is_some();
            let plan = facts.plan;
            let ready = plan.readiness.iter().map(|(id, it)| (id.as_str(), owned(&it.owner)));
            nobody(ready, "readiness", found);
            let messages = plan.messages.iter().map(|(id, it)| (id.as_str(), owned(&it.owner)));
            nobody(messages, "messages", found);
            for (index, later) in plan.follow_up.iter().enumerate() {
                if later.owner.is_none() {
                    let at = Path::root().key("follow_up").index(index);
                    found.plan(at, format!("nobody owns \"{}\"", later.what.trim()));
                }
            }
        },
    },
];

/// One finding for all of a section: a checklist of forty is one omission.
fn nobody<'a>(
    items: impl Iterator<Item = (&'a str, bool)>,
    section: &'static str,
    found: &mut Found,
) {
    let orphans: Vec<&str> = items.filter_map(|(id, owned)| (!owned).then_some(id)).collect();
    let Some(first) = orphans.first() else { return };
    let at = Path::root().key(section).key(first);
    let shown = orphans.iter().take(3).map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
    let more = match orphans.len().saturating_sub(3) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    found.at(at, section, format!("nobody owns {shown}{more} under `{section}`"));
}
