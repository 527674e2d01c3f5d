//! What the controller counts, under the names people know from controller-runtime. All series exist from the start.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::next::Next;
use crate::queue::Depth;

/// How a pass ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    result: String,
}

/// The controller's metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    reconciles: Family<Outcome, Counter>,
    panics: Counter,
    time: Histogram,
    queued: Histogram,
    ready: Gauge,
    delayed: Gauge,
    active: Gauge,
    longest: Gauge<f64, std::sync::atomic::AtomicU64>,
    alive: Gauge,
    shards: Gauge,
}

const RESULTS: &[&str] = &["success", "requeue_after", "error", "stalled"];

impl Metrics {
    /// The metrics, registered in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let seconds = || Histogram::new([0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0, 60.0]);
        let metrics = Self {
            reconciles: Family::default(),
            panics: Counter::default(),
            time: seconds(),
            queued: seconds(),
            ready: Gauge::default(),
            delayed: Gauge::default(),
            active: Gauge::default(),
            longest: Gauge::default(),
            alive: Gauge::default(),
            shards: Gauge::default(),
        };
        for result in RESULTS {
            drop(metrics.reconciles.get_or_create(&Outcome { result: (*result).to_owned() }));
        }
        registry.register("fargateer_reconcile", "Passes by result", metrics.reconciles.clone());
        registry.register("fargateer_reconcile_panics", "Passes that panicked", metrics.panics.clone());
        registry.register("fargateer_reconcile_time_seconds", "Duration of a pass", metrics.time.clone());
        registry.register(
            "workqueue_queue_duration_seconds",
            "Time a key was ready before a worker took it",
            metrics.queued.clone(),
        );
        registry.register("workqueue_depth", "Keys ready for a worker", metrics.ready.clone());
        registry.register("workqueue_delayed", "Keys that wait for their time", metrics.delayed.clone());
        registry.register("fargateer_active_workers", "Passes under way", metrics.active.clone());
        registry.register(
            "workqueue_longest_running_processor_seconds",
            "How long the slowest pass under way has taken",
            metrics.longest.clone(),
        );
        registry.register("fargateer_lease_held", "1 while this replica may write", metrics.alive.clone());
        registry.register("fargateer_shards_owned", "How many of the 256 shards are ours", metrics.shards.clone());
        metrics.show_lease(true, 256);
        metrics
    }

    /// Counts a pass.
    pub fn passed(&self, next: Next, waited: Duration, took: Duration) {
        let result = match next {
            Next::Resync | Next::Forget | Next::Yield => "success",
            Next::Wait(_) | Next::At(_) => "requeue_after",
            Next::Retry(_) => "error",
            Next::Slow => "stalled",
        };
        self.reconciles.get_or_create(&Outcome { result: result.to_owned() }).inc();
        self.queued.observe(waited.as_secs_f64());
        self.time.observe(took.as_secs_f64());
    }

    /// Counts a pass that panicked.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// Shows the lease. One process alone holds everything all the time.
    pub fn show_lease(&self, held: bool, shards: usize) {
        self.alive.set(i64::from(held));
        self.shards.set(i64::try_from(shards).unwrap_or(i64::MAX));
    }

    /// Shows the queue.
    pub fn show(&self, depth: Depth) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.ready.set(gauge(depth.ready));
        self.delayed.set(gauge(depth.delayed));
        self.active.set(gauge(depth.running));
        self.longest.set(depth.longest.as_secs_f64());
    }
}
