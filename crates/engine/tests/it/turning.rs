//! What people change about a release under way, and what a run knows when it turns round.

use backout_core::choice::Choice;
use backout_core::decision::not_recovered;
use backout_core::event::{Event, FailureEffect, Outcome};
use backout_core::ids::StepId;
use backout_core::intent::Intent;
use backout_core::plan::{Effect, Step};
use backout_core::question::questions;
use backout_core::watch::{Meaning, State, Verdict};
use backout_testkit::plans;
use serde_json::{Value, json};

use crate::night::{Night, at, id, intent, plan};

fn step(name: &str) -> StepId {
    StepId::new(name).expect("a name")
}

fn automatic() -> Value {
    json!({"critical": {"action": "back-out", "by": "lead", "within": "5m", "automatic": true}})
}

fn added(name: &str, behind: &str) -> Event {
    let made = plans::automatic(name, Effect::Verifiable, &[]);
    let made: Step = serde_json::from_value(made).expect("a step");
    Event::StepAdded {
        step: Box::new(made),
        behind: Some(step(behind)),
        before: Vec::new(),
        not_before: None,
        reason: "so".to_owned(),
    }
}

fn starts(night: &mut Night, minutes: i64) -> Vec<String> {
    let intents = night.due(minutes);
    let started = intents.iter().filter_map(|intent| match intent {
        Intent::Start { step } => Some(night.0.steps[*step].id.to_string()),
        _ => None,
    });
    started.collect()
}

/// What is added to the way back is done when that is gone, and not before.
#[test]
fn a_step_added_to_the_way_back_waits_for_it() {
    let mut night = Night::new(plan(&automatic(), &json!({})));
    night.happens(1, vec![intent("a", 1)]);
    night.happens(2, vec![added("extra", "undo-a")]);
    assert!(starts(&mut night, 2).is_empty());
    let done = Event::StepSucceeded { step: step("a"), attempt: 1, evidence: Default::default() };
    night.happens(3, vec![done]);
    assert!(starts(&mut night, 3).is_empty(), "the run still goes forward");
    night.says(4, Choice::BackOut { option: None });
    assert_eq!(starts(&mut night, 4), ["undo-a"]);
    assert!(night.0.selected.iter().skip(1).all(|selected| *selected), "it is on the way now");
}

/// A stage that is run again, or added, once the watch is over is watched.
#[test]
fn what_is_done_anew_is_watched_anew() {
    for add in [true, false] {
        let stages = json!({"stages": [{"id": "a", "owner": "ann", "run": {"argv": ["true"]}, "undone_by": ["undo-a"]}]});
        let mut night = Night::new(plan(&automatic(), &stages));
        night.stage_is_done(1);
        for trigger in ["logins", "slow"] {
            night.moves(1, trigger, State::Ok, Meaning::Well);
        }
        night.due(200);
        assert_eq!(
            night.0.release.watched.map(|watched| watched.verdict),
            Some(Verdict::Inconclusive),
            "one was never seen"
        );
        night.due(201);
        assert!(night.open().is_some());
        let anew = match add {
            true => added("b", "a"),
            false => Event::StepRetried { step: step("a"), reason: "again".to_owned() },
        };
        night.happens(202, vec![anew]);
        assert!(night.0.release.watched.is_none());
        night.due(202);
        assert!(night.open().is_none(), "the watch that was asked about is not over");
        let decided = night.0.release.decided.last().expect("a decision");
        assert_eq!((decided.automatic, decided.reason.as_str()), (true, "it is watched anew"));
        let (name, attempt) = if add { ("b", 1) } else { ("a", 2) };
        let done = Event::StepSucceeded { step: step(name), attempt, evidence: Default::default() };
        night.happens(203, vec![intent(name, attempt), done]);
        night.due(204);
        assert!(night.0.finished.is_none() && night.0.release.watched.is_none());
        night.moves(205, "logins", State::Firing, Meaning::Breach);
        night.due(205);
        assert!(night.goes_back(), "somebody is watching");
    }
}

/// Whoever holds a run holds what the plan does by itself, and is told so; who decides to go
/// back goes back.
#[test]
fn a_hold_asks_and_a_decision_ends_it() {
    let mut night = Night::new(plan(&automatic(), &json!({})));
    night.stage_is_done(1);
    night.happens(2, vec![Event::RunHeld { reason: "evidence first".to_owned() }]);
    night.moves(3, "logins", State::Firing, Meaning::Breach);
    night.due(3);
    let guards = night.open().expect("somebody is asked").guards.clone();
    assert!(guards.iter().any(|guard| guard.ends_with("held the run: evidence first")));
    night.says(4, Choice::BackOut { option: None });
    assert!(night.0.held.is_none());
    assert_eq!(starts(&mut night, 4), ["undo-a"]);
}

/// What comes on top of a question gives nobody more time and takes no answer of the plan
/// away.
#[test]
fn a_worse_alarm_unsays_nothing() {
    let rules = json!({
        "critical": {"action": "ask", "by": "boss", "within": "60m"},
        "major": {"action": "back-out-unless-fixable", "by": "lead", "within": "5m", "fix_window": "20m", "if_unanswered": "back-out"},
    });
    let mut night = Night::new(plan(&rules, &json!({})));
    night.stage_is_done(1);
    night.all_well(1);
    night.moves(2, "slow", State::Firing, Meaning::Breach);
    night.due(2);
    night.moves(4, "logins", State::Firing, Meaning::Breach);
    night.due(4);
    let open = night.open().expect("a question");
    assert_eq!(open.because, [id("logins"), id("slow")]);
    assert!(open.why.contains("and still slow"), "{}", open.why);
    assert_eq!((open.until, open.fix_until), (Some(at(7)), Some(at(22))));
    for minutes in 7..=22 {
        night.due(minutes);
    }
    assert!(night.goes_back());
}

/// The way back has helped when everything that must be well is seen to be.
#[test]
fn what_cannot_be_seen_after_the_way_back_is_asked_about() {
    let gone = || {
        let mut night = Night::new(plan(&automatic(), &json!({})));
        night.stage_is_done(1);
        night.all_well(1);
        night.moves(2, "logins", State::Firing, Meaning::Breach);
        night.due(2);
        let done =
            Event::StepSucceeded { step: step("undo-a"), attempt: 1, evidence: Default::default() };
        night.happens(3, vec![intent("undo-a", 1), done]);
        night.moves(4, "logins", State::Ok, Meaning::Well);
        night
    };
    let mut night = gone();
    night.moves(4, "slow", State::Error, Meaning::Inconclusive);
    assert_eq!(not_recovered(&night.0), [&id("slow")]);
    night.due(30);
    assert!(night.0.finished.is_none());
    assert!(questions(&night.0)[0].text.contains("slow"));
    night.moves(31, "slow", State::Ok, Meaning::Well);
    night.due(31);
    assert_eq!(night.0.finished.as_ref().map(|(o, _)| o.clone()), Some(Outcome::Reverted));
    let mut night = gone();
    night.due(5);
    assert!(night.0.finished.is_some(), "everything is well");
}

/// Who goes on without knowing accepts what they do not know, and not what is seen then.
#[test]
fn what_was_accepted_unseen_is_not_accepted_once_it_is_seen() {
    let mut night = Night::new(plan(&automatic(), &json!({})));
    night.stage_is_done(0);
    night.all_well(1);
    night.moves(2, "logins", State::Error, Meaning::Inconclusive);
    night.due(2);
    night.says(3, Choice::Continue);
    assert!(night.0.release.triggers[&id("logins")].answered);
    night.moves(4, "logins", State::NoData, Meaning::Inconclusive);
    assert!(night.0.release.triggers[&id("logins")].answered, "it is as unknown as before");
    night.moves(9, "logins", State::Pending, Meaning::Open);
    night.due(11);
    assert!(night.0.release.baked.is_empty(), "it is beyond its limit");
    night.moves(12, "logins", State::Firing, Meaning::Breach);
    night.due(12);
    assert!(night.goes_back());
}

/// A stage is undone if it took place, whenever that becomes known.
#[test]
fn what_never_began_is_not_undone() {
    let ended = |effect| Event::StepFailed {
        step: step("a"),
        attempt: 1,
        error: "not begun".to_owned(),
        effect,
        evidence: Default::default(),
    };
    for (effect, undone) in [(FailureEffect::None, false), (FailureEffect::Unknown, true)] {
        let mut night = Night::new(plan(&automatic(), &json!({})));
        night.happens(1, vec![intent("a", 1)]);
        night.says(2, Choice::BackOut { option: None });
        assert!(starts(&mut night, 2).is_empty(), "it is still at work");
        night.happens(3, vec![ended(effect)]);
        assert_eq!(starts(&mut night, 3) == ["undo-a"], undone, "{effect:?}");
    }
}

/// What is offered is what would be done.
#[test]
fn only_answers_that_count_are_offered() {
    let stages = json!({
        "stages": [
            {"id": "a", "owner": "ann", "run": {"argv": ["true"]}, "undone_by": ["undo-a"]},
            {"id": "drop", "owner": "ann", "run": {"argv": ["true"]}, "irreversible": "The column is gone"},
        ],
        "options": {"flag": {"title": "Flag off", "steps": []}},
    });
    let said = |night: &Night| -> Vec<String> {
        let all = questions(&night.0);
        let answers = all.into_iter().flat_map(|question| question.answers);
        answers.map(|reply| reply.command.replace("backout ", "").replace("CHG1-1 ", "")).collect()
    };
    let mut night = Night::new(plan(&automatic(), &stages));
    let failed = Event::StepFailed {
        step: step("a"),
        attempt: 1,
        error: "exit 1".to_owned(),
        effect: FailureEffect::Unknown,
        evidence: Default::default(),
    };
    night.happens(1, vec![intent("a", 1), failed]);
    assert!(said(&night).iter().any(|answer| answer.starts_with("decide back-out --reason")));
    let mut night = Night::new(plan(&automatic(), &stages));
    night.stage_is_done(1);
    night.stage_named_is_done("drop", 2);
    night.moves(3, "logins", State::Firing, Meaning::Breach);
    night.due(3);
    let answers = said(&night);
    let verbs: Vec<&str> =
        answers.iter().filter_map(|answer| answer.split(" --question").next()).collect();
    assert_eq!(
        verbs,
        ["decide fix-forward --for 30m", "decide back-out --option flag", "decide continue"]
    );
}
