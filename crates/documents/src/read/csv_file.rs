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
    // The last line ends like the others, so that lines are counted alike.
    let mut text = text.to_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let mut rows: Rows = BTreeMap::new();
    let mut lines: BTreeMap<usize, usize> = BTreeMap::new();
    let mut filled = 0;
    // Rows are numbered as they come, because one may take several lines. Where lines
    // are empty, a number is left out: what follows is another table.
    let (mut number, mut end) = (0_usize, 0_usize);
    let mut record = csv::StringRecord::new();
    loop {
        let more = reader
            .read_record(&mut record)
            .map_err(|error| Unreadable::new(format!("this table is damaged: {error}")))?;
        if !more {
            break;
        }
        let breaks: usize = record.iter().map(|cell| cell.matches('\n').count()).sum();
        let behind = usize::try_from(reader.position().line()).unwrap_or(0);
        let line = behind.saturating_sub(breaks + 1).max(1);
        number += if line > end + 1 && end > 0 { 2 } else { 1 };
        end = line + breaks;
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
            rows.insert(number, cells);
            lines.insert(number, line);
        }
    }
    let mut all = blocks("", &rows, &BTreeSet::new());
    all.retain(|block| !matches!(block.kind, Kind::Heading(..)));
    let line = |place: &mut Place| {
        *place = Place::line(lines.get(&place.number).copied().unwrap_or(place.number));
    };
    for block in &mut all {
        line(&mut block.place);
        match &mut block.kind {
            Kind::Table(table) => table.rows.iter_mut().for_each(|row| line(&mut row.place)),
            Kind::List(_, items) => {
                for item in items {
                    line(&mut item.place);
                    item.blocks.iter_mut().for_each(|block| line(&mut block.place));
                }
            }
            _ => {}
        }
    }
    Ok(Document { blocks: all, ..Document::default() })
}
