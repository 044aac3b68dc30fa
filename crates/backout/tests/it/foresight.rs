//! How long, how likely, until when: from the command line.

use insta::assert_snapshot;
use serde_json::Value;

use crate::stage::Stage;

const WINDOW: &str = "window: {timezone: Europe/London, deploy: 2026-06-06T02:00 / 2026-06-06T04:00, backout_by: 2026-06-06T06:00}\ndecision:\n  critical: {action: back-out, by: lead, within: 10m}\n";

/// Two people who share the work, one lane, a step for the morning.
const STEPS: &str = "
  - {id: stop, owner: ann, takes: {low: 3m, likely: 5m, high: 9m}, manual: Stop it.}
  - {id: restore-db, owner: ann, exclusive: restore, takes: {low: 20m, likely: 30m, high: 50m}, run: {argv: ['true'], timeout: 2h}, after: [stop]}
  - {id: restore-files, owner: bob, exclusive: restore, takes: 10m, run: {argv: ['true'], timeout: 2h}, after: [stop]}
  - {id: tell, owner: bob, takes: 5m, manual: Tell them., after: [stop]}
  - {id: check, owner: bob, takes: 15m, manual: Look at it., after: [restore-db, restore-files]}
";

fn forecast(stage: &Stage, more: &str) -> Value {
    stage.say(&format!("forecast plan.backout.yaml --json {more}")).expect(0).json()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

#[test]
fn a_forecast_for_people() {
    let stage = Stage::new();
    stage.plan_with(STEPS, WINDOW);
    let shown = stage.say("forecast plan.backout.yaml").expect(0);
    assert_snapshot!("forecast", shown.out);
    // Nothing was started or kept.
    assert!(!stage.state.exists());
}

#[test]
fn the_same_question_has_the_same_answer() {
    let stage = Stage::new();
    stage.plan_with(STEPS, WINDOW);
    let once = stage.say("forecast plan.backout.yaml --json --seed 7").expect(0).out;
    assert_eq!(once, stage.say("forecast plan.backout.yaml --json --seed 7").expect(0).out);
    assert_ne!(once, stage.say("forecast plan.backout.yaml --json --seed 8").expect(0).out);
}

#[test]
fn the_lane_is_used_in_the_better_order() {
    let stage = Stage::new();
    stage.plan_with(STEPS, WINDOW);
    let told = forecast(&stage, "");
    let order: Vec<&str> =
        told["order"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(order.len(), 5);
    assert_eq!(told["optimal"], true, "{told}");
    let path: Vec<&str> = told["critical_path"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(path.starts_with(&["stop"]) && path.ends_with(&["check"]), "{path:?}");
}

#[test]
fn the_point_of_no_return_is_where_the_chance_falls_below_what_is_wanted() {
    let stage = Stage::new();
    stage.plan_with(STEPS, WINDOW);
    let told = forecast(&stage, "");
    let last = told["point_of_no_return"]["at"].as_str().expect("a time").to_owned();
    let at_last = forecast(&stage, &format!("--at {last}"));
    let chance = number(&at_last["in_time"]["value"]);
    assert!((0.95..0.96).contains(&chance), "{chance}");
    // Ten minutes earlier somebody has to be asked.
    let decide = told["decide_by"].as_str().expect("a time");
    let between = last
        .parse::<jiff::Timestamp>()
        .expect("a time")
        .duration_since(decide.parse().expect("a time"));
    assert!((590..=610).contains(&between.as_secs()), "{between}");
}

#[test]
fn times_are_local_and_know_the_clock_change() {
    let stage = Stage::new();
    // The night on which London's clock goes back from two to one.
    let window = "window: {timezone: Europe/London, deploy: 2026-10-25T00:30 / 2026-10-25T02:30, backout_by: 2026-10-25T04:00}\n";
    stage.plan_with("  - {id: a, owner: ann, takes: 3h, manual: Do it.}\n", window);
    let told = forecast(&stage, "--at 2026-10-25T00:30");
    // From 00:30 BST to 04:00 GMT there are four and a half hours.
    assert_eq!(told["at"], "2026-10-24T23:30:00Z");
    assert_eq!(told["backout_by"], "2026-10-25T04:00:00Z");
    let shown = stage.say("forecast plan.backout.yaml --at 2026-10-25T00:30").expect(0);
    shown.says("BST").says("GMT");
    stage.say("forecast plan.backout.yaml --at 01:30").expect(64).says("happens twice");
    stage.say("forecast plan.backout.yaml --at yesterday").expect(64).says("is not a time");
}

#[test]
fn a_step_for_the_morning_waits_for_it() {
    let stage = Stage::new();
    stage.plan_with(
        "  - {id: a, owner: ann, takes: {low: 4m, likely: 5m, high: 6m}, manual: Do it.}\n  - {id: b, owner: ann, takes: {low: 4m, likely: 5m, high: 6m}, not_before: '2026-06-06T05:00', manual: When the office opens.}\n",
        WINDOW,
    );
    let told = forecast(&stage, "--at 02:00");
    assert_eq!(told["steps"][1]["start"].as_str().map(|at| &at[..16]), Some("2026-06-06T04:00"));
    // Whether it is invoked at two or at three makes no difference.
    let chances: Vec<f64> = told["along"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|moment| number(&moment["in_time"]["value"]))
        .collect();
    assert!(chances[..3].iter().all(|chance| *chance > 0.99), "{chances:?}");
    let last = told["point_of_no_return"]["at"].as_str().expect("a time");
    assert!(("2026-06-06T04:40".."2026-06-06T04:50").contains(&&last[..16]), "{last}");
}

#[test]
fn what_is_not_known_is_not_forecast() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, manual: Do it.}\n");
    stage
        .say("forecast plan.backout.yaml")
        .expect(1)
        .says("no duration is known of a")
        .says("takes:");
    stage.plan("  - {id: a, owner: ann, takes: 5m, manual: Do it.}\n");
    let shown = stage.say("forecast plan.backout.yaml").expect(0);
    shown.says("Point of no return: unknown").says("backout_by");
    stage.say("forecast plan.backout.yaml --fix 45m").expect(64).says("no `backout_by`");
    stage.say("forecast nothing.backout.yaml").expect(64);
    stage.say("forecast CHG99").expect(64).says("there are no runs");
}

#[test]
fn fixing_first_costs_what_it_costs() {
    let stage = Stage::new();
    stage.plan_with(STEPS, WINDOW);
    let told = forecast(&stage, "--fix 20m/40m/3h --at 04:00");
    let back = number(&told["fix"]["back_out_now"]["downtime_s"]);
    let give_up = &told["fix"]["give_up"];
    assert!(number(&give_up["late"]) <= 0.05, "{give_up}");
    assert!(number(&give_up["seconds"]) > 0.0 && back > 0.0);
    // Nobody tries to fix beyond the point of no return.
    let until = give_up["at"].as_str().expect("a time");
    assert!(until <= told["point_of_no_return"]["at"].as_str().expect("a time"));
    stage.say("forecast plan.backout.yaml --fix 5m/4m/9m").expect(64).says("three that rise");
    stage
        .say("forecast plan.backout.yaml --fix 30m --at 04:00")
        .expect(0)
        .says("Fix forward, or back out");
}

#[test]
fn every_option_stands_beside_the_others_and_parts_can_be_weighed() {
    let stage = Stage::new();
    let steps = "
  - {id: stop, owner: ann, takes: 5m, manual: Stop it.}
  - {id: db, component: database, owner: ann, takes: 60m, manual: Restore it.}
  - {id: web, component: web, owner: bob, takes: 10m, after: [stop], manual: Restore it.}
";
    let more = format!(
        "{WINDOW}components: {{database: {{}}, web: {{}}}}\noptions:\n  light: {{title: Only stop, steps: [stop]}}\n  full: {{title: Everything, default: true}}\n"
    );
    stage.plan_with(steps, &more);
    let told = forecast(&stage, "--partial");
    let options: Vec<(&str, f64)> = told["options"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|o| {
            (o["option"].as_str().expect("a name"), number(&o["finish"]["p95"]["seconds"]["value"]))
        })
        .collect();
    assert_eq!(options.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["full", "light"]);
    assert!(options[0].1 > options[1].1);
    let parts = told["partial"].as_array().expect("a list");
    // Keeping the database is quick; keeping the web servers is slow; both go back slower.
    assert_eq!(parts[0]["keep"], serde_json::json!(["database"]));
    assert_eq!(told["options"][1]["option"], "light");
    let only = forecast(&stage, "--only web");
    assert!(number(&only["planned_s"]) < number(&told["planned_s"]));
    stage.say("forecast plan.backout.yaml --only nowhere").expect(64).says("no component");
}

#[test]
fn measured_durations_count_and_can_go_into_the_plan() {
    let stage = Stage::new();
    stage.plan_with(
        "  - id: a\n    owner: ann\n    takes: 50m # a guess\n    run: {argv: [sleep, '0.2']}\n    verify: {run: {argv: ['true']}}\n",
        WINDOW,
    );
    let guess = number(&forecast(&stage, "")["planned_s"]);
    for _ in 0..3 {
        stage.say("invoke plan.backout.yaml --as lead").expect(0);
    }
    stage.say("history").expect(0).says("3×");
    let told = forecast(&stage, "");
    assert_eq!(told["steps"][0]["rests_on"], serde_json::json!({"kind": "measured", "count": 3}));
    assert!(number(&told["planned_s"]) < guess / 100.0);
    // The same, from a file.
    let history = stage.say("history --json").expect(0).out;
    let kept = stage.write("history.json", &history);
    let mut elsewhere = stage.command(&["forecast", "plan.backout.yaml", "--json", "--history"]);
    elsewhere.arg(&kept).env("BACKOUT_STATE", stage.path("empty"));
    assert_eq!(crate::stage::told(elsewhere).expect(0).json()["steps"][0]["rests_on"]["count"], 3);
    // Proposed as a patch, and written only when asked.
    let before = stage.read("plan.backout.yaml");
    stage
        .say("calibrate plan.backout.yaml")
        .expect(0)
        .says("-    takes: 50m # a guess")
        .says("3 times");
    assert_eq!(stage.read("plan.backout.yaml"), before);
    stage.say("calibrate plan.backout.yaml --write").expect(0);
    let after = stage.read("plan.backout.yaml");
    assert!(
        after.contains("# a guess") && after.contains("takes: {low: 1s, likely: 1s, high: "),
        "{after}"
    );
    // The step is still known by what it does.
    assert_eq!(forecast(&stage, "")["steps"][0]["rests_on"]["count"], 3);
    stage.say("calibrate plan.backout.yaml").expect(0).says("Nothing to change");
}

#[test]
fn a_history_that_is_none_or_another_plans_is_refused() {
    let stage = Stage::new();
    stage.plan_with(STEPS, WINDOW);
    stage.write("bad.json", "{\"history\": [{\"step\": 1}]}");
    stage.say("forecast plan.backout.yaml --history bad.json").expect(1).says("is not a history");
    stage.say("forecast plan.backout.yaml --history none.json").expect(64).says("cannot be read");
    let other = "{\"history\": [{\"run\": \"CHG1-1\", \"step\": \"x\", \"action\": \"sha256:0000000000000000000000000000000000000000000000000000000000000000\", \"seconds\": 5, \"failed\": 0}]}";
    stage.write("other.json", other);
    stage.say("calibrate plan.backout.yaml --history other.json").expect(1).says("another plan");
    stage.say("forecast plan.backout.yaml --history other.json").expect(1).says("another plan");
    stage.write("absurd.json", &other.replace("\"seconds\": 5", "\"seconds\": -5"));
    stage.say("forecast plan.backout.yaml --history absurd.json").expect(1).says("absurd");
}

#[test]
fn a_run_under_way_is_forecast_from_where_it_stands() {
    let stage = Stage::new();
    stage.plan_with(
        "  - {id: a, owner: ann, takes: 5m, run: {argv: ['true']}}\n  - {id: b, owner: bob, takes: {low: 10m, likely: 20m, high: 40m}, manual: Do it.}\n  - {id: c, owner: ann, takes: 5m, manual: Do it too.}\n",
        "",
    );
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    let told = stage.say("forecast CHG7 --json").expect(0).json();
    assert_eq!(told["run"], "CHG7-1");
    let left: Vec<&str> = told["steps"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|step| step["id"].as_str())
        .collect();
    assert_eq!(left, ["b", "c"]);
    // Asked for a later moment with nothing new, the running step has less left.
    let now = number(&told["finish"]["p50"]["seconds"]["value"]);
    let later: jiff::Timestamp = told["at"].as_str().expect("a time").parse().expect("a time");
    let later = later + jiff::SignedDuration::from_mins(15);
    let then = stage.say(&format!("forecast CHG7 --json --at {later}")).expect(0).json();
    let then = number(&then["finish"]["p50"]["seconds"]["value"]);
    assert!(then < now && then > now - 900.0, "{now} {then}");
    // After hours it is not "nearly done": it counts as begun anew.
    let hours = later + jiff::SignedDuration::from_hours(6);
    let stuck = stage.say(&format!("forecast CHG7 --json --at {hours}")).expect(0).json();
    assert_eq!(stuck["steps"][0]["outlasted"], true);
    assert!(number(&stuck["finish"]["p50"]["seconds"]["value"]) > 900.0, "{stuck}");
    stage
        .say(&format!("forecast CHG7 --at {hours}"))
        .expect(0)
        .says("longer than was thought possible");
    stage.say("status").expect(0).says("forecast: done by").says("(P95)");
    let status = stage.status();
    assert!(status["forecast"]["finish"]["p95"]["at"].is_string());
    stage.say("forecast CHG7 --partial").expect(64).says("is a run");
}

#[test]
fn the_run_follows_the_order_that_was_forecast_and_a_departure_makes_it_anew() {
    let stage = Stage::new();
    // In the plan's order bob would begin with the short one, and everything
    // behind his long one would wait.
    stage.plan_with(
        "  - {id: short, owner: bob, takes: 10m, after: [], manual: Short.}\n  - {id: long, owner: bob, takes: 10m, after: [], manual: Long.}\n  - {id: behind, owner: ann, takes: 2h, after: [long], manual: Behind.}\n",
        WINDOW,
    );
    let told = forecast(&stage, "");
    assert_eq!(told["order"][0], "long");
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    let running = |stage: &Stage| -> Vec<String> {
        let status = stage.status();
        let steps = status["steps"].as_array().expect("a list").clone();
        let running = steps.iter().filter(|step| step["state"] == "running");
        running.filter_map(|step| step["id"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(running(&stage), ["long"]);
    stage.write("extra.yaml", "{id: extra, owner: bob, takes: 5m, manual: Look.}\n");
    stage.say("add CHG7 extra.yaml --after long --reason odd --as lead").expect(0);
    let log = stage.say("log CHG7 --json").expect(0).out;
    assert!(log.contains("order_frozen"), "{log}");
    stage.say("log CHG7").expect(0).says("order of work recomputed");
    stage.say("verify CHG7").expect(0);
}

#[test]
fn pictures_and_pages_stand_alone() {
    let stage = Stage::new();
    stage.plan_with(&STEPS.replace("Stop it.", "'<script>alert(1)</script>'"), WINDOW);
    stage.say("forecast plan.backout.yaml --svg s.svg --html f.html").expect(0);
    let (svg, html) = (stage.read("s.svg"), stage.read("f.html"));
    assert!(svg.starts_with("<svg ") && svg.contains("<title id=\"title\">A change"), "{svg}");
    for page in [&svg, &html] {
        assert!(!page.contains("<script") && !page.contains("src="), "{page}");
        // Nothing is fetched: the only address is the name of the language.
        assert_eq!(
            page.matches("http").count(),
            page.matches("http://www.w3.org/2000/svg").count()
        );
    }
    assert!(html.contains("Point of no return"));
    stage
        .say("forecast plan.backout.yaml --svg /nowhere/s.svg")
        .expect(64)
        .says("cannot be written");
}

#[test]
fn assumptions_can_be_seen_and_changed() {
    let stage = Stage::new();
    stage.plan_with(STEPS, WINDOW);
    let plain = number(&forecast(&stage, "")["finish"]["p95"]["seconds"]["value"]);
    let stressed = number(&forecast(&stage, "--stress 1.5")["finish"]["p95"]["seconds"]["value"]);
    assert!((stressed / plain - 1.5).abs() < 0.03, "{plain} {stressed}");
    let rough = number(&forecast(&stage, "--bad-night 40%")["finish"]["p95"]["seconds"]["value"]);
    assert!(rough > plain * 1.1, "{plain} {rough}");
    stage.plan_with(STEPS, &format!("{WINDOW}forecast: {{stress: 1.5}}\n"));
    let stated = number(&forecast(&stage, "")["finish"]["p95"]["seconds"]["value"]);
    assert!((stated - stressed).abs() < 1.0, "{stated} {stressed}");
    stage.say("forecast plan.backout.yaml --stress 99").expect(64).says("makes no sense");
    stage.plan_with(STEPS, "forecast: {stress: 0}\n");
    stage.say("forecast plan.backout.yaml").expect(64).says("makes no sense");
}

#[test]
fn a_window_over_midnight_and_one_that_has_passed() {
    let stage = Stage::new();
    let over = "window: {timezone: Europe/London, deploy: 2026-06-05T22:00 / 2026-06-06T01:00, backout_by: 2026-06-06T06:00}\n";
    stage.plan_with("  - {id: a, owner: ann, takes: 1h, manual: Do it.}\n", over);
    assert_eq!(forecast(&stage, "--at 03:30")["at"], "2026-06-06T02:30:00Z");
    assert_eq!(forecast(&stage, "--at 23:00")["at"], "2026-06-05T22:00:00Z");
    stage.say("forecast plan.backout.yaml").expect(0).says("this window ended").says("Fri 5 Jun");
    // What the night does not have is not another night's.
    stage
        .say("forecast plan.backout.yaml --at 21:59")
        .expect(64)
        .says("21:59 is outside the window")
        .says("write the date too");
    let outside = stage.say("forecast plan.backout.yaml --at 2026-06-05T21:59 --json").expect(0);
    outside.says("is outside the window");
    assert_eq!(outside.json()["at"], "2026-06-05T20:59:00Z");
}

#[test]
fn a_time_of_day_is_that_of_the_window_s_night() {
    let stage = Stage::new();
    let over = "window: {timezone: Europe/London, deploy: 2026-06-05T23:30 / 2026-06-06T00:30, backout_by: 2026-06-06T02:00}\n";
    stage.plan_with("  - {id: a, owner: ann, takes: 1h, manual: Do it.}\n", over);
    assert_eq!(forecast(&stage, "--at 00:15")["at"], "2026-06-05T23:15:00Z");
    assert_eq!(forecast(&stage, "--at 23:45")["at"], "2026-06-05T22:45:00Z");
    // Without the start of the window it is the night before its end.
    let end = "window: {timezone: Europe/London, backout_by: 2026-06-06T02:00}\n";
    stage.plan_with("  - {id: a, owner: ann, takes: 1h, manual: Do it.}\n", end);
    assert_eq!(forecast(&stage, "--at 00:15")["at"], "2026-06-05T23:15:00Z");
    assert_eq!(forecast(&stage, "--at 02:00")["at"], "2026-06-06T01:00:00Z");
    assert_eq!(forecast(&stage, "--at 03:00")["at"], "2026-06-05T02:00:00Z");
}

#[test]
fn a_time_that_comes_twice_or_never_is_refused_with_its_two_spellings() {
    let stage = Stage::new();
    let step = "  - {id: a, owner: ann, takes: 1h, manual: Do it.}\n";
    let back = "window: {timezone: Europe/London, deploy: 2026-10-24T23:00 / 2026-10-25T00:30, backout_by: 2026-10-25T02:10}\n";
    stage.plan_with(step, back);
    for said in ["01:30", "2026-10-25T01:30"] {
        stage
            .say(&format!("forecast plan.backout.yaml --at {said}"))
            .expect(64)
            .says("happens twice")
            .says("`2026-10-25T01:30+01:00` or `2026-10-25T01:30+00:00`");
    }
    let first = forecast(&stage, "--at 2026-10-25T01:30+01:00");
    let second = forecast(&stage, "--at 2026-10-25T01:30+00:00");
    assert_eq!(first["at"], "2026-10-25T00:30:00Z");
    assert_eq!(second["at"], "2026-10-25T01:30:00Z");
    assert!(number(&first["in_time"]["value"]) > number(&second["in_time"]["value"]) + 0.5);
    // A window that ends between the two has one of them.
    stage.plan_with(
        step,
        &back.replace("backout_by: 2026-10-25T02:10", "backout_by: 2026-10-25T00:50"),
    );
    stage.say("forecast plan.backout.yaml --at 01:30").expect(64).says("is outside the window");
    let forward = "window: {timezone: America/New_York, deploy: 2026-03-07T22:00 / 2026-03-07T23:30, backout_by: 2026-03-08T06:00}\n";
    stage.plan_with(step, forward);
    for said in ["02:30", "2026-03-08T02:30"] {
        stage
            .say(&format!("forecast plan.backout.yaml --at {said}"))
            .expect(64)
            .says("does not exist")
            .says("`2026-03-08T02:30-05:00` or `2026-03-08T02:30-04:00`");
    }
}

#[test]
fn a_time_that_is_past_is_said() {
    let stage = Stage::new();
    let step = "  - {id: a, owner: ann, takes: 1h, manual: Do it.}\n";
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let hours = |hours: i64| now.checked_add(jiff::Span::new().hours(hours)).expect("a time");
    let local = |hours_: i64| hours(hours_).strftime("%Y-%m-%dT%H:%M").to_string();
    let clock = |hours_: i64| hours(hours_).strftime("%H:%M").to_string();
    stage.plan_with(
        step,
        &format!(
            "window: {{timezone: UTC, deploy: {} / {}, backout_by: {}}}\n",
            local(-3),
            local(2),
            local(5)
        ),
    );
    stage
        .say(&format!("forecast plan.backout.yaml --at {}", clock(-2)))
        .expect(64)
        .says("is in the past: it is");
    let ahead = forecast(&stage, &format!("--at {}", clock(2)));
    assert_eq!(ahead["at"].as_str().map(|at| &at[..16]), Some(local(2).as_str()));
    let dated = stage.say(&format!("forecast plan.backout.yaml --at {}", local(-2))).expect(0);
    dated.says("is in the past: it is");
    // Without a window it is the next one, and which is said.
    stage.plan(step);
    let told = stage.say(&format!("forecast plan.backout.yaml --at {}", clock(-2))).expect(0);
    told.says("the plan has no window").says("the forecast is for an invocation at");
    // A run goes on from now.
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    let past = now.checked_sub(jiff::Span::new().minutes(90)).expect("a time");
    stage
        .say(&format!("forecast CHG7 --at {}", past.timestamp()))
        .expect(64)
        .says("is in the past");
}

#[test]
fn a_step_stopped_at_its_time_out_is_not_done() {
    let stage = Stage::new();
    let step = |timeout: &str| {
        format!(
            "  - {{id: a, owner: ann, takes: 40m, run: {{argv: ['true'], timeout: {timeout}}}}}\n"
        )
    };
    stage.plan_with(&step("61m"), WINDOW);
    let tight = number(&forecast(&stage, "")["finish"]["p95"]["seconds"]["value"]);
    stage.plan_with(&step("5h"), WINDOW);
    let wide = number(&forecast(&stage, "")["finish"]["p95"]["seconds"]["value"]);
    assert!(tight > wide, "{tight} {wide}");
}

/// Steps that took three times as long as stated tell a bad night; they would
/// tell nothing if they were compared with themselves.
#[test]
fn a_run_is_not_its_own_history() {
    let stage = Stage::new();
    let slow: String = ["a", "b", "c", "d", "e"]
        .iter()
        .map(|id| {
            format!(
                "  - {{id: {id}, owner: ann, takes: 1s, after: [], run: {{argv: [sleep, '3']}}}}\n"
            )
        })
        .collect();
    let last = "  - {id: last, owner: bob, takes: 100m, after: [a, b, c, d, e], manual: Do it.}\n";
    stage.plan(last.replace(", after: [a, b, c, d, e]", "").as_str());
    let alone = number(&forecast(&stage, "")["finish"]["p50"]["seconds"]["value"]);
    stage.plan(&format!("{slow}{last}"));
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    let told = stage.say("forecast CHG7 --json").expect(0).json();
    assert_eq!(told["steps"][0]["id"], "last");
    let tonight = number(&told["finish"]["p50"]["seconds"]["value"]);
    assert!(tonight > 1.15 * alone, "{alone} {tonight}");
}

#[test]
fn a_confidence_no_sample_can_tell_is_refused() {
    let stage = Stage::new();
    let sure = WINDOW.replace(
        "backout_by: 2026-06-06T06:00",
        "backout_by: 2026-06-06T06:00, confidence: 99.99%",
    );
    stage.plan_with(STEPS, &sure);
    stage
        .say("forecast plan.backout.yaml")
        .expect(64)
        .says("cannot tell 99.99%")
        .says("--nights 500000");
    stage
        .say("forecast plan.backout.yaml --nights 600000")
        .expect(0)
        .says("The plan wants 99.99 %");
}

#[test]
fn whoever_a_step_is_handed_to_counts_as_they_are() {
    let stage = Stage::new();
    let roles = "backout: 1\nchange: {id: CHG7, title: A change, owner: lead}\nroles:\n  lead: {name: Lena Lead}\n  bob: {name: Bob}\n  ops: {name: Operations, team: 3}\nsteps:\n  - {id: b1, owner: bob, takes: 10m, after: [], manual: One.}\n  - {id: o1, owner: ops, takes: 10m, after: [], manual: Two.}\n  - {id: o2, owner: ops, takes: 10m, after: [], manual: Three.}\n";
    stage.write("plan.backout.yaml", roles);
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    // Bob is one person, also for what a team of three would do at once.
    for step in ["o1", "o2"] {
        stage.say(&format!("assign CHG7 {step} Bob --reason ill --as lead")).expect(0);
    }
    let told = stage.say("forecast CHG7 --json").expect(0).json();
    assert!(number(&told["planned_s"]) > 500.0, "{told}");
}

/// What ended while nobody was coordinating was not measured; what a person
/// acknowledged was, at that moment.
#[test]
fn the_end_of_an_unwatched_step_is_no_measurement() {
    let stage = Stage::new();
    stage.plan("  - {id: a, owner: ann, takes: 1s, manual: Do it.}\n");
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    stage.say("ack CHG7 a --as ann").expect(0);
    let acted = stage.say("log CHG7 --json").expect(0).out;
    let at = |event: &str, log: &str| -> jiff::Timestamp {
        let line = log.lines().find(|line| line.contains(&format!("\"{event}\""))).expect(event);
        let value: Value = serde_json::from_str(line).expect("JSON");
        value["at"].as_str().expect("a time").parse().expect("a time")
    };
    let expected =
        at("step_executed", &acted).duration_since(at("step_intent", &acted)).as_secs_f64();
    stage.say("resume").expect(0);
    let seen = stage.say("history --json").expect(0).json();
    let measured = number(&seen["history"][0]["seconds"]);
    assert!((measured - expected).abs() < 1e-6, "{measured} {expected}");
}
