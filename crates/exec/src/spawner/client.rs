//! The coordinator's side of the spawner.

use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    sendmsg, socketpair,
};
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

use super::{FORKED, REFUSED};
use crate::limits;
use crate::unsafe_calls::limit_descriptors;

/// How long a spawner that answers nothing at all is waited for before it is replaced.
const HUNG: Duration = Duration::from_secs(10);
/// More than any reason that is given, in bytes.
const LONGEST_REASON: u64 = 4096;

/// How a spawner is started.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<OsString>,
}

/// The spawner of a coordinator, started when it is first needed and again when it died.
pub(crate) struct Spawner {
    program: Program,
    living: Mutex<Option<Arc<Living>>>,
}

/// A spawner's process.
struct Living {
    link: UnixStream,
    child: Mutex<Child>,
    /// How many dispatches it answered.
    answered: AtomicU64,
}

impl Spawner {
    pub(crate) fn new(program: Program) -> Self {
        Self { program, living: Mutex::new(None) }
    }

    /// Has a supervisor forked for the dispatch in a folder, and waits until it is done. Returns
    /// why it was not accepted, where that was said.
    ///
    /// # Errors
    /// When no spawner can be started or asked. Whether a supervisor accepted the dispatch is in
    /// the ledger in any case.
    pub(crate) async fn supervise(&self, folder: &Path) -> io::Result<Option<String>> {
        let (spawner, done) = self.ask(folder).await?;
        let mut done = pipe::Receiver::from_owned_fd(done)?;
        let mut first = [0_u8];
        let read = loop {
            let before = spawner.answered.load(Ordering::Relaxed);
            // What was answered is read, also when the time was up meanwhile.
            tokio::select! {
                biased;
                read = done.read(&mut first) => break read?,
                () = tokio::time::sleep(HUNG) => {}
            }
            if spawner.answered.load(Ordering::Relaxed) == before {
                self.replace(&spawner);
            }
        };
        if read == 0 {
            return Ok(None);
        }
        spawner.answered.fetch_add(1, Ordering::Relaxed);
        let mut said = Vec::new();
        if first[0] != FORKED {
            said.push(first[0]);
        }
        done.take(LONGEST_REASON).read_to_end(&mut said).await?;
        Ok(match said.iter().position(|byte| *byte == REFUSED) {
            Some(0) => Some(String::from_utf8_lossy(&said[1..]).into_owned()),
            _ => None,
        })
    }

    /// Asks for a supervisor: of another spawner, where this one has died.
    async fn ask(&self, folder: &Path) -> io::Result<(Arc<Living>, OwnedFd)> {
        let spawner = self.living()?;
        match spawner.ask(folder).await {
            Ok(done) => Ok((spawner, done)),
            Err(error) if is_gone(&error) => {
                self.replace(&spawner);
                let spawner = self.living()?;
                let done = spawner.ask(folder).await?;
                Ok((spawner, done))
            }
            Err(error) => Err(error),
        }
    }

    fn living(&self) -> io::Result<Arc<Living>> {
        let mut living = self.living.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spawner) = &*living {
            return Ok(Arc::clone(spawner));
        }
        let spawner = Arc::new(Living::start(&self.program)?);
        *living = Some(Arc::clone(&spawner));
        Ok(spawner)
    }

    /// The next dispatch gets another spawner. This one is ended: what waits for it is told by
    /// the end of its pipe, and what it forked lives on.
    fn replace(&self, spawner: &Arc<Living>) {
        let mut living = self.living.lock().unwrap_or_else(PoisonError::into_inner);
        if living.as_ref().is_some_and(|living| Arc::ptr_eq(living, spawner)) {
            *living = None;
        }
        let mut child = spawner.child.lock().unwrap_or_else(PoisonError::into_inner);
        // It was never waited for, so the number is still its own.
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Living {
    fn start(program: &Program) -> io::Result<Self> {
        let (ours, its) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let mut command = Command::new(&program.path);
        command
            .arg0("backout")
            .args(&program.arguments)
            .stdin(Stdio::from(its))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(limit) = limits::descriptor_limit_of_commands() {
            limit_descriptors(&mut command, limit);
        }
        let child = command.spawn()?;
        // Only its readiness is asked for; what is sent are packets.
        let link = std::os::unix::net::UnixStream::from(ours);
        link.set_nonblocking(true)?;
        let link = UnixStream::from_std(link)?;
        Ok(Self { link, child: Mutex::new(child), answered: AtomicU64::new(0) })
    }

    /// Asks for a supervisor; returns the reading end of its pipe.
    async fn ask(&self, folder: &Path) -> io::Result<OwnedFd> {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        loop {
            let sent = self.link.async_io(Interest::WRITABLE, || send(&self.link, folder, &write));
            match sent.await {
                Ok(()) => return Ok(read),
                // Too many descriptors are on their way.
                Err(error) if error.raw_os_error() == Some(TOO_MANY_REFERENCES) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether the other end of the link is closed.
fn is_gone(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(number, Some(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN))
}

const TOO_MANY_REFERENCES: i32 = Errno::TOOMANYREFS.raw_os_error();

fn send(link: &UnixStream, folder: &Path, done: &OwnedFd) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let passed = [done.as_fd()];
    if !control.push(SendAncillaryMessage::ScmRights(&passed)) {
        return Err(io::Error::other("no room for a descriptor"));
    }
    let path = [IoSlice::new(folder.as_os_str().as_bytes())];
    sendmsg(link, &path, &mut control, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?;
    Ok(())
}

impl Drop for Living {
    /// It ends by itself when the link is closed; it is collected if it has ended already.
    fn drop(&mut self) {
        let _ = self.child.get_mut().unwrap_or_else(PoisonError::into_inner).try_wait();
    }
}
