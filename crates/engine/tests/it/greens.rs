//! No green light that is not one, and no alarm, vote or stage that gets lost.

use std::sync::Arc;
use std::time::Duration;

use backout_core::act::{Act, Answer};
use backout_core::cause::{DecisionCause, Guard, PlanReason, StepFault, UnseenTrigger};
use backout_core::choice::{Choice, Verb};
use backout_core::command::Command;
use backout_core::decide::decide;
use backout_core::decision::verdict;
use backout_core::event::{Event, FailureEffect, Outcome, Reason, ResolvedBy};
use backout_core::ids::{OptionId, StepId, TriggerId};
use backout_core::intent::Intent;
use backout_core::people::PersonId;
use backout_core::plan::{Effect, Severity};
use backout_core::question::Asks;
use backout_core::record::Record;
use backout_core::refusal::Refusal;
use backout_core::release::took_place;
use backout_core::state::{Illegal, RunState};
use backout_core::status::Status;
use backout_core::watch::{Meaning, Reading, State, Verdict};
use backout_engine::clock::Clock;
use backout_engine::conductor::Observer;
use backout_engine::{Conductor, Control, End, Patience, Sight};
use backout_testkit::plans;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::night::{Night, at, id, intent, plan, role, succeeded};
use crate::stage::{Count, Stage, holder, no_forecast};

fn step(name: &str) -> StepId {
    StepId::new(name).expect("a name")
}

fn failed(name: &str, attempt: u32, effect: FailureEffect) -> Event {
    Event::StepFailed {
        step: step(name),
        attempt,
        effect,
        fault: StepFault::Action { error: "no".to_owned() },
        evidence: Default::default(),
    }
}

/// To decide without further particulars.
fn decide_to(verb: Verb) -> Command {
    let (option, fix_for, question, readings) = (None, None, None, Default::default());
    Command::Decide { verb, option, fix_for, question, readings }
}

fn critical() -> Value {
    json!({
        "critical": {"action": "back-out", "by": "lead"},
        "major": {"action": "back-out-unless-fixable", "by": "lead", "fix_window": "20m"},
    })
}

#[test]
fn the_way_back_is_chosen_with_the_decision_and_not_before() {
    let options = json!({"options": {"full": {"title": "All", "default": true}}});
    let mut night = Night::new(plan(&critical(), &options));
    let option = OptionId::new("full").expect("a name");
    let switch = Command::SwitchOption { option: option.clone() };
    assert_eq!(
        night.refuses(1, switch),
        Refusal::GoesForward { option: option.clone() },
        "a run that goes forward has no way back to change"
    );
    let switched = Event::OptionSwitched { option, reason: "heavier".to_owned() };
    assert_eq!(night.0.check(&switched), Err(Illegal::Release("the run does not go back yet")));
}

/// What happens in a story: a fact of the coordinator, or a command of the lead.
#[derive(Debug, Clone)]
enum Told {
    Happens(Event),
    Sends(Command),
}

/// Each story of a stage's tries: whether it took place.
#[test]
fn what_one_try_did_is_not_unsaid_by_another() {
    let begins = |attempt| Told::Happens(intent("a", attempt));
    let unknown = || Told::Happens(failed("a", 1, FailureEffect::Unknown));
    let nothing = |attempt| Told::Happens(failed("a", attempt, FailureEffect::None));
    let done = |attempt| Told::Happens(succeeded("a", attempt));
    let again = || Told::Sends(Command::Retry { step: step("a"), new_key: false });
    let skipped = || Told::Sends(Command::Skip { step: step("a") });
    let doubt = |attempt| {
        Told::Happens(Event::StepInDoubt {
            step: step("a"),
            attempt,
            cause: backout_core::event::DoubtCause::SupervisorLost,
            evidence: Default::default(),
            accepted: None,
        })
    };
    // That it did not happen: the lead has looked, or its class lets it be run again.
    let answer = Answer::DidNotHappen;
    let denied = || Told::Sends(Command::Resolve { step: step("a"), answer });
    let repeats = |attempt| {
        Told::Happens(Event::StepResolved {
            step: step("a"),
            attempt,
            answer,
            by: ResolvedBy::Class,
            reason: None,
        })
    };
    let stories: Vec<(Vec<Told>, bool)> = vec![
        (vec![], false),
        (vec![skipped()], false),
        (vec![begins(1)], true),
        (vec![begins(1), nothing(1)], false),
        (vec![begins(1), nothing(1), skipped()], false),
        (vec![begins(1), unknown()], true),
        (vec![begins(1), unknown(), skipped()], true),
        (vec![begins(1), unknown(), again()], true),
        (vec![begins(1), unknown(), again(), begins(2), nothing(2)], true),
        (vec![begins(1), nothing(1), again(), begins(2), nothing(2)], false),
        (vec![begins(1), doubt(1)], true),
        (vec![begins(1), doubt(1), denied()], false),
        (vec![begins(1), doubt(1), denied(), skipped()], false),
        // That it may be run again does not say that it did not happen.
        (vec![begins(1), doubt(1), repeats(1)], true),
        (vec![begins(1), doubt(1), repeats(1), begins(2), nothing(2)], true),
        (vec![begins(1), unknown(), again(), begins(2), doubt(2), denied()], true),
        (vec![begins(1), done(1), again(), begins(2), nothing(2)], true),
    ];
    for (story, wanted) in stories {
        let mut night = Night::new(plan(&critical(), &json!({})));
        for told in story.clone() {
            match told {
                Told::Happens(event) => night.happens(1, vec![event]),
                Told::Sends(command) => night.sends(1, command),
            }
        }
        assert_eq!(took_place(&night.0.states()[0]), wanted, "{story:?}");
        night.says(2, Choice::BackOut { option: None });
        let undoes = night.0.release().back.as_ref().map(|back| back.undoes.len());
        assert_eq!(undoes, Some(usize::from(wanted)), "{story:?}");
    }
}

/// Somebody who says "go on" has answered what they were asked, and nothing else.
#[test]
fn continue_answers_the_question_that_is_open() {
    let mut night = Night::new(plan(&critical(), &json!({})));
    night.stage_is_done(1);
    // Nothing is asked: there is nothing to answer.
    let act = Act::Decide { verb: Verb::Continue, option: None, lasting: None };
    let error = Illegal::Release("nothing is asked");
    let refusal = night.refuses(1, decide_to(Verb::Continue));
    assert_eq!(refusal, Refusal::NotPossible { act: Box::new(act), error: error.clone() });
    let early = Event::DecisionMade {
        choice: Choice::Continue,
        reason: Reason::Person("fine".to_owned()),
        question: None,
        readings: Default::default(),
        agreed: Vec::new(),
        confirmed: Vec::new(),
        latest: None,
    };
    assert_eq!(night.0.check(&early), Err(error));
    night.moves(2, "logins", State::Firing, Meaning::Breach);
    night.moves(2, "slow", State::Firing, Meaning::Breach);
    night.due(2);
    assert_eq!(night.open().map(|open| open.because.clone()), Some(vec![id("logins")]));
    night.says(3, Choice::Continue);
    night.due(3);
    // The next question, by its own rule.
    assert_eq!(night.open().map(|open| open.because.clone()), Some(vec![id("slow")]));
    assert_eq!(night.open().map(|open| open.severity), Some(Severity::Major));
}

/// That something can be seen again waives nothing that was never seen to be well.
#[test]
fn what_can_be_seen_again_is_not_therefore_well() {
    let mut night = Night::new(plan(&critical(), &json!({})));
    night.stage_is_done(0);
    night.all_well(1);
    night.moves(2, "logins", State::NoData, Meaning::Inconclusive);
    night.due(2);
    assert!(night.open().is_some());
    night.moves(3, "logins", State::Insufficient, Meaning::Open);
    night.due(3);
    assert!(night.open().is_none());
    let reason = night.0.release().decided[0].reason.clone();
    let seen_again = PlanReason::SeenAgain { healthy: false };
    assert_eq!(reason, Reason::Plan(seen_again), "it is not said to be well");
    assert_eq!(verdict(&night.0), Verdict::Inconclusive);
    night.due(20);
    night.due(20);
    let causes = night.open().map(|open| open.causes.clone());
    let unseen = vec![UnseenTrigger { trigger: id("logins"), state: State::Insufficient }];
    let stage = step("a");
    assert_eq!(causes, Some(vec![DecisionCause::BakeInconclusive { stage, unseen }]));
}

#[test]
fn a_stage_that_stays_is_not_reverted() {
    let options = json!({
        "options": {
            "flag": {"title": "Flag off", "steps": ["flag-off"]},
            "full": {"title": "All", "steps": ["undo-a", "flag-off"], "default": true},
        },
    });
    for (option, outcome) in [("flag", Outcome::Partial), ("full", Outcome::Reverted)] {
        let mut planned = plan(&critical(), &options);
        let more: Vec<backout_core::plan::Step> =
            serde_json::from_value(json!([plans::automatic("flag-off", Effect::Verifiable, &[])]))
                .expect("a step");
        planned.plan.steps.extend(more);
        let mut night = Night::new(planned);
        night.stage_is_done(1);
        let option = OptionId::new(option).expect("a name");
        night.says(2, Choice::BackOut { option: Some(option.clone()) });
        for name in ["undo-a", "flag-off"] {
            let index = night.0.position(&step(name)).expect("there");
            if night.0.selected()[index] {
                night.happens(3, vec![intent(name, 1), succeeded(name, 1)]);
            }
        }
        night.due(4);
        assert_eq!(
            night.0.finished().as_ref().map(|(outcome, _)| outcome),
            Some(&outcome),
            "{option}"
        );
        assert_eq!(night.0.left_standing().count(), usize::from(outcome == Outcome::Partial));
    }
}

#[test]
fn what_nobody_watched_is_not_found_well() {
    // No trigger at all, and only one that a person watches.
    let judged = json!({"users": {"severity": "major", "judged": "Users call"}});
    for triggers in [json!({}), judged] {
        let mut night = Night::new(plan(&critical(), &json!({"triggers": triggers})));
        night.stage_is_done(1);
        (11..14).for_each(|minute| drop(night.due(minute)));
        let outcome = night.0.finished().as_ref().map(|(outcome, _)| outcome);
        assert_eq!(outcome, Some(&Outcome::DeployedUnwatched));
    }
    // None is required: one of them must have seen something all the same.
    let trigger = json!({"severity": "critical", "required": false, "gauge": {"url": "http://x", "limit": "> 5"}});
    let triggers = json!({"triggers": {"logins": trigger, "slow": trigger}});
    let mut night = Night::new(plan(&critical(), &triggers));
    night.stage_is_done(0);
    assert_eq!(verdict(&night.0), Verdict::Inconclusive);
    night.moves(1, "slow", State::Ok, Meaning::Healthy);
    assert_eq!(verdict(&night.0), Verdict::Passed);
}

#[test]
fn worse_takes_the_time_from_a_fix() {
    let begin = |critical: Value| {
        let decision = json!({
            "critical": critical,
            "major": {"action": "back-out-unless-fixable", "by": "lead", "fix_window": "20m"},
        });
        let mut night = Night::new(plan(&decision, &json!({})));
        night.stage_is_done(1);
        night.moves(2, "slow", State::Firing, Meaning::Breach);
        night.due(2);
        assert_eq!(night.open().and_then(|open| open.fix_until), Some(at(22)));
        night
    };
    for action in ["back-out", "back-out-unless-fixable"] {
        let mut night = begin(json!({"action": action, "by": "lead"}));
        night.moves(5, "logins", State::Firing, Meaning::Breach);
        night.due(5);
        assert!(night.goes_back(), "{action}");
        let record = night.0.release().decided.last().expect("decided");
        assert_eq!(record.reason, Reason::Plan(PlanReason::GotWorse), "{record:?}");
    }
    // The plan wants to be asked about it.
    let mut night = begin(json!({"action": "ask", "by": "lead"}));
    night.moves(5, "logins", State::Firing, Meaning::Breach);
    night.due(5);
    assert!(!night.goes_back());
    assert_eq!(night.open().map(|open| open.severity), Some(Severity::Critical));
    // A guard objects: people are asked, and the fix has no more time than it had.
    let mut night =
        begin(json!({"action": "back-out-unless-fixable", "by": "lead", "fix_window": "2h"}));
    night.happens(
        5,
        vec![Event::TriggerChanged {
            trigger: id("logins"),
            from: State::Insufficient,
            to: State::Firing,
            meaning: Meaning::Breach,
            before: true,
            reading: Reading::default(),
        }],
    );
    night.due(5);
    assert!(!night.goes_back());
    assert_eq!(night.open().and_then(|open| open.fix_until), Some(at(22)));
    assert_eq!(night.open().map(|open| open.severity), Some(Severity::Critical));
}

/// What the plan decides by itself it also decides while somebody thinks about less.
#[test]
fn a_question_does_not_keep_the_plan_from_acting() {
    let rules = json!({
        "critical": {"action": "back-out", "by": "lead", "automatic": true},
        "major": {"action": "ask", "by": "lead"},
    });
    let begin = || {
        let mut night = Night::new(plan(&rules, &json!({})));
        night.stage_is_done(1);
        night
    };
    // Nobody could say; now it is known.
    let mut night = begin();
    night.due(22);
    night.due(22);
    assert!(night.open().is_some_and(|open| !open.certain));
    night.moves(23, "logins", State::Firing, Meaning::Breach);
    night.due(23);
    assert!(night.goes_back());
    // Something less bad is thought about.
    let mut night = begin();
    night.moves(2, "slow", State::Firing, Meaning::Breach);
    night.due(2);
    assert!(night.open().is_some_and(|open| open.certain));
    night.moves(3, "logins", State::Firing, Meaning::Breach);
    night.due(3);
    assert!(night.goes_back());
    // A person is at work on a fix of their own: they are asked.
    let mut night = begin();
    night.says(2, Choice::FixForward { until: at(30) });
    night.moves(3, "logins", State::Firing, Meaning::Breach);
    night.due(3);
    assert!(!night.goes_back());
    assert_eq!(night.open().map(|open| open.severity), Some(Severity::Critical));
}

/// What is about to fire when a watch ends is waited for, at most as long again.
#[test]
fn nobody_is_asked_what_will_be_known_at_once() {
    let begin = || {
        let mut night = Night::new(plan(&critical(), &json!({})));
        night.stage_is_done(0);
        night.all_well(1);
        night.moves(9, "slow", State::Pending, Meaning::Open);
        night.due(10);
        assert!(night.open().is_none() && night.0.release().baked.is_empty());
        night
    };
    let stage = step("a");
    let verdict = |night: &Night| night.0.release().baked.get(&stage).map(|baked| baked.verdict);
    let mut night = begin();
    night.moves(12, "slow", State::Ok, Meaning::Healthy);
    night.due(12);
    assert_eq!(verdict(&night), Some(Verdict::Passed));
    let mut night = begin();
    night.moves(12, "slow", State::Firing, Meaning::Breach);
    night.due(12);
    assert!(night.open().is_some_and(|open| open.certain));
    let mut night = begin();
    night.due(19);
    assert_eq!(verdict(&night), None);
    night.due(20);
    assert_eq!(verdict(&night), Some(Verdict::Inconclusive));
    // So is what has too little data.
    let mut night = Night::new(plan(&critical(), &json!({})));
    night.stage_is_done(0);
    night.all_well(1);
    night.moves(9, "slow", State::Insufficient, Meaning::Open);
    night.due(10);
    assert_eq!(verdict(&night), None);
    night.due(20);
    assert_eq!(verdict(&night), Some(Verdict::Inconclusive));
}

#[test]
fn what_fired_before_the_first_stage_stays_so() {
    let decision = json!({"critical": {"action": "back-out", "by": "lead", "automatic": true}});
    let mut night = Night::new(plan(&decision, &json!({})));
    let moved = |from, to, meaning, before| Event::TriggerChanged {
        trigger: id("logins"),
        from,
        to,
        meaning,
        before,
        reading: Reading::default(),
    };
    night.happens(0, vec![moved(State::Insufficient, State::Firing, Meaning::Breach, true)]);
    night.stage_is_done(1);
    night.happens(2, vec![moved(State::Firing, State::Recovering, Meaning::Breach, false)]);
    night.happens(3, vec![moved(State::Recovering, State::Firing, Meaning::Breach, false)]);
    night.due(3);
    assert!(!night.goes_back(), "it fired before, too");
    assert_eq!(night.open().map(|open| open.guards.clone()), Some(vec![Guard::FiredBefore]));
}

#[test]
fn nothing_is_tried_again_while_people_decide() {
    let mut planned = plan(&critical(), &json!({}));
    planned.plan.stages[0].retry =
        Some(serde_json::from_value(json!({"attempts": 3, "pause": "1m"})).expect("a retry"));
    planned.plan.stages[0].effect = Some(Effect::Idempotent);
    let mut night = Night::new(planned);
    night.happens(1, vec![intent("a", 1), failed("a", 1, FailureEffect::None)]);
    let starts = |night: &Night, minute| {
        decide(&night.0, at(minute)).iter().any(|intent| matches!(intent, Intent::Start { .. }))
    };
    assert!(starts(&night, 5), "its retry has tries left");
    night.moves(5, "logins", State::Firing, Meaning::Breach);
    assert!(!starts(&night, 5), "a decision is about to be asked for");
    night.due(5);
    assert!(!starts(&night, 6), "a decision is open");
    night.says(7, Choice::Continue);
    assert!(starts(&night, 7));
}

/// What is measured between two people's words takes neither away.
#[test]
fn a_vote_outlives_the_news() {
    let rules = json!({"critical": {"action": "back-out", "by": "lead", "quorum": 2}});
    let mut night = Night::new(plan(&rules, &json!({})));
    night.stage_is_done(1);
    night.moves(2, "logins", State::Firing, Meaning::Breach);
    night.due(2);
    let vote = || decide_to(Verb::Continue);
    let proposed = night.sends_as(3, &holder("lead", "lena"), vote()).expect("it counts");
    assert!(matches!(proposed[..], [Event::CommandProposed { .. }]), "{proposed:?}");
    assert_eq!(night.0.proposals().len(), 1);
    night.moves(4, "odd", State::Ok, Meaning::Healthy);
    assert_eq!(night.0.proposals().len(), 1, "a trigger moved, and the vote is gone");
    let made = night.sends_as(5, &holder("deputy", "dee"), vote()).expect("it counts");
    let [Event::DecisionMade { agreed, .. }] = &made[..] else { panic!("{made:?}") };
    assert_eq!(*agreed, [PersonId::Role(role("lead"))]);
    // Another question is another vote.
    assert_eq!(night.0.proposals().len(), 0);
}

/// Somebody fixes what no trigger has shown: the clock is the same.
#[test]
fn a_fix_nobody_asked_for_has_a_clock_too() {
    let mut night = Night::new(plan(&critical(), &json!({})));
    night.says(1, Choice::FixForward { until: at(20) });
    assert_eq!(night.open().map(|open| open.severity), Some(Severity::Discretionary));
    assert!(!night.due(2).iter().any(|intent| matches!(intent, Intent::Start { .. })));
    night.due(20);
    assert!(night.goes_back());
    // What fires meanwhile is asked by its own rule.
    let mut night = Night::new(plan(&critical(), &json!({})));
    night.says(1, Choice::FixForward { until: at(20) });
    night.moves(2, "slow", State::Firing, Meaning::Breach);
    night.due(2);
    assert!(!night.goes_back());
    assert_eq!(night.open().map(|open| (open.severity, open.number)), Some((Severity::Major, 2)));
    assert_eq!(night.open().and_then(|open| open.fix_until), Some(at(20)));
}

#[test]
fn giving_up_a_fix_takes_the_way_back_that_is_called_for() {
    let decision = json!({"critical": {"action": "back-out-unless-fixable", "by": "lead"}});
    let more = json!({
        "triggers": {"logins": {"severity": "critical", "option": "flag", "gauge": {"url": "http://x", "limit": "> 5"}}},
        "options": {"flag": {"title": "Flag off", "steps": []}, "full": {"title": "All", "default": true}},
    });
    for choice in [Choice::NotFixable, Choice::BackOut { option: None }] {
        let mut night = Night::new(plan(&decision, &more));
        night.stage_is_done(1);
        night.moves(2, "logins", State::Firing, Meaning::Breach);
        night.due(2);
        let seen = night.0.if_backed_out(at(3)).expect("it goes forward");
        assert_eq!(seen.option().map(OptionId::as_str), Some("flag"), "{choice:?}");
        night.says(3, choice.clone());
        assert_eq!(night.0.option().map(OptionId::as_str), Some("flag"), "{choice:?}");
    }
}

/// A trigger that is only written down holds nothing up, and asks nobody.
#[test]
fn what_is_only_logged_is_only_logged() {
    let decision = json!({"critical": {"action": "back-out"}, "minor": {"action": "log"}});
    for (state, meaning) in
        [(State::Firing, Meaning::Breach), (State::NoData, Meaning::Inconclusive)]
    {
        let mut night = Night::new(plan(&decision, &json!({})));
        night.stage_is_done(0);
        night.all_well(1);
        night.moves(2, "odd", state, meaning);
        (2..70).for_each(|minute| drop(night.due(minute)));
        assert!(night.open().is_none(), "{state:?}");
        let outcome = night.0.finished().as_ref().map(|(outcome, _)| outcome.clone());
        // That it fired is a finding all the same.
        let wanted = match state {
            State::Firing => Outcome::DeployedWithFindings,
            _ => Outcome::Deployed,
        };
        assert_eq!(outcome, Some(wanted), "{state:?}");
    }
}

/// A watch that has, or has not, looked lately.
struct Looks(Option<Duration>);

impl Sight for Looks {
    fn unseen(
        &self,
        triggers: &[(TriggerId, State)],
        _: Timestamp,
        _: Timestamp,
    ) -> Option<Duration> {
        assert!(!triggers.is_empty());
        self.0
    }
}

/// Leaves as soon as somebody is asked.
struct Leaves(mpsc::Sender<Control>);

impl Observer for Leaves {
    fn record(&mut self, record: &Record, _: &RunState) {
        if record.events.iter().any(|event| matches!(event, Event::DecisionRequested(_))) {
            self.0.try_send(Control::Detach).expect("somebody listens");
        }
    }
}

/// The log says that all is well. Whether it is said so depends on whether anybody has
/// looked since.
#[tokio::test]
async fn old_news_lets_nothing_pass() {
    for looks in [None, Some(Duration::from_secs(40))] {
        let more = json!({"triggers": {
            "logins": {"severity": "critical", "gauge": {"url": "http://x", "limit": "> 5"}},
        }});
        let stage = Stage::of(plan(&critical(), &more)).await;
        let (tell, news) = mpsc::channel(4);
        let reading = Reading::default();
        tell.try_send(vec![Event::TriggerChanged {
            trigger: id("logins"),
            from: State::Insufficient,
            to: State::Ok,
            meaning: Meaning::Healthy,
            before: false,
            reading,
        }])
        .expect("room");
        let (leave, control) = mpsc::channel(4);
        let log = stage.log().await;
        let (hands, clock) = (Arc::clone(&stage.hands), stage.clock.clone());
        let mut conductor = Conductor::new(log, hands, clock, no_forecast(), "test".to_owned())
            .watching(news, Arc::new(Looks(looks)));
        let end = conductor.run(&mut Leaves(leave), control, Patience::None).await.expect("an end");
        let state = conductor.state();
        match looks {
            None => assert_eq!(end, End::Finished(Outcome::Deployed)),
            Some(patience) => {
                assert_eq!(end, End::Detached);
                let baked = state.release().baked.get(&step("a")).map(|baked| baked.verdict);
                assert_eq!(baked, Some(Verdict::Inconclusive));
                assert_eq!(state.states()[0].status, Status::Succeeded);
                // It had all the time a look may take.
                let asked = state.release().open.as_ref().expect("asked").asked_at;
                let waited = asked.duration_since(state.states()[0].since.expect("done"));
                assert!(
                    waited
                        >= jiff::SignedDuration::from_mins(10)
                            + patience.try_into().expect("short"),
                    "{waited}"
                );
            }
        }
        drop(tell);
    }
}

/// After the way back a trigger may still be about what was before. It is waited for until it
/// is not, and then asked about: for how long is known.
#[tokio::test]
async fn what_is_not_healthy_after_the_way_back_is_waited_for_and_asked_about() {
    let rules = json!({"critical": {"action": "back-out", "by": "lead", "automatic": true}});
    let more = json!({"triggers": {"logins": {
        "severity": "critical", "every": "20s", "recovers_after": "90s",
        "gauge": {"url": "http://x", "limit": "> 5"},
    }}});
    let stage = Stage::of(plan(&rules, &more)).await;
    let (tell, news) = mpsc::channel(4);
    tell.try_send(vec![Event::TriggerChanged {
        trigger: id("logins"),
        from: State::Insufficient,
        to: State::Firing,
        meaning: Meaning::Breach,
        before: false,
        reading: Reading::default(),
    }])
    .expect("room");
    let (_keep, control) = mpsc::channel::<Control>(1);
    let (hands, clock) = (Arc::clone(&stage.hands), stage.clock.clone());
    let mut conductor =
        Conductor::new(stage.log().await, hands, clock, no_forecast(), "test".to_owned())
            .watching(news, Arc::new(Looks(None)));
    let mut count = Count::default();
    let end = conductor.run(&mut count, control, Patience::None).await.expect("an end");
    assert_eq!(end, End::Waiting);
    let state = conductor.state();
    let last = state.step(&step("undo-a")).and_then(|(_, known)| known.ended).expect("it is done");
    // One look, for 90 s healthy, one look more.
    let due = last + jiff::SignedDuration::from_secs(20 + 90 + 20);
    let asked = conductor.questions().swap_remove(0);
    assert_eq!(asked.asks, Asks::NotRecovered { triggers: vec![id("logins")] });
    assert_eq!((asked.due, stage.clock.now()), (Some(due), due));
    assert!(state.finished().is_none());
    drop(tell);
}
