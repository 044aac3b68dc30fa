//! When things happen and which versions are meant, as far as a document says it in
//! several places.

use backout_core::plan::{LocalRange, LocalTime, Release};
use backout_documents::Place;
use jiff::civil::{Date, DateTime};

use crate::reading::{Reading, Versions};
use crate::values;

impl Reading<'_> {
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
        // `CET`, `BST`: several zones are called so, and none of them all year round.
        if self.plan.window.as_ref().is_none_or(|window| window.timezone.is_none())
            && let Some((text, place)) =
                when.deploy.iter().chain(&when.by).find(|(text, _)| abbreviated_zone(text))
        {
            let (text, place) = (text.clone(), place.clone());
            self.note(&place, "", &format!("{text}: which time zone is meant?"));
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
                    let mut at =
                        LocalTime { at: day.to_datetime(*time), weekday: values::weekday(text) };
                    // An hour before the window is that of the night after it.
                    let starts =
                        self.plan.window.as_ref().and_then(|w| w.deploy).map(|w| w.start.at);
                    if own.is_none()
                        && starts.is_some_and(|starts| at.at < starts)
                        && let Ok(next) = day.tomorrow()
                    {
                        at.at = next.to_datetime(*time);
                    }
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

/// Whether a text names a time zone by its letters.
fn abbreviated_zone(text: &str) -> bool {
    const ZONES: [&str; 22] = [
        "CET", "CEST", "MEZ", "MESZ", "GMT", "BST", "WET", "WEST", "EET", "EEST", "EST", "EDT",
        "CST", "CDT", "MST", "MDT", "PST", "PDT", "IST", "JST", "AEST", "AEDT",
    ];
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| ZONES.contains(&word))
}

/// Two times of one day, or over midnight.
pub(crate) fn range(text: &str, day: Option<Date>) -> Option<LocalRange> {
    let day = values::day(text).or(day)?;
    let times = values::times(text);
    let [start, end, ..] = times.as_slice() else { return None };
    let weekday = values::weekday(text);
    // A night over several days says both.
    let later = [" - ", " \u{2013} ", " \u{2014} ", "\u{2013}", " to ", " until ", " till ", " / "]
        .into_iter()
        .filter_map(|sign| text.split_once(sign))
        .find_map(|(before, behind)| {
            let both = !values::times(before).is_empty() && !values::times(behind).is_empty();
            values::day(behind).filter(|_| both)
        });
    let last = match later {
        Some(later) if later > day || later == day && end > start => later,
        Some(_) => return None,
        None if end > start => day,
        None => day.tomorrow().ok()?,
    };
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
