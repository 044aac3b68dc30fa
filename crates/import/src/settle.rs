//! What is put together in the end: the name of the change, the steps, the times;
//! and what is missing.

use backout_core::plan::Plan;
use backout_documents::tree::text_of;
use backout_documents::{Block, Kind, Place};

use crate::reading::Reading;
use crate::report::Report;
use crate::sentences::pair;
use crate::words::plain;

impl Reading<'_> {
    /// Puts together what was gathered.
    pub(crate) fn settle(&mut self, name: &str) {
        self.settle_title(name);
        self.settle_steps();
        self.settle_release();
        self.settle_times();
    }

    fn settle_title(&mut self, name: &str) {
        let mut titles = std::mem::take(&mut self.titles);
        titles.sort_by_key(|(rank, ..)| *rank);
        // Above the first heading may stand a version or a date.
        let above = |block: &&Block| match &block.kind {
            Kind::Paragraph(text) => is_stamp(&text_of(text)),
            _ => false,
        };
        let first = self.document().blocks.iter().find(|block| !above(block));
        let heading = first.and_then(|block| match &block.kind {
            Kind::Heading(_, text) => Some((text_of(text), block.place.clone())),
            _ => None,
        });
        let says = |title: &str| plain(title).split(' ').any(|word| !is_kind(word));
        if let Some((rank, title, place)) = titles.into_iter().find(|(_, title, _)| says(title)) {
            self.plan.change.title = if rank > 1 { without_kind(&title) } else { title };
            match rank {
                0 | 1 => self.report.found("change.title", &place),
                _ => self.report.guessed(
                    "change.title",
                    &place,
                    "the best name the document has for the change",
                ),
            }
        } else if let Some((title, place)) = heading.filter(|(title, _)| says(title)) {
            let stripped = without_kind(&title);
            self.plan.change.title = stripped;
            self.report.guessed("change.title", &place, "the first heading");
        } else if let Some((title, place)) = self.first_line().filter(|(title, _)| says(title)) {
            self.plan.change.title = without_kind(&title);
            self.report.guessed("change.title", &place, "the first line");
        } else {
            let title = name.replace(['_', '-'], " ");
            let title = if title.trim().is_empty() {
                "Imported plan".to_owned()
            } else {
                title.trim().to_owned()
            };
            self.plan.change.title = title;
            self.report.guessed(
                "change.title",
                &Place::line(1),
                "the document has no name for the change; this is the file's",
            );
        }
    }

    /// The first paragraph, if it is short and stands before everything but a title.
    fn first_line(&self) -> Option<(String, Place)> {
        let block =
            self.document().blocks.iter().find(|block| !matches!(block.kind, Kind::Heading(..)))?;
        match &block.kind {
            Kind::Paragraph(text) => {
                let text = text_of(text);
                let short = text.chars().count() <= 80
                    && !text.contains('\n')
                    && !text.ends_with(['.', ':'])
                    && (pair(&text).is_none() || without_kind(&text) != text)
                    && !is_remark(&text)
                    && !is_stamp(&text);
                short.then(|| (text, block.place.clone()))
            }
            _ => None,
        }
    }
}

impl Report {
    /// What a backout plan needs and this document does not say.
    pub(crate) fn missing(&mut self, plan: &Plan) {
        let window = plan.window.as_ref();
        let without = |has: fn(&backout_core::plan::Step) -> bool| -> Vec<String> {
            plan.steps
                .iter()
                .filter(|step| !has(step))
                .map(|step| step.label().to_owned())
                .collect()
        };
        let mut missing: Vec<String> = Vec::new();
        let mut need = |lacks: bool, what: &str| {
            if lacks {
                missing.push(what.to_owned());
            }
        };
        need(plan.steps.is_empty(), "how to go back: there is no step of a way back in it");
        need(plan.change.id.is_none(), "the number of the change");
        need(plan.change.owner.is_none(), "who answers for the plan");
        need(
            plan.change.release.is_none(),
            "which version is released, and which one to go back to",
        );
        need(plan.change.success_when.is_empty(), "when the deployment counts as a success");
        need(plan.change.approvals.is_empty(), "who approved it");
        need(
            plan.change.rehearsed.is_none(),
            "that the way back was rehearsed, when, and how long it took",
        );
        need(window.is_none_or(|window| window.deploy.is_none()), "when the deployment happens");
        need(
            window.is_none_or(|window| window.backout_by.is_none()),
            "by when the backout must be finished",
        );
        need(window.is_none_or(|window| window.timezone.is_none()), "the time zone of its times");
        need(plan.triggers.is_empty(), "what calls for a backout");
        need(plan.decision.is_empty() && plan.authority.0.is_empty(), "who decides");
        need(plan.roles.values().all(|role| role.reach.is_none()), "how anybody is reached");
        need(
            plan.components.values().all(|component| component.backup.is_none()),
            "where the backups are",
        );
        need(
            plan.components.values().all(|component| component.data.is_none()),
            "what happens to data written since the deployment",
        );
        need(plan.messages.is_empty(), "who is told, and what");
        need(
            plan.alternatives.as_ref().is_none_or(|a| a.if_backout_fails.is_none()),
            "what happens if the backout fails",
        );
        need(plan.review.is_none(), "the review afterwards");
        for (names, what) in [
            (without(|step| step.owner.is_some()), "who does"),
            (without(|step| step.takes.is_some()), "how long it takes"),
            (without(|step| !step.verify.is_empty()), "how to know that it worked"),
        ] {
            if names.is_empty() {
                continue;
            }
            let shown: Vec<String> =
                names.iter().take(4).map(|name| format!("\"{name}\"")).collect();
            let more = names.len().saturating_sub(4);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            missing.push(format!("{what}: {}{more}", shown.join(", ")));
        }
        self.missing = missing;
    }
}

/// Whether a line speaks of the document rather than of the change.
fn is_remark(text: &str) -> bool {
    const BEGINS: [&str; 14] = [
        "note",
        "nb",
        "this document",
        "this page",
        "this plan",
        "this runbook",
        "draft",
        "confidential",
        "internal",
        "please",
        "disclaimer",
        "warning",
        "last updated",
        "subject to",
    ];
    let said = plain(text);
    BEGINS.iter().any(|word| {
        said.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    })
}

/// Whether a line is nothing but a version or a date of the document: `Version 1.3`,
/// `12 March 2026`, `Rev. B, draft`.
fn is_stamp(text: &str) -> bool {
    const WORDS: [&str; 24] = [
        "version", "rev", "revision", "v", "ver", "date", "dated", "status", "draft", "final",
        "approved", "as", "of", "from", "updated", "issued", "release", "edition", "page", "st",
        "nd", "rd", "th", "utc",
    ];
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let said = plain(text);
    let stamp = |word: &str| {
        WORDS.contains(&word)
            || word.len() == 1
            || word.strip_prefix('v').unwrap_or(word).starts_with(|c: char| c.is_ascii_digit())
            || MONTHS.iter().any(|month| word.starts_with(month))
            || crate::values::weekday(word).is_some()
    };
    !said.is_empty() && said.split(' ').all(stamp) && said.split(' ').count() <= 8
}

/// Whether a word is part of the name of a kind of document.
fn is_kind(word: &str) -> bool {
    const KINDS: [&str; 36] = [
        "backout",
        "rollback",
        "plan",
        "template",
        "the",
        "for",
        "change",
        "request",
        "procedure",
        "document",
        "runbook",
        "checklist",
        "summary",
        "guide",
        "manual",
        "and",
        "deployment",
        "installation",
        "instructions",
        "production",
        "a",
        "of",
        "to",
        "launch",
        "release",
        "upgrade",
        "standard",
        "back",
        "out",
        "steps",
        "sheet",
        "form",
        "record",
        "maintenance",
        "implementation",
        "",
    ];
    KINDS.contains(&word)
}

/// Whether a text names a kind of document and nothing else: `Backout plan`.
pub(crate) fn is_kind_of_document(text: &str) -> bool {
    plain(text).split(' ').all(is_kind)
}

/// `Backout plan for Portal v2`, `Rollback runbook - Search 7`: without the kind of document.
fn without_kind(title: &str) -> String {
    for sign in [" for ", ": ", " - ", " \u{2013} "] {
        if let Some((kind, rest)) = title.split_once(sign)
            && plain(kind).split(' ').all(is_kind)
            && !rest.trim().is_empty()
        {
            return rest.trim().to_owned();
        }
    }
    title.to_owned()
}
