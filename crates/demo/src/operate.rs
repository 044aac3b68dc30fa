//! Starting, stopping, restoring: what an operator does to the portal.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::Any;
use crate::layout::Layout;

/// How long a server may take to listen, or a process to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts the traffic switch and the application.
///
/// # Errors
/// When one of them does not come up.
pub fn start_all(layout: &Layout) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let ports = layout.ports()?;
    spawn(layout, "front", &layout.front_pid(), ports.front)?;
    start(layout)
}

/// Lets people use it.
///
/// # Errors
/// When they cannot be started.
pub fn start_traffic(layout: &Layout) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    background(layout, "traffic", &layout.traffic_pid())
}

/// Stops everything.
pub fn stop_all(layout: &Layout) {
    let _ = end(&layout.traffic_pid());
    let _ = stop(layout);
    let _ = end(&layout.front_pid());
}

pub(crate) fn start(layout: &Layout) -> Result<(), Any> {
    spawn(layout, "serve", &layout.application_pid(), layout.ports()?.application)
}

pub(crate) fn stop(layout: &Layout) -> Result<(), Any> {
    end(&layout.application_pid())
}

fn spawn(layout: &Layout, what: &str, pid_file: &Path, port: u16) -> Result<(), Any> {
    if is_up(port) {
        // Somebody else's server is not this one.
        return match is_running(pid_file) {
            true => Ok(()),
            false => Err(format!("port {port} is taken").into()),
        };
    }
    background(layout, what, pid_file)?;
    let until = Instant::now() + PATIENCE;
    while !is_up(port) {
        if Instant::now() > until || !is_running(pid_file) {
            return Err(format!("nothing listens on port {port}").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn background(layout: &Layout, what: &str, pid_file: &Path) -> Result<(), Any> {
    let output = File::options().create(true).append(true).open(layout.output())?;
    let child = Command::new(std::env::current_exe()?)
        .args(["portal", what])
        .arg(layout.root())
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()?;
    fs::write(pid_file, child.id().to_string())?;
    Ok(())
}

fn is_running(pid_file: &Path) -> bool {
    let text = fs::read_to_string(pid_file).unwrap_or_default();
    let pid = text.trim().parse().ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid).is_ok() && !is_zombie(pid))
}

fn is_up(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn end(pid_file: &Path) -> Result<(), Any> {
    let Ok(text) = fs::read_to_string(pid_file) else { return Ok(()) };
    let pid = text.trim().parse().ok().and_then(Pid::from_raw).ok_or("its process is unknown")?;
    let name =
        fs::read_to_string(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    // The number may belong to somebody else by now.
    if name.contains("portal") {
        let _ = kill_process(pid, Signal::TERM);
        let until = Instant::now() + PATIENCE;
        while test_kill_process(pid).is_ok() && !is_zombie(pid) {
            if Instant::now() > until {
                return Err("it does not stop".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    fs::remove_file(pid_file)?;
    Ok(())
}

fn is_zombie(pid: Pid) -> bool {
    let stat =
        fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
}

/// In how many parts the backup is copied, and the rest after each: four seconds
/// in all, long enough to be interrupted in the middle.
const PARTS: u64 = 20;
const REST: Duration = Duration::from_millis(200);

pub(crate) fn restore_db(layout: &Layout) -> Result<(), Any> {
    let mut log = File::options().create(true).append(true).open(layout.restores())?;
    writeln!(log, "restore begun by process {}", std::process::id())?;
    let (from, to) = (layout.database_backup(), layout.database());
    let size = fs::metadata(&from)?.len();
    let part = size.div_ceil(PARTS).max(1);
    let unfinished = to.with_extension("restoring");
    let mut source = File::open(&from)?;
    let mut target = File::create(&unfinished)?;
    let mut copied = 0;
    loop {
        let read = std::io::copy(&mut Read::by_ref(&mut source).take(part), &mut target)?;
        copied += read;
        if read == 0 {
            break;
        }
        println!("{copied} of {size} bytes");
        std::thread::sleep(REST);
    }
    target.sync_all()?;
    for extra in ["db-wal", "db-shm"] {
        let _ = fs::remove_file(to.with_extension(extra));
    }
    fs::rename(&unfinished, &to)?;
    writeln!(log, "restore finished by process {}", std::process::id())?;
    println!("restored");
    Ok(())
}
