//! `watch`: the triggers of a plan or a run, live.

use std::collections::BTreeMap;
use std::sync::Arc;

use backout_core::state::RunState;
use backout_engine::hands::World;
use backout_watch::{Board, News, Watcher};

use crate::app::App;
use crate::failure::Failure;

/// The watch of a run that deploys; nothing where no machine watches anything.
pub(super) fn of_run(app: &App, state: &RunState) -> Result<Option<(Watcher, News)>, Failure> {
    let plan = &state.planned.plan;
    let watches = plan.triggers.values().any(|trigger| !trigger.condition.is_judged());
    if state.release.stages == 0 || !watches || state.finished.is_some() {
        return Ok(None);
    }
    let file = Board::file(&app.ledger().run_folder(&state.run));
    let kept = Board::load(&file).map_err(|error| {
        Failure::refused(format!("what was watched so far cannot be read: {error}"))
            .hint(format!("move {} away to begin the watch anew", file.display()))
    })?;
    let board = kept.unwrap_or_else(|| Board::new(app.now()));
    let world = Arc::new(World::of(&state.planned));
    Ok(Some(Watcher::begin(plan, &world, board, Some(file), &BTreeMap::new())))
}
