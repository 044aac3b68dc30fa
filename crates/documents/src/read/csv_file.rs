//! Tables of text: commas, semicolons or tabs, whichever the first lines use.

use std::collections::{BTreeMap, BTreeSet};

use super::sheet::{MOST_COLUMNS, Rows, blocks};
use super::{MOST_BLOCKS, Unreadable};
use crate::tree::{Document, Kind, Place};

pub(super) fn read(text: &str) -> Result<Document, Unreadable> {
    let sample: String = text.lines().take(10).collect::<Vec<_>>().join("\n");
    let count = |sign: char| sample.matches(sign).count();
    let delimiter = [(',', b','), (';', b';'), ('\t', b'\t')]
        .into_iter()
        .max_by_key(|(sign, _)| count(*sign))
        .map_or(b',', |(_, byte)| byte);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let mut rows: Rows = BTreeMap::new();
    let mut filled = 0;
    for record in reader.records() {
        let record =
            record.map_err(|error| Unreadable::new(format!("this table is damaged: {error}")))?;
        let line = record.position().map_or(0, |at| usize::try_from(at.line()).unwrap_or(0));
        let cells: BTreeMap<usize, String> = record
            .iter()
            .take(MOST_COLUMNS)
            .enumerate()
            .filter(|(_, cell)| !cell.trim().is_empty())
            .map(|(column, cell)| (column, cell.to_owned()))
            .collect();
        filled += cells.len();
        if filled > MOST_BLOCKS {
            return Err(Unreadable::new(format!(
                "this table has more than {MOST_BLOCKS} filled cells"
            )));
        }
        if !cells.is_empty() {
            rows.insert(line, cells);
        }
    }
    // A row of several lines is no gap: number the rows as they come.
    let lines: Vec<usize> = rows.keys().copied().collect();
    let gapless: Rows =
        rows.into_values().enumerate().map(|(index, row)| (index + 1, row)).collect();
    let mut all = blocks("", &gapless, &BTreeSet::new());
    all.retain(|block| !matches!(block.kind, Kind::Heading(..)));
    let line = |place: &mut Place| {
        *place =
            Place::line(lines.get(place.number.saturating_sub(1)).copied().unwrap_or(place.number));
    };
    for block in &mut all {
        line(&mut block.place);
        if let Kind::Table(table) = &mut block.kind {
            table.rows.iter_mut().for_each(|row| line(&mut row.place));
        }
    }
    Ok(Document { blocks: all, ..Document::default() })
}
