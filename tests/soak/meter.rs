//! What is measured: calls, by a witness of the simulated AWS; its share of the time, at its door; memory, by an allocator
//! that counts; what this process takes of the machine.

use std::collections::BTreeMap;
use std::future::{Future as _, poll_fn};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as RealInstant};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use cap::Cap;
use fargateer_sim::{FaultKind, Meeting, View, Witness};
use mimalloc::MiMalloc;
use serde_json::Value;

/// Counts every byte of the heap.
#[global_allocator]
static HEAP: Cap<MiMalloc> = Cap::new(MiMalloc, usize::MAX);

/// Megabytes of heap in use.
pub fn heap() -> f64 {
    megabytes(HEAP.allocated())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

/// Megabytes of memory this process holds (Linux: VmRSS).
pub fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0 / 1e6
}

/// Processor time of this thread, in which everything happens (Linux: schedstat, in nanoseconds).
pub fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// What befalls calls for a while.
#[derive(Debug, Clone)]
pub struct Storm {
    /// Which share of the calls.
    pub share: f64,
    /// In which ways.
    pub kinds: Vec<FaultKind>,
}

/// How often an operation was called.
#[derive(Debug, Clone, Copy, Default)]
pub struct Count {
    /// All of them.
    pub asked: u64,
    /// Those that a fault befell.
    pub struck: u64,
    /// Those that AWS handled: all others were throttled for want of tokens.
    pub handled: u64,
}

/// What the simulated AWS saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Calls by service and operation.
    pub counts: BTreeMap<(String, String), Count>,
    /// When each service was last described, by name; only calls that succeeded.
    pub described: BTreeMap<String, Duration>,
    /// The writes: when, which operation, with which request. Kept while `keeps` says so.
    pub writes: Vec<(Duration, String, Value)>,
    /// Whether writes are kept.
    pub keeps: bool,
    /// What befalls calls at the moment.
    pub storm: Option<Storm>,
    /// A storm that breaks with the next call.
    pub brewing: Option<Storm>,
    /// When the last call came.
    pub last: Duration,
}

impl Seen {
    /// Forgets all counts.
    pub fn forget(&mut self) {
        self.counts.clear();
        self.writes.clear();
    }

    /// The sum over operations that `which` chooses.
    pub fn sum(&self, which: impl Fn(&str, &str) -> bool) -> Count {
        let chosen = self.counts.iter().filter(|((service, operation), _)| which(service, operation));
        chosen.fold(Count::default(), |sum, (_, count)| Count {
            asked: sum.asked + count.asked,
            struck: sum.struck + count.struck,
            handled: sum.handled + count.handled,
        })
    }

    /// Calls that were throttled although no fault was on order.
    pub fn throttled(&self) -> u64 {
        let all = self.sum(|_, _| true);
        all.asked.saturating_sub(all.struck + all.handled)
    }

    /// Mutating calls.
    pub fn changes(&self) -> u64 {
        self.sum(|_, operation| is_write(operation)).asked
    }
}

/// Whether an operation changes anything.
pub fn is_write(operation: &str) -> bool {
    !["Describe", "List", "Get"].iter().any(|prefix| operation.starts_with(prefix))
}

/// Shared with the simulated AWS.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Mutex<Seen>>);

impl Ledger {
    /// What was seen so far.
    pub fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the ledger.
#[derive(Debug)]
pub struct Clerk {
    ledger: Ledger,
    dice: fastrand::Rng,
}

impl Clerk {
    pub fn new(ledger: Ledger) -> Self {
        Self { ledger, dice: fastrand::Rng::with_seed(7) }
    }
}

impl Witness for Clerk {
    fn before(&mut self, call: &Meeting<'_>, _world: &mut View<'_>) -> Option<FaultKind> {
        let mut seen = self.ledger.lock();
        seen.last = call.at;
        if let Some(storm) = seen.brewing.take() {
            seen.storm = Some(storm);
        }
        let storm = seen.storm.as_ref().filter(|storm| self.dice.f64() < storm.share);
        let fault = storm.and_then(|storm| self.dice.choice(&storm.kinds).cloned());
        let count = count(&mut seen, call);
        count.asked += 1;
        count.struck += u64::from(fault.is_some());
        fault
    }

    fn after(&mut self, call: &Meeting<'_>, answer: Result<&Value, &str>, _world: &mut View<'_>) {
        let mut seen = self.ledger.lock();
        count(&mut seen, call).handled += 1;
        if answer.is_ok() && call.operation == "DescribeServices" {
            let names = call.request["services"].as_array().into_iter().flatten().filter_map(Value::as_str);
            for name in names {
                match seen.described.get_mut(name) {
                    Some(at) => *at = call.at,
                    None => drop(seen.described.insert(name.to_owned(), call.at)),
                }
            }
        }
        if seen.keeps && is_write(call.operation) && answer.is_ok() {
            seen.writes.push((call.at, call.operation.to_owned(), call.request.clone()));
        }
    }
}

fn count<'a>(seen: &'a mut Seen, call: &Meeting<'_>) -> &'a mut Count {
    seen.counts.entry((call.service.to_owned(), call.operation.to_owned())).or_default()
}

/// A door to the simulated AWS that knows how long people stand in it.
#[derive(Debug, Clone)]
pub struct Door {
    inner: SharedHttpClient,
    nanoseconds: Arc<AtomicU64>,
}

impl Door {
    pub fn new(inner: SharedHttpClient) -> Self {
        Self { inner, nanoseconds: Arc::default() }
    }

    /// Time on the clock that the simulated AWS took, in seconds.
    pub fn seconds(&self) -> f64 {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)).as_secs_f64()
    }
}

impl HttpClient for Door {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Leaf { inner, nanoseconds: Arc::clone(&self.nanoseconds) })
    }
}

#[derive(Debug)]
struct Leaf {
    inner: SharedHttpConnector,
    nanoseconds: Arc<AtomicU64>,
}

impl HttpConnector for Leaf {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut answer = Box::pin(self.inner.call(request));
        let nanoseconds = Arc::clone(&self.nanoseconds);
        HttpConnectorFuture::new(poll_fn(move |context| {
            let begun = RealInstant::now();
            let polled = answer.as_mut().poll(context);
            let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            nanoseconds.fetch_add(took, Ordering::Relaxed);
            polled
        }))
    }
}
