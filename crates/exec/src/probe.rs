//! Asking a step's verifications.
//!
//! An answer has three values. That a port is closed is an answer; that a
//! database cannot be reached is none, and must not look like "it did not
//! happen", because that would run a step again.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use backout_core::event::Verified;
use backout_core::plan::{
    Check, FileState, HttpProbe, Run, SqlProbe, Step, TreeState, Verification,
};
use backout_engine::hands::{Patience, Verdict, World};

use crate::command::{self, Prepared};
use crate::http;
use crate::secrets::Secrets;
use crate::sql::{Databases, SqlError};
use crate::terminal::{QUOTED, short};
use crate::{baseline, tree};

/// How long a verification may take to become true, if it does not say.
pub const WITHIN: Duration = Duration::from_secs(30);
/// How often to look, if it does not say.
pub const EVERY: Duration = Duration::from_secs(1);

/// What a check found.
pub struct Answer {
    /// What was found, for people.
    pub found: String,
    /// Whether it holds; nothing where that cannot be told.
    pub holds: Option<bool>,
    /// Whether the check itself is what is wrong: a secret that is not there, a condition
    /// that means nothing, a program that is missing. Else what it asks did not answer.
    pub is_broken: bool,
}

fn yes(found: impl Into<String>) -> Answer {
    Answer { found: found.into(), holds: Some(true), is_broken: false }
}

fn no(found: impl Into<String>) -> Answer {
    Answer { found: found.into(), holds: Some(false), is_broken: false }
}

fn cannot_tell(found: impl Into<String>) -> Answer {
    Answer { found: found.into(), holds: None, is_broken: true }
}

/// What was asked did not answer.
fn no_answer(found: impl Into<String>) -> Answer {
    Answer { found: found.into(), holds: None, is_broken: false }
}

/// Asks all verifications of a step that a machine can carry out, side by side,
/// until they hold or their time is up.
pub async fn ask(step: &Step, world: &Arc<World>, patience: Patience) -> Verdict {
    let checks: Vec<Verification> = step.machine_checks().map(|(_, v)| v.clone()).collect();
    let mut asked = Vec::new();
    for verification in checks {
        let world = Arc::clone(world);
        asked.push(tokio::spawn(
            async move { until_it_holds(&verification, &world, patience).await },
        ));
    }
    let mut verdict = Verdict::default();
    for answer in asked {
        verdict.verified.push(answer.await.unwrap_or_else(|error| Verified {
            check: "verification".to_owned(),
            found: format!("the check itself failed: {error}"),
            holds: None,
        }));
    }
    verdict
}

/// Asks one check once.
pub async fn look(check: &Check, world: &World) -> Answer {
    once(check, world).await
}

async fn until_it_holds(
    verification: &Verification,
    world: &World,
    patience: Patience,
) -> Verified {
    let within = match patience {
        Patience::Once => Duration::ZERO,
        Patience::UpTo(longest) => {
            verification.within.map_or(longest, backout_core::duration::Span::get)
        }
        Patience::AsWritten => {
            verification.within.map_or(WITHIN, backout_core::duration::Span::get)
        }
    };
    let every = verification.every.map_or(EVERY, backout_core::duration::Span::get);
    let until = Instant::now() + within;
    loop {
        let answer = once(&verification.check, world).await;
        // Waiting captures no baseline.
        let is_hopeless = matches!(
            &verification.check,
            Check::SameAsBaseline(name) if !world.facts.contains_key(name)
        );
        if is_hopeless || answer.holds == Some(true) || Instant::now() + every > until {
            return Verified {
                check: verification.check.shown(),
                found: answer.found,
                holds: answer.holds,
            };
        }
        tokio::time::sleep(every).await;
    }
}

async fn once(check: &Check, world: &World) -> Answer {
    match check {
        Check::Confirm(_) => cannot_tell("only a person can say"),
        Check::Run(run) => by_command(run, world).await,
        Check::Http(probe) => by_http(probe, world).await,
        Check::Sql(probe) => by_sql(probe, world).await,
        Check::Tcp(port) => by_tcp(&port.address, port.open).await,
        Check::File(file) => {
            let (file, folder) = (file.clone(), world.folder.clone());
            let read = tokio::task::spawn_blocking(move || by_file(&file, &folder));
            match tokio::time::timeout(Duration::from_secs(60), read).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => cannot_tell(error.to_string()),
                Err(_) => no_answer("it could not be read within 60 s"),
            }
        }
        Check::Tree(tree) => by_tree(tree.clone(), world).await,
        Check::SameAsBaseline(name) => by_baseline(name, world).await,
    }
}

async fn by_command(run: &Run, world: &World) -> Answer {
    let timeout = run.timeout.map_or(Duration::from_secs(10), backout_core::duration::Span::get);
    let prepared = Prepared {
        run,
        folder: &world.folder,
        environment: world.environment.as_ref(),
        variables: &[],
        timeout,
        alone: false,
    };
    let (_keep, never) = tokio::sync::watch::channel(false);
    match command::run(&prepared, &mut Secrets::default(), (None, None), never).await {
        Err(error) => cannot_tell(error.to_string()),
        Ok(ended) => match ended.code {
            Some(code) if run.accepts(code) => yes(format!("exit {code}")),
            // By convention of shells: cannot be executed, not found.
            Some(code @ (126 | 127)) => {
                cannot_tell(format!("exit {code} {}", ended.stderr.last).trim_end().to_owned())
            }
            Some(code) => no(format!("exit {code} {}", ended.stderr.last).trim_end().to_owned()),
            None if ended.stopped.is_some() => no_answer(format!("no answer within {timeout:?}")),
            None => no_answer("it was killed"),
        },
    }
}

async fn by_http(probe: &HttpProbe, world: &World) -> Answer {
    let (probe, sources, folder) = (probe.clone(), world.sources.clone(), world.folder.clone());
    let expect = probe.expect.clone();
    let assert = probe.assert.clone();
    let asked = tokio::task::spawn_blocking(move || {
        let request = http::Request {
            url: &probe.url,
            source: probe.source.as_ref(),
            method: probe.method,
            headers: probe.headers.iter().map(|(name, value)| (name.as_str(), value)).collect(),
            key: None,
            body: None,
            timeout: probe
                .timeout
                .map_or(Duration::from_secs(10), backout_core::duration::Span::get),
        };
        http::send(&request, &sources, &folder, &mut Secrets::default())
    });
    match asked.await {
        Err(error) => cannot_tell(error.to_string()),
        Ok(Err(http::NoAnswer::Wrong(why))) => cannot_tell(why),
        Ok(Err(error)) => no_answer(error.to_string()),
        // A proxy or a server that fails says nothing about what was asked.
        Ok(Ok(answer)) if !http::expected(answer.status, &expect) && answer.status >= 500 => {
            no_answer(format!("it answered {}", answer.status))
        }
        Ok(Ok(answer)) if !http::expected(answer.status, &expect) => {
            no(format!("it answered {}", answer.status))
        }
        Ok(Ok(answer)) => match assert {
            None => yes(format!("it answered {}", answer.status)),
            Some(condition) => match http::holds(&condition, &answer) {
                Ok(true) => yes(format!("it answered {}, and the condition holds", answer.status)),
                Ok(false) => {
                    no(format!("it answered {}, but the condition does not hold", answer.status))
                }
                Err(why) => cannot_tell(format!("it answered {}, but {why}", answer.status)),
            },
        },
    }
}

async fn by_sql(probe: &SqlProbe, world: &World) -> Answer {
    let databases = Databases { sources: &world.sources, folder: &world.folder };
    let mut secrets = Secrets::default();
    let timeout = Duration::from_secs(30);
    if let Err(why) = databases.is_addressed(&probe.source, &mut secrets) {
        return cannot_tell(why);
    }
    match databases.query(&probe.source, &probe.query, timeout, &mut secrets).await {
        Err(SqlError::Refused(why)) => cannot_tell(why),
        Err(error @ SqlError::TimedOut(_)) => no_answer(error.to_string()),
        Err(SqlError::NotDone(why) | SqlError::Unknown(why)) => no_answer(why),
        Ok(rows) => match rows.first().and_then(|row| row.first()) {
            None => no("it returned nothing"),
            Some(None) => no("it is NULL"),
            Some(Some(value)) if *value == probe.equals.0 => {
                yes(format!("it is {}", short(value, QUOTED)))
            }
            Some(Some(value)) => no(format!("it is {}", short(value, QUOTED))),
        },
    }
}

async fn by_tcp(address: &str, open: bool) -> Answer {
    let connect = tokio::net::TcpStream::connect(address);
    match tokio::time::timeout(Duration::from_secs(5), connect).await {
        Ok(Ok(_)) if open => yes("open"),
        Ok(Ok(_)) => no("open"),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            if open {
                no("closed")
            } else {
                yes("closed")
            }
        }
        Ok(Err(error)) => no_answer(error.to_string()),
        // A firewall that drops packets looks like this too.
        Err(_) => no_answer("no answer within 5 s"),
    }
}

fn by_file(file: &FileState, folder: &str) -> Answer {
    let path = Path::new(folder).join(&file.path);
    match std::fs::symlink_metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return if file.exists { no("it does not exist") } else { yes("it does not exist") };
        }
        Err(error) => return cannot_tell(error.to_string()),
        Ok(_) if !file.exists => return no("it exists"),
        Ok(_) => {}
    }
    // Reading a pipe or a device may never end.
    let looks_inside = file.digest.is_some() || file.contains.is_some();
    if looks_inside && !std::fs::metadata(&path).is_ok_and(|about| about.is_file()) {
        return cannot_tell("it is not a file that can be read");
    }
    if let Some(wanted) = file.digest {
        match tree::file_digest(&path) {
            Err(error) => return cannot_tell(error.to_string()),
            Ok(found) if found != wanted => return no(format!("its digest is {}", found.short())),
            Ok(_) => {}
        }
    }
    if let Some(wanted) = &file.contains {
        match std::fs::read(&path) {
            Err(error) => return cannot_tell(error.to_string()),
            Ok(bytes) if !String::from_utf8_lossy(&bytes).contains(wanted.as_str()) => {
                return no("it does not contain what it should");
            }
            Ok(_) => {}
        }
    }
    yes("as it should be")
}

async fn by_tree(state: TreeState, world: &World) -> Answer {
    let folder = world.folder.clone();
    let read = move || {
        let folder = Path::new(&folder);
        let found = match tree::totals(&folder.join(&state.path)) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return no("it does not exist");
            }
            Err(error) => return cannot_tell(error.to_string()),
        };
        let shown = format!("{} files, {}", found.files, tree::size(found.bytes));
        if state.digest.is_some_and(|wanted| wanted != found.digest) {
            return no(format!("{shown}, digest {}", found.digest.short()));
        }
        if let Some(other) = &state.same_as {
            match tree::totals(&folder.join(other)) {
                Err(error) => return cannot_tell(format!("{other}: {error}")),
                Ok(other) if other.digest != found.digest => {
                    return no(format!(
                        "{shown}, against {} files, {}",
                        other.files,
                        tree::size(other.bytes)
                    ));
                }
                Ok(_) => {}
            }
        }
        yes(shown)
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(answer) => answer,
        Err(error) => cannot_tell(error.to_string()),
    }
}

async fn by_baseline(name: &backout_core::ids::BaselineId, world: &World) -> Answer {
    let (Some(how), Some(before)) = (world.baselines.get(name), world.facts.get(name)) else {
        return cannot_tell("nothing to compare with: it was never captured");
    };
    let (mut secrets, unseen) = (Secrets::default(), Arc::default());
    match baseline::capture(how, world, &mut secrets, Timestamp::UNIX_EPOCH, &unseen).await {
        Err(why) => cannot_tell(why),
        Ok(now) if now.digest == before.digest => yes(format!("{}, as before", now.shown)),
        Ok(now) if now.shown == before.shown => {
            no(format!("{}, but its content differs", now.shown))
        }
        Ok(now) => no(format!("{}, before {}", now.shown, before.shown)),
    }
}
