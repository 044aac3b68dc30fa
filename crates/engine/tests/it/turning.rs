//! What people change about a release under way, and what a run knows when it turns round.

use backout_core::act::{Act, Answer};
use backout_core::cause::{DecisionCause, Guard, PlanReason, StepFault};
use backout_core::choice::{Choice, Verb};
use backout_core::command::Command;
use backout_core::decision::not_recovered;
use backout_core::event::{Event, FailureEffect, Outcome, Reason};
use backout_core::ids::{OptionId, StepId};
use backout_core::intent::Intent;
use backout_core::plan::{Effect, Step};
use backout_core::question::{Asks, questions};
use backout_core::refusal::Refusal;
use backout_core::release::Attention;
use backout_core::reply::{Meaning as Means, Offer};
use backout_core::state::Illegal;
use backout_core::watch::{Meaning, State, Verdict};
use backout_testkit::plans;
use serde_json::{Value, json};

use crate::night::{Night, at, id, intent, plan, succeeded};

fn step(name: &str) -> StepId {
    StepId::new(name).expect("a name")
}

fn automatic() -> Value {
    json!({"critical": {"action": "back-out", "by": "lead", "within": "5m", "automatic": true}})
}

fn add(name: &str, after: &str) -> Command {
    add_between(name, Some(after), &[])
}

fn add_between(name: &str, after: Option<&str>, before: &[&str]) -> Command {
    let made = plans::automatic(name, Effect::Verifiable, &[]);
    let made: Step = serde_json::from_value(made).expect("a step");
    Command::Add {
        step: Box::new(made),
        after: after.map(step),
        before: before.iter().copied().map(step).collect(),
        not_before: None,
    }
}

fn failed(name: &str, attempt: u32, effect: FailureEffect) -> Event {
    Event::StepFailed {
        step: step(name),
        attempt,
        fault: StepFault::Action { error: "exit 1".to_owned() },
        effect,
        evidence: Default::default(),
    }
}

fn starts(night: &mut Night, minutes: i64) -> Vec<String> {
    let intents = night.due(minutes);
    let started = intents.iter().filter_map(|intent| match intent {
        Intent::Start { step } => Some(night.0.steps()[*step].id.to_string()),
        _ => None,
    });
    started.collect()
}

/// What is added to the way back is done when that is gone, and not before.
#[test]
fn a_step_added_to_the_way_back_waits_for_it() {
    let mut night = Night::new(plan(&automatic(), &json!({})));
    night.happens(1, vec![intent("a", 1)]);
    night.sends(2, add("extra", "undo-a"));
    assert!(starts(&mut night, 2).is_empty());
    night.happens(3, vec![succeeded("a", 1)]);
    assert!(starts(&mut night, 3).is_empty(), "the run still goes forward");
    night.says(4, Choice::BackOut { option: None });
    assert_eq!(starts(&mut night, 4), ["undo-a"]);
    assert!(night.0.selected().iter().skip(1).all(|selected| *selected), "it is on the way now");
}

/// So does what stands before a step of it; and nothing is added to what goes forward once
/// the run goes back.
#[test]
fn what_is_added_stands_on_its_side_of_the_turn() {
    let stages = json!({"stages": [
        {"id": "a", "owner": "ann", "run": {"argv": ["true"]}, "undone_by": ["undo-a"]},
        {"id": "drop", "owner": "ann", "run": {"argv": ["true"]}, "irreversible": "It is gone"},
    ]});
    let mut night = Night::new(plan(&automatic(), &stages));
    night.stage_is_done(1);
    night.sends(2, add_between("first", None, &["undo-a"]));
    assert_eq!(night.0.stages().count(), 2);
    assert!(starts(&mut night, 2).is_empty(), "`drop` waits for two people, `first` for the turn");
    night.says(3, Choice::BackOut { option: None });
    assert_eq!(starts(&mut night, 3), ["first"]);
    night.sends(4, add("late", "a"));
    let drop = night.0.position(&step("drop")).expect("it is there");
    assert!(night.0.is_stage(drop) && !night.0.selected()[drop], "it is a stage as before");
    for name in ["late", "first", "undo-a"] {
        night.happens(5, vec![intent(name, 1), succeeded(name, 1)]);
    }
    // Nor is a stage done again: what is undone would be there anew.
    let error = Illegal::Release("the run does not go forward");
    let retry = |name: &str| Refusal::NotPossible {
        act: Box::new(Act::Retry { step: step(name), new_key: false }),
        error: error.clone(),
    };
    for name in ["a", "drop"] {
        assert_eq!(
            night.refuses(5, Command::Retry { step: step(name), new_key: false }),
            retry(name)
        );
    }
    assert!(starts(&mut night, 6).is_empty(), "nothing goes forward");
}

/// A stage that is run again, or added, once the watch is over is watched.
#[test]
fn what_is_done_anew_is_watched_anew() {
    for is_added in [true, false] {
        let stages = json!({"stages": [{"id": "a", "owner": "ann", "run": {"argv": ["true"]}, "undone_by": ["undo-a"]}]});
        let mut night = Night::new(plan(&automatic(), &stages));
        night.stage_is_done(1);
        for trigger in ["logins", "slow"] {
            night.moves(1, trigger, State::Ok, Meaning::Healthy);
        }
        night.due(200);
        assert_eq!(
            night.0.release().watched.map(|watched| watched.verdict),
            Some(Verdict::Inconclusive),
            "one was never seen"
        );
        night.due(201);
        assert!(night.open().is_some());
        let anew = match is_added {
            true => add("b", "a"),
            false => Command::Retry { step: step("a"), new_key: false },
        };
        night.sends(202, anew);
        assert!(night.0.release().watched.is_none());
        night.due(202);
        assert!(night.open().is_none(), "the watch that was asked about is not over");
        let decided = night.0.release().decided.last().expect("a decision");
        assert_eq!(decided.reason, Reason::Plan(PlanReason::WatchedAnew));
        let (name, attempt) = if is_added { ("b", 1) } else { ("a", 2) };
        night.happens(203, vec![intent(name, attempt), succeeded(name, attempt)]);
        night.due(204);
        assert!(night.0.finished().is_none() && night.0.release().watched.is_none());
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
    night.sends(2, Command::Hold);
    night.moves(3, "logins", State::Firing, Meaning::Breach);
    night.due(3);
    assert_eq!(night.open().expect("somebody is asked").guards, [Guard::Held]);
    night.says(4, Choice::BackOut { option: None });
    assert!(night.0.held().is_none());
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
    let reading = open.causes.iter().find_map(|cause| match cause {
        DecisionCause::Trigger { reading, .. } => Some(reading.clone()),
        _ => None,
    });
    let (now, still) = (id("logins"), id("slow"));
    let reading = reading.expect("what it measured");
    assert_eq!(
        open.causes,
        [
            DecisionCause::Trigger { trigger: now, reading: reading.clone() },
            DecisionCause::StillCalling { trigger: still, reading },
        ]
    );
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
        night.happens(3, vec![intent("undo-a", 1), succeeded("undo-a", 1)]);
        night.moves(4, "logins", State::Ok, Meaning::Healthy);
        night
    };
    let mut night = gone();
    night.moves(4, "slow", State::Error, Meaning::Inconclusive);
    assert_eq!(not_recovered(&night.0), [&id("slow")]);
    night.due(30);
    assert!(night.0.finished().is_none());
    let triggers = vec![id("slow")];
    assert_eq!(questions(&night.0)[0].asks, Asks::NotRecovered { triggers });
    night.moves(31, "slow", State::Ok, Meaning::Healthy);
    night.due(31);
    assert_eq!(night.0.finished().as_ref().map(|(o, _)| o.clone()), Some(Outcome::Reverted));
    let mut night = gone();
    night.due(5);
    let outcome = night.0.finished().as_ref().map(|(outcome, _)| outcome);
    assert_eq!(outcome, Some(&Outcome::Reverted), "everything is well");
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
    assert!(night.0.release().triggers[&id("logins")].attention.is_answered());
    night.moves(4, "logins", State::NoData, Meaning::Inconclusive);
    assert!(
        night.0.release().triggers[&id("logins")].attention.is_answered(),
        "it is as unknown as before"
    );
    night.moves(9, "logins", State::Pending, Meaning::Open);
    night.due(11);
    assert!(night.0.release().baked.is_empty(), "it is beyond its limit");
    night.moves(12, "logins", State::Firing, Meaning::Breach);
    night.due(12);
    assert!(night.goes_back());
}

/// A stage is undone if it took place, whenever that becomes known.
#[test]
fn what_never_began_is_not_undone() {
    let ended = |effect| failed("a", 1, effect);
    for (effect, undone) in [(FailureEffect::None, false), (FailureEffect::Unknown, true)] {
        let mut night = Night::new(plan(&automatic(), &json!({})));
        night.happens(1, vec![intent("a", 1)]);
        night.says(2, Choice::BackOut { option: None });
        assert!(starts(&mut night, 2).is_empty(), "it is still at work");
        night.happens(3, vec![ended(effect)]);
        assert_eq!(starts(&mut night, 3) == ["undo-a"], undone, "{effect:?}");
    }
}

/// What stands before a stage holds that stage up, whatever else it stands before.
#[test]
fn a_step_before_a_stage_is_one() {
    let mut night = Night::new(plan(&automatic(), &json!({})));
    night.sends(1, add_between("gate", None, &["a", "undo-a"]));
    assert_eq!((night.0.stages().count(), starts(&mut night, 1)), (2, vec!["gate".to_owned()]));
}

/// An alarm that is over calls for nobody but those who are asked about it already.
#[test]
fn getting_well_is_no_reason_to_go_back() {
    let mut night = Night::new(plan(&automatic(), &json!({})));
    let reading = backout_core::watch::Reading::default;
    let fired = Event::TriggerChanged {
        trigger: id("logins"),
        from: State::Insufficient,
        to: State::Firing,
        meaning: Meaning::Breach,
        before: true,
        reading: reading(),
    };
    night.happens(0, vec![fired]);
    night.stage_is_done(1);
    night.due(1);
    assert_eq!(night.open().map(|open| open.guards.clone()), Some(vec![Guard::FiredBefore]));
    night.moves(2, "logins", State::Recovering, Meaning::Breach);
    night.moves(3, "logins", State::Ok, Meaning::Healthy);
    night.due(3);
    assert!(!night.goes_back() && night.open().is_some());
    night.moves(4, "logins", State::Firing, Meaning::Breach);
    night.due(4);
    assert!(!night.goes_back(), "nobody has said what it was");
    night.moves(5, "logins", State::Ok, Meaning::Healthy);
    night.says(6, Choice::Continue);
    night.moves(7, "logins", State::Firing, Meaning::Breach);
    night.due(7);
    assert!(night.goes_back(), "this one is new");
}

/// An undo that failed half-way is seen to, whatever becomes known of its stage.
#[test]
fn a_failed_undo_does_not_vanish() {
    let mut night = Night::new(plan(&automatic(), &json!({})));
    let doubt = Event::StepInDoubt {
        step: step("a"),
        attempt: 1,
        cause: backout_core::event::DoubtCause::SupervisorLost,
        evidence: Default::default(),
        accepted: None,
    };
    night.happens(1, vec![intent("a", 1), doubt]);
    night.says(2, Choice::BackOut { option: None });
    let undo = failed("undo-a", 1, FailureEffect::Unknown);
    night.happens(3, vec![intent("undo-a", 1), undo]);
    night.sends(4, Command::Resolve { step: step("a"), answer: Answer::DidNotHappen });
    night.due(5);
    assert!(night.0.finished().is_none());
    let undo = night.0.position(&step("undo-a")).expect("it is there");
    assert!(night.0.selected()[undo], "it has changed something");
}

/// What a stage brings is another after another try: nothing said about the first counts.
#[test]
fn another_try_brings_something_else() {
    let more = json!({"triggers": {
        "base": {"severity": "critical", "gauge": {"url": "http://x", "limit": "> 5"}},
        "new": {"severity": "minor", "from": "a", "gauge": {"url": "http://x", "limit": "> 5"}},
    }});
    let rules = json!({"minor": {"action": "ask", "by": "lead"}});
    let mut night = Night::new(plan(&rules, &more));
    night.stage_is_done(1);
    night.moves(1, "base", State::Ok, Meaning::Healthy);
    night.moves(2, "new", State::Firing, Meaning::Breach);
    night.due(2);
    night.sends(3, Command::Retry { step: step("a"), new_key: false });
    night.says(4, Choice::Continue);
    night.happens(5, vec![intent("a", 2), succeeded("a", 2)]);
    let seen = &night.0.release().triggers[&id("new")];
    assert_eq!((seen.state, seen.attention), (State::Insufficient, Attention::Quiet));
    assert!(seen.fired.is_some(), "it fired, which nothing unsays");
    night.moves(6, "new", State::Pending, Meaning::Open);
    night.moves(7, "new", State::Firing, Meaning::Breach);
    night.due(15);
    assert!(night.open().is_some(), "nobody was asked about this try");
    // What was left out brings nothing.
    let mut night = Night::new(plan(&rules, &more));
    night.sends(1, Command::Skip { step: step("a") });
    assert!(!backout_core::decision::is_there(&night.0, &id("new")));
}

/// What the plan decides by itself is about what it decides on, whatever was open before.
#[test]
fn the_plan_goes_the_way_its_own_alarm_calls_for() {
    let more = json!({
        "options": {"light": {"title": "Flag off", "steps": []}, "full": {"title": "All", "default": true}},
        "triggers": {
            "slow": {"severity": "minor", "option": "light", "gauge": {"url": "http://x", "limit": "> 5"}},
            "data": {"severity": "critical", "gauge": {"url": "http://x", "limit": "> 5"}},
        },
    });
    let mut rules = automatic();
    rules["minor"] = json!({"action": "ask", "by": "lead"});
    let mut night = Night::new(plan(&rules, &more));
    night.stage_is_done(1);
    night.moves(2, "slow", State::Firing, Meaning::Breach);
    night.due(2);
    night.moves(3, "data", State::Firing, Meaning::Breach);
    night.due(3);
    assert_eq!(night.0.option().as_ref().map(ToString::to_string), Some("full".to_owned()));
    let decided = night.0.release().decided.last().expect("a decision");
    let about = decided.question.as_ref().map(|open| (open.number, open.because.clone()));
    assert_eq!(about, Some((2, vec![id("data")])));
}

/// A hold stops what the plan does by itself, and does not unsay it.
#[test]
fn what_was_held_goes_on_where_it_was() {
    let mut night = Night::new(plan(&automatic(), &json!({})));
    night.stage_is_done(1);
    night.sends(2, Command::Hold);
    night.moves(3, "logins", State::Firing, Meaning::Breach);
    night.due(3);
    assert!(night.open().is_some());
    night.sends(4, Command::Resume);
    night.due(4);
    assert!(night.goes_back(), "nothing keeps the plan from it any more");
    let rules = json!({"critical": {"action": "back-out", "by": "boss", "within": "5m", "if_unanswered": "back-out"}});
    let mut night = Night::new(plan(&rules, &json!({})));
    night.stage_is_done(1);
    night.moves(2, "logins", State::Firing, Meaning::Breach);
    night.due(2);
    night.sends(3, Command::Hold);
    night.due(20);
    assert!(night.open().is_some_and(|open| open.until.is_some() && open.passed_on == 0));
    night.sends(21, Command::Resume);
    night.due(21);
    assert!(night.goes_back(), "nobody answered in time");
}

/// Who was asked has had their time, and who fixes something of their own has theirs.
#[test]
fn more_alarms_ask_whoever_is_next() {
    let more = json!({"triggers": {
        "a": {"severity": "critical", "gauge": {"url": "http://x", "limit": "> 5"}},
        "b": {"severity": "critical", "gauge": {"url": "http://x", "limit": "> 5"}},
    }});
    let rules = json!({"critical": {"action": "back-out", "by": "lead", "within": "5m", "escalate": ["boss"], "if_unanswered": "back-out"}});
    let mut night = Night::new(plan(&rules, &more));
    night.stage_is_done(1);
    night.moves(2, "a", State::Firing, Meaning::Breach);
    for minutes in 2..=7 {
        night.due(minutes);
    }
    assert_eq!(night.open().map(|open| open.asked.len()), Some(2), "the deputy, too");
    night.moves(8, "b", State::Firing, Meaning::Breach);
    night.due(8);
    assert_eq!(night.open().map(|open| (open.asked.len(), open.until)), Some((2, Some(at(12)))));
    for minutes in 9..=17 {
        night.due(minutes);
    }
    assert!(night.goes_back(), "5 minutes each, however many alarms");
    let mut night = Night::new(plan(&automatic(), &more));
    night.stage_is_done(1);
    night.says(2, Choice::FixForward { until: at(60) });
    for (minutes, trigger) in [(3, "a"), (4, "b")] {
        night.moves(minutes, trigger, State::Firing, Meaning::Breach);
        night.due(minutes);
        assert!(!night.goes_back(), "somebody is at work on a fix of their own: {trigger}");
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
    let mut night = Night::new(plan(&automatic(), &stages));
    night.happens(1, vec![intent("a", 1), failed("a", 1, FailureEffect::Unknown)]);
    assert!(offers(&night).contains(&(decide(Verb::BackOut, None, None), Means::BackOutInstead)));
    let mut night = Night::new(plan(&automatic(), &stages));
    night.stage_is_done(1);
    night.stage_named_is_done("drop", 2);
    night.moves(3, "logins", State::Firing, Meaning::Breach);
    night.due(3);
    let flag = OptionId::new("flag").expect("a name");
    let mut rest = decide(Verb::BackOut, None, Some(1));
    if let Offer::Decide { confirmed, .. } = &mut rest {
        *confirmed = true;
    }
    assert_eq!(
        offers(&night),
        [
            (decide(Verb::FixForward, None, Some(1)), Means::TryFix),
            (decide(Verb::BackOut, Some(flag), Some(1)), Means::BackOutByOption),
            (rest, Means::BackOutRest),
            (decide(Verb::Continue, None, Some(1)), Means::Continue),
        ]
    );
}

fn decide(verb: Verb, option: Option<OptionId>, question: Option<u32>) -> Offer {
    Offer::Decide { verb, option, fix_for: None, question, confirmed: false }
}

/// Every answer that is offered.
fn offers(night: &Night) -> Vec<(Offer, Means)> {
    let answers = questions(&night.0).into_iter().flat_map(|question| question.answers);
    answers.map(|reply| (reply.command, reply.meaning)).collect()
}
