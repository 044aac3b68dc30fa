//! Looking changes nothing, and shows all there is: on a folder that anybody may write, on
//! read-only media, and for an account that may only read.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::stage::{Stage, Told, told};

/// Every command that only looks.
const LOOKS: [&str; 11] = [
    "status",
    "status CHG7 --json",
    "runs",
    "runs --json",
    "log CHG7",
    "log CHG7 --json",
    "verify CHG7",
    "verify CHG7 --json",
    "tail CHG7 second",
    "history",
    "render CHG7 --to md -o -",
];

/// A run whose coordinator was killed behind its first step: its newest records stand in the
/// write-ahead log alone.
fn killed() -> Stage {
    let stage = Stage::new();
    stage.plan(
        "  - {id: first, owner: ann, effect: opaque, run: {shell: echo x >> effects}}\n  - {id: second, owner: ann, effect: opaque, run: {shell: 'echo y >> effects; echo said; cat pipe'}}\n",
    );
    Command::new("mkfifo").arg(stage.path("pipe")).status().expect("a pipe");
    let mut coordinator = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead"]);
    stage.until("the second step is at work", |stage| stage.lines("effects") == 2);
    coordinator.kill_9();
    // Ends the step: nothing writes any more.
    std::fs::write(stage.path("pipe"), "").expect("written");
    stage.until("its end is written down", |stage| {
        stage.state.join("runs/CHG7-1/steps/second/1.1/exit.json").exists()
    });
    stage.until("its supervisor is gone", |stage| supervisors(&stage.state) == 0);
    let wal = std::fs::metadata(stage.state.join("journal.db-wal")).expect("there");
    assert!(wal.len() > 0, "the records stand in the write-ahead log");
    stage
}

/// Living supervisors of a state folder.
pub(crate) fn supervisors(state: &Path) -> usize {
    let state = state.display().to_string();
    let names = |entry: &std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains("supervise") && line.contains(&state)
    };
    let entries = std::fs::read_dir("/proc").expect("processes").flatten();
    entries.filter(names).count()
}

/// Every file below a folder: size, time of the last change, mode, content.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (u64, i128, u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        let about = std::fs::symlink_metadata(&path).expect("there");
        let content = match about.is_dir() {
            true => {
                let entries = std::fs::read_dir(&path).expect("readable");
                open.extend(entries.map(|entry| entry.expect("there").path()));
                Vec::new()
            }
            false => std::fs::read(&path).expect("readable"),
        };
        let changed = i128::from(about.mtime()) * 1_000_000_000 + i128::from(about.mtime_nsec());
        found.insert(path, (about.len(), changed, about.mode(), content));
    }
    found
}

/// Looks see both intents: none of them shows a shortened log.
#[track_caller]
fn shows_all(look: &str, told: &Told) {
    assert_eq!(told.code, Some(0), "{look}: {told:?}");
    if look.starts_with("log") {
        told.says("second");
    }
}

#[test]
fn looking_changes_no_byte() {
    let stage = killed();
    let before = tree(&stage.state);
    let mut answers = Vec::new();
    for look in LOOKS {
        let told = stage.say(look);
        shows_all(look, &told);
        let after = tree(&stage.state);
        assert!(after == before, "{look} changed {:?}", changed(&before, &after));
        answers.push(told.out);
    }
    // What is resumed is all there was.
    stage.tell(&["resume", "--as", "lead"]).expect(10);
    assert_eq!(stage.lines("effects"), 2);
    assert_eq!(stage.say("log CHG7").out.find(answers[4].as_str()), Some(0), "the log goes on");
}

fn changed<T: PartialEq>(
    before: &BTreeMap<PathBuf, T>,
    after: &BTreeMap<PathBuf, T>,
) -> Vec<PathBuf> {
    let names = before.keys().chain(after.keys());
    names.filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

/// On read-only media, with and without the index of the write-ahead log.
#[test]
fn read_only_media_are_read_whole() {
    let stage = killed();
    let expected: Vec<Told> = LOOKS.iter().map(|look| stage.say(look)).collect();
    for with_index in [true, false] {
        if !with_index {
            let _ = std::fs::remove_file(stage.state.join("journal.db-shm"));
        }
        for (look, expected) in LOOKS.iter().zip(&expected) {
            let script = format!(
                "mount --bind '{0}' '{0}' && mount -o remount,bind,ro '{0}' && ! touch '{0}/x' 2>/dev/null && exec '{1}' {look}",
                stage.state.display(),
                env!("CARGO_BIN_EXE_backout"),
            );
            let mut command = stage.command(&[]);
            let environment: Vec<_> = command
                .get_envs()
                .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
                .collect();
            command = Command::new("unshare");
            command.args(["-m", "sh", "-c", &script]).env_clear().envs(environment);
            command.current_dir(stage.folder());
            let found = told(command);
            if found.err.contains("not permitted") || found.err.contains("ermission denied") {
                eprintln!("NOT RUN: a read-only mount is not permitted here");
                return;
            }
            shows_all(look, &found);
            // A status and a report tell the time; the log does not.
            if look.starts_with("log") || look.starts_with("verify") {
                assert_eq!(found.out, expected.out, "{look}");
            }
            assert_eq!(found.err, expected.err, "{look}");
        }
    }
}

/// An account that may read and not write, where this one is root and can become another.
#[test]
fn an_account_that_may_only_read_reads_all() {
    let stage = killed();
    let root = rustix::process::getuid().is_root();
    for path in tree(&stage.state).into_keys() {
        let mode = if path.is_dir() { 0o555 } else { 0o444 };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("changed");
    }
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(stage.folder(), open).expect("changed");
    let before = tree(&stage.state);
    for look in LOOKS {
        let mut command = stage.command(&look.split_whitespace().collect::<Vec<_>>());
        if root {
            use std::os::unix::process::CommandExt;
            command.uid(65_534).gid(65_534);
        }
        let told = told(command);
        if root && told.err.contains("ermission denied") && told.code.is_none() {
            eprintln!("NOT RUN: another account cannot start this program");
            break;
        }
        shows_all(look, &told);
        assert!(tree(&stage.state) == before, "{look}");
    }
    // So that the folder can be removed.
    for path in tree(&stage.state).into_keys().filter(|path| path.is_dir()) {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("changed");
    }
}
