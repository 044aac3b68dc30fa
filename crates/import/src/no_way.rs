//! Sentences that say that there is no way back: nothing of them is a step.

use crate::negation::{BACK, clauses};
use crate::words::{has, plain};

/// Whether a text says that the whole of it cannot be taken back: `there is no ability
/// to roll back`, `rollback is not possible`, `forward fix only`, `N/A`.
pub(crate) fn no_way_back(text: &str) -> bool {
    let said = plain(text);
    let said = said.as_str();
    let first = text.split(['.', '!']).next().unwrap_or_default();
    if nothing_at_all(said) || nothing_at_all(&plain(first)) {
        return true;
    }
    // `Rollback: none`, `Backout plan - N/A`.
    for sign in [":", " - ", "\u{2013}", "\u{2014}", "("] {
        if let Some((name, value)) = text.split_once(sign) {
            let name = plain(name);
            let names_it =
                name.split(' ').any(|word| BACK.contains(&word)) && name.split(' ').count() <= 4;
            let value = value.split(['.', '!']).next().unwrap_or_default();
            if names_it && (nothing_at_all(&plain(value)) || says_no_way(&plain(value))) {
                return true;
            }
        }
    }
    clauses(text).any(|clause| says_no_way(&clause))
}

/// A text that is nothing but a word for nothing.
pub(crate) fn nothing_at_all(said: &str) -> bool {
    matches!(
        said,
        "n/a"
            | "na"
            | "n a"
            | "none"
            | "nil"
            | "no"
            | "not applicable"
            | "not possible"
            | "not available"
            | "impossible"
            | "none available"
            | "none possible"
            | "not supported"
            | "not required"
            | "not needed"
            | "none required"
            | "none needed"
            | "does not apply"
            | "no rollback"
            | "no backout"
            | "no fallback"
            | "no rollback plan"
            | "no backout plan"
            | "no rollback procedure"
            | "no backout procedure"
    )
}

fn says_no_way(clause: &str) -> bool {
    let clause = clause.replace("can t be", "cannot be").replace("can not", "cannot");
    let clause = clause.replace("can t", "cannot").replace("isn t", "is not");
    let words: Vec<&str> = clause.split(' ').collect();
    let any = |phrases: &[&str]| has(&clause, phrases);
    // `If rollback is not possible` says that it may be.
    const IF: [&str; 7] = ["if", "when", "in", "should", "unless", "where", "until"];
    if words.first().is_some_and(|first| IF.contains(first)) {
        return false;
    }
    if any(&[
        "fixforward only",
        "only fixforward",
        "rollforward only",
        "only rollforward",
        "only option is to fixforward",
        "only option is fixforward",
        "only way is fixforward",
        "only way is forward",
        "only way forward",
        "there is no way back",
        "there s no way back",
        "no way back",
        "no going back",
        "one way change",
        "one way upgrade",
        "one way migration",
        "lack thereof",
        "point of no return is the start",
        "irreversible change",
    ]) {
        return true;
    }
    if matches!(clause.as_str(), "fixforward" | "rollforward") {
        return true;
    }
    let back = |word: &&str| BACK.contains(word);
    let Some(first) = words.iter().position(back) else { return false };
    let before = &words[..first];
    let behind = &words[first + 1..];
    // `No rollback is possible`, `there is no (supported) rollback (procedure)`.
    if let Some(no) = before.iter().rposition(|word| matches!(*word, "no" | "without")) {
        let between = &before[no + 1..];
        let able = between.iter().any(|word| {
            [
                "ability",
                "way",
                "means",
                "possib",
                "option",
                "method",
                "path",
                "chance",
                "support",
                "mechanism",
                "procedure",
                "plan",
                "provision",
                "facility",
                "capabilit",
                "strategy",
            ]
            .iter()
            .any(|stem| word.starts_with(stem))
        });
        let there = no > 0 && before[..no].ends_with(&["is"])
            || before[..no].ends_with(&["are"])
            || before[..no].ends_with(&["s"])
            || before[..no].ends_with(&["have"])
            || before[..no].ends_with(&["has"])
            || before[..no].ends_with(&["offers"])
            || before[..no].ends_with(&["provides"]);
        let possible = behind.iter().take(3).any(|word| {
            [
                "possib",
                "available",
                "exist",
                "support",
                "plan",
                "procedure",
                "option",
                "path",
                "foreseen",
                "provided",
                "planned",
                "strategy",
                "defined",
            ]
            .iter()
            .any(|stem| word.starts_with(stem))
        });
        if (able && between.len() <= 8)
            || there && between.len() <= 3
            || between.is_empty() && possible
        {
            return true;
        }
    }
    // `cannot be rolled back`, `we are unable to roll back`, `it is impossible to revert`.
    let of_the_whole = |at: usize| {
        // What cannot be taken back is named: the schema, the database. Only of the
        // change as a whole does it say that there is no way back.
        const WHOLE: [&str; 33] = [
            "it",
            "this",
            "that",
            "we",
            "you",
            "change",
            "changes",
            "upgrade",
            "update",
            "release",
            "deployment",
            "migration",
            "the",
            "a",
            "be",
            "is",
            "are",
            "once",
            "started",
            "complete",
            "completed",
            "applied",
            "version",
            "operation",
            "patch",
            "which",
            "and",
            "cluster",
            "installation",
            "as",
            "such",
            "these",
            "they",
        ];
        let from = words[..at].iter().rposition(|word| matches!(*word, "of" | "because" | "to"));
        words[from.map_or(0, |from| from + 1)..at].iter().all(|word| WHOLE.contains(word))
    };
    if let Some(at) =
        before.iter().rposition(|word| matches!(*word, "cannot" | "unable" | "impossible"))
    {
        let between = &before[at + 1..];
        if between.len() <= 4
            && between.iter().all(|word| {
                matches!(
                    *word,
                    "be" | "to"
                        | "a"
                        | "the"
                        | "easily"
                        | "safely"
                        | "simply"
                        | "for"
                        | "us"
                        | "perform"
                        | "do"
                )
            })
            && of_the_whole(at)
        {
            return true;
        }
    }
    if let Some(not) = before.iter().rposition(|word| *word == "not") {
        let between = &before[not + 1..];
        let possible =
            between.iter().any(|word| ["possible", "able", "feasible", "supported"].contains(word));
        if possible && between.len() <= 4 && of_the_whole(not) {
            return true;
        }
    }
    // `Rollback is not possible`, `rollback not supported`, `a rollback is impossible`.
    const LINK: [&str; 17] = [
        "is",
        "are",
        "was",
        "will",
        "be",
        "plan",
        "procedure",
        "option",
        "itself",
        "of",
        "this",
        "change",
        "upgrade",
        "the",
        "release",
        "therefore",
        "to",
    ];
    const NOT_POSSIBLE: [&str; 12] = [
        "possible",
        "available",
        "supported",
        "feasible",
        "applicable",
        "an",
        "practical",
        "practicable",
        "viable",
        "provided",
        "foreseen",
        "planned",
    ];
    match behind.iter().position(|word| {
        matches!(*word, "not" | "impossible" | "unsupported" | "n/a" | "none" | "unavailable")
    }) {
        Some(at) if behind[..at].iter().all(|word| LINK.contains(word)) => {
            behind[at] != "not"
                || behind.get(at + 1).is_some_and(|word| NOT_POSSIBLE.contains(word))
                    && behind.get(at + 1..at + 3) != Some(&["an", "issue"][..])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_that_there_is_no_way_back_is_told_from_what_leads_there() {
        let mut wrong = Vec::new();
        for text in [
            "Due to the nature of the upgrade there is no ability for us to roll back.",
            "There is no ability to roll back",
            "This change cannot be rolled back.",
            "Cannot be rolled back",
            "It can't be reverted once started.",
            "Rollback is not possible.",
            "Roll back not possible",
            "Rollback: N/A",
            "Rollback plan: none",
            "N/A",
            "None.",
            "Not applicable",
            "Forward fix only",
            "Fix forward only.",
            "Roll-forward only",
            "No rollback possible",
            "There is no rollback",
            "There is no way to roll back this upgrade",
            "No backout plan exists",
            "We are unable to roll back",
            "It is not possible to roll back",
            "It is impossible to downgrade",
            "Downgrade is not supported",
            "Rollback procedure (or lack thereof)",
            "Rollback is not an option",
            "Rollback (not possible)",
            "There is no way back.",
        ] {
            wrong.extend((!no_way_back(text)).then_some(text));
        }
        for text in [
            "Rollback steps",
            "Roll back the database",
            "The database schema cannot be rolled back, so restore the backup.",
            "Restore the backup if the rollback does not work",
            "Use this rollback plan if the upgrade fails",
            "If it is not possible to log in, roll back",
            "No more than 5 nodes are rolled back at once",
            "Rollback is possible until 04:00",
            "Not all nodes need a rollback",
        ] {
            wrong.extend(no_way_back(text).then_some(text));
        }
        assert_eq!(wrong, [""; 0]);
    }
}
