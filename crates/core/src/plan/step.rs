//! A unit of the way back, or of the way forward: a stage of the deployment is
//! written like a step and carried out like one.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, Copy, Http, LocalTime, Many, RestoreTree, Run, Sql, Verification, Wait};
use crate::duration::{Estimate, Span};
use crate::ids::{ComponentId, Digest, RoleId, StepId};

/// A unit of the way back: owner, action, verification, duration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written", into = "Written")]
pub struct Step {
    /// Its name in the plan.
    pub id: StepId,
    /// What it does, for people.
    pub title: Option<String>,
    /// The component it works on. A step without one belongs to every partial backout.
    pub component: Option<ComponentId>,
    /// The role that does it or answers for it.
    pub owner: Option<RoleId>,
    /// How long it takes.
    pub takes: Option<Estimate>,
    /// The steps that must be done before. `None` means the step before it in the file.
    pub after: Option<Many<StepId>>,
    /// What it does.
    pub action: Action,
    /// What may be done after a crash in the middle; see [`Step::effect`].
    pub effect: Option<Effect>,
    /// Where its effects end, if the plan says so; see [`Step::is_local`].
    pub effects: Option<Locality>,
    /// How long after its processes have ended its effect may still appear.
    pub settles: Option<Span>,
    /// How we know it worked.
    pub verify: Many<Verification>,
    /// Automatic repeats after a failure.
    pub retry: Option<Retry>,
    /// What a failure does to the rest of the run.
    pub on_failure: OnFailure,
    /// A lane only one step may use at a time, such as `restore`.
    pub exclusive: Option<String>,
    /// It does not start before this local time, in the window's time zone.
    pub not_before: Option<LocalTime>,
    /// Leaving it out does not make the backout partial.
    pub optional: bool,
    /// Why there is no way back after it.
    pub irreversible: Option<String>,
    /// How a person would tell whether it happened.
    pub if_in_doubt: Option<String>,
    /// Accounts or permissions its owner needs.
    pub access: Many<String>,
    /// Of a stage: the steps of the way back that undo it.
    pub undone_by: Many<StepId>,
    /// Of a stage: how long it is watched before anything builds on it.
    pub bake: Option<Span>,
    /// Of a stage: who must agree before it starts, and how many of them.
    pub approval: Option<super::Grant>,
}

impl Step {
    /// What may be done after a crash in the middle of this step.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect.unwrap_or_else(|| self.action.default_effect())
    }

    /// Whether nothing of it can have an effect once its processes on this machine have ended:
    /// the plan says so, or its action only handles files.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let only_files = matches!(self.action, Action::RestoreTree(_) | Action::Copy(_));
        only_files || self.effects == Some(Locality::Local)
    }

    /// Whether the plan says that it changes nothing, or its action cannot. What a person or
    /// another system does may change anything.
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        match self.effect {
            Some(effect) => effect == Effect::Read,
            None => self.effect() == Effect::Read && !self.action.is_reported(),
        }
    }

    /// What the action is known by: the same action, the same digest, whatever the
    /// step around it says.
    #[must_use]
    pub fn action_digest(&self) -> Digest {
        let kind = self.action.kind();
        let whole = serde_json::to_value(self).unwrap_or_default();
        Digest::of(serde_json::json!({kind: whole.get(kind)}).to_string().as_bytes())
    }

    /// What the whole step is known by: its action, its verifications, its times.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(serde_json::to_value(self).unwrap_or_default().to_string().as_bytes())
    }

    /// Whether people have to agree before it starts: the plan says so, or there is no
    /// way back after it.
    #[must_use]
    pub fn needs_approval(&self) -> bool {
        self.approval.is_some() || self.irreversible.is_some()
    }

    /// The title, or the name if there is none.
    #[must_use]
    pub fn label(&self) -> &str {
        self.title.as_deref().unwrap_or(self.id.as_str())
    }

    /// The verifications that need no person.
    pub fn machine_checks(&self) -> impl Iterator<Item = (usize, &Verification)> {
        self.verify
            .iter()
            .enumerate()
            .filter(|(_, verification)| !verification.check.needs_a_person())
    }

    /// The sentences a person has to confirm.
    pub fn confirmations(&self) -> impl Iterator<Item = &str> {
        self.verify.iter().filter_map(|verification| match &verification.check {
            super::Check::Confirm(sentence) => Some(sentence.as_str()),
            _ => None,
        })
    }
}

/// What may be done after a crash in the middle of a step.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It changes nothing: run it again.
    Read,
    /// Running it twice is the same as running it once: run it again.
    Idempotent,
    /// The target recognises a repeated request by its key: run it again with the same key.
    Keyed,
    /// Its verification tells whether it happened, and running it again when it
    /// did not (or only half) is safe: the verification decides.
    Verifiable,
    /// Only a person can tell.
    Opaque,
}

impl Effect {
    /// Every class, for tables and exhaustive tests.
    pub const ALL: [Self; 5] =
        [Self::Read, Self::Idempotent, Self::Keyed, Self::Verifiable, Self::Opaque];

    /// Whether running it again needs no question at all.
    #[must_use]
    pub fn may_repeat(self) -> bool {
        matches!(self, Self::Read | Self::Idempotent | Self::Keyed)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Read => "read",
            Self::Idempotent => "idempotent",
            Self::Keyed => "keyed",
            Self::Verifiable => "verifiable",
            Self::Opaque => "opaque",
        })
    }
}

/// Where the effects of a step end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Locality {
    /// In its own processes on this machine, and in what they write themselves: once they have
    /// ended, nothing more comes of it. What a server is asked for is not local: to end
    /// the client does not end the work.
    Local,
}

/// Automatic repeats after a failure, for steps that may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How often to try in all, from 2 to 100.
    #[schemars(range(min = 2, max = 100))]
    pub attempts: u32,
    /// How long to wait before each repeat.
    pub pause: Span,
}

/// What a failure does to the rest of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Steps that depend on it wait; independent ones go on.
    #[default]
    Hold,
    /// Nothing new starts at all.
    HaltAll,
}

impl OnFailure {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
    fn is_hold(&self) -> bool {
        *self == Self::Hold
    }
}

/// How a step is written: the action's kind as a key among the others.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Step")]
struct Written {
    /// Its name in the plan.
    id: StepId,
    /// What it does, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// The component it works on. A step without one belongs to every partial backout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    component: Option<ComponentId>,
    /// The role that does it or answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<RoleId>,
    /// How long it takes: one duration, or {low, likely, high}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    takes: Option<Estimate>,
    /// The steps that must be done before. Left out: the step before it in the
    /// file. `[]`: nothing, it may start at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Many<StepId>>,
    /// A person does it, following this instruction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manual: Option<String>,
    /// A command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<Run>,
    /// A request to a web server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http: Option<Http>,
    /// A statement for a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sql: Option<Sql>,
    /// Make a folder equal to a backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restore_tree: Option<RestoreTree>,
    /// Put one file in place of another, whole or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    copy: Option<Copy>,
    /// Do nothing until the verifications hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wait: Option<Wait>,
    /// Another system does it and reports when it is done: `Jenkins job portal-deploy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external: Option<String>,
    /// What may be done after a crash in the middle: read, idempotent, keyed,
    /// verifiable or opaque. Default: by the action; `opaque` for commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
    /// Only of a `verifiable` step: `local` where nothing more can come of it once its processes
    /// on this machine have ended. Not for what a server is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    effects: Option<Locality>,
    /// Only of a `verifiable` step: how long after its processes have ended its effect may still
    /// appear. Until then "does not hold yet" is not taken for "did not happen". Default: its
    /// time-out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settles: Option<Span>,
    /// How we know it worked: one verification or a list that must all hold.
    #[serde(default, skip_serializing_if = "Many::is_empty")]
    verify: Many<Verification>,
    /// Automatic repeats after a failure; only for steps that may be repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry: Option<Retry>,
    /// What a failure does to the rest of the run: hold (what depends on it) or halt_all.
    #[serde(default, skip_serializing_if = "OnFailure::is_hold")]
    on_failure: OnFailure,
    /// A lane only one step may use at a time, such as `restore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exclusive: Option<String>,
    /// It does not start before this local time, in the window's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<LocalTime>,
    /// Leaving it out does not make the backout partial.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    optional: bool,
    /// Why there is no way back after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    irreversible: Option<String>,
    /// How a person would tell whether it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    if_in_doubt: Option<String>,
    /// Accounts or permissions its owner needs.
    #[serde(default, skip_serializing_if = "Many::is_empty")]
    access: Many<String>,
    /// Only of a stage: the steps of the way back that undo it.
    #[serde(default, skip_serializing_if = "Many::is_empty")]
    undone_by: Many<StepId>,
    /// Only of a stage: how long it is watched before anything builds on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bake: Option<Span>,
    /// Only of a stage: who must agree before it starts, and how many of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    approval: Option<super::Grant>,
}

/// A step must be one thing.
#[derive(Debug, thiserror::Error)]
enum BadStep {
    #[error(
        "step `{0}` does nothing: give it one of `manual`, `run`, `http`, `sql`, `restore_tree`, `copy`, `wait`, `external`"
    )]
    NoAction(StepId),
    #[error("step `{0}` has two actions, `{1}` and `{2}`: make them two steps")]
    Several(StepId, &'static str, &'static str),
    #[error(
        "step `{0}` is `{1}` after a crash and cannot be repeated automatically: remove `retry`, or declare its `effect`"
    )]
    CannotRepeat(StepId, Effect),
    #[error("step `{0}` is `{2}`: `{1}` is only for `effect: verifiable`")]
    OnlyVerifiable(StepId, &'static str, Effect),
}

impl TryFrom<Written> for Step {
    type Error = BadStep;

    fn try_from(written: Written) -> Result<Self, BadStep> {
        let id = written.id;
        let mut actions = [
            written.manual.map(Action::Manual),
            written.run.map(Action::Run),
            written.http.map(Action::Http),
            written.sql.map(Action::Sql),
            written.restore_tree.map(Action::RestoreTree),
            written.copy.map(Action::Copy),
            written.wait.map(Action::Wait),
            written.external.map(Action::External),
        ]
        .into_iter()
        .flatten();
        let Some(action) = actions.next() else { return Err(BadStep::NoAction(id)) };
        if let Some(second) = actions.next() {
            return Err(BadStep::Several(id, action.kind(), second.kind()));
        }
        let step = Self {
            id,
            title: written.title,
            component: written.component,
            owner: written.owner,
            takes: written.takes,
            after: written.after,
            action,
            effect: written.effect,
            effects: written.effects,
            settles: written.settles,
            verify: written.verify,
            retry: written.retry,
            on_failure: written.on_failure,
            exclusive: written.exclusive,
            not_before: written.not_before,
            optional: written.optional,
            irreversible: written.irreversible,
            if_in_doubt: written.if_in_doubt,
            access: written.access,
            undone_by: written.undone_by,
            bake: written.bake,
            approval: written.approval,
        };
        // An automatic repeat after a failure is the same risk as one after a
        // crash: the failed attempt may have done its work before it failed.
        if step.retry.is_some() && !step.effect().may_repeat() {
            return Err(BadStep::CannotRepeat(step.id.clone(), step.effect()));
        }
        let of_doubt = [("effects", step.effects.is_some()), ("settles", step.settles.is_some())];
        match of_doubt.into_iter().find(|(_, is_given)| *is_given) {
            Some((key, _)) if step.effect() != Effect::Verifiable => {
                Err(BadStep::OnlyVerifiable(step.id.clone(), key, step.effect()))
            }
            _ => Ok(step),
        }
    }
}

impl From<Step> for Written {
    fn from(step: Step) -> Self {
        let mut written = Self {
            id: step.id,
            title: step.title,
            component: step.component,
            owner: step.owner,
            takes: step.takes,
            after: step.after,
            manual: None,
            run: None,
            http: None,
            sql: None,
            restore_tree: None,
            copy: None,
            wait: None,
            external: None,
            effect: step.effect,
            effects: step.effects,
            settles: step.settles,
            verify: step.verify,
            retry: step.retry,
            on_failure: step.on_failure,
            exclusive: step.exclusive,
            not_before: step.not_before,
            optional: step.optional,
            irreversible: step.irreversible,
            if_in_doubt: step.if_in_doubt,
            access: step.access,
            undone_by: step.undone_by,
            bake: step.bake,
            approval: step.approval,
        };
        match step.action {
            Action::Manual(it) => written.manual = Some(it),
            Action::Run(it) => written.run = Some(it),
            Action::Http(it) => written.http = Some(it),
            Action::Sql(it) => written.sql = Some(it),
            Action::RestoreTree(it) => written.restore_tree = Some(it),
            Action::Copy(it) => written.copy = Some(it),
            Action::Wait(it) => written.wait = Some(it),
            Action::External(it) => written.external = Some(it),
        }
        written
    }
}
