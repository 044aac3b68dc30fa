//! Stages and decisions: what they name, and what only one of them may say.

use backout_core::graph::Graph;
use backout_core::plan::{Condition, DecisionAction, Step, Text};

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
        let hint = "say how long they have, such as `15m`; `automatic: true` asks nobody";
        self.lasts(rule.within, &at.key("within"), hint);
        let hint = "say how long a fix may take, such as `30m`; `action: back-out` allows none";
        self.lasts(rule.fix_window, &at.key("fix_window"), hint);
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
}
