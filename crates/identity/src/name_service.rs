//! The look-up in this process, through the C library.

use std::io;
use std::sync::mpsc;
use std::time::Duration;

use nix::errno::Errno;
use nix::unistd::{Uid, User};

use crate::LookupError;

/// How often a look-up that a signal interrupted is begun again.
const INTERRUPTIONS: usize = 5;

/// Looks an account up with `getpwuid_r`, which asks the configured name services.
///
/// The C library has no limit of time of its own, so the call runs on a thread that
/// is left behind when it takes longer than `limit`.
///
/// glibc returns 0 without an entry when every service it asked answered "no such
/// account". Any number of an error means that a service could not answer, `ENOENT`
/// (its socket or its module is not there) included, so none of them is taken for
/// "no such account".
///
/// # Errors
/// When the name service fails, takes too long, or gives a name that is not UTF-8.
pub fn lookup_in_process(uid: u32, limit: Duration) -> Result<Option<String>, LookupError> {
    let (answer, answered) = mpsc::channel();
    let worker = std::thread::Builder::new().name("account".to_owned());
    worker
        .spawn(move || {
            // The receiver is gone when the time was up; then the answer is not wanted.
            let _ = answer.send(ask(uid));
        })
        .map_err(LookupError::NameService)?;
    match answered.recv_timeout(limit) {
        Ok(found) => found,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(LookupError::Timeout(limit)),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(LookupError::NameService(io::Error::other("the look-up ended without an answer")))
        }
    }
}

fn ask(uid: u32) -> Result<Option<String>, LookupError> {
    let mut answer = Err(Errno::EINTR);
    for _ in 0..INTERRUPTIONS {
        answer = User::from_uid(Uid::from_raw(uid));
        if answer != Err(Errno::EINTR) {
            break;
        }
    }
    let user = answer.map_err(|errno| LookupError::NameService(io::Error::from(errno)))?;
    let Some(user) = user else { return Ok(None) };
    // A name that is not UTF-8 arrives with replacement characters, and two of them
    // may be the same after that.
    let usable = !user.name.is_empty() && !user.name.contains(char::REPLACEMENT_CHARACTER);
    if !usable || user.uid.as_raw() != uid {
        let answer = user.name.escape_debug().to_string();
        return Err(LookupError::Unusable { uid, answer });
    }
    Ok(Some(user.name))
}
