//! What faces the callers: load balancer, autoscaling, rollout and smoke checks, as a person writes them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::default;

/// The load balancer: exactly one of `targetGroupArn` and `listener`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadBalancer {
    /// An existing target group (type ip, behind a listener). Attached, never modified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_group_arn: Option<String>,
    /// A rule on your listener, with a target group of its own. Not yet supported: refused by validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<Listener>,
    /// The target group's health check. Only with `listener`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<TargetHealthCheck>,
    /// Seconds a target drains, 0 to 3600. Only with `listener`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deregistration_delay: Option<u32>,
    /// Seconds after a task's start during which failing health checks are ignored. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_period: Option<u32>,
    /// What ECS's own blue/green, canary and linear strategies need beside the target group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alternate: Option<Alternate>,
}

/// The second side of a blue/green, canary or linear rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Alternate {
    /// The other target group.
    pub target_group_arn: String,
    /// The listener rule (NLB: listener) that carries production traffic.
    pub production_listener_rule: String,
    /// The listener rule that carries test traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_listener_rule: Option<String>,
    /// Role with which ECS moves the traffic.
    pub role_arn: String,
}

/// A rule on an existing listener.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Listener {
    /// The listener.
    pub arn: String,
    /// Host header to match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Path pattern to match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `auto` or a number from 1 to 50000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Value>,
}

/// A target group's health check.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetHealthCheck {
    /// HTTP path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Seconds between checks, 5 to 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<u32>,
    /// Seconds a check may take, 2 to 120.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// Successes before a target is healthy, 2 to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_threshold: Option<u32>,
    /// Failures before a target is unhealthy, 2 to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unhealthy_threshold: Option<u32>,
}

/// Application Auto Scaling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Autoscaling {
    /// Let Application Auto Scaling own the task count. Default false.
    #[serde(default)]
    pub enabled: bool,
    /// Fewest tasks. Default 1.
    #[serde(default = "default::autoscaling_min")]
    pub min: u32,
    /// Most tasks. Default 10.
    #[serde(default = "default::autoscaling_max")]
    pub max: u32,
    /// Target average CPU in percent; `null` for no CPU policy. Default 70.
    #[serde(default = "default::autoscaling_target_cpu")]
    pub target_cpu: Option<u32>,
    /// Target average memory in percent. Unset: no memory policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_memory: Option<u32>,
    /// Target requests per task and minute; needs an ALB target group. Unset: no request policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_target: Option<u32>,
    /// Seconds after a scale-in before the next. Unset: 300 (AWS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_in_cooldown: Option<u32>,
    /// Seconds after a scale-out before the next. Unset: 300 (AWS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_out_cooldown: Option<u32>,
    /// Changes of `min` and `max` on a schedule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scheduled: Vec<ScheduledAction>,
    /// Names in AWS of what another tool once set up and this spec now owns: by `cpu`, `memory`, `requests` or the name of a
    /// scheduled change. Default: `fargateer-` and that word.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
}

/// A change of the scaling range on a schedule. While any stands, the live range is the schedule's business.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScheduledAction {
    /// Name, unique in this list.
    pub name: String,
    /// `at(...)`, `rate(...)` or `cron(...)`.
    pub schedule: String,
    /// IANA time zone of the schedule. Unset: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// New fewest tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// New most tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

/// How a change reaches the running tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollout {
    /// Default `Rolling`.
    #[serde(default)]
    pub strategy: Strategy,
    /// Percent of the desired tasks that stay healthy, rounded up. Default 100.
    #[serde(default = "default::minimum_healthy_percent")]
    pub minimum_healthy_percent: u32,
    /// Percent of the desired tasks that may run at once, rounded down. Default 200.
    #[serde(default = "default::maximum_percent")]
    pub maximum_percent: u32,
    /// Stop (and roll back) a deployment whose tasks do not come up.
    #[serde(default)]
    pub circuit_breaker: CircuitBreaker,
    /// CloudWatch alarms that fail the deployment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<String>,
    /// Minutes to watch before the old side is taken down, 0 to 1440. Blue/green, canary and linear only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake_minutes: Option<u32>,
}

/// A deployment strategy of ECS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Strategy {
    /// Task by task.
    #[default]
    Rolling,
    /// A full second side, then all traffic.
    BlueGreen,
    /// A small share of the traffic first.
    Canary,
    /// Equal steps of traffic.
    Linear,
}

/// ECS's deployment circuit breaker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CircuitBreaker {
    /// Default true.
    #[serde(default = "default::yes")]
    pub enabled: bool,
    /// Return to the last completed deployment. Default true.
    #[serde(default = "default::yes")]
    pub rollback: bool,
}

/// Smoke checks after a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verify {
    /// A request to the agent.
    pub http: HttpCheck,
}

/// A request to the agent that must answer 2xx.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpCheck {
    /// Path. Default `/health`.
    #[serde(default = "default::verify_path")]
    pub path: String,
    /// JSON body to POST to `/invocations`, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoke: Option<Value>,
}

impl Default for Autoscaling {
    fn default() -> Self {
        Self {
            enabled: false,
            min: default::autoscaling_min(),
            max: default::autoscaling_max(),
            target_cpu: default::autoscaling_target_cpu(),
            target_memory: None,
            requests_per_target: None,
            scale_in_cooldown: None,
            scale_out_cooldown: None,
            scheduled: Vec::new(),
            names: BTreeMap::new(),
        }
    }
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            strategy: Strategy::Rolling,
            minimum_healthy_percent: default::minimum_healthy_percent(),
            maximum_percent: default::maximum_percent(),
            circuit_breaker: CircuitBreaker::default(),
            alarms: Vec::new(),
            bake_minutes: None,
        }
    }
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self { enabled: true, rollback: true }
    }
}
