//! Names and their values: the header of a plan, front matter, fields of a ticket.

use backout_core::duration::{Estimate, Span};
use backout_core::ids::ComponentId;
use backout_core::plan::{
    Approval, ChangeKind, Component, LocalRange, LocalTime, Release, Review, Window,
};
use backout_documents::tree::text_of;
use backout_documents::{Fact, Kind, Place};
use jiff::civil::{Date, DateTime};

use crate::reading::{Reading, Versions};
use crate::tables::Grid;
use crate::values;
use crate::words::{has, plain, slug, unique};

/// When things happen, as the document says it in several places.
#[derive(Debug, Default)]
pub(crate) struct When {
    pub(crate) date: Option<(Date, Place)>,
    pub(crate) deploy: Option<(String, Place)>,
    pub(crate) start: Option<(DateTime, Place)>,
    pub(crate) end: Option<(DateTime, Place)>,
    pub(crate) by: Option<(String, Place)>,
    pub(crate) zone: Option<(String, Place, Option<&'static str>)>,
    pub(crate) total: Option<(Span, Place)>,
}

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
            "status" | "last_updated" | "layout" | "tags" | "description" if !self.is_ticket() => {
                return;
            }
            "title" | "name" => {
                self.titles.push((6, value.to_owned(), place.clone()));
                return;
            }
            _ => return,
        };
        self.field(known, value, place);
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
        if value.is_empty() || said.is_empty() || said.split(' ').count() > 8 {
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
                if value.contains(' ') && !value.starts_with(|c: char| c.is_ascii_uppercase())
                    || value.len() > 60
                {
                    return false;
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
                self.versions.to = Some((value.to_owned(), place.clone()));
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

    /// The component a text names: a known one that shares its telling words, or a new one.
    pub(crate) fn component(
        &mut self,
        name: &str,
        field: &str,
        place: &Place,
    ) -> Option<ComponentId> {
        let name = name.trim().trim_end_matches('.');
        if name.is_empty() || name.chars().count() > 60 {
            return None;
        }
        if let Some(id) = self.known_component(name) {
            let exact = plain(id.as_str()) == plain(name);
            if exact {
                self.report.found(field, place);
            } else {
                self.report.guessed(
                    field,
                    place,
                    format!("`{name}` is taken for the component {id}: they share their words"),
                );
            }
            return Some(id);
        }
        let free = unique(&slug(name), "component", |id| {
            self.plan.components.keys().any(|known| known.as_str() == id)
        });
        let id = ComponentId::new(free).ok()?;
        let title =
            (plain(id.as_str()) != plain(name) || name != id.as_str()).then(|| name.to_owned());
        self.plan.components.insert(id.clone(), Component { title, ..Component::default() });
        self.report.found(format!("components[{id}]"), place);
        Some(id)
    }

    /// A component whose telling words are these.
    pub(crate) fn known_component(&self, name: &str) -> Option<ComponentId> {
        let wanted = telling(name);
        if wanted.is_empty() {
            return None;
        }
        let mut fits = self.plan.components.iter().filter(|(id, component)| {
            let known = telling(component.title.as_deref().unwrap_or(id.as_str()));
            wanted.iter().all(|word| known.contains(word))
                || known.iter().all(|word| wanted.contains(word))
        });
        match (fits.next(), fits.next()) {
            (Some((id, _)), None) => Some(id.clone()),
            _ => None,
        }
    }

    /// Puts together what the document says about times in several places.
    pub(crate) fn settle_times(&mut self) {
        let when = std::mem::take(&mut self.when);
        let date = when.date.clone();
        if let Some((zone, place, why)) = when.zone {
            self.window().timezone = Some(zone);
            match why {
                Some(why) => self.report.guessed("window.timezone", &place, why),
                None => self.report.found("window.timezone", &place),
            }
        }
        if let (Some((start, place)), Some((end, _))) = (&when.start, &when.end)
            && end > start
        {
            let time = |at: &DateTime| LocalTime { at: *at, weekday: None };
            self.window().deploy = Some(LocalRange { start: time(start), end: time(end) });
            self.report.found("window.deploy", place);
        }
        let mut end_of_deploy = None;
        if let Some((text, place)) = &when.deploy {
            match (
                range(text, date.as_ref().map(|(day, _)| *day)),
                self.plan.window.as_ref().and_then(|w| w.deploy),
            ) {
                (Some(found), None) => {
                    end_of_deploy = Some(found.end.at);
                    self.window().deploy = Some(found);
                    self.report.found("window.deploy", place);
                    if let Some((_, day)) = date.as_ref().filter(|(_, at)| at != place) {
                        self.report.guessed(
                            "window.deploy",
                            day,
                            "the day stands here, the hours elsewhere",
                        );
                    }
                }
                (None, None) => self.note(place, "", &format!("Deployment window: {text}")),
                _ => {}
            }
        } else if let Some((day, place)) = &date
            && self.plan.window.as_ref().is_none_or(|window| window.deploy.is_none())
        {
            self.note(place, "", &format!("Deployment date: {}", day.strftime("%-d %B %Y")));
        }
        if let Some((text, place)) = &when.by {
            let times = values::times(text);
            let own = values::day(text);
            let day =
                own.or_else(|| end_of_deploy.map(|end| end.date())).or(date.map(|(day, _)| day));
            match (times.last(), day) {
                (Some(time), Some(day)) => {
                    let at =
                        LocalTime { at: day.to_datetime(*time), weekday: values::weekday(text) };
                    self.window().backout_by = Some(at);
                    self.report.found("window.backout_by", place);
                    if own.is_none() {
                        self.report.guessed(
                            "window.backout_by",
                            place,
                            "the hour stands here, the day is that of the deployment",
                        );
                    }
                }
                _ => self.note(place, "", &format!("Backout window: {text}")),
            }
        }
        if let Some((total, place)) = when.total {
            self.window().stated_total = Some(total);
            self.report.found("window.stated_total", &place);
        }
    }

    /// The version released and the one before.
    pub(crate) fn settle_release(&mut self) {
        let Versions { from, to } = self.versions.clone();
        let said = self.plan.change.title.clone();
        let mut to = to.map(|(text, place)| (text, place, None));
        // `Release 2.0` in one place and `v2.0` in the title are one version.
        if let (Some((text, _, why)), Some(better)) = (&mut to, version(&said))
            && version(text).is_some_and(|number| {
                number.trim_start_matches('v') == better.trim_start_matches('v')
            })
        {
            *text = better;
            *why = Some("written as in the title");
        }
        if let (Some((from, place)), Some((to, at, _))) = (&from, &to) {
            self.plan.change.release = Some(Release { from: from.clone(), to: to.clone() });
            self.report.found("change.release.from", place);
            self.report.found("change.release.to", at);
            return;
        }
        let Some((to, at, why)) = to else {
            if let Some((from, place)) = from {
                self.note(&place, "", &format!("Previous version: {from}"));
            }
            return;
        };
        // A version that the verifications expect is the one to go back to, if it is the only one.
        let number = |text: &str| text.trim_start_matches('v').to_owned();
        let mut older: Vec<(String, Place)> = Vec::new();
        for draft in &self.drafts {
            for (text, place) in &draft.verify {
                older.extend(version(text).map(|version| (version, place.clone())));
            }
        }
        older.retain(|(version, _)| number(version) != number(&to));
        older.dedup_by(|a, b| a.0 == b.0);
        let first = older.first().cloned();
        match first.filter(|(version, _)| older.iter().all(|(other, _)| other == version)) {
            Some((from, place)) => {
                self.plan.change.release = Some(Release { from, to });
                self.report.guessed(
                    "change.release.from",
                    &place,
                    "the version that the verifications expect",
                );
                match why {
                    Some(why) => self.report.guessed("change.release.to", &at, why),
                    None => self.report.found("change.release.to", &at),
                }
            }
            None => self.note(&at, "", &format!("Release: {to}")),
        }
    }
}

/// Two times of one day, or over midnight.
fn range(text: &str, day: Option<Date>) -> Option<LocalRange> {
    let day = values::day(text).or(day)?;
    let times = values::times(text);
    let [start, end, ..] = times.as_slice() else { return None };
    let weekday = values::weekday(text);
    let last = if end > start { day } else { day.tomorrow().ok()? };
    Some(LocalRange {
        start: LocalTime { at: day.to_datetime(*start), weekday },
        // The weekday someone wrote once is that of the start.
        end: LocalTime { at: last.to_datetime(*end), weekday: weekday.filter(|_| last == day) },
    })
}

/// A version in a text: `v1.9`, `2.0.1`.
pub(crate) fn version(text: &str) -> Option<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.'))
        .map(|word| word.trim_matches('.'))
        .find(|word| {
            let bare = word.strip_prefix('v').unwrap_or(word);
            bare.contains('.')
                && bare.starts_with(|c: char| c.is_ascii_digit())
                && bare.chars().all(|c| c.is_ascii_digit() || c == '.')
        })
        .map(str::to_owned)
}

/// The words that tell one component from another.
fn telling(name: &str) -> Vec<String> {
    const SAID_OF_MANY: [&str; 16] = [
        "the",
        "a",
        "of",
        "file",
        "files",
        "config",
        "configuration",
        "server",
        "servers",
        "system",
        "backup",
        "component",
        "restore",
        "previous",
        "tier",
        "layer",
    ];
    let short = |word: &str| match word {
        "db" | "databases" => "database".to_owned(),
        "app" | "apps" | "applications" => "application".to_owned(),
        "config" | "configs" | "configurations" => "configuration".to_owned(),
        "lb" | "balancers" => "balancer".to_owned(),
        word => word.to_owned(),
    };
    let words: Vec<String> =
        plain(name).split(' ').filter(|word| !word.is_empty()).map(short).collect();
    let telling: Vec<String> =
        words.iter().filter(|word| !SAID_OF_MANY.contains(&word.as_str())).cloned().collect();
    if telling.is_empty() {
        words
            .into_iter()
            .filter(|word| !matches!(word.as_str(), "the" | "a" | "of" | "restore"))
            .collect()
    } else {
        telling
    }
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
