//! `baseline`: facts, before the deployment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use backout_core::event::{Fact, UsedBaselines};
use backout_core::handle::captures_beside;
use backout_core::ids::{BaselineId, Seq};
use backout_core::plan::Plan;
use backout_engine::hands::World;
use backout_engine::{Journal, start};
use backout_exec::baseline::capture;
use backout_exec::secrets::Secrets;
use backout_exec::tree::Progress;
use backout_sqlite::SqliteJournal;

use super::Done;
use super::open_runs::open_runs;
use crate::app::{App, who};
use crate::cli::BaselineArgs;
use crate::failure::{Exit, Failure};
use crate::view::table::columns;
use crate::view::waiting::Waiting;

/// The folder a plan's relative paths start from.
pub(super) fn folder_of(plan: &std::path::Path) -> Result<String, Failure> {
    let absolute = std::path::absolute(plan)?;
    let folder = absolute.parent().unwrap_or(std::path::Path::new("/"));
    Ok(folder.to_string_lossy().into_owned())
}

pub(super) fn world_of(plan: &Plan, folder: String) -> World {
    World {
        folder,
        environment: None,
        sources: plan.sources.iter().map(|(id, source)| (id.clone(), source.clone())).collect(),
        baselines: plan.baselines.iter().map(|(id, how)| (id.clone(), how.clone())).collect(),
        facts: BTreeMap::new(),
    }
}

/// The latest capture for a change. Where the log of the captures cannot be relied on it counts as
/// not captured, and that is said.
pub(super) async fn captured(
    journal: &Arc<SqliteJournal>,
    change: &str,
) -> Result<Option<UsedBaselines>, Failure> {
    let found = start::latest_baselines(journal, change).await?;
    if let Some(why) = found.contradicted {
        crate::warn!(
            "warning: the log of the baselines of {change} has lost its end: {why}; they count as not captured. If the release may be in already, do not capture them now: `recover` of a run brings back those it began with"
        );
    }
    Ok(found.latest)
}

/// Asks whether facts are captured although a run of the change is open.
async fn ask_beside(app: &App, plan: &Plan, confirmed: bool) -> Result<(), Failure> {
    if !SqliteJournal::exists(app.state_folder())? {
        return Ok(());
    }
    let (open, _) = open_runs(app, &app.journal()?, plan).await?;
    let Some(run) = captures_beside(&open, confirmed) else { return Ok(()) };
    Err(Failure::question(format!(
        "{run} of the same change is open: what is captured now would be taken for the state before the deployment; capture it all the same?"
    ))
    .hint(format!("see where it stands: `backout status {run}`"))
    .hint("the state is that of before the deployment: the same command with `--yes`"))
}

pub(super) async fn baseline(app: &App, args: &BaselineArgs) -> Done {
    let read = super::plans::must_read(&args.plan)?;
    if read.plan.baselines.is_empty() {
        return Err(Failure::usage("this plan has no baselines")
            .hint("add facts to capture under `baselines`"));
    }
    let (actor, _) = who(&read.plan, args.who.who.as_deref())?;
    ask_beside(app, &read.plan, args.yes).await?;
    let world = Arc::new(world_of(&read.plan, folder_of(&args.plan)?));
    let mut facts: BTreeMap<BaselineId, Fact> = BTreeMap::new();
    let mut failed = Vec::new();
    for (id, how) in &read.plan.baselines {
        let mut secrets = Secrets::default();
        let progress = Arc::new(Progress::default());
        let mut waiting = Waiting::default();
        let capturing = capture(how, &world, &mut secrets, app.now(), &progress);
        tokio::pin!(capturing);
        let captured = loop {
            tokio::select! {
                captured = &mut capturing => break captured,
                () = tokio::time::sleep(Duration::from_secs(1)) => {
                    waiting.tick(&format!("capturing {id}"), progress.shown());
                }
            }
        };
        waiting.end();
        match captured {
            Ok(fact) => {
                facts.insert(id.clone(), fact);
            }
            Err(why) => failed.push(format!("{id}: {why}")),
        }
    }
    // Half a capture would be taken for a whole one later.
    if !failed.is_empty() {
        let mut failure = Failure::new(
            Exit::Failed,
            format!("nothing was kept: {} cannot be captured", failed.len()),
        );
        for why in failed {
            failure = failure.hint(why);
        }
        return Err(failure);
    }
    // Capturing takes its time, and a run may have begun meanwhile.
    ask_beside(app, &read.plan, args.yes).await?;
    let change = read.plan.change.name();
    let journal = app.journal()?;
    let before = start::latest_baselines(&journal, change).await?;
    let record =
        start::keep_baselines(&journal, actor, app.moment(), change, read.digest, facts.clone())
            .await?;
    if let Some(why) = before.contradicted {
        // What was lost is captured anew: the marks of it contradict it for ever.
        let digests = start::latest_baselines(&journal, change).await?.digests;
        let first = journal.read(&record.run, Seq(0)).await?.into_iter().next();
        app.mark_folders().withdraw(&record.run, first.as_deref(), &digests)?;
        crate::warn!("warning: captures of {change} were lost ({why}); this one is the latest");
    }
    if args.json {
        let value = json!({"change": change, "log": record.run, "seq": record.seq, "captured": record.at, "facts": facts});
        crate::say!("{}", serde_json::to_string_pretty(&value)?);
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = facts
        .iter()
        .map(|(id, fact)| vec![format!("  {id}"), fact.shown.clone(), fact.digest.short()])
        .collect();
    crate::say!("Captured for {change}:");
    for line in columns(&rows) {
        crate::say!("{line}");
    }
    Ok(Exit::Done)
}
