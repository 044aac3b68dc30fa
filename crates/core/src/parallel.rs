//! How many steps of machines are carried out at the same time.
//!
//! Each of them takes a *place* from its start until its action and its verification by a machine
//! are over. A step that is ready and finds no free place waits for one, in the frozen order. What
//! a person or another system does, and a wait, take none: they are no process here.

use serde::{Deserialize, Serialize};

use crate::plan::{Action, Step};
use crate::state::RunState;
use crate::status::Status;

/// Descriptors that a coordinator may need for one attempt: the pipe to its supervisor, the
/// process itself, what a start opens for a moment, and the sockets of its verifications.
pub const DESCRIPTORS_PER_ATTEMPT: u64 = 8;
/// Descriptors that a coordinator keeps for everything else: the journal, the lease, a watch.
pub const DESCRIPTORS_KEPT: u64 = 64;
/// The fewest places, whatever the limit of descriptors is.
pub const LEAST: u32 = 4;
/// The most places where nothing else is asked for.
pub const DEFAULT: u32 = 256;
/// The most places that can be asked for.
pub const MOST: u32 = 10_000;

/// How many places a coordinator gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    /// How many.
    pub most: u32,
    /// Whether a person asked for so many when they started the coordinator: the next one keeps
    /// to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
}

/// What bears on the number of places.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// What a person asks for, now or for the coordinator before.
    pub asked: Option<u32>,
    /// What the plan says.
    pub plan: Option<u32>,
    /// What the policy allows.
    pub policy: Option<u32>,
    /// The hard limit of descriptors of this process; `None` where there is none.
    pub descriptors: Option<u64>,
}

/// How many attempts a limit of descriptors is enough for, [`LEAST`] at least.
#[must_use]
pub fn by_descriptors(limit: Option<u64>) -> u32 {
    let room = limit.map(|limit| limit.saturating_sub(DESCRIPTORS_KEPT) / DESCRIPTORS_PER_ATTEMPT);
    let room = room.map_or(MOST, |room| u32::try_from(room).unwrap_or(MOST));
    room.clamp(LEAST, MOST)
}

impl Wanted {
    /// The places: what a person asks for, else what the plan says, else [`DEFAULT`]; never more
    /// than the policy allows and the descriptors are enough for.
    #[must_use]
    pub fn places(&self) -> Places {
        let wanted = self.asked.or(self.plan).unwrap_or(DEFAULT);
        let most = wanted.min(self.policy.unwrap_or(MOST)).min(by_descriptors(self.descriptors));
        Places { most: most.max(1), asked: self.asked.is_some() }
    }
}

/// Whether a step takes a place while it is at work.
#[must_use]
pub fn takes_place(step: &Step) -> bool {
    !step.action.is_reported() && !matches!(step.action, Action::Wait(_))
}

/// How many places are free.
pub(crate) fn free_places(state: &RunState) -> usize {
    let holds = |&index: &usize| {
        let (step, known) = (&state.steps[index], &state.states[index]);
        takes_place(step)
            && match known.status {
                Status::Running => true,
                Status::Verifying => step.machine_checks().next().is_some() && !known.is_checked(),
                _ => false,
            }
    };
    let taken = state.active().filter(holds).count();
    (state.max_parallel() as usize).saturating_sub(taken)
}

impl RunState {
    /// How many steps of machines are carried out at the same time: what the present coordinator
    /// says, before it what the plan says.
    #[must_use]
    pub fn max_parallel(&self) -> u32 {
        let plan = || self.planned.plan.max_parallel.map(|most| most.0);
        self.places.map(|places| places.most).or_else(plan).unwrap_or(DEFAULT).max(1)
    }

    /// What a person asked for when they started the present coordinator.
    #[must_use]
    pub fn asked_places(&self) -> Option<u32> {
        self.places.filter(|places| places.asked).map(|places| places.most)
    }

    /// Whether a step could start, and only waits for a free place.
    #[must_use]
    pub fn waits_for_place(&self, index: usize) -> bool {
        self.ready.contains(&index) && takes_place(&self.steps[index]) && free_places(self) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_follows_the_limit_of_descriptors() {
        let of = |descriptors| Wanted { descriptors, ..Wanted::default() }.places().most;
        assert_eq!(of(Some(512)), 56);
        assert_eq!(of(Some(1024)), 120);
        assert_eq!(of(Some(1_048_576)), DEFAULT);
        assert_eq!(of(None), DEFAULT);
        assert_eq!((of(Some(0)), of(Some(64))), (LEAST, LEAST));
    }

    #[test]
    fn what_is_asked_for_comes_before_the_plan_and_the_policy_caps_both() {
        let wanted = Wanted { asked: Some(20), plan: Some(30), policy: None, descriptors: None };
        assert_eq!(wanted.places(), Places { most: 20, asked: true });
        let plan = Wanted { asked: None, ..wanted };
        assert_eq!(plan.places(), Places { most: 30, asked: false });
        let capped = Wanted { policy: Some(5), ..wanted };
        assert_eq!(capped.places().most, 5);
        let few = Wanted { asked: Some(5000), descriptors: Some(1024), ..wanted };
        assert_eq!(few.places().most, 120, "more than the machine can carry is not promised");
    }

    #[test]
    fn there_is_always_a_place() {
        let none = Wanted { asked: Some(0), plan: None, policy: Some(0), descriptors: Some(0) };
        assert_eq!(none.places().most, 1);
    }
}
