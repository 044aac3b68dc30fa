//! What a step does.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, Many, Text};
use crate::duration::Span;
use crate::ids::SourceId;

/// What a step does. Exactly one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A person does it, following this instruction.
    Manual(String),
    /// A command.
    Run(Run),
    /// A request to a web server.
    Http(Http),
    /// A statement for a database.
    Sql(Sql),
    /// Make a folder equal to a backup.
    RestoreTree(RestoreTree),
    /// Put one file in place.
    Copy(Copy),
    /// Do nothing until the step's verifications hold.
    Wait(Wait),
    /// Another system does it, named here, and reports when it is done.
    External(String),
}

impl Action {
    /// The key of this kind in a plan file.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Manual(_) => "manual",
            Self::Run(_) => "run",
            Self::Http(_) => "http",
            Self::Sql(_) => "sql",
            Self::RestoreTree(_) => "restore_tree",
            Self::Copy(_) => "copy",
            Self::Wait(_) => "wait",
            Self::External(_) => "external",
        }
    }

    /// What may be done after a crash, if the step does not say.
    #[must_use]
    pub fn default_effect(&self) -> Effect {
        match self {
            // A coordinator's crash does not touch a person or another system at work.
            Self::Manual(_) | Self::Wait(_) | Self::External(_) => Effect::Read,
            // Both compare before they write and replace whole files.
            Self::RestoreTree(_) | Self::Copy(_) => Effect::Idempotent,
            Self::Http(http) if http.method.only_reads() => Effect::Read,
            Self::Run(_) | Self::Http(_) | Self::Sql(_) => Effect::Opaque,
        }
    }

    /// When the action is stopped if it is not done by then; `None` for what nobody stops.
    #[must_use]
    pub fn timeout(&self) -> Option<Span> {
        match self {
            Self::Run(run) => Some(run.timeout.unwrap_or(Span::minutes(60))),
            Self::Http(http) => Some(http.timeout.unwrap_or(Span::seconds(30))),
            Self::Sql(sql) => Some(sql.timeout.unwrap_or(Span::minutes(5))),
            Self::Wait(wait) => Some(wait.up_to),
            Self::Manual(_) | Self::External(_) | Self::RestoreTree(_) | Self::Copy(_) => None,
        }
    }

    /// Whether a person carries it out.
    #[must_use]
    pub fn is_manual(&self) -> bool {
        matches!(self, Self::Manual(_))
    }

    /// Whether nothing of ours carries it out: a person or another system does, and
    /// says so when it is done.
    #[must_use]
    pub fn is_reported(&self) -> bool {
        matches!(self, Self::Manual(_) | Self::External(_))
    }

    /// Whether an executor carries it out, and notes in its ledger that it does.
    #[must_use]
    pub fn is_dispatched(&self) -> bool {
        !self.is_reported() && !matches!(self, Self::Wait(_))
    }
}

/// A command. Give `argv`, or `shell` where a shell is really wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "WrittenRun", into = "WrittenRun")]
pub struct Run {
    /// The program and its arguments. Empty when `shell` is given.
    pub argv: Vec<String>,
    /// A command line for `/bin/sh -c`.
    pub shell: Option<String>,
    /// Where it runs. Default: the folder of the plan file.
    pub cwd: Option<String>,
    /// Variables added to its environment.
    pub env: IndexMap<String, Text>,
    /// What it reads.
    pub stdin: Option<Stdin>,
    /// Exit codes that mean success. Default: 0.
    pub exit: Many<i32>,
    /// After this it is stopped, with everything it started. Default: 1 h for a
    /// step, 10 s for a verification.
    pub timeout: Option<Span>,
}

impl Run {
    /// Whether this exit code means success.
    #[must_use]
    pub fn accepts(&self, code: i32) -> bool {
        if self.exit.is_empty() { code == 0 } else { self.exit.iter().any(|ok| *ok == code) }
    }

    /// The command as a person would type it, secrets by reference only.
    #[must_use]
    pub fn command_line(&self) -> String {
        if let Some(shell) = &self.shell {
            return shell.trim_end().to_owned();
        }
        let words: Vec<String> = self.argv.iter().map(|word| quoted(word)).collect();
        words.join(" ")
    }
}

/// Quotes a word for a POSIX shell if it needs it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Run")]
struct WrittenRun {
    /// The program and its arguments, one list entry each; there is no shell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    argv: Vec<String>,
    /// A command line for `/bin/sh -c`, where a shell is really wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shell: Option<String>,
    /// Where it runs. Default: the folder of the plan file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cwd: Option<String>,
    /// Variables added to its environment; values may be references to secrets.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    env: IndexMap<String, Text>,
    /// What it reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stdin: Option<Stdin>,
    /// Exit codes that mean success. Default: 0.
    #[serde(default, skip_serializing_if = "Many::is_empty")]
    exit: Many<i32>,
    /// After this it is stopped, with everything it started. Default: 1 h for a
    /// step, 10 s for a verification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout: Option<Span>,
}

/// A command must be one thing.
#[derive(Debug, thiserror::Error)]
enum BadRun {
    #[error("a command needs `argv: [program, argument, …]` or `shell: …`")]
    Neither,
    #[error("a command has `argv` or `shell`, not both")]
    Both,
    #[error("the program in `argv` is empty")]
    NoProgram,
}

impl TryFrom<WrittenRun> for Run {
    type Error = BadRun;

    fn try_from(written: WrittenRun) -> Result<Self, BadRun> {
        let WrittenRun { argv, shell, cwd, env, stdin, exit, timeout } = written;
        match (argv.first(), &shell) {
            (None, None) => Err(BadRun::Neither),
            (Some(_), Some(_)) => Err(BadRun::Both),
            (Some(program), None) if program.is_empty() => Err(BadRun::NoProgram),
            _ => Ok(Self { argv, shell, cwd, env, stdin, exit, timeout }),
        }
    }
}

impl From<Run> for WrittenRun {
    fn from(Run { argv, shell, cwd, env, stdin, exit, timeout }: Run) -> Self {
        Self { argv, shell, cwd, env, stdin, exit, timeout }
    }
}

/// What a command reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stdin {
    /// This text, or the value of a secret.
    Text(Text),
    /// The content of a file.
    File(String),
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Read.
    #[default]
    Get,
    /// Read headers only.
    Head,
    /// Do something.
    Post,
    /// Put something in place.
    Put,
    /// Change a part.
    Patch,
    /// Remove.
    Delete,
}

impl Method {
    /// Whether it only reads, by RFC 9110 section 9.2.1.
    #[must_use]
    pub fn only_reads(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }

    pub(super) fn is_get(&self) -> bool {
        *self == Self::Get
    }

    /// As it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request to a web server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// A full URL, or a path on `source`.
    pub url: String,
    /// One of the plan's sources; its address stands before `url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceId>,
    /// What to do.
    pub method: Method,
    /// Request headers; values may be references to secrets.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, Text>,
    /// A header that carries this attempt's key, for servers that recognise a
    /// repeated request by it. Use with `effect: keyed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_header: Option<String>,
    /// The request's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Text>,
    /// Accepted status codes. Default: 200 to 299.
    #[serde(default, skip_serializing_if = "Many::is_empty")]
    pub expect: Many<u16>,
    /// A CEL condition over `status`, `headers`, `text` and `json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assert: Option<String>,
    /// How long it may take. Default 30 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

/// A statement for a database, run in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sql {
    /// One of the plan's sources.
    pub source: SourceId,
    /// One statement or several, ended by `;`.
    pub execute: String,
    /// How long it may take. Default 5 min.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

/// Make a folder equal to a backup: contents, modes, links, and nothing else in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreTree {
    /// The backup.
    pub from: String,
    /// The folder to restore.
    pub to: String,
    /// Keep files that the backup does not have. Default: remove them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_extra: bool,
}

/// Put one file in place of another, whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    /// The file to copy.
    pub from: String,
    /// Where to.
    pub to: String,
}

/// Do nothing until the step's verifications hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// How long at most.
    pub up_to: Span,
}
