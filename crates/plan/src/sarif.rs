//! Findings as SARIF 2.1.0 (OASIS), for code hosts that show them beside the file.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::diagnostic::{Diagnostic, Level};
use crate::rules;

/// One file's findings, with its text.
pub struct Checked<'a> {
    /// The file, as it was given.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
    /// What was found.
    pub findings: &'a [Diagnostic],
}

/// A SARIF log with one run over all files.
#[must_use]
pub fn log(files: &[Checked<'_>]) -> Value {
    let mut used = BTreeSet::new();
    let mut results = Vec::new();
    for file in files {
        for finding in file.findings {
            used.insert(finding.code);
            results.push(result(file, finding));
        }
    }
    let rules: Vec<Value> = used.into_iter().map(rule).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "backout",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: &'static str) -> Value {
    match rules::find(code) {
        Some(rule) => json!({
            "id": code,
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": rule.why},
            "help": {"text": rule.fix},
        }),
        None => json!({"id": code}),
    }
}

fn result(file: &Checked<'_>, finding: &Diagnostic) -> Value {
    let level = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    let text = match &finding.hint {
        Some(hint) => format!("{}. {hint}", finding.message),
        None => finding.message.clone(),
    };
    let mut physical = json!({"artifactLocation": {"uri": uri(file.file)}});
    if let Some((line, column)) = finding.position(file.text) {
        physical["region"] = json!({"startLine": line, "startColumn": column});
    }
    json!({
        "ruleId": finding.code,
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": physical}],
    })
}

/// A path as a URI reference (RFC 3986): everything but letters, digits and a few
/// signs is percent-encoded.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}
