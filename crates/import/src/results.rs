//! What people wrote into a checklist workbook.

use backout_documents::tree::text_of;
use backout_documents::{Document, Kind, Place};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use crate::values;
use crate::words::plain;

/// What somebody wrote beside a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Where it stands.
    pub place: Place,
    /// The step's name in the plan.
    pub step: String,
    /// The status they chose.
    pub status: Status,
    /// Who did it.
    pub name: Option<String>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What else they wrote.
    pub notes: Option<String>,
}

/// A status of the checklist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is done.
    Done,
    /// It failed.
    Failed,
    /// It was left out.
    Skipped,
}

/// What is wrong with a checklist, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The row and the column.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// How times without a day are read.
#[derive(Debug, Clone)]
pub struct Night {
    /// The clock people looked at; none if the plan names none.
    pub zone: Option<TimeZone>,
    /// The moment from which on times without a day count: the next such time after
    /// it is meant. None if the plan names no night.
    pub from: Option<Timestamp>,
    /// Nothing was done after this.
    pub now: Timestamp,
}

/// The digest of the plan a checklist was made from.
#[must_use]
pub fn digest(document: &Document) -> Option<String> {
    let text = backout_documents::tree::text_of_blocks(&document.blocks);
    crate::own::digests(&text)
}

/// Reads the rows in which somebody chose a status.
///
/// # Errors
/// Everything that is wrong with them: nothing of a checklist is taken over that
/// has a mistake in it.
pub fn results(document: &Document, night: &Night) -> Result<Vec<Written>, Vec<Wrong>> {
    let table = document.blocks.iter().find_map(|block| match &block.kind {
        Kind::Table(table) => {
            let names: Vec<String> = table.head.iter().map(|cell| plain(&text_of(cell))).collect();
            let has = |name: &str| names.iter().any(|known| known == name);
            (has("step key") && has("status")).then_some((names, table))
        }
        _ => None,
    });
    let Some((names, table)) = table else {
        return Err(vec![Wrong {
            place: "the document".to_owned(),
            message: "there is no sheet with the columns `Step key` and `Status`".to_owned(),
            hint: "fill in the workbook that `backout render PLAN --to xlsx` writes".to_owned(),
        }]);
    };
    let mut found = Vec::new();
    let mut wrong = Vec::new();
    for row in &table.rows {
        let get = |name: &str| -> Option<String> {
            let at = names.iter().position(|known| known == name)?;
            row.cells
                .get(at)
                .map(|cell| text_of(cell).trim().to_owned())
                .filter(|text| !text.is_empty())
        };
        let mut fault = |column: &str, message: String, hint: &str| {
            wrong.push(Wrong {
                place: format!("{}, column {column}", row.place),
                message,
                hint: hint.to_owned(),
            });
        };
        let Some(status) = get("status") else {
            if get("started").or_else(|| get("ended")).or_else(|| get("done by")).is_some() {
                fault(
                    "Status",
                    "something is written beside a step that has no status".to_owned(),
                    "choose done, failed or skipped",
                );
            }
            continue;
        };
        let Some(step) = get("step key") else {
            fault("Step key", "the row names no step".to_owned(), "leave this column as it was");
            continue;
        };
        let status = match plain(&status).as_str() {
            "done" | "ok" | "yes" | "completed" | "complete" => Status::Done,
            "failed" | "fail" | "no" => Status::Failed,
            "skipped" | "skip" | "n/a" | "not applicable" => Status::Skipped,
            _ => {
                fault(
                    "Status",
                    format!("`{status}` is no status"),
                    "choose done, failed or skipped",
                );
                continue;
            }
        };
        let mut time = |column: &str, after: Option<Timestamp>| -> Option<Timestamp> {
            let text = get(&column.to_lowercase())?;
            match moment(&text, night, after) {
                Ok(at) => Some(at),
                Err(why) => {
                    fault(
                        column,
                        format!("`{text}` {why}"),
                        "write it as 2026-06-06 03:10, or 03:10",
                    );
                    None
                }
            }
        };
        let started = time("Started", night.from);
        let ended = time("Ended", started.or(night.from));
        if let (Some(started), Some(ended)) = (started, ended)
            && ended < started
        {
            fault("Ended", "it ended before it started".to_owned(), "look at the two times again");
        }
        found.push(Written {
            place: row.place.clone(),
            step,
            status,
            name: get("done by"),
            started,
            ended,
            notes: get("notes"),
        });
    }
    if wrong.is_empty() { Ok(found) } else { Err(wrong) }
}

/// A written time as an instant.
fn moment(text: &str, night: &Night, after: Option<Timestamp>) -> Result<Timestamp, String> {
    let zone = night.zone.as_ref().ok_or("is a time, and the plan names no time zone")?;
    let time: Time = *values::times(text).first().ok_or("is no time")?;
    let at = match values::day(text) {
        Some(day) => instant(day, time, zone)?,
        None => {
            let after = after.ok_or("has no day, and the plan names no night")?;
            // Seconds are not written down: the minute of the start is not before it.
            let first = after.to_zoned(zone.clone());
            let minute = first
                .with()
                .second(0)
                .subsec_nanosecond(0)
                .build()
                .map_err(|_| "is out of range")?;
            let today = instant(first.date(), time, zone)?;
            if today >= minute.timestamp() {
                today
            } else {
                let next = first.date().checked_add(1.day()).map_err(|_| "is out of range")?;
                instant(next, time, zone)?
            }
        }
    };
    if at > night.now {
        return Err("is in the future".to_owned());
    }
    Ok(at)
}

fn instant(day: Date, time: Time, zone: &TimeZone) -> Result<Timestamp, String> {
    let at: DateTime = day.to_datetime(time);
    match zone.to_ambiguous_timestamp(at).offset() {
        AmbiguousOffset::Unambiguous { offset } => {
            offset.to_timestamp(at).map_err(|_| "is out of range".to_owned())
        }
        AmbiguousOffset::Gap { .. } => {
            Err("does not exist on that day: the clock skipped it".to_owned())
        }
        AmbiguousOffset::Fold { .. } => {
            Err("happened twice that night: write it in UTC beside the notes, and leave this empty"
                .to_owned())
        }
    }
}
