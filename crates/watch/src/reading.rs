//! What was measured, for people and for the log.

use backout_core::plan::Trigger;
use backout_core::watch::Reading;
use backout_trigger::interval::interval;
use backout_trigger::machine::Watched;
use backout_trigger::rule::{Kind, Rule};

/// `8.4 % of 1,204 (7.1 to 9.9 %)`, `12.5`, the error.
pub(crate) fn reading(
    trigger: &Trigger,
    rule: &Rule,
    watched: &Watched,
    said: &str,
    queries: &[String],
) -> Reading {
    let share = matches!(rule.kind, Kind::Share { .. });
    let shown = match (&rule.kind, watched.share()) {
        _ if !said.is_empty() => said.to_owned(),
        (Kind::Share { .. }, Some(now)) => {
            let (low, high) = interval(watched.bad, watched.total, 0.05);
            format!(
                "{} now; {} of {} since the watch began ({} to {})",
                percent(now),
                thousands(watched.bad),
                thousands(watched.total),
                percent(low),
                percent(high)
            )
        }
        (Kind::Share { .. }, None) => "no events".to_owned(),
        (Kind::Plain, _) => watched.value.map_or_else(|| "nothing".to_owned(), figure),
    };
    let needed = match &rule.kind {
        Kind::Share { threshold, .. } => Some(*threshold),
        Kind::Plain => None,
    };
    Reading {
        shown,
        value: watched.value,
        limit: trigger.shown_limit().unwrap_or_default(),
        bad: share.then_some(watched.bad),
        total: share.then_some(watched.total),
        evidence: watched.evidence.log(),
        needed,
        queries: queries.to_vec(),
    }
}

fn percent(share: f64) -> String {
    let value = share * 100.0;
    if value == 0.0 || value >= 9.95 { format!("{value:.0} %") } else { format!("{value:.1} %") }
}

fn figure(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "infinite".to_owned() } else { "-infinite".to_owned() };
    }
    let digits = if value.abs() >= 100.0 || value.fract() == 0.0 { 0 } else { 3 };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn thousands(count: f64) -> String {
    let digits = format!("{count:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_for_people() {
        assert_eq!(thousands(1_234_567.0), "1,234,567");
        assert_eq!(thousands(12.0), "12");
        assert_eq!(percent(0.084), "8.4 %");
        assert_eq!(percent(0.5), "50 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(figure(12.5), "12.5");
        assert_eq!(figure(3.0), "3");
        assert_eq!(figure(f64::INFINITY), "infinite");
    }
}
