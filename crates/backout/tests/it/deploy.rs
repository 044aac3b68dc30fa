//! Deployments as people live through them: forward, watched, decided, back.

use crate::messages::{free_port, send};
use crate::stage::{Stage, told};

/// Two stages and their way back. The second stage breaks what is watched, by taking
/// away the file `up`; undoing it brings the file back.
const STAGES: &str = "stages:\n  - {id: schema, title: Migrate the schema, owner: ann, takes: 5m, run: {shell: echo s >> schema}, effect: opaque, verify: {file: {path: schema}}, undone_by: [old-schema]}\n  - {id: open, title: Open the new release, owner: ann, takes: 5m, run: {shell: mv up down}, effect: opaque, verify: {file: {path: down}}, undone_by: [close]}\n";
const STEPS: &str = "  - {id: tell, title: Tell everybody, owner: bob, takes: 2m, run: {shell: echo t >> told}, effect: opaque, verify: {file: {path: told}}}\n  - {id: close, title: Close the new release, owner: ann, takes: 2m, run: {shell: mv down up}, effect: opaque, verify: {file: {path: up}}}\n  - {id: old-schema, title: Put the old schema back, owner: ann, takes: 10m, run: {shell: echo o >> undone}, effect: opaque, verify: {file: {path: undone}}}\n";
const WATCH: &str = "watch: {window: 2s, grace: 1s}\ntriggers:\n  portal: {title: The portal answers, severity: critical, every: 100ms, recovers_after: 200ms, probe: {file: {path: up}}}\n";

fn rule(more: &str) -> String {
    format!(
        "{STAGES}{WATCH}decision:\n  critical: {{action: back-out, by: lead, within: 5m{more}}}\n"
    )
}

fn stage(more: &str) -> Stage {
    let stage = Stage::new();
    stage.plan_with(STEPS, more);
    stage.write("up", "");
    stage
}

/// What must be true of the files once the release was backed out.
fn everything_is_back(stage: &Stage, story: &str) {
    assert!(stage.path("up").exists() && !stage.path("down").exists(), "{story}");
    assert_eq!(
        (stage.lines("schema"), stage.lines("undone"), stage.lines("told")),
        (1, 1, 1),
        "{story}"
    );
}

#[test]
fn the_plan_backs_out_by_itself_and_sees_that_it_helped() {
    let stage = stage(&rule(", automatic: true"));
    let told = stage
        .tell(&["deploy", "plan.backout.yaml", "--as", "lead", "--reason", "tonight"])
        .expect(11);
    told.says("deployment started by Lena Lead (lead): tonight")
        .says("portal: ok → FIRING")
        .says("decided by the plan: back out")
        .says("portal: recovering → ok")
        .says("finished: backed out")
        .says("Steps: 3 verified");
    everything_is_back(&stage, "alone");
    let explained = stage.say("decide CHG7 --explain").expect(0);
    explained.says("back out — decided by the plan").says("asked: up").says("portal:");
    let json = stage.say("decide CHG7 --explain --json").expect(0).json();
    assert_eq!(json["decisions"][0]["automatic"], true);
    assert_eq!(json["decisions"][0]["question"]["because"][0], "portal");
    stage.say("verify").expect(0);
    // The plan does not go round in circles: the next time a person is asked.
    stage.write("up", "");
    let mut running = stage.start(&["deploy", "plan.backout.yaml", "--as", "lead"]);
    stage.until("a question", |stage| {
        stage.questions().iter().any(|question| question["kind"] == "decide")
    });
    let status = stage.say("status").expect(0);
    status
        .says("not automatic: the plan backed out of this release automatically before, in CHG7-1")
        .says("The way back undoes");
    let question = &stage.status()["questions"][0];
    assert_eq!(question["kind"], "decide");
    stage.tell(&["decide", "CHG7", "back-out", "--reason", "again", "--as", "lead"]).expect(0);
    assert_eq!(running.code(), Some(11));
    assert_eq!(stage.status()["outcome"], "reverted");
}

/// What the new release brings cannot be well before it is there, and need not be after
/// the way back.
#[test]
fn what_a_stage_brings_is_watched_from_that_stage_on() {
    let brought = "  new: {title: The new release answers, severity: critical, every: 100ms, from: open, probe: {file: {path: down}}}\n";
    let slow = STAGES
        .replace("run: {shell: echo s >> schema}", "run: {shell: echo s >> schema}, bake: 1s");
    let more = rule(", automatic: true")
        .replace(STAGES, &slow)
        .replace("decision:", &format!("{brought}decision:"));
    let stage = stage(&more);
    let told = stage.tell(&["deploy", "plan.backout.yaml", "--as", "lead", "--reason", "so"]);
    let told = told.expect(11);
    told.says("portal: ok → FIRING").says("decided by the plan: back out");
    assert!(!told.out.contains("new: ok →"), "nothing was ever wrong with it:\n{}", told.out);
    assert!(!told.out.contains("new: too little data → p"), "{}", told.out);
    everything_is_back(&stage, "alone");
    let watched = stage.say("watch CHG7").expect(0);
    watched.says("new  not watched: it is about what open brings");
    let json = stage.say("watch CHG7 --json").expect(0).json();
    let of = |name: &str| {
        let all = json["triggers"].as_array().expect("triggers");
        all.iter().find(|known| known["trigger"] == name).cloned().expect("it is there")
    };
    assert_eq!(
        (of("new")["state"].clone(), of("new")["from"].clone()),
        (serde_json::Value::Null, "open".into())
    );
    let wrong = more.replace("from: open", "from: opne");
    stage.plan_with(STEPS, &wrong);
    stage.say("check plan.backout.yaml").expect(1).says("there is no stage `opne`").says("open");
}

#[test]
fn people_decide_and_only_what_took_place_is_undone() {
    let stages = STAGES.replace(
        "owner: ann, takes: 5m, run: {shell: mv up down}",
        "owner: ann, takes: 5m, approval: {by: lead}, run: {shell: mv up down}",
    );
    let stage = stage(&stages);
    let told = stage.tell(&["deploy", "plan.backout.yaml", "--as", "lead"]).expect(20);
    told.says("open (Open the new release), to approve").says("backout stage approve CHG7-1 open");
    stage
        .say("status")
        .says("The way back undoes schema: 2 steps, about 12m")
        .says("tell → old-schema");
    // An approval is of what was shown, and not of what replaced it meanwhile.
    let shown = || {
        let command = stage.status()["questions"][0]["answers"][0]["command"].clone();
        let words = command.as_str().expect("a command").replace(" --reason \"…\"", "");
        words.trim_start_matches("backout ").to_owned()
    };
    // Whatever of it was replaced: what it does, or only how that is checked.
    for (does, checked) in [("mv up down && true", "down"), ("mv up down && true", "./down")] {
        let before = shown();
        stage.write("open.yaml", &format!("id: open\ntitle: Open the new release\nowner: ann\ntakes: 5m\nrun: {{shell: {does}}}\neffect: opaque\nverify: {{file: {{path: {checked}}}}}\n"));
        stage.say("replace CHG7 open open.yaml --reason typo --as lead").expect(0);
        assert_ne!(before, shown());
        stage
            .say(&format!("{before} --reason read"))
            .expect(30)
            .says("open changed since it was shown; it is");
    }
    // Who may not decide is told so, and it is in the log.
    stage
        .tell(&["decide", "CHG7", "back-out", "--reason", "I am afraid", "--as", "ann"])
        .expect(30)
        .says("you may not decide to back out: only Lena Lead (lead) may");
    stage
        .tell(&["decide", "CHG7", "not-fixable", "--reason", "no", "--as", "lead"])
        .says("nothing is being fixed");
    stage
        .tell(&[
            "defect",
            "CHG7",
            "Orders lose their total",
            "--id",
            "BUG-7",
            "--severity",
            "major",
            "--as",
            "ann",
        ])
        .expect(0);
    stage
        .tell(&["decide", "CHG7", "back-out", "--reason", "orders are wrong", "--as", "lead"])
        .expect(0);
    stage
        .tell(&["decide", "CHG7", "fix-forward", "--reason", "no", "--as", "lead"])
        .says("goes back already");
    stage.say("resume --as lead").expect(11);
    assert_eq!((stage.lines("schema"), stage.lines("undone"), stage.lines("told")), (1, 1, 1));
    assert!(stage.path("up").exists(), "the second stage was never begun");
    assert_eq!(stage.step("close")["selected"], false);
    stage
        .say("log")
        .says("defect logged by Ann (ann): BUG-7, Orders lose their total (major)")
        .says("may not decide to back out");
    stage
        .say("decide CHG7 --explain")
        .says("no decision was requested: own judgement")
        .says("orders are wrong");
}

#[test]
fn another_system_deploys_and_reports() {
    let stages = STAGES.replace(
        "run: {shell: mv up down}, effect: opaque, verify: {file: {path: down}}",
        "external: Jenkins job open-portal, verify: {file: {path: up}}",
    );
    let stage = stage(&stages);
    stage
        .tell(&["deploy", "plan.backout.yaml", "--as", "lead"])
        .expect(20)
        .says("Jenkins job open-portal carries it out and reports when it is done");
    stage.tell(&["stage", "done", "CHG7", "open", "--as", "ann", "--note", "build 4711"]).expect(0);
    stage.say("resume --as lead").expect(0).says("deployed; no trigger watched it");
    assert_eq!(stage.status()["outcome"], "deployed_unwatched");
    assert_eq!(stage.lines("told"), 0);
}

#[test]
fn there_is_no_plain_way_back_behind_what_cannot_be_undone() {
    let stages =
        STAGES.replace("undone_by: [old-schema]", "irreversible: The old columns are gone");
    let more = format!(
        "{stages}alternatives: {{cannot_back_out: [{{scenario: After the migration, instead: Migrate the data back with reverse.sql}}]}}\noptions:\n  close: {{title: Close only, steps: [tell, close]}}\n  full: {{title: Everything, default: true}}\n"
    );
    let stage = stage(&more);
    stage
        .tell(&["deploy", "plan.backout.yaml", "--as", "lead"])
        .expect(20)
        .says("There is no backout after it: The old columns are gone");
    stage
        .tell(&["stage", "approve", "CHG7", "schema", "--reason", "tested", "--as", "lead"])
        .expect(20)
        .says("It takes 1 more");
    stage
        .tell(&["stage", "approve", "CHG7", "schema", "--reason", "tested", "--as", "lead/Max"])
        .expect(30);
    let plan = stage
        .read("plan.backout.yaml")
        .replace(
            "change: {id: CHG7, title: A change, owner: lead}",
            "change: {id: CHG8, title: A change, owner: lead}",
        )
        .replace("roles:\n", "roles:\n  max: {name: Max}\n")
        .replace("undone_by: [close]", "undone_by: [close], approval: {by: [lead, max]}")
        .replace("irreversible: The old", "approval: {by: [lead, max]}, irreversible: The old");
    stage.write("two.backout.yaml", &plan);
    stage.tell(&["deploy", "two.backout.yaml", "--as", "lead"]).expect(20);
    stage
        .tell(&["stage", "approve", "CHG8", "schema", "--reason", "tested", "--as", "lead"])
        .expect(20);
    stage
        .tell(&["stage", "approve", "CHG8", "schema", "--reason", "tested", "--as", "max"])
        .expect(0);
    stage.say("resume CHG8 --as lead").expect(20);
    assert_eq!(stage.lines("schema"), 1);
    stage
        .tell(&["decide", "CHG8", "back-out", "--reason", "it fails", "--as", "lead"])
        .expect(20)
        .says("stage schema is irreversible: The old columns are gone; back out of the rest?")
        .says("backout decide CHG8-1 back-out --yes")
        .says("Migrate the data back with reverse.sql");
    stage
        .tell(&[
            "decide", "CHG8", "back-out", "--option", "close", "--reason", "it fails", "--as",
            "lead",
        ])
        .expect(0)
        .says("it leaves as it is: schema");
    // What cannot be undone stays: that is not "as before".
    stage.say("resume CHG8 --as lead").expect(10).says("not everything is as it was");
    stage.say("render CHG8 --to md -o -").expect(0).says("Stages that stay as they are: schema");
}

/// What people can say at any time has its effect, or is refused with what to do.
#[test]
fn people_decide_without_being_asked() {
    let options = "options:\n  close: {title: Close only, steps: [tell, close]}\n  full: {title: Everything, default: true}\n";
    // The way back takes 14 minutes and has to be done in an hour.
    let hour = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let hour = hour.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%dT%H:%M");
    let window = format!("window: {{timezone: UTC, backout_by: {hour}}}\n");
    let approved = STAGES.replace("undone_by: [close]", "undone_by: [close], approval: {by: lead}");
    let stage = stage(&format!("{approved}{options}{window}"));
    stage.tell(&["deploy", "plan.backout.yaml", "--as", "lead"]).expect(20);
    stage
        .tell(&["switch-option", "CHG7", "close", "--reason", "heavier", "--as", "lead"])
        .expect(30)
        .says("CHG7-1 goes forward: there is no option yet to switch to close from")
        .says("decide CHG7-1 back-out --option close");
    stage
        .tell(&["decide", "CHG7", "not-fixable", "--reason", "no", "--as", "lead"])
        .expect(30)
        .says("nothing is being fixed");
    stage
        .tell(&[
            "decide",
            "CHG7",
            "fix-forward",
            "--for",
            "2h",
            "--reason",
            "a typo",
            "--as",
            "lead",
        ])
        .expect(20)
        .says("the backout must start by")
        .says("try it that long?")
        .says("--for 2h --yes");
    stage
        .tell(&[
            "decide",
            "CHG7",
            "fix-forward",
            "--for",
            "20m",
            "--reason",
            "a typo",
            "--as",
            "lead",
        ])
        .expect(0);
    stage.say("status").expect(0).says("a fix may be tried until").says("a typo");
    stage
        .tell(&["stage", "approve", "CHG7", "open", "--reason", "tested", "--as", "lead"])
        .expect(0);
    let mut running = stage.start(&["resume", "CHG7", "--as", "lead"]);
    stage.until("the coordinator", |stage| stage.say("log").out.contains("(term 2)"));
    assert_eq!(stage.step("open")["state"], "pending", "nothing goes forward while it is fixed");
    stage.tell(&["decide", "CHG7", "continue", "--reason", "fixed", "--as", "lead"]).expect(0);
    // Somebody decided that it goes on: that is a finding.
    assert_eq!(running.code(), Some(10));
    assert_eq!(stage.step("open")["state"], "succeeded");
}

#[test]
fn what_cannot_be_deployed_is_refused() {
    let empty = Stage::new();
    empty.plan(STEPS);
    empty
        .tell(&["deploy", "plan.backout.yaml", "--as", "lead"])
        .expect(30)
        .says("this plan has no stages");
    let stage = stage(STAGES);
    stage.say("deploy plan.backout.yaml --dry-run").expect(0).says("undone by").says("old-schema");
    assert!(!stage.path("schema").exists());
    stage
        .tell(&["deploy", "plan.backout.yaml", "--as", "ann"])
        .expect(30)
        .says("you may not start the deployment: only Lena Lead (lead) may");
    stage.plan_with(STEPS, &STAGES.replace("undone_by: [close]", "undone_by: [nothing]"));
    stage.say("check plan.backout.yaml").expect(1).says("there is no step `nothing` in this plan");
    stage.plan_with(&STEPS.replace("owner: bob,", "owner: bob, bake: 5m,"), STAGES);
    stage.say("check plan.backout.yaml").expect(1).says("`bake` belongs to stages");
    stage.plan_with(STEPS, &STAGES.replace("id: open,", "id: close,"));
    stage.say("check plan.backout.yaml").expect(1).says("two steps are called `close`");
}

#[test]
fn triggers_are_shown_and_run_over_records() {
    let triggers = format!(
        "{STAGES}watch: {{window: 1m, grace: 10s}}\nsources: {{metrics: {{prometheus: \"http://127.0.0.1:9\"}}}}\ntriggers:\n  logins: {{severity: critical, every: 1s, ratio: {{source: metrics, bad: b, total: t, limit: 5%}}}}\n  load: {{severity: minor, every: 1s, gauge: {{source: metrics, query: load, limit: \"> 5\"}}}}\n  both: {{severity: minor, required: false, every: 1s, composite: 'firing[\"logins\"] && firing[\"load\"]'}}\n"
    );
    let stage = stage(&triggers);
    stage
        .say("watch plan.backout.yaml --dry-run")
        .expect(0)
        .says("logins (ratio), every")
        .says("on evidence of");
    let mut rows = "time,trigger,bad,total,value\n".to_owned();
    for second in 0..200 {
        let bad = if second < 150 { u32::from(second % 10 == 0) } else { 20 };
        rows.push_str(&format!("{},logins,{bad},40,\n", 1_780_000_000 + second));
        rows.push_str(&format!(
            "2026-05-28T20:{:02}:{:02}Z,load,,,{}\n",
            26 + (second + 40) / 60,
            (second + 40) % 60,
            3
        ));
    }
    stage.write("record.csv", &rows);
    let told = stage
        .say("watch plan.backout.yaml --replay record.csv --stable-until 1780000150")
        .expect(1);
    told.says("logins: fires at")
        .says("load: never fires")
        .says("false alarms: 0 of 2 watches of 1m");
    let json = stage.say("watch plan.backout.yaml --replay record.csv --json").expect(1).json();
    let of = |name: &str| {
        json["triggers"]
            .as_array()
            .expect("triggers")
            .iter()
            .find(|t| t["trigger"] == name)
            .expect("it")
            .clone()
    };
    let fired: jiff::Timestamp =
        of("logins")["first_firing"].as_str().expect("a time").parse().expect("a time");
    let after = fired.as_second() - 1_780_000_150;
    assert!((0..=3).contains(&after), "{after} seconds after the breach");
    assert!(of("load")["first_firing"].is_null());
    for (rows, says) in [
        ("a,b\n1,2\n", "it needs the columns `time` and `trigger`"),
        ("time,trigger,bad,total\n", "it holds no sample"),
        ("time,trigger,bad,total\nsoon,logins,1,2\n", "line 2: `soon` is no time"),
        ("time,trigger,bad,total\n1,logons,1,2\n", "line 2: there is no trigger `logons`"),
        ("time,trigger,bad,total\n1,logins,x,2\n", "line 2: `x` is no figure"),
        ("time,trigger,value\n1,logins,3\n", "line 2: `logins` is about `bad` and `total`"),
        (
            "time,trigger,bad,total\n5,logins,1,2\n1,logins,1,2\n",
            "line 3: `logins` goes back in time",
        ),
        (
            "time,trigger,bad,total\n5,logins,1,2\n5,logins,1,2\n",
            "line 3: `logins` has a row of this time already",
        ),
        ("time,trigger,bad,total\n5,logins,1\n", "line 2: it has 3 cells, and the head 4"),
        ("time,trigger,bad,total\n5,logins,1,2,3\n", "line 2: it has 5 cells, and the head 4"),
        ("time,trigger,bad,total\n5,logins,3,2\n", "line 2: 3 bad of 2 cannot be counts"),
        ("time,trigger,bad,total\n5,logins,-1,2\n", "line 2: -1 bad of 2 cannot be counts"),
        ("time,trigger,bad,total\n5,logins,1,NaN\n", "line 2: 1 bad of NaN cannot be counts"),
    ] {
        stage.write("bad.csv", rows);
        stage.say("watch plan.backout.yaml --replay bad.csv").expect(64).says(says);
    }
    // What was never seen to be well was not found well.
    let well = |seconds: std::ops::Range<u32>, name: &str, cells: &str| -> String {
        seconds.map(|second| format!("{},{name},{cells}\n", 1_780_000_000 + second)).collect()
    };
    let head = "time,trigger,bad,total,value\n";
    let logins = well(0..100, "logins", "0,40,");
    let load = well(0..100, "load", ",,3");
    for (rows, says) in [
        (logins.clone(), "load: unknown; not in the record"),
        (format!("{load}{}", well(0..100, "logins", ",,")), "at the end no data"),
        (format!("{load}{}", well(0..2, "logins", "0,4,")), "at the end too little data"),
        (format!("{logins}{load}{}", well(100..102, "load", ",,9")), "at the end pending"),
        (
            // Well at both ends, and nobody knows what was in between.
            [(0..5, ",,3"), (5..95, ",,"), (95..100, ",,3")]
                .into_iter()
                .map(|(seconds, cells)| well(seconds, "load", cells))
                .fold(logins.clone(), |rows, more| rows + &more),
            "nothing to look at for 1m",
        ),
    ] {
        stage.write("short.csv", &format!("{head}{rows}"));
        let told = stage.say("watch plan.backout.yaml --replay short.csv").expect(20);
        told.says(says).says("nobody can say that all is well");
        let json = stage.say("watch plan.backout.yaml --replay short.csv --json").expect(20).json();
        assert_eq!(json["verdict"], "inconclusive");
    }
    stage.write("whole.csv", &format!("{head}{logins}{load}"));
    stage
        .say("watch plan.backout.yaml --replay whole.csv")
        .expect(0)
        .says("load: never fires")
        .says("both: unknown; a composite is not replayed");
    // A dead source: nobody can say, and that is neither good nor bad.
    let told = stage.say("watch plan.backout.yaml --for 5s");
    told.says("metrics cannot be read: nobody listens there").says("So far: inconclusive.");
    assert_eq!(told.code, Some(20));
}

/// Nobody watched while the coordinator was gone: that is no time under watch.
#[test]
fn a_watch_that_was_interrupted_takes_longer() {
    let stage = Stage::new();
    let stages = STAGES.replace("verify: {file: {path: down}}", "verify: {file: {path: up}}");
    let stages = stages.replace("run: {shell: mv up down}", "run: {shell: \"true\"}");
    let watch = WATCH.replace("window: 2s", "window: 8s");
    stage.plan_with(STEPS, &format!("{stages}{watch}"));
    stage.write("up", "");
    let mut running = stage.start(&["deploy", "plan.backout.yaml", "--as", "lead"]);
    stage.until("both stages are done", |stage| {
        let told = stage.say("log CHG7 --json");
        told.code == Some(0) && told.out.matches("\"step_succeeded\"").count() == 2
    });
    running.kill_9();
    stage.until("the coordinator is gone", |stage| {
        stage.say("status").out.contains("No coordinator is at work")
    });
    // Longer than the whole watch: by the clock alone it would be over.
    std::thread::sleep(std::time::Duration::from_secs(9));
    let release = stage.status()["release"].clone();
    assert_eq!(
        (&release["goes_forward"], &release["decision"]),
        (&serde_json::json!(true), &serde_json::Value::Null)
    );
    assert_eq!(release["triggers"][0]["id"], "portal");
    // In the meantime nothing is shown as if somebody looked at it.
    stage.until("it is said that nobody looks", |stage| {
        let status = stage.say("status").expect(0).out;
        let line =
            status.lines().find(|line| line.contains("portal  ")).unwrap_or_default().to_owned();
        line.contains("NOT LOOKED AT since") && line.contains("? ") && !line.contains('✓')
    });
    let told = stage.tell(&["resume", "--plain"]).expect(0);
    told.says("not watched for").says("watch ended: found well");
    let at = |what: &str| {
        let log = stage.say("log CHG7 --json").out;
        let line = log
            .lines()
            .find(|line| line.contains(what))
            .unwrap_or_else(|| panic!("{what} is not in\n{log}"))
            .to_owned();
        let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        value["at"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time")
    };
    let after = at("watch_ended").duration_since(at("watch_gap"));
    assert!(after.as_secs() >= 4, "{after:?}: it was watched for the rest of its time");
}

#[cfg(feature = "fault-points")]
#[test]
fn a_crash_at_every_point_of_the_decision_loses_and_repeats_nothing() {
    use backout_engine::fault::Point;
    for point in Point::OF_DECISIONS {
        for about in ["FIRING", "ok", "recovering"] {
            let decides = matches!(point, Point::Deciding | Point::DecisionDurable);
            if decides && about != "FIRING" {
                continue;
            }
            let story = format!("{} {about}", point.name());
            let stage = stage(&rule(", automatic: true"));
            let mut command = stage.command(&["deploy", "plan.backout.yaml", "--as", "lead"]);
            let at = if decides { String::new() } else { format!("@{about}") };
            command.env("BACKOUT_FAULT", format!("{}{at}", point.name()));
            let first = told(command);
            assert_eq!(first.signal, Some(6), "{story}: {first:?}");
            stage.tell(&["resume", "--as", "lead"]).expect(11);
            everything_is_back(&stage, &story);
            let status = stage.status();
            assert_eq!(status["outcome"], "reverted", "{story}");
            let json = stage.say("decide CHG7 --explain --json").expect(0).json();
            assert_eq!(json["decisions"].as_array().map(Vec::len), Some(1), "{story}");
            stage.say("verify").expect(0);
        }
    }
}

#[test]
fn other_systems_report_stages_and_alerts() {
    let port = free_port();
    let stages = STAGES.replace(
        "run: {shell: mv up down}, effect: opaque, verify: {file: {path: down}}",
        "external: Jenkins job open-portal, verify: {file: {path: up}}",
    );
    let more = format!(
        "{stages}watch: {{window: 1h, receive: {{listen: \"127.0.0.1:{port}\", secret: \"file:secret\"}}}}\ntriggers:\n  pager: {{severity: critical, every: 100ms, webhook: {{alert: PortalDown}}}}\ndecision:\n  critical: {{action: back-out, by: lead, automatic: true}}\n"
    );
    let stage = stage(&more);
    stage.write("secret", "correct horse\n");
    // What Jenkins would have done.
    stage.write("down", "");
    let mut running = stage.start(&["deploy", "plan.backout.yaml", "--as", "lead"]);
    stage.until("the second stage", |stage| stage.is_step("open", "running"));
    let report = r#"{"stage": "open", "result": "done", "note": "build 4711"}"#;
    assert!(send(port, "/stage", "wrong", report).contains("401"));
    assert_eq!(stage.step("open")["state"], "running");
    let wrong = send(port, "/stage", "correct horse", r#"{"stage": "schema", "result": "done"}"#);
    assert!(
        wrong.contains("409") && wrong.contains("no stage that another system carries out"),
        "{wrong}"
    );
    let told = send(port, "/stage", "correct horse", report);
    assert!(told.contains("200"), "{told}");
    stage.until("the stage is done", |stage| stage.step("open")["state"] == "succeeded");
    let nobody = send(port, "/alert", "correct horse", r#"{"alert": "Other", "firing": true}"#);
    assert!(nobody.contains("no trigger of this plan waits for the alert `Other`"), "{nobody}");
    let fires = send(port, "/alert", "correct horse", r#"{"alert": "PortalDown", "firing": true}"#);
    assert!(fires.contains("200"), "{fires}");
    stage.until("the way back", |stage| stage.step("old-schema")["state"] == "succeeded");
    let resolved =
        send(port, "/alert", "correct horse", r#"{"alert": "PortalDown", "firing": false}"#);
    assert!(resolved.contains("200"), "{resolved}");
    assert_eq!(running.code(), Some(11));
    assert_eq!(stage.status()["outcome"], "reverted");
    stage
        .say("log")
        .says("build 4711")
        .says("done, reported by signed webhook (ann)")
        .says("pager:");
    assert!(
        !std::fs::read_to_string(stage.path("plan.backout.yaml"))
            .expect("the plan")
            .contains("horse")
    );
    assert!(!stage.say("log --json").out.contains("horse"), "a secret is nowhere");
    // A secret in the plan itself is refused.
    stage.plan_with(STEPS, &more.replace("file:secret", "correct horse"));
    stage.say("check plan.backout.yaml").expect(1).says("a secret does not stand in a plan");
}
