//! The way back itself: tables of steps, their details elsewhere, lists and
//! headings that are steps, and several ways beside each other.

use std::collections::BTreeMap;

use backout_core::duration::Estimate;
use backout_core::ids::{OptionId, RoleId, StepId};
use backout_core::plan::{Action, Check, Many, OnFailure, Step, Verification, WayBack};
use backout_documents::tree::{text_of, text_of_blocks};
use backout_documents::{Block, Item, Kind, Place, Style};

use crate::fields::longest;
use crate::outline::Section;
use crate::reading::{Phase, Reading};
use crate::tables::Grid;
use crate::values;
use crate::words::{Column as C, Topic, goes_back, has, plain, slug, unique, without_number};

/// A step before it has its name.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) number: Option<u32>,
    pub(crate) title: String,
    pub(crate) place: Place,
    pub(crate) owner: Option<(RoleId, Place)>,
    pub(crate) takes: Option<(Estimate, Place)>,
    pub(crate) verify: Vec<(String, Place)>,
    /// What to do, in pieces: an instruction beyond the title, commands.
    pub(crate) how: Vec<String>,
    pub(crate) how_place: Option<Place>,
    pub(crate) after: Option<String>,
    pub(crate) irreversible: Option<String>,
    pub(crate) component: Option<String>,
    /// The way back it belongs to, where there are several.
    pub(crate) group: Option<String>,
    pub(crate) guess: Option<&'static str>,
    /// Checks of the whole that stand here because it is the last step.
    pub(crate) of_the_whole: Option<Place>,
    /// Whether it stands in a table, so that its number is its own.
    pub(crate) in_table: bool,
}

impl Draft {
    pub(crate) fn new(title: &str, place: &Place, group: Option<String>) -> Self {
        Self {
            number: None,
            title: title.trim().to_owned(),
            place: place.clone(),
            owner: None,
            takes: None,
            verify: Vec::new(),
            how: Vec::new(),
            how_place: None,
            after: None,
            irreversible: None,
            component: None,
            group,
            guess: None,
            of_the_whole: None,
            in_table: false,
        }
    }

    pub(crate) fn add_how(&mut self, text: &str, place: &Place) {
        // A hard space in a command is a space that a word processor made.
        let text = text.replace(['\u{a0}', '\u{202f}'], " ");
        let text = text.trim_matches('\n').trim_end();
        if !text.trim().is_empty() {
            self.how.push(text.to_owned());
            self.how_place.get_or_insert_with(|| place.clone());
        }
    }
}

impl Reading<'_> {
    pub(crate) fn step_table(&mut self, grid: &Grid<'_>, group: Option<String>) -> bool {
        let unit = values::unit_of(grid.name(C::Duration)).or(Some("m"));
        let unit = unit.filter(|_| grid.has(C::Duration));
        for line in grid.lines() {
            let place = line.place();
            let takes = line
                .first(&[C::Duration, C::Expected])
                .and_then(|text| values::length(&text, unit));
            if line.is_total() {
                if let Some(total) = takes.or_else(|| values::length(&line.text(), None)) {
                    self.when.total = Some((longest(total), place));
                }
                continue;
            }
            let Some(title) = line.first(&[C::Action, C::Command, C::Requirement]) else {
                self.note(&place, "", &line.text());
                continue;
            };
            let mut draft =
                Draft::new(title.lines().next().unwrap_or(&title), &place, group.clone());
            draft.in_table = true;
            draft.number =
                line.get(C::Number).and_then(|text| text.trim().trim_end_matches('.').parse().ok());
            if title.lines().count() > 1 {
                draft.add_how(&title, &place);
            }
            if let Some(owner) = line.first(&[C::Owner, C::Role]) {
                let field = format!("steps[{}].owner", slug(&draft.title));
                draft.owner = self.role(&owner, &field, &place).map(|role| (role, place.clone()));
                // The field is named for good when the step is.
                self.forget_found(&field);
            }
            draft.takes = takes.map(|takes| (takes, place.clone()));
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
            if let Some(reason) = line.get(C::Reason) {
                self.note(&place, "", &format!("{}: {reason}", draft.title));
            }
            self.drafts.push(draft);
        }
        true
    }

    /// A part whose heading is a step of its own: `Step 5: Restore Database`.
    /// Whether it was one.
    pub(crate) fn step_section(&mut self, section: &mut Section<'_>) -> bool {
        let heading = section.heading().to_owned();
        let way_back = section.is_way_back(self.whole_is_back);
        let Some(place) = section.place() else { return false };
        if !way_back || section.parts.iter().all(|part| part.used) {
            return false;
        }
        let above = section.heads.len().checked_sub(2).and_then(|index| section.heads[index].topic);
        let in_procedure = section.heads.iter().rev().skip(1).find_map(|head| head.topic)
            == Some(Topic::Procedure)
            || above == Some(Topic::Procedure);
        let numbered = numbered(&heading);
        let named = in_procedure
            && section
                .own_topic()
                .is_none_or(|topic| matches!(topic, Topic::Verification | Topic::Procedure))
            && option_name(&heading).is_none()
            && section.parts.iter().any(|part| matches!(part.block.kind, Kind::Code(..)))
            && !section
                .parts
                .iter()
                .any(|part| matches!(&part.block.kind, Kind::List(true, _) | Kind::Table(_)));
        let Some((number, title)) = numbered
            .filter(|_| in_procedure || is_step(&heading))
            .or_else(|| named.then(|| (None, heading.clone())))
        else {
            return false;
        };
        // A numbered heading over a list of steps is a chapter, not a step.
        let chapter = !is_step(&heading)
            && section.parts.iter().any(|part| {
                matches!(&part.block.kind, Kind::List(true, items) if items.len() > 1)
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
        let length = values::length(&heading, None);
        let title = before_brackets(&title);
        let known = self.drafts.iter().position(|draft| {
            let number = number.is_some() && draft.number == number;
            let same_way = draft.in_table && is_step(&heading);
            number && (same_way || alike(&draft.title, &title) || title.is_empty())
                || plain(&draft.title) == plain(&title) && !title.is_empty()
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
        for part in &mut section.parts {
            if !part.used {
                self.detail(index, part.block);
                part.used = true;
            }
        }
        true
    }

    /// Takes a block as the details of a step.
    fn detail(&mut self, index: usize, block: &Block) {
        match &block.kind {
            Kind::Code(_, text) if !self.labelled(index, text, &block.place) => {
                self.drafts[index].add_how(text, &block.place);
            }
            Kind::List(ordered, items) => {
                let mut rest = Vec::new();
                for (at, item) in items.iter().enumerate() {
                    let text = text_of_blocks(&item.blocks);
                    if !self.labelled(index, &text, &item.place) {
                        let mark = if *ordered { format!("{}. ", at + 1) } else { "- ".to_owned() };
                        rest.push(format!("{mark}{}", text.replace('\n', "\n   ")));
                    }
                }
                self.drafts[index].add_how(&rest.join("\n"), &block.place);
            }
            Kind::Paragraph(inlines) => {
                let text = text_of(inlines);
                if !self.labelled(index, &text, &block.place) {
                    self.caution(index, &text);
                    self.drafts[index].add_how(&text, &block.place);
                }
            }
            Kind::Notice(_, inside) => {
                let text = text_of_blocks(inside);
                self.caution(index, &text);
                self.drafts[index].add_how(&text, &block.place);
            }
            Kind::Table(table) => {
                let grid = Grid::new(table);
                let mut rest = Vec::new();
                for (name, value, place) in grid.fields() {
                    if !self.labelled(index, &format!("{name}: {value}"), &place) {
                        rest.push(format!("{name}: {value}"));
                    }
                }
                self.drafts[index].add_how(&rest.join("\n"), &block.place);
            }
            _ => {}
        }
    }

    /// A sentence that says that there is no way on from here.
    pub(crate) fn caution(&mut self, index: usize, text: &str) {
        if let Some(sentence) = no_return(text) {
            let draft = &mut self.drafts[index];
            draft.irreversible.get_or_insert(sentence);
        }
    }

    /// Text whose lines have labels: `Owner:`, `Commands:`, `Verification:`. Whether it had.
    fn labelled(&mut self, index: usize, text: &str, place: &Place) -> bool {
        const LABELS: [(&str, char); 28] = [
            ("action", 'a'),
            ("task", 'a'),
            ("description", 'a'),
            ("owner", 'o'),
            ("responsible", 'o'),
            ("performed by", 'o'),
            ("who", 'o'),
            ("role", 'o'),
            ("commands/actions", 'c'),
            ("commands", 'c'),
            ("command", 'c'),
            ("instructions", 'c'),
            ("instruction", 'c'),
            ("steps", 'c'),
            ("procedure", 'c'),
            ("how", 'c'),
            ("verification", 'v'),
            ("verify", 'v'),
            ("validation", 'v'),
            ("expected result", 'v'),
            ("expected", 'v'),
            ("success", 'v'),
            ("duration", 'd'),
            ("time", 'd'),
            ("estimated time", 'd'),
            ("takes", 'd'),
            ("estimated duration", 'd'),
            ("component", 'k'),
        ];
        let label = |line: &str| -> Option<(char, String)> {
            // A label begins its line; a `- Expected:` inside a list is its item.
            let (name, rest) = line.split_once(':')?;
            let name = name.trim().trim_matches('*').to_lowercase();
            let (_, kind) = LABELS.iter().find(|(label, _)| *label == name)?;
            Some((*kind, rest.trim().trim_start_matches('*').trim().to_owned()))
        };
        if !text.lines().any(|line| label(line).is_some()) {
            return false;
        }
        let mut kind = 'c';
        let mut gathered: BTreeMap<char, Vec<String>> = BTreeMap::new();
        let mut labels = 0;
        for line in text.lines() {
            match label(line) {
                Some((found, rest)) => {
                    labels += 1;
                    kind = found;
                    if !rest.is_empty() {
                        gathered.entry(kind).or_default().push(rest);
                    }
                }
                None => gathered.entry(kind).or_default().push(line.to_owned()),
            }
        }
        let joined =
            |lines: Option<&Vec<String>>| lines.map(|lines| lines.join("\n")).unwrap_or_default();
        let draft = &mut self.drafts[index];
        let action = joined(gathered.get(&'a'));
        if !action.trim().is_empty() && !alike(&action, &draft.title) {
            draft.add_how(&action, place);
        }
        draft.add_how(&joined(gathered.get(&'c')), place);
        let owner = joined(gathered.get(&'o'));
        if let Some(component) = gathered.get(&'k') {
            draft.component = Some(component.join(" "));
        }
        if draft.takes.is_none()
            && let Some(length) = values::length(&joined(gathered.get(&'d')), Some("m"))
        {
            draft.takes = Some((length, place.clone()));
        }
        let line_of = |text: &str| text.lines().count();
        let mut at = place.clone();
        if let Some(lines) = gathered.get(&'v') {
            let above = text
                .lines()
                .position(|line| label(line).is_some_and(|(kind, _)| kind == 'v'))
                .unwrap_or(0);
            if &*place.unit == "line" && line_of(text) > 1 {
                at = place.plus(above + 1);
            }
            let found = checks(lines);
            self.drafts[index].verify.extend(found.into_iter().map(|text| (text, at.clone())));
        }
        if self.drafts[index].owner.is_none() && !owner.is_empty() {
            let role = self.role(&owner, "steps.owner", place);
            self.forget_found("steps.owner");
            self.drafts[index].owner = role.map(|role| (role, place.clone()));
        }
        labels > 0
    }

    fn forget_found(&mut self, field: &str) {
        self.report.found.retain(|found| found.field != field);
    }

    /// Items of a list as steps of their own.
    pub(crate) fn step_list(&mut self, items: &[Item], group: Option<String>) {
        for item in items {
            let first = item.blocks.first();
            let text = first.map(Block::text).unwrap_or_default();
            let text = self.without_estimate(&text, &item.place);
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
                    || crate::people::same(&plain(who), &self.plan).is_some())
                && !has(
                    &plain(who),
                    &["note", "warning", "caution", "step", "command", "optional", "verify"],
                )
            {
                owner = Some(who.to_owned());
                rest = what.trim().to_owned();
            }
            let mut draft = Draft::new("", &item.place, group.clone());
            let (body, brackets) = trailing_brackets(&rest);
            for inside in brackets {
                for piece in inside.split([',', ';', '/', '\u{b7}']) {
                    if let Some(length) = values::length(piece, None) {
                        draft.takes = Some((length, item.place.clone()));
                    } else if owner.is_none()
                        && !has(&plain(piece), &["if", "optional", "see", "e g", "i e"])
                    {
                        owner = Some(piece.trim().to_owned());
                    }
                }
                if draft.takes.is_none() && owner.is_none() {
                    rest = rest.clone();
                }
            }
            let said = if draft.takes.is_some() || owner.is_some() { body } else { rest };
            draft.title = title_of(&said);
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
            for block in item.blocks.iter().skip(1) {
                self.detail(index, block);
            }
        }
    }

    /// The text without lines that say how long the whole takes.
    fn without_estimate(&mut self, text: &str, place: &Place) -> String {
        let mut kept = Vec::new();
        for (index, line) in text.lines().enumerate() {
            match crate::prose::estimate_line(line).filter(|_| index > 0) {
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
        let top = below_title.into_iter().find(|head| goes_back(&plain(&head.text)));
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
            step.how = vec![step.how.join("\n")];
            step.takes = Some((Estimate::Point(phase.takes), phase.place.clone()));
            step.guess = Some("a phase is one step, because its time is stated only as a whole");
            drafts.push(step);
        }
        self.drafts = drafts;
    }

    /// Gives the steps their names and puts them into the plan.
    pub(crate) fn settle_steps(&mut self) {
        self.settle_phases();
        let drafts = std::mem::take(&mut self.drafts);
        let mut ids: Vec<StepId> = Vec::new();
        for draft in &drafts {
            let free = unique(&slug(&draft.title), "step", |id| {
                ids.iter().any(|known: &StepId| known.as_str() == id)
            });
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
                _ => self.report.found(field("takes"), place),
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
            if_in_doubt: None,
            access: Many(Vec::new()),
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
                WayBack { title, steps: Some(steps), default: false, when, by: None, total: None },
            );
        }
    }
}

fn confirm(text: &str) -> Verification {
    Verification { check: Check::Confirm(text.to_owned()), within: None, every: None }
}

fn with_end(text: String) -> String {
    if text.contains('\n') && !text.ends_with('\n') { text + "\n" } else { text }
}

/// What a step brings back, if its title says so.
fn restored(title: &str) -> Option<&str> {
    let lower = title.to_lowercase();
    ["restore ", "revert ", "rollback ", "roll back ", "downgrade ", "redeploy ", "back out "]
        .into_iter()
        .find(|verb| lower.starts_with(verb))
        .and_then(|verb| title.get(verb.len()..))
}

/// Checks as one text each; a command and what it should give belong together.
fn checks(lines: &[String]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in lines {
        let text = line.trim().trim_start_matches(['-', '*', '•']).trim();
        if text.is_empty() {
            continue;
        }
        let lower = text.to_lowercase();
        if lower.starts_with("expected")
            && found.last().is_some_and(|last| last.to_lowercase().starts_with("run:"))
        {
            if let Some(last) = found.last_mut() {
                let expected = text.split_once(':').map_or(text, |(_, rest)| rest.trim());
                *last = format!("{} Expected: {expected}", last.trim_end());
            }
        } else {
            found.push(text.to_owned());
        }
    }
    found
}

/// The steps that `1, 2` or a title names.
fn after(text: &str, drafts: &[Draft], ids: &[StepId]) -> Option<Vec<StepId>> {
    let said = plain(text);
    if matches!(said.as_str(), "none" | "nothing" | "start" | "start at once" | "at once") {
        return Some(Vec::new());
    }
    let mut found = Vec::new();
    for piece in text.split([',', ';', '\n']).flat_map(|piece| piece.split(" and ")) {
        let piece = piece.trim().trim_start_matches("Step ").trim_start_matches("step ").trim();
        if piece.is_empty() {
            continue;
        }
        let number: Option<u32> = piece.parse().ok();
        let at = drafts.iter().zip(ids).position(|(draft, id)| {
            id.as_str() == piece
                || (number.is_some() && draft.number == number)
                || plain(&draft.title) == plain(piece)
        })?;
        found.push(ids[at].clone());
    }
    Some(found)
}

/// `Step 5: Restore Database`, `5. Restore Database`: its number and name.
fn numbered(heading: &str) -> Option<(Option<u32>, String)> {
    let trimmed = heading.trim();
    let lower = trimmed.to_lowercase();
    let rest = ["step ", "task "]
        .iter()
        .find(|word| lower.starts_with(**word))
        .map_or(trimmed, |word| &trimmed[word.len()..]);
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let number: u32 = rest[..digits].parse().ok()?;
    let tail = &rest[digits..];
    // `5.2 Procedure` is a chapter of a long document.
    if tail.starts_with('.') && tail[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let title =
        tail.trim_start_matches(['.', ')', ':', '-', '\u{2013}', '\u{2014}', ' ']).to_owned();
    Some((Some(number), title))
}

fn is_step(heading: &str) -> bool {
    let lower = heading.trim().to_lowercase();
    (lower.starts_with("step ") || lower.starts_with("task "))
        && lower[5..].starts_with(|c: char| c.is_ascii_digit())
}

/// Whether a heading names one of several ways back, and what it calls it.
pub(crate) fn option_name(heading: &str) -> Option<String> {
    let bare = without_number(heading);
    let said = plain(bare);
    let mut words = said.split(' ');
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let counted = second.len() <= 2
        && (second.chars().all(|c| c.is_ascii_digit())
            || second.len() == 1 && second.chars().all(|c| c.is_ascii_alphabetic()))
        && !second.is_empty();
    let kind = [
        "option", "plan", "level", "tier", "rollback", "backout", "strategy", "method", "fallback",
        "scenario",
    ]
    .contains(&first);
    if kind && counted {
        let rest = bare
            .split_once([':', '\u{2013}', '\u{2014}'])
            .or_else(|| bare.split_once(" - "))
            .map(|(_, rest)| rest.trim().to_owned());
        return Some(rest.filter(|rest| !rest.is_empty()).unwrap_or_else(|| bare.to_owned()));
    }
    (first == "maintenance" && second == "page" || has(&said, &["worst case"]))
        .then(|| bare.to_owned())
}

/// Two names of one step: the telling words of the shorter stand in the longer.
fn alike(one: &str, other: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        plain(text)
            .split(' ')
            .filter(|word| !matches!(*word, "the" | "a" | "an" | "to" | "of" | ""))
            .map(str::to_owned)
            .collect()
    };
    let (one, other) = (words(one), words(other));
    let (few, many) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    let same = few.iter().filter(|word| many.contains(word)).count();
    !few.is_empty() && same * 2 >= few.len()
}

/// A title from a text: its first sentence, cut where it is long.
pub(crate) fn title_of(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default().trim();
    let end = line.find(". ").map_or(line.len(), |at| at);
    let sentence = line[..end].trim_end_matches(['.', ':', ';']).trim();
    if sentence.chars().count() <= 90 {
        return sentence.to_owned();
    }
    let mut title = String::new();
    for word in sentence.split(' ') {
        if title.chars().count() + word.chars().count() > 86 {
            break;
        }
        if !title.is_empty() {
            title.push(' ');
        }
        title.push_str(word);
    }
    if title.is_empty() { sentence.chars().take(86).collect() } else { title + " …" }
}

/// `Restore the database (DBA, 30 min)`: the text, and what stands in brackets at its end.
fn trailing_brackets(text: &str) -> (String, Vec<String>) {
    let mut rest = text.trim().trim_end_matches('.').to_owned();
    let mut found = Vec::new();
    while let Some(open) = rest.rfind(['(', '['])
        && (rest.ends_with(')') || rest.ends_with(']'))
    {
        found.push(rest[open + 1..rest.len() - 1].to_owned());
        rest.truncate(open);
        rest.truncate(rest.trim_end().len());
    }
    (rest, found)
}

fn before_brackets(title: &str) -> String {
    match trailing_brackets(title) {
        (rest, found) if found.iter().any(|text| values::length(text, None).is_some()) => rest,
        _ => title.trim().to_owned(),
    }
}

/// The sentence that says that something cannot be taken back.
pub(crate) fn no_return(text: &str) -> Option<String> {
    const SIGNS: [&str; 9] = [
        "no longer possible",
        "cannot be undone",
        "can not be undone",
        "irreversible",
        "point of no return",
        "last resort",
        "will result in data loss",
        "will lose data",
        "not reversible",
    ];
    let sentences = text.split_inclusive(['.', '!', '\n']);
    sentences
        .map(str::trim)
        .find(|sentence| {
            let lower = sentence.to_lowercase();
            SIGNS.iter().any(|sign| lower.contains(sign))
        })
        .map(str::to_owned)
}
