//! The door through which a run begins: what is refused, what is asked, and on what terms.

use std::fmt::Write;

use backout_core::act::{Act, Answer};
use backout_core::authority::{Authority, Person, check_authority};
use backout_core::choice::Verb;
use backout_core::event::Direction;
use backout_core::handle::{AtWork, BrokenRule, Facts, OpenRun, Start, Terms, begin_run};
use backout_core::ids::{Digest, RunId};
use backout_core::people::PersonId;
use backout_core::plan::Permission;
use backout_core::policy::Policy;
use backout_core::refusal::{Refusal, RefusalKind};
use backout_core::reply::Offer;
use backout_core::status::Status;

use crate::scene::{now, person, plan, role, step};

/// What a person meets when they want to begin a run.
#[derive(Debug, Clone, Copy)]
struct Case {
    direction: Direction,
    who: &'static str,
    errors: bool,
    closes_way_back: bool,
    left_out: bool,
    confirmed: bool,
    reason: Option<&'static str>,
    again: bool,
    open: &'static str,
}

impl Case {
    fn begin(self, policy: &Policy) -> Result<Terms, Refusal> {
        let plan = &plan("machine");
        let selected = vec![true; plan.steps.len()];
        let closes_way_back = self.closes_way_back;
        let errors = [BrokenRule { id: "BOP-001".to_owned(), closes_way_back }];
        let left_out = ["triggers.page".to_owned()];
        let start = Start {
            plan,
            digest: Digest::ZERO,
            direction: self.direction,
            option: None,
            selected: &selected,
            baselines: None,
            reason: self.reason,
            again: self.again,
            new_run: self.again && self.open.starts_with("unreadable"),
            errors: if self.errors { &errors } else { &[] },
            left_out: if self.left_out { &left_out } else { &[] },
            confirmed: self.confirmed,
        };
        let run = RunId::new("CHG1-1").expect("a name");
        let direction = match self.open {
            "forward" => Some(Direction::Forward),
            "back" => Some(Direction::Back),
            _ => None,
        };
        let awaits_agreement = false;
        let at_work = match self.open {
            "unreadable, coordinator" => Some(AtWork::Coordinator("process 7 on here".to_owned())),
            "unreadable, step" => Some(AtWork::Step(step("undo"))),
            _ => None,
        };
        let open = match self.open {
            "none" => Vec::new(),
            _ => vec![OpenRun { run, direction, awaits_agreement, turned: false, at_work }],
        };
        let (actor, account) = person(self.who);
        let facts =
            Facts { now: now(), forecast: None, policy, accounts: &account, location: None };
        begin_run(&start, &actor, &open, &facts)
    }
}

const OPEN: [&str; 6] =
    ["none", "forward", "back", "unreadable", "unreadable, coordinator", "unreadable, step"];

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for direction in [Direction::Forward, Direction::Back] {
        for who in ["lead", "guest"] {
            for open in OPEN {
                for flags in 0..16 {
                    for reason in [None, Some("because")] {
                        let flag = |bit: u32| flags & (1 << bit) != 0;
                        let (errors, left_out) = (flag(0), flag(1));
                        let (confirmed, again) = (flag(2), flag(3));
                        cases.push(Case {
                            direction,
                            who,
                            errors,
                            closes_way_back: true,
                            left_out,
                            confirmed,
                            reason,
                            again,
                            open,
                        });
                    }
                }
            }
        }
    }
    cases
}

/// Direction × person × open run × what is wrong with the plan × flags: 768 cells.
#[test]
fn every_beginning() {
    let mut table = std::collections::BTreeMap::new();
    for case in cases() {
        let shown = match case.begin(&Policy::default()) {
            Ok(terms) => format!("begins {:?}", terms.confirmed),
            Err(refusal) => {
                let plan = plan("machine");
                let replies = refusal.replies(&plan, None);
                assert!(!replies.is_empty(), "{case:?}: {refusal:?} has no way out");
                let ways: Vec<String> =
                    replies.iter().map(|reply| format!("{:?}", reply.meaning)).collect();
                let name = format!("{refusal:?}");
                let name = name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                format!("{:?} {name}: {}", refusal.kind(), ways.join(", "))
            }
        };
        let Case { direction, who, open, .. } = case;
        let flags = [
            (case.errors, "errors"),
            (case.left_out, "left out"),
            (case.confirmed, "confirmed"),
            (case.again, "again"),
            (case.reason.is_some(), "reason"),
        ];
        let flags: Vec<&str> = flags.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
        let key = format!("{direction:?} | {who} | open: {open} | {shown}");
        table.entry(key).or_insert_with(Vec::new).push(flags.join("+"));
    }
    let mut text = String::new();
    for (key, flags) in table {
        writeln!(text, "{key} | {} cells, such as [{}]", flags.len(), flags[0]).expect("text");
    }
    insta::assert_snapshot!(text);
}

/// A backout is refused to the wrong person, and where another run could repeat its steps;
/// anything else is a question, and its flag is in the log.
#[test]
fn a_backout_begins() {
    for case in cases().into_iter().filter(|case| case.direction == Direction::Back) {
        let lead = case.who == "lead";
        let alone = case.open == "none" || case.again;
        match case.begin(&Policy::default()) {
            Ok(terms) => {
                assert!(lead && alone && case.left_out <= case.confirmed, "{case:?}");
                assert_eq!(terms.confirmed.len(), usize::from(case.left_out), "{case:?}");
            }
            Err(Refusal::Denied { .. }) => assert!(!lead, "{case:?}"),
            Err(Refusal::SecondRun { .. }) => assert!(!alone, "{case:?}"),
            // A run in the place of one that is lost is begun with a reason, and not beside it.
            Err(Refusal::ReasonMissing { .. }) => {
                assert!(case.open.starts_with("unreadable") && case.reason.is_none(), "{case:?}");
            }
            Err(Refusal::AtWork { .. }) => {
                assert!(alone && case.open.starts_with("unreadable, "), "{case:?}");
            }
            Err(refusal) => {
                assert_eq!(refusal.kind(), RefusalKind::Question, "{case:?}: {refusal:?}");
                assert!(case.left_out && !case.confirmed, "{case:?}: {refusal:?}");
                let confirmed = Case { confirmed: true, reason: Some("because"), ..case };
                confirmed.begin(&Policy::default()).expect("what is confirmed begins");
            }
        }
    }
}

/// Before the night, errors of the plan are refused; past them leads one flag with a reason.
#[test]
fn errors_stop_a_deployment() {
    let case = Case {
        direction: Direction::Forward,
        who: "lead",
        errors: true,
        closes_way_back: true,
        left_out: false,
        confirmed: false,
        reason: Some("because"),
        again: false,
        open: "none",
    };
    let refused = case.begin(&Policy::default()).expect_err("errors");
    assert_eq!(refused.kind(), RefusalKind::Refused);
    let anyway = |reply: &backout_core::reply::Reply| {
        matches!(reply.command, Offer::Start { confirmed: true, .. })
    };
    assert!(refused.replies(&plan("machine"), None).iter().any(anyway));
    let silent = Case { confirmed: true, reason: None, ..case };
    let refused = silent.begin(&Policy::default()).expect_err("no reason");
    assert!(matches!(refused, Refusal::ReasonMissing { .. }), "{refused:?}");
    // The others stop it where the policy says so.
    let others = Case { closes_way_back: false, ..case };
    others.begin(&Policy::default()).expect("begins");
    let strict = Policy { plan_errors: false, ..Policy::default() };
    let refused = others.begin(&strict).expect_err("errors");
    assert!(matches!(refused, Refusal::PlanErrors { .. }), "{refused:?}");
    let terms = Case { confirmed: true, ..case }.begin(&Policy::default()).expect("begins");
    assert_eq!(terms.confirmed.len(), 1);
}

/// No run is offered what it cannot take: the log of this one cannot be read.
#[test]
fn an_unreadable_run_is_offered_no_command() {
    for case in cases().into_iter().filter(|case| case.open == "unreadable" && case.who == "lead") {
        let Err(refusal) = case.begin(&Policy::default()) else { continue };
        for reply in refusal.replies(&plan("machine"), None) {
            let reads = matches!(
                reply.command,
                Offer::VerifyLog { .. }
                    | Offer::Recover { .. }
                    | Offer::NewRun { .. }
                    | Offer::Start { .. }
            );
            let of_plan = matches!(reply.command, Offer::CheckPlan);
            assert!(reads || of_plan, "{case:?}: {:?}", reply.command);
        }
    }
}

/// A quorum never asks for more people than there are to go back; for anything else it does.
#[test]
fn a_quorum_closes_no_way_back() {
    let plan = plan("machine");
    let policy = |people| {
        let permissions = [Permission::Invoke, Permission::Decide, Permission::Skip];
        Policy {
            quorum: permissions.map(|permission| (permission, people)).into(),
            ..Policy::default()
        }
    };
    let lead = Person { id: PersonId::Role(role("lead")), roles: [role("lead")].into() };
    let back = [
        Act::Invoke,
        Act::Decide { verb: Verb::BackOut, option: None, lasting: None },
        Act::Decide { verb: Verb::NotFixable, option: None, lasting: None },
    ];
    for people in 1..5 {
        for act in &back {
            // The lead is the only one who may.
            let may = check_authority(&plan, None, &policy(people), &lead, act);
            assert_eq!(may, Authority::Allowed, "{act:?}, {people} people");
        }
        let skip = Act::Skip { step: plan.steps[0].id.clone() };
        let may = check_authority(&plan, None, &policy(people), &lead, &skip);
        assert_eq!(may == Authority::Allowed, people == 1, "{people} people");
    }
    // A team, and a role without a name, can be more people than the plan names.
    let mut open = plan.clone();
    open.roles[0].name = None;
    let may = check_authority(&open, None, &policy(3), &lead, &Act::Invoke);
    assert!(matches!(may, Authority::NeedsMore { more: 2, .. }), "{may:?}");
}

/// Going forward, what a policy wants two people for is not done by the owner of the step alone.
#[test]
fn a_quorum_holds_for_the_owner_of_a_step_too() {
    let (state, step) = crate::scene::run("forward", "machine", Status::Failed).expect("a run");
    let quorum = [(Permission::Retry, 2), (Permission::Resolve, 2)].into();
    let policy = Policy { quorum, ..Policy::default() };
    let plan = &state.planned().plan;
    for owner in ["ann", "bob", "lead"] {
        let person = Person { id: PersonId::Role(role(owner)), roles: [role(owner)].into() };
        for act in [
            Act::Retry { step: step.clone(), new_key: false },
            Act::Resolve { step: step.clone(), answer: Answer::Happened },
        ] {
            let may = check_authority(plan, Some(&state), &policy, &person, &act);
            assert!(matches!(may, Authority::NeedsMore { more: 1, .. }), "{owner}: {may:?}");
        }
    }
}
