//! How long something is to be good: `30d` or `12h`, and the time at which that ends.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Nobody means more.
const DAYS_MAX: u64 = 36_500;

const DAY_S: u64 = 24 * 3_600;

/// Reads a whole number and its unit: `s`, `m`, `h`, `d` or `w`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wanted = || "write a number and its unit, such as 30d, 12h or 90m".to_owned();
    let unit = text.chars().last().ok_or_else(wanted)?;
    let unit_s = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => DAY_S,
        'w' => 7 * DAY_S,
        _ => return Err(wanted()),
    };
    let number = &text[..text.len() - unit.len_utf8()];
    // `from_str` alone would take `+9` too.
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wanted());
    }
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_s));
    match seconds {
        Some(0) => Err("it would end at once: write 1s or more".to_owned()),
        Some(seconds) if seconds <= DAYS_MAX * DAY_S => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("write {DAYS_MAX}d or less")),
    }
}

/// The time `life` after `now`, to the second, as the API writes times.
pub fn after(now: SystemTime, life: Duration) -> Option<String> {
    let end = OffsetDateTime::from(now).checked_add(life.try_into().ok()?)?;
    end.replace_nanosecond(0).ok()?.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        let cases = [
            ("1s", Some(1)),
            ("90m", Some(5_400)),
            ("12h", Some(43_200)),
            ("30d", Some(2_592_000)),
            ("2w", Some(1_209_600)),
            ("36500d", Some(3_153_600_000)),
            ("36501d", None),
            ("99999999999999999999d", None),
            ("18446744073709551615w", None),
            ("0d", None),
            ("", None),
            ("d", None),
            ("30", None),
            ("30 d", None),
            ("+30d", None),
            ("-30d", None),
            ("1.5h", None),
            ("30D", None),
            ("30ä", None),
            ("1h30m", None),
        ];
        for (text, seconds) in cases {
            let read = duration(text).ok().map(|duration| duration.as_secs());
            assert_eq!(read, seconds, "{text:?}");
        }
    }

    #[test]
    fn an_end_is_written_as_the_api_writes_times() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_750);
        let end = after(now, Duration::from_mins(1)).unwrap();
        assert_eq!(end, "2023-11-14T22:14:20Z");
        assert_eq!(after(now, Duration::MAX), None);
    }
}
