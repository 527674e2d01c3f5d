//! `AgentDeployment` v1: every field a person may write. Types and dependent defaults only; the rules are in `validate.rs`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{default, key::Key};

pub use crate::build::{Build, BuildStrategy, ObjectAddress, Packing};
pub use crate::container::{Architecture, Container, HealthCheck, LogMode, Logging, Resources, Secret};
pub use crate::traffic::{
    Alternate, Autoscaling, CircuitBreaker, HttpCheck, Listener, LoadBalancer, Rollout, ScheduledAction, Strategy,
    TargetHealthCheck, Verify,
};

/// The desired state of one agent on ECS Fargate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentDeployment {
    /// The version of this contract: `fargateer/v1`.
    pub api_version: ApiVersion,
    /// The kind of this document: `AgentDeployment`.
    pub kind: Kind,
    /// Name, project and labels.
    pub metadata: Metadata,
    /// What should run, and how.
    pub spec: AgentDeploymentSpec,
}

/// The version of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first and current one.
    #[serde(rename = "fargateer/v1")]
    V1,
}

/// The kind of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// One agent.
    AgentDeployment,
}

/// What identifies an agent and groups it with others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// DNS label (lower-case letters, digits, hyphens; 1 to 63 characters), unique in the fleet: the agent's key.
    pub name: String,
    /// Tenancy and fair share. Default `default`.
    #[serde(default = "default::project")]
    pub project: String,
    /// Free labels, to select agents by (`fargateer get -l team=support`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What should run, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentDeploymentSpec {
    /// AWS region. Default `us-east-1`.
    #[serde(default = "default::region")]
    pub region: String,
    /// The account to work in, when it is not the caller's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// ECS cluster, by name or ARN. It must exist.
    pub cluster: String,
    /// ECS service name. Default: `metadata.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Task definition family. Default: `metadata.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_family: Option<String>,
    /// Where the agent's image comes from.
    pub image: Image,
    /// The agent's own container.
    #[serde(default)]
    pub container: Container,
    /// Further containers beside the agent, each in the shape of an ECS container definition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sidecars: Vec<Map<String, Value>>,
    /// Size and architecture of a task.
    #[serde(default)]
    pub resources: Resources,
    /// Where in the VPC the tasks run.
    pub network: Network,
    /// Number of tasks, 0 to 100; 0 is scaled to zero. Not owned by Fargateer while autoscaling is enabled. Default 1.
    #[serde(default = "default::desired_count")]
    pub desired_count: u32,
    /// On-demand Fargate, Fargate Spot or a mix. Unset: what is live is kept; a new service runs on-demand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// CloudWatch logs.
    #[serde(default)]
    pub logging: Logging,
    /// The load balancer in front of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<LoadBalancer>,
    /// Application Auto Scaling of the task count.
    #[serde(default)]
    pub autoscaling: Autoscaling,
    /// How a change reaches the running tasks.
    #[serde(default)]
    pub rollout: Rollout,
    /// IAM roles.
    #[serde(default)]
    pub roles: Roles,
    /// Tags on every resource, beside Fargateer's own. Keys `fargateer:*` and `aws:*` are reserved.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Allow `aws ecs execute-command` into new tasks. Default false.
    #[serde(default)]
    pub enable_execute_command: bool,
    /// Whose tags new tasks carry. Default: the service's.
    #[serde(default)]
    pub propagate_tags: PropagateTags,
    /// Smoke checks after a rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
    /// What to do about differences somebody else made.
    #[serde(default)]
    pub drift: Drift,
    /// What happens to the AWS resources when this document is removed. Default `Delete`.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// Keep the log group and the ECR repository when the agent is deleted. Default true.
    #[serde(default = "default::yes")]
    pub retain_data: bool,
    /// Hands off: nothing is changed while this stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<Suspend>,
    /// Agents (by name) that must be Ready before this one is changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// Escape hatch: merged into the rendered AWS requests, validated, shown in plans.
    #[serde(default, skip_serializing_if = "Overrides::is_empty")]
    pub overrides: Overrides,
}

/// The account an agent runs in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Account {
    /// Role to assume for every call made for this agent.
    pub role_arn: String,
    /// External id the role's trust policy asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Name of the session, as CloudTrail shows it. Default `fargateer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_name: Option<String>,
    /// Tags of the session, for policies on `aws:PrincipalTag`. The role's trust policy must then allow `sts:TagSession`, too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub session_tags: BTreeMap<String, String>,
}

/// Where the image comes from: exactly one of `uri` and `build`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// An existing image. A tag in ECR is resolved to its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Resolve a tag in ECR to its digest. Where not, ECS is given the tag as it is written, and nobody notices when it
    /// moves. Default true.
    #[serde(default = "default::yes", skip_serializing_if = "Image::pins")]
    pub pin: bool,
    /// Build the image from agent code and push it to ECR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
}

/// Where in the VPC the tasks run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Network {
    /// 1 to 16 subnets of one VPC.
    pub subnets: Vec<String>,
    /// Up to 5 security groups. None: the VPC's default group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_groups: Vec<String>,
    /// Give each task a public IP. Default false.
    #[serde(default)]
    pub assign_public_ip: bool,
}

/// Capacity: either `provider` or `strategy`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Capacity {
    /// All tasks on one provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// A mix of providers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strategy: Vec<StrategyItem>,
    /// Fargate platform version. Unset: `LATEST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_version: Option<String>,
}

/// A Fargate capacity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Provider {
    /// On-demand.
    Fargate,
    /// Spare capacity at a discount, interrupted with two minutes' notice.
    FargateSpot,
}

/// One provider's share of the tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StrategyItem {
    /// The provider.
    pub provider: Provider,
    /// Relative share of the tasks beyond `base`, 0 to 1000. Default 0, as in the API.
    #[serde(default)]
    pub weight: u32,
    /// The first so many tasks run here, 0 to 100000; one item only. Default 0.
    #[serde(default)]
    pub base: u32,
}

/// IAM roles, by ARN or name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Roles {
    /// The role ECS uses to pull the image, write logs and read secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    /// The role the agent's code runs with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
}

/// Whose tags new tasks carry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PropagateTags {
    /// The service's.
    #[default]
    Service,
    /// The task definition's.
    TaskDefinition,
    /// None.
    None,
}

/// What to do about differences somebody else made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Drift {
    /// Default `Correct`.
    #[serde(default)]
    pub mode: DriftMode,
    /// Fields that are neither compared nor sent, as `/service/<field>` or `/taskDefinition/<field>` paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
}

/// What drift leads to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DriftMode {
    /// Put it right.
    #[default]
    Correct,
    /// Tell, change nothing.
    Detect,
    /// Neither tell nor change.
    Ignore,
}

/// What happens to the AWS resources when the document is removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Delete them (data apart, see `retainData`).
    #[default]
    Delete,
    /// Leave them running.
    Retain,
}

/// Hands off, by whom, why and until when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Suspend {
    /// Why.
    pub reason: String,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Until when (RFC 3339). Unset: until the block is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// JSON merged (RFC 7386) into the rendered AWS requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Overrides {
    /// Into RegisterTaskDefinition; a `containerDefinitions` list is merged by container name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub task_definition: Map<String, Value>,
    /// Into CreateService and UpdateService.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub service: Map<String, Value>,
}

impl Default for Image {
    fn default() -> Self {
        Self { uri: None, pin: true, build: None }
    }
}

impl Image {
    /// Whether this is what the default says, so that it need not be written.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field out by reference")]
    fn pins(pin: &bool) -> bool {
        *pin
    }
}

impl Overrides {
    /// Whether nothing is overridden.
    pub fn is_empty(&self) -> bool {
        self.task_definition.is_empty() && self.service.is_empty()
    }
}

impl AgentDeployment {
    /// The agent's key.
    pub fn key(&self) -> Key {
        Key::new(&self.metadata.name)
    }

    /// The ECS service's name: `spec.service`, else the agent's name.
    pub fn service_name(&self) -> &str {
        self.spec.service.as_deref().unwrap_or(&self.metadata.name)
    }

    /// Whether Fargateer builds the image itself, so that its runtime is in it. What a Dockerfile makes is the Dockerfile's.
    pub fn has_runtime(&self) -> bool {
        self.spec.image.build.as_ref().is_some_and(|build| build.strategy == BuildStrategy::Layered)
    }

    /// The ECR repository of an image that is built: `spec.image.build.repository`, else `agents/<name>`.
    pub fn repository(&self) -> Option<String> {
        let build = self.spec.image.build.as_ref()?;
        Some(build.repository.clone().unwrap_or_else(|| format!("{}{}", default::REPOSITORIES, self.metadata.name)))
    }

    /// The task definition family: `spec.taskFamily`, else the agent's name.
    pub fn task_family(&self) -> &str {
        self.spec.task_family.as_deref().unwrap_or(&self.metadata.name)
    }

    /// The log group: `spec.logging.group`, else `/ecs/<taskFamily>`.
    pub fn log_group(&self) -> String {
        self.spec.logging.group.clone().unwrap_or_else(|| format!("/ecs/{}", self.task_family()))
    }

    /// The cluster's name, also when the spec gives its ARN.
    pub fn cluster_name(&self) -> &str {
        self.spec.cluster.rsplit('/').next().unwrap_or(&self.spec.cluster)
    }
}
