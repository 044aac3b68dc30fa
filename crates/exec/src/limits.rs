//! How many files this process may have open, and what its children may.
//!
//! A coordinator holds a descriptor for each attempt under way, and the usual soft limit is
//! 1,024. So it raises its own; a program that still uses `select` breaks with more, so that
//! every command gets the limit that was there before.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Semaphore;

static BEFORE: OnceLock<Rlimit> = OnceLock::new();

/// Descriptors that are never given to attempts and checks: of the journal, of terminals, of
/// folders that are just read.
const RESERVED: u64 = 96;
/// What a check that runs a command needs, at most.
const OF_A_CHECK: u64 = 8;

/// Raises the soft limit of open files of this process to its hard one. Does nothing the second
/// time, nor where the system refuses.
pub fn raise_descriptor_limit() {
    let before = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: before.maximum, maximum: before.maximum };
    if before.current != before.maximum && setrlimit(Resource::Nofile, wanted).is_ok() {
        let _ = BEFORE.set(before);
    }
}

/// The limit that commands get, where it differs from that of this process.
pub(crate) fn descriptor_limit_of_commands() -> Option<Rlimit> {
    BEFORE.get().copied()
}

/// Room for attempts: each holds a descriptor while it runs.
pub(crate) fn room_for_attempts() -> Semaphore {
    Semaphore::new(share(2))
}

/// Room for checks that run a command, in this process.
pub(crate) fn room_for_checks() -> &'static Semaphore {
    static ROOM: OnceLock<Semaphore> = OnceLock::new();
    ROOM.get_or_init(|| Semaphore::new(share(2 * OF_A_CHECK)))
}

fn share(parts: u64) -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let free = limit.saturating_sub(RESERVED);
    usize::try_from(free / parts).unwrap_or(usize::MAX).clamp(4, 1 << 20)
}
