//! A real Prometheus that scrapes a real exporter.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use backout_core::event::Event;
use backout_core::watch::State;
use backout_trigger::machine::Sample;
use backout_watch::look::{Looker, Servers};
use backout_watch::prometheus::Prometheus;
use backout_watch::{Setting, Watcher};
use jiff::Timestamp;
use serde_json::json;

use crate::{plan, world};

/// A program that counts requests, as an application would.
struct Exporter {
    address: String,
    fast: Arc<AtomicU64>,
    slow: Arc<AtomicU64>,
}

impl Exporter {
    fn new() -> Self {
        let server = tiny_http::Server::http("127.0.0.1:0").expect("a port");
        let address = server.server_addr().to_string();
        let (fast, slow) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (counted, counted_slow) = (Arc::clone(&fast), Arc::clone(&slow));
        std::thread::spawn(move || {
            for request in server.incoming_requests() {
                let (fast, slow) =
                    (counted.load(Ordering::Relaxed), counted_slow.load(Ordering::Relaxed));
                let all = fast + slow;
                let text = format!(
                    "# TYPE page_seconds histogram\npage_seconds_bucket{{le=\"1\"}} {fast}\npage_seconds_bucket{{le=\"6\"}} {fast}\npage_seconds_bucket{{le=\"+Inf\"}} {all}\npage_seconds_sum 1\npage_seconds_count {all}\n# TYPE logins_total counter\nlogins_total {all}\n# TYPE login_failures_total counter\nlogin_failures_total {slow}\n# TYPE load gauge\nload {slow}\n"
                );
                let _ = request.respond(tiny_http::Response::from_string(text));
            }
        });
        Self { address, fast, slow }
    }
}

struct Server {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn prometheus(exporter: &Exporter) -> Option<Server> {
    if Command::new("prometheus").arg("--version").output().is_err() {
        println!("NOT RUN: triggers over a real Prometheus: prometheus");
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!(
        "global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}\nscrape_configs: [{{job_name: portal, static_configs: [{{targets: [\"{}\"]}}]}}]\n",
        exporter.address
    );
    std::fs::write(folder.path().join("prometheus.yml"), config).expect("written");
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let address = format!("127.0.0.1:{port}");
    let child = Command::new("prometheus")
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error"])
        .arg(format!("--web.listen-address={address}"))
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus starts");
    let server = Server { child, address: format!("http://{address}"), _folder: folder };
    let asked = Prometheus::new(&server.address, Duration::from_secs(2));
    let until = Instant::now() + Duration::from_secs(60);
    // Ready when it has scraped the exporter.
    while !matches!(asked.value("count(logins_total)"), Ok(Some(_))) {
        assert!(Instant::now() < until, "prometheus is ready within a minute");
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(server)
}

#[test]
fn what_the_api_answers_means_what_we_think() {
    let exporter = Exporter::new();
    let Some(server) = prometheus(&exporter) else { return };
    let asked = Prometheus::new(&server.address, Duration::from_secs(5));
    assert_eq!(asked.value("vector(3)"), Ok(Some(3.0)));
    assert_eq!(asked.value("7"), Ok(Some(7.0)));
    assert_eq!(asked.value("no_such_metric"), Ok(None));
    assert_eq!(asked.value("0 / 0"), Ok(None), "NaN is no value");
    assert_eq!(asked.value("sum(rate(no_such[1m])) / sum(rate(no_such[1m]))"), Ok(None));
    assert_eq!(asked.value("1 / 0"), Ok(Some(f64::INFINITY)));
    assert!(asked.value("sum(").is_err());
    assert!(asked.value("page_seconds_bucket").is_err(), "several series");
    assert!(asked.value("logins_total[1m]").is_err(), "a range is no value");
    let mut boundaries = asked.label("page_seconds_bucket", "le").expect("labels");
    boundaries.sort();
    assert_eq!(boundaries, ["+Inf", "1", "6"]);
}

async fn look(server: &Server, trigger: serde_json::Value) -> (Arc<Looker>, Sample) {
    let plan = plan(&server.address, &json!({"t": trigger}));
    let trigger = plan.triggers[0].clone();
    let (now, hour) = (Timestamp::now(), Duration::from_secs(3600));
    let world = world(&plan);
    let servers = Servers::of_world(&world);
    let looker = Looker::new(trigger, world, &servers, now, hour, Duration::from_secs(15));
    let looker = Arc::new(looker.expect("a looker"));
    let sample = looker.look().await.sample;
    (looker, sample)
}

#[tokio::test]
async fn a_histogram_is_read_at_the_next_higher_boundary_and_counts_each_request_once() {
    let exporter = Exporter::new();
    let Some(server) = prometheus(&exporter) else { return };
    // There is no boundary at 5 s: 6 s is used, which never says slow of a fast one.
    let trigger = json!({"latency": {"source": "metrics", "histogram": "page_seconds{job=\"portal\"}", "over": "5s"}});
    let (looker, first) = look(&server, trigger).await;
    assert_eq!(
        first,
        Sample::Counts { bad: 0.0, total: 0.0 },
        "nothing is known before the first look"
    );
    exporter.fast.fetch_add(90, Ordering::Relaxed);
    exporter.slow.fetch_add(10, Ordering::Relaxed);
    let asked = Prometheus::new(&server.address, Duration::from_secs(5));
    let until = Instant::now() + Duration::from_secs(60);
    while asked.value("logins_total") != Ok(Some(100.0)) {
        assert!(Instant::now() < until, "it is scraped within a minute");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let looked = looker.look().await;
    assert_eq!(looked.sample, Sample::Counts { bad: 10.0, total: 100.0 });
    assert!(looked.queries[0].contains("le=\"6\""), "{:?}", looked.queries);
    assert_eq!(looker.look().await.sample, Sample::Counts { bad: 0.0, total: 0.0 });
    // Without a boundary above the limit nothing can be said.
    let trigger =
        json!({"latency": {"source": "metrics", "histogram": "page_seconds", "over": "10s"}});
    assert_eq!(look(&server, trigger).await.1, Sample::Failed);
}

#[tokio::test]
async fn worse_than_before_needs_a_before() {
    let exporter = Exporter::new();
    exporter.slow.store(4, Ordering::Relaxed);
    let Some(server) = prometheus(&exporter) else { return };
    let trigger = json!({"relative": {"source": "metrics", "value": "load", "worse_than": "50%"}});
    let (looker, sample) = look(&server, trigger).await;
    assert_eq!(sample, Sample::Nothing, "seconds of history are no hour");
    assert!(looker.look().await.note.contains("too little is known from before"));
}

#[tokio::test]
async fn failing_logins_fire_on_evidence() {
    let exporter = Exporter::new();
    let Some(server) = prometheus(&exporter) else { return };
    let triggers = json!({"logins": {
        "severity": "critical", "every": "500ms",
        "ratio": {
            "source": "metrics", "limit": "5%",
            "bad": "sum(increase(login_failures_total[1s]))",
            "total": "sum(increase(logins_total[1s]))",
        },
    }});
    let plan = plan(&server.address, &triggers);
    let (fast, slow) = (Arc::clone(&exporter.fast), Arc::clone(&exporter.slow));
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let breaks = Arc::clone(&broken);
    // Traffic: a hundred logins a second.
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(100));
            let bad = if breaks.load(Ordering::Relaxed) { 5 } else { 0 };
            fast.fetch_add(10 - bad, Ordering::Relaxed);
            slow.fetch_add(bad, Ordering::Relaxed);
        }
    });
    let (watcher, mut news) = Watcher::begin(Setting::new(&plan, world(&plan)));
    let mut states = Vec::new();
    let watch = async {
        loop {
            for event in news.recv().await.expect("it goes on") {
                if let Event::TriggerChanged { to, reading, .. } = event {
                    states.push(to);
                    match to {
                        State::Ok => broken.store(true, Ordering::Relaxed),
                        State::Firing => return reading,
                        _ => {}
                    }
                }
            }
        }
    };
    let reading =
        tokio::time::timeout(Duration::from_secs(90), watch).await.expect("it fires in a minute");
    assert!(reading.evidence >= reading.needed, "{reading:?}");
    assert!(reading.value.is_some_and(|share| share > 0.05), "{reading:?}");
    assert!(states.contains(&State::Ok));
    drop(watcher);
}
