//! Documents that are damaged, or made to do harm: each is refused with a clear
//! error or read; none hangs, none takes the program down, none writes anything.

use std::io::{Cursor, Write};

use backout_documents::read::{self, Format, LARGEST};
use backout_import::import;
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, proptest};
use zip::write::SimpleFileOptions;

pub(crate) fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).expect("a part");
        zip.write_all(bytes).expect("written");
    }
    zip.finish().expect("an archive").into_inner()
}

fn word(body: &str) -> Vec<u8> {
    let xml = format!(
        "<?xml version=\"1.0\"?><w:document xmlns:w=\"x\"><w:body>{body}</w:body></w:document>"
    );
    archive(&[("word/document.xml", xml.as_bytes())])
}

fn refused(name: &str, bytes: &[u8]) -> String {
    let error = match read::detect(name, bytes) {
        Ok(format) => read::read(format, bytes, None).expect_err("refused"),
        Err(error) => error,
    };
    format!("{} / {}", error.message, error.hint.unwrap_or_default())
}

#[test]
fn what_is_no_document_is_refused_with_what_to_do() {
    let bomb = archive(&[("word/document.xml", &vec![b' '; 120 * 1024 * 1024])]);
    assert!(bomb.len() < 1024 * 1024, "a small file that is large inside");
    let entity = b"<!DOCTYPE w [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><w:p>&e;</w:p>";
    let laughs = b"<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><w:p>&b;</w:p>";
    let all = [
        ("too large", "x.md", vec![b'a'; LARGEST + 1]),
        ("empty", "x.md", Vec::new()),
        ("a bomb", "x.docx", bomb),
        ("an entity", "x.docx", archive(&[("word/document.xml", entity)])),
        ("many laughs", "x.docx", archive(&[("word/document.xml", laughs)])),
        ("an unknown entity", "x.docx", word("<w:p><w:r><w:t>&nbsp;</w:t></w:r></w:p>")),
        ("an archive", "x.zip", archive(&[("readme.txt", b"hello")])),
        ("cut off", "x.docx", word("<w:p/>")[..60].to_vec()),
        ("no Word file", "x.docx", b"hello".to_vec()),
        ("old Word", "x.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and more".to_vec()),
        ("PDF", "x.pdf", b"%PDF-1.7 and more".to_vec()),
        ("RTF", "x.rtf", b"{\\rtf1 hello}".to_vec()),
        ("reStructuredText", "x.rst", b"Title\n=====\n".to_vec()),
        ("a program", "x.bin", b"\x7fELF\0\0\0\0".to_vec()),
        ("JSON of another kind", "x.json", b"{\"a\": 1}".to_vec()),
        ("broken JSON", "x.json", b"{\"result\": [".to_vec()),
        ("deep JSON", "x.json", [b"{\"result\":".to_vec(), b"[".repeat(100_000)].concat()),
        (
            "several records",
            "x.json",
            b"{\"result\":[{\"number\":\"A\"},{\"number\":\"B\"}]}".to_vec(),
        ),
        ("no records", "x.json", b"{\"result\":[]}".to_vec()),
    ];
    let told: Vec<String> =
        all.iter().map(|(what, name, bytes)| format!("{what}: {}", refused(name, bytes))).collect();
    insta::assert_snapshot!("refused", told.join("\n"));
}

#[test]
fn what_is_nested_without_end_is_read_as_far_as_anybody_would() {
    let deep = |open: &str, close: &str| format!("{}x{}", open.repeat(3_000), close.repeat(3_000));
    for (name, text) in [
        ("x.md", "> ".repeat(5_000) + "x"),
        ("x.md", (0..1500).map(|depth| format!("{}- x\n", "  ".repeat(depth))).collect()),
        ("x.html", deep("<div>", "</div>")),
        ("x.html", deep("<b>", "</b>")),
        ("x.html", deep("<table><tr><td>", "</td></tr></table>")),
        ("x.html", deep("<ul><li>", "</li></ul>")),
    ] {
        let format = read::detect(name, text.as_bytes()).expect("a format");
        // Pages nested beyond all measure are refused, the rest is read.
        if let Ok(document) = read::read(format, text.as_bytes(), None) {
            let _ = import(&document, format, "x");
        }
    }
    for body in [
        deep("<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>"),
        deep("<w:p>", "</w:p>"),
        deep("<w:sdt>", "</w:sdt>"),
    ] {
        let bytes = word(&body);
        // Tables in tables beyond all measure are refused, the rest is read.
        if let Ok(document) = read::read(Format::Word, &bytes, None) {
            let _ = import(&document, Format::Word, "x");
        }
    }
}

#[test]
fn a_spreadsheet_that_claims_to_be_endless_is_not_believed() {
    let content = |cell: &str| {
        let xml = format!(
            "<office:document-content xmlns:office=\"o\" xmlns:table=\"t\" xmlns:text=\"x\"><table:table table:name=\"Backout\">{cell}</table:table></office:document-content>"
        );
        archive(&[
            ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
            ("content.xml", xml.as_bytes()),
        ])
    };
    let cell = |rows: &str, columns: &str| {
        format!(
            "<table:table-row table:number-rows-repeated=\"{rows}\"><table:table-cell table:number-columns-repeated=\"{columns}\"><text:p>x</text:p></table:table-cell></table:table-row>"
        )
    };
    let error =
        read::read(Format::Ods, &content(&cell("1000000000", "1")), None).expect_err("refused");
    assert!(error.message.contains("too often"), "{error}");
    // Far to the right nobody looks; the first columns are kept.
    assert!(read::read(Format::Ods, &content(&cell("1", "4000000000")), None).is_ok());
    assert!(
        read::read(
            Format::Ods,
            &content(&cell("18446744073709551615", "18446744073709551615")),
            None
        )
        .is_err()
    );
    // One cell at each far corner of a sheet is two cells.
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_string(0, 0, "a").expect("written");
    sheet.write_string(1_048_575, 16_383, "b").expect("written");
    let bytes = book.save_to_buffer().expect("a workbook");
    let document = read::read(Format::Excel, &bytes, None).expect("read");
    assert!(document.blocks.len() < 10);
}

/// What makes a line something else.
const MARKS: [&str; 22] = [
    "1. ",
    "- ",
    "# ",
    "## Rollback ",
    "### Step 2",
    "| a | b |",
    "**",
    "```",
    ":",
    "N/A",
    "(DBA)",
    "[x]",
    "> ",
    "\\",
    "&",
    "<b hidden>",
    "\u{202e}",
    "'",
    "\"",
    "Verification:",
    "|---|",
    "Owner: ",
];

/// The plan file of an import reads as its plan.
fn reads_back(imported: &backout_import::Imported) {
    match backout_plan::read_bytes(imported.text.as_bytes()) {
        Ok(read) => assert_eq!(read.plan, imported.plan),
        Err((_, problems)) => {
            panic!("{}\n{}", problems[0].render("plan", &imported.text, false), imported.text)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the bytes are, there is an answer.
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..600), name in "[a-z]{1,3}\\.(md|html|csv|json|docx|xlsx|ods|txt)") {
        if let Ok(format) = read::detect(&name, &bytes)
            && let Ok(document) = read::read(format, &bytes, None)
        {
            let imported = import(&document, format, "x");
            let text = backout_plan::emit::emit(&imported.plan, None).expect("written");
            let read = backout_plan::read_bytes(text.as_bytes());
            prop_assert!(read.is_ok(), "{text}");
        }
    }

    /// Examples with pieces cut, doubled and swapped still become plans that can be read.
    #[test]
    fn mangled_documents_become_plans_that_can_be_read(
        which in 0..crate::ALL.len(), edits in prop::collection::vec((any::<prop::sample::Index>(), 0..5_u8, "[ -~]{0,9}"), 1..8),
    ) {
        let (name, record) = crate::ALL[which];
        let bytes = std::fs::read(crate::folder().join(name)).expect("readable");
        let mangled = match String::from_utf8(bytes.clone()) {
            Ok(text) => {
                let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
                for (at, kind, with) in edits {
                    let at = at.index(lines.len());
                    match kind {
                        0 => { lines.remove(at); if lines.is_empty() { lines.push(String::new()); } }
                        1 => lines.insert(at, lines[at].clone()),
                        2 => lines[at].push_str(&with),
                        3 => lines[at].insert_str(0, &with),
                        _ => { let half = lines[at].chars().count() / 2; lines[at] = lines[at].chars().take(half).collect(); }
                    }
                }
                lines.join("\n").into_bytes()
            }
            Err(_) => {
                let mut bytes = bytes;
                for (at, _, with) in edits {
                    let at = at.index(bytes.len());
                    for (offset, byte) in with.bytes().enumerate() {
                        if let Some(old) = bytes.get_mut(at + offset) { *old = byte; }
                    }
                }
                bytes
            }
        };
        if let Ok(format) = read::detect(name, &mangled)
            && let Ok(document) = read::read(format, &mangled, record)
        {
            reads_back(&import(&document, format, "x"));
        }
    }

    /// Lines of small documents swapped, cut, marked and mixed: each is a plan that reads.
    #[test]
    fn mixed_documents_become_plans_that_can_be_read(
        which in 0..crate::cases::CASES.len(), other in 0..crate::cases::CASES.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..8_usize, 0..MARKS.len()), 1..8),
        page in any::<bool>(),
    ) {
        let mut lines: Vec<String> = crate::cases::CASES[which].lines().map(str::to_owned).collect();
        let others: Vec<&str> = crate::cases::CASES[other].lines().collect();
        for (at, from, kind, mark) in edits {
            let (at, to) = (at.index(lines.len()), from.index(lines.len()));
            let half = lines[at].chars().count() / 2;
            match kind {
                0 => lines[at].clear(),
                1 => lines.insert(at, lines[to].clone()),
                2 => lines[at].push_str(MARKS[mark]),
                3 => lines[at].insert_str(0, MARKS[mark]),
                4 => lines[at] = lines[at].chars().take(half).collect(),
                5 => lines[at] = lines[at].chars().skip(half).collect(),
                6 => lines.insert(at, others[from.index(others.len())].to_owned()),
                _ => lines.swap(at, to),
            }
        }
        let (name, text) = match page {
            false => ("x.md", lines.join("\n")),
            true => ("x.html", format!("<html><p>{}", lines.join("<p>"))),
        };
        let format = read::detect(name, text.as_bytes()).expect("a format");
        if let Ok(document) = read::read(format, text.as_bytes(), None) {
            reads_back(&import(&document, format, "x"));
        }
    }
}
