//! Blocks of code that are no commands: diagrams, data, what a program printed.

use std::sync::LazyLock;

use regex::Regex;

/// What a block of code is, if it is nothing to carry out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inert {
    /// A picture in words: it explains, and belongs to no step.
    Diagram,
    /// A configuration, a message, a log: it may belong to the step above it.
    Data,
}

static STAMPED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"^\s*(?:\[?\d{4}-\d{2}-\d{2}|\[?\d{2}:\d{2}:\d{2}|[A-Z][a-z]{2} +\d+ \d{2}:\d{2}|\[?(?:INFO|WARN|WARNING|ERROR|DEBUG|TRACE|FATAL|NOTICE)\b|\d+\.\d+\.\d+\.\d+ - )",
    )
    .ok()
});

/// What a block of code is, by the language it says it is in and by how it looks.
pub(crate) fn inert(language: Option<&str>, text: &str) -> Option<Inert> {
    const DIAGRAMS: [&str; 14] = [
        "mermaid", "plantuml", "puml", "uml", "dot", "graphviz", "gv", "d2", "ditaa", "svg",
        "flow", "sequence", "drawio", "ascii",
    ];
    const DATA: [&str; 20] = [
        "json",
        "json5",
        "jsonc",
        "xml",
        "yaml",
        "yml",
        "toml",
        "ini",
        "properties",
        "conf",
        "csv",
        "log",
        "logs",
        "output",
        "html",
        "diff",
        "patch",
        "hcl",
        "env",
        "http",
    ];
    let language = language.map(str::to_lowercase).unwrap_or_default();
    let language = language.split([' ', ',', '{']).next().unwrap_or_default();
    if DIAGRAMS.contains(&language) {
        return Some(Inert::Diagram);
    }
    if DATA.contains(&language) {
        return Some(Inert::Data);
    }
    let text = text.trim();
    let first = text.lines().next().unwrap_or_default().trim();
    if draws(first) {
        return Some(Inert::Diagram);
    }
    let json = text.starts_with(['{', '['])
        && text.ends_with(['}', ']'])
        && serde_json::from_str::<serde_json::Value>(text).is_ok();
    let xml = first.starts_with('<')
        && first[1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '?' | '!'))
        && text.ends_with('>')
        && text.contains("</");
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let stamped = |line: &&&str| STAMPED.as_ref().is_some_and(|stamp| stamp.is_match(line));
    let log = !lines.is_empty() && lines.iter().filter(stamped).count() * 2 > lines.len();
    (json || xml || log).then_some(Inert::Data)
}

/// Whether a line begins a diagram.
fn draws(first: &str) -> bool {
    const BEGINS: [&str; 18] = [
        "@start",
        "digraph",
        "strict digraph",
        "flowchart ",
        "sequencediagram",
        "statediagram",
        "classdiagram",
        "erdiagram",
        "gantt",
        "journey",
        "mindmap",
        "timeline",
        "gitgraph",
        "quadrantchart",
        "graph {",
        "graph td",
        "graph lr",
        "graph tb",
    ];
    let lower = first.to_lowercase();
    BEGINS.iter().any(|begins| lower.starts_with(begins))
        || ["graph rl", "graph bt", "%%{init", "---\ntitle"].iter().any(|b| lower.starts_with(b))
        || lower.starts_with("graph ") && lower.ends_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_diagrams_and_data() {
        for (language, text) in [
            (Some("plantuml"), "a -> b"),
            (None, "@startuml\n:Restore;\n@enduml"),
            (None, "digraph G {\n a -> b;\n}"),
            (Some("dot"), "graph { a -- b }"),
            (None, "flowchart TD\n  A --> B"),
            (None, "sequenceDiagram\n  A->>B: roll back"),
        ] {
            assert_eq!(inert(language, text), Some(Inert::Diagram), "{text}");
        }
        for (language, text) in [
            (Some("json"), "{}"),
            (None, "{\"version\": \"1.9\"}"),
            (None, "<rollback><to>1.9</to></rollback>"),
            (None, "2026-01-01 10:00:00 ERROR failed\n2026-01-01 10:00:01 INFO up"),
            (None, "[INFO] restored\n[INFO] done"),
            (Some("yaml"), "image: 1.9"),
        ] {
            assert_eq!(inert(language, text), Some(Inert::Data), "{text}");
        }
        for (language, text) in [
            (Some("bash"), "systemctl stop portal"),
            (None, "kubectl rollout undo deploy/portal"),
            (None, "graph-cli restore"),
            (None, "[ -f x ] && rm x"),
            (Some("sql"), "DELETE FROM x;"),
            (Some("console"), "$ ls\na  b"),
        ] {
            assert_eq!(inert(language, text), None, "{text}");
        }
    }
}
