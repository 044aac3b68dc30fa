//! Which run is meant.

use backout_core::ids::{RunId, Seq};
use backout_core::record::Chain;
use backout_core::state::RunState;
use backout_engine::Journal;
use backout_sqlite::SqliteJournal;

use crate::app::App;
use crate::failure::Failure;

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
            let mut newest = None;
            for run in runs {
                let started = begun(&journal, &run).await?.started;
                if newest.as_ref().is_none_or(|(latest, _)| started > *latest) {
                    newest = Some((started, run));
                }
            }
            newest.map(|(_, run)| run).ok_or_else(|| {
                Failure::usage("there are no runs yet").hint("`backout invoke PLAN` starts one")
            })
        }
    }
}

/// The state after a run's first record, which is cheap to read.
async fn begun(journal: &SqliteJournal, run: &RunId) -> Result<RunState, Failure> {
    let stored = journal.read(run, Seq(0)).await?;
    let mut chain = Chain::new(run.clone());
    let bytes = stored.first().ok_or_else(|| Failure::usage(format!("there is no run `{run}`")))?;
    let record = chain.read(bytes)?;
    Ok(RunState::begin(&record, chain.tail())?)
}
