//! `import`: a document becomes a plan, with an account of every field.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use backout_documents::read::{self, Unreadable};
use backout_import::{Imported, Report};
use backout_plan::check;
use backout_plan::diagnostic::{Diagnostic, Finding, Level};

use super::Done;
use super::plans::count;
use crate::app::App;
use crate::cli::{ImportArgs, ReportFormat};
use crate::failure::{Exit, Failure};
use crate::view::words;

pub(super) async fn import(app: &dyn Fn() -> Result<App, Failure>, args: &ImportArgs) -> Done {
    let (name, bytes) = open(&args.file)?;
    let format = read::detect(&name, &bytes).map_err(|error| unreadable(&name, error))?;
    // Rows that people hid or filtered while they worked are still results.
    let document = match args.results {
        true => read::read_whole(format, &bytes),
        false => read::read(format, &bytes, args.record.as_deref()),
    };
    let document = document.map_err(|error| unreadable(&name, error))?;
    if args.results {
        return super::results::results(&app()?, args, &document).await;
    }
    let stem =
        args.file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let imported = backout_import::import(&document, format, &stem);
    let text = &imported.text;
    let target = target(args, &stem);
    let checked = backout_plan::read_bytes(text.as_bytes()).map_err(|(_, problems)| {
        // The import reads its plan back itself; this is a file too large to be a plan.
        let why = problems.first().map_or_else(String::new, |problem| problem.message.clone());
        Failure::usage(format!("{name} cannot be kept in a plan file: {why}"))
            .hint("import the part about the backout as a file of its own")
    })?;
    let findings = check::check(&checked, &BTreeSet::new()).findings;
    match &target {
        Some(path) => {
            // The document is the evidence of where the plan comes from.
            if std::fs::canonicalize(path)
                .is_ok_and(|path| std::fs::canonicalize(&args.file).is_ok_and(|file| file == path))
            {
                return Err(Failure::usage(format!("{} is the document itself", path.display()))
                    .hint("nothing was changed; choose another name with -o"));
            }
            write(path, text, args.force)?;
        }
        None => anstream::print!("{text}"),
    }
    let shown = target.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string());
    let report = if args.json { Some(ReportFormat::Json) } else { args.report };
    let mut out: Box<dyn Write> = match target {
        // The plan has standard output for itself.
        None => Box::new(anstream::stderr()),
        Some(_) => Box::new(anstream::stdout()),
    };
    match report {
        Some(ReportFormat::Json) => {
            let value = as_json(&name, format, &shown, &imported, &findings, text)?;
            writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
        }
        Some(ReportFormat::Md) => {
            write!(out, "{}", imported.report.markdown(&name))?;
            write!(out, "\n## What `check` says\n\n")?;
            for (code, (number, finding)) in by_rule(&findings) {
                writeln!(out, "- {code} ({number}): {}", finding.message)?;
            }
        }
        None => {
            let lines = summary(&name, format.name(), &shown, &imported.report, &findings);
            lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
        }
    }
    let sound = findings.iter().all(|finding| finding.level != Level::Error);
    Ok(if sound { Exit::Done } else { Exit::Failed })
}

fn unreadable(name: &str, error: Unreadable) -> Failure {
    let failure = Failure::usage(format!("{name}: {}", error.message));
    match error.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The bytes of a file, never more than the limit: a device has no end.
fn open(path: &Path) -> Result<(String, Vec<u8>), Failure> {
    let name = path.display().to_string();
    let cannot = |error: std::io::Error| Failure::usage(format!("{name} cannot be read: {error}"));
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(read::LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
    Ok((name, bytes))
}

/// Where the plan goes; nothing for standard output.
fn target(args: &ImportArgs, stem: &str) -> Option<PathBuf> {
    match &args.output {
        Some(path) if path == Path::new("-") => None,
        Some(path) => Some(path.clone()),
        None => Some(PathBuf::from(format!("{stem}.backout.yaml"))),
    }
}

/// Writes beside the target and moves it there: whole or not at all.
pub(super) fn write(path: &Path, text: impl AsRef<[u8]>, force: bool) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| {
        Failure::usage(format!("{} cannot be written: {error}", path.display()))
    };
    if path.symlink_metadata().is_ok() && !force {
        return Err(Failure::usage(format!("{} exists already", path.display())).hint(
            "nothing was changed; choose another name with -o, or write over it with --force",
        ));
    }
    let name =
        path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let beside = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let written = std::fs::File::options()
        .write(true)
        .create_new(true)
        .open(&beside)
        .and_then(|mut file| file.write_all(text.as_ref()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&beside);
        cannot(error)
    })
}

/// One finding of each rule, and how many there are.
fn by_rule(findings: &[Diagnostic]) -> BTreeMap<&str, (usize, &Diagnostic)> {
    let mut rules: BTreeMap<&str, (usize, &Diagnostic)> = BTreeMap::new();
    for finding in findings {
        rules.entry(finding.code).and_modify(|(number, _)| *number += 1).or_insert((1, finding));
    }
    rules
}

fn as_json(
    name: &str,
    format: read::Format,
    target: &str,
    imported: &Imported,
    findings: &[Diagnostic],
    text: &str,
) -> Result<serde_json::Value, Failure> {
    let findings = findings
        .iter()
        .map(|finding| serde_json::to_value(Finding::new(finding, target, text)))
        .collect::<Result<Vec<_>, _>>()?;
    let mut value = json!({"document": name, "format": format.name(), "plan": target});
    if let (Some(value), serde_json::Value::Object(report)) =
        (value.as_object_mut(), serde_json::to_value(&imported.report)?)
    {
        value.extend(report);
        value.insert("findings".to_owned(), findings.into());
    }
    Ok(value)
}

/// The report for a terminal: what needs a person, in the order of its weight.
fn summary(
    name: &str,
    format: &str,
    target: &str,
    report: &Report,
    findings: &[Diagnostic],
) -> Vec<String> {
    let (bold, red, yellow, dim) = (words::bold(), words::red(), words::yellow(), words::dim());
    let counts = match (report.found.len(), report.changed.len() + report.not_taken_over.len()) {
        (0, 0) if report.guessed.is_empty() && report.not_understood.is_empty() => {
            "the plan it was made from, as it was".to_owned()
        }
        (0, 0) => "nothing of it was understood as part of a plan".to_owned(),
        (0, changes) => {
            format!("the plan it was made from, with {} by hand", count(changes, "change"))
        }
        (found, _) => format!(
            "{found} found, {} guessed, {} not understood, {} missing",
            report.guessed.len(),
            report.not_understood.len(),
            report.missing.len()
        ),
    };
    let mut lines = vec![format!("{bold}{name}{bold:#} ({format}): {counts}")];
    let mut section = |title: &str, items: Vec<String>, most: usize| {
        if items.is_empty() {
            return;
        }
        lines.push(String::new());
        lines.push(format!("{bold}{title}{bold:#}"));
        let more = items.len().saturating_sub(most);
        lines.extend(items.into_iter().take(most).map(|item| format!("  {item}")));
        if more > 0 {
            lines.push(format!("  {dim}and {more} more: --report md{dim:#}"));
        }
    };
    let told = |changes: &[backout_import::Source]| -> Vec<String> {
        let line = |change: &backout_import::Source| {
            let why = change.why.as_deref().unwrap_or_default();
            format!("{} {dim}({}){dim:#}: {why}", change.field, change.place)
        };
        changes.iter().map(line).collect()
    };
    section("Changed by hand, and taken over", told(&report.changed), 40);
    section("Changed by hand, and NOT taken over: please look", told(&report.not_taken_over), 40);
    section("Missing: nothing in the document says", report.missing.clone(), 30);
    section("Guessed: please look", guesses(report), 12);
    let unread = report.not_understood.iter().map(|unread| {
        let first = unread.text.lines().next().unwrap_or_default();
        let short: String = first.chars().take(70).collect();
        let more =
            if first.chars().count() > 70 || unread.text.lines().count() > 1 { " …" } else { "" };
        format!("{dim}{}:{dim:#} {short}{more}", unread.place)
    });
    section("Not understood: kept under `notes`", unread.collect(), 12);
    let of = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings) = (of(Level::Error), of(Level::Warning));
    let grouped = by_rule(findings);
    let mut rules: Vec<_> = grouped.into_iter().collect();
    rules.sort_by_key(|(code, (_, finding))| (finding.level, *code));
    let found = rules.iter().map(|(code, (number, finding))| {
        let colour = if finding.level == Level::Error { red } else { yellow };
        let more = if *number > 1 {
            format!(" {dim}and {} more{dim:#}", number - 1)
        } else {
            String::new()
        };
        format!("{colour}{code}{colour:#} {}{more}", finding.message)
    });
    section("What `check` finds in it", found.collect(), 60);
    lines.push(String::new());
    let said = match (errors, warnings) {
        (0, 0) => "sound".to_owned(),
        _ => format!("{} and {}", count(errors, "error"), count(warnings, "warning")),
    };
    let wrote = if target == "-" { String::new() } else { format!("Wrote {target}: ") };
    lines.push(format!("{wrote}{said}."));
    if target != "-" && errors + warnings > 0 {
        lines.push(format!(
            "Next: `backout check {target}` shows each finding in its place and what to do."
        ));
    }
    lines
}

/// Guesses of one kind together.
fn guesses(report: &Report) -> Vec<String> {
    let mut together: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for guess in &report.guessed {
        let why = guess.why.clone().unwrap_or_default();
        let item = (guess.field.clone(), guess.place.clone());
        match together.iter_mut().find(|(known, _)| *known == why) {
            Some((_, items)) => items.push(item),
            None => together.push((why, vec![item])),
        }
    }
    let dim = words::dim();
    let line = |(why, items): (String, Vec<(String, String)>)| {
        let (field, place) = items.first().cloned().unwrap_or_default();
        let more = if items.len() > 1 {
            format!(" and {} more places", items.len() - 1)
        } else {
            String::new()
        };
        format!("{field} {dim}({place}{more}){dim:#}: {why}")
    };
    together.into_iter().map(line).collect()
}
