//! Headings that are more than a title of what stands below: acts, phases, and the
//! details of a step that stands elsewhere.

use crate::sentences::imperative;
use crate::topics::Topic;
use crate::words::{has, plain, without_number};

/// `IV. Restore`: the number and what stands behind it.
pub(crate) fn roman(text: &str) -> Option<(u32, &str)> {
    const NUMBERS: [&str; 15] = [
        "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV",
        "XV",
    ];
    let (number, rest) = text.trim().split_once(['.', ')', ':'])?;
    let at = NUMBERS.iter().position(|known| *known == number)?;
    let rest = rest.strip_prefix(' ')?.trim();
    (!rest.is_empty()).then(|| (u32::try_from(at + 1).unwrap_or(0), rest))
}

/// `Phase 2: Database`: what stands behind the number.
pub(crate) fn phase(heading: &str) -> Option<&str> {
    const KINDS: [&str; 5] = ["phase ", "stage ", "part ", "block ", "section "];
    let bare = without_number(heading);
    let lower = bare.to_lowercase();
    let kind = KINDS.iter().find(|kind| lower.starts_with(**kind))?;
    let rest = bare.get(kind.len()..)?.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    let number = &rest[..end];
    let counts = !number.is_empty()
        && (number.chars().all(|c| c.is_ascii_digit())
            || number.len() == 1
            || roman(&format!("{number}. x")).is_some());
    counts
        .then(|| rest[end..].trim_start_matches([':', '.', ')', '-', '\u{2013}', '\u{2014}', ' ']))
}

/// A heading without its number or the name of its phase.
pub(crate) fn bare(heading: &str) -> &str {
    match phase(heading) {
        Some(rest) if !rest.is_empty() => rest,
        _ => without_number(heading),
    }
}

/// Whether a heading tells somebody to do something: `Stop the portal`, and not
/// `Rollback steps`, `Release notes` or `Call tree`.
pub(crate) fn is_order(heading: &str) -> bool {
    const NOUNS: [&str; 48] = [
        "plan",
        "step",
        "procedure",
        "process",
        "strategy",
        "instruction",
        "checklist",
        "runbook",
        "guide",
        "guideline",
        "option",
        "method",
        "window",
        "time",
        "duration",
        "owner",
        "manager",
        "team",
        "note",
        "detail",
        "history",
        "list",
        "log",
        "result",
        "information",
        "point",
        "question",
        "issue",
        "item",
        "tree",
        "supply",
        "management",
        "request",
        "criteria",
        "case",
        "type",
        "number",
        "id",
        "of",
        "for",
        "and",
        "or",
        "scenario",
        "overview",
        "summary",
        "schedule",
        "policy",
        "approach",
    ];
    let said = plain(bare(heading));
    let mut words = said.split(' ');
    let (Some(_), Some(second)) = (words.next(), words.next()) else { return false };
    let noun = NOUNS.iter().any(|noun| {
        second == *noun || second.strip_suffix('s').is_some_and(|single| single == *noun)
    });
    imperative(&said) && !noun && !heading.trim_end().ends_with('?')
}

/// Whether what stands below a heading only explains.
pub(crate) fn is_aside(heading: &str) -> bool {
    const ASIDE: [&str; 20] = [
        "note",
        "hint",
        "tip",
        "caveat",
        "remark",
        "reference",
        "known issue",
        "faq",
        "background",
        "glossary",
        "assumption",
        "important",
        "warning",
        "link",
        "appendix",
        "see also",
        "architecture",
        "limitation",
        "definition",
        "abbreviation",
    ];
    has(&plain(bare(heading)), &ASIDE)
}

/// `Details of step 2`: the number of the step that a part explains.
pub(crate) fn details_of(heading: &str) -> Option<u32> {
    const ABOUT: [&str; 22] = [
        "detail",
        "details",
        "detailed",
        "more",
        "of",
        "for",
        "on",
        "to",
        "about",
        "the",
        "notes",
        "note",
        "commands",
        "command",
        "description",
        "explanation",
        "instructions",
        "background",
        "in",
        "how",
        "screenshots",
        "step",
    ];
    let said = plain(heading);
    let words: Vec<&str> = said.split(' ').collect();
    let number = words.iter().find_map(|word| word.parse::<u32>().ok())?;
    let step = words.iter().any(|word| matches!(*word, "step" | "steps"));
    let rest: Vec<&&str> = words.iter().filter(|word| word.parse::<u32>().is_err()).collect();
    let explains = rest.iter().any(|word| {
        [
            "detail",
            "note",
            "command",
            "description",
            "explanation",
            "instruction",
            "background",
            "screenshot",
        ]
        .iter()
        .any(|stem| word.starts_with(stem))
    });
    (step && explains && rest.iter().all(|word| ABOUT.contains(*word))).then_some(number)
}

/// Whether a phase of the way back may be about this: preparing it, checking it.
pub(crate) fn may_be_phase(topic: Option<Topic>) -> bool {
    matches!(
        topic,
        None | Some(
            Topic::Procedure
                | Topic::Readiness
                | Topic::Verification
                | Topic::Backups
                | Topic::Communication
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_phases_and_details() {
        for heading in
            ["Stop the portal", "2. Restore it now", "II. Open again", "Phase 1: Stop writes"]
        {
            assert!(is_order(heading), "{heading}");
        }
        for heading in
            ["Rollback steps", "Release notes", "Call tree", "Contacts", "Stop", "Check out?"]
        {
            assert!(!is_order(heading), "{heading}");
        }
        assert_eq!(phase("Phase 2: Database"), Some("Database"));
        assert_eq!(phase("Stage II - Web"), Some("Web"));
        assert_eq!(phase("Part of the system"), None);
        assert_eq!(roman("IV. Restore"), Some((4, "Restore")));
        assert_eq!(roman("I am here"), None);
        assert_eq!(details_of("Details of step 2"), Some(2));
        assert_eq!(details_of("Step 3: commands"), Some(3));
        assert_eq!(details_of("Step 3: Restore the database"), None);
        assert_eq!(details_of("Step 3"), None);
    }
}
