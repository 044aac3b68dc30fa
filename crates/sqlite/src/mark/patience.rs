//! Waiting for a place that may never answer, as a network share that hangs.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

/// How long another place is waited for. A backout does not stand still because a network share
/// does.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The places that did not answer: this process does not wait for them again.
static SILENT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Does something with a place, in a thread of its own, which may be left behind.
///
/// # Errors
/// When the place does not answer, or did not before.
pub(super) fn ask<T: Send + 'static>(
    place: &Path,
    does: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    if is_silent(place) {
        return Err(silence());
    }
    let (tell, told) = mpsc::channel();
    std::thread::Builder::new().name("marks".to_owned()).spawn(move || {
        let _ = tell.send(does());
    })?;
    told.recv_timeout(PATIENCE).map_err(|_| fell_silent(place))
}

/// Whether a place did not answer.
pub(super) fn is_silent(place: &Path) -> bool {
    SILENT.lock().unwrap_or_else(PoisonError::into_inner).contains(place)
}

/// Notes that a place did not answer, as an error.
pub(super) fn fell_silent(place: &Path) -> io::Error {
    SILENT.lock().unwrap_or_else(PoisonError::into_inner).insert(place.to_owned());
    silence()
}

fn silence() -> io::Error {
    io::Error::other(format!("it did not answer within {} s", PATIENCE.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place that does not answer is waited for once, and no other one with it.
    #[test]
    fn a_place_that_does_not_answer_is_not_asked_again() {
        let (hangs, answers) = (Path::new("/hangs"), Path::new("/answers"));
        let (keep, hung) = mpsc::channel::<()>();
        let asked = ask(hangs, move || hung.recv().is_ok());
        assert!(asked.is_err_and(|error| error.to_string().contains("did not answer")));
        assert!(ask(hangs, || true).is_err(), "it is not asked again");
        assert!(ask(answers, || true).is_ok_and(|it| it));
        drop(keep);
    }
}
