//! Putting files back: whole or not at all, and the same however often it is done.
//!
//! Each file is written beside its place, flushed, given its mode and owner, and
//! renamed over the old one; a reader sees the old file or the new one. A file
//! that is already right is not touched. So a restore that was cut off anywhere
//! is simply done again.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use backout_engine::fault::{self, Point};

use crate::tree::{self, Kind};

/// Files of ours that were being written when a restore was cut off.
const UNFINISHED: &str = ".backout-";

/// Why nothing, or not everything, was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It would do harm, so nothing was touched.
    #[error("{0}")]
    Refused(String),
    /// Somebody asked to stop. What is in place is whole.
    #[error("it was stopped on request after {0} files")]
    Stopped(u64),
    /// It failed on the way.
    #[error("{path}: {source}")]
    Failed {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What a restore did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// Files and links put in place.
    pub written: u64,
    /// Files and links that were right already.
    pub kept: u64,
    /// Things removed that the backup does not have.
    pub removed: u64,
    /// Bytes written.
    pub bytes: u64,
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> RestoreError + '_ {
    |source| RestoreError::Failed { path: path.to_owned(), source }
}

/// Makes `to` equal to `from`. `step` names the step, for crash tests; `stop`
/// becomes true when somebody wants it stopped, which it is between two files.
///
/// # Errors
/// [`RestoreError::Refused`] when nothing was touched.
pub fn restore_tree(
    from: &Path,
    to: &Path,
    keep_extra: bool,
    step: &str,
    stop: &AtomicBool,
) -> Result<Restored, RestoreError> {
    let refused = |why: String| Err(RestoreError::Refused(why));
    let backup = match tree::entries(from) {
        Ok(backup) => backup,
        Err(error) => {
            return refused(format!("the backup {} cannot be read: {error}", from.display()));
        }
    };
    if backup.is_empty() {
        return refused(format!(
            "the backup {} is empty; restoring it would only delete",
            from.display()
        ));
    }
    let (source, target) = (real(from), real(to));
    if source.starts_with(&target) || target.starts_with(&source) {
        return refused(format!("{} and {} overlap", from.display(), to.display()));
    }
    if target.parent().is_none() {
        return refused("the target is the root of the file system".to_owned());
    }
    // Every file of the backup must be readable before anything is touched.
    for entry in backup.iter().filter(|entry| matches!(entry.kind, Kind::File(_))) {
        let path = source.join(&entry.path);
        if let Err(error) = File::open(&path) {
            return refused(format!("the backup {} cannot be read: {error}", path.display()));
        }
    }
    fs::create_dir_all(&target).map_err(failed(&target))?;
    let mut done = Restored::default();
    for entry in &backup {
        if stop.load(Ordering::Relaxed) {
            return Err(RestoreError::Stopped(done.written));
        }
        let (from, to) = (source.join(&entry.path), target.join(&entry.path));
        let about = fs::symlink_metadata(&from).map_err(failed(&from))?;
        match &entry.kind {
            Kind::Folder => put_folder(&to, &about)?,
            Kind::File(size) => {
                if put_file(&from, &to, &about)? {
                    done.written += 1;
                    done.bytes += size;
                    fault::point(Point::HalfRestored, step);
                } else {
                    done.kept += 1;
                }
            }
            // `entries` refuses these in a backup.
            Kind::Special => {}
            Kind::Link(link) => {
                if put_link(link, &to)? {
                    done.written += 1;
                } else {
                    done.kept += 1;
                }
            }
        }
    }
    done.removed = remove_extra(&backup, &target, keep_extra)?;
    // Modes of folders last: a folder may forbid writing into it.
    for entry in backup.iter().rev().filter(|entry| entry.kind == Kind::Folder) {
        let to = target.join(&entry.path);
        fs::set_permissions(&to, fs::Permissions::from_mode(entry.mode)).map_err(failed(&to))?;
    }
    // Links, folders, removals and modes are durable once their folders are.
    for entry in backup.iter().filter(|entry| entry.kind == Kind::Folder) {
        let folder = target.join(&entry.path);
        flush_folder(&folder).map_err(failed(&folder))?;
    }
    flush_folder(&target).map_err(failed(&target))?;
    Ok(done)
}

/// Puts one file in place. Returns whether anything had to be written.
///
/// # Errors
/// [`RestoreError::Refused`] when nothing was touched.
pub fn copy_file(from: &Path, to: &Path) -> Result<bool, RestoreError> {
    let refused = |why: String| RestoreError::Refused(why);
    let about = fs::metadata(from)
        .map_err(|e| refused(format!("{} cannot be read: {e}", from.display())))?;
    if !about.is_file() {
        return Err(refused(format!("{} is not a file", from.display())));
    }
    if fs::metadata(to).is_ok_and(|about| about.is_dir()) {
        return Err(refused(format!("{} is a folder", to.display())));
    }
    if real(from) == real(to) {
        return Err(refused(format!("{} is its own source", to.display())));
    }
    // A link in the place of the file is followed: it is the file people mean.
    put_file(from, &real(to), &about)
}

/// A path without links, also where its end does not exist yet.
fn real(path: &Path) -> PathBuf {
    if let Ok(real) = fs::canonicalize(path) {
        return real;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => real(parent).join(name),
        _ => path.to_owned(),
    }
}

fn put_folder(to: &Path, about: &Metadata) -> Result<(), RestoreError> {
    match fs::symlink_metadata(to) {
        Ok(there) if there.is_dir() => {}
        Ok(_) => {
            fs::remove_file(to).map_err(failed(to))?;
            fs::create_dir(to).map_err(failed(to))?;
        }
        Err(_) => fs::create_dir(to).map_err(failed(to))?,
    }
    own(to, about)?;
    // Writable for us until everything in it is in place.
    fs::set_permissions(to, fs::Permissions::from_mode(0o700 | mode(about))).map_err(failed(to))
}

fn put_file(from: &Path, to: &Path, about: &Metadata) -> Result<bool, RestoreError> {
    if let Ok(there) = fs::symlink_metadata(to) {
        if there.is_file() && there.len() == about.len() {
            let wanted = tree::file_digest(from).map_err(failed(from))?;
            // One that cannot be read is not known to be right: it is replaced.
            if tree::file_digest(to).is_ok_and(|found| found == wanted) {
                let right = mode(&there) == mode(about) && same_owner(&there, about);
                if !right {
                    own(to, about)?;
                    fs::set_permissions(to, about.permissions()).map_err(failed(to))?;
                }
                return Ok(!right);
            }
        }
        if there.is_dir() {
            fs::remove_dir_all(to).map_err(failed(to))?;
        }
    }
    let unfinished = beside(to)?;
    let written = write_beside(from, &unfinished, about).and_then(|()| {
        fs::rename(&unfinished, to).map_err(failed(to))?;
        to.parent().map_or(Ok(()), |folder| flush_folder(folder).map_err(failed(folder)))
    });
    if written.is_err() {
        // Best effort: what is left of it is removed by the next restore.
        let _ = fs::remove_file(&unfinished);
    }
    written.map(|()| true)
}

fn write_beside(from: &Path, unfinished: &Path, about: &Metadata) -> Result<(), RestoreError> {
    let mut source = File::open(from).map_err(failed(from))?;
    // Never through something that is there already: it may be a link to elsewhere.
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(unfinished)
        .map_err(failed(unfinished))?;
    io::copy(&mut source, &mut file).map_err(failed(unfinished))?;
    own(unfinished, about)?;
    file.set_permissions(about.permissions()).map_err(failed(unfinished))?;
    let times = fs::FileTimes::new();
    let times = about.modified().map_or(times, |modified| times.set_modified(modified));
    file.set_times(times).map_err(failed(unfinished))?;
    file.sync_all().map_err(failed(unfinished))
}

fn put_link(link: &Path, to: &Path) -> Result<bool, RestoreError> {
    match fs::symlink_metadata(to) {
        Ok(there) if there.is_symlink() && fs::read_link(to).is_ok_and(|found| found == link) => {
            return Ok(false);
        }
        Ok(there) if there.is_dir() => fs::remove_dir_all(to).map_err(failed(to))?,
        _ => {}
    }
    let unfinished = beside(to)?;
    std::os::unix::fs::symlink(link, &unfinished).map_err(failed(&unfinished))?;
    fs::rename(&unfinished, to).map_err(failed(to))?;
    Ok(true)
}

fn remove_extra(
    backup: &[tree::Entry],
    target: &Path,
    keep_extra: bool,
) -> Result<u64, RestoreError> {
    let wanted: std::collections::BTreeSet<&Path> =
        backup.iter().map(|e| e.path.as_path()).collect();
    let mut removed = 0;
    let found = tree::entries_with_specials(target).map_err(failed(target))?;
    // Backwards: what is in a folder goes before the folder.
    for entry in found.iter().rev().filter(|entry| !wanted.contains(entry.path.as_path())) {
        let name = entry.path.file_name().map(|name| name.to_string_lossy().into_owned());
        let ours = name.is_some_and(|name| name.starts_with(UNFINISHED));
        if keep_extra && !ours {
            continue;
        }
        let path = target.join(&entry.path);
        match entry.kind {
            Kind::Folder => fs::remove_dir(&path),
            Kind::File(_) | Kind::Link(_) | Kind::Special => fs::remove_file(&path),
        }
        .map_err(failed(&path))?;
        removed += u64::from(!ours);
    }
    Ok(removed)
}

/// A new name in the same folder. Short, because the file's own name may use up
/// what the file system allows.
fn beside(to: &Path) -> Result<PathBuf, RestoreError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let folder = to
        .parent()
        .ok_or_else(|| RestoreError::Refused(format!("{} has no folder", to.display())))?;
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{UNFINISHED}{}-{count}", std::process::id()));
        if fs::symlink_metadata(&path).is_err() {
            return Ok(path);
        }
    }
}

fn mode(about: &Metadata) -> u32 {
    about.permissions().mode() & 0o7777
}

fn same_owner(one: &Metadata, other: &Metadata) -> bool {
    (one.uid(), one.gid()) == (other.uid(), other.gid())
}

/// Gives a file the owner of the one in the backup. Only root may; for others
/// the files are theirs anyway, and a foreign owner is an error they must see.
fn own(path: &Path, wanted: &Metadata) -> Result<(), RestoreError> {
    let there = fs::symlink_metadata(path).map_err(failed(path))?;
    if same_owner(&there, wanted) {
        return Ok(());
    }
    std::os::unix::fs::lchown(path, Some(wanted.uid()), Some(wanted.gid())).map_err(failed(path))
}

fn flush_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("written");
    }

    fn stage() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let (backup, live) = (folder.path().join("backup"), folder.path().join("live"));
        write(&backup.join("bin/app"), "v1.9");
        fs::set_permissions(backup.join("bin/app"), fs::Permissions::from_mode(0o755))
            .expect("a mode");
        write(&backup.join("etc/config"), "old");
        fs::create_dir(backup.join("empty")).expect("a folder");
        std::os::unix::fs::symlink("bin/app", backup.join("current")).expect("a link");
        (folder, backup, live)
    }

    #[test]
    fn a_restored_tree_is_equal_and_restoring_it_again_changes_nothing() {
        let (_folder, backup, live) = stage();
        write(&live.join("bin/app"), "v2.0");
        write(&live.join("new/thing"), "of v2.0");
        // What is a folder in one is a file in the other.
        write(&live.join("etc"), "a file");
        write(&live.join("current/x"), "a folder");
        write(&live.join("bin/.backout-7-0"), "cut off");
        let done =
            restore_tree(&backup, &live, false, "x", &AtomicBool::new(false)).expect("restored");
        assert_eq!((done.written, done.removed), (3, 2));
        assert_eq!(
            tree::totals(&backup).expect("readable"),
            tree::totals(&live).expect("readable")
        );
        let again =
            restore_tree(&backup, &live, false, "x", &AtomicBool::new(false)).expect("restored");
        assert_eq!(again, Restored { kept: 3, ..Restored::default() });
    }

    #[test]
    fn extra_files_stay_if_asked() {
        let (_folder, backup, live) = stage();
        write(&live.join("uploads/photo"), "x");
        restore_tree(&backup, &live, true, "x", &AtomicBool::new(false)).expect("restored");
        assert!(live.join("uploads/photo").exists());
    }

    #[test]
    fn what_would_do_harm_is_refused_and_touches_nothing() {
        let (folder, backup, live) = stage();
        write(&live.join("keep"), "x");
        let empty = folder.path().join("nothing");
        fs::create_dir(&empty).expect("a folder");
        for (from, to) in [
            (empty.as_path(), live.as_path()),
            (&folder.path().join("missing"), &live),
            (&backup, &backup),
            (&backup, &backup.join("inside")),
            (&backup, folder.path()),
            (&backup, Path::new("/")),
        ] {
            let refused = restore_tree(from, to, false, "x", &AtomicBool::new(false));
            assert!(
                matches!(refused, Err(RestoreError::Refused(_))),
                "{from:?} {to:?}: {refused:?}"
            );
        }
        assert!(live.join("keep").exists());
    }

    #[test]
    fn nothing_outside_is_written_through_a_planted_link() {
        let (folder, backup, live) = stage();
        let outside = folder.path().join("outside");
        write(&outside, "precious");
        write(&live.join("etc/config"), "new");
        for planted in 0..50 {
            let name = format!("etc/{UNFINISHED}{}-{planted}", std::process::id());
            std::os::unix::fs::symlink(&outside, live.join(name)).expect("a link");
        }
        restore_tree(&backup, &live, false, "x", &AtomicBool::new(false)).expect("restored");
        assert_eq!(fs::read_to_string(&outside).expect("there"), "precious");
        assert_eq!(
            tree::totals(&backup).expect("readable"),
            tree::totals(&live).expect("readable")
        );
    }

    #[test]
    fn sockets_and_long_names_are_no_obstacle() {
        let (_folder, backup, live) = stage();
        let long = "n".repeat(255);
        write(&backup.join(&long), "old");
        write(&live.join(&long), "new");
        let _socket =
            std::os::unix::net::UnixListener::bind(live.join("app.sock")).expect("a socket");
        restore_tree(&backup, &live, false, "x", &AtomicBool::new(false)).expect("restored");
        assert_eq!(
            tree::totals(&backup).expect("readable"),
            tree::totals(&live).expect("readable")
        );
    }

    #[test]
    fn one_file_is_copied_whole() {
        let (folder, backup, _) = stage();
        let to = folder.path().join("app");
        assert!(copy_file(&backup.join("bin/app"), &to).expect("copied"));
        assert!(!copy_file(&backup.join("bin/app"), &to).expect("the same"));
        assert_eq!(mode(&fs::metadata(&to).expect("there")), 0o755);
        assert!(copy_file(&folder.path().join("missing"), &to).is_err());
        assert_eq!(fs::read_to_string(to).expect("still there"), "v1.9");
    }
}
