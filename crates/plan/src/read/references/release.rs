//! Stages and triggers: what they name, and what only one of them may say.

use backout_core::graph::Graph;
use backout_core::plan::{Check, Condition, DecisionAction, Gauge, Step, Text, Trigger};

use super::Checker;
use crate::diagnostic::codes;
use crate::document::Path;

impl Checker<'_> {
    pub(super) fn stages(&mut self) {
        let root = Path::root().key("stages");
        for (index, stage) in self.plan.stages.iter().enumerate() {
            let at = root.index(index);
            self.unit(stage, &at);
            for (index, after) in stage.after.iter().flatten().enumerate() {
                let defined = &self.names.stages;
                let at = at.key("after").index(index);
                self.defined(after.as_str(), "stage", "stages", defined, &at);
            }
            for (index, step) in stage.undone_by.iter().enumerate() {
                self.step_name(step.as_str(), &at.key("undone_by").index(index));
            }
            if let Some(approval) = &stage.approval {
                let at = at.key("approval");
                self.roles(approval.by.iter(), &at.key("by"));
                self.quorum(approval.quorum, &at);
            }
        }
        if let Err(cycle) = Graph::of_all(&self.plan.stages) {
            let first = cycle.0.first();
            let index = self.plan.stages.iter().position(|stage| Some(&stage.id) == first);
            let at = root.index(index.unwrap_or(0)).key("after");
            let hint = "take one of them out of `after`".to_owned();
            self.report(codes::CYCLE, cycle.to_string(), &at, hint);
        }
    }

    /// Where messages of other systems come in.
    pub(super) fn receive(&mut self) {
        let receive = self.plan.watch.as_ref().and_then(|watch| watch.receive.as_ref());
        let at = Path::root().key("watch").key("receive");
        if let Some(receive) = receive {
            if receive.listen.parse::<std::net::SocketAddr>().is_err() {
                let message = format!("`{}` is not an address of this machine", receive.listen);
                let hint = "write it as `127.0.0.1:9099`".to_owned();
                self.report(codes::WRONG_VALUE, message, &at.key("listen"), hint);
            }
            if matches!(receive.secret, Text::Plain(_)) {
                let message = "a secret does not stand in a plan".to_owned();
                let hint = "name where it is: `env:NAME`, `file:PATH` or `exec:COMMAND`".to_owned();
                self.report(codes::WRONG_VALUE, message, &at.key("secret"), hint);
            }
        }
        let told = self.plan.triggers.iter();
        let mut told = told.filter(|(_, t)| matches!(t.condition, Condition::Webhook(_)));
        if let (None, Some((id, _))) = (receive, told.next()) {
            let message = format!("nothing listens for the alert that `{id}` waits for");
            let hint = "say where: `watch: {receive: {listen: 127.0.0.1:9099, secret: env:NAME}}`";
            let at = Path::root().key("triggers").key(id);
            self.report(codes::DANGLING, message, &at, hint.to_owned());
        }
    }

    /// What belongs to stages has no effect on a step of the way back.
    pub(super) fn no_stage(&mut self, step: &Step, at: &Path) {
        for (key, there) in [
            ("undone_by", !step.undone_by.is_empty()),
            ("bake", step.bake.is_some()),
            ("approval", step.approval.is_some()),
        ] {
            if there {
                let message = format!(
                    "`{key}` belongs to stages, and `{}` is a step of the way back",
                    step.id
                );
                let hint = "take it out, or make it a stage under `stages`".to_owned();
                self.report(codes::WRONG_VALUE, message, &at.key(key), hint);
            }
        }
    }

    pub(super) fn quorum(&mut self, quorum: u32, at: &Path) {
        if quorum == 0 || quorum > 10 {
            let hint = "a quorum is 1 to 10 people".to_owned();
            self.report(
                codes::WRONG_VALUE,
                "this quorum is impossible".to_owned(),
                &at.key("quorum"),
                hint,
            );
        }
    }

    /// What a rule of the decision matrix says beyond its action.
    pub(super) fn rule(&mut self, rule: &backout_core::plan::DecisionRule, at: &Path) {
        self.roles(rule.escalate.iter(), &at.key("escalate"));
        self.quorum(rule.quorum, at);
        for (key, there, wanted) in [
            ("automatic", rule.automatic, DecisionAction::BackOut),
            ("fix_window", rule.fix_window.is_some(), DecisionAction::BackOutUnlessFixable),
        ] {
            if there && rule.action != wanted {
                let word = if wanted == DecisionAction::BackOut {
                    "back-out"
                } else {
                    "back-out-unless-fixable"
                };
                let message = format!("`{key}` means nothing without `action: {word}`");
                let hint = "take one of the two back".to_owned();
                self.report(codes::WRONG_VALUE, message, &at.key(key), hint);
            }
        }
    }

    pub(super) fn trigger(&mut self, trigger: &Trigger, at: &Path) {
        match &trigger.condition {
            Condition::Judged(_) => self.nobody_measures(trigger, at),
            Condition::Webhook(_) => {}
            Condition::Ratio(ratio) => {
                let at = at.key("ratio");
                self.source(
                    &ratio.source,
                    &["prometheus", "postgres", "sqlite"],
                    &at.key("source"),
                );
            }
            Condition::Latency(latency) => {
                self.source(&latency.source, &["prometheus"], &at.key("latency").key("source"));
            }
            Condition::Relative(relative) => {
                self.source(&relative.source, &["prometheus"], &at.key("relative").key("source"));
            }
            Condition::Gauge(gauge) => self.gauge(gauge, &at.key("gauge")),
            Condition::Probe(probe) => {
                let at = at.key("probe");
                if matches!(probe.check.check, Check::Confirm(_)) {
                    let message = "nobody is asked while a release is watched".to_owned();
                    let hint = "write `judged: …` for what a person watches".to_owned();
                    self.report(codes::WRONG_VALUE, message, &at.key("confirm"), hint);
                }
                self.verification(&probe.check, &at);
            }
            Condition::Composite(condition) => {
                let at = at.key("composite");
                self.condition_over(condition, &at, COMPOSITE);
                let named = quoted(condition);
                let known = |name: &str| {
                    self.plan.triggers.keys().any(|id| id.as_str() == name)
                        || self.plan.options.keys().any(|id| id.as_str() == name)
                };
                if let Some(name) = named.into_iter().find(|name| is_name(name) && !known(name)) {
                    let message = format!("there is no trigger or option `{name}` in this plan");
                    let hint = COMPOSITE.to_owned();
                    self.report(codes::DANGLING, message, &at, hint);
                }
            }
        }
    }

    fn nobody_measures(&mut self, trigger: &Trigger, at: &Path) {
        for (key, there) in [
            ("every", trigger.every.is_some()),
            ("recovers_after", trigger.recovers_after.is_some()),
            ("required", trigger.required.is_some()),
            ("on_no_data", trigger.on_no_data.is_some()),
            ("on_error", trigger.on_error.is_some()),
            ("semantics", trigger.semantics.is_some()),
        ] {
            if there {
                let message = format!("`{key}` means nothing where a person watches");
                let hint = "take it out, or say what is measured instead of `judged`".to_owned();
                self.report(codes::WRONG_VALUE, message, &at.key(key), hint);
            }
        }
    }

    fn gauge(&mut self, gauge: &Gauge, at: &Path) {
        match &gauge.url {
            Some(url) => {
                self.server(gauge.source.as_ref(), url, at);
                if let Some(value) = &gauge.value {
                    self.condition_over(value, &at.key("value"), GAUGE);
                }
            }
            None => {
                if let Some(source) = &gauge.source {
                    self.source(source, &["prometheus", "postgres", "sqlite"], &at.key("source"));
                }
            }
        }
    }
}

const GAUGE: &str = "it sees `status`, `seconds`, `headers`, `text` and `json`: `json.queue.depth`";
const COMPOSITE: &str = "it sees `firing`, `state` and `option`: `firing[\"logins\"] && firing[\"errors\"]`, `option[\"maintenance\"].age > 7200`";

/// What stands between quotation marks in a condition.
fn quoted(condition: &str) -> Vec<&str> {
    let inside = |mark| condition.split(mark).skip(1).step_by(2);
    inside('"').chain(inside('\'')).collect()
}

/// Words of the conditions themselves are no names of triggers.
fn is_name(text: &str) -> bool {
    use backout_core::watch::State;
    let state = serde_json::to_value(State::ALL).unwrap_or_default();
    let states = state.as_array().map(Vec::as_slice).unwrap_or_default();
    backout_core::ids::TriggerId::new(text).is_ok()
        && !states.iter().any(|state| state.as_str() == Some(text))
}
