//! The account this process runs under, as the system's name service knows it.
//!
//! Accounts live in files, in LDAP, behind SSSD or systemd; which of them counts
//! is configured in `nsswitch.conf`. Only the C library reads that configuration,
//! so the look-up goes through it: with `getpwuid_r` in this process, or, in a
//! statically linked program (which cannot load the modules of the name service),
//! with `getent`. No file of accounts is ever read by hand.
//!
//! A failed look-up is not the same as an account without a name: the first is
//! [`AccountName::Unknown`], the second [`AccountName::Missing`].

mod getent;
// A statically linked program cannot load the modules of the name service (glibc's look-up
// crashes in it), and musl has none.
#[cfg(not(any(target_env = "musl", target_feature = "crt-static")))]
mod name_service;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub use getent::{find_getent, lookup_with_getent};
#[cfg(not(any(target_env = "musl", target_feature = "crt-static")))]
pub use name_service::lookup_in_process;

/// The longest time one look-up may take. A directory server that does not answer
/// can block the C library for minutes.
pub const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// An account of this machine.
#[derive(Debug)]
pub struct Account {
    /// Its number: the real user id of the process.
    pub uid: u32,
    /// Its name.
    pub name: AccountName,
    /// The account that logged in, which `su` and `sudo` do not change. Kept by the
    /// kernel's audit system; `None` where it keeps none (services, containers).
    pub login_uid: Option<u32>,
}

/// What the name service says of an account's name.
#[derive(Debug)]
pub enum AccountName {
    /// The name.
    Known(String),
    /// The name service answered: there is no account with this number.
    Missing,
    /// The name service did not answer, or not in a way that can be used.
    Unknown(LookupError),
}

/// Why the name of an account could not be looked up.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The name service failed.
    #[error("the name service failed: {0}")]
    NameService(std::io::Error),
    /// It took too long.
    #[error("no answer from the name service within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// This statically linked program needs `getent`, and there is none.
    #[error("this program is statically linked and needs `getent`, which is not in {0}")]
    NoGetent(&'static str),
    /// `getent` could not be started or read.
    #[error("{}: {source}", program.display())]
    Getent {
        /// The program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `getent` ended with a status that says neither yes nor no.
    #[error("{}: {status}", program.display())]
    GetentStatus {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// The answer is not an account with this number.
    #[error("the answer of the name service is not the account {uid}: {answer}")]
    Unusable {
        /// The number asked for.
        uid: u32,
        /// The beginning of the answer, escaped.
        answer: String,
    },
}

impl fmt::Display for Account {
    /// The name, or `uid 4242` for an account whose name is missing or unknown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            AccountName::Known(name) => f.write_str(name),
            AccountName::Missing | AccountName::Unknown(_) => write!(f, "uid {}", self.uid),
        }
    }
}

/// The account this process runs under. Takes at most [`LOOKUP_TIMEOUT`].
#[must_use]
pub fn current_account() -> Account {
    let uid = rustix::process::getuid().as_raw();
    let name = match lookup(uid) {
        Ok(Some(name)) => AccountName::Known(name),
        Ok(None) => AccountName::Missing,
        Err(error) => AccountName::Unknown(error),
    };
    Account { uid, name, login_uid: login_uid() }
}

#[cfg(not(any(target_env = "musl", target_feature = "crt-static")))]
fn lookup(uid: u32) -> Result<Option<String>, LookupError> {
    lookup_in_process(uid, LOOKUP_TIMEOUT)
}

#[cfg(any(target_env = "musl", target_feature = "crt-static"))]
fn lookup(uid: u32) -> Result<Option<String>, LookupError> {
    lookup_with_getent(&find_getent()?, uid, LOOKUP_TIMEOUT)
}

/// The account that logged in, from the kernel: `/proc/self/loginuid`, proc(5).
fn login_uid() -> Option<u32> {
    parse_login_uid(&std::fs::read_to_string("/proc/self/loginuid").ok()?)
}

/// `4294967295` is the kernel's word for "not set".
fn parse_login_uid(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_shown_by_name_else_by_number() {
        let account = |name| Account { uid: 4242, name, login_uid: None }.to_string();
        assert_eq!(account(AccountName::Known("lena".into())), "lena");
        assert_eq!(account(AccountName::Missing), "uid 4242");
        let error = LookupError::Timeout(LOOKUP_TIMEOUT);
        assert_eq!(error.to_string(), "no answer from the name service within 10 s");
        assert_eq!(account(AccountName::Unknown(error)), "uid 4242");
    }

    #[test]
    fn a_login_that_is_not_set_is_none() {
        assert_eq!(parse_login_uid("4294967295"), None);
        assert_eq!(parse_login_uid("1000\n"), Some(1000));
        assert_eq!(parse_login_uid("0"), Some(0));
        assert_eq!(parse_login_uid(""), None);
    }

    /// In a statically linked test (`./test` makes one) this goes through `getent`.
    #[test]
    fn this_process_has_the_account_that_id_prints() {
        let id = |option| {
            let printed = std::process::Command::new("id").arg(option).output().expect("id runs");
            let text = String::from_utf8_lossy(&printed.stdout).trim().to_owned();
            printed.status.success().then_some(text)
        };
        let account = current_account();
        assert_eq!(Some(account.uid.to_string()), id("-u"));
        match (account.name, id("-un")) {
            (AccountName::Known(name), Some(printed)) => assert_eq!(name, printed),
            (AccountName::Missing, None) => {}
            other => panic!("{other:?}"),
        }
    }
}
