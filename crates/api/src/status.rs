//! What Fargateer answers: `AgentDeploymentStatus`, its conditions, and `Reason` - one enum for conditions, events,
//! metrics and logs. Types only; the one author of their content is `plan::status`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::key::Generation;

/// What was seen of an agent, what was done, what is waited for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentDeploymentStatus {
    /// The generation of the spec this status speaks of.
    pub observed_generation: Option<Generation>,
    /// One condition a type, always in the same order.
    pub conditions: Vec<Condition>,
    /// ARN of the ECS service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_arn: Option<String>,
    /// ARN of the task definition revision the service should run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_definition_arn: Option<String>,
    /// Digest the image was pinned to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// The image that was built from the agent's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Box<ImageStatus>>,
    /// Tasks running.
    pub running_count: u32,
    /// Tasks wanted, as AWS has it.
    pub desired_count: u32,
    /// Tasks starting.
    pub pending_count: u32,
    /// The rollout under way, or the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutStatus>,
    /// The last drift found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_drift: Option<DriftStatus>,
    /// Why the agent does not run, when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What the desired state costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// The last ten changes, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryEntry>,
    /// Its place among the agents that roll or wait to, where their number is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnStatus>,
    /// Until when the project's policy lets nothing be changed (RFC 3339), where something waits for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen_until: Option<String>,
    /// When this agent is looked at again, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<NextLook>,
    /// Where the spec stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceStatus>,
    /// The AWS resources that belong to this agent.
    #[serde(skip_serializing_if = "Inventory::is_empty")]
    pub inventory: Inventory,
}

/// An image that was built, and what of it is not asked for again as long as its sources are the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageStatus {
    /// The repository it is in.
    pub repository: String,
    /// The tag that follows from what it was made of.
    pub tag: String,
    /// Digest of the base image under it; nothing where a Dockerfile chose it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base_digest: String,
    /// Version of Fargateer's runtime in it: an agent keeps it until its code changes. Nothing where a Dockerfile made it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub runtime: String,
}

/// One aspect of the state, true, false or unknown, with the reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The aspect.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// Whether it holds.
    pub status: Truth,
    /// Why, in one word of the enum.
    pub reason: Reason,
    /// Why, in a sentence.
    pub message: String,
    /// When `status` last changed (RFC 3339).
    pub last_transition_time: String,
    /// The generation this was concluded for.
    pub observed_generation: Option<Generation>,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It could not be told.
    Unknown,
}

/// The aspects of an agent's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ConditionType {
    /// The newest spec runs, whole and healthy.
    Ready,
    /// Something is being changed or waited for.
    Reconciling,
    /// No progress is possible without a person.
    Stalled,
    /// The spec is well formed and allowed.
    SpecValid,
    /// The image is known by digest (or needs none).
    ImageReady,
    /// A revision of the task definition matches the spec.
    TaskDefinitionRegistered,
    /// The service runs the wanted revision, all tasks healthy.
    ServiceStable,
    /// The target group is attached and its targets are healthy.
    LoadBalancerReady,
    /// Scalable target and policies match the spec.
    ScalingConfigured,
    /// Checks after the rollout passed.
    Verified,
    /// Somebody else changed something.
    DriftDetected,
    /// ECS returned to an older revision.
    RolledBack,
    /// Hands off was asked for.
    Suspended,
}

/// Why: the one vocabulary of conditions, events, metric labels and log fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Reason {
    /// All is as the spec says.
    Converged,
    /// Nothing to say against it.
    Fine,
    /// Not asked for by the spec.
    NotConfigured,
    /// Not looked at yet.
    NotObserved,
    /// A change was just made.
    Applying,
    /// ECS replaces tasks.
    RollingOut,
    /// Tasks run and are not healthy yet.
    WaitingForHealthy,
    /// Another agent must be Ready first.
    WaitingForDependency,
    /// The spec depends on an agent that has no spec.
    DependencyMissing,
    /// The spec depends, by way of others, on itself.
    DependencyCycle,
    /// As many agents roll as may at the same time.
    WaitingForTurn,
    /// Too many rollouts of the same wave failed.
    RolloutHeld,
    /// The project's policy lets nothing be changed at this time.
    Frozen,
    /// The project's policy does not allow what the spec says.
    Rejected,
    /// The role of the agent's account cannot be assumed.
    RoleRefused,
    /// Our share of an AWS rate is used up.
    WaitingForQuota,
    /// An older deployment, a draining service or the like stands in the way.
    WaitingForConflict,
    /// AWS does not show yet what it was told.
    NotYetVisible,
    /// The image's tag or repository is not there.
    ImageNotFound,
    /// The image is being built and pushed.
    BuildingImage,
    /// The folder of agent code is not what the spec says, or may not become an image.
    ContextInvalid,
    /// No set of wheels satisfies the agent's requirements.
    DependenciesUnresolvable,
    /// There is no such base image, or it cannot carry an agent.
    BaseImageUnusable,
    /// The registry does not let us push.
    RegistryDenied,
    /// The registry, the base image's or the package index does not answer.
    RegistryUnavailable,
    /// The registry refuses what we send.
    RegistryRefused,
    /// What builds fails: a program or the disk of this machine, or CodeBuild and its project.
    BuilderFailed,
    /// The rollout failed and nothing older could be returned to.
    FirstDeploymentFailed,
    /// The rollout failed.
    DeploymentFailed,
    /// ECS returned to an older revision; the spec's is held.
    RolledBack,
    /// The agent did not answer the smoke checks.
    VerificationFailed,
    /// Tasks start and stop again.
    TasksFailing,
    /// Somebody else changed something.
    Drifted,
    /// Drift was seen and, by the spec's wish, left alone.
    DriftLeftAlone,
    /// The spec has faults.
    InvalidSpec,
    /// What the spec says now is not known: its source cannot be read, or not whole.
    SourceUnavailable,
    /// Two specs claim one service, or two documents one name.
    Conflict,
    /// The resource carries no owner tag, or another installation's.
    NotOurs,
    /// The service belongs to another tool (ECS Express Mode, CodeDeploy, CloudFormation).
    ManagedElsewhere,
    /// The cluster does not exist.
    ClusterNotFound,
    /// The target group does not exist.
    TargetGroupNotFound,
    /// AWS refused for lack of permission.
    AccessDenied,
    /// No AWS credentials.
    NoCredentials,
    /// A service quota is reached.
    QuotaExceeded,
    /// AWS throttles.
    Throttled,
    /// AWS or the network failed for the moment.
    Unavailable,
    /// AWS refused the request itself.
    InvalidRequest,
    /// The reconcile step itself failed; a fault of Fargateer.
    InternalError,
    /// Hands off was asked for.
    Suspended,
    /// The agent is being deleted.
    Deleting,
    /// The agent is deleted.
    Deleted,
    /// Deletion waits for its grace period.
    PruneGrace,
    /// Too many agents vanished at once; a person must confirm.
    PruneBlocked,
    /// Deletion takes longer than its deadline; it is tried on.
    DeletionBlocked,
    /// The AWS resources were left running on purpose.
    Retained,
}

/// An agent's place among those that roll or wait to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TurnStatus {
    /// Whether it rolls or waits.
    pub stage: Stage,
    /// When the wave it belongs to began (RFC 3339).
    pub wave: String,
    /// Its place among those that wait, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
}

/// How far an agent is in its wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Stage {
    /// It was let roll, and has not ended yet.
    Rolling,
    /// It waits for its turn.
    Waiting,
    /// It is held because others failed.
    Held,
}

/// The rollout under way, or the last one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// ECS deployment id (`ecs-svc/...`).
    pub id: String,
    /// `IN_PROGRESS`, `COMPLETED`, `FAILED` as ECS says it.
    pub state: String,
    /// ECS's own reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it started (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
}

/// A drift that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftStatus {
    /// Fields that differed, as `/service/...` paths.
    pub fields: Vec<String>,
    /// When it was seen (RFC 3339).
    pub at: String,
    /// Whether it was put right.
    pub corrected: bool,
}

/// Why tasks do not run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Failure {
    /// ECS stop code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_code: Option<String>,
    /// Exit code of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// ECS's own reason.
    pub reason: String,
    /// The container's last log lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// A monthly estimate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// US dollars a month (730 hours) at the desired count.
    pub monthly_usd: f64,
    /// Date of the price table.
    pub price_date: String,
}

/// One change that was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// When (RFC 3339).
    pub at: String,
    /// The generation that was applied.
    pub generation: Option<Generation>,
    /// What was done, one line an action.
    pub actions: Vec<String>,
}

/// When an agent is looked at again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextLook {
    /// When (RFC 3339).
    pub at: String,
    /// Why then.
    pub why: String,
}

/// Where a spec stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceStatus {
    /// `file:line`.
    pub location: String,
    /// Git commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Author of that commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What tells the code beside the spec from any other, where an image is built from it: git's id of the folder, a digest, or
    /// the ETag of an archive in S3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The other places where the same name is used, as long as that is so: a dispute is told in all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also_in: Vec<String>,
}

/// The AWS resources that belong to an agent: what a deletion needs when the spec is gone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Inventory {
    /// Region.
    pub region: String,
    /// Role assumed for this agent's account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// External id used with that role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The session of that role, where the spec says something of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Box<Session>>,
    /// Project, whose policy says when it may be deleted; how many may vanish at once depends on how many of it there are.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub project: String,
    /// Cluster, as the spec named it.
    pub cluster: String,
    /// Service name.
    pub service: String,
    /// Task definition family.
    pub task_family: String,
    /// Log group, where the agent has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_group: Option<String>,
    /// ECR repository, where the agent's image is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Whether Application Auto Scaling is configured.
    pub scaling: bool,
    /// Keep the service when the spec is gone.
    pub retain: bool,
    /// Keep the data (log group, repository) when the agent is deleted.
    pub retain_data: bool,
    /// When a person asked to hand everything back once the spec is gone (RFC 3339; `fargateer delete --retain`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Since when its deletion is under way (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaving_since: Option<String>,
    /// Where the spec stood that asked for it, `file:line`: an empty source deletes nothing of what stood there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub specified_in: String,
    /// ARNs seen, by kind of resource.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub arns: BTreeMap<String, String>,
}

/// How a role is assumed.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Session {
    /// Name of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Tags of the session.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl Inventory {
    /// Whether nothing was recorded yet.
    pub fn is_empty(&self) -> bool {
        self.service.is_empty()
    }
}

impl AgentDeploymentStatus {
    /// The condition of type `kind`, if it was reported.
    pub fn condition(&self, kind: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// Whether the condition of type `kind` is reported as true.
    pub fn is(&self, kind: ConditionType) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == Truth::True)
    }
}

impl ConditionType {
    /// The name used in status documents, metrics and logs.
    pub fn name(self) -> String {
        name_of(&self)
    }
}

impl Reason {
    /// The name used in status documents, metrics and logs.
    pub fn name(self) -> String {
        name_of(&self)
    }
}

/// The serialised name of a plain enum variant: one spelling everywhere.
fn name_of(variant: &impl Serialize) -> String {
    serde_json::to_value(variant).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
