//! What this process prints, on standard output and standard error.
//!
//! Most commands wait for whoever reads them. A coordinator never does: from
//! [`never_wait`] on each output has a bounded [`queue`] and a thread of its own that writes, so
//! that a pipe nobody reads, or a terminal that was stopped with Ctrl-S, holds up no step. What
//! does not fit any more is left out, the oldest first, and that is said in its place. A reader
//! that has gone away is nobody's business either: it changes no exit code.

mod queue;

use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use backout_core::ids::{RunId, Seq};

use queue::{Form, Item, Queue};

/// How long the end of a coordinator waits until what it printed last is read.
pub(crate) const LAST_WAIT: Duration = Duration::from_secs(10);

/// The two outputs of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Where each output goes once it is not waited for.
static QUEUES: OnceLock<[Arc<Queue>; 2]> = OnceLock::new();

/// How many lines of the screen the last frame took, where frames are written at once.
static DRAWN: Mutex<usize> = Mutex::new(0);

/// From here on nothing that is printed is waited for. `json` says in which form a gap in what is
/// printed on standard output is told.
pub(crate) fn never_wait(json: bool) {
    QUEUES.get_or_init(|| {
        let form = if json { Form::Json } else { Form::Lines };
        let started = |to, form| {
            let queue = Arc::new(Queue::new(form));
            let writing = Arc::clone(&queue);
            let thread = std::thread::Builder::new().name("output".to_owned());
            match (target(to), thread) {
                (Ok(target), thread) => {
                    if thread.spawn(move || writing.write_all(target)).is_err() {
                        queue.close();
                    }
                }
                (Err(_), _) => queue.close(),
            }
            queue
        };
        [started(To::Out, form), started(To::Err, Form::Lines)]
    });
}

/// A handle of an output that shares no lock with the rest of the process.
fn target(to: To) -> io::Result<Box<dyn Write + Send>> {
    fn own<S: AsFd + IsTerminal + anstream::stream::RawStream>(
        stream: &S,
    ) -> io::Result<Box<dyn Write + Send>> {
        let choice = anstream::AutoStream::choice(stream);
        let fd: BorrowedFd<'_> = stream.as_fd();
        let file = std::fs::File::from(fd.try_clone_to_owned()?);
        Ok(Box::new(anstream::AutoStream::new(file, choice)))
    }
    match to {
        To::Out => own(&io::stdout()),
        To::Err => own(&io::stderr()),
    }
}

fn queue(to: To) -> Option<&'static Arc<Queue>> {
    let [out, err] = QUEUES.get()?;
    Some(if to == To::Out { out } else { err })
}

/// Prints a text, which ends its own lines. `false` when the reader has gone away.
pub(crate) fn print(to: To, text: String) -> bool {
    match queue(to) {
        Some(queue) => queue.put(Item::text(text)),
        None => write_now(to, &text),
    }
}

/// Prints what belongs to one record of a run.
pub(crate) fn print_record(run: &RunId, seq: Seq, text: String) {
    match queue(To::Out) {
        Some(queue) => queue.put(Item::record(text, run, seq)),
        None => write_now(To::Out, &text),
    };
}

/// Draws these lines over those drawn before.
pub(crate) fn draw(lines: Vec<String>) {
    match queue(To::Out) {
        Some(queue) => {
            queue.put(Item::frame(lines));
        }
        None => {
            let mut drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
            let text = queue::over(&mut drawn, &lines);
            write_now(To::Out, &text);
        }
    }
}

fn write_now(to: To, text: &str) -> bool {
    let written = match to {
        To::Out => {
            let mut out = anstream::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        }
        To::Err => anstream::stderr().lock().write_all(text.as_bytes()),
    };
    written.is_ok()
}

/// Waits until all that was printed is written, but not longer than [`LAST_WAIT`]: a reader that
/// has stopped must not keep a run that is over from telling its exit code.
pub(crate) fn finish() {
    let until = Instant::now() + LAST_WAIT;
    for queue in QUEUES.get().into_iter().flatten() {
        queue.drain(until);
    }
}

/// Prints a line on standard output.
#[macro_export]
macro_rules! say {
    ($($part:tt)*) => {
        { $crate::output::print($crate::output::To::Out, format!("{}\n", format_args!($($part)*))); }
    };
}

/// Prints a line on standard error.
#[macro_export]
macro_rules! warn {
    ($($part:tt)*) => {
        { $crate::output::print($crate::output::To::Err, format!("{}\n", format_args!($($part)*))); }
    };
}
