//! What a green must not rest on, and what an answer must not come to nothing by.

use std::sync::Arc;

use backout_core::act::{Act, Answer};
use backout_core::authority::identify;
use backout_core::choice::Verb;
use backout_core::command::{AttestedStep, Command, Request};
use backout_core::duration::Span;
use backout_core::event::{Attested, Direction, Event, Evidence, Outcome, RunPlanned};
use backout_core::handle::{Facts, first_vote, handle};
use backout_core::ids::{OptionId, RoleId, RunUid, StepId};
use backout_core::people::{Account, PersonId};
use backout_core::plan::{Effect, Permission, Step};
use backout_core::policy::Policy;
use backout_core::proof::Proof;
use backout_core::question::questions;
use backout_core::record::Actor;
use backout_core::refusal::Refusal;
use backout_core::status::Status;
use backout_core::watch::{Meaning, State};
use backout_engine::command::{Sender, Submitted, submit};
use backout_engine::{End, start};
use backout_testkit::{Die, MemoryJournal, Pace, plans};
use serde_json::{Value, json};

use crate::night::{Night, at, plan};
use crate::stage::{Died, Stage, holder, lead, no_forecast, say, say_as};

fn id(name: &str) -> StepId {
    StepId::new(name).expect("a name")
}

fn role(name: &str) -> RoleId {
    RoleId::new(name).expect("a name")
}

fn option(name: &str) -> OptionId {
    OptionId::new(name).expect("a name")
}

fn decide(verb: Verb, fix_for: Option<Span>) -> Command {
    Command::Decide { verb, option: None, fix_for, question: None, readings: Default::default() }
}

fn replace_by_unchecked() -> Command {
    let step: Step =
        serde_json::from_value(plans::unchecked("a", Effect::Opaque, &[])).expect("a step");
    Command::Replace { step: Box::new(step), not_before: None }
}

/// attested as failed, replaced, run by the machine without a check.
#[tokio::test]
async fn a_replaced_step_is_attested_by_no_one() {
    let steps = json!([plans::unchecked("a", Effect::Opaque, &[])]);
    let mut stage = Stage::new(plans::plan(&steps)).await;
    let mut log = stage.log().await;
    let first = AttestedStep {
        step: id("a"),
        result: Attested::Failed,
        name: None,
        started: None,
        ended: None,
        evidence: Evidence::default(),
    };
    say(&mut log, Command::Attest { first: Box::new(first), also: Vec::new() }).await;
    say(&mut log, replace_by_unchecked()).await;
    assert_eq!(stage.run_to_end().await, Outcome::Unverified);
    assert_eq!(stage.log().await.state().proof(0), Some(Proof::NoCheck));
}

/// said to have happened, the check denies it, replaced by what has none.
#[tokio::test]
async fn an_answer_to_a_doubt_does_not_stand_for_another_step() {
    let steps = json!([plans::automatic("a", Effect::Opaque, &[])]);
    let mut stage = Stage::new(plans::plan(&steps)).await;
    stage.hands.die(&id("a"), Die::BeforeEffect);
    stage.coordinate().await;
    stage.coordinate().await;
    let answer = Answer::Happened;
    say(&mut stage.log().await, Command::Resolve { step: id("a"), answer }).await;
    stage.coordinate().await;
    say(&mut stage.log().await, replace_by_unchecked()).await;
    assert_eq!(stage.run_to_end().await, Outcome::Unverified);
}

/// One person is two by writing their name in another way (354d0e4 compared lowercased).
#[tokio::test]
async fn one_person_of_a_team_is_one_however_their_name_is_written() {
    let more = json!({
        "roles": {"lead": {"name": "Lena Lead"}, "ops": {"name": "Operations", "team": 3}},
        "authority": {"skip": {"by": "ops", "quorum": 2}},
    });
    let plan = plans::plan_with(&json!([plans::automatic("a", Effect::Opaque, &[])]), &more);
    let stage = Stage::new(plan.clone()).await;
    let mut log = stage.log().await;
    for claimed in ["ops/Max", "ops/max", "ops/MAX"] {
        let account = Account::named("max");
        let id = identify(&plan, Some(claimed), &account).expect("of the team").id;
        let actor = Actor::Person { id, role: Some(role("ops")), account };
        let said = say_as(&mut log, &actor, Command::Skip { step: self::id("a") }).await;
        assert!(matches!(said, Submitted::Proposed { more: 1, .. }), "{claimed}: {said:?}");
    }
}

fn asked(policy: &Policy, rules: Value) -> Night {
    let mut planned = plan(&rules, &json!({}));
    planned.policy = policy.clone();
    let mut night = Night::new(planned);
    night.stage_is_done(1);
    night.moves(2, "logins", State::Firing, Meaning::Breach);
    night.due(2);
    night
}

/// `limits.fix_for = "0s"` allows no fix; today a fix without a length is accepted, ends at
/// once and so BACKS OUT although the person chose to fix.
#[test]
fn a_policy_that_allows_no_fix_refuses_one() {
    let policy = Policy { fix_at_most: Some(Span::seconds(0)), ..Policy::default() };
    let night = asked(&policy, json!({"critical": {"action": "back-out", "by": "lead"}}));
    let account = Account::named("lena");
    let facts =
        Facts { now: at(3), forecast: None, policy: &policy, accounts: &account, location: None };
    let fix = Request::new(decide(Verb::FixForward, None), "because");
    let refused = handle(&night.0, &lead(), &fix, &facts).expect_err("no fix is allowed");
    // And its way out must not be another fix: `--for 0s`, and then `--for 30m`, are refused too.
    assert!(matches!(refused, Refusal::FixTooLong { .. }), "{refused:?}");
    for reply in refused.replies(&night.0.planned().plan, Some(&night.0)) {
        let fix = |offer: &backout_core::reply::Offer| {
            matches!(offer, backout_core::reply::Offer::Decide { verb: Verb::FixForward, .. })
        };
        assert!(!fix(&reply.command), "{reply:?}");
    }
}

/// The window a plan opens by itself is not capped by the policy of the run.
#[test]
fn a_policy_caps_the_window_of_the_plan() {
    let policy = Policy { fix_at_most: Some(Span::minutes(10)), ..Policy::default() };
    let rule = json!({"action": "back-out-unless-fixable", "by": "lead", "fix_window": "2h"});
    let night = asked(&policy, json!({"critical": rule}));
    assert_eq!(night.open().and_then(|open| open.fix_until), Some(at(12)));
}

fn holding() -> backout_core::plan::Plan {
    let more = json!({"options": {
        "closed": {"title": "Keep users out", "steps": ["a"], "holding": true, "default": true},
        "full": {"title": "All"},
    }});
    let steps = json!([
        plans::automatic("a", Effect::Opaque, &[]),
        plans::automatic("b", Effect::Opaque, &["a"]),
    ]);
    plans::plan_with(&steps, &more)
}

/// A step that is run again while the run holds, and fails, waits for a person: that is
/// `Waiting` (a question), not `Holding` (exit code 12).
#[tokio::test]
async fn a_failed_step_is_not_holding() {
    let mut stage = Stage::new(holding()).await;
    assert!(matches!(stage.coordinate().await, Died::Ended(End::Holding)));
    say(&mut stage.log().await, Command::Retry { step: id("a"), new_key: false }).await;
    stage.hands.fail(&id("a"));
    let ended = stage.coordinate().await;
    assert!(matches!(ended, Died::Ended(End::Waiting)), "{ended:?}");
}

/// The clock went back between the end of the option and the answer: the answer is in the
/// log, and nothing follows from it.
#[tokio::test]
async fn an_answer_to_a_holding_run_counts_on_a_clock_that_went_back() {
    let mut stage = Stage::new(holding()).await;
    assert!(matches!(stage.coordinate().await, Died::Ended(End::Holding)));
    let (mut log, actor, account) = (stage.log().await, lead(), Account::named("lena"));
    let sender = Sender { actor: &actor, account: &account, at: at(-1).into(), location: None };
    let request = Request::new(decide(Verb::Continue, None), "because");
    let said = submit(&mut log, sender, &request, &*no_forecast(), &Policy::default()).await;
    assert!(matches!(said, Ok(Submitted::Done(_))), "{said:?}");
    let ended = stage.coordinate().await;
    assert!(matches!(ended, Died::Ended(End::Finished(Outcome::Partial))), "{ended:?}");
}

/// A hold between two votes takes away the vote of the one who began the run.
#[tokio::test]
async fn the_first_vote_outlives_a_hold() {
    let more = json!({"authority": {"invoke": {"by": ["lead", "ann"], "quorum": 2}}});
    let steps = json!([plans::automatic("a", Effect::Opaque, &[])]);
    let mut planned = plans::planned(plans::plan_with(&steps, &more));
    planned.quorum = Some(2);
    let vote = vec![first_vote(Direction::Back, None)];
    let journal = Arc::new(MemoryJournal::default());
    let mut log = start::begin(&journal, lead(), at(0), planned, vote, None).await.expect("begun");
    let ann = holder("ann", "ann");
    say_as(&mut log, &ann, Command::Hold).await;
    let said = say_as(&mut log, &ann, Command::AgreeToStart).await;
    assert!(matches!(said, Submitted::Done(_)), "{said:?}");
    assert!(!log.state().proposals().iter().any(|(act, _)| *act == Act::Invoke));
}

/// A failed step of an option that was left: `check-again` (and `retry`) are accepted, and
/// nothing ever comes of them.
#[tokio::test]
async fn a_step_that_was_left_behind_is_not_checked_again() {
    let steps = json!([
        plans::automatic("flag", Effect::Opaque, &[]),
        plans::automatic("restore", Effect::Opaque, &[]),
    ]);
    let more = json!({"options": {
        "light": {"title": "Flag off", "steps": ["flag"], "default": true},
        "full": {"title": "Restore", "steps": ["restore"]},
    }});
    let mut stage = Stage::new(plans::plan_with(&steps, &more)).await;
    stage.hands.fail(&id("flag"));
    stage.coordinate().await;
    let mut log = stage.log().await;
    say(&mut log, Command::SwitchOption { option: option("full") }).await;
    for command in [
        Command::CheckAgain { step: id("flag") },
        Command::Retry { step: id("flag"), new_key: false },
    ] {
        let said = say(&mut log, command).await;
        assert!(matches!(said, Submitted::Refused(_)), "{said:?}");
    }
}

/// A step was handed to bob: the question names him, and its answers are offered to ann only.
#[tokio::test]
async fn the_person_a_step_was_assigned_to_is_offered_its_answers() {
    let more = json!({"roles": {
        "lead": {"name": "Lena Lead", "user": "lena"}, "ann": {"name": "Ann"}, "bob": {"name": "Bob"},
    }});
    let steps = json!([{"id": "a", "owner": "ann", "manual": "Do it."}]);
    let mut stage = Stage::new(plans::plan_with(&steps, &more)).await;
    let bob = PersonId::Role(role("bob"));
    let assign = Command::Assign { step: id("a"), also: Vec::new(), to: bob.clone() };
    say(&mut stage.log().await, assign).await;
    stage.coordinate().await;
    let asked = questions(stage.log().await.state()).swap_remove(0);
    assert_eq!(asked.person, Some(bob));
    for reply in asked.answers {
        assert!(reply.by.contains(&role("bob")), "{reply:?}");
    }
}

/// Who agreed that the run starts agreed to what it was then: a change of it takes their word
/// away.
#[tokio::test]
async fn a_vote_does_not_count_for_what_was_changed_after_it() {
    let more = json!({
        "change": {"id": "CHG1", "title": "A change", "owner": "lead"},
        "roles": {
            "lead": {"name": "Lena Lead", "deputies": ["pm"]}, "pm": {"name": "Pat Moore"},
            "ann": {"name": "Ann"}
        },
    });
    let plan = plans::plan_with(&json!([plans::automatic("a", Effect::Opaque, &[])]), &more);
    let quorum = [(Permission::Invoke, 2)].into();
    let policy = Policy { quorum, ..Policy::default() };
    let planned = RunPlanned { quorum: Some(2), policy, ..plans::planned(plan) };
    for change in [
        None,
        Some(replace_by_unchecked()),
        Some(Command::Skip { step: id("a") }),
        Some(Command::Assign { step: id("a"), also: Vec::new(), to: PersonId::Role(role("pm")) }),
    ] {
        let journal = Arc::new(MemoryJournal::default());
        let vote = vec![first_vote(Direction::Back, None)];
        let mut log = start::begin(&journal, lead(), at(0), planned.clone(), vote, None)
            .await
            .expect("begun");
        let pm = holder("pm", "pm");
        let changed = change.is_some();
        if let Some(change) = change {
            let said = say_as(&mut log, &pm, change).await;
            assert!(matches!(said, Submitted::Done(_)), "{said:?}");
        }
        let said = say_as(&mut log, &pm, Command::AgreeToStart).await;
        assert_eq!(matches!(said, Submitted::Proposed { .. }), changed, "{said:?}");
        assert_eq!(log.state().awaits_agreement(), changed);
        // The first one sees what it is now, and agrees anew.
        if changed {
            say_as(&mut log, &lead(), Command::AgreeToStart).await;
            assert!(!log.state().awaits_agreement());
        }
    }
}

/// What one option did half, and the next one does without, is not backed out.
#[tokio::test]
async fn what_was_left_half_done_is_no_green() {
    let steps = json!([
        plans::automatic("a", Effect::Opaque, &[]),
        plans::automatic("b", Effect::Opaque, &[]),
    ]);
    let more = json!({"options": {
        "full": {"title": "All", "default": true, "steps": ["a"]},
        "light": {"title": "Less", "steps": ["b"]},
    }});
    let mut stage = Stage::new(plans::plan_with(&steps, &more)).await;
    stage.hands.fail(&id("a"));
    stage.coordinate().await;
    say(&mut stage.log().await, Command::SwitchOption { option: option("light") }).await;
    assert_eq!(stage.run_to_end().await, Outcome::Partial);
    let log = stage.log().await;
    assert_eq!(log.state().left_half_done().collect::<Vec<_>>(), [0]);
}

/// A doubt is written down although another writer was quicker: else the step would run for
/// ever, with no one at work on it and no one asked.
#[tokio::test]
async fn a_doubt_is_written_whoever_writes_beside_it() {
    for seed in 0..200 {
        let steps = json!([plans::unchecked("a", Effect::Opaque, &[])]);
        let mut stage = Stage::paced(plans::plan(&steps), Pace::new(seed).into()).await;
        stage.hands.die(&id("a"), Die::AfterEffect);
        stage.coordinate().await;
        let mut log = stage.log().await;
        let hold = async {
            for _ in 0..4 {
                say(&mut log, Command::Hold).await;
                say(&mut log, Command::Resume).await;
            }
        };
        tokio::join!(stage.coordinate(), hold);
        let log = stage.log().await;
        assert_eq!(log.state().states()[0].status, Status::InDoubt, "seed {seed}");
        assert_eq!(stage.hands.effects(&id("a")), 1, "seed {seed}");
    }
}

/// One key for a step and its action, whatever causes the repeat; another one where it is done
/// anew, is another action, or a person says so.
#[tokio::test]
async fn a_key_stays_with_the_step_and_its_action() {
    let keys = async |stage: &Stage| -> Vec<String> {
        let records = stage.records().await;
        let events = records.into_iter().flat_map(|record| record.events);
        let key = |event| match event {
            Event::StepIntent { key, .. } => Some(key),
            _ => None,
        };
        events.filter_map(key).collect()
    };
    let retry = |new_key| Command::Retry { step: id("a"), new_key };
    let again = [
        ("failed", retry(false), true),
        ("failed", retry(true), false),
        ("finished", retry(false), false),
        ("in doubt", Command::Resolve { step: id("a"), answer: Answer::DidNotHappen }, true),
        ("failed", replace_by_unchecked(), false),
    ];
    for (stands, command, same) in again {
        let steps = json!([
            plans::automatic("a", Effect::Opaque, &[]),
            {"id": "last", "owner": "ann", "after": ["a"], "manual": "Look."},
        ]);
        let mut stage = Stage::new(plans::plan(&steps)).await;
        match stands {
            "failed" => stage.hands.fail(&id("a")),
            "in doubt" => stage.hands.die(&id("a"), Die::AfterEffect),
            _ => {}
        }
        stage.coordinate().await;
        stage.coordinate().await;
        say(&mut stage.log().await, command.clone()).await;
        stage.coordinate().await;
        let keys = keys(&stage).await;
        let [first, second, ..] = &keys[..] else { panic!("{stands}, {command:?}: {keys:?}") };
        assert_eq!(first == second, same, "{stands}, {command:?}: {keys:?}");
    }
    // The random id of the run is part of it: its name may be given away again.
    let steps = json!([plans::automatic("a", Effect::Keyed, &[])]);
    let mut all = Vec::new();
    for uid in ["0123456789abcdef", "fedcba9876543210"] {
        let uid = RunUid::new(uid).ok();
        let mut stage = Stage::of(RunPlanned { uid, ..plans::planned(plans::plan(&steps)) }).await;
        stage.coordinate().await;
        all.extend(keys(&stage).await);
    }
    assert_ne!(all[0], all[1]);
}

/// What a repeat would do a second time is looked for first. What is finished is done anew.
#[tokio::test]
async fn a_verifiable_step_is_looked_at_before_it_is_repeated() {
    for (effect, fails, effects) in [
        (Effect::Verifiable, true, 1),
        (Effect::Verifiable, false, 2),
        (Effect::Idempotent, true, 2),
    ] {
        let steps = json!([
            plans::automatic("a", effect, &[]),
            {"id": "last", "owner": "ann", "after": ["a"], "manual": "Look."},
        ]);
        let mut stage = Stage::new(plans::plan(&steps)).await;
        if fails {
            stage.hands.fail(&id("a"));
        }
        stage.coordinate().await;
        say(&mut stage.log().await, Command::Retry { step: id("a"), new_key: false }).await;
        stage.coordinate().await;
        let log = stage.log().await;
        assert_eq!(log.state().states()[0].status, Status::Succeeded, "{effect}, {fails}");
        assert_eq!(stage.hands.effects(&id("a")), effects, "{effect}, {fails}");
        let said = &log.state().states()[0].evidence.summary;
        assert_eq!(said.contains("not run again"), effects == 1, "{said}");
    }
}
