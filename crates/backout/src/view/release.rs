//! A deployment for people: what going back now would be, how the triggers stand,
//! what was decided and why.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use backout_core::choice::ForecastSummary;
use backout_core::decision::{is_there, objections};
use backout_core::duration::Estimate;
use backout_core::ids::TriggerId;
use backout_core::people::PersonId;
use backout_core::plan::Plan;
use backout_core::release::{
    Attention, DecisionRecord, PendingDecision, TriggerStatus, took_place,
};
use backout_core::schedule::Schedule;
use backout_core::state::RunState;
use backout_core::watch::{Meaning, Measured, State};
use backout_documents::saying;
use backout_watch::Board;

use super::watching::unseen_since;
use super::words::{self, clock, length, moment, one_line};

/// What is left of the way back, in two lines.
pub(crate) fn way_back(back: &RunState) -> Vec<String> {
    let plan = &back.planned().plan;
    let undone: Vec<&str> = back
        .stages()
        .filter(|&index| took_place(&back.states()[index]))
        .map(|index| back.steps()[index].id.as_str())
        .collect();
    let steps: Vec<&str> = back
        .order()
        .iter()
        .filter(|&&index| back.selected()[index] && !back.states()[index].status.is_settled())
        .map(|&index| back.steps()[index].id.as_str())
        .collect();
    if steps.is_empty() {
        return vec!["The way back has no steps.".to_owned()];
    }
    let schedule = Schedule::new(plan, back.steps(), back.graph(), Estimate::likely);
    let takes = match schedule.total.is_zero() {
        true => "how long it takes is not stated".to_owned(),
        false => format!("about {}", length(schedule.total)),
    };
    let what = if undone.is_empty() { "no stage".to_owned() } else { undone.join(", ") };
    let count = match steps.len() {
        1 => "1 step".to_owned(),
        many => format!("{many} steps"),
    };
    let mut lines = vec![
        format!("The way back undoes {what}: {count}, {takes}"),
        format!("  {}", one_line(&steps.join(" → "), 160)),
    ];
    let stays: Vec<&str> = back.left_standing().map(|stage| stage.as_str()).collect();
    if !stays.is_empty() {
        lines.push(format!("  it leaves as it is: {}", stays.join(", ")));
    }
    lines
}

/// The run with what its watch measured last, where the log knows only what it was when
/// something changed. For people: nobody decides by it.
pub(crate) fn as_it_stands(state: &RunState, board: &Board, now: Timestamp) -> RunState {
    let mut triggers = state.release().triggers.clone();
    let zone = words::zone(&state.planned().plan);
    for (id, standing) in &board.triggers {
        let Some(trigger) = state.planned().plan.triggers.get(id) else { continue };
        let watched = &standing.watched;
        let seen = triggers.entry(id.clone()).or_insert_with(|| TriggerStatus {
            state: watched.state,
            meaning: Meaning::Open,
            since: watched.since,
            fired: None,
            attention: Attention::Quiet,
            last_seen: watched.state,
            before: false,
            reading: standing.reading.clone(),
        });
        if seen.state == watched.state {
            seen.reading = standing.reading.clone();
        }
        if state.finished().is_none()
            && is_there(state, id)
            && let Some(looked) = unseen_since(trigger, watched, now)
        {
            let last = saying::reading(&seen.reading);
            let at = clock(looked, &zone);
            let text = format!("NOT LOOKED AT since {at}; then: {last}");
            seen.reading.measured = Measured::Text { text };
            if seen.meaning == Meaning::Healthy {
                (seen.state, seen.meaning) = (State::NoData, Meaning::Inconclusive);
            }
        }
    }
    state.clone().with_triggers(triggers)
}

/// How the deployment stands, as lines for people.
pub(crate) fn lines(state: &RunState, now: Timestamp) -> Vec<String> {
    let release = &state.release();
    let zone = words::zone(&state.planned().plan);
    // Nothing goes on in a run that is over.
    let now = state.finished().as_ref().map_or(now, |(_, at)| (*at).min(now));
    let mut lines = Vec::new();
    if !release.triggers.is_empty() {
        let rows: Vec<Vec<String>> = release
            .triggers
            .iter()
            .map(|(id, seen)| {
                if !is_there(state, id) {
                    let then = format!(
                        "then: {} ({})",
                        saying::reading(&seen.reading),
                        seen.state.shown()
                    );
                    return vec![
                        "·".to_owned(),
                        id.to_string(),
                        "not watched any more".to_owned(),
                        then,
                    ];
                }
                let limit = match seen.reading.limit.as_str() {
                    "" => String::new(),
                    limit => format!("limit {limit}"),
                };
                vec![
                    sign(seen.state, seen.meaning).to_owned(),
                    id.to_string(),
                    seen.state.shown().to_owned(),
                    saying::reading(&seen.reading),
                    limit,
                    format!("for {}", length(words::between(seen.since, now))),
                ]
            })
            .collect();
        lines.push(String::new());
        lines.extend(super::table::columns(&rows).into_iter().map(|row| row.trim_end().to_owned()));
    }
    for (source, lost) in &release.lost {
        lines.push(format!(
            "! {source} cannot be read since {}: {}",
            clock(lost.since, &zone),
            lost.error
        ));
    }
    if let Some(open) = &release.open {
        lines.push(String::new());
        lines.extend(question(state, open, now, &zone));
    }
    lines
}

fn sign(state: State, meaning: Meaning) -> &'static str {
    match (state, meaning) {
        (_, Meaning::Breach) => "✗",
        (State::Ok, _) => "✓",
        (_, Meaning::Inconclusive) => "?",
        _ => "·",
    }
}

fn question(
    state: &RunState,
    open: &PendingDecision,
    now: Timestamp,
    zone: &TimeZone,
) -> Vec<String> {
    let objections = objections(state, open);
    let left = |until: Timestamp| match until > now {
        true => format!("{} left", length(words::between(now, until))),
        false => "over".to_owned(),
    };
    let mut lines = vec![format!(
        "Decision {} ({}): {}",
        open.number,
        saying::severity(open.severity).to_lowercase(),
        saying::causes(&open.causes)
    )];
    if let Some(until) = open.fix_until {
        let then = match objections.is_empty() {
            true => "then it is backed out",
            false => "then the people who are asked decide",
        };
        let until = format!("{} ({})", clock(until, zone), left(until));
        lines.push(format!("  a fix may be tried until {until}; {then}"));
    }
    if let Some(until) = open.until {
        lines.push(format!("  an answer is due by {} ({})", clock(until, zone), left(until)));
    }
    lines.extend(
        objections.iter().map(|guard| format!("  not automatic: {}", saying::guard(guard))),
    );
    lines.extend(open.forecast.iter().flat_map(|numbers| figures(numbers, now, zone)));
    lines
}

/// What the forecast said when something was asked, as it reads at a moment.
pub(crate) fn figures(numbers: &ForecastSummary, at: Timestamp, zone: &TimeZone) -> Vec<String> {
    let mut lines = Vec::new();
    if let (Some(likely), Some(high)) = (numbers.likely, numbers.high) {
        lines.push(format!("  the backout takes P50 {likely}, P95 {high}"));
    }
    let late = numbers.latest().is_some_and(|latest| latest <= at);
    if let Some(in_time) = numbers.in_time.filter(|_| !late) {
        let share = (in_time * 100.0).floor();
        lines.push(format!(
            "  {share:.0} % chance to finish in time if started when this was asked"
        ));
    }
    match (numbers.latest(), numbers.fix_deadline) {
        (Some(latest), _) if late => lines
            .push(format!("  LATE: it had to start by {} to finish in time", clock(latest, zone))),
        (latest, fixing) => {
            lines.extend(
                latest
                    .map(|at| format!("  it must start by {} to finish in time", clock(at, zone))),
            );
            lines.extend(fixing.map(|at| format!("  give up a fix by {}", clock(at, zone))));
        }
    }
    lines
}

/// What the plan says is done instead of going back.
pub(crate) fn instead(plan: &Plan) -> Vec<String> {
    let Some(alternatives) = &plan.alternatives else {
        return vec!["the plan does not say what to do instead".to_owned()];
    };
    let mut lines: Vec<String> = alternatives
        .cannot_back_out
        .iter()
        .map(|case| format!("the plan says: {}: {}", case.scenario.trim(), case.instead.trim()))
        .collect();
    if let Some(fix) = &alternatives.fix_forward {
        let takes = fix.estimate.map(|takes| format!(" ({takes})")).unwrap_or_default();
        lines.push(format!("the plan says: fix forward{takes} when {}", fix.when.trim()));
    }
    lines
}

/// Every decision with what was known when it was made, and the one that is open.
pub(crate) fn explained(state: &RunState, now: Timestamp, zone: &TimeZone) -> Vec<String> {
    let mut lines = Vec::new();
    for decided in &state.release().decided {
        lines.push(format!(
            "{}  {} — decided by {}",
            moment(decided.at, zone),
            decided.choice.shown(),
            decider(state, decided)
        ));
        if !decided.agreed.is_empty() {
            lines.push(format!(
                "  and by {}, who had asked for the same",
                names(state, &decided.agreed).join(", ")
            ));
        }
        lines.push(format!("  because: {}", saying::reason(&decided.reason)));
        lines.extend(
            decided
                .confirmed
                .iter()
                .map(|asked| format!("  confirmed: {}", saying::concern(asked, zone))),
        );
        match &decided.question {
            Some(open) => lines.extend(known(state, open, &decided.seen, decided.at, zone)),
            None if decided.reason.is_automatic() => {}
            None => lines.push("  no decision was requested: own judgement".to_owned()),
        }
        lines.push(String::new());
    }
    if let Some(open) = &state.release().open {
        lines.push("Still open:".to_owned());
        lines.extend(known(state, open, &state.release().triggers, now, zone));
    }
    lines
}

/// What is, or was, known about what is decided; `seen` is how the triggers stood.
fn known(
    state: &RunState,
    open: &PendingDecision,
    seen: &BTreeMap<TriggerId, TriggerStatus>,
    at: Timestamp,
    zone: &TimeZone,
) -> Vec<String> {
    let plan = &state.planned().plan;
    let asked: Vec<String> = open.asked.iter().map(|role| plan.person(role)).collect();
    let who = if asked.is_empty() { String::new() } else { format!(" of {}", asked.join(", ")) };
    let mut lines = vec![format!(
        "  asked at {}{who} ({}): {}",
        clock(open.asked_at, zone),
        saying::severity(open.severity).to_lowercase(),
        saying::causes(&open.causes)
    )];
    for id in &open.because {
        let Some(seen) = seen.get(id) else { continue };
        let reading = &seen.reading;
        let measured = saying::reading_with_limit(reading);
        lines.push(format!("  {id}, {}: {measured}", seen.state.shown()));
        if let (Some(evidence), Some(needed)) = (reading.evidence, reading.needed) {
            lines.push(format!(
                "    evidence {evidence:.1} of {needed:.1} needed (natural logarithms)"
            ));
        }
        lines.extend(reading.queries.iter().map(|query| format!("    asked: {query}")));
    }
    lines.extend(
        open.guards.iter().map(|guard| format!("  not automatic: {}", saying::guard(guard))),
    );
    lines.extend(open.forecast.iter().flat_map(|numbers| figures(numbers, at, zone)));
    if open.passed_on > 0 {
        let often = if open.passed_on == 1 {
            "once".to_owned()
        } else {
            format!("{} times", open.passed_on)
        };
        lines.push(format!("  still open {often} when its time was over, and more people asked"));
    }
    lines
}

/// Who decided: a person, or the plan.
fn decider(state: &RunState, decided: &DecisionRecord) -> String {
    match decided.reason.is_automatic() {
        true => "the plan".to_owned(),
        false => decided.by.name(&state.planned().plan),
    }
}

fn names(state: &RunState, people: &[PersonId]) -> Vec<String> {
    people.iter().map(|person| person.name(&state.planned().plan)).collect()
}

/// A decision for scripts.
pub(crate) fn record_json(state: &RunState, decided: &DecisionRecord) -> Value {
    json!({
        "at": decided.at,
        "choice": decided.choice,
        "by": decider(state, decided),
        "agreed": names(state, &decided.agreed),
        "automatic": decided.reason.is_automatic(),
        "reason": saying::reason(&decided.reason),
        "confirmed": decided.confirmed,
        "triggers": decided.seen,
        "question": decided.question.as_ref().map(open_json),
    })
}

/// A deployment for scripts; nothing for a run that only goes back.
pub(crate) fn json(state: &RunState) -> Option<Value> {
    let release = &state.release();
    if !release.deploys {
        return None;
    }
    let triggers: Vec<Value> = release
        .triggers
        .iter()
        .map(|(id, seen)| {
            json!({
                "id": id,
                "state": seen.state,
                "meaning": seen.meaning,
                "since": seen.since,
                "fired": seen.fired,
                "attention": seen.attention,
                "reading": seen.reading,
            })
        })
        .collect();
    Some(json!({
        "goes_forward": release.goes_forward(),
        "triggers": triggers,
        "lost_sources": release.lost,
        "watch_ended": release.watched.map(|watched| watched.verdict),
        "decision": release.open.as_ref().map(open_json),
        "decided": release.decided.len(),
    }))
}

/// An open decision for scripts.
pub(crate) fn open_json(open: &PendingDecision) -> Value {
    json!({
        "number": open.number,
        "severity": open.severity,
        "certain": open.certain,
        "because": open.because,
        "sources": open.sources,
        "why": saying::causes(&open.causes),
        "causes": open.causes,
        "option": open.option,
        "asked": open.asked,
        "asked_at": open.asked_at,
        "until": open.until,
        "fix_until": open.fix_until,
        "guards": open.guards,
        "forecast": open.forecast,
        "passed_on": open.passed_on,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was in time when it was asked is not said to be so once it is too late.
    #[test]
    fn figures_grow_old() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let latest = Some(at("2026-06-06T02:10:00Z"));
        let numbers = ForecastSummary {
            in_time: Some(0.994),
            point_of_no_return: latest,
            fix_deadline: latest,
            ..ForecastSummary::default()
        };
        let said = |now: &str| figures(&numbers, at(now), &TimeZone::UTC).join("\n");
        assert!(said("2026-06-06T02:09:59Z").contains("99 % chance to finish in time"));
        let late = said("2026-06-06T02:10:00Z");
        assert!(late.contains("LATE: it had to start by 02:10:00") && !late.contains("99 %"));
    }
}
