//! Where a state folder is, as this machine tells.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use backout_core::ids::Digest;
use backout_core::location::Location;

use crate::clock::boot;

/// Where the machine says which one it is: `machine-id(5)`.
const MACHINE_ID: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/// How many digits of a digest are kept.
const DIGITS: usize = 16;

/// Where this state folder is. Its device is left out: that has another number after a restart of
/// the machine.
#[must_use]
pub fn of_folder(folder: &Path) -> Location {
    let boot = boot();
    // Where inodes do not last, as on file systems in user space, no state folder may be.
    let about = fs::metadata(folder).ok();
    let folder = about.map(|about| {
        let made = about.created().ok().and_then(|made| made.duration_since(UNIX_EPOCH).ok());
        let made = made.map_or_else(String::new, |made| made.as_nanos().to_string());
        format!("{}@{made}", about.ino())
    });
    let boot = (!boot.is_empty()).then(|| boot.to_owned());
    Location { machine: machine(), boot, folder }
}

/// The machine. `machine-id(5)` asks not to give its id away, so it is a digest of it.
pub(crate) fn machine() -> Option<String> {
    let ids = MACHINE_ID.iter().filter_map(|path| fs::read_to_string(path).ok());
    let id = ids.map(|id| id.trim().to_owned()).find(|id| id.len() >= DIGITS)?;
    let digest = Digest::of(format!("backout {id}").as_bytes()).to_string();
    Some(digest.trim_start_matches("sha256:").chars().take(DIGITS).collect())
}
