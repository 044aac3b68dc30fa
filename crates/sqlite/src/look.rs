//! A journal for those who only look: nothing is opened for writing, locked or made.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, MAIN_DB};

use crate::journal::OpenError;
use crate::wal;

/// How often two looks at files that are being written are repeated.
const MOST_LOOKS: u32 = 100;
/// How long to wait between them.
const PAUSE: Duration = Duration::from_millis(10);

/// What tells that the files of a journal were written.
pub(crate) type Stamp = [Option<(u64, SystemTime)>; 2];

/// When the database and its write-ahead log were last written, and how long each is.
pub(crate) fn stamp(folder: &Path) -> Stamp {
    let about = |path: PathBuf| {
        let about = std::fs::metadata(path).ok()?;
        Some((about.len(), about.modified().ok()?))
    };
    [about(folder.join("journal.db")), about(folder.join("journal.db-wal"))]
}

/// The journal as it stands, in memory.
///
/// # Errors
/// [`OpenError`] when a file cannot be read, or is written again and again.
pub(crate) fn copy(folder: &Path) -> Result<Connection, OpenError> {
    let path = folder.join("journal.db");
    let image =
        image(folder).map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?;
    let failed = |source| OpenError::Sqlite { path: path.clone(), source };
    let mut connection = Connection::open_in_memory().map_err(failed)?;
    if !image.is_empty() {
        let length = image.len();
        connection
            .deserialize_read_exact(MAIN_DB, image.as_slice(), length, false)
            .map_err(failed)?;
    }
    Ok(connection)
}

/// The bytes of the database with its write-ahead log, at one moment.
///
/// Another process may be writing. It only ever adds to the write-ahead log, unless it has
/// written all of it into the database before; then it begins the log anew, with another header.
/// So while neither the database nor that header changed, what was read belongs together.
fn image(folder: &Path) -> io::Result<Vec<u8>> {
    let (database, log) = (folder.join("journal.db"), folder.join("journal.db-wal"));
    for _ in 0..MOST_LOOKS {
        let header = read_log(&log, wal::HEADER as u64)?;
        let before = std::fs::read(&database)?;
        let wal = read_log(&log, u64::MAX)?;
        let same = wal.starts_with(&header) && read_log(&log, wal::HEADER as u64)? == header;
        if same && std::fs::read(&database)? == before {
            return Ok(wal::merge(before, &wal));
        }
        std::thread::sleep(PAUSE);
    }
    Err(io::Error::other("it is written again and again; look once more"))
}

/// The first bytes of the write-ahead log. A database without one has everything in itself.
fn read_log(path: &Path, at_most: u64) -> io::Result<Vec<u8>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(at_most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
