//! Who may try to coordinate a run.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// The right to try. Lost when it is dropped or its process dies.
#[derive(Debug)]
pub struct Lease {
    _file: File,
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum Taken {
    /// Somebody has it.
    #[error("{0} is coordinating this run")]
    By(String),
    /// The lock file cannot be used.
    #[error("the lock of this run cannot be used")]
    Io(#[from] io::Error),
}

impl Lease {
    /// Takes the lease at `path`. `id` names host and process, for people.
    ///
    /// # Errors
    /// [`Taken`].
    pub fn take(path: &Path, id: &str) -> Result<Self, Taken> {
        let mut file = open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(Taken::By(holder(&mut file))),
            Err(error) => return Err(Taken::Io(error.into())),
        }
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(id.as_bytes())?;
        Ok(Self { _file: file })
    }

    /// Who has the lease at `path`, if anybody has.
    ///
    /// # Errors
    /// When the lock file cannot be used.
    pub fn holder(path: &Path) -> io::Result<Option<String>> {
        if !path.exists() {
            return Ok(None);
        }
        let mut file = open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(None),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(Some(holder(&mut file))),
            Err(error) => Err(error.into()),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "another process".to_owned(),
    }
}
