//! Office files are zip archives of XML. Nothing is unpacked to disk, nothing
//! is followed out of the archive, and nothing larger than its limit is inflated,
//! whatever the archive says about itself.

use std::io::{Cursor, Read};

use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use super::{Format, Unreadable};

/// All the XML of a document together, in bytes.
const LARGEST_XML: u64 = 96 * 1024 * 1024;
/// More files than this belong to no document.
const MOST_PARTS: usize = 20_000;

pub(super) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    left: u64,
}

fn damaged(error: impl std::fmt::Display) -> Unreadable {
    Unreadable::new(format!("this Office file is damaged: {error}"))
        .hint("open it in its own program and save it again")
}

pub(super) fn detect(bytes: &[u8]) -> Result<Format, Unreadable> {
    let package = Package::open(bytes)?;
    let has = |name: &str| package.archive.index_for_name(name).is_some();
    // A file with macros is read like any other: nothing in here runs anything.
    if has("word/document.xml") {
        return Ok(Format::Word);
    }
    if has("xl/workbook.xml") {
        return Ok(Format::Excel);
    }
    if has("xl/workbook.bin") {
        return Err(
            Unreadable::new("this is a binary Excel workbook (.xlsb)").hint("save it as .xlsx")
        );
    }
    if has("content.xml") && has("mimetype") {
        let mut package = package;
        let kind = package.part("mimetype")?.unwrap_or_default();
        if kind.trim() == "application/vnd.oasis.opendocument.spreadsheet" {
            return Ok(Format::Ods);
        }
        return Err(Unreadable::new(format!(
            "this is an OpenDocument file of another kind ({})",
            kind.trim()
        ))
        .hint("save it as .docx or .xlsx"));
    }
    Err(Unreadable::new("this archive is no Word, Excel or OpenDocument file")
        .hint("unpack it and import the document inside"))
}

impl<'a> Package<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
        if archive.len() > MOST_PARTS {
            return Err(Unreadable::new("this archive holds too many files to be a document"));
        }
        Ok(Self { archive, left: LARGEST_XML })
    }

    /// The text of a part, if there is one.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<String>, Unreadable> {
        let file = match self.archive.by_name(name) {
            Ok(file) => file,
            Err(zip::result::ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(damaged(error)),
        };
        let mut bytes = Vec::new();
        file.take(self.left + 1).read_to_end(&mut bytes).map_err(damaged)?;
        let size = bytes.len() as u64;
        if size > self.left {
            let most = LARGEST_XML / (1024 * 1024);
            return Err(Unreadable::new(format!(
                "unpacked, this file holds more than {most} MB of text"
            ))
            .hint("no plan is that long; is it the right file?"));
        }
        self.left -= size;
        String::from_utf8(bytes).map(Some).map_err(|_| damaged("its text is not UTF-8"))
    }

    /// The names of the parts that are wanted.
    pub(super) fn names(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<String>, Unreadable> {
        let mut names = Vec::new();
        for name in self.archive.file_names() {
            let name = name.map_err(damaged)?;
            if wanted(&name) {
                names.push(name.into_owned());
            }
        }
        Ok(names)
    }

    /// Inflates every part that a reader may want and counts, so that a reader
    /// that trusts its input can be trusted with this one.
    pub(super) fn guard(&mut self) -> Result<(), Unreadable> {
        for name in self.names(|name| name.ends_with(".xml") || name.ends_with(".rels"))? {
            self.part(&name)?;
        }
        self.left = LARGEST_XML;
        Ok(())
    }
}

/// A walk over XML that refuses what no Office program writes: document types,
/// which is where entities come from.
pub(super) fn walk(
    xml: &str,
    mut visit: impl FnMut(Tag<'_, '_>) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    let mut reader = quick_xml::Reader::from_str(xml);
    reader.config_mut().expand_empty_elements = true;
    loop {
        match reader.read_event().map_err(damaged)? {
            Event::Start(start) => visit(Tag::Open(&start))?,
            Event::End(end) => visit(Tag::Close(end.local_name().as_ref()))?,
            Event::Text(text) => {
                visit(Tag::Text(&text.xml_content(quick_xml::XmlVersion::Implicit1_0)))?;
            }
            Event::CData(text) => {
                visit(Tag::Text(&text.xml_content(quick_xml::XmlVersion::Implicit1_0)))?;
            }
            Event::GeneralRef(entity) => {
                let known = match entity.resolve_char_ref().map_err(damaged)? {
                    Some(c) => c.to_string(),
                    None => match &*entity {
                        "amp" => "&".to_owned(),
                        "lt" => "<".to_owned(),
                        "gt" => ">".to_owned(),
                        "quot" => "\"".to_owned(),
                        "apos" => "'".to_owned(),
                        other => return Err(damaged(format!("it uses the entity `{other}`"))),
                    },
                };
                visit(Tag::Text(&known))?;
            }
            Event::DocType(_) => {
                return Err(Unreadable::new(
                    "this file declares a document type, which no Office program does",
                )
                .hint("it may have been made to do harm; ask whoever sent it"));
            }
            Event::Eof => return Ok(()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::Empty(_) => {}
        }
    }
}

/// What a walk meets. Names are without their prefix.
pub(super) enum Tag<'a, 'b> {
    Open(&'a BytesStart<'b>),
    Close(&'a str),
    Text(&'a str),
}

/// The value of an attribute, by its name without prefix.
pub(super) fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    start
        .attributes()
        .flatten()
        .find(|attribute| attribute.key.local_name().as_ref() == name)
        .and_then(|attribute| {
            attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .ok()
                .map(|value| value.into_owned())
        })
}
