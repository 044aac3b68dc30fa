//! Triggers: what they name, and what only one kind of them may say.

use backout_core::plan::{Check, Condition, Gauge, Limit, Trigger};

use super::Checker;
use super::conditions::{Gives, Sight};
use crate::diagnostic::codes;
use crate::document::Path;

impl Checker<'_> {
    pub(super) fn trigger(&mut self, trigger: &Trigger, at: &Path) {
        let hint = "say how often it is looked at, such as `15s`";
        self.lasts(trigger.every, &at.key("every"), hint);
        if let Some(stage) = &trigger.from {
            let defined = &self.names.stages;
            self.defined(stage.as_str(), "stage", "stages", defined, &at.key("from"));
        }
        let measured = !trigger.condition.is_judged();
        if measured
            && trigger.semantics.is_some()
            && !matches!(trigger.condition, Condition::Gauge(_))
        {
            let message = format!(
                "`semantics: prometheus` means nothing for a `{}`",
                trigger.condition.kind()
            );
            let hint = "it belongs to a gauge: take it out".to_owned();
            self.report(codes::WRONG_VALUE, message, &at.key("semantics"), hint);
        }
        match &trigger.condition {
            Condition::Judged(_) => self.nobody_measures(trigger, at),
            Condition::Webhook(_) => {}
            Condition::Ratio(ratio) => {
                let at = at.key("ratio");
                self.source(
                    &ratio.source,
                    &["prometheus", "postgres", "sqlite"],
                    &at.key("source"),
                );
            }
            Condition::Latency(latency) => {
                let at = at.key("latency");
                self.source(&latency.source, &["prometheus"], &at.key("source"));
                let hint = "say how long a request may take, such as `500ms`";
                self.lasts(Some(latency.over), &at.key("over"), hint);
                self.histogram(&latency.histogram, &at.key("histogram"));
            }
            Condition::Relative(relative) => {
                self.source(&relative.source, &["prometheus"], &at.key("relative").key("source"));
            }
            Condition::Gauge(gauge) => self.gauge(gauge, &at.key("gauge")),
            Condition::Probe(probe) => {
                let at = at.key("probe");
                if matches!(probe.check.check, Check::Confirm(_)) {
                    let message = "nobody is asked while a release is watched".to_owned();
                    let hint = "write `judged: …` for what a person watches".to_owned();
                    self.report(codes::WRONG_VALUE, message, &at.key("confirm"), hint);
                }
                let hint = "say how long an answer may take, such as `10s`";
                self.lasts(probe.check.within, &at.key("within"), hint);
                self.verification(&probe.check, &at);
            }
            // All of them together: they see each other.
            Condition::Composite(_) => {}
        }
    }

    /// A histogram is named; which query that becomes is not the plan's business.
    fn histogram(&mut self, histogram: &str, at: &Path) {
        let name = histogram.split('{').next().unwrap_or_default().trim();
        let wrong = if name.contains('(') {
            "this is a query, and the name of a histogram is wanted"
        } else if name.ends_with("_bucket") {
            "`_bucket` is not part of the name of a histogram"
        } else {
            return;
        };
        let bare = name.rsplit('(').next().unwrap_or_default().trim_end_matches([')', ' ']);
        let bare = bare.split('[').next().unwrap_or_default().trim_end_matches("_bucket");
        let labels = match (histogram.find('{'), histogram.find('}')) {
            (Some(start), Some(end)) if start < end => &histogram[start..=end],
            _ => "",
        };
        let hint = format!("write its name, with labels if needed: `{bare}{labels}`");
        self.report(codes::WRONG_VALUE, wrong.to_owned(), at, hint);
    }

    fn nobody_measures(&mut self, trigger: &Trigger, at: &Path) {
        for (key, there) in [
            ("every", trigger.every.is_some()),
            ("from", trigger.from.is_some()),
            ("recovers_after", trigger.recovers_after.is_some()),
            ("required", trigger.required.is_some()),
            ("on_no_data", trigger.on_no_data.is_some()),
            ("on_error", trigger.on_error.is_some()),
            ("semantics", trigger.semantics.is_some()),
        ] {
            if there {
                let message = format!("`{key}` means nothing where a person watches");
                let hint = "take it out, or say what is measured instead of `judged`".to_owned();
                self.report(codes::WRONG_VALUE, message, &at.key(key), hint);
            }
        }
    }

    fn gauge(&mut self, gauge: &Gauge, at: &Path) {
        self.unit_of(&gauge.limit, &at.key("limit"));
        match &gauge.url {
            Some(url) => {
                self.server(gauge.source.as_ref(), url, at);
                if let Some(value) = &gauge.value {
                    self.on_answer(value, &at.key("value"), &GAUGE);
                }
            }
            None => {
                if let Some(source) = &gauge.source {
                    self.source(source, &["prometheus", "postgres", "sqlite"], &at.key("source"));
                }
            }
        }
    }

    /// A value has no unit, so a limit must not look as if it were in another one than the
    /// value.
    fn unit_of(&mut self, limit: &Limit, at: &Path) {
        let unit = limit.unit.as_str();
        let plain = unit.trim_start_matches('/').trim().to_lowercase();
        let (message, hint) = if limit.figure().is_none() {
            (format!("`{}` is no figure a value can be compared with", limit.value), FIGURE)
        } else if unit.starts_with('%') || plain.starts_with("percent") {
            (
                "a value has no per cent sign, so nobody knows what this limit means".to_owned(),
                "write the figure that the query gives: 0.05 or 5",
            )
        } else if limit.in_time() || unit == "/s" {
            return;
        } else if TIMES.contains(&plain.as_str()) {
            (
                format!("`{unit}` is not converted here"),
                "write a length of time as `500ms`, `5s`, `1m` or `2h`: it is compared in seconds; a rate in what the query gives",
            )
        } else if SIZES.contains(&plain.as_str()) {
            (format!("`{unit}` is not converted here"), FIGURE)
        } else {
            return;
        };
        self.report(codes::WRONG_VALUE, message, at, hint.to_owned());
    }
}

const FIGURE: &str = "write the figure that the query gives, such as `> 2000000`; any other word behind it is a label for people";

/// Units of time that look like figures in seconds and are none, in small letters.
const TIMES: [&str; 25] = [
    "ns", "us", "µs", "μs", "ms", "s", "sec", "secs", "second", "seconds", "m", "min", "mins",
    "minute", "minutes", "h", "hr", "hour", "hours", "d", "day", "days", "w", "week", "weeks",
];

/// Units of size and multiples, in small letters.
const SIZES: [&str; 19] = [
    "k", "g", "t", "kb", "mb", "gb", "tb", "kib", "mib", "gib", "tib", "ki", "mi", "gi", "ti",
    "kbit", "mbit", "gbit", "‰",
];

const GAUGE: Sight<'_> = Sight {
    variables: &["status", "seconds", "headers", "text", "json"],
    gives: Gives::Figure,
    hint: "it sees `status`, `seconds`, `headers`, `text` and `json`: `json.queue.depth`",
};
