//! Whether what watches a release looks at what it seems to look at.

use backout_core::duration::Span;
use backout_core::plan::{Check, Condition, DecisionAction, Plan, Severity, Source, Trigger};

use super::Rule;
use crate::diagnostic::Level::Warning;
use crate::document::Path;

/// What holds where the plan says nothing.
const EVERY: Span = Span::seconds(15);
const WINDOW: Span = Span::minutes(240);
const GRACE: Span = Span::minutes(3);
const WITHIN: Span = Span::minutes(15);
const FIX_WINDOW: Span = Span::minutes(30);

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "BOP-152",
        level: Warning,
        title: "Times of a watch fit into each other",
        why: "As long as the grace lasts, missing data is excused: a grace that outlasts the watch excuses it to the end. A fix window that is over before anybody has to answer backs out over the heads of those who were asked.",
        fix: "make the shorter one longer, or the longer one shorter",
        clauses: &[],
        fires: "watch: {window: 2m, grace: 5m}",
        silent: "watch: {window: 2h, grace: 5m}",
        look: |facts, found| {
            if let Some(watch) = &facts.plan.watch {
                let (window, grace) =
                    (watch.window.unwrap_or(WINDOW), watch.grace.unwrap_or(GRACE));
                if grace > window {
                    let key = if watch.grace.is_some() { "grace" } else { "window" };
                    let message = format!(
                        "data may be missing for {grace}, and the release is watched for {window}"
                    );
                    found
                        .plan(Path::root().key("watch").key(key), message)
                        .hint("make `grace` shorter than `window`");
                }
            }
            for (severity, rule) in &facts.plan.decision {
                let within = rule.within.unwrap_or(WITHIN);
                let fix = rule.fix_window.unwrap_or(FIX_WINDOW);
                if rule.action == DecisionAction::BackOutUnlessFixable && fix < within {
                    let key = if rule.fix_window.is_some() { "fix_window" } else { "within" };
                    let message = format!(
                        "the time for a fix is over after {fix}, and whoever is asked has {within} to answer"
                    );
                    found
                        .at(decision(*severity).key(key), word(*severity), message)
                        .hint("make `fix_window` as long as `within` at least");
                }
            }
        },
    },
    Rule {
        id: "BOP-153",
        level: Warning,
        title: "A decision says only what is carried out",
        why: "What is only written down asks nobody, so deadlines and names beside it have no effect; whoever reads them believes they are called. What the plan does by itself waits for nobody either, also not for a second person.",
        fix: "take out what has no effect, or choose an action that asks somebody",
        clauses: &[],
        fires: "decision: {minor: {action: log, by: lead, within: 5m}}",
        silent: "decision: {minor: {action: log, tell: owner}}",
        look: |facts, found| {
            for (severity, rule) in &facts.plan.decision {
                let at = decision(*severity);
                let ignored = [
                    ("by", rule.by.is_some()),
                    ("within", rule.within.is_some()),
                    ("quorum", rule.quorum > 1),
                    ("escalate", !rule.escalate.is_empty()),
                    ("if_unanswered", rule.if_unanswered.is_some()),
                ];
                let ignored: Vec<_> = ignored.into_iter().filter(|(_, there)| *there).collect();
                if let (DecisionAction::Log, [(first, _), ..]) = (rule.action, ignored.as_slice()) {
                    let shown: Vec<_> = ignored.iter().map(|(key, _)| format!("`{key}`")).collect();
                    let message =
                        format!("`action: log` asks nobody, whatever {} says", shown.join(" or "));
                    found.at(at.key(first), word(*severity), message);
                }
                if rule.automatic && rule.quorum > 1 {
                    let message = format!(
                        "`automatic: true` waits for nobody: {} people are asked only if something keeps the plan from deciding",
                        rule.quorum
                    );
                    found.at(at.key("quorum"), word(*severity), message).hint(
                        "take `automatic` out if so many have to agree, or `quorum` if they need not",
                    );
                }
            }
        },
    },
    Rule {
        id: "BOP-154",
        level: Warning,
        title: "A ratio counts each event once",
        why: "The bound on false alarms holds for events that are counted once. A range longer than the time between two looks counts the same failures again at each look, and one bad minute becomes evidence of many. A rate is no count, and a counter by itself holds everything since its process started.",
        fix: "count what is new since the last look: `sum(increase(…[15s]))` with `every: 15s`; or use `latency`, which reads the counters themselves",
        clauses: &[],
        fires: "{sources: {metrics: {prometheus: \"http://prometheus:9090\"}}, triggers: {logins: {severity: critical, every: 15s, ratio: {source: metrics, limit: 5%, bad: \"sum(increase(login_failures_total[5m]))\", total: \"sum(increase(login_attempts_total[5m]))\"}}}}",
        silent: "{sources: {metrics: {prometheus: \"http://prometheus:9090\"}}, triggers: {logins: {severity: critical, every: 15s, ratio: {source: metrics, limit: 5%, bad: \"sum(increase(login_failures_total[15s]))\", total: \"sum(increase(login_attempts_total[15s]))\"}}}}",
        look: |facts, found| {
            for (id, trigger) in &facts.plan.triggers {
                let Condition::Ratio(ratio) = &trigger.condition else { continue };
                if !matches!(facts.plan.sources.get(&ratio.source), Some(Source::Prometheus(_))) {
                    continue;
                }
                let at = Path::root().key("triggers").key(id).key("ratio");
                let queries = [("bad", &ratio.bad), ("total", &ratio.total)];
                let odd = queries
                    .into_iter()
                    .find_map(|(key, query)| Some((key, miscounted(query, trigger)?)));
                if let Some((key, message)) = odd {
                    found.at(at.key(key), id, message);
                }
            }
        },
    },
    Rule {
        id: "BOP-155",
        level: Warning,
        title: "A trigger asks and changes nothing",
        why: "A query of a trigger is sent again and again, also by a rehearsal and by whoever tries the plan out. One that is no question changes the database each time.",
        fix: "begin it with SELECT",
        clauses: &[],
        fires: "triggers: {orders: {severity: critical, gauge: {source: portal-db, query: DELETE FROM orders WHERE broken, limit: \"> 0\"}}}",
        silent: "triggers: {orders: {severity: critical, gauge: {source: portal-db, query: SELECT count(*) FROM orders WHERE broken, limit: \"> 0\"}}}",
        look: |facts, found| {
            for (id, trigger) in &facts.plan.triggers {
                for (path, query) in sql(facts.plan, &trigger.condition) {
                    let first = first_word(query);
                    if !QUESTIONS.contains(&first.as_str()) {
                        let at = path
                            .iter()
                            .fold(Path::root().key("triggers").key(id), |at, key| at.key(key));
                        let message = match first.as_str() {
                            "" => "this query of a trigger asks nothing".to_owned(),
                            first => {
                                format!("`{first}` is no question, and `{id}` asks again and again")
                            }
                        };
                        found.at(at, id, message);
                    }
                }
            }
        },
    },
];

fn decision(severity: Severity) -> Path {
    Path::root().key("decision").key(word(severity))
}

fn word(severity: Severity) -> String {
    format!("{severity:?}").to_lowercase()
}

/// Why a query of Prometheus does not count what is new since the last look.
fn miscounted(query: &str, trigger: &Trigger) -> Option<String> {
    let every = trigger.every.unwrap_or(EVERY);
    let query = without_text(query);
    if let Some(function) = ["rate", "irate"].into_iter().find(|name| calls(&query, name)) {
        return Some(format!("`{function}` gives a speed, and a ratio wants counts"));
    }
    let mut ranges = query.split('[').skip(1).filter_map(|rest| rest.split(']').next()).peekable();
    if ranges.peek().is_none() {
        return Some(
            "without a range, such as `[15s]`, this is everything since its process started"
                .to_owned(),
        );
    }
    let long = ranges.find(|range| length(range).is_some_and(|length| length > every))?;
    Some(format!(
        "`[{long}]` is longer than the {every} between two looks: the same events are counted again"
    ))
}

/// A query without what stands in quotation marks.
fn without_text(query: &str) -> String {
    let mut open: Option<char> = None;
    let mut escaped = false;
    query
        .chars()
        .filter(|c| match open {
            Some(_) if escaped => {
                escaped = false;
                false
            }
            Some(mark) => {
                escaped = *c == '\\' && mark != '`';
                if *c == mark {
                    open = None;
                }
                false
            }
            None => {
                open = matches!(c, '"' | '\'' | '`').then_some(*c);
                open.is_none()
            }
        })
        .collect()
}

/// Whether a query calls a function.
fn calls(query: &str, function: &str) -> bool {
    let of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    query.match_indices(function).any(|(at, _)| {
        !query[..at].ends_with(of_a_name)
            && query[at + function.len()..].trim_start().starts_with('(')
    })
}

/// The length of a range: `5m`, or `5m:15s` of a subquery.
fn length(range: &str) -> Option<Span> {
    let range = range.split(':').next().unwrap_or_default().trim();
    match (range.strip_suffix('w'), range.strip_suffix('y')) {
        (Some(_), _) | (_, Some(_)) => Some(Span::minutes(7 * 24 * 60)),
        _ => range.parse().ok(),
    }
}

/// Words a question to a database begins with.
const QUESTIONS: [&str; 6] = ["SELECT", "WITH", "VALUES", "TABLE", "SHOW", "PRAGMA"];

/// The SQL of a condition, each with the way to it.
fn sql<'a>(plan: &Plan, condition: &'a Condition) -> Vec<(Vec<&'static str>, &'a str)> {
    let database =
        |source| matches!(plan.sources.get(source), Some(Source::Postgres(_) | Source::Sqlite(_)));
    match condition {
        Condition::Ratio(ratio) if database(&ratio.source) => {
            vec![(vec!["ratio", "bad"], &*ratio.bad), (vec!["ratio", "total"], &*ratio.total)]
        }
        Condition::Gauge(gauge) => match (&gauge.query, &gauge.source) {
            (Some(query), Some(source)) if database(source) => {
                vec![(vec!["gauge", "query"], &**query)]
            }
            _ => Vec::new(),
        },
        Condition::Probe(probe) => match &probe.check.check {
            Check::Sql(sql) => vec![(vec!["probe", "sql", "query"], &*sql.query)],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The first word of a statement, behind comments and brackets, in capitals.
fn first_word(statement: &str) -> String {
    let mut rest = statement;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
        let behind = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map(|(_, rest)| rest)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map(|(_, rest)| rest)
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            return rest[..end].to_uppercase();
        };
        rest = behind.unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_stands_behind_comments() {
        for (statement, word) in [
            ("select 1", "SELECT"),
            (" -- SELECT\n DELETE FROM x", "DELETE"),
            ("/* a */ ( WITH x AS (SELECT 1) SELECT 1)", "WITH"),
            ("-- nothing", ""),
            ("", ""),
        ] {
            assert_eq!(first_word(statement), word, "{statement}");
        }
    }
}
