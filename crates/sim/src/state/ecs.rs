//! What ECS holds: clusters, task definitions, services and their tasks.

use crate::behaviour::Behaviour;
use crate::tag::Tags;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Everything of ECS in one region.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ecs {
    pub(crate) clusters: BTreeMap<String, Cluster>,
    pub(crate) families: BTreeMap<String, Family>,
    /// By cluster and service name. Tasks that belong to no service live in a nameless one per cluster.
    pub(crate) services: BTreeMap<(String, String), Service>,
    /// Whether the service-linked role was made here.
    pub(crate) role_made: bool,
    /// Which service a task belongs to.
    pub(crate) owners: BTreeMap<String, (String, String)>,
    /// Capacity providers of Auto Scaling groups, as DescribeCapacityProviders returns them but for their tags.
    pub(crate) providers: BTreeMap<String, (Value, Tags)>,
    /// Account settings by principal and name; the defaults of everybody have an empty principal.
    pub(crate) account: BTreeMap<(String, String), String>,
    /// By client token: the RunTask that used it and the ids of its tasks.
    pub(crate) runs: BTreeMap<String, (Value, Vec<String>)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) deleted: bool,
    pub(crate) providers: Vec<String>,
    pub(crate) default_strategy: Vec<Value>,
    pub(crate) settings: Value,
    /// Configuration and Service Connect defaults, as they were sent.
    pub(crate) extras: Value,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Family {
    /// The highest revision ever given; deregistering and deleting never give a number back.
    pub(crate) last: u32,
    pub(crate) revisions: BTreeMap<u32, Definition>,
}

#[derive(Clone, Debug)]
pub(crate) struct Definition {
    /// The definition as DescribeTaskDefinition returns it.
    pub(crate) body: Value,
    pub(crate) tags: Tags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServiceStatus {
    Active,
    Draining,
    Inactive,
}

#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) cluster: String,
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) status: ServiceStatus,
    /// The settings as DescribeServices returns them.
    pub(crate) config: Value,
    /// The settings DescribeServices does not return, only deployments and revisions do.
    pub(crate) hidden: Value,
    pub(crate) desired: u32,
    /// Newest first: the first is PRIMARY, the others still have tasks.
    pub(crate) deployments: Vec<Deployment>,
    /// The last deployment that completed: what the circuit breaker rolls back to.
    pub(crate) completed: Option<Deployment>,
    pub(crate) tasks: BTreeMap<String, Task>,
    /// Newest first.
    pub(crate) events: VecDeque<Value>,
    pub(crate) tags: Tags,
    pub(crate) created: Duration,
    pub(crate) inactive_since: Option<Duration>,
    /// The token and the parameters of the CreateService that made it.
    pub(crate) request: Value,
    pub(crate) steady: bool,
    /// Oldest first.
    pub(crate) history: Vec<ServiceDeployment>,
    /// Oldest first, as DescribeServiceRevisions returns them.
    pub(crate) revisions: Vec<Value>,
    /// Tasks in a row that did not start.
    pub(crate) failures: u32,
    /// The scheduler starts no task before this.
    pub(crate) launch_after: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rollout {
    InProgress,
    Completed,
    Failed,
}

#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    pub(crate) id: String,
    pub(crate) revision: String,
    pub(crate) task_definition: String,
    /// The settings its tasks are launched with.
    pub(crate) settings: Value,
    pub(crate) created: Duration,
    pub(crate) updated: Duration,
    pub(crate) failed: u32,
    pub(crate) rollout: Rollout,
    pub(crate) reason: String,
    /// Whether one of its tasks ever reached RUNNING: the second stage of the circuit breaker.
    pub(crate) reached_running: bool,
    /// Whether its tasks are behind the alternate target groups of a service that shifts traffic.
    pub(crate) alternate: bool,
    /// When the tasks of a deployment that shifts traffic were all ready.
    pub(crate) scaled: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(crate) struct ServiceDeployment {
    pub(crate) arn: String,
    pub(crate) status: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) created: Duration,
    pub(crate) updated: Duration,
    pub(crate) finished: Option<Duration>,
    pub(crate) stopped: Option<Duration>,
    pub(crate) sources: Vec<String>,
    pub(crate) target: String,
    pub(crate) rollback: Option<Value>,
    pub(crate) configuration: Value,
    pub(crate) failures: u32,
    pub(crate) threshold: u32,
    pub(crate) desired: u32,
    /// Where a deployment that shifts traffic is, and its shares of production and test traffic, in percent.
    pub(crate) stage: Option<(&'static str, u32, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Provisioning,
    Pending,
    Activating,
    Running,
    Deactivating,
    Stopping,
    Deprovisioning,
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Unknown,
    Healthy,
    Unhealthy,
}

/// What will become of a running task if nobody stops it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Healthy,
    FailsCheck,
    FailsTarget(String),
    /// The container ends, with an exit code and what the engine says about it.
    Exits(i32, Option<&'static str>),
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) deployment: String,
    pub(crate) definition: String,
    /// The settings of its deployment, or of the RunTask that made it.
    pub(crate) settings: Value,
    pub(crate) behaviour: Behaviour,
    /// Whether somebody outside runs it; then its steps are theirs to report.
    pub(crate) driven: bool,
    pub(crate) phase: Phase,
    /// Bumped at each step, so that a timer set for an earlier one is void.
    pub(crate) turn: u32,
    pub(crate) version: u32,
    pub(crate) health: Health,
    pub(crate) verdict: Option<Verdict>,
    /// Whether the scheduler counts it as healthy.
    pub(crate) ready: bool,
    /// Until when the scheduler may not stop it.
    pub(crate) protected: Option<Duration>,
    pub(crate) stopping: bool,
    pub(crate) stop_code: Option<&'static str>,
    pub(crate) stopped_reason: Option<String>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) container_reason: Option<String>,
    pub(crate) address: String,
    pub(crate) interface: String,
    pub(crate) tags: Tags,
    pub(crate) created: Duration,
    pub(crate) pulled: Option<(Duration, Option<Duration>)>,
    pub(crate) started: Option<Duration>,
    pub(crate) stopping_at: Option<Duration>,
    pub(crate) execution_stopped: Option<Duration>,
    pub(crate) stopped: Option<Duration>,
    /// Target groups and ports it was registered with.
    pub(crate) targets: Vec<(String, u16)>,
}

impl Task {
    /// Whether it is meant to run and has not begun to end.
    pub(crate) fn live(&self) -> bool {
        !self.stopping && self.phase <= Phase::Running
    }
}
