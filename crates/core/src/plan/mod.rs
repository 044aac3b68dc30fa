//! The backout plan as data. The shape of these types *is* the shape of the
//! plan file: what `backout schema` describes, what a run freezes into its log,
//! and what `--json` shows are the same thing.
//!
//! Types here hold what one value can say about itself. Rules that span several
//! places (references, cycles, times that do not exist) belong to the reader
//! and to `check`, which know where in the file a thing stands.

/// For values that a plan writes as one text.
macro_rules! written_as_text {
    ($type:ident, $pattern:literal, $about:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "description": $about, "pattern": $pattern})
            }
        }
    };
}

mod action;
mod context;
mod holding;
mod many;
mod people;
mod promises;
mod secret;
mod step;
mod trigger;
mod verification;

use std::collections::BTreeSet;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use action::{Action, Copy, Http, Method, RestoreTree, Run, Sql, Stdin, Wait};
pub use context::{
    Alternatives, Approval, Assumed, Backup, BadPercent, BadTime, Change, ChangeKind, Component,
    DataPolicy, FixForward, LocalRange, LocalTime, Percent, Rehearsed, Release, RestoreTested,
    Review, Risk, Source, Unrecoverable, Window, weekday_name,
};
pub use many::Many;
pub use people::{
    Authority, DecisionAction, DecisionRule, Grant, MaxParallel, Permission, Reach, Role, Severity,
    TeamSize, Unanswered,
};
pub use promises::{BadLimit, Comparison, FollowUp, Limit, Message, Moment, Note, Readiness};
pub use secret::{BadSecret, Secret, Text};
pub use step::{Effect, Locality, OnFailure, Retry, Step};
pub use trigger::{
    BadOutOf, BadShare, Condition, EVERY, Gauge, Latency, Missing, OutOf, Probe, Ratio, Receive,
    Relative, Semantics, Share, Trigger, Watch, Webhook, short_window,
};
pub use verification::{
    Check, FileState, HttpProbe, Port, Scalar, SqlProbe, TreeState, Verification,
};

use crate::duration::Span;
use crate::ids::{
    BaselineId, ComponentId, MessageId, OptionId, ReadinessId, RoleId, SourceId, StepId, TriggerId,
};

/// A backout plan: how to return a system to its last good state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Backout plan")]
pub struct Plan {
    /// Version of the file format: 1.
    pub backout: FormatVersion,
    /// What is being released, and who answers for it.
    pub change: Change,
    /// When the deployment may happen, and when the backout must be finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Who does and decides things.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub roles: IndexMap<RoleId, Role>,
    /// Databases and servers that steps and verifications talk to.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub sources: IndexMap<SourceId, Source>,
    /// The parts of the system the change touches.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub components: IndexMap<ComponentId, Component>,
    /// Facts captured before the deployment and compared after the backout.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub baselines: IndexMap<BaselineId, Baseline>,
    /// Conditions that call for a decision.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub triggers: IndexMap<TriggerId, Trigger>,
    /// How the release is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
    /// Who decides what at which severity.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub decision: IndexMap<Severity, DecisionRule>,
    /// Who may depart from the plan, where the defaults do not fit.
    #[serde(default, skip_serializing_if = "Authority::is_default")]
    pub authority: Authority,
    /// What must hold before the deployment begins.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub readiness: IndexMap<ReadinessId, Readiness>,
    /// The deployment, stage by stage. Each stage follows the one before it unless it says `after`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Step>,
    /// The way back, step by step. Each step follows the one before it unless it says `after`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// The most steps of machines at the same time. Default: as many as the limit of file
    /// descriptors is enough for, at most 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<MaxParallel>,
    /// Variables of the environment that keep the value they had when the run began, beside those
    /// by which tools choose what they talk to (`PGHOST`, `KUBECONFIG`, `AWS_PROFILE`, `PATH` …).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pass_env: BTreeSet<String>,
    /// What the forecast assumes where nothing was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Assumed>,
    /// Several ways back, from light to heavy. Without this section there is one: all steps.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub options: IndexMap<OptionId, WayBack>,
    /// What is said to whom, and when.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub messages: IndexMap<MessageId, Message>,
    /// What is done after the way back, beside the review.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follow_up: Vec<FollowUp>,
    /// What to do instead of, or after, backing out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alternatives: Option<Alternatives>,
    /// What may go wrong with the backout itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub risks: Vec<Risk>,
    /// The review afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// Findings of `check` that were accepted, each with its reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<Accepted>,
    /// What an imported document said that has no place in the plan yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

impl Plan {
    /// The step of this name.
    #[must_use]
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == *id)
    }

    /// The option that runs when none is named: the one marked default, else the
    /// heaviest (last) one, else none, which means all steps.
    #[must_use]
    pub fn default_option(&self) -> Option<&OptionId> {
        let marked = self.options.iter().find(|(_, way)| way.default);
        marked.or_else(|| self.options.last()).map(|(id, _)| id)
    }

    /// How many manual steps a person or team of this name does at once: what its
    /// role says, one if no role is named so.
    #[must_use]
    pub fn team_of(&self, name: &str) -> u32 {
        let named = self.roles.iter().filter(|(id, _)| self.person(id) == name);
        let sizes = named.filter_map(|(_, role)| role.team);
        sizes.map(|team| team.0.clamp(1, 1000)).max().unwrap_or(1)
    }

    /// How a role is shown to people: its holder's name if it has one, else the role.
    #[must_use]
    pub fn person(&self, role: &RoleId) -> String {
        let name = self.roles.get(role).and_then(|role| role.name.clone());
        name.unwrap_or_else(|| role.to_string())
    }
}

/// The format version this program reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormatVersion;

impl Serialize for FormatVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(1)
    }
}

impl<'de> Deserialize<'de> for FormatVersion {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            1 => Ok(Self),
            other => Err(serde::de::Error::custom(format!(
                "this program reads plan format 1, not {other}"
            ))),
        }
    }
}

impl JsonSchema for FormatVersion {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FormatVersion".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"const": 1})
    }
}

/// A fact about the system. Exactly one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// The rows a query returns.
    Sql(SqlQuery),
    /// Names, contents and modes of everything below a folder.
    Tree(String),
    /// The content of one file.
    File(String),
    /// What a URL answers: status and body.
    Http(HttpQuery),
    /// What a command prints.
    Run(Run),
}

/// A question to a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlQuery {
    /// One of the plan's sources.
    pub source: SourceId,
    /// A query that only reads.
    pub query: String,
}

/// A question to a web server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpQuery {
    /// A full URL, or a path on `source`.
    pub url: String,
    /// One of the plan's sources; its address stands before `url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceId>,
}

/// One way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WayBack {
    /// What it does, in a few words.
    pub title: String,
    /// The steps it runs, in the plan's order. Without it: all steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<StepId>>,
    /// Runs when no option is named.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
    /// Whether it ends with users kept out, so that the run stays open until another option
    /// goes on from there. Left out: as its steps say, such as taking traffic off without
    /// putting it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holding: Option<bool>,
    /// When to choose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Who may choose it, if not the plan's deciders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<RoleId>,
    /// How long it takes, as the author states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Span>,
}

/// A finding of `check` that someone looked at and accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The rule, such as `BOP-104`.
    pub rule: String,
    /// Only for this step, role, component or option; without it, for the whole plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Why it is acceptable here.
    pub because: String,
    /// Who accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<RoleId>,
}
