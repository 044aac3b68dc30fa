//! Facts about the system, captured so that two captures can be compared.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use backout_core::event::Fact;
use backout_core::ids::Digest;
use backout_core::plan::{Baseline, Method};
use backout_engine::hands::World;

use crate::command::{self, Prepared};
use crate::http;
use crate::secrets::Secrets;
use crate::sql::Databases;
use crate::tree::{self, Progress};

/// How long one fact may take.
pub const TIMEOUT: Duration = Duration::from_secs(300);

/// Captures one fact. `progress` tells how much of a file or folder is read.
///
/// # Errors
/// Why it cannot be captured, without any secret in it.
pub async fn capture(
    baseline: &Baseline,
    world: &World,
    secrets: &mut Secrets,
    now: Timestamp,
    progress: &Arc<Progress>,
) -> Result<Fact, String> {
    let folder = Path::new(&world.folder);
    let (digest, shown) = match baseline {
        Baseline::Sql(sql) => {
            let databases = Databases { sources: &world.sources, folder: &world.folder };
            let rows = databases.query(&sql.source, &sql.query, TIMEOUT, secrets).await;
            let rows = rows.map_err(|error| error.to_string())?;
            let text = serde_json::to_vec(&rows).map_err(|error| error.to_string())?;
            let shown = match rows.as_slice() {
                [row] => {
                    let cell =
                        |cell: &Option<String>| cell.clone().unwrap_or_else(|| "NULL".to_owned());
                    row.iter().map(cell).collect::<Vec<_>>().join(", ")
                }
                rows => format!("{} rows", rows.len()),
            };
            (Digest::of(&text), short(&shown))
        }
        Baseline::Tree(path) => {
            let path = folder.join(path);
            let found = on_disk(&path, tree::totals_with, progress).await?;
            (found.digest, format!("{} files, {}", found.files, tree::size(found.bytes)))
        }
        Baseline::File(path) => {
            let path = folder.join(path);
            let digest = on_disk(&path, tree::file_digest_with, progress).await?;
            let size = std::fs::metadata(&path).map_or(0, |about| about.len());
            (digest, tree::size(size))
        }
        Baseline::Http(query) => {
            let (query, sources, folder) =
                (query.clone(), world.sources.clone(), world.folder.clone());
            let mut known = secrets.clone();
            let asked = tokio::task::spawn_blocking(move || {
                let request = http::Request {
                    url: &query.url,
                    source: query.source.as_ref(),
                    method: Method::Get,
                    headers: Vec::new(),
                    key: None,
                    body: None,
                    timeout: Duration::from_secs(30),
                };
                http::send(&request, &sources, &folder, &mut known)
            });
            let answer = asked.await.map_err(|error| error.to_string())?;
            let answer = answer.map_err(|error| error.to_string())?;
            let digest = Digest::of(format!("{}\n{}", answer.status, answer.text).as_bytes());
            (digest, format!("{}, {}", answer.status, tree::size(answer.text.len() as u64)))
        }
        Baseline::Run(run) => {
            let timeout = run.timeout.map_or(TIMEOUT, backout_core::duration::Span::get);
            let prepared = Prepared {
                run,
                folder: &world.folder,
                environment: world.environment.as_ref(),
                variables: &[],
                timeout,
                alone: false,
            };
            let (_keep, never) = tokio::sync::watch::channel(false);
            let ended = command::run(&prepared, secrets, (None, None), never).await;
            let ended = ended.map_err(|error| error.to_string())?;
            if !ended.code.is_some_and(|code| run.accepts(code)) {
                return Err(format!(
                    "`{}` did not end well: {}",
                    run.command_line(),
                    ended.stderr.last
                ));
            }
            (ended.stdout.digest, short(&ended.stdout.last))
        }
    };
    Ok(Fact { captured: now, digest, shown })
}

/// Reading a folder may take long; it must not hold up anything else.
async fn on_disk<T: Send + 'static>(
    path: &Path,
    read: fn(&Path, &Progress) -> std::io::Result<T>,
    progress: &Arc<Progress>,
) -> Result<T, String> {
    let (owned, progress) = (path.to_owned(), Arc::clone(progress));
    let read = tokio::task::spawn_blocking(move || read(&owned, &progress)).await;
    let read = read.map_err(|error| error.to_string())?;
    read.map_err(|error| format!("{}: {error}", path.display()))
}

fn short(text: &str) -> String {
    crate::terminal::short(text, 60)
}
