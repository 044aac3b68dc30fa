//! What stands for a step that is done: a check that held after it, a person, or nothing.
//!
//! "Verified" is said only where a machine's check, or a person's, held after the action. An
//! action that ended well is done, and no more than that.

use crate::plan::Step;
use crate::state::RunState;
use crate::status::{Status, StepState};

/// What stands for a step that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proof {
    /// Every check of a machine held after the action.
    Verified,
    /// A person confirmed what the plan asks to confirm.
    Confirmed,
    /// A person says that it is done, and stands for it.
    Attested,
    /// It changes nothing, so there is nothing to verify.
    ReadOnly,
    /// It has checks, and not all of them are known to have held.
    NotVerified,
    /// It has no check.
    NoCheck,
}

impl Proof {
    /// Whether a check or a person stands for it.
    #[must_use]
    pub fn is_proven(self) -> bool {
        !matches!(self, Self::NotVerified | Self::NoCheck)
    }
}

/// What stands for a step; `None` unless it is done.
#[must_use]
pub fn proof(step: &Step, known: &StepState) -> Option<Proof> {
    if known.status != Status::Succeeded {
        return None;
    }
    let checks = step.machine_checks().count();
    let held = known.evidence.verified.iter().filter(|seen| seen.holds == Some(true)).count();
    let confirms = step.confirmations().next().is_some();
    Some(match checks {
        0 if known.attested => Proof::Attested,
        0 if confirms && known.confirmed => Proof::Confirmed,
        0 if confirms => Proof::NotVerified,
        0 if known.by.as_ref().is_some_and(|by| by.person().is_some()) => Proof::Attested,
        0 if step.changes_nothing() => Proof::ReadOnly,
        0 => Proof::NoCheck,
        all if held == all && known.is_checked() => Proof::Verified,
        _ if known.attested => Proof::Attested,
        _ => Proof::NotVerified,
    })
}

/// How many steps of a run stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// A check of a machine or of a person held after them.
    pub verified: usize,
    /// They change nothing, so there is nothing to verify.
    pub read_only: usize,
    /// A person stands for them.
    pub attested: usize,
    /// They are done, and neither a check nor a person stands for them.
    pub unverified: usize,
    /// They were left out.
    pub skipped: usize,
}

impl RunState {
    /// What stands for a step; `None` unless it is done.
    #[must_use]
    pub fn proof(&self, index: usize) -> Option<Proof> {
        let step = &self.steps[index];
        let plan = &self.planned.plan;
        let undoes =
            plan.stages.iter().any(|stage| stage.undone_by.iter().any(|id| *id == step.id));
        // Another step stood there, and it changed something.
        let replaced = plan.step(&step.id).is_some_and(|before| !before.changes_nothing());
        match proof(step, &self.states[index]) {
            Some(Proof::ReadOnly) if undoes || replaced => Some(Proof::NoCheck),
            found => found,
        }
    }

    /// The steps of the option, and the stages, that are done and for which neither a check
    /// nor a person stands.
    pub fn unverified(&self) -> impl Iterator<Item = usize> {
        (0..self.steps.len()).filter(|&index| {
            self.selected[index] && self.proof(index).is_some_and(|proof| !proof.is_proven())
        })
    }

    /// The steps of the backout that had an effect and are not done: the option in force does
    /// without them, or they were left out after that. What they did half stays so, unless a
    /// step of the option that a check or a person stands for is about the same component. That
    /// another attempt was asked for, and never began, changes nothing about it.
    pub fn left_half_done(&self) -> impl Iterator<Item = usize> {
        (0..self.steps.len()).filter(|&index| {
            let known = &self.states[index];
            // What a person has before them and leaves out was not begun by anyone.
            let untouched = self.steps[index].action.is_reported() && known.fault.is_none();
            let left = match known.status {
                Status::Skipped => !untouched,
                Status::Failed | Status::Pending => !self.selected[index],
                _ => false,
            };
            left && known.took && !self.is_stage(index) && !self.is_covered(index)
        })
    }

    /// Whether a step of the option in force restored the component of this one.
    fn is_covered(&self, index: usize) -> bool {
        let Some(component) = &self.steps[index].component else { return false };
        (0..self.steps.len()).any(|other| {
            let proof = self.proof(other).filter(|_| self.selected[other]);
            let changed = proof.is_some_and(|proof| proof.is_proven() && proof != Proof::ReadOnly);
            changed && self.steps[other].component.as_ref() == Some(component)
        })
    }

    /// How many steps of the option stand how.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for index in (0..self.steps.len()).filter(|&index| self.selected[index]) {
            match self.proof(index) {
                Some(Proof::Verified | Proof::Confirmed) => tally.verified += 1,
                Some(Proof::ReadOnly) => tally.read_only += 1,
                Some(Proof::Attested) => tally.attested += 1,
                Some(Proof::NotVerified | Proof::NoCheck) => tally.unverified += 1,
                None if self.states[index].status == Status::Skipped => tally.skipped += 1,
                None => {}
            }
        }
        tally
    }
}
