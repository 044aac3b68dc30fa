//! What is said while something takes longer than a second.

use std::io::{IsTerminal, Write};

/// Says each second that something is being worked on, until it is dropped.
pub(crate) struct Working(Option<std::sync::mpsc::Sender<()>>, Option<std::thread::JoinHandle<()>>);

impl Working {
    /// Begins to say so, if it lasts.
    pub(crate) fn on(what: &'static str) -> Self {
        let (done, told) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let mut waiting = Waiting::default();
            let second = std::time::Duration::from_secs(1);
            while told.recv_timeout(second) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                waiting.tick(what, None);
            }
            waiting.end();
        });
        Self(Some(done), Some(thread))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        drop(self.0.take());
        if let Some(thread) = self.1.take() {
            let _ = thread.join();
        }
    }
}

/// One line on stderr that is rewritten each second on a terminal; elsewhere a
/// line every ten seconds, so that a log shows life without drowning in it.
#[derive(Default)]
pub(crate) struct Waiting {
    seconds: u32,
    drawn: bool,
}

impl Waiting {
    /// Another second has gone by.
    pub(crate) fn tick(&mut self, what: &str, how_far: Option<String>) {
        self.seconds += 1;
        let far = how_far.map(|far| format!(", {far}")).unwrap_or_default();
        let line = format!("{what}: {} s{far}", self.seconds);
        let mut stderr = std::io::stderr();
        let clever = std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        let terminal = stderr.is_terminal() && clever;
        // A line that wraps would not be taken back whole.
        let width = rustix::termios::tcgetwinsize(&stderr).map_or(80, |size| size.ws_col);
        let line: String = match terminal {
            true => line.chars().take(usize::from(width.max(20)) - 1).collect(),
            false => line,
        };
        // Nobody loses anything when it cannot be shown.
        let _ = match terminal {
            true => write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush()),
            false if self.seconds.is_multiple_of(10) => writeln!(stderr, "{line}"),
            false => Ok(()),
        };
        self.drawn |= terminal;
    }

    /// It is over; the line goes away.
    pub(crate) fn end(self) {
        if self.drawn {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
