//! Where every trigger stands, kept on disk: a watch that starts again has forgotten
//! nothing.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use backout_core::ids::TriggerId;
use backout_core::moment::{ClockChange, Moment, moved};
use backout_core::watch::Reading;
use backout_trigger::machine::Watched;
use backout_trigger::rule::Measured;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::heard::Heard;
use crate::look::Memory;

/// Where one trigger stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Its state, its timers, its evidence.
    pub watched: Watched,
    /// What was measured last.
    pub reading: Reading,
    /// The last values, oldest first, for people.
    pub recent: Vec<f64>,
    /// What one look leaves for the next.
    #[serde(default)]
    pub memory: Memory,
}

/// Where every trigger stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Board {
    /// When the watch began.
    pub began: Timestamp,
    /// Each trigger.
    pub triggers: BTreeMap<TriggerId, Standing>,
    /// What was measured before the deployment: a watch that starts again judges as the
    /// first one did.
    #[serde(default)]
    pub measured: BTreeMap<TriggerId, Measured>,
    /// When it was last looked at: on a clock that was set since, everything moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Moment>,
    /// What other systems said.
    #[serde(default)]
    pub heard: Heard,
}

/// How many values are kept for people.
const RECENT: usize = 60;

impl Standing {
    pub(crate) fn note(&mut self, value: Option<f64>) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.recent.push(value);
            let over = self.recent.len().saturating_sub(RECENT);
            self.recent.drain(..over);
        }
    }
}

impl Board {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(began: Timestamp) -> Self {
        Self {
            began,
            triggers: BTreeMap::new(),
            measured: BTreeMap::new(),
            at: None,
            heard: Heard::default(),
        }
    }

    /// The time on the wall now. Where that was set since the last look, what is counted from
    /// an earlier moment goes on as if it had not been.
    pub(crate) fn follow(&mut self, now: Moment) -> Option<SignedDuration> {
        let change = self.at.as_ref().and_then(|at| now.change_since(at));
        self.at = Some(now);
        let Some(ClockChange::Jumped(by)) = change else { return None };
        self.began = moved(self.began, by);
        self.triggers.values_mut().for_each(|known| known.watched.move_by(by));
        Some(by)
    }

    /// The file in a run's folder.
    #[must_use]
    pub fn file(folder: &Path) -> PathBuf {
        folder.join("watch.json")
    }

    /// What was kept; nothing if there is none.
    ///
    /// # Errors
    /// What is there and cannot be read.
    pub fn load(file: &Path) -> std::io::Result<Option<Self>> {
        match std::fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(std::io::Error::other),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps it, whole or not at all.
    ///
    /// # Errors
    /// What the disk says.
    pub fn keep(&self, file: &Path) -> std::io::Result<()> {
        let new = file.with_extension("new");
        let mut out = std::fs::File::create(&new)?;
        out.write_all(&serde_json::to_vec(self).map_err(std::io::Error::other)?)?;
        out.sync_data()?;
        std::fs::rename(&new, file)
    }
}
