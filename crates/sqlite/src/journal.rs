//! The journal in SQLite.
//!
//! Write-ahead log, `synchronous=FULL`: a commit that returned is on disk, and
//! costs one `fdatasync`. Both settings are read back after they are set,
//! because SQLite answers a setting it cannot honour with the one it keeps.
//!
//! One thread writes. Appends that wait for it at the same moment share one
//! transaction, and so one flush: sixty-four runs cost about as much as one.
//! Each append brings the position it expects, and is checked against the log
//! inside the transaction. The chain of positions in one log has one writer at
//! a time because of that check, not because of a lock.
//!
//! When a commit fails, nobody knows what is on disk: the kernel may have
//! dropped the dirty pages and will report success the next time. So the writer
//! stops for good, everyone waiting learns `Unknown`, and the process has to
//! start over from what is there.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params};
use tokio::sync::oneshot;

use backout_core::ids::{RunId, Seq};
use backout_core::mark::{Mark, MarkPlace};
use backout_core::record::Sealed;
use backout_engine::journal::{AppendError, Journal, ReadError};

use crate::look::{self, Stamp};
use crate::mark::{Committed, MarkFolders, Marks, Trouble};

/// `application_id` of our databases: "BKOT".
const APPLICATION_ID: i64 = 0x424B_4F54;
/// Version of the tables.
const USER_VERSION: i64 = 1;
/// The one table. It may be there already: another process may be making it.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS record (
     run TEXT NOT NULL,
     seq INTEGER NOT NULL,
     bytes BLOB NOT NULL,
     PRIMARY KEY (run, seq)
 ) STRICT, WITHOUT ROWID;";
/// How long a writer waits for another process's commit.
const BUSY: Duration = Duration::from_secs(30);
/// How long others that open a new journal at the same moment are waited for.
const OPENING: Duration = Duration::from_secs(5);
/// How often a waiting reader looks for records of other processes. The look is
/// one read of shared memory.
const LOOK: Duration = Duration::from_millis(25);
/// Most appends that share a transaction.
const BATCH: usize = 256;

/// A journal that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or used.
    #[error("the state directory {path} cannot be used")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Locks and flushes of a network file system are not to be trusted.
    #[error("the state directory {path} is on a network file system ({kind})")]
    Network {
        /// The folder.
        path: PathBuf,
        /// Which file system.
        kind: &'static str,
    },
    /// The file is no journal of ours, or of a newer version.
    #[error("{path} is not a journal this program can use: {why}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A setting that durability rests on was not accepted.
    #[error("the journal cannot be made durable: {pragma} is {found}, not {wanted}")]
    NotDurable {
        /// The setting.
        pragma: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// There is no room for it.
    #[error("the journal {path} cannot be opened: the disk is full")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// SQLite's own error.
    #[error("the journal {path} cannot be opened")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

struct Append {
    run: RunId,
    expect: Seq,
    record: Sealed,
    answer: oneshot::Sender<Result<(), AppendError>>,
}

/// The journal of a state directory.
pub struct SqliteJournal {
    access: Access,
    reader: Mutex<Connection>,
    marks: MarkFolders,
}

enum Access {
    /// The database is open, and so for others.
    Shared(mpsc::Sender<Append>),
    /// It is only looked at: what is read is a copy in memory, made when the files were so.
    Look { folder: PathBuf, seen: Mutex<Stamp> },
}

impl SqliteJournal {
    /// Opens or creates `journal.db` in a folder.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        Self::open_with(folder, MarkFolders::new(folder, None), Box::new(|_| {}))
    }

    /// The same, with its marks in these places. `trouble` is told once why marks cannot be
    /// kept elsewhere; that stops nothing.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_with(
        folder: &Path,
        marks: MarkFolders,
        trouble: Trouble,
    ) -> Result<Self, OpenError> {
        let usable = |source| OpenError::Folder { path: folder.to_owned(), source };
        let is_new = !folder.exists();
        std::fs::create_dir_all(folder).map_err(usable)?;
        refuse_network(folder)?;
        let path = folder.join("journal.db");
        let created = !path.exists();
        let writing = connect(&path)?;
        // A journal that was made and is empty is not made once more over what is left of it.
        let may_be_made = created || marks.runs().is_empty();
        prepare(&writing, &path, may_be_made)?;
        if created {
            flush_folder(folder).map_err(usable)?;
        }
        if let (true, Some(parent)) = (is_new, folder.parent()) {
            flush_folder(parent).map_err(usable)?;
        }
        let reading = connect(&path)?;
        let files = OpenFiles::at(&path);
        let (writer, appends) = mpsc::channel();
        let noting = Marks::new(&marks, trouble).map_err(usable)?;
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write_all(writing, files, noting, &appends))
            .map_err(usable)?;
        Ok(Self { access: Access::Shared(writer), reader: Mutex::new(reading), marks })
    }

    /// The journal in a folder as it stands, for those who only look: no file is made, changed
    /// or locked, so the folder may be on read-only media. What others append is seen by
    /// [`Journal::changed`]; appending is refused.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn look(folder: &Path, marks: MarkFolders) -> Result<Self, OpenError> {
        // Before the copy: what is written in between is looked at once more.
        let seen = look::stamp(folder);
        let reading = copy(folder)?;
        let access = Access::Look { folder: folder.to_owned(), seen: Mutex::new(seen) };
        Ok(Self { access, reader: Mutex::new(reading), marks })
    }

    /// Whether a folder holds a journal.
    ///
    /// # Errors
    /// [`OpenError`] where that cannot be seen: a folder nobody may look into is not empty.
    pub fn exists(folder: &Path) -> Result<bool, OpenError> {
        let found = folder.join("journal.db").try_exists();
        found.map_err(|source| OpenError::Folder { path: folder.to_owned(), source })
    }

    fn reading<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        let connection = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        read(&connection).map_err(|error| ReadError(error.to_string()))
    }

    fn ends(&self) -> Result<Vec<(RunId, Seq)>, ReadError> {
        let found: Vec<(String, i64)> = self.reading(|connection| {
            let mut query =
                connection.prepare_cached("SELECT run, max(seq) FROM record GROUP BY run")?;
            let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })?;
        let named = |(run, seq): (String, i64)| {
            let run = RunId::new(run).map_err(|error| ReadError(error.to_string()))?;
            Ok((run, Seq(u64::try_from(seq).unwrap_or(0))))
        };
        found.into_iter().map(named).collect()
    }

    fn head(&self, run: &RunId) -> Result<Seq, ReadError> {
        self.reading(|connection| head(connection, run))
    }

    /// Copies the files anew where they were written since the last copy.
    fn look_again(&self, folder: &Path, seen: &Mutex<Stamp>) -> Result<(), ReadError> {
        let now = look::stamp(folder);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen != now {
            let copied = copy(folder).map_err(|error| ReadError(with_source(&error)))?;
            *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = copied;
            *seen = now;
        }
        Ok(())
    }
}

impl Journal for SqliteJournal {
    async fn append(&self, run: &RunId, expect: Seq, record: Sealed) -> Result<(), AppendError> {
        let (answer, answered) = oneshot::channel();
        let append = Append { run: run.clone(), expect, record, answer };
        let gone = || AppendError::Unknown("the journal stopped after an error".to_owned());
        let Access::Shared(writer) = &self.access else {
            return Err(AppendError::Refused("the journal is only looked at".to_owned()));
        };
        writer.send(append).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    async fn read(&self, run: &RunId, after: Seq) -> Result<Vec<Vec<u8>>, ReadError> {
        self.reading(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT bytes FROM record WHERE run = ?1 AND seq > ?2 ORDER BY seq",
            )?;
            let rows = query.query_map(params![run.as_str(), to_i64(after)], |row| row.get(0))?;
            rows.collect()
        })
    }

    async fn changed(&self, run: &RunId, after: Seq) -> Result<(), ReadError> {
        if let Access::Look { folder, seen } = &self.access {
            while self.head(run)? <= after {
                tokio::time::sleep(LOOK).await;
                self.look_again(folder, seen)?;
            }
            return Ok(());
        }
        // `data_version` moves when another connection has committed, be it in
        // this process or in another one; the head is only read when it did.
        let version = |connection: &Connection| {
            connection.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0))
        };
        let mut seen = self.reading(version)?;
        while self.head(run)? <= after {
            loop {
                tokio::time::sleep(LOOK).await;
                let now = self.reading(version)?;
                if std::mem::replace(&mut seen, now) != now {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn runs(&self) -> Result<Vec<(RunId, Seq)>, ReadError> {
        self.ends()
    }

    fn notes_elsewhere(&self) -> bool {
        self.marks.notes_elsewhere()
    }

    fn marks(&self, run: &RunId) -> Vec<MarkPlace> {
        let first = self.reading(|connection| first_of(connection, run));
        self.marks.read(run, first.ok().flatten().as_deref())
    }
}

fn connect(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |source| opening(path, source);
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    let set = |pragma: &'static str, value: &str, wanted: &'static str| {
        let found: rusqlite::types::Value = connection
            .pragma_update_and_check(None, pragma, value, |row| row.get(0))
            .or_else(|_| connection.pragma_query_value(None, pragma, |row| row.get(0)))
            .map_err(failed)?;
        let found = match found {
            rusqlite::types::Value::Text(text) => text,
            rusqlite::types::Value::Integer(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        match found.eq_ignore_ascii_case(wanted) {
            true => Ok(()),
            false => Err(OpenError::NotDurable { pragma, found, wanted }),
        }
    };
    // Where several processes open a new journal at the same moment, SQLite refuses the change to
    // all but one, without waiting.
    let since = std::time::Instant::now();
    loop {
        match set("journal_mode", "WAL", "wal") {
            Err(OpenError::NotDurable { .. }) if since.elapsed() < OPENING => {
                std::thread::sleep(LOOK);
            }
            Err(error) => return Err(error),
            Ok(()) => break,
        }
    }
    set("synchronous", "FULL", "2")?;
    set("fullfsync", "1", "1")?;
    set("checkpoint_fullfsync", "1", "1")?;
    Ok(connection)
}

/// The journal in memory, if it is one.
fn copy(folder: &Path) -> Result<Connection, OpenError> {
    let connection = look::copy(folder)?;
    let path = folder.join("journal.db");
    let failed = |source| OpenError::Sqlite { path: path.clone(), source };
    let number = |pragma: &str| {
        connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(failed)
    };
    match (number("application_id")?, number("user_version")?) {
        (APPLICATION_ID, USER_VERSION) => {}
        // Nothing was ever written to it: whoever makes it may be at it, or was killed.
        (0, 0) if is_blank(&connection).map_err(failed)? => {
            connection.execute_batch(TABLE).map_err(failed)?;
        }
        found => return Err(foreign(&path, found)),
    }
    Ok(connection)
}

fn is_blank(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM main.sqlite_master", [], |row| row.get(0))
}

fn foreign(path: &Path, found: (i64, i64)) -> OpenError {
    let why = match found {
        (APPLICATION_ID, newer) => {
            format!("it has version {newer}, this program writes version {USER_VERSION}")
        }
        _ => "it belongs to another program".to_owned(),
    };
    OpenError::Foreign { path: path.to_owned(), why }
}

fn with_source(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn opening(path: &Path, source: rusqlite::Error) -> OpenError {
    match is_full(&source) {
        true => OpenError::Full { path: path.to_owned() },
        false => OpenError::Sqlite { path: path.to_owned(), source },
    }
}

/// A full disk shows as itself, or as a failure to make room for shared memory.
fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        error.code == ErrorCode::DiskFull
            || error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
    })
}

fn prepare(connection: &Connection, path: &Path, may_be_made: bool) -> Result<(), OpenError> {
    let failed = |source| opening(path, source);
    let number = |pragma: &str| {
        connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(failed)
    };
    let read = || Ok::<_, OpenError>((number("application_id")?, number("user_version")?));
    let found = match read()? {
        known @ ((0, 0) | (APPLICATION_ID, USER_VERSION)) => known,
        // Another process may be making it between the two looks: what it is shows once no
        // writer is in between.
        _ => {
            connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
            let found = read();
            connection.execute_batch("ROLLBACK").map_err(failed)?;
            found?
        }
    };
    match found {
        (APPLICATION_ID, USER_VERSION) => Ok(()),
        (0, 0) if !may_be_made => Err(OpenError::Foreign {
            path: path.to_owned(),
            why: "it is empty, and there are marks of what stood in it".to_owned(),
        }),
        (0, 0) => connection
            .execute_batch(&format!(
                "BEGIN IMMEDIATE;
                 {TABLE}
                 PRAGMA application_id = {APPLICATION_ID};
                 PRAGMA user_version = {USER_VERSION};
                 COMMIT;"
            ))
            .map_err(failed),
        found => Err(foreign(path, found)),
    }
}

/// A new database with these records, whole in one file.
pub(crate) fn make(path: &Path, runs: &BTreeMap<RunId, Vec<Vec<u8>>>) -> Result<(), OpenError> {
    let failed = |source| opening(path, source);
    let mut connection = connect(path)?;
    prepare(&connection, path, true)?;
    let transaction = connection.transaction().map_err(failed)?;
    for (run, records) in runs {
        for (seq, bytes) in (1_i64..).zip(records) {
            transaction
                .execute(
                    "INSERT INTO record (run, seq, bytes) VALUES (?1, ?2, ?3)",
                    params![run.as_str(), seq, bytes],
                )
                .map_err(failed)?;
        }
    }
    transaction.commit().map_err(failed)?;
    // Nothing of it may stand in a log beside it: it is renamed.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(failed)?;
    connection.close().map_err(|(_, source)| failed(source))
}

fn to_i64(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

fn head(connection: &Connection, run: &RunId) -> rusqlite::Result<Seq> {
    let mut query = connection
        .prepare_cached("SELECT seq FROM record WHERE run = ?1 ORDER BY seq DESC LIMIT 1")?;
    let mut rows = query.query([run.as_str()])?;
    let head: Option<i64> = rows.next()?.map(|row| row.get(0)).transpose()?;
    Ok(Seq(head.and_then(|head| u64::try_from(head).ok()).unwrap_or(0)))
}

/// The first record of a run, as it is stored.
fn first_of(connection: &Connection, run: &RunId) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut query =
        connection.prepare_cached("SELECT bytes FROM record WHERE run = ?1 AND seq = 1")?;
    query.query_row([run.as_str()], |row| row.get(0)).optional()
}

/// The files of a database that is open.
struct OpenFiles {
    /// The database and its write-ahead log, with what tells each from another file of its name.
    files: Vec<(PathBuf, Option<FileId>)>,
}

/// Device and inode.
type FileId = (u64, u64);

impl OpenFiles {
    fn at(path: &Path) -> Self {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let files = [path.to_owned(), PathBuf::from(log)];
        Self { files: files.map(|path| (path.clone(), file_id(&path))).into() }
    }

    /// Whether another file is at the place of one, or none: what is written to this one is in no
    /// journal. The write-ahead log is made with the first record.
    fn is_replaced(&mut self) -> bool {
        self.files.iter_mut().any(|(path, known)| {
            let now = file_id(path);
            *known = known.or(now);
            now != *known
        })
    }
}

fn file_id(path: &Path) -> Option<FileId> {
    std::fs::metadata(path).ok().map(|about| (about.dev(), about.ino()))
}

/// The writer: until every sender is gone, or a commit fails.
fn write_all(
    mut connection: Connection,
    mut files: OpenFiles,
    mut marks: Marks,
    appends: &mpsc::Receiver<Append>,
) {
    while let Ok(first) = appends.recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match appends.try_recv() {
                Ok(next) => batch.push(next),
                Err(_) => break,
            }
        }
        match write_batch(&mut connection, &mut files, &mut marks, &batch) {
            Ok(answers) => {
                for (append, answer) in batch.into_iter().zip(answers) {
                    let _ = append.answer.send(answer);
                }
            }
            Err(Failed::NothingWritten(why)) => {
                for append in batch {
                    let _ = append.answer.send(Err(AppendError::Refused(why.clone())));
                }
            }
            Err(Failed::Unknown(why)) => {
                for append in batch {
                    let _ = append.answer.send(Err(AppendError::Unknown(why.clone())));
                }
                return;
            }
        }
    }
}

enum Failed {
    NothingWritten(String),
    Unknown(String),
}

fn write_batch(
    connection: &mut Connection,
    files: &mut OpenFiles,
    marks: &mut Marks,
    batch: &[Append],
) -> Result<Vec<Result<(), AppendError>>, Failed> {
    let before = |error: rusqlite::Error| Failed::NothingWritten(explain(&error));
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(before)?;
    if files.is_replaced() {
        let why = "a file of the journal was replaced or removed while it was open";
        return Err(Failed::NothingWritten(why.to_owned()));
    }
    let mut answers = Vec::with_capacity(batch.len());
    for append in batch {
        if head(&transaction, &append.run).map_err(before)? != append.expect {
            answers.push(Err(AppendError::Moved));
            continue;
        }
        let record = &append.record;
        transaction
            .prepare_cached("INSERT INTO record (run, seq, bytes) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| {
                insert.execute(params![append.run.as_str(), to_i64(record.seq), record.bytes])
            })
            .map_err(before)?;
        answers.push(Ok(()));
    }
    transaction.commit().map_err(|error| Failed::Unknown(explain(&error)))?;
    let written = batch.iter().zip(&answers).filter(|(_, answer)| answer.is_ok());
    let committed: Vec<Committed> = written
        .map(|(Append { run, record, .. }, _)| Committed {
            run: run.clone(),
            mark: Mark { seq: record.seq, digest: record.digest },
            flushes: !record.is_covered_by_ledger,
        })
        .collect();
    let first = |run: &RunId| first_of(connection, run).ok().flatten();
    // Without its mark a record could be lost in silence: nothing may follow from it.
    let unmarked = |error| Failed::Unknown(format!("it was, and its mark was not: {error}"));
    marks.note(&committed, &first).map_err(unmarked)?;
    Ok(answers)
}

fn explain(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        _ if is_full(error) => "the disk is full".to_owned(),
        Some(ErrorCode::ReadOnly) => "the state directory is read-only".to_owned(),
        Some(ErrorCode::DatabaseBusy) => {
            format!("another process held the journal for {} s", BUSY.as_secs())
        }
        _ => error.to_string(),
    }
}

fn flush_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

fn refuse_network(folder: &Path) -> Result<(), OpenError> {
    /// `f_type` of file systems whose locks and flushes cross a network.
    const NETWORK: [(u64, &str); 7] = [
        (0x6969, "NFS"),
        (0x517B, "SMB"),
        (0xFF53_4D42, "CIFS"),
        (0xFE53_4D42, "SMB2"),
        (0x6573_5546, "FUSE"),
        (0x0BD0_0BD0, "Lustre"),
        (0x0102_1997, "9P"),
    ];
    let about = rustix::fs::statfs(folder)
        .map_err(|error| OpenError::Folder { path: folder.to_owned(), source: error.into() })?;
    #[expect(clippy::cast_sign_loss, reason = "a magic number, compared bit by bit")]
    let found = u64::from(about.f_type as u32);
    match NETWORK.iter().find(|(magic, _)| *magic == found) {
        Some((_, kind)) => Err(OpenError::Network { path: folder.to_owned(), kind }),
        None => Ok(()),
    }
}
