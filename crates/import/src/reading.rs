//! One pass over a document's parts: who understands what, in which order, and
//! what is left in the end.

use std::collections::{BTreeMap, HashSet};

use backout_core::duration::Span;
use backout_core::ids::{RoleId, TriggerId};
use backout_core::plan::{Change, FormatVersion, Note, Plan};
use backout_documents::tree::text_of;
use backout_documents::{Block, Document, Kind, Place};
use indexmap::IndexMap;

use crate::draft::{Draft, When};
use crate::headings::is_order;
use crate::negation::forbids_backout;
use crate::no_way::no_way_back;
use crate::outline::{Section, outline};
use crate::report::{Label, Report, Unread};
use crate::set_aside::{acts_back, row_text, without_way_back};
use crate::settle::is_kind_of_document;
use crate::tables::{Grid, Is};
use crate::topics::Topic;
use crate::words::{goes_back, leads_back, plain};
use crate::{Imported, people, readable};

/// The state of a reading.
pub(crate) struct Reading<'a> {
    document: &'a Document,
    pub(crate) plan: Plan,
    pub(crate) report: Report,
    /// Steps of the way back, before they get their names.
    pub(crate) drafts: Vec<Draft>,
    pub(crate) when: When,
    /// The version that is released and the one before, as far as the document says.
    pub(crate) versions: Versions,
    pub(crate) titles: Vec<(u8, String, Place)>,
    /// Phases whose time is stated as a whole: their place in `drafts`, and how long.
    pub(crate) phases: Vec<Phase>,
    /// When to choose each of several ways back, and what calls for it, by heading.
    pub(crate) option_when: BTreeMap<String, String>,
    pub(crate) option_triggers: BTreeMap<String, Vec<TriggerId>>,
    /// The heading under which steps were first read out of running text.
    pub(crate) prose_from: Option<String>,
    /// What was promised already, in the form in which texts are compared.
    pub(crate) said: HashSet<String>,
    /// What was not understood: where, under which heading, what.
    unread: Vec<(Place, String, String)>,
    /// Where a document begins that does not say that it is about going back.
    taken_for_back: Option<Place>,
    /// Whether the whole document is about going back.
    pub(crate) whole_is_back: bool,
    /// The headings under which it says that there is no way back.
    pub(crate) no_way: HashSet<Place>,
    /// Whether the title alone says that the parts below it are the way back.
    pub(crate) title_is_procedure: bool,
    /// How many steps there were when the part that is read began.
    pub(crate) chapter_from: usize,
}

/// A text, and where it stands.
pub(crate) type Said = (String, Place);

/// The version before, and the one that is released.
#[derive(Debug, Clone, Default)]
pub(crate) struct Versions {
    pub(crate) from: Option<Said>,
    pub(crate) to: Option<Said>,
}

/// A part of the procedure whose time is stated for all of it.
pub(crate) struct Phase {
    pub(crate) title: String,
    pub(crate) first: usize,
    pub(crate) takes: Span,
    pub(crate) place: Place,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(document: &'a Document) -> Self {
        let name =
            document.facts.iter().filter(|fact| matches!(fact.name.as_str(), "name" | "title"));
        let mut titles: Vec<String> = name.map(|fact| fact.value.clone()).collect();
        titles.extend(document.title.clone());
        let first = document.blocks.iter().find_map(|block| match &block.kind {
            Kind::Heading(_, text) => Some(text_of(text)),
            _ => None,
        });
        titles.extend(first);
        let heads: Vec<String> = document
            .blocks
            .iter()
            .filter_map(|block| match &block.kind {
                Kind::Heading(_, text) => Some(text_of(text)),
                _ => None,
            })
            .collect();
        // A bare table says nothing about what it is; whoever imports it does.
        let sheet =
            document.blocks.first().is_some_and(|block| block.place.unit.starts_with("sheet"));
        let silent = (heads.is_empty() || sheet)
            && heads.iter().chain(&titles).all(|title| {
                !goes_back(&plain(title)) && crate::topics::topic(title) != Some(Topic::Forward)
            });
        let leads = |title: &String| {
            leads_back(&plain(title)) && !no_way_back(title) && !forbids_backout(title)
        };
        let whole_is_back = silent || titles.iter().any(leads);
        let change = Change {
            id: None,
            title: String::new(),
            release: None,
            plan_version: None,
            owner: None,
            environment: None,
            kind: None,
            description: None,
            impact: None,
            security: None,
            depends_on: Default::default(),
            success_when: Default::default(),
            requested_by: None,
            reviewed_by: None,
            approvals: Vec::new(),
            rehearsed: None,
        };
        let plan = Plan {
            backout: FormatVersion,
            change,
            window: None,
            roles: IndexMap::new(),
            sources: IndexMap::new(),
            components: IndexMap::new(),
            baselines: IndexMap::new(),
            triggers: IndexMap::new(),
            decision: IndexMap::new(),
            authority: Default::default(),
            readiness: IndexMap::new(),
            stages: Vec::new(),
            watch: None,
            steps: Vec::new(),
            max_parallel: None,
            pass_env: Default::default(),
            forecast: None,
            options: IndexMap::new(),
            messages: IndexMap::new(),
            follow_up: Vec::new(),
            alternatives: None,
            risks: Vec::new(),
            review: None,
            accepted: Vec::new(),
            notes: Vec::new(),
        };
        Self {
            document,
            plan,
            report: Report::default(),
            drafts: Vec::new(),
            when: When::default(),
            versions: Versions::default(),
            titles: Vec::new(),
            phases: Vec::new(),
            option_when: BTreeMap::new(),
            option_triggers: BTreeMap::new(),
            prose_from: None,
            unread: Vec::new(),
            said: HashSet::new(),
            taken_for_back: document
                .blocks
                .first()
                .filter(|_| silent)
                .map(|block| block.place.clone()),
            whole_is_back,
            no_way: HashSet::new(),
            title_is_procedure: false,
            chapter_from: 0,
        }
    }

    pub(crate) fn document(&self) -> &'a Document {
        self.document
    }

    pub(crate) fn finish(mut self, name: &str) -> Imported {
        let document = self.document;
        let mut sections = outline(document);
        self.drop_title_topic(&mut sections);
        for section in &mut sections {
            self.set_aside_forbidden(section);
        }
        self.no_way = without_way_back(&sections);
        // People first: everything else names them.
        if let Some(place) = self.taken_for_back.clone() {
            let why = "the tables do not say whether they lead forward or back; they were imported as a way back";
            self.report.guessed("steps", &place, why);
        }
        for section in &mut sections {
            self.contacts(section);
        }
        self.facts();
        for section in &mut sections {
            self.tables(section);
        }
        let mut before: Option<usize> = None;
        for section in &mut sections {
            if self.step_section(section) {
                continue;
            }
            self.section(section, &mut before);
        }
        for section in &mut sections {
            self.last_resort(section);
        }
        self.settle(name);
        self.keep_the_rest(&sections);
        self.keep_headings(&sections);
        for hidden in &document.hidden {
            self.note(&hidden.place, &hidden.what, &hidden.text);
        }
        self.keep_lost();
        self.write_notes();
        let (plan, text) = readable::settle(self.plan, &mut self.report);
        self.report.missing(&plan);
        Imported { plan, text, report: self.report }
    }

    /// A title says what the document is about, not what each of its parts is about.
    fn drop_title_topic(&mut self, sections: &mut [Section<'_>]) {
        let Some(first) = sections.iter().find_map(|section| section.heads.first().cloned()) else {
            return;
        };
        let alone = sections.iter().filter(|section| section.heads.len() == 1).all(|section| {
            section.heads[0].place == first.place || section.heads[0].level > first.level
        });
        // A line of a sheet that stands above its parts is a chapter, and no title.
        let headed =
            self.document().blocks.iter().any(|block| matches!(block.kind, Kind::Heading(..)));
        if !alone || !headed {
            return;
        }
        // Where no part of a `Rollback runbook` says so itself, its title says it of all.
        let says_so = sections.iter().flat_map(|section| &section.heads).any(|head| {
            head.place != first.place
                && head.topic == Some(Topic::Procedure)
                && !is_order(&head.text)
        });
        if first.topic == Some(Topic::Procedure)
            && self.whole_is_back
            && self.says_it_is_back()
            && !says_so
        {
            self.title_is_procedure = true;
            return;
        }
        for section in sections {
            if section.heads.len() > 1
                && let Some(head) = section.heads.first_mut()
                && head.place == first.place
            {
                head.topic = None;
            }
        }
    }

    fn contacts(&mut self, section: &mut Section<'_>) {
        let topic = section.topic();
        let way_back = section.is_way_back(self.whole_is_back);
        for part in &mut section.parts {
            if part.used {
                continue;
            }
            if let Kind::Table(table) = &part.block.kind {
                let grid = Grid::new(table);
                if grid.is(topic, way_back) == Some(Is::Contacts) {
                    self.contact_table(&grid);
                    part.used = true;
                    self.keep_unread(&grid);
                }
            }
        }
    }

    fn tables(&mut self, section: &mut Section<'_>) {
        let topic = section.topic();
        let way_back = section.is_way_back(self.whole_is_back);
        let no_way = self.has_no_way(section);
        let heading = section.heading().to_owned();
        let group = self.group(section);
        let stands = section.path();
        for part in &mut section.parts {
            let Kind::Table(table) = &part.block.kind else { continue };
            if part.used {
                continue;
            }
            let grid = Grid::new(table);
            let Some(is) = grid.is(topic, way_back) else { continue };
            // Under `Rollback is not possible` no row is a step that does not lead back.
            if is == Is::Steps && no_way && !table.rows.iter().any(|row| acts_back(&row_text(row)))
            {
                continue;
            }
            part.used = match is {
                Is::Contacts => true,
                Is::Fields => self.field_table(&grid, &stands),
                Is::Severities => self.severity_table(&grid),
                Is::Limits => self.limit_table(&grid),
                Is::Matrix => self.matrix_table(&grid),
                Is::Readiness => {
                    if topic == Some(Topic::After) {
                        self.follow_up_table(&grid)
                    } else {
                        self.readiness_table(&grid)
                    }
                }
                Is::Tests => self.test_table(&grid),
                Is::Backups => self.backup_table(&grid),
                Is::Steps => self.step_table(&grid, group.clone()),
                Is::FollowUps => self.follow_up_table(&grid),
                Is::Messages => self.message_table(&grid),
                Is::Risks => self.risk_table(&grid),
                Is::Cannot => self.cannot_table(&grid),
                Is::Factors => self.factor_table(&grid),
                Is::Questions => self.question_table(&grid),
                Is::Results => self.result_table(&grid),
                Is::Documents => plain(&heading).contains("after") && self.document_table(&grid),
            };
            if part.used && is != Is::Fields {
                self.keep_unread(&grid);
            }
        }
    }

    /// Cells that nobody has read stay as notes.
    fn keep_unread(&mut self, grid: &Grid<'_>) {
        for (place, text) in grid.unread() {
            self.note(&place, "", &text);
        }
    }

    /// A role that a text names, at a field of the plan.
    pub(crate) fn role(&mut self, text: &str, field: &str, place: &Place) -> Option<RoleId> {
        let found = people::role(text, field, place, &mut self.plan, &mut self.report);
        let said = plain(text);
        if found.is_none() && !matches!(said.as_str(), "" | "n/a" | "na" | "none") {
            self.note(place, "", &format!("{field}: {text}"));
        }
        found
    }

    /// Whether the document itself says that it is about going back.
    pub(crate) fn says_it_is_back(&self) -> bool {
        self.taken_for_back.is_none()
    }

    /// Whether a part stands under a heading below which there is no way back.
    pub(crate) fn has_no_way(&self, section: &Section<'_>) -> bool {
        section.heads.iter().any(|head| self.no_way.contains(&head.place))
    }

    /// What nobody understood becomes notes, so that nothing is lost.
    fn keep_the_rest(&mut self, sections: &[Section<'_>]) {
        for section in sections {
            // `Only if the migration has run`, over steps: they are steps all the same, and
            // whoever carries them out has to know.
            if let Some(head) = section.heads.last()
                && head.topic.is_none()
                && section.parts.iter().any(|part| part.used)
                && is_condition(&head.text)
            {
                self.note(&head.place, "", &head.text);
            }
            let mut together: Option<(Place, String)> = None;
            for part in section.parts.iter().filter(|part| !part.used) {
                let text = part.block.text();
                if text.trim().is_empty() || !says_something(part.block) {
                    continue;
                }
                match &mut together {
                    Some((_, all)) => {
                        all.push('\n');
                        all.push_str(text.trim_end());
                    }
                    None => together = Some((part.block.place.clone(), text.trim_end().to_owned())),
                }
            }
            if let Some((place, text)) = together {
                self.note(&place, &section.path(), &text);
            }
        }
    }

    /// Keeps a line that only says what stands below it, for the account.
    pub(crate) fn read_as(&mut self, place: &Place, text: &str, read_as: &str) {
        self.report.labels.push(Label {
            place: place.to_string(),
            text: text.trim().to_owned(),
            read_as: read_as.to_owned(),
        });
    }

    /// Each heading and each head of a table, and what it was read as. A heading with
    /// nothing below it that became nothing else is a note.
    fn keep_headings(&mut self, sections: &[Section<'_>]) {
        for section in sections {
            if let Some(head) = section.heads.last() {
                let is_step = self.drafts.iter().any(|draft| draft.place == head.place);
                let is_title = section.heads.len() == 1;
                let own_words = match head.topic {
                    None => true,
                    Some(Topic::Procedure) => !is_title && !is_kind_of_document(&head.text),
                    Some(_) => false,
                };
                let own_words = own_words || is_order(&head.text);
                let alone = section.parts.is_empty() && section.is_leaf;
                let noted = self.unread.iter().any(|(place, ..)| *place == head.place);
                if alone && !is_step && own_words && !noted {
                    self.note(&head.place, "", &head.text);
                }
                let read_as = match section.topic() {
                    _ if is_step => "a step",
                    _ if is_title => "the title of a part",
                    Some(topic) => topic.label(),
                    None => "a heading that says nothing of what stands below it",
                };
                self.read_as(&head.place, &head.text, read_as);
            }
            for part in section.parts.iter().filter(|part| part.used) {
                if let Kind::Table(table) = &part.block.kind
                    && !table.head.is_empty()
                {
                    let names: Vec<String> = table.head.iter().map(|cell| text_of(cell)).collect();
                    self.read_as(&part.block.place, &names.join(" | "), "the head of a table");
                }
            }
        }
    }

    /// The notes so far.
    pub(crate) fn noted(&self) -> impl Iterator<Item = &str> {
        self.unread.iter().flat_map(|(_, heading, text)| [heading.as_str(), text.as_str()])
    }

    /// Keeps what was not understood.
    pub(crate) fn note(&mut self, place: &Place, heading: &str, text: &str) {
        self.unread.push((place.clone(), heading.to_owned(), text.trim_matches('\n').to_owned()));
    }

    /// The notes in the order of the document, in the report and in the plan.
    fn write_notes(&mut self) {
        let mut unread = std::mem::take(&mut self.unread);
        let mut units: Vec<_> = unread.iter().map(|(place, ..)| place.unit.clone()).collect();
        units.dedup();
        let rank = |place: &Place| units.iter().position(|unit| *unit == place.unit);
        unread.sort_by_key(|(place, ..)| (rank(place), place.number));
        for (place, heading, text) in unread {
            self.write_note(&place, &heading, text);
        }
    }

    fn write_note(&mut self, place: &Place, heading: &str, text: String) {
        let from =
            if heading.is_empty() { place.to_string() } else { format!("{place}, {heading}") };
        self.report.not_understood.push(Unread {
            place: place.to_string(),
            heading: heading.to_owned(),
            text: text.clone(),
        });
        self.plan.notes.push(Note { from, text });
    }
}

fn is_condition(heading: &str) -> bool {
    plain(heading).split(' ').any(|word| matches!(word, "if" | "unless" | "only" | "when"))
}

fn says_something(block: &Block) -> bool {
    !matches!(block.kind, Kind::Figure(_) | Kind::PageBreak)
}
