//! The arguments of what is done with a run.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

/// Who acts.
#[derive(Debug, Args)]
pub(crate) struct AsArgs {
    /// Who you are: a role of the plan, a name in it, or ROLE/NAME. Default: the
    /// role your account has in the plan.
    #[arg(long = "as", value_name = "WHO")]
    pub(crate) who: Option<String>,
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
    /// Carry out at most that many steps of machines at the same time; a resumed run keeps
    /// to it. Default: what the plan says, else as many as the limit of file descriptors is
    /// enough for, at most 256.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) max_parallel: Option<u32>,
    /// Print a line per event, on a terminal too.
    #[arg(long, conflicts_with = "json")]
    pub(crate) plain: bool,
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
    /// Start in the place of a run whose log is damaged or lost, with --reason: each step that it
    /// carried out, or may have, is asked about before it runs.
    #[arg(long)]
    pub(crate) new_run: bool,
    /// Confirm what is asked: back out without parts of the plan that cannot be used.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) who: AsArgs,
    #[command(flatten)]
    pub(crate) stay: StayArgs,
    #[arg(long, hide = true)]
    pub(crate) demo: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The run, or its change. Default: the one that is open.
    pub(crate) run: Option<String>,
    /// Take the run over from a coordinator that hangs. Its steps go on and are waited for.
    #[arg(long, requires = "reason")]
    pub(crate) take_over: bool,
    /// Why the run is resumed or taken over.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Confirm what is asked: that the run goes on in a copy of its state folder or on another
    /// machine; with --take-over, from a coordinator that shows that it lives.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) who: AsArgs,
    #[command(flatten)]
    pub(crate) stay: StayArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The run, or its change. Default: every open run.
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
pub(crate) struct RetryArgs {
    #[command(flatten)]
    pub(crate) step: StepArgs,
    /// With another key (`BACKOUT_KEY`, `key_header`): the target does not recognise it as a
    /// repeat. For a target that answers a repeat with the failure it kept.
    #[arg(long)]
    pub(crate) new_key: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    #[command(flatten)]
    pub(crate) run: RunActArgs,
    /// Confirm what is asked: that the run goes on in a copy of its state folder.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SkipArgs {
    #[command(flatten)]
    pub(crate) step: StepArgs,
    /// Confirm what is asked: that users are let in next.
    #[arg(long)]
    pub(crate) yes: bool,
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
pub(crate) struct OptionArgs {
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
    /// Compare the log with a position and digest noted before: `17:1f4c09ab22d0`, as `verify`
    /// and `status` print them.
    #[arg(long, value_name = "POSITION:DIGEST")]
    pub(crate) expect: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
