//! A home of its own for each story: folder, state, environment.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use regex::Regex;
use serde_json::Value;

/// The longest anything may take before a test gives up on it. Nothing is
/// measured by it; it only turns a hang into a failure.
pub(crate) const HANG: Duration = Duration::from_secs(60);

pub(crate) struct Stage {
    folder: tempfile::TempDir,
    pub(crate) state: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Told {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(
            self.out.contains(text) || self.err.contains(text),
            "`{text}` is not in\n{}\n{}",
            self.out,
            self.err
        );
        self
    }
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state");
        Self { folder, state }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, text).expect("written");
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// How many lines a file has; none if it is not there.
    pub(crate) fn lines(&self, name: &str) -> usize {
        self.read(name).lines().count()
    }

    /// Writes `plan.backout.yaml` with these steps, in YAML, and two roles.
    pub(crate) fn plan(&self, steps: &str) {
        self.plan_with(steps, "");
    }

    pub(crate) fn plan_with(&self, steps: &str, more: &str) {
        let plan = format!(
            "backout: 1\nchange: {{id: CHG7, title: A change, owner: lead}}\nroles:\n  lead: {{name: Lena Lead}}\n  ann: {{name: Ann, deputies: [bob]}}\n  bob: {{name: Bob}}\n{more}steps:\n{steps}"
        );
        self.write("plan.backout.yaml", &plan);
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_backout"));
        command
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("BACKOUT_STATE", &self.state)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn tell(&self, words: &[&str]) -> Told {
        told(self.command(words))
    }

    /// The same, by somebody who types something.
    pub(crate) fn tell_with_input(&self, words: &[&str], input: &str) -> Told {
        self.write("input", input);
        let input = std::fs::File::open(self.path("input")).expect("just written");
        let mut command = self.command(words);
        command.stdin(input);
        told(command)
    }

    /// The same, words separated by spaces.
    pub(crate) fn say(&self, line: &str) -> Told {
        self.tell(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// The newest run, open or over; none where nothing has begun yet.
    pub(crate) fn newest_run(&self) -> Option<String> {
        let runs = self.tell(&["runs", "--json"]).expect(0).json();
        runs["runs"][0]["id"].as_str().map(str::to_owned)
    }

    /// The status of the newest run; none where nothing has begun yet.
    pub(crate) fn known_status(&self) -> Option<Value> {
        let run = self.newest_run()?;
        Some(self.tell(&["status", &run, "--json"]).expect(0).json())
    }

    /// The status of the newest run.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        self.known_status().expect("a run")
    }

    /// What the newest run asks of people.
    pub(crate) fn questions(&self) -> Vec<Value> {
        let status = self.known_status().unwrap_or_default();
        status["questions"].as_array().cloned().unwrap_or_default()
    }

    /// What a step's status is.
    #[track_caller]
    pub(crate) fn step(&self, id: &str) -> Value {
        step_of(&self.status(), id)
    }

    /// Whether a step of the newest run is in this state; not where nothing has begun yet.
    pub(crate) fn is_step(&self, id: &str, state: &str) -> bool {
        self.known_status().is_some_and(|status| step_of(&status, id)["state"] == state)
    }

    /// A coordinator in the background.
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        let mut command = self.command(words);
        let errors = self.path("background.err");
        let errors = std::fs::OpenOptions::new().create(true).append(true).open(errors);
        command.stdout(Stdio::null()).stderr(errors.expect("a file"));
        Running(command.spawn().expect("started"))
    }

    /// What all that ran in the background said on standard error.
    pub(crate) fn errors(&self) -> String {
        self.read("background.err")
    }

    /// Waits until something is so.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        self.until_within(1, what, so);
    }

    /// The same, of something that takes many times as long as anything else.
    #[track_caller]
    pub(crate) fn until_within(&self, times: u32, what: &str, so: impl Fn(&Self) -> bool) {
        let limit = Instant::now() + HANG * times;
        while !so(self) {
            assert!(Instant::now() < limit, "it never came to: {what}\n{}", self.errors());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[track_caller]
    pub(crate) fn until_step(&self, id: &str, state: &str) {
        self.until(&format!("{id} {state}"), |stage| stage.is_step(id, state));
    }
}

#[track_caller]
fn step_of(status: &Value, id: &str) -> Value {
    let steps = status["steps"].as_array().expect("steps");
    let found = steps.iter().find(|step| step["id"] == id);
    found.cloned().unwrap_or_else(|| panic!("no step {id}"))
}

pub(crate) fn told(mut command: Command) -> Told {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let pid = child.id();
    let (done, waiting) = std::sync::mpsc::channel::<()>();
    // A hang must end as a failure and not as a test that never ends.
    let guard = std::thread::spawn(move || {
        if waiting.recv_timeout(HANG).is_err() {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    });
    let output = child.wait_with_output().expect("it ends");
    let _ = done.send(());
    let _ = guard.join();
    Told {
        code: output.status.code(),
        signal: std::os::unix::process::ExitStatusExt::signal(&output.status),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A process in the background, killed when the story ends.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn kill_9(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    pub(crate) fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()));
    }

    #[track_caller]
    pub(crate) fn code(&mut self) -> Option<i32> {
        let limit = Instant::now() + HANG;
        loop {
            if let Some(status) = self.0.try_wait().expect("a child") {
                return status.code();
            }
            assert!(Instant::now() < limit, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill_9();
    }
}

/// Text without what differs from run to run: times, durations, digests, process numbers.
pub(crate) fn redacted(text: &str, stage: &Stage) -> String {
    let mut text = text.replace(&stage.folder().to_string_lossy().into_owned(), "[FOLDER]");
    for (pattern, word) in [
        (r"\b[A-Z][a-z]{2} \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [A-Z]+", "[MOMENT]"),
        (r"\b\d\d:\d\d:\d\d\b", "[TIME]"),
        (r"sha256:[0-9a-f]{64}", "[DIGEST]"),
        (r"\b[0-9a-f]{12}\b", "[SHORT]"),
        (r"process \d+ on [\w.-]+", "process [PID] on [HOST]"),
        (r"\b\d+(\.\d+)?(ms|s)\b", "[LENGTH]"),
        (r" +\[LENGTH\]", " [LENGTH]"),
        (r"\bby \d\d:\d\d\b", "by [CLOCK]"),
    ] {
        let pattern = Regex::new(pattern).expect("a pattern");
        text = pattern.replace_all(&text, word).into_owned();
    }
    text
}
