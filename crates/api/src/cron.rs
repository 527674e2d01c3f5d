//! The five fields of cron: minute, hour, day of month, month, day of week - and when they last matched.
//!
//! As Vixie's cron has it: where both days are restricted, either will do. Names (`MON`, `JAN`), lists, ranges and steps are
//! known; seconds, years, `L`, `W`, `#` and `@daily` are not.

use jiff::civil::{Date, Time};

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Points in time that come again and again. Each field is a set of numbers, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether the day of the month, and that of the week, is left open.
    open: (bool, bool),
}

impl Cron {
    /// Reads five fields; what is wrong with them, else.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let fields = text.split_ascii_whitespace().collect::<Vec<_>>();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(format!("{} fields instead of five", fields.len()));
        };
        let sunday = |set: u64| (set | (set >> 7 & 1)) & 0x7f;
        Ok(Self {
            minutes: set(minutes, (0, 59), &[])?,
            hours: set(hours, (0, 23), &[])?,
            days: set(days, (1, 31), &[])?,
            months: set(months, (1, 12), &MONTHS)?,
            weekdays: sunday(set(weekdays, (0, 7), &DAYS)?),
            open: (days.starts_with('*'), weekdays.starts_with('*')),
        })
    }

    /// The matching times of `date`, latest first.
    pub(crate) fn times(self, date: Date) -> impl Iterator<Item = Time> {
        let hours = (0..24_i8).rev().filter(move |hour| self.matches(date) && has(self.hours, *hour));
        hours.flat_map(move |hour| {
            let minutes = (0..60_i8).rev().filter(move |minute| has(self.minutes, *minute));
            minutes.filter_map(move |minute| Time::new(hour, minute, 0, 0).ok())
        })
    }

    fn matches(self, date: Date) -> bool {
        let of_month = has(self.days, date.day());
        let of_week = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        let day = if self.open.0 || self.open.1 { of_month && of_week } else { of_month || of_week };
        day && has(self.months, date.month())
    }
}

fn has(set: u64, number: i8) -> bool {
    set >> number & 1 == 1
}

/// The numbers a field names.
fn set(field: &str, bounds: (u8, u8), names: &[&str]) -> Result<u64, String> {
    field.split(',').try_fold(0, |all, part| Ok(all | part_of(part, bounds, names)?))
}

/// `*`, `5`, `1-5`, `*/15`, `0-30/10`.
fn part_of(part: &str, (first, last): (u8, u8), names: &[&str]) -> Result<u64, String> {
    let wrong = || format!("`{part}` is not within {first} to {last}");
    let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
    let (from, to) = match range.split_once('-') {
        None if range == "*" => (first, last),
        None => {
            let one = number(range, first, names).ok_or_else(wrong)?;
            (one, if step.is_some() { last } else { one })
        }
        Some((from, to)) => {
            (number(from, first, names).ok_or_else(wrong)?, number(to, first, names).ok_or_else(wrong)?)
        }
    };
    let step = step.map_or(Some(1), |step| step.parse::<u8>().ok()).filter(|step| *step > 0).ok_or_else(wrong)?;
    if from < first || to > last || from > to {
        return Err(wrong());
    }
    Ok((from..=to).step_by(usize::from(step)).fold(0, |set, number| set | 1 << number))
}

fn number(text: &str, first: u8, names: &[&str]) -> Option<u8> {
    let by_name = names.iter().position(|name| name.eq_ignore_ascii_case(text));
    let by_name = by_name.and_then(|index| u8::try_from(index).ok()).map(|index| index + first);
    by_name.or_else(|| text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(cron: &str, date: &str) -> Vec<String> {
        Cron::parse(cron).unwrap().times(date.parse().unwrap()).map(|time| time.to_string()).collect()
    }

    #[test]
    fn the_times_of_a_day_come_latest_first() {
        assert_eq!(times("0,30 8-9 * * *", "2026-07-01"), ["09:30:00", "09:00:00", "08:30:00", "08:00:00"]);
        assert_eq!(times("*/20 23 1 JUL *", "2026-07-01"), ["23:40:00", "23:20:00", "23:00:00"]);
        assert_eq!(times("0 0 1 8 *", "2026-07-01"), [] as [&str; 0]);
    }

    #[test]
    fn either_day_will_do_where_both_are_restricted() {
        // 2026-07-03 is a Friday.
        assert_eq!(times("0 18 * * FRI", "2026-07-03").len(), 1);
        assert_eq!(times("0 18 * * fri", "2026-07-04").len(), 0);
        assert_eq!(times("0 18 4 * 5", "2026-07-03").len(), 1);
        assert_eq!(times("0 18 4 * 5", "2026-07-04").len(), 1);
        assert_eq!(times("0 18 * * 7", "2026-07-05").len(), 1);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "+1 * * * *",
            "@daily",
            "1,,2 * * * *",
            "* * L * *",
        ] {
            assert!(Cron::parse(text).is_err(), "{text}");
        }
    }
}
