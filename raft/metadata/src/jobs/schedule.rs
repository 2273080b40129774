//! When something is due again: the expressions of cron, in UTC.
//!
//! Six fields (second, minute, hour, day of the month, month, weekday) or, for the directory, five
//! without the second; or a word such as `@daily`. A field is `*` or `?`, a number, a name (`jan`,
//! `sun`), a range `1-5`, each with a step (`*/15`, `5/10`) where wanted, or several with commas.
//! Where both days are given, one of them is enough, as cron has always had it.
//!
//! Replicas have to come to the same next time, so this is a function of the expression and a
//! moment: no zone, no clock.

use super::calendar::{DAY_S, Day};

/// An expression in bytes, at most.
pub const EXPRESSION_BYTES_MAX: usize = 128;

/// A day of February comes after eight years at the latest: 2096, 2104.
const DAYS_LOOKED_MAX: u32 = 366 * 9;

const WORDS: &[(&str, &str)] = &[
    ("@yearly", "0 0 0 1 1 *"),
    ("@annually", "0 0 0 1 1 *"),
    ("@monthly", "0 0 0 1 * *"),
    ("@weekly", "0 0 0 * * 0"),
    ("@daily", "0 0 0 * * *"),
    ("@midnight", "0 0 0 * * *"),
    ("@hourly", "0 0 * * * *"),
];

const MONTHS: &[&str] =
    &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A field of an expression: what it is called, its least and greatest number, and the names of its
/// numbers from the least on.
type Field = (&'static str, u32, u32, &'static [&'static str]);

const FIELDS: [Field; 6] = [
    ("second", 0, 59, &[]),
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of the month", 1, 31, &[]),
    ("month", 1, 12, MONTHS),
    // 7 is Sunday as well.
    ("weekday", 0, 7, WEEKDAYS),
];

/// An expression that was read: a bit for each number that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether one of both days is enough: both were given.
    either_day: bool,
}

impl Schedule {
    /// Reads six fields, or a word.
    ///
    /// # Errors
    ///
    /// A sentence that says what does not fit.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > EXPRESSION_BYTES_MAX {
            return Err(format!("a schedule has at most {EXPRESSION_BYTES_MAX} bytes"));
        }
        let text = text.trim();
        let meant = WORDS.iter().find(|(word, _)| *word == text).map_or(text, |(_, meant)| meant);
        let fields: Vec<&str> = meant.split_ascii_whitespace().collect();
        let Ok(fields) = <[&str; 6]>::try_from(fields) else {
            let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
            return Err(format!(
                "a schedule is six fields (second, minute, hour, day of the month, month, weekday; \
                 UTC), such as \"0 30 3 * * *\", or one of {}",
                words.join(", ")
            ));
        };
        let mut bits = [0_u64; 6];
        for ((bits, field), text) in bits.iter_mut().zip(&FIELDS).zip(fields) {
            *bits = read_field(field, text)?;
        }
        let [seconds, minutes, hours, days, months, weekdays] = bits;
        // Day 7 is day 0.
        let weekdays = (weekdays | weekdays >> 7) & 0x7f;
        let is_given = |field: &str| !field.starts_with(['*', '?']);
        let either_day = is_given(fields[3]) && is_given(fields[5]);
        let schedule = Self { seconds, minutes, hours, days, months, weekdays, either_day };
        // Any moment does: from each of them it is within the years that are looked at.
        match schedule.next_after(0) {
            Some(_) => Ok(schedule),
            None => Err(format!("{text:?} never comes: no such month has such a day")),
        }
    }

    /// Reads five fields, without the second, or a word.
    ///
    /// # Errors
    ///
    /// As [`Schedule::parse`].
    pub fn parse_without_seconds(text: &str) -> Result<Self, String> {
        Self::parse(&with_seconds(text)?)
    }

    /// The next moment that fits, strictly after `wall_ms`; both in milliseconds since 1970.
    pub fn next_after(&self, wall_ms: u64) -> Option<u64> {
        let from_s = wall_ms / 1000 + 1;
        let (mut days, mut time_s) = (from_s / DAY_S, from_s % DAY_S);
        let mut day = Day::after_epoch(days);
        for _ in 0..DAYS_LOOKED_MAX {
            if self.fits(day)
                && let Some(found_s) = self.time_from(time_s)
            {
                return (days * DAY_S + found_s).checked_mul(1000);
            }
            (day, days, time_s) = (day.next(), days + 1, 0);
        }
        None
    }

    fn fits(&self, day: Day) -> bool {
        let by_day = has(self.days, day.day);
        let by_weekday = has(self.weekdays, day.weekday);
        let is_day = if self.either_day { by_day || by_weekday } else { by_day && by_weekday };
        has(self.months, day.month) && is_day
    }

    /// The first second of a day that fits, from `time_s` on.
    fn time_from(&self, time_s: u64) -> Option<u64> {
        let part = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let (hour, minute, second) =
            (part(time_s / 3600), part(time_s / 60 % 60), part(time_s % 60));
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(second) = first(self.seconds, second)
            {
                return Some(seconds_of(hour, minute, second));
            }
            if let Some(minute) = first(self.minutes, minute + 1) {
                return Some(seconds_of(hour, minute, first(self.seconds, 0)?));
            }
        }
        let hour = first(self.hours, hour + 1)?;
        Some(seconds_of(hour, first(self.minutes, 0)?, first(self.seconds, 0)?))
    }
}

/// Five fields as six: at the first second of the minute.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn with_seconds(text: &str) -> Result<String, String> {
    let text = text.trim();
    if WORDS.iter().any(|(word, _)| *word == text) {
        return Ok(text.to_owned());
    }
    if text.split_ascii_whitespace().count() == 5 {
        return Ok(format!("0 {text}"));
    }
    Err("a schedule is five fields here (minute, hour, day of the month, month, weekday; UTC), \
         such as \"0 */2 * * *\", or @hourly, @daily, @weekly, @monthly, @yearly"
        .to_owned())
}

fn seconds_of(hour: u32, minute: u32, second: u32) -> u64 {
    u64::from(hour * 3600 + minute * 60 + second)
}

fn has(bits: u64, number: u32) -> bool {
    bits.checked_shr(number).is_some_and(|bits| bits & 1 == 1)
}

/// The first number that fits, from `from` on.
fn first(bits: u64, from: u32) -> Option<u32> {
    let left = bits.checked_shr(from)?;
    (left != 0).then(|| from + left.trailing_zeros())
}

fn read_field(field: &Field, text: &str) -> Result<u64, String> {
    let (name, ..) = field;
    let wrong = || format!("{text:?} is no {name} of a schedule");
    let mut parts = text.split(',').map(|part| read_part(field, part).ok_or_else(wrong));
    parts.try_fold(0, |bits, part| Ok(bits | part?))
}

/// `*`, `3`, `1-5`, each perhaps with `/step`.
fn read_part((_, min, max, names): &Field, text: &str) -> Option<u64> {
    let (range, step) = match text.split_once('/') {
        Some((range, step)) => (range, Some(digits(step).filter(|step| *step > 0)?)),
        None => (text, None),
    };
    let number = |text: &str| {
        let by_name = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let by_name = by_name.and_then(|place| u32::try_from(place).ok()).map(|it| it + min);
        by_name.or_else(|| digits(text)).filter(|it| (*min..=*max).contains(it))
    };
    // Every weekday is seven of them, though eight numbers name one.
    let whole = if *max == 7 { 6 } else { *max };
    let (from, to) = match range.split_once('-') {
        Some((from, to)) => (number(from)?, number(to)?),
        None if matches!(range, "*" | "?") => (*min, whole),
        None if step.is_some() => (number(range)?, whole),
        None => (number(range)?, number(range)?),
    };
    let numbers = (from..=to).step_by(usize::try_from(step.unwrap_or(1)).ok()?);
    (from <= to).then(|| numbers.fold(0, |bits, number| bits | 1 << number))
}

/// A short number with nothing around it: `from_str` alone would take `+9` too.
fn digits(text: &str) -> Option<u32> {
    let is_number = text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{Schedule, with_seconds};

    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    /// 15 February 2026, 10:00:01 UTC, a Sunday.
    const NOW: u64 = 1_771_149_601_000;
    /// The midnight before.
    const MIDNIGHT: u64 = 1_771_113_600_000;

    #[test]
    fn the_next_time_is_the_first_that_fits() {
        let monday = MIDNIGHT + DAY;
        let cases = [
            ("* * * * * *", NOW + 1000),
            ("0 * * * * *", MIDNIGHT + 10 * HOUR + MINUTE),
            ("1 0 10 * * *", MIDNIGHT + DAY + 10 * HOUR + 1000),
            ("57 54 3 * * *", MIDNIGHT + DAY + 3 * HOUR + 54 * MINUTE + 57_000),
            ("0 */15 * * * *", MIDNIGHT + 10 * HOUR + 15 * MINUTE),
            ("0 5/20 * * * *", MIDNIGHT + 10 * HOUR + 5 * MINUTE),
            ("0 0,30 11-12 * * *", MIDNIGHT + 11 * HOUR),
            ("0 0 1 * * sat", MIDNIGHT + 6 * DAY + HOUR),
            ("0 0 1 ? * SUN", MIDNIGHT + 7 * DAY + HOUR),
            ("0 0 12 * * 7", MIDNIGHT + 12 * HOUR),
            ("0 0 0 * * 5-7", MIDNIGHT + 5 * DAY),
            ("0 0 0 * * */2", MIDNIGHT + 2 * DAY),
            ("0 0 0 1 mar *", MIDNIGHT + 14 * DAY),
            ("0 0 0 29 2 *", MIDNIGHT + (365 + 365 + 14) * DAY),
            // Both days given: the one that comes first.
            ("0 0 0 20 * mon", monday),
            ("0 0 0 16 * fri", monday),
            ("@hourly", MIDNIGHT + 11 * HOUR),
            ("@daily", monday),
            ("@midnight", monday),
            ("@weekly", MIDNIGHT + 7 * DAY),
            ("@monthly", MIDNIGHT + 14 * DAY),
            ("@yearly", MIDNIGHT + 320 * DAY),
            (" @annually ", MIDNIGHT + 320 * DAY),
        ];
        for (text, expected) in cases {
            let schedule = Schedule::parse(text).unwrap();
            assert_eq!(schedule.next_after(NOW), Some(expected), "{text:?}");
            assert_eq!(schedule.next_after(expected - 1), Some(expected), "{text:?}");
            assert!(schedule.next_after(expected) > Some(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_told() {
        let cases = [
            "",
            "* * * * *",
            "* * * * * * *",
            "60 * * * * *",
            "0 60 * * * *",
            "0 0 24 * * *",
            "0 0 0 0 * *",
            "0 0 0 32 * *",
            "0 0 0 * 13 *",
            "0 0 0 * 0 *",
            "0 0 0 * * 8",
            "0 0 0 30 2 *",
            "0 0 0 31 4,6,9,11 *",
            "-1 * * * * *",
            "+1 * * * * *",
            "1- * * * * *",
            "5-1 * * * * *",
            "*/0 * * * * *",
            "*/x * * * * *",
            "1,,2 * * * * *",
            "a * * * * *",
            "0 0 0 jan * *",
            "0 0 0 * * * x",
            "@reboot",
            "@every 5m",
            "1/2/3 * * * * *",
        ];
        for text in cases {
            assert!(Schedule::parse(text).is_err(), "{text:?}");
        }
        assert!(Schedule::parse(&"0 ".repeat(200)).is_err());
    }

    #[test]
    fn five_fields_are_six_at_the_first_second() {
        assert_eq!(with_seconds("0 */2 * * *").as_deref(), Ok("0 0 */2 * * *"));
        assert_eq!(with_seconds("@hourly").as_deref(), Ok("@hourly"));
        for text in ["0 0 */2 * * *", "", "@never", "* * * *"] {
            assert!(with_seconds(text).is_err(), "{text:?}");
        }
        let schedule = Schedule::parse_without_seconds("30 3 * * 1-5").unwrap();
        assert_eq!(schedule.next_after(NOW), Some(MIDNIGHT + DAY + 3 * HOUR + 30 * MINUTE));
        assert!(Schedule::parse_without_seconds("61 3 * * *").is_err());
    }

    #[test]
    fn every_second_of_a_week_is_found_by_looking_at_each() {
        let schedule = Schedule::parse("*/17 7,41 3-5,22 * * 1,3").unwrap();
        let mut next = schedule.next_after(NOW - 1000).unwrap();
        for second in 0..7 * 86_400 {
            let now = NOW + second * 1000;
            let (weekday, time) = ((now / DAY + 4) % 7, now % DAY / 1000);
            let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
            let fits = [1, 3].contains(&weekday)
                && [3, 4, 5, 22].contains(&hour)
                && [7, 41].contains(&minute)
                && second % 17 == 0;
            assert_eq!(fits, now == next, "{weekday} {hour}:{minute}:{second}");
            if fits {
                next = schedule.next_after(now).unwrap();
            }
        }
    }
}
