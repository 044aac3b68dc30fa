//! What is kept of standard error, of real commands.

use std::time::Duration;

use backout_core::plan::{Run, Text};
use backout_exec::command::{self, Ended, Prepared};
use backout_exec::output::ENDING_CHARS;
use backout_exec::secrets::Secrets;

async fn run(shell: &str, env: &[(&str, &str)]) -> Ended {
    let mut run: Run =
        serde_json::from_value(serde_json::json!({"shell": shell})).expect("a command");
    for (name, value) in env {
        run.env.insert((*name).to_owned(), Text::from((*value).to_owned()));
    }
    let prepared = Prepared {
        run: &run,
        environment: None,
        folder: "/",
        variables: &[],
        timeout: Duration::from_secs(60),
        alone: false,
    };
    let (_stop, stop) = tokio::sync::watch::channel(false);
    let ended = command::run(&prepared, &mut Secrets::default(), (None, None), stop).await;
    ended.expect("it starts")
}

#[tokio::test]
async fn the_last_lines_are_kept_of_a_command_that_ends_well() {
    let ended =
        run("echo fine; for n in 1 2 3 4 5 6 7; do echo \"warning $n\" >&2; done", &[]).await;
    assert_eq!(ended.code, Some(0));
    let kept = "warning 3\nwarning 4\nwarning 5\nwarning 6\nwarning 7";
    assert_eq!(ended.stderr.ending.as_deref(), Some(kept));
    assert_eq!(ended.stdout.ending.as_deref(), Some("fine"));
}

#[tokio::test]
async fn nothing_written_is_nothing_kept() {
    assert_eq!(run("true", &[]).await.stderr.ending, None);
    assert_eq!(run("echo >&2; echo ' ' >&2", &[]).await.stderr.ending, None);
}

#[tokio::test]
async fn secrets_are_masked_across_lines_and_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    std::fs::write(&path, "first-half\nsecond-half\n").expect("written");
    let reference = format!("file:{}", path.display());
    let shell =
        "printf 'password %s' first- >&2; printf 'half\\nsecond-half!\\n' >&2; echo \"$PW\" >&2";
    let ended = run(shell, &[("PW", &reference)]).await;
    assert_eq!(ended.stderr.ending.as_deref(), Some("password ***!\n***"));
}

#[tokio::test]
async fn noise_stays_data() {
    let ended = run("printf '\\033[2J\\007\\000\\377\\r50 %%\\r100 %%\\n' >&2", &[]).await;
    let kept = "\u{1b}[2J\u{7}\u{0}\u{fffd}\r50 %\r100 %";
    assert_eq!(ended.stderr.ending.as_deref(), Some(kept));
    let json = serde_json::to_string(&ended.stderr.ending).expect("JSON");
    let back: Option<String> = serde_json::from_str(&json).expect("JSON");
    assert_eq!(back.as_deref(), Some(kept));
}

#[tokio::test]
async fn of_ten_megabytes_the_end_is_kept() {
    let shell = "head -c 10485760 /dev/zero | tr '\\0' e >&2; echo ' the end' >&2";
    let ended = run(shell, &[]).await;
    assert_eq!(ended.stderr.bytes, 10_485_760 + 9);
    let kept = ended.stderr.ending.expect("lines");
    assert_eq!(kept.chars().count(), ENDING_CHARS);
    assert!(kept.starts_with("…eee") && kept.ends_with("ee the end"), "{kept}");
}

#[tokio::test]
async fn a_daemon_that_holds_the_output_does_not_hide_what_was_written() {
    let ended = run("echo 'warning: half of it' >&2; sleep 100 & echo $!", &[]).await;
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.stderr.ending.as_deref(), Some("warning: half of it"));
    let pid = ended.stdout.ending.and_then(|pid| pid.parse().ok()).expect("a process");
    let pid = rustix::process::Pid::from_raw(pid).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it was running");
}
