//! Scripts that end with 0 although one of their commands failed.

use serde_json::Value;

use super::{Found, Rule};
use crate::diagnostic::Level::Warning;
use crate::document::Path;
use crate::shell::{Loss, Lost, judge_argv, judge_script};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "BOP-156",
    level: Warning,
    title: "A script fails when one of its commands fails",
    why: "A shell goes on when a command fails, and ends as its last command does. A step of several commands then counts as done although its middle failed, and a verification holds although half of it does not. A `#!` line changes nothing: `shell` is handed to `/bin/sh -c`.",
    fix: "begin the script with `set -e`, join its commands with `&&`, or end each with `|| exit`; give a pipeline `pipefail` in a shell that has it: `argv: [bash, -eo, pipefail, -c, …]`",
    clauses: &[],
    fires: "steps: [{id: restore, component: database, owner: dba, takes: 30m, run: {shell: \"./stop-db.sh; ./restore-db.sh; ./start-db.sh\"}, effect: verifiable, verify: {same_as_baseline: rows}}]",
    silent: "steps: [{id: restore, component: database, owner: dba, takes: 30m, run: {shell: \"set -e; ./stop-db.sh; ./restore-db.sh; ./start-db.sh\"}, effect: verifiable, verify: {same_as_baseline: rows}}]",
    look: |facts, found| {
        let Ok(Value::Object(sections)) = serde_json::to_value(facts.plan) else { return };
        for (section, value) in &sections {
            let at = Path::root().key(section);
            match value {
                Value::Object(entries) if NAMED.contains(&section.as_str()) => {
                    for (name, value) in entries {
                        visit(value, &at.key(name), Some(name), found);
                    }
                }
                value => visit(value, &at, None, found),
            }
        }
    },
}];

/// Visits every command of the plan. Its JSON has the shape of the file, so a way into
/// one is a way into the other.
fn visit(value: &Value, path: &Path, subject: Option<&str>, found: &mut Found) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let subject = item.get("id").and_then(Value::as_str).or(subject);
                visit(item, &path.index(index), subject, found);
            }
        }
        Value::Object(entries) => {
            if let Some(shell) = value.get("shell").and_then(Value::as_str) {
                report(&judge_script(shell), &path.key("shell"), subject, found);
            } else if let Some(argv) = value.get("argv").and_then(Value::as_array) {
                let words: Vec<&str> = argv.iter().filter_map(Value::as_str).collect();
                let input = value.pointer("/stdin/text").and_then(Value::as_str);
                report(&judge_argv(&words, input), &path.key("argv"), subject, found);
            }
            for (key, value) in entries {
                // Names people chose may be anything.
                if matches!(key.as_str(), "env" | "headers") {
                    continue;
                }
                if value.is_object() || value.is_array() {
                    visit(value, &path.key(key), subject, found);
                }
            }
        }
        _ => {}
    }
}

/// Sections whose keys are names.
const NAMED: [&str; 6] = ["baselines", "components", "options", "readiness", "sources", "triggers"];

/// One finding for each way in which failures get lost.
fn report(losses: &[Loss], path: &Path, subject: Option<&str>, found: &mut Found) {
    let mut ways: Vec<Lost> = losses.iter().map(|loss| loss.lost).collect();
    ways.sort_unstable();
    ways.dedup();
    for way in ways {
        let mut commands = losses.iter().filter(|loss| loss.lost == way);
        let Some(first) = commands.next() else { continue };
        let more = match commands.count() {
            0 => String::new(),
            1 => " (and another command)".to_owned(),
            more => format!(" (and {more} other commands)"),
        };
        let (message, hint) = words(way, &first.command, &more);
        let found = match subject {
            Some(subject) => found.at(path.clone(), subject, message),
            None => found.plan(path.clone(), message),
        };
        found.hint(hint);
    }
}

/// What is wrong, and what to do.
fn words(way: Lost, command: &str, more: &str) -> (String, &'static str) {
    match way {
        Lost::Followed => (
            format!("the script goes on and may end with 0 when `{command}` fails{more}"),
            "begin it with `set -e`, join its commands with `&&`, or end each with `|| exit`",
        ),
        Lost::Exempt => (
            format!(
                "`set -e` does not count for `{command}`{more}: the script goes on when it fails"
            ),
            "`set -e` leaves out the left of `&&` and what is behind `!`: put it on a line of its own, or end the line with `|| exit`",
        ),
        Lost::Piped => (
            format!("the pipeline ends with 0 when `{command}`, left of a `|`, fails{more}"),
            "use a shell with `pipefail`: `argv: [bash, -eo, pipefail, -c, …]`; `/bin/sh` does not have it everywhere",
        ),
        Lost::Waited => (
            format!("`wait` ends with 0 when `{command}` fails in the background"),
            "wait for each process by its number: `wait \"$pid\"`",
        ),
        Lost::Always => (
            format!(
                "the script ends with 0 whatever happens: a failure of `{command}` is ignored{more}"
            ),
            "take `|| true` away, or check the result in another way",
        ),
    }
}
