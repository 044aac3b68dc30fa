//! `new`, `schema`, `check`, `explain`: plan files, without any run.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use serde_json::json;

use backout_plan::diagnostic::{Diagnostic, Finding, Level};
use backout_plan::sarif;
use backout_plan::{ReadPlan, check as checks, rules, schema as schemas, starter};

use super::Done;
use crate::cli::{CheckArgs, Deny, Format, NewArgs};
use crate::failure::{Exit, Failure, colour};

pub(super) fn new(args: &NewArgs) -> Done {
    if args.file == Path::new("-") {
        anstream::print!("{}", starter::starter(None));
        return Ok(Exit::Done);
    }
    if args.file.exists() {
        return Err(Failure::usage(format!("{} exists already", args.file.display()))
            .hint("nothing was changed; choose another name"));
    }
    // Editors read the schema from a file beside the plan.
    let folder = args.file.parent().unwrap_or(Path::new(""));
    let schema = folder.join("backout.schema.json");
    let text = starter::starter(Some("backout.schema.json"));
    let mut file = std::fs::File::options().write(true).create_new(true).open(&args.file)?;
    file.write_all(text.as_bytes())?;
    std::fs::write(&schema, pretty_schema()?)?;
    crate::say!("Wrote {} and, for your editor, {}.", args.file.display(), schema.display());
    crate::say!(
        "Fill in what stands in angle brackets; `backout check {}` says what is left.",
        args.file.display()
    );
    Ok(Exit::Done)
}

fn pretty_schema() -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(&schemas::schema())? + "\n")
}

pub(super) fn schema() -> Done {
    anstream::print!("{}", pretty_schema()?);
    Ok(Exit::Done)
}

/// Reads a plan, or prints everything that is wrong with it.
pub(super) fn must_read(path: &Path) -> Result<ReadPlan, Failure> {
    backout_plan::read(path).map_err(|(text, problems)| unusable(path, &text, &problems))
}

/// Reads a plan for a backout, and prints what of it has to be left out.
pub(super) fn read_to_back_out(path: &Path) -> Result<(ReadPlan, Vec<String>), Failure> {
    let (read, left_out) = backout_plan::read_to_back_out(path)
        .map_err(|(text, problems)| unusable(path, &text, &problems))?;
    let problems = left_out.iter().map(|left_out| &left_out.problem);
    print_problems(path, &read.source, problems);
    let parts = left_out.into_iter().map(|left_out| left_out.part).collect();
    Ok((read, parts))
}

fn unusable(path: &Path, text: &str, problems: &[Diagnostic]) -> Failure {
    print_problems(path, text, problems.iter());
    let errors = count(problems.len(), "error");
    // Not 1: where something is run or watched, that says how it went.
    Failure::usage(format!("{} cannot be used: {errors}", path.display()))
}

fn print_problems<'a>(path: &Path, text: &str, problems: impl Iterator<Item = &'a Diagnostic>) {
    let file = path.display().to_string();
    for problem in problems {
        let coloured = colour(&std::io::stderr());
        crate::warn!("{}\n", problem.render(&file, text, coloured));
    }
}

fn is_unreadable(problem: &Diagnostic) -> bool {
    problem.code == backout_plan::diagnostic::codes::UNREADABLE
}

pub(super) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

struct CheckedFile {
    file: String,
    text: String,
    findings: Vec<Diagnostic>,
    accepted: usize,
    allowed: usize,
}

pub(super) fn check(args: &CheckArgs) -> Done {
    if args.rules {
        return list_rules();
    }
    let mut allow = BTreeSet::new();
    for rule in &args.allow {
        let known = rules::find(rule).ok_or_else(|| {
            Failure::usage(format!("there is no rule `{rule}`"))
                .hint("`backout check --rules` lists them")
        })?;
        allow.insert(known.id.to_owned());
    }
    let mut files = Vec::new();
    let mut unreadable = false;
    for path in &args.plans {
        let file = path.display().to_string();
        files.push(match backout_plan::read(path) {
            Ok(read) => {
                let checked = checks::check(&read, &allow);
                CheckedFile {
                    file,
                    text: read.source,
                    findings: checked.findings,
                    accepted: checked.accepted,
                    allowed: checked.allowed,
                }
            }
            Err((text, findings)) => {
                unreadable |= findings.iter().any(is_unreadable);
                CheckedFile { file, text, findings, accepted: 0, allowed: 0 }
            }
        });
    }
    let format = if args.json { Format::Json } else { args.format };
    match format {
        Format::Human => files.iter().for_each(print_findings),
        Format::Json => print_json(&files)?,
        Format::Sarif => print_sarif(&files)?,
    }
    let worst = files.iter().flat_map(|file| &file.findings).map(|finding| finding.level).min();
    let fails = match worst {
        Some(Level::Error) => true,
        Some(Level::Warning) => args.deny == Some(Deny::Warnings),
        _ => false,
    };
    Ok(match (unreadable, fails) {
        (true, _) => Exit::Usage,
        (false, true) => Exit::Failed,
        (false, false) => Exit::Done,
    })
}

fn print_findings(file: &CheckedFile) {
    let coloured = colour(&std::io::stdout());
    for finding in &file.findings {
        crate::say!("{}\n", finding.render(&file.file, &file.text, coloured));
    }
    let of = |level| file.findings.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings) = (of(Level::Error), of(Level::Warning));
    let mut said = match (errors, warnings) {
        (0, 0) => "sound: no findings".to_owned(),
        (0, warnings) => format!("sound, with {}", count(warnings, "warning")),
        (errors, 0) => count(errors, "error"),
        (errors, warnings) => {
            format!("{} and {}", count(errors, "error"), count(warnings, "warning"))
        }
    };
    if file.accepted > 0 {
        said.push_str(&format!("; {} accepted in the plan", count(file.accepted, "finding")));
    }
    if file.allowed > 0 {
        said.push_str(&format!("; {} left out with --allow", count(file.allowed, "finding")));
    }
    if file.findings.iter().any(|finding| finding.code.starts_with("BOP")) {
        said.push_str(" (`backout explain RULE` says more)");
    }
    crate::say!("{}: {said}", file.file);
}

fn print_json(files: &[CheckedFile]) -> Result<(), Failure> {
    let mut findings = Vec::new();
    for file in files {
        for finding in &file.findings {
            findings.push(serde_json::to_value(Finding::new(finding, &file.file, &file.text))?);
        }
    }
    let accepted: usize = files.iter().map(|file| file.accepted).sum();
    let allowed: usize = files.iter().map(|file| file.allowed).sum();
    let value = json!({"findings": findings, "accepted": accepted, "allowed": allowed});
    crate::say!("{}", serde_json::to_string_pretty(&value)?);
    Ok(())
}

fn print_sarif(files: &[CheckedFile]) -> Result<(), Failure> {
    let files: Vec<sarif::Checked<'_>> = files
        .iter()
        .map(|file| sarif::Checked { file: &file.file, text: &file.text, findings: &file.findings })
        .collect();
    crate::say!("{}", serde_json::to_string_pretty(&sarif::log(&files))?);
    Ok(())
}

fn list_rules() -> Done {
    let rows: Vec<Vec<String>> = rules::ALL
        .iter()
        .map(|rule| {
            let level = format!("{:?}", rule.level).to_lowercase();
            vec![rule.id.to_owned(), level, rule.title.to_owned()]
        })
        .collect();
    for line in crate::view::table::columns(&rows) {
        crate::say!("{line}");
    }
    Ok(Exit::Done)
}

pub(super) fn explain(code: &str) -> Done {
    if let Some(rule) = rules::find(code) {
        anstream::print!("{}", rules::page(rule));
        return Ok(Exit::Done);
    }
    if let Some(page) = crate::errors::page(code) {
        anstream::print!("{page}");
        return Ok(Exit::Done);
    }
    Err(Failure::usage(format!("there is no rule or error `{code}`"))
        .hint("`backout check --rules` lists the rules"))
}
