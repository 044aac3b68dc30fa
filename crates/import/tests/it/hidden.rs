//! What a document holds and does not show is no step, no role and no trigger. It is
//! kept as a note that says what was hidden, and where.

use backout_documents::read::{self, Format};
use rust_xlsxwriter::{Workbook, Worksheet};

use crate::care::{imported, labels};
use crate::hostile::archive;

/// The notes of a document, with where they come from.
fn kept(imported: &backout_import::Imported) -> Vec<(String, String)> {
    imported.plan.notes.iter().map(|note| (note.from.clone(), note.text.clone())).collect()
}

fn fill(sheet: &mut Worksheet, rows: &[[&str; 4]]) {
    for (row, cells) in rows.iter().enumerate() {
        for (column, text) in cells.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
            let (row, column) =
                (u32::try_from(row).expect("few"), u16::try_from(column).expect("few"));
            sheet.write(row, column, *text).expect("written");
        }
    }
}

const ROWS: [[&str; 4]; 5] = [
    ["Step", "Action", "Owner", "Duration"],
    ["1", "Stop the service", "Ops", "5 min"],
    ["2", "OLD: reboot everything", "Nightshift", "5 min"],
    ["3", "OLD: drop the database", "Contractor", "5 min"],
    ["4", "Start the service", "Ops", "5 min"],
];

/// A workbook with a sheet of steps that is changed before it is written.
fn workbook(change: impl FnOnce(&mut Worksheet)) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("Rollback").expect("a name");
    fill(sheet, &ROWS);
    change(sheet);
    book.save_to_buffer().expect("a workbook")
}

#[test]
fn hidden_rows_of_a_workbook_are_no_steps() {
    let by_hand = workbook(|sheet| {
        sheet.set_row_hidden(2).expect("a row").set_row_hidden(3).expect("a row");
    });
    let of_no_height = workbook(|sheet| {
        sheet.set_row_height(2, 0).expect("a row").set_row_height(3, 0).expect("a row");
    });
    let in_a_group = workbook(|sheet| {
        sheet.group_rows_collapsed(2, 3).expect("rows");
    });
    let filtered = workbook(|sheet| {
        sheet.autofilter(0, 0, 4, 3).expect("a filter");
        let only = rust_xlsxwriter::FilterCondition::new().add_list_filter("Ops");
        sheet.filter_column(2, &only).expect("a filter");
    });
    for (how, bytes) in [
        ("by hand", by_hand),
        ("of no height", of_no_height),
        ("in a group", in_a_group),
        ("filtered", filtered),
    ] {
        let found = imported("x.xlsx", &bytes);
        assert_eq!(labels(&found), ["Stop the service", "Start the service"], "{how}");
        let roles: Vec<&str> = found.plan.roles.keys().map(|role| role.as_str()).collect();
        assert_eq!(roles, ["ops"], "{how}");
        assert_eq!(
            kept(&found),
            [(
                "sheet Rollback, row 3, hidden rows 3 to 4".to_owned(),
                "2 | OLD: reboot everything | Nightshift | 5 min\n3 | OLD: drop the database | Contractor | 5 min".to_owned()
            )],
            "{how}"
        );
    }
    // Nothing is hidden: nothing changes.
    let found = imported("x.xlsx", &workbook(|_| {}));
    assert_eq!((labels(&found).len(), found.plan.notes.len()), (4, 0));
}

#[test]
fn hidden_columns_of_a_workbook_are_nothing_of_a_step() {
    for hide in [0, 1] {
        let bytes = workbook(|sheet| {
            if hide == 0 {
                sheet.set_column_hidden(2).expect("a column");
            } else {
                sheet.set_column_width(2, 0).expect("a column");
            }
        });
        let found = imported("x.xlsx", &bytes);
        assert_eq!(labels(&found).len(), 4);
        assert!(found.plan.roles.is_empty(), "{:?}", found.plan.roles);
        let takes = found.plan.steps.iter().filter(|step| step.takes.is_some()).count();
        assert_eq!(takes, 4, "the column beside the hidden one is read");
        assert_eq!(
            kept(&found),
            [(
                "sheet Rollback, row 1, hidden column C".to_owned(),
                "Owner\nOps\nNightshift\nContractor\nOps".to_owned()
            )]
        );
    }
}

#[test]
fn hidden_sheets_of_a_workbook_are_no_part_of_the_plan() {
    for very in [false, true] {
        let mut book = Workbook::new();
        fill(book.add_worksheet().set_name("Rollback").expect("a name"), &ROWS[..2]);
        let mut hide = |name: &str, rows: &[[&str; 4]]| {
            let sheet = book.add_worksheet().set_name(name).expect("a name");
            fill(sheet, rows);
            if very {
                sheet.set_very_hidden(true);
            } else {
                sheet.set_hidden(true);
            }
        };
        hide("Rollback old", &ROWS[2..3]);
        hide(
            "Contacts",
            &[["Role", "Name", "Phone", ""], ["DBA", "Mike Brown", "+44 20 7946 0105", ""]],
        );
        hide(
            "Rollback triggers",
            &[["Trigger", "Threshold", "", ""], ["Error rate", "> 5 %", "", ""]],
        );
        let found = imported("x.xlsx", &book.save_to_buffer().expect("a workbook"));
        assert_eq!(labels(&found), ["Stop the service"]);
        assert!(found.plan.triggers.is_empty() && found.plan.roles.len() == 1);
        let kept = kept(&found);
        assert_eq!(kept.len(), 3, "{kept:?}");
        assert_eq!(kept[0].0, "sheet Rollback old, row 1, hidden sheet");
        assert!(kept[1].1.contains("Mike Brown") && kept[2].1.contains("Error rate"), "{kept:?}");
    }
}

fn ods(styles: &str, sheets: &str) -> Vec<u8> {
    let xml = format!(
        "<office:document-content xmlns:office=\"o\" xmlns:table=\"t\" xmlns:text=\"x\" xmlns:style=\"s\"><office:automatic-styles>{styles}</office:automatic-styles><office:body>{sheets}</office:body></office:document-content>"
    );
    archive(&[
        ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
        ("content.xml", xml.as_bytes()),
    ])
}

/// A row of an OpenDocument sheet.
fn ods_row(attributes: &str, cells: &[&str]) -> String {
    let cells: String = cells
        .iter()
        .map(|text| format!("<table:table-cell><text:p>{text}</text:p></table:table-cell>"))
        .collect();
    format!("<table:table-row {attributes}>{cells}</table:table-row>")
}

#[test]
fn what_an_opendocument_sheet_hides_is_no_part_of_the_plan() {
    let head = ods_row("", &["Step", "Action", "Owner", "Duration"]);
    let first = ods_row("", &["1", "Stop the service", "Ops", "5 min"]);
    let last = ods_row("", &["3", "Start the service", "Ops", "5 min"]);
    let old = ["2", "OLD: reboot everything", "Nightshift", "5 min"];
    let sheet = |name: &str, columns: &str, rows: &str| {
        format!("<table:table table:name=\"{name}\">{columns}{rows}</table:table>")
    };
    for middle in [
        ods_row("table:visibility=\"collapse\"", &old),
        ods_row("table:visibility=\"filter\"", &old),
        format!(
            "<table:table-row-group table:display=\"false\">{}</table:table-row-group>",
            ods_row("", &old)
        ),
    ] {
        let bytes = ods("", &sheet("Rollback", "", &format!("{head}{first}{middle}{last}")));
        let found = imported("x.ods", &bytes);
        assert_eq!(labels(&found), ["Stop the service", "Start the service"], "{middle}");
        assert_eq!(
            kept(&found),
            [(
                "sheet Rollback, row 3, hidden row".to_owned(),
                "2 | OLD: reboot everything | Nightshift | 5 min".to_owned()
            )]
        );
    }
    let columns = "<table:table-column table:number-columns-repeated=\"2\"/><table:table-column table:visibility=\"collapse\"/><table:table-column/>";
    let found =
        imported("x.ods", &ods("", &sheet("Rollback", columns, &format!("{head}{first}{last}"))));
    assert_eq!((labels(&found).len(), found.plan.roles.len()), (2, 0));
    assert_eq!(kept(&found)[0].0, "sheet Rollback, row 1, hidden column C");
    let style = "<style:style style:name=\"ta2\" style:family=\"table\"><style:table-properties table:display=\"false\"/></style:style>";
    let hidden = sheet("Rollback old", "", &format!("{head}{}", ods_row("", &old)))
        .replace("table:name", "table:style-name=\"ta2\" table:name");
    let shown = sheet("Rollback", "", &format!("{head}{first}"));
    let found = imported("x.ods", &ods(style, &format!("{hidden}{shown}")));
    assert_eq!(labels(&found), ["Stop the service"]);
    assert_eq!(kept(&found)[0].0, "sheet Rollback old, row 1, hidden sheet");
}

#[test]
fn hidden_text_of_a_word_document_is_no_step() {
    let paragraph =
        |properties: &str, text: &str| format!("<w:p><w:pPr>{properties}</w:pPr>{text}</w:p>");
    let run = |properties: &str, text: &str| {
        format!("<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>")
    };
    let heading = "<w:pStyle w:val=\"Heading2\"/>";
    let item = "<w:numPr><w:ilvl w:val=\"0\"/><w:numId w:val=\"1\"/></w:numPr>";
    let body = [
        paragraph(heading, &run("", "Rollback steps")),
        paragraph(item, &run("", "Stop the service")),
        paragraph(item, &run("<w:vanish/>", "Reboot everything")),
        paragraph(&format!("<w:pStyle w:val=\"Gone\"/>{item}"), &run("", "Drop the database")),
        paragraph(item, &run("<w:rStyle w:val=\"Unseen\"/>", "Call Mike")),
        paragraph(
            item,
            &format!(
                "{}{}",
                run("", "Start the service"),
                run("<w:vanish w:val=\"1\"/>", " twice")
            ),
        ),
        paragraph(item, &run("<w:vanish w:val=\"0\"/>", "Look at the log")),
    ]
    .concat();
    let document = format!("<w:document xmlns:w=\"x\"><w:body>{body}</w:body></w:document>");
    let styles = "<w:styles xmlns:w=\"x\"><w:style w:styleId=\"Heading2\"><w:name w:val=\"heading 2\"/></w:style><w:style w:styleId=\"Gone\"><w:name w:val=\"Gone\"/><w:rPr><w:vanish/></w:rPr></w:style><w:style w:styleId=\"Unseen\"><w:name w:val=\"Unseen\"/><w:rPr><w:vanish/></w:rPr></w:style></w:styles>";
    let numbering = "<w:numbering xmlns:w=\"x\"><w:abstractNum w:abstractNumId=\"0\"><w:lvl w:ilvl=\"0\"><w:numFmt w:val=\"decimal\"/></w:lvl></w:abstractNum><w:num w:numId=\"1\"><w:abstractNumId w:val=\"0\"/></w:num></w:numbering>";
    let bytes = archive(&[
        ("word/document.xml", document.as_bytes()),
        ("word/styles.xml", styles.as_bytes()),
        ("word/numbering.xml", numbering.as_bytes()),
    ]);
    let found = imported("x.docx", &bytes);
    assert_eq!(labels(&found), ["Stop the service", "Start the service", "Look at the log"]);
    let kept: Vec<String> =
        kept(&found).into_iter().map(|(from, text)| format!("{from}: {text}")).collect();
    assert_eq!(
        kept,
        [
            "paragraph 3, hidden text: Reboot everything",
            "paragraph 4, hidden text: Drop the database",
            "paragraph 5, hidden text: Call Mike",
            "paragraph 6, hidden text: twice",
        ]
    );
    let row = |properties: &str, cells: [&str; 2]| {
        let cell = |text: &str| format!("<w:tc><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>");
        format!("<w:tr><w:trPr>{properties}</w:trPr>{}{}</w:tr>", cell(cells[0]), cell(cells[1]))
    };
    let table = format!(
        "<w:tbl>{}{}{}{}</w:tbl>",
        row("", ["Action", "Owner"]),
        row("", ["Stop the service", "Ops"]),
        row("<w:hidden/>", ["Reboot everything", "Nightshift"]),
        row("", ["Start the service", "Ops"])
    );
    let document = format!(
        "<w:document xmlns:w=\"x\"><w:body>{}{table}</w:body></w:document>",
        paragraph(heading, &run("", "Rollback steps"))
    );
    let bytes = archive(&[
        ("word/document.xml", document.as_bytes()),
        ("word/styles.xml", styles.as_bytes()),
    ]);
    let found = imported("x.docx", &bytes);
    assert_eq!(labels(&found), ["Stop the service", "Start the service"]);
    assert!(
        found.plan.notes.iter().any(|note| note.from.ends_with("hidden row")
            && note.text == "Reboot everything | Nightshift"),
        "{:?}",
        found.plan.notes
    );
}

#[test]
fn what_a_page_hides_is_no_step() {
    for hide in [
        "hidden",
        "style=\"display:none\"",
        "style=\"color: red; DISPLAY: none !important\"",
        "style='visibility: hidden'",
        "class=\"old now\"",
        "style=\"mso-hide:all\"",
    ] {
        let page = format!(
            "<html><head><style>p {{ color: red }} .old {{ display: none; }}</style></head><h1>Rollback plan</h1><h2>Rollback steps</h2><ol><li>Stop the service</li><li {hide}>Reboot everything</li><li>Start the service <span {hide}>twice</span></li></ol><div {hide}><h2>Contacts</h2><table><tr><th>Role</th><th>Name</th></tr><tr><td>DBA</td><td>Mike Brown</td></tr></table></div><h2>Triggers</h2><table><tr><th>Trigger</th><th>Threshold</th></tr><tr><td>Error rate</td><td>&gt; 5 %</td></tr><tr {hide}><td>Slow pages</td><td>&gt; 5 s</td></tr></table>"
        );
        let found = imported("x.html", page.as_bytes());
        assert_eq!(labels(&found), ["Stop the service", "Start the service"], "{hide}");
        assert_eq!((found.plan.triggers.len(), found.plan.roles.len()), (1, 0), "{hide}");
        let kept: Vec<String> = kept(&found)
            .into_iter()
            .filter(|(from, _)| from.ends_with(", hidden"))
            .map(|(_, text)| text)
            .collect();
        assert_eq!(
            kept,
            [
                "Reboot everything",
                "twice",
                "Contacts\nRole | Name\nDBA | Mike Brown",
                "Slow pages | > 5 s"
            ],
            "{hide}"
        );
    }
    // Rules for paper hide nothing from whoever reads the page, and a later rule shows again.
    let page = "<style>@media print { .menu { display: none } } .tab { display: none } .tab.on { display: block }</style><h1>Rollback steps</h1><ol class=\"menu\"><li>Stop the service</li></ol><div class=\"tab on\"><ol><li>Start the service</li></ol></div>";
    assert_eq!(
        labels(&imported("x.html", page.as_bytes())),
        ["Stop the service", "Start the service"]
    );
    // In Markdown, too: within one piece of HTML, and around what is Markdown again.
    let text = "# Rollback steps\n\n1. Stop the service\n\n<div style=\"display: none\">\n\n1. Reboot everything\n\n</div>\n\n<p hidden>Drop the database</p>\n";
    let found = imported("x.md", text.as_bytes());
    assert_eq!(labels(&found), ["Stop the service"]);
    let kept: Vec<String> = kept(&found).into_iter().map(|(_, text)| text).collect();
    assert_eq!(kept, ["1. Reboot everything", "Drop the database"]);
}

#[test]
fn a_checklist_of_results_is_read_with_its_filtered_rows() {
    let bytes = workbook(|sheet| {
        sheet.set_row_hidden(2).expect("a row").set_row_hidden(3).expect("a row");
    });
    let rows = |document: &backout_documents::Document| -> Vec<usize> {
        let tables = document.blocks.iter().filter_map(|block| match &block.kind {
            backout_documents::Kind::Table(table) => Some(table.rows.len()),
            _ => None,
        });
        tables.collect()
    };
    let shown = read::read(Format::Excel, &bytes, None).expect("read");
    let whole = read::read_whole(Format::Excel, &bytes).expect("read");
    assert_eq!((rows(&shown), rows(&whole)), (vec![2], vec![4]));
    assert_eq!((shown.hidden.len(), whole.hidden.len()), (1, 0));
}

/// A part of a workbook's archive with a text in it replaced.
fn replaced(bytes: &[u8], part: &str, from: &str, to: &str) -> Vec<u8> {
    use std::io::Read;
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("an archive");
    let mut parts: Vec<(String, Vec<u8>)> = Vec::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).expect("a part");
        let mut content = Vec::new();
        file.read_to_end(&mut content).expect("read");
        parts.push((file.name().expect("a name").into_owned(), content));
    }
    let (_, content) = parts.iter_mut().find(|(name, _)| name == part).expect("the part");
    let text = String::from_utf8(content.clone()).expect("text");
    assert!(text.contains(from), "{text}");
    *content = text.replace(from, to).into_bytes();
    let parts: Vec<(&str, &[u8])> =
        parts.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
    archive(&parts)
}

#[test]
fn a_hidden_plan_file_counts_only_with_the_digest_that_is_printed() {
    let source = "backout: 1\nchange:\n  title: CRM 12\nsteps:\n  - id: stop-it\n    title: Stop it\n    manual: Stop it.\n";
    let plan = backout_plan::read_bytes(source.as_bytes()).expect("a plan").plan;
    let digest = backout_core::ids::Digest::of(source.as_bytes()).to_string();
    let hide = |bytes: &[u8]| {
        let name = "name=\"Plan file\"";
        replaced(bytes, "xl/workbook.xml", name, &format!("{name} state=\"hidden\""))
    };
    let made = |digest: &str| {
        backout_documents::workbook::workbook(&plan, source, digest, &[], None).expect("written")
    };
    assert_eq!(imported("x.xlsx", &hide(&made(&digest))).text, source);
    let other = imported("x.xlsx", &hide(&made(&digest.replace(['0', '1', '2', '3'], "4"))));
    assert_ne!(other.text, source);
    assert!(
        other
            .report
            .not_taken_over
            .iter()
            .any(|told| told.why.as_deref().is_some_and(|why| why.contains("hidden"))),
        "{:?}",
        other.report.not_taken_over
    );
}
