//! Times as this API writes them: RFC 3339, UTC.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

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

#[cfg(test)]
mod tests {
    use super::{to_millisecond, to_second};

    #[test]
    fn times_are_utc_with_a_z() {
        assert_eq!(to_second(1_771_149_601_999), "2026-02-15T10:00:01Z");
        assert_eq!(to_millisecond(1_771_114_762_035), "2026-02-15T00:19:22.035Z");
        assert_eq!(to_second(0), "1970-01-01T00:00:00Z");
    }
}
