//! The lines of a mark file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use backout_core::ids::{Digest, RunId, Seq};
use backout_core::mark::Mark;
use rustix::fs::OFlags;

/// What a mark file says.
#[derive(Default)]
pub(super) struct Lines {
    /// The first record of the run it is about; `None` where an earlier version made it, and it
    /// does not begin with that record.
    pub(super) begins: Option<Digest>,
    /// The marks.
    pub(super) marks: Vec<Mark>,
    /// How many lines are damaged.
    pub(super) damaged: usize,
    /// Up to which byte what another state folder noted is settled.
    pub(super) beside: Vec<(u64, String)>,
}

/// The position under which a file names the first record of its run, whichever its first mark is.
const BEGINS: Seq = Seq(0);

/// Reads a mark file.
pub(super) fn read_marks(path: &Path) -> io::Result<Lines> {
    read_marks_behind(path, 0)
}

/// The same, of its marks only those behind a byte.
pub(super) fn read_marks_behind(path: &Path, after: u64) -> io::Result<Lines> {
    let mut bytes = Vec::new();
    opened(OpenOptions::new().read(true), path)?.read_to_end(&mut bytes)?;
    let mut lines = Lines::default();
    // What stands behind the last end of a line was cut off.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let after = usize::try_from(after).unwrap_or(usize::MAX);
    let mut at = 0;
    for line in bytes[..whole].split(|byte| *byte == b'\n') {
        let is_set_aside = at < after;
        at += line.len() + 1;
        if line.is_empty() {
            continue;
        }
        let text = String::from_utf8_lossy(line);
        if let Some(after) = text.strip_prefix("recovered ").and_then(|seq| seq.parse().ok()) {
            lines.marks.retain(|mark| mark.seq <= Seq(after));
            // Every record was noted anew.
            lines.damaged = if after == 0 { 0 } else { lines.damaged };
        } else if let Some(mark) = parsed(&text) {
            match mark.seq {
                BEGINS => lines.begins = Some(mark.digest),
                Seq(1) if is_set_aside => lines.begins = lines.begins.or(Some(mark.digest)),
                _ if is_set_aside => {}
                _ => lines.marks.push(mark),
            }
        } else if let Some(settled) = set_aside(&text) {
            lines.beside.push(settled);
        } else if !text.ends_with(" torn") {
            lines.damaged += 1;
        }
    }
    let first = lines.marks.iter().find(|mark| mark.seq == Seq(1)).map(|mark| mark.digest);
    lines.begins = lines.begins.or(first);
    Ok(lines)
}

pub(super) fn line(mark: Mark) -> String {
    let said = format!("{} {}", mark.seq, mark.digest);
    format!("{said} {}\n", check(&said))
}

/// `beside 1234 NAME`.
fn set_aside(line: &str) -> Option<(u64, String)> {
    let (length, name) = line.strip_prefix("beside ")?.split_once(' ')?;
    Some((length.parse().ok()?, name.to_owned()))
}

fn check(said: &str) -> String {
    let digest = Digest::of(said.as_bytes()).to_string();
    digest.trim_start_matches("sha256:").chars().take(8).collect()
}

fn parsed(line: &str) -> Option<Mark> {
    let (said, found) = line.rsplit_once(' ')?;
    let (seq, digest) = said.split_once(' ')?;
    let mark = Mark { seq: Seq(seq.parse().ok()?), digest: digest.parse().ok()? };
    (check(said) == found).then_some(mark)
}

/// The mark file of a run, made if there is none, ready for another line.
pub(super) fn open(folder: &Path, run: &RunId, begins: Option<&Digest>) -> io::Result<File> {
    let path = folder.join(run.as_str());
    // A folder or a pipe of this name would stop the run for good.
    if fs::symlink_metadata(&path).is_ok_and(|about| !about.is_file()) {
        fs::rename(&path, path.with_extension("no-marks"))?;
    }
    let is_new = !path.exists();
    let mut file = opened(OpenOptions::new().read(true).append(true).create(true), &path)?;
    if is_new {
        File::open(folder)?.sync_all()?;
    }
    let length = file.seek(SeekFrom::End(0))?;
    if let (0, Some(begins)) = (length, begins) {
        file.write_all(line(Mark { seq: BEGINS, digest: *begins }).as_bytes())?;
    }
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::Start(length - 1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b" torn\n")?;
        }
    }
    Ok(file)
}

/// A regular file, opened: on anything else, such as a pipe, opening or reading could wait for ever.
fn opened(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = options.custom_flags(nonblocking).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no file")),
    }
}
