//! Mutated documents for every importer. Office files are mutated inside: as
//! archives they would only ever be refused as damaged.

use std::io::{Cursor, Read, Write};

use backout_documents::read::{self, Format};

use crate::{Dice, mutate};

/// A document to begin with.
pub(crate) struct Paper {
    name: String,
    bytes: Vec<u8>,
}

/// The example documents of the importer.
pub(crate) fn papers() -> Vec<Paper> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/import/tests/documents");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut papers: Vec<Paper> = entries
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let bytes = std::fs::read(entry.path()).ok().filter(|_| !name.ends_with(".py"))?;
            Some(Paper { name, bytes })
        })
        .collect();
    papers.sort_by(|a, b| a.name.cmp(&b.name));
    papers
}

/// A document like one of these, with its name.
pub(crate) fn like_one(dice: &mut Dice, papers: &[Paper]) -> (String, Vec<u8>) {
    let paper = &papers[dice.below(papers.len())];
    let bytes = match paper.bytes.starts_with(b"PK") {
        true => inside(dice, &paper.bytes).unwrap_or_else(|| mutate(dice, &paper.bytes)),
        false => mutate(dice, &paper.bytes),
    };
    (paper.name.clone(), bytes)
}

/// The same archive with one of its parts mutated.
fn inside(dice: &mut Dice, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut parts = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).ok()?;
        let mut part = Vec::new();
        file.read_to_end(&mut part).ok()?;
        parts.push((file.name().ok()?.into_owned(), part));
    }
    let text: Vec<usize> =
        (0..parts.len()).filter(|index| parts[*index].0.ends_with(".xml")).collect();
    let chosen = *text.get(dice.below(text.len()))?;
    parts[chosen].1 = mutate(dice, &parts[chosen].1);
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, part) in parts {
        out.start_file(name, stored).ok()?;
        out.write_all(&part).ok()?;
    }
    Some(out.finish().ok()?.into_inner())
}

/// Reads a document, and reads the plan it becomes.
pub(crate) fn importer(name: &str, bytes: &[u8]) {
    let Ok(format) = read::detect(name, bytes) else { return };
    let Ok(document) = read::read(format, bytes, None) else { return };
    let imported = backout_import::import(&document, format, "x");
    let _ = imported.report.markdown(name);
    let text = backout_plan::emit::emit(&imported.plan, None).unwrap_or_default();
    let again = backout_plan::read_bytes(text.as_bytes());
    assert!(
        again.is_ok_and(|again| again.plan == imported.plan),
        "an imported plan does not read back"
    );
    if matches!(format, Format::Excel) {
        let night = backout_import::results::Night {
            zone: None,
            from: None,
            begun: None,
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        let _ = backout_import::results::results(
            &document,
            &night,
            &[("stop", "Stop the portal"), ("restore", "Restore the dump")],
        );
    }
}
