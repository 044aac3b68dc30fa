//! Keys from the terminal, each as it is pressed.

use std::io::{IsTerminal, stdin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};
use tokio::sync::mpsc;

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
        let over = Arc::new(AtomicBool::new(false));
        let (tell, keys) = mpsc::channel(64);
        let done = Arc::clone(&over);
        std::thread::spawn(move || listen(&done, &tell));
        Some(Self { before, over, keys })
    }

    /// The next keys; never again once the terminal is gone.
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
            let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
        }
    }
}

/// Whether what is typed is for this process. One in the background that reads from its
/// terminal is stopped by the kernel, and a run must not stop for that.
fn is_in_front() -> bool {
    tcgetpgrp(stdin()).is_ok_and(|front| front == rustix::process::getpgrp())
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
        let mut bytes = [0; 256];
        match rustix::io::read(stdin(), &mut bytes) {
            Ok(0) => return,
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
            Ok(count) => left.extend_from_slice(&bytes[..count]),
        }
        // A letter may come in two pieces; what is no text is none.
        let text = match std::str::from_utf8(&left) {
            Ok(_) => std::mem::take(&mut left),
            Err(error) if error.error_len().is_none() => {
                let rest = left.split_off(error.valid_up_to());
                std::mem::replace(&mut left, rest)
            }
            Err(_) => {
                left.clear();
                continue;
            }
        };
        if tell.blocking_send(String::from_utf8_lossy(&text).into_owned()).is_err() {
            return;
        }
    }
}
