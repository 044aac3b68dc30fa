//! What says when not to go back is no trigger, whatever words it uses and wherever it
//! stands; and what says that there is no way back is no step.

use backout_plan::check;

use crate::care::{imported, labels, notes};

/// How people say that something calls for nothing.
const SPELLINGS: [&str; 18] = [
    "Do NOT roll back",
    "do not back out",
    "DO NOT REVERT",
    "Don't roll back",
    "Don\u{2019}t back out",
    "Never roll back",
    "You must not roll back",
    "We mustn't revert",
    "No rollback",
    "No back-out",
    "Rollback is not required",
    "A rollback is not needed",
    "Rollback isn't necessary",
    "It is not a reason to roll back",
    "This is no reason to revert",
    "Avoid rolling back",
    "Do not trigger a rollback",
    "Roll back unless",
];

/// The document with a trigger, two steps, and one thing that calls for nothing.
fn with(criteria: &str) -> String {
    format!(
        "# Rollback plan\n\n## Rollback decision criteria\n\n{criteria}\n\n## Rollback steps\n\n1. Stop the service\n2. Start version 1.9\n"
    )
}

fn holds(text: &str, name: &str) -> Result<(), String> {
    let found = imported(name, text.as_bytes());
    let triggers: Vec<String> =
        found.plan.triggers.values().map(backout_core::plan::Trigger::label).collect();
    let kept = notes(&found);
    let expected = triggers == ["Error rate"]
        && labels(&found) == ["Stop the service", "Start version 1.9"]
        && found.plan.decision.is_empty()
        && kept.contains("response time is slow");
    if expected {
        Ok(())
    } else {
        Err(format!("{text}\ntriggers {triggers:?}\nsteps {:?}\nnotes {kept}", labels(&found)))
    }
}

#[test]
fn what_says_when_not_to_go_back_is_no_trigger_in_any_spelling_and_form() {
    let mut wrong = Vec::new();
    for spelling in SPELLINGS {
        let open = if spelling.ends_with("unless") { "" } else { " if" };
        for form in [
            format!("- Error rate > 5 %\n\n### {spelling}{open}\n\n- the response time is slow\n- warnings in the log\n"),
            format!("- Error rate > 5 %\n\n### {spelling}{open}\n\n#### Metrics\n\n- the response time is slow\n"),
            format!("Roll back if:\n\n- Error rate > 5 %\n\n**{spelling}{open}:**\n\n- the response time is slow\n- warnings in the log\n"),
            format!("**{spelling}{open}:**\n\n- the response time is slow\n\nRoll back if the error rate > 5 %.\n").replace("the error", "Error"),
            format!("- Error rate > 5 %\n- {spelling}{open}:\n  - the response time is slow\n  - warnings\n"),
            format!("- Error rate > 5 %\n- **{spelling}**{open} the response time is slow\n"),
            format!("- Error rate > 5 %\n\n{spelling}{open} the response time is slow.\n"),
            format!("- Error rate > 5 %\n\n> {spelling}{open} the response time is slow.\n"),
            format!("| Condition | {spelling}{open} |\n|---|---|\n| Error rate > 5 % | the response time is slow |\n"),
            format!("- Error rate > 5 %\n\n{spelling}{open}:\n\n| Condition | Limit |\n|---|---|\n| the response time is slow | > 5 s |\n"),
            format!("| Trigger | Severity | Note |\n|---|---|---|\n| Error rate > 5 % | critical | |\n| {spelling}{open}: | | |\n| the response time is slow | minor | often |\n"),
        ] {
            wrong.extend(holds(&with(&form), "x.md").err());
        }
        let page = format!(
            "<h1>Rollback plan</h1><h2>Rollback triggers</h2><ul><li>Error rate &gt; 5 %</li></ul><p><strong>{spelling}</strong>{open}:</p><ul><li>the response time is slow</li></ul><h2>Rollback steps</h2><ol><li>Stop the service</li><li>Start version 1.9</li></ol>"
        );
        wrong.extend(holds(&page, "x.html").err());
        let page = format!(
            "<h1>Rollback plan</h1><h2>Rollback triggers</h2><p>Roll back if:<br>Error rate &gt; 5 %<br>{spelling}{open}:<br>the response time is slow</p><h2>Rollback steps</h2><ol><li>Stop the service</li><li>Start version 1.9</li></ol>"
        );
        let found = imported("x.html", page.as_bytes());
        let slow = found.plan.triggers.values().any(|trigger| trigger.label().contains("slow"));
        wrong.extend(slow.then_some(page));
    }
    assert!(wrong.is_empty(), "{} wrong, the first:\n{}", wrong.len(), wrong[0]);
}

#[test]
fn a_column_may_say_which_rows_call_for_nothing() {
    for (head, no) in [
        ("Rollback?", "No"),
        ("Trigger a rollback", "no"),
        ("Action", "Do not roll back"),
        ("Reaction", "Never revert for this"),
    ] {
        let table = format!("| Condition | {head} |\n|---|---|\n| Error rate > 5 % | Roll back |\n| the response time is slow | {no} |\n").replace("| Roll back |", "| Yes |");
        assert_eq!(holds(&with(&table), "x.md"), Ok(()));
    }
}

#[test]
fn a_trigger_with_an_exception_keeps_its_words() {
    let text = with("- Error rate > 5 % unless the load test runs\n- Unless the queue is short\n");
    let found = imported("x.md", text.as_bytes());
    let triggers: Vec<(String, bool)> = found
        .plan
        .triggers
        .values()
        .map(|trigger| (trigger.label(), trigger.limit.is_some()))
        .collect();
    assert_eq!(triggers, [("Error rate > 5 % unless the load test runs".to_owned(), false)]);
    assert!(notes(&found).contains("Unless the queue is short"));
}

#[test]
fn what_does_not_work_is_a_trigger_all_the_same() {
    let text = with(
        "- Users cannot log in\n- The service does not start\n- No response for 5 minutes\n- Exception rate > 3 %\n\nIf the portal does not answer, roll back.\n",
    );
    let found = imported("x.md", text.as_bytes());
    assert_eq!(found.plan.triggers.len(), 5, "{:?}", found.plan.triggers.keys());
}

/// How people say that there is no way back.
const NO_WAY: [&str; 18] = [
    "Due to the nature of the upgrade there is no ability for us to roll back.",
    "There is no ability to back out.",
    "This change cannot be rolled back.",
    "It can't be reverted.",
    "Rollback is not possible.",
    "Rollback is impossible.",
    "Rollback: N/A",
    "N/A",
    "None",
    "None.",
    "Not applicable",
    "Forward fix only.",
    "Fix forward only",
    "Roll-forward only.",
    "No rollback possible",
    "There is no rollback plan for this change.",
    "We are unable to roll back once the upgrade has started.",
    "A downgrade is not supported.",
];

#[test]
fn where_there_is_no_way_back_no_step_is_made_and_the_first_rule_speaks() {
    let mut wrong = Vec::new();
    for said in NO_WAY {
        let bare = said.trim_end_matches('.');
        for (name, text) in [
            (
                "x.md",
                format!(
                    "# Cluster upgrade\n\n## Rollback procedure\n\n{said}\n\nIf we hit issues, the first step is to reach out to vendor support.\n"
                ),
            ),
            (
                "x.md",
                format!(
                    "# Cluster upgrade\n\n## Rollback procedure\n\n**{said}**\n\n- Contact the vendor\n- Open a ticket\n"
                ),
            ),
            ("x.md", format!("# Cluster upgrade\n\n## Rollback procedure\n\n1. {said}\n")),
            ("x.md", format!("# Cluster upgrade\n\n## Rollback procedure\n\n- {said}\n")),
            (
                "x.md",
                format!(
                    "# Cluster upgrade\n\n## Rollback procedure\n\n{bare}. In case of trouble:\n\n1. Call the vendor\n2. Wait for their answer\n"
                ),
            ),
            (
                "x.md",
                format!(
                    "# Cluster upgrade\n\n## Rollback procedure\n\n{said}\n\n### If we hit issues\n\n1. Call the vendor\n"
                ),
            ),
            (
                "x.md",
                format!(
                    "# Cluster upgrade\n\n## Rollback steps\n\n| Step | Action | Owner | Duration |\n|---|---|---|---|\n| 1 | {bare} | DBA | 5 min |\n"
                ),
            ),
            (
                "x.html",
                format!(
                    "<h1>Cluster upgrade</h1><h2>Backout plan</h2><p>{said}</p><p>Call the vendor.</p>"
                ),
            ),
            (
                "x.json",
                format!(
                    "{{\"result\":{{\"number\":\"CHG1\",\"short_description\":\"Cluster upgrade\",\"backout_plan\":\"{said}\"}}}}"
                ),
            ),
        ] {
            let found = imported(name, text.as_bytes());
            let read = backout_plan::read_bytes(found.text.as_bytes()).expect("a plan");
            let rules = check::check(&read, &Default::default()).findings;
            if !found.plan.steps.is_empty()
                || !rules.iter().any(|finding| finding.code == "BOP-001")
            {
                wrong.push(format!("{text}\n{:?}", labels(&found)));
            }
        }
    }
    for heading in [
        "Rollback procedure (or lack thereof)",
        "Rollback: not possible",
        "Rollback (N/A)",
        "No rollback possible",
        "Rollback is not supported",
    ] {
        let text = format!(
            "# Cluster upgrade\n\n## {heading}\n\nCall the vendor and restart the node.\n\n1. Call the vendor\n"
        );
        let found = imported("x.md", text.as_bytes());
        if !found.plan.steps.is_empty() || !notes(&found).contains("Call the vendor") {
            wrong.push(format!("{text}\n{:?}", labels(&found)));
        }
    }
    assert!(wrong.is_empty(), "{} wrong, the first:\n{}", wrong.len(), wrong[0]);
}

#[test]
fn a_part_that_cannot_be_taken_back_leaves_the_rest_of_the_way() {
    let text = "# Rollback plan\n\n## Rollback steps\n\nThe schema cannot be rolled back, so the backup is restored.\n\n1. Stop the service\n2. Restore the backup\n";
    assert_eq!(
        labels(&imported("x.md", text.as_bytes())),
        ["Stop the service", "Restore the backup"]
    );
    let text = "# Rollback plan\n\n## Rollback steps\n\nThere is no automatic rollback.\n\n1. Stop the service\n2. Restore the backup\n";
    assert_eq!(
        labels(&imported("x.md", text.as_bytes())),
        ["Stop the service", "Restore the backup"]
    );
}
