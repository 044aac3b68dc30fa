//! Why a command is not carried out, as data, and what can be done instead.

use crate::act::{Act, Answer};
use crate::authority::allowed_roles;
use crate::cause::{Concern, Denial};
use crate::choice::Verb;
use crate::duration::Span;
use crate::event::Direction;
use crate::ids::{BaselineId, OptionId, RunId, StepId};
use crate::illegal::Illegal;
use crate::reply::{Meaning, Offer, Reply};
use crate::state::RunState;

/// Why a command is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The sender may not.
    Denied {
        /// What they asked for.
        act: Box<Act>,
        /// Why not.
        denial: Denial,
    },
    /// The run is over.
    Finished,
    /// The command needs a reason.
    ReasonMissing {
        /// What was asked for.
        act: Box<Act>,
    },
    /// It does not fit the run as it stands.
    NotPossible {
        /// What was asked for.
        act: Box<Act>,
        /// Why not.
        error: Illegal,
    },
    /// The step is at work and may still succeed: another attempt could begin beside it.
    StepRunning {
        /// The step.
        step: StepId,
    },
    /// The outcome of the step is unknown: that has to be settled first.
    StepInDoubt {
        /// The step.
        step: StepId,
    },
    /// Steps are at work; an abandoned run is watched by no coordinator.
    StepsRunning {
        /// The steps.
        steps: Vec<StepId>,
    },
    /// The step has no verification that a machine can ask.
    NothingToCheck {
        /// The step.
        step: StepId,
    },
    /// The step changed since it was shown.
    StepChanged {
        /// The step.
        step: StepId,
        /// Its short digest now.
        now: String,
    },
    /// The sender has to confirm something first: a question, not a no.
    Confirm {
        /// What.
        concern: Concern,
        /// The command that was asked for.
        act: Box<Act>,
        /// The question it answers.
        question: Option<u32>,
    },
    /// The policy of the organisation allows a fix to be tried for less time.
    FixTooLong {
        /// For how long at most.
        most: Span,
    },
    /// A fix cannot be tried for no time.
    FixForNoTime,
    /// The run goes back already.
    GoesBackAlready,
    /// The run goes forward: there is no option yet to switch from.
    GoesForward {
        /// The option that was asked for.
        option: OptionId,
    },
    /// The run is on this option already.
    OnOptionAlready {
        /// The option.
        option: OptionId,
    },
    /// A run of the same change is open.
    SecondRun {
        /// That run.
        run: RunId,
        /// Where it goes.
        direction: Direction,
        /// What was to begin.
        wanted: Direction,
        /// Whether a second run may be begun at all.
        may_begin: bool,
    },
    /// A run of the same change waits for more people to agree that it starts.
    AwaitsAgreement {
        /// That run.
        run: RunId,
    },
    /// The plan has no stages.
    NoStages,
    /// No step is on this option.
    NothingSelected,
    /// Baselines that verifications compare with were never captured.
    BaselinesMissing {
        /// Which.
        names: Vec<BaselineId>,
    },
}

/// What a refusal means for the one who sent the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// One question, with a default and a flag.
    Question,
    /// A no, with a way out.
    Refused,
    /// The command itself cannot be used.
    Usage,
}

impl Refusal {
    /// What it means for the sender.
    #[must_use]
    pub fn kind(&self) -> RefusalKind {
        match self {
            Self::Confirm { .. } => RefusalKind::Question,
            Self::ReasonMissing { .. } | Self::FixForNoTime => RefusalKind::Usage,
            _ => RefusalKind::Refused,
        }
    }

    /// What can be done instead, at least one command. `run` is the run the command was
    /// sent to, if there is one.
    #[must_use]
    pub fn replies(&self, run: Option<&RunState>) -> Vec<Reply> {
        let id = run.map(|state| state.run.clone());
        let direction = run.map_or(Direction::Back, |state| state.planned.direction);
        let same = |act: &Act| match &id {
            Some(id) => Offer::of_act(act, id, direction),
            None => Offer::Start {
                direction: match act {
                    Act::Deploy => Direction::Forward,
                    _ => Direction::Back,
                },
                again: false,
            },
        };
        let look = || id.clone().map(|run| Reply::new(Offer::Status { run }, Meaning::Look));
        let for_step = |offers: Vec<(Offer, Meaning)>| -> Vec<Reply> {
            offers
                .into_iter()
                .filter_map(|(offer, meaning)| reply_for(run, offer, meaning))
                .collect()
        };
        let found = match self {
            Self::Denied { act, .. } => {
                let roles = run.map_or_else(Vec::new, |state| {
                    allowed_roles(&state.planned.plan, Some(state), act)
                });
                let mut replies = vec![Reply::new(same(act), Meaning::AskRole).by(roles)];
                replies.extend(look());
                replies
            }
            Self::Finished => vec![
                Reply::new(Offer::Explain, Meaning::ReadDecisions),
                Reply::new(Offer::Start { direction, again: false }, Meaning::NewRun),
            ],
            Self::ReasonMissing { act } => vec![Reply::new(same(act), Meaning::GiveReason)],
            Self::NotPossible { .. } => look().into_iter().collect(),
            Self::StepRunning { step } => {
                for_step(vec![(Offer::Stop { step: step.clone() }, Meaning::StopIt)])
            }
            Self::StepsRunning { steps } => for_step(
                steps
                    .iter()
                    .map(|step| (Offer::Stop { step: step.clone() }, Meaning::StopIt))
                    .collect(),
            ),
            Self::StepInDoubt { step } => {
                let resolve = |answer| Offer::Resolve { step: step.clone(), answer };
                for_step(vec![
                    (resolve(Answer::Happened), Meaning::Happened),
                    (resolve(Answer::DidNotHappen), Meaning::DidNotHappen),
                ])
            }
            Self::NothingToCheck { step } => {
                let happened = Offer::Resolve { step: step.clone(), answer: Answer::Happened };
                for_step(vec![(happened, Meaning::AttestDone)])
            }
            Self::StepChanged { step, now } => for_step(vec![(
                Offer::Approve { stage: step.clone(), shown: now.clone() },
                Meaning::LetStart,
            )]),
            Self::Confirm { concern, act, question } => confirm(run, concern, act, *question),
            Self::FixTooLong { most } if most.get().is_zero() => {
                vec![Reply::new(back_out(None, None, false), Meaning::BackOut)]
            }
            Self::FixTooLong { most } => vec![Reply::new(fix(*most, None), Meaning::TryFix)],
            Self::FixForNoTime => {
                vec![Reply::new(fix(crate::decision::FIX_WINDOW, None), Meaning::TryFix)]
            }
            Self::GoesBackAlready => {
                let options = run.map_or_else(Vec::new, other_options);
                let mut replies: Vec<Reply> = options
                    .into_iter()
                    .map(|option| Reply::new(Offer::SwitchOption { option }, Meaning::NextOption))
                    .collect();
                replies.extend(look());
                replies
            }
            Self::GoesForward { option } => {
                vec![Reply::new(
                    back_out(Some(option.clone()), None, false),
                    Meaning::BackOutByOption,
                )]
            }
            Self::OnOptionAlready { .. } => look().into_iter().collect(),
            Self::SecondRun { run, direction, wanted, may_begin } => {
                let first = match direction {
                    Direction::Forward => {
                        Reply::new(Offer::BackOut { run: run.clone() }, Meaning::BackOut)
                    }
                    Direction::Back => {
                        Reply::new(Offer::Resume { run: run.clone() }, Meaning::GoOn)
                    }
                };
                let mut replies = vec![first];
                if *direction == Direction::Forward {
                    replies.push(Reply::new(Offer::Resume { run: run.clone() }, Meaning::GoOn));
                }
                replies.push(Reply::new(Offer::Abandon { run: run.clone() }, Meaning::GiveUp));
                if *may_begin {
                    let again = Offer::Start { direction: *wanted, again: true };
                    replies.push(Reply::new(again, Meaning::SecondRun));
                }
                replies
            }
            Self::AwaitsAgreement { run } => {
                vec![Reply::new(Offer::Resume { run: run.clone() }, Meaning::AgreeToStart)]
            }
            Self::NoStages => vec![Reply::new(
                Offer::Start { direction: Direction::Back, again: false },
                Meaning::BackOut,
            )],
            Self::NothingSelected => vec![Reply::new(Offer::CheckPlan, Meaning::SeePlan)],
            Self::BaselinesMissing { .. } => {
                vec![Reply::new(Offer::CaptureBaselines, Meaning::Capture)]
            }
        };
        match found.is_empty() {
            true => look().into_iter().collect(),
            false => found,
        }
    }
}

/// A reply, in the roles that may give it.
fn reply_for(run: Option<&RunState>, offer: Offer, meaning: Meaning) -> Option<Reply> {
    let reply = Reply::new(offer, meaning);
    let Some(state) = run else { return Some(reply) };
    Some(match crate::question::act_of(&reply.command) {
        Some(act) => {
            let roles = allowed_roles(&state.planned.plan, run, &act);
            reply.by(roles)
        }
        None => reply,
    })
}

fn fix(fix_for: Span, question: Option<u32>) -> Offer {
    Offer::Decide {
        verb: Verb::FixForward,
        option: None,
        fix_for: Some(fix_for),
        question,
        confirmed: false,
    }
}

fn back_out(option: Option<OptionId>, question: Option<u32>, confirmed: bool) -> Offer {
    Offer::Decide { verb: Verb::BackOut, option, fix_for: None, question, confirmed }
}

fn other_options(state: &RunState) -> Vec<OptionId> {
    let options = state.planned.plan.options.keys();
    options.filter(|option| state.option.as_ref() != Some(*option)).cloned().collect()
}

/// The answers to what has to be confirmed: the careful one first.
fn confirm(
    run: Option<&RunState>,
    concern: &Concern,
    act: &Act,
    question: Option<u32>,
) -> Vec<Reply> {
    match concern {
        Concern::Irreversible { .. } => {
            let verb = match act {
                Act::Decide { verb, .. } => *verb,
                _ => Verb::BackOut,
            };
            let options = run.map_or_else(Vec::new, |state| {
                state.planned.plan.options.keys().cloned().collect()
            });
            let rest =
                Offer::Decide { verb, option: None, fix_for: None, question, confirmed: true };
            let fix = Offer::Decide {
                verb: Verb::FixForward,
                option: None,
                fix_for: None,
                question,
                confirmed: false,
            };
            std::iter::once(Reply::new(rest, Meaning::BackOutRest))
                .chain(options.into_iter().map(|option| {
                    Reply::new(back_out(Some(option), question, false), Meaning::BackOutByOption)
                }))
                .chain(std::iter::once(Reply::new(fix, Meaning::TryFix)))
                .collect()
        }
        Concern::FixOutlastsBackout { .. } => {
            // Without `--for` a fix is tried for as long as the backout is still in time.
            let short = Offer::Decide {
                verb: Verb::FixForward,
                option: None,
                fix_for: None,
                question,
                confirmed: false,
            };
            let long = match act {
                Act::Decide { lasting, .. } => *lasting,
                _ => None,
            };
            let long = Offer::Decide {
                verb: Verb::FixForward,
                option: None,
                fix_for: long,
                question,
                confirmed: true,
            };
            vec![
                Reply::new(short, Meaning::TryFixInTime),
                Reply::new(long, Meaning::TryFixAnyway),
                Reply::new(back_out(None, question, false), Meaning::BackOut),
            ]
        }
    }
}
