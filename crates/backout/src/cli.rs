//! The command line. The doc comments here and below are the help, and the CLI
//! reference.

mod demo;
mod papers;
mod plans;
mod releases;
mod runs;
mod watching;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

pub(crate) use self::{demo::*, papers::*, plans::*, releases::*, runs::*, watching::*};
use crate::failure::Exit;

/// Plan, prove and run the way back.
///
/// A backout plan says how to return a system to its last good state when a
/// release goes wrong. backout checks the plan like code, runs it step by step,
/// survives any crash without repeating or losing a step, and leaves a log that
/// proves what happened.
#[derive(Debug, Parser)]
#[command(
    name = "backout",
    version,
    max_term_width = 100,
    after_help = "\
Start here:
  backout demo                     the whole story on this machine, in under a minute
  backout import OLD-PLAN.docx     a plan from the document you have
  backout new my.backout.yaml      a plan to start from
  backout check my.backout.yaml    what is missing or wrong in it

On a bad night:
  backout invoke PLAN              start the backout, and stay with it
  backout status                   where are we, and who is waited for?
  backout resume                   go on after anything

Exit codes: 0 done, 1 findings or failed, 10 in part or without any check, 11 the release
was backed out, 12 holding: another option goes on, 20 waiting for a person, 30 refused,
64 usage, 70 bug."
)]
pub(crate) struct Cli {
    /// Folder that keeps runs. Default: $XDG_STATE_HOME/backout.
    #[arg(long, global = true, env = "BACKOUT_STATE", hide_env_values = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) state: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented plan to start from.
    New(NewArgs),
    /// Read a plan out of a document: Markdown, Word, Excel, HTML, CSV, a ticket.
    ///
    /// Nothing is invented: what the document does not say stays empty, what was
    /// guessed is listed with the reason, and what was not understood is kept as
    /// notes with its place. Commands become instructions for people. Then the
    /// plan is checked; the exit code is that of `check`.
    ///
    /// With --results, reads a filled-in checklist workbook back into a run.
    Import(ImportArgs),
    /// Write a plan or a run as a document: Markdown, HTML, Word, Excel.
    ///
    /// Of a plan: what a change board signs, with pictures, schedule, point of no
    /// return and the plan's digest; as a workbook, the checklist to fill in by
    /// hand; with --offline, one page to work from when nothing else works. Of a
    /// run: timeline, planned against actual, commands, decisions, the review.
    /// The same plan gives the same bytes, and `import` reads it back.
    Render(RenderArgs),
    /// Print the JSON Schema of the plan file, for editors.
    Schema,
    /// Check plans for everything an expert reviewer would find.
    ///
    /// Exit code 0 when a plan is sound, 1 when there are errors (or warnings,
    /// with --deny warnings), 64 when a file cannot be opened.
    Check(CheckArgs),
    /// Explain a rule or an error code, such as BOP-115 or BK108.
    Explain(ExplainArgs),
    /// How long going back takes, how likely it ends in time, and until when it can begin.
    ///
    /// Of a plan: an invocation at the start of its window (or now, if it is that
    /// night). Of a run: from where it stands. Durations come from earlier runs
    /// where there are any, else from what the plan states; what each rests on is
    /// shown. The same plan, history and --seed give the same figures everywhere.
    Forecast(Box<ForecastArgs>),
    /// What steps took in earlier runs.
    History(RunsArgs),
    /// Propose durations for a plan from what its steps took.
    ///
    /// Shows old and new figures, from how many measurements, and the change to
    /// the file as a patch; --write makes it. Comments and layout stay.
    Calibrate(CalibrateArgs),
    /// Capture the plan's baselines, before the deployment.
    ///
    /// Facts such as row counts and checksums are kept with the change. `invoke`
    /// uses the latest capture and says how old it is.
    Baseline(BaselineArgs),
    /// Deploy stage by stage, watched, with the way back at hand at every moment.
    ///
    /// Stages are carried out like steps. A trigger that fires, or a person, stops
    /// them; whoever the plan names decides; and what took place is undone, last
    /// first. --dry-run shows the stages and what undoes each.
    Deploy(DeployArgs),
    /// Decide how a deployment goes on: back out, fix forward, continue.
    ///
    /// The roles that are asked decide, and their deputies; to back out, any lead may.
    /// Without a question it is a decision too: a person's own judgement. What has to be
    /// confirmed first is asked with exit code 20, and --yes confirms it. --explain shows
    /// every decision with all that was known.
    Decide(DecideArgs),
    /// Say what became of a stage that another system carries out, or agree to one.
    #[command(subcommand)]
    Stage(StageCommand),
    /// Write down what is wrong with the release.
    Defect(DefectArgs),
    /// Watch the triggers of a plan or a run: value, limit, evidence, and why it does
    /// not fire.
    ///
    /// Of a plan it looks by itself and ends with Ctrl-C; exit code 0 when everything
    /// was found well, 1 when something fired, 20 when nobody can say. Of a run it
    /// shows what the run's coordinator sees. With --replay it runs the triggers over
    /// recorded data: when each would have fired, and how often without a cause; exit
    /// code 20 when nothing fires and one was not seen to be well, or is not in the record.
    Watch(WatchArgs),
    /// Start the backout, and stay with it.
    ///
    /// On a terminal this shows the run live. Elsewhere it prints a line per
    /// event and ends with exit code 20 when only a person can go on; --wait
    /// stays instead. The first Ctrl-C pauses: running steps finish, no new ones
    /// start. The second detaches; `backout resume` comes back.
    Invoke(InvokeArgs),
    /// Go on with a run: after a hold, a detach, or any crash. RUN may be left out where
    /// only one is open.
    Resume(ResumeArgs),
    /// Rebuild the log of a run that is damaged, cut off or gone, from what is proven.
    ///
    /// Keeps every record that follows from the ones before it, and enters each attempt that
    /// the ledger proves; what does not fit is in doubt. The damaged journal is kept, by
    /// another name. The run is held then, and `resume` goes on with it.
    Recover(RecoverArgs),
    /// Show where a run stands and what it waits for; without RUN, every open run.
    Status(StatusArgs),
    /// Show everything that happened in a run, in order.
    Log(LogArgs),
    /// List runs, newest first.
    Runs(RunsArgs),
    /// Say that a manual step is done, or confirm what was asked.
    Ack(AckArgs),
    /// Say that a manual step cannot be done, or that a confirmation is refused.
    Fail(StepArgs),
    /// Stop a running step, with everything it started.
    Stop(StepArgs),
    /// Run a failed step again; or repeat a finished or skipped one.
    Retry(RetryArgs),
    /// Leave a step out.
    Skip(SkipArgs),
    /// Put a step into the run, read from a YAML file.
    Add(AddArgs),
    /// Do a step another way, read from a YAML file. It keeps its name.
    Replace(ReplaceArgs),
    /// Say what happened to a step in doubt, or attest a failed one.
    Resolve(ResolveArgs),
    /// Ask the verifications of a failed step, or of one in doubt, again.
    ///
    /// If they hold now, the step is done and verified. If they do not, it stays as it is.
    /// Nothing is run a second time.
    CheckAgain(StepArgs),
    /// Hand a step, or all open steps of a role, to another person.
    Assign(AssignArgs),
    /// Start nothing new; running steps finish.
    Hold(RunActArgs),
    /// Switch to another option of the plan. What is done stays done.
    ///
    /// A run whose option ends with users kept out (exit code 12) goes on this way.
    SwitchOption(OptionArgs),
    /// The former name of switch-option.
    #[command(hide = true)]
    Escalate {
        /// What followed it.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Give the run up. This cannot be undone.
    Abandon(RunActArgs),
    /// Show what a step printed.
    Tail(TailArgs),
    /// Check that a run's log is whole and unchanged.
    Verify(VerifyArgs),
    /// Show the whole story on a small real portal, in under a minute.
    ///
    /// Starts a portal (web server, database, files, a traffic switch), breaks
    /// it with a bad release, runs the plan of examples/customer-portal, and
    /// shows that everything is as it was.
    Demo(DemoArgs),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write man pages into a folder.
    Man {
        /// The folder.
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
    /// Start the supervisors of a coordinator, which asks for them on standard input.
    #[command(hide = true)]
    Spawner,
    /// The portal of the demonstration.
    #[command(hide = true, subcommand)]
    Portal(backout_demo::PortalCommand),
    /// Write the CLI reference in Markdown.
    #[command(hide = true)]
    Reference,
}

/// Reads the command line; `Err` holds the exit code when that was all.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        let _ = error.print();
        match error.use_stderr() {
            true => Exit::Usage.into(),
            false => Exit::Done.into(),
        }
    })
}

/// The whole command line as clap knows it.
pub(crate) fn definition() -> clap::Command {
    Cli::command()
}
