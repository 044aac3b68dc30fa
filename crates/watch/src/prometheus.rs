//! Prometheus: two questions of its HTTP API, and what their answers mean.
//!
//! An empty answer is no data, and so is a value that is no number. Several series
//! where one value is wanted are an error of whoever wrote the query: taking the
//! first or the last of them would be a guess.

use std::time::Duration;

use backout_exec::terminal::{QUOTED, short};
use jiff::Timestamp;
use serde::Deserialize;

/// A server answers 11,000 values at most at once.
const AT_ONCE: u32 = 10_000;

/// The label that tells two queries in one question apart.
const MARK: &str = "backout_query";

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The server cannot be reached, is too slow, or is not well.
    #[error("{0}")]
    Lost(String),
    /// The server answered, and not with what was asked.
    #[error("{0}")]
    Refused(String),
}

/// A Prometheus server. Connections are kept and used again.
#[derive(Debug, Clone)]
pub struct Prometheus {
    address: String,
    agent: ureq::Agent,
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    error: String,
    data: Option<Data>,
    /// Why the answer may not be what was asked for. What it has to say besides stands in
    /// `infos`, since there are such.
    warnings: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: serde_json::Value,
}

#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    metric: std::collections::BTreeMap<String, String>,
    value: Option<(f64, String)>,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

impl Prometheus {
    /// The server at an address; each question may take so long.
    #[must_use]
    pub fn new(address: &str, timeout: Duration) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections_per_host(16)
            .max_idle_connections(64)
            .user_agent(concat!("backout/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Self { address: address.trim_end_matches('/').to_owned(), agent }
    }

    /// The one value of a query now; `None` if there is none.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn value(&self, query: &str) -> Result<Option<f64>, NoAnswer> {
        let data = self.ask("query", &[("query", query)])?;
        match data.result_type.as_str() {
            "scalar" | "string" => {
                let (_, value): (f64, String) = parsed(data.result)?;
                Ok(number(&value))
            }
            "vector" => {
                let series: Vec<Series> = parsed(data.result)?;
                match series.as_slice() {
                    [] => Ok(None),
                    [one] => Ok(one.value.as_ref().and_then(|(_, value)| number(value))),
                    many => Err(several(many.len(), query)),
                }
            }
            other => Err(NoAnswer::Refused(format!("`{query}` gives a {other} and not a value"))),
        }
    }

    /// The one value of each of two queries, both of the same moment.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn pair(&self, first: &str, second: &str) -> Result<(Option<f64>, Option<f64>), NoAnswer> {
        let marked = |query: &str, which| {
            format!("label_replace(({query}), \"{MARK}\", \"{which}\", \"\", \"\")")
        };
        let both = format!("{} or {}", marked(first, 1), marked(second, 2));
        let data = self.ask("query", &[("query", &both)])?;
        let series: Vec<Series> = parsed(data.result)?;
        let of = |query: &str, which: &str| {
            let marked = |one: &&Series| one.metric.get(MARK).is_some_and(|mark| mark == which);
            let found: Vec<&Series> = series.iter().filter(marked).collect();
            match found.as_slice() {
                [] => Ok(None),
                [one] => Ok(one.value.as_ref().and_then(|(_, value)| number(value))),
                many => Err(several(many.len(), query)),
            }
        };
        Ok((of(first, "1")?, of(second, "2")?))
    }

    /// The values of a query from one moment to another, however many there are.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn values(
        &self,
        query: &str,
        from: Timestamp,
        to: Timestamp,
        step: Duration,
    ) -> Result<Vec<(Timestamp, f64)>, NoAnswer> {
        let mut values = Vec::new();
        let (mut from, step) = (from, step.max(Duration::from_millis(1)));
        while from <= to {
            let last = from.checked_add(step * AT_ONCE).unwrap_or(to).min(to);
            values.extend(self.some(query, from, last, step)?);
            let Ok(next) = last.checked_add(step) else { break };
            from = next;
        }
        Ok(values)
    }

    fn some(
        &self,
        query: &str,
        from: Timestamp,
        to: Timestamp,
        step: Duration,
    ) -> Result<Vec<(Timestamp, f64)>, NoAnswer> {
        let seconds = |at: Timestamp| format!("{:.3}", at.as_millisecond() as f64 / 1000.0);
        let step = format!("{:.3}", step.as_secs_f64());
        let (from, to) = (seconds(from), seconds(to));
        let asked = [("query", query), ("start", &from), ("end", &to), ("step", &step)];
        let data = self.ask("query_range", &asked)?;
        let series: Vec<Series> = parsed(data.result)?;
        match series.as_slice() {
            [] => Ok(Vec::new()),
            [one] => Ok(one
                .values
                .iter()
                .filter_map(|(at, value)| {
                    let at = Timestamp::from_millisecond((at * 1000.0).round() as i64).ok()?;
                    Some((at, number(value)?))
                })
                .collect()),
            many => Err(several(many.len(), query)),
        }
    }

    /// The values of a label among the series of a selector.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn label(&self, selector: &str, label: &str) -> Result<Vec<String>, NoAnswer> {
        let query = format!("count by ({label}) ({selector})");
        let data = self.ask("query", &[("query", &query)])?;
        let series: Vec<Series> = parsed(data.result)?;
        Ok(series.into_iter().filter_map(|mut one| one.metric.remove(label)).collect())
    }

    fn ask(&self, what: &str, parameters: &[(&str, &str)]) -> Result<Data, NoAnswer> {
        let url = format!("{}/api/v1/{what}", self.address);
        let lost = |error: &dyn std::fmt::Display| NoAnswer::Lost(error.to_string());
        let mut request = self.agent.get(&url);
        for (name, value) in parameters {
            request = request.query(name, value);
        }
        let mut answer = request.call().map_err(|error| match error {
            ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
                NoAnswer::Lost("nobody listens there (connection refused)".to_owned())
            }
            ureq::Error::Timeout(_) => NoAnswer::Lost("no answer in time".to_owned()),
            other => lost(&other),
        })?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().read_to_string().map_err(|error| lost(&error))?;
        let Ok(answer) = serde_json::from_str::<Answer>(&body) else {
            // A gateway in between, or no Prometheus at all.
            return Err(NoAnswer::Lost(format!("it answers {status}, and not as Prometheus does")));
        };
        match answer.data {
            Some(data) if answer.status == "success" => {
                doubt(answer.warnings.as_deref()).map_or(Ok(data), Err)
            }
            // 422 and 400: the query; 503: the server.
            _ if status >= 500 => Err(NoAnswer::Lost(format!("{status}: {}", said(&answer.error)))),
            _ => Err(NoAnswer::Refused(said(&answer.error))),
        }
    }
}

/// Why an answer is none: a part of a sum looks like a sum, and fewer failures like none.
fn doubt(warnings: Option<&[String]>) -> Option<NoAnswer> {
    let mut warnings = warnings.unwrap_or_default().iter();
    let warning = warnings.find(|warning| !warning.starts_with("PromQL info:"))?;
    let why = format!("it does not stand by its answer: {}", said(warning));
    Some(match warning.starts_with("PromQL warning:") {
        true => NoAnswer::Refused(why),
        false => NoAnswer::Lost(why),
    })
}

/// What a server says, as far as it is shown.
fn said(text: &str) -> String {
    short(text, 2 * QUOTED)
}

fn parsed<T: for<'de> Deserialize<'de>>(value: serde_json::Value) -> Result<T, NoAnswer> {
    serde_json::from_value(value).map_err(|error| {
        let why = said(&error.to_string());
        NoAnswer::Lost(format!("it does not answer as Prometheus does: {why}"))
    })
}

/// `NaN` is no value.
fn number(text: &str) -> Option<f64> {
    let value = match text {
        "+Inf" | "Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        text => text.parse().ok()?,
    };
    (!value.is_nan()).then_some(value)
}

fn several(count: usize, query: &str) -> NoAnswer {
    NoAnswer::Refused(format!(
        "`{query}` gives {count} series, and one value is needed: put it into `sum(…)` or `max(…)`"
    ))
}
