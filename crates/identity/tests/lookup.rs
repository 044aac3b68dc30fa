//! Look-ups against programs that answer like `getent`, and against the real one.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use backout_identity::{LOOKUP_TIMEOUT, LookupError, find_getent, lookup_with_getent};

/// Long enough for a slow machine, and never waited for where an answer comes.
const LIMIT: Duration = Duration::from_secs(60);
/// One of the scripts beside this file.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/getent").join(name)
}

fn ask(name: &str, uid: u32) -> Result<Option<String>, LookupError> {
    lookup_with_getent(&script(name), uid, LIMIT)
}

#[test]
fn getent_knows_names_that_no_file_has() {
    assert_eq!(ask("directory", 4242).expect("an answer"), Some("lena".to_owned()));
    assert_eq!(ask("directory", 4243).expect("an answer"), Some("CORP\\ann other".to_owned()));
}

#[test]
fn getent_says_not_found() {
    assert_eq!(ask("directory", 7).expect("an answer"), None);
}

#[test]
fn getent_gets_arguments_and_nothing_of_the_environment() {
    // It fails unless it sees `passwd UID`, an empty environment and an empty input.
    assert_eq!(ask("strict", 4242).expect("an answer"), Some("clean".to_owned()));
}

#[test]
fn a_failing_getent_is_an_error_and_not_a_missing_name() {
    match ask("failing", 4242) {
        Err(LookupError::GetentStatus { status, .. }) => assert_eq!(status.code(), Some(1)),
        other => panic!("{other:?}"),
    }
    match ask("killed", 4242) {
        Err(LookupError::GetentStatus { status, .. }) => assert_eq!(status.code(), None),
        other => panic!("{other:?}"),
    }
    assert!(matches!(ask("not-there", 4242), Err(LookupError::Getent { .. })));
}

#[test]
fn an_answer_that_is_not_the_account_is_refused() {
    // Another number, no number, too few fields, no name, two entries, no text, nothing.
    for uid in 1..=7 {
        match ask("unusable", uid) {
            Err(LookupError::Unusable { uid: asked, .. }) => assert_eq!(asked, uid),
            other => panic!("answer {uid}: {other:?}"),
        }
    }
}

#[test]
fn a_flood_is_cut_off() {
    match ask("flood", 4242) {
        Err(LookupError::Unusable { answer, .. }) => assert_eq!(answer, "y\\n".repeat(100)),
        // The pipe is closed on it, so it may also end by the signal for that.
        Err(LookupError::GetentStatus { status, .. }) => assert_eq!(status.code(), None),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_getent_that_hangs_is_ended_with_what_it_started() {
    let folder = std::env::temp_dir().join(format!("backout-getent-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).expect("a folder");
    // The script learns from its argument where to leave the number of its child.
    std::os::unix::fs::symlink(script("hanging"), folder.join("getent")).expect("a link");
    let mut limit = Duration::from_millis(500);
    let child = loop {
        let found = lookup_with_getent(&folder.join("getent"), 4242, limit);
        assert!(matches!(found, Err(LookupError::Timeout(_))), "{found:?}");
        match std::fs::read_to_string(folder.join("child")) {
            Ok(child) if child.ends_with('\n') => break child,
            // It was ended before it got so far.
            _ => limit *= 2,
        }
    };
    let command = Path::new("/proc").join(child.trim()).join("cmdline");
    let begun = Instant::now();
    // The kernel may still be at it.
    while std::fs::read(&command).is_ok_and(|line| line.starts_with(b"sleep")) {
        assert!(begun.elapsed() < LIMIT, "its child {} is still running", child.trim());
        std::thread::yield_now();
    }
    std::fs::remove_dir_all(&folder).expect("removed");
}

/// A number that no account has.
const NO_ACCOUNT: u32 = 3_999_999_999;

fn real_getent(uid: u32) -> Option<String> {
    let getent = find_getent().expect("a getent");
    lookup_with_getent(&getent, uid, LOOKUP_TIMEOUT).expect("an answer")
}

#[test]
fn the_real_getent_knows_root_and_no_account_that_is_not_there() {
    assert_eq!(real_getent(0), Some("root".to_owned()));
    assert_eq!(real_getent(NO_ACCOUNT), None);
}

/// Statically linked programs cannot look up in this process.
#[cfg(not(any(target_env = "musl", target_feature = "crt-static")))]
#[test]
fn both_ways_agree() {
    for uid in [0, rustix::process::getuid().as_raw(), NO_ACCOUNT] {
        let in_process = backout_identity::lookup_in_process(uid, LOOKUP_TIMEOUT);
        assert_eq!(in_process.expect("an answer"), real_getent(uid), "uid {uid}");
    }
}
