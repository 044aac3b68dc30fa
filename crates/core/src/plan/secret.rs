//! Secrets are named in a plan, never written into it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a secret is found at the moment it is needed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Secret {
    /// `env:NAME`: an environment variable of the coordinator.
    Env(String),
    /// `file:PATH`: the content of a file, without its last line break.
    File(String),
    /// `exec:COMMAND ARG…`: what a command prints, without its last line break.
    /// Words are split at white space; there is no shell.
    Exec(String),
}

/// Text that is not a reference to a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a reference to a secret: `env:NAME`, `file:PATH` or `exec:COMMAND`")]
pub struct BadSecret;

impl FromStr for Secret {
    type Err = BadSecret;

    fn from_str(text: &str) -> Result<Self, BadSecret> {
        let (kind, rest) = text.split_once(':').ok_or(BadSecret)?;
        let rest = rest.trim();
        if rest.is_empty() {
            return Err(BadSecret);
        }
        match kind {
            "env" => Ok(Self::Env(rest.to_owned())),
            "file" => Ok(Self::File(rest.to_owned())),
            "exec" => Ok(Self::Exec(rest.to_owned())),
            _ => Err(BadSecret),
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Exec(command) => write!(f, "exec:{command}"),
        }
    }
}

/// A value that is either written out or a reference to a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// Written in the plan.
    Plain(String),
    /// Looked up when needed, masked wherever it would show.
    Secret(Secret),
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        match text.parse() {
            Ok(secret) => Self::Secret(secret),
            Err(BadSecret) => Self::Plain(text),
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => f.write_str(text),
            Self::Secret(secret) => secret.fmt(f),
        }
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Text, or a reference to a secret: env:NAME, file:PATH or exec:COMMAND.",
        })
    }
}
