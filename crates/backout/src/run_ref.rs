//! Which run is meant.

use backout_core::ids::RunId;
use backout_core::state::RunState;
use backout_engine::{Journal, RunLog};

use crate::app::App;
use crate::failure::Failure;

/// The open runs that may be meant.
pub(crate) enum Open {
    /// Just this one; it may be finished where it was named.
    One(RunId),
    /// None is open.
    None,
    /// Several are open.
    Several(Vec<RunState>),
}

/// Every open run that can be read, newest first. A log that cannot be read is said.
pub(crate) async fn open_runs(app: &App) -> Result<Vec<RunState>, Failure> {
    let journal = app.existing_journal()?;
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
    let journal = app.existing_journal()?;
    let runs = journal.runs().await?;
    let runs: Vec<RunId> =
        runs.into_iter().map(|(run, _)| run).filter(|run| !run.is_baselines()).collect();
    match said {
        Some(said) => {
            if let Some(run) = runs.iter().find(|run| run.as_str() == said) {
                return Ok(run.clone());
            }
            let of_change =
                runs.iter().filter_map(|run| run.number_for(said).map(|number| (number, run)));
            of_change.max().map(|(_, run)| run.clone()).ok_or_else(|| {
                Failure::usage(format!("there is no run `{said}`"))
                    .hint("`backout runs` lists them; a change's number means its newest run")
            })
        }
        None => {
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
