//! What people promise each other: limits, readiness, messages, what is done
//! afterwards, and what is still unread.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::duration::Span;
use crate::ids::RoleId;

/// How a measured value stands to its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
    /// `!=`
    Differs,
}

impl Comparison {
    const ALL: [(&str, Self); 6] = [
        (">=", Self::AtLeast),
        ("<=", Self::AtMost),
        ("!=", Self::Differs),
        (">", Self::Above),
        ("<", Self::Below),
        ("=", Self::Equal),
    ];

    /// `>`, `>=`, `<`, `<=`, `=`, `!=`.
    #[must_use]
    pub fn sign(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(sign, _)| sign)
    }
}

/// A comparison, a decimal number and a unit: `> 5%`. The number is kept as it
/// was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// How the value stands to it when it counts.
    pub comparison: Comparison,
    /// A decimal number.
    pub value: String,
    /// `%`, `s`, `ms`, `/s`, or any other word; empty for a bare number.
    pub unit: String,
}

impl Limit {
    /// Whether it is a length of time.
    #[must_use]
    pub fn in_time(&self) -> bool {
        seconds_in(&self.unit).is_some()
    }

    /// The figure a measured value is compared with. A length of time counts in seconds,
    /// whatever it is written in, because that is what Prometheus and a page are measured
    /// in; any other unit is a label. Nothing where it is no figure.
    #[must_use]
    pub fn figure(&self) -> Option<f64> {
        let number = self.value.parse::<f64>().ok().filter(|number| number.is_finite())?;
        Some(match seconds_in(&self.unit) {
            // Divided, not multiplied by a thousandth, which no float is.
            Some((seconds, parts)) => number * seconds / parts,
            None => number,
        })
    }
}

/// How many seconds a unit is, over how many parts.
fn seconds_in(unit: &str) -> Option<(f64, f64)> {
    match unit {
        "ms" => Some((1.0, 1000.0)),
        "s" => Some((1.0, 1.0)),
        "m" => Some((60.0, 1.0)),
        "h" => Some((3600.0, 1.0)),
        "d" => Some((86_400.0, 1.0)),
        _ => None,
    }
}

/// Text that is not a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a limit: write a comparison, a number and a unit, such as `> 5%` or `>= 10s`"
)]
pub struct BadLimit(pub String);

impl FromStr for Limit {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Self, BadLimit> {
        let bad = || BadLimit(text.to_owned());
        let trimmed = text.trim();
        let (sign, comparison) = Comparison::ALL
            .iter()
            .find(|(sign, _)| trimmed.starts_with(sign))
            .copied()
            .ok_or_else(bad)?;
        let rest = trimmed[sign.len()..].trim_start();
        let end = rest
            .char_indices()
            .find(|(index, c)| !(c.is_ascii_digit() || *c == '.' || (*index == 0 && *c == '-')))
            .map_or(rest.len(), |(index, _)| index);
        let (value, unit) = (&rest[..end], rest[end..].trim());
        let digits = value.trim_start_matches('-');
        let decimal = digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.ends_with(|c: char| c.is_ascii_digit())
            && digits.matches('.').count() <= 1;
        let fits = unit.chars().count() <= 40
            && !unit.contains(|c: char| c.is_control() || c.is_ascii_digit() || "<>=!".contains(c));
        if !decimal || !fits {
            return Err(bad());
        }
        Ok(Self { comparison, value: value.to_owned(), unit: unit.to_owned() })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gap = if self.unit.chars().count() > 2 { " " } else { "" };
        write!(f, "{} {}{gap}{}", self.comparison.sign(), self.value, self.unit)
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Limit {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A comparison, a number and a unit: > 5%, >= 10s, < 99.5%.",
            "pattern": "^\\s*(>=|<=|!=|>|<|=)\\s*-?[0-9]",
        })
    }
}

/// Something that must hold before the deployment begins, attested by a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Readiness {
    /// What a person attests: `Every role has read this version of the plan`.
    pub attest: String,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<RoleId>,
}

/// Something that is said to somebody. A person sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Who hears it: `Users`.
    pub audience: String,
    /// What it says.
    pub text: String,
    /// How it goes out: `E-mail`, `Status page`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Who sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<RoleId>,
    /// At which moment it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Moment>,
    /// How soon after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
}

/// A moment of a run at which something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before the deployment begins.
    Planned,
    /// The backout is invoked.
    Invoked,
    /// The backout is done.
    Done,
    /// The backout failed.
    Failed,
}

/// Something that is done after the way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FollowUp {
    /// What is done: `Write down what happened`.
    pub what: String,
    /// Who does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<RoleId>,
    /// How soon after the backout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
}

/// What an imported document said that has no place in the plan yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Where it stood: `line 45`, under which heading.
    pub from: String,
    /// What it said.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_written_back() {
        for (text, written) in [
            ("> 5%", "> 5%"),
            (">=90 %", ">= 90%"),
            ("< 99.95%", "< 99.95%"),
            (">10 seconds", "> 10 seconds"),
            ("= 0", "= 0"),
            ("!= -1", "!= -1"),
            ("> 250ms", "> 250ms"),
            ("> 3 errors per minute", "> 3 errors per minute"),
        ] {
            let limit: Limit = text.parse().expect(text);
            assert_eq!(limit.to_string(), written);
            assert_eq!(written.parse(), Ok(limit));
        }
        for text in ["", "5%", ">", "> %", "> 1.2.3", "> .5", "> 5.", "about 5", "> 5 > 6", "> -"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }
}
