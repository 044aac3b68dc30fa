//! What people check, keep, say and do around the way back.

use backout_core::ids::{MessageId, ReadinessId};
use backout_core::plan::{
    Alternatives, Backup, FixForward, FollowUp, Message, Moment, Readiness, Rehearsed,
    RestoreTested, Risk, Unrecoverable,
};
use backout_documents::Place;

use crate::columns::Column as C;
use crate::reading::Reading;
use crate::tables::Grid;
use crate::values;
use crate::words::{has, plain, slug, unique};

impl Reading<'_> {
    pub(crate) fn ready(&mut self, attest: &str, owner: Option<String>, place: &Place) {
        let attest = attest.trim().trim_end_matches('?').trim();
        if attest.is_empty() || !self.said.insert(format!("ready {}", plain(attest))) {
            return;
        }
        let free = unique(&slug(attest), "ready", |id| {
            self.plan.readiness.keys().any(|known| known.as_str() == id)
        });
        let Ok(id) = ReadinessId::new(free) else { return };
        let owner =
            owner.and_then(|owner| self.role(&owner, &format!("readiness[{id}].owner"), place));
        self.report.found(format!("readiness[{id}]"), place);
        self.plan.readiness.insert(id, Readiness { attest: attest.to_owned(), owner });
    }

    pub(crate) fn readiness_table(&mut self, grid: &Grid<'_>) -> bool {
        for line in grid.lines() {
            if let Some(what) = line.first(&[C::Requirement, C::Action, C::Test]) {
                self.ready(&what, line.get(C::Owner), &line.place());
            }
        }
        true
    }

    /// Tests to be done before: somebody has to attest that they were.
    pub(crate) fn test_table(&mut self, grid: &Grid<'_>) -> bool {
        for line in grid.lines() {
            let Some(test) = line.get(C::Test) else { continue };
            let attest = match line.get(C::Environment) {
                Some(environment) => format!("{test} ({environment})"),
                None => test,
            };
            self.ready(&attest, line.get(C::Owner), &line.place());
        }
        true
    }

    pub(crate) fn backup_table(&mut self, grid: &Grid<'_>) -> bool {
        for line in grid.lines() {
            let place = line.place();
            let name = line.first(&[C::Component, C::Requirement]);
            let (Some(name), Some(location)) = (name, line.get(C::Location)) else {
                self.note(&place, "", &line.text());
                continue;
            };
            let Some(id) = self.component(&name, "components", &place) else { continue };
            // A component has one backup to go back to; a second one is for people.
            if self.plan.components.get(&id).is_some_and(|known| known.backup.is_some()) {
                self.note(&place, "", &line.text());
                continue;
            }
            let tested = line.get(C::Tested);
            let day = tested.as_deref().and_then(values::day);
            let rehearsal = tested.as_deref().is_some_and(|text| plain(text) == "rehearsal");
            let tested = match (day, rehearsal) {
                (Some(day), _) => Some(RestoreTested::On(day)),
                (None, true) => Some(RestoreTested::Rehearsal),
                (None, false) => None,
            };
            if tested.is_some() {
                self.report.found(format!("components[{id}].backup.restore_tested"), &place);
            } else if let Some(said) = line.get(C::Tested) {
                self.note(&place, "", &format!("{name}: {}: {said}", grid.name(C::Tested)));
            }
            self.report.found(format!("components[{id}].backup.location"), &place);
            if let Some(component) = self.plan.components.get_mut(&id) {
                component.backup =
                    Some(Backup { location, max_age: None, restore_tested: tested, digest: None });
            }
        }
        true
    }

    pub(crate) fn later(
        &mut self,
        what: &str,
        owner: Option<String>,
        within: Option<&str>,
        place: &Place,
    ) {
        let what = what.trim().trim_end_matches('?').trim();
        if what.is_empty() || !self.said.insert(format!("later {}", plain(what))) {
            return;
        }
        let index = self.plan.follow_up.len();
        let owner =
            owner.and_then(|owner| self.role(&owner, &format!("follow_up[{index}].owner"), place));
        let time = within.and_then(|text| values::length(text, None));
        self.report.found(format!("follow_up[{index}]"), place);
        if has(
            &plain(what),
            &[
                "postmortem",
                "schedule review",
                "review meeting",
                "hold review",
                "post implementation review",
            ],
        ) {
            let time = time.map(|time| time.high());
            let by = owner.clone();
            let review = self.review();
            review.owner = review.owner.take().or(by);
            review.within = review.within.or(time);
            self.report.guessed("review", place, format!("\"{what}\" is the review"));
        }
        self.plan.follow_up.push(FollowUp {
            what: match (within, time) {
                // A time that is no length stays in the words.
                (Some(text), None) if plain(text) != "immediately" => {
                    format!("{what} ({})", text.trim())
                }
                _ => what.to_owned(),
            },
            owner,
            within: time.map(|time| time.high()),
        });
    }

    pub(crate) fn follow_up_table(&mut self, grid: &Grid<'_>) -> bool {
        for line in grid.lines() {
            if let Some(what) = line.first(&[C::Action, C::Requirement, C::Document]) {
                let when = line.first(&[C::When, C::Duration]);
                self.later(&what, line.get(C::Owner), when.as_deref(), &line.place());
            }
        }
        true
    }

    /// Documents that are written afterwards.
    pub(crate) fn document_table(&mut self, grid: &Grid<'_>) -> bool {
        for line in grid.lines() {
            let Some(what) = line.get(C::Document) else { continue };
            let what = match line.get(C::Reason) {
                Some(purpose) => format!("{what} ({purpose})"),
                None => what,
            };
            self.later(&what, line.get(C::Owner), None, &line.place());
        }
        true
    }

    pub(crate) fn message_table(&mut self, grid: &Grid<'_>) -> bool {
        for line in grid.lines() {
            let place = line.place();
            let audience = line.first(&[C::Audience, C::Tell]);
            let text = line.first(&[C::Message, C::Action]);
            let (Some(audience), Some(text)) = (audience, text) else {
                self.note(&place, "", &line.text());
                continue;
            };
            let when = line.get(C::When);
            self.message(
                &audience,
                &text,
                line.get(C::Channel),
                line.get(C::Owner),
                when.as_deref(),
                &place,
            );
        }
        true
    }

    pub(crate) fn message(
        &mut self,
        audience: &str,
        text: &str,
        channel: Option<String>,
        owner: Option<String>,
        when: Option<&str>,
        place: &Place,
    ) {
        let free = unique(&slug(audience), "message", |id| {
            self.plan.messages.keys().any(|known| known.as_str() == id)
        });
        let Ok(id) = MessageId::new(free) else { return };
        let owner =
            owner.and_then(|owner| self.role(&owner, &format!("messages[{id}].owner"), place));
        self.report.found(format!("messages[{id}]"), place);
        let moment = when.and_then(moment);
        let within = when.and_then(|when| values::length(when, None)).map(|length| length.high());
        if moment.is_some() {
            self.report.found(format!("messages[{id}].when"), place);
        } else if let Some(when) = when.filter(|_| within.is_none()) {
            self.note(place, "", &format!("Message to {audience}: {when}"));
        }
        let message = Message {
            audience: audience.to_owned(),
            text: text.to_owned(),
            channel,
            owner,
            when: moment,
            within,
        };
        self.plan.messages.insert(id, message);
    }

    pub(crate) fn risk(
        &mut self,
        risk: &str,
        mitigation: Option<String>,
        owner: Option<String>,
        place: &Place,
    ) {
        let index = self.plan.risks.len();
        let owner =
            owner.and_then(|owner| self.role(&owner, &format!("risks[{index}].owner"), place));
        self.report.found(format!("risks[{index}]"), place);
        self.plan.risks.push(Risk {
            risk: risk.trim().to_owned(),
            mitigation,
            owner,
            steps: Default::default(),
        });
    }

    pub(crate) fn risk_table(&mut self, grid: &Grid<'_>) -> bool {
        for line in grid.lines() {
            if let Some(risk) = line.get(C::Risk) {
                let mitigation = line.first(&[C::Mitigation, C::Instead, C::Action]);
                self.risk(&risk, mitigation, line.get(C::Owner), &line.place());
            }
        }
        true
    }

    pub(crate) fn alternatives(&mut self) -> &mut Alternatives {
        self.plan.alternatives.get_or_insert_with(Alternatives::default)
    }

    pub(crate) fn cannot_table(&mut self, grid: &Grid<'_>) -> bool {
        for line in grid.lines() {
            let place = line.place();
            match (line.get(C::Scenario), line.get(C::Instead)) {
                (Some(scenario), Some(instead)) => {
                    let known = &mut self.alternatives().cannot_back_out;
                    known.push(Unrecoverable { scenario, instead });
                    let index = known.len() - 1;
                    self.report.found(format!("alternatives.cannot_back_out[{index}]"), &place);
                }
                _ => self.note(&place, "", &line.text()),
            }
        }
        true
    }

    /// Factors that speak for repairing in place rather than going back.
    pub(crate) fn factor_table(&mut self, grid: &Grid<'_>) -> bool {
        let mut when = Vec::new();
        let mut first = None;
        for line in grid.lines() {
            let factor = line
                .first(&[C::Criteria, C::Action, C::Key])
                .or_else(|| line.text().split(" | ").next().map(str::to_owned));
            if let (Some(factor), Some(forward)) = (factor, line.get(C::Forward)) {
                when.push(format!("{factor}: {forward}"));
                first.get_or_insert(line.place());
            }
            if let Some(back) = line.get(C::Back) {
                let text = format!(
                    "For backing out: {}",
                    line.text().split(" | ").next().unwrap_or_default()
                );
                self.note(&line.place(), "Fix forward or backout", &format!("{text}: {back}"));
            }
        }
        let Some(place) = first else { return false };
        self.alternatives().fix_forward =
            Some(FixForward { estimate: None, when: when.join("; ") });
        self.report.guessed(
            "alternatives.fix_forward.when",
            &place,
            "put together from the column that speaks for it",
        );
        true
    }

    pub(crate) fn question_table(&mut self, grid: &Grid<'_>) -> bool {
        for line in grid.lines() {
            if let Some(question) = line.get(C::Question) {
                self.question(&question, &line.place());
                if let Some(answer) = line.get(C::Answer) {
                    self.note(&line.place(), "", &format!("{question} {answer}"));
                }
            }
        }
        true
    }

    pub(crate) fn question(&mut self, question: &str, place: &Place) {
        let question = question.trim().to_owned();
        let questions = &mut self.review().questions.0;
        if !questions.contains(&question) {
            questions.push(question);
            let index = questions.len() - 1;
            self.report.found(format!("review.questions[{index}]"), place);
        }
    }

    /// What tests took: of the whole way back, a rehearsal; of its parts, notes.
    pub(crate) fn result_table(&mut self, grid: &Grid<'_>) -> bool {
        for line in grid.lines() {
            let place = line.place();
            let Some(test) = line.first(&[C::Test, C::Action, C::Requirement]) else { continue };
            let Some(actual) = line.get(C::Actual) else { continue };
            let whole =
                has(&plain(&test), &["total", "full", "whole", "complete backout", "end to end"]);
            let day = line.get(C::When).as_deref().and_then(values::day);
            let environment = line.get(C::Environment);
            let took = values::length(&actual, values::unit_of(grid.name(C::Actual)));
            match (whole, day, environment, took) {
                (true, Some(on), Some(environment), Some(took)) => {
                    self.plan.change.rehearsed = Some(Rehearsed {
                        environment,
                        on,
                        took: Some(took.high()),
                        plan_version: None,
                    });
                    self.report.found("change.rehearsed", &place);
                }
                _ => self.note(&place, "Test results", &line.text()),
            }
        }
        true
    }
}

fn moment(text: &str) -> Option<Moment> {
    let said = plain(text);
    let any = |words: &[&str]| has(&said, words);
    Some(match () {
        () if any(&["planned", "before deploy", "before the deploy", "before go live"]) => {
            Moment::Planned
        }
        () if any(&["failed", "if the backout fails", "on failure"]) => Moment::Failed,
        () if any(&["invoked", "start", "at invoke", "when the backout begins", "decision"]) => {
            Moment::Invoked
        }
        () if any(&[
            "done",
            "complete",
            "restored",
            "after backout",
            "after the backout",
            "finish",
            "end",
        ]) =>
        {
            Moment::Done
        }
        () => return None,
    })
}
