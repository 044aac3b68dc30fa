use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;

use backout_core::event::Evidence;
use backout_core::ids::Digest;
use backout_core::moment::moved;
use backout_core::plan::Step;
use backout_engine::clock::Clock;
use backout_engine::hands::Report;

use super::*;
use crate::clock::SystemClock;
use crate::process::Birth;

fn request(epoch: u64) -> Request {
    let step = json!({"id": "restore", "owner": "dba", "run": {"argv": ["true"]}});
    let step: Step = serde_json::from_value(step).expect("a step");
    Request {
        id: AttemptId {
            run: RunId::new("run-1").expect("a name"),
            uid: None,
            step: step.id.clone(),
            attempt: 1,
            action: step.action_digest(),
            intent: Digest::of(b"the record of its intent"),
        },
        step,
        epoch: Epoch(epoch),
        key: "run-1/restore/1".to_owned(),
        folder: "/".to_owned(),
        environment: None,
        sources: std::collections::BTreeMap::new(),
    }
}

fn supervisor() -> Claim {
    Claim::Supervisor {
        pid: 1,
        birth: Birth::of_this_process(),
        id: Some(Box::new(request(1).id)),
        key: None,
        at: None,
    }
}

#[test]
fn a_dispatch_made_after_its_coordinator_was_replaced_is_never_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::new(folder.path());
    let late = request(1);
    ledger.begin_run(&late.id.run, None).expect("begun");
    let seen = ledger.observe(&late.id, Epoch(2)).expect("readable");
    assert_eq!(seen, Observation::NeverAccepted);
    // Now the first coordinator wakes up and dispatches.
    let dispatch = ledger.begin(&late).expect("made");
    assert!(!dispatch.claim(&supervisor()).expect("asked"), "it was accepted");
    // The second one's own dispatch is accepted, and is what a third one finds.
    let dispatch = ledger.begin(&request(2)).expect("made");
    assert!(dispatch.claim(&supervisor()).expect("asked"));
    dispatch.note_end(&late.id, &Report::Done(Default::default())).expect("noted");
    let seen = ledger.observe(&late.id, Epoch(3)).expect("readable");
    assert_eq!(seen, Observation::Ended);
    // Whoever wants to see its output finds the dispatch that was accepted.
    let (_, latest) = ledger.latest(&late.id.run, &late.step.id).expect("readable").expect("one");
    assert_eq!(latest.folder(), dispatch.folder());
}

#[test]
fn an_earlier_term_does_not_fence_a_later_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::new(folder.path());
    let later = request(3);
    ledger.begin_run(&later.id.run, None).expect("begun");
    let dispatch = ledger.begin(&later).expect("made");
    ledger.observe(&later.id, Epoch(2)).expect("readable");
    assert!(dispatch.claim(&supervisor()).expect("asked"), "it was fenced");
}

#[test]
fn what_a_killed_process_left_is_not_written_through() {
    let folder = tempfile::tempdir().expect("a folder");
    let dispatch = Dispatch::at(folder.path());
    assert!(dispatch.claim(&Claim::Fenced).expect("claimed"));
    let left = folder.path().join(format!("claim.{}", std::process::id()));
    fs::hard_link(folder.path().join("claim.json"), left).expect("linked");
    assert!(!dispatch.claim(&supervisor()).expect("asked"));
    assert!(dispatch.is_fenced().expect("readable"));
}

#[test]
fn a_ledger_that_cannot_be_written_is_not_a_lost_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::new(folder.path());
    let request = request(1);
    ledger.begin_run(&request.id.run, None).expect("begun");
    // A file where the folder of the step's dispatches has to be.
    let steps = ledger.run_folder(&request.id.run).join("steps");
    fs::write(steps.join("restore"), "").expect("written");
    let seen = ledger.observe(&request.id, Epoch(2));
    assert!(seen.is_err(), "{seen:?}");
}

/// Every other attempt whose name an entry could bear: none of them passes for this one.
fn others(id: &AttemptId) -> Vec<AttemptId> {
    let uid = RunUid::new("0123456789abcdef0123456789abcdef").ok();
    vec![
        AttemptId { uid, ..id.clone() },
        AttemptId { attempt: id.attempt + 1, ..id.clone() },
        AttemptId { action: Digest::of(b"another action"), ..id.clone() },
        AttemptId { intent: Digest::of(b"another record"), ..id.clone() },
    ]
}

#[test]
fn what_another_attempt_did_is_a_doubt_and_no_outcome() {
    for other in others(&request(1).id) {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::new(folder.path());
        let request = request(1);
        ledger.begin_run(&request.id.run, None).expect("begun");
        let dispatch = ledger.begin(&request).expect("made");
        assert!(dispatch.claim(&supervisor()).expect("asked"));
        dispatch.note_end(&other, &Report::Done(Evidence::default())).expect("noted");
        let report = dispatch.end(&request.id).expect("readable").expect("one");
        let foreign = matches!(report, Report::Doubt { cause: DoubtCause::LedgerForeign, .. });
        assert!(foreign, "{other:?}: {report:?}");
    }
}

#[test]
fn what_another_attempt_claimed_is_a_doubt() {
    for other in others(&request(1).id) {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::new(folder.path());
        let request = request(1);
        ledger.begin_run(&request.id.run, None).expect("begun");
        let dispatch = ledger.begin(&request).expect("made");
        let claim = Claim::Supervisor {
            pid: 1,
            birth: Birth::of_this_process(),
            id: Some(Box::new(other.clone())),
            key: None,
            at: None,
        };
        assert!(dispatch.claim(&claim).expect("asked"));
        let seen = ledger.observe(&request.id, Epoch(1)).expect("readable");
        assert_eq!(seen, Observation::Vanished(DoubtCause::LedgerForeign), "{other:?}");
    }
}

#[test]
fn a_folder_that_exists_is_not_begun_in_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::new(folder.path());
    let request = request(1);
    ledger.begin_run(&request.id.run, None).expect("begun");
    ledger.begin(&request).expect("made");
    ledger.begin(&request).expect_err("it is there");
    let uid = RunUid::new("0123456789abcdef0123456789abcdef").expect("an id");
    ledger.begin_run(&request.id.run, Some(&uid)).expect_err("it is another run's");
    let id = AttemptId { uid: Some(uid), ..request.id.clone() };
    let seen = ledger.observe(&id, Epoch(1)).expect("readable");
    assert_eq!(seen, Observation::Vanished(DoubtCause::LedgerForeign));
    assert_eq!(ledger.runs().expect("readable"), [request.id.run]);
}

/// An open run of an earlier version is taken up with what that version noted.
#[test]
fn what_an_earlier_version_noted_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::new(folder.path());
    let request = request(1);
    let run = ledger.run_folder(&request.id.run);
    fs::create_dir_all(run.join("steps")).expect("made");
    fs::write(run.join("ledger"), "run-1").expect("written");
    let dispatch = ledger.begin(&request).expect("made");
    let claim = r#"{"by":"supervisor","pid":1,"boot":"b"}"#;
    fs::write(dispatch.folder().join("claim.json"), claim).expect("written");
    let report = serde_json::to_vec(&Report::Done(Evidence::default())).expect("data");
    fs::write(dispatch.folder().join("exit.json"), report).expect("written");
    let seen = ledger.observe(&request.id, Epoch(2)).expect("readable");
    assert_eq!(seen, Observation::Ended);
    assert!(matches!(dispatch.end(&request.id), Ok(Some(Report::Done(_)))));
    assert_eq!(ledger.noted(&request.id.run).expect("readable"), []);
    // Of a run with a random id it is another run's.
    let uid = RunUid::new("0123456789abcdef0123456789abcdef").ok();
    let id = AttemptId { uid, ..request.id.clone() };
    assert!(matches!(dispatch.end(&id), Ok(Some(Report::Doubt { .. }))));
}

/// A lock is seen in every PID namespace, a number is not: it may be that of an innocent process.
#[test]
fn only_the_supervisor_itself_is_asked_to_stop() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut process = std::process::Command::new("sleep").arg("600").spawn().expect("sleep");
    let pid = i32::try_from(process.id()).expect("a number");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let start: u64 = stat.split(' ').nth(21).and_then(|it| it.parse().ok()).expect("a number");
    let own = Birth { start, ..Birth::of_this_process() };
    let others = [
        Birth { start: start + 1, ..own.clone() },
        Birth { space: "pid:[1]".to_owned(), ..own.clone() },
        Birth { boot: "another".to_owned(), ..own.clone() },
    ];
    let asked = |name: &str, birth: Birth, locked: bool| {
        let at = folder.path().join(name);
        fs::create_dir_all(&at).expect("made");
        let dispatch = Dispatch::at(&at);
        let _lock = locked.then(|| dispatch.lock_supervisor().expect("taken"));
        dispatch
            .claim(&Claim::Supervisor { pid, birth, id: None, key: None, at: None })
            .expect("claimed");
        dispatch.ask_to_stop()
    };
    for (name, birth) in ["start", "space", "boot"].into_iter().zip(others) {
        assert!(!asked(name, birth, true), "{name}");
    }
    assert!(!asked("dead", own.clone(), false), "no supervisor lives");
    assert_eq!(process.try_wait().expect("a child"), None, "it was hit");
    assert!(asked("own", own, true));
    process.wait().expect("it ended");
}

/// The clock on the wall was set by hours since it was accepted: its time-out does not see that.
#[test]
fn a_time_out_is_counted_on_a_clock_that_does_not_jump() {
    let now = SystemClock.moment();
    for hours in [-3, 3] {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::new(folder.path());
        let mut request = request(1);
        request.step = serde_json::from_value(json!({
            "id": "restore", "owner": "dba", "run": {"argv": ["true"], "timeout": "1h"},
        }))
        .expect("a step");
        ledger.begin_run(&request.id.run, None).expect("begun");
        let dispatch = ledger.begin(&request).expect("made");
        let claimed = |ago_ms: i64| {
            let mut at = now.clone();
            at.wall = moved(at.wall, SignedDuration::from_hours(hours));
            let steady = at.steady.as_mut().expect("this machine has one");
            steady.ms -= ago_ms;
            Claim::Supervisor {
                pid: 1,
                birth: Birth::of_this_process(),
                id: Some(Box::new(request.id.clone())),
                key: None,
                at: Some(at),
            }
        };
        assert!(dispatch.claim(&claimed(60_000)).expect("asked"));
        assert_eq!(dispatch.overdue(), None, "{hours} h");
        fs::remove_file(dispatch.folder().join("claim.json")).expect("removed");
        assert!(dispatch.claim(&claimed(7_200_000)).expect("asked"));
        let late = dispatch.overdue().expect("an hour too late");
        assert!(late >= Duration::from_secs(3600) && late < Duration::from_secs(7200), "{late:?}");
    }
}

/// A supervisor that comes late, after another one did the work, empties nothing.
#[tokio::test]
async fn who_comes_late_touches_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::new(folder.path());
    let request = request(1);
    ledger.begin_run(&request.id.run, None).expect("begun");
    let dispatch = ledger.begin(&request).expect("made");
    assert!(dispatch.claim(&supervisor()).expect("asked"));
    fs::write(dispatch.folder().join("stdout"), "restored 5000 rows").expect("written");
    let late = crate::supervise::supervise(dispatch.folder(), &mut None).await;
    assert!(late.is_err_and(|error| error.to_string().contains("before")));
    let kept = fs::read_to_string(dispatch.folder().join("stdout")).expect("there");
    assert_eq!(kept, "restored 5000 rows");
}

/// Without its claim an attempt looks like one that was never accepted; what it printed tells.
#[test]
fn a_lost_claim_is_a_doubt_where_the_attempt_left_anything() {
    for left in ["stdout", "stderr", "exit.json", ""] {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::new(folder.path());
        let request = request(1);
        ledger.begin_run(&request.id.run, None).expect("begun");
        let dispatch = ledger.begin(&request).expect("made");
        assert!(dispatch.claim(&supervisor()).expect("asked"));
        for name in ["stdout", "stderr"] {
            dispatch.output(name).expect("made");
        }
        match left {
            "exit.json" => {
                let done = Report::Done(Default::default());
                dispatch.note_end(&request.id, &done).expect("noted");
            }
            "" => {}
            name => fs::write(dispatch.folder().join(name), "x").expect("written"),
        }
        fs::remove_file(dispatch.folder().join("claim.json")).expect("there");
        let seen = ledger.observe(&request.id, Epoch(2)).expect("readable");
        let lost = Observation::Vanished(DoubtCause::LedgerLost);
        assert_eq!(seen, if left.is_empty() { Observation::NeverAccepted } else { lost }, "{left}");
    }
}

/// A stop ends a command; a restore or a request is heard to its end, however long that takes.
#[test]
fn only_a_command_ends_as_soon_as_it_is_asked_to() {
    for (action, ends) in [
        (serde_json::json!({"run": {"argv": ["true"]}}), true),
        (serde_json::json!({"http": {"method": "POST", "url": "http://127.0.0.1:1/"}}), false),
        (serde_json::json!({"sql": {"source": "db", "execute": "select 1"}}), false),
        (serde_json::json!({"restore_tree": {"from": "a", "to": "b"}}), false),
        (serde_json::json!({"copy": {"from": "a", "to": "b"}}), false),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::new(folder.path());
        let mut request = request(1);
        let mut step = action.clone();
        step["id"] = "restore".into();
        request.step = serde_json::from_value(step).expect("a step");
        ledger.begin_run(&request.id.run, None).expect("begun");
        let dispatch = ledger.begin(&request).expect("made");
        assert_eq!(dispatch.ends_when_asked(), ends, "{action}");
    }
}

/// The mark of a ledger that cannot be read closes no way on.
#[test]
fn a_damaged_mark_is_written_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::new(folder.path());
    let run = request(1).id.run;
    ledger.begin_run(&run, None).expect("begun");
    fs::write(ledger.run_folder(&run).join("ledger"), "garbage").expect("written");
    assert!(!ledger.is_begun(&run));
    assert_eq!(ledger.problems(&run).len(), 1);
    ledger.begin_run(&run, None).expect("begun again");
    assert!(ledger.is_begun(&run));
}
