//! Reads the policy of this machine and of this user (`docs/policy.md`).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use serde::Deserialize;

use backout_core::duration::Span;
use backout_core::plan::{MaxParallel, Permission};
use backout_core::policy::Policy;

use crate::failure::Failure;

/// The system's policy. Only root may write it.
const SYSTEM: &str = "/etc/backout/backout.toml";
/// The largest file of a policy, in bytes.
const LARGEST: u64 = 1024 * 1024;
/// The largest quorum, as in a plan.
const MOST_PEOPLE: u32 = 10;

/// What holds for every run on this machine: the system's policy, tightened by the
/// user's. A file that is not there demands nothing.
///
/// # Errors
/// When a file is there and cannot be read, is not a policy, or, for the system's, can
/// be written by others than root.
pub(crate) fn read_policy() -> Result<Policy, Failure> {
    read_both(&system_path(), 0, user_path(&|name| std::env::var_os(name)).as_deref())
}

/// The same on the night: each file that can be read holds, whatever is wrong with the other.
pub(crate) fn read_policy_tonight() -> (Policy, Vec<Failure>) {
    let user = user_path(&|name| std::env::var_os(name));
    let user = user.map_or_else(|| Ok(Policy::default()), |path| read_user_policy(&path));
    let (mut policy, mut wrong) = (Policy::default(), Vec::new());
    for read in [read_system_policy(&system_path(), 0), user] {
        match read {
            Ok(read) => policy = policy.tightened_by(&read),
            Err(failure) => wrong.push(failure),
        }
    }
    (policy, wrong)
}

/// The folder in which marks of logs are kept too: BACKOUT_MARKS, else what the user's file says,
/// else the system's. A file that cannot be read names none; that is said where its policy is
/// read.
pub(crate) fn marks_folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name);
    let set = variable("BACKOUT_MARKS").filter(|place| !place.is_empty()).map(PathBuf::from);
    let user = || user_path(&variable).and_then(|path| read_user(&path).ok()?.log.marks);
    let system = || read_system(&system_path(), 0).ok()?.log.marks;
    let place = set.or_else(user).or_else(system)?;
    std::path::absolute(&place).ok()
}

fn read_both(system: &Path, owner: u32, user: Option<&Path>) -> Result<Policy, Failure> {
    let system = read_system_policy(system, owner)?;
    let user = user.map_or_else(|| Ok(Policy::default()), read_user_policy)?;
    Ok(system.tightened_by(&user))
}

fn system_path() -> PathBuf {
    // Compiled in for tests only: a build without fault points reads no other file.
    #[cfg(feature = "fault-points")]
    if let Some(path) = std::env::var_os("BACKOUT_TEST_SYSTEM_POLICY") {
        return PathBuf::from(path);
    }
    PathBuf::from(SYSTEM)
}

/// `$XDG_CONFIG_HOME/backout/backout.toml`, else below `~/.config`.
fn user_path(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let base = base.or_else(|| set("HOME").map(|home| home.join(".config")));
    base.map(|base| base.join("backout/backout.toml"))
}

/// The system's policy, from a file that, like its folder, only `owner` can write.
fn read_system(path: &Path, owner: u32) -> Result<Written, Failure> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(unusable(path, "it names no file"));
    };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat(rustix::fs::CWD, folder, flags | OFlags::DIRECTORY, Mode::empty());
    let folder_file = match opened {
        Ok(folder_file) => folder_file,
        Err(Errno::NOENT) => return Ok(Written::default()),
        Err(errno) => return Err(not_opened(folder, errno)),
    };
    check_owner(folder, &folder_file, owner, "755")?;
    // A pipe in its place must not block.
    let file = match openat(&folder_file, name, flags | OFlags::NONBLOCK, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(Written::default()),
        Err(errno) => return Err(not_opened(path, errno)),
    };
    check_owner(path, &file, owner, "644")?;
    parse(path, &read_all(path, File::from(file))?)
}

fn read_user(path: &Path) -> Result<Written, Failure> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    match openat(rustix::fs::CWD, path, flags, Mode::empty()) {
        Ok(file) => parse(path, &read_all(path, File::from(file))?),
        Err(Errno::NOENT) => Ok(Written::default()),
        Err(errno) => Err(not_opened(path, errno)),
    }
}

fn read_system_policy(path: &Path, owner: u32) -> Result<Policy, Failure> {
    read_system(path, owner).map(policy_of)
}

fn read_user_policy(path: &Path) -> Result<Policy, Failure> {
    read_user(path).map(policy_of)
}

fn not_opened(path: &Path, errno: Errno) -> Failure {
    match errno {
        Errno::LOOP | Errno::NOTDIR => unusable(path, "it is a symbolic link, or below no folder")
            .hint("put the file itself there"),
        errno => unusable(path, io::Error::from(errno)),
    }
}

fn unusable(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::usage(format!("the policy {} cannot be used: {why}", path.display()))
}

/// Of the opened file, so that nothing can be swapped between the look and the reading.
fn check_owner(
    path: &Path,
    file: &impl std::os::fd::AsFd,
    owner: u32,
    mode: &str,
) -> Result<(), Failure> {
    let found = fstat(file).map_err(|errno| not_opened(path, errno))?;
    let written_by = match (found.st_uid == owner, found.st_mode & 0o022) {
        (true, 0) => return Ok(()),
        (false, _) => format!("it belongs to uid {}, not to root", found.st_uid),
        (true, _) => "others than root can write it".to_owned(),
    };
    let path = path.display();
    Err(Failure::usage(format!("the policy {path} cannot be trusted: {written_by}"))
        .hint(format!("as root: `chown root:root {path} && chmod {mode} {path}`")))
}

fn read_all(path: &Path, file: File) -> Result<String, Failure> {
    if !file.metadata()?.is_file() {
        return Err(unusable(path, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| unusable(path, error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(unusable(path, format!("it is larger than {LARGEST} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let (line, column) = place(&String::from_utf8_lossy(&error.as_bytes()[..at]), usize::MAX);
        Failure::usage(format!("{}:{line}:{column}: it is not UTF-8", path.display()))
    })
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    quorum: BTreeMap<Permission, People>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    runs: Runs,
    #[serde(default)]
    log: Log,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Log {
    marks: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    fix_for: Option<Span>,
    max_parallel: Option<MaxParallel>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Runs {
    second: Option<bool>,
    plan_errors: Option<bool>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "i64")]
struct People(u32);

impl TryFrom<i64> for People {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        let people = u32::try_from(number).ok().filter(|people| (1..=MOST_PEOPLE).contains(people));
        people
            .map(Self)
            .ok_or_else(|| format!("a quorum is from 1 to {MOST_PEOPLE} people, not {number}"))
    }
}

fn parse(path: &Path, text: &str) -> Result<Written, Failure> {
    let written: Written = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let (line, column) = place(text, at);
        let message = error.message().trim().replace('\n', "; ");
        Failure::usage(format!("{}:{line}:{column}: {message}", path.display()))
            .hint("docs/policy.md lists every setting")
    })?;
    if written.log.marks.as_ref().is_some_and(|place| place.is_relative()) {
        let message = format!("{}: `marks` in [log] has to begin with `/`", path.display());
        return Err(Failure::usage(message));
    }
    Ok(written)
}

fn policy_of(written: Written) -> Policy {
    Policy {
        quorum: written.quorum.into_iter().map(|(act, people)| (act, people.0)).collect(),
        fix_at_most: written.limits.fix_for,
        max_parallel: written.limits.max_parallel.map(|most| most.0),
        second_run: written.runs.second.unwrap_or(true),
        plan_errors: written.runs.plan_errors.unwrap_or(true),
    }
}

/// Line and column, from 1, of a byte; columns are characters.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn me() -> u32 {
        rustix::process::getuid().as_raw()
    }

    /// A folder with the file of a system's policy, which belongs to whoever runs this.
    fn system(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("backout.toml");
        std::fs::write(&path, text).expect("written");
        mode(&path, 0o644);
        (folder, path)
    }

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("changed");
    }

    #[track_caller]
    fn refused(policy: Result<Policy, Failure>, why: &str) {
        let failure = policy.expect_err("it is refused");
        assert!(failure.message().contains(why), "`{why}` is not in: {}", failure.message());
    }

    fn parse(text: &str) -> Result<Policy, Failure> {
        super::parse(Path::new("p.toml"), text).map(policy_of)
    }

    #[test]
    fn every_setting_is_read() {
        let text = "# ours\n[quorum]\nskip = 2\nabandon = 3\n[limits]\nfix_for = \"30m\"\n[runs]\nsecond = false\nplan_errors = false\n";
        let quorum = BTreeMap::from([(Permission::Skip, 2), (Permission::Abandon, 3)]);
        let fix_at_most = Some(Span::minutes(30));
        let expected = Policy {
            quorum,
            fix_at_most,
            max_parallel: None,
            second_run: false,
            plan_errors: false,
        };
        assert_eq!(parse(text).expect("a policy"), expected);
        let (_folder, path) = system(text);
        assert_eq!(read_system_policy(&path, me()).expect("a policy"), expected);
        assert_eq!(read_user_policy(&path).expect("a policy"), expected);
    }

    #[test]
    fn what_is_left_out_demands_nothing() {
        for text in ["", "# nothing\n", "[quorum]\n[limits]\n[runs]\n", "[runs]\nsecond = true"] {
            assert_eq!(parse(text).expect("a policy"), Policy::default(), "{text}");
        }
    }

    #[test]
    fn mistakes_are_refused_at_their_place() {
        for (text, place) in [
            ("[quorun]\nskip = 2\n", "p.toml:1:2: unknown field `quorun`"),
            ("[quorum]\nskip = 2\nskipp = 2\n", "p.toml:3:1: unknown variant `skipp`"),
            ("[limits]\nfix = \"1m\"\n", "p.toml:2:1: unknown field `fix`"),
            ("[quorum]\nskip = 0\n", "p.toml:2:8: a quorum is from 1 to 10 people, not 0"),
            ("[quorum]\nskip = 11\n", "p.toml:2:8: a quorum is from 1 to 10 people, not 11"),
            ("[quorum]\nskip = -1\n", "p.toml:2:8: a quorum is from 1 to 10 people, not -1"),
            ("[quorum]\nskip = \"2\"\n", "p.toml:2:8: invalid type"),
            ("[limits]\n\nfix_for = 30\n", "p.toml:3:11: invalid type"),
            ("[limits]\nfix_for = \"soon\"\n", "p.toml:2:11: `soon` is not a duration"),
            ("[runs]\nsecond = \"no\"\n", "p.toml:2:10: invalid type"),
            ("[quorum]\nskip = 2\nskip = 1\n", "p.toml:3:1: duplicate key"),
            ("[quorum\nskip = 2\n", "p.toml:1:8:"),
            ("quorum = 2\n", "p.toml:1:10: invalid type"),
            ("# ä\n[limits]\n\"ü\" = 1\n", "p.toml:3:1: unknown field `ü`"),
        ] {
            refused(parse(text), place);
        }
    }

    #[test]
    fn the_user_can_only_demand_more() {
        let (folder, path) = system("[quorum]\nskip = 2\n[limits]\nfix_for = \"30m\"\n");
        let user = folder.path().join("user.toml");
        std::fs::write(
            &user,
            "[quorum]\nskip = 1\nadd = 3\n[limits]\nfix_for = \"2h\"\n[runs]\nsecond = true\n",
        )
        .expect("written");
        let both = read_both(&path, me(), Some(&user)).expect("a policy");
        let people = [Permission::Skip, Permission::Add].map(|act| both.people(act));
        assert_eq!((people, both.fix_at_most), ([2, 3], Some(Span::minutes(30))));
        let alone = read_both(&path, me(), None).expect("a policy");
        assert_eq!((alone.people(Permission::Add), alone.second_run), (1, true));
        std::fs::write(&user, "[quorum]\nskip = two\n").expect("written");
        refused(read_both(&path, me(), Some(&user)), "user.toml:2:8");
    }

    #[test]
    fn the_user_has_one_place() {
        let place = |xdg: Option<&str>, home: Option<&str>| {
            let variable = |name: &str| match name {
                "XDG_CONFIG_HOME" => xdg.map(OsString::from),
                _ => home.map(OsString::from),
            };
            user_path(&variable).map(|path| path.display().to_string())
        };
        let below_home = Some("/home/lena/.config/backout/backout.toml".to_owned());
        assert_eq!(place(Some("/c"), Some("/home/lena")), Some("/c/backout/backout.toml".into()));
        for xdg in [None, Some(""), Some("relative")] {
            assert_eq!(place(xdg, Some("/home/lena")), below_home);
        }
        assert_eq!(place(None, None), None);
    }

    #[test]
    fn the_place_for_marks_is_absolute() {
        let path = Path::new("p.toml");
        let place = |text| super::parse(path, text).map(|written| written.log.marks);
        assert_eq!(place("[log]\nmarks = \"/mnt/x\"\n").expect("a place"), Some("/mnt/x".into()));
        assert_eq!(place("[log]\n").expect("none"), None);
        assert!(place("[log]\nmarks = \"x\"\n").is_err());
    }

    /// For the next test: says which file a process with its environment would read.
    #[test]
    fn says_which_file_is_read() {
        println!("reads {}", system_path().display());
    }

    #[test]
    fn only_tests_can_name_another_file() {
        let this = std::env::current_exe().expect("a program");
        let said = std::process::Command::new(this)
            .args(["--exact", "policy::tests::says_which_file_is_read", "--nocapture"])
            .env("BACKOUT_TEST_SYSTEM_POLICY", "/elsewhere.toml")
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let read = if cfg!(feature = "fault-points") { "/elsewhere.toml" } else { SYSTEM };
        assert!(said.contains(&format!("reads {read}\n")), "{said}");
    }

    #[test]
    fn a_file_that_is_not_there_is_no_policy() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["backout.toml", "backout/backout.toml"] {
            let path = folder.path().join(name);
            assert_eq!(read_system_policy(&path, me()).expect("none"), Policy::default());
            assert_eq!(read_user_policy(&path).expect("none"), Policy::default());
        }
    }

    #[test]
    fn only_root_may_write_the_policy_of_the_system() {
        let (folder, path) = system("[quorum]\nskip = 2\n");
        refused(
            read_system_policy(&path, me() + 1),
            &format!("belongs to uid {}, not to root", me()),
        );
        for bad in [0o664, 0o646, 0o620, 0o602] {
            mode(&path, bad);
            refused(read_system_policy(&path, me()), "others than root can write it");
        }
        for good in [0o644, 0o600, 0o444] {
            mode(&path, good);
            assert_eq!(
                read_system_policy(&path, me()).expect("a policy").people(Permission::Skip),
                2
            );
        }
        // Who can write its folder can take it away or put another one there.
        mode(folder.path(), 0o777);
        refused(read_system_policy(&path, me()), "others than root can write it");
    }

    #[test]
    fn only_a_regular_file_is_a_policy() {
        let (folder, path) = system("[quorum]\nskip = 2\n");
        let link = folder.path().join("link.toml");
        symlink(&path, &link).expect("a link");
        refused(read_system_policy(&link, me()), "symbolic link");
        // The user's may be kept elsewhere.
        assert_eq!(read_user_policy(&link).expect("a policy").people(Permission::Skip), 2);
        let other = folder.path().join("other");
        symlink(folder.path(), &other).expect("a link");
        refused(read_system_policy(&other.join("backout.toml"), me()), "symbolic link");
        let pipe = folder.path().join("pipe.toml");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR, 0)
            .expect("a pipe");
        refused(read_system_policy(&pipe, me()), "not a regular file");
        refused(read_user_policy(&pipe), "not a regular file");
        refused(read_user_policy(folder.path()), "not a regular file");
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_no_policy() {
        let (_folder, path) = system("");
        std::fs::write(&path, b"[quorum]\n# \xff\n").expect("written");
        refused(read_system_policy(&path, me()), "backout.toml:2:3: it is not UTF-8");
        std::fs::write(&path, vec![b'#'; usize::try_from(LARGEST).expect("small") + 1])
            .expect("written");
        refused(read_user_policy(&path), "larger than 1048576 bytes");
        refused(read_user_policy(&path.join("below")), "cannot be used");
    }
}
