//! What is written down about an attempt, where a crash cannot reach it.
//!
//! Each dispatch of an attempt has a folder:
//!
//! | file | written by | says |
//! |---|---|---|
//! | `request.json` | the coordinator, before it starts a supervisor | what to do |
//! | `claim.json` | whoever is first | who decides about this dispatch |
//! | `supervisor.lock` | held by the supervisor while it lives | it lives |
//! | `processes.lock` | held by everything the step started, by inheritance | something lives |
//! | `exit.json` | the supervisor, at the end | how it ended |
//! | `stdout`, `stderr` | the supervisor | what it printed |
//!
//! The claim is the fence. A supervisor *links* a finished file to that name
//! before it does anything; a recovering coordinator that finds no claim links
//! its own. A link succeeds for exactly one of them. So when recovery says
//! "never accepted", a supervisor that is still starting somewhere will find the
//! claim taken and go away, and the attempt can be dispatched again. The folder
//! of each earlier term is made and fenced for the same reason.
//!
//! Liveness is a lock and not a process number: the kernel releases it at the
//! moment of death, and numbers are used again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use backout_core::attempt::AttemptId;
use backout_core::doubt::Observation;
use backout_core::duration::Span;
use backout_core::event::{DoubtCause, Evidence};
use backout_core::ids::{Epoch, RunId, RunUid, StepId};
use backout_core::plan::{Action, Source, Step};
use backout_engine::hands::Report;
use rustix::process::{Pid, Signal, kill_process};

use crate::process::{self, Birth};

/// What a supervisor is asked to do. Holds references to secrets, never a secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// Which attempt at which step of which run.
    pub id: AttemptId,
    /// The step, in full.
    pub step: Step,
    /// The coordinator's term.
    pub epoch: Epoch,
    /// The key a target can recognise a repeat by.
    pub key: String,
    /// The folder relative paths start from.
    pub folder: String,
    /// What the step may talk to.
    pub sources: std::collections::BTreeMap<backout_core::ids::SourceId, Source>,
}

impl Request {
    /// How long its command may take.
    fn deadline(&self) -> Option<Duration> {
        match &self.step.action {
            Action::Run(_) => self.step.action.timeout().map(Span::get),
            _ => None,
        }
    }
}

/// Who decides about a dispatch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Claim {
    /// A supervisor accepted it.
    Supervisor {
        /// Its process, which leads a session of its own.
        pid: i32,
        /// When that process began, and where its number counts: numbers are used again, and
        /// after a restart of a container with the same running of the machine.
        #[serde(flatten)]
        birth: Birth,
        /// What it accepted; `None` where an earlier version wrote it down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<Box<AttemptId>>,
    },
    /// A coordinator made sure that nobody ever will.
    Fenced,
}

/// How an attempt ended, as the supervisor writes it down.
#[derive(Debug, Serialize, Deserialize)]
struct Exit {
    id: Option<AttemptId>,
    report: Report,
}

/// What marks the ledger of a run.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    run: RunId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<RunUid>,
}

/// The ledger of one machine: a folder with one folder per run.
#[derive(Debug, Clone)]
pub struct Ledger {
    root: PathBuf,
}

/// What waiting for an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// Nothing of it is alive.
    Ended,
    /// It is past its deadline, and something of it is alive that cannot be ended.
    Unended,
}

/// One dispatch of an attempt.
#[derive(Debug, Clone)]
pub struct Dispatch {
    folder: PathBuf,
}

impl Ledger {
    /// The ledger in a folder.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Where a run keeps its things.
    #[must_use]
    pub fn run_folder(&self, run: &RunId) -> PathBuf {
        self.root.join(run.as_str())
    }

    /// Marks that a run's ledger exists, before anything of the run is dispatched.
    /// A run that has dispatched something and has no mark has lost its ledger.
    ///
    /// # Errors
    /// When it cannot be written, or is that of another run of this name.
    pub fn begin_run(&self, run: &RunId, uid: Option<&RunUid>) -> io::Result<()> {
        let folder = self.run_folder(run);
        fs::create_dir_all(folder.join("steps"))?;
        match self.mark(run)? {
            None => {
                let mark = Mark { run: run.clone(), uid: uid.cloned() };
                let text = serde_json::to_vec(&mark).map_err(io::Error::other)?;
                write_whole(&folder.join("ledger"), &text)?;
                flush_folder(&self.root)
            }
            Some(mark) if mark.uid.as_ref() == uid => Ok(()),
            Some(_) => Err(io::Error::other(format!(
                "{} holds what another run of this name did",
                folder.display()
            ))),
        }
    }

    /// What marks the ledger of a run, if it has one.
    fn mark(&self, run: &RunId) -> io::Result<Option<Mark>> {
        let bytes = match fs::read(self.run_folder(run).join("ledger")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        // An earlier version wrote the name alone.
        let plain =
            || (bytes == run.as_str().as_bytes()).then(|| Mark { run: run.clone(), uid: None });
        match serde_json::from_slice(&bytes).ok().or_else(plain) {
            Some(mark) => Ok(Some(mark)),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, "its mark cannot be read")),
        }
    }

    /// Every run that began to do something here, by name.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn runs(&self) -> io::Result<Vec<RunId>> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut runs = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let run = name.to_str().and_then(|name| RunId::new(name).ok());
            runs.extend(run.filter(|_| entry.path().join("ledger").exists()));
        }
        runs.sort();
        Ok(runs)
    }

    /// The folder of a dispatch, made new.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(&self, request: &Request) -> io::Result<Dispatch> {
        let step = self.step_folder(&request.id.run, &request.step.id);
        let folder = step.join(format!("{}.{}", request.id.attempt, request.epoch));
        fs::create_dir_all(&folder)?;
        let dispatch = Dispatch { folder };
        let file = dispatch.folder.join("request.json");
        // Only a fence may be there already: what was dispatched is not dispatched again.
        if file.exists() {
            return Err(io::Error::other(format!("{} is there already", file.display())));
        }
        let text = serde_json::to_vec_pretty(request).map_err(io::Error::other)?;
        write_whole(&file, &text)?;
        flush_folder(&step)?;
        Ok(dispatch)
    }

    /// Every dispatch of an attempt, the latest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn dispatches(
        &self,
        run: &RunId,
        step: &StepId,
        attempt: u32,
    ) -> io::Result<Vec<Dispatch>> {
        let folder = self.step_folder(run, step);
        let mut found: Vec<(u64, PathBuf)> = Vec::new();
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let epoch =
                name.strip_prefix(&format!("{attempt}.")).and_then(|epoch| epoch.parse().ok());
            found.extend(epoch.map(|epoch| (epoch, entry.path())));
        }
        found.sort_by_key(|(epoch, _)| std::cmp::Reverse(*epoch));
        Ok(found.into_iter().map(|(_, folder)| Dispatch { folder }).collect())
    }

    /// Every attempt of a run that a supervisor accepted.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn noted(&self, run: &RunId) -> io::Result<Vec<AttemptId>> {
        let mut noted = Vec::new();
        for step in folders_of(&self.run_folder(run).join("steps"))? {
            for dispatch in folders_of(&step)? {
                if let Some(Claim::Supervisor { id: Some(id), .. }) =
                    Dispatch::at(&dispatch).claimed()?
                {
                    noted.push(*id);
                }
            }
        }
        Ok(noted)
    }

    /// The latest dispatch of any attempt at a step that somebody accepted or may
    /// still accept, with the attempt's number.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn latest(&self, run: &RunId, step: &StepId) -> io::Result<Option<(u32, Dispatch)>> {
        let entries = match fs::read_dir(self.step_folder(run, step)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            entries => entries?,
        };
        let mut latest: Option<(u32, u64, PathBuf)> = None;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some((attempt, epoch)) = name.split_once('.') else { continue };
            let (Ok(attempt), Ok(epoch)) = (attempt.parse(), epoch.parse()) else { continue };
            let newer = latest.as_ref().is_none_or(|(a, e, _)| (*a, *e) < (attempt, epoch));
            if newer && !Dispatch::at(&entry.path()).is_fenced()? {
                latest = Some((attempt, epoch, entry.path()));
            }
        }
        Ok(latest.map(|(attempt, _, folder)| (attempt, Dispatch { folder })))
    }

    /// What is noted about an attempt, asked by the coordinator of a term. From
    /// now on no dispatch of an earlier term that was not accepted can be accepted
    /// any more, not even one that its coordinator has yet to make: such a
    /// coordinator may have been held up between its intent and its dispatch.
    ///
    /// # Errors
    /// When the ledger is there and cannot be read or written: then nothing is
    /// known and nothing may be concluded.
    pub fn observe(&self, id: &AttemptId, by: Epoch) -> io::Result<Observation> {
        match self.mark(&id.run)? {
            None => return Ok(Observation::Vanished(DoubtCause::LedgerLost)),
            Some(mark) if mark.uid != id.uid => {
                return Ok(Observation::Vanished(DoubtCause::LedgerForeign));
            }
            Some(_) => {}
        }
        let attempt = id.attempt;
        let folder = self.step_folder(&id.run, &id.step);
        let mut seen = Observation::NeverAccepted;
        for dispatch in self.dispatches(&id.run, &id.step, attempt)? {
            let observed = match dispatch.term() <= Some(by.0) {
                true => dispatch.observe(id)?,
                // A later term is its own coordinator's business.
                false => dispatch.look(id)?.unwrap_or(Observation::NeverAccepted),
            };
            if observed != Observation::NeverAccepted {
                seen = observed;
                break;
            }
        }
        if seen == Observation::NeverAccepted {
            for earlier in 1..by.0 {
                fence(&folder.join(format!("{attempt}.{earlier}")))?;
            }
        }
        Ok(seen)
    }

    fn step_folder(&self, run: &RunId, step: &StepId) -> PathBuf {
        self.run_folder(run).join("steps").join(step.as_str())
    }
}

impl Dispatch {
    /// The dispatch in a folder.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What to do.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn request(&self) -> io::Result<Request> {
        read_whole(&self.folder.join("request.json"))
    }

    /// Accepts or fences the dispatch. `false` when somebody was first.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn claim(&self, claim: &Claim) -> io::Result<bool> {
        let text = serde_json::to_vec(claim).map_err(io::Error::other)?;
        let own = self.folder.join(format!("claim.{}", std::process::id()));
        // What a killed process of this number left may be a link to the claim
        // itself: it must not be written through.
        match fs::remove_file(&own) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::options().write(true).create_new(true).open(&own)?;
        file.write_all(&text)?;
        file.sync_all()?;
        let linked = fs::hard_link(&own, self.folder.join("claim.json"));
        fs::remove_file(&own)?;
        flush_folder(&self.folder)?;
        match linked {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes down how this attempt ended.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_end(&self, id: &AttemptId, report: &Report) -> io::Result<()> {
        let exit = Exit { id: Some(id.clone()), report: report.clone() };
        let text = serde_json::to_vec(&exit).map_err(io::Error::other)?;
        write_whole(&self.folder.join("exit.json"), &text)
    }

    /// How this attempt ended, if that is written down. What is written down about another
    /// attempt is a doubt.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn end(&self, id: &AttemptId) -> io::Result<Option<Report>> {
        Ok(self.exit()?.map(|exit| match fits(exit.id.as_ref(), id) {
            true => exit.report,
            false => Report::Doubt {
                cause: DoubtCause::LedgerForeign,
                evidence: Evidence::saying("the result in the ledger is that of another attempt"),
            },
        }))
    }

    /// Whether an end is written down.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn has_ended(&self) -> io::Result<bool> {
        Ok(self.exit()?.is_some())
    }

    fn exit(&self) -> io::Result<Option<Exit>> {
        let path = self.folder.join("exit.json");
        match read_whole(&path) {
            Ok(exit) => Ok(Some(exit)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // An earlier version wrote the report alone.
            Err(error) => match read_whole(&path) {
                Ok(report) => Ok(Some(Exit { id: None, report })),
                Err(_) => Err(error),
            },
        }
    }

    /// The supervisor's lock, taken.
    ///
    /// # Errors
    /// When another supervisor has it.
    pub fn lock_supervisor(&self) -> io::Result<File> {
        let file = open_lock(&self.folder.join("supervisor.lock"))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(file)
    }

    /// A lock that everything the step starts inherits.
    ///
    /// # Errors
    /// When it cannot be taken.
    pub fn lock_processes(&self) -> io::Result<File> {
        let file = open_lock(&self.folder.join("processes.lock"))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty())?;
        Ok(file)
    }

    /// A new file for output.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn output(&self, name: &str) -> io::Result<File> {
        File::create(self.folder.join(name))
    }

    /// Waits until nothing of it is alive, or until it is past its deadline and cannot be ended.
    ///
    /// # Errors
    /// When the locks cannot be used.
    pub fn wait(&self) -> io::Result<Waited> {
        let supervisor = open_lock(&self.folder.join("supervisor.lock"))?;
        flock(&supervisor, FlockOperation::LockShared)?;
        drop(supervisor);
        // Once the end is written down, what it left running does not matter.
        // Without its supervisor nobody else keeps its time, so it is kept here.
        let deadline = self.request().ok().and_then(|request| request.deadline());
        while !self.has_ended()?
            && (is_locked(&self.folder.join("processes.lock"))? || self.has_left_something()?)
        {
            let late = deadline.and_then(|deadline| self.age()?.checked_sub(deadline));
            if late.is_some() {
                self.end_session(Signal::KILL);
            }
            // What cannot be ended is in doubt then, and not running.
            if late.is_some_and(|late| late > UNENDED) {
                return Ok(Waited::Unended);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(Waited::Ended)
    }

    /// The supervisor's process, if it is alive.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn supervisor(&self) -> io::Result<Option<i32>> {
        if !is_locked(&self.folder.join("supervisor.lock"))? {
            return Ok(None);
        }
        // It takes its lock before it makes its claim.
        match self.claimed()? {
            Some(Claim::Supervisor { pid, .. }) => Ok(Some(pid)),
            Some(Claim::Fenced) | None => Ok(None),
        }
    }

    /// Whether a process of the supervisor's session is alive, or one that names the attempt in
    /// its environment. A command can close the lock it inherited, as `sudo` does, and leave its
    /// session, as a daemon does; both at once and its environment cleared is rare.
    fn has_left_something(&self) -> io::Result<bool> {
        if !self.session()?.is_empty() {
            return Ok(true);
        }
        let Ok(request) = self.request() else { return Ok(false) };
        Ok(!process::all_of(&request.key, request.id.attempt).is_empty())
    }

    /// Living processes of the supervisor's session, the supervisor left out.
    fn session(&self) -> io::Result<Vec<i32>> {
        let Some(Claim::Supervisor { pid, birth, .. }) = self.claimed()? else {
            return Ok(Vec::new());
        };
        Ok(birth.session_of(pid))
    }

    /// Ends what is left of a step whose supervisor is gone. Only what says in its environment
    /// that it belongs to this attempt: nothing is killed by its number alone.
    pub fn end_session(&self, signal: Signal) {
        let Ok(request) = self.request() else { return };
        for pid in process::all_of(&request.key, request.id.attempt) {
            if let Some(process) = Pid::from_raw(pid) {
                let _ = kill_process(process, signal);
            }
        }
    }

    /// How long ago it was accepted.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.accepted_at()?.elapsed().ok()
    }

    /// When it was accepted.
    pub(crate) fn accepted_at(&self) -> Option<SystemTime> {
        fs::metadata(self.folder.join("claim.json")).and_then(|about| about.modified()).ok()
    }

    /// What is noted about it; one that nobody accepted is fenced.
    fn observe(&self, id: &AttemptId) -> io::Result<Observation> {
        if let Some(seen) = self.look(id)? {
            return Ok(seen);
        }
        match self.claim(&Claim::Fenced)? {
            true => Ok(Observation::NeverAccepted),
            false => Ok(self.look(id)?.unwrap_or(Observation::NeverAccepted)),
        }
    }

    /// What is noted about it, only looking; `None` when nobody has claimed it.
    fn look(&self, id: &AttemptId) -> io::Result<Option<Observation>> {
        match self.claimed()? {
            None => return Ok(None),
            Some(Claim::Fenced) => return Ok(Some(Observation::NeverAccepted)),
            Some(Claim::Supervisor { id: claimed, .. }) if !fits(claimed.as_deref(), id) => {
                return Ok(Some(Observation::Vanished(DoubtCause::LedgerForeign)));
            }
            Some(Claim::Supervisor { .. }) => {}
        }
        if self.has_ended()? {
            return Ok(Some(Observation::Ended));
        }
        for lock in ["supervisor.lock", "processes.lock"] {
            if is_locked(&self.folder.join(lock))? {
                return Ok(Some(Observation::Running));
            }
        }
        if self.has_left_something()? {
            return Ok(Some(Observation::Running));
        }
        // It may have ended between the two looks.
        Ok(Some(match self.has_ended()? {
            true => Observation::Ended,
            false => Observation::Vanished(DoubtCause::SupervisorLost),
        }))
    }

    /// Who decides about it, if anybody has said so.
    fn claimed(&self) -> io::Result<Option<Claim>> {
        match read_whole(&self.folder.join("claim.json")) {
            Ok(claim) => Ok(Some(claim)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether it will never be accepted.
    pub(crate) fn is_fenced(&self) -> io::Result<bool> {
        Ok(self.claimed()? == Some(Claim::Fenced))
    }

    /// The term of the coordinator that made it.
    fn term(&self) -> Option<u64> {
        let name = self.folder.file_name()?.to_str()?;
        name.split_once('.')?.1.parse().ok()
    }
}

/// Whether what is noted is about this attempt. An earlier version noted no more than the name,
/// and its runs have no random id.
fn fits(noted: Option<&AttemptId>, id: &AttemptId) -> bool {
    noted.map_or(id.uid.is_none(), |noted| noted == id)
}

/// The folders in a folder; none where that is not there.
fn folders_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

/// Makes sure that the dispatch in this folder, if nobody accepted it, is never accepted.
fn fence(folder: &Path) -> io::Result<()> {
    if folder.join("claim.json").exists() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    Dispatch::at(folder).claim(&Claim::Fenced)?;
    Ok(())
}

/// How long what is past its deadline is waited for, while it is being ended.
const UNENDED: Duration = Duration::from_secs(10);

fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn is_locked(path: &Path) -> io::Result<bool> {
    let file = open_lock(path)?;
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// A file that is there whole, durably, or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), flush_folder)
}

fn read_whole<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    serde_json::from_slice(&fs::read(path)?)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn flush_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use backout_core::ids::Digest;

    use super::*;

    fn request(epoch: u64) -> Request {
        let step = json!({"id": "restore", "owner": "dba", "run": {"argv": ["true"]}});
        let step: Step = serde_json::from_value(step).expect("a step");
        Request {
            id: AttemptId {
                run: RunId::new("run-1").expect("a name"),
                uid: None,
                step: step.id.clone(),
                attempt: 1,
                action: step.action_digest(),
                intent: Digest::of(b"the record of its intent"),
            },
            step,
            epoch: Epoch(epoch),
            key: "run-1/restore/1".to_owned(),
            folder: "/".to_owned(),
            sources: std::collections::BTreeMap::new(),
        }
    }

    fn supervisor() -> Claim {
        Claim::Supervisor {
            pid: 1,
            birth: Birth::of_this_process(),
            id: Some(Box::new(request(1).id)),
        }
    }

    #[test]
    fn a_dispatch_made_after_its_coordinator_was_replaced_is_never_accepted() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::new(folder.path());
        let late = request(1);
        ledger.begin_run(&late.id.run, None).expect("begun");
        let seen = ledger.observe(&late.id, Epoch(2)).expect("readable");
        assert_eq!(seen, Observation::NeverAccepted);
        // Now the first coordinator wakes up and dispatches.
        let dispatch = ledger.begin(&late).expect("made");
        assert!(!dispatch.claim(&supervisor()).expect("asked"), "it was accepted");
        // The second one's own dispatch is accepted, and is what a third one finds.
        let dispatch = ledger.begin(&request(2)).expect("made");
        assert!(dispatch.claim(&supervisor()).expect("asked"));
        dispatch.note_end(&late.id, &Report::Done(Default::default())).expect("noted");
        let seen = ledger.observe(&late.id, Epoch(3)).expect("readable");
        assert_eq!(seen, Observation::Ended);
        // Whoever wants to see its output finds the dispatch that was accepted.
        let (_, latest) =
            ledger.latest(&late.id.run, &late.step.id).expect("readable").expect("one");
        assert_eq!(latest.folder(), dispatch.folder());
    }

    #[test]
    fn an_earlier_term_does_not_fence_a_later_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::new(folder.path());
        let later = request(3);
        ledger.begin_run(&later.id.run, None).expect("begun");
        let dispatch = ledger.begin(&later).expect("made");
        ledger.observe(&later.id, Epoch(2)).expect("readable");
        assert!(dispatch.claim(&supervisor()).expect("asked"), "it was fenced");
    }

    #[test]
    fn what_a_killed_process_left_is_not_written_through() {
        let folder = tempfile::tempdir().expect("a folder");
        let dispatch = Dispatch::at(folder.path());
        assert!(dispatch.claim(&Claim::Fenced).expect("claimed"));
        let left = folder.path().join(format!("claim.{}", std::process::id()));
        fs::hard_link(folder.path().join("claim.json"), left).expect("linked");
        assert!(!dispatch.claim(&supervisor()).expect("asked"));
        assert!(dispatch.is_fenced().expect("readable"));
    }

    #[test]
    fn a_ledger_that_cannot_be_written_is_not_a_lost_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::new(folder.path());
        let request = request(1);
        ledger.begin_run(&request.id.run, None).expect("begun");
        // A file where the folder of the step's dispatches has to be.
        let steps = ledger.run_folder(&request.id.run).join("steps");
        fs::write(steps.join("restore"), "").expect("written");
        let seen = ledger.observe(&request.id, Epoch(2));
        assert!(seen.is_err(), "{seen:?}");
    }

    /// Every other attempt whose name an entry could bear: none of them passes for this one.
    fn others(id: &AttemptId) -> Vec<AttemptId> {
        let uid = RunUid::new("0123456789abcdef0123456789abcdef").ok();
        vec![
            AttemptId { uid, ..id.clone() },
            AttemptId { attempt: id.attempt + 1, ..id.clone() },
            AttemptId { action: Digest::of(b"another action"), ..id.clone() },
            AttemptId { intent: Digest::of(b"another record"), ..id.clone() },
        ]
    }

    #[test]
    fn what_another_attempt_did_is_a_doubt_and_no_outcome() {
        for other in others(&request(1).id) {
            let folder = tempfile::tempdir().expect("a folder");
            let ledger = Ledger::new(folder.path());
            let request = request(1);
            ledger.begin_run(&request.id.run, None).expect("begun");
            let dispatch = ledger.begin(&request).expect("made");
            assert!(dispatch.claim(&supervisor()).expect("asked"));
            dispatch.note_end(&other, &Report::Done(Evidence::default())).expect("noted");
            let report = dispatch.end(&request.id).expect("readable").expect("one");
            let foreign = matches!(report, Report::Doubt { cause: DoubtCause::LedgerForeign, .. });
            assert!(foreign, "{other:?}: {report:?}");
        }
    }

    #[test]
    fn what_another_attempt_claimed_is_a_doubt() {
        for other in others(&request(1).id) {
            let folder = tempfile::tempdir().expect("a folder");
            let ledger = Ledger::new(folder.path());
            let request = request(1);
            ledger.begin_run(&request.id.run, None).expect("begun");
            let dispatch = ledger.begin(&request).expect("made");
            let claim = Claim::Supervisor {
                pid: 1,
                birth: Birth::of_this_process(),
                id: Some(Box::new(other.clone())),
            };
            assert!(dispatch.claim(&claim).expect("asked"));
            let seen = ledger.observe(&request.id, Epoch(1)).expect("readable");
            assert_eq!(seen, Observation::Vanished(DoubtCause::LedgerForeign), "{other:?}");
        }
    }

    #[test]
    fn a_folder_that_exists_is_not_begun_in_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::new(folder.path());
        let request = request(1);
        ledger.begin_run(&request.id.run, None).expect("begun");
        ledger.begin(&request).expect("made");
        ledger.begin(&request).expect_err("it is there");
        let uid = RunUid::new("0123456789abcdef0123456789abcdef").expect("an id");
        ledger.begin_run(&request.id.run, Some(&uid)).expect_err("it is another run's");
        let id = AttemptId { uid: Some(uid), ..request.id.clone() };
        let seen = ledger.observe(&id, Epoch(1)).expect("readable");
        assert_eq!(seen, Observation::Vanished(DoubtCause::LedgerForeign));
        assert_eq!(ledger.runs().expect("readable"), [request.id.run]);
    }

    /// An open run of an earlier version is taken up with what that version noted.
    #[test]
    fn what_an_earlier_version_noted_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::new(folder.path());
        let request = request(1);
        let run = ledger.run_folder(&request.id.run);
        fs::create_dir_all(run.join("steps")).expect("made");
        fs::write(run.join("ledger"), "run-1").expect("written");
        let dispatch = ledger.begin(&request).expect("made");
        let claim = r#"{"by":"supervisor","pid":1,"boot":"b"}"#;
        fs::write(dispatch.folder().join("claim.json"), claim).expect("written");
        let report = serde_json::to_vec(&Report::Done(Evidence::default())).expect("data");
        fs::write(dispatch.folder().join("exit.json"), report).expect("written");
        let seen = ledger.observe(&request.id, Epoch(2)).expect("readable");
        assert_eq!(seen, Observation::Ended);
        assert!(matches!(dispatch.end(&request.id), Ok(Some(Report::Done(_)))));
        assert_eq!(ledger.noted(&request.id.run).expect("readable"), []);
        // Of a run with a random id it is another run's.
        let uid = RunUid::new("0123456789abcdef0123456789abcdef").ok();
        let id = AttemptId { uid, ..request.id.clone() };
        assert!(matches!(dispatch.end(&id), Ok(Some(Report::Doubt { .. }))));
    }
}
