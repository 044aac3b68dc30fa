//! The text of steps: numbers and names in headings, brackets at the end of a line,
//! checks and what they should give, sentences that say that there is no way on.

use backout_core::duration::Estimate;
use backout_core::ids::StepId;
use backout_core::plan::{Check, Verification};

use crate::draft::Draft;
use crate::values;
use crate::words::{has, plain, without_number};

pub(crate) fn confirm(text: &str) -> Verification {
    Verification { check: Check::Confirm(text.to_owned()), within: None, every: None }
}

pub(crate) fn with_end(text: String) -> String {
    if text.contains('\n') && !text.ends_with('\n') { text + "\n" } else { text }
}

/// What a step brings back, if its title says so.
pub(crate) fn restored(title: &str) -> Option<&str> {
    let lower = title.to_lowercase();
    ["restore ", "revert ", "rollback ", "roll back ", "downgrade ", "redeploy ", "back out "]
        .into_iter()
        .find(|verb| lower.starts_with(verb))
        .and_then(|verb| title.get(verb.len()..))
}

/// Checks as one text each; a command and what it should give belong together.
pub(crate) fn checks(lines: &[String]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in lines {
        let text = line.trim().trim_start_matches(['-', '*', '•']).trim();
        if text.is_empty() {
            continue;
        }
        let lower = text.to_lowercase();
        if lower.starts_with("expected")
            && found.last().is_some_and(|last| last.to_lowercase().starts_with("run:"))
        {
            if let Some(last) = found.last_mut() {
                let expected = text.split_once(':').map_or(text, |(_, rest)| rest.trim());
                *last = format!("{} Expected: {expected}", last.trim_end());
            }
        } else {
            found.push(text.to_owned());
        }
    }
    found
}

/// The steps that `1, 2` or a title names.
pub(crate) fn after(text: &str, drafts: &[Draft], ids: &[StepId]) -> Option<Vec<StepId>> {
    let said = plain(text);
    if matches!(said.as_str(), "none" | "nothing" | "start" | "start at once" | "at once") {
        return Some(Vec::new());
    }
    let mut found = Vec::new();
    for piece in text.split([',', ';', '\n']).flat_map(|piece| piece.split(" and ")) {
        let piece = piece.trim().trim_start_matches("Step ").trim_start_matches("step ").trim();
        if piece.is_empty() {
            continue;
        }
        let number: Option<u32> = piece.parse().ok();
        let said = plain(piece);
        let at = drafts.iter().zip(ids).position(|(draft, id)| {
            id.as_str() == piece
                || (number.is_some() && draft.number == number)
                || draft.said == said
        })?;
        found.push(ids[at].clone());
    }
    Some(found)
}

/// `Step 5: Restore Database`, `5. Restore Database`: its number and name.
pub(crate) fn numbered(heading: &str) -> Option<(Option<u32>, String)> {
    let trimmed = heading.trim();
    if let Some((number, title)) = crate::headings::roman(trimmed) {
        return Some((Some(number), title.to_owned()));
    }
    let lower = trimmed.to_lowercase();
    let rest = ["step ", "task "]
        .iter()
        .find(|word| lower.starts_with(**word))
        .map_or(trimmed, |word| &trimmed[word.len()..]);
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let number: u32 = rest[..digits].parse().ok()?;
    let tail = &rest[digits..];
    // `5.2 Procedure` is a chapter of a long document.
    if tail.starts_with('.') && tail[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let title =
        tail.trim_start_matches(['.', ')', ':', '-', '\u{2013}', '\u{2014}', ' ']).to_owned();
    Some((Some(number), title))
}

/// Whether a heading names one of several ways back, and what it calls it.
pub(crate) fn option_name(heading: &str) -> Option<String> {
    let bare = without_number(heading);
    let said = plain(bare);
    let mut words = said.split(' ');
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let counted = second.len() <= 2
        && (second.chars().all(|c| c.is_ascii_digit())
            || second.len() == 1 && second.chars().all(|c| c.is_ascii_alphabetic()))
        && !second.is_empty();
    let kind = [
        "option", "plan", "level", "tier", "rollback", "backout", "strategy", "method", "fallback",
        "scenario",
    ]
    .contains(&first);
    if kind && counted {
        let rest = bare
            .split_once([':', '\u{2013}', '\u{2014}'])
            .or_else(|| bare.split_once(" - "))
            .map(|(_, rest)| rest.trim().to_owned());
        return Some(rest.filter(|rest| !rest.is_empty()).unwrap_or_else(|| bare.to_owned()));
    }
    (first == "maintenance" && second == "page" || has(&said, &["worst case"]))
        .then(|| bare.to_owned())
}

/// Two names of one step: the telling words of the shorter stand in the longer.
pub(crate) fn alike(one: &str, other: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        plain(text)
            .split(' ')
            .filter(|word| !matches!(*word, "the" | "a" | "an" | "to" | "of" | ""))
            .map(str::to_owned)
            .collect()
    };
    let (one, other) = (words(one), words(other));
    let (few, many) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    let same = few.iter().filter(|word| many.contains(word)).count();
    !few.is_empty() && same * 2 >= few.len()
}

/// A title from a text: its first sentence, cut where it is long.
pub(crate) fn title_of(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default().trim();
    let end = line.match_indices(". ").map(|(at, _)| at).find(|at| ends_here(&line[..*at]));
    let end = end.unwrap_or(line.len());
    let sentence = line[..end].trim_end_matches(['.', ':', ';']).trim();
    if sentence.chars().count() <= 90 {
        return sentence.to_owned();
    }
    let mut title = String::new();
    for word in sentence.split(' ') {
        if title.chars().count() + word.chars().count() > 86 {
            break;
        }
        if !title.is_empty() {
            title.push(' ');
        }
        title.push_str(word);
    }
    if title.is_empty() { sentence.chars().take(86).collect() } else { title + " …" }
}

/// Whether a dot behind this text ends a sentence, and no short form.
fn ends_here(text: &str) -> bool {
    const SHORT: [&str; 16] = [
        "i.e", "e.g", "etc", "vs", "approx", "ca", "no", "nr", "st", "dr", "mr", "ms", "mrs", "cf",
        "resp", "incl",
    ];
    let last = text.rsplit([' ', '(', '[']).next().unwrap_or_default();
    !SHORT.contains(&last.to_lowercase().as_str()) && last.chars().count() != 1
}

/// `Restore the database (DBA, 30 min)`: the text, and what stands in brackets at its end.
pub(crate) fn trailing_brackets(text: &str) -> (String, Vec<String>) {
    let mut rest = text.trim().trim_end_matches('.').to_owned();
    let mut found = Vec::new();
    while let Some(open) = rest.rfind(['(', '['])
        && (rest.ends_with(')') || rest.ends_with(']'))
    {
        found.push(rest[open + 1..rest.len() - 1].to_owned());
        rest.truncate(open);
        rest.truncate(rest.trim_end().len());
    }
    (rest, found)
}

/// `Restore DB snapshot (15 min) - DBA Team`: the text, and what stands behind its last
/// dash, if there is one.
pub(crate) fn trailing_dash(text: &str) -> Option<(&str, &str)> {
    [" - ", " \u{2013} ", " \u{2014} "]
        .into_iter()
        .filter_map(|sign| text.rsplit_once(sign))
        .max_by_key(|(before, _)| before.len())
        .map(|(before, behind)| (before.trim(), behind.trim().trim_end_matches('.')))
}

/// `RDS 10 min:`: a heading that ends in how long its part takes, without that.
pub(crate) fn trailing_length(heading: &str) -> Option<(&str, Estimate)> {
    let bare = heading.trim().trim_end_matches([':', '.']).trim_end();
    let at = bare
        .char_indices()
        .filter(|(at, c)| c.is_ascii_digit() && (*at == 0 || bare[..*at].ends_with([' ', '~'])))
        .map(|(at, _)| at)
        .find(|at| {
            values::length(&bare[*at..], None).is_some() && !values::says_more(&bare[*at..])
        })?;
    let title = bare[..at].trim_end_matches(['~', '-', '\u{2013}', '\u{2014}', ',', ':', ' ']);
    (!title.is_empty()).then(|| values::length(&bare[at..], None).map(|takes| (title, takes)))?
}

pub(crate) fn before_brackets(title: &str) -> String {
    match trailing_brackets(title) {
        (rest, found) if found.iter().any(|text| values::length(text, None).is_some()) => rest,
        _ => title.trim().to_owned(),
    }
}

/// The sentence that says that something cannot be taken back.
pub(crate) fn no_return(text: &str) -> Option<String> {
    const SIGNS: [&str; 9] = [
        "no longer possible",
        "cannot be undone",
        "can not be undone",
        "irreversible",
        "point of no return",
        "last resort",
        "will result in data loss",
        "will lose data",
        "not reversible",
    ];
    let sentences = text.split_inclusive(['.', '!', '\n']);
    sentences
        .map(str::trim)
        .find(|sentence| {
            let lower = sentence.to_lowercase();
            SIGNS.iter().any(|sign| lower.contains(sign))
        })
        .map(str::to_owned)
}
