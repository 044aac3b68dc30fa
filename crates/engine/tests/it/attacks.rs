//! What once slipped through: a green light nobody had earned, an alarm nobody heard, an
//! answer to something else.

use backout_core::cause::Guard;
use backout_core::choice::Choice;
use backout_core::command::Command;
use backout_core::decision::{not_recovered, verdict};
use backout_core::event::Event;
use backout_core::ids::{RoleId, SourceId, StepId};
use backout_core::plan::Severity;
use backout_core::record::Actor;
use backout_core::refusal::Refusal;
use backout_core::watch::{Meaning, Reading, State, Verdict};
use serde_json::{Value, json};

use crate::night::{Night, at, id, intent, plan};
use crate::stage::holder;

fn automatic() -> Value {
    json!({
        "critical": {"action": "back-out", "by": "lead", "automatic": true, "within": "5m"},
        "major": {"action": "back-out-unless-fixable", "by": "lead", "within": "15m", "fix_window": "20m"},
    })
}

fn moved(name: &str, from: State, to: State, meaning: Meaning, before: bool) -> Event {
    Event::TriggerChanged {
        trigger: id(name),
        from,
        to,
        meaning,
        before,
        reading: Reading::default(),
    }
}

fn source(name: &str) -> SourceId {
    SourceId::new(name).expect("a name")
}

/// A trigger that was only looked at before the first stage did not fire before it; and
/// what was well since is new when it fires.
#[test]
fn only_what_fired_before_is_from_before() {
    use State::{Firing, Insufficient, Ok};
    let mut night = Night::new(plan(&automatic(), &json!({})));
    night.happens(0, vec![moved("logins", Insufficient, Ok, Meaning::Healthy, true)]);
    night.stage_is_done(1);
    night.happens(2, vec![moved("logins", Ok, Firing, Meaning::Breach, false)]);
    night.due(2);
    assert!(night.goes_back());
    let mut night = Night::new(plan(&automatic(), &json!({})));
    night.happens(0, vec![moved("logins", Insufficient, Firing, Meaning::Breach, true)]);
    night.happens(0, vec![moved("logins", Firing, Ok, Meaning::Healthy, false)]);
    night.stage_is_done(1);
    night.happens(2, vec![moved("logins", Ok, Firing, Meaning::Breach, false)]);
    night.due(2);
    assert!(night.goes_back());
}

/// That there is no data stops a release. It does not back it out by itself, and silence
/// does not either.
#[test]
fn no_data_is_asked_about() {
    let mut rules = automatic();
    rules["critical"]["if_unanswered"] = json!("back-out");
    let mut night = Night::new(plan(&rules, &json!({})));
    night.stage_is_done(1);
    night.moves(2, "logins", State::NoData, Meaning::Breach);
    (2..90).for_each(|minute| drop(night.due(minute)));
    assert!(!night.goes_back());
    assert_eq!(night.open().map(|open| open.guards.clone()), Some(vec![Guard::NoData]));
    let mut night = Night::new(plan(&rules, &json!({})));
    night.stage_is_done(1);
    night.moves(2, "logins", State::Error, Meaning::Inconclusive);
    (2..90).for_each(|minute| drop(night.due(minute)));
    assert!(!night.goes_back(), "nobody knows, and silence decides nothing");
    assert!(night.open().is_some());
    // What fired and went out of sight fired: both are told at once after an interruption.
    let mut night = Night::new(plan(&rules, &json!({})));
    night.stage_is_done(1);
    let fired = moved("logins", State::Ok, State::Firing, Meaning::Breach, false);
    let lost = moved("logins", State::Firing, State::NoData, Meaning::Breach, false);
    night.happens(2, vec![fired, lost]);
    night.due(2);
    assert!(night.goes_back());
}

/// Time in which nobody watched is no time under watch.
#[test]
fn a_gap_in_the_watch_is_made_up_for() {
    let mut night = Night::new(plan(&automatic(), &json!({})));
    night.stage_is_done(0);
    night.all_well(1);
    night.happens(9, vec![Event::WatchGap { from: at(2), to: at(9) }]);
    night.due(16);
    assert!(night.0.release().baked.is_empty());
    night.due(17);
    assert_eq!(night.0.release().baked.len(), 1);
    night.due(66);
    assert!(night.0.release().watched.is_none());
    night.due(67);
    assert!(night.0.release().watched.is_some());
    // A gap before it is none of its own.
    let mut night = Night::new(plan(&automatic(), &json!({})));
    night.stage_is_done(5);
    night.all_well(6);
    night.happens(6, vec![Event::WatchGap { from: at(1), to: at(4) }]);
    night.due(15);
    assert_eq!(night.0.release().baked.len(), 1);
}

/// A source that cannot be read is as bad as what it hides may be.
#[test]
fn a_lost_source_asks_those_whom_its_triggers_would() {
    let more = json!({
        "sources": {"m": {"prometheus": "http://m"}, "n": {"prometheus": "http://n"}},
        "triggers": {
            "orders": {"severity": "critical", "gauge": {"source": "n", "query": "x", "limit": "> 5"}},
            "slow": {"severity": "minor", "gauge": {"source": "m", "query": "x", "limit": "> 5"}},
        },
    });
    let rules = json!({
        "critical": {"action": "back-out", "by": "boss", "automatic": true},
        "minor": {"action": "ask", "by": "ann"},
    });
    let lost =
        |name: &str| Event::SourceOutageStarted { source: source(name), error: "gone".to_owned() };
    let mut night = Night::new(plan(&rules, &more));
    night.stage_is_done(1);
    night.happens(2, vec![lost("m")]);
    night.due(2);
    assert_eq!(night.open().map(|open| open.severity), Some(Severity::Minor));
    // Another one, and worse: that is another question, and of somebody else.
    night.happens(3, vec![lost("n")]);
    night.due(3);
    let open = night.open().expect("a question");
    assert_eq!((open.severity, open.asked[0].as_str()), (Severity::Critical, "boss"));
    assert_eq!(open.because, [id("orders"), id("slow")]);
    night.says(4, Choice::Continue);
    assert_eq!(verdict(&night.0), Verdict::Accepted, "that is not to be found well");
    // That its triggers cannot be read is known then.
    night.moves(5, "orders", State::Error, Meaning::Inconclusive);
    night.due(5);
    assert!(night.open().is_none());
    // Only what was asked about is answered.
    let mut night = Night::new(plan(&rules, &more));
    night.stage_is_done(1);
    night.happens(2, vec![lost("m")]);
    night.due(2);
    night.happens(3, vec![lost("n")]);
    night.says(3, Choice::Continue);
    night.due(3);
    assert!(night.open().is_some_and(|open| open.because == [id("orders")]));
}

/// What somebody decided about is not well for the rest of the night.
#[test]
fn an_answer_is_about_what_was() {
    let mut night = Night::new(plan(&automatic(), &json!({})));
    night.stage_is_done(0);
    night.all_well(1);
    night.moves(2, "slow", State::NoData, Meaning::Inconclusive);
    night.due(2);
    night.says(3, Choice::Continue);
    night.moves(4, "slow", State::Ok, Meaning::Healthy);
    night.moves(9, "slow", State::Pending, Meaning::Open);
    night.due(10);
    assert!(night.0.release().baked.is_empty(), "it is about to fire");
    night.moves(11, "slow", State::Firing, Meaning::Breach);
    night.due(11);
    assert!(night.open().is_some());
    // It goes on although it fires: that is accepted, and not found well.
    night.says(12, Choice::Continue);
    night.due(12);
    assert_eq!(night.0.release().baked.values().next().map(|b| b.verdict), Some(Verdict::Accepted));
}

/// The way back is over when all is well, and not when nothing fired.
#[test]
fn reverted_is_said_of_what_is_well() {
    for (state, meaning) in [
        (State::NoData, Meaning::Breach),
        (State::Pending, Meaning::Open),
        (State::Error, Meaning::Inconclusive),
    ] {
        let mut night = Night::new(plan(&automatic(), &json!({})));
        night.stage_is_done(1);
        night.all_well(1);
        night.moves(2, "logins", state, meaning);
        night.due(2);
        night.says(3, Choice::BackOut { option: None });
        let unwell: Vec<_> = not_recovered(&night.0).into_iter().cloned().collect();
        assert_eq!(unwell, [id("logins")], "{state:?}");
        night.moves(4, "logins", State::Ok, Meaning::Healthy);
        assert!(not_recovered(&night.0).is_empty());
    }
}

/// What the plan wants to be asked about is asked about, also while a fix is tried.
#[test]
fn a_fix_loses_its_time_to_what_the_plan_backs_out_for() {
    let rules = json!({
        "critical": {"action": "back-out", "by": "lead", "automatic": true},
        "minor": {"action": "ask", "by": "lead"},
    });
    let fixing = || {
        let mut night = Night::new(plan(&rules, &json!({})));
        night.stage_is_done(1);
        night.moves(2, "logins", State::Error, Meaning::Inconclusive);
        night.due(2);
        night.says(3, Choice::FixForward { until: at(40) });
        night
    };
    let mut night = fixing();
    night.moves(4, "odd", State::Firing, Meaning::Breach);
    night.due(4);
    assert!(!night.goes_back(), "somebody decides freely about it");
    assert!(night.open().is_some_and(|open| open.certain));
    // A fix of what was asked about is no fix of somebody's own: the plan acts.
    let mut night = fixing();
    night.moves(4, "logins", State::Firing, Meaning::Breach);
    night.due(4);
    assert!(night.goes_back());
}

/// A question that waits for people hides nothing that is as bad.
#[test]
fn as_bad_and_new_is_another_question() {
    let more = json!({"triggers": {
        "chronic": {"severity": "critical", "gauge": {"url": "http://x", "limit": "> 5"}},
        "fresh": {"severity": "critical", "gauge": {"url": "http://x", "limit": "> 5"}},
    }});
    let mut night = Night::new(plan(&automatic(), &more));
    night.happens(
        0,
        vec![moved("chronic", State::Insufficient, State::Firing, Meaning::Breach, true)],
    );
    night.stage_is_done(1);
    night.due(1);
    assert!(night.open().is_some_and(|open| !open.guards.is_empty()));
    night.moves(2, "fresh", State::Firing, Meaning::Breach);
    night.due(2);
    assert!(night.goes_back(), "nothing objects to this one");
    // Each calls for another way: the heavier one.
    let more = json!({
        "options": {"light": {"title": "Flag off", "steps": []}, "full": {"title": "All", "default": true}},
        "triggers": {
            "chronic": {"severity": "critical", "option": "light", "gauge": {"url": "http://x", "limit": "> 5"}},
            "fresh": {"severity": "critical", "option": "full", "gauge": {"url": "http://x", "limit": "> 5"}},
        },
    });
    let rules = json!({"critical": {"action": "back-out", "by": "lead", "within": "5m", "if_unanswered": "back-out"}});
    let mut night = Night::new(plan(&rules, &more));
    night.stage_is_done(1);
    night.moves(2, "chronic", State::Firing, Meaning::Breach);
    night.due(2);
    assert_eq!(
        night.open().and_then(|open| open.option.clone()).map(|o| o.to_string()),
        Some("light".to_owned())
    );
    night.moves(3, "fresh", State::Firing, Meaning::Breach);
    night.due(3);
    assert_eq!(night.open().and_then(|open| open.option.clone()), None);
}

/// The time for a fix is over, and something objects to going back: somebody is asked again.
#[test]
fn the_end_of_a_fix_is_never_silent() {
    let mut rules = automatic();
    rules["major"]["escalate"] = json!(["boss"]);
    let mut night = Night::new(plan(&rules, &json!({})));
    night
        .happens(0, vec![moved("slow", State::Insufficient, State::Firing, Meaning::Breach, true)]);
    night.stage_is_done(1);
    night.due(1);
    night.says(2, Choice::FixForward { until: at(10) });
    (2..11).for_each(|minute| drop(night.due(minute)));
    assert!(!night.goes_back());
    assert!(
        night.open().is_some_and(|open| open.asked.iter().any(|role| role.as_str() == "deputy"))
    );
    (11..60).for_each(|minute| drop(night.due(minute)));
    assert!(night.open().is_some_and(|open| open.asked.iter().any(|role| role.as_str() == "boss")));
}

/// A stage that takes two people takes two people however it is written.
#[test]
fn replacing_a_stage_replaces_no_promise() {
    let more = json!({"stages": [
        {"id": "drop", "owner": "ann", "run": {"argv": ["true"]}, "irreversible": "The column is gone", "approval": {"by": ["lead", "ann"], "quorum": 2}},
    ]});
    let mut night = Night::new(plan(&automatic(), &more));
    let stage = StepId::new("drop").expect("a name");
    let approve = || Command::Approve { stage: stage.clone(), shown: None };
    let both_approve = |night: &mut Night, minutes: i64| {
        for role in ["lead", "ann"] {
            let approved = night.sends_as(minutes, &holder(role, role), approve());
            let proposed = matches!(approved.as_deref(), Ok([Event::CommandProposed { .. }]));
            assert_eq!(proposed, role == "lead", "{approved:?}");
        }
    };
    both_approve(&mut night, 1);
    assert!(night.0.release().approved.contains(&stage));
    let mut other = night.0.steps()[0].clone();
    (other.irreversible, other.approval) = (None, None);
    night.sends(2, Command::Replace { step: Box::new(other), not_before: None });
    assert!(night.0.steps()[0].needs_approval() && night.0.steps()[0].irreversible.is_some());
    assert!(!night.0.release().approved.contains(&stage), "they agreed to something else");
    both_approve(&mut night, 3);
    let refusal = Refusal::ApprovedAlready { stage: stage.clone() };
    assert_eq!(night.refuses(3, approve()), refusal, "no one is asked for it any more");
}

/// Nothing goes back while somebody, or another system, is still at work going forward.
#[test]
fn the_way_back_waits_for_what_is_still_at_work() {
    let more = json!({"stages": [
        {"id": "a", "owner": "ann", "external": "Jenkins job open", "undone_by": ["undo-a"]},
    ]});
    let mut night = Night::new(plan(&automatic(), &more));
    night.happens(1, vec![intent("a", 1)]);
    night.says(2, Choice::BackOut { option: None });
    let starts = |night: &mut Night| {
        let intents = night.due(3);
        intents.iter().any(|i| matches!(i, backout_core::intent::Intent::Start { .. }))
    };
    assert!(!starts(&mut night));
    assert!(night.0.finished().is_none());
    let role = Some(RoleId::new("ann").expect("a name"));
    let jenkins = Actor::System { name: "jenkins".to_owned(), role };
    let step = StepId::new("a").expect("a name");
    let done = Command::Acknowledge { step, note: None, attached: Vec::new() };
    night.sends_as(4, &jenkins, done).expect("it is its step");
    assert!(starts(&mut night), "what Jenkins did is undone");
}

/// What comes and goes in turn gives nobody more time, and unsays nothing.
#[test]
fn a_deadline_is_not_put_off_by_more_alarms() {
    let more = json!({"triggers": {
        "a": {"severity": "critical", "gauge": {"url": "http://x", "limit": "> 5"}},
        "b": {"severity": "critical", "gauge": {"url": "http://x", "limit": "> 5"}},
    }});
    let rules = json!({"critical": {"action": "back-out", "by": "boss", "within": "5m", "if_unanswered": "back-out"}});
    let mut night = Night::new(plan(&rules, &more));
    night.stage_is_done(1);
    night.all_well(1);
    for minute in 2..=7 {
        let (on, off) = if minute % 2 == 0 { ("a", "b") } else { ("b", "a") };
        night.moves(minute, on, State::Firing, Meaning::Breach);
        night.moves(minute, off, State::Ok, Meaning::Healthy);
        night.due(minute);
    }
    assert!(night.goes_back());
    let asked = night.0.release().decided.last().and_then(|decided| decided.question.clone());
    assert_eq!(asked.map(|open| open.because), Some(vec![id("a"), id("b")]));
}

/// An alarm that is over before anybody was asked about it is asked about all the same.
#[test]
fn an_alarm_behind_another_question_is_not_forgotten() {
    let mut night = Night::new(plan(&automatic(), &json!({})));
    night.stage_is_done(1);
    night.all_well(1);
    night.happens(2, vec![moved("logins", State::Ok, State::Firing, Meaning::Breach, true)]);
    night.due(2);
    assert!(night.open().is_some());
    night.moves(3, "slow", State::Firing, Meaning::Breach);
    night.moves(4, "slow", State::Ok, Meaning::Healthy);
    night.says(5, Choice::Continue);
    night.due(5);
    assert!(night.open().is_some_and(|open| open.because == [id("slow")]));
    night.says(6, Choice::Continue);
    night.due(6);
    assert!(night.open().is_none());
}

/// A stage that is run again is watched again.
#[test]
fn another_try_is_another_watch() {
    let mut night = Night::new(plan(&automatic(), &json!({})));
    night.stage_is_done(0);
    night.all_well(1);
    night.due(10);
    assert_eq!(night.0.release().baked.len(), 1);
    night.sends(11, Command::Retry { step: StepId::new("a").expect("a name"), new_key: false });
    assert!(night.0.release().baked.is_empty());
}

/// Nothing seen is not found well, whatever is required.
#[test]
fn what_nobody_saw_is_accepted_at_most() {
    let more = json!({"triggers": {
        "a": {"severity": "critical", "required": false, "gauge": {"url": "http://x", "limit": "> 5"}},
    }});
    let mut night = Night::new(plan(&automatic(), &more));
    night.stage_is_done(1);
    night.moves(2, "a", State::Error, Meaning::Inconclusive);
    night.due(2);
    night.says(3, Choice::Continue);
    assert_eq!(verdict(&night.0), Verdict::Accepted);
}

/// Whoever fixes what nobody could see has their time, also when it can be seen again; and
/// that time ends no other question.
#[test]
fn a_fix_keeps_its_own_clock() {
    let rules = json!({
        "critical": {"action": "back-out", "by": "lead"},
        "major": {"action": "ask", "by": "lead"},
    });
    let fixing = || {
        let mut night = Night::new(plan(&rules, &json!({})));
        night.stage_is_done(1);
        night.all_well(1);
        night.moves(2, "logins", State::Error, Meaning::Inconclusive);
        night.due(2);
        night.says(3, Choice::FixForward { until: at(10) });
        night
    };
    let mut night = fixing();
    night.moves(4, "logins", State::Ok, Meaning::Healthy);
    night.due(4);
    assert!(night.open().is_some(), "somebody is at work");
    night.due(10);
    assert!(night.open().is_none() && !night.goes_back(), "it is well, and the time is over");
    let mut night = fixing();
    night.moves(4, "slow", State::Firing, Meaning::Breach);
    (4..12).for_each(|minute| drop(night.due(minute)));
    assert!(!night.goes_back(), "somebody decides freely about it");
}

/// The way back is the one for everything that fired, also for what is over again.
#[test]
fn what_recovered_still_calls_for_its_way_back() {
    let trigger = |option: &str| json!({"severity": "critical", "option": option, "gauge": {"url": "http://x", "limit": "> 5"}});
    let more = json!({
        "options": {"light": {"title": "Flag off", "steps": []}, "full": {"title": "All", "default": true}},
        "triggers": {"heavy": trigger("full"), "small": trigger("light")},
    });
    let rules = json!({"critical": {"action": "back-out", "by": "lead", "within": "5m"}});
    let mut night = Night::new(plan(&rules, &more));
    night.stage_is_done(1);
    night.moves(2, "heavy", State::Firing, Meaning::Breach);
    night.due(2);
    night.moves(3, "heavy", State::Ok, Meaning::Healthy);
    night.moves(3, "small", State::Firing, Meaning::Breach);
    night.due(3);
    let open = night.open().expect("a question");
    assert_eq!(
        (open.because.len(), &open.option),
        (2, &None),
        "the plan's own way, which is the heavier"
    );
}

/// What a stage brings is waited for once that stage is done, and no more once it is undone;
/// where the way back leaves it as it is, it has to be well.
#[test]
fn what_a_stage_brings_is_watched_while_it_is_there() {
    let more = json!({
        "triggers": {
            "logins": {"severity": "critical", "gauge": {"url": "http://x", "limit": "> 5"}},
            "v2": {"severity": "critical", "from": "b", "gauge": {"url": "http://x", "limit": "> 5"}},
        },
        "stages": [
            {"id": "a", "owner": "ann", "run": {"argv": ["true"]}, "bake": "10m", "undone_by": ["undo-a"]},
            {"id": "b", "owner": "ann", "run": {"argv": ["true"]}, "bake": "10m", "undone_by": ["undo-a"]},
        ],
        "options": {"all": {"title": "All", "default": true}, "none": {"title": "Nothing", "steps": []}},
    });
    let rules = json!({"critical": {"action": "ask", "by": "lead"}});
    let mut night = Night::new(plan(&rules, &more));
    let required = |night: &Night| {
        let all = backout_core::decision::required(&night.0);
        all.map(|id| id.to_string()).collect::<Vec<_>>()
    };
    night.stage_is_done(1);
    night.moves(1, "logins", State::Ok, Meaning::Healthy);
    assert_eq!(required(&night), ["logins"]);
    night.due(11);
    let baked = |night: &Night, stage: &str| {
        let all = night.0.release().baked.iter();
        all.filter(|(id, _)| id.as_str() == stage).map(|(_, baked)| baked.verdict).next()
    };
    assert_eq!(baked(&night, "a"), Some(Verdict::Passed));
    night.stage_named_is_done("b", 12);
    assert_eq!(required(&night), ["logins", "v2"]);
    assert_eq!(verdict(&night.0), Verdict::Inconclusive, "nobody has seen it yet");
    night.moves(13, "v2", State::Firing, Meaning::Breach);
    night.due(13);
    assert_eq!(night.open().map(|open| open.because.clone()), Some(vec![id("v2")]));
    let mut back = Night(night.0.clone());
    back.says(14, Choice::BackOut { option: None });
    assert!(required(&back) == ["logins"] && not_recovered(&back.0).is_empty(), "it is gone");
    let none = backout_core::ids::OptionId::new("none").expect("a name");
    night.says(14, Choice::BackOut { option: Some(none) });
    assert_eq!(not_recovered(&night.0), [&id("v2")], "this way leaves it as it is");
}
