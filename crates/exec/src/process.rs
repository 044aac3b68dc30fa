//! Living processes, and how one is told from a later one with its number.

use std::fs;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use backout_core::attempt::AttemptId;
use backout_core::event::LeftRunning;

use crate::terminal::printable;

/// What the kernel says about a living process.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// When it began, in ticks since the machine started.
    pub(crate) start: u64,
    /// The name of its program, as the kernel shortens it.
    pub(crate) name: String,
}

/// Every living process.
pub(crate) fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(process).collect()
}

/// A living process by its number; `None` where there is none.
fn process(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // `pid (comm) state ppid pgrp session … starttime …`; comm may hold anything, so cut behind
    // its last `)`.
    let (head, rest) = stat.rsplit_once(") ")?;
    let name = head.split_once('(').map_or("", |(_, name)| name).to_owned();
    let fields: Vec<&str> = rest.split(' ').collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<i32>().ok());
    let is_zombie = *fields.first()? == "Z";
    let start = fields.get(19)?.parse().ok()?;
    (!is_zombie).then_some(Process {
        pid,
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        start,
        name,
    })
}

/// What tells a process from every other that has, had or will have its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Birth {
    /// The running of the machine that the number belongs to.
    pub boot: String,
    /// The PID namespace that the number belongs to.
    #[serde(default)]
    pub space: String,
    /// When it began, in ticks since the machine started.
    #[serde(default)]
    pub start: u64,
}

impl Birth {
    /// That of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        let start = process(pid).map_or(0, |process| process.start);
        Self { boot: boot_id(), space: pid_namespace(), start }
    }

    /// Whether the process of this number is the one that was born so. `false` where that cannot
    /// be told, as in another PID namespace.
    pub(crate) fn is_of(&self, pid: i32) -> bool {
        // An earlier version noted neither namespace nor start.
        let here =
            self.boot == boot_id() && (self.space.is_empty() || self.space == pid_namespace());
        here && process(pid).is_some_and(|now| self.start == 0 || now.start == self.start)
    }

    /// The living processes of the session that this process led under this number, itself left
    /// out. None where the number belongs to another process by now.
    pub(crate) fn session_of(&self, leader: i32) -> Vec<Process> {
        let elsewhere = !self.space.is_empty() && self.space != pid_namespace();
        if self.boot != boot_id() || elsewhere {
            return Vec::new();
        }
        // While one of its session lives the kernel gives the number to no other process.
        let differs = |process: Process| self.start != 0 && process.start != self.start;
        if process(leader).is_some_and(differs) {
            return Vec::new();
        }
        let member = |process: &Process| {
            process.session == leader && process.pid != leader && process.start >= self.start
        };
        processes().into_iter().filter(member).collect()
    }
}

/// Tells one running of the machine from the next.
pub(crate) fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

fn pid_namespace() -> String {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().into_owned()
}

/// Sends a signal to a process, if the process of that number is the one that is meant. That is
/// asked while its descriptor is held, so that a number that is used again meanwhile is not hit.
/// `false` when it could not be sent.
pub(crate) fn send_signal(pid: i32, signal: Signal, is_meant: impl FnOnce() -> bool) -> bool {
    let Some(pid) = Pid::from_raw(pid) else { return false };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(held) => is_meant() && pidfd_send_signal(held, signal).is_ok(),
        // An old kernel, or a sandbox, knows no descriptors of processes.
        Err(Errno::NOSYS | Errno::PERM) => is_meant() && kill_process(pid, signal).is_ok(),
        Err(_) => false,
    }
}

/// A process that is still alive, for people.
pub(crate) fn left_running(process: &Process) -> LeftRunning {
    LeftRunning { pid: process.pid, start: process.start, name: printable(&process.name) }
}

/// Whether a process that was seen is still there, and the same.
pub(crate) fn is_same(seen: &Process) -> bool {
    process(seen.pid).is_some_and(|now| now.start == seen.start)
}

/// Whether a process says in its environment that it belongs to this attempt. The environment of
/// another account's process, such as of one behind `sudo`, cannot be read, and of one that
/// cleared it nothing is left.
pub(crate) fn is_of(pid: i32, key: &str, attempt: u32) -> bool {
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    // A repeat has the key of what it repeats.
    let wanted = [format!("BACKOUT_KEY={key}"), format!("BACKOUT_ATTEMPT={attempt}")];
    let says = |wanted: &String| environment.split(|b| *b == 0).any(|it| it == wanted.as_bytes());
    wanted.iter().all(says)
}

/// The same where the key is not known any more: it ends in the run's random id, which tells the
/// run from others of its name. Of a run of an earlier version, without one, nothing can be told.
pub(crate) fn is_of_attempt(pid: i32, id: &AttemptId) -> bool {
    let Some(uid) = &id.uid else { return false };
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    let value = |name: &str| {
        let mut set = environment.split(|byte| *byte == 0);
        let found = set.find_map(|it| it.strip_prefix(format!("{name}=").as_bytes()));
        found.map(|value| String::from_utf8_lossy(value).into_owned())
    };
    let of_run = value("BACKOUT_KEY").and_then(|key| key.rsplit('/').next().map(str::to_owned));
    of_run.is_some_and(|short| short.len() >= 12 && uid.as_str().starts_with(&short))
        && value("BACKOUT_STEP").is_some_and(|step| step == id.step.as_str())
        && value("BACKOUT_ATTEMPT").is_some_and(|attempt| attempt == id.attempt.to_string())
}

/// Whether a process holds the exclusive lock of this file, which only who took it and what
/// inherited it do. Asked of the kernel's lists: the file may be on a disk that does not answer.
pub(crate) fn holds_lock(pid: i32, file: &Path) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let here = |entry: &fs::DirEntry| fs::read_link(entry.path()).is_ok_and(|it| it == file);
    let locks = |entry: fs::DirEntry| {
        let about = Path::new("/proc").join(pid.to_string()).join("fdinfo").join(entry.file_name());
        let about = fs::read_to_string(about).unwrap_or_default();
        let is_lock = |line: &str| line.starts_with("lock:") && line.contains("FLOCK");
        about.lines().any(|line| is_lock(line) && line.contains("WRITE"))
    };
    open.flatten().filter(here).any(locks)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_number_that_is_used_again_is_another_process() {
        // A session of its own: where the tests run in a container, the leader of theirs may be
        // outside and have no number here.
        let mut leads = Command::new("setsid")
            .args(["sh", "-c", "sleep 600 & echo $!; wait"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("setsid");
        let mut line = String::new();
        let output = leads.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let member: i32 = line.trim().parse().expect("a number");
        let leader = i32::try_from(leads.id()).expect("a number");
        let began = process(leader).expect("it lives").start;
        let own = Birth::of_this_process();
        let birth = |start| Birth { start, ..own.clone() };
        let members = |birth: &Birth| -> Vec<i32> {
            birth.session_of(leader).iter().map(|process| process.pid).collect()
        };
        assert_eq!(members(&birth(began)), vec![member]);
        // Another process had the number before; another namespace, another boot.
        assert_eq!(members(&birth(began + 1)), Vec::<i32>::new());
        let elsewhere = Birth { space: "pid:[1]".to_owned(), ..birth(began) };
        assert_eq!(members(&elsewhere), Vec::<i32>::new());
        let before = Birth { boot: String::new(), ..birth(began) };
        assert_eq!(members(&before), Vec::<i32>::new());
        // The leader is gone, what it left is still of its session.
        leads.kill().expect("it ends");
        leads.wait().expect("it ended");
        assert_eq!(members(&birth(began)), vec![member]);
        let member = Pid::from_raw(member).expect("a number");
        kill_process(member, Signal::KILL).expect("it ends");
    }

    #[test]
    fn a_signal_hits_only_the_process_that_is_meant() {
        let mut child = Command::new("sleep").arg("600").spawn().expect("sleep");
        let pid = i32::try_from(child.id()).expect("a number");
        let seen = process(pid).expect("it lives");
        let earlier = Process { start: seen.start - 1, ..seen.clone() };
        assert!(!send_signal(pid, Signal::KILL, || is_same(&earlier)), "it had the number before");
        assert_eq!(child.try_wait().expect("a child"), None);
        assert!(send_signal(pid, Signal::KILL, || is_same(&seen)));
        child.wait().expect("it ended");
        assert!(!send_signal(pid, Signal::KILL, || true), "it is gone");
    }
}
