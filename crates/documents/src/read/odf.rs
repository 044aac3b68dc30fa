//! OpenDocument spreadsheets. A cell or row may say that it is repeated a billion
//! times, so repeats are counted before they are made.

use std::collections::{BTreeMap, HashSet};

use quick_xml::events::BytesStart;

use super::package::{Package, Tag, attribute, walk};
use super::sheet::{MOST_COLUMNS, Rows, blocks};
use super::sheet_hidden::{Unseen, take_out};
use super::{MOST_BLOCKS, Sight, Unreadable};
use crate::tree::Document;

pub(super) fn read(bytes: &[u8], sight: Sight) -> Result<Document, Unreadable> {
    let content = Package::open(bytes)?.part("content.xml")?.unwrap_or_default();
    let mut document = Document::default();
    let mut sheet = Sheet::default();
    let mut failed = None;
    // Styles of sheets that are not shown, and the style that is being read.
    let mut unseen_styles: HashSet<String> = HashSet::new();
    let mut style: Option<String> = None;
    // Inside how many groups of rows or columns that are collapsed.
    let mut collapsed: Vec<bool> = Vec::new();
    walk(&content, |tag| {
        match tag {
            Tag::Open(start) => {
                let count = |name: &str| {
                    attribute(start, name).and_then(|count| count.parse().ok()).unwrap_or(1_usize)
                };
                match start.local_name().as_ref() {
                    "style" => style = attribute(start, "name"),
                    "table-properties"
                        if attribute(start, "display").as_deref() == Some("false") =>
                    {
                        unseen_styles.extend(style.take());
                    }
                    "table" if sheet.name.is_none() => {
                        sheet = Sheet { name: attribute(start, "name"), ..Sheet::default() };
                        sheet.unseen.whole = attribute(start, "display").as_deref()
                            == Some("false")
                            || attribute(start, "style-name")
                                .is_some_and(|name| unseen_styles.contains(&name));
                    }
                    "table-row-group" | "table-column-group" => {
                        collapsed.push(attribute(start, "display").as_deref() == Some("false"));
                    }
                    "table-column" => {
                        let columns = count("number-columns-repeated").max(1);
                        let from = sheet.defined;
                        sheet.defined = from.saturating_add(columns);
                        if is_unseen(start) || collapsed.contains(&true) {
                            let end = usize::min(sheet.defined, MOST_COLUMNS);
                            sheet.unseen.columns.extend(from..end);
                        }
                    }
                    "table-row" => {
                        sheet.row_unseen = is_unseen(start) || collapsed.contains(&true);
                        sheet.repeat_row = count("number-rows-repeated");
                        sheet.column = 0;
                        sheet.cells.clear();
                    }
                    "table-cell" | "covered-table-cell" => {
                        sheet.repeat_cell = count("number-columns-repeated");
                        sheet.text.clear();
                    }
                    "p" if !sheet.text.is_empty() => sheet.text.push('\n'),
                    "line-break" => sheet.text.push('\n'),
                    "tab" => sheet.text.push('\t'),
                    "s" => sheet.text.push_str(&" ".repeat(usize::min(count("c"), 1000))),
                    "annotation" => sheet.aside += 1,
                    _ => {}
                }
                sheet.reads |= start.local_name().as_ref() == "p";
            }
            Tag::Text(text) if sheet.reads && sheet.aside == 0 => sheet.text.push_str(text),
            Tag::Text(_) => {}
            Tag::Close("p") => sheet.reads = false,
            Tag::Close("annotation") => sheet.aside = sheet.aside.saturating_sub(1),
            Tag::Close("table-cell" | "covered-table-cell") => sheet.end_cell(),
            Tag::Close("table-row") => {
                if !sheet.end_row() {
                    failed = Some(Unreadable::new(
                        "this spreadsheet repeats filled rows or cells too often",
                    ));
                }
            }
            Tag::Close("table-row-group" | "table-column-group") => {
                collapsed.pop();
            }
            Tag::Close("table") => {
                let mut done = std::mem::take(&mut sheet);
                if sight == Sight::All {
                    done.unseen = Unseen::default();
                }
                let name = done.name.unwrap_or_default();
                let shown = take_out(&name, done.rows, &done.unseen, &mut document.hidden);
                document.blocks.extend(blocks(&name, &shown, &done.unseen.rows));
            }
            Tag::Close(_) => {}
        }
        failed.take().map_or(Ok(()), Err)
    })?;
    Ok(document)
}

/// Whether a row or column says that it is not shown: hidden by hand, or by a filter.
fn is_unseen(start: &BytesStart<'_>) -> bool {
    matches!(attribute(start, "visibility").as_deref(), Some("collapse" | "filter"))
}

#[derive(Default)]
struct Sheet {
    name: Option<String>,
    rows: Rows,
    unseen: Unseen,
    row_unseen: bool,
    /// How many columns are defined so far.
    defined: usize,
    row: usize,
    column: usize,
    cells: BTreeMap<usize, String>,
    text: String,
    reads: bool,
    aside: usize,
    repeat_row: usize,
    repeat_cell: usize,
    filled: usize,
}

impl Sheet {
    fn end_cell(&mut self) {
        let text = std::mem::take(&mut self.text);
        if !text.trim().is_empty() {
            let end = usize::min(self.column.saturating_add(self.repeat_cell), MOST_COLUMNS);
            for column in self.column..end {
                self.cells.insert(column, text.clone());
            }
        }
        self.column = self.column.saturating_add(self.repeat_cell);
    }

    /// Whether there were not too many.
    fn end_row(&mut self) -> bool {
        let repeat = self.repeat_row.max(1);
        if !self.cells.is_empty() {
            self.filled = self.filled.saturating_add(self.cells.len().saturating_mul(repeat));
            if self.filled > MOST_BLOCKS {
                return false;
            }
            for extra in 1..=repeat {
                self.rows.insert(self.row + extra, self.cells.clone());
            }
        }
        // Hidden rows without text part no table either.
        if self.row_unseen && repeat <= MOST_BLOCKS {
            self.unseen.rows.extend((1..=repeat).map(|extra| self.row.saturating_add(extra)));
        }
        self.row = self.row.saturating_add(repeat);
        true
    }
}
