//! Sentences that put going back off, or say to stay with what is new, without a plain
//! `not`: `Hold off on rolling back when`, `Stay on the new version if`.

use crate::negation::BACK;
use crate::words::has;

/// Verbs and adjectives that speak against what stands behind them.
const AGAINST: [&str; 44] = [
    "avoid",
    "avoiding",
    "refrain",
    "refraining",
    "postpone",
    "postponing",
    "defer",
    "deferring",
    "delay",
    "delaying",
    "hold",
    "holding",
    "withhold",
    "resist",
    "resisting",
    "wait",
    "waiting",
    "hesitate",
    "reject",
    "rejecting",
    "forgo",
    "forego",
    "skip",
    "suspend",
    "decline",
    "refuse",
    "forbid",
    "prohibit",
    "discourage",
    "reluctant",
    "premature",
    "pointless",
    "unwise",
    "wrong",
    "overkill",
    "unnecessary",
    "abstain",
    "desist",
    "oppose",
    "veto",
    "early",
    "alternative",
    "alternatives",
    "prefer",
];

/// What is said of a backout behind it: `Rolling back would be premature if`.
const AGAINST_BEHIND: [&str; 30] = [
    "forbidden",
    "prohibited",
    "premature",
    "wrong",
    "unwise",
    "pointless",
    "overkill",
    "discouraged",
    "unnecessary",
    "excluded",
    "postponed",
    "avoided",
    "deferred",
    "delayed",
    "skipped",
    "suspended",
    "wait",
    "undesirable",
    "inappropriate",
    "disproportionate",
    "banned",
    "unwanted",
    "withheld",
    "refused",
    "rejected",
    "vetoed",
    "optional",
    "harmful",
    "off",
    "ruled",
];

/// Whether a clause in plain form puts going back off. `Do not hesitate to roll back`
/// and `a rollback must not be delayed` do not: two noes are a yes.
pub(crate) fn puts_off(clause: &str) -> bool {
    let words: Vec<&str> = clause.split(' ').collect();
    let Some(back) = words.iter().position(|word| BACK.contains(word)) else { return false };
    let before = &words[..back];
    const SAID: [&str; 14] = [
        "think twice before",
        "think carefully before",
        "think hard before",
        "too early to",
        "too soon to",
        "little point in",
        "no point in",
        "not worth",
        "rule out",
        "rather than",
        "instead of",
        "decide against",
        "decided against",
        "ahead of a",
    ];
    let joined = before.join(" ");
    let conditional = |at: usize| {
        before[..at].iter().any(|word| matches!(*word, "if" | "when" | "once" | "where"))
    };
    if SAID.iter().any(|said| {
        joined.strip_suffix(said).is_some_and(|rest| rest.is_empty() || rest.ends_with(' '))
            || ["a", "the", "any", "full"]
                .iter()
                .any(|article| joined.ends_with(&format!("{said} {article}")))
    }) {
        return true;
    }
    if let Some(at) = before.iter().rposition(|word| AGAINST.contains(word)) {
        let between = &before[at + 1..];
        let near = between.len() <= 5;
        // `If the delay is over 5 s roll back`: the word belongs to the condition.
        let of_it = between.iter().all(|word| {
            matches!(
                *word,
                "off"
                    | "on"
                    | "to"
                    | "the"
                    | "a"
                    | "any"
                    | "with"
                    | "from"
                    | "back"
                    | "before"
                    | "for"
                    | "of"
                    | "an"
                    | "urge"
                    | "full"
                    | "complete"
                    | "immediate"
                    | "over"
                    | "temptation"
                    | "hotfix"
                    | "fix"
                    | "fixforward"
                    | "until"
                    | "against"
                    | "starting"
                    | "triggering"
                    | "initiating"
                    | "requesting"
                    | "calling"
                    | "step"
            )
        });
        if near && of_it && (at == 0 || !conditional(at) || between.len() <= 3) {
            return !is_denied(&before[..at]);
        }
    }
    let behind = &words[back + 1..];
    let end = behind
        .iter()
        .position(|word| matches!(*word, "if" | "when" | "once" | "while" | "because" | "unless"))
        .unwrap_or(behind.len());
    let said = &behind[..end.min(7)];
    let linked = said.first().is_some_and(|word| {
        matches!(
            *word,
            "is" | "are"
                | "would"
                | "can"
                | "may"
                | "must"
                | "should"
                | "shall"
                | "has"
                | "will"
                | "does"
                | "forbidden"
                | "prohibited"
                | "cannot"
                | "remains"
                | "ruled"
                | "postponed"
        )
    });
    if let Some(at) = said.iter().position(|word| AGAINST_BEHIND.contains(word)) {
        return linked && !is_denied(&said[..at]);
    }
    linked
        && has(&said.join(" "), &["more harm", "too early", "too soon", "no use", "the last thing"])
}

/// Whether what stands behind a `not` speaks against going back, so that it is a yes.
pub(crate) fn no_of_no(behind: &[&str]) -> bool {
    let next = behind.iter().find(|word| !matches!(**word, "be" | "to" | "a" | "the"));
    next.is_some_and(|word| AGAINST_BEHIND.contains(word) || AGAINST.contains(word))
}

/// Whether a no stands before what speaks against going back.
fn is_denied(before: &[&str]) -> bool {
    let near = &before[before.len().saturating_sub(4)..];
    near.iter()
        .any(|word| matches!(*word, "not" | "never" | "cannot" | "no" | "without" | "don" | "t"))
}

/// Whether a text in plain form says to stay with what is new: `Keep going if`,
/// `Leave the new version in place when`.
pub(crate) fn stays(said: &str) -> bool {
    const BEGINS: [&str; 44] = [
        "stay on",
        "stay with",
        "stay the course",
        "stay put",
        "stay at",
        "stay in",
        "remain on",
        "remain with",
        "remain at",
        "stick with",
        "stick to",
        "keep going",
        "keep the new",
        "keep the release",
        "keep the change",
        "keep the current",
        "keep the deployment",
        "keep running",
        "keep it running",
        "keep calm",
        "keep version",
        "leave the new",
        "leave the release",
        "leave the version",
        "leave the change",
        "leave it in place",
        "carry on",
        "press on",
        "push on",
        "go on with",
        "go on if",
        "live with",
        "fixforward",
        "do nothing",
        "no action",
        "just monitor",
        "only monitor",
        "monitor only",
        "continue if",
        "continue with",
        "continue when",
        "continue as",
        "hold your",
        "hold off",
    ];
    const CLEAN: [&str; 6] = ["we ", "please ", "you should ", "you can ", "we can ", "just "];
    let bare = CLEAN.iter().find_map(|word| said.strip_prefix(word)).unwrap_or(said);
    let begins = |begins: &&str| {
        [said, bare].into_iter().any(|text| {
            text.strip_prefix(begins).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })
    };
    BEGINS.iter().any(begins)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::plain;

    #[test]
    fn what_puts_off_is_told_from_what_urges() {
        let mut wrong = Vec::new();
        for text in [
            "Hold off on rolling back when",
            "Refrain from a rollback if",
            "Think twice before rolling back when",
            "Resist the urge to roll back when",
            "Wait before rolling back if",
            "Rollback can wait if",
            "Rolling back would be premature if",
            "A rollback is prohibited while",
            "It is too early to roll back when",
        ] {
            wrong.extend((!puts_off(&plain(text))).then_some(text));
        }
        for text in [
            "Do not hesitate to roll back when",
            "Do not delay the rollback when",
            "A rollback must not be delayed when",
            "Rolling back cannot wait if",
            "If the replication delay is over 5 s roll back",
            "Roll back if users have to wait",
            "Roll back only after approval when",
            "Roll back when the old version is wrong",
        ] {
            wrong.extend(puts_off(&plain(text)).then_some(text));
        }
        assert_eq!(wrong, [""; 0]);
    }
}
