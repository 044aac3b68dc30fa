//! Whether each step can be done, and whether anybody would know that it worked.

use std::collections::BTreeSet;

use super::Rule;
use super::command::step_text;
use crate::diagnostic::Level::{Error, Warning};
use crate::document::Path;
use backout_core::plan::{Action, Check, Effect};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "BOP-101",
        level: Error,
        title: "Each step has a verification",
        why: "A command that ends without an error has ended. Whether it worked is another question, and the answer decides whether the next step may start.",
        fix: "add `verify`: a command, a query, a port, a digest, a baseline, or at least `confirm: …` by a person",
        clauses: &["NIST SP 800-53 r5, CM-4(2)"],
        fires: "steps: [{id: announce, title: Announce to the team, owner: owner, takes: 2m, manual: Call everybody.}]",
        silent: "steps: [{id: announce, title: Announce to the team, owner: owner, takes: 2m, manual: Call everybody., verify: {confirm: Everybody answered}}]",
        look: |facts, found| {
            for (index, step) in facts.plan.steps.iter().enumerate() {
                if step.verify.is_empty() {
                    found.at(
                        Path::step(index),
                        &step.id,
                        format!("step `{}` has no verification", step.id),
                    );
                }
            }
        },
    },
    Rule {
        id: "BOP-103",
        level: Error,
        title: "A verification is not the action again",
        why: "Running the same thing twice proves that it runs.",
        fix: "look at the result from another side: the state it should have left behind",
        clauses: &["NIST SP 800-53 r5, CM-4(2)"],
        fires: "steps: [{id: flag, title: Announce flag, owner: dba, takes: 2m, run: {argv: [./flag.sh, off]}, verify: {run: {argv: [./flag.sh, off]}}, if_in_doubt: Look at the flag}]",
        silent: "steps: [{id: flag, title: Announce flag, owner: dba, takes: 2m, run: {argv: [./flag.sh, off]}, verify: {run: {argv: [./flag.sh, show]}}, if_in_doubt: Look at the flag}]",
        look: |facts, found| {
            for (index, step) in facts.plan.steps.iter().enumerate() {
                for (at, verification) in step.verify.iter().enumerate() {
                    let check = match &verification.check {
                        Check::Run(check) => {
                            check.shell.clone().unwrap_or_else(|| check.argv.join(" "))
                        }
                        Check::Sql(check) => check.query.clone(),
                        Check::Confirm(check) => check.clone(),
                        _ => String::new(),
                    };
                    let said = plain(&check);
                    let same = match (&step.action, &verification.check) {
                        (Action::Http(action), Check::Http(check)) => {
                            let asked = (check.method, &check.url, &check.source);
                            (action.method, &action.url, &action.source) == asked
                                && check.assert.is_none()
                        }
                        // A program that always succeeds has looked at nothing.
                        (_, Check::Run(_)) => {
                            said == plain(&step_text(step))
                                || matches!(said.as_str(), "true" | ":" | "exit 0" | "/bin/true")
                        }
                        (Action::Sql(_), Check::Sql(_)) => said == plain(&step_text(step)),
                        (_, Check::Confirm(_)) => {
                            said == plain(&step_text(step))
                                || said == plain(step.label())
                                || matches!(
                                    said.as_str(),
                                    "done" | "ok" | "yes" | "it is done" | "step done"
                                )
                        }
                        _ => false,
                    };
                    if same {
                        let message =
                            format!("the verification of step `{}` is the step itself", step.id);
                        found.at(Path::step(index).key("verify").index(at), &step.id, message);
                    }
                }
            }
        },
    },
    Rule {
        id: "BOP-104",
        level: Warning,
        title: "A person could tell whether an opaque step happened",
        why: "If the machine dies in the middle of this step, a person will be asked whether it happened. At that moment they need to know where to look.",
        fix: "write `if_in_doubt: where to look and what it means`, or declare an `effect` with which the question does not come up",
        clauses: &[],
        fires: "steps: [{id: restore, component: database, owner: dba, takes: 30m, run: {argv: [./restore-db.sh]}, verify: {same_as_baseline: rows}}]",
        silent: "steps: [{id: restore, component: database, owner: dba, takes: 30m, effect: verifiable, run: {argv: [./restore-db.sh]}, verify: {same_as_baseline: rows}}]",
        look: |facts, found| {
            for (index, step) in facts.plan.steps.iter().enumerate() {
                if step.effect() == Effect::Opaque && step.if_in_doubt.is_none() {
                    let message = format!(
                        "if the machine dies during `{}`, nobody can tell whether it happened",
                        step.id
                    );
                    found.at(Path::step(index), &step.id, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-116",
        level: Error,
        title: "Each step can run",
        why: "A step that no option holds looks like part of the plan and never is.",
        fix: "add it to an option, or take it out",
        clauses: &[],
        fires: "options: {short: {title: Only the announcement, steps: [announce], default: true, when: always}}",
        silent: "options: {full: {title: Everything, default: true}}",
        look: |facts, found| {
            if facts.plan.options.is_empty()
                || facts.plan.options.values().any(|way| way.steps.is_none())
            {
                return;
            }
            let held: BTreeSet<_> =
                facts.plan.options.values().flat_map(|way| way.steps.iter().flatten()).collect();
            for (index, step) in facts.plan.steps.iter().enumerate() {
                if !held.contains(&step.id) {
                    found.at(
                        Path::step(index),
                        &step.id,
                        format!("step `{}` is in no option and never runs", step.id),
                    );
                }
            }
        },
    },
    Rule {
        id: "BOP-120",
        level: Error,
        title: "A verifiable step can be verified by the machine",
        why: "`verifiable` means: after a crash, the verification says whether it happened. A confirmation by a person cannot do that alone.",
        fix: "add a verification that a machine can carry out, or declare another `effect`",
        clauses: &[],
        fires: "steps: [{id: restore, component: database, owner: dba, takes: 30m, effect: verifiable, run: {argv: [./restore-db.sh]}, verify: {confirm: It looks right}}]",
        silent: "steps: [{id: restore, component: database, owner: dba, takes: 30m, effect: verifiable, run: {argv: [./restore-db.sh]}, verify: {same_as_baseline: rows}}]",
        look: |facts, found| {
            for (index, step) in facts.plan.steps.iter().enumerate() {
                if step.effect() == Effect::Verifiable && step.machine_checks().next().is_none() {
                    let message = format!(
                        "step `{}` is declared verifiable, but no machine can verify it",
                        step.id
                    );
                    found.at(Path::step(index).key("effect"), &step.id, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-124",
        level: Warning,
        title: "It is clear which option runs when none is named",
        why: "`backout invoke` without an option takes the last one if none is marked. Under stress that should be a decision, not a habit of the file.",
        fix: "mark one with `default: true`",
        clauses: &[],
        fires: "options:\n  light: {title: Turn the feature off, when: Only the feature fails, steps: [announce]}\n  full: {title: Everything, when: The data is damaged}",
        silent: "options:\n  light: {title: Turn the feature off, when: Only the feature fails, steps: [announce]}\n  full: {title: Everything, when: The data is damaged, default: true}",
        look: |facts, found| {
            let options = &facts.plan.options;
            if options.len() > 1 && !options.values().any(|way| way.default) {
                found.plan(Path::root().key("options"), "none of the options is marked as default");
            }
        },
    },
    Rule {
        id: "BOP-125",
        level: Error,
        title: "A keyed step sends its key",
        why: "`keyed` means that the target recognises a repeated request. It can only do so if the key reaches it.",
        fix: "name the header with `key_header`, or use the variable BACKOUT_KEY in the command",
        clauses: &[],
        fires: "steps: [{id: restore, component: database, owner: dba, takes: 30m, effect: keyed, run: {argv: [./restore-db.sh]}, verify: {same_as_baseline: rows}}]",
        silent: "steps: [{id: restore, component: database, owner: dba, takes: 30m, effect: keyed, run: {shell: ./restore-db.sh --key \"$BACKOUT_KEY\"}, verify: {same_as_baseline: rows}}]",
        look: |facts, found| {
            for (index, step) in facts.plan.steps.iter().enumerate() {
                let sends = match &step.action {
                    Action::Http(http) => http.key_header.is_some(),
                    Action::Run(_) => step_text(step).contains("BACKOUT_KEY"),
                    Action::RestoreTree(_)
                    | Action::Copy(_)
                    | Action::Manual(_)
                    | Action::Wait(_)
                    | Action::External(_) => true,
                    Action::Sql(_) => false,
                };
                if step.effect() == Effect::Keyed && !sends {
                    let message =
                        format!("step `{}` is declared keyed, but does not send its key", step.id);
                    found.at(Path::step(index).key("effect"), &step.id, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-131",
        level: Warning,
        title: "Automated steps are not verified by word alone",
        why: "If a machine does it, a machine can look whether it worked: faster, each time, and also after a crash.",
        fix: "add a verification that a machine can carry out beside the confirmation",
        clauses: &[],
        fires: "steps: [{id: restore, component: database, owner: dba, takes: 30m, restore_tree: {from: /backup/db, to: /var/db}, verify: {confirm: It looks right}}]",
        silent: "steps: [{id: restore, component: database, owner: dba, takes: 30m, restore_tree: {from: /backup/db, to: /var/db}, verify: [{same_as_baseline: rows}, {confirm: It looks right}]}]",
        look: |facts, found| {
            for (index, step) in facts.plan.steps.iter().enumerate() {
                let by_word =
                    step.confirmations().next().is_some() && step.machine_checks().next().is_none();
                if by_word && !step.action.is_manual() {
                    let message = format!(
                        "step `{}` is done by a machine and verified by word alone",
                        step.id
                    );
                    found.at(Path::step(index).key("verify"), &step.id, message);
                }
            }
        },
    },
];

/// Text without what makes no difference: case, spacing, quotes, a final full stop.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ").to_lowercase().replace(['"', '\''], "");
    text.trim_end_matches(['.', ';', '!']).trim().to_owned()
}
