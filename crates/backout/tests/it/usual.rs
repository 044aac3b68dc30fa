//! What was usual before the deployment, from the history of a real Prometheus.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use backout_watch::prometheus::Prometheus;

use crate::stage::Stage;

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Two days of logins, ten each five seconds. In the first two minutes of each third hour
/// four of ten fail, and nobody minds.
fn record(end: i64) -> String {
    let (mut all, mut failed) = (0, 0);
    let (mut logins, mut failures, mut load) = (String::new(), String::new(), String::new());
    let began = end - 2 * 24 * 3600;
    for at in (began..=end).step_by(5) {
        all += 10;
        failed += if (at - began) % (3 * 3600) < 120 { 4 } else { 0 };
        let _ = writeln!(logins, "logins_total {all} {at}");
        let _ = writeln!(failures, "login_failures_total {failed} {at}");
        let _ = writeln!(load, "load 3 {at}");
    }
    format!(
        "# TYPE logins counter\n{logins}# TYPE login_failures counter\n{failures}# TYPE load gauge\n{load}# EOF\n"
    )
}

/// A Prometheus that has lived through the record.
fn prometheus(stage: &Stage, record: &str) -> Option<(Server, String)> {
    if Command::new("promtool").arg("--version").output().is_err() {
        println!("NOT RUN: calibration over a real Prometheus: promtool");
        return None;
    }
    stage.write("record.om", record);
    let made = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics", "record.om", "data"])
        .current_dir(stage.folder())
        .output()
        .expect("promtool runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    stage.write("prometheus.yml", "global: {scrape_interval: 1h}\n");
    let address = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
    let child = Command::new("prometheus")
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error"])
        .args(["--storage.tsdb.retention.time=90d".to_owned()])
        .arg(format!("--web.listen-address={address}"))
        .current_dir(stage.folder())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus starts");
    let (server, address) = (Server(child), format!("http://{address}"));
    let asked = Prometheus::new(&address, Duration::from_secs(2));
    stage.until("prometheus answers", |_| asked.value("vector(1)").is_ok());
    Some((server, address))
}

#[test]
fn waves_that_were_usual_raise_the_evidence_it_takes() {
    let stage = Stage::new();
    // The record ends now: a history that is asked for ends now, too.
    let now = jiff::Timestamp::now().as_second();
    let Some((_server, address)) = prometheus(&stage, &record(now)) else { return };
    let plan = |watch: &str| {
        stage.plan_with(
            "  - {id: back, title: Go back, owner: ann, takes: 2m, run: {shell: \"true\"}, effect: idempotent, verify: {run: {shell: \"true\"}}}\n",
            &format!(
                "watch: {{window: 4h{watch}}}\nsources:\n  metrics: {{prometheus: \"{address}\"}}\ntriggers:\n  logins:\n    severity: critical\n    ratio: {{source: metrics, limit: 5%, bad: 'sum(increase(login_failures_total[15s]))', total: 'sum(increase(logins_total[15s]))'}}\n  load: {{severity: minor, gauge: {{source: metrics, query: load, limit: \"> 5\"}}}}\n  orders: {{severity: minor, gauge: {{source: metrics, query: orders, limit: \"> 5\"}}}}\n  page: {{severity: minor, probe: {{tcp: {{address: \"127.0.0.1:9\"}}}}}}\n"
            ),
        );
    };
    plan("");
    let told = stage.say("watch plan.backout.yaml --history 2d").expect(1);
    told.says("logins: fires at")
        .says("watches of 4h00m (100.0 %; the plan accepts 1.0 %)")
        .says("would have been needed: bad events come in longer waves than chance")
        .says("load: never fires")
        .says("orders: unknown; its source knows nothing of the last 2d")
        .says("page: unknown; its source keeps no history");
    let json = stage.say("watch plan.backout.yaml --history 2d --json").expect(1).json();
    let of = |name: &str| {
        json["triggers"].as_array().into_iter().flatten().find(|t| t["trigger"] == name).cloned()
    };
    let logins = of("logins").expect("logins");
    // Every 15 s over two days: more than a server answers at once.
    let samples = logins["samples"].as_u64().expect("a count");
    assert!((11_400..=11_521).contains(&samples), "{samples}");
    assert_eq!(logins["stable_windows"], logins["false_alarms"]);
    let needed = logins["evidence_needed_instead"].as_f64().expect("evidence");
    assert!(of("orders").is_none());
    assert_eq!(json["nothing_known"]["page"], "its source keeps no history");

    // An hour before is all that is asked unless the plan says so: too short to judge by.
    let short = stage.say("watch plan.backout.yaml --for 1s");
    assert!(!short.err.contains("would have fired"), "{}", short.err);
    // The plan asks for longer: the watch of the night needs the evidence it takes.
    plan(", baseline: 2d");
    let long = stage.say("watch plan.backout.yaml --for 1s");
    long.says("note: logins would have fired in")
        .says("watches before this deployment; it needs evidence of");
    let raised = long.err.split("evidence of ").nth(1).and_then(|rest| rest.split(' ').next());
    let raised: f64 = raised.expect("a figure").parse().expect("a figure");
    assert!(raised > 5.0 && needed > 5.0, "{raised} {needed}");

    stage.say("watch plan.backout.yaml --history 0s").expect(64);
    stage.say("watch plan.backout.yaml --stable-until 5").expect(64);
    stage.say("watch plan.backout.yaml --history 9000d").expect(64).says("longer than a year");
}

/// What was wrong before the deployment is not its fault: people decide.
#[test]
fn what_was_wrong_before_is_asked_about() {
    let stage = Stage::new();
    let now = jiff::Timestamp::now().as_second();
    let mut load = "# TYPE load gauge\n".to_owned();
    for at in (now - 1800..=now).step_by(5) {
        let _ = writeln!(load, "load 9 {at}");
    }
    let Some((_server, address)) = prometheus(&stage, &format!("{load}# EOF\n")) else { return };
    stage.plan_with(
        "  - {id: back, title: Go back, owner: ann, takes: 2m, run: {shell: \"true\"}, effect: idempotent, verify: {run: {shell: \"true\"}}}\n",
        &format!(
            "stages:\n  - {{id: open, title: Open it, owner: ann, takes: 5m, run: {{shell: \"true\"}}, effect: idempotent, verify: {{run: {{shell: \"true\"}}}}, undone_by: [back]}}\nwatch: {{window: 1h}}\nsources:\n  metrics: {{prometheus: \"{address}\"}}\ntriggers:\n  load: {{severity: critical, every: 200ms, for: 2s, gauge: {{source: metrics, query: load, limit: \"> 5\"}}}}\ndecision:\n  critical: {{action: back-out, automatic: true, by: lead, within: 5m}}\n"
        ),
    );
    let mut running = stage.start(&["deploy", "plan.backout.yaml", "--as", "lead"]);
    stage.until("a question", |stage| !stage.questions().is_empty());
    let status = stage.say("status").expect(0);
    status.says("not automatic: it fired before the deployment, too");
    // It fired only when the stage was long done.
    let log = stage.say("log CHG7 --json").out;
    let at = |what: &str| log.find(what).unwrap_or_else(|| panic!("{what} is not in\n{log}"));
    assert!(at("step_succeeded") < at("\"firing\""), "{log}");
    stage.say("decide CHG7 back-out --reason anyway --as lead").expect(0);
    stage.until("it waits for what fired to be well", |stage| {
        stage.status()["questions"][0]["kind"] == "not_recovered"
    });
    stage.say("decide CHG7 continue --reason known --as lead").expect(0);
    assert_eq!(running.code(), Some(10), "in part");
}
