//! Messages of other systems: a real Alertmanager, and anybody else.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use backout_core::event::Event;
use backout_core::watch::State;
use backout_watch::receive::{Alert, Message, Once, Receiver, Take, Taken, sign};
use backout_watch::{Board, Ear, News, Setting, Watcher};
use serde_json::json;

use crate::{plan, world};

fn collecting() -> (Take, Arc<Mutex<Vec<Message>>>) {
    let taken: Arc<Mutex<Vec<Message>>> = Arc::default();
    let kept = Arc::clone(&taken);
    let take: Take = Arc::new(move |message| {
        kept.lock().expect("the only lock").push(message);
        Taken::In
    });
    (take, taken)
}

fn once() -> Once {
    let seen = Mutex::new(std::collections::BTreeSet::new());
    Arc::new(move |signature, _| {
        Ok(seen.lock().expect("the only lock").insert(signature.to_owned()))
    })
}

fn listen(take: Take) -> Receiver {
    Receiver::listen("127.0.0.1:0", "s3cret", take, once()).expect("it listens")
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
    assert!(
        Receiver::listen("127.0.0.1:0", " ", Arc::clone(&take), once()).is_err(),
        "no secret at all"
    );
    let receiver = listen(take);
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
    // The same once more is somebody else's, however it is written.
    let loud = good.to_ascii_uppercase().replace("SHA", "sha");
    for again in [&good, &loud] {
        let signed = [("X-Backout-Timestamp", at.as_str()), ("X-Backout-Signature", again)];
        let (status, said) = post(to, "/alert", &signed, body);
        assert_eq!((status, said.contains("came before")), (409, true), "{said}");
    }
    assert_eq!(taken.lock().expect("the only lock").len(), 1);
    let stage = r#"{"stage": "open", "result": "perhaps"}"#;
    let signature = sign("s3cret", now, stage.as_bytes());
    let signed =
        [("X-Backout-Timestamp", at.as_str()), ("X-Backout-Signature", signature.as_str())];
    let (status, said) = post(to, "/stage", &signed, stage);
    assert_eq!(status, 400);
    assert!(said.contains("unknown variant `perhaps`"), "{said}");
}

/// A digit may be written with a sign, as far as some readers of figures go: `+f` for `0f`.
#[test]
fn no_other_way_to_write_a_signature_counts_again() {
    let (take, taken) = collecting();
    let receiver = listen(take);
    let now = jiff::Timestamp::now().as_second();
    // Most signatures have a byte below 16 somewhere.
    let bodies = (0..200).map(|n| format!(r#"{{"alert": "X{n}", "firing": true}}"#));
    let signed = bodies.map(|body| (sign("s3cret", now, body.as_bytes()), body));
    let tricky = signed.into_iter().find_map(|(good, body)| {
        let hex = good.strip_prefix("sha256=")?;
        let at = (0..hex.len()).step_by(2).find(|at| hex[*at..].starts_with('0'))?;
        let mut other = hex.to_owned();
        other.replace_range(at..=at, "+");
        Some((good.clone(), format!("sha256={other}"), body))
    });
    let (good, other, body) = tricky.expect("one of them");
    let at = now.to_string();
    let send = |signature: &str| {
        let signed = [("X-Backout-Timestamp", at.as_str()), ("X-Backout-Signature", signature)];
        post(receiver.address(), "/alert", &signed, &body).0
    };
    assert_eq!((send(&good), send(&other)), (200, 401));
    let mixed = good.replace('a', "A").replace("shA", "sha");
    assert_eq!(send(&mixed), 409);
    assert_eq!(taken.lock().expect("the only lock").len(), 1);
}

#[test]
fn a_real_alertmanager_is_understood() {
    if Command::new("prometheus-alertmanager").arg("--version").output().is_err() {
        println!("NOT RUN: alerts of a real Alertmanager: prometheus-alertmanager");
        return;
    }
    let (take, taken) = collecting();
    let receiver = listen(take);
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
            let Message::Alerts(alerts) = message else { return false };
            alerts.iter().any(|alert| {
                alert.name == "LoginsFail"
                    && alert.labels["job"] == "portal"
                    && alert.firing == wanted
            })
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

/// A plan with one trigger over an alert, looked at this often.
fn pager(every: &str) -> backout_core::plan::Plan {
    let webhook = json!({"alert": "PortalDown", "labels": {"service": "portal"}});
    let trigger = json!({"every": every, "recovers_after": "100ms", "webhook": webhook});
    plan("http://127.0.0.1:9", &json!({"pager": trigger}))
}

fn alert(name: &str, instance: &str, firing: bool) -> Alert {
    let labels = [("service", "portal"), ("instance", instance)];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Alert { name: name.to_owned(), labels, firing, at: None }
}

/// Waits until the trigger has come to a state, and what it came by.
async fn comes_to(news: &mut News, wanted: State) -> Vec<State> {
    let mut seen = Vec::new();
    let comes = async {
        while seen.last() != Some(&wanted) {
            for event in news.recv().await.expect("news") {
                let Event::TriggerChanged { to, .. } = event else { continue };
                seen.push(to);
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(20), comes).await;
    assert_eq!(seen.last(), Some(&wanted), "{seen:?}");
    seen
}

fn hear(ear: &Ear, alerts: &[Alert]) -> usize {
    ear.heard(alerts).expect("kept")
}

#[tokio::test]
async fn a_trigger_fires_while_any_of_its_alerts_does() {
    let plan = pager("50ms");
    let (watcher, mut news) = Watcher::begin(Setting::new(&plan, world(&plan)));
    let ear = watcher.ear();
    // What is not the plan's keeps nothing else from being heard.
    let batch = [
        alert("Other", "a", true),
        alert("PortalDown", "a", true),
        alert("PortalDown", "b", false),
    ];
    assert_eq!(hear(&ear, &batch), 2);
    comes_to(&mut news, State::Firing).await;
    assert_eq!(hear(&ear, &[alert("PortalDown", "c", true)]), 1);
    assert_eq!(hear(&ear, &[alert("PortalDown", "a", false)]), 1);
    let still = tokio::time::timeout(Duration::from_millis(400), news.recv()).await;
    assert!(still.is_err(), "{still:?}");
    assert_eq!(hear(&ear, &[alert("PortalDown", "c", false)]), 1);
    comes_to(&mut news, State::Recovering).await;
    assert_eq!(hear(&ear, &[alert("Other", "a", true)]), 0);
}

#[tokio::test]
async fn an_alert_that_is_over_before_the_next_look_has_fired() {
    let plan = pager("1s");
    let (watcher, mut news) = Watcher::begin(Setting::new(&plan, world(&plan)));
    comes_to(&mut news, State::NoData).await;
    assert_eq!(hear(&watcher.ear(), &[alert("PortalDown", "a", true)]), 1);
    assert_eq!(hear(&watcher.ear(), &[alert("PortalDown", "a", false)]), 1);
    comes_to(&mut news, State::Firing).await;
    comes_to(&mut news, State::Recovering).await;
}

/// Whether any alert of a trigger fires, once these messages came in this order.
fn fires_after(messages: &[Alert]) -> bool {
    let plan = pager("1h");
    let (watcher, _news) = Watcher::begin(Setting::new(&plan, world(&plan)));
    for message in messages {
        hear(&watcher.ear(), std::slice::from_ref(message));
    }
    watcher.board().heard.alerts.values().any(|alerts| !alerts.firing.is_empty())
}

#[tokio::test]
async fn an_end_that_comes_late_ends_nothing_that_began_since() {
    let at = |second: i64| jiff::Timestamp::from_second(1_780_000_000 + second).ok();
    let said = |firing, second| Alert { at: at(second), ..alert("PortalDown", "a", firing) };
    assert!(!fires_after(&[said(true, 10), said(false, 10)]), "the same second");
    assert!(!fires_after(&[said(true, 10), said(false, 20)]));
    assert!(fires_after(&[said(true, 10), said(false, 9)]), "the end of an earlier one");
    assert!(fires_after(&[said(true, 10), said(true, 5), said(false, 7)]));
    assert!(fires_after(&[said(true, 10), said(false, 20), said(true, 30), said(false, 20)]));
    // Each set of labels has a time of its own; who says none comes in order.
    let other = Alert { at: at(99), ..alert("PortalDown", "b", true) };
    assert!(!fires_after(&[
        said(true, 10),
        other.clone(),
        said(false, 11),
        Alert { firing: false, ..other }
    ]));
    assert!(!fires_after(&[said(true, 10), alert("PortalDown", "a", false)]));
    assert!(!fires_after(&[alert("PortalDown", "a", true), said(false, 1)]));
}

#[test]
fn alerts_carry_their_moment() {
    let (take, taken) = collecting();
    let receiver = listen(take);
    let known = [("Authorization", "Bearer s3cret")];
    let labels = json!({"alertname": "X"});
    let (began, ended) = ("2026-06-06T02:00:00.5Z", "2026-06-06T04:05:00+02:00");
    let alerts = json!([
        {"status": "firing", "labels": labels, "startsAt": began, "endsAt": "0001-01-01T00:00:00Z"},
        {"status": "resolved", "labels": labels, "startsAt": began, "endsAt": ended},
        {"status": "resolved", "labels": labels, "startsAt": began},
        {"status": "resolved", "labels": labels, "startsAt": "who knows"},
    ]);
    let body = json!({"version": "4", "alerts": alerts}).to_string();
    assert_eq!(post(receiver.address(), "/alertmanager", &known, &body).0, 200);
    let (now, body) = (jiff::Timestamp::now().as_second(), r#"{"alert": "X", "firing": true}"#);
    let (at, signature) = (now.to_string(), sign("s3cret", now, body.as_bytes()));
    let signed = [("X-Backout-Timestamp", at.as_str()), ("X-Backout-Signature", &signature)];
    assert_eq!(post(receiver.address(), "/alert", &signed, body).0, 200);
    let taken = taken.lock().expect("the only lock");
    let moments = taken.iter().flat_map(|message| match message {
        Message::Alerts(alerts) => alerts.iter().map(|alert| alert.at).collect(),
        Message::Stage(_) => Vec::new(),
    });
    let time = |text: &str| text.parse().ok();
    let signed = jiff::Timestamp::from_second(now).ok();
    let wanted = [time(began), time(ended), time(began), None, signed];
    assert_eq!(moments.collect::<Vec<_>>(), wanted);
}

#[tokio::test]
async fn what_was_heard_is_on_disk_before_it_is_answered() {
    let plan = pager("1h");
    let folder = tempfile::tempdir().expect("a folder");
    let file = Board::file(folder.path());
    let setting = || Setting { file: Some(file.clone()), ..Setting::new(&plan, world(&plan)) };
    let (watcher, _news) = Watcher::begin(setting());
    assert_eq!(hear(&watcher.ear(), &[alert("PortalDown", "a", true)]), 1);
    let kept = Board::load(&file).expect("readable").expect("there");
    // Nobody had the time to end anything.
    std::mem::forget(watcher);
    let (watcher, mut news) = Watcher::begin(Setting { board: kept, ..setting() });
    let first = comes_to(&mut news, State::Firing).await;
    assert!(!first.contains(&State::NoData), "{first:?}");
    // A board that was kept before it was known since when an alert fires is read all the same.
    let old = json!({"alerts": {"pager": {"firing": [{"service": "portal"}], "unseen": true}}});
    let old: backout_watch::heard::Heard = serde_json::from_value(old).expect("an old board");
    assert!(old.alerts.values().all(|alerts| alerts.since.is_empty()));
    // So is which signatures came, for much longer than their messages are let in.
    assert!(watcher.ear().first("sha256=00", 1_780_000_000).expect("kept"));
    let kept = Board::load(&file).expect("readable").expect("there");
    let (next, _news) = Watcher::begin(Setting { board: kept, ..setting() });
    assert!(!next.ear().first("sha256=00", 1_780_000_700).expect("kept"));
    // Where nothing can be kept, nothing is confirmed.
    let nowhere = folder.path().join("gone/watch.json");
    let lost = Setting { file: Some(nowhere), ..Setting::new(&plan, world(&plan)) };
    let (unkept, _news) = Watcher::begin(lost);
    assert!(unkept.ear().heard(&[alert("PortalDown", "a", true)]).is_err());
    drop(watcher);
}

#[test]
fn a_notification_about_anything_else_is_no_mistake() {
    let take: Take = Arc::new(|_| Taken::NotOurs("nobody waits".to_owned()));
    let receiver = listen(take);
    let body =
        r#"{"version": "4", "alerts": [{"status": "firing", "labels": {"alertname": "X"}}]}"#;
    let known = [("Authorization", "Bearer s3cret")];
    let answer = post(receiver.address(), "/alertmanager", &known, body);
    assert_eq!(answer, (200, "nobody waits\n".to_owned()));
}

#[test]
fn what_was_left_out_of_a_notification_is_not_passed_over() {
    let (take, taken) = collecting();
    let receiver = listen(take);
    let body = r#"{"version": "4", "truncatedAlerts": 3, "alerts": [{"status": "firing", "labels": {"alertname": "X"}}]}"#;
    let known = [("Authorization", "Bearer s3cret")];
    let (status, why) = post(receiver.address(), "/alertmanager", &known, body);
    assert_eq!(status, 422);
    assert!(why.starts_with("3 alerts were left out"), "{why}");
    assert_eq!(taken.lock().expect("the only lock").len(), 1, "what is there counts");
}

fn is_answered(to: SocketAddr, status: u16) {
    let known = [("Authorization", "Bearer s3cret")];
    let body = r#"{"version": "4", "alerts": []}"#;
    let begun = Instant::now();
    assert_eq!(post(to, "/alertmanager", &known, body).0, status);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// Sends the beginning of something and keeps the connection open.
fn begins(to: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(to).expect("it listens");
    stream.write_all(text.as_bytes()).expect("sent");
    stream
}

#[test]
fn whoever_sends_slowly_holds_up_nobody() {
    let (take, _taken) = collecting();
    let receiver = listen(take);
    let to = receiver.address();
    let unknown = "POST /alertmanager HTTP/1.1\r\nContent-Length: 5000\r\n\r\n{";
    let known = "POST /alertmanager HTTP/1.1\r\nAuthorization: Bearer s3cret\r\nContent-Length: 5000\r\n\r\n{";
    // Who is not known is not waited for.
    let mut refused = begins(to, unknown);
    let mut answer = String::new();
    let _ = refused.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let mut slow = vec![begins(to, known)];
    slow.extend((0..200).map(|_| begins(to, "POST /alertmanager HTT")));
    is_answered(to, 200);
    let begun = Instant::now();
    drop(receiver);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    // Somebody else can listen there at once.
    Receiver::listen(&to.to_string(), "s3cret", collecting().0, once()).expect("it is free");
    drop(slow);
}

#[test]
fn a_mistake_while_a_message_is_taken_in_is_told_and_costs_only_that_message() {
    let fails = std::sync::atomic::AtomicBool::new(true);
    let take: Take = Arc::new(move |_| {
        assert!(!fails.swap(false, std::sync::atomic::Ordering::SeqCst), "the first one");
        Taken::In
    });
    let receiver = listen(take);
    is_answered(receiver.address(), 500);
    is_answered(receiver.address(), 200);
}

#[test]
fn nobody_waits_for_what_is_being_taken_in_when_it_ends() {
    let (told, began) = std::sync::mpsc::channel();
    let take: Take = Arc::new(move |_| {
        let _ = told.send(());
        loop {
            std::thread::park();
        }
    });
    let receiver = listen(take);
    let message = r#"{"version": "4", "alerts": []}"#;
    let _stuck = begins(
        receiver.address(),
        &format!(
            "POST /alertmanager HTTP/1.1\r\nAuthorization: Bearer s3cret\r\nContent-Length: {}\r\n\r\n{message}",
            message.len()
        ),
    );
    began.recv().expect("it is being taken in");
    let begun = Instant::now();
    drop(receiver);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn messages_are_read_however_their_length_is_said_and_only_up_to_a_bound() {
    let (take, taken) = collecting();
    let receiver = listen(take);
    let known = "POST /alertmanager HTTP/1.1\r\nAuthorization: Bearer s3cret\r\n";
    let message = r#"{"version": "4", "alerts": []}"#;
    let (first, second) = message.split_at(7);
    let pieces = format!("7\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", second.len());
    let huge = "h: ".to_owned() + &"x".repeat(20_000);
    for (rest, status) in [
        (format!("Transfer-Encoding: chunked\r\n\r\n{pieces}"), "200"),
        (
            format!("Expect: 100-continue\r\nContent-Length: {}\r\n\r\n{message}", message.len()),
            "100",
        ),
        ("Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n".to_owned(), "413"),
        ("Transfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(), "400"),
        ("Content-Length: 99999999\r\n\r\n{".to_owned(), "413"),
        ("Content-Length: -1\r\n\r\n{".to_owned(), "400"),
        ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n{".to_owned(), "400"),
        (huge, "431"),
        ("\u{1}\r\n\r\n".to_owned(), "400"),
    ] {
        let mut stream = begins(receiver.address(), &format!("{known}{rest}"));
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{rest:.60}: {answer}");
    }
    assert_eq!(taken.lock().expect("the only lock").len(), 2);
}

#[test]
fn a_time_before_any_clock_is_refused() {
    let (take, taken) = collecting();
    let receiver = listen(take);
    let body = r#"{"alert": "X", "firing": true}"#;
    for at in [i64::MIN, i64::MAX] {
        let (at, signature) = (at.to_string(), sign("s3cret", at, body.as_bytes()));
        let signed = [("X-Backout-Timestamp", at.as_str()), ("X-Backout-Signature", &signature)];
        assert_eq!(post(receiver.address(), "/alert", &signed, body).0, 401);
    }
    is_answered(receiver.address(), 200);
    assert_eq!(taken.lock().expect("the only lock").len(), 1);
}
