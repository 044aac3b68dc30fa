//! Words: what a heading is about, what a column holds. Everything is compared in
//! one form: lower case, single blanks, and one spelling of "roll back".

use std::collections::{HashMap, HashSet};

/// A text in the one form in which texts are compared.
#[must_use]
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in
        text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '%' | '#' | '?' | '/' | '&'))
    {
        if word.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
    for (from, to) in [
        ("rolling back", "rollback"),
        ("rolled back", "rollback"),
        ("roll back", "rollback"),
        ("rollbacks", "rollback"),
        ("backing out", "backout"),
        ("backed out", "backout"),
        ("back out", "backout"),
        ("backouts", "backout"),
        ("fall back", "fallback"),
        ("roll forward", "rollforward"),
        ("fix forward", "fixforward"),
        ("forward fix", "fixforward"),
        ("post mortem", "postmortem"),
        ("pre requisite", "prerequisite"),
    ] {
        if out.contains(from) {
            out = out.replace(from, to);
        }
    }
    out
}

/// Whether one of the words stands in the text as a word or the start of one.
pub(crate) fn has(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| {
        text.match_indices(word).any(|(at, _)| at == 0 || text.as_bytes()[at - 1] == b' ')
    })
}

/// A heading without its number: `5.2 Back-Out Procedure`, `Step 3: Restore`.
pub(crate) fn without_number(text: &str) -> &str {
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(0);
    let rest = trimmed[digits..].trim_start_matches([')', ':', '-', ' ', '\u{2013}', '\u{2014}']);
    if let Some((_, rest)) = crate::headings::roman(trimmed) {
        return rest;
    }
    if digits > 0 && !rest.is_empty() { rest } else { trimmed }
}

/// Whether a text in plain form speaks of going back.
pub(crate) fn goes_back(text: &str) -> bool {
    has(
        text,
        &[
            "backout",
            "rollback",
            "revert",
            "reversal",
            "reverting",
            "fallback",
            "abort",
            "downgrade",
            "undo",
            "last resort",
            "back to the previous",
            "return to previous",
            "contingency plan",
        ],
    )
}

/// Where a text in plain form says that the rows it stands for lead: back
/// (`true`), forward (`false`), or nothing of the kind.
pub(crate) fn leads(text: &str) -> Option<bool> {
    const FORWARD: [&str; 8] =
        ["cutover", "deploy", "implement", "upgrade", "install", "go live", "forward", "migrat"];
    if goes_back(text) { Some(true) } else { has(text, &FORWARD).then_some(false) }
}

/// Whether a heading says that its part leads forward: `Cutover`, `Upgrade again`.
/// Whoever deploys what was there before goes back.
pub(crate) fn leads_forward(heading: &str) -> bool {
    const BEFORE: [&str; 9] = [
        "previous",
        "old",
        "prior",
        "last",
        "earlier",
        "former",
        "original",
        "known good",
        "reverse",
    ];
    // `Open again` undoes what was closed; `Deploy again` leads forward by its verb.
    let again = has(heading, &["redeploy", "reinstall"]) && has(heading, &["new", "again"]);
    // `Only if the migration has run` is a condition, and leads nowhere.
    let condition =
        heading.split(' ').any(|word| matches!(word, "if" | "unless" | "only" | "when"));
    let forward = leads(&heading.replace("migrat", "")) == Some(false);
    (forward || again) && !has(heading, &BEFORE) && !goes_back(heading) && !condition
}

/// Whether a heading says that its part leads back, and only back: `Deployment and
/// rollback procedure` does not say which of its steps do, and an undo log is no way.
pub(crate) fn leads_back(heading: &str) -> bool {
    const NO_WAY: [&str; 13] = [
        "last time",
        "not supported",
        "do not",
        "undo log",
        "undo tablespace",
        "fallback dns",
        "fallback server",
        "fallback page",
        "rollback segment",
        "after a downgrade",
        "after the downgrade",
        "after downgrade",
        "abort multipart",
    ];
    const BOTH: [&str; 9] = [
        "change",
        "cutover",
        "deployment",
        "deploy",
        "implementation",
        "upgrade",
        "installation",
        "release",
        "migration",
    ];
    let both = |word: &str| {
        ["backout", "rollback", "downgrade", "fallback"].iter().any(|back| {
            [" and ", " & ", " / ", "/", " with "].iter().any(|joined| {
                has(heading, &[&format!("{word}{joined}{back}"), &format!("{back}{joined}{word}")])
            })
        })
    };
    let joins =
        heading.contains(" and ") || heading.contains(" with ") || heading.contains(['&', '/']);
    (goes_back(heading) || returns(heading))
        && !has(heading, &NO_WAY)
        && !(joins && BOTH.iter().any(|word| both(word)))
}

/// Whether a text in plain form names the return to what was there before: `Restoring
/// the previous version`, `go back to version 2`.
pub(crate) fn returns(text: &str) -> bool {
    const ACTS: [&str; 9] = [
        "restor",
        "reinstall",
        "redeploy",
        "return",
        "go back",
        "going back",
        "switch",
        "reinstat",
        "back to",
    ];
    const BEFORE: [&str; 9] = [
        "previous",
        "old",
        "prior",
        "former",
        "earlier",
        "original",
        "last good",
        "known good",
        "last working",
    ];
    const WHAT: [&str; 10] = [
        "version",
        "release",
        "build",
        "state",
        "image",
        "deployment",
        "environment",
        "system",
        "revision",
        "configuration",
    ];
    has(text, &ACTS) && has(text, &BEFORE) && has(text, &WHAT)
        || has(
            text,
            &["going back to", "go back to", "how to go back", "way back", "switching back"],
        ) && !has(text, &["work", "normal"])
}

/// `Step 5: Restore Database`.
pub(crate) fn is_step(heading: &str) -> bool {
    let lower = heading.trim().to_lowercase();
    (lower.starts_with("step ") || lower.starts_with("task "))
        && lower[5..].starts_with(|c: char| c.is_ascii_digit())
}

/// Whether somebody struck a text out; what stands behind it says why.
/// Readers set what is struck out between `~~`.
pub(crate) fn struck(text: &str) -> bool {
    text.trim().strip_prefix("~~").is_some_and(|rest| rest.contains("~~"))
}

/// A short name for something: `Restore database` becomes `restore-database`.
pub(crate) fn slug(text: &str) -> String {
    let mut out = String::new();
    let text = folded(text);
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        if !out.is_empty() && out.len() + word.len() > 39 {
            break;
        }
        if !out.is_empty() {
            out.push('-');
        }
        out.push_str(&word.to_lowercase());
    }
    out.truncate(64);
    out
}

/// Latin letters with marks as plain ones: names are made of those.
fn folded(text: &str) -> std::borrow::Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    const LETTERS: [(&str, &str); 26] = [
        ("ä", "ae"),
        ("ö", "oe"),
        ("ü", "ue"),
        ("ß", "ss"),
        ("æ", "ae"),
        ("œ", "oe"),
        ("åàáâãā", "a"),
        ("çćč", "c"),
        ("ďđð", "d"),
        ("èéêëēęě", "e"),
        ("ğ", "g"),
        ("ìíîïīı", "i"),
        ("ķ", "k"),
        ("łļľ", "l"),
        ("ñńňņ", "n"),
        ("òóôõōøő", "o"),
        ("řŕ", "r"),
        ("śšşș", "s"),
        ("ťțţ", "t"),
        ("þ", "th"),
        ("ùúûūůű", "u"),
        ("ýÿ", "y"),
        ("źżž", "z"),
        ("’‘", "'"),
        ("–—", "-"),
        ("ŵ", "w"),
    ];
    let mut out = String::with_capacity(text.len() + 8);
    for letter in text.chars().flat_map(char::to_lowercase) {
        match LETTERS.iter().find(|(marked, _)| marked.contains(letter)) {
            Some((_, plain)) => out.push_str(plain),
            None => out.push(letter),
        }
    }
    out.into()
}

/// Names that are given out once.
#[derive(Debug, Default)]
pub(crate) struct Names {
    taken: HashSet<String>,
    next: HashMap<String, usize>,
}

impl Names {
    /// The wanted name, or the next number of it that nobody has.
    pub(crate) fn free(&mut self, wanted: &str, kind: &str) -> String {
        let base = if wanted.is_empty() { kind } else { wanted };
        let mut name = base.to_owned();
        while !self.taken.insert(name.clone()) {
            let number = self.next.entry(base.to_owned()).or_insert(1);
            *number += 1;
            name = base.to_owned();
            name.truncate(58);
            name = format!("{name}-{number}");
        }
        name
    }
}

/// A name that nothing else has: with a number where it is taken.
pub(crate) fn unique(wanted: &str, kind: &str, taken: impl Fn(&str) -> bool) -> String {
    let base = if wanted.is_empty() { kind.to_owned() } else { wanted.to_owned() };
    if !taken(&base) {
        return base;
    }
    let mut number = 2_usize;
    loop {
        let mut name = base.clone();
        name.truncate(58);
        let name = format!("{name}-{number}");
        if !taken(&name) {
            return name;
        }
        number += 1;
    }
}
