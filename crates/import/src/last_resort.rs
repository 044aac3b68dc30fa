//! What is read last: a way back in running text, where there is no other.

use backout_documents::Kind;
use backout_documents::tree::text_of;

use crate::draft::Draft;
use crate::outline::Section;
use crate::reading::Reading;
use crate::sentences::tells_what_to_do;
use crate::step_text::{no_return, title_of};
use crate::topics::Topic;
use crate::words::{plain, without_number};

impl Reading<'_> {
    /// A part about going back that holds nothing but prose is a way back in prose.
    pub(crate) fn last_resort(&mut self, section: &mut Section<'_>) {
        let way_back = section.is_way_back(self.whole_is_back);
        if !way_back
            || section.topic() != Some(Topic::Procedure)
            || !self.drafts.is_empty() && self.prose_from.is_none()
            || self.has_no_way(section)
        {
            return;
        }
        let heading = section.heading().to_owned();
        let asked = heading.trim_end().ends_with('?');
        let first_word = plain(&heading);
        if asked && !["can ", "how "].iter().any(|word| first_word.starts_with(word)) {
            return;
        }
        // A document's own title is no procedure.
        if section.heads.len() < 2 && section.parts.len() > 3 && !self.is_field_of_ticket(section) {
            return;
        }
        let group = self.group(section);
        let listed = section.parts.iter().any(|part| matches!(part.block.kind, Kind::List(..)));
        for part in &mut section.parts {
            if part.used {
                continue;
            }
            match &part.block.kind {
                Kind::Paragraph(inlines) => {
                    let text = text_of(inlines);
                    if listed || !tells_what_to_do(&text) || self.about_the_plan(&text) {
                        continue;
                    }
                    for line in text.lines().filter(|line| !line.trim().is_empty()) {
                        let line = line.trim();
                        let line = line
                            .strip_prefix("Yes.")
                            .or_else(|| line.strip_prefix("Yes,"))
                            .unwrap_or(line);
                        let bare = line.trim().trim_start_matches(['-', '•', '*']).trim();
                        let mut draft = Draft::new(
                            &title_of(without_number(bare)),
                            &part.block.place,
                            group.clone(),
                        );
                        if plain(bare) != plain(&draft.title) {
                            draft.add_how(bare, &part.block.place);
                        }
                        draft.irreversible = no_return(bare);
                        draft.guess = Some("running text under a heading about going back");
                        self.drafts.push(draft);
                        self.prose_from = Some(heading.clone());
                    }
                    part.used = true;
                }
                Kind::List(_, items) if !asked => {
                    let from = self.drafts.len();
                    self.step_list(items, group.clone());
                    for draft in &mut self.drafts[from..] {
                        draft.guess = Some("a list under a heading about going back");
                    }
                    self.prose_from = Some(heading.clone());
                    part.used = true;
                }
                _ => {}
            }
        }
    }

    fn is_field_of_ticket(&self, section: &Section<'_>) -> bool {
        section.place().is_some_and(|place| place.unit.starts_with("field "))
    }
}
