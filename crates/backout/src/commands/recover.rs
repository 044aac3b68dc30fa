//! `recover`: a log that has lost its end, rebuilt from what the ledger proves.
//!
//! The damaged journal is copied first. Records are only taken away where they do not follow
//! from the ones before them; then, and where the journal cannot be read at all, a new one is
//! made of everything that can be.

use std::collections::BTreeMap;

use backout_core::command::{Command, Request};
use backout_core::handle::{Facts, handle};
use backout_core::ids::{Digest, RunId, Seq};
use backout_core::mark::{Mark, MarkPlace, is_behind_elsewhere};
use backout_core::rebuild::ProvenAttempt;
use backout_core::record::Chain;
use backout_core::refusal::Refusal;
use backout_core::state::RunState;
use backout_engine::Journal;
use backout_sqlite::{SqliteJournal, salvage};

use super::Done;
use super::plans::count;
use super::submit::send;
use crate::app::{App, sender};
use crate::cli::RecoverArgs;
use crate::failure::{Exit, Failure, as_given};
use crate::run_ref;
use crate::suspect;
use crate::view::refusals;

/// What is left of a run's log.
struct Left {
    /// Its records, as far as each follows from the one before it.
    records: Vec<Vec<u8>>,
    state: RunState,
    chain: Chain,
    /// Every record of every run that can be read, where the journal has to be made anew.
    journal: Option<BTreeMap<RunId, Vec<Vec<u8>>>>,
}

pub(super) async fn recover(app: &App, args: &RecoverArgs) -> Done {
    let RecoverArgs { run: args, yes } = args;
    let run = run_ref::find_known(app, &args.run).await?;
    // A coordinator goes on with what it remembers, and writes over what is rebuilt.
    let lease = app.lease(&run).map_err(|failure| match app.coordinator(&run) {
        Some(holder) => Failure::refused(format!(
            "{} is at work on {run}, and goes on with what it remembers",
            holder.id
        ))
        .hint("end it first: Ctrl-C there twice, or `kill` its process; the steps under way go on")
        .hint("then give the same command again"),
        None => failure,
    })?;
    let places = app.places(&run).await;
    let entries = app.ledger().entries(&run)?;
    // Read after both: a record is in the log before anything is noted about it.
    let left = left_of(app, &run, &places).await?;
    let found: Vec<ProvenAttempt> = entries.iter().map(|entry| entry.proven.clone()).collect();
    let known = suspect::compared(&places, &left.state, left.chain.digests(), &entries);
    let behind = is_behind_elsewhere(&places, left.chain.digests());
    let command = Command::Recover {
        found,
        known: known.mark.map(|mark| mark.seq),
        contradicted: known.is_suspect() || left.journal.is_some(),
        ledger_behind: behind,
    };
    let request = Request { confirmed: *yes, ..Request::new(command, &args.reason) };
    let is_over = left.state.finished().is_some();
    if is_over && known.is_suspect() {
        return Err(refusals::of_run(&Refusal::Finished, &left.state));
    }
    // Before anything is touched: whether this person may, and whether there is anything to do.
    let (actor, account) = sender(&left.state.planned().plan, args.who.who.as_deref())?;
    let policy = app.policy_tonight().tightened_by(&left.state.planned().policy);
    let location = app.location();
    let facts = Facts {
        now: app.now(),
        forecast: None,
        policy: &policy,
        accounts: &account,
        location: Some(&location),
    };
    handle(&left.state, &actor, &request, &facts)
        .map_err(|refusal| refusals::before_it_is_logged(&refusal, &left.state))?;
    if is_over {
        return make_anew(app, &run, &left).await;
    }
    if left.journal.is_some() {
        nobody_else_writes(app, &run).await?;
    }
    let aside = salvage::keep_aside(app.state_folder())?;
    if let Some(journal) = &left.journal {
        salvage::replace(app.state_folder(), journal)?;
    }
    let after = Seq(left.records.len() as u64);
    let mut log = app.read(&run).await?;
    let done = send(app, &mut log, args.who.who.as_deref(), &request).await?;
    if done != Exit::Done {
        return Ok(done);
    }
    let first = left.records.first().map(Vec::as_slice);
    let withdrawn = app.mark_folders().withdraw(&run, first, log.digests());
    drop(lease);
    anstream::println!("The log of {run} is rebuilt, and the run is held.");
    anstream::println!("  kept: {} of the old log", count(left.records.len(), "record"));
    if let Some(lost) = known.mark.filter(|mark| mark.seq > after) {
        anstream::println!(
            "  records {} to {} are lost: what people said in them has to be said again",
            after.next(),
            lost.seq
        );
    }
    if behind {
        anstream::println!(
            "  the ledger of this machine is older than what is noted elsewhere: steps that may have been carried out since are in doubt"
        );
    }
    for line in suspect::attempts(&left.state, &entries) {
        anstream::println!("  {line}");
    }
    if let Some(aside) = aside {
        anstream::println!("  the journal as it was is kept: {}", aside.display());
    }
    if let Err(error) = withdrawn {
        crate::warn!(
            "warning: the marks of the lost part could not be set aside everywhere: {error}; the same command does it when the place answers"
        );
    }
    let next = format!("Look at it with `backout status {run}`; `backout resume {run}` goes on.");
    anstream::println!("{}", as_given(&next));
    Ok(Exit::Done)
}

/// A journal that is damaged elsewhere: the log of this run is whole, and over.
async fn make_anew(app: &App, run: &RunId, left: &Left) -> Done {
    nobody_else_writes(app, run).await?;
    let aside = salvage::keep_aside(app.state_folder())?;
    if let Some(journal) = &left.journal {
        salvage::replace(app.state_folder(), journal)?;
    }
    anstream::println!("The journal is made anew; the log of {run} is whole, and the run is over.");
    if let Some(aside) = aside {
        anstream::println!("  the journal as it was is kept: {}", aside.display());
    }
    Ok(Exit::Done)
}

/// What is left of the log of a run, in the journal or beside the ledger.
async fn left_of(app: &App, run: &RunId, places: &[MarkPlace]) -> Result<Left, Failure> {
    let folder = app.state_folder();
    let whole = match SqliteJournal::look(folder, app.mark_folders()) {
        Ok(journal) => read_all(&journal).await.ok(),
        Err(_) => None,
    };
    let is_readable = whole.is_some();
    let mut journal = match whole {
        Some(whole) => whole,
        None => salvage::salvage(folder, &run_ref::noted_runs(app)?),
    };
    let mut records = journal.remove(run).unwrap_or_default();
    let stored = records.len();
    agreed(&mut records, places);
    let mut legal = legal_part(run, &records);
    if legal.is_none() {
        records = app.ledger().first(run)?.into_iter().collect();
        agreed(&mut records, places);
        legal = legal_part(run, &records);
    }
    let Some((state, chain)) = legal else {
        return Err(Failure::refused(format!(
            "nothing is left of the log of {run}, not even the plan it followed"
        ))
        .hint("put the journal back from a copy")
        .hint("or begin anew; each step that may have been carried out is asked about: `backout invoke PLAN --new-run --reason \"…\"`"));
    };
    records.truncate(usize::try_from(chain.seq().0).unwrap_or(usize::MAX));
    // What does not follow from the rest has to go, or nothing could be added.
    let is_whole = is_readable && records.len() == stored;
    journal.insert(run.clone(), records.clone());
    Ok(Left { records, state, chain, journal: (!is_whole).then_some(journal) })
}

/// Leaves the records up to the first one that is not what was marked: a wrong bit can leave a
/// record that can be read.
fn agreed(records: &mut Vec<Vec<u8>>, places: &[MarkPlace]) {
    let marks: Vec<Mark> = places.iter().flat_map(MarkPlace::marks).copied().collect();
    let is_marked = |at: usize, bytes: &[u8]| {
        let mut here = marks.iter().filter(|mark| mark.seq == Seq(at as u64 + 1)).peekable();
        let digest = Digest::of(bytes);
        here.peek().is_none() || here.any(|mark| mark.digest == digest)
    };
    let right = records.iter().enumerate().take_while(|(at, bytes)| is_marked(*at, bytes)).count();
    records.truncate(right);
}

async fn read_all(journal: &SqliteJournal) -> Result<BTreeMap<RunId, Vec<Vec<u8>>>, Failure> {
    let mut all = BTreeMap::new();
    for (run, _) in journal.runs().await? {
        let records = journal.read(&run, Seq(0)).await?;
        all.insert(run, records);
    }
    Ok(all)
}

/// The state behind the last record that follows from the ones before it; `None` where the
/// first one does not begin a run.
fn legal_part(run: &RunId, records: &[Vec<u8>]) -> Option<(RunState, Chain)> {
    let mut legal = records;
    loop {
        match read_up(run, legal) {
            Ok(read) => return Some(read),
            // What could not be applied has spoilt the state: once more, without it.
            Err(at) => legal = &legal[..at],
        }
        if legal.is_empty() {
            return None;
        }
    }
}

/// Reads records, or says at which one it fails.
fn read_up(run: &RunId, records: &[Vec<u8>]) -> Result<(RunState, Chain), usize> {
    let mut chain = Chain::new(run.clone());
    let mut state: Option<RunState> = None;
    for (at, bytes) in records.iter().enumerate() {
        let record = chain.read(bytes).map_err(|_| at)?;
        match &mut state {
            None => state = Some(RunState::begin(&record, chain.tail()).map_err(|_| at)?),
            Some(state) => state.apply(&record, chain.tail()).map_err(|_| at)?,
        }
    }
    state.map(|state| (state, chain)).ok_or(0)
}

/// Where the journal is made anew no coordinator of another run may have it open.
async fn nobody_else_writes(app: &App, run: &RunId) -> Result<(), Failure> {
    for other in run_ref::noted_runs(app)?.iter().filter(|other| *other != run) {
        if let Some(coordinator) = app.coordinator_for_sure(other)? {
            return Err(Failure::refused(format!(
                "{} is at work on {other}, and its journal has to be made anew",
                coordinator.id
            ))
            .hint(format!("Ctrl-C there twice leaves it: its steps go on; then `backout recover {run} --reason \"…\"`, and `backout resume {other}`")));
        }
    }
    Ok(())
}
