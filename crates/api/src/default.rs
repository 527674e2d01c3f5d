//! Every default, in one table. The seed document's defaults where it gives one, AWS's otherwise.
//!
//! Defaults that depend on other fields (the service name, the log group) are methods of `AgentDeployment` in `spec.rs`; an
//! enum's default is the variant marked `#[default]` where it is defined.

/// `spec.region`.
pub const REGION: &str = "us-east-1";
/// `metadata.project`.
pub const PROJECT: &str = "default";
/// `spec.image.build.agent`.
pub const AGENT_FILE: &str = "generated_agent.py";
/// `spec.image.build.base`.
pub const BASE_IMAGE: &str = "public.ecr.aws/docker/library/python:3.11-slim";
/// `spec.image.build.dockerfile`.
pub const DOCKERFILE: &str = "Dockerfile";
/// `spec.image.build.project`.
pub const BUILD_PROJECT: &str = "fargateer-images";
/// What stands before the agent's name in `spec.image.build.repository`.
pub const REPOSITORIES: &str = "agents/";
/// `spec.container.name`.
pub const CONTAINER_NAME: &str = "strands-agent";
/// `spec.container.port`.
pub const CONTAINER_PORT: u16 = 8000;
/// `spec.resources.cpu`, in CPU units (1024 = one vCPU).
pub const CPU: u32 = 256;
/// `spec.resources.memory`, in MiB.
pub const MEMORY: u32 = 512;
/// `spec.desiredCount`, in tasks.
pub const DESIRED_COUNT: u32 = 1;
/// `spec.container.healthCheck.path`.
pub const HEALTH_CHECK_PATH: &str = "/health";
/// `spec.container.healthCheck.interval`, in seconds.
pub const HEALTH_CHECK_INTERVAL: u32 = 30;
/// `spec.container.healthCheck.timeout`, in seconds.
pub const HEALTH_CHECK_TIMEOUT: u32 = 5;
/// `spec.container.healthCheck.retries`.
pub const HEALTH_CHECK_RETRIES: u32 = 3;
/// `spec.container.healthCheck.startPeriod`, in seconds.
pub const HEALTH_CHECK_START_PERIOD: u32 = 60;
/// `spec.logging.retentionDays`.
pub const LOG_RETENTION_DAYS: u32 = 30;
/// `spec.logging.streamPrefix`.
pub const LOG_STREAM_PREFIX: &str = "ecs";
/// `spec.autoscaling.min`, in tasks.
pub const AUTOSCALING_MIN: u32 = 1;
/// `spec.autoscaling.max`, in tasks.
pub const AUTOSCALING_MAX: u32 = 10;
/// `spec.autoscaling.targetCpu`, in percent.
pub const AUTOSCALING_TARGET_CPU: u32 = 70;
/// `spec.rollout.minimumHealthyPercent`.
pub const MINIMUM_HEALTHY_PERCENT: u32 = 100;
/// `spec.rollout.maximumPercent`.
pub const MAXIMUM_PERCENT: u32 = 200;
/// `spec.verify.http.path`.
pub const VERIFY_PATH: &str = "/health";

/// `spec.freezes[].timeZone` of a project.
pub const TIME_ZONE: &str = "UTC";
/// `spec.weight` of a project.
pub const WEIGHT: u32 = 1;

macro_rules! serde_default {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $value:expr;)*) => {
        $($(#[$doc])* pub(crate) fn $name() -> $type { $value.into() })*
    };
}

// serde asks for functions; each only hands out the constant above.
serde_default! {
    region: String = REGION;
    project: String = PROJECT;
    container_name: String = CONTAINER_NAME;
    container_port: u16 = CONTAINER_PORT;
    cpu: u32 = CPU;
    memory: u32 = MEMORY;
    desired_count: u32 = DESIRED_COUNT;
    health_check_path: String = HEALTH_CHECK_PATH;
    health_check_interval: u32 = HEALTH_CHECK_INTERVAL;
    health_check_timeout: u32 = HEALTH_CHECK_TIMEOUT;
    health_check_retries: u32 = HEALTH_CHECK_RETRIES;
    health_check_start_period: u32 = HEALTH_CHECK_START_PERIOD;
    log_retention_days: Option<u32> = LOG_RETENTION_DAYS;
    log_stream_prefix: String = LOG_STREAM_PREFIX;
    autoscaling_min: u32 = AUTOSCALING_MIN;
    autoscaling_max: u32 = AUTOSCALING_MAX;
    autoscaling_target_cpu: Option<u32> = AUTOSCALING_TARGET_CPU;
    minimum_healthy_percent: u32 = MINIMUM_HEALTHY_PERCENT;
    maximum_percent: u32 = MAXIMUM_PERCENT;
    verify_path: String = VERIFY_PATH;
    time_zone: String = TIME_ZONE;
    weight: u32 = WEIGHT;
    yes: bool = true;
}
