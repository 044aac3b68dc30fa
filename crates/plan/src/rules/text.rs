//! What stands anywhere in the plan and should not: blanks to fill in, secrets.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};
use serde_json::Value;

use super::{Facts, Rule};
use crate::diagnostic::Level::Error;
use crate::document::Path;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "BOP-105",
        level: Error,
        title: "There are no blanks left to fill in",
        why: "\"Call xxx-xxxx\" is a template. Whoever reads it at three in the morning has nobody to ask.",
        fix: "fill it in",
        clauses: &[],
        fires: "roles: {dba: {reach: {phone: xxx-xxxx}}}",
        silent: "roles: {dba: {reach: {phone: \"+44 20 7946 0003\"}}}",
        look: |facts, found| {
            for (path, text) in texts(facts) {
                if let Some(blank) = BLANKS.find(&text) {
                    let message = format!("`{}` is still to be filled in", blank.as_str().trim());
                    found.plan(path, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-118",
        level: Error,
        title: "There are no secrets in the plan",
        why: "A plan is mailed, printed, attached to tickets and kept for years. A password in it is public.",
        fix: "write a reference instead: `env:NAME`, `file:PATH` or `exec:COMMAND`; and change the secret, it has been seen",
        clauses: &["NIST SP 800-53 r5, IA-5(7)"],
        fires: "sources: {portal-db: {postgres: \"postgres://portal:hunter2@db/portal\"}}",
        silent: "sources: {portal-db: {postgres: \"env:PORTAL_DB_URL\"}}",
        look: |facts, found| {
            for (path, text) in texts(facts) {
                if let Some(index) = SECRETS.matches(&text).iter().next() {
                    found.plan(path, format!("this holds {} in clear", SECRET_KINDS[index].1));
                }
            }
            for (index, step) in facts.plan.steps.iter().enumerate() {
                let headers = match &step.action {
                    backout_core::plan::Action::Http(http) => {
                        Some(("http", "headers", &http.headers))
                    }
                    backout_core::plan::Action::Run(run) => Some(("run", "env", &run.env)),
                    _ => None,
                };
                let Some((kind, key, values)) = headers else { continue };
                for (name, value) in values {
                    let plain =
                        matches!(value, backout_core::plan::Text::Plain(text) if !text.is_empty());
                    if plain && SECRET_NAMES.is_match(name) {
                        let at = Path::step(index).key(kind).key(key).key(name);
                        found.at(
                            at,
                            &step.id,
                            format!("the value of `{name}` stands here in clear"),
                        );
                    }
                }
            }
        },
    },
];

static BLANKS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)
        \b(?:TBD|TBC|TODO|FIXME|XXX+)\b
        | \b(?i:xx+[-\ ]xx+)
        | <[a-zA-Z][a-zA-Z0-9_\ -]{0,30}[a-zA-Z0-9]>
        | \[(?:NAME|DATE|TIME|VERSION|PHONE|EMAIL|OWNER|HOST|SERVER|PATH|TICKET|[A-Z]{3,}(?:[_\ ][A-Z]+)+)\]
        | \{\+.*?\+\}
        | (?i:'sid,serial\#'|\bchange-?me\b|\bto\ be\ (?:decided|defined|confirmed|filled\ in)\b)
        | \?{3,}
        | \b(?:YYYYMMDD|yyyymmdd|YYYY-MM-DD|yyyy-mm-dd)\b
        ",
    )
    .expect("a pattern of this file")
});

const SECRET_KINDS: [(&str, &str); 8] = [
    (r"[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@{$]+@", "a password in an address"),
    (
        r"(?i)\b(?:password|passwd|pwd|secret|api[_-]?key|access[_-]?token)\s*[=:]\s*[^\s$<{*'\x22][^\s'\x22]{2,}",
        "a secret",
    ),
    (r"(?i)\bPGPASSWORD=[^\s$][^\s]*", "a database password"),
    (r"(?i)\bauthorization:\s*(?:bearer|basic)\s+[A-Za-z0-9+/_=.-]{8,}", "a credential"),
    (r"(?i)^\s*(?:bearer|basic)\s+[A-Za-z0-9+/_=.-]{8,}", "a credential"),
    (r"\bAKIA[0-9A-Z]{16}\b", "an access key"),
    (r"\b(?:ghp|gho|ghs|glpat|xox[abp]|sk_live)[-_][A-Za-z0-9_-]{10,}", "an access token"),
    (r"-----BEGIN [A-Z ]*PRIVATE KEY-----", "a private key"),
];

static SECRETS: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new(SECRET_KINDS.map(|(pattern, _)| pattern)).expect("patterns of this file")
});

static SECRET_NAMES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(password|passwd|secret|token|api[_-]?key|authorization|credential)")
        .expect("a pattern of this file")
});

/// Every text in the plan, with its place. The plan's JSON has the shape of the
/// file, so a way into one is a way into the other.
fn texts(facts: &Facts<'_>) -> Vec<(Path, String)> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::to_value(facts.plan) {
        collect(&value, &Path::root(), &mut found);
    }
    found
}

fn collect(value: &Value, path: &Path, found: &mut Vec<(Path, String)>) {
    match value {
        Value::String(text) => found.push((path.clone(), text.clone())),
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| collect(item, &path.index(index), found));
        }
        // Reasons why a finding is accepted may name what they are about.
        Value::Object(entries) => entries
            .iter()
            .filter(|(key, _)| *key != "accepted")
            .for_each(|(key, value)| collect(value, &path.key(key), found)),
        _ => {}
    }
}
