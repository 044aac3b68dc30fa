//! What stands anywhere in the plan and should not: blanks to fill in, secrets.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};
use serde_json::Value;

use super::{Facts, Found, Rule};
use crate::diagnostic::Level::Error;
use crate::document::Path;
use backout_core::plan::{Action, Text};

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
            for (path, subject, text) in texts(facts) {
                // Reasons why a finding is accepted, and sentences nobody has read yet,
                // may name what they are about.
                let excuse = matches!(subject.as_deref(), Some("accepted" | "notes"));
                let mut blanks: Vec<&str> =
                    BLANKS.find_iter(text).map(|blank| blank.as_str().trim()).collect();
                blanks.extend(named_blanks(text));
                blanks.dedup();
                for blank in blanks.into_iter().filter(|_| !excuse) {
                    say(
                        found,
                        path,
                        subject.as_ref(),
                        format!("`{blank}` is still to be filled in"),
                    );
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
        look: secrets,
    },
];

static BLANKS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?x)
        \b(?:TBD|TBC|TBA|tbd|tbc|tba|TODO|FIXME|XXX+|xxxx+)\b
        | (?i:\b[0-9x]*xx+[-\ ][0-9x]*xx+)
        | (?:YYYYMMDD|yyyymmdd|YYYY-MM-DD|yyyy-mm-dd)
        | (?i:'?sid,\ ?serial\#'?|\bchange[-_]?me\b|\breplace[-_]?me\b)
        | (?i:\bto\ be\ (?:defined|filled\ in)\b)
        | \[(?:NAME|DATE|TIME|VERSION|PHONE|EMAIL|HOST|TICKET|[A-Z]{3,}(?:_[A-Z]+)+)\]
        | \{\+.*?\+\} | _{5,} | \{\{[^}]*\}\} | @@[A-Z_]+@@
        | (?:^|\s)\?{2,}(?:\s|$)
        "#,
    )
    .expect("a pattern of this file")
});

/// Blanks written as `<name of the host>`: words between angle brackets that are
/// neither a comparison, a redirection, a type, an address, a key nor a tag.
fn named_blanks(text: &str) -> Vec<&str> {
    if let Some(whole) = whole_blank(text.trim()) {
        return vec![whole];
    }
    const KEYS_AND_TAGS: [&str; 21] = [
        "enter", "return", "esc", "escape", "tab", "space", "del", "up", "down", "left", "right",
        "br", "p", "b", "i", "hr", "div", "span", "ul", "li", "pre",
    ];
    let mut found = Vec::new();
    for (start, _) in text.match_indices('<') {
        let inside = &text[start + 1..];
        let Some(end) = inside.find(['<', '>', '\n']) else { continue };
        let (inside, close) = inside.split_at(end);
        let words = inside.chars().all(|c| c.is_alphanumeric() || " _-/.'".contains(c));
        let begins = inside.chars().next().is_some_and(char::is_alphanumeric);
        let named = inside.chars().any(char::is_alphabetic);
        let compares = inside.contains(" and ") || inside.contains(" or ");
        let lower = inside.to_lowercase();
        let key = KEYS_AND_TAGS.contains(&lower.as_str())
            || ["ctrl-", "alt-", "shift-", "cmd-"].iter().any(|key| lower.starts_with(key));
        // `Vec<String>`, `a<b`: what stands right behind a word belongs to it.
        let attached = text[..start].chars().next_back().is_some_and(char::is_alphanumeric);
        if close.starts_with('>')
            && begins
            && named
            && words
            && !inside.ends_with(' ')
            && inside.chars().count() <= 80
            && !compares
            && !key
            && !attached
        {
            found.push(&text[start..=start + 1 + end]);
        }
    }
    found
}

/// A text that is one blank from its first character to its last says nothing else, whatever
/// stands in it.
fn whole_blank(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('<')?.strip_suffix('>')?;
    let begins = inside.chars().next().is_some_and(char::is_alphanumeric);
    (begins && inside.contains(' ') && !inside.contains(['<', '>'])).then_some(text)
}

/// What a secret looks like, and how to name it.
const SECRET_KINDS: [(&str, &str); 11] = [
    (r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s:@{$*]+@", "a password in an address"),
    (
        r#"(?i)(?:password|passwd|secret|api[_-]?key|access[_-]?token|passphrase)["']?(?:=|:\s?|\s)["']?[^\s$<{*'"`/]*[0-9!@#%][^\s'"]*"#,
        "a secret",
    ),
    (r"(?i)\b(?:IDENTIFIED\s+BY|WITH\s+PASSWORD)\s+['\x22]?[^\s$'\x22]{3,}", "a database password"),
    (
        r"(?i)\b(?:sqlplus|rman\s+target|sqlldr|expdp|impdp)\s+(?:-\S+\s+)*\w+/[^\s@/$]+",
        "a database password",
    ),
    (r"\b(?:mysql|mysqldump|mysqladmin)\b[^|;&\n]*\s-p[^\s$]\S*", "a database password"),
    (
        r"(?i)\b(?:PGPASSWORD|MYSQL_PWD|SSHPASS|AWS_SECRET_ACCESS_KEY)=['\x22]?[^\s$`'\x22]+",
        "a secret",
    ),
    (r"(?i)\bauthorization:\s*(?:bearer|basic|token)\s+[A-Za-z0-9+/_=.-]{8,}", "a credential"),
    (
        r"(?i)^\s*(?:bearer|basic|token)\s+[A-Za-z0-9+/_.-]*[0-9=][A-Za-z0-9+/_=.-]*\s*$",
        "a credential",
    ),
    (r"\bA[KS]IA[0-9A-Z]{16}\b", "an access key"),
    (
        r"\b(?:ghp|gho|ghs|github_pat|glpat|xox[abp]|sk_live|sk-proj)[-_][A-Za-z0-9_-]{10,}",
        "an access token",
    ),
    (r"-----BEGIN [A-Z ]*PRIVATE KEY-----", "a private key"),
];

static SECRETS: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new(SECRET_KINDS.map(|(pattern, _)| super::command::ascii(pattern)))
        .expect("patterns of this file")
});

static SECRET_NAMES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)(password|passwd|(?:^|_)pass$|(?:^|_)pwd$|secret|(?:^|[_-])token$|api[_-]?key|authorization|credential|^cookie$)",
    )
    .expect("a pattern of this file")
});

fn secrets(facts: &Facts<'_>, found: &mut Found) {
    for (path, subject, text) in texts(facts) {
        if let Some(index) = SECRETS.matches(text).iter().next() {
            let message = format!("this holds {} in clear", SECRET_KINDS[index].1);
            say(found, path, subject.as_ref(), message);
        }
    }
    for (index, step) in facts.plan.steps.iter().enumerate() {
        let (kind, key, values) = match &step.action {
            Action::Http(http) => ("http", "headers", &http.headers),
            Action::Run(run) => ("run", "env", &run.env),
            _ => continue,
        };
        for (name, value) in values {
            let plain = matches!(value, Text::Plain(text) if !text.is_empty());
            let upper = name.to_uppercase();
            let elsewhere = upper.ends_with("_FILE") || upper.ends_with("_PATH");
            if plain && SECRET_NAMES.is_match(name) && !elsewhere {
                let at = Path::step(index).key(kind).key(key).key(name);
                found.at(at, &step.id, format!("the value of `{name}` stands here in clear"));
            }
        }
    }
}

fn say(found: &mut Found, path: &Path, subject: Option<&String>, message: String) {
    match subject {
        Some(subject) => found.at(path.clone(), subject, message),
        None => found.plan(path.clone(), message),
    };
}

/// A text as its words, for comparing: lower case, single blanks, no signs at the ends.
pub(super) fn normal(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '%' && c != '\'');
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ").to_lowercase()
}

pub(super) type Place = (Path, Option<String>, String);

/// Every text in the plan, with its place and the step, role or component it
/// belongs to. The plan's JSON has the shape of the file, so a way into one is a
/// way into the other.
fn texts<'a>(facts: &'a Facts<'_>) -> &'a [Place] {
    facts.texts.get_or_init(|| collected(facts))
}

fn collected(facts: &Facts<'_>) -> Vec<Place> {
    const NAMED: [&str; 8] = [
        "roles",
        "components",
        "sources",
        "baselines",
        "options",
        "triggers",
        "readiness",
        "messages",
    ];
    let mut found = Vec::new();
    let Ok(Value::Object(sections)) = serde_json::to_value(facts.plan) else { return found };
    for (section, value) in &sections {
        let at = Path::root().key(section);
        match value {
            Value::Array(items) if section == "steps" => {
                for (index, (item, step)) in items.iter().zip(&facts.plan.steps).enumerate() {
                    collect(item, &at.index(index), Some(step.id.as_str()), &mut found);
                }
            }
            Value::Object(named) if NAMED.contains(&section.as_str()) => {
                for (name, item) in named {
                    collect(item, &at.key(name), Some(name), &mut found);
                }
            }
            value if section == "accepted" || section == "notes" => {
                collect(value, &at, Some(section), &mut found);
            }
            value => collect(value, &at, None, &mut found),
        }
    }
    found
}

fn collect(value: &Value, path: &Path, subject: Option<&str>, found: &mut Vec<Place>) {
    match value {
        Value::String(text) => {
            found.push((path.clone(), subject.map(str::to_owned), text.clone()));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, &path.index(index), subject, found);
            }
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                collect(value, &path.key(key), subject, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::named_blanks;

    #[test]
    fn blanks_between_angle_brackets_are_told_from_everything_else() {
        for text in [
            "<name>",
            "https://<host>/x",
            "ssh <user>@host",
            "/srv/<ver>/bin",
            "'<name>'",
            "x <name>! y",
            "<3 digits>",
            "call <name/phone> now",
            "<名前>",
        ] {
            assert_eq!(named_blanks(text).len(), 1, "{text}");
        }
        assert_eq!(named_blanks("Call <NAME> <PHONE> now"), ["<NAME>", "<PHONE>"]);
        for text in [
            "Vec<String>",
            "a<b>c",
            "a < b and c > d",
            "WHERE a <b and c> d",
            "sort <in >out",
            "press <Enter>, then <Ctrl-C>",
            "<jane@example.org>",
            "<https://example.org/x>",
            "one<br>two <br> three",
            "a <\u{2192}> b",
            "<U+00A0>",
            "<=>",
            "x <5> y",
        ] {
            assert!(named_blanks(text).is_empty(), "{text}: {:?}", named_blanks(text));
        }
    }
}
