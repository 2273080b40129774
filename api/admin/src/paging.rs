//! Where a part of a list begins and how long it is, in both dialects: `pageStart` and `pageSize`
//! under `/api/v0`, `start` and `limit` under `/enzi/v0`.
//!
//! Source: dtr-interface 1.

use axum::response::Response;
use edge::answer;
use edge::problem::Problem;
use edge::query::Query;
use http::header::HeaderName;

/// Entries where no number is asked for.
const LIMIT_DEFAULT: usize = 10;
/// The most entries of one answer under `/api/v0`, and under `/enzi/v0`.
const PAGE_SIZE_MAX: usize = 100_000;
const LIMIT_MAX: usize = 65_536;

const NEXT: HeaderName = HeaderName::from_static("x-next-page-start");
const COUNT: HeaderName = HeaderName::from_static("x-resource-count");

/// The part of a list that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first entry, or where it would stand; empty for the list's beginning.
    pub start: String,
    /// Entries, at most; one at least.
    pub limit: usize,
    /// Whether to say how many there are in all.
    pub count: bool,
}

impl Part {
    /// Reads `pageStart`, `pageSize` and `count`.
    pub fn of_page(query: &Query) -> Result<Self, Problem> {
        Self::read(query, ("pageStart", "pageSize"), PAGE_SIZE_MAX)
    }

    /// Reads `start` and `limit`.
    pub fn of_limit(query: &Query) -> Result<Self, Problem> {
        Self::read(query, ("start", "limit"), LIMIT_MAX)
    }

    fn read(query: &Query, (start, limit): (&str, &str), most: usize) -> Result<Self, Problem> {
        let number = query.first(limit).map(|text| above_zero(limit, text)).transpose()?;
        Ok(Self {
            start: query.first(start).unwrap_or_default().to_owned(),
            limit: number.unwrap_or(LIMIT_DEFAULT).min(most),
            count: query.first("count") == Some("true"),
        })
    }
}

/// A number above zero; one that is too large to read is as good as the largest.
fn above_zero(name: &str, text: &str) -> Result<usize, Problem> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().unwrap_or(usize::MAX);
    if is_number && number > 0 {
        Ok(number)
    } else {
        Err(Problem::Parameter(format!("{name} is a number above 0")))
    }
}

/// What is answered to a `pageStart` that none of our answers gave.
pub fn unreadable() -> Problem {
    Problem::Parameter("pageStart is what X-Next-Page-Start was, or absent".to_owned())
}

/// Says in the answer's headers where the list goes on, and how many entries it has in all.
pub fn tell(response: &mut Response, next: Option<&str>, count: Option<usize>) {
    let headers = response.headers_mut();
    if let Some(next) = next {
        answer::set(headers, NEXT, next);
    }
    if let Some(count) = count {
        answer::set(headers, COUNT, &count.to_string());
    }
}

#[cfg(test)]
mod tests {
    use edge::query::Query;

    use super::{LIMIT_MAX, PAGE_SIZE_MAX, Part};

    #[test]
    fn sizes_are_numbers_above_zero_and_clamped() {
        let cases = [
            ("", Some(10)),
            ("1", Some(1)),
            ("100000", Some(PAGE_SIZE_MAX)),
            ("100001", Some(PAGE_SIZE_MAX)),
            ("99999999999999999999999", Some(PAGE_SIZE_MAX)),
            ("0", None),
            ("-1", None),
            ("+1", None),
            ("ten", None),
        ];
        for (size, limit) in cases {
            let query = if size.is_empty() { String::new() } else { format!("pageSize={size}") };
            let part = Part::of_page(&Query::parse(Some(&query)));
            assert_eq!(part.ok().map(|part| part.limit), limit, "{size:?}");
        }
        let part = Part::of_limit(&Query::parse(Some("start=a&limit=70000&count=true"))).unwrap();
        assert_eq!((part.start.as_str(), part.limit, part.count), ("a", LIMIT_MAX, true));
        assert!(Part::of_page(&Query::parse(Some("pageSize="))).is_err());
    }
}
