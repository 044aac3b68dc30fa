//! What surrounds the steps: the change, its window, what it touches, what else could be done.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{DateTime, Weekday};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Many;
use crate::duration::Span;
use crate::ids::{Digest, RoleId, StepId};

/// What is being released, and who answers for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Its number in the change system: `CHG0031337`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it is, in a few words.
    pub title: String,
    /// The release before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
    /// Version of this plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_version: Option<String>,
    /// Who answers for the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<RoleId>,
    /// Where it is deployed: `production`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Normal unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ChangeKind>,
    /// What changes, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who and what is affected while it happens, and if it goes wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<String>,
    /// What the change means for security, and what the backout undoes of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<String>,
    /// Systems it depends on, or that depend on it.
    #[serde(default, skip_serializing_if = "Many::is_empty")]
    pub depends_on: Many<String>,
    /// When the deployment counts as a success: measurable sentences.
    #[serde(default, skip_serializing_if = "Many::is_empty")]
    pub success_when: Many<String>,
    /// Who asked for the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<RoleId>,
    /// Who looked at this version of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed_by: Option<RoleId>,
    /// Who approved it, and what exactly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// The last full rehearsal of the way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsed: Option<Rehearsed>,
}

impl Change {
    /// What the change is called where it needs a name: its number, else its title.
    #[must_use]
    pub fn name(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.title)
    }
}

/// The release before and after the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// What to go back to: an exact version, tag or digest.
    pub from: String,
    /// What is released.
    pub to: String,
}

/// How the change is governed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Approved in advance because it is routine.
    Standard,
    /// Approved before it happens.
    Normal,
    /// Approved in a hurry, and again afterwards.
    Emergency,
}

/// Somebody's approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Who.
    pub by: RoleId,
    /// The day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub on: Option<jiff::civil::Date>,
    /// The plan version that was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_version: Option<String>,
}

/// A rehearsal that took place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rehearsed {
    /// Where.
    pub environment: String,
    /// The day.
    #[schemars(with = "String", extend("format" = "date"))]
    pub on: jiff::civil::Date,
    /// How long the whole way back took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<Span>,
    /// The plan version that was rehearsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_version: Option<String>,
}

/// When the deployment may happen, and when the backout must be finished. Local
/// times are in `timezone`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// An IANA time zone: `Europe/London`. Without it, nobody knows when the window is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Start and end of the deployment: `2026-06-06T02:00 / 2026-06-06T06:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<LocalRange>,
    /// The latest moment at which the backout must be finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backout_by: Option<LocalTime>,
    /// How sure to be of finishing in time. Default: 95%.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Percent>,
    /// How long the whole way back takes, as the plan states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stated_total: Option<Span>,
}

/// A local time such as `2026-06-06T02:00` or `Sat 2026-06-06T02:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// The time on the wall.
    pub at: DateTime,
    /// The weekday the author wrote beside it.
    pub weekday: Option<Weekday>,
}

/// Text that is not a local time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTime {
    /// Not a date and time at all.
    #[error(
        "`{0}` is not a local time: write it like `2026-06-06T02:00` or `Sat 2026-06-06T02:00`"
    )]
    Shape(String),
    /// A word before the date that is not a weekday.
    #[error("`{0}` is not a weekday")]
    Weekday(String),
    /// A range needs two times.
    #[error("expected two times: `2026-06-06T02:00 / 2026-06-06T06:00`")]
    Range,
    /// A range must go forward.
    #[error("the window ends at {1}, before it starts at {0}")]
    Backward(String, String),
}

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// The English name of a weekday.
#[must_use]
pub fn weekday_name(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

impl FromStr for LocalTime {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        let text = text.trim();
        let (weekday, rest) = match text.split_once(char::is_whitespace) {
            Some((word, rest)) if word.chars().all(|c| c.is_alphabetic() || c == ',') => {
                let wanted = word.trim_end_matches(',').to_ascii_lowercase();
                let found = WEEKDAYS
                    .iter()
                    .find(|(name, _)| wanted.len() >= 3 && name.starts_with(&wanted))
                    .ok_or_else(|| BadTime::Weekday(word.to_owned()))?;
                (Some(found.1), rest.trim())
            }
            _ => (None, text),
        };
        // A zone or offset inside the text would contradict the plan's zone.
        let plain = rest.bytes().all(|b| b.is_ascii_digit() || b"-:T .".contains(&b));
        let at = rest.parse().ok().filter(|_| plain && rest.contains(':'));
        let at = at.ok_or_else(|| BadTime::Shape(text.to_owned()))?;
        Ok(Self { at, weekday })
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(weekday) = self.weekday {
            write!(f, "{} ", weekday_name(weekday))?;
        }
        let at = self.at;
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute()
        )?;
        if at.second() != 0 { write!(f, ":{:02}", at.second()) } else { Ok(()) }
    }
}

/// Two local times, the second after the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalRange {
    /// When it begins.
    pub start: LocalTime,
    /// When it ends.
    pub end: LocalTime,
}

impl FromStr for LocalRange {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        let (start, end) = text.split_once('/').ok_or(BadTime::Range)?;
        let (start, end): (LocalTime, LocalTime) = (start.parse()?, end.parse()?);
        if end.at <= start.at {
            return Err(BadTime::Backward(start.to_string(), end.to_string()));
        }
        Ok(Self { start, end })
    }
}

impl fmt::Display for LocalRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}", self.start, self.end)
    }
}

/// A percentage above 0 and below 100, written `95%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percent(pub f64);

/// Text that is not a percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a percentage above 0% and below 100%: {meant}", meant = meant(.0))]
pub struct BadPercent(pub String);

/// What was meant, where only the sign is missing. An example with another figure in it
/// would be copied, and be another limit.
pub(super) fn meant(text: &str) -> String {
    let number = text.trim().parse::<f64>().ok();
    match number {
        Some(share) if share > 0.0 && share < 1.0 => {
            // Without the dust of binary fractions.
            let percent = (share * 1e11).round() / 1e9;
            format!("the share {} is written `{percent}%`", text.trim())
        }
        Some(number) if number > 1.0 && number < 100.0 => {
            format!("write `{}%` if that is meant", text.trim())
        }
        _ => "write a figure and a per cent sign, such as `2.5%`".to_owned(),
    }
}

impl FromStr for Percent {
    type Err = BadPercent;

    fn from_str(text: &str) -> Result<Self, BadPercent> {
        let number = text.trim().strip_suffix('%').and_then(|number| number.trim().parse().ok());
        match number {
            Some(number) if number > 0.0 && number < 100.0 => Ok(Self(number)),
            _ => Err(BadPercent(text.to_owned())),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

written_as_text!(
    LocalTime,
    "^[^/]+:[^/]+$",
    "A local time: 2026-06-06T02:00 or Sat 2026-06-06T02:00."
);
written_as_text!(
    LocalRange,
    "^[^/]+/[^/]+$",
    "Two local times: 2026-06-06T02:00 / 2026-06-06T06:00."
);
written_as_text!(Percent, "^\\s*[0-9.]+\\s*%\\s*$", "A percentage such as 95%.");

/// What the forecast assumes where nothing was measured. All of it may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assumed {
    /// Everything takes this many times as long in earnest as stated or
    /// rehearsed, from 0.1 to 10. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.1, max = 10.0))]
    pub stress: Option<f64>,
    /// How much nights differ: on two nights of three everything takes at most
    /// this much more or less. Default: 16%.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bad_night: Option<Percent>,
    /// How unsure a duration stated as one figure is, on two nights of three.
    /// Default: 65%.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_figure: Option<Percent>,
    /// How long until somebody tries again when a step without `retry` fails. Default: 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<Span>,
}

/// A place facts are read from or effects are sent to. Exactly one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A PostgreSQL connection string; a password belongs in a reference: `env:PORTAL_DB_URL`.
    Postgres(super::Text),
    /// A SQLite database file.
    Sqlite(String),
    /// The address of a web server: `https://portal.example`.
    Http(super::Text),
    /// The address of a Prometheus server: `http://prometheus:9090`.
    Prometheus(super::Text),
}

impl Source {
    /// The key of this kind in a plan file.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "postgres",
            Self::Sqlite(_) => "sqlite",
            Self::Http(_) => "http",
            Self::Prometheus(_) => "prometheus",
        }
    }
}

/// A part of the system the change touches.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The copy taken before the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Backup>,
    /// What happens to data written since the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataPolicy>,
    /// The exact version, tag or digest to go back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// Why it cannot be restored, and is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<String>,
}

/// A copy taken before the deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// Where it is.
    pub location: String,
    /// How old it may be when the deployment starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// When a restore of it was last tried: a date, or `rehearsal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_tested: Option<RestoreTested>,
    /// The digest of the copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// When a restore was last tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreTested {
    /// On this day.
    On(jiff::civil::Date),
    /// In the rehearsal of this plan.
    Rehearsal,
}

impl FromStr for RestoreTested {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "rehearsal" {
            return Ok(Self::Rehearsal);
        }
        let date = text.parse().map(Self::On);
        date.map_err(|_| format!("`{text}` is neither a date such as `2026-06-01` nor `rehearsal`"))
    }
}

impl fmt::Display for RestoreTested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(date) => date.fmt(f),
            Self::Rehearsal => f.write_str("rehearsal"),
        }
    }
}

written_as_text!(
    RestoreTested,
    "^(rehearsal|[0-9]{4}-[0-9]{2}-[0-9]{2})$",
    "A date such as 2026-06-01, or the word rehearsal."
);

/// What happens to data written since the deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DataPolicy {
    /// It stays as it is; this is why that is right.
    Keep(String),
    /// It is lost; this is why that is acceptable.
    AcceptLoss(String),
    /// It is brought over by other means; this is how.
    Reconcile(String),
    /// A migration in the other direction brings it back; this is which.
    ReverseMigrate(String),
}

/// What to do instead of, or after, backing out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alternatives {
    /// Repairing in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix_forward: Option<FixForward>,
    /// Cases in which this plan does not help.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cannot_back_out: Vec<Unrecoverable>,
    /// What happens if the backout itself fails: the next option, a vendor, disaster recovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_backout_fails: Option<String>,
}

/// Repairing in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixForward {
    /// How long it would take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<crate::duration::Estimate>,
    /// When to prefer it.
    pub when: String,
}

/// A case in which this plan does not help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unrecoverable {
    /// The case.
    pub scenario: String,
    /// What to do then.
    pub instead: String,
}

/// Something that may go wrong with the backout itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// What may go wrong.
    pub risk: String,
    /// What is done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mitigation: Option<String>,
    /// Who watches it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<RoleId>,
    /// The steps it is about.
    #[serde(default, skip_serializing_if = "Many::is_empty")]
    pub steps: Many<StepId>,
}

/// The review afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Who holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<RoleId>,
    /// How soon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// What it asks.
    #[serde(default, skip_serializing_if = "Many::is_empty")]
    pub questions: Many<String>,
    /// For an emergency change: who approves afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrospective_approval: Option<RoleId>,
}
