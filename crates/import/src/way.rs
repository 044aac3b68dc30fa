//! The way back as the plan holds it: phases, names, waits, several ways beside
//! each other.

use backout_core::duration::Estimate;
use backout_core::ids::{OptionId, StepId};
use backout_core::plan::{Action, Many, OnFailure, Step, WayBack};
use backout_documents::Place;

use crate::draft::Draft;
use crate::reading::Reading;
use crate::step_text::{after, confirm, option_name, restored, title_of, with_end};
use crate::words::{Names, slug, unique, without_number};

impl Reading<'_> {
    /// Phases with a time of their own become steps where there are several; the
    /// time of a single one is the time of the whole.
    fn settle_phases(&mut self) {
        let phases = std::mem::take(&mut self.phases);
        let timed = self.drafts.iter().any(|draft| draft.takes.is_some());
        if timed || phases.is_empty() {
            for phase in phases {
                let text = format!("{}: {}", phase.title, phase.takes);
                self.note(&phase.place, &phase.title, &text);
            }
            return;
        }
        if let [only] = phases.as_slice() {
            self.when.total.get_or_insert((only.takes, only.place.clone()));
            return;
        }
        let mut ends: Vec<usize> = phases.iter().skip(1).map(|phase| phase.first).collect();
        ends.push(self.drafts.len());
        let mut drafts: Vec<Draft> = self.drafts[..phases[0].first].to_vec();
        for (phase, end) in phases.iter().zip(ends) {
            let inside = &self.drafts[phase.first..end];
            let group = inside.first().and_then(|draft| draft.group.clone());
            let mut step = Draft::new(&title_of(without_number(&phase.title)), &phase.place, group);
            for (index, draft) in inside.iter().enumerate() {
                let how = if draft.how.is_empty() {
                    draft.title.clone()
                } else {
                    format!("{}\n{}", draft.title, draft.how.join("\n"))
                };
                step.add_how(
                    &format!("{}. {}", index + 1, how.replace('\n', "\n   ")),
                    &draft.place,
                );
                step.verify.extend(draft.verify.clone());
                step.irreversible = step.irreversible.take().or_else(|| draft.irreversible.clone());
                step.owner = step.owner.take().or_else(|| draft.owner.clone());
            }
            if !step.how.is_empty() {
                step.how = vec![step.how.join("\n")];
            }
            step.takes = Some((Estimate::Point(phase.takes), phase.place.clone()));
            step.guess = Some("a phase is one step, because its time is stated only as a whole");
            drafts.push(step);
        }
        self.drafts = drafts;
    }

    /// Gives the steps their names and puts them into the plan.
    pub(crate) fn settle_steps(&mut self) {
        self.settle_phases();
        let mut drafts = std::mem::take(&mut self.drafts);
        for draft in &mut drafts {
            draft.complete();
        }
        let (drafts, empty): (Vec<Draft>, Vec<Draft>) =
            drafts.into_iter().partition(Draft::is_step);
        for draft in empty {
            self.note(&draft.place, draft.group.as_deref().unwrap_or_default(), &draft.text());
        }
        let mut ids: Vec<StepId> = Vec::new();
        let mut names = Names::default();
        for draft in &drafts {
            let free = names.free(&slug(&draft.title), "step");
            if let Ok(id) = StepId::new(free) {
                ids.push(id);
            }
        }
        for (draft, id) in drafts.iter().zip(&ids) {
            let after = draft.after.as_deref().map(|text| after(text, &drafts, &ids));
            let step = self.step(draft, id, after.flatten());
            self.plan.steps.push(step);
        }
        self.options(&drafts, &ids);
        self.drafts = drafts;
    }

    fn step(&mut self, draft: &Draft, id: &StepId, after: Option<Vec<StepId>>) -> Step {
        let field = |name: &str| format!("steps[{id}].{name}");
        match draft.guess {
            Some(why) => self.report.guessed(field("title"), &draft.place, why),
            None => self.report.found(field("title"), &draft.place),
        }
        if let Some((_, place)) = &draft.owner {
            self.report.found(field("owner"), place);
        }
        if let Some((takes, place)) = &draft.takes {
            match takes {
                Estimate::Range { likely, high, .. } if likely == high => self.report.guessed(
                    field("takes"),
                    place,
                    "of the two figures the longer one counts as likely",
                ),
                _ => match draft.takes_guess {
                    Some(why) => {
                        self.report.guessed(field("takes"), place, format!("{why}: minutes"));
                    }
                    None => self.report.found(field("takes"), place),
                },
            }
        }
        for (index, (_, place)) in draft.verify.iter().enumerate() {
            self.report.found(format!("steps[{id}].verify[{index}]"), place);
        }
        if let Some(place) = &draft.of_the_whole {
            self.report.guessed(
                field("verify"),
                place,
                "checks of the whole stand at its last step",
            );
        }
        let manual =
            if draft.how.is_empty() { draft.title.clone() } else { draft.how.join("\n\n") };
        self.report.found(field("manual"), draft.how_place.as_ref().unwrap_or(&draft.place));
        let lower = draft.title.to_lowercase();
        let optional = lower.contains("if applicable")
            || lower.contains("(optional")
            || lower.contains("if required")
            || lower.contains("if needed");
        if optional {
            self.report.guessed(
                field("optional"),
                &draft.place,
                "the document says that it may not apply",
            );
        }
        if draft.irreversible.is_some() {
            self.report.guessed(
                field("irreversible"),
                draft.how_place.as_ref().unwrap_or(&draft.place),
                "the document warns that there is no way on from here",
            );
        }
        let said = draft.component.as_deref().or_else(|| restored(&draft.title));
        let component = said.and_then(|name| self.known_component(name));
        if let Some(component) = &component {
            self.report.guessed(
                field("component"),
                &draft.place,
                format!("\"{}\" brings back {component}", draft.title),
            );
        }
        if after.is_some() {
            self.report.found(field("after"), &draft.place);
        }
        if draft.after.is_some() && after.is_none() {
            let text = draft.after.clone().unwrap_or_default();
            self.note(&draft.place, "", &format!("{}: after {text}", draft.title));
        }
        Step {
            id: id.clone(),
            title: (draft.title != id.as_str()).then(|| draft.title.clone()),
            component,
            owner: draft.owner.as_ref().map(|(role, _)| role.clone()),
            takes: draft.takes.as_ref().map(|(takes, _)| *takes),
            after: after.map(Many),
            action: Action::Manual(with_end(manual)),
            effect: None,
            verify: Many(draft.verify.iter().map(|(text, _)| confirm(text)).collect()),
            retry: None,
            on_failure: OnFailure::default(),
            exclusive: None,
            not_before: None,
            optional,
            irreversible: draft.irreversible.clone(),
            effects: None,
            settles: None,
            if_in_doubt: None,
            access: Many(Vec::new()),
            undone_by: Many::default(),
            bake: None,
            approval: None,
        }
    }

    /// Several ways back beside each other become options, in the document's order.
    fn options(&mut self, drafts: &[Draft], ids: &[StepId]) {
        let mut groups: Vec<(&str, Vec<StepId>, &Place)> = Vec::new();
        for (draft, id) in drafts.iter().zip(ids) {
            let name = draft.group.as_deref().unwrap_or_default();
            match groups.iter_mut().find(|(known, ..)| *known == name) {
                Some((_, steps, _)) => steps.push(id.clone()),
                None => groups.push((name, vec![id.clone()], &draft.place)),
            }
        }
        if groups.len() < 2 || groups.iter().any(|(name, ..)| name.is_empty()) {
            return;
        }
        for (name, steps, place) in groups {
            let title = option_name(name)
                .filter(|title| !title.is_empty())
                .unwrap_or_else(|| without_number(name).to_owned());
            let free = unique(&slug(without_number(name)), "option", |id| {
                self.plan.options.keys().any(|known| known.as_str() == id)
            });
            let Ok(id) = OptionId::new(free) else { continue };
            // Each way back begins by itself: its first step waits for nothing of the others.
            if let Some(first) =
                self.plan.steps.iter_mut().find(|step| Some(&step.id) == steps.first())
                && !self.plan.options.is_empty()
                && first.after.is_none()
            {
                first.after = Some(Many(Vec::new()));
                let field = format!("steps[{}].after", first.id);
                self.report.guessed(field, place, "each way back begins by itself");
            }
            self.report.guessed(
                format!("options[{id}]"),
                place,
                "the document describes several ways back",
            );
            let when = self.option_when.get(name).cloned();
            let mut named = Vec::new();
            for key in self.option_triggers.get(name).into_iter().flatten() {
                if let Some(trigger) = self.plan.triggers.get_mut(key) {
                    trigger.option = Some(id.clone());
                    named.push(key.clone());
                }
            }
            for trigger in named {
                let field = format!("triggers[{trigger}].option");
                self.report.guessed(field, place, "it stands under this way back");
            }
            self.plan.options.insert(
                id,
                WayBack {
                    title,
                    steps: Some(steps),
                    default: false,
                    holding: None,
                    when,
                    by: None,
                    total: None,
                },
            );
        }
    }
}
