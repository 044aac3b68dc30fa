//! A real PostgreSQL of a test's own, on a socket and a loopback port.

use std::path::{Path, PathBuf};
use std::process::Command;

use backout_core::plan::Text;

/// The password of its user.
pub const PASSWORD: &str = "s3cret-of-the-test";

/// A server; stopped and gone when it is dropped.
pub struct Postgres {
    folder: tempfile::TempDir,
    bin: PathBuf,
    /// Where it listens on loopback.
    pub port: u16,
}

/// Runs a program of PostgreSQL, which refuses to be root.
fn postgres(bin: &Path, program: &str, arguments: &[&str]) -> bool {
    let root = rustix::process::getuid().is_root();
    let mut command = if root { Command::new("setpriv") } else { Command::new(bin.join(program)) };
    if root {
        command
            .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
            .arg(bin.join(program));
    }
    command.args(arguments).current_dir("/").stdout(std::process::Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

impl Postgres {
    /// Starts one. Nothing where `BACKOUT_TEST_POSTGRES` does not name the folder of its
    /// programs; that is said.
    ///
    /// # Panics
    /// If it is there and does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        let Some(bin) = std::env::var_os("BACKOUT_TEST_POSTGRES").filter(|bin| !bin.is_empty())
        else {
            println!(
                "NOT RUN: tests against PostgreSQL need BACKOUT_TEST_POSTGRES, the folder of its programs"
            );
            return None;
        };
        let bin = PathBuf::from(bin);
        let folder = tempfile::tempdir().expect("a folder");
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .expect("a port")
            .local_addr()
            .expect("it")
            .port();
        let data = folder.path().join("data");
        std::fs::write(folder.path().join("password"), PASSWORD).expect("written");
        if rustix::process::getuid().is_root() {
            Command::new("chown")
                .args(["-R", "postgres"])
                .arg(folder.path())
                .status()
                .expect("chown");
        }
        let (data, password) =
            (data.to_string_lossy().into_owned(), folder.path().join("password"));
        let pwfile = format!("--pwfile={}", password.display());
        let initialised = postgres(
            &bin,
            "initdb",
            &["-D", &data, "-U", "postgres", "-A", "scram-sha-256", &pwfile, "-N"],
        );
        let options = format!("-p {port} -h 127.0.0.1 -k {}", folder.path().display());
        let log = folder.path().join("log").to_string_lossy().into_owned();
        let started = initialised
            && postgres(&bin, "pg_ctl", &["-D", &data, "-o", &options, "-l", &log, "-w", "start"]);
        assert!(started, "PostgreSQL is there but does not start");
        Some(Self { folder, bin, port })
    }

    /// A folder of its own.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A source of a plan that names it, by a file with its address and this password.
    ///
    /// # Panics
    /// If the file cannot be written.
    #[must_use]
    pub fn source(&self, password: &str) -> Text {
        let url = format!("postgres://postgres:{password}@127.0.0.1:{}/postgres", self.port);
        std::fs::write(self.folder.path().join("url"), url).expect("written");
        Text::from(format!("file:{}", self.folder.path().join("url").display()))
    }

    /// Stops it, as a machine does that loses its power.
    pub fn stop(&self) {
        let data = self.folder.path().join("data").to_string_lossy().into_owned();
        postgres(&self.bin, "pg_ctl", &["-D", &data, "-m", "immediate", "stop"]);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}
