//! The decision, on a simulated clock: exhaustive where the space is small.

use backout_core::cause::{DecisionCause, UnseenTrigger};
use backout_core::choice::{Choice, DecisionRequested, ForecastSummary};
use backout_core::decision::{recovery_due, verdict};
use backout_core::event::{Event, Outcome};
use backout_core::ids::StepId;
use backout_core::intent::{Intent, Timer};
use backout_core::plan::{DecisionAction, Severity};
use backout_core::question::{Asks, questions};
use backout_core::watch::{Meaning, Reading, State, Verdict};
use serde_json::json;

use crate::night::{Night, at, id, intent, plan, role, succeeded, wake};

/// Severity × action × automatic × what is known × each guard: what happens at once.
#[test]
fn the_matrix_is_what_it_says() {
    let severities = [("logins", "critical"), ("slow", "major"), ("odd", "minor")];
    let actions = ["back-out", "back-out-unless-fixable", "ask", "log"];
    let meanings = [Meaning::Healthy, Meaning::Open, Meaning::Inconclusive, Meaning::Breach];
    let mut cases = 0;
    for (trigger, severity) in severities {
        for action in actions {
            for automatic in [false, true] {
                for meaning in meanings {
                    for guard in ["none", "irreversible", "loop", "before"] {
                        let decision = json!({severity: {"action": action, "by": "lead", "automatic": automatic}});
                        let mut planned = plan(&decision, &json!({}));
                        if guard == "loop" {
                            planned.earlier =
                                Some(backout_core::ids::RunId::new("CHG1-0").expect("a name"));
                        }
                        if guard == "irreversible" {
                            planned.plan.stages[0].irreversible = Some("gone".to_owned());
                        }
                        let mut night = Night::new(planned);
                        night.stage_is_done(1);
                        let state = match meaning {
                            Meaning::Healthy => State::Ok,
                            Meaning::Open => State::Pending,
                            Meaning::Inconclusive => State::NoData,
                            Meaning::Breach => State::Firing,
                        };
                        let reading = Reading::default();
                        night.happens(
                            2,
                            vec![Event::TriggerChanged {
                                trigger: id(trigger),
                                from: State::Insufficient,
                                to: state,
                                meaning,
                                before: guard == "before",
                                reading,
                            }],
                        );
                        night.due(2);
                        let story = format!(
                            "{severity} {action} automatic {automatic} {meaning:?} {guard}"
                        );
                        let acts = meaning == Meaning::Breach && action != "log";
                        let by_itself =
                            acts && action == "back-out" && automatic && guard == "none";
                        assert_eq!(night.goes_back(), by_itself, "{story}");
                        let blind = meaning == Meaning::Inconclusive && action != "log";
                        let asks = acts && !by_itself || blind;
                        assert_eq!(night.open().is_some(), asks, "{story}");
                        if let Some(open) = night.open() {
                            assert_eq!(open.certain, meaning == Meaning::Breach, "{story}");
                            let window = acts && action == "back-out-unless-fixable";
                            assert_eq!(open.fix_until, window.then(|| at(32)), "{story}");
                            let goes_back = acts && action.starts_with("back-out");
                            assert_eq!(
                                open.guards.is_empty(),
                                !goes_back || guard == "none",
                                "{story}"
                            );
                            // Nothing new starts, and asking again changes nothing.
                            let again = night.due(2);
                            assert!(
                                again.iter().all(|i| matches!(i, Intent::Wake { .. })),
                                "{story}: {again:?}"
                            );
                        }
                        cases += 1;
                    }
                }
            }
        }
    }
    assert_eq!(cases, 384);
}

#[test]
fn nobody_answers() {
    let rule = |more: &str| {
        let mut rule =
            json!({"action": "back-out", "by": "lead", "within": "5m", "escalate": ["boss"]});
        if !more.is_empty() {
            rule["if_unanswered"] = json!(more);
        }
        json!({"critical": rule})
    };
    for (more, ends_back) in [("", false), ("back-out", true)] {
        let mut night = Night::new(plan(&rule(more), &json!({})));
        night.stage_is_done(1);
        night.moves(2, "logins", State::Firing, Meaning::Breach);
        night.due(2);
        assert_eq!(night.open().map(|open| open.asked.clone()), Some(vec![role("lead")]));
        night.due(6);
        assert_eq!(night.open().map(|open| open.asked.len()), Some(1), "the deadline is at 7");
        night.due(7);
        assert_eq!(
            night.open().map(|open| open.asked.clone()),
            Some(vec![role("lead"), role("deputy")])
        );
        night.due(12);
        assert_eq!(night.open().map(|open| open.asked.len()), Some(3));
        night.due(17);
        assert_eq!(night.goes_back(), ends_back, "{more}");
        if !ends_back {
            // Everybody was asked: it stays open, and nothing goes forward by itself.
            assert!(night.due(18).is_empty());
            assert!(night.due(6000).is_empty());
            assert!(night.open().is_some());
        }
    }
    // A guard objects to what the plan would do when nobody answers.
    let mut planned = plan(&rule("back-out"), &json!({}));
    planned.plan.stages[0].irreversible = Some("gone".to_owned());
    let mut night = Night::new(planned);
    night.stage_is_done(1);
    night.moves(2, "logins", State::Firing, Meaning::Breach);
    (2..60).for_each(|minute| drop(night.due(minute)));
    assert!(!night.goes_back());
    assert!(night.open().is_some());
}

#[test]
fn a_fix_window_ends_in_one_of_five_ways() {
    let decision = json!({
        "critical": {"action": "back-out", "by": "lead", "automatic": true},
        "major": {"action": "back-out-unless-fixable", "by": "lead", "within": "15m", "fix_window": "20m"},
    });
    let begin = || {
        let mut night = Night::new(plan(&decision, &json!({})));
        night.stage_is_done(1);
        night.moves(2, "slow", State::Firing, Meaning::Breach);
        night.due(2);
        assert_eq!(night.open().and_then(|open| open.fix_until), Some(at(22)));
        night
    };
    // Its time is over.
    let mut night = begin();
    night.due(21);
    assert!(!night.goes_back());
    night.due(22);
    assert!(night.goes_back());
    // Something critical fires meanwhile.
    let mut night = begin();
    night.moves(5, "logins", State::Firing, Meaning::Breach);
    night.due(5);
    assert!(night.goes_back());
    // Somebody says that it cannot be fixed.
    let mut night = begin();
    night.says(6, Choice::NotFixable);
    assert!(night.goes_back());
    // Somebody gives it more time, and less.
    let mut night = begin();
    night.says(6, Choice::FixForward { until: at(40) });
    night.due(22);
    assert!(!night.goes_back());
    night.due(40);
    assert!(night.goes_back());
    // It is fixed: somebody says so, and the release goes on.
    let mut night = begin();
    night.moves(8, "slow", State::Recovering, Meaning::Breach);
    night.moves(9, "slow", State::Ok, Meaning::Healthy);
    night.says(9, Choice::Continue);
    assert!(night.open().is_none());
    assert!(!night.goes_back());
}

/// A fix may not be tried for longer than going back still ends in time.
#[test]
fn the_point_of_no_return_ends_a_fix_window() {
    let asked = DecisionRequested {
        number: 1,
        severity: Severity::Major,
        certain: true,
        because: Vec::new(),
        sources: Vec::new(),
        readings: Default::default(),
        own_fix: false,
        causes: Vec::new(),
        option: None,
        asked: Vec::new(),
        until: None,
        fix_until: Some(at(30)),
        guards: Vec::new(),
        forecast: None,
    };
    let numbers = |minutes| {
        let point_of_no_return = Some(at(minutes));
        Some(ForecastSummary { point_of_no_return, ..ForecastSummary::default() })
    };
    assert_eq!(asked.clone().with(numbers(10), at(2)).fix_until, Some(at(10)));
    assert_eq!(asked.clone().with(numbers(50), at(2)).fix_until, Some(at(30)));
    assert_eq!(asked.clone().with(None, at(2)).fix_until, Some(at(30)));
    // It has passed already: then the plan's own window holds.
    assert_eq!(asked.clone().with(numbers(2), at(2)).fix_until, Some(at(30)));
    let without = DecisionRequested { fix_until: None, ..asked };
    assert_eq!(without.with(numbers(10), at(2)).fix_until, None);
}

#[test]
fn what_can_be_seen_again_is_no_question_any_more_and_what_fired_stays_one() {
    let decision = json!({"critical": {"action": "back-out", "by": "lead"}});
    let mut night = Night::new(plan(&decision, &json!({})));
    night.stage_is_done(1);
    night.moves(2, "logins", State::NoData, Meaning::Inconclusive);
    night.due(2);
    assert_eq!(night.open().map(|open| open.certain), Some(false));
    night.moves(3, "logins", State::Ok, Meaning::Healthy);
    night.due(3);
    assert!(night.open().is_none());
    // Blind, and then it fires: another question, with another weight.
    night.moves(4, "logins", State::NoData, Meaning::Inconclusive);
    night.due(4);
    night.moves(5, "logins", State::Firing, Meaning::Breach);
    night.due(5);
    assert_eq!(night.open().map(|open| (open.certain, open.number)), Some((true, 3)));
    // That it is well again is told, and does not unsay it.
    night.moves(6, "logins", State::Recovering, Meaning::Breach);
    night.moves(7, "logins", State::Ok, Meaning::Healthy);
    night.due(7);
    assert!(night.open().is_some());
}

#[test]
fn a_dead_source_is_one_finding() {
    let decision = json!({"critical": {"action": "back-out", "by": "lead"}});
    let more = json!({"sources": {"metrics": {"prometheus": "http://x"}}, "triggers": {
        "logins": {"severity": "critical", "gauge": {"source": "metrics", "query": "a", "limit": "> 5"}},
        "slow": {"severity": "major", "gauge": {"source": "metrics", "query": "b", "limit": "> 5"}},
    }});
    let mut night = Night::new(plan(&decision, &more));
    night.stage_is_done(1);
    let source = backout_core::ids::SourceId::new("metrics").expect("a name");
    night.happens(
        2,
        vec![Event::SourceOutageStarted { source: source.clone(), error: "refused".to_owned() }],
    );
    night.moves(2, "logins", State::Error, Meaning::Inconclusive);
    night.moves(2, "slow", State::Error, Meaning::Inconclusive);
    night.due(2);
    let causes = night.open().map(|open| open.causes.clone()).expect("a question");
    let error = "refused".to_owned();
    assert_eq!(
        causes,
        [DecisionCause::SourceOutage { source: source.clone(), error, triggers: 2 }]
    );
    night.happens(3, vec![Event::SourceOutageEnded { source }]);
    night.moves(3, "logins", State::Ok, Meaning::Healthy);
    night.moves(3, "slow", State::Ok, Meaning::Healthy);
    night.due(3);
    assert!(night.open().is_none());
}

/// Passed is said only of what was seen to be well, and to the end.
#[test]
fn a_release_is_deployed_when_it_was_watched_and_found_well() {
    let decision = json!({"critical": {"action": "back-out", "by": "lead"}});
    let mut night = Night::new(plan(&decision, &json!({})));
    night.stage_is_done(0);
    night.all_well(1);
    assert_eq!(verdict(&night.0), Verdict::Passed);
    assert_eq!(night.due(9), [wake(10, Timer::Watch)]);
    night.due(10);
    assert_eq!(night.due(59), [wake(60, Timer::Watch)]);
    night.due(60);
    night.due(60);
    assert_eq!(night.0.finished().as_ref().map(|(outcome, _)| outcome), Some(&Outcome::Deployed));
    // Not seen at all, or not by everything that has to see it: a person.
    let mut night = Night::new(plan(&decision, &json!({})));
    night.stage_is_done(0);
    night.moves(1, "logins", State::Ok, Meaning::Healthy);
    night.due(10);
    assert!(questions(&night.0).is_empty(), "it may be known in a moment");
    night.due(20);
    night.due(20);
    let asked = questions(&night.0);
    assert_eq!(asked[0].asks, Asks::Decide);
    let unseen = |name: &str| UnseenTrigger { trigger: id(name), state: State::Insufficient };
    let (stage, unseen) = (StepId::new("a").expect("a name"), vec![unseen("slow"), unseen("odd")]);
    let causes = |night: &Night| night.open().map(|open| open.causes.clone());
    let inconclusive = DecisionCause::BakeInconclusive { stage, unseen: unseen.clone() };
    assert_eq!(causes(&night), Some(vec![inconclusive]));
    night.says(21, Choice::Continue);
    (21..122).for_each(|minute| drop(night.due(minute)));
    // At the end of the watch it is asked again: nobody has looked in the meantime.
    assert_eq!(causes(&night), Some(vec![DecisionCause::WatchInconclusive { unseen }]));
    night.says(122, Choice::Continue);
    night.due(123);
    let outcome = night.0.finished().as_ref().map(|(outcome, _)| outcome);
    assert_eq!(outcome, Some(&Outcome::DeployedWithFindings));
}

/// The way back has helped when what fired is well again.
#[test]
fn a_way_back_that_does_not_help_is_no_success() {
    let decision = json!({"critical": {"action": "back-out", "by": "lead", "automatic": true}});
    for recovers in [true, false] {
        let mut night = Night::new(plan(&decision, &json!({})));
        night.stage_is_done(1);
        night.moves(2, "logins", State::Firing, Meaning::Breach);
        night.due(2);
        assert!(night.goes_back());
        night.happens(3, vec![intent("undo-a", 1), succeeded("undo-a", 1)]);
        // Three looks, 15 s each, and the range of the first: from then on it sees what is.
        assert_eq!(recovery_due(&night.0), Some(at(4)));
        assert_eq!(night.due(3), [wake(4, Timer::Recovery)], "it is not over");
        assert_eq!(night.due(4), [], "it is asked about until somebody answers");
        let question = questions(&night.0).swap_remove(0);
        assert_eq!(question.asks, Asks::NotRecovered { triggers: vec![id("logins")] });
        assert_eq!(question.due, Some(at(4)));
        let outcome = if recovers {
            night.moves(5, "logins", State::Recovering, Meaning::Breach);
            night.due(5);
            night.moves(6, "logins", State::Ok, Meaning::Healthy);
            Outcome::Reverted
        } else {
            night.says(6, Choice::Continue);
            Outcome::Partial
        };
        night.due(7);
        assert_eq!(night.0.finished().as_ref().map(|(outcome, _)| outcome), Some(&outcome));
    }
}

#[test]
fn a_trigger_names_the_way_back_it_calls_for() {
    let decision = json!({"critical": {"action": "back-out", "by": "lead", "automatic": true}});
    let more = json!({
        "triggers": {"logins": {"severity": "critical", "option": "flag", "gauge": {"url": "http://x", "limit": "> 5"}}},
        "options": {"flag": {"title": "Flag off", "steps": []}, "full": {"title": "All", "default": true}},
    });
    let mut night = Night::new(plan(&decision, &more));
    night.stage_is_done(1);
    night.moves(2, "logins", State::Firing, Meaning::Breach);
    night.due(2);
    assert_eq!(night.0.option().as_ref().map(|option| option.as_str()), Some("flag"));
    let action = night.0.planned().plan.decision[&Severity::Critical].action;
    assert_eq!(action, DecisionAction::BackOut);
}
