//! The arguments of what is done with a plan: check, explain, forecast, calibrate.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::AsArgs;

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

#[derive(Debug, Args)]
pub(crate) struct BaselineArgs {
    /// The plan file.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) plan: PathBuf,
    #[command(flatten)]
    pub(crate) who: AsArgs,
    /// Confirm what is asked: capture although a run of the change is open.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
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
