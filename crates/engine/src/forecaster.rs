//! What the coordinator and the commands ask of a forecast.

use jiff::Timestamp;

use backout_core::choice::ForecastSummary;
use backout_core::ids::StepId;
use backout_core::state::RunState;

/// Tells how long the backout takes. A coordinator has one in any case: the deadlines it sets
/// must not depend on who looks on.
pub trait Forecaster: Send + Sync {
    /// What is known about backing out at this moment; nothing where the plan does not say
    /// enough.
    fn summary(&self, state: &RunState, now: Timestamp) -> Option<ForecastSummary>;

    /// The order in which people and lanes take up what is left of a run; nothing where the
    /// run follows the plan's own order.
    fn order(&self, state: &RunState, now: Timestamp) -> Option<Vec<StepId>>;
}
