//! Lengths of time as clients of the old product write them: `720h`, `1h30m`, `0s`.
//!
//! Source: the Go language's package time, `ParseDuration`.

/// Reads whole hours, minutes and seconds, in any number and order; in seconds.
pub fn parse(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let (mut rest, mut seconds) = (text, 0_u64);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let unit_s = match after.bytes().next()? {
            b'h' => 3_600,
            b'm' if after.as_bytes().get(1) != Some(&b's') => 60,
            b's' => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(unit_s)?)?;
        rest = &after[1..];
    }
    (!text.is_empty()).then_some(seconds)
}

/// Seconds as [`parse`] reads them, as short as can be.
pub fn written(seconds: u64) -> String {
    let parts = [(seconds / 3_600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let text: String = parts.map(|(number, unit)| format!("{number}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::{parse, written};

    #[test]
    fn durations_are_read_and_written_as_go_reads_them() {
        let cases = [
            ("720h", Some(2_592_000), "720h"),
            ("1h30m", Some(5_400), "1h30m"),
            ("90m", Some(5_400), "1h30m"),
            ("90s", Some(90), "1m30s"),
            ("0s", Some(0), "0s"),
            ("0", Some(0), "0s"),
            ("", None, ""),
            ("h", None, ""),
            ("7", None, ""),
            ("5ms", None, ""),
            ("-1h", None, ""),
            ("+1h", None, ""),
            ("1.5h", None, ""),
            ("30d", None, ""),
            ("99999999999999999999h", None, ""),
            ("18446744073709551615h", None, ""),
        ];
        for (text, seconds, again) in cases {
            assert_eq!(parse(text), seconds, "{text:?}");
            if let Some(seconds) = seconds {
                assert_eq!(written(seconds), again);
            }
        }
    }
}
