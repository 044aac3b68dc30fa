//! A step that asks a server, which is slow, fails behind its effect or answers nothing, while
//! what asked it is killed in flight. The server does the work all the same: one effect each.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::stage::Stage;

/// What the server does with the first request to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It does it and says so.
    Answers,
    /// It does it and says that it failed.
    FailsBehindIt,
    /// It does it and closes the connection.
    AnswersNothing,
}

#[derive(Default)]
struct Work {
    /// Requests to do something that have come.
    came: u32,
    /// Whether it may go on with them.
    goes_on: bool,
    /// How often it did it.
    effects: u32,
    /// The keys under which it has done it.
    keys: BTreeSet<String>,
}

/// A server that counts effects, and recognises a repeat by its key where it has one.
struct Server {
    address: String,
    work: Arc<(Mutex<Work>, Condvar)>,
}

impl Server {
    fn new(mode: Mode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let work = Arc::new((Mutex::new(Work::default()), Condvar::new()));
        let shared = Arc::clone(&work);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let work = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, mode, &work));
            }
        });
        Self { address, work }
    }

    fn now(&self) -> MutexGuard<'_, Work> {
        self.work.0.lock().expect("the only lock")
    }

    fn goes_on(&self) {
        self.now().goes_on = true;
        self.work.1.notify_all();
    }
}

fn serve(mut stream: TcpStream, mode: Mode, work: &(Mutex<Work>, Condvar)) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    let mut lines: Vec<String> = Vec::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if line.trim().is_empty() => break,
            Ok(_) => lines.push(line.trim().to_owned()),
        }
    }
    let header = |name: &str| {
        let found = lines.iter().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        found.unwrap_or_default()
    };
    let length = header("content-length").parse().unwrap_or(0);
    let _ = reader.take(length).read_to_end(&mut Vec::new());
    let mut answer = |status: &str, body: &str| {
        let _ = write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
    };
    let (lock, changed) = work;
    let mut known = lock.lock().expect("the only lock");
    if lines.first().is_some_and(|line| line.starts_with("GET")) {
        answer("200 OK", &format!("{{\"n\": {}}}", known.effects));
        return;
    }
    known.came += 1;
    let first = known.came == 1;
    changed.notify_all();
    let mut known = changed.wait_while(known, |known| !known.goes_on).expect("the only lock");
    let key = header("idempotency-key");
    // Without a key it cannot know that it has done it.
    if key.is_empty() || known.keys.insert(key) {
        known.effects += 1;
    }
    match mode {
        Mode::FailsBehindIt if first => answer("503 Service Unavailable", "{}"),
        Mode::AnswersNothing if first => {}
        _ => answer("200 OK", "{}"),
    }
}

/// Who is killed while the server is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dies {
    Nobody,
    Supervisor,
    Coordinator,
    Both,
}

/// The processes that have accepted an attempt.
fn supervisors(folder: &Path) -> Vec<u64> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|name| name == "claim.json") {
                let text = std::fs::read_to_string(path).unwrap_or_default();
                let claim: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                found.extend(claim["pid"].as_u64());
            }
        }
    }
    found
}

fn step(class: &str, server: &Server) -> String {
    let address = &server.address;
    let (key, more) = match class {
        "keyed" => (", key_header: Idempotency-Key", ", retry: {attempts: 3, pause: 100ms}"),
        _ => ("", ""),
    };
    format!(
        "  - {{id: victim, owner: ann, effect: {class}{more}, http: {{method: POST, url: 'http://{address}/do', timeout: 60s{key}}}, verify: {{http: {{url: 'http://{address}/has', assert: 'json.n >= 1'}}, within: 1s, every: 100ms}}}}\n  - {{id: behind, owner: ann, run: {{shell: echo x >> behind}}, verify: {{file: {{path: behind}}}}}}\n"
    )
}

/// Carries the run on until it is over, as a person would who believes the screen. Returns how
/// often they were asked.
fn to_the_end(stage: &Stage, story: &str) -> u32 {
    let mut asked = 0;
    for _ in 0..6 {
        let resumed = stage.tell(&["resume", "--as", "lead"]);
        match resumed.code {
            Some(0) => return asked,
            Some(20) => {
                asked += 1;
                let state = stage.step("victim")["state"].clone();
                assert_eq!(state, "failed", "{story}: {resumed:?}");
                stage
                    .tell(&["retry", "CHG7-1", "victim", "--as", "lead", "--reason", "it failed"])
                    .expect(0);
            }
            _ => panic!("{story}: {resumed:?}"),
        }
    }
    panic!("{story}: it never ends");
}

#[test]
fn a_server_that_works_on_has_one_effect_whoever_dies() {
    println!("real kills while a server is at work");
    println!(
        "{:<11} {:<15} {:<12} {:>5} {:>5} {:>5}",
        "class", "server", "dies", "twice", "lost", "asked"
    );
    for class in ["keyed", "verifiable"] {
        for mode in [Mode::Answers, Mode::FailsBehindIt, Mode::AnswersNothing] {
            for dies in [Dies::Nobody, Dies::Supervisor, Dies::Coordinator, Dies::Both] {
                let story = format!("{class} {mode:?} {dies:?}");
                let (stage, server) = (Stage::new(), Server::new(mode));
                stage.plan(&step(class, &server));
                let mut run = stage.start(&["invoke", "plan.backout.yaml", "--as", "lead"]);
                stage.until("the request has come", |_| server.now().came == 1);
                if matches!(dies, Dies::Coordinator | Dies::Both) {
                    run.kill_9();
                }
                if matches!(dies, Dies::Supervisor | Dies::Both) {
                    let pids = supervisors(&stage.state);
                    assert_eq!(pids.len(), 1, "{story}");
                    for pid in pids {
                        let killed = Command::new("kill").args(["-9", &pid.to_string()]).status();
                        assert!(killed.is_ok_and(|killed| killed.success()), "{story}");
                    }
                    // A slow server: whoever looks now finds that it does not hold yet.
                    if dies == Dies::Both {
                        let mut run = stage.start(&["resume", "--as", "lead"]);
                        match class {
                            "verifiable" => stage.until("it is asked", |stage| {
                                stage.questions().iter().any(|asked| asked["kind"] == "in_doubt")
                            }),
                            _ => stage.until("it is sent again", |_| server.now().came == 2),
                        }
                        run.kill_9();
                    } else if class == "verifiable" {
                        stage.until("it is asked", |stage| {
                            stage.questions().iter().any(|asked| asked["kind"] == "in_doubt")
                        });
                    }
                }
                server.goes_on();
                if matches!(dies, Dies::Nobody | Dies::Supervisor) {
                    run.code();
                }
                let over = stage.status()["outcome"].is_string();
                let asked = if over { 0 } else { to_the_end(&stage, &story) };
                let effects = server.now().effects;
                let behind = stage.lines("behind");
                let (twice, lost) = (effects.saturating_sub(1), u32::from(effects == 0));
                println!(
                    "{class:<11} {:<15} {:<12} {twice:>5} {lost:>5} {asked:>5}",
                    format!("{mode:?}"),
                    format!("{dies:?}")
                );
                assert_eq!((effects, behind), (1, 1), "{story}");
                // Only a server that says that it failed leaves a question, and only where
                // the class allows no repeat by itself.
                let may_ask = class == "verifiable" && mode == Mode::FailsBehindIt;
                assert!(asked <= u32::from(may_ask), "{story}: asked needlessly");
                stage.say("verify").expect(0);
            }
        }
    }
}
