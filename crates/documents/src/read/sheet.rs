//! Excel workbooks: each sheet is a heading, each block of filled rows a table.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use calamine::{DataRef, Reader, Xlsx};

use super::package::Package;
use super::{MOST_BLOCKS, Sight, Unreadable, comments, sheet_hidden};
use crate::tree::{Block, Cell, Document, Inline, Item, Kind, Place, Row, Table, text_of};
use crate::workbook::FILE;

/// Columns beyond this are not looked at.
pub(super) const MOST_COLUMNS: usize = 256;

pub(super) fn read(bytes: &[u8], sight: Sight) -> Result<Document, Unreadable> {
    let mut package = Package::open(bytes)?;
    package.guard()?;
    let hidden = match sight {
        Sight::Shown => sheet_hidden::hidden(&mut package)?,
        Sight::All => BTreeMap::new(),
    };
    let damaged = |error: calamine::XlsxError| {
        Unreadable::new(format!("this workbook cannot be read: {error}"))
            .hint("open it in its own program and save it again")
    };
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(damaged)?;
    let mut document = Document::default();
    for name in workbook.sheet_names() {
        let mut rows: Rows = BTreeMap::new();
        let mut count = 0_usize;
        // Cell by cell: a sheet with one cell at each far corner is no large sheet.
        let Ok(mut cells) = workbook.worksheet_cells_reader(&name) else { continue };
        while let Some(cell) = cells.next_cell().map_err(damaged)? {
            let (row, column) = cell.get_position();
            let text = shown(cell.get_value());
            let nothing = if name == FILE { text.is_empty() } else { text.trim().is_empty() };
            if nothing || column as usize >= MOST_COLUMNS {
                continue;
            }
            count += 1;
            if count > MOST_BLOCKS {
                return Err(Unreadable::new(format!(
                    "sheet {name} has more than {MOST_BLOCKS} filled cells"
                )));
            }
            rows.entry(row as usize + 1).or_default().insert(column as usize, text);
        }
        let unseen = hidden.get(&name).cloned().unwrap_or_default();
        let shown = sheet_hidden::take_out(&name, rows, &unseen, &mut document.hidden);
        document.blocks.extend(blocks(&name, &shown, &unseen.rows));
    }
    document.blocks.extend(comments::read(&mut package)?);
    Ok(document)
}

pub(super) type Rows = BTreeMap<usize, BTreeMap<usize, String>>;

/// What a cell shows, as far as that can be told without its format.
fn shown(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        DataRef::DateTime(at) => moment(at.as_f64(), at.is_duration()),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    }
}

/// Excel counts days since the end of 1899. A fraction alone is a time of day or a length.
fn moment(days: f64, duration: bool) -> String {
    if !days.is_finite() || !(0.0..2_958_466.0).contains(&days) {
        return String::new();
    }
    let seconds = (days.fract() * 86_400.0).round() as i64;
    let clock = |seconds: i64| {
        format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    };
    if duration || days < 1.0 {
        return clock((days * 86_400.0).round() as i64);
    }
    let first = jiff::civil::date(1899, 12, 30);
    let Ok(date) = first.checked_add(jiff::Span::new().days(days as i64)) else {
        return String::new();
    };
    if seconds == 0 { date.to_string() } else { format!("{date} {}", clock(seconds)) }
}

/// The rows of a sheet as blocks: a filled cell alone in its row is a line of
/// text, rows without a gap between them are a table. Where rows are hidden, those
/// beside them touch.
pub(super) fn blocks(name: &str, rows: &Rows, hidden: &BTreeSet<usize>) -> Vec<Block> {
    let place = Place { unit: format!("sheet {name}, row").into(), number: 1 };
    let mut blocks = Vec::new();
    if rows.is_empty() {
        return blocks;
    }
    blocks.push(Block { place: place.clone(), kind: Kind::Heading(1, vec![Inline::plain(name)]) });
    if name == FILE {
        blocks.push(Block { place, kind: Kind::Code(Some("yaml".to_owned()), file(rows)) });
        return blocks;
    }
    let mut group: Vec<(usize, &BTreeMap<usize, String>)> = Vec::new();
    let mut previous = 0;
    for (number, cells) in rows {
        let between = number - previous - 1;
        if between > hidden.range(previous + 1..*number).count() {
            flush(&place, &mut group, &mut blocks);
        }
        group.push((*number, cells));
        previous = *number;
    }
    flush(&place, &mut group, &mut blocks);
    blocks
}

/// The plan file of our own workbooks: a line of it per row, an empty one where
/// there is none.
fn file(rows: &Rows) -> String {
    let last = rows.keys().next_back().copied().unwrap_or(0);
    let line = |row: usize| {
        rows.get(&row).map_or_else(String::new, |cells| cells.values().cloned().collect())
    };
    (1..=last).map(line).collect::<Vec<String>>().join("\n")
}

fn flush(
    place: &Place,
    group: &mut Vec<(usize, &BTreeMap<usize, String>)>,
    blocks: &mut Vec<Block>,
) {
    let mut rows = std::mem::take(group);
    // Titles above a table: lone cells in the first rows.
    let wide = rows.iter().any(|(_, cells)| cells.len() > 1);
    while let Some((number, cells)) = rows.first() {
        if cells.len() > 1 || !wide && rows.len() > 1 {
            break;
        }
        let text: String = cells.values().next().cloned().unwrap_or_default();
        blocks.push(Block {
            place: place.at(*number),
            kind: Kind::Paragraph(vec![Inline::plain(text)]),
        });
        rows.remove(0);
    }
    if rows.is_empty() {
        return;
    }
    let first =
        rows.iter().filter_map(|(_, cells)| cells.keys().next()).min().copied().unwrap_or(0);
    let last = width(&rows);
    let line = |cells: &BTreeMap<usize, String>| -> Vec<Cell> {
        let cell =
            |column| cells.get(&column).map_or_else(Vec::new, |text| vec![Inline::plain(text)]);
        (first..=last).map(cell).collect()
    };
    let start = rows[0].0;
    if let Some(items) = numbered(place, &rows) {
        blocks.push(Block { place: place.at(start), kind: Kind::List(true, items) });
        return;
    }
    let mut table = Table::default();
    for (number, cells) in &rows {
        table.rows.push(Row { place: place.at(*number), cells: line(cells) });
    }
    if table.rows.len() > 1 {
        table.head = table.rows.remove(0).cells;
        while table.head.last().is_some_and(|cell| text_of(cell).is_empty())
            && table.rows.iter().all(|row| row.cells.len() < table.head.len())
        {
            table.head.pop();
        }
    }
    blocks.push(Block { place: place.at(start), kind: Kind::Table(table) });
    // What stands beside the table is a remark of its own, not a column of it.
    for (number, cells) in &rows {
        for text in cells.range(last + 1..).map(|(_, text)| text) {
            let kind = Kind::Paragraph(vec![Inline::plain(text.as_str())]);
            blocks.push(Block { place: place.at(*number), kind });
        }
    }
}

/// Rows of a number and a text each, counted from 1: a numbered list, without a head.
fn numbered(place: &Place, rows: &[(usize, &BTreeMap<usize, String>)]) -> Option<Vec<Item>> {
    let item = |(at, (row, cells)): (usize, &(usize, &BTreeMap<usize, String>))| {
        let mut cells = cells.values();
        let (number, text, more) = (cells.next()?, cells.next()?, cells.next());
        let counts = number.trim().trim_end_matches(['.', ')']).parse() == Ok(at + 1);
        let words = text.trim().contains(char::is_alphabetic);
        let place = place.at(*row);
        let kind = Kind::Paragraph(vec![Inline::plain(text.trim())]);
        (counts && words && more.is_none()).then(|| Item {
            place: place.clone(),
            ticked: None,
            blocks: vec![Block { place, kind }],
        })
    };
    rows.iter().enumerate().map(item).collect()
}

/// The last column of a table: that of its head, and behind it those without a
/// heading as long as at least half of the rows fill them.
fn width(rows: &[(usize, &BTreeMap<usize, String>)]) -> usize {
    let far = |cells: &BTreeMap<usize, String>| cells.keys().next_back().copied().unwrap_or(0);
    let head = rows.first().map_or(0, |(_, cells)| far(cells));
    let widest = rows.iter().map(|(_, cells)| far(cells)).max().unwrap_or(head);
    let filled = |column: usize| {
        2 * rows[1..].iter().filter(|(_, cells)| cells.contains_key(&column)).count()
            >= rows.len() - 1
    };
    (head + 1..=widest).rev().find(|column| filled(*column)).unwrap_or(head)
}
