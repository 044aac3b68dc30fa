//! Where messages of other systems come in, seen from outside.

use std::net::TcpListener;

use crate::stage::Stage;

const STEPS: &str = "  - {id: close, title: Close it, owner: ann, takes: 2m, manual: Close it.}\n";

fn more(address: &str) -> String {
    format!(
        "stages:\n  - {{id: open, title: Open it, owner: ann, takes: 5m, external: Jenkins, undone_by: [close]}}\nwatch: {{window: 1h, receive: {{listen: \"{address}\", secret: \"file:secret\"}}}}\n"
    )
}

/// What would keep a coordinator from hearing anything is found before anything begins.
#[test]
fn nothing_begins_where_nothing_could_be_heard() {
    let stage = Stage::new();
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("bound").to_string();
    stage.plan_with(STEPS, &more(&address));
    let deploy = ["deploy", "plan.backout.yaml", "--as", "lead"];
    let refused = |says: &str| {
        let told = stage.tell(&deploy).expect(30);
        told.says(says).says("hint:").says("watch.receive");
        assert!(!told.err.contains("os error 98"), "{}", told.err);
        assert!(!stage.say("runs").out.contains("CHG7-1"), "nothing is in any log");
    };
    refused("secret");
    stage.write("secret", " \n");
    refused("the secret of `receive` is empty");
    stage.write("secret", "correct horse\n");
    refused(&format!("another program listens at {address} already"));
    stage.plan_with(STEPS, &more("203.0.113.9:9099"));
    refused("203.0.113.9:9099 is no address of this machine");
}

/// A port nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

/// Sends a signed message; what the coordinator answers.
pub(crate) fn send(port: u16, path: &str, secret: &str, body: &str) -> String {
    use std::io::{Read, Write};
    let at = jiff::Timestamp::now().as_second();
    let signature = backout_watch::receive::sign(secret, at, body.as_bytes());
    let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else {
        return String::new();
    };
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\nX-Backout-Timestamp: {at}\r\nX-Backout-Signature: {signature}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// What another system said before a stage is not about what that stage brings.
#[test]
fn an_alert_from_before_is_about_something_else() {
    let port = free_port();
    let stages = "stages:\n  - {id: wait, title: Wait, owner: ann, takes: 1m, run: {shell: until test -e go; do sleep 0.05; done}, effect: idempotent}\n  - {id: open, title: Open, owner: ann, takes: 1m, run: {shell: mv up down}, effect: opaque, bake: 1s, verify: {file: {path: down}}, undone_by: [close]}\n";
    let more = format!(
        "{stages}watch: {{window: 1s, receive: {{listen: \"127.0.0.1:{port}\", secret: \"file:secret\"}}}}\ntriggers:\n  pager: {{severity: critical, every: 100ms, from: open, webhook: {{alert: PortalDown}}}}\n  new: {{severity: critical, every: 100ms, from: open, probe: {{file: {{path: down}}}}}}\ndecision:\n  critical: {{action: back-out, by: lead, automatic: true}}\n"
    );
    let close = "  - {id: close, title: Close, owner: ann, takes: 2m, run: {shell: mv down up}, effect: opaque, verify: {file: {path: up}}}\n";
    let stage = Stage::new();
    stage.plan_with(close, &more);
    stage.write("up", "");
    stage.write("secret", "correct horse\n");
    // `wait` has no way back and needs none: it only waits.
    let deploy = ["deploy", "plan.backout.yaml", "--as", "lead", "--anyway", "--reason", "why"];
    let mut running = stage.start(&deploy);
    stage.until("the first stage", |stage| stage.is_step("wait", "running"));
    for firing in ["true", "false"] {
        let said = format!("{{\"alert\": \"PortalDown\", \"firing\": {firing}}}");
        let answer = send(port, "/alert", "correct horse", &said);
        assert!(answer.contains("200"), "{answer}");
    }
    stage.write("go", "");
    assert_eq!(running.code(), Some(0));
    assert!(!stage.say("log CHG7").out.contains("FIRING"));
}
