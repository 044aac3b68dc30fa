//! What a command prints: masked, bounded, and kept beside the log.
//!
//! A step that prints a gigabyte must not fill the disk on which the log lives.
//! The beginning is kept as it comes, so that `backout tail` can show it; of the
//! rest only the end. The digest is over everything, what was left out included.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use backout_core::ids::Digest;

use crate::secrets::{MaskedStream, Secrets};
use crate::terminal::printable;

/// Bytes kept of the beginning.
pub const KEPT_HEAD: usize = 4 * 1024 * 1024;
/// Bytes kept of the end, once the beginning is full.
pub const KEPT_TAIL: usize = 1024 * 1024;

/// Where output goes.
pub struct Output {
    file: Option<File>,
    mask: MaskedStream,
    hash: Sha256,
    kept: Sha256,
    kept_bytes: u64,
    head: usize,
    tail: VecDeque<u8>,
    all: u64,
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
            tail: VecDeque::new(),
            all: 0,
        }
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
        let fits = shown.len().min(KEPT_HEAD - self.head);
        self.head += fits;
        if let Some(file) = &mut self.file {
            file.write_all(&shown[..fits])?;
            self.kept.update(&shown[..fits]);
            self.kept_bytes += fits as u64;
        }
        // The last bytes are always at hand: for the summary, and for the file's end.
        self.tail.extend(shown);
        let over = self.tail.len().saturating_sub(KEPT_TAIL);
        self.tail.drain(..over);
        Ok(())
    }

    /// Ends the output.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<Summary> {
        let rest = self.mask.finish();
        self.keep(&rest)?;
        let tail: Vec<u8> = self.tail.iter().copied().collect();
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
        if let Some(file) = &self.file {
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
