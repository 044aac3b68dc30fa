use std::sync::Arc;

use backout_testkit::{MemoryJournal, conformance};

#[tokio::test]
async fn the_memory_journal_keeps_its_promises() {
    conformance::suite(Arc::new(MemoryJournal::default())).await;
}
