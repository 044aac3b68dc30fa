//! What the forecast makes of time-outs, of people who respond, of those who decide.

use serde_json::Value;

use crate::stage::Stage;

const WINDOW: &str = "window: {timezone: Europe/London, deploy: 2026-06-06T02:00 / 2026-06-06T03:30, backout_by: 2026-06-06T23:00}\n";

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

fn forecast(steps: &str, more: &str, flags: &str) -> Value {
    let stage = Stage::new();
    stage.plan_with(steps, more);
    stage.say(&format!("forecast plan.backout.yaml --json {flags}")).expect(0).json()
}

/// A step of each kind that its time-out stops before it can be done.
const ALWAYS_STOPPED: [&str; 8] = [
    "takes: {low: 20s, likely: 25s, high: 30s}, run: {argv: [sleep, '25'], timeout: 10s}, effect: idempotent, verify: {run: {argv: ['true']}}",
    "takes: {low: 20s, likely: 25s, high: 30s}, run: {argv: [sleep, '25'], timeout: 10s}",
    "takes: {low: 20s, likely: 25s, high: 30s}, run: {argv: [sleep, '25'], timeout: 10s}, effect: verifiable, verify: {run: {argv: ['true']}}",
    "takes: {low: 20s, likely: 25s, high: 30s}, run: {argv: [sleep, '25'], timeout: 10s}, effect: idempotent, retry: {attempts: 5, pause: 1s}",
    "takes: {low: 2h, likely: 3h, high: 4h}, run: {argv: [sleep, '9000']}",
    "takes: {low: 20s, likely: 25s, high: 30s}, http: {method: GET, url: 'http://127.0.0.1:9/', timeout: 10s}, verify: {run: {argv: ['true']}}",
    "takes: {low: 2m, likely: 3m, high: 4m}, http: {method: GET, url: 'http://127.0.0.1:9/'}",
    "takes: {low: 20m, likely: 25m, high: 30m}, wait: {up_to: 10m}, verify: {run: {argv: ['true']}}",
];

#[test]
fn a_step_that_is_always_stopped_is_never_in_time() {
    for step in ALWAYS_STOPPED {
        for help in ["", "forecast: {help: 1m}\n"] {
            let stage = Stage::new();
            let more = format!("{WINDOW}{help}");
            stage.plan_with(
                &format!(
                    "  - {{id: first, owner: ann, takes: 5m, manual: Do it.}}\n  - {{id: a, owner: ann, {step}}}\n"
                ),
                &more,
            );
            let told = stage.say("forecast plan.backout.yaml --json").expect(0).json();
            assert_eq!(told["in_time"]["value"], 0.0, "{step}");
            assert_eq!(told["never_in_time"], true, "{step}");
            assert_eq!(told["finish"]["never"], 1.0, "{step}");
            assert!(told["finish"]["p50"]["at"].is_null(), "{step}: {}", told["finish"]);
            assert!(told["point_of_no_return"].is_null(), "{step}");
            assert_eq!(told["steps"][1]["time_out_fails"], 1.0, "{step}");
            assert_eq!(told["steps"][0]["time_out_fails"], 0.0, "{step}");
            for along in told["along"].as_array().expect("a list") {
                assert_eq!(along["in_time"]["value"], 0.0, "{step}");
            }
            let shown = stage.say("forecast plan.backout.yaml").expect(0);
            let (fails, invoked) =
                (shown.out.find("`a` fails at its time-out"), shown.out.find("Invoked"));
            assert!(fails.is_some() && fails < invoked, "{}", shown.out);
            stage
                .say("forecast plan.backout.yaml --svg s.svg --html f.html --fix 30m --partial")
                .expect(0)
                .says("P95 never");
        }
    }
}

/// People and verifications around an action are not stopped with it.
#[test]
fn only_the_share_of_the_action_is_compared_with_the_time_out() {
    let takes = "takes: {low: 20s, likely: 25s, high: 30s}";
    for step in [
        "run: {argv: ['true'], timeout: 10s}, verify: {confirm: The shop is up}",
        "run: {argv: ['true'], timeout: 10s}, verify: {run: {argv: ['true']}, within: 2m}",
        "http: {url: 'http://127.0.0.1:9/', method: PUT}, verify: {confirm: The shop is up}",
    ] {
        let told = forecast(&format!("  - {{id: a, owner: ann, {takes}, {step}}}\n"), WINDOW, "");
        assert!(number(&told["in_time"]["value"]) > 0.9, "{step}: {}", told["in_time"]);
        // Beyond what is stated the action is slow and not the person.
        assert!(number(&told["steps"][0]["time_out_fails"]) < 0.35, "{step}: {told}");
        assert!(number(&told["finish"]["p50"]["seconds"]["value"]) < 30.0, "{step}");
    }
    let stage = Stage::new();
    stage.plan_with(
        &format!("  - {{id: a, owner: ann, {takes}, run: {{argv: ['true'], timeout: 10s}}, verify: {{confirm: Up}}}}\n"),
        WINDOW,
    );
    stage
        .say("forecast plan.backout.yaml")
        .expect(0)
        .says("the rest counts as verification and confirmation");
}

/// 40 to 58 minutes with an hour allowed: on slow nights it is stopped, a person repeats it
/// after 15 minutes, and then it is too late.
#[test]
fn a_slow_night_reaches_the_time_out() {
    let window = "window: {timezone: Europe/London, deploy: 2026-06-06T02:00 / 2026-06-06T03:30, backout_by: 2026-06-06T03:20}\nforecast: {help: 15m}\n";
    let step = |timeout: &str, more: &str| {
        format!(
            "  - {{id: a, owner: ann, takes: {{low: 40m, likely: 50m, high: 58m}}, run: {{argv: ['true'], timeout: {timeout}}}, effect: idempotent{more}}}\n"
        )
    };
    let tight = forecast(&step("60m", ""), window, "");
    let stopped = number(&tight["steps"][0]["time_out_fails"]);
    let in_time = number(&tight["in_time"]["value"]);
    assert!((0.10..0.17).contains(&stopped), "{stopped}");
    // No simulation in which it was stopped is in time: 60 + 15 + at least 40 minutes.
    assert!((in_time + stopped - 1.0).abs() < 1e-9, "{in_time} {stopped}");
    let wide = forecast(&step("3h", ""), window, "");
    assert!(number(&wide["steps"][0]["time_out_fails"]) < 1e-4, "{wide}");
    assert!(number(&wide["in_time"]["value"]) > in_time + 0.08, "{wide}");
    // The slowdown acts before the time-out is compared.
    let rough = forecast(&step("60m", ""), window, "--bad-night 40%");
    assert!(number(&rough["steps"][0]["time_out_fails"]) > stopped + 0.1, "{rough}");
    let stressed = forecast(&step("60m", ""), window, "--stress 2");
    assert!(number(&stressed["steps"][0]["time_out_fails"]) > 0.99, "{stressed}");
    // A retry does not wait for a person.
    let p90 = |value: &Value| number(&value["finish"]["p80"]["seconds"]["high"]);
    let alone = forecast(&step("55m", ""), window, "");
    let again = forecast(&step("55m", ", retry: {attempts: 3, pause: 10s}"), window, "");
    assert!(p90(&again) < p90(&alone) - 600.0, "{} {}", p90(&again), p90(&alone));
    let stage = Stage::new();
    stage.plan_with(&step("60m", ""), window);
    stage
        .say("forecast plan.backout.yaml")
        .expect(0)
        .says("`a` fails at its time-out (1h00m)")
        .says("a person repeats it after 15m");
}

/// Attempts that were stopped are no short durations, and make the next more likely to be.
#[test]
fn stopped_attempts_count_as_longer_than_their_time_out() {
    for effect in ["idempotent", "opaque"] {
        let stage = Stage::new();
        stage.plan_with(
            &format!("  - {{id: a, owner: ann, takes: 1s, run: {{argv: [sleep, '60'], timeout: 1s}}, effect: {effect}}}\n"),
            WINDOW,
        );
        let fails = |stage: &Stage| {
            let told = stage.say("forecast plan.backout.yaml --json").expect(0).json();
            number(&told["steps"][0]["time_out_fails"])
        };
        let before = fails(&stage);
        stage.say("invoke plan.backout.yaml --as lead");
        let seen = stage.say("history --json").expect(0).json();
        assert_eq!(seen["history"][0]["stopped"], 1, "{effect}: {seen}");
        assert_eq!(seen["history"][0]["failed"], 1, "{effect}: {seen}");
        assert!(seen["history"][0]["seconds"].is_null(), "{effect}: {seen}");
        assert!(fails(&stage) > before + 0.1, "{effect}: {before} {}", fails(&stage));
    }
}

#[test]
fn a_confirmation_waits_until_its_owner_responds() {
    let stage = Stage::new();
    let plan = |verify: &str, manual: &str| {
        format!(
            "backout: 1\nchange: {{id: W17, title: A change, owner: pm}}\n{WINDOW}roles: {{pm: {{name: Ann, responds: {{low: 29m, likely: 30m, high: 31m}}}}}}\nsteps:\n{manual}  - {{id: a, owner: pm, takes: {{low: 9m, likely: 10m, high: 11m}}, run: {{argv: ['true']}}, effect: idempotent, {verify}}}\n  - {{id: b, owner: pm, takes: {{low: 1m, likely: 1m, high: 1m}}, run: {{argv: ['true']}}, effect: idempotent}}\n"
        )
    };
    let minutes = |text: &str| {
        stage.write("w.backout.yaml", text);
        let told = stage.say("forecast w.backout.yaml --json").expect(0).json();
        number(&told["finish"]["p50"]["seconds"]["value"]) / 60.0
    };
    // Ten for the action, thirty until Ann responds, and one for what waits for it.
    let asked = minutes(&plan("verify: {confirm: It is up}", ""));
    assert!((40.0..43.0).contains(&asked), "{asked}");
    let checked = minutes(&plan("verify: {run: {argv: ['true']}}", ""));
    assert!((10.5..12.0).contains(&checked), "{checked}");
    // Who is called for other work anyway is at work by then.
    let manual = "  - {id: m, owner: pm, takes: {low: 5m, likely: 5m, high: 5m}, manual: Do it.}\n";
    let busy = minutes(&plan("verify: {confirm: It is up}", manual));
    assert!((45.0..48.0).contains(&busy), "{busy}");
}

#[test]
fn deciding_takes_all_who_are_asked_in_turn() {
    let deciding = |decision: &str| {
        let stage = Stage::new();
        stage.write(
            "d.backout.yaml",
            &format!(
                "backout: 1\nchange: {{id: W18, title: A change, owner: pm}}\n{WINDOW}roles:\n  pm: {{name: Ann, deputies: [dep]}}\n  dep: {{name: Dee, deputies: [sub]}}\n  sub: {{name: Sue}}\n  boss: {{name: Bo, deputies: [vice]}}\n  vice: {{name: Vic}}\ndecision:\n{decision}steps:\n  - {{id: a, owner: pm, takes: 10m, manual: Do it.}}\n"
            ),
        );
        let told =
            stage.say("forecast d.backout.yaml --json --fix 30m --at 21:00").expect(0).json();
        let between = |later: &Value, sooner: &Value| -> i64 {
            let at = |value: &Value| -> jiff::Timestamp {
                value.as_str().expect("a time").parse().expect("a time")
            };
            at(later).duration_since(at(sooner)).as_secs()
        };
        let last = &told["point_of_no_return"]["at"];
        let decide = between(last, &told["decide_by"]);
        // Giving up a fix is decided, too, and a minute is the grid of that.
        let give_up = between(last, &told["fix"]["give_up"]["at"]);
        assert!((decide..=decide + 61).contains(&give_up), "{decide} {give_up}");
        number(&told["deciding_s"]) / 60.0
    };
    // Ann, Dee for her, Sue for Dee.
    assert_eq!(deciding("  critical: {action: back-out, by: pm, within: 10m}\n"), 30.0);
    // Then Bo, and Vic for Bo.
    assert_eq!(
        deciding(
            "  critical: {action: back-out, by: pm, within: 10m, escalate: [boss], if_unanswered: back-out}\n"
        ),
        50.0
    );
    // A free decision can be to back out; what is only logged cannot.
    assert_eq!(
        deciding(
            "  critical: {action: back-out, by: sub, within: 10m}\n  discretionary: {action: ask, by: sub, within: 45m}\n  major: {action: log, within: 90m}\n"
        ),
        45.0
    );
}

/// Twenty minutes of silence on a call of 15 seconds are no slow system: what is left is as
/// long again, and the restore takes what it takes.
#[test]
fn an_overdue_acknowledgement_is_silence_and_not_slowness() {
    let stage = Stage::new();
    stage.plan(
        "  - {id: call, owner: ann, takes: {low: 10s, likely: 15s, high: 30s}, manual: Call.}\n  - {id: restore, owner: bob, takes: {low: 4m, likely: 5m, high: 8m}, manual: Restore.}\n",
    );
    stage.say("invoke plan.backout.yaml --as lead").expect(20);
    let now = stage.say("forecast CHG7 --json").expect(0).json();
    let at: jiff::Timestamp = now["at"].as_str().expect("a time").parse().expect("a time");
    let later = at + jiff::SignedDuration::from_mins(20);
    let told = stage.say(&format!("forecast CHG7 --json --at {later}")).expect(0).json();
    let p50 = number(&told["finish"]["p50"]["seconds"]["value"]) / 60.0;
    assert!((24.5..26.5).contains(&p50), "{p50}");
    assert_eq!(told["steps"][0]["outlasted"], true);
}
