//! What an expert reviewer would find.
//!
//! A rule is one entry of a table: what it is called, why it matters, what to
//! do, a fragment of a plan on which it fires, one on which it does not, and
//! the function that looks. The page under `docs/rules/` is made from the entry,
//! and the test suite runs both fragments, so a rule cannot be documented
//! without working or work without being documented.
//!
//! Rules up to BOP-099 follow requirements of standards and frameworks; from
//! BOP-101 on they are what experience teaches. A clause is named only where
//! the standard really says it. A rule gives evidence for a clause; it never
//! makes anybody compliant.

mod command;
mod data;
mod governance;
mod people;
mod promises;
mod restore;
mod scripts;
mod stages;
mod steps;
mod text;
mod timing;
mod watching;

use std::cell::OnceCell;
use std::sync::LazyLock;

use backout_core::duration::Estimate;
use backout_core::event::Instants;
use backout_core::graph::Graph;
use backout_core::plan::Plan;
use backout_core::schedule::Schedule;
use backout_forecast::outlook::{self, History, Outlook, Search, Settings, Situation};

use crate::diagnostic::Level;
use crate::document::Path;
use crate::times;

/// A rule of `backout check`.
#[derive(Debug)]
pub struct Rule {
    /// `BOP-101`.
    pub id: &'static str,
    /// How much it matters.
    pub level: Level,
    /// What the plan should be, in a few words.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// Clauses it gives evidence for.
    pub clauses: &'static [&'static str],
    /// A change to a sound plan on which it fires (merge patch, in YAML).
    pub fires: &'static str,
    /// A change to a sound plan on which it does not.
    pub silent: &'static str,
    /// Looks.
    pub look: fn(&Facts<'_>, &mut Found),
}

/// Every rule, by id.
pub static ALL: LazyLock<Vec<&'static Rule>> = LazyLock::new(|| {
    let themes = [
        governance::RULES,
        people::RULES,
        promises::RULES,
        timing::RULES,
        data::RULES,
        stages::RULES,
        steps::RULES,
        command::RULES,
        scripts::RULES,
        text::RULES,
        watching::RULES,
    ];
    let mut all: Vec<&'static Rule> = themes.into_iter().flatten().collect();
    all.sort_by_key(|rule| rule.id);
    all
});

/// The rule of this id, in any case of letters.
#[must_use]
pub fn find(id: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.id.eq_ignore_ascii_case(id))
}

/// What rules look at.
pub struct Facts<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// All steps and what each waits for.
    pub graph: Graph,
    /// The steps of the default way back.
    chosen: Graph,
    /// The forecast, made when the first rule wants it.
    outlook: OnceCell<Option<Outlook>>,
    /// The plain schedule with the likely figures.
    pub schedule: Schedule,
    /// The plain schedule of a bad night: with the high figures, unless the plan
    /// asks for less than an even chance of finishing in time.
    pub bad_night: Schedule,
    /// The window as instants.
    pub window: Instants,
    /// Every text of the plan, collected when the first rule wants it.
    texts: OnceCell<Vec<text::Place>>,
    /// What each step destroys, found when the first rule wants it.
    destroyed: OnceCell<Vec<Option<&'static str>>>,
}

impl<'a> Facts<'a> {
    /// Facts about a plan that was read without errors.
    #[must_use]
    pub fn new(plan: &'a Plan) -> Self {
        // The reader refuses cycles, so the default never shows.
        let graph = Graph::of_all(&plan.steps).unwrap_or_default();
        let way = default_way(plan);
        let chosen = Graph::new(&plan.steps, &way, &[]).unwrap_or_default();
        let schedule = Schedule::new(plan, &plan.steps, &chosen, Estimate::likely);
        let confidence = plan.window.as_ref().and_then(|window| window.confidence);
        let figure = match confidence {
            Some(confidence) if confidence.0 < 50.0 => Estimate::likely,
            _ => Estimate::high,
        };
        let bad_night = Schedule::new(plan, &plan.steps, &chosen, figure);
        Self {
            plan,
            graph,
            chosen,
            outlook: OnceCell::new(),
            schedule,
            bad_night,
            window: times::comparable(plan.window.as_ref()),
            texts: OnceCell::new(),
            destroyed: OnceCell::new(),
        }
    }

    /// The forecast for an invocation at the start of the deployment; nothing
    /// where the plan does not say enough for one.
    fn outlook(&self) -> Option<&Outlook> {
        let look = || {
            let at = self.window.deploy_start.or(self.window.deploy_end)?;
            self.window.backout_by?;
            let not_before = times::not_before(self.plan);
            let situation =
                Situation::of_plan(self.plan, &self.chosen, at, self.window, not_before);
            let nights = (2_000_000 / self.plan.steps.len().max(1)).clamp(2000, 20_000);
            let settings =
                Settings { nights, thorough: false, search: Search::Glance, ..Settings::default() };
            outlook::look(&situation, &History::default(), settings).ok()
        };
        self.outlook.get_or_init(look).as_ref()
    }

    /// What a step destroys, if anything.
    fn destroys(&self, step: usize) -> Option<&'static str> {
        let look = |step| command::destroys(&command::step_text(step));
        self.destroyed.get_or_init(|| self.plan.steps.iter().map(look).collect())[step]
    }
}

fn default_way(plan: &Plan) -> Vec<bool> {
    let all = vec![true; plan.steps.len()];
    let way = plan.default_option().and_then(|id| plan.options.get(id));
    match way.and_then(|way| way.steps.as_ref()) {
        Some(steps) => plan.steps.iter().map(|step| steps.contains(&step.id)).collect(),
        None => all,
    }
}

/// What a rule found.
#[derive(Debug, Default)]
pub struct Found {
    /// Each finding: the place, the thing it is about, a sentence, what to do.
    pub(crate) findings: Vec<(Path, Option<String>, String, Option<String>)>,
}

impl Found {
    /// A finding about something that has a name.
    fn at(&mut self, path: Path, subject: impl ToString, message: impl Into<String>) -> &mut Self {
        self.findings.push((path, Some(subject.to_string()), message.into(), None));
        self
    }

    fn plan(&mut self, path: Path, message: impl Into<String>) -> &mut Self {
        self.findings.push((path, None, message.into(), None));
        self
    }

    /// Replaces the rule's own advice for the last finding.
    fn hint(&mut self, hint: impl Into<String>) {
        if let Some((.., last)) = self.findings.last_mut() {
            *last = Some(hint.into());
        }
    }
}

/// The rule's page in Markdown.
#[must_use]
pub fn page(rule: &Rule) -> String {
    let level = match rule.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    let mut page =
        format!("# {}: {}\n\nSeverity: {level}\n\n{}\n\n", rule.id, rule.title, rule.why);
    page.push_str(&format!("## What to do\n\n{}\n", rule.fix));
    page.push_str(&format!("\n## Fires on\n\n```yaml\n{}\n```\n", rule.fires.trim_matches('\n')));
    page.push_str(&format!(
        "\n## Does not fire on\n\n```yaml\n{}\n```\n",
        rule.silent.trim_matches('\n')
    ));
    if !rule.clauses.is_empty() {
        page.push_str("\n## Gives evidence for\n\n");
        rule.clauses.iter().for_each(|clause| page.push_str(&format!("- {clause}\n")));
    }
    page.push_str(&format!(
        "\n## Accepting it\n\n```yaml\naccepted:\n  - rule: {}\n    because: the reason a reviewer reads instead of the finding\n```\n",
        rule.id
    ));
    page
}
