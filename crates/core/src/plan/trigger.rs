//! Conditions that call for a decision, and how a release is watched.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Limit, Percent, Severity, Text, Verification};
use crate::duration::Span;
use crate::ids::{OptionId, RoleId, SourceId, StepId};

/// How often a trigger is looked at, if the plan does not say.
pub const EVERY: Span = Span::seconds(15);

/// The length of the short window: a twelfth of the watch as in the SRE workbook's
/// burn-rate alerts, but at least one interval and at most five minutes, so that a backout is
/// seen to help while people wait for it.
#[must_use]
pub fn short_window(window: Duration, every: Duration) -> Duration {
    (window / 12).min(Duration::from_secs(300)).max(every)
}

/// The ranges a PromQL query looks back over: `[5m]`, `[1h:1m]`, `offset 10m`.
fn query_ranges(query: &str) -> impl Iterator<Item = Duration> {
    let bracketed = query.split('[').skip(1).filter_map(|rest| {
        let inside = rest.split(']').next()?;
        inside.split(':').next()?.trim().parse::<Span>().ok()
    });
    let words: Vec<&str> = query.split(|c: char| c.is_whitespace() || c == ')').collect();
    let offsets: Vec<Span> = words
        .windows(2)
        .filter(|pair| pair[0] == "offset")
        .filter_map(|pair| pair[1].parse::<Span>().ok())
        .collect();
    let bracketed: Vec<Span> = bracketed.collect();
    bracketed.into_iter().chain(offsets).map(Span::get)
}

/// How the release is watched. All of it may be left out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// How long the release is watched after its last stage. Default: 4h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Span>,
    /// For how long data may be missing: from the beginning of the watch until there is
    /// some, and again from when a stage begins, loses it while it runs, or ends; so much
    /// also after a source could not be read. What is beyond its limit counts all the
    /// same. Default: 3m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<Span>,
    /// The probability of a false alarm that is accepted, over the whole watch and
    /// all triggers together. Default: 1%.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_alarms: Option<Percent>,
    /// How much of the time before the deployment says what is usual. Default: 60m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Span>,
    /// Where messages of other systems come in: alerts, and reports about stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive: Option<Receive>,
}

/// Where messages of other systems come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Receive {
    /// An address of this machine: `127.0.0.1:9099`. Nobody else can send anything
    /// there unless it is another one.
    pub listen: String,
    /// What senders have to know: `env:BACKOUT_WEBHOOK_SECRET`.
    pub secret: Text,
}

/// A condition that calls for a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written", into = "Written")]
pub struct Trigger {
    /// What it looks for.
    pub condition: Condition,
    /// What it is called, for people.
    pub title: Option<String>,
    /// Beyond which figure a judged condition counts: `> 5%`, `>= 10s`, `< 99.5%`.
    pub limit: Option<Limit>,
    /// For how long it must hold without a break.
    pub lasting: Option<Span>,
    /// How often it is looked at.
    pub every: Option<Span>,
    /// The stage that brings what it is about: it is looked at from the moment that stage
    /// is done until a way back begins that undoes it.
    pub from: Option<StepId>,
    /// For how long it must be well before it counts as recovered.
    pub recovers_after: Option<Span>,
    /// How bad it is.
    pub severity: Option<Severity>,
    /// The way back it calls for, if not the default one.
    pub option: Option<OptionId>,
    /// Who watches.
    pub owner: Option<RoleId>,
    /// Whether the release counts as well only if this was seen to be well.
    pub required: Option<bool>,
    /// What it means when there is no data.
    pub on_no_data: Option<Missing>,
    /// What it means when the source cannot be read.
    pub on_error: Option<Missing>,
    /// Whose rules for `for` and recovery hold.
    pub semantics: Option<Semantics>,
}

/// What a trigger looks for. Exactly one kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// A person watches for this and says so.
    Judged(String),
    /// Too large a share of events is bad.
    Ratio(Ratio),
    /// Too many requests take too long.
    Latency(Latency),
    /// Something is worse than it was before the deployment.
    Relative(Relative),
    /// A value is beyond its limit.
    Gauge(Gauge),
    /// Something does not answer as it should.
    Probe(Probe),
    /// Another system says so.
    Webhook(Webhook),
    /// Other triggers, together.
    Composite(String),
}

impl Condition {
    /// The key of this kind in a plan file.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Judged(_) => "judged",
            Self::Ratio(_) => "ratio",
            Self::Latency(_) => "latency",
            Self::Relative(_) => "relative",
            Self::Gauge(_) => "gauge",
            Self::Probe(_) => "probe",
            Self::Webhook(_) => "webhook",
            Self::Composite(_) => "composite",
        }
    }

    /// Whether only a person can tell.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        matches!(self, Self::Judged(_))
    }

    /// The source it reads, if it reads one.
    #[must_use]
    pub fn source(&self) -> Option<&SourceId> {
        match self {
            Self::Ratio(ratio) => Some(&ratio.source),
            Self::Latency(latency) => Some(&latency.source),
            Self::Relative(relative) => Some(&relative.source),
            Self::Gauge(gauge) => gauge.source.as_ref(),
            Self::Probe(probe) => match &probe.check.check {
                super::Check::Sql(sql) => Some(&sql.source),
                super::Check::Http(http) => http.source.as_ref(),
                _ => None,
            },
            Self::Judged(_) | Self::Webhook(_) | Self::Composite(_) => None,
        }
    }
}

/// Too large a share of events is bad.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ratio {
    /// One of the plan's sources: Prometheus, or a database.
    pub source: SourceId,
    /// How many bad events there were since the last look:
    /// `sum(increase(login_failures_total[15s]))`.
    pub bad: String,
    /// How many events there were in all.
    pub total: String,
    /// The share that is accepted: `5%`.
    pub limit: Percent,
}

/// Too many requests take too long, by a Prometheus histogram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// One of the plan's sources: Prometheus.
    pub source: SourceId,
    /// The histogram without `_bucket`, with labels if needed:
    /// `http_request_duration_seconds{job="portal"}`.
    pub histogram: String,
    /// How long a request may take. The histogram needs a boundary there; without
    /// one the next higher is used.
    pub over: Span,
    /// How many requests must be faster. Default: 95%.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantile: Option<Percent>,
}

/// Something is worse than it was before the deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Relative {
    /// One of the plan's sources: Prometheus.
    pub source: SourceId,
    /// A query that gives one value, larger when things are worse.
    pub value: String,
    /// How much worse it may be than the median before the deployment: `50%`.
    pub worse_than: Share,
}

/// A value is beyond its limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gauge {
    /// One of the plan's sources: Prometheus, a database, or a web server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceId>,
    /// What gives the value: PromQL or SQL, by the kind of source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// A full URL, or a path on a source that is a web server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// With `url`: which value, in CEL over `status`, `seconds`, `headers`, `text` and
    /// `json`. Default: `seconds`, how long the answer took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// When it counts: `> 5s`, `< 3`.
    pub limit: Limit,
}

/// Something does not answer as it should.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// What must hold.
    pub check: Verification,
    /// How many tries of how many must fail, one right behind the other.
    pub fails: Option<OutOf>,
}

/// `2 of 3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOf {
    /// So many.
    pub count: u32,
    /// Of so many.
    pub of: u32,
}

/// Another system says so: an alert of Alertmanager, or a signed message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The alert's name.
    pub alert: String,
    /// Labels it must carry.
    #[serde(default, skip_serializing_if = "indexmap::IndexMap::is_empty")]
    pub labels: indexmap::IndexMap<String, String>,
}

/// What it means when there is nothing to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Nobody knows: a person decides, and the release does not count as well.
    Inconclusive,
    /// As bad as a breach.
    Breach,
    /// It stays as it was; the release does not count as well.
    Hold,
    /// Nothing to see is nothing wrong. Only for counters that exist when something fails.
    Ok,
}

/// Whose rules for `for` and recovery hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Semantics {
    /// Exactly those of a Prometheus alerting rule: a missing sample starts `for` anew.
    Prometheus,
}

/// A percentage above 0 that may be more than 100: `50%`, `200%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(pub f64);

impl std::str::FromStr for Share {
    type Err = BadShare;

    fn from_str(text: &str) -> Result<Self, BadShare> {
        let number: Option<f64> =
            text.trim().strip_suffix('%').and_then(|number| number.trim().parse().ok());
        match number {
            Some(number) if number > 0.0 && number.is_finite() => Ok(Self(number)),
            _ => Err(BadShare(text.to_owned())),
        }
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// Text that is not a percentage above 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a percentage above 0%: {meant}", meant = super::context::meant(.0))]
pub struct BadShare(pub String);

impl std::str::FromStr for OutOf {
    type Err = BadOutOf;

    fn from_str(text: &str) -> Result<Self, BadOutOf> {
        let bad = || BadOutOf(text.to_owned());
        let (count, of) = text.split_once(" of ").ok_or_else(bad)?;
        let number = |text: &str| text.trim().parse::<u32>().ok().filter(|n| (1..=20).contains(n));
        let (count, of) = (number(count).ok_or_else(bad)?, number(of).ok_or_else(bad)?);
        if count > of { Err(bad()) } else { Ok(Self { count, of }) }
    }
}

impl std::fmt::Display for OutOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.count, self.of)
    }
}

/// Text that is not so many out of so many.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not so many out of so many: write `2 of 3`, each from 1 to 20")]
pub struct BadOutOf(pub String);

written_as_text!(
    Share,
    "^\\s*[0-9.]+\\s*%\\s*$",
    "A percentage above 0, such as 50%; it may be more than 100."
);
written_as_text!(OutOf, "^\\s*[0-9]+ of [0-9]+\\s*$", "So many out of so many: 2 of 3.");

impl Trigger {
    /// A condition a person watches for.
    #[must_use]
    pub fn judged(text: impl Into<String>) -> Self {
        Self {
            condition: Condition::Judged(text.into()),
            title: None,
            limit: None,
            lasting: None,
            every: None,
            from: None,
            recovers_after: None,
            severity: None,
            option: None,
            owner: None,
            required: None,
            on_no_data: None,
            on_error: None,
            semantics: None,
        }
    }

    /// How often it is looked at.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.every.unwrap_or(EVERY).get().max(Duration::from_millis(100))
    }

    /// For how long after a change its answers may still be about what was before: the
    /// longest range its queries look back over, or the short window over which a share is
    /// judged, and the looks it takes to be healthy again.
    ///
    /// `window` is how long the release is watched after its last stage.
    #[must_use]
    pub fn clears_after(&self, window: Duration) -> Duration {
        let every = self.period();
        let queries: Vec<&str> = match &self.condition {
            Condition::Ratio(ratio) => vec![&ratio.bad, &ratio.total],
            Condition::Relative(relative) => vec![&relative.value],
            Condition::Gauge(gauge) => gauge.query.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        let ranges = queries.into_iter().flat_map(query_ranges);
        let short = match &self.condition {
            Condition::Ratio(_) | Condition::Latency(_) => short_window(window, every),
            _ => every,
        };
        let range = ranges.max().unwrap_or_default().max(short);
        let healthy = self.recovers_after.map_or(every * 2, Span::get);
        range.saturating_add(healthy).saturating_add(every)
    }

    /// What it is called, for people.
    #[must_use]
    pub fn label(&self) -> String {
        let named = self.title.clone();
        named.unwrap_or_else(|| match &self.condition {
            Condition::Judged(text) | Condition::Composite(text) => text.clone(),
            Condition::Ratio(ratio) => ratio.bad.clone(),
            Condition::Latency(latency) => latency.histogram.clone(),
            Condition::Relative(relative) => relative.value.clone(),
            Condition::Gauge(gauge) => {
                gauge.query.clone().or_else(|| gauge.url.clone()).unwrap_or_default()
            }
            Condition::Probe(probe) => probe.check.check.shown(),
            Condition::Webhook(webhook) => webhook.alert.clone(),
        })
    }

    /// The limit, for people: `> 5%`, `over 10s for 5% of requests`.
    #[must_use]
    pub fn shown_limit(&self) -> Option<String> {
        Some(match &self.condition {
            Condition::Judged(_) => return self.limit.as_ref().map(ToString::to_string),
            Condition::Ratio(ratio) => format!("> {}", ratio.limit),
            Condition::Latency(latency) => {
                let share = 100.0 - latency.quantile.map_or(95.0, |quantile| quantile.0);
                format!("> {} for more than {share}% of requests", latency.over)
            }
            Condition::Relative(relative) => {
                format!("{} worse than before the deployment", relative.worse_than)
            }
            Condition::Gauge(gauge) => gauge.limit.to_string(),
            Condition::Probe(probe) => match probe.fails {
                Some(fails) => format!("{fails} tries fail"),
                None => "2 of 2 tries fail".to_owned(),
            },
            Condition::Webhook(_) | Condition::Composite(_) => return None,
        })
    }
}

/// How a trigger is written: the kind as a key among the others.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Trigger")]
struct Written {
    /// A person watches for this and says so: `The login failure rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    judged: Option<String>,
    /// Too large a share of events is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ratio: Option<Ratio>,
    /// Too many requests take too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latency: Option<Latency>,
    /// Something is worse than it was before the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    relative: Option<Relative>,
    /// A value is beyond its limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gauge: Option<Gauge>,
    /// Something does not answer as it should: any verification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    probe: Option<Verification>,
    /// Another system says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    webhook: Option<Webhook>,
    /// Other triggers together, in CEL: `firing["logins"] && firing["errors"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    composite: Option<String>,
    /// What it is called, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// Beyond which figure a judged condition counts: `> 5%`, `>= 10s`, `< 99.5%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<Limit>,
    /// For how long it must hold without a break.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    lasting: Option<Span>,
    /// How often it is looked at. Default: 15s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every: Option<Span>,
    /// The stage that brings what it is about, such as a new version: it is looked at from
    /// the moment that stage is done until a way back begins that undoes it. Default: all
    /// the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<StepId>,
    /// With `probe`: how many tries of how many must fail. Default: 2 of 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fails: Option<OutOf>,
    /// For how long it must be well before it counts as recovered. Default: two looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recovers_after: Option<Span>,
    /// How bad it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    /// The way back it calls for, if not the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    option: Option<OptionId>,
    /// Who watches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<RoleId>,
    /// Whether the release counts as well only if this was seen to be well. Default: yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    required: Option<bool>,
    /// What it means when there is no data. Default: breach if required, else inconclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_no_data: Option<Missing>,
    /// What it means when the source cannot be read. Default: inconclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_error: Option<Missing>,
    /// `prometheus`: exactly the rules of a Prometheus alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    semantics: Option<Semantics>,
}

/// A trigger must be one thing.
#[derive(Debug, thiserror::Error)]
enum BadTrigger {
    #[error(
        "this trigger looks for nothing: give it one of `judged`, `ratio`, `latency`, `relative`, `gauge`, `probe`, `webhook`, `composite`"
    )]
    Nothing,
    #[error("this trigger looks for two things, `{0}` and `{1}`: make them two triggers")]
    Several(&'static str, &'static str),
    #[error("`{0}` belongs to triggers with `{1}`, and this one has `{2}`")]
    Misplaced(&'static str, &'static str, &'static str),
    #[error("a gauge needs a `query` on a `source`, or a `url`, and not both")]
    Gauge,
}

impl TryFrom<Written> for Trigger {
    type Error = BadTrigger;

    fn try_from(written: Written) -> Result<Self, BadTrigger> {
        let fails = written.fails;
        let mut conditions = [
            written.judged.map(Condition::Judged),
            written.ratio.map(Condition::Ratio),
            written.latency.map(Condition::Latency),
            written.relative.map(Condition::Relative),
            written.gauge.map(Condition::Gauge),
            written.probe.map(|check| Condition::Probe(Probe { check, fails })),
            written.webhook.map(Condition::Webhook),
            written.composite.map(Condition::Composite),
        ]
        .into_iter()
        .flatten();
        let condition = conditions.next().ok_or(BadTrigger::Nothing)?;
        if let Some(second) = conditions.next() {
            return Err(BadTrigger::Several(condition.kind(), second.kind()));
        }
        let kind = condition.kind();
        if fails.is_some() && !matches!(condition, Condition::Probe(_)) {
            return Err(BadTrigger::Misplaced("fails", "probe", kind));
        }
        if written.limit.is_some() && !condition.is_judged() {
            return Err(BadTrigger::Misplaced("limit", "judged", kind));
        }
        if let Condition::Gauge(gauge) = &condition {
            let asks = gauge.query.is_some() && gauge.source.is_some();
            if asks == gauge.url.is_some() || (gauge.value.is_some() && gauge.url.is_none()) {
                return Err(BadTrigger::Gauge);
            }
        }
        Ok(Self {
            condition,
            title: written.title,
            limit: written.limit,
            lasting: written.lasting,
            every: written.every,
            from: written.from,
            recovers_after: written.recovers_after,
            severity: written.severity,
            option: written.option,
            owner: written.owner,
            required: written.required,
            on_no_data: written.on_no_data,
            on_error: written.on_error,
            semantics: written.semantics,
        })
    }
}

impl From<Trigger> for Written {
    fn from(trigger: Trigger) -> Self {
        let mut written = Self {
            judged: None,
            ratio: None,
            latency: None,
            relative: None,
            gauge: None,
            probe: None,
            webhook: None,
            composite: None,
            title: trigger.title,
            limit: trigger.limit,
            lasting: trigger.lasting,
            every: trigger.every,
            from: trigger.from,
            fails: None,
            recovers_after: trigger.recovers_after,
            severity: trigger.severity,
            option: trigger.option,
            owner: trigger.owner,
            required: trigger.required,
            on_no_data: trigger.on_no_data,
            on_error: trigger.on_error,
            semantics: trigger.semantics,
        };
        match trigger.condition {
            Condition::Judged(it) => written.judged = Some(it),
            Condition::Ratio(it) => written.ratio = Some(it),
            Condition::Latency(it) => written.latency = Some(it),
            Condition::Relative(it) => written.relative = Some(it),
            Condition::Gauge(it) => written.gauge = Some(it),
            Condition::Probe(it) => {
                written.probe = Some(it.check);
                written.fails = it.fails;
            }
            Condition::Webhook(it) => written.webhook = Some(it),
            Condition::Composite(it) => written.composite = Some(it),
        }
        written
    }
}
