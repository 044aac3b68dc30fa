//! What a trigger may not say, and what it says when it does.

use backout_plan::{Diagnostic, read_bytes};

use crate::{SOUND, must_read, refusal};

/// The sound plan with these triggers.
pub(crate) fn with(triggers: &str) -> String {
    let sources = "sources:\n  metrics: {prometheus: \"http://prometheus:9090\"}\n";
    let text = SOUND.replace("sources:\n", sources);
    format!("{text}triggers:\n{triggers}\n")
}

fn problems(text: &str) -> Vec<Diagnostic> {
    read_bytes(text.as_bytes()).err().map(|(_, problems)| problems).unwrap_or_default()
}

/// One error, with this in its message and that in its hint.
fn refused(triggers: &str, message: &str, hint: &str) {
    let text = with(triggers);
    let problems = problems(&text);
    let fits = |problem: &Diagnostic| {
        problem.message.contains(message)
            && problem.hint.as_deref().unwrap_or_default().contains(hint)
            && problem.span.as_ref().is_some_and(|span| span.start > SOUND.len())
    };
    assert!(problems.len() == 1 && fits(&problems[0]), "{triggers}\n{problems:#?}");
}

fn accepted(triggers: &str) {
    must_read(&with(triggers));
}

#[test]
fn the_rules_of_prometheus_belong_to_a_gauge() {
    for (kind, condition) in [
        ("ratio", "ratio: {source: metrics, bad: a, total: b, limit: 5%}"),
        ("latency", "latency: {source: metrics, histogram: h, over: 1s}"),
        ("relative", "relative: {source: metrics, value: v, worse_than: 50%}"),
        ("probe", "probe: {file: {path: x}}"),
    ] {
        let trigger = format!("  t: {{severity: major, semantics: prometheus, {condition}}}");
        refused(&trigger, &format!("means nothing for a `{kind}`"), "it belongs to a gauge");
    }
    accepted(
        "  t: {severity: major, semantics: prometheus, gauge: {source: metrics, query: q, limit: \"> 5\"}}",
    );
    insta::assert_snapshot!(refusal(
        with("  t:\n    severity: major\n    semantics: prometheus\n    ratio: {source: metrics, bad: a, total: b, limit: 5%}").as_bytes()
    ));
}

fn gauge(limit: &str) -> String {
    format!("  t: {{severity: major, gauge: {{source: metrics, query: q, limit: \"{limit}\"}}}}")
}

#[test]
fn a_limit_of_a_gauge_is_in_a_unit_that_is_understood_or_in_none() {
    for limit in ["> 5", "> 500ms", ">= 5 s", "< 1m", "> 2h", "> 5 bananas", "> 3/s", "< -1.5"] {
        accepted(&gauge(limit));
    }
    for limit in ["> 5%", "> 5 %", "> 5 percent"] {
        refused(&gauge(limit), "per cent", "write the figure that the query gives: 0.05 or 5");
    }
    for limit in ["> 5 minutes", "> 5us", "> 5 MS", "> 5M", "> 5/min"] {
        refused(&gauge(limit), "is not converted", "`500ms`, `5s`, `1m` or `2h`");
    }
    for limit in ["> 5 MB", "> 5k", "> 5GiB"] {
        refused(&gauge(limit), "is not converted", "write the figure that the query gives");
    }
    let huge = format!("> 1{}", "0".repeat(400));
    refused(&gauge(&huge), "is no figure", "write the figure");
    for limit in ["> NaN", "> inf", "> -inf"] {
        refused(&gauge(limit), "is not a limit", "");
    }
    accepted("  t: {severity: major, for: 5m, judged: Users call, limit: \"> 5%\"}");
    insta::assert_snapshot!(refusal(with(&gauge("> 5%")).as_bytes()));
}
