//! From single checks to a verdict, and when to check: the same for a container's own check and a load balancer's.
//!
//! Until the first verdict a check is made every second, so that nobody waits for what is there; only those that are an
//! interval apart count as failures.

use std::time::Duration;
use tokio::time::Instant;

/// Between two checks of something that was not healthy yet.
const EAGER: Duration = Duration::from_secs(1);

/// The checks so far.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    interval: Duration,
    /// So many passed checks make something unhealthy healthy; one does at first.
    rise: u32,
    /// So many failed checks make it unhealthy.
    fall: u32,
    /// No failure counts before this, unless a check passed.
    mercy: Instant,
    verdict: Option<bool>,
    row: u32,
    counted: Option<Instant>,
}

impl Tally {
    pub(super) fn new(interval: Duration, (rise, fall): (u32, u32), mercy: Instant) -> Self {
        Self { interval, rise, fall, mercy, verdict: None, row: 0, counted: None }
    }

    /// How long to wait for the next check.
    pub(super) fn pace(&self) -> Duration {
        if self.verdict.is_none() { self.interval.min(EAGER) } else { self.interval }
    }

    /// Takes the outcome of a check; answers the verdict, once there is one.
    pub(super) fn note(&mut self, passed: bool, now: Instant) -> Option<bool> {
        match (self.verdict, passed) {
            (None, true) => (self.verdict, self.row) = (Some(true), 0),
            (Some(true), true) | (Some(false), false) => self.row = 0,
            (Some(false), true) => self.count(self.rise, true),
            (Some(true), false) => self.count(self.fall, false),
            (None, false) => {
                let apart = self.counted.is_none_or(|counted| now.duration_since(counted) >= self.interval);
                if now >= self.mercy && apart {
                    self.counted = Some(now);
                    self.count(self.fall, false);
                }
            }
        }
        self.verdict
    }

    fn count(&mut self, enough: u32, verdict: bool) {
        self.row += 1;
        if self.row >= enough {
            (self.verdict, self.row) = (Some(verdict), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn one_passed_check_is_enough_at_first_and_then_so_many_in_a_row() {
        let now = Instant::now();
        let mut tally = Tally::new(seconds(10), (2, 3), now);
        assert_eq!(tally.note(true, now), Some(true));
        let outcomes = [false, false, true, false, false, false, true, true].map(|passed| tally.note(passed, now));
        let healthy = [true, true, true, true, true, false, false, true];
        assert_eq!(outcomes, healthy.map(Some));
    }

    #[test]
    fn eager_checks_that_fail_count_once_an_interval_and_not_within_the_start_period() {
        let start = Instant::now();
        let mut tally = Tally::new(seconds(5), (1, 2), start + seconds(10));
        let verdicts: Vec<_> = (0..20).map(|second| tally.note(false, start + seconds(second))).collect();
        assert_eq!(verdicts.iter().position(Option::is_some), Some(15));
        assert_eq!(verdicts[15], Some(false));
    }
}
