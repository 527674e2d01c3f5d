//! What a simulated AWS is told at birth: who owns it, when it begins, how fast its machinery is.
//!
//! Faults and behaviours are not settings: they change while a run is under way.

use std::time::{Duration, SystemTime};

/// How a simulated AWS is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The account of every caller whose access key names no other.
    pub account: String,
    /// The date at which the simulation starts. Whoever serves it to clients with clocks of their own sets it to theirs.
    pub epoch: SystemTime,
    /// Seed of everything random: ids, addresses.
    pub seed: u64,
    /// Whether the documented request rates are enforced.
    pub throttle: bool,
    /// Whether they are enforced against floods alone: a caller that makes more calls of one operation in a row than its bucket
    /// is deep. Anyone else may overdraw it, and a refused call costs nothing. For people, and for clients that never retry.
    pub lenient: bool,
    /// How long a call through the in-process door takes, in the caller's (virtual) time.
    pub latency: Duration,
    /// For how long after CreateService a DescribeServices may answer MISSING; zero for never.
    pub visibility: Duration,
    /// How long the steps of AWS's own machinery take.
    pub times: Times,
    /// Simulated seconds per second of the tokio clock.
    pub speed: f64,
    /// Which things that were never made here are missing.
    pub strict: Strict,
    /// Whether the service-linked role of ECS exists. Where it does not, the first CreateService makes it and is refused,
    /// since a role just made can't be assumed yet.
    pub service_linked_role: bool,
    /// How far back a read may see (`FaultKind::Stale`); costs a copy of a region for every write. Zero for not at all.
    pub history: Duration,
    /// How many vCPUs may run at once in a region; no limit when unset. A new account has six.
    pub vcpu_quota: Option<u32>,
    /// How long DynamoDB takes to make, change or delete a table.
    pub table_delay: Duration,
    /// How old the items are that a DynamoDB read shows which is not consistent; zero for never stale.
    pub stale_reads: Duration,
    /// How long after its time to live DynamoDB removes an item. AWS says "within a few days".
    pub time_to_live_delay: Duration,
    /// How the image registry behaves.
    pub registry: Registry,
    /// Which subnets and security groups exist.
    pub networks: Networks,
    /// What tasks are.
    pub tasks: Tasks,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account: "111122223333".to_owned(),
            epoch: SystemTime::UNIX_EPOCH + Duration::from_hours(490_896),
            seed: 1,
            throttle: false,
            lenient: false,
            latency: Duration::from_millis(20),
            visibility: Duration::ZERO,
            times: Times::default(),
            speed: 1.0,
            strict: Strict::default(),
            service_linked_role: true,
            history: Duration::ZERO,
            vcpu_quota: None,
            table_delay: Duration::from_secs(2),
            stale_reads: Duration::ZERO,
            time_to_live_delay: Duration::from_mins(10),
            registry: Registry::default(),
            networks: Networks::Any,
            tasks: Tasks::Virtual,
        }
    }
}

/// Which things that were never made here are missing, rather than taken to exist elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Strict {
    /// Whether an image of an ECR repository that does not exist here fails to pull - an image missing from a repository that
    /// does exist always fails - and whether a manifest needs its layers in a repository to which none was uploaded.
    pub images: bool,
    /// Whether a task whose log group was never made here fails to start. One whose log group was deleted always fails.
    pub log_groups: bool,
}

impl Default for Strict {
    fn default() -> Self {
        Self { images: false, log_groups: true }
    }
}

/// Which subnets and security groups exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Networks {
    /// Every one whose id is well-formed, but for an id of nothing but zeros.
    Any,
    /// Those put in place with `Simulation::seed_network`.
    Seeded,
}

/// What becomes of a task that the scheduler starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Tasks {
    /// A state machine: nothing runs.
    #[default]
    Virtual,
    /// Somebody outside runs it and tells how it goes (`Simulation::assignments`, `Simulation::report`). Tasks whose image has no
    /// content here, only a name, stay virtual: there is nothing to run.
    Driven,
}

/// How the image registry behaves. The defaults are what users of ECR report.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Whether a blob mount from another repository starts an upload instead (202), unless the account setting
    /// `BLOB_MOUNTING` is on.
    pub refuses_mounts: bool,
    /// Whether pushing to an immutable tag the very image it has is refused with TAG_INVALID.
    pub refuses_same_tag: bool,
    /// Whether an upload in chunks loses all chunks but the first; the answer to a chunk is then 201.
    pub breaks_chunks: bool,
    /// What `GetAuthorizationToken` gives as the registry's address; the real name of the account's registry when unset.
    pub endpoint: Option<String>,
}

impl Default for Registry {
    fn default() -> Self {
        Self { refuses_mounts: true, refuses_same_tag: true, breaks_chunks: true, endpoint: None }
    }
}

/// How long the steps of AWS's own machinery take, in simulated time.
#[derive(Clone, Debug)]
pub struct Times {
    /// PROVISIONING: the network interface is made.
    pub provision: Duration,
    /// PENDING: the image is pulled.
    pub pull: Duration,
    /// ACTIVATING: from the started container to RUNNING.
    pub start: Duration,
    /// From RUNNING to the first healthy verdict of a container health check or a target group.
    pub health: Duration,
    /// From RUNNING to healthy for a task that nobody checks.
    pub settle: Duration,
    /// The longest a failing health check may take to be noticed.
    pub unhealthy: Duration,
    /// From RUNNING to the end of a container that runs out of memory.
    pub crash: Duration,
    /// DEACTIVATING: the deregistration delay of a target group that sets none.
    pub drain: Duration,
    /// STOPPING: from SIGTERM to the container's end.
    pub stop: Duration,
    /// DEPROVISIONING: the network interface is removed.
    pub deprovision: Duration,
    /// The pause before the scheduler replaces a task that failed.
    pub retry: Duration,
    /// From a metric crossing its target to the scaling activity.
    pub alarm: Duration,
    /// Each phase of a build in CodeBuild that takes time: to get a machine, to fetch the source, to prepare, to build.
    pub build: Duration,
    /// How long a deleted service stays describable as INACTIVE.
    pub inactive: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            provision: Duration::from_secs(5),
            pull: Duration::from_secs(5),
            start: Duration::from_secs(2),
            health: Duration::from_secs(10),
            settle: Duration::from_secs(5),
            unhealthy: Duration::from_mins(1),
            crash: Duration::from_secs(3),
            drain: Duration::from_secs(5),
            stop: Duration::from_secs(2),
            deprovision: Duration::from_secs(2),
            retry: Duration::from_secs(1),
            alarm: Duration::from_mins(1),
            build: Duration::from_secs(10),
            inactive: Duration::from_hours(1),
        }
    }
}

impl Times {
    /// Every step a few seconds at most, for somebody who watches: a service is steady after seven, and an alarm goes off after ten.
    pub fn brisk() -> Self {
        Self {
            provision: Duration::from_secs(2),
            pull: Duration::from_secs(2),
            start: Duration::from_secs(1),
            health: Duration::from_secs(3),
            settle: Duration::from_secs(2),
            unhealthy: Duration::from_secs(15),
            crash: Duration::from_secs(1),
            drain: Duration::from_secs(2),
            stop: Duration::from_secs(1),
            deprovision: Duration::from_secs(1),
            alarm: Duration::from_secs(10),
            build: Duration::from_secs(2),
            ..Self::default()
        }
    }

    /// Everything at once, for tests in which the order of things matters and time does not.
    ///
    /// The scheduler still pauses a second before it replaces a failed task, so that a crash loop takes time.
    pub fn instant() -> Self {
        Self {
            provision: Duration::ZERO,
            pull: Duration::ZERO,
            start: Duration::ZERO,
            health: Duration::ZERO,
            settle: Duration::ZERO,
            unhealthy: Duration::from_secs(1),
            crash: Duration::ZERO,
            drain: Duration::ZERO,
            stop: Duration::ZERO,
            deprovision: Duration::ZERO,
            retry: Duration::from_secs(1),
            alarm: Duration::ZERO,
            build: Duration::ZERO,
            inactive: Duration::from_hours(1),
        }
    }
}
