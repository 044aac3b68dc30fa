//! The people who use the portal: real requests through the traffic switch, without end.
//!
//! What they meet is written down by the switch in a table of its own, as a real one keeps
//! an access log; the plan's triggers read it there.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::Any;
use crate::layout::Layout;

/// Between two requests.
const PAUSE: Duration = Duration::from_millis(2);
/// After nobody answered.
const REST: Duration = Duration::from_millis(100);

/// Everybody logs in; some look at an order, some at the first page.
pub(crate) fn come_and_go(layout: &Layout) -> Result<(), Any> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(5)))
        .http_status_as_error(false)
        .build()
        .into();
    let front = format!("http://127.0.0.1:{}", layout.ports()?.front);
    let mut chance = 1_u64;
    // Until the portal is taken away.
    while layout.ports_file().exists() {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let one = chance >> 33;
        let path = match one % 10 {
            0 => "/".to_owned(),
            1..=4 => format!("/order?id={}", 1 + one % 20_000),
            _ => format!("/login?customer={}", 1 + one % 5000),
        };
        let pause = match agent.get(format!("{front}{path}")).call() {
            Ok(mut answer) => {
                let _ = answer.body_mut().read_to_string();
                PAUSE
            }
            Err(_) => REST,
        };
        std::thread::sleep(pause);
    }
    Ok(())
}

/// What kind of request of a user this is, if it is one.
pub(crate) fn kind(url: &str) -> Option<&'static str> {
    match url.split('?').next()? {
        "/login" => Some("login"),
        "/order" => Some("order"),
        "/" => Some("page"),
        _ => None,
    }
}

/// The table of requests.
pub(crate) struct AccessLog(Connection);

impl AccessLog {
    /// The log in a file, made if it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, Any> {
        let database = Connection::open(path)?;
        database.busy_timeout(Duration::from_secs(2))?;
        // Whoever reads it stops nobody who writes.
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.pragma_update(None, "synchronous", "OFF")?;
        database.execute_batch(
            "CREATE TABLE IF NOT EXISTS requests (at REAL NOT NULL, kind TEXT NOT NULL, status INTEGER NOT NULL);
             CREATE INDEX IF NOT EXISTS requests_at ON requests (at);",
        )?;
        Ok(Self(database))
    }

    /// A request that was just answered.
    pub(crate) fn note(&self, kind: &str, status: u16) -> Result<(), Any> {
        self.0
            .prepare_cached("INSERT INTO requests VALUES (unixepoch('subsec'), ?1, ?2)")?
            .execute((kind, status))?;
        Ok(())
    }
}
