//! The spawner's own process.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};
use rustix::process::{WaitOptions, wait};

use backout_engine::fault::{self, Point};

use super::{FORKED, LONGEST_PATH, REFUSED};
use crate::supervise::supervise;
use crate::unsafe_calls::{Side, fork};

/// How often a fork is tried again while the system has no room for a process.
const MOST_FORKS: u32 = 40;
const BETWEEN_FORKS: Duration = Duration::from_millis(200);

/// Forks a supervisor for each dispatch that is asked for on standard input, a socket, until
/// that is closed. Must be called by the only thread of its process, before any other starts.
///
/// # Errors
/// When standard input is no such socket, or a supervisor failed; the supervisors that were
/// forked live on.
pub fn serve() -> io::Result<()> {
    // A signal of the terminal is for the coordinator. Fails only for a leader of its group.
    let _ = rustix::process::setsid();
    let _ = rustix::thread::set_name(c"backout-spawner");
    let link = take_link()?;
    let mut children = 0_u32;
    while let Some(asked) = next(&link, &mut children)? {
        let Asked { folder, done } = asked;
        let step = step_of(&folder);
        fault::point(Point::SpawnerAsked, &step);
        match fork_patiently(&mut children) {
            Ok(Side::Child) => {
                // Held here, it would hide the death of the spawner from the coordinator.
                drop(link);
                let code = supervise_alone(&folder, done);
                std::process::exit(code);
            }
            Ok(Side::Parent) => {
                children += 1;
                fault::point(Point::Forked, &step);
                let _ = File::from(done).write_all(&[FORKED]);
            }
            Err(error) => refuse(done, &format!("no supervisor could be started: {error}")),
        }
    }
    Ok(())
}

/// What the coordinator asks for.
struct Asked {
    folder: PathBuf,
    done: OwnedFd,
}

/// The socket, under a number of its own that no command inherits.
fn take_link() -> io::Result<OwnedFd> {
    let link = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
    let null = File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::net::sockopt::socket_type(&link)?;
    Ok(link)
}

/// The next dispatch that is asked for; `None` when the coordinator is gone.
fn next(link: &OwnedFd, children: &mut u32) -> io::Result<Option<Asked>> {
    loop {
        reap(children);
        // Children that end meanwhile are collected once a second.
        let second = Timespec { tv_sec: 1, tv_nsec: 0 };
        let patience = (*children > 0).then_some(&second);
        match poll(&mut [PollFd::new(link, PollFlags::IN)], patience) {
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut path = [0_u8; LONGEST_PATH];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received =
            recvmsg(link, &mut [IoSliceMut::new(&mut path)], &mut control, RecvFlags::CMSG_CLOEXEC);
        let received = match received {
            Err(Errno::INTR | Errno::AGAIN) => continue,
            Err(Errno::CONNRESET) => return Ok(None),
            received => received?,
        };
        let mut passed = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        let done = passed.next().and_then(|mut descriptors| descriptors.next());
        match (received.bytes, done) {
            (0, None) => return Ok(None),
            (_, Some(done)) if received.flags.contains(ReturnFlags::TRUNC) => {
                refuse(done, "the path of its folder is too long");
            }
            (bytes, Some(done)) => {
                let folder = Path::new(OsStr::from_bytes(&path[..bytes])).to_owned();
                return Ok(Some(Asked { folder, done }));
            }
            // Without its pipe nothing can be told; its end tells the coordinator to ask again.
            (_, None) => {}
        }
    }
}

/// Forks; waits where the system has no room for another process, as a run with very many
/// branches comes to.
fn fork_patiently(children: &mut u32) -> io::Result<Side> {
    let mut tries = 0;
    loop {
        match fork() {
            Err(error) if tries < MOST_FORKS && has_no_room(&error) => {
                tries += 1;
                reap(children);
                std::thread::sleep(BETWEEN_FORKS);
            }
            forked => return forked,
        }
    }
}

fn has_no_room(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(number, Some(Errno::AGAIN | Errno::NOMEM))
}

/// Collects the supervisors that ended.
fn reap(children: &mut u32) {
    while *children > 0 {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => *children -= 1,
            Ok(None) | Err(Errno::INTR) => return,
            Err(_) => *children = 0,
        }
    }
}

fn refuse(done: OwnedFd, why: &str) {
    let mut text = vec![REFUSED];
    text.extend_from_slice(why.as_bytes());
    let _ = File::from(done).write_all(&text);
}

/// The supervisor's life, in the process that was forked for it; its exit code.
fn supervise_alone(folder: &Path, done: OwnedFd) -> i32 {
    let _ = rustix::thread::set_name(c"backout-attempt");
    let mut done = Some(done);
    let supervised = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(supervise(folder, &mut done)));
    let Err(error) = supervised else { return 0 };
    if let Some(done) = done {
        refuse(done, &error.to_string());
    }
    1
}

/// The step of a dispatch: `…/STEP/1.1`.
fn step_of(folder: &Path) -> String {
    let step = folder.parent().and_then(Path::file_name).unwrap_or_default();
    step.to_string_lossy().into_owned()
}
