//! The last look: a text whose words stand neither in the plan nor in the account was
//! lost by the reading, whatever the reason. It becomes a note.

use std::collections::HashSet;

use backout_documents::tree::text_of;
use backout_documents::{Block, Cell, Kind, Place};

use crate::reading::Reading;

/// Words that a reading takes as the kind of a field, or as a part of a value: labels,
/// units, months, and the words for going back.
const TAKEN: [&str; 125] = [
    "the",
    "and",
    "for",
    "with",
    "than",
    "when",
    "roll",
    "back",
    "rolled",
    "rolling",
    "out",
    "rollback",
    "backout",
    "trigger",
    "triggers",
    "step",
    "steps",
    "verify",
    "verification",
    "validation",
    "expected",
    "owner",
    "responsible",
    "role",
    "who",
    "command",
    "commands",
    "action",
    "actions",
    "duration",
    "time",
    "takes",
    "estimated",
    "estimate",
    "total",
    "about",
    "approx",
    "approximately",
    "within",
    "max",
    "min",
    "mins",
    "minute",
    "minutes",
    "hour",
    "hours",
    "sec",
    "secs",
    "second",
    "seconds",
    "day",
    "days",
    "percent",
    "per",
    "above",
    "below",
    "over",
    "under",
    "more",
    "less",
    "least",
    "most",
    "exceeds",
    "exceed",
    "greater",
    "higher",
    "lower",
    "longer",
    "fewer",
    "equal",
    "last",
    "sustained",
    "during",
    "lasting",
    "jan",
    "january",
    "feb",
    "february",
    "mar",
    "march",
    "apr",
    "april",
    "may",
    "jun",
    "june",
    "jul",
    "july",
    "aug",
    "august",
    "sep",
    "september",
    "oct",
    "october",
    "nov",
    "november",
    "dec",
    "december",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "mon",
    "tue",
    "wed",
    "thu",
    "fri",
    "sat",
    "sun",
    "until",
    "till",
    "from",
    "are",
    "was",
    "has",
    "not",
    "none",
    "yes",
    "tbd",
    "optional",
    "phone",
    "mailto",
    "name",
];

impl Reading<'_> {
    /// Makes notes of what was lost on the way.
    pub(crate) fn keep_lost(&mut self) {
        let plan = serde_json::to_string(&self.plan).unwrap_or_default();
        let report = serde_json::to_string(&self.report).unwrap_or_default();
        let mut kept = HashSet::new();
        // Line breaks are `\n` in JSON, and would stick to the word behind them.
        words(&plan.replace("\\n", " ").replace("\\t", " "), &mut kept);
        words(&report.replace("\\n", " ").replace("\\t", " "), &mut kept);
        for text in self.noted() {
            words(text, &mut kept);
        }
        let mut texts = Vec::new();
        self.document().blocks.iter().for_each(|block| leaves(block, &block.place, &mut texts));
        for Leaf { place, around, text } in texts {
            let mut said = HashSet::new();
            words(&text, &mut said);
            let lost = said.iter().any(|word| {
                word.chars().count() > 2
                    && !word.contains(|c: char| c.is_ascii_digit())
                    && !TAKEN.contains(&word.as_str())
                    && !kept.contains(word)
            });
            if !lost {
                continue;
            }
            kept.extend(said);
            // `Change ticket: SRCH-902` was read, and its first two words name the field.
            let shown = [place.to_string(), around.to_string()];
            let sources = self.report.found.iter().chain(&self.report.guessed);
            let fields: Vec<&str> = sources
                .filter(|source| shown.contains(&source.place))
                .map(|source| source.field.as_str())
                .take(3)
                .collect();
            if fields.is_empty() {
                self.note(&place, "", &text);
            } else {
                let fields = fields.join(", ");
                self.read_as(&place, &text, &fields);
            }
        }
    }
}

fn words(text: &str, into: &mut HashSet<String>) {
    let split = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    into.extend(split.map(str::to_lowercase));
}

/// A line, an entry of a list, or a row of a table.
struct Leaf {
    place: Place,
    /// Where the block or the entry begins that holds it: fields may be found there.
    around: Place,
    text: String,
}

/// The texts of a block.
fn leaves(block: &Block, around: &Place, into: &mut Vec<Leaf>) {
    let mut leaf = |place: &Place, text: String| {
        into.push(Leaf { place: place.clone(), around: around.clone(), text });
    };
    match &block.kind {
        Kind::Heading(_, inlines) => leaf(&block.place, text_of(inlines)),
        Kind::Paragraph(inlines) => {
            let by_line = &*block.place.unit == "line";
            for (at, line) in text_of(inlines).lines().enumerate() {
                let place = if by_line { block.place.plus(at) } else { block.place.clone() };
                leaf(&place, line.to_owned());
            }
        }
        Kind::Code(_, text) => leaf(&block.place, text.clone()),
        Kind::List(_, items) => {
            for item in items {
                // An entry of an entry is found where the outer one stands.
                let around = if around == &block.place { &item.place } else { around };
                item.blocks.iter().for_each(|block| leaves(block, around, into));
            }
        }
        Kind::Notice(_, blocks) => blocks.iter().for_each(|block| leaves(block, around, into)),
        Kind::Table(table) => {
            let cells = |cells: &[Cell]| {
                cells.iter().map(|cell| text_of(cell)).collect::<Vec<_>>().join(" | ")
            };
            leaf(&block.place, cells(&table.head));
            table.rows.iter().for_each(|row| leaf(&row.place, cells(&row.cells)));
        }
        Kind::Figure(_) | Kind::PageBreak => {}
    }
}
