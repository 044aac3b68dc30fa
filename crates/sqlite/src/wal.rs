//! A database and its write-ahead log, put together in memory.
//!
//! SQLite reads a write-ahead log only where it can make an index for it beside the database,
//! and with `immutable=1` it does not read it at all: on read-only media the newest records
//! would be missing, and nothing would say so. So whoever only looks reads the two files as
//! bytes and puts them together here, by the same rules as SQLite's own recovery
//! (<https://www.sqlite.org/fileformat2.html#the_write_ahead_log>).

use std::collections::BTreeMap;

/// Length of the header of the write-ahead log, in bytes.
pub(crate) const HEADER: usize = 32;
/// Length of the header of a frame, in bytes.
const FRAME: usize = 24;
/// The first four bytes, without the last bit: that one says how checksums read their words.
const MAGIC: u32 = 0x377F_0682;
/// The only version of the format there is.
const VERSION: u32 = 3_007_000;

/// The database with every committed page of its write-ahead log in place, in the form of one
/// that has no such log. A log whose header is not valid holds nothing, and one ends at its
/// first frame that is not valid: SQLite says so, too.
pub(crate) fn merge(mut database: Vec<u8>, wal: &[u8]) -> Vec<u8> {
    if let Some((page_size, committed)) = committed_pages(wal) {
        for (page, content) in committed.pages {
            let start = (page as usize - 1) * page_size;
            if database.len() < start + page_size {
                database.resize(start + page_size, 0);
            }
            database[start..start + page_size].copy_from_slice(content);
        }
        database.resize(committed.length as usize * page_size, 0);
    }
    // "Write-ahead log" would make SQLite look for one.
    for version in [18, 19] {
        if let Some(byte) = database.get_mut(version).filter(|byte| **byte == 2) {
            *byte = 1;
        }
    }
    database
}

/// Whether frames of the log stand behind the first one that is not valid: a crash leaves none
/// there, a wrong bit does. Whoever opens such a log for writing loses them.
pub(crate) fn is_damaged(wal: &[u8]) -> bool {
    let Some(Header { page_size, salt, .. }) = header(wal) else {
        // Something follows a header that is none.
        return wal.len() > HEADER;
    };
    let size = FRAME + page_size;
    let is_ours = |frame: &[u8]| &frame[8..16] == salt;
    let frames = wal[HEADER..].chunks_exact(size);
    frames.skip(valid_frames(wal)).any(is_ours)
}

/// How many frames are valid, from the first on.
fn valid_frames(wal: &[u8]) -> usize {
    let Some(header) = header(wal) else { return 0 };
    let mut sum = header.sum;
    let frames = wal[HEADER..].chunks_exact(FRAME + header.page_size);
    frames.take_while(|frame| header.follows(&mut sum, frame)).count()
}

/// What the header of a log says, if it is one.
struct Header<'a> {
    big_endian: bool,
    page_size: usize,
    salt: &'a [u8],
    sum: (u32, u32),
}

impl Header<'_> {
    /// Whether a frame is valid behind those whose checksum is `sum`, which becomes its own.
    fn follows(&self, sum: &mut (u32, u32), frame: &[u8]) -> bool {
        let (head, content) = frame.split_at(FRAME);
        *sum = checksum(self.big_endian, *sum, &head[..8]);
        *sum = checksum(self.big_endian, *sum, content);
        word(head, 0) != 0 && &head[8..16] == self.salt && *sum == (word(head, 16), word(head, 20))
    }
}

fn header(wal: &[u8]) -> Option<Header<'_>> {
    let head = wal.get(..HEADER)?;
    let (magic, page_size) = (word(head, 0), word(head, 8));
    let is_sound = magic & !1 == MAGIC
        && word(head, 4) == VERSION
        && page_size.is_power_of_two()
        && (512..=65_536).contains(&page_size);
    let big_endian = magic & 1 == 1;
    let sum = checksum(big_endian, (0, 0), &head[..24]);
    let is_header = is_sound && sum == (word(head, 24), word(head, 28));
    let page_size = page_size as usize;
    is_header.then_some(Header { big_endian, page_size, salt: &head[16..24], sum })
}

/// The four bytes from `at` on, as a number.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[derive(Default)]
struct Committed<'a> {
    /// The last committed content of each page, by page number, from 1.
    pages: BTreeMap<u32, &'a [u8]>,
    /// Length of the database, in pages.
    length: u32,
}

/// The page size in bytes and what is committed; `None` where nothing is.
fn committed_pages(wal: &[u8]) -> Option<(usize, Committed<'_>)> {
    let Header { page_size, .. } = header(wal)?;
    let (mut committed, mut open) = (Committed::default(), Vec::new());
    for frame in wal[HEADER..].chunks_exact(FRAME + page_size).take(valid_frames(wal)) {
        let (page, length) = (word(frame, 0), word(frame, 4));
        open.push((page, &frame[FRAME..]));
        if length != 0 {
            committed.pages.extend(open.drain(..).filter(|(page, _)| *page <= length));
            committed.pages.retain(|page, _| *page <= length);
            committed.length = length;
        }
    }
    (committed.length != 0).then_some((page_size, committed))
}

fn checksum(big_endian: bool, (mut first, mut second): (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let word = |bytes: &[u8]| {
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    for pair in bytes.chunks_exact(8) {
        first = first.wrapping_add(word(&pair[..4])).wrapping_add(second);
        second = second.wrapping_add(word(&pair[4..])).wrapping_add(first);
    }
    (first, second)
}
