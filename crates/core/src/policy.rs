//! Policy: what an organisation demands of every plan and every run.
//!
//! It comes from the system's file and the user's. Each of them may only demand more than the
//! other ([`Policy::tightened_by`]), so the order in which they are read makes no difference. A
//! plan's own `authority` can demand more than both.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::duration::Span;
use crate::plan::Permission;

/// What is demanded. The default demands nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// How many different people must ask for the same thing, at least. One for what
    /// is not named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quorum: BTreeMap<Permission, u32>,
    /// The longest time for which a fix may be tried before the way back begins;
    /// [`Span::ZERO`] allows no fix. `None`: the plan and its deadlines decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix_at_most: Option<Span>,
    /// The most steps of machines at the same time; `None`: the plan and the machine decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// Whether a second run of a change may begin while another one is open.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub second_run: bool,
    /// Whether a deployment may begin with a plan in which the check finds errors that leave
    /// the way back as it is. Those that do not are refused anyhow.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub plan_errors: bool,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_yes(value: &bool) -> bool {
    *value
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            quorum: BTreeMap::new(),
            fix_at_most: None,
            max_parallel: None,
            second_run: true,
            plan_errors: true,
        }
    }
}

impl Policy {
    /// The stricter of both in every point: the larger quorum, the shorter fix, a second run
    /// and errors of a plan only where both allow them.
    #[must_use]
    pub fn tightened_by(mut self, other: &Self) -> Self {
        for (permission, people) in &other.quorum {
            let demanded = self.quorum.entry(*permission).or_insert(*people);
            *demanded = (*demanded).max(*people);
        }
        self.fix_at_most = match (self.fix_at_most, other.fix_at_most) {
            (Some(this), Some(other)) => Some(this.min(other)),
            (this, other) => this.or(other),
        };
        self.max_parallel = match (self.max_parallel, other.max_parallel) {
            (Some(this), Some(other)) => Some(this.min(other)),
            (this, other) => this.or(other),
        };
        self.second_run &= other.second_run;
        self.plan_errors &= other.plan_errors;
        self
    }

    /// Whether nothing is demanded.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// How many different people must ask for this, at least.
    #[must_use]
    pub fn people(&self, permission: Permission) -> u32 {
        self.quorum.get(&permission).copied().unwrap_or(1).max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERMISSIONS: [Permission; 4] =
        [Permission::Invoke, Permission::Skip, Permission::Decide, Permission::Abandon];

    fn policies() -> impl Strategy<Value = Policy> {
        let quorum = proptest::collection::btree_map(
            proptest::sample::select(PERMISSIONS.as_slice()),
            1_u32..=10,
            0..=4,
        );
        let fix = proptest::option::of((0_u64..7200).prop_map(Span::seconds));
        let parallel = proptest::option::of(1_u32..300);
        (quorum, fix, parallel, any::<bool>(), any::<bool>()).prop_map(
            |(quorum, fix_at_most, max_parallel, second_run, plan_errors)| Policy {
                quorum,
                fix_at_most,
                max_parallel,
                second_run,
                plan_errors,
            },
        )
    }

    /// Whether a policy demands all that another one demands.
    fn demands_all_of(policy: &Policy, other: &Policy) -> bool {
        let longest =
            |policy: &Policy| policy.fix_at_most.unwrap_or(Span::seconds(u64::MAX / 1000));
        PERMISSIONS.iter().all(|act| policy.people(*act) >= other.people(*act))
            && longest(policy) <= longest(other)
            && policy.max_parallel.unwrap_or(u32::MAX) <= other.max_parallel.unwrap_or(u32::MAX)
            && (other.second_run || !policy.second_run)
            && (other.plan_errors || !policy.plan_errors)
    }

    proptest! {
        #[test]
        fn tightened_is_never_looser(a in policies(), b in policies()) {
            let both = a.clone().tightened_by(&b);
            prop_assert!(demands_all_of(&both, &a) && demands_all_of(&both, &b));
        }

        #[test]
        fn tightened_demands_nothing_of_its_own(a in policies(), b in policies(), c in policies()) {
            // What demands all that both demand demands all that they demand together.
            let all = a.clone().tightened_by(&b).tightened_by(&c);
            prop_assert!(demands_all_of(&all, &a.clone().tightened_by(&b)));
            let both = a.clone().tightened_by(&b);
            for act in PERMISSIONS {
                prop_assert!(both.people(act) == a.people(act) || both.people(act) == b.people(act));
            }
            prop_assert!(both.fix_at_most == a.fix_at_most || both.fix_at_most == b.fix_at_most);
            prop_assert!(
                both.max_parallel == a.max_parallel || both.max_parallel == b.max_parallel
            );
            prop_assert!(both.second_run == a.second_run || both.second_run == b.second_run);
            prop_assert!(both.plan_errors == a.plan_errors || both.plan_errors == b.plan_errors);
        }

        #[test]
        fn order_makes_no_difference(a in policies(), b in policies(), c in policies()) {
            prop_assert_eq!(a.clone().tightened_by(&b), b.clone().tightened_by(&a));
            prop_assert_eq!(
                a.clone().tightened_by(&b).tightened_by(&c),
                a.clone().tightened_by(&b.tightened_by(&c))
            );
            prop_assert_eq!(a.clone().tightened_by(&a), a.clone());
            prop_assert_eq!(a.clone().tightened_by(&Policy::default()), a);
        }

        #[test]
        fn a_policy_in_a_record_comes_back(a in policies()) {
            let text = serde_json::to_string(&a).expect("data");
            prop_assert_eq!(serde_json::from_str::<Policy>(&text).expect("data"), a);
        }
    }

    #[test]
    fn the_default_demands_nothing() {
        let none = Policy::default();
        assert_eq!(
            (none.people(Permission::Skip), none.fix_at_most, none.second_run),
            (1, None, true)
        );
        assert_eq!(serde_json::to_string(&none).expect("data"), "{}");
        assert_eq!(serde_json::from_str::<Policy>("{}").expect("data"), none);
    }

    #[test]
    fn the_stricter_of_each_holds() {
        let system = Policy {
            quorum: BTreeMap::from([(Permission::Skip, 2), (Permission::Invoke, 1)]),
            fix_at_most: Some(Span::minutes(30)),
            max_parallel: None,
            second_run: true,
            plan_errors: true,
        };
        let user = Policy {
            quorum: BTreeMap::from([(Permission::Skip, 1), (Permission::Abandon, 3)]),
            fix_at_most: Some(Span::minutes(45)),
            max_parallel: Some(8),
            second_run: false,
            plan_errors: true,
        };
        let both = system.tightened_by(&user);
        let people = [Permission::Skip, Permission::Invoke, Permission::Abandon, Permission::Add];
        assert_eq!(people.map(|act| both.people(act)), [2, 1, 3, 1]);
        assert_eq!((both.fix_at_most, both.second_run), (Some(Span::minutes(30)), false));
        assert_eq!(both.max_parallel, Some(8));
    }
}
