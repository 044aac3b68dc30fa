//! Paragraphs and lists, by what their heading is about.

use backout_core::ids::RoleId;
use backout_core::plan::{Grant, Many, Permission};
use backout_documents::tree::{text_of, text_of_blocks};
use backout_documents::{Block, Kind, Place};

use crate::contingency::fails_back;
use crate::data::{Inert, inert};
use crate::draft::{Draft, tells};
use crate::headings::{bare, is_aside, may_be_phase, phase};
use crate::negation::{forbids_backout, leads_in, split_forbidden, split_sentences};
use crate::no_way::no_way_back;
use crate::outline::Section;
use crate::reading::Reading;
use crate::sentences::{
    back_if, before_time, estimate_line, imperative, is_numbered_act, labels, nothing, pair,
};
use crate::set_aside::acts_back;
use crate::step_text::{
    before_brackets, no_return, numbered, option_name, title_of, trailing_length,
};
use crate::topics::Topic;
use crate::words::{goes_back, has, is_step, plain, returns};
use crate::{people, values};

impl Reading<'_> {
    /// Reads what is left of a part, by what it is about.
    pub(crate) fn section(&mut self, section: &mut Section<'_>, before: &mut Option<usize>) {
        let way_back = section.is_way_back(self.whole_is_back);
        let topic = match section.topic() {
            // What leads forward is not the way back, whatever it is called.
            Some(Topic::Procedure) if !way_back => Some(Topic::Forward),
            topic if self.is_phase(section, topic) => Some(Topic::Procedure),
            // A glossary below the title of a rollback runbook is no way back.
            Some(Topic::Procedure)
                if self.title_is_procedure
                    && section.own_topic().is_none()
                    && section.heads.len() > 1
                    && is_aside(section.heading()) =>
            {
                None
            }
            topic => topic,
        };
        let no_way = topic == Some(Topic::Procedure) && self.has_no_way(section);
        let group = self.group(section);
        let heading = section.heading().to_owned();
        let first = self.drafts.len();
        self.chapter_from = first;
        let in_procedure = topic == Some(Topic::Procedure);
        let option = group.clone().filter(|name| option_name(name).is_some());
        let listed = section.parts.iter().any(|part| match &part.block.kind {
            Kind::List(ordered, items) => {
                *ordered || items.iter().any(|item| item.ticked.is_some())
            }
            Kind::Table(_) => part.used,
            _ => false,
        });
        if in_procedure
            && let (Some(takes), Some(place)) =
                (values::length_in_brackets(&heading), section.place())
            && (section.parts.iter().any(|part| matches!(part.block.kind, Kind::List(..)))
                || section.parts.is_empty() && section.is_leaf && !self.phases.is_empty())
        {
            self.phase(before_time(&heading), first, takes, &place);
        }
        // `RDS 10 min:`, and `Restart it 10 min` with nothing below.
        let heading_length = in_procedure && !is_step(&heading) && section.heads.len() > 1;
        if heading_length
            && let (Some((title, takes)), Some(place)) =
                (trailing_length(&heading), section.place())
            && section.parts.iter().all(|part| matches!(part.block.kind, Kind::List(..)))
        {
            self.phase(title, first, takes, &place);
        }
        for index in 0..section.parts.len() {
            let part = &section.parts[index];
            if part.used {
                continue;
            }
            let block = part.block;
            // `Follow these steps to roll back:` says what the list behind it is.
            if let (Kind::Paragraph(inlines), Some(next)) =
                (&block.kind, section.parts.get(index + 1).map(|part| &part.block.kind))
                && let Kind::List(ordered, items) = next
                && (*ordered || items.iter().all(|item| imperative(&text_of_blocks(&item.blocks))))
                && topic != Some(Topic::Procedure)
                && topic != Some(Topic::Prevention)
                && leads_to_steps_back(&text_of(inlines))
            {
                self.step_list(items, group.clone());
                for draft in &mut self.drafts[first..] {
                    draft
                        .guess
                        .get_or_insert("the sentence above the list says that it leads back");
                }
                self.read_as(&block.place, &text_of(inlines), "it leads to the steps below it");
                section.parts[index].used = true;
                section.parts[index + 1].used = true;
                continue;
            }
            // `If the rollback does not work:` says what the list behind it is for.
            if let (Kind::Paragraph(inlines), Some(next)) =
                (&block.kind, section.parts.get(index + 1))
                && let Kind::List(ordered, items) = &next.block.kind
                && !matches!(topic, Some(Topic::Contacts | Topic::Triggers))
                && leads_in(&text_of(inlines))
                && fails_back(&text_of(inlines))
            {
                let place = next.block.place.clone();
                let used = self.contingency_list(*ordered, items, &place);
                let lead = text_of(inlines);
                if used {
                    self.read_as(&block.place, &lead, "what happens if the backout fails");
                } else {
                    let rest = format!("{lead}\n{}", next.block.text());
                    self.note(&block.place, &section.path(), &rest);
                }
                section.parts[index].used = true;
                section.parts[index + 1].used = true;
                continue;
            }
            let list_ahead = section.parts[index + 1..]
                .iter()
                .any(|part| matches!(part.block.kind, Kind::List(..) | Kind::Code(..)));
            let used = match &block.kind {
                // Where there is no way back, only what leads back all the same is a step.
                Kind::List(_, items)
                    if no_way
                        && !items.iter().any(|item| acts_back(&text_of_blocks(&item.blocks))) =>
                {
                    false
                }
                Kind::List(ordered, items) => {
                    if topic == Some(Topic::Contingency) {
                        self.contingency_list(*ordered, items, &block.place)
                    } else {
                        self.list(&heading, topic, *ordered, items, &group, option.as_deref())
                    }
                }
                // A diagram explains; data belongs to the step above it, if there is one.
                Kind::Code(language, text) if in_procedure && !no_way => {
                    let kind = inert(language.as_deref(), text);
                    let last = self.drafts.len().checked_sub(1);
                    let behind_step =
                        last.is_some_and(|last| last >= first && self.drafts[last].group == group);
                    if kind == Some(Inert::Diagram) || kind.is_some() && !behind_step {
                        continue;
                    }
                    let behind = index.checked_sub(1).map(|before| &section.parts[before]);
                    let several = matches!(behind.map(|part| &part.block.kind), Some(Kind::List(_, items)) if items.len() > 1);
                    let drafts = self.drafts.len();
                    let used = self.code(text, &block.place, (first, several), before, &group);
                    // What the sentence above a command says of it belongs to its step.
                    if self.drafts.len() > drafts
                        && let Some(behind) = index.checked_sub(1)
                        && let part = &mut section.parts[behind]
                        && !part.used
                        && let Kind::Paragraph(inlines) = &part.block.kind
                        && !text_of(inlines).contains('\n')
                    {
                        self.drafts[drafts].how.insert(0, text_of(inlines));
                        part.used = true;
                    }
                    used
                }
                Kind::Paragraph(inlines) => {
                    let text = text_of(inlines);
                    self.paragraph(
                        topic,
                        &heading,
                        &text,
                        block,
                        first,
                        (list_ahead, listed, no_way),
                        &group,
                        option.as_deref(),
                    )
                }
                _ if no_way => false,
                Kind::Notice(_, inside) => {
                    let text = text_of_blocks(inside);
                    self.notice(topic, &text, &block.place, first)
                }
                _ => false,
            };
            section.parts[index].used = used;
        }
        if self.drafts.len() > first {
            *before = Some(self.drafts.len() - 1);
        }
    }

    /// Whether a section of a document about going back is one phase of it: an act with
    /// numbered steps below, and nothing else that its heading is about.
    fn is_phase(&self, section: &Section<'_>, topic: Option<Topic>) -> bool {
        let steps = section.parts.iter().any(|part| {
            !part.used && matches!(&part.block.kind, Kind::List(ordered, items) if *ordered || items.iter().any(|item| item.ticked.is_some()))
        });
        let heading = section.heading();
        let numbered = is_numbered_act(heading);
        let act = imperative(bare(heading));
        let orders = section.parts.iter().any(|part| match &part.block.kind {
            Kind::List(_, items) => {
                !part.used && items.iter().all(|item| imperative(&text_of_blocks(&item.blocks)))
            }
            _ => false,
        });
        // `Phase 1: Preparation` of a rollback runbook is preparation on the way back.
        let phase = phase(heading).is_some() && (steps || orders) && may_be_phase(topic);
        (steps || phase)
            && self.whole_is_back
            && self.says_it_is_back()
            && section.heads.len() > 1
            && (act && topic.is_none() || numbered && topic == Some(Topic::Verification) || phase)
            && section.is_way_back(self.whole_is_back)
    }

    pub(crate) fn trigger_sentence(&mut self, text: &str, place: &Place, option: Option<&str>) {
        if let Some(stands) = self.without_forbidden(text, place) {
            if !stands.is_empty() {
                self.trigger_sentence(&stands, place, option);
            }
            return;
        }
        // Of several lines, the one that says when counts; the others explain it.
        let lines: Vec<&str> =
            text.lines().map(|line| line.trim().trim_start_matches("- ")).collect();
        let telling = lines.iter().find(|line| {
            line.split_once(": ").is_some_and(|(before, _)| goes_back(&plain(before)))
        });
        if let (Some(telling), true) = (telling, lines.len() > 1) {
            let rest: Vec<&str> = lines.iter().copied().filter(|line| line != telling).collect();
            self.note(place, "", &rest.join("\n"));
            self.trigger_sentence(telling, place, option);
            return;
        }
        let bare = text.trim();
        // `Roll back if …` states the trigger behind its `if`.
        if let Some(conditions) = back_if(bare) {
            for condition in conditions {
                self.trigger_sentence(&condition, place, option);
            }
            return;
        }
        // `What should prompt a rollback: …` states the trigger behind the colon.
        let said = match bare.split_once(": ") {
            Some((before, rest))
                if goes_back(&plain(before)) || plain(before).starts_with("trigger") =>
            {
                rest
            }
            _ => bare,
        };
        if let Some(id) = self.trigger(said, None, None, place)
            && let Some(option) = option
        {
            self.option_triggers.entry(option.to_owned()).or_default().push(id);
        }
    }

    /// What is left of a text without what says when not to go back, which is noted;
    /// nothing if it says nothing of the kind.
    fn without_forbidden(&mut self, text: &str, place: &Place) -> Option<String> {
        let (lines, mut forbidden) = split_forbidden(text);
        let (stands, sentences) = split_sentences(&lines.join("\n"));
        forbidden.extend((!sentences.is_empty()).then_some(sentences.as_str()));
        if forbidden.is_empty() {
            return None;
        }
        self.note(place, "", &forbidden.join("\n"));
        Some(stands)
    }

    fn code(
        &mut self,
        text: &str,
        place: &Place,
        (first, several): (usize, bool),
        before: &Option<usize>,
        group: &Option<String>,
    ) -> bool {
        // A block of code right after a list belongs to the last step of it.
        let last = self.drafts.len().checked_sub(1);
        let target = last
            .filter(|index| *index >= first || *before == Some(*index))
            .filter(|index| self.drafts[*index].group == *group);
        match target {
            Some(index) => {
                self.drafts[index].add_how(text, place);
                if several {
                    self.drafts[index].guess.get_or_insert(
                        "commands behind several steps were taken for the last one's; they may be for all of them",
                    );
                }
                true
            }
            // Comments alone are nothing to carry out.
            None if !text.lines().any(tells) => false,
            None => {
                let mut draft = Draft::new(
                    &title_of(text.trim_start_matches(['$', '#', ' '])),
                    place,
                    group.clone(),
                );
                draft.add_how(text, place);
                draft.guess = Some("commands under a heading about going back");
                self.drafts.push(draft);
                true
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what a paragraph means depends on all that surrounds it"
    )]
    fn paragraph(
        &mut self,
        topic: Option<Topic>,
        heading: &str,
        text: &str,
        block: &Block,
        first: usize,
        (list_ahead, listed, no_way): (bool, bool, bool),
        group: &Option<String>,
        option: Option<&str>,
    ) -> bool {
        let place = &block.place;
        let about =
            matches!(topic, None | Some(Topic::Triggers | Topic::Procedure | Topic::Decision));
        let stands = about.then(|| self.without_forbidden(text, place)).flatten();
        if stands.as_deref() == Some("") {
            return true;
        }
        let text = stands.as_deref().unwrap_or(text);
        if let Kind::Paragraph(inlines) = &block.kind
            && stands.is_none()
        {
            let pairs = labels(inlines);
            let known: Vec<bool> = match topic {
                Some(Topic::Procedure) => Vec::new(),
                _ => pairs.iter().map(|(name, value)| self.field(name, value, place)).collect(),
            };
            if known.contains(&true) {
                for ((name, value), known) in pairs.iter().zip(known) {
                    if !known {
                        self.note(place, heading, &format!("{name}: {value}"));
                    }
                }
                return true;
            }
        }
        // Lines of `Name: value`.
        let lines: Vec<&str> = text.lines().collect();
        let pairs = lines.iter().filter_map(|line| pair(line)).count();
        // Right below the title stands what the document is about.
        let top = self.document().blocks.iter().find_map(|block| match &block.kind {
            Kind::Heading(_, text) => Some(text_of(text)),
            _ => None,
        });
        let below_title = top.is_some_and(|top| top == heading);
        if pairs == lines.len() && (below_title || topic != Some(Topic::Procedure)) {
            let mut rest = Vec::new();
            let mut known = 0;
            for (index, line) in lines.iter().enumerate() {
                let at = if &*place.unit == "line" { place.plus(index) } else { place.clone() };
                match pair(line) {
                    Some((name, value)) if self.field(&name, &value, &at) => known += 1,
                    _ => rest.push((at, (*line).to_owned())),
                }
            }
            if known > 0 {
                for (at, line) in rest {
                    self.note(&at, heading, &line);
                }
                return true;
            }
        }
        if topic == Some(Topic::Procedure)
            && let Some(takes) = estimate_line(text)
        {
            self.read_as(place, text, "how long it takes");
            self.phase(heading, first, takes, place);
            return true;
        }
        match topic {
            Some(Topic::Overview | Topic::Header)
                if self.plan.change.description.is_none() && !self.about_the_plan(text) =>
            {
                self.plan.change.description = Some(text.to_owned());
                self.report.found("change.description", place);
                true
            }
            Some(Topic::Impact) if self.plan.change.impact.is_none() => {
                self.plan.change.impact = Some(text.to_owned());
                self.report.found("change.impact", place);
                true
            }
            Some(Topic::Risks)
                if self.plan.change.impact.is_none() && has(&plain(heading), &["impact"]) =>
            {
                self.plan.change.impact = Some(text.to_owned());
                self.report.found("change.impact", place);
                true
            }
            Some(Topic::Security) if self.plan.change.security.is_none() => {
                self.plan.change.security = Some(text.to_owned());
                self.report.found("change.security", place);
                true
            }
            Some(Topic::Success) if !list_ahead => {
                self.plan.change.success_when.0.push(text.to_owned());
                self.report.found("change.success_when", place);
                true
            }
            Some(Topic::Triggers) if !text.trim_end().ends_with(':') && !nothing(text) => {
                if values::condition(text).is_none() && text.split(' ').count() > 40 {
                    return false;
                }
                self.trigger_sentence(text, place, option);
                true
            }
            Some(Topic::Contingency)
                if !nothing(text)
                    && self
                        .plan
                        .alternatives
                        .as_ref()
                        .is_none_or(|known| known.if_backout_fails.is_none()) =>
            {
                self.alternatives().if_backout_fails = Some(text.to_owned());
                self.report.found("alternatives.if_backout_fails", place);
                true
            }
            Some(Topic::Decision) => self.authority(text, place),
            Some(Topic::Verification) if !self.drafts.is_empty() && !list_ahead => {
                self.verify_last(text, place);
                true
            }
            Some(Topic::Procedure) => {
                let said = plain(text);
                if let Some(option) = option
                    && has(&said, &["when", "if", "use this", "trigger"])
                    && self.drafts.len() == first
                {
                    if values::condition(text).is_some() {
                        self.trigger_sentence(text, place, Some(option));
                    }
                    self.option_when.entry(option.to_owned()).or_insert_with(|| text.to_owned());
                    return true;
                }
                // `Step 1: Stop the portal` in bold, as people set headings by hand.
                if is_step(text)
                    && !no_way
                    && text.trim().lines().count() == 1
                    && let Some((number, title)) = numbered(text)
                    && !title.trim().is_empty()
                {
                    let mut draft =
                        Draft::new(&title_of(&before_brackets(&title)), place, group.clone());
                    draft.number = number;
                    draft.takes =
                        values::length_in_brackets(text).map(|takes| (takes, place.clone()));
                    if plain(&before_brackets(&title)) != plain(&draft.title) {
                        draft.add_how(&title, place);
                    }
                    self.drafts.push(draft);
                    return true;
                }
                if self.labelled_paragraph(text, place, group, option) {
                    return true;
                }
                // `Carry out the following steps:` only leads to them.
                let leads = has(&said, &["following", "below", "steps", "as follows"]);
                if text.trim_end().ends_with(':')
                    && list_ahead
                    && leads
                    && said.split(' ').count() <= 12
                {
                    self.read_as(place, text, "it leads to the steps below it");
                    return true;
                }
                if let Some(conditions) = back_if(text) {
                    for condition in conditions {
                        self.trigger_sentence(&condition, place, option);
                    }
                    return true;
                }
                if self.authority(text, place) {
                    return true;
                }
                if !listed && !no_way && imperative(text) && !heading.trim_end().ends_with('?') {
                    let mut draft = Draft::new(&title_of(text), place, group.clone());
                    if plain(text) != plain(&draft.title) {
                        draft.add_how(text, place);
                    }
                    draft.irreversible = no_return(text);
                    draft.guess = Some("running text under a heading about going back");
                    self.drafts.push(draft);
                    return true;
                }
                if self.drafts.len() > first {
                    let index = self.drafts.len() - 1;
                    if let Some(rest) = text
                        .strip_prefix("Verify:")
                        .or_else(|| text.strip_prefix("Verification:"))
                        .or_else(|| text.strip_prefix("Expected:"))
                    {
                        self.drafts[index].verify.push((rest.trim().to_owned(), place.clone()));
                        return true;
                    }
                    if no_return(text).is_some() {
                        self.caution(index, text);
                        self.drafts[index].add_how(text, place);
                        return true;
                    }
                }
                false
            }
            _ => false,
        }
    }

    /// A sentence about backout plans in general says nothing about this change.
    pub(crate) fn about_the_plan(&self, text: &str) -> bool {
        let said = plain(text);
        has(
            &said,
            &[
                "a backout plan",
                "the backout plan",
                "this document",
                "this plan",
                "this template",
                "this page",
                "this section",
                "the purpose of this",
            ],
        ) || text.trim_end().ends_with(':')
    }

    fn notice(&mut self, topic: Option<Topic>, text: &str, place: &Place, first: usize) -> bool {
        if topic == Some(Topic::Procedure) && no_return(text).is_some() && self.drafts.len() > first
        {
            let index = self.drafts.len() - 1;
            self.caution(index, text);
            self.drafts[index].add_how(text, place);
            return true;
        }
        false
    }

    pub(crate) fn verify_last(&mut self, text: &str, place: &Place) {
        let text = text.trim();
        if let Some(last) = self.drafts.last_mut()
            && !text.is_empty()
        {
            last.verify.push((text.to_owned(), place.clone()));
            last.of_the_whole.get_or_insert_with(|| place.clone());
        }
    }

    /// `The release manager has the authority to …`: who may start the way back.
    fn authority(&mut self, text: &str, place: &Place) -> bool {
        let lower = text.to_lowercase();
        let verbs = [
            " has the authority",
            " have the authority",
            " has authority",
            " may authorize",
            " may authorise",
            " decides",
            " is authorized",
            " is authorised",
            " will decide",
            " makes the decision",
            " makes the final decision",
        ];
        let Some(at) = verbs.iter().find_map(|verb| lower.find(verb)) else { return false };
        let Some(who) = text.get(..at) else { return false };
        let who = who.rsplit(['.', ',', '\n']).next().unwrap_or(who).trim();
        let who = who.strip_prefix("The ").or_else(|| who.strip_prefix("the ")).unwrap_or(who);
        let known = people::same(&plain(who), &self.plan).is_some();
        if who.is_empty() || who.split(' ').count() > 5 || !(known || people::is_title(who)) {
            return false;
        }
        let by: Vec<RoleId> =
            people::roles(who, "authority.invoke.by", place, &mut self.plan, &mut self.report);
        if by.is_empty() {
            return false;
        }
        self.report.guessed("authority.invoke", place, format!("\"{}\"", text.trim()));
        self.plan.authority.0.insert(Permission::Invoke, Grant { by: Many(by), quorum: 1 });
        // The sentence may say more than who.
        self.note(place, "", text);
        true
    }
}

/// Whether a sentence says that the list behind it leads back: `Follow these steps to
/// roll back to version 2.`
fn leads_to_steps_back(text: &str) -> bool {
    let said = plain(text);
    (goes_back(&said) || returns(&said))
        && !forbids_backout(text)
        && !no_way_back(text)
        && has(&said, &["following", "these steps", "steps below", "steps to", "as follows"])
        && said.split(' ').count() <= 25
        && text.trim().lines().count() == 1
}
