//! Time that passes with tokio's paused clock, and may be wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use fargateer_controller::port::Clock;
use jiff::Timestamp;
use tokio::time::Instant;

/// A wall clock over virtual time. Clones share one skew.
#[derive(Debug, Clone)]
pub struct VirtualClock {
    start: Instant,
    skew: Arc<AtomicI64>,
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self { start: Instant::now(), skew: Arc::default() }
    }
}

impl VirtualClock {
    /// Sets the clock wrong by so many seconds.
    pub fn set_skew(&self, seconds: i64) {
        self.skew.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::try_from(TimeSource::now(self)).unwrap_or_default()
    }
}

impl TimeSource for VirtualClock {
    fn now(&self) -> SystemTime {
        // The simulated AWS starts at the same date, so that the SDK sees no clock skew but the one asked for.
        let right = fargateer_sim::Settings::default().epoch + self.start.elapsed();
        let skew = self.skew.load(Ordering::Relaxed);
        let by = Duration::from_secs(skew.unsigned_abs());
        if skew < 0 { right - by } else { right + by }
    }
}

/// Lets virtual time pass.
pub async fn pass(time: Duration) {
    drop(tokio::time::timeout(time, std::future::pending::<()>()).await);
}
