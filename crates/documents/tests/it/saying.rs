//! What an event says to people.

use backout_core::event::Event;
use backout_core::people::{Account, PersonId};
use backout_core::record::Actor;
use backout_documents::saying;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

fn bob(name: &str) -> Actor {
    Actor::Person { id: PersonId::Name(name.to_owned()), role: None, account: Account::default() }
}

fn said(event: Value) -> String {
    let event: Event = serde_json::from_value(event).expect("an event");
    saying::event(&event, Some(&bob("Bob Fox (pm)")), None, &TimeZone::UTC)
        .expect("it says something")
}

#[test]
fn an_approval_says_of_what() {
    let approved = json!({"event": "stage_approved", "stage": "open", "reason": "ok"});
    assert_eq!(said(approved), "stage open approved by Bob Fox (pm): ok");
}

#[test]
fn a_defect_says_how_bad_it_is_and_what_showed_it() {
    let defect = |more: Value| {
        let mut event = json!({"event": "defect_logged", "title": "No totals"});
        let fields = event.as_object_mut().expect("a mapping");
        fields.extend(more.as_object().expect("a mapping").clone());
        said(event)
    };
    let begins = "defect logged by Bob Fox (pm)";
    assert_eq!(
        defect(json!({"id": "BUG-7", "severity": "major", "trigger": "portal"})),
        format!("{begins}: BUG-7, No totals (major, shown by portal)")
    );
    assert_eq!(defect(json!({"severity": "minor"})), format!("{begins}: No totals (minor)"));
    assert_eq!(defect(json!({})), format!("{begins}: No totals"));
}

#[test]
fn a_fix_says_until_when_and_a_way_back_which() {
    let reason = json!({"person": "so"});
    let made =
        |choice: Value| json!({"event": "decision_made", "choice": choice, "reason": reason});
    let fix = made(json!({"choice": "fix-forward", "until": "2026-06-06T01:30:00Z"}));
    assert_eq!(
        said(fix.clone()),
        "decided by Bob Fox (pm): fix forward until 6 Jun 2026 01:30:00 UTC: so"
    );
    let zone = TimeZone::get("Europe/London").expect("a zone");
    let event: Event = serde_json::from_value(fix).expect("an event");
    let there = saying::event(&event, Some(&bob("Bob")), None, &zone).expect("it says something");
    assert!(there.contains("until 6 Jun 2026 02:30:00 BST"), "{there}");
    let back = made(json!({"choice": "back-out", "option": "full"}));
    assert_eq!(said(back), "decided by Bob Fox (pm): back out (full): so");
}

/// A question is passed on also when a fix ran out, which was an answer.
#[test]
fn passing_on_does_not_say_that_nobody_answered() {
    let passed = |to: Value| json!({"event": "decision_escalated", "number": 3, "to": to});
    assert_eq!(said(passed(json!(["lead"]))), "! decision 3 escalated to lead");
    assert_eq!(said(passed(json!(["lead", "pm"]))), "! decision 3 escalated to lead, pm");
    assert_eq!(
        said(passed(json!([]))),
        "! decision 3 is still open; every role the plan names was asked"
    );
}
