//! A world for scenarios: the real controller, planner, SDK clients and wire bytes against the simulated AWS, in one
//! process, under a paused clock. Worlds are built by sentences; what AWS was asked is counted by the simulator.

mod view;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fargateer_api::status::{ConditionType, Reason, Truth};
use fargateer_api::{AgentDeploymentStatus, Key};
use fargateer_aws::Aws;
use fargateer_controller::board::Board;
use fargateer_controller::fleet::Fleet;
use fargateer_controller::metrics::Metrics;
use fargateer_controller::port::{LocalLease, Snapshot, Source, Statuses};
use fargateer_controller::{Controller, Reconciler, Settings};
use fargateer_plan::prune::Policy;
use fargateer_sim::{Call, Simulation};
use fargateer_store::status::memory::MemoryStatuses;
use fargateer_testkit::clock::VirtualClock;
use fargateer_testkit::source::snapshot;
use fargateer_testkit::wiring;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use fargateer_testkit::agent::{Agent, TARGET_GROUP};
pub use fargateer_testkit::clock::pass;
pub use fargateer_testkit::wiring::REGION;
pub use view::texts;

/// A scenario that has not settled after this much virtual time has failed.
const PATIENCE: Duration = Duration::from_hours(3);

/// A simulated AWS with one installation of Fargateer at work in it.
pub struct World {
    pub sim: Simulation,
    pub controller: Arc<Controller>,
    pub aws: Arc<Aws>,
    statuses: Arc<dyn Statuses>,
    specs: BTreeMap<String, Value>,
    feed: mpsc::UnboundedSender<Snapshot>,
    stop: CancellationToken,
    running: JoinHandle<()>,
    /// A world that is dropped ends: a scenario of many worlds would be slowed down by those before.
    _end: DropGuard,
    options: Options,
}

/// How a world differs from the usual one.
#[derive(Clone)]
pub struct Options {
    pub owner: &'static str,
    pub sim: fargateer_sim::Settings,
    pub aws: fargateer_aws::Settings,
    pub policy: Policy,
    pub resync: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            owner: "default",
            sim: fargateer_sim::Settings { throttle: true, ..fargateer_sim::Settings::default() },
            aws: fargateer_aws::Settings::default(),
            policy: Policy { grace: Duration::ZERO, reads: 1, ..Policy::default() },
            resync: Duration::from_mins(5),
        }
    }
}

impl World {
    /// The usual world.
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }

    /// A world with other options.
    pub async fn with(options: Options) -> Self {
        let sim = Simulation::new(options.sim.clone());
        sim.seed(wiring::seed());
        Self::inside(sim, options).await
    }

    /// Another installation (or another process) in the AWS of `sim`.
    pub async fn inside(sim: Simulation, options: Options) -> Self {
        Self::remembering(sim, options, Arc::new(MemoryStatuses::default())).await
    }

    async fn remembering(sim: Simulation, options: Options, statuses: Arc<dyn Statuses>) -> Self {
        let clock = Arc::new(VirtualClock::default());
        let board = Arc::new(Board::load(Arc::clone(&statuses), clock.clone()).await.expect("memory can be read"));
        let fleet = Arc::new(Fleet::new(Arc::clone(&board), options.owner, options.policy.clone(), 1));
        let aws = Arc::new(Aws::new(wiring::config(&sim, "AKIASCENARIO", &VirtualClock::default()), &options.aws));
        let reconciler = Reconciler { fleet, cloud: aws.clone(), board, lease: Arc::new(LocalLease), clock };
        let settings = Settings { resync: options.resync, ..Settings::default() };
        let controller = Arc::new(Controller::new(reconciler, settings, Metrics::register(&mut Registry::default())));
        let (feed, snapshots) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let source: Box<dyn Source> = Box::new(Fed(snapshots));
        let running = tokio::spawn(Arc::clone(&controller).run(vec![source], stop.clone()));
        let end = stop.clone().drop_guard();
        Self { sim, controller, aws, statuses, specs: BTreeMap::new(), feed, stop, running, _end: end, options }
    }

    /// Writes specs (replacing those of the same name) and lets the source be read.
    pub fn write(&mut self, agents: impl IntoIterator<Item = Agent>) {
        for agent in agents {
            self.specs.insert(agent.name().to_owned(), agent.document());
        }
        self.read();
    }

    /// Deletes the specs with these names.
    pub fn delete<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        for name in names {
            self.specs.remove(name).expect("the spec is there");
        }
        self.read();
    }

    /// The source is read (again).
    pub fn read(&self) {
        self.feed.send(snapshot(&self.specs, true)).expect("the controller runs");
    }

    /// The source is read, but not whole.
    pub fn read_partly(&self) {
        self.feed.send(snapshot(&BTreeMap::new(), false)).expect("the controller runs");
    }

    /// Lets virtual time pass until every agent is Ready or Stalled.
    pub async fn settle(&self) {
        let begun = Instant::now();
        pass(Duration::from_millis(500)).await;
        while !self.controller.is_settled() {
            assert!(begun.elapsed() < PATIENCE, "not settled after {PATIENCE:?}: {:#?}", self.summary());
            pass(Duration::from_millis(500)).await;
        }
    }

    /// Writes specs and waits until they are settled.
    pub async fn apply(&mut self, agents: impl IntoIterator<Item = Agent>) {
        self.write(agents);
        self.settle().await;
    }

    /// Lets one sweep over the fleet happen, and waits until it is settled.
    pub async fn resync(&self) {
        pass(self.options.resync.mul_f64(1.2)).await;
        self.settle().await;
    }

    /// The process ends as if killed and starts again with the same state folder.
    pub async fn restart(self) -> Self {
        self.running.abort();
        drop(self.running.await);
        let mut world = Self::remembering(self.sim, self.options, self.statuses).await;
        world.specs = self.specs;
        world.read();
        world
    }

    /// The process ends as if killed and starts again without its state folder.
    pub async fn restart_without_statuses(mut self) -> Self {
        self.statuses = Arc::new(MemoryStatuses::default());
        self.restart().await
    }

    /// The process ends gracefully.
    pub async fn end(self) {
        self.stop.cancel();
        self.running.await.expect("the controller ends cleanly");
    }

    /// The status of an agent.
    pub fn status(&self, name: &str) -> AgentDeploymentStatus {
        (*self.controller.reconciler.board.status(&Key::new(name))).clone()
    }

    /// Why the agent is (not) Ready.
    pub fn reason(&self, name: &str) -> Reason {
        let status = self.status(name);
        let ready = status.condition(ConditionType::Ready).unwrap_or_else(|| panic!("{name} has no status"));
        ready.reason
    }

    /// What is said about it.
    pub fn message(&self, name: &str) -> String {
        let status = self.status(name);
        status.condition(ConditionType::Ready).map(|ready| ready.message.clone()).unwrap_or_default()
    }

    /// The truth of a condition.
    pub fn truth(&self, name: &str, kind: ConditionType) -> Truth {
        self.status(name).condition(kind).map_or(Truth::Unknown, |condition| condition.status)
    }

    /// Whether the agent is Ready.
    #[track_caller]
    pub fn assert_ready(&self, name: &str) {
        assert_eq!(
            self.truth(name, ConditionType::Ready),
            Truth::True,
            "{name}: {:?}: {}",
            self.reason(name),
            self.message(name)
        );
    }

    /// Whether all of them are.
    #[track_caller]
    pub fn assert_all_ready<T: AsRef<str>>(&self, names: impl IntoIterator<Item = T>) {
        for name in names {
            self.assert_ready(name.as_ref());
        }
    }

    /// The mutating calls since the last `forget_calls`, as `service.Operation`.
    pub fn writes(&self) -> Vec<String> {
        self.calls(|call| call.mutating)
    }

    /// The reads since the last `forget_calls`.
    pub fn reads(&self) -> Vec<String> {
        self.calls(|call| !call.mutating)
    }

    /// The mutating calls with their requests.
    pub fn requests(&self, operation: &str) -> Vec<Value> {
        let calls = self.sim.calls();
        calls
            .into_iter()
            .filter(|call| call.operation == operation && call.error.is_none())
            .map(|call| call.request)
            .collect()
    }

    /// Starts counting anew.
    pub fn forget_calls(&self) {
        self.sim.clear_calls();
    }

    /// The service as AWS has it.
    pub fn service(&self, name: &str) -> Value {
        self.service_in("agents", name)
    }

    /// The service in another cluster.
    pub fn service_in(&self, cluster: &str, name: &str) -> Value {
        let request = json!({"cluster": cluster, "services": [name], "include": ["TAGS"]});
        let answer = self.ask("ecs", "DescribeServices", request);
        answer["services"].get(0).cloned().unwrap_or_default()
    }

    /// Somebody else's call.
    #[track_caller]
    pub fn ask(&self, service: &str, operation: &str, request: Value) -> Value {
        self.sim.call(REGION, service, operation, request).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
    }

    /// Somebody else changes the service.
    pub fn meddle(&self, name: &str, change: &Value) {
        let mut request = json!({"cluster": "agents", "service": name});
        for (key, value) in change.as_object().expect("an object") {
            request[key] = value.clone();
        }
        self.ask("ecs", "UpdateService", request);
    }

    fn calls(&self, kind: impl Fn(&Call) -> bool) -> Vec<String> {
        self.sim
            .calls()
            .iter()
            .filter(|call| kind(call))
            .map(|call| format!("{}.{}", call.service, call.operation))
            .collect()
    }

    fn summary(&self) -> Vec<String> {
        let keys = self.controller.reconciler.fleet.keys();
        keys.iter()
            .map(|key| format!("{key}: {:?} {}", self.status(key.as_str()).condition(ConditionType::Ready), ""))
            .collect()
    }
}

/// A source that says what the scenario says, every word of it.
struct Fed(mpsc::UnboundedReceiver<Snapshot>);

#[async_trait]
impl Source for Fed {
    async fn next(&mut self) -> Snapshot {
        match self.0.recv().await {
            Some(snapshot) => snapshot,
            None => std::future::pending().await,
        }
    }
}
