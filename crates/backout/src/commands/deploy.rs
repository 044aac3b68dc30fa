//! `deploy`: the way forward, stage by stage, watched.

use backout_core::duration::Estimate;
use backout_core::event::{Direction, Mode, RunPlanned};
use backout_core::graph::Graph;
use backout_core::ids::RunId;
use backout_core::plan::{Action, Plan, Step};
use backout_core::policy::Policy;
use backout_core::schedule::Schedule;
use backout_engine::{Journal, RunLog};
use backout_plan::times;
use backout_sqlite::SqliteJournal;

use super::Done;
use super::baseline::{captured, folder_of};
use super::invoke::{Wanted, begin, coordinate, file_name, warn};
use super::plans::must_read;
use super::watch;
use crate::app::{App, run_uid, who};
use crate::cli::DeployArgs;
use crate::failure::{Exit, Failure};
use crate::view::{dry_run, table};

pub(super) async fn deploy(app: &App, args: DeployArgs) -> Done {
    let read = must_read(&args.plan)?;
    let plan = &read.plan;
    if args.dry_run {
        return show(plan, args.stay.json);
    }
    crate::output::never_wait(args.stay.json);
    let (actor, account) = who(plan, args.who.who.as_deref())?;
    let journal = app.journal()?;
    let baselines = captured(&journal, plan.change.name()).await?;
    let errors = warn(&args.plan, &read, baselines.as_ref(), app.now());
    let planned = RunPlanned {
        uid: Some(run_uid()?),
        plan_digest: read.digest,
        source: read.source.clone(),
        folder: folder_of(&args.plan)?,
        file: file_name(&args.plan),
        window: times::instants(plan.window.as_ref()),
        mode: if args.demo { Mode::Demo } else { Mode::Live },
        option: None,
        only: Vec::new(),
        order: Vec::new(),
        not_before: times::not_before(plan),
        baselines,
        direction: Direction::Forward,
        earlier: earlier(&journal, plan).await?,
        keeps_marks: true,
        marks_elsewhere: app.marks_elsewhere(),
        location: Some(app.location()),
        environment: Some(app.environment(plan)),
        reason: args.reason.clone(),
        quorum: None,
        beside: Vec::new(),
        confirmed: Vec::new(),
        policy: Policy::default(),
        plan: plan.clone(),
    };
    watch::messages::ready(plan, &planned.folder)?;
    let selected = vec![true; plan.steps.len()];
    // A demonstration that was given up stands in the way of no other.
    let again = args.again || args.demo;
    let wanted = Wanted {
        path: &args.plan,
        actor,
        account,
        planned,
        selected,
        again,
        new_run: args.new_run,
        errors,
        left_out: Vec::new(),
        confirmed: args.anyway,
    };
    let log = begin(app, &journal, wanted, Vec::new()).await?;
    let lease = app.lease(log.state().run())?;
    coordinate(app, log, lease, &args.stay, args.who.who.as_deref()).await
}

/// A run in which the plan backed out of this release by itself: doing so a second
/// time would be a circle.
async fn earlier(
    journal: &std::sync::Arc<SqliteJournal>,
    plan: &Plan,
) -> Result<Option<RunId>, Failure> {
    for (run, _) in journal.runs().await? {
        if run.number_for(plan.change.name()).is_none() {
            continue;
        }
        // What a log that cannot be read says is unknown: then a person decides.
        let Ok(log) = RunLog::open(std::sync::Arc::clone(journal), &run).await else {
            return Ok(Some(run));
        };
        let state = log.state();
        let same = state.planned().plan.change.release == plan.change.release;
        let back = |decided: &backout_core::release::DecisionRecord| {
            decided.reason.is_automatic()
                && matches!(decided.choice, backout_core::choice::Choice::BackOut { .. })
        };
        if same && state.release().decided.iter().any(back) {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

/// The stages in the order they may start, each with what undoes it.
fn show(plan: &Plan, json: bool) -> Done {
    let graph = Graph::of_all(&plan.stages).map_err(|cycle| Failure::of(&cycle))?;
    if json {
        let selected = vec![true; plan.stages.len()];
        let stages = Plan { steps: plan.stages.clone(), ..plan.clone() };
        let schedule = Schedule::new(&stages, &plan.stages, &graph, Estimate::likely);
        let value = dry_run::json(&stages, &selected, &graph, &schedule);
        crate::say!("{}", serde_json::to_string_pretty(&value)?);
        return Ok(Exit::Done);
    }
    let heads = ["stage", "owner", "takes", "watched for", "starts when", "undone by"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for &index in &graph.order {
        let stage = &plan.stages[index];
        let undone: Vec<&str> = stage.undone_by.iter().map(|step| step.as_str()).collect();
        let back = match (&stage.irreversible, undone.is_empty()) {
            (Some(why), _) => format!("NO WAY BACK: {}", why.trim()),
            (None, true) => "nothing".to_owned(),
            (None, false) => undone.join(", "),
        };
        let label = match &stage.action {
            Action::External(_) => format!("{} (another system)", stage.label()),
            _ => stage.label().to_owned(),
        };
        rows.push(vec![
            label,
            stage.owner.as_ref().map(|role| plan.person(role)).unwrap_or_default(),
            stage.takes.map(|takes| takes.to_string()).unwrap_or_default(),
            stage.bake.map(|bake| bake.to_string()).unwrap_or_default(),
            agreed(plan, stage),
            back,
        ]);
    }
    for row in table::columns(&rows) {
        crate::say!("{}", row.trim_end());
    }
    Ok(Exit::Done)
}

/// Who has to agree before a stage starts; nothing where nobody has to.
fn agreed(plan: &Plan, stage: &Step) -> String {
    if !stage.needs_approval() {
        return String::new();
    }
    let by = stage.approval.iter().flat_map(|grant| grant.by.iter());
    let by: Vec<String> = by.map(|role| plan.person(role)).collect();
    let least = if stage.irreversible.is_some() { 2 } else { 1 };
    let many = stage.approval.as_ref().map_or(1, |grant| grant.quorum).max(least);
    match (by.is_empty(), many) {
        (true, many) => format!("{many} of the leads agree"),
        (false, 1) => format!("{} agrees", by.join(" or ")),
        (false, many) => format!("{many} of {} agree", by.join(", ")),
    }
}
