//! How we know a step worked, independently of the step itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Many, Method, Run, Text};
use crate::duration::Span;
use crate::ids::{BaselineId, Digest, SourceId};

/// A check that is repeated until it holds or its time is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written", into = "Written")]
pub struct Verification {
    /// What must hold.
    pub check: Check,
    /// How long it may take to become true. Default 30 s.
    pub within: Option<Span>,
    /// How often to look. Default every second.
    pub every: Option<Span>,
}

/// What must hold. Exactly one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// A person says so, in answer to this sentence.
    Confirm(String),
    /// A command exits as expected.
    Run(Run),
    /// A web server answers as expected.
    Http(HttpProbe),
    /// A query returns what is expected.
    Sql(SqlProbe),
    /// A port is open, or closed.
    Tcp(Port),
    /// A file is as expected.
    File(FileState),
    /// A folder is as expected.
    Tree(TreeState),
    /// A fact is what it was before the deployment.
    SameAsBaseline(BaselineId),
}

impl Check {
    /// The key of this kind in a plan file.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Confirm(_) => "confirm",
            Self::Run(_) => "run",
            Self::Http(_) => "http",
            Self::Sql(_) => "sql",
            Self::Tcp(_) => "tcp",
            Self::File(_) => "file",
            Self::Tree(_) => "tree",
            Self::SameAsBaseline(_) => "same_as_baseline",
        }
    }

    /// What is checked, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Confirm(sentence) => format!("confirmed: {sentence}"),
            Self::Run(run) => run.command_line(),
            Self::Http(http) => {
                let source =
                    http.source.as_ref().map(|source| format!("{source}:")).unwrap_or_default();
                let codes: Vec<String> = http.expect.iter().map(ToString::to_string).collect();
                let expect = if codes.is_empty() {
                    String::new()
                } else {
                    format!(" answers {}", codes.join(" or "))
                };
                let assert =
                    http.assert.as_ref().map(|assert| format!(", {assert}")).unwrap_or_default();
                let assert = format!("{expect}{assert}");
                format!("{} {source}{}{assert}", http.method.as_str(), http.url)
            }
            Self::Sql(sql) => format!("{} = {}", sql.query.trim(), sql.equals.0),
            Self::Tcp(port) => {
                format!("{} is {}", port.address, if port.open { "open" } else { "closed" })
            }
            Self::File(file) if !file.exists => format!("{} does not exist", file.path),
            Self::File(file) => match &file.contains {
                Some(text) => format!("{} contains {text}", file.path),
                None => file.path.clone(),
            },
            Self::Tree(tree) => match &tree.same_as {
                Some(other) => format!("{} equals {other}", tree.path),
                None => tree.path.clone(),
            },
            Self::SameAsBaseline(name) => format!("{name} as before"),
        }
    }

    /// Whether only a person can answer it.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        matches!(self, Self::Confirm(_))
    }
}

/// A question to a web server and the answer that is expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpProbe {
    /// A full URL, or a path on `source`.
    pub url: String,
    /// One of the plan's sources; its address stands before `url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceId>,
    /// GET unless said otherwise.
    #[serde(default, skip_serializing_if = "Method::is_get")]
    pub method: Method,
    /// Request headers.
    #[serde(default, skip_serializing_if = "indexmap::IndexMap::is_empty")]
    pub headers: indexmap::IndexMap<String, Text>,
    /// Accepted status codes. Default: 200 to 299.
    #[serde(default, skip_serializing_if = "Many::is_empty")]
    pub expect: Many<u16>,
    /// A CEL condition over `status`, `headers`, `text` and `json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assert: Option<String>,
    /// How long one attempt may take. Default 10 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

/// A question to a database and the answer that is expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlProbe {
    /// One of the plan's sources.
    pub source: SourceId,
    /// A query that only reads; its first column of its first row counts.
    pub query: String,
    /// What that value must be, compared as text.
    pub equals: Scalar,
}

/// A port of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// `host:port`.
    pub address: String,
    /// Whether something must listen there. Default: it must.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub open: bool,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_yes(flag: &bool) -> bool {
    *flag
}

/// What a file must look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileState {
    /// The file.
    pub path: String,
    /// Whether it must exist. Default: it must.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub exists: bool,
    /// The digest of its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Text that must stand in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
}

/// What a folder must look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TreeState {
    /// The folder.
    pub path: String,
    /// The digest over its names, contents and modes, as `backout baseline` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Another folder it must be equal to, such as a backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
}

/// A number, a truth value or text; always compared as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar(pub String);

impl Serialize for Scalar {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsText;
        impl serde::de::Visitor<'_> for AsText {
            type Value = Scalar;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number or text")
            }
            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.to_owned()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Scalar, E> {
                Ok(Scalar(flag.to_string()))
            }
        }
        // As text, so that `007` stays 007 and `1.10` stays 1.10.
        deserializer.deserialize_str(AsText)
    }
}

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["string", "number", "boolean"]})
    }
}

/// How a verification is written: the kind as a key, and beside it how long to wait.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Verification")]
struct Written {
    /// A person says so, in answer to this sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirm: Option<String>,
    /// A command exits as expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<Run>,
    /// A web server answers as expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http: Option<HttpProbe>,
    /// A query returns what is expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sql: Option<SqlProbe>,
    /// A port is open, or closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tcp: Option<Port>,
    /// A file is as expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<FileState>,
    /// A folder is as expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tree: Option<TreeState>,
    /// A fact is what it was before the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    same_as_baseline: Option<BaselineId>,
    /// How long it may take to become true. Default 30 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    within: Option<Span>,
    /// How often to look. Default every second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every: Option<Span>,
}

/// A verification must be of one kind.
#[derive(Debug, thiserror::Error)]
enum BadVerification {
    #[error(
        "a verification needs one of `confirm`, `run`, `http`, `sql`, `tcp`, `file`, `tree`, `same_as_baseline`"
    )]
    None,
    #[error(
        "a verification has one kind, this one has `{0}` and `{1}`: make them two list entries"
    )]
    Several(&'static str, &'static str),
}

impl TryFrom<Written> for Verification {
    type Error = BadVerification;

    fn try_from(written: Written) -> Result<Self, BadVerification> {
        let Written { confirm, run, http, sql, tcp, file, tree, same_as_baseline, within, every } =
            written;
        let mut found = [
            confirm.map(Check::Confirm),
            run.map(Check::Run),
            http.map(Check::Http),
            sql.map(Check::Sql),
            tcp.map(Check::Tcp),
            file.map(Check::File),
            tree.map(Check::Tree),
            same_as_baseline.map(Check::SameAsBaseline),
        ]
        .into_iter()
        .flatten();
        let check = found.next().ok_or(BadVerification::None)?;
        match found.next() {
            None => Ok(Self { check, within, every }),
            Some(second) => Err(BadVerification::Several(check.kind(), second.kind())),
        }
    }
}

impl From<Verification> for Written {
    fn from(Verification { check, within, every }: Verification) -> Self {
        let rest = Self { within, every, ..Self::default() };
        match check {
            Check::Confirm(it) => Self { confirm: Some(it), ..rest },
            Check::Run(it) => Self { run: Some(it), ..rest },
            Check::Http(it) => Self { http: Some(it), ..rest },
            Check::Sql(it) => Self { sql: Some(it), ..rest },
            Check::Tcp(it) => Self { tcp: Some(it), ..rest },
            Check::File(it) => Self { file: Some(it), ..rest },
            Check::Tree(it) => Self { tree: Some(it), ..rest },
            Check::SameAsBaseline(it) => Self { same_as_baseline: Some(it), ..rest },
        }
    }
}
