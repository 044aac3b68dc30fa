//! Sentences: names and values, conditions, orders, and words that say that there
//! is nothing.

use backout_documents::{Inline, Style};

use crate::negation::forbids_backout;
use crate::no_way::no_way_back;
use crate::values;
use crate::words::{goes_back, has, plain};

/// `Name: value`, `Name - value`: both, where the name is short.
pub(crate) fn pair(text: &str) -> Option<(String, String)> {
    let line = text.lines().next()?;
    let (at, sign) = [": ", " - ", " \u{2013} "]
        .into_iter()
        .filter_map(|sign| line.find(sign).map(|at| (at, sign)))
        .min()?;
    let value = text[at + sign.len()..].trim().to_owned();
    let name = line[..at].trim().trim_matches('*').trim().to_owned();
    let bare = name.split('(').next().unwrap_or(&name);
    let short = !bare.is_empty() && bare.split_whitespace().count() <= 8;
    (short && !value.is_empty()).then_some((name, value))
}

/// Bold names with what follows each: `**Change ID:** NET-2217 **Date:** 16 May`.
pub(crate) fn labels(inlines: &[Inline]) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for (index, inline) in inlines.iter().enumerate() {
        let next = inlines.get(index + 1).map_or("", |next| next.text.as_str());
        let named = inline.style == Style::Strong
            && (inline.text.trim_end().ends_with(':') || next.trim_start().starts_with(':'));
        if named {
            found.push((inline.text.trim().trim_end_matches(':').to_owned(), String::new()));
        } else if let Some((_, value)) = found.last_mut() {
            value.push_str(&inline.text);
        } else if !inline.text.trim().is_empty() {
            return Vec::new();
        }
    }
    for (_, value) in &mut found {
        *value = value.trim().trim_start_matches(':').trim().to_owned();
    }
    found
}

/// What has to be so for going back, in `Back out if …` and `If …, go back`.
pub(crate) fn back_if(text: &str) -> Option<Vec<String>> {
    if forbids_backout(text) {
        return None;
    }
    let sentence = text.trim().trim_end_matches('.');
    let lower = sentence.to_lowercase();
    let opens = ["if ", "when ", "in case "].into_iter().find(|word| lower.starts_with(word));
    let condition = if let Some(word) = opens {
        let comma = sentence.rfind(", ")?;
        let says = plain(sentence.get(comma..)?);
        if !goes_back(&says) && !has(&says, &["go back", "go to the previous"]) {
            return None;
        }
        sentence.get(word.len()..comma)?.to_owned()
    } else {
        let said = plain(sentence);
        if !["backout", "rollback", "revert", "abort"].iter().any(|verb| said.starts_with(verb)) {
            return None;
        }
        let ends = [" if ", " when ", " in case "].into_iter();
        let at = ends.filter_map(|word| lower.find(word).map(|at| at + word.len())).min()?;
        sentence.get(at..)?.to_owned()
    };
    let parts = condition.split(", or ").flat_map(|part| part.split(" or when "));
    let parts: Vec<String> =
        parts.map(|part| part.trim().to_owned()).filter(|part| part.contains(' ')).collect();
    (!parts.is_empty()).then_some(parts)
}

/// `Estimated Time to Complete (mins) - 15`.
pub(crate) fn estimate_line(text: &str) -> Option<backout_core::duration::Estimate> {
    let said = plain(text);
    let estimate = has(
        &said,
        &[
            "estimated time",
            "estimated duration",
            "expected time",
            "expected duration",
            "time to complete",
            "time required",
            "duration",
            "estimate",
        ],
    );
    const AROUND: [&str; 28] = [
        "estimated",
        "expected",
        "time",
        "duration",
        "to",
        "complete",
        "required",
        "estimate",
        "total",
        "for",
        "the",
        "rollback",
        "backout",
        "of",
        "is",
        "approximately",
        "about",
        "mins",
        "min",
        "minutes",
        "minute",
        "hours",
        "hour",
        "h",
        "execution",
        "approx",
        "whole",
        "in",
    ];
    let more = said
        .split(' ')
        .filter(|word| word.starts_with(char::is_alphabetic) && !AROUND.contains(word))
        .count();
    // Whatever else the line says would be lost.
    if !estimate || more > 3 {
        return None;
    }
    let (name, value) = pair(text).unwrap_or_else(|| (String::new(), text.to_owned()));
    values::length(&value, values::unit_of(&name).or(Some("m")))
}

pub(crate) fn before_time(heading: &str) -> &str {
    heading.split(['(', '[']).next().unwrap_or(heading).trim()
}

/// Words that say that there is nothing.
pub(crate) fn nothing(text: &str) -> bool {
    matches!(plain(text).as_str(), "tbd" | "to be defined") || no_way_back(text)
}

/// Whether a line tells somebody to do something.
pub(crate) fn imperative(text: &str) -> bool {
    let said = plain(text);
    let first = said.split(' ').next().unwrap_or_default();
    const VERBS: [&str; 151] = [
        "add",
        "adjust",
        "allow",
        "archive",
        "attach",
        "block",
        "bring",
        "build",
        "cancel",
        "change",
        "checkout",
        "clean",
        "click",
        "comment",
        "commit",
        "cordon",
        "demote",
        "destroy",
        "detach",
        "download",
        "edit",
        "engage",
        "ensure",
        "escalate",
        "evict",
        "extract",
        "fail",
        "fetch",
        "follow",
        "force",
        "go",
        "inspect",
        "invalidate",
        "kick",
        "lock",
        "log",
        "lower",
        "make",
        "modify",
        "navigate",
        "perform",
        "promote",
        "publish",
        "raise",
        "reapply",
        "rebuild",
        "reconnect",
        "reduce",
        "relaunch",
        "rerun",
        "repeat",
        "replace",
        "resync",
        "return",
        "review",
        "select",
        "submit",
        "swap",
        "sync",
        "tag",
        "terminate",
        "test",
        "trigger",
        "uncomment",
        "uncordon",
        "unlock",
        "unpause",
        "load",
        "reload",
        "replay",
        "purge",
        "reset",
        "repair",
        "reboot",
        "mount",
        "unmount",
        "freeze",
        "unfreeze",
        "send",
        "ask",
        "have",
        "ping",
        "power",
        "pull",
        "push",
        "merge",
        "release",
        "recover",
        "let",
        "stop",
        "start",
        "restart",
        "restore",
        "revert",
        "rollback",
        "backout",
        "run",
        "execute",
        "apply",
        "deploy",
        "redeploy",
        "disable",
        "enable",
        "turn",
        "switch",
        "set",
        "unset",
        "delete",
        "remove",
        "drop",
        "copy",
        "move",
        "rename",
        "verify",
        "check",
        "confirm",
        "notify",
        "inform",
        "announce",
        "call",
        "open",
        "close",
        "log",
        "login",
        "connect",
        "disconnect",
        "drain",
        "scale",
        "update",
        "downgrade",
        "reinstall",
        "uninstall",
        "install",
        "import",
        "export",
        "clear",
        "flush",
        "repoint",
        "point",
        "route",
        "divert",
        "put",
        "take",
        "wait",
        "monitor",
        "create",
        "recreate",
        "undo",
        "kill",
        "pause",
        "resume",
    ];
    VERBS.contains(&first) && (first != "trigger" || triggers_something(text))
}

/// Whether `trigger` is what is done: `Trigger Argo CD to sync`, and not `Trigger
/// conditions` or `Trigger: error rate > 5 %`.
pub(crate) fn triggers_something(text: &str) -> bool {
    const NOUNS: [&str; 24] = [
        "condition",
        "criteri",
        "point",
        "event",
        "threshold",
        "level",
        "list",
        "table",
        "matrix",
        "for",
        "of",
        "and",
        "or",
        "definition",
        "value",
        "metric",
        "scenario",
        "type",
        "when",
        "if",
        "identification",
        "source",
        "overview",
        "evaluation",
    ];
    let said = plain(text);
    let mut words = said.split(' ');
    let first = words.next().unwrap_or_default();
    let Some(second) = words.next() else { return false };
    let named = text.to_lowercase().split(':').next().is_some_and(|name| name.trim() == "trigger");
    // `Trigger the rollback if …` says when.
    let says_when = goes_back(&said) && has(&said, &["if", "when"]);
    let noun = |word: &str| NOUNS.iter().any(|noun| word.starts_with(noun));
    // `Trigger rollback` alone names what calls for it.
    let of_going_back = goes_back(second) && words.all(noun);
    first == "trigger" && !named && !says_when && !noun(second) && !of_going_back
}

/// A heading that is one act of several, and no way back of its own.
pub(crate) fn is_act(heading: &str) -> bool {
    is_numbered_act(heading) || triggers_something(heading)
}

/// `2. Revert the offending change`: a numbered act, one phase of several.
pub(crate) fn is_numbered_act(heading: &str) -> bool {
    let bare = crate::words::without_number(heading);
    let number = heading.trim();
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
    let counted = digits > 0
        && number[digits..].starts_with(['.', ')', ':'])
        && !number[digits + 1..].starts_with(|c: char| c.is_ascii_digit());
    counted && imperative(bare)
}

/// Whether running text says how to go back: an order, or a sentence with one of
/// the words for it.
pub(crate) fn tells_what_to_do(text: &str) -> bool {
    let said = plain(text);
    let bare = said.strip_prefix("yes ").unwrap_or(&said);
    let speaks = has(
        bare,
        &[
            "restor",
            "redeploy",
            "revert",
            "reinstall",
            "switch",
            "disabl",
            "rollback",
            "backout",
            "downgrad",
            "snapshot",
            "previous version",
            "turned off",
            "turn off",
            "set back",
            "put back",
            "undo",
            "undone",
        ],
    );
    !nothing(text)
        && !forbids_backout(text)
        && !text.trim_end().ends_with(['?', ':'])
        && (imperative(bare) || speaks && bare.split(' ').count() >= 5)
}

/// `Backups verified (DBA)`: the text and who.
pub(crate) fn owner_at_end(text: &str) -> (String, Option<String>) {
    let text = text.trim();
    if let Some(open) = text.rfind('(')
        && text.ends_with(')')
    {
        let inside = &text[open + 1..text.len() - 1];
        let short = inside.split(' ').count() <= 3 && !inside.chars().any(|c| c.is_ascii_digit());
        if short && inside.chars().next().is_some_and(char::is_uppercase) {
            return (text[..open].trim().to_owned(), Some(inside.to_owned()));
        }
    }
    (text.to_owned(), None)
}
