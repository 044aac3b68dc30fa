//! Shapes of documents in which text was lost, or read as a step or a trigger that it
//! is not.

use backout_import::Imported;
use backout_plan::check;

use crate::care::{imported, labels, notes};

fn markdown(text: &str) -> Imported {
    imported("x.md", text.as_bytes())
}

fn triggers(found: &Imported) -> Vec<String> {
    found.plan.triggers.values().map(backout_core::plan::Trigger::label).collect()
}

fn takes(found: &Imported) -> Vec<String> {
    let steps = found.plan.steps.iter();
    steps.map(|step| step.takes.map_or_else(String::new, |takes| takes.to_string())).collect()
}

fn has_no_way_back(found: &Imported) -> bool {
    let read = backout_plan::read_bytes(found.text.as_bytes()).expect("a plan");
    let findings = check::check(&read, &Default::default()).findings;
    found.plan.steps.is_empty() && findings.iter().any(|finding| finding.code == "BOP-001")
}

fn if_backout_fails(found: &Imported) -> String {
    let alternatives = found.plan.alternatives.as_ref();
    alternatives.and_then(|all| all.if_backout_fails.clone()).unwrap_or_default()
}

#[test]
fn headings_with_nothing_below_are_steps() {
    let steps = ["Stop the portal", "Restore the database", "Start the portal"];
    for (name, text) in [
        (
            "x.md",
            "# Change\n\n## Rollback\n\n### Stop the portal\n\n### Restore the database\n\n### Start the portal\n",
        ),
        (
            "x.html",
            "<h1>Change</h1><h2>Rollback</h2><h3>Stop the portal</h3><h3>Restore the database</h3><h3>Start the portal</h3>",
        ),
        (
            "x.md",
            "# Rollback runbook\n\n## 1. Stop the portal\n\n## 2. Restore the database\n\n## 3. Start the portal\n",
        ),
        (
            "x.md",
            "# Change\n\n## Deployment\n\n### Upgrade the portal\n\n## Rollback\n\n### I. Stop the portal\n\n### II. Restore the database\n\n### III. Start the portal\n\n### Contacts\n",
        ),
    ] {
        assert_eq!(labels(&imported(name, text.as_bytes())), steps, "{text}");
    }
    // What leads forward and what tells nobody to do anything are no steps, and are kept.
    let found = markdown(
        "# Change\n\n## Deployment\n\n### Upgrade the portal\n\n## Rollback\n\n### Release notes\n\n### Restore it\n",
    );
    assert_eq!(labels(&found), ["Restore it"]);
    assert!(
        notes(&found).contains("Upgrade the portal") && notes(&found).contains("Release notes")
    );
}

#[test]
fn a_last_heading_with_a_time_is_a_phase_beside_phases() {
    let found = imported("x.html", b"<h1>Upgrade of the wiki</h1><h1>Roll Back</h1><h2>RDS 10 min:</h2><ul><li>Restore the snapshot</li></ul><h2>Restart and confirm it works (10 min)</h2>");
    assert_eq!(labels(&found), ["RDS", "Restart and confirm it works"]);
    assert_eq!(takes(&found), ["10m", "10m"]);
}

#[test]
fn what_puts_going_back_off_is_no_trigger() {
    for spelling in [
        "Hold off on rolling back when",
        "Refrain from a rollback if",
        "Avoid backing out when",
        "Postpone the rollback if",
        "Think twice before rolling back when",
        "Stay on the new version when",
        "Do not back out while",
        "Keep going if",
        "Leave the new version in place if",
        "Resist the urge to roll back when",
        "Wait before rolling back if",
        "Rule out a rollback when",
        "Press on if",
        "Fix forward rather than roll back if",
        "It is too early to roll back when",
        "Rolling back is the wrong answer when",
        "Stick with the new release when",
        "Under no circumstances roll back when",
        "Rolling back would be premature if",
        "A rollback is prohibited while",
        "Just monitor when",
        "Hold off if",
    ] {
        for text in [
            format!(
                "# Rollback plan\n\n## Rollback triggers\n\n- Error rate > 5 %\n\n**{spelling}:**\n\n- pages are slow\n- warnings in the log\n\n## Rollback steps\n\n1. Stop it\n"
            ),
            format!(
                "# Rollback plan\n\n## Rollback triggers\n\n- Error rate > 5 %\n- {spelling} pages are slow\n\n## Rollback steps\n\n1. Stop it\n"
            ),
            format!(
                "# Rollback plan\n\n## Rollback triggers\n\n- Error rate > 5 %\n\n### {spelling}\n\n- pages are slow\n\n## Rollback steps\n\n1. Stop it\n"
            ),
        ] {
            let found = markdown(&text);
            assert_eq!(triggers(&found), ["Error rate"], "{text}");
            assert!(notes(&found).contains("pages are slow"), "{text}");
            assert_eq!(labels(&found), ["Stop it"], "{text}");
        }
    }
}

#[test]
fn what_urges_to_go_back_stays_a_trigger() {
    for spelling in [
        "Roll back only after approval when",
        "Do not hesitate to roll back when",
        "Do not wait with the rollback if",
        "Do not delay the rollback when",
        "Never hesitate to back out if",
        "Only after approval",
        "A rollback must not be delayed when",
        "Stop the deployment and roll back when",
        "Do not continue with the deployment if",
        "Avoid further damage and roll back when",
        "Rolling back cannot wait if",
        "It is better to roll back early when",
    ] {
        let found = markdown(&format!(
            "# Rollback plan\n\n## Rollback triggers\n\n**{spelling}:**\n\n- logins fail\n- data is lost\n\n## Rollback steps\n\n1. Stop it\n"
        ));
        assert_eq!(triggers(&found), ["logins fail", "data is lost"], "{spelling}");
    }
}

#[test]
fn an_entry_that_denies_the_way_back_denies_the_whole_of_it() {
    for (name, text) in [
        (
            "x.md",
            "# Change\n\n## Backout plan\n\n1. No rollback possible\n2. Open a ticket with the vendor\n",
        ),
        (
            "x.md",
            "# Change\n\n## Backout plan\n\n- Open a ticket with the vendor\n- This change cannot be rolled back\n",
        ),
        (
            "x.md",
            "# Change\n\n## Backout plan\n\n| Step | Action | Owner |\n|---|---|---|\n| 1 | Rollback is not possible | DBA |\n| 2 | Open a ticket with the vendor | Ops |\n",
        ),
        (
            "x.md",
            "# Change\n\n## Backout plan\n\n1. None, forward fix only\n\nThen:\n\n1. Open a ticket with the vendor\n",
        ),
        (
            "x.csv",
            "Step,Rollback action,Owner\n1,There is no way back,DBA\n2,Open a ticket with the vendor,Ops\n",
        ),
    ] {
        let found = imported(name, text.as_bytes());
        assert!(has_no_way_back(&found), "{text}\n{:?}", labels(&found));
        assert!(notes(&found).contains("Open a ticket with the vendor"), "{text}");
    }
    // From where on there is none is a limit of a way back that exists.
    let found = markdown(
        "# Change\n\n## Backout plan\n\n1. Restore the snapshot\n2. After that no rollback of the schema is possible\n3. Start 1.9\n",
    );
    assert_eq!(labels(&found).len(), 3);
}

#[test]
fn what_is_done_when_the_way_back_fails_is_no_second_one() {
    for heading in [
        "If rollback does not work",
        "If the backout fails",
        "When the rollback is unsuccessful",
        "Should the rollback fail",
        "Rollback failure",
        "What if rolling back doesn't help?",
    ] {
        for list in [
            "1. Call the vendor\n2. Restore the whole cluster\n",
            "- Call the vendor\n- Restore the whole cluster\n",
            "Call the vendor. Restore the whole cluster.\n",
        ] {
            let found = markdown(&format!(
                "# Change\n\n## Rollback\n\n1. Redeploy 1.9\n\n## {heading}\n\n{list}"
            ));
            assert_eq!(labels(&found), ["Redeploy 1.9"], "{heading}");
            assert!(found.plan.options.is_empty(), "{heading}");
            assert!(if_backout_fails(&found).contains("Restore the whole cluster"), "{heading}");
        }
    }
    let found = markdown(
        "# Change\n\n## Rollback\n\n1. Redeploy 1.9\n\nIf the rollback does not work:\n\n1. Call the vendor\n",
    );
    assert_eq!(labels(&found), ["Redeploy 1.9"]);
    assert_eq!(if_backout_fails(&found), "1. Call the vendor");
}

#[test]
fn diagrams_and_data_are_no_steps() {
    for block in [
        "```plantuml\n@startuml\n:Restore database;\n@enduml\n```",
        "```\n@startuml\na -> b\n@enduml\n```",
        "```dot\ndigraph G { a -> b; }\n```",
        "```\nflowchart TD\n  A --> B\n```",
        "```json\n{\"rollback\": true}\n```",
        "```\n{\"rollback\": true}\n```",
        "```xml\n<rollback><to>1.9</to></rollback>\n```",
        "```\n2026-01-01 10:00:00 ERROR rollback failed\n2026-01-01 10:00:01 INFO up\n```",
    ] {
        let found = markdown(&format!(
            "# Rollback plan\n\n{block}\n\n## Rollback steps\n\n1. Redeploy 1.9\n"
        ));
        assert_eq!(labels(&found), ["Redeploy 1.9"], "{block}");
        assert!(found.plan.options.is_empty(), "{block}");
        assert!(!found.plan.notes.is_empty(), "{block}");
        let alone = markdown(&format!(
            "# Upgrade\n\n## Rollback\n\n{block}\n\n## Rollback option B\n\n{block}\n"
        ));
        assert!(has_no_way_back(&alone) && alone.plan.options.is_empty(), "{block}");
    }
    let found = imported("x.html", b"<h1>Rollback plan</h1><h2>Rollback</h2><pre class=\"mermaid\">flowchart TD\nA[Stop] --> B[Start]</pre><ol><li>Stop it</li></ol>");
    assert_eq!(labels(&found), ["Stop it"]);
    // Data below a step belongs to it.
    let found = markdown(
        "# Rollback plan\n\n## Rollback steps\n\n1. Set this\n\n```json\n{\"image\": \"1.9\"}\n```\n",
    );
    let how = backout_documents::saying::action(&found.plan.steps[0]).join("\n");
    assert!(how.contains("\"image\""), "{how}");
}

#[test]
fn labels_in_paragraphs_say_what_they_say_in_bullets() {
    for text in [
        "Trigger: errors > 2 %\n\nSteps: disable flags (search, basket, login), redeploy v1.9\n",
        "Trigger: errors > 2 %\nSteps: disable flags (search, basket, login), redeploy v1.9\n",
        "**Trigger:** errors > 2 %\n**Steps:** disable flags (search, basket, login), redeploy v1.9\n**Owner:** Ops\n",
        "- Trigger: errors > 2 %\n- Steps: disable flags (search, basket, login), then redeploy v1.9\n",
    ] {
        let found = markdown(&format!("# Launch plan\n\n## Rollback\n\n{text}"));
        assert_eq!(
            labels(&found),
            ["disable flags (search, basket, login)", "redeploy v1.9"],
            "{text}"
        );
        assert_eq!(triggers(&found), ["errors"], "{text}");
    }
}

#[test]
fn a_title_about_going_back_says_it_of_its_parts() {
    let steps = ["Stop the portal", "Take a snapshot", "Restore the dump"];
    for (name, text) in [
        (
            "x.md",
            "# Rollback runbook\n\n## Phase 1: Preparation\n\n- Stop the portal\n- Take a snapshot\n\n## Phase 2: Database\n\n- Restore the dump\n\n## Glossary\n\n1. Dump\n",
        ),
        (
            "x.html",
            "<h1>Rollback runbook</h1><h2>Phase 1: Preparation</h2><ol><li>Stop the portal</li><li>Take a snapshot</li></ol><h2>Phase 2: Database</h2><ol><li>Restore the dump</li></ol>",
        ),
    ] {
        assert_eq!(labels(&imported(name, text.as_bytes())), steps, "{text}");
    }
    let found = markdown(
        "# Roll back\n\n## Database 15 min:\n\n- Restore the dump\n- Start it\n\n## Web 5 min:\n\n- Redeploy 1.9\n",
    );
    assert_eq!(labels(&found), ["Database", "Web"]);
    assert_eq!(takes(&found), ["15m", "5m"]);
    let found = markdown(
        "# Rollback runbook\n\n### I. Freeze the updater\n\nIt would bring it back.\n\n```bash\nkubectl scale deploy updater --replicas=0\n```\n\n### II. Revert the commit\n\n```bash\ngit revert HEAD\n```\n\n### III. Open again\n\nTell the users.\n",
    );
    assert_eq!(labels(&found), ["Freeze the updater", "Revert the commit", "Open again"]);
    let found = markdown(
        "# Backout\n\n## 1. Stop the portal\n\n1. Close the door\n\n## 2. Restore it\n\n1. Run restore.sh\n\n## 3. Open again\n\n1. Open the door\n2. Tell the users\n",
    );
    assert_eq!(
        labels(&found),
        ["Close the door", "Run restore.sh", "Open the door", "Tell the users"]
    );
}

#[test]
fn ways_to_say_that_a_list_leads_back() {
    for text in [
        "## Recovery\n\nUse these steps to go back to version 2.\n\n1. Stop the service\n2. Install version 2\n",
        "## Recovery\n\nFollow these steps to go back to version 2:\n\n- Stop the service\n- Install version 2\n",
        "## Restoring the previous version\n\n1. Stop the service\n2. Install version 2\n",
        "## How to go back to the old release\n\n1. Stop the service\n2. Install version 2\n",
    ] {
        let found = markdown(&format!("# Upgrade of search\n\n{text}"));
        assert_eq!(labels(&found), ["Stop the service", "Install version 2"], "{text}");
    }
}

#[test]
fn rows_of_a_number_and_a_text_are_a_list() {
    for text in [
        "Backout plan\n1,Restore database (20 minutes) (DBA)\n2,Restart portal (5 minutes) (Ops)\n",
        "Backout plan\n\n1,Restore database (20 minutes) (DBA)\n2,Restart portal (5 minutes) (Ops)\n",
        "#,Rollback step\n1,Restore database (20 minutes) (DBA)\n2,Restart portal (5 minutes) (Ops)\n",
    ] {
        let found = imported("x.csv", text.as_bytes());
        assert_eq!(labels(&found), ["Restore database", "Restart portal"], "{text}");
        assert_eq!(takes(&found), ["20m", "5m"], "{text}");
    }
}

#[test]
fn numbered_lines_of_a_sheet_are_chapters() {
    let found = imported(
        "x.csv",
        b"Rollback steps\n\n1. Freeze\n\n1,Set the pause flag\n2,Push the branch\n\n2. Revert\n\n1,Revert the commit\n2,Start it\n",
    );
    let steps = ["Set the pause flag", "Push the branch", "Revert the commit", "Start it"];
    assert_eq!(labels(&found), steps);
}

#[test]
fn an_empty_line_ends_a_table_of_commas() {
    for gap in ["\n", ",,,\n", "\n\n"] {
        let text = format!(
            "Role,Name,Phone,Note\nDBA,Mike Brown,+44 20 7946 0105,\"two\nlines\"\n{gap}Step,Rollback action,Owner,Duration (min)\n1,Restore dump,DBA,20\n2,Redeploy 1.9,DBA,5"
        );
        let found = imported("x.csv", text.as_bytes());
        assert_eq!(labels(&found), ["Restore dump", "Redeploy 1.9"], "{gap:?}");
        assert_eq!(takes(&found), ["20m", "5m"], "{gap:?}");
        assert_eq!(found.plan.roles.len(), 1, "{gap:?}");
        let line = 5 + gap.matches('\n').count();
        let place =
            found.report.found.iter().find(|found| found.field == "steps[restore-dump].title");
        assert_eq!(place.map(|found| found.place.clone()), Some(format!("line {line}")), "{gap:?}");
    }
}

#[test]
fn figures_titles_and_details_are_what_they_are() {
    let found = markdown(
        "# Rollback plan\n\n| Field | Value |\n|---|---|\n| Change | Upgrade portal |\n\n## Rollback steps\n\n| # | Action | Duration |\n|---|---|---|\n| 1 | Restore | 02:10 |\n| 2 | Copy | 0:30 |\n| 3 | Start | 5 min |\n",
    );
    assert_eq!(takes(&found), ["", "30m", "5m"]);
    assert!(notes(&found).contains("02:10"));
    assert_eq!(found.plan.change.id, None);
    assert_eq!(found.plan.change.title, "Upgrade portal");
    for id in ["CHG0048213", "RFC 2026-14", "OPS-4411"] {
        let found = markdown(&format!(
            "# Rollback plan\n\n| Field | Value |\n|---|---|\n| Change | {id} |\n| Owner | DBA |\n"
        ));
        assert_eq!(found.plan.change.id.as_deref(), Some(id));
    }
    for first in ["Version 1.3", "12 March 2026", "Rev. B, 2026-03-12", "Draft v0.2"] {
        let found = markdown(&format!(
            "{first}\n\n# Rollback plan for Portal 2.0\n\n## Rollback steps\n\n1. Stop it\n2. Start it\n\n### Details of step 2\n\nUse the script start.sh.\n"
        ));
        assert_eq!(found.plan.change.title, "Portal 2.0", "{first}");
        assert_eq!(labels(&found), ["Stop it", "Start it"], "{first}");
        let how = backout_documents::saying::action(&found.plan.steps[1]).join("\n");
        assert!(how.contains("start.sh"), "{how}");
    }
}

#[test]
fn each_sentence_speaks_for_itself() {
    let found = markdown(
        "# Plan\n\n## Rollback triggers\n\nLeave the new version in place when pages are slow. Roll back when data is lost.\n\n## Rollback\n\n1. Stop it\n",
    );
    assert_eq!(triggers(&found), ["data is lost"]);
    assert!(notes(&found).contains("Leave the new version"));
    let found = markdown(
        "# Change\n\n## Backout plan\n\nRollback is not possible once the migration has started. Before that:\n\n1. Stop the migration\n2. Restore the snapshot\n",
    );
    assert_eq!(labels(&found), ["Stop the migration", "Restore the snapshot"]);
    assert!(notes(&found).contains("not possible once"));
}

#[test]
fn orders_in_headings_and_in_bold_are_steps() {
    for text in [
        "### Stop the portal\n\nOn both hosts, web1 first.\n\n### Restore the database\n\nUse the dump of last night.\n\n### Close the change\n",
        "**Step 1: Stop the portal**\n\n**Step 2: Restore the database**\n\n**Step 3: Close the change**\n",
    ] {
        let found = markdown(&format!("# Upgrade\n\n## Rollback\n\n{text}"));
        assert_eq!(
            labels(&found),
            ["Stop the portal", "Restore the database", "Close the change"],
            "{text}"
        );
    }
}
