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
//! from there on. `0 sha256:…` names the first record of the run, in a file that begins later. A line that ends in `torn` was cut off by a crash, and says nothing.
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
use backout_core::mark::{Found, Mark, MarkPlace};
use backout_core::record::Record;

use lines::{Lines, line, open, read_marks};

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
            .map(|c| if c == '/' { '+' } else { c })
            .collect();
        Self { own: state.join("marks"), elsewhere: elsewhere.map(Path::to_owned), name }
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
        let (mut places, noted) = read_place(&self.own.join(run.as_str()));
        let begins = first.map(Digest::of).or(noted);
        for root in self.roots(first) {
            let (own, name) = (self.own_in(&root).join(run.as_str()), run.as_str().to_owned());
            let asked = {
                let (own, root) = (own.clone(), root.clone());
                patience::ask(&root.clone(), move || read_shared(&root, &own, &name, begins))
            };
            match asked {
                Ok(found) => places.extend(found),
                Err(error) => {
                    let found = Found::Unreadable(error.to_string());
                    places.push(MarkPlace { place: own.display().to_string(), found });
                }
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
    /// mark that contradicts what was settled would contradict it for ever.
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
        for MarkPlace { place, found } in self.read(run, first) {
            if found == Found::Nothing {
                continue;
            }
            let (path, run, text) = (PathBuf::from(place), run.clone(), text.clone());
            let folder = path.parent().unwrap_or(&path).to_owned();
            let root = folder.parent().unwrap_or(&folder).to_owned();
            patience::ask(&root, move || {
                let mut file = open(&folder, &run, None)?;
                file.write_all(text.as_bytes())?;
                file.sync_data()
            })??;
        }
        Ok(())
    }
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

/// What the file at a path knows, and which record its run began with. Damaged lines are a place of
/// their own: the rest still counts.
fn read_place(path: &Path) -> (Vec<MarkPlace>, Option<Digest>) {
    let place = |found| MarkPlace { place: path.display().to_string(), found };
    match read_marks(path) {
        Ok(Lines { begins, marks, damaged }) => {
            let why = format!("{damaged} of its lines cannot be read");
            let damaged = (damaged > 0).then(|| place(Found::Unreadable(why)));
            (damaged.into_iter().chain([place(Found::Marks(marks))]).collect(), begins)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            (vec![place(Found::Nothing)], None)
        }
        Err(error) => (vec![place(Found::Unreadable(error.to_string()))], None),
    }
}

/// What is known in a place that may be shared: in the folder of this state folder, and in those of
/// others where the run began with the same record.
fn read_shared(root: &Path, own: &Path, run: &str, begins: Option<Digest>) -> Vec<MarkPlace> {
    let (mut places, _) = read_place(own);
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let others = entries.map(|entry| entry.path().join(run)).filter(|path| path != own);
    let others = others.map(|path| read_place(&path));
    let others = others.filter(|(_, noted)| noted.is_some() && *noted == begins);
    let others: Vec<MarkPlace> = others.flat_map(|(places, _)| places).collect();
    // A new name of this machine, of which nothing is noted yet, is no place that lost anything.
    if !others.is_empty() {
        places.retain(|place| place.found != Found::Nothing);
    }
    places.extend(others);
    places
}
