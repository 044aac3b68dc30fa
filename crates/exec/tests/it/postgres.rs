//! PostgreSQL, for real: a server of this test's own, on a socket and a loopback port.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use backout_core::ids::SourceId;
use backout_core::plan::{Source, Text};
use backout_exec::secrets::Secrets;
use backout_exec::sql::{Databases, SqlError};

const PASSWORD: &str = "s3cret-of-the-test";

struct Server {
    folder: tempfile::TempDir,
    bin: PathBuf,
    port: u16,
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

impl Server {
    fn start() -> Option<Self> {
        let bin =
            PathBuf::from(std::env::var_os("BACKOUT_TEST_POSTGRES").filter(|bin| !bin.is_empty())?);
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

    fn sources(&self) -> BTreeMap<SourceId, Source> {
        let url = format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/postgres", self.port);
        std::fs::write(self.folder.path().join("url"), url).expect("written");
        let url = Text::from("file:url".to_owned());
        [(SourceId::new("db").expect("a name"), Source::Postgres(url))].into()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.folder.path().join("data").to_string_lossy().into_owned();
        postgres(&self.bin, "pg_ctl", &["-D", &data, "-m", "immediate", "stop"]);
    }
}

#[tokio::test]
async fn postgresql_does_what_the_plan_is_told_it_does() {
    let Some(server) = Server::start() else {
        eprintln!(
            "NOT RUN: tests against PostgreSQL need BACKOUT_TEST_POSTGRES, the folder of its programs"
        );
        return;
    };
    let sources = server.sources();
    let folder = server.folder.path().to_string_lossy().into_owned();
    let databases = Databases { sources: &sources, folder: &folder };
    let db = SourceId::new("db").expect("a name");
    let (second, mut secrets) = (Duration::from_secs(20), Secrets::default());

    let setup = "CREATE TABLE customers (id int PRIMARY KEY, name text); INSERT INTO customers SELECT i, NULL FROM generate_series(1, 5) i";
    databases.execute(&db, setup, second, &mut secrets).await.expect("committed");
    let count = databases
        .query(&db, "SELECT count(*), max(name) FROM customers", second, &mut secrets)
        .await;
    assert_eq!(count.expect("rows"), [vec![Some("5".to_owned()), None]]);

    // One transaction: what fails in the middle has not happened at all.
    let half = "DELETE FROM customers; SELECT 1/0";
    let failed = databases.execute(&db, half, second, &mut secrets).await;
    assert!(
        matches!(&failed, Err(SqlError::NotDone(why)) if why.contains("division by zero")),
        "{failed:?}"
    );
    let count = databases.query(&db, "SELECT count(*) FROM customers", second, &mut secrets).await;
    assert_eq!(count.expect("rows")[0][0].as_deref(), Some("5"));

    // A question cannot change anything.
    let sneaky =
        databases.query(&db, "DELETE FROM customers RETURNING id", second, &mut secrets).await;
    assert!(
        matches!(&sneaky, Err(SqlError::NotDone(why)) if why.contains("read-only")),
        "{sneaky:?}"
    );

    // Slow is unknown, not done and not "did not happen".
    let slow = databases
        .execute(&db, "SELECT pg_sleep(30)", Duration::from_millis(300), &mut secrets)
        .await;
    assert!(matches!(slow, Err(SqlError::TimedOut(_) | SqlError::NotDone(_))), "{slow:?}");

    // Wrong credentials name neither the password nor the address that holds it.
    let wrong = format!("postgres://postgres:wrong-{PASSWORD}@127.0.0.1:{}/postgres", server.port);
    std::fs::write(server.folder.path().join("url"), wrong).expect("written");
    let refused = databases.query(&db, "SELECT 1", second, &mut secrets).await;
    let said = refused.expect_err("refused").to_string();
    assert!(said.contains("password authentication failed") && !said.contains(PASSWORD), "{said}");
}
