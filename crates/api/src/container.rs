//! The agent's container, the size of its task and its logs, as a person writes them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::default;

/// The agent's container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Container {
    /// Name in the task definition. Default `strands-agent`.
    #[serde(default = "default::container_name")]
    pub name: String,
    /// Port the agent serves HTTP on. Default 8000.
    #[serde(default = "default::container_port")]
    pub port: u16,
    /// Overrides the image's CMD.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Overrides the image's ENTRYPOINT.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entry_point: Vec<String>,
    /// Working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
    /// User (and group) to run as, `uid[:gid]` or a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Mount the root file system read-only. Default false.
    #[serde(default)]
    pub readonly_root_filesystem: bool,
    /// Run an init process that reaps children and forwards signals; Python as PID 1 does neither. Default false.
    #[serde(default)]
    pub init_process: bool,
    /// Seconds between SIGTERM and SIGKILL, 2 to 120. Unset: 30 (ECS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<u32>,
    /// Environment variables. Values are strings: quote numbers and booleans.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Secrets, by environment variable name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Secret>,
    /// How ECS decides that the agent is healthy.
    #[serde(default)]
    pub health_check: HealthCheck,
}

/// A secret, by reference only: values never stand in a spec.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Secret {
    /// ARN of a Secrets Manager secret or of an SSM parameter (or the bare name of a parameter in the same region).
    pub value_from: String,
}

/// The container health check; ECS ignores a Dockerfile's HEALTHCHECK.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthCheck {
    /// HTTP path that answers 2xx when the agent can serve. Default `/health`.
    #[serde(default = "default::health_check_path")]
    pub path: String,
    /// Command to run in place of `curl -f http://localhost:<port><path> || exit 1`; starts with `CMD` or `CMD-SHELL`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Seconds between checks, 5 to 300. Default 30.
    #[serde(default = "default::health_check_interval")]
    pub interval: u32,
    /// Seconds a check may take, 2 to 60. Default 5.
    #[serde(default = "default::health_check_timeout")]
    pub timeout: u32,
    /// Failures in a row before the task is unhealthy, 1 to 10. Default 3.
    #[serde(default = "default::health_check_retries")]
    pub retries: u32,
    /// Seconds of grace after the start, 0 to 300. Default 60.
    #[serde(default = "default::health_check_start_period")]
    pub start_period: u32,
}

/// Size and architecture of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// CPU units (1024 = one vCPU). Default 256.
    #[serde(default = "default::cpu")]
    pub cpu: u32,
    /// Memory in MiB. Default 512.
    #[serde(default = "default::memory")]
    pub memory: u32,
    /// Ephemeral storage in GiB, 20 to 200. Unset: 20, which is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "ephemeralStorageGiB")]
    pub ephemeral_storage_gib: Option<u32>,
    /// CPU architecture. Default `X86_64`.
    #[serde(default)]
    pub architecture: Architecture,
}

/// CPU architecture of a task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Architecture {
    /// Intel and AMD.
    #[default]
    #[serde(rename = "X86_64")]
    X86_64,
    /// AWS Graviton.
    #[serde(rename = "ARM64")]
    Arm64,
}

/// CloudWatch logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Logging {
    /// Send the container's output to CloudWatch Logs. Default true.
    #[serde(default = "default::yes")]
    pub enabled: bool,
    /// Log group. Default `/ecs/<taskFamily>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Days to keep log events, one of the values CloudWatch allows; `null` keeps them for ever. Default 30.
    #[serde(default = "default::log_retention_days")]
    pub retention_days: Option<u32>,
    /// Prefix of the log streams. Default `ecs`.
    #[serde(default = "default::log_stream_prefix")]
    pub stream_prefix: String,
    /// `blocking` or `non-blocking`. Unset: the account's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<LogMode>,
    /// Buffer of non-blocking delivery, such as `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_buffer_size: Option<String>,
}

/// What the log driver does when CloudWatch is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogMode {
    /// The agent's writes wait.
    Blocking,
    /// Lines are dropped when the buffer is full.
    NonBlocking,
}

impl Default for Container {
    fn default() -> Self {
        Self {
            name: default::container_name(),
            port: default::container_port(),
            command: Vec::new(),
            entry_point: Vec::new(),
            working_directory: None,
            user: None,
            readonly_root_filesystem: false,
            init_process: false,
            stop_timeout: None,
            environment: BTreeMap::new(),
            secrets: BTreeMap::new(),
            health_check: HealthCheck::default(),
        }
    }
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            path: default::health_check_path(),
            command: Vec::new(),
            interval: default::health_check_interval(),
            timeout: default::health_check_timeout(),
            retries: default::health_check_retries(),
            start_period: default::health_check_start_period(),
        }
    }
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            cpu: default::cpu(),
            memory: default::memory(),
            ephemeral_storage_gib: None,
            architecture: Architecture::default(),
        }
    }
}

impl Default for Logging {
    fn default() -> Self {
        Self {
            enabled: true,
            group: None,
            retention_days: default::log_retention_days(),
            stream_prefix: default::log_stream_prefix(),
            mode: None,
            max_buffer_size: None,
        }
    }
}
