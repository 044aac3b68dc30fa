//! The look-up through `getent`, for statically linked programs.

use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::LookupError;

/// Where `getent` is. `PATH` is not searched: it is the user's.
const PLACES: [&str; 3] = ["/usr/bin/getent", "/bin/getent", "/run/current-system/sw/bin/getent"];
const FOLDERS: &str = "/usr/bin, /bin or /run/current-system/sw/bin";
/// `getent` ends with this when the key is not in the database, getent(1).
const NOT_FOUND: i32 = 2;
/// More than any entry of an account has, in bytes.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// The `getent` of this system.
///
/// # Errors
/// When it has none.
pub fn find_getent() -> Result<PathBuf, LookupError> {
    let found = PLACES.iter().map(Path::new).find(|path| path.exists());
    found.map(Path::to_owned).ok_or(LookupError::NoGetent(FOLDERS))
}

/// Looks an account up by running `program passwd UID`, with no environment of the
/// user's, and ends it when it takes longer than `limit`.
///
/// `getent` says "not found" also when a name service is down; that is all it tells.
///
/// # Errors
/// When it cannot be started, takes too long, ends with a status other than found or
/// not found, or prints something that is not the account.
pub fn lookup_with_getent(
    program: &Path,
    uid: u32,
    limit: Duration,
) -> Result<Option<String>, LookupError> {
    let failed = |source| LookupError::Getent { program: program.to_owned(), source };
    let until = Instant::now() + limit;
    let mut child = Command::new(program)
        .args(["passwd", &uid.to_string()])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let ended = wait_for_answer(&mut child, until);
    if !matches!(ended, Ok(Some(_))) {
        end_group(&mut child);
    }
    let Some((answer, status)) = ended.map_err(failed)? else {
        return Err(LookupError::Timeout(limit));
    };
    match status.code() {
        Some(0) => parse_entry(uid, &answer).map(Some),
        Some(NOT_FOUND) => Ok(None),
        _ => Err(LookupError::GetentStatus { program: program.to_owned(), status }),
    }
}

/// All it prints and how it ended, or `None` when the time is up.
fn wait_for_answer(child: &mut Child, until: Instant) -> io::Result<Option<(Vec<u8>, ExitStatus)>> {
    let Some(stdout) = child.stdout.take() else {
        return Err(io::Error::other("its output is not connected"));
    };
    let (answer, answered) = mpsc::channel();
    std::thread::Builder::new().name("getent".to_owned()).spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.take(LONGEST_ANSWER).read_to_end(&mut bytes);
        let _ = answer.send(read.map(|_| bytes));
    })?;
    let left = || until.saturating_duration_since(Instant::now());
    let bytes = match answered.recv_timeout(left()) {
        Ok(read) => read?,
        Err(_) => return Ok(None),
    };
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some((bytes, status)));
        }
        if left().is_zero() {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Ends it and everything it started.
fn end_group(child: &mut Child) {
    // It is not waited for yet, so its number is still its own.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    let _ = child.wait();
}

/// The name in an entry `name:password:uid:gid:comment:home:shell`, passwd(5).
fn parse_entry(uid: u32, answer: &[u8]) -> Result<String, LookupError> {
    let text = String::from_utf8_lossy(answer);
    let unusable = || {
        let answer = text.chars().take(200).collect::<String>().escape_debug().to_string();
        LookupError::Unusable { uid, answer }
    };
    let entry = std::str::from_utf8(answer).map_err(|_| unusable())?;
    let entry = entry.strip_suffix('\n').unwrap_or(entry);
    let fields: Vec<&str> = entry.split(':').collect();
    match fields.as_slice() {
        [name, _, number, _, _, _, _]
            if !name.is_empty() && number.parse() == Ok(uid) && !entry.contains('\n') =>
        {
            Ok((*name).to_owned())
        }
        _ => Err(unusable()),
    }
}
