//! Lists, by what their heading is about.

use backout_documents::tree::text_of_blocks;
use backout_documents::{Block, Inline, Item, Kind, Place};

use crate::draft::Draft;
use crate::headings::is_aside;
use crate::negation::{forbids_backout, leads_in};
use crate::no_way::no_way_back;
use crate::reading::Reading;
use crate::sentences::{imperative, owner_at_end, pair};
use crate::set_aside::denies_all;
use crate::topics::Topic;
use crate::words::{has, plain, struck};
use crate::{people, values};

const BULLETS: &str = "a list without numbers under a heading about going back";
/// Of a step that is a heading with nothing below it.
pub(crate) const ALONE: &str = "a heading with nothing below it that tells what to do";

impl Reading<'_> {
    pub(crate) fn list(
        &mut self,
        heading: &str,
        topic: Option<Topic>,
        ordered: bool,
        items: &[Item],
        group: &Option<String>,
        option: Option<&str>,
    ) -> bool {
        let ticks = items.iter().any(|item| item.ticked.is_some());
        let text = |item: &Item| text_of_blocks(&item.blocks);
        // What is struck out is no promise any more.
        let struck = |item: &Item| struck(text(item).lines().next().unwrap_or_default());
        if items.iter().any(struck) {
            let (gone, left): (Vec<Item>, Vec<Item>) = items.iter().cloned().partition(struck);
            let taken = left.is_empty() || self.list(heading, topic, ordered, &left, group, option);
            if taken {
                gone.iter().for_each(|item| self.note(&item.place, "", &text(item)));
            }
            return taken;
        }
        // `1. No rollback possible`, `2. Call the vendor`: nothing of it is a way back.
        if topic == Some(Topic::Procedure) && denies_all(items.iter().map(text)) {
            items.iter().for_each(|item| self.note(&item.place, heading, &text(item)));
            return true;
        }
        // Where to go back is what it is about, what says not to is no trigger and no step.
        let about = matches!(topic, Some(Topic::Triggers | Topic::Procedure | Topic::Decision));
        let first = |item: &Item| text(item).lines().next().unwrap_or_default().to_owned();
        let forbidden = |item: &Item| {
            let said = first(item);
            forbids_backout(&said)
                && (topic != Some(Topic::Procedure)
                    || leads_in(&said)
                    || has(&plain(&said), &["if", "when", "unless"]))
                || topic == Some(Topic::Procedure) && no_way_back(&said)
        };
        if about && items.iter().any(forbidden) {
            let (gone, left): (Vec<Item>, Vec<Item>) = items.iter().cloned().partition(forbidden);
            let taken = left.is_empty() || self.list(heading, topic, ordered, &left, group, option);
            if !taken {
                left.iter().for_each(|item| self.note(&item.place, heading, &text(item)));
            }
            gone.iter().for_each(|item| self.note(&item.place, heading, &text(item)));
            return true;
        }
        // A plan's header may stand in bullets, under whatever title; what somebody is
        // told to do is no header.
        let header = !ordered
            && !ticks
            && items.iter().all(|item| {
                pair(&text(item)).is_some_and(|(name, value)| {
                    !imperative(&value) && !plain(&name).starts_with("step")
                })
            });
        // Lists of `Name: value` say the same as a table would.
        let named = items.iter().filter(|item| pair(&text(item)).is_some()).count();
        if named * 2 > items.len() && matches!(topic, None | Some(Topic::Overview | Topic::Impact))
            || matches!(topic, Some(Topic::Header))
            || header && topic == Some(Topic::Procedure)
        {
            let mut known = 0;
            for item in items {
                if let Some((name, value)) = pair(&text(item)) {
                    known += usize::from(self.field(&name, &value, &item.place));
                }
            }
            if known == items.len() {
                return true;
            }
            if known > 0 {
                for item in items {
                    let said = text(item);
                    let understood =
                        pair(&said).is_some_and(|(name, _)| self.is_field(&name, &item.place));
                    if !understood {
                        self.note(&item.place, "", &said);
                    }
                }
                return true;
            }
        }
        if topic == Some(Topic::Procedure) && self.labelled_way(items, group, option) {
            return true;
        }
        match topic {
            // A question's list is its answer.
            Some(Topic::Procedure) if heading.trim_end().ends_with('?') => false,
            Some(Topic::Procedure) if ordered || ticks => {
                self.step_list(items, group.clone());
                true
            }
            // Limits and times in bullets are what calls for going back.
            Some(Topic::Procedure)
                if items.iter().filter(|item| values::condition(&text(item)).is_some()).count()
                    * 2
                    > items.len() =>
            {
                for item in items {
                    self.trigger_sentence(&text(item), &item.place, option);
                }
                if let Some(option) = option {
                    let all: Vec<String> = items.iter().map(text).collect();
                    let when = self.option_when.entry(option.to_owned()).or_default();
                    let said = when.trim_end_matches(':').to_owned();
                    *when = if said.is_empty() {
                        all.join("; ")
                    } else {
                        format!("{said}: {}", all.join("; "))
                    };
                }
                true
            }
            // Bullets are steps where nothing else is; else they explain.
            Some(Topic::Procedure)
                if (self.drafts.iter().all(|draft| draft.group != *group)
                    || self
                        .phases
                        .last()
                        .is_some_and(|phase| phase.first == self.drafts.len())
                    || self.is_another_chapter(heading, group))
                    && items.iter().all(|item| imperative(&text(item))) =>
            {
                let from = self.drafts.len();
                self.step_list(items, group.clone());
                for draft in &mut self.drafts[from..] {
                    draft.guess = Some(BULLETS);
                }
                true
            }
            Some(Topic::Readiness | Topic::Backups | Topic::Tests)
                if ticks || topic == Some(Topic::Readiness) =>
            {
                for item in items {
                    let (what, owner) = owner_at_end(&text(item));
                    self.ready(&what, owner, &item.place);
                }
                true
            }
            Some(Topic::After) => {
                for item in items {
                    let (what, owner) = owner_at_end(&text(item));
                    let when = values::length(&what, None).map(|_| what.clone());
                    self.later(&what, owner, when.as_deref(), &item.place);
                }
                true
            }
            Some(Topic::Review) => {
                for item in items {
                    if ticks {
                        self.later(&text(item), None, None, &item.place);
                    } else {
                        self.question(&text(item), &item.place);
                    }
                }
                true
            }
            Some(Topic::Triggers) => {
                for item in items {
                    self.trigger_sentence(&text(item), &item.place, option);
                }
                true
            }
            Some(Topic::Success) => {
                for (index, item) in items.iter().enumerate() {
                    self.plan.change.success_when.0.push(text(item));
                    self.report.found(format!("change.success_when[{index}]"), &item.place);
                }
                true
            }
            Some(Topic::Risks) => {
                for item in items {
                    let said = text(item);
                    let (risk, mitigation) = match said
                        .split_once(" - ")
                        .or_else(|| said.split_once(": "))
                        .or_else(|| said.split_once(" \u{2013} "))
                    {
                        Some((risk, rest)) => (risk.to_owned(), Some(rest.trim().to_owned())),
                        None => (said.clone(), None),
                    };
                    self.risk(&risk, mitigation, None, &item.place);
                }
                true
            }
            Some(Topic::Contacts) => {
                let mut all = true;
                for item in items {
                    all &= self.contact_line(&text(item), &item.place);
                }
                all
            }
            Some(Topic::Verification) if !self.drafts.is_empty() => {
                for item in items {
                    let said = text(item);
                    self.verify_last(&said, &item.place);
                }
                true
            }
            Some(Topic::Communication) => {
                let mut all = true;
                for item in items {
                    let said = text(item);
                    match said.split_once(": ") {
                        Some((audience, message)) if audience.split(' ').count() <= 5 => {
                            self.message(
                                audience.trim(),
                                message.trim(),
                                None,
                                None,
                                None,
                                &item.place,
                            );
                        }
                        _ => all = false,
                    }
                }
                all
            }
            _ => false,
        }
    }

    /// Whether bullets begin another chapter of a way back that is written in bullets.
    fn is_another_chapter(&self, heading: &str, group: &Option<String>) -> bool {
        let mut known = self.drafts.iter().filter(|draft| draft.group == *group);
        !is_aside(heading)
            && self.chapter_from == self.drafts.len()
            && known.all(|draft| draft.guess == Some(BULLETS) || draft.guess == Some(ALONE))
    }

    /// A way back in labelled bullets: `Trigger: …`, `Steps: …`. Whether it was one.
    fn labelled_way(
        &mut self,
        items: &[Item],
        group: &Option<String>,
        option: Option<&str>,
    ) -> bool {
        let label = |item: &Item| {
            let text = item.blocks.first().map(Block::text).unwrap_or_default();
            let (name, value) = text.split_once(':')?;
            Some((plain(name), value.trim().to_owned()))
        };
        const TRIGGERS: [&str; 6] = [
            "trigger",
            "triggers",
            "rollback trigger",
            "backout trigger",
            "rollback if",
            "criteria",
        ];
        const STEPS: [&str; 8] = [
            "steps",
            "rollback steps",
            "backout steps",
            "procedure",
            "how",
            "actions",
            "rollback",
            "backout",
        ];
        let known = |names: &[&str]| {
            items
                .iter()
                .any(|item| label(item).is_some_and(|(name, _)| names.contains(&name.as_str())))
        };
        if !known(&TRIGGERS) && !known(&STEPS) {
            return false;
        }
        for item in items {
            let Some((name, value)) = label(item) else {
                self.note(&item.place, "", &text_of_blocks(&item.blocks));
                continue;
            };
            let below = item.blocks.iter().skip(1).find_map(|block| match &block.kind {
                Kind::List(_, items) => Some(items),
                _ => None,
            });
            if TRIGGERS.contains(&name.as_str()) {
                if !value.is_empty() {
                    self.trigger_sentence(&value, &item.place, option);
                }
                for inner in below.into_iter().flatten() {
                    self.trigger_sentence(&text_of_blocks(&inner.blocks), &inner.place, option);
                }
            } else if STEPS.contains(&name.as_str()) && !no_way_back(&text_of_blocks(&item.blocks))
            {
                self.step_line(&value, &item.place, group);
                if let Some(items) = below {
                    self.step_list(items, group.clone());
                }
            } else if matches!(name.as_str(), "verify" | "verification" | "validation")
                && !self.drafts.is_empty()
            {
                self.verify_last(&value, &item.place);
            } else if matches!(name.as_str(), "postmortem" | "follow up" | "afterwards") {
                let text = text_of_blocks(&item.blocks);
                self.later(&text, None, None, &item.place);
            } else {
                self.note(&item.place, "", &text_of_blocks(&item.blocks));
            }
        }
        true
    }

    /// The same in a paragraph, one label in each line. Whether it was one.
    pub(crate) fn labelled_paragraph(
        &mut self,
        text: &str,
        place: &Place,
        group: &Option<String>,
        option: Option<&str>,
    ) -> bool {
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let labelled = |line: &&str| {
            line.split_once(':').is_some_and(|(name, value)| {
                let name = name.split_whitespace().count();
                (1..=4).contains(&name) && !value.trim().is_empty()
            })
        };
        if lines.is_empty() || !lines.iter().all(labelled) {
            return false;
        }
        let item = |(at, line): (usize, &&str)| {
            let place = if &*place.unit == "line" { place.plus(at) } else { place.clone() };
            let kind = Kind::Paragraph(vec![Inline::plain(line.trim())]);
            let blocks = vec![Block { place: place.clone(), kind }];
            Item { place, ticked: None, blocks }
        };
        let items: Vec<Item> = lines.iter().enumerate().map(item).collect();
        self.labelled_way(&items, group, option)
    }

    /// Steps in one line: `disable the flag, redeploy the previous tag`.
    fn step_line(&mut self, line: &str, place: &Place, group: &Option<String>) {
        for piece in outside_brackets(line) {
            let piece = piece.trim().trim_end_matches('.');
            let piece = piece.strip_prefix("and ").unwrap_or(piece);
            if !piece.is_empty() {
                let mut draft = Draft::new(piece, place, group.clone());
                draft.guess = Some("steps in one line, one between each two commas");
                self.drafts.push(draft);
            }
        }
    }

    /// Whether a name is that of a field that was already read here.
    pub(crate) fn is_field(&self, _: &str, place: &Place) -> bool {
        let shown = place.to_string();
        self.report.found.iter().chain(&self.report.guessed).any(|source| source.place == shown)
            || self.titles.iter().any(|(.., at)| at == place)
            || self.when.date.as_ref().is_some_and(|(_, at)| at == place)
            || self.when.deploy.as_ref().is_some_and(|(_, at)| at == place)
            || self.when.by.as_ref().is_some_and(|(_, at)| at == place)
            || self.when.total.as_ref().is_some_and(|(_, at)| at == place)
            || self.versions.from.as_ref().is_some_and(|(_, at)| at == place)
            || self.versions.to.as_ref().is_some_and(|(_, at)| at == place)
    }

    /// `DBA: Mike Brown, +44 …` as a line of a list.
    pub(crate) fn contact_line(&mut self, text: &str, place: &Place) -> bool {
        let Some((title, rest)) = text.split_once(':').or_else(|| text.split_once(" - ")) else {
            return false;
        };
        let title = title.trim();
        if title.split(' ').count() > 5 || rest.trim().is_empty() {
            return false;
        }
        let known = people::same(&plain(title), &self.plan);
        // `Contact: Development team lead` names the role behind the colon.
        let named = matches!(plain(title).as_str(), "contact" | "escalation" | "escalate to");
        let bare = rest.trim().trim_end_matches('.');
        if named && people::is_title(bare) {
            return self.role(bare, "roles", place).is_some();
        }
        // What somebody is told to do is nobody: `Check Git history: …`.
        if known.is_none() && (imperative(title) || !names_somebody(title, rest)) {
            return false;
        }
        let id = known.unwrap_or_else(|| people::add(title, &mut self.plan));
        let Some(role) = self.plan.roles.get_mut(&id) else { return false };
        let mut reach = role.reach.take().unwrap_or_default();
        let mut more = Vec::new();
        for piece in rest.split([',', ';']).map(str::trim).filter(|piece| !piece.is_empty()) {
            let before = reach.clone();
            if people::reach(piece, &mut reach) && reach != before {
                continue;
            }
            if role.name.is_none() && !piece.contains(|c: char| c.is_ascii_digit()) {
                role.name = Some(piece.to_owned());
            } else {
                more.push(piece);
            }
        }
        role.reach = (reach != Default::default()).then_some(reach);
        self.report.found(format!("roles[{id}]"), place);
        if !more.is_empty() {
            self.note(place, "", &format!("{title}: {}", more.join(", ")));
        }
        true
    }
}

/// A line in pieces at each comma, semicolon, arrow and `then` that no bracket holds:
/// `disable flags (search, login), redeploy` is two.
fn outside_brackets(line: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in line.char_indices() {
        let behind = &line[at + c.len_utf8()..];
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            // `1,5 GB` is one figure.
            ',' if behind.starts_with(|c: char| c.is_ascii_digit()) => {}
            ',' | ';' | '\u{2192}' => {
                pieces.push(&line[start..at]);
                start = at + c.len_utf8();
            }
            ' ' if behind.starts_with("then ") || behind.starts_with("-> ") => {
                pieces.push(&line[start..at]);
                start = at + c.len_utf8() + if behind.starts_with('t') { 5 } else { 3 };
            }
            _ => {}
        }
    }
    // Behind a `then` that was taken out stands the start of the last piece.
    pieces.push(line.get(start..).unwrap_or_default());
    pieces
}

/// Whether a line of contacts names somebody: a job or a team, a person, or a way to
/// reach them.
fn names_somebody(title: &str, rest: &str) -> bool {
    let mut reach = Default::default();
    let rest = rest.trim();
    let short = rest.split(' ').count() <= 5 && rest.starts_with(char::is_uppercase);
    people::is_title(title)
        || people::is_person(rest.split([',', '(']).next().unwrap_or_default().trim())
        || people::reach(rest, &mut reach)
        || title.split(' ').count() <= 3 && short
}
