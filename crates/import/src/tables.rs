//! What a table is: told by its columns first, then by the heading it stands under.

use std::cell::RefCell;
use std::collections::BTreeSet;

use backout_documents::tree::text_of;
use backout_documents::{Place, Table};

use crate::columns::{Column, column};
use crate::negation::{calls_off, denies_backout};
use crate::topics::Topic;
use crate::words::plain;

/// A table with named columns.
pub(crate) struct Grid<'a> {
    columns: Vec<Option<Column>>,
    names: Vec<String>,
    table: &'a Table,
    /// The cells somebody has read, by row and column: what is left in the end was
    /// not understood, and must not vanish.
    read: RefCell<BTreeSet<(usize, usize)>>,
}

/// A row of it.
pub(crate) struct Line<'g, 'a> {
    grid: &'g Grid<'a>,
    index: usize,
}

/// What a table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Is {
    Fields,
    Severities,
    Limits,
    Matrix,
    Contacts,
    Readiness,
    Backups,
    Steps,
    FollowUps,
    Messages,
    Risks,
    Cannot,
    Factors,
    Questions,
    Results,
    Tests,
    Documents,
}

impl<'a> Grid<'a> {
    pub(crate) fn new(table: &'a Table) -> Self {
        let names: Vec<String> = table.head.iter().map(|cell| text_of(cell)).collect();
        // What stands under `Do not roll back if` is no criterion.
        let read = |name: &String| if calls_off(name) { None } else { column(name) };
        let mut columns: Vec<Option<Column>> = names.iter().map(read).collect();
        // `Rollback action` beside `Action`: the one that leads back is meant.
        for (kind, words) in [
            (Column::Action, &["action", "step", "steps", "procedure", "task", "activity"][..]),
            (Column::Duration, &["duration", "time", "takes", "minutes"]),
        ] {
            let leads = |name: &String| {
                let said = plain(name);
                crate::words::goes_back(&said) && crate::words::has(&said, words)
            };
            let back = names.iter().position(leads);
            let plain_one = columns
                .iter()
                .enumerate()
                .any(|(at, known)| *known == Some(kind) && Some(at) != back && !leads(&names[at]));
            if let Some(back) = back.filter(|_| plain_one) {
                columns
                    .iter_mut()
                    .filter(|known| **known == Some(kind))
                    .for_each(|known| *known = None);
                columns[back] = Some(kind);
            }
        }
        // Beside an action, a `Check` is how to know that it worked.
        if columns.contains(&Some(Column::Action)) && !columns.contains(&Some(Column::Verify)) {
            for (column, name) in columns.iter_mut().zip(&names) {
                if matches!(plain(name).as_str(), "check" | "checks" | "test") {
                    *column = Some(Column::Verify);
                }
            }
        }
        // `Step` beside `#`, or over words, is what is done.
        for index in 0..columns.len() {
            let named = matches!(plain(&names[index]).as_str(), "step" | "task" | "steps" | "item");
            let texts =
                table.rows.iter().filter_map(|row| row.cells.get(index)).map(|cell| text_of(cell));
            let words =
                texts.filter(|text| text.trim_start().starts_with(char::is_alphabetic)).count();
            if named && words * 2 > table.rows.len() && columns[index] == Some(Column::Number) {
                columns[index] = Some(Column::Action);
            }
        }
        // Times of day that rise are a schedule, not how long things take.
        for index in 0..columns.len() {
            let texts: Vec<String> = table
                .rows
                .iter()
                .filter_map(|row| row.cells.get(index))
                .map(|cell| text_of(cell))
                .filter(|text| says(text))
                .collect();
            let clocks: Vec<(u32, u32)> = texts
                .iter()
                .filter_map(|text| {
                    let (hour, minute) = text.trim().split_once(':')?;
                    Some((hour.parse().ok()?, minute.get(..2)?.parse().ok()?))
                })
                .collect();
            let rising = clocks.windows(2).all(|pair| pair[0] <= pair[1]);
            let name = plain(&names[index]);
            let lasts = crate::words::has(
                &name,
                &["duration", "takes", "effort", "est", "estimat", "length", "min", "hour"],
            );
            // Nobody plans a step of six hours to the minute: that is a clock.
            let of_day = clocks.iter().any(|(hour, _)| *hour >= 6);
            if columns[index] == Some(Column::Duration)
                && !lasts
                && clocks.len() == texts.len()
                && (clocks.len() > 1 && rising || of_day)
            {
                columns[index] = None;
            }
        }
        // `Time` beside `Duration` is when, not how long.
        let long = |at: usize| {
            crate::words::has(&plain(&names[at]), &["duration", "takes", "effort", "estimat"])
        };
        let timed: Vec<usize> =
            (0..columns.len()).filter(|at| columns[*at] == Some(Column::Duration)).collect();
        if timed.iter().any(|at| long(*at)) {
            timed.iter().filter(|at| !long(**at)).for_each(|at| columns[*at] = None);
        }
        Self { columns, names, table, read: RefCell::default() }
    }

    /// Cells of a row that nobody has read, each with the name of its column.
    pub(crate) fn rest(&self, line: &Line<'_, '_>, read: &[Column]) -> Vec<String> {
        let row = &self.table.rows[line.index];
        let mut seen: Vec<Column> = Vec::new();
        let mut found = Vec::new();
        for (index, cell) in row.cells.iter().enumerate() {
            let column = self.columns.get(index).copied().flatten();
            // Of two columns of one kind only the first that says something is read.
            let first =
                column.is_some_and(|column| read.contains(&column) && !seen.contains(&column));
            let text = text_of(cell);
            if !says(&text) {
                continue;
            }
            let first = first && (column != Some(Column::Number) || numbers(&text));
            if first {
                seen.extend(column);
                continue;
            }
            let name = self.names.get(index).map_or("", String::as_str);
            self.read.borrow_mut().insert((line.index, index));
            match plain(name).as_str() {
                "#" | "no" | "nr" if numbers(&text) => {}
                "" if text.trim().chars().all(|c| c.is_ascii_digit() || c == '.') => {}
                "" => found.push(text),
                _ => found.push(format!("{name}: {text}")),
            }
        }
        found
    }

    /// What nobody has read, row by row: what the row is about, then each cell that is
    /// left with the name of its column.
    pub(crate) fn unread(&self) -> Vec<(Place, String)> {
        let read = self.read.borrow();
        let row = |(at, row): (usize, &backout_documents::tree::Row)| {
            let left = |(index, cell): (usize, &backout_documents::tree::Cell)| {
                let text = text_of(cell);
                let known = read.contains(&(at, index))
                    || !says(&text)
                    || self.columns.get(index) == Some(&Some(Column::Number)) && numbers(&text);
                let name = self.names.get(index).map_or("", String::as_str);
                (!known).then(|| match name.is_empty() {
                    true => text.clone(),
                    false => format!("{name}: {text}"),
                })
            };
            let cells: Vec<String> = row.cells.iter().enumerate().filter_map(left).collect();
            let about = row.cells.iter().enumerate().find_map(|(index, cell)| {
                let text = text_of(cell);
                (read.contains(&(at, index))
                    && text.chars().filter(|c| c.is_alphabetic()).count() > 2)
                    .then_some(text)
            });
            let about =
                about.map(|about| format!("{}: ", about.lines().next().unwrap_or_default()));
            (!cells.is_empty()).then(|| {
                (row.place.clone(), format!("{}{}", about.unwrap_or_default(), cells.join(" | ")))
            })
        };
        self.table.rows.iter().enumerate().filter_map(row).collect()
    }

    pub(crate) fn has(&self, column: Column) -> bool {
        self.columns.contains(&Some(column))
    }

    fn any(&self, columns: &[Column]) -> bool {
        columns.iter().any(|column| self.has(*column))
    }

    /// The name people gave a column.
    pub(crate) fn name(&self, column: Column) -> &str {
        let at = self.columns.iter().position(|known| *known == Some(column));
        at.and_then(|at| self.names.get(at)).map_or("", String::as_str)
    }

    /// The rows that stand: what somebody struck out is no promise any more.
    pub(crate) fn lines(&self) -> impl Iterator<Item = Line<'_, 'a>> {
        let struck = |index: &usize| {
            let cells = self.table.rows[*index].cells.iter().enumerate();
            let mut texts = cells
                .filter(|(at, _)| self.columns.get(*at) != Some(&Some(Column::Number)))
                .map(|(_, cell)| text_of(cell))
                .filter(|text| says(text));
            texts.next().is_some_and(|text| crate::words::struck(&text))
        };
        (0..self.table.rows.len())
            .filter(move |index| !struck(index))
            .map(|index| Line { grid: self, index })
    }

    /// What the table is about, given what the text around it is about.
    pub(crate) fn is(&self, topic: Option<Topic>, way_back: bool) -> Option<Is> {
        use Column as C;
        let width = self.names.len();
        Some(match () {
            () if width == 0 && self.table.rows.iter().all(|row| row.cells.len() == 2) => {
                Is::Fields
            }
            () if self.any(&[C::Role, C::Name])
                && self.any(&[C::Phone, C::Mail, C::Chat, C::Availability, C::Deputy]) =>
            {
                Is::Contacts
            }
            () if self.has(C::Role) && self.has(C::Name) => Is::Contacts,
            () if self.has(C::Severity) && self.any(&[C::Decider]) => Is::Matrix,
            () if self.has(C::Severity)
                && self.has(C::Action)
                && self.any(&[C::Owner, C::Tell])
                && topic == Some(Topic::Decision) =>
            {
                Is::Matrix
            }
            () if self.has(C::Severity) && self.any(&[C::Criteria]) && !self.has(C::Limit) => {
                Is::Severities
            }
            () if self.any(&[C::Criteria]) && self.any(&[C::Limit]) => Is::Limits,
            () if self.has(C::Forward) && self.has(C::Back) => Is::Factors,
            () if self.has(C::Risk) => Is::Risks,
            () if self.has(C::Scenario)
                && self.has(C::Instead)
                && topic != Some(Topic::Partial) =>
            {
                Is::Cannot
            }
            () if self.has(C::Question) => Is::Questions,
            () if self.any(&[C::Test, C::Action, C::Requirement])
                && self.has(C::Actual)
                && self.any(&[C::Expected, C::Duration])
                && !way_back_steps(self) =>
            {
                Is::Results
            }
            () if self.any(&[C::Audience]) && self.any(&[C::Message, C::Channel]) => Is::Messages,
            () if self.has(C::Channel) && self.has(C::Message) => Is::Messages,
            () if self.has(C::Test) && self.any(&[C::Status, C::Environment]) => Is::Tests,
            () if self.any(&[C::Component, C::Requirement]) && self.has(C::Location) => Is::Backups,
            () if self.has(C::Document) && self.has(C::Owner) => Is::Documents,
            () if self.has(C::Requirement) && !self.any(&[C::Duration, C::Verify]) => Is::Readiness,
            () if self.has(C::Action) && topic == Some(Topic::After) && !self.has(C::Number) => {
                Is::FollowUps
            }
            () if self.has(C::Action)
                && self.has(C::When)
                && !self.any(&[C::Number, C::Verify]) =>
            {
                Is::FollowUps
            }
            () if self.has(C::Action) && topic == Some(Topic::Readiness) => Is::Readiness,
            () if self.any(&[C::Action, C::Command])
                && self.any(&[C::Number, C::Owner, C::Duration, C::Verify, C::Command])
                && way_back =>
            {
                Is::Steps
            }
            () if self.has(C::Criteria) && matches!(topic, Some(Topic::Triggers)) => Is::Limits,
            () if width == 2 && (self.any(&[C::Key]) || self.has(C::Value)) => Is::Fields,
            () if width == 2 && matches!(topic, Some(Topic::Header | Topic::Overview)) => {
                Is::Fields
            }
            () => return None,
        })
    }

    /// The rows as name and value; the head too where it is no head.
    pub(crate) fn fields(&self) -> Vec<(String, String, Place)> {
        let mut found = Vec::new();
        let named = self.any(&[Column::Key, Column::Value]) && !self.has(Column::Name);
        if !named
            && let ([key, value], Some(first)) = (self.names.as_slice(), self.table.rows.first())
        {
            found.push((key.clone(), value.clone(), first.place.clone()));
        }
        for row in &self.table.rows {
            if let [key, value, ..] = row.cells.as_slice() {
                found.push((text_of(key), text_of(value), row.place.clone()));
            }
        }
        found
    }
}

fn way_back_steps(grid: &Grid<'_>) -> bool {
    grid.has(Column::Number) && grid.has(Column::Action) && grid.has(Column::Owner)
}

impl Line<'_, '_> {
    /// The text in a column, if there is any and it says something.
    pub(crate) fn get(&self, column: Column) -> Option<String> {
        let mut at =
            self.grid.columns.iter().enumerate().filter(|(_, known)| **known == Some(column));
        let row = &self.grid.table.rows[self.index];
        at.find_map(|(index, _)| {
            let text = row.cells.get(index).map(|cell| text_of(cell)).filter(|text| says(text))?;
            self.grid.read.borrow_mut().insert((self.index, index));
            Some(text)
        })
    }

    /// What a column says about where the row leads: back, or forward.
    pub(crate) fn direction(&self) -> Option<String> {
        let names = self.grid.names.iter().map(|name| plain(name));
        let at = names.into_iter().position(|name| {
            matches!(name.as_str(), "type" | "phase" | "plan" | "stage" | "direction" | "section")
        })?;
        let text = text_of(self.grid.table.rows[self.index].cells.get(at)?);
        if crate::words::leads(&plain(&text)) == Some(true) {
            self.grid.read.borrow_mut().insert((self.index, at));
        }
        says(&text).then_some(text)
    }

    /// The first of several columns that says something.
    pub(crate) fn first(&self, columns: &[Column]) -> Option<String> {
        columns.iter().find_map(|column| self.get(*column))
    }

    pub(crate) fn place(&self) -> Place {
        self.grid.table.rows[self.index].place.clone()
    }

    /// Whether the row says that it calls for nothing: in a cell (`do not roll back`),
    /// under a column such as `Rollback?`, or below a band that says so of all its rows.
    pub(crate) fn is_called_off(&self) -> bool {
        let rows = &self.grid.table.rows;
        let no = |(at, cell): (usize, &backout_documents::tree::Cell)| {
            let text = text_of(cell);
            let said = plain(&text);
            let asks = self.grid.names.get(at).is_some_and(|name| {
                let name = plain(name);
                crate::words::goes_back(&name) || crate::words::has(&name, &["trigger"])
            });
            let denies = matches!(
                said.as_str(),
                "no" | "n" | "false" | "never" | "not required" | "not needed" | "not applicable"
            );
            denies_backout(&text) || asks && denies
        };
        if rows[self.index].cells.iter().enumerate().any(no) {
            return true;
        }
        let alone = |index: usize| {
            let mut texts =
                rows[index].cells.iter().map(|cell| text_of(cell)).filter(|text| says(text));
            texts.next().filter(|_| texts.next().is_none())
        };
        let wide = self.grid.names.len() > 1;
        let band = (0..self.index).rev().filter_map(alone).next().filter(|_| wide);
        band.is_some_and(|text| calls_off(&text))
    }

    /// The whole row, for people.
    pub(crate) fn text(&self) -> String {
        self.all_read();
        let cells = self.grid.table.rows[self.index].cells.iter().map(|cell| text_of(cell));
        cells.filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" | ")
    }

    /// The one text of a row that holds nothing else: a band over the rows below it.
    pub(crate) fn only_text(&self) -> Option<String> {
        let row = &self.grid.table.rows[self.index];
        let mut texts: Vec<String> =
            row.cells.iter().map(|cell| text_of(cell)).filter(|text| says(text)).collect();
        texts.dedup();
        let band = row.cells.len() > 2 && texts.len() == 1;
        if band {
            self.all_read();
        }
        band.then(|| texts.remove(0))
    }

    fn all_read(&self) {
        let cells = self.grid.table.rows[self.index].cells.len();
        self.grid.read.borrow_mut().extend((0..cells).map(|index| (self.index, index)));
    }

    /// Whether the row adds the others up.
    pub(crate) fn is_total(&self) -> bool {
        let row = &self.grid.table.rows[self.index];
        let first = row.cells.iter().map(|cell| text_of(cell)).find(|text| says(text));
        let total = first.is_some_and(|text| {
            let said = plain(&text);
            let adds_up = ["total", "subtotal", "sum", "summe", "gesamt", "overall"];
            let words: Vec<&str> = said.split(' ').collect();
            adds_up.contains(&words[0])
                || words.len() <= 3 && words.last().is_some_and(|last| adds_up.contains(last))
        });
        if total {
            self.all_read();
        }
        total
    }
}

/// Whether a cell of a column of numbers holds one: `3`, `3.1`, `R-01`, `Step 3`.
fn numbers(text: &str) -> bool {
    let said = plain(text);
    said.split(' ').all(|word| {
        word.len() <= 2
            || word.contains(|c: char| c.is_ascii_digit())
            || matches!(word, "step" | "task" | "item" | "nr")
    })
}

/// Whether a cell holds something else than a dash or a box.
fn says(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty()
        && !text.chars().all(|c| {
            matches!(
                c,
                '-' | '\u{2013}' | '\u{2014}' | '☐' | '□' | '☑' | '☒' | '✓' | '✔' | ' ' | '_'
            )
        })
        && !matches!(plain(text).as_str(), "n/a" | "none" | "na")
}
