//! Running the triggers over recorded data.

use std::collections::BTreeMap;
use std::path::Path;

use backout_core::ids::TriggerId;
use backout_core::plan::{Condition, Plan, Trigger};
use backout_trigger::machine::Sample;
use backout_trigger::replay::{quiet, replay as run};
use backout_trigger::rule::{Kind, Rule, beyond};
use jiff::Timestamp;
use serde_json::json;

use super::Done;
use crate::cli::WatchArgs;
use crate::failure::{Exit, Failure};
use crate::view::words;

/// Samples of each trigger, in the order of their times.
type Recorded = BTreeMap<TriggerId, Vec<(Timestamp, Sample)>>;

pub(super) fn replay(
    plan: &Plan,
    rules: &BTreeMap<TriggerId, Rule>,
    file: &Path,
    args: &WatchArgs,
) -> Done {
    let recorded = read(plan, rules, file)?;
    let until = match &args.stable_until {
        Some(text) => Some(time(text).ok_or_else(|| {
            Failure::usage(format!("--stable-until: `{text}` is no time"))
                .hint("write it as 2026-06-06T02:00:00Z, or in seconds since 1970")
        })?),
        None => None,
    };
    let zone = words::zone(plan);
    let window = plan
        .watch
        .as_ref()
        .and_then(|watch| watch.window)
        .map_or(backout_core::decision::WATCH_WINDOW.get(), |window| window.get());
    let alpha = plan
        .watch
        .as_ref()
        .and_then(|watch| watch.false_alarms)
        .map_or(0.01, |share| share.0 / 100.0);
    let mut results = Vec::new();
    let mut fired = false;
    for (id, samples) in &recorded {
        let rule = &rules[id];
        let Some(done) = run(rule, samples) else { continue };
        let stable: Vec<(Timestamp, Sample)> = samples
            .iter()
            .filter(|(at, _)| until.is_none_or(|until| *at < until))
            .cloned()
            .collect();
        let well = quiet(rule, &stable, window);
        fired |= done.fired.is_some();
        let advice = match (&rule.kind, well.rate()) {
            (Kind::Share { threshold, .. }, Some(rate)) if rate > alpha => {
                well.floor(alpha).filter(|floor| floor > threshold)
            }
            _ => None,
        };
        results.push((id, done, well, advice));
    }
    if args.json {
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
                    "stable_windows": well.windows,
                    "false_alarms": well.alarms,
                    "false_alarm_rate": well.rate(),
                    "evidence_needed_instead": advice,
                })
            })
            .collect();
        anstream::println!("{}", serde_json::to_string_pretty(&json!({"triggers": all}))?);
    } else {
        for (id, done, well, advice) in &results {
            let when = match done.fired {
                Some(at) => format!("fires at {}", words::moment(at, &zone)),
                None => "never fires".to_owned(),
            };
            anstream::println!(
                "{id}: {when}; {} samples, at the end {}",
                recorded[*id].len(),
                done.last.state.shown()
            );
            for change in &done.changes {
                anstream::println!(
                    "  {}  {} → {}",
                    words::moment(change.at, &zone),
                    change.from.shown(),
                    change.to.shown()
                );
            }
            match well.rate() {
                Some(rate) => anstream::println!(
                    "  false alarms: {} of {} watches of {} ({:.1} %; the plan accepts {:.1} %)",
                    well.alarms,
                    well.windows,
                    words::length(window),
                    rate * 100.0,
                    alpha * 100.0
                ),
                None => anstream::println!(
                    "  false alarms: unknown; the record is shorter than one watch of {}",
                    words::length(window)
                ),
            }
            if let Some(floor) = advice {
                anstream::println!(
                    "  too many. Evidence of {floor:.1} would have been needed: bad events come in longer waves than chance; look less often, or raise the limit"
                );
            }
        }
    }
    let unheard: Vec<&str> =
        rules.keys().filter(|id| !recorded.contains_key(*id)).map(|id| id.as_str()).collect();
    if !unheard.is_empty() && !args.json {
        anstream::println!("Not in the record: {}", unheard.join(", "));
    }
    Ok(if fired { Exit::Failed } else { Exit::Done })
}

fn read(plan: &Plan, rules: &BTreeMap<TriggerId, Rule>, file: &Path) -> Result<Recorded, Failure> {
    let cannot = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("{} cannot be read: {error}", file.display()))
    };
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_path(file)
        .map_err(|error| cannot(&error))?;
    let head = reader.headers().map_err(|error| cannot(&error))?.clone();
    let column = |name: &str| head.iter().position(|known| known.eq_ignore_ascii_case(name));
    let (Some(at), Some(id)) = (column("time"), column("trigger")) else {
        return Err(cannot(&"line 1: it needs the columns `time` and `trigger`")
            .hint("and beside them `bad` and `total`, or `value`"));
    };
    let (bad, total, value) = (column("bad"), column("total"), column("value"));
    let mut found = Recorded::new();
    for (index, row) in reader.records().enumerate() {
        let row = row.map_err(|error| cannot(&error))?;
        let line = row.position().map_or(index as u64 + 2, csv::Position::line);
        let wrong = |what: String| cannot(&format!("line {line}: {what}"));
        let cell = |column: Option<usize>| {
            column.and_then(|column| row.get(column)).filter(|text| !text.is_empty())
        };
        let name = cell(Some(id)).unwrap_or_default();
        let Some((id, rule)) = rules.iter().find(|(known, _)| known.as_str() == name) else {
            let known: Vec<&str> = rules.keys().map(|id| id.as_str()).collect();
            return Err(wrong(format!("there is no trigger `{name}` that a machine watches"))
                .hint(format!("the plan has {}", known.join(", "))));
        };
        let text = cell(Some(at)).unwrap_or_default();
        let at = time(text).ok_or_else(|| {
            wrong(format!("`{text}` is no time"))
                .hint("write it as 2026-06-06T02:00:00Z, or in seconds since 1970")
        })?;
        let number = |column| -> Result<Option<f64>, Failure> {
            match cell(column) {
                None => Ok(None),
                Some(text) => {
                    text.parse().map(Some).map_err(|_| wrong(format!("`{text}` is no figure")))
                }
            }
        };
        let sample = match (number(bad)?, number(total)?, number(value)?) {
            (Some(bad), Some(total), None) => Sample::Counts { bad, total },
            (None, None, Some(value)) => {
                Sample::Value { value, beyond: is_beyond(&plan.triggers[id], value) }
            }
            (None, None, None) => Sample::Nothing,
            _ => return Err(wrong("either `bad` and `total`, or `value`".to_owned())),
        };
        let fits = match sample {
            Sample::Counts { .. } => matches!(rule.kind, Kind::Share { .. }),
            Sample::Value { .. } => matches!(rule.kind, Kind::Plain),
            _ => true,
        };
        if !fits {
            let wanted = match rule.kind {
                Kind::Share { .. } => "`bad` and `total`",
                Kind::Plain => "`value`",
            };
            return Err(wrong(format!("`{name}` is about {wanted}")));
        }
        let samples = found.entry(id.clone()).or_default();
        if samples.last().is_some_and(|(before, _)| *before > at) {
            return Err(
                wrong(format!("`{name}` goes back in time")).hint("sort the record by time")
            );
        }
        samples.push((at, sample));
    }
    if found.is_empty() {
        return Err(cannot(&"it holds no sample"));
    }
    Ok(found)
}

/// Whether a recorded value is beyond the limit; what only says yes or no says it by 1.
fn is_beyond(trigger: &Trigger, value: f64) -> bool {
    match &trigger.condition {
        Condition::Gauge(gauge) => beyond(&gauge.limit, value),
        Condition::Relative(relative) => value > 1.0 + relative.worse_than.0 / 100.0,
        _ => value >= 1.0,
    }
}

fn time(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<f64>() {
        let millis = seconds * 1000.0;
        let fits = millis.is_finite() && millis.abs() < 1e16;
        return fits.then(|| Timestamp::from_millisecond(millis.round() as i64).ok()).flatten();
    }
    text.parse().ok()
}
