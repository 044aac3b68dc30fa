//! The way back itself: tables of steps, their details elsewhere, lists and
//! headings that are steps, and several ways beside each other.

use backout_core::duration::{Estimate, Span};
use backout_documents::tree::text_of_blocks;
use backout_documents::{Block, Item, Kind, Place, Style};

use crate::columns::Column as C;
use crate::data::inert;
use crate::draft::Draft;
use crate::fields::longest;
use crate::headings::{bare, details_of, is_order};
use crate::lists::ALONE;
use crate::outline::Section;
use crate::people;
use crate::reading::{Phase, Reading};
use crate::sentences::{imperative, is_act};
use crate::set_aside::{acts_back, denies_all};
use crate::step_text::{
    alike, before_brackets, numbered, option_name, title_of, trailing_brackets, trailing_dash,
    trailing_length,
};
use crate::tables::Grid;
use crate::topics::Topic;
use crate::values;
use crate::words::{goes_back, has, is_step, leads, plain, slug, struck, without_number};

impl Reading<'_> {
    pub(crate) fn step_table(&mut self, grid: &Grid<'_>, group: Option<String>) -> bool {
        let stated = values::unit_of(grid.name(C::Duration));
        let unit = stated.or(Some("m")).filter(|_| grid.has(C::Duration));
        let first = self.drafts.len();
        let mut forward = false;
        // A row that says that there is no way back says it of the rows around it.
        let titles =
            || grid.lines().filter_map(|line| line.first(&[C::Action, C::Command, C::Requirement]));
        if denies_all(titles()) {
            grid.lines().for_each(|line| self.note(&line.place(), "", &line.text()));
            return true;
        }
        let directed =
            grid.lines().any(|line| line.direction().is_some_and(|way| goes_back(&plain(&way))));
        for line in grid.lines() {
            let place = line.place();
            let said = line.first(&[C::Duration, C::Expected]);
            // Without a unit, figures are minutes; a quarter of one is something else.
            let bare = stated.is_none()
                && said.as_ref().is_some_and(|text| values::length(text, None).is_none());
            let takes = said.and_then(|text| values::length(&text, unit));
            let takes = takes.filter(|takes| !bare || takes.likely() >= Span::minutes(1));
            let two_readings = line
                .get(C::Duration)
                .is_some_and(|text| values::may_be_clock(&text, grid.name(C::Duration)));
            let takes = takes.filter(|_| !two_readings);
            if line.is_total() {
                // A part of the sum says nothing about the whole.
                if plain(&line.text()).starts_with("sub") {
                    self.note(&place, "", &line.text());
                } else if let Some(total) = takes.or_else(|| values::length(&line.text(), None)) {
                    self.when.total = Some((longest(total), place));
                }
                continue;
            }
            // A row of one text is a band: what follows leads forward, or back. A
            // column may say the same of each row; where it is silent, the row
            // above speaks.
            let band = line.only_text();
            let said = band.clone().or_else(|| line.direction().filter(|_| directed));
            if let Some(way) = said.as_deref().and_then(|said| leads(&plain(said))) {
                forward = !way;
            }
            if forward || band.is_some() {
                self.note(&place, "", &band.unwrap_or_else(|| line.text()));
                continue;
            }
            let Some(title) = line.first(&[C::Action, C::Command, C::Requirement]) else {
                self.note(&place, "", &line.text());
                continue;
            };
            // Without columns for them, who and how long may stand behind the step.
            let apart = takes.is_some()
                || title.lines().count() > 1
                || line.first(&[C::Owner, C::Role, C::Duration]).is_some();
            let (title, who, length) = match apart {
                true => (title, None, None),
                false => self.who_and_how_long(&title, None),
            };
            let takes = takes.or(length);
            let mut draft =
                Draft::new(title.lines().next().unwrap_or(&title), &place, group.clone());
            draft.in_table = true;
            draft.number =
                line.get(C::Number).and_then(|text| text.trim().trim_end_matches('.').parse().ok());
            if title.lines().count() > 1 {
                draft.add_how(&title, &place);
            }
            if let Some(owner) = line.first(&[C::Owner, C::Role]).or(who) {
                let field = format!("steps[{}].owner", slug(&draft.title));
                draft.owner = self.role(&owner, &field, &place).map(|role| (role, place.clone()));
                // The field is named for good when the step is.
                self.forget_found(&field);
            }
            draft.takes = takes.map(|takes| (takes, place.clone()));
            draft.takes_guess = bare.then_some("the document gives a figure without a unit");
            if takes.is_none()
                && let Some(text) = line.get(C::Duration)
            {
                self.note(&place, "", &format!("{}: duration \"{text}\"", draft.title));
            }
            if let Some(verify) = line.get(C::Verify) {
                draft
                    .verify
                    .extend(verify.lines().map(|text| (text.trim().to_owned(), place.clone())));
            }
            if let Some(command) = line.get(C::Command).filter(|command| *command != title) {
                draft.add_how(&command, &place);
            }
            draft.after = line.get(C::After);
            draft.component = line.get(C::Component);
            if let Some(text) =
                line.get(C::Duration).filter(|text| takes.is_some() && values::says_more(text))
            {
                self.note(&place, "", &format!("{}: {text}", draft.title));
            }
            let read = [
                C::Number,
                C::Action,
                C::Owner,
                C::Role,
                C::Duration,
                C::Verify,
                C::Command,
                C::After,
                C::Component,
            ];
            let read = if line.get(C::Action).is_some() {
                &read[..]
            } else {
                &[C::Number, C::Command, C::Requirement, C::Owner, C::Duration, C::Verify][..]
            };
            let rest = grid.rest(&line, read);
            if !rest.is_empty() {
                self.note(&place, "", &format!("{}: {}", draft.title, rest.join("; ")));
            }
            self.drafts.push(draft);
        }
        self.in_order_of_numbers(first);
        true
    }

    /// Rows whose numbers are all there and all different follow their numbers.
    fn in_order_of_numbers(&mut self, first: usize) {
        let drafts = &mut self.drafts[first..];
        let mut numbers: Vec<u32> = drafts.iter().filter_map(|draft| draft.number).collect();
        let sorted = numbers.windows(2).all(|pair| pair[0] <= pair[1]);
        numbers.sort_unstable();
        numbers.dedup();
        if sorted || numbers.len() != drafts.len() {
            return;
        }
        drafts.sort_by_key(|draft| draft.number);
        for draft in drafts {
            draft.guess.get_or_insert(
                "the rows stand in another order than their numbers, which were followed",
            );
        }
    }

    /// A part whose heading is a step of its own: `Step 5: Restore Database`.
    /// Whether it was one.
    pub(crate) fn step_section(&mut self, section: &mut Section<'_>) -> bool {
        let heading = section.heading().to_owned();
        let way_back = section.is_way_back(self.whole_is_back);
        let Some(place) = section.place() else { return false };
        let empty = section.parts.is_empty();
        if !way_back || !empty && section.parts.iter().all(|part| part.used) {
            return false;
        }
        if let Some(number) = details_of(&heading) {
            return self.details_section(section, number);
        }
        if empty && section.is_leaf && self.heading_alone(section, &place) {
            return true;
        }
        if self.has_no_way(section) && !acts_back(&heading) {
            return false;
        }
        let above = section.heads.len().checked_sub(2).and_then(|index| section.heads[index].topic);
        let in_procedure = section.heads.iter().rev().skip(1).find_map(|head| head.topic)
            == Some(Topic::Procedure)
            || above == Some(Topic::Procedure);
        let numbered = numbered(&heading);
        // `Restore the database` over a sentence that explains it.
        let explained = !empty
            && section.is_leaf
            && is_order(&heading)
            && section.parts.iter().all(|part| {
                !part.used
                    && matches!(
                        part.block.kind,
                        Kind::Paragraph(_) | Kind::Code(..) | Kind::Notice(..)
                    )
                    && !part.block.text().trim_end().ends_with(':')
            });
        let named = in_procedure
            && section
                .own_topic()
                .is_none_or(|topic| matches!(topic, Topic::Verification | Topic::Procedure))
            && option_name(&heading).is_none()
            && (section.parts.iter().any(|part| match &part.block.kind {
                Kind::Code(language, text) => inert(language.as_deref(), text).is_none(),
                _ => false,
            }) || explained)
            && !section
                .parts
                .iter()
                .any(|part| matches!(&part.block.kind, Kind::List(true, _) | Kind::Table(_)));
        let Some((number, title)) = numbered
            .filter(|_| in_procedure || is_step(&heading))
            .filter(|_| is_step(&heading) || is_order(&heading) || !self.only_title_leads(section))
            .or_else(|| named.then(|| (None, without_number(&heading).to_owned())))
        else {
            return false;
        };
        // A numbered heading over a list of steps is a chapter, not a step.
        let chapter = !is_step(&heading)
            && section.parts.iter().any(|part| {
                matches!(&part.block.kind, Kind::List(true, items) if items.len() > 1 || self.only_title_leads(section))
                    || matches!(part.block.kind, Kind::Table(_))
            });
        if chapter
            || (!is_step(&heading)
                && section.own_topic().is_some_and(|t| {
                    t != Topic::Procedure && t != Topic::Verification && t != Topic::Backups
                }))
        {
            return false;
        }
        let group = self.group(section);
        let length = values::length_in_brackets(&heading);
        let title = before_brackets(&title);
        let said = plain(&title);
        // Where several ways back have steps of their own, each is the detail of its own way.
        let of_this_way = self.drafts.iter().any(|draft| draft.group == group);
        let known = self.drafts.iter().position(|draft| {
            if of_this_way && draft.group != group {
                return false;
            }
            let number = number.is_some() && draft.number == number;
            let same_way = draft.in_table && is_step(&heading);
            number && (same_way || alike(&draft.title, &title) || title.is_empty())
                || draft.said == said && !said.is_empty()
        });
        let index = known.unwrap_or_else(|| {
            let mut draft = Draft::new(&title, &place, group);
            draft.number = number;
            self.drafts.push(draft);
            self.drafts.len() - 1
        });
        if let Some(length) = length {
            self.drafts[index].takes.get_or_insert((length, place.clone()));
        }
        let left: Vec<&Block> =
            section.parts.iter().filter(|part| !part.used).map(|part| part.block).collect();
        self.details(index, &left);
        section.parts.iter_mut().for_each(|part| part.used = true);
        true
    }

    /// A heading with nothing below it that tells somebody to do something is a step.
    fn heading_alone(&mut self, section: &Section<'_>, place: &Place) -> bool {
        let heading = section.heading();
        let above = section.heads.iter().rev().skip(1).find_map(|head| head.topic);
        // `Close the change`, `Notify the users`: an order counts for more than its nouns.
        let fits = !matches!(
            section.own_topic(),
            Some(
                Topic::Triggers
                    | Topic::Forward
                    | Topic::FixForward
                    | Topic::Contingency
                    | Topic::Cannot
                    | Topic::Prevention
                    | Topic::Annex
            )
        );
        let (title, takes) = match trailing_length(heading) {
            Some((title, takes)) => (title.to_owned(), Some(takes)),
            None => (before_brackets(heading), values::length_in_brackets(heading)),
        };
        // Beside phases that say how long they take it is one of them.
        let phased = takes.is_some() && !self.phases.is_empty();
        if section.heads.len() < 2
            || !(above == Some(Topic::Procedure) || above.is_none() && self.says_it_is_back())
            || !fits
            || !is_order(&title)
            || phased
            || is_step(heading)
            || self.has_no_way(section) && !acts_back(heading)
        {
            return false;
        }
        let mut draft = Draft::new(&title_of(bare(&title)), place, self.group(section));
        draft.number = numbered(heading).and_then(|(number, _)| number);
        draft.takes = takes.map(|takes| (takes, place.clone()));
        draft.guess = Some(ALONE);
        self.drafts.push(draft);
        true
    }

    /// A part that explains a step of the list or table above it.
    fn details_section(&mut self, section: &mut Section<'_>, number: u32) -> bool {
        let group = self.group(section);
        let of_this_way: Vec<usize> =
            (0..self.drafts.len()).filter(|index| self.drafts[*index].group == group).collect();
        let stated = of_this_way.iter().find(|index| self.drafts[**index].number == Some(number));
        let counted =
            usize::try_from(number).ok().and_then(|at| of_this_way.get(at.checked_sub(1)?));
        let Some(index) = stated.or(counted).copied() else { return false };
        let left: Vec<&Block> =
            section.parts.iter().filter(|part| !part.used).map(|part| part.block).collect();
        self.details(index, &left);
        section.parts.iter_mut().for_each(|part| part.used = true);
        true
    }

    /// Whether nothing but the document's title says that a part is a way back.
    fn only_title_leads(&self, section: &Section<'_>) -> bool {
        self.title_is_procedure
            && section.heads.iter().skip(1).rev().skip(1).all(|head| head.topic.is_none())
    }

    pub(crate) fn forget_found(&mut self, field: &str) {
        self.report.found.retain(|found| found.field != field);
    }

    /// Items of a list as steps of their own.
    pub(crate) fn step_list(&mut self, items: &[Item], group: Option<String>) {
        for item in items {
            let first = item.blocks.first();
            let text = first.map(Block::text).unwrap_or_default();
            let text = self.without_estimate(&text, &item.place);
            // What is struck out is no step any more.
            if struck(&text) {
                self.note(&item.place, "", &text_of_blocks(&item.blocks));
                continue;
            }
            if text.trim().is_empty() && item.blocks.len() < 2 {
                continue;
            }
            let strong = first.and_then(|block| match &block.kind {
                Kind::Paragraph(inlines)
                    if inlines.len() > 1 && inlines[0].style == Style::Strong =>
                {
                    Some(inlines[0].text.clone())
                }
                _ => None,
            });
            let mut rest = text.trim().to_owned();
            let mut owner = None;
            // `**DBA:** restore the database`, and `DBA: restore the database` where the role is known.
            if let Some((who, what)) = rest.split_once(':')
                && who.split(' ').count() <= 4
                && !what.trim().is_empty()
                && (strong.as_deref().is_some_and(|strong| plain(strong) == plain(who))
                    && people::is_title(who)
                    || people::same(&plain(who), &self.plan).is_some())
                && !has(
                    &plain(who),
                    &["note", "warning", "caution", "step", "command", "optional", "verify"],
                )
            {
                owner = Some(who.to_owned());
                rest = what.trim().to_owned();
            }
            let mut draft = Draft::new("", &item.place, group.clone());
            let (said, who, takes) = self.who_and_how_long(&rest, owner);
            owner = who;
            draft.takes = takes.map(|takes| (takes, item.place.clone()));
            draft.title = title_of(&said);
            draft.said = plain(&draft.title);
            if plain(&said) != plain(&draft.title) {
                draft.add_how(&said, &item.place);
            }
            self.drafts.push(draft);
            let index = self.drafts.len() - 1;
            if let Some(owner) = owner {
                let role = self.role(&owner, "steps.owner", &item.place);
                self.forget_found("steps.owner");
                self.drafts[index].owner = role.map(|role| (role, item.place.clone()));
            }
            self.caution(index, &said);
            let below: Vec<&Block> = item.blocks.iter().skip(1).collect();
            self.details(index, &below);
        }
    }

    /// A text without who and how long at its end, and those. What stands in brackets is
    /// that only if it is nothing else.
    fn who_and_how_long(
        &self,
        text: &str,
        owner: Option<String>,
    ) -> (String, Option<String>, Option<Estimate>) {
        let mut rest = text.to_owned();
        let (mut brackets, mut behind) = (Vec::new(), Vec::new());
        loop {
            let (body, inside) = trailing_brackets(&rest);
            let (body, tails) =
                if inside.is_empty() { self.without_dashes(rest) } else { (body, Vec::new()) };
            let done = inside.is_empty() && tails.is_empty();
            rest = body;
            if done {
                break;
            }
            behind.extend(tails.iter().cloned());
            brackets.extend(inside.into_iter().chain(tails));
        }
        let mut all_told = !brackets.is_empty();
        let (mut who, mut takes) = (owner.clone(), None);
        for piece in brackets.iter().flat_map(|inside| inside.split([',', ';', '/', '\u{b7}'])) {
            let piece = piece.trim();
            let bare = piece
                .strip_prefix("Owner:")
                .or_else(|| piece.strip_prefix("owner:"))
                .unwrap_or(piece)
                .trim();
            let named = bare.len() < piece.len()
                || people::same(&plain(bare), &self.plan).is_some()
                || people::is_title(bare)
                || people::is_person(bare) && behind.iter().any(|tail| tail == bare);
            match values::length(piece, None).filter(|_| !values::says_more(piece)) {
                Some(length) if takes.is_none() => takes = Some(length),
                None if who.is_none() && named && bare.split(' ').count() <= 4 => {
                    who = Some(bare.to_owned());
                }
                _ => all_told = false,
            }
        }
        if all_told { (rest, who, takes) } else { (text.to_owned(), owner, None) }
    }

    /// `Restore the snapshot (15 min) - DBA Team`: the text without who and how long
    /// behind its dashes, and those.
    fn without_dashes(&self, text: String) -> (String, Vec<String>) {
        let mut rest = text;
        let mut found = Vec::new();
        while let Some((before, behind)) = trailing_dash(&rest) {
            let length = values::length(behind, None).is_some() && !values::says_more(behind);
            let named = people::is_title(behind) && !imperative(behind)
                || people::same(&plain(behind), &self.plan).is_some()
                || people::is_person(behind);
            if !(length || named) || before.is_empty() || behind.ends_with([')', ']']) {
                break;
            }
            found.push(behind.to_owned());
            rest = before.to_owned();
        }
        (rest, found)
    }

    /// The text without lines that say how long the whole takes.
    fn without_estimate(&mut self, text: &str, place: &Place) -> String {
        let mut kept = Vec::new();
        for (index, line) in text.lines().enumerate() {
            match crate::sentences::estimate_line(line).filter(|_| index > 0) {
                Some(total) => self.when.total = Some((longest(total), place.clone())),
                None => kept.push(line),
            }
        }
        kept.join("\n")
    }

    /// The way back a part belongs to: the nearest heading that names an option, or
    /// the topmost one that is about going back.
    pub(crate) fn group(&self, section: &Section<'_>) -> Option<String> {
        let named = section.heads.iter().rev().find(|head| option_name(&head.text).is_some());
        let below_title =
            section.heads.iter().filter(|head| head.level > 1 || head.topic.is_some());
        let top = below_title
            .into_iter()
            .find(|head| goes_back(&plain(&head.text)) && !is_act(&head.text));
        named.or(top).map(|head| head.text.clone())
    }

    pub(crate) fn phase(&mut self, title: &str, first: usize, takes: Estimate, place: &Place) {
        self.phases.push(Phase {
            title: title.to_owned(),
            first,
            takes: longest(takes),
            place: place.clone(),
        });
    }
}
