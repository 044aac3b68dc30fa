//! Paragraphs and lists, by what their heading is about.

use backout_core::ids::RoleId;
use backout_core::plan::{Grant, Many, Permission};
use backout_documents::tree::{text_of, text_of_blocks};
use backout_documents::{Block, Inline, Item, Kind, Place, Style};

use crate::outline::Section;
use crate::people;
use crate::reading::Reading;
use crate::steps::{Draft, no_return, option_name, title_of};
use crate::values;
use crate::words::{Topic, goes_back, has, plain, without_number};

impl Reading<'_> {
    /// Reads what is left of a part, by what it is about.
    pub(crate) fn section(&mut self, section: &mut Section<'_>, before: &mut Option<usize>) {
        let way_back = section.is_way_back(self.whole_is_back);
        let topic = match section.topic() {
            // What leads forward is not the way back, whatever it is called.
            Some(Topic::Procedure) if !way_back => Some(Topic::Forward),
            topic => topic,
        };
        let group = self.group(section);
        let heading = section.heading().to_owned();
        let first = self.drafts.len();
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
            && let (Some(takes), Some(place)) = (values::length(&heading, None), section.place())
            && section.parts.iter().any(|part| matches!(part.block.kind, Kind::List(..)))
        {
            self.phase(before_time(&heading), first, takes, &place);
        }
        for index in 0..section.parts.len() {
            let part = &section.parts[index];
            if part.used {
                continue;
            }
            let block = part.block;
            let list_ahead = section.parts[index + 1..]
                .iter()
                .any(|part| matches!(part.block.kind, Kind::List(..) | Kind::Code(..)));
            let used = match &block.kind {
                Kind::List(ordered, items) => {
                    self.list(&heading, topic, *ordered, items, &group, option.as_deref())
                }
                Kind::Code(language, text)
                    if in_procedure && language.as_deref() != Some("mermaid") =>
                {
                    self.code(text, &block.place, first, before, &group)
                }
                Kind::Paragraph(inlines) => {
                    let text = text_of(inlines);
                    self.paragraph(
                        topic,
                        &heading,
                        &text,
                        block,
                        first,
                        (list_ahead, listed),
                        &group,
                        option.as_deref(),
                    )
                }
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

    fn list(
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
        // Lists of `Name: value` say the same as a table would.
        let named = items.iter().filter(|item| pair(&text(item)).is_some()).count();
        if named * 2 > items.len() && matches!(topic, None | Some(Topic::Overview | Topic::Impact))
            || matches!(topic, Some(Topic::Header))
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
                if self.drafts.iter().all(|draft| draft.group != *group)
                    && items.iter().all(|item| imperative(&text(item))) =>
            {
                let from = self.drafts.len();
                self.step_list(items, group.clone());
                for draft in &mut self.drafts[from..] {
                    draft.guess = Some("a list without numbers under a heading about going back");
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

    /// Whether a name is that of a field that was already read here.
    fn is_field(&self, _: &str, place: &Place) -> bool {
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

    fn trigger_sentence(&mut self, text: &str, place: &Place, option: Option<&str>) {
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

    fn code(
        &mut self,
        text: &str,
        place: &Place,
        first: usize,
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
                true
            }
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
        (list_ahead, listed): (bool, bool),
        group: &Option<String>,
        option: Option<&str>,
    ) -> bool {
        let place = &block.place;
        if let Kind::Paragraph(inlines) = &block.kind {
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
        if pairs == lines.len() && !matches!(topic, Some(Topic::Procedure)) {
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
                // `Carry out the following steps:` only leads to them.
                let leads = has(&said, &["following", "below", "steps", "as follows"]);
                if text.trim_end().ends_with(':')
                    && list_ahead
                    && leads
                    && said.split(' ').count() <= 12
                {
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
                if !listed && imperative(text) && !heading.trim_end().ends_with('?') {
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
    fn about_the_plan(&self, text: &str) -> bool {
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

    fn verify_last(&mut self, text: &str, place: &Place) {
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

    /// `DBA: Mike Brown, +44 …` as a line of a list.
    fn contact_line(&mut self, text: &str, place: &Place) -> bool {
        let Some((title, rest)) = text.split_once(':').or_else(|| text.split_once(" - ")) else {
            return false;
        };
        let title = title.trim();
        if title.split(' ').count() > 5 || rest.trim().is_empty() {
            return false;
        }
        let known = people::same(&plain(title), &self.plan);
        let id = known.unwrap_or_else(|| people::add(title, &mut self.plan));
        let Some(role) = self.plan.roles.get_mut(&id) else { return false };
        let mut reach = role.reach.take().unwrap_or_default();
        for piece in
            rest.split([',', ';', '(', ')']).map(str::trim).filter(|piece| !piece.is_empty())
        {
            if !people::reach(piece, &mut reach) && role.name.is_none() {
                role.name = Some(piece.to_owned());
            }
        }
        role.reach = (reach != Default::default()).then_some(reach);
        self.report.found(format!("roles[{id}]"), place);
        true
    }

    /// A part about going back that holds nothing but prose is a way back in prose.
    pub(crate) fn last_resort(&mut self, section: &mut Section<'_>) {
        let way_back = section.is_way_back(self.whole_is_back);
        if !way_back
            || section.topic() != Some(Topic::Procedure)
            || !self.drafts.is_empty() && self.prose_from.is_none()
        {
            return;
        }
        let heading = section.heading().to_owned();
        let asked = heading.trim_end().ends_with('?');
        let first_word = plain(&heading);
        if asked && !["can ", "how "].iter().any(|word| first_word.starts_with(word)) {
            return;
        }
        // A document's own title is no procedure.
        if section.heads.len() < 2 && section.parts.len() > 3 && !self.is_field_of_ticket(section) {
            return;
        }
        let group = self.group(section);
        let listed = section.parts.iter().any(|part| matches!(part.block.kind, Kind::List(..)));
        for part in &mut section.parts {
            if part.used {
                continue;
            }
            match &part.block.kind {
                Kind::Paragraph(inlines) => {
                    let text = text_of(inlines);
                    if listed || !tells_what_to_do(&text) || self.about_the_plan(&text) {
                        continue;
                    }
                    for line in text.lines().filter(|line| !line.trim().is_empty()) {
                        let line = line.trim();
                        let line = line
                            .strip_prefix("Yes.")
                            .or_else(|| line.strip_prefix("Yes,"))
                            .unwrap_or(line);
                        let bare = line.trim().trim_start_matches(['-', '•', '*']).trim();
                        let mut draft = Draft::new(
                            &title_of(without_number(bare)),
                            &part.block.place,
                            group.clone(),
                        );
                        if plain(bare) != plain(&draft.title) {
                            draft.add_how(bare, &part.block.place);
                        }
                        draft.irreversible = no_return(bare);
                        draft.guess = Some("running text under a heading about going back");
                        self.drafts.push(draft);
                        self.prose_from = Some(heading.clone());
                    }
                    part.used = true;
                }
                Kind::List(_, items) if !asked => {
                    let from = self.drafts.len();
                    self.step_list(items, group.clone());
                    for draft in &mut self.drafts[from..] {
                        draft.guess = Some("a list under a heading about going back");
                    }
                    self.prose_from = Some(heading.clone());
                    part.used = true;
                }
                _ => {}
            }
        }
    }

    fn is_field_of_ticket(&self, section: &Section<'_>) -> bool {
        section.place().is_some_and(|place| place.unit.starts_with("field "))
    }

    /// Puts together what was gathered.
    pub(crate) fn settle(&mut self, name: &str) {
        self.settle_title(name);
        self.settle_steps();
        self.settle_release();
        self.settle_times();
    }

    fn settle_title(&mut self, name: &str) {
        let mut titles = std::mem::take(&mut self.titles);
        titles.sort_by_key(|(rank, ..)| *rank);
        let heading = self.document().blocks.iter().take(1).find_map(|block| match &block.kind {
            Kind::Heading(_, text) => Some((text_of(text), block.place.clone())),
            _ => None,
        });
        let says = |title: &str| plain(title).split(' ').any(|word| !is_kind(word));
        if let Some((rank, title, place)) = titles.into_iter().find(|(_, title, _)| says(title)) {
            self.plan.change.title = if rank > 1 { without_kind(&title) } else { title };
            match rank {
                0 | 1 => self.report.found("change.title", &place),
                _ => self.report.guessed(
                    "change.title",
                    &place,
                    "the best name the document has for the change",
                ),
            }
        } else if let Some((title, place)) = heading.filter(|(title, _)| says(title)) {
            let stripped = without_kind(&title);
            self.plan.change.title = stripped;
            self.report.guessed("change.title", &place, "the first heading");
        } else if let Some((title, place)) = self.first_line().filter(|(title, _)| says(title)) {
            self.plan.change.title = without_kind(&title);
            self.report.guessed("change.title", &place, "the first line");
        } else {
            let title = name.replace(['_', '-'], " ");
            let title = if title.trim().is_empty() {
                "Imported plan".to_owned()
            } else {
                title.trim().to_owned()
            };
            self.plan.change.title = title;
            self.report.guessed(
                "change.title",
                &Place::line(1),
                "the document has no name for the change; this is the file's",
            );
        }
    }

    /// The first paragraph, if it is short and stands before everything but a title.
    fn first_line(&self) -> Option<(String, Place)> {
        let block =
            self.document().blocks.iter().find(|block| !matches!(block.kind, Kind::Heading(..)))?;
        match &block.kind {
            Kind::Paragraph(text) => {
                let text = text_of(text);
                let short = text.chars().count() <= 80
                    && !text.contains('\n')
                    && !text.ends_with(['.', ':']);
                short.then(|| (text, block.place.clone()))
            }
            _ => None,
        }
    }

    /// What a backout plan needs and this document does not say.
    pub(crate) fn missing(&mut self) {
        let plan = &self.plan;
        let window = plan.window.as_ref();
        let without = |has: fn(&backout_core::plan::Step) -> bool| -> Vec<String> {
            plan.steps
                .iter()
                .filter(|step| !has(step))
                .map(|step| step.label().to_owned())
                .collect()
        };
        let mut missing: Vec<String> = Vec::new();
        let mut need = |lacks: bool, what: &str| {
            if lacks {
                missing.push(what.to_owned());
            }
        };
        need(plan.steps.is_empty(), "how to go back: there is no step of a way back in it");
        need(plan.change.id.is_none(), "the number of the change");
        need(plan.change.owner.is_none(), "who answers for the plan");
        need(
            plan.change.release.is_none(),
            "which version is released, and which one to go back to",
        );
        need(plan.change.success_when.is_empty(), "when the deployment counts as a success");
        need(plan.change.approvals.is_empty(), "who approved it");
        need(
            plan.change.rehearsed.is_none(),
            "that the way back was rehearsed, when, and how long it took",
        );
        need(window.is_none_or(|window| window.deploy.is_none()), "when the deployment happens");
        need(
            window.is_none_or(|window| window.backout_by.is_none()),
            "by when the backout must be finished",
        );
        need(window.is_none_or(|window| window.timezone.is_none()), "the time zone of its times");
        need(plan.triggers.is_empty(), "what calls for a backout");
        need(plan.decision.is_empty() && plan.authority.0.is_empty(), "who decides");
        need(plan.roles.values().all(|role| role.reach.is_none()), "how anybody is reached");
        need(
            plan.components.values().all(|component| component.backup.is_none()),
            "where the backups are",
        );
        need(
            plan.components.values().all(|component| component.data.is_none()),
            "what happens to data written since the deployment",
        );
        need(plan.messages.is_empty(), "who is told, and what");
        need(
            plan.alternatives.as_ref().is_none_or(|a| a.if_backout_fails.is_none()),
            "what happens if the backout fails",
        );
        need(plan.review.is_none(), "the review afterwards");
        for (names, what) in [
            (without(|step| step.owner.is_some()), "who does"),
            (without(|step| step.takes.is_some()), "how long it takes"),
            (without(|step| !step.verify.is_empty()), "how to know that it worked"),
        ] {
            if names.is_empty() {
                continue;
            }
            let shown: Vec<String> =
                names.iter().take(4).map(|name| format!("\"{name}\"")).collect();
            let more = names.len().saturating_sub(4);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            missing.push(format!("{what}: {}{more}", shown.join(", ")));
        }
        self.report.missing = missing;
    }
}

/// `Name: value`, `Name - value`: both, where the name is short.
fn pair(text: &str) -> Option<(String, String)> {
    let line = text.lines().next()?;
    let (at, sign) = [": ", " - ", " \u{2013} "]
        .into_iter()
        .filter_map(|sign| line.find(sign).map(|at| (at, sign)))
        .min()?;
    let value = text[at + sign.len()..].trim().to_owned();
    let name = line[..at].trim().trim_matches('*').trim().to_owned();
    let bare = name.split('(').next().unwrap_or(&name);
    let short = !bare.is_empty() && bare.split_whitespace().count() <= 8;
    (short && !value.is_empty()).then_some((name, value))
}

/// Bold names with what follows each: `**Change ID:** NET-2217 **Date:** 16 May`.
fn labels(inlines: &[Inline]) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for (index, inline) in inlines.iter().enumerate() {
        let next = inlines.get(index + 1).map_or("", |next| next.text.as_str());
        let named = inline.style == Style::Strong
            && (inline.text.trim_end().ends_with(':') || next.trim_start().starts_with(':'));
        if named {
            found.push((inline.text.trim().trim_end_matches(':').to_owned(), String::new()));
        } else if let Some((_, value)) = found.last_mut() {
            value.push_str(&inline.text);
        } else if !inline.text.trim().is_empty() {
            return Vec::new();
        }
    }
    for (_, value) in &mut found {
        *value = value.trim().trim_start_matches(':').trim().to_owned();
    }
    found
}

/// What has to be so for going back, in `Back out if …` and `If …, go back`.
fn back_if(text: &str) -> Option<Vec<String>> {
    let sentence = text.trim().trim_end_matches('.');
    let lower = sentence.to_lowercase();
    let opens = ["if ", "when ", "in case "].into_iter().find(|word| lower.starts_with(word));
    let condition = if let Some(word) = opens {
        let comma = sentence.rfind(", ")?;
        let says = plain(sentence.get(comma..)?);
        if !goes_back(&says) && !has(&says, &["go back", "go to the previous"]) {
            return None;
        }
        sentence.get(word.len()..comma)?.to_owned()
    } else {
        let said = plain(sentence);
        if !["backout", "rollback", "revert", "abort"].iter().any(|verb| said.starts_with(verb)) {
            return None;
        }
        let ends = [" if ", " when ", " in case "].into_iter();
        let at = ends.filter_map(|word| lower.find(word).map(|at| at + word.len())).min()?;
        sentence.get(at..)?.to_owned()
    };
    let parts = condition.split(", or ").flat_map(|part| part.split(" or when "));
    let parts: Vec<String> =
        parts.map(|part| part.trim().to_owned()).filter(|part| part.contains(' ')).collect();
    (!parts.is_empty()).then_some(parts)
}

/// `Estimated Time to Complete (mins) - 15`.
pub(crate) fn estimate_line(text: &str) -> Option<backout_core::duration::Estimate> {
    let said = plain(text);
    let estimate = has(
        &said,
        &[
            "estimated time",
            "estimated duration",
            "expected time",
            "expected duration",
            "time to complete",
            "time required",
            "duration",
            "estimate",
        ],
    );
    if !estimate || said.split(' ').count() > 14 {
        return None;
    }
    let (name, value) = pair(text).unwrap_or_else(|| (String::new(), text.to_owned()));
    values::length(&value, values::unit_of(&name).or(Some("m")))
}

fn before_time(heading: &str) -> &str {
    heading.split(['(', '[']).next().unwrap_or(heading).trim()
}

/// Words that say that there is nothing.
fn nothing(text: &str) -> bool {
    let said = plain(text);
    matches!(
        said.as_str(),
        "n/a"
            | "na"
            | "none"
            | "not applicable"
            | "no"
            | "tbd"
            | "to be defined"
            | "none required"
            | "not required"
            | "no rollback"
            | "no backout"
            | "nil"
            | "not needed"
    ) || has(
        &said,
        &[
            "no rollback is possible",
            "no backout is possible",
            "rollback is not possible",
            "backout is not possible",
            "no rollback plan",
            "no backout plan",
            "cannot be rollback",
            "not applicable",
        ],
    )
}

/// Whether a line tells somebody to do something.
fn imperative(text: &str) -> bool {
    let said = plain(text);
    let first = said.split(' ').next().unwrap_or_default();
    const VERBS: [&str; 84] = [
        "load",
        "reload",
        "replay",
        "purge",
        "reset",
        "repair",
        "reboot",
        "mount",
        "unmount",
        "freeze",
        "unfreeze",
        "send",
        "ask",
        "have",
        "ping",
        "power",
        "pull",
        "push",
        "merge",
        "release",
        "recover",
        "let",
        "stop",
        "start",
        "restart",
        "restore",
        "revert",
        "rollback",
        "backout",
        "run",
        "execute",
        "apply",
        "deploy",
        "redeploy",
        "disable",
        "enable",
        "turn",
        "switch",
        "set",
        "unset",
        "delete",
        "remove",
        "drop",
        "copy",
        "move",
        "rename",
        "verify",
        "check",
        "confirm",
        "notify",
        "inform",
        "announce",
        "call",
        "open",
        "close",
        "log",
        "login",
        "connect",
        "disconnect",
        "drain",
        "scale",
        "update",
        "downgrade",
        "reinstall",
        "uninstall",
        "install",
        "import",
        "export",
        "clear",
        "flush",
        "repoint",
        "point",
        "route",
        "divert",
        "put",
        "take",
        "wait",
        "monitor",
        "create",
        "recreate",
        "undo",
        "kill",
        "pause",
        "resume",
    ];
    VERBS.contains(&first)
}

/// Whether running text says how to go back: an order, or a sentence with one of
/// the words for it.
fn tells_what_to_do(text: &str) -> bool {
    let said = plain(text);
    let bare = said.strip_prefix("yes ").unwrap_or(&said);
    let speaks = has(
        bare,
        &[
            "restor",
            "redeploy",
            "revert",
            "reinstall",
            "switch",
            "disabl",
            "rollback",
            "backout",
            "downgrad",
            "snapshot",
            "previous version",
            "turned off",
            "turn off",
            "set back",
            "put back",
            "undo",
            "undone",
        ],
    );
    !nothing(text)
        && !text.trim_end().ends_with(['?', ':'])
        && (imperative(bare) || speaks && bare.split(' ').count() >= 5)
}

/// `Backups verified (DBA)`: the text and who.
fn owner_at_end(text: &str) -> (String, Option<String>) {
    let text = text.trim();
    if let Some(open) = text.rfind('(')
        && text.ends_with(')')
    {
        let inside = &text[open + 1..text.len() - 1];
        let short = inside.split(' ').count() <= 3 && !inside.chars().any(|c| c.is_ascii_digit());
        if short && inside.chars().next().is_some_and(char::is_uppercase) {
            return (text[..open].trim().to_owned(), Some(inside.to_owned()));
        }
    }
    (text.to_owned(), None)
}

/// Whether a word is part of the name of a kind of document.
fn is_kind(word: &str) -> bool {
    const KINDS: [&str; 36] = [
        "backout",
        "rollback",
        "plan",
        "template",
        "the",
        "for",
        "change",
        "request",
        "procedure",
        "document",
        "runbook",
        "checklist",
        "summary",
        "guide",
        "manual",
        "and",
        "deployment",
        "installation",
        "instructions",
        "production",
        "a",
        "of",
        "to",
        "launch",
        "release",
        "upgrade",
        "standard",
        "back",
        "out",
        "steps",
        "sheet",
        "form",
        "record",
        "maintenance",
        "implementation",
        "",
    ];
    KINDS.contains(&word)
}

/// `Backout plan for Portal v2`, `Rollback runbook - Search 7`: without the kind of document.
fn without_kind(title: &str) -> String {
    for sign in [" for ", ": ", " - ", " \u{2013} "] {
        if let Some((kind, rest)) = title.split_once(sign)
            && plain(kind).split(' ').all(is_kind)
            && !rest.trim().is_empty()
        {
            return rest.trim().to_owned();
        }
    }
    title.to_owned()
}
