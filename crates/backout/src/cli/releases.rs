//! The arguments of what is done with a deployment: deploy, decide, stage, defect.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::{AckArgs, AsArgs, StayArgs, StepArgs};

#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// The plan file.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) plan: PathBuf,
    #[command(flatten)]
    pub(crate) who: AsArgs,
    /// Why now. It goes into the log.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Show the stages and what undoes each, and touch nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Begin although a run of this change is under way.
    #[arg(long)]
    pub(crate) again: bool,
    /// Start in the place of a run whose log is damaged or lost: each step that it carried out,
    /// or may have, is asked about before it runs.
    #[arg(long)]
    pub(crate) new_run: bool,
    /// Begin although `backout check` finds errors in the plan. Needs --reason.
    #[arg(long)]
    pub(crate) anyway: bool,
    #[command(flatten)]
    pub(crate) stay: StayArgs,
    /// On the demonstration system.
    #[arg(long, hide = true)]
    pub(crate) demo: bool,
}

/// What can be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DecideVerb {
    /// Back out: undo what took place.
    BackOut,
    /// Try a fix, for as long as --for says; then it is backed out.
    FixForward,
    /// Go on with the release.
    Continue,
    /// It cannot be fixed: back out.
    NotFixable,
}

#[derive(Debug, Args)]
pub(crate) struct DecideArgs {
    /// The run, or its change.
    pub(crate) run: String,
    /// What.
    #[arg(value_enum, required_unless_present = "explain")]
    pub(crate) verb: Option<DecideVerb>,
    /// Why. It goes into the log. Only back-out goes on without one.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// The number of the question that is answered. If another one is open by then,
    /// nothing is decided.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) question: Option<u32>,
    /// With back-out: this way back, if not the plan's default one.
    #[arg(long, value_name = "NAME")]
    pub(crate) option: Option<String>,
    /// With fix-forward: for how long, such as 30m. Default: the plan's fix window.
    #[arg(long = "for", value_name = "DURATION")]
    pub(crate) lasting: Option<String>,
    /// Confirm what this command would otherwise ask.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Show each decision of the run with everything that was known when it was made.
    #[arg(long, conflicts_with_all = ["verb", "reason", "question", "option", "lasting", "yes"])]
    pub(crate) explain: bool,
    /// Print JSON.
    #[arg(long, requires = "explain")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) who: AsArgs,
}

/// Stages of a deployment, from outside.
#[derive(Debug, Subcommand)]
pub(crate) enum StageCommand {
    /// Say that a stage another system carries out is done.
    Done(AckArgs),
    /// Say that a stage another system carries out has failed.
    Failed(StepArgs),
    /// Agree to a stage that waits for it.
    Approve(ApproveArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    pub(crate) step: StepArgs,
    /// The digest of the stage as it was shown. If anything of it was replaced by then,
    /// nothing is approved; without it, what is there is approved.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) shown: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DefectArgs {
    /// The run, or its change.
    pub(crate) run: String,
    /// What is wrong.
    pub(crate) title: String,
    /// Its number in the tracker.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) id: Option<String>,
    /// How bad it is.
    #[arg(long, value_enum)]
    pub(crate) severity: Option<SeverityArg>,
    /// The trigger that showed it.
    #[arg(long, value_name = "TRIGGER")]
    pub(crate) trigger: Option<String>,
    #[command(flatten)]
    pub(crate) who: AsArgs,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SeverityArg {
    /// The system is down, data is damaged, or security is broken.
    Critical,
    /// A core function is broken or far too slow.
    Major,
    /// It can wait.
    Minor,
}
