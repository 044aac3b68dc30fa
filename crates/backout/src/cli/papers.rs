//! The arguments of what is done with documents: import and render.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::AsArgs;

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
    /// decision, stages, options, steps, schedule, data, readiness, messages, people,
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
