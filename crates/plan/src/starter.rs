//! The plan to start from.

/// A commented plan that reads, and that checks clean but for what only its
/// author can know.
#[must_use]
pub fn starter(schema: Option<&str>) -> String {
    let text = include_str!("starter.backout.yaml");
    match schema {
        Some(schema) => format!("# yaml-language-server: $schema={schema}\n{text}"),
        None => text.to_owned(),
    }
}
