//! SQLite: a question nobody waits for any more is given up.

use std::time::{Duration, Instant};

use backout_core::ids::SourceId;
use backout_core::plan::Source;
use backout_exec::secrets::Secrets;
use backout_exec::sql::{Databases, SqlError};

#[test]
fn a_question_that_takes_too_long_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("shop.db"), "").expect("an empty database");
    let db = SourceId::new("db").expect("a name");
    let sources = [(db.clone(), Source::Sqlite("shop.db".to_owned()))].into();
    let folder = folder.path().to_string_lossy();
    let databases = Databases { sources: &sources, folder: &folder };
    // Minutes, if nobody stops it.
    let long = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) SELECT count(*) FROM n";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (soon, mut secrets) = (Duration::from_millis(300), Secrets::default());
    let answer = runtime.block_on(databases.query(&db, long, soon, &mut secrets));
    assert_eq!(answer, Err(SqlError::TimedOut(soon)));
    let begun = Instant::now();
    // This waits for what its threads are at.
    drop(runtime);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
