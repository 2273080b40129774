//! Entity tags and the conditions that name them.
//!
//! Source: RFC 9110, sections 8.8.3 and 13; registry-protocol H13, H14.

use http::HeaderMap;
use http::header::HeaderName;

/// What an `If-Match` or `If-None-Match` header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntityTags {
    /// `*`: anything that exists.
    Any,
    /// These, without their quotes; weak forms compare like strong ones.
    These(Vec<String>),
}

impl EntityTags {
    /// Reads all headers of that name; `None` where there is none.
    ///
    /// A text without quotes is taken as a tag too: clients send digests bare.
    pub fn parse(headers: &HeaderMap, name: HeaderName) -> Option<Self> {
        let mut tags = Vec::new();
        let mut found = false;
        for value in headers.get_all(name) {
            found = true;
            let text = String::from_utf8_lossy(value.as_bytes());
            for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
                if one == "*" {
                    return Some(Self::Any);
                }
                let bare = one.strip_prefix("W/").unwrap_or(one).trim_matches('"');
                tags.push(bare.to_owned());
            }
        }
        found.then_some(Self::These(tags))
    }

    /// Whether the condition names `tag` (given without quotes).
    pub fn matches(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|held| held == tag),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::IF_NONE_MATCH;

    use super::EntityTags;

    #[test]
    fn conditions_read_one_or_more_tags_weak_or_strong() {
        let cases: [(&[&str], bool); 8] = [
            (&["\"x\""], true),
            (&["W/\"x\""], true),
            (&["\"a\", \"x\""], true),
            (&["\"a\"", "\"x\""], true),
            (&["x"], true),
            (&["*"], true),
            (&["\"a\""], false),
            (&[""], false),
        ];
        for (values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IF_NONE_MATCH, value.parse().unwrap());
            }
            let tags = EntityTags::parse(&headers, IF_NONE_MATCH).unwrap();
            assert_eq!(tags.matches("x"), expected, "{values:?}");
        }
        assert_eq!(EntityTags::parse(&HeaderMap::new(), IF_NONE_MATCH), None);
    }
}
