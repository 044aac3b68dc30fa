//! `render`: a plan or a run for people who read paper.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use backout_core::event::Instants;
use backout_core::graph::Graph;
use backout_core::plan::Plan;
use backout_core::state::select;
use backout_documents::Document;
use backout_documents::board::{Material, Section, board, footing, not_ready};
use backout_documents::report;
use backout_documents::workbook::workbook;
use backout_documents::write::{Page, html, markdown, word};
use backout_forecast::outlook::{History, Outlook, Settings, Situation, look};
use backout_plan::{ReadPlan, check, times};

use super::Done;
use super::import::write;
use super::plans::must_read;
use crate::app::App;
use crate::cli::{RenderArgs, RenderFormat};
use crate::failure::{Exit, Failure};
use crate::foresight::{history_of_state, records, threads};
use crate::run_ref;
use crate::suspect;

/// How many nights a document's forecast looks at: the same everywhere.
const NIGHTS: usize = 40_000;

pub(super) async fn render(app: &App, args: &RenderArgs) -> Done {
    if args.offline && args.to != RenderFormat::Html {
        return Err(
            Failure::usage("the offline kit is one HTML page").hint("use `--to html --offline`")
        );
    }
    if args.to == RenderFormat::Xlsx && !args.sections.is_empty() {
        return Err(Failure::usage("a checklist workbook has all its sheets")
            .hint("leave `--sections` out, or choose another format"));
    }
    let ending =
        args.output.as_deref().and_then(Path::extension).and_then(|ending| ending.to_str());
    let other = ["md", "html", "docx", "xlsx"].into_iter().find(|known| Some(*known) == ending);
    if let Some(other) = other.filter(|other| *other != args.to.ending()) {
        return Err(Failure::usage(format!(
            "`-o` names a .{other} file, `--to` says {}",
            args.to.ending()
        ))
        .hint("nothing was written; let the two say the same"));
    }
    let path = Path::new(&args.target);
    let looks_like_a_file = args.target.contains(['/', '.']);
    if !path.exists() && !looks_like_a_file {
        return of_run(app, args).await;
    }
    let sections = sections(&args.sections, &Section::ALL, Section::name)?;
    let history = if args.measured { history_of_state(app).await? } else { History::default() };
    let read = must_read(path)?;
    let made = of_plan(&read, &history, args, &sections)?;
    deliver(args, path, made)
}

/// The sections that were named, or all.
fn sections<S: Copy>(
    names: &[String],
    all: &[S],
    named: fn(S) -> &'static str,
) -> Result<Vec<S>, Failure> {
    if names.is_empty() {
        return Ok(all.to_vec());
    }
    let find = |name: &String| {
        all.iter().copied().find(|section| named(*section) == name).ok_or_else(|| {
            let known: Vec<&str> = all.iter().map(|section| named(*section)).collect();
            Failure::usage(format!("there is no section `{name}`"))
                .hint(format!("the sections are {}", known.join(", ")))
        })
    };
    names.iter().map(find).collect()
}

fn of_plan(
    read: &ReadPlan,
    history: &History,
    args: &RenderArgs,
    sections: &[Section],
) -> Result<Vec<u8>, Failure> {
    let plan = &read.plan;
    let outlook = outlook(plan, history);
    let findings = check::check(read, &BTreeSet::new()).findings;
    let digest = read.digest.to_string();
    let material = Material {
        plan,
        source: &read.source,
        digest: digest.clone(),
        outlook: outlook.as_ref().map_err(Clone::clone),
        findings: &findings,
        working: args.offline,
    };
    if args.to == RenderFormat::Xlsx {
        let not_ready = not_ready(&findings);
        return workbook(plan, &read.source, &digest, &[], not_ready.as_deref())
            .map_err(|error| Failure::of(&error));
    }
    let document = board(&material, sections);
    written(&document, &footing(plan, &digest), args)
}

async fn of_run(app: &App, args: &RenderArgs) -> Done {
    let run = run_ref::find(app, Some(&args.target)).await?;
    let log = app.open(&run).await?;
    suspect::is_said(app, &run).await?;
    let journal = app.existing_journal()?;
    let records = records(&journal, &run).await.map_err(|error| Failure::of(&error))?;
    let state = log.state();
    let bytes = if args.to == RenderFormat::Xlsx {
        let planned = &state.planned();
        let digest = planned.plan_digest.to_string();
        let known = report::filled(&report::Log { state, records: &records });
        let not_ready = backout_plan::read_bytes(planned.source.as_bytes())
            .ok()
            .and_then(|read| not_ready(&check::check(&read, &BTreeSet::new()).findings));
        workbook(&planned.plan, &planned.source, &digest, &known, not_ready.as_deref())
            .map_err(|error| Failure::of(&error))?
    } else {
        let sections = sections(&args.sections, &report::Section::ALL, report::Section::name)?;
        let made = report::report(&report::Log { state, records: &records }, &sections);
        written(&made, &report::footing(state), args)?
    };
    deliver(args, Path::new(run.as_str()), bytes)
}

fn written(document: &Document, foot: &str, args: &RenderArgs) -> Result<Vec<u8>, Failure> {
    let page = if args.offline { Page::Working } else { Page::Reading };
    Ok(match args.to {
        RenderFormat::Md => markdown(document).map_err(|error| Failure::of(&error))?.into_bytes(),
        RenderFormat::Html => html(document, page).into_bytes(),
        RenderFormat::Docx => word(document, foot).map_err(|error| Failure::of(&error))?,
        RenderFormat::Xlsx => Vec::new(),
    })
}

/// The forecast of the default way, invoked when the deployment begins: the same
/// for the same plan, whenever it is asked for.
fn outlook(plan: &Plan, history: &History) -> Result<Outlook, String> {
    if plan.steps.is_empty() {
        return Err("there is no step".to_owned());
    }
    let window: Instants = times::comparable(plan.window.as_ref());
    let selected = select(plan, plan.default_option(), &[]).map_err(|why| why.to_string())?;
    let graph = Graph::new(&plan.steps, &selected, &[]).map_err(|cycle| cycle.to_string())?;
    let at = window
        .deploy_start
        .or(window.deploy_end)
        .or(window.backout_by)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let situation = Situation::of_plan(plan, &graph, at, window, times::not_before(plan));
    let nights = (12_000_000 / plan.steps.len().max(1)).clamp(2000, NIGHTS);
    let settings = Settings { nights, thorough: false, threads: threads(), ..Settings::default() };
    look(&situation, history, settings).map_err(|why| why.to_string())
}

/// Writes to the file that was named, else beside the plan's name in this folder;
/// text goes to standard output with `-o -`.
fn deliver(args: &RenderArgs, target: &Path, bytes: Vec<u8>) -> Done {
    if args.output.as_deref() == Some(Path::new("-")) {
        use std::io::Write;
        std::io::stdout().write_all(&bytes)?;
        return Ok(Exit::Done);
    }
    let path = args.output.clone().unwrap_or_else(|| {
        let name =
            target.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let stem =
            name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).unwrap_or(&name);
        let kit = if args.offline { ".offline" } else { "" };
        PathBuf::from(format!("{stem}{kit}.{}", args.to.ending()))
    });
    // A document is made from the plan: making it again is no loss. What is no
    // document of ours is not written over.
    let ours = path.extension().is_some_and(|ending| ending == args.to.ending());
    write(&path, &bytes, ours || args.force)?;
    crate::say!("Wrote {}.", path.display());
    Ok(Exit::Done)
}
