//! Whatever is thrown at the reader, it answers, points into the text, and
//! never panics; and what it reads it reads again.

use backout_core::plan::{Action, Many, Note};
use backout_plan::emit::emit;
use backout_plan::read_bytes;
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use crate::{SOUND, must_read};

/// The sound plan with some of its lines changed, dropped, doubled or cut.
fn mangled() -> impl Strategy<Value = String> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..6u8, ".{0,8}"), 1..6);
    edits.prop_map(|edits| {
        let mut lines: Vec<String> = SOUND.lines().map(str::to_owned).collect();
        for (at, kind, text) in edits {
            let at = at.index(lines.len());
            match kind {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[at].clone()),
                2 => lines[at].push_str(&text),
                3 => lines[at].insert_str(0, &text),
                4 => lines[at] = lines[at].replace(": ", &text),
                _ => {
                    let cut =
                        lines[at].char_indices().nth(lines[at].len() / 2).map_or(0, |(i, _)| i);
                    lines[at].truncate(cut);
                }
            }
        }
        lines.join("\n")
    })
}

/// Text as people and other people's programs write it, as far as a plan may hold it.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "yes",
        "null",
        "1.10",
        "0x1f",
        "- item",
        "# no comment",
        "a: b",
        "key:",
        "it's",
        "\"quoted\"",
        "{a: 1}",
        "[x",
        "*star",
        "&and",
        "!tag",
        "| pipe",
        "> more",
        "%",
        "@at",
        "`tick`",
        "---",
        "...",
        "2026-06-06T02:00",
        "Sat 2026-06-06T02:00 / 2026-06-06T06:00",
        "C:\\temp",
        "a\tb",
        "\u{e9}\u{1f600}",
        "trailing:",
        "  x",
        "12:30:45",
        "~",
        ".inf",
        "5%",
        "x  y",
        "a, b",
        "<b>",
        "\u{a0}x",
        "\u{2028}x",
        "=",
        "1e3",
        "-1",
        "+1",
        "0o17",
        "off",
        "env:HOME",
    ]);
    let any = "[ -~\u{e0}-\u{ff}]{1,40}".prop_map(|text| text);
    let mixed = (odd.clone(), "[ -~]{0,12}").prop_map(|(odd, rest)| format!("{odd}{rest}"));
    prop_oneof![odd.prop_map(str::to_owned), any, mixed]
        .prop_filter("a text says something", |text| !text.trim().is_empty())
}

proptest! {
    #[test]
    fn a_mangled_plan_is_refused_with_places_or_read(text in mangled()) {
        match read_bytes(text.as_bytes()) {
            Ok(read) => {
                let _ = backout_plan::check::check(&read, &Default::default());
            }
            Err((text, problems)) => {
                prop_assert!(!problems.is_empty());
                for problem in problems {
                    let shown = problem.render("p", &text, false);
                    prop_assert!(!shown.is_empty());
                    if let Some(span) = problem.span {
                        prop_assert!(span.start <= text.len());
                    }
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Err((_, problems)) = read_bytes(&bytes) {
            prop_assert!(!problems.is_empty());
        }
    }

    /// Whatever text a plan holds, writing it out and reading it gives the same plan.
    #[test]
    fn a_plan_written_out_is_the_same_plan(
        title in text(), lines in prop::collection::vec(text(), 1..5), more in text(), end in 0..3usize,
    ) {
        let mut plan = must_read(SOUND).plan;
        plan.change.title = title.clone();
        plan.change.description = Some(lines.join("\n"));
        plan.change.success_when = Many(lines.clone());
        plan.roles[0].name = Some(more.clone());
        plan.steps[0].title = Some(title);
        plan.steps[0].action = Action::Manual(format!("{}{}", lines.join("\n"), "\n".repeat(end)));
        plan.steps[0].access = Many(lines);
        plan.notes = vec![Note { from: "line 3".to_owned(), text: more }];
        let written = emit(&plan, None).expect("a plan can be written");
        let read = match read_bytes(written.as_bytes()) {
            Ok(read) => read,
            Err((_, problems)) => panic!("{written}\n{}", problems[0].render("p", &written, false)),
        };
        prop_assert_eq!(&read.plan, &plan, "{}", written);
        prop_assert_eq!(emit(&read.plan, None).expect("again"), written);
    }

    /// The plan in a run's log has the shape of the plan in the file.
    #[test]
    fn a_plan_survives_its_own_json(drop in 0..3usize) {
        let mut plan = must_read(SOUND).plan;
        plan.steps.remove(drop % plan.steps.len());
        plan.options.clear();
        let json = serde_json::to_string(&plan).expect("a plan is data");
        let again: backout_core::plan::Plan = serde_json::from_str(&json).expect("the same plan");
        prop_assert_eq!(&again, &plan);
        prop_assert_eq!(must_read(&json).plan, plan);
    }
}
