//! What is set aside before anything else is read: parts that say when NOT to go back,
//! with all that stands below them, and statements that there is no way back.

use std::collections::HashSet;

use backout_documents::tree::Row;
use backout_documents::tree::{text_of, text_of_blocks};
use backout_documents::{Block, Kind, Place};

use crate::negation::{calls_off, forbids_backout, leads_in, says_when, stays_when};
use crate::no_way::{no_way_back, nothing_at_all};
use crate::outline::Section;
use crate::reading::Reading;
use crate::topics::Topic;
use crate::words::{has, plain};

impl Reading<'_> {
    /// Makes notes of what calls for nothing: sections under a heading such as `When not
    /// to roll back`, lists and tables behind a sentence such as `Do NOT roll back if:`.
    pub(crate) fn set_aside_forbidden(&mut self, section: &mut Section<'_>) {
        let stands = section.path();
        if forbids(section) {
            // What stands right under a heading says what it says together with it.
            if section.parts.is_empty()
                && let Some(place) = section.place()
            {
                self.note(&place, "", section.heading());
            }
            for part in &mut section.parts {
                self.note(&part.block.place, &stands, &part.block.text());
                part.used = true;
            }
            return;
        }
        let in_triggers = matches!(section.topic(), Some(Topic::Triggers | Topic::Decision));
        let mut index = 0;
        while index < section.parts.len() {
            let governed = governed(section, index, in_triggers);
            for part in &mut section.parts[index..index + governed] {
                self.note(&part.block.place, &stands, &part.block.text());
                part.used = true;
            }
            index += governed.max(1);
        }
    }
}

/// Whether one of the headings above a part says that it calls for nothing.
fn forbids(section: &Section<'_>) -> bool {
    section.heads.iter().enumerate().any(|(at, head)| {
        let below_triggers =
            section.heads[..at].iter().any(|above| above.topic == Some(Topic::Triggers));
        // What cannot be backed out has a place of its own in the plan.
        head.topic != Some(Topic::Cannot) && forbids_backout(&head.text)
            || below_triggers && calls_off(&head.text)
    })
}

/// How many parts a sentence at `index` sets aside, itself included; none if it does not.
fn governed(section: &Section<'_>, index: usize, in_triggers: bool) -> usize {
    let listed = |at: usize| {
        section.parts.get(at).is_some_and(|part| {
            matches!(part.block.kind, Kind::List(..) | Kind::Table(_) | Kind::Code(..))
        })
    };
    let Some(text) = sentence(section.parts[index].block) else { return 0 };
    // Lines above the last one speak for themselves.
    if text.trim().lines().count() != 1 {
        return 0;
    }
    // Of several sentences the last one speaks for what follows.
    let text = text.rsplit(". ").next().unwrap_or(&text);
    let leads = leads_in(text);
    let forbids =
        forbids_backout(text) || leads && (in_triggers && calls_off(text) || stays_when(text));
    // A sentence that is whole speaks for itself.
    let open = leads || !text.trim_end().ends_with('.') && listed(index + 1);
    if !forbids || !open {
        return 0;
    }
    let mut end = index + 1;
    let mut seen_list = false;
    while end < section.parts.len() {
        if listed(end) {
            seen_list = true;
        } else {
            let Some(text) = sentence(section.parts[end].block) else { break };
            let another = leads_in(&text) || says_when(&text) && !forbids_backout(&text);
            if seen_list || !leads || another {
                break;
            }
        }
        end += 1;
    }
    end - index
}

/// What a paragraph or a notice says.
fn sentence(block: &Block) -> Option<String> {
    match &block.kind {
        Kind::Paragraph(inlines) => Some(text_of(inlines)),
        Kind::Notice(_, inside) => Some(text_of_blocks(inside)),
        _ => None,
    }
}

/// The headings under which a document says that there is no way back.
pub(crate) fn without_way_back(sections: &[Section<'_>]) -> HashSet<Place> {
    let mut found = HashSet::new();
    for section in sections {
        let Some(head) = section.heads.last() else { continue };
        let said = section.parts.iter().filter_map(|part| sentence(part.block));
        let way_back = section.is_way_back(false);
        let denied = section.parts.iter().any(|part| match &part.block.kind {
            Kind::List(_, items) => {
                denies_all(items.iter().map(|item| text_of_blocks(&item.blocks)))
            }
            Kind::Table(table) => denies_all(table.rows.iter().map(row_text)),
            _ => false,
        });
        if way_back && denied {
            found.insert(head.place.clone());
        }
        if way_back && no_way_back(&head.text)
            || said.into_iter().any(|text| {
                text.lines().any(|line| {
                    let bare = plain(line);
                    // `N/A` alone is said of what its heading names.
                    no_way_back(line) && (way_back || bare.split(' ').count() > 2)
                })
            })
        {
            found.insert(head.place.clone());
        }
    }
    found
}

/// What a row of a table says: its longest cell.
pub(crate) fn row_text(row: &Row) -> String {
    let cells = row.cells.iter().map(|cell| text_of(cell));
    cells.max_by_key(|text| text.chars().count()).unwrap_or_default()
}

/// Whether one of several acts says that there is no way back, and none of the others
/// leads back all the same. A later one may only say from where on there is none.
pub(crate) fn denies_all(texts: impl Iterator<Item = String>) -> bool {
    const FROM_THERE: [&str; 8] =
        ["once", "after", "afterwards", "beyond", "from here", "at this point", "now", "then"];
    let mut denied = false;
    for (index, text) in texts.enumerate() {
        let first = text.lines().next().unwrap_or_default();
        let said = plain(first);
        let whole = index == 0
            || said.split(' ').count() > 1 && !nothing_at_all(&said) && !has(&said, &FROM_THERE);
        if no_way_back(first) && whole {
            denied = true;
        } else if acts_back(&text) {
            return false;
        }
    }
    denied
}

/// Whether a text names an act that leads back.
pub(crate) fn acts_back(text: &str) -> bool {
    let said = plain(text);
    !no_way_back(text)
        && !forbids_backout(text)
        && has(
            &said,
            &[
                "restor",
                "redeploy",
                "revert",
                "reinstall",
                "rollback",
                "backout",
                "downgrad",
                "snapshot",
                "undo",
                "switch back",
                "fail back",
                "failback",
                "put back",
                "set back",
                "previous version",
                "old version",
                "previous release",
                "last good",
            ],
        )
}
