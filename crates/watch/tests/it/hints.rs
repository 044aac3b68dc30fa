//! A query that can never say anything: what is wrong with it is said.

use backout_trigger::machine::Sample;
use serde_json::json;

use crate::faults::{Says, SimulatedPrometheus, looker};

#[tokio::test]
async fn a_range_without_two_scrapes_and_a_rate_are_explained() {
    let of = |total: &str| json!({"ratio": {"source": "metrics", "bad": "b", "total": total, "limit": "5%"}});
    let range = "sum(increase(logins_total[15s]))";
    let rate = "less than half an event in all, which counts as none: ask for counts with `increase(…)`, not for a rate";
    for (total, says, note) in [
        (
            range,
            Says::Pair(Some("0"), None),
            "the query for all events gives nothing; its range must hold two scrapes at least: with a scrape every 15s, `[30s]` and `every: 30s`",
        ),
        ("logins", Says::Pair(Some("0"), None), "the query for all events gives nothing"),
        (range, Says::Pair(Some("0.016"), Some("0.016")), rate),
        (range, Says::Pair(Some("0"), Some("0")), ""),
        (range, Says::Pair(Some("0"), Some("1.07")), ""),
    ] {
        let server = SimulatedPrometheus::new([says]);
        let looked = looker(&server, &of(total)).look().await;
        assert_eq!(looked.note, note, "{looked:?}");
        assert_eq!(looked.sample == Sample::Nothing, note.contains("nothing"), "{looked:?}");
    }
}
