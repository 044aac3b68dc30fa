//! What shows that everything is as it was.

use std::sync::Arc;

use backout_core::state::RunState;
use backout_demo::Layout;

use super::{failed, say};
use crate::app::App;
use crate::commands::baseline::world_of;
use crate::failure::Failure;
use crate::view::live::took;
use crate::view::table::columns;
use crate::view::words;

/// Every baseline, before, and now; every step, planned and taken.
pub(super) async fn compare(app: &App, layout: &Layout, state: &RunState) -> Result<(), Failure> {
    let plan = &state.planned().plan;
    let world = Arc::new(world_of(plan, layout.root().to_string_lossy().into_owned()));
    let mut rows = vec![["baseline", "before the release", "now", ""].map(str::to_owned).to_vec()];
    let mut same = true;
    let used = state.planned().baselines.as_ref().map(|used| &used.facts);
    for (id, how) in &plan.baselines {
        let before =
            used.and_then(|facts| facts.get(id)).ok_or_else(|| failed("a baseline is missing"))?;
        let mut secrets = Default::default();
        let now =
            backout_exec::baseline::capture(how, &world, &mut secrets, app.now(), &Arc::default())
                .await
                .map_err(failed)?;
        let matches = now.digest == before.digest;
        same &= matches;
        let verdict = if matches { "✓ the same" } else { "✗ different" };
        rows.push(vec![id.to_string(), before.shown.clone(), now.shown, verdict.to_owned()]);
    }
    columns(&rows).iter().for_each(|line| say(&format!("   {line}")));
    say(&format!("   and the portal is {}", backout_demo::summary(layout)));
    let mut rows = vec![["step", "planned", "took", ""].map(str::to_owned).to_vec()];
    for index in 0..state.steps().len() {
        let planned = state.steps()[index].takes.map(|takes| takes.likely().get());
        let took = took(state, index).map(words::length).unwrap_or_default();
        let evidence = &state.states()[index].evidence;
        rows.push(vec![
            state.steps()[index].label().to_owned(),
            planned.map(words::length).unwrap_or_default(),
            took,
            words::one_line(&evidence.summary, 60),
        ]);
    }
    say("");
    columns(&rows).iter().for_each(|line| say(&format!("   {line}")));
    match same {
        true => Ok(()),
        false => Err(failed("a baseline differs")),
    }
}

/// Shows that the killed restore ran once.
pub(super) fn once(layout: &Layout) -> Result<(), Failure> {
    let text = std::fs::read_to_string(layout.restores())?;
    let begun = text.lines().filter(|line| line.starts_with("restore begun")).count();
    say(&format!(
        "\n   The coordinator was killed in the middle. The restore itself says how often it ran: {begun} time."
    ));
    match begun {
        1 => Ok(()),
        _ => Err(failed("the restore ran more than once")),
    }
}
