//! A forecast that a test states.

use backout_core::choice::ForecastSummary;
use backout_core::ids::StepId;
use backout_core::state::RunState;
use backout_engine::Forecaster;
use jiff::Timestamp;

/// A forecaster for tests: the summary the test states, whatever the run and the time, and no
/// order of work. The default states that nothing is known.
#[derive(Debug, Clone, Default)]
pub struct StatedForecast(pub Option<ForecastSummary>);

impl Forecaster for StatedForecast {
    fn summary(&self, _: &RunState, _: Timestamp) -> Option<ForecastSummary> {
        self.0.clone()
    }

    fn order(&self, _: &RunState, _: Timestamp) -> Option<Vec<StepId>> {
        None
    }
}
