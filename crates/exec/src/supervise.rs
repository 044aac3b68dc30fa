//! The supervisor: one process for one attempt at one step.
//!
//! It accepts, acts, writes down how it ended, in this order, each durably. It
//! needs nobody while it works: its coordinator may die, its terminal may close.
//! Its time is its own too: the deadline holds although nobody watches.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use backout_core::event::{Attachment, DoubtCause, Evidence, FailureEffect};
use backout_core::plan::{Action, Http, Run, Sql};
use backout_engine::clock::Clock;
use backout_engine::fault::{self, Point};
use backout_engine::hands::Report;

use crate::clock::SystemClock;
use crate::command::{self, Prepared, StopReason};
use crate::files::{self, RestoreError};
use crate::http::{self, NoAnswer};
use crate::ledger::{Claim, Dispatch, Request};
use crate::process::Birth;
use crate::secrets::Secrets;
use crate::sql::{Databases, SqlError};
use crate::terminal::printable;
use crate::tree;

/// Carries out the attempt in a folder of the ledger. Closes `done` as soon as the end is written
/// down: the coordinator waits for that.
///
/// # Errors
/// When it cannot be accepted: another supervisor has it, or a coordinator gave
/// it up. Nothing has happened then.
pub async fn supervise(folder: &Path, done: &mut Option<OwnedFd>) -> io::Result<()> {
    detach();
    let dispatch = Dispatch::at(folder);
    let request = dispatch.request()?;
    let step = request.step.id.to_string();
    fault::point(Point::SupervisorStarted, &step);
    let lock = dispatch.lock_supervisor()?;
    // One that comes late must not empty what another one has printed: who claims has the lock.
    if dispatch.is_claimed()? {
        return Err(io::Error::other("this attempt was accepted or given up before"));
    }
    let processes = dispatch.lock_processes()?;
    let outputs = (dispatch.output("stdout")?, dispatch.output("stderr")?);
    let stop = listen()?;
    let pid = i32::try_from(std::process::id()).unwrap_or(0);
    let id = Some(Box::new(request.id.clone()));
    let at = Some(SystemClock.moment());
    let (birth, key) = (Birth::of_this_process(), Some(request.key.clone()));
    if !dispatch.claim(&Claim::Supervisor { pid, birth, id, key, at })? {
        return Err(io::Error::other("this attempt was given up before it began"));
    }
    fault::point(Point::Accepted, &step);
    let mut held_open = Vec::new();
    let report = carry_out(&request, outputs, stop, &mut held_open).await;
    fault::point(Point::EffectOver, &step);
    dispatch.note_end(&request.id, &report)?;
    fault::point(Point::ResultDurable, &step);
    drop((lock, processes));
    drop(done.take());
    // A server the step started still writes to us. Leaving would break its pipe.
    // Its orphans have nobody else to collect them.
    while held_open.iter().any(|pump| !pump.is_finished()) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
    }
    Ok(())
}

/// A session of its own, and a home for orphans.
fn detach() {
    // Fails only for a process that already leads its group, which is as good.
    let _ = rustix::process::setsid();
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Becomes true when somebody asks this process to stop its step.
fn listen() -> io::Result<watch::Receiver<bool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (tell, told) = watch::channel(false);
    let (mut term, mut hup) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = term.recv() => { let _ = tell.send(true); }
                // A closed terminal is no reason.
                _ = hup.recv() => {}
            }
        }
    });
    Ok(told)
}

async fn carry_out(
    request: &Request,
    outputs: (File, File),
    stop: watch::Receiver<bool>,
    held_open: &mut Vec<tokio::task::JoinHandle<crate::output::Summary>>,
) -> Report {
    if let Action::Run(run) = &request.step.action {
        // A command hears of the wish to stop itself, so that it is ended in order.
        return run_command(request, run, outputs, stop, held_open).await;
    }
    let mut secrets = Secrets::default();
    // Whoever wants it stopped is told the end only when it has really ended: a
    // request that was sent cannot be called back, a restore stops between two files.
    let stopped = Arc::new(AtomicBool::new(false));
    let (flag, mut wish) = (Arc::clone(&stopped), stop);
    let listener = tokio::spawn(async move {
        if wish.wait_for(|stop| *stop).await.is_ok() {
            flag.store(true, Ordering::Relaxed);
        }
    });
    let report = {
        match &request.step.action {
            Action::Http(http) => send(request, http, &mut secrets).await,
            Action::Sql(sql) => execute(request, sql, &mut secrets).await,
            Action::RestoreTree(restore) => {
                let (from, to) = (path(request, &restore.from), path(request, &restore.to));
                let (keep, step) = (restore.keep_extra, request.step.id.to_string());
                let stopped = Arc::clone(&stopped);
                blocking(move || {
                    let done = files::restore_tree(&from, &to, keep, &step, &stopped)?;
                    Ok(format!(
                        "{} written ({}), {} already right, {} removed",
                        done.written,
                        tree::size(done.bytes),
                        done.kept,
                        done.removed
                    ))
                })
                .await
            }
            Action::Copy(copy) => {
                let (from, to) = (path(request, &copy.from), path(request, &copy.to));
                blocking(move || {
                    let written = files::copy_file(&from, &to)?;
                    Ok(if written { "put in place" } else { "already right" }.to_owned())
                })
                .await
            }
            Action::Manual(_) | Action::External(_) | Action::Wait(_) | Action::Run(_) => {
                failed(FailureEffect::None, "this step needs no supervisor".to_owned())
            }
        }
    };
    listener.abort();
    report
}

fn path(request: &Request, path: &str) -> std::path::PathBuf {
    Path::new(&request.folder).join(path)
}

async fn run_command(
    request: &Request,
    run: &Run,
    outputs: (File, File),
    stop: watch::Receiver<bool>,
    held_open: &mut Vec<tokio::task::JoinHandle<crate::output::Summary>>,
) -> Report {
    let variables = [
        ("BACKOUT_RUN", request.id.run.to_string()),
        ("BACKOUT_STEP", request.step.id.to_string()),
        ("BACKOUT_ATTEMPT", request.id.attempt.to_string()),
        ("BACKOUT_KEY", request.key.clone()),
    ];
    let timeout = request.step.action.timeout().unwrap_or_default();
    let prepared = Prepared {
        run,
        folder: &request.folder,
        environment: request.environment.as_ref(),
        variables: &variables,
        timeout: timeout.get(),
        alone: true,
    };
    let mut secrets = Secrets::default();
    let ended =
        command::run(&prepared, &mut secrets, (Some(outputs.0), Some(outputs.1)), stop).await;
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) => return failed(FailureEffect::None, secrets.mask(&error.to_string())),
    };
    held_open.extend(ended.held_open);
    let said = [&ended.stderr, &ended.stdout].into_iter().find(|said| !said.last.is_empty());
    let said = said.map(|said| printable(&said.last)).unwrap_or_default();
    let summary = match (ended.code, ended.signal) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended in an unknown way".to_owned(),
    };
    let (cause, unended) = match ended.survivors.is_empty() {
        true => (DoubtCause::Deadline, ""),
        false => (DoubtCause::Unended, ", and what is left running could not be ended"),
    };
    let evidence = Evidence {
        summary: summary.clone(),
        code: ended.code.map(i64::from),
        output: Some(ended.stdout.digest),
        outputs: vec![kept("stdout", &ended.stdout), kept("stderr", &ended.stderr)],
        left_running: ended.survivors,
        ..Evidence::default()
    };
    match (ended.stopped, ended.code) {
        (Some(StopReason::Deadline), _) => Report::Doubt {
            cause,
            evidence: Evidence {
                summary: format!("stopped after {timeout}, its time was up{unended}; {said}"),
                ..evidence
            },
        },
        (Some(StopReason::Asked), _) => Report::Failed {
            effect: FailureEffect::Unknown,
            error: format!("it was stopped on request{unended}"),
            evidence,
        },
        (None, Some(code)) if run.accepts(code) => {
            Report::Done(Evidence { stderr: ended.stderr.ending, ..evidence })
        }
        (None, _) => Report::Failed {
            effect: FailureEffect::Unknown,
            error: if said.is_empty() { summary } else { format!("{summary}: {said}") },
            evidence,
        },
    }
}

/// The file an output is kept in, so that a change of it is noticed later.
fn kept(name: &str, summary: &crate::output::Summary) -> Attachment {
    Attachment { name: name.to_owned(), digest: summary.kept, bytes: summary.kept_bytes }
}

async fn send(request: &Request, action: &Http, secrets: &mut Secrets) -> Report {
    let (action, key) = (action.clone(), request.key.clone());
    let (sources, folder) = (request.sources.clone(), request.folder.clone());
    let mut known = secrets.clone();
    let (expect, assert) = (action.expect.clone(), action.assert.clone());
    let timeout = request.step.action.timeout().unwrap_or_default();
    let sent = tokio::task::spawn_blocking(move || {
        let request = http::Request {
            url: &action.url,
            source: action.source.as_ref(),
            method: action.method,
            headers: action.headers.iter().map(|(name, value)| (name.as_str(), value)).collect(),
            key: action.key_header.as_deref().map(|name| (name, key.as_str())),
            body: action.body.as_ref(),
            timeout: timeout.get(),
        };
        http::send(&request, &sources, &folder, &mut known)
    });
    let answer = match sent.await {
        Err(error) => return failed(FailureEffect::Unknown, error.to_string()),
        Ok(Err(NoAnswer::Wrong(why) | NoAnswer::NotSent(why) | NoAnswer::NobodyThere(why))) => {
            return failed(FailureEffect::None, why);
        }
        // The request may have arrived and been carried out.
        Ok(Err(NoAnswer::Unknown(why))) => {
            return Report::Doubt { cause: DoubtCause::NoAnswer, evidence: Evidence::saying(why) };
        }
        Ok(Ok(answer)) => answer,
    };
    let said = printable(answer.text.lines().next().unwrap_or_default());
    let said: String = said.chars().take(200).collect();
    let evidence = Evidence {
        summary: format!("it answered {}", answer.status),
        code: Some(i64::from(answer.status)),
        output: Some(backout_core::ids::Digest::of(answer.text.as_bytes())),
        ..Evidence::default()
    };
    let wrong = |error: String| Report::Failed {
        effect: FailureEffect::Unknown,
        error,
        evidence: evidence.clone(),
    };
    if !http::expected(answer.status, &expect) {
        return wrong(format!("it answered {}: {said}", answer.status));
    }
    match assert.map(|condition| http::holds(&condition, &answer)) {
        None | Some(Ok(true)) => Report::Done(evidence),
        Some(Ok(false)) => {
            wrong(format!("it answered {}, but the condition does not hold: {said}", answer.status))
        }
        Some(Err(why)) => wrong(format!("it answered {}, but {why}", answer.status)),
    }
}

async fn execute(request: &Request, action: &Sql, secrets: &mut Secrets) -> Report {
    let databases = Databases { sources: &request.sources, folder: &request.folder };
    let timeout: Duration = request.step.action.timeout().unwrap_or_default().get();
    match databases.execute(&action.source, &action.execute, timeout, secrets).await {
        Ok(()) => Report::Done(Evidence::saying("committed")),
        Err(SqlError::NotDone(why) | SqlError::Refused(why)) => failed(FailureEffect::None, why),
        Err(error @ (SqlError::Unknown(_) | SqlError::TimedOut(_))) => Report::Doubt {
            cause: DoubtCause::NoAnswer,
            evidence: Evidence::saying(error.to_string()),
        },
    }
}

async fn blocking(work: impl FnOnce() -> Result<String, RestoreError> + Send + 'static) -> Report {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(summary)) => Report::Done(Evidence::saying(summary)),
        Ok(Err(RestoreError::Refused(why))) => failed(FailureEffect::None, why),
        Ok(Err(error)) => failed(FailureEffect::Partial, error.to_string()),
        Err(error) => failed(FailureEffect::Unknown, error.to_string()),
    }
}

fn failed(effect: FailureEffect, error: String) -> Report {
    Report::Failed { effect, error, evidence: Evidence::default() }
}
