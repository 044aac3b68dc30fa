//! Promises of the reader and of `check`.

mod broken_files;
mod generated;
mod rules;
mod schema;
mod triggers;
mod usable;

use backout_plan::{ReadPlan, read_bytes};

/// A plan without findings.
pub(crate) const SOUND: &str = include_str!("sound.backout.yaml");

pub(crate) fn must_read(text: &str) -> ReadPlan {
    match read_bytes(text.as_bytes()) {
        Ok(read) => read,
        Err((text, problems)) => {
            let shown: Vec<String> =
                problems.iter().map(|p| p.render("plan.backout.yaml", &text, false)).collect();
            panic!("{}", shown.join("\n\n"));
        }
    }
}

/// What the reader says about a text, as people see it.
pub(crate) fn refusal(bytes: &[u8]) -> String {
    match read_bytes(bytes) {
        Ok(_) => "(it reads)".to_owned(),
        Err((text, problems)) => {
            let shown = problems.iter().map(|p| p.render("plan.backout.yaml", &text, false));
            shown.collect::<Vec<_>>().join("\n\n")
        }
    }
}
