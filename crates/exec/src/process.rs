//! Living processes, and how one is told from a later one with its number.

use std::fs;

use serde::{Deserialize, Serialize};

/// What the kernel says about a living process.
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// When it began, in ticks since the machine started.
    pub(crate) start: u64,
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
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<i32>().ok());
    let is_zombie = *fields.first()? == "Z";
    let start = fields.get(19)?.parse().ok()?;
    (!is_zombie).then_some(Process {
        pid,
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        start,
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

    /// The living processes of the session that this process led under this number, itself left
    /// out. None where the number belongs to another process by now.
    pub(crate) fn session_of(&self, leader: i32) -> Vec<i32> {
        // An earlier version noted neither namespace nor start.
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
        processes().into_iter().filter(member).map(|process| process.pid).collect()
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

/// Every living process that says so.
pub(crate) fn all_of(key: &str, attempt: u32) -> Vec<i32> {
    let all = processes().into_iter().map(|process| process.pid);
    all.filter(|pid| is_of(*pid, key, attempt)).collect()
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
        assert_eq!(birth(began).session_of(leader), vec![member]);
        // Another process had the number before; another namespace, another boot.
        assert_eq!(birth(began + 1).session_of(leader), Vec::<i32>::new());
        let elsewhere = Birth { space: "pid:[1]".to_owned(), ..birth(began) };
        assert_eq!(elsewhere.session_of(leader), Vec::<i32>::new());
        let before = Birth { boot: String::new(), ..birth(began) };
        assert_eq!(before.session_of(leader), Vec::<i32>::new());
        // The leader is gone, what it left is still of its session.
        leads.kill().expect("it ends");
        leads.wait().expect("it ended");
        assert_eq!(birth(began).session_of(leader), vec![member]);
        let member = rustix::process::Pid::from_raw(member).expect("a number");
        rustix::process::kill_process(member, rustix::process::Signal::KILL).expect("it ends");
    }
}
