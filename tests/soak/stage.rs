//! The stage: a simulated AWS in which a fleet has been running for long, and one process of Fargateer that comes to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fargateer_api::status::SourceStatus;
use fargateer_api::{AgentDeploymentStatus, Key};
use fargateer_aws::Aws;
use fargateer_controller::board::Board;
use fargateer_controller::fleet::Fleet;
use fargateer_controller::metrics::Metrics;
use fargateer_controller::port::{Cloud, Document, LocalLease, Snapshot, Statuses};
use fargateer_controller::{Controller, Reconciler, Settings};
use fargateer_plan::action::Action;
use fargateer_plan::desired::{Circumstances, Obstacle, Place, Spec};
use fargateer_plan::echo::Done;
use fargateer_plan::failure::Failure;
use fargateer_plan::observed::{Finding, Look};
use fargateer_plan::pass::{Pass, Step};
use fargateer_plan::prepared::Prepared;
use fargateer_plan::prune::Policy;
use fargateer_plan::seen::Seen;
use fargateer_plan::{log_group, scaling, service, tags, task_definition};
use fargateer_sim::{Seed, Simulation};
use fargateer_testkit::clock::{VirtualClock, pass};
use fargateer_testkit::source::{Fed, snapshot};
use fargateer_testkit::{Agent, wiring};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::meter::{Clerk, Door, Ledger};

/// Who owns the fleet.
const OWNER: &str = "soak";
/// Time between two sweeps.
pub const RESYNC: Duration = Duration::from_mins(5);
/// A cluster has no more than 5,000 services.
const CLUSTERS: [&str; 4] = ["agents", "batch", "desk", "night"];
/// Where a fleet stands that is too large for the rates of one region.
const REGIONS: [&str; 5] = ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-northeast-1"];

/// A simulated AWS, what is seen of it, and the specs people wrote.
pub struct Stage {
    pub sim: Simulation,
    pub ledger: Ledger,
    pub clock: VirtualClock,
    pub documents: BTreeMap<Key, Vec<Document>>,
}

impl Stage {
    /// An AWS with its token buckets, in which `agents` agents have long been running, spread over `regions` regions.
    pub async fn with(agents: usize, regions: usize) -> Self {
        let sim = Simulation::new(fargateer_sim::Settings { throttle: true, ..fargateer_sim::Settings::default() });
        for region in REGIONS.iter().take(regions) {
            let clusters = CLUSTERS.map(str::to_owned).to_vec();
            sim.seed(Seed { region: (*region).to_owned(), clusters, ..wiring::seed() });
        }
        let ledger = Ledger::default();
        let mut stage = Self { sim, ledger, clock: VirtualClock::default(), documents: BTreeMap::new() };
        for number in 0..agents {
            let region = REGIONS[number % regions];
            let document = document(agent(number).with("region", json!(region)));
            plant(&stage.sim, region, &document);
            stage.documents.insert(Key::new(name(number)), vec![document]);
        }
        for _ in 0..30 {
            pass(Duration::from_secs(10)).await;
            stage.sim.next_event();
        }
        stage.sim.witness(Box::new(Clerk::new(stage.ledger.clone())));
        stage
    }

    /// What people wrote, as one snapshot.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { source: "soak".to_owned(), whole: true, documents: self.documents.clone(), ..Snapshot::default() }
    }

    /// Lets virtual time pass; the record of calls is not kept.
    pub async fn pass(&self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(Duration::from_mins(1));
            pass(step).await;
            self.sim.clear_calls();
            left -= step;
        }
    }

    /// Somebody else changes a service.
    pub fn meddle(&self, number: usize, regions: usize, change: &Value) {
        let mut request = json!({"cluster": cluster(number), "service": name(number)});
        request.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        let region = REGIONS[number % regions];
        self.sim.call(region, "ecs", "UpdateService", request).expect("the service is there");
    }

    /// The service as AWS has it.
    pub fn service(&self, name: &str, cluster: &str) -> Value {
        let request = json!({"cluster": cluster, "services": [name]});
        let answer = self.sim.call(wiring::REGION, "ecs", "DescribeServices", request).unwrap_or_default();
        answer["services"].get(0).cloned().unwrap_or_default()
    }
}

/// The name of an agent.
pub fn name(number: usize) -> String {
    format!("agent-{number:05}")
}

/// Where it runs.
pub fn cluster(number: usize) -> &'static str {
    CLUSTERS[number % CLUSTERS.len()]
}

/// One agent of the fleet: every fourth is scaled, for a region has no more than 3,000 scalable targets.
pub fn agent(number: usize) -> Agent {
    let agent = Agent::named(&name(number)).with("cluster", json!(cluster(number)));
    if (number / 4).is_multiple_of(4) { agent.scaled(1, 4) } else { agent }
}

/// What a source says about an agent.
pub fn document(agent: Agent) -> Document {
    let specs = BTreeMap::from([(agent.name().to_owned(), agent.document())]);
    let found = snapshot(&specs, true).documents.into_values().flatten().next();
    found.expect("one document")
}

/// A spec nobody can use.
pub fn broken(number: usize) -> Document {
    let location = format!("soak/{}.yaml:1", name(number));
    let source = SourceStatus { location, ..SourceStatus::default() };
    Document { agent: None, faults: vec!["spec.cluster: missing".to_owned()], source }
}

/// Carries out what the planner makes of a spec, past all rates: the fleet has been there for long.
fn plant(sim: &Simulation, region: &str, document: &Document) {
    let agent = document.agent.clone().expect("a good spec");
    let key = agent.key();
    let agent = Prepared::of(agent);
    let spec =
        Spec::Present { agent, source: document.source.clone(), faults: Vec::new(), obstacle: Obstacle::Wording };
    let circumstances = Circumstances { owner: OWNER.to_owned(), ..Circumstances::default() };
    let mut pass = Pass::toward(key, spec, circumstances);
    loop {
        match pass.decide().expect("a plan") {
            Step::Look(looks) => pass.see(looks.iter().map(nothing).collect()),
            Step::Act(actions) => {
                for action in actions {
                    let done = carry_out(sim, region, &action);
                    pass.did(action, done);
                }
            }
            Step::Ask => panic!("nobody limits rollouts here"),
            Step::Rest => return,
        }
    }
}

/// Nothing is there yet.
fn nothing(look: &Look) -> Finding {
    match look {
        Look::Service { .. } => Finding::Service(Seen::Absent),
        Look::LogGroup(_) | Look::LogGroupNow(_) => Finding::LogGroup(Seen::Absent),
        Look::Scaling { .. } => Finding::Scaling(Seen::Absent),
        Look::Revision(_) => Finding::Revision(Seen::Absent),
        Look::Revisions(_) => Finding::Revisions(Seen::Present(Vec::new())),
        other => panic!("nobody plants what needs {other:?}"),
    }
}

fn carry_out(sim: &Simulation, region: &str, action: &Action) -> Done {
    let tag = |arn: &str, tags: &tags::Tags| json!({"resourceArn": arn, "tags": tags::to_list(tags)});
    let request = match action {
        Action::LogGroup(log_group::Change::Create { name, tags }) => json!({"logGroupName": name, "tags": tags}),
        Action::LogGroup(log_group::Change::Retention { name, days }) => {
            json!({"logGroupName": name, "retentionInDays": days})
        }
        Action::TaskDefinition(task_definition::Change::Register(request))
        | Action::Service(service::Change::Create(request) | service::Change::Update(request))
        | Action::Scaling(scaling::Change::Register(request) | scaling::Change::PutPolicy(request)) => request.clone(),
        Action::TaskDefinition(task_definition::Change::Tag { arn, tags })
        | Action::Service(service::Change::Tag { arn, tags }) => tag(arn, tags),
        other => panic!("nobody plants with {other}"),
    };
    let (service, operation) = action.operation().split_once('.').expect("service and operation");
    let answer = sim.call(region, service, operation, request).unwrap_or_else(|error| panic!("{operation}: {error:?}"));
    if operation == "RegisterTaskDefinition" {
        return Done::Revision(task_definition::Live::from_answer(&answer).expect("a revision"));
    }
    let document = answer.get("service").and_then(Value::as_object).cloned();
    document.map_or(Done::Nothing, |document| Done::Service(service::Live { document }))
}

/// Statuses that are kept nowhere: a folder on a disk takes no memory.
#[derive(Debug, Default)]
pub struct Nowhere;

#[async_trait]
impl Statuses for Nowhere {
    async fn load(&self) -> Result<BTreeMap<Key, AgentDeploymentStatus>, String> {
        Ok(BTreeMap::new())
    }

    async fn save(&self, _key: &Key, _status: &AgentDeploymentStatus) -> Result<(), String> {
        Ok(())
    }

    async fn remove(&self, _key: &Key) -> Result<(), String> {
        Ok(())
    }
}

/// AWS, but passes over some agents panic.
struct Poisoned {
    aws: Arc<Aws>,
    names: Arc<BTreeSet<String>>,
}

#[async_trait]
impl Cloud for Poisoned {
    async fn look(&self, place: &Place, looks: &[Look]) -> Vec<Finding> {
        let poisoned = |look: &Look| matches!(look, Look::Service { service, .. } if self.names.contains(service));
        assert!(!looks.iter().any(poisoned), "{POISON}");
        self.aws.look(place, looks).await
    }

    async fn act(&self, place: &Place, action: &Action) -> Result<Done, Failure> {
        self.aws.act(place, action).await
    }
}

/// What a poisoned agent's pass dies with.
pub const POISON: &str = "a poisoned agent";

/// One process of Fargateer.
pub struct Operator {
    pub controller: Arc<Controller>,
    pub door: Door,
    pub registry: Registry,
    feed: watch::Sender<Option<Snapshot>>,
    running: JoinHandle<()>,
}

impl Operator {
    /// Starts one that remembers nothing.
    pub async fn start(stage: &Stage) -> Self {
        Self::with(stage, Arc::new(Nowhere), BTreeSet::new()).await
    }

    /// Starts one with these statuses, whose passes over `poisoned` agents panic.
    pub async fn with(stage: &Stage, statuses: Arc<dyn Statuses>, poisoned: BTreeSet<String>) -> Self {
        let clock = Arc::new(stage.clock.clone());
        let board = Arc::new(Board::load(statuses, clock.clone()).await.expect("statuses"));
        let policy = Policy { grace: Duration::from_mins(2), reads: 2, ..Policy::default() };
        let fleet = Arc::new(Fleet::new(Arc::clone(&board), OWNER, policy, 1));
        let door = Door::new(stage.sim.connector());
        let config = wiring::config(&stage.sim, "AKIASOAK", &stage.clock).into_builder().http_client(door.clone());
        let aws = Arc::new(Aws::new(config.build(), &fargateer_aws::Settings::default()));
        let cloud: Arc<dyn Cloud> =
            if poisoned.is_empty() { aws } else { Arc::new(Poisoned { aws, names: Arc::new(poisoned) }) };
        let reconciler = Reconciler { fleet, cloud, board, lease: Arc::new(LocalLease), clock };
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let settings = Settings { resync: RESYNC, ..Settings::default() };
        let controller = Arc::new(Controller::new(reconciler, settings, metrics));
        let (feed, snapshots) = watch::channel(Some(stage.snapshot()));
        let source = Box::new(Fed::new(snapshots));
        let running = tokio::spawn(Arc::clone(&controller).run(vec![source], CancellationToken::new()));
        Self { controller, door, registry, feed, running }
    }

    /// The specs are read again.
    pub fn read(&self, stage: &Stage) {
        drop(self.feed.send(Some(stage.snapshot())));
    }

    /// How many agents are Ready.
    pub fn ready(&self) -> usize {
        let reconciler = &self.controller.reconciler;
        reconciler.fleet.keys().iter().filter(|key| reconciler.board.is_ready(key)).count()
    }

    /// Waits until so many agents are Ready; how long it took.
    pub async fn until_ready(&self, stage: &Stage, count: usize, patience: Duration) -> Option<Duration> {
        let begun = tokio::time::Instant::now();
        while self.ready() < count {
            if begun.elapsed() > patience {
                return None;
            }
            stage.pass(Duration::from_secs(1)).await;
        }
        Some(begun.elapsed())
    }

    /// Lines of the metrics.
    pub fn series(&self) -> usize {
        self.metrics().lines().filter(|line| !line.starts_with('#')).count()
    }

    /// Passes so far.
    pub fn passes(&self) -> f64 {
        let text = self.metrics();
        let counts = text.lines().filter(|line| line.starts_with("fargateer_reconcile_total"));
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("metrics are text");
        text
    }

    /// The process is killed; nothing of it stays.
    pub async fn end(self) {
        let Self { controller, door, registry, feed, running } = self;
        running.abort();
        drop(running.await);
        drop((controller, door, registry, feed));
        // The runtime lets go of aborted tasks when it next comes to them.
        pass(Duration::from_secs(1)).await;
    }
}
