//! Paging of lists: `n`, `last` and the `Link` to what comes next.
//!
//! Source: OCI distribution-spec 1.1, "Content discovery"; registry-protocol TL2–TL4, CA2.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::problem::Problem;
use crate::query::Query;

/// The largest page; a larger `n` is read as this, and a `Link` follows.
pub const PAGE_MAX: usize = 10_000;

/// What may stand unescaped in a query value.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What a client asked of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The most entries it wants; `None`: all of them.
    pub entries_max: Option<usize>,
    /// Entries begin strictly after this text, in byte order; empty: from the start.
    pub last: String,
}

impl Page {
    /// Reads `n` and `last`.
    ///
    /// # Errors
    ///
    /// [`Problem::PageNumber`] where `n` is no decimal number of zero or more.
    pub fn parse(query: &Query) -> Result<Self, Problem> {
        let last = query.first("last").unwrap_or_default().to_owned();
        let entries_max = query.first("n").map(number).transpose()?;
        Ok(Self { entries_max, last })
    }
}

/// Digits and nothing else; more than [`PAGE_MAX`] is that.
fn number(text: &str) -> Result<usize, Problem> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::PageNumber { given: text.chars().take(32).collect() });
    }
    Ok(text.parse::<usize>().unwrap_or(PAGE_MAX).min(PAGE_MAX))
}

/// The value of the `Link` header that leads to the next page; path-absolute, values escaped.
pub fn next_link(path: &str, parameters: &[(&str, &str)]) -> String {
    let pairs = parameters.iter().map(|(name, value)| format!("{name}={}", escaped(value)));
    format!("<{path}?{}>; rel=\"next\"", pairs.collect::<Vec<_>>().join("&"))
}

/// A text as it may stand in a query value.
pub fn escaped(text: &str) -> String {
    utf8_percent_encode(text, KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use super::{PAGE_MAX, Page, next_link};
    use crate::query::Query;

    #[test]
    fn page_numbers_are_digits_and_clamped() {
        let cases = [
            ("", Some(None)),
            ("n=5", Some(Some(5))),
            ("n=0", Some(Some(0))),
            ("n=10001", Some(Some(PAGE_MAX))),
            ("n=99999999999999999999999999", Some(Some(PAGE_MAX))),
            ("n=", None),
            ("n=-1", None),
            ("n=+9", None),
            ("n=1.5", None),
            ("n=x", None),
        ];
        for (query, expected) in cases {
            let read = Page::parse(&Query::parse(Some(query))).ok().map(|page| page.entries_max);
            assert_eq!(read, expected, "{query:?}");
        }
    }

    #[test]
    fn a_link_is_path_absolute_and_escaped() {
        let link = next_link("/v2/a/b/tags/list", &[("n", "2"), ("last", "v1/&x")]);
        assert_eq!(link, "</v2/a/b/tags/list?n=2&last=v1%2F%26x>; rel=\"next\"");
    }
}
