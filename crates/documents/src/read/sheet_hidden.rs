//! What a workbook holds and does not show: hidden and very hidden sheets, hidden
//! rows (by hand, by a filter, in a collapsed group, of no height) and hidden columns.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use quick_xml::events::BytesStart;

use super::Unreadable;
use super::package::{Package, Tag, attribute, walk};
use super::sheet::{MOST_COLUMNS, Rows};
use crate::tree::{Hidden, Place};
use crate::workbook::FILE;

/// A sheet says how wide its columns are in no more pieces than it has columns.
const MOST_RANGES: usize = 16_384;

/// What of a sheet is hidden; rows are counted from 1, columns from 0.
#[derive(Debug, Clone, Default)]
pub(super) struct Unseen {
    /// The whole of it.
    pub(super) whole: bool,
    pub(super) rows: BTreeSet<usize>,
    pub(super) columns: BTreeSet<usize>,
}

/// What is hidden of each sheet of an Excel workbook, by the sheet's name.
pub(super) fn hidden(package: &mut Package<'_>) -> Result<BTreeMap<String, Unseen>, Unreadable> {
    let mut targets: HashMap<String, String> = HashMap::new();
    walk(&package.part("xl/_rels/workbook.xml.rels")?.unwrap_or_default(), |tag| {
        if let Tag::Open(start) = tag
            && start.local_name().as_ref() == "Relationship"
            && let (Some(id), Some(target)) = (attribute(start, "Id"), attribute(start, "Target"))
        {
            let part = match target.strip_prefix('/') {
                Some(absolute) => absolute.to_owned(),
                None => format!("xl/{}", target.trim_start_matches("./")),
            };
            targets.insert(id, part);
        }
        Ok(())
    })?;
    let mut sheets: Vec<(String, Option<String>, bool)> = Vec::new();
    walk(&package.part("xl/workbook.xml")?.unwrap_or_default(), |tag| {
        if let Tag::Open(start) = tag
            && start.local_name().as_ref() == "sheet"
            && let Some(name) = attribute(start, "name")
        {
            let part = attribute(start, "id").and_then(|id| targets.get(&id).cloned());
            let state = attribute(start, "state").unwrap_or_default().to_lowercase();
            sheets.push((name, part, matches!(state.as_str(), "hidden" | "veryhidden")));
        }
        Ok(())
    })?;
    let mut found = BTreeMap::new();
    for (name, part, whole) in sheets {
        let xml = match part {
            Some(part) => package.part(&part)?.unwrap_or_default(),
            None => String::new(),
        };
        let unseen = Unseen { whole, ..of_sheet(&xml)? };
        found.insert(name, unseen);
    }
    Ok(found)
}

/// The hidden rows and columns of a worksheet.
fn of_sheet(xml: &str) -> Result<Unseen, Unreadable> {
    let mut unseen = Unseen::default();
    let (mut row, mut ranges) = (0_usize, 0_usize);
    walk(xml, |tag| {
        let Tag::Open(start) = tag else { return Ok(()) };
        let number = |name: &str| attribute(start, name).and_then(|at| at.parse::<usize>().ok());
        match start.local_name().as_ref() {
            "row" => {
                row = number("r").unwrap_or_else(|| row.saturating_add(1));
                if yes(start, "hidden") || is_nothing(start, "ht") {
                    unseen.rows.insert(row);
                }
            }
            "col"
                if ranges <= MOST_RANGES
                    && (yes(start, "hidden") || is_nothing(start, "width")) =>
            {
                ranges += 1;
                let first = number("min").unwrap_or(1).max(1);
                let last = number("max").unwrap_or(first).min(MOST_COLUMNS);
                unseen.columns.extend((first..=last).map(|column| column - 1));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(unseen)
}

fn yes(start: &BytesStart<'_>, name: &str) -> bool {
    attribute(start, name).is_some_and(|value| matches!(value.as_str(), "1" | "true"))
}

/// Whether a height or width is stated and is nothing.
fn is_nothing(start: &BytesStart<'_>, name: &str) -> bool {
    attribute(start, name).and_then(|size| size.parse::<f64>().ok()).is_some_and(|size| size <= 0.0)
}

/// Takes out of a sheet what is hidden, and sets it aside with what it is and where.
/// The sheet with our own plan file is a file and no list: it stays whole; that it is
/// hidden is set aside.
pub(super) fn take_out(
    name: &str,
    mut rows: Rows,
    unseen: &Unseen,
    aside: &mut Vec<Hidden>,
) -> Rows {
    let place = |row: usize| Place { unit: format!("sheet {name}, row").into(), number: row };
    let text = |cells: &BTreeMap<usize, String>| {
        cells.values().map(|text| text.trim()).collect::<Vec<_>>().join(" | ")
    };
    let first = rows.keys().next().copied().unwrap_or(1);
    if name == FILE {
        if unseen.whole && !rows.is_empty() {
            let (what, text) = ("hidden sheet".to_owned(), "the plan file".to_owned());
            aside.push(Hidden { place: place(first), what, text });
        }
        return rows;
    }
    if unseen.whole {
        if !rows.is_empty() {
            let text = rows.values().map(text).collect::<Vec<_>>().join("\n");
            aside.push(Hidden { place: place(first), what: "hidden sheet".to_owned(), text });
        }
        return Rows::new();
    }
    // Rows that were hidden together are told of together.
    let mut together: Vec<(usize, usize, Vec<String>)> = Vec::new();
    for row in &unseen.rows {
        let Some(cells) = rows.remove(row) else { continue };
        match together.last_mut().filter(|(_, last, _)| last + 1 == *row) {
            Some((_, last, texts)) => {
                *last = *row;
                texts.push(text(&cells));
            }
            None => together.push((*row, *row, vec![text(&cells)])),
        }
    }
    for (from, to, texts) in together {
        let what = if from == to {
            "hidden row".to_owned()
        } else {
            format!("hidden rows {from} to {to}")
        };
        aside.push(Hidden { place: place(from), what, text: texts.join("\n") });
    }
    for column in &unseen.columns {
        let mut texts = Vec::new();
        let mut first = None;
        for (row, cells) in &mut rows {
            if let Some(text) = cells.remove(column) {
                first.get_or_insert(*row);
                texts.push(text.trim().to_owned());
            }
        }
        if let Some(first) = first {
            let what = format!("hidden column {}", letters(*column));
            aside.push(Hidden { place: place(first), what, text: texts.join("\n") });
        }
    }
    if unseen.columns.is_empty() {
        return rows;
    }
    rows.retain(|_, cells| !cells.is_empty());
    // The columns beside a hidden one touch.
    let moved = |column: usize| column - unseen.columns.range(..column).count();
    for cells in rows.values_mut() {
        *cells =
            std::mem::take(cells).into_iter().map(|(column, text)| (moved(column), text)).collect();
    }
    rows
}

/// A column's name: `A`, `Z`, `AA`.
fn letters(column: usize) -> String {
    let mut name = String::new();
    let mut left = column + 1;
    while left > 0 {
        let letter = u8::try_from((left - 1) % 26).unwrap_or(0);
        name.insert(0, char::from(b'A' + letter));
        left = (left - 1) / 26;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_their_names() {
        let names: Vec<String> = [0, 3, 25, 26, 255].into_iter().map(letters).collect();
        assert_eq!(names, ["A", "D", "Z", "AA", "IV"]);
    }
}
