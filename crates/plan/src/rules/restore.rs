//! Restores that do not go back in time.
//!
//! Several restore commands bring the system forward to now unless told
//! otherwise. Each entry of the table knows one of them, and what makes it right.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::command::{ascii, commands, pattern};

/// A command that does not go back in time: how it is recognised, what makes it
/// right after all, what is wrong with it, what to write instead.
struct Forward {
    command: &'static str,
    unless: &'static str,
    wrong: &'static str,
    instead: &'static str,
}

const FORWARD: [Forward; 13] = [
    Forward {
        command: r"\bpg_restore\b",
        unless: r"--clean\b|--create\b|--list\b|--version\b|--help\b|\s-[a-zA-BD-EG-Z]*[cCl]\b",
        wrong: "pg_restore without --clean adds to what is there: new tables stay, old rows collide",
        instead: "add `--clean --if-exists`, or restore into an empty database with `--create`",
    },
    Forward {
        command: r"\bpgbackrest\b.*\brestore\b",
        unless: r"--target=|--set=|--type=(?:immediate|none)\b",
        wrong: "pgbackrest restore without a target recovers to the end of the log, the bad deployment included",
        instead: "add `--type=time --target=…`, `--type=name --target=…` or `--type=immediate`",
    },
    Forward {
        command: r"\bwal-g\s+backup-fetch\b.*\bLATEST\b|\bbarman\s+recover\b.*\blatest\b|--use-latest-restorable-time",
        unless: r"--target",
        wrong: "the latest backup may have been taken after the deployment",
        instead: "name the backup or the point in time to go back to",
    },
    Forward {
        command: r"\brestore_command\b|\brecovery\.signal\b",
        unless: r"\brecovery_target(?:_time|_name|_xid|_lsn)?\s*=",
        wrong: "a point-in-time recovery needs the point in time",
        instead: "set `recovery_target_time`, `_name` or `_xid`",
    },
    Forward {
        command: r"(?i)\brestore\s+log\b",
        unless: r"(?i)\bstopat",
        wrong: "RESTORE LOG without STOPAT replays every change, the bad deployment included",
        instead: "add `WITH STOPAT = '…'`",
    },
    Forward {
        command: r"\bgit\b.*\brevert\s.*(?:\bHEAD\b|@(?:\s|$)|\bmain\b|\bmaster\b|origin/)",
        unless: r"\brevert\s+--(?:continue|abort)",
        wrong: "this git reference moves: it means something else after the deployment",
        instead: "name the commit to revert",
    },
    Forward {
        command: r"\bgit\b.*(?:\breset\s.*--hard\s+(?:HEAD|ORIG_HEAD|origin/|upstream/|main|master|@)|\b(?:checkout|switch)\s+(?:-f\s+)?(?:main|master|develop|HEAD~?\S*|origin/\S+|-)\s*$|\bpull\b)",
        unless: r"\bcheckout\s+\S+\s+--\s",
        wrong: "this git reference moves: it means something else after the deployment",
        instead: "name the commit or the tag to go back to",
    },
    Forward {
        command: r"\brollouts?\s+undo\b",
        unless: r"--to-revision[=\s]+[1-9]",
        wrong: "`rollout undo` goes to whatever ran before, which after two tries is the broken version",
        instead: "add `--to-revision=N`",
    },
    Forward {
        command: r"\bhelm\b.*\brollback\b",
        unless: r"\brollback\s+(?:-\S+(?:\s+[^-\s]\S*)?\s+)*[\w.-]+\s+(?:[1-9]\d*|\$\S+)(?:\s|$)",
        wrong: "`helm rollback` without a revision goes to whatever ran before",
        instead: "name the revision: `helm rollback RELEASE N`",
    },
    Forward {
        command: r"\bargocd\s+app\s+rollback\s+(?:-\S+\s+)*[\w.-]+\s*$",
        unless: r"^$",
        wrong: "`argocd app rollback` without an id goes to whatever ran before",
        instead: "name the history id",
    },
    Forward {
        command: r"\balembic\s+downgrade\s+-\d|\brails\s+db:rollback\b|\bflyway\s+undo\b",
        unless: r"-target=",
        wrong: "a migration undone by counting depends on how many ran since",
        instead: "name the revision to go back to",
    },
    Forward {
        command: r"(?:[\w.-]+/)*[\w.-]+[:@](?:latest|stable|previous|current)(?:\s|$|['\x22])",
        unless: r"\b(?:scp|rsync|ssh)\b",
        wrong: "this version moves: it is the new one by now",
        instead: "name the version or the digest",
    },
    Forward {
        command: r"(?i)\broll(?:s|ed)?\s?back\s+to\s+(?:the\s+)?(?:previous|last|prior)\s+(?:version|release|build)\b",
        unless: r"^$",
        wrong: "the previous version is whatever ran last, which may be the broken one",
        instead: "name the version to go back to",
    },
];

static ANY_FORWARD: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new(FORWARD.iter().map(|rule| ascii(rule.command))).expect("patterns of this file")
});

static FORWARD_COMMANDS: LazyLock<Vec<(Regex, Regex)>> = LazyLock::new(|| {
    FORWARD.iter().map(|rule| (pattern(rule.command), pattern(rule.unless))).collect()
});

/// Commands in a text that do not go back in time: what is wrong, what to write instead.
pub(super) fn forward_in_time(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let script = commands(text).join(";\n");
    // RMAN says until when in one statement and recovers in another.
    if RMAN_RECOVER.is_match(&script) && !RMAN_UNTIL.is_match(&script) {
        found.push((
            "RECOVER DATABASE without UNTIL replays every change up to now, the bad deployment included".to_owned(),
            "write `SET UNTIL TIME …` or `SET UNTIL RESTORE POINT …` before RESTORE and RECOVER, or use FLASHBACK DATABASE TO RESTORE POINT".to_owned(),
        ));
    }
    for command in commands(text) {
        // One pass tells whether any of them is in it; mostly none is.
        if !ANY_FORWARD.is_match(&command) {
            continue;
        }
        for (rule, (matches, unless)) in FORWARD.iter().zip(FORWARD_COMMANDS.iter()) {
            // A setting of the recovery may stand on another line of the same file.
            let context =
                if rule.wrong.starts_with("a point-in-time") { &script } else { &command };
            if matches.is_match(&command) && !unless.is_match(context) {
                found.push((rule.wrong.to_owned(), rule.instead.to_owned()));
            }
        }
    }
    found
}

static RMAN_RECOVER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\brecover\s+(?:automatic\s+)?(?:database|tablespace|datafile|pluggable\s+database)\b",
    )
});
static RMAN_UNTIL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(until\s+(time|scn|sequence|restore\s+point|cancel|change)|to\s+restore\s+point|noredo)\b",
    )
});
