//! PostgreSQL, for real: a server of this test's own, on a socket and a loopback port.

use std::time::Duration;

use backout_core::ids::SourceId;
use backout_core::plan::Source;
use backout_exec::secrets::Secrets;
use backout_exec::sql::{Databases, SqlError};
use backout_testkit::postgres::{PASSWORD, Postgres};

#[tokio::test]
async fn postgresql_does_what_the_plan_is_told_it_does() {
    let Some(server) = Postgres::start() else { return };
    let name = SourceId::new("db").expect("a name");
    let sources = [(name, Source::Postgres(server.source(PASSWORD)))].into();
    let folder = server.folder().to_string_lossy().into_owned();
    let databases = Databases { sources: &sources, folder: &folder };
    let db = SourceId::new("db").expect("a name");
    let (second, mut secrets) = (Duration::from_secs(20), Secrets::default());

    let setup = "CREATE TABLE customers (id int PRIMARY KEY, name text); INSERT INTO customers SELECT i, NULL FROM generate_series(1, 5) i";
    databases.execute(&db, setup, second, &mut secrets).await.expect("committed");
    let count = databases
        .query(&db, "SELECT count(*), max(name) FROM customers", second, &mut secrets)
        .await;
    assert_eq!(count.expect("rows"), [vec![Some("5".to_owned()), None]]);

    // One transaction: what fails in the middle has not happened at all.
    let half = "DELETE FROM customers; SELECT 1/0";
    let failed = databases.execute(&db, half, second, &mut secrets).await;
    assert!(
        matches!(&failed, Err(SqlError::NotDone(why)) if why.contains("division by zero")),
        "{failed:?}"
    );
    let count = databases.query(&db, "SELECT count(*) FROM customers", second, &mut secrets).await;
    assert_eq!(count.expect("rows")[0][0].as_deref(), Some("5"));

    // A question cannot change anything.
    let sneaky =
        databases.query(&db, "DELETE FROM customers RETURNING id", second, &mut secrets).await;
    assert!(
        matches!(&sneaky, Err(SqlError::Refused(why)) if why.contains("read-only")),
        "{sneaky:?}"
    );

    // Slow is unknown, not done and not "did not happen".
    let slow = databases
        .execute(&db, "SELECT pg_sleep(30)", Duration::from_millis(300), &mut secrets)
        .await;
    assert!(matches!(slow, Err(SqlError::TimedOut(_) | SqlError::NotDone(_))), "{slow:?}");

    // Wrong credentials name neither the password nor the address that holds it.
    let _ = server.source(&format!("wrong-{PASSWORD}"));
    let refused = databases.query(&db, "SELECT 1", second, &mut secrets).await;
    let said = refused.expect_err("refused").to_string();
    assert!(said.contains("password authentication failed") && !said.contains(PASSWORD), "{said}");
}

/// A question that waits for a lock ends when nobody waits for its answer any more: else each
/// look would leave one more process in the server, until it takes no more.
#[tokio::test]
async fn questions_do_not_pile_up_behind_a_lock() {
    let Some(server) = Postgres::start() else { return };
    let db = SourceId::new("db").expect("a name");
    let sources = [(db.clone(), Source::Postgres(server.source(PASSWORD)))].into();
    let folder = server.folder().to_string_lossy().into_owned();
    let databases = Databases { sources: &sources, folder: &folder };
    let (long, mut secrets) = (Duration::from_secs(60), Secrets::default());
    let setup = "CREATE TABLE orders (id int)";
    databases.execute(&db, setup, long, &mut secrets).await.expect("committed");
    let mut holder = Secrets::default();
    let locked =
        databases.execute(&db, "LOCK TABLE orders; SELECT pg_sleep(60)", long, &mut holder);
    let looks = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        let held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'orders'::regclass";
        let mut count = async |query: &str| {
            let rows = databases.query(&db, query, long, &mut secrets).await.expect("rows");
            rows[0][0].as_deref().and_then(|cell| cell.parse::<u32>().ok()).expect("a figure")
        };
        while count(held).await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (soon, mut secrets) = (Duration::from_millis(300), Secrets::default());
        for _ in 0..10 {
            let asked = databases.query(&db, "SELECT count(*) FROM orders", soon, &mut secrets);
            let failed = asked.await.expect_err("it is locked");
            assert!(matches!(failed, SqlError::TimedOut(_) | SqlError::NotDone(_)), "{failed:?}");
        }
        let left = count(waiting).await;
        assert!(left <= 2, "{left} of 10 are still there");
    };
    tokio::select! {
        done = locked => panic!("the lock is held all the time: {done:?}"),
        () = looks => {}
    }
}
