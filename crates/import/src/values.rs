//! Values people write in prose: lengths of time, days, times of day, limits.

use std::sync::LazyLock;

use backout_core::duration::{Estimate, Span};
use backout_core::plan::{Comparison, Limit};
use jiff::civil::{Date, Time, Weekday};
use regex::Regex;

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of this file")
}

macro_rules! patterns {
    ($($name:ident = $text:expr;)*) => {
        $(static $name: LazyLock<Regex> = LazyLock::new(|| pattern($text));)*
    };
}

patterns! {
    LENGTH = r"(?i)(\d+(?:[.,]\d{1,2})?)\s*(days?|d|hours?|hrs?|h|minutes?|mins?|min|m|seconds?|secs?|sec|s)\b";
    RANGE = r"(?i)(\d+(?:[.,]\d{1,2})?)\s*(days?|hours?|hrs?|h|minutes?|mins?|min|m|seconds?|secs?|s)?\s*(?:-|–|—|to)\s*(\d+(?:[.,]\d{1,2})?)\s*(days?|hours?|hrs?|h|minutes?|mins?|min|m|seconds?|secs?|s)\b";
    CLOCKED = r"^\s*(\d{1,3}):(\d{2})(?::(\d{2}))?\s*(?:h|hrs?|hours?)?\s*$";
    BARE_RANGE = r"^\s*(\d+(?:\.\d+)?)\s*(?:-|–|—|to)\s*(\d+(?:\.\d+)?)\s*$";
    BARE = r"^\s*[~≈]?\s*(\d+(?:[.,]\d{1,3}|\.\d+)?)\s*$";
    ISO_DAY = r"\b(\d{4})-(\d{2})-(\d{2})\b";
    DAY_MONTH = r"(?i)\b(\d{1,2})(?:st|nd|rd|th)?\s+(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?,?\s+(\d{4})\b";
    MONTH_DAY = r"(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})\b";
    DOUBLE_DAY = r"\b(\d{1,2})\s*[/-]\s*(\d{1,2})(\s+[A-Za-z]{3,9}\.?,?\s+\d{4})";
    SLASHED = r"\b(\d{1,2})[/.](\d{1,2})[/.](\d{4})\b";
    CLOCK = r"(?i)\b(\d{1,2})[:.](\d{2})(?::\d{2})?\s*(am|pm)?\b|\b(\d{1,2})\s*(am|pm)\b";
    WEEKDAY = r"(?i)\b(mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b";
    ZONE = r"\b([A-Z][A-Za-z]+/[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_]+)?|UTC)\b";
    COMPARED = r"(?ix)
        (?P<sign>>=|<=|≥|≤|>|<)
        |\b(?P<words>(?:is\s+|are\s+|rises\s+|goes\s+|stays\s+|drops\s+|falls\s+|remains\s+)?
            (?:at\s+least|no\s+less\s+than|at\s+most|no\s+more\s+than|greater\s+than\s+or\s+equal\s+to
            |greater\s+than|more\s+than|higher\s+than|longer\s+than|slower\s+than|less\s+than|lower\s+than|fewer\s+than
            |exceeds?|exceeding|above|over|below|under))\b";
    NUMBER_UNIT = r"(?ix)^\s*(?P<value>-?\d+(?:[.,]\d+)?)\s*
        (?P<unit>%|percent|ms|milliseconds?|seconds?|secs?|s\b|minutes?|mins?|min\b|hours?|h\b
        |(?:errors?|requests?|failures?|events?|messages?)\s*(?:per|/)\s*(?:second|minute|hour|min|sec|s|m|h)|/s|/min|x\b|times\b|gb|mb
        |(?:messages|errors|requests|failures|events|items|entries|rows|jobs|orders|users|connections|tickets|alerts)\b)?";
    LASTING = r"(?ix)\b(?:for|sustained\s+(?:for|over)|over|during|within|lasting)\s+(?:more\s+than\s+|at\s+least\s+|the\s+last\s+|a\s+)?
        (?P<length>\d+(?:\.\d+)?\s*[-\ ]?\s*(?:hours?|hrs?|h|minutes?|mins?|min|m|seconds?|secs?|s))\b";
}

/// Whether nobody can tell if `1.500` is one and a half or fifteen hundred.
fn ambiguous(number: &str) -> bool {
    number.split_once(['.', ',']).is_some_and(|(whole, part)| {
        part.len() == 3 && !matches!(whole.trim_start_matches('-'), "0" | "")
    })
}

fn seconds(number: &str, unit: &str) -> Option<f64> {
    if ambiguous(number) {
        return None;
    }
    let number: f64 = number.replace(',', ".").parse().ok()?;
    let unit = unit.to_lowercase();
    let size = match unit.chars().next()? {
        'd' => 86_400.0,
        'h' => 3600.0,
        'm' => 60.0,
        _ => 1.0,
    };
    let total = number * size;
    (total.is_finite() && total <= 366.0 * 86_400.0).then_some(total)
}

fn span(seconds: f64) -> Span {
    Span::from(std::time::Duration::from_secs_f64(seconds.max(0.0)))
}

/// A length of time: `30 min`, `~100 min`, `1.5 hours`, `1h 30m`, `0:45`, `5-10 min`;
/// a bare number counts in `unit`, where the column says one.
pub(crate) fn length(text: &str, unit: Option<&str>) -> Option<Estimate> {
    // `30 min (20 min to 50 min)`, as our own documents say it.
    if let Some((likely, rest)) = text.split_once(" (")
        && let Some((low, high)) = rest.trim_end_matches(')').split_once(" to ")
        && let (
            Some(Estimate::Point(likely)),
            Some(Estimate::Point(low)),
            Some(Estimate::Point(high)),
        ) = (length(likely, None), length(low, None), length(high, None))
        && low <= likely
        && likely <= high
    {
        return Some(Estimate::Range { low, likely, high });
    }
    if let Some(range) = RANGE.captures(text) {
        let own = range.get(2).map_or(&range[4], |unit| unit.as_str());
        let (low, high) = (seconds(&range[1], own)?, seconds(&range[3], &range[4])?);
        if text.replacen(&range[0], " ", 1).contains(|c: char| c.is_ascii_digit()) {
            return None;
        }
        // Nobody said which is likely; the longer one is the safe one.
        return (low <= high && high > 0.0).then(|| Estimate::Range {
            low: span(low),
            likely: span(high),
            high: span(high),
        });
    }
    if let (Some(range), Some(unit)) = (BARE_RANGE.captures(text), unit) {
        let (low, high) = (seconds(&range[1], unit)?, seconds(&range[2], unit)?);
        return (low <= high && high > 0.0).then(|| Estimate::Range {
            low: span(low),
            likely: span(high),
            high: span(high),
        });
    }
    if let Some(clock) = CLOCKED.captures(text) {
        let part =
            |index: usize| clock.get(index).and_then(|part| part.as_str().parse::<f64>().ok());
        if unit == Some(MINUTES_AND_SECONDS) && clock.get(3).is_none() {
            let total = part(1)? * 60.0 + part(2)?;
            return (total > 0.0).then(|| Estimate::Point(span(total)));
        }
        // A time with two fields is hours and minutes, as in every plan with a `0:30`.
        let total = part(1)? * 3600.0 + part(2)? * 60.0 + part(3).unwrap_or(0.0);
        return (total > 0.0).then(|| Estimate::Point(span(total)));
    }
    if let (Some(bare), Some(unit)) = (BARE.captures(text), unit) {
        let total = seconds(&bare[1], unit)?;
        return (total > 0.0).then(|| Estimate::Point(span(total)));
    }
    let mut total = 0.0;
    let mut found = false;
    let mut start = 0;
    let mut end = 0;
    for part in LENGTH.captures_iter(text) {
        let whole = part.get(0)?;
        // `1 h 30 min` is one length; `5 min … 10 min` is two, and the first counts.
        if found
            && !text[end..whole.start()]
                .trim()
                .trim_matches([',', '+'])
                .trim_start_matches("and")
                .trim()
                .is_empty()
        {
            break;
        }
        total += seconds(&part[1], &part[2])?;
        if !found {
            start = whole.start();
        }
        end = whole.end();
        found = true;
    }
    // `1 hour 30`, `2 x 15 min`, `1.000 s`: a figure that is left over changes the
    // others, and so does what the length is counted by: `15 min per node`.
    let rest = format!("{} {}", &text[..start], &text[end..]);
    let clear = !rest.contains(|c: char| c.is_ascii_digit()) && !is_per_piece(&rest);
    (found && clear && total > 0.0).then(|| Estimate::Point(span(total)))
}

/// Whether a figure has two readings: `02:10` is a time of day, or two hours and ten
/// minutes. `0:30` is a length, and so is what a column in hours and minutes holds.
pub(crate) fn may_be_clock(text: &str, column: &str) -> bool {
    let text = text.trim();
    let two = |part: &str| part.len() == 2 && part.chars().all(|c| c.is_ascii_digit());
    let said = crate::words::plain(column);
    let stated =
        ["hh mm", "h mm", "hour", "mm ss", "min sec"].iter().any(|unit| said.contains(unit));
    text.split_once(':')
        .is_some_and(|(hour, minute)| two(hour) && two(minute) && hour != "00" && !stated)
}

/// `15 min per node`, `5 min each`: how many there are is not said.
fn is_per_piece(text: &str) -> bool {
    crate::words::plain(text).split(' ').any(|word| matches!(word, "per" | "each" | "every"))
}

/// A length that stands in brackets somewhere in a heading; none where there are two.
pub(crate) fn length_in_brackets(text: &str) -> Option<Estimate> {
    let (before, rest) = text.rsplit_once(['(', '['])?;
    if let Some((_, other)) = before.rsplit_once(['(', '['])
        && length(other.split([')', ']']).next()?, None).is_some()
    {
        return None;
    }
    length(rest.split([')', ']']).next()?, None)
}

/// Whether a text says more than a length: `30 min, beside step 4`.
pub(crate) fn says_more(text: &str) -> bool {
    const AROUND: [&str; 22] = [
        "about",
        "approx",
        "approximately",
        "ca",
        "circa",
        "within",
        "max",
        "maximum",
        "up",
        "to",
        "est",
        "estimated",
        "and",
        "min",
        "mins",
        "minutes",
        "minute",
        "hours",
        "hour",
        "h",
        "m",
        "seconds",
    ];
    let said = crate::words::plain(text);
    said.split(' ').any(|word| {
        word.starts_with(char::is_alphabetic)
            && !AROUND.contains(&word)
            && !matches!(word, "s" | "hrs" | "hr" | "sec" | "secs" | "day" | "days" | "d")
    })
}

/// The unit of a column whose times are minutes and seconds: `Duration (mm:ss)`.
const MINUTES_AND_SECONDS: &str = "mm:ss";

/// The unit a column's name gives its numbers: `Duration (min)`.
pub(crate) fn unit_of(name: &str) -> Option<&'static str> {
    let said = crate::words::plain(name);
    if ["mm ss", "min sec", "m ss"].iter().any(|unit| said.contains(unit)) {
        return Some(MINUTES_AND_SECONDS);
    }
    [("day", "d"), ("hour", "h"), ("hrs", "h"), ("min", "m"), ("sec", "s")]
        .into_iter()
        .find(|(word, _)| crate::words::has(&said, &[word]))
        .map(|(_, unit)| unit)
        // `Duration (h)`.
        .or_else(|| {
            ["d", "h", "m", "s"].into_iter().find(|unit| said.split(' ').any(|word| word == *unit))
        })
}

/// A day, and why it is a guess if it is one. Days such as `07/06/2026` have two
/// readings; without one of them above 12 there is no telling, and no day.
pub(crate) fn day(text: &str) -> Option<Date> {
    const MONTHS: &str = "janfebmaraprmayjunjulaugsepoctnovdec";
    let month = |name: &str| -> Option<i8> {
        let at = MONTHS.find(&name.to_lowercase())?;
        i8::try_from(at / 3 + 1).ok()
    };
    let number = |text: &str| text.parse::<i8>().ok();
    if let Some(found) = ISO_DAY.captures(text) {
        return Date::new(found[1].parse().ok()?, number(&found[2])?, number(&found[3])?).ok();
    }
    // `21/22 March 2026` is a night; it begins on the first of the two days.
    let text = &DOUBLE_DAY.replace(text, "$1 $3");
    if let Some(found) = DAY_MONTH.captures(text) {
        return Date::new(found[3].parse().ok()?, month(&found[2])?, number(&found[1])?).ok();
    }
    if let Some(found) = MONTH_DAY.captures(text) {
        return Date::new(found[3].parse().ok()?, month(&found[1])?, number(&found[2])?).ok();
    }
    let found = SLASHED.captures(text)?;
    let (first, second, year) = (number(&found[1])?, number(&found[2])?, found[3].parse().ok()?);
    match (first > 12, second > 12, first == second) {
        (true, false, _) | (false, false, true) => Date::new(year, second, first).ok(),
        (false, true, _) => Date::new(year, first, second).ok(),
        _ => None,
    }
}

/// The times of day in a text, in order.
pub(crate) fn times(text: &str) -> Vec<Time> {
    let without_days = ISO_DAY.replace_all(text, " ");
    let without_days = SLASHED.replace_all(&without_days, " ").replace('T', " ");
    CLOCK
        .captures_iter(&without_days)
        .filter_map(|found| {
            let get = |index: usize| found.get(index).map(|part| part.as_str());
            let hour: i8 = get(1).or(get(4))?.parse().ok()?;
            let minute: i8 = get(2).unwrap_or("0").parse().ok()?;
            let half = get(3).or(get(5)).map(str::to_lowercase);
            let hour = match half.as_deref() {
                Some("am") if hour == 12 => 0,
                Some("pm") if hour < 12 => hour + 12,
                _ => hour,
            };
            Time::new(hour, minute, 0, 0).ok()
        })
        .collect()
}

/// The weekday a text names.
pub(crate) fn weekday(text: &str) -> Option<Weekday> {
    let found = WEEKDAY.captures(text)?[1].to_lowercase();
    Some(match &found[..3] {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        _ => Weekday::Sunday,
    })
}

/// The time zone a text names in full. Abbreviations such as `CST` mean several.
pub(crate) fn zone(text: &str) -> Option<String> {
    let found = ZONE.captures(text)?[1].to_owned();
    backout_plan::times::zone(&found).map(|_| found)
}

/// A condition in words: what is measured, the limit, for how long.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    pub(crate) metric: String,
    pub(crate) limit: Limit,
    pub(crate) lasting: Option<Span>,
}

/// Reads `Error rate > 1 % for 15 minutes`, `p90 latency is at least 5 s`.
pub(crate) fn condition(text: &str) -> Option<Condition> {
    for found in COMPARED.captures_iter(text) {
        let whole = found.get(0)?;
        let said = found.name("sign").or(found.name("words"))?.as_str().to_lowercase();
        let comparison = comparison(&said)?;
        let rest = &text[whole.end()..];
        let Some(number) = NUMBER_UNIT.captures(rest) else { continue };
        let metric = text[..whole.start()]
            .trim()
            .trim_end_matches([':', '-', '(', ','])
            .trim_end_matches(" is")
            .trim_start_matches("If ")
            .trim_start_matches("if ")
            .trim_start_matches("When ")
            .trim_start_matches("the ")
            .trim_start_matches("The ")
            .trim();
        let after = &rest[number.get(0)?.end()..];
        // `More than 5 % of captures fail for 30 minutes`: what is measured stands behind.
        let behind = after.trim_start().strip_prefix("of ").map(|behind| {
            let end = LASTING.find(behind).map_or(behind.len(), |lasting| lasting.start());
            behind[..end].trim().trim_end_matches(['.', ','])
        });
        let metric = if metric.is_empty() { behind.unwrap_or_default() } else { metric };
        let counted = whole.start() == 0 && metric.starts_with(|c: char| c.is_ascii_digit());
        if counted {
            continue;
        }
        // `CPU not above 90 %`: turned round, it would say the opposite.
        if is_negated(metric) {
            return None;
        }
        // `of 10,000 items`: a share of how many is part of it.
        if behind.is_some_and(|behind| behind.contains(|c: char| c.is_ascii_digit())) {
            return None;
        }
        // `1.000.000`: the figure goes on behind what was read of it.
        if after.starts_with(|c: char| c.is_ascii_digit())
            || after.len() > 1
                && after.starts_with(['.', ','])
                && after[1..].starts_with(|c: char| c.is_ascii_digit())
        {
            return None;
        }
        // `10,000`: ten thousand here, ten there.
        if ambiguous(&number["value"]) {
            return None;
        }
        let value = number["value"].replace(',', ".");
        let unit = unit(number.name("unit").map_or("", |unit| unit.as_str()));
        if metric.is_empty() || metric.chars().count() > 120 {
            continue;
        }
        let limit =
            format!("{} {value}{}{unit}", comparison.sign(), if unit.len() > 2 { " " } else { "" });
        let limit: Limit = limit.parse().ok()?;
        // Whatever else the sentence says would be lost: then it stays a sentence.
        let mut rest = LASTING.replace(after, " ").into_owned();
        if let Some(behind) = behind {
            rest = rest.replace(behind, " ");
        }
        let extra = crate::words::plain(&rest);
        if extra.split(' ').any(|word| {
            !matches!(
                word,
                "" | "of"
                    | "or"
                    | "more"
                    | "over"
                    | "a"
                    | "period"
                    | "than"
                    | "in"
                    | "total"
                    | "sustained"
            )
        }) {
            return None;
        }
        return Some(Condition { metric: metric.to_owned(), limit, lasting: lasting(after) });
    }
    None
}

/// Reads a limit that stands alone: `>5%`, `more than 10 seconds`.
pub(crate) fn limit(text: &str) -> Option<(Limit, Option<Span>)> {
    let found = condition(&format!("x {text}"))?;
    (found.metric == "x").then_some((found.limit, found.lasting))
}

/// For how long something lasts: `for 15 minutes`.
pub(crate) fn lasting(text: &str) -> Option<Span> {
    let found = LASTING.captures(text)?;
    match length(&found["length"].replace('-', " "), None)? {
        Estimate::Point(span) => Some(span),
        Estimate::Range { .. } => None,
    }
}

/// Whether what is measured is said not to be so.
fn is_negated(metric: &str) -> bool {
    let said = metric.to_lowercase();
    said.contains("n't")
        || crate::words::plain(metric).split(' ').any(|word| {
            matches!(word, "not" | "no" | "never" | "cannot" | "without" | "unless" | "except")
        })
}

fn comparison(said: &str) -> Option<Comparison> {
    let any = |words: &[&str]| words.iter().any(|word| said.contains(word));
    Some(match () {
        () if any(&[">=", "≥", "at least", "no less than", "or equal"]) => Comparison::AtLeast,
        () if any(&["<=", "≤", "at most", "no more than"]) => Comparison::AtMost,
        () if any(&["<", "less than", "lower than", "fewer than", "below", "under"]) => {
            Comparison::Below
        }
        () => Comparison::Above,
    })
}

fn unit(said: &str) -> String {
    let said = said.to_lowercase();
    match said.as_str() {
        "percent" => "%".to_owned(),
        "s" | "sec" | "secs" | "second" | "seconds" => "s".to_owned(),
        "ms" | "millisecond" | "milliseconds" => "ms".to_owned(),
        "min" | "mins" | "minute" | "minutes" => "min".to_owned(),
        "h" | "hour" | "hours" => "h".to_owned(),
        _ => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        for (text, unit, expected) in [
            ("30 min", None, Some("30m")),
            ("~100 min", None, Some("1h40m")),
            ("about 2 hours", None, Some("2h")),
            ("1.5 hours", None, Some("1h30m")),
            ("1h 30m", None, Some("1h30m")),
            ("1 hour and 15 minutes", None, Some("1h15m")),
            ("0:45", None, Some("45m")),
            ("00:05:00", None, Some("5m")),
            ("20", Some("m"), Some("20m")),
            ("20", None, None),
            ("5-10 min", None, Some("10m (5m to 10m)")),
            ("5-10", Some("m"), Some("10m (5m to 10m)")),
            ("1,5 h", None, Some("1h30m")),
            ("1:30 h", None, Some("1h30m")),
            ("1.000 s", None, None),
            ("1.500", Some("m"), None),
            ("15 min per node", None, None),
            ("2", Some("d"), Some("2d")),
            ("05:30", Some("mm:ss"), Some("5m30s")),
            ("1 hour 30", None, None),
            ("2 x 15 min", None, None),
            ("90 min to 2 h", None, Some("2h (1h30m to 2h)")),
            ("30 min (parallel with 11)", None, None),
            ("5 to 10 minutes", None, Some("10m (5m to 10m)")),
            ("30 min (20 min to 1 h 5 min)", None, Some("30m (20m to 1h5m)")),
            ("TBD", None, None),
            ("", None, None),
            ("Immediately", None, None),
            ("Within 30 min", None, Some("30m")),
            ("99999999 days", None, None),
        ] {
            assert_eq!(
                length(text, unit).map(|found| found.to_string()).as_deref(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn days() {
        for (text, expected) in [
            ("07 June 2026", Some("2026-06-07")),
            ("June 7th, 2026", Some("2026-06-07")),
            ("2026-06-07 02:00:00", Some("2026-06-07")),
            ("25/12/2026", Some("2026-12-25")),
            ("12/25/2026", Some("2026-12-25")),
            ("06/06/2026", Some("2026-06-06")),
            ("07/06/2026", None),
            ("31 June 2026", None),
            ("soon", None),
            ("21/22 March 2026", Some("2026-03-21")),
            ("14.03.2026 22:00", Some("2026-03-14")),
        ] {
            assert_eq!(day(text).map(|day| day.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn clocks() {
        let shown = |text: &str| {
            times(text).iter().map(|t| t.strftime("%H:%M").to_string()).collect::<Vec<_>>()
        };
        assert_eq!(shown("02:00-06:00 Saturday"), ["02:00", "06:00"]);
        assert_eq!(shown("2026-06-06 02:00:00"), ["02:00"]);
        assert_eq!(shown("from 2am to 6:30 PM"), ["02:00", "18:30"]);
        assert_eq!(shown("12 am"), ["00:00"]);
        assert_eq!(shown("By 25:00"), Vec::<String>::new());
        assert_eq!(weekday("By 06:00 Saturday"), Some(Weekday::Saturday));
        assert_eq!(zone("02:00-06:00 Europe/London").as_deref(), Some("Europe/London"));
        assert_eq!(zone("02:00 CST"), None);
    }

    #[test]
    fn conditions() {
        for (text, metric, limit, lasting) in [
            ("Error rate > 1 % for 15 minutes", "Error rate", "> 1%", Some("15m")),
            ("Login failure rate >5%", "Login failure rate", "> 5%", None),
            ("p90 latency is at least 5 seconds for 15 min", "p90 latency", ">= 5s", Some("15m")),
            ("If the error rate exceeds 2 percent", "error rate", "> 2%", None),
            (
                "availability drops below 99.5% over the last 10 minutes",
                "availability",
                "< 99.5%",
                Some("10m"),
            ),
            ("more than 100 errors per minute", "", "", None),
            (
                "5xx responses above 100 errors per minute",
                "5xx responses",
                "> 100 errors per minute",
                None,
            ),
            ("Performance degradation >50%", "Performance degradation", "> 50%", None),
            ("More than 5 % of captures fail for 30 minutes", "captures fail", "> 5%", Some("30m")),
        ] {
            let found = condition(text);
            if metric.is_empty() {
                assert!(found.is_none_or(|found| !found.metric.is_empty()), "{text}");
                continue;
            }
            let found = found.unwrap_or_else(|| panic!("{text}"));
            assert_eq!(
                (
                    found.metric.as_str(),
                    found.limit.to_string().as_str(),
                    found.lasting.map(|s| s.to_string()).as_deref()
                ),
                (metric, limit, lasting),
                "{text}"
            );
        }
        for text in [
            "System unavailable",
            "Not below 3 nodes",
            "More than 3 of 10 checkouts fail",
            "Queue depth >= 1.000.000",
            "Error rate > 1% for 10 min and users complain",
            "CPU above 90 % for 5 minutes on more than 2 nodes",
            "errors exceed 5 per hour",
            "CPU not above 90%",
            "Response time does not exceed 2 s",
            "Rollback is not needed if the error rate is below 1 %",
            "Queue depth > 10,000",
            "latency > 1,250 ms",
            "> 0.5 % of 10,000 items",
        ] {
            assert!(condition(text).is_none(), "{text}");
        }
        assert_eq!(
            limit(">10 seconds").map(|(limit, _)| limit.to_string()).as_deref(),
            Some("> 10s")
        );
        assert!(limit("Any failure").is_none());
    }
}
