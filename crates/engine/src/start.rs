//! The first record of a run, and the log of baseline captures.

use std::collections::BTreeMap;
use std::sync::Arc;

use backout_core::event::{Event, Fact, RunPlanned, UsedBaselines};
use backout_core::ids::{BaselineId, Digest, Epoch, RunId, Seq};
use backout_core::mark::judge;
use backout_core::moment::Moment;
use backout_core::record::{Actor, Chain, FORMAT, Record};

use crate::conductor::listed;
use crate::journal::{AppendError, Journal};
use crate::log::{OpenError, RunLog, WriteError};

/// Begins a run of a change, under the next free number. Whoever judged what the newest run
/// of the change is gives its number, 0 for none: then the new run comes right behind that
/// one or not at all, so that two who begin at the same moment know of each other.
///
/// # Errors
/// [`WriteError`]; [`AppendError::Moved`] where somebody has begun another run since.
pub async fn begin<J: Journal>(
    journal: &Arc<J>,
    actor: Actor,
    at: impl Into<Moment>,
    planned: RunPlanned,
    further: Vec<Event>,
    newest: Option<u64>,
) -> Result<RunLog<J>, WriteError> {
    let at = at.into();
    let change = planned.plan.change.name().to_owned();
    let mut events = vec![Event::RunPlanned(Box::new(planned))];
    events.extend(further);
    loop {
        let taken = match newest {
            Some(newest) => newest,
            None => {
                let runs = journal.runs().await.map_err(OpenError::from)?;
                runs.iter().filter_map(|(run, _)| run.number_for(&change)).max().unwrap_or(0)
            }
        };
        let run = RunId::of_change(&change, taken + 1);
        let record = first(&run, actor.clone(), at.clone(), events.clone());
        let sealed = record.seal();
        backout_core::state::RunState::begin(&record, sealed.digest)?;
        match journal.append(&run, Seq(0), sealed).await {
            // Somebody took the number: take the next.
            Err(AppendError::Moved) if newest.is_none() => {}
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(RunLog::open(Arc::clone(journal), &run).await?),
        }
    }
}

fn first(run: &RunId, actor: Actor, at: Moment, events: Vec<Event>) -> Record {
    Record {
        v: FORMAT,
        run: run.clone(),
        seq: Seq(1),
        epoch: Epoch(0),
        at: at.wall,
        steady: at.steady,
        actor,
        events,
        prev: Digest::ZERO,
    }
}

/// Keeps captured baselines for a change.
///
/// # Errors
/// [`WriteError`].
pub async fn keep_baselines<J: Journal>(
    journal: &Arc<J>,
    actor: Actor,
    at: impl Into<Moment>,
    change: &str,
    plan: Digest,
    facts: BTreeMap<BaselineId, Fact>,
) -> Result<Record, WriteError> {
    let run = RunId::of_baselines(change);
    let at = at.into();
    loop {
        let (chain, _) = read_baselines(journal, &run).await?;
        let event =
            Event::BaselinesCaptured { change: change.to_owned(), plan, facts: facts.clone() };
        let mut record = first(&run, actor.clone(), at.clone(), vec![event]);
        record.seq = chain.seq().next();
        record.prev = chain.tail();
        match journal.append(&run, chain.seq(), record.seal()).await {
            Err(AppendError::Moved) => {}
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(record),
        }
    }
}

/// What is known of the baselines of a change.
#[derive(Debug, Default)]
pub struct Captured {
    /// The latest capture; none where the log of the captures cannot be relied on, as an older
    /// capture would be taken for it.
    pub latest: Option<UsedBaselines>,
    /// Why that log cannot be relied on, if so.
    pub contradicted: Option<String>,
    /// The digest of each record of that log.
    pub digests: Vec<Digest>,
}

/// The latest capture for a change. Its log is compared with its marks.
///
/// # Errors
/// [`OpenError`] when the journal cannot be read.
pub async fn latest_baselines<J: Journal>(
    journal: &Arc<J>,
    change: &str,
) -> Result<Captured, OpenError> {
    let run = RunId::of_baselines(change);
    let places = journal.marks(&run);
    let (chain, latest) = match read_baselines(journal, &run).await {
        // On the night it is no reason to go nowhere: what is compared with it, a person attests.
        Err(OpenError::Broken(broken)) => {
            let contradicted = Some(broken.to_string());
            return Ok(Captured { contradicted, ..Captured::default() });
        }
        read => read?,
    };
    let judged = judge(chain.digests(), false, &places, &[]);
    let contradicted = judged.is_suspect().then(|| listed(&judged.suspicions));
    let latest = latest.filter(|_| contradicted.is_none());
    Ok(Captured { latest, contradicted, digests: chain.digests().to_vec() })
}

async fn read_baselines<J: Journal>(
    journal: &Arc<J>,
    run: &RunId,
) -> Result<(Chain, Option<UsedBaselines>), OpenError> {
    let mut chain = Chain::new(run.clone());
    let mut latest = None;
    for bytes in journal.read(run, Seq(0)).await? {
        let record = chain.read(&bytes)?;
        for event in record.events {
            if let Event::BaselinesCaptured { facts, .. } = event {
                latest = Some(UsedBaselines {
                    log: run.clone(),
                    seq: record.seq,
                    digest: chain.tail(),
                    captured: record.at,
                    facts,
                });
            }
        }
    }
    Ok((chain, latest))
}
