//! Running the triggers over recorded data, or over what their sources still know.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backout_core::decision::WATCH_WINDOW;
use backout_core::duration::Span;
use backout_core::ids::TriggerId;
use backout_core::plan::{Condition, Plan};
use backout_core::watch::{Meaning, Verdict};
use backout_engine::hands::World;
use backout_trigger::machine::Sample;
use backout_trigger::replay::{quiet, replay as run};
use backout_trigger::rule::{Kind, Rule, alpha};
use backout_watch::history::history;
use jiff::Timestamp;
use serde_json::json;

use super::Done;
use super::record::{self, Recorded};
use crate::app::App;
use crate::cli::WatchArgs;
use crate::failure::{Exit, Failure};
use crate::view::waiting::Working;
use crate::view::words;

/// How long sources may take to tell their history.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many changes of state are shown of each trigger.
const MOST_CHANGES: usize = 20;

/// The triggers there is nothing to run over, and why.
type Silent = BTreeMap<TriggerId, String>;

/// `--replay FILE`
pub(super) fn of_file(
    plan: &Plan,
    rules: &BTreeMap<TriggerId, Rule>,
    file: &Path,
    args: &WatchArgs,
) -> Done {
    let until = until(args)?;
    let recorded = record::read(plan, rules, file)?;
    let missing = rules.keys().filter(|id| !recorded.contains_key(*id));
    let why = |id: &TriggerId| match plan.triggers[id].condition {
        Condition::Composite(_) => {
            "a composite is not replayed; record what it gave, as `value` 1 or 0"
        }
        _ => "not in the record",
    };
    let silent = missing.map(|id| (id.clone(), why(id).to_owned())).collect();
    show(plan, rules, &recorded, &silent, until, args.json)
}

/// `--history LENGTH`
pub(super) async fn of_sources(
    app: &App,
    plan: &Plan,
    rules: &BTreeMap<TriggerId, Rule>,
    world: World,
    length: Span,
    args: &WatchArgs,
) -> Done {
    let until = until(args)?;
    if length.get().is_zero() {
        return Err(Failure::usage("--history: nothing happens in 0s").hint("write 7d or 12h"));
    }
    let now = app.now();
    let from = now.checked_sub(length.get()).unwrap_or(now);
    let world = Arc::new(world);
    let waiting = Working::on("asking the sources for their history");
    let found = history(plan, &world, from, now, PATIENCE).await;
    drop(waiting);
    let (mut recorded, mut silent) = (Recorded::new(), Silent::new());
    for (id, samples) in found {
        match samples {
            Ok(samples) if samples.is_empty() => {
                silent.insert(id, format!("its source knows nothing of the last {length}"));
            }
            Ok(samples) => {
                recorded.insert(id, samples);
            }
            Err(why) => {
                silent.insert(id, why);
            }
        }
    }
    if recorded.is_empty() {
        let mut nobody = Failure::refused(format!("no source knows anything of the last {length}"));
        for (id, why) in silent {
            nobody = nobody.hint(format!("{id}: {why}"));
        }
        return Err(nobody);
    }
    show(plan, rules, &recorded, &silent, until, args.json)
}

fn until(args: &WatchArgs) -> Result<Option<Timestamp>, Failure> {
    let Some(text) = &args.stable_until else { return Ok(None) };
    record::time(text).map(Some).ok_or_else(|| {
        Failure::usage(format!("--stable-until: `{text}` is no time"))
            .hint("write it as 2026-06-06T02:00:00Z, or in seconds since 1970")
    })
}

/// Runs the triggers over the samples, and says when each would have fired, and how often
/// although nothing was wrong.
fn show(
    plan: &Plan,
    rules: &BTreeMap<TriggerId, Rule>,
    recorded: &Recorded,
    silent: &Silent,
    until: Option<Timestamp>,
    as_json: bool,
) -> Done {
    let zone = words::zone(plan);
    let window = plan.watch.as_ref().and_then(|watch| watch.window).unwrap_or(WATCH_WINDOW).get();
    let alpha = alpha(plan);
    let mut results = Vec::new();
    let mut standing = Vec::new();
    for (id, samples) in recorded {
        let rule = &rules[id];
        let Some(done) = run(rule, samples) else { continue };
        let stable: Vec<(Timestamp, Sample)> = samples
            .iter()
            .filter(|(at, _)| until.is_none_or(|until| *at < until))
            .cloned()
            .collect();
        let well = quiet(rule, &stable, window);
        // Whoever looked away most of the time has not seen that it was well.
        let lasted = samples.first().zip(samples.last());
        let lasted = lasted.map(|((first, _), (last, _))| words::between(*first, *last));
        let seen = done.seen && lasted.is_none_or(|lasted| done.blind * 2 <= lasted);
        let meaning = done.last.meaning(rule);
        let meaning = if seen { meaning } else { meaning.max(Meaning::Open) };
        standing.push((id, done.fired.is_some(), meaning));
        let advice = match (&rule.kind, well.rate()) {
            (Kind::Share { threshold, .. }, Some(rate)) if rate > alpha => {
                well.floor(alpha).filter(|floor| floor > threshold)
            }
            _ => None,
        };
        results.push((id, done, well, advice));
    }
    let (verdict, unseen) = verdict(rules, &standing);
    if as_json {
        let all: Vec<_> = results
            .iter()
            .map(|(id, done, well, advice)| {
                json!({
                    "trigger": id,
                    "samples": recorded[*id].len(),
                    "first_firing": done.fired,
                    "changes": done.changes,
                    "ended": done.last.state,
                    "highest_evidence": done.highest,
                    "blind_seconds": done.blind.as_secs_f64(),
                    "stable_windows": well.windows,
                    "blind_windows": well.blind,
                    "false_alarms": well.alarms,
                    "false_alarm_rate": well.rate(),
                    "evidence_needed_instead": advice,
                })
            })
            .collect();
        crate::say!(
            "{}",
            serde_json::to_string_pretty(
                &json!({"triggers": all, "nothing_known": silent, "verdict": verdict})
            )?
        );
    } else {
        for (id, done, well, advice) in &results {
            let when = match done.fired {
                Some(at) => format!("fires at {}", words::moment(at, &zone)),
                None => "never fires".to_owned(),
            };
            crate::say!(
                "{id}: {when}; {} samples, at the end {}",
                recorded[*id].len(),
                done.last.state.shown()
            );
            let more = done.changes.len().saturating_sub(MOST_CHANGES);
            if more > 0 {
                crate::say!("  {more} changes before these; --json has them all");
            }
            for change in &done.changes[more..] {
                crate::say!(
                    "  {}  {} → {}",
                    words::moment(change.at, &zone),
                    change.from.shown(),
                    change.to.shown()
                );
            }
            if !done.blind.is_zero() {
                crate::say!("  nothing to look at for {} of it", words::length(done.blind));
            }
            match well.rate() {
                Some(rate) => crate::say!(
                    "  false alarms: {} of {} watches of {} ({:.1} %; the plan accepts {:.1} %)",
                    well.alarms,
                    well.windows,
                    words::length(window),
                    rate * 100.0,
                    alpha * 100.0
                ),
                None if well.blind > 0 => crate::say!(
                    "  false alarms: unknown; too little was seen in every watch of {}",
                    words::length(window)
                ),
                None => crate::say!(
                    "  false alarms: unknown; the record is shorter than one watch of {}",
                    words::length(window)
                ),
            }
            if let Some(floor) = advice {
                crate::say!(
                    "  too many. Evidence of {floor:.1} would have been needed: bad events come in longer waves than chance; look less often, or raise the limit"
                );
            }
        }
        for (id, why) in silent {
            crate::say!("{id}: unknown; {why}");
        }
        if verdict == Verdict::Inconclusive {
            let unseen: Vec<&str> = unseen.iter().map(|id| id.as_str()).collect();
            crate::say!(
                "Nothing fires, and nobody can say that all is well: {} was not seen to be.",
                unseen.join(", ")
            );
        }
    }
    Ok(match verdict {
        Verdict::Failed => Exit::Failed,
        Verdict::Passed => Exit::Done,
        Verdict::Inconclusive | Verdict::Accepted | Verdict::Unwatched => Exit::Waiting,
    })
}

/// What a replay says in all, and of which triggers nobody can say anything: they are not in
/// the record, or it ends before they were seen to be well.
fn verdict<'a>(
    rules: &'a BTreeMap<TriggerId, Rule>,
    standing: &[(&TriggerId, bool, Meaning)],
) -> (Verdict, Vec<&'a TriggerId>) {
    if standing.iter().any(|(_, fired, _)| *fired) {
        return (Verdict::Failed, Vec::new());
    }
    let well = |id: &TriggerId| {
        standing.iter().any(|(known, _, meaning)| *known == id && *meaning == Meaning::Healthy)
    };
    // Where no trigger is required, one at least must have seen something.
    let anything = rules.keys().any(well);
    let wanted = rules.iter().filter(|(_, rule)| rule.required || !anything);
    let unseen: Vec<_> = wanted.map(|(id, _)| id).filter(|id| !well(id)).collect();
    (if unseen.is_empty() { Verdict::Passed } else { Verdict::Inconclusive }, unseen)
}
