//! What to do about a step whose outcome is unknown.
//!
//! A step is *in doubt* when its intent is in the log, its outcome is not, and
//! no process of it is alive. The rule of this program is that a doubt is ended
//! by evidence or by a person, never by a guess. The order is fixed:
//!
//! 1. what the executor wrote down (its ledger) — [`on_recovery`];
//! 2. the step's effect class, 3. its verification, 4. a person — [`next`].
//!
//! Both are small tables over closed sets, and are tested cell by cell.

use crate::event::DoubtCause;
use crate::plan::Effect;

/// What the executor's ledger says about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Observation {
    /// It never accepted the attempt, and now never will.
    NeverAccepted,
    /// A process of it is alive.
    Running,
    /// It ended, and the result is written down.
    Ended,
    /// It was accepted, there is no result, and nothing of it is alive.
    Vanished(DoubtCause),
}

/// What a new coordinator does about an attempt that an earlier one began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// Carry out the same attempt: nothing of it has happened.
    Dispatch,
    /// Wait for the process that is alive.
    Attach,
    /// Take the result that is written down.
    TakeResult,
    /// Nobody knows.
    Doubt(DoubtCause),
}

/// Maps the ledger's word to what to do.
#[must_use]
pub fn on_recovery(observation: Observation) -> Recovery {
    match observation {
        Observation::NeverAccepted => Recovery::Dispatch,
        Observation::Running => Recovery::Attach,
        Observation::Ended => Recovery::TakeResult,
        Observation::Vanished(cause) => Recovery::Doubt(cause),
    }
}

/// How often a step is repeated after crashes before a person is asked. A step
/// that kills its coordinator each time must not do so for ever.
pub const MOST_RECOVERIES: u32 = 3;

/// What to do next about a step in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Its class allows to do it again.
    Again,
    /// Its verification is asked.
    Probe,
    /// It is a failure: stopping it was our own doing and its class allows a
    /// repeat, so nothing dangerous is unknown, but a person or its `retry`
    /// decides whether to spend the time again.
    Fail,
    /// A person must say.
    Ask,
}

/// What to do next about a step in doubt.
///
/// `checkable` says whether it has a verification a machine can carry out,
/// `probed` whether that was tried and could not tell, `recoveries` how often
/// the step was already repeated after a crash.
#[must_use]
pub fn next(
    effect: Effect,
    cause: DoubtCause,
    checkable: bool,
    probed: bool,
    recoveries: u32,
) -> Next {
    match effect {
        Effect::Read | Effect::Idempotent | Effect::Keyed => match cause {
            DoubtCause::Deadline | DoubtCause::NoAnswer => Next::Fail,
            // What is noted nowhere may still be running. To be repeatable is not
            // to be safe side by side with itself.
            DoubtCause::LedgerLost | DoubtCause::LedgerForeign if effect != Effect::Read => {
                Next::Ask
            }
            _ if recoveries < MOST_RECOVERIES => Next::Again,
            _ => Next::Ask,
        },
        Effect::Verifiable if checkable && !probed => Next::Probe,
        Effect::Verifiable | Effect::Opaque => Next::Ask,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_speaks_first() {
        use DoubtCause::{CoordinatorLost, Deadline, LedgerLost, SupervisorLost};
        assert_eq!(on_recovery(Observation::NeverAccepted), Recovery::Dispatch);
        assert_eq!(on_recovery(Observation::Running), Recovery::Attach);
        assert_eq!(on_recovery(Observation::Ended), Recovery::TakeResult);
        for cause in [CoordinatorLost, SupervisorLost, LedgerLost, Deadline] {
            assert_eq!(on_recovery(Observation::Vanished(cause)), Recovery::Doubt(cause));
        }
    }

    /// Every cell of the table. What matters most: `opaque` never repeats, and
    /// `verifiable` never repeats without asking its verification.
    #[test]
    fn the_whole_table() {
        let causes = [
            DoubtCause::CoordinatorLost,
            DoubtCause::SupervisorLost,
            DoubtCause::LedgerLost,
            DoubtCause::LedgerForeign,
            DoubtCause::Deadline,
            DoubtCause::NoAnswer,
        ];
        for effect in Effect::ALL {
            for cause in causes {
                for checkable in [false, true] {
                    for probed in [false, true] {
                        for recoveries in 0..=MOST_RECOVERIES + 1 {
                            let got = next(effect, cause, checkable, probed, recoveries);
                            let want = match (effect, cause) {
                                (Effect::Opaque, _) => Next::Ask,
                                (Effect::Verifiable, _) if checkable && !probed => Next::Probe,
                                (Effect::Verifiable, _) => Next::Ask,
                                (_, DoubtCause::Deadline | DoubtCause::NoAnswer) => Next::Fail,
                                (
                                    Effect::Idempotent | Effect::Keyed,
                                    DoubtCause::LedgerLost | DoubtCause::LedgerForeign,
                                ) => Next::Ask,
                                _ if recoveries >= MOST_RECOVERIES => Next::Ask,
                                _ => Next::Again,
                            };
                            assert_eq!(
                                got, want,
                                "{effect} {cause:?} {checkable} {probed} {recoveries}"
                            );
                        }
                    }
                }
            }
        }
    }
}
