//! Documents as teams write them, in the shapes in which a reading went wrong once:
//! each with the steps, triggers, people and notes that it has.

use backout_import::Imported;

use crate::care::{imported, labels, notes};

/// Small documents of every shape below, for mutations.
pub(crate) const CASES: [&str; 18] = [
    "# Rollback plan\n\n## Rollback decision criteria\n\n**Do NOT roll back if:**\n\n- Response time is slow (can be tuned)\n- Warnings in the log\n\n## Rollback steps\n\n1. Stop the service\n2. Start version 1.9\n",
    "# Rollback\n\n## Rollback steps\n\n1. Revert the commit\n\n## Emergency contacts\n\nIf the rollback doesn't work:\n\n1. **Check Git history**: `git reflog` to find the previous state\n2. **Contact**: Development team lead\n",
    "# Change CHG0041207\n\n## Backout plan\n\n1) Put gateway into maintenance (5 min) - Payments Operations\n2) Restore DB snapshot (15 min) - DBA Team\n3) Take gateway out of maintenance (5 min) - QA\n",
    "# Upgrade of search from 2.4 to 5.6\n\n## Recovery from backup\n\nYou can follow the following steps to rollback to version 2.\n\n1. Revert the parameters in `public.yml`\n2. Run deploy stack.\n\n   ```\n   cchq env deploy\n   ```\n3. Start the service\n",
    "# Upgrade\n\n### Rollback\n\nThis playbook performs a rollback of the upgrade.\n\n```bash\nansible-playbook rollback.yml\n```\n",
    "# Upgrade\n\n# Roll Back\n## RDS 10 min:\n- Restore RDS snapshot to a db instance\n\n## EC2 10 min:\n- Rename /opt/new to /opt/old\n- Change the db url\n\n## EFS 3 min:\n- Rename confluence.cfg.xml\n\n## Restart Confluence and confirm it is working as expected 10 min\n",
    "# Rollback plan\n\n## Rollback steps\n\n1. Revert the commit\n\n## Prevention\n\n### To minimize rollback need:\n\n1. **Test thoroughly:**\n   - Run all tests before migration\n2. **Back up everything**\n",
    "*Note: this document is subject to change*\n\n# Launch runbook\n\n## Rollback\n\n1. On call party escalates to the commander (i.e. James) by phone.\n2. Rachael updates Chris\n",
    "# Rollback plan\n\n**Rollback time estimate:** 15-30 minutes\n\n## Rollback procedure\n\n### Step 1: Stop the servers\n\n**Purpose:** No writes during the rollback\n\n```bash\nnpm run stop\n```\n\n**Verification:**\n- Check that port 3000 is free\n\n### Step 2: Restore the content\n\n```bash\ncp -r backup/content content\n```\n\n**Verification:**\n- Check that the folder is populated\n",
    "# Roll back your app\n\n## Rollback steps\n\n1. Revert the commit\n2. Push the branch\n\n## Trigger Argo CD to sync\n\n1. Run a manual sync\n2. Wait until it is healthy\n",
    "# Backout plan\n## Backout procedure\n| Step | Action | Owner | Duration | Verify |\n|---|---|---|---|---|\n| 1 | Restore application | Ops | 15 min | Version file shows v1.9 |\n| 2 | Start application servers | Ops | 5 min | Services started |\n\n#### Step 1: Restore application\n```\n$ systemctl stop portal\n$ cp -a /backup/app/. /opt/portal/\n```\n",
    "# Rollback runbook\n\n## 1. Freeze the image updater\n\n1. Set the pause flag to true\n2. Push the branch\n\n## 2. Revert the offending change\n\n1. Revert the commit\n2. Push the branch\n\n## 3. Verify the rollback\n\n1. Confirm that the old version answers\n\n## 4. Unfreeze the image updater\n\n1. Set the pause flag to false\n2. Push the branch\n",
    "# Launch Plan\n\n## Owners\n- Product: Dana (PM)\n- Operations: Luis\n\n## Rollback\n- Trigger: error rate >5% or critical bug\n- Steps: disable feature flag, redeploy previous tag, notify stakeholders\n- Postmortem: document root cause\n",
    "### Rollback Procedure 1: [Procedure Name]\n   ```bash\n   # Command if applicable\n   ```\n**Verification**:\n",
    "# Go-live\n\n## Rollback checklist\n\n- [ ] **User access disabled**\n  - Time: 02:10\n  - Owner: DevOps\n- [ ] **Stop all services**\n  - Time: 02:20\n  - Owner: DevOps\n",
    "# Backout plan\n\n```mermaid\nflowchart TD\n  A[Issue] --> B{Fixable in 30 minutes?}\n  B -->|No| C[Invoke backout at once]\n```\n\n## Backout procedure\n\n| Step | Action | Owner | Duration |\n|---|---|---|---|\n| 1 | Restore database | DBA | 30 min |\n",
    "# Cluster upgrade\n\n## Rollback procedure (or lack thereof)\n\nDue to the nature of the upgrade there is no ability for us to roll back.\n\nIf we hit issues, the first step is to reach out to vendor support.\n",
    "# Downgrade\n```\n```\n6. (DBA)",
];

fn markdown(text: &str) -> Imported {
    imported("x.md", text.as_bytes())
}

fn takes(imported: &Imported) -> Vec<String> {
    let steps = imported.plan.steps.iter();
    steps.map(|step| step.takes.map_or_else(String::new, |takes| takes.to_string())).collect()
}

fn owners(imported: &Imported) -> Vec<&str> {
    let steps = imported.plan.steps.iter();
    steps.map(|step| step.owner.as_ref().map_or("", |owner| owner.as_str())).collect()
}

fn how(imported: &Imported, index: usize) -> String {
    backout_documents::saying::action(&imported.plan.steps[index]).join("\n")
}

#[test]
fn a_template_that_nobody_filled_in_is_notes() {
    for text in [
        "### Rollback Procedure 1: [Procedure Name]\n   ```bash\n   # Command if applicable\n   ```\n**Verification**:\n",
        "# Rollback\n\n## Steps\n\n1. [Step one]\n2. <command>\n",
        "# Rollback\n\n```\n# put the commands here\n-- or here\n```\n",
    ] {
        let found = markdown(text);
        assert_eq!(labels(&found), [""; 0], "{text}");
        assert!(!found.plan.notes.is_empty(), "{text}");
        assert_eq!(
            backout_plan::read_bytes(found.text.as_bytes()).expect("a plan").plan,
            found.plan
        );
    }
}

#[test]
fn a_step_without_a_name_has_one_or_is_a_note() {
    let found = markdown(
        "# Rollback steps\n\n### Step 1:\n\n```\nsystemctl stop portal\n```\n\n### Step 2\n\n### Step 3: Start it\n",
    );
    assert_eq!(labels(&found), ["systemctl stop portal", "Start it"]);
    let found = markdown("# Downgrade\n\n```\nstop\n```\n\n6. (DBA)\n");
    assert!(!labels(&found).contains(&""), "{:?}", labels(&found));
    assert!(
        imported("x.html", b"<h1>Rollback<h2>Step 2")
            .plan
            .steps
            .iter()
            .all(|step| !step.label().is_empty())
    );
}

#[test]
fn a_heading_that_triggers_something_is_an_act() {
    for heading in [
        "Trigger Argo CD to sync",
        "Trigger a manual sync",
        "Trigger the rollback pipeline",
        "1. Trigger the sync",
    ] {
        let found = markdown(&format!(
            "# Roll back your app\n\n## Rollback steps\n\n1. Revert the commit\n2. Push the branch\n\n## {heading}\n\n1. Run a manual sync\n2. Wait until it is healthy\n"
        ));
        assert_eq!(
            labels(&found),
            [
                "Revert the commit",
                "Push the branch",
                "Run a manual sync",
                "Wait until it is healthy"
            ],
            "{heading}"
        );
        assert!(found.plan.triggers.is_empty() && found.plan.options.is_empty(), "{heading}");
    }
    for heading in [
        "Triggers",
        "Trigger conditions",
        "Rollback triggers",
        "Trigger for a rollback",
        "Trigger the rollback if",
        "Trigger",
        "Trigger points and thresholds",
    ] {
        let found = markdown(&format!(
            "# Roll back your app\n\n## {heading}\n\n- Error rate > 5 %\n\n## Rollback steps\n\n1. Revert the commit\n"
        ));
        assert_eq!((found.plan.triggers.len(), labels(&found).len()), (1, 1), "{heading}");
    }
}

#[test]
fn numbered_acts_are_phases_of_one_way_back() {
    let found = markdown(
        "# Rollback runbook\n\n## 1. Freeze the image updater\n\n1. Set the pause flag to true\n2. Push the branch\n\n## 2. Revert the offending change\n\n1. Revert the commit\n2. Push the branch\n\n## 3. Verify the rollback\n\n1. Confirm that the old version answers\n\n## 4. Unfreeze the image updater\n\n1. Set the pause flag to false\n2. Push the branch\n",
    );
    let steps = [
        "Set the pause flag to true",
        "Push the branch",
        "Revert the commit",
        "Push the branch",
        "Confirm that the old version answers",
        "Set the pause flag to false",
        "Push the branch",
    ];
    assert_eq!(labels(&found), steps);
    assert!(found.plan.options.is_empty() && found.plan.notes.is_empty());
    // Each of them may speak of going back.
    let found = markdown(
        "# Rollback runbook\n\n## 1. Roll back the database\n\n1. Stop it\n\n## 2. Roll back the application\n\n1. Start it\n",
    );
    assert_eq!((labels(&found).len(), found.plan.options.len()), (2, 0));
    // A chapter that is no act, and a document about something else, are no phases.
    for text in [
        "# Rollback runbook\n\n## 1. Glossary\n\n1. Alpha\n2. Beta\n\n## 2. Rollback steps\n\n1. Stop it\n",
        "# Release runbook\n\n## 1. Deploy the release\n\n1. Push the branch\n\n## 2. Rollback\n\n1. Stop it\n",
    ] {
        assert_eq!(labels(&markdown(text)), ["Stop it"], "{text}");
    }
}

#[test]
fn contacts_are_no_steps_and_what_to_do_is_no_contact() {
    let found = markdown(
        "# Rollback\n\n## Rollback steps\n\n1. Revert the commit\n\n## Emergency contacts\n\nIf the rollback doesn't work:\n\n1. **Check Git history**: `git reflog` to find the previous state\n2. **Contact**: Development team lead\n",
    );
    assert_eq!(labels(&found), ["Revert the commit"]);
    let roles: Vec<&str> = found.plan.roles.keys().map(|role| role.as_str()).collect();
    assert_eq!(roles, ["development-team-lead"]);
    assert!(notes(&found).contains("Check Git history"));
    let found = markdown(
        "# Rollback\n\n## Emergency contacts\n\n- DBA: Mike Brown, +44 20 7946 0105\n- Vendor: +49 30 555\n\n## Rollback steps\n\n1. Revert the commit\n",
    );
    assert_eq!((found.plan.roles.len(), found.plan.notes.len()), (2, 0));
}

#[test]
fn who_and_how_long_stand_in_brackets_or_behind_a_dash() {
    for (first, second) in [
        (
            "Put gateway into maintenance (5 min) - Payments Operations",
            "Restore DB snapshot (15 min) - DBA Team",
        ),
        (
            "Put gateway into maintenance (5 min) \u{2013} Payments Operations",
            "Restore DB snapshot \u{2013} 15 min \u{2013} DBA Team",
        ),
        (
            "Put gateway into maintenance (5 min, Payments Operations)",
            "Restore DB snapshot [15 min] (DBA Team)",
        ),
        (
            "Put gateway into maintenance (Owner: Payments Operations, 5 min)",
            "Restore DB snapshot - DBA Team (15 min)",
        ),
    ] {
        let found = markdown(&format!(
            "# Change CHG1\n\n## Backout plan\n\n1) {first}\n2) {second}\n3) Look at the log - it must be quiet\n"
        ));
        assert_eq!(
            labels(&found),
            [
                "Put gateway into maintenance",
                "Restore DB snapshot",
                "Look at the log - it must be quiet"
            ],
            "{first}"
        );
        assert_eq!(takes(&found), ["5m", "15m", ""], "{first}");
        assert_eq!(owners(&found), ["payments-operations", "dba-team", ""], "{first}");
    }
}

#[test]
fn a_sentence_that_leads_back_says_what_its_list_is() {
    let found = markdown(
        "# Upgrade of search from 2.4 to 5.6\n\n## Recovery from backup\n\nYou can follow the following steps to rollback to version 2.\n\n1. Revert the parameters in `public.yml`\n2. Run deploy stack.\n\n   ```\n   cchq env deploy\n   ```\n3. Start the service\n",
    );
    assert_eq!(
        labels(&found),
        ["Revert the parameters in public.yml", "Run deploy stack", "Start the service"]
    );
    assert!(how(&found, 1).contains("cchq env deploy"));
    let found = markdown(
        "# Upgrade\n\n## Recovery from backup\n\nThe following steps do not roll back the schema.\n\n1. Do this\n",
    );
    assert_eq!(labels(&found), [""; 0]);
}

#[test]
fn what_a_command_is_for_stays_with_it() {
    let found = markdown(
        "# Upgrade\n\n### Rollback\n\nThis playbook performs a rollback of the upgrade.\n\n```bash\nansible-playbook rollback.yml\n```\n",
    );
    assert_eq!(labels(&found).len(), 1);
    assert_eq!(
        how(&found, 0).trim(),
        "This playbook performs a rollback of the upgrade.\n\nansible-playbook rollback.yml"
    );
    assert!(found.plan.notes.is_empty());
}

#[test]
fn a_heading_that_ends_in_a_length_is_a_phase_of_that_length() {
    let text = "# Upgrade\n\n# Roll Back\n## RDS 10 min:\n- Restore RDS snapshot to a db instance\n\n## EC2 10 min:\n- Rename /opt/new to /opt/old\n- Change the db url\n\n## EFS 3 min:\n- Rename confluence.cfg.xml\n\n## Restart Confluence and confirm it is working as expected 10 min\n";
    for text in
        [text.to_owned(), text.replace(" min:", " minutes"), text.replace("10 min:", "(10 min)")]
    {
        let found = markdown(&text);
        assert_eq!(
            labels(&found),
            ["RDS", "EC2", "EFS", "Restart Confluence and confirm it is working as expected"],
            "{text}"
        );
        assert_eq!(takes(&found), ["10m", "10m", "3m", "10m"], "{text}");
        assert!(how(&found, 1).contains("Change the db url"));
    }
}

#[test]
fn how_to_need_no_way_back_is_no_way_back() {
    for heading in [
        "Prevention",
        "Preventive measures",
        "Best practices",
        "How to avoid a rollback",
        "Minimizing rollbacks",
    ] {
        let found = markdown(&format!(
            "# Rollback plan\n\n## Rollback steps\n\n1. Revert the commit\n\n## {heading}\n\n### To minimize rollback need:\n\n1. **Test thoroughly:**\n   - Run all tests before migration\n2. **Back up everything**\n\n### Rollback drills\n\n1. Rehearse it\n"
        ));
        assert_eq!(labels(&found), ["Revert the commit"], "{heading}");
        assert!(found.plan.options.is_empty());
        for kept in ["Back up everything", "Run all tests", "Rehearse it"] {
            assert!(notes(&found).contains(kept), "{heading}: {kept}");
        }
    }
}

#[test]
fn remarks_and_estimates_are_no_titles_and_short_forms_end_no_sentence() {
    let found = markdown(
        "*Note: this document is subject to change*\n\n# Launch runbook\n\n## Rollback\n\n1. On call party escalates to the commander (i.e. James) by phone.\n2. Rachael updates Chris\n",
    );
    assert!(!found.plan.change.title.contains("subject to change"), "{}", found.plan.change.title);
    assert_eq!(
        labels(&found),
        ["On call party escalates to the commander (i.e. James) by phone", "Rachael updates Chris"]
    );
    for line in [
        "**Rollback time estimate:** 15-30 minutes",
        "Draft",
        "This document is confidential",
        "Last updated: 2026-01-01",
    ] {
        let found =
            markdown(&format!("# Rollback plan\n\n{line}\n\n## Rollback steps\n\n1. Stop it\n"));
        assert_eq!(found.plan.change.title, "x", "{line}");
    }
}

#[test]
fn what_follows_the_word_verification_is_how_to_know() {
    for word in ["**Verification:**", "Verify:", "**Expected result:**", "Validation:"] {
        let found = markdown(&format!(
            "# Rollback plan\n\n**Rollback time estimate:** 15-30 minutes\n\n## Rollback procedure\n\n### Step 1: Stop the servers\n\n**Purpose:** No writes during the rollback\n\n```bash\nnpm run stop\n```\n\n{word}\n- Check that port 3000 is free\n- No process is left\n\n### Step 2: Restore the content\n\n```bash\ncp -r backup/content content\n```\n\n{word}\n\nThe folder is populated\n"
        ));
        let checks: Vec<Vec<&str>> =
            found.plan.steps.iter().map(|step| step.confirmations().collect()).collect();
        assert_eq!(
            checks,
            [
                vec!["Check that port 3000 is free", "No process is left"],
                vec!["The folder is populated"]
            ],
            "{word}"
        );
        assert_eq!(how(&found, 1).trim(), "cp -r backup/content content", "{word}");
        let total = found.plan.window.and_then(|window| window.stated_total).expect("a total");
        assert_eq!(total.to_string(), "30m");
    }
}

#[test]
fn details_elsewhere_join_their_row() {
    let found = markdown(
        "# Backout plan\n## Backout procedure\n| Step | Action | Owner | Duration | Verify |\n|---|---|---|---|---|\n| 1 | Restore application | Ops | 15 min | Version file shows v1.9 |\n| 2 | Start application servers | Ops | 5 min | Services started |\n\n#### Step 1: Restore application\n```\n$ systemctl stop portal\n$ cp -a /backup/app/. /opt/portal/\n```\n",
    );
    assert_eq!(labels(&found), ["Restore application", "Start application servers"]);
    assert!(
        how(&found, 0).contains("systemctl stop portal") && !how(&found, 1).contains("systemctl")
    );
}

#[test]
fn a_clock_behind_the_word_time_is_when_and_not_how_long() {
    let found = markdown(
        "# Go-live\n\n## Rollback checklist\n\n- [ ] **User access disabled**\n  - Time: 02:10\n  - Owner: DevOps\n- [ ] **Stop all services**\n  - Time: 02:20\n  - Owner: DevOps\n- [ ] **Restore**\n  - Duration: 0:30\n  - Owner: DBA\n- [ ] **Copy**\n  - Time: 15 min\n",
    );
    assert_eq!(labels(&found), ["User access disabled", "Stop all services", "Restore", "Copy"]);
    assert_eq!(takes(&found), ["", "", "30m", "15m"]);
    assert_eq!(owners(&found), ["devops", "devops", "dba", ""]);
    assert!(how(&found, 0).contains("02:10") && how(&found, 1).contains("02:20"));
    // What is checked before is still readiness.
    let found =
        markdown("# Go-live\n\n## Pre-rollback checklist\n\n- [ ] Backup restored in test\n");
    assert_eq!((found.plan.readiness.len(), found.plan.steps.len()), (1, 0));
}

#[test]
fn a_drawing_is_no_step_and_is_kept() {
    let found = markdown(
        "# Backout plan\n\n```mermaid\nflowchart TD\n  A[Issue] --> B{Fixable in 30 minutes?}\n  B -->|No| C[Invoke backout at once]\n```\n\n## Backout procedure\n\n| Step | Action | Owner | Duration |\n|---|---|---|---|\n| 1 | Restore database | DBA | 30 min |\n",
    );
    assert_eq!(labels(&found), ["Restore database"]);
    assert!(notes(&found).contains("Fixable in 30 minutes?"));
}

#[test]
fn bullets_with_labels_are_what_their_labels_say() {
    let found = markdown(
        "# Launch Plan\n\n## Owners\n- Product: Dana (PM)\n- Operations: Luis\n\n## Rollback\n- Trigger: error rate >5% or critical bug\n- Steps: disable feature flag, redeploy previous tag, notify stakeholders\n- Postmortem: document root cause\n",
    );
    assert_eq!(
        labels(&found),
        ["disable feature flag", "redeploy previous tag", "notify stakeholders"]
    );
    let triggers: Vec<String> =
        found.plan.triggers.values().map(|trigger| trigger.label()).collect();
    assert_eq!(triggers, ["error rate >5% or critical bug"]);
    let roles: Vec<&str> = found.plan.roles.keys().map(|role| role.as_str()).collect();
    assert_eq!(roles, ["product", "operations"]);
    assert_ne!(found.plan.change.title, "Dana (PM)");
    assert_eq!(found.plan.follow_up.len(), 1);
    let found = markdown(
        "# Launch Plan\n\n## Rollback\n- Trigger:\n  - Error rate > 5 %\n- Steps:\n  1. Disable the flag\n  2. Redeploy\n- Budget: none left\n",
    );
    assert_eq!((labels(&found).len(), found.plan.triggers.len()), (2, 1));
    assert!(notes(&found).contains("Budget"));
}
