//! One door: every command in every situation, and what may be said about all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use backout_core::act::Answer;
use backout_core::authority::allowed_roles;
use backout_core::choice::{ForecastSummary, Verb};
use backout_core::command::{AttestedStep, Command, NeedsReason, Request};
use backout_core::duration::Span;
use backout_core::event::{Attested, Event, Evidence};
use backout_core::handle::{Facts, handle};
use backout_core::ids::{OptionId, Seq, StepId};
use backout_core::location::Location;
use backout_core::people::PersonId;
use backout_core::policy::Policy;
use backout_core::question::questions;
use backout_core::refusal::{Refusal, RefusalKind};
use backout_core::reply::{Meaning, Offer};
use backout_core::state::RunState;
use backout_core::status::Status;

use crate::scene::{
    KINDS, SCENES, STATUSES, coordinator, copy, here, now, person, plan, role, run, run_of,
    run_of_lead, step,
};

/// Every command, about a step where it is about one.
fn commands(step: &StepId) -> Vec<(&'static str, Command)> {
    let step = step.clone();
    let new = |id: &str| -> backout_core::plan::Step {
        serde_json::from_value(serde_json::json!({"id": id, "owner": "ann", "manual": "Do it."}))
            .expect("a step")
    };
    let resolve = |answer| Command::Resolve { step: step.clone(), answer };
    let decide = |verb| Command::Decide {
        verb,
        option: None,
        fix_for: None,
        question: None,
        readings: BTreeMap::new(),
    };
    let take_over = |seconds: Option<u64>| Command::TakeOver {
        coordinator: "process 7 on here".to_owned(),
        silent_for: seconds.map(Span::seconds),
    };
    let attested = AttestedStep {
        step: step.clone(),
        result: Attested::Done,
        name: None,
        started: None,
        ended: None,
        evidence: Evidence::default(),
    };
    vec![
        ("agree-to-start", Command::AgreeToStart),
        ("ack", Command::Acknowledge { step: step.clone(), note: None, attached: Vec::new() }),
        ("fail", Command::Fail { step: step.clone(), evidence: Evidence::default() }),
        ("stop", Command::Stop { step: step.clone() }),
        ("retry", Command::Retry { step: step.clone(), new_key: false }),
        ("check-again", Command::CheckAgain { step: step.clone() }),
        ("skip", Command::Skip { step: step.clone() }),
        (
            "add",
            Command::Add {
                step: Box::new(new("extra")),
                after: Some(step.clone()),
                before: Vec::new(),
                not_before: None,
            },
        ),
        ("replace", Command::Replace { step: Box::new(new(step.as_str())), not_before: None }),
        ("resolve happened", resolve(Answer::Happened)),
        ("resolve did-not-happen", resolve(Answer::DidNotHappen)),
        ("resolve hold", resolve(Answer::Hold)),
        ("attest", Command::Attest { first: Box::new(attested), also: Vec::new() }),
        (
            "assign",
            Command::Assign {
                step: step.clone(),
                also: Vec::new(),
                to: PersonId::Role(role("bob")),
            },
        ),
        ("hold", Command::Hold),
        ("resume", Command::Resume),
        ("go-on-here", Command::GoOnHere { location: copy() }),
        ("go-on-here, nothing moved", Command::GoOnHere { location: here() }),
        ("take-over, silent", take_over(Some(200))),
        ("take-over, at work", take_over(Some(5))),
        ("take-over, unknown", take_over(None)),
        (
            "recover",
            Command::Recover {
                found: Vec::new(),
                known: Some(Seq(99)),
                contradicted: true,
                ledger_behind: false,
            },
        ),
        (
            "recover, nothing lost",
            Command::Recover {
                found: Vec::new(),
                known: None,
                contradicted: false,
                ledger_behind: false,
            },
        ),
        (
            "switch-option",
            Command::SwitchOption { option: OptionId::new("close").expect("a name") },
        ),
        ("abandon", Command::Abandon),
        ("decide back-out", decide(Verb::BackOut)),
        ("decide fix-forward", decide(Verb::FixForward)),
        ("decide continue", decide(Verb::Continue)),
        ("decide not-fixable", decide(Verb::NotFixable)),
        ("approve", Command::Approve { stage: step, shown: None }),
        (
            "defect",
            Command::LogDefect {
                title: "broken".to_owned(),
                id: None,
                severity: None,
                trigger: None,
            },
        ),
    ]
}

fn send(
    state: &RunState,
    who: &str,
    request: &Request,
    forecast: Option<&ForecastSummary>,
) -> Result<Vec<Event>, Refusal> {
    let (actor, account) = person(who);
    let policy = Policy::default();
    let facts = Facts { now: now(), forecast, policy: &policy, accounts: &account, location: None };
    handle(state, &actor, request, &facts)
}

/// The name of a refusal, without its particulars.
fn name(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotPossible { error, .. } => format!("{error}"),
        other => {
            let shown = format!("{other:?}");
            shown.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
        }
    }
}

fn situations() -> impl Iterator<Item = (&'static str, &'static str, Status, RunState, StepId)> {
    SCENES.into_iter().flat_map(|scene| {
        KINDS.into_iter().flat_map(move |kind| {
            STATUSES.into_iter().filter_map(move |status| {
                let (state, step) = run(scene, kind, status)?;
                Some((scene, kind, status, state, step))
            })
        })
    })
}

/// Run, kind of step, place of the command, command.
type Row = (usize, &'static str, usize, &'static str);
/// Each answer, with the statuses that get it.
type Answers = BTreeMap<String, Vec<&'static str>>;

/// Every command × where its step stands × what the run is doing, sent by a lead who also may
/// do what the owner may. The table is the documentation of the door.
#[test]
fn every_command_in_every_situation() {
    // One line per run, kind of step and command: each answer with the statuses that get it.
    let mut table: BTreeMap<Row, Answers> = BTreeMap::new();
    let mut count = 0;
    for (scene, kind, status, _, _) in situations() {
        // The lead owns the steps here: the table is about situations, not about people.
        let (state, step) = run_of_lead(scene, kind, status).expect("the same situation");
        for (place, (command_name, command)) in commands(&step).into_iter().enumerate() {
            let request = Request::new(command, "because");
            let answer = send(&state, "lead", &request, None);
            count += 1;
            check(&state, &step, command_name, &answer);
            let shown = match &answer {
                Ok(events) => {
                    let names: Vec<String> = events
                        .iter()
                        .map(|event| {
                            let value = serde_json::to_value(event).expect("data");
                            value["event"].as_str().expect("a name").to_owned()
                        })
                        .collect();
                    names.join(" + ")
                }
                Err(Refusal::NotPossible { .. }) => "refused: it does not fit".to_owned(),
                Err(refusal) => format!("refused: {}", name(refusal)),
            };
            let scene_place = SCENES.iter().position(|known| *known == scene).unwrap_or_default();
            table
                .entry((scene_place, kind, place, command_name))
                .or_default()
                .entry(shown)
                .or_default()
                .push(status.shown());
        }
    }
    assert!(count > 3000, "{count} cells");
    let mut text = String::new();
    for ((scene, kind, _, command), answers) in table {
        let answers: Vec<String> = answers
            .into_iter()
            .map(|(answer, statuses)| format!("{answer} [{}]", statuses.join(", ")))
            .collect();
        let scene = SCENES[scene];
        writeln!(text, "{scene} | {kind} | {command} | {}", answers.join("; ")).expect("text");
    }
    println!("{count} cells\n{text}");
    insta::assert_snapshot!(text);
}

/// What holds in every cell.
fn check(state: &RunState, step: &StepId, command: &str, answer: &Result<Vec<Event>, Refusal>) {
    let index = state.position(step).expect("a step");
    let machine = !state.steps()[index].action.is_reported();
    let running = state.states()[index].status == Status::Running && machine;
    match answer {
        Ok(events) => {
            let then =
                state.with(events, &person("lead").0, now()).expect("what is returned is legal");
            let after = then.position(step).expect("it is still there");
            let intent = |event: &Event| matches!(event, Event::StepIntent { .. });
            assert!(!events.iter().any(intent), "{command}: a person starts no attempt");
            if running {
                // Another attempt can begin only where this one has an end.
                assert_eq!(then.states()[after].status, Status::Running, "{command}");
                let is_new = state.finished().is_none();
                assert!(
                    !is_new || then.finished().is_none(),
                    "{command}: nothing watches what still runs"
                );
            }
            // Only a journal that is damaged elsewhere is mended, of which nothing is written here.
            let mends = command == "recover" && events.is_empty();
            assert!(state.finished().is_none() || mends, "{command}: the run is over");
        }
        Err(refusal) => {
            assert!(
                !refusal.replies(&state.planned().plan, Some(state)).is_empty(),
                "{command}: {refusal:?} has no way out"
            );
            if state.finished().is_some() {
                assert_eq!(*refusal, Refusal::Finished, "{command}");
            }
        }
    }
}

/// The ways out of a bad night are refused only to the wrong person or where a step could run
/// twice. Anything else is a question with a flag.
#[test]
fn the_ways_out_are_never_refused() {
    let decide = |option: Option<&str>, confirmed| Request {
        command: Command::Decide {
            verb: Verb::BackOut,
            option: option.map(|option| OptionId::new(option).expect("a name")),
            fix_for: None,
            question: None,
            readings: BTreeMap::new(),
        },
        reason: None,
        confirmed,
    };
    let mut asked = 0;
    for (scene, kind, status, state, _) in situations() {
        if !state.release().goes_forward() || state.finished().is_some() {
            continue;
        }
        let at = format!("{scene}, {kind}, {status:?}");
        match send(&state, "lead", &decide(None, false), None) {
            // Nothing has begun: it is over.
            Ok(events) if state.awaits_agreement() => {
                assert!(matches!(events[..], [Event::RunFinished { .. }]), "{at}: {events:?}");
            }
            Ok(events) => assert!(matches!(events[1], Event::BackoutStarted { .. }), "{at}"),
            Err(refusal) => {
                asked += 1;
                assert_eq!(refusal.kind(), RefusalKind::Question, "{at}: {refusal:?}");
                let replies = refusal.replies(&state.planned().plan, Some(&state));
                let flag = |reply: &backout_core::reply::Reply| {
                    matches!(reply.command, Offer::Decide { confirmed: true, .. })
                };
                assert!(replies.iter().any(flag), "{at}: a question has a flag");
                let confirmed = send(&state, "lead", &decide(None, true), None);
                let confirmed = confirmed.expect("what is confirmed is done");
                let Event::DecisionMade { confirmed, .. } = &confirmed[0] else { panic!("{at}") };
                assert_eq!(confirmed.len(), 1, "{at}: the flag has an event");
            }
        }
        send(&state, "lead", &decide(Some("full"), false), None).expect("an option says the same");
        let refused = send(&state, "guest", &decide(None, false), None).expect_err("no lead");
        assert!(matches!(refused, Refusal::Denied { .. }), "{at}: {refused:?}");
    }
    assert!(asked > 0, "an irreversible stage asks");
}

/// What is offered is never refused to the person it is offered to.
#[test]
fn offers_hold() {
    let mut offered = 0;
    for (scene, kind, status, state, _) in situations() {
        for question in questions(&state) {
            for reply in &question.answers {
                let at = format!("{scene}, {kind}, {status:?}: {:?}", reply.command);
                let roles = match reply.by.is_empty() {
                    true => state.planned().plan.roles.keys().cloned().collect(),
                    false => reply.by.clone(),
                };
                assert!(!roles.is_empty(), "{at}: offered to no one");
                for role in roles {
                    let Some(request) = request_of(&state, &reply.command) else { continue };
                    offered += 1;
                    match send(&state, role.as_str(), &request, None) {
                        Ok(_) => {}
                        Err(refusal) => panic!("{at}: refused to {role}: {refusal:?}"),
                    }
                }
            }
        }
    }
    println!("{offered} offers");
    assert!(offered > 300, "{offered} offers");
}

/// A reply as the command it stands for.
fn request_of(state: &RunState, offer: &Offer) -> Option<Request> {
    let (mut confirmed, evidence) = (false, Evidence::default());
    let command = match offer.clone() {
        Offer::Acknowledge { step } => {
            Command::Acknowledge { step, note: None, attached: Vec::new() }
        }
        Offer::Fail { step } => Command::Fail { step, evidence },
        Offer::Stop { step } => Command::Stop { step },
        Offer::Retry { step } => Command::Retry { step, new_key: false },
        Offer::CheckAgain { step } => Command::CheckAgain { step },
        Offer::Skip { step, confirmed: yes } => {
            confirmed = yes;
            Command::Skip { step }
        }
        Offer::Replace { step } => {
            let step = state.step(&step).map(|(step, _)| step.clone()).expect("a step");
            Command::Replace { step: Box::new(step), not_before: None }
        }
        Offer::Resolve { step, answer } => Command::Resolve { step, answer },
        Offer::Approve { stage, shown } => Command::Approve { stage, shown: Some(shown) },
        Offer::Decide { verb, option, fix_for, question, confirmed: yes } => {
            confirmed = yes;
            Command::Decide { verb, option, fix_for, question, readings: BTreeMap::new() }
        }
        Offer::Hold => Command::Hold,
        Offer::Resume { .. } if state.awaits_agreement() => Command::AgreeToStart,
        // Without a hold it is the coordinator that goes on, and no command is sent.
        Offer::Resume { .. } if state.held().is_none() => return None,
        Offer::Resume { .. } => Command::Resume,
        Offer::GoOnHere { confirmed: yes, .. } => {
            confirmed = yes;
            Command::GoOnHere { location: copy() }
        }
        Offer::TakeOver { confirmed: yes, .. } => {
            confirmed = yes;
            Command::TakeOver { coordinator: "process 7 on here".to_owned(), silent_for: None }
        }
        Offer::SwitchOption { option } => Command::SwitchOption { option },
        Offer::Abandon { .. } => Command::Abandon,
        Offer::BackOut { .. } => Command::Decide {
            verb: Verb::BackOut,
            option: None,
            fix_for: None,
            question: None,
            readings: BTreeMap::new(),
        },
        Offer::LogDefect
        | Offer::Add
        | Offer::Assign { .. }
        | Offer::Start { .. }
        | Offer::CaptureBaselines
        | Offer::CheckPlan
        | Offer::Status { .. }
        | Offer::VerifyLog { .. }
        | Offer::Recover { .. }
        | Offer::NewRun { .. }
        | Offer::Explain => return None,
    };
    Some(Request { command, reason: Some("because".to_owned()), confirmed })
}

/// Refusal × command × way out, as a table.
#[test]
fn every_refusal_has_a_way_out() {
    let mut ways: BTreeSet<String> = BTreeSet::new();
    for (_, _, _, state, step) in situations() {
        for (command_name, command) in commands(&step) {
            for (who, reason) in
                [("lead", Some("because")), ("guest", Some("because")), ("lead", None)]
            {
                let request = Request {
                    command: command.clone(),
                    reason: reason.map(str::to_owned),
                    confirmed: false,
                };
                let Err(refusal) = send(&state, who, &request, None) else { continue };
                let replies = refusal.replies(&state.planned().plan, Some(&state));
                assert!(!replies.is_empty(), "{command_name}: {refusal:?}");
                // What a refusal offers is not refused in turn to those it offers it to.
                for reply in &replies {
                    let roles = match reply.by.is_empty() {
                        true => state.planned().plan.roles.keys().cloned().collect(),
                        false => reply.by.clone(),
                    };
                    for role in roles {
                        let Some(request) = request_of(&state, &reply.command) else { continue };
                        let answer = send(&state, role.as_str(), &request, None);
                        let same = matches!(
                            reply.meaning,
                            Meaning::AskRole | Meaning::GiveReason | Meaning::GiveTitle
                        );
                        let refused = answer.as_ref().is_err_and(|refusal| match same {
                            true => matches!(refusal, Refusal::Denied { .. }),
                            false => refusal.kind() == RefusalKind::Refused,
                        });
                        assert!(
                            !refused,
                            "{command_name}: {refusal:?} offers {role} {:?}: {answer:?}",
                            reply.command
                        );
                    }
                }
                let meanings: BTreeSet<String> =
                    replies.iter().map(|reply| format!("{:?}", reply.meaning)).collect();
                let meanings: Vec<String> = meanings.into_iter().collect();
                let refusal = match &refusal {
                    Refusal::NotPossible { .. } => "NotPossible".to_owned(),
                    other => name(other),
                };
                ways.insert(format!("{refusal} | {command_name} | {}", meanings.join(", ")));
            }
        }
    }
    insta::assert_snapshot!(ways.into_iter().collect::<Vec<_>>().join("\n"));
}

/// A reason that is empty, or blank, is none: for every command that needs one.
#[test]
fn an_empty_reason_is_none() {
    let (state, step) = run("back", "machine", Status::Failed).expect("a run");
    for (command_name, command) in commands(&step) {
        for reason in [None, Some(""), Some("  \n ")] {
            let request = Request {
                command: command.clone(),
                reason: reason.map(str::to_owned),
                confirmed: false,
            };
            let answer = send(&state, "lead", &request, None);
            let missing = matches!(answer, Err(Refusal::ReasonMissing { .. }));
            let needs = command.needs_reason() == NeedsReason::Always;
            assert_eq!(missing, needs, "{command_name}: {answer:?}");
        }
    }
}

/// In a copy of the state folder nothing is said that is not heard where the run was at work; on
/// another machine that shares the folder, everything is.
#[test]
fn a_copy_takes_no_word_before_its_question_is_answered() {
    let elsewhere = Location { machine: Some("other".to_owned()), boot: None, ..here() };
    for (_, _, _, state, step) in situations() {
        for (command_name, command) in commands(&step) {
            let request = Request::new(command.clone(), "because");
            let (policy, (actor, account)) = (Policy::default(), person("lead"));
            let facts = |location| Facts {
                now: now(),
                forecast: None,
                policy: &policy,
                accounts: &account,
                location: Some(location),
            };
            let harmless = matches!(
                command,
                Command::GoOnHere { .. } | Command::Abandon | Command::Recover { .. }
            );
            let is_over = state.finished().is_some();
            let (there, here) = (copy(), elsewhere.clone());
            let answer = handle(&state, &actor, &request, &facts(&there));
            let refused = matches!(answer, Err(Refusal::OtherFolder));
            assert_eq!(refused, !harmless && !is_over, "{command_name}: {answer:?}");
            let answer = handle(&state, &actor, &request, &facts(&here));
            assert!(!matches!(answer, Err(Refusal::OtherFolder)), "{command_name}");
        }
    }
}

/// Only people send commands, and only those whose account the role belongs to.
#[test]
fn no_one_speaks_for_another() {
    let mut plan = plan("manual");
    if let Some(role) = plan.roles.get_mut(&role("ann")) {
        role.user = Some("ann".to_owned());
    }
    let (state, step) = run_of(plan, "back", "manual", Status::Running).expect("a run");
    let request =
        Request::new(Command::Acknowledge { step, note: None, attached: Vec::new() }, "because");
    let (policy, account) = (Policy::default(), person("ann").1);
    let facts =
        Facts { now: now(), forecast: None, policy: &policy, accounts: &account, location: None };
    let refused = handle(&state, &coordinator(), &request, &facts);
    assert!(matches!(refused, Err(Refusal::Denied { .. })), "{refused:?}");
    send(&state, "ann", &request, None).expect("it is hers");
    let other = person("bob").1;
    let facts =
        Facts { now: now(), forecast: None, policy: &policy, accounts: &other, location: None };
    let refused = handle(&state, &person("ann").0, &request, &facts);
    assert!(matches!(refused, Err(Refusal::Denied { .. })), "{refused:?}");
}

/// A fix that outlasts the last moment is a question; without a length it ends in time.
#[test]
fn a_fix_ends_while_the_backout_is_in_time() {
    let (state, _) = run("forward, asked", "machine", Status::Succeeded).expect("a run");
    let latest = "2026-06-06T02:10:00Z".parse().expect("a time");
    let forecast = ForecastSummary { point_of_no_return: Some(latest), ..Default::default() };
    let fix = |text: Option<&str>, confirmed| Request {
        command: Command::Decide {
            verb: Verb::FixForward,
            option: None,
            fix_for: text.map(|text| text.parse().expect("a span")),
            question: Some(1),
            readings: BTreeMap::new(),
        },
        reason: Some("because".to_owned()),
        confirmed,
    };
    let until = |events: &[Event]| match &events[0] {
        Event::DecisionMade {
            choice: backout_core::choice::Choice::FixForward { until },
            latest,
            confirmed,
            ..
        } => (*until, *latest, confirmed.len()),
        other => panic!("{other:?}"),
    };
    let own = send(&state, "lead", &fix(None, false), Some(&forecast)).expect("in time");
    assert_eq!(until(&own), (latest, Some(latest), 0), "it ends at the last moment");
    let asked = send(&state, "lead", &fix(Some("30m"), false), Some(&forecast));
    let asked = asked.expect_err("it outlasts the last moment");
    assert_eq!(asked.kind(), RefusalKind::Question);
    let long = send(&state, "lead", &fix(Some("30m"), true), Some(&forecast)).expect("confirmed");
    let half_past = "2026-06-06T02:30:00Z".parse().expect("a time");
    assert_eq!(until(&long), (half_past, Some(latest), 1));
    let short = send(&state, "lead", &fix(Some("5m"), false), Some(&forecast)).expect("in time");
    assert_eq!(until(&short).2, 0);
}

/// A policy asks for more people, and for shorter fixes; the ways out of a policy are its own.
#[test]
fn a_policy_tightens() {
    let (state, step) = run("back", "manual", Status::Pending).expect("a run");
    let policy =
        Policy { quorum: [(backout_core::plan::Permission::Skip, 2)].into(), ..Policy::default() };
    let request = Request::new(Command::Skip { step }, "because");
    let ask = |state: &RunState, who: &str| {
        let (actor, account) = person(who);
        let facts = Facts {
            now: now(),
            forecast: None,
            policy: &policy,
            accounts: &account,
            location: None,
        };
        handle(state, &actor, &request, &facts)
    };
    let first = ask(&state, "lead").expect("noted");
    assert!(matches!(first[..], [Event::CommandProposed { .. }]), "{first:?}");
    let then = state.with(&first, &person("lead").0, now()).expect("legal");
    let again = ask(&then, "lead").expect("noted");
    assert!(matches!(again[..], [Event::CommandProposed { .. }]), "one person is one");
    assert!(ask(&then, "guest").is_err(), "a guest does not count");
    assert!(
        !allowed_roles(
            &state.planned().plan,
            Some(&state),
            &backout_core::act::Act::Skip { step: step_of() }
        )
        .contains(&role("guest"))
    );
}

fn step_of() -> StepId {
    step("undo")
}
