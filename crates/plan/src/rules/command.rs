//! Commands that destroy, commands that do not go back in time, and what they need first.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::{Facts, Found, Rule, restore};
use crate::diagnostic::Level::{Error, Warning};
use crate::document::Path;
use backout_core::ids::ComponentId;
use backout_core::plan::{Action, Baseline, Check, Effect, Step};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "BOP-019",
        level: Warning,
        title: "What cannot be undone is marked",
        why: "If the text of a step says that something cannot be undone, the people who decide must see it before they decide, not the one who types the command.",
        fix: "mark the step `irreversible: why`, or name it under `risks`",
        clauses: &["NIST SP 800-53 r5, CP-10"],
        fires: "steps: [{id: drop, title: Drop the old column (cannot be undone), owner: dba, takes: 5m, manual: Drop it., verify: {confirm: It is gone}}]",
        silent: "steps: [{id: drop, title: Drop the old column (cannot be undone), irreversible: The data in it is lost, owner: dba, takes: 5m, manual: Drop it., verify: {confirm: It is gone}}]",
        look: |facts, found| {
            const SAYS_SO: [&str; 7] = [
                "cannot be undone",
                "can't be undone",
                "no way back",
                "irreversible",
                "no longer possible",
                "last resort",
                "data loss",
            ];
            for (index, step) in facts.plan.steps.iter().enumerate() {
                let text = format!("{} {}", step.label(), step_text(step)).to_lowercase();
                let listed =
                    facts.plan.risks.iter().any(|risk| risk.steps.iter().any(|id| *id == step.id));
                let says = SAYS_SO.iter().find(|words| text.contains(**words));
                if let (Some(says), None, false) = (says, &step.irreversible, listed) {
                    let message = format!(
                        "step `{}` says \"{says}\", but is not marked irreversible",
                        step.id
                    );
                    found.at(Path::step(index), &step.id, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-025",
        level: Warning,
        title: "The access a step needs is written down",
        why: "The most common reason for a slow backout is a permission somebody does not have at three in the morning.",
        fix: "name it: `access: root on the application servers`",
        clauses: &["NIST SP 800-53 r5, CM-5"],
        fires: "steps: [{id: stop, title: Stop, owner: dba, takes: 5m, run: {argv: [sudo, systemctl, stop, portal]}, verify: {tcp: {address: \"app:8080\", open: false}}, if_in_doubt: systemctl status portal},\n  {id: start, title: Start, owner: dba, takes: 5m, access: root on app01, run: {argv: [sudo, systemctl, start, portal]}, verify: {tcp: {address: \"app:8080\"}}, if_in_doubt: systemctl status portal}]",
        silent: "steps: [{id: stop, title: Stop, owner: dba, takes: 5m, access: root on app01, run: {argv: [sudo, systemctl, stop, portal]}, verify: {tcp: {address: \"app:8080\", open: false}}, if_in_doubt: systemctl status portal},\n  {id: start, title: Start, owner: dba, takes: 5m, access: root on app01, run: {argv: [sudo, systemctl, start, portal]}, verify: {tcp: {address: \"app:8080\"}}, if_in_doubt: systemctl status portal}]",
        look: |facts, found| {
            for (index, step) in facts.plan.steps.iter().enumerate() {
                if let (Some(what), true) =
                    (NEEDS_ACCESS.find(&step_text(step)), step.access.is_empty())
                {
                    let message = format!(
                        "step `{}` uses `{}`, but not who has access to it",
                        step.id,
                        what.as_str().trim()
                    );
                    found.at(Path::step(index), &step.id, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-114",
        level: Error,
        title: "Something is checked before something is destroyed",
        why: "`rm -rf` is the right command exactly when the backup is known to be there. The order is: look, then delete.",
        fix: "put a step before it that verifies the backup: `verify: {tree: {path: …}}`, `{file: …}` or a command, for the same component",
        clauses: &[],
        fires: "steps: [{id: restore, component: database, owner: dba, takes: 30m, run: {shell: rm -rf /var/db/* && cp -r /backup/db/* /var/db/}, verify: {same_as_baseline: rows}, if_in_doubt: Look at the files}]",
        silent: "steps: [{id: look, title: Look at the backup, component: database, owner: dba, takes: 1m, run: {argv: [./check-backup.sh]}, verify: {file: {path: /backup/db/complete}}, if_in_doubt: It only reads},\n  {id: restore, component: database, owner: dba, takes: 30m, run: {shell: rm -rf /var/db/* && cp -r /backup/db/* /var/db/}, verify: {same_as_baseline: rows}, if_in_doubt: Look at the files}]",
        look: unchecked_destruction,
    },
    Rule {
        id: "BOP-115",
        level: Error,
        title: "A restore goes back in time",
        why: "Several restore commands bring the system forward to now unless told otherwise: they replay the very changes the backout is meant to undo. Others restore on top of what is there, or take a reference that has moved since.",
        fix: "name the point in time or the exact version to go back to",
        clauses: &["NIST SP 800-53 r5, CP-10(2)"],
        fires: "steps: [{id: restore, component: database, owner: dba, takes: 30m, run: {argv: [rman, target, /, cmdfile, restore.rcv], stdin: {text: RESTORE DATABASE; RECOVER DATABASE;}}, verify: {same_as_baseline: rows}, if_in_doubt: Look at v$recover_file, access: sysdba}]",
        silent: "steps: [{id: restore, component: database, owner: dba, takes: 30m, run: {argv: [rman, target, /, cmdfile, restore.rcv], stdin: {text: SET UNTIL RESTORE POINT before_v2; RESTORE DATABASE; RECOVER DATABASE;}}, verify: {same_as_baseline: rows}, if_in_doubt: Look at v$recover_file, access: sysdba}]",
        look: |facts, found| {
            for (index, step) in facts.plan.steps.iter().enumerate() {
                for (what, instead) in restore::forward_in_time(&step_text(step)) {
                    found
                        .at(Path::step(index), &step.id, format!("step `{}`: {what}", step.id))
                        .hint(instead);
                }
            }
        },
    },
    Rule {
        id: "BOP-122",
        level: Error,
        title: "A step that changes something does not claim only to read",
        why: "A step declared `read` is run again after a crash without asking anybody.",
        fix: "declare what it is: `idempotent`, `verifiable` or `opaque`",
        clauses: &[],
        fires: "steps: [{id: restore, component: database, owner: dba, takes: 30m, effect: read, run: {argv: [psql, -c, \"TRUNCATE customers\"]}, verify: {same_as_baseline: rows}}]",
        silent: "steps: [{id: restore, component: database, owner: dba, takes: 30m, effect: read, run: {argv: [psql, -c, SELECT 1]}, verify: {same_as_baseline: rows}}]",
        look: |facts, found| {
            for (index, step) in facts.plan.steps.iter().enumerate() {
                let writes = match &step.action {
                    Action::Http(http) => !http.method.only_reads(),
                    Action::RestoreTree(_) | Action::Copy(_) => true,
                    Action::Sql(sql) => !only_reads(&sql.execute),
                    Action::Run(_) => {
                        facts.destroys(index).is_some() || CHANGES.is_match(&step_text(step))
                    }
                    Action::Manual(_) | Action::Wait(_) | Action::External(_) => false,
                };
                if writes && step.effect() == Effect::Read {
                    let message =
                        format!("step `{}` claims only to read, but it changes something", step.id);
                    found.at(Path::step(index).key("effect"), &step.id, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-136",
        level: Error,
        title: "Looking changes nothing",
        why: "Verifications are repeated until they hold, and baselines are captured whenever somebody likes. One that changes something does so each time.",
        fix: "ask with SELECT, list, or compare; what changes something belongs into a step",
        clauses: &[],
        fires: "steps: [{id: a, owner: dba, takes: 1m, manual: x, verify: {run: {shell: rm -rf /var/db/tmp}}}]",
        silent: "steps: [{id: a, owner: dba, takes: 1m, manual: x, verify: {run: {shell: ls /var/db/tmp}}}]",
        look: |facts, found| {
            for (index, step) in facts.plan.steps.iter().enumerate() {
                for (at, verification) in step.verify.iter().enumerate() {
                    let said = match &verification.check {
                        Check::Run(run) => changes_while_looking(Some(run), None),
                        Check::Sql(sql) => changes_while_looking(None, Some(&sql.query)),
                        Check::Http(http) if !http.method.only_reads() => {
                            Some(format!("sends {}", http.method.as_str()))
                        }
                        _ => None,
                    };
                    if let Some(said) = said {
                        let message = format!("a verification of step `{}` {said}", step.id);
                        found.at(Path::step(index).key("verify").index(at), &step.id, message);
                    }
                }
            }
            for (id, baseline) in &facts.plan.baselines {
                let said = match baseline {
                    Baseline::Run(run) => changes_while_looking(Some(run), None),
                    Baseline::Sql(sql) => changes_while_looking(None, Some(&sql.query)),
                    _ => None,
                };
                if let Some(said) = said {
                    let at = Path::root().key("baselines").key(id);
                    found.at(at, id, format!("the baseline `{id}` {said}"));
                }
            }
        },
    },
    Rule {
        id: "BOP-135",
        level: Warning,
        title: "What is stopped is started again",
        why: "A way back that stops a service and never starts it ends with everything restored and nothing running.",
        fix: "add the step that starts it",
        clauses: &[],
        fires: "steps: [{id: stop, title: Stop, owner: dba, takes: 5m, access: root, run: {argv: [systemctl, stop, portal]}, verify: {tcp: {address: \"app:8080\", open: false}}, if_in_doubt: systemctl status portal}]",
        silent: "steps: [{id: stop, title: Stop, owner: dba, takes: 5m, access: root, run: {argv: [systemctl, stop, portal]}, verify: {tcp: {address: \"app:8080\", open: false}}, if_in_doubt: systemctl status portal},\n  {id: start, title: Start, owner: dba, takes: 5m, access: root, run: {argv: [systemctl, start, portal]}, verify: {tcp: {address: \"app:8080\"}}, if_in_doubt: systemctl status portal}]",
        look: |facts, found| {
            let services: Vec<_> =
                facts.plan.steps.iter().map(|step| services(&step_text(step))).collect();
            // From the end: what is started behind a step.
            let mut started: BTreeSet<String> = BTreeSet::new();
            let mut missing = Vec::new();
            for (index, (stops, starts)) in services.into_iter().enumerate().rev() {
                started.extend(starts);
                for service in stops.into_iter().filter(|service| !started.contains(service)) {
                    missing.push((index, service));
                }
            }
            for (index, service) in missing.into_iter().rev() {
                let step = &facts.plan.steps[index];
                let message =
                    format!("step `{}` stops {service}, and no step starts it again", step.id);
                found.at(Path::step(index), &step.id, message);
            }
        },
    },
];

/// Everything a step would do, as text: command, script, statement, instruction.
pub(super) fn step_text(step: &Step) -> String {
    match &step.action {
        Action::Manual(text) | Action::External(text) => text.clone(),
        Action::Run(run) => {
            // Raw words, not quoted ones: `psql -c 'DROP TABLE x'` must read as one thing.
            let mut text = run.shell.clone().unwrap_or_else(|| run.argv.join(" "));
            if let Some(backout_core::plan::Stdin::Text(stdin)) = &run.stdin {
                text.push('\n');
                text.push_str(&stdin.to_string());
            }
            text
        }
        Action::Http(http) => format!("{} {}", http.method.as_str(), http.url),
        Action::Sql(sql) => sql.execute.clone(),
        Action::RestoreTree(tree) => format!("restore {} from {}", tree.to, tree.from),
        Action::Copy(copy) => format!("copy {} to {}", copy.from, copy.to),
        Action::Wait(_) => String::new(),
    }
}

pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(&ascii(text)).expect("a pattern of this file")
}

/// Commands are ASCII, and so are the letters, spaces and word boundaries meant
/// here; the tables of Unicode would cost most of the time of a check.
pub(super) fn ascii(pattern: &str) -> String {
    pattern
        .replace(r"\w", "[0-9A-Za-z_]")
        .replace(r"\s", r"[\x20\t\n\r]")
        .replace(r"\S", r"[^\x20\t\n\r]")
        .replace(r"\d", "[0-9]")
        .replace(r"\b", r"(?-u:\b)")
}

static NEEDS_ACCESS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(sudo|systemctl\s+(?:stop|start|restart)|as\s+sysdba|rman|kubectl|terraform|ansible-playbook)\b",
    )
});

/// Services a text stops, or starts: `systemctl --now disable a b`, `service a stop`.
static SERVICES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?x)
        \bsystemctl\s+(?:-\S+\s+)*(?P<verb>stop|disable\s+--now|start|restart|reload-or-restart|enable\s+--now)\s+(?:-\S+\s+)*(?P<names>[\w@.\ -]+)
        | \bservice\s+(?P<name>[\w@.-]+)\s+(?P<what>stop|start|restart)
        | /etc/init\.d/(?P<script>[\w@.-]+)\s+(?P<how>stop|start|restart)
        ",
    )
});

/// The services a text stops, and those it starts.
fn services(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut stopped, mut started) = (Vec::new(), Vec::new());
    for found in SERVICES.captures_iter(text) {
        let group = |name: &str| found.name(name).map(|text| text.as_str());
        let verb = group("verb").or(group("what")).or(group("how")).unwrap_or_default();
        let names = group("names").or(group("name")).or(group("script")).unwrap_or_default();
        let stops = verb == "stop" || verb.starts_with("disable");
        for name in names.split_whitespace() {
            let name = name.trim_end_matches(".service").to_owned();
            if stops { stopped.push(name) } else { started.push(name) }
        }
    }
    (stopped, started)
}

/// What destroys, and how to name it. Each is looked for in one command at a
/// time, so `kubectl get pods | grep delete` is two harmless ones.
const DESTRUCTIVE: [(&str, &str); 27] = [
    (r"^(?:sudo\s+)?rm\s+(?:-\S+\s+)*(?:-\w*[rR]\w*|--recursive)\b", "rm -r"),
    (r"^(?:sudo\s+)?rm\s+(?:-\S+\s+)*\S*/\*", "rm of everything in a folder"),
    (
        r"(?i)\bdrop\s+(?:table|database|schema|column|index|view|materialized\s+view|user|tablespace|pluggable\s+database)\b",
        "DROP",
    ),
    (r"^dropdb\b", "dropdb"),
    (r"(?i:\btruncate\s+table\s)|\bTRUNCATE\s+\S", "TRUNCATE"),
    (r"^truncate\s+(?:-s|--size)", "truncate"),
    (
        r"(?i)\bdelete\s+from\s+[\w.\x22`\[\]]+\s*(?:['\x22]|$|where\s+1\s*=\s*1)",
        "DELETE without WHERE",
    ),
    (r"^(?:sudo\s+)?dd\s.*\bof=", "dd"),
    (r"^(?:sudo\s+)?mkfs(?:\.\w+)?\b", "mkfs"),
    (r"(?i)\bopen\s+resetlogs\b", "OPEN RESETLOGS"),
    (r"(?i)\bflashback\s+(?:database|pluggable)\b", "FLASHBACK DATABASE"),
    (r"(?i)\brestore\s+database\b.*\bwith\s+(?:\w+,\s*)*replace\b", "RESTORE WITH REPLACE"),
    (
        r"^(?:terraform|tofu)\s.*\bdestroy\b|^(?:terraform|tofu)\s.*apply\s.*-destroy",
        "terraform destroy",
    ),
    (
        r"^git\s.*\bpush\s.*(?:--force\b|--force-with-lease|--mirror\b|\s-f\b|\s\+\S+)",
        "git push --force",
    ),
    (r"^git\s+(?:-\S+\s+\S+\s+)*(?:reset\s+.*--hard|clean\s+.*-\w*f)", "git reset --hard"),
    (r"^(?:sudo\s+)?(?:kubectl|oc)\s+(?:-\S+(?:\s+[^-\s]\S*)?\s+)*delete\b", "kubectl delete"),
    (r"^helm\s+(?:-\S+(?:\s+[^-\s]\S*)?\s+)*(?:uninstall|delete)\b", "helm uninstall"),
    (r"^rsync\s.*--del(?:ete\S*)?\b", "rsync --delete"),
    (r"^find\s.*(?:-delete\b|-exec\s+rm\b)", "find -delete"),
    (
        r"^(?:sudo\s+)?(?:lvremove|vgremove|zfs\s+(?:destroy|rollback)|wipefs|shred|blkdiscard|btrfs\s+subvolume\s+delete)\b",
        "a command that destroys storage",
    ),
    (r"^aws\s+s3\s+(?:rm|rb|sync\s.*--delete)|^aws\s+\S+\s+delete-", "aws … delete"),
    (r"^(?:gcloud|az)\s.*\bdelete\b", "a cloud delete"),
    (r"^docker\s+(?:volume\s+(?:rm|prune)|system\s+prune|compose\s.*down\s.*-v)", "docker … rm"),
    (r"(?i)\bflush(?:all|db)\b", "FLUSHALL"),
    (r"\bdropDatabase\(|\bshutil\.rmtree\(|mongorestore\s.*--drop", "a script that deletes"),
    (r"^(?:Remove-Item\s.*-Recurse|rd\s+/s)", "Remove-Item -Recurse"),
    (r"^curl\s.*-X\s*DELETE\b|^DELETE\s+\S", "an HTTP DELETE"),
];

static DESTROYS: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new(DESTRUCTIVE.map(|(pattern, _)| ascii(pattern))).expect("patterns of this file")
});

/// A script as single commands: continued lines joined, comments gone, split
/// where a shell, SQL*Plus or psql would begin a new one.
pub(super) fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let mut found = Vec::new();
    for line in joined.lines() {
        let line = COMMENT.replace(line, "");
        let parts = line.split(['|', ';']).flat_map(|part| part.split("&&"));
        let clean = parts.map(|part| {
            PROMPT.replace(part.trim().trim_start_matches(['(', '{', '!']).trim(), "").into_owned()
        });
        found.extend(clean.filter(|part| !part.is_empty()));
    }
    found
}

static COMMENT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:^|\s)(?:#|//\s).*$|(?:^|;)\s*--\s.*$"));
static PROMPT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:\$|#|>|SQL>|RMAN>|then|do|else)\s+"));

/// The first destructive command in a text.
pub(super) fn destroys(text: &str) -> Option<&'static str> {
    let first = |command: String| DESTROYS.matches(&command).iter().next();
    commands(text).into_iter().find_map(first).map(|index| DESTRUCTIVE[index].1)
}

/// Whether a shell script tests something before its first destructive command,
/// and the test decides.
fn is_guarded(step: &Step) -> bool {
    let Action::Run(run) = &step.action else { return false };
    let Some(shell) = &run.shell else { return false };
    let destructive = commands(shell).into_iter().find(|command| DESTROYS.is_match(command));
    let at = destructive.and_then(|command| shell.find(&command)).unwrap_or(0);
    GUARD.is_match(&shell[..at])
}

static GUARD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?s)(?:^|[;&|\n]\s*)(?:test\s+-[defrs]\s|\[\[?\s+-[defrs]\s|if\s)[^\n;]*(?:&&|\|\||;\s*then|\n\s*then)\s*[^;\n]*$|\bset\s+-e.*(?:test|\[\[?)\s+-[defrs]\s",
    )
});

/// Whether a step looks at a component's backup, so that destroying it is safe.
fn looks_at(step: &Step, component: &ComponentId, backup: Option<&str>) -> bool {
    let ours = step.component.as_ref() == Some(component);
    step.machine_checks().any(|(_, verification)| {
        let there = |path: &str| ours || backup.is_some_and(|location| is_inside(path, location));
        match &verification.check {
            Check::File(file) => file.exists && there(&file.path),
            Check::Tree(tree) => there(&tree.path),
            Check::Run(run) => {
                let text = run.command_line();
                backup.is_some_and(|location| text.contains(location))
                    || (ours && CHECKS.is_match(&text))
            }
            Check::SameAsBaseline(_) | Check::Sql(_) => ours && step.action.is_manual(),
            Check::Http(_) | Check::Tcp(_) | Check::Confirm(_) => false,
        }
    })
}

static CHECKS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)backup|checksum|sha\d*sum|md5sum|verify|validate|pg_restore\s.*--list")
});

fn unchecked_destruction(facts: &Facts<'_>, found: &mut Found) {
    let steps = &facts.plan.steps;
    let backup = |id: &ComponentId| {
        let component = facts.plan.components.get(id)?;
        component.backup.as_ref().map(|backup| backup.location.as_str())
    };
    // For each step, the components whose backup was looked at before it.
    let mut looked: Vec<BTreeSet<&ComponentId>> = vec![BTreeSet::new(); steps.len()];
    for &index in &facts.graph.order {
        let mut before = BTreeSet::new();
        for &first in &facts.graph.before[index] {
            before.extend(looked[first].iter().copied());
            let seen =
                facts.plan.components.keys().filter(|id| looks_at(&steps[first], id, backup(id)));
            before.extend(seen);
        }
        looked[index] = before;
    }
    for (index, step) in steps.iter().enumerate() {
        let Some(what) = facts.destroys(index) else { continue };
        let checked = step.component.as_ref().is_some_and(|id| looked[index].contains(id));
        if !checked && !is_guarded(step) {
            let message =
                format!("step `{}` runs {what}, and nothing is checked before it", step.id);
            found.at(Path::step(index), &step.id, message);
        }
    }
}

/// Whether a version names something that moves.
pub(super) fn is_moving(version: &str) -> bool {
    version.trim().is_empty() || MOVING.is_match(version.trim())
}

static MOVING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?ix)^(?:the\s+)?(?:previous|prior|last|latest|current|stable|old|unknown|n-1|main|master|develop|trunk|\?+)(?:\s.*)?$
        | ^HEAD | ^origin/ | [:@](?:latest|stable|previous|current|main|master)$ | [.*]x$ | \*$ | ^[\^~]",
    )
});

/// Whether SQL only asks.
fn only_reads(sql: &str) -> bool {
    let mut statements =
        sql.split(';').map(str::trim).filter(|statement| !statement.is_empty()).peekable();
    statements.peek().is_some()
        && statements.all(|statement| READS.is_match(statement) && !WRITES.is_match(statement))
}

static READS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)^\(?\s*(?:select|show|with|explain|values|pragma|table)\b"));
static WRITES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:insert\s+into|update\s+\S+\s+set|delete\s+from|drop\s|truncate\s|alter\s|create\s|grant\s|call\s)",
    )
});
/// Commands that surely change something.
static CHANGES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\bsystemctl\s+(?:-\S+\s+)*(?:stop|start|restart|enable|disable)\b|\b(?:insert\s+into|update\s+\S+\s+set|delete\s+from)\b|^\s*(?:sudo\s+)?(?:cp|mv|ln|chmod|chown|mkdir|rm|tee|kill|pkill)\s",
    )
});

/// What a verification or a baseline would change, if it changes anything.
fn changes_while_looking(
    run: Option<&backout_core::plan::Run>,
    sql: Option<&str>,
) -> Option<String> {
    if let Some(sql) = sql {
        return (!only_reads(sql)).then(|| "does not only read".to_owned());
    }
    let text =
        run?.shell.clone().unwrap_or_else(|| run.map(|run| run.argv.join(" ")).unwrap_or_default());
    destroys(&text).map(|what| format!("runs {what}"))
}

/// Whether a component holds data that people write.
pub(super) fn is_data_store(id: &str, title: Option<&str>) -> bool {
    let text = format!("{id} {}", title.unwrap_or_default()).to_lowercase();
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        matches!(
            word,
            "db" | "database"
                | "databases"
                | "postgres"
                | "postgresql"
                | "mysql"
                | "mariadb"
                | "oracle"
                | "mssql"
                | "sqlserver"
                | "mongo"
                | "mongodb"
                | "redis"
                | "kafka"
                | "dynamodb"
                | "elasticsearch"
                | "cassandra"
                | "ldap"
                | "queue"
                | "bucket"
                | "uploads"
                | "datastore"
                | "customerdb"
        )
    })
}

/// Folders a step clears.
pub(super) fn cleared(step: &Step) -> Vec<String> {
    match &step.action {
        Action::RestoreTree(tree) if !tree.keep_extra => vec![tree.to.clone()],
        _ => {
            let text = step_text(step);
            REMOVED
                .captures_iter(&text)
                .flat_map(|found| {
                    found[1].split_whitespace().map(str::to_owned).collect::<Vec<_>>()
                })
                .map(|word| word.trim_matches(['"', '\'']).replace("/./", "/"))
                .filter(|word| word.starts_with('/'))
                .map(|path| path.trim_end_matches('*').trim_end_matches('/').to_owned())
                .filter(|path| !path.is_empty())
                .collect()
        }
    }
}

static REMOVED: LazyLock<Regex> = LazyLock::new(|| pattern(r"\brm\s+(?:-\w+\s+)+([^;&|\n]+)"));

/// Whether `inner` is `outer` or lies in it, by name alone.
pub(super) fn is_inside(inner: &str, outer: &str) -> bool {
    let outer = outer.trim_end_matches('/');
    let inner = inner.trim_end_matches('/');
    inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}
