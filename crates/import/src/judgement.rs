//! Who is who, what calls for a decision, and who takes it.

use backout_core::duration::Estimate;
use backout_core::ids::TriggerId;
use backout_core::plan::{
    DecisionAction, DecisionRule, Many, Reach, Severity, Trigger, Unanswered,
};
use backout_documents::Place;

use crate::columns::Column as C;
use crate::negation::{forbids_backout, stays_when};
use crate::no_way::nothing_at_all;
use crate::reading::Reading;
use crate::tables::Grid;
use crate::words::{has, plain, slug, unique};
use crate::{people, values};

impl Reading<'_> {
    pub(crate) fn contact_table(&mut self, grid: &Grid<'_>) {
        for line in grid.lines() {
            let place = line.place();
            let title = line.first(&[C::Role, C::Owner, C::Name]);
            let Some(title) = title else { continue };
            let known = self.plan.roles.keys().find(|id| id.as_str() == title).cloned();
            let id = known.unwrap_or_else(|| people::add(&title, &mut self.plan));
            self.report.found(format!("roles[{id}]"), &place);
            let mut role = self.plan.roles.get(&id).cloned().unwrap_or_default();
            let name =
                line.get(C::Name).or_else(|| line.get(C::Owner).filter(|_| grid.has(C::Role)));
            if let Some(name) = name.filter(|name| *name != title || grid.has(C::Role)) {
                role.name = Some(name);
                self.report.found(format!("roles[{id}].name"), &place);
            }
            let mut ways = role.reach.take().unwrap_or_default();
            for (column, key) in [(C::Phone, "phone"), (C::Mail, "email"), (C::Chat, "chat")] {
                let Some(text) = line.get(column) else { continue };
                let before = ways.clone();
                if !people::reach(&text, &mut ways) {
                    match column {
                        C::Mail => ways.email = Some(text),
                        C::Chat => ways.chat = Some(text),
                        _ => ways.phone = Some(text),
                    }
                }
                if ways != before {
                    self.report.found(format!("roles[{id}].reach.{key}"), &place);
                }
            }
            role.reach = (ways != Reach::default()).then_some(ways);
            if let Some(availability) = line.get(C::Availability) {
                role.availability = Some(availability);
                self.report.found(format!("roles[{id}].availability"), &place);
            }
            self.plan.roles.insert(id.clone(), role);
        }
        // Deputies name roles that may stand further down.
        let ids: Vec<_> = grid
            .lines()
            .filter_map(|line| {
                let title = line.first(&[C::Role, C::Owner, C::Name])?;
                people::same(&plain(&title), &self.plan)
                    .map(|id| (id, line.get(C::Deputy), line.place()))
            })
            .collect();
        for (id, deputy, place) in ids {
            let Some(deputy) = deputy else { continue };
            let field = format!("roles[{id}].deputies");
            let found = people::roles(&deputy, &field, &place, &mut self.plan, &mut self.report);
            if let Some(role) = self.plan.roles.get_mut(&id) {
                role.deputies = found.into_iter().filter(|deputy| *deputy != id).collect();
            }
        }
    }

    /// Severity, criteria, and what is done: triggers, and the action of each severity.
    pub(crate) fn severity_table(&mut self, grid: &Grid<'_>) -> bool {
        for line in grid.lines() {
            let place = line.place();
            if line.is_called_off() {
                self.note(&place, "", &line.text());
                continue;
            }
            let (Some(severity), Some(criteria)) = (line.get(C::Severity), line.get(C::Criteria))
            else {
                self.note(&place, "", &line.text());
                continue;
            };
            let Some(severity) = severity_of(&severity) else {
                self.note(&place, "", &line.text());
                continue;
            };
            self.trigger(&criteria, None, Some(severity), &place);
            if let Some(action) = line.get(C::Action) {
                match action_of(&action) {
                    Some(action) => {
                        let rule = self.rule(severity);
                        rule.action = action;
                        self.report
                            .found(format!("decision.{}.action", severity_name(severity)), &place);
                    }
                    None => self.note(&place, "", &format!("{criteria}: {action}")),
                }
            }
        }
        true
    }

    /// What stands behind the action: `; a fix may be tried for 30 min`.
    fn beside_the_action(&mut self, severity: Severity, said: &str, place: &Place) {
        let name = severity_name(severity);
        for clause in said.split(';').skip(1).map(str::trim) {
            let field = if let Some(length) = clause.strip_prefix("a fix may be tried for ") {
                let Some(window) = values::length(length, Some("m")) else { continue };
                self.rule(severity).fix_window = Some(window.high());
                "fix_window"
            } else if clause.starts_with("the plan does it by itself") {
                self.rule(severity).automatic = true;
                "automatic"
            } else if let Some(count) =
                clause.strip_prefix("it takes ").and_then(|rest| rest.strip_suffix(" people"))
            {
                let Some(quorum) = count.parse().ok().filter(|n| (1..=10).contains(n)) else {
                    continue;
                };
                self.rule(severity).quorum = quorum;
                "quorum"
            } else if ["when the time is up: back out", "if nobody answers: back out"]
                .iter()
                .any(|said| clause.starts_with(said))
            {
                self.rule(severity).if_unanswered = Some(Unanswered::BackOut);
                "if_unanswered"
            } else if let Some(who) =
                clause.strip_prefix("without an answer ").and_then(|rest| rest.strip_suffix(" too"))
            {
                let field = format!("decision.{name}.escalate");
                let roles = people::roles(who, &field, place, &mut self.plan, &mut self.report);
                self.rule(severity).escalate = Many(roles);
                continue;
            } else {
                continue;
            };
            self.report.found(format!("decision.{name}.{field}"), place);
        }
    }

    fn rule(&mut self, severity: Severity) -> &mut DecisionRule {
        self.plan.decision.entry(severity).or_insert_with(|| DecisionRule::new(DecisionAction::Ask))
    }

    /// What is measured, and its limit.
    pub(crate) fn limit_table(&mut self, grid: &Grid<'_>) -> bool {
        for line in grid.lines() {
            let place = line.place();
            if line.is_called_off() {
                self.note(&place, "", &line.text());
                continue;
            }
            let Some(what) = line.first(&[C::Criteria, C::Action, C::Requirement]) else {
                continue;
            };
            let severity = line.get(C::Severity).as_deref().and_then(severity_of);
            let id = self.trigger(&what, line.get(C::Limit).as_deref(), severity, &place);
            let said = line.first(&[C::Lasting, C::Duration]);
            let lasting = said.as_ref().and_then(|text| {
                values::length(text, Some("m")).filter(|_| !text.trim().is_empty())
            });
            if let Some(said) = said.filter(|_| lasting.is_none()) {
                self.note(&place, "", &format!("{what}: for {said}"));
            }
            if let (Some(id), Some(lasting)) = (&id, lasting)
                && let Some(trigger) = self.plan.triggers.get_mut(id)
            {
                trigger.lasting.get_or_insert(lasting.high());
                let field = format!("triggers[{id}].for");
                match lasting {
                    Estimate::Point(_) => self.report.found(field, &place),
                    Estimate::Range { .. } => {
                        self.report.guessed(field, &place, "of the two figures the longer one");
                    }
                }
            }
            if let (Some(id), Some(owner)) = (&id, line.get(C::Owner)) {
                let owner = self.role(&owner, &format!("triggers[{id}].owner"), &place);
                if let Some(trigger) = self.plan.triggers.get_mut(id) {
                    trigger.owner = owner;
                }
            }
            if let (Some(id), Some(action)) =
                (&id, line.get(C::Action).filter(|action| *action != what))
            {
                self.note(&place, "", &format!("{id}: {action}"));
            }
        }
        true
    }

    /// Adds a trigger from what is judged and, where it stands apart, its limit.
    pub(crate) fn trigger(
        &mut self,
        what: &str,
        limit: Option<&str>,
        severity: Option<Severity>,
        place: &Place,
    ) -> Option<TriggerId> {
        let what = what.trim().trim_end_matches(['.', ';']).trim();
        if what.is_empty() {
            return None;
        }
        // `Rollback is not needed if …` calls for nothing, and neither does `N/A`.
        let said = plain(what);
        if forbids_backout(what)
            || stays_when(what)
            || said.starts_with("unless ")
            || nothing_at_all(&said)
        {
            self.note(place, "", what);
            return None;
        }
        let apart = limit.and_then(values::limit);
        let within = values::condition(what);
        let (judged, limit, lasting) = match (apart, within, limit) {
            (Some((limit, lasting)), _, _) => (what.to_owned(), Some(limit), lasting),
            // Words such as "any failure" say when, and are kept.
            (None, _, Some(words)) if !words.trim().is_empty() => {
                (format!("{what}: {}", words.trim()), None, values::lasting(words))
            }
            // `mail queues for more than 15 minutes`: how long, not how much.
            (None, Some(found), _) if found.metric.ends_with(" for") => {
                let length =
                    values::length(&format!("{} {}", found.limit.value, found.limit.unit), None);
                let judged = found.metric.trim_end_matches(" for").to_owned();
                (judged, None, length.map(|length| length.high()))
            }
            (None, Some(found), _) => (found.metric, Some(found.limit), found.lasting),
            _ => (what.to_owned(), None, None),
        };
        let base = slug(&judged);
        let same = self
            .plan
            .triggers
            .iter()
            .any(|(_, known)| known.label() == judged && known.limit == limit);
        if same {
            return None;
        }
        let free = unique(&base, "trigger", |id| {
            self.plan.triggers.keys().any(|known| known.as_str() == id)
        });
        let id = TriggerId::new(free).ok()?;
        let field = format!("triggers[{id}]");
        self.report.found(format!("{field}.judged"), place);
        if limit.is_some() {
            self.report.found(format!("{field}.limit"), place);
        }
        if lasting.is_some() {
            self.report.found(format!("{field}.for"), place);
        }
        if severity.is_some() {
            self.report.found(format!("{field}.severity"), place);
        }
        let trigger = Trigger { limit, lasting, severity, ..Trigger::judged(judged) };
        self.plan.triggers.insert(id.clone(), trigger);
        Some(id)
    }

    /// Severity, who decides, who is told.
    pub(crate) fn matrix_table(&mut self, grid: &Grid<'_>) -> bool {
        let mut seen: Vec<Severity> = Vec::new();
        for line in grid.lines() {
            let place = line.place();
            let severity = line.get(C::Severity).as_deref().and_then(severity_of);
            // Two levels of the document that are one here: the first, which is the worse, counts.
            let Some(severity) = severity.filter(|severity| !seen.contains(severity)) else {
                self.note(&place, "", &line.text());
                continue;
            };
            seen.push(severity);
            let name = severity_name(severity);
            let by = line.first(&[C::Decider, C::Owner]);
            let by = by.and_then(|by| self.role(&by, &format!("decision.{name}.by"), &place));
            let field = format!("decision.{name}.tell");
            let tell = line.get(C::Tell).map_or_else(Vec::new, |tell| {
                people::roles(&tell, &field, &place, &mut self.plan, &mut self.report)
            });
            let within = line.first(&[C::Deadline, C::When, C::Duration]);
            let within = within.and_then(|text| values::length(&text, Some("m")));
            let action = line.get(C::Action).as_deref().and_then(action_of);
            let rule = self.rule(severity);
            rule.by = by.or(rule.by.take());
            if !tell.is_empty() {
                rule.tell = Many(tell);
            }
            rule.within = within.map(|within| within.high()).or(rule.within);
            if let Some(action) = action {
                rule.action = action;
            }
            if let Some(said) = line.get(C::Action) {
                self.beside_the_action(severity, &said, &place);
            }
            if within.is_some() {
                self.report.found(format!("decision.{name}.within"), &place);
            }
            let field = format!("decision.{name}.action");
            if action.is_some() {
                self.report.found(field, &place);
            } else if !self.report.found.iter().any(|found| found.field == field) {
                self.report.guessed(
                    field,
                    &place,
                    "the document names who decides and not what: they are asked",
                );
            }
        }
        true
    }
}

/// The severity a word stands for.
pub(crate) fn severity_of(text: &str) -> Option<Severity> {
    let said = plain(text);
    let any = |words: &[&str]| has(&said, words);
    Some(match () {
        () if any(&[
            "critical",
            "sev1",
            "sev 1",
            "severity 1",
            "p1",
            "s1",
            "blocker",
            "emergency",
            "catastrophic",
        ]) =>
        {
            Severity::Critical
        }
        () if any(&["major", "high", "sev2", "sev 2", "severity 2", "p2", "s2", "serious"]) => {
            Severity::Major
        }
        () if any(&[
            "minor",
            "low",
            "medium",
            "moderate",
            "sev3",
            "sev 3",
            "severity 3",
            "p3",
            "s3",
            "p4",
            "sev4",
            "cosmetic",
        ]) =>
        {
            Severity::Minor
        }
        () if any(&["discretion", "judgement", "judgment"]) => Severity::Discretionary,
        () => return None,
    })
}

pub(crate) fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::Major => "major",
        Severity::Minor => "minor",
        Severity::Discretionary => "discretionary",
    }
}

/// How each thing begins that our own documents say behind an action.
const BESIDE: [&str; 5] = [
    "a fix may be tried for ",
    "the plan does it by itself",
    "it takes ",
    "if nobody answers: ",
    "without an answer ",
];

fn action_of(text: &str) -> Option<DecisionAction> {
    let beside = |clause: &&str| BESIDE.iter().any(|begins| clause.trim().starts_with(begins));
    let action: Vec<&str> = text.split(';').filter(|clause| !beside(clause)).collect();
    let said = plain(&action.join(";"));
    let any = |words: &[&str]| has(&said, words);
    let back = crate::words::goes_back(&said);
    // `Do not back out` is no order to do so.
    if back
        && any(&[
            "not backout",
            "not rollback",
            "not revert",
            "never",
            "no rollback",
            "no backout",
            "without",
        ])
    {
        return None;
    }
    Some(match () {
        () if back
            && any(&[
                "if not fix",
                "unless fix",
                "if cannot",
                "if unfix",
                "unless it can",
                "if no fix",
            ]) =>
        {
            DecisionAction::BackOutUnlessFixable
        }
        () if back && any(&["consider", "discuss", "evaluate", "decide"]) => DecisionAction::Ask,
        () if back => DecisionAction::BackOut,
        () if any(&["log", "record", "fix later", "continue", "monitor", "defer", "accept"]) => {
            DecisionAction::Log
        }
        () if any(&["ask", "decide", "discuss", "evaluate", "escalate", "judgement"]) => {
            DecisionAction::Ask
        }
        () => return None,
    })
}
