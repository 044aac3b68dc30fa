//! Triggers over databases: a real PostgreSQL, and SQLite.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use backout_core::event::Event;
use backout_core::ids::SourceId;
use backout_core::plan::{Plan, Source};
use backout_core::watch::State;
use backout_engine::hands::World;
use backout_exec::secrets::Secrets;
use backout_exec::sql::Databases;
use backout_testkit::postgres::{PASSWORD, Postgres};
use backout_trigger::machine::Sample;
use backout_watch::look::{Looked, Looker, Servers};
use backout_watch::{News, Setting, Watcher};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A plan over one database, and where it is.
fn over(source: Source, triggers: &Value) -> (Plan, Arc<World>) {
    let plan = json!({
        "backout": 1,
        "change": {"title": "A change"},
        "watch": {"grace": "1s", "window": "1h"},
        "triggers": triggers,
    });
    let mut plan: Plan = serde_json::from_value(plan).expect("a plan");
    plan.sources.insert(SourceId::new("db").expect("a name"), source);
    let world = World {
        folder: "/".to_owned(),
        environment: None,
        sources: plan.sources.iter().map(|(id, source)| (id.clone(), source.clone())).collect(),
        baselines: BTreeMap::new(),
        facts: BTreeMap::new(),
    };
    (plan, Arc::new(world))
}

async fn execute(world: &World, statements: &str) {
    let databases = Databases { sources: &world.sources, folder: "/" };
    let db = SourceId::new("db").expect("a name");
    let (second, mut secrets) = (Duration::from_secs(20), Secrets::default());
    databases.execute(&db, statements, second, &mut secrets).await.expect("committed");
}

async fn look(plan: &Plan, world: &Arc<World>, name: &str) -> Looked {
    let found = plan.triggers.iter().find(|(id, _)| id.as_str() == name);
    let trigger = found.expect("the trigger").1.clone();
    let (now, hour) = (Timestamp::now(), Duration::from_secs(3600));
    let servers = Servers::of_world(world);
    let looker =
        Looker::new(trigger, Arc::clone(world), &servers, now, hour, Duration::from_secs(15));
    Arc::new(looker.expect("a looker")).look().await
}

const SETUP: &str = "CREATE TABLE orders (id int PRIMARY KEY, broken int); INSERT INTO orders VALUES (1, 0), (2, 1), (3, 0), (4, 1);";

fn triggers() -> Value {
    let gauge = |query: &str| json!({"every": "100ms", "gauge": {"source": "db", "query": query, "limit": "> 5"}});
    json!({
        "share": {"ratio": {
            "source": "db", "limit": "5%",
            "bad": "SELECT count(*) FROM orders WHERE broken = 1;",
            "total": "SELECT count(*) FROM orders",
        }},
        "noted": {"ratio": {
            "source": "db", "limit": "5%",
            "bad": "SELECT count(*) FROM orders WHERE broken = 1 -- so far",
            "total": "SELECT count(*) FROM orders",
        }},
        "count": gauge("SELECT count(*) FROM orders"),
        "none": gauge("SELECT id FROM orders WHERE id > 10"),
        "several": gauge("SELECT id FROM orders"),
        "columns": gauge("SELECT count(*), max(id) FROM orders"),
        "text": gauge("SELECT 'many'"),
        "wrong": gauge("SELECT count(*) FROM ordres"),
        "answers": {"every": "100ms", "probe": {"sql": {"source": "db", "query": "SELECT 1", "equals": "1"}}},
    })
}

async fn each_look_says_what_is_there(plan: &Plan, world: &Arc<World>) {
    execute(world, SETUP).await;
    for name in ["share", "noted"] {
        let looked = look(plan, world, name).await;
        assert_eq!(looked.sample, Sample::Counts { bad: 2.0, total: 4.0 }, "{looked:?}");
    }
    let count = look(plan, world, "count").await;
    assert_eq!(count.sample, Sample::Value { value: 4.0, beyond: false });
    assert_eq!(look(plan, world, "none").await.sample, Sample::Nothing);
    for (name, says) in [
        ("several", "gives 4 rows; a trigger needs one"),
        ("columns", "gives 2 columns; a trigger needs one"),
        ("text", "which is no figure"),
        ("wrong", "ordres"),
    ] {
        let looked = look(plan, world, name).await;
        assert_eq!(looked.sample, Sample::Failed, "{name}");
        assert!(looked.note.contains(says), "{name}: {}", looked.note);
        assert_eq!(looked.lost, None, "{name}: the database is there");
    }
}

async fn until(news: &mut News, mut wanted: impl FnMut(&Event) -> bool) {
    let look = async {
        loop {
            for event in news.recv().await.expect("the watch goes on") {
                if wanted(&event) {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), look).await.expect("it is said within a minute");
}

#[tokio::test]
async fn triggers_over_postgresql() {
    let Some(server) = Postgres::start() else { return };
    let (plan, world) = over(Source::Postgres(server.source(PASSWORD)), &triggers());
    each_look_says_what_is_there(&plan, &world).await;

    let (watcher, mut news) = Watcher::begin(Setting::new(&plan, Arc::clone(&world)));
    let moved = |event: &Event, name: &str, wanted: State| matches!(event, Event::TriggerChanged { trigger, to, .. } if trigger.as_str() == name && *to == wanted);
    let mut lost = false;
    let mut open = vec![("answers", State::Ok), ("count", State::Ok), ("wrong", State::Error)];
    until(&mut news, |event| {
        lost |= matches!(event, Event::SourceOutageStarted { .. });
        open.retain(|(name, state)| !moved(event, name, *state));
        open.is_empty()
    })
    .await;
    assert!(!lost, "a question that is wrong is no lost source");
    execute(&world, "INSERT INTO orders SELECT i, 0 FROM generate_series(5, 9) i").await;
    until(&mut news, |event| moved(event, "count", State::Firing)).await;
    // The machine loses its power: one finding, and nobody can say how anything stands.
    server.stop();
    until(&mut news, |event| match event {
        Event::SourceOutageStarted { source, error } => {
            assert!(source.as_str() == "db" && !error.contains(PASSWORD), "{error}");
            true
        }
        _ => false,
    })
    .await;
    // That it answers is what the probe is about.
    until(&mut news, |event| moved(event, "answers", State::Firing)).await;
    drop(watcher);
}

#[tokio::test]
async fn triggers_over_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("shop.db");
    std::fs::write(&file, "").expect("an empty database");
    let source = Source::Sqlite(file.to_string_lossy().into_owned());
    let (plan, world) = over(source, &triggers());
    each_look_says_what_is_there(&plan, &world).await;
    // What stands in a table is not repeated in what is said of it.
    let long = "SELECT replace(hex(zeroblob(5000)), '00', 'Jane Doe ')";
    let source = Source::Sqlite(file.to_string_lossy().into_owned());
    let (wordy, wordy_world) = over(
        source,
        &json!({
            "gauge": {"gauge": {"source": "db", "query": long, "limit": "> 5"}},
            "probe": {"every": "1s", "probe": {"sql": {"source": "db", "query": long, "equals": "1"}}},
        }),
    );
    for name in ["gauge", "probe"] {
        let note = look(&wordy, &wordy_world, name).await.note;
        assert!(note.contains("Jane Doe") && note.len() < 200, "{name}: {} bytes", note.len());
    }
    // What is no database is a source that cannot be read.
    std::fs::write(&file, "no database at all, but long enough to look like one").expect("written");
    let looked = look(&plan, &world, "count").await;
    assert!(looked.lost.is_some(), "{looked:?}");
    let (plan, world) = over(Source::Sqlite("/nowhere/shop.db".to_owned()), &triggers());
    assert!(look(&plan, &world, "count").await.lost.is_some());
}
