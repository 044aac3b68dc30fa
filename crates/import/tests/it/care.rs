//! Small documents in which a careless reading would lose something, or turn it
//! round.

use backout_documents::read::{detect, read};
use backout_import::Imported;

pub(crate) fn imported(name: &str, bytes: &[u8]) -> Imported {
    let format = detect(name, bytes).expect("a format");
    backout_import::import(&read(format, bytes, None).expect("read"), format, "x")
}

pub(crate) fn labels(imported: &Imported) -> Vec<&str> {
    imported.plan.steps.iter().map(|step| step.label()).collect()
}

pub(crate) fn notes(imported: &Imported) -> String {
    let notes: Vec<&str> = imported.plan.notes.iter().map(|note| note.text.as_str()).collect();
    notes.join("\n")
}

#[test]
fn what_is_struck_out_is_no_step_and_no_promise() {
    let text = "# Rollback plan\n\n## Readiness\n\n| Requirement | Owner |\n|---|---|\n| Backup restored | DBA |\n| ~~Old check~~ | DBA |\n\n## Rollback steps\n\n1. Stop the portal\n2. ~~Drop the database~~\n3. Restore the ~~old~~ database\n";
    let markdown = imported("x.md", text.as_bytes());
    assert_eq!(labels(&markdown), ["Stop the portal", "Restore the ~~old~~ database"]);
    assert_eq!(markdown.plan.readiness.len(), 1);
    assert!(notes(&markdown).contains("Drop the database"), "{}", notes(&markdown));
    assert!(notes(&markdown).contains("Old check"));
    for tag in ["del", "s", "strike"] {
        let page = format!(
            "<html><h1>Rollback steps</h1><ol><li>Stop the portal</li><li><{tag}>Drop the database</{tag}></li></ol>"
        );
        let html = imported("x.html", page.as_bytes());
        assert_eq!(labels(&html), ["Stop the portal"], "{tag}");
        assert!(notes(&html).contains("Drop the database"));
    }
}

#[test]
fn a_heading_that_says_both_says_nothing() {
    for heading in ["Deployment and rollback procedure", "Rollback & deployment steps", "Undo log"]
    {
        let text = format!("# Release 2.0\n\n## {heading}\n\n1. Deploy 2.0\n2. Start 2.0\n");
        let found = imported("x.md", text.as_bytes());
        assert_eq!(labels(&found), [""; 0], "{heading}");
        assert!(notes(&found).contains("Deploy 2.0"), "{heading}");
    }
    let text = "# Release 2.0\n\n## Deployment and rollback procedure\n\n### Deployment\n\n1. Deploy 2.0\n\n### Rollback\n\n1. Deploy 1.9\n";
    assert_eq!(labels(&imported("x.md", text.as_bytes())), ["Deploy 1.9"]);
}

#[test]
fn a_header_in_bullets_is_no_step() {
    let text = "# Rollback plan\n\n- **Change:** CHG5\n- **Release from:** 1.9\n- **Release to:** 2.0\n\n## Rollback steps\n\n1. Stop it\n";
    let found = imported("x.md", text.as_bytes());
    assert_eq!(labels(&found), ["Stop it"]);
    assert_eq!(found.plan.change.id.as_deref(), Some("CHG5"));
    assert_eq!(
        found.plan.change.release.map(|r| (r.from, r.to)),
        Some(("1.9".into(), "2.0".into()))
    );
    // Who does what is no header.
    let text = "# Rollback plan\n\n- **DBA:** restore the database\n- **Ops:** start the portal\n";
    assert_eq!(labels(&imported("x.md", text.as_bytes())).len(), 2);
}

#[test]
fn a_cell_that_nobody_reads_is_kept() {
    let text = "# Rollback plan\n\n## Readiness\n\n| Requirement | Owner | Status |\n|---|---|---|\n| Backup restored in test | DBA | Failed |\n\n## Contacts\n\n| Role | Name | Phone | Desk |\n|---|---|---|---|\n| DBA | Mike Brown | +44 20 7946 0105 | 4th floor |\n";
    let found = imported("x.md", text.as_bytes());
    assert!(notes(&found).contains("Backup restored in test: Status: Failed"), "{}", notes(&found));
    assert!(notes(&found).contains("Desk: 4th floor"), "{}", notes(&found));
}

#[test]
fn an_order_not_to_go_back_is_no_order_to() {
    let text = "# Rollback plan\n\n## Triggers\n\n| Severity | Criteria | Action |\n|---|---|---|\n| Critical | Data is lost | Do not roll back, call the vendor |\n";
    let found = imported("x.md", text.as_bytes());
    assert!(found.plan.decision.is_empty(), "{:?}", found.plan.decision);
    assert!(notes(&found).contains("Do not roll back"));
}

#[test]
fn letters_of_two_bytes_are_read() {
    let text = "# Rollback plan\r\n\r\n1. Stop it\r\n2. Start it\r\n";
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    assert_eq!(labels(&imported("x.md", &bytes)), ["Stop it", "Start it"]);
}

#[test]
fn a_time_on_somebodys_own_clock_is_no_moment() {
    let record = r#"{"result":{"number":"CHG1","short_description":"x","backout_plan":"1. Stop it","start_date":{"display_value":"2026-06-06 02:00:00"}}}"#;
    let found = imported("x.json", record.as_bytes());
    assert_eq!(found.plan.window, None);
    assert!(notes(&found).contains("2026-06-06 02:00:00"), "{}", notes(&found));
}

#[test]
fn tickets_keep_what_stands_behind_a_frame() {
    let heading = |text: &str| {
        format!(
            r#"{{"type":"heading","attrs":{{"level":2}},"content":[{{"type":"text","text":"{text}"}}]}}"#
        )
    };
    let list = |text: &str, marks: &str| {
        format!(
            r#"{{"type":"orderedList","content":[{{"type":"listItem","content":[{{"type":"paragraph","content":[{{"type":"text","text":"{text}"{marks}}}]}}]}}]}}"#
        )
    };
    let issue = format!(
        r#"{{"key":"OPS-1","fields":{{"summary":"x","description":{{"type":"doc","content":[{},{{"type":"expand","attrs":{{"title":"Background"}},"content":[{{"type":"paragraph","content":[{{"type":"text","text":"Why"}}]}}]}},{},{}]}}}}}}"#,
        heading("Rollback steps"),
        list("Stop the portal", ""),
        list("Drop the database", r#","marks":[{"type":"strike"}]"#),
    );
    assert_eq!(labels(&imported("x.json", issue.as_bytes())), ["Stop the portal"]);
    let issue = r##"{"key":"OPS-1","fields":{"summary":"x","description":"h2. Rollback steps\n{panel:title=Careful}\n# Stop the portal\n{noformat}systemctl stop portal{noformat}\n# Start the portal\n{panel}\nDone."}}"##;
    let found = imported("x.json", issue.as_bytes());
    assert_eq!(labels(&found), ["Stop the portal", "Start the portal"], "{:?}", found.plan.steps);
}

#[test]
fn two_names_in_a_row_are_two_fields() {
    let page = "<html><h1>Rollback plan</h1><table><tr><th>Change</th><td>CHG5</td><th>Environment</th><td>production</td></tr><tr><th>Release from</th><td>1.9</td><th>Release to</th><td>2.0</td></tr></table>";
    let plan = imported("x.html", page.as_bytes()).plan;
    assert_eq!(plan.change.id.as_deref(), Some("CHG5"));
    assert_eq!(plan.change.environment.as_deref(), Some("production"));
    assert!(plan.change.release.is_some());
}

#[test]
fn a_table_that_leads_both_ways_says_which_rows_and_columns_lead_back() {
    let rows = "Type,Step,Description,Duration,Owner\nImplementation,1,Deploy 5.0,90,Ops\nBackout,3,Restore dump,75,DBA\nBackout,4,Redeploy 4.9,90,Ops\n";
    let found = imported("x.csv", rows.as_bytes());
    assert_eq!(labels(&found), ["Restore dump", "Redeploy 4.9"]);
    assert!(notes(&found).contains("Deploy 5.0"));
    let rows = "Step,Action,Rollback action,Owner,Duration (h),Rollback duration (min)\n1,Deploy app 5.0,Redeploy app 4.9,Ops,1,20\n2,Upgrade database,Restore database 11,DBA,2,90\n";
    let found = imported("x.csv", rows.as_bytes());
    assert_eq!(labels(&found), ["Redeploy app 4.9", "Restore database 11"]);
    let takes: Vec<String> =
        found.plan.steps.iter().filter_map(|step| step.takes).map(|t| t.to_string()).collect();
    assert_eq!(takes, ["20m", "1h30m"]);
}

#[test]
fn a_silent_cell_says_what_the_row_above_said() {
    let rows = "Type,Step,Description,Duration\nImplementation,1,Deploy 5.0,90\n,2,Warm the cache,10\nBackout,3,Restore dump,75\n,4,Redeploy 4.9,90\nVerify,5,Log in,5\n";
    let imported = imported("x.csv", rows.as_bytes());
    assert_eq!(labels(&imported), ["Restore dump", "Redeploy 4.9", "Log in"]);
    assert!(notes(&imported).contains("Warm the cache"), "{}", notes(&imported));
}

#[test]
fn phases_of_the_way_back_are_all_steps() {
    let rows = "Phase,Step,Description,Duration\nPrepare,1,Stop the portal,5\nRollback,2,Restore dump,75\nVerify,3,Log in,5\n";
    assert_eq!(
        labels(&imported("x.csv", rows.as_bytes())),
        ["Stop the portal", "Restore dump", "Log in"]
    );
}

#[test]
fn a_remark_beside_a_table_of_a_sheet_is_no_column() {
    let rows = "Step,Action,Duration,,\n1,Stop the portal,5,,\n2,Restore dump,75,,ask Ops first\n3,Log in,5,,\n";
    let imported = imported("x.csv", rows.as_bytes());
    assert_eq!(labels(&imported), ["Stop the portal", "Restore dump", "Log in"]);
    assert!(notes(&imported).contains("ask Ops first"), "{}", notes(&imported));
}

#[test]
fn what_people_wrote_below_a_ticket_is_kept() {
    let issue = r##"{"key":"OPS-1","fields":{"summary":"x","description":"h2. Rollback steps\n# Stop it\n# Start it\n","comment":{"comments":[{"body":"Use the old chart"}]}}}"##;
    assert!(notes(&imported("x.json", issue.as_bytes())).contains("Use the old chart"));
    let record = r#"{"result":{"number":"CHG1","short_description":"x","backout_plan":"1. Stop it","work_notes":"Backup taken 13/06"}}"#;
    assert!(notes(&imported("x.json", record.as_bytes())).contains("Backup taken"));
}

#[test]
fn comments_of_reviewers_are_kept() {
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet().set_name("Rollback").expect("a name");
    for (row, cells) in
        [["Step", "Action"], ["1", "Stop the portal"], ["2", "Restore dump"]].iter().enumerate()
    {
        for (column, text) in cells.iter().enumerate() {
            sheet.write(row as u32, column as u16, *text).expect("written");
        }
    }
    let note = rust_xlsxwriter::Note::new("Took 140 minutes last time");
    sheet.insert_note(2, 1, &note).expect("a note");
    let imported_sheet = imported("x.xlsx", &workbook.save_to_buffer().expect("a workbook"));
    let kept = notes(&imported_sheet);
    assert!(kept.contains("B3: ") && kept.contains("Took 140 minutes last time"), "{kept}");
    assert_eq!(labels(&imported_sheet), ["Stop the portal", "Restore dump"]);

    let body = b"<w:document><w:body><w:p><w:pPr><w:pStyle w:val=\"Heading1\"/></w:pPr><w:r><w:t>Rollback steps</w:t></w:r></w:p></w:body></w:document>";
    let remark = b"<w:comments><w:comment w:id=\"0\" w:author=\"Lee\"><w:p><w:r><w:t>Ask Ops first</w:t></w:r></w:p></w:comment></w:comments>";
    let word =
        crate::hostile::archive(&[("word/document.xml", body), ("word/comments.xml", remark)]);
    assert!(notes(&imported("x.docx", &word)).contains("Ask Ops first"));
}

fn steps_table(head: &str, rows: &str) -> Imported {
    let rule = "|---".repeat(head.matches('|').count() - 1);
    imported(
        "x.md",
        format!("# Rollback plan\n\n## Rollback steps\n\n{head}\n{rule}|\n{rows}").as_bytes(),
    )
}

fn guesses(imported: &Imported) -> String {
    let guesses = imported.report.guessed.iter();
    guesses
        .map(|guess| format!("{}: {}\n", guess.field, guess.why.as_deref().unwrap_or("")))
        .collect()
}

#[test]
fn different_people_stay_different() {
    let rows = "| Stop | Müller |\n| Restore | Möller |\n| Start | 李伟 |\n| Check | 王芳 |\n| Close | 李伟 |\n| Tell | All |\n";
    let imported = steps_table("| Action | Owner |", rows);
    let plan = &imported.plan;
    let who: Vec<String> =
        plan.steps.iter().filter_map(|s| s.owner.as_ref()).map(|role| plan.person(role)).collect();
    assert_eq!(who, ["Müller", "Möller", "李伟", "王芳", "李伟"]);
    assert!(notes(&imported).contains("All"), "{}", notes(&imported));
}

#[test]
fn clocks_are_no_lengths_and_figures_have_units() {
    let takes = |imported: &Imported| -> Vec<String> {
        let steps = imported.plan.steps.iter();
        steps.map(|s| s.takes.map_or_else(String::new, |takes| takes.to_string())).collect()
    };
    let night = steps_table(
        "| # | Action | Time |",
        "| 1 | Stop | 22:00 |\n| 2 | Restore | 23:30 |\n| 3 | Start | 00:45 |\n",
    );
    assert_eq!(takes(&night), ["", "", ""]);
    assert!(notes(&night).contains("23:30"));
    let both = steps_table(
        "| Time | Action | Duration |",
        "| 21:00 | Stop | 5 min |\n| 22:00 | Restore | 1 h |\n",
    );
    assert_eq!(takes(&both), ["5m", "1h"]);
    let days = steps_table("| Action | Duration (days) |", "| Restore | 2 |\n| Copy | 0,5 |\n");
    assert_eq!(takes(&days), ["2d", "12h"]);
    let short = steps_table("| Action | Duration (mm:ss) |", "| Restore | 05:30 |\n");
    assert_eq!(takes(&short), ["5m30s"]);
    let bare = steps_table(
        "| Action | Duration |",
        "| Restore | 20 |\n| Copy | 0.25 |\n| Move | 1.500 |\n| Patch | 15 min per node |\n",
    );
    assert_eq!(takes(&bare), ["20m", "", "", ""]);
    assert!(
        guesses(&bare)
            .contains("steps[restore].takes: the document gives a figure without a unit: minutes")
    );
    for kept in ["0.25", "1.500", "15 min per node"] {
        assert!(notes(&bare).contains(kept), "{kept}");
    }
    let sums = steps_table(
        "| Action | Duration |",
        "| Stop | 5 min |\n| Subtotal | 5 min |\n| Gesamt | 5 min |\n| Grand total | 5 min |\n",
    );
    assert_eq!(labels(&sums), ["Stop"]);
}

#[test]
fn windows_over_several_days_are_whole() {
    let text = "# Rollback plan\n\n| Field | Value |\n|---|---|\n| Deployment window | 2026-12-05 22:00 – 2026-12-07 06:00 CET |\n| Backout by | 02:00 |\n";
    let imported = imported("x.md", text.as_bytes());
    let window = imported.plan.window.as_ref().expect("a window");
    assert_eq!(window.deploy.expect("a time").to_string(), "2026-12-05T22:00 / 2026-12-07T06:00");
    assert_eq!(window.backout_by.expect("a time").to_string(), "2026-12-07T02:00");
    assert!(notes(&imported).contains("which time zone is meant?"));
}

#[test]
fn what_calls_for_nothing_is_no_trigger() {
    let text = "# Rollback plan\n\n## When to roll back\n\n- Rollback is not needed if the error rate is below 1 %\n- CPU not above 90%\n- Queue depth > 10,000\n- Login failures > 5 % for 10 min\n";
    let imported = imported("x.md", text.as_bytes());
    let limits: Vec<String> = imported
        .plan
        .triggers
        .values()
        .filter_map(|t| t.limit.as_ref())
        .map(ToString::to_string)
        .collect();
    assert_eq!(limits, ["> 5%"]);
    assert!(notes(&imported).contains("not needed"));
    assert!(imported.plan.triggers.values().any(|t| t.label() == "Queue depth > 10,000"));
}

#[test]
fn headings_that_lead_forward_lead_forward_wherever_they_stand() {
    for heading in [
        "Cutover",
        "Go-live activities",
        "Deployment",
        "Upgrade again",
        "Then redeploy the new release",
    ] {
        let text = format!(
            "# Rollback plan: Shop 3\n\n## Rollback steps\n\n1. Switch DNS back\n\n### {heading}\n\n1. Deploy 3.0.1\n"
        );
        let imported = imported("x.md", text.as_bytes());
        assert_eq!(labels(&imported), ["Switch DNS back"], "{heading}");
        assert!(notes(&imported).contains("Deploy 3.0.1"), "{heading}");
    }
    for heading in ["Deploy the previous version", "Only if the migration has run"] {
        let text = format!(
            "# Rollback plan: Shop 3\n\n## Rollback steps\n\n### {heading}\n\n1. Deploy 1.9\n2. Start\n"
        );
        let imported = imported("x.md", text.as_bytes());
        assert_eq!(labels(&imported), ["Deploy 1.9", "Start"], "{heading}");
    }
    let text = "# Rollback plan: Shop 3\n\n## Rollback steps\n\n### Only if the migration has run\n\n1. Restore it\n";
    assert!(notes(&imported("x.md", text.as_bytes())).contains("Only if the migration has run"));
}

#[test]
fn each_way_back_has_its_own_details() {
    let text = "# Rollback\n\n## Rollback steps for site A\n\n| # | Action | Duration |\n|---|---|---|\n| 1 | Stop | 5 min |\n| 2 | Copy | 5 min |\n\n## Rollback steps for site B\n\n| # | Action | Duration |\n|---|---|---|\n| 1 | Stop B | 5 min |\n| 2 | Copy | 5 min |\n\n### Step 2: Copy\n\n    rsync B\n";
    let imported = imported("x.md", text.as_bytes());
    let with: Vec<usize> = imported
        .plan
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| format!("{:?}", step.action).contains("rsync B"))
        .map(|(index, _)| index)
        .collect();
    assert_eq!(with, [3]);
}

#[test]
fn second_things_are_kept() {
    let text = "---\nwarning: never before 03:00\n---\n\n# Rollback plan\n\n## Contacts\n\n| Role | Name | Phone | Email |\n|---|---|---|---|\n| DBA | Anna Berg | +49 30 1, +49 171 2 | a@x.de |\n\n## Backups\n\n| Component | Location |\n|---|---|\n| DB | s3://b/full |\n| DB | s3://b/wal |\n\n## Rollback steps\n\nRollback owner: Eva Klein. Estimated duration 2 hours, DBA must be on site.\n\n| # | Action | | Owner |\n|---|---|---|---|\n| 1 | Stop | only if node A is up | DBA |\n";
    let imported = imported("x.md", text.as_bytes());
    let reach = imported.plan.roles[0].reach.clone().expect("a way to reach them");
    assert_eq!(reach.phone.as_deref(), Some("+49 30 1, +49 171 2"));
    assert_eq!(reach.email.as_deref(), Some("a@x.de"));
    for kept in ["never before 03:00", "s3://b/wal", "DBA must be on site", "only if node A is up"]
    {
        assert!(notes(&imported).contains(kept), "{kept} is not in {}", notes(&imported));
    }
}

#[test]
fn thousands_of_owners_take_no_time_to_speak_of() {
    let row = |i: usize| format!("| do thing {i} | Person{} Name{i} |\n", i % 7);
    let rows: String = (0..4000).map(row).collect();
    assert_eq!(steps_table("| Action | Owner |", &rows).plan.steps.len(), 4000);
}
