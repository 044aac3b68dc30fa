//! What watching a release can find: words that the log, the decision and every
//! view share. How a trigger gets from one state to the next is the business of
//! the crate `trigger`.

use serde::{Deserialize, Serialize};

/// Where a trigger stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Too few events to say anything.
    Insufficient,
    /// Seen, and below the limit.
    Ok,
    /// Beyond the limit, not long or not clearly enough.
    Pending,
    /// It calls for a decision.
    Firing,
    /// It fired, and is below the limit now.
    Recovering,
    /// There is nothing to look at.
    NoData,
    /// The source cannot be read.
    Error,
}

impl State {
    /// Every state, for tables and exhaustive tests.
    pub const ALL: [Self; 7] = [
        Self::Insufficient,
        Self::Ok,
        Self::Pending,
        Self::Firing,
        Self::Recovering,
        Self::NoData,
        Self::Error,
    ];

    /// For people.
    #[must_use]
    pub fn shown(self) -> &'static str {
        match self {
            Self::Insufficient => "too little data",
            Self::Ok => "ok",
            Self::Pending => "pending",
            Self::Firing => "FIRING",
            Self::Recovering => "recovering",
            Self::NoData => "no data",
            Self::Error => "cannot be read",
        }
    }

    /// Whether the last look gave nothing to judge by.
    #[must_use]
    pub fn is_blind(self) -> bool {
        matches!(self, Self::NoData | Self::Error)
    }
}

/// What a state means for the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Seen to be healthy.
    Healthy,
    /// Nothing can be said yet.
    Open,
    /// Nobody knows, and a person has to decide.
    Inconclusive,
    /// It calls for what the plan says about its severity.
    Breach,
}

/// How a watch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every required trigger was seen to be well, and none fired.
    Passed,
    /// Not everything was seen to be well, and somebody decided to go on.
    Accepted,
    /// The plan has no trigger that a machine watches.
    Unwatched,
    /// Nobody can say that it went well.
    Inconclusive,
    /// A trigger fired.
    Failed,
}

impl Verdict {
    /// For people.
    #[must_use]
    pub fn shown(self) -> &'static str {
        match self {
            Self::Passed => "found well",
            Self::Accepted => "accepted although not everything was found well",
            Self::Unwatched => "not watched by any trigger",
            Self::Inconclusive => "inconclusive",
            Self::Failed => "not well",
        }
    }
}

/// What a look at a trigger gave.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "measured", rename_all = "snake_case")]
pub enum Measured {
    /// Nothing yet.
    #[default]
    Nothing,
    /// A share of events: now, and since the watch began with its 95 % interval.
    Share {
        /// The share of bad events in the short window, 0 to 1; none if it holds no events.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        now: Option<f64>,
        /// The lower end of the interval, 0 to 1.
        low: f64,
        /// Its upper end.
        high: f64,
    },
    /// A value; it stands in [`Reading::value`].
    Value,
    /// What the source, the probe or the message said.
    Text {
        /// The text.
        text: String,
    },
}

/// What a trigger measured.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reading {
    /// What the last look gave.
    #[serde(default)]
    pub measured: Measured,
    /// The value, or the share of bad events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Its limit, as the plan writes it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub limit: String,
    /// Bad events since the watch began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bad: Option<f64>,
    /// All events since the watch began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
    /// The evidence: `ln M`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<f64>,
    /// The evidence it takes to fire: `ln c`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed: Option<f64>,
    /// What was asked of the source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queries: Vec<String>,
}
