//! Every way a file can be broken gives a diagnostic that says where and what to do.

use backout_plan::diagnostic::codes;
use backout_plan::read_bytes;
use insta::assert_snapshot;

use crate::{SOUND, refusal};

#[test]
fn an_unknown_key() {
    assert_snapshot!(refusal(SOUND.replace("owner: dba\n", "ownr: dba\n").as_bytes()));
}

#[test]
fn a_duplicate_key() {
    assert_snapshot!(refusal(
        SOUND.replace("    owner: dba\n", "    owner: dba\n    owner: lead\n").as_bytes()
    ));
}

#[test]
fn a_wrong_type() {
    assert_snapshot!(refusal(
        SOUND.replace("argv: [./restore-db.sh]", "argv: ./restore-db.sh").as_bytes()
    ));
}

#[test]
fn a_list_is_no_mapping() {
    for text in [
        format!("{SOUND}watch: [20s, 5s]\n"),
        format!("{SOUND}forecast: [1]\n"),
        SOUND.replace("review: {owner: owner, within: 24h}", "review: [owner, 24h]"),
        SOUND.replace(
            "critical: {action: back-out, by: lead, within: 5m, tell: [owner, sponsor]}",
            "minor: [log]",
        ),
        SOUND.replace("alternatives:\n  if_backout_fails: The", "alternatives:\n  - The"),
        SOUND.replace("  portal-db: {", "  m: [x]\n  portal-db: {"),
        crate::triggers::with("  t: {severity: major, gauge: [metrics, q]}"),
        crate::triggers::with("  t: [a]"),
        SOUND.replace("verify: {same_as_baseline: rows}", "verify: {http: [\"http://x/\"]}"),
        SOUND.replace("verify: {same_as_baseline: rows}", "verify: [[confirm]]"),
        SOUND.replace("run: {argv: [./restore-db.sh], timeout: 90m}", "run: [[./restore-db.sh]]"),
        SOUND.replace("takes: {low: 20m, likely: 30m, high: 50m}", "takes: [20m, 30m, 50m]"),
    ] {
        let (_, problems) = read_bytes(text.as_bytes()).expect_err("refused");
        assert_eq!(problems[0].code, codes::WRONG_VALUE);
        let said = &problems[0].message;
        assert!(said.contains("found a list"), "{problems:#?}");
    }
    assert_snapshot!(refusal(format!("{SOUND}watch: [20s, 5s]\n").as_bytes()));
}

#[test]
fn a_missing_key() {
    assert_snapshot!(refusal(SOUND.replace("  title: Portal database upgrade\n", "").as_bytes()));
}

#[test]
fn dangling_references() {
    let text = SOUND
        .replace("owner: dba\n", "owner: dbaa\n")
        .replace("same_as_baseline: rows", "same_as_baseline: row")
        .replace("by: lead,", "by: manager,");
    assert_snapshot!(refusal(text.as_bytes()));
}

#[test]
fn a_cycle() {
    let text = SOUND.replace(
        "    title: Announce the backout to the team\n",
        "    title: Announce\n    after: [notify]\n",
    );
    assert_snapshot!(refusal(text.as_bytes()));
}

#[test]
fn two_steps_of_one_name() {
    assert_snapshot!(refusal(SOUND.replace("- id: notify", "- id: restore").as_bytes()));
}

#[test]
fn a_bad_duration() {
    assert_snapshot!(refusal(SOUND.replace("takes: 2m", "takes: 2 minutes").as_bytes()));
}

#[test]
fn an_hour_that_does_not_exist() {
    let text = SOUND.replace(
        "Saturday 2026-06-06T02:00 / 2026-06-06T04:00",
        "2026-03-29T01:30 / 2026-03-29T04:00",
    );
    assert_snapshot!(refusal(text.as_bytes()));
}

#[test]
fn an_hour_that_happens_twice() {
    let text =
        SOUND.replace("backout_by: Saturday 2026-06-06T06:00", "backout_by: 2026-10-25T01:30");
    assert_snapshot!(refusal(text.as_bytes()));
}

#[test]
fn a_time_zone_that_does_not_exist() {
    assert_snapshot!(refusal(SOUND.replace("Europe/London", "Europe/Lundon").as_bytes()));
}

#[test]
fn a_step_with_two_actions_and_one_with_none() {
    let text = SOUND
        .replace(
            "    manual: Call everybody in.\n",
            "    manual: Call everybody in.\n    wait: {up_to: 1m}\n",
        )
        .replace("    manual: Send the prepared message.\n", "");
    assert_snapshot!(refusal(text.as_bytes()));
}

#[test]
fn many_errors_in_one_go() {
    let text = SOUND
        .replace("takes: 2m", "takes: soon")
        .replace("owner: dba\n", "ownr: dba\n")
        .replace("effect: verifiable", "effect: verifyable")
        .replace("by: sponsor,", "by: sponser,")
        .replace(
            "review: {owner: owner, within: 24h}",
            "review: {owner: owner, within: 24h, colour: red}",
        );
    assert_snapshot!(refusal(text.as_bytes()));
}

#[test]
fn a_section_that_is_not_carried_out() {
    assert_snapshot!(refusal(
        format!("{SOUND}triggers: {{logins: {{severity: critical}}}}\n").as_bytes()
    ));
}

#[test]
fn a_condition_that_is_not_cel() {
    let text = SOUND.replace(
        "verify: {same_as_baseline: rows}",
        "verify: {http: {url: \"http://portal/health\", assert: \"status ==\"}}",
    );
    assert_snapshot!(refusal(text.as_bytes()));
}

#[test]
fn a_command_with_argv_and_shell() {
    assert_snapshot!(refusal(
        SOUND.replace("argv: [./restore-db.sh]", "argv: [./x], shell: ./x").as_bytes()
    ));
}

#[test]
fn a_repeat_that_would_not_be_safe() {
    let text =
        SOUND.replace("effect: verifiable", "effect: opaque\n    retry: {attempts: 3, pause: 10s}");
    assert_snapshot!(refusal(text.as_bytes()));
}

#[test]
fn a_tab_an_alias_a_tag_two_documents() {
    let tab = "backout: 1\nchange:\n\tid: x\n";
    let alias = "backout: 1\nchange: &c {id: x, title: y}\nother: *c\n";
    let tag = "backout: 1\nchange: {id: !secret x, title: y}\n";
    let two = format!("{SOUND}---\nbackout: 1\n");
    let all = [tab, alias, tag, &two].map(|text| refusal(text.as_bytes()));
    assert_snapshot!(all.join("\n\n=====\n\n"));
}

#[test]
fn empty_files_and_files_that_are_no_plan() {
    let all = ["", "   \n# only a comment\n", "null\n", "hello\n", "[1, 2]\n", "{}\n"]
        .map(|text| refusal(text.as_bytes()));
    assert_snapshot!(all.join("\n\n=====\n\n"));
}

#[test]
fn invalid_utf8() {
    assert_snapshot!(refusal(b"backout: 1\nchange: {id: \xff\xfe}\n"));
}

#[test]
fn an_alias_bomb_is_refused_at_its_first_anchor() {
    let mut bomb = String::from("backout: 1\na: &a [x, x, x, x, x, x, x, x, x]\n");
    for (name, before) in ('b'..='z').zip('a'..) {
        bomb.push_str(&format!(
            "{name}: &{name} [*{before}, *{before}, *{before}, *{before}, *{before}, *{before}]\n"
        ));
    }
    let (_, problems) = read_bytes(bomb.as_bytes()).expect_err("refused");
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].code, codes::ALIAS);
}

#[test]
fn deep_nesting_and_huge_files_are_refused() {
    let deep = format!("backout: 1\na: {}{}\n", "[".repeat(5000), "]".repeat(5000));
    let (_, problems) = read_bytes(deep.as_bytes()).expect_err("refused");
    assert!(
        problems.iter().any(|p| p.code == codes::TOO_LARGE || p.code == codes::SYNTAX),
        "{problems:?}"
    );

    let huge = vec![b'#'; 100 * 1024 * 1024];
    let (_, problems) = read_bytes(&huge).expect_err("refused");
    assert_eq!(problems[0].code, codes::TOO_LARGE);
}

#[test]
fn a_file_that_is_not_there() {
    let (_, problems) =
        backout_plan::read(std::path::Path::new("no-such-plan.yaml")).expect_err("refused");
    assert_eq!(problems[0].code, codes::UNREADABLE);
    assert!(problems[0].hint.as_deref().is_some_and(|hint| hint.contains("backout new")));
}

#[test]
fn what_cannot_be_seen_cannot_be_in_a_plan() {
    let hidden = SOUND.replace("Call everybody in.", "\"rm -rf / #\\r call everybody in\"");
    let turned = SOUND.replace("Call everybody in.", "Call \u{202e}everybody in.");
    for text in [hidden, turned] {
        let (_, problems) = read_bytes(text.as_bytes()).expect_err("refused");
        assert!(problems[0].message.contains("invisible character"), "{problems:?}");
    }
}

#[test]
fn a_condition_that_would_overflow_the_stack_is_refused() {
    for deep in
        ["(".repeat(100) + "1" + &")".repeat(100), "[".repeat(2000), "!".repeat(500) + "true"]
    {
        let verify =
            format!("verify: {{http: {{url: \"http://portal/health\", assert: \"{deep}\"}}}}");
        let text = SOUND.replace("verify: {same_as_baseline: rows}", &verify);
        let (_, problems) = read_bytes(text.as_bytes()).expect_err("refused");
        assert_eq!(problems[0].code, codes::TOO_LARGE);
    }
}

#[test]
fn a_device_without_an_end_is_refused() {
    let (_, problems) = backout_plan::read(std::path::Path::new("/dev/zero")).expect_err("refused");
    assert_eq!(problems[0].code, codes::TOO_LARGE);
}

#[test]
fn a_number_that_is_compared_stays_as_it_is_written() {
    let text = SOUND.replace(
        "verify: {same_as_baseline: rows}",
        "verify: {sql: {source: portal-db, query: SELECT 1, equals: 007}}",
    );
    let plan = crate::must_read(&text).plan;
    let json = serde_json::to_value(&plan.steps[1].verify).expect("data");
    assert_eq!(json["sql"]["equals"], "007");
}

#[test]
fn a_long_condition_is_looked_at_and_a_deep_one_refused() {
    let chain = |part: &str, between: &str| {
        let count = 990 / (part.len() + between.len());
        vec![part; count].join(between)
    };
    for (condition, refused) in [
        (chain("json.a == 1", " && "), None),
        (format!("{} > 0", vec!["status"; 40].join("+")), None),
        ("[1,2,3].all(a, ".repeat(15) + "status == a" + &")".repeat(15), None),
        (format!("{} > 0", chain("status", "+")), Some(codes::TOO_LARGE)),
        (format!("{} > 0", chain("1", "+")), Some(codes::TOO_LARGE)),
        (format!("json{} == 1", ".a".repeat(480)), Some(codes::TOO_LARGE)),
    ] {
        let verify = format!("verify: {{http: {{url: \"http://x/\", assert: \"{condition}\"}}}}");
        let text = SOUND.replace("verify: {same_as_baseline: rows}", &verify);
        let problems = read_bytes(text.as_bytes()).err().map(|(_, problems)| problems);
        assert_eq!(problems.as_ref().map(|problems| problems[0].code), refused, "{problems:#?}");
    }
}

#[test]
fn a_reason_is_asked_for_where_one_is_wanted() {
    let stages = |value: &str| {
        format!(
            "{SOUND}stages:\n  - {{id: drop, owner: dba, takes: 5m, manual: Drop the old columns., verify: {{confirm: They are gone}}, irreversible: {value}}}\n"
        )
    };
    let hint = |value: &str| {
        let (_, problems) = read_bytes(stages(value).as_bytes()).expect_err("refused");
        problems[0].hint.clone().unwrap_or_default()
    };
    assert!(hint("true").contains("`irreversible: old orders cannot be read any more`"));
    assert!(hint("false").contains("leave the key out"));
    // Where a truth value may be meant as text, quotes are right.
    let text = SOUND.replace("title: Portal database upgrade", "title: true");
    let (_, problems) = read_bytes(text.as_bytes()).expect_err("refused");
    assert_eq!(problems[0].hint.as_deref(), Some("put it in quotes: \"true\""));
}

#[test]
fn the_hint_is_about_the_character_that_is_wrong() {
    for (line, hint) in [
        ("steps: {source: m, histogram: rate(x[1m]), over: 1s}", "contains `[` in quotes"),
        ("steps: {source: m, bad: sum(x{a=\"b\"}), total: b}", "contains `{` in quotes"),
        ("title: one: two", "contains `: ` in quotes"),
        ("change: {title: one: two, id: three}", "contains `: ` in quotes"),
        ("steps: {a: [b, c}, d: e}", "`[` with `]`"),
        ("steps: {a: b, c: d", "`{` with `}`"),
        ("steps: {a: b, c: @d}", "starts with `@`"),
        ("steps: {a: \"b\" c, d: e}", "look at the indentation"),
        ("\tsteps: []", "indent with spaces"),
    ] {
        let text = format!("backout: 1\n{line}\n");
        let (_, problems) = read_bytes(text.as_bytes()).expect_err("refused");
        assert_eq!(problems[0].code, codes::SYNTAX, "{line}");
        let found = problems[0].hint.as_deref().unwrap_or_default();
        assert!(found.contains(hint), "{line}\n{found}");
    }
}
