//! The details of a step: what stands below its heading or its number, by its labels.

use std::collections::BTreeMap;

use backout_documents::tree::{text_of, text_of_blocks};
use backout_documents::{Block, Kind, Place};

use crate::reading::Reading;
use crate::step_text::{alike, checks, no_return};
use crate::tables::Grid;
use crate::values;
use crate::words::plain;

impl Reading<'_> {
    /// Takes blocks as the details of a step. `Verification:` alone in its line is said
    /// of what follows it.
    pub(crate) fn details(&mut self, index: usize, blocks: &[&Block]) {
        let mut checks_follow = false;
        for block in blocks {
            let paragraph = match &block.kind {
                Kind::Paragraph(inlines) => Some(text_of(inlines)),
                _ => None,
            };
            if let Some(text) = &paragraph
                && text.trim().lines().count() == 1
                && let Some((name, rest)) = text.split_once(':')
                && rest.trim().trim_matches('*').is_empty()
            {
                let name = plain(name);
                checks_follow =
                    ["verif", "validat", "expected", "check", "how to check", "success"]
                        .iter()
                        .any(|word| name.starts_with(word))
                        && name.split(' ').count() <= 4;
                if checks_follow {
                    continue;
                }
            }
            let place = &block.place;
            match &block.kind {
                Kind::List(_, items) if checks_follow => {
                    let lines =
                        items.iter().map(|item| (text_of_blocks(&item.blocks), &item.place));
                    for (text, place) in lines.filter(|(text, _)| !text.trim().is_empty()) {
                        self.drafts[index].verify.push((text, place.clone()));
                    }
                }
                Kind::Code(_, text) if checks_follow => {
                    self.drafts[index].verify.push((text.trim().to_owned(), place.clone()));
                }
                Kind::Paragraph(inlines) if checks_follow => {
                    self.drafts[index].verify.push((text_of(inlines), place.clone()));
                    checks_follow = false;
                }
                _ => {
                    checks_follow = false;
                    self.detail(index, block);
                }
            }
        }
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
                None => {
                    // Who and how long are one line; what follows is how.
                    if matches!(kind, 'o' | 'd' | 'k') && !line.trim().is_empty() {
                        kind = 'c';
                    }
                    gathered.entry(kind).or_default().push(line.to_owned());
                }
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
        let duration = joined(gathered.get(&'d'));
        // `Time: 02:10` is when, on the clock of the night.
        let clock = says_clock(text, &duration);
        match values::length(&duration, Some("m")) {
            _ if clock => draft.add_how(&format!("Time: {duration}"), place),
            Some(length) if draft.takes.is_none() && !values::says_more(&duration) => {
                draft.takes = Some((length, place.clone()));
            }
            _ if !duration.is_empty() => draft.add_how(&format!("Duration: {duration}"), place),
            _ => {}
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
            if role.is_none() || owner.contains([',', '(', ';']) {
                self.drafts[index].add_how(&format!("Owner: {owner}"), place);
            }
            self.drafts[index].owner = role.map(|role| (role, place.clone()));
        }
        labels > 0
    }
}

/// Whether the label `Time` names a time of day: nobody plans a step to the minute of
/// an hour, and `Duration: 0:30` says how long.
fn says_clock(text: &str, value: &str) -> bool {
    let named = |line: &str| {
        line.split_once(':').is_some_and(|(name, rest)| {
            let name = plain(name);
            matches!(
                name.as_str(),
                "time" | "start" | "at" | "when" | "planned start" | "start time"
            ) && rest.trim_start_matches(['*', ' ']).starts_with(value.trim())
        })
    };
    let digits = value.trim().trim_start_matches(|c: char| c.is_ascii_digit());
    let clock = digits.len() + 2 >= value.trim().len()
        && digits.starts_with([':', '.'])
        && !values::times(value).is_empty();
    clock && text.lines().any(named)
}
