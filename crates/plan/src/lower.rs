//! The tree as a source of plan values, through serde, without losing places.
//!
//! The types of the plan say what they accept; this says where it went wrong.
//! An error takes the place of the innermost node that was being read.

use std::fmt;
use std::ops::Range;

use serde::de::{
    self, DeserializeSeed, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::{Deserializer, forward_to_deserialize_any};

use crate::diagnostic::{Diagnostic, codes};
use crate::yaml::{Kind, Node};

/// Why a node is not the value it should be.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) diagnostic: Box<Diagnostic>,
}

impl Error {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { diagnostic: Box::new(Diagnostic::error(code, message)) }
    }

    fn at(mut self, span: &Range<usize>) -> Self {
        self.diagnostic.span.get_or_insert_with(|| span.clone());
        self
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.diagnostic.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Error {}

/// The nearest of the words people might have meant.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    known: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    // Nobody misspells a word of a hundred letters, and comparing it takes long.
    if word.len() > 64 {
        return None;
    }
    let near = |other: &&str| {
        let distance = strsim::damerau_levenshtein(&word.to_lowercase(), &other.to_lowercase());
        distance <= 1 + other.len() / 4
    };
    known.filter(near).min_by_key(|other| strsim::damerau_levenshtein(word, other))
}

fn one_of(known: &[&str]) -> String {
    let words: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

fn suggest(word: &str, known: &[&str]) -> String {
    match did_you_mean(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "nothing can stand here".to_owned(),
        None => format!("known here: {}", one_of(known)),
    }
}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(codes::WRONG_VALUE, message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let wanted = wanted(&expected.to_string());
        Self::new(codes::WRONG_VALUE, format!("expected {wanted}, found {}", shown(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(codes::UNKNOWN_KEY, format!("unknown key `{field}`"))
            .hint(suggest(field, expected))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        if let Some(now) = renamed(variant, expected) {
            let message = format!("`{variant}` is called `{now}` now");
            return Self::new(codes::WRONG_VALUE, message).hint(format!("write `{now}`"));
        }
        Self::new(codes::WRONG_VALUE, format!("`{variant}` is not one of {}", one_of(expected)))
            .hint(suggest(variant, expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(codes::MISSING_KEY, format!("`{field}` is missing here"))
            .hint(format!("add `{field}: …`"))
    }
}

/// The new word for one of former plans, where it is expected.
fn renamed(word: &str, expected: &[&'static str]) -> Option<&'static str> {
    const RENAMED: &[(&str, &str)] = &[("escalate", "switch-option")];
    let (_, now) = RENAMED.iter().find(|(before, _)| *before == word)?;
    expected.iter().find(|known| *known == now).copied()
}

/// serde's words for what it expected, in words for people.
fn wanted(expected: &str) -> String {
    match expected {
        "a sequence" => "a list: `[…]`".to_owned(),
        "a map" => "a mapping".to_owned(),
        "a string" => "text".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "i32" | "i64" => "a whole number".to_owned(),
        other if other.starts_with("struct ") => "a mapping".to_owned(),
        other => other.to_owned(),
    }
}

fn shown(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Str(text) if text.chars().count() > 40 => "text".to_owned(),
        Unexpected::Str(text) => format!("`{text}`"),
        Unexpected::Unit => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        Unexpected::Bool(flag) => format!("`{flag}`"),
        Unexpected::Signed(number) => format!("`{number}`"),
        Unexpected::Unsigned(number) => format!("`{number}`"),
        other => other.to_string(),
    }
}

/// What a plain scalar means in YAML 1.2. Decimal numbers stay text: nothing in
/// a plan is a binary fraction, and `1.10` is a version.
enum Meaning<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Text(&'a str),
}

fn meaning(node: &Node) -> Option<Meaning<'_>> {
    let Kind::Scalar { text, plain } = &node.kind else { return None };
    if !plain {
        return Some(Meaning::Text(text));
    }
    if node.is_null() {
        return Some(Meaning::Null);
    }
    Some(match text.as_str() {
        "true" | "True" | "TRUE" => Meaning::Bool(true),
        "false" | "False" | "FALSE" => Meaning::Bool(false),
        text => match (text.parse(), text.parse()) {
            (Ok(number), _) if !text.starts_with('+') => Meaning::Unsigned(number),
            (_, Ok(number)) if !text.starts_with('+') => Meaning::Signed(number),
            _ => Meaning::Text(text),
        },
    })
}

/// A node to read a value from.
#[derive(Clone, Copy)]
pub(crate) struct Lower<'a>(pub(crate) &'a Node);

impl<'a> Lower<'a> {
    fn empty(self) -> Option<Error> {
        self.0.is_null().then(|| {
            Error::new(codes::WRONG_VALUE, "nothing stands here")
                .at(&self.0.span)
                .hint("write a value, or remove the key")
        })
    }

    fn any<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.kind {
            Kind::List(items) => visitor.visit_seq(Items(items.iter())),
            Kind::Map(entries) => visitor.visit_map(Entries { rest: entries.iter(), value: None }),
            Kind::Scalar { .. } => match meaning(self.0) {
                Some(Meaning::Bool(flag)) => visitor.visit_bool(flag),
                Some(Meaning::Unsigned(number)) => visitor.visit_u64(number),
                Some(Meaning::Signed(number)) => visitor.visit_i64(number),
                Some(Meaning::Text(text)) => visitor.visit_str(text),
                Some(Meaning::Null) | None => visitor.visit_unit(),
            },
        }
    }

    /// Text, also where it looks like a number: `plan_version: 1.10` is the text 1.10.
    fn string<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match meaning(self.0) {
            Some(Meaning::Bool(flag)) => Err(Error::new(
                codes::WRONG_VALUE,
                format!("expected text, found the truth value `{flag}`"),
            )
            .hint(format!("put it in quotes: \"{flag}\""))),
            Some(_) => visitor.visit_str(self.0.text().unwrap_or_default()),
            None => Err(Error::new(
                codes::WRONG_VALUE,
                format!("expected text, found {}", self.0.shape()),
            )),
        }
    }
}

impl<'de> Deserializer<'de> for Lower<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Some(error) = self.empty() {
            return Err(error);
        }
        self.any(visitor).map_err(|error| error.at(&self.0.span))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Some(error) = self.empty() {
            return Err(error);
        }
        self.string(visitor).map_err(|error| error.at(&self.0.span))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Some(error) = self.empty() {
            return Err(error);
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self).map_err(|error| error.at(&self.0.span))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Some(error) = self.empty() {
            return Err(error);
        }
        let wrong = |what: &str| {
            Error::new(
                codes::WRONG_VALUE,
                format!("expected one of {}, found {what}", one_of(variants)),
            )
        };
        let read = match &self.0.kind {
            Kind::Scalar { text, .. } => visitor.visit_enum(text.as_str().into_deserializer()),
            Kind::Map(entries) => match entries.as_slice() {
                [(kind, value)] => visitor.visit_enum(Variant { kind, value }),
                [] => Err(wrong("nothing")),
                several => {
                    let mut error = wrong(&format!("{} of them", several.len()));
                    error = error.at(&several[1].0.span);
                    let second = several[1].0.text().unwrap_or_default();
                    // `{a: one, two}` is two entries in YAML, which people do not mean.
                    if second.contains(' ') && several[1].1.is_null() {
                        error = error.hint("text that contains `, ` goes in quotes");
                    }
                    Err(error)
                }
            },
            Kind::List(_) => Err(wrong("a list")),
        };
        read.map_err(|error| error.at(&self.0.span))
    }

    /// Serde would also take the fields of a struct from a list, by their order, which is
    /// nothing a plan says.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if matches!(self.0.kind, Kind::List(_)) {
            return Err(Error::new(codes::WRONG_VALUE, "a mapping is wanted here, found a list")
                .hint("write `key: value`, or `{key: value, …}` in one line")
                .at(&self.0.span));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Some(error) = self.empty() {
            return Err(error);
        }
        let number =
            self.0.text().filter(|_| matches!(self.0.kind, Kind::Scalar { plain: true, .. }));
        match number.and_then(|text| text.parse::<f64>().ok()).filter(|number| number.is_finite()) {
            Some(number) => {
                visitor.visit_f64(number).map_err(|error: Error| error.at(&self.0.span))
            }
            None => Err(Error::new(codes::WRONG_VALUE, "expected a number".to_owned())
                .hint("write it without quotes, such as `1.2`")
                .at(&self.0.span)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 char bytes byte_buf
        unit unit_struct seq tuple tuple_struct map ignored_any
    }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let read = |item| seed.deserialize(Lower(item)).map_err(|error| error.at(&item.span));
        self.0.next().map(read).transpose()
    }
}

struct Entries<'a> {
    rest: std::slice::Iter<'a, (Node, Node)>,
    value: Option<&'a (Node, Node)>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.value = self.rest.next();
        self.value.map(|(key, _)| seed.deserialize(Lower(key))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match self.value.take() {
            Some((key, value)) => seed.deserialize(Lower(value)).map_err(|error| {
                let error = error.at(&value.span);
                match key.text().zip(meaning(value)) {
                    Some(("irreversible", Meaning::Bool(flag))) => error.hint(why_not(flag)),
                    _ => error,
                }
            }),
            None => Err(de::Error::custom("a value was asked for before its key")),
        }
    }
}

/// `irreversible` asks for the reason: in quotes, `true` would be taken for one.
fn why_not(irreversible: bool) -> &'static str {
    match irreversible {
        true => "say why, such as `irreversible: old orders cannot be read any more`",
        false => "leave the key out: what is not irreversible has nothing to say here",
    }
}

struct Variant<'a> {
    kind: &'a Node,
    value: &'a Node,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Error;
    type Variant = Content<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content<'a>), Error> {
        Ok((seed.deserialize(Lower(self.kind))?, Content(self.value)))
    }
}

struct Content<'a>(&'a Node);

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Err(Error::new(codes::WRONG_VALUE, "this word takes no value").at(&self.0.span))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(Lower(self.0)).map_err(|error| error.at(&self.0.span))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        Lower(self.0).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        Lower(self.0).deserialize_any(visitor)
    }
}
