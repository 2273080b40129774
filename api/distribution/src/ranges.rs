//! The `Range` header of a blob request.
//!
//! Source: RFC 9110, section 14; registry-protocol BL4, BL5.

use std::ops::Range;

/// The most ranges that are answered one by one.
pub const RANGES_MAX: usize = 32;

/// What of a blob is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// All of it: no header, or one that is not understood.
    Whole,
    /// One part.
    One(Range<u64>),
    /// Several parts that do not overlap, in the order asked.
    Several(Vec<Range<u64>>),
    /// No byte of it: 416.
    Nothing,
}

/// Reads `bytes=a-b`, `a-`, `-n`, or several of them, for a blob of `size` bytes.
///
/// RFC 9110 would ignore `500-0`; here it is out of range, as the conformance suite asks.
pub fn asked(header: Option<&str>, size: u64) -> Asked {
    let Some(specs) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Asked::Whole;
    };
    let Some(specs) = specs.split(',').map(|spec| spec_of(spec.trim())).collect::<Option<Vec<_>>>()
    else {
        return Asked::Whole;
    };
    let ranges: Vec<Range<u64>> = specs.iter().filter_map(|spec| spec.within(size)).collect();
    match (ranges.as_slice(), specs.len()) {
        ([], _) => Asked::Nothing,
        ([one], _) => Asked::One(one.clone()),
        (several, asked) if asked > RANGES_MAX || overlap(several) => Asked::Whole,
        (several, _) => Asked::Several(several.to_vec()),
    }
}

/// One part as it was written.
enum Spec {
    From(u64),
    FromTo(u64, u64),
    Last(u64),
}

fn spec_of(text: &str) -> Option<Spec> {
    let (first, last) = text.split_once('-')?;
    match (first.is_empty(), last.is_empty()) {
        (true, true) => None,
        (true, false) => Some(Spec::Last(digits(last)?)),
        (false, true) => Some(Spec::From(digits(first)?)),
        (false, false) => Some(Spec::FromTo(digits(first)?, digits(last)?)),
    }
}

impl Spec {
    fn within(&self, size: u64) -> Option<Range<u64>> {
        let range = match *self {
            Self::From(first) => first..size,
            Self::FromTo(first, last) => first..last.saturating_add(1).min(size),
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        (!range.is_empty()).then_some(range)
    }
}

fn overlap(ranges: &[Range<u64>]) -> bool {
    let mut sorted: Vec<_> = ranges.iter().map(|range| (range.start, range.end)).collect();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair[1].0 < pair[0].1)
}

/// A decimal number with nothing around it; one that is too large reads as the largest.
pub(crate) fn digits(text: &str) -> Option<u64> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{Asked, RANGES_MAX, asked};

    #[test]
    fn one_range_is_clamped_to_the_blob() {
        let cases = [
            ("bytes=500-1499", Asked::One(500..1500)),
            ("bytes=500-", Asked::One(500..2048)),
            ("bytes=-500", Asked::One(1548..2048)),
            ("bytes=-5000", Asked::One(0..2048)),
            ("bytes=2000-5000", Asked::One(2000..2048)),
            ("bytes=0-0", Asked::One(0..1)),
            ("bytes=0-99999999999999999999999", Asked::One(0..2048)),
            ("bytes=500-0", Asked::Nothing),
            ("bytes=2048-", Asked::Nothing),
            ("bytes=5000-10000", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=-", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("lines=1-2", Asked::Whole),
            ("bytes", Asked::Whole),
            ("", Asked::Whole),
        ];
        for (header, expected) in cases {
            assert_eq!(asked(Some(header), 2048), expected, "{header:?}");
        }
        assert_eq!(asked(None, 2048), Asked::Whole);
    }

    #[test]
    fn an_empty_blob_has_no_range() {
        for header in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
            assert_eq!(asked(Some(header), 0), Asked::Nothing, "{header}");
        }
    }

    #[test]
    fn several_ranges_come_in_the_order_asked_unless_they_overlap() {
        let several = asked(Some("bytes=10-19, 0-4,-5"), 100);
        assert_eq!(several, Asked::Several(vec![10..20, 0..5, 95..100]));
        assert_eq!(asked(Some("bytes=0-9,5-14"), 100), Asked::Whole);
        assert_eq!(asked(Some("bytes=0-9,200-"), 100), Asked::One(0..10), "one is left");
        assert_eq!(asked(Some("bytes=200-,300-"), 100), Asked::Nothing);
        let many = |count: u64| {
            let parts = (0..count).map(|n| format!("{}-{}", n * 2, n * 2));
            format!("bytes={}", parts.collect::<Vec<_>>().join(","))
        };
        assert!(matches!(asked(Some(&many(32)), 100), Asked::Several(_)));
        assert_eq!(asked(Some(&many(RANGES_MAX as u64 + 1)), 100), Asked::Whole);
    }
}
