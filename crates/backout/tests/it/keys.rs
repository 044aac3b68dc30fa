//! Answers typed at the terminal that shows the run, over a real terminal.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::stage::Stage;

/// `backout` on a terminal of its own, which `script` gives it.
struct Terminal {
    child: Child,
    keys: Option<ChildStdin>,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    fn begin(stage: &Stage, line: &str) -> Option<Self> {
        Self::of_size(stage, line, 150, 60)
    }

    fn of_size(stage: &Stage, line: &str, columns: usize, rows: usize) -> Option<Self> {
        if Command::new("script").arg("--version").output().is_err() {
            println!("NOT RUN: answers typed at a terminal: script");
            return None;
        }
        let plain = stage.command(&[]);
        let program = plain.get_program().to_string_lossy().into_owned();
        let mut command = Command::new("script");
        command.args([
            "-qefc",
            // What is typed for the program is not for the shell around it.
            &format!("trap : INT; stty rows {rows} cols {columns}; {program} {line}"),
            "/dev/null",
        ]);
        for (name, value) in plain.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command.env("TERM", "xterm").env("SHELL", "/bin/sh").current_dir(stage.folder());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("a terminal");
        let screen = Arc::new(Mutex::new(String::new()));
        let (mut shown, kept) = (child.stdout.take().expect("a pipe"), Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = shown.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                kept.lock().expect("the only lock").push_str(&text);
            }
        });
        let keys = child.stdin.take();
        Some(Self { child, keys, screen })
    }

    fn types(&mut self, text: &str) {
        let keys = self.keys.as_mut().expect("a keyboard");
        keys.write_all(text.as_bytes()).and_then(|()| keys.flush()).expect("typed");
    }

    /// Waits until the screen has shown something since the last time.
    fn shows(&self, text: &str) {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let mut screen = self.screen.lock().expect("the only lock");
            if let Some(at) = screen.find(text) {
                screen.drain(..at + text.len());
                return;
            }
            assert!(Instant::now() < until, "{text} is not shown:\n{screen}");
            drop(screen);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What is on the screen once it shows all of this; nothing above what is drawn anew.
    fn screen(&self, texts: &[&str]) -> Vec<String> {
        let until = Instant::now() + Duration::from_secs(60);
        let plain = regex::Regex::new("\u{1b}\\[[0-9;?]*[A-Za-z]").expect("a pattern");
        loop {
            let screen = self.screen.lock().expect("the only lock").clone();
            let frames: Vec<&str> = screen.split("\u{1b}[J").collect();
            // The last one may not be whole yet.
            let frame = frames.iter().rev().nth(1).copied().unwrap_or_default();
            let lines: Vec<String> = plain
                .replace_all(frame, "")
                .lines()
                .map(|line| line.trim_end().to_owned())
                .collect();
            let joined = lines.join("\n");
            let words = joined.split_whitespace().collect::<Vec<_>>().join(" ");
            if texts.iter().all(|text| joined.contains(text) || words.contains(text)) {
                return lines;
            }
            assert!(Instant::now() < until, "{texts:?} are not shown:\n{joined}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn code(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const STEPS: &str = "  - {id: close, title: Close it, owner: ann, takes: 2m, run: {shell: mv down up}, effect: opaque, verify: {file: {path: up}}}\n  - {id: tell, title: Tell everybody, owner: bob, takes: 2m, manual: Call everybody.}\n";
const STAGES: &str = "stages:\n  - {id: open, title: Open it, owner: ann, takes: 5m, run: {shell: mv up down}, effect: opaque, verify: {file: {path: down}}, undone_by: [close]}\nwatch: {window: 1h, grace: 1s}\ntriggers:\n  portal: {title: The portal answers, severity: critical, every: 100ms, recovers_after: 200ms, probe: {file: {path: up}}}\ndecision:\n  critical: {action: back-out, by: lead, within: 30m}\n";

#[test]
fn a_whole_night_is_answered_at_one_terminal() {
    let stage = Stage::new();
    stage.plan_with(STEPS, STAGES);
    stage.write("up", "");
    let begin = "deploy plan.backout.yaml --as lead --reason tonight";
    let Some(mut terminal) = Terminal::begin(&stage, begin) else { return };
    terminal.shows("Waiting for an answer, here or from another terminal:");
    terminal
        .shows("  1  back out                  backout decide CHG7-1 back-out --question 1 --reason \"…\" --as lead");
    terminal.shows("Number, why, Enter:");
    // What is no answer does nothing, and says so. Of a whole text only the first line counts.
    let text = "this is the log of the portal\r1 it seems to be down\r".repeat(20);
    terminal.types(&format!("9 why\r1 all of it\r{text}"));
    terminal.shows("`9` is not one of the listed answers; nothing was done");
    // Where the terminal says what is pasted, none of it presses Enter.
    terminal.types("\u{1b}[200~1 all\r2 of it\r\u{1b}[201~");
    terminal.shows("Number, why, Enter:  1 all 2 of it ▏");
    terminal.types("\u{15}");
    assert!(!stage.say("log CHG7 --json").out.contains("decision_made"), "nobody answered");
    terminal.types("1\r");
    terminal.shows("say why, too");
    // Who may not is refused, in the same words as anywhere.
    terminal.types("1 nobody logs in --as bob\r");
    terminal.shows("error:");
    assert!(stage.status()["questions"].as_array().is_some_and(|asked| !asked.is_empty()));
    // It is shown while it is typed, and can be mended.
    terminal.types("1 nobody locks");
    terminal.shows("1 nobody locks▏");
    terminal.types("\u{7f}\u{7f}\u{7f}gs in\r");
    terminal.shows("Decided: back out");
    terminal.shows("Call everybody.");
    terminal.shows("backout ack CHG7-1 tell");
    let number = stage.status()["questions"][0]["answers"][0]["command"].clone();
    assert_eq!(number, "backout ack CHG7-1 tell --as bob");
    terminal.types("4 --as bob\r");
    terminal.shows("backed out");
    assert_eq!(terminal.code(), Some(11));
    assert!(stage.path("up").exists());
    let explained = stage.say("decide CHG7 --explain").expect(0);
    explained.says("nobody logs in").says("Lena Lead");
    stage.say("verify").expect(0);
}

/// The terminal is as it was, also after Ctrl-C, and when nobody reads it any more.
#[test]
fn the_terminal_is_given_back() {
    let stage = Stage::new();
    stage.plan(
        "  - {id: tell, title: Tell everybody, owner: bob, takes: 2m, manual: Call everybody.}\n",
    );
    let program = "invoke plan.backout.yaml --as lead --reason tonight; stty -a | tr ' ' '\\n' | grep -E '^-?(echo|icanon)$'";
    let Some(mut terminal) = Terminal::begin(&stage, program) else { return };
    terminal.shows("\u{1b}[?2004h");
    terminal.shows("Number, why, Enter:");
    terminal.types("\u{3}");
    terminal.shows("HELD");
    terminal.types("\u{3}");
    terminal.shows("\u{1b}[?2004l");
    terminal.shows("Left CHG7-1");
    terminal.shows("\nicanon");
    terminal.shows("\necho");
    drop(terminal);
}

/// An answer to one question is none to another, and everybody sees who has answered.
#[test]
fn an_answer_counts_for_the_question_it_names() {
    let stage = Stage::new();
    let both = STAGES
        .replace("by: lead, within: 30m}", "by: lead, within: 1s, escalate: [bob], quorum: 2}");
    stage.plan_with(STEPS, &both);
    stage.write("up", "");
    let mut running = stage.start(&["deploy", "plan.backout.yaml", "--as", "lead", "--wait"]);
    stage.until("both are asked", |stage| {
        let asked = stage.tell(&["status", "--json"]);
        asked.code.is_some() && asked.out.contains("--as bob")
    });
    let question = stage.status()["questions"][0].clone();
    for answer in question["answers"].as_array().expect("answers") {
        let command = answer["command"].as_str().expect("a command");
        assert!(command.contains(" --question 1 "), "{command}");
        assert!(!command.contains("--as"), "{command}");
    }
    assert_eq!(question["role"], serde_json::Value::Null);
    stage.say("status").says("2 people have to agree: none so far");
    stage.say("status").says("any of them may answer: --as lead, --as bob");
    let decide = |verb: &str, number: &str, who: &str| {
        let words = ["decide", "CHG7", verb, "--question", number, "--reason", "so", "--as", who];
        stage.tell(&words)
    };
    decide("continue", "2", "lead").expect(30).says("question 2 is not open; question 1 is");
    decide("back-out", "0", "lead").expect(30).says("question 0 is not open; question 1 is");
    stage.say("status").says("2 people have to agree: none so far");
    // For how long a fix may be tried is part of what they agree to.
    let fix = |lasting: &str, who: &str| {
        let words =
            ["decide", "CHG7", "fix-forward", "--for", lasting, "--reason", "so", "--as", who];
        stage.tell(&words).expect(20)
    };
    fix("10m", "lead");
    fix("20m", "bob");
    stage.say("status").says("Lena Lead wants to fix forward for 10m");
    decide("back-out", "1", "lead").expect(20);
    stage.say("status").says("Lena Lead wants to back out");
    decide("back-out", "1", "bob").expect(0);
    let explained = stage.say("decide CHG7 --explain").expect(0);
    explained.says("decided by Bob (bob)").says("and by Lena Lead, who had asked for the same");
    let json = stage.say("decide CHG7 --explain --json").expect(0).json();
    assert_eq!(json["decisions"][0]["agreed"][0], "Lena Lead");
    let log = stage.say("log CHG7 --json").out;
    let made = log.lines().find(|line| line.contains("\"decision_made\"")).expect("a decision");
    let made: serde_json::Value = serde_json::from_str(made).expect("JSON");
    assert_eq!(made["question"], 1);
    assert!(made["readings"]["portal"]["measured"].is_object(), "{made}");
    decide("continue", "1", "lead").expect(30).says("question 1 is not open; no question is");
    stage.until("the way back", |stage| stage.say("status --json").out.contains("ack CHG7-1 tell"));
    stage.say("ack CHG7 tell --as bob").expect(0);
    assert_eq!(running.code(), Some(11));
}

/// Everything that is needed to answer is on the screen, however small it is.
#[test]
fn what_is_asked_fits_on_a_small_terminal() {
    let triggers = "triggers:\n  login-failures: {severity: critical, every: 100ms, probe: {file: {path: up}}}\n  page-load: {severity: critical, every: 100ms, probe: {file: {path: up}}}\n  queue: {severity: critical, every: 100ms, probe: {file: {path: up}}}\n";
    let (before, after) = STAGES.split_once("triggers:").expect("triggers");
    let decision = after.split_once("decision:").expect("a decision").1;
    let authority = "authority: {decide: {by: [lead, ann], quorum: 2}}\n";
    let more = format!("{before}{triggers}{authority}decision:{decision}");
    let number = regex::Regex::new(r"^  (\d+)  (back out|try a fix|go on)").expect("a pattern");
    for (columns, rows) in [(80, 24), (60, 12)] {
        let stage = Stage::new();
        stage.plan_with(STEPS, &more);
        stage.write("up", "");
        let begin = "deploy plan.backout.yaml --as lead --reason tonight";
        let Some(terminal) = Terminal::of_size(&stage, begin, columns, rows) else { return };
        let answers = [
            "Lena Lead",
            "the run, to decide by ",
            "  back out",
            "  try a fix, then back out",
            "  go on with the release",
            "Number, why, Enter:",
            "Ctrl-C pauses",
        ];
        let lines = terminal.screen(&answers);
        assert!(lines.len() <= rows - 2, "{}\n{lines:#?}", lines.len());
        assert!(lines.iter().all(|line| line.chars().count() <= columns), "{lines:#?}");
        // What fires later is asked about with it, by another number: these three are together.
        let numbers: Vec<usize> = lines
            .iter()
            .filter_map(|line| number.captures(line)?.get(1)?.as_str().parse().ok())
            .collect();
        assert!(matches!(numbers[..], [a, b, c] if b == a + 1 && c == a + 2), "{lines:#?}");
        if rows == 24 {
            let known = [
                "login-failures",
                "queue: it",
                "2 people have to agree",
                "--question ",
                "--as lead",
                "A change",
            ];
            let lines = terminal.screen(&known);
            let all = lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
            // Nothing of a command is cut off.
            assert!(all.contains("continue --question "), "{lines:#?}");
            assert_eq!(all.matches("--reason").count(), 3, "{lines:#?}");
        }
    }
}
