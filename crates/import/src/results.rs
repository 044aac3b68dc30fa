//! What people wrote into a checklist workbook.

use backout_documents::tree::text_of;
use backout_documents::{Document, Kind, Place};
use std::sync::LazyLock;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};
use regex::Regex;

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
    /// When the run began, if there is one: what was done in it is no slip of the pen
    /// however long after the night it was.
    pub begun: Option<Timestamp>,
    /// Nothing was done after this.
    pub now: Timestamp,
}

/// The digest of the plan a checklist was made from.
#[must_use]
pub fn digest(document: &Document) -> Option<String> {
    let text = backout_documents::tree::text_of_blocks(&document.blocks);
    crate::own::digests(&text)
}

/// A time of day without a day is taken for the next such time; beyond this it is
/// more likely a slip of the pen than a long night.
const NIGHT: SignedDuration = SignedDuration::from_hours(16);
/// Days farther from the night than this are taken for a slip of the pen.
const BEFORE: SignedDuration = SignedDuration::from_hours(7 * 24);
const BEHIND: SignedDuration = SignedDuration::from_hours(60 * 24);

/// Reads the rows in which somebody chose a status. `steps` are the names of the
/// steps there are, each with what it is called.
///
/// # Errors
/// Everything that is wrong with them: nothing of a checklist is taken over that
/// has a mistake in it.
pub fn results(
    document: &Document,
    night: &Night,
    steps: &[(&str, &str)],
) -> Result<Vec<Written>, Vec<Wrong>> {
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
    let mut found: Vec<Written> = Vec::new();
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
            if ["started", "ended", "done by", "notes"].iter().any(|name| get(name).is_some()) {
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
        let Some((_, label)) = steps.iter().find(|(id, _)| *id == step) else {
            fault("Step key", format!("there is no step `{step}`"), "leave this column as it was");
            continue;
        };
        // Somebody who did something else than planned says so beside the step.
        if let Some(action) = get("action").filter(|action| plain(action) != plain(label)) {
            fault(
                "Action",
                format!("this says \"{action}\", and `{step}` is \"{label}\""),
                "leave this column as it was; what was done instead belongs in Notes",
            );
            continue;
        }
        if let Some(first) = found.iter().find(|written| written.step == step) {
            let first = first.place.clone();
            fault(
                "Step key",
                format!("`{step}` stands in {first} already"),
                "keep one row for each step",
            );
            continue;
        }
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
                        "write it as 2026-06-06 03:10, or 03:10, or 2026-06-06 01:10 UTC",
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
    if wrong.is_empty() && found.is_empty() {
        wrong.push(Wrong {
            place: "the sheet".to_owned(),
            message: "no step has a status".to_owned(),
            hint: "choose done, failed or skipped in the column Status".to_owned(),
        });
    }
    if wrong.is_empty() { Ok(found) } else { Err(wrong) }
}

/// The other tables in which somebody filled something in, with the number of rows:
/// a run has no place for it.
#[must_use]
pub fn beside(document: &Document) -> Vec<(String, usize)> {
    let mut found: Vec<(String, usize)> = Vec::new();
    let mut chapter = String::new();
    for block in &document.blocks {
        match &block.kind {
            Kind::Heading(_, text) => chapter = text_of(text),
            Kind::Table(table) => {
                let names: Vec<String> =
                    table.head.iter().map(|cell| plain(&text_of(cell))).collect();
                if names.iter().any(|name| name == "step key") {
                    continue;
                }
                let to_fill = |name: &String| {
                    [
                        "status",
                        "attested by",
                        "attested at",
                        "seen at",
                        "notes",
                        "sent at",
                        "checked by",
                        "answer",
                    ]
                    .contains(&name.as_str())
                };
                let filled = table.rows.iter().filter(|row| {
                    let cells = names.iter().zip(&row.cells);
                    cells
                        .filter(|(name, _)| to_fill(name))
                        .any(|(_, cell)| !text_of(cell).trim().is_empty())
                });
                let count = filled.count();
                if count > 0 {
                    found.push((chapter.clone(), count));
                }
            }
            _ => {}
        }
    }
    found
}

/// A moment as people write it, and nothing beside it: a day or none, a time, a zone
/// or none.
static MOMENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?ix)^
        (?:(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?
           (?P<day>\d{4}-\d{2}-\d{2}|\d{1,2}[/.]\d{1,2}[/.]\d{4}
            |\d{1,2}(?:st|nd|rd|th)?\s+[a-z]{3,9}\.?,?\s+\d{4}
            |[a-z]{3,9}\.?\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4}),?(?:\s+|T))?
        (?P<time>\d{1,2}[:.]\d{2}(?:[:.]\d{2}(?:\.\d+)?)?\s*(?:am|pm)?|\d{1,2}\s*(?:am|pm))
        \s*(?P<zone>Z|UTC|[A-Z][a-z]+/[A-Z_/a-z]+)?$",
    )
    .expect("a pattern of this file")
});

/// A written time as an instant.
fn moment(text: &str, night: &Night, after: Option<Timestamp>) -> Result<Timestamp, String> {
    let found = MOMENT.captures(text.trim()).ok_or("is no time this understands")?;
    let named = match found.name("zone").map(|zone| zone.as_str()) {
        Some(utc) if utc.eq_ignore_ascii_case("z") || utc.eq_ignore_ascii_case("utc") => {
            Some(TimeZone::UTC)
        }
        Some(name) => {
            Some(backout_plan::times::zone(name).ok_or("names a time zone nobody knows")?)
        }
        None => None,
    };
    let zone = named.or_else(|| night.zone.clone());
    let zone = &zone.ok_or("is a time, and the plan names no time zone")?;
    let time: Time = *values::times(&found["time"]).first().ok_or("is no time of a day")?;
    let at = match found.name("day") {
        Some(day) => {
            let day = values::day(day.as_str())
                .ok_or("names no day, or one that can be read in two ways")?;
            let at = instant(day, time, zone)?;
            let far = night.from.map(|from| at.duration_since(from));
            let in_run = night.begun.is_some_and(|begun| at.duration_since(begun) > -BEFORE);
            if !in_run && far.is_some_and(|far| far < -BEFORE || far > BEHIND) {
                return Err("is far from the night of this deployment".to_owned());
            }
            at
        }
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
            let at = if today >= minute.timestamp() {
                today
            } else {
                let next = first.date().checked_add(1.day()).map_err(|_| "is out of range")?;
                instant(next, time, zone)?
            };
            if at.duration_since(after) > NIGHT {
                return Err("would be most of a day later: write the day beside it".to_owned());
            }
            at
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
            Err("happened twice that night: write it in UTC, with `UTC` behind it".to_owned())
        }
    }
}
