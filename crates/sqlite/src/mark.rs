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
//! from there on. `beside 1234 NAME` sets aside what NAME has noted up to that byte. `0 sha256:…` names the first record of the run, in a file that begins later. A line that ends in `torn` was cut off by a crash, and says nothing.
//!
//! The other place may be shared. Each machine and state folder has a folder of its own in it, and
//! reads those of the others too: what has the same first record is of the same run, before the
//! machine or the folder was given another name, or of a copy with which the run went on.

mod lines;
mod patience;
mod writing;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use backout_core::event::Event;
use backout_core::ids::{Digest, RunId, Seq};
use backout_core::mark::{Found, Mark, MarkPlace, Origin};
use backout_core::record::Record;

use lines::{Lines, line, open, read_marks, read_marks_behind};

pub use writing::Trouble;
pub(crate) use writing::{Committed, Marks};

/// Where the marks of a state folder are kept.
#[derive(Debug, Clone)]
pub struct MarkFolders {
    /// The folder in the state folder.
    own: PathBuf,
    /// Another place, which may be shared.
    elsewhere: Option<PathBuf>,
    /// How this machine and this state folder are called there.
    name: String,
}

impl MarkFolders {
    /// Those of a state folder. `elsewhere` is a folder that may be shared: the marks go into one
    /// of its own in it, named by this machine and the state folder.
    #[must_use]
    pub fn new(state: &Path, elsewhere: Option<&Path>) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        // One folder has one name, by whatever link it is reached.
        let folder = state.canonicalize().unwrap_or_else(|_| state.to_owned());
        let name: String = format!("{host}{}", folder.display())
            .chars()
            .map(|c| match c {
                '/' => "+".to_owned(),
                // Two folders have two names.
                '+' => "%2B".to_owned(),
                '%' => "%25".to_owned(),
                c => c.to_string(),
            })
            .collect();
        Self { own: state.join("marks"), elsewhere: elsewhere.map(Path::to_owned), name }
    }

    /// Whether marks are kept in another place, too.
    pub(crate) fn notes_elsewhere(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// The folder of this state folder in a place that may be shared.
    fn own_in(&self, place: &Path) -> PathBuf {
        place.join(&self.name)
    }

    /// What each place knows of a run, the state folder first. `first` is the run's first record as
    /// it is stored, where that is left: it tells its marks from those of another run of its name,
    /// and names the place it began to note them in.
    #[must_use]
    pub fn read(&self, run: &RunId, first: Option<&[u8]>) -> Vec<MarkPlace> {
        let own = self.own.join(run.as_str());
        let lines = read_marks(&own);
        let noted = lines.as_ref().ok().and_then(|lines| lines.begins);
        let begins = first.map(Digest::of).or(noted);
        let settled = lines.as_ref().map(|lines| lines.beside.clone()).unwrap_or_default();
        let mut places = found_at(&own, Origin::Here, lines);
        for root in self.roots(first) {
            let own = self.own_in(&root).join(run.as_str());
            let asked = {
                let (own, root, run) = (own.clone(), root.clone(), run.as_str().to_owned());
                let settled = settled.clone();
                patience::ask(&root.clone(), move || {
                    read_shared(&root, &own, &run, begins, &settled)
                })
            };
            match asked {
                Ok(found) => places.extend(found),
                Err(error) => places.extend(found_at(&own, Origin::Elsewhere, Err(error))),
            }
        }
        places
    }

    /// The places elsewhere: the one that is configured, and the one the run began with.
    fn roots(&self, first: Option<&[u8]>) -> Vec<PathBuf> {
        let mut roots: Vec<PathBuf> = self.elsewhere.iter().cloned().collect();
        roots.extend(
            first.and_then(began_with).filter(|place| Some(place) != self.elsewhere.as_ref()),
        );
        roots
    }

    /// Every run that has marks in a place that can be read, by name.
    #[must_use]
    pub fn runs(&self) -> Vec<RunId> {
        let mut runs = runs_in(&self.own);
        if let Some(root) = &self.elsewhere {
            let folder = self.own_in(root);
            runs.extend(patience::ask(root, move || runs_in(&folder)).unwrap_or_default());
        }
        runs.sort();
        runs.dedup();
        runs
    }

    /// Withdraws every mark of a run whose records were written anew, and notes each of these: a
    /// mark that contradicts what was settled would contradict it for ever. What other state folders
    /// noted stays theirs; that it is settled up to here is noted in this one.
    ///
    /// # Errors
    /// When it cannot be written to a place that has marks of the run.
    pub fn withdraw(
        &self,
        run: &RunId,
        first: Option<&[u8]>,
        records: &[Digest],
    ) -> io::Result<()> {
        let marks = records.iter().enumerate();
        let marks =
            marks.map(|(at, digest)| line(Mark { seq: Seq(at as u64 + 1), digest: *digest }));
        let text = format!("recovered 0\n{}", marks.collect::<String>());
        let mut settled = String::new();
        let mut rewritten = Ok(());
        for MarkPlace { place, origin, found } in self.read(run, first) {
            let path = PathBuf::from(place);
            let folder = path.parent().unwrap_or(&path).to_owned();
            match (origin, found) {
                (_, Found::Nothing) | (Origin::Here, _) => {}
                (Origin::Beside, _) => settled.push_str(&beside(&folder, &path)),
                (Origin::Elsewhere, _) => {
                    let root = folder.parent().unwrap_or(&folder).to_owned();
                    let (run, text) = (run.clone(), text.clone());
                    let added = patience::ask(&root, move || add(&folder, &run, &text));
                    rewritten = rewritten.and(added.and_then(|added| added));
                }
            }
        }
        if self.own.join(run.as_str()).exists() {
            add(&self.own, run, &format!("{text}{settled}"))?;
        }
        rewritten
    }
}

/// Adds lines to the marks of a run, durably.
fn add(folder: &Path, run: &RunId, text: &str) -> io::Result<()> {
    let mut file = open(folder, run, None)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// The line that what another state folder noted is settled, as far as it goes now.
fn beside(folder: &Path, path: &Path) -> String {
    let length = fs::metadata(path).map_or(0, |about| about.len());
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    format!("beside {length} {name}\n")
}

/// The place elsewhere that a run began to note its records in.
fn began_with(first: &[u8]) -> Option<PathBuf> {
    let record: Record = serde_json::from_slice(first).ok()?;
    match record.events.into_iter().next()? {
        Event::RunPlanned(planned) => planned.marks_elsewhere.map(PathBuf::from),
        _ => None,
    }
}

fn runs_in(folder: &Path) -> Vec<RunId> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| RunId::new(entry.file_name().to_str()?).ok()).collect()
}

/// What was found in the file at a path. Damaged lines are a place of their own: the rest still
/// counts.
fn found_at(path: &Path, origin: Origin, lines: io::Result<Lines>) -> Vec<MarkPlace> {
    let place = |found| MarkPlace { place: path.display().to_string(), origin, found };
    match lines {
        Ok(Lines { marks, damaged, .. }) => {
            let why = format!("{damaged} of its lines cannot be read");
            let damaged = (damaged > 0).then(|| place(Found::Unreadable(why)));
            damaged.into_iter().chain([place(Found::Marks(marks))]).collect()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => vec![place(Found::Nothing)],
        Err(error) => vec![place(Found::Unreadable(error.to_string()))],
    }
}

/// What is known in a place that may be shared: in the folder of this state folder, and in those of
/// others where the run began with the same record. Of these, what is settled is left out.
fn read_shared(
    root: &Path,
    own: &Path,
    run: &str,
    begins: Option<Digest>,
    settled: &[(u64, String)],
) -> Vec<MarkPlace> {
    let mut places = found_at(own, Origin::Elsewhere, read_marks(own));
    let mut others = Vec::new();
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let path = entry.path().join(run);
        let name = entry.file_name().to_string_lossy().into_owned();
        let upto = settled.iter().filter(|(_, other)| *other == name).map(|(length, _)| *length);
        let lines = read_marks_behind(&path, upto.max().unwrap_or(0));
        // What is too damaged to tell which run it is about may be about this one.
        let is_same = |lines: &Lines| match lines.begins {
            Some(_) => lines.begins == begins,
            None => lines.damaged > 0,
        };
        if path != own && lines.as_ref().is_ok_and(is_same) {
            others.extend(found_at(&path, Origin::Beside, lines));
        }
    }
    // A new name of this machine, of which nothing is noted yet, is no place that lost anything.
    if !others.is_empty() {
        places.retain(|place| place.found != Found::Nothing);
    }
    places.extend(others);
    places
}
