//! Reading recorded data: what triggers saw once.

use std::collections::BTreeMap;
use std::path::Path;

use backout_core::ids::TriggerId;
use backout_core::plan::{Condition, Plan, Trigger};
use backout_trigger::machine::Sample;
use backout_trigger::rule::{Kind, Rule, beyond};
use jiff::Timestamp;

use crate::failure::Failure;

/// Samples of each trigger, in the order of their times.
pub(super) type Recorded = BTreeMap<TriggerId, Vec<(Timestamp, Sample)>>;

/// Reads a CSV file with the columns time,trigger,bad,total or time,trigger,value.
pub(super) fn read(
    plan: &Plan,
    rules: &BTreeMap<TriggerId, Rule>,
    file: &Path,
) -> Result<Recorded, Failure> {
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
        if row.len() != head.len() {
            return Err(wrong(format!("it has {} cells, and the head {}", row.len(), head.len()))
                .hint("leave a cell empty instead of out"));
        }
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
        let counts = (number(bad)?, number(total)?);
        if let (Some(bad), Some(total)) = counts
            && !(bad >= 0.0 && bad <= total && total.is_finite())
        {
            return Err(wrong(format!("{bad} bad of {total} cannot be counts"))
                .hint("`bad` is a part of `total`, and neither is below 0"));
        }
        let sample = match (counts.0, counts.1, number(value)?) {
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
        if samples.last().is_some_and(|(before, _)| *before == at) {
            return Err(wrong(format!("`{name}` has a row of this time already"))
                .hint("a trigger has one row for each look"));
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

/// A moment, or seconds since 1970.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<f64>() {
        let millis = seconds * 1000.0;
        let fits = millis.is_finite() && millis.abs() < 1e16;
        return fits.then(|| Timestamp::from_millisecond(millis.round() as i64).ok()).flatten();
    }
    text.parse().ok()
}
