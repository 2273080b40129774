//! The query of a request, and forms, which are written the same way.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Names and values in the order they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=1&b=2`; a value may be escaped or plain, `+` means a space.
    ///
    /// What does not decode to UTF-8 is read with replacement characters: the grammar of whatever
    /// it was meant to be refuses it.
    pub fn parse(text: Option<&str>) -> Self {
        let pairs = text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        });
        Self(pairs.collect())
    }

    /// The first value under `name`.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every value under `name`.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn decoded(text: &str) -> String {
    let spaced: Cow<str> =
        if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn values_are_taken_escaped_and_plain() {
        let query = Query::parse(Some("mount=sha256:ab&from=a%2Fb&x&tag=1&tag=2&scope=a+b&&=v"));
        assert_eq!(query.first("mount"), Some("sha256:ab"));
        assert_eq!(query.first("from"), Some("a/b"));
        assert_eq!(query.first("x"), Some(""));
        assert_eq!(query.all("tag").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(query.first("scope"), Some("a b"));
        assert_eq!(query.first("none"), None);
        assert_eq!(Query::parse(None), Query::default());
    }
}
