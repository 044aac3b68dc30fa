//! Whether a deployment can be taken back, stage by stage, and is watched.

use backout_core::graph::Graph;
use backout_core::ids::StepId;

use super::Rule;
use crate::diagnostic::Level::{Error, Warning};
use crate::document::Path;

fn stage(index: usize) -> Path {
    Path::root().key("stages").index(index)
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "BOP-146",
        level: Error,
        title: "Each stage has a way back",
        why: "Only what names its undoing is undone. A stage that names nothing stays as it is when the release is backed out, and nobody will remember it then.",
        fix: "name the steps that undo it under `undone_by`; or say why nothing can, under `irreversible`",
        clauses: &["NIST SP 800-53 r5, CM-3"],
        fires: "stages: [{id: migrate, owner: dba, takes: 5m, manual: Run the migration by hand as the guide says., verify: {confirm: The version is 2}}]",
        silent: "stages: [{id: migrate, owner: dba, takes: 5m, manual: Run the migration by hand as the guide says., verify: {confirm: The version is 2}, undone_by: [restore]}]",
        look: |facts, found| {
            for (index, step) in facts.plan.stages.iter().enumerate() {
                if step.undone_by.is_empty() && step.irreversible.is_none() {
                    found.at(stage(index), &step.id, format!("nothing undoes stage `{}`", step.id));
                }
            }
        },
    },
    Rule {
        id: "BOP-147",
        level: Warning,
        title: "What was done last is undone first",
        why: "A stage builds on the ones before it. Taking away the ground first breaks what still stands on it: the old database under the new application.",
        fix: "put the steps into the reverse order of the stages they undo; or leave their order open with `after: []`, and it follows from the stages",
        clauses: &[],
        fires: "{stages: [{id: schema, owner: dba, takes: 5m, manual: Run the migration by hand as the guide says., verify: {confirm: The version is 2}, undone_by: [restore]}, {id: app, owner: dba, takes: 5m, manual: Deploy the application as the guide says., verify: {confirm: The version is 2}, undone_by: [old-app]}], steps: [{id: restore, title: Restore the database, component: database, owner: dba, takes: 30m, run: {argv: [./restore-db.sh], timeout: 90m}, effect: verifiable, verify: {same_as_baseline: rows}}, {id: old-app, title: Put the old application back, owner: dba, takes: 5m, manual: Deploy the old application as the guide says., verify: {confirm: The version is 1}}]}",
        silent: "{stages: [{id: schema, owner: dba, takes: 5m, manual: Run the migration by hand as the guide says., verify: {confirm: The version is 2}, undone_by: [restore]}, {id: app, owner: dba, takes: 5m, manual: Deploy the application as the guide says., verify: {confirm: The version is 2}, undone_by: [old-app]}], steps: [{id: old-app, title: Put the old application back, owner: dba, takes: 5m, manual: Deploy the old application as the guide says., verify: {confirm: The version is 1}}, {id: restore, title: Restore the database, component: database, owner: dba, takes: 30m, run: {argv: [./restore-db.sh], timeout: 90m}, effect: verifiable, verify: {same_as_baseline: rows}}]}",
        look: |facts, found| {
            let plan = facts.plan;
            let Ok(forward) = Graph::of_all(&plan.stages) else { return };
            let position = |id: &StepId| plan.steps.iter().position(|step| step.id == *id);
            for (later, stage) in plan.stages.iter().enumerate() {
                for &earlier in &forward.before[later] {
                    let before = &plan.stages[earlier];
                    let pairs = stage
                        .undone_by
                        .iter()
                        .flat_map(|undo| before.undone_by.iter().map(move |other| (undo, other)));
                    for (undo, other) in pairs {
                        let (Some(this), Some(that)) = (position(undo), position(other)) else {
                            continue;
                        };
                        if this != that && facts.graph.leads_to(that, this) {
                            let message = format!(
                                "`{other}` takes back {} before `{undo}` takes back {}, which builds on it",
                                before.id, stage.id
                            );
                            found.at(Path::step(this), undo, message);
                        }
                    }
                }
            }
        },
    },
    Rule {
        id: "BOP-148",
        level: Error,
        title: "Each stage has a verification",
        why: "The next stage starts when this one is done. Whether it is done is another question than whether its command has ended.",
        fix: "add `verify`, as to a step",
        clauses: &["NIST SP 800-53 r5, CM-4(2)"],
        fires: "stages: [{id: migrate, owner: dba, takes: 5m, manual: Run the migration by hand as the guide says., undone_by: [restore]}]",
        silent: "stages: [{id: migrate, owner: dba, takes: 5m, manual: Run the migration by hand as the guide says., verify: {confirm: The version is 2}, undone_by: [restore]}]",
        look: |facts, found| {
            for (index, step) in facts.plan.stages.iter().enumerate() {
                if step.verify.is_empty() {
                    let message = format!("stage `{}` has no verification", step.id);
                    found.at(stage(index), &step.id, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-149",
        level: Warning,
        title: "Where there is no way back, the plan says what else",
        why: "After an irreversible stage people still have to do something when it goes wrong. At that moment nobody thinks of it calmly.",
        fix: "say under `alternatives` what is done instead: fix forward, a coordinated rollback, a migration of the data",
        clauses: &["NIST SP 800-34 r1, 3.5"],
        fires: "{alternatives: {fix_forward: null, cannot_back_out: null}, stages: [{id: drop, owner: dba, takes: 5m, manual: Drop the old columns as the guide says., verify: {confirm: They are gone}, irreversible: The columns are gone}]}",
        silent: "{alternatives: {fix_forward: {estimate: 30m, when: The cause is known}}, stages: [{id: drop, owner: dba, takes: 5m, manual: Drop the old columns as the guide says., verify: {confirm: They are gone}, irreversible: The columns are gone}]}",
        look: |facts, found| {
            let instead = facts.plan.alternatives.as_ref().is_some_and(|alternatives| {
                alternatives.fix_forward.is_some() || !alternatives.cannot_back_out.is_empty()
            });
            for (index, step) in facts.plan.stages.iter().enumerate() {
                if step.irreversible.is_some() && !instead {
                    let message =
                        format!("nothing says what to do when it goes wrong after `{}`", step.id);
                    found.at(stage(index), &step.id, message);
                }
            }
        },
    },
];
