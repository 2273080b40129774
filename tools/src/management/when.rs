//! A point in time on the command line: a date, or how long ago.

use std::str::FromStr;
use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::expiry;

/// A time, as the API writes times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When(String);

impl When {
    /// In UTC, as RFC 3339 has it.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl FromStr for When {
    type Err = String;

    /// Reads `2030-01-31T12:00:00Z`, or `2h` and `7d` for so long ago.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "write a time such as 2030-01-31T12:00:00Z, or how long ago: 90m, 12h, 7d".to_owned()
        };
        if let Ok(ago) = expiry::duration(text) {
            let then = SystemTime::now().checked_sub(ago).ok_or_else(wrong)?;
            let then = OffsetDateTime::from(then).format(&Rfc3339).map_err(|_| wrong())?;
            return Ok(Self(then));
        }
        match OffsetDateTime::parse(text, &Rfc3339) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_or_so_long_ago() {
        let date = "2030-01-31T12:00:00Z";
        assert_eq!(date.parse::<When>().unwrap().text(), date);
        let ago: When = "2h".parse().unwrap();
        let then = OffsetDateTime::parse(ago.text(), &Rfc3339).unwrap();
        let passed = OffsetDateTime::now_utc() - then;
        assert_eq!(passed.whole_minutes(), 120);
        for text in ["", "yesterday", "2030-01-31", "-2h", "0s"] {
            assert!(text.parse::<When>().is_err(), "{text:?}");
        }
    }
}
