//! How many bytes: a plain number, or one with a unit, such as `10GiB`.

/// What a unit stands for.
const UNITS: &[(&str, u64)] = &[
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
    ("", 1),
];

/// Reads a quota: a size, or `none` for 0, which is none.
pub fn quota(text: &str) -> Result<u64, String> {
    if text == "none" {
        return Ok(0);
    }
    match size(text)? {
        0 => Err("0 would be no quota at all: write none for that".to_owned()),
        bytes => Ok(bytes),
    }
}

/// Bytes in a unit in which they read well, to a tenth.
pub fn shown(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let fitting = units.iter().find(|(_, bits)| bytes >> bits > 0);
    fitting.map_or_else(
        || format!("{bytes} B"),
        |(unit, bits)| {
            let tenths = (u128::from(bytes) * 10) >> bits;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        },
    )
}

fn size(text: &str) -> Result<u64, String> {
    let wanted =
        || "write a number of bytes, or one with a unit, such as 500MB or 10GiB".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let known = UNITS.iter().find(|(name, _)| *name == unit);
    let (_, bytes) = known.filter(|_| digits > 0).ok_or_else(wanted)?;
    let number: Option<u64> = number.parse().ok();
    number
        .and_then(|number| number.checked_mul(*bytes))
        .ok_or_else(|| format!("write {} bytes or less", u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{quota, shown};

    #[test]
    fn sizes_are_shown_so_that_they_read_well() {
        let cases = [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_536, "1.5 KiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "16777215.9 TiB"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(shown(bytes), expected);
        }
    }

    #[test]
    fn a_quota_is_a_number_with_or_without_a_unit() {
        let cases = [
            ("1", Some(1)),
            ("500MB", Some(500_000_000)),
            ("10GiB", Some(10 << 30)),
            ("2TiB", Some(2 << 40)),
            ("none", Some(0)),
            ("0", None),
            ("0GiB", None),
            ("", None),
            ("GiB", None),
            ("1.5GiB", None),
            ("-1", None),
            ("+1", None),
            ("1 GiB", None),
            ("1gib", None),
            ("99999999999999999999", None),
            ("18446744073709551615KiB", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(quota(text).ok(), bytes, "{text:?}");
        }
    }
}
