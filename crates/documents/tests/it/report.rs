//! What the report of a run says is what happened: no backout where there was none.

use backout_core::event::Direction;
use backout_documents::report::{Section, is_report};
use backout_documents::write::{Page, html};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::night::{Night, PLAN, automatic, decided};

fn deployed() -> Night {
    let mut night = Night::new(Direction::Forward, "v2.0 goes live");
    night.step("schema", 240).approved().step("open", 60);
    night
}

fn back_out() -> Value {
    json!({"choice": "back-out"})
}

/// What no report of a release that did not go back may say.
fn says_nothing_of_a_backout(night: &Night) {
    let page = html(&night.report(&Section::ALL[..Section::ALL.len() - 1]), Page::Reading);
    let told = night.told();
    for text in [&page, &told] {
        for wrong in [
            "Backout report",
            "The way back took",
            "The change was backed out",
            "To be finished by",
            "Invoked",
            "Stated total",
        ] {
            assert!(!text.contains(wrong), "{wrong}\n{told}");
        }
    }
    assert!(told.starts_with("# Deployment report: A change"), "{told}");
    assert!(!told.contains("| What triggered the backout? | v2.0 goes live"), "{told}");
    assert!(!told.contains("| Did the backout execute as planned? | Yes"), "{told}");
}

#[test]
fn of_a_way_back_that_was_invoked() {
    let mut night = Night::new(Direction::Back, "logins fail");
    night.later(5).step("close", 60).step("old-schema", 400).finished(&json!("reverted"));
    assert_snapshot!(night.told());
}

/// Verified is said of what a check held for; of everything else, what stands for it.
#[test]
fn of_a_way_back_that_nothing_verified() {
    let done = "The change was backed out. Every one of 2 steps is done";
    let mut night = Night::new(Direction::Back, "logins fail");
    let nothing = json!([]);
    night.step_with("close", 60, &nothing).step_with("old-schema", 400, &nothing);
    let told = night.finished(&json!("unverified")).told();
    assert!(told.contains(&format!("**{done}: 2 not verified.**")), "{told}");
    assert!(told.contains("finished: every step is done, NOT VERIFIED"), "{told}");
    assert!(!told.contains("done, verified"), "{told}");
    // What was checked and does not hold, or cannot be told, is not verified either.
    for holds in [json!(false), json!(null)] {
        let found = json!([{"check": "file", "found": "not there", "holds": holds}]);
        let mut night = Night::new(Direction::Back, "logins fail");
        night.step("close", 60).step_with("old-schema", 400, &found);
        let told = night.finished(&json!("unverified")).told();
        assert!(told.contains(&format!("**{done}: 1 verified, 1 not verified.**")), "{told}");
    }
    // A person stands for it.
    let mut night = Night::new(Direction::Back, "logins fail");
    let attested = json!({
        "event": "step_resolved", "step": "close", "attempt": 1, "answer": "happened",
        "by": "person", "reason": "it is closed",
    });
    night.fails("close", 60).says("pm", &[attested]).step("old-schema", 400);
    let told = night.finished(&json!("reverted")).told();
    assert!(told.contains(&format!("**{done}: 1 verified, 1 attested.**")), "{told}");
    assert!(told.contains("resolved by Bob Fox (pm): it happened (it is closed)"), "{told}");
}

#[test]
fn of_a_way_back_that_was_given_up() {
    let mut night = Night::new(Direction::Back, "logins fail");
    night.step("close", 60).says(
        "lead",
        &[json!({"event": "run_finished", "outcome": {"abandoned": {"reason": "It works again."}}})],
    );
    let told = night.told();
    assert!(told.contains("**The run was given up: It works again.**"), "{told}");
    assert!(
        told.contains("| Did the backout execute as planned? | No: the run was given up"),
        "{told}"
    );
}

#[test]
fn of_a_deployment_that_the_plan_took_back() {
    let mut night = deployed();
    night.asked().write(&automatic(&back_out(), "automatic"));
    night.later(2).step("close", 60).step("old-schema", 300);
    night.moved("firing", "ok", "healthy", "up is there").finished(&json!("reverted"));
    assert_snapshot!(night.told());
}

#[test]
fn of_a_deployment_that_a_person_took_back() {
    let mut night = Night::new(Direction::Forward, "v2.0 goes live");
    night.step("schema", 240).approved().fails("open", 30).asked();
    // It takes two: the first word counts as well.
    let act = json!({"act": "decide", "verb": "back-out"});
    let proposed = json!({"event": "command_proposed", "act": act, "reason": "customers call"});
    night.says("pm", &[proposed]).later(30);
    let mut made = decided(&back_out(), "Too many calls.");
    made[0]["agreed"] = json!([{"role": "pm"}]);
    night.says("lead", &made);
    night.step("close", 60).step("old-schema", 900);
    night.moved("firing", "ok", "healthy", "up is there").finished(&json!("reverted"));
    assert_snapshot!(night.told());
}

#[test]
fn of_a_deployment_that_a_person_took_back_without_being_asked() {
    let mut night = deployed();
    night.says("lead", &decided(&back_out(), "orders are wrong"));
    let told = night.told();
    let answer = "| What triggered the backout? | decided by Lena Lead (lead): orders are wrong (own judgement: no decision was requested) | the log |";
    assert!(told.contains(answer), "{told}");
    assert!(told.contains("The run is not finished: it goes back."), "{told}");
    assert!(!told.contains("The way back took"), "it is not over:\n{told}");
    assert!(told.starts_with("# Backout report: "), "{told}");
}

/// Nothing undoes it, so it is not said to be undone.
#[test]
fn of_a_deployment_that_went_back_in_part() {
    let plan = PLAN.replace("undone_by: [old-schema]", "irreversible: The old columns are gone");
    let mut night = Night::of(&plan, Direction::Forward, "v2.0 goes live");
    night.says("pm", &[json!({"event": "stage_approved", "stage": "schema", "reason": "ok"})]);
    night.step("schema", 240).approved().step("open", 60).asked();
    night.says("lead", &decided(&back_out(), "customers call"));
    night.step("close", 60).step("old-schema", 60).finished(&json!("partial"));
    let told = night.told();
    for said in [
        "not everything is as it was. Stages that stay as they are: schema.",
        "| **Stages that had begun** | schema, open |",
        "| **Stages that stay as they are** | schema |",
        "| Migrate | the machine | 5 min | 4 min | -1 min | 02:00:00 | done |",
        "| Did the backout execute as planned? | As far as it was gone: no departure",
    ] {
        assert!(told.contains(said), "{said}\n{told}");
    }
}

#[test]
fn of_a_fix_that_ran_out() {
    let mut night = deployed();
    let fix = json!({"choice": "fix-forward", "until": "2026-06-06T01:30:45Z"});
    night.says("lead", &decided(&fix, "orders are wrong")).later(1800);
    night.write(&automatic(&back_out(), "fix_time_over"));
    let told = night.told();
    // Until when, on the clock of the plan.
    let made = "decided by Lena Lead (lead): fix forward until 6 Jun 2026 02:30:45 BST: orders";
    assert_eq!(told.matches(made).count(), 2, "in the timeline and the decisions:\n{told}");
    let answer = "| What triggered the backout? | orders are wrong; decided by the plan: the time for a fix is over | the log |";
    assert!(told.contains(answer), "{told}");
}

#[test]
fn of_a_deployment_that_stayed() {
    let mut night = deployed();
    night.later(7200).write(&[json!({"event": "watch_ended", "verdict": "passed"})]);
    night.finished(&json!("deployed"));
    assert_snapshot!(night.told());
    says_nothing_of_a_backout(&night);
}

#[test]
fn of_a_deployment_that_stayed_with_findings() {
    let mut night = deployed();
    night.asked();
    night.says("lead", &decided(&json!({"choice": "continue"}), "it is known"));
    night.moved("firing", "ok", "healthy", "up is there");
    night.says(
        "pm",
        &[json!({"event": "defect_logged", "title": "No totals", "id": "BUG-7", "severity": "major", "trigger": "portal"})],
    );
    let gap =
        json!({"event": "watch_gap", "from": "2026-06-06T01:06:00Z", "to": "2026-06-06T01:08:00Z"});
    night.write(&[gap, json!({"event": "watch_ended", "verdict": "passed"})]);
    night.later(7200).finished(&json!("deployed_with_findings"));
    assert_snapshot!(night.told());
    says_nothing_of_a_backout(&night);
}

#[test]
fn of_a_deployment_that_nothing_watched() {
    let mut night = deployed();
    night.write(&[json!({"event": "watch_ended", "verdict": "unwatched"})]);
    night.finished(&json!("deployed_unwatched"));
    says_nothing_of_a_backout(&night);
    let told = night.told();
    assert!(told.contains("The plan has no trigger that a machine watches."), "{told}");
}

#[test]
fn of_a_deployment_that_is_not_over() {
    let mut night = Night::new(Direction::Forward, "v2.0 goes live");
    night.step("schema", 240).asked();
    says_nothing_of_a_backout(&night);
    let told = night.told();
    assert!(told.contains("The run is not finished: it has not gone back."), "{told}");
    // It may still come to that, so nothing is said about it.
    assert!(told.contains("| What triggered the backout? |  |  |"), "{told}");
    assert!(told.contains("| Did the backout execute as planned? |  |  |"), "{told}");
    assert!(told.contains("| What was the actual duration? |  |  |"), "{told}");
}

#[test]
fn of_a_deployment_that_was_given_up() {
    let mut night = Night::new(Direction::Forward, "v2.0 goes live");
    night.step("schema", 240);
    night.finished(&json!({"abandoned": {"reason": "another night"}}));
    says_nothing_of_a_backout(&night);
    let told = night.told();
    let said = "The run was given up: another night. It was not backed out; what took place stays: schema.";
    assert!(told.contains(said), "{told}");
    assert!(told.contains("| Did the backout execute as planned? | Nothing was backed out. |"));
}

#[test]
fn every_report_is_known_as_one() {
    let titles = [Direction::Back, Direction::Forward].map(|direction| {
        Night::new(direction, "so").report(&[Section::Summary]).title.unwrap_or_default()
    });
    assert_eq!(titles, ["Backout report: A change", "Deployment report: A change"]);
    assert!(titles.iter().all(|title| is_report(title)));
    assert!(!is_report("A change") && PLAN.contains("A change"));
}
