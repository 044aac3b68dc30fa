//! Sentences that say when NOT to go back: they are no triggers, whatever they name.

use crate::hold_off::{no_of_no, puts_off, stays};
use crate::words::{has, plain};

/// Words for going back, as [`plain`] spells them.
pub(crate) const BACK: [&str; 13] = [
    "rollback",
    "backout",
    "revert",
    "reverting",
    "reverted",
    "reversal",
    "fallback",
    "abort",
    "aborting",
    "downgrade",
    "downgrading",
    "undo",
    "switchback",
];

/// Words that say no.
const NO: [&str; 16] = [
    "not", "never", "no", "cannot", "non", "without", "neither", "nor", "dont", "doesnt", "mustnt",
    "shouldnt", "skip", "instead", "rather", "isnt",
];

/// What may stand between the two: `not a good enough reason to start a full rollback`.
const BETWEEN: [&str; 88] = [
    "circumstances",
    "account",
    "a",
    "an",
    "the",
    "any",
    "to",
    "be",
    "been",
    "of",
    "for",
    "us",
    "we",
    "you",
    "yet",
    "by",
    "itself",
    "themselves",
    "on",
    "its",
    "their",
    "own",
    "in",
    "alone",
    "as",
    "than",
    "from",
    "do",
    "immediately",
    "automatically",
    "immediate",
    "automatic",
    "full",
    "complete",
    "hasty",
    "start",
    "begin",
    "trigger",
    "triggers",
    "triggering",
    "invoke",
    "initiate",
    "perform",
    "execute",
    "carry",
    "out",
    "call",
    "attempt",
    "request",
    "require",
    "requires",
    "need",
    "needs",
    "warrant",
    "warrants",
    "justify",
    "justifies",
    "cause",
    "causes",
    "lead",
    "mean",
    "means",
    "qualify",
    "constitute",
    "reason",
    "reasons",
    "ground",
    "grounds",
    "necessary",
    "required",
    "sufficient",
    "enough",
    "criterion",
    "criteria",
    "condition",
    "conditions",
    "good",
    "valid",
    "sole",
    "consider",
    "use",
    "used",
    "apply",
    "decide",
    "propose",
    "right",
    "planned",
    "perform",
];

/// What a rollback that is called off is not.
const CALLED_OFF: [&str; 27] = [
    "required",
    "needed",
    "necessary",
    "warranted",
    "justified",
    "appropriate",
    "triggered",
    "indicated",
    "possible",
    "recommended",
    "advised",
    "advisable",
    "considered",
    "called",
    "worth",
    "allowed",
    "permitted",
    "authorised",
    "authorized",
    "acceptable",
    "expected",
    "a",
    "the",
    "be",
    "to",
    "mandatory",
    "invoked",
];

/// Whether a text says when not to go back: `Do NOT roll back if`, `never back out for`,
/// `no rollback when`, `a rollback is not required`, `not a reason to revert`, `roll back
/// unless`.
pub(crate) fn forbids_backout(text: &str) -> bool {
    clauses(text).any(|clause| is_unless(&clause) || clause_forbids(&clause) || puts_off(&clause))
}

/// The same of an action, where `roll back unless fixed` is one.
pub(crate) fn denies_backout(text: &str) -> bool {
    clauses(text).any(|clause| clause_forbids(&clause) || puts_off(&clause))
}

/// `Roll back unless …`: what follows is what keeps it from being done.
fn is_unless(clause: &str) -> bool {
    let words: Vec<&str> = clause.split(' ').collect();
    let positive = |word: &str| matches!(word, "if" | "when" | "once");
    words.iter().any(|word| BACK.contains(word))
        && words
            .iter()
            .position(|word| *word == "unless")
            .is_some_and(|unless| !words[..unless].iter().any(|word| positive(word)))
}

/// Whether a heading, a lead-in or a column of the part about triggers says that what
/// stands below calls for nothing, in whatever words: `Acceptable:`, `Proceed if:`.
pub(crate) fn calls_off(text: &str) -> bool {
    const BEGINS: [&str; 23] = [
        "proceed",
        "continue",
        "carry on",
        "keep going",
        "go ahead",
        "stay on",
        "stay with",
        "ignore",
        "accept ",
        "acceptable",
        "tolerat",
        "tolerable",
        "exceptions",
        "exception to",
        "non trigger",
        "no trigger",
        "not a trigger",
        "not trigger",
        "not considered",
        "false alarm",
        "known issue",
        "keep the new",
        "out of scope",
    ];
    // Loose words, as only a lead-in or a heading may use them: `Wait if`.
    const LEADS: [&str; 16] = [
        "wait ",
        "hold ",
        "refrain",
        "avoid",
        "prefer",
        "hotfix",
        "resist",
        "think twice",
        "think carefully",
        "be patient",
        "not urgent",
        "safe to",
        "can wait",
        "may be ignored",
        "remain",
        "stick ",
    ];
    let said = plain(text);
    let bare = said.strip_prefix("we ").unwrap_or(&said);
    let speaks_of_back = said.split(' ').any(|word| BACK.contains(&word));
    let listed = said.strip_prefix("the following ").unwrap_or_default();
    forbids_backout(text)
        || stays(&said)
        || !speaks_of_back && LEADS.iter().any(|word| bare.starts_with(word))
        || BEGINS.iter().any(|word| bare.starts_with(word) || has(listed, &[word]))
        || has(&said, &["not a trigger", "not triggers", "no triggers", "non triggers"])
        || said.ends_with("does not trigger") && said.starts_with("what")
}

/// The lines of a text that say when to go back, and those that say when not: a line
/// that ends in a colon speaks for the lines below it.
pub(crate) fn split_forbidden(text: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut stands, mut forbidden) = (Vec::new(), Vec::new());
    let mut below = false;
    for line in text.lines() {
        let leads = line.trim_end().ends_with(':') || leads_in(line);
        let forbids = forbids_backout(line) || stays_when(line);
        if leads {
            below = forbids || calls_off(line);
        } else if below && says_when(line) && !forbids {
            below = false;
        }
        // Of several sentences each speaks for itself: they are told apart later.
        let mixed = forbids
            && !leads
            && line.split(". ").any(|one| !forbids_backout(one) && !stays_when(one));
        if below || forbids && !mixed { forbidden.push(line) } else { stands.push(line) }
    }
    (stands, forbidden)
}

/// The sentences of a text that say when to go back, and those that say when not.
pub(crate) fn split_sentences(text: &str) -> (String, String) {
    let (mut stands, mut forbidden) = (String::new(), String::new());
    for sentence in text.split_inclusive(". ").flat_map(|part| part.split_inclusive("! ")) {
        if forbids_backout(sentence) || stays_when(sentence) {
            forbidden.push_str(sentence);
        } else {
            stands.push_str(sentence);
        }
    }
    (stands.trim().to_owned(), forbidden.trim().to_owned())
}

/// Whether a text breaks off where what follows completes it: `Do not roll back if`.
pub(crate) fn leads_in(text: &str) -> bool {
    const OPEN: [&str; 13] = [
        "if",
        "when",
        "for",
        "unless",
        "because of",
        "following",
        "cases",
        "where",
        "conditions",
        "while",
        "as long as",
        "whenever",
        "until",
    ];
    let said = plain(text);
    text.trim_end().ends_with([':', '\u{2026}'])
        || text.trim_end().ends_with("...")
        || OPEN
            .iter()
            .any(|word| said.strip_suffix(word).is_some_and(|before| before.ends_with(' ')))
}

/// Whether a text says when to go back: `Roll back if …`.
pub(crate) fn says_when(text: &str) -> bool {
    let said = plain(text);
    let words = || said.split(' ');
    words().any(|word| BACK.contains(&word))
        && words().any(|word| matches!(word, "if" | "when" | "where" | "case" | "once"))
}

/// Whether a whole sentence says when to stay: `Keep going if pages are slow`. Without
/// a condition it may be the name of anything.
pub(crate) fn stays_when(text: &str) -> bool {
    let said = plain(text);
    let conditional = said.split(' ').any(|word| {
        matches!(word, "if" | "when" | "while" | "where" | "whenever" | "unless" | "long")
    });
    stays(&said) && conditional
}

/// A text in pieces that do not speak of each other: `If it does not start, roll back`
/// says nothing against going back.
pub(crate) fn clauses(text: &str) -> impl Iterator<Item = String> {
    let text = text.replace(['\u{2019}', '\u{2018}'], "'");
    let pieces: Vec<String> = text
        .split([',', ';', ':', '.', '!', '?', '\n', '(', ')', '\u{2013}', '\u{2014}'])
        .map(plain)
        .filter(|piece| !piece.is_empty())
        .collect();
    pieces.into_iter()
}

fn clause_forbids(clause: &str) -> bool {
    // `don t`, as the apostrophe leaves it.
    let clause = ["don", "doesn", "mustn", "shouldn", "isn", "won", "wouldn", "aren", "needn"]
        .iter()
        .fold(clause.to_owned(), |text, word| {
            let apart = format!("{word} t ");
            match text.starts_with(&apart) || text.contains(&format!(" {apart}")) {
                true => text.replace(&apart, "not "),
                false => text,
            }
        });
    let words: Vec<&str> = clause.split(' ').collect();
    let back = |at: &usize| BACK.contains(&words[*at]) || words[*at..].starts_with(&["go", "back"]);
    let Some(first) = (0..words.len()).find(back) else { return false };
    for at in (0..words.len()).filter(back) {
        let before = &words[..at];
        let said_no = before.iter().rposition(|word| NO.contains(word));
        if let Some(no) = said_no {
            let between = &words[no + 1..at];
            // `If it does not start roll back`: what does not start is something else.
            let of_another = no > 0
                && matches!(words[no - 1], "does" | "did" | "is" | "was" | "has" | "will")
                && between.len() <= 1
                && between.iter().all(|word| matches!(*word, "start" | "begin" | "complete"));
            if between.len() <= 8
                && between.iter().all(|word| BETWEEN.contains(word))
                && !of_another
            {
                return true;
            }
        }
    }
    // `A rollback is not required when …`, `rollback should never be …`, `no need`.
    let behind = &words[first + 1..];
    let no = behind.iter().position(|word| matches!(*word, "not" | "never" | "no" | "isnt"));
    if let Some(no) = no {
        const LINK: [&str; 18] = [
            "is",
            "are",
            "was",
            "will",
            "would",
            "be",
            "has",
            "should",
            "must",
            "may",
            "shall",
            "can",
            "procedure",
            "plan",
            "itself",
            "the",
            "does",
            "steps",
        ];
        let linked = behind[..no].iter().all(|word| LINK.contains(word));
        let called_off = behind.get(no + 1).is_some_and(|word| {
            CALLED_OFF.contains(word) || matches!(*word, "need" | "reason" | "option")
        });
        // `A rollback must not be delayed`: two noes are a yes.
        let twice = no_of_no(&behind[no + 1..]);
        if linked && called_off && !twice {
            return true;
        }
    }
    behind.iter().take(3).any(|word| matches!(*word, "unnecessary" | "unwarranted" | "unneeded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_when_not_to_go_back_is_told_from_what_says_when() {
        let mut wrong = Vec::new();
        for text in [
            "Do NOT roll back if:",
            "do not rollback when warnings are in the log",
            "Don't roll back if response time is slow",
            "Don\u{2019}t back out for cosmetic defects",
            "Never roll back for a single timeout",
            "NEVER REVERT IF",
            "You must not roll back if",
            "The team mustn't revert when",
            "We should not initiate a rollback for warnings",
            "No rollback if:",
            "No backout when the queue is short",
            "Rollback is not required when",
            "A rollback is not needed if the error rate is below 1 %",
            "Rollback isn't necessary if",
            "Roll back unless the error rate is below 1 %",
            "Roll back unless:",
            "Slow pages are not a reason to roll back",
            "Not a reason to revert:",
            "This alone is no reason to back out",
            "Not sufficient grounds for a rollback",
            "When not to roll back",
            "Reasons not to roll back",
            "There is no need to roll back if",
            "These do not warrant a rollback",
            "Warnings do not trigger a rollback",
            "Avoid rolling back if",
            "Refrain from rolling back when",
            "Fix in place instead of rolling back if",
            "A rollback should not be triggered by",
            "A rollback must never be invoked for",
            "Rollback is unnecessary if",
            "Continue without rollback if",
            "Do not fall back",
            "Rollback is not possible when",
            "We cannot roll back if",
            "Do not go back if",
            "Do not invoke the backout plan for minor defects",
        ] {
            wrong.extend((!forbids_backout(text)).then_some(text));
        }
        for text in [
            "Roll back if the error rate is above 5 %",
            "If the service does not start, roll back",
            "If the service does not start roll back",
            "Users cannot log in",
            "Service does not respond for 5 minutes",
            "Roll back if login is not possible",
            "Roll back if the error rate exceeds 5 % unless the load test runs",
            "Rollback steps",
            "If the rollback is not complete by 06:00, call the vendor",
            "Back out without delay when data is lost",
            "No data is written for 10 minutes",
            "Not all nodes are healthy after 10 minutes: roll back",
            "When to roll back",
        ] {
            wrong.extend(forbids_backout(text).then_some(text));
        }
        assert_eq!(wrong, [""; 0]);
    }

    #[test]
    fn a_text_of_several_lines_says_both() {
        let text = "Roll back if:\nerror rate > 5 %\nDo NOT roll back if:\nslow pages\nRoll back when data is lost";
        let (stands, forbidden) = split_forbidden(text);
        assert_eq!(stands, ["Roll back if:", "error rate > 5 %", "Roll back when data is lost"]);
        assert_eq!(forbidden, ["Do NOT roll back if:", "slow pages"]);
        let (stands, forbidden) =
            split_sentences("Roll back if data is lost. Do not roll back for warnings.");
        assert_eq!(
            (stands.as_str(), forbidden.as_str()),
            ("Roll back if data is lost.", "Do not roll back for warnings.")
        );
    }
}
