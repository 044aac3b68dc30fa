//! Names and their values: the header of a plan, front matter, fields of a ticket.

use backout_core::duration::{Estimate, Span};
use backout_core::plan::{Approval, ChangeKind, Review, Window};
use backout_documents::tree::text_of;
use backout_documents::{Fact, Kind, Place};

use crate::negation::forbids_backout;
use crate::reading::Reading;
use crate::tables::Grid;
use crate::values;
use crate::words::{has, plain};

impl Reading<'_> {
    /// Front matter and fields of a ticket.
    pub(crate) fn facts(&mut self) {
        for fact in self.document().facts.clone() {
            let Fact { place, name, value } = fact;
            self.fact(&name, &value, &place);
        }
        // A page's title names the site too; its first heading does not.
        let heading = self.document().blocks.iter().find_map(|block| match &block.kind {
            Kind::Heading(_, text) => Some(text_of(text)),
            _ => None,
        });
        let shorter = |title: String| match &heading {
            Some(heading) if title.contains(heading.as_str()) => heading.clone(),
            _ => title,
        };
        if let Some(title) = self.document().title.clone().map(shorter) {
            let place = self
                .document()
                .blocks
                .first()
                .map_or_else(|| Place::line(1), |block| block.place.clone());
            self.titles.push((if self.is_ticket() { 1 } else { 5 }, title, place));
        }
    }

    fn is_ticket(&self) -> bool {
        self.document().facts.iter().any(|fact| fact.place.unit.starts_with("field "))
    }

    fn fact(&mut self, name: &str, value: &str, place: &Place) {
        // On the clock of whoever asked: no zone, so no moment.
        if let Some(name) = name.strip_suffix(" (display value)") {
            self.note(place, "", &format!("{name}: {value} (on the clock of whoever saved it)"));
            return;
        }
        // A ticket's times: ServiceNow keeps and sends UTC.
        if self.is_ticket() && matches!(name, "start_date" | "end_date" | "work_start" | "work_end")
        {
            let at = values::day(value).zip(values::times(value).first().copied());
            if let Some((day, time)) = at {
                let at = Some((day.to_datetime(time), place.clone()));
                match name {
                    "start_date" => self.when.start = at,
                    "end_date" => self.when.end = at,
                    _ => return,
                }
                self.when.zone.get_or_insert((
                    "UTC".to_owned(),
                    place.clone(),
                    Some("the Table API gives times in UTC unless display values were asked for"),
                ));
            } else {
                self.note(place, "", &format!("{name}: {value}"));
            }
            return;
        }
        let known = match name {
            "key" | "number" => "change id",
            "requested_by" | "reporter" => "requested by",
            "assigned_to" | "assignee" | "owner" | "author" => "plan owner",
            "u_environment" | "environment" => "environment",
            "type" if self.is_ticket() => "change type",
            "version" => "plan version",
            "risk_impact_analysis" | "impact_description" => "impact",
            "timezone" | "time_zone" | "tz" => "time zone",
            "change" | "change_id" | "ticket" => "change id",
            "status" | "last_updated" | "layout" | "tags" if !self.is_ticket() => {
                return;
            }
            "title" | "name" => {
                self.titles.push((6, value.to_owned(), place.clone()));
                return;
            }
            // Sentences in a field of somebody's own are somebody's words.
            name if self.is_ticket()
                && !name.starts_with("sys_")
                && !matches!(name, "short_description" | "summary" | "description")
                && (value.split_whitespace().count() > 4
                    || name.starts_with("u_")
                    || name.starts_with("customfield")
                    || matches!(
                        name,
                        "work_notes"
                            | "comments"
                            | "comment"
                            | "risk"
                            | "impact"
                            | "cmdb_ci"
                            | "duedate"
                            | "labels"
                            | "on_hold_reason"
                    )) =>
            {
                self.note(place, "", &format!("{name}: {value}"));
                return;
            }
            _ if self.is_ticket() => return,
            name => name,
        };
        if !self.field(known, value, place) && !self.is_ticket() {
            self.note(place, "", &format!("{name}: {value}"));
        }
    }

    /// A table of names and values. Fields that mean nothing to a plan stay as a note.
    pub(crate) fn field_table(&mut self, grid: &Grid<'_>, heading: &str) -> bool {
        let mut strange = Vec::new();
        let mut known = 0;
        for (name, value, place) in grid.fields() {
            if value.trim().is_empty() {
                continue;
            }
            if self.field(&name, &value, &place) {
                known += 1;
            } else {
                strange.push((place, name, value));
            }
        }
        if known == 0 {
            return false;
        }
        for (place, name, value) in strange {
            self.note(&place, heading, &format!("{name}: {value}"));
        }
        true
    }

    /// A name and its value. Whether it means something to a plan.
    pub(crate) fn field(&mut self, name: &str, value: &str, place: &Place) -> bool {
        // What stands in brackets explains the name.
        let said = plain(name.split('(').next().unwrap_or(name));
        let value = value.trim();
        let any = |words: &[&str]| has(&said, words);
        let is = |words: &[&str]| words.contains(&said.as_str());
        if value.is_empty()
            || said.is_empty()
            || said.split(' ').count() > 8
            || forbids_backout(name)
        {
            return false;
        }
        let text = || Some(value.to_owned());
        match () {
            () if is(&[
                "change",
                "change id",
                "change number",
                "change no",
                "change ref",
                "change reference",
                "ticket",
                "ticket number",
                "rfc",
                "rfc number",
                "cr",
                "cr number",
                "change ticket",
                "number",
                "change request",
                "issue key",
            ]) =>
            {
                if !is_change_id(value) {
                    // `Change: Upgrade of the portal` is what it is called.
                    let titled = matches!(said.as_str(), "change" | "change request")
                        && value.split(' ').count() > 1
                        && value.chars().count() <= 120;
                    if titled {
                        self.titles.push((0, value.to_owned(), place.clone()));
                    }
                    return titled;
                }
                self.plan.change.id = text();
                self.report.found("change.id", place);
            }
            () if is(&[
                "what is being deployed",
                "title",
                "change title",
                "change name",
                "short description",
                "summary",
                "what",
            ]) =>
            {
                self.titles.push((0, value.to_owned(), place.clone()));
            }
            () if is(&[
                "project",
                "project name",
                "application",
                "system",
                "service",
                "product",
            ]) =>
            {
                self.titles.push((3, value.to_owned(), place.clone()));
            }
            () if is(&[
                "release",
                "target version",
                "new version",
                "to version",
                "version to",
                "release version",
                "version being deployed",
                "deploying version",
                "release to",
            ]) =>
            {
                // `Release` may be the name of the train; `New version` is the version.
                if said != "release" || self.versions.to.is_none() {
                    self.versions.to = Some((value.to_owned(), place.clone()));
                }
            }
            () if is(&[
                "previous version",
                "current version",
                "from version",
                "version from",
                "rollback version",
                "rollback to",
                "version to go back to",
                "backout to",
                "last good version",
                "release from",
            ]) =>
            {
                self.versions.from = Some((value.to_owned(), place.clone()));
            }
            () if is(&[
                "version",
                "plan version",
                "document version",
                "doc version",
                "revision",
            ]) =>
            {
                self.plan.change.plan_version = text();
                self.report.found("change.plan_version", place);
            }
            () if is(&[
                "plan owner",
                "owner",
                "change owner",
                "author",
                "prepared by",
                "document owner",
                "change manager",
                "change technician",
                "implementer",
                "change implementer",
            ]) =>
            {
                let Some(role) = self.role(value, "change.owner", place) else { return false };
                self.plan.change.owner = Some(role);
            }
            () if is(&["requested by", "requester", "requestor", "change requester"]) => {
                self.plan.change.requested_by = self.role(value, "change.requested_by", place);
            }
            () if is(&["reviewed by", "reviewer", "change reviewer", "peer reviewer"]) => {
                self.plan.change.reviewed_by = self.role(value, "change.reviewed_by", place);
            }
            () if is(&["approved by", "approver", "approval", "approvals", "approvers"]) => {
                let day = values::day(value);
                let names = value.split(" on ").next().unwrap_or(value);
                let names = names.split('(').next().unwrap_or(names);
                let by = crate::people::roles(
                    names,
                    "change.approvals",
                    place,
                    &mut self.plan,
                    &mut self.report,
                );
                if by.is_empty() {
                    return false;
                }
                let version = None;
                for by in by {
                    self.plan.change.approvals.push(Approval {
                        by,
                        on: day,
                        plan_version: version.clone(),
                    });
                }
            }
            () if is(&["environment", "environments", "target environment"]) => {
                self.plan.change.environment = text();
                self.report.found("change.environment", place);
            }
            () if is(&["change type", "type", "type of change", "change category"]) => {
                let kind = plain(value);
                self.plan.change.kind = Some(match () {
                    () if has(&kind, &["emergency", "expedited", "urgent"]) => {
                        ChangeKind::Emergency
                    }
                    () if has(&kind, &["standard"]) => ChangeKind::Standard,
                    () if has(&kind, &["normal"]) => ChangeKind::Normal,
                    () => return false,
                });
                self.report.found("change.kind", place);
            }
            () if is(&[
                "description",
                "change description",
                "purpose of change",
                "reason",
                "reason for change",
                "justification",
            ]) =>
            {
                self.plan.change.description = text();
                self.report.found("change.description", place);
            }
            () if is(&[
                "impact",
                "impact of change",
                "user impact",
                "business impact",
                "service impact",
                "customer impact",
                "downtime",
            ]) =>
            {
                self.plan.change.impact = text();
                self.report.found("change.impact", place);
            }
            () if is(&["security", "security impact", "security considerations"]) => {
                self.plan.change.security = text();
                self.report.found("change.security", place);
            }
            () if is(&[
                "depends on",
                "dependencies",
                "interfaces",
                "integrations",
                "dependent systems",
                "upstream",
                "downstream",
            ]) =>
            {
                self.plan.change.depends_on.0.extend(pieces(value));
                self.report.found("change.depends_on", place);
            }
            () if is(&["success when", "success criteria", "success"]) => {
                self.plan.change.success_when.0.extend(lines(value));
                self.report.found("change.success_when", place);
            }
            () if is(&[
                "components affected",
                "affected components",
                "components",
                "services impacted",
                "affected systems",
                "systems affected",
                "affected services",
                "configuration items",
                "configuration item",
            ]) =>
            {
                for piece in pieces(value) {
                    let piece = piece.trim_matches(['~', '@', '"', '`']).to_owned();
                    self.component(&piece, "components", place);
                }
            }
            () if is(&[
                "deployment date",
                "release date",
                "change date",
                "scheduled date",
                "date",
                "go live date",
                "implementation date",
                "date of change",
                "planned date",
            ]) =>
            {
                match values::day(value) {
                    Some(day) => self.when.date = Some((day, place.clone())),
                    None => return false,
                }
                if values::times(value).len() >= 2 && self.when.deploy.is_none() {
                    self.when.deploy = Some((value.to_owned(), place.clone()));
                }
            }
            () if is(&[
                "deployment window",
                "change window",
                "maintenance window",
                "window",
                "implementation window",
                "scheduled window",
                "release window",
                "outage window",
            ]) || any(&["scheduled date and time"]) =>
            {
                if values::times(value).is_empty() {
                    return false;
                }
                if let Some(day) = values::day(value) {
                    self.when.date.get_or_insert((day, place.clone()));
                }
                self.when.deploy = Some((value.to_owned(), place.clone()));
                let zone = values::zone(value).or_else(|| values::zone(name));
                if let Some(zone) = zone {
                    self.when.zone = Some((zone, place.clone(), None));
                }
            }
            () if is(&[
                "backout window",
                "rollback window",
                "backout by",
                "rollback by",
                "backout must be finished by",
                "latest backout",
                "rollback deadline",
                "backout deadline",
                "backout finished by",
                "window closes",
                "end of window",
            ]) =>
            {
                if values::times(value).is_empty() {
                    return false;
                }
                self.when.by = Some((value.to_owned(), place.clone()));
            }
            () if is(&["time zone", "timezone", "tz"]) => match values::zone(value) {
                Some(zone) => self.when.zone = Some((zone, place.clone(), None)),
                None => return false,
            },
            () if is(&["confidence"]) => match value.parse() {
                Ok(confidence) => {
                    self.window().confidence = Some(confidence);
                    self.report.found("window.confidence", place);
                }
                Err(_) => return false,
            },
            () if any(&[
                "total backout",
                "total rollback",
                "backout duration",
                "rollback duration",
                "backout time",
                "rollback time",
                "time to rollback",
                "time to backout",
                "estimated backout",
                "estimated rollback",
                "stated total",
                "total time",
            ]) =>
            {
                match values::length(value, values::unit_of(name)) {
                    Some(length) => self.when.total = Some((length.high(), place.clone())),
                    None => return false,
                }
            }
            () if is(&["review owner", "review held by"]) => {
                let owner = self.role(value, "review.owner", place);
                self.review().owner = owner;
            }
            () if is(&["review within", "review due"]) => {
                let Some(within) = values::length(value, None) else { return false };
                self.review().within = Some(within.high());
                self.report.found("review.within", place);
            }
            () => return false,
        }
        true
    }

    pub(crate) fn window(&mut self) -> &mut Window {
        self.plan.window.get_or_insert(Window {
            timezone: None,
            deploy: None,
            backout_by: None,
            confidence: None,
            stated_total: None,
        })
    }

    pub(crate) fn review(&mut self) -> &mut Review {
        self.plan.review.get_or_insert(Review {
            owner: None,
            within: None,
            questions: Default::default(),
            retrospective_approval: None,
        })
    }
}

/// Whether a text can be the number of a change: `CHG0048213`, `RFC 2026-14`, and no
/// sentence.
fn is_change_id(value: &str) -> bool {
    let words: Vec<&str> = value.split_whitespace().collect();
    let counted = |word: &&str| word.contains(|c: char| c.is_ascii_digit());
    let letters = |word: &str| {
        word.len() <= 10 && word.chars().all(|c| c.is_ascii_uppercase() || "#.:-".contains(c))
    };
    let numbered = match words.as_slice() {
        [] => false,
        [one] => counted(one) || one.contains(['-', '#', '[', '<']) || letters(one),
        [first, second, ..] => counted(first) || letters(first) && counted(second),
    };
    value.len() <= 60 && numbered
}

/// `a, b and c` as three.
pub(crate) fn pieces(text: &str) -> Vec<String> {
    let parts = text.split([',', ';', '\n']).flat_map(|part| part.split(" and "));
    parts.map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn lines(text: &str) -> Vec<String> {
    let parts = text.split(['\n', ';']);
    parts
        .map(|part| part.trim().trim_start_matches(['-', '•', '*']).trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

/// The longer figure of an estimate.
pub(crate) fn longest(estimate: Estimate) -> Span {
    estimate.high()
}
