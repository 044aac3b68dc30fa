//! Who does things, who decides things, and how to reach them.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Many;
use crate::duration::{Estimate, Span};
use crate::ids::RoleId;

/// A role and the person or team that holds it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// The person or team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their account on the machine that runs `backout`, so that `--as` is not needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// How to reach them at night.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
    /// Roles that stand in, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deputies: Vec<RoleId>,
    /// How many manual steps the team can do at once. One if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamSize>,
    /// How long until they are at work after they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responds: Option<Estimate>,
    /// On site, on call, or otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability: Option<String>,
}

/// How many people a team has, from 1 to 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct TeamSize(#[schemars(range(min = 1, max = 1000))] pub u32);

/// How many steps of machines are carried out at the same time, from 1 to 10000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct MaxParallel(#[schemars(range(min = 1, max = 10_000))] pub u32);

impl<'de> Deserialize<'de> for MaxParallel {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let most = u32::deserialize(deserializer)?;
        match (1..=crate::parallel::MOST).contains(&most) {
            true => Ok(Self(most)),
            false => Err(serde::de::Error::custom(format!(
                "max_parallel is from 1 to {}, not {most}",
                crate::parallel::MOST
            ))),
        }
    }
}

/// Ways to reach a person. At least one must work at 3 a.m.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// A telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// A mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A chat handle or channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<String>,
    /// A paging service or rota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pager: Option<String>,
    /// The day somebody last checked that these work: `2026-06-01`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub verified: Option<jiff::civil::Date>,
}

impl Reach {
    /// Each way that was given, with its name.
    pub fn ways(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("phone", &self.phone),
            ("email", &self.email),
            ("chat", &self.chat),
            ("pager", &self.pager),
        ]
        .into_iter()
        .filter_map(|(name, way)| way.as_deref().map(|way| (name, way)))
    }
}

/// How bad it is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The system is down, data is damaged, or security is broken.
    Critical,
    /// A core function is broken or far too slow.
    Major,
    /// A defect that can wait.
    Minor,
    /// No measured condition; a person's judgement.
    Discretionary,
}

/// What happens at a severity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionRule {
    /// The decision that is asked for.
    pub action: DecisionAction,
    /// Who decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<RoleId>,
    /// How long they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// Who is told.
    #[serde(default, skip_serializing_if = "Many::is_empty")]
    pub tell: Many<RoleId>,
    /// With `back-out`: the plan does it by itself, without asking, as long as nothing
    /// objects.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub automatic: bool,
    /// How many different people must decide the same. One if left out.
    #[serde(default = "one_person", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = 10))]
    pub quorum: u32,
    /// Who is asked too when neither `by` nor their deputies answer in time.
    #[serde(default, skip_serializing_if = "Many::is_empty")]
    pub escalate: Many<RoleId>,
    /// What holds when nobody answers. Without it the question stays open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_unanswered: Option<Unanswered>,
    /// With `back-out-unless-fixable`: how long a fix may be tried. Default: 30m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix_window: Option<Span>,
}

impl DecisionRule {
    /// A rule that says what is done and nothing else.
    #[must_use]
    pub fn new(action: DecisionAction) -> Self {
        Self {
            action,
            by: None,
            within: None,
            tell: Many(Vec::new()),
            automatic: false,
            quorum: 1,
            escalate: Many(Vec::new()),
            if_unanswered: None,
            fix_window: None,
        }
    }
}

/// What holds when nobody answers. Going on is no such thing: a silence is not a yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unanswered {
    /// Go back.
    BackOut,
}

/// The decision a severity asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DecisionAction {
    /// Go back at once.
    BackOut,
    /// Go back when it cannot be fixed inside the window.
    BackOutUnlessFixable,
    /// A person decides freely.
    Ask,
    /// Write it down and go on.
    Log,
}

/// Who may depart from the plan. An act that is not named keeps its default,
/// which `docs/concepts.md` lists.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Authority(pub IndexMap<Permission, Grant>);

impl Authority {
    /// Whether the plan changes nothing here.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.0.is_empty()
    }
}

/// An act the plan can give to certain roles.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Start the way back.
    Invoke,
    /// Start the deployment.
    Deploy,
    /// Agree to a stage that needs it.
    Approve,
    /// Decide how a deployment goes on.
    Decide,
    /// Move to another option.
    SwitchOption,
    /// Run a step again.
    Retry,
    /// Leave a step out.
    Skip,
    /// Put a step in.
    Add,
    /// Change a step.
    Replace,
    /// Say what happened to a step in doubt, or attest a failed one.
    Resolve,
    /// Hand a step or a role to somebody else.
    Assign,
    /// Stop starting steps, and go on again.
    Hold,
    /// Give the run up.
    Abandon,
}

/// Who may do something, and how many of them it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Any of these roles, or their deputies.
    pub by: Many<RoleId>,
    /// How many different people must ask for the same thing. One if left out.
    #[serde(default = "one_person", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = 10))]
    pub quorum: u32,
}

fn one_person() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_one(quorum: &u32) -> bool {
    *quorum == 1
}
