//! Backups, versions, and whether the system is really what it was before.

use super::command::{self, step_text};
use super::{Facts, Rule};
use crate::diagnostic::Level::{Error, Warning};
use crate::document::Path;
use backout_core::ids::ComponentId;
use backout_core::plan::{Action, Check, Step};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "BOP-009",
        level: Error,
        title: "It is decided what happens to data written since the deployment",
        why: "Between the deployment and the backout, customers wrote data. Restoring last night's backup deletes it. That may be right, but somebody must have decided it before the night.",
        fix: "say it under `components.….data`: `keep`, `accept_loss`, `reconcile` or `reverse_migrate`, with the reason or the way",
        clauses: &["NIST SP 800-53 r5, CP-9", "NIST SP 800-53 r5, CP-10(2)"],
        fires: "components: {database: {data: null}}",
        silent: "components: {database: {data: {accept_loss: Writes are stopped before the deployment}}}",
        look: |facts, found| {
            for (id, component) in &facts.plan.components {
                let holds_data = command::is_data_store(id.as_str(), component.title.as_deref());
                if holds_data && component.data.is_none() && component.irreversible.is_none() {
                    let message = format!(
                        "nothing says what happens to data written to `{id}` since the deployment"
                    );
                    found.at(Path::root().key("components").key(id), id, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-010",
        level: Error,
        title: "Restoring the backup has been tried",
        why: "A backup that was never restored is not a backup.",
        fix: "restore it somewhere, then note the day: `restore_tested: 2026-06-02`, or `rehearsal`",
        clauses: &["NIST SP 800-53 r5, CP-9(1), CP-9(2)", "Regulation (EU) 2022/2554, Art. 12"],
        fires: "components: {database: {backup: {restore_tested: null}}}",
        silent: "components: {database: {backup: {restore_tested: 2026-06-02}}}",
        look: |facts, found| {
            for (id, component) in &facts.plan.components {
                let tested = component.backup.as_ref().map(|backup| backup.restore_tested);
                let rehearsed = facts.plan.change.rehearsed.is_some();
                let never = match tested {
                    Some(None) => true,
                    Some(Some(backout_core::plan::RestoreTested::Rehearsal)) => !rehearsed,
                    _ => false,
                };
                if never {
                    let at = Path::root().key("components").key(id).key("backup");
                    found.at(at, id, format!("nobody has tried to restore the backup of `{id}`"));
                }
            }
        },
    },
    Rule {
        id: "BOP-011",
        level: Error,
        title: "The version to go back to is exact",
        why: "\"The previous version\" is whatever was deployed last, and after a failed deployment that is the broken one.",
        fix: "name it by version, tag or digest: `release: {from: v1.9, to: v2.0}`",
        clauses: &["NIST SP 800-53 r5, CM-2(3)"],
        fires: "change: {release: {from: previous, to: v2.0}}",
        silent: "change: {release: {from: v1.9, to: v2.0}}",
        look: |facts, found| {
            let at = Path::root().key("change");
            match &facts.plan.change.release {
                None if !facts.plan.steps.is_empty() => {
                    found.plan(at, "the plan does not say which version it goes back to");
                }
                Some(release) if command::is_moving(&release.from) => {
                    let message = format!("`{}` is not an exact version", release.from);
                    found.plan(at.key("release").key("from"), message);
                }
                _ => {}
            }
            for (id, component) in &facts.plan.components {
                if let Some(previous) =
                    component.previous.as_ref().filter(|p| command::is_moving(p))
                {
                    let at = Path::root().key("components").key(id).key("previous");
                    found.at(at, id, format!("`{previous}` is not an exact version of `{id}`"));
                }
            }
        },
    },
    Rule {
        id: "BOP-112",
        level: Error,
        title: "Each backup is restored by a step",
        why: "A backup that no step restores is comfort. Either the way back forgets a part, or the backup is not needed.",
        fix: "add the step that restores it, with `component: …`, or take the backup out",
        clauses: &["NIST SP 800-53 r5, CP-10"],
        fires: "components: {config: {title: Configuration, backup: {location: /backup/config, max_age: 4h, restore_tested: rehearsal}}}",
        silent: "components: {database: {backup: {location: /backup/db}}}",
        look: |facts, found| {
            for (id, component) in &facts.plan.components {
                let Some(backup) = &component.backup else { continue };
                let copies =
                    |step: &Step| matches!(step.action, Action::RestoreTree(_) | Action::Copy(_));
                let any = facts.plan.steps.iter().filter(|step| copies(step));
                let restored =
                    of_component(facts, id).chain(any).any(|step| restores(step, &backup.location));
                if !restored {
                    let message =
                        format!("no step restores the backup of `{id}` at {}", backup.location);
                    found.at(Path::root().key("components").key(id).key("backup"), id, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-113",
        level: Error,
        title: "Each changed component is restored, or declared irreversible",
        why: "A way back that brings the application back but leaves the new configuration in place makes a third state that nobody has ever tested.",
        fix: "add a step with `component: …`, or say `irreversible: why`",
        clauses: &["NIST SP 800-53 r5, CP-10", "CSA CCM v4, CCC-09"],
        fires: "components: {config: {title: Configuration}}",
        silent: "components: {config: {title: Configuration, irreversible: The old format reads the new file}}",
        look: |facts, found| {
            for (id, component) in &facts.plan.components {
                let forgotten = component.backup.is_none() && component.irreversible.is_none();
                if forgotten && of_component(facts, id).next().is_none() {
                    let message = format!("`{id}` is changed, but no step restores it");
                    found.at(Path::root().key("components").key(id), id, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-121",
        level: Warning,
        title: "It is clear how old a backup may be",
        why: "A backup from last week restores last week.",
        fix: "say how old it may be when the deployment starts: `max_age: 4h`",
        clauses: &["NIST SP 800-53 r5, CP-9"],
        fires: "components: {database: {backup: {max_age: null}}}",
        silent: "components: {database: {backup: {max_age: 4h}}}",
        look: |facts, found| {
            for (id, component) in &facts.plan.components {
                if component.backup.as_ref().is_some_and(|backup| backup.max_age.is_none()) {
                    let at = Path::root().key("components").key(id).key("backup");
                    found.at(at, id, format!("the backup of `{id}` may be of any age"));
                }
            }
        },
    },
    Rule {
        id: "BOP-129",
        level: Error,
        title: "The way back does not destroy its own backup",
        why: "A step that clears a folder also clears the backup inside it.",
        fix: "keep the backup outside of what the step removes",
        clauses: &[],
        fires: "components: {database: {backup: {location: /var/db/backup}}}\nsteps:\n  - {id: restore, component: database, owner: dba, takes: 30m, restore_tree: {from: /var/db/backup, to: /var/db}, verify: {same_as_baseline: rows}}",
        silent: "components: {database: {backup: {location: /backup/db}}}",
        look: |facts, found| {
            let backups: Vec<&str> = facts
                .plan
                .components
                .values()
                .filter_map(|component| component.backup.as_ref())
                .map(|backup| backup.location.as_str())
                .collect();
            for (index, step) in facts.plan.steps.iter().enumerate() {
                for target in command::cleared(step) {
                    let inside = |backup: &&&str| command::is_inside(backup, &target);
                    let source = match &step.action {
                        Action::RestoreTree(tree) => {
                            command::is_inside(&tree.from, &tree.to)
                                || command::is_inside(&tree.to, &tree.from)
                        }
                        _ => false,
                    };
                    if let Some(backup) = backups.iter().find(inside) {
                        let message = format!(
                            "step `{}` clears {target}, and the backup {backup} lies in it",
                            step.id
                        );
                        found.at(Path::step(index), &step.id, message);
                    } else if source {
                        let message = format!(
                            "step `{}` restores {target} from a folder that overlaps it",
                            step.id
                        );
                        found.at(Path::step(index), &step.id, message);
                    }
                }
            }
        },
    },
    Rule {
        id: "BOP-134",
        level: Warning,
        title: "A restored component is compared with what it was",
        why: "\"The restore finished\" is not \"the data is back\". A row count or a checksum taken before the deployment settles it.",
        fix: "capture a fact under `baselines` and add `verify: {same_as_baseline: …}` to the step",
        clauses: &["NIST SP 800-53 r5, CP-10"],
        fires: "steps:\n  - {id: restore, component: database, owner: dba, takes: 30m, restore_tree: {from: /backup/db, to: /var/db}, verify: {tcp: {address: \"db:5432\"}}}",
        silent: "steps:\n  - {id: restore, component: database, owner: dba, takes: 30m, restore_tree: {from: /backup/db, to: /var/db}, verify: {same_as_baseline: rows}}",
        look: |facts, found| {
            for (id, component) in facts.plan.components.iter().filter(|(_, c)| c.backup.is_some())
            {
                let compares = |step: &Step| {
                    step.verify.iter().any(|verification| match &verification.check {
                        Check::SameAsBaseline(_) => true,
                        Check::File(file) => file.digest.is_some(),
                        Check::Tree(tree) => tree.digest.is_some() || tree.same_as.is_some(),
                        _ => false,
                    })
                };
                let mut steps = of_component(facts, id).peekable();
                if steps.peek().is_some()
                    && !steps.any(compares)
                    && component.irreversible.is_none()
                {
                    let message =
                        format!("nothing compares `{id}` with what it was before the deployment");
                    found.at(Path::root().key("components").key(id), id, message);
                }
            }
        },
    },
];

fn of_component<'a>(facts: &'a Facts<'_>, id: &'a ComponentId) -> impl Iterator<Item = &'a Step> {
    facts.plan.steps.iter().filter(move |step| step.component.as_ref() == Some(id))
}

/// Whether a step of the component plausibly restores the backup.
fn restores(step: &Step, location: &str) -> bool {
    let inside = |from: &str| command::is_inside(from, location);
    match &step.action {
        Action::RestoreTree(tree) => inside(&tree.from),
        Action::Copy(copy) => inside(&copy.from),
        Action::Wait(_) => false,
        Action::Manual(_)
        | Action::External(_)
        | Action::Run(_)
        | Action::Http(_)
        | Action::Sql(_) => {
            let text = step_text(step).to_lowercase();
            let said = format!("{} {}", step.label().to_lowercase(), step.id);
            let verbs =
                ["restore", "recover", "import", "roll back", "rollback", "revert", "flashback"];
            text.contains(&location.to_lowercase())
                || verbs.iter().any(|verb| text.contains(verb) || said.contains(verb))
        }
    }
}
