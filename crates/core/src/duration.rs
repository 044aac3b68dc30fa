//! Durations the way people write them: `90s`, `15m`, `1h30m`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time, whole milliseconds, at most 366 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(Duration);

/// Text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDuration {
    /// No unit, an unknown unit, or not a number.
    #[error("`{0}` is not a duration: write it like `90s`, `15m`, `1h30m` or `2d`")]
    Shape(String),
    /// Units must go from large to small, each at most once.
    #[error("`{0}` is not a duration: units go from large to small, each once, as in `1h30m`")]
    Order(String),
    /// More than a year is a mistake.
    #[error("`{0}` is longer than a year")]
    TooLong(String),
}

const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const LONGEST_MS: u64 = 366 * 86_400_000;

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// A number of seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// A number of minutes.
    #[must_use]
    pub const fn minutes(minutes: u64) -> Self {
        Self(Duration::from_secs(minutes * 60))
    }

    /// As a standard duration.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }

    /// As a signed duration for calendar arithmetic.
    #[must_use]
    pub fn signed(self) -> jiff::SignedDuration {
        jiff::SignedDuration::try_from(self.0).unwrap_or(jiff::SignedDuration::MAX)
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl FromStr for Span {
    type Err = BadDuration;

    fn from_str(text: &str) -> Result<Self, BadDuration> {
        let shape = || BadDuration::Shape(text.to_owned());
        let mut rest = text.trim();
        let mut total: u64 = 0;
        let mut next_unit = 0;
        if rest.is_empty() {
            return Err(shape());
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
            let number: u64 = rest[..digits].parse().map_err(|_| shape())?;
            let unit = &rest[digits..digits + letters];
            let unit = UNITS.iter().position(|(name, _)| *name == unit).ok_or_else(shape)?;
            if unit < next_unit {
                return Err(BadDuration::Order(text.to_owned()));
            }
            next_unit = unit + 1;
            let part = number
                .checked_mul(UNITS[unit].1)
                .and_then(|part| total.checked_add(part))
                .filter(|total| *total <= LONGEST_MS);
            total = part.ok_or_else(|| BadDuration::TooLong(text.to_owned()))?;
            rest = rest[digits + letters..].trim_start();
        }
        Ok(Self(Duration::from_millis(total)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if left == 0 {
            return f.pad("0s");
        }
        let mut text = String::new();
        for (unit, size) in UNITS {
            if left >= size {
                text.push_str(&format!("{}{unit}", left / size));
                left %= size;
            }
        }
        f.pad(&text)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Span;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as `90s`, `15m` or `1h30m`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A duration such as 90s, 15m, 1h30m or 2d.",
            "pattern": "^\\s*([0-9]+d)?\\s*([0-9]+h)?\\s*([0-9]+m)?\\s*([0-9]+s)?\\s*([0-9]+ms)?\\s*$",
            "minLength": 2,
        })
    }
}

/// How long a step takes: one figure, or three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estimate {
    /// One figure, spread unknown.
    Point(Span),
    /// Optimistic, most likely and pessimistic, in this order.
    Range {
        /// If all goes well.
        low: Span,
        /// Most of the time.
        likely: Span,
        /// On a bad night.
        high: Span,
    },
}

impl Estimate {
    /// The single figure that stands for the estimate.
    #[must_use]
    pub fn likely(self) -> Span {
        match self {
            Self::Point(span) | Self::Range { likely: span, .. } => span,
        }
    }

    /// The figure to plan the window with: the worst one stated.
    #[must_use]
    pub fn high(self) -> Span {
        match self {
            Self::Point(span) | Self::Range { high: span, .. } => span,
        }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Point(span) => span.fmt(f),
            Self::Range { low, likely, high } => write!(f, "{likely} ({low} to {high})"),
        }
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Three {
    /// If all goes well.
    low: Span,
    /// Most of the time.
    likely: Span,
    /// On a bad night.
    high: Span,
}

impl Serialize for Estimate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Point(span) => span.serialize(serializer),
            Self::Range { low, likely, high } => Three { low, likely, high }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Estimate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Estimate;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as `15m`, or `{low: 10m, likely: 15m, high: 30m}`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Estimate, E> {
                text.parse().map(Estimate::Point).map_err(E::custom)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Estimate, A::Error> {
                let Three { low, likely, high } =
                    Three::deserialize(MapAccessDeserializer::new(map))?;
                if low <= likely && likely <= high {
                    Ok(Estimate::Range { low, likely, high })
                } else {
                    Err(de::Error::custom(format!(
                        "an estimate must rise: low {low}, likely {likely}, high {high}"
                    )))
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Estimate {
    fn schema_name() -> Cow<'static, str> {
        "Estimate".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How long it takes: one duration, or {low, likely, high}.",
            "anyOf": [Span::json_schema(generator), Three::json_schema(generator)],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in
            [("90s", 90), ("15m", 900), ("1h30m", 5400), ("2d", 172_800), ("1h 5m", 3900)]
        {
            assert_eq!(text.parse(), Ok(Span::seconds(seconds)), "{text}");
        }
        assert_eq!("250ms".parse(), Ok(Span(Duration::from_millis(250))));
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "15",
            "m",
            "15 minutes",
            "-5m",
            "1.5h",
            "30m1h",
            "5m5m",
            "400d",
            "99999999999999999999s",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn prints_what_it_reads() {
        for text in ["0s", "250ms", "90s", "1m30s", "1d2h3m4s5ms"] {
            let span: Span = text.parse().expect("valid");
            assert_eq!(span.to_string().parse(), Ok(span));
        }
        assert_eq!(Span::seconds(90).to_string(), "1m30s");
    }

    #[test]
    fn an_estimate_must_rise() {
        let bad = serde_json::from_str::<Estimate>(r#"{"low":"5m","likely":"4m","high":"9m"}"#);
        assert!(bad.unwrap_err().to_string().contains("must rise"));
    }
}
