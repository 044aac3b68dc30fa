//! Folders: what is in them, and one digest over it.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use backout_core::ids::Digest;

/// Something in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path below the folder.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Its permission bits.
    pub mode: u32,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file of this many bytes.
    File(u64),
    /// A symbolic link to this.
    Link(PathBuf),
    /// A socket, a pipe or a device: nothing that can be backed up.
    Special,
}

/// What a folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Digest over names, contents, modes and link targets, in byte order of the names.
    pub digest: Digest,
    /// How many files and links.
    pub files: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// Everything below a folder, sorted by path. Links are not followed.
///
/// # Errors
/// When something cannot be read, or is neither file, folder nor link.
pub fn entries(folder: &Path) -> io::Result<Vec<Entry>> {
    let found = entries_with_specials(folder)?;
    match found.iter().find(|entry| entry.kind == Kind::Special) {
        None => Ok(found),
        Some(entry) => {
            let said = format!("{} is neither file, folder nor link", entry.path.display());
            Err(io::Error::other(said))
        }
    }
}

/// Everything below a folder, sockets and pipes too.
///
/// # Errors
/// When something cannot be read.
pub fn entries_with_specials(folder: &Path) -> io::Result<Vec<Entry>> {
    if !std::fs::metadata(folder)?.is_dir() {
        return Err(io::Error::other("it is not a folder"));
    }
    let mut found = Vec::new();
    // The folder itself may be a link, as `current` often is; what is in it counts.
    let root = std::fs::canonicalize(folder)?;
    for entry in WalkDir::new(&root).min_depth(1) {
        let entry = entry.map_err(io::Error::from)?;
        let about = entry.metadata().map_err(io::Error::from)?;
        let path = entry.path().strip_prefix(&root).unwrap_or(entry.path()).to_owned();
        found.push(Entry { kind: kind(entry.path(), &about)?, mode: mode(&about), path });
    }
    found.sort_by(|a, b| a.path.as_os_str().as_bytes().cmp(b.path.as_os_str().as_bytes()));
    Ok(found)
}

fn kind(path: &Path, about: &Metadata) -> io::Result<Kind> {
    let file_type = about.file_type();
    if file_type.is_dir() {
        Ok(Kind::Folder)
    } else if file_type.is_file() {
        Ok(Kind::File(about.len()))
    } else if file_type.is_symlink() {
        std::fs::read_link(path).map(Kind::Link)
    } else {
        Ok(Kind::Special)
    }
}

fn mode(about: &Metadata) -> u32 {
    about.permissions().mode() & 0o7777
}

/// How much has been read so far, for whoever waits.
#[derive(Debug, Default)]
pub struct Progress {
    files: AtomicU64,
    bytes: AtomicU64,
}

impl Progress {
    /// What has been read, for people; nothing as long as nothing has.
    #[must_use]
    pub fn shown(&self) -> Option<String> {
        let bytes = self.bytes.load(Ordering::Relaxed);
        (bytes > 0).then(|| match self.files.load(Ordering::Relaxed) {
            0 => format!("{} read", size(bytes)),
            files => format!("{files} files, {} read", size(bytes)),
        })
    }
}

/// Digest and size of a folder.
///
/// # Errors
/// As [`entries`].
pub fn totals(folder: &Path) -> io::Result<Totals> {
    totals_with(folder, &Progress::default())
}

/// As [`totals`], telling how far it is.
///
/// # Errors
/// As [`entries`].
pub fn totals_with(folder: &Path, progress: &Progress) -> io::Result<Totals> {
    let mut hash = Sha256::new();
    let (mut files, mut bytes) = (0, 0);
    for entry in entries(folder)? {
        let (letter, content) = match &entry.kind {
            Kind::Folder | Kind::Special => ('d', String::new()),
            Kind::File(size) => {
                files += 1;
                bytes += size;
                let digest = file_digest_with(&folder.join(&entry.path), progress)?;
                progress.files.fetch_add(1, Ordering::Relaxed);
                ('f', digest.to_string())
            }
            Kind::Link(target) => {
                files += 1;
                ('l', Digest::of(target.as_os_str().as_bytes()).to_string())
            }
        };
        // The mode of a link means nothing.
        let mode = if letter == 'l' { 0 } else { entry.mode };
        hash.update(format!("{letter} {mode:o} {content} ").as_bytes());
        hash.update(entry.path.as_os_str().as_bytes());
        hash.update([0]);
    }
    Ok(Totals { digest: Digest::from_bytes(hash.finalize().into()), files, bytes })
}

/// Digest of a file's content.
///
/// # Errors
/// When it cannot be read.
pub fn file_digest(path: &Path) -> io::Result<Digest> {
    file_digest_with(path, &Progress::default())
}

/// As [`file_digest`], telling how far it is.
///
/// # Errors
/// When it cannot be read.
pub fn file_digest_with(path: &Path, progress: &Progress) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(Digest::from_bytes(hash.finalize().into()));
        }
        hash.update(&buffer[..read]);
        progress.bytes.fetch_add(read as u64, Ordering::Relaxed);
    }
}

/// A size for people.
#[must_use]
pub fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let number = bytes as f64;
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{:.1} kB", number / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number / 1e6),
        _ => format!("{:.1} GB", number / 1e9),
    }
}
