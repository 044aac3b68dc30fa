//! A planned restart within a stage: what it restarts has no data for a while.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;

use crate::stage::Stage;

/// A simulated Prometheus that knows a value while a file is there; its address.
fn prometheus(value: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { continue };
            // The request is a line and its heads; what it asks is always the same.
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\n") && connection.read_exact(&mut byte).is_ok() {
                request.extend(byte);
            }
            let found = std::fs::read_to_string(&value).unwrap_or_default();
            let series = match found.trim() {
                "" => String::new(),
                value => format!(r#"{{"metric":{{}},"value":[1.0,"{value}"]}}"#),
            };
            let body = format!(
                r#"{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}"#
            );
            let length = body.len();
            let _ = write!(
                connection,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
        }
    });
    address
}

/// A plan whose second stage does this to the value that is watched.
fn stage(grace: &str, restart: &str) -> Stage {
    let stage = Stage::new();
    let address = prometheus(stage.path("value"));
    stage.write("value", "1");
    stage.plan_with(
        "  - {id: back, owner: ann, takes: 1s, run: {shell: \"true\"}, verify: {run: {argv: [\"true\"]}}}\n",
        &format!(
            "sources: {{metrics: {{prometheus: \"{address}\"}}}}\nwatch: {{window: 1s, grace: {grace}}}\ntriggers:\n  errors: {{severity: critical, every: 200ms, for: 0s, gauge: {{source: metrics, query: errors, limit: \"> 5\"}}}}\nstages:\n  - {{id: first, owner: ann, takes: 1s, run: {{shell: sleep 1}}, verify: {{run: {{argv: [\"true\"]}}}}, undone_by: [back]}}\n  - {{id: restart, owner: ann, takes: 4s, run: {{shell: '{restart}'}}, verify: {{run: {{argv: [\"true\"]}}}}, undone_by: [back]}}\ndecision:\n  critical: {{action: back-out, by: lead, within: 5m}}\n"
        ),
    );
    stage
}

/// The states the trigger went through, and how often a person was asked.
fn course(stage: &Stage) -> (Vec<String>, usize) {
    let log = stage.say("log CHG7 --json").out;
    let (mut states, mut asked) = (Vec::new(), 0);
    for line in log.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("an event");
        match event["event"].as_str() {
            Some("trigger_changed") => states.push(event["to"].as_str().expect("it").to_owned()),
            Some("decision_requested") => asked += 1,
            _ => {}
        }
    }
    (states, asked)
}

const DEPLOY: [&str; 4] = ["deploy", "plan.backout.yaml", "--as", "lead"];

#[test]
fn a_planned_restart_is_no_breach_within_the_grace() {
    let stage = stage("60s", "rm value; sleep 2; echo 1 > value");
    stage.tell(&DEPLOY).expect(0).says("found well");
    let went = ["ok", "insufficient", "ok"].map(str::to_owned).to_vec();
    assert_eq!(course(&stage), (went, 0));
}

/// A restart that takes longer, data that never comes back, and a restart after which all is
/// bad: a person is asked about each, and none is found well.
#[test]
fn the_grace_covers_nothing_else() {
    for (grace, restart, went) in [
        ("300ms", "rm value; sleep 2; echo 1 > value", vec!["ok", "no_data"]),
        ("60s", "rm value", vec!["ok", "insufficient"]),
        ("60s", "rm value; sleep 2; echo 9 > value", vec!["ok", "insufficient", "firing"]),
    ] {
        let stage = stage(grace, restart);
        let _coordinator = stage.start(&DEPLOY);
        stage.until("a person is asked", |stage| course(stage).1 == 1);
        let (states, _) = course(&stage);
        assert_eq!(states[..went.len()], went, "{grace}, {restart}");
        assert!(!stage.say("log CHG7").out.contains("found well"));
    }
}
