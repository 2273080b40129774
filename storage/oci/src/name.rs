//! Names: repositories, tags, and what a manifest is asked for by.
//!
//! Source: OCI distribution-spec 1.1, "Pulling manifests" (the two grammars).

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::{Algorithm, Digest, DigestError};

/// The longest repository name, in bytes; with a host name and its `/` it must still fit.
pub const REPOSITORY_BYTES_MAX: usize = 255;
/// The longest tag, in bytes.
pub const TAG_BYTES_MAX: usize = 128;

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The grammar of a repository name is not met.
    #[error(
        "{0:?} is no repository name: use lower-case letters and digits, parted by '.', '_', '__' \
         or '-', in components parted by '/'"
    )]
    Repository(String),
    /// The repository name is too long.
    #[error("a repository name has at most {REPOSITORY_BYTES_MAX} bytes, host name included")]
    RepositoryTooLong,
    /// The grammar of a tag is not met.
    #[error(
        "{0:?} is no tag: use up to {TAG_BYTES_MAX} letters, digits, '.', '_' and '-', \
         the first one no '.' and no '-'"
    )]
    Tag(String),
    /// A reference looks like a digest and is none.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

/// The name of a repository: components joined by `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName(String);

impl RepositoryName {
    /// Reads a name of any depth and at most [`REPOSITORY_BYTES_MAX`] bytes.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.len() > REPOSITORY_BYTES_MAX {
            return Err(NameError::RepositoryTooLong);
        }
        if !text.split('/').all(is_component) {
            return Err(NameError::Repository(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether the name, a `/` and a host name of so many bytes stay within the limit together.
    pub fn fits_beside(&self, host_bytes: usize) -> bool {
        self.0.len() + 1 + host_bytes <= REPOSITORY_BYTES_MAX
    }

    /// The first component: the account the repository belongs to.
    pub fn namespace(&self) -> &str {
        self.components().next().unwrap_or_default()
    }

    /// The components from left to right; at least one.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_component(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    if !is_word(first) || !is_word(last) {
        return false;
    }
    bytes.split(|byte| is_word(*byte)).all(|separator| match separator {
        b"" | b"." | b"_" | b"__" => true,
        other => other.iter().all(|byte| *byte == b'-'),
    })
}

/// The name of a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagName(String);

impl TagName {
    /// Reads `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let is_first = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_later = |byte: &u8| is_first(*byte) || *byte == b'.' || *byte == b'-';
        match text.as_bytes().split_first() {
            Some((first, rest))
                if text.len() <= TAG_BYTES_MAX && is_first(*first) && rest.iter().all(is_later) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(NameError::Tag(text.chars().take(TAG_BYTES_MAX + 1).collect())),
        }
    }

    /// The tag under which clients without a referrers endpoint list what refers to `subject`: the
    /// algorithm, `-`, and the first 64 hex digits.
    ///
    /// Source: OCI distribution-spec 1.1, "Referrers tag schema".
    pub fn fallback_of(subject: &Digest) -> Self {
        Self(format!("{}-{}", subject.algorithm(), &subject.hex()[..64]))
    }

    /// Whether this tag belongs to another manifest by convention (`sha256-<64 hex>`, bare or with
    /// `.sig`, `.att` or `.sbom`): such tags are appended to, so no rule on tags holds them.
    pub fn is_attachment(&self) -> bool {
        let bare = [".sig", ".att", ".sbom"]
            .iter()
            .find_map(|ending| self.0.strip_suffix(ending))
            .unwrap_or(&self.0);
        Algorithm::ALL.iter().any(|algorithm| {
            let hex = bare.strip_prefix(algorithm.name()).and_then(|rest| rest.strip_prefix('-'));
            hex.is_some_and(|hex| Digest::new(Algorithm::Sha256, hex).is_ok())
        })
    }

    /// The tag as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a manifest is asked for by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// The manifest the tag points at now.
    Tag(TagName),
    /// The manifest with exactly these bytes.
    Digest(Digest),
}

impl Reference {
    /// Reads a digest where there is a colon, which no tag has, else a tag.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.contains(':') {
            Ok(Self::Digest(Digest::parse(text)?))
        } else {
            Ok(Self::Tag(TagName::parse(text)?))
        }
    }
}

impl Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => Display::fmt(tag, f),
            Self::Digest(digest) => Display::fmt(digest, f),
        }
    }
}

impl FromStr for Reference {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

/// Text in and out, for the two names.
macro_rules! as_text {
    ($name:ident) => {
        impl Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(D::Error::custom)
            }
        }
    };
}

as_text!(RepositoryName);
as_text!(TagName);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn repository_names_of_the_grammar_are_taken() {
        let longest = "a".repeat(REPOSITORY_BYTES_MAX);
        for text in [
            "a",
            "0",
            "library/busybox",
            "a/b/c/d/e/f/g",
            "a.b_c__d-e---f",
            "blobs/uploads/tags",
            "a/manifests",
            "v2/v2",
            "1.2.3/4",
            longest.as_str(),
        ] {
            let name = RepositoryName::parse(text).unwrap();
            assert_eq!(name.as_str(), text);
            assert_eq!(name.namespace(), text.split('/').next().unwrap());
        }
    }

    #[test]
    fn repository_names_outside_the_grammar_are_refused() {
        let too_long = "a".repeat(REPOSITORY_BYTES_MAX + 1);
        for text in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            ".",
            "..",
            "../a",
            "a/..",
            "a/../b",
            "A",
            "a/B",
            "a b",
            "a.",
            ".a",
            "-a",
            "a-",
            "_a",
            "a_",
            "a..b",
            "a___b",
            "a._b",
            "a_.b",
            "a-.b",
            "a_-b",
            "a%2fb",
            "a:b",
            "a@b",
            "ä",
            "a\n",
            "a\0",
            "a\\b",
            "a/./b",
            "a/_b",
            "a+b",
            "a~b",
            too_long.as_str(),
        ] {
            assert!(RepositoryName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_name_must_fit_beside_the_host_name() {
        let name = RepositoryName::parse(&"a".repeat(240)).unwrap();
        assert!(name.fits_beside(14));
        assert!(!name.fits_beside(15));
    }

    #[test]
    fn tags_are_taken_or_refused_by_their_grammar() {
        let (longest, too_long) = ("t".repeat(128), "t".repeat(129));
        for text in ["latest", "v1.0-rc_1", "_", "A", "0", "a..b", "a--", "a.", longest.as_str()] {
            assert_eq!(TagName::parse(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            ".",
            "-",
            ".a",
            "-a",
            "a/b",
            "a:b",
            "a b",
            "a+b",
            "ä",
            "a\n",
            "a%20b",
            "a@b",
            too_long.as_str(),
        ] {
            assert!(TagName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_reference_with_a_colon_is_a_digest() {
        let digest = format!("sha256:{}", "a".repeat(64));
        assert!(matches!(Reference::parse(&digest), Ok(Reference::Digest(_))));
        assert!(matches!(Reference::parse("latest"), Ok(Reference::Tag(_))));
        assert!(matches!(
            Reference::parse("sha256:baddigeststring"),
            Err(NameError::Digest(DigestError::BadHex { .. }))
        ));
        assert!(matches!(Reference::parse("a/b"), Err(NameError::Tag(_))));
    }

    #[test]
    fn an_attachment_is_known_by_its_tag() {
        let hex = "0a".repeat(32);
        for text in [
            format!("sha256-{hex}"),
            format!("sha512-{hex}"),
            format!("sha256-{hex}.sig"),
            format!("sha256-{hex}.att"),
            format!("sha256-{hex}.sbom"),
        ] {
            assert!(TagName::parse(&text).unwrap().is_attachment(), "{text}");
        }
        for text in [
            "latest".into(),
            format!("sha256-{hex}0"),
            format!("sha256-{hex}.sig.sig"),
            format!("sha256-{hex}.txt"),
            format!("sha384-{hex}"),
            format!("sha256-{}", hex.to_uppercase()),
        ] {
            assert!(!TagName::parse(&text).unwrap().is_attachment(), "{text}");
        }
        let subject = Digest::new(Algorithm::Sha512, &"0a".repeat(64)).unwrap();
        assert_eq!(TagName::fallback_of(&subject).as_str(), format!("sha512-{hex}"));
    }

    proptest! {
        #[test]
        fn a_component_is_what_the_regular_expression_of_the_specification_says(
            text in "[a-b0._/A-]{0,8}",
        ) {
            prop_assert_eq!(RepositoryName::parse(&text).is_ok(), by_hand(&text), "{}", text);
        }
    }

    /// The grammar once more, by a machine of states instead of splits.
    fn by_hand(text: &str) -> bool {
        text.split('/').all(|component| {
            let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            let mut separator = String::new();
            let mut seen_word = false;
            for c in component.chars() {
                if word(c) {
                    let dashes = !separator.is_empty() && separator.chars().all(|c| c == '-');
                    let known = ["", ".", "_", "__"].contains(&separator.as_str()) || dashes;
                    if !known || (!separator.is_empty() && !seen_word) {
                        return false;
                    }
                    separator.clear();
                    seen_word = true;
                } else if ['.', '_', '-'].contains(&c) {
                    separator.push(c);
                } else {
                    return false;
                }
            }
            seen_word && separator.is_empty()
        })
    }
}
