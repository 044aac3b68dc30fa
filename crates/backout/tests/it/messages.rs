//! Where messages of other systems come in, seen from outside.

use std::net::TcpListener;

use crate::stage::Stage;

const STEPS: &str = "  - {id: close, title: Close it, owner: ann, takes: 2m, manual: Close it.}\n";

fn more(address: &str) -> String {
    format!(
        "stages:\n  - {{id: open, title: Open it, owner: ann, takes: 5m, external: Jenkins, undone_by: [close]}}\nwatch: {{window: 1h, receive: {{listen: \"{address}\", secret: \"file:secret\"}}}}\n"
    )
}

/// What would keep a coordinator from hearing anything is found before anything begins.
#[test]
fn nothing_begins_where_nothing_could_be_heard() {
    let stage = Stage::new();
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("bound").to_string();
    stage.plan_with(STEPS, &more(&address));
    let deploy = ["deploy", "plan.backout.yaml", "--as", "lead"];
    let refused = |says: &str| {
        let told = stage.tell(&deploy).expect(30);
        told.says(says).says("hint:").says("watch.receive");
        assert!(!told.err.contains("os error 98"), "{}", told.err);
        assert!(!stage.say("runs").out.contains("CHG7-1"), "nothing is in any log");
    };
    refused("secret");
    stage.write("secret", " \n");
    refused("the secret of `receive` is empty");
    stage.write("secret", "correct horse\n");
    refused(&format!("another program listens at {address} already"));
    stage.plan_with(STEPS, &more("203.0.113.9:9099"));
    refused("203.0.113.9:9099 is no address of this machine");
}
