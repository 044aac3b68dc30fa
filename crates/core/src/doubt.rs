//! What to do about a step whose outcome is unknown.
//!
//! A step is *in doubt* when its intent is in the log, its outcome is not, and
//! no process of it is alive. The rule of this program is that a doubt is ended
//! by evidence or by a person, never by a guess. The order is fixed:
//!
//! 1. what the executor wrote down (its ledger) — [`on_recovery`];
//! 2. the step's effect class, 3. its verification, 4. a person — [`next`].
//!
//! A verification that holds settles it at any time. One that does not hold yet says nothing while
//! the effect may still appear — [`ripe_at`].
//!
//! All are small tables over closed sets, and are tested cell by cell.

use jiff::Timestamp;

use crate::duration::Span;
use crate::event::DoubtCause;
use crate::location::Relocation;
use crate::plan::{Effect, Step};
use crate::status::StepState;

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
///
/// An attempt that was `begun_elsewhere` may be at work there although nothing of it can be seen
/// here: its processes from another machine, and from a copy of the folder not even that it was
/// accepted.
#[must_use]
pub fn on_recovery(observation: Observation, begun_elsewhere: Option<Relocation>) -> Recovery {
    let is_hidden = match observation {
        Observation::Ended => false,
        Observation::Vanished(_) => begun_elsewhere.is_some(),
        // On one folder the claim and the locks are the same ones.
        Observation::NeverAccepted | Observation::Running => {
            begun_elsewhere.is_some_and(Relocation::is_of_folder)
        }
    };
    match observation {
        _ if is_hidden => Recovery::Doubt(DoubtCause::Elsewhere),
        Observation::NeverAccepted => Recovery::Dispatch,
        Observation::Running => Recovery::Attach,
        Observation::Ended => Recovery::TakeResult,
        Observation::Vanished(cause) => Recovery::Doubt(cause),
    }
}

/// How often a step is repeated after crashes before a person is asked. A step
/// that kills its coordinator each time must not do so for ever.
pub const MOST_RECOVERIES: u32 = 3;

/// What its verification said about a step in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// It has none that a machine can carry out.
    Cannot,
    /// It was not asked yet.
    NotYet,
    /// It was asked while the effect could still appear, and did not hold.
    Early,
    /// It was asked when nothing was in flight any more, and settled nothing.
    Late,
}

impl Looked {
    /// What it said about this step.
    #[must_use]
    pub fn at(step: &Step, known: &StepState) -> Self {
        let checkable = step.machine_checks().next().is_some();
        match &known.probed {
            _ if !checkable => Self::Cannot,
            None => Self::NotYet,
            Some(probed) if probed.early => Self::Early,
            Some(_) => Self::Late,
        }
    }
}

/// From when on nothing of an attempt in doubt is in flight any more: "does not hold" means "did
/// not happen" from then on, and not before. `None` where no such time is known.
///
/// To end a client does not end the work that a server does for it, so that its processes are
/// dead is enough only for what is declared to have no effect beyond them. Else the plan says how
/// long it takes (`settles`), or the action's own time-out does, counted from when it was accepted.
#[must_use]
pub fn ripe_at(step: &Step, known: &StepState) -> Option<Timestamp> {
    let doubted = known.doubted?;
    let later = |from: Timestamp, span: Span| from.checked_add(span.signed()).ok();
    match known.doubt? {
        // Something of it may be alive, whatever the time.
        DoubtCause::LedgerLost
        | DoubtCause::LedgerForeign
        | DoubtCause::Elsewhere
        | DoubtCause::Unended
        | DoubtCause::EarlierRun => None,
        DoubtCause::CoordinatorLost | DoubtCause::SupervisorLost | DoubtCause::Deadline
            if step.is_local() =>
        {
            Some(doubted)
        }
        DoubtCause::CoordinatorLost
        | DoubtCause::SupervisorLost
        | DoubtCause::Deadline
        | DoubtCause::NoAnswer => match (step.settles, step.action.timeout()) {
            (Some(settles), _) => later(doubted, settles),
            (None, Some(_)) if known.doubt == Some(DoubtCause::Deadline) => Some(doubted),
            // Where the executor does not know any more when it accepted it: no later than that
            // it was found to be gone.
            (None, Some(timeout)) => later(known.accepted.unwrap_or(doubted), timeout),
            (None, None) => None,
        },
    }
}

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
    /// A person is asked, and its verification as well, again and again: its effect may still
    /// appear.
    AskAndLook,
}

/// What to do next about a step in doubt.
///
/// `looked` is what its verification said so far, `ripe` whether its effect cannot appear any
/// more, `recoveries` how often the step was already repeated after a crash.
#[must_use]
pub fn next(
    effect: Effect,
    cause: DoubtCause,
    looked: Looked,
    ripe: bool,
    recoveries: u32,
) -> Next {
    match effect {
        // What a run did that nobody can read up on is never done again without a person.
        _ if cause == DoubtCause::EarlierRun => Next::Ask,
        Effect::Read | Effect::Idempotent | Effect::Keyed => match cause {
            DoubtCause::Deadline | DoubtCause::NoAnswer => Next::Fail,
            // What is noted nowhere, or cannot be ended, may still be running. To be repeatable
            // is not to be safe side by side with itself.
            DoubtCause::LedgerLost
            | DoubtCause::LedgerForeign
            | DoubtCause::Elsewhere
            | DoubtCause::Unended
                if effect != Effect::Read =>
            {
                Next::Ask
            }
            DoubtCause::Unended => Next::Fail,
            // Of these nothing is at work any more, or, of what only reads, it does no harm.
            DoubtCause::CoordinatorLost
            | DoubtCause::SupervisorLost
            | DoubtCause::LedgerLost
            | DoubtCause::LedgerForeign
            | DoubtCause::Elsewhere
                if recoveries < MOST_RECOVERIES =>
            {
                Next::Again
            }
            DoubtCause::CoordinatorLost
            | DoubtCause::SupervisorLost
            | DoubtCause::LedgerLost
            | DoubtCause::LedgerForeign
            | DoubtCause::Elsewhere
            | DoubtCause::EarlierRun => Next::Ask,
        },
        Effect::Verifiable => match looked {
            Looked::NotYet => Next::Probe,
            Looked::Early if ripe => Next::Probe,
            Looked::Early => Next::AskAndLook,
            Looked::Cannot | Looked::Late => Next::Ask,
        },
        Effect::Opaque => Next::Ask,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_speaks_first() {
        use DoubtCause::{CoordinatorLost, Deadline, LedgerLost, SupervisorLost};
        assert_eq!(on_recovery(Observation::NeverAccepted, None), Recovery::Dispatch);
        assert_eq!(on_recovery(Observation::Running, None), Recovery::Attach);
        assert_eq!(on_recovery(Observation::Ended, None), Recovery::TakeResult);
        for cause in [CoordinatorLost, SupervisorLost, LedgerLost, Deadline] {
            assert_eq!(on_recovery(Observation::Vanished(cause), None), Recovery::Doubt(cause));
        }
    }

    /// Of what was begun elsewhere only an end that is written down counts.
    #[test]
    fn what_was_begun_elsewhere_is_a_doubt() {
        use Relocation::{Both, Folder, Machine};
        let elsewhere = Recovery::Doubt(DoubtCause::Elsewhere);
        let vanished = Observation::Vanished(DoubtCause::SupervisorLost);
        for (observation, here, machine) in [
            (Observation::NeverAccepted, Recovery::Dispatch, Recovery::Dispatch),
            (Observation::Running, Recovery::Attach, Recovery::Attach),
            (Observation::Ended, Recovery::TakeResult, Recovery::TakeResult),
            (vanished, Recovery::Doubt(DoubtCause::SupervisorLost), elsewhere),
        ] {
            let folder = if observation == Observation::Ended { here } else { elsewhere };
            assert_eq!(on_recovery(observation, None), here);
            assert_eq!(on_recovery(observation, Some(Machine)), machine);
            assert_eq!(on_recovery(observation, Some(Folder)), folder);
            assert_eq!(on_recovery(observation, Some(Both)), folder);
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
            DoubtCause::Elsewhere,
            DoubtCause::Deadline,
            DoubtCause::Unended,
            DoubtCause::NoAnswer,
            DoubtCause::EarlierRun,
        ];
        let looks = [Looked::Cannot, Looked::NotYet, Looked::Early, Looked::Late];
        for effect in Effect::ALL {
            for cause in causes {
                for looked in looks {
                    for ripe in [false, true] {
                        for recoveries in 0..=MOST_RECOVERIES + 1 {
                            let got = next(effect, cause, looked, ripe, recoveries);
                            let want = match (effect, cause) {
                                (Effect::Opaque, _) | (_, DoubtCause::EarlierRun) => Next::Ask,
                                (Effect::Verifiable, _) => match (looked, ripe) {
                                    (Looked::NotYet, _) | (Looked::Early, true) => Next::Probe,
                                    (Looked::Early, false) => Next::AskAndLook,
                                    (Looked::Cannot | Looked::Late, _) => Next::Ask,
                                },
                                (_, DoubtCause::Deadline | DoubtCause::NoAnswer)
                                | (Effect::Read, DoubtCause::Unended) => Next::Fail,
                                (
                                    Effect::Idempotent | Effect::Keyed,
                                    DoubtCause::LedgerLost
                                    | DoubtCause::LedgerForeign
                                    | DoubtCause::Elsewhere
                                    | DoubtCause::Unended,
                                ) => Next::Ask,
                                _ if recoveries >= MOST_RECOVERIES => Next::Ask,
                                _ => Next::Again,
                            };
                            let cell = format!("{effect} {cause:?} {looked:?} {ripe} {recoveries}");
                            assert_eq!(got, want, "{cell}");
                        }
                    }
                }
            }
        }
    }

    /// Every cause against what the plan says about the time. What matters most: nothing is ripe
    /// while something of it may be alive, and a server is given its time.
    #[test]
    fn when_nothing_is_in_flight_any_more() {
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).expect("a time");
        let ripe = |written: &str, cause, accepted: Option<i64>| {
            let text = format!(
                r#"{{"id": "s", "effect": "verifiable", "verify": {{"file": {{"path": "a"}}}}, {written}}}"#
            );
            let step: Step = serde_json::from_str(&text).expect("a step");
            let known = StepState {
                doubt: Some(cause),
                doubted: Some(at(100)),
                accepted: accepted.map(at),
                ..StepState::new()
            };
            ripe_at(&step, &known).map(|ripe| ripe.as_second() - 1_800_000_000)
        };
        let (run, post) = (
            r#""run": {"argv": ["psql"], "timeout": "10m"}"#,
            r#""http": {"url": "http://a/", "method": "POST"}"#,
        );
        let local = r#""run": {"argv": ["mv"]}, "effects": "local""#;
        let settles = r#""run": {"argv": ["psql"], "timeout": "10m"}, "settles": "2m""#;
        let copy = r#""copy": {"from": "a", "to": "b"}"#;
        use DoubtCause::{
            CoordinatorLost, Deadline, Elsewhere, LedgerForeign, LedgerLost, NoAnswer,
            SupervisorLost, Unended,
        };
        for written in [run, post, local, settles, copy] {
            for cause in [LedgerLost, LedgerForeign, Elsewhere, Unended] {
                assert_eq!(ripe(written, cause, Some(40)), None, "{written} {cause:?}");
            }
        }
        for cause in [SupervisorLost, CoordinatorLost] {
            assert_eq!(ripe(run, cause, Some(40)), Some(640));
            assert_eq!(ripe(run, cause, None), Some(700), "not before it was found to be gone");
            assert_eq!(ripe(post, cause, Some(40)), Some(70));
            assert_eq!(ripe(settles, cause, Some(40)), Some(220));
            assert_eq!(ripe(local, cause, Some(40)), Some(100));
            assert_eq!(ripe(copy, cause, Some(40)), Some(100));
        }
        assert_eq!(ripe(run, Deadline, Some(40)), Some(100));
        assert_eq!(ripe(settles, Deadline, Some(40)), Some(220));
        assert_eq!(ripe(post, NoAnswer, Some(40)), Some(70));
        assert_eq!(ripe(settles, NoAnswer, Some(40)), Some(220));
    }
}
