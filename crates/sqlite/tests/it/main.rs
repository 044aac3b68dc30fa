//! Promises of the notebook.

mod lease;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use backout_core::ids::{Digest, RunId, Seq};
use backout_engine::Journal;
use backout_sqlite::SqliteJournal;
use backout_testkit::conformance::{self, record};

fn run() -> RunId {
    RunId::new("CHG1-1").expect("a name")
}

#[tokio::test]
async fn the_sqlite_journal_keeps_its_promises() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = SqliteJournal::open(&folder.path().join("state")).expect("opened");
    conformance::suite(Arc::new(journal)).await;
}

/// Two processes on one state directory are two journals on one database.
#[tokio::test]
async fn two_journals_on_one_database_see_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = SqliteJournal::open(folder.path()).expect("opened");
    let other = SqliteJournal::open(folder.path()).expect("opened");
    let first = record(&run(), 1, Digest::ZERO, "one");
    one.append(&run(), Seq(0), first.clone()).await.expect("appended");
    other.changed(&run(), Seq(0)).await.expect("heard");
    assert_eq!(other.read(&run(), Seq(0)).await.expect("read"), std::slice::from_ref(&first.bytes));
    assert!(other.append(&run(), Seq(0), first).await.is_err());
}

/// The write-ahead log is cut at every byte, as by a crash that tore it. Whatever
/// was acknowledged before that byte is there, in order, whole.
#[tokio::test]
async fn every_acknowledged_record_survives_a_torn_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = SqliteJournal::open(folder.path()).expect("opened");
    let (db, wal) = (folder.path().join("journal.db"), folder.path().join("journal.db-wal"));
    let mut acknowledged = Vec::new();
    let mut written = Vec::new();
    let mut prev = Digest::ZERO;
    for seq in 1..=5 {
        let sealed =
            record(&run(), seq, prev, &"x".repeat(usize::try_from(seq).expect("small") * 700));
        prev = sealed.digest;
        written.push(sealed.bytes.clone());
        journal.append(&run(), Seq(seq - 1), sealed).await.expect("appended");
        acknowledged.push(std::fs::metadata(&wal).expect("a log").len());
    }
    let (db, wal) = (std::fs::read(db).expect("read"), std::fs::read(wal).expect("read"));
    drop(journal);
    // In memory where there is such a place: tens of thousands of small files.
    let shm = Path::new("/dev/shm");
    let torn = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }
        .expect("a folder");
    let mut cuts = 0;
    for cut in 0..=wal.len() {
        let path = torn.path().join("journal.db");
        std::fs::write(&path, &db).expect("written");
        std::fs::write(torn.path().join("journal.db-wal"), &wal[..cut]).expect("written");
        let _ = std::fs::remove_file(torn.path().join("journal.db-shm"));
        let connection = rusqlite::Connection::open(&path).expect("opened");
        let found: Vec<Vec<u8>> = match connection.prepare("SELECT bytes FROM record ORDER BY seq")
        {
            Ok(mut query) => {
                let rows = query.query_map([], |row| row.get(0)).expect("a query");
                rows.collect::<Result<_, _>>().expect("readable")
            }
            // Not even the table was durable yet.
            Err(_) => Vec::new(),
        };
        let promised = acknowledged.iter().filter(|end| **end <= cut as u64).count();
        assert!(found.len() >= promised, "cut at {cut}: {} of {promised}", found.len());
        assert_eq!(found, written[..found.len()], "cut at {cut}: not a prefix");
        cuts += 1;
    }
    println!("torn log: {cuts} cuts, every acknowledged record there");
}

const COMMITS: u64 = 40;

/// Run under `strace` by the test below.
#[tokio::test]
#[ignore = "the other half of one_flush_a_commit"]
async fn forty_commits() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = SqliteJournal::open(folder.path()).expect("opened");
    // Opening flushes too.
    mark();
    let mut prev = Digest::ZERO;
    for seq in 1..=COMMITS {
        let sealed = record(&run(), seq, prev, "x");
        prev = sealed.digest;
        journal.append(&run(), Seq(seq - 1), sealed).await.expect("appended");
    }
    // Closing flushes once more.
    mark();
}

/// Leaves a flush of its own in the trace.
fn mark() {
    std::fs::File::open("/dev/null").expect("there").sync_data().ok();
}

#[test]
fn one_flush_a_commit() {
    let trace = tempfile::NamedTempFile::new().expect("a file");
    let status = Command::new("strace")
        .args(["-f", "-y", "-e", "trace=fdatasync,fsync", "-o"])
        .arg(trace.path())
        .arg(std::env::current_exe().expect("this test"))
        .args(["--exact", "forty_commits", "--ignored"])
        .stdout(std::process::Stdio::null())
        .status();
    if !status.is_ok_and(|status| status.success()) {
        eprintln!("NOT RUN: counting flushes needs strace");
        return;
    }
    let text = std::fs::read_to_string(trace.path()).expect("readable");
    let after_opening = text.split("/dev/null").nth(1).unwrap_or_default();
    let flushes =
        after_opening.lines().filter(|line| line.contains("journal.db-wal")).count() as u64;
    assert_eq!(flushes, COMMITS, "{text}");
}

/// Processes that open a new journal at the same moment all get it.
#[test]
fn a_new_journal_is_opened_by_many_at_once() {
    for round in 0..30 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        let start = std::sync::Barrier::new(12);
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    start.wait();
                    if let Err(error) = SqliteJournal::open(&path) {
                        panic!("round {round}: {error}");
                    }
                });
            }
        });
    }
}
