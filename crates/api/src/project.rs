//! `Project` v1: what the agents of one project may be, and when and how fast they may change. Written by whoever runs
//! Fargateer, never found among specs. Types only; the rules of a project are in `validate/project.rs`, its judgement over
//! an agent is `fargateer_plan::policy`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::default;
use crate::spec::ApiVersion;

/// What the agents of one project may be, and when and how fast they may change. What is left out is not restricted.
///
/// In patterns a `*` stands for anything, slashes included. An empty list allows nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Project {
    /// The version of this contract: `fargateer/v1`.
    pub api_version: ApiVersion,
    /// The kind of this document: `Project`.
    pub kind: ProjectKind,
    /// Its name.
    pub metadata: ProjectMetadata,
    /// Its rules.
    #[serde(default)]
    pub spec: ProjectSpec,
}

/// The kind of a document of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ProjectKind {
    /// One project.
    Project,
}

/// What identifies a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProjectMetadata {
    /// What agents say in `metadata.project`.
    pub name: String,
}

/// The rules of a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProjectSpec {
    /// Patterns of the files (or rows) that may hold specs of this project, as a status gives them: `teams/support/*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<String>>,
    /// AWS accounts, by number; `own` is the one Fargateer's own credentials are of, where agents without `spec.account` run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Vec<String>>,
    /// AWS regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regions: Option<Vec<String>>,
    /// Patterns of ECS clusters, by name, or by ARN where one begins with `arn:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<Vec<String>>,
    /// IAM roles.
    #[serde(default)]
    pub roles: RoleRules,
    /// Patterns of subnet ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnets: Option<Vec<String>>,
    /// Patterns of security group ids. With this rule an agent must name a group: the VPC's default one is none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_groups: Option<Vec<String>>,
    /// Whether tasks may have public IP addresses. Default true.
    #[serde(default = "default::yes")]
    pub public_ip: bool,
    /// Patterns of where images may come from, as `registry` or `registry/repository`: `public.ecr.aws`,
    /// `111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/*`, `docker.io/library/*`. Sidecars' images count, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registries: Option<Vec<String>>,
    /// Ceilings.
    #[serde(default)]
    pub limits: Limits,
    /// Windows in which nothing of the project is changed, save what a person forces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freezes: Vec<Freeze>,
    /// The project's share of the workers beside those of others, 1 to 100. Default 1.
    #[serde(default = "default::weight")]
    pub weight: u32,
    /// How many agents of the project roll at the same time, in place of the numbers for the whole fleet.
    #[serde(default)]
    pub rollouts: RolloutRules,
}

impl Default for ProjectSpec {
    fn default() -> Self {
        Self {
            sources: None,
            accounts: None,
            regions: None,
            clusters: None,
            roles: RoleRules::default(),
            subnets: None,
            security_groups: None,
            public_ip: true,
            registries: None,
            limits: Limits::default(),
            freezes: Vec::new(),
            weight: default::WEIGHT,
            rollouts: RolloutRules::default(),
        }
    }
}

/// Patterns of roles: of ARNs where one begins with `arn:`, else of what follows `role/` in an ARN.
///
/// A role that a spec gives by name alone fits no pattern of ARNs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleRules {
    /// `spec.account.roleArn`: whom Fargateer may become for an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Vec<String>>,
    /// `spec.roles.execution`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<Vec<String>>,
    /// `spec.roles.task`: whom the agent's code may become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Vec<String>>,
    /// Every other role: those ECS moves traffic, attaches volumes or calls hooks with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infrastructure: Option<Vec<String>>,
}

/// Ceilings. None: those of AWS and of Fargateer alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// CPU units of a task (1024 = one vCPU).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// Memory of a task, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u32>,
    /// Tasks of an agent, also when it is scaled out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<u32>,
    /// Agents of the project. Those that are there already come first, then the alphabet decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<u32>,
}

/// A window in which nothing is changed: either `from` and `until`, or `cron` and `duration`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Freeze {
    /// What people call it; statuses say it.
    pub name: String,
    /// Begin, in `timeZone`: `2026-12-20T18:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// End, in `timeZone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Begin, again and again: minute, hour, day of month, month, day of week, in `timeZone`: `0 18 * * FRI`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// How long each time: `62h`, `1h 30m`; at most `744h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// IANA time zone. Default `UTC`.
    #[serde(default = "default::time_zone")]
    pub time_zone: String,
}

/// How many agents roll at the same time. With a number of its own, a project counts apart from all others; what it leaves
/// out is the fleet's number. Without any it shares the fleet's with the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RolloutRules {
    /// So many agents at most. The fleet's is `--max-rollouts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// After so many failures in one wave no further rollout of it is started. The fleet's is `--stop-after-failures`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_after_failures: Option<u32>,
}
