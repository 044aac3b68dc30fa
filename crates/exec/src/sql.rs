//! Databases: PostgreSQL and SQLite.
//!
//! A question is asked in a read-only transaction, so that a verification cannot
//! change what it looks at. A statement runs in one transaction: what fails
//! before its commit has not happened, and only a failing commit is unknown.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rusqlite::{InterruptHandle, OpenFlags};
use tokio_postgres::{Client, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use backout_core::ids::SourceId;
use backout_core::plan::Source;

use crate::secrets::Secrets;
use crate::terminal::{QUOTED, short};

/// Rows as text; `None` is NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// Most rows that are read.
const MOST_ROWS: usize = 100_000;

/// How much is shown of what a server says about a question: its own words, and a quotation.
const SAID: usize = 2 * QUOTED;

/// Why a database did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// Nothing has happened.
    #[error("{0}")]
    NotDone(String),
    /// The database is there and does not take the question. Nothing has happened.
    #[error("{0}")]
    Refused(String),
    /// It may have happened.
    #[error("{0}")]
    Unknown(String),
    /// Its time was up before the commit.
    #[error("no answer within {0:?}; the transaction was given up")]
    TimedOut(Duration),
}

/// Where the databases are.
pub struct Databases<'a> {
    /// The plan's sources.
    pub sources: &'a BTreeMap<SourceId, Source>,
    /// The folder relative paths start from.
    pub folder: &'a str,
}

impl Databases<'_> {
    /// Whether a database can be asked at all: it is in the plan, and its address is there.
    ///
    /// # Errors
    /// Why not, without any secret in it.
    pub fn is_addressed(&self, source: &SourceId, secrets: &mut Secrets) -> Result<(), String> {
        match self.sources.get(source) {
            Some(Source::Sqlite(_)) => Ok(()),
            Some(Source::Postgres(url)) => {
                let url = secrets.resolve(url, self.folder).map_err(|error| error.to_string())?;
                let parsed: Result<tokio_postgres::Config, _> = url.parse();
                parsed.map(|_| ()).map_err(|error| secrets.mask(&said(&error)))
            }
            _ => Err(format!("there is no database `{source}` in the plan")),
        }
    }

    /// Asks a question that only reads.
    ///
    /// # Errors
    /// [`SqlError`], without any secret in it.
    pub async fn query(
        &self,
        source: &SourceId,
        query: &str,
        timeout: Duration,
        secrets: &mut Secrets,
    ) -> Result<Rows, SqlError> {
        let work = async {
            match self.sources.get(source) {
                Some(Source::Sqlite(path)) => {
                    let (path, query) = (Path::new(self.folder).join(path), query.to_owned());
                    let given_up = GivenUp::default();
                    let asked = Arc::clone(&given_up.0);
                    blocking(move || query_sqlite(&path, &query, timeout, &asked)).await
                }
                Some(Source::Postgres(url)) => {
                    let url = secrets.resolve(url, self.folder).map_err(not_done)?;
                    let rows = query_postgres(&url, query, timeout).await;
                    rows.map_err(|error| masked(error, secrets))
                }
                _ => Err(SqlError::NotDone(format!("there is no database `{source}` in the plan"))),
            }
        };
        tokio::time::timeout(timeout, work).await.unwrap_or(Err(SqlError::TimedOut(timeout)))
    }

    /// Runs statements in one transaction.
    ///
    /// # Errors
    /// [`SqlError`], without any secret in it.
    pub async fn execute(
        &self,
        source: &SourceId,
        statements: &str,
        timeout: Duration,
        secrets: &mut Secrets,
    ) -> Result<(), SqlError> {
        match self.sources.get(source) {
            Some(Source::Sqlite(path)) => {
                let (path, statements) = (Path::new(self.folder).join(path), statements.to_owned());
                blocking(move || execute_sqlite(&path, &statements, timeout)).await
            }
            Some(Source::Postgres(url)) => {
                let url = secrets.resolve(url, self.folder).map_err(not_done)?;
                let done = execute_postgres(&url, statements, timeout).await;
                done.map_err(|error| masked(error, secrets))
            }
            _ => Err(SqlError::NotDone(format!("there is no database `{source}` in the plan"))),
        }
    }
}

fn not_done(error: impl std::fmt::Display) -> SqlError {
    SqlError::NotDone(error.to_string())
}

fn masked(error: SqlError, secrets: &Secrets) -> SqlError {
    match error {
        SqlError::NotDone(why) => SqlError::NotDone(secrets.mask(&why)),
        SqlError::Refused(why) => SqlError::Refused(secrets.mask(&why)),
        SqlError::Unknown(why) => SqlError::Unknown(secrets.mask(&why)),
        SqlError::TimedOut(after) => SqlError::TimedOut(after),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SqlError> + Send + 'static,
) -> Result<T, SqlError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(not_done(error)))
}

fn open_sqlite(
    path: &Path,
    flags: OpenFlags,
    wait: Duration,
) -> Result<rusqlite::Connection, SqlError> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags(path, flags)
        .map_err(|error| SqlError::NotDone(format!("{}: {error}", path.display())))?;
    connection.busy_timeout(wait).map_err(not_done)?;
    Ok(connection)
}

/// Ends the question it stands for once nobody waits for its answer any more: a thread
/// cannot be ended from outside.
#[derive(Default)]
struct GivenUp(Arc<OnceLock<InterruptHandle>>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        if let Some(asked) = self.0.get() {
            asked.interrupt();
        }
    }
}

fn query_sqlite(
    path: &Path,
    query: &str,
    wait: Duration,
    asked: &OnceLock<InterruptHandle>,
) -> Result<Rows, SqlError> {
    let connection = open_sqlite(path, OpenFlags::SQLITE_OPEN_READ_ONLY, wait)?;
    let _ = asked.set(connection.get_interrupt_handle());
    let mut statement = connection.prepare(query).map_err(sqlite_says)?;
    let columns = statement.column_count();
    let rows = statement
        .query_map([], |row| {
            (0..columns)
                .map(|column| {
                    Ok(match row.get_ref(column)? {
                        rusqlite::types::ValueRef::Null => None,
                        rusqlite::types::ValueRef::Integer(number) => Some(number.to_string()),
                        rusqlite::types::ValueRef::Real(number) => Some(number.to_string()),
                        rusqlite::types::ValueRef::Text(text) => {
                            Some(String::from_utf8_lossy(text).into_owned())
                        }
                        rusqlite::types::ValueRef::Blob(bytes) => {
                            Some(backout_core::ids::Digest::of(bytes).to_string())
                        }
                    })
                })
                .collect()
        })
        .map_err(sqlite_says)?;
    rows.take(MOST_ROWS).collect::<Result<Rows, _>>().map_err(sqlite_says)
}

/// A question that is wrong, or a database that cannot be read: a file that is none, a
/// lock, a disk.
fn sqlite_says(error: rusqlite::Error) -> SqlError {
    match &error {
        rusqlite::Error::SqliteFailure(known, _) if known.code != rusqlite::ErrorCode::Unknown => {
            not_done(error)
        }
        rusqlite::Error::SqlInputError { error: known, .. }
            if known.code != rusqlite::ErrorCode::Unknown =>
        {
            not_done(error)
        }
        _ => SqlError::Refused(error.to_string()),
    }
}

fn execute_sqlite(path: &Path, statements: &str, wait: Duration) -> Result<(), SqlError> {
    let mut connection = open_sqlite(path, OpenFlags::SQLITE_OPEN_READ_WRITE, wait)?;
    let behaviour = rusqlite::TransactionBehavior::Immediate;
    let transaction = connection.transaction_with_behavior(behaviour).map_err(not_done)?;
    transaction.execute_batch(statements).map_err(not_done)?;
    transaction.commit().map_err(|error| SqlError::Unknown(error.to_string()))
}

/// PostgreSQL's own words, which its client keeps in the source of its error.
fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{}: {}", db.severity(), db.message()),
        None => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(error);
            while let Some(cause) = source {
                text.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            text
        }
    }
}

fn tls() -> Result<MakeRustlsConnect, SqlError> {
    static CONFIG: OnceLock<Result<Arc<rustls::ClientConfig>, String>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    });
    match config {
        Ok(config) => Ok(MakeRustlsConnect::new(config.as_ref().clone())),
        Err(error) => Err(SqlError::NotDone(error.clone())),
    }
}

async fn connect(url: &str) -> Result<Client, SqlError> {
    let mut config: tokio_postgres::Config = url.parse().map_err(|error| {
        SqlError::NotDone(format!("the connection string cannot be read: {}", said(&error)))
    })?;
    config.application_name("backout");
    let (client, connection) =
        config.connect(tls()?).await.map_err(|error| SqlError::NotDone(said(&error)))?;
    tokio::spawn(connection);
    Ok(client)
}

async fn query_postgres(url: &str, query: &str, timeout: Duration) -> Result<Rows, SqlError> {
    let begun = Instant::now();
    let client = connect(url).await?;
    // The server gives up when nobody waits any more: one that waits for a lock does not see
    // that its client has gone, and each look would leave it one more of them.
    let left = timeout.saturating_sub(begun.elapsed()).as_millis().max(1);
    let begin = format!("START TRANSACTION READ ONLY; SET LOCAL statement_timeout = {left}");
    client.batch_execute(&begin).await.map_err(|e| not_done(said(&e)))?;
    let messages = client.simple_query(query).await.map_err(|e| postgres_says(&e))?;
    let mut rows = Rows::new();
    for message in messages {
        if let SimpleQueryMessage::Row(row) = message {
            rows.push((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect());
            if rows.len() >= MOST_ROWS {
                break;
            }
        }
    }
    Ok(rows)
}

/// A question that is wrong, or a server in trouble: without room (class 53), told to stop
/// (57), broken itself (58, XX).
fn postgres_says(error: &tokio_postgres::Error) -> SqlError {
    let trouble = |code: &str| ["53", "57", "58", "XX"].iter().any(|class| code.starts_with(class));
    match error.as_db_error() {
        // Some of what it says repeats what is in its tables.
        Some(db) if !trouble(db.code().code()) => SqlError::Refused(short(&said(error), SAID)),
        _ => SqlError::NotDone(short(&said(error), SAID)),
    }
}

async fn execute_postgres(url: &str, statements: &str, timeout: Duration) -> Result<(), SqlError> {
    let work = async {
        let mut client = connect(url).await?;
        let failed = |error: tokio_postgres::Error| SqlError::NotDone(said(&error));
        // The server gives up by itself too, should we die while it works.
        let millis = timeout.as_millis();
        client.batch_execute(&format!("SET statement_timeout = {millis}")).await.map_err(failed)?;
        let transaction = client.transaction().await.map_err(failed)?;
        transaction.batch_execute(statements).await.map_err(failed)?;
        transaction.commit().await.map_err(|error| SqlError::Unknown(said(&error)))
    };
    tokio::time::timeout(timeout, work).await.unwrap_or(Err(SqlError::TimedOut(timeout)))
}
