//! Why a command is not carried out, as data, and what can be done instead.

use crate::act::{Act, Answer};
use crate::authority::allowed_roles;
use crate::cause::{Concern, Denial};
use crate::choice::Verb;
use crate::decision::fix_window;
use crate::duration::Span;
use crate::event::Direction;
use crate::handle::AtWork;
use crate::ids::{BaselineId, OptionId, RunId, StepId};
use crate::illegal::Illegal;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::question::{act_of, questions};
use crate::reply::{Meaning, Offer, Reply};
use crate::state::RunState;
use crate::status::Status;

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
    /// A defect needs a title.
    TitleMissing,
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
    GoesBackAlready {
        /// What is left of what was asked for.
        left: StillAsked,
    },
    /// The run goes forward: there is no option yet to switch from.
    GoesForward {
        /// The option that was asked for.
        option: OptionId,
    },
    /// The state folder was copied or moved: nobody has said yet that the run goes on here.
    OtherFolder,
    /// The run is held already.
    HeldAlready,
    /// The log holds all that is known of it: there is nothing to rebuild.
    NothingLost,
    /// The stage is approved already, as it is now.
    ApprovedAlready {
        /// The stage.
        stage: StepId,
    },
    /// The run is on this option already.
    OnOptionAlready {
        /// The option.
        option: OptionId,
    },
    /// A run that cannot be relied on is at work, and a new one was to begin in its place.
    AtWork {
        /// That run.
        run: RunId,
        /// What of it.
        at_work: AtWork,
    },
    /// A run of the same change is open.
    SecondRun {
        /// That run.
        run: RunId,
        /// Where it goes; unknown where its log cannot be read.
        direction: Option<Direction>,
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
    /// More people have to agree that a deployment starts than the plan has for it.
    TooFewPeople {
        /// How many.
        quorum: u32,
        /// How many there are.
        people: u32,
    },
    /// The check of the plan finds errors, and nothing is deployed yet.
    PlanErrors {
        /// The rules that are broken.
        rules: Vec<String>,
    },
}

/// What is left of a decision about a run that goes back already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StillAsked {
    /// Nothing: it was to go back.
    Nothing,
    /// It was to go back, and is held, or waits for people to agree.
    Move,
    /// It was to go back by this other option.
    Option(OptionId),
    /// It was not to go back.
    Forward,
}

/// What a refusal means for the one who sent the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// One question, with a default and a flag.
    Question,
    /// It is so already: there is nothing to do.
    AlreadySo,
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
            Self::GoesBackAlready { left } => match left {
                StillAsked::Nothing => RefusalKind::AlreadySo,
                StillAsked::Move | StillAsked::Option(_) => RefusalKind::Question,
                StillAsked::Forward => RefusalKind::Refused,
            },
            Self::HeldAlready | Self::NothingLost | Self::ApprovedAlready { .. } => {
                RefusalKind::AlreadySo
            }
            Self::ReasonMissing { .. } | Self::TitleMissing | Self::FixForNoTime => {
                RefusalKind::Usage
            }
            Self::Denied { .. }
            | Self::Finished
            | Self::NotPossible { .. }
            | Self::StepRunning { .. }
            | Self::StepInDoubt { .. }
            | Self::StepsRunning { .. }
            | Self::NothingToCheck { .. }
            | Self::StepChanged { .. }
            | Self::FixTooLong { .. }
            | Self::OtherFolder
            | Self::GoesForward { .. }
            | Self::OnOptionAlready { .. }
            | Self::AtWork { .. }
            | Self::SecondRun { .. }
            | Self::AwaitsAgreement { .. }
            | Self::NoStages
            | Self::NothingSelected
            | Self::BaselinesMissing { .. }
            | Self::TooFewPeople { .. }
            | Self::PlanErrors { .. } => RefusalKind::Refused,
        }
    }

    /// What can be done instead, at least one command, each with the roles that may. `run` is
    /// the run the command was sent to, if there is one.
    #[must_use]
    pub fn replies(&self, plan: &Plan, run: Option<&RunState>) -> Vec<Reply> {
        let mut replies = self.ways_out(plan, run);
        if replies.is_empty() {
            let look = |state: &RunState| Offer::Status { run: state.run.clone() };
            replies.extend(run.map(|state| Reply::new(look(state), Meaning::Look)));
        }
        for reply in &mut replies {
            let Some(act) = act_of(&reply.command, run).filter(|_| reply.by.is_empty()) else {
                continue;
            };
            let roles = allowed_roles(plan, run, &act);
            if roles.len() < plan.roles.len() {
                reply.by = roles;
            }
        }
        replies
    }

    fn ways_out(&self, plan: &Plan, run: Option<&RunState>) -> Vec<Reply> {
        let id = run.map(|state| state.run.clone());
        let direction = run.map_or(Direction::Back, |state| state.planned.direction);
        let same = |act: &Act| match &id {
            // A run that waits for people to agree is begun already.
            Some(id) if act.begins() => Offer::Resume { run: id.clone() },
            Some(id) => Offer::of_act(act, id, direction),
            None => start(match act {
                Act::Deploy => Direction::Forward,
                _ => Direction::Back,
            }),
        };
        let look = || id.clone().map(|run| Reply::new(Offer::Status { run }, Meaning::Look));
        let reply = |(offer, meaning)| Reply::new(offer, meaning);
        match self {
            Self::Denied { act, .. } => {
                let roles = allowed_roles(plan, run, act);
                let mut replies = vec![Reply::new(same(act), Meaning::AskRole).by(roles)];
                replies.extend(look());
                replies
            }
            Self::Finished => vec![
                Reply::new(Offer::Explain, Meaning::ReadDecisions),
                // A deployment that is over is not deployed again to go back.
                Reply::new(
                    start(Direction::Back),
                    match direction {
                        Direction::Forward => Meaning::BackOut,
                        Direction::Back => Meaning::NewRun,
                    },
                ),
            ],
            Self::TitleMissing => vec![reply((Offer::LogDefect, Meaning::GiveTitle))],
            Self::ReasonMissing { act } => vec![Reply::new(same(act), Meaning::GiveReason)],
            Self::NotPossible { act, .. } => {
                let mut replies = run.map_or_else(Vec::new, |state| possible(state, act));
                replies.extend(look());
                replies
            }
            Self::StepRunning { step } => {
                vec![reply((Offer::Stop { step: step.clone() }, Meaning::StopIt))]
            }
            Self::StepsRunning { steps } => {
                let stop = |step: &StepId| (Offer::Stop { step: step.clone() }, Meaning::StopIt);
                steps.iter().map(stop).map(reply).collect()
            }
            Self::StepInDoubt { step } => {
                let resolve = |answer| Offer::Resolve { step: step.clone(), answer };
                vec![
                    reply((resolve(Answer::Happened), Meaning::Happened)),
                    reply((resolve(Answer::DidNotHappen), Meaning::DidNotHappen)),
                ]
            }
            Self::NothingToCheck { step } => {
                let happened = Offer::Resolve { step: step.clone(), answer: Answer::Happened };
                vec![reply((happened, Meaning::AttestDone))]
            }
            Self::StepChanged { step, now } => vec![reply((
                Offer::Approve { stage: step.clone(), shown: now.clone() },
                Meaning::LetStart,
            ))],
            Self::Confirm { concern, act, question } => confirm(run, concern, act, *question),
            Self::FixTooLong { most } if most.get().is_zero() => {
                vec![Reply::new(back_out(None, None, false), Meaning::BackOut)]
            }
            Self::FixTooLong { most } => vec![Reply::new(fix(*most, None), Meaning::TryFix)],
            Self::FixForNoTime => {
                let policy = run.map_or_else(Policy::default, |state| state.planned.policy.clone());
                let window = fix_window(None, &policy);
                match window.get().is_zero() {
                    true => vec![Reply::new(back_out(None, None, false), Meaning::BackOut)],
                    false => vec![Reply::new(fix(window, None), Meaning::TryFix)],
                }
            }
            Self::GoesBackAlready { left } => {
                let holds = run.is_some_and(|state| state.holding.is_some());
                let (wanted, options) = match left {
                    StillAsked::Option(option) => (true, vec![option.clone()]),
                    _ => (holds, run.map_or_else(Vec::new, other_options)),
                };
                let switch = |option| (Offer::SwitchOption { option }, Meaning::NextOption);
                let waits = run.is_some_and(|state| state.awaits_agreement);
                let meaning = if waits { Meaning::AgreeToStart } else { Meaning::GoOn };
                let go_on = id.clone().map(|run| (Offer::Resume { run }, meaning));
                let mut replies: Vec<Reply> = match wanted {
                    true => options.into_iter().map(switch).chain(go_on).map(reply).collect(),
                    false => go_on
                        .into_iter()
                        .chain(options.into_iter().map(switch))
                        .map(reply)
                        .collect(),
                };
                replies.extend(look());
                replies
            }
            Self::GoesForward { option } => {
                vec![Reply::new(
                    back_out(Some(option.clone()), None, false),
                    Meaning::BackOutByOption,
                )]
            }
            Self::OtherFolder => {
                let here = |run| Offer::GoOnHere { run, confirmed: false };
                let here = id.clone().map(|run| Reply::new(here(run), Meaning::GoOnHere));
                here.into_iter().collect()
            }
            Self::HeldAlready | Self::NothingLost => {
                let go_on = id.clone().map(|run| Reply::new(Offer::Resume { run }, Meaning::GoOn));
                go_on.into_iter().collect()
            }
            Self::OnOptionAlready { .. } | Self::ApprovedAlready { .. } => {
                look().into_iter().collect()
            }
            Self::AtWork { run, at_work } => {
                let look = (Offer::VerifyLog { run: run.clone() }, Meaning::FindDamage);
                // A coordinator keeps its log; what is rebuilt goes on with a step where it is.
                let rebuild = matches!(at_work, AtWork::Step(_)).then(|| {
                    (Offer::Recover { run: run.clone(), confirmed: false }, Meaning::RebuildLog)
                });
                std::iter::once(look).chain(rebuild).map(reply).collect()
            }
            Self::SecondRun { run, direction, wanted, may_begin } => {
                let again = match direction {
                    // Of what cannot be read a second run could repeat everything.
                    None => Some((Offer::NewRun { direction: *wanted }, Meaning::NewRunAsking)),
                    Some(_) => {
                        let (direction, again) = (*wanted, true);
                        let again = Offer::Start { direction, again, confirmed: false };
                        may_begin.then_some((again, Meaning::SecondRun))
                    }
                };
                let run = || run.clone();
                let of_run = match direction {
                    Some(Direction::Forward) => vec![
                        (Offer::BackOut { run: run() }, Meaning::BackOut),
                        (Offer::Resume { run: run() }, Meaning::GoOn),
                        (Offer::Abandon { run: run() }, Meaning::GiveUp),
                    ],
                    Some(Direction::Back) => vec![
                        (Offer::Resume { run: run() }, Meaning::GoOn),
                        (Offer::Abandon { run: run() }, Meaning::GiveUp),
                    ],
                    // What cannot be read takes no command.
                    None => vec![
                        (Offer::VerifyLog { run: run() }, Meaning::FindDamage),
                        (Offer::Recover { run: run(), confirmed: false }, Meaning::RebuildLog),
                    ],
                };
                of_run.into_iter().chain(again).map(reply).collect()
            }
            Self::AwaitsAgreement { run } => {
                vec![Reply::new(Offer::Resume { run: run.clone() }, Meaning::AgreeToStart)]
            }
            Self::NoStages => vec![Reply::new(start(Direction::Back), Meaning::BackOut)],
            Self::TooFewPeople { .. } | Self::NothingSelected => {
                vec![Reply::new(Offer::CheckPlan, Meaning::SeePlan)]
            }
            Self::BaselinesMissing { .. } => {
                vec![Reply::new(Offer::CaptureBaselines, Meaning::Capture)]
            }
            Self::PlanErrors { .. } => {
                let (direction, again) = (Direction::Forward, false);
                let anyway = Offer::Start { direction, again, confirmed: true };
                vec![
                    reply((Offer::CheckPlan, Meaning::SeePlan)),
                    reply((anyway, Meaning::DeployAnyway)),
                ]
            }
        }
    }
}

fn start(direction: Direction) -> Offer {
    Offer::Start { direction, again: false, confirmed: false }
}

/// What can be said of the step as it stands, instead of what does not fit.
fn possible(state: &RunState, act: &Act) -> Vec<Reply> {
    let Some(step) = act.step() else { return Vec::new() };
    let asked =
        questions(state).into_iter().filter(|question| question.step.as_ref() == Some(step));
    let mut replies: Vec<Reply> = asked.flat_map(|question| question.answers).collect();
    replies.retain(|reply| act_of(&reply.command, Some(state)).as_ref() != Some(act));
    let at_work = state
        .step(step)
        .is_some_and(|(step, known)| known.status == Status::Running && !step.action.is_reported());
    if at_work && !matches!(act, Act::Stop { .. }) {
        replies.push(Reply::new(Offer::Stop { step: step.clone() }, Meaning::StopIt));
    }
    replies
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
        Concern::OtherLocation { .. } => run.map_or_else(Vec::new, |state| {
            let run = || state.run.clone();
            let here = match act {
                Act::Recover => Offer::Recover { run: run(), confirmed: true },
                _ => Offer::GoOnHere { run: run(), confirmed: true },
            };
            vec![
                Reply::new(Offer::Status { run: run() }, Meaning::Look),
                Reply::new(here, Meaning::GoOnHere),
            ]
        }),
        Concern::NotSilent { .. } => run.map_or_else(Vec::new, |state| {
            let run = || state.run.clone();
            let anyway = Offer::TakeOver { run: run(), confirmed: true };
            vec![
                Reply::new(Offer::Status { run: run() }, Meaning::Look),
                Reply::new(anyway, Meaning::TakeOverAnyway),
            ]
        }),
        Concern::LetsUsersIn { .. } => {
            let skip = act.step().map(|step| Offer::Skip { step: step.clone(), confirmed: true });
            let look = run.map(|state| Offer::Status { run: state.run.clone() });
            let look = look.map(|look| Reply::new(look, Meaning::Look));
            look.into_iter()
                .chain(skip.map(|skip| Reply::new(skip, Meaning::LeaveOutAnyway)))
                .collect()
        }
        // Before the night it is no question, and what was wrong with the plan is refused.
        Concern::PlanErrors { .. } => Vec::new(),
        Concern::PartsLeftOut { .. } => {
            let (direction, again) = (Direction::Back, false);
            vec![
                Reply::new(
                    Offer::Start { direction, again, confirmed: true },
                    Meaning::BackOutWithout,
                ),
                Reply::new(Offer::CheckPlan, Meaning::SeePlan),
            ]
        }
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
        Concern::FixOutlastsBackout { latest, passed, .. } => {
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
            // Once the last moment has passed, or is not known, no fix is known to be in time.
            let ahead = latest.filter(|_| !passed);
            let short = ahead.map(|_| Reply::new(short, Meaning::TryFixInTime));
            let back = Reply::new(back_out(None, question, false), Meaning::BackOut);
            let long = Reply::new(long, Meaning::TryFixAnyway);
            short.into_iter().chain([back, long]).collect()
        }
    }
}
