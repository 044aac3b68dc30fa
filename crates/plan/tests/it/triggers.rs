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

#[test]
fn what_an_answer_is_asked_makes_sense() {
    let gauge = |value: &str| {
        format!(
            "  t: {{severity: major, gauge: {{url: \"http://x/\", value: '{value}', limit: \"> 5\"}}}}"
        )
    };
    for value in [
        "seconds",
        "seconds * 1000.0",
        "status",
        "json.errors",
        "size(text)",
        "json.a + json.b",
        "size(json.list.filter(x, x.bad))",
        "json.up ? 1 : 0",
        "int(text)",
        "json.list[0]",
    ] {
        accepted(&gauge(value));
    }
    for (value, message) in [
        ("jsn.errors", "`jsn` is nothing"),
        ("firing[\"a\"]", "`firing` is nothing"),
        ("json.list.filter(x, y.bad)", "`y` is nothing"),
        ("matches(text)", "no function `matches`"),
        ("text.split(\",\")", "no function `split`"),
        ("status > 5", "never gives a figure"),
        ("json.up ? true : false", "never gives a figure"),
        ("text", "never gives a figure"),
        ("7", "always gives the same"),
        ("seconds * 1000", "whole figures and others do not mix"),
    ] {
        refused(&gauge(value), message, "");
    }
    let assert = |text: &str| {
        format!(
            "  t: {{severity: major, probe: {{http: {{url: \"http://x/\", assert: '{text}'}}}}}}"
        )
    };
    for text in [
        "status == 200",
        "json.up",
        "json.list.all(x, x.up)",
        "json.list.exists_one(x, x.up)",
        "headers[\"x\"].startsWith(\"a\")",
        "type(json.a) == string",
        "has(json.a) && json.a",
        "!(\"x\" in json)",
        "json.cents in [1, 2]",
    ] {
        accepted(&assert(text));
    }
    for (text, message) in [
        ("true", "always gives the same"),
        ("1 + 1", "never gives true or false"),
        ("status", "never gives true or false"),
        ("json.a + 1", "never gives true or false"),
        ("json.up && 1", "never gives true or false"),
        ("json.list.map(x, x.up)", "never gives true or false"),
        ("seconds < 5.0", "`seconds` is nothing"),
        ("status.startsWith(\"2\")", "can never be told"),
    ] {
        refused(&assert(text), message, "it sees");
    }
}

#[test]
fn a_composite_looks_at_what_there_is_and_never_at_itself() {
    let both = |condition: &str| {
        let gauge = |id: &str| {
            format!(
                "  {id}: {{severity: major, gauge: {{source: metrics, query: q, limit: \"> 5\"}}}}\n"
            )
        };
        let judged =
            "  judged: {severity: major, for: 5m, judged: Users call, limit: \"> 5 calls\"}\n";
        format!(
            "{}{}{judged}  both: {{severity: critical, composite: '{condition}'}}",
            gauge("logins"),
            gauge("errors")
        )
    };
    for condition in [
        "firing[\"logins\"] && !firing[\"errors\"]",
        "firing.logins || state[\"errors\"] in [\"no_data\", \"error\"]",
        "[firing[\"logins\"], firing[\"errors\"]].exists(x, x)",
    ] {
        accepted(&both(condition));
    }
    for (condition, message, hint) in [
        ("true", "always gives the same", "it sees"),
        ("1 + 1", "never gives true or false", "it sees"),
        ("state[\"logins\"]", "never gives true or false", "it sees"),
        ("firing[\"logins\"] && 1", "never gives true or false", "it sees"),
        ("firing[\"logins\"] && state[\"errors\"]", "can never be told", "it sees"),
        ("firng[\"logins\"]", "`firng` is nothing", "it sees"),
        ("firing[\"login\"]", "there is no trigger `login`", "did you mean `logins`?"),
        ("state[\"x9\"] == \"ok\"", "there is no trigger `x9`", "`errors`"),
        ("option[\"x9\"].done", "there is no option `x9`", "no option at all"),
        ("firing[\"judged\"]", "`judged` is judged by people", "leave it out"),
        ("firing[\"both\"] || firing[\"logins\"]", "`both` looks at itself", "name only"),
        ("firing.exists(x, firing[x])", "`firing` holds every trigger", "name those"),
        ("count(firing[\"logins\"])", "no function `count`", "there are"),
    ] {
        refused(&both(condition), message, hint);
    }
    let circle = "  a: {severity: major, composite: 'firing[\"b\"]'}\n  b: {severity: major, composite: 'firing[\"a\"]'}";
    refused(circle, "`a` looks at itself, by way of `b`", "name only");
    insta::assert_snapshot!(refusal(with(&both("firing[\"login\"]")).as_bytes()));
    let way = with(&both("option[\"light\"].done && option[\"light\"].age > 7200"));
    must_read(&format!("{way}\noptions: {{light: {{title: Light, steps: [announce]}}}}"));
}

#[test]
fn no_time_at_all_is_refused_where_it_means_nothing() {
    let gauge = "gauge: {source: metrics, query: q, limit: \"> 5\"}";
    let zero = "no time at all";
    refused(&format!("  t: {{severity: major, every: 0s, {gauge}}}"), zero, "such as `15s`");
    accepted(&format!("  t: {{severity: major, for: 0s, recovers_after: 0s, {gauge}}}"));
    refused(
        "  t: {severity: major, latency: {source: metrics, histogram: h, over: 0s}}",
        zero,
        "how long a request may take",
    );
    refused(
        "  t: {severity: major, probe: {file: {path: x}, within: 0s}}",
        zero,
        "how long an answer may take",
    );
    let one = |text: &str, hint: &str| {
        let problems = problems(text);
        let fits = problems.len() == 1 && problems[0].message.contains(zero);
        let told = problems.first().and_then(|problem| problem.hint.clone()).unwrap_or_default();
        assert!(fits && told.contains(hint), "{problems:#?}");
    };
    one(&format!("{SOUND}watch: {{window: 0s}}\n"), "how long the release is watched");
    one(&SOUND.replace("by: lead, within: 5m", "by: lead, within: 0s"), "how long they have");
    let fix = "action: back-out-unless-fixable, fix_window: 0s, by: lead";
    one(&SOUND.replace("action: back-out, by: lead", fix), "how long a fix may take");
}

#[test]
fn a_histogram_is_a_name_and_no_query() {
    let latency = |histogram: &str| {
        format!(
            "  t: {{severity: major, latency: {{source: metrics, histogram: '{histogram}', over: 1s}}}}"
        )
    };
    accepted(&latency("page_seconds"));
    accepted(&latency("page_seconds{path=~\"(a|b)_bucket\"}"));
    refused(&latency("page_seconds_bucket"), "not part of the name", "`page_seconds`");
    refused(
        &latency("page_seconds_bucket{job=\"x\"}"),
        "not part of the name",
        "`page_seconds{job=\"x\"}`",
    );
    refused(
        &latency("rate(page_seconds_bucket{job=\"x\"}[5m])"),
        "this is a query",
        "`page_seconds{job=\"x\"}`",
    );
    refused(&latency("sum(rate(page_seconds[5m]))"), "this is a query", "`page_seconds`");
}

/// Whoever copies a hint gets the limit that was meant.
#[test]
fn a_percentage_without_its_sign_is_named_as_it_would_be_written() {
    let ratio = |limit: &str| {
        format!(
            "  t: {{severity: major, ratio: {{source: metrics, bad: a, total: b, limit: {limit}}}}}"
        )
    };
    for (limit, said) in [
        ("0.05", "the share 0.05 is written `5%`"),
        ("0.07", "is written `7%`"),
        ("0.001", "is written `0.1%`"),
        ("0.0000001", "is written `0.00001%`"),
        ("5", "write `5%` if that is meant"),
        ("2.50", "write `2.50%` if that is meant"),
        ("1", "such as `2.5%`"),
        ("0%", "such as `2.5%`"),
        ("five", "such as `2.5%`"),
    ] {
        refused(&ratio(limit), &format!("`{limit}` is not a percentage above 0% and below"), "");
        refused(&ratio(limit), said, "");
    }
    let relative = |than: &str| {
        format!(
            "  t: {{severity: major, relative: {{source: metrics, value: v, worse_than: {than}}}}}"
        )
    };
    refused(
        &relative("0.2"),
        "`0.2` is not a percentage above 0%: the share 0.2 is written `20%`",
        "",
    );
}
