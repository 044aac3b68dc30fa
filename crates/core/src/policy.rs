//! What an organisation asks for beyond what a plan asks for. Policies only tighten.

use std::collections::BTreeMap;

use crate::duration::Span;
use crate::plan::Permission;

/// The rules of an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How many people at least must ask for the same, by permission.
    pub quorum: BTreeMap<Permission, u32>,
    /// For how long a fix may be tried at most.
    pub fix_at_most: Option<Span>,
    /// Whether a second run of a change may begin beside an open one.
    pub second_run: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { quorum: BTreeMap::new(), fix_at_most: None, second_run: true }
    }
}

impl Policy {
    /// How many people at least must ask for the same.
    #[must_use]
    pub fn least_people(&self, permission: Permission) -> u32 {
        self.quorum.get(&permission).copied().unwrap_or(1).max(1)
    }
}
