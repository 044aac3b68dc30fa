//! What one trigger looks for, with every default filled in.

use std::time::Duration;

use backout_core::duration::Span;
use backout_core::plan::{Comparison, Condition, Limit, Missing, Plan, Semantics, Trigger};

use serde::{Deserialize, Serialize};

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
    /// How long data may be missing at first, around a stage, and after a source came back.
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
        /// With fewer events than this it is not said to be well. It may fire with fewer.
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

/// The fewest events with which a share is said to be well: three are expected
/// to be bad at the limit.
#[must_use]
pub fn least(limit: f64) -> f64 {
    (3.0 / limit).ceil()
}

/// How often a trigger is looked at, if the plan does not say.
pub const EVERY: Span = Span::seconds(15);
/// How long a release is watched, if the plan does not say.
const WINDOW: Span = Span::minutes(240);
/// How long data may be missing at first, if the plan does not say.
const GRACE: Span = Span::minutes(3);
/// The accepted probability of a false alarm, if the plan does not say.
const FALSE_ALARMS: f64 = 0.01;

/// What was measured before the deployment: what the plan cannot say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// How bursty bad events are.
    pub rho: Option<f64>,
    /// The evidence it takes to fire, `ln M`, where a replay of quiet times shows that
    /// less would raise too many false alarms.
    pub floor: Option<f64>,
    /// How many whole watches the quiet times held.
    #[serde(default)]
    pub watches: usize,
    /// In how many of them it would have fired.
    #[serde(default)]
    pub alarms: usize,
    /// Whether it would have been firing right before the deployment: then the deployment
    /// is not what is wrong. Over as soon as it was seen to be well.
    #[serde(default)]
    pub firing: bool,
}

/// How often a trigger is looked at.
#[must_use]
pub fn every(trigger: &Trigger) -> Duration {
    trigger.every.unwrap_or(EVERY).get().max(Duration::from_millis(100))
}

/// The accepted probability that one trigger over a share raises a false alarm in the
/// whole watch. Together they may raise what the plan accepts: each has its equal part.
#[must_use]
pub fn alpha(plan: &Plan) -> f64 {
    let shares = plan.triggers.values().filter(|t| limit(&t.condition).is_some()).count();
    let all = plan.watch.as_ref().and_then(|watch| watch.false_alarms);
    all.map_or(FALSE_ALARMS, |percent| percent.0 / 100.0) / shares.max(1) as f64
}

/// For how long a release is looked at, as it is planned: while its stages run, their times
/// under watch, and the window after the last of them. What waits longer, for people or for
/// what is slow, nobody knows before.
fn planned(plan: &Plan, window: Duration) -> Duration {
    let lengths = plan.stages.iter().flat_map(|stage| {
        let takes = stage.takes.map(|takes| takes.high().get());
        [takes, stage.bake.map(Span::get)]
    });
    lengths.flatten().fold(window, Duration::saturating_add)
}

/// The rule of a trigger, with every default filled in; nothing for one that a person
/// watches.
#[must_use]
pub fn of(plan: &Plan, trigger: &Trigger, measured: &Measured) -> Option<Rule> {
    let watch = plan.watch.clone().unwrap_or_default();
    let every = every(trigger);
    let window = watch.window.unwrap_or(WINDOW).get();
    let alpha = alpha(plan);
    let kind = match limit(&trigger.condition) {
        Some(limit) => Kind::Share {
            detector: Detector::new(limit, measured.rho),
            threshold: threshold(looks(planned(plan, window), every), alpha, measured.floor),
            least: least(limit),
        },
        None => Kind::Plain,
    };
    let quiet = match &trigger.condition {
        Condition::Judged(_) => return None,
        // Somebody else has waited already before it said so.
        Condition::Webhook(_) | Condition::Composite(_) | Condition::Probe(_) => true,
        _ => matches!(kind, Kind::Share { .. }),
    };
    let required = trigger.required.unwrap_or(!matches!(trigger.condition, Condition::Webhook(_)));
    // Its rules are about values: a share under them would never fire.
    let prometheus = trigger.semantics == Some(Semantics::Prometheus)
        && matches!(trigger.condition, Condition::Gauge(_));
    let own = |span: Option<Span>, looks: u32| match span {
        Some(span) => span.get(),
        None if prometheus => Duration::ZERO,
        None => every * looks,
    };
    let blind = match (&trigger.condition, required) {
        (Condition::Webhook(_), _) => Missing::Hold,
        // What it is made of says itself what is missing.
        (Condition::Composite(_), _) => Missing::Inconclusive,
        (_, true) => Missing::Breach,
        (_, false) => Missing::Inconclusive,
    };
    Some(Rule {
        kind,
        every,
        lasting: own(trigger.lasting, if quiet { 0 } else { 2 }),
        recovers_after: own(trigger.recovers_after, 2),
        // One answer may be missing, and the next look may be late.
        max_gap: every + every / 2,
        grace: watch.grace.unwrap_or(GRACE).get(),
        error_after: every * 2,
        short: short_window(window, every),
        on_no_data: trigger.on_no_data.unwrap_or(blind),
        on_error: trigger.on_error.unwrap_or(Missing::Inconclusive),
        required,
        prometheus,
    })
}

/// The share of bad events a trigger accepts, 0 to 1, if it is about one.
#[must_use]
pub fn limit(condition: &Condition) -> Option<f64> {
    match condition {
        Condition::Ratio(ratio) => Some(ratio.limit.0 / 100.0),
        Condition::Latency(latency) => {
            Some(1.0 - latency.quantile.map_or(0.95, |quantile| quantile.0 / 100.0))
        }
        _ => None,
    }
}

/// Whether a value stands to a limit as the limit says. Lengths of time are compared in
/// seconds.
#[must_use]
pub fn beyond(limit: &Limit, value: f64) -> bool {
    let Some(bound) = limit.figure() else { return true };
    match limit.comparison {
        Comparison::Above => value > bound,
        Comparison::AtLeast => value >= bound,
        Comparison::Below => value < bound,
        Comparison::AtMost => value <= bound,
        Comparison::Equal => value == bound,
        Comparison::Differs => value != bound,
    }
}
