//! Strict JSON: one document that every parser reads alike.
//!
//! Parsers differ on a key that stands twice (some take the first, some the last) and Go's takes
//! `Layers` for `layers`, so that a scanner and a runtime could see two different images behind one
//! digest. Such documents are refused here, before any field is read, and so is deep nesting.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// How deep objects and arrays may stand in each other.
pub const DEPTH_MAX: usize = 64;

/// Why a document is refused before its fields are read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// No JSON, not UTF-8, or something follows the first value.
    #[error("not one JSON document: {0}")]
    Malformed(String),
    /// The document is not an object.
    #[error("the document is not a JSON object")]
    NotAnObject,
    /// Objects and arrays stand too deep in each other.
    #[error("objects and arrays are nested more than {DEPTH_MAX} deep")]
    TooDeep,
    /// An object has one key twice.
    #[error("the key {0:?} stands twice in one object")]
    DuplicateKey(String),
    /// A key differs from a known one by case only, which some parsers overlook and some do not.
    #[error("the key {found:?} must be written {known:?}")]
    MiswrittenKey {
        /// As it stands in the document.
        found: String,
        /// As it is specified.
        known: &'static str,
    },
}

/// Which keys an object knows, and which of them lead to objects (or lists of objects) with a
/// shape of their own. Other keys are free.
#[derive(Debug)]
pub struct Shape {
    /// The specified keys, as they are written.
    pub known: &'static [&'static str],
    /// The shapes behind some of them.
    pub inside: &'static [(&'static str, &'static Shape)],
}

/// An object of which nothing is known.
pub const FREE: Shape = Shape { known: &[], inside: &[] };

/// Checks that `bytes` are one JSON object of `shape` that every parser reads alike.
///
/// Keeps no value: memory is bounded by the keys of the objects that are open at once.
pub fn check(bytes: &[u8], shape: &Shape) -> Result<(), JsonError> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return match serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
            Ok(_) => Err(JsonError::NotAnObject),
            Err(error) => Err(JsonError::Malformed(error.to_string())),
        };
    }
    let found = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Check { shape, depth: 0, found: &found }
        .deserialize(&mut reader)
        .and_then(|()| reader.end())
        .map_err(|error| found.take().unwrap_or_else(|| JsonError::Malformed(error.to_string())))
}

/// Reads `null` as the type's default, as Go does: its encoder writes an empty list as `null`.
pub fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + serde::Deserialize<'de>,
{
    Ok(<Option<T> as serde::Deserialize>::deserialize(deserializer)?.unwrap_or_default())
}

/// Walks one value. What it refuses is put into `found`, since serde carries text only.
#[derive(Clone, Copy)]
struct Check<'a> {
    shape: &'a Shape,
    depth: usize,
    found: &'a RefCell<Option<JsonError>>,
}

impl<'a> Check<'a> {
    fn refuse<E: serde::de::Error>(&self, error: JsonError) -> E {
        let text = E::custom(&error);
        *self.found.borrow_mut() = Some(error);
        text
    }

    fn deeper<E: serde::de::Error>(&self, shape: &'a Shape) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(self.refuse(JsonError::TooDeep));
        }
        Ok(Self { shape, depth: self.depth + 1, found: self.found })
    }
}

impl<'de> DeserializeSeed<'de> for Check<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let inner = self.deeper(self.shape)?;
        while list.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut seen: HashSet<Cow<'de, str>> = HashSet::new();
        while let Some(key) = object.next_key_seed(Key)? {
            if let Some(known) = self.shape.known.iter().find(|known| is_miswritten(&key, known)) {
                let found = key.into_owned();
                return Err(self.refuse(JsonError::MiswrittenKey { found, known }));
            }
            let inside = self.shape.inside.iter().find(|(name, _)| *name == key);
            let inner = self.deeper(inside.map_or(&FREE, |(_, shape)| shape))?;
            if seen.contains(&key) {
                return Err(self.refuse(JsonError::DuplicateKey(key.into_owned())));
            }
            seen.insert(key);
            object.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// A key, borrowed from the document where it holds no escape.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// Whether `key` is not `known` but Go's parser would take it for that: it folds the case of ASCII,
/// of the long s and of the Kelvin sign.
fn is_miswritten(key: &str, known: &str) -> bool {
    let fold = |c: char| match c {
        'ſ' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    key != known && key.chars().map(fold).eq(known.chars().map(fold))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INNER: Shape = Shape { known: &["digest", "size"], inside: &[] };
    const OUTER: Shape =
        Shape { known: &["layers", "config"], inside: &[("layers", &INNER), ("config", &INNER)] };

    fn nested(depth: usize) -> String {
        format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1))
    }

    #[test]
    fn documents_that_all_parsers_read_alike_pass() {
        for text in [
            "{}",
            " \n{\"a\":1,\"b\":[true,null,-1,1.5e3,\"x\"]}\t\n",
            "{\"a\":{\"x\":1},\"b\":{\"x\":1},\"A\":{}}",
            "{\"layers\":[{\"digest\":1},{\"digest\":2}],\"config\":null}",
            "{\"free\":{\"Digest\":1,\"digest\":2}}",
            "{\"layers\":[{\"annotations\":{\"Size\":1,\"size\":1}}]}",
            &nested(DEPTH_MAX),
        ] {
            assert_eq!(check(text.as_bytes(), &OUTER), Ok(()), "{text}");
        }
    }

    #[test]
    fn documents_that_parsers_could_read_differently_are_refused() {
        let twice = |key: &str| JsonError::DuplicateKey(key.into());
        let miswritten =
            |found: &str, known| JsonError::MiswrittenKey { found: found.into(), known };
        for (text, expected) in [
            ("[]", JsonError::NotAnObject),
            ("null", JsonError::NotAnObject),
            ("\"{}\"", JsonError::NotAnObject),
            ("{\"a\":1,\"a\":1}", twice("a")),
            ("{\"a\":1,\"\\u0061\":2}", twice("a")),
            ("{\"x\":[{\"y\":{\"b\":1,\"c\":2,\"b\":3}}]}", twice("b")),
            ("{\"Layers\":[]}", miswritten("Layers", "layers")),
            ("{\"layer\u{17f}\":[]}", miswritten("layerſ", "layers")),
            ("{\"layers\":[{\"DIGEST\":1}]}", miswritten("DIGEST", "digest")),
            ("{\"config\":{\"siz\\u0045\":1}}", miswritten("sizE", "size")),
            (&nested(DEPTH_MAX + 1), JsonError::TooDeep),
            (&nested(100), JsonError::TooDeep),
        ] {
            assert_eq!(check(text.as_bytes(), &OUTER), Err(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for bytes in [
            &b""[..],
            b" ",
            b"{",
            b"}",
            b"{}{}",
            b"{} x",
            b"{'a':1}",
            b"{\"a\":01}",
            b"{\"a\":}",
            b"{\"a\" 1}",
            b"{\"a\":1,}",
            b"{\"a\":NaN}",
            b"{\"a\":\"\xff\"}",
            b"{\"\xff\":1}",
            b"\xef\xbb\xbf{}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":\"\n\"}",
            b"{// x\n}",
            &[b"{\"a\":".to_vec(), vec![b'['; 100_000]].concat(),
            &vec![b'['; 100_000],
        ] {
            let refused = check(bytes, &OUTER);
            assert!(
                matches!(refused, Err(JsonError::Malformed(_) | JsonError::TooDeep)),
                "{refused:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn check_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = check(&bytes, &OUTER);
        }

        #[test]
        fn check_takes_nothing_that_a_plain_parser_refuses(text in r#"[{}\[\]":,a1 \\u-]{0,20}"#) {
            if check(text.as_bytes(), &FREE).is_ok() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
            }
        }
    }
}
