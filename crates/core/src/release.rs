//! The way forward: what is known about a deployment beside its steps.
//!
//! A run that deploys holds two lists of steps behind each other: the stages, and
//! the steps of the way back. While it goes forward only the stages are selected.
//! From the decision to back out on, only steps are: those that undo a stage which
//! took place, and those that undo nothing in particular (announce, check, tell).
//! So one engine, one log and one set of guarantees serve both directions.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cause::{Concern, DecisionCause, Guard};
use crate::choice::{Choice, DecisionRequested, ForecastSummary};
use crate::duration::Span;
use crate::event::{Event, Reason};
use crate::graph::Graph;
use crate::ids::{OptionId, RoleId, SourceId, StepId, TriggerId};
use crate::people::PersonId;
use crate::plan::{Plan, Severity, Step};
use crate::record::{Actor, Record};
use crate::status::{Status, StepState};
use crate::watch::{Meaning, Reading, State, Verdict};

/// What is known about a deployment.
#[derive(Debug, Clone, Default)]
pub struct Release {
    /// Whether the run began with stages.
    pub deploys: bool,
    /// Stages that were watched for as long as the plan says.
    pub baked: BTreeMap<StepId, StageVerdict>,
    /// Stages that people agreed to.
    pub approved: BTreeSet<StepId>,
    /// Where each trigger stands.
    pub triggers: BTreeMap<TriggerId, TriggerStatus>,
    /// Sources that cannot be read.
    pub lost: BTreeMap<SourceId, SourceOutage>,
    /// A decision that is waited for.
    pub open: Option<PendingDecision>,
    /// Decisions that were made.
    pub decided: Vec<DecisionRecord>,
    /// What went wrong with the release, as people wrote it down.
    pub defects: Vec<Defect>,
    /// How the watch over the whole release ended.
    pub watched: Option<StageVerdict>,
    /// When nobody watched: from, to.
    pub gaps: Vec<(Timestamp, Timestamp)>,
    /// How many decisions were asked for.
    pub asked: u32,
    /// The way back, once it was begun.
    pub back: Option<BackoutProgress>,
}

/// How a watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageVerdict {
    /// How the triggers stood.
    pub verdict: Verdict,
    /// Whether somebody went on all the same.
    pub accepted: bool,
}

impl StageVerdict {
    /// Whether nothing stands in the way of going on.
    #[must_use]
    pub fn is_passed(self) -> bool {
        let passes = [Verdict::Passed, Verdict::Accepted, Verdict::Unwatched];
        passes.contains(&self.verdict) || self.accepted
    }
}

/// Where a trigger stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriggerStatus {
    /// Its state.
    pub state: State,
    /// What that means for the release.
    pub meaning: Meaning,
    /// Since when.
    pub since: Timestamp,
    /// When it first fired.
    pub fired: Option<Timestamp>,
    /// Where people stand with it.
    pub attention: Attention,
    /// Its state when it could last be seen.
    pub last_seen: State,
    /// Whether it fired, or would have fired, before the first stage began.
    pub before: bool,
    /// What was measured.
    pub reading: Reading,
}

impl TriggerStatus {
    /// Whether it was firing when it could last be seen, and cannot be seen now.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.state.is_blind() && matches!(self.last_seen, State::Firing | State::Recovering)
    }
}

/// Where people stand with a trigger.
///
/// ```text
///               fires                      continue, while it is not healthy
///   quiet ───────────────► alarm ─────────────────────────────► answered
///     ▲ ▲                    │ ▲                                   │  │
///     │ └── continue, once ──┘ └───────────── fires anew ──────────┘  │
///     │     it is healthy                                             │
///     └────────── healthy again, or another kind of trouble ──────────┘
///
///   any ── continue, after the backout ──► accepted
/// ```
///
/// An alarm stays one when what fired is over: it still calls for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// It has not fired since it was last decided about.
    Quiet,
    /// It fired, and that was not decided about.
    Alarm,
    /// It was decided to go on, and it is as it was then.
    Answered,
    /// It was accepted as it is after the backout.
    Accepted,
}

impl Attention {
    /// Whether a decision covers it.
    #[must_use]
    pub fn is_answered(self) -> bool {
        matches!(self, Self::Answered | Self::Accepted)
    }
}

/// How a trigger changes.
#[derive(Debug, Clone, Copy)]
struct Change {
    from: State,
    to: State,
    meaning: Meaning,
}

/// Where people stand with a trigger after a change of it: the picture at [`Attention`] as one
/// total function.
fn attention_after(known: Option<&TriggerStatus>, change: Change) -> Attention {
    let before = known.map_or(Attention::Quiet, |seen| seen.attention);
    let Change { from, to, meaning } = change;
    // What is seen where nothing could be seen is new, and so is a new alarm or another kind of
    // trouble. A trigger that wavers between firing and recovering is the same.
    let is_same = |seen: &TriggerStatus| {
        let was_unknown = seen.state.is_blind() && !seen.is_hidden();
        (!was_unknown || to.is_blind())
            && meaning != Meaning::Healthy
            && (seen.meaning == meaning || meaning < Meaning::Inconclusive)
            && (to != State::Firing || from == State::Recovering)
    };
    match before {
        Attention::Accepted => Attention::Accepted,
        Attention::Answered if known.is_some_and(is_same) => Attention::Answered,
        _ if to == State::Firing => Attention::Alarm,
        Attention::Alarm => Attention::Alarm,
        Attention::Quiet | Attention::Answered => Attention::Quiet,
    }
}

/// A source that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceOutage {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub error: String,
    /// Whether somebody has decided about it.
    pub answered: bool,
}

/// A decision that is waited for.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingDecision {
    /// Its number, from 1.
    pub number: u32,
    /// How bad it is.
    pub severity: Severity,
    /// Whether something is known to be wrong; else nobody knows.
    pub certain: bool,
    /// The triggers it is about.
    pub because: Vec<TriggerId>,
    /// The sources nobody can read.
    pub sources: Vec<SourceId>,
    /// Why it is asked.
    pub causes: Vec<DecisionCause>,
    /// The way back it calls for.
    pub option: Option<OptionId>,
    /// Who is asked now.
    pub asked: Vec<RoleId>,
    /// Until when they have time; then others are asked too.
    pub until: Option<Timestamp>,
    /// Until when a fix may be tried; then the release is backed out.
    pub fix_until: Option<Timestamp>,
    /// Why it is not done automatically although the plan would.
    pub guards: Vec<Guard>,
    /// What the forecast said when it was asked.
    pub forecast: Option<ForecastSummary>,
    /// Whether somebody is at work on a fix of their own, which nobody had asked for.
    pub own_fix: bool,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// How often it was passed on.
    pub passed_on: u32,
}

impl PendingDecision {
    /// Whether nobody was asked: somebody acts on what they saw themselves.
    #[must_use]
    pub fn is_discretionary(&self) -> bool {
        self.severity == Severity::Discretionary && self.certain && self.because.is_empty()
    }

    /// Whether a trigger measured just this when the question was asked.
    #[must_use]
    pub fn was_told(&self, trigger: &TriggerId, now: &Reading) -> bool {
        self.causes.iter().any(|cause| match cause {
            DecisionCause::Trigger { trigger: about, reading }
            | DecisionCause::StillCalling { trigger: about, reading } => {
                about == trigger && reading.measured == now.measured && reading.value == now.value
            }
            _ => false,
        })
    }

    /// What is open once it was asked.
    fn of(asked: &DecisionRequested, at: Timestamp) -> Self {
        Self {
            number: asked.number,
            severity: asked.severity,
            certain: asked.certain,
            because: asked.because.clone(),
            sources: asked.sources.clone(),
            causes: asked.causes.clone(),
            option: asked.option.clone(),
            asked: asked.asked.clone(),
            until: asked.until,
            fix_until: asked.fix_until,
            guards: asked.guards.clone(),
            forecast: asked.forecast.clone(),
            asked_at: at,
            passed_on: 0,
            own_fix: asked.own_fix,
        }
    }
}

/// A decision that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionRecord {
    /// What was open, if it was asked for.
    pub question: Option<PendingDecision>,
    /// How the triggers stood.
    pub seen: BTreeMap<TriggerId, TriggerStatus>,
    /// What was decided.
    pub choice: Choice,
    /// Who wrote it down: the person who decided, or the coordinator for the plan.
    pub by: Actor,
    /// Who had asked for the same before, where it takes several.
    pub agreed: Vec<PersonId>,
    /// Why, and whether a person or the plan decided.
    pub reason: Reason,
    /// What the person confirmed.
    pub confirmed: Vec<Concern>,
    /// Until when the backout could be started in time, as the forecast said then.
    pub latest: Option<Timestamp>,
    /// When.
    pub at: Timestamp,
}

/// Something that is wrong with the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// What is wrong.
    pub title: String,
    /// Its number in the tracker.
    pub id: Option<String>,
    /// How bad it is.
    pub severity: Option<Severity>,
    /// The trigger that showed it.
    pub trigger: Option<TriggerId>,
    /// Who logged it.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

/// The way back, once it was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackoutProgress {
    /// Since when.
    pub since: Timestamp,
    /// The stages that are undone.
    pub undoes: Vec<StepId>,
}

/// Whether a stage has, or may have, changed anything.
#[must_use]
pub fn took_place(known: &StepState) -> bool {
    known.took || known.status == Status::Running
}

/// The steps of the way back that are needed after these stages took place: one flag
/// per step. A step that undoes only stages that did not take place is not needed; a
/// step that undoes no stage at all always is.
#[must_use]
pub fn needed(stages: &[Step], took_place: &[bool], steps: &[Step]) -> Vec<bool> {
    let undoes = |step: &Step| {
        let named =
            stages.iter().zip(took_place).filter(|(stage, _)| stage.undone_by.0.contains(&step.id));
        let (mut any, mut wanted) = (false, false);
        for (_, took_place) in named {
            any = true;
            wanted |= *took_place;
        }
        !any || wanted
    };
    steps.iter().map(undoes).collect()
}

/// The order in which stages are undone where the plan leaves it open: what was done
/// last is undone first. Pairs `(first, then)` of steps of the way back.
///
/// The steps' own order always wins: no pair is returned that contradicts it.
#[must_use]
pub fn reversed(stages: &[Step], steps: &[Step]) -> Vec<(StepId, StepId)> {
    let (Ok(forward), Ok(back)) = (Graph::of_all(stages), Graph::of_all(steps)) else {
        return Vec::new();
    };
    let position = |id: &StepId| steps.iter().position(|step| step.id == *id);
    let mut pairs = Vec::new();
    for (later, stage) in stages.iter().enumerate() {
        // Only neighbours: the rest follows from them.
        for &earlier in &forward.before[later] {
            for undo_later in stage.undone_by.iter() {
                for undo_earlier in stages[earlier].undone_by.iter() {
                    let (Some(first), Some(then)) = (position(undo_later), position(undo_earlier))
                    else {
                        continue;
                    };
                    let settled = back.leads_to(first, then) || back.leads_to(then, first);
                    if first != then && !settled {
                        pairs.push((undo_later.clone(), undo_earlier.clone()));
                    }
                }
            }
        }
    }
    // Together they may still run in a circle with the steps' own order; then the
    // steps' own order stands alone.
    let all = vec![true; steps.len()];
    if Graph::new(steps, &all, &pairs).is_ok() { pairs } else { Vec::new() }
}

impl Release {
    /// Whether an event is about the deployment and not about a step's own course.
    #[must_use]
    pub fn is_about(event: &Event) -> bool {
        matches!(
            event,
            Event::StageApproved { .. }
                | Event::StageBaked { .. }
                | Event::TriggerChanged { .. }
                | Event::SourceOutageStarted { .. }
                | Event::SourceOutageEnded { .. }
                | Event::WatchGap { .. }
                | Event::WatchEnded { .. }
                | Event::DecisionRequested(_)
                | Event::DecisionEscalated { .. }
                | Event::DecisionMade { .. }
                | Event::BackoutStarted { .. }
                | Event::DefectLogged { .. }
        )
    }

    /// When something was watched for so long: time in which nobody watched is added.
    #[must_use]
    pub fn watched_for(&self, began: Timestamp, length: Span) -> Option<Timestamp> {
        let mut due = began.checked_add(length.signed()).ok()?;
        for (from, to) in &self.gaps {
            let from = (*from).max(began);
            if from < *to && from < due {
                due = due.checked_add(to.duration_since(from)).ok()?;
            }
        }
        Some(due)
    }

    /// Whether the run still goes forward.
    #[must_use]
    pub fn goes_forward(&self) -> bool {
        self.deploys && self.back.is_none()
    }

    /// A stage is done anew: what was watched and agreed to was another.
    pub(crate) fn begins_again(&mut self, stage: &StepId) {
        self.baked.remove(stage);
        self.approved.remove(stage);
        self.watched = None;
    }

    /// What a stage brings is about to be new: what was seen, asked and answered about it was
    /// about what was there before.
    pub(crate) fn is_new(&mut self, plan: &Plan, stage: &StepId) {
        for (id, seen) in &mut self.triggers {
            let from = plan.triggers.get(id).and_then(|trigger| trigger.from.as_ref());
            if from == Some(stage) {
                (seen.state, seen.meaning) = (State::Insufficient, Meaning::Open);
                (seen.attention, seen.last_seen) = (Attention::Quiet, State::Insufficient);
            }
        }
    }

    /// Triggers and sources that call for a decision nobody has made yet.
    pub fn unanswered(&self) -> impl Iterator<Item = (&TriggerId, &TriggerStatus)> {
        self.triggers.iter().filter(|(_, seen)| {
            !seen.attention.is_answered()
                && matches!(seen.meaning, Meaning::Breach | Meaning::Inconclusive)
        })
    }

    pub(crate) fn event(&mut self, event: &Event, record: &Record) {
        match event {
            Event::TriggerChanged { trigger, from, to, meaning, before, reading } => {
                let known = self.triggers.get(trigger);
                let fired = known.and_then(|seen| seen.fired);
                let change = Change { from: *from, to: *to, meaning: *meaning };
                let open = self.open.as_ref();
                let is_asked = open.is_some_and(|open| open.because.contains(trigger));
                let seen = TriggerStatus {
                    attention: attention_after(known, change),
                    last_seen: match to.is_blind() {
                        true => known.map_or(*from, |seen| seen.last_seen),
                        false => *to,
                    },
                    state: *to,
                    meaning: *meaning,
                    since: record.at,
                    fired: fired.or((*to == State::Firing).then_some(record.at)),
                    // It was well since: what comes now is new.
                    before: match to {
                        // Unless somebody is asked what it was.
                        State::Ok if !is_asked => false,
                        State::Firing if *before => true,
                        _ => known.is_some_and(|seen| seen.before),
                    },
                    reading: reading.clone(),
                };
                self.triggers.insert(trigger.clone(), seen);
            }
            Event::SourceOutageStarted { source, error } => {
                let lost = SourceOutage { since: record.at, error: error.clone(), answered: false };
                self.lost.insert(source.clone(), lost);
            }
            Event::SourceOutageEnded { source } => {
                self.lost.remove(source);
            }
            Event::StageBaked { stage, verdict } => {
                self.baked
                    .insert(stage.clone(), StageVerdict { verdict: *verdict, accepted: false });
            }
            Event::StageApproved { stage, .. } => {
                self.approved.insert(stage.clone());
            }
            Event::WatchEnded { verdict } => {
                self.watched = Some(StageVerdict { verdict: *verdict, accepted: false });
            }
            Event::WatchGap { from, to } => self.gaps.push((*from, *to)),
            Event::DecisionRequested(asked) => {
                self.measured(&asked.readings);
                self.asked = asked.number;
                self.open = Some(PendingDecision::of(asked, record.at));
            }
            Event::DecisionEscalated { to, until, .. } => {
                if let Some(open) = &mut self.open {
                    for role in to {
                        if !open.asked.contains(role) {
                            open.asked.push(role.clone());
                        }
                    }
                    open.until = *until;
                    open.passed_on += 1;
                }
            }
            Event::DecisionMade { choice, reason, readings, agreed, confirmed, latest, .. } => {
                self.measured(readings);
                self.decide(choice, reason, record);
                if let Some(decided) = self.decided.last_mut() {
                    decided.agreed.clone_from(agreed);
                    decided.confirmed.clone_from(confirmed);
                    decided.latest = *latest;
                }
            }
            Event::DefectLogged { title, id, severity, trigger } => self.defects.push(Defect {
                title: title.clone(),
                id: id.clone(),
                severity: *severity,
                trigger: trigger.clone(),
                by: record.actor.clone(),
                at: record.at,
            }),
            _ => {}
        }
    }

    fn measured(&mut self, readings: &BTreeMap<TriggerId, Reading>) {
        for (id, reading) in readings {
            if let Some(seen) = self.triggers.get_mut(id) {
                seen.reading = reading.clone();
            }
        }
    }

    /// Somebody says that it goes on. That answers what they were asked, and nothing
    /// else; that something can be seen again answers nothing at all.
    fn go_on(&mut self, automatic: bool) {
        if self.back.is_some() {
            for seen in self.triggers.values_mut() {
                seen.attention = Attention::Accepted;
            }
            return;
        }
        let Some(open) = self.open.as_ref().filter(|_| !automatic) else { return };
        for (id, seen) in &mut self.triggers {
            if !open.because.contains(id) {
                continue;
            }
            seen.attention = match seen.meaning {
                Meaning::Healthy => Attention::Quiet,
                _ => Attention::Answered,
            };
            seen.before &= seen.state != State::Ok;
        }
        if !open.certain {
            self.baked.values_mut().chain(&mut self.watched).for_each(|b| b.accepted = true);
            for (source, lost) in &mut self.lost {
                lost.answered |= open.sources.contains(source);
            }
        }
    }

    fn decide(&mut self, choice: &Choice, reason: &Reason, record: &Record) {
        let question = self.open.clone();
        let automatic = reason.is_automatic();
        let words = match reason {
            Reason::Person(words) => words.as_str(),
            Reason::Plan(_) => "",
        };
        match choice {
            // The question stays open while somebody fixes; its clock is another.
            Choice::FixForward { until } => {
                let (asked, at) = (&mut self.asked, record.at);
                // Nobody was asked: somebody fixes what they saw themselves.
                let open = self.open.get_or_insert_with(|| {
                    *asked += 1;
                    PendingDecision::of(&DecisionRequested::discretionary(*asked, words), at)
                });
                open.fix_until = Some(*until);
                open.until = None;
                open.passed_on = 0;
            }
            Choice::Continue => {
                self.go_on(automatic);
                self.open = None;
            }
            Choice::BackOut { .. } | Choice::NotFixable => self.open = None,
        }
        self.decided.push(DecisionRecord {
            seen: self.triggers.clone(),
            question,
            choice: choice.clone(),
            by: record.actor.clone(),
            agreed: Vec::new(),
            confirmed: Vec::new(),
            latest: None,
            reason: reason.clone(),
            at: record.at,
        });
    }
}
