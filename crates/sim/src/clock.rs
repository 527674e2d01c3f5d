//! Simulated time: a fixed date plus what the tokio clock has counted, times a speed.
//!
//! No wall clock anywhere. A test that pauses tokio's clock stops AWS with it. Dates are formatted here since no calendar
//! crate is needed for two formats.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Where simulated time begins and how fast it runs. Clones are the same clock.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    course: Arc<Mutex<Course>>,
}

/// The course of time since it was last changed.
#[derive(Clone, Copy, Debug)]
struct Course {
    since: Instant,
    /// What had passed by then.
    passed: Duration,
    speed: f64,
}

impl Course {
    fn elapsed(self) -> Duration {
        let elapsed = Instant::now().saturating_duration_since(self.since);
        let exact = (self.speed - 1.0).abs() < f64::EPSILON;
        self.passed + if exact { elapsed } else { elapsed.mul_f64(self.speed) }
    }
}

impl Clock {
    pub(crate) fn start(speed: f64) -> Self {
        let speed = if speed.is_finite() && speed > 0.0 { speed } else { 1.0 };
        let course = Course { since: Instant::now(), passed: Duration::ZERO, speed };
        Self { course: Arc::new(Mutex::new(course)) }
    }

    /// A panic of another thread leaves a course that is still whole.
    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Simulated time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.course().elapsed()
    }

    /// Simulated seconds per second.
    pub(crate) fn speed(&self) -> f64 {
        self.course().speed
    }

    /// Lets time pass at once.
    pub(crate) fn leap(&self, time: Duration) {
        self.course().passed += time;
    }

    /// It is `passed` after the start again; the pace stays.
    pub(crate) fn set(&self, passed: Duration) {
        let mut course = self.course();
        (course.since, course.passed) = (Instant::now(), passed);
    }

    /// Lets time run faster or slower from now on; zero stops it.
    pub(crate) fn set_speed(&self, speed: f64) {
        let mut course = self.course();
        course.passed = course.elapsed();
        course.since = Instant::now();
        course.speed = if speed.is_finite() { speed.max(0.0) } else { 1.0 };
    }
}

/// Seconds since 1970, with milliseconds, as the JSON protocols write a timestamp.
pub(crate) fn seconds(epoch: SystemTime, elapsed: Duration) -> f64 {
    let since = epoch.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() + elapsed;
    (since.as_secs_f64() * 1000.0).round() / 1000.0
}

/// Milliseconds since 1970, as CloudWatch Logs writes a timestamp.
pub(crate) fn milliseconds(epoch: SystemTime, elapsed: Duration) -> i64 {
    let since = epoch.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() + elapsed;
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// `2026-01-01T00:00:00.000Z`, as the query protocol writes a timestamp.
pub(crate) fn iso(epoch: SystemTime, elapsed: Duration) -> String {
    let date = Date::of(epoch, elapsed);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year, date.month, date.day, date.hour, date.minute, date.second, date.millisecond
    )
}

/// `Thu, 01 Jan 2026 00:00:00 GMT`, for the Date header.
pub(crate) fn http(epoch: SystemTime, elapsed: Duration) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = Date::of(epoch, elapsed);
    let weekday = usize::try_from(date.days % 7).ok().and_then(|day| WEEKDAYS.get(day)).unwrap_or(&"Thu");
    let month = usize::try_from(date.month - 1).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&"Jan");
    let (day, year) = (date.day, date.year);
    format!("{weekday}, {day:02} {month} {year:04} {:02}:{:02}:{:02} GMT", date.hour, date.minute, date.second)
}

struct Date {
    days: u64,
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    millisecond: u32,
}

impl Date {
    fn of(epoch: SystemTime, elapsed: Duration) -> Self {
        let since = epoch.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() + elapsed;
        let seconds = since.as_secs();
        let days = seconds / 86_400;
        let (year, month, day) = civil(days);
        Self {
            days,
            year,
            month,
            day,
            hour: seconds % 86_400 / 3600,
            minute: seconds % 3600 / 60,
            second: seconds % 60,
            millisecond: since.subsec_millis(),
        }
    }
}

/// Year, month and day of a day counted from 1970 (the usual days-to-civil algorithm, for dates after it).
pub(crate) fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

/// The day, counted from 1970, of a date after it: the other way round.
pub(crate) fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted_month + 2) / 5 + day.saturating_sub(1);
    let of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + of_year;
    (year / 400 * 146_097 + of_era).saturating_sub(719_468)
}

/// The number of days of a month.
pub(crate) fn days_in(year: u64, month: u64) -> u64 {
    let (next_year, next_month) = if month >= 12 { (year + 1, 1) } else { (year, month + 1) };
    days(next_year, next_month, 1).saturating_sub(days(year, month, 1))
}

#[cfg(test)]
mod tests {
    use super::{http, iso};
    use std::time::{Duration, SystemTime};

    #[test]
    fn dates_are_those_of_the_calendar() {
        let epoch = SystemTime::UNIX_EPOCH;
        assert_eq!(iso(epoch, Duration::from_millis(951_782_400_500)), "2000-02-29T00:00:00.500Z");
        assert_eq!(http(epoch, Duration::from_secs(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http(epoch, Duration::from_hours(490_896)), "Thu, 01 Jan 2026 00:00:00 GMT");
    }
}
