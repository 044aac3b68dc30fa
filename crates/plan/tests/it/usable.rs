//! What of a broken plan can be used to back out: what is trusted is whole, and what is left
//! out is named.

use backout_core::plan::Plan;
use backout_plan::read::usable;
use backout_plan::read_bytes;
use serde_json::Value;

use crate::{SOUND, must_read};

/// What a backout stands on.
fn trusted(plan: &Plan) -> Value {
    let mut plan = serde_json::to_value(plan).expect("data");
    let beside = [
        "window",
        "watch",
        "triggers",
        "readiness",
        "forecast",
        "messages",
        "follow_up",
        "alternatives",
        "risks",
        "review",
        "accepted",
        "notes",
    ];
    for section in beside {
        plan.as_object_mut().expect("a mapping").remove(section);
    }
    plan
}

/// Every line of a sound plan, broken in several ways: what can still be used has the same
/// steps, roles, options and checks as before, and says what it does without.
#[test]
fn what_is_trusted_is_whole() {
    let whole = trusted(&must_read(SOUND).plan);
    let lines: Vec<&str> = SOUND.lines().collect();
    let (mut used, mut refused) = (0, 0);
    for at in 0..lines.len() {
        let indent = lines[at].len() - lines[at].trim_start().len();
        let broken = [
            String::new(),
            format!("{}nonsense: 1", " ".repeat(indent)),
            lines[at].replacen(':', "x:", 1),
            lines[at].replacen(": ", ": [nonsense, 1] #", 1),
            lines[at].replace(['{', '['], "\""),
        ];
        for line in broken.into_iter().filter(|line| line != lines[at]) {
            let mut text = lines.clone();
            text[at] = &line;
            let text = text.join("\n");
            match (read_bytes(text.as_bytes()), usable(text.as_bytes())) {
                (Ok(read), Ok((usable, left_out))) => {
                    assert_eq!(read.plan, usable.plan, "{text}");
                    assert!(left_out.is_empty(), "{text}");
                }
                (Ok(_), Err(_)) => panic!("it reads, and cannot be used: {text}"),
                (Err(_), Ok((usable, left_out))) => {
                    used += 1;
                    assert!(!left_out.is_empty(), "{text}");
                    assert_eq!(trusted(&usable.plan), whole, "line {}: {line}", at + 1);
                }
                (Err((_, said)), Err((_, problems))) => {
                    refused += 1;
                    assert!(!problems.is_empty());
                    assert_eq!(said, problems, "all of it is said: {text}");
                }
            }
        }
    }
    println!("{used} used without a part, {refused} refused");
    assert!(used >= 20 && refused > 20, "{used} used, {refused} refused");
}

#[test]
fn what_is_left_out_is_named() {
    let parts = |text: String| -> Vec<String> {
        let (_, left_out) = usable(text.as_bytes()).expect("usable");
        left_out.into_iter().map(|left_out| left_out.part).collect()
    };
    let risks = SOUND.replace("risks:\n", "risks:\n  - {nonsense: 1}\n");
    assert_eq!(parts(risks), ["risks (line 63)"]);
    assert_eq!(parts(format!("{SOUND}forecast: [1]\n")), ["forecast (line 65)"]);
    // A trigger over one that is left out goes with it: it would judge nothing.
    let triggers = "triggers:\n  a: {severity: major, nonsense: 1}\n  b: {severity: major, composite: 'firing[\"a\"]'}\n";
    assert_eq!(parts(format!("{SOUND}{triggers}")), ["triggers.a", "triggers.b"]);
}

/// Where a step, a role or a permission cannot be read, nothing of the plan is used.
#[test]
fn a_part_that_steps_need_is_not_left_out() {
    for text in [
        SOUND.replace("owner: dba\n", "ownr: dba\n"),
        SOUND.replace("roles:\n", "rolls:\n"),
        format!("{SOUND}authority: {{skip: nonsense}}\n"),
        format!("{SOUND}options: 1\n"),
        format!("{SOUND}forecast: ["),
    ] {
        assert!(usable(text.as_bytes()).is_err(), "{text}");
    }
}
