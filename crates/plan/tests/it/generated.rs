//! Whatever is thrown at the reader, it answers, points into the text, and
//! never panics; and what it reads it reads again.

use backout_plan::read_bytes;
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

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
