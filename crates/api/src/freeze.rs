//! Freeze windows: spans of time in which nothing of a project is changed. What time it is, is the caller's knowledge.
//!
//! The rules of time zones are part of the program, so that the same policy means the same on every machine.

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};

use crate::cron::Cron;
use crate::fault::Violation;
use crate::path;
use crate::project::Freeze;

/// The longest window that comes again and again.
const LONGEST: SignedDuration = SignedDuration::from_hours(31 * 24);
/// Windows that follow one another for ever end here.
const CHAIN: usize = 100;

/// A window, understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    name: String,
    zone: TimeZone,
    span: Span,
}

#[derive(Debug, Clone, PartialEq)]
enum Span {
    Once(Timestamp, Timestamp),
    Again(Cron, SignedDuration),
}

/// A freeze that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// Its end, those of the windows that follow on it included.
    pub until: Timestamp,
    /// The window's name.
    pub window: String,
}

impl Window {
    /// Understands `freeze`; what is wrong with it, else, by the field's name.
    pub fn of(freeze: &Freeze) -> Result<Self, Vec<Violation>> {
        let mut wrong = Vec::new();
        let zone = zone(&freeze.time_zone).map_err(|violation| wrong.push(violation)).ok();
        let span = span(freeze, zone.as_ref().unwrap_or(&TimeZone::UTC));
        let span = span.map_err(|violations| wrong.extend(violations)).ok();
        match (zone, span) {
            (Some(zone), Some(span)) => Ok(Self { name: freeze.name.clone(), zone, span }),
            (Some(_) | None, _) => Err(wrong),
        }
    }

    /// When the window ends that `now` lies in, if it does.
    fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let (from, until) = match self.span {
            Span::Once(from, until) => (from, until),
            Span::Again(cron, length) => {
                let begun = self.last(cron, now, length)?;
                (begun, begun.checked_add(length).ok()?)
            }
        };
        (from <= now && now < until).then_some(until)
    }

    /// The last time of `cron` that is not after `now`, as far back as matters.
    fn last(&self, cron: Cron, now: Timestamp, length: SignedDuration) -> Option<Timestamp> {
        let earliest = now.checked_sub(length).ok()?.to_zoned(self.zone.clone()).date();
        let mut date = now.to_zoned(self.zone.clone()).date();
        while date >= earliest {
            let moments = cron.times(date).filter_map(|time| self.zone.to_timestamp(date.to_datetime(time)).ok());
            if let Some(moment) = moments.filter(|moment| *moment <= now).max() {
                return Some(moment);
            }
            date = date.yesterday().ok()?;
        }
        None
    }
}

/// The freeze of `windows` that `now` lies in, if it does.
pub fn frozen(windows: &[Window], now: Timestamp) -> Option<Frozen> {
    let longest = |at: Timestamp| {
        windows.iter().filter_map(|window| Some((window.until(at)?, window))).max_by_key(|(until, _)| *until)
    };
    let (mut until, window) = longest(now)?;
    for _ in 0..CHAIN {
        let Some((later, _)) = longest(until) else { break };
        until = later;
    }
    Some(Frozen { until, window: window.name.clone() })
}

fn zone(name: &str) -> Result<TimeZone, Violation> {
    let known = TimeZoneDatabase::bundled().get(name);
    let hint = "a name of the IANA time zone database, such as `Europe/Berlin`";
    known.map_err(|_| Violation::new("timeZone", format!("`{name}` is no time zone")).hint(hint))
}

fn span(freeze: &Freeze, zone: &TimeZone) -> Result<Span, Vec<Violation>> {
    match (&freeze.from, &freeze.until, &freeze.cron, &freeze.duration) {
        (Some(from), Some(until), None, None) => once(from, until, zone),
        (None, None, Some(cron), Some(duration)) => again(cron, duration),
        _ => {
            let hint = "`from` and `until`, or `cron` and `duration`";
            Err(vec![Violation::new("", "a freeze is one span of time, or one that comes again").hint(hint)])
        }
    }
}

fn once(from: &str, until: &str, zone: &TimeZone) -> Result<Span, Vec<Violation>> {
    match (moment("from", from, zone), moment("until", until, zone)) {
        (Ok(from), Ok(until)) if from < until => Ok(Span::Once(from, until)),
        (Ok(_), Ok(_)) => Err(vec![Violation::new("until", "ends before it begins").hint("a time after `from`")]),
        (from, until) => Err([from.err(), until.err()].into_iter().flatten().collect()),
    }
}

fn again(cron: &str, duration: &str) -> Result<Span, Vec<Violation>> {
    let hint = "`minute hour day month weekday`, such as `0 18 * * FRI`";
    let cron = Cron::parse(cron).map_err(|problem| Violation::new("cron", problem).hint(hint));
    let hint = "hours and minutes, such as `62h` or `1h 30m`, at most 744h";
    let length =
        duration.parse::<SignedDuration>().ok().filter(|length| SignedDuration::ZERO < *length && *length <= LONGEST);
    let length =
        length.ok_or_else(|| Violation::new("duration", format!("`{duration}` is no length of time")).hint(hint));
    match (cron, length) {
        (Ok(cron), Ok(length)) => Ok(Span::Again(cron, length)),
        (cron, length) => Err([cron.err(), length.err()].into_iter().flatten().collect()),
    }
}

/// A time of day in the freeze's own zone; one with an offset would say where it is twice.
fn moment(field: &str, text: &str, zone: &TimeZone) -> Result<Timestamp, Violation> {
    let known = |c: char| c.is_ascii_digit() || "-:T".contains(c);
    let plain = (16..=19).contains(&text.len()) && text.chars().all(known) && text.matches('-').count() == 2;
    let moment = plain.then(|| text.parse::<DateTime>().ok()).flatten();
    let moment = moment.and_then(|moment| zone.to_timestamp(moment).ok());
    let hint = "a time in `timeZone`, without an offset, such as `2026-12-20T18:00`";
    moment.ok_or_else(|| Violation::new(field, format!("`{text}` is not a point in time")).hint(hint))
}

/// What is wrong with the freeze at `at`.
pub(crate) fn faults(freeze: &Freeze, at: &str) -> Vec<Violation> {
    let wrong = Window::of(freeze).err().unwrap_or_default();
    let placed = |violation: Violation| {
        let path = if violation.path.is_empty() { at.to_owned() } else { path::field(at, &violation.path) };
        Violation { path, ..violation }
    };
    wrong.into_iter().map(placed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn window(freeze: &Value) -> Result<Window, Vec<Violation>> {
        let mut named = json!({"name": "w"});
        named.as_object_mut().unwrap().extend(freeze.as_object().unwrap().clone());
        Window::of(&serde_json::from_value(named).unwrap())
    }

    fn until(windows: &[Value], now: &str) -> Option<String> {
        let windows = windows.iter().map(|freeze| window(freeze).unwrap()).collect::<Vec<_>>();
        frozen(&windows, now.parse().unwrap()).map(|frozen| frozen.until.to_string())
    }

    #[test]
    fn a_span_holds_from_its_first_moment_to_before_its_last_in_its_own_zone() {
        let span = json!({"from": "2026-12-20T18:00", "until": "2027-01-04T06:00", "timeZone": "Europe/Berlin"});
        let windows = [span];
        assert_eq!(until(&windows, "2026-12-20T16:59:59Z"), None);
        assert_eq!(until(&windows, "2026-12-20T17:00:00Z").as_deref(), Some("2027-01-04T05:00:00Z"));
        assert_eq!(until(&windows, "2027-01-04T05:00:00Z"), None);
    }

    #[test]
    fn a_window_comes_again_over_weekends_and_into_another_offset() {
        let weekend = json!({"cron": "0 18 * * FRI", "duration": "62h", "timeZone": "Europe/Berlin"});
        let windows = [weekend];
        assert_eq!(until(&windows, "2026-07-03T15:59:00Z"), None);
        assert_eq!(until(&windows, "2026-07-05T23:00:00Z").as_deref(), Some("2026-07-06T06:00:00Z"));
        assert_eq!(until(&windows, "2026-07-06T06:00:00Z"), None);
        // The clocks go back on 2026-10-25: the length is hours that pass, not hours on the wall.
        assert_eq!(until(&windows, "2026-10-25T12:00:00Z").as_deref(), Some("2026-10-26T06:00:00Z"));
    }

    #[test]
    fn windows_that_follow_one_another_are_one() {
        let night = json!({"cron": "0 20 * * *", "duration": "12h"});
        let day = json!({"from": "2026-07-02T08:00", "until": "2026-07-02T20:00"});
        let windows = [night, day];
        assert_eq!(until(&windows, "2026-07-02T07:00:00Z").as_deref(), Some("2026-07-03T08:00:00Z"));
        let always = json!({"cron": "0 * * * *", "duration": "1h"});
        assert!(until(&[always], "2026-07-02T07:00:00Z").is_some());
    }

    #[test]
    fn what_cannot_be_understood_is_told_by_its_field() {
        let paths = |freeze: Value| -> Vec<String> {
            window(&freeze).unwrap_err().into_iter().map(|violation| violation.path).collect()
        };
        assert_eq!(paths(json!({})), [""]);
        assert_eq!(paths(json!({"from": "2026-07-02T08:00", "duration": "1h"})), [""]);
        assert_eq!(paths(json!({"from": "2026-07-02T08:00", "until": "2026-07-02T08:00"})), ["until"]);
        assert_eq!(
            paths(json!({"from": "2026-07-02T08:00Z", "until": "soon", "timeZone": "Berlin"})),
            ["timeZone", "from", "until"]
        );
        assert_eq!(paths(json!({"cron": "99 * * * *", "duration": "3 fortnights"})), ["cron", "duration"]);
        assert_eq!(paths(json!({"cron": "0 * * * *", "duration": "745h"})), ["duration"]);
        assert_eq!(paths(json!({"cron": "0 * * * *", "duration": "-1h"})), ["duration"]);
    }
}
