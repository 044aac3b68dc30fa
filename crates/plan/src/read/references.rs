//! Does every name in the plan name something?

mod composites;
mod conditions;
mod instants;
mod lengths;
mod release;
mod triggers;

use std::collections::BTreeMap;

use backout_core::graph::Graph;
use backout_core::plan::{Action, Baseline, Check, Plan, Source, Step, WayBack};

use self::conditions::{Gives, Seen, Sight, Wrong};
use super::{Defined, Twice, keys_of, listed, step_ids};
use crate::diagnostic::{Diagnostic, codes};
use crate::document::{Document, Path};
use crate::lower::did_you_mean;
use crate::yaml::Node;

/// Every name the file defines, also in parts that could not be read.
pub(super) struct Names {
    roles: Defined,
    sources: Defined,
    components: Defined,
    baselines: Defined,
    stages: Defined,
    steps: Defined,
    same: Vec<Twice>,
}

impl Names {
    pub(super) fn of(root: &Node) -> Self {
        let (stages, steps, same) = step_ids(root);
        Self {
            roles: keys_of(root, "roles"),
            sources: keys_of(root, "sources"),
            components: keys_of(root, "components"),
            baselines: keys_of(root, "baselines"),
            stages,
            steps,
            same,
        }
    }

    fn of_plan(plan: &Plan, steps: &[Step]) -> Self {
        fn names<'a>(names: impl Iterator<Item = &'a str>) -> Defined {
            names.map(|name| (name.to_owned(), 0..0)).collect()
        }
        Self {
            roles: names(plan.roles.keys().map(|id| id.as_str())),
            sources: names(plan.sources.keys().map(|id| id.as_str())),
            components: names(plan.components.keys().map(|id| id.as_str())),
            baselines: names(plan.baselines.keys().map(|id| id.as_str())),
            stages: names(plan.stages.iter().map(|stage| stage.id.as_str())),
            steps: names(steps.iter().map(|step| step.id.as_str())),
            same: Vec::new(),
        }
    }
}

/// Checks a whole plan.
pub(super) fn check(
    plan: &Plan,
    names: &Names,
    document: &Document,
    problems: &mut Vec<Diagnostic>,
) {
    let mut checker = Checker { plan, names, document, problems };
    checker.same_names();
    checker.change();
    checker.people();
    checker.sources();
    for (index, step) in plan.steps.iter().enumerate() {
        checker.step(step, &Path::step(index));
    }
    checker.stages();
    checker.receive();
    checker.watch();
    checker.options();
    checker.promises();
    checker.composites();
    checker.rest();
    checker.times();
    checker.cycle();
    checker.empty_text();
}

/// Checks one step against a plan and the steps it joins.
pub(super) fn check_step(
    step: &Step,
    plan: &Plan,
    others: &[Step],
    document: &Document,
    problems: &mut Vec<Diagnostic>,
) {
    let names = Names::of_plan(plan, others);
    Checker { plan, names: &names, document, problems }.step(step, &Path::root());
}

struct Checker<'a> {
    plan: &'a Plan,
    names: &'a Names,
    document: &'a Document,
    problems: &'a mut Vec<Diagnostic>,
}

impl Checker<'_> {
    fn report(&mut self, code: &'static str, message: String, path: &Path, hint: String) {
        let span = self.document.span(path);
        self.problems.push(Diagnostic::error(code, message).at(span).hint(hint));
    }

    /// Reports `name` unless `defined` has it.
    fn defined(&mut self, name: &str, what: &str, section: &str, defined: &Defined, path: &Path) {
        if defined.contains_key(name) {
            return;
        }
        let hint = match did_you_mean(name, defined.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if defined.is_empty() => format!("add it under `{section}`"),
            None => format!(
                "add it under `{section}`, or use one of {}",
                listed(defined.keys().map(String::as_str))
            ),
        };
        self.report(
            codes::DANGLING,
            format!("there is no {what} `{name}` in this plan"),
            path,
            hint,
        );
    }

    fn role(&mut self, name: impl AsRef<str>, path: &Path) {
        self.defined(name.as_ref(), "role", "roles", &self.names.roles, path);
    }

    fn roles<'n>(
        &mut self,
        names: impl Iterator<Item = &'n backout_core::ids::RoleId>,
        path: &Path,
    ) {
        for (index, name) in names.enumerate() {
            self.role(name.as_str(), &path.index(index));
        }
    }

    fn step_name(&mut self, name: &str, path: &Path) {
        self.defined(name, "step", "steps", &self.names.steps, path);
    }

    fn same_names(&mut self) {
        for (name, first, second) in &self.names.same {
            self.problems.push(
                Diagnostic::error(codes::SAME_NAME, format!("two steps are called `{name}`"))
                    .at(second.clone())
                    .also(first.clone(), "first here")
                    .hint("give each step a name of its own"),
            );
        }
    }

    fn change(&mut self) {
        let (change, at) = (&self.plan.change, Path::root().key("change"));
        for (key, role) in [
            ("owner", &change.owner),
            ("requested_by", &change.requested_by),
            ("reviewed_by", &change.reviewed_by),
        ] {
            if let Some(role) = role {
                self.role(role.as_str(), &at.key(key));
            }
        }
        for (index, approval) in change.approvals.iter().enumerate() {
            self.role(approval.by.as_str(), &at.key("approvals").index(index).key("by"));
        }
        if change.id.as_ref().is_some_and(|id| id.trim().is_empty()) {
            let hint = "write the number of the change: `id: CHG0031337`".to_owned();
            self.report(codes::WRONG_VALUE, "the change has no id".to_owned(), &at.key("id"), hint);
        }
    }

    fn people(&mut self) {
        let root = Path::root();
        for (id, role) in &self.plan.roles {
            let at = root.key("roles").key(id);
            self.roles(role.deputies.iter(), &at.key("deputies"));
            if role.team.is_some_and(|team| team.0 == 0 || team.0 > 1000) {
                let hint = "a team has 1 to 1000 people".to_owned();
                self.report(
                    codes::WRONG_VALUE,
                    format!("the team of `{id}` has an impossible size"),
                    &at.key("team"),
                    hint,
                );
            }
        }
        for (severity, rule) in &self.plan.decision {
            let key = serde_json::to_value(severity).ok();
            let key = key.as_ref().and_then(|key| key.as_str()).unwrap_or_default();
            let at = root.key("decision").key(key);
            if let Some(by) = &rule.by {
                self.role(by.as_str(), &at.key("by"));
            }
            self.roles(rule.tell.iter(), &at.key("tell"));
            self.rule(rule, &at);
        }
        for (permission, grant) in &self.plan.authority.0 {
            let key = serde_json::to_value(permission).ok();
            let key = key.as_ref().and_then(|key| key.as_str()).unwrap_or_default();
            let at = root.key("authority").key(key);
            self.roles(grant.by.iter(), &at.key("by"));
            self.quorum(grant.quorum, &at);
        }
    }

    fn sources(&mut self) {
        for (id, baseline) in &self.plan.baselines {
            let at = Path::root().key("baselines").key(id);
            match baseline {
                Baseline::Sql(sql) => self.database(&sql.source, &at.key("sql").key("source")),
                Baseline::Http(http) => {
                    self.server(http.source.as_ref(), &http.url, &at.key("http"));
                }
                Baseline::Tree(_) | Baseline::File(_) | Baseline::Run(_) => {}
            }
        }
    }

    fn source(&mut self, name: &backout_core::ids::SourceId, wanted: &[&str], path: &Path) {
        self.defined(name.as_str(), "source", "sources", &self.names.sources, path);
        let Some(source) = self.plan.sources.get(name) else { return };
        if !wanted.contains(&source.kind()) {
            let message = format!(
                "`{name}` is {}, and a {} is needed here",
                source.kind(),
                wanted.join(" or ")
            );
            let hint = "name another source".to_owned();
            self.report(codes::DANGLING, message, path, hint);
        }
    }

    fn database(&mut self, name: &backout_core::ids::SourceId, path: &Path) {
        self.source(name, &["postgres", "sqlite"], path);
    }

    fn server(&mut self, name: Option<&backout_core::ids::SourceId>, url: &str, path: &Path) {
        if let Some(name) = name {
            self.source(name, &["http"], &path.key("source"));
            if !url.starts_with('/') {
                let message =
                    format!("`{url}` does not start with `/`, but it is a path on a source");
                let hint = format!("write `/{url}`, or leave `source` out");
                self.report(codes::WRONG_VALUE, message, &path.key("url"), hint);
            }
        } else if !(url.starts_with("http://") || url.starts_with("https://")) {
            let message = format!("`{url}` is not a full address");
            let hint = "start it with http:// or https://, or name a `source`".to_owned();
            self.report(codes::WRONG_VALUE, message, &path.key("url"), hint);
        }
    }

    fn condition(&mut self, condition: Option<&String>, path: &Path) {
        let sight = Sight {
            variables: &["status", "headers", "text", "json"],
            gives: Gives::Truth,
            hint: "it sees `status`, `headers`, `text` and `json`: `json.version == \"v1.9\"`",
        };
        if let Some(condition) = condition {
            self.on_answer(condition, path, &sight);
        }
    }

    /// What is evaluated on the answer of a web server.
    fn on_answer(&mut self, expression: &str, path: &Path, sight: &Sight<'_>) {
        let Some(program) = self.compiled(expression, path, sight.hint) else { return };
        let seen = Seen::of(&program);
        let mut wrong = conditions::look(&program, &seen, sight);
        // Nobody knows what a page will hold, so what looks into it cannot be tried out.
        if !seen.sees("json") && !seen.sees("headers") {
            let example = BTreeMap::from([
                ("status", serde_json::json!(200)),
                ("text", serde_json::json!("")),
                ("seconds", serde_json::json!(0.5)),
            ]);
            wrong = wrong.or_else(|| conditions::tried(&program, &seen, sight, &example));
        }
        self.wrong(wrong, path, sight);
    }

    fn wrong(&mut self, wrong: Option<Wrong>, path: &Path, sight: &Sight<'_>) {
        if let Some((message, hint)) = wrong {
            let hint = hint.unwrap_or_else(|| sight.hint.to_owned());
            self.report(codes::WRONG_VALUE, message, path, hint);
        }
    }

    fn compiled(&mut self, condition: &str, path: &Path, hint: &str) -> Option<cel::Program> {
        // The parser of conditions recurses; nobody writes one this deep.
        let mut depth = 0_usize;
        let deepest = condition.chars().map(|c| {
            match c {
                '(' | '[' | '{' | '!' | '-' => depth += 1,
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth
        });
        let mut too_large = || {
            let message = "this condition is too long or too deep".to_owned();
            let hint = "split it into several verifications".to_owned();
            self.report(codes::TOO_LARGE, message, path, hint);
            None
        };
        if condition.len() > 1000 || deepest.max().unwrap_or(0) > 30 {
            return too_large();
        }
        match cel::Program::compile(condition) {
            Ok(program) if conditions::is_deep(&program) => too_large(),
            Ok(program) => Some(program),
            Err(error) => {
                let said = error.to_string();
                // The parser's own position and its list of tokens help nobody here.
                let said = said.lines().next().unwrap_or("it cannot be read");
                let said = said.rsplit_once(": Syntax error: ").map_or(said, |(_, said)| said);
                let said = said.split(" expecting ").next().unwrap_or(said).to_owned();
                let message = format!("this condition is not CEL: {said}");
                self.report(codes::WRONG_VALUE, message, path, hint.to_owned());
                None
            }
        }
    }

    fn step(&mut self, step: &Step, at: &Path) {
        for (index, after) in step.after.iter().flatten().enumerate() {
            self.step_name(after.as_str(), &at.key("after").index(index));
        }
        self.no_stage(step, at);
        self.unit(step, at);
    }

    /// What steps and stages have in common.
    fn unit(&mut self, step: &Step, at: &Path) {
        if let Some(owner) = &step.owner {
            self.role(owner.as_str(), &at.key("owner"));
        }
        if let Some(component) = &step.component {
            let defined = &self.names.components;
            self.defined(
                component.as_str(),
                "component",
                "components",
                defined,
                &at.key("component"),
            );
        }
        match &step.action {
            Action::Http(http) => {
                let at = at.key("http");
                self.server(http.source.as_ref(), &http.url, &at);
                self.condition(http.assert.as_ref(), &at.key("assert"));
            }
            Action::Sql(sql) => {
                self.database(&sql.source, &at.key("sql").key("source"));
                if let Some(word) = transaction_control(&sql.execute) {
                    let message =
                        format!("`{word}` ends or begins a transaction, and the step is one");
                    let hint = "leave it out, or make it two steps".to_owned();
                    self.report(codes::WRONG_VALUE, message, &at.key("sql").key("execute"), hint);
                }
            }
            Action::Wait(_) if step.machine_checks().next().is_none() => {
                let hint = "say what it waits for under `verify`".to_owned();
                let message = format!("step `{}` waits for nothing", step.id);
                self.report(codes::MISSING_KEY, message, &at.key("wait"), hint);
            }
            _ => {}
        }
        for (index, verification) in step.verify.iter().enumerate() {
            self.verification(verification, &at.key("verify").index(index));
        }
        if let Some(retry) = step.retry
            && !(2..=100).contains(&retry.attempts)
        {
            let hint = "try 2 to 100 times in all".to_owned();
            let message = "this number of attempts is impossible".to_owned();
            self.report(codes::WRONG_VALUE, message, &at.key("retry").key("attempts"), hint);
        }
    }

    fn verification(&mut self, verification: &backout_core::plan::Verification, at: &Path) {
        let hint = "say how long to wait between two tries, such as `5s`";
        self.lasts(verification.every, &at.key("every"), hint);
        match &verification.check {
            Check::Http(http) => {
                let at = at.key("http");
                self.server(http.source.as_ref(), &http.url, &at);
                self.condition(http.assert.as_ref(), &at.key("assert"));
            }
            Check::Sql(sql) => self.database(&sql.source, &at.key("sql").key("source")),
            Check::SameAsBaseline(name) => {
                let at = at.key("same_as_baseline");
                self.defined(name.as_str(), "baseline", "baselines", &self.names.baselines, &at);
            }
            Check::Tcp(port) => {
                let fits = port.address.rsplit_once(':').is_some_and(|(host, port)| {
                    !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
                });
                if !fits {
                    let message = format!("`{}` is not an address", port.address);
                    let hint = "write it as `host:port`".to_owned();
                    self.report(codes::WRONG_VALUE, message, &at.key("tcp").key("address"), hint);
                }
            }
            Check::Confirm(_) | Check::Run(_) | Check::File(_) | Check::Tree(_) => {}
        }
    }

    fn options(&mut self) {
        let root = Path::root().key("options");
        for (id, way) in &self.plan.options {
            let WayBack { steps, by, .. } = way;
            let at = root.key(id);
            for (index, step) in steps.iter().flatten().enumerate() {
                self.step_name(step.as_str(), &at.key("steps").index(index));
            }
            if let Some(by) = by {
                self.role(by.as_str(), &at.key("by"));
            }
        }
        let defaults: Vec<_> = self.plan.options.iter().filter(|(_, way)| way.default).collect();
        if let [_, (second, _), ..] = defaults.as_slice() {
            let message = format!("`{second}` is the second option marked as default");
            let hint = "mark one".to_owned();
            self.report(codes::WRONG_VALUE, message, &root.key(second).key("default"), hint);
        }
    }

    fn promises(&mut self) {
        let root = Path::root();
        for (id, trigger) in &self.plan.triggers {
            let at = root.key("triggers").key(id);
            self.owner(trigger.owner.as_ref(), &at);
            self.trigger(trigger, &at);
            if let Some(option) = &trigger.option
                && !self.plan.options.contains_key(option)
            {
                let defined = self.plan.options.keys().map(|id| (id.to_string(), 0..0)).collect();
                self.defined(option.as_str(), "option", "options", &defined, &at.key("option"));
            }
        }
        for (id, ready) in &self.plan.readiness {
            self.owner(ready.owner.as_ref(), &root.key("readiness").key(id));
        }
        for (id, message) in &self.plan.messages {
            self.owner(message.owner.as_ref(), &root.key("messages").key(id));
        }
        for (index, later) in self.plan.follow_up.iter().enumerate() {
            self.owner(later.owner.as_ref(), &root.key("follow_up").index(index));
        }
    }

    fn owner(&mut self, owner: Option<&backout_core::ids::RoleId>, at: &Path) {
        if let Some(owner) = owner {
            self.role(owner.as_str(), &at.key("owner"));
        }
    }

    fn rest(&mut self) {
        let root = Path::root();
        for (index, risk) in self.plan.risks.iter().enumerate() {
            let at = root.key("risks").index(index);
            if let Some(owner) = &risk.owner {
                self.role(owner.as_str(), &at.key("owner"));
            }
            for (index, step) in risk.steps.iter().enumerate() {
                self.step_name(step.as_str(), &at.key("steps").index(index));
            }
        }
        if let Some(review) = &self.plan.review {
            let at = root.key("review");
            for (key, role) in [
                ("owner", &review.owner),
                ("retrospective_approval", &review.retrospective_approval),
            ] {
                if let Some(role) = role {
                    self.role(role.as_str(), &at.key(key));
                }
            }
        }
        for (index, accepted) in self.plan.accepted.iter().enumerate() {
            let at = root.key("accepted").index(index);
            if let Some(by) = &accepted.by {
                self.role(by.as_str(), &at.key("by"));
            }
            if crate::rules::find(&accepted.rule).is_none() {
                let message = format!("there is no rule `{}`", accepted.rule);
                let known = crate::rules::ALL.iter().map(|rule| rule.id);
                let hint = match did_you_mean(&accepted.rule, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "`backout check --rules` lists them".to_owned(),
                };
                self.report(codes::DANGLING, message, &at.key("rule"), hint);
            }
            if accepted.because.trim().len() < 10 {
                let hint = "a reviewer reads this sentence instead of the finding".to_owned();
                let message = format!("`{}` is accepted without a reason", accepted.rule);
                self.report(codes::WRONG_VALUE, message, &at.key("because"), hint);
            }
        }
        for (id, source) in &self.plan.sources {
            let (Source::Http(address) | Source::Prometheus(address)) = source else { continue };
            let shown = address.to_string();
            let plain = matches!(address, backout_core::plan::Text::Plain(_));
            if plain && !(shown.starts_with("http://") || shown.starts_with("https://")) {
                let at = root.key("sources").key(id).key(source.kind());
                let hint = "start it with http:// or https://".to_owned();
                self.report(
                    codes::WRONG_VALUE,
                    format!("`{shown}` is not a web address"),
                    &at,
                    hint,
                );
            }
        }
    }

    /// Text that was written and says nothing, where it has to say something.
    fn empty_text(&mut self) {
        let mut empty = Vec::new();
        if let Ok(value) = serde_json::to_value(self.plan) {
            find_empty(&value, "", &Path::root(), &mut empty);
        }
        for path in empty {
            let hint = "write something, or remove the key".to_owned();
            self.report(codes::WRONG_VALUE, "this text is empty".to_owned(), &path, hint);
        }
    }

    fn cycle(&mut self) {
        if let Err(cycle) = Graph::of_all(&self.plan.steps) {
            let first = cycle.0.first();
            let index = self.plan.steps.iter().position(|step| Some(&step.id) == first);
            let at = Path::step(index.unwrap_or(0)).key("after");
            let hint = "take one of them out of `after`".to_owned();
            self.report(codes::CYCLE, cycle.to_string(), &at, hint);
        }
    }
}

/// Empty text, except where emptiness is a value.
fn find_empty(value: &serde_json::Value, key: &str, path: &Path, found: &mut Vec<Path>) {
    const MAY_BE_EMPTY: [&str; 4] = ["equals", "body", "text", "env"];
    match value {
        serde_json::Value::String(text)
            if text.trim().is_empty() && !MAY_BE_EMPTY.contains(&key) =>
        {
            found.push(path.clone());
        }
        serde_json::Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| {
            find_empty(item, if key == "argv" { "text" } else { key }, &path.index(index), found);
        }),
        serde_json::Value::Object(entries) => {
            let inside = |name: &str| {
                if key == "env" || key == "headers" { "env".to_owned() } else { name.to_owned() }
            };
            entries
                .iter()
                .for_each(|(name, value)| find_empty(value, &inside(name), &path.key(name), found));
        }
        _ => {}
    }
}

/// The first statement that would break the one transaction a step is.
fn transaction_control(sql: &str) -> Option<String> {
    sql.split(';').find_map(|statement| {
        let words: Vec<String> =
            statement.split_whitespace().take(3).map(str::to_uppercase).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["COMMIT" | "ABORT", ..] => true,
            ["ROLLBACK", "TO", ..] => false,
            ["ROLLBACK", ..] | ["START", "TRANSACTION", ..] => true,
            ["BEGIN" | "END"]
            | ["BEGIN" | "END", "TRANSACTION" | "WORK" | "IMMEDIATE" | "EXCLUSIVE", ..] => true,
            _ => false,
        }
        .then(|| words.join(" "))
    })
}
