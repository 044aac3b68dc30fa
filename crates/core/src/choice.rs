//! A decision as data: what is asked, with what is known, and what can be answered.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cause::{DecisionCause, Guard};
use crate::duration::Span;
use crate::ids::{OptionId, RoleId, SourceId, TriggerId};
use crate::plan::Severity;
use crate::watch::Reading;

/// A decision, as it is put to somebody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionRequested {
    /// Its number, from 1.
    pub number: u32,
    /// How bad it is.
    pub severity: Severity,
    /// Whether something is known to be wrong; else nobody knows.
    pub certain: bool,
    /// The triggers it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<TriggerId>,
    /// The sources nobody can read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceId>,
    /// Why it is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<DecisionCause>,
    /// The way back it calls for, if not the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub option: Option<OptionId>,
    /// Who is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<RoleId>,
    /// Until when they have time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Until when a fix may be tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix_until: Option<Timestamp>,
    /// Why it is not done automatically although the plan would.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Guard>,
    /// What the forecast says now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<ForecastSummary>,
    /// What these triggers measure now.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub readings: BTreeMap<TriggerId, Reading>,
    /// Whether a person is at work on a fix that was not asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_fix: bool,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "choice", rename_all = "kebab-case")]
pub enum Choice {
    /// Go back.
    BackOut {
        /// The way back, if the plan has several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        option: Option<OptionId>,
    },
    /// Repair in place, until then.
    FixForward {
        /// When it is backed out if it is not repaired.
        until: Timestamp,
    },
    /// Go on as if nothing were.
    Continue,
    /// What was being fixed cannot be: go back.
    NotFixable,
}

/// The kind of a decision, without its particulars: two people mean the same if they
/// say the same word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Go back.
    BackOut,
    /// Repair in place.
    FixForward,
    /// Go on as if nothing were.
    Continue,
    /// What was being fixed cannot be: go back.
    NotFixable,
}

impl Verb {
    /// Whether it leads back, which is the careful direction.
    #[must_use]
    pub fn goes_back(self) -> bool {
        matches!(self, Self::BackOut | Self::NotFixable)
    }

    /// For people: `back out`.
    #[must_use]
    pub fn shown(self) -> &'static str {
        match self {
            Self::BackOut => "back out",
            Self::FixForward => "fix forward",
            Self::Continue => "continue",
            Self::NotFixable => "give up fixing",
        }
    }
}

impl Choice {
    /// What it is, without the particulars.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self {
            Self::BackOut { .. } => Verb::BackOut,
            Self::FixForward { .. } => Verb::FixForward,
            Self::Continue => Verb::Continue,
            Self::NotFixable => Verb::NotFixable,
        }
    }

    /// For people: `back out`.
    #[must_use]
    pub fn shown(&self) -> &'static str {
        match self {
            Self::BackOut { .. } => "back out",
            Self::FixForward { .. } => "fix forward",
            Self::Continue => "continue",
            Self::NotFixable => "not fixable: back out",
        }
    }
}

/// What the forecast says at the moment of a decision.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ForecastSummary {
    /// How long the backout takes, P50.
    pub likely: Option<Span>,
    /// How long it takes, P95.
    pub high: Option<Span>,
    /// The probability that going back now ends in time, 0 to 1.
    pub in_time: Option<f64>,
    /// Until when going back can be begun.
    pub point_of_no_return: Option<Timestamp>,
    /// The latest moment to give up fixing.
    pub fix_deadline: Option<Timestamp>,
}

impl ForecastSummary {
    /// Until when going back, or giving up a fix for it, is still in time.
    #[must_use]
    pub fn latest(&self) -> Option<Timestamp> {
        [self.fix_deadline, self.point_of_no_return].into_iter().flatten().min()
    }

    /// A deadline, but no later than going back is still in time, if it is now.
    #[must_use]
    pub fn in_time(&self, until: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        match (until, self.latest()) {
            (Some(until), Some(latest)) if latest > now => Some(until.min(latest)),
            (until, _) => until,
        }
    }
}

impl DecisionRequested {
    /// A question that was not asked: a person acts on what they saw themselves.
    #[must_use]
    pub fn discretionary(number: u32, reason: &str) -> Self {
        Self {
            number,
            severity: Severity::Discretionary,
            certain: true,
            because: Vec::new(),
            sources: Vec::new(),
            causes: vec![DecisionCause::OwnJudgement { reason: reason.to_owned() }],
            option: None,
            asked: Vec::new(),
            until: None,
            fix_until: None,
            guards: Vec::new(),
            forecast: None,
            readings: BTreeMap::new(),
            own_fix: false,
        }
    }

    /// The same question with what the forecast says at this moment. No deadline lies behind
    /// the point of no return. Where that has passed already, the plan's own times hold.
    #[must_use]
    pub fn with(mut self, numbers: Option<ForecastSummary>, now: Timestamp) -> Self {
        if let Some(numbers) = &numbers {
            self.until = numbers.in_time(self.until, now);
            self.fix_until = numbers.in_time(self.fix_until, now);
        }
        self.forecast = numbers;
        self
    }
}
