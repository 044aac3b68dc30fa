//! Who may try to coordinate a run, and whether that one shows that it lives.
//!
//! The lease is a lock of the kernel on a file, so it ends with its process. A process that hangs
//! keeps it. Therefore its holder writes down again and again when it was last seen to live, on a
//! clock that counts suspension, and a [`TakeOver`] can take the lease from it: by a file of its
//! own, locked before it is moved to the name of the old one. The old holder keeps its lock on a
//! file that has no name any more, which gives it nothing.
//!
//! A lease only says who may try. That an earlier coordinator writes nothing and starts nothing
//! any more rests on the log (each append names its position and its term) and on the ledger
//! (what an earlier term has not started yet is fenced), never on this file.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::time::{ClockId, clock_gettime};

/// The longest content of a lease file that is read, in bytes.
const LONGEST: usize = 4096;
/// How often a lease that is held is tried again, and after how long.
const LOOKS: u32 = 10;
const A_LOOK: Duration = Duration::from_millis(10);
/// How often what was read in the middle of a write is read again.
const TRIES: u32 = 5;

/// The right to try. Lost when it is dropped or its process dies, or when it is taken over.
#[derive(Debug)]
pub struct Lease {
    file: Arc<File>,
    id: String,
}

/// Shows that the holder of a lease lives.
#[derive(Debug, Clone)]
pub struct Life {
    file: Arc<File>,
    id: String,
    boot: String,
}

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Host and process, for people.
    pub id: String,
    /// How long it has shown no sign of life; `None` where that cannot be told.
    pub silent_for: Option<Duration>,
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum Taken {
    /// Another process has it.
    #[error("{} is coordinating this run", .0.id)]
    By(Holder),
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
        let mut looks = 0;
        loop {
            let file = open(path)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                // Who only looks whether it is held holds it for a moment, too.
                Err(rustix::io::Errno::WOULDBLOCK) if looks < LOOKS => {
                    looks += 1;
                    std::thread::sleep(A_LOOK);
                    continue;
                }
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(Taken::By(read(&file))),
                Err(error) => return Err(Taken::Io(error.into())),
            }
            // A take-over may have moved another file to this name since it was opened.
            if is_at(&file, path)? {
                return Ok(Self::begin(file, id)?);
            }
        }
    }

    /// Who has the lease at `path`, if any process has.
    ///
    /// # Errors
    /// When the lock file cannot be used.
    pub fn holder(path: &Path) -> io::Result<Option<Holder>> {
        // A shared lock takes no right to write: the folder may be on read-only media.
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(None),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(Some(read(&file))),
            Err(error) => Err(error.into()),
        }
    }

    /// What shows that this holder lives.
    #[must_use]
    pub fn life(&self) -> Life {
        let boot = boot().unwrap_or_default();
        Life { file: Arc::clone(&self.file), id: self.id.clone(), boot }
    }

    fn begin(file: File, id: &str) -> io::Result<Self> {
        file.set_len(0)?;
        let lease = Self { file: Arc::new(file), id: id.to_owned() };
        lease.life().beat()?;
        Ok(lease)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // What shows its life may be kept longer, and with it the open file.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

impl Life {
    /// Writes down that the holder lives now. Nothing is flushed: a crash of the machine ends the
    /// lease, too.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn beat(&self) -> io::Result<()> {
        let (id, at, boot) = (&self.id, now().as_millis(), &self.boot);
        self.file.write_all_at(format!("{id}\n{at:020} {boot}\n").as_bytes(), 0)
    }
}

/// Taking a lease from a process that holds it. While this lives, no other take-over of the same
/// lease begins.
#[derive(Debug)]
pub struct TakeOver {
    path: PathBuf,
    _alone: File,
    holder: Option<Holder>,
}

impl TakeOver {
    /// Prepares to take over the lease at `path`.
    ///
    /// # Errors
    /// [`Taken`] where another process is just taking it over, or a file cannot be used.
    pub fn prepare(path: &Path) -> Result<Self, Taken> {
        let alone = open(&with(path, "taking"))?;
        match flock(&alone, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let id = "another process".to_owned();
                return Err(Taken::By(Holder { id, silent_for: Some(Duration::ZERO) }));
            }
            Err(error) => return Err(Taken::Io(error.into())),
        }
        let holder = Lease::holder(path)?;
        Ok(Self { path: path.to_owned(), _alone: alone, holder })
    }

    /// Whom it would be taken from, if any process has it.
    #[must_use]
    pub fn holder(&self) -> Option<&Holder> {
        self.holder.as_ref()
    }

    /// Takes it. The process that had it is not touched.
    ///
    /// # Errors
    /// [`Taken`].
    pub fn take(self, id: &str) -> Result<Lease, Taken> {
        let own = with(&self.path, "next");
        match fs::remove_file(&own) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let file = open(&own)?;
        // A new file, and no other process makes one while this one is alone.
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(io::Error::from)?;
        let lease = Lease::begin(file, id)?;
        fs::rename(&own, &self.path)?;
        Ok(lease)
    }
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    PathBuf::from(name)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// Whether this file is the one of that name.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Who holds the lease in this file, as it says itself.
fn read(file: &File) -> Holder {
    let mut id = None;
    for _ in 0..TRIES {
        let mut bytes = [0_u8; LONGEST];
        let length = file.read_at(&mut bytes, 0).unwrap_or(0);
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        let mut lines = text.lines();
        id = lines.next().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        let seen = lines.next().and_then(seen);
        if let (Some(id), Some(seen)) = (&id, seen) {
            // A beat that lies ahead is of another clock.
            return Holder { id: id.clone(), silent_for: now().checked_sub(seen) };
        }
    }
    // An earlier version wrote no beats.
    Holder { id: id.unwrap_or_else(|| "another process".to_owned()), silent_for: None }
}

/// When the holder last showed that it lives: milliseconds of a clock that begins with the boot
/// of the machine, and which boot that was.
fn seen(line: &str) -> Option<Duration> {
    let (millis, of) = line.split_once(' ')?;
    let seen = Duration::from_millis(millis.parse().ok()?);
    (boot().as_deref() == Some(of)).then_some(seen)
}

/// Time since the machine was started, suspension included.
fn now() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// The random name of this running of the machine.
fn boot() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned()).filter(|id| !id.is_empty())
}
