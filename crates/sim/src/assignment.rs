//! What is wanted of those who run tasks and load balancers for real, and what they tell, as plain data.

use crate::arn;
use serde_json::Value;
use std::time::Duration;

/// What is wanted of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its container shall start, or is starting.
    Start,
    /// Its container runs, and shall go on; also while its targets drain.
    Run,
    /// Its container shall end: SIGTERM, and SIGKILL after its stop timeout.
    Stop,
}

/// A task that somebody outside runs. One that is in no assignment any more has no business to run.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The ARN of the task.
    pub task: String,
    /// The name of its cluster.
    pub cluster: String,
    /// The name of its service; empty for one that RunTask started.
    pub service: String,
    /// What is wanted.
    pub stage: Stage,
    /// The task definition, as DescribeTaskDefinition returns it.
    pub definition: Value,
    /// The container that is run: the first essential one.
    pub container: Value,
    /// What RunTask put over its settings, or null.
    pub overrides: Value,
    /// The address of the task's network interface.
    pub address: String,
}

impl Assignment {
    /// The region of the task.
    pub fn region(&self) -> &str {
        place(&self.task).1
    }

    /// The id of the task.
    pub fn id(&self) -> &str {
        arn::leaf(&self.task)
    }
}

/// What is told of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Its image is here.
    Pulled,
    /// Its container runs.
    Started,
    /// Its container's health check passed.
    Healthy,
    /// Its container's health check gave up.
    Unhealthy,
    /// Its container ended.
    Exited {
        /// What it exited with; 128 and the number of the signal that ended it.
        code: i32,
        /// What there is to say about it.
        reason: Option<String>,
    },
    /// It cannot be started, in the words of ECS: `CannotPullContainerError` and why.
    Refused {
        /// The kind of error.
        code: String,
        /// Why.
        reason: String,
    },
    /// Its container wrote these lines.
    Said(Vec<String>),
}

/// A target group whose targets are driven tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balanced {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Where it asks, unless it only connects.
    pub path: Option<String>,
    /// The status codes that are healthy: `200`, `200,202`, `200-299`.
    pub matcher: String,
    /// The port it asks at, unless it is the target's own.
    pub port: Option<u16>,
    /// From one check to the next.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// So many passed checks make an unhealthy target healthy.
    pub rise: u32,
    /// So many failed checks make a target unhealthy.
    pub fall: u32,
    /// Its targets.
    pub targets: Vec<Target>,
}

/// A target of such a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The address of the task.
    pub address: String,
    /// The port of its container.
    pub port: u16,
    /// Whether it is deregistered: it gets no new requests.
    pub draining: bool,
}

/// The account and the region of an ARN.
pub(crate) fn place(arn: &str) -> (&str, &str) {
    let mut parts = arn.split(':').skip(3);
    let region = parts.next().unwrap_or_default();
    (parts.next().unwrap_or_default(), region)
}
