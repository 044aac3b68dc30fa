//! A plan file, read strictly, with everything that is wrong reported at once.
//!
//! serde stops at the first error. So the file is read again without the part
//! that was wrong, until what is left reads; each round gives one diagnostic.
//! An error about something that encloses a part already taken out is only an
//! echo of that and is not shown. What is left is also what references are
//! checked on, against the names of the whole file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::Range;
use std::path::Path as FilePath;

use serde::Deserialize;

use backout_core::ids::Digest;
use backout_core::plan::{Plan, Step};

use crate::diagnostic::{Diagnostic, codes};
use crate::document::Document;
use crate::lower::Lower;
use crate::yaml::{self, Kind, Node};

mod references;
mod usable;

pub use usable::{LeftOut, read_to_back_out, usable};

/// More errors than this in one file help nobody.
const MOST: usize = 50;

/// Keys inside a section that this version does not carry out, and what is
/// possible instead.
const NOT_YET_INSIDE: [(&str, &[&str], &str, &str); 2] = [
    (
        "readiness",
        &["check"],
        "check readiness by itself",
        "write `attest: …` and let a person look",
    ),
    ("messages", &["send", "every"], "send messages", "let the `owner` send it"),
];

/// A plan that was read without errors.
#[derive(Debug, Clone)]
pub struct ReadPlan {
    /// The plan.
    pub plan: Plan,
    /// Its text, as it was on disk.
    pub source: String,
    /// SHA-256 of the text.
    pub digest: Digest,
    /// Where its parts stand.
    pub document: Document,
}

/// Reads a plan file.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file.
pub fn read(path: &FilePath) -> Result<ReadPlan, (String, Vec<Diagnostic>)> {
    read_bytes(&bytes_of(path)?)
}

fn bytes_of(path: &FilePath) -> Result<Vec<u8>, (String, Vec<Diagnostic>)> {
    let alone = |diagnostic: Diagnostic| (String::new(), vec![diagnostic]);
    // Never more than the limit, whatever kind of file it is: a device has no size.
    let file = std::fs::File::open(path).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(yaml::LARGEST as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    match file {
        Ok(bytes) => Ok(bytes),
        Err(error) => {
            let hint = match error.kind() {
                std::io::ErrorKind::NotFound => {
                    "check the name; `backout new FILE` writes a new plan"
                }
                std::io::ErrorKind::PermissionDenied => "you may not read it",
                _ => "is it a file?",
            };
            let message = format!("this file cannot be read: {error}");
            Err(alone(Diagnostic::error(codes::UNREADABLE, message).hint(hint)))
        }
    }
}

fn too_large() -> Diagnostic {
    let most = yaml::LARGEST / (1024 * 1024);
    Diagnostic::error(codes::TOO_LARGE, format!("this file is larger than {most} MB"))
        .hint("is it a plan? Keep scripts and data in files of their own")
}

/// Reads a plan from bytes.
///
/// # Errors
/// The text as far as it is text, and everything that is wrong with it, in the
/// order of the file.
pub fn read_bytes(bytes: &[u8]) -> Result<ReadPlan, (String, Vec<Diagnostic>)> {
    let text = text_of(bytes)?;
    let mut problems = Vec::new();
    let root = parse(text, &mut problems);
    let read = root.and_then(|root| lower_plan(root, &mut problems));
    problems.sort_by_key(|problem| problem.span.as_ref().map(|span| span.start));
    if problems.len() > MOST {
        let more = problems.len() - MOST;
        problems.truncate(MOST);
        let message = format!("there are {more} errors more; mend these first");
        problems.push(Diagnostic::error(codes::WRONG_VALUE, message));
    }
    match read {
        Some((plan, document)) if problems.is_empty() => {
            Ok(ReadPlan { plan, source: text.to_owned(), digest: Digest::of(bytes), document })
        }
        _ => Err((text.to_owned(), problems)),
    }
}

fn text_of(bytes: &[u8]) -> Result<&str, (String, Vec<Diagnostic>)> {
    if bytes.len() > yaml::LARGEST {
        return Err((String::new(), vec![too_large()]));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let at = error.valid_up_to();
            let good = String::from_utf8_lossy(&bytes[..at]).into_owned();
            let message = format!("this is not UTF-8 text: byte {at} is 0x{:02x}", bytes[at]);
            let diagnostic = Diagnostic::error(codes::NOT_TEXT, message)
                .at(at..at)
                .hint("save the file as UTF-8; a Word or Excel file has to be imported");
            Err((good, vec![diagnostic]))
        }
    }
}

/// Reads one step, as `add` and `replace` take it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_step(
    bytes: &[u8],
    plan: &Plan,
    others: &[Step],
) -> Result<Step, (String, Vec<Diagnostic>)> {
    let text = text_of(bytes)?.to_owned();
    let mut problems = Vec::new();
    let read = parse(&text, &mut problems).and_then(|root| {
        // A list of one step is what people copy out of a plan.
        let root = match root.kind {
            Kind::List(mut items) if items.len() == 1 => items.remove(0),
            _ => root,
        };
        let (step, rest) = lower::<Step>(root, &mut problems)?;
        references::check_step(&step, plan, others, &Document { root: rest }, &mut problems);
        Some(step)
    });
    match read {
        Some(step) if problems.is_empty() => Ok(step),
        _ => Err((text, problems)),
    }
}

fn parse(text: &str, problems: &mut Vec<Diagnostic>) -> Option<Node> {
    let root = yaml::parse(text, problems);
    if problems.is_empty() && root.as_ref().is_none_or(Node::is_null) {
        let diagnostic = Diagnostic::error(codes::EMPTY, "there is nothing in this file");
        problems.push(diagnostic.hint(START_HERE));
        return None;
    }
    root
}

const START_HERE: &str = "`backout new FILE` writes a plan to start from";

fn lower_plan(mut root: Node, problems: &mut Vec<Diagnostic>) -> Option<(Plan, Document)> {
    if !matches!(root.kind, Kind::Map(_)) {
        let message =
            format!("expected a mapping that starts with `backout: 1`, found {}", root.shape());
        let diagnostic = Diagnostic::error(codes::WRONG_VALUE, message).at(root.span);
        problems.push(diagnostic.hint(START_HERE));
        return None;
    }
    refuse_what_is_not_carried_out(&mut root, problems);
    let names = references::Names::of(&root);
    let (plan, left) = lower::<Plan>(root, problems)?;
    let document = Document { root: left };
    references::check(&plan, &names, &document, problems);
    Some((plan, document))
}

/// A plan that asks to be watched must not look as if it were.
fn refuse_what_is_not_carried_out(root: &mut Node, problems: &mut Vec<Diagnostic>) {
    let Kind::Map(entries) = &mut root.kind else { return };
    for (section, keys, verb, instead) in NOT_YET_INSIDE {
        let Some((_, value)) = entries.iter_mut().find(|(key, _)| key.text() == Some(section))
        else {
            continue;
        };
        let Kind::Map(items) = &mut value.kind else { continue };
        // The whole item goes: without its condition it would only be an echo.
        items.retain(|(_, item)| {
            let Some((key, _)) = keys.iter().find_map(|key| item.get(key)) else { return true };
            let name = key.text().unwrap_or_default();
            let message = format!("this version does not {verb}: `{name}` would have no effect");
            let problem = Diagnostic::error(codes::NOT_YET, message);
            problems.push(problem.at(key.span.clone()).hint(instead));
            false
        });
    }
}

/// Reads a value, taking out what is wrong until the rest reads. Returns the
/// value and the tree it was read from; `None` when nothing readable is left.
fn lower<T: for<'de> Deserialize<'de>>(
    mut root: Node,
    problems: &mut Vec<Diagnostic>,
) -> Option<(T, Node)> {
    let mut taken: Vec<Range<usize>> = Vec::new();
    for _ in 0..=MOST {
        let error = match T::deserialize(Lower(&root)) {
            Ok(value) => return Some((value, root)),
            Err(error) => *error.diagnostic,
        };
        let span = error.span.clone().unwrap_or_else(|| root.span.clone());
        // A missing key is reported at its mapping; show where that begins.
        let encloses =
            |part: &Range<usize>| span.start <= part.start && part.end <= span.end && *part != span;
        let echo = taken.iter().any(encloses);
        if !echo {
            problems.push(error);
        }
        taken.push(span.clone());
        if !remove(&mut root, &span) {
            return None;
        }
    }
    None
}

/// Takes out the innermost mapping entry or list item that holds `span`.
fn remove(node: &mut Node, span: &Range<usize>) -> bool {
    let holds = |part: &Range<usize>| part.start <= span.start && span.end <= part.end;
    match &mut node.kind {
        Kind::Map(entries) => {
            for index in 0..entries.len() {
                let (key, value) = &mut entries[index];
                if holds(&key.span)
                    || value.span == *span
                    || (holds(&value.span) && !remove(value, span))
                {
                    entries.remove(index);
                    return true;
                }
                if holds(&value.span) {
                    return true;
                }
            }
            false
        }
        Kind::List(items) => {
            for index in 0..items.len() {
                let item = &mut items[index];
                if item.span == *span || (holds(&item.span) && !remove(item, span)) {
                    items.remove(index);
                    return true;
                }
                if holds(&item.span) {
                    return true;
                }
            }
            false
        }
        Kind::Scalar { .. } => false,
    }
}

/// Names that a section of the tree defines, with the place of each.
pub(crate) type Defined = BTreeMap<String, Range<usize>>;

/// The keys of a mapping section.
pub(crate) fn keys_of(root: &Node, section: &str) -> Defined {
    match root.get(section).map(|(_, value)| &value.kind) {
        Some(Kind::Map(entries)) => entries
            .iter()
            .filter_map(|(key, _)| Some((key.text()?.to_owned(), key.span.clone())))
            .collect(),
        _ => Defined::new(),
    }
}

/// A name that stands twice: the name, its first place, its second.
pub(crate) type Twice = (String, Range<usize>, Range<usize>);

/// The ids of the stages and of the steps, and every id that stands twice among both.
pub(crate) fn step_ids(root: &Node) -> (Defined, Defined, Vec<Twice>) {
    let mut all = Defined::new();
    let mut twice = Vec::new();
    let mut of = |section: &str| {
        let mut ids = Defined::new();
        let Some(Kind::List(steps)) = root.get(section).map(|(_, value)| &value.kind) else {
            return ids;
        };
        for id in steps.iter().filter_map(|step| step.get("id")).map(|(_, id)| id) {
            let Some(text) = id.text() else { continue };
            match all.get(text) {
                Some(first) => twice.push((text.to_owned(), first.clone(), id.span.clone())),
                None => {
                    all.insert(text.to_owned(), id.span.clone());
                    ids.insert(text.to_owned(), id.span.clone());
                }
            }
        }
        ids
    };
    let (stages, steps) = (of("stages"), of("steps"));
    (stages, steps, twice)
}

/// The words of a set, for a hint.
pub(crate) fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: BTreeSet<&str> = words.collect();
    let shown: Vec<String> = words.iter().take(12).map(|word| format!("`{word}`")).collect();
    shown.join(", ")
}
