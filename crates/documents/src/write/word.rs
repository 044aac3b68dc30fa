//! Word documents, as parts of a package: styles that Word's own navigation and
//! contents understand, tables whose head repeats on each page, pictures with
//! alternative texts, page numbers.
//!
//! Written as XML, not through a library: the ones there are know neither repeated
//! table heads nor alternative texts, without which nobody can read a long table
//! on paper or a picture with a screen reader.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use quick_xml::escape::escape;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use crate::figure::png;
use crate::tree::{Block, Document, Inline, Item, Kind, Style, Table, Tone};

/// The width of text on A4 with our margins, in twentieths of a point.
const TEXT_WIDTH: u32 = 9750;
/// The same in English Metric Units, in which Word sizes pictures.
const TEXT_WIDTH_EMU: f32 = 9750.0 * 635.0;
const TEXT_HEIGHT_EMU: f32 = 8_600_000.0;

/// A document as a Word file. `subject` stands at the foot of each page.
///
/// # Errors
/// When the archive cannot be made, which takes more than 4 GB.
pub fn word(document: &Document, subject: &str) -> Result<Vec<u8>, zip::result::ZipError> {
    let mut writer = Writer::default();
    if let Some(title) = &document.title {
        writer.paragraph("Title", &[Inline::plain(title)]);
    }
    writer.blocks(&document.blocks);
    let title = document.title.as_deref().unwrap_or_default();
    let mut parts: Vec<(String, Vec<u8>)> = vec![
        ("[Content_Types].xml".to_owned(), CONTENT_TYPES.into()),
        ("_rels/.rels".to_owned(), RELS.into()),
        ("docProps/core.xml".to_owned(), core(title, subject).into()),
        ("docProps/app.xml".to_owned(), APP.into()),
        ("word/document.xml".to_owned(), writer.document().into()),
        ("word/_rels/document.xml.rels".to_owned(), writer.relations().into()),
        ("word/styles.xml".to_owned(), STYLES.into()),
        ("word/numbering.xml".to_owned(), writer.numbering().into()),
        ("word/settings.xml".to_owned(), SETTINGS.into()),
        ("word/footer1.xml".to_owned(), footer(subject).into()),
    ];
    for (index, picture) in writer.pictures.into_iter().enumerate() {
        parts.push((format!("word/media/image{}.png", index + 1), picture));
    }
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default());
    for (name, bytes) in parts {
        archive.start_file(name, options)?;
        archive.write_all(&bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

#[derive(Default)]
struct Writer {
    body: String,
    pictures: Vec<Vec<u8>>,
    links: Vec<String>,
    /// How many numbered lists there are; each counts from one.
    lists: usize,
}

/// Text that XML can hold.
fn safe(text: &str) -> String {
    let kept: String =
        text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    escape(&kept).into_owned()
}

impl Writer {
    fn blocks(&mut self, blocks: &[Block]) {
        for block in blocks {
            self.block(block, 0);
        }
    }

    fn block(&mut self, block: &Block, depth: usize) {
        match &block.kind {
            Kind::Heading(level, text) => {
                self.paragraph(&format!("Heading{}", (*level).clamp(1, 6)), text);
            }
            Kind::Paragraph(text) => self.paragraph("Normal", text),
            Kind::List(ordered, items) => self.list(*ordered, items, depth),
            Kind::Table(table) => self.table(table),
            Kind::Code(_, text) => self.code(text),
            Kind::Notice(tone, inside) => {
                let style = if *tone == Tone::Warning { "Warning" } else { "Notice" };
                for part in inside {
                    match &part.kind {
                        Kind::Paragraph(text) => self.paragraph(style, text),
                        _ => self.block(part, depth),
                    }
                }
            }
            Kind::Figure(figure) => {
                if let Some(picture) = png(&figure.scene) {
                    self.picture(
                        picture,
                        figure.scene.width,
                        figure.scene.height,
                        &figure.description,
                    );
                    self.paragraph("Caption", &[Inline::plain(&figure.caption)]);
                } else {
                    self.paragraph("Normal", &[Inline::plain(&figure.description)]);
                }
            }
            Kind::PageBreak => self.body.push_str("<w:p><w:r><w:br w:type=\"page\"/></w:r></w:p>"),
        }
    }

    fn paragraph(&mut self, style: &str, text: &[Inline]) {
        let runs = self.runs(text);
        let _ = write!(self.body, "<w:p><w:pPr><w:pStyle w:val=\"{style}\"/></w:pPr>{runs}</w:p>");
    }

    fn runs(&mut self, text: &[Inline]) -> String {
        let mut out = String::new();
        for inline in text {
            let look = match &inline.style {
                Style::Plain => String::new(),
                Style::Strong => "<w:rPr><w:b/></w:rPr>".to_owned(),
                Style::Code => "<w:rPr><w:rStyle w:val=\"CodeText\"/></w:rPr>".to_owned(),
                Style::Quiet => "<w:rPr><w:color w:val=\"4A5B6D\"/></w:rPr>".to_owned(),
                Style::Link(url) => {
                    self.links.push(url.clone());
                    let _ = write!(out, "<w:hyperlink r:id=\"link{}\">", self.links.len());
                    "<w:rPr><w:rStyle w:val=\"Hyperlink\"/></w:rPr>".to_owned()
                }
            };
            out.push_str(&run(&inline.text, &look));
            if matches!(inline.style, Style::Link(_)) {
                out.push_str("</w:hyperlink>");
            }
        }
        out
    }

    fn code(&mut self, text: &str) {
        for line in text.trim_end_matches('\n').split('\n') {
            let _ = write!(
                self.body,
                "<w:p><w:pPr><w:pStyle w:val=\"Code\"/></w:pPr>{}</w:p>",
                run(line, "")
            );
        }
        self.body.push_str("<w:p><w:pPr><w:pStyle w:val=\"AfterCode\"/></w:pPr></w:p>");
    }

    fn list(&mut self, ordered: bool, items: &[Item], depth: usize) {
        // Number 1 is the bullets; each numbered list has a number of its own.
        let number = if ordered {
            self.lists += 1;
            self.lists + 1
        } else {
            1
        };
        for item in items {
            let mut first = true;
            for part in &item.blocks {
                match &part.kind {
                    Kind::Paragraph(text) if first => {
                        let mark = match item.ticked {
                            Some(true) => "☒ ",
                            Some(false) => "☐ ",
                            None => "",
                        };
                        let runs = format!(
                            "{}{}",
                            if mark.is_empty() { String::new() } else { run(mark, "") },
                            self.runs(text)
                        );
                        let list = if item.ticked.is_some() {
                            "<w:ind w:left=\"360\" w:hanging=\"360\"/>".to_owned()
                        } else {
                            format!(
                                "<w:numPr><w:ilvl w:val=\"{}\"/><w:numId w:val=\"{number}\"/></w:numPr>",
                                depth.min(8)
                            )
                        };
                        let _ = write!(
                            self.body,
                            "<w:p><w:pPr><w:pStyle w:val=\"ListParagraph\"/>{list}</w:pPr>{runs}</w:p>"
                        );
                        first = false;
                    }
                    _ => self.block(part, depth + 1),
                }
            }
        }
    }

    fn table(&mut self, table: &Table) {
        let columns =
            table.head.len().max(table.rows.iter().map(|row| row.cells.len()).max().unwrap_or(0));
        if columns == 0 {
            return;
        }
        let shares: Vec<u32> = (0..columns)
            .map(|column| table.widths.get(column).map_or(10, |width| u32::from(*width).max(1)))
            .collect();
        let all: u32 = shares.iter().sum();
        let widths: Vec<u32> = shares.iter().map(|share| TEXT_WIDTH * share / all).collect();
        self.body.push_str("<w:tbl><w:tblPr><w:tblStyle w:val=\"PlanTable\"/><w:tblW w:w=\"0\" w:type=\"auto\"/><w:tblLayout w:type=\"fixed\"/><w:tblLook w:val=\"0420\" w:firstRow=\"1\" w:lastRow=\"0\" w:firstColumn=\"0\" w:lastColumn=\"0\" w:noHBand=\"0\" w:noVBand=\"1\"/></w:tblPr><w:tblGrid>");
        for width in &widths {
            let _ = write!(self.body, "<w:gridCol w:w=\"{width}\"/>");
        }
        self.body.push_str("</w:tblGrid>");
        if !table.head.is_empty() {
            self.row(&table.head, &widths, true);
        }
        for row in &table.rows {
            self.row(&row.cells, &widths, false);
        }
        // Two tables need a paragraph between them.
        self.body.push_str("</w:tbl><w:p><w:pPr><w:pStyle w:val=\"AfterCode\"/></w:pPr></w:p>");
    }

    fn row(&mut self, cells: &[Vec<Inline>], widths: &[u32], head: bool) {
        self.body.push_str("<w:tr><w:trPr><w:cantSplit/>");
        if head {
            self.body.push_str("<w:tblHeader/>");
        }
        self.body.push_str("</w:trPr>");
        for (column, width) in widths.iter().enumerate() {
            let text = cells.get(column).map_or(&[][..], Vec::as_slice);
            let runs = self.runs(text);
            let style = if head { "TableHead" } else { "TableText" };
            let _ = write!(
                self.body,
                "<w:tc><w:tcPr><w:tcW w:w=\"{width}\" w:type=\"dxa\"/></w:tcPr><w:p><w:pPr><w:pStyle w:val=\"{style}\"/></w:pPr>{runs}</w:p></w:tc>"
            );
        }
        self.body.push_str("</w:tr>");
    }

    fn picture(&mut self, bytes: Vec<u8>, width: f32, height: f32, description: &str) {
        self.pictures.push(bytes);
        let number = self.pictures.len();
        // 96 pixels an inch, shrunk where the page is smaller.
        let (wide, tall) = (width * 9525.0, height * 9525.0);
        let scale = (TEXT_WIDTH_EMU / wide).min(TEXT_HEIGHT_EMU / tall).min(0.85);
        let (wide, tall) = ((wide * scale) as u64, (tall * scale) as u64);
        let about = safe(description).replace('\n', " ");
        let _ = write!(
            self.body,
            "<w:p><w:pPr><w:pStyle w:val=\"Picture\"/></w:pPr><w:r><w:drawing><wp:inline distT=\"0\" distB=\"0\" distL=\"0\" distR=\"0\"><wp:extent cx=\"{wide}\" cy=\"{tall}\"/><wp:docPr id=\"{number}\" name=\"Picture {number}\" descr=\"{about}\"/><a:graphic xmlns:a=\"http://schemas.openxmlformats.org/drawingml/2006/main\"><a:graphicData uri=\"http://schemas.openxmlformats.org/drawingml/2006/picture\"><pic:pic xmlns:pic=\"http://schemas.openxmlformats.org/drawingml/2006/picture\"><pic:nvPicPr><pic:cNvPr id=\"{number}\" name=\"image{number}.png\" descr=\"{about}\"/><pic:cNvPicPr/></pic:nvPicPr><pic:blipFill><a:blip r:embed=\"image{number}\"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill><pic:spPr><a:xfrm><a:off x=\"0\" y=\"0\"/><a:ext cx=\"{wide}\" cy=\"{tall}\"/></a:xfrm><a:prstGeom prst=\"rect\"><a:avLst/></a:prstGeom></pic:spPr></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>"
        );
    }

    fn document(&self) -> String {
        format!(
            "{HEAD}<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\" xmlns:wp=\"http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing\"><w:body>{}<w:sectPr><w:footerReference w:type=\"default\" r:id=\"footer\"/><w:pgSz w:w=\"11906\" w:h=\"16838\"/><w:pgMar w:top=\"1134\" w:right=\"1078\" w:bottom=\"1134\" w:left=\"1078\" w:header=\"567\" w:footer=\"567\" w:gutter=\"0\"/></w:sectPr></w:body></w:document>",
            self.body
        )
    }

    fn relations(&self) -> String {
        const KIND: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        let mut out = format!(
            "{HEAD}<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">"
        );
        for (id, kind, target) in [
            ("styles", "styles", "styles.xml"),
            ("numbering", "numbering", "numbering.xml"),
            ("settings", "settings", "settings.xml"),
            ("footer", "footer", "footer1.xml"),
        ] {
            let _ = write!(
                out,
                "<Relationship Id=\"{id}\" Type=\"{KIND}/{kind}\" Target=\"{target}\"/>"
            );
        }
        for number in 1..=self.pictures.len() {
            let _ = write!(
                out,
                "<Relationship Id=\"image{number}\" Type=\"{KIND}/image\" Target=\"media/image{number}.png\"/>"
            );
        }
        for (index, url) in self.links.iter().enumerate() {
            let _ = write!(
                out,
                "<Relationship Id=\"link{}\" Type=\"{KIND}/hyperlink\" Target=\"{}\" TargetMode=\"External\"/>",
                index + 1,
                safe(url)
            );
        }
        out.push_str("</Relationships>");
        out
    }

    fn numbering(&self) -> String {
        let level = |level: usize, format: &str, text: &str| {
            format!(
                "<w:lvl w:ilvl=\"{level}\"><w:start w:val=\"1\"/><w:numFmt w:val=\"{format}\"/><w:lvlText w:val=\"{text}\"/><w:lvlJc w:val=\"left\"/><w:pPr><w:ind w:left=\"{}\" w:hanging=\"360\"/></w:pPr></w:lvl>",
                360 * (level + 1)
            )
        };
        let mut out = format!(
            "{HEAD}<w:numbering xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:abstractNum w:abstractNumId=\"0\"><w:multiLevelType w:val=\"hybridMultilevel\"/>"
        );
        (0..9)
            .for_each(|at| out.push_str(&level(at, "bullet", if at % 2 == 0 { "•" } else { "–" })));
        out.push_str("</w:abstractNum><w:abstractNum w:abstractNumId=\"1\"><w:multiLevelType w:val=\"multilevel\"/>");
        (0..9).for_each(|at| out.push_str(&level(at, "decimal", &format!("%{}.", at + 1))));
        out.push_str("</w:abstractNum><w:num w:numId=\"1\"><w:abstractNumId w:val=\"0\"/></w:num>");
        for list in 0..self.lists {
            let _ = write!(
                out,
                "<w:num w:numId=\"{}\"><w:abstractNumId w:val=\"1\"/><w:lvlOverride w:ilvl=\"0\"><w:startOverride w:val=\"1\"/></w:lvlOverride></w:num>",
                list + 2
            );
        }
        out.push_str("</w:numbering>");
        out
    }
}

/// Text in one look; line breaks and tabs are elements of their own.
fn run(text: &str, look: &str) -> String {
    let mut out = String::new();
    if text.is_empty() {
        return out;
    }
    let _ = write!(out, "<w:r>{look}");
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push_str("<w:br/>");
        }
        for (index, piece) in line.split('\t').enumerate() {
            if index > 0 {
                out.push_str("<w:tab/>");
            }
            if !piece.is_empty() {
                let _ = write!(out, "<w:t xml:space=\"preserve\">{}</w:t>", safe(piece));
            }
        }
    }
    out.push_str("</w:r>");
    out
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";

fn core(title: &str, subject: &str) -> String {
    format!(
        "{HEAD}<cp:coreProperties xmlns:cp=\"http://schemas.openxmlformats.org/package/2006/metadata/core-properties\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><dc:title>{}</dc:title><dc:subject>{}</dc:subject><dc:creator>backout</dc:creator><dc:language>en-GB</dc:language></cp:coreProperties>",
        safe(title),
        safe(subject)
    )
}

fn footer(subject: &str) -> String {
    let field = |name: &str| {
        format!(
            "<w:r><w:fldChar w:fldCharType=\"begin\"/></w:r><w:r><w:instrText xml:space=\"preserve\"> {name} </w:instrText></w:r><w:r><w:fldChar w:fldCharType=\"separate\"/></w:r><w:r><w:t>1</w:t></w:r><w:r><w:fldChar w:fldCharType=\"end\"/></w:r>"
        )
    };
    format!(
        "{HEAD}<w:ftr xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:p><w:pPr><w:pStyle w:val=\"Footer\"/></w:pPr><w:r><w:t xml:space=\"preserve\">{}</w:t></w:r><w:r><w:tab/><w:t xml:space=\"preserve\">Page </w:t></w:r>{}<w:r><w:t xml:space=\"preserve\"> of </w:t></w:r>{}</w:p></w:ftr>",
        safe(subject),
        field("PAGE"),
        field("NUMPAGES")
    )
}

const APP: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<Properties xmlns=\"http://schemas.openxmlformats.org/officeDocument/2006/extended-properties\"><Application>backout</Application></Properties>";
const RELS: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"rId1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\" Target=\"word/document.xml\"/><Relationship Id=\"rId2\" Type=\"http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties\" Target=\"docProps/core.xml\"/><Relationship Id=\"rId3\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/extended-properties\" Target=\"docProps/app.xml\"/></Relationships>";
const CONTENT_TYPES: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"><Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/><Default Extension=\"xml\" ContentType=\"application/xml\"/><Default Extension=\"png\" ContentType=\"image/png\"/><Override PartName=\"/word/document.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml\"/><Override PartName=\"/word/styles.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml\"/><Override PartName=\"/word/numbering.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.wordprocessingml.numbering+xml\"/><Override PartName=\"/word/settings.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.wordprocessingml.settings+xml\"/><Override PartName=\"/word/footer1.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.wordprocessingml.footer+xml\"/><Override PartName=\"/docProps/core.xml\" ContentType=\"application/vnd.openxmlformats-package.core-properties+xml\"/><Override PartName=\"/docProps/app.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.extended-properties+xml\"/></Types>";
const SETTINGS: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<w:settings xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:zoom w:percent=\"100\"/><w:defaultTabStop w:val=\"709\"/><w:characterSpacingControl w:val=\"doNotCompress\"/><w:compat><w:compatSetting w:name=\"compatibilityMode\" w:uri=\"http://schemas.microsoft.com/office/word\" w:val=\"15\"/></w:compat></w:settings>";
const STYLES: &str = include_str!("word/styles.xml");
