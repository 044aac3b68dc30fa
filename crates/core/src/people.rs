//! Who somebody is in a run: an id that stays the same whatever is shown of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::RoleId;
use crate::plan::Plan;

/// What a person is known by in a run.
///
/// A plan names its people through their roles. A person with several roles is known by the
/// first of them, so that two ids are equal if and only if they mean the same person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonId {
    /// The person, or the team, that holds this role of the plan.
    Role(RoleId),
    /// A person the plan does not name, by the name they gave.
    Name(String),
}

impl PersonId {
    /// The id of a person with this name.
    #[must_use]
    pub fn of_name(plan: &Plan, name: &str) -> Self {
        let is_called = |called: &str| called.trim().to_lowercase() == name.trim().to_lowercase();
        let held =
            plan.roles.iter().filter(|(_, role)| role.name.as_deref().is_some_and(is_called));
        // A role without a name is held by whoever it is called after.
        let unnamed =
            plan.roles.iter().filter(|(id, role)| role.name.is_none() && is_called(id.as_str()));
        match held.map(|(id, _)| id).min().or_else(|| unnamed.map(|(id, _)| id).min()) {
            Some(role) => Self::Role(role.clone()),
            None => Self::Name(name.trim().to_owned()),
        }
    }

    /// The id of the holder of a role.
    #[must_use]
    pub fn of_role(plan: &Plan, role: &RoleId) -> Self {
        Self::of_name(plan, &plan.person(role))
    }

    /// Whether both mean the same person: names do not differ by case alone.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(other)) => one.to_lowercase() == other.to_lowercase(),
            (one, other) => one == other,
        }
    }

    /// The person's name.
    #[must_use]
    pub fn name(&self, plan: &Plan) -> String {
        match self {
            Self::Role(role) => plan.person(role),
            Self::Name(name) => name.clone(),
        }
    }

    /// Whether this is the holder of a role.
    #[must_use]
    pub fn holds(&self, plan: &Plan, role: &RoleId) -> bool {
        *self == Self::of_role(plan, role)
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Role(role) => role.as_str(),
            Self::Name(name) => name,
        })
    }
}

/// The account a command was given under, as the system's name service knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Account {
    /// Its number; missing where the sender is another system and not an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Its name, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the name service did not answer: then the name is unknown, which is not the
    /// same as another one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lookup_failed: bool,
}

impl Account {
    /// An account that is known by its name alone.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Whether the account is known to have another name than this.
    #[must_use]
    pub fn is_other_than(&self, name: &str) -> bool {
        !self.lookup_failed && !self.is_called(name)
    }

    /// Whether the account has this name.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        let number = self.uid.filter(|_| self.name.is_none());
        self.name.as_deref() == Some(name) || number.is_some_and(|uid| format!("uid {uid}") == name)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.uid) {
            (Some(name), _) => f.pad(name),
            (None, Some(uid)) => f.pad(&format!("uid {uid}")),
            (None, None) => f.pad("unknown account"),
        }
    }
}
