//! What is to be forecast: a plan that is invoked, or a run as it stands.

use std::collections::BTreeMap;

use backout_core::event::Instants;
use backout_core::graph::Graph;
use backout_core::ids::StepId;
use backout_core::parallel::DEFAULT;
use backout_core::plan::{Plan, Step};
use backout_core::state::RunState;
use backout_core::status::Status;
use jiff::Timestamp;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Now {
    /// It does not belong to the way, or is settled: it takes no time any more.
    Over,
    /// It has not begun.
    Ahead,
    /// It has been under way for so many seconds.
    Running(f64),
    /// Its action is done, and a verification or a person has yet to say that it worked.
    Acted {
        /// It began so many seconds ago.
        elapsed: f64,
        /// The action was done so many seconds ago.
        waits: f64,
    },
    /// It failed, and starts again by itself in so many seconds.
    Again(f64),
    /// It failed or is in doubt: a person has to respond and have it repeated.
    Stuck,
}

/// What is to be forecast: steps, where each stands, who does it.
#[derive(Debug, Clone)]
pub struct Situation<'a> {
    /// The plan: people, assumptions, decisions.
    pub plan: &'a Plan,
    /// The steps.
    pub steps: &'a [Step],
    /// What each waits for.
    pub graph: &'a Graph,
    /// Where each stands.
    pub now: Vec<Now>,
    /// How many of each one's attempts have failed since a person last saw to it.
    pub failed: Vec<u32>,
    /// Who does each, by name.
    pub doer: Vec<Option<String>>,
    /// When each may start at the earliest.
    pub not_before: BTreeMap<StepId, Timestamp>,
    /// The moment the forecast is made for.
    pub at: Timestamp,
    /// The plan's times.
    pub window: Instants,
    /// The order in force, if a run is under way: positions of steps.
    pub order: Option<&'a [usize]>,
    /// How long each finished step took, seconds: they tell what night it is.
    pub took: Vec<(usize, f64)>,
    /// People more than the plan has, by name.
    pub more: BTreeMap<String, u32>,
    /// How many steps of machines are carried out at the same time.
    pub places: u32,
    /// Whether it was invoked already: then it is too late to ask until when.
    pub is_run: bool,
}

impl<'a> Situation<'a> {
    /// An invocation of a plan at a time.
    #[must_use]
    pub fn of_plan(
        plan: &'a Plan,
        graph: &'a Graph,
        at: Timestamp,
        window: Instants,
        not_before: BTreeMap<StepId, Timestamp>,
    ) -> Self {
        let mut now = vec![Now::Over; plan.steps.len()];
        graph.order.iter().for_each(|&step| now[step] = Now::Ahead);
        let doer = |step: &Step| step.owner.as_ref().map(|role| plan.person(role));
        Self {
            plan,
            steps: &plan.steps,
            graph,
            now,
            failed: vec![0; plan.steps.len()],
            doer: plan.steps.iter().map(doer).collect(),
            not_before,
            at,
            window,
            order: None,
            took: Vec::new(),
            more: BTreeMap::new(),
            places: plan.max_parallel.map_or(DEFAULT, |most| most.0),
            is_run: false,
        }
    }

    /// A run as it stands.
    #[must_use]
    pub fn of_run(state: &'a RunState, at: Timestamp) -> Self {
        let mut took = Vec::new();
        let now = (0..state.steps().len())
            .map(|index| {
                let known = &state.states()[index];
                let since = |then: Timestamp| at.duration_since(then).as_secs_f64().max(0.0);
                if !state.selected()[index] {
                    return Now::Over;
                }
                match known.status {
                    Status::Succeeded | Status::Skipped => {
                        if let (Status::Succeeded, false, Some(from), Some(to)) =
                            (known.status, known.attested, known.started, known.ended)
                        {
                            took.push((index, to.duration_since(from).as_secs_f64()));
                        }
                        Now::Over
                    }
                    Status::Pending => Now::Ahead,
                    Status::Running => Now::Running(known.started.map_or(0.0, since)),
                    Status::Verifying => Now::Acted {
                        elapsed: known.started.map_or(0.0, since),
                        waits: known.since.map_or(0.0, since),
                    },
                    Status::Failed if state.will_retry(index) => {
                        let pause = state.steps()[index].retry.map(|retry| retry.pause.get());
                        let pause = pause.unwrap_or_default().as_secs_f64();
                        Now::Again((pause - known.since.map_or(0.0, since)).max(0.0))
                    }
                    Status::Failed | Status::InDoubt | Status::Held => Now::Stuck,
                }
            })
            .collect();
        Self {
            plan: &state.planned().plan,
            steps: state.steps(),
            graph: state.graph(),
            now,
            failed: state.states().iter().map(|known| known.failures).collect(),
            doer: (0..state.steps().len()).map(|index| state.doer(index)).collect(),
            not_before: state.not_before().clone(),
            at,
            window: state.planned().window,
            order: Some(state.order()),
            took,
            more: BTreeMap::new(),
            places: state.max_parallel(),
            is_run: true,
        }
    }

    /// Steps that still take time, each behind what it waits for.
    #[must_use]
    pub fn ahead(&self) -> Vec<usize> {
        self.graph.order.iter().copied().filter(|&step| self.now[step] != Now::Over).collect()
    }

    /// Seconds from the moment of the forecast to another.
    #[must_use]
    pub fn seconds_to(&self, then: Timestamp) -> f64 {
        then.duration_since(self.at).as_secs_f64()
    }

    /// How many a person or team counts as.
    pub(super) fn size(&self, doer: &str) -> u32 {
        self.plan.team_of(doer) + self.more.get(doer).copied().unwrap_or(0)
    }
}
