//! Triggers for people: where each stands, and why it does not fire.

use std::time::Duration;

use backout_core::ids::TriggerId;
use backout_core::plan::{Condition, Missing, Plan, Trigger};
use backout_core::watch::{Meaning, State};
use backout_trigger::machine::Watched;
use backout_trigger::rule::{self, Kind, Rule};
use backout_watch::board::Standing;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::words::{between, length};

/// How long a look may take.
const A_LOOK: Duration = Duration::from_secs(10);

/// Since when nobody has looked at what should be looked at all the time; nothing where
/// somebody just has.
pub(crate) fn unseen_since(
    trigger: &Trigger,
    watched: &Watched,
    now: Timestamp,
) -> Option<Timestamp> {
    let looked = watched.looked.unwrap_or(watched.began);
    (between(looked, now) > rule::every(trigger) * 2 + A_LOOK).then_some(looked)
}

/// The table of triggers, a line each and one below it that says why. Where the watch is
/// over, nobody looks any more.
pub(crate) fn lines<'a>(
    plan: &Plan,
    triggers: impl Iterator<Item = (&'a str, &'a Rule, Option<&'a Standing>)>,
    over: bool,
    now: Timestamp,
) -> Vec<String> {
    let zone = super::words::zone(plan);
    let mut rows = Vec::new();
    let mut why = Vec::new();
    for (id, rule, standing) in triggers {
        let Some(trigger) = plan.triggers.iter().find(|(known, _)| known.as_str() == id) else {
            continue;
        };
        let (state, shown, spark) = match standing {
            Some(known) => (
                known.watched.state.shown().to_owned(),
                backout_documents::saying::reading(&known.reading),
                sparkline(&known.recent),
            ),
            None => ("not looked at yet".to_owned(), String::new(), String::new()),
        };
        let unseen = standing.filter(|_| !over);
        let unseen = unseen.and_then(|known| unseen_since(trigger.1, &known.watched, now));
        if let Some(looked) = unseen {
            let since = super::words::clock(looked, &zone);
            let then = format!("then: {state}, {shown}");
            rows.push(vec![
                "?".to_owned(),
                id.to_owned(),
                format!("NOT LOOKED AT since {since}"),
                spark,
                then,
            ]);
            why.push(String::new());
            continue;
        }
        let sign =
            standing.map_or("·", |known| sign(known.watched.state, known.watched.meaning(rule)));
        rows.push(vec![sign.to_owned(), id.to_owned(), state, spark, shown]);
        why.push(
            standing.map_or_else(String::new, |known| reason(trigger.1, rule, &known.watched, now)),
        );
    }
    let table = super::table::columns(&rows);
    let mut lines = Vec::new();
    for (row, why) in table.into_iter().zip(why) {
        lines.push(row.trim_end().to_owned());
        if !why.is_empty() {
            lines.push(format!("    {why}"));
        }
    }
    lines
}

/// A trigger about something that is not there: not yet, or not any more.
pub(crate) fn not_there(plan: &Plan, id: &TriggerId) -> Option<String> {
    let stage = plan.triggers.get(id)?.from.as_ref()?;
    Some(format!("·  {id}  not watched: it is about what {stage} brings"))
}

/// What no machine watches, and how somebody says that they have seen it.
pub(crate) fn by_people(plan: &Plan, run: Option<&str>) -> Vec<String> {
    let judged = plan.triggers.iter().filter(|(_, trigger)| trigger.condition.is_judged());
    let said = judged.map(|(id, trigger)| {
        let limit = trigger.shown_limit().map(|limit| format!(" {limit}")).unwrap_or_default();
        let who = trigger.owner.as_ref().map_or("people".to_owned(), |role| plan.person(role));
        let run = run.unwrap_or("RUN");
        format!(
            "·  {id}  {who} watches: {}{limit}\n    `backout decide {run} back-out --reason …` acts on it, `backout defect {run} … --trigger {id}` writes it down",
            trigger.label()
        )
    });
    said.flat_map(|lines| lines.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn sign(state: State, meaning: Meaning) -> &'static str {
    match (state, meaning) {
        (_, Meaning::Breach) => "✗",
        (State::Ok, _) => "✓",
        (_, Meaning::Inconclusive) => "?",
        _ => "·",
    }
}

/// Why a trigger stands where it stands, and what it would take to fire.
pub(crate) fn reason(trigger: &Trigger, rule: &Rule, watched: &Watched, now: Timestamp) -> String {
    let limit = trigger.shown_limit().map(|limit| format!(" ({limit})")).unwrap_or_default();
    // A check holds or does not; only a figure has a side of its limit.
    let holds = matches!(
        trigger.condition,
        Condition::Probe(_) | Condition::Webhook(_) | Condition::Composite(_)
    );
    let (well, unwell) = match holds {
        true => ("as it should be", "not as it should be"),
        false => ("below its limit", "beyond its limit"),
    };
    let blind = |policy: Missing| match policy {
        Missing::Inconclusive => "a person has to decide",
        Missing::Breach => "that counts as a breach",
        Missing::Hold => "it stays as it was",
        Missing::Ok => "that counts as well",
    };
    match watched.state {
        State::Insufficient => match &rule.kind {
            Kind::Share { least, threshold, .. } if watched.total < *least => {
                let few = format!("{:.0} of {least:.0} events it takes for ok", watched.total);
                match watched.evidence.log().filter(|log| *log > 0.0) {
                    Some(log) => format!("{few}; evidence of a breach {log:.1} of {threshold:.1}"),
                    None => few,
                }
            }
            Kind::Share { .. } => "no events lately: nothing is seen to be well".to_owned(),
            Kind::Plain => "nothing seen yet".to_owned(),
        },
        State::Ok => format!("{well}{limit}"),
        State::Pending => {
            let mut needs = Vec::new();
            if let (Kind::Share { threshold, .. }, Some(log)) = (&rule.kind, watched.evidence.log())
                && log < *threshold
            {
                needs.push(format!("evidence {log:.1} of {threshold:.1}"));
            }
            if let Some(since) = watched.breach_since {
                let lasted = between(since, now);
                if lasted < rule.lasting {
                    needs.push(format!(
                        "beyond it for {} of {}",
                        length(lasted),
                        length(rule.lasting)
                    ));
                }
            }
            format!("{unwell}{limit}; {}", needs.join(", "))
        }
        State::Firing if holds => format!("{unwell}{limit}, and still so"),
        State::Firing => format!("{unwell}{limit}, on evidence, and still so"),
        State::Recovering => {
            let lasted = watched.clean_since.map(|since| between(since, now)).unwrap_or_default();
            format!("{well} again for {} of {}", length(lasted), length(rule.recovers_after))
        }
        State::NoData => format!("nothing to look at: {}", blind(rule.on_no_data)),
        State::Error => format!("it cannot be looked at: {}", blind(rule.on_error)),
    }
}

/// The last values as a line of blocks.
pub(crate) fn sparkline(values: &[f64]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let last = &values[values.len().saturating_sub(20)..];
    let most = last.iter().copied().fold(0.0_f64, f64::max);
    last.iter()
        .map(|value| {
            let part = if most > 0.0 { (value.max(0.0) / most * 7.0).round() } else { 0.0 };
            BLOCKS[(part as usize).min(7)]
        })
        .collect()
}

/// A trigger for scripts.
pub(crate) fn json(
    id: &str,
    trigger: &Trigger,
    rule: &Rule,
    standing: Option<&Standing>,
    over: bool,
    now: Timestamp,
) -> Value {
    let Some(known) = standing else {
        return json!({
            "trigger": id,
            "state": Value::Null,
            "meaning": Meaning::Open,
            "from": trigger.from,
        });
    };
    let watched = &known.watched;
    // What nobody looks at is not well, whatever it was.
    let unseen = if over { None } else { unseen_since(trigger, watched, now) };
    let meaning = watched.meaning(rule);
    let unknown = unseen.is_some() && meaning != Meaning::Breach;
    json!({
        "trigger": id,
        "state": watched.state,
        "meaning": if unknown { Meaning::Inconclusive } else { meaning },
        "looked_at": watched.looked,
        "stale": unseen.is_some(),
        "since": watched.since,
        "fired": watched.latched,
        "reading": known.reading,
        "why": reason(trigger, rule, watched, now),
        "required": rule.required,
        "from": trigger.from,
    })
}

/// What a trigger looks for and what it takes to fire.
pub(crate) fn rule_lines(id: &str, trigger: &Trigger, rule: &Rule) -> Vec<String> {
    let mut lines =
        vec![format!("{id} ({}), every {}", trigger.condition.kind(), length(rule.every))];
    lines.push(format!("  {}", trigger.label()));
    if let Some(stage) = &trigger.from {
        lines.push(format!("  from the stage {stage} on, until that is undone"));
    }
    if let Some(limit) = trigger.shown_limit() {
        lines.push(format!("  fires {limit}"));
    }
    match &rule.kind {
        Kind::Share { detector, threshold, least } => lines.push(format!(
            "  on evidence of {threshold:.1} ({}), while the last {} are still beyond it; `ok` from {least:.0} events on",
            detector.method(),
            length(rule.short)
        )),
        Kind::Plain if rule.prometheus => lines.push("  by the rules of Prometheus".to_owned()),
        Kind::Plain => {}
    }
    if !rule.lasting.is_zero() {
        lines.push(format!("  after {} without a break", length(rule.lasting)));
    }
    let word = |policy: Missing| match policy {
        Missing::Inconclusive => "a person decides",
        Missing::Breach => "a breach",
        Missing::Hold => "as before",
        Missing::Ok => "well",
    };
    lines.push(format!(
        "  no data for {}: {}; cannot be read: {}{}",
        length(rule.max_gap),
        word(rule.on_no_data),
        word(rule.on_error),
        if rule.required { "" } else { "; not required" }
    ));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A watch that nobody keeps shows nothing as well, whatever it showed last.
    #[test]
    fn what_nobody_looks_at_is_not_well() {
        let plan = "backout: 1\nchange: {id: C1, title: T}\nsteps: [{id: a, run: {argv: ['true']}}]\ntriggers: {up: {severity: critical, every: 15s, probe: {file: {path: up}}}}\n";
        let plan: Plan = backout_plan::read::read_bytes(plan.as_bytes()).expect("a plan").plan;
        let (id, trigger) = plan.triggers.first().expect("one");
        let rule = rule::of(&plan, trigger, &Default::default()).expect("a rule");
        let began: Timestamp = "2026-06-06T02:00:00Z".parse().expect("a time");
        let mut watched = Watched::new(began);
        let sample = backout_trigger::machine::Sample::Value { value: 0.0, beyond: false };
        watched.look(&rule, began, &sample);
        let standing = Standing {
            watched,
            reading: Default::default(),
            recent: Vec::new(),
            memory: Default::default(),
        };
        let later = |seconds| began + jiff::SignedDuration::from_secs(seconds);
        let shown = |over, at| {
            let all = std::iter::once((id.as_str(), &rule, Some(&standing)));
            let lines = lines(&plan, all, over, at).join("\n");
            (json(id.as_str(), trigger, &rule, Some(&standing), over, at), lines)
        };
        for (over, seconds, stale) in [(false, 30, false), (false, 41, true), (true, 9999, false)] {
            let (json, lines) = shown(over, later(seconds));
            assert_eq!(json["stale"], stale, "{json}");
            assert_eq!(json["meaning"] == "inconclusive", stale, "{json}");
            assert_eq!(lines.contains("NOT LOOKED AT since 02:00:00"), stale, "{lines}");
            assert_eq!(lines.contains('✓'), !stale, "{lines}");
        }
    }

    #[test]
    fn values_as_blocks() {
        assert_eq!(sparkline(&[]), "");
        assert_eq!(sparkline(&[0.0, 0.0]), "▁▁");
        assert_eq!(sparkline(&[0.0, 3.5, 7.0]), "▁▅█");
    }
}
