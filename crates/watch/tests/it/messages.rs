//! Messages of other systems: a real Alertmanager, and anybody else.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use backout_watch::receive::{Message, Receiver, Take, sign};

fn collecting() -> (Take, Arc<Mutex<Vec<Message>>>) {
    let taken: Arc<Mutex<Vec<Message>>> = Arc::default();
    let kept = Arc::clone(&taken);
    let take: Take = Arc::new(move |message| {
        kept.lock().expect("the only lock").push(message);
        Ok(())
    });
    (take, taken)
}

/// Sends a request as it is written; the status and the text of the answer.
fn post(to: SocketAddr, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(to).expect("it listens");
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{request}\r\n{body}").as_bytes()).expect("sent");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    (status, answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
}

#[test]
fn nothing_is_let_in_that_is_not_known() {
    let (take, taken) = collecting();
    assert!(Receiver::listen("127.0.0.1:0", " ", Arc::clone(&take)).is_err(), "no secret at all");
    let receiver = Receiver::listen("127.0.0.1:0", "s3cret", take).expect("it listens");
    let to = receiver.address();
    let body = r#"{"alert": "X", "firing": true}"#;
    let now = jiff::Timestamp::now().as_second();
    let (at, good) = (now.to_string(), sign("s3cret", now, body.as_bytes()));
    let old = now - 400;
    let (old_at, late) = (old.to_string(), sign("s3cret", old, body.as_bytes()));
    for (path, headers, status) in [
        ("/alert", vec![], 401),
        ("/alert", vec![("X-Backout-Signature", good.as_str())], 401),
        (
            "/alert",
            vec![("X-Backout-Timestamp", at.as_str()), ("X-Backout-Signature", "sha256=00")],
            401,
        ),
        ("/alert", vec![("X-Backout-Timestamp", &old_at), ("X-Backout-Signature", &late)], 401),
        ("/alertmanager", vec![("Authorization", "Bearer other")], 401),
        ("/alertmanager", vec![("Authorization", "Bearer s3cret")], 400),
        ("/elsewhere", vec![], 404),
    ] {
        assert_eq!(post(to, path, &headers, body).0, status, "{path} {headers:?}");
    }
    assert_eq!(*taken.lock().expect("the only lock"), []);
    let signed = [("X-Backout-Timestamp", at.as_str()), ("x-backout-signature", good.as_str())];
    assert_eq!(post(to, "/alert", &signed, body), (200, "taken in\n".to_owned()));
    assert_eq!(taken.lock().expect("the only lock").len(), 1);
    let stage = r#"{"stage": "open", "result": "perhaps"}"#;
    let signature = sign("s3cret", now, stage.as_bytes());
    let signed =
        [("X-Backout-Timestamp", at.as_str()), ("X-Backout-Signature", signature.as_str())];
    let (status, said) = post(to, "/stage", &signed, stage);
    assert_eq!(status, 400);
    assert!(said.contains("unknown variant `perhaps`"), "{said}");
}

#[test]
fn a_real_alertmanager_is_understood() {
    if Command::new("prometheus-alertmanager").arg("--version").output().is_err() {
        println!("NOT RUN: alerts of a real Alertmanager: prometheus-alertmanager");
        return;
    }
    let (take, taken) = collecting();
    let receiver = Receiver::listen("127.0.0.1:0", "s3cret", take).expect("it listens");
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!(
        "route: {{receiver: backout, group_wait: 10ms, group_interval: 100ms, repeat_interval: 1h}}\nreceivers: [{{name: backout, webhook_configs: [{{url: \"http://{}/alertmanager\", send_resolved: true, http_config: {{authorization: {{credentials: s3cret}}}}}}]}}]\n",
        receiver.address()
    );
    std::fs::write(folder.path().join("config.yml"), config).expect("written");
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let mut server = Command::new("prometheus-alertmanager")
        .args([
            "--config.file=config.yml",
            "--storage.path=data",
            "--cluster.listen-address=",
            "--log.level=error",
        ])
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let limit = Instant::now() + Duration::from_secs(60);
    let until = |what: &str, so: &dyn Fn() -> bool| {
        while !so() {
            assert!(Instant::now() < limit, "it never came to: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until("it listens", &|| TcpStream::connect(address).is_ok());
    let send = |ends: &str| {
        let alert =
            format!(r#"[{{"labels": {{"alertname": "LoginsFail", "job": "portal"}}{ends}}}]"#);
        let sent = [("Content-Type", "application/json")];
        assert_eq!(post(address, "/api/v2/alerts", &sent, &alert).0, 200);
    };
    let heard = |wanted: bool| {
        taken.lock().expect("the only lock").iter().any(|message| {
            matches!(message, Message::Alert { name, labels, firing }
                if name == "LoginsFail" && labels["job"] == "portal" && *firing == wanted)
        })
    };
    send("");
    until("the alert", &|| heard(true));
    assert!(!heard(false));
    let past = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(1);
    send(&format!(r#", "endsAt": "{past}""#));
    until("its end", &|| heard(false));
    let _ = server.kill();
    let _ = server.wait();
}
