//! `demo`: the whole story on this machine.

mod compare;
mod coordinator;
mod story;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use backout_demo::{Layout, Ports};

use self::coordinator::Leash;
use self::story::Telling;
use super::Done;
use crate::app::App;
use crate::cli::{DemoArgs, DemoCommand};
use crate::failure::{Exit, Failure};
use crate::view::words;

pub(super) async fn demo(app: &App, args: DemoArgs) -> Done {
    match args.what {
        None => {
            let leash = Leash::default();
            story(app, Telling { kill: args.kill, decide: args.decide, leash }).await
        }
        Some(DemoCommand::Up { folder, fresh }) => up(app, &folder, fresh),
        Some(DemoCommand::Down { folder }) => down(&folder),
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, format!("the demonstration failed: {error}"))
}

fn say(text: &str) {
    // Whoever reads no more has not ended the story: it still cleans up behind itself.
    let mut out = anstream::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn chapter(number: u32, text: &str) {
    let bold = anstyle::Style::new().bold();
    say(&format!("\n{bold}{number}. {text}{bold:#}"));
}

/// Installs the portal with people who use it, backs it up, and captures baselines.
fn set_up(app: &App, layout: &Layout) -> Result<(), Failure> {
    chapter(1, "A customer portal, v1.9, and people who use it");
    let ports = Ports::free().map_err(failed)?;
    backout_demo::install(layout, ports).map_err(failed)?;
    std::fs::write(layout.plan(), tonight(app, ports))?;
    backout_demo::start_all(layout).map_err(failed)?;
    backout_demo::start_traffic(layout).map_err(failed)?;
    say(&format!("   http://127.0.0.1:{}  {}", ports.front, backout_demo::summary(layout)));

    chapter(2, "Before the release: backups, and facts to compare with later");
    backout_demo::back_up(layout).map_err(failed)?;
    say("   backed up: database, application, configuration, traffic switch");
    itself(app, layout, &["baseline", "portal.backout.yaml", "--as", "pm"])?;
    Ok(())
}

/// What the plan of a night takes minutes for, and the demonstration seconds.
const PACE: [(&str, &str); 4] = [
    ("every: 15s", "every: 500ms"),
    ("('subsec') - 15", "('subsec') - 0.5"),
    ("bake: 30m", "bake: 5s"),
    ("watch: {window: 2h, grace: 3m", "watch: {window: 5s, grace: 5s"),
];

/// The example's plan with tonight's window, this portal's ports, and a quicker watch.
fn tonight(app: &App, ports: Ports) -> String {
    let zone = jiff::tz::TimeZone::get("Europe/London").unwrap_or(jiff::tz::TimeZone::UTC);
    let minutes = |minutes: i64| {
        let at =
            app.now().checked_add(jiff::SignedDuration::from_mins(minutes)).unwrap_or(app.now());
        at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M").to_string()
    };
    let mut plan = String::new();
    for line in backout_demo::PLAN.lines() {
        let line = match line.trim_start().split(':').next() {
            // A plan that was approved for June is not the plan of tonight.
            Some("deploy") => format!("  deploy: {} / {}", minutes(0), minutes(90)),
            Some("backout_by") => format!("  backout_by: {}", minutes(240)),
            _ if line.starts_with("# yaml-language-server") => continue,
            _ => line.to_owned(),
        };
        plan.push_str(&line);
        plan.push('\n');
    }
    let example = Ports::OF_THE_EXAMPLE;
    let today = app.now().to_zoned(zone).date().to_string();
    for (night, here) in PACE {
        plan = plan.replace(night, here);
    }
    plan.replace("verified: 2026-06-01", &format!("verified: {today}"))
        .replace(&example.front.to_string(), &ports.front.to_string())
        .replace(&example.application.to_string(), &ports.application.to_string())
}

/// Shows a command of this program, runs it, and shows what it says.
fn itself(app: &App, layout: &Layout, arguments: &[&str]) -> Result<(), Failure> {
    say(&format!("   $ backout {}", shown(arguments)));
    let output = backout(app, layout, arguments).output()?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        say(&format!("     {line}"));
    }
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&output.stderr))),
    }
}

fn shown(arguments: &[&str]) -> String {
    let quoted = arguments
        .iter()
        .map(|word| if word.contains(' ') { format!("\"{word}\"") } else { (*word).to_owned() });
    quoted.filter(|word| word != "--demo").collect::<Vec<_>>().join(" ")
}

fn backout(app: &App, layout: &Layout, arguments: &[&str]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(arguments).arg("--state").arg(app.state_folder()).current_dir(layout.root());
    command
}

fn up(app: &App, folder: &Path, fresh: bool) -> Done {
    let layout = Layout::at(folder.to_owned());
    let ready = set_up(app, &layout).and_then(|()| match fresh {
        true => Ok(()),
        false => release(&layout),
    });
    if let Err(error) = ready {
        backout_demo::stop_all(&layout);
        return Err(error);
    }
    let plan = folder.join("portal.backout.yaml");
    if fresh {
        say("\nIt is yours. The way forward, and back:\n");
        say(&format!("  backout check {}", plan.display()));
        say(&format!("  backout deploy {} --dry-run", plan.display()));
        say(&format!("  backout deploy {} --as deployment-lead", plan.display()));
    } else {
        say("\nIt is broken, and yours. The way back:\n");
        say(&format!("  backout check {}", plan.display()));
        say(&format!("  backout invoke {} --dry-run", plan.display()));
        say(&format!("  backout invoke {} --as pm", plan.display()));
    }
    say(&format!("  backout demo down {}        when you are done", folder.display()));
    Ok(Exit::Done)
}

fn release(layout: &Layout) -> Result<(), Failure> {
    chapter(3, "Release v2.0");
    backout_demo::release_v2(layout).map_err(failed)?;
    say(&format!("   {}", backout_demo::summary(layout)));
    Ok(())
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

/// Whoever has seen enough leaves nothing behind.
async fn given_up(scratch: PathBuf, leash: Leash) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut hangup)) =
        (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    leash.kill();
    backout_demo::stop_all(&Layout::at(scratch.clone()));
    let _ = std::fs::remove_dir_all(&scratch);
    crate::warn!("\nStopped; the portal and its coordinator are gone.");
    std::process::exit(130);
}

async fn story(app: &App, telling: Telling) -> Done {
    let began = Instant::now();
    let scratch = std::env::temp_dir().join(format!("backout-demo-{}", std::process::id()));
    let layout = Layout::at(scratch.clone());
    tokio::spawn(given_up(scratch.clone(), telling.leash.clone()));
    let told = match set_up(app, &layout) {
        Ok(()) => story::tell(app, &layout, telling).await,
        Err(error) => Err(error),
    };
    backout_demo::stop_all(&layout);
    let removed = std::fs::remove_dir_all(&scratch);
    let run = told?;
    removed?;
    chapter(9, "Look closer");
    say(&format!("   backout status {run}            the steps, the departures, what proves it"));
    say(&format!("   backout decide {run} --explain  who decided what, knowing what"));
    say(&format!("   backout log {run}               everything that happened"));
    say(&format!("   backout verify {run}            the log is whole and unchanged"));
    say(&format!("   (kept in {}; the portal is gone again)", app.state_folder().display()));
    say(&format!("\nThe whole story took {}.", words::length(began.elapsed())));
    Ok(Exit::Done)
}
