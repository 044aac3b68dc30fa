//! Promises of the notebook.

mod lease;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use backout_core::ids::{Digest, RunId, Seq};
use backout_core::mark::{Found, judge};
use backout_engine::Journal;
use backout_sqlite::{MarkFolders, SqliteJournal, salvage};
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
        // Opening each of them twice takes long; every page and every frame has its turn.
        let looked = if cut % 53 == 0 { Some(looked(torn.path()).await) } else { None };
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
        if let Some(looked) = looked {
            assert_eq!(Ok(found), looked, "cut at {cut}: a look finds something else");
        }
        cuts += 1;
    }
    println!("torn log: {cuts} cuts, every acknowledged record there");
}

/// What a journal holds for those who only look; it leaves no file behind.
async fn looked(folder: &Path) -> Result<Vec<Vec<u8>>, String> {
    let before = files(folder);
    let journal = SqliteJournal::look(folder, MarkFolders::new(folder, None))
        .map_err(|error| error.to_string())?;
    let found = journal.read(&run(), Seq(0)).await.map_err(|error| error.to_string());
    assert_eq!(files(folder), before, "a look changed something");
    found
}

/// Names and sizes of the files in a folder.
fn files(folder: &Path) -> Vec<(std::ffi::OsString, u64)> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("there"));
    let mut found: Vec<_> =
        entries.map(|e| (e.file_name(), e.metadata().expect("there").len())).collect();
    found.sort();
    found
}

/// A flipped bit ends the write-ahead log for those who look where it does for SQLite.
#[tokio::test]
async fn a_look_finds_what_sqlite_finds_in_a_damaged_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = SqliteJournal::open(folder.path()).expect("opened");
    let mut prev = Digest::ZERO;
    for seq in 1..=3 {
        let sealed = record(&run(), seq, prev, &"x".repeat(900));
        prev = sealed.digest;
        journal.append(&run(), Seq(seq - 1), sealed).await.expect("appended");
    }
    let names = ["journal.db", "journal.db-wal"];
    let [db, wal] = names.map(|name| std::fs::read(folder.path().join(name)).expect("read"));
    drop(journal);
    let damaged = tempfile::tempdir().expect("a folder");
    let (mut flips, mut shorter) = (0, 0);
    for at in (0..wal.len()).step_by(41) {
        let mut wal = wal.clone();
        wal[at] ^= 1 << (at % 8);
        std::fs::write(damaged.path().join(names[0]), &db).expect("written");
        std::fs::write(damaged.path().join(names[1]), &wal).expect("written");
        let looked = looked(damaged.path()).await;
        let path = damaged.path().join(names[0]);
        let connection = rusqlite::Connection::open(&path).expect("opened");
        let found: rusqlite::Result<Vec<Vec<u8>>> = connection
            .prepare("SELECT bytes FROM record ORDER BY seq")
            .and_then(|mut query| query.query_map([], |row| row.get(0))?.collect());
        match (found, looked) {
            (Ok(found), Ok(looked)) => {
                assert_eq!(found, looked, "bit of byte {at}");
                shorter += u32::from(found.len() < 3);
                // What stands behind the wrong bit is seen, if anything does.
                let last = wal.len() - (24 + 4096);
                let damaged = salvage::has_damaged_log(damaged.path()).expect("readable");
                assert!(damaged || found.len() == 3 || at >= last, "bit of byte {at}");
            }
            // Without the table SQLite finds nothing, and a look an empty journal.
            (Err(_), looked) => assert_eq!(looked, Ok(Vec::new()), "bit of byte {at}"),
            (Ok(found), Err(error)) => panic!("bit of byte {at}: {found:?}, {error}"),
        }
        flips += 1;
        drop(connection);
        let _ = std::fs::remove_file(damaged.path().join("journal.db-shm"));
    }
    assert!(shorter > 0);
    println!("flipped bits in the write-ahead log: {flips}, {shorter} of them lose records");
}

/// Whoever follows a run without opening its journal hears of new records, also when the
/// write-ahead log was begun anew meanwhile.
#[tokio::test]
async fn a_look_hears_of_what_is_appended() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = SqliteJournal::open(folder.path()).expect("opened");
    let mut prev = Digest::ZERO;
    let look = SqliteJournal::look(folder.path(), MarkFolders::new(folder.path(), None))
        .expect("readable");
    for seq in 1..=3 {
        let sealed = record(&run(), seq, prev, "x");
        prev = sealed.digest;
        journal.append(&run(), Seq(seq - 1), sealed.clone()).await.expect("appended");
        look.changed(&run(), Seq(seq - 1)).await.expect("heard");
        let read = look.read(&run(), Seq(seq - 1)).await.expect("read");
        assert_eq!(read, std::slice::from_ref(&sealed.bytes));
        let connection = rusqlite::Connection::open(folder.path().join("journal.db"));
        let connection = connection.expect("opened");
        connection.pragma_update(None, "wal_checkpoint", "TRUNCATE").ok();
        assert!(look.append(&run(), Seq(seq), sealed).await.is_err());
    }
}

const COMMITS: u64 = 40;
/// As many of them say something that the ledger does not hold.
const UNCOVERED: u64 = 10;

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
        let mut sealed = record(&run(), seq, prev, "x");
        prev = sealed.digest;
        sealed.is_covered_by_ledger = seq > UNCOVERED;
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
        |file: &str| after_opening.lines().filter(|line| line.contains(file)).count() as u64;
    assert_eq!(flushes("journal.db-wal"), COMMITS, "{text}");
    // The mark of a commit that the ledger covers takes no flush; any other one is durable.
    assert_eq!(flushes("marks/CHG1-1"), UNCOVERED, "{text}");
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

/// A record that was committed is noted outside the database, in every place there is; who
/// adds to the file is one of several processes.
#[tokio::test]
async fn every_commit_is_marked_in_each_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let (state, other) = (folder.path().join("state"), folder.path().join("other"));
    std::fs::create_dir(&other).expect("a folder");
    let marks = MarkFolders::new(&state, Some(&other));
    let open = || SqliteJournal::open_with(&state, marks.clone(), Box::new(|why| panic!("{why}")));
    let (one, two) = (open().expect("opened"), open().expect("opened"));
    let mut digests = Vec::new();
    for seq in 1..=6 {
        let prev = digests.last().copied().unwrap_or(Digest::ZERO);
        let mut sealed = record(&run(), seq, prev, "x");
        sealed.is_covered_by_ledger = seq % 2 == 0;
        digests.push(sealed.digest);
        let journal = if seq % 3 == 0 { &one } else { &two };
        journal.append(&run(), Seq(seq - 1), sealed).await.expect("appended");
        let places = one.marks(&run());
        assert_eq!(places.len(), 2);
        for place in &places {
            let highest = place.highest().expect("a mark");
            assert_eq!((highest.seq, Some(&highest.digest)), (Seq(seq), digests.last()));
        }
        assert!(!judge(&digests, true, &places, &[]).is_suspect());
        assert!(judge(&digests[..digests.len() - 1], true, &places, &[]).is_suspect());
    }
    // A line that a crash cut off is no mark, and does not spoil the next one.
    let file = state.join("marks/CHG1-1");
    let whole = std::fs::read(&file).expect("readable");
    std::fs::write(&file, &whole[..whole.len() - 30]).expect("written");
    drop((one, two));
    let journal = open().expect("opened");
    let sealed = record(&run(), 7, *digests.last().expect("some"), "x");
    digests.push(sealed.digest);
    journal.append(&run(), Seq(6), sealed).await.expect("appended");
    let places = journal.marks(&run());
    assert!(places.iter().all(|place| place.highest().map(|mark| mark.seq) == Some(Seq(7))));
    assert!(places.iter().all(|place| matches!(place.found, Found::Marks(_))), "{places:?}");
    // A damaged line is said, and not taken for a damaged log.
    let text =
        std::fs::read_to_string(&file).expect("readable").replacen("1 sha256:", "1 sha256:0", 1);
    std::fs::write(&file, text).expect("written");
    let judged = judge(&digests, true, &journal.marks(&run()), &[]);
    assert_eq!((judged.is_suspect(), judged.not_compared.len()), (false, 1));
    // What was rebuilt from record 4 on is not held against the marks behind it.
    let anew = record(&run(), 5, digests[3], "rebuilt").digest;
    let rebuilt = [&digests[..4], &[anew]].concat();
    marks.withdraw(&run(), None, &rebuilt).expect("written");
    assert!(!judge(&rebuilt, true, &marks.read(&run(), None), &[]).is_suspect());
    assert!(judge(&digests, true, &marks.read(&run(), None), &[]).is_suspect());
    assert!(judge(&digests[..4], true, &marks.read(&run(), None), &[]).is_suspect());
    // Two records of one position, as where a place was away for a while: settled once.
    std::fs::OpenOptions::new()
        .append(true)
        .open(&file)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &whole))
        .expect("written");
    assert!(judge(&rebuilt, true, &marks.read(&run(), None), &[]).is_suspect());
    marks.withdraw(&run(), None, &rebuilt).expect("written");
    let judged = judge(&rebuilt, true, &marks.read(&run(), None), &[]);
    assert_eq!((judged.is_suspect(), judged.not_compared.len()), (false, 0));
}

/// Where the other place is not there, that is told once, and nothing stands still.
#[tokio::test]
async fn a_missing_place_for_marks_stops_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let marks = MarkFolders::new(folder.path(), Some(&folder.path().join("not mounted")));
    let (tell, told) = std::sync::mpsc::channel();
    let trouble = Box::new(move |why: &str| tell.send(why.to_owned()).expect("heard"));
    let journal = SqliteJournal::open_with(folder.path(), marks, trouble).expect("opened");
    let mut digests = Vec::new();
    for seq in 1..=3 {
        let prev = digests.last().copied().unwrap_or(Digest::ZERO);
        let sealed = record(&run(), seq, prev, "x");
        digests.push(sealed.digest);
        journal.append(&run(), Seq(seq - 1), sealed).await.expect("appended");
    }
    assert_eq!(told.try_iter().count(), 1);
    let judged = judge(&digests, true, &journal.marks(&run()), &[]);
    assert_eq!((judged.is_suspect(), judged.not_compared.len()), (false, 1));
}

/// What can be read of a damaged journal is in the new one, and the old one is kept.
#[tokio::test]
async fn a_damaged_journal_is_kept_and_what_is_left_of_it_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    assert_eq!(salvage::keep_aside(path).expect("looked"), None);
    let other = RunId::new("CHG2-1").expect("a name");
    let journal = SqliteJournal::open(path).expect("opened");
    let mut prev = Digest::ZERO;
    for seq in 1..=4 {
        let sealed = record(&run(), seq, prev, &"x".repeat(3000));
        prev = sealed.digest;
        journal.append(&run(), Seq(seq - 1), sealed).await.expect("appended");
    }
    let sealed = record(&other, 1, Digest::ZERO, "x");
    journal.append(&other, Seq(0), sealed.clone()).await.expect("appended");
    drop(journal);
    let mut all = salvage::salvage(path, &[]);
    assert_eq!((all.len(), all[&run()].len(), all[&other].len()), (2, 4, 1));
    let aside = salvage::keep_aside(path).expect("kept").expect("a copy");
    let second = salvage::keep_aside(path).expect("kept").expect("a copy");
    assert_ne!(aside, second, "no copy is written over");
    let old = std::fs::read(path.join("journal.db")).expect("readable");
    all.get_mut(&run()).expect("there").truncate(2);
    salvage::replace(path, &all).expect("replaced");
    assert_eq!(std::fs::read(&aside).expect("readable"), old);
    let journal = SqliteJournal::open(path).expect("opened");
    assert_eq!(journal.read(&run(), Seq(0)).await.expect("read"), all[&run()]);
    assert_eq!(journal.read(&other, Seq(0)).await.expect("read"), [sealed.bytes]);
    drop(journal);
    // Not even a database any more.
    std::fs::write(path.join("journal.db"), "gone").expect("written");
    assert_eq!(salvage::salvage(path, &[run()]).len(), 0);
    salvage::replace(path, &all).expect("replaced");
    assert_eq!(salvage::salvage(path, &[]), all);
}
