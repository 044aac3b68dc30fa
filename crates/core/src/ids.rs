//! Names and numbers that must not be mixed up.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest as _, Sha256};

/// What a name in a plan may look like, as a regular expression.
pub const NAME_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$";

/// A name that does not fit [`NAME_PATTERN`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a name: use letters, digits, `-`, `_` and `.`, starting with a letter or digit, at most 64"
)]
pub struct BadName(pub String);

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first_fits = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
    first_fits
        && text.len() <= 64
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// Checks `text` against [`NAME_PATTERN`].
            ///
            /// # Errors
            /// [`BadName`] when it does not fit.
            pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
                let text = text.into();
                if is_name(&text) { Ok(Self(text)) } else { Err(BadName(text)) }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                Self::new(text)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": NAME_PATTERN})
            }
        }
    };
}

name!(
    /// One attempt at a change: `CHG0031337-1`. Also names other logs of the
    /// journal, such as `CHG0031337.baselines`.
    RunId
);
name!(
    /// The random id of a run. Its name may be given away again; this is not.
    RunUid
);
name!(
    /// A step of the way back.
    StepId
);
name!(
    /// A role of the plan, such as `dba`.
    RoleId
);
name!(
    /// A part of the system the change touches.
    ComponentId
);
name!(
    /// A place facts are read from or effects are sent to: a database, a server.
    SourceId
);
name!(
    /// A fact captured before the deployment.
    BaselineId
);
name!(
    /// One of the plan's ways back.
    OptionId
);
name!(
    /// A condition that calls for a decision.
    TriggerId
);
name!(
    /// Something that must hold before the deployment.
    ReadinessId
);
name!(
    /// Something that is said to somebody.
    MessageId
);

impl RunId {
    /// The `number`-th run of a change. Characters of the change id that a
    /// name cannot hold become `-`.
    #[must_use]
    pub fn of_change(change: &str, number: u64) -> Self {
        Self(format!("{}-{number}", Self::stem(change)))
    }

    /// The log that holds the baseline captures of a change.
    #[must_use]
    pub fn of_baselines(change: &str) -> Self {
        Self(format!("{}.baselines", Self::stem(change)))
    }

    /// The run number, if this id has the form of [`RunId::of_change`] for `change`.
    #[must_use]
    pub fn number_for(&self, change: &str) -> Option<u64> {
        self.0.strip_prefix(&Self::stem(change))?.strip_prefix('-')?.parse().ok()
    }

    /// Whether this log holds baseline captures rather than a run.
    #[must_use]
    pub fn is_baselines(&self) -> bool {
        self.0.ends_with(".baselines")
    }

    fn stem(change: &str) -> String {
        let mut stem: String = change
            .chars()
            .take(40)
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
            .collect();
        if !stem.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            stem.insert(0, 'R');
        }
        stem
    }
}

/// Position of a record in its log: 1, 2, 3 … without gaps. 0 means "nothing yet".
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The position after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Term of a coordinator. Each new owner of a run raises it by one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A SHA-256 digest, written `sha256:` and 64 hexadecimal digits, so that
/// `sha256sum` on any machine can check it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest that stands before the first record of a log.
    pub const ZERO: Self = Self([0; 32]);

    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A finished SHA-256 state.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first twelve hexadecimal digits: enough for people to compare.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()["sha256:".len()..][..12].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest: expected `sha256:` and 64 hexadecimal digits")]
pub struct BadDigest(pub String);

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let bad = || BadDigest(text.to_owned());
        let hex = text.strip_prefix("sha256:").ok_or_else(bad)?;
        if hex.len() != 64 || !hex.is_ascii() {
            return Err(bad());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Digest {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Digest".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["a", "restore-db", "v1.9", "A_b", "9lives"] {
            assert!(StepId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a b", "é", "a/b", &"x".repeat(65)] {
            assert!(StepId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn run_ids_count_per_change() {
        let id = RunId::of_change("CHG 31/7", 12);
        assert_eq!(id.as_str(), "CHG-31-7-12");
        assert_eq!(id.number_for("CHG 31/7"), Some(12));
        assert_eq!(id.number_for("CHG 31"), None);
        assert!(RunId::new(RunId::of_change("§", 1).as_str()).is_ok());
    }

    #[test]
    fn digests_round_trip() {
        let digest = Digest::of(b"abc");
        assert_eq!(
            digest.to_string(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("sha256:zz".parse::<Digest>().is_err());
        assert!(format!("sha256:{}", "é".repeat(32)).parse::<Digest>().is_err());
    }
}
