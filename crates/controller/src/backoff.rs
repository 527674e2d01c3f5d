//! How long a failed agent waits, by class of failure. The only user of the `backoff` crate.
//!
//! Jitter is ours: the crate draws it from a global random source, which a simulation could not replay. Its time limit is
//! off: by default it gives up after fifteen minutes, and nothing here is ever given up.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;
use fargateer_api::seeded::{Bug, has};
use fargateer_plan::failure::Class;

/// The schedule of one class.
struct Schedule {
    first: Duration,
    cap: Duration,
    factor: f64,
    /// Whether the wait is drawn from nothing up to the computed one, so that a fleet does not retry in step.
    full_jitter: bool,
}

fn schedule(class: Class) -> Schedule {
    let (first, cap, factor, full_jitter) = match class {
        // The token buckets already slow down; this only keeps the key out of the way for a moment.
        Class::Throttled => (1, 5, 1.5, true),
        Class::Transient => (1, 300, 2.0, true),
        Class::Conflict => (10, 10, 1.0, false),
        Class::NotYetVisible => (2, 30, 2.0, false),
        Class::Denied => (120, 900, 2.0, false),
        Class::Invalid => (3600, 3600, 1.0, false),
    };
    Schedule { first: Duration::from_secs(first), cap: Duration::from_secs(cap), factor, full_jitter }
}

/// The waits of one agent: they grow while it keeps failing in the same way.
#[derive(Debug)]
pub struct Backoff {
    class: Class,
    inner: ExponentialBackoff,
    failures: u32,
}

impl Backoff {
    /// The first failure of `class`.
    pub fn new(class: Class) -> Self {
        let Schedule { first, cap, factor, full_jitter: _ } = schedule(class);
        let inner = ExponentialBackoff {
            initial_interval: first,
            current_interval: first,
            max_interval: cap,
            multiplier: factor,
            randomization_factor: 0.0,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        Self { class, inner, failures: 0 }
    }

    /// The class that is being waited for.
    pub fn class(&self) -> Class {
        self.class
    }

    /// How often it failed in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// How long to wait after one more failure.
    pub fn wait(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let schedule = schedule(self.class);
        let wait = self.inner.next_backoff().unwrap_or(schedule.cap);
        if has(Bug::NeverAgain) && self.class == Class::Denied {
            return Duration::from_hours(24 * 365);
        }
        if schedule.full_jitter { wait.mul_f64(fastrand::f64()).max(Duration::from_millis(100)) } else { wait }
    }
}

/// `duration`, give or take `share` of it.
pub fn jitter(duration: Duration, share: f64) -> Duration {
    duration.mul_f64(1.0 - share + 2.0 * share * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transient_failures_wait_longer_up_to_five_minutes() {
        let mut backoff = Backoff::new(Class::Transient);
        let waits: Vec<Duration> = (0..40).map(|_| backoff.wait()).collect();
        assert!(waits.iter().all(|wait| *wait <= Duration::from_mins(5)), "{waits:?}");
        assert!(waits[0] <= Duration::from_secs(1));
        assert!(waits[12..].iter().max().unwrap() > &Duration::from_secs(30), "grows: {waits:?}");
    }

    #[test]
    fn a_conflict_is_tried_every_ten_seconds() {
        let mut backoff = Backoff::new(Class::Conflict);
        assert!((0..5).all(|_| backoff.wait() == Duration::from_secs(10)));
    }

    #[test]
    fn nothing_is_ever_given_up() {
        let mut backoff = Backoff::new(Class::Denied);
        assert_eq!((0..100).map(|_| backoff.wait()).last(), Some(Duration::from_mins(15)));
    }
}
