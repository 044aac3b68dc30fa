//! What of a plan can be used to back out, although parts of its file cannot be read.
//!
//! On the night a plan with a mistake in a message is worth more than none. Only parts beside
//! the steps are ever left out: what a step does, who may do what, and what a step is checked
//! against are read wholly or not at all.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path as FilePath;

use backout_core::ids::Digest;

use super::{ReadPlan, bytes_of, lower_plan, parse, text_of};
use crate::diagnostic::{Diagnostic, codes};
use crate::yaml::{Kind, Node};

/// The sections that no step needs.
const BESIDE_THE_STEPS: [&str; 12] = [
    "window",
    "watch",
    "triggers",
    "readiness",
    "forecast",
    "messages",
    "follow_up",
    "alternatives",
    "risks",
    "review",
    "accepted",
    "notes",
];

/// A part of a plan file that cannot be used.
#[derive(Debug, Clone)]
pub struct LeftOut {
    /// Its place: `triggers.errors`, `risks (line 31)`.
    pub part: String,
    /// What is wrong with it.
    pub problem: Diagnostic,
}

/// Reads a plan file for a backout: without the parts beside the steps that cannot be used.
///
/// # Errors
/// Everything that is wrong with it, where the rest cannot be trusted.
pub fn read_to_back_out(
    path: &FilePath,
) -> Result<(ReadPlan, Vec<LeftOut>), (String, Vec<Diagnostic>)> {
    usable(&bytes_of(path)?)
}

/// Reads a plan for a backout from bytes.
///
/// # Errors
/// Everything that is wrong with it, where the rest cannot be trusted.
pub fn usable(bytes: &[u8]) -> Result<(ReadPlan, Vec<LeftOut>), (String, Vec<Diagnostic>)> {
    let text = text_of(bytes)?;
    let mut problems = Vec::new();
    let mut left_out = Vec::new();
    let Some(mut root) = parse(text, &mut problems) else {
        return Err((text.to_owned(), problems));
    };
    loop {
        if problems.is_empty()
            && let Some((plan, document)) = lower_plan(root.clone(), &mut problems)
            && problems.is_empty()
        {
            let digest = Digest::of(bytes);
            let read = ReadPlan { plan, source: text.to_owned(), digest, document };
            return Ok((read, left_out));
        }
        // What else names a part that is taken out is seen in the next round.
        let mut parts: BTreeMap<Place, LeftOut> = BTreeMap::new();
        for problem in &problems {
            let Some((place, part)) = part_of(&root, problem, text) else {
                // Nothing is left out of a plan that is not run: all of it is said.
                return super::read_bytes(bytes).map(|read| (read, Vec::new()));
            };
            parts.entry(place).or_insert_with(|| LeftOut { part, problem: problem.clone() });
        }
        if parts.is_empty() {
            return Err((text.to_owned(), problems));
        }
        problems.clear();
        for place in parts.keys().rev() {
            take_out(&mut root, *place);
        }
        left_out.extend(parts.into_values());
    }
}

/// A section of the file by its number, and an entry in it.
type Place = (usize, Option<usize>);

/// The part in which a problem lies, if no step needs it.
fn part_of(root: &Node, problem: &Diagnostic, text: &str) -> Option<(Place, String)> {
    let unreadable = [codes::SYNTAX, codes::ALIAS].contains(&problem.code);
    let span = problem.span.as_ref().filter(|_| !unreadable)?;
    let holds = |part: &Range<usize>| part.start <= span.start && span.end <= part.end;
    let Kind::Map(sections) = &root.kind else { return None };
    let entry = |(key, value): &(Node, Node)| key.span.start..value.span.end.max(key.span.end);
    let index = sections.iter().position(|section| holds(&entry(section)))?;
    let (key, value) = &sections[index];
    let name = key.text().filter(|name| BESIDE_THE_STEPS.contains(name))?;
    let (inner, part) = match &value.kind {
        Kind::Map(entries) => {
            let inner = entries.iter().position(|inner| holds(&entry(inner)));
            let key = inner.and_then(|inner| entries[inner].0.text());
            (inner, key.map_or_else(|| name.to_owned(), |key| format!("{name}.{key}")))
        }
        Kind::List(items) => {
            let inner = items.iter().position(|item| holds(&item.span));
            let line = text[..span.start].bytes().filter(|byte| *byte == b'\n').count() + 1;
            (inner, format!("{name} (line {line})"))
        }
        Kind::Scalar { .. } => (None, name.to_owned()),
    };
    Some(((index, inner), part))
}

fn take_out(root: &mut Node, (section, inner): Place) {
    let Kind::Map(sections) = &mut root.kind else { return };
    match (inner, &mut sections[section].1.kind) {
        (Some(inner), Kind::Map(entries)) => {
            entries.remove(inner);
        }
        (Some(inner), Kind::List(items)) => {
            items.remove(inner);
        }
        _ => {
            sections.remove(section);
        }
    }
}
