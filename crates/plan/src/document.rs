//! Where things stand in a plan file.

use std::fmt;
use std::ops::Range;

use crate::yaml::{Kind, Node};

/// A way into a plan: keys and positions from the root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
}

impl Path {
    /// The root of the plan.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// One key further.
    #[must_use]
    pub fn key(&self, key: impl fmt::Display) -> Self {
        let mut path = self.clone();
        path.0.push(Segment::Key(key.to_string()));
        path
    }

    /// One list entry further.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut path = self.clone();
        path.0.push(Segment::Index(index));
        path
    }

    /// A step by its position in the plan.
    #[must_use]
    pub fn step(index: usize) -> Self {
        Self::root().key("steps").index(index)
    }
}

/// A plan file as a tree with places.
#[derive(Debug, Clone)]
pub struct Document {
    pub(crate) root: Node,
}

impl Document {
    /// The node at a path, if the path leads to one.
    pub(crate) fn node(&self, path: &Path) -> Option<&Node> {
        path.0.iter().try_fold(&self.root, |node, segment| match (segment, &node.kind) {
            (Segment::Key(key), _) => node.get(key).map(|(_, value)| value),
            (Segment::Index(index), Kind::List(items)) => items.get(*index),
            (Segment::Index(_), _) => None,
        })
    }

    /// Where the value at a path stands. Where the path ends early, the last
    /// thing on it counts: a missing `owner` is reported at its step.
    #[must_use]
    pub fn span(&self, path: &Path) -> Range<usize> {
        let mut node = &self.root;
        let mut place = first_key(node);
        for segment in &path.0 {
            match (segment, &node.kind) {
                (Segment::Key(key), _) => match node.get(key) {
                    Some((name, value)) => {
                        let nested = matches!(value.kind, Kind::Map(_) | Kind::List(_));
                        place = if nested || value.is_null() {
                            name.span.clone()
                        } else {
                            value.span.clone()
                        };
                        node = value;
                    }
                    None => break,
                },
                (Segment::Index(index), Kind::List(items)) => match items.get(*index) {
                    Some(item) => {
                        place = name_of(item);
                        node = item;
                    }
                    None => break,
                },
                // A list of one may be written without its brackets.
                (Segment::Index(_), _) => {}
            }
        }
        place
    }

    /// Where the key at the end of a path stands, or the value's place if it has none.
    #[must_use]
    pub fn key_span(&self, path: &Path) -> Range<usize> {
        let mut node = &self.root;
        let mut place = first_key(node);
        for segment in &path.0 {
            let next = match (segment, &node.kind) {
                (Segment::Key(key), _) => {
                    node.get(key).map(|(name, value)| (name.span.clone(), value))
                }
                (Segment::Index(index), Kind::List(items)) => {
                    items.get(*index).map(|item| (name_of(item), item))
                }
                (Segment::Index(_), _) => Some((place.clone(), node)),
            };
            let Some(next) = next else { break };
            (place, node) = next;
        }
        place
    }
}

/// What stands for a list entry: its `id` if it has one.
fn name_of(item: &Node) -> Range<usize> {
    match item.get("id") {
        Some((_, id)) => id.span.clone(),
        None => first_key(item),
    }
}

fn first_key(node: &Node) -> Range<usize> {
    match &node.kind {
        Kind::Map(entries) => {
            entries.first().map_or(node.span.clone(), |(key, _)| key.span.clone())
        }
        _ => node.span.clone(),
    }
}

/// Plain YAML as JSON, for tools that work on the text of a plan rather than on
/// its meaning. `None` when it is not YAML.
#[must_use]
pub fn to_json(text: &str) -> Option<serde_json::Value> {
    let mut problems = Vec::new();
    let node = crate::yaml::parse(text, &mut problems)?;
    problems.is_empty().then(|| node_to_json(&node))
}

fn node_to_json(node: &Node) -> serde_json::Value {
    use serde_json::Value;
    match &node.kind {
        _ if node.is_null() => Value::Null,
        Kind::List(items) => items.iter().map(node_to_json).collect(),
        Kind::Map(entries) => entries
            .iter()
            .map(|(key, value)| (key.text().unwrap_or_default().to_owned(), node_to_json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Kind::Scalar { text, plain: true } => match text.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => text.parse::<i64>().map_or_else(|_| Value::String(text.clone()), Value::from),
        },
        Kind::Scalar { text, .. } => Value::String(text.clone()),
    }
}
