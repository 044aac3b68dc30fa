//! What is done when the way back itself does not work: it is no second way back.

use backout_documents::tree::text_of_blocks;
use backout_documents::{Item, Place};

use crate::negation::{BACK, clauses};
use crate::reading::Reading;

/// Whether a text speaks of a way back that does not work: `If the rollback fails`,
/// `Rollback unsuccessful`, `When backing out does not help`.
pub(crate) fn fails_back(text: &str) -> bool {
    clauses(text).any(|clause| clause_fails(&clause))
}

fn clause_fails(clause: &str) -> bool {
    const CONDITION: [&str; 9] =
        ["if", "when", "should", "case", "where", "whenever", "once", "unless", "what"];
    const BETWEEN: [&str; 32] = [
        "itself",
        "is",
        "are",
        "was",
        "has",
        "have",
        "does",
        "do",
        "did",
        "also",
        "step",
        "steps",
        "procedure",
        "plan",
        "process",
        "attempt",
        "too",
        "be",
        "been",
        "the",
        "still",
        "then",
        "not",
        "doesn",
        "didn",
        "isn",
        "hasn",
        "t",
        "cannot",
        "will",
        "or",
        "above",
    ];
    let words: Vec<&str> = clause.split(' ').collect();
    let Some(back) = words.iter().position(|word| BACK.contains(word)) else { return false };
    // `Failed rollback`, `after an unsuccessful rollback`.
    if back > 0 && matches!(words[back - 1], "failed" | "failing" | "unsuccessful" | "aborted") {
        return true;
    }
    let conditional = words[..back].iter().any(|word| CONDITION.contains(word));
    let behind = &words[back + 1..];
    // `Roll back if the upgrade fails` speaks of something else.
    let Some(at) = behind.iter().position(|word| !BETWEEN.contains(word)) else { return false };
    let said_no = behind[..at]
        .iter()
        .any(|word| matches!(*word, "not" | "cannot" | "doesn" | "didn" | "isn" | "hasn"));
    let word = behind[at];
    let fails = word.starts_with("fail")
        || word.starts_with("unsuccessful")
        || matches!(word, "breaks" | "stalls" | "hangs" | "stuck" | "incomplete")
        || matches!(word, "goes" | "go") && behind.get(at + 1) == Some(&"wrong");
    let no_success = said_no
        && [
            "work", "succe", "help", "complet", "finish", "solve", "resolve", "fix", "restore",
            "recover", "enough",
        ]
        .iter()
        .any(|stem| word.starts_with(stem));
    // `Rollback failure` is a heading of its own.
    let noun = words.len() <= 4 && word.starts_with("fail");
    (conditional || noun) && (fails || no_success)
}

impl Reading<'_> {
    /// A list of what to do when the way back does not work.
    pub(crate) fn contingency_list(
        &mut self,
        ordered: bool,
        items: &[Item],
        place: &Place,
    ) -> bool {
        let free =
            self.plan.alternatives.as_ref().is_none_or(|known| known.if_backout_fails.is_none());
        if !free {
            return false;
        }
        let line = |(at, item): (usize, &Item)| {
            let mark = if ordered { format!("{}. ", at + 1) } else { "- ".to_owned() };
            format!("{mark}{}", text_of_blocks(&item.blocks).trim().replace('\n', "\n   "))
        };
        let lines: Vec<String> = items.iter().enumerate().map(line).collect();
        self.alternatives().if_backout_fails = Some(lines.join("\n"));
        self.report.found("alternatives.if_backout_fails", place);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_back_that_does_not_work_is_told_from_what_calls_for_one() {
        let mut wrong = Vec::new();
        for text in [
            "If rollback does not work",
            "If the rollback fails",
            "When the rollback is unsuccessful",
            "Should the backout fail",
            "What if the rollback fails?",
            "In case rolling back doesn't help:",
            "If the rollback procedure cannot be completed",
            "Rollback failure",
            "Failed rollback",
            "If backout is not successful",
        ] {
            wrong.extend((!fails_back(text)).then_some(text));
        }
        for text in [
            "Roll back if the upgrade fails",
            "Rollback if the smoke test fails",
            "If the deployment fails, roll back",
            "Rollback steps",
            "When to roll back",
            "Rollback when the portal does not work",
        ] {
            wrong.extend(fails_back(text).then_some(text));
        }
        assert_eq!(wrong, [""; 0]);
    }
}
