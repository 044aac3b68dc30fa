//! What one trigger looks for, with every default filled in.

use std::time::Duration;

use backout_core::plan::Missing;

use crate::evidence::Detector;

/// A trigger, ready to be watched.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What it looks for.
    pub kind: Kind,
    /// How often it looks.
    pub every: Duration,
    /// For how long the limit must be passed without a break before it fires.
    pub lasting: Duration,
    /// For how long it must be well again before it counts as recovered.
    pub recovers_after: Duration,
    /// Up to this long, a missing sample is a hiccup and no gap.
    pub max_gap: Duration,
    /// How long after the watch begins data may be missing.
    pub grace: Duration,
    /// For how long reading may fail before it is said.
    pub error_after: Duration,
    /// The length of the short window whose share must still be beyond the limit.
    pub short: Duration,
    /// What it means when there is no data.
    pub on_no_data: Missing,
    /// What it means when the source cannot be read.
    pub on_error: Missing,
    /// Whether the watch is passed only if this trigger was seen well.
    pub required: bool,
    /// Prometheus' own rules for `for` and `keep_firing_for`, and nothing else.
    pub prometheus: bool,
}

/// What a trigger looks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A share of bad events, on evidence.
    Share {
        /// How evidence is gathered.
        detector: Detector,
        /// `ln c`: the trigger may fire once `ln M` reaches it.
        threshold: f64,
        /// With fewer events than this nothing is said.
        least: f64,
    },
    /// A value or a probe: each sample says by itself whether it is beyond the limit.
    Plain,
}

/// The evidence a share needs before its trigger may fire: `ln(looks / alpha)`, so
/// that all looks together raise a false alarm with probability `alpha` at most.
/// `floor` is the highest `ln M` a replay of quiet times allows.
#[must_use]
pub fn threshold(looks: u64, alpha: f64, floor: Option<f64>) -> f64 {
    let proven = libm::log(looks.max(1) as f64) - libm::log(alpha);
    floor.map_or(proven, |floor| proven.max(floor))
}

/// How many looks a watch has.
#[must_use]
pub fn looks(window: Duration, every: Duration) -> u64 {
    let every = every.as_millis().max(1);
    u64::try_from(window.as_millis() / every + 1).unwrap_or(u64::MAX)
}

/// The length of the short window: a twelfth of the watch as in the SRE workbook's
/// burn-rate alerts, but at least one interval and at most five minutes, so that
/// going back is seen to help while people wait for it.
#[must_use]
pub fn short_window(window: Duration, every: Duration) -> Duration {
    (window / 12).min(Duration::from_secs(300)).max(every)
}

/// The fewest events with which anything is said about a share: three are expected
/// to be bad at the limit.
#[must_use]
pub fn least(limit: f64) -> f64 {
    (3.0 / limit).ceil()
}
