//! A simulated server that fails in every way a source can: each failure has its own
//! meaning, and none of them is good news.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backout_core::event::Event;
use backout_core::watch::{Meaning, State};
use backout_trigger::machine::Sample;
use backout_watch::look::{Looker, Servers};
use backout_watch::prometheus::{NoAnswer, Prometheus};
use backout_watch::watcher::Told;
use backout_watch::{Board, Setting, Watcher};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{plan, world};

/// What the simulated server answers next.
#[derive(Clone)]
pub(crate) enum Says {
    Value(&'static str),
    /// The answers to two queries in one question.
    Pair(Option<&'static str>, Option<&'static str>),
    Empty,
    Several,
    Boundary(&'static str),
    Scalar(&'static str),
    /// A value, and why it may be none.
    Warns(&'static str, &'static str),
    /// A value, and what there is to say besides.
    Informs(&'static str, &'static str),
    Refuses,
    Status(u16),
    Page,
    Hangs,
}

/// A simulated Prometheus that answers what it is told; the last answer for ever.
pub(crate) struct SimulatedPrometheus {
    pub(crate) address: String,
    says: Arc<Mutex<VecDeque<Says>>>,
}

impl SimulatedPrometheus {
    pub(crate) fn new(says: impl IntoIterator<Item = Says>) -> Self {
        let server = tiny_http::Server::http("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", server.server_addr());
        let says: Arc<Mutex<VecDeque<Says>>> = Arc::new(Mutex::new(says.into_iter().collect()));
        let told = Arc::clone(&says);
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for request in server.incoming_requests() {
                let next = {
                    let mut told = told.lock().expect("the only lock");
                    let next = told.front().cloned().unwrap_or(Says::Empty);
                    if told.len() > 1 {
                        told.pop_front();
                    }
                    next
                };
                let vector = |values: &[&str]| {
                    let series: Vec<Value> =
                        values.iter().map(|v| json!({"metric": {}, "value": [1.0, v]})).collect();
                    json!({"status": "success", "data": {"resultType": "vector", "result": series}})
                };
                let (status, body) = match next {
                    Says::Value(value) => (200, vector(&[value]).to_string()),
                    Says::Pair(first, second) => {
                        let marked = |which, value: Option<&str>| {
                            value.map(|v| json!({"metric": {"backout_query": which}, "value": [1.0, v]}))
                        };
                        let series: Vec<Value> =
                            marked("1", first).into_iter().chain(marked("2", second)).collect();
                        (200, json!({"status": "success", "data": {"resultType": "vector", "result": series}}).to_string())
                    }
                    Says::Empty => (200, vector(&[]).to_string()),
                    Says::Several => (200, vector(&["1", "2", "3"]).to_string()),
                    Says::Boundary(le) => (200, json!({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {"le": le}, "value": [1.0, "1"]}]}}).to_string()),
                    Says::Scalar(value) => (200, json!({"status": "success", "data": {"resultType": "scalar", "result": [1.0, value]}}).to_string()),
                    Says::Warns(value, why) | Says::Informs(value, why) => {
                        let kind = if matches!(next, Says::Warns(..)) { "warnings" } else { "infos" };
                        let mut answer = vector(&[value]);
                        answer[kind] = json!([why]);
                        (200, answer.to_string())
                    }
                    Says::Refuses => (400, json!({"status": "error", "error": "parse error"}).to_string()),
                    Says::Status(status) => (status, json!({"status": "error", "error": "on fire"}).to_string()),
                    Says::Page => (200, "<html>Sign in</html>".to_owned()),
                    Says::Hangs => {
                        // Kept open and never answered.
                        kept.push(request);
                        continue;
                    }
                };
                let answer = tiny_http::Response::from_string(body).with_status_code(status);
                let _ = request.respond(answer);
            }
        });
        Self { address, says }
    }

    pub(crate) fn now_says(&self, says: impl IntoIterator<Item = Says>) {
        *self.says.lock().expect("the only lock") = says.into_iter().collect();
    }
}

fn ask(says: Says) -> Result<Option<f64>, NoAnswer> {
    let server = SimulatedPrometheus::new([says]);
    Prometheus::new(&server.address, Duration::from_millis(300)).value("up")
}

#[test]
fn each_failure_has_its_own_meaning() {
    assert_eq!(ask(Says::Value("3.5")), Ok(Some(3.5)));
    assert_eq!(ask(Says::Scalar("7")), Ok(Some(7.0)));
    assert_eq!(ask(Says::Value("+Inf")), Ok(Some(f64::INFINITY)));
    assert_eq!(ask(Says::Value("NaN")), Ok(None), "no number is no value");
    assert_eq!(ask(Says::Empty), Ok(None));
    let said = |answer: Result<Option<f64>, NoAnswer>| match answer {
        Err(NoAnswer::Lost(why)) => format!("lost: {why}"),
        Err(NoAnswer::Refused(why)) => format!("refused: {why}"),
        Ok(value) => panic!("{value:?}"),
    };
    // A part of the series, of which nobody knows what the others say.
    let partial = "receive series from Addr: 10.0.0.7:10901: connection refused";
    assert_eq!(
        said(ask(Says::Warns("0", partial))),
        format!("lost: it does not stand by its answer: {partial}")
    );
    let malformed = "PromQL warning: bucket label \"le\" is missing or has a malformed value";
    assert!(said(ask(Says::Warns("0", malformed))).starts_with("refused: "));
    let info = "PromQL info: metric might not be a counter";
    assert_eq!(ask(Says::Informs("4", "of interest")), Ok(Some(4.0)));
    assert_eq!(ask(Says::Warns("4", info)), Ok(Some(4.0)), "as older servers say it");
    assert!(said(ask(Says::Several)).starts_with("refused: `up` gives 3 series"));
    assert_eq!(said(ask(Says::Refuses)), "refused: parse error");
    assert_eq!(said(ask(Says::Status(503))), "lost: 503: on fire");
    assert_eq!(said(ask(Says::Status(500))), "lost: 500: on fire");
    assert!(said(ask(Says::Page)).starts_with("lost: it answers 200, and not as Prometheus does"));
    assert_eq!(said(ask(Says::Hangs)), "lost: no answer in time");
    let nobody = Prometheus::new("http://127.0.0.1:9", Duration::from_millis(300)).value("up");
    assert!(said(nobody).contains("connection refused"));
}

pub(crate) fn looker(server: &SimulatedPrometheus, trigger: &Value) -> Arc<Looker> {
    let plan = plan(&server.address, &json!({"t": trigger}));
    let world = world(&plan);
    let trigger = plan.triggers[0].clone();
    let every = Duration::from_secs(15);
    Arc::new(
        Looker::new(
            trigger,
            Arc::clone(&world),
            &Servers::of_world(&world),
            Timestamp::now(),
            Duration::from_secs(3600),
            every,
        )
        .expect("a looker"),
    )
}

#[tokio::test]
async fn a_ratio_needs_both_its_parts() {
    let trigger = json!({"ratio": {"source": "metrics", "bad": "b", "total": "t", "limit": "5%"}});
    let counts = Sample::Counts { bad: 3.0, total: 100.0 };
    for (says, sample) in [
        (vec![Says::Pair(Some("3"), Some("100"))], counts.clone()),
        (vec![Says::Pair(None, Some("100"))], Sample::Nothing),
        (vec![Says::Pair(Some("3"), None)], Sample::Nothing),
        (vec![Says::Pair(Some("3"), Some("NaN"))], Sample::Nothing),
        // Where both cannot be one question, they are two: all events, then bad ones.
        (vec![Says::Refuses, Says::Scalar("100"), Says::Scalar("3")], counts),
        (vec![Says::Refuses, Says::Value("100"), Says::Several], Sample::Failed),
        (vec![Says::Status(500)], Sample::Failed),
    ] {
        let server = SimulatedPrometheus::new(says);
        let looked = looker(&server, &trigger).look().await;
        assert_eq!(looked.sample, sample, "{looked:?}");
        assert_eq!(looked.queries, ["b", "t"]);
        // The server is lost only when it is; a query that is wrong is no lost server.
        assert_eq!(looked.lost.is_some(), looked.note.contains("500"), "{looked:?}");
    }
}

/// A server of several that went away takes its whole life's requests with it: what is left
/// is not new.
#[tokio::test]
async fn a_counter_that_was_reset_makes_no_request_up() {
    let trigger = json!({"latency": {"source": "metrics", "histogram": "x_seconds", "over": "5s"}});
    // The boundaries once, then fast and all requests at each look.
    let server = SimulatedPrometheus::new([
        Says::Boundary("5"),
        Says::Pair(Some("95"), Some("100")),
        Says::Pair(Some("130"), Some("150")),
        // One of several was reset: fewer slow ones than before, although all are more.
        Says::Pair(Some("145"), Some("160")),
        Says::Pair(Some("15"), Some("20")),
        Says::Pair(Some("25"), Some("32")),
    ]);
    let looker = looker(&server, &trigger);
    for (bad, total) in [(0.0, 0.0), (15.0, 50.0), (0.0, 0.0), (0.0, 0.0), (2.0, 12.0)] {
        assert_eq!(looker.look().await.sample, Sample::Counts { bad, total });
    }
}

/// Requests between two coordinators are counted, and what was usual before the
/// deployment is not measured anew.
#[tokio::test]
async fn a_watch_that_starts_again_measures_from_where_the_last_one_stopped() {
    let server =
        SimulatedPrometheus::new([Says::Boundary("5"), Says::Pair(Some("100"), Some("100"))]);
    let plan = plan(
        &server.address,
        &json!({"t": {"every": "100ms", "latency": {"source": "metrics", "histogram": "x_seconds", "over": "5s"}}}),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = Board::file(folder.path());
    let begin = |board| {
        let setting =
            Setting { board, file: Some(file.clone()), ..Setting::new(&plan, world(&plan)) };
        Watcher::begin(setting)
    };
    let seen = |board: &Board| board.triggers.values().next().map(|t| t.watched.total);
    let (watcher, news) = begin(Board::new(Timestamp::now()));
    while seen(&watcher.board()).is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    watcher.end().await.expect("kept");
    drop(news);
    // Meanwhile 50 requests, 40 of them slow.
    server.now_says([Says::Pair(Some("110"), Some("150"))]);
    let board = Board::load(&file).expect("readable").expect("kept");
    let (watcher, _news) = begin(board);
    while seen(&watcher.board()) != Some(50.0) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What fired and was well again while nobody was told has fired all the same.
#[tokio::test]
async fn an_alarm_is_told_even_if_it_is_over() {
    let server = SimulatedPrometheus::new([Says::Value("9")]);
    let plan = plan(
        &server.address,
        &json!({"t": {"every": "100ms", "for": "0s", "recovers_after": "0s", "gauge": {"source": "metrics", "query": "x", "limit": "> 5"}}}),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = Board::file(folder.path());
    let setting = Setting { file: Some(file.clone()), ..Setting::new(&plan, world(&plan)) };
    let (watcher, mut news) = Watcher::begin(setting);
    until(&mut news, |event| moved(event, "t", State::Firing)).await;
    server.now_says([Says::Value("1")]);
    until(&mut news, |event| moved(event, "t", State::Ok)).await;
    watcher.end().await.expect("kept");
    // Its coordinator died before it wrote anything down. The log knows of an earlier
    // state at most, which is the same as now.
    let board = Board::load(&file).expect("readable").expect("kept");
    let id = board.triggers.keys().next().expect("one").clone();
    for told in [None, Some(Told { state: State::Ok, fired: false })] {
        let told = told.map(|told| (id.clone(), told)).into_iter().collect();
        let setting = Setting { board: board.clone(), told, ..Setting::new(&plan, world(&plan)) };
        let (_watcher, mut news) = Watcher::begin(setting);
        let first = news.recv().await.expect("the watch goes on");
        let moves: Vec<(State, Meaning)> = first
            .iter()
            .filter_map(|event| match event {
                Event::TriggerChanged { to, meaning, .. } => Some((*to, *meaning)),
                _ => None,
            })
            .collect();
        assert_eq!(moves, [(State::Firing, Meaning::Breach), (State::Ok, Meaning::Healthy)]);
    }
    // Whoever was told is not told again.
    let told = [(id, Told { state: State::Ok, fired: true })].into();
    let setting = Setting { board, told, ..Setting::new(&plan, world(&plan)) };
    let (_watcher, mut news) = Watcher::begin(setting);
    let first = news.recv().await.expect("the watch goes on");
    assert!(!first.iter().any(|event| matches!(event, Event::TriggerChanged { .. })), "{first:?}");
}

/// Who asks whether a trigger was looked at lately gets the truth.
#[tokio::test]
async fn a_hung_source_is_not_seen() {
    let server = SimulatedPrometheus::new([Says::Value("1")]);
    let plan = plan(
        &server.address,
        &json!({"t": {"every": "100ms", "gauge": {"source": "metrics", "query": "x", "limit": "> 5"}}}),
    );
    let (watcher, mut news) = Watcher::begin(Setting::new(&plan, world(&plan)));
    until(&mut news, |event| moved(event, "t", State::Ok)).await;
    let id = watcher.rules().keys().next().expect("one").clone();
    let sight = watcher.sight();
    let begun = Timestamp::now();
    let well = [(id.clone(), State::Ok)];
    while sight.unseen(&well, begun, Timestamp::now()).is_some() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A clock that goes back an hour: those looks may have been before anything.
    let hour = jiff::SignedDuration::from_hours(1);
    assert!(sight.unseen(&well, begun - hour, Timestamp::now() - hour).is_some());
    // In another state than the log says: its news is still on the way.
    assert!(sight.unseen(&[(id, State::Firing)], begun, Timestamp::now()).is_some());
    server.now_says([Says::Hangs]);
    let later = Timestamp::now() + Duration::from_secs(30);
    let patience = sight.unseen(&well, begun, later).expect("not seen for so long");
    assert!(patience >= Duration::from_secs(10), "a look may take that long");
}

/// A share whose traffic has died stands as it stood before; nobody has seen it well since.
#[tokio::test]
async fn a_share_without_events_since_is_not_seen_to_be_well() {
    let server = SimulatedPrometheus::new([Says::Pair(Some("0"), Some("100"))]);
    let ratio = json!({"source": "metrics", "bad": "b", "total": "t", "limit": "5%"});
    let plan = plan(&server.address, &json!({"t": {"every": "100ms", "ratio": ratio}}));
    let (watcher, mut news) = Watcher::begin(Setting::new(&plan, world(&plan)));
    until(&mut news, |event| moved(event, "t", State::Ok)).await;
    let id = watcher.rules().keys().next().expect("one").clone();
    let (sight, well) = (watcher.sight(), [(id.clone(), State::Ok)]);
    let looked = |board: &Board| board.triggers[&id].watched.looked;
    // What is judged ends, and no request comes any more.
    server.now_says([Says::Pair(Some("0"), Some("0"))]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ended = Timestamp::now();
    let second = jiff::SignedDuration::from_secs(1);
    while looked(&watcher.board()).is_none_or(|at| at < ended + second) {
        assert!(sight.unseen(&well, ended, Timestamp::now()).is_some(), "no event since");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(watcher.board().triggers[&id].watched.state, State::Ok, "by what was before");
    // Where requests are rare one look that finds some is enough, and those after it need not.
    server.now_says([Says::Pair(Some("0"), Some("1")), Says::Pair(Some("0"), Some("0"))]);
    let limit = Timestamp::now() + Duration::from_secs(20);
    while sight.unseen(&well, ended, Timestamp::now()).is_some() {
        assert!(Timestamp::now() < limit, "it was seen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(sight.unseen(&well, ended, Timestamp::now()), None);
}

/// Any gauge, over and over, until the watcher says what is expected.
pub(crate) async fn until(
    news: &mut backout_watch::News,
    mut wanted: impl FnMut(&Event) -> bool,
) -> Event {
    let look = async {
        loop {
            let events = news.recv().await.expect("the watch goes on");
            if let Some(event) = events.into_iter().find(&mut wanted) {
                return event;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), look).await.expect("it is said within a minute")
}

pub(crate) fn moved(event: &Event, name: &str, wanted: State) -> bool {
    matches!(event, Event::TriggerChanged { trigger, to, .. } if trigger.as_str() == name && *to == wanted)
}

/// What each failure of a source comes to, as the manual says.
#[tokio::test]
async fn each_failure_ends_in_the_state_the_manual_names() {
    let table = [
        (Says::Value("NaN"), State::NoData, Meaning::Breach, false),
        (Says::Empty, State::NoData, Meaning::Breach, false),
        (Says::Several, State::Error, Meaning::Inconclusive, false),
        (Says::Refuses, State::Error, Meaning::Inconclusive, false),
        (Says::Status(500), State::Error, Meaning::Inconclusive, true),
        (Says::Page, State::Error, Meaning::Inconclusive, true),
        (Says::Hangs, State::Error, Meaning::Inconclusive, true),
    ];
    let mut tries = tokio::task::JoinSet::new();
    for (says, wanted, means, is_lost) in table {
        tries.spawn(async move {
            let server = SimulatedPrometheus::new([says]);
            let trigger = json!({"every": "100ms", "gauge": {"source": "metrics", "query": "x", "limit": "> 5"}});
            let plan = plan(&server.address, &json!({"t": trigger}));
            let (_watcher, mut news) = Watcher::begin(Setting::new(&plan, world(&plan)));
            let mut lost = false;
            let found = until(&mut news, |event| {
                lost |= matches!(event, Event::SourceOutageStarted { .. });
                matches!(event, Event::TriggerChanged { .. })
            })
            .await;
            // A source is lost at the second failure, together with the first change.
            if is_lost && !lost {
                until(&mut news, |event| matches!(event, Event::SourceOutageStarted { .. })).await;
            }
            let Event::TriggerChanged { to, meaning, .. } = found else { panic!("just matched") };
            assert_eq!((to, meaning), (wanted, means));
            assert!(is_lost || !lost, "{to:?}");
        });
    }
    while let Some(tried) = tries.join_next().await {
        tried.expect("as the manual says");
    }
}

#[tokio::test]
async fn a_probe_that_hangs_does_not_hold() {
    let trigger = json!({"every": "100ms", "fails": "1 of 1", "probe": {"run": {"argv": ["sleep", "1000"], "timeout": "300ms"}}});
    let plan = plan("http://127.0.0.1:9", &json!({"t": trigger}));
    let (_watcher, mut news) = Watcher::begin(Setting::new(&plan, world(&plan)));
    let found = until(&mut news, |event| matches!(event, Event::TriggerChanged { .. })).await;
    let Event::TriggerChanged { to, meaning, .. } = found else { panic!("just matched") };
    assert_eq!((to, meaning), (State::Firing, Meaning::Breach));
}

/// How long a page takes, against limits in any unit; a page that is broken soon is broken.
#[tokio::test]
async fn a_page_is_measured_in_seconds_whatever_the_limit_is_written_in() {
    let server = tiny_http::Server::http("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", server.server_addr());
    std::thread::spawn(move || {
        for request in server.incoming_requests() {
            let status = match request.url() {
                "/down" => 503,
                "/moved" => 302,
                _ => 200,
            };
            let answer = tiny_http::Response::from_string("{\"errors\": 0}");
            let _ = request.respond(answer.with_status_code(status));
        }
    });
    let table = [
        ("/", None, "> 20s", State::Ok),
        ("/", None, "> 20000ms", State::Ok),
        ("/", None, "> 0.0001ms", State::Firing),
        ("/", Some("json.errors"), "> 0", State::Ok),
        ("/down", None, "> 20s", State::Error),
        ("/down", Some("seconds"), "> 20s", State::Error),
        ("/down", Some("json.errors"), "> 0", State::Error),
        ("/moved", None, "> 20s", State::Error),
        ("/moved", Some("json.errors"), "> 0", State::Error),
        // Whoever asks for the status gets it.
        ("/down", Some("status"), "> 200", State::Firing),
        ("/moved", Some("status >= 400 ? 1 : 0"), "> 0", State::Ok),
    ];
    for (path, value, limit, wanted) in table {
        let mut gauge = json!({"url": format!("{address}{path}"), "limit": limit});
        if let Some(value) = value {
            gauge["value"] = json!(value);
        }
        let trigger = json!({"every": "100ms", "for": "0s", "gauge": gauge});
        let plan = plan("http://127.0.0.1:9", &json!({"t": trigger}));
        let (_watcher, mut news) = Watcher::begin(Setting::new(&plan, world(&plan)));
        let found = until(&mut news, |event| matches!(event, Event::TriggerChanged { .. })).await;
        let Event::TriggerChanged { to, .. } = found else { panic!("just matched") };
        assert_eq!(to, wanted, "{path} {value:?} {limit}");
    }
}

/// A probe that is wrong itself says nothing about what it probes.
#[tokio::test]
async fn a_probe_that_is_wrong_is_no_alarm() {
    let server = tiny_http::Server::http("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", server.server_addr());
    std::thread::spawn(move || {
        for request in server.incoming_requests() {
            let _ = request.respond(tiny_http::Response::from_string("{\"status\": \"up\"}"));
        }
    });
    let url = format!("{address}/health");
    for probe in [
        json!({"http": {"url": url, "assert": "jsn.status == \"up\""}}),
        json!({"http": {"url": url, "assert": "text"}}),
        json!({"run": {"argv": ["no-such-program-anywhere"]}}),
        json!({"sql": {"source": "db", "query": "SELECT 1", "equals": "1"}}),
    ] {
        let shown = probe.to_string();
        let trigger = json!({"every": "100ms", "probe": probe});
        let mut plan = plan("http://127.0.0.1:9", &json!({"t": trigger}));
        let db = backout_core::ids::SourceId::new("db").expect("a name");
        let url = "env:NO_SUCH_SECRET_ANYWHERE".to_owned().into();
        plan.sources.insert(db, backout_core::plan::Source::Postgres(url));
        let (_watcher, mut news) = Watcher::begin(Setting::new(&plan, world(&plan)));
        let found = until(&mut news, |event| matches!(event, Event::TriggerChanged { .. })).await;
        let Event::TriggerChanged { to, meaning, .. } = found else { panic!("just matched") };
        assert_eq!((to, meaning), (State::Error, Meaning::Inconclusive), "{shown}");
    }
    // What it probes is not there: that is what it is about.
    let gone = json!({"every": "100ms", "probe": {"http": {"url": "http://127.0.0.1:9/health"}}});
    let plan = plan("http://127.0.0.1:9", &json!({"t": gone}));
    let (_watcher, mut news) = Watcher::begin(Setting::new(&plan, world(&plan)));
    until(&mut news, |event| moved(event, "t", State::Firing)).await;
}

#[tokio::test]
async fn a_dead_source_is_said_once_and_its_return_too() {
    let server = SimulatedPrometheus::new([Says::Value("1")]);
    let gauge =
        json!({"every": "100ms", "gauge": {"source": "metrics", "query": "x", "limit": "> 5"}});
    let triggers = json!({"a": gauge, "b": gauge, "c": gauge});
    let plan = plan(&server.address, &triggers);
    let folder = tempfile::tempdir().expect("a folder");
    let file = Board::file(folder.path());
    let (watcher, mut news) =
        Watcher::begin(Setting { file: Some(file.clone()), ..Setting::new(&plan, world(&plan)) });
    until(&mut news, |event| moved(event, "a", State::Ok)).await;
    server.now_says([Says::Status(500)]);
    let lost = until(&mut news, |event| matches!(event, Event::SourceOutageStarted { .. })).await;
    assert!(matches!(lost, Event::SourceOutageStarted { error, .. } if error == "500: on fire"));
    let error = until(&mut news, |event| moved(event, "b", State::Error)).await;
    assert!(matches!(error, Event::TriggerChanged { meaning: Meaning::Inconclusive, .. }));
    server.now_says([Says::Value("9")]);
    // From now on it may only be said to be found: never a second time to be lost.
    let next = until(&mut news, |event| {
        matches!(event, Event::SourceOutageStarted { .. } | Event::SourceOutageEnded { .. })
    })
    .await;
    assert!(matches!(next, Event::SourceOutageEnded { .. }));
    let fired = until(&mut news, |event| moved(event, "c", State::Firing)).await;
    let Event::TriggerChanged { meaning, reading, .. } = fired else { panic!("just matched") };
    assert_eq!(
        (meaning, reading.value, reading.limit.as_str()),
        (Meaning::Breach, Some(9.0), "> 5")
    );
    // What it left on disk is what it knew.
    let board = watcher.end().await.expect("kept");
    let kept = Board::load(&file).expect("readable").expect("there");
    assert_eq!(kept, board);
    // Another watch goes on from there: what fired has fired.
    server.now_says([Says::Value("1")]);
    let (again, mut news) = Watcher::begin(Setting {
        board: kept,
        file: Some(file),
        ..Setting::new(&plan, world(&plan))
    });
    // What the log was never told is told first.
    let first = news.recv().await.expect("news");
    assert!(first.iter().any(|event| moved(event, "c", State::Firing)), "{first:?}");
    until(&mut news, |event| moved(event, "c", State::Recovering)).await;
    let board = again.end().await.expect("kept");
    let latched = board.triggers.iter().find(|(id, _)| id.as_str() == "c").expect("it").1;
    assert!(latched.watched.latched.is_some());
}

/// A probe that gets no answer is a breach, and no sign that its source is back.
#[tokio::test]
async fn a_probe_that_does_not_hold_finds_no_source() {
    let triggers = json!({
        "load": {"every": "100ms", "gauge": {"source": "web", "url": "/load", "limit": "> 5s"}},
        "up": {"every": "100ms", "probe": {"http": {"source": "web", "url": "/health"}}},
    });
    let mut plan = plan("http://127.0.0.1:9", &triggers);
    let web = backout_core::ids::SourceId::new("web").expect("a name");
    let url = "http://127.0.0.1:9".to_owned().into();
    plan.sources.insert(web, backout_core::plan::Source::Http(url));
    let (_watcher, mut news) = Watcher::begin(Setting::new(&plan, world(&plan)));
    let (mut lost, mut fired) = (0, false);
    let watch = async {
        loop {
            for event in news.recv().await.expect("the watch goes on") {
                assert!(!matches!(event, Event::SourceOutageEnded { .. }), "nobody listens there");
                lost += u32::from(matches!(event, Event::SourceOutageStarted { .. }));
                fired |= moved(&event, "up", State::Firing);
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(3), watch).await;
    assert_eq!((lost, fired), (1, true));
}

#[tokio::test]
async fn conditions_over_triggers_are_triggers() {
    let server = SimulatedPrometheus::new([Says::Value("9")]);
    let triggers = json!({
        "a": {"every": "100ms", "severity": "minor", "gauge": {"source": "metrics", "query": "x", "limit": "> 5"}},
        "both": {"every": "100ms", "composite": "firing[\"a\"]"},
        "broken": {"every": "100ms", "composite": "firing[\"nothing\"]"},
    });
    let plan = plan(&server.address, &triggers);
    let (_watcher, mut news) = Watcher::begin(Setting::new(&plan, world(&plan)));
    until(&mut news, |event| moved(event, "both", State::Firing)).await;
    let (_other, mut news) = Watcher::begin(Setting::new(&plan, world(&plan)));
    until(&mut news, |event| moved(event, "broken", State::Error)).await;
}
