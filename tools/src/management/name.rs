//! What a command line names: an account, a team, a token, or a repository.

use std::fmt;
use std::str::FromStr;

use oci::name::{RepositoryName, TagName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but what may stand in a path as it is.
///
/// Source: RFC 3986, "Unreserved Characters".
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An account, a team or a token, by its name or its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// As one part of a path.
    pub fn part(&self) -> String {
        utf8_percent_encode(&self.0, ESCAPED).to_string()
    }
}

impl FromStr for Name {
    type Err = String;

    /// Takes any text that can be a part of a path: what is a name says the registry.
    fn from_str(text: &str) -> Result<Self, String> {
        // A URL loses its dots on the way, and the request would go to something else.
        if matches!(text, "" | "." | "..") {
            return Err("write a name or an id".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A repository: `NAMESPACE/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository(RepositoryName);

impl Repository {
    /// The user or organization it belongs to.
    pub fn namespace(&self) -> &str {
        self.0.namespace()
    }

    /// Its name there.
    pub fn name(&self) -> &str {
        &self.0.as_str()[self.namespace().len() + 1..]
    }
}

impl FromStr for Repository {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = RepositoryName::parse(text).map_err(|error| error.to_string())?;
        if name.components().count() != 2 {
            return Err("write NAMESPACE/NAME, without a host and a tag".to_owned());
        }
        Ok(Self(name))
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0.as_str())
    }
}

/// A tag with its repository: `NAMESPACE/NAME:TAG`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    repository: Repository,
    name: TagName,
}

impl Tag {
    /// Where it is.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// What it is called there.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }
}

impl FromStr for Tag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').ok_or("write NAMESPACE/NAME:TAG, without a host")?;
        let name = TagName::parse(parts.1).map_err(|error| error.to_string())?;
        Ok(Self { repository: parts.0.parse()?, name })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.repository, self.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_part_of_a_path() {
        let cases = [
            ("ann", Some("ann")),
            ("Ann.Lee_2-x", Some("Ann.Lee_2-x")),
            ("a/b", Some("a%2Fb")),
            ("a?b#c", Some("a%3Fb%23c")),
            ("ä", Some("%C3%A4")),
            ("...", Some("...")),
            ("..", None),
            (".", None),
            ("", None),
        ];
        for (text, part) in cases {
            let name = text.parse::<Name>().ok();
            assert_eq!(name.map(|name| name.part()).as_deref(), part, "{text:?}");
        }
    }

    #[test]
    fn a_tag_stands_behind_its_repository() {
        let tag: Tag = "acme/web:v1.2_3-x".parse().unwrap();
        assert_eq!((tag.repository().to_string(), tag.name()), ("acme/web".into(), "v1.2_3-x"));
        assert_eq!(tag.to_string(), "acme/web:v1.2_3-x");
        for text in ["acme/web", "acme/web:", "web:v1", "acme/web:v1:2", "a:1/b/c:v1", ":v1", ""] {
            assert!(text.parse::<Tag>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_repository_has_two_parts() {
        let repository: Repository = "acme/web-2".parse().unwrap();
        assert_eq!((repository.namespace(), repository.name()), ("acme", "web-2"));
        for text in ["acme", "acme/", "/web", "a/b/c", "acme/web:v1", "Acme/web", "", "acme/../x"] {
            assert!(text.parse::<Repository>().is_err(), "{text:?}");
        }
    }
}
