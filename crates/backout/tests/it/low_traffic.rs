//! `watch --replay` under low traffic: what breaks fires, and too little to see is not well.

use crate::stage::Stage;

const BEGAN: u32 = 1_700_000_000;

/// A plan with one ratio of this limit, looked at every minute, and a record of one row a
/// minute: bad and all events.
fn replay(limit: &str, lasting: &str, rows: &[(u32, u32)], code: i32) -> serde_json::Value {
    let stage = Stage::new();
    stage.plan_with(
        "  - {id: back, owner: ann, takes: 5m, manual: Go back}\n",
        &format!(
            "sources: {{metrics: {{prometheus: \"http://127.0.0.1:9\"}}}}\nwatch: {{window: 4h, grace: 3m, false_alarms: 1%}}\ntriggers:\n  r: {{severity: critical, every: 1m, for: {lasting}, ratio: {{source: metrics, bad: b, total: t, limit: {limit}}}}}\n"
        ),
    );
    let mut record = "time,trigger,bad,total\n".to_owned();
    for (time, (bad, total)) in (BEGAN..).step_by(60).zip(rows) {
        record.push_str(&format!("{time},r,{bad},{total}\n"));
    }
    stage.write("low.csv", &record);
    stage.say("watch plan.backout.yaml --replay low.csv --json").expect(code).json()
}

/// The minute in which it first fires; the first one is 1.
fn minute(found: &serde_json::Value) -> Option<u32> {
    let fired = found["triggers"][0]["first_firing"].as_str()?;
    let fired: jiff::Timestamp = fired.parse().expect("a time");
    u32::try_from((fired.as_second() - i64::from(BEGAN)) / 60 + 1).ok()
}

/// The minutes are those at which the formulas alone reach `241 / 1 %`, computed apart.
#[test]
fn an_outage_fires_at_one_request_a_minute() {
    for (limit, minutes) in [("1%", [3, 7, 63, 4]), ("2%", [4, 9, 64, 6]), ("5%", [5, 13, 64, 7])] {
        let rows = |row: fn(u32) -> (u32, u32)| (0..240).map(row).collect::<Vec<_>>();
        let outages = [
            rows(|_| (1, 1)),
            rows(|minute| (u32::from(minute % 2 == 0), 1)),
            rows(|minute| (u32::from(minute >= 60), 1)),
            rows(|minute| if minute % 4 == 0 { (0, 0) } else { (1, 1) }),
        ];
        let found = outages.map(|rows| {
            let found = replay(limit, "0s", &rows, 1);
            assert_eq!(found["verdict"], "failed");
            minute(&found)
        });
        assert_eq!(found, minutes.map(Some), "{limit}");
    }
}

#[test]
fn an_outage_with_a_time_to_last_fires_when_that_is_over() {
    let every_other: Vec<_> = (0..240).map(|minute| (u32::from(minute % 2 == 0), 1)).collect();
    let rare: Vec<_> = (0..240).map(|minute| (u32::from(minute % 10 == 0), 1)).collect();
    let silent: Vec<_> = rare.iter().map(|(bad, _)| (*bad, *bad)).collect();
    for (rows, expected) in [(vec![(1, 1); 240], 21), (every_other, 21), (silent, 21)] {
        assert_eq!(minute(&replay("1%", "20m", &rows, 1)), Some(expected));
    }
}

/// Too few requests to say anything: neither an alarm nor a pass.
#[test]
fn too_few_requests_are_not_well() {
    for (rows, ended) in [
        (vec![(0, 1); 240], "insufficient"),
        ([vec![(0, 1); 30], vec![(1, 1)], vec![(0, 1); 209]].concat(), "insufficient"),
        (vec![(0, 0); 240], "insufficient"),
        ([vec![(0, 1); 238], vec![(1, 1); 2]].concat(), "insufficient"),
    ] {
        let found = replay("1%", "0s", &rows, 20);
        assert_eq!(found["triggers"][0]["ended"], ended);
        assert_eq!(found["verdict"], "inconclusive");
        assert_eq!(found["triggers"][0]["changes"].as_array().map(Vec::len), Some(0));
    }
    assert_eq!(replay("1%", "0s", &[(0, 2); 240], 0)["triggers"][0]["ended"], "ok");
}
