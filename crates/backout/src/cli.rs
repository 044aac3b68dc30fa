//! The command line. The doc comments here are the help, and the CLI reference.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

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
  backout invoke PLAN              start the way back, and stay with it
  backout status                   where are we, and who is waited for?
  backout resume                   go on after anything

Exit codes: 0 done, 1 findings or failed, 10 partial, 20 waiting for a person,
30 refused, 64 usage, 70 bug."
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
    /// Start the way back, and stay with it.
    ///
    /// On a terminal this shows the run live. Elsewhere it prints a line per
    /// event and ends with exit code 20 when only a person can go on; --wait
    /// stays instead. The first Ctrl-C holds: what runs is finished, nothing
    /// starts. The second detaches; `backout resume` comes back.
    Invoke(InvokeArgs),
    /// Go on with a run: after a hold, a detach, or any crash.
    Resume(ResumeArgs),
    /// Show where a run stands, and who is waited for.
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
    Retry(StepArgs),
    /// Leave a step out.
    Skip(StepArgs),
    /// Put a step into the run, read from a YAML file.
    Add(AddArgs),
    /// Do a step another way, read from a YAML file. It keeps its name.
    Replace(ReplaceArgs),
    /// Say what happened to a step in doubt, or vouch for a failed one.
    Resolve(ResolveArgs),
    /// Hand a step, or all open steps of a role, to somebody else.
    Assign(AssignArgs),
    /// Start nothing new; what runs is finished.
    Hold(RunActArgs),
    /// Move to a heavier option of the plan. What is done stays done.
    Escalate(EscalateArgs),
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
    /// Carry out one attempt at one step.
    #[command(hide = true)]
    Supervise {
        /// The attempt's folder.
        folder: PathBuf,
    },
    /// The portal of the demonstration.
    #[command(hide = true, subcommand)]
    Portal(backout_demo::PortalCommand),
    /// Write the CLI reference in Markdown.
    #[command(hide = true)]
    Reference,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// One JSON object.
    Json,
    /// SARIF 2.1.0.
    Sarif,
}

/// What to treat as an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Deny {
    /// Warnings too.
    Warnings,
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The file to write; `-` for standard output.
    #[arg(default_value = "plan.backout.yaml", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

/// How an import is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// Everything, in Markdown.
    Md,
    /// Everything, as one JSON object.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The document.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// The run to bring results into.
    #[arg(value_name = "RUN", requires = "results")]
    pub(crate) run: Option<String>,
    /// The plan to write; `-` for standard output. Default: the document's name
    /// with .backout.yaml, in this folder.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Write over a plan that is there already.
    #[arg(long)]
    pub(crate) force: bool,
    /// Print the whole report, with the source of every field.
    #[arg(long, value_enum)]
    pub(crate) report: Option<ReportFormat>,
    /// Same as --report json.
    #[arg(long, conflicts_with = "report")]
    pub(crate) json: bool,
    /// Which record to read, where a ticket file holds several: its number.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) record: Option<String>,
    /// Read a checklist that was filled in by hand back into a run, as attested
    /// after the fact.
    #[arg(long, conflicts_with_all = ["output", "force", "record"], requires = "run")]
    pub(crate) results: bool,
    #[command(flatten)]
    pub(crate) who: AsArgs,
}

/// The formats of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RenderFormat {
    /// Markdown, with Mermaid pictures.
    Md,
    /// One HTML page that needs nothing else.
    Html,
    /// Word.
    Docx,
    /// Excel: the checklist to fill in.
    Xlsx,
}

impl RenderFormat {
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Md => "md",
            Self::Html => "html",
            Self::Docx => "docx",
            Self::Xlsx => "xlsx",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RenderArgs {
    /// A plan file; or a run, or its change.
    #[arg(value_name = "PLAN|RUN", value_hint = ValueHint::FilePath)]
    pub(crate) target: String,
    /// The format.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) to: RenderFormat,
    /// Only these sections, in the order of the document: summary, change,
    /// decision, options, steps, schedule, data, readiness, messages, people,
    /// risks, after, findings, approval, notes, file; of a run: summary, timeline,
    /// steps, commands, decisions, deviations, baselines, review, file.
    #[arg(long, value_name = "SECTION", num_args = 1.., value_delimiter = ',')]
    pub(crate) sections: Vec<String>,
    /// The file to write; `-` for standard output. Default: named after the plan, in this folder.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Write over a file that is there already and has another ending.
    #[arg(long)]
    pub(crate) force: bool,
    /// The page to work from when nothing else works: people and steps first, boxes to tick.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Take durations from the runs of this machine where they were measured.
    #[arg(long)]
    pub(crate) measured: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Plan files.
    #[arg(required_unless_present = "rules", value_hint = ValueHint::FilePath)]
    pub(crate) plans: Vec<PathBuf>,
    /// How to print findings.
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: Format,
    /// Same as --format json.
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Treat warnings as errors.
    #[arg(long, value_enum)]
    pub(crate) deny: Option<Deny>,
    /// Leave out the findings of a rule; can be given several times.
    #[arg(long, value_name = "RULE")]
    pub(crate) allow: Vec<String>,
    /// List the rules instead.
    #[arg(long, conflicts_with = "plans")]
    pub(crate) rules: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A rule or an error code.
    pub(crate) code: String,
}

/// Who acts.
#[derive(Debug, Args)]
pub(crate) struct AsArgs {
    /// Who you are: a role of the plan, a name in it, or ROLE/NAME. Default: the
    /// role your account has in the plan.
    #[arg(long = "as", value_name = "WHO")]
    pub(crate) who: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BaselineArgs {
    /// The plan file.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) plan: PathBuf,
    #[command(flatten)]
    pub(crate) who: AsArgs,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StayArgs {
    /// Stay when only a person can go on, without a terminal too; with a
    /// duration such as 30m, at most that long.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "forever")]
    pub(crate) wait: Option<String>,
    /// Print one JSON event a line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print a line per event, on a terminal too.
    #[arg(long, conflicts_with = "json")]
    pub(crate) plain: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ForecastArgs {
    /// A plan file; or a run, or its change.
    #[arg(value_name = "PLAN|RUN", value_hint = ValueHint::FilePath)]
    pub(crate) target: String,
    /// The moment of the invocation: `02:30`, `2026-06-06T02:30`, in the plan's time zone.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// This option of the plan. Default: the default one in full, the others beside it.
    #[arg(long, value_name = "NAME")]
    pub(crate) option: Option<String>,
    /// Back out only these components, and what they need.
    #[arg(long, value_name = "COMPONENT", num_args = 1.., value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Show which components could stay, against the point of no return.
    #[arg(long)]
    pub(crate) partial: bool,
    /// Compare with fixing forward, which takes `45m`, or `LOW/LIKELY/HIGH`.
    #[arg(long, value_name = "DURATION")]
    pub(crate) fix: Option<String>,
    /// Take measured durations from this file instead of the runs of this machine.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) history: Option<PathBuf>,
    /// Everything takes this many times as long as stated or rehearsed.
    #[arg(long, value_name = "FACTOR")]
    pub(crate) stress: Option<f64>,
    /// How much longer everything takes on a bad night: `15%`.
    #[arg(long, value_name = "PERCENT")]
    pub(crate) bad_night: Option<String>,
    /// What the random numbers come from.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many nights to simulate. Default: 100,000, fewer for plans of more than 300 steps.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1000..=20_000_000))]
    pub(crate) nights: Option<u32>,
    /// Draw the schedule into this SVG file too.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) svg: Option<PathBuf>,
    /// Write everything into this HTML file too.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CalibrateArgs {
    /// The plan file.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) plan: PathBuf,
    /// Take measured durations from this file instead of the runs of this machine.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) history: Option<PathBuf>,
    /// How many measurements a step needs.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) least: u32,
    /// Change the file.
    #[arg(long)]
    pub(crate) write: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InvokeArgs {
    /// The plan file.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) plan: PathBuf,
    /// Run this option of the plan.
    #[arg(long, value_name = "NAME")]
    pub(crate) option: Option<String>,
    /// Back out only these components, and what they need.
    #[arg(long, value_name = "COMPONENT", num_args = 1.., value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Show exactly what would run, and touch nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Why the change is backed out.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Start a second run of a change whose first is not finished.
    #[arg(long)]
    pub(crate) again: bool,
    #[command(flatten)]
    pub(crate) who: AsArgs,
    #[command(flatten)]
    pub(crate) stay: StayArgs,
    #[arg(long, hide = true)]
    pub(crate) demo: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The run, or its change. Default: the newest run.
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) who: AsArgs,
    #[command(flatten)]
    pub(crate) stay: StayArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The run, or its change. Default: the newest run.
    pub(crate) run: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// The run, or its change. Default: the newest run.
    pub(crate) run: Option<String>,
    /// Print one JSON event a line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Go on as the run goes on.
    #[arg(long, short)]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AckArgs {
    /// The run, or its change.
    pub(crate) run: String,
    /// The step.
    pub(crate) step: String,
    #[command(flatten)]
    pub(crate) who: AsArgs,
    /// What you saw or did.
    #[arg(long)]
    pub(crate) note: Option<String>,
    /// A file to keep as evidence; can be given several times.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) attach: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct StepArgs {
    /// The run, or its change.
    pub(crate) run: String,
    /// The step.
    pub(crate) step: String,
    /// Why. It goes into the log.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) who: AsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The run, or its change.
    pub(crate) run: String,
    /// A YAML file with one step; `-` for standard input.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) step: PathBuf,
    /// It runs after this step, and before what followed it.
    #[arg(long, value_name = "STEP")]
    pub(crate) after: Option<String>,
    /// These steps wait for it.
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    pub(crate) before: Vec<String>,
    /// Why. It goes into the log.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) who: AsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReplaceArgs {
    /// The run, or its change.
    pub(crate) run: String,
    /// The step to replace.
    pub(crate) step: String,
    /// A YAML file with the new step; `-` for standard input.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Why. It goes into the log.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) who: AsArgs,
}

/// What happened to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Verdict {
    /// It happened: go on behind it.
    Happened,
    /// It did not happen: it is run.
    DidNotHappen,
    /// Leave it open.
    Hold,
}

#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    /// The run, or its change.
    pub(crate) run: String,
    /// The step.
    pub(crate) step: String,
    /// What happened to it.
    #[arg(value_enum)]
    pub(crate) answer: Verdict,
    /// How you know. It goes into the log.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) who: AsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AssignArgs {
    /// The run, or its change.
    pub(crate) run: String,
    /// A step, or a role: then all its open steps.
    pub(crate) what: String,
    /// The person who takes it: a name, or a role of the plan.
    pub(crate) to: String,
    /// Why. It goes into the log.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) who: AsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RunActArgs {
    /// The run, or its change.
    pub(crate) run: String,
    /// Why. It goes into the log.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) who: AsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EscalateArgs {
    /// The run, or its change.
    pub(crate) run: String,
    /// The option.
    pub(crate) option: String,
    /// Why. It goes into the log.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) who: AsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// The run, or its change.
    pub(crate) run: String,
    /// The step.
    pub(crate) step: String,
    /// Go on until the step is done.
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Print the bytes as they are, terminal escapes included.
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The run, or its change. Default: the newest run.
    pub(crate) run: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct DemoArgs {
    /// Kill the coordinator with kill -9 in the middle of the database restore, and resume.
    #[arg(long)]
    pub(crate) kill: bool,
    #[command(subcommand)]
    pub(crate) what: Option<DemoCommand>,
}

/// The demonstration by hand.
#[derive(Debug, Subcommand)]
pub(crate) enum DemoCommand {
    /// Set up the portal in a folder, released to a broken v2.0, and leave it running.
    Up {
        /// The folder; it must not exist.
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
    /// Stop the portal in a folder and remove the folder.
    Down {
        /// The folder.
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
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
