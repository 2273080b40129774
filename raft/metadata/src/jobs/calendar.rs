//! Days of the calendar, in UTC: no zones, no daylight saving, no leap seconds.

/// Seconds of a day.
pub(super) const DAY_S: u64 = 86_400;

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    /// From 1970 on.
    pub(super) year: u64,
    /// From 1 on.
    pub(super) month: u32,
    /// Of the month, from 1 on.
    pub(super) day: u32,
    /// 0 for Sunday.
    pub(super) weekday: u32,
}

impl Day {
    /// The day so many days after 1 January 1970, which was a Thursday.
    pub(super) fn after_epoch(days: u64) -> Self {
        let weekday = u32::try_from((days + 4) % 7).unwrap_or(0);
        // Four hundred years always have the same number of days; whole ones are skipped.
        const ERA_DAYS: u64 = 146_097;
        let (mut year, mut left) = (1970 + days / ERA_DAYS * 400, days % ERA_DAYS);
        while left >= days_of_year(year) {
            left -= days_of_year(year);
            year += 1;
        }
        let mut month = 1;
        while left >= u64::from(days_of_month(year, month)) {
            left -= u64::from(days_of_month(year, month));
            month += 1;
        }
        Self { year, month, day: u32::try_from(left).unwrap_or(0) + 1, weekday }
    }

    /// The day after it.
    pub(super) fn next(self) -> Self {
        let weekday = (self.weekday + 1) % 7;
        if self.day < days_of_month(self.year, self.month) {
            Self { day: self.day + 1, weekday, ..self }
        } else if self.month < 12 {
            Self { month: self.month + 1, day: 1, weekday, ..self }
        } else {
            Self { year: self.year + 1, month: 1, day: 1, weekday }
        }
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_of_month(year: u64, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::Day;

    #[test]
    fn days_are_those_of_the_calendar() {
        let day = |year, month, day, weekday| Day { year, month, day, weekday };
        let cases = [
            (0, day(1970, 1, 1, 4)),
            (58, day(1970, 2, 28, 6)),
            (59, day(1970, 3, 1, 0)),
            (11_016, day(2000, 2, 29, 2)),
            (19_782, day(2024, 2, 29, 4)),
            (20_499, day(2026, 2, 15, 0)),
            (47_540, day(2100, 2, 28, 0)),
            (47_541, day(2100, 3, 1, 1)),
            (146_097, day(2370, 1, 1, 4)),
        ];
        for (days, expected) in cases {
            assert_eq!(Day::after_epoch(days), expected, "{days}");
        }
    }

    #[test]
    fn the_next_day_is_the_one_after() {
        let mut day = Day::after_epoch(0);
        for days in 1..200_000 {
            day = day.next();
            assert_eq!(day, Day::after_epoch(days));
        }
    }
}
