//! The arguments of watching.

use std::path::PathBuf;

use clap::{Args, ValueHint};

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// A plan file; or a run, or its change.
    #[arg(value_name = "PLAN|RUN", value_hint = ValueHint::FilePath)]
    pub(crate) target: String,
    /// End after so long, such as 10m, with exit code 0 if everything was found well.
    #[arg(long = "for", value_name = "DURATION")]
    pub(crate) lasting: Option<String>,
    /// Show what is looked for and what it takes to fire, and look at nothing.
    #[arg(long, conflicts_with_all = ["replay", "history"])]
    pub(crate) dry_run: bool,
    /// Run the triggers over recorded data instead: a CSV file with the columns
    /// time,trigger,bad,total or time,trigger,value.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "recorded")]
    pub(crate) replay: Option<PathBuf>,
    /// Run the triggers over what their sources still know of so long ago until now, such
    /// as 7d: would they have fired, and how often although nothing was wrong? Prometheus
    /// keeps a history; most other sources do not, and it is said which.
    #[arg(long, value_name = "DURATION", group = "recorded")]
    pub(crate) history: Option<String>,
    /// With --replay or --history: until this moment everything was well. What fires
    /// before it is a false alarm. Default: the whole record was well.
    #[arg(long, value_name = "TIME", requires = "recorded")]
    pub(crate) stable_until: Option<String>,
    /// Print JSON: one object a line while watching, one object in all otherwise.
    #[arg(long)]
    pub(crate) json: bool,
}
