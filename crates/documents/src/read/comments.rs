//! Comments of Word documents and workbooks: what reviewers wrote beside the
//! text. They are no part of it, so they stand in a chapter of their own at its end.

use super::Unreadable;
use super::package::{Package, Tag, attribute, walk};
use crate::tree::{Block, Inline, Kind, Place};

/// What the older comment beside a threaded one begins with, for programs that
/// do not know threads.
const REPEATED: &str = "[Threaded comment]";

/// A heading and a paragraph per comment; nothing where there are none.
pub(super) fn read(package: &mut Package<'_>) -> Result<Vec<Block>, Unreadable> {
    let mut parts = package.names(|name| {
        let sheets = name.starts_with("xl/comments")
            || name.starts_with("xl/threadedComments/")
            || name.starts_with("xl/worksheets/comments");
        name.ends_with(".xml") && (sheets || name == "word/comments.xml")
    })?;
    parts.sort();
    let mut texts: Vec<String> = Vec::new();
    for part in parts {
        let xml = package.part(&part)?.unwrap_or_default();
        // Which cell, and what is said; only what stands in an element for text counts.
        let mut current: Option<(String, String)> = None;
        let mut reads = false;
        walk(&xml, |tag| {
            match tag {
                Tag::Open(start) => match start.local_name().as_ref() {
                    "comment" | "threadedComment" => {
                        current =
                            Some((attribute(start, "ref").unwrap_or_default(), String::new()));
                    }
                    "t" | "text" => reads = true,
                    _ => {}
                },
                Tag::Text(text) if reads => {
                    if let Some((_, said)) = &mut current {
                        said.push_str(text);
                    }
                }
                Tag::Close("p") => {
                    if let Some((_, said)) = &mut current {
                        said.push(' ');
                    }
                }
                Tag::Close("t" | "text") => reads = false,
                Tag::Close("comment" | "threadedComment") => {
                    if let Some((cell, said)) = current.take()
                        && !said.trim().is_empty()
                        && !said.starts_with(REPEATED)
                    {
                        let at = if cell.is_empty() { String::new() } else { format!("{cell}: ") };
                        texts.push(format!("{at}{}", said.trim()));
                    }
                }
                Tag::Text(_) | Tag::Close(_) => {}
            }
            Ok(())
        })?;
    }
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let place = Place { unit: "comment".into(), number: 1 };
    let heading = Kind::Heading(1, vec![Inline::plain("Comments in the document")]);
    let mut blocks = vec![Block { place: place.clone(), kind: heading }];
    for (index, text) in texts.into_iter().enumerate() {
        let kind = Kind::Paragraph(vec![Inline::plain(text)]);
        blocks.push(Block { place: place.at(index + 1), kind });
    }
    Ok(blocks)
}
