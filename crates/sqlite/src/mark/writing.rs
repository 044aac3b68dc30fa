//! Noting what was committed.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use backout_core::ids::{Digest, RunId};
use backout_core::mark::Mark;

use super::MarkFolders;
use super::lines::{line, open};
use super::patience::{self, PATIENCE};

/// A record that was committed.
#[derive(Debug, Clone)]
pub(crate) struct Committed {
    pub(crate) run: RunId,
    pub(crate) mark: Mark,
    /// Whether its mark has to be durable before anything follows from it.
    pub(crate) flushes: bool,
}

/// The first record of a run, by which one run is told from another of its name.
type Begins = HashMap<RunId, Digest>;

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

    fn note(&mut self, committed: &[Committed], begins: &Begins) -> io::Result<()> {
        for Committed { run, mark, .. } in committed {
            if !self.open.contains_key(run) {
                self.make()?;
                self.open.insert(run.clone(), open(&self.folder, run, begins.get(run))?);
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
    begins: Begins,
}

/// What is to be noted elsewhere, and who waits for it.
type Asked = (Vec<Committed>, Begins, mpsc::Sender<io::Result<()>>);

struct Elsewhere {
    place: PathBuf,
    to: mpsc::Sender<Asked>,
    trouble: Trouble,
    /// Whether it was told that it is in trouble: it is not waited for any more.
    told: bool,
}

/// Told once when the other place cannot be written.
pub type Trouble = Box<dyn Fn(&str) + Send>;

impl Marks {
    pub(crate) fn new(folders: &MarkFolders, trouble: Trouble) -> io::Result<Self> {
        let own = Files::new(folders.own.clone());
        own.make()?;
        let elsewhere = match &folders.elsewhere {
            None => None,
            Some(root) => {
                let (to, asked) = mpsc::channel::<Asked>();
                let mut files = Files::new(folders.own_in(root));
                // In a thread of its own: a network share may never answer.
                std::thread::Builder::new().name("marks".to_owned()).spawn(move || {
                    for (committed, begins, answer) in asked {
                        let _ = answer.send(files.note(&committed, &begins));
                    }
                })?;
                Some(Elsewhere { place: root.clone(), to, trouble, told: false })
            }
        };
        Ok(Self { own, elsewhere, begins: Begins::new() })
    }

    /// Notes what was committed; `first` reads the first record of a run. That the other place cannot
    /// be written is told once, and stops nothing: what is not there is seen by everyone who compares.
    ///
    /// # Errors
    /// When the state folder cannot be written.
    pub(crate) fn note(
        &mut self,
        committed: &[Committed],
        first: &dyn Fn(&RunId) -> Option<Vec<u8>>,
    ) -> io::Result<()> {
        for Committed { run, .. } in committed {
            if !self.begins.contains_key(run) {
                self.begins.extend(first(run).map(|first| (run.clone(), Digest::of(&first))));
            }
        }
        let begins = &self.begins;
        let asked = self.elsewhere.as_ref().map(|elsewhere| elsewhere.ask(committed, begins));
        self.own.note(committed, begins)?;
        if let (Some(elsewhere), Some(asked)) = (&mut self.elsewhere, asked) {
            elsewhere.hear(&asked);
        }
        Ok(())
    }
}

impl Elsewhere {
    fn ask(&self, committed: &[Committed], begins: &Begins) -> mpsc::Receiver<io::Result<()>> {
        let (answer, answered) = mpsc::channel();
        let begins = committed.iter().filter_map(|it| begins.get_key_value(&it.run));
        let begins = begins.map(|(run, first)| (run.clone(), *first)).collect();
        let _ = self.to.send((committed.to_vec(), begins, answer));
        answered
    }

    fn hear(&mut self, answered: &mpsc::Receiver<io::Result<()>>) {
        if self.told {
            return;
        }
        let patience = if patience::is_silent(&self.place) { Duration::ZERO } else { PATIENCE };
        let why = match answered.recv_timeout(patience) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => patience::fell_silent(&self.place).to_string(),
        };
        self.told = true;
        (self.trouble)(&why);
    }
}
