//! `demo`: the whole story on this machine.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backout_core::ids::RunId;
use backout_core::question::{QuestionKind, questions};
use backout_core::state::RunState;
use backout_core::status::Status;
use backout_demo::{Layout, Ports};
use backout_engine::RunLog;
use backout_sqlite::SqliteJournal;

use super::Done;
use crate::app::App;
use crate::cli::{DemoArgs, DemoCommand};
use crate::failure::{Exit, Failure};
use crate::run_ref;
use crate::view::live::took;
use crate::view::table::columns;
use crate::view::{status, words};

/// The change of the example.
const CHANGE: &str = "CHG0031337";
/// Longer than this, and the demonstration has hung.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn demo(app: &App, args: DemoArgs) -> Done {
    match args.what {
        None => story(app, args.kill).await,
        Some(DemoCommand::Up { folder }) => up(app, &folder),
        Some(DemoCommand::Down { folder }) => down(&folder),
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, format!("the demonstration failed: {error}"))
}

fn say(text: &str) {
    anstream::println!("{text}");
    let _ = std::io::stdout().flush();
}

fn chapter(number: u32, text: &str) {
    let bold = anstyle::Style::new().bold();
    say(&format!("\n{bold}{number}. {text}{bold:#}"));
}

/// Installs the portal, backs it up, captures baselines, and breaks it.
fn set_up(app: &App, layout: &Layout) -> Result<(), Failure> {
    chapter(1, "A customer portal, v1.9");
    let ports = Ports::free().map_err(failed)?;
    backout_demo::install(layout, ports).map_err(failed)?;
    std::fs::write(layout.plan(), tonight(app, ports))?;
    backout_demo::start_all(layout).map_err(failed)?;
    say(&format!("   http://127.0.0.1:{}  {}", ports.front, backout_demo::summary(layout)));

    chapter(2, "Before the release: backups, and facts to compare with later");
    backout_demo::back_up(layout).map_err(failed)?;
    say("   backed up: database, application, configuration, traffic switch");
    itself(app, layout, &["baseline", "portal.backout.yaml", "--as", "pm"])?;

    chapter(3, "Release v2.0");
    backout_demo::release_v2(layout).map_err(failed)?;
    say(&format!("   {}", backout_demo::summary(layout)));
    Ok(())
}

/// The example's plan with tonight's window and this portal's ports.
fn tonight(app: &App, ports: Ports) -> String {
    let zone = jiff::tz::TimeZone::get("Europe/London").unwrap_or(jiff::tz::TimeZone::UTC);
    let hours = |hours: i64| {
        let at =
            app.now().checked_add(jiff::SignedDuration::from_hours(hours)).unwrap_or(app.now());
        at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M").to_string()
    };
    let mut plan = String::new();
    for line in backout_demo::PLAN.lines() {
        let line = match line.trim_start().split(':').next() {
            // A plan that was approved for June is not the plan of tonight.
            Some("deploy") => format!("  deploy: {} / {}", hours(-1), hours(1)),
            Some("backout_by") => format!("  backout_by: {}", hours(3)),
            _ if line.starts_with("# yaml-language-server") => continue,
            _ => line.to_owned(),
        };
        plan.push_str(&line);
        plan.push('\n');
    }
    let example = Ports::OF_THE_EXAMPLE;
    let today = app.now().to_zoned(zone).date().to_string();
    plan.replace("verified: 2026-06-01", &format!("verified: {today}"))
        .replace(&example.front.to_string(), &ports.front.to_string())
        .replace(&example.application.to_string(), &ports.application.to_string())
}

/// Shows a command of this program, runs it, and shows what it says.
fn itself(app: &App, layout: &Layout, arguments: &[&str]) -> Result<(), Failure> {
    say(&format!("   $ backout {}", arguments.join(" ")));
    let output = backout(app, layout, arguments).output()?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        say(&format!("     {line}"));
    }
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&output.stderr))),
    }
}

fn backout(app: &App, layout: &Layout, arguments: &[&str]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(arguments).arg("--state").arg(app.state_folder()).current_dir(layout.root());
    command
}

fn up(app: &App, folder: &Path) -> Done {
    let layout = Layout::at(folder.to_owned());
    if let Err(error) = set_up(app, &layout) {
        backout_demo::stop_all(&layout);
        return Err(error);
    }
    let plan = folder.join("portal.backout.yaml");
    say("\nIt is broken, and yours. The way back:\n");
    say(&format!("  backout check {}", plan.display()));
    say(&format!("  backout invoke {} --dry-run", plan.display()));
    say(&format!("  backout invoke {} --as pm", plan.display()));
    say(&format!("  backout demo down {}        when you are done", folder.display()));
    Ok(Exit::Done)
}

fn down(folder: &Path) -> Done {
    let layout = Layout::at(folder.to_owned());
    // Nothing is removed that was not set up by `demo up`.
    layout.ports().map_err(|error| Failure::refused(error.to_string()))?;
    backout_demo::stop_all(&layout);
    std::fs::remove_dir_all(layout.root())?;
    say(&format!("Stopped the portal and removed {}.", layout.root().display()));
    Ok(Exit::Done)
}

async fn story(app: &App, kill: bool) -> Done {
    let began = Instant::now();
    let scratch = std::env::temp_dir().join(format!("backout-demo-{}", std::process::id()));
    let layout = Layout::at(scratch.clone());
    let told = tell(app, &layout, kill).await;
    backout_demo::stop_all(&layout);
    let removed = std::fs::remove_dir_all(&scratch);
    let run = told?;
    removed?;
    chapter(7, "Look closer");
    say(&format!("   backout status {run}      the steps, the departures, what proves it"));
    say(&format!("   backout log {run}         everything that happened"));
    say(&format!("   backout verify {run}      the log is whole and unchanged"));
    say(&format!("   (kept in {}; the portal is gone again)", app.state_folder().display()));
    say(&format!("\nThe whole story took {}.", words::length(began.elapsed())));
    Ok(Exit::Done)
}

async fn tell(app: &App, layout: &Layout, kill: bool) -> Result<RunId, Failure> {
    set_up(app, layout)?;

    chapter(4, "The backout plan");
    itself(app, layout, &["check", "portal.backout.yaml"])?;

    chapter(5, "The way back");
    let mut journal_before = 0;
    if SqliteJournal::exists(app.state_folder()) {
        journal_before = newest(app).await.map_or(0, |run| run.number_for(CHANGE).unwrap_or(0));
    }
    let invoke = [
        "invoke",
        "portal.backout.yaml",
        "--as",
        "deployment-lead",
        "--reason",
        "v2.0 fails its health check",
        "--demo",
        "--wait",
        "--plain",
    ];
    say(&format!("   $ backout {}", shown(&invoke)));
    let mut coordinator = Coordinator::start(backout(app, layout, &invoke))?;
    let run = began(app, journal_before, &mut coordinator).await?;
    let until = Instant::now() + PATIENCE;
    let mut killed = !kill;
    let mut answered = Vec::new();
    loop {
        if Instant::now() > until {
            coordinator.end();
            return Err(failed(format!("{run} did not finish in {PATIENCE:?}")));
        }
        let log = RunLog::open(app.existing_journal()?, &run).await?;
        let state = log.state();
        if !killed && is_half_restored(state, layout) {
            killed = true;
            coordinator = kill_and_resume(app, layout, &run, coordinator)?;
        }
        answer(app, layout, state, &mut answered)?;
        if state.finished.is_some() {
            coordinator.join();
            break;
        }
        if let Some(code) = coordinator.ended()? {
            return Err(failed(format!("the coordinator ended with {code}")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    chapter(6, "Everything is as it was");
    let log = RunLog::open(app.existing_journal()?, &run).await?;
    compare(app, layout, log.state()).await?;
    if kill {
        once(layout)?;
    }
    Ok(run)
}

fn shown(arguments: &[&str]) -> String {
    let quoted = arguments
        .iter()
        .map(|word| if word.contains(' ') { format!("\"{word}\"") } else { (*word).to_owned() });
    quoted.filter(|word| word != "--demo").collect::<Vec<_>>().join(" ")
}

async fn newest(app: &App) -> Option<RunId> {
    run_ref::find(app, Some(CHANGE)).await.ok()
}

/// Waits until the run is in the journal.
async fn began(app: &App, before: u64, coordinator: &mut Coordinator) -> Result<RunId, Failure> {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(run) = newest(app).await
            && run.number_for(CHANGE).is_some_and(|number| number > before)
        {
            return Ok(run);
        }
        if let Some(code) = coordinator.ended()? {
            return Err(failed(format!("the coordinator ended with {code}")));
        }
        if Instant::now() > until {
            return Err(failed("the run did not begin"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A coordinator in a process of its own, its lines shown as they come.
struct Coordinator {
    child: Child,
    lines: Option<std::thread::JoinHandle<()>>,
}

impl Coordinator {
    fn start(mut command: Command) -> Result<Self, Failure> {
        let (reader, writer) = std::io::pipe()?;
        let child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
        // The command holds the pipe's other end; the pipe must close with the child.
        drop(command);
        let lines = std::thread::spawn(move || {
            for line in BufReader::new(reader).lines() {
                let Ok(line) = line else { break };
                say(&format!("     {line}"));
            }
        });
        Ok(Self { child, lines: Some(lines) })
    }

    /// The code it ended with, if it has.
    fn ended(&mut self) -> Result<Option<i32>, Failure> {
        Ok(self.child.try_wait()?.map(|status| status.code().unwrap_or(-1)))
    }

    fn join(&mut self) {
        let _ = self.child.wait();
        if let Some(lines) = self.lines.take() {
            let _ = lines.join();
        }
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        self.join();
    }
}

fn is_half_restored(state: &RunState, layout: &Layout) -> bool {
    let restoring = state.active().any(|i| {
        state.steps[i].id.as_str() == "restore-db" && state.states[i].status == Status::Running
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
) -> Result<Coordinator, Failure> {
    let bold = anstyle::Style::new().bold();
    say(&format!(
        "   {bold}$ kill -9 {}{bold:#}      the coordinator dies in the middle of the restore",
        coordinator.child.id()
    ));
    coordinator.end();
    let resume = ["resume", run.as_str(), "--as", "deployment-lead", "--wait", "--plain"];
    say(&format!("   $ backout {}", resume.join(" ")));
    Coordinator::start(backout(app, layout, &resume))
}

/// Answers for the people, visibly.
fn answer(
    app: &App,
    layout: &Layout,
    state: &RunState,
    answered: &mut Vec<String>,
) -> Result<(), Failure> {
    for question in questions(state) {
        let (Some(step), Some(role)) = (&question.step, &question.role) else { continue };
        let known = state.step(step).map_or(0, |(_, known)| known.attempt);
        let key = format!("{step}/{known}");
        let expected = matches!(question.kind, QuestionKind::Do | QuestionKind::Confirm);
        if !expected || answered.contains(&key) {
            continue;
        }
        answered.push(key);
        itself(app, layout, &["ack", state.run.as_str(), step.as_str(), "--as", role])?;
    }
    Ok(())
}

/// Every baseline, before, and now; every step, planned and taken.
async fn compare(app: &App, layout: &Layout, state: &RunState) -> Result<(), Failure> {
    let plan = &state.planned.plan;
    let world =
        Arc::new(super::baseline::world_of(plan, layout.root().to_string_lossy().into_owned()));
    let mut rows = vec![["baseline", "before the release", "now", ""].map(str::to_owned).to_vec()];
    let mut same = true;
    let used = state.planned.baselines.as_ref().map(|used| &used.facts);
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
    let schedule = status::schedule(state);
    let mut rows = vec![["step", "planned", "took", ""].map(str::to_owned).to_vec()];
    for index in 0..state.steps.len() {
        let planned = schedule.slots[index].end.saturating_sub(schedule.slots[index].start);
        let took = took(state, index).map(words::length).unwrap_or_default();
        let evidence = &state.states[index].evidence;
        rows.push(vec![
            state.steps[index].label().to_owned(),
            words::length(planned),
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
fn once(layout: &Layout) -> Result<(), Failure> {
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
