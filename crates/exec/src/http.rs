//! Requests to web servers, and conditions on their answers.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use cel::{Context, Program, Value};

use backout_core::ids::SourceId;
use backout_core::plan::{Method, Source, Text};

use crate::secrets::Secrets;
use crate::terminal::{QUOTED, short};

/// The largest answer that is read.
const LARGEST: u64 = 4 * 1024 * 1024;

/// A request.
pub struct Request<'a> {
    /// A full URL, or a path on `source`.
    pub url: &'a str,
    /// One of the plan's sources.
    pub source: Option<&'a SourceId>,
    /// What to do.
    pub method: Method,
    /// Headers.
    pub headers: Vec<(&'a str, &'a Text)>,
    /// A header that carries a key.
    pub key: Option<(&'a str, &'a str)>,
    /// The body.
    pub body: Option<&'a Text>,
    /// How long it may take.
    pub timeout: Duration,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body, as far as it is text.
    pub text: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It cannot be sent as it is written: a secret that is not there, an address that is
    /// none.
    #[error("{0}")]
    Wrong(String),
    /// The request was never sent.
    #[error("{0}")]
    NotSent(String),
    /// Nobody listens there.
    #[error("{0}")]
    NobodyThere(String),
    /// It may have been received.
    #[error("{0}")]
    Unknown(String),
}

/// Sends a request and reads the answer.
///
/// # Errors
/// [`NoAnswer`], without any secret in it.
pub fn send(
    request: &Request<'_>,
    sources: &BTreeMap<SourceId, Source>,
    folder: &str,
    secrets: &mut Secrets,
) -> Result<Answer, NoAnswer> {
    let wrong = |error: &dyn std::fmt::Display| NoAnswer::Wrong(error.to_string());
    let mut url = request.url.to_owned();
    if let Some(source) = request.source {
        let Some(Source::Http(base)) = sources.get(source) else {
            return Err(NoAnswer::Wrong(format!("there is no web server `{source}` in the plan")));
        };
        let base = secrets.resolve(base, folder).map_err(|error| wrong(&error))?;
        url = format!("{}{url}", base.trim_end_matches('/'));
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(request.timeout))
        .http_status_as_error(false)
        // An answer that points elsewhere is an answer; following it would hide it.
        .max_redirects(0)
        .user_agent(concat!("backout/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut built = ureq::http::Request::builder().method(request.method.as_str()).uri(&url);
    for (name, value) in &request.headers {
        let value = secrets.resolve(value, folder).map_err(|error| wrong(&error))?;
        built = built.header(*name, value);
    }
    if let Some((name, key)) = request.key {
        built = built.header(name, key);
    }
    let body = match request.body {
        Some(body) => secrets.resolve(body, folder).map_err(|error| wrong(&error))?,
        None => String::new(),
    };
    let masked = |error: &dyn std::fmt::Display| secrets.mask(&error.to_string());
    let built = built.body(body).map_err(|error| NoAnswer::Wrong(masked(&error)))?;
    let answer = agent.run(built).map_err(|error| classify(&error, masked(&error)))?;
    let status = answer.status().as_u16();
    let headers = answer
        .headers()
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let mut bytes = Vec::new();
    let read = answer.into_body().into_reader().take(LARGEST).read_to_end(&mut bytes);
    read.map_err(|error| NoAnswer::Unknown(masked(&error)))?;
    Ok(Answer { status, headers, text: secrets.mask(&String::from_utf8_lossy(&bytes)) })
}

fn classify(error: &ureq::Error, said: String) -> NoAnswer {
    match error {
        ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
            NoAnswer::NobodyThere("nobody listens there (connection refused)".to_owned())
        }
        ureq::Error::Io(io) if io.to_string().contains("lookup") => NoAnswer::NotSent(said),
        ureq::Error::BadUri(_) => NoAnswer::Wrong(said),
        ureq::Error::HostNotFound
        | ureq::Error::Http(_)
        | ureq::Error::Tls(_)
        | ureq::Error::Rustls(_)
        | ureq::Error::ConnectionFailed
        | ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            NoAnswer::NotSent(said)
        }
        _ => NoAnswer::Unknown(said),
    }
}

/// Whether a status is accepted: by the list, or 200 to 299.
#[must_use]
pub fn expected(status: u16, expect: &backout_core::plan::Many<u16>) -> bool {
    match expect.is_empty() {
        true => (200..300).contains(&status),
        false => expect.iter().any(|wanted| *wanted == status),
    }
}

/// Whether a condition holds on an answer. It sees `status`, `headers`, `text`
/// and `json` (null when the body is none).
///
/// # Errors
/// Why it cannot be told: a condition about something that is not there is
/// neither true nor false.
pub fn holds(condition: &str, answer: &Answer) -> Result<bool, String> {
    match evaluated(condition, answer, None)? {
        Value::Bool(holds) => Ok(holds),
        other => Err(format!("the condition is {}, neither true nor false", quoted(&other))),
    }
}

/// The figure an expression gives on an answer that took so many seconds. It sees
/// `seconds` too.
///
/// # Errors
/// Why there is none.
pub fn figure(expression: &str, answer: &Answer, seconds: f64) -> Result<f64, String> {
    match evaluated(expression, answer, Some(seconds))? {
        Value::Int(value) => Ok(value as f64),
        Value::UInt(value) => Ok(value as f64),
        Value::Float(value) => Ok(value),
        other => Err(format!("`{expression}` is {} and not a figure", quoted(&other))),
    }
}

/// A value of an answer, as far as it is shown.
fn quoted(value: &Value) -> String {
    short(&format!("{value:?}"), QUOTED)
}

/// Whether an expression looks at a variable.
#[must_use]
pub fn sees(expression: &str, variable: &str) -> bool {
    Program::compile(expression).is_ok_and(|program| program.references().has_variable(variable))
}

fn evaluated(expression: &str, answer: &Answer, seconds: Option<f64>) -> Result<Value, String> {
    let program = Program::compile(expression).map_err(|error| error.to_string())?;
    let mut context = Context::default();
    let json: serde_json::Value =
        serde_json::from_str(&answer.text).unwrap_or(serde_json::Value::Null);
    let bad = |error: &dyn std::fmt::Display| {
        format!("the answer cannot be used in a condition: {error}")
    };
    context.add_variable("status", i64::from(answer.status)).map_err(|error| bad(&error))?;
    context.add_variable("headers", answer.headers.clone()).map_err(|error| bad(&error))?;
    context.add_variable("text", answer.text.clone()).map_err(|error| bad(&error))?;
    context.add_variable("json", json).map_err(|error| bad(&error))?;
    if let Some(seconds) = seconds {
        context.add_variable("seconds", seconds).map_err(|error| bad(&error))?;
    }
    // Many errors carry the value they are about, which may be all of the answer.
    program.execute(&context).map_err(|error| short(&error.to_string(), QUOTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Answer {
        let headers = [("content-type".to_owned(), "application/json".to_owned())].into();
        Answer { status: 200, headers, text: text.to_owned() }
    }

    #[test]
    fn conditions_see_the_answer() {
        let answer = answer(r#"{"version": "v1.9", "checks": [{"up": true}, {"up": true}]}"#);
        for condition in [
            "status == 200",
            "json.version == \"v1.9\"",
            "json.checks.all(c, c.up)",
            "headers[\"content-type\"].startsWith(\"application/\")",
            "text.contains(\"v1.9\")",
        ] {
            assert_eq!(holds(condition, &answer), Ok(true), "{condition}");
        }
        assert_eq!(holds("json.version == \"v2.0\"", &answer), Ok(false));
    }

    #[test]
    fn what_an_expression_looks_at() {
        assert!(sees("status == 200 ? 0 : 1", "status"));
        for expression in ["seconds", "json.status", "size(text)", "json[\"status\"]", "status ("] {
            assert!(!sees(expression, "status"), "{expression}");
        }
    }

    #[test]
    fn an_answer_is_not_repeated_in_what_is_said_of_it() {
        let answer = answer(&"customer ".repeat(100_000));
        let figure = |expression| figure(expression, &answer, 0.1);
        for said in [figure("text"), figure("text + 1"), figure("{text: 1}[seconds]")] {
            let said = said.expect_err("no figure");
            assert!(said.chars().count() < 150, "{} characters", said.len());
        }
        assert!(holds("text", &answer).is_err_and(|said| said.len() < 150));
    }

    #[test]
    fn what_is_not_there_is_neither_true_nor_false() {
        assert!(holds("json.missing == 1", &answer("{}")).is_err());
        assert!(holds("json.version == \"x\"", &answer("not json")).is_err());
        assert!(holds("status", &answer("{}")).is_err());
    }
}
