//! Which run is meant.

use backout_core::ids::RunId;
use backout_core::state::RunState;
use backout_engine::{Journal, RunLog};
use backout_sqlite::SqliteJournal;

use crate::app::App;
use crate::failure::Failure;
use crate::suspect;

/// The open runs that may be meant.
pub(crate) enum Open {
    /// Just this one; it may be finished where it was named.
    One(RunId),
    /// None is open.
    None,
    /// Several are open.
    Several(Vec<RunState>),
}

/// A run that is meant, and whether the journal has it.
pub(crate) enum Known {
    /// It is in the journal.
    Run(RunId),
    /// It did something here, and the journal does not have it.
    Lost(RunId),
}

/// The run that is meant, also where only its traces are left.
pub(crate) async fn known(app: &App, said: Option<&str>) -> Result<Known, Failure> {
    let named = |run: &RunId| said.is_some_and(|said| run.as_str() == said);
    match lost_runs(app).await?.into_iter().find(named) {
        Some(lost) => Ok(Known::Lost(lost)),
        None => find(app, said).await.map(Known::Run),
    }
}

/// Every run that left traces outside of the journal: in the ledger, or a mark.
pub(crate) fn noted_runs(app: &App) -> Result<Vec<RunId>, Failure> {
    let mut runs = app.ledger().runs()?;
    runs.extend(app.mark_folders().runs());
    runs.retain(|run| !run.is_baselines());
    runs.sort();
    runs.dedup();
    Ok(runs)
}

/// The runs that left traces and that the journal does not have. A journal that is there and
/// cannot be read is damaged, and not gone: that is an error of its own.
pub(crate) async fn lost_runs(app: &App) -> Result<Vec<RunId>, Failure> {
    let noted = noted_runs(app)?;
    if noted.is_empty() {
        return Ok(noted);
    }
    let known = match SqliteJournal::exists(app.state_folder())? {
        true => app.clone().looking().existing_journal()?.runs().await?,
        false => Vec::new(),
    };
    Ok(noted.into_iter().filter(|run| known.iter().all(|(known, _)| known != run)).collect())
}

/// A run by its id, or the newest of a change, among all that left any trace: also where the
/// journal cannot be read.
pub(crate) async fn find_known(app: &App, said: &str) -> Result<RunId, Failure> {
    let mut runs = noted_runs(app)?;
    if let Ok(journal) = SqliteJournal::look(app.state_folder(), app.mark_folders()) {
        runs.extend(journal.runs().await.into_iter().flatten().map(|(run, _)| run));
    }
    if let Some(run) = runs.iter().find(|run| run.as_str() == said) {
        return Ok(run.clone());
    }
    let of_change = runs.iter().filter_map(|run| run.number_for(said).map(|number| (number, run)));
    of_change.max().map(|(_, run)| run.clone()).ok_or_else(|| {
        Failure::usage(format!("there is no run `{said}`"))
            .hint("`backout runs` lists them; a change's number means its newest run")
    })
}

/// Every open run that can be read, newest first. A log that cannot be read is said.
pub(crate) async fn open_runs(app: &App) -> Result<Vec<RunState>, Failure> {
    let journal = app.clone().looking().existing_journal()?;
    let mut open = Vec::new();
    for (run, _) in journal.runs().await? {
        if run.is_baselines() {
            continue;
        }
        match RunLog::open(std::sync::Arc::clone(&journal), &run).await {
            Ok(log) if log.state().finished().is_none() => open.push(log.state().clone()),
            Ok(_) => {}
            // One log that cannot be read hides no other run, and is not passed over.
            Err(error) => crate::warn!("warning: {run} cannot be read: {error}"),
        }
    }
    open.sort_by_key(|state| std::cmp::Reverse((state.started(), state.run().clone())));
    Ok(open)
}

/// The run that is named, else the one that is open.
pub(crate) async fn find_open(app: &App, said: Option<&str>) -> Result<Open, Failure> {
    if said.is_some() {
        return Ok(Open::One(find(app, said).await?));
    }
    let mut open = open_runs(app).await?;
    Ok(match open.len() {
        0 => Open::None,
        1 => Open::One(open.remove(0).run().clone()),
        _ => Open::Several(open),
    })
}

/// Finds a run by its id, by its change (the newest run of it), or, with
/// nothing said, the newest run of all.
pub(crate) async fn find(app: &App, said: Option<&str>) -> Result<RunId, Failure> {
    // It is not "no such run": it did something, and nothing may be concluded from silence.
    let lost = lost_runs(app).await?;
    if let Some(lost) = lost.iter().find(|run| said.is_some_and(|said| run.as_str() == said)) {
        return Err(suspect::lost(app, lost));
    }
    let journal = app.clone().looking().existing_journal()?;
    let runs = journal.runs().await?;
    let runs: Vec<RunId> =
        runs.into_iter().map(|(run, _)| run).filter(|run| !run.is_baselines()).collect();
    match said {
        Some(said) => {
            if let Some(run) = runs.iter().find(|run| run.as_str() == said) {
                return Ok(run.clone());
            }
            let number = |run: &RunId| run.number_for(said);
            let newest_lost = lost.iter().filter_map(|run| number(run).map(|at| (at, run))).max();
            if let Some((at, lost)) = newest_lost
                && runs.iter().filter_map(number).all(|known| known < at)
            {
                return Err(suspect::lost(app, lost));
            }
            let of_change =
                runs.iter().filter_map(|run| run.number_for(said).map(|number| (number, run)));
            of_change.max().map(|(_, run)| run.clone()).ok_or_else(|| {
                Failure::usage(format!("there is no run `{said}`"))
                    .hint("`backout runs` lists them; a change's number means its newest run")
            })
        }
        None => {
            if let Some(lost) = lost.last().filter(|_| runs.is_empty()) {
                return Err(suspect::lost(app, lost));
            }
            // A run that still needs somebody comes before one that is over.
            let mut newest = None;
            for run in runs {
                let Ok(log) = RunLog::open(std::sync::Arc::clone(&journal), &run).await else {
                    // It may be the one that matters: whoever asks must hear of it.
                    return Ok(run);
                };
                let rank = (log.state().finished().is_none(), log.state().started());
                if newest.as_ref().is_none_or(|(best, _)| rank > *best) {
                    newest = Some((rank, run));
                }
            }
            newest.map(|(_, run)| run).ok_or_else(|| {
                Failure::usage("there are no runs yet").hint("`backout invoke PLAN` starts one")
            })
        }
    }
}
