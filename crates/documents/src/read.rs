//! Documents of every format, read into one tree.
//!
//! Everything here is somebody else's file: it may be damaged, or made to do
//! harm. No reader opens anything but the bytes it is given, none keeps more in
//! memory than [`LARGEST`] times a small number, and nesting has an end.

mod comments;
mod csv_file;
mod html;
mod html_hidden;
mod jira;
mod markdown;
mod odf;
mod package;
mod servicenow;
mod sheet;
mod sheet_hidden;
mod tidy;
mod wiki;
mod word;

use crate::tree::Document;

/// No document is read that is larger than this, in bytes.
pub const LARGEST: usize = 32 * 1024 * 1024;
/// No text is read that is larger than this: longer than any plan by far.
pub const LARGEST_TEXT: usize = 8 * 1024 * 1024;
/// Lists in lists in tables deeper than this are not followed.
pub(crate) const DEEPEST: usize = 64;
/// More parts than this, and it is no document for people.
pub(crate) const MOST_BLOCKS: usize = 400_000;

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Markdown, GitHub's kind, with what kramdown and front matter add.
    Markdown,
    /// A web page.
    Html,
    /// Word 2007 and later.
    Word,
    /// Excel 2007 and later.
    Excel,
    /// OpenDocument spreadsheet.
    Ods,
    /// Values between commas, semicolons or tabs.
    Csv,
    /// A change record as ServiceNow's Table API gives it.
    ServiceNow,
    /// An issue as Jira's REST API gives it.
    Jira,
}

impl Format {
    /// The name of the format for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Markdown => "Markdown",
            Self::Html => "HTML",
            Self::Word => "Word",
            Self::Excel => "Excel",
            Self::Ods => "OpenDocument spreadsheet",
            Self::Csv => "CSV",
            Self::ServiceNow => "ServiceNow record",
            Self::Jira => "Jira issue",
        }
    }
}

/// Why a document was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unreadable {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Unreadable {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Finds out what a file is: by its first bytes, then by its name.
///
/// # Errors
/// [`Unreadable`] for formats that are known but not read, with what to do instead.
pub fn detect(name: &str, bytes: &[u8]) -> Result<Format, Unreadable> {
    let lower = name.to_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| lower.ends_with(ending));
    let known = |what: &str, how: &str| Err(Unreadable::new(format!("this is {what}")).hint(how));
    if bytes.is_empty() {
        return Err(Unreadable::new("there is nothing in this file"));
    }
    if bytes.len() > LARGEST {
        let most = LARGEST / (1024 * 1024);
        return Err(Unreadable::new(format!("this file is larger than {most} MB"))
            .hint("save the part about the backout as a file of its own, without pictures"));
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return package::detect(bytes);
    }
    if bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        return known(
            "an old or encrypted Office file (.doc, .xls)",
            "open it and save it as .docx or .xlsx, without a password",
        );
    }
    if bytes.starts_with(b"%PDF") {
        return known("a PDF", "import the document it was made from, or save it as Word first");
    }
    if bytes.starts_with(b"{\\rtf") {
        return known("RTF", "open it and save it as .docx");
    }
    if ends(&[".rst"]) {
        return known(
            "reStructuredText",
            "convert it first: `pandoc -f rst -t gfm FILE -o FILE.md`, then import that",
        );
    }
    if ends(&[".adoc", ".asciidoc"]) {
        return known(
            "AsciiDoc",
            "convert it first: `asciidoctor FILE`, then import the page it makes",
        );
    }
    if ends(&[".docx", ".docm", ".xlsx", ".xlsm", ".ods"]) {
        return Err(Unreadable::new("this is not the Office file its name says it is")
            .hint("open it and save it again"));
    }
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]);
    let begins = text.trim_start_matches('\u{feff}').trim_start();
    if ends(&[".csv", ".tsv"]) {
        return Ok(Format::Csv);
    }
    if ends(&[".json"]) || begins.starts_with('{') || begins.starts_with("[{") {
        return json_kind(bytes);
    }
    let page = begins.get(..14).unwrap_or(begins).to_lowercase();
    if ends(&[".html", ".htm", ".xhtml"])
        || page.starts_with("<!doctype html")
        || page.starts_with("<html")
    {
        return Ok(Format::Html);
    }
    // Text in two bytes a letter says so by its mark, and has many zeroes.
    let wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    if !wide && bytes[..bytes.len().min(4096)].contains(&0) {
        return Err(Unreadable::new("this is not a document that can be read")
            .hint("Markdown, HTML, Word, Excel, ODS, CSV, and ServiceNow or Jira JSON are read"));
    }
    Ok(Format::Markdown)
}

fn json_kind(bytes: &[u8]) -> Result<Format, Unreadable> {
    let value = json(bytes)?;
    let first = match &value {
        serde_json::Value::Array(items) => items.first(),
        value => Some(value),
    };
    let has =
        |keys: &[&str]| first.is_some_and(|value| keys.iter().any(|key| value.get(key).is_some()));
    if has(&["fields", "issues"]) || first.and_then(|v| v.get("type")).is_some_and(|t| t == "doc") {
        return Ok(Format::Jira);
    }
    if has(&[
        "result",
        "records",
        "backout_plan",
        "short_description",
        "implementation_plan",
        "sys_id",
    ]) {
        return Ok(Format::ServiceNow);
    }
    Err(Unreadable::new("this JSON is neither a ServiceNow change record nor a Jira issue")
        .hint("save what `/api/now/table/change_request` or `/rest/api/3/issue/KEY` answers"))
}

pub(crate) fn json(bytes: &[u8]) -> Result<serde_json::Value, Unreadable> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|error| {
        Unreadable::new(format!("this is not JSON: {error}"))
            .hint("save the answer of the API as it is")
    })
}

/// Reads a document. `record` chooses among several records of a ticket file.
///
/// # Errors
/// [`Unreadable`], with what to do about it.
pub fn read(format: Format, bytes: &[u8], record: Option<&str>) -> Result<Document, Unreadable> {
    read_with(format, bytes, record, Sight::Shown)
}

/// Reads a document with its hidden rows, columns and sheets, as if they were shown:
/// a checklist on which people hid or filtered rows while they worked is still the
/// whole checklist.
///
/// # Errors
/// [`Unreadable`], with what to do about it.
pub fn read_whole(format: Format, bytes: &[u8]) -> Result<Document, Unreadable> {
    read_with(format, bytes, None, Sight::All)
}

/// How much of a document is read as its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// What whoever opens it sees; the rest is set aside.
    Shown,
    /// Hidden rows, columns and sheets too.
    All,
}

fn read_with(
    format: Format,
    bytes: &[u8],
    record: Option<&str>,
    sight: Sight,
) -> Result<Document, Unreadable> {
    let mut document = match format {
        Format::Markdown => markdown::read(&text(bytes)?, 0),
        Format::Html => {
            let text = text(bytes)?;
            html::guard(&text)?;
            html::read(&text)
        }
        Format::Word => word::read(bytes)?,
        Format::Excel => sheet::read(bytes, sight)?,
        Format::Ods => odf::read(bytes, sight)?,
        Format::Csv => csv_file::read(&text(bytes)?)?,
        Format::ServiceNow => servicenow::read(bytes, record)?,
        Format::Jira => jira::read(bytes, record)?,
    };
    tidy::tidy(&mut document);
    Ok(document)
}

/// The text of a file: UTF-8, UTF-16 with its mark, or what old Windows programs write.
fn text(bytes: &[u8]) -> Result<String, Unreadable> {
    if bytes.len() > LARGEST_TEXT {
        let most = LARGEST_TEXT / (1024 * 1024);
        return Err(Unreadable::new(format!("this text is larger than {most} MB"))
            .hint("import the part about the backout"));
    }
    let wide = |bytes: &[u8], join: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| join([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    Ok(match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        bytes => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => encoding_rs::WINDOWS_1252.decode(bytes).0.into_owned(),
        },
    })
}
