//! What other systems said: kept on the board before it is answered, so that nothing
//! that was confirmed is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use backout_core::ids::TriggerId;
use backout_trigger::machine::Sample;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::receive::{Alert, Labels, OLDEST};

/// What other systems said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// How the alerts of each trigger stand.
    #[serde(default)]
    pub alerts: BTreeMap<TriggerId, Alerts>,
    /// The signatures that came, and when.
    #[serde(default)]
    pub signatures: BTreeMap<String, i64>,
}

/// How the alerts of one trigger stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alerts {
    /// Those that fire.
    pub firing: BTreeSet<Labels>,
    /// Since when, as far as whoever says so says when.
    #[serde(default)]
    pub since: Vec<(Labels, Timestamp)>,
    /// One of them fired, and no look has seen it yet: its end may have come sooner.
    pub unseen: bool,
}

/// How long a signature is remembered, in seconds: much longer than its message is let in.
const REMEMBERED: u64 = 12 * OLDEST;

impl Heard {
    /// Whether a signature comes for the first time.
    pub(crate) fn first(&mut self, signature: &str, now: i64) -> bool {
        self.signatures.retain(|_, came| now.abs_diff(*came) <= REMEMBERED);
        self.signatures.insert(signature.to_owned(), now).is_none()
    }

    /// Nobody needs to look at what came so far any more.
    pub(crate) fn is_seen(&mut self, trigger: &TriggerId) {
        if let Some(alerts) = self.alerts.get_mut(trigger) {
            alerts.unseen = false;
        }
    }

    /// An alert fires, or does no more.
    pub(crate) fn note(&mut self, trigger: &TriggerId, alert: &Alert) {
        let alerts = self.alerts.entry(trigger.clone()).or_default();
        let place = alerts.since.iter().position(|(labels, _)| *labels == alert.labels);
        let since = place.map(|place| alerts.since[place].1);
        if !alert.firing {
            // Messages overtake each other: what was over before this began is another one.
            if since.zip(alert.at).is_none_or(|(since, over)| over >= since) {
                alerts.firing.remove(&alert.labels);
                alerts.since.retain(|(labels, _)| *labels != alert.labels);
            }
            return;
        }
        alerts.unseen = true;
        alerts.firing.insert(alert.labels.clone());
        match (place, alert.at) {
            (Some(place), Some(at)) => alerts.since[place].1 = at.max(alerts.since[place].1),
            (None, Some(at)) => alerts.since.push((alert.labels.clone(), at)),
            (_, None) => {}
        }
    }

    /// Whether a trigger fires; nothing if nobody ever said.
    pub(crate) fn fires(&self, trigger: &TriggerId) -> Option<bool> {
        self.alerts.get(trigger).map(|alerts| alerts.unseen || !alerts.firing.is_empty())
    }

    /// A look was taken in.
    pub(crate) fn seen(&mut self, trigger: &TriggerId, sample: &Sample) {
        // One that came after the look began is for the next look.
        if matches!(sample, Sample::Value { beyond: true, .. })
            && let Some(alerts) = self.alerts.get_mut(trigger)
        {
            alerts.unseen = false;
        }
    }
}
