//! Keys from the terminal, each as it is pressed.

use std::io::{IsTerminal, stdin, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};
use tokio::sync::mpsc;

use crate::output;

/// Has the terminal say what is pasted, and no more.
const PASTES_SHOWN: &str = "\u{1b}[?2004h";
const PASTES_PLAIN: &str = "\u{1b}[?2004l";
/// What comes closer together than this was not typed key by key.
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
/// The most that is taken as one.
const MOST: usize = 1024 * 1024;

/// The terminal, giving each key at once and showing none. As it was before once this is
/// dropped.
pub(crate) struct Keyboard {
    before: Termios,
    over: Arc<AtomicBool>,
    keys: mpsc::Receiver<String>,
}

impl Keyboard {
    /// Takes the keyboard; nothing where nobody sits at one.
    pub(crate) fn take() -> Option<Self> {
        if !stdin().is_terminal() || !is_in_front() {
            return None;
        }
        let before = tcgetattr(stdin()).ok()?;
        let mut plain = before.clone();
        // Ctrl-C and Ctrl-Z stay what they are.
        plain.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        plain.special_codes[SpecialCodeIndex::VMIN] = 1;
        plain.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdin(), OptionalActions::Now, &plain).ok()?;
        say(PASTES_SHOWN);
        let over = Arc::new(AtomicBool::new(false));
        let (tell, keys) = mpsc::channel(64);
        let done = Arc::clone(&over);
        std::thread::spawn(move || listen(&done, &tell));
        Some(Self { before, over, keys })
    }

    /// The next keys, all that came at once; never again once the terminal is gone.
    pub(crate) async fn next(&mut self) -> String {
        match self.keys.recv().await {
            Some(keys) => keys,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if is_in_front() {
            say(PASTES_PLAIN);
            let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
        }
    }
}

/// Whether what is typed is for this process. One in the background that reads from its
/// terminal is stopped by the kernel, and a run must not stop for that.
fn is_in_front() -> bool {
    tcgetpgrp(stdin()).is_ok_and(|front| front == rustix::process::getpgrp())
}

fn say(sequence: &str) {
    if stdout().is_terminal() {
        output::print(output::To::Out, sequence.to_owned());
    }
}

/// Reads on until nothing more comes at once; `false` when nothing can come any more.
fn read_all(into: &mut Vec<u8>) -> bool {
    let input = stdin();
    loop {
        let mut bytes = [0; 4096];
        match rustix::io::read(&input, &mut bytes) {
            Ok(0) => return false,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
            Ok(count) => into.extend_from_slice(&bytes[..count]),
        }
        let mut wanted = [PollFd::new(&input, PollFlags::IN)];
        let more = poll(&mut wanted, Some(&AT_ONCE)).is_ok_and(|ready| ready > 0);
        if !more || into.len() > MOST || !is_in_front() {
            return true;
        }
    }
}

fn listen(over: &AtomicBool, tell: &mpsc::Sender<String>) {
    let moment = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
    let mut left = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let input = stdin();
        let mut wanted = [PollFd::new(&input, PollFlags::IN)];
        match poll(&mut wanted, Some(&moment)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
            Ok(_) => {}
        }
        if over.load(Ordering::Relaxed) {
            return;
        }
        if !is_in_front() {
            std::thread::sleep(std::time::Duration::from_millis(200));
            continue;
        }
        if !read_all(&mut left) {
            return;
        }
        // A letter may come in two pieces.
        let rest = match std::str::from_utf8(&left) {
            Err(error) if error.error_len().is_none() => left.split_off(error.valid_up_to()),
            _ => Vec::new(),
        };
        let text = std::mem::replace(&mut left, rest);
        if tell.blocking_send(String::from_utf8_lossy(&text).into_owned()).is_err() {
            return;
        }
    }
}
