//! One command: its own process group, its time, its output, and whatever it leaves behind.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use backout_core::environment::Environment;
use backout_core::event::LeftRunning;
use backout_core::plan::{Run, Stdin, Text};

use crate::environment::freeze;
use crate::output::{Output, Summary, Tail};
use crate::process::{self, Process, processes};
use crate::secrets::{NoSecret, Secrets};
use crate::unsafe_calls::limit_descriptors;
use crate::{clock, limits};

/// How long a command has to end after it was asked to, before it is killed.
pub const GRACE: Duration = Duration::from_secs(5);
/// How long to wait, after a command has ended, for output of what it left behind.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether it was stopped, and why.
    pub stopped: Option<StopReason>,
    /// What it printed.
    pub stdout: Summary,
    /// What it printed about errors.
    pub stderr: Summary,
    /// Processes it started that are still alive. After a stop: that could not be ended.
    pub survivors: Vec<LeftRunning>,
    /// Output that such processes still hold open. Whoever drops this breaks
    /// their pipes; a supervisor waits for it instead.
    pub held_open: Vec<tokio::task::JoinHandle<Summary>>,
}

/// Why a command was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Its time was up.
    Deadline,
    /// Somebody asked.
    Asked,
}

/// A command that never began.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// A secret it needs cannot be had.
    #[error(transparent)]
    Secret(#[from] NoSecret),
    /// The program cannot be started.
    #[error("`{program}` cannot be started: {source}")]
    Spawn {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// What it should read cannot be opened.
    #[error("its input {path} cannot be opened: {source}")]
    Input {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A command ready to start.
pub struct Prepared<'a> {
    /// What to run.
    pub run: &'a Run,
    /// The folder relative paths start from.
    pub folder: &'a str,
    /// The variables that were frozen when its run began.
    pub environment: Option<&'a Environment>,
    /// Further variables.
    pub variables: &'a [(&'static str, String)],
    /// How long it may take.
    pub timeout: Duration,
    /// Whether this process exists for this command alone. Then everything below
    /// it belongs to the command and is stopped with it.
    pub alone: bool,
}

/// Runs a command to its end. `stop` becomes true when somebody wants it stopped.
///
/// # Errors
/// [`NotStarted`]: nothing has happened then.
pub async fn run(
    prepared: &Prepared<'_>,
    secrets: &mut Secrets,
    files: (Option<File>, Option<File>),
    mut stop: watch::Receiver<bool>,
) -> Result<Ended, NotStarted> {
    // In the coordinator many checks may be due at the same moment.
    let _room = match prepared.alone {
        true => None,
        false => limits::room_for_checks().acquire().await.ok(),
    };
    let mut child = start(prepared, secrets).await?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let (stdout, stderr) = (Output::new(files.0, secrets), Output::new(files.1, secrets));
    let (stdout_tail, stderr_tail) = (stdout.tail(), stderr.tail());
    let stdout = tokio::spawn(pump(child.stdout.take(), stdout));
    let stderr = tokio::spawn(pump(child.stderr.take(), stderr));
    let stopped = tokio::select! {
        _ = child.wait() => None,
        () = clock::passed(prepared.timeout) => Some(StopReason::Deadline),
        () = asked(&mut stop) => Some(StopReason::Asked),
    };
    if stopped.is_some() {
        end_all(&mut child, group, prepared.alone).await;
    }
    let status = match stopped {
        // What cannot be killed cannot be waited for either.
        Some(_) => tokio::time::timeout(GRACE, child.wait()).await.ok().and_then(Result::ok),
        None => child.wait().await.ok(),
    };
    let survivors = match prepared.alone {
        true => descendants().iter().map(process::left_running).collect(),
        false => Vec::new(),
    };
    let mut held_open = Vec::new();
    let stdout = last_words(stdout, &stdout_tail, &mut held_open).await;
    let stderr = last_words(stderr, &stderr_tail, &mut held_open).await;
    use std::os::unix::process::ExitStatusExt;
    Ok(Ended {
        code: status.and_then(|status| status.code()),
        signal: status.and_then(|status| status.signal()),
        stopped,
        stdout,
        stderr,
        survivors,
        held_open,
    })
}

async fn asked(stop: &mut watch::Receiver<bool>) {
    while !*stop.borrow_and_update() {
        if stop.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn start(prepared: &Prepared<'_>, secrets: &mut Secrets) -> Result<Child, NotStarted> {
    let run = prepared.run;
    let folder = Path::new(prepared.folder);
    let cwd = run.cwd.as_ref().map_or_else(|| folder.to_owned(), |cwd| folder.join(cwd));
    let (program, arguments): (&str, Vec<&str>) = match (&run.shell, run.argv.split_first()) {
        (Some(shell), _) => ("/bin/sh", vec!["-c", shell]),
        (None, Some((program, rest))) => (program, rest.iter().map(String::as_str).collect()),
        (None, None) => ("", Vec::new()),
    };
    let mut command = Command::new(found(program, &cwd));
    command.args(arguments).current_dir(&cwd).process_group(0);
    freeze(&mut command, prepared.environment);
    for (name, value) in &run.env {
        command.env(name, secrets.resolve(value, prepared.folder)?);
    }
    command.env("PATH", search_path(prepared.environment));
    command.envs(prepared.variables.iter().map(|(name, value)| (name, value)));
    let mut text = None;
    command.stdin(match &run.stdin {
        None => Stdio::null(),
        Some(Stdin::Text(value)) => {
            text = Some(match value {
                Text::Plain(plain) => plain.clone(),
                Text::Secret(_) => secrets.resolve(value, prepared.folder)?,
            });
            Stdio::piped()
        }
        Some(Stdin::File(path)) => {
            let path = folder.join(path);
            let opened = File::open(&path);
            Stdio::from(opened.map_err(|source| NotStarted::Input { path, source })?)
        }
    });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(limit) = limits::descriptor_limit_of_commands() {
        limit_descriptors(command.as_std_mut(), limit);
    }
    let mut child = command
        .spawn()
        .map_err(|source| NotStarted::Spawn { program: program.to_owned(), source })?;
    if let (Some(text), Some(mut stdin)) = (text, child.stdin.take()) {
        tokio::spawn(async move {
            // A command that does not read its input to the end is none of our business.
            let _ = stdin.write_all(text.as_bytes()).await;
        });
    }
    Ok(child)
}

/// Where programs are looked for: as always, and at last beside this program, so
/// that a plan can call `backout` itself.
fn search_path(frozen: Option<&Environment>) -> std::ffi::OsString {
    let kept = frozen.and_then(|frozen| frozen.kept.get("PATH")).map(std::ffi::OsString::from);
    let mut path = kept.or_else(|| std::env::var_os("PATH")).unwrap_or_default();
    let own = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
    if let Some(own) = own {
        path.push(":");
        path.push(own);
    }
    path
}

/// `./script.sh` means the one beside the plan, wherever the coordinator was started.
fn found(program: &str, cwd: &Path) -> PathBuf {
    match program.contains('/') {
        true => cwd.join(program),
        false => PathBuf::from(program),
    }
}

async fn pump(stream: Option<impl AsyncRead + Unpin>, mut output: Output) -> Summary {
    if let Some(mut stream) = stream {
        let mut buffer = vec![0; 64 * 1024];
        let mut writable = true;
        while let Ok(read) = stream.read(&mut buffer).await {
            if read == 0 {
                break;
            }
            // A full disk must not block the command: its output is lost, it is not.
            writable = writable && output.take(&buffer[..read]).is_ok();
        }
    }
    let tail = output.tail();
    output.finish().unwrap_or_else(|error| Summary {
        digest: backout_core::ids::Digest::ZERO,
        kept: backout_core::ids::Digest::ZERO,
        kept_bytes: 0,
        bytes: 0,
        last: format!("its output could not be kept: {error}"),
        ending: tail.ending(),
    })
}

/// Output ends when the last process that holds it ends, which may be never for
/// a server that was started. Its own words come at once, so a short wait is enough.
async fn last_words(
    mut pump: tokio::task::JoinHandle<Summary>,
    tail: &Tail,
    held_open: &mut Vec<tokio::task::JoinHandle<Summary>>,
) -> Summary {
    if let Ok(Ok(summary)) = tokio::time::timeout(LAST_WORDS, &mut pump).await {
        return summary;
    }
    held_open.push(pump);
    Summary {
        digest: backout_core::ids::Digest::ZERO,
        kept: backout_core::ids::Digest::ZERO,
        kept_bytes: 0,
        bytes: 0,
        last: "(a process it left behind still holds its output)".to_owned(),
        ending: tail.ending(),
    }
}

/// Ends the command and everything it started: asks first, then kills.
async fn end_all(child: &mut Child, group: Option<Pid>, alone: bool) {
    let Some(group) = group else { return };
    // Its leader is not collected yet, so the number is still its own.
    let _ = kill_process_group(group, Signal::TERM);
    // Children that left the group. The whole of it has the time to end in order.
    let number = group.as_raw_nonzero().get();
    let outside = of(group, alone).into_iter().filter(|process| process.group != number);
    outside.for_each(|process| send(&process, Signal::TERM));
    let all_gone = async {
        let _ = child.wait().await;
        while !of(group, alone).is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let _ = tokio::time::timeout(GRACE, all_gone).await;
    // Again and again: what is being ended may have started something meanwhile.
    for _ in 0..MOST_KILLS {
        let left = of(group, alone);
        if left.is_empty() {
            break;
        }
        left.iter().for_each(|process| send(process, Signal::KILL));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Two seconds of killing; what lasts longer cannot be killed.
const MOST_KILLS: u32 = 400;

/// What is alive of a command: its group, and in a process of its own everything below that.
fn of(group: Pid, alone: bool) -> Vec<Process> {
    match alone {
        true => descendants(),
        false => {
            let number = group.as_raw_nonzero().get();
            // As the kernel shows it: 0 where its leader is outside of a container, like ours.
            let all = processes();
            let me = i32::try_from(std::process::id()).unwrap_or(0);
            let session = all.iter().find(|it| it.pid == me).map(|it| it.session);
            let is_member = |it: &Process| it.group == number && Some(it.session) == session;
            all.into_iter().filter(is_member).collect()
        }
    }
}

fn send(process: &Process, signal: Signal) {
    process::send_signal(process.pid, signal, || process::is_same(process));
}

/// Living processes below this one. A supervisor adopts the orphans of its
/// command (it is their subreaper), so none can hide by leaving its group.
fn descendants() -> Vec<Process> {
    let all = processes();
    let me = i32::try_from(std::process::id()).unwrap_or(0);
    let mut below = BTreeSet::from([me]);
    loop {
        let before = below.len();
        let children = all.iter().filter(|process| below.contains(&process.parent));
        below.extend(children.map(|process| process.pid).collect::<Vec<_>>());
        if below.len() == before {
            break;
        }
    }
    below.remove(&me);
    all.into_iter().filter(|process| below.contains(&process.pid)).collect()
}
