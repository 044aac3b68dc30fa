//! Changes to a plan file that touch nothing but what they change: comments,
//! order and layout stay.

use std::ops::Range;

use backout_core::duration::Estimate;

use crate::document::{Document, Path};
use crate::yaml::{Kind, Node};

/// One change: these bytes become this text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What goes.
    pub range: Range<usize>,
    /// What comes.
    pub text: String,
}

/// Applies changes that do not overlap.
#[must_use]
pub fn apply(source: &str, edits: &[Edit]) -> String {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_by_key(|edit| edit.range.start);
    let (mut text, mut at) = (String::with_capacity(source.len()), 0);
    for edit in sorted {
        text.push_str(&source[at..edit.range.start]);
        text.push_str(&edit.text);
        at = edit.range.end;
    }
    text.push_str(&source[at..]);
    text
}

/// The changes that make a step take this long; `None` where the file is written
/// in a way that cannot be changed in place.
#[must_use]
pub fn takes(
    document: &Document,
    source: &str,
    step: usize,
    estimate: Estimate,
) -> Option<Vec<Edit>> {
    let node = document.node(&Path::step(step))?;
    // A step written as `{…}` or in JSON leaves no line of its own to change.
    if source[node.span.clone()].trim_start().starts_with('{') {
        return None;
    }
    let written = match estimate {
        Estimate::Point(span) => span.to_string(),
        Estimate::Range { low, likely, high } => {
            format!("{{low: {low}, likely: {likely}, high: {high}}}")
        }
    };
    let Some((_, value)) = node.get("takes") else {
        return insert(node, source, &written).map(|edit| vec![edit]);
    };
    match &value.kind {
        // Not a block scalar: its sign would stay behind.
        Kind::Scalar { .. }
            if !value.span.is_empty() && !source[value.span.clone()].contains('\n') && {
                let line = source[..value.span.start].rfind('\n').map_or(0, |at| at + 1);
                source[line..value.span.start].contains("takes")
            } =>
        {
            Some(vec![Edit { range: value.span.clone(), text: written }])
        }
        Kind::Map(_) => {
            // Figure by figure: a comment beside one of them stays.
            let Estimate::Range { low, likely, high } = estimate else { return None };
            let mut edits = Vec::new();
            for (key, span) in [("low", low), ("likely", likely), ("high", high)] {
                let (_, old) = value.get(key)?;
                edits.push(Edit { range: old.span.clone(), text: span.to_string() });
            }
            Some(edits)
        }
        _ => None,
    }
}

/// A new line behind the step's name, indented as the name is.
fn insert(node: &Node, source: &str, written: &str) -> Option<Edit> {
    let (key, value) = node.get("id")?;
    let line = source[..key.span.start].rfind('\n').map_or(0, |at| at + 1);
    let lead = &source[line..key.span.start];
    let end = value.span.end + source[value.span.end..].find('\n')?;
    let (end, new_line) = match source[..end].ends_with('\r') {
        true => (end - 1, "\r\n"),
        false => (end, "\n"),
    };
    // `- {id: …}` on one line has no place for another.
    if source[line..key.span.start].contains('{') || !lead.chars().all(|c| c == ' ' || c == '-') {
        return None;
    }
    let indent = lead.replace('-', " ");
    Some(Edit { range: end..end, text: format!("{new_line}{indent}takes: {written}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(source: &str, estimate: &str) -> Option<String> {
        let read = crate::read_bytes(source.as_bytes()).expect("a plan");
        let estimate = serde_json::from_str(estimate).expect("an estimate");
        let edits = takes(&read.document, &read.source, 0, estimate)?;
        Some(apply(&read.source, &edits))
    }

    const HEAD: &str = "backout: 1\nchange: {id: C1, title: t}\nroles: {me: {name: Me}}\n";
    const NEW: &str = r#"{"low":"1m","likely":"2m","high":"4m"}"#;

    #[test]
    fn a_figure_becomes_three_and_comments_stay() {
        let steps = "steps:\n  - id: a\n    owner: me # the boss\n    takes: 5m   # measured once\n    manual: Do.\n";
        let expected = "steps:\n  - id: a\n    owner: me # the boss\n    takes: {low: 1m, likely: 2m, high: 4m}   # measured once\n    manual: Do.\n";
        assert_eq!(changed(&format!("{HEAD}{steps}"), NEW), Some(format!("{HEAD}{expected}")));
    }

    #[test]
    fn three_figures_are_changed_one_by_one() {
        let steps = "steps:\n  - id: a\n    owner: me\n    takes:\n      low: 5m\n      likely: 6m # mostly\n      high: \"7m\"\n    manual: Do.\n";
        let found = changed(&format!("{HEAD}{steps}"), NEW).expect("changed");
        assert!(found.contains("likely: 2m # mostly\n      high: 4m\n"), "{found}");
    }

    #[test]
    fn a_missing_figure_is_put_behind_the_name() {
        let steps = "steps:\n  - id: a # first\n    owner: me\n    manual: Do.\n";
        let found = changed(&format!("{HEAD}{steps}"), NEW).expect("changed");
        assert!(
            found.contains(
                "  - id: a # first\n    takes: {low: 1m, likely: 2m, high: 4m}\n    owner"
            ),
            "{found}"
        );
        crate::read_bytes(found.as_bytes()).expect("still a plan");
        for odd in [
            "steps:\n  - {\n    id: a,\n    owner: me,\n    takes: 5m,\n    manual: Do.\n  }\n",
            "steps:\n  - id: a\n    owner: me\n    takes: >-\n      5m\n    manual: Do.\n",
        ] {
            assert_eq!(changed(&format!("{HEAD}{odd}"), NEW), None, "{odd}");
        }
        let flow = "steps: [{id: a, owner: me, manual: Do.}]\n";
        assert_eq!(changed(&format!("{HEAD}{flow}"), NEW), None);
    }
}
