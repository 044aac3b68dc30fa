//! The calls of this crate that the compiler cannot check: `fork`, and what runs between `fork`
//! and `exec`. Nothing else in this crate is `unsafe`.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Which side of a fork this is.
pub(crate) enum Side {
    /// The new process.
    Child,
    /// The process that forked.
    Parent,
}

/// Makes a copy of this process.
///
/// # Errors
/// When this process has more than one thread, or the system has no room for another process
/// (`EAGAIN`, `ENOMEM`).
pub(crate) fn fork() -> io::Result<Side> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!("a process with {threads} threads is not forked")));
    }
    // SAFETY: a fork is unsound where another thread may hold a lock or have left data half
    // written: the child has the lock and not the thread. There is no other thread: only this one
    // could start one, and it is here. The child is then an ordinary process.
    #[expect(unsafe_code, reason = "the only thread of the process forks")]
    let forked = unsafe { nix::unistd::fork() }?;
    Ok(match forked {
        nix::unistd::ForkResult::Child => Side::Child,
        nix::unistd::ForkResult::Parent { .. } => Side::Parent,
    })
}

/// Gives the process of a command this limit of open files.
pub(crate) fn limit_descriptors(command: &mut std::process::Command, limit: Rlimit) {
    use std::os::unix::process::CommandExt;
    let set = move || Ok(setrlimit(Resource::Nofile, limit)?);
    // SAFETY: between `fork` and `exec` only what is safe in a signal handler may be called.
    // This is one system call on data that was copied into the closure; it allocates nothing.
    #[expect(unsafe_code, reason = "a system call and nothing else runs before `exec`")]
    unsafe {
        command.pre_exec(set);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_threads_is_not_forked() {
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || wait.recv().is_ok());
        let why = fork().err().expect("refused").to_string();
        assert!(why.contains("threads is not forked"), "{why}");
        drop(done);
        other.join().expect("it ended");
    }
}
