//! Schedules of scheduled actions: `at(...)`, `rate(...)` and `cron(...)`, as functions of seconds since 1970.
//!
//! Application Auto Scaling API reference, ScheduledAction. Of cron, `*`, `?`, lists, ranges, steps, names and a final `L` of
//! the month are understood. Zones other than `Etc/GMT±n` are taken for UTC: no table of zones is carried for them.

use crate::clock;
use std::collections::BTreeSet;

const DAY: i64 = 86_400;

/// When an action is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Schedule {
    At(i64),
    Rate(i64),
    Cron(Box<Cron>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cron {
    minutes: BTreeSet<u32>,
    hours: BTreeSet<u32>,
    days: BTreeSet<u32>,
    last_day: bool,
    months: BTreeSet<u32>,
    weekdays: BTreeSet<u32>,
    years: BTreeSet<u32>,
}

/// Reads a schedule, unless it is none.
pub(super) fn parse(text: &str) -> Option<Schedule> {
    let (kind, rest) = text.split_once('(')?;
    let inner = rest.strip_suffix(')')?;
    match kind {
        "at" => date(inner).map(Schedule::At),
        "rate" => rate(inner).map(Schedule::Rate),
        "cron" => cron(inner).map(|cron| Schedule::Cron(Box::new(cron))),
        _ => None,
    }
}

/// Seconds since 1970 of `2030-01-31T08:00:00`.
fn date(text: &str) -> Option<i64> {
    let (day, time) = text.split_once('T')?;
    let numbers =
        |text: &str, by: char| text.split(by).map(|part| part.parse::<u64>().ok()).collect::<Option<Vec<_>>>();
    let (day, time) = (numbers(day, '-')?, numbers(time, ':')?);
    let (&[year, month, day], &[hour, minute, second]) = (day.as_slice(), time.as_slice()) else {
        return None;
    };
    let valid = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=clock::days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let seconds = clock::days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    i64::try_from(seconds).ok().filter(|_| valid)
}

fn rate(text: &str) -> Option<i64> {
    let (value, unit) = text.split_once(' ')?;
    let value: i64 = value.parse().ok().filter(|value| (1..=1_000_000).contains(value))?;
    let unit = match unit.trim() {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3600,
        "day" | "days" => DAY,
        _ => return None,
    };
    Some(value * unit)
}

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

fn cron(text: &str) -> Option<Cron> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let &[minutes, hours, days, months, weekdays, years] = fields.as_slice() else {
        return None;
    };
    let last_day = days == "L";
    Some(Cron {
        minutes: field(minutes, (0, 59), &[])?,
        hours: field(hours, (0, 23), &[])?,
        days: if last_day { BTreeSet::new() } else { field(days, (1, 31), &[])? },
        last_day,
        months: field(months, (1, 12), &MONTHS)?,
        weekdays: field(weekdays, (1, 7), &WEEKDAYS)?,
        years: field(years, (1970, 2199), &[])?,
    })
}

/// The numbers of a cron field; `names` stand for the numbers from one on.
fn field(text: &str, (least, most): (u32, u32), names: &[&str]) -> Option<BTreeSet<u32>> {
    let number = |text: &str| {
        let spelt =
            names.iter().position(|name| name.eq_ignore_ascii_case(text)).and_then(|at| u32::try_from(at + 1).ok());
        spelt.or_else(|| text.parse().ok()).filter(|number| (least..=most).contains(number))
    };
    let mut all = BTreeSet::new();
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let step: u32 = step.map_or(Some(1), |step| step.parse().ok()).filter(|step| *step > 0)?;
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (number(from)?, number(to)?),
            None if matches!(range, "*" | "?") => (least, most),
            None if part.contains('/') => (number(range)?, most),
            None => (number(range)?, number(range)?),
        };
        if from > to {
            return None;
        }
        all.extend((from..=to).step_by(step as usize));
    }
    Some(all)
}

/// Whether a time zone is one; a list of all would be longer than what depends on it.
pub(super) fn zone(name: &str) -> bool {
    const AREAS: [&str; 14] = [
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Brazil",
        "Canada",
        "Etc",
        "Europe",
        "Indian",
        "Pacific",
        "US",
    ];
    let area = name.split('/').next().unwrap_or_default();
    matches!(name, "UTC" | "GMT" | "Zulu" | "CET" | "EET" | "MET" | "WET" | "Japan" | "Singapore")
        || (AREAS.contains(&area) && name.len() > area.len() + 1)
}

/// How many seconds a zone is ahead of UTC. The sign of `Etc/GMT+3` is the other way round, as POSIX has it.
fn ahead(zone: &str) -> i64 {
    let hours = zone.strip_prefix("Etc/GMT").and_then(|hours| hours.parse::<i64>().ok());
    -3600 * hours.filter(|hours| (-14..=12).contains(hours)).unwrap_or(0)
}

/// The first time after `now` at which an action is due, if there is one within eight years.
pub(super) fn next(schedule: &Schedule, zone: &str, now: i64) -> Option<i64> {
    let ahead = ahead(zone);
    match schedule {
        Schedule::At(at) => Some(at - ahead).filter(|at| *at > now),
        Schedule::Rate(seconds) => Some(now + seconds),
        Schedule::Cron(cron) => next_cron(cron, now + ahead).map(|at| at - ahead),
    }
}

fn next_cron(cron: &Cron, now: i64) -> Option<i64> {
    let today = now.div_euclid(DAY);
    for day in today..today + 8 * 366 {
        if !falls_on(cron, u64::try_from(day).ok()?) {
            continue;
        }
        let times = cron.hours.iter().flat_map(|hour| cron.minutes.iter().map(move |minute| (hour, minute)));
        let mut moments = times.map(|(hour, minute)| day * DAY + i64::from(*hour) * 3600 + i64::from(*minute) * 60);
        if let Some(moment) = moments.find(|moment| *moment > now) {
            return Some(moment);
        }
    }
    None
}

fn falls_on(cron: &Cron, day: u64) -> bool {
    let (year, month, date) = clock::civil(day);
    // Day 0 was a Thursday, the fifth day of a week that begins on Sunday.
    let weekday = (day + 4) % 7 + 1;
    let has = |set: &BTreeSet<u32>, number: u64| u32::try_from(number).is_ok_and(|number| set.contains(&number));
    let day_of_month = if cron.last_day { date == clock::days_in(year, month) } else { has(&cron.days, date) };
    day_of_month && has(&cron.months, month) && has(&cron.weekdays, weekday) && has(&cron.years, year)
}

#[cfg(test)]
mod tests {
    use super::{next, parse, zone};

    /// Thursday, 2026-01-01T00:00:00Z.
    const NEW_YEAR: i64 = 1_767_225_600;

    fn after(text: &str, zone: &str) -> Option<i64> {
        next(&parse(text).unwrap(), zone, NEW_YEAR).map(|at| at - NEW_YEAR)
    }

    #[test]
    fn the_next_time_of_a_schedule() {
        let day = 86_400;
        assert_eq!(after("at(2026-01-02T03:04:05)", "UTC"), Some(day + 3 * 3600 + 4 * 60 + 5));
        assert_eq!(after("at(2025-01-02T03:04:05)", "UTC"), None);
        assert_eq!(after("rate(5 minutes)", "UTC"), Some(300));
        assert_eq!(after("cron(0 8 * * ? *)", "UTC"), Some(8 * 3600));
        assert_eq!(after("cron(0 8 * * ? *)", "Etc/GMT-2"), Some(6 * 3600));
        assert_eq!(after("cron(0/15 * * * ? *)", "UTC"), Some(900));
        assert_eq!(after("cron(30 12 ? * MON-WED *)", "UTC"), Some(4 * day + 12 * 3600 + 30 * 60));
        assert_eq!(after("cron(0 0 L FEB ? *)", "UTC"), Some((31 + 27) * day));
        assert_eq!(after("cron(0 0 1 1 ? 2026)", "UTC"), None);
    }

    #[test]
    fn what_is_no_schedule() {
        for text in [
            "",
            "daily",
            "cron(0 8 * * *)",
            "cron(60 8 * * ? *)",
            "rate(0 minutes)",
            "rate(5 moons)",
            "at(2026-02-30T00:00:00)",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert!(zone("Europe/Berlin") && zone("UTC") && !zone("Moon/Crater") && !zone("Europe"));
    }
}
