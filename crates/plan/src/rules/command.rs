//! Commands that destroy, commands that do not go back in time, and what they need first.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::{Facts, Found, Rule};
use crate::diagnostic::Level::{Error, Warning};
use crate::document::Path;
use backout_core::plan::{Action, Check, Effect, Step};

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
        fix: "name it: `access: root on the application servers`; the readiness check can then ask for it",
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
                for (what, instead) in forward_in_time(&step_text(step)) {
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
                    Action::Run(_) | Action::Sql(_) => destroys(&step_text(step)).is_some(),
                    Action::Manual(_) | Action::Wait(_) => false,
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
        id: "BOP-135",
        level: Warning,
        title: "What is stopped is started again",
        why: "A way back that stops a service and never starts it ends with everything restored and nothing running.",
        fix: "add the step that starts it",
        clauses: &[],
        fires: "steps: [{id: stop, title: Stop, owner: dba, takes: 5m, access: root, run: {argv: [systemctl, stop, portal]}, verify: {tcp: {address: \"app:8080\", open: false}}, if_in_doubt: systemctl status portal}]",
        silent: "steps: [{id: stop, title: Stop, owner: dba, takes: 5m, access: root, run: {argv: [systemctl, stop, portal]}, verify: {tcp: {address: \"app:8080\", open: false}}, if_in_doubt: systemctl status portal},\n  {id: start, title: Start, owner: dba, takes: 5m, access: root, run: {argv: [systemctl, start, portal]}, verify: {tcp: {address: \"app:8080\"}}, if_in_doubt: systemctl status portal}]",
        look: |facts, found| {
            let texts: Vec<String> = facts.plan.steps.iter().map(step_text).collect();
            for (index, text) in texts.iter().enumerate() {
                for stopped in STOPS.captures_iter(text) {
                    let service = &stopped[1];
                    let started = |text: &String| {
                        STARTS.captures_iter(text).any(|started| started[1] == *service)
                    };
                    if !texts[index..].iter().any(started) {
                        let step = &facts.plan.steps[index];
                        let message = format!(
                            "step `{}` stops {service}, and no step starts it again",
                            step.id
                        );
                        found.at(Path::step(index), &step.id, message);
                    }
                }
            }
        },
    },
];

/// Everything a step would do, as text: command, script, statement, instruction.
pub(super) fn step_text(step: &Step) -> String {
    match &step.action {
        Action::Manual(text) => text.clone(),
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

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of this file")
}

static NEEDS_ACCESS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(sudo|systemctl\s+(?:stop|start|restart)|as\s+sysdba|rman|kubectl|terraform|ansible-playbook)\b",
    )
});
static STOPS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:systemctl\s+stop|service)\s+([\w@.-]+)(?:\s+stop)?"));
static STARTS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?:systemctl\s+(?:re)?start|service)\s+([\w@.-]+)(?:\s+(?:re)?start)?")
});

/// What destroys, and how to name it.
const DESTRUCTIVE: [(&str, &str); 17] = [
    (r"\brm\s+(-\w+\s+)*-\w*[rR]\w*\b", "rm -r"),
    (r"(?i)\bdrop\s+(table|database|schema|column|index|view|user|tablespace)\b", "DROP"),
    (r"(?i)\btruncate\s+(table\s+)?[\w.\x22]+", "TRUNCATE"),
    (r"(?i)\bdelete\s+from\s+[\w.\x22]+\s*(;|$)", "DELETE without WHERE"),
    (r"\bdd\s+(\S+\s+)*of=", "dd"),
    (r"\bmkfs(\.\w+)?\b", "mkfs"),
    (r"(?i)\bopen\s+resetlogs\b", "OPEN RESETLOGS"),
    (r"\bterraform\s+(\S+\s+)*destroy\b", "terraform destroy"),
    (r"\bgit\s+push\s+(\S+\s+)*(--force\b|-f\b|\+\S+)", "git push --force"),
    (r"\bgit\s+(reset\s+--hard|clean\s+-\w*f)", "git reset --hard"),
    (r"\bkubectl\s+(\S+\s+)*delete\b", "kubectl delete"),
    (r"\bhelm\s+(uninstall|delete)\b", "helm uninstall"),
    (r"\brsync\s+(\S+\s+)*--delete", "rsync --delete"),
    (r"\bfind\s+.*-delete\b", "find -delete"),
    (
        r"\b(lvremove|vgremove|zfs\s+(destroy|rollback)|wipefs|shred)\b",
        "a command that destroys storage",
    ),
    (r"\baws\s+s3\s+(rm|rb)\b.*", "aws s3 rm"),
    (r"(?i)\bflush(all|db)\b", "FLUSHALL"),
];

static DESTROYS: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new(DESTRUCTIVE.map(|(pattern, _)| pattern)).expect("patterns of this file")
});

/// The first destructive command in a text.
pub(super) fn destroys(text: &str) -> Option<&'static str> {
    DESTROYS.matches(text).iter().next().map(|index| DESTRUCTIVE[index].1)
}

fn unchecked_destruction(facts: &Facts<'_>, found: &mut Found) {
    for (index, step) in facts.plan.steps.iter().enumerate() {
        let text = step_text(step);
        let Some(what) = destroys(&text) else { continue };
        // A script that tests before it deletes has looked.
        if GUARDED.is_match(&text) {
            continue;
        }
        let backup = step.component.as_ref().and_then(|id| facts.plan.components.get(id));
        let backup = backup.and_then(|component| component.backup.as_ref());
        let looks = |other: &Step| {
            other.machine_checks().any(|(_, verification)| {
                let same = step.component.is_some() && other.component == step.component;
                match &verification.check {
                    Check::File(file) => {
                        same || backup.is_some_and(|b| is_inside(&file.path, &b.location))
                    }
                    Check::Tree(tree) => {
                        same || backup.is_some_and(|b| is_inside(&tree.path, &b.location))
                    }
                    Check::Run(_) | Check::Sql(_) | Check::SameAsBaseline(_) => same,
                    Check::Http(_) | Check::Tcp(_) | Check::Confirm(_) => false,
                }
            })
        };
        if !facts.ancestors(index).into_iter().any(|before| looks(&facts.plan.steps[before])) {
            let message =
                format!("step `{}` runs {what}, and nothing is checked before it", step.id);
            found.at(Path::step(index), &step.id, message);
        }
    }
}

static GUARDED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(^|[;&|\n]\s*)(test\s+-|\[\s+-|\[\[\s|if\s)"));

/// Commands in a text that do not go back in time: what is wrong, what to write instead.
fn forward_in_time(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut say = |what: &str, instead: &str| found.push((what.to_owned(), instead.to_owned()));
    if RMAN_RECOVER.is_match(text) && !RMAN_UNTIL.is_match(text) {
        say(
            "RECOVER DATABASE without UNTIL replays every change up to now, the bad deployment included",
            "write `SET UNTIL TIME …` or `SET UNTIL RESTORE POINT …` before RESTORE and RECOVER, or use FLASHBACK DATABASE TO RESTORE POINT",
        );
    }
    if PG_RESTORE.is_match(text) && !PG_RESTORE_CLEAN.is_match(text) {
        say(
            "pg_restore without --clean adds to what is there: new tables stay, old rows collide",
            "add `--clean --if-exists`, or restore into an empty database with `--create`",
        );
    }
    if PGBACKREST.is_match(text) && !PGBACKREST_TARGET.is_match(text) {
        say(
            "pgbackrest restore without a target recovers to the end of the log, the bad deployment included",
            "add `--type=time --target=…`, `--type=name` or `--type=immediate`",
        );
    }
    if PITR.is_match(text) && !PITR_TARGET.is_match(text) {
        say(
            "a point-in-time recovery needs the point in time",
            "set `recovery_target_time`, `_name` or `_xid`",
        );
    }
    if GIT_MOVING.is_match(text) {
        say(
            "this git reference moves: it means something else after the deployment",
            "name the commit or the tag to go back to",
        );
    }
    if ROLLOUT_UNDO.is_match(text) && !ROLLOUT_REVISION.is_match(text) {
        say(
            "`rollout undo` goes to whatever ran before, which after two tries is the broken version",
            "add `--to-revision=N`",
        );
    }
    if HELM_ROLLBACK.is_match(text) && !HELM_REVISION.is_match(text) {
        say(
            "`helm rollback` without a revision goes to whatever ran before",
            "name the revision: `helm rollback RELEASE N`",
        );
    }
    if let Some(image) = MOVING_IMAGE.find(text) {
        say(
            &format!("`{}` moves: it is the new version by now", image.as_str()),
            "name the version or the digest",
        );
    }
    found
}

static RMAN_RECOVER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\brecover\s+(database|tablespace|pluggable\s+database)\b"));
static RMAN_UNTIL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(until\s+(time|scn|sequence|restore\s+point|cancel|change)|to\s+restore\s+point|flashback\s+database)\b",
    )
});
static PG_RESTORE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bpg_restore\b"));
static PG_RESTORE_CLEAN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\bpg_restore\b.*(--clean\b|--create\b|--list\b|\s-[a-zA-Z]*[cCl][a-zA-Z]*\b)")
});
static PGBACKREST: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bpgbackrest\b.*\brestore\b"));
static PGBACKREST_TARGET: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"--(target|type=(immediate|time|name|lsn|xid|none))"));
static PITR: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\brestore_command\b|\brecovery\.signal\b"));
static PITR_TARGET: LazyLock<Regex> = LazyLock::new(|| pattern(r"\brecovery_target"));
static GIT_MOVING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\bgit\s+(?:\S+\s+)*?(revert\s+(?:-\S+\s+)*(HEAD|main|master|origin/)|reset\s+--hard\s+(HEAD|origin/|main|master)|checkout\s+(main|master|origin/\S+|-)(\s|$))",
    )
});
static ROLLOUT_UNDO: LazyLock<Regex> = LazyLock::new(|| pattern(r"\brollout\s+undo\b"));
static ROLLOUT_REVISION: LazyLock<Regex> = LazyLock::new(|| pattern(r"--to-revision"));
static HELM_ROLLBACK: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\bhelm\s+(?:-\S+\s+)*rollback\b"));
static HELM_REVISION: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\brollback\s+(?:-\S+\s+)*[\w.-]+\s+[1-9]\d*\b"));
static MOVING_IMAGE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"[\w./-]+:(latest|stable|previous|current|main|master)\b"));

/// Whether a version names something that moves.
pub(super) fn is_moving(version: &str) -> bool {
    const MOVING: [&str; 13] = [
        "previous",
        "latest",
        "current",
        "stable",
        "main",
        "master",
        "head",
        "head~1",
        "head^",
        "last",
        "last known good",
        "previous version",
        "previous release",
    ];
    let version = version.trim().to_lowercase();
    MOVING.contains(&version.as_str()) || version.ends_with(":latest") || version.is_empty()
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
                | "oracle"
                | "mongo"
                | "mongodb"
                | "queue"
                | "data"
                | "store"
                | "datastore"
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
