//! What every command needs: where the state is, who is there, what time it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use backout_core::authority::{self, Person, Unidentified};
use backout_core::environment::{Environment, referred};
use backout_core::ids::{RunId, RunUid};
use backout_core::location::Location;
use backout_core::mark::MarkPlace;
use backout_core::people::{Account, PersonId};
use backout_core::plan::Plan;
use backout_core::policy::Policy;
use backout_core::record::Actor;
use backout_engine::clock::Clock;
use backout_engine::{Journal, RunLog};
use backout_exec::clock::SystemClock;
use backout_exec::environment;
use backout_exec::ledger::Ledger;
use backout_exec::location;
use backout_identity::AccountName;
use backout_sqlite::{Holder, Lease, MarkFolders, SqliteJournal, TakeOver, salvage};

use crate::failure::Failure;
use crate::policy::{marks_folder, read_policy, read_policy_tonight};
use crate::run_ref;
use crate::suspect;
use crate::view::holders;

/// What every command needs.
#[derive(Clone)]
pub(crate) struct App {
    state: PathBuf,
    /// Whether the state folder is only looked at.
    looks: bool,
    /// Where the marks of its logs are kept too, if anywhere.
    marks: Option<PathBuf>,
    pub(crate) clock: SystemClock,
}

impl App {
    /// From `--state`, else BACKOUT_STATE (clap does that), else the XDG folder.
    pub(crate) fn new(state: Option<PathBuf>) -> Result<Self, Failure> {
        let state = match state {
            Some(state) => state,
            None => default_state()?,
        };
        let state = std::path::absolute(&state)?;
        if state.exists() && !state.is_dir() {
            let source = std::io::ErrorKind::NotADirectory.into();
            return Err(backout_sqlite::OpenError::Folder { path: state, source }.into());
        }
        Ok(Self { state, looks: false, marks: marks_folder(), clock: SystemClock })
    }

    /// The same for a command that only looks: nothing in the state folder is made, changed
    /// or locked.
    pub(crate) fn looking(self) -> Self {
        Self { looks: true, ..self }
    }

    pub(crate) fn state_folder(&self) -> &Path {
        &self.state
    }

    /// The journal, made if there is none.
    pub(crate) fn journal(&self) -> Result<Arc<SqliteJournal>, Failure> {
        if !self.state.exists() {
            std::fs::create_dir_all(&self.state).map_err(|source| {
                backout_sqlite::OpenError::Folder { path: self.state.clone(), source }
            })?;
            // Plans, logs and output are nobody else's business.
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&self.state, std::fs::Permissions::from_mode(0o700))?;
        }
        self.keep_what_opening_would_end()?;
        let place = self.marks.as_ref().map(|place| place.display().to_string());
        let trouble = move |why: &str| {
            let place = place.as_deref().unwrap_or_default();
            anstream::eprintln!(
                "warning: marks cannot be kept in {place}: {why}; what this machine loses is noticed by what it keeps itself alone"
            );
        };
        Ok(Arc::new(SqliteJournal::open_with(&self.state, self.mark_folders(), Box::new(trouble))?))
    }

    /// Opening a journal ends its write-ahead log. Where that is damaged, what stands behind the
    /// damage would be gone: so it is copied first.
    fn keep_what_opening_would_end(&self) -> Result<(), Failure> {
        if salvage::has_damaged_log(&self.state)?
            && let Some(aside) = salvage::keep_aside(&self.state)?
        {
            anstream::eprintln!(
                "warning: the journal is damaged, and may have lost records; it is kept as it was: {}",
                aside.display()
            );
        }
        Ok(())
    }

    /// The journal, for commands that begin nothing.
    pub(crate) fn existing_journal(&self) -> Result<Arc<SqliteJournal>, Failure> {
        if !SqliteJournal::exists(&self.state)? {
            if let Some(lost) = run_ref::noted_runs(self)?.first() {
                return Err(suspect::lost(self, lost));
            }
            let message = format!("there are no runs in {}", self.state.display());
            return Err(Failure::usage(message)
                .hint("`--state DIR` or BACKOUT_STATE names another folder; `backout invoke PLAN` starts a run"));
        }
        match self.looks {
            true => Ok(Arc::new(SqliteJournal::look(&self.state, self.mark_folders())?)),
            false => self.journal(),
        }
    }

    /// Where the state folder is.
    pub(crate) fn location(&self) -> Location {
        location::of_folder(&self.state)
    }

    /// What of the environment chooses the targets of a plan's steps, as it is now.
    pub(crate) fn environment(&self, plan: &Plan) -> Environment {
        let referred = referred(plan);
        Environment::frozen(&environment::variables(), plan.pass_env.clone(), &referred)
    }

    /// Where the marks of this folder's logs are kept.
    pub(crate) fn mark_folders(&self) -> MarkFolders {
        MarkFolders::new(&self.state, self.marks.as_deref())
    }

    /// The folder elsewhere that marks are kept in, too, as the first record of a run names it.
    pub(crate) fn marks_elsewhere(&self) -> Option<String> {
        self.marks.as_ref().map(|place| place.display().to_string())
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::new(&self.state.join("runs"))
    }

    fn lock(&self, run: &RunId) -> PathBuf {
        self.ledger().run_folder(run).join("coordinator.lock")
    }

    /// The right to coordinate a run.
    pub(crate) fn lease(&self, run: &RunId) -> Result<Lease, Failure> {
        std::fs::create_dir_all(self.ledger().run_folder(run))?;
        Lease::take(&self.lock(run), &coordinator_id()).map_err(|taken| match taken {
            backout_sqlite::Taken::By(holder) => holders::refused(&holder, run),
            error @ backout_sqlite::Taken::Io(_) => Failure::of(&error),
        })
    }

    /// Who is coordinating a run right now.
    pub(crate) fn coordinator(&self, run: &RunId) -> Option<Holder> {
        Lease::holder(&self.lock(run)).unwrap_or_else(|error| {
            crate::warn!(
                "warning: whether a coordinator is at work on {run} cannot be told: {error}"
            );
            None
        })
    }

    /// The same for what must not be done beside one: that it cannot be told is no answer.
    pub(crate) fn coordinator_for_sure(&self, run: &RunId) -> Result<Option<Holder>, Failure> {
        let holder = Lease::holder(&self.lock(run));
        holder.map_err(|error| {
            Failure::refused(format!(
                "whether a coordinator is at work on {run} cannot be told: {error}"
            ))
        })
    }

    /// Prepares to take the right to coordinate a run from the process that has it.
    pub(crate) fn prepare_take_over(&self, run: &RunId) -> Result<TakeOver, Failure> {
        std::fs::create_dir_all(self.ledger().run_folder(run))?;
        TakeOver::prepare(&self.lock(run)).map_err(|taken| match taken {
            backout_sqlite::Taken::By(holder) => {
                Failure::refused(format!("{} is just taking {run} over", holder.id))
                    .hint(format!("`backout status {run}` shows who coordinates it then"))
            }
            error @ backout_sqlite::Taken::Io(_) => Failure::of(&error),
        })
    }

    /// The log of a run. For a command that writes it is compared with its marks first: on a log
    /// that has lost its end nothing is written.
    pub(crate) async fn open(&self, run: &RunId) -> Result<RunLog<SqliteJournal>, Failure> {
        let mut log = self.read(run).await?;
        if !self.looks {
            let places = log.journal().marks(run);
            let noted = self.ledger().noted(run)?;
            // A record is in the log before its mark is made.
            log.refresh().await?;
            let judged = log.judge(&places, &noted);
            if judged.is_suspect() {
                return Err(suspect::failure(self, run, &judged.suspicions));
            }
            suspect::warn(run, &judged.not_compared);
        }
        Ok(log)
    }

    /// What is known of a log outside of the journal, here and where its run began to note it.
    pub(crate) async fn places(&self, run: &RunId) -> Vec<MarkPlace> {
        // Read for this alone: where it cannot be, the places that are configured count.
        match self.clone().looking().read(run).await {
            Ok(log) => log.journal().marks(run),
            Err(_) => {
                let first = self.ledger().first(run).ok().flatten();
                self.mark_folders().read(run, first.as_deref())
            }
        }
    }

    /// The log of a run as it is, whatever it is.
    pub(crate) async fn read(&self, run: &RunId) -> Result<RunLog<SqliteJournal>, Failure> {
        let log = RunLog::open(self.existing_journal()?, run).await?;
        let began_with = &log.state().planned().marks_elsewhere;
        let (None, Some(place)) = (&self.marks, began_with) else { return Ok(log) };
        // What it began with holds where this machine names no place any more.
        let app = Self { marks: Some(PathBuf::from(place)), ..self.clone() };
        Ok(RunLog::open(app.existing_journal()?, run).await?)
    }

    /// What the organisation asks for on this machine, before a run begins.
    pub(crate) fn policy(&self) -> Result<Policy, Failure> {
        read_policy()
    }

    /// The same on the night: a policy that cannot be read stops no command. The one a run
    /// began with holds in any case.
    pub(crate) fn policy_tonight(&self) -> Policy {
        let (policy, wrong) = read_policy_tonight();
        for failure in wrong {
            crate::warn!("warning: {}; it is not applied", failure.message());
        }
        policy
    }

    pub(crate) fn moment(&self) -> backout_core::moment::Moment {
        self.clock.moment()
    }

    pub(crate) fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }
}

fn default_state() -> Result<PathBuf, Failure> {
    let set =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let base = base.or_else(|| set("HOME").map(|home| home.join(".local/state")));
    base.map(|base| base.join("backout")).ok_or_else(|| {
        Failure::usage("there is no home directory to keep runs in").hint("name one: `--state DIR`")
    })
}

/// Host and process, for people.
pub(crate) fn coordinator_id() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("process {} on {host}", std::process::id())
}

/// The account this process runs under, as the system's name service knows it. A look-up that
/// failed is said, and is not taken for another account.
fn account() -> Account {
    let found = backout_identity::current_account();
    if let AccountName::Unknown(error) = &found.name {
        crate::warn!("warning: the name of {found} could not be looked up: {error}");
    }
    Account {
        uid: Some(found.uid),
        lookup_failed: matches!(found.name, AccountName::Unknown(_)),
        name: match found.name {
            AccountName::Known(name) => Some(name),
            AccountName::Missing | AccountName::Unknown(_) => None,
        },
    }
}

/// A new random id of a run: 128 bits, as hexadecimal digits.
pub(crate) fn run_uid() -> Result<RunUid, Failure> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::usage(format!("this machine gives no random numbers: {error}"))
    })?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    RunUid::new(hex).map_err(|error| Failure::of(&error))
}

/// Who begins something: how they stand in the log, and their account.
pub(crate) fn who(plan: &Plan, as_who: Option<&str>) -> Result<(Actor, Account), Failure> {
    let account = account();
    match authority::identify(plan, as_who, &account) {
        Ok(person) => Ok(actor_of(person, as_who, account)),
        Err(why) => Err(unidentified(&why, &account)),
    }
}

/// Who sends a command to a run. A role that belongs to another account is claimed all the
/// same: it is denied where every command is judged, and the attempt is in the log.
pub(crate) fn sender(plan: &Plan, as_who: Option<&str>) -> Result<(Actor, Account), Failure> {
    let account = account();
    match authority::identify(plan, as_who, &account) {
        Ok(person) => Ok(actor_of(person, as_who, account)),
        Err(Unidentified::OtherAccount { role, .. }) => {
            let id = PersonId::of_role(plan, &role);
            let actor = Actor::Person { id, role: Some(role), account: account.clone() };
            Ok((actor, account))
        }
        Err(why) => Err(unidentified(&why, &account)),
    }
}

fn unidentified(why: &Unidentified, account: &Account) -> Failure {
    let failure = Failure::refused(why.to_string())
        .hint("give the same command with `--as ROLE` or `--as NAME`");
    match account.lookup_failed {
        true => failure.hint("the name service does not answer: try `getent passwd`"),
        false => failure,
    }
}

fn actor_of(person: Person, as_who: Option<&str>, account: Account) -> (Actor, Account) {
    let said = as_who.map(|who| who.split('/').next().unwrap_or(who).trim());
    let role = said.and_then(|said| person.roles.iter().find(|role| role.as_str() == said));
    let role = role.or_else(|| person.roles.first()).cloned();
    (Actor::Person { id: person.id, role, account: account.clone() }, account)
}
