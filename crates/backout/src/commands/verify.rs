//! `verify`: the log of a run beside everything that is known of it elsewhere: its marks, the
//! ledger, kept outputs and attachments, the plan file, a position somebody noted.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use backout_core::attempt::AttemptId;
use backout_core::event::{Attachment, DoubtCause, Event, Evidence};
use backout_core::ids::{Digest, RunId, Seq, StepId};
use backout_core::mark::{Mark, judge};
use backout_core::record::{Chain, Record};
use backout_core::state::RunState;
use backout_core::status::Status;
use backout_engine::Journal;
use backout_engine::conductor::listed;
use backout_engine::hands::Report;
use backout_exec::entries::Entry;
use backout_exec::tree;

use super::Done;
use crate::app::App;
use crate::cli::VerifyArgs;
use crate::failure::{Exit, Failure};
use crate::run_ref::{self, Known};
use crate::suspect;

/// What a verification of a log found.
#[derive(Default)]
struct Checked {
    /// How often the log was rebuilt: behind which record, and up to which one was lost.
    rebuilt: Vec<(Seq, Option<Seq>)>,
    records: u64,
    problems: Vec<String>,
    outputs: u64,
    attachments: u64,
    /// Results of machines that the ledger holds as the log does.
    results: u64,
    /// Outputs that were still being written when their step ended.
    open: u64,
}

/// What became of the file the plan was read from.
enum PlanFile {
    /// It is what the run follows.
    Same(PathBuf),
    /// It was changed since.
    Differs(PathBuf),
    /// It cannot be read.
    Unreadable(PathBuf, String),
    /// An earlier version did not note its name.
    Unknown,
}

pub(super) async fn verify(app: &App, args: &VerifyArgs) -> Done {
    let expected = args.expect.as_deref().map(parsed).transpose()?;
    let run = match run_ref::known(app, args.run.as_deref()).await? {
        Known::Run(run) => run,
        Known::Lost(run) => return lost(app, &run, args.json),
    };
    // Read before the log: a record is in the log before anything is noted about it.
    let places = app.places(&run).await;
    let entries = app.ledger().entries(&run)?;
    let journal = app.existing_journal()?;
    let stored = journal.read(&run, Seq(0)).await?;
    let mut chain = Chain::new(run.clone());
    let mut checked = Checked::default();
    let mut state: Option<RunState> = None;
    let mut results = Results::default();
    for bytes in &stored {
        let record = match chain.read(bytes) {
            Ok(record) => record,
            Err(error) => {
                checked.problems.push(with_cause(&error));
                break;
            }
        };
        checked.records += 1;
        if let Some(state) = &state {
            results.note(&record, state);
        }
        let applied = match &mut state {
            None => RunState::begin(&record, chain.tail()).map(|begun| state = Some(begun)),
            Some(state) => state.apply(&record, chain.tail()),
        };
        if let Err(error) = applied {
            checked.problems.push(format!("record {}: {error}", record.seq));
            break;
        }
        if let Some(state) = &state {
            results.intents(&record, state);
        }
        for event in &record.events {
            if let Event::LogRecovered { after, known, .. } = event {
                checked.rebuilt.push((*after, *known));
            }
            check_evidence(app, &run, event, &mut checked);
        }
    }
    let is_read_whole = checked.problems.is_empty();
    if let Some(state) = &state {
        let noted: Vec<AttemptId> = entries.iter().map(|entry| entry.id.clone()).collect();
        let unknown: Vec<AttemptId> = match is_read_whole {
            true => state.unknown(&noted).cloned().collect(),
            false => Vec::new(),
        };
        let judged = judge(chain.digests(), state.planned().keeps_marks, &places, &unknown);
        if judged.is_suspect() {
            let why = listed(&judged.suspicions);
            checked.problems.push(format!("the log has lost its end: {why}"));
        }
        for missing in &judged.not_compared {
            checked.problems.push(suspect::not_compared_line(&run, missing));
        }
        results.compare(&entries, &mut checked);
    }
    if let Some(state) = &state {
        checked.problems.extend(first_record(app, state, stored.first()));
        let has_begun = state.states().iter().any(|known| known.intent.is_some());
        let of_ledger = if has_begun { app.ledger().problems(&run) } else { Vec::new() };
        checked.problems.extend(of_ledger.iter().map(|problem| format!("the ledger: {problem}")));
    }
    for entry in entries.iter().filter(|entry| !entry.problems.is_empty()) {
        checked.problems.push(format!("the ledger: {}", suspect::shown(entry)));
    }
    if let Some(expected) = &expected {
        checked.problems.extend(expected.compare(chain.digests()));
    }
    let mark = places.iter().filter_map(|place| place.highest()).max_by_key(|mark| mark.seq);
    let plan_file = state.as_ref().map(plan_file);
    say(&run, args.json, &checked, &chain, state.as_ref(), mark, plan_file.as_ref())?;
    Ok(if checked.problems.is_empty() { Exit::Done } else { Exit::Failed })
}

/// Whether the first record that is kept beside the ledger is the one in the log: without that one
/// `recover` rests on it.
fn first_record(app: &App, state: &RunState, stored: Option<&Vec<u8>>) -> Option<String> {
    match app.ledger().first(state.run()) {
        Ok(None) if state.planned().keeps_marks => {
            Some("first.json beside the ledger is gone".to_owned())
        }
        Ok(kept) if kept.is_none() || kept.as_ref() == stored => None,
        Ok(_) => Some("first.json beside the ledger is not the first record of the log".to_owned()),
        Err(error) => Some(format!("first.json beside the ledger cannot be read: {error}")),
    }
}

fn say(
    run: &RunId,
    json: bool,
    checked: &Checked,
    chain: &Chain,
    state: Option<&RunState>,
    mark: Option<Mark>,
    plan_file: Option<&PlanFile>,
) -> Result<(), Failure> {
    let digest = state.map(|state| state.planned().plan_digest);
    if json {
        let value = json!({
            "run": run, "whole": checked.problems.is_empty(), "records": checked.records,
            "tail": chain.tail(), "mark": mark.map(|mark| json!({"seq": mark.seq, "digest": mark.digest})),
            "plan_digest": digest, "plan_file": plan_file.map(PlanFile::json),
            "outputs": checked.outputs, "attachments": checked.attachments,
            "results": checked.results, "outputs_open": checked.open,
            "problems": checked.problems,
            "rebuilt": checked.rebuilt.iter().map(|(after, known)| json!({"after": after, "known": known})).collect::<Vec<_>>(),
        });
        anstream::println!("{}", serde_json::to_string_pretty(&value)?);
        return Ok(());
    }
    if checked.problems.is_empty() {
        if checked.rebuilt.is_empty() {
            anstream::println!("{run}: whole and unchanged.");
        } else {
            anstream::println!("{run}: unchanged since it was rebuilt. A part of it is lost.");
        }
        for (after, known) in &checked.rebuilt {
            let to = known.filter(|known| known > after).map(|known| format!(" to {known}"));
            anstream::println!(
                "  rebuilt behind record {after}: what stood in record {}{} is lost, but for what the ledger proved",
                after.next(),
                to.unwrap_or_default()
            );
        }
        anstream::println!("  {} records, each following from the one before", checked.records);
        if let Some(digest) = digest {
            anstream::println!("  plan    {digest}");
        }
        anstream::println!("  log     {}:{}", chain.seq(), chain.tail());
        anstream::println!(
            "  {} outputs and {} attachments match their digests",
            checked.outputs,
            checked.attachments
        );
        anstream::println!(
            "  {} results of machines are in the ledger as in the log",
            checked.results
        );
        let mark = match mark {
            Some(mark) => format!("no mark is ahead of it; the highest is record {}", mark.seq),
            None => "it has no mark to compare it with: an earlier version wrote it".to_owned(),
        };
        anstream::println!("  {mark}");
    } else {
        for problem in &checked.problems {
            anstream::println!("{run}: {problem}");
        }
    }
    if let Some(line) = plan_file.and_then(PlanFile::line) {
        anstream::println!("  {line}");
    }
    if checked.problems.is_empty() {
        anstream::println!(
            "Note `{}:{}` elsewhere: `--expect` compares it later. The chain proves order, not origin.",
            chain.seq(),
            chain.tail().short()
        );
    }
    Ok(())
}

/// A run that did something here, and that the journal does not have.
fn lost(app: &App, run: &RunId, json: bool) -> Done {
    let entries = app.ledger().entries(run)?;
    let carried_out = super::plans::count(entries.len(), "attempt");
    let problem = format!(
        "{run}: its log is gone; {carried_out} were carried out, and what became of them is not known here"
    );
    if json {
        anstream::println!("{}", json!({"run": run, "whole": false, "problems": [problem]}));
        return Ok(Exit::Failed);
    }
    anstream::println!("{problem}");
    for entry in &entries {
        anstream::println!("  {}", suspect::shown(entry));
    }
    anstream::println!("Rebuild it: backout recover {run} --reason \"…\"");
    Ok(Exit::Failed)
}

/// What the log says of the results of machines.
#[derive(Default)]
struct Results {
    /// The record of the intent of each attempt.
    intents: BTreeMap<(StepId, u32), Digest>,
    /// The first outcome of each attempt of a machine, as the coordinator wrote it.
    outcomes: Vec<(StepId, u32, Outcome)>,
}

enum Outcome {
    Done(Evidence),
    Failed(Evidence),
    /// Nobody knows; that the attempt was accepted is known.
    Doubt,
}

impl Results {
    /// Takes in what a record says about steps that are at work in this state.
    fn note(&mut self, record: &Record, state: &RunState) {
        for event in record.events.iter().filter(|_| record.actor.is_coordinator()) {
            let (step, attempt, outcome) = match event {
                Event::StepExecuted { step, attempt, evidence }
                | Event::StepSucceeded { step, attempt, evidence } => {
                    (step, *attempt, Outcome::Done(evidence.clone()))
                }
                Event::StepFailed { step, attempt, evidence, effect, .. }
                    if *effect != backout_core::event::FailureEffect::None =>
                {
                    (step, *attempt, Outcome::Failed(evidence.clone()))
                }
                Event::StepInDoubt {
                    step,
                    attempt,
                    cause:
                        DoubtCause::SupervisorLost
                        | DoubtCause::Deadline
                        | DoubtCause::Unended
                        | DoubtCause::NoAnswer,
                    ..
                } => (step, *attempt, Outcome::Doubt),
                _ => continue,
            };
            let at_work = state.step(step).is_some_and(|(step, known)| {
                known.status == Status::Running && step.action.is_dispatched()
            });
            if at_work {
                self.outcomes.push((step.clone(), attempt, outcome));
            }
        }
    }

    /// Takes in which record the intents of a record stand in, behind it.
    fn intents(&mut self, record: &Record, state: &RunState) {
        for event in &record.events {
            let (Event::StepIntent { step, attempt, .. }
            | Event::StepRecovered { step, attempt, .. }) = event
            else {
                continue;
            };
            let intent = state.step(step).and_then(|(_, known)| known.intent);
            self.intents.extend(intent.map(|intent| ((step.clone(), *attempt), intent)));
        }
    }

    /// Holds each result in the log against the one in the ledger.
    fn compare(&self, entries: &[Entry], checked: &mut Checked) {
        for (step, attempt, outcome) in &self.outcomes {
            let Some(intent) = self.intents.get(&(step.clone(), *attempt)) else { continue };
            let said = match outcome {
                Outcome::Done(said) | Outcome::Failed(said) => Some(said),
                Outcome::Doubt => None,
            };
            let entry = entries.iter().find(|entry| {
                // Steps that start together have one record for their intents.
                (&entry.id.step, entry.id.attempt, entry.id.intent) == (step, *attempt, *intent)
            });
            let about = format!("attempt {attempt} at {step}");
            let Some(entry) = entry else {
                // Its verification held before it was repeated, so it was not.
                let not_run = backout_engine::hands::NOT_RUN_AGAIN;
                if said.is_none_or(|said| said.summary != not_run) {
                    checked.problems.push(format!(
                        "the log has a result of {about}, and the ledger has no such attempt"
                    ));
                }
                continue;
            };
            let Some(said) = said else { continue };
            let (noted, word) = match &entry.report {
                Some(Report::Done(noted)) => (Some(noted), "done"),
                Some(Report::Failed { evidence, .. }) => (Some(evidence), "failed"),
                Some(Report::Doubt { evidence, .. }) => (Some(evidence), "not known"),
                None => (None, "not there"),
            };
            let said_word = match outcome {
                Outcome::Done(_) => "done",
                Outcome::Failed(_) => "failed",
                Outcome::Doubt => "not known",
            };
            if word == said_word && noted.is_some_and(|noted| is_same(noted, said)) {
                checked.results += 1;
                continue;
            }
            let noted = noted.map_or("", |noted| noted.summary.as_str());
            checked.problems.push(format!(
                "the result of {about}: the log says {said_word} ({}), the ledger {word} ({noted})",
                said.summary
            ));
        }
    }
}

/// Whether two notes of a result are of the same one. The coordinator adds what verifications
/// found.
fn is_same(noted: &Evidence, said: &Evidence) -> bool {
    (&noted.summary, noted.code, noted.output, &noted.outputs)
        == (&said.summary, said.code, said.output, &said.outputs)
}

/// A position and its digest, as somebody noted them.
struct Expected {
    seq: Seq,
    /// The digest's first hexadecimal digits, twelve at least.
    digest: String,
}

fn parsed(text: &str) -> Result<Expected, Failure> {
    let unusable = || {
        Failure::usage(format!("`{text}` is not POSITION:DIGEST"))
            .hint("as `backout verify` prints it: `--expect 17:1f4c09ab22d0`")
    };
    let (seq, digest) = text.split_once(':').ok_or_else(unusable)?;
    let digest = digest.trim_start_matches("sha256:").to_ascii_lowercase();
    let is_digest =
        (12..=64).contains(&digest.len()) && digest.chars().all(|c| c.is_ascii_hexdigit());
    match (seq.parse(), is_digest) {
        (Ok(seq), true) if seq > 0 => Ok(Expected { seq: Seq(seq), digest }),
        _ => Err(unusable()),
    }
}

impl Expected {
    fn compare(&self, digests: &[Digest]) -> Option<String> {
        let index = usize::try_from(self.seq.0).ok()?.checked_sub(1)?;
        match digests.get(index) {
            None => Some(format!(
                "the log ends at record {}, before record {}, which is expected",
                digests.len(),
                self.seq
            )),
            Some(found) => {
                let hex = found.to_string().replace("sha256:", "");
                let differs = !hex.starts_with(&self.digest);
                differs.then(|| format!("record {} is not the one that is expected", self.seq))
            }
        }
    }
}

fn plan_file(state: &RunState) -> PlanFile {
    let planned = state.planned();
    let Some(file) = &planned.file else { return PlanFile::Unknown };
    let path = PathBuf::from(&planned.folder).join(file);
    match std::fs::read(&path) {
        Ok(bytes) if Digest::of(&bytes) == planned.plan_digest => PlanFile::Same(path),
        Ok(_) => PlanFile::Differs(path),
        Err(error) => PlanFile::Unreadable(path, error.to_string()),
    }
}

impl PlanFile {
    fn json(&self) -> serde_json::Value {
        match self {
            Self::Same(path) => json!({"path": path, "state": "same"}),
            Self::Differs(path) => json!({"path": path, "state": "differs"}),
            Self::Unreadable(path, why) => {
                json!({"path": path, "state": "unreadable", "error": why})
            }
            Self::Unknown => json!({"path": null, "state": "unknown"}),
        }
    }

    fn line(&self) -> Option<String> {
        Some(match self {
            Self::Same(path) => {
                format!("the plan file is what the run follows: {}", path.display())
            }
            Self::Differs(path) => format!(
                "the plan file was changed since; the run follows what it was: {}",
                path.display()
            ),
            Self::Unreadable(path, why) => format!(
                "the plan file cannot be read; the run follows what it was: {}: {why}",
                path.display()
            ),
            Self::Unknown => return None,
        })
    }
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Holds what lies beside the log against the digests inside it.
fn check_evidence(app: &App, run: &RunId, event: &Event, checked: &mut Checked) {
    match event {
        Event::RunPlanned(planned)
            if Digest::of(planned.source.as_bytes()) != planned.plan_digest =>
        {
            checked
                .problems
                .push("the plan in the log is not the plan its digest names".to_owned());
        }
        Event::StepSucceeded { step, attempt, evidence }
        | Event::StepFailed { step, attempt, evidence, .. }
        | Event::StepExecuted { step, attempt, evidence } => {
            // What a person attached stands in their acknowledgement, and again in
            // the outcome that follows from it.
            if !matches!(event, Event::StepExecuted { .. }) {
                for kept in &evidence.outputs {
                    check_output(app, run, step, *attempt, kept, checked);
                }
                return;
            }
            check_attached(app, run, step, &evidence.attached, checked);
        }
        Event::StepAttested { step, evidence, .. } => {
            check_attached(app, run, step, &evidence.attached, checked);
        }
        _ => {}
    }
}

fn check_attached(
    app: &App,
    run: &RunId,
    step: &StepId,
    attached: &[Attachment],
    checked: &mut Checked,
) {
    let folder = app.ledger().run_folder(run).join("attachments");
    for attachment in attached {
        let kept = folder.join(attachment.digest.to_string().replace("sha256:", ""));
        let name = &attachment.name;
        match tree::file_digest(&kept) {
            Ok(found) if found == attachment.digest => checked.attachments += 1,
            Ok(_) => {
                checked.problems.push(format!("the attachment {name} of {step} was changed"));
            }
            Err(error) => {
                checked.problems.push(format!("the attachment {name} of {step} is gone: {error}"));
            }
        }
    }
}

fn check_output(
    app: &App,
    run: &RunId,
    step: &StepId,
    attempt: u32,
    kept: &Attachment,
    checked: &mut Checked,
) {
    let name = &kept.name;
    if kept.digest == Digest::ZERO {
        // A process the step left behind was still writing when it ended.
        checked.open += 1;
        return;
    }
    let dispatches = app.ledger().dispatches(run, step, attempt).unwrap_or_default();
    let same = |path: PathBuf| tree::file_digest(&path).is_ok_and(|found| found == kept.digest);
    let files: Vec<_> = dispatches.iter().map(|dispatch| dispatch.folder().join(name)).collect();
    if files.iter().any(|file| same(file.clone())) {
        checked.outputs += 1;
    } else if files.iter().any(|file| file.exists()) {
        checked.problems.push(format!("the {name} of {step} was changed"));
    } else {
        checked.problems.push(format!("the {name} of {step} is gone"));
    }
}
