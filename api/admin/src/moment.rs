//! Times as this API writes them: RFC 3339, UTC.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What stands for no time at all.
pub const NEVER: &str = "0001-01-01T00:00:00Z";

/// A time in Unix milliseconds as `2026-02-15T10:00:01Z`, to the second.
pub fn to_second(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1_000).unwrap_or_default();
    let moment = OffsetDateTime::from_unix_timestamp(seconds);
    moment.unwrap_or(OffsetDateTime::UNIX_EPOCH).format(&Rfc3339).unwrap_or_default()
}

/// The same to the millisecond.
pub fn to_millisecond(unix_ms: u64) -> String {
    let nanos = i128::from(unix_ms) * 1_000_000;
    let moment = OffsetDateTime::from_unix_timestamp_nanos(nanos);
    moment.unwrap_or(OffsetDateTime::UNIX_EPOCH).format(&Rfc3339).unwrap_or_default()
}

/// The same, where 0 is no time at all.
pub fn or_never(unix_ms: u64) -> String {
    if unix_ms == 0 { NEVER.to_owned() } else { to_millisecond(unix_ms) }
}

/// Reads a time, in any zone, as Unix milliseconds; what lies before 1970 is 0.
pub fn parse(text: &str) -> Option<u64> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    Some(u64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::{NEVER, or_never, parse, to_millisecond, to_second};

    #[test]
    fn times_are_utc_with_a_z() {
        assert_eq!(to_second(1_771_149_601_999), "2026-02-15T10:00:01Z");
        assert_eq!(to_millisecond(1_771_114_762_035), "2026-02-15T00:19:22.035Z");
        assert_eq!(to_second(0), "1970-01-01T00:00:00Z");
        assert_eq!((or_never(0).as_str(), or_never(1_000)), (NEVER, to_millisecond(1_000)));
    }

    #[test]
    fn times_read_in_any_zone() {
        let cases = [
            ("2026-02-15T10:00:01Z", Some(1_771_149_601_000)),
            ("2026-02-15T12:00:01.5+02:00", Some(1_771_149_601_500)),
            (NEVER, Some(0)),
            ("2026-02-15", None),
            ("2026-02-15T10:00:01", None),
            ("tomorrow", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
