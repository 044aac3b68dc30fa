//! The mark files of a state folder.
//!
//! One file a run, `marks/RUN` beside the journal, and where that is configured one in another
//! place, best on another device. Each line is one committed record:
//!
//! ```text
//! 17 sha256:1f4c… 9b2e61d0
//! ```
//!
//! its position, its digest, and a check of the two: a damaged mark is not taken for a damaged
//! log. Lines are only ever added, each with one write, so that several processes can add to one
//! file. `recovered 12` withdraws every earlier line behind position 12: the log was rebuilt
//! from there on. A line that ends in `torn` was cut off by a crash, and says nothing.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use backout_core::ids::{Digest, RunId, Seq};
use backout_core::mark::{Found, Mark, MarkPlace};

/// How long the other place is waited for. A backout does not stand still because a network
/// share does.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the marks of a state folder are kept.
#[derive(Debug, Clone)]
pub struct MarkFolders {
    /// The one in the state folder.
    own: PathBuf,
    /// Another one.
    elsewhere: Option<PathBuf>,
}

impl MarkFolders {
    /// Those of a state folder. `elsewhere` is a folder that may be shared: the marks go into one
    /// of its own in it, named by this machine and the state folder.
    #[must_use]
    pub fn new(state: &Path, elsewhere: Option<&Path>) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let name: String = format!("{host}{}", state.display())
            .chars()
            .map(|c| if c == '/' { '+' } else { c })
            .collect();
        Self { own: state.join("marks"), elsewhere: elsewhere.map(|folder| folder.join(name)) }
    }

    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.own).chain(&self.elsewhere)
    }

    /// What each place knows of a run.
    #[must_use]
    pub fn read(&self, run: &RunId) -> Vec<MarkPlace> {
        let mut places = Vec::new();
        for folder in self.all() {
            let path = folder.join(run.as_str());
            let place = path.display().to_string();
            match read_marks(&path) {
                Ok((marks, damaged)) => {
                    if damaged > 0 {
                        let why = format!("{damaged} of its lines cannot be read");
                        let found = Found::Unreadable(why);
                        places.push(MarkPlace { place: place.clone(), found });
                    }
                    places.push(MarkPlace { place, found: Found::Marks(marks) });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    places.push(MarkPlace { place, found: Found::Nothing });
                }
                Err(error) => {
                    let found = Found::Unreadable(error.to_string());
                    places.push(MarkPlace { place, found });
                }
            }
        }
        places
    }

    /// Every run that has marks in a place that can be read, by name.
    #[must_use]
    pub fn runs(&self) -> Vec<RunId> {
        let entries = self.all().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        let named = entries.filter_map(|entry| RunId::new(entry.file_name().to_str()?).ok());
        let mut runs: Vec<RunId> = named.collect();
        runs.sort();
        runs.dedup();
        runs
    }

    /// Withdraws every mark of a run whose records were written anew, and notes each of these: a
    /// mark that contradicts what was settled would contradict it for ever.
    ///
    /// # Errors
    /// When it cannot be written to a place that has marks of the run.
    pub fn withdraw(&self, run: &RunId, records: &[Digest]) -> io::Result<()> {
        let marks = records.iter().enumerate();
        let marks =
            marks.map(|(at, digest)| line(Mark { seq: Seq(at as u64 + 1), digest: *digest }));
        let text = format!("recovered 0\n{}", marks.collect::<String>());
        for folder in self.all().filter(|folder| folder.join(run.as_str()).exists()) {
            let mut file = open(folder, run)?;
            file.write_all(text.as_bytes())?;
            file.sync_data()?;
        }
        Ok(())
    }
}

/// The marks in a file, and how many of its lines are damaged.
fn read_marks(path: &Path) -> io::Result<(Vec<Mark>, usize)> {
    let bytes = fs::read(path)?;
    let mut marks: Vec<Mark> = Vec::new();
    let mut damaged = 0;
    // What stands behind the last end of a line was cut off.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    for line in bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let text = String::from_utf8_lossy(line);
        if let Some(after) = text.strip_prefix("recovered ").and_then(|seq| seq.parse().ok()) {
            marks.retain(|mark| mark.seq <= Seq(after));
            // Every record was noted anew.
            damaged = if after == 0 { 0 } else { damaged };
        } else if let Some(mark) = parsed(&text) {
            marks.push(mark);
        } else if !text.ends_with(" torn") {
            damaged += 1;
        }
    }
    Ok((marks, damaged))
}

fn line(mark: Mark) -> String {
    let said = format!("{} {}", mark.seq, mark.digest);
    format!("{said} {}\n", check(&said))
}

fn check(said: &str) -> String {
    let digest = Digest::of(said.as_bytes()).to_string();
    digest.trim_start_matches("sha256:").chars().take(8).collect()
}

fn parsed(line: &str) -> Option<Mark> {
    let (said, found) = line.rsplit_once(' ')?;
    let (seq, digest) = said.split_once(' ')?;
    let mark = Mark { seq: Seq(seq.parse().ok()?), digest: digest.parse().ok()? };
    (check(said) == found).then_some(mark)
}

/// The mark file of a run, made if there is none, ready for another line.
fn open(folder: &Path, run: &RunId) -> io::Result<File> {
    let path = folder.join(run.as_str());
    let is_new = !path.exists();
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
    if is_new {
        File::open(folder)?.sync_all()?;
    }
    let length = file.seek(SeekFrom::End(0))?;
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::Start(length - 1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b" torn\n")?;
        }
    }
    Ok(file)
}

/// A record that was committed.
#[derive(Debug, Clone)]
pub(crate) struct Committed {
    pub(crate) run: RunId,
    pub(crate) mark: Mark,
    /// Whether its mark has to be durable before anything follows from it.
    pub(crate) flushes: bool,
}

/// The mark files of one folder, kept open.
struct Files {
    folder: PathBuf,
    open: HashMap<RunId, File>,
}

impl Files {
    fn new(folder: PathBuf) -> Self {
        Self { folder, open: HashMap::new() }
    }

    /// Makes the folder. The one above it has to be there: where the other device is not
    /// mounted, its place is not filled.
    fn make(&self) -> io::Result<()> {
        match fs::create_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
            Ok(()) => match self.folder.parent() {
                Some(above) => File::open(above)?.sync_all(),
                None => Ok(()),
            },
        }
    }

    fn note(&mut self, committed: &[Committed]) -> io::Result<()> {
        for Committed { run, mark, .. } in committed {
            if !self.open.contains_key(run) {
                self.make()?;
                self.open.insert(run.clone(), open(&self.folder, run)?);
            }
            if let Some(file) = self.open.get_mut(run) {
                file.write_all(line(*mark).as_bytes())?;
            }
        }
        let mut flushed: Vec<&RunId> =
            committed.iter().filter(|committed| committed.flushes).map(|c| &c.run).collect();
        flushed.sort();
        flushed.dedup();
        flushed.iter().filter_map(|run| self.open.get(run)).try_for_each(File::sync_data)
    }
}

/// What the writer of a journal notes its commits with.
pub(crate) struct Marks {
    own: Files,
    elsewhere: Option<Elsewhere>,
}

struct Elsewhere {
    to: mpsc::Sender<(Vec<Committed>, mpsc::Sender<io::Result<()>>)>,
    trouble: Trouble,
    /// Whether it is still waited for.
    answers: bool,
}

/// Told once when the other place cannot be written.
pub type Trouble = Box<dyn Fn(&str) + Send>;

impl Marks {
    pub(crate) fn new(folders: &MarkFolders, trouble: Trouble) -> io::Result<Self> {
        let own = Files::new(folders.own.clone());
        own.make()?;
        let elsewhere = match &folders.elsewhere {
            None => None,
            Some(folder) => {
                let (to, asked) = mpsc::channel::<(Vec<Committed>, mpsc::Sender<io::Result<()>>)>();
                let mut files = Files::new(folder.clone());
                // In a thread of its own: a network share may never answer.
                std::thread::Builder::new().name("marks".to_owned()).spawn(move || {
                    for (committed, answer) in asked {
                        let _ = answer.send(files.note(&committed));
                    }
                })?;
                Some(Elsewhere { to, trouble, answers: true })
            }
        };
        Ok(Self { own, elsewhere })
    }

    /// Notes what was committed. That the other place cannot be written is told once, and stops
    /// nothing: what is not there is seen by everyone who compares.
    ///
    /// # Errors
    /// When the state folder cannot be written.
    pub(crate) fn note(&mut self, committed: &[Committed]) -> io::Result<()> {
        let asked = self.elsewhere.as_mut().map(|elsewhere| elsewhere.ask(committed));
        self.own.note(committed)?;
        if let (Some(elsewhere), Some(asked)) = (&mut self.elsewhere, asked) {
            elsewhere.hear(&asked);
        }
        Ok(())
    }
}

impl Elsewhere {
    fn ask(&self, committed: &[Committed]) -> mpsc::Receiver<io::Result<()>> {
        let (answer, answered) = mpsc::channel();
        let _ = self.to.send((committed.to_vec(), answer));
        answered
    }

    fn hear(&mut self, answered: &mpsc::Receiver<io::Result<()>>) {
        if !self.answers {
            return;
        }
        let why = match answered.recv_timeout(PATIENCE) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it did not answer within {} s", PATIENCE.as_secs()),
        };
        self.answers = false;
        (self.trouble)(&why);
    }
}
