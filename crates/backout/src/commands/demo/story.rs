//! The story: a release goes forward under watch, its users cannot log in any more,
//! somebody decides, and everything is as it was.

use std::io::BufRead;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use backout_core::choice::Choice;
use backout_core::event::Outcome;
use backout_core::ids::RunId;
use backout_core::question::{Asks, questions};
use backout_core::state::RunState;
use backout_core::status::Status;
use backout_demo::Layout;
use backout_engine::RunLog;
use backout_sqlite::SqliteJournal;

use super::compare::{compare, once};
use super::coordinator::{Coordinator, Leash};
use super::{backout, chapter, failed, itself, say, shown};
use crate::app::App;
use crate::failure::Failure;
use crate::run_ref;

/// The change of the example.
const CHANGE: &str = "CHG0031337";
/// Longer than this without a word, and the demonstration has hung.
const PATIENCE: Duration = Duration::from_secs(120);

/// How the story is told.
#[derive(Clone)]
pub(super) struct Telling {
    /// The coordinator is killed in the middle of the restore.
    pub(super) kill: bool,
    /// Whoever watches decides.
    pub(super) decide: bool,
    /// How whoever gives up gets hold of the coordinator.
    pub(super) leash: Leash,
}

/// Tells it. Answers the run.
pub(super) async fn tell(app: &App, layout: &Layout, telling: Telling) -> Result<RunId, Failure> {
    chapter(3, "The plan: how to go forward, what to watch, and the way back");
    itself(app, layout, &["check", "portal.backout.yaml"])?;
    itself(app, layout, &["deploy", "portal.backout.yaml", "--dry-run"])?;

    chapter(4, "Release v2.0, stage by stage, watched");
    let before = match SqliteJournal::exists(app.state_folder())? {
        true => newest(app).await.map_or(0, |run| run.number_for(CHANGE).unwrap_or(0)),
        false => 0,
    };
    let deploy = [
        "deploy",
        "portal.backout.yaml",
        "--as",
        "deployment-lead",
        "--reason",
        "v2.0 goes live",
        "--demo",
        "--wait",
        "--plain",
    ];
    say(&format!("   $ backout {}", shown(&deploy)));
    let mut coordinator = Coordinator::start(backout(app, layout, &deploy), &telling.leash)?;
    let run = began(app, before, &mut coordinator).await?;
    let mut night =
        Night { app, layout, telling: telling.clone(), answered: Vec::new(), decided: 0 };
    let mut until = Instant::now() + PATIENCE;
    let mut killed = !telling.kill;
    loop {
        if Instant::now() > until {
            coordinator.end();
            return Err(failed(format!("{run} did not finish in {PATIENCE:?}")));
        }
        // Asked first: whatever it wrote before it ended is in the log by then.
        let ended = coordinator.ended()?;
        let log = RunLog::open(app.existing_journal()?, &run).await?;
        let state = log.state();
        if !killed && is_half_restored(state, layout) {
            killed = true;
            coordinator = kill_and_resume(app, layout, &run, coordinator, &telling.leash)?;
        }
        if night.decide(state)? {
            until = Instant::now() + PATIENCE;
        }
        night.answer(state)?;
        if state.finished().is_some() {
            coordinator.join();
            break;
        }
        if let Some(code) = ended {
            return Err(failed(format!("the coordinator ended with {code}")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let log = RunLog::open(app.existing_journal()?, &run).await?;
    end(app, layout, log.state(), killed && telling.kill).await?;
    Ok(run)
}

/// What is left to show once it is over.
async fn end(app: &App, layout: &Layout, state: &RunState, killed: bool) -> Result<(), Failure> {
    match &state.finished() {
        Some((Outcome::Reverted, _)) => {
            chapter(7, "Everything is as it was");
            compare(app, layout, state).await?;
            if killed {
                once(layout)?;
            }
        }
        // Somebody wanted it so.
        _ => {
            chapter(7, "The release stays");
            say(&format!("   {}", backout_demo::summary(layout)));
        }
    }
    chapter(8, "Who asks later gets an answer");
    let report = app.state_folder().join(format!("{}.md", state.run()));
    let report = report.to_string_lossy().into_owned();
    itself(app, layout, &["render", state.run().as_str(), "--to", "md", "-o", &report])
}

async fn newest(app: &App) -> Option<RunId> {
    run_ref::find(app, Some(CHANGE)).await.ok()
}

/// Waits until the run is in the journal.
async fn began(app: &App, before: u64, coordinator: &mut Coordinator) -> Result<RunId, Failure> {
    let until = Instant::now() + PATIENCE;
    loop {
        let ended = coordinator.ended()?;
        if let Some(run) = newest(app).await
            && run.number_for(CHANGE).is_some_and(|number| number > before)
        {
            return Ok(run);
        }
        if let Some(code) = ended {
            return Err(failed(format!("the coordinator ended with {code}")));
        }
        if Instant::now() > until {
            return Err(failed("the run did not begin"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn is_half_restored(state: &RunState, layout: &Layout) -> bool {
    let restoring = state.active().any(|i| {
        state.steps()[i].id.as_str() == "restore-db" && state.states()[i].status == Status::Running
    });
    let size = |path: PathBuf| std::fs::metadata(path).map_or(0, |about| about.len());
    let copied = size(layout.database().with_extension("restoring"));
    restoring && copied > size(layout.database_backup()) / 4
}

fn kill_and_resume(
    app: &App,
    layout: &Layout,
    run: &RunId,
    mut coordinator: Coordinator,
    leash: &Leash,
) -> Result<Coordinator, Failure> {
    let bold = anstyle::Style::new().bold();
    say(&format!(
        "   {bold}$ kill -9 {}{bold:#}      the coordinator dies in the middle of the restore",
        coordinator.child.id()
    ));
    coordinator.end();
    let resume = ["resume", run.as_str(), "--as", "deployment-lead", "--wait", "--plain"];
    say(&format!("   $ backout {}", resume.join(" ")));
    Coordinator::start(backout(app, layout, &resume), leash)
}

/// The people of the night, and what they have said so far.
struct Night<'a> {
    app: &'a App,
    layout: &'a Layout,
    telling: Telling,
    answered: Vec<String>,
    /// The number of the last decision that was answered.
    decided: u32,
}

impl Night<'_> {
    /// A decision: shown with everything that is known, and answered; whether there was one.
    fn decide(&mut self, state: &RunState) -> Result<bool, Failure> {
        let open = state.release().open.as_ref().filter(|open| open.number > self.decided);
        let Some(open) = open else { return Ok(false) };
        let (app, layout, run) = (self.app, self.layout, state.run().as_str());
        let first = self.decided == 0;
        self.decided = open.number;
        if first {
            chapter(5, "Something is wrong. Who decides, knowing what?");
        }
        itself(app, layout, &["decide", run, "--explain"])?;
        if first {
            let defect = "Customers cannot log in since v2.0";
            itself(app, layout, &["defect", run, defect, "--severity", "major", "--as", "qa"])?;
        }
        let who = open.asked.first().map_or("pm", |role| role.as_str());
        let choice = if self.telling.decide { ask()? } else { Choice::BackOut { option: None } };
        let (verb, reason) = match choice {
            Choice::Continue => ("continue", "it is a demonstration"),
            Choice::FixForward { .. } => ("fix-forward", "let us see whether it can be fixed"),
            Choice::BackOut { .. } | Choice::NotFixable => {
                ("back-out", "customers are locked out, and nobody knows why")
            }
        };
        let mut words = vec!["decide", run, verb, "--reason", reason, "--as", who];
        if verb == "fix-forward" {
            words.extend(["--for", "10s"]);
        }
        if let Err(refused) = itself(app, layout, &words) {
            // Whoever takes long to answer may find that the plan did not wait.
            if !self.telling.decide {
                return Err(refused);
            }
            say("   It was decided in the meantime.");
            return Ok(true);
        }
        if verb == "back-out" {
            chapter(6, "The way back");
        }
        Ok(true)
    }

    /// Everything else people are asked, answered visibly.
    fn answer(&mut self, state: &RunState) -> Result<(), Failure> {
        for question in questions(state) {
            let (Some(step), [role]) = (&question.step, &question.roles[..]) else { continue };
            let known = state.step(step).map_or(0, |(_, known)| known.attempt);
            let key = format!("{step}/{known}");
            let expected = matches!(question.asks, Asks::Do { .. } | Asks::Confirm { .. });
            if !expected || self.answered.contains(&key) {
                continue;
            }
            self.answered.push(key);
            let words = ["ack", state.run().as_str(), step.as_str(), "--as", role.as_str()];
            itself(self.app, self.layout, &words)?;
        }
        Ok(())
    }
}

/// What whoever watches wants.
fn ask() -> Result<Choice, Failure> {
    let until = jiff::Timestamp::MAX;
    loop {
        say("\n   What do you decide?  b: back out   f: try a fix for ten seconds   c: continue");
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line)? == 0 {
            return Err(failed("nobody answered"));
        }
        match line.trim() {
            "b" => return Ok(Choice::BackOut { option: None }),
            "f" => return Ok(Choice::FixForward { until }),
            "c" => return Ok(Choice::Continue),
            _ => say("   Please answer b, f or c."),
        }
    }
}
