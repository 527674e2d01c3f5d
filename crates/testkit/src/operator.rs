//! One process of Fargateer in the simulation: built as the binary builds it, killed by being dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::shared::IntoShared as _;
use fargateer_api::project::RolloutRules;
use fargateer_api::status::{ConditionType, Truth as Known};
use fargateer_api::{AgentDeploymentStatus, Key};
use fargateer_aws::Aws;
use fargateer_aws::fence::Fence;
use fargateer_aws::http::Http;
use fargateer_controller::board::Board;
use fargateer_controller::fleet::Fleet;
use fargateer_controller::metrics::Metrics;
use fargateer_controller::port::{Cloud, Lease, LocalLease, Snapshot, Source, Statuses};
use fargateer_controller::replica::Replica;
use fargateer_controller::{Controller, Reconciler, Settings};
use fargateer_plan::action::Action;
use fargateer_plan::desired::Place;
use fargateer_plan::echo::Done;
use fargateer_plan::failure::Failure;
use fargateer_plan::observed::{Finding, Look};
use fargateer_plan::policy::Policy as Rules;
use fargateer_plan::prune::Policy;
use fargateer_sim::Simulation;
use fargateer_store::source::table::TableSource;
use fargateer_store::status::memory::MemoryStatuses;
use fargateer_store::status::row::RowStatuses;
use fargateer_store::table::{SpecTable, StateTable};
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::{VirtualClock, pass};
use crate::invariants::{DISPUTES, OWNER};
use crate::overseer::Signals;
use crate::plan::Slipping;
use crate::record::Records;
use crate::source::Fed;
use crate::state;
use crate::wiring::{self, REGION, SPECS, SPECS_POLL, TABLE};

/// Time between two sweeps.
const RESYNC: Duration = Duration::from_mins(10);
/// Replicas look at the lease table so often: more would cost more than all the rest of a scenario.
const LOOK: Duration = Duration::from_secs(4);

/// Time between two sweeps. Shorter among replicas: they beat and look all the time.
pub(crate) fn resync(has_peers: bool) -> Duration {
    if has_peers { Duration::from_mins(1) } else { RESYNC }
}

/// From the death of a process to the next one's start.
const RESTART: Duration = Duration::from_secs(3);
/// A Ready that was true so long ago may still be told: reads lag, and a pass takes time (I8).
const LAG: Duration = Duration::from_secs(90);

/// What a source shows a process.
type Shown = watch::Receiver<Option<Snapshot>>;

/// Where a process runs: what outlives it.
#[derive(Clone)]
pub(crate) struct Host {
    /// Its number among the replicas.
    pub(crate) number: usize,
    /// Whether there are others.
    pub(crate) has_peers: bool,
    /// Whether specs are rows of a table.
    pub(crate) rows: bool,
    /// Whether there is a second source.
    pub(crate) beside: bool,
    /// How many agents roll at the same time.
    pub(crate) max_rollouts: Option<u32>,
    pub(crate) sim: Simulation,
    pub(crate) records: Records,
    pub(crate) signals: Signals,
    pub(crate) clock: VirtualClock,
    /// What each source shows it.
    pub(crate) snapshots: Vec<Shown>,
    pub(crate) statuses: Arc<Disk>,
    /// The policy that rules, for those that start.
    pub(crate) policy: Arc<Mutex<Option<Rules>>>,
    pub(crate) gate: Gate,
    /// The one on its way to the lease table.
    pub(crate) table_gate: Gate,
    /// The process that runs at the moment, if any.
    pub(crate) running: Arc<Mutex<Option<Running>>>,
    /// How often a process was started.
    pub(crate) starts: Arc<Mutex<u32>>,
}

/// A process that runs.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) controller: Arc<Controller>,
    pub(crate) aws: Arc<Aws>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) lease: Arc<dyn Lease>,
}

impl Running {
    /// Whether a pass is under way.
    pub(crate) fn is_at_work(&self) -> bool {
        self.controller.queue.depth().running > 0
    }
}

impl Host {
    /// The process that runs at the moment.
    pub(crate) fn running(&self) -> Option<Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts processes, one after the other, for ever.
    pub(crate) async fn keep_running(self) {
        loop {
            *self.starts.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            *self.records.lock().starts.entry(self.access_key()).or_default() += 1;
            let stop = CancellationToken::new();
            let process = self.process(stop.clone());
            let told = async {
                self.signals.stop.notified().await;
                stop.cancel();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                biased;
                () = self.signals.kill.notified() => {}
                () = process => {}
                () = told => {}
            }
            *self.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
            pass(RESTART).await;
        }
    }

    async fn process(&self, stop: CancellationToken) {
        let clock = Arc::new(self.clock.clone());
        let replica = self.has_peers.then(|| Arc::new(self.replica()));
        let lease: Arc<dyn Lease> = match &replica {
            Some(replica) => replica.clone(),
            None => Arc::new(LocalLease),
        };
        let config = self.config(replica.as_ref());
        if self.has_peers {
            self.statuses.stand_on(Arc::new(StateTable::new(&config, TABLE, OWNER)));
        }
        let mut statuses: Arc<dyn Statuses> = self.statuses.clone();
        let fed = |snapshots: &Shown| -> Box<dyn Source> { Box::new(Fed::new(snapshots.clone())) };
        let mut sources: Vec<Box<dyn Source>> = self.snapshots.iter().map(fed).collect();
        if self.rows {
            let table = SpecTable::new(&config, SPECS);
            let told = Arc::new(RowStatuses::new(statuses, Arc::clone(&lease), vec![table.clone()]));
            let table = TableSource::new(table, SPECS_POLL).telling(Arc::clone(&told));
            if let Some(first) = sources.first_mut() {
                *first = Box::new(table);
            }
            statuses = told;
        }
        let Ok(board) = Board::load(statuses, clock.clone()).await else { return };
        let board = Arc::new(board);
        let policy = Policy { grace: Duration::from_mins(2), reads: 2, ..Policy::default() };
        let fleet = Arc::new(Fleet::new(Arc::clone(&board), OWNER, policy, sources.len()));
        fleet.limit_rollouts(RolloutRules { max: self.max_rollouts, stop_after_failures: None });
        let settings = fargateer_aws::Settings { http: Arc::new(Healthy), ..fargateer_aws::Settings::default() };
        let aws = Arc::new(Aws::new(config, &settings));
        let cloud = Arc::new(Poisonable { aws: Arc::clone(&aws), records: self.records.clone() });
        let reconciler = Reconciler { fleet, cloud, board, lease: Arc::clone(&lease), clock };
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let settings = Settings { workers: 8, resync: resync(self.has_peers), look: LOOK, ..Settings::default() };
        let controller = Controller::new(reconciler, settings, metrics);
        let controller = Arc::new(match replica {
            Some(replica) => controller.among(replica),
            None => controller,
        });
        if let Some(rules) = self.policy.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            controller.govern(rules);
        }
        let running = Running { controller: Arc::clone(&controller), aws, registry: Arc::new(registry), lease };
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        controller.run(sources, stop).await;
    }
}

impl Host {
    /// The state folder is lost. A table is not.
    pub(crate) fn lose_folder(&self) {
        if !self.has_peers {
            self.statuses.wipe();
        }
    }

    /// The access key by which the calls of its processes are known.
    pub(crate) fn access_key(&self) -> String {
        format!("AKIAFARGATEER{}", self.number)
    }

    /// How its processes are called among the replicas: each has a name of its own.
    fn replica(&self) -> Replica {
        let start = *self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        let config = self.config(None);
        let inner = config.http_client().unwrap_or_else(|| self.sim.connector());
        let client = Gated { inner, gate: self.table_gate.clone() };
        let table = StateTable::new(&config.into_builder().http_client(client).build(), TABLE, OWNER);
        Replica::new(Box::new(table), format!("{}{start}", self.member()))
    }

    /// What the names of its processes begin with.
    pub(crate) fn member(&self) -> String {
        format!("replica-{}-", self.number)
    }

    /// How AWS is reached: a request first gets past the gate, then past the fence, as if the process had stood still at any
    /// point before it.
    fn config(&self, replica: Option<&Arc<Replica>>) -> SdkConfig {
        let mut inner = self.sim.connector();
        if let Some(replica) = replica.cloned() {
            inner = Fence::new(inner, Arc::new(move || replica.is_alive())).into_shared();
        }
        let client = Gated { inner, gate: self.gate.clone() };
        wiring::config(&self.sim, &self.access_key(), &self.clock).into_builder().http_client(client).build()
    }
}

/// While it is closed nothing leaves the process and nothing reaches it, as if it did not run (F13).
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<Option<Instant>>>);

impl Gate {
    /// Closes for so many seconds.
    pub(crate) fn close_for(&self, seconds: u64) {
        let until = Instant::now() + Duration::from_secs(seconds);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    async fn opened(&self) {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = until {
            pass(until.saturating_duration_since(Instant::now())).await;
        }
    }
}

/// The HTTP client of a process that may stand still.
#[derive(Debug)]
struct Gated {
    inner: SharedHttpClient,
    gate: Gate,
}

impl HttpClient for Gated {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(GatedConnector { inner, gate: self.gate.clone() })
    }
}

#[derive(Debug)]
struct GatedConnector {
    inner: SharedHttpConnector,
    gate: Gate,
}

impl HttpConnector for GatedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, gate) = (self.inner.clone(), self.gate.clone());
        HttpConnectorFuture::new(async move {
            gate.opened().await;
            let answer = inner.call(request).await;
            gate.opened().await;
            answer
        })
    }
}

/// Agents that answer every smoke check.
#[derive(Debug)]
struct Healthy;

#[async_trait]
impl Http for Healthy {
    async fn ask(&self, _url: &str, _body: Option<&str>) -> Result<u16, String> {
        Ok(200)
    }
}

/// AWS, but passes over poisoned agents panic (F22).
struct Poisonable {
    aws: Arc<Aws>,
    records: Records,
}

#[async_trait]
impl Cloud for Poisonable {
    async fn look(&self, place: &Place, looks: &[Look]) -> Vec<Finding> {
        let poisoned = self.records.lock().truth.poisoned.clone();
        for name in poisoned.iter().map(|name| format!("\"{name}\"")) {
            assert!(!looks.iter().any(|look| format!("{look:?}").contains(&name)), "a poisoned agent");
        }
        self.aws.look(place, looks).await
    }

    fn distrust(&self) {
        self.aws.distrust();
    }

    async fn act(&self, place: &Place, action: &Action) -> Result<Done, Failure> {
        self.aws.act(place, action).await
    }
}

/// The state folder of a process: outlives it, fails where the plan says, and checks what is told (I8).
pub(crate) struct Disk {
    inner: Mutex<Arc<dyn Statuses>>,
    sim: Simulation,
    records: Records,
    kill: Arc<Notify>,
}

impl Disk {
    pub(crate) fn new(sim: Simulation, records: Records, kill: Arc<Notify>) -> Self {
        let inner: Arc<dyn Statuses> = Arc::new(MemoryStatuses::default());
        Self { inner: Mutex::new(inner), sim, records, kill }
    }

    /// Everything on it is lost.
    fn wipe(&self) {
        self.stand_on(Arc::new(MemoryStatuses::default()));
    }

    /// From now on the statuses are those of `inner`.
    fn stand_on(&self, inner: Arc<dyn Statuses>) {
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner) = inner;
    }

    fn statuses(&self) -> Arc<dyn Statuses> {
        Arc::clone(&self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A status that says Ready must be true (I8).
    fn check(&self, key: &Key, status: &AgentDeploymentStatus) {
        let now = self.sim.now();
        let Some(ready) = status.condition(ConditionType::Ready) else { return };
        let mut record = self.records.lock();
        if ready.message.len() > 1024 {
            record.violate(now, "I8 statuses are short", &format!("{key}: {} bytes", ready.message.len()));
        }
        let generation = status.observed_generation.as_ref().map(ToString::to_string).unwrap_or_default();
        let wording = record.truth.wording(key.as_str(), &generation).cloned();
        if record.truth.barred(key.as_str(), now).contains_key(generation.as_str()) {
            record.violate(now, DISPUTES, &format!("{key} is told to follow {generation}"));
        }
        let quiet = now.saturating_sub(record.disturbed) > LAG;
        drop(record);
        if ready.status != Known::True || !quiet {
            return;
        }
        let Some(agent) = wording else { return };
        let mut aws = asking(&self.sim);
        if let Some(why) = state::unsatisfied_but_believed(&mut aws, &agent) {
            self.records.lock().violate(now, "I8 Ready is true", &format!("{key} is told Ready: {why}"));
        }
    }
}

/// A way to ask `sim` past all faults.
pub(crate) fn asking(sim: &Simulation) -> impl FnMut(&str, &str, &Value) -> Value {
    let sim = sim.clone();
    move |service, operation, request| sim.call(REGION, service, operation, request.clone()).unwrap_or_default()
}

#[async_trait]
impl Statuses for Disk {
    async fn load(&self) -> Result<BTreeMap<Key, AgentDeploymentStatus>, String> {
        self.statuses().load().await
    }

    async fn save(&self, key: &Key, status: &AgentDeploymentStatus) -> Result<(), String> {
        self.check(key, status);
        let slip = {
            let mut record = self.records.lock();
            record.trace.add(status);
            record.slip()
        };
        match slip.map(|slip| slip.how) {
            Some(Slipping::CrashBefore) => self.die().await,
            Some(Slipping::Fails) => return Err("no space left on device".to_owned()),
            Some(Slipping::CrashAfter) => {
                self.statuses().save(key, status).await?;
                self.die().await;
            }
            None => {}
        }
        self.statuses().save(key, status).await
    }

    async fn remove(&self, key: &Key) -> Result<(), String> {
        let slip = self.records.lock().slip();
        match slip.map(|slip| slip.how) {
            Some(Slipping::CrashBefore) => self.die().await,
            Some(Slipping::Fails) => return Err("no space left on device".to_owned()),
            Some(Slipping::CrashAfter) => {
                self.statuses().remove(key).await?;
                self.die().await;
            }
            None => {}
        }
        self.statuses().remove(key).await
    }
}

impl Disk {
    async fn die(&self) {
        self.kill.notify_one();
        std::future::pending::<()>().await;
    }
}
