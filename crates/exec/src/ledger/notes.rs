//! What is written down: the request, the claim, the end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use backout_core::attempt::AttemptId;
use backout_core::duration::Span;
use backout_core::environment::Environment;
use backout_core::ids::Epoch;
use backout_core::moment::Moment;
use backout_core::plan::{Action, Source, Step};
use backout_engine::hands::Report;

use crate::process::Birth;

/// What a supervisor is asked to do. Holds references to secrets, never a secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// Which attempt at which step of which run.
    pub id: AttemptId,
    /// The step, in full.
    pub step: Step,
    /// The coordinator's term.
    pub epoch: Epoch,
    /// The key a target can recognise a repeat by.
    pub key: String,
    /// The folder relative paths start from.
    pub folder: String,
    /// The variables that were frozen when its run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// What the step may talk to.
    pub sources: std::collections::BTreeMap<backout_core::ids::SourceId, Source>,
}

impl Request {
    /// How long its action may take, where its supervisor ends it then.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match &self.step.action {
            Action::Run(_) | Action::Http(_) | Action::Sql(_) => {
                self.step.action.timeout().map(Span::get)
            }
            _ => None,
        }
    }
}

/// Who decides about a dispatch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Claim {
    /// A supervisor accepted it.
    Supervisor {
        /// Its process, which leads a session of its own.
        pid: i32,
        /// When that process began, and where its number counts: numbers are used again, and
        /// after a restart of a container with the same running of the machine.
        #[serde(flatten)]
        birth: Birth,
        /// What it accepted; `None` where an earlier version wrote it down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<Box<AttemptId>>,
        /// The key it accepted it under; `None` where an earlier version wrote it down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// When; `None` where an earlier version wrote it down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Moment>,
    },
    /// A coordinator made sure that nobody ever will.
    Fenced,
}

/// How an attempt ended, as the supervisor writes it down.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Exit {
    pub(super) id: Option<AttemptId>,
    pub(super) report: Report,
}

/// Whether what is noted is about this attempt. An earlier version noted no more than the name,
/// and its runs have no random id.
pub(super) fn fits(noted: Option<&AttemptId>, id: &AttemptId) -> bool {
    noted.map_or(id.uid.is_none(), |noted| noted == id)
}
