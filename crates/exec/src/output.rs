//! What a command prints: masked, bounded, and kept beside the log.
//!
//! A step that prints a gigabyte must not fill the disk on which the log lives.
//! The beginning is kept as it comes, so that `backout tail` can show it; of the
//! rest only the end. The digest is over everything, what was left out included.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use backout_core::ids::Digest;

use crate::secrets::{MaskedStream, Secrets};
use crate::terminal::printable;

/// Bytes kept of the beginning.
pub const KEPT_HEAD: usize = 4 * 1024 * 1024;
/// Bytes kept of the end, once the beginning is full.
pub const KEPT_TAIL: usize = 1024 * 1024;
/// The most lines of [`Summary::ending`].
pub const ENDING_LINES: usize = 5;
/// The most characters of [`Summary::ending`].
pub const ENDING_CHARS: usize = 600;

/// Where output goes.
pub struct Output {
    file: Option<File>,
    mask: MaskedStream,
    hash: Sha256,
    kept: Sha256,
    kept_bytes: u64,
    head: usize,
    tail: Tail,
    all: u64,
}

/// The last masked bytes of an output, readable while it is still written.
#[derive(Debug, Clone, Default)]
pub struct Tail(Arc<Mutex<VecDeque<u8>>>);

impl Tail {
    fn push(&self, bytes: &[u8]) {
        let mut tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend(bytes);
        let over = tail.len().saturating_sub(KEPT_TAIL);
        tail.drain(..over);
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// [`Summary::ending`] of what there is so far.
    #[must_use]
    pub fn ending(&self) -> Option<String> {
        ending(&self.bytes())
    }
}

/// What is known of the output at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Digest over all of it, masked.
    pub digest: Digest,
    /// Digest of what is kept in the file.
    pub kept: Digest,
    /// How many bytes are kept in the file.
    pub kept_bytes: u64,
    /// How many bytes there were.
    pub bytes: u64,
    /// Its last lines, for people.
    pub last: String,
    /// Its last lines as they are: masked, at most [`ENDING_LINES`] that are not
    /// blank and [`ENDING_CHARS`] characters, control characters included. `None` if
    /// it has no line that is not blank.
    pub ending: Option<String>,
}

impl Output {
    /// Output into a file, or only into memory.
    #[must_use]
    pub fn new(file: Option<File>, secrets: &Secrets) -> Self {
        Self {
            file,
            mask: secrets.stream(),
            hash: Sha256::new(),
            kept: Sha256::new(),
            kept_bytes: 0,
            head: 0,
            tail: Tail::default(),
            all: 0,
        }
    }

    /// Its last bytes, also while it is still written.
    #[must_use]
    pub fn tail(&self) -> Tail {
        self.tail.clone()
    }

    /// Takes what was printed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let shown = self.mask.push(bytes);
        self.keep(&shown)
    }

    fn keep(&mut self, shown: &[u8]) -> io::Result<()> {
        self.hash.update(shown);
        self.all += shown.len() as u64;
        // The last bytes are always at hand: for the summary, and for the file's end;
        // also when the file cannot be written.
        self.tail.push(shown);
        let fits = shown.len().min(KEPT_HEAD - self.head);
        self.head += fits;
        if let Some(file) = &mut self.file {
            file.write_all(&shown[..fits])?;
            self.kept.update(&shown[..fits]);
            self.kept_bytes += fits as u64;
        }
        Ok(())
    }

    /// Ends the output.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<Summary> {
        let rest = self.mask.finish();
        self.keep(&rest)?;
        let tail = self.tail.bytes();
        let beyond = self.all - self.head as u64;
        if let (Some(file), true) = (&mut self.file, beyond > 0) {
            let shown = usize::try_from(beyond).unwrap_or(usize::MAX).min(tail.len());
            let left_out = beyond - shown as u64;
            let mut end = Vec::new();
            if left_out > 0 {
                write!(end, "\n[backout left out {left_out} bytes here]\n")?;
            }
            end.extend_from_slice(&tail[tail.len() - shown..]);
            file.write_all(&end)?;
            self.kept.update(&end);
            self.kept_bytes += end.len() as u64;
        }
        // An empty file is durable already: its name was flushed with the claim.
        if let Some(file) = self.file.as_ref().filter(|_| self.kept_bytes > 0) {
            file.sync_all()?;
        }
        let digest = Digest::from_bytes(self.hash.finalize().into());
        let kept = Digest::from_bytes(self.kept.finalize().into());
        Ok(Summary {
            digest,
            kept,
            kept_bytes: self.kept_bytes,
            bytes: self.all,
            last: last_lines(&tail),
            ending: ending(&tail),
        })
    }
}

/// The last few lines, safe to show.
fn last_lines(tail: &[u8]) -> String {
    let text = String::from_utf8_lossy(&tail[tail.len().saturating_sub(2000)..]).into_owned();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let short = |line: &&str| printable(line).chars().take(160).collect::<String>();
    lines.iter().rev().take(3).rev().map(short).collect::<Vec<_>>().join(" | ")
}

/// The last lines as they are; what was left out of a line is an ellipsis.
fn ending(tail: &[u8]) -> Option<String> {
    // A character has at most four bytes.
    let from = tail.len().saturating_sub(4 * (ENDING_CHARS + 1));
    let text = String::from_utf8_lossy(&tail[from..]);
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .filter(|line| !line.trim().is_empty())
        .collect();
    let lines = lines[lines.len().saturating_sub(ENDING_LINES)..].join("\n");
    let over = lines.chars().count().saturating_sub(ENDING_CHARS);
    match (lines.is_empty(), over) {
        (true, _) => None,
        (false, 0) => Some(lines),
        (false, over) => Some(['…'].into_iter().chain(lines.chars().skip(over + 1)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_bounded_and_its_digest_is_of_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out");
        let file = File::create(&path).expect("a file");
        let mut output = Output::new(Some(file), &Secrets::default());
        let line = [b'x'; 1024];
        let mut all = Sha256::new();
        for _ in 0..16 * 1024 {
            output.take(&line).expect("written");
            all.update(line);
        }
        output.take(b"\nthe end\n").expect("written");
        all.update(b"\nthe end\n");
        let summary = output.finish().expect("written");
        assert_eq!(summary.digest, Digest::from_bytes(all.finalize().into()));
        assert_eq!(summary.bytes, 16 * 1024 * 1024 + 9);
        let kept = std::fs::read(&path).expect("readable");
        assert!(kept.len() < KEPT_HEAD + KEPT_TAIL + 100, "{}", kept.len());
        assert!(kept.ends_with(b"the end\n"));
        assert!(summary.last.ends_with("the end"));
    }

    #[test]
    fn an_ending_is_the_last_lines_as_they_are() {
        assert_eq!(ending(b""), None);
        assert_eq!(ending(b" \n\r\n\t\n"), None);
        assert_eq!(ending(b"one\r\n\n  two\n"), Some("one\n  two".to_owned()));
        assert_eq!(ending(b"1\n2\n3\n4\n5\n6\n7"), Some("3\n4\n5\n6\n7".to_owned()));
        let noise = ending(b"\x1b[31mred\x07\x00\xff\n").expect("a line");
        assert_eq!(noise, "\u{1b}[31mred\u{7}\u{0}\u{fffd}");
    }

    #[test]
    fn a_long_ending_is_cut_at_its_beginning() {
        for (character, count) in [("x", 5000), ("ä", 601), ("😀", 100_000)] {
            let cut = ending(character.repeat(count).as_bytes()).expect("a line");
            assert_eq!(cut, format!("…{}", character.repeat(ENDING_CHARS - 1)));
        }
        let whole = "😀".repeat(ENDING_CHARS);
        assert_eq!(ending(whole.as_bytes()), Some(whole));
    }

    #[test]
    fn the_last_bytes_are_known_while_it_is_written() {
        let mut output = Output::new(None, &Secrets::default());
        let tail = output.tail();
        assert_eq!(tail.ending(), None);
        output.take(b"warning: one\n").expect("taken");
        assert_eq!(tail.ending().as_deref(), Some("warning: one"));
    }

    #[test]
    fn what_fits_is_kept_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out");
        let mut output =
            Output::new(Some(File::create(&path).expect("a file")), &Secrets::default());
        output.take(b"one\n").expect("written");
        output.take(b"\xff\xfe two").expect("written");
        let summary = output.finish().expect("written");
        assert_eq!(std::fs::read(&path).expect("readable"), b"one\n\xff\xfe two");
        assert_eq!(summary.digest, Digest::of(b"one\n\xff\xfe two"));
    }
}
