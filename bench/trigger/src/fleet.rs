//! Thousands of triggers over one real Prometheus, and how soon a breach is seen.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use backout_core::event::Event;
use backout_core::plan::Plan;
use backout_core::watch::State;
use backout_engine::hands::World;
use backout_watch::prometheus::Prometheus;
use backout_watch::{Setting, Watcher};
use serde_json::json;

struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// CPU seconds this process has used.
fn used() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

pub(crate) fn fleet() {
    if Command::new("prometheus").arg("--version").output().is_err() {
        println!("NOT RUN: triggers over a real Prometheus: prometheus is not installed");
        return;
    }
    let load = Arc::new(AtomicU64::new(1));
    let exporter = exporter(Arc::clone(&load));
    let folder = std::env::temp_dir().join(format!("backout-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let config = format!(
        "global: {{scrape_interval: 100ms, scrape_timeout: 100ms}}\nscrape_configs: [{{job_name: x, static_configs: [{{targets: [\"{exporter}\"]}}]}}]\n"
    );
    std::fs::write(folder.join("prometheus.yml"), config).expect("written");
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let address = format!("127.0.0.1:{port}");
    let server = Command::new("prometheus")
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error"])
        .arg(format!("--web.listen-address={address}"))
        .current_dir(&folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus starts");
    let _server = Stopped(server);
    let address = format!("http://{address}");
    let asked = Prometheus::new(&address, Duration::from_secs(2));
    while !matches!(asked.value("load"), Ok(Some(_))) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let start = Instant::now();
    const QUESTIONS: u32 = 2000;
    for _ in 0..QUESTIONS {
        let _ = asked.value("load");
    }
    let question = start.elapsed().as_secs_f64() / f64::from(QUESTIONS);
    println!(
        "One question of Prometheus, over and over on one connection: {:.2} ms",
        question * 1000.0
    );
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        many(&address, 5000).await;
        soon(&address, &load).await;
    });
    let _ = std::fs::remove_dir_all(&folder);
}

fn setting(plan: &Plan) -> Setting<'_> {
    let world = World {
        folder: "/".to_owned(),
        environment: None,
        sources: plan.sources.iter().map(|(id, source)| (id.clone(), source.clone())).collect(),
        baselines: BTreeMap::new(),
        facts: BTreeMap::new(),
    };
    Setting::new(plan, Arc::new(world))
}

fn plan(address: &str, triggers: &serde_json::Value) -> Plan {
    let plan = json!({"backout": 1, "change": {"title": "x"}, "sources": {"m": {"prometheus": address}}, "triggers": triggers});
    serde_json::from_value(plan).expect("a plan")
}

async fn many(address: &str, count: u32) {
    const EVERY: u64 = 10;
    const LASTS: u64 = 40;
    let one = json!({"every": format!("{EVERY}s"), "gauge": {"source": "m", "query": "load", "limit": "> 5"}});
    let triggers: serde_json::Map<String, serde_json::Value> =
        (0..count).map(|i| (format!("t{i}"), one.clone())).collect();
    let plan = plan(address, &serde_json::Value::Object(triggers));
    let before = used();
    let (watcher, mut news) = Watcher::begin(setting(&plan));
    let listener = tokio::spawn(async move { while news.recv().await.is_some() {} });
    tokio::time::sleep(Duration::from_secs(LASTS)).await;
    let (cpu, board) = (used() - before, watcher.board());
    let looks: usize = board.triggers.values().map(|standing| standing.recent.len()).sum();
    let due = count as usize * (LASTS / EVERY) as usize;
    listener.abort();
    let core = cpu / LASTS as f64;
    println!(
        "{count} triggers every {EVERY} s for {LASTS} s: {looks} looks of {due} due, {:.0} % of one core, so {:.0} on a core (goal 5,000: {:.1} x)",
        core * 100.0,
        f64::from(count) / core,
        f64::from(count) / core / 5000.0
    );
}

/// From the moment a breach can be seen in Prometheus to the news of it.
async fn soon(address: &str, load: &AtomicU64) {
    let every = 500;
    let trigger = json!({"every": format!("{every}ms"), "for": "0s", "gauge": {"source": "m", "query": "load", "limit": "> 5"}});
    let plan = plan(address, &json!({"load": trigger}));
    let asked = Prometheus::new(address, Duration::from_secs(2));
    let mut delays = Vec::new();
    for _ in 0..20 {
        load.store(1, Ordering::Relaxed);
        while asked.value("load") != Ok(Some(1.0)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (_watcher, mut news) = Watcher::begin(setting(&plan));
        let wait = |wanted: State| move |event: &Event| matches!(event, Event::TriggerChanged { to, .. } if *to == wanted);
        hear(&mut news, wait(State::Ok)).await;
        load.store(9, Ordering::Relaxed);
        while asked.value("load") != Ok(Some(9.0)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let seen = Instant::now();
        hear(&mut news, wait(State::Firing)).await;
        delays.push(seen.elapsed().as_secs_f64() * 1000.0);
    }
    delays.sort_by(f64::total_cmp);
    println!(
        "From a breach in Prometheus to the alarm, looking every {every} ms: median {:.0} ms, worst of {} {:.0} ms (goal: one interval + 250 ms = {} ms)",
        delays[delays.len() / 2],
        delays.len(),
        delays[delays.len() - 1],
        every + 250
    );
}

async fn hear(news: &mut backout_watch::News, wanted: impl Fn(&Event) -> bool) {
    while let Some(events) = news.recv().await {
        if events.iter().any(&wanted) {
            return;
        }
    }
}

/// A metrics page with one gauge; plain sockets, so that the bench needs no web server.
fn exporter(load: Arc<AtomicU64>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let load = Arc::clone(&load);
            std::thread::spawn(move || {
                let mut stream = stream;
                let mut buffer = [0_u8; 4096];
                while matches!(std::io::Read::read(&mut stream, &mut buffer), Ok(count) if count > 0)
                {
                    let text =
                        format!("# TYPE load gauge\nload {}\n", load.load(Ordering::Relaxed));
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{text}",
                        text.len()
                    );
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}
