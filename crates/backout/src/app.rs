//! What every command needs: where the state is, who is there, what time it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use backout_core::authority::{self, Person};
use backout_core::ids::RunId;
use backout_core::plan::Plan;
use backout_core::record::Actor;
use backout_engine::RunLog;
use backout_engine::clock::{Clock, SystemClock};
use backout_exec::ledger::Ledger;
use backout_identity::{Account, AccountName};
use backout_sqlite::{Lease, SqliteJournal};

use crate::failure::Failure;

/// What every command needs.
#[derive(Clone)]
pub(crate) struct App {
    state: PathBuf,
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
        Ok(Self { state, clock: SystemClock })
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
        Ok(Arc::new(SqliteJournal::open(&self.state)?))
    }

    /// The journal, for commands that only look.
    pub(crate) fn existing_journal(&self) -> Result<Arc<SqliteJournal>, Failure> {
        if !SqliteJournal::exists(&self.state)? {
            let message = format!("there are no runs in {}", self.state.display());
            return Err(Failure::usage(message)
                .hint("`--state DIR` or BACKOUT_STATE names another folder; `backout invoke PLAN` starts a run"));
        }
        self.journal()
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
            backout_sqlite::Taken::By(who) => Failure::refused(format!(
                "{who} is coordinating {run} already"
            ))
            .hint(format!("`backout status {run}` looks on; every answer can be given from here")),
            error @ backout_sqlite::Taken::Io(_) => Failure::of(&error),
        })
    }

    /// Who is coordinating a run right now.
    pub(crate) fn coordinator(&self, run: &RunId) -> Option<String> {
        Lease::holder(&self.lock(run)).ok().flatten()
    }

    pub(crate) async fn open(&self, run: &RunId) -> Result<RunLog<SqliteJournal>, Failure> {
        Ok(RunLog::open(self.existing_journal()?, run).await?)
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

/// The account this process runs under. A look-up that failed is said.
fn account() -> Account {
    let account = backout_identity::current_account();
    if let AccountName::Unknown(error) = &account.name {
        anstream::eprintln!("warning: the name of {account} could not be looked up: {error}");
    }
    account
}

/// Who acts, and how they stand in the log.
pub(crate) fn who(plan: &Plan, as_who: Option<&str>) -> Result<(Person, Actor), Failure> {
    let found = account();
    let account = found.to_string();
    let person = authority::identify(plan, as_who, &account).map_err(|why| {
        let hint = match found.name {
            AccountName::Unknown(_) => "say who you are: `--as ROLE` or `--as NAME`; roles with a `user` need the name of this account: try again when the name service answers (`getent passwd`)",
            _ => "say who you are: `--as ROLE` or `--as NAME`",
        };
        Failure::refused(why).hint(hint)
    })?;
    let said = as_who.map(|who| who.split('/').next().unwrap_or(who).trim());
    let role = said.and_then(|said| person.roles.iter().find(|role| role.as_str() == said));
    let role = role.or_else(|| person.roles.first()).cloned();
    let actor = Actor::Person { name: person.name.clone(), role, account };
    Ok((person, actor))
}
