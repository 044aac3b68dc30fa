//! `calibrate`: durations from what steps took.

use serde_json::json;

use backout_forecast::outlook::{Proposal, propose};
use backout_plan::edit::{self, Edit};
use similar::TextDiff;

use super::Done;
use super::forecast::history;
use super::plans::must_read;
use crate::app::App;
use crate::cli::CalibrateArgs;
use crate::failure::{Exit, Failure};
use crate::view::table::columns;

pub(super) async fn calibrate(app: &App, args: &CalibrateArgs) -> Done {
    let read = must_read(&args.plan)?;
    let history = history(app, args.history.as_ref(), &read.plan).await?;
    let proposals = propose(&read.plan, &history, args.least as usize);
    let mut edits: Vec<Edit> = Vec::new();
    let mut by_hand: Vec<&Proposal> = Vec::new();
    for proposal in &proposals {
        match edit::takes(&read.document, &read.source, proposal.step, proposal.new) {
            // What would not be a plan any more is left to a person.
            Some(changes) if still_a_plan(&read.source, &changes) => edits.extend(changes),
            _ => by_hand.push(proposal),
        }
    }
    let changed = edit::apply(&read.source, &edits);
    let name = |proposal: &Proposal| read.plan.steps[proposal.step].id.to_string();
    if args.json {
        let listed: Vec<_> = proposals
            .iter()
            .map(|p| {
                let by_hand = by_hand.iter().any(|other| other.step == p.step);
                json!({"step": name(p), "old": p.old, "new": p.new, "measurements": p.count, "by_hand": by_hand})
            })
            .collect();
        let value = json!({"plan": args.plan, "proposals": listed, "written": args.write && !edits.is_empty()});
        crate::say!("{}", serde_json::to_string_pretty(&value)?);
    } else {
        if proposals.is_empty() {
            crate::say!(
                "Nothing to change: no step was measured {} times or more with another result.",
                args.least
            );
            return Ok(Exit::Done);
        }
        let mut rows = vec![["step", "stated", "measured", ""].map(str::to_owned).to_vec()];
        for proposal in &proposals {
            let times = if proposal.count == 1 { "time" } else { "times" };
            rows.push(vec![
                name(proposal),
                proposal.old.map_or("nothing".to_owned(), |old| old.to_string()),
                proposal.new.to_string(),
                format!("{} {times}", proposal.count),
            ]);
        }
        columns(&rows).iter().for_each(|line| crate::say!("{line}"));
        for proposal in &by_hand {
            crate::say!(
                "{}: written in a way that cannot be changed in place; change `takes` by hand",
                name(proposal)
            );
        }
        let file = args.plan.display().to_string();
        let diff = TextDiff::from_lines(&read.source, &changed);
        anstream::print!("\n{}", diff.unified_diff().context_radius(2).header(&file, &file));
    }
    if args.write && !edits.is_empty() {
        // What is written must still be a plan, and nothing is lost on the way.
        backout_plan::read_bytes(changed.as_bytes()).map_err(|_| {
            Failure::new(Exit::Bug, "the changed plan cannot be read; nothing was written")
        })?;
        // A link stays a link; what it leads to is changed.
        let file = std::fs::canonicalize(&args.plan)?;
        let new = file.with_extension("yaml.new");
        std::fs::write(&new, &changed)?;
        std::fs::set_permissions(&new, std::fs::metadata(&file)?.permissions())?;
        std::fs::File::open(&new)?.sync_all()?;
        std::fs::rename(&new, &file)?;
        if !args.json {
            crate::say!("\nWrote {}.", args.plan.display());
        }
    } else if !args.json && !edits.is_empty() {
        crate::say!("\n`--write` makes the change.");
    }
    Ok(Exit::Done)
}

fn still_a_plan(source: &str, edits: &[Edit]) -> bool {
    backout_plan::read_bytes(edit::apply(source, edits).as_bytes()).is_ok()
}
