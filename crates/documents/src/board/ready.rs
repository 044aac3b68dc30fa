//! Whether a plan is ready to be approved, as its documents say on their first page.

use backout_plan::diagnostic::{Diagnostic, Level};

/// How the sentence begins that says that a plan has errors.
pub const NOT_READY: &str = "Not ready for approval";

/// No more errors than this are named on the first page.
const MOST_NAMED: usize = 12;

/// What the first page of a plan with errors says: how many there are, then each with
/// its code and the first line of what is wrong. Nothing of a plan without errors.
#[must_use]
pub fn not_ready(findings: &[Diagnostic]) -> Option<String> {
    let errors: Vec<&Diagnostic> =
        findings.iter().filter(|finding| finding.level == Level::Error).collect();
    let count = match errors.len() {
        0 => return None,
        1 => "1 error".to_owned(),
        many => format!("{many} errors"),
    };
    let mut text = format!("{NOT_READY}: backout check finds {count} in this plan.");
    for error in errors.iter().take(MOST_NAMED) {
        let first = error.message.lines().next().unwrap_or_default();
        text.push_str(&format!("\n{}: {first}", error.code));
    }
    if let Some(more @ 1..) = errors.len().checked_sub(MOST_NAMED) {
        text.push_str(&format!("\nand {more} more"));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(level: Level, code: &'static str) -> Diagnostic {
        Diagnostic { level, ..Diagnostic::error(code, format!("{code} is wrong\nmore of it")) }
    }

    #[test]
    fn warnings_keep_no_plan_from_being_approved() {
        assert_eq!(not_ready(&[]), None);
        assert_eq!(not_ready(&[finding(Level::Warning, "BOP-101")]), None);
    }

    #[test]
    fn errors_are_counted_and_named() {
        let one = [finding(Level::Warning, "BOP-101"), finding(Level::Error, "BOP-001")];
        assert_eq!(
            not_ready(&one).as_deref(),
            Some(
                "Not ready for approval: backout check finds 1 error in this plan.\nBOP-001: BOP-001 is wrong"
            )
        );
        let many: Vec<Diagnostic> = (0..20).map(|_| finding(Level::Error, "BOP-007")).collect();
        let text = not_ready(&many).expect("a sentence");
        assert!(text.contains("finds 20 errors") && text.ends_with("\nand 8 more"), "{text}");
        assert_eq!(text.lines().count(), 14);
    }
}
