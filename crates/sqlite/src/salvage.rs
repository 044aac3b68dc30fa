//! What can still be read of a damaged journal, and a new one made of it.
//!
//! The damaged files are kept, by another name: whatever is made of them can be made again, and
//! what an expert could still get out of them is there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use backout_core::ids::RunId;

use crate::journal::{self, OpenError};
use crate::look;
use crate::wal;

/// The files of a journal.
const FILES: [&str; 2] = ["journal.db", "journal.db-wal"];

/// The stored records of every run that can still be read, each from the first up to the first
/// one that cannot. `known` are runs to look for by name, where the journal cannot list them.
#[must_use]
pub fn salvage(folder: &Path, known: &[RunId]) -> BTreeMap<RunId, Vec<Vec<u8>>> {
    let Ok(connection) = look::copy(folder) else { return BTreeMap::new() };
    let mut runs: Vec<RunId> = listed(&connection).unwrap_or_default();
    runs.extend(known.iter().cloned());
    let mut found = BTreeMap::new();
    for run in runs {
        let mut records = Vec::new();
        while let Ok(bytes) = record(&connection, &run, records.len() + 1) {
            records.push(bytes);
        }
        if !records.is_empty() {
            found.insert(run, records);
        }
    }
    found
}

fn listed(connection: &Connection) -> rusqlite::Result<Vec<RunId>> {
    let mut query = connection.prepare("SELECT DISTINCT run FROM record")?;
    let names = query.query_map([], |row| row.get::<_, String>(0))?;
    // What is damaged further on hides nothing that was read before.
    Ok(names.map_while(Result::ok).filter_map(|name| RunId::new(name).ok()).collect())
}

fn record(connection: &Connection, run: &RunId, seq: usize) -> rusqlite::Result<Vec<u8>> {
    let seq = i64::try_from(seq).unwrap_or(i64::MAX);
    let mut query =
        connection.prepare_cached("SELECT bytes FROM record WHERE run = ?1 AND seq = ?2")?;
    query.query_row(params![run.as_str(), seq], |row| row.get(0))
}

/// Whether the write-ahead log holds frames behind a damaged one: opening the journal for
/// writing would end it there.
///
/// # Errors
/// When it cannot be read.
pub fn has_damaged_log(folder: &Path) -> io::Result<bool> {
    match fs::read(folder.join(FILES[1])) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        read => Ok(wal::is_damaged(&read?)),
    }
}

/// Copies the files of the journal, durably, beside them. Returns the name of the copy;
/// `None` where there is no journal.
///
/// # Errors
/// When they cannot be copied.
pub fn keep_aside(folder: &Path) -> io::Result<Option<PathBuf>> {
    if !folder.join(FILES[0]).try_exists()? && !folder.join(FILES[1]).try_exists()? {
        return Ok(None);
    }
    let name = |number: u32| format!("journal.damaged-{number}.db");
    let free = (1..).map(name).find(|name| !folder.join(name).exists()).unwrap_or_default();
    for (file, ending) in FILES.iter().zip(["", "-wal"]) {
        let from = folder.join(file);
        if from.try_exists()? {
            let to = folder.join(format!("{free}{ending}"));
            fs::copy(&from, &to)?;
            File::open(&to)?.sync_all()?;
        }
    }
    File::open(folder)?.sync_all()?;
    Ok(Some(folder.join(free)))
}

/// Puts a new journal with these records in the place of the one that is there, which has to be
/// kept aside before. No other process may have it open.
///
/// # Errors
/// [`OpenError`]; the old one is in its place then, or the new one.
pub fn replace(folder: &Path, runs: &BTreeMap<RunId, Vec<Vec<u8>>>) -> Result<(), OpenError> {
    let unusable = |source| OpenError::Folder { path: folder.to_owned(), source };
    let new = folder.join("journal.new.db");
    remove(&new).map_err(unusable)?;
    journal::make(&new, runs)?;
    File::open(&new).and_then(|file| file.sync_all()).map_err(unusable)?;
    // What belongs to the old database must not be read into the new one.
    for ending in ["-wal", "-shm"] {
        remove(&folder.join(format!("journal.db{ending}"))).map_err(unusable)?;
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unusable)?;
    fs::rename(&new, folder.join(FILES[0])).map_err(unusable)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unusable)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
